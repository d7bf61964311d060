//! `mulberry-lab fuzz-seeds`: valid inputs from which the fuzz targets start.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use mulberry_shared::approval::{Opening, OpeningFile};
use mulberry_shared::bundle::Bundle;
use mulberry_shared::ceremony::Ceremony;
use mulberry_shared::ceremony::public::PublicKeys;
use mulberry_shared::digest::Sha256Digest;
use mulberry_shared::edition::write::{
    Holders, LaneDraft, LaneHolders, Life, RootHolders, gates, root, sign, snapshot, targets, timestamp,
};
use mulberry_shared::gates::Gates;
use mulberry_shared::ledger::links::Links;
use mulberry_shared::limits::{BundleLimits, Limits};
use mulberry_shared::live::{HEARTBEAT, announcement};
use mulberry_shared::proposal::{Proposal, Role};
use mulberry_shared::recipe::{Lane, RecipePath};
use mulberry_shared::sampling::BasisPoints;
use mulberry_shared::tuf::threshold::Signature;
use mulberry_shared::tuf::{Ed25519Signer, Person, Signer, location};

use crate::LabError;
use crate::binaries::workspace;
use crate::pki::{Incident, IncidentDates};
use crate::xpi_signer::{Addon, AddonSigner, IdPlace, SigningOptions, ZipEntry};

