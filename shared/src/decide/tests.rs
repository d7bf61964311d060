//! Decisions by example: each status, and each reason to end or not to end.

use super::*;
use crate::approval::Approval;
use crate::enrolment::EnrolmentState;
use crate::gates::{Gate, GateState, Gates, UnclearGate};
use crate::recipe::arbitrary::{certificates, day};
use crate::recipe::{
    Action, ConsentKind, DistrustCertificates, DistrustEntry, HoldVerification, InstallCertificates, Opens,
    ReverifyAddons, Rollout, SCHEMA_VERSION, WhichAddons, published,
};
use crate::sampling::BasisPoints;
use crate::targeting::Targeting;
use crate::tuf::TrustErrorKind;

/// An edition, a client and a day, to be changed one thing at a time. Without changes the recipe is applied.
struct Scene {
    recipe: Recipe,
    gate: Option<Gate>,
    /// Why its gate is not understood.
    unclear: Option<UnclearGate>,
    edition: EditionView,
    facts: ClientFacts,
    consent: Consent,
    enrolments: Vec<Enrolment>,
    now: Timestamp,
}

impl Scene {
    fn new() -> Self {
        let recipe = Recipe {
            schema_version: SCHEMA_VERSION,
            slug: "fix".parse().unwrap(),
            revision: 2,
            name: "Fix".into(),
            lane: Lane::Emergency,
            consent: ConsentKind::Hotfix,
            opens: Opens::Server,
            action: InstallCertificates { certificates: certificates()[..1].to_vec() }.into(),
            capabilities: vec![],
            targeting: Targeting::default(),
            rollout: Rollout {
                namespace: "fix".into(),
                max_percent: BasisPoints::EVERYONE,
                plan: Vec::new(),
            },
            starts: None,
            expires: day(30),
            on_end: OnEnd::Revert,
            comment: None,
        };
        Self {
            gate: Some(gate(2, GateState::Open, 10_000)),
            unclear: None,
            edition: EditionView {
                lanes_known: Lane::ALL.into_iter().collect(),
                freshness: Freshness::Current,
                ..EditionView::default()
            },
            facts: ClientFacts {
                client_id: "client".into(),
                version: "66.0".parse().unwrap(),
                channel: "release".into(),
                os: "linux".into(),
                arch: "x86_64".into(),
                locale: "de".into(),
                country: None,
                distribution: None,
                ring: None,
                agent_version: semver::Version::new(0, 1, 0),
            },
            consent: Consent { updates: true, messages: true, studies: true },
            enrolments: vec![],
            now: day(0),
            recipe,
        }
    }

    /// With revision `revision` of the recipe applied.
    fn enrolled(mut self, revision: u64) -> Self {
        self.enrolments = vec![enrolment(&Recipe { revision, ..self.recipe.clone() })];
        self
    }

    fn kept(mut self, revision: u64) -> Self {
        self = self.enrolled(revision);
        self.enrolments[0].state = EnrolmentState::KeptAfterEnd;
        self
    }

    fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    /// What is decided about the recipe.
    fn decision(mut self) -> Decision {
        self.edition.recipes.push(entry(&self.recipe));
        self.without_recipe()
    }

    fn without_recipe(mut self) -> Decision {
        let path = self.recipe.path();
        let gates = self.gate.take().map(|gate| (path.clone(), gate)).into_iter().collect();
        if self.edition.freshness == Freshness::Current {
            let mut read = ReadGates::from(Gates(gates));
            read.unclear.extend(self.unclear.take().map(|why| (path.clone(), why)));
            self.edition.gates = Some(read);
        }
        let decisions = self.plan().decisions;
        assert_eq!(decisions.len(), 1);
        assert_eq!(decisions[0].path, path);
        decisions[0].clone()
    }

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
}

fn gate(revision: u64, state: GateState, points: u16) -> Gate {
    let percent = BasisPoints::new(points).unwrap();
    Gate { note: "because".into(), ..Gate::new(revision, state, percent, day(-1)) }
}

