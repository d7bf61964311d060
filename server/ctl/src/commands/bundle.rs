//! `mulberryctl bundle`: one edition in one file, verified as agents verify it, before it is written and after.

use crate::{
    context::CommandContext,
    edition,
    failure::{Failure, FailureKind},
    files::{self, Existing},
    output,
};
use clap::Args;
use jiff::Timestamp;
use mulberry_shared::{
    bundle,
    digest::Sha256Digest,
    edition::{Edition, OnlineRole, TrustState, Waiver},
    exit::Exit,
    gates::GateState,
    limits::Limits,
    recipe::published,
    sampling::BasisPoints,
    tuf::{TrustError, location},
};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// `bundle`
#[derive(Args, Debug)]
#[command(
    after_help = "The edition is verified as agents verify it, and so is the file. mulberry-agent import takes it.\n\n\
                  Example:\n  mulberryctl bundle --out fixes.mulberry"
)]
pub struct Bundle {
    /// The file to write
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Write over a file that exists
    #[arg(long)]
    pub replace: bool,
}

/// The format's number of the answer for scripts.
const FORMAT: u64 = 1;

/// What was written.
#[derive(Debug, Serialize)]
struct Written {
    format: u64,
    file: String,
    bytes: usize,
    /// Of the whole file, as `sha256sum` shows it.
    sha256: Sha256Digest,
    entries: usize,
    edition: u64,
    signed_at: Option<Timestamp>,
    /// The first and the last version of the root in it.
    roots: [u64; 2],
    /// From when on an import needs a waiver: the first expiry of what the server signs.
    waiver_needed_from: Option<Timestamp>,
    recipes: Vec<Recipe>,
    expiries: Vec<Expiry>,
}

#[derive(Debug, Serialize)]
struct Recipe {
    path: String,
    revision: Option<u64>,
    bytes: usize,
    /// `open`, `paused`, `ended` or `closed`.
    gate: &'static str,
    /// How far it is open, in hundredths of a percent.
    percent: u16,
}

#[derive(Debug, Serialize)]
struct Expiry {
    role: String,
    version: u64,
    expires: Timestamp,
}

impl Bundle {
    /// Fetches the current edition, verifies it, and writes it.
    ///
    /// # Errors
    /// The file exists and may not be replaced, the origin cannot be read, or what it serves is refused.
    pub async fn run(&self, context: &CommandContext) -> Result<Exit, Failure> {
        let CommandContext { now, format, limits, .. } = context;
        let existing = Existing::of_flag(self.replace);
        if self.out.as_os_str() == "-" {
            let sentence = "--out -: a bundle is bytes for a file, not for standard output. Name a file.";
            return Err(Failure::usage(FailureKind::FileUnwritable, sentence));
        }
        // Found out now rather than after everything has been fetched.
        files::check_place(&self.out, existing).map_err(|error| files::unwritable(&self.out, &error))?;
        let pinned = context.pinned()?;
        let endpoint = context.origin()?;
        output::progress(&format!("Fetching and verifying what {} publishes", endpoint.base()));
        let (bundle, state) = edition::collect(&endpoint, &pinned, *now, limits).await?;

        let bytes = bundle.write();
        prove(&bytes, &pinned, &state, *now, limits)?;
        files::write_whole(&self.out, &bytes, existing)
            .map_err(|error| files::unwritable(&self.out, &error))?;
        let edition = state.edition(limits).ok_or_else(|| faulty("there is no edition in it"))?;
        let written = written(&self.out, &bytes, &bundle, &edition, limits);
        format.print(|| words(&written, *now), || serde_json::json!(written))?;
        Ok(Exit::Yes)
    }
}

/// Reads the file as an agent will, from the pinned root and from the first one.
fn prove(
    bytes: &[u8],
    pinned: &TrustState,
    state: &TrustState,
    now: Timestamp,
    limits: &Limits,
) -> Result<(), Failure> {
    let bundle = bundle::Bundle::read(bytes, &limits.bundle).map_err(|error| faulty(&error.to_string()))?;
    let refused = |error: TrustError| Failure::refused(error.kind, error.to_string());
    let first =
        roots(&bundle).min().and_then(|version| bundle.get(&location::metadata("root", Some(version))));
    let mut clients = vec![pinned.clone()];
    if let Some(first) = first {
        clients.push(TrustState::pinned(first, limits).map_err(refused)?);
    }
    for client in &clients {
        let (taken, _) = bundle.take(client, now, &Waiver::NONE, limits).map_err(|unfit| {
            Failure::refused(
                FailureKind::RootsDoNotFollow,
                format!(
                    "A client with version {} of the root could not import it: {unfit}. The origin serves roots that do not \
                     follow one another.",
                    client.trusted().root().version
                ),
            )
        })?;
        if taken != *state {
            return Err(faulty("it does not give what the origin gave"));
        }
    }
    Ok(())
}

fn roots(bundle: &bundle::Bundle) -> impl Iterator<Item = u64> {
    let version = |path: &String| path.strip_prefix("metadata/")?.strip_suffix(".root.json")?.parse().ok();
    bundle.entries().keys().filter_map(version)
}

