//! A folder with every kind of damaged add-on beside good ones, before `verify` and `once`.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use mulberry_lab::pki::{Incident, IncidentDates};
use mulberry_lab::stage::Stage;
use mulberry_lab::xpi_signer::zip::{self, Method};
use mulberry_lab::xpi_signer::{Addon, AddonSigner, Fault, IdPlace, SigningOptions, ZipEntry, ZipFault};
use mulberry_shared::xpi::VerdictKind;
use serde_json::Value;

use super::play::{Memory, play};

/// Every fault after which the content is not what was signed. COSE signed over other external data is not asked for
/// here: see `addon_verdicts`.
const FAULTS: [Fault; 33] = [
    Fault::ModifiedFile,
    Fault::ModifiedManifestJson,
    Fault::AddedFile,
    Fault::AddedFileInMetaInf,
    Fault::RemovedFile,
    Fault::RenamedFile,
    Fault::DuplicateName,
    Fault::DuplicateNameReversed,
    Fault::ManifestAltered,
    Fault::ManifestSectionTwice,
    Fault::ManifestWithoutVersion,
    Fault::ManifestDigestGarbled,
    Fault::ManifestMissing,
    Fault::SignatureFileAltered,
    Fault::SignatureFileWithoutVersion,
    Fault::SignatureFileMissing,
    Fault::SignatureMissing,
    Fault::SecondSignaturePair,
    Fault::SignatureBitFlipped,
    Fault::SignatureTruncated,
    Fault::SignatureTrailingData,
    Fault::SignatureNotAsn1,
    Fault::AttachedContent,
    Fault::WrongMessageDigest,
    Fault::MissingMessageDigest,
    Fault::TwoSignerInfos,
    Fault::NoSignerInfo,
    Fault::WrongSigningKey,
    Fault::EndEntityNotEmbedded,
    Fault::CoseBitFlipped,
    Fault::CoseTruncated,
    Fault::CoseTrailingData,
    Fault::CoseDeepNesting,
];

const ZIP_FAULTS: [ZipFault; 16] = [
    ZipFault::LocalNameDiffers(1),
    ZipFault::LocalMethodDiffers(1),
    ZipFault::Overlap(1),
    ZipFault::Gap(1),
    ZipFault::Prefix,
    ZipFault::Trailing,
    ZipFault::WrongCrc(1),
    ZipFault::UnderstatedSize(1),
    ZipFault::OverstatedSize(1),
    ZipFault::Encrypted(1),
    ZipFault::UnknownMethod(1),
    ZipFault::HalfStream(1),
    ZipFault::EntryCount,
    ZipFault::DirectoryOffset,
    ZipFault::TruncatedEnd,
    ZipFault::TwoEndRecords,
];

/// Makes add-ons for one issuer.
struct Maker<'a> {
    signer: AddonSigner<'a>,
}

impl Maker<'_> {
    fn entries(&self, addon: &Addon) -> Vec<ZipEntry> {
        self.signer.entries(addon).unwrap()
    }

    fn archive(&self, entries: &[ZipEntry]) -> Vec<u8> {
        zip::write(entries, self.signer.options.container, &[]).unwrap()
    }

    /// A good add-on in which the file of this name has another content.
    fn replaced(&self, name: &str, data: Vec<u8>) -> Vec<u8> {
        let mut entries = self.entries(&Addon::small("bad@lab.example.org"));
        let entry = entries.iter_mut().find(|entry| entry.name == name.as_bytes()).unwrap();
        entry.data = data;
        self.archive(&entries)
    }

    /// An add-on signed over this file beside its own.
    fn with_file(&self, name: &str, data: Vec<u8>, method: Method) -> Vec<u8> {
        let mut entries = self.entries(&Addon::small("bad@lab.example.org").with_file(name, data));
        for entry in entries.iter_mut().filter(|entry| entry.name == name.as_bytes()) {
            entry.method = method;
        }
        self.archive(&entries)
    }

    /// An add-on whose own manifest is this, signed as it is.
    fn with_manifest_json(&self, text: impl Into<Vec<u8>>) -> Vec<u8> {
        let mut addon = Addon::small("bad@lab.example.org").with_file("manifest.json", text);
        addon.id_place = IdPlace::Contents;
        self.archive(&self.entries(&addon))
    }
}

/// Odd, but nothing that is signed is other than what was signed: a Firefox takes these too, as the laboratory's oracle shows.
const TAKEN: [&str; 11] = [
    "AttachedContent",
    "CoseTrailingData",
    "SignatureTrailingData",
    "TwoSignerInfos",
    "ZipEntryCount",
    "ZipGap-1-",
    "ZipLocalMethodDiffers-1-",
    "ZipPrefix",
    "ZipTrailing",
    "ZipTwoEndRecords",
    "ratio",
];