fn entry(recipe: &Recipe) -> RecipeEntry {
    RecipeEntry { path: recipe.path(), bytes: published::write(recipe).into(), lane_current: true }
}

fn enrolment(recipe: &Recipe) -> Enrolment {
    Enrolment {
        path: recipe.path(),
        revision: recipe.revision,
        enrolled_at: day(-5),
        state: EnrolmentState::Active,
        recipe: recipe.clone(),
    }
}

/// One thing that is different.
type Change = fn(&mut Scene);

/// The kind of a step.
fn kind(step: &Step) -> &'static str {
    match step {
        Step::None => "none",
        Step::Enrol(_) => "enrol",
        Step::Move { .. } => "move",
        Step::End { how: OnEnd::Keep, .. } => "end-keep",
        Step::End { how: OnEnd::Revert, .. } => "end-revert",
    }
}

fn outcome(scene: Scene) -> (Status, &'static str) {
    let decision = scene.decision();
    assert_eq!(decision.revision, Some(2), "{decision:?}");
    (decision.status, kind(&decision.step))
}

/// Every reason not to take a recipe, in the order of the list: with all later reasons holding too, the earlier one is
/// the status.
#[test]
fn the_first_reason_not_to_take_a_recipe_is_its_status() {
    let reasons: [(Status, Change); 9] = [
        (Status::NotStarted, |s| {
            s.recipe.starts = Some(day(1));
            s.recipe.expires = day(30);
        }),
        (Status::Expired, |s| {
            s.recipe.starts = None;
            s.recipe.expires = day(0);
        }),
        (Status::NotTargeted, |s| s.recipe.targeting.channels = Some(vec!["esr".into()])),
        (Status::ConsentWithheld, |s| s.consent.updates = false),
        (Status::GateClosed, |s| s.gate = None),
        (Status::Ended, |s| s.gate = Some(gate(2, GateState::Ended, 10_000))),
        (Status::Paused, |s| s.gate = Some(gate(2, GateState::Paused, 10_000))),
        (Status::GateClosed, |s| s.gate = Some(gate(2, GateState::Open, 0))),
        (Status::NotSampled, |s| {
            s.gate = Some(gate(2, GateState::Open, 1));
            s.facts.client_id = "not among the first".into();
        }),
    ];
    assert_eq!(outcome(Scene::new()), (Status::Applied, "enrol"));
    for (index, (status, _)) in reasons.iter().enumerate() {
        let alone = Scene::new().with(reasons[index].1);
        assert_eq!(outcome(alone), (*status, "none"));
        let mut all = Scene::new();
        for (_, later) in reasons[index..].iter().rev() {
            later(&mut all);
        }
        assert_eq!(outcome(all), (*status, "none"));
    }
}

#[test]
fn consent_is_asked_of_the_right_switch() {
    let only = |kind, updates, messages, studies| {
        let scene = Scene::new().with(|s| {
            s.recipe.consent = kind;
            s.consent = Consent { updates, messages, studies };
        });
        outcome(scene).0
    };
    assert_eq!(only(ConsentKind::Hotfix, true, false, false), Status::Applied);
    assert_eq!(only(ConsentKind::Security, true, false, false), Status::Applied);
    assert_eq!(only(ConsentKind::Security, false, true, true), Status::ConsentWithheld);
    // Whatever is switched on, no action here may be carried by a study or a message.
    let mut scene = Scene::new();
    scene.recipe.consent = ConsentKind::Study;
    let decision = scene.decision();
    assert_eq!(
        (decision.status, decision.revision, decision.step),
        (Status::InvalidArguments, None, Step::None)
    );
}

