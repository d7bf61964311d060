//! What may import what, read from the source files: The Update Framework lies below the product.

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
