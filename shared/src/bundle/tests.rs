use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::*;
use crate::decide::Freshness;
use crate::edition::test_repository::Repository;
use crate::edition::{OnlineRole, TrustState, Waiver};
use crate::gates::GateState;
use crate::limits::Limits;
use crate::recipe::Lane;
use crate::tuf::{Outcome, TrustErrorKind as Kind};

const GATES: &[u8] = br#"{"gates":{"emergency/fix.json":{"percent":10000,"reason":"go","revision":1,"since":"2026-05-04T00:00:00Z","state":"open"}},"schema_version":1}"#;

fn limits() -> Limits {
    Limits::default()
}

fn bounds() -> BundleLimits {
    BundleLimits::default()
}

fn repository() -> Repository {
    let mut repository = Repository::new();
    repository.add(Lane::Emergency, "fix", b"fix one");
    repository.add(Lane::Routine, "chore", b"chore one");
    repository.gates = GATES.to_vec();
    repository.publish();
    repository
}

fn bundle(repository: &Repository) -> Bundle {
    Bundle::new(repository.origin.clone(), &bounds()).unwrap()
}

fn take(bundle: &Bundle, state: &TrustState, now: Timestamp, waiver: &Waiver) -> Result<TrustState, Unfit> {
    bundle.take(state, now, waiver, &limits()).map(|(state, _)| state)
}

fn days(repository: &Repository, days: i64) -> Timestamp {
    repository.now + SignedDuration::from_hours(24 * days)
}

fn everything() -> Waiver {
    Waiver::of(OnlineRole::ALL)
}

fn recipes(state: &TrustState) -> BTreeSet<String> {
    let edition = state.edition(&limits()).unwrap();
    let all = edition.lanes.values().flat_map(|lane| &lane.recipes);
    all.filter(|recipe| recipe.content.is_ok()).map(|recipe| recipe.path.to_string()).collect()
}

#[track_caller]
fn refused(result: Result<TrustState, Unfit>, subject: &str) -> Kind {
    match result {
        Err(Unfit::Refused(error)) if error.subject == subject => error.kind,
        other => panic!("{subject}: {other:?}"),
    }
}

/// With its digest put right: what somebody does who changes a bundle on purpose.
fn reseal(mut file: Vec<u8>) -> Vec<u8> {
    file.truncate(file.len() - SEAL_BYTES);
    let seal = seal_of(&file);
    file.extend_from_slice(seal.as_bytes());
    file
}

#[test]
fn the_format_is_the_one_that_is_documented() {
    let entries = [("targets/gates.json", "{}"), ("metadata/1.root.json", "root\n")];
    let entries = entries.map(|(path, content)| (path.to_owned(), content.as_bytes().to_vec()));
    let bundle = Bundle::new(BTreeMap::from(entries), &bounds()).unwrap();
    let body = "mulberry-bundle 1\n5 metadata/1.root.json\nroot\n\n2 targets/gates.json\n{}\n";
    let file = format!("{body}sha256 {}\n", Sha256Digest::of(body.as_bytes()));
    assert_eq!(String::from_utf8(bundle.write()).unwrap(), file);
    assert_eq!(Bundle::read(file.as_bytes(), &bounds()), Ok(bundle));
}

#[test]
fn the_example_in_the_documents_is_a_bundle() {
    let text = include_str!("../../docs/formats.md");
    let (_, example) = text.split_once("```mulberry-bundle\n").unwrap();
    let (example, _) = example.split_once("```").unwrap();
    let bundle = Bundle::read(example.as_bytes(), &bounds()).unwrap();
    assert_eq!(
        bundle.entries().keys().collect::<Vec<_>>(),
        ["metadata/1.root.json", "metadata/timestamp.json"]
    );
    let BundleLimits { bytes, entries, path_bytes } = bounds();
    assert_eq!((bytes, entries, path_bytes), (64 << 20, 4096, 200), "the documents state them");
}

#[test]
fn other_files_and_newer_formats_are_told_apart_from_damage() {
    let file = Bundle::default().write();
    assert_eq!(Bundle::read(&file, &bounds()), Ok(Bundle::default()));
    for other in ["", "mulberry", "mulberry-bundle 01\n", "mulberry-bundle 0\n", "mulberry-bundle 1", "PK"] {
        assert_eq!(Bundle::read(other.as_bytes(), &bounds()), Err(BundleError::NotABundle), "{other}");
    }
    let newer = b"mulberry-bundle 2\nwhatever comes then";
    let error = Bundle::read(newer, &bounds()).unwrap_err();
    assert_eq!(error, BundleError::Newer { found: 2 });
    assert!(error.to_string().contains("use a newer one"));
    assert_eq!(Bundle::read(b"mulberry-bundle 1\n", &bounds()), Err(BundleError::Damaged));
}