#[test]
fn what_only_people_may_open_needs_their_signatures_and_goes_no_further() {
    let opened_until = |signed: Option<u16>, held: Option<Result<(), &str>>, until: Option<Timestamp>| {
        let mut scene = Scene::new();
        scene.recipe.opens = Opens::People;
        let approval = signed.map(|points| Approval {
            percent: BasisPoints::new(points).unwrap(),
            since: day(-1),
            expires: day(0),
            open_until: until,
            signatures: vec![],
        });
        scene.gate = Some(Gate { approval, ..gate(2, GateState::Open, 10_000) });
        let path = scene.recipe.path();
        let why = |why: &str| TrustError::new(TrustErrorKind::Threshold, "emergency", why);
        scene.edition.approved.extend(held.map(|held| (path, held.map_err(why))));
        let decision = scene.decision();
        (decision.status, decision.detail())
    };
    let opened = |signed, held| opened_until(signed, held, None);
    // That it may be handed in no longer does not close what it opened.
    assert_eq!(opened(Some(10_000), Some(Ok(()))).0, Status::Applied);
    for (signed, held, words) in [
        (None, None, "their signatures are missing"),
        (None, Some(Ok(())), "their signatures are missing"),
        (Some(10_000), None, "their signatures are missing"),
        (Some(10_000), Some(Err("1 of 2")), "their signatures do not hold: 1 of 2"),
        (Some(9_999), Some(Ok(())), "they signed 99.99%, and its gate says 100%"),
    ] {
        let (status, detail) = opened(signed, held);
        assert_eq!(status, Status::GateClosed);
        assert!(detail.contains("only the people of the emergency lane may open it"), "{detail}");
        assert!(detail.contains(words), "{detail}");
    }
    // But no longer than they signed; what was taken until then stays.
    assert_eq!(opened_until(Some(10_000), Some(Ok(())), Some(day(1))).0, Status::Applied);
    let (status, detail) = opened_until(Some(10_000), Some(Ok(())), Some(day(0)));
    assert_eq!(status, Status::GateClosed);
    assert!(detail.ends_with("they signed it to be open until 2019-05-01T00:00:00Z"), "{detail}");
}

#[test]
fn a_gate_that_is_not_understood_is_closed_and_undoes_nothing() {
    let unclear = |s: &mut Scene| {
        s.gate = None;
        s.unclear = Some(UnclearGate::Member("later".into()));
    };
    let decision = Scene::new().with(unclear).decision();
    assert_eq!((decision.status, kind(&decision.step)), (Status::GateClosed, "none"));
    assert_eq!(decision.reason, Reason::UnclearGate(UnclearGate::Member("later".into())));
    assert!(decision.detail().contains("its member \"later\" is not known here"), "{}", decision.detail());
    assert_eq!(outcome(Scene::new().enrolled(2).with(unclear)), (Status::Unchanged, "none"));
    assert_eq!(outcome(Scene::new().enrolled(1).with(unclear)), (Status::GateClosed, "none"));
}

