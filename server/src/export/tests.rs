use std::sync::Arc;

use jiff::Timestamp;
use mulberry_shared::ledger::export::{ExportError, ExportReader, MAX_HEADER_BYTES, MAX_LINE_BYTES};
use mulberry_shared::limits::Limits;
use proptest::prelude::*;

use super::source::Exporter;
use crate::ledger::{Ledger, LedgerError};
use crate::services::core::fold;
use crate::store::memory::MemoryStore;
use crate::store::{MAX_READ, Store as _};
use crate::test_support::{Parts, Proposal, actor, gate, key, path, start};
use mulberry_shared::operators::{DropRequest, ProposalRequest, PublishRequest, SignatureRequest};
use mulberry_shared::proposal::{Document, Role};

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// A ledger with publishes, a withdrawal and gates, made by the services themselves.
pub(crate) async fn lived_in() -> Arc<MemoryStore> {
    use mulberry_shared::operators::GateState;
    use mulberry_shared::recipe::Lane;
    let parts = Parts::initialised(MemoryStore::new()).await;
    let core = parts.open().await.unwrap();
    let publish = async |lane, recipes: &[(&str, u64)], withdraw: &[&str]| {
        let proposal = Proposal::new(&core.served().state, lane, recipes, withdraw);
        core.publish(actor("mei"), lane, proposal.request()).await.unwrap();
    };
    publish(Lane::Emergency, &[("emergency/a.json", 1), ("emergency/b.json", 1)], &[]).await;
    let open = gate(1, GateState::Open, Some(2_500));
    core.set_gate(actor("tom"), path("emergency/a.json"), open).await.unwrap();
    publish(Lane::Routine, &[("routine/c.json", 7)], &[]).await;
    publish(Lane::Emergency, &[("emergency/b.json", 2)], &["a"]).await;
    // A proposal that waits, one that was given up, and one more signature than the first had.
    let mut ids = Vec::new();
    for (path, keys) in [("routine/d.json", vec![]), ("routine/e.json", vec![31])] {
        let mut made = Proposal::new(&core.served().state, Lane::Routine, &[(path, 1)], &[]);
        made.keys = keys;
        let PublishRequest { metadata, recipes, withdraw } = made.request();
        let proposal = Document {
            format: 1,
            role: Role::Routine,
            metadata,
            recipes,
            withdraw,
            failed_preflights: vec![],
            base: None,
        };
        let request = ProposalRequest { proposal, replaces: None };
        ids.push(core.propose(actor("mei"), request).await.unwrap().id);
    }
    let state = core.served().state.clone();
    let mut waiting = (*state.proposals.get(&ids[0]).unwrap().proposal).clone();
    let authority = state.targets.authority("routine", "targets").unwrap();
    let signature = waiting.sign(authority, &key(32)).unwrap();
    let request = SignatureRequest { keyid: signature.keyid.0, sig: signature.sig };
    core.sign_proposal(actor("tom"), ids[0].to_string(), request).await.unwrap();
    let reason = DropRequest { reason: "a typo".to_owned() };
    core.drop_proposal(actor("tom"), ids[1].to_string(), reason).await.unwrap();
    let left = core.proposals().unwrap().proposals;
    assert_eq!((left.len(), left[0].signed.len()), (1, 1));
    parts.store
}

pub(crate) async fn export(store: &Arc<MemoryStore>) -> Vec<u8> {
    let ledger = Ledger::open::<LedgerError>(store.clone(), |_, _| Ok(())).await.unwrap();
    let mut exporter = Exporter::new(store.clone(), ledger.head());
    let mut bytes = Vec::new();
    while let Some(lines) = exporter.next_lines().await.unwrap() {
        bytes.extend(lines);
    }
    bytes
}

/// Everything in it, or the first flaw.
fn read(bytes: &[u8]) -> Result<Vec<Vec<u8>>, ExportError> {
    let mut reader = ExportReader::open(bytes)?;
    let mut entries = Vec::new();
    while let Some((_, entry)) = reader.next_event()? {
        entries.push(entry);
    }
    Ok(entries)
}

fn lines(bytes: &[u8]) -> Vec<Vec<u8>> {
    bytes.split_inclusive(|b| *b == b'\n').map(<[u8]>::to_vec).collect()
}

thread_local! {
    static EXPORT: Vec<u8> = block_on(async { export(&lived_in().await).await });
}

#[tokio::test]
async fn what_is_read_back_is_the_ledger_itself() {
    let store = lived_in().await;
    let bytes = export(&store).await;
    let entries = read(&bytes).unwrap();
    assert_eq!(entries, store.records());
    let copy = Arc::new(MemoryStore::holding(entries));
    assert_eq!(export(&copy).await, bytes);
    let (_, state, heads) = fold(copy, &Limits::default()).await.unwrap();
    let (_, original, _) = fold(store, &Limits::default()).await.unwrap();
    assert_eq!(state, original);
    let reader = ExportReader::open(bytes.as_slice()).unwrap();
    assert_eq!((reader.header().events, reader.header().ledger), (9, heads[0].head));
}

#[tokio::test]
async fn an_export_is_a_prefix_while_events_are_appended() {
    let store = lived_in().await;
    let before = export(&store).await;
    let mut ledger = Ledger::open::<LedgerError>(store.clone(), |_, _| Ok(())).await.unwrap();
    let mut exporter = Exporter::new(store.clone(), ledger.head());
    let event = crate::test_support::initialised();
    ledger.append(Timestamp::UNIX_EPOCH, &actor("later"), event).await.unwrap();
    let mut bytes = Vec::new();
    while let Some(lines) = exporter.next_lines().await.unwrap() {
        bytes.extend(lines);
    }
    assert_eq!(bytes, before);
}

