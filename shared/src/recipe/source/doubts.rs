//! What is legal in a `recipe.toml` and probably not meant.

use jiff::Timestamp;
use toml_edit::Document;

use super::reader::{Need, Reader, Section};
use super::{Problem, SourceProblemKind as Kind, is_legal, targeting};
use crate::limits::Limits;
use crate::recipe::Recipe;
use crate::targeting::{KnownWords, Targeting};
use crate::version::VersionRange;
use crate::x509::Certificate;

/// The doubts about a `recipe.toml` at `now`: words in `[targeting]` that differ from known ones by a letter, ranges of versions
/// that take in less or more than they seem to, and, where it reads as a `recipe`, certificates that no agent will install.
/// Whatever else is wrong with the file is [`read`](super::read)'s to say.
#[must_use]
pub fn doubts(
    file_name: &str,
    toml_text: &str,
    recipe: Option<&Recipe>,
    known: &KnownWords,
    now: Timestamp,
    limits: &Limits,
) -> Vec<Problem> {
    let document = Some(toml_text).filter(|text| text.len() <= limits.recipe.bytes).map(Document::parse);
    let Some(Ok(document)) = document else { return Vec::new() };
    // What is said of mistakes goes into the one that is dropped.
    let mut dropped = Reader::new(file_name, toml_text);
    let mut reader = Reader::new(file_name, toml_text);
    let mut top = Section::root(document.as_table());
    if let Some(mut section) = top.section(&mut dropped, "targeting", Need::Optional) {
        let targeting = targeting(&mut dropped, &mut section, &limits.recipe);
        for doubt in targeting.doubts(known).iter().filter(|doubt| is_legal(doubt.field, &doubt.word)) {
            section.doubt(&mut reader, doubt);
        }
        for (key, range) in [("versions", &targeting.versions), ("agent_versions", &targeting.agent_versions)]
        {
            let written = range.as_ref().and_then(|_| section.text(&mut dropped, key, Need::Optional));
            for (what, remedy) in written.into_iter().flat_map(|written| of_range(written, key, &targeting)) {
                section.problem(&mut reader, key, Kind::DoubtfulRange, &what, &remedy);
            }
        }
    }
    if let Some(recipe) = recipe
        && let Some(section) = top.section(&mut dropped, "arguments", Need::Optional)
    {
        for what in of_certificates(recipe, now) {
            let remedy = "give one that is valid while the recipe is: agents do not install it";
            section.problem(&mut reader, "certificates", Kind::DoubtfulCertificate, &what, remedy);
        }
    }
    reader.into_problems()
}

/// What a range may not mean, and how it is written then.
fn of_range(written: &str, key: &str, targeting: &Targeting) -> Vec<(String, String)> {
    let mut doubts = Vec::new();
    if let Some(every) = VersionRange::wider_meaning(written) {
        let what = format!("{written:?} is that version alone");
        let remedy =
            format!("write {every:?} for every version that begins so, or leave it if that is meant");
        doubts.push((what, remedy));
    }
    let is_esr = |channel: &String| channel.to_ascii_lowercase().contains("esr");
    let esr_alone = targeting.channels.as_ref().is_some_and(|channels| channels.iter().all(is_esr));
    if key == "versions" && VersionRange::names_esr(written) && !esr_alone {
        let what =
            format!("{written:?} takes in clients of every channel: versions are compared without \"esr\"");
        let remedy = "for ESR alone write channels = [\"esr\"] beside it, or leave \"esr\" out of the range";
        doubts.push((what, remedy.to_owned()));
    }
    doubts
}

/// The certificates to be installed that are not valid at any time at which agents could, each with its dates.
fn of_certificates(recipe: &Recipe, now: Timestamp) -> Vec<String> {
    let from = recipe.starts.map_or(now, |starts| starts.max(now));
    let one = |certificate: &Certificate| {
        let (begins, ends) = (certificate.not_before(), certificate.not_after());
        let name = certificate.described();
        if ends <= now {
            Some(format!("{name} expired at {ends}"))
        } else if ends <= from {
            Some(format!("{name} expires at {ends}, before the recipe starts at {from}"))
        } else if begins >= recipe.expires {
            Some(format!("{name} is not valid before {begins}, when the recipe has expired"))
        } else {
            None
        }
    };
    recipe.action.does().installs().iter().filter_map(one).collect()
}