#[test]
fn an_end_reaches_who_was_away_and_the_end_of_a_newer_revision_no_older_one() {
    let lists = |revision, state, ended: &[u64]| {
        let gate = Gate { ended: ended.iter().copied().collect(), ..gate(revision, state, 0) };
        move |s: &mut Scene| s.gate = Some(gate)
    };
    let at = |revision, change: &dyn Fn(&mut Scene)| {
        let decision = Scene::new().enrolled(revision).with(change).decision();
        (decision.status, decision.revision, kind(&decision.step))
    };
    for state in GateState::ALL {
        let listed = Scene::new().enrolled(1).with(lists(2, state, &[1])).decision();
        assert_eq!((listed.status, listed.revision), (Status::Reverted, Some(1)), "{listed:?}");
        assert_eq!(listed.reason, Reason::EndedBefore(2));
        assert_eq!(listed.detail(), "it was ended before revision 2");
    }
    assert_eq!(at(1, &|s| lists(2, GateState::Ended, &[])(s)), (Status::Ended, Some(2), "none"));
    // Among those for whom the newer one is open, it takes the place of the ended one.
    let open = |s: &mut Scene| {
        s.gate = Some(Gate { ended: [1].into(), ..gate(2, GateState::Open, 10_000) });
    };
    assert_eq!(outcome(Scene::new().enrolled(1).with(open)), (Status::Applied, "move"));
    // A newer revision that this agent is too old for keeps no end from it, and a file that did not arrive brings none.
    let unknown = |s: &mut Scene| s.recipe.capabilities = vec!["later".into()];
    let old = Scene::new().enrolled(1);
    let enrolments = old.enrolments.clone();
    let mut scene = old.with(unknown).with(lists(2, GateState::Paused, &[1]));
    scene.enrolments = enrolments;
    let decision = scene.decision();
    assert_eq!((decision.status, kind(&decision.step)), (Status::Reverted, "end-revert"));
    let mut missing = Scene::new().enrolled(1).with(lists(2, GateState::Paused, &[1]));
    missing.edition.recipes = vec![RecipeEntry { bytes: Arc::default(), ..entry(&missing.recipe) }];
    let decision = missing.without_recipe();
    assert_eq!((decision.status, kind(&decision.step)), (Status::Unreadable, "none"));
}

#[test]
fn a_gate_speaks_for_its_revision_and_within_the_signed_share() {
    let with_gate = |g| outcome(Scene::new().with(|s| s.gate = Some(g)));
    assert_eq!(with_gate(gate(1, GateState::Open, 10_000)).0, Status::GateClosed);
    assert_eq!(with_gate(gate(3, GateState::Open, 10_000)).0, Status::GateClosed);
    let nobody = Scene::new().with(|s| s.recipe.rollout.max_percent = BasisPoints::NOBODY);
    assert_eq!(outcome(nobody), (Status::GateClosed, "none"));
    let few = Scene::new().with(|s| {
        s.recipe.rollout.max_percent = BasisPoints::new(1).unwrap();
        s.facts.client_id = "not among the first".into();
    });
    assert_eq!(outcome(few), (Status::NotSampled, "none"));
}

#[test]
fn an_expired_lane_gives_nothing_new_and_takes_nothing() {
    let stale = |enrolments: Vec<Enrolment>| {
        let mut scene = Scene::new();
        scene.edition.recipes = vec![RecipeEntry { lane_current: false, ..entry(&scene.recipe) }];
        scene.enrolments = enrolments;
        scene.now = day(31);
        scene.recipe.expires = day(60);
        scene.edition.recipes[0].bytes = published::write(&scene.recipe).into();
        let decision = scene.without_recipe();
        (decision.status, kind(&decision.step))
    };
    assert_eq!(stale(vec![]), (Status::LaneExpired, "none"));
    let old = Recipe { revision: 1, ..Scene::new().recipe };
    // Revision 1 expired at day 30, but the edition cannot say so.
    assert_eq!(stale(vec![enrolment(&old)]), (Status::LaneExpired, "none"));
    assert_eq!(stale(vec![enrolment(&Scene::new().recipe)]), (Status::Unchanged, "none"));
}

#[test]
fn whoever_is_enrolled_stays_whatever_would_keep_a_newcomer_out() {
    let changes: [Change; 7] = [
        |_| (),
        |s| s.consent.updates = false,
        |s| s.facts.version = "1.0".parse().unwrap(),
        |s| s.gate = None,
        |s| s.gate = Some(gate(2, GateState::Paused, 0)),
        |s| s.gate = Some(gate(2, GateState::Open, 0)),
        |s| s.edition.freshness = Freshness::Expired,
    ];
    for change in changes {
        let scene = Scene::new().with(|s| s.recipe.targeting.versions = Some(">=60".parse().unwrap()));
        assert_eq!(outcome(scene.enrolled(2).with(change)), (Status::Unchanged, "none"));
    }
}

