//! The last preflight of a recipe, in a small file beside it, for those who publish it.
//!
//! A pass speaks for exactly the bytes that were judged, by their SHA-256. A failure speaks for the recipe until a preflight
//! passes, whatever was edited since: a change that nothing has looked at mends nothing. It proves nothing to anybody who does
//! not trust the folder it lies in.

use crate::output;
use jiff::Timestamp;
use mulberry_host::files::{self, Readers};
use mulberry_shared::{
    digest::Sha256Digest,
    json,
    limits::Limits,
    preflight::Report,
    recipe::{Recipe, RecipePath, Slug, published},
};
use serde::{Deserialize, Serialize};
use std::{
    io,
    path::{Path, PathBuf},
};

/// The file's name.
pub const FILE_NAME: &str = ".preflight.json";
/// The format that this program writes, and the newest that it reads. Records of format 1 name no slug.
const FORMAT: u32 = 2;
/// Bytes of the file: sixteen times take two thousand.
const MAX_BYTES: u64 = 16 << 10;

/// What is remembered of a preflight: numbers, no text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    format: u32,
    /// The recipe's slug. None in a record of format 1, which is that of the recipe it lies beside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    slug: Option<Slug>,
    /// SHA-256 of the recipe's published bytes.
    sha256: Sha256Digest,
    ran: Timestamp,
    passed: bool,
    addons: u64,
    unread: u64,
    times: Vec<Numbers>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Numbers {
    at: Timestamp,
    better: u64,
    worse: u64,
    disabled: u64,
}

/// What is known of preflights of a recipe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Last {
    /// There is no record, or none that can be read.
    None,
    /// The last one passed, on other bytes: it says nothing of these.
    OfOtherBytes,
    /// The last one failed, on other bytes, and none has passed since.
    FailedBefore(Record),
    /// The last one was of exactly these bytes.
    Of(Record),
}

impl Last {
    /// When the last one failed, if it did: then nobody publishes unless they say why.
    #[must_use]
    pub fn failed(&self) -> Option<Timestamp> {
        match self {
            Self::None | Self::OfOtherBytes => None,
            Self::FailedBefore(record) | Self::Of(record) => (!record.passed).then_some(record.ran),
        }
    }
}

/// Where the record of the recipe in this `recipe.toml` lies.
#[must_use]
pub fn path(recipe_file: &Path) -> PathBuf {
    recipe_file.with_file_name(FILE_NAME)
}

/// Writes the record of a preflight that ran at `now`, replacing an older one whole.
///
/// # Errors
/// The file cannot be written.
pub fn write(recipe_file: &Path, report: &Report, now: Timestamp) -> io::Result<()> {
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    let times = report.times.iter().map(|moment| Numbers {
        at: moment.at,
        better: count(moment.better),
        worse: count(moment.worse),
        disabled: count(moment.disabled),
    });
    let record = Record {
        format: FORMAT,
        slug: report.recipe.path.parse::<RecipePath>().ok().map(|path| path.slug),
        sha256: report.recipe.sha256,
        ran: now,
        passed: report.passed,
        addons: count(report.addons.len()),
        unread: count(report.unread.len()),
        times: times.collect(),
    };
    files::replace(&path(recipe_file), serde_json::to_string_pretty(&record)?.as_bytes(), Readers::All)
}

/// The last preflight of this recipe. Whatever cannot be read, is of a newer format or of another recipe, counts as none.
#[must_use]
pub fn last(recipe_file: &Path, recipe: &Recipe, limits: &Limits) -> Last {
    let Ok(bytes) = files::read(&path(recipe_file), MAX_BYTES) else { return Last::None };
    match json::decode::<Record>(&bytes, &limits.json) {
        Ok(record) if record.format > FORMAT => Last::None,
        Ok(record) if record.slug.as_ref().is_some_and(|slug| *slug != recipe.slug) => Last::None,
        Ok(record) if record.sha256 == Sha256Digest::of(&published::write(recipe)) => Last::Of(record),
        Ok(record) if !record.passed => Last::FailedBefore(record),
        Ok(_) => Last::OfOtherBytes,
        Err(_) => Last::None,
    }
}

