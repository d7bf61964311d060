//! A repository of any shape over real HTTP: roles are signed as told, and every request is noted.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use jiff::{SignedDuration, Timestamp};
use mulberry_shared::edition::write::{self, Holders, RootHolders};
use mulberry_shared::tuf::metadata::{Delegation, Delegations, Other, TargetFile, Targets};
use mulberry_shared::tuf::threshold::RoleKeys;
use mulberry_shared::tuf::{Ed25519Signer, Signer, location};

#[derive(Default)]
struct Served {
    files: BTreeMap<String, Vec<u8>>,
    asked: Vec<String>,
}

/// The repository and its server. Dropping it ends the server.
pub(crate) struct Repository {
    pub(crate) now: Timestamp,
    keys: BTreeMap<String, Ed25519Signer>,
    versions: BTreeMap<String, u64>,
    listed: BTreeMap<String, (u64, Vec<u8>)>,
    /// When the next timestamp expires.
    pub(crate) timestamp_expires: Timestamp,
    served: Arc<Mutex<Served>>,
    address: SocketAddr,
    ended: Arc<AtomicBool>,
    listening: Option<JoinHandle<()>>,
}

/// One delegation: to whom, for which paths (with `#`, for paths whose hash begins so), and whether it ends the search.
pub(crate) type To<'a> = (&'a str, &'a str, Search);

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Search {
    GoesOn,
    Ends,
}

