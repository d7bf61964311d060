//! Public keys: decoded, compared by what they are, verified strictly.
//!
//! Key ids are opaque labels (specification 4.2, TAP 12): nothing here or elsewhere derives trust from one.

use std::collections::BTreeMap;
use std::fmt;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, RSA_PSS_2048_8192_SHA256, UnparsedPublicKey};
use ed25519_dalek::VerifyingKey;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::person::Person;
use crate::answer::plain;
use crate::digest::Sha256Digest;
use crate::json;

/// The extra attribute of a key object that names the person who holds it.
pub const PERSON: &str = "x-mulberry-person";

const ED25519: &str = "ed25519";
const ECDSA: &str = "ecdsa";
const ECDSA_P256: &str = "ecdsa-sha2-nistp256";
const RSA: &str = "rsa";
const RSA_PSS: &str = "rsassa-pss-sha256";

/// A label of a key inside one metadata file. It proves nothing, and may be any text: people see it without what a terminal
/// would obey.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyId(pub String);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&plain(&self.0))
    }
}

/// A decoded public key. Two encodings of one key are equal.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey(Kind);

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Kind {
    /// Compressed point, canonical and not of small order.
    Ed25519([u8; 32]),
    /// Uncompressed point, 65 bytes.
    EcdsaP256(Vec<u8>),
    /// DER of PKCS#1 `RSAPublicKey`.
    Rsa(Vec<u8>),
}

impl PublicKey {
    /// An ed25519 key. `None` for bytes that are no point, a second encoding of a point, or of small order: such keys
    /// verify what their holder never signed, or count twice.
    #[must_use]
    pub fn ed25519(bytes: &[u8]) -> Option<Self> {
        let bytes: [u8; 32] = bytes.try_into().ok()?;
        let key = VerifyingKey::from_bytes(&bytes).ok()?;
        let canonical = key.to_edwards().compress().to_bytes() == bytes;
        (canonical && !key.is_weak()).then_some(Self(Kind::Ed25519(bytes)))
    }

    /// An ECDSA P-256 or RSA key from PEM (`PUBLIC KEY`). `None` for any other.
    #[must_use]
    pub fn from_pem(pem: &str) -> Option<Self> {
        let (label, document) = der::Document::from_pem(pem.trim()).ok()?;
        (label == "PUBLIC KEY").then_some(())?;
        let spki = spki::SubjectPublicKeyInfoRef::try_from(document.as_bytes()).ok()?;
        let bits = spki.subject_public_key.as_bytes()?;
        if spki.algorithm.oid == const_oid::db::rfc5912::ID_EC_PUBLIC_KEY {
            let curve = spki.algorithm.parameters_oid().ok()?;
            return (curve == const_oid::db::rfc5912::SECP_256_R_1).then(|| Self::p256_point(bits))?;
        }
        if spki.algorithm.oid == const_oid::db::rfc5912::RSA_ENCRYPTION {
            let _: RsaPublicKey<'_> = der::Decode::from_der(bits).ok()?;
            return Some(Self(Kind::Rsa(bits.to_vec())));
        }
        None
    }

    fn p256_point(bytes: &[u8]) -> Option<Self> {
        (bytes.len() == 65 && bytes.first() == Some(&4)).then(|| Self(Kind::EcdsaP256(bytes.to_vec())))
    }

