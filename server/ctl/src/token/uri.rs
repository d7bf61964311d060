//! PKCS#11 URIs (RFC 7512): which key on which token, through which module.

use std::path::PathBuf;

/// What a key's URI begins with.
pub const SCHEME: &str = "pkcs11:";

/// Characters a URI may have: paths and names, no more.
const MAX_LEN: usize = 4096;

/// The attributes that are known. None of them is secret.
const ATTRIBUTES: [&str; 7] = ["token", "serial", "object", "id", "type", "module-path", "pin-source"];

/// Where a key on a token is. Of the attributes of RFC 7512 those that name a token and a key, and how to get there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenUri {
    /// The label of the token.
    pub token: Option<String>,
    /// The serial number of the token.
    pub serial: Option<String>,
    /// The label of the key.
    pub object: Option<String>,
    /// The id of the key.
    pub id: Option<Vec<u8>>,
    /// The module of the token's maker.
    pub module: Option<PathBuf>,
    /// The file that holds the PIN.
    pub pin_source: Option<PathBuf>,
}

impl TokenUri {
    /// Reads a URI.
    ///
    /// # Errors
    /// What is wrong with it, for people, and without the value of an attribute that is not known: an attribute that is not
    /// known, twice, or not text where it must be; no key named; a PIN in it.
    pub fn parse(text: &str) -> Result<Self, String> {
        // Anywhere: behind the wrong separator it would be the end of a path or a label, and those are printed.
        if holds_pin(text) {
            return Err(
                "it holds a PIN, which everybody on this machine could read; use pin-source, or be asked"
                    .to_owned(),
            );
        }
        let rest = after_scheme(text).ok_or_else(|| format!("it does not begin with {SCHEME}"))?;
        if text.len() > MAX_LEN {
            return Err(format!("it has more than {MAX_LEN} characters"));
        }
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let mut uri = Self::default();
        for attribute in path.split(';').filter(|attribute| !attribute.is_empty()) {
            let (name, value) = named(attribute)?;
            let again = match name {
                "token" => uri.token.replace(words(name, value)?).is_some(),
                "serial" => uri.serial.replace(words(name, value)?).is_some(),
                "object" => uri.object.replace(words(name, value)?).is_some(),
                "id" => uri.id.replace(decoded(value)?).is_some(),
                "type" if value == "private" => false,
                _ => return Err(format!("the attribute {name:?} is not known before the question mark")),
            };
            refuse_again(name, again)?;
        }
        for attribute in query.split('&').filter(|attribute| !attribute.is_empty()) {
            let (name, value) = named(attribute)?;
            let again = match name {
                "module-path" => uri.module.replace(words(name, value)?.into()).is_some(),
                "pin-source" => {
                    let source = words(name, value)?;
                    let path = source.strip_prefix("file:").unwrap_or(&source);
                    uri.pin_source.replace(path.trim_start_matches("//").into()).is_some()
                }
                _ => return Err(format!("the attribute {name:?} is not known after the question mark")),
            };
            refuse_again(name, again)?;
        }
        if uri.object.is_none() && uri.id.is_none() {
            return Err("it names no key: give object=LABEL or id=%01".to_owned());
        }
        if uri.module.is_none() {
            return Err("it names no module: add ?module-path=/path/to/the-token-makers-module.so".to_owned());
        }
        Ok(uri)
    }
}

/// Whether this names a key on a token rather than a file: by its scheme, or by the PIN in it where that is mistyped, since
/// a file's name is printed whole.
#[must_use]
pub fn is_uri(text: &str) -> bool {
    after_scheme(text).is_some() || holds_pin(text)
}

/// The case of a scheme tells nothing (RFC 3986 section 3.1).
fn after_scheme(text: &str) -> Option<&str> {
    let (scheme, rest) = text.split_at_checked(SCHEME.len())?;
    scheme.eq_ignore_ascii_case(SCHEME).then_some(rest)
}

fn holds_pin(text: &str) -> bool {
    text.to_ascii_lowercase().contains("pin-value")
}

/// As much of a URI as may be printed: from the first attribute on that is not known, there may be a PIN in it.
#[must_use]
pub fn shown(text: &str) -> String {
    let Some(attributes) = after_scheme(text) else { return "…".to_owned() };
    let known = attributes.split_inclusive([';', '?', '&']).take_while(|part| is_known(name_of(part)));
    let known: String = known.collect();
    let rest = if known.len() < attributes.len() { "…" } else { "" };
    format!("{SCHEME}{known}{rest}")
}

fn is_known(name: &str) -> bool {
    ATTRIBUTES.contains(&name)
}

fn name_of(attribute: &str) -> &str {
    attribute.split_once('=').map_or(attribute, |(name, _)| name)
}

