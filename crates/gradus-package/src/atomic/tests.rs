use super::*;

fn entries(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().flatten();
    let mut names: Vec<_> = entries.map(|e| e.file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// What a process leaves that dies after writing half of a file.
fn abandon_half_a_file(target: &Path) -> PathBuf {
    let temporary = sibling(target, TEMPORARY);
    fs::write(&temporary, b"hal").unwrap();
    temporary
}

#[test]
fn writes_and_replaces_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state.bin");
    write_atomic(&path, b"one").unwrap();
    write_atomic(&path, b"two").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"two");
    assert_eq!(entries(dir.path()), ["state.bin"]);
}

#[test]
fn a_crash_before_the_rename_leaves_the_old_file_and_its_leftover_is_cleaned() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state.bin");
    write_atomic(&path, b"good").unwrap();
    let leftover = abandon_half_a_file(&path);
    assert_eq!(fs::read(&path).unwrap(), b"good");
    write_atomic(&path, b"better").unwrap();
    assert!(!leftover.exists());
    assert_eq!(fs::read(&path).unwrap(), b"better");
}

#[test]
fn a_failed_fill_leaves_the_old_file_and_no_temporary() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state.bin");
    write_atomic(&path, b"good").unwrap();
    let failed = write_atomic_with(&path, |file, _| -> Result<()> {
        file.write_all(b"ba").unwrap();
        Err(Error::RunExists { path: path.clone() })
    });
    assert!(matches!(failed, Err(Error::RunExists { .. })));
    assert_eq!(fs::read(&path).unwrap(), b"good");
    assert_eq!(entries(dir.path()), ["state.bin"]);
}

#[test]
fn a_living_writers_temporary_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state.bin");
    let temporary = abandon_half_a_file(&path);
    let alive = File::open(&temporary).unwrap();
    alive.lock().unwrap();
    write_atomic(&path, b"mine").unwrap();
    assert!(temporary.exists());
    drop(alive);
    write_atomic(&path, b"mine").unwrap();
    assert!(!temporary.exists());
}

#[test]
fn other_targets_leftovers_are_not_touched() {
    let dir = tempfile::tempdir().unwrap();
    let other = abandon_half_a_file(&dir.path().join("other.bin"));
    write_atomic(&dir.path().join("state.bin"), b"x").unwrap();
    assert!(other.exists());
}

#[test]
fn replaces_a_folder_with_everything_in_it() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("model");
    for text in ["one", "two"] {
        let folder = NewFolder::create(&target).unwrap();
        fs::write(folder.path().join(text), text).unwrap();
        folder.commit().unwrap();
        assert_eq!(entries(&target), [text]);
    }
    assert_eq!(entries(dir.path()), ["model"]);
}

#[test]
fn a_folder_that_is_not_committed_never_appears() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("model");
    drop(NewFolder::create(&target).unwrap());
    assert_eq!(entries(dir.path()), [""; 0]);
}

#[test]
fn a_crash_between_the_two_renames_is_repaired() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("model");
    fs::create_dir(&target).unwrap();
    fs::write(target.join("weights"), "old").unwrap();
    // The writer died right here: the old folder is aside, the new one is complete but not yet in its place.
    fs::rename(&target, sibling(&target, REPLACED)).unwrap();
    let temporary = sibling(&target, TEMPORARY);
    fs::create_dir(&temporary).unwrap();
    recover_folder(&target).unwrap();
    assert_eq!(fs::read_to_string(target.join("weights")).unwrap(), "old");
    NewFolder::create(&target).unwrap().commit().unwrap();
    assert_eq!(entries(dir.path()), ["model"]);
    assert_eq!(entries(&target), [""; 0]);
}

#[test]
fn names_the_path_that_cannot_be_written() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("absent").join("state.bin");
    let error = write_atomic(&path, b"x").unwrap_err();
    assert!(matches!(&error, Error::Io { action: "create", .. }), "{error:?}");
    assert!(error.to_string().contains("absent"), "{error}");
}
