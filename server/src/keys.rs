//! The server's online keys: files in the state folder that only their owner may read.

use std::path::Path;

use mulberry_shared::trust::metadata::{Root, Targets};
use mulberry_shared::trust::threshold::Authority;
use mulberry_shared::trust::{Ed25519Signer, Signer, TrustError, Verified, profile};

use crate::files::{self, FileError};

/// Bytes of a key file; an ed25519 key in PEM has 119.
const MAX_KEY_BYTES: u64 = 4 << 10;

/// The online roles, in the order of their key files.
pub const ONLINE_ROLES: [&str; 3] = ["snapshot", "timestamp", profile::GATES];

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
         or publish metadata that names this one with threshold 1"
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
    pub fn check(&self, root: &Verified<Root>, targets: &Verified<Targets>) -> Result<(), KeyError> {
        check("snapshot", &self.snapshot, root.authority("snapshot"))?;
        check("timestamp", &self.timestamp, root.authority("timestamp"))?;
        check(profile::GATES, &self.gates, targets.authority(profile::GATES, "targets"))
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
