//! `verify` agrees with every column of the table that came with 52 real add-ons.
//!
//! The table's verdicts were computed from the stated rule by somebody else's program; `real/README.md` has the parameters of
//! each column. They are checked twice: through the library, and through the built binary.

// Clippy knows tests by their attribute and takes their helpers for other code.
#![allow(clippy::panic, clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use jiff::Timestamp;
use mulberry_lab::binaries::Binaries;
use mulberry_lab::real;
use mulberry_shared::digest::Sha256Digest;
use mulberry_shared::limits::Limits;
use mulberry_shared::x509::{
    Anchors, Certificate, CertificateMemo, Distrust, EndEntityTime, Pool, SignatureMemo,
};
use mulberry_shared::xpi::archive::{ContentReader, Directory};
use mulberry_shared::xpi::cose::Cose;
use mulberry_shared::xpi::pkcs7::Pkcs7;
use mulberry_shared::xpi::{
    Inspection, JudgeContext, Policy, SignatureMode, VerdictKind, WeakestDigest, inspect,
};
use sha1::{Digest, Sha1};
use sha2::Sha256;

/// One column of the table.
struct Column {
    name: &'static str,
    anchor: &'static str,
    certificates: &'static [&'static str],
    time: &'static str,
    end_entity_time: EndEntityTime,
}

const ROOT_2015: &str = "amo-prod-root-2015";
const ROOT_2024: &str = "amo-prod-root-2024-reissue";
const REPLACEMENT: &str = "amo-prod-int-signingca1-REPLACEMENT-2019";
const FX140: [&str; 2] = ["amo-prod-int-signingca1-2100", "amo-prod-int-production-signing-ca-2125"];

const COLUMNS: [Column; 7] = [
    Column {
        name: "2019-05-03",
        anchor: ROOT_2015,
        certificates: &[],
        time: "2019-05-03T12:00:00Z",
        end_entity_time: EndEntityTime::Ignore,
    },
    Column {
        name: "2019-05-05_embedded_only",
        anchor: ROOT_2015,
        certificates: &[],
        time: "2019-05-05T00:00:00Z",
        end_entity_time: EndEntityTime::Ignore,
    },
    Column {
        name: "2019-05-05_plus_replacement",
        anchor: ROOT_2015,
        certificates: &[REPLACEMENT],
        time: "2019-05-05T00:00:00Z",
        end_entity_time: EndEntityTime::Ignore,
    },
    Column {
        name: "2019-05-05_plus_replacement_EEtime_enforced",
        anchor: ROOT_2015,
        certificates: &[REPLACEMENT],
        time: "2019-05-05T00:00:00Z",
        end_entity_time: EndEntityTime::Enforce,
    },
    Column {
        name: "2025-03-20_root2015",
        anchor: ROOT_2015,
        certificates: &[],
        time: "2025-03-20T00:00:00Z",
        end_entity_time: EndEntityTime::Ignore,
    },
    Column {
        name: "2026-11_root2024_embedded_only",
        anchor: ROOT_2024,
        certificates: &[],
        time: "2026-11-01T00:00:00Z",
        end_entity_time: EndEntityTime::Ignore,
    },
    Column {
        name: "2026-11_root2024_fx140_intermediates",
        anchor: ROOT_2024,
        certificates: &FX140,
        time: "2026-11-01T00:00:00Z",
        end_entity_time: EndEntityTime::Ignore,
    },
];

/// The table's words. `EE_EXPIRED` stands for an end entity outside its dates on either side: seven of them were issued after
/// the time of that column.
fn verdicts(word: &str) -> &'static [VerdictKind] {
    match word {
        "OK" => &[VerdictKind::Ok],
        "EXPIRED_ISSUER" => &[VerdictKind::IssuerExpired],
        "UNKNOWN_ISSUER" => &[VerdictKind::UnknownIssuer],
        "MODIFIED_ENTRY" => &[VerdictKind::FileModified],
        "EE_EXPIRED" => &[VerdictKind::EndEntityExpired, VerdictKind::EndEntityNotYetValid],
        other => panic!("the table has a word that is not known: {other}"),
    }
}