#[test]
fn what_the_writer_does_not_write_is_refused() {
    for (body, problem) in [
        ("1 metadata/b.json\n1\n1 metadata/a.json\n1\n", "not behind"),
        ("1 metadata/a.json\n1\n1 metadata/a.json\n1\n", "not behind"),
        ("01 metadata/a.json\n1\n", "no plain number"),
        ("+1 metadata/a.json\n1\n", "no plain number"),
        (" metadata/a.json\n1\n", "no plain number"),
        ("99999999999999999999 metadata/a.json\n1\n", "no plain number"),
        ("2 metadata/a.json\n1\n", "longer than it says"),
        ("3 metadata/a.json\n1\n", "shorter than it says"),
        ("1 metadata/a.json\n11\n", "longer than it says"),
        ("1 metadata/a.json", "no end"),
        ("metadata/a.json\n", "no length and a path"),
        ("1 metadata/../a.json\n1\n", "none of a repository"),
        ("1 metadata/.a.json\n1\n", "none of a repository"),
        ("1 metadata/a b.json\n1\n", "none of a repository"),
        ("1 metadata/x/a.json\n1\n", "none of a repository"),
        ("1 targets/x/y/a.json\n1\n", "none of a repository"),
        ("1 targets/x/a.txt\n1\n", "none of a repository"),
        ("1 /metadata/a.json\n1\n", "not below"),
        ("1 a.json\n1\n", "not below"),
        ("junk\n", "no length and a path"),
    ] {
        let sealed = format!("mulberry-bundle 1\n{body}");
        let file = format!("{sealed}{}", seal_of(sealed.as_bytes()));
        let error = Bundle::read(file.as_bytes(), &bounds()).unwrap_err().to_string();
        assert!(error.contains(problem), "{body:?}: {error}");
    }
}

#[test]
fn ceilings_hold_on_both_sides() {
    let bundle = bundle(&repository());
    let file = bundle.write();
    assert_eq!(bundle.size(), file.len());
    let exact = BundleLimits { bytes: file.len(), entries: bundle.entries().len(), ..bounds() };
    assert_eq!(Bundle::read(&file, &exact).as_ref(), Ok(&bundle));
    for few in [
        BundleLimits { bytes: file.len() - 1, ..exact.clone() },
        BundleLimits { entries: bundle.entries().len() - 1, ..exact.clone() },
        BundleLimits { path_bytes: 30, ..exact.clone() },
    ] {
        assert!(Bundle::read(&file, &few).is_err());
        assert!(Bundle::new(bundle.entries().clone(), &few).is_err());
    }
}

#[test]
fn a_fresh_client_gets_the_whole_edition_also_over_many_roots() {
    let mut repository = repository();
    repository.rotate(&[("timestamp", &[53]), ("snapshot", &[52])]);
    repository.rotate(&[("root", &[4, 5, 6])]);
    repository.publish();
    let bundle = bundle(&repository);
    let state = take(&bundle, &repository.pinned(), repository.now, &Waiver::NONE).unwrap();
    assert_eq!(state, repository.refresh(&repository.pinned()).0);
    assert_eq!(recipes(&state).len(), 2);
    assert_eq!(take(&bundle, &state, repository.now, &Waiver::NONE), Ok(state), "once more");
    // Without the whole chain it is refused by who needs it.
    let mut entries = bundle.entries().clone();
    entries.remove("metadata/2.root.json");
    let gap = Bundle::new(entries, &bounds()).unwrap();
    assert_eq!(
        refused(take(&gap, &repository.pinned(), repository.now, &Waiver::NONE), "timestamp"),
        Kind::Threshold
    );
}