/// Writes valid inputs for the fuzz targets, a folder a target.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: mulberry-lab fuzz-seeds --out shared/fuzz/corpus")]
pub struct Arguments {
    /// The folder to write into; a folder a target is made in it.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// Runs the command.
///
/// # Errors
/// When a seed cannot be made or written.
pub fn run(arguments: &Arguments) -> Result<(), LabError> {
    let expiry: Timestamp = "2019-05-04T00:09:46Z".parse().map_err(LabError::crypto("read a date"))?;
    let validity = (expiry - jiff::SignedDuration::from_hours(24 * 300), expiry);
    let incident = Incident::new(IncidentDates::expired_at(expiry)?)?;
    let styles = [
        ("2018", SigningOptions::service_of_2018(validity.0, validity.1)),
        ("2023", SigningOptions::service_of_2023(validity.0, validity.1)),
    ];
    let addon = Addon::small("seed@example.org");
    let out = |target: &str, name: &str, bytes: &[u8]| write(&arguments.out.join(target), name, bytes);
    for (style, options) in styles {
        let kind = options.key_kind;
        let signer = AddonSigner { issuer: &incident.replacement, options };
        out("addon", style, &signer.sign(&addon)?)?;
        for ZipEntry { name, data, .. } in signer.entries(&addon)? {
            let name = String::from_utf8_lossy(&name).replace('/', "-");
            match name.rsplit('.').next() {
                Some("mf" | "sf" | "manifest") => out("manifest", &format!("{style}-{name}"), &data)?,
                Some("rsa") => out("pkcs7", style, &data)?,
                Some("sig") => out("cose", style, &data)?,
                _ => {}
            }
        }
        let end_entity = signer.end_entity(&addon, kind)?;
        out("certificate", style, end_entity.der())?;
        let chain =
            [&end_entity, &incident.expiring, &incident.replacement, &incident.wrong_key, &incident.anchor];
        out("path", style, chain.map(crate::pki::LabCertificate::pem).concat().as_bytes())?;
    }
    for version in ["66.0|>=60, <67", "60.6.2esr|~60.6", "68.0b3|>=60", "69.0a1|*"] {
        out("version", version, version.as_bytes())?;
    }
    for (name, id_place) in [("element", IdPlace::InstallRdf), ("attribute", IdPlace::InstallRdfAttribute)] {
        let rdf = Addon { id_place, ..addon.clone() };
        for (_, data) in rdf.files()?.iter().filter(|(name, _)| name == b"install.rdf") {
            out("install_rdf", name, data)?;
        }
    }
    out("identity", "manifest.json", br#"{"version": "1", "applications": {"gecko": {"id": "a@b"}}}"#)?;
    out("operators", "gate", br#"{"revision":1,"state":"open","percent":500,"reason":"canary"}"#)?;
    out(
        "operators",
        "publish",
        br#"{"metadata":"e30=","recipes":{"emergency/a.json":"e30="},"withdraw":["b"]}"#,
    )?;
    let stream = [announcement(7).as_str(), HEARTBEAT, &announcement(1_557_000_000)].concat();
    out("live", "stream", stream.as_bytes())?;
    out("bundle", "edition", &edition()?)?;
    out("proposal", "hold", &proposal()?)?;
    out("ceremony", "renewal", &ceremony()?)?;
    out("ceremony", "keys", &public_keys()?)?;
    out("names", "person", b"person-1")?;
    out("names", "lie", b"c\nNo key and no threshold changes: it is signed again before it expires.\n")?;
    out("opening", "all", &opening()?)?;
    let mut links = Links::default();
    (0..300_u16).for_each(|_| links.push(Sha256Digest([7; 32])));
    let pages: Vec<_> = links.full().iter().cloned().chain(links.growing()).collect();
    out("links", "pages", &pages.join(&b'\n'))?;
    let people = br#"{"gates":{"emergency/a.json":{"approval":{"expires":"2026-11-23T00:00:00Z","percent":500,"signatures":[{"keyid":"k","sig":"00"}],"since":"2026-11-22T00:00:00Z"},"percent":500,"reason":"canary","revision":1,"since":"2026-11-22T00:00:00Z","state":"open"}},"schema_version":2}"#;
    out("gates", "people", people)?;
    let ended = br#"{"gates":{"emergency/a.json":{"ended":[1,2],"percent":500,"reason":"","revision":3,"since":"2026-11-22T00:00:00Z","state":"open"},"emergency/b.json":{"rings":["qa"]}},"schema_version":4}"#;
    out("gates", "ended", ended)?;
    let recipes = workspace().join("recipes");
    for recipe in fs::read_dir(&recipes).map_err(LabError::file(&recipes))? {
        let recipe = recipe.map_err(LabError::file(&recipes))?;
        if let Ok(text) = fs::read(recipe.path().join("recipe.toml")) {
            out("recipe_source", &recipe.file_name().to_string_lossy(), &text)?;
        }
    }
    Ok(())
}

/// A proposal that one person has signed, with something to publish and something to withdraw.
fn proposal() -> Result<Vec<u8>, LabError> {
    let now: Timestamp = "2026-11-22T00:00:00Z".parse().map_err(LabError::crypto("read a date"))?;
    let failed = || LabError::crypto("make a proposal");
    let signer = Ed25519Signer::from_seed(&[7; 32]).map_err(failed())?;
    let one = Holders::one(signer.key());
    let lanes = LaneHolders { emergency: one.clone(), routine: one.clone(), gates: one };
    let targets = targets(1, Life::Offline.from(now), &lanes);
    let path: RecipePath = "emergency/seed.json".parse().map_err(LabError::crypto("name a recipe"))?;
    let mut draft = LaneDraft::new(Lane::Emergency, None);
    draft.add(&path, b"{}").map_err(failed())?;
    let (recipes, limits) = (BTreeMap::from([(path, b"{}".to_vec())]), Limits::default());
    let gone = "old".parse().map_err(LabError::crypto("name a recipe"))?;
    let body = draft.build(now).map_err(failed())?;
    let mut proposal = Proposal::new(Lane::Emergency, &body, recipes, [gone], &limits)
        .map_err(LabError::crypto("make a proposal"))?;
    let authority = targets.authority(Lane::Emergency.as_str(), "targets").map_err(failed())?;
    proposal.sign(authority, &signer).map_err(failed())?;
    proposal.write().map_err(LabError::crypto("write a proposal"))
}

/// A ceremony that one person has signed: everybody's keys stay, and root lives on.
fn ceremony() -> Result<Vec<u8>, LabError> {
    let failed = || LabError::crypto("make a ceremony");
    let now: Timestamp = "2026-11-22T00:00:00Z".parse().map_err(LabError::crypto("read a date"))?;
    let forge = crate::forge::Forge::new(now).map_err(failed())?;
    let next = mulberry_shared::tuf::Root { version: 2, ..forge.root.clone() };
    let metadata = crate::forge::signed(&next, &[1]).map_err(failed())?;
    let parts = BTreeMap::from([(Role::Root, metadata)]);
    let ceremony =
        Ceremony::of_parts(&parts, &Limits::default()).map_err(LabError::crypto("make a ceremony"))?;
    ceremony.write().map_err(LabError::crypto("write a ceremony"))
}

/// The file of a person's public keys.
fn public_keys() -> Result<Vec<u8>, LabError> {
    let dora: Person = "dora".parse().map_err(LabError::crypto("name a person"))?;
    let signer = Ed25519Signer::from_seed(&[7; 32]).map_err(LabError::crypto("make a key"))?.held_by(&dora);
    let keys = BTreeMap::from([(Role::Root.to_string(), signer.key().clone())]);
    PublicKeys { person: Some(dora), keys }.write().map_err(LabError::crypto("write keys"))
}

/// An opening that one person has signed.
fn opening() -> Result<Vec<u8>, LabError> {
    let since: Timestamp = "2026-11-22T00:00:00Z".parse().map_err(LabError::crypto("read a date"))?;
    let failed = || LabError::crypto("make an opening");
    let signer = Ed25519Signer::from_seed(&[7; 32]).map_err(failed())?;
    let opening = Opening {
        path: "emergency/seed.json".parse().map_err(LabError::crypto("name a recipe"))?,
        revision: 1,
        sha256: Sha256Digest::of(b"{}"),
        percent: BasisPoints::EVERYONE,
        since,
        expires: Life::Timestamp.from(since),
        open_until: None,
    };
    let sig = hex::encode(signer.sign(&opening.message()).map_err(failed())?);
    let signatures = vec![Signature { keyid: signer.key_id(), sig, other: BTreeMap::new() }];
    let (reason, note) = ("canary".to_owned(), String::new());
    let file =
        OpeningFile { opening, reason, note, stops: Vec::new(), signatures, base: Some(b"x".to_vec()) };
    file.write().map_err(LabError::crypto("write an opening"))
}

/// A bundle of a whole edition without recipes. Without its last line, which the fuzz target puts right.
fn edition() -> Result<Vec<u8>, LabError> {
    let now: Timestamp = "2026-11-22T00:00:00Z".parse().map_err(LabError::crypto("read a date"))?;
    let failed = || LabError::crypto("sign an edition");
    let signer = Ed25519Signer::from_seed(&[7; 32]).map_err(failed())?;
    let one = Holders::one(signer.key());
    let top = RootHolders {
        root: one.clone(),
        targets: one.clone(),
        snapshot: one.clone(),
        timestamp: one.clone(),
    };
    let lanes = LaneHolders { emergency: one.clone(), routine: one.clone(), gates: one };
    let gates_json = Gates::default().write();
    let mut files = BTreeMap::from([(
        location::file("gates.json", Some(&Sha256Digest::of(&gates_json))),
        gates_json.clone(),
    )]);
    let mut put = |role: &str, bytes: Vec<u8>| {
        files.insert(location::consistent_metadata(role, 1), bytes.clone());
        bytes
    };
    let keys: [&dyn Signer; 1] = [&signer];
    put("root", sign(&root(1, Life::Offline.from(now), &top), &keys).map_err(failed())?);
    let mut listed = Vec::new();
    for (role, body) in [
        ("targets", targets(1, Life::Offline.from(now), &lanes)),
        ("emergency", LaneDraft::new(Lane::Emergency, None).build(now).map_err(failed())?),
        ("routine", LaneDraft::new(Lane::Routine, None).build(now).map_err(failed())?),
        ("gates", gates(1, Life::Online.from(now), &gates_json)),
    ] {
        listed.push((role, 1, put(role, sign(&body, &keys).map_err(failed())?)));
    }
    let roles: Vec<(&str, u64, &[u8])> =
        listed.iter().map(|(role, version, bytes)| (*role, *version, bytes.as_slice())).collect();
    let body = snapshot(1, Life::Online.from(now), &roles);
    let signed = put("snapshot", sign(&body, &keys).map_err(failed())?);
    let body = timestamp(1, Life::Timestamp.from(now), (1, &signed), now, None);
    put("timestamp", sign(&body, &keys).map_err(failed())?);
    let bundle = Bundle::new(files, &BundleLimits::default()).map_err(LabError::crypto("make a bundle"))?;
    let mut file = bundle.write();
    file.truncate(file.len().saturating_sub("sha256 ".len() + 64 + 1));
    Ok(file)
}

fn write(folder: &Path, name: &str, bytes: &[u8]) -> Result<(), LabError> {
    fs::create_dir_all(folder).map_err(LabError::file(folder))?;
    let name: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' }).collect();
    let path = folder.join(name);
    fs::write(&path, bytes).map_err(LabError::file(&path))
}