#[tokio::test]
async fn a_ledger_of_many_pages_is_exported_whole() {
    let store = Arc::new(MemoryStore::new());
    let mut ledger = Ledger::open::<LedgerError>(store.clone(), |_, _| Ok(())).await.unwrap();
    let event = crate::event::Event::GateSet {
        path: path("emergency/a.json"),
        gate: serde_json::from_str(
            r#"{"revision":1,"state":"open","percent":1,"reason":"r","since":"2026-01-01T00:00:00Z"}"#,
        )
        .unwrap(),
    };
    for _ in 0..MAX_READ + 3 {
        ledger.append(start(), &actor("mei"), event.clone()).await.unwrap();
    }
    assert_eq!(read(&export(&store).await).unwrap().len(), MAX_READ + 3);
    assert_eq!(store.read(1).await.unwrap().len(), MAX_READ);
}

#[test]
fn each_flaw_is_named_at_its_event() {
    let whole = EXPORT.with(Clone::clone);
    let lines = lines(&whole);
    type Case = (Vec<Vec<u8>>, Option<u64>, &'static str);
    let cases: [Case; 8] = [
        (vec![], None, "line 1 is missing"),
        (lines[1..].to_vec(), None, "line 1"),
        (lines[..4].to_vec(), Some(4), "is missing: the first line names"),
        ([&lines[..], &lines[9..]].concat(), Some(10), "names only 9"),
        ([&lines[..2], &lines[3..]].concat(), Some(2), "calls itself event 3"),
        ([&lines[..3], &lines[2..]].concat(), Some(3), "calls itself event 2"),
        (vec![lines[0].clone(), b"{}\n".to_vec()], Some(1), "does not stand on a line"),
        (vec![lines[0].clone(), vec![b' '; MAX_LINE_BYTES + 1]], Some(1), "has more than"),
    ];
    for (lines, sequence, why) in cases {
        let error = read(&lines.concat()).unwrap_err();
        assert_eq!(error.sequence(), sequence, "{error}");
        assert!(error.to_string().contains(why), "{error} should say {why:?}");
    }
    let newer = [br#"{"kind":"mulberry-ledger-export","format":2,"what":"ever"}"#.as_slice(), b"\n"].concat();
    assert!(matches!(read(&newer), Err(ExportError::NewerFormat(2))));
    let long = [vec![b'a'; MAX_HEADER_BYTES], whole].concat();
    assert!(read(&long).unwrap_err().to_string().contains("more than 1024 bytes"));
}

#[test]
fn any_changed_byte_of_the_first_line_is_refused() {
    let whole = EXPORT.with(Clone::clone);
    for at in 0..lines(&whole)[0].len() {
        for flip in [1, 2, 0x20] {
            let mut bytes = whole.clone();
            bytes[at] ^= flip;
            assert!(read(&bytes).is_err(), "byte {at} of {:?}", String::from_utf8_lossy(&lines(&bytes)[0]));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_changed_byte_is_refused(at in any::<prop::sample::Index>(), flip in 1_u8..=255) {
        let mut bytes = EXPORT.with(Clone::clone);
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        prop_assert!(read(&bytes).is_err(), "byte {at}");
    }

    #[test]
    fn any_inserted_or_removed_byte_is_refused(at in any::<prop::sample::Index>(), insert in any::<Option<u8>>()) {
        let whole = EXPORT.with(Clone::clone);
        let mut bytes = whole.clone();
        let at = at.index(bytes.len());
        match insert {
            Some(byte) => bytes.insert(at, byte),
            None => drop(bytes.remove(at)),
        }
        prop_assume!(bytes != whole);
        prop_assert!(read(&bytes).is_err(), "byte {at}");
    }

    #[test]
    fn any_cut_is_refused(at in any::<prop::sample::Index>()) {
        let bytes = EXPORT.with(Clone::clone);
        prop_assert!(read(&bytes[..at.index(bytes.len())]).is_err());
    }

    #[test]
    fn any_removed_doubled_or_moved_line_is_refused(
        from in any::<prop::sample::Index>(), to in any::<prop::sample::Index>(), how in 0_u8..3,
    ) {
        let mut lines = lines(&EXPORT.with(Clone::clone));
        let whole = lines.clone();
        let (from, to) = (from.index(lines.len()), to.index(lines.len()));
        match how {
            0 => drop(lines.remove(from)),
            1 => lines.insert(to, lines[from].clone()),
            _ => {
                let line = lines.remove(from);
                lines.insert(to, line);
            }
        }
        prop_assume!(lines != whole);
        prop_assert!(read(&lines.concat()).is_err());
    }

    /// Outside bytes: whatever they are, reading ends with an answer.
    #[test]
    fn any_bytes_are_read_without_panic(start in 0_usize..4, bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let whole = lines(&EXPORT.with(Clone::clone))[..start].concat();
        prop_assert!(read(&[whole, bytes].concat()).is_err());
    }
}

/// The example in the documentation is an export that is read.
#[test]
fn the_documented_example_is_read() {
    let text = include_str!("../../../shared/docs/formats.md");
    let (_, section) = text.split_once("## Ledger export").unwrap();
    let (_, rest) = section.split_once("```jsonl\n").unwrap();
    let (example, _) = rest.split_once("```").unwrap();
    assert_eq!(read(example.as_bytes()).unwrap().len(), 2);
}