#[test]
fn an_expired_bundle_is_taken_only_with_each_waiver_named() {
    let repository = repository();
    let bundle = bundle(&repository);
    let now = days(&repository, 8);
    let fresh = repository.pinned();
    let error = take(&bundle, &fresh, now, &Waiver::NONE).unwrap_err();
    let sentence = error.to_string();
    for part in [
        "its timestamp expired at 2026-05-05T00:00:00Z",
        "its gates",
        "--waive-expiry timestamp,snapshot,gates",
    ] {
        assert!(sentence.contains(part), "{sentence}");
    }
    for role in OnlineRole::ALL {
        let others = Waiver::of(OnlineRole::ALL.into_iter().filter(|other| *other != role));
        assert!(matches!(take(&bundle, &fresh, now, &others), Err(Unfit::Expired(_))), "{role}");
    }
    let state = take(&bundle, &fresh, now, &everything()).unwrap();
    assert_eq!(recipes(&state).len(), 2);
    let edition = state.edition(&limits()).unwrap();
    // Its gates count for whoever names the waiver, and for nobody else; and it never vouches for the date.
    let view = edition.view_waiving(now, &everything());
    assert_eq!(view.freshness, Freshness::Waived);
    assert!(view.gates.is_some_and(|gates| gates.gates.0.values().all(|gate| gate.state == GateState::Open)));
    assert!(view.recipes.iter().all(|entry| entry.lane_current));
    let view = edition.view(now);
    assert_eq!((view.freshness, view.gates), (Freshness::Expired, None));
    let only_gates = edition.view_waiving(now, &Waiver::of([OnlineRole::Gates]));
    assert_eq!((only_gates.freshness, only_gates.gates), (Freshness::Expired, None));
    // A waiver that was not needed changes nothing.
    let state = take(&bundle, &fresh, repository.now, &everything()).unwrap();
    let edition = state.edition(&limits()).unwrap();
    assert_eq!(edition.waived(repository.now, &everything()).count(), 0);
    assert_eq!(edition.view_waiving(repository.now, &everything()), edition.view(repository.now));
}

#[test]
fn what_people_signed_expires_whatever_is_waived() {
    let repository = repository();
    let bundle = bundle(&repository);
    // A lane: the edition is taken, and nothing new is taken from the lane.
    let now = days(&repository, 91);
    let (state, report) = bundle.take(&repository.pinned(), now, &everything(), &limits()).unwrap();
    assert_eq!(report.outcome(), Outcome::Stale);
    assert!(recipes(&state).is_empty());
    let (held, _) = repository.refresh(&repository.pinned());
    let view = take(&bundle, &held, now, &everything())
        .unwrap()
        .edition(&limits())
        .unwrap()
        .view_waiving(now, &everything());
    assert!(view.recipes.len() == 2 && view.recipes.iter().all(|entry| !entry.lane_current));
    // Targets and root: nothing at all.
    let now = days(&repository, 366);
    let result = take(&bundle, &repository.pinned(), now, &everything());
    assert!(result.as_ref().unwrap_err().to_string().contains("root: version 1 expired at"), "{result:?}");
    assert_eq!(refused(result, "root"), Kind::Expired);
    assert_eq!(refused(take(&bundle, &repository.pinned(), now, &Waiver::NONE), "root"), Kind::Expired);
    let mut renewed = repository.clone();
    renewed.now = days(&repository, 200);
    renewed.rotate(&[]);
    renewed.publish();
    let bundle = Bundle::new(renewed.origin.clone(), &bounds()).unwrap();
    assert_eq!(refused(take(&bundle, &repository.pinned(), now, &everything()), "targets"), Kind::Expired);
}

#[test]
fn rollback_floors_hold_whatever_is_waived() {
    let old = repository();
    let mut repository = old.clone();
    repository.add(Lane::Emergency, "more", b"more");
    repository.publish();
    let (held, _) = repository.refresh(&repository.pinned());
    for waiver in [Waiver::NONE, everything()] {
        for now in [old.now, days(&old, 8)] {
            let error = take(&bundle(&old), &held, now, &waiver).unwrap_err();
            assert!(matches!(&error, Unfit::Older(_)), "{error:?}");
            assert!(error.to_string().contains("older than what is held"), "{error}");
        }
    }
    // A thief of the server's keys, after a rotation, lists the lane as it was before.
    let mut thief = repository.clone();
    thief.rotate(&[("snapshot", &[52]), ("timestamp", &[53])]);
    let (version, bytes) = old.listed["emergency"].clone();
    thief.put_role_bytes("emergency", version, bytes);
    thief.publish();
    assert_eq!(refused(take(&bundle(&thief), &held, thief.now, &everything()), "emergency"), Kind::Rollback);
    // A bundle from before that rotation is signed with keys that no longer count.
    let (held, _) = thief.refresh(&held);
    assert!(matches!(take(&bundle(&old), &held, old.now, &everything()), Err(Unfit::Older(_))));
}