    /// Whether `signature` is this key's over `message`. ed25519 is verified strictly (no small order, no second
    /// encodings), ECDSA takes the DER form, RSA is PSS with SHA-256 and at least 2048 bits.
    #[must_use]
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.0 {
            Kind::Ed25519(bytes) => {
                let Ok(signature) = ed25519_dalek::Signature::from_slice(signature) else { return false };
                VerifyingKey::from_bytes(bytes)
                    .is_ok_and(|key| key.verify_strict(message, &signature).is_ok())
            }
            Kind::EcdsaP256(point) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point).verify(message, signature).is_ok()
            }
            Kind::Rsa(der) => {
                UnparsedPublicKey::new(&RSA_PSS_2048_8192_SHA256, der).verify(message, signature).is_ok()
            }
        }
    }

    /// The key's kind in words.
    #[must_use]
    pub fn algorithm(&self) -> &'static str {
        match self.0 {
            Kind::Ed25519(_) => "ed25519",
            Kind::EcdsaP256(_) => "ECDSA P-256",
            Kind::Rsa(_) => "RSA-PSS",
        }
    }

    /// SHA-256 of the decoded key: a name for people and logs that, unlike a key id, is bound to the key.
    #[must_use]
    pub fn fingerprint(&self) -> Sha256Digest {
        match &self.0 {
            Kind::Ed25519(bytes) => Sha256Digest::of(bytes),
            Kind::EcdsaP256(bytes) | Kind::Rsa(bytes) => Sha256Digest::of(bytes),
        }
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({} {})", self.algorithm(), self.fingerprint())
    }
}

/// Read only to refuse second encodings of one key: strict DER has one.
#[derive(der::Sequence)]
struct RsaPublicKey<'a> {
    modulus: der::asn1::UintRef<'a>,
    exponent: der::asn1::UintRef<'a>,
}

/// A TUF key object (specification 4.2). Types and schemes we do not know, and keys that cannot be decoded, are kept as
/// they stand and never count. Attributes we do not know are kept too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "RawKey", into = "RawKey")]
pub struct Key {
    raw: RawKey,
    public: Option<PublicKey>,
    holder: Holder,
}

/// Whose a key is, as its metadata says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    /// It names nobody: a key of the server, or one of a repository that is not ours.
    Nobody,
    /// A person.
    Person(Person),
    /// It has a name that is no person's. Nobody is counted under it, and it is only ever shown in quotation marks.
    Unfit(String),
}

impl Key {
    /// The key object of an ed25519 key. `None` when [`PublicKey::ed25519`] refuses the bytes.
    #[must_use]
    pub fn ed25519(bytes: &[u8]) -> Option<Self> {
        let public = PublicKey::ed25519(bytes)?;
        let keyval = BTreeMap::from([("public".to_owned(), Value::from(hex::encode(bytes)))]);
        let raw = RawKey { keytype: ED25519.into(), scheme: ED25519.into(), keyval, other: BTreeMap::new() };
        Some(Self { raw, public: Some(public), holder: Holder::Nobody })
    }

    /// The key object of an ECDSA P-256 key, given as a point in SEC 1 form, compressed or not. `None` for other bytes.
    #[must_use]
    pub fn p256(point: &[u8]) -> Option<Self> {
        let key = p256::PublicKey::from_sec1_bytes(point).ok()?;
        let pem = p256::pkcs8::EncodePublicKey::to_public_key_pem(&key, Default::default()).ok()?;
        let public = PublicKey::from_pem(&pem)?;
        let keyval = BTreeMap::from([("public".to_owned(), Value::from(pem))]);
        let raw = RawKey { keytype: ECDSA.into(), scheme: ECDSA_P256.into(), keyval, other: BTreeMap::new() };
        Some(Self { raw, public: Some(public), holder: Holder::Nobody })
    }

    /// The same key with the person who holds it.
    #[must_use]
    pub fn held_by(mut self, person: &Person) -> Self {
        self.raw.other.insert(PERSON.to_owned(), Value::from(person.as_str()));
        self.holder = Holder::Person(person.clone());
        self
    }

    /// The decoded key; `None` when we cannot use it.
    #[must_use]
    pub fn public(&self) -> Option<&PublicKey> {
        self.public.as_ref()
    }

    /// Whose it is.
    #[must_use]
    pub fn holder(&self) -> &Holder {
        &self.holder
    }

    /// The person recorded as its holder; `None` also for a name that is none.
    #[must_use]
    pub fn person(&self) -> Option<&Person> {
        match &self.holder {
            Holder::Person(person) => Some(person),
            Holder::Nobody | Holder::Unfit(_) => None,
        }
    }

