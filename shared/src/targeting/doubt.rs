//! Words in targeting, or in what a client says of itself, that are probably mistakes.
//!
//! They are legal: a channel may have any name. But a word that no client has reaches nobody, in silence, so what differs
//! from a known one by case, a blank or a letter is warned of.

use std::fmt;

use super::codes::{is_country, is_language, meant_country, meant_language};
use super::{ClientFacts, Targeting, is_country_code, is_language_tag};
use crate::nearest::{listed, slip};

/// The update channels of Firefox, where nobody names others.
const CHANNELS: [&str; 6] = ["aurora", "beta", "default", "esr", "nightly", "release"];

/// The operating systems that an agent can report by itself (`std::env::consts::OS` of those that Rust's standard library runs on).
const OS: [&str; 10] =
    ["android", "dragonfly", "freebsd", "illumos", "ios", "linux", "macos", "netbsd", "openbsd", "windows"];

/// What others call them.
const OTHER_OS: [(&str, &str); 9] = [
    ("darwin", "macos"),
    ("mac", "macos"),
    ("osx", "macos"),
    ("macosx", "macos"),
    ("win", "windows"),
    ("win32", "windows"),
    ("win64", "windows"),
    ("winnt", "windows"),
    ("gnulinux", "linux"),
];

/// The architectures that an agent can report by itself (`std::env::consts::ARCH`).
const ARCH: [&str; 14] = [
    "aarch64",
    "arm",
    "loongarch64",
    "mips",
    "mips64",
    "powerpc",
    "powerpc64",
    "riscv32",
    "riscv64",
    "s390x",
    "sparc",
    "sparc64",
    "x86",
    "x86_64",
];

/// What others call them.
const OTHER_ARCH: [(&str, &str); 8] = [
    ("amd64", "x86_64"),
    ("x64", "x86_64"),
    ("arm64", "aarch64"),
    ("i386", "x86"),
    ("i586", "x86"),
    ("i686", "x86"),
    ("ia32", "x86"),
    ("ppc64le", "powerpc64"),
];

/// Which words a fleet uses where the words are its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownWords {
    channels: Option<Vec<String>>,
}

impl KnownWords {
    /// Of a fleet that has these channels and no others. Where a fleet names none, a channel may have any name that is not a slip
    /// of one of Firefox's.
    #[must_use]
    pub fn with_channels(channels: Vec<String>) -> Self {
        Self { channels: Some(channels) }
    }
}

/// A word that is probably a mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doubt {
    /// The field's name in a recipe, or the fact's in a client's settings.
    pub field: &'static str,
    /// The word, as it was written.
    pub word: String,
    /// What is odd about it.
    pub what: String,
    /// What was probably meant.
    pub remedy: String,
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.what, self.remedy)
    }
}

impl Targeting {
    /// Its words that probably no client has.
    #[must_use]
    pub fn doubts(&self, known: &KnownWords) -> Vec<Doubt> {
        // Versions have no words.
        let Self {
            channels,
            versions: _,
            os,
            arch,
            locales,
            countries,
            distributions,
            rings,
            agent_versions: _,
        } = self;
        let lists = [
            ("channels", channels),
            ("os", os),
            ("arch", arch),
            ("locales", locales),
            ("countries", countries),
            ("distributions", distributions),
            ("rings", rings),
        ];
        let words =
            lists.iter().flat_map(|(field, list)| list.iter().flatten().map(|word| (*field, word.as_str())));
        words.filter_map(|(field, word)| doubt(field, word, known)).collect()
    }
}

impl ClientFacts {
    /// What it says of itself that probably no recipe names.
    #[must_use]
    pub fn doubts(&self, known: &KnownWords) -> Vec<Doubt> {
        let facts = [
            ("channel", "channels", Some(&self.channel)),
            ("os", "os", Some(&self.os)),
            ("arch", "arch", Some(&self.arch)),
            ("locale", "locales", Some(&self.locale)),
            ("country", "countries", self.country.as_ref()),
            ("distribution", "distributions", self.distribution.as_ref()),
            ("ring", "rings", self.ring.as_ref()),
        ];
        let doubts = facts
            .into_iter()
            .map(|(own, field, word)| (own, word.and_then(|word| doubt(field, word, known))));
        doubts.filter_map(|(own, doubt)| Some(Doubt { field: own, ..doubt? })).collect()
    }
}

