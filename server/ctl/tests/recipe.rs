//! `mulberryctl recipe`, run as a real process in a temporary folder.

#![allow(clippy::unwrap_used, reason = "a test's helpers fail the test")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

fn ctl(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mulberryctl"));
    command.args(arguments).current_dir(folder).stdin(Stdio::null());
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("MULBERRYCTL_")) {
        command.env_remove(name);
    }
    command.env("XDG_CONFIG_HOME", folder).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The laboratory's replacement intermediate, from the example recipes.
fn certificate() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../recipes/replace-signing-intermediate/replacement.pem")
}

fn anchor() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../recipes/laboratory-anchor.pem")
}

fn der_of(pem: &Path) -> Vec<u8> {
    let pem = fs::read(pem).unwrap();
    let limits = mulberry_shared::limits::X509Limits::default();
    mulberry_shared::x509::Certificate::parse_pem(&pem, &limits).unwrap()[0].der().to_vec()
}

#[test]
fn every_template_passes_the_check_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let pem = certificate();
    let pem = pem.to_str().unwrap();
    fs::write(folder.path().join("c.der"), der_of(&certificate())).unwrap();
    let cases: [&[&str]; 6] = [
        &["--certificate", pem],
        &["--certificate", "c.der", "--slug", "from-der"],
        &["--certificate", pem, "--action", "distrust-certificates"],
        &["--action", "hold-verification"],
        &["--action", "reverify-addons", "--lane", "routine"],
        &["--certificate", pem, "--certificate", "c.der", "--slug", "same-twice"],
    ];
    for arguments in cases {
        let made = ctl(folder.path(), &[&["recipe", "new"], arguments].concat());
        assert_eq!(made.status.code(), Some(0), "{arguments:?}: {}", text(&made.stderr));
    }
    let checked = ctl(folder.path(), &["recipe", "check", "recipes", "--json"]);
    assert_eq!(checked.status.code(), Some(0), "{}", text(&checked.stdout));
    let checked: serde_json::Value = serde_json::from_slice(&checked.stdout).unwrap();
    assert_eq!(checked["recipes"].as_array().unwrap().len(), cases.len());

    let hold = ctl(folder.path(), &["recipe", "show", "recipes/hold-verification"]);
    assert!(text(&hold.stdout).contains("holds the periodic verification until"), "{}", text(&hold.stdout));
    let published = ctl(folder.path(), &["recipe", "show", "recipes/from-der", "--json"]);
    let published: serde_json::Value = serde_json::from_slice(&published.stdout).unwrap();
    assert_eq!((&published["slug"], &published["revision"]), (&"from-der".into(), &1.into()));
    assert_eq!(published["arguments"]["certificates"].as_array().unwrap().len(), 1);

    let again = ctl(folder.path(), &["recipe", "new", "--action", "hold-verification"]);
    assert_eq!(again.status.code(), Some(2));
    assert!(text(&again.stderr).contains("raise its revision"), "{}", text(&again.stderr));
}

#[test]
fn private_keys_and_anchors_never_become_recipes() {
    let folder = tempfile::tempdir().unwrap();
    let made = ctl(folder.path(), &["init", "a", "--no-passphrase", "--person", "ada", "--threshold", "1"]);
    assert_eq!(made.status.code(), Some(0));
    let key = fs::read_to_string(folder.path().join("a/people/ada/root.pem")).unwrap();
    let both = format!("{}{key}", fs::read_to_string(certificate()).unwrap());
    fs::write(folder.path().join("both.pem"), both).unwrap();
    fs::write(folder.path().join("key.der"), [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05]).unwrap();
    for file in ["a/people/ada/root.pem", "both.pem", "key.der"] {
        let refused = ctl(folder.path(), &["recipe", "new", "--certificate", file, "--json"]);
        assert_eq!(refused.status.code(), Some(2), "{file}: {}", text(&refused.stderr));
        let answer: serde_json::Value = serde_json::from_slice(&refused.stdout).unwrap();
        assert_eq!(answer["error"]["kind"], "private-key", "{file}: {answer}");
    }
    let refused = ctl(folder.path(), &["recipe", "new", "--certificate", anchor().to_str().unwrap()]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("self-issued"), "{}", text(&refused.stderr));
    assert!(!folder.path().join("recipes").exists(), "a refusal leaves nothing behind");
}

