//! What somebody wishes to be published: recipes on disk, the lane that they are for, and what their preflights said.

use super::base;
use crate::{
    arguments::LaneName,
    context::CommandContext,
    failure::{Failure, FailureKind},
    output, record, source,
};
use mulberry_shared::{
    answer::sentence,
    edition::TrustState,
    limits::Limits,
    operators::ProblemKind,
    proposal::{Change, Changes, FailedPreflight},
    recipe::{Lane, Recipe, RecipeName},
    text::one_line,
};
use std::path::PathBuf;

/// A recipe that shall be published, and its file.
pub type Wish = (PathBuf, Recipe);

/// Reads the recipes in these folders.
///
/// # Errors
/// One cannot be read or breaks rules, or two have one slug.
pub fn read(paths: &[PathBuf], context: &CommandContext) -> Result<Vec<Wish>, Failure> {
    let (known, limits) = (&context.settings()?.known_words(), &context.limits);
    if paths.is_empty() {
        return Ok(Vec::new());
    }
    let files = source::find(paths)?;
    let mut wishes: Vec<Wish> = Vec::new();
    for file in files {
        let recipe = source::load_good(&file, limits)?;
        source::warn_of_doubts(&file, &recipe, known, context.now, limits)?;
        if let Some((first, _)) = wishes.iter().find(|(_, other)| other.slug == recipe.slug) {
            return Err(Failure::usage(
                FailureKind::SlugTwice,
                format!("{} and {} have the same slug `{}`.", first.display(), file.display(), recipe.slug),
            ));
        }
        wishes.push((file, recipe));
    }
    Ok(wishes)
}

/// The one lane that all wishes are for.
///
/// # Errors
/// They are for both, or what shall be withdrawn is not published.
pub fn lane(
    renew: Option<LaneName>,
    wishes: &[Wish],
    withdraw: &[RecipeName],
    state: &TrustState,
) -> Result<Lane, Failure> {
    let mut lanes: Vec<Lane> = wishes.iter().map(|(_, recipe)| recipe.lane).collect();
    lanes.extend(renew.map(Lane::from));
    let listed = base::listed(state);
    for name in withdraw {
        match (name.among(&listed), name.lane()) {
            (Ok(path), _) => lanes.push(path.lane),
            // An expired lane is not in the verified state; the plan says so when the recipe is not there either.
            (Err(_), Some(lane)) => lanes.push(lane),
            (Err(_), None) if !lanes.is_empty() => {}
            (Err(error), None) => {
                return Err(Failure::no(
                    ProblemKind::UnknownRecipe,
                    format!("--withdraw: among what is published {}", sentence(&error)),
                ));
            }
        }
    }
    lanes.sort_unstable();
    lanes.dedup();
    match lanes.as_slice() {
        [lane] => Ok(*lane),
        _ => Err(Failure::usage(
            FailureKind::SeveralLanes,
            "These recipes are in both lanes, and each lane has its own keys. Publish one lane after the other, the emergency \
             lane first.",
        )),
    }
}

/// For each recipe that is signed: the last preflight of exactly its bytes, or that there was none.
#[must_use]
pub fn preflights(wishes: &[Wish], plan: &Changes, context: &CommandContext) -> String {
    let lines = signed(wishes, plan).map(|(file, recipe)| {
        let last = record::last(file, recipe, &context.limits);
        format!("preflight  {}: {}", recipe.path(), record::describe(&last, file, context.now))
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The recipes that are signed.
fn signed<'a>(wishes: &'a [Wish], plan: &'a Changes) -> impl Iterator<Item = &'a Wish> {
    wishes.iter().filter(|(_, recipe)| plan.get(&recipe.path()) != Some(&Change::Unchanged))
}

/// Nobody signs a recipe whose last preflight failed, unless they say why. Gives those that are signed all the same.
///
/// # Errors
/// One failed.
pub fn check_preflights(
    wishes: &[Wish],
    plan: &Changes,
    despite: Option<&str>,
    limits: &Limits,
) -> Result<Vec<FailedPreflight>, Failure> {
    let failed = |(file, recipe): &Wish| record::last(file, recipe, limits).failed();
    let mut all = Vec::new();
    for (wish, failed) in signed(wishes, plan).filter_map(|wish| Some((wish, failed(wish)?))) {
        let (file, recipe) = wish;
        let path = recipe.path();
        let Some(reason) = despite else {
            return Err(Failure::no(
                FailureKind::PreflightFailed,
                format!(
                    "The last preflight of {path} FAILED. Nothing was signed. Correct the recipe and prove it:\n  {}\n\
                     Only where you know better than the preflight: the same again with --despite-preflight TEXT, which says why.",
                    record::command(file)
                ),
            ));
        };
        let reason = one_line(reason, limits.proposal.reason).map_err(|why| {
            Failure::usage(FailureKind::NoReason, format!("--despite-preflight: {why}. Nothing was signed."))
        })?;
        output::warn(&format!(
            "the last preflight of {path} failed, and it is signed all the same: {reason:?}"
        ));
        all.push(FailedPreflight { path, failed, reason: reason.to_owned() });
    }
    Ok(all)
}
