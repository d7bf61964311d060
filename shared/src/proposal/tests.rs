use std::sync::LazyLock;

use jiff::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::edition::test_repository::{Repository, signer};
use crate::edition::write::LaneDraft;
use crate::operators::Base64;
use crate::recipe::{Recipe, published, source};
use crate::tuf::{TrustErrorKind, Verified};

fn limits() -> Limits {
    Limits::default()
}

fn recipe(slug: &str, revision: u64, name: &str) -> Recipe {
    let toml = format!(
        "slug = {slug:?}\nrevision = {revision}\nname = {name:?}\nlane = \"emergency\"\nconsent = \"hotfix\"\n\
         action = \"reverify-addons\"\nexpires = 2027-01-01T00:00:00Z\n[arguments]\naddons = \"all\"\n\
         [rollout]\nmax_percent = 100\n"
    );
    source::read("recipe.toml", &toml, &mut |_| Err(std::io::ErrorKind::NotFound.into()), &limits()).unwrap()
}

/// What a signer verified: the emergency lane at version 2 with the recipe `a`, revision 1.
struct World {
    now: Timestamp,
    targets: Verified<Targets>,
    lane: Verified<Targets>,
    other: Verified<Targets>,
    recipes: BTreeMap<RecipePath, Result<Recipe, UnknownRecipe>>,
    gates: BTreeMap<RecipePath, crate::gates::Gate>,
}

impl World {
    fn new() -> Self {
        let mut repository = Repository::new();
        let held = recipe("a", 1, "A");
        repository.add(Lane::Emergency, "a", &published::write(&held));
        repository.publish();
        let (state, _) = repository.refresh(&repository.pinned());
        let role = |role: &str| state.trusted().targets(role).unwrap().clone();
        Self {
            now: repository.now,
            targets: role("targets"),
            lane: role("emergency"),
            other: role("routine"),
            recipes: BTreeMap::from([(held.path(), Ok(held))]),
            gates: BTreeMap::new(),
        }
    }

    fn live(&self) -> Live<'_> {
        let (targets, lane, other) = (&self.targets, &self.lane, Some(&*self.other));
        Live { targets, lane, other, recipes: &self.recipes, gates: &self.gates }
    }

    fn authority(&self) -> crate::tuf::threshold::Authority<'_> {
        self.targets.authority("emergency", "targets").unwrap()
    }

    fn propose(&self, recipes: &[Recipe], withdraw: &[&str]) -> Proposal {
        let mut draft = LaneDraft::new(Lane::Emergency, Some(&self.lane));
        let mut bytes = BTreeMap::new();
        for recipe in recipes {
            draft.add(&recipe.path(), &published::write(recipe)).unwrap();
            bytes.insert(recipe.path(), published::write(recipe));
        }
        let withdraw: Vec<Slug> = withdraw.iter().map(|slug| slug.parse().unwrap()).collect();
        withdraw.iter().for_each(|slug| draft.withdraw(slug).unwrap());
        Proposal::new(Lane::Emergency, &draft.build(self.now).unwrap(), bytes, withdraw, &limits()).unwrap()
    }

    fn signed(&self, keys: &[u8]) -> Proposal {
        let mut proposal = self.propose(&[recipe("b", 1, "B")], &[]);
        for key in keys {
            proposal.sign(self.authority(), &signer(*key)).unwrap();
        }
        proposal
    }

    fn examine(&self, proposal: &Proposal) -> Result<Examined, Unfit> {
        examine(proposal, self.live(), self.now, &limits())
    }
}

static WORLD: LazyLock<World> = LazyLock::new(World::new);

#[test]
fn signatures_change_nothing_that_is_signed_and_are_counted_by_distinct_keys() {
    let unsigned = WORLD.signed(&[]);
    let one = WORLD.signed(&[21]);
    assert_eq!(one.id(), unsigned.id());
    let signing = |proposal: &Proposal| proposal.signing(WORLD.authority(), &limits()).unwrap();
    assert_eq!((signing(&unsigned).missing(), signing(&unsigned).others.len()), (2, 3));
    assert_eq!((signing(&one).missing(), signing(&one).others.len()), (1, 2));
    let two = WORLD.signed(&[21, 23, 21]);
    assert_eq!((signing(&two).missing(), signing(&two).signed.len()), (0, 2));
    assert!(signing(&two).describe().ends_with(": enough"), "{}", signing(&two).describe());
    let mut foreign = unsigned.clone();
    let refused = foreign.sign(WORLD.authority(), &signer(31)).unwrap_err();
    assert_eq!(refused.kind, TrustErrorKind::Key);

    let published = crate::edition::write::Published {
        targets: &WORLD.targets,
        current: Some(&WORLD.lane),
        other_lanes: &[&*WORLD.other],
    };
    let verify = |proposal: &Proposal| {
        let bytes = proposal.metadata();
        crate::edition::write::verify_lane(published, Lane::Emergency, &bytes, &[], WORLD.now, &limits())
            .map(|change| change.metadata.signed_by().len())
            .map_err(|error| error.kind)
    };
    assert_eq!(verify(&one), Err(TrustErrorKind::Threshold));
    assert_eq!(verify(&two), Ok(2));
    assert_eq!(id_of_metadata(&two.metadata(), &limits()), Ok(unsigned.id()));
}

