//! Key files: ed25519 or P-256 as PKCS#8 PEM, encrypted with PBES2 (scrypt, AES-256) unless asked otherwise, readable by the owner alone.

mod error;
pub mod folder;

use crate::{
    failure::{Failure, FailureKind},
    files::{self, Readers},
    passphrase::Passphrases,
    token::{TokenSigner, uri},
};
use mulberry_shared::tuf::{Ed25519Signer, P256Signer, Signer, TrustError};
use pkcs8::{
    EncryptedPrivateKeyInfoRef, LineEnding, PrivateKeyInfoRef, SecretDocument,
    der::pem::PemLabel,
    pkcs5::{EncryptionScheme, pbes2},
};
use std::path::Path;
use zeroize::Zeroizing;

pub use error::KeyError;

/// Bytes a key file may have: an encrypted ed25519 key has about 350.
const MAX_BYTES: u64 = 16 << 10;
/// Memory that opening a key may take. Ours need 16 MiB (N = 2^14, r = 8); OpenSSL's largest default is the same.
const MAX_SCRYPT_BYTES: u64 = 256 << 20;
/// PBKDF2 rounds that opening a key may take: sixteen times today's recommendation (OWASP: 600,000).
const MAX_PBKDF2_ROUNDS: u32 = 10_000_000;

/// How a new key file is protected.
#[derive(Clone, Debug)]
pub enum Protection {
    /// Encrypted with a passphrase.
    Passphrase(Zeroizing<String>),
    /// Readable as it is, by the owner of the file: keys of an unattended server, rehearsals.
    FilePermissionsOnly,
}

/// The kinds of new keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Algorithm {
    /// The usual one
    #[default]
    Ed25519,
    /// ECDSA P-256, for who must
    P256,
}

/// Makes a new key from the system's random numbers, in a file that must not exist and that only its owner may read.
///
/// # Errors
/// The system gives none; the file exists, cannot be written, or the key cannot be encrypted.
pub fn make(algorithm: Algorithm, path: &Path, protection: &Protection) -> Result<PersonKey, Failure> {
    match algorithm {
        Algorithm::Ed25519 => make_ed25519(path, protection).map(|key| Box::new(key) as PersonKey),
        Algorithm::P256 => {
            let mut scalar = Zeroizing::new([0; 32]);
            let key = loop {
                fill_random(scalar.as_mut_slice())?;
                // One in 2^32 is no scalar of the curve.
                if let Ok(key) = P256Signer::from_scalar(&scalar) {
                    break key;
                }
            };
            write_new(path, key.to_pkcs8_der().map_err(faulty)?.as_bytes(), protection)?;
            Ok(Box::new(key))
        }
    }
}

/// [`make`] of an ed25519 key.
///
/// # Errors
/// As [`make`].
pub fn make_ed25519(path: &Path, protection: &Protection) -> Result<Ed25519Signer, Failure> {
    let mut seed = Zeroizing::new([0; 32]);
    fill_random(seed.as_mut_slice())?;
    let key = Ed25519Signer::from_seed(&seed).map_err(faulty)?;
    write_new(path, key.to_pkcs8_der().map_err(faulty)?.as_bytes(), protection)?;
    Ok(key)
}

fn faulty(error: TrustError) -> Failure {
    Failure::refused(error.kind, format!("A new key is faulty: {error}. Nothing was made; try again."))
}

fn write_new(path: &Path, pkcs8: &[u8], protection: &Protection) -> Result<(), Failure> {
    let unwritable = |why: String| KeyError::Unwritable { path: path.to_owned(), why };
    let pem = to_pem(pkcs8, protection).map_err(|error| unwritable(error.to_string()))?;
    files::write_new(path, pem.as_bytes(), Readers::Owner).map_err(|error| unwritable(error.to_string()))?;
    Ok(())
}

fn to_pem(pkcs8: &[u8], protection: &Protection) -> Result<Zeroizing<String>, pkcs8::Error> {
    let info = PrivateKeyInfoRef::try_from(pkcs8)?;
    let (document, label) = match protection {
        Protection::FilePermissionsOnly => (SecretDocument::try_from(info)?, PrivateKeyInfoRef::PEM_LABEL),
        Protection::Passphrase(passphrase) => {
            let encrypted = info.encrypt_with_rng(&mut rand::rngs::SysRng, passphrase.as_bytes())?;
            (encrypted, EncryptedPrivateKeyInfoRef::PEM_LABEL)
        }
    };
    Ok(document.to_pem(label, LineEnding::LF)?)
}

/// A person's key, wherever it is.
pub type PersonKey = Box<dyn Signer>;

/// Opens the key that `--key` names: a file, or a PKCS#11 URI of one on a token. Asks for a passphrase or PIN where none is
/// given that fits.
///
/// # Errors
/// See [`KeyError`] and [`TokenSigner::open`].
pub fn open(key: &Path, passphrases: &mut Passphrases) -> Result<PersonKey, Failure> {
    match key.to_str().filter(|text| uri::is_uri(text)) {
        Some(uri) => Ok(Box::new(TokenSigner::open(uri, passphrases)?)),
        None => read_file(key, passphrases),
    }
}

