//! The text of a new `recipe.toml`, commented so that a tired person can edit it.

use crate::arguments::LaneName;
use jiff::{SignedDuration, Timestamp};
use mulberry_shared::recipe::{ActionKind, Template};
use mulberry_shared::x509::Certificate;
use std::fmt::Write;

/// What a template is made from.
pub(super) struct Blanks<'a> {
    pub(super) action: ActionKind,
    pub(super) lane: LaneName,
    pub(super) slug: &'a str,
    /// File names beside `recipe.toml`, each with what is in it.
    pub(super) certificates: &'a [(String, Certificate)],
    pub(super) now: Timestamp,
}

/// Fills in the template.
pub(super) fn fill(blanks: &Blanks<'_>) -> String {
    let Blanks { action, lane, slug, now, .. } = blanks;
    let days = |days: i64| day(*now, days);
    let lane = match lane {
        LaneName::Emergency => "emergency",
        LaneName::Routine => "routine",
    };
    let of = blanks.certificates.first().map(|(_, certificate)| plain(&short_name(certificate)));
    let of = of.unwrap_or_default();
    let files: Vec<String> = blanks.certificates.iter().map(|(name, _)| name.clone()).collect();
    let Template { about, name, consent, days: life, on_end, arguments } =
        action.template(&mulberry_shared::recipe::Blanks { certificate: &of, files: &files, day: &days });
    let about = about.replace('\n', "\n# ");
    let (consent, expires, on_end) = (consent.as_str(), days(life), on_end.as_str());
    let name = toml_edit::Value::from(name);
    format!(
        r#"# {about}
#
# Edit, then:  mulberryctl recipe check FOLDER  and  mulberryctl recipe show FOLDER

slug = "{slug}"
# Raise it by one with every change that is published: a gate speaks for one revision only.
revision = 1
# One line for people: what it does, and why.
name = {name}

# Who must sign: "emergency" (the big red button) or "routine".
lane = "{lane}"
# "hotfix" (repairs) or "security" (protects); both need only that updates are on.
consent = "{consent}"
action = "{}"
# "server": the server opens the gate within what is signed here. "people": every opening needs the lane's signatures,
# as many as the recipe does, and agents check them: whoever breaks into the server cannot open it.
# opens = "people"

# Without `starts` it begins as soon as its gate opens.
# starts = {}
# When it ends by itself.
expires = {expires}
# What its end does: "keep" (effects stay) or "revert" (undone, unless that would break an add-on that works).
on_end = "{on_end}"

{}
# For whom: every line narrows, a line left out means any, no list may be empty.
[targeting]
# channels = ["release", "beta", "esr"]
# versions = ">=60, <67"
# os = ["windows", "linux"]
# arch = ["x86_64"]
# locales = ["de"]
# countries = ["AT"]
# distributions = ["debian"]
# rings = ["qa"]

[rollout]
# The widest share of them that people sign for, in percent. The gate says how many now, and never more than this.
max_percent = 100
# One person opens the next of these steps alone, the first at once, each other after the `bake` of the one before.
# Anything wider or sooner takes a second person's key. Anyone may pause or end it at any time.
plan = [
  {{ percent = 5, bake = "15m" }},
  {{ percent = 25, bake = "30m" }},
  {{ percent = 100 }},
]
"#,
        action.as_str(),
        days(1),
        with_certificates(blanks, &arguments),
    )
}

/// What people call a certificate.
pub(super) fn short_name(certificate: &Certificate) -> String {
    certificate.common_name().map_or_else(|| certificate.subject(), str::to_owned)
}

/// The table of arguments, with what is in each certificate file.
fn with_certificates(blanks: &Blanks<'_>, arguments: &str) -> String {
    let mut text = String::from("[arguments]\n");
    for (name, certificate) in blanks.certificates {
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "# {name}: {}\n#   issued by {}\n#   valid {} to {}\n#   SHA-256 {}",
            plain(&certificate.subject()),
            plain(&certificate.issuer()),
            certificate.not_before(),
            certificate.not_after(),
            certificate.sha256(),
        );
    }
    text + arguments
}

/// Midnight UTC so many days after today.
fn day(now: Timestamp, days: i64) -> String {
    let then = now.saturating_add(SignedDuration::from_hours(24 * days)).unwrap_or(now);
    then.strftime("%Y-%m-%dT00:00:00Z").to_string()
}

/// Text of a certificate as it may stand in a line: neither control characters nor anything that reorders a line.
fn plain(text: &str) -> String {
    let safe = |c: char| c.is_alphanumeric() || c == ' ' || c.is_ascii_graphic();
    text.chars().take(80).map(|c| if safe(c) { c } else { '?' }).collect()
}
