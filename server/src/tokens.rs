//! Bearer tokens of operators.
//!
//! They live in `tokens.json`, apart from the ledger: a token can be added or revoked while the server runs, and the
//! server reads the file again when it changed. Only the SHA-256 of a token is kept; a token has 256 random bits, so
//! nothing slower is needed. A name belongs to one token for ever, since the ledger knows its owner by that name.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use mulberry_shared::digest::Sha256Digest;
use mulberry_shared::ledger::actor::{Actor, Owner};
use mulberry_shared::operators::Scope;
use rand::TryRng as _;
use serde::{Deserialize, Serialize};

use crate::files::{self, FileError};

/// The newest format of `tokens.json` that this program reads: that of owners.
const FORMAT: u64 = 2;

/// The format of tokens without owners.
const OWNERLESS: u64 = 1;

/// Bytes of `tokens.json`: thousands of tokens.
const MAX_BYTES: u64 = 1 << 20;

/// Bytes of a token's name.
const MAX_NAME: usize = 64;

/// How every token begins, so that a leaked one is recognised.
const PREFIX: &str = "mulberry_";

/// One token, without the token itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Token {
    /// What the ledger calls it.
    pub name: String,
    /// Whose it is. None was asked for once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<Owner>,
    /// SHA-256 of the token's text.
    pub sha256: Sha256Digest,
    /// What it may do besides reading, which every token may.
    pub may: Vec<Scope>,
    /// When it was made.
    pub created: Timestamp,
    /// When it was revoked; its name stays taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked: Option<Timestamp>,
}

impl Token {
    /// Whoever has it, as the ledger knows them.
    #[must_use]
    pub fn actor(&self) -> Actor {
        let name = self.name.clone();
        match self.owner.clone() {
            Some(owner) => Actor::Token { token: name, owner },
            None => Actor::Unknown(name),
        }
    }
}

/// All tokens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tokens {
    format: u64,
    tokens: Vec<Token>,
}

/// A token cannot be added or revoked.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// `tokens.json` cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// The name is not usable.
    #[error("{0:?} is not a token's name: use 1 to {MAX_NAME} of a-z, A-Z, 0-9, '.', '_', '@' and '-'")]
    BadName(String),
    /// The name is taken.
    #[error("the name {0:?} is or was in use, and the ledger knows its owner by it; choose another")]
    Taken(String),
    /// No such token.
    #[error("there is no valid token named {0:?}; `token list` shows all")]
    Unknown(String),
    /// No randomness.
    #[error("the system gives no random bytes: {0}")]
    Random(String),
    /// It cannot be printed.
    #[error(
        "the token cannot be written to standard output ({0}); no token was added, and its name is still free"
    )]
    NotShown(std::io::Error),
    /// What is printed is seen by nobody.
    #[error(
        "standard output is closed or thrown away, so nobody would see the token; no token was added, and its name is still \
         free. Say where to write it with --out FILE"
    )]
    Unseen,
    /// Another process changes the tokens.
    #[error("another process changes the tokens right now; try again")]
    Locked,
}

impl Default for Tokens {
    fn default() -> Self {
        Self { format: OWNERLESS, tokens: Vec::new() }
    }
}

impl Tokens {
    /// Reads `tokens.json`; an absent file has no tokens.
    ///
    /// # Errors
    /// [`FileError`], also for a newer format.
    pub fn read(path: &Path) -> Result<Self, FileError> {
        let bytes = match files::read_private(path, MAX_BYTES) {
            Err(error) if error.is_absent() => return Ok(Self::default()),
            other => other?,
        };
        let unreadable = |why| FileError::Unreadable { path: path.to_owned(), why };
        #[derive(Deserialize)]
        struct Format {
            format: u64,
        }
        let Format { format } = serde_json::from_slice(&bytes).map_err(|e| unreadable(e.to_string()))?;
        if format > FORMAT {
            let why = format!("it has format {format}, this program knows {FORMAT}; use a newer program");
            return Err(unreadable(why));
        }
        let tokens: Self = serde_json::from_slice(&bytes).map_err(|e| unreadable(e.to_string()))?;
        if format < tokens.lowest_format() {
            return Err(unreadable(format!("it has format {format}, in which a token has no owner")));
        }
        Ok(tokens)
    }

    /// The lowest format whose readers know all that is in it.
    fn lowest_format(&self) -> u64 {
        if self.tokens.iter().any(|token| token.owner.is_some()) { FORMAT } else { OWNERLESS }
    }

    /// All tokens, in the order they were made.
    #[must_use]
    pub fn all(&self) -> &[Token] {
        &self.tokens
    }

    /// The valid token with this text.
    #[must_use]
    pub fn find(&self, text: &str) -> Option<&Token> {
        // Comparing digests gives nothing away about the token, however long it takes.
        let sha256 = Sha256Digest::of(text.as_bytes());
        self.tokens.iter().find(|token| token.sha256 == sha256 && token.revoked.is_none())
    }