fn named(attribute: &str) -> Result<(&str, &str), String> {
    attribute.split_once('=').ok_or_else(|| match is_known(attribute) {
        true => format!("{attribute:?} has no value"),
        false => "it has an attribute without a value".to_owned(),
    })
}

fn refuse_again(name: &str, again: bool) -> Result<(), String> {
    if again { Err(format!("{name} is given twice")) } else { Ok(()) }
}

fn words(name: &str, value: &str) -> Result<String, String> {
    let text = String::from_utf8(decoded(value)?).ok().filter(|text| !text.contains('\0'));
    text.filter(|text| !text.is_empty()).ok_or_else(|| format!("the value of {name} is no text"))
}

/// Percent-decoding (RFC 3986 section 2.1).
fn decoded(value: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        if *byte != b'%' {
            bytes.push(*byte);
            continue;
        }
        let (digits, after) = rest
            .split_at_checked(2)
            .filter(|(digits, _)| digits.iter().all(u8::is_ascii_hexdigit))
            .ok_or_else(|| format!("{value:?} has a percent sign without two hexadecimal digits"))?;
        bytes.extend(std::str::from_utf8(digits).ok().and_then(|digits| u8::from_str_radix(digits, 16).ok()));
        rest = after;
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_key_is_named_by_token_label_and_id() {
        let uri = TokenUri::parse(
            "pkcs11:token=Root%20HSM;serial=17;object=root;id=%01%fe;type=private\
             ?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source=file:///run/pin",
        );
        let expected = TokenUri {
            token: Some("Root HSM".into()),
            serial: Some("17".into()),
            object: Some("root".into()),
            id: Some(vec![1, 0xfe]),
            module: Some("/usr/lib/softhsm/libsofthsm2.so".into()),
            pin_source: Some("/run/pin".into()),
        };
        assert_eq!(uri, Ok(expected));
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (uri, said) in [
            ("file.pem", "does not begin"),
            ("pkcs11:token=a?module-path=/m", "names no key"),
            ("pkcs11:object=a", "names no module"),
            ("pkcs11:object=a;object=b?module-path=/m", "object is given twice"),
            ("pkcs11:object=a?module-path=/m&module-path=/n", "module-path is given twice"),
            ("pkcs11:object=a?module-path=/m&pin-value=1234", "it holds a PIN"),
            ("pkcs11:object=a;colour=red?module-path=/m", "\"colour\" is not known"),
            ("pkcs11:object=a;type=public?module-path=/m", "\"type\" is not known"),
            ("pkcs11:object?module-path=/m", "\"object\" has no value"),
            ("pkcs11:object=%zz?module-path=/m", "two hexadecimal digits"),
            ("pkcs11:object=%f?module-path=/m", "two hexadecimal digits"),
            ("pkcs11:object=%ff?module-path=/m", "object is no text"),
            ("pkcs11:object=?module-path=/m", "object is no text"),
        ] {
            let problem = TokenUri::parse(uri).unwrap_err();
            assert!(problem.contains(said), "{uri}: {problem}");
        }
        assert!(TokenUri::parse(&format!("pkcs11:object={}?module-path=/m", "a".repeat(MAX_LEN))).is_err());
    }

    #[test]
    fn a_pin_is_never_said_back() {
        for uri in [
            "pkcs11:object=a?module-path=/m&pin-value=SECRET",
            "pkcs11:object=a?module-path=/m&pin-value=SE;token=CRET&id=CRET",
            "pkcs11:object=a?module-path=/m;pin-value=SECRET",
            "pkcs11:pin-value=SECRET",
            "pkcs11:object=a;pin-value=SECRET?module-path=/m",
            "pkcs11:object=a?pin%2dvalue=SECRET",
            "pkcs11:object=a?PIN-VALUE=SECRET&module-path=/m",
            "pkcs11:object=a?pin-value:SECRET",
            "PKCS11:object=a?pin-value=SECRET",
            "pkcs11;object=a?pin-value=SECRET",
            "pkcs1:object=a?PIN-value=SECRET",
        ] {
            assert!(is_uri(uri), "{uri} would be a file's name, and printed");
            let said = format!("{}: {}", shown(uri), TokenUri::parse(uri).unwrap_err());
            assert!(!said.contains("CRET"), "{said}");
        }
        let harmless = "pkcs11:token=a;object=b;id=%01?pin-source=/p";
        assert_eq!(shown(harmless), harmless);
        assert_eq!(shown("pkcs11:object=a;colour=red?module-path=/m"), "pkcs11:object=a;…");
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(pkcs11:)?[a-z%;=?&0-9é]{0,60}") {
            let _ = (TokenUri::parse(&text), shown(&text));
        }
    }
}
