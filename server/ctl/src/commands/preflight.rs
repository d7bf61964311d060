//! `mulberryctl preflight`: reads the recipe, the anchors and the add-ons; what they come to is
//! [`mulberry_shared::preflight`]'s to say.

mod addons;
mod memory;
mod print;

use crate::{
    cli,
    failure::{Failure, FailureKind},
    files,
    output::{self, Format},
    record, source,
};
use indicatif::{ProgressBar, ProgressStyle};
use jiff::Timestamp;
use memory::{Budget, MEMORY};
use mulberry_shared::{
    exit::Exit,
    limits::Limits,
    never_worse::Breakage,
    preflight::{Looked, Preflight, Question, Unread},
    recipe::Recipe,
    x509::{Anchors, Certificate, CertificateError, Purpose},
};
use rayon::prelude::*;
use serde_json::json;
use std::path::{Path, PathBuf};

/// Times in one call: each is one more verdict for each add-on to hold in memory.
const MAX_TIMES: usize = 16;

/// Runs a preflight and leaves its record beside the recipe.
///
/// # Errors
/// What cannot be read, or asked.
pub fn run(
    command: &cli::Preflight,
    now: Timestamp,
    format: Format,
    limits: &Limits,
) -> Result<Exit, Failure> {
    let (file, recipe) = recipe(&command.recipe, limits)?;
    let times = times(command, &recipe, now)?;
    let anchors = anchors(&command.anchor, limits)?;
    let known = certificates(&command.certificate, limits)?;
    let found = addons::find(&command.addons)?;
    let policy = command.policy();
    let preflight = Preflight::new(Question {
        recipe: &recipe,
        anchors: &anchors,
        known: &known,
        policy: &policy,
        times: &times,
        expect_disabled: command.expect_disabled,
        limits,
    });

    let bar = progress_bar(found.files.len());
    let budget = Budget::new(MEMORY);
    let seen: Vec<Result<Looked, Unread>> = found
        .files
        .par_iter()
        .map(|path| {
            let key = path.to_string_lossy().into_owned();
            let result = match addons::inspect(path, &policy, limits, &budget) {
                Ok(inspection) => Ok(preflight.look(key, &inspection)),
                Err(error) => Err(Unread { key, problem: error.to_string() }),
            };
            bar.inc(1);
            result
        })
        .collect();
    bar.finish_and_clear();
    let (mut looked, mut unread) = (Vec::with_capacity(seen.len()), found.unread);
    for one in seen {
        match one {
            Ok(one) => looked.push(one),
            Err(one) => unread.push(one),
        }
    }
    let report = preflight.report(looked, unread);

    if let Err(error) = record::write(&file, &report, now) {
        let folder = record::path(&file);
        output::warn(&format!("{}: {error}; publish will not know of this preflight.", folder.display()));
    }
    format.print(|| print::human(&report), || json!(report))?;
    Ok(if report.passed { Exit::Yes } else { Exit::No })
}

fn recipe(path: &Path, limits: &Limits) -> Result<(PathBuf, Recipe), Failure> {
    let mut files = source::find(&[path.to_owned()])?;
    match (files.pop(), files.len()) {
        (Some(file), 0) => {
            let recipe = source::load_good(&file, limits)?;
            Ok((file, recipe))
        }
        (_, others) => Err(Failure::usage(
            FailureKind::SeveralRecipes,
            format!("{}: has {} recipes in it; name one of them.", path.display(), others + 1),
        )),
    }
}

/// The times, sorted, each once.
fn times(command: &cli::Preflight, recipe: &Recipe, now: Timestamp) -> Result<Vec<Timestamp>, Failure> {
    if command.expect_disabled.is_some() && recipe.action.does().breaks() == Breakage::Nothing {
        let sentence = format!(
            "--expect-disabled is for a distrust; this recipe does {} and may disable nothing.",
            recipe.action.kind().as_str()
        );
        return Err(Failure::usage(FailureKind::ExpectDisabled, sentence));
    }
    let mut times: Vec<Timestamp> = command.at.iter().map(|when| when.at(now)).collect();
    times.sort_unstable();
    times.dedup();
    if times.len() > MAX_TIMES {
        let sentence =
            format!("--at: {} times, more than {MAX_TIMES}. Run it again for the others.", times.len());
        return Err(Failure::usage(FailureKind::TooManyTimes, sentence));
    }
    Ok(times)
}

/// The anchors of these files; what is none is left out, with a warning.
fn anchors(paths: &[PathBuf], limits: &Limits) -> Result<Anchors, Failure> {
    let mut all = Vec::new();
    for path in paths {
        let file = read(path, limits, |bytes| Certificate::read_anchors(bytes, &limits.x509))?;
        if let Some(warning) = file.warning() {
            output::warn(&format!("{}: {warning}.", path.display()));
        }
        all.extend(file.anchors);
    }
    Ok(Anchors::from_iter(all))
}

fn certificates(paths: &[PathBuf], limits: &Limits) -> Result<Vec<Certificate>, Failure> {
    let mut all = Vec::new();
    for path in paths {
        all.extend(read(path, limits, |bytes| Certificate::read_file(bytes, Purpose::Pool, &limits.x509))?);
    }
    Ok(all)
}

fn read<T>(
    path: &Path,
    limits: &Limits,
    parse: impl FnOnce(&[u8]) -> Result<T, CertificateError>,
) -> Result<T, Failure> {
    let problem = |what: &dyn std::fmt::Display| {
        Failure::usage(FailureKind::CertificateUnreadable, format!("{}: {what}.", path.display()))
    };
    let max = u64::try_from(limits.x509.pem_bytes).unwrap_or(u64::MAX);
    let bytes = files::read_bounded(path, max).map_err(|error| problem(&error))?;
    parse(&bytes).map_err(|error| problem(&error))
}

/// Shown on a terminal only (standard error).
fn progress_bar(files: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} add-ons, {per_sec}, {eta} left");
    ProgressBar::new(files as u64).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// For the record's tests too: a report without add-ons.
#[cfg(test)]
pub(crate) fn empty_report(recipe: &Recipe) -> mulberry_shared::preflight::Report {
    let (anchors, policy) = (Anchors::default(), mulberry_shared::xpi::Policy::firefox());
    let (limits, times) = (Limits::default(), [Timestamp::UNIX_EPOCH]);
    let question = Question {
        recipe,
        anchors: &anchors,
        known: &[],
        policy: &policy,
        times: &times,
        expect_disabled: None,
        limits: &limits,
    };
    Preflight::new(question).report(Vec::new(), Vec::new())
}
