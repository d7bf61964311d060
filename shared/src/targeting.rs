//! Whom a recipe is for.
//!
//! Decided on the client from facts that it never sends. An absent list means any; a fact that the client does not
//! know does not match a list.

use std::fmt;

use crate::version::{ProductVersion, VersionRange};

mod codes;
mod doubt;

pub(crate) use doubt::doubt;
pub use doubt::{Doubt, KnownWords};

/// What a client knows of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientFacts {
    /// Random, kept in the agent's state; only sampling uses it.
    pub client_id: String,
    /// The product's version.
    pub version: ProductVersion,
    /// The update channel, such as `release`, `beta`, `esr`.
    pub channel: String,
    /// The operating system, such as `linux`, `windows`, `macos`.
    pub os: String,
    /// The processor architecture, such as `x86_64`, `aarch64`.
    pub arch: String,
    /// A BCP 47 language tag, such as `de-AT`.
    pub locale: String,
    /// An ISO 3166-1 alpha-2 code, such as `AT`.
    pub country: Option<String>,
    /// The partner or downstream build.
    pub distribution: Option<String>,
    /// The test ring that this machine is in.
    pub ring: Option<String>,
    /// The agent's own version.
    pub agent_version: semver::Version,
}

/// Whom a recipe is for: every field that is present must match. The default matches everyone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Targeting {
    /// Update channels.
    pub channels: Option<Vec<String>>,
    /// Product versions.
    pub versions: Option<VersionRange>,
    /// Operating systems.
    pub os: Option<Vec<String>>,
    /// Processor architectures.
    pub arch: Option<Vec<String>>,
    /// Languages: `de` matches `de-AT`, `de-AT` does not match `de`.
    pub locales: Option<Vec<String>>,
    /// Countries.
    pub countries: Option<Vec<String>>,
    /// Partner or downstream builds.
    pub distributions: Option<Vec<String>>,
    /// Test rings.
    pub rings: Option<Vec<String>>,
    /// Versions of the agent.
    pub agent_versions: Option<VersionRange>,
}

/// The first field that does not match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// The field's name in the recipe.
    pub field: &'static str,
    /// What the recipe asks for.
    pub wanted: String,
    /// What the client is; `None`: not known.
    pub found: Option<String>,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { field, wanted, found } = self;
        match found {
            Some(found) => write!(f, "{field}: the recipe is for {wanted}, this client is {found}"),
            None => write!(f, "{field}: the recipe is for {wanted}, this client's is not known"),
        }
    }
}

impl Targeting {
    /// The first field, in the order of a recipe, that does not match; `None`: the client is targeted.
    #[must_use]
    pub fn first_mismatch(&self, facts: &ClientFacts) -> Option<Mismatch> {
        let channel = || list("channels", self.channels.as_ref(), Some(&facts.channel), same);
        let version = || {
            let inside = |range: &VersionRange| range.contains(&facts.version);
            range("versions", self.versions.as_ref(), &facts.version, inside)
        };
        let os = || list("os", self.os.as_ref(), Some(&facts.os), same);
        let arch = || list("arch", self.arch.as_ref(), Some(&facts.arch), same);
        let locale = || list("locales", self.locales.as_ref(), Some(&facts.locale), locale_matches);
        let country = || list("countries", self.countries.as_ref(), facts.country.as_deref(), same);
        let distribution =
            || list("distributions", self.distributions.as_ref(), facts.distribution.as_deref(), same);
        let ring = || list("rings", self.rings.as_ref(), facts.ring.as_deref(), same);
        let agent = || {
            let inside = |range: &VersionRange| range.contains_semver(&facts.agent_version);
            range("agent_versions", self.agent_versions.as_ref(), &facts.agent_version, inside)
        };
        channel()
            .or_else(version)
            .or_else(os)
            .or_else(arch)
            .or_else(locale)
            .or_else(country)
            .or_else(distribution)
            .or_else(ring)
            .or_else(agent)
    }
}

fn list(
    field: &'static str,
    wanted: Option<&Vec<String>>,
    found: Option<&str>,
    matches: fn(&str, &str) -> bool,
) -> Option<Mismatch> {
    let wanted = wanted?;
    if found.is_some_and(|found| wanted.iter().any(|one| matches(one, found))) {
        return None;
    }
    Some(Mismatch { field, wanted: wanted.join(", "), found: found.map(str::to_owned) })
}

