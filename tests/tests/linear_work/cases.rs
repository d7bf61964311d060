//! Every parser, and for each the worst inputs that are known.

use std::hint::black_box;
use std::io::BufReader;

use mulberry_lab::xpi_signer::{ContainerStyle, ZipEntry, zip};
use mulberry_shared::approval::OpeningFile;
use mulberry_shared::bundle::Bundle;
use mulberry_shared::ceremony::public::PublicKeys;
use mulberry_shared::ceremony::{Ceremony, rules};
use mulberry_shared::digest::Sha256Digest;
use mulberry_shared::edition::{TrustState, Waiver, profile};
use mulberry_shared::gates::ReadGates;
use mulberry_shared::json;
use mulberry_shared::ledger::continuation::{ContinuationFile, Continuations};
use mulberry_shared::ledger::event::Record;
use mulberry_shared::ledger::export::ExportReader;
use mulberry_shared::ledger::links::Page;
use mulberry_shared::limits::Limits;
use mulberry_shared::live::Decoder;
use mulberry_shared::operators::PublishRequest;
use mulberry_shared::proposal::Proposal;
use mulberry_shared::recipe::{published, source};
use mulberry_shared::tuf::metadata::Delegation;
use mulberry_shared::tuf::{Root, Targets};
use mulberry_shared::version::VersionRange;
use mulberry_shared::x509::{Certificate, CertificateMemo};
use mulberry_shared::xpi::archive::Directory;
use mulberry_shared::xpi::cose::Cose;
use mulberry_shared::xpi::identity::Identity;
use mulberry_shared::xpi::manifest::{FilesReader, SignatureFileReader, Wanted};
use mulberry_shared::xpi::pkcs7::Pkcs7;
use mulberry_shared::xpi::{DigestNames, Policy, WeakestDigest, inspect};

use crate::{MOST, certificates as der, documents as doc};

/// One parser and one kind of input.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    /// Bytes of the larger input.
    pub(crate) most: usize,
    /// An input of about so many bytes.
    pub(crate) make: fn(usize) -> Vec<u8>,
    pub(crate) parse: fn(&[u8]),
    /// Whether it is meant to be found out: without one, nobody would know that the counting works.
    pub(crate) is_control: bool,
}

fn case(name: &'static str, make: fn(usize) -> Vec<u8>, parse: fn(&[u8])) -> Case {
    Case { name, most: MOST, make, parse, is_control: false }
}

impl Case {
    fn of(self, most: usize) -> Self {
        Self { most, ..self }
    }

    fn control(self) -> Self {
        Self { is_control: true, ..self }
    }
}

fn limits() -> Limits {
    Limits::default()
}