/// Odd and damaged add-ons by file name; only those of [`TAKEN`] may be `ok`.
fn damaged(maker: &Maker<'_>) -> Vec<(String, Vec<u8>)> {
    let small = Addon::small("bad@lab.example.org");
    let mut out = Vec::new();
    for fault in FAULTS {
        let options = SigningOptions { faults: vec![fault], ..maker.signer.options.clone() };
        let signed = AddonSigner { issuer: maker.signer.issuer, options }.sign(&small).unwrap();
        out.push((format!("{fault:?}"), signed));
    }
    for fault in ZIP_FAULTS {
        let options = SigningOptions { zip_faults: vec![fault], ..maker.signer.options.clone() };
        let signed = AddonSigner { issuer: maker.signer.issuer, options }.sign(&small).unwrap();
        out.push((format!("Zip{fault:?}").replace(['(', ')'], "-"), signed));
    }
    let good = maker.signer.sign(&small).unwrap();
    for part in 1..8 {
        let cut = good.len() * part / 8;
        out.push((format!("cut-{part}"), good.get(..cut).unwrap().to_vec()));
        let mut flipped = good.clone();
        *flipped.get_mut(cut).unwrap() ^= 0x10;
        out.push((format!("flip-{part}"), flipped));
    }
    let mut add = |name: &str, bytes: Vec<u8>| out.push((name.to_owned(), bytes));
    add("empty", Vec::new());
    add("zeros", vec![0; 60 << 20]);
    add("end-records-only", b"PK\x05\x06".repeat(2 << 20));
    add("ratio", maker.with_file("zeros.bin", vec![0; 64 << 20], Method::Deflated));
    let mut many = maker.entries(&small);
    many.extend((0..60_000).map(|n| ZipEntry::new(format!("f/{n}"), "")));
    add("many-entries", maker.archive(&many));
    let mut long = maker.entries(&small);
    long.extend((0..100).map(|n| ZipEntry::new(format!("{n}{}", "n/".repeat(30_000)), "x")));
    add("long-names", maker.archive(&long));
    add("path-trick", maker.with_file("../../evil.js", b"x".to_vec(), Method::Deflated));
    add("not-utf8-name", {
        let mut entries = maker.entries(&small);
        entries.push(ZipEntry::new(b"\xff\xfe.js".to_vec(), "x"));
        maker.archive(&entries)
    });
    add("huge-pkcs7", maker.replaced("META-INF/mozilla.rsa", noise(5 << 20)));
    add("huge-cose", maker.replaced("META-INF/cose.sig", noise(5 << 20)));
    add("deep-der", maker.replaced("META-INF/mozilla.rsa", b"\x30\x80".repeat(120_000)));
    add(
        "many-cbor",
        maker.replaced(
            "META-INF/cose.sig",
            [b"\xd8\x62\x9a\x00\x03\xf0\x00".to_vec(), vec![0xa0; 258_048]].concat(),
        ),
    );
    add("tagged-cbor", maker.replaced("META-INF/cose.sig", vec![0xd8; 250_000]));
    let sections: String = (0..60_000)
        .map(|n| format!("Name: f{n}\nSHA1-Digest: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\nX-{n}: y\n\n"))
        .collect();
    add(
        "many-sections",
        maker.replaced("META-INF/manifest.mf", format!("Manifest-Version: 1.0\n\n{sections}").into()),
    );
    add("huge-manifest", maker.replaced("META-INF/manifest.mf", noise(6 << 20)));
    add("one-line-manifest", maker.replaced("META-INF/manifest.mf", vec![b'a'; 3 << 20]));
    add("deep-json", maker.with_manifest_json("[".repeat(100_000)));
    add("deep-json-member", maker.with_manifest_json(format!("{{\"a\":{}", "[".repeat(100_000))));
    add("huge-json", maker.with_manifest_json(noise(1 << 20)));
    add("json-array", maker.with_manifest_json(r#"[{"gecko":{"id":"bad@lab.example.org"}},null,"1"]"#));
    add("json-not-utf8", maker.with_manifest_json(b"{\"version\":\"\xff\"}".to_vec()));
    let duplicate =
        r#"{"applications":{"gecko":{"id":"a@x"}},"applications":{"gecko":{"id":"bad@lab.example.org"}}}"#;
    add("json-duplicate-key", maker.with_manifest_json(duplicate));
    out
}

/// Bytes that do not compress, the same every time.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut out = Vec::with_capacity(length + 8);
    while out.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        out.extend_from_slice(&state.to_le_bytes());
    }
    out.truncate(length);
    out
}

