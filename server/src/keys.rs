//! The server's online keys: files in the state folder that only their owner may read.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use mulberry_shared::edition::profile;
use mulberry_shared::tuf::metadata::{Root, Targets};
use mulberry_shared::tuf::threshold::Authority;
use mulberry_shared::tuf::{Ed25519Signer, Key, Signer, TrustError, Verified};

use crate::files::{self, FileError};

/// Bytes of a key file; an ed25519 key in PEM has 119.
const MAX_KEY_BYTES: u64 = 4 << 10;

/// The online roles, in the order of their key files.
pub const ONLINE_ROLES: [&str; 3] = ["snapshot", "timestamp", profile::GATES];

/// In the folder of the keys: new ones, which nobody has authorised yet.
pub const NEXT: &str = "next";

/// In the folder of the keys: those before them.
const RETIRED: &str = "retired";

/// Where the online keys come from. What people signed says which of them count.
pub trait KeySource: Send + Sync {
    /// The keys that this root and these targets authorise, or would: they may be those of a ceremony that nobody has signed.
    ///
    /// # Errors
    /// [`KeyError`] for the first role that this server cannot sign for.
    fn select(&self, root: &Root, targets: &Targets) -> Result<OnlineKeys, KeyError>;

    /// New keys that are authorised take the place of those before them, which are put aside. Tidiness only: no caller may
    /// fail because of it.
    ///
    /// # Errors
    /// [`KeyError`]; whatever was done, the same keys are selected.
    fn settle(&self, root: &Verified<Root>, targets: &Verified<Targets>) -> Result<(), KeyError>;
}

/// The folder of the keys: `ROLE.pem`, and `next/ROLE.pem` for new ones.
#[derive(Clone, Debug)]
pub struct KeyFolder(pub PathBuf);

impl KeySource for KeyFolder {
    fn select(&self, root: &Root, targets: &Targets) -> Result<OnlineKeys, KeyError> {
        let select = |role: &'static str| {
            let authority = || authority(role, root, targets);
            let usable = |path: PathBuf| {
                read(&path).and_then(|signer| check(role, &signer, authority()).map(|()| signer))
            };
            let now = usable(self.path(role));
            match now {
                Ok(signer) => Ok(signer),
                // What is wrong with the usual one is what an operator must hear.
                Err(error) => usable(self.next(role)).map_err(|_| error),
            }
        };
        let [snapshot, timestamp, gates] = ONLINE_ROLES.map(select);
        Ok(OnlineKeys { snapshot: snapshot?, timestamp: timestamp?, gates: gates? })
    }

    fn settle(&self, root: &Verified<Root>, targets: &Verified<Targets>) -> Result<(), KeyError> {
        let there: Vec<_> = ONLINE_ROLES.into_iter().filter(|role| self.next(role).exists()).collect();
        for role in &there {
            if check(role, &read(&self.next(role))?, authority(role, root, targets)).is_err() {
                return Ok(());
            }
        }
        let cannot = |path: &Path, error: &std::io::Error| KeyError::Move {
            path: path.display().to_string(),
            why: error.to_string(),
        };
        for role in there {
            let (now, next) = (self.path(role), self.next(role));
            if now.exists() {
                let retired = self.0.join(RETIRED);
                files::private_folder(&retired)?;
                std::fs::rename(&now, retired.join(format!("{role}.pem"))).map_err(|e| cannot(&now, &e))?;
            }
            // A crash before this leaves the new key where `select` looks for it, too.
            std::fs::rename(&next, &now).map_err(|error| cannot(&next, &error))?;
        }
        let folder = self.0.join(NEXT);
        match std::fs::remove_dir(&folder) {
            // Not ours to delete: the rest of a `keys new` that was killed, or what an operator put there.
            Err(error) if error.kind() == std::io::ErrorKind::DirectoryNotEmpty => {
                let folder = folder.display().to_string();
                tracing::warn!(folder, "it holds a file that is no online key, and is left as it is");
                Ok(())
            }
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(cannot(&folder, &error)),
            _ => Ok(()),
        }
    }
}

impl KeyFolder {
    fn path(&self, role: &str) -> PathBuf {
        self.0.join(format!("{role}.pem"))
    }

    fn next(&self, role: &str) -> PathBuf {
        self.0.join(NEXT).join(format!("{role}.pem"))
    }

    /// Makes new keys beside those in use, or reads those that were made and wait. Their public halves, by role.
    ///
    /// # Errors
    /// [`KeyError`]; the system gives no random numbers.
    pub fn make_next(&self) -> Result<BTreeMap<String, Key>, KeyError> {
        let folder = self.0.join(NEXT);
        files::private_folder(&self.0)?;
        files::private_folder(&folder)?;
        let mut keys = BTreeMap::new();
        for role in ONLINE_ROLES {
            let path = self.next(role);
            if !path.exists() {
                let mut seed = [0_u8; 32];
                rand::TryRng::try_fill_bytes(&mut rand::rngs::SysRng, &mut seed)
                    .map_err(|error| KeyError::Random(error.to_string()))?;
                let unusable = |error| KeyError::Key { path: path.display().to_string(), error };
                let pem = Ed25519Signer::from_seed(&seed).and_then(|key| key.to_pkcs8_pem());
                files::write_private(&path, pem.map_err(unusable)?.as_bytes())?;
            }
            keys.insert(role.to_owned(), read(&path)?.key().clone());
        }
        Ok(keys)
    }
}