/// The same in words.
#[must_use]
pub fn describe(last: &Last, recipe_file: &Path, now: Timestamp) -> String {
    let next = format!("Run: {}", command(recipe_file));
    let record = match last {
        Last::None => return format!("NONE. {next}"),
        Last::OfOtherBytes => {
            return format!("NONE of exactly these bytes: the recipe has changed since the last. {next}");
        }
        Last::FailedBefore(record) => {
            let ran = output::distance(record.ran, now);
            return format!(
                "FAILED {ran}. The recipe has changed since, and no preflight shows that this helps. {next}"
            );
        }
        Last::Of(record) => record,
    };
    let result = if record.passed { "passed" } else { "FAILED" };
    let mut text = format!("{result} {} on {} add-ons", output::distance(record.ran, now), record.addons);
    if record.unread > 0 {
        text.push_str(&format!(" ({} more could not be read)", record.unread));
    }
    for Numbers { at, better, worse, disabled } in &record.times {
        text.push_str(&format!(
            "\n           as of {}: {better} better, {worse} worse, {disabled} disabled as declared",
            output::instant(*at)
        ));
    }
    text
}

/// The command that runs the preflight of the recipe in this file.
#[must_use]
pub fn command(recipe_file: &Path) -> String {
    let folder = recipe_file.parent().unwrap_or(recipe_file).display();
    format!("mulberryctl preflight {folder} --anchor PEM --addons DIR --at TIME")
}

#[cfg(test)]
mod tests {
    use super::*;
    use mulberry_shared::{
        preflight::{Preflight, Question},
        recipe::source,
        x509::Anchors,
        xpi::Policy,
    };
    use std::fs;

    fn recipe(revision: u64) -> Recipe {
        let toml = format!(
            "slug = \"a\"\nrevision = {revision}\nname = \"A\"\nlane = \"emergency\"\nconsent = \"hotfix\"\n\
             action = \"reverify-addons\"\nexpires = 2027-01-01T00:00:00Z\n[arguments]\naddons = \"all\"\n\
             [rollout]\nmax_percent = 100\n"
        );
        source::read(
            "recipe.toml",
            &toml,
            &mut |_| Err(std::io::ErrorKind::NotFound.into()),
            &Limits::default(),
        )
        .unwrap()
    }

    /// A report without add-ons.
    fn empty_report(recipe: &Recipe) -> Report {
        let (anchors, policy) = (Anchors::default(), Policy::firefox());
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

    #[test]
    fn a_record_speaks_for_exactly_its_bytes_and_nothing_unreadable_counts() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("recipe.toml");
        let (limits, now) = (Limits::default(), "2026-11-22T12:00:00Z".parse().unwrap());
        let last = |revision| super::last(&file, &recipe(revision), &limits);
        let said = |last: &Last| describe(last, &file, now);
        assert_eq!(last(1), Last::None);
        assert!(said(&Last::None).starts_with("NONE. Run: mulberryctl preflight "));
        write(&file, &empty_report(&recipe(1)), now - jiff::SignedDuration::from_hours(3)).unwrap();
        assert_eq!(
            said(&last(1)),
            "FAILED 3 hours ago on 0 add-ons\n           as of 1970-01-01 00:00:00Z: 0 better, 0 worse, 0 disabled as declared"
        );
        assert!(last(1).failed().is_some() && last(2).failed().is_some(), "whatever was edited since");
        assert_eq!(
            said(&last(2)).split(" Run: ").next(),
            Some("FAILED 3 hours ago. The recipe has changed since, and no preflight shows that this helps.")
        );
        write(&file, &Report { passed: true, ..empty_report(&recipe(2)) }, now).unwrap();
        assert!(matches!(last(2), Last::Of(_)) && last(1) == Last::OfOtherBytes);
        assert!(last(1).failed().or(last(2).failed()).is_none());
        let other = Recipe { slug: "b".parse().unwrap(), ..recipe(2) };
        assert_eq!(super::last(&file, &other, &limits), Last::None, "another recipe in this folder");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing temporary is left");

        let good = fs::read_to_string(path(&file)).unwrap();
        let long = format!("{good}{}", " ".repeat(MAX_BYTES as usize));
        for bad in
            [good.replace("\"format\": 2", "\"format\": 3"), good.replace("ran", "run"), long, "{".into()]
        {
            assert_ne!(bad, good);
            fs::write(path(&file), bad).unwrap();
            assert_eq!(last(2), Last::None);
        }
        let old = good.replace("\"format\": 2", "\"format\": 1").replace("\"slug\": \"a\",", "");
        assert_ne!(old, good);
        fs::write(path(&file), old).unwrap();
        assert!(matches!(last(2), Last::Of(_)), "what an earlier program wrote counts");
    }
}