#[test]
fn what_changes_is_told_from_the_bytes_and_what_cannot_be_published_is_refused() {
    let changed = WORLD.propose(&[recipe("a", 2, "A2"), recipe("b", 1, "B")], &[]);
    let text = WORLD.examine(&changed).unwrap().describe(WORLD.live(), WORLD.now);
    for line in [
        "Lane emergency, version 2 to 3; signed until 2026-08-02T00:00:00Z (in 90 days).",
        "changed    emergency/a.json revision 1 to 2\n",
        "new        emergency/b.json revision 1",
        "- name       A",
        "+ name       A2",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    let withdrawn = WORLD.propose(&[], &["a"]);
    let text = WORLD.examine(&withdrawn).unwrap().describe(WORLD.live(), WORLD.now);
    assert!(text.contains("withdrawn  emergency/a.json\nthen       nothing is left to undo"), "{text}");

    let refused = |proposal: &Proposal| WORLD.examine(proposal).unwrap_err().to_string();
    let mut other_bytes = changed.clone();
    other_bytes
        .recipes
        .insert("emergency/b.json".parse().unwrap(), published::write(&recipe("b", 1, "harmless")));
    assert!(refused(&other_bytes).contains("not those that would be signed"), "{}", refused(&other_bytes));
    let mut without = changed.clone();
    without.recipes.clear();
    assert!(refused(&without).contains("nobody can know what it does"), "{}", refused(&without));
    let mut stray = withdrawn.clone();
    stray.recipes.insert("emergency/x.json".parse().unwrap(), b"{}".to_vec());
    assert!(refused(&stray).contains("does not list it"), "{}", refused(&stray));
    let same = WORLD.propose(&[recipe("a", 1, "other")], &[]);
    assert!(refused(&same).contains("revision 1 is published with other content"), "{}", refused(&same));
    let mut undeclared = withdrawn.clone();
    undeclared.withdraw.clear();
    assert!(refused(&undeclared).contains("it would disappear"), "{}", refused(&undeclared));
    let mut behind = WORLD.propose(&[recipe("b", 1, "B")], &[]);
    behind.body.version = 2;
    assert!(matches!(WORLD.examine(&behind), Err(Unfit::Overtaken { live: 2, .. })));
    behind.body.version = 4;
    assert!(matches!(WORLD.examine(&behind), Err(Unfit::Metadata(_))));
}

#[test]
fn two_proposals_are_not_two_copies_of_one() {
    let (one, other) = (WORLD.signed(&[21]), WORLD.propose(&[recipe("b", 2, "B")], &[]));
    let refused = one.merged(&other, WORLD.authority(), &limits()).unwrap_err();
    assert!(matches!(refused, ProposalError::Different { .. }), "{refused}");
}

#[test]
fn documents_are_strict_bounded_and_of_a_known_role() {
    let proposal = WORLD.signed(&[21]);
    let file = proposal.write().unwrap();
    assert_eq!(Proposal::read(&file, &limits()).unwrap(), proposal);
    let with_base = proposal.clone().on(b"bundle".to_vec());
    assert_eq!(Proposal::read(&with_base.write().unwrap(), &limits()).unwrap(), with_base);
    assert_eq!(with_base.without_base(), proposal);

    let text = String::from_utf8(file).unwrap();
    let read = |text: &str| Proposal::read(text.as_bytes(), &limits()).unwrap_err();
    assert_eq!(read(&text.replacen("\"format\":1", "\"format\":3", 1)), ProposalError::Newer { found: 3 });
    for role in ["root", "targets"] {
        let refused = read(&text.replacen("\"emergency\"", &format!("{role:?}"), 1));
        assert!(matches!(refused, ProposalError::OtherRole { .. }), "{refused}");
        assert!(refused.to_string().contains(&format!("for the role {role}")), "{refused}");
    }
    for (from, to) in [
        ("\"format\":1,", ""),
        ("\"format\":1", "\"format\":1,\"format\":1"),
        ("\"format\":1", "\"format\":1,\"more\":1"),
        ("\"format\":1", "\"format\":0,\"failed_preflights\":[{}]"),
        ("\"emergency\"", "\"gates\""),
        ("emergency/b.json", "emergency/B.json"),
        ("\"withdraw\":[]", "\"withdraw\":[\"x\",\"x\"]"),
        ("\"metadata\":\"", "\"metadata\":\"!"),
    ] {
        assert!(text.contains(from), "{from}");
        let refused = read(&text.replacen(from, to, 1));
        assert!(matches!(refused, ProposalError::Malformed(_)), "{from}: {refused}");
    }
    let mut small = limits();
    small.proposal.bytes = 100;
    assert!(matches!(
        Proposal::read(text.as_bytes(), &small),
        Err(ProposalError::TooLarge { limit: 100, .. })
    ));
    small.proposal.file_bytes = 10;
    assert!(matches!(
        Proposal::read(text.as_bytes(), &small),
        Err(ProposalError::TooLarge { limit: 10, .. })
    ));
    let mut twice = proposal.document();
    let metadata = String::from_utf8(twice.metadata.0).unwrap();
    let end = metadata.find("],\"signed\"").unwrap();
    let one = &metadata["{\"signatures\":[".len()..end];
    twice.metadata = Base64(metadata.replacen(one, &format!("{one},{one}"), 1).into_bytes());
    assert!(Proposal::from_document(twice, &limits()).unwrap_err().to_string().contains("appears twice"));
}

#[test]
fn a_failed_preflight_goes_with_the_proposal_and_makes_no_other() {
    let plain = WORLD.signed(&[21]);
    let one = |reason: &str| FailedPreflight {
        path: "emergency/b.json".parse().unwrap(),
        failed: "2026-11-22T12:00:00Z".parse().unwrap(),
        reason: reason.to_owned(),
    };
    let failed = plain.clone().despite(vec![one("the bench lacks them")]);
    assert_eq!(failed.id(), plain.id(), "it is not signed");
    assert_eq!((plain.document().format, failed.document().format), (1, 2));
    let read = Proposal::read(&failed.write().unwrap(), &limits()).unwrap();
    assert_eq!(read.failed_preflights(), failed.failed_preflights());
    let merged = failed.merged(&plain, WORLD.authority(), &limits()).unwrap();
    assert_eq!(merged.failed_preflights(), failed.failed_preflights());
    for bad in [vec![one("a\nb")], vec![one("")], vec![one("x"); 9]] {
        let written = plain.clone().despite(bad).write().unwrap();
        assert!(matches!(Proposal::read(&written, &limits()), Err(ProposalError::FailedPreflights(_))));
    }
    let as_before =
        String::from_utf8(failed.write().unwrap()).unwrap().replacen("\"format\":2", "\"format\":1", 1);
    assert!(matches!(
        Proposal::read(as_before.as_bytes(), &limits()),
        Err(ProposalError::FailedPreflights(_))
    ));
}

/// Copies of one proposal with some genuine signatures and some that are not.
fn copy() -> impl Strategy<Value = Proposal> {
    let keys = prop::collection::vec((21_u8..24, any::<bool>()), 0..5);
    keys.prop_map(|keys| {
        let mut proposal = WORLD.signed(&[]);
        for (key, genuine) in keys {
            let signature = proposal.sign(WORLD.authority(), &signer(key)).unwrap();
            if !genuine {
                let false_one = Signature { sig: "00".repeat(64), ..signature };
                proposal.signatures.insert(false_one.keyid.clone(), false_one);
            }
        }
        proposal
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn merging_is_commutative_associative_and_idempotent(a in copy(), b in copy(), c in copy()) {
        let merge = |a: &Proposal, b: &Proposal| a.merged(b, WORLD.authority(), &limits()).unwrap();
        let ab = merge(&a, &b);
        prop_assert_eq!(&ab, &merge(&b, &a));
        prop_assert_eq!(merge(&ab, &c), merge(&a, &merge(&b, &c)));
        prop_assert_eq!(&merge(&ab, &ab), &ab);
        prop_assert_eq!(&merge(&ab, &a), &ab);
        prop_assert_eq!(ab.signatures.len(), ab.counted(WORLD.authority(), &limits()).unwrap().len());
        let counted = |one: &Proposal| one.counted(WORLD.authority(), &limits()).unwrap();
        for held in counted(&a).iter().chain(&counted(&b)) {
            prop_assert!(ab.signatures.contains_key(&held.keyid));
        }
    }

    #[test]
    fn a_changed_byte_of_what_is_signed_voids_every_signature(at in any::<prop::sample::Index>(), flip in 1_u8..=255) {
        let proposal = WORLD.signed(&[21, 22]);
        let mut metadata = proposal.metadata();
        let start = metadata.windows(9).position(|w| w == b"\"signed\":").unwrap() + 9;
        let at = start + at.index(metadata.len() - 1 - start);
        metadata[at] ^= flip;
        let recipes = proposal.recipes().clone();
        let Ok(changed) = Proposal::of_parts(Lane::Emergency, &metadata, recipes, BTreeSet::new(), &limits()) else {
            return Ok(());
        };
        if changed.id() == proposal.id() {
            prop_assert_eq!(&changed.canonical, &proposal.canonical);
        } else {
            prop_assert_eq!(changed.counted(WORLD.authority(), &limits()).unwrap(), vec![]);
            prop_assert_eq!(changed.broken(WORLD.authority(), &limits()).unwrap().len(), 2);
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(Proposal::read(&bytes, &limits()).is_err());
    }
}
