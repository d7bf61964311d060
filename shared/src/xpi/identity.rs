//! Who an add-on says it is: `manifest.json` (WebExtensions) or `install.rdf` (before them).

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use sha2::{Digest, Sha256};

use super::refusal::Refusal;
use super::verdict::{Fault, VerdictKind};
use crate::limits::XpiLimits;

mod install_rdf;

/// Id and version as a file inside the add-on states them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// The id, where there is one.
    pub id: Option<String>,
    /// The version, where there is one.
    pub version: Option<String>,
}

impl Identity {
    /// Reads `manifest.json`: the id of `browser_specific_settings.gecko`, else of `applications.gecko`.
    ///
    /// As in Firefox, a byte order mark and `//` comments are allowed.
    ///
    /// # Errors
    /// Not UTF-8, no JSON, or of another shape where id and version are.
    pub fn of_manifest_json(bytes: &[u8]) -> Result<Self, Fault> {
        let text = std::str::from_utf8(bytes).map_err(|_| Fault::manifest("manifest.json is not UTF-8"))?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let Object(manifest): Object<ManifestJson> =
            serde_json::from_str(&without_comments(text)).map_err(|error| {
                let what = format!("manifest.json cannot be read: {error}");
                // Serde's own words, which our tests hold it to.
                let twice = what.contains(": duplicate field");
                if twice { Fault::refused(Refusal::IdentityTwice, what) } else { Fault::manifest(what) }
            })?;
        let id = |settings: Option<Object<Settings>>| {
            settings.and_then(|settings| settings.0.gecko).and_then(|gecko| gecko.0.id)
        };
        Ok(Self {
            id: id(manifest.browser_specific_settings).or_else(|| id(manifest.applications)),
            version: manifest.version,
        })
    }

    /// Reads `install.rdf`: `em:id` and `em:version` of `urn:mozilla:install-manifest`, as elements or attributes.
    ///
    /// # Errors
    /// Not UTF-8, no XML (a document type is refused), beyond a ceiling, or no such description.
    pub fn of_install_rdf(bytes: &[u8], limits: &XpiLimits) -> Result<Self, Fault> {
        install_rdf::read(bytes, limits)
    }
}

/// Checks that the end entity with this common name was issued for the add-on with this id: equal, or its SHA-256 in
/// hexadecimal where the id is longer than the 64 characters that a common name can have.
///
/// # Errors
/// [`VerdictKind::IdMismatch`].
pub fn check_id(id: &str, common_name: Option<&str>) -> Result<(), Fault> {
    let expected =
        if id.chars().count() > 64 { hex::encode(Sha256::digest(id.as_bytes())) } else { id.to_owned() };
    if common_name == Some(expected.as_str()) {
        return Ok(());
    }
    let signed_for = common_name.map_or_else(|| "no add-on at all".to_owned(), |name| format!("{name:?}"));
    Err(Fault::new(
        VerdictKind::IdMismatch,
        format!("the add-on says its id is {id:?}, but its certificate was issued for {signed_for}"),
    ))
}

/// A JSON object. Serde would read a struct from an array as well.
struct Object<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor(PhantomData))
    }
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = Object<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Object)
    }
}

#[derive(Deserialize)]
struct ManifestJson {
    browser_specific_settings: Option<Object<Settings>>,
    applications: Option<Object<Settings>>,
    version: Option<String>,
}

#[derive(Deserialize)]
struct Settings {
    gecko: Option<Object<Gecko>>,
}

#[derive(Deserialize)]
struct Gecko {
    id: Option<String>,
}

/// Blanks out `//` comments outside strings, keeping the lines.
fn without_comments(text: &str) -> Cow<'_, str> {
    if !text.contains("//") {
        return text.into();
    }
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    let (mut in_string, mut escaped) = (false, false);
    while let Some(c) = chars.next() {
        if in_string {
            in_string = escaped || c != '"';
            escaped = !escaped && c == '\\';
        } else if c == '"' {
            in_string = true;
        } else if c == '/' && chars.peek() == Some(&'/') {
            while chars.next_if(|c| *c != '\n').is_some() {}
            continue;
        }
        out.push(c);
    }
    out.into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn id_of(json: &str) -> Option<String> {
        Identity::of_manifest_json(json.as_bytes()).unwrap().id
    }

    #[test]
    fn manifest_json_has_the_id_in_either_place() {
        let new = r#""browser_specific_settings":{"gecko":{"id":"new@x"}}"#;
        let old = r#""applications":{"gecko":{"id":"old@x"}}"#;
        assert_eq!(id_of(&format!("{{{new},{old}}}")).as_deref(), Some("new@x"));
        assert_eq!(id_of(&format!("{{{old}}}")).as_deref(), Some("old@x"));
        assert_eq!(id_of(r#"{"manifest_version": 3, "browser_specific_settings":{"safari":{}}}"#), None);
        let twice = Identity::of_manifest_json(format!("{{{old},{old}}}").as_bytes());
        assert_eq!(twice.map_err(|fault| fault.refusal), Err(Some(Refusal::IdentityTwice)));
    }

    #[test]
    fn only_objects_say_who_an_add_on_is() {
        for json in [
            r#"[{"gecko":{"id":"a@x"}},null,"1"]"#,
            r#"{"applications":[{"id":"a@x"}]}"#,
            r#"{"applications":{"gecko":["a@x"]}}"#,
            r#""a@x""#,
        ] {
            let fault = Identity::of_manifest_json(json.as_bytes()).unwrap_err();
            assert_eq!(fault.kind, VerdictKind::MalformedManifest, "{json}");
            assert!(fault.sentence.contains("expected an object"), "{}", fault.sentence);
        }
    }

    #[test]
    fn comments_are_blanked_but_not_in_strings() {
        let json = "\u{feff}{ // c \"\n\"version\": \"1//\\\"//2\", // d\n\"applications\":{\"gecko\":{\"id\":\"a\"}}}";
        let identity = Identity::of_manifest_json(json.as_bytes()).unwrap();
        assert_eq!(identity.id.as_deref(), Some("a"));
        assert_eq!(identity.version.as_deref(), Some("1//\"//2"));
    }

    #[test]
    fn long_ids_are_compared_by_digest() {
        let long = "x".repeat(65);
        assert!(check_id("a@x", Some("a@x")).is_ok());
        assert!(check_id(&long, Some(&hex::encode(Sha256::digest(&long)))).is_ok());
        for (id, name) in [("a@x", Some("b@x")), ("a@x", None), (long.as_str(), Some(long.as_str()))] {
            assert_eq!(check_id(id, name).unwrap_err().kind, VerdictKind::IdMismatch);
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Identity::of_manifest_json(&bytes);
        }
    }
}
