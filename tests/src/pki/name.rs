//! Names as the real services write them.

use const_oid::ObjectIdentifier;
use const_oid::db::rfc4519;
use der::asn1::{Any, SetOfVec, Utf8StringRef};
use x509_cert::attr::AttributeTypeAndValue;
use x509_cert::name::{Name, RdnSequence, RelativeDistinguishedName};

use crate::LabError;

/// A name shaped like the real CAs': C, O, OU, CN.
///
/// # Errors
/// When a part is not a legal attribute value.
pub fn mozilla_name(unit: &str, common_name: &str) -> Result<Name, LabError> {
    name(&[
        (rfc4519::COUNTRY_NAME, "US"),
        (rfc4519::ORGANIZATION_NAME, "Mulberry Laboratory"),
        (rfc4519::ORGANIZATIONAL_UNIT_NAME, unit),
        (rfc4519::COMMON_NAME, common_name),
    ])
}

/// A name with nothing but a CN.
///
/// # Errors
/// When it is not a legal attribute value.
pub fn common_name(common_name: &str) -> Result<Name, LabError> {
    name(&[(rfc4519::COMMON_NAME, common_name)])
}

/// The subject of an end entity that signs the add-on of this id, as the real service writes it.
///
/// # Errors
/// When it is not a legal attribute value.
pub fn end_entity_name(common_name: &str) -> Result<Name, LabError> {
    name(&[
        (rfc4519::COUNTRY_NAME, "US"),
        (rfc4519::ST, "CA"),
        (rfc4519::LOCALITY_NAME, "Mountain View"),
        (rfc4519::ORGANIZATION_NAME, "Addons"),
        (rfc4519::ORGANIZATIONAL_UNIT_NAME, "Production"),
        (rfc4519::COMMON_NAME, common_name),
    ])
}

fn name(parts: &[(ObjectIdentifier, &str)]) -> Result<Name, LabError> {
    let mut sequence = Vec::new();
    for (oid, value) in parts {
        let value = Any::encode_from(&Utf8StringRef::new(value)?)?;
        let attribute = AttributeTypeAndValue { oid: *oid, value };
        let set = SetOfVec::from_iter([attribute])?;
        sequence.push(RelativeDistinguishedName::from(set));
    }
    Ok(RdnSequence(sequence))
}
