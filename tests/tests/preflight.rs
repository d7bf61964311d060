//! `mulberryctl preflight`: the right replacement passes, and every wrong one fails with its own sentence, on laboratory
//! add-ons and on the real ones of 2019.

// Clippy knows tests by their attribute and takes their helpers for other code.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use der::{Decode as _, Encode as _};
use jiff::{SignedDuration, Timestamp};
use mulberry_lab::binaries::{Binaries, workspace};
use mulberry_lab::corpus::{self, CorpusSpec, Signed};
use mulberry_lab::pki::name::end_entity_name;
use mulberry_lab::pki::{
    CertificateSpec, ExtendedKeyUse, Incident, KeyKind, LabCertificate, key, mozilla_name,
};
use mulberry_lab::process::{Said, run};
use mulberry_lab::real;
use mulberry_lab::stage::Stage;
use mulberry_lab::xpi_signer::{Addon, AddonSigner, SigningOptions};
use mulberry_shared::limits::Limits;
use mulberry_shared::x509::Certificate;
use mulberry_shared::xpi::{Policy, inspect};
use serde_json::Value;
use x509_cert::name::Name;

const EXPIRED: &str = "2019-05-04T00:09:46Z";
const DAY_AFTER: &str = "2019-05-05T00:00:00Z";

/// Twenty laboratory add-ons: of the expired intermediate twelve, of its replacement two, of the control five, of somebody
/// else's one.
struct Bench {
    folder: tempfile::TempDir,
    incident: Incident,
}

fn bench() -> &'static Bench {
    static BENCH: OnceLock<Bench> = OnceLock::new();
    BENCH.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let expired_at = EXPIRED.parse().unwrap();
        let spec =
            CorpusSpec { addons: 20, seed: 1, expired_at, keys: KeyKind::Rsa2048, signed: Signed::EveryWay };
        let (incident, _) = corpus::write(folder.path(), &spec, &|_| ()).unwrap();
        Bench { folder, incident }
    })
}

impl Bench {
    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A certificate with the subject and key of the expired intermediate, unless `change` says otherwise, issued by the anchor.
    fn like_the_replacement(&self, change: impl FnOnce(&mut CertificateSpec)) -> LabCertificate {
        let (begin, end) = self.incident.dates.replacement;
        let mut spec = CertificateSpec::ca(self.incident.expiring.subject().clone(), 0x10_0099, begin, end);
        change(&mut spec);
        spec.issued_by(&self.incident.anchor, &key(KeyKind::Rsa2048, "signing").unwrap()).unwrap()
    }
}

fn days(days: i64) -> Timestamp {
    let expired: Timestamp = EXPIRED.parse().unwrap();
    expired.checked_add(SignedDuration::from_hours(24 * days)).unwrap()
}

/// The folder of a recipe whose action is given as lines of TOML, with this certificate beside it.
fn recipe(folder: &Path, action: &str, arguments: &str, pem: &str) -> PathBuf {
    let recipe = folder.join("recipes/fix");
    fs::create_dir_all(&recipe).unwrap();
    let consent = if action.starts_with("distrust") { "security" } else { "hotfix" };
    let toml = format!(
        "slug = \"fix\"\nrevision = 1\nname = \"Fix\"\nlane = \"emergency\"\nconsent = {consent:?}\naction = {action:?}\n\
         expires = 2029-01-01T00:00:00Z\n[arguments]\n{arguments}\n[rollout]\nmax_percent = 100\n"
    );
    fs::write(recipe.join("recipe.toml"), toml).unwrap();
    fs::write(recipe.join("one.pem"), pem).unwrap();
    recipe
}

fn install(folder: &Path, pem: &str) -> PathBuf {
    recipe(folder, "install-certificates", "certificates = [\"one.pem\"]", pem)
}

fn preflight(recipe: &Path, anchor: &Path, addons: &Path, at: &str, more: &[&str]) -> Said {
    let binary = Binaries::build().unwrap().ctl();
    let mut arguments = vec!["preflight".to_owned(), recipe.display().to_string()];
    arguments.extend(["--anchor".to_owned(), anchor.display().to_string()]);
    arguments.extend(["--addons".to_owned(), addons.display().to_string(), "--at".to_owned(), at.to_owned()]);
    arguments.extend(more.iter().map(ToString::to_string));
    run(&binary, &arguments, Path::new("/")).unwrap()
}

