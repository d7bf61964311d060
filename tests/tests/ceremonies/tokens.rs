//! People whose keys are on a PKCS#11 token, or in files of P-256, in ceremonies and under a recipe. The token is SoftHSM2, which
//! does in software what hardware does.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use mulberry_lab::process::{Said, command};
use mulberry_lab::replay::material::Material;
use mulberry_lab::stage::Stage;

const PIN: &str = "271828";
const MODULES: [&str; 3] = [
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
];

struct Scene {
    stage: Stage,
    module: PathBuf,
}

impl Scene {
    fn new() -> Option<Self> {
        let module = MODULES.into_iter().map(Path::new).find(|module| module.exists());
        let tool = Command::new("softhsm2-util").arg("--version").stdout(Stdio::null()).status().is_ok();
        let (Some(module), true) = (module, tool) else {
            eprintln!("SKIPPED: softhsm2 is not installed; no key was used on a token");
            return None;
        };
        let mut stage = Stage::new(None).unwrap();
        stage.start_server().unwrap();
        let tokens = stage.path("tokens");
        std::fs::create_dir(&tokens).unwrap();
        std::fs::write(stage.path("softhsm.conf"), format!("directories.tokendir = {}\n", tokens.display()))
            .unwrap();
        Some(Self { stage, module: module.to_owned() })
    }

    fn run(&self, program: &Path, arguments: &[&str]) -> Said {
        let mut command = command(program, self.stage.folder());
        command.args(arguments).env("SOFTHSM2_CONF", self.stage.path("softhsm.conf")).stdin(Stdio::null());
        let output = command.output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Said {
            command: format!("{} {}", program.display(), arguments.join(" ")),
            code: output.status.code(),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
        }
    }

    fn ctl(&self, arguments: &[&str]) -> Said {
        let mut all = arguments.to_vec();
        all.extend(["--config", "authority/mulberryctl.toml", "--token-file", "token"]);
        all.extend(["--server", self.stage.operators(), "--origin", self.stage.origin()]);
        self.run(&self.stage.binaries().ctl(), &all)
    }

    /// A new key of P-256 in a file.
    fn p256(&self, person: &str, role: &str) -> String {
        let folder = format!("{person}-keys");
        let arguments = [
            "key",
            "new",
            &folder,
            "--person",
            person,
            "--role",
            role,
            "--algorithm",
            "p256",
            "--no-passphrase",
        ];
        self.ctl(&arguments).expect_code(0).unwrap();
        format!("{folder}/{role}.pem")
    }

    /// A token with this key on it, by the token's own tool.
    fn token(&self, label: &str, key: &str, object: &str) {
        let util = Path::new("softhsm2-util");
        let pins = ["--pin", PIN, "--so-pin", "31415926"];
        let init = [["--init-token", "--free", "--label", label].as_slice(), &pins].concat();
        self.run(util, &init).expect_code(0).unwrap();
        self.import(label, key, object, "0a");
    }

    /// One more key on a token.
    fn import(&self, label: &str, key: &str, object: &str, id: &str) {
        let import = ["--import", key, "--token", label, "--label", object, "--id", id, "--pin", PIN];
        self.run(Path::new("softhsm2-util"), &import).expect_code(0).unwrap();
    }

    fn uri(&self, token: &str, object: &str, pin: &str) -> String {
        use std::os::unix::fs::OpenOptionsExt;
        let file = self.stage.path(&format!("pin-{pin}"));
        let mut options = std::fs::OpenOptions::new();
        let written = options.write(true).create(true).truncate(true).mode(0o600).open(&file);
        std::io::Write::write_all(&mut written.unwrap(), pin.as_bytes()).unwrap();
        let (module, file) = (self.module.display(), file.display());
        format!("pkcs11:token={token};object={object}?module-path={module}&pin-source={file}")
    }
}

fn person(number: u8, role: &str) -> String {
    format!("authority/people/person-{number}/{role}.pem")
}

#[test]
fn a_root_key_on_a_token_signs_ceremonies_and_never_leaves_it() {
    let Some(scene) = Scene::new() else { return };
    let file = scene.p256("dora", "root");
    scene.token("Root HSM", &file, "root");
    for id in ["0b", "0c"] {
        scene.import("Root HSM", &scene.p256("spare", "root"), "spare", id);
        std::fs::remove_dir_all(scene.stage.path("spare-keys")).unwrap();
    }
    std::fs::remove_file(scene.stage.path(&file)).unwrap();
    let uri = scene.uri("Root%20HSM", "root", PIN);

    let made = scene.ctl(&["key", "new", "dora", "--person", "dora", "--role", "root", "--from", &uri]);
    let made = made.expect_code(0).unwrap();
    assert!(made.stdout.contains("stays where it is"), "{}", made.stdout);
    let files: Vec<_> =
        std::fs::read_dir(scene.stage.path("dora")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(files, ["dora.public"]);

    let (one, two) = (person(1, "root"), person(2, "root"));
    let add = ["root", "add-key", "dora/dora.public", "--key", &one, "--key", &two, "--yes"];
    scene.ctl(&add).expect_code(0).unwrap();
    let renewed =
        scene.ctl(&["root", "renew", "--key", &one, "--key", &uri, "--yes"]).expect_code(0).unwrap();
    assert!(renewed.stdout.contains("Published: root version 3"), "{}", renewed.stdout);

    for (uri, problem) in [
        (scene.uri("Root%20HSM", "root", "999999"), "The PIN does not open the token \"Root HSM\""),
        (scene.uri("Root%20HSM", "other", PIN), "No private key of the token \"Root HSM\" fits; it has: "),
        (scene.uri("Root%20HSM", "other", PIN), "\"root\" (id=%0a)"),
        (
            scene.uri("Root%20HSM", "spare", PIN),
            "Several private keys of the token \"Root HSM\" fit: \"spare\" (id=%0",
        ),
        (scene.uri("Other", "root", PIN), "the module sees: \"Root HSM\""),
        (format!("pkcs11:object=root?module-path={}", scene.stage.path("token").display()), "PKCS#11 module"),
        ("pkcs11:object=root".to_owned(), "it names no module"),
    ] {
        let refused = scene.ctl(&["root", "renew", "--key", &uri, "--yes"]).expect_code(2).unwrap();
        assert!(refused.stderr.contains(problem), "{}", refused.stderr);
    }
}

#[test]
fn a_p256_key_counts_under_a_recipe() {
    let Some(scene) = Scene::new() else { return };
    let folder = tempfile::tempdir().unwrap();
    let material = Material::laboratory(folder.path(), 1, &|_| ()).unwrap();
    let stage = &scene.stage;
    stage.init_agent("a", &material.anchor, &material.addons, &["--version", "66.0"]).unwrap();
    let key = scene.p256("erin", "emergency");
    let (one, two) = (person(1, "targets"), person(2, "targets"));
    let file = "erin-keys/erin.public";
    let add = ["lanes", "add-key", file, "--role", "emergency", "--key", &one, "--key", &two, "--yes"];
    scene.ctl(&add).expect_code(0).unwrap();
    stage.write_recipe("p256").unwrap();
    let other = person(1, "emergency");
    scene.ctl(&["publish", "recipes/p256", "--key", &other, "--key", &key, "--yes"]).expect_code(0).unwrap();
    let once = stage.agent("a", &["once", "--json"]).unwrap().expect_code(0).unwrap().json().unwrap();
    assert_eq!(once["refresh"]["outcome"], "current");
    let recipes = once["recipes"].as_array().unwrap();
    assert!(recipes.iter().any(|recipe| recipe["path"] == "emergency/p256.json"), "{once}");
}
