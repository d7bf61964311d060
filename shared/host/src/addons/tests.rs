use std::collections::BTreeMap;
use std::os::unix::fs::symlink;

use proptest::prelude::*;

use super::*;

/// A folder to search in.
struct Scene(tempfile::TempDir);

impl Scene {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn at(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    fn file(&self, path: &str) -> &Self {
        fs::create_dir_all(self.at(path).parent().unwrap()).unwrap();
        fs::write(self.at(path), path).unwrap();
        self
    }

    fn link(&self, path: &str, target: &str) -> &Self {
        fs::create_dir_all(self.at(path).parent().unwrap()).unwrap();
        symlink(target, self.at(path)).unwrap();
        self
    }

    fn search(&self, folder: &str) -> (Vec<String>, BTreeMap<String, WhyLeftOut>) {
        self.search_within(folder, &Limits::default())
    }

    fn search_within(&self, folder: &str, limits: &Limits) -> (Vec<String>, BTreeMap<String, WhyLeftOut>) {
        let found = search(&self.at(folder), limits).unwrap();
        let shown = |path: &Path| path.to_str().unwrap().to_owned();
        let addons = found.addons.iter().map(|addon| shown(&addon.path)).collect();
        (addons, found.left_out.into_iter().map(|one| (shown(&one.path), one.why)).collect())
    }
}

#[test]
fn add_ons_are_found_by_their_names_below_the_folder() {
    let scene = Scene::new();
    for file in ["in/b.xpi", "in/a.ZIP", "in/deep/c.xpi", "in/readme.txt", "out.xpi", "in/._b.xpi"] {
        scene.file(file);
    }
    scene.file("in/._folder.xpi/d.xpi");
    let expected = ["._folder.xpi/d.xpi", "a.ZIP", "b.xpi", "deep/c.xpi"];
    assert_eq!(scene.search("in"), (expected.map(str::to_owned).to_vec(), BTreeMap::new()));
    assert!(search(&scene.at("none"), &Limits::default()).is_err());
}

/// As Nix and stow install add-ons.
#[test]
fn links_to_files_and_folders_are_followed() {
    let scene = Scene::new();
    scene.file("store/1-a/a.xpi").file("store/2-more/sub/b.xpi").file("in/own.xpi");
    scene.link("in/a.xpi", "../store/1-a/a.xpi");
    scene.link("in/more", &scene.at("store/2-more").display().to_string());
    scene.link("in/chain", "more");
    let (addons, left_out) = scene.search("in");
    assert_eq!(addons, ["a.xpi", "chain/sub/b.xpi", "own.xpi"]);
    assert_eq!(left_out, BTreeMap::from([("more".to_owned(), WhyLeftOut::SearchedAlready)]));
    let found = search(&scene.at("in"), &Limits::default()).unwrap();
    let linked = fs::metadata(scene.at("store/1-a/a.xpi")).unwrap();
    assert_eq!(found.addons[0].metadata.ino(), linked.ino(), "the target is described, not the link");
    // The folder may itself be a link.
    scene.link("profile", "in");
    assert_eq!(scene.search("profile").0.len(), 3);
}

#[test]
fn what_is_left_out_is_named_with_the_reason() {
    let scene = Scene::new();
    scene.file("in/a.xpi");
    scene.link("in/gone.xpi", "nowhere").link("in/gone", "/nonexistent/folder");
    scene.link("in/self", "self").link("in/back", "..").link("in/here/again", "../../in");
    nix_fifo(&scene.at("in/pipe.xpi"));
    let (addons, left_out) = scene.search("in");
    // `back` leads to the folder above, in which `in` is met again.
    assert_eq!(addons, ["a.xpi"]);
    let why = |path: &str| left_out.get(path).cloned();
    assert_eq!(why("gone.xpi"), Some(WhyLeftOut::LeadsNowhere));
    assert_eq!(why("gone"), Some(WhyLeftOut::LeadsNowhere));
    assert!(matches!(why("self"), Some(WhyLeftOut::Unreadable(_))), "{left_out:?}");
    assert_eq!(why("back/in"), Some(WhyLeftOut::SearchedAlready));
    assert_eq!(why("here/again"), Some(WhyLeftOut::SearchedAlready));
    assert_eq!(why("pipe.xpi"), Some(WhyLeftOut::NotAFile));
    assert_eq!(left_out.len(), 6, "{left_out:?}");
}

/// A pipe: whoever opened it would wait for a writer.
fn nix_fifo(path: &Path) {
    assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
}

#[test]
fn links_that_multiply_folders_multiply_no_work() {
    let scene = Scene::new();
    scene.file("in/near.xpi");
    // Each folder leads to the next on two ways: two to the power of 16 of them.
    for level in 0..16 {
        scene.file(&format!("maze/{level}/a.xpi"));
        for name in ["x", "y"] {
            scene.link(&format!("maze/{level}/{name}"), &format!("../{}", level + 1));
        }
    }
    scene.link("in/maze", "../maze/0");
    let once = Limits { entries: 2 + 16 * 3, ..Limits::default() };
    let (addons, left_out) = scene.search_within("in", &once);
    assert_eq!((addons.len(), left_out.get("")), (17, None));
    assert_eq!(left_out.get("maze/y"), Some(&WhyLeftOut::SearchedAlready));
    let few = Limits { addons: 3, ..Limits::default() };
    let (addons, left_out) = scene.search_within("in", &few);
    assert_eq!((addons.len(), left_out.get("")), (3, Some(&WhyLeftOut::TooManyAddons { limit: 3 })));
    let flat = Limits { depth: 1, ..Limits::default() };
    let (addons, left_out) = scene.search_within("in", &flat);
    assert_eq!(addons, ["maze/a.xpi", "near.xpi"]);
    assert_eq!(left_out.get("maze/x"), Some(&WhyLeftOut::TooDeep { limit: 1 }));
}

/// Or one link would keep an add-on enabled that a recipe distrusts.
#[test]
fn a_link_to_a_whole_disk_keeps_nothing_from_being_found_that_is_really_there() {
    let scene = Scene::new();
    for number in 0..200 {
        scene.file(&format!("disk/{number}/a.xpi"));
    }
    scene.link("in/0-disk", "../disk").file("in/p/q/r/deep.xpi");
    let limits = Limits { entries: 100, ..Limits::default() };
    let (addons, left_out) = scene.search_within("in", &limits);
    assert_eq!(addons, ["p/q/r/deep.xpi"]);
    assert_eq!(left_out.get(""), Some(&WhyLeftOut::TooManyEntries { limit: 100 }));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever leads wherever: the search ends, and finds every file that is there without a link.
    #[test]
    fn any_links_end(links in prop::collection::vec((0..5_usize, 0..5_usize), 0..12)) {
        let scene = Scene::new();
        for folder in 0..5 {
            scene.file(&format!("in/{folder}/own.xpi"));
        }
        for (number, (from, to)) in links.iter().enumerate() {
            scene.link(&format!("in/{from}/l{number}"), &format!("../{to}"));
        }
        let limits = Limits { entries: 5_000, ..Limits::default() };
        let found = search(&scene.at("in"), &limits).unwrap();
        for folder in 0..5 {
            let own = PathBuf::from(format!("{folder}/own.xpi"));
            prop_assert!(found.addons.iter().any(|addon| addon.path == own));
        }
        prop_assert_eq!(found.addons.len(), 5, "each once");
    }
}
