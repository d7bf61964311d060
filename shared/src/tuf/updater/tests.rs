use super::*;
use crate::tuf::metadata::Targets;
use crate::tuf::test_repository::{Repository, delegation, delegations};
use crate::tuf::write;

/// A client's disk, and what it asked for.
#[derive(Default)]
struct Client {
    kept: BTreeMap<String, Vec<u8>>,
    asked: Vec<String>,
}

impl Client {
    fn of(repository: &Repository) -> Self {
        let root = repository.origin["metadata/1.root.json"].clone();
        Self { kept: BTreeMap::from([("root.json".to_owned(), root)]), asked: Vec::new() }
    }

    /// Refreshes, then looks these paths up one after another.
    fn find(&mut self, repository: &Repository, paths: &[&str]) -> Result<Vec<String>, TrustErrorKind> {
        self.asked.clear();
        let mut disk = self.kept.clone();
        let limits = Limits::default();
        let mut kept = |name: &str| disk.get(name).cloned();
        let mut updater = Updater::start(&mut kept, repository.now, &limits).map_err(|error| error.kind)?;
        let mut found = Vec::new();
        for path in [None].into_iter().chain(paths.iter().map(Some)) {
            path.inspect(|path| updater.look_up(path));
            while let Next::Fetch(fetch) = updater.next(&mut |name: &str| disk.get(name).cloned()) {
                assert_eq!(updater.next(&mut |_: &str| None), Next::Fetch(fetch.clone()), "asked twice");
                self.asked.push(fetch.path.clone());
                let file = repository.origin.get(&fetch.path).cloned();
                updater.supply(file.map_or(Reply::Absent, Reply::Bytes));
                disk.extend(updater.files().into_iter().map(|(name, bytes)| (name, bytes.to_vec())));
            }
            self.kept.clone_from(&disk);
            updater.refreshed().map_err(|error| error.kind)?;
            if path.is_some() {
                let target = updater.found().map_err(|error| error.kind)?;
                target.check(&repository.origin[&target.fetch.path]).map_err(|error| error.kind)?;
                found.push(target.role);
            }
        }
        Ok(found)
    }
}

#[test]
fn a_file_is_found_by_its_path_and_nothing_is_fetched_twice() {
    let mut repository = Repository::new();
    for (name, key) in [("a", 51), ("b", 52)] {
        repository.keys.0.insert(name, vec![key]);
        let path = format!("{name}/file");
        repository.put_file(&path, b"{}");
        repository.put_role(name, &role(1, &repository, &[(&path, b"{}")], &[]));
    }
    repository.targets = role(2, &repository, &[], &[("a", 51, "a/*"), ("b", 52, "b/*")]);
    repository.put_targets();
    repository.publish();
    let mut client = Client::of(&repository);
    let paths = ["a/file", "b/file"];
    assert_eq!(client.find(&repository, &paths).unwrap(), ["a", "b"]);
    assert_eq!(client.asked.len(), 6, "{:?}", client.asked);
    assert_eq!(client.find(&repository, &paths).unwrap(), ["a", "b"]);
    assert_eq!(client.asked, ["metadata/2.root.json", "metadata/timestamp.json"]);
    // What is damaged on disk is fetched again, and nothing else.
    client.kept.insert("a.json".into(), b"{".to_vec());
    client.find(&repository, &paths).unwrap();
    assert_eq!(client.asked[2..], ["metadata/1.a.json"]);
    assert_eq!(client.find(&repository, &["a/none"]), Err(TrustErrorKind::NotDelegated));
}

#[test]
fn what_was_kept_is_a_floor_also_after_it_has_expired() {
    let mut repository = Repository::new();
    repository.publish();
    let mut client = Client::of(&repository);
    client.find(&repository, &[]).unwrap();
    let mut old = Repository::new();
    old.now = repository.now;
    assert_eq!(client.find(&old, &[]), Err(TrustErrorKind::Rollback));
    let kept = client.kept.clone();
    repository.now = "2027-01-01T00:00:00Z".parse().unwrap();
    assert_eq!(client.find(&repository, &[]), Err(TrustErrorKind::Expired));
    assert_eq!(client.kept, kept);
}

/// A role that delegates to others: name, numbers of their keys, pattern or (with `#`) prefix of the path's hash.
fn role(version: u64, repository: &Repository, files: &[(&str, &[u8])], to: &[(&str, u8, &str)]) -> Targets {
    let files = files.iter().map(|(path, bytes)| ((*path).to_owned(), write::target_file(bytes)));
    let mut body = write::files(version, repository.targets.expires, files.collect());
    let keys: Vec<u8> = to.iter().map(|(_, number, _)| *number).collect();
    let roles = to.iter().map(|(name, number, covers)| delegation(name, *number, covers, false));
    body.delegations = delegations(&keys, roles.collect());
    body
}

#[test]
fn trees_are_followed_and_authority_is_not_inherited_from_an_earlier_look_up() {
    let mut repository = Repository::new();
    let expires = repository.targets.expires;
    let files: [(&str, &[u8]); 2] = [("a/file", b"1"), ("b/file", b"2")];
    let hash = crate::digest::Sha256Digest::of(b"a/file").to_string();
    let prefix = format!("#{}", &hash[..4]);
    for (name, key) in [("a", 51), ("b", 52), ("shared", 53)] {
        repository.keys.0.insert(name, vec![key]);
    }
    repository.targets = role(2, &repository, &[], &[("a", 51, &prefix), ("b", 52, "b/*")]);
    repository.put_targets();
    // Both delegate to one role, but b names another key for it.
    for (name, key, covers) in [("a", 53, "*/*"), ("b", 54, "*/*")] {
        let body = role(1, &repository, &[], &[("shared", key, covers)]);
        repository.put_role(name, &body);
    }
    let mut shared = role(1, &repository, &files, &[]);
    shared.expires = expires;
    repository.put_role("shared", &shared);
    for (path, bytes) in files {
        repository.put_file(path, bytes);
    }
    repository.publish();
    let mut client = Client::of(&repository);
    assert_eq!(client.find(&repository, &["a/file"]).unwrap(), ["shared"]);
    assert_eq!(client.find(&repository, &["a/file", "b/file"]), Err(TrustErrorKind::Threshold));
    assert_eq!(client.find(&repository, &["c/file"]), Err(TrustErrorKind::NotDelegated));
}