fn write(folder: &Path, name: &str, bytes: &[u8]) {
    std::fs::write(folder.join(format!("{name}.xpi")), bytes).unwrap();
}

#[test]
fn a_damaged_add_on_has_a_verdict_and_leaves_its_neighbours_alone() {
    let stage = Stage::new(None).unwrap();
    let now = Timestamp::now();
    let later = |days: i64| now.checked_add(SignedDuration::from_hours(24 * days)).unwrap();
    let incident = Incident::new(IncidentDates::expired_at(later(30)).unwrap()).unwrap();
    let anchor = stage.path("anchor.pem");
    std::fs::write(&anchor, incident.anchor.pem()).unwrap();
    let options = SigningOptions::service_of_2023(later(-10), later(300));
    let maker = Maker { signer: AddonSigner { issuer: &incident.control, options } };
    let (good, all) = (stage.path("good"), stage.path("all"));
    std::fs::create_dir(&good).unwrap();
    std::fs::create_dir(&all).unwrap();
    let mut expected = BTreeMap::new();
    for n in 0..6 {
        let name = format!("good-{n}");
        let archive = maker.signer.sign(&Addon::small(&format!("{name}@lab.example.org"))).unwrap();
        write(&good, &name, &archive);
        write(&all, &name, &archive);
        expected.insert(format!("{name}.xpi"), true);
    }
    // Large and good: 60 MB in one file that does not compress.
    let large = maker.with_file("large.bin", noise(60 << 20), Method::Stored);
    write(&all, "good-large", &large);
    drop(large);
    expected.insert("good-large.xpi".into(), true);
    // As wide as the ceilings allow: what takes most memory.
    let wide = (0..22_000).fold(Addon::small("good-wide@lab.example.org"), |addon, n| {
        addon.with_file(format!("files/{n}.js"), n.to_string())
    });
    write(&all, "good-wide", &maker.signer.sign(&wide).unwrap());
    expected.insert("good-wide.xpi".into(), true);
    for (name, bytes) in damaged(&maker) {
        write(&all, &name, &bytes);
        expected.insert(format!("{name}.xpi"), TAKEN.contains(&name.as_str()));
    }

    let agent = stage.binaries().agent();
    let verify =
        |folder: &str| play(&agent, &["verify", "--anchor", "anchor.pem", "--json", folder], stage.folder());
    let (said, idle) = verify("good");
    let _ = said.expect_code(0).unwrap();
    let memory = Memory::new("verify", idle);
    let (said, peak) = verify("all");
    memory.note("damaged add-ons", peak);
    let said = said.expect_code(1).unwrap();
    let lines: Vec<Value> = said.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let seen = lines.iter().map(|line| {
        let (verdict, detail) = (line["verdict"].as_str().unwrap(), line["detail"].as_str().unwrap());
        println!("{}: {verdict}: {detail:.120}", line["path"]);
        let _: VerdictKind = verdict.parse().unwrap();
        assert!(!detail.is_empty() && detail.len() < 2000, "{line}");
        assert!(!detail.contains("struct ") && !detail.contains("::"), "Rust words: {line}");
        (file_name(line), verdict == "ok")
    });
    assert_eq!(seen.collect::<BTreeMap<_, _>>(), expected);

    stage.init_agent("calm", &anchor, &good, &[]).unwrap();
    stage.init_agent("hit", &anchor, &all, &[]).unwrap();
    let once = |name: &str| {
        let state = format!("agents/{name}");
        play(&agent, &["once", "--json", "--state", &state], stage.folder())
    };
    // No origin answers: everything else is done.
    let (said, idle) = once("calm");
    let _ = said.expect_code(4).unwrap();
    let memory = Memory::new("once among damaged add-ons", idle);
    let (said, peak) = once("hit");
    memory.note("damaged add-ons", peak);
    let _ = said.expect_code(4).unwrap();
    let told = stage.addons("hit").unwrap();
    let enabled = told["addons"].as_array().unwrap().iter();
    let enabled: BTreeMap<_, _> = enabled.map(|addon| (file_name(addon), addon["enabled"] == true)).collect();
    assert_eq!(enabled, expected);
}

fn file_name(entry: &Value) -> String {
    let path = Path::new(entry["path"].as_str().unwrap());
    path.file_name().unwrap().to_string_lossy().into_owned()
}
