//! Metadata files taken apart, for what no honest writer would write.

use mulberry_shared::json;
use mulberry_shared::tuf::metadata::Body;
use mulberry_shared::tuf::{KeyId, Signer, TrustError};
use serde_json::{Value, json};

use super::key;
use crate::LabError;

/// A signature as it stands in a file: any label, any digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// The label.
    pub key_id: KeyId,
    /// The digits.
    pub sig: String,
}

/// A metadata file in the making: the text of what is signed, and signatures beside it, right or wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// The canonical text of `signed`.
    pub signed: String,
    /// The signatures, in order.
    pub signatures: Vec<Signature>,
}

impl Envelope {
    /// Over a body that is well-formed; nobody has signed yet.
    ///
    /// # Errors
    /// When the body cannot be written.
    pub fn of<T: Body>(body: &T) -> Result<Self, LabError> {
        Ok(Self::of_text(&String::from_utf8_lossy(&json::canonical(&serde_json::to_value(body)?))))
    }

    /// Over a text, which need be neither canonical nor JSON.
    #[must_use]
    pub fn of_text(signed: &str) -> Self {
        Self { signed: signed.to_owned(), signatures: Vec::new() }
    }

    /// This with a true signature of the key of this number, under its own label.
    ///
    /// # Errors
    /// None is known.
    pub fn sign(self, number: u8) -> Result<Self, TrustError> {
        let label = key(number)?.key_id();
        self.sign_as(number, label)
    }

    /// This with a true signature of the key of this number, under any label.
    ///
    /// # Errors
    /// None is known.
    pub fn sign_as(mut self, number: u8, key_id: KeyId) -> Result<Self, TrustError> {
        let sig = hex::encode(key(number)?.sign(self.signed.as_bytes())?);
        self.signatures.push(Signature { key_id, sig });
        Ok(self)
    }

    /// The file.
    #[must_use]
    pub fn file(&self) -> Vec<u8> {
        format!(r#"{{"signatures":{},"signed":{}}}"#, self.signatures(), self.signed).into_bytes()
    }

    /// The text of its signatures.
    #[must_use]
    pub fn signatures(&self) -> String {
        let signatures = self.signatures.iter().map(|one| json!({"keyid": one.key_id, "sig": one.sig}));
        Value::Array(signatures.collect()).to_string()
    }
}