#[test]
fn every_problem_is_shown_at_once_with_file_line_key_and_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let made = ctl(folder.path(), &["recipe", "new", "--action", "hold-verification", "--slug", "x"]);
    assert_eq!(made.status.code(), Some(0), "{}", text(&made.stderr));
    let file = folder.path().join("recipes/x/recipe.toml");
    let toml = fs::read_to_string(&file).unwrap();
    let broken =
        toml.replace("revision = 1", "revison = 1").replace("max_percent = 100", "max_percent = 101");
    assert_ne!(toml, broken);
    fs::write(&file, broken).unwrap();
    let checked = ctl(folder.path(), &["recipe", "check", "recipes/x"]);
    assert_eq!(checked.status.code(), Some(1));
    let lines = text(&checked.stdout);
    for part in ["recipes/x/recipe.toml:", "revison", "did you mean", "max_percent"] {
        assert!(lines.contains(part), "{part}: {lines}");
    }
    assert_eq!(ctl(folder.path(), &["recipe", "check", "nowhere"]).status.code(), Some(2));
    assert_eq!(ctl(folder.path(), &["recipe", "show", "recipes/x"]).status.code(), Some(1));
}

#[test]
fn one_slug_is_one_recipe() {
    let folder = tempfile::tempdir().unwrap();
    for dir in ["one", "two"] {
        let made =
            ctl(folder.path(), &["recipe", "new", "--action", "hold-verification", "--slug", "x", dir]);
        assert_eq!(made.status.code(), Some(0), "{}", text(&made.stderr));
    }
    let checked = ctl(folder.path(), &["recipe", "check", "one", "two"]);
    assert_eq!(checked.status.code(), Some(1));
    assert!(
        text(&checked.stdout).contains("is also the slug of one/x/recipe.toml"),
        "{}",
        text(&checked.stdout)
    );
}

#[test]
fn an_expired_recipe_is_well_formed_and_said_to_be_expired() {
    let folder = tempfile::tempdir().unwrap();
    let made = ctl(folder.path(), &["recipe", "new", "--action", "hold-verification", "--slug", "x"]);
    assert_eq!(made.status.code(), Some(0), "{}", text(&made.stderr));
    for (clock, expired) in [("2019-05-04T00:00:00Z", false), ("2090-01-01T00:00:00Z", true)] {
        let checked = ctl(folder.path(), &["recipe", "check", "recipes", "--json", "--clock-start", clock]);
        assert_eq!(checked.status.code(), Some(0), "{}", text(&checked.stdout));
        let checked: serde_json::Value = serde_json::from_slice(&checked.stdout).unwrap();
        assert_eq!(checked["recipes"][0]["expired"], expired, "{clock}");
    }
    let checked =
        ctl(folder.path(), &["recipe", "check", "recipes", "--clock-start", "2090-01-01T00:00:00Z"]);
    assert!(text(&checked.stdout).contains("it expired"), "{}", text(&checked.stdout));
}

#[test]
fn a_wrong_command_line_fails_as_json_where_json_was_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in [
        &["gate", "open", "fix", "--percent", "200", "--json"][..],
        &["publish", "--json"],
        &["no-such-command", "--json"],
    ] {
        let refused = ctl(folder.path(), arguments);
        assert_eq!(refused.status.code(), Some(2), "{arguments:?}");
        let said: serde_json::Value = serde_json::from_slice(&refused.stdout).unwrap();
        assert_eq!((&said["error"]["kind"], &said["error"]["exit"]), (&"usage".into(), &2.into()));
        assert!(!refused.stderr.is_empty());
    }
}

