//! Keys on PKCS#11 tokens: hardware security modules and smart cards, which sign without giving the key away.
//!
//! ECDSA P-256, which they all have (`CKM_ECDSA` over a SHA-256 made here).

use std::path::Path;

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::{Slot, TokenInfo};
use cryptoki::types::AuthPin;
use mulberry_shared::digest::Sha256Digest;
use mulberry_shared::tuf::{Key, Signer, TrustError, TrustErrorKind, p256_signature_of};

use self::uri::TokenUri;
use crate::failure::{Failure, FailureKind};
use crate::passphrase::{self, Passphrases};

pub mod uri;

/// The curve as tokens have it (`CKA_EC_PARAMS`): the object identifier of P-256 in DER (RFC 5480 section 2.1.1.1).
const P256: [u8; 10] = [0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];

/// Keys of a token that a sentence names.
const MAX_NAMED: usize = 8;

/// A key on a token, for as long as this process is logged in there.
pub struct TokenSigner {
    // Before the module: a session ends while there still is one.
    session: Session,
    private: ObjectHandle,
    key: Key,
    name: String,
    _module: Pkcs11,
}

impl TokenSigner {
    /// Logs in and finds the key that `text` names, a [`TokenUri`]. The PIN is in the file that it names, or is asked for; nothing
    /// else is tried, since tokens lock themselves after a few wrong ones.
    ///
    /// # Errors
    /// The URI is none, the module cannot be used, no token or several fit, no PIN or a wrong one, no key or several fit, the
    /// key is of another kind.
    pub fn open(text: &str, passphrases: &Passphrases) -> Result<Self, Failure> {
        let wanted = TokenUri::parse(text).map_err(|problem| {
            let example = "pkcs11:token=NAME;object=KEY?module-path=/path/to/module.so";
            Failure::usage(
                FailureKind::TokenUri,
                format!("{}: {problem}. For example: {example}.", uri::shown(text)),
            )
        })?;
        let module = module(&wanted)?;
        let (slot, info) = token(&module, &wanted)?;
        let name = format!("the token {:?}", info.label());
        let broken = |error: Error| unusable(&name, &error);
        let session = module.open_ro_session(slot).map_err(broken)?;
        if info.login_required() {
            log_in(&session, &info, &wanted, &name, passphrases)?;
        }
        let private = the_key(&session, ObjectClass::PRIVATE_KEY, &wanted, &name)?;
        let key = public_half(&session, private, &wanted, &name)?;
        Ok(Self { session, private, key, name, _module: module })
    }
}

impl Signer for TokenSigner {
    fn key(&self) -> &Key {
        &self.key
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, TrustError> {
        let fault = |what: String| TrustError::new(TrustErrorKind::Key, "key", what);
        let digest = Sha256Digest::of(message);
        let raw = self
            .session
            .sign(&Mechanism::Ecdsa, self.private, &digest.0)
            .map_err(|error| fault(format!("{} did not sign: {error}", self.name)))?;
        // What a token says is outside bytes like any other.
        p256_signature_of(&raw)
            .filter(|signature| self.key.public().is_some_and(|key| key.verifies(message, signature)))
            .ok_or_else(|| fault(format!("what {} gave is no signature of its key", self.name)))
    }
}

impl std::fmt::Debug for TokenSigner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TokenSigner({} on {})", self.key_id(), self.name)
    }
}

fn module(wanted: &TokenUri) -> Result<Pkcs11, Failure> {
    let path = wanted.module.as_deref().unwrap_or(Path::new(""));
    let unusable = |error: Error| {
        Failure::usage(
            FailureKind::TokenModule,
            format!("{}: cannot be used as a PKCS#11 module: {error}. Check module-path.", path.display()),
        )
    };
    let module = Pkcs11::new(path).map_err(unusable)?;
    match module.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
        // Another key of this process is on a token of the same module.
        Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => Ok(module),
        Err(error) => Err(unusable(error)),
    }
}

/// The one token that is wanted.
fn token(module: &Pkcs11, wanted: &TokenUri) -> Result<(Slot, TokenInfo), Failure> {
    let slots = module.get_slots_with_initialized_token().map_err(|error| unusable("the module", &error))?;
    let mut tokens: Vec<_> =
        slots.into_iter().filter_map(|slot| Some((slot, module.get_token_info(slot).ok()?))).collect();
    let all: Vec<String> = tokens.iter().map(|(_, info)| format!("{:?}", info.label())).collect();
    tokens.retain(|(_, info)| {
        wanted.token.as_deref().is_none_or(|label| label == info.label())
            && wanted.serial.as_deref().is_none_or(|serial| serial == info.serial_number())
    });
    match (tokens.pop(), tokens.is_empty()) {
        (Some(token), true) => Ok(token),
        (found, _) => {
            let problem = if found.is_some() { "several tokens fit" } else { "no such token is there" };
            let all = if all.is_empty() { "none".to_owned() } else { all.join(", ") };
            Err(Failure::usage(
                FailureKind::TokenAbsent,
                format!(
                    "{problem}; the module sees: {all}. Plug it in, or say which with token=NAME or serial=NUMBER."
                ),
            ))
        }
    }
}