    fn write(&self, path: &Path) -> Result<(), FileError> {
        let written = Self { format: self.lowest_format(), tokens: self.tokens.clone() };
        let bytes = serde_json::to_vec_pretty(&written)
            .map_err(|e| FileError::Unreadable { path: path.to_owned(), why: e.to_string() })?;
        files::write_private(path, &bytes)
    }
}

/// Hands a new token to the person whom it is for. A token that nobody was given must not be valid.
pub trait HandOver {
    /// Makes sure that the text can be handed over; called before the token is valid.
    ///
    /// # Errors
    /// Then no token is added.
    fn offer(&mut self, text: &str) -> Result<(), TokenError>;

    /// Finishes it; called when the token is valid.
    ///
    /// # Errors
    /// Then the token is taken back.
    fn settle(&mut self) -> Result<(), TokenError> {
        Ok(())
    }
}

/// Adds a token to the file and hands its text over; it is kept nowhere else.
///
/// # Errors
/// [`TokenError`]; no token was added then, and the name is still free.
pub fn add(
    path: &Path,
    name: &str,
    owner: Owner,
    may: &[Scope],
    now: Timestamp,
    to: &mut dyn HandOver,
) -> Result<(), TokenError> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"._@-".contains(&b);
    if name.is_empty() || name.len() > MAX_NAME || !name.bytes().all(allowed) {
        return Err(TokenError::BadName(name.chars().take(MAX_NAME).collect()));
    }
    let mut random = [0_u8; 32];
    rand::rngs::SysRng.try_fill_bytes(&mut random).map_err(|error| TokenError::Random(error.to_string()))?;
    let text = format!("{PREFIX}{}", hex::encode(random));
    let mut may = may.to_vec();
    may.sort();
    may.dedup();

    let _lock = files::lock(&path.with_extension("lock"))?.ok_or(TokenError::Locked)?;
    let before = Tokens::read(path)?;
    if before.tokens.iter().any(|token| token.name == name) {
        return Err(TokenError::Taken(name.to_owned()));
    }
    let mut tokens = before.clone();
    let (name, sha256) = (name.to_owned(), Sha256Digest::of(text.as_bytes()));
    let created = whole_seconds(now);
    tokens.tokens.push(Token { name, owner: Some(owner), sha256, may, created, revoked: None });
    to.offer(&text)?;
    tokens.write(path)?;
    to.settle().or_else(|error| {
        before.write(path)?;
        Err(error)
    })
}

/// Revokes the token of that name, and gives it as it is then.
///
/// # Errors
/// [`TokenError`].
pub fn revoke(path: &Path, name: &str, now: Timestamp) -> Result<Token, TokenError> {
    change(path, |tokens| {
        let token = tokens.tokens.iter_mut().find(|token| token.name == name && token.revoked.is_none());
        let token = token.ok_or_else(|| TokenError::Unknown(name.to_owned()))?;
        token.revoked = Some(whole_seconds(now));
        Ok(token.clone())
    })
}

fn whole_seconds(now: Timestamp) -> Timestamp {
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}

fn change<T>(path: &Path, edit: impl FnOnce(&mut Tokens) -> Result<T, TokenError>) -> Result<T, TokenError> {
    let _lock = files::lock(&path.with_extension("lock"))?.ok_or(TokenError::Locked)?;
    let mut tokens = Tokens::read(path)?;
    let changed = edit(&mut tokens)?;
    tokens.write(path)?;
    Ok(changed)
}

/// The tokens as a running server sees them: read again whenever the file is another one.
///
/// The file is only ever replaced, so its inode, length and times tell. A file that cannot be read admits nobody.
#[derive(Debug)]
pub struct LiveTokens {
    path: PathBuf,
    seen: Mutex<Option<(Stamp, Arc<Tokens>)>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    length: u64,
    changed: (i64, i64),
}

impl LiveTokens {
    /// The tokens in the file at `path`.
    #[must_use]
    pub fn at(path: PathBuf) -> Self {
        Self { path, seen: Mutex::new(None) }
    }

    /// The valid token with this text.
    ///
    /// # Errors
    /// [`FileError`] when the file cannot be read.
    pub fn find(&self, text: &str) -> Result<Option<Token>, FileError> {
        Ok(self.current()?.find(text).cloned())
    }

    fn current(&self) -> Result<Arc<Tokens>, FileError> {
        let Ok(metadata) = fs::metadata(&self.path) else { return Tokens::read(&self.path).map(Arc::new) };
        let stamp = Stamp {
            inode: metadata.ino(),
            length: metadata.len(),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        };
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, tokens)) = &*seen
            && *known == stamp
        {
            return Ok(tokens.clone());
        }
        let tokens = Arc::new(Tokens::read(&self.path)?);
        if let Some((_, before)) = &*seen {
            note(before, &tokens);
        }
        *seen = Some((stamp, tokens.clone()));
        Ok(tokens)
    }
}

