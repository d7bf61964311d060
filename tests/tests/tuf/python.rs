//! The other way round: python-tuf reads a real Mulberry origin.

use std::fs;

use mulberry_lab::python_tuf::Python;
use mulberry_lab::real::announce;
use mulberry_lab::stage::Stage;
use mulberry_shared::digest::Sha256Digest;

/// Downloads a target with python-tuf, as its documentation says; arguments: origin, folder, target.
const FETCH: &str = r#"
import pathlib, sys
from tuf.ngclient import Updater
origin, folder, target = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3]
root = (folder / "root.json").read_bytes()
for name in ("metadata", "files"):
    (folder / name).mkdir(exist_ok=True)
updater = Updater(str(folder / "metadata"), f"{origin}/metadata/", str(folder / "files"), f"{origin}/targets/", bootstrap=root)
info = updater.get_targetinfo(target)
if info is None:
    sys.exit(f"{target} is not there")
print(updater.download_target(info))
"#;

#[test]
fn python_tuf_reads_an_origin_of_ours_and_fetches_a_recipe() {
    let python = match Python::find() {
        Ok(python) => python,
        Err(missing) => return announce(&format!("SKIPPED: python-tuf on a Mulberry origin: {missing}")),
    };
    let mut stage = Stage::new(None).unwrap();
    stage.start_server().unwrap();
    let recipe = stage.write_recipe("hold").unwrap();
    let origin = stage.origin().trim_end_matches('/').to_owned();
    let fetch = |folder: &str, target: &str| {
        let folder = stage.path(folder);
        fs::create_dir_all(&folder).unwrap();
        fs::copy(stage.path("authority/root.json"), folder.join("root.json")).unwrap();
        python.command(stage.folder()).args(["-c", FETCH, &origin]).arg(folder).arg(target).output().unwrap()
    };
    let said = |output: &std::process::Output| String::from_utf8_lossy(&output.stderr).into_owned();

    let none = fetch("python", "emergency/hold.json");
    assert!(said(&none).contains("emergency/hold.json is not there"), "{}", said(&none));
    stage.publish("emergency", &recipe).unwrap();
    stage.open_gate("hold", "100").unwrap();
    for target in ["emergency/hold.json", "gates.json"] {
        // The same client again, which goes on from what it kept, and a new one.
        for folder in ["python", "python-2"] {
            let output = fetch(folder, target);
            assert!(output.status.success(), "{}", said(&output));
            let path = String::from_utf8(output.stdout).unwrap();
            let theirs = fs::read(path.trim()).unwrap();
            assert_eq!(theirs, ours(&stage, &origin, target), "{target}");
            assert!(!theirs.is_empty());
        }
    }
}

/// The same target with our client.
fn ours(stage: &Stage, origin: &str, target: &str) -> Vec<u8> {
    let run = |arguments: &[&str]| {
        let all = [&["tuf", "--metadata-dir", "ours"], arguments].concat();
        let said = mulberry_lab::process::run(&stage.binaries().agent(), &all, stage.folder()).unwrap();
        said.expect_code(0).unwrap()
    };
    run(&["init", "authority/root.json"]);
    let (metadata, targets) = (format!("{origin}/metadata"), format!("{origin}/targets"));
    let urls =
        ["--metadata-url", &metadata, "--target-base-url", &targets, "--target-dir", "files", "--json"];
    let told = run(&[&urls[..], &["--target-name", target, "download"]].concat()).json().unwrap();
    let file = stage.path(told["targets"][0]["file"].as_str().unwrap());
    let bytes = fs::read(file).unwrap();
    // And as it lies at the origin, by its hash.
    let hash = Sha256Digest::of(&bytes);
    let path = mulberry_shared::tuf::location::file(target, Some(&hash));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let served = runtime.block_on(async {
        reqwest::get(format!("{origin}/{path}"))
            .await
            .unwrap()
            .error_for_status()
            .unwrap()
            .bytes()
            .await
            .unwrap()
    });
    assert_eq!(served, bytes);
    bytes
}
