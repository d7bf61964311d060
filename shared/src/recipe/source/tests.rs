//! Sources, good and bad, and what is said about them.

use std::io;

use super::*;
use crate::explain::Explain as _;
use crate::recipe::{
    Action, DistrustCertificates, HoldVerification, InstallCertificates, ReverifyAddons, arbitrary,
};
use jiff::Timestamp;
use proptest::prelude::*;
use std::collections::BTreeSet;

const WARNINGS: [SourceProblemKind; 3] = [
    SourceProblemKind::DoubtfulWord,
    SourceProblemKind::DoubtfulRange,
    SourceProblemKind::DoubtfulCertificate,
];

const GOOD: &str = r#"
slug = "example"
revision = 2
name = "Example"
lane = "emergency"
consent = "hotfix"
action = "install-certificates"
expires = 2019-06-01T00:00:00Z
[arguments]
certificates = ["good.pem"]
[targeting]
channels = ["release", "beta"]
versions = ">=60, <67"
[rollout]
max_percent = 12.5
"#;

fn files(name: &str) -> io::Result<Vec<u8>> {
    let certificates = arbitrary::certificates();
    match name {
        "good.pem" => Ok(certificates[0].to_pem().into_bytes()),
        "both.pem" => Ok((certificates[0].to_pem() + &certificates[1].to_pem()).into_bytes()),
        "anchor.pem" => Ok(certificates[3].to_pem().into_bytes()),
        "key.pem" => Ok(b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n".to_vec()),
        "text.pem" => Ok(b"not a certificate".to_vec()),
        "huge.pem" => Ok(vec![b'\n'; 1 << 20]),
        _ => Err(io::Error::other("there is no such file")),
    }
}

fn read_text(text: &str) -> Result<Recipe, SourceErrors> {
    read("recipe.toml", text, &mut files, &Limits::default())
}

#[test]
fn a_recipe_reads_with_its_defaults() {
    let recipe = read_text(GOOD).unwrap();
    assert_eq!(recipe.path().to_string(), "emergency/example.json");
    assert_eq!(
        recipe.rollout,
        Rollout { namespace: "example".into(), max_percent: "12.5".parse().unwrap(), plan: Vec::new() }
    );
    assert_eq!((recipe.on_end, recipe.opens, recipe.starts), (OnEnd::Keep, Opens::Server, None));
    let Action::InstallCertificates(InstallCertificates { certificates }) = &recipe.action else {
        panic!("{recipe:?}")
    };
    assert_eq!(certificates, &arbitrary::certificates()[..1]);
    assert_eq!(published::read(&recipe.path(), &published::write(&recipe), &Limits::default()), Ok(recipe));
}

#[test]
fn a_plan_reads_in_both_forms_of_toml_and_one_without_it_has_none() {
    let inline = r#"plan = [{ percent = 1, bake = "1h 30m" }, { percent = 12.5, max_failure_percent = 2, min_reports = 50 }]"#;
    let tables = "[[rollout.plan]]\npercent = 1\nbake = \"90m\"\n[[rollout.plan]]\npercent = 12.5\n\
                  max_failure_percent = 2\nmin_reports = 50\n";
    let read = |plan: &str| read_text(&format!("{GOOD}{plan}\n")).unwrap();
    let recipe = read(inline);
    assert_eq!(recipe, read(tables));
    let [first, last] = recipe.rollout.plan.as_slice() else { panic!("{recipe:?}") };
    assert_eq!((first.percent.get(), first.bake.as_secs(), &first.health), (100, 5_400, &None));
    assert_eq!((last.percent.get(), last.bake.as_secs()), (1_250, 0));
    assert_eq!(last.health.as_ref().map(|h| (h.max_failure_percent.get(), h.min_reports)), Some((200, 50)));
    assert_eq!(published::read(&recipe.path(), &published::write(&recipe), &Limits::default()), Ok(recipe));
    assert!(read("").rollout.plan.is_empty());
}

#[test]
fn what_is_wrong_with_a_plan_is_named() {
    let many = format!("[{}]", "{ percent = 1 }, ".repeat(17));
    for (plan, key, what) in [
        ("[]", "rollout.plan", "empty"),
        ("5", "rollout.plan", "not a list of tables"),
        ("[5]", "rollout.plan", "not a list of tables"),
        (many.as_str(), "rollout.plan", "17 entries"),
        ("[{}]", "rollout.plan.percent", "missing"),
        ("[{ percent = 101 }]", "rollout.plan.percent", "not a percentage"),
        ("[{ percent = 1, rings = [] }]", "rollout.plan.rings", "not known"),
        ("[{ percent = 1, bake = 15 }]", "rollout.plan.bake", "not text"),
        ("[{ percent = 1, bake = \"a while\" }]", "rollout.plan.bake", "not a length of time"),
        ("[{ percent = 1, bake = \"-1m\" }]", "rollout.plan", "bake is 1m ago"),
        ("[{ percent = 1, bake = \"1ms\" }]", "rollout.plan", "whole seconds"),
        ("[{ percent = 1, bake = \"721h\" }]", "rollout.plan", "30 days"),
        ("[{ percent = 0 }]", "rollout.plan", "reaches nobody"),
        ("[{ percent = 5 }, { percent = 5 }]", "rollout.plan", "wider than the one before"),
        ("[{ percent = 12.51 }]", "rollout.plan", "wider than max_percent, 12.5%"),
        ("[{ percent = 1, min_reports = 9 }]", "rollout.plan.max_failure_percent", "missing"),
        ("[{ percent = 1, max_failure_percent = 2 }]", "rollout.plan.min_reports", "missing"),
        ("[{ percent = 1, max_failure_percent = 2, min_reports = 0 }]", "rollout.plan", "min_reports"),
    ] {
        let errors = read_text(&format!("{GOOD}plan = {plan}\n")).expect_err(plan);
        let [problem] = errors.problems.as_slice() else { panic!("{plan}: {errors}") };
        assert_eq!(problem.key, key, "{plan}: {problem}");
        assert!(problem.what.contains(what), "{plan}: {problem}");
        assert_eq!(problem.line, 16, "{plan}: {problem}");
    }
}

/// One replacement in the good recipe, and what must be said: line, key, words of the problem and of the remedy.
#[test]
fn each_problem_has_its_line_key_and_remedy() {
    let mut kinds = BTreeSet::from([SourceProblemKind::SlugTwice]);
    for (from, to, line, key, what, remedy) in [
        ("revision = 2", "revison = 2", 3, "revison", "not known", "did you mean \"revision\"?"),
        ("revision = 2", "", 1, "revision", "missing", "whole number"),
        ("revision = 2", "revision = \"2\"", 3, "revision", "is text", "whole number"),
        ("revision = 2", "revision = 0", 3, "revision", "is 0", "begin at 1"),
        ("revision = 2", "revision = -1", 3, "revision", "not a whole number", ""),
        ("slug = \"example\"", "slug = \"Exämple\"", 2, "slug", "not a slug", "short name"),
        ("\"Example\"", "\"\"", 4, "name", "empty", "one line"),
        ("\"emergency\"", "\"emergencie\"", 5, "lane", "emergencie", "did you mean \"emergency\"?"),
        ("\"hotfix\"", "\"study\"", 6, "consent", "emergency lane never carries a study", "hotfix"),
        ("\"hotfix\"", "\"message\"", 6, "consent", "message", "hotfix"),
        (
            "\"install-certificates\"",
            "\"install-certificate\"",
            7,
            "action",
            "not known",
            "install-certificates",
        ),
        ("2019-06-01T00:00:00Z", "2019-06-01T00:00:00", 8, "expires", "no offset", "2019-05-05T00:00:00Z"),
        ("2019-06-01T00:00:00Z", "\"2019-06-01 00:00\"", 8, "expires", "no offset", ""),
        ("2019-06-01T00:00:00Z", "\"soon\"", 8, "expires", "not a time", ""),
        ("2019-06-01T00:00:00Z", "9999-12-31T23:59:59Z", 8, "expires", "after the last there is here", ""),
        (
            "2019-06-01T00:00:00Z",
            "\"10000-01-01T00:00:00Z\"",
            8,
            "expires",
            "after the last there is here",
            "",
        ),
        ("2019-06-01T00:00:00Z", "20190601", 8, "expires", "a number", ""),
        (
            "\n[arguments]",
            "\nstarts = 2019-07-01T00:00:00Z\n[arguments]",
            8,
            "expires",
            "not after it starts",
            "later",
        ),
        (
            "\n[arguments]",
            "\non_end = \"kept\"\n[arguments]",
            9,
            "on_end",
            "not known",
            "did you mean \"keep\"?",
        ),
        ("\n[arguments]", "\nopens = \"peple\"\n[arguments]", 9, "opens", "not known", "people"),
        (
            "\n[arguments]",
            "\ncapabilities = [\"teleport\"]\n[arguments]",
            9,
            "capabilities",
            "teleport",
            "action.",
        ),
        ("\n[arguments]", "\nschema_version = 2\n[arguments]", 9, "schema_version", "not known", "write 1"),
        ("[\"good.pem\"]", "\"good.pem\"", 10, "arguments.certificates", "text, not a list", "[\""),
        ("[\"good.pem\"]", "[]", 10, "arguments.certificates", "empty", "at least one"),
        ("[\"good.pem\"]", "[7]", 10, "arguments.certificates", "a number, not text", "quotation"),
        ("good.pem", "none.pem", 10, "arguments.certificates", "none.pem: there is no such file", "beside"),
        (
            "good.pem",
            "../good.pem",
            10,
            "arguments.certificates",
            "not the name of a file beside",
            "bare name",
        ),
        ("good.pem", "key.pem", 10, "arguments.certificates", "private key", "certificate alone"),
        ("good.pem", "text.pem", 10, "arguments.certificates", "text.pem", "PEM"),
        ("good.pem", "huge.pem", 10, "arguments.certificates", "bytes, more than", ""),
        ("good.pem", "anchor.pem", 10, "arguments.certificates", "self-issued", "intermediate"),
        (
            "[\"good.pem\"]",
            "[\"good.pem\", \"both.pem\"]",
            10,
            "arguments.certificates",
            "twice",
            "leave one",
        ),
        ("certificates =", "certificate =", 10, "arguments.certificate", "not known", "\"certificates\""),
        ("[targeting]", "[targetting]", 11, "targetting", "not known", "did you mean \"targeting\"?"),
        ("[\"release\", \"beta\"]", "[]", 12, "targeting.channels", "empty", "leave the key out"),
        ("\"beta\"", "\"release\"", 12, "targeting.channels", "twice", "leave one"),
        (">=60, <67", ">=67, <60", 13, "targeting.versions", "no version can match", ">=60, <67"),
        (">=60, <67", ">=68.0.0-b3", 13, "targeting.versions", "write 68.0b3", "67.*"),
        (">=60, <67", "newest", 13, "targeting.versions", "not a range", ""),
        ("\n[rollout]", "\nlocales = [\"de_AT\"]\n[rollout]", 14, "targeting.locales", "de_AT", "de-AT"),
        ("\n[rollout]", "\ncountries = [\"at\"]\n[rollout]", 14, "targeting.countries", "at", "AT"),
        (
            "\n[rollout]",
            "\nexpression = \"x\"\n[rollout]",
            14,
            "targeting.expression",
            "not known",
            "known here",
        ),
        ("12.5", "101", 15, "rollout.max_percent", "101 is not a percentage", "0 to 100"),
        ("12.5", "0.125", 15, "rollout.max_percent", "not a percentage", "two decimals"),
        ("12.5", "\"12.5\"", 15, "rollout.max_percent", "is text", ""),
        ("12.5", "-1", 15, "rollout.max_percent", "not a percentage", ""),
        ("max_percent = 12.5", "", 14, "rollout.max_percent", "missing", "0 to 100"),
        ("[rollout]\nmax_percent = 12.5", "", 1, "rollout", "missing", "add a table [rollout]"),
        (
            "[rollout]\nmax_percent = 12.5",
            "[[rollout]]",
            14,
            "rollout",
            "a list of tables, not a table",
            "[rollout]",
        ),
        ("revision = 2", "revision = = 2", 3, "recipe.toml", "", "syntax"),
    ] {
        assert!(GOOD.contains(from), "{from}");
        let problems = read_text(&GOOD.replacen(from, to, 1)).unwrap_err().problems;
        let found = problems
            .iter()
            .any(|p| p.line == line && p.key == key && p.what.contains(what) && p.remedy.contains(remedy));
        assert!(found, "{from} -> {to}: {problems:#?}");
        kinds.extend(problems.iter().map(|problem| problem.kind));
    }
    // Two recipes with one slug are found where recipes are checked together, warnings by `doubts`; all others are above.
    kinds.extend(WARNINGS);
    assert_eq!(kinds.into_iter().collect::<Vec<_>>(), SourceProblemKind::ALL);
}

#[test]
fn all_problems_are_reported_at_once_in_the_order_of_lines() {
    let text = GOOD
        .replace("revision = 2", "revision = \"two\"")
        .replace("\"hotfix\"", "\"study\"")
        .replace("good.pem", "none.pem")
        .replace("channels", "chanels")
        .replace(">=60, <67", ">=67, <60")
        .replace("12.5", "250");
    let errors = read_text(&text).unwrap_err();
    let places: Vec<_> = errors.problems.iter().map(|p| (p.line, p.key.as_str())).collect();
    let expected = [
        (3, "revision"),
        (6, "consent"),
        (10, "arguments.certificates"),
        (12, "targeting.chanels"),
        (13, "targeting.versions"),
        (15, "rollout.max_percent"),
    ];
    assert_eq!(places, expected, "{errors}");
    assert_eq!(errors.to_string().lines().count(), 6);
    assert!(errors.to_string().starts_with("recipe.toml:3: revision: is text, not a whole number"));
}

fn with(action: &str, arguments: &str) -> Result<Action, String> {
    let text =
        GOOD.replace("install-certificates", action).replace("certificates = [\"good.pem\"]", arguments);
    read_text(&text).map(|recipe| recipe.action).map_err(|errors| errors.to_string())
}

#[test]
fn each_action_has_its_arguments() {
    use crate::recipe::{DistrustEntry, WhichAddons};
    let certificates = arbitrary::certificates();
    let keys = |entries: &[usize]| {
        Action::DistrustCertificates(DistrustCertificates {
            by: entries.iter().map(|i| DistrustEntry::Spki(certificates[*i].spki_sha256())).collect(),
        })
    };
    assert_eq!(
        with("reverify-addons", "addons = \"disabled\""),
        Ok(ReverifyAddons { which: WhichAddons::Disabled }.into())
    );
    assert!(
        with("reverify-addons", "")
            .unwrap_err()
            .contains("arguments.addons: is missing; write one of \"all\" or \"disabled\"")
    );
    let until = Action::from(HoldVerification { until: "2019-05-06T10:00:00Z".parse().unwrap() });
    assert_eq!(with("hold-verification", "until = 2019-05-06T12:00:00+02:00"), Ok(until));
    let error = with("hold-verification", "until = 2019-06-02T00:00:00Z").unwrap_err();
    assert!(error.contains("recipe.toml:10: arguments.until: the hold lasts until"), "{error}");
    assert_eq!(
        with("distrust-certificates", "certificates = [\"both.pem\"]\nby = \"key\""),
        Ok(keys(&[0, 1]))
    );
    let spki = format!("spki_sha256 = [\"{}\"]", certificates[2].spki_sha256());
    assert_eq!(with("distrust-certificates", &spki), Ok(keys(&[2])));
    let both = format!("certificates = [\"good.pem\"]\nby = \"key\"\n{spki}");
    assert_eq!(with("distrust-certificates", &both), Ok(keys(&[0, 2])));
    let one = DistrustEntry::IssuerSerial {
        issuer: certificates[0].issuer_der().to_vec(),
        serial: certificates[0].serial().to_vec(),
    };
    assert_eq!(
        with("distrust-certificates", "certificates = [\"good.pem\"]\nby = \"issuer-and-serial\""),
        Ok(DistrustCertificates { by: vec![one] }.into())
    );
    for (arguments, words) in [
        ("certificates = [\"good.pem\"]", "arguments.by: is missing"),
        ("", "arguments.certificates: is missing"),
        ("spki_sha256 = [\"abc\"]", "arguments.spki_sha256: \"abc\": not a SHA-256"),
        ("certificates = [\"good.pem\"]\nby = \"name\"", "arguments.by: \"name\" is not known"),
    ] {
        let error = with("distrust-certificates", arguments).unwrap_err();
        assert!(error.contains(words), "{error}");
    }
    let long = GOOD
        .replace(
            "expires = 2019-06-01T00:00:00Z",
            "expires = 2020-01-01T00:00:00Z\nstarts = 2019-05-01T00:00:00Z",
        )
        .replace("install-certificates", "hold-verification")
        .replace("certificates = [\"good.pem\"]", "until = 2019-07-01T00:00:00Z");
    assert!(read_text(&long).unwrap_err().to_string().contains("more than 30 days after"));
}

#[test]
fn too_many_files_and_too_large_sources_are_refused_before_reading_them() {
    let names: Vec<_> = (0..17).map(|n| format!("\"{n}.pem\"")).collect();
    let text = GOOD.replace("\"good.pem\"", &names.join(", "));
    let mut asked = 0;
    let mut files = |_: &str| {
        asked += 1;
        Err(io::ErrorKind::NotFound.into())
    };
    let errors = read("r", &text, &mut files, &Limits::default()).unwrap_err().to_string();
    assert!(errors.contains("17 files, more than 16"), "{errors}");
    assert_eq!(asked, 0);
    let large = GOOD.to_owned() + &"#".repeat(Limits::default().recipe.bytes);
    assert!(read_text(&large).unwrap_err().to_string().contains("bytes, more than"));
}

#[test]
fn deeply_nested_sources_are_refused_without_exhausting_the_stack() {
    let deep = 60_000;
    for text in [
        format!("a = {}", "[".repeat(deep)),
        format!("a = {}1{}", "[".repeat(deep), "]".repeat(deep)),
        format!("a = {}", "{a=".repeat(deep)),
        format!("[{}a]", "a.".repeat(deep)),
        format!("{}a = 1", "a.".repeat(deep)),
        format!("targeting.{}a = 1", "a.".repeat(deep)),
    ] {
        assert!(!read_text(&text).unwrap_err().problems.is_empty());
    }
}

/// What stands round a text is published with it, so it must be such as clients read.
#[test]
fn space_round_a_text_that_clients_would_refuse_is_refused_here() {
    let long = format!("name = \"Example{}\"", " ".repeat(Limits::default().recipe.name));
    for (from, to) in [
        ("name = \"Example\"", "name = \"Example\\n\""),
        ("name = \"Example\"", "name = \"\\tExample\""),
        ("name = \"Example\"", long.as_str()),
        ("\"release\"", "\"\\trelease\""),
    ] {
        assert!(GOOD.contains(from), "{from}");
        assert!(read_text(&GOOD.replacen(from, to, 1)).is_err(), "{to}");
    }
    let recipe = read_text(&GOOD.replacen("\"release\"", "\" release\"", 1)).unwrap();
    assert_eq!(published::read(&recipe.path(), &published::write(&recipe), &Limits::default()), Ok(recipe));
}

proptest! {
    /// Whatever people (or their editors) do to a file: a recipe or problems, never a panic; and lines exist.
    #[test]
    fn damaged_sources_do_not_panic(at: prop::sample::Index, len in 0..20_usize, by in "[ -~\n\"\\[\\]=.é☃]{0,8}") {
        let chars: Vec<char> = GOOD.chars().collect();
        let at = at.index(chars.len());
        let text: String = chars[..at].iter().chain(by.chars().collect::<Vec<_>>().iter())
            .chain(chars.iter().skip(at + len)).collect();
        match read_text(&text) {
            Ok(recipe) => {
                let bytes = published::write(&recipe);
                prop_assert_eq!(published::read(&recipe.path(), &bytes, &Limits::default()), Ok(recipe));
            }
            Err(errors) => {
                prop_assert!(!errors.problems.is_empty());
                for problem in errors.problems {
                    prop_assert!((1..=1 + text.matches('\n').count()).contains(&problem.line));
                    prop_assert!(!problem.remedy.is_empty() && !problem.key.is_empty());
                }
            }
        }
    }

    #[test]
    fn no_text_panics(text in "\\PC{0,200}") {
        prop_assert!(read_text(&text).is_err());
    }
}

#[test]
fn what_is_legal_and_probably_not_meant_is_warned_of_with_its_line() {
    let told = |from: &str, to: &str, known: &KnownWords| {
        assert!(GOOD.contains(from), "{from}");
        let now = "2019-05-04T00:00:00Z".parse().unwrap();
        doubts("recipe.toml", &GOOD.replacen(from, to, 1), None, known, now, &Limits::default())
    };
    let known = KnownWords::default();
    let kinds: BTreeSet<_> = [
        ("\"release\", \"beta\"", "\n\"beta\",\n\"relase\"", 14, "channels", "did you mean \"release\"?"),
        ("\n[rollout]", "\nos = [\"windwos\"]\n[rollout]", 14, "os", "did you mean \"windows\"?"),
        ("\n[rollout]", "\narch = [\"x86-64\"]\n[rollout]", 14, "arch", "did you mean \"x86_64\"?"),
        ("\n[rollout]", "\ncountries = [\"UK\"]\n[rollout]", 14, "countries", "did you mean \"GB\"?"),
        ("\n[rollout]", "\nlocales = [\"jp\"]\n[rollout]", 14, "locales", "did you mean \"ja\"?"),
        (">=60, <67", "=66.0", 13, "versions", "write \"66.0.*\""),
        (">=60, <67", "=68.0esr", 13, "versions", "for ESR alone write channels = [\"esr\"]"),
        (">=60, <67", ">=60.0esr, <68", 13, "versions", "for ESR alone write channels = [\"esr\"]"),
    ]
    .map(|(from, to, line, key, remedy)| {
        let told = told(from, to, &known);
        let [doubt] = told.as_slice() else { panic!("{to}: {told:?}") };
        assert_eq!((doubt.line, doubt.key.as_str()), (line, format!("targeting.{key}").as_str()), "{doubt}");
        assert!(doubt.remedy.starts_with(remedy), "{doubt}");
        assert!(read_text(&GOOD.replacen(from, to, 1)).is_ok(), "{to} is legal");
        doubt.kind
    })
    .into();
    assert_eq!(Vec::from_iter(kinds), WARNINGS[..2]);
    let esr = GOOD.replace("\"release\", \"beta\"", "\"esr\"").replace(">=60, <67", "=68.0esr");
    assert_eq!(doubts("recipe.toml", &esr, None, &known, Timestamp::UNIX_EPOCH, &Limits::default()), []);
    // A fleet that names its channels has no others; and what is an error is not warned of besides.
    assert_eq!(
        told("", "", &KnownWords::with_channels(vec!["release".into()]))[0].what,
        "\"beta\" is not a known channel"
    );
    assert_eq!(told("\n[rollout]", "\ncountries = [\"at\"]\n[rollout]", &known), []);
    assert_eq!((told("", "", &known), told("revision = 2", "= = 2", &known)), (Vec::new(), Vec::new()));
}

#[test]
fn a_certificate_that_agents_cannot_install_while_the_recipe_is_valid_is_warned_of() {
    let recipe = read_text(GOOD).unwrap();
    let certificate = &arbitrary::certificates()[0];
    let (begins, ends) = (certificate.not_before(), certificate.not_after());
    let hour = jiff::SignedDuration::from_hours(1);
    let said = |starts, expires, now| {
        let recipe = Recipe { starts, expires, ..recipe.clone() };
        let limits = Limits::default();
        doubts("recipe.toml", GOOD, Some(&recipe), &KnownWords::default(), now, &limits)
    };
    assert_eq!(said(None, ends, begins), []);
    assert_eq!(said(Some(ends - hour), ends + hour, begins - hour), []);
    for (starts, expires, now, words) in [
        (None, ends + hour, ends, "expired at"),
        (Some(ends), ends + hour, begins, "before the recipe starts"),
        (None, begins, begins - hour, "is not valid before"),
    ] {
        let said = said(starts, expires, now);
        let [doubt] = said.as_slice() else { panic!("{words}: {said:?}") };
        assert_eq!((doubt.kind, doubt.line), (SourceProblemKind::DoubtfulCertificate, 10), "{doubt}");
        assert!(doubt.what.contains(words) && doubt.what.contains(&certificate.described()), "{doubt}");
    }
}

/// Whatever is wrong with a source is a problem, and is not warned of besides.
#[test]
fn what_is_a_problem_is_no_warning_too() {
    for key in [
        "channels",
        "versions",
        "os",
        "arch",
        "locales",
        "countries",
        "distributions",
        "rings",
        "agent_versions",
    ] {
        for wrong in ["67", "true", "\"\"", "[67]", "{ a = 1 }"] {
            let (before, after) = GOOD.split_once("[targeting]").unwrap();
            let (_, after) = after.split_once("[rollout]").unwrap();
            let text = format!("{before}[targeting]\n{key} = {wrong}\n[rollout]{after}");
            assert!(read_text(&text).is_err(), "{key} = {wrong}");
            let limits = Limits::default();
            let warned =
                doubts("recipe.toml", &text, None, &KnownWords::default(), Timestamp::UNIX_EPOCH, &limits);
            assert_eq!(warned, [], "{key} = {wrong}");
        }
    }
}
