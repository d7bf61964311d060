//! A recipe in plain words: what, to whom, until when. It is what people read before they sign.

use jiff::Timestamp;

use super::page::Page;
pub(crate) use super::page::moment;
use super::{ConsentKind, Health, Leaves, OnEnd, Opens, Recipe, Step};
use crate::outside::listed;
use crate::quoted::quoted;
use crate::targeting::Targeting;

/// What `recipe` does, to whom, how widely and until when, seen at `now`; several lines, each ended.
///
/// Complete: every field that changes what happens has its line. Text from outside (the name, the comment, words, names in
/// certificates) can neither begin a line with a label nor stand for another word: what does not show is U+FFFD, further lines
/// are indented and marked, and no line is so long that a terminal would begin a new one in it.
#[must_use]
pub fn describe(recipe: &Recipe, now: Timestamp) -> String {
    let mut page = Page::default();
    page.line("recipe", &format!("{}, revision {}", recipe.path(), recipe.revision));
    page.outside("name", &recipe.name);
    recipe.action.does().describe(&mut page, now);
    targeting(&mut page, &recipe.targeting);
    let rollout = &recipe.rollout;
    let namespace = if rollout.namespace == recipe.slug.as_str() {
        String::new()
    } else {
        format!(", sampled by {}", quoted(&rollout.namespace))
    };
    page.outside(
        "at most",
        &format!("{} of them{namespace}; the gate says how many now", rollout.max_percent),
    );
    plan(&mut page, &rollout.plan, recipe.opens);
    page.line("consent", consent(recipe.consent));
    page.line(
        "opened by",
        match recipe.opens {
            Opens::Server => "the server, within these bounds",
            Opens::People => {
                "the people of its lane: every opening needs their signatures, which agents check"
            }
        },
    );
    match recipe.starts {
        Some(starts) => page.line("from", &moment(starts, now)),
        None => page.line("from", "the moment its gate opens"),
    }
    page.line("until", &moment(recipe.expires, now));
    page.line("then", end(recipe));
    if !recipe.capabilities.is_empty() {
        page.outside("needs", &listed(&recipe.capabilities));
    }
    if let Some(comment) = &recipe.comment {
        // Last, so that its own lines can be taken for nothing else.
        for (index, line) in comment.trim_end().lines().enumerate() {
            page.outside(if index == 0 { "comment" } else { "" }, &line.replace('\t', "    "));
        }
    }
    page.into_text()
}

/// Who opens `recipe`, in a few words: the steps of its plan, or the people who must.
#[must_use]
pub fn openings(recipe: &Recipe) -> String {
    let steps = recipe.rollout.plan.iter().map(|step| step.percent.to_string()).collect::<Vec<_>>();
    match (recipe.opens, steps.as_slice()) {
        (Opens::People, _) => "opened by the people of its lane alone".to_owned(),
        (Opens::Server, []) => "no plan, so two people open it each time".to_owned(),
        (Opens::Server, steps) => format!("opened in steps: {}", steps.join(", ")),
    }
}

fn plan(page: &mut Page, steps: &[Step], opens: Opens) {
    if steps.is_empty() {
        let text = match opens {
            Opens::Server => "none: every opening takes a second person's key",
            Opens::People => "none",
        };
        return page.line("plan", text);
    }
    for (index, Step { percent, bake, health }) in steps.iter().enumerate() {
        let mut text = if index == 0 { percent.to_string() } else { format!("then {percent}") };
        if !bake.is_zero() {
            text.push_str(&format!(", for at least {bake:#}"));
        }
        if let Some(Health { max_failure_percent, min_reports }) = health {
            text.push_str(&format!(
                "; people stop it above {max_failure_percent} failures in at least {min_reports} reports"
            ));
        }
        page.line(if index == 0 { "plan" } else { "" }, &text);
    }
    let who = match opens {
        Opens::Server => {
            "one person opens the next of these alone; anything wider or sooner takes a second person's key"
        }
        Opens::People => "each of these takes the signatures of the people of its lane",
    };
    page.line("", who);
}

fn targeting(page: &mut Page, targeting: &Targeting) {
    let Targeting { channels, versions, os, arch, locales, countries, distributions, rings, agent_versions } =
        targeting;
    let list = |list: &Option<Vec<String>>| list.as_ref().map(|list| listed(list));
    let fields = [
        ("channels", list(channels)),
        ("versions", versions.as_ref().map(ToString::to_string)),
        ("operating systems", list(os)),
        ("architectures", list(arch)),
        ("locales", list(locales)),
        ("countries", list(countries)),
        ("distributions", list(distributions)),
        ("rings", list(rings)),
        ("agent versions", agent_versions.as_ref().map(ToString::to_string)),
    ];
    let mut label = "for";
    for (name, wanted) in fields {
        if let Some(wanted) = wanted {
            page.outside(label, &format!("{name} {wanted}"));
            label = "";
            if let Some(versions) = versions.as_ref().filter(|_| name == "versions") {
                page.line("", &format!("  {}", versions.pre_releases()));
            }
        }
    }
    if label == "for" {
        page.line(label, "everyone");
    }
}

fn consent(kind: ConsentKind) -> &'static str {
    match kind {
        ConsentKind::Hotfix => "hotfix: needs updates to be on",
        ConsentKind::Security => "security: needs updates to be on",
        ConsentKind::Message => "message: needs messages to be on",
        ConsentKind::Study => "study: needs studies to be on",
    }
}

