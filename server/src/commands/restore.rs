//! `restore`: a state folder from an export.
//!
//! Everything is built in a folder inside, under the state folder's lock. The keys are moved to their place, then the ledger:
//! without it nothing is a server, so there is either nothing or a whole one, whatever goes wrong.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::sync::Arc;

use mulberry_shared::limits::Limits;
use serde_json::json;

use super::init::next_steps;
use super::ledger::unusable;
use super::{CommandError, Layout, answer};
use crate::config::RestoreArgs;
use crate::files;
use crate::keys::{self, OnlineKeys};
use crate::state::{self, Stamp, State};
use crate::store::Store;
use crate::store::sled::SledStore;
use mulberry_shared::ledger::export::ExportReader;

/// How the folder is called in which a restore is built. One that was killed leaves it; the next removes it.
const BUILDING: &str = ".restore-";

/// Restores.
///
/// # Errors
/// [`CommandError`]; the state folder is then as it was.
pub async fn restore(args: &RestoreArgs, limits: &Limits) -> Result<(), CommandError> {
    let export = File::open(&args.from)
        .map_err(|error| CommandError::usage(format!("{}: {error}", args.from.display())))?;
    let replayed = async |store: Arc<SledStore>| replay(BufReader::new(export), &*store, limits).await;
    report(args, &make(&args.state.state, args.keys.as_deref(), replayed).await?)
}

/// Makes a state folder at `target` whose ledger `fill` writes, with the online keys of the folder `keys`.
///
/// # Errors
/// [`CommandError`]; the state folder is then as it was.
pub(super) async fn make(
    target: &Path,
    keys: Option<&Path>,
    fill: impl AsyncFnOnce(Arc<SledStore>) -> Result<State, CommandError>,
) -> Result<State, CommandError> {
    let existed = is_there(target, keys)?;
    files::private_folder(target)?;
    let layout = Layout::existing(target)?;
    let lock = layout.take_lock()?;
    let restored = match clear(target) {
        Ok(()) => build(keys, &layout, fill).await,
        Err(error) => Err(error),
    };
    if restored.is_err() {
        // As it was. That something cannot be removed is less than what went wrong before.
        let _ = mulberry_host::lock::remove(&layout.lock(), &lock);
        if existed == Existed::No {
            let _ = std::fs::remove_dir(target);
        }
    }
    restored
}

/// Whether the state folder was there before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Existed {
    Empty,
    No,
}

/// Refuses a folder with anything in it but what a former restore left. Keys may lie there: without `--keys` people put them
/// in before or after, and a restore that was killed has put there what it was given.
fn is_there(target: &Path, keys: Option<&Path>) -> Result<Existed, CommandError> {
    let unreadable = |error: std::io::Error| CommandError::usage(format!("{}: {error}", target.display()));
    let entries = match std::fs::read_dir(target) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Existed::No),
        other => other.map_err(unreadable)?,
    };
    let lock = target.join("lock");
    if lock.exists() && files::lock(&lock)?.is_none() {
        return Err(CommandError::in_use(target));
    }
    for entry in entries {
        let name = entry.map_err(unreadable)?.file_name();
        let expected = name == "keys" && keys.is_none_or(|given| keys::are_same(given, &target.join("keys")));
        if !expected && name != "lock" && !name.to_string_lossy().starts_with(BUILDING) {
            return Err(CommandError::usage(format!(
                "{} is not empty and is left as it is: it holds {}; restore into a new folder, or move this one away first",
                target.display(),
                name.to_string_lossy()
            )));
        }
    }
    Ok(Existed::Empty)
}

/// Removes what a killed restore left in the folder.
fn clear(target: &Path) -> Result<(), CommandError> {
    let unreadable = |error: std::io::Error| CommandError::usage(format!("{}: {error}", target.display()));
    for entry in std::fs::read_dir(target).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        if entry.file_name().to_string_lossy().starts_with(BUILDING) {
            std::fs::remove_dir_all(entry.path()).map_err(unreadable)?;
        }
    }
    Ok(())
}