fn written(
    path: &Path,
    bytes: &[u8],
    bundle: &bundle::Bundle,
    edition: &Edition,
    limits: &Limits,
) -> Written {
    let read = edition.gates.as_ref().and_then(|gates| gates.read.as_ref().ok());
    let all = edition.lanes.values().flat_map(|lane| &lane.recipes);
    let recipes = all.filter_map(|recipe| {
        let bytes = &recipe.content.as_ref().ok()?.bytes;
        let content = published::read(&recipe.path, bytes, limits).ok();
        let revision = content.as_ref().map(|recipe| recipe.revision);
        let gate = revision.and_then(|revision| read?.gates.of(&recipe.path, revision));
        let (gate, percent) = match gate {
            None if read.is_some_and(|read| read.unclear.contains_key(&recipe.path)) => ("not understood", 0),
            None => ("closed", 0),
            Some(gate) => match gate.state {
                GateState::Open => {
                    let most =
                        content.as_ref().map_or(BasisPoints::EVERYONE, |content| content.rollout.max_percent);
                    ("open", gate.percent.min(most).get())
                }
                GateState::Paused => ("paused", 0),
                GateState::Ended => ("ended", 0),
            },
        };
        Some(Recipe { path: recipe.path.to_string(), revision, bytes: bytes.len(), gate, percent })
    });
    let online = |role: &str| OnlineRole::ALL.into_iter().any(|online| online.as_str() == role);
    let server = edition.expiries.iter().filter(|held| online(&held.role));
    let (first, last) = (roots(bundle).min().unwrap_or(0), roots(bundle).max().unwrap_or(0));
    Written {
        format: FORMAT,
        file: path.display().to_string(),
        bytes: bytes.len(),
        sha256: Sha256Digest::of(bytes),
        entries: bundle.entries().len(),
        edition: edition.number,
        signed_at: edition.signed_at,
        roots: [first, last],
        waiver_needed_from: server.map(|held| held.expires).min(),
        recipes: recipes.collect(),
        expiries: edition
            .expiries
            .iter()
            .map(|held| Expiry { role: held.role.clone(), version: held.version, expires: held.expires })
            .collect(),
    }
}

fn words(written: &Written, now: Timestamp) -> String {
    let [first, last] = written.roots;
    let signed = written.signed_at.map_or_else(String::new, |at| format!(", signed {}", output::instant(at)));
    let mut parts = vec![format!(
        "Wrote {}: {} bytes, {} files.\nSHA-256 {}\nEdition {}{signed}; roots {first} to {last}.",
        written.file, written.bytes, written.entries, written.sha256, written.edition
    )];
    let recipes = written.recipes.iter().map(|recipe| {
        let gate = match recipe.gate {
            "open" => format!("open at {}", output::percent(recipe.percent)),
            other => other.to_owned(),
        };
        let revision = recipe.revision.map_or_else(|| "-".to_owned(), |revision| revision.to_string());
        [recipe.path.clone(), revision, recipe.bytes.to_string(), gate]
    });
    parts.push(if written.recipes.is_empty() {
        "No recipe is in it.".to_owned()
    } else {
        output::table(["RECIPE", "REV", "BYTES", "GATE"], recipes)
    });
    let expiries = written.expiries.iter().map(|expiry| {
        [
            expiry.role.clone(),
            expiry.version.to_string(),
            output::instant(expiry.expires),
            output::distance(expiry.expires, now),
        ]
    });
    parts.push(output::table(["METADATA", "VERSION", "EXPIRES", ""], expiries));
    if let Some(from) = written.waiver_needed_from {
        parts.push(format!(
            "Next: mulberry-agent import {}\nFrom {} on that needs --waive-expiry.",
            written.file,
            output::instant(from)
        ));
    }
    parts.join("\n\n")
}

fn faulty(problem: &str) -> Failure {
    Failure::no(
        FailureKind::BundleFaulty,
        format!("The bundle could not be read back: {problem}. Nothing was written."),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_reads_well() {
        let now: Timestamp = "2019-05-05T00:00:00Z".parse().unwrap();
        let written = Written {
            format: FORMAT,
            file: "fixes.mulberry".into(),
            bytes: 12_345,
            sha256: Sha256Digest::of(b""),
            entries: 9,
            edition: 7,
            signed_at: Some(now),
            roots: [1, 3],
            waiver_needed_from: Some("2019-05-06T00:00:00Z".parse().unwrap()),
            recipes: vec![
                Recipe {
                    path: "emergency/fix.json".into(),
                    revision: Some(2),
                    bytes: 2000,
                    gate: "open",
                    percent: 2500,
                },
                Recipe {
                    path: "routine/x.json".into(),
                    revision: None,
                    bytes: 10,
                    gate: "closed",
                    percent: 0,
                },
            ],
            expiries: vec![Expiry {
                role: "root".into(),
                version: 3,
                expires: "2020-05-05T00:00:00Z".parse().unwrap(),
            }],
        };
        let text = words(&written, now);
        for part in [
            "Wrote fixes.mulberry: 12345 bytes, 9 files.",
            "Edition 7, signed 2019-05-05 00:00:00Z; roots 1 to 3.",
            "open at 25 %",
            "closed",
            "root      3        2020-05-05 00:00:00Z  in 366 days",
            "From 2019-05-06 00:00:00Z on that needs --waive-expiry.",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
    }
}
