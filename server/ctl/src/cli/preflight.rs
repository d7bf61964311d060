//! `preflight`, whose options are those of `mulberry-agent verify` where they mean the same.

use clap::{
    Args,
    builder::{PossibleValuesParser, TypedValueParser},
};
use mulberry_shared::{
    x509::EndEntityTime,
    xpi::{Policy, SignatureMode, WeakestDigest},
};
use std::path::PathBuf;

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
    #[arg(long, required = true, value_name = "RFC3339", value_parser = super::parse_when)]
    pub at: Vec<super::When>,
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
    #[must_use]
    pub fn policy(&self) -> Policy {
        Policy {
            signature: self.signature.unwrap_or(self.policy.signature),
            digest: self.digest.unwrap_or(self.policy.digest),
            end_entity_time: self.end_entity_time.unwrap_or(self.policy.end_entity_time),
            ..self.policy
        }
    }
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