fn parse(der: &[u8]) -> Option<PersonKey> {
    if let Ok(key) = Ed25519Signer::from_pkcs8_der(der) {
        return Some(Box::new(key));
    }
    Some(Box::new(P256Signer::from_pkcs8_der(der).ok()?))
}

fn read_file(path: &Path, passphrases: &mut Passphrases) -> Result<PersonKey, Failure> {
    let text = read(path)?;
    let path_owned = || path.to_owned();
    let (label, document) =
        SecretDocument::from_pem(&text).map_err(|_| KeyError::Malformed { path: path_owned() })?;
    if label == PrivateKeyInfoRef::PEM_LABEL {
        return Ok(parse(document.as_bytes()).ok_or_else(|| KeyError::Unsupported { path: path_owned() })?);
    }
    if label != EncryptedPrivateKeyInfoRef::PEM_LABEL {
        return Err(KeyError::NotAKey { path: path_owned(), label: label.to_owned() }.into());
    }
    let encrypted = EncryptedPrivateKeyInfoRef::try_from(document.as_bytes())
        .map_err(|_| KeyError::Malformed { path: path_owned() })?;
    if !affordable(&encrypted.encryption_algorithm) {
        return Err(KeyError::CostTooHigh { path: path_owned() }.into());
    }

    // A wrong passphrase shows as bad padding or as an inner document that does not parse.
    let open = |passphrase: &str| {
        let inner = encrypted.decrypt(passphrase.as_bytes()).ok()?;
        parse(inner.as_bytes())
    };
    if let Some(key) = passphrases.known().iter().find_map(|passphrase| open(passphrase)) {
        return Ok(key);
    }
    match passphrases.ask_until(&path.display().to_string(), open)? {
        Some(key) => Ok(key),
        None if passphrases.known().is_empty() && !passphrases.can_ask() => {
            Err(KeyError::PassphraseNeeded { path: path_owned() }.into())
        }
        None => Err(KeyError::WrongPassphrase { path: path_owned() }.into()),
    }
}

fn read(path: &Path) -> Result<Zeroizing<String>, KeyError> {
    let unreadable = |why: String| KeyError::Unreadable { path: path.to_owned(), why };
    let metadata = std::fs::metadata(path).map_err(|error| unreadable(error.to_string()))?;
    let bytes = files::read_bounded(path, MAX_BYTES).map_err(|error| unreadable(error.to_string()))?;
    let text = match String::from_utf8(bytes) {
        Ok(text) => Zeroizing::new(text),
        Err(_) => return Err(KeyError::Malformed { path: path.to_owned() }),
    };
    // A certificate or a root.json given by mistake is public: nobody shall change its mode or fear for a key.
    if let Some(mode) = files::open_to_others(&metadata).filter(|_| text.contains("PRIVATE KEY")) {
        return Err(KeyError::TooWide { path: path.to_owned(), mode });
    }
    Ok(text)
}

fn affordable(scheme: &EncryptionScheme) -> bool {
    let EncryptionScheme::Pbes2(parameters) = scheme else { return false };
    match &parameters.kdf {
        pbes2::Kdf::Pbkdf2(pbkdf2) => pbkdf2.iteration_count <= MAX_PBKDF2_ROUNDS,
        // RFC 7914 section 2: memory is 128 * r * (N + p) bytes. N = 0 and N = 1 are refused there, and make the library panic.
        pbes2::Kdf::Scrypt(scrypt) => {
            let blocks = u64::from(scrypt.parallelization).checked_add(scrypt.cost_parameter);
            let bytes = blocks.and_then(|n| n.checked_mul(128 * u64::from(scrypt.block_size)));
            scrypt.cost_parameter >= 2
                && scrypt.cost_parameter.is_power_of_two()
                && scrypt.parallelization <= 16
                && bytes.is_some_and(|bytes| bytes <= MAX_SCRYPT_BYTES)
        }
        _ => false,
    }
}

fn fill_random(bytes: &mut [u8]) -> Result<(), Failure> {
    use rand::TryRng;
    rand::rngs::SysRng.try_fill_bytes(bytes).map_err(|error| {
        Failure::usage(
            FailureKind::NoRandomNumbers,
            format!("The system gives no random numbers: {error}. Nothing was made."),
        )
    })
}

#[cfg(test)]
mod tests {
    use std::{os::unix::fs::PermissionsExt, path::PathBuf};

    use super::*;
    use crate::passphrase::Prompt;
    use mulberry_shared::tuf::Key;

    fn known(passphrases: &[&str]) -> Passphrases {
        let mut all = Passphrases::gather(&[] as &[&Path], None, Prompt::Never).unwrap();
        passphrases.iter().for_each(|p| all.remember(Zeroizing::new((*p).to_owned())));
        all
    }

