//! `init`: a state folder from the first metadata and the online keys.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use mulberry_shared::limits::Limits;
use mulberry_shared::operators::Base64;
use mulberry_shared::recipe::Lane;
use serde_json::json;

use super::{CommandError, Layout};
use crate::clock::Clock;
use crate::config::InitArgs;
use crate::event::Event;
use crate::files;
use crate::keys::{ONLINE_ROLES, OnlineKeys};
use crate::ledger;
use crate::services::core::fold;
use crate::state::{self, State};
use crate::store::sled::SledStore;

/// Bytes of one key file.
const MAX_KEY_BYTES: u64 = 4 << 10;

/// The ledger's actor of this command.
const ACTOR: &str = "mulberry-server init";

/// Checks everything that comes from outside, then makes the folder.
///
/// # Errors
/// [`CommandError`]; the state folder may exist then, but its ledger is empty, so that `init` may be run again.
pub async fn init(args: &InitArgs, clock: &dyn Clock, limits: &Limits) -> Result<(), CommandError> {
    let event = read_metadata(&args.from.join("metadata"), limits)?;
    let state = state::apply(None, &event, ledger::EMPTY, limits)
        .map_err(|error| CommandError::refused(format!("{}: {error}", args.from.display())))?;
    check_unexpired(&state, clock)?;
    OnlineKeys::read(&args.from.join("keys"))?.check(&state.root, &state.targets)?;

    files::private_folder(&args.state.state)?;
    let layout = Layout::existing(&args.state.state)?;
    let _lock = layout.take_lock()?;
    let store = Arc::new(SledStore::open(&layout.ledger())?);
    let (mut ledger, before, _) = fold(store.clone(), limits).await?;
    if before.is_some() {
        return Err(CommandError::usage(format!(
            "{} was initialised before and is left as it is; name another folder",
            layout.folder.display()
        )));
    }
    files::private_folder(&layout.keys())?;
    for role in ONLINE_ROLES {
        let name = format!("{role}.pem");
        let key = files::read_private(&args.from.join("keys").join(&name), MAX_KEY_BYTES)?;
        files::write_private(&layout.keys().join(&name), &key)?;
    }
    // Last, so that what it vouches for is there.
    let appended = ledger.append(clock.now(), ACTOR, event).await;
    tokio::task::spawn_blocking(move || store.close())
        .await
        .map_err(|error| CommandError::failed(error.to_string()))?;
    appended.map_err(|error| CommandError::failed(error.to_string()))?;
    report(args, &layout, &state);
    Ok(())
}

fn report(args: &InitArgs, layout: &Layout, state: &State) {
    let folder = layout.folder.display();
    if args.json {
        let lanes: BTreeMap<_, _> =
            state.lanes.iter().map(|(lane, content)| (lane.as_str(), content.metadata.version)).collect();
        let root = state.root.version;
        let targets = state.targets.version;
        println!(
            "{}",
            json!({"state": folder.to_string(), "root": root, "targets": targets, "lanes": lanes})
        );
        return;
    }
    println!("Initialised {folder}: root version {}.", state.root.version);
    println!("The online keys were copied to {}; remove the originals.", layout.keys().display());
    println!("Next: mulberry-server token add NAME --may publish --may gate --state {folder}");
    println!("      mulberry-server run --state {folder}");
}

/// `1.root.json` and its successors as long as there are any, and the highest version of each other role.
fn read_metadata(folder: &Path, limits: &Limits) -> Result<Event, CommandError> {
    let mut roots = Vec::new();
    for version in 1..=limits.trust.rotations {
        match files::read(&folder.join(format!("{version}.root.json")), limits.trust.root_bytes) {
            Err(error) if error.is_absent() && version > 1 => break,
            other => roots.push(Base64(other?)),
        }
    }
    let mut lanes = BTreeMap::new();
    for lane in Lane::ALL {
        lanes.insert(lane, read_highest(folder, lane.as_str(), limits)?);
    }
    Ok(Event::Initialised { roots, targets: read_highest(folder, "targets", limits)?, lanes })
}

fn read_highest(folder: &Path, role: &str, limits: &Limits) -> Result<Base64, CommandError> {
    let unreadable = |error: std::io::Error| CommandError::usage(format!("{}: {error}", folder.display()));
    let mut highest = None;
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let name = entry.map_err(unreadable)?.file_name();
        let version = name.to_str().and_then(|name| name.strip_suffix(&format!(".{role}.json")));
        highest = highest.max(version.and_then(|version| version.parse::<u64>().ok()));
    }
    let Some(version) = highest else {
        return Err(CommandError::usage(format!(
            "{} has no N.{role}.json; give the folder `server` that `mulberryctl init` made",
            folder.display()
        )));
    };
    Ok(Base64(files::read(&folder.join(format!("{version}.{role}.json")), limits.trust.targets_bytes)?))
}

fn check_unexpired(state: &State, clock: &dyn Clock) -> Result<(), CommandError> {
    let now = clock.now();
    let refused = |error: mulberry_shared::trust::TrustError| CommandError::refused(error.to_string());
    state.root.check_unexpired("root", now).map_err(refused)?;
    state.targets.check_unexpired("targets", now).map_err(refused)?;
    for (lane, content) in &state.lanes {
        content.metadata.check_unexpired(lane.as_str(), now).map_err(refused)?;
    }
    Ok(())
}