#[test]
fn unreadable_bytes_end_nothing() {
    let mut scene = Scene::new().enrolled(1);
    scene.edition.recipes = vec![RecipeEntry { bytes: b"\xff{".as_slice().into(), ..entry(&scene.recipe) }];
    let decision = scene.without_recipe();
    assert_eq!((decision.status, decision.revision, &decision.step), (Status::Unreadable, None, &Step::None));
    assert_eq!(decision.stays, Stays::Applied(1));
    assert!(decision.detail().ends_with("revision 1 stays applied"), "{}", decision.detail());
}

#[test]
fn a_newer_revision_is_taken_like_a_new_recipe_and_the_old_one_stays_until_then() {
    let decision = Scene::new().enrolled(1).decision();
    let Step::Move { from, to } = decision.step else { panic!("{decision:?}") };
    assert_eq!((decision.status, from.revision, to.revision), (Status::Applied, 1, 2));
    let closed = Scene::new().enrolled(1).with(|s| s.gate = Some(gate(1, GateState::Open, 10_000)));
    assert_eq!(outcome(closed), (Status::GateClosed, "none"));
    // Its own gate ended revision 1.
    let ended = Scene::new().enrolled(1).with(|s| s.gate = Some(gate(1, GateState::Ended, 0)));
    let decision = ended.decision();
    assert_eq!(
        (decision.status, decision.revision, kind(&decision.step)),
        (Status::Reverted, Some(1), "end-revert")
    );
    // Revision 2's gate says nothing about revision 1.
    let other = Scene::new().enrolled(1).with(|s| s.gate = Some(gate(2, GateState::Ended, 0)));
    assert_eq!(outcome(other), (Status::Ended, "none"));
    // Nothing goes back to an older revision.
    let decision = Scene::new().enrolled(3).decision();
    assert_eq!(
        (decision.status, decision.revision, kind(&decision.step)),
        (Status::Unchanged, Some(3), "none")
    );
}

#[test]
fn withdrawal_ends_and_only_a_known_lane_can_withdraw() {
    let decision = Scene::new().enrolled(2).without_recipe();
    assert_eq!((decision.status, kind(&decision.step)), (Status::Reverted, "end-revert"));
    let keep = Scene::new().with(|s| s.recipe.on_end = OnEnd::Keep).enrolled(2).without_recipe();
    assert_eq!((keep.status, kind(&keep.step)), (Status::WithdrawnKept, "end-keep"));
    let unknown = Scene::new().enrolled(2).with(|s| {
        s.edition.lanes_known.remove(&Lane::Emergency);
    });
    let decision = unknown.without_recipe();
    assert_eq!((decision.status, kind(&decision.step)), (Status::Unchanged, "none"));
    // The people's word does not age: withdrawal holds in an expired edition too.
    let stale = Scene::new().enrolled(2).with(|s| s.edition.freshness = Freshness::Expired).without_recipe();
    assert_eq!(kind(&stale.step), "end-revert");
    let kept = Scene::new().kept(2).without_recipe();
    assert_eq!((kept.status, kind(&kept.step)), (Status::WithdrawnKept, "none"));
}

#[test]
fn an_ended_gate_ends_but_never_a_distrust() {
    let ended = |s: &mut Scene| s.gate = Some(gate(2, GateState::Ended, 0));
    assert_eq!(outcome(Scene::new().enrolled(2).with(ended)), (Status::Reverted, "end-revert"));
    let keep = Scene::new().with(|s| s.recipe.on_end = OnEnd::Keep).enrolled(2).with(ended);
    assert_eq!(outcome(keep), (Status::Ended, "end-keep"));
    let distrust = |s: &mut Scene| {
        s.recipe.action =
            DistrustCertificates { by: vec![DistrustEntry::Spki(certificates()[0].spki_sha256())] }.into();
    };
    assert_eq!(outcome(Scene::new().with(distrust).enrolled(2).with(ended)), (Status::Ended, "none"));
    assert_eq!(kind(&Scene::new().with(distrust).enrolled(2).without_recipe().step), "end-revert");
}