    fn kind(result: Result<PersonKey, Failure>) -> &'static str {
        result.err().map_or("opened", |failure| failure.kind.as_str())
    }

    fn folder_with_key(protection: &Protection) -> (tempfile::TempDir, PathBuf, Key) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.pem");
        let key = make_ed25519(&path, protection).unwrap().key().clone();
        (folder, path, key)
    }

    #[test]
    fn a_key_comes_back_with_its_passphrase_and_not_without() {
        let (_folder, path, key) = folder_with_key(&Protection::Passphrase(Zeroizing::new("right".into())));
        assert!(std::fs::read_to_string(&path).unwrap().starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----"));
        assert_eq!(open(&path, &mut known(&["wrong", "right"])).unwrap().key(), &key);
        assert_eq!(kind(open(&path, &mut known(&["wrong"]))), "wrong-passphrase");
        assert_eq!(kind(open(&path, &mut known(&[]))), "passphrase-needed");
    }

    #[test]
    fn keys_of_every_algorithm_sign_the_same_after_they_were_written() {
        for algorithm in [Algorithm::Ed25519, Algorithm::P256] {
            for protection in
                [Protection::FilePermissionsOnly, Protection::Passphrase(Zeroizing::new("p".into()))]
            {
                let folder = tempfile::tempdir().unwrap();
                let path = folder.path().join("key.pem");
                let made = make(algorithm, &path, &protection).unwrap();
                let opened = open(&path, &mut known(&["p"])).unwrap();
                assert_eq!(opened.key(), made.key());
                let public = made.key().public().unwrap();
                assert!(public.verifies(b"message", &opened.sign(b"message").unwrap()));
                assert_eq!(kind(make(algorithm, &path, &protection)), "key-unwritable", "never overwritten");
            }
        }
    }

    #[test]
    fn a_key_file_others_can_read_is_refused() {
        let (_folder, path, key) = folder_with_key(&Protection::FilePermissionsOnly);
        assert_eq!(open(&path, &mut known(&[])).unwrap().key(), &key);
        for mode in [0o640, 0o604, 0o620, 0o666] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(kind(open(&path, &mut known(&[]))), "key-permissions", "{mode:o}");
        }
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o400)).unwrap();
        assert_eq!(open(&path, &mut known(&[])).unwrap().key(), &key);
    }

    #[test]
    fn a_public_file_given_by_mistake_is_called_what_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("replacement.pem");
        std::fs::write(&path, "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        let failure = open(&path, &mut known(&[])).err().unwrap();
        assert!(failure.sentence.contains("is a PEM `CERTIFICATE`, not a"), "{failure}");
    }

    #[test]
    fn every_truncation_is_an_error_and_none_panics() {
        for protection in
            [Protection::FilePermissionsOnly, Protection::Passphrase(Zeroizing::new("p".into()))]
        {
            let (folder, path, _) = folder_with_key(&protection);
            let whole = std::fs::read(&path).unwrap();
            let cut = folder.path().join("cut.pem");
            // All but the last byte: the newline at the end is no part of the block.
            for length in (0..whole.len() - 1).step_by(7) {
                let _ = std::fs::remove_file(&cut);
                files::write_new(&cut, &whole[..length], Readers::Owner).unwrap();
                assert_eq!(kind(open(&cut, &mut known(&["p"]))), "key-malformed", "{length}");
            }
        }
    }

    #[test]
    fn other_pem_and_other_algorithms_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("other.pem");
        let certificate = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";
        files::write_new(&path, certificate.as_bytes(), Readers::Owner).unwrap();
        assert_eq!(kind(open(&path, &mut known(&[]))), "not-a-key");
        std::fs::write(&path, certificate.replace("CERTIFICATE", "PRIVATE KEY")).unwrap();
        assert_eq!(kind(open(&path, &mut known(&[]))), "key-unsupported");
        assert_eq!(kind(open(&folder.path().join("absent"), &mut known(&[]))), "key-unreadable");
    }

    #[test]
    fn costs_that_would_exhaust_memory_are_refused_before_they_are_paid() {
        let scrypt = |cost_parameter, block_size| {
            let mut parameters = pbes2::Parameters::generate_scrypt(&mut rand::rngs::SysRng).unwrap();
            if let pbes2::Kdf::Scrypt(scrypt) = &mut parameters.kdf {
                scrypt.cost_parameter = cost_parameter;
                scrypt.block_size = block_size;
            }
            EncryptionScheme::Pbes2(parameters)
        };
        assert!(affordable(&scrypt(1 << 14, 8)));
        for (cost, block) in [(0, 8), (1, 8), (1000, 8), (1 << 30, 8), (u64::MAX, u16::MAX), (1 << 63, 8)] {
            assert!(!affordable(&scrypt(cost, block)), "{cost} {block}");
        }
    }
}