    /// Whether it says more than the key itself and whose it is, which nobody is shown.
    #[must_use]
    pub fn says_more(&self) -> bool {
        self.raw.other.keys().any(|name| name != PERSON)
            || self.raw.keyval.keys().any(|name| name != "public")
    }

    /// Whether it is the same key object as `other`, whoever holds the two.
    #[must_use]
    pub fn is_but_for_holder(&self, other: &Self) -> bool {
        let nobodys = |key: &Self| {
            let mut raw = key.raw.clone();
            raw.other.remove(PERSON);
            raw
        };
        nobodys(self) == nobodys(other)
    }

    /// The label other implementations would give it: SHA-256 of the canonical `keytype`, `keyval`, `scheme`.
    #[must_use]
    pub fn key_id(&self) -> KeyId {
        let essence = serde_json::json!({
            "keytype": self.raw.keytype, "scheme": self.raw.scheme, "keyval": self.raw.keyval
        });
        KeyId(Sha256Digest::of(&json::canonical(&essence)).to_string())
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct RawKey {
    keytype: String,
    scheme: String,
    keyval: BTreeMap<String, Value>,
    #[serde(flatten)]
    other: BTreeMap<String, Value>,
}

impl From<RawKey> for Key {
    fn from(raw: RawKey) -> Self {
        let (public, holder) = (decode(&raw), holder(&raw));
        Self { raw, public, holder }
    }
}

impl From<Key> for RawKey {
    fn from(key: Key) -> Self {
        key.raw
    }
}

fn holder(raw: &RawKey) -> Holder {
    match raw.other.get(PERSON) {
        None => Holder::Nobody,
        Some(Value::String(name)) => {
            name.parse().map_or_else(|_| Holder::Unfit(name.clone()), Holder::Person)
        }
        Some(other) => Holder::Unfit(other.to_string()),
    }
}

fn decode(raw: &RawKey) -> Option<PublicKey> {
    let text = raw.keyval.get("public")?.as_str()?;
    match (raw.keytype.as_str(), raw.scheme.as_str()) {
        (ED25519, ED25519) => PublicKey::ed25519(&hex::decode(text).ok()?),
        // Two spellings of the type are in use, and older repositories write the point in hexadecimal digits.
        (ECDSA | ECDSA_P256, ECDSA_P256) => {
            let key = match hex::decode(text) {
                Ok(point) => PublicKey::p256_point(&point),
                Err(_) => PublicKey::from_pem(text),
            };
            key.filter(|key| matches!(key.0, Kind::EcdsaP256(_)))
        }
        (RSA, RSA_PSS) => PublicKey::from_pem(text).filter(|key| matches!(key.0, Kind::Rsa(_))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::rsa::KeySize;
    use aws_lc_rs::signature::{
        ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair, RSA_PSS_SHA256, RsaKeyPair,
    };
    use base64::Engine as _;
    use serde_json::json;

    use super::*;

    fn pem(key: &impl AsDer<PublicKeyX509Der<'static>>) -> String {
        let der = key.as_der().unwrap();
        let text = base64::engine::general_purpose::STANDARD.encode(der.as_ref());
        let lines: Vec<&str> =
            text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n"))
    }

    fn key(keytype: &str, scheme: &str, public: &str) -> Key {
        let object =
            json!({"keytype": keytype, "scheme": scheme, "keyval": {"public": public}, "x-other": [1]});
        let key: Key = serde_json::from_value(object.clone()).unwrap();
        assert_eq!(serde_json::to_value(&key).unwrap(), object, "attributes we do not know are kept");
        key
    }

    #[test]
    fn p256_keys_are_read_in_every_form_in_use_and_are_one_key() {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
        let signature = pair.sign(&SystemRandom::new(), b"message").unwrap();
        let pem = pem(pair.public_key());
        let forms = [
            key("ecdsa", "ecdsa-sha2-nistp256", &pem),
            key("ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256", &pem),
            key("ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256", &hex::encode(pair.public_key())),
        ];
        for form in &forms {
            assert_eq!(form.public(), forms[0].public());
            let public = form.public().unwrap();
            assert!(public.verifies(b"message", signature.as_ref()));
            assert!(!public.verifies(b"massage", signature.as_ref()));
        }
        // A P-256 key does not pass as another kind.
        assert_eq!(key("rsa", "rsassa-pss-sha256", &pem).public(), None);
        assert_eq!(key("ecdsa", "ecdsa-sha2-nistp384", &pem).public(), None);
    }

    #[test]
    fn rsa_pss_is_verified() {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let mut signature = vec![0; pair.public_modulus_len()];
        pair.sign(&RSA_PSS_SHA256, &SystemRandom::new(), b"message", &mut signature).unwrap();
        let public = key("rsa", "rsassa-pss-sha256", &pem(pair.public_key()));
        assert!(public.public().unwrap().verifies(b"message", &signature));
        assert!(!public.public().unwrap().verifies(b"massage", &signature));
        assert_eq!(key("rsa", "rsassa-pkcs1v15-sha256", &pem(pair.public_key())).public(), None);
    }

    #[test]
    fn keys_that_cannot_count_are_kept() {
        for (keytype, scheme, public) in [
            ("ed25519", "ed25519", "zz"),
            ("ed25519", "ed25519", ""),
            ("ed25519", "ed25519ph", "00"),
            ("sphincs", "sphincs", "whatever"),
            ("ecdsa", "ecdsa-sha2-nistp256", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----"),
        ] {
            assert_eq!(key(keytype, scheme, public).public(), None, "{keytype} {public}");
        }
    }

    #[test]
    fn weak_keys_and_second_encodings_are_refused() {
        let mut small = [0; 32];
        small[0] = 3;
        assert!(PublicKey::ed25519(&small).is_some(), "y = 3 is a point");
        // y = p + 3 is the same point.
        let mut second = [0xff; 32];
        (second[0], second[31]) = (0xf0, 0x7f);
        assert_eq!(PublicKey::ed25519(&second), None);
        let mut neutral = [0; 32];
        neutral[0] = 1;
        assert_eq!(PublicKey::ed25519(&neutral), None, "of small order");
        assert_eq!(PublicKey::ed25519(&[3; 31]), None);
    }

    #[test]
    fn the_key_id_is_the_one_others_compute_and_ignores_the_person() {
        // SHA-256 of {"keytype":"ed25519","keyval":{"public":"0300…"},"scheme":"ed25519"}.
        let mut bytes = [0; 32];
        bytes[0] = 3;
        let key = Key::ed25519(&bytes).unwrap();
        let canonical = format!(
            r#"{{"keytype":"ed25519","keyval":{{"public":"{}"}},"scheme":"ed25519"}}"#,
            hex::encode(bytes)
        );
        assert_eq!(key.key_id().0, Sha256Digest::of(canonical.as_bytes()).to_string());
        let anna: Person = "anna".parse().unwrap();
        let held = key.clone().held_by(&anna);
        assert_eq!((held.key_id(), held.person()), (key.key_id(), Some(&anna)));
    }

    #[test]
    fn a_name_that_is_no_persons_is_kept_and_names_nobody() {
        let mut bytes = [0; 32];
        bytes[0] = 3;
        let plain = serde_json::to_value(Key::ed25519(&bytes).unwrap()).unwrap();
        let named = |name: Value| {
            let mut object = plain.clone();
            object[PERSON] = name;
            let key: Key = serde_json::from_value(object.clone()).unwrap();
            assert_eq!(serde_json::to_value(&key).unwrap(), object, "what is signed stays what it is");
            key
        };
        assert_eq!(named(json!("anna")).person().map(Person::as_str), Some("anna"));
        for unfit in [json!("anna "), json!(""), json!("a\nb"), json!(null), json!(7), json!(["anna"])] {
            let key = named(unfit.clone());
            assert!(key.person().is_none() && matches!(key.holder(), Holder::Unfit(_)), "{unfit}");
        }
    }
}