impl Repository {
    /// Version 1 of root, and nothing else.
    pub(crate) fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (served, ended) = (Arc::new(Mutex::new(Served::default())), Arc::new(AtomicBool::new(false)));
        let (serving, end) = (Arc::clone(&served), Arc::clone(&ended));
        let listening = std::thread::spawn(move || {
            for connection in listener.incoming().map_while(Result::ok) {
                if end.load(Ordering::SeqCst) {
                    return;
                }
                let serving = Arc::clone(&serving);
                std::thread::spawn(move || answer(&connection, &serving));
            }
        });
        let now = Timestamp::now();
        let mut repository = Self {
            now,
            keys: BTreeMap::new(),
            versions: BTreeMap::new(),
            listed: BTreeMap::new(),
            timestamp_expires: now + SignedDuration::from_hours(1),
            served,
            address,
            ended,
            listening: Some(listening),
        };
        repository.rotate(&[]);
        repository
    }

    /// Where it serves `metadata` or `targets`.
    pub(crate) fn url(&self, what: &str) -> String {
        format!("http://{}/{what}", self.address)
    }

    /// A served file.
    pub(crate) fn file(&self, path: &str) -> Vec<u8> {
        self.served.lock().unwrap().files[path].clone()
    }

    /// Serves other bytes at `path`.
    pub(crate) fn serve(&self, path: &str, bytes: &[u8]) {
        self.served.lock().unwrap().files.insert(path.to_owned(), bytes.to_vec());
    }

    /// What was asked for since this was asked last.
    pub(crate) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.served.lock().unwrap().asked)
    }

    /// The next root, with new keys for these top-level roles.
    pub(crate) fn rotate(&mut self, roles: &[&str]) {
        let old = self.key("root");
        for role in roles {
            self.keys.insert((*role).to_owned(), new_key());
        }
        let holders =
            ["root", "targets", "snapshot", "timestamp"].map(|role| Holders::one(self.key(role).key()));
        let [root, targets, snapshot, timestamp] = holders;
        let holders = RootHolders { root, targets, snapshot, timestamp };
        let version = self.next("root");
        let body = write::root(version, self.now + SignedDuration::from_hours(99), &holders);
        let new = self.key("root");
        let signers: Vec<&dyn Signer> =
            if old.key_id() == new.key_id() { vec![&new] } else { vec![&old, &new] };
        let bytes = write::sign(&body, &signers).unwrap();
        self.serve(&format!("metadata/{version}.root.json"), &bytes);
    }

    /// One key for all these roles, which the next root names.
    pub(crate) fn share_keys(&mut self, roles: &[&str]) {
        let seed = rand::random();
        for role in roles {
            self.keys.insert((*role).to_owned(), Ed25519Signer::from_seed(&seed).unwrap());
        }
        self.rotate(&[]);
    }

    /// The next version of a targets role, with these files (which are served, too) and delegations.
    pub(crate) fn role(&mut self, role: &str, files: &[(&str, &[u8])], to: &[To<'_>]) {
        let version = self.next(role);
        let mut body: Targets = write::gates(version, self.now + SignedDuration::from_hours(9), b"");
        body.targets.clear();
        for (path, bytes) in files {
            let file = write::target_file(bytes);
            self.serve(&target_path(path, &file), bytes);
            body.targets.insert((*path).to_owned(), file);
        }
        let roles: Vec<Delegation> = to
            .iter()
            .map(|(name, covers, search)| Delegation {
                name: (*name).to_owned(),
                role_keys: RoleKeys { keyids: vec![self.key(name).key_id()], threshold: 1 },
                terminating: *search == Search::Ends,
                paths: (!covers.starts_with('#')).then(|| vec![(*covers).to_owned()]),
                path_hash_prefixes: covers.strip_prefix('#').map(|prefix| vec![prefix.to_owned()]),
                other: Other::new(),
            })
            .collect();
        let keys = to.iter().map(|(name, _, _)| (self.key(name).key_id(), self.key(name).key().clone()));
        body.delegations = Some(Delegations { keys: keys.collect(), roles, other: Other::new() });
        let bytes = write::sign(&body, &[&self.key(role)]).unwrap();
        self.serve(&location::metadata(role, Some(version)), &bytes);
        self.listed.insert(role.to_owned(), (version, bytes));
    }

    /// Signs snapshot and timestamp over everything.
    pub(crate) fn publish(&mut self) {
        let version = self.next("snapshot");
        let roles: Vec<(&str, u64, &[u8])> = self
            .listed
            .iter()
            .map(|(role, (version, bytes))| (role.as_str(), *version, &bytes[..]))
            .collect();
        let body = write::snapshot(version, self.now + SignedDuration::from_hours(9), &roles);
        let bytes = write::sign(&body, &[&self.key("snapshot")]).unwrap();
        self.serve(&format!("metadata/{version}.snapshot.json"), &bytes);
        let next = self.next("timestamp");
        let body = write::timestamp(next, self.timestamp_expires, (version, &bytes), self.now, None);
        let bytes = write::sign(&body, &[&self.key("timestamp")]).unwrap();
        self.serve("metadata/timestamp.json", &bytes);
    }

    /// The version that a role's next metadata has.
    pub(crate) fn set_next(&mut self, role: &str, version: u64) {
        self.versions.insert(role.to_owned(), version - 1);
    }

    fn next(&mut self, role: &str) -> u64 {
        let version = self.versions.entry(role.to_owned()).or_default();
        *version += 1;
        *version
    }

    fn key(&mut self, role: &str) -> Ed25519Signer {
        let key = self.keys.entry(role.to_owned()).or_insert_with(new_key);
        Ed25519Signer::from_pkcs8_der(key.to_pkcs8_der().unwrap().as_bytes()).unwrap()
    }
}

impl Drop for Repository {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        // Wakes the listener, which then sees that it has ended.
        let _ = TcpStream::connect(self.address);
        if let Some(listening) = self.listening.take() {
            let _ = listening.join();
        }
    }
}

/// Where a target is served.
pub(crate) fn target_path(path: &str, file: &TargetFile) -> String {
    location::hashed_file(path, file.hashes.get("sha256").map(String::as_str))
}

fn new_key() -> Ed25519Signer {
    Ed25519Signer::from_seed(&rand::random()).unwrap()
}

fn answer(connection: &TcpStream, served: &Mutex<Served>) {
    let mut lines = BufReader::new(connection).lines();
    while let Some(Ok(request)) = lines.next() {
        for header in lines.by_ref().map_while(Result::ok) {
            if header.is_empty() {
                break;
            }
        }
        let path = request.split(' ').nth(1).unwrap_or_default().trim_start_matches('/').to_owned();
        let mut served = served.lock().unwrap();
        let (status, body) = match served.files.get(&path) {
            Some(bytes) => ("200 OK", bytes.clone()),
            None => ("404 Not Found", Vec::new()),
        };
        served.asked.push(path);
        drop(served);
        let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n", body.len());
        let mut out = connection;
        if out.write_all(head.as_bytes()).and_then(|()| out.write_all(&body)).is_err() {
            return;
        }
    }
}
