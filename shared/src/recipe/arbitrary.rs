//! Arbitrary recipes for property tests: all of them obey the rules.

use jiff::{SignedDuration, Timestamp};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::{
    Action, ActionKind, CAPABILITIES, ConsentKind, Health, Lane, OnEnd, Opens, Recipe, Rollout,
    SCHEMA_VERSION, Slug, Step,
};
use crate::limits::X509Limits;
use crate::sampling::BasisPoints;
use crate::targeting::Targeting;
use crate::x509::Certificate;

/// The laboratory certificates of the example recipes: three intermediates and, last, their anchor.
pub(crate) fn certificates() -> Vec<Certificate> {
    [
        include_bytes!("../../../recipes/replace-signing-intermediate/replacement.pem").as_slice(),
        include_bytes!("../../../recipes/distrust-stolen-intermediate/stolen.pem"),
        include_bytes!("../../../recipes/fire-drill/drill.pem"),
        include_bytes!("../../../recipes/laboratory-anchor.pem"),
    ]
    .into_iter()
    .flat_map(|pem| Certificate::parse_pem(pem, &X509Limits::default()).unwrap())
    .collect()
}

/// Days from 2019-05-01, so that dates of different origins meet.
pub(crate) fn day(number: i64) -> Timestamp {
    Timestamp::from_second(1_556_668_800 + number * 86_400).unwrap()
}

pub(crate) fn lane() -> impl Strategy<Value = Lane> {
    select(&Lane::ALL[..])
}

pub(crate) fn slug() -> impl Strategy<Value = Slug> {
    select(vec!["a", "b", "c-1"]).prop_map(|text| text.parse().unwrap())
}

pub(crate) fn share() -> impl Strategy<Value = BasisPoints> {
    prop_oneof![
        Just(BasisPoints::EVERYONE),
        (0..=10_000_u16).prop_map(|points| BasisPoints::new(points).unwrap())
    ]
}

fn words() -> impl Strategy<Value = Option<Vec<String>>> {
    option::weighted(0.2, vec("[a-zA-Z0-9 äß\"\\\\/-]{1,12}", 1..4))
}

fn targeting() -> impl Strategy<Value = Targeting> {
    let range = || option::weighted(0.3, select(vec![">=60, <67", "*", "=60.6", "^0.1", ">66.0.0-beta.3"]));
    let lists = (words(), words(), words(), words(), words(), words());
    (option::weighted(0.3, Just(vec!["release".to_owned()])), lists, range(), range()).prop_map(
        |(channels, (os, arch, locales, countries, distributions, rings), versions, agent)| Targeting {
            channels,
            versions: versions.map(|text| text.parse().unwrap()),
            os,
            arch,
            locales,
            countries,
            distributions,
            rings,
            agent_versions: agent.map(|text| text.parse().unwrap()),
        },
    )
}

fn action(expires: Timestamp) -> impl Strategy<Value = Action> {
    proptest::strategy::Union::new(ActionKind::ALL.iter().map(|kind| kind.arbitrary(expires)))
}

/// So many steps up to the widest share, as far as there is room below it.
fn steps(most: BasisPoints, count: u16) -> Vec<Step> {
    let step = |index: u16| {
        let percent = BasisPoints::new(most.get() / count * index).filter(|share| share.get() > 0)?;
        let health =
            index.is_multiple_of(2).then_some(Health { max_failure_percent: percent, min_reports: 9 });
        Some(Step { percent, bake: SignedDuration::from_secs(i64::from(index) - 1), health })
    };
    (1..=count).filter_map(step).collect()
}

/// Any recipe that obeys the rules, of few slugs and revisions, so that several of them meet.
pub(crate) fn recipe() -> impl Strategy<Value = Recipe> {
    let names = (slug(), 1..4_u64, "[ -~äöü–]{1,30}", lane());
    let ends = (option::weighted(0.3, 0..10_i64), 1..20_i64, select(&OnEnd::ALL[..]));
    let rest = (
        select(&[ConsentKind::Hotfix, ConsentKind::Security][..]),
        subsequence(CAPABILITIES, 0..=CAPABILITIES.len()),
        (share(), select(&Opens::ALL[..])),
        (option::of("[ -~\n\t☃]{0,60}"), 0..4_u16),
        "[a-z\"\\\\]{1,8}",
    );
    let ends = ends.prop_flat_map(|(starts, lasts, on_end)| {
        let expires = day(starts.unwrap_or(0) + lasts);
        (Just(starts), Just(expires), Just(on_end), action(expires))
    });
    (names, targeting(), ends, rest).prop_map(
        |(
            (slug, revision, name, lane),
            targeting,
            (starts, expires, on_end, action),
            (consent, capabilities, (max_percent, opens), (comment, planned), namespace),
        )| {
            Recipe {
                schema_version: SCHEMA_VERSION,
                slug,
                revision,
                name,
                lane,
                consent,
                opens,
                action,
                capabilities: capabilities.into_iter().map(str::to_owned).collect(),
                targeting,
                rollout: Rollout { namespace, max_percent, plan: steps(max_percent, planned) },
                starts: starts.map(day),
                expires,
                on_end,
                comment,
            }
        },
    )
}
