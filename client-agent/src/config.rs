//! Settings: flags over `MULBERRY_AGENT_*` over `agent.toml` over defaults.
//!
//! Three types, one a stage: [`Layer`] is what one source says, layers are merged, and [`Config`] is what has been checked.

use std::path::PathBuf;
use std::time::Duration;

use jiff::SignedDuration;
use mulberry_shared::decide::Consent;
use mulberry_shared::targeting::{ClientFacts, is_country_code, is_language_tag};
use mulberry_shared::version::ProductVersion;
use mulberry_shared::xpi::Policy;

mod file;
mod layer;
mod origin;

pub use file::{FileProblem, FileProblems, read_file, write_file};
pub use layer::{Layer, Permission, TlsDates};
pub use origin::{BadOrigin, Origin, parse_origin};

/// The settings file's name in the state folder.
pub const FILE: &str = "agent.toml";

/// Hours between two passes over all add-ons when nobody says otherwise.
const PASS_HOURS: i64 = 24;
/// Minutes between two polls of the daemon when nobody says otherwise.
const POLL_MINUTES: i64 = 15;
/// The longest time between two polls: fixes and expiries are noticed within a day even without the live stream.
const MAX_POLL_MINUTES: i64 = 1440;
/// The longest interval that may be asked for: a week without looking is the most that "periodic" can mean.
const MAX_PASS_HOURS: i64 = 168;
/// Origins: each is asked once an hour, and shares the time of a refresh with the others.
const MAX_ORIGINS: usize = 8;
/// The product version of a host that did not say: older than any, so that only recipes without a lower bound match.
const UNKNOWN_VERSION: &str = "0.0";
/// The channel of a host that did not say.
const CHANNEL: &str = "release";
/// The language of a host and an environment that did not say.
const LOCALE: &str = "en-US";

/// Settings that have been checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where editions come from, each once; at least one.
    pub origins: Vec<Origin>,
    /// What is asked of their TLS certificates.
    pub tls: TlsDates,
    /// PEM files with further TLS roots.
    pub extra_roots: Vec<PathBuf>,
    /// The add-ons folder.
    pub addons: PathBuf,
    /// PEM files with the trust anchors; at least one.
    pub anchors: Vec<PathBuf>,
    /// How add-ons are verified.
    pub policy: Policy,
    /// What to run on changes.
    pub hook: Option<PathBuf>,
    /// Time between two passes over all add-ons.
    pub pass_every: SignedDuration,
    /// The daemon's longest wait between two polls.
    pub poll_every: Duration,
    /// What recipes may target.
    pub facts: Facts,
    /// What the user allows.
    pub consent: Consent,
}

/// What recipes may target, except the client id, which is state and not a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    version: ProductVersion,
    channel: String,
    os: String,
    arch: String,
    locale: String,
    country: Option<String>,
    distribution: Option<String>,
    ring: Option<String>,
    agent_version: semver::Version,
}

impl Facts {
    /// The facts of one client.
    #[must_use]
    pub fn of(&self, client_id: &str) -> ClientFacts {
        ClientFacts {
            client_id: client_id.to_owned(),
            version: self.version.clone(),
            channel: self.channel.clone(),
            os: self.os.clone(),
            arch: self.arch.clone(),
            locale: self.locale.clone(),
            country: self.country.clone(),
            distribution: self.distribution.clone(),
            ring: self.ring.clone(),
            agent_version: self.agent_version.clone(),
        }
    }
}

/// A setting that cannot be used. The sentence says which, why, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{setting}: {problem}")]
pub struct BadSetting {
    /// The key.
    pub setting: &'static str,
    /// What is wrong and what to do.
    pub problem: String,
}

