//! Which add-on the certificate was issued for.

use mulberry_lab::xpi_signer::{Addon, AddonSigner, IdPlace, SigningOptions};
use mulberry_shared::limits::Limits;
use mulberry_shared::xpi::{Policy, VerdictKind, inspect};

use crate::bench::{Case, bench, case, of_2018, of_2023};

fn sign(addon: &Addon, options: SigningOptions) -> Case {
    case(AddonSigner { issuer: &bench().incident.control, options }.sign(addon).unwrap())
}

#[test]
fn the_id_is_found_wherever_it_may_stand() {
    for place in [
        IdPlace::BrowserSpecificSettings,
        IdPlace::Applications,
        IdPlace::InstallRdf,
        IdPlace::InstallRdfAttribute,
        IdPlace::Nowhere,
    ] {
        let addon = Addon { id_place: place, ..Addon::small("{d8171d0d-6da0-47df-8eb4-a8a16b8d6ddf}") };
        for options in [of_2018(), of_2023()] {
            let case = sign(&addon, options);
            case.is(VerdictKind::Ok);
            let inspection = inspect(&case.bytes.as_slice(), &Policy::firefox(), &Limits::default()).unwrap();
            assert_eq!(inspection.id.as_deref(), Some(addon.id.as_str()), "{place:?}");
            assert_eq!(inspection.version.as_deref(), Some("1.0.2"), "{place:?}");
        }
    }
}

#[test]
fn an_end_entity_for_another_id_is_a_mismatch() {
    for mut options in [of_2018(), of_2023()] {
        options.common_name = Some("somebody-else@lab.example.org".to_owned());
        for place in [IdPlace::BrowserSpecificSettings, IdPlace::InstallRdf] {
            let addon = Addon { id_place: place, ..Addon::small("fixture@lab.example.org") };
            sign(&addon, options.clone()).is_naming(VerdictKind::IdMismatch, "somebody-else@lab.example.org");
        }
    }
}

#[test]
fn an_id_of_more_than_64_characters_stands_as_its_digest() {
    let exact = Addon::small(&format!("{}@lab.example.org", "x".repeat(64 - "@lab.example.org".len())));
    assert_eq!(exact.common_name(), exact.id);
    sign(&exact, of_2018()).is(VerdictKind::Ok);
    let long = Addon::small(&format!("{}@lab.example.org", "x".repeat(65 - "@lab.example.org".len())));
    assert_ne!(long.common_name(), long.id);
    sign(&long, of_2018()).is(VerdictKind::Ok);
    sign(&long, of_2023()).is(VerdictKind::Ok);
}

#[test]
fn the_digest_of_a_short_id_is_not_its_name() {
    let addon = Addon::small("fixture@lab.example.org");
    let mut options = of_2018();
    options.common_name = Some(mulberry_shared::digest::Sha256Digest::of(addon.id.as_bytes()).to_string());
    sign(&addon, options).is(VerdictKind::IdMismatch);
}

#[test]
fn ids_that_differ_in_case_alone_differ() {
    let mut options = of_2018();
    options.common_name = Some("Fixture@lab.example.org".to_owned());
    sign(&Addon::small("fixture@lab.example.org"), options).is(VerdictKind::IdMismatch);
}

fn with_manifest(file: &str, text: &str) -> Case {
    let addon = Addon { id_place: IdPlace::Contents, ..Addon::small("fixture@lab.example.org") };
    sign(&addon.with_file(file, text), of_2018())
}

#[test]
fn manifest_json_as_people_write_it_is_read() {
    let id = r#"{"gecko": {"id": "fixture@lab.example.org"}}"#;
    for text in [
        format!("{{\"version\": \"1.0\", \"applications\": {id}}}"),
        format!("\u{feff}{{\"version\": \"1.0\", \"applications\": {id}}}"),
        format!("// a comment\n{{\n  // another\n  \"version\": \"1.0\", \"applications\": {id}\n}}\n"),
        format!("{{\"homepage_url\": \"https://example.org/\", \"applications\": {id}}} // end"),
    ] {
        let verdict = with_manifest("manifest.json", &text).verdict();
        assert!(verdict.is_ok(), "{text}: {verdict}");
    }
}

/// Readers that take the first and readers that take the last would see two ids.
#[test]
fn an_id_that_stands_twice_is_refused() {
    let id = |id: &str| format!(r#""applications": {{"gecko": {{"id": "{id}"}}}}"#);
    let text = format!("{{{}, {}}}", id("other@lab.example.org"), id("fixture@lab.example.org"));
    with_manifest("manifest.json", &text).is(VerdictKind::MalformedManifest);
    let text = format!("{{{}, {}}}", id("fixture@lab.example.org"), id("other@lab.example.org"));
    with_manifest("manifest.json", &text).is(VerdictKind::MalformedManifest);
}

#[test]
fn a_manifest_that_cannot_be_read_is_malformed_and_never_costs_more_than_its_ceiling() {
    let deep = format!("{{\"icons\": {}", "[".repeat(100_000));
    let laughs = "<?xml version=\"1.0\"?>\n<!DOCTYPE lolz [<!ENTITY a \"aaaaaaaaaa\">\
        <!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;\"><!ENTITY c \"&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;\">]>\n\
        <RDF><Description><id>&c;&c;&c;&c;</id></Description></RDF>";
    for (file, text) in [
        ("manifest.json", "{"),
        ("manifest.json", "[]"),
        ("manifest.json", ""),
        ("manifest.json", deep.as_str()),
        ("install.rdf", "<RDF>"),
        ("install.rdf", laughs),
    ] {
        let verdict = with_manifest(file, text).verdict();
        assert!(
            matches!(verdict.kind, VerdictKind::MalformedManifest | VerdictKind::LimitExceeded),
            "{file} {:.40}: {verdict}",
            text
        );
    }
    let large = format!("{{\"x\": \"{}\"}}", "x".repeat(600 << 10));
    with_manifest("manifest.json", &large).is(VerdictKind::LimitExceeded);
}