fn end(recipe: &Recipe) -> &'static str {
    match (recipe.action.does().leaves(), recipe.on_end) {
        (Leaves::Nothing { then }, _) => then,
        (Leaves::Effects, OnEnd::Keep) => "what it did stays",
        (Leaves::Effects, OnEnd::Revert) => "what it did is undone, unless that breaks an add-on that works",
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests {
    use super::super::arbitrary::{certificates, day};
    use super::super::{
        Action, DistrustCertificates, DistrustEntry, HoldVerification, InstallCertificates, Lane,
        ReverifyAddons, Rollout, SCHEMA_VERSION, WhichAddons,
    };
    use super::*;
    use crate::sampling::BasisPoints;
    use jiff::SignedDuration;

    fn plan() -> Vec<Step> {
        let share = |points| BasisPoints::new(points).unwrap();
        let health = Some(Health { max_failure_percent: share(200), min_reports: 100 });
        vec![
            Step { percent: share(100), bake: SignedDuration::from_mins(15), health },
            Step { percent: share(1_250), bake: SignedDuration::ZERO, health: None },
        ]
    }

    pub(super) fn recipe(action: impl Into<Action>) -> Recipe {
        Recipe {
            schema_version: SCHEMA_VERSION,
            slug: "example".parse().unwrap(),
            revision: 7,
            name: "An example".into(),
            lane: Lane::Emergency,
            consent: ConsentKind::Security,
            opens: Opens::Server,
            action: action.into(),
            capabilities: vec![],
            targeting: Targeting::default(),
            rollout: Rollout {
                namespace: "example".into(),
                max_percent: BasisPoints::new(1_250).unwrap(),
                plan: plan(),
            },
            starts: Some(day(0)),
            expires: day(30),
            on_end: OnEnd::Keep,
            comment: Some("first line\nsecond line\n".into()),
        }
    }

    #[test]
    fn a_page_says_what_to_whom_and_until_when() {
        let mut recipe = recipe(HoldVerification { until: day(2) });
        recipe.targeting.versions = Some(">=60, <67".parse().unwrap());
        recipe.targeting.rings = Some(vec!["qa".into(), "canary".into()]);
        recipe.capabilities = vec!["action.hold-verification".into()];
        let expected = "\
recipe     emergency/example.json, revision 7
name       An example
does       holds the periodic verification until 2019-05-03T00:00:00Z (in 36 hours)
for        versions >=60.0, <67.0
             pre-releases are included, but not those of 60.0 (for them: >=60.*), also those of 67.0 (without them: <67.*)
           rings qa, canary
at most    12.5% of them; the gate says how many now
plan       1%, for at least 15m; people stop it above 2% failures in at least 100 reports
           then 12.5%
           one person opens the next of these alone; anything wider or sooner takes a second person's key
consent    security: needs updates to be on
opened by  the server, within these bounds
from       2019-05-01T00:00:00Z (12 hours AGO)
until      2019-05-31T00:00:00Z (in 29 days)
then       the periodic verification resumes
needs      action.hold-verification
comment    first line
           second line
";
        let noon = day(0) + SignedDuration::from_hours(12);
        assert_eq!(describe(&recipe, noon), expected);
    }

    #[test]
    fn who_opens_it_is_said() {
        let mut recipe = recipe(HoldVerification { until: day(2) });
        recipe.opens = Opens::People;
        assert_eq!(openings(&recipe), "opened by the people of its lane alone");
        let page = describe(&recipe, day(0));
        for line in [
            "           each of these takes the signatures of the people of its lane",
            "opened by  the people of its lane: every opening needs their signatures, which agents check",
        ] {
            assert!(page.lines().any(|said| said == line), "{page}");
        }
        recipe.opens = Opens::Server;
        assert_eq!(openings(&recipe), "opened in steps: 1%, 12.5%");
        recipe.rollout.plan.clear();
        assert_eq!(openings(&recipe), "no plan, so two people open it each time");
    }

    #[test]
    fn certificates_are_shown_with_what_is_wrong_about_them() {
        let certificate = &certificates()[0];
        let page = recipe(InstallCertificates { certificates: vec![certificate.clone()] });
        let now = describe(&page, day(0));
        for part in [
            "installs 1 certificate, with no special trust\n",
            &certificate.described(),
            &certificate.sha256().to_string(),
            "for        everyone\n",
            "then       what it did stays\n",
        ] {
            assert!(now.contains(part), "{part:?} in\n{now}");
        }
        assert!(!now.contains("EXPIRED"));
        assert!(
            describe(&page, certificate.not_after() + SignedDuration::from_secs(1)).contains(", EXPIRED")
        );
        assert!(
            describe(&page, certificate.not_before() - SignedDuration::from_secs(1))
                .contains(", NOT YET VALID")
        );
        let issuer = certificate.issuer_der().to_vec();
        let entries = vec![
            DistrustEntry::Spki(certificate.spki_sha256()),
            DistrustEntry::IssuerSerial { issuer, serial: vec![7] },
        ];
        let distrust = describe(&recipe(DistrustCertificates { by: entries }), day(0));
        assert!(
            distrust.contains("distrusts 2 entries; add-ons that depend on it stop working"),
            "{distrust}"
        );
        assert!(
            distrust.contains(
                "- the certificate with serial 07\n             issued by CN=root-ca-laboratory,OU="
            ),
            "{distrust}"
        );
        assert!(distrust.contains(&certificate.spki_sha256().to_string()), "{distrust}");
    }

    #[test]
    fn terminals_see_only_text() {
        let mut recipe = recipe(ReverifyAddons { which: WhichAddons::Disabled });
        recipe.name = "a\u{1b}[2J\u{202e}b".into();
        recipe.rollout.plan.clear();
        let page = describe(&recipe, day(0));
        assert!(page.contains("name       a\u{fffd}[2J\u{fffd}b\n"), "{page}");
        assert!(page.contains("plan       none: every opening takes a second person's key\n"), "{page}");
        assert!(page.contains("does       verifies the disabled add-ons again\n"), "{page}");
    }
}
