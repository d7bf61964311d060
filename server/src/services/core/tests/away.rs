//! Whatever happens while a client is away: it meets every end of what it took, and no end of anything else.

use std::collections::BTreeSet;

use mulberry_shared::decide::{Consent, Input, Step as Taken, decide};
use mulberry_shared::enrolment::{Enrolment, EnrolmentState};
use mulberry_shared::targeting::ClientFacts;
use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    /// A client takes what is published, and goes away.
    Publish(u8),
    Withdraw(u8),
    Gate(u8, GateState),
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let states =
        prop::sample::select(vec![GateState::Open, GateState::Paused, GateState::Ended, GateState::Ended]);
    let step = prop_oneof![
        4 => (0_u8..2).prop_map(Step::Publish),
        1 => (0_u8..2).prop_map(Step::Withdraw),
        4 => (0_u8..2, states).prop_map(|(slug, state)| Step::Gate(slug, state)),
        1 => Just(Step::Restart),
    ];
    prop::collection::vec(step, 1..14)
}

fn facts() -> ClientFacts {
    ClientFacts {
        client_id: "away".into(),
        version: "66.0".parse().unwrap(),
        channel: "release".into(),
        os: "linux".into(),
        arch: "x86_64".into(),
        locale: "de".into(),
        country: None,
        distribution: None,
        ring: None,
        agent_version: "0.1.0".parse().unwrap(),
    }
}

/// What each client does when it comes back now.
fn come_back(served: &Served, away: &[Enrolment]) -> Vec<Taken> {
    let view = read(served, start()).view(start());
    let consent = Consent { updates: true, messages: true, studies: true };
    let one = |enrolment: &Enrolment| {
        let (facts, limits) = (facts(), Limits::default());
        let enrolments = std::slice::from_ref(enrolment);
        let input = Input {
            edition: &view,
            facts: &facts,
            consent: &consent,
            enrolments,
            now: start(),
            limits: &limits,
        };
        let plan = decide(&input);
        plan.decisions.into_iter().find(|decision| decision.path == enrolment.path).unwrap().step
    };
    away.iter().map(one).collect()
}

async fn walk(steps: &[Step]) {
    let parts = Parts::initialised(MemoryStore::new()).await;
    let mut core = parts.open().await.unwrap();
    let (mut revisions, mut away) = (BTreeMap::from([(0, 0), (1, 0)]), Vec::new());
    let mut ended: BTreeSet<(u8, u64)> = BTreeSet::new();
    let at = |slug: &u8| path(&format!("emergency/r{slug}.json"));
    for step in steps {
        let live = |slug: &u8| core.served().state.recipe(&at(slug)).is_some();
        match step {
            Step::Publish(slug) => {
                let revision = revisions[slug] + 1;
                publish(&core, &[(&at(slug).to_string(), revision)], &[]).await.unwrap();
                revisions.insert(*slug, revision);
                let recipe = (*core.served().state.recipe(&at(slug)).unwrap().recipe).clone();
                let state = EnrolmentState::Active;
                away.push(Enrolment { path: at(slug), revision, enrolled_at: start(), state, recipe });
            }
            Step::Withdraw(slug) if live(slug) => {
                publish(&core, &[], &[&format!("r{slug}")]).await.unwrap();
            }
            Step::Gate(slug, state) if live(slug) => {
                let request = gate(revisions[slug], *state, Some(5_000));
                let set = core.set_gate(actor("mei"), at(slug), request).await;
                if *state == GateState::Ended {
                    set.unwrap();
                    ended.insert((*slug, revisions[slug]));
                }
            }
            Step::Withdraw(_) | Step::Gate(..) => {}
            Step::Restart => core = parts.open().await.unwrap(),
        }
        let served = core.served();
        for (taken, enrolment) in come_back(&served, &away).into_iter().zip(&away) {
            let slug = u8::from(enrolment.path.slug.as_str() == "r1");
            let over = ended.contains(&(slug, enrolment.revision));
            let gone = served.state.recipe(&enrolment.path).is_none();
            let ends = matches!(taken, Taken::End { .. });
            let moves = matches!(taken, Taken::Move { .. });
            assert!(if over || gone { ends || moves } else { !ends }, "{step:?}: {enrolment:?}: {taken:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn an_end_reaches_whoever_was_away_and_nobody_else(steps in steps()) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(walk(&steps));
    }
}