pub(crate) fn cases() -> Vec<Case> {
    let x509 = limits().x509.certificate_bytes;
    let mut all =
        vec![case("control: every byte with every other", doc::spaces, quadratic).of(512).control()];
    all.extend([
        case("json: values", doc::values, json),
        case("json: keys that begin alike", doc::keys, json),
        case("json: nesting", doc::nesting, json),
        case("json: escapes", doc::escapes, json),
        case("canonical json: control characters", doc::control_characters, canonical),
        case("root: keys", doc::root_of_keys, root),
        case("targets: delegations", doc::targets_of_delegations, targets),
        case("ceremony: keys of all roles", doc::root_of_keys, keys_of_a_ceremony),
        case("path patterns: brackets", |n| doc::patterns(n, "["), patterns),
        case("path patterns: one long class", |n| doc::long_pattern(n, "*[", "ab", "]"), patterns),
        case("path patterns: stars", |n| doc::patterns(n, "*a*b"), patterns),
        case("path patterns: one of stars", |n| doc::long_pattern(n, "", "*a", ""), patterns),
        case("path patterns: one of brackets", |n| doc::long_pattern(n, "*", "[", ""), patterns),
        case("edition: recipes of a lane", doc::edition, edition),
        case("gates", doc::gates, gates),
        case("recipe.toml: unknown keys", doc::unknown_keys, recipe_source),
        case("recipe.toml: dotted keys", doc::dotted_keys, recipe_source),
        case("recipe.toml: tables", doc::tables, recipe_source),
        case("recipe.toml: lists of tables", doc::lists_of_tables, recipe_source),
        case("recipe.toml: a long list", doc::long_list, recipe_source),
        case("recipe.toml: inline tables", doc::inline_tables, recipe_source),
        case("published recipe: unknown fields", doc::unknown_fields, recipe_published),
        case("published recipe: distrust", doc::distrust_entries, recipe_published),
        case("proposal", doc::proposal, |bytes| drop(black_box(Proposal::read(bytes, &limits())))),
        case("ceremony", doc::ceremony, |bytes| drop(black_box(Ceremony::read(bytes, &limits())))),
        case("public keys", doc::public_keys, |bytes| drop(black_box(PublicKeys::read(bytes, &limits()))))
            .of(64 << 10),
        case("opening", doc::opening, |bytes| drop(black_box(OpeningFile::read(bytes, &limits())))),
        case("request to publish", doc::publish_request, |bytes| {
            drop(black_box(serde_json::from_slice::<PublishRequest>(bytes)));
        }),
        case("bundle: entries", doc::bundle, |bytes| drop(black_box(Bundle::read(bytes, &limits().bundle)))),
        case("ledger: an export", doc::export, export),
        case("ledger: a record", doc::record, |bytes| drop(black_box(Record::from_bytes(bytes)))),
        case("ledger: a page of links", doc::links, links).of(17 << 10),
        case("ledger: continuations", doc::continuations, continuations),
        case("live stream: lines", doc::lines, live),
        case("live stream: one event", doc::one_event, live).of(16 << 10),
        case("range of versions", doc::range, range).of(256),
    ]);
    all.extend([
        case("pem: blocks", |n| doc::pem(n, "-----BEGIN X-----\n-----END X-----\n"), pem),
        case("pem: beginnings", |n| doc::pem(n, "-----BEGIN "), pem),
        case("pem: a long label", |n| doc::pem(n, "-----BEGIN X----"), pem),
        case("pem: certificates", der::pem, pem),
        case("certificate: alternative names", der::alternative_names, certificate).of(x509),
        case("certificate: directory names", der::directory_names, certificate).of(x509),
        case("certificate: parts of a name", der::name_of_parts, certificate).of(x509),
        case("certificate: one part in reverse", der::name_of_one_part, certificate).of(x509),
        case("certificate: one part of a constraint", der::constraint_of_one_part, certificate).of(x509),
        case("certificate: extensions", der::extensions, certificate).of(x509),
        case("path: worthless certificates", der::worthless, der::build_path),
        case("path: host names and constraints", der::hosts_and_constraints, der::build_path).of(2 * x509),
        case("path: directory names and constraints", der::names_and_constraints, der::build_path)
            .of(2 * x509),
        case("path: a mesh of genuine certificates", der::mesh, der::build_path).of(136 << 10),
        case("pkcs#7: certificates", der::pkcs7_of_certificates, pkcs7),
        case("pkcs#7: signed attributes in reverse", der::pkcs7_of_attributes, pkcs7).of(15 << 10),
        case("cose: small items", der::cose_items, cose),
        case("cose: nesting", der::cose_nesting, cose),
        case("cose: a header of labels", der::cose_labels, cose),
        case("zip: entries", der::zip_of_entries, directory),
        case("zip: long names that begin alike", der::zip_of_long_names, directory),
        case("manifest: sections", doc::sections, manifest),
        case("manifest: continued lines", doc::continued_lines, manifest),
        case("manifest: attributes", doc::attributes, manifest),
        case("add-on: files, signed", der::signed_add_on, add_on),
        case("manifest.json: comments", doc::comments, manifest_json),
        case("manifest.json: brackets", doc::nesting, manifest_json),
        case("install.rdf: namespaces in children", doc::rdf_children, install_rdf),
        case("install.rdf: namespaces in force and children", doc::rdf_namespaces, install_rdf),
        case("install.rdf: attributes", doc::rdf_attributes, install_rdf),
        case("install.rdf: nesting", doc::rdf_nesting, install_rdf),
        case("install.rdf: references", doc::rdf_references, install_rdf),
        case("install.rdf: long prefixes", doc::rdf_prefixes, install_rdf),
    ]);
    all
}

fn quadratic(bytes: &[u8]) {
    let equal = bytes.iter().map(|a| bytes.iter().filter(|b| a == *b).count());
    black_box(equal.sum::<usize>());
}

fn json(bytes: &[u8]) {
    drop(black_box(json::parse(bytes, &limits().json)));
}

fn canonical(bytes: &[u8]) {
    drop(black_box(json::parse_canonical(bytes, &limits().json)));
}

fn root(bytes: &[u8]) {
    drop(black_box(TrustState::pinned(bytes, &limits())));
}

