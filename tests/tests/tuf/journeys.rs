//! `mulberry-agent tuf` as a person uses it: init, refresh, download, with real processes over HTTP.

use std::fs;
use std::path::Path;

use jiff::SignedDuration;
use mulberry_lab::binaries::Binaries;
use mulberry_lab::process::{Said, run};
use mulberry_shared::digest::Sha256Digest;
use mulberry_shared::edition::write;
use serde_json::Value;

use super::repository::Search::{Ends, GoesOn};
use super::repository::{Repository, target_path};

/// A client with folders of its own.
struct Client {
    folder: tempfile::TempDir,
}

impl Client {
    /// One that trusts version 1 of the repository's root.
    fn of(repository: &Repository) -> Self {
        let client = Self { folder: tempfile::tempdir().unwrap() };
        fs::write(client.folder.path().join("root.json"), repository.file("metadata/1.root.json")).unwrap();
        client.tuf(&["--metadata-dir", "m", "init", "root.json"]).expect_code(0).unwrap();
        client
    }

    fn tuf(&self, arguments: &[&str]) -> Said {
        let all = [&["tuf"], arguments].concat();
        run(&Binaries::build().unwrap().agent(), &all, self.folder.path()).unwrap()
    }

    fn refresh(&self, repository: &Repository) -> Said {
        self.tuf(&["--metadata-dir", "m", "--metadata-url", &repository.url("metadata"), "refresh"])
    }

    fn download(&self, repository: &Repository, paths: &[&str]) -> Said {
        let (metadata, targets) = (repository.url("metadata"), repository.url("targets"));
        let mut all = vec!["--metadata-dir", "m", "--metadata-url", &metadata, "--target-base-url", &targets];
        all.extend(["--target-dir", "t", "--json"]);
        all.extend(paths.iter().flat_map(|path| ["--target-name", path]));
        all.push("download");
        self.tuf(&all)
    }

    /// The versions that it trusts: root, timestamp, snapshot, targets; 0 for none.
    fn trusts(&self) -> [u64; 4] {
        ["root", "timestamp", "snapshot", "targets"].map(|role| {
            let bytes = fs::read(self.folder.path().join(format!("m/{role}.json"))).unwrap_or_default();
            let metadata: Value = serde_json::from_slice(&bytes).unwrap_or_default();
            metadata["signed"]["version"].as_u64().unwrap_or_default()
        })
    }

    /// Names in a folder of it.
    fn names(&self, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path().join(folder)).into_iter().flatten();
        let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn file(&self, name: &str) -> Vec<u8> {
        fs::read(self.folder.path().join("t").join(name)).unwrap()
    }
}

/// Ends with 1 and says this.
#[track_caller]
fn refused(said: Said, because: &str) {
    let said = said.expect_code(1).unwrap();
    assert!(said.stderr.contains(because), "{}", said.stderr);
}

fn prefix_of(path: &str) -> String {
    format!("#{}", &Sha256Digest::of(path.as_bytes()).to_string()[..6])
}

/// Files of every depth; `deep` is reached by a prefix of the path's hash, and what `last` says stands behind a terminating role.
fn tree() -> Repository {
    let mut repository = Repository::new();
    let deep = "one/two/deep file?.txt";
    let to = [
        ("a", "one/*/*", GoesOn),
        ("ends", "one/*", Ends),
        ("last", "*/*", GoesOn),
        ("../odd #", "odd", GoesOn),
    ];
    repository.role("targets", &[("top.txt", b"top")], &to);
    repository.role(
        "a",
        &[("outside", b"never")],
        &[("b", &prefix_of(deep), GoesOn), ("a", "*/*/*", GoesOn)],
    );
    repository.role("b", &[(deep, b"deep"), ("one/two/other", b"not delegated to b")], &[]);
    repository.role("ends", &[], &[]);
    repository.role("last", &[("one/last", b"hidden"), ("two/last", b"last")], &[]);
    repository.role("../odd #", &[("odd", b"odd")], &[]);
    repository.publish();
    repository
}

#[test]
fn files_are_found_through_delegations_verified_and_not_fetched_twice() {
    let repository = tree();
    let client = Client::of(&repository);
    assert_eq!((client.trusts(), repository.asked()), ([1, 0, 0, 0], vec![]));
    client.refresh(&repository).expect_code(0).unwrap();
    assert_eq!(client.trusts(), [1, 1, 1, 1]);
    let asked = repository.asked();
    let usual = ["metadata/2.root.json", "metadata/timestamp.json"];
    assert_eq!(asked, [&usual[..], &["metadata/1.snapshot.json", "metadata/1.targets.json"]].concat());

    let paths = ["top.txt", "one/two/deep file?.txt", "two/last", "odd"];
    let told = client.download(&repository, &paths).expect_code(0).unwrap().json().unwrap();
    let roles: Vec<_> =
        told["targets"].as_array().unwrap().iter().map(|t| t["role"].as_str().unwrap()).collect();
    assert_eq!(roles, ["targets", "b", "last", "../odd #"]);
    let names = ["odd", "one%2Ftwo%2Fdeep%20file%3F.txt", "top.txt", "two%2Flast"];
    assert_eq!(client.names("t"), names);
    assert_eq!(names.map(|name| client.file(name)), [&b"odd"[..], b"deep", b"top", b"last"]);
    // Nothing of a role's name reaches the file system.
    let kept = ["..%2Fodd%20%23.json", "a.json", "b.json", "last.json", "lock", "root.json", "snapshot.json"];
    assert_eq!(client.names("m"), [&kept[..], &["targets.json", "timestamp.json"]].concat());

    repository.asked();
    let told = client.download(&repository, &paths).expect_code(0).unwrap().json().unwrap();
    assert!(told["targets"].as_array().unwrap().iter().all(|target| target["fetched"] == false), "{told}");
    assert_eq!(repository.asked(), usual, "metadata and files are here");
    // A file that was damaged on disk, and metadata that was, are fetched again; no more.
    fs::write(client.folder.path().join("t/odd"), "ODD").unwrap();
    fs::write(client.folder.path().join("m/last.json"), "{").unwrap();
    client.download(&repository, &paths).expect_code(0).unwrap();
    let again = ["metadata/1.last.json".to_owned(), target_path("odd", &write::target_file(b"odd"))];
    assert_eq!(repository.asked()[2..], again);
    assert_eq!(client.file("odd"), b"odd");

    // What no role that may vouch for it does: behind a terminating role, outside of a delegation, nowhere.
    for nowhere in ["one/last", "one/two/other", "outside", "none"] {
        refused(client.download(&repository, &[nowhere]), "no role of the repository vouches for it");
    }
    refused(client.download(&repository, &["none", "two/last"]), "none");
}

