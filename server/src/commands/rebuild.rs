//! `rebuild`: a state folder from a mirror, when a server was lost and no export of its ledger is left.
//!
//! The mirror's edition is verified from a pinned root as agents verify it. The new ledger begins with one event: everything that
//! people signed, the gates, and the word of people that it continues the lost one.

use std::collections::BTreeMap;
use std::path::Path;

use mulberry_shared::bundle::{self, Bundle};
use mulberry_shared::edition::{Edition, OnlineRole, Refresh, TrustState, Waiver};
use mulberry_shared::gates::{Gate, GateState, Gates, ReadGates};
use mulberry_shared::ledger::actor::Actor;
use mulberry_shared::ledger::continuation::{self, Continuation, ContinuationFile, Continuations};
use mulberry_shared::limits::Limits;
use mulberry_shared::operators::Base64;
use mulberry_shared::recipe::Lane;
use mulberry_shared::tuf::{Fetch, Next, Reply, TrustErrorKind, location};
use serde_json::json;

use super::init::next_steps;
use super::{CommandError, answer, restore};
use crate::clock::Clock;
use crate::config::RebuildArgs;
use crate::event::Event;
use crate::files;
use crate::ledger::{self, Ledger, LedgerError};
use crate::state::{self, State};

/// This command, as the ledger names it.
const COMMAND: &str = "mulberry-server rebuild";

/// What a mirror is read from.
enum Source<'a> {
    Folder(&'a Path),
    Bundle(Bundle),
}

impl Source<'_> {
    fn open<'a>(path: &'a Path, limits: &Limits) -> Result<Source<'a>, CommandError> {
        if path.is_dir() {
            return Ok(Source::Folder(path));
        }
        let bytes = files::read(path, limits.bundle.bytes as u64)?;
        let bundle = Bundle::read(&bytes, &limits.bundle)
            .map_err(|error| CommandError::refused(format!("{}: {error}", path.display())))?;
        Ok(Source::Bundle(bundle))
    }

    /// Paths come from metadata that may not be verified yet; those of an edition have none of what leads out of a folder.
    fn get(&self, fetch: &Fetch) -> Reply {
        match self {
            Self::Bundle(bundle) => {
                bundle.get(&fetch.path).map_or(Reply::Absent, |bytes| Reply::Bytes(bytes.to_vec()))
            }
            Self::Folder(_) if fetch.path.split('/').any(|part| part.is_empty() || part.starts_with('.')) => {
                Reply::Absent
            }
            Self::Folder(folder) => match files::read(&folder.join(&fetch.path), fetch.max_bytes) {
                Ok(bytes) => Reply::Bytes(bytes),
                Err(error) if error.is_absent() => Reply::Absent,
                Err(error) => Reply::Failed(error.to_string()),
            },
        }
    }

    fn bytes(&self, path: String, max_bytes: u64) -> Option<Vec<u8>> {
        match self.get(&Fetch { path, max_bytes }) {
            Reply::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }
}

/// Rebuilds.
///
/// # Errors
/// [`CommandError`]; the state folder is then as it was.
pub async fn rebuild(args: &RebuildArgs, clock: &dyn Clock, limits: &Limits) -> Result<(), CommandError> {
    let now = clock.now();
    let source = Source::open(&args.from, limits)?;
    let named = |what: String| CommandError::refused(format!("{}: {what}", args.from.display()));
    let pinned = TrustState::pinned(&files::read(&args.root, limits.trust.root_bytes)?, limits)
        .map_err(|error| CommandError::refused(format!("{}: {error}", args.root.display())))?;
    let waiver = Waiver::of(args.waive_expiry.iter().copied());
    let mut refresh = Refresh::start(pinned.clone(), now, limits).waiving(&waiver);
    while let Next::Fetch(fetch) = refresh.next() {
        refresh.supply(source.get(&fetch));
    }
    let (trust, report) = refresh.finish();
    if let Some(error) = bundle::fault(&report) {
        let online = error.subject.parse::<OnlineRole>().is_ok();
        let hint = match error.kind {
            TrustErrorKind::Expired if online => {
                "; a mirror of a lost server expires soon: look whether there is a newer one, then say --waive-expiry timestamp,snapshot,gates"
            }
            _ => "",
        };
        return Err(named(format!("{error}{hint}")));
    }
    let edition = trust.edition(limits).ok_or_else(|| named("it holds no edition".to_owned()))?;
    let continues = args.continues.display();
    let bytes = files::read(&args.continues, limits.ledger.continuation_file_bytes as u64)?;
    let ContinuationFile { continuation, .. } = ContinuationFile::read(&bytes, limits)
        .map_err(|error| CommandError::refused(format!("{continues}: {error}")))?;
    let ended = trust
        .trusted()
        .timestamp()
        .and_then(|timestamp| timestamp.ledger)
        .and_then(|ledger| ledger.witness());
    if ended != Some(continuation.statement.previous) {
        return Err(CommandError::refused(format!(
            "{continues} continues a ledger that ended with {}, and this mirror's timestamp names {}; have people sign one that is \
             made from this mirror",
            continuation.statement.previous,
            ended.map_or_else(|| "none".to_owned(), |ended| ended.to_string())
        )));
    }
    continuation.check(trust.trusted().root(), limits).map_err(|error| {
        CommandError::refused(format!(
            "{continues}: {error}; to sign it: mulberryctl ledger sign {continues} --key people/NAME/targets.pem"
        ))
    })?;
    let gates = edition.gates.as_ref().ok_or_else(|| named("it has no gates that verify".to_owned()))?;
    let gates = gates.read.clone().and_then(ReadGates::whole).map_err(|error| named(error.to_string()))?;
    let event = event(&source, &pinned, &trust, &edition, &continuation, limits).map_err(named)?;
    let state =
        state::apply(None, &event, ledger::EMPTY, limits).map_err(|error| named(error.to_string()))?;
    restore::make(&args.state.state, args.keys.as_deref(), async |store| {
        let mut ledger = Ledger::open::<LedgerError>(store, |_, _| Ok(())).await?;
        ledger.append(now, &Actor::command(COMMAND), event).await?;
        Ok(State { head: ledger.head(), ..state })
    })
    .await
    .and_then(|state| tell(args, &state, &gates, &continuation))
}