/// Add-ons with two faults in the column with end-entity time: their end entity is outside its dates, and its issuer is unknown. The
/// table names the first, Mulberry may name either.
const UNKNOWN_AND_OUT_OF_DATE: [&str; 6] = [
    "0317c8cd-2017-11-16-fb17278d-test-addon.xpi",
    "3b516cf8-2019-03-14-e49e587c-bootstrap-addon-example@mozilla.org-0.1.0-signed.xpi",
    "9e764b51-webcompat.xpi",
    "c1e8a2b7-dev-new.xpi",
    "cb44713c-enterprise-dev.xpi",
    "ed36c96a-line-staging-cas-cur.xpi",
];

/// An add-on with two faults in every column: its issuer is unknown, and its signature file vouches for sections only, which Firefox
/// refuses too. The table names the first.
const SECTIONS_ONLY: &str = "47a533b4-2014-04-21-bfa8bb72-amazon_add_to_wish_list_button-1.10.xpi";

fn is_right(row: &Row, column: &Column, verdict: VerdictKind) -> bool {
    if row.file == SECTIONS_ONLY {
        return verdict == VerdictKind::MalformedManifest;
    }
    let word = &row.words[column.name];
    let two_faults = word == "EE_EXPIRED" && UNKNOWN_AND_OUT_OF_DATE.contains(&row.file.as_str());
    verdicts(word).contains(&verdict) || (two_faults && verdict == VerdictKind::UnknownIssuer)
}

struct Row {
    group: String,
    file: String,
    id: String,
    sha256: String,
    words: BTreeMap<&'static str, String>,
}

fn table(folder: &Path) -> Vec<Row> {
    let text = std::fs::read_to_string(folder.join("EXPECTED.tsv")).unwrap();
    let mut lines = text.lines().map(|line| line.split('\t').collect::<Vec<_>>());
    let head = lines.next().unwrap();
    let index = |name: &str| head.iter().position(|column| *column == name).unwrap();
    let verdict_columns = head.len() - index(COLUMNS[0].name);
    assert_eq!(verdict_columns, COLUMNS.len(), "the table has a column that this test does not check");
    lines
        .map(|line| Row {
            group: line[index("group")].to_owned(),
            file: line[index("file")].to_owned(),
            id: line[index("ee_cn")].to_owned(),
            sha256: line[index("sha256")].to_owned(),
            words: COLUMNS.iter().map(|column| (column.name, line[index(column.name)].to_owned())).collect(),
        })
        .collect()
}

fn pem(folder: &Path, name: &str) -> PathBuf {
    folder.join("certs").join(format!("{name}.pem"))
}

fn policy(end_entity_time: EndEntityTime) -> Policy {
    Policy {
        signature: SignatureMode::Pkcs7,
        digest: WeakestDigest::Sha1,
        end_entity_time,
        ..Policy::firefox()
    }
}

fn inspected(folder: &Path, file: &str) -> Inspection {
    let bytes = std::fs::read(folder.join("addons").join(file)).unwrap();
    inspect(&bytes, &policy(EndEntityTime::Ignore), &Limits::default()).unwrap()
}