/// The same on the laboratory's add-ons.
fn on_the_bench(recipe: &Path, at: &str, more: &[&str]) -> Said {
    let bench = bench();
    preflight(recipe, &bench.path("certificates/anchor.pem"), &bench.path("addons"), at, more)
}

fn with_json<'a>(more: &[&'a str]) -> Vec<&'a str> {
    more.iter().copied().chain(["--json"]).collect()
}

/// Kind and sentence of the failures among the findings.
fn failures(report: &Value) -> Vec<(String, String)> {
    findings(report, "failure")
}

fn findings(report: &Value, severity: &str) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let all = report["findings"].as_array().unwrap().iter().filter(|finding| finding["severity"] == severity);
    all.map(|finding| (text(&finding["kind"]), text(&finding["sentence"]))).collect()
}

#[test]
fn the_right_replacement_passes_and_says_what_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let fix = install(folder.path(), &bench().incident.replacement.pem());
    let said = on_the_bench(&fix, DAY_AFTER, &[]).expect_code(0).unwrap();
    for part in [
        "better  issuer-expired  ok              ",
        "same    unknown-issuer  unknown-issuer  ",
        "12 better, 0 worse, 0 disabled as declared, 7 work as before, 1 do not as before",
        "has the subject and the key of \"signingca1.addons.example.org\" (serial 100004), valid until 2019-05-04T00:09:46Z, which 12 add-ons came with",
        "chains to the anchor \"root-ca-laboratory\"",
        "warning  \"signingca1.addons.example.org\" (serial 100008) outlives its anchor",
        "the next certificate to run out is ",
        "\nPASSED: emergency/fix.json revision 1 (install-certificates) does what it says on 20 add-ons.",
    ] {
        assert!(said.stdout.contains(part), "{part}\n{}", said.stdout);
    }
    // The day before, nothing is wrong yet; both times together still prove that it helps.
    let report =
        on_the_bench(&fix, DAY_AFTER, &["--at", "2019-05-03T00:00:00Z", "--json"]).expect_code(0).unwrap();
    let report = report.json().unwrap();
    let better: Vec<_> =
        report["times"].as_array().unwrap().iter().map(|time| time["better"].clone()).collect();
    assert_eq!(better, [0, 12]);
    let early =
        on_the_bench(&fix, "2019-05-03T00:00:00Z", &["--json"]).expect_code(1).unwrap().json().unwrap();
    assert_eq!(
        failures(&early).iter().map(|(kind, _)| kind.as_str()).collect::<Vec<_>>(),
        ["nothing-better"]
    );
}

/// The same name with its common name in another string type: UTF8String for PrintableString, or the other way round.
fn in_another_encoding(name: &Name) -> Name {
    let mut der = name.to_der().unwrap();
    let text = b"signingca1.addons.example.org";
    let at = der.windows(text.len()).position(|window| window == text).unwrap();
    der[at - 2] = if der[at - 2] == 0x0c { 0x13 } else { 0x0c };
    Name::from_der(&der).unwrap()
}