/// The first event of the new ledger.
fn event(
    source: &Source<'_>,
    pinned: &TrustState,
    trust: &TrustState,
    edition: &Edition,
    continuation: &Continuation,
    limits: &Limits,
) -> Result<Event, String> {
    let trusted = trust.trusted();
    let role = |role: &str| {
        let held = trusted.targets(role).ok_or_else(|| format!("it has no {role} metadata that verifies"))?;
        Ok::<_, String>(Base64(held.bytes().to_vec()))
    };
    // As far back as the mirror goes, so that agents of any age can follow.
    let pinned = pinned.trusted().root();
    let mut roots = vec![Base64(trusted.root().bytes().to_vec())];
    for version in (1..trusted.root().version).rev() {
        let found = source.bytes(location::metadata("root", Some(version)), limits.trust.root_bytes);
        let own = (version == pinned.version).then(|| pinned.bytes().to_vec());
        match own.or(found) {
            Some(bytes) => roots.insert(0, Base64(bytes)),
            None if version < pinned.version => break,
            None => return Err(format!("it has no {version}.root.json")),
        }
    }
    let mut lanes = BTreeMap::new();
    let mut recipes = BTreeMap::new();
    for lane in Lane::ALL {
        lanes.insert(lane, role(lane.as_str())?);
        for recipe in edition.lanes.get(&lane).iter().flat_map(|content| &content.recipes) {
            let content = recipe.content.as_ref().map_err(ToString::to_string)?;
            recipes.insert(recipe.path.clone(), Base64(content.bytes.to_vec()));
        }
    }
    let gates = edition.gates.as_ref().ok_or("it has no gates that verify")?;
    let versions = OnlineRole::ALL.into_iter().filter_map(|role| edition.version_of(role.as_str()));
    let list = source.bytes(continuation::PATH.to_owned(), limits.ledger.continues_bytes as u64);
    let before = match list {
        Some(bytes) => {
            Continuations::read(&bytes, limits).map_err(|error| format!("{}: {error}", continuation::PATH))?
        }
        None => Continuations::default(),
    };
    let continues = before.0.iter().chain([continuation]).map(|one| Base64(one.write())).collect();
    Ok(Event::Continued {
        continues,
        roots,
        targets: role("targets")?,
        lanes,
        recipes,
        gates: Base64(gates.bytes.to_vec()),
        above: versions.max().unwrap_or(0),
    })
}

/// Recipes whose gate the mirror has as open, and that is open no more: people's signatures under it hold no longer.
fn closed(gates: &Gates, state: &State) -> Vec<String> {
    let open = |gate: &Gate| gate.state == GateState::Open;
    let now_closed = gates.0.iter().filter(|(path, gate)| {
        let speaks = state.recipe(path).is_some_and(|published| published.recipe.revision == gate.revision);
        speaks && open(gate) && !state.gates.of(path, gate.revision).is_some_and(open)
    });
    now_closed.map(|(path, _)| path.to_string()).collect()
}

fn tell(
    args: &RebuildArgs,
    state: &State,
    gates: &Gates,
    continuation: &Continuation,
) -> Result<(), CommandError> {
    let folder = args.state.state.display().to_string();
    let (recipes, ended) = (state.recipes().count(), continuation.statement.previous);
    let closed = closed(gates, state);
    if args.json {
        let told = json!({"state": folder, "head": state.head.head, "recipes": recipes, "continues": ended,
            "keys": args.keys.is_some(), "closed": closed});
        return answer(&format!("{told}\n"));
    }
    let keys = restore::missing_keys(args.keys.as_deref(), &folder);
    let but = match closed.as_slice() {
        [] => String::new(),
        closed => format!(
            "But paused, since the signatures under the opening hold no longer: {}. Have people open it again.\n",
            closed.join(", ")
        ),
    };
    answer(&format!(
        "Rebuilt {folder}: {recipes} recipes are published, gates as the mirror had them.\n{but}\
         Its ledger continues the lost one, which ended with {ended}.\n{keys}{}\
         Who did what before is in the lost ledger only. Proposals that waited are gone: make them again.\n",
        next_steps(&args.state.state)
    ))
}
