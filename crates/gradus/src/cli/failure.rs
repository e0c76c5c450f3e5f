//! How a command that failed tells why: one paragraph on standard error, and an exit code.

use std::io::ErrorKind;
use std::process::ExitCode;

use super::output;

/// The exit code for something the user can mend: a flag, a recipe, a file. The parser of flags uses it too.
const USERS_MISTAKE: u8 = 2;
/// The exit code for everything else: a full disk, a diverged training, a port in use.
const FAILURE: u8 = 1;

/// Prints the chain of causes and chooses the exit code.
pub(crate) fn report(error: &anyhow::Error) -> ExitCode {
    output::say(format_args!("error: {}", paragraph(error)));
    ExitCode::from(if is_failure(error) { FAILURE } else { USERS_MISTAKE })
}

/// The causes in one line, outermost first. A cause whose text its parent already tells is not told twice.
fn paragraph(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain() {
        let cause = cause.to_string();
        if text.ends_with(&cause) {
            continue;
        }
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&cause);
    }
    text
}

fn is_failure(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        #[cfg(feature = "train")]
        if let Some(gradus_train::Error::Diverged { .. }) = cause.downcast_ref() {
            return true;
        }
        cause
            .downcast_ref::<std::io::Error>()
            .is_some_and(|error| !users_can_mend(error.kind()))
    })
}

/// Whether a system error says that the user named the wrong thing, rather than that the machine failed.
fn users_can_mend(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::NotFound
            | ErrorKind::PermissionDenied
            | ErrorKind::AlreadyExists
            | ErrorKind::InvalidInput
            | ErrorKind::InvalidData
            | ErrorKind::IsADirectory
            | ErrorKind::NotADirectory
            | ErrorKind::UnexpectedEof
            | ErrorKind::AddrInUse
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::anyhow;

    #[test]
    fn causes_are_told_once_each() {
        let error = anyhow!("no such file")
            .context("cannot read a.csv: no such file")
            .context("data");
        assert_eq!(paragraph(&error), "data: cannot read a.csv: no such file");
    }

    #[test]
    fn a_missing_file_is_the_users_and_a_full_disk_is_not() {
        let io = |kind| anyhow::Error::new(std::io::Error::from(kind)).context("outer");
        assert!(!is_failure(&io(ErrorKind::NotFound)));
        assert!(is_failure(&io(ErrorKind::StorageFull)));
        assert!(!is_failure(&anyhow!("a misspelt key")));
    }
}
