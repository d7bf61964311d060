//! One module a command: its arguments, and a `run` that takes the [context](crate::context) and returns an exit code or a failure.
//!
//! No command names another: what two of them need lies beside this folder, under a name of its own.

pub mod bundle;
pub mod completions;
pub mod config;
pub mod expiries;
pub mod gate;
pub mod init;
pub mod key;
pub mod lanes;
pub mod ledger;
pub mod online_keys;
pub mod preflight;
pub mod proposals;
pub mod propose;
pub mod publish;
pub mod recipe;
pub mod root;
pub mod sign;
pub mod status;
pub mod submit;

#[cfg(test)]
mod tests {
    use std::{
        collections::BTreeSet,
        fs,
        path::{Path, PathBuf},
    };

    fn sources(below: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(below).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => sources(&path, found),
                false => found.push(path),
            }
        }
    }

    /// The text with comments and blanks left out, so that a path is in one piece however it is wrapped; what it is renamed to is
    /// cut off by a character that no path has.
    fn code(text: &str) -> String {
        let text = text.replace(" as ", "@");
        let lines = text.lines().map(|line| line.split("//").next().unwrap_or_default());
        lines.flat_map(str::chars).filter(|c| !c.is_whitespace()).collect()
    }

    /// The first names of the paths that go on after each `prefix`: `a` and `b` of `prefix::{a::c, b}`.
    fn after<'a>(code: &'a str, prefix: &str) -> Vec<&'a str> {
        let name = |text: &'a str| {
            text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap_or_default()
        };
        let mut names = Vec::new();
        for (at, _) in code.match_indices(prefix) {
            let rest = &code[at + prefix.len()..];
            let Some(group) = rest.strip_prefix('{') else {
                names.push(name(rest));
                continue;
            };
            let (mut depth, mut start) = (0, 0);
            for (end, c) in group.char_indices() {
                match c {
                    '{' => depth += 1,
                    '}' if depth == 0 => {
                        names.push(name(&group[start..end]));
                        break;
                    }
                    '}' => depth -= 1,
                    ',' if depth == 0 => {
                        names.push(name(&group[start..end]));
                        start = end + 1;
                    }
                    _ => {}
                }
            }
        }
        names
    }

    #[test]
    fn no_command_names_another() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/commands");
        let mut files = Vec::new();
        sources(&root, &mut files);
        let part = |path: &Path, nth| {
            let part = path.strip_prefix(&root).unwrap().iter().nth(nth).unwrap().to_str().unwrap();
            part.trim_end_matches(".rs").to_owned()
        };
        let commands: BTreeSet<String> = files.iter().map(|path| part(path, 0)).collect();
        assert!(commands.len() >= 19 && commands.contains("publish"), "{commands:?}");
        for path in &files {
            let (own, text) = (part(path, 0), code(&fs::read_to_string(path).unwrap()));
            // Above a file of its own folder `commands` is two or more steps away.
            let up = "super::".repeat(path.strip_prefix(&root).unwrap().iter().count());
            let named = after(&text, "commands::").into_iter().chain(after(&text, &up));
            let others: Vec<&str> = named.filter(|name| *name != own && commands.contains(*name)).collect();
            assert!(others.is_empty(), "{} names other commands: {others:?}", path.display());
        }
    }

    #[test]
    fn the_search_sees_through_groups_and_line_breaks() {
        let text =
            code("use crate::{\n    commands::{bundle, gate::{\n stops, end}, // and\n publish as p},\n};");
        assert_eq!(after(&text, "commands::"), ["bundle", "gate", "publish"]);
        assert_eq!(after("super::ceremony::next();super::{a,b};", "super::"), ["ceremony", "a", "b"]);
    }
}
