//! What holds for every document of gates, however odd.

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::{btree_map, btree_set};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Value, json};

use super::*;
use crate::limits::Limits;
use crate::recipe::arbitrary::{day, lane, share, slug};
use crate::tuf::KeyId;
use crate::tuf::threshold::Signature;

fn path() -> impl Strategy<Value = RecipePath> {
    (lane(), slug()).prop_map(|(lane, slug)| RecipePath { lane, slug })
}

fn approval() -> impl Strategy<Value = Approval> {
    (share(), 0..9_i64, option::of(0..9_i64)).prop_map(|(percent, since, until)| Approval {
        percent,
        since: day(since),
        expires: day(since + 1),
        open_until: until.map(day),
        signatures: vec![Signature { keyid: KeyId("k".into()), sig: "00".into(), other: BTreeMap::new() }],
    })
}

fn gate() -> impl Strategy<Value = Gate> {
    let ended = btree_set(1..40_u64, 0..=5);
    (
        40..90_u64,
        select(&GateState::ALL[..]),
        share(),
        "[a-zä\n]{0,9}",
        0..9_i64,
        ended,
        option::of(approval()),
    )
        .prop_map(|(revision, state, percent, note, since, ended, approval)| Gate {
            note,
            ended,
            approval,
            ..Gate::new(revision, state, percent, day(since))
        })
}

fn gates() -> impl Strategy<Value = Gates> {
    btree_map(path(), gate(), 1..6).prop_map(Gates)
}

/// Any JSON that a later server might put into a gate.
fn later() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        "[a-z]{0,5}".prop_map(Value::from),
        Just(json!([])),
        Just(json!({"later": ["a", {"b": 1}]})),
    ]
}

/// What agents in the field demand of a document before they use any of it.
fn is_read_by_agents_of(number: u64, document: &Value) -> bool {
    let of_gate: BTreeSet<&str> = ["revision", "state", "percent", "reason", "since"].into();
    let of_approval = BTreeSet::from(["percent", "since", "expires", "signatures"]);
    let names = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<BTreeSet<String>>();
    let known = |mut names: BTreeSet<String>, known: &BTreeSet<&str>| {
        names.retain(|name| !known.contains(name.as_str()));
        names
    };
    let gates = document["gates"].as_object().unwrap();
    document["schema_version"].as_u64().is_some_and(|written| written <= number)
        && gates.values().all(|gate| {
            let more = known(names(gate), &of_gate);
            let whole = of_gate.iter().all(|name| gate.get(name).is_some());
            let signed = more == BTreeSet::from(["approval".to_owned()])
                && number >= 2
                && known(names(&gate["approval"]), &of_approval).is_empty();
            whole && (more.is_empty() || signed)
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn what_is_written_reads_back_the_same(gates in gates()) {
        let read = ReadGates::read(&gates.write(), &Limits::default()).unwrap();
        prop_assert_eq!(read.whole().unwrap(), gates);
    }

    /// Agents before ended revisions go on reading everything that has none, nor an `open_until`.
    #[test]
    fn earlier_agents_read_what_needs_no_later_one(gates in gates()) {
        let document: Value = serde_json::from_slice(&gates.write()).unwrap();
        let lists = gates.0.values().any(|gate| !gate.ended.is_empty());
        let signed = |until: bool| gates.0.values().filter_map(|gate| gate.approval.as_ref())
            .any(|approval| !until || approval.open_until.is_some());
        prop_assert_eq!(is_read_by_agents_of(2, &document), !lists && !signed(true));
        prop_assert_eq!(is_read_by_agents_of(1, &document), !lists && !signed(false));
    }

    /// Whatever stands in one gate, the others are as they were; and this one is understood as it was meant, or not at all.
    #[test]
    fn one_gate_never_changes_another(
        gates in gates(), which in any::<Index>(), member in select(vec!["rings", "revision", "state", "percent", "since", "ended", "approval", "reason"]),
        value in later(), number in 1..9_u64,
    ) {
        let mut document: Value = serde_json::from_slice(&gates.write()).unwrap();
        let path = gates.0.keys().nth(which.index(gates.0.len())).unwrap();
        document["schema_version"] = number.into();
        document["later"] = value.clone();
        document["gates"][path.to_string()][member] = value;
        let read = ReadGates::read(document.to_string().as_bytes(), &Limits::default()).unwrap();
        for (other, gate) in &gates.0 {
            if other != path {
                prop_assert_eq!(read.gates.0.get(other), Some(gate));
            }
        }
        let (understood, unclear) = (read.gates.0.contains_key(path), read.unclear.contains_key(path));
        prop_assert!(understood != unclear);
        prop_assert!(member != "rings" || unclear);
        if unclear {
            prop_assert!((1..100).all(|revision| read.end_of(path, revision).is_none()));
        }
    }

    #[test]
    fn a_revision_has_ended_if_its_gate_or_a_later_one_says_so(gates in gates(), revision in 1..100_u64) {
        let read = ReadGates::from(gates.clone());
        for (path, gate) in &gates.0 {
            let own = gate.revision == revision && gate.state == GateState::Ended;
            let expected = own || gate.ended.contains(&revision);
            prop_assert_eq!(read.end_of(path, revision).is_some(), expected);
        }
    }
}
