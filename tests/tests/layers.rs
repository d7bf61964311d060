//! What the source files of `shared` must not have: an import of the product in The Update Framework, which lies below it, and a
//! reason that is nothing but a sentence.

// Clippy knows tests by their attribute and takes their helpers for other code.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use mulberry_lab::binaries::workspace;

/// Modules of `shared` that `tuf` may import, and which import nothing but one another: they know no product either.
const BELOW: [&str; 7] = ["answer", "digest", "explain", "json", "limits", "quoted", "text"];

#[test]
fn tuf_knows_nothing_of_the_product() {
    let source = workspace().join("shared/src");
    let of_tuf = files_of(&source, "tuf");
    assert!(of_tuf.len() > 15, "{of_tuf:?}");
    let below = BELOW.iter().flat_map(|module| files_of(&source, module));
    let all = of_tuf.into_iter().map(|file| (file, "tuf")).chain(below.map(|file| (file, "")));
    let mut wrong = Vec::new();
    for (file, own) in all {
        let relative = file.strip_prefix(&source).unwrap().display().to_string();
        let mut modules = imports(&fs::read_to_string(&file).unwrap(), relative.matches('/').count() + 1);
        modules.retain(|module| module != own && !BELOW.contains(&module.as_str()));
        wrong.extend(modules.iter().map(|module| format!("shared/src/{relative} imports {module}")));
    }
    assert_eq!(wrong, Vec::<String>::new(), "move down what both need, or keep it in shared/src/edition");
}

/// A reason has a kind and figures, so that it can be counted; its sentence is made from them.
#[test]
fn no_error_of_shared_is_a_mere_sentence() {
    let source = workspace().join("shared/src");
    let mut wrong = Vec::new();
    for file in files_of(&source, "") {
        let is_test =
            file.ends_with("tests.rs") || file.parent().is_some_and(|folder| folder.ends_with("tests"));
        let text = fs::read_to_string(&file).unwrap_or_default();
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        if !is_test && code.split("Result<").skip(1).any(fails_with_text) {
            wrong.push(file.strip_prefix(&source).unwrap().to_owned());
        }
    }
    assert_eq!(wrong, Vec::<PathBuf>::new(), "name the faults by an enum with one Display");
    for (types, expected) in
        [("(), String>", true), ("Vec<(A, B)>, String> {", true), ("Map<A, String>, E>", false)]
    {
        assert_eq!(fails_with_text(types), expected, "{types}");
    }
}

/// Whether the second of these type arguments is `String`.
fn fails_with_text(types: &str) -> bool {
    let mut depth = 0_usize;
    for (at, c) in types.char_indices() {
        match c {
            '<' | '(' | '[' => depth += 1,
            ',' if depth == 0 => return types[at + 1..].trim_start().starts_with("String>"),
            '>' | ')' | ']' if depth == 0 => return false,
            '>' | ')' | ']' => depth -= 1,
            _ => {}
        }
    }
    false
}

#[test]
fn every_way_of_importing_is_seen() {
    let text = "use crate::a::X;\n// crate::comment\nuse crate::{b, c::{D, E}, f};\nlet y = crate::g::h(); //crate::i\n\
                pub use crate::j::*;\nuse super::super::k;\n$crate::l::m";
    assert_eq!(imports(text, 2), ["a", "b", "c", "f", "g", "j", "k", "l"].map(String::from).into());
    assert_eq!(imports(text, 3), ["a", "b", "c", "f", "g", "j", "l"].map(String::from).into());
}

/// The source files of one module and of the modules in it.
fn files_of(source: &Path, module: &str) -> Vec<PathBuf> {
    let mut files = vec![source.join(format!("{module}.rs"))];
    let mut folders = vec![source.join(module)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files
}

/// The modules at the top of the crate that a file at this depth names, outside comments.
fn imports(text: &str, depth: usize) -> BTreeSet<String> {
    let code: String =
        text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n");
    let to_the_top = "super::".repeat(depth);
    let paths = ["crate::", &to_the_top].into_iter().flat_map(|top| code.split(top).skip(1));
    paths.flat_map(first_names).filter(|name| !name.is_empty()).collect()
}

/// The first name of a path, or of each path in braces.
fn first_names(path: &str) -> Vec<String> {
    let name = |path: &str| path.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let Some(list) = path.strip_prefix('{') else { return vec![name(path)] };
    let (mut depth, mut names, mut begins) = (0_usize, Vec::new(), 0);
    for (at, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                names.push(name(list[begins..at].trim()));
                begins = at + 1;
                if c == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    names
}