/// What is doubtful about one word of a field.
pub(crate) fn doubt(field: &'static str, word: &str, known: &KnownWords) -> Option<Doubt> {
    let (what, meant) = match field {
        "channels" => channel(word, known),
        "os" => one_of(word, "operating system", &OS, &OTHER_OS),
        "arch" => one_of(word, "architecture", &ARCH, &OTHER_ARCH),
        "locales" => locale(word),
        "countries" => country(word),
        _ => None,
    }
    .or_else(|| {
        (word.trim() != word)
            .then(|| ("begins or ends with a blank".to_owned(), Meant::Word(word.trim().to_owned())))
    })?;
    let remedy = match meant {
        Meant::Word(meant) => format!("did you mean {meant:?}?"),
        Meant::OneOf(known) => format!("known are {known}"),
        Meant::Unknown(remedy) => remedy.to_owned(),
    };
    Some(Doubt { field, word: word.to_owned(), what: format!("{word:?} {what}"), remedy })
}

/// What was probably meant.
enum Meant {
    Word(String),
    OneOf(String),
    Unknown(&'static str),
}

fn channel(word: &str, known: &KnownWords) -> Option<(String, Meant)> {
    let what = "is not a known channel".to_owned();
    let Some(channels) = &known.channels else {
        return slip(word, &CHANNELS).map(|meant| (what, Meant::Word(meant.to_owned())));
    };
    let channels: Vec<_> = channels.iter().map(String::as_str).collect();
    if channels.contains(&word) {
        return None;
    }
    Some((
        what,
        slip(word, &channels)
            .map_or_else(|| Meant::OneOf(listed(&channels)), |meant| Meant::Word(meant.to_owned())),
    ))
}

/// A word that agents report by themselves, so that few hosts say another.
fn one_of(word: &str, kind: &str, known: &[&str], others: &[(&str, &str)]) -> Option<(String, Meant)> {
    if known.contains(&word) {
        return None;
    }
    let folded: String = word.to_lowercase().chars().filter(|c| c.is_alphanumeric()).collect();
    let other = others.iter().find(|(other, _)| *other == folded).map(|(_, meant)| *meant);
    let meant = other.or_else(|| slip(word, known));
    let what = format!("is no {kind} that agents report by themselves");
    Some((what, meant.map_or_else(|| Meant::OneOf(listed(known)), |meant| Meant::Word(meant.to_owned()))))
}

/// Only subtags of two letters are looked up: the registry of longer ones has thousands (RFC 5646 section 2.2).
fn locale(word: &str) -> Option<(String, Meant)> {
    if !is_language_tag(word) {
        let joined = word.trim().replace('_', "-");
        return is_language_tag(&joined).then(|| ("is no language tag".to_owned(), Meant::Word(joined)));
    }
    let mut tags: Vec<_> = word.split('-').map(str::to_owned).collect();
    for (index, tag) in tags.iter_mut().enumerate().filter(|(_, tag)| tag.len() == 2) {
        let (kind, meant) = if index == 0 {
            let code = tag.to_ascii_lowercase();
            if is_language(&code) {
                continue;
            }
            ("language", meant_language(&code))
        } else {
            let code = tag.to_ascii_uppercase();
            if is_country(&code) || !code.bytes().all(|byte| byte.is_ascii_uppercase()) {
                continue;
            }
            ("country", meant_country(&code))
        };
        let what = format!("names no {kind}: {tag:?} is the code of none");
        let Some(meant) = meant else {
            return Some((
                what,
                Meant::Unknown("look it up in ISO 639-1 (languages) or ISO 3166-1 (countries)"),
            ));
        };
        meant.clone_into(tag);
        return Some((what, Meant::Word(tags.join("-"))));
    }
    None
}

fn country(word: &str) -> Option<(String, Meant)> {
    if is_country(word) {
        return None;
    }
    let meant = meant_country(word).map(|meant| Meant::Word(meant.to_owned()));
    let what = if is_country_code(word) { "is the code of no country" } else { "is no country code" };
    Some((what.to_owned(), meant.unwrap_or(Meant::Unknown("look it up in ISO 3166-1"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(field: &'static str, word: &str) -> Option<String> {
        doubt(field, word, &KnownWords::default()).map(|doubt| doubt.to_string())
    }

    #[test]
    fn a_word_that_is_a_slip_of_a_known_one_is_doubted() {
        for (field, word, meant) in [
            ("channels", "relase", "release"),
            ("channels", "esr ", "esr"),
            ("channels", "Beta", "beta"),
            ("os", "windwos", "windows"),
            ("os", "Darwin", "macos"),
            ("os", "WINNT", "windows"),
            ("os", " linux", "linux"),
            ("arch", "x86-64", "x86_64"),
            ("arch", "amd64", "x86_64"),
            ("arch", "arm64", "aarch64"),
            ("countries", "UK", "GB"),
            ("countries", "at", "AT"),
            ("countries", "AT ", "AT"),
            ("locales", "jp", "ja"),
            ("locales", "JP", "ja"),
            ("locales", "en-UK", "en-GB"),
            ("locales", "de_AT", "de-AT"),
            ("rings", "canary ", "canary"),
            ("distributions", " partner", "partner"),
        ] {
            let doubt = said(field, word).unwrap_or_default();
            assert!(doubt.ends_with(&format!("did you mean {meant:?}?")), "{field} {word:?}: {doubt}");
        }
        assert!(said("os", "beos").is_some_and(|doubt| doubt.contains("\"linux\"")));
        assert!(said("countries", "EU").is_some_and(|doubt| doubt.contains("ISO 3166-1")));
        assert!(said("locales", "de-XX").is_some_and(|doubt| doubt.contains("names no country")));
    }

    #[test]
    fn a_word_that_may_well_be_meant_is_not() {
        for (field, word) in [
            ("channels", "release"),
            ("channels", "stable"),
            ("channels", "qa-2"),
            ("os", std::env::consts::OS),
            ("arch", std::env::consts::ARCH),
            ("countries", "GB"),
            ("countries", "UA"),
            ("locales", "uk"),
            ("locales", "en-us"),
            ("locales", "hsb"),
            ("locales", "ca-valencia"),
            ("locales", "zh-Hant-TW"),
            ("locales", "es-419"),
            ("rings", "relase"),
        ] {
            assert_eq!(said(field, word), None, "{field} {word:?}");
        }
    }

    #[test]
    fn a_fleet_that_names_its_channels_has_no_others() {
        let known = KnownWords::with_channels(vec!["stable".into(), "edge".into()]);
        let said = |word| doubt("channels", word, &known).map(|doubt| doubt.to_string());
        assert_eq!(said("stable"), None);
        assert!(said("stabel").is_some_and(|doubt| doubt.ends_with("did you mean \"stable\"?")));
        assert!(said("release").is_some_and(|doubt| doubt.ends_with("known are \"stable\" or \"edge\"")));
    }

    #[test]
    fn every_list_of_a_recipe_and_every_fact_of_a_client_is_looked_at() {
        let wrong = || Some(vec!["? ".to_owned()]);
        let targeting = Targeting {
            channels: wrong(),
            os: wrong(),
            arch: wrong(),
            locales: wrong(),
            countries: wrong(),
            distributions: wrong(),
            rings: wrong(),
            ..Targeting::default()
        };
        let fields = ["channels", "os", "arch", "locales", "countries", "distributions", "rings"];
        let doubted = targeting.doubts(&KnownWords::default());
        assert_eq!(doubted.iter().map(|doubt| doubt.field).collect::<Vec<_>>(), fields);
    }
}
