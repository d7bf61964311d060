//! Certificates as authorities send them, wherever a file of certificates is given: one reader, by real processes.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test's helpers fail the test")]

use std::path::Path;

use mulberry_lab::binaries::Binaries;
use mulberry_lab::pki::{armoured, certificates_only};
use mulberry_lab::process::{Said, run};
use mulberry_lab::real::cases_or_skip;
use mulberry_lab::replay::material::Material;
use mulberry_shared::limits::Limits;
use mulberry_shared::x509::Certificate;

/// A corpus whose intermediate has expired, and its certificates packed in every form.
struct Files {
    folder: tempfile::TempDir,
    binaries: Binaries,
}

impl Files {
    fn new() -> Self {
        let files = Self { folder: tempfile::tempdir().unwrap(), binaries: Binaries::build().unwrap() };
        let material = Material::laboratory(files.folder.path(), 6, &|_| ()).unwrap();
        let one = |path: &Path| {
            let pem = std::fs::read(path).unwrap();
            Certificate::parse_pem(&pem, &Limits::default().x509).unwrap().remove(0)
        };
        let (anchor, replacement) = (one(&material.anchor), one(&material.replacement));
        let control = one(&files.folder.path().join("certificates/control.pem"));
        let chain = certificates_only(&[anchor.der(), replacement.der()]);
        let several = certificates_only(&[anchor.der(), replacement.der(), control.der()]);
        let comment = |pem: String| [b"# Zertifikat f\xfcr M\xfcller\n", pem.as_bytes()].concat();
        files.write("chain.p7b", &chain);
        files.write("chain-text.p7b", armoured("PKCS7", &chain).as_bytes());
        files.write("chain-windows.p7b", armoured("CERTIFICATE", &chain).as_bytes());
        files.write("several.p7b", &several);
        files.write("several-text.p7b", armoured("PKCS7", &several).as_bytes());
        files.write("chain.pem", (replacement.to_pem() + &anchor.to_pem()).as_bytes());
        files.write("anchor.p7b", &certificates_only(&[anchor.der()]));
        files.write("anchor-latin1.pem", &comment(anchor.to_pem()));
        files.write("replacement-latin1.pem", &comment(replacement.to_pem()));
        files.write("replacement.der", replacement.der());
        files
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.folder.path().join(name), bytes).unwrap();
    }

    fn ctl(&self, arguments: &[&str]) -> Said {
        run(&self.binaries.ctl(), arguments, self.folder.path()).unwrap()
    }

    fn agent(&self, arguments: &[&str]) -> Said {
        run(&self.binaries.agent(), arguments, self.folder.path()).unwrap()
    }

    /// How many add-ons verify after the expiry with these anchors and certificates.
    fn verified(&self, options: &[&str]) -> usize {
        let at = ["--time", "2019-05-05T00:00:00Z", "--json"];
        let said = self.agent(&[&["verify", "addons"], options, &at].concat());
        assert!(matches!(said.code, Some(0 | 1)), "{}", said.stderr);
        said.stdout.lines().filter(|line| line.contains("\"ok\"")).count()
    }
}

const FITTING: [&str; 5] =
    ["chain.p7b", "chain-text.p7b", "chain-windows.p7b", "replacement-latin1.pem", "replacement.der"];

#[test]
fn the_one_certificate_that_fits_is_read_wherever_a_file_of_certificates_is_given() {
    let files = Files::new();
    for (number, file) in FITTING.into_iter().enumerate() {
        let slug = format!("from-{number}");
        files.ctl(&["recipe", "new", "--certificate", file, "--slug", &slug]).expect_code(0).unwrap();
        // The file itself beside the recipe, named in it.
        let folder = files.folder.path().join("recipes").join(&slug);
        std::fs::copy(files.folder.path().join(file), folder.join(file)).unwrap();
        let text = std::fs::read_to_string(folder.join("recipe.toml")).unwrap();
        let line = text.lines().find(|line| line.starts_with("certificates = ")).unwrap();
        let shown =
            files.ctl(&["recipe", "show", folder.to_str().unwrap(), "--json"]).expect_code(0).unwrap();
        std::fs::write(folder.join("recipe.toml"), text.replace(line, &format!("certificates = [{file:?}]")))
            .unwrap();
        let again =
            files.ctl(&["recipe", "show", folder.to_str().unwrap(), "--json"]).expect_code(0).unwrap();
        assert_eq!(again.json().unwrap()["arguments"], shown.json().unwrap()["arguments"], "{file}");
    }
    let anchor = ["--anchor", "certificates/anchor.pem"];
    let before = files.verified(&anchor);
    let after = files.verified(&[&anchor[..], &["--certificate", "certificates/replacement.pem"]].concat());
    assert!(before < after, "{before} {after}");
    for file in FITTING {
        assert_eq!(files.verified(&[&anchor[..], &["--certificate", file]].concat()), after, "{file}");
    }
    for file in ["chain.pem", "chain.p7b", "chain-text.p7b", "anchor.p7b", "anchor-latin1.pem"] {
        assert_eq!(files.verified(&["--anchor", file, "--certificate", "chain.p7b"]), after, "{file}");
        let preflight = ["preflight", "recipes/from-0", "--addons", "addons", "--at", "2019-05-05T00:00:00Z"];
        files.ctl(&[&preflight[..], &["--anchor", file]].concat()).expect_code(0).unwrap();
        files.ctl(&["init", &format!("authority-{file}"), "--no-passphrase"]).expect_code(0).unwrap();
        let root = format!("authority-{file}/root.json");
        let init = ["init", "--trust", &root, "--origin", "http://127.0.0.1:9", "--addons", "addons"];
        let made = files.agent(
            &[&init[..], &["--anchor", file, "--extra-root", file, "--state", &format!("s-{file}")]].concat(),
        );
        let made = made.expect_code(0).unwrap();
        assert_eq!(
            made.stdout.lines().filter(|line| line.starts_with("Anchor ")).count(),
            1,
            "{}",
            made.stdout
        );
    }
}

