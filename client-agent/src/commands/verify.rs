//! `mulberry-agent verify`: the verdict on signed add-ons, without a server or a state folder.

mod find;
mod print;

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::builder::{PossibleValuesParser, TypedValueParser};
use indicatif::{ProgressBar, ProgressStyle};
use jiff::Timestamp;
use mulberry_host::files;
use mulberry_host::memory::Budget;
use mulberry_shared::answer::Lenient;
use mulberry_shared::exit::Exit;
use mulberry_shared::instant;
use mulberry_shared::limits::Limits;
use mulberry_shared::x509::{
    Anchors, Certificate, CertificateError, Distrust, EndEntityTime, Pool, Purpose, SignatureMemo,
};
use mulberry_shared::xpi::{Inspection, JudgeContext, Policy, SignatureMode, Verdict, WeakestDigest};
use rayon::prelude::*;

use super::Failure;
use crate::examine;
use crate::io::addon_file;

/// Options of `mulberry-agent verify`. The single options override the policy.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// Trust anchor of add-ons: PEM, DER or PKCS#7 (repeats)
    #[arg(long, alias = "root", required = true, value_name = "FILE")]
    pub anchor: Vec<PathBuf>,
    /// Intermediate certificate to try besides those embedded in add-ons: PEM, DER or PKCS#7 (repeats)
    #[arg(long, value_name = "FILE")]
    pub certificate: Vec<PathBuf>,
    /// Verify as of this time instead of now
    #[arg(long, value_name = "RFC3339", value_parser = instant::read_option)]
    pub time: Option<Timestamp>,
    /// Named set of rules
    #[arg(long, default_value = "firefox", value_parser = one_of(["firefox", "strict"], Policy::named))]
    pub policy: Policy,
    /// Whether the end entity's own dates count
    #[arg(long, value_parser = one_of(["enforce", "ignore"], end_entity_time))]
    pub end_entity_time: Option<EndEntityTime>,
    /// Which signatures are required, and which are checked when present
    #[arg(long, value_parser = one_of(SignatureMode::ALL.map(SignatureMode::as_str), |text| text.parse::<SignatureMode>().ok()))]
    pub signature: Option<SignatureMode>,
    /// Weakest digest accepted in the PKCS#7 path
    #[arg(long, value_parser = one_of(WeakestDigest::ALL.map(WeakestDigest::as_str), |text| text.parse::<WeakestDigest>().ok()))]
    pub digest: Option<WeakestDigest>,
    /// Print JSON Lines: one document for each add-on, as they are judged
    #[arg(long)]
    pub json: bool,
    /// Add-ons, or folders of .xpi and .zip files (searched recursively, links followed)
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
}

impl Args {
    /// The policy with the single options applied.
    fn policy(&self) -> Policy {
        Policy {
            signature: self.signature.unwrap_or(self.policy.signature),
            digest: self.digest.unwrap_or(self.policy.digest),
            end_entity_time: self.end_entity_time.unwrap_or(self.policy.end_entity_time),
            ..self.policy
        }
    }
}

/// Verifies, prints and says how it ended; `now` is the time unless `--time` names another.
///
/// # Errors
/// An anchor or certificate cannot be used, the verdicts cannot be written, or there is no add-on.
pub fn run(args: &Args, now: Timestamp) -> Result<Exit, Failure> {
    let limits = Limits::default();
    let anchors = anchors(&args.anchor, &limits).map_err(Failure::usage)?;
    let pool = Pool::from_iter(certificates(&args.certificate, &limits).map_err(Failure::usage)?);
    let found = find::add_ons(&args.paths);
    for problem in &found.problems {
        eprintln!("error: {problem}");
    }
    let context = JudgeContext {
        anchors: &anchors,
        pool: &pool,
        distrust: &Distrust::default(),
        memo: &SignatureMemo::new(MEMO),
        policy: &args.policy(),
        limits: &limits,
    };
    let printed = verify_all(&found.files, &context, args.time.unwrap_or(now), args.json);
    let tally =
        printed.map_err(|error| Failure::usage(format!("the verdicts cannot be written: {error}")))?;
    if found.files.is_empty() {
        return Err(Failure::usage("no add-on found; folders are searched for .xpi and .zip files"));
    }
    match tally.unreadable + found.problems.len() {
        0 => Ok(if tally.refused > 0 { Exit::No } else { Exit::Yes }),
        unread => Err(Failure::usage(format!(
            "{unread} of what was named could not be read, as said above; {} add-ons were verified, {} refused",
            tally.checked, tally.refused
        ))),
    }
}

