#![cfg(test)]
//! The command as tests of its subcommands run it.

use std::path::Path;
use std::process::{Command, Output};

/// The command, to be run in a folder.
pub fn command(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gradus"));
    command.current_dir(folder).args(args);
    command
}

/// The command's streams and exit code.
pub fn gradus(folder: &Path, args: &[&str]) -> Output {
    command(folder, args).output().unwrap()
}

/// What a command prints, which must succeed.
pub fn succeed(folder: &Path, args: &[&str]) -> String {
    let output = gradus(folder, args);
    assert!(
        output.status.success(),
        "{args:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// What a refused command says.
pub fn refused(folder: &Path, args: &[&str]) -> String {
    let output = gradus(folder, args);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{args:?}: {said}");
    said
}