#[test]
fn a_hold_leaves_nothing_to_keep() {
    let hold = |s: &mut Scene| {
        s.recipe.action = HoldVerification { until: day(20) }.into();
        s.recipe.on_end = OnEnd::Keep;
    };
    let ended = |s: &mut Scene| s.gate = Some(gate(2, GateState::Ended, 0));
    assert_eq!(outcome(Scene::new().with(hold).enrolled(2).with(ended)), (Status::Reverted, "end-revert"));
}

#[test]
fn expiry_ends_only_when_the_edition_that_says_so_is_unexpired() {
    let later = |s: &mut Scene| s.now = day(30);
    assert_eq!(outcome(Scene::new().enrolled(2).with(later)), (Status::Reverted, "end-revert"));
    let jumped = Scene::new().enrolled(2).with(later).with(|s| s.edition.freshness = Freshness::Expired);
    assert_eq!(outcome(jumped), (Status::Unchanged, "none"));
    let keep = Scene::new().with(|s| s.recipe.on_end = OnEnd::Keep).enrolled(2).with(later);
    assert_eq!(outcome(keep), (Status::Expired, "end-keep"));
    let kept = Scene::new().kept(2).with(later);
    assert_eq!(outcome(kept), (Status::Expired, "none"));
    // A newer revision that this client cannot take shortens the life of what it replaces.
    let shorter = Scene::new().enrolled(1).with(|s| {
        s.recipe.expires = day(10);
        s.now = day(10);
    });
    let decision = shorter.decision();
    assert_eq!((decision.revision, kind(&decision.step)), (Some(1), "end-revert"));
    // One that it can take replaces what has expired.
    let longer = Scene::new().enrolled(1).with(later).with(|s| s.recipe.expires = day(60));
    assert_eq!(outcome(longer), (Status::Applied, "move"));
}

#[test]
fn what_ended_can_begin_again() {
    assert_eq!(outcome(Scene::new().kept(2)), (Status::Applied, "move"));
    let ended = |s: &mut Scene| s.gate = Some(gate(2, GateState::Ended, 0));
    assert_eq!(outcome(Scene::new().kept(2).with(ended)), (Status::Ended, "none"));
}

#[test]
fn decisions_stand_in_the_order_of_work() {
    let mut scene = Scene::new();
    let base = scene.recipe.clone();
    let recipe = |slug: &str, lane, action: &Action| Recipe {
        slug: slug.parse().unwrap(),
        lane,
        action: action.clone(),
        ..base.clone()
    };
    let install = base.action.clone();
    let reverify = Action::from(ReverifyAddons { which: WhichAddons::All });
    let hold = Action::from(HoldVerification { until: day(20) });
    let new = [
        recipe("a-routine", Lane::Routine, &install),
        recipe("a", Lane::Emergency, &reverify),
        recipe("b", Lane::Emergency, &hold),
        recipe("d", Lane::Emergency, &install),
        recipe("c", Lane::Emergency, &install),
        recipe("0-routine", Lane::Routine, &reverify),
    ];
    scene.edition.recipes = new.iter().map(entry).collect();
    scene.edition.gates =
        Some(Gates(new.iter().map(|r| (r.path(), gate(2, GateState::Open, 10_000))).collect()).into());
    let withdrawn = [recipe("z", Lane::Routine, &install), recipe("y", Lane::Emergency, &hold)];
    scene.enrolments = withdrawn.iter().map(enrolment).collect();
    let plan = scene.plan();
    let slugs: Vec<_> = plan.decisions.iter().map(|d| d.path.slug.as_str()).collect();
    assert_eq!(slugs, ["y", "z", "c", "d", "b", "a", "a-routine", "0-routine"]);
    scene.edition.recipes.reverse();
    scene.enrolments.reverse();
    assert_eq!(scene.plan(), plan);
}