/// Signature checks remembered: several for each intermediate and end entity of a large folder.
const MEMO: usize = 1 << 15;
/// Add-ons verified before the next are printed: output begins early, is sorted, and is not held in memory.
const BATCH: usize = 512;
/// From this many add-ons on, work takes long enough for a progress bar.
const LONG: usize = 400;
/// Bytes of a certificate file.
const CERTIFICATE_FILE: u64 = 1 << 20;

/// One add-on and what was said about it.
struct Checked<'a> {
    path: &'a Path,
    inspection: Inspection,
    verdict: Verdict,
}

/// How many add-ons got which kind of answer.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    checked: usize,
    refused: usize,
    unreadable: usize,
}

fn verify_all(files: &[PathBuf], context: &JudgeContext<'_>, at: Timestamp, json: bool) -> io::Result<Tally> {
    let budget = Budget::new(examine::MEMORY);
    let bar = progress_bar(files.len());
    let mut tally = Tally::default();
    for batch in files.chunks(BATCH) {
        let results: Vec<(&Path, io::Result<Checked<'_>>)> = batch
            .par_iter()
            .map(|path| {
                let path = path.as_path();
                let result =
                    addon_file::inspect(path, context.policy, context.limits, &budget).map(|inspection| {
                        let verdict = inspection.judge(context, at);
                        Checked { path, inspection, verdict }
                    });
                bar.inc(1);
                (path, result)
            })
            .collect();
        bar.suspend(|| {
            let mut out = io::BufWriter::new(Lenient(io::stdout().lock()));
            for (path, result) in &results {
                match result {
                    Ok(checked) => {
                        tally.checked += 1;
                        tally.refused += usize::from(!checked.verdict.is_ok());
                        print::verdict(&mut out, checked, json)?;
                    }
                    Err(error) => {
                        tally.unreadable += 1;
                        eprintln!("error: {}: {error}", print::shown(path));
                    }
                }
            }
            out.flush()
        })?;
    }
    bar.finish_and_clear();
    if !json {
        print::summary(&mut Lenient(io::stdout().lock()), tally.checked, tally.refused)?;
    }
    Ok(tally)
}

/// Shown on a terminal only (standard error), and only for long work.
fn progress_bar(files: usize) -> ProgressBar {
    if files < LONG {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} add-ons, {per_sec}, {eta} left");
    ProgressBar::new(files as u64).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// The anchors of these files; what is none is left out, with a warning.
fn anchors(paths: &[PathBuf], limits: &Limits) -> Result<Anchors, String> {
    let mut all = Vec::new();
    for path in paths {
        let file = read(path, |bytes| Certificate::read_anchors(bytes, &limits.x509))?;
        if let Some(warning) = file.warning() {
            eprintln!("warning: {}: {warning}", print::shown(path));
        }
        all.extend(file.anchors);
    }
    Ok(Anchors::from_iter(all))
}

fn certificates(paths: &[PathBuf], limits: &Limits) -> Result<Vec<Certificate>, String> {
    let mut all = Vec::new();
    for path in paths {
        all.extend(read(path, |bytes| Certificate::read_file(bytes, Purpose::Pool, &limits.x509))?);
    }
    Ok(all)
}

fn read<T>(path: &Path, parse: impl FnOnce(&[u8]) -> Result<T, CertificateError>) -> Result<T, String> {
    let problem = |what: &dyn std::fmt::Display| format!("{}: {what}", print::shown(path));
    let bytes = files::read(path, CERTIFICATE_FILE).map_err(|error| problem(&error))?;
    parse(&bytes).map_err(|error| problem(&error))
}

fn end_entity_time(text: &str) -> Option<EndEntityTime> {
    match text {
        "enforce" => Some(EndEntityTime::Enforce),
        "ignore" => Some(EndEntityTime::Ignore),
        _ => None,
    }
}

/// A parser of one of these names, which help and error messages list.
fn one_of<const N: usize, T: Clone + Send + Sync + 'static>(
    names: [&'static str; N],
    parse: impl Fn(&str) -> Option<T> + Clone + Send + Sync + 'static,
) -> impl TypedValueParser<Value = T> {
    PossibleValuesParser::new(names).try_map(move |text| parse(&text).ok_or("not in the list"))
}