fn targets(bytes: &[u8]) {
    let (root, targets): (Root, Targets) = serde_json::from_slice(bytes).unwrap();
    drop(black_box(profile::check_keys(&targets, &root)));
}

fn keys_of_a_ceremony(bytes: &[u8]) {
    let signed = serde_json::from_slice::<serde_json::Value>(bytes).unwrap()["signed"].take();
    let root: Root = serde_json::from_value(signed).unwrap();
    drop(black_box(rules::check(&root, &doc::forge().targets, rules::Names::Checked)));
}

fn patterns(bytes: &[u8]) {
    let delegation: Delegation = serde_json::from_slice(bytes).unwrap();
    black_box(delegation.covers(&"[a".repeat(60)));
}

fn edition(bytes: &[u8]) {
    let bundle = Bundle::read(bytes, &limits().bundle).unwrap();
    let pinned = TrustState::pinned(bundle.get("metadata/1.root.json").unwrap(), &limits()).unwrap();
    let now = doc::forge().now;
    let (taken, _) = bundle.take(&pinned, now, &Waiver::NONE, &limits()).unwrap();
    drop(black_box(taken.edition(&limits()).unwrap().view(now)));
}

fn gates(bytes: &[u8]) {
    drop(black_box(ReadGates::read(bytes, &limits())));
}

fn recipe_source(bytes: &[u8]) {
    let text = std::str::from_utf8(bytes).unwrap();
    drop(black_box(source::read(
        "recipe.toml",
        text,
        &mut |_| Err(std::io::ErrorKind::NotFound.into()),
        &limits(),
    )));
}

fn recipe_published(bytes: &[u8]) {
    let path = "emergency/fix.json".parse().unwrap();
    drop(black_box(published::read(&path, bytes, &limits())));
}

fn export(bytes: &[u8]) {
    let mut reader = ExportReader::open(BufReader::new(bytes)).unwrap();
    while let Some(event) = reader.next_event().unwrap() {
        black_box(event);
    }
}

fn links(bytes: &[u8]) {
    drop(black_box(Page::read(bytes, &Sha256Digest([7; 32]), 0, &limits())));
}

fn continuations(bytes: &[u8]) {
    drop(black_box(Continuations::read(bytes, &limits())));
    drop(black_box(ContinuationFile::read(bytes, &limits())));
}

fn live(bytes: &[u8]) {
    drop(black_box(Decoder::new(&limits()).feed(bytes)));
}

fn range(bytes: &[u8]) {
    drop(black_box(std::str::from_utf8(bytes).unwrap().parse::<VersionRange>()));
}

fn pem(bytes: &[u8]) {
    drop(black_box(Certificate::parse_pem(bytes, &limits().x509)));
}

fn certificate(bytes: &[u8]) {
    if let Ok(certificate) = Certificate::parse_der(bytes, &limits().x509) {
        black_box((certificate.subject(), certificate.issuer(), certificate.described()));
    }
}

fn pkcs7(bytes: &[u8]) {
    drop(black_box(Pkcs7::parse(bytes, &limits(), &CertificateMemo::none())));
}

fn cose(bytes: &[u8]) {
    drop(black_box(Cose::parse(bytes, &limits(), &CertificateMemo::none())));
}

fn directory(bytes: &[u8]) {
    drop(black_box(Directory::read(&bytes, &limits().xpi)));
}

fn manifest(bytes: &[u8]) {
    let archive = zip::write(&[ZipEntry::new("a", "")], ContainerStyle::LocalHeader, &[]).unwrap();
    let limits = limits().xpi;
    let directory = Directory::read(&archive, &limits).unwrap();
    for digest in WeakestDigest::ALL {
        let wanted = Wanted { digest, names: DigestNames::JarsignerToo };
        let mut files = FilesReader::new("manifest.mf", &directory, wanted, &limits);
        let mut signature_file = SignatureFileReader::new("m.sf", wanted, &limits);
        for piece in bytes.chunks(32 << 10) {
            let _ = black_box((files.read(piece), signature_file.read(piece)));
        }
        drop(black_box((files.finish(), signature_file.finish())));
    }
}

fn add_on(bytes: &[u8]) {
    drop(black_box(inspect(&bytes, &Policy::firefox(), &limits()).unwrap()));
}

fn manifest_json(bytes: &[u8]) {
    drop(black_box(Identity::of_manifest_json(bytes)));
}

fn install_rdf(bytes: &[u8]) {
    drop(black_box(Identity::of_install_rdf(bytes, &limits().xpi)));
}
