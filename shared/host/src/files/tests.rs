use super::*;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn reading_is_bounded_and_a_folder_is_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("f");
    replace(&path, b"12345", Readers::Owner).unwrap();
    assert_eq!(read(&path, 5).unwrap(), b"12345");
    assert_eq!(read(&path, 4).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
    assert_eq!(read(folder.path(), 4).unwrap_err().kind(), io::ErrorKind::IsADirectory);
    assert_eq!(read(Path::new("/dev/zero"), 4).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
}

#[test]
fn a_file_is_readable_by_whom_it_is_written_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("f");
    for (readers, wide) in [(Readers::Owner, false), (Readers::All, true), (Readers::Owner, false)] {
        write(&path, b"x", readers, Existing::Replace).unwrap();
        assert_eq!(open_to_others(&fs::metadata(&path).unwrap()).is_some(), wide);
        assert_eq!(mode(&path) & 0o600, 0o600);
    }
    write_in_place(&folder.path().join("g"), b"x", Readers::Owner).unwrap();
    make_private_folder(&folder.path().join("h")).unwrap();
    make_private_folder(&folder.path().join("h")).unwrap();
    assert_eq!((mode(&folder.path().join("g")), mode(&folder.path().join("h"))), (0o600, 0o700));
    let missing = make_private_folder(&folder.path().join("a/b")).unwrap_err();
    assert_eq!(missing.kind(), io::ErrorKind::NotFound);
}

#[test]
fn content_is_synced_before_the_name_and_a_failing_step_leaves_the_old_file_or_the_new() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("edition");
    let steps = [Step::Written, Step::FileSynced, Step::Renamed, Step::FolderSynced];
    for (n, last) in steps.into_iter().enumerate() {
        replace(&path, b"old", Readers::Owner).unwrap();
        let (mut made, mut found) = (Vec::new(), Vec::new());
        let result = replace_stepwise(&path, b"new", Readers::Owner, &mut |step| {
            made.push(step);
            found.push(read(&path, 3).unwrap());
            if step == last { Err(io::Error::other("told to")) } else { Ok(()) }
        });
        assert!(result.is_err());
        assert_eq!(made, steps[..=n]);
        for (step, found) in made.iter().zip(found) {
            let renamed = matches!(step, Step::Renamed | Step::FolderSynced);
            assert_eq!(found, if renamed { b"new" } else { b"old" }, "{step:?}");
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left lying about");
    }
}

#[test]
fn what_a_person_named_is_replaced_only_when_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("f");
    write(&path, b"one", Readers::All, Existing::Refuse).unwrap();
    let error = write(&path, b"two", Readers::All, Existing::Refuse).unwrap_err();
    assert_eq!((error.kind(), fs::read(&path).unwrap()), (io::ErrorKind::AlreadyExists, b"one".to_vec()));
    write(&path, b"two", Readers::All, Existing::Replace).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"two");
    // One that comes into being while the new one is written stays, too.
    let late = folder.path().join("late");
    let mut file = NewFile::create(&late, Readers::Owner, Existing::Refuse).unwrap();
    file.write_all(b"new").unwrap();
    fs::write(&late, "theirs").unwrap();
    assert!(file.place().unwrap_err().to_string().contains("--replace"));
    assert_eq!(fs::read(&late).unwrap(), b"theirs");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "nothing is left beside them");
}

#[test]
fn nothing_but_a_regular_file_is_ever_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("file"), "kept").unwrap();
    std::os::unix::fs::symlink("file", at("link")).unwrap();
    std::os::unix::fs::symlink("nowhere", at("dangling")).unwrap();
    std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
    fs::create_dir(at("folder")).unwrap();
    for (path, what) in [
        (at("link"), "a symbolic link"),
        (at("dangling"), "a symbolic link"),
        (at("socket"), "a socket"),
        (at("folder"), "a folder"),
        ("/dev/null".into(), "a device"),
    ] {
        for existing in [Existing::Replace, Existing::Refuse] {
            let error = write(&path, b"x", Readers::All, existing).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
            assert!(error.to_string().contains(what), "{error}");
        }
    }
    assert_eq!(fs::read(at("link")).unwrap(), b"kept");
}

#[test]
fn a_folder_that_takes_nothing_is_named_and_no_temporary_file() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = folder.path().join("nowhere");
    // Permissions do not stop root; there, root may make no files either.
    for (place, remedy) in [(Path::new("/sys"), "elsewhere"), (&nowhere, "make it")] {
        let error = write(&place.join("f"), b"x", Readers::All, Existing::Refuse).unwrap_err();
        let said = error.to_string();
        assert!(said.contains(&format!("folder {}", place.display())) && said.contains(remedy), "{said}");
        assert!(!said.contains(TEMPORARY) && !said.contains("os error"), "{said}");
    }
}

#[test]
fn a_file_that_is_mounted_by_itself_says_what_to_do() {
    for (kind, remedy) in [
        (io::ErrorKind::ResourceBusy, "mount its folder instead"),
        (io::ErrorKind::CrossesDevices, "mount the folder whole"),
    ] {
        assert!(not_replaced(&kind.into()).to_string().contains(remedy));
    }
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("full/x")).unwrap();
    assert!(replace(&folder.path().join("full"), b"x", Readers::Owner).is_err());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}
