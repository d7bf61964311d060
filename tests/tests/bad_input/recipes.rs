//! Bad recipe folders before `mulberryctl recipe check`, and bad certificates before the agent.

use std::path::Path;

use mulberry_lab::binaries::{Binaries, workspace};
use mulberry_lab::hostile_origin::Damage;

use super::play::{Memory, play};

/// A private key, as somebody in a hurry might append it.
const PRIVATE_KEY: &str = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f\n\
                           -----END PRIVATE KEY-----\n";

/// What takes the place of a file: bytes, or a folder of its name.
enum Place {
    Bytes(Vec<u8>),
    Folder,
}

fn put(path: &Path, place: &Place) {
    let _ = std::fs::remove_file(path);
    match place {
        Place::Bytes(bytes) => std::fs::write(path, bytes).unwrap(),
        Place::Folder => std::fs::create_dir(path).unwrap(),
    }
}

fn bad_toml(good: &str) -> Vec<(&'static str, Place)> {
    let deep = |open: &str, close: &str| format!("a = {}1{}", open.repeat(20_000), close.repeat(20_000));
    let huge_name = good.replace("name = \"", &format!("name = \"{}", "x".repeat(200_000)));
    let lists = format!("{good}\nlocales = [{}]\n", "\"de\",".repeat(40_000));
    let tables = "[[a]]\n".repeat(43_000);
    vec![
        ("truncated", Place::Bytes(good.as_bytes()[..good.len() / 2].to_vec())),
        ("bit flipped", Place::Bytes(good.replace("revision = 1", "revision = \u{11}").into())),
        ("duplicate key", Place::Bytes(good.replace("revision = 1", "revision = 1\nrevision = 2").into())),
        ("huge", Place::Bytes(vec![b'a'; 3 << 20])),
        ("a huge name", Place::Bytes(huge_name.into())),
        ("a huge list", Place::Bytes(lists.into())),
        ("many tables", Place::Bytes(tables.into())),
        ("deep arrays", Place::Bytes(deep("[", "]").into())),
        ("deep tables", Place::Bytes(deep("{b=", "}").into())),
        ("a deep key", Place::Bytes(format!("[{}a]\n", "a.".repeat(20_000)).into())),
        ("not UTF-8", Place::Bytes(Damage::NotUtf8.spoil(good.as_bytes()))),
        ("empty", Place::Bytes(Vec::new())),
        ("a folder", Place::Folder),
    ]
}

fn bad_pem(good: &str) -> Vec<(&'static str, Place)> {
    // In the Base64 of the certificate, well inside its structure.
    let flipped = good.lines().enumerate().map(|(n, line)| match n {
        5 => line.chars().rev().collect::<String>() + "\n",
        _ => format!("{line}\n"),
    });
    vec![
        ("truncated", Place::Bytes(good.as_bytes()[..good.len() / 2].to_vec())),
        ("garbled", Place::Bytes(flipped.collect::<String>().into())),
        ("with a private key", Place::Bytes(format!("{good}{PRIVATE_KEY}").into())),
        ("huge", Place::Bytes(vec![b'a'; 8 << 20])),
        ("the same thousands of times", Place::Bytes(good.repeat(3000).into())),
        ("deep DER", Place::Bytes(mulberry_lab::pki::certificate::pem(&deep_der()).into())),
        ("not text", Place::Bytes(vec![0xff; 100])),
        ("empty", Place::Bytes(Vec::new())),
        ("a folder", Place::Folder),
    ]
}

/// Sequences in sequences, four thousand deep.
fn deep_der() -> Vec<u8> {
    let mut der = Vec::new();
    for _ in 0..4000 {
        let length = u16::try_from(der.len()).unwrap().to_be_bytes();
        der.splice(0..0, [&[0x30, 0x82], &length[..]].concat());
    }
    der
}