/// What changed, for the log: names and scopes, never a token or its digest.
fn note(before: &Tokens, after: &Tokens) {
    for token in &after.tokens {
        let known = before.tokens.iter().find(|known| known.name == token.name);
        let may: Vec<_> = token.may.iter().copied().map(Scope::as_str).collect();
        match known {
            None => tracing::info!(name = token.name, may = may.join(","), "token added"),
            Some(known) if known.revoked.is_none() && token.revoked.is_some() => {
                tracing::info!(name = token.name, "token revoked");
            }
            Some(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    use crate::test_support::add_token as add;

    /// Fails at one of the two calls.
    struct Failing(&'static str);

    impl HandOver for Failing {
        fn offer(&mut self, _: &str) -> Result<(), TokenError> {
            if self.0 == "offer" { Err(TokenError::NotShown(std::io::Error::other("full"))) } else { Ok(()) }
        }

        fn settle(&mut self) -> Result<(), TokenError> {
            Err(TokenError::NotShown(std::io::Error::other("full")))
        }
    }

    #[test]
    fn a_token_that_nobody_was_given_is_not_valid_and_its_name_is_free() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens.json");
        add(&path, "mei", &[Scope::Gate], NOW).unwrap();
        let tom = Owner::Person("tom".parse().unwrap());
        for at in ["offer", "settle"] {
            let failed =
                super::add(&path, "tom", tom.clone(), &[Scope::Gate], NOW, &mut Failing(at)).unwrap_err();
            assert!(failed.to_string().contains("no token was added"), "{failed}");
            assert_eq!(Tokens::read(&path).unwrap().all().len(), 1, "{at}");
        }
        add(&path, "tom", &[Scope::Gate], NOW).unwrap();
    }

    #[test]
    fn a_token_is_shown_once_and_kept_hashed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens.json");
        let live = LiveTokens::at(path.clone());
        assert!(live.find("x").unwrap().is_none());
        let text = add(&path, "mei", &[Scope::Gate, Scope::Publish, Scope::Gate], NOW).unwrap();
        assert!(!fs::read_to_string(&path).unwrap().contains(&text[PREFIX.len()..]));
        let token = live.find(&text).unwrap().unwrap();
        assert_eq!(
            (token.name.as_str(), token.may.as_slice()),
            ("mei", [Scope::Publish, Scope::Gate].as_slice())
        );
        assert!(live.find(&text[1..]).unwrap().is_none());
        assert!(live.find("").unwrap().is_none());
    }

    #[test]
    fn a_running_server_sees_added_and_revoked_tokens_and_names_are_never_reused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens.json");
        let live = LiveTokens::at(path.clone());
        let first = add(&path, "mei", &[], NOW).unwrap();
        assert!(live.find(&first).unwrap().is_some());
        let second = add(&path, "tom", &[Scope::Read], NOW).unwrap();
        assert!(live.find(&second).unwrap().is_some());
        revoke(&path, "mei", NOW).unwrap();
        assert!(live.find(&first).unwrap().is_none());
        assert!(matches!(revoke(&path, "mei", NOW), Err(TokenError::Unknown(_))));
        assert!(matches!(add(&path, "mei", &[], NOW), Err(TokenError::Taken(_))));
        for bad in ["", "a b", "a\n", "é", &"a".repeat(65)] {
            assert!(matches!(add(&path, bad, &[], NOW), Err(TokenError::BadName(_))), "{bad:?}");
        }
    }

    #[test]
    fn tokens_from_before_owners_work_and_their_file_is_read_by_old_servers_until_one_has_an_owner() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens.json");
        let sha256 = Sha256Digest::of(b"old");
        let old = format!(
            r#"{{"format":1,"tokens":[{{"name":"mei","sha256":"{sha256}","may":["gate"],"created":"2026-05-04T00:00:00Z"}}]}}"#
        );
        files::write_private(&path, old.as_bytes()).unwrap();
        let live = LiveTokens::at(path.clone());
        assert_eq!(live.find("old").unwrap().unwrap().actor(), Actor::Unknown("mei".to_owned()));
        let format = || {
            let written: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
            written["format"].as_u64().unwrap()
        };
        revoke(&path, "mei", NOW).unwrap();
        assert_eq!(format(), 1);
        let text = add(&path, "tom", &[], NOW).unwrap();
        assert_eq!(format(), 2);
        let owner = Owner::Person("tom".parse().unwrap());
        assert_eq!(live.find(&text).unwrap().unwrap().actor(), Actor::Token { token: "tom".into(), owner });
        let claimed = fs::read_to_string(&path).unwrap().replacen("\"format\": 2", "\"format\": 1", 1);
        files::write_private(&path, claimed.as_bytes()).unwrap();
        assert!(live.find(&text).unwrap_err().to_string().contains("has no owner"));
    }

    #[test]
    fn a_file_that_cannot_be_read_admits_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens.json");
        let live = LiveTokens::at(path.clone());
        let text = add(&path, "mei", &[], NOW).unwrap();
        assert!(live.find(&text).unwrap().is_some());
        files::write_private(&path, br#"{"format":3}"#).unwrap();
        assert!(live.find(&text).unwrap_err().to_string().contains("format 3"));
    }
}