#[test]
fn a_repository_that_lies_changes_nothing() {
    let mut repository = tree();
    let client = Client::of(&repository);
    client.download(&repository, &["two/last"]).expect_code(0).unwrap();

    // Other content under the signed hash: neither what is here nor what is not here is replaced by it.
    for content in [&b"LAST"[..], b"longer than what is signed", b""] {
        repository.serve(&target_path("two/last", &write::target_file(b"last")), content);
        repository.serve(&target_path("top.txt", &write::target_file(b"top")), content);
        client.download(&repository, &["two/last"]).expect_code(0).unwrap();
        refused(client.download(&repository, &["top.txt"]), "top.txt");
        assert_eq!(
            (client.names("t"), client.file("two%2Flast")),
            (vec!["two%2Flast".to_owned()], b"last".to_vec())
        );
    }

    // An older timestamp.
    let old = repository.file("metadata/timestamp.json");
    repository.role("targets", &[("top.txt", b"new")], &[]);
    repository.publish();
    client.refresh(&repository).expect_code(0).unwrap();
    let new = repository.file("metadata/timestamp.json");
    assert_eq!(client.trusts(), [1, 2, 2, 2]);
    repository.serve("metadata/timestamp.json", &old);
    refused(client.refresh(&repository), "version 1 is older than version 2");

    // A newer timestamp with an older targets in a newer snapshot.
    repository.serve("metadata/timestamp.json", &new);
    repository.set_next("targets", 1);
    repository.role("targets", &[("top.txt", b"old")], &[]);
    repository.publish();
    refused(client.refresh(&repository), "older than version 2");
    assert_eq!(client.trusts(), [1, 3, 2, 2], "each step that passed is kept, no other");

    // The way out is a rotation, after which old versions count again.
    repository.rotate(&["snapshot", "timestamp"]);
    repository.set_next("timestamp", 1);
    repository.set_next("snapshot", 1);
    repository.publish();
    client.refresh(&repository).expect_code(0).unwrap();
    assert_eq!(client.trusts(), [2, 1, 1, 1]);

    // An expired timestamp is not taken, and what was here stays.
    repository.timestamp_expires = repository.now - SignedDuration::from_secs(1);
    repository.publish();
    refused(client.refresh(&repository), "expired");
    assert_eq!(client.trusts(), [2, 1, 1, 1]);

    // A root that the one before has not signed.
    let other = Repository::new();
    repository.serve("metadata/3.root.json", &other.file("metadata/1.root.json"));
    refused(client.refresh(&repository), "distinct keys");
    assert_eq!(client.trusts(), [2, 1, 1, 1]);
}

#[test]
fn trust_starts_with_one_root_and_is_not_exchanged() {
    let repository = tree();
    let client = Client::of(&repository);
    let other = Repository::new();
    let write = |bytes: &[u8]| fs::write(client.folder.path().join("root.json"), bytes).unwrap();
    write(&other.file("metadata/1.root.json"));
    refused(client.tuf(&["--metadata-dir", "m", "init", "root.json"]), "trusts another root already");
    write(&repository.file("metadata/1.root.json").repeat(2));
    refused(client.tuf(&["--metadata-dir", "n", "init", "root.json"]), "root");
    refused(client.tuf(&["--metadata-dir", "n", "init", "absent.json"]), "absent.json");
    let url = repository.url("metadata");
    refused(client.tuf(&["--metadata-dir", "n", "--metadata-url", &url, "refresh"]), "no root is kept");
    refused(client.tuf(&["--metadata-dir", "m", "refresh"]), "--metadata-url");
    refused(client.tuf(&["--metadata-dir", "m", "--metadata-url", "ftp://x", "refresh"]), "only http");
    refused(
        client.tuf(&["--metadata-dir", "m", "--metadata-url", "http://127.0.0.1:9/", "refresh"]),
        "2.root.json",
    );
    assert!(repository.asked().is_empty());
    assert!(!Path::new(&client.folder.path().join("n/root.json")).exists());
}

#[test]
fn roles_may_share_keys_in_anybody_elses_repository() {
    let mut repository = Repository::new();
    repository.share_keys(&["targets", "emergency", "routine", "timestamp"]);
    repository.role("targets", &[], &[("emergency", "emergency/*", Ends), ("routine", "routine/*", Ends)]);
    repository.role("emergency", &[], &[]);
    repository.role("routine", &[("routine/one", b"one")], &[]);
    repository.publish();
    let client = Client::of(&repository);
    client.download(&repository, &["routine/one"]).expect_code(0).unwrap();
    assert_eq!(client.file("routine%2Fone"), b"one");
}
