//! Whatever operators do one after another: the fold of the ledger is the state, and every client follows.

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Publish(u8, bool),
    Withdraw(u8),
    Gate(u8, GateState, u16),
    Restart,
    Wait(u8),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let states = prop::sample::select(vec![GateState::Open, GateState::Paused, GateState::Ended]);
    let step = prop_oneof![
        (0_u8..3, any::<bool>()).prop_map(|(slug, raise)| Step::Publish(slug, raise)),
        (0_u8..3).prop_map(Step::Withdraw),
        (0_u8..3, states, 0_u16..10_002).prop_map(|(slug, state, percent)| Step::Gate(slug, state, percent)),
        Just(Step::Restart),
        (0_u8..100).prop_map(Step::Wait),
    ];
    prop::collection::vec(step, 1..12)
}

async fn walk(steps: &[Step]) {
    let parts = Parts::initialised(MemoryStore::new()).await;
    let mut core = parts.open().await.unwrap();
    let mut known = None;
    let mut revisions = BTreeMap::from([(0, 0), (1, 0), (2, 0)]);
    for step in steps {
        let number = core.served().edition.number();
        let at = |slug: &u8| format!("emergency/r{slug}.json");
        match step {
            Step::Publish(slug, raise) => {
                let revision = revisions[slug] + u64::from(*raise);
                if publish(&core, &[(&at(slug), revision.max(1))], &[]).await.is_ok() {
                    revisions.insert(*slug, revision.max(1));
                }
            }
            Step::Withdraw(slug) if core.served().state.recipe(&path(&at(slug))).is_some() => {
                publish(&core, &[], &[&format!("r{slug}")]).await.unwrap();
            }
            Step::Withdraw(_) => {}
            Step::Gate(slug, state, percent) => {
                let request = gate(revisions[slug], *state, Some(*percent));
                let _ = core.set_gate(actor("mei"), path(&at(slug)), request).await;
            }
            Step::Restart => {
                let before = core.served();
                core = parts.open().await.unwrap();
                assert_eq!(core.served().state, before.state);
            }
            Step::Wait(h) => {
                parts.clock.advance(hours(i64::from(*h)));
                core.sign_due().await.unwrap();
            }
        }
        assert!(core.served().edition.number() >= number);
        // Whatever happened, a client that knew any earlier edition accepts this one.
        let (state, outcome) = refresh(&core.served(), known.take(), core.clock.now());
        assert_eq!(outcome, Outcome::Current);
        known = Some(state);
    }
    let (_, folded, heads) = fold(parts.store.clone(), &Limits::default()).await.unwrap();
    assert_eq!(folded.as_ref(), Some(&*core.served().state));
    assert_eq!(heads.last(), Some(&core.served().edition.ledger()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_fold_is_the_state_and_clients_follow_every_walk(steps in steps()) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(walk(&steps));
    }
}