#[test]
fn the_library_agrees_with_every_column() {
    let Some(folder) = real::folder_or_skip("real add-ons through the library") else { return };
    let limits = Limits::default();
    let certificates = |name: &str| -> Vec<Certificate> {
        Certificate::parse_pem(&std::fs::read(pem(&folder, name)).unwrap(), &limits.x509).unwrap()
    };
    let rows = table(&folder);
    assert_eq!(rows.len(), 52);
    let memo = SignatureMemo::new(4096);
    let mut wrong = Vec::new();
    for row in &rows {
        let inspection = inspected(&folder, &row.file);
        assert_eq!(inspection.sha256.unwrap().to_string(), row.sha256);
        for column in &COLUMNS {
            let anchors: Anchors = certificates(column.anchor).into_iter().collect();
            let pool: Pool = column.certificates.iter().flat_map(|name| certificates(name)).collect();
            let policy = policy(column.end_entity_time);
            let distrust = Distrust::default();
            let context = JudgeContext {
                anchors: &anchors,
                pool: &pool,
                distrust: &distrust,
                memo: &memo,
                policy: &policy,
                limits: &limits,
            };
            let verdict = inspection.judge(&context, column.time.parse::<Timestamp>().unwrap());
            if !is_right(row, column, verdict.kind) {
                wrong.push(format!(
                    "{} {}: {} became {verdict}",
                    row.file, column.name, row.words[column.name]
                ));
            }
            if verdict.is_ok() {
                let id = inspection.id.as_deref().unwrap();
                // The one add-on whose id is longer than a common name can be has its digest there.
                let hashed = Sha256Digest::of(id.as_bytes()).to_string();
                assert!(
                    row.id == id || (row.file.starts_with("b75b0901") && row.id == hashed),
                    "{}: {id}",
                    row.file
                );
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), rows.len() * COLUMNS.len(), wrong.join("\n"));
}

#[test]
fn the_binary_agrees_with_every_column() {
    let Some(folder) = real::folder_or_skip("real add-ons through the binary") else { return };
    let rows = table(&folder);
    let binary = Binaries::build().unwrap().agent();
    for column in &COLUMNS {
        let mut command = Command::new(&binary);
        command.args(["verify", "--json", "--policy", "firefox", "--signature", "pkcs7", "--digest", "sha1"]);
        // `--root` is another name of `--anchor` here.
        command
            .arg(if column.anchor == ROOT_2015 { "--root" } else { "--anchor" })
            .arg(pem(&folder, column.anchor));
        for name in column.certificates {
            command.arg("--certificate").arg(pem(&folder, name));
        }
        command.args(["--time", column.time, "--end-entity-time"]);
        command.arg(match column.end_entity_time {
            EndEntityTime::Enforce => "enforce",
            EndEntityTime::Ignore => "ignore",
        });
        let output = command.arg(folder.join("addons")).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
        let lines: Vec<serde_json::Value> = String::from_utf8(output.stdout)
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(lines.len(), rows.len());
        let paths: Vec<&str> = lines.iter().map(|line| line["path"].as_str().unwrap()).collect();
        assert!(paths.is_sorted());
        for row in &rows {
            let line = lines.iter().find(|line| line["path"].as_str().unwrap().ends_with(&row.file)).unwrap();
            let verdict: VerdictKind = line["verdict"].as_str().unwrap().parse().unwrap();
            assert!(is_right(row, column, verdict), "{} {}: {line}", row.file, column.name);
            assert!(!line["detail"].as_str().unwrap().is_empty());
        }
    }
}

/// The modes that look at COSE, on the add-ons that carry it.
#[test]
fn cose_modes_on_real_addons() {
    let Some(folder) = real::folder_or_skip("COSE of real add-ons") else { return };
    let limits = Limits::default();
    let certificates: Vec<Certificate> =
        Certificate::parse_pem(&std::fs::read(pem(&folder, ROOT_2015)).unwrap(), &limits.x509).unwrap();
    let anchors: Anchors = certificates.into_iter().collect();
    let (pool, distrust, memo) = (Pool::default(), Distrust::default(), SignatureMemo::new(64));
    let verdict = |file: &str, signature: SignatureMode| {
        let bytes = std::fs::read(folder.join("addons").join(file)).unwrap();
        let policy = Policy { signature, ..Policy::firefox() };
        let context = JudgeContext {
            anchors: &anchors,
            pool: &pool,
            distrust: &distrust,
            memo: &memo,
            policy: &policy,
            limits: &limits,
        };
        let at = "2019-05-03T12:00:00Z".parse().unwrap();
        inspect(&bytes, &policy, &limits).unwrap().judge(&context, at)
    };
    let cose_and_ok = |row: &&Row| row.group.starts_with("B-") || row.file.contains("tomato-clock");
    for row in table(&folder).iter().filter(cose_and_ok) {
        let has_cose = !row.file.starts_with("b25031ac");
        let ps256 = row.file.contains("PS256");
        let refused = if ps256 { VerdictKind::UnsupportedAlgorithm } else { VerdictKind::Ok };
        let required = if has_cose { refused } else { VerdictKind::Unsigned };
        assert_eq!(verdict(&row.file, SignatureMode::Pkcs7).kind, VerdictKind::Ok, "{}", row.file);
        assert_eq!(verdict(&row.file, SignatureMode::Pkcs7CoseOptional).kind, refused, "{}", row.file);
        assert_eq!(verdict(&row.file, SignatureMode::CosePkcs7Optional).kind, required, "{}", row.file);
        let alone = if has_cose { VerdictKind::FileNotCovered } else { VerdictKind::Unsigned };
        assert_eq!(verdict(&row.file, SignatureMode::Cose).kind, alone, "{}", row.file);
    }
}

/// Damage anywhere in real bytes is judged, never a panic, and what a signature covers is never accepted changed.
#[test]
fn damaged_real_addons_are_judged() {
    let Some(folder) = real::folder_or_skip("damage to real add-ons") else { return };
    let limits = Limits::default();
    let policy = Policy { end_entity_time: EndEntityTime::Ignore, ..Policy::firefox() };
    for file in ["32c5b8e1-amosigned-mv3-cose.xpi", "05899df4-restartless.xpi"] {
        let bytes = std::fs::read(folder.join("addons").join(file)).unwrap();
        let whole = inspect(&bytes, &policy, &limits).unwrap();
        for at in (0..bytes.len()).step_by(3) {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << (at % 8);
            let inspection = inspect(&flipped, &policy, &limits).unwrap();
            // Times and attributes of entries are not signed; whoever signed, and for whom, is.
            assert!(
                inspection.signers().next().is_none() || inspection.signers().eq(whole.signers()),
                "{at}"
            );
            assert_eq!(inspect(&&bytes[..at], &policy, &limits).unwrap().signers().count(), 0, "{at}");
        }
    }
}

/// The same inside the signatures themselves, which compression hides from damage to the archive.
#[test]
fn damaged_real_signatures_are_judged() {
    let Some(folder) = real::folder_or_skip("damage to real signatures") else { return };
    let limits = Limits::default();
    let bytes = std::fs::read(folder.join("addons/32c5b8e1-amosigned-mv3-cose.xpi")).unwrap();
    let directory = Directory::read(&bytes, &limits.xpi).unwrap();
    let mut reader = ContentReader::new(&bytes, &directory);
    let mut file =
        |name: &str| reader.read_to_vec(directory.find(name.as_bytes()).unwrap(), 1 << 20).unwrap();
    let (rsa, sf) = (file("META-INF/mozilla.rsa"), file("META-INF/mozilla.sf"));
    let (sig, manifest) = (file("META-INF/cose.sig"), file("META-INF/cose.manifest"));
    let sf = [WeakestDigest::Sha1, WeakestDigest::Sha256].map(|digest| {
        let mut padded = [0; 32];
        match digest {
            WeakestDigest::Sha1 => padded[..20].copy_from_slice(&Sha1::digest(&sf)),
            WeakestDigest::Sha256 => padded.copy_from_slice(&Sha256::digest(&sf)),
        }
        (digest, padded)
    });
    let pkcs7 = |bytes: &[u8]| {
        let signature = Pkcs7::parse(bytes, &limits, &CertificateMemo::none()).ok()?;
        let (_, digest) = sf.iter().find(|(digest, _)| *digest == signature.digest())?;
        Some(signature.verify(digest).ok()?.clone())
    };
    let cose = |bytes: &[u8]| {
        let signature = Cose::parse(bytes, &limits, &CertificateMemo::none()).ok()?;
        let mut content = signature.content(manifest.len() as u64).ok()?;
        content.read(&manifest);
        Some(content.verify().ok()?.first().copied()?.clone())
    };
    let (signer, cose_signer) = (pkcs7(&rsa).unwrap(), cose(&sig).unwrap());
    for at in 0..rsa.len() {
        let mut flipped = rsa.clone();
        flipped[at] ^= 1 << (at % 8);
        // A flipped bit in a certificate may leave the key, and so the signature, as it was; the chain then fails.
        assert!(pkcs7(&flipped).is_none_or(|found| found.public_key() == signer.public_key()), "{at}");
        assert_eq!(pkcs7(&rsa[..at]), None);
    }
    for at in 0..sig.len() {
        let mut flipped = sig.clone();
        flipped[at] ^= 1 << (at % 8);
        assert_eq!(cose(&flipped).filter(|found| *found != cose_signer), None, "{at}");
        assert_eq!(cose(&sig[..at]), None);
    }
}