/// Builds everything beside, and moves it into `layout`'s folder.
async fn build(
    keys: Option<&Path>,
    layout: &Layout,
    fill: impl AsyncFnOnce(Arc<SledStore>) -> Result<State, CommandError>,
) -> Result<State, CommandError> {
    let cannot =
        |error: std::io::Error| CommandError::failed(format!("{}: {error}", layout.folder.display()));
    let building = tempfile::Builder::new().prefix(BUILDING).tempdir_in(&layout.folder).map_err(cannot)?;
    let built = Layout { folder: building.path().to_owned() };
    let store = Arc::new(SledStore::open(&built.ledger())?);
    let replayed = fill(store.clone()).await;
    tokio::task::spawn_blocking(move || store.close())
        .await
        .map_err(|error| CommandError::failed(error.to_string()))?;
    let state = replayed?;
    if let Some(keys) = keys {
        OnlineKeys::read(keys)?.check(&state.root, &state.targets)?;
        // Where there are some already, they are the same.
        if !layout.keys().exists() {
            keys::copy(keys, &built.keys())?;
        }
    }
    place(&built, layout).map_err(cannot)?;
    Ok(state)
}

/// Moves the keys, if any were built, and the ledger from `built` to their places, or neither: what cannot be whole goes back to
/// where it is removed, private keys above all.
fn place(built: &Layout, layout: &Layout) -> io::Result<()> {
    let mut moved = Vec::new();
    let mut done = Ok(());
    // The ledger last, so that what it needs is there.
    for (from, to) in [(built.keys(), layout.keys()), (built.ledger(), layout.ledger())] {
        if done.is_ok() && from.exists() {
            done = std::fs::rename(&from, &to);
            moved.extend(done.is_ok().then_some((from, to)));
        }
    }
    done.and_then(|()| File::open(&layout.folder)?.sync_all()).inspect_err(|_| {
        for (from, to) in moved.iter().rev() {
            let _ = std::fs::rename(to, from);
        }
    })
}

/// Appends every event of an export to an empty store, and folds it on the way.
///
/// # Errors
/// [`CommandError`] at the first event that is refused; those before it are in the store.
pub async fn replay(input: impl BufRead, store: &dyn Store, limits: &Limits) -> Result<State, CommandError> {
    let mut reader = ExportReader::open(input).map_err(unusable)?;
    let mut state = None;
    while let Some((record, entry)) = reader.next_event().map_err(unusable)? {
        state =
            Some(state::advance(state.take(), &record.event, &Stamp::of(&record), reader.head(), limits)?);
        store.append(record.sequence, entry).await?;
    }
    state.ok_or_else(|| CommandError::refused("the export has no events; use another one"))
}

/// What is still to be done for the keys of the state folder at `folder`.
pub(super) fn missing_keys(keys: Option<&Path>, folder: &str) -> String {
    match keys {
        Some(_) => String::new(),
        None => format!(
            "Next: put the online keys, snapshot.pem, timestamp.pem and gates.pem, into {folder}/keys\n"
        ),
    }
}