fn range(
    field: &'static str,
    wanted: Option<&VersionRange>,
    found: &impl fmt::Display,
    inside: impl Fn(&VersionRange) -> bool,
) -> Option<Mismatch> {
    let wanted = wanted?;
    let mismatch = || Mismatch { field, wanted: wanted.to_string(), found: Some(found.to_string()) };
    (!inside(wanted)).then(mismatch)
}

/// Whether a locale is written so that targeting can meet it: subtags of up to eight letters and digits (RFC 5646 section 2.1).
#[must_use]
pub fn is_language_tag(text: &str) -> bool {
    let subtag =
        |part: &str| (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric());
    text.split('-').all(subtag)
}

/// Whether a country is written so that targeting can meet it: two capital letters (ISO 3166-1 alpha-2).
#[must_use]
pub fn is_country_code(text: &str) -> bool {
    text.len() == 2 && text.bytes().all(|b| b.is_ascii_uppercase())
}

fn same(wanted: &str, found: &str) -> bool {
    wanted == found
}

/// Basic filtering of RFC 4647, section 3.3.1: a prefix that ends at a subtag, in any case.
fn locale_matches(wanted: &str, found: &str) -> bool {
    let Some((start, rest)) = found.split_at_checked(wanted.len()) else { return false };
    start.eq_ignore_ascii_case(wanted) && (rest.is_empty() || rest.starts_with('-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> ClientFacts {
        ClientFacts {
            client_id: "c".into(),
            version: "66.0.3".parse().unwrap(),
            channel: "release".into(),
            os: "linux".into(),
            arch: "x86_64".into(),
            locale: "de-AT".into(),
            country: Some("AT".into()),
            distribution: None,
            ring: Some("qa".into()),
            agent_version: semver::Version::new(0, 1, 0),
        }
    }

    type Change = fn(&mut Targeting);

    fn some(values: &[&str]) -> Option<Vec<String>> {
        Some(values.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn no_field_targets_everyone() {
        assert_eq!(Targeting::default().first_mismatch(&facts()), None);
    }

    #[test]
    fn every_field_must_match_and_the_first_that_does_not_is_named() {
        let matching = Targeting {
            channels: some(&["beta", "release"]),
            versions: Some(">=60, <67".parse().unwrap()),
            os: some(&["linux"]),
            arch: some(&["x86_64"]),
            locales: some(&["fr", "de"]),
            countries: some(&["AT"]),
            distributions: None,
            rings: some(&["qa"]),
            agent_versions: Some(">=0.1".parse().unwrap()),
        };
        assert_eq!(matching.first_mismatch(&facts()), None);

        let field = |change: Change| {
            let mut targeting = matching.clone();
            change(&mut targeting);
            targeting.first_mismatch(&facts()).map(|m| m.field)
        };
        let nowhere: [(Change, &str); 9] = [
            (|t| t.channels = some(&["esr"]), "channels"),
            (|t| t.versions = Some(">=67".parse().unwrap()), "versions"),
            (|t| t.os = some(&["macos"]), "os"),
            (|t| t.arch = some(&["aarch64"]), "arch"),
            (|t| t.locales = some(&["en", "fr"]), "locales"),
            (|t| t.countries = some(&["DE"]), "countries"),
            (|t| t.distributions = some(&["partner"]), "distributions"),
            (|t| t.rings = some(&["canary"]), "rings"),
            (|t| t.agent_versions = Some(">=0.2".parse().unwrap()), "agent_versions"),
        ];
        for (change, name) in nowhere {
            assert_eq!(field(change), Some(name));
        }
        // All wrong at once: the first in the recipe's order is named.
        let mut wrong = matching.clone();
        for (change, _) in nowhere.iter().rev() {
            change(&mut wrong);
        }
        assert_eq!(wrong.first_mismatch(&facts()).unwrap().field, "channels");
    }

    #[test]
    fn a_fact_that_is_not_known_does_not_match() {
        let targeting = Targeting { distributions: some(&["partner"]), ..Targeting::default() };
        let mismatch = targeting.first_mismatch(&facts()).unwrap();
        assert_eq!(
            mismatch.to_string(),
            "distributions: the recipe is for partner, this client's is not known"
        );
    }

    #[test]
    fn locales_match_by_whole_subtags() {
        assert!(
            locale_matches("de", "de-AT") && locale_matches("de-at", "de-AT") && locale_matches("de", "de")
        );
        assert!(!locale_matches("de-AT", "de") && !locale_matches("d", "de") && !locale_matches("de", "den"));
        assert!(!locale_matches("é", "e"), "never splits inside a character");
    }
}