#[test]
fn each_wrong_certificate_fails_with_its_own_sentence() {
    let (bench, folder) = (bench(), tempfile::tempdir().unwrap());
    let other_name = mozilla_name("Laboratory Signing Service", "signingca1.addons.example.com").unwrap();
    let (begin, end) = bench.incident.dates.replacement;
    let elsewhere = CertificateSpec::ca(bench.incident.expiring.subject().clone(), 7, begin, end)
        .issued_by(&bench.incident.other_anchor, &key(KeyKind::Rsa2048, "signing").unwrap())
        .unwrap();
    let cases = [
        (
            "wrong-key",
            bench.incident.wrong_key.clone(),
            "has the wrong key: its name is that of \"signingca1.addons.example.org\" (serial 100004), which 12 add-ons came with",
        ),
        (
            "wrong-subject",
            bench.like_the_replacement(|spec| spec.subject = other_name),
            "has the wrong subject: its key is that of \"signingca1.addons.example.org\" (serial 100004)",
        ),
        (
            "wrong-subject",
            bench.like_the_replacement(|spec| spec.subject = in_another_encoding(&spec.subject)),
            "the same text as \"signingca1.addons.example.org\" (serial 100004), which 12 add-ons came with, but in another \
             encoding",
        ),
        (
            "wrong-subject",
            CertificateSpec::ca(in_another_encoding(bench.incident.expiring.subject()), 8, begin, end)
                .issued_by(&bench.incident.anchor, &key(KeyKind::Rsa2048, "end entity").unwrap())
                .unwrap(),
            "and it is for another key than the old one",
        ),
        ("not-chaining", elsewhere, "does not chain to the anchor: its issuer is \"CN=root-ca-elsewhere"),
        (
            "expired",
            bench.like_the_replacement(|spec| spec.not_after = days(-1)),
            "expired at 2019-05-03T00:09:46Z: at 2019-05-05T00:00:00Z agents do not install it",
        ),
        (
            "not-yet-valid",
            bench.like_the_replacement(|spec| spec.not_before = days(30)),
            "is not yet valid: it begins at 2019-06-03T00:09:46Z",
        ),
        (
            "no-code-signing",
            bench.like_the_replacement(|spec| spec.extended_key_use = ExtendedKeyUse::ServerAuth),
            "codeSigning is missing among its extended key usages",
        ),
    ];
    for (kind, certificate, sentence) in cases {
        let fix = install(folder.path(), &certificate.pem());
        let report = on_the_bench(&fix, DAY_AFTER, &["--json"]).expect_code(1).unwrap().json().unwrap();
        assert_eq!(report["passed"], false);
        let kinds: Vec<String> = failures(&report).into_iter().map(|(kind, _)| kind).collect();
        assert_eq!(kinds, [kind, "nothing-better"], "{report:#}");
        assert!(failures(&report)[0].1.contains(sentence), "{}", failures(&report)[0].1);
        let human = on_the_bench(&fix, DAY_AFTER, &[]).expect_code(1).unwrap().stdout;
        assert!(human.contains("FAILURE  ") && human.contains("\nFAILED: "), "{human}");
    }
    // These two are no recipe at all, so they already fail as `recipe check` has it.
    let leaf = CertificateSpec::end_entity(end_entity_name("a@example.org").unwrap(), 9, begin, end)
        .issued_by(&bench.incident.control, &key(KeyKind::Rsa2048, "end entity").unwrap())
        .unwrap();
    for (certificate, sentence) in [
        (&leaf, "is a leaf: not a CA's, so it can be nobody's issuer"),
        (&bench.incident.anchor, "is self-issued, so it is a root and no intermediate"),
    ] {
        let fix = install(folder.path(), &certificate.pem());
        let said = on_the_bench(&fix, DAY_AFTER, &[]).expect_code(1).unwrap();
        assert!(said.stderr.contains(sentence), "{}", said.stderr);
    }
}

/// Whoever holds an add-on chooses what is embedded in it: a planted certificate is not "the one it replaces".
#[test]
fn a_planted_certificate_hides_no_wrong_key() {
    let (bench, folder) = (bench(), tempfile::tempdir().unwrap());
    let incident = &bench.incident;
    let (begin, end) = incident.dates.replacement;
    let planted = CertificateSpec::ca(incident.expiring.subject().clone(), 8, begin, end)
        .issued_by(&incident.other_anchor, &key(KeyKind::Rsa2048, "wrong").unwrap())
        .unwrap();
    let options = SigningOptions {
        extra_certificates: vec![planted.der().to_vec()],
        ..SigningOptions::service_of_2018(days(-300), days(300))
    };
    let bytes =
        AddonSigner { issuer: &incident.expiring, options }.sign(&Addon::small("a@example.org")).unwrap();
    let addon = folder.path().join("planted.xpi");
    fs::write(&addon, bytes).unwrap();
    let anchor = bench.path("certificates/anchor.pem");
    let ask = |certificate: &LabCertificate, code| {
        let fix = install(folder.path(), &certificate.pem());
        let said = preflight(&fix, &anchor, &addon, DAY_AFTER, &["--json"]).expect_code(code).unwrap();
        said.json().unwrap()
    };
    assert_eq!(failures(&ask(&incident.wrong_key, 1))[0].0, "wrong-key");
    assert_eq!(ask(&incident.replacement, 0)["times"][0]["better"], 1);
}