fn log_in(
    session: &Session,
    info: &TokenInfo,
    wanted: &TokenUri,
    name: &str,
    passphrases: &Passphrases,
) -> Result<(), Failure> {
    let refused = |what: String| Failure::usage(FailureKind::TokenPin, what);
    if info.user_pin_locked() {
        return Err(refused(format!(
            "The PIN of {name} is locked. Whoever holds its SO PIN must set a new one."
        )));
    }
    let pin = match &wanted.pin_source {
        Some(file) => passphrase::read_private(file, "PIN")?,
        None => {
            let last = if info.user_pin_final_try() { " (the LAST try before it locks)" } else { "" };
            passphrases.ask(&format!("PIN of {name}{last}"))?.ok_or_else(|| {
                refused(format!(
                    "{name} wants its PIN. Add &pin-source=FILE to the URI, or run this on a terminal."
                ))
            })?
        }
    };
    match session.login(UserType::User, Some(&AuthPin::new(pin.as_str().into()))) {
        Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => Ok(()),
        Err(Error::Pkcs11(RvError::PinIncorrect | RvError::PinLenRange | RvError::PinInvalid, _)) => Err(
            refused(format!("The PIN does not open {name}. Be careful: it locks after a few wrong ones.")),
        ),
        Err(error) => Err(unusable(name, &error)),
    }
}

/// The one key of this class that is wanted.
fn the_key(
    session: &Session,
    class: ObjectClass,
    wanted: &TokenUri,
    name: &str,
) -> Result<ObjectHandle, Failure> {
    let find =
        |template: &[Attribute]| session.find_objects(template).map_err(|error| unusable(name, &error));
    let mut template = vec![Attribute::Class(class)];
    template.extend(wanted.object.iter().map(|label| Attribute::Label(label.clone().into_bytes())));
    template.extend(wanted.id.iter().map(|id| Attribute::Id(id.clone())));
    let what = if class == ObjectClass::PUBLIC_KEY { "public key" } else { "private key" };
    let problem = match find(&template)?.as_slice() {
        [one] => return Ok(*one),
        [] => {
            let all = named(session, &find(&[Attribute::Class(class)])?);
            format!("No {what} of {name} fits; it has: {all}. Say which with object=LABEL or id=%01.")
        }
        several => format!(
            "Several {what}s of {name} fit: {}. Say which with id=%01, which tells them apart.",
            named(session, several)
        ),
    };
    Err(Failure::usage(FailureKind::TokenKey, problem))
}

/// Keys as a URI names them, the first few.
fn named(session: &Session, keys: &[ObjectHandle]) -> String {
    let mut names: Vec<String> = keys.iter().take(MAX_NAMED).map(|key| label_and_id(session, *key)).collect();
    match keys.len().checked_sub(MAX_NAMED) {
        _ if keys.is_empty() => names.push("none".to_owned()),
        Some(more) if more > 0 => names.push(format!("{more} more")),
        _ => {}
    }
    names.join(", ")
}

fn label_and_id(session: &Session, key: ObjectHandle) -> String {
    let (mut name, mut number) = (String::new(), String::new());
    // What cannot be asked is not named: there is a greater problem to tell.
    for attribute in
        session.get_attributes(key, &[AttributeType::Label, AttributeType::Id]).unwrap_or_default()
    {
        match attribute {
            Attribute::Label(label) => name = String::from_utf8_lossy(&label).into_owned(),
            Attribute::Id(id) => number = id.iter().map(|byte| format!("%{byte:02x}")).collect(),
            _ => {}
        }
    }
    format!("{name:?} (id={number})")
}

/// The public key that belongs to a private one.
fn public_half(
    session: &Session,
    private: ObjectHandle,
    wanted: &TokenUri,
    name: &str,
) -> Result<Key, Failure> {
    let attributes = session
        .get_attributes(private, &[AttributeType::KeyType, AttributeType::Id])
        .map_err(|error| unusable(name, &error))?;
    let mut same = wanted.clone();
    for attribute in attributes {
        match attribute {
            Attribute::KeyType(KeyType::EC) => {}
            Attribute::KeyType(other) => return Err(other_kind(name, &format!("a key of type {other}"))),
            Attribute::Id(id) if !id.is_empty() => same.id = Some(id),
            _ => {}
        }
    }
    let public = the_key(session, ObjectClass::PUBLIC_KEY, &same, name)?;
    let attributes = session
        .get_attributes(public, &[AttributeType::EcParams, AttributeType::EcPoint])
        .map_err(|error| unusable(name, &error))?;
    let mut key = None;
    for attribute in attributes {
        match attribute {
            Attribute::EcParams(curve) if curve != P256 => {
                return Err(other_kind(name, "an elliptic curve other than P-256"));
            }
            // An OCTET STRING (PKCS#11 3.0 section 6.3.3); some tokens leave its header out.
            Attribute::EcPoint(point) => {
                key = Key::p256(point.strip_prefix(&[0x04, 65]).unwrap_or(&point));
            }
            _ => {}
        }
    }
    key.ok_or_else(|| other_kind(name, "a public key that cannot be read"))
}

fn other_kind(name: &str, what: &str) -> Failure {
    Failure::usage(
        FailureKind::TokenKey,
        format!(
            "{name} holds {what} there. Keys on tokens are ECDSA P-256; make one with the token's own tool."
        ),
    )
}

fn unusable(name: &str, error: &Error) -> Failure {
    Failure::usage(FailureKind::TokenModule, format!("{name} cannot be used: {error}. Is it plugged in?"))
}