fn report(args: &RestoreArgs, state: &State) -> Result<(), CommandError> {
    let (folder, head) = (args.state.state.display().to_string(), state.head);
    let recipes = state.recipes().count();
    if args.json {
        let told = json!({"state": folder, "events": head.sequence, "head": head.head, "recipes": recipes,
            "keys": args.keys.is_some()});
        return answer(&format!("{told}\n"));
    }
    let keys = missing_keys(args.keys.as_deref(), &folder);
    answer(&format!(
        "Restored {} events to {folder}: {recipes} recipes are published.\n{keys}{}\
         What was published or opened after the export is not in it: do that again.\n",
        head.sequence,
        next_steps(&args.state.state)
    ))
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
    use mulberry_shared::exit::Exit;

    use super::*;
    use crate::commands::ledger::export;
    use crate::commands::ledger::verify::verify;
    use crate::config::{ExportArgs, StateArgs, VerifyArgs};
    use crate::export::tests::{export as written, lived_in};
    use crate::keys::ONLINE_ROLES;
    use crate::store::memory::MemoryStore;
    use crate::test_support::key;

    struct Place {
        folder: tempfile::TempDir,
    }

    impl Place {
        /// A folder with an export and the online keys.
        async fn new() -> (Self, Vec<u8>) {
            let place = Self { folder: tempfile::tempdir().unwrap() };
            let bytes = written(&lived_in().await).await;
            place.export(&bytes);
            std::fs::create_dir(place.at("keys")).unwrap();
            for (role, number) in ONLINE_ROLES.into_iter().zip([101, 102, 103]) {
                place.key(role, number);
            }
            (place, bytes)
        }

        fn at(&self, name: &str) -> std::path::PathBuf {
            self.folder.path().join(name)
        }

        fn export(&self, bytes: &[u8]) {
            std::fs::write(self.at("export"), bytes).unwrap();
        }

        fn key(&self, role: &str, number: u8) {
            let pem = key(number).to_pkcs8_der().unwrap().to_pem("PRIVATE KEY", LineEnding::LF).unwrap();
            files::write_private(&self.at("keys").join(format!("{role}.pem")), pem.as_bytes()).unwrap();
        }

        fn state(&self) -> StateArgs {
            StateArgs { state: self.at("state") }
        }

        async fn restore(&self) -> Result<(), CommandError> {
            let (from, keys) = (self.at("export"), Some(self.at("keys")));
            let args = RestoreArgs { from, keys, state: self.state(), json: true };
            restore(&args, &Limits::default()).await
        }

        async fn verify(&self, file: Option<&str>) -> Exit {
            let file = file.map(|name| self.at(name));
            let args = VerifyArgs { file, state: self.state(), json: false };
            verify(&args, &Limits::default()).await.unwrap()
        }

        fn names(&self) -> Vec<String> {
            let entries = std::fs::read_dir(self.folder.path()).unwrap();
            let mut names: Vec<String> =
                entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
            names.sort();
            names
        }
    }

    #[tokio::test]
    async fn export_restore_export_is_the_same_to_the_byte() {
        let (place, bytes) = Place::new().await;
        assert_eq!(place.verify(Some("export")).await, Exit::Yes);
        place.restore().await.unwrap();
        assert_eq!(place.verify(None).await, Exit::Yes);
        let layout = Layout::existing(&place.at("state")).unwrap();
        OnlineKeys::read(&layout.keys()).unwrap();
        let mut args =
            ExportArgs { out: Some(place.at("again")), replace: false, state: place.state(), json: false };
        export(&args).await.unwrap();
        assert_eq!(std::fs::read(place.at("again")).unwrap(), bytes);

        // Nothing is written over unasked, and nothing but a file even then.
        std::fs::write(place.at("again"), "a pinned root").unwrap();
        let refused = export(&args).await.unwrap_err();
        assert_eq!(refused.exit, Exit::Usage, "{refused}");
        assert!(refused.sentence.contains("--replace"), "{refused}");
        assert_eq!(std::fs::read(place.at("again")).unwrap(), b"a pinned root");
        args.replace = true;
        std::os::unix::fs::symlink(place.at("again"), place.at("link")).unwrap();
        for (other, what) in [(place.at("link"), "a symbolic link"), ("/dev/null".into(), "a device")] {
            let args = ExportArgs { out: Some(other), replace: true, state: place.state(), json: false };
            let refused = export(&args).await.unwrap_err();
            assert_eq!(refused.exit, Exit::Usage, "{refused}");
            assert!(refused.sentence.contains(what), "{refused}");
        }
        assert!(place.at("link").is_symlink());
        export(&args).await.unwrap();
        assert_eq!(std::fs::read(place.at("again")).unwrap(), bytes);

        // A second time there is something that must not be lost, and then somebody who uses it.
        let refused = place.restore().await.unwrap_err();
        assert_eq!(refused.exit, Exit::Usage, "{refused}");
        let lock = layout.take_lock().unwrap();
        let refused = place.restore().await.unwrap_err();
        assert_eq!(refused.exit, Exit::Locked, "{refused}");
        // Held, and nobody answers at the socket.
        assert_eq!(export(&args).await.unwrap_err().exit, Exit::Locked);
        drop(lock);
        assert_eq!(place.verify(None).await, Exit::Yes);
    }

    #[tokio::test]
    async fn an_empty_folder_is_taken_and_keys_may_come_later() {
        let (place, _) = Place::new().await;
        files::private_folder(&place.at("state")).unwrap();
        // A restore that was killed.
        std::fs::create_dir_all(place.at("state/.restore-x/ledger")).unwrap();
        std::fs::write(place.at("state/lock"), "").unwrap();
        let args = RestoreArgs { from: place.at("export"), keys: None, state: place.state(), json: false };
        restore(&args, &Limits::default()).await.unwrap();
        assert!(!place.at("state/.restore-x").exists());
        let layout = Layout::existing(&place.at("state")).unwrap();
        let missing = OnlineKeys::read(&layout.keys()).unwrap_err().to_string();
        assert!(
            missing.contains("snapshot.pem is missing; put this server's online keys there"),
            "{missing}"
        );
    }

    #[tokio::test]
    async fn what_is_refused_leaves_nothing_behind() {
        let (place, bytes) = Place::new().await;
        let before = place.names();
        let cut = bytes[..bytes.len() - 1].to_vec();
        let mut flipped = bytes.clone();
        flipped[bytes.len() / 2] ^= 1;
        for bad in [cut, flipped, vec![], b"{}\n".to_vec()] {
            place.export(&bad);
            let refused = place.restore().await.unwrap_err();
            assert_eq!(refused.exit, Exit::TrustRefused, "{refused}");
            assert_eq!(place.names(), before);
            assert_eq!(place.verify(Some("export")).await, Exit::No);
        }
        place.export(&bytes);
        place.key("snapshot", 102);
        let refused = place.restore().await.unwrap_err();
        assert_eq!(refused.exit, Exit::TrustRefused, "{refused}");
        std::fs::remove_file(place.at("keys/snapshot.pem")).unwrap();
        assert_eq!(place.restore().await.unwrap_err().exit, Exit::Usage);
        assert_eq!(place.names(), before);
        files::private_folder(&place.at("state")).unwrap();
        assert_eq!(place.restore().await.unwrap_err().exit, Exit::Usage);
        assert_eq!(std::fs::read_dir(place.at("state")).unwrap().count(), 0);
    }

    /// Somebody put something in the ledger's place while it was built.
    #[tokio::test]
    async fn what_cannot_be_moved_to_its_place_leaves_no_keys_behind() {
        let (place, bytes) = Place::new().await;
        let (state, keys) = (place.at("state"), place.at("keys"));
        let fill = async |store: Arc<SledStore>| {
            std::fs::create_dir_all(state.join("ledger/other")).unwrap();
            replay(bytes.as_slice(), &*store, &Limits::default()).await
        };
        assert_eq!(make(&state, Some(&keys), fill).await.unwrap_err().exit, Exit::No);
        let left: Vec<_> =
            std::fs::read_dir(&state).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["ledger"], "what is not ours");
    }

    /// Hashes hold, but an event was never accepted by a server: somebody wrote a chain of their own.
    #[tokio::test]
    async fn a_whole_chain_whose_events_do_not_fold_is_refused_at_its_event() {
        let store = Arc::new(MemoryStore::new());
        let mut ledger =
            crate::ledger::Ledger::open::<crate::ledger::LedgerError>(store.clone(), |_, _| Ok(()))
                .await
                .unwrap();
        for _ in 0..2 {
            let (event, now) = (crate::test_support::initialised(), crate::test_support::start());
            ledger.append(now, &crate::test_support::actor("eve"), event).await.unwrap();
        }
        let bytes = written(&store).await;
        let refused = replay(bytes.as_slice(), &MemoryStore::new(), &Limits::default()).await.unwrap_err();
        assert!(refused.sentence.contains("event 2 of the ledger cannot be applied"), "{refused}");
        let (place, _) = Place::new().await;
        place.export(&bytes);
        assert_eq!(place.verify(Some("export")).await, Exit::No);
    }
}