/// Checks merged settings. The locale of the environment is a layer of its caller's.
///
/// # Errors
/// Every setting that cannot be used.
pub fn validate(layer: Layer) -> Result<Config, Vec<BadSetting>> {
    let mut problems = Vec::new();
    let mut bad = |setting, problem: String| problems.push(BadSetting { setting, problem });
    let mut origins: Vec<Origin> = Vec::new();
    for text in layer.origins.iter().flat_map(|text| origin::split(text)) {
        match parse_origin(text) {
            Ok(origin) if !origins.contains(&origin) => origins.push(origin),
            Ok(_) => {}
            Err(error) => bad("origins", error.to_string()),
        }
    }
    if layer.origins.is_empty() {
        bad("origins", "missing; say where editions come from, like https://fixes.example/".into());
    }
    if origins.len() > MAX_ORIGINS {
        bad("origins", format!("{} are more than the {MAX_ORIGINS} there may be", origins.len()));
    }
    let addons = layer.addons.unwrap_or_default();
    if addons.as_os_str().is_empty() {
        bad("addons", "missing; name the folder that holds the host's add-ons".into());
    }
    if layer.anchors.is_empty() {
        bad("anchors", "missing; name a PEM file with the trust anchor of add-on signatures".into());
    }
    let policy_name = layer.policy.unwrap_or_else(|| Policy::firefox().name.to_owned());
    let mut policy = Policy::named(&policy_name).unwrap_or_else(|| {
        bad("policy", format!("there is no policy {policy_name:?}; use firefox or strict"));
        Policy::firefox()
    });
    match layer.signature.as_deref().map(str::parse) {
        None => {}
        Some(Ok(mode)) => policy.signature = mode,
        Some(Err(error)) => bad("signature", error.to_string()),
    }
    let pass_hours = layer.pass_hours.unwrap_or(PASS_HOURS);
    if !(1..=MAX_PASS_HOURS).contains(&pass_hours) {
        bad("pass_hours", format!("{pass_hours} is outside 1 to {MAX_PASS_HOURS}"));
    }
    let poll_minutes = layer.poll_minutes.unwrap_or(POLL_MINUTES);
    if !(1..=MAX_POLL_MINUTES).contains(&poll_minutes) {
        bad("poll_minutes", format!("{poll_minutes} is outside 1 to {MAX_POLL_MINUTES}"));
    }
    let version_text = layer.version.as_deref().unwrap_or(UNKNOWN_VERSION);
    let version = version_text.parse::<ProductVersion>();
    if let Err(error) = &version {
        bad("version", format!("{version_text:?}: {error}; give it like 66.0, 68.0b3 or 60.6.2esr"));
    }
    let agent_version = env!("CARGO_PKG_VERSION").parse::<semver::Version>();
    let mut word = |setting, value: Option<String>| match value {
        Some(value)
            if value.trim().is_empty() || value.chars().any(char::is_control) || value.len() > 128 =>
        {
            bad(setting, format!("{value:?} is no usable name; leave it out if it is unknown"));
            None
        }
        other => other,
    };
    let channel = word("channel", layer.channel).unwrap_or_else(|| CHANNEL.into());
    let os = word("os", layer.os).unwrap_or_else(|| std::env::consts::OS.into());
    let arch = word("arch", layer.arch).unwrap_or_else(|| std::env::consts::ARCH.into());
    let locale = word("locale", layer.locale).unwrap_or_else(|| LOCALE.into());
    let country = word("country", layer.country);
    let distribution = word("distribution", layer.distribution);
    let ring = word("ring", layer.ring);
    // In another form no recipe could ever mean this client.
    if !is_language_tag(&locale) {
        bad("locale", format!("{locale:?} is no language tag; write it such as de or de-AT"));
    }
    if let Some(country) = country.as_ref().filter(|country| !is_country_code(country)) {
        bad("country", format!("{country:?} is no country code; write two capital letters, such as AT"));
    }
    match (version, agent_version) {
        (Ok(version), Ok(agent_version)) if problems.is_empty() => Ok(Config {
            origins,
            tls: layer.tls.unwrap_or_default(),
            extra_roots: layer.extra_roots,
            addons,
            anchors: layer.anchors,
            policy,
            hook: layer.hook,
            pass_every: SignedDuration::from_hours(pass_hours),
            poll_every: Duration::from_secs(poll_minutes.unsigned_abs().saturating_mul(60)),
            facts: Facts { version, channel, os, arch, locale, country, distribution, ring, agent_version },
            consent: Consent {
                updates: layer.updates != Some(Permission::Refuse),
                messages: layer.messages != Some(Permission::Refuse),
                studies: layer.studies == Some(Permission::Allow),
            },
        }),
        _ => Err(problems),
    }
}