/// Every word and range that is legal and probably not meant, at once; and the channels of a fleet that has its own.
#[test]
fn what_would_reach_nobody_in_silence_is_warned_of() {
    let folder = tempfile::tempdir().unwrap();
    let made = ctl(folder.path(), &["recipe", "new", "--action", "hold-verification", "--slug", "hold"]);
    assert_eq!(made.status.code(), Some(0), "{}", text(&made.stderr));
    let file = folder.path().join("recipes/hold/recipe.toml");
    let template = fs::read_to_string(&file).unwrap();
    let (before, after) = template.split_once("[rollout]").unwrap();
    let before: Vec<_> = before.lines().take_while(|line| *line != "[targeting]").collect();
    let with = |targeting: &str| {
        fs::write(&file, format!("{}\n[targeting]\n{targeting}\n[rollout]{after}", before.join("\n")))
            .unwrap();
    };
    let first = before.len() + 2;
    with(
        "channels = [\"relase\", \"esr \"]\nos = [\"windwos\"]\narch = [\"x86-64\"]\ncountries = [\"UK\"]\nlocales = [\"jp\"]\nversions = \"=66.0\"",
    );
    let checked = ctl(folder.path(), &["recipe", "check", "recipes"]);
    assert_eq!(checked.status.code(), Some(0), "{}", text(&checked.stdout));
    let said = text(&checked.stdout);
    for (line, word, meant) in [
        (0, "relase", "release"),
        (0, "esr ", "esr"),
        (1, "windwos", "windows"),
        (2, "x86-64", "x86_64"),
        (3, "UK", "GB"),
        (4, "jp", "ja"),
        (5, "=66.0", "66.0.*"),
    ] {
        let found = said.lines().any(|told| {
            told.starts_with(&format!("Warning: recipes/hold/recipe.toml:{}: targeting.", first + line))
                && told.contains(&format!("{word:?}"))
                && told.contains(&format!("{meant:?}"))
        });
        assert!(found, "{word}: {said}");
    }
    let json = ctl(folder.path(), &["recipe", "check", "recipes", "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    let warnings = json["recipes"][0]["warnings"].as_array().unwrap();
    assert_eq!((json["ok"].as_bool(), warnings.len()), (Some(true), 7), "{json}");
    assert_eq!(
        (&warnings[0]["kind"], &warnings[6]["kind"]),
        (&"doubtful-word".into(), &"doubtful-range".into())
    );

    with("channels = [\"stable\", \"release\"]\nversions = \">=67.*, <68\"");
    assert!(!text(&ctl(folder.path(), &["recipe", "check", "recipes"]).stdout).contains("Warning"));
    fs::write(folder.path().join("mulberryctl.toml"), "channels = [\"stable\", \"edge\"]\n").unwrap();
    let fleet = text(&ctl(folder.path(), &["recipe", "check", "recipes"]).stdout);
    assert!(
        fleet.contains("\"release\" is not a known channel; known are \"stable\" or \"edge\""),
        "{fleet}"
    );
    let shown = ctl(folder.path(), &["recipe", "show", "recipes/hold"]);
    assert!(text(&shown.stderr).contains("Warning: "), "{}", text(&shown.stderr));
    let shown = text(&shown.stdout);
    assert!(shown.contains("versions >=67.*, <68.0\n"), "{shown}");
    assert!(shown.contains("pre-releases are included, also those of 68.0 (without them: <68.*)"), "{shown}");
    let published = ctl(folder.path(), &["recipe", "show", "recipes/hold", "--json"]);
    let published: serde_json::Value = serde_json::from_slice(&published.stdout).unwrap();
    assert_eq!(published["targeting"]["versions"], ">=67.0.0-0, <68.0.0");
}

#[test]
fn a_suffix_that_no_product_writes_is_refused_with_the_right_spelling() {
    let folder = tempfile::tempdir().unwrap();
    ctl(folder.path(), &["recipe", "new", "--action", "hold-verification", "--slug", "hold"]);
    let file = folder.path().join("recipes/hold/recipe.toml");
    let template = fs::read_to_string(&file).unwrap();
    for (range, told) in [
        (">=68.0a1", ""),
        ("=59.0b4", ""),
        ("=60.6.2esr", ""),
        (">=68.0.0-beta.3", ""),
        (">=68.0.0-b3", "write 68.0b3"),
        ("=60.6.1-esr", "write 60.6.1esr"),
        ("=66.0.3-1", "write 66.0.3"),
    ] {
        let (before, after) = template.split_once("[rollout]").unwrap();
        let before = before.split("[targeting]").next().unwrap();
        fs::write(&file, format!("{before}[targeting]\nversions = {range:?}\n[rollout]{after}")).unwrap();
        let checked = ctl(folder.path(), &["recipe", "check", "recipes"]);
        assert_eq!(
            checked.status.code(),
            Some(i32::from(!told.is_empty())),
            "{range}: {}",
            text(&checked.stdout)
        );
        assert!(text(&checked.stdout).contains(told), "{range}: {}", text(&checked.stdout));
    }
}
