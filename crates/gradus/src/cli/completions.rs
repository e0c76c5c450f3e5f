//! `gradus completions`: scripts that teach a shell the commands and flags.

use clap::CommandFactory;
use clap_complete::Shell;

/// Print a completion script for a shell.
///
/// Example: gradus completions bash > ~/.local/share/bash-completion/completions/gradus
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The shell to complete for.
    shell: Shell,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut super::Cli::command(), "gradus", &mut script);
    super::output::write(&script)
}