#[test]
fn a_distrust_must_disable_exactly_what_was_expected_and_names_siblings() {
    let (bench, folder) = (bench(), tempfile::tempdir().unwrap());
    let addons = folder.path().join("addons");
    fs::create_dir_all(&addons).unwrap();
    let incident = &bench.incident;
    let options = SigningOptions::service_of_2018(days(-300), days(300));
    for (name, issuer) in [
        ("a", &incident.stolen),
        ("b", &incident.stolen),
        ("c", &incident.stolen_sibling),
        ("d", &incident.control),
    ] {
        let signer = AddonSigner { issuer, options: options.clone() };
        let bytes = signer.sign(&Addon::small(&format!("{name}@example.org"))).unwrap();
        fs::write(addons.join(format!("{name}.xpi")), bytes).unwrap();
    }
    let anchor = bench.path("certificates/anchor.pem");
    let stolen = incident.stolen.pem();
    let by = |by: &str| {
        let arguments = format!("certificates = [\"one.pem\"]\nby = {by:?}");
        recipe(folder.path(), "distrust-certificates", &arguments, &stolen)
    };
    let ask = |fix: &Path, more: &[&str], code| {
        let said = preflight(fix, &anchor, &addons, DAY_AFTER, &with_json(more)).expect_code(code).unwrap();
        said.json().unwrap()
    };
    let key = by("key");
    let passed = ask(&key, &["--expect-disabled", "3"], 0);
    assert_eq!((&passed["times"][0]["disabled"], &passed["times"][0]["worse"]), (&3.into(), &0.into()));
    let notes = findings(&passed, "note");
    let shares = "(serial 100021) is distrusted and shares its key with \"signingca2.addons.example.org\" (serial 100020); 1 add-on came with it";
    assert!(notes.iter().any(|(_, sentence)| sentence.contains(shares)), "{notes:#?}");
    let wrong = failures(&ask(&key, &["--expect-disabled", "2"], 1));
    assert!(wrong[0].1.contains("it disables 3 add-ons, and 2 were expected"), "{wrong:?}");
    let unsaid = failures(&ask(&key, &[], 1));
    assert!(unsaid[0].1.contains("it disables 3 add-ons, and nobody said how many"), "{unsaid:?}");

    let serial = ask(&by("issuer-and-serial"), &["--expect-disabled", "2"], 0);
    let warnings = findings(&serial, "warning");
    assert!(
        warnings.iter().any(|(kind, sentence)| kind == "sibling-stays-trusted"
            && sentence.contains("(serial 100021) stays trusted, although it has the key of")),
        "{warnings:#?}"
    );
    let at_anchor = recipe(
        folder.path(),
        "distrust-certificates",
        "certificates = [\"one.pem\"]\nby = \"key\"",
        &incident.anchor.pem(),
    );
    let refused = failures(&ask(&at_anchor, &["--expect-disabled", "4"], 1));
    assert_eq!(refused[0].0, "distrusts-anchor");
}

#[test]
fn a_hold_says_what_it_does_and_a_re_verification_needs_something_new() {
    let folder = tempfile::tempdir().unwrap();
    let hold = recipe(folder.path(), "hold-verification", "until = 2019-05-20T00:00:00Z", "");
    let report = on_the_bench(&hold, DAY_AFTER, &["--json"]).expect_code(0).unwrap().json().unwrap();
    let notes = findings(&report, "note");
    assert!(notes.iter().any(|(kind, s)| kind == "holds" && s.contains("2019-05-20T00:00:00Z")), "{notes:?}");

    let again = recipe(folder.path(), "reverify-addons", "addons = \"all\"", "");
    let alone = on_the_bench(&again, DAY_AFTER, &["--json"]).expect_code(1).unwrap().json().unwrap();
    assert_eq!(failures(&alone)[0].0, "nothing-better");
    assert!(failures(&alone)[0].1.ends_with("7 ok, 1 unknown-issuer, 12 issuer-expired"), "{alone:#}");
    let replacement = bench().path("certificates/replacement.pem");
    let more = ["--certificate", replacement.to_str().unwrap(), "--json"];
    let report = on_the_bench(&again, DAY_AFTER, &more).expect_code(0).unwrap().json().unwrap();
    assert_eq!(report["times"][0]["better"], 12);
    let usage = on_the_bench(&again, DAY_AFTER, &["--expect-disabled", "1"]).expect_code(2).unwrap();
    assert!(usage.stderr.contains("--expect-disabled is for a distrust"), "{}", usage.stderr);
}

#[test]
fn what_cannot_be_read_is_counted_and_stays_its_own_problem() {
    let folder = tempfile::tempdir().unwrap();
    let fix = install(folder.path(), &bench().incident.replacement.pem());
    let report = on_the_bench(&fix, DAY_AFTER, &["--addons", "/dev/null", "--json"])
        .expect_code(0)
        .unwrap()
        .json()
        .unwrap();
    assert_eq!(report["unread"][0]["key"], "/dev/null");
    assert_eq!((&report["addons"].as_array().unwrap().len(), &report["passed"]), (&20, &true.into()));
    let kinds = findings(&report, "warning").into_iter().map(|(kind, _)| kind);
    assert!(kinds.into_iter().any(|kind| kind == "unreadable"));
}

