//! What holds for every edition, client and time, however odd.

use proptest::collection::{btree_map, btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::approval::Approval;
use crate::enrolment::EnrolmentState;
use crate::gates::{Gate, GateState, Gates, UnclearGate};
use crate::recipe::arbitrary::{day, lane, recipe, share, slug};
use crate::recipe::{Opens, published};
use crate::tuf::TrustErrorKind;

/// Everything that [`Input`] refers to.
#[derive(Clone, Debug)]
struct World {
    edition: EditionView,
    facts: ClientFacts,
    consent: Consent,
    enrolments: Vec<Enrolment>,
    now: Timestamp,
}

impl World {
    fn plan(&self) -> Plan {
        decide(&Input {
            edition: &self.edition,
            facts: &self.facts,
            consent: &self.consent,
            enrolments: &self.enrolments,
            now: self.now,
            limits: &Limits::default(),
        })
    }

    fn ends(&self) -> BTreeSet<RecipePath> {
        let ends = |d: &Decision| matches!(d.step, Step::End { .. });
        self.plan().decisions.into_iter().filter(ends).map(|d| d.path).collect()
    }
}

fn path() -> impl Strategy<Value = RecipePath> {
    (lane(), slug()).prop_map(|(lane, slug)| RecipePath { lane, slug })
}

fn entry() -> impl Strategy<Value = RecipeEntry> {
    let good = recipe().prop_map(|recipe| (recipe.path(), published::write(&recipe)));
    let bad = (path(), vec(any::<u8>(), 0..40));
    let damaged = (recipe(), any::<prop::sample::Index>(), any::<u8>()).prop_map(|(recipe, at, byte)| {
        let mut bytes = published::write(&recipe);
        let at = at.index(bytes.len());
        bytes[at] = byte;
        (recipe.path(), bytes)
    });
    (prop_oneof![6 => good, 1 => bad, 1 => damaged], any::<bool>())
        .prop_map(|((path, bytes), lane_current)| RecipeEntry { path, bytes: bytes.into(), lane_current })
}

fn gates() -> impl Strategy<Value = ReadGates> {
    let state = select(vec![GateState::Open, GateState::Open, GateState::Paused, GateState::Ended]);
    let signed = option::of((share(), option::of(-3..30_i64)));
    let gate = (1..4_u64, state, share(), btree_set(1..4_u64, 0..=2), signed);
    let gate = gate.prop_map(|(revision, state, percent, ended, signed)| Gate {
        note: "because".into(),
        ended: ended.into_iter().filter(|ended| *ended < revision).collect(),
        approval: signed.map(|(percent, until)| Approval {
            percent,
            since: day(0),
            expires: day(1),
            open_until: until.map(day),
            signatures: vec![],
        }),
        ..Gate::new(revision, state, percent, day(0))
    });
    let unclear = btree_map(path(), Just(UnclearGate::Member("later".to_owned())), 0..2);
    (btree_map(path(), gate, 0..6), unclear).prop_map(|(mut gates, unclear)| {
        gates.retain(|path, _| !unclear.contains_key(path));
        ReadGates { gates: Gates(gates), unclear }
    })
}

fn enrolments() -> impl Strategy<Value = Vec<Enrolment>> {
    let state = select(vec![EnrolmentState::Active, EnrolmentState::KeptAfterEnd]);
    let one = (recipe(), state, -5..5_i64).prop_map(|(recipe, state, enrolled)| Enrolment {
        path: recipe.path(),
        revision: recipe.revision,
        enrolled_at: day(enrolled),
        state,
        recipe,
    });
    vec(one, 0..5).prop_map(|list| {
        let by_path: BTreeMap<_, _> = list.into_iter().map(|e| (e.path.clone(), e)).collect();
        by_path.into_values().collect()
    })
}

fn world() -> impl Strategy<Value = World> {
    let approved = btree_map(
        path(),
        prop_oneof![2 => Just(Ok(())), 1 => Just(Err(TrustError::new(TrustErrorKind::Threshold, "emergency", "no")))],
        0..6,
    );
    let edition = (
        vec(entry(), 0..6),
        option::weighted(0.8, gates()),
        btree_set(lane(), 0..=2),
        any::<bool>(),
        approved,
    )
        .prop_map(|(recipes, gates, lanes_known, fresh, approved)| EditionView {
            recipes,
            gates,
            gates_fault: None,
            approved,
            lanes_known,
            freshness: if fresh { Freshness::Current } else { Freshness::Expired },
        });
    let facts = ("[a-z]{0,8}", select(vec!["66.0", "60.0b3", "1.0"]), option::of("[A-Z]{2}"));
    let consent = any::<[bool; 3]>();
    (edition, facts, consent, enrolments(), -10..40_i64).prop_map(
        |(edition, (client_id, version, country), [updates, messages, studies], enrolments, now)| World {
            edition,
            facts: ClientFacts {
                client_id,
                version: version.parse().unwrap(),
                channel: "release".into(),
                os: "linux".into(),
                arch: "x86_64".into(),
                locale: "de-AT".into(),
                country,
                distribution: None,
                ring: None,
                agent_version: semver::Version::new(0, 1, 0),
            },
            consent: Consent { updates, messages, studies },
            enrolments,
            now: day(now),
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn every_path_gets_one_decision_and_the_same_input_the_same_plan(world in world()) {
        let plan = world.plan();
        prop_assert_eq!(&plan, &world.plan());
        let decided: Vec<_> = plan.decisions.iter().map(|d| d.path.clone()).collect();
        let named: BTreeSet<_> = world.edition.recipes.iter().map(|e| e.path.clone())
            .chain(world.enrolments.iter().map(|e| e.path.clone())).collect();
        prop_assert_eq!(decided.len(), named.len());
        prop_assert_eq!(decided.into_iter().collect::<BTreeSet<_>>(), named);
        // Ends come first, and each step speaks of its own path.
        let first_other = plan.decisions.iter().position(|d| !matches!(d.step, Step::End { .. }));
        let last_end = plan.decisions.iter().rposition(|d| matches!(d.step, Step::End { .. }));
        prop_assert!(last_end.is_none() || first_other.is_none() || last_end < first_other);
        for decision in &plan.decisions {
            match &decision.step {
                Step::None => {}
                Step::Enrol(recipe) => prop_assert_eq!(recipe.path(), decision.path.clone()),
                Step::Move { from, to } => {
                    prop_assert_eq!((to.path(), &from.path), (decision.path.clone(), &decision.path));
                    prop_assert!(to.revision >= from.revision);
                }
                Step::End { enrolment, .. } => {
                    prop_assert_eq!(&enrolment.path, &decision.path);
                    prop_assert_eq!(enrolment.state, EnrolmentState::Active);
                }
            }
        }
    }

    /// Neither another client id, nor a narrower gate, nor other facts or consent take anything from the enrolled.
    #[test]
    fn nobody_enrolled_is_sampled_or_targeted_out(world in world(), id in "[a-z]{0,8}", percent in share(), on: bool) {
        let mut other = world.clone();
        other.facts.client_id = id;
        other.facts.version = "0.1".parse().unwrap();
        other.facts.channel = "nightly".into();
        other.consent = Consent { updates: on, messages: on, studies: on };
        for gate in other.edition.gates.iter_mut().flat_map(|read| read.gates.0.values_mut()) {
            gate.percent = gate.percent.min(percent);
        }
        // A newer revision may be taken by the one and not by the other; what was ended there was replaced here.
        let moved: BTreeSet<_> = world.plan().decisions.into_iter()
            .filter(|d| matches!(d.step, Step::Move { .. })).map(|d| d.path).collect();
        for path in other.ends() {
            prop_assert!(world.ends().contains(&path) || moved.contains(&path));
        }
    }

    /// No gates, no fresh metadata, expired lanes: whatever the clock says, only a withdrawal that people signed ends
    /// anything, and nothing begins.
    #[test]
    fn an_outage_and_a_jumping_clock_undo_nothing(world in world(), now in -1_000..1_000_i64) {
        let mut outage = world.clone();
        outage.edition.gates = None;
        outage.edition.freshness = Freshness::Expired;
        outage.now = day(now);
        let held: BTreeSet<_> = outage.edition.recipes.iter().map(|e| e.path.clone()).collect();
        for decision in outage.plan().decisions {
            match decision.step {
                Step::None => {}
                Step::End { .. } => {
                    prop_assert!(!held.contains(&decision.path));
                    prop_assert!(outage.edition.lanes_known.contains(&decision.path.lane));
                }
                step => prop_assert!(false, "{step:?} without gates"),
            }
        }
        outage.edition.lanes_known.clear();
        prop_assert!(outage.ends().is_empty());
    }

    /// Nothing is applied that is closed, expired, not begun, or from an expired lane.
    #[test]
    fn what_is_applied_may_be_applied(world in world()) {
        for decision in world.plan().decisions {
            let (Step::Enrol(recipe) | Step::Move { to: recipe, .. }) = decision.step else { continue };
            let gates = &world.edition.gates.as_ref().unwrap().gates;
            let gate = gates.of(&decision.path, recipe.revision).unwrap();
            prop_assert_eq!(gate.state, GateState::Open);
            prop_assert!(gate.percent.get() > 0 && recipe.rollout.max_percent.get() > 0);
            if recipe.opens == Opens::People {
                prop_assert_eq!(world.edition.approved.get(&decision.path), Some(&Ok(())));
                let signed = gate.approval.as_ref().unwrap();
                prop_assert!(gate.percent <= signed.percent);
                prop_assert!(signed.open_until.is_none_or(|until| world.now < until));
            }
            prop_assert!(recipe.expires > world.now && recipe.starts.is_none_or(|s| s <= world.now));
            prop_assert!(world.consent.updates);
            prop_assert_eq!(decision.status, Status::Applied);
            let entry = world.edition.recipes.iter().find(|e| e.path == decision.path).unwrap();
            prop_assert!(entry.lane_current);
        }
    }

    /// A gate that is not understood does what no gate does: nothing opens, and nothing is undone.
    #[test]
    fn what_is_not_understood_is_as_if_it_were_not_there(world in world()) {
        let mut without = world.clone();
        without.edition.gates.iter_mut().for_each(|gates| gates.unclear.clear());
        let steps = |world: &World| -> Vec<_> {
            world.plan().decisions.into_iter().map(|one| (one.path, one.status, one.step)).collect()
        };
        prop_assert_eq!(steps(&world), steps(&without));
    }

    /// An ended gate never lifts a distrust.
    #[test]
    fn no_gate_ends_a_distrust(world in world()) {
        for decision in world.plan().decisions {
            let Step::End { enrolment, .. } = decision.step else { continue };
            if enrolment.recipe.action.does().gate_may_end() {
                continue;
            }
            let mut silent = world.clone();
            silent.edition.gates = None;
            prop_assert!(silent.ends().contains(&decision.path));
        }
    }
}