#[test]
fn what_is_missing_or_changed_is_refused_whole_and_one_lane_s_own_fault_is_not() {
    let repository = repository();
    let whole = bundle(&repository);
    let mut asked = Vec::new();
    repository.refresh_with(&repository.pinned(), &limits(), |path, reply| {
        asked.extend((reply != crate::tuf::Reply::Absent).then(|| path.to_owned()));
        reply
    });
    assert_eq!(asked.len(), 9, "{asked:?}");
    for path in &asked {
        let (mut without, mut changed, mut longer) =
            (whole.entries().clone(), whole.entries().clone(), whole.entries().clone());
        without.remove(path);
        let content = changed.get_mut(path).unwrap();
        let last = content.len() - 2;
        content[last] ^= 1;
        longer.get_mut(path).unwrap().extend([b' '; 20_000]);
        for entries in [without, changed, longer] {
            let bundle = Bundle::new(entries, &bounds()).unwrap();
            let result = take(&bundle, &repository.pinned(), repository.now, &everything());
            assert!(matches!(result, Err(Unfit::Refused(_))), "{path}: {result:?}");
        }
    }
    let mut revoked = repository.clone();
    revoked.redelegate(&[("routine", &[71, 72, 73])]);
    revoked.publish();
    let taken = bundle(&revoked).take(&revoked.pinned(), revoked.now, &Waiver::NONE, &limits());
    let (state, report) = taken.unwrap();
    assert_eq!(report.outcome(), Outcome::Refused);
    assert_eq!(recipes(&state), BTreeSet::from(["emergency/fix.json".to_owned()]));
}

#[test]
fn after_an_import_the_next_refresh_goes_on_as_ever() {
    let mut repository = repository();
    let now = days(&repository, 8);
    let held = take(&bundle(&repository), &repository.pinned(), now, &everything()).unwrap();
    // The origin has nothing newer: it is stale, and what is held stays.
    let old = repository.clone();
    repository.now = now;
    let (after, report) = repository.refresh(&held);
    assert_eq!((report.outcome(), &after), (Outcome::Stale, &held));
    // It has.
    repository.publish();
    let (after, report) = repository.refresh(&held);
    assert_eq!(report.outcome(), Outcome::Current, "{report:#?}");
    assert_eq!(recipes(&after), recipes(&held));
    assert!(matches!(take(&bundle(&old), &after, now, &everything()), Err(Unfit::Older(_))));
}

fn some_entries() -> impl Strategy<Value = BTreeMap<String, Vec<u8>>> {
    let path = prop_oneof![
        "metadata/[a-z0-9][a-z0-9.-]{0,20}\\.json",
        "targets/([a-z]{1,9}/)?[a-z0-9]{1,30}\\.json"
    ];
    prop::collection::btree_map(path, prop::collection::vec(any::<u8>(), 0..60), 0..8)
}

proptest! {
    #[test]
    fn what_is_written_is_read(entries in some_entries()) {
        let bundle = Bundle::new(entries.clone(), &bounds()).unwrap();
        let file = bundle.write();
        prop_assert_eq!(Bundle::read(&file, &bounds()), Ok(bundle.clone()));
        prop_assert_eq!(bundle.entries(), &entries);
    }

    #[test]
    fn what_is_read_is_what_would_be_written(
        entries in some_entries(),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        how in 0..3_u8,
    ) {
        let mut file = Bundle::new(entries, &bounds()).unwrap().write();
        let at = at.index(file.len() - SEAL_BYTES);
        match how {
            0 => file[at] ^= byte,
            1 => file.insert(at, byte),
            _ => drop(file.remove(at)),
        }
        let file = reseal(file);
        if let Ok(bundle) = Bundle::read(&file, &bounds()) {
            prop_assert_eq!(bundle.write(), file);
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = Bundle::read(&bytes, &bounds());
        let _ = Bundle::read(&[MAGIC.as_bytes(), b"1\n", &bytes].concat(), &bounds());
    }
}

/// The file, and what an honest client makes of it.
struct Sample {
    file: Vec<u8>,
    pinned: TrustState,
    honest: TrustState,
    now: Timestamp,
}

static SAMPLE: std::sync::LazyLock<Sample> = std::sync::LazyLock::new(|| {
    let repository = repository();
    let (file, pinned) = (bundle(&repository).write(), repository.pinned());
    let honest = repository.refresh(&pinned).0;
    Sample { file, pinned, honest, now: repository.now }
});

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn every_truncation_and_every_flipped_bit_is_refused_by_the_reader(
        at in any::<prop::sample::Index>(), bit in 0..8_u8
    ) {
        let mut file = SAMPLE.file.clone();
        let at = at.index(file.len());
        prop_assert!(Bundle::read(&file[..at], &bounds()).is_err());
        file[at] ^= 1 << bit;
        prop_assert!(Bundle::read(&file, &bounds()).is_err());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn with_the_digest_put_right_it_is_refused_or_says_what_was_signed(
        at in any::<prop::sample::Index>(), bit in 0..8_u8
    ) {
        let mut file = SAMPLE.file.clone();
        let at = at.index(file.len());
        file[at] ^= 1 << bit;
        let Ok(bundle) = Bundle::read(&reseal(file), &bounds()) else { return Ok(()) };
        if let Ok(state) = take(&bundle, &SAMPLE.pinned, SAMPLE.now, &everything()) {
            prop_assert_eq!(state.edition(&limits()), SAMPLE.honest.edition(&limits()));
        }
    }
}