/// One key for each online role.
#[derive(Debug)]
pub struct OnlineKeys {
    /// Signs the snapshot.
    pub snapshot: Ed25519Signer,
    /// Signs the timestamp.
    pub timestamp: Ed25519Signer,
    /// Signs the gates.
    pub gates: Ed25519Signer,
}

/// The online keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// A file.
    #[error(transparent)]
    File(#[from] FileError),
    /// A key is absent.
    #[error(
        "{path} is missing; put this server's online keys there, from where they are backed up: an export of the ledger \
         has none"
    )]
    Absent {
        /// The file.
        path: String,
    },
    /// A file cannot be moved.
    #[error("{path} could not be moved: {why}")]
    Move {
        /// The file.
        path: String,
        /// What the system said.
        why: String,
    },
    /// The system gives no random numbers.
    #[error("the system gives no random numbers: {0}; nothing was made")]
    Random(String),
    /// The content of a file.
    #[error("{path}: {error}")]
    Key {
        /// The file.
        path: String,
        /// What is wrong with it.
        error: TrustError,
    },
    /// The metadata does not trust a key.
    #[error(
        "the {role} key of this server (key id {key_id}) cannot sign alone: {why}; use the key that the metadata names, \
         or have people authorise new ones: `mulberry-server keys new`"
    )]
    NotTrusted {
        /// The role.
        role: &'static str,
        /// The label of our key.
        key_id: String,
        /// What the metadata says.
        why: String,
    },
}

impl OnlineKeys {
    /// Reads `snapshot.pem`, `timestamp.pem` and `gates.pem` in `folder`.
    ///
    /// # Errors
    /// [`KeyError`], also when others than the owner may read a file.
    pub fn read(folder: &Path) -> Result<Self, KeyError> {
        let [snapshot, timestamp, gates] = ONLINE_ROLES.map(|role| read(&folder.join(format!("{role}.pem"))));
        Ok(Self { snapshot: snapshot?, timestamp: timestamp?, gates: gates? })
    }

    /// Checks that the metadata lets each key sign for its role alone.
    ///
    /// # Errors
    /// [`KeyError::NotTrusted`].
    pub fn check(&self, root: &Root, targets: &Targets) -> Result<(), KeyError> {
        for (role, signer) in ONLINE_ROLES.into_iter().zip([&self.snapshot, &self.timestamp, &self.gates]) {
            check(role, signer, authority(role, root, targets))?;
        }
        Ok(())
    }
}

/// Copies the key files in `from` into the folder `to`, which is made when absent.
///
/// # Errors
/// [`KeyError`]; some may be copied then.
pub fn copy(from: &Path, to: &Path) -> Result<(), KeyError> {
    files::private_folder(to)?;
    for role in ONLINE_ROLES {
        let name = format!("{role}.pem");
        files::write_private(&to.join(&name), &read_file(&from.join(&name))?)?;
    }
    Ok(())
}

/// Whether both folders hold the same keys, whole and readable.
#[must_use]
pub fn are_same(one: &Path, other: &Path) -> bool {
    ONLINE_ROLES.iter().all(|role| {
        let name = format!("{role}.pem");
        matches!((read_file(&one.join(&name)), read_file(&other.join(&name))), (Ok(a), Ok(b)) if a == b)
    })
}

fn read_file(path: &Path) -> Result<Vec<u8>, KeyError> {
    files::read_private(path, MAX_KEY_BYTES).map_err(|error| match error {
        error if error.is_absent() => KeyError::Absent { path: path.display().to_string() },
        error => error.into(),
    })
}

fn read(path: &Path) -> Result<Ed25519Signer, KeyError> {
    let bytes = read_file(path)?;
    Ed25519Signer::from_pkcs8_pem(&String::from_utf8_lossy(&bytes))
        .map_err(|error| KeyError::Key { path: path.display().to_string(), error })
}

fn authority<'a>(
    role: &'static str,
    root: &'a Root,
    targets: &'a Targets,
) -> Result<Authority<'a>, TrustError> {
    if role == profile::GATES { targets.authority(role, "targets") } else { root.authority(role) }
}

fn check(
    role: &'static str,
    signer: &Ed25519Signer,
    authority: Result<Authority<'_>, TrustError>,
) -> Result<(), KeyError> {
    let refuse = |why: String| Err(KeyError::NotTrusted { role, key_id: signer.key_id().0, why });
    let authority = match authority {
        Ok(authority) => authority,
        Err(error) => return refuse(error.to_string()),
    };
    let threshold = authority.role_keys.threshold;
    if threshold != 1 {
        return refuse(format!("the metadata asks for {threshold} keys"));
    }
    match signer.key().public() {
        Some(key)
            if authority.role_keys.keyids.contains(&signer.key_id())
                && authority.distinct_keys().contains(key) =>
        {
            Ok(())
        }
        _ => refuse("the metadata does not name it".to_owned()),
    }
}
