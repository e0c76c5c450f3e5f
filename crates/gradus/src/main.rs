//! The `gradus` command: a thin shell over the library. What it does, a caller can do in a few lines.
#![forbid(unsafe_code)]
// They panic when nobody listens; `cli::output` does not.
#![deny(clippy::print_stderr, clippy::print_stdout)]

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
