//! Properties: the verdict depends on which candidates there are, and on nothing else about them.

use std::sync::OnceLock;

use jiff::Timestamp;
use mulberry_shared::x509::{Certificate, Distrust, EndEntityTime, PathErrorKind};
use proptest::prelude::*;

use crate::bench::{Bench, read, time};

/// Candidates of the incident: all but the wrong key and the controls may issue the end entity.
fn candidates() -> &'static (Bench, Vec<Certificate>) {
    static MADE: OnceLock<(Bench, Vec<Certificate>)> = OnceLock::new();
    MADE.get_or_init(|| {
        let bench = Bench::new();
        let lab = &bench.lab;
        let all = [&lab.expiring, &lab.replacement, &lab.wrong_key, &lab.control, &lab.stolen, &lab.other];
        let all = all.into_iter().map(read).chain([bench.end_entity.clone(), bench.anchor.clone()]).collect();
        (bench, all)
    })
}

/// Where a candidate is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Nowhere,
    Pool,
    Embedded,
    Both,
}

fn place() -> impl Strategy<Value = Place> {
    prop_oneof![Just(Place::Nowhere), Just(Place::Pool), Just(Place::Embedded), Just(Place::Both)]
}

/// Times around every date that counts.
fn instant() -> impl Strategy<Value = Timestamp> {
    let (bench, _) = candidates();
    let dates = [&bench.anchor, &bench.expiring, &bench.replacement, &bench.end_entity]
        .map(|c| [c.not_before(), c.not_after()])
        .concat();
    (proptest::sample::select(dates), -1i64..=1)
        .prop_map(|(date, by)| Timestamp::from_second(date.as_second() + by).unwrap())
}

fn within(certificate: &Certificate, at: Timestamp) -> bool {
    certificate.not_before() <= at && at <= certificate.not_after()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Against the rule said in another way: a path holds exactly if the anchor is valid and some candidate with the end
    /// entity's issuer's name and key is valid and not distrusted.
    #[test]
    fn the_verdict_is_the_rules_whatever_the_order_and_place(
        places in proptest::collection::vec(place(), 8),
        order in Just((0..8usize).collect::<Vec<_>>()).prop_shuffle(),
        at in instant(),
        distrusted in proptest::option::of(0..8usize),
        by_key in any::<bool>(),
    ) {
        let (bench, all) = candidates();
        let mut setting = bench.setting();
        if let Some(i) = distrusted {
            if by_key { setting.distrust.add_spki(all[i].spki_sha256()) }
            else { setting.distrust.add_issuer_serial(all[i].issuer_der(), all[i].serial()) }
        }
        let mut embedded = Vec::new();
        for i in &order {
            if matches!(places[*i], Place::Pool | Place::Both) { setting.pool.insert(all[*i].clone()); }
            if matches!(places[*i], Place::Embedded | Place::Both) { embedded.push(all[*i].clone()); }
        }
        let found = setting.kind(&bench.end_entity, &embedded, &at.to_string());

        let refused = |c: &Certificate, d: &Distrust| d.refuses(c).is_some();
        let issuers: Vec<_> = [0, 1].into_iter().filter(|i| places[*i] != Place::Nowhere).map(|i| &all[i]).collect();
        let timely: Vec<_> = issuers.iter().filter(|c| within(c, at) && within(&bench.anchor, at)).collect();
        let out = |c: &Certificate| refused(c, &setting.distrust) || refused(&bench.anchor, &setting.distrust);
        let expected = if refused(&bench.end_entity, &setting.distrust) {
            Err(PathErrorKind::Distrusted)
        } else if timely.iter().any(|c| !out(c)) {
            Ok(())
        } else if !timely.is_empty() {
            Err(PathErrorKind::Distrusted)
        } else if issuers.is_empty() {
            Err(PathErrorKind::UnknownIssuer)
        } else if issuers.iter().all(|c| out(c)) {
            Err(PathErrorKind::Distrusted)
        } else if at < time("2019-01-01T00:00:00Z") {
            Err(PathErrorKind::IssuerNotYetValid)
        } else {
            Err(PathErrorKind::IssuerExpired)
        };
        prop_assert_eq!(found, expected);

        // Enforcing the end entity's time can only take away.
        setting.end_entity_time = EndEntityTime::Enforce;
        let enforced = setting.kind(&bench.end_entity, &embedded, &at.to_string());
        prop_assert_eq!(enforced.is_ok(), expected.is_ok() && within(&bench.end_entity, at));
    }
}
