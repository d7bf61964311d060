//! `ceremony`: publishes a ceremony from its file while no server runs. A server that has lost its online keys,
//! and what it signed last with them, does not start, and people could not hand it the ceremony that authorises new ones.

use std::sync::Arc;

use mulberry_shared::ceremony::Ceremony;
use mulberry_shared::ledger::actor::Actor;
use mulberry_shared::limits::Limits;
use mulberry_shared::operators::CeremonyRequest;
use serde_json::json;

use super::{CommandError, Layout, answer};
use crate::clock::Clock;
use crate::config::CeremonyArgs;
use crate::edition::store::{EditionFile, EditionStore as _};
use crate::event::Event;
use crate::files;
use crate::keys::{KeyFolder, KeySource as _};
use crate::services::ceremony;
use crate::services::core::{ceremonies::rehearse, check_edition, fold, settle};
use crate::state;
use crate::store::sled::SledStore;

/// This command, as the ledger names it.
const COMMAND: &str = "mulberry-server ceremony";

/// Checks it as a server does that starts and takes it, and records it.
///
/// # Errors
/// [`CommandError`]; nothing was recorded then, unless the store failed or standard output takes no more: the same again says
/// whether it was published.
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
    let (mut ledger, state, heads) = fold(store, limits).await?;
    let state = state.ok_or_else(|| CommandError::usage("the state folder was never initialised"))?;
    // An event after the end of a ledger that was cut off would be another history than the one that was signed.
    let edition = match EditionFile(layout.edition()).load()? {
        Some(bytes) => check_edition(&bytes, &state, &heads, limits)?,
        None => None,
    };
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
    rehearse((&state, edition.as_ref()), &next, &selected, now, limits)
        .map_err(|refusal| refused(&refusal))?;
    ledger.append(now, &Actor::command(COMMAND), event).await?;
    settle(&keys, &next);
    Ok(true)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use mulberry_shared::ceremony::{Lone, Step, plan};
    use mulberry_shared::exit::Exit;
    use mulberry_shared::recipe::Lane;

    use super::*;
    use crate::clock::SetClock;
    use crate::commands::ledger::verify::verify;
    use crate::config::{StateArgs, VerifyArgs};
    use crate::keys::ONLINE_ROLES;
    use crate::ledger::Ledger;
    use crate::services::core::Core;
    use crate::state::State;
    use crate::test_support::{Proposal, actor, initial_state, initialised, key, start};

    /// A state folder of a server that has run, and its new keys.
    struct Place {
        folder: tempfile::TempDir,
    }

    impl Place {
        async fn new() -> Self {
            let place = Self { folder: tempfile::tempdir().unwrap() };
            files::private_folder(&place.state().state).unwrap();
            let layout = place.layout();
            files::private_folder(&layout.keys()).unwrap();
            for (role, number) in ONLINE_ROLES.into_iter().zip([101, 102, 103]) {
                let pem = key(number).to_pkcs8_pem().unwrap();
                files::write_private(&layout.keys().join(format!("{role}.pem")), pem.as_bytes()).unwrap();
            }
            let store = Arc::new(SledStore::open(&layout.ledger()).unwrap());
            let (mut ledger, ..) = fold(store.clone(), &Limits::default()).await.unwrap();
            ledger.append(start(), &Actor::command("init"), initialised()).await.unwrap();
            store.close();
            place.serve(|_| None).await;
            place.ceremony(&initial_state());
            place
        }

        fn layout(&self) -> Layout {
            Layout::existing(&self.state().state).unwrap()
        }

        fn state(&self) -> StateArgs {
            StateArgs { state: self.folder.path().join("state") }
        }

        /// Starts a server, which may publish something, and stops it.
        async fn serve(&self, publish: impl FnOnce(&State) -> Option<Proposal>) {
            let layout = self.layout();
            let store = Arc::new(SledStore::open(&layout.ledger()).unwrap());
            let (editions, keys) =
                (Arc::new(EditionFile(layout.edition())), Arc::new(KeyFolder(layout.keys())));
            let clock = Arc::new(SetClock::at(start()));
            let core = Core::open(store.clone(), editions, keys, clock, Limits::default()).await.unwrap();
            let core = Arc::new(core);
            if let Some(proposal) = publish(&core.served().state) {
                core.publish(actor("mei"), proposal.lane, proposal.request()).await.unwrap();
            }
            drop(core);
            store.close();
        }

        /// People sign the server's new keys, into a file.
        fn ceremony(&self, state: &State) {
            let keys = KeyFolder(self.layout().keys()).make_next().unwrap();
            let live = state.live();
            let mut made =
                plan::make(&live, &[Step::Online { keys }], Lone::Refuse, start(), &Limits::default())
                    .unwrap();
            [1, 2, 11, 12].iter().for_each(|number| drop(made.sign(&live, &key(*number)).unwrap()));
            std::fs::write(self.file(), made.write().unwrap()).unwrap();
        }

        fn file(&self) -> std::path::PathBuf {
            self.folder.path().join("new.ceremony")
        }

        async fn hold(&self) -> Result<(), CommandError> {
            let args = CeremonyArgs { file: self.file(), state: self.state(), json: true };
            hold(&args, &SetClock::at(start()), &Limits::default()).await
        }

        async fn events(&self) -> u64 {
            let store = Arc::new(SledStore::open(&self.layout().ledger()).unwrap());
            let ledger = Ledger::open::<crate::ledger::LedgerError>(store.clone(), |_, _| Ok(())).await;
            store.close();
            ledger.unwrap().head().sequence
        }

        async fn verify(&self) -> Exit {
            let args = VerifyArgs { file: None, state: self.state(), json: false };
            verify(&args, &Limits::default()).await.unwrap()
        }
    }

    /// What was signed last is of the keys before, until a server runs.
    #[tokio::test]
    async fn a_ledger_whose_last_event_changed_the_online_keys_is_sound() {
        let place = Place::new().await;
        assert_eq!(place.verify().await, Exit::Yes);
        place.hold().await.unwrap();
        assert_eq!((place.events().await, place.verify().await), (2, Exit::Yes));
        place.hold().await.unwrap();
        assert_eq!(place.events().await, 2, "the same again changes nothing");
        place.serve(|_| None).await;
        assert_eq!(place.verify().await, Exit::Yes);
    }

    /// Nor does the tolerance hide that the end is missing.
    #[tokio::test]
    async fn nothing_is_added_to_a_ledger_that_was_cut_off() {
        let place = Place::new().await;
        let (ledger, older) = (place.layout().ledger(), place.folder.path().join("older"));
        copy(&ledger, &older);
        place
            .serve(|state| Some(Proposal::new(state, Lane::Emergency, &[("emergency/a.json", 1)], &[])))
            .await;
        std::fs::remove_dir_all(&ledger).unwrap();
        std::fs::rename(&older, &ledger).unwrap();
        let refused = place.hold().await.unwrap_err();
        assert_eq!(refused.exit, Exit::TrustRefused);
        assert!(refused.sentence.contains("event 2 is missing, but the last signed timestamp"), "{refused}");
        assert_eq!((place.events().await, place.verify().await), (1, Exit::No));
    }

    #[tokio::test]
    async fn what_is_recorded_is_no_failure_because_of_the_old_keys() {
        let place = Place::new().await;
        // Others may read it, so nothing is put beside it.
        std::fs::write(place.layout().keys().join("retired"), "").unwrap();
        place.hold().await.unwrap();
        assert_eq!(place.events().await, 2);
        place.serve(|_| None).await;
    }

    fn copy(from: &Path, to: &Path) {
        std::fs::create_dir(to).unwrap();
        for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
            let to = to.join(entry.file_name());
            if entry.path().is_dir() {
                copy(&entry.path(), &to);
            } else {
                std::fs::copy(entry.path(), to).unwrap();
            }
        }
    }
}
