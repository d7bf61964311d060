//! Recipe folders on disk: finding them, and reading one with the files beside it.

use crate::{
    failure::{Failure, FailureKind},
    files, output,
};
use jiff::Timestamp;
use mulberry_shared::{
    limits::Limits,
    outside,
    recipe::{
        Recipe,
        source::{self, Problem, SourceErrors},
    },
    targeting::KnownWords,
};
use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

/// The file that makes a folder a recipe.
pub const FILE_NAME: &str = "recipe.toml";
/// Folders below folders that are looked into: `recipes/<team>/<slug>` has two levels.
const MAX_DEPTH: usize = 8;
/// Recipes in one call: more than any repository holds.
const MAX_RECIPES: usize = 10_000;

/// What reading a recipe gave.
#[derive(Debug)]
pub enum Loaded {
    /// A recipe that obeys the rules.
    Good(Box<Recipe>),
    /// Everything that is wrong with it.
    Bad(SourceErrors),
}

/// The `recipe.toml` files that paths mean: a file, a recipe's folder, or a folder of them, recursively, links not
/// followed; sorted, each once.
///
/// # Errors
/// A path that cannot be read, or with no recipe in it.
pub fn find(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut found = BTreeSet::new();
    for path in paths {
        let mut below = BTreeSet::new();
        let metadata = fs::metadata(path).map_err(|error| unreadable(path, &error))?;
        if metadata.is_dir() {
            walk(path, 0, &mut below)?;
        } else {
            below.insert(path.clone());
        }
        if below.is_empty() {
            return Err(Failure::usage(
                FailureKind::NoRecipe,
                format!(
                    "{}: no {FILE_NAME} in it. Name a recipe's folder, such as recipes/SLUG.",
                    path.display()
                ),
            ));
        }
        found.extend(below);
    }
    Ok(found.into_iter().collect())
}

/// Reads one `recipe.toml` and what it names.
///
/// # Errors
/// The file itself cannot be read.
pub fn load(file: &Path, limits: &Limits) -> Result<Loaded, Failure> {
    let text = text(file, limits)?;
    let folder = file.parent().unwrap_or(Path::new(""));
    let max = u64::try_from(limits.recipe.file).unwrap_or(u64::MAX);
    let mut beside = |name: &str| files::read_bounded(&folder.join(name), max);
    Ok(match source::read(&file.display().to_string(), &text, &mut beside, limits) {
        Ok(recipe) => Loaded::Good(Box::new(recipe)),
        Err(problems) => Loaded::Bad(problems),
    })
}

/// What is legal in a `recipe.toml` and probably not meant; of its certificates where it reads as a `recipe`.
///
/// # Errors
/// The file cannot be read.
pub fn doubts(
    file: &Path,
    recipe: Option<&Recipe>,
    known: &KnownWords,
    now: Timestamp,
    limits: &Limits,
) -> Result<Vec<Problem>, Failure> {
    Ok(source::doubts(&file.display().to_string(), &text(file, limits)?, recipe, known, now, limits))
}

/// Warns of [`doubts`] on standard error: for commands that go on with the recipe.
///
/// # Errors
/// The file cannot be read.
pub fn warn_of_doubts(
    file: &Path,
    recipe: &Recipe,
    known: &KnownWords,
    now: Timestamp,
    limits: &Limits,
) -> Result<(), Failure> {
    for doubt in doubts(file, Some(recipe), known, now, limits)? {
        output::warn(&doubt.to_string());
    }
    Ok(())
}

fn text(file: &Path, limits: &Limits) -> Result<String, Failure> {
    let max = u64::try_from(limits.recipe.bytes).unwrap_or(u64::MAX);
    let bytes = files::read_bounded(file, max).map_err(|error| unreadable(file, &error))?;
    let text = outside::text(&bytes).map(str::to_owned);
    text.map_err(|why| Failure::usage(FailureKind::RecipeUnreadable, format!("{}: {why}.", file.display())))
}

/// Reads a recipe that must be good.
///
/// # Errors
/// It cannot be read, or breaks rules: all of them in the sentence.
pub fn load_good(file: &Path, limits: &Limits) -> Result<Recipe, Failure> {
    match load(file, limits)? {
        Loaded::Good(recipe) => Ok(*recipe),
        Loaded::Bad(problems) => Err(Failure::no(FailureKind::RecipeInvalid, problems.to_string())),
    }
}

fn walk(folder: &Path, depth: usize, found: &mut BTreeSet<PathBuf>) -> Result<(), Failure> {
    let own = folder.join(FILE_NAME);
    if own.is_file() {
        found.insert(own);
        return Ok(());
    }
    if depth == MAX_DEPTH || found.len() >= MAX_RECIPES {
        return Ok(());
    }
    for entry in fs::read_dir(folder).map_err(|error| unreadable(folder, &error))? {
        let entry = entry.map_err(|error| unreadable(folder, &error))?;
        // The entry's own type: a link to a folder is not a folder here.
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            walk(&entry.path(), depth + 1, found)?;
        }
    }
    Ok(())
}

fn unreadable(path: &Path, error: &io::Error) -> Failure {
    Failure::usage(
        FailureKind::RecipeUnreadable,
        format!("{}: {error}. Name a recipe's folder, such as recipes/SLUG.", path.display()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_searched_sorted_once_and_without_following_links() {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        for slug in ["b", "a", "team/c"] {
            fs::create_dir_all(at(slug)).unwrap();
            fs::write(at(slug).join(FILE_NAME), "").unwrap();
        }
        std::os::unix::fs::symlink(folder.path(), at("loop")).unwrap();
        let expected: Vec<_> = ["a", "b", "team/c"].iter().map(|slug| at(slug).join(FILE_NAME)).collect();
        assert_eq!(find(&[folder.path().to_owned(), at("b"), at("a/recipe.toml")]).unwrap(), expected);
        fs::create_dir(at("empty")).unwrap();
        assert_eq!(find(&[at("empty")]).unwrap_err().kind, "no-recipe");
        assert_eq!(find(&[at("absent")]).unwrap_err().kind, "recipe-unreadable");
    }
}
