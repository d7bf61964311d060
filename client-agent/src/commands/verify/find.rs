//! Which files a command line means.

use std::fs;
use std::path::PathBuf;

use mulberry_host::addons::{self, Limits};

use super::print::shown;

/// The most add-ons in one folder, and files and folders altogether: more than the public add-on site has.
const LIMITS: Limits = Limits { addons: 1_000_000, depth: 16, entries: 10_000_000 };

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Sorted, each once.
    pub(super) files: Vec<PathBuf>,
    /// What could not be read, in words.
    pub(super) problems: Vec<String>,
}

/// Files as they are named, and the add-ons below folders.
pub(super) fn add_ons(paths: &[PathBuf]) -> Found {
    let mut found = Found::default();
    for path in paths {
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => match addons::search(path, &LIMITS) {
                Ok(below) => {
                    found.files.extend(below.addons.into_iter().map(|addon| path.join(addon.path)));
                    let left_out = below.left_out.into_iter().filter(|left| left.why.may_hide_addons());
                    let problem =
                        |left: addons::LeftOut| format!("{}: {}", shown(&path.join(left.path)), left.why);
                    found.problems.extend(left_out.map(problem));
                }
                Err(error) => found.problems.push(format!("{}: {error}", shown(path))),
            },
            Ok(_) => found.files.push(path.clone()),
            Err(error) => found.problems.push(format!("{}: {error}", shown(path))),
        }
    }
    found.files.sort_unstable();
    found.files.dedup();
    found.problems.sort_unstable();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_searched_through_links_and_named_files_are_taken_as_they_are() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::create_dir_all(root.join("in/deep")).unwrap();
        fs::create_dir_all(root.join("elsewhere")).unwrap();
        for file in
            ["in/b.xpi", "in/a.ZIP", "in/deep/c.xpi", "in/readme.txt", "in/._b.xpi", "elsewhere/d.xpi"]
        {
            fs::write(root.join(file), b"").unwrap();
        }
        std::os::unix::fs::symlink(root.join("elsewhere"), root.join("in/link")).unwrap();
        std::os::unix::fs::symlink(root.join("elsewhere/d.xpi"), root.join("in/d.xpi")).unwrap();
        std::os::unix::fs::symlink(root.join("in"), root.join("in/loop")).unwrap();
        std::os::unix::fs::symlink(root.join("gone"), root.join("in/gone.xpi")).unwrap();
        let found =
            add_ons(&[root.join("in"), root.join("in/b.xpi"), root.join("in/readme.txt"), root.join("none")]);
        let names: Vec<_> =
            found.files.iter().map(|path| path.strip_prefix(root).unwrap().to_str().unwrap()).collect();
        assert_eq!(
            names,
            ["in/a.ZIP", "in/b.xpi", "in/d.xpi", "in/deep/c.xpi", "in/link/d.xpi", "in/readme.txt"]
        );
        let [gone, none] = &found.problems[..] else { panic!("{:?}", found.problems) };
        assert!(gone.contains("gone.xpi: it is a link") && none.contains("none: No such file"));
    }
}