/// What a setting is when nobody says anything, for people to read; `None` where that means unknown, or that it must be said.
#[must_use]
pub fn default_of(key: &str) -> Option<String> {
    let policy = Policy::firefox();
    Some(match key {
        "tls" => TlsDates::default().as_str().to_owned(),
        "policy" => policy.name.to_owned(),
        "pass_hours" => PASS_HOURS.to_string(),
        "poll_minutes" => POLL_MINUTES.to_string(),
        "version" => UNKNOWN_VERSION.to_owned(),
        "channel" => CHANNEL.to_owned(),
        "os" => std::env::consts::OS.to_owned(),
        "arch" => std::env::consts::ARCH.to_owned(),
        "locale" => LOCALE.to_owned(),
        "updates" | "messages" => Permission::Allow.as_str().to_owned(),
        "studies" => Permission::Refuse.as_str().to_owned(),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use mulberry_shared::xpi::SignatureMode;

    use super::*;

    fn minimal() -> Layer {
        Layer {
            origins: vec!["http://127.0.0.1:1".into()],
            addons: Some("/addons".into()),
            anchors: vec!["/anchor.pem".into()],
            ..Layer::default()
        }
    }

    #[test]
    fn upper_layers_win_key_by_key() {
        let file = Layer { channel: Some("esr".into()), ring: Some("test".into()), ..minimal() };
        let flags =
            Layer { channel: Some("beta".into()), anchors: vec!["/other.pem".into()], ..Layer::default() };
        let config = validate(flags.over(file)).unwrap();
        let facts = config.facts.of("id");
        assert_eq!((facts.channel.as_str(), facts.ring.as_deref()), ("beta", Some("test")));
        assert_eq!(config.anchors, [PathBuf::from("/other.pem")]);
    }

    #[test]
    fn defaults_are_the_documented_ones() {
        let config = validate(minimal()).unwrap();
        let facts = config.facts.of("id");
        assert_eq!(facts.channel, "release");
        assert_eq!(facts.os, std::env::consts::OS);
        assert_eq!(facts.version, "0.0".parse().unwrap());
        assert_eq!(config.policy, Policy::firefox());
        assert_eq!(config.pass_every, SignedDuration::from_hours(24));
        assert_eq!(config.poll_every, Duration::from_secs(15 * 60));
        assert!(config.consent.updates && config.consent.messages && !config.consent.studies);
        assert_eq!(config.origins, [parse_origin("http://127.0.0.1:1/").unwrap()]);
        assert_eq!(config.tls, TlsDates::AnyDate);
    }

    #[test]
    fn origins_are_several_and_each_counts_once() {
        let origins = |given: &[&str]| {
            let origins = given.iter().map(|text| (*text).to_owned()).collect();
            let layer = Layer { origins, ..minimal() }.relative_to(Path::new("/here"));
            validate(layer).map(|config| config.origins.iter().map(ToString::to_string).collect::<Vec<_>>())
        };
        let found = origins(&["http://a/ http://b", "./m", "http://b/", "/here/m/"]).unwrap();
        assert_eq!(found, ["http://a/", "http://b/", "file:///here/m/"]);
        let many: Vec<String> = (0..=MAX_ORIGINS).map(|n| format!("http://{n}.example/")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(origins(&many).unwrap_err().len(), 1);
        assert_eq!(origins(&many[1..]).unwrap().len(), MAX_ORIGINS);
        assert_eq!(origins(&["ftp://x", "http://a", "b"]).unwrap_err().len(), 2, "each is told");
    }

    #[test]
    fn the_defaults_that_are_shown_are_those_in_force() {
        let said = |key: &str| default_of(key);
        let number = |key: &str| said(key).and_then(|text| text.parse().ok());
        let permission = |key: &str| match said(key).as_deref() {
            Some("allow") => Some(Permission::Allow),
            Some("refuse") => Some(Permission::Refuse),
            _ => None,
        };
        let shown = Layer {
            tls: (said("tls").as_deref() == Some("any-date")).then_some(TlsDates::AnyDate),
            policy: said("policy"),
            pass_hours: number("pass_hours"),
            poll_minutes: number("poll_minutes"),
            version: said("version"),
            channel: said("channel"),
            os: said("os"),
            arch: said("arch"),
            locale: said("locale"),
            updates: permission("updates"),
            messages: permission("messages"),
            studies: permission("studies"),
            ..minimal()
        };
        let (shown, silent) = (validate(shown).unwrap(), validate(minimal()).unwrap());
        assert_eq!(format!("{shown:?}"), format!("{silent:?}"));
    }

    #[test]
    fn a_single_setting_overrides_the_policy() {
        let config = validate(Layer { signature: Some("pkcs7".into()), ..minimal() }).unwrap();
        assert_eq!(config.policy, Policy { signature: SignatureMode::Pkcs7, ..Policy::firefox() });
    }

    #[test]
    fn every_bad_setting_is_named_at_once() {
        let layer = Layer {
            origins: vec!["ftp://x".into()],
            policy: Some("lenient".into()),
            signature: Some("pgp".into()),
            pass_hours: Some(0),
            poll_minutes: Some(1441),
            version: Some("sixty".into()),
            ring: Some(" ".into()),
            locale: Some("de_AT.UTF-8".into()),
            country: Some("Austria".into()),
            ..Layer::default()
        };
        let problems = validate(layer).unwrap_err();
        let settings: Vec<_> = problems.iter().map(|problem| problem.setting).collect();
        let expected = [
            "origins",
            "addons",
            "anchors",
            "policy",
            "signature",
            "pass_hours",
            "poll_minutes",
            "version",
            "ring",
            "locale",
            "country",
        ];
        assert_eq!(settings, expected);
    }
}
