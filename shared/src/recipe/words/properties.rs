//! No text in a recipe adds, hides or forges a line of what people sign.

use der::{Decode, Encode};
use proptest::collection::vec;
use proptest::prelude::*;
use x509_cert::name::Name;

use super::super::arbitrary::{certificates, day, recipe};
use super::*;
use crate::hostile;
use crate::limits::X509Limits;
use crate::outside::FURTHER;
use crate::recipe::{Action, DistrustCertificates, DistrustEntry, InstallCertificates};
use crate::text::shows;
use crate::x509::Certificate;

/// Blanks in the place of a label.
const NO_LABEL: &str = "           ";

/// A name of one common name, which may be any text.
fn named(text: &str) -> Vec<u8> {
    let tlv = |tag: u8, content: &[u8]| {
        let length = der::Length::try_from(content.len()).unwrap().to_der().unwrap();
        [&[tag][..], &length, content].concat()
    };
    let attribute = [&[0x06, 3, 0x55, 0x04, 0x03][..], &tlv(0x0c, text.as_bytes())].concat();
    let name = tlv(0x30, &tlv(0x31, &tlv(0x30, &attribute)));
    assert!(Name::from_der(&name).is_ok());
    name
}

/// The certificate with another subject and issuer: nobody signed it, and words are words.
fn renamed(certificate: &Certificate, subject: &str, issuer: &str) -> Certificate {
    let mut parsed = x509_cert::Certificate::from_der(certificate.der()).unwrap();
    parsed.tbs_certificate.subject = Name::from_der(&named(subject)).unwrap();
    parsed.tbs_certificate.issuer = Name::from_der(&named(issuer)).unwrap();
    Certificate::parse_der(&parsed.to_der().unwrap(), &X509Limits::default()).unwrap()
}

/// The same recipe with these texts wherever one may stand.
fn with_texts(recipe: &Recipe, texts: &[String]) -> Recipe {
    let mut texts = texts.iter().cycle().cloned();
    let mut next = || texts.next().unwrap();
    let mut recipe = recipe.clone();
    recipe.name = next();
    if recipe.rollout.namespace != recipe.slug.as_str() {
        recipe.rollout.namespace = next();
    }
    for list in [
        &mut recipe.targeting.channels,
        &mut recipe.targeting.os,
        &mut recipe.targeting.arch,
        &mut recipe.targeting.locales,
        &mut recipe.targeting.countries,
        &mut recipe.targeting.distributions,
        &mut recipe.targeting.rings,
    ] {
        list.iter_mut().flatten().for_each(|word| *word = next());
    }
    recipe.capabilities.iter_mut().for_each(|word| *word = next());
    match &mut recipe.action {
        Action::InstallCertificates(InstallCertificates { certificates }) => {
            certificates.iter_mut().for_each(|one| *one = renamed(one, &next(), &next()));
        }
        Action::DistrustCertificates(DistrustCertificates { by }) => {
            for entry in by {
                if let DistrustEntry::IssuerSerial { issuer, .. } = entry {
                    *issuer = named(&next());
                }
            }
        }
        Action::ReverifyAddons(_) | Action::HoldVerification(_) => {}
    }
    recipe
}

/// What a reader goes by: the label of each line and what marks an entry of a list, without the further lines of one text.
fn skeleton(page: &str) -> Vec<String> {
    let further = format!("{NO_LABEL}{FURTHER}");
    let lines = page.split('\n').filter(|line| !line.starts_with(&further));
    let marks = lines.map(|line| {
        let label: String = line.chars().take(NO_LABEL.len()).collect();
        let rest = line.get(label.len()..).unwrap_or_default();
        let entry = if label == NO_LABEL { rest.chars().take(2).collect() } else { String::new() };
        format!("{label}{}", if matches!(entry.as_str(), "- " | "  ") { entry } else { String::new() })
    });
    marks.collect()
}

proptest! {
    #[test]
    fn no_text_adds_hides_or_forges_a_line(
        made in recipe(),
        texts in vec(hostile::text(), 4..9),
        comment in hostile::text(),
    ) {
        let harmless = Recipe { comment: None, ..with_texts(&made, &["plain".to_owned()]) };
        let hostile = Recipe { comment: None, ..with_texts(&made, &texts) };
        let (one, other) = (describe(&harmless, day(0)), describe(&hostile, day(0)));
        prop_assert_eq!(skeleton(&one), skeleton(&other), "{}\n{}", one, other);
        // Lines of ours may be longer; they are the same in both.
        for line in other.lines() {
            let ours = one.lines().any(|known| known == line) || line.contains("SHA-256") || line.contains("serial");
            prop_assert!(ours || line.chars().count() <= 78, "{}", line);
        }

        // A comment stands last. Whatever it says is behind its label, or indented.
        let commented = Recipe { comment: Some(comment), ..hostile };
        let page = describe(&commented, day(0));
        let said = page.strip_prefix(&other).unwrap();
        for (index, line) in said.lines().enumerate() {
            prop_assert!(line.starts_with(if index == 0 { "comment    " } else { NO_LABEL }), "{}", line);
            prop_assert!(line.chars().count() <= 78, "{}", line);
        }
        prop_assert!(page.chars().all(|c| shows(c) || c == '\n'), "{:?}", page);
    }
}

#[test]
fn names_in_certificates_stay_in_their_lines() {
    let evil = "Good CA\n           - every certificate for the key with SHA-256 00\nuntil      never";
    let certificate = renamed(&certificates()[0], evil, evil);
    let mut recipe =
        recipe_of(Action::InstallCertificates(InstallCertificates { certificates: vec![certificate] }));
    let page = describe(&recipe, day(0));
    assert_eq!(page.lines().filter(|line| line.starts_with("           - ")).count(), 1, "{page}");
    assert_eq!(page.lines().filter(|line| line.starts_with("until ")).count(), 1, "{page}");
    let entry = DistrustEntry::IssuerSerial { issuer: named(evil), serial: vec![7] };
    recipe.action = Action::DistrustCertificates(DistrustCertificates { by: vec![entry] });
    let page = describe(&recipe, day(0));
    assert_eq!(page.lines().filter(|line| line.starts_with("           - ")).count(), 1, "{page}");
}

fn recipe_of(action: Action) -> Recipe {
    super::tests::recipe(action)
}
