//! `mulberryctl recipe new|check|show`.

pub mod new;
mod template;

use crate::{
    context::CommandContext,
    failure::{Failure, FailureKind},
    output::{Format, distance},
    source::{self, Loaded},
};
use clap::Subcommand;
use jiff::Timestamp;
use mulberry_shared::{
    exit::Exit,
    recipe::{
        Recipe, published,
        source::{Problem, SourceProblemKind},
        words,
    },
    targeting::KnownWords,
};
use serde_json::json;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// `recipe …`
#[derive(Debug, Subcommand)]
pub enum RecipeCommand {
    /// Write a recipe that passes `recipe check`, commented for a tired person
    New(new::RecipeNew),
    /// Check recipes; every problem with file, line, key and remedy
    #[command(after_help = "Example:\n  mulberryctl recipe check recipes/*")]
    Check {
        /// Recipe folders, or folders of them
        #[arg(required = true, value_name = "PATH")]
        paths: Vec<PathBuf>,
    },
    /// Say in words what a recipe does; with --json, print what would be published
    #[command(after_help = "Example:\n  mulberryctl recipe show recipes/replacement-intermediate")]
    Show {
        /// The recipe's folder
        path: PathBuf,
    },
}

impl RecipeCommand {
    /// Runs one of the three.
    ///
    /// # Errors
    /// What cannot be read or written.
    pub fn run(&self, context: &CommandContext) -> Result<Exit, Failure> {
        let known = context.settings()?.known_words();
        match self {
            Self::New(command) => command.run(context),
            Self::Check { paths } => check(paths, &known, context),
            Self::Show { path } => show(path, &known, context),
        }
    }
}

fn check(paths: &[PathBuf], known: &KnownWords, context: &CommandContext) -> Result<Exit, Failure> {
    let CommandContext { now, format, limits, .. } = context;
    let mut checked = Vec::new();
    let mut slugs: BTreeMap<String, PathBuf> = BTreeMap::new();
    for file in source::find(paths)? {
        let (recipe, mut problems) = match source::load(&file, limits)? {
            Loaded::Good(recipe) => (Some(recipe), Vec::new()),
            Loaded::Bad(errors) => (None, errors.problems),
        };
        if let Some(recipe) = &recipe
            && let Some(first) = slugs.insert(recipe.slug.to_string(), file.clone())
        {
            problems.push(Problem {
                file: file.display().to_string(),
                line: 1,
                key: "slug".to_owned(),
                kind: SourceProblemKind::SlugTwice,
                what: format!("{:?} is also the slug of {}", recipe.slug.as_str(), first.display()),
                remedy: "rename one of them: a slug names one recipe in all lanes".to_owned(),
            });
        }
        let warnings = source::doubts(&file, recipe.as_deref(), known, *now, limits)?;
        checked.push(Checked { file, recipe, problems, warnings });
    }
    let good = checked.iter().all(|one| one.problems.is_empty());
    format.print(
        || {
            let lines = checked.iter().flat_map(|Checked { file, recipe, problems, warnings }| {
                let fine = recipe.iter().filter(|_| problems.is_empty());
                let fine =
                    fine.map(move |recipe| format!("{}: ok: {}", file.display(), headline(recipe, *now)));
                let warnings = warnings.iter().map(|warning| format!("Warning: {warning}"));
                problems.iter().map(ToString::to_string).chain(warnings).chain(fine)
            });
            lines.collect::<Vec<_>>().join("\n")
        },
        || {
            let recipes = checked.iter().map(|Checked { file, recipe, problems, warnings }| {
                let recipe = recipe.as_deref();
                json!({"file": file, "ok": problems.is_empty(), "problems": listed(problems), "warnings": listed(warnings),
                    "path": recipe.map(Recipe::path), "revision": recipe.map(|recipe| recipe.revision),
                    "opens": recipe.map(|recipe| recipe.opens.as_str()),
                    "plan": recipe.map(|recipe| recipe.rollout.plan.iter().map(|step| step.percent).collect::<Vec<_>>()),
                    "expired": recipe.map(|recipe| recipe.expires <= *now)})
            });
            json!({"ok": good, "recipes": recipes.collect::<Vec<_>>()})
        },
    )?;
    Ok(if good { Exit::Yes } else { Exit::No })
}

/// What one file gave.
struct Checked {
    file: PathBuf,
    recipe: Option<Box<Recipe>>,
    problems: Vec<Problem>,
    warnings: Vec<Problem>,
}

fn listed(problems: &[Problem]) -> Vec<serde_json::Value> {
    let one = |Problem { file, line, key, kind, what, remedy }: &Problem| json!({"file": file, "line": line, "key": key, "kind": kind, "what": what, "remedy": remedy});
    problems.iter().map(one).collect()
}

fn headline(recipe: &Recipe, now: Timestamp) -> String {
    let expired = if recipe.expires <= now {
        format!("; it expired {}: no agent applies it any more", distance(recipe.expires, now))
    } else {
        String::new()
    };
    let (path, revision, action) = (recipe.path(), recipe.revision, recipe.action.kind().as_str());
    format!("{path} revision {revision}, {action}, {}{expired}", words::openings(recipe))
}

fn show(path: &Path, known: &KnownWords, context: &CommandContext) -> Result<Exit, Failure> {
    let CommandContext { now, format, limits, .. } = context;
    let files = source::find(&[path.to_owned()])?;
    let [file] = files.as_slice() else {
        return Err(Failure::usage(
            FailureKind::SeveralRecipes,
            format!("{}: has {} recipes in it; name one of them.", path.display(), files.len()),
        ));
    };
    let recipe = source::load_good(file, limits)?;
    source::warn_of_doubts(file, &recipe, known, *now, limits)?;
    match format {
        Format::Human => format.print(|| words::describe(&recipe, *now), || json!(null))?,
        // The very bytes that are published and hashed, not a second serialisation of them.
        Format::Json => Format::Human
            .print(|| String::from_utf8_lossy(&published::write(&recipe)).into_owned(), || json!(null))?,
    }
    Ok(Exit::Yes)
}
