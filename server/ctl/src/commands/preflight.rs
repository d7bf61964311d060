//! `mulberryctl preflight`, whose options are those of `mulberry-agent verify` where they mean the same: reads the recipe, the anchors and the add-ons; what they come to is
//! [`mulberry_shared::preflight`]'s to say.

mod addons;
mod print;

use crate::{
    arguments::{When, one_of},
    context::CommandContext,
    failure::{Failure, FailureKind},
    files, output, record, source,
};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use jiff::Timestamp;
use mulberry_host::memory::Budget;
use mulberry_shared::{
    exit::Exit,
    limits::Limits,
    never_worse::Breakage,
    preflight::{self, Looked, Question, Unread},
    recipe::Recipe,
    x509::{Anchors, Certificate, CertificateError, EndEntityTime, Purpose},
    xpi::{Policy, SignatureMode, WeakestDigest},
};
use rayon::prelude::*;
use serde_json::json;
use std::path::{Path, PathBuf};

/// Bytes that all inspections together may hold, on however many cores.
const MEMORY: u64 = 256 << 20;

/// Times in one call: each is one more verdict for each add-on to hold in memory.
const MAX_TIMES: usize = 16;

/// `preflight`
#[derive(Args, Debug)]
#[command(
    after_help = "Every add-on is judged without the recipe and with it, at each time. Exit code 1 when an add-on stops \
                  working that the action does not declare, when a certificate is not one that agents install, when an \
                  install or a re-verification helps no add-on at any of the times, and when a distrust disables another \
                  number of add-ons than --expect-disabled says. Add-ons that cannot be read are counted and prove nothing.\n\n\
                  A re-verification is judged before without and afterwards with what --certificate names.\n\n\
                  The last result stays beside the recipe, in .preflight.json; `publish` shows it, and after a failure \
                  goes on only with --despite-preflight.\n\n\
                  Example:\n  mulberryctl preflight recipes/replacement --anchor anchor.pem --addons corpus --at 2019-05-05T00:00:00Z\n  \
                  mulberryctl preflight recipes/distrust-stolen --anchor anchor.pem --addons corpus --at 2026-11-22T00:00:00Z \
                  --expect-disabled 3"
)]
pub struct Preflight {
    /// The recipe's folder
    pub recipe: PathBuf,
    /// Trust anchor of add-ons: PEM, DER or PKCS#7; repeats
    #[arg(long, required = true, value_name = "FILE")]
    pub anchor: Vec<PathBuf>,
    /// Add-ons, or folders of .xpi and .zip files (searched recursively, links followed); repeats
    #[arg(long, required = true, value_name = "DIR")]
    pub addons: Vec<PathBuf>,
    /// Judge as of this time, or `now`; repeats
    #[arg(long, required = true, value_name = "RFC3339", value_parser = When::parse)]
    pub at: Vec<When>,
    /// Intermediate certificate that clients hold besides those embedded in add-ons; repeats
    #[arg(long, value_name = "FILE")]
    pub certificate: Vec<PathBuf>,
    /// How many add-ons a distrust is meant to disable
    #[arg(long, value_name = "N")]
    pub expect_disabled: Option<u64>,
    /// Named set of rules
    #[arg(long, default_value = "firefox", value_parser = one_of(["firefox", "strict"], Policy::named))]
    pub policy: Policy,
    /// Whether the end entity's own dates count [default: as the policy says]
    #[arg(long, value_parser = one_of(["enforce", "ignore"], end_entity_time))]
    pub end_entity_time: Option<EndEntityTime>,
    /// Which signatures are required, and which are checked when present [default: as the policy says]
    #[arg(long, value_parser = one_of(SignatureMode::ALL.map(SignatureMode::as_str), |text| text.parse::<SignatureMode>().ok()))]
    pub signature: Option<SignatureMode>,
    /// Weakest digest accepted in the PKCS#7 path [default: as the policy says]
    #[arg(long, value_parser = one_of(WeakestDigest::ALL.map(WeakestDigest::as_str), |text| text.parse::<WeakestDigest>().ok()))]
    pub digest: Option<WeakestDigest>,
}

impl Preflight {
    /// The policy with the single options applied.
    fn policy(&self) -> Policy {
        Policy {
            signature: self.signature.unwrap_or(self.policy.signature),
            digest: self.digest.unwrap_or(self.policy.digest),
            end_entity_time: self.end_entity_time.unwrap_or(self.policy.end_entity_time),
            ..self.policy
        }
    }

    /// Runs a preflight and leaves its record beside the recipe.
    ///
    /// # Errors
    /// What cannot be read, or asked.
    pub fn run(&self, context: &CommandContext) -> Result<Exit, Failure> {
        let (now, limits) = (context.now, &context.limits);
        let (file, recipe) = recipe(&self.recipe, limits)?;
        let times = times(self, &recipe, now)?;
        let anchors = anchors(&self.anchor, limits)?;
        let known = certificates(&self.certificate, limits)?;
        let found = addons::find(&self.addons)?;
        let policy = self.policy();
        let preflight = preflight::Preflight::new(Question {
            recipe: &recipe,
            anchors: &anchors,
            known: &known,
            policy: &policy,
            times: &times,
            expect_disabled: self.expect_disabled,
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
        context.format.print(|| print::human(&report), || json!(report))?;
        Ok(if report.passed { Exit::Yes } else { Exit::No })
    }
}

fn end_entity_time(text: &str) -> Option<EndEntityTime> {
    match text {
        "enforce" => Some(EndEntityTime::Enforce),
        "ignore" => Some(EndEntityTime::Ignore),
        _ => None,
    }
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
fn times(command: &Preflight, recipe: &Recipe, now: Timestamp) -> Result<Vec<Timestamp>, Failure> {
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
