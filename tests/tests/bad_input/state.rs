//! Damage to the agent's own files: refused with a sentence, or put right, and never silently begun again.

use std::path::Path;

use mulberry_lab::hostile_origin::{Damage, HostileOrigin};

use super::play::{Memory, play};
use super::scene::{Scene, enrolled, shown};

/// What damage can do to a file on a disk.
const ON_DISK: [Damage; 8] = [
    Damage::Truncated,
    Damage::Empty,
    Damage::BitFlipped,
    Damage::DeeplyNested,
    Damage::ManyValues,
    Damage::DuplicateKey,
    Damage::NotUtf8,
    Damage::TrailingData,
];

/// What must become of a damaged file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// Exit code 2 or 3, a sentence that names it, and nothing is touched.
    Refused,
    /// The run says so, fetches it again, and the file is as it was.
    FetchedAgain,
    /// The run succeeds and the host sees what it saw.
    PutRight,
}

#[test]
fn damage_to_the_agents_own_files_is_told_or_put_right() {
    let scene = Scene::new();
    let origin = HostileOrigin::serve(&scene.first, &[]).unwrap();
    let base = scene.stage.path("agents/base");
    let before = shown(&base);
    let once = |name: &str| {
        let state = format!("agents/{name}");
        let arguments = ["once", "--json", "--state", &state, "--origin", &origin.url()];
        play(&scene.stage.binaries().agent(), &arguments, scene.stage.folder())
    };
    scene.agent("base", "calm");
    let (said, idle) = once("calm");
    let _ = said.expect_code(0).unwrap();
    let memory = Memory::new("once on damaged files of its own", idle);
    let blob = |start: &[u8]| {
        let files = std::fs::read_dir(base.join("trust")).unwrap().map(|entry| entry.unwrap().path());
        let mut found = files.filter(|path| {
            let bytes = std::fs::read(path).unwrap();
            bytes.windows(start.len()).any(|window| window == start)
        });
        format!("trust/{}", found.next().unwrap().file_name().unwrap().to_string_lossy())
    };
    let certificate = before.keys().find(|name| name.starts_with("certificates/")).unwrap().clone();
    let files = [
        ("state.json".to_owned(), Fate::Refused, "state.json"),
        ("agent.toml".to_owned(), Fate::Refused, "agent.toml"),
        ("trust/current.json".to_owned(), Fate::Refused, "trust"),
        (blob(b"\"_type\":\"root\""), Fate::Refused, "trust"),
        (blob(b"\"_type\":\"timestamp\""), Fate::FetchedAgain, "fetched again"),
        (blob(b"\"install-certificates\""), Fate::FetchedAgain, "fetched again"),
        ("addons.json".to_owned(), Fate::PutRight, ""),
        (certificate, Fate::PutRight, ""),
    ];
    let mut wrong = Vec::new();
    for (file, fate, told) in &files {
        for damage in ON_DISK {
            let case = format!("{damage:?} {file:.30}");
            let state = scene.agent("base", "victim");
            let path = state.join(file);
            let whole = std::fs::read(&path).unwrap();
            let damaged = damage.spoil(&whole);
            std::fs::write(&path, &damaged).unwrap();
            let (said, peak) = once("victim");
            memory.note(&case, peak);
            let refused = matches!(said.code, Some(2 | 3)) && said.stderr.contains(told);
            let untouched = std::fs::read(&path).unwrap() == damaged;
            let healed = said.code == Some(0) && kept(&state, &base);
            match fate {
                Fate::Refused if refused && untouched => {}
                Fate::FetchedAgain
                    if healed && said.stderr.contains(told) && std::fs::read(&path).unwrap() == whole => {}
                Fate::PutRight if said.code == Some(0) && shown(&state) == before => {}
                // One bit of a text that means nothing to a decision may go unseen. What was applied may not.
                Fate::Refused if damage == Damage::BitFlipped && healed => {}
                _ => wrong.push(format!("{case}: {:?}, untouched: {untouched}\n{}", said.code, said.stderr)),
            }
        }
    }
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
}

/// Whether the agent still has everything applied.
fn kept(state: &Path, base: &Path) -> bool {
    enrolled(state) == enrolled(base) && shown(state).len() == shown(base).len()
}