#[test]
fn a_bad_recipe_is_refused_with_file_and_line() {
    let ctl = Binaries::build().unwrap().ctl();
    let folder = tempfile::tempdir().unwrap();
    let source = workspace().join("recipes/fire-drill");
    let text = std::fs::read_to_string(source.join("recipe.toml")).unwrap();
    let pem = std::fs::read_to_string(source.join("drill.pem")).unwrap();
    let fresh = |name: &str| {
        let recipe = folder.path().join(name);
        let _ = std::fs::remove_dir_all(&recipe);
        std::fs::create_dir(&recipe).unwrap();
        std::fs::write(recipe.join("recipe.toml"), &text).unwrap();
        std::fs::write(recipe.join("drill.pem"), &pem).unwrap();
        recipe
    };
    fresh("good");
    let check = |name: &str| play(&ctl, &["recipe", "check", name], folder.path());
    let (said, idle) = check("good");
    let _ = said.expect_code(0).unwrap();
    let memory = Memory::new("recipe check", idle);
    // A file that cannot be read as text at all has no line to name.
    let lineless = ["huge", "not UTF-8", "a folder"];
    for (case, place) in bad_toml(&text) {
        let recipe = fresh("bad");
        put(&recipe.join("recipe.toml"), &place);
        let (said, peak) = check("bad");
        memory.note(case, peak);
        let lined = said.stdout.contains("bad/recipe.toml:") || said.stderr.contains("bad/recipe.toml:");
        if lineless.contains(&case) {
            assert_eq!(said.code, Some(2), "{case}: {said:?}");
            assert!(said.stderr.contains("bad"), "{case}: {said:?}");
        } else {
            assert!(said.code == Some(1) && lined, "{case}: {said:?}");
        }
        let longest = said.stdout.lines().chain(said.stderr.lines()).map(str::len).max();
        assert!(longest < Some(4000), "{case}: a line of {longest:?} bytes");
    }
    for (case, place) in bad_pem(&pem) {
        let recipe = fresh("bad");
        put(&recipe.join("drill.pem"), &place);
        let (said, peak) = check("bad");
        memory.note(case, peak);
        assert_eq!(said.code, Some(1), "{case}: {said:?}");
        let named = ["bad/recipe.toml:", "arguments.certificates: drill.pem"];
        let told = format!("{}{}", said.stdout, said.stderr);
        assert!(named.iter().all(|part| told.contains(part)), "{case}: {said:?}");
    }
    // One bad recipe does not hide the good one beside it.
    put(&fresh("bad").join("recipe.toml"), &Place::Bytes(text.replace("revision", "revisoin").into()));
    let (said, _) = play(&ctl, &["recipe", "check", "bad", "good"], folder.path());
    assert!(said.code == Some(1) && said.stdout.contains("good/recipe.toml: ok"), "{said:?}");
}

#[test]
fn a_bad_certificate_is_refused_before_anything_is_made() {
    let binaries = Binaries::build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let pem = std::fs::read_to_string(workspace().join("recipes/laboratory-anchor.pem")).unwrap();
    let authority = ["init", "authority", "--no-passphrase"];
    let _ = play(&binaries.ctl(), &authority, folder.path()).0.expect_code(0).unwrap();
    std::fs::create_dir(at("addons")).unwrap();
    std::fs::write(at("good.pem"), &pem).unwrap();
    let init = |anchor: &str, state: &str| {
        let mut arguments = vec!["init", "--trust", "authority/root.json", "--origin", "http://127.0.0.1:9/"];
        arguments.extend(["--addons", "addons", "--anchor", anchor, "--state", state]);
        play(&binaries.agent(), &arguments, folder.path())
    };
    let verify = |arguments: &[&str]| {
        let all = [&["verify"], arguments, &["addons"]].concat();
        play(&binaries.agent(), &all, folder.path())
    };
    let (said, idle) = init("good.pem", "state");
    let _ = said.expect_code(0).unwrap();
    let memory = Memory::new("init --anchor, verify --anchor and --certificate", idle);
    for (case, place) in bad_pem(&pem) {
        let _ = std::fs::remove_dir(at("bad.pem"));
        put(&at("bad.pem"), &place);
        let runs = [
            init("bad.pem", "never"),
            verify(&["--anchor", "bad.pem"]),
            verify(&["--anchor", "good.pem", "--certificate", "bad.pem"]),
        ];
        for (said, peak) in runs {
            memory.note(case, peak);
            assert!(said.code == Some(2) && said.stderr.contains("bad.pem: "), "{case}: {said:?}");
        }
        assert!(!at("never").exists(), "{case}: a state folder was made");
    }
}
