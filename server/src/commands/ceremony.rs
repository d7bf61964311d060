//! `ceremony`: publishes a ceremony from its file while no server runs. A server that has lost its online keys,
//! and what it signed last with them, does not start, and people could not hand it the ceremony that authorises new ones.

use std::sync::Arc;

use mulberry_shared::ceremony::Ceremony;
use mulberry_shared::limits::Limits;
use mulberry_shared::operators::CeremonyRequest;
use serde_json::json;

use super::{CommandError, Layout, answer};
use crate::clock::Clock;
use crate::config::CeremonyArgs;
use crate::event::Event;
use crate::files;
use crate::keys::{KeyFolder, KeySource as _};
use crate::services::ceremony;
use crate::services::core::{ceremonies::rehearse, fold};
use crate::state;
use crate::store::sled::SledStore;

/// The ledger's actor of this command.
const ACTOR: &str = "mulberry-server ceremony";

/// Checks it as a running server does, and records it.
///
/// # Errors
/// [`CommandError`]; nothing was recorded then.
pub async fn hold(args: &CeremonyArgs, clock: &dyn Clock, limits: &Limits) -> Result<(), CommandError> {
    let most = u64::try_from(limits.proposal.file_bytes).unwrap_or(u64::MAX);
    let bytes = files::read(&args.file, most)?;
    let ceremony = Ceremony::read(&bytes, limits)
        .map_err(|error| CommandError::usage(format!("{}: {error}", args.file.display())))?
        .without_base();
    let layout = Layout::existing(&args.state.state)?;
    let _lock = layout.take_lock()?;
    let store = Arc::new(SledStore::open(&layout.ledger())?);
    let held = publish(&ceremony, &layout, store.clone(), clock, limits).await;
    tokio::task::spawn_blocking(move || store.close())
        .await
        .map_err(|error| CommandError::failed(error.to_string()))?;
    let done = held?;
    let versions: Vec<String> =
        ceremony.parts().iter().map(|(role, part)| format!("{role} version {}", part.version())).collect();
    if args.json {
        return answer(&format!(
            "{}\n",
            json!({"published": done, "id": ceremony.id(), "versions": versions})
        ));
    }
    let what = if done { "Published" } else { "Published before, and nothing was changed" };
    let folder = args.state.state.display();
    answer(&format!("{what}: {}.\nNext: mulberry-server run --state {folder}\n", versions.join(", ")))
}

/// Whether it was published now, and not before.
async fn publish(
    ceremony: &Ceremony,
    layout: &Layout,
    store: Arc<SledStore>,
    clock: &dyn Clock,
    limits: &Limits,
) -> Result<bool, CommandError> {
    let refused = |what: &dyn std::fmt::Display| CommandError::refused(what.to_string());
    let (mut ledger, state, _) = fold(store, limits).await?;
    let state = state.ok_or_else(|| CommandError::usage("the state folder was never initialised"))?;
    let (now, keys) = (clock.now(), KeyFolder(layout.keys()));
    let request = CeremonyRequest { ceremony: ceremony.document() };
    let event = match ceremony::make(&state, request, now, limits).map_err(|refusal| refused(&refusal))?.event
    {
        None => return Ok(false),
        Some(event @ Event::CeremonyPublished { .. }) => event,
        Some(_) => {
            let progress = ceremony.progress(&state.live(), limits).map_err(|error| refused(&error))?;
            return Err(refused(&format!(
                "signatures are missing; sign the file first: mulberryctl sign\n{progress}"
            )));
        }
    };
    let next = state::apply(Some(&state), &event, state.head, limits)?;
    let selected = keys.select(&next.root, &next.targets)?;
    rehearse((&state, None), &next, &selected, now, limits).map_err(|refusal| refused(&refusal))?;
    ledger.append(now, ACTOR, event).await?;
    keys.settle(&next.root, &next.targets)?;
    Ok(true)
}
