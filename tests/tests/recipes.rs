//! Every recipe in `recipes/` holds: it checks, publishes, and reads back equal.

// Clippy knows tests by their attribute and takes their helpers for other code.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use mulberry_shared::limits::Limits;
use mulberry_shared::recipe::{
    Action, DistrustCertificates, DistrustEntry, Recipe, published, source, words,
};
use mulberry_shared::x509::Certificate;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../recipes")
}

fn read(recipe: &Path) -> Recipe {
    let text = fs::read_to_string(recipe.join("recipe.toml")).unwrap();
    let mut files = |name: &str| fs::read(recipe.join(name));
    source::read(&recipe.join("recipe.toml").display().to_string(), &text, &mut files, &Limits::default())
        .unwrap_or_else(|errors| panic!("{errors}"))
}

fn all() -> Vec<(String, Recipe)> {
    let mut recipes: Vec<_> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), read(&path)))
        .collect();
    recipes.sort_by(|a, b| a.0.cmp(&b.0));
    recipes
}

#[test]
fn every_recipe_checks_publishes_and_reads_back_equal() {
    for (folder, recipe) in all() {
        assert_eq!(recipe.slug.as_str(), folder, "the folder is named for the slug");
        let bytes = published::write(&recipe);
        let back = published::read(&recipe.path(), &bytes, &Limits::default()).unwrap();
        assert_eq!(back, recipe);
        assert_eq!(published::write(&back), bytes);
    }
}

#[test]
fn the_promised_recipes_are_there_and_have_their_own_slugs() {
    let recipes = all();
    let slugs: BTreeSet<_> = recipes.iter().map(|(_, recipe)| recipe.slug.as_str()).collect();
    assert_eq!(slugs.len(), recipes.len(), "slugs are unique across lanes");
    for slug in
        ["hold-verification", "replace-signing-intermediate", "distrust-stolen-intermediate", "fire-drill"]
    {
        assert!(slugs.contains(slug), "{slug}");
    }
}

#[test]
fn the_distrust_is_by_the_key_of_the_stolen_certificate() {
    let path = folder().join("distrust-stolen-intermediate");
    let stolen = fs::read(path.join("stolen.pem")).unwrap();
    let [stolen] = &Certificate::parse_pem(&stolen, &Limits::default().x509).unwrap()[..] else {
        panic!("one certificate")
    };
    let by = vec![DistrustEntry::Spki(stolen.spki_sha256())];
    assert_eq!(read(&path).action, Action::DistrustCertificates(DistrustCertificates { by }));
}

/// The fire drill is harmless: what it installs is nobody's issuer, and it is taken away again.
#[test]
fn the_fire_drill_shares_neither_name_nor_key_with_what_signs() {
    let pem = |name: &str| {
        let bytes = fs::read(folder().join(name)).unwrap();
        Certificate::parse_pem(&bytes, &Limits::default().x509).unwrap().remove(0)
    };
    let drill = pem("fire-drill/drill.pem");
    for other in ["replace-signing-intermediate/replacement.pem", "distrust-stolen-intermediate/stolen.pem"] {
        let other = pem(other);
        assert_ne!(drill.subject_der(), other.subject_der());
        assert_ne!(drill.spki_sha256(), other.spki_sha256());
    }
}

#[test]
fn words_say_what_to_whom_and_until_when() {
    let now: Timestamp = "2026-12-01T00:00:00Z".parse().unwrap();
    let said = words::describe(&read(&folder().join("fire-drill")), now);
    for part in [
        "emergency/fire-drill.json, revision 1",
        "installs 1 certificate, with no special trust",
        "fire-drill.addons.example.org",
        "channels beta, release",
        "10% of them, sampled by \"fire-drill-1\"",
        "2027-12-01T00:00:00Z (in 365 days)",
        "what it did is undone",
    ] {
        assert!(said.contains(part), "{part:?} in\n{said}");
    }
}