#[test]
fn publish_shows_the_preflight_of_exactly_these_bytes() {
    let mut stage = Stage::new(None).unwrap();
    stage.start_server().unwrap();
    let fix = install(stage.folder(), &bench().incident.replacement.pem());
    on_the_bench(&fix, DAY_AFTER, &[]).expect_code(0).unwrap();
    let key = |person: u8| format!("authority/people/person-{person}/emergency.pem");
    let unasked = stage.ctl(&["publish", "recipes/fix", "--key", &key(1), "--key", &key(2)]).unwrap();
    let unasked = unasked.expect_code(2).unwrap();
    assert!(unasked.stderr.contains("Nothing was published: there is no terminal"), "{}", unasked.stderr);
    assert_eq!(stage.ctl(&["status", "--json"]).unwrap().json().unwrap()["recipes"], serde_json::json!([]));

    let text = fs::read_to_string(fix.join(".preflight.json")).unwrap();
    let formats = fs::read_to_string(workspace().join("shared/docs/formats.md")).unwrap();
    let (_, example) = formats.split_once("```json preflight\n").unwrap();
    let (example, _) = example.split_once("\n```").unwrap();
    let members = |text: &str| -> Vec<String> {
        text.lines().map(|line| line.split_once(':').map_or(line, |(key, _)| key).to_owned()).collect()
    };
    assert_eq!(members(&text), members(example), "shared/docs/formats.md shows another form");
    serde_json::from_str::<Value>(example).unwrap();

    let said = stage.publish("emergency", "recipes/fix").unwrap().stdout;
    assert!(said.contains("preflight  emergency/fix.json: passed "), "{said}");
    assert!(
        said.contains("as of 2019-05-05 00:00:00Z: 12 better, 0 worse, 0 disabled as declared"),
        "{said}"
    );

    let toml = fs::read_to_string(fix.join("recipe.toml")).unwrap();
    fs::write(fix.join("recipe.toml"), toml.replace("revision = 1", "revision = 2")).unwrap();
    let said = stage.publish("emergency", "recipes/fix").unwrap().stdout;
    assert!(said.contains("preflight  emergency/fix.json: NONE of exactly these bytes"), "{said}");

    fs::remove_file(fix.join(".preflight.json")).unwrap();
    fs::write(fix.join("recipe.toml"), toml.replace("revision = 1", "revision = 3")).unwrap();
    let said = stage.publish("emergency", "recipes/fix").unwrap().stdout;
    assert!(
        said.contains("preflight  emergency/fix.json: NONE. Run: mulberryctl preflight recipes/fix "),
        "{said}"
    );
}