/// A chain given as anchor pins its root, and each command says what it left out; an intermediate alone pins nothing.
#[test]
fn only_roots_become_anchors_whatever_the_form_of_the_file() {
    let files = Files::new();
    let new = ["recipe", "new", "--certificate", "replacement.der", "--slug", "fix"];
    files.ctl(&new).expect_code(0).unwrap();
    files.ctl(&["init", "authority", "--no-passphrase"]).expect_code(0).unwrap();
    let given = |anchor: &str| {
        let at = "2019-05-05T00:00:00Z";
        let root = ["--trust", "authority/root.json", "--origin", "http://127.0.0.1:9", "--addons", "addons"];
        let state = format!("state-of-{anchor}");
        let with = ["--anchor", anchor];
        [
            files.ctl(&[&["preflight", "recipes/fix", "--addons", "addons", "--at", at], &with[..]].concat()),
            files.agent(
                &[&["verify", "addons", "--time", at, "--certificate", "replacement.der"], &with[..]]
                    .concat(),
            ),
            files.agent(&[&["init"], &root[..], &["--state", &state], &with[..]].concat()),
        ]
    };
    for chain in ["chain.pem", "chain.p7b", "chain-text.p7b", "chain-windows.p7b"] {
        for said in given(chain) {
            assert_eq!(said.code, Some(0), "{chain}: {}", said.stderr);
            let warned = said.stderr.contains("left out \"signingca1") && said.stderr.contains(chain);
            assert!(warned, "{chain}: {}", said.stderr);
        }
    }
    for intermediate in ["replacement.der", "replacement-latin1.pem"] {
        for said in given(intermediate) {
            assert_eq!(said.code, Some(2), "{intermediate}: {}", said.stderr);
            let told = said.stderr.contains(intermediate) && said.stderr.contains("holds no anchor");
            assert!(told, "{intermediate}: {}", said.stderr);
        }
    }
}

#[test]
fn where_it_is_not_clear_which_is_meant_the_command_that_extracts_is_named() {
    let files = Files::new();
    for (file, command) in [
        ("several.p7b", "openssl pkcs7 -inform DER -in FILE -print_certs"),
        ("several-text.p7b", "openssl pkcs7 -in FILE -print_certs"),
    ] {
        let said = files.ctl(&["recipe", "new", "--certificate", file, "--slug", "x"]);
        assert_eq!(said.code, Some(2), "{}", said.stderr);
        assert!(said.stderr.contains(file) && said.stderr.contains(command), "{}", said.stderr);
        // As what clients hold, all of them are good; as an anchor, the one that is self-issued.
        files.verified(&["--anchor", file, "--certificate", file]);
    }
}

/// The inputs from outside, with the right values beside them.
#[test]
fn the_cases_of_certificate_files_have_their_right_values() {
    let Some(cases) = cases_or_skip("certificate files") else { return };
    let files = Files::new();
    let case = |name: &str| cases.join("pem").join(name).display().to_string();
    for (number, name) in ["latin1-comment.pem", "pkcs7.p7b"].into_iter().enumerate() {
        let slug = format!("case-{number}");
        files.ctl(&["recipe", "new", "--certificate", &case(name), "--slug", &slug]).expect_code(0).unwrap();
        files.ctl(&["recipe", "check", &format!("recipes/{slug}")]).expect_code(0).unwrap();
    }
}
