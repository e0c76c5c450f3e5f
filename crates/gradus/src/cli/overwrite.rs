//! What is there is kept unless the user says otherwise.

use std::path::Path;

use anyhow::{Context, bail};

/// # Errors
/// When something is at `path` already, an empty folder aside, and `force` is not given.
pub(crate) fn refuse_to_replace(path: &Path, force: bool) -> anyhow::Result<()> {
    let is_free = match std::fs::read_dir(path) {
        Ok(mut entries) => entries.next().is_none(),
        Err(_) => std::fs::symlink_metadata(path).is_err(),
    };
    if is_free || force {
        return Ok(());
    }
    bail!(
        "{} exists; --force replaces it, --out names another place",
        path.display()
    )
}

/// Runs `write`, which makes the folder anew, with the Hugging Face folder that is there put aside until it has succeeded.
/// Anything else that is there stays for `write` to judge.
pub(crate) fn replacing_hugging_face<T>(
    folder: &Path,
    write: impl FnOnce() -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let is_hugging_face = folder.join("config.json").is_file() && !gradus_package::is_package(folder);
    let (true, Some(name)) = (is_hugging_face, folder.file_name()) else {
        return write();
    };
    let mut name = name.to_owned();
    name.push(".replaced");
    let aside = folder.with_file_name(name);
    std::fs::rename(folder, &aside).with_context(|| format!("cannot put {} aside", folder.display()))?;
    let written = write();
    let tidied = match &written {
        Ok(_) => std::fs::remove_dir_all(&aside),
        Err(_) => std::fs::rename(&aside, folder),
    };
    tidied.with_context(|| format!("cannot tidy up {}", aside.display()))?;
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_there_comes_back_when_writing_fails() {
        let folder = tempfile::tempdir().unwrap();
        let model = folder.path().join("model");
        std::fs::create_dir(&model).unwrap();
        std::fs::write(model.join("config.json"), "old").unwrap();
        let failed: anyhow::Result<()> = replacing_hugging_face(&model, || bail!("no"));
        assert_eq!(failed.unwrap_err().to_string(), "no");
        assert_eq!(std::fs::read(model.join("config.json")).unwrap(), b"old");
        replacing_hugging_face(&model, || Ok(std::fs::create_dir(&model)?)).unwrap();
        assert!(model.is_dir() && !model.join("config.json").exists());
        assert_eq!(
            std::fs::read_dir(folder.path()).unwrap().count(),
            1,
            "nothing is left over"
        );
    }

    #[test]
    fn only_what_holds_something_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        assert!(refuse_to_replace(folder.path(), false).is_ok());
        assert!(refuse_to_replace(&file, false).is_ok());
        std::fs::write(&file, "x").unwrap();
        for path in [folder.path(), &file] {
            assert!(
                refuse_to_replace(path, false)
                    .unwrap_err()
                    .to_string()
                    .contains("--force")
            );
            assert!(refuse_to_replace(path, true).is_ok());
        }
    }
}