#[test]
fn a_failed_preflight_stops_a_publish_whatever_was_edited_since() {
    let mut stage = Stage::new(None).unwrap();
    stage.start_server().unwrap();
    let fix = install(stage.folder(), &bench().incident.wrong_key.pem());
    on_the_bench(&fix, DAY_AFTER, &[]).expect_code(1).unwrap();
    let key = |person: u8| format!("authority/people/person-{person}/emergency.pem");
    let publish = |more: &[&str]| {
        let publish = ["publish", "recipes/fix", "--key", &key(1), "--key", &key(2), "--yes"];
        stage.ctl(&[&publish[..], more].concat()).unwrap()
    };
    let refused = publish(&["--json"]).expect_code(1).unwrap().json().unwrap();
    assert_eq!(refused["error"]["kind"], "preflight-failed");
    // One comma, and nothing has looked at it.
    let toml = fs::read_to_string(fix.join("recipe.toml")).unwrap();
    fs::write(fix.join("recipe.toml"), toml.replace("name = \"", "name = \"Now, ")).unwrap();
    let edited = publish(&[]).expect_code(1).unwrap();
    assert!(
        edited.stdout.contains("The recipe has changed since, and no preflight shows that this helps"),
        "{edited:?}"
    );
    assert!(
        edited.stderr.contains("Nothing was signed") && edited.stderr.contains("--despite-preflight"),
        "{edited:?}"
    );
    let proposed = ["propose", "recipes/fix", "--key", &key(1), "--yes"];
    stage.ctl(&proposed).unwrap().expect_code(1).unwrap();
    assert_eq!(stage.ctl(&["status", "--json"]).unwrap().json().unwrap()["recipes"], serde_json::json!([]));

    // Whoever signs next reads of it, who has not the folder.
    let despite = ["--despite-preflight", "the bench has the old add-ons"];
    let proposed = [&proposed[..], &despite].concat();
    let made =
        stage.ctl(&[&proposed[..], &["--json"]].concat()).unwrap().expect_code(0).unwrap().json().unwrap();
    let id = made["id"].as_str().unwrap();
    let sign = ["sign", id, "--key", &key(2)];
    let read = stage.ctl(&sign).unwrap().expect_code(2).unwrap();
    for part in
        ["PREFLIGHT FAILED", "nobody signed it", "emergency/fix.json", "\"the bench has the old add-ons\""]
    {
        assert!(read.stdout.contains(part), "{part}: {read:?}");
    }
    stage.ctl(&["proposals", "drop", id, "--reason", "seen"]).unwrap().expect_code(0).unwrap();
    let told = publish(&despite).expect_code(0).unwrap();
    assert!(told.stderr.contains("failed, and it is signed all the same: \"the bench"), "{told:?}");
    // A preflight that passes settles it.
    install(stage.folder(), &bench().incident.replacement.pem());
    on_the_bench(&fix, DAY_AFTER, &[]).expect_code(0).unwrap();
    let toml = fs::read_to_string(fix.join("recipe.toml")).unwrap();
    fs::write(fix.join("recipe.toml"), toml.replace("revision = 1", "revision = 2")).unwrap();
    publish(&[]).expect_code(0).unwrap();
}

/// What can be tried on the real add-ons without the real root's key.
#[test]
fn the_real_replacement_of_2019_passes_and_the_wrong_ones_fail() {
    let Some(real) = real::folder_or_skip("preflight on the real add-ons of 2019") else { return };
    let folder = tempfile::tempdir().unwrap();
    let pem = |name: &str| fs::read_to_string(real.join(format!("certs/amo-prod-{name}.pem"))).unwrap();
    let anchor = real.join("certs/amo-prod-root-2015.pem");
    let ask = |pem: &str, at: &str, code| {
        let fix = install(folder.path(), pem);
        let more = ["--signature", "pkcs7", "--json"];
        preflight(&fix, &anchor, &real.join("addons"), at, &more).expect_code(code).unwrap()
    };
    let replacement = pem("int-signingca1-REPLACEMENT-2019");
    let report = ask(&replacement, DAY_AFTER, 0).json().unwrap();
    assert_eq!((&report["times"][0]["better"], &report["times"][0]["worse"]), (&15.into(), &0.into()));
    assert_eq!((report["addons"].as_array().unwrap().len(), &report["passed"]), (52, &true.into()));
    let notes = findings(&report, "note");
    let replaces = "has the subject and the key of \"signingca1.addons.mozilla.org\" (serial 100004), valid until 2019-05-04T00:09:46Z";
    for sentence in [replaces, "the next certificate to run out is "] {
        assert!(notes.iter().any(|(_, said)| said.contains(sentence)), "{sentence}\n{notes:#?}");
    }
    assert!(findings(&report, "warning")[0].1.contains("outlives its anchor"), "{report:#}");

    let bench = bench();
    for (certificate, at, kind) in [
        (pem("int-signingca1-EXPIRED-2019-05-04"), DAY_AFTER, "expired"),
        (replacement, "2015-04-01T00:00:00Z", "not-yet-valid"),
        (bench.incident.replacement.pem(), DAY_AFTER, "not-chaining"),
        (pem("int-2015-production-signing-ca"), DAY_AFTER, "nothing-better"),
    ] {
        let report = ask(&certificate, at, 1).json().unwrap();
        assert_eq!(failures(&report)[0].0, kind, "{report:#}");
    }
    let addon = fs::read(real.join("addons/05899df4-restartless.xpi")).unwrap();
    let inspection = inspect(&addon, &Policy::firefox(), &Limits::default()).unwrap();
    let leaf: &Certificate = inspection.signers().next().unwrap();
    for (certificate, sentence) in [(leaf.to_pem(), "is a leaf: "), (pem("root-2015"), "so it is a root")] {
        let said = ask(&certificate, DAY_AFTER, 1);
        assert!(said.stderr.contains(sentence), "{}", said.stderr);
    }
}
