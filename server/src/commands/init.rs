//! `init`: a state folder from the first metadata and the online keys.

use std::collections::BTreeMap;
use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use mulberry_shared::ceremony::rules::{self, Names};
use mulberry_shared::json;
use mulberry_shared::ledger::actor::Actor;
use mulberry_shared::limits::Limits;
use mulberry_shared::operators::Base64;
use mulberry_shared::recipe::Lane;

use super::{CommandError, Layout, answer};
use crate::clock::Clock;
use crate::config::InitArgs;
use crate::event::Event;
use crate::files;
use crate::keys::{self, OnlineKeys};
use crate::ledger;
use crate::services::core::fold;
use crate::state::{self, State};
use crate::store::sled::SledStore;

/// This command, as the ledger names it.
const COMMAND: &str = "mulberry-server init";

/// Checks everything that comes from outside, then makes the folder.
///
/// # Errors
/// [`CommandError`]; the state folder may exist then, but its ledger is empty, so that `init` may be run again.
pub async fn init(args: &InitArgs, clock: &dyn Clock, limits: &Limits) -> Result<(), CommandError> {
    let event = read_metadata(&args.from.join("metadata"), limits)?;
    let state = state::apply(None, &event, ledger::EMPTY, limits)
        .map_err(|error| CommandError::refused(format!("{}: {error}", args.from.display())))?;
    check_unexpired(&state, clock)?;
    rules::check(&state.root, &state.targets, Names::Checked)
        .map_err(|error| CommandError::refused(format!("{}: {error}", args.from.display())))?;
    OnlineKeys::read(&args.from.join("keys"))?.check(&state.root, &state.targets)?;

    claim(&args.state.state)?;
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
    keys::copy(&args.from.join("keys"), &layout.keys())?;
    // Last, so that what it vouches for is there.
    let appended = ledger.append(clock.now(), &Actor::command(COMMAND), event).await;
    tokio::task::spawn_blocking(move || store.close())
        .await
        .map_err(|error| CommandError::failed(error.to_string()))?;
    appended.map_err(|error| CommandError::failed(error.to_string()))?;
    report(args, &layout, &state)
}

/// Makes the folder with those above it, or takes over an empty one, whoever may enter it now: what an agent's `init` does.
fn claim(folder: &Path) -> Result<(), CommandError> {
    let fault = |error: std::io::Error| CommandError::usage(format!("{}: {error}", folder.display()));
    if let Some(parent) = folder.parent() {
        std::fs::create_dir_all(parent).map_err(fault)?;
    }
    let names: Vec<_> = match std::fs::read_dir(folder) {
        Ok(entries) => entries.map(|entry| entry.map(|entry| entry.file_name())).collect::<Result<_, _>>(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
    .map_err(fault)?;
    if names.is_empty() && folder.exists() {
        std::fs::set_permissions(folder, Permissions::from_mode(0o700)).map_err(fault)?;
    }
    // An earlier `init` makes the lock and then the ledger, before anything else.
    let is_ours = names.iter().any(|name| name == "ledger");
    if let Some(foreign) = names.iter().find(|name| !is_ours && *name != "lock") {
        return Err(CommandError::usage(format!(
            "{} holds other things, such as {}; name a new or empty folder with --state",
            folder.display(),
            foreign.to_string_lossy()
        )));
    }
    Ok(files::private_folder(folder)?)
}

fn report(args: &InitArgs, layout: &Layout, state: &State) -> Result<(), CommandError> {
    let folder = layout.folder.display();
    if args.json {
        let lanes: BTreeMap<_, _> =
            state.lanes.iter().map(|(lane, content)| (lane.as_str(), content.metadata.version)).collect();
        let root = state.root.version;
        let targets = state.targets.version;
        let told = serde_json::json!({"state": folder.to_string(), "root": root, "targets": targets, "lanes": lanes});
        return answer(&format!("{told}\n"));
    }
    answer(&format!(
        "Initialised {folder}: root version {}.\nThe online keys were copied to {}; remove the originals.\n{}",
        state.root.version,
        layout.keys().display(),
        next_steps(&layout.folder)
    ))
}

/// What makes a server of a state folder.
pub(super) fn next_steps(folder: &Path) -> String {
    let folder = folder.display();
    format!(
        "Next: mulberry-server token add NAME --person PERSON --may publish --may gate --out FILE --state {folder}\n      \
         mulberry-server run --state {folder}\n"
    )
}

/// `1.root.json` and its successors as long as there are any, and the highest version of each other role.
fn read_metadata(folder: &Path, limits: &Limits) -> Result<Event, CommandError> {
    let mut roots = Vec::new();
    for version in 1..=limits.trust.rotations {
        let path = folder.join(format!("{version}.root.json"));
        match files::read(&path, limits.trust.root_bytes) {
            Err(error) if error.is_absent() && version > 1 => break,
            Err(error) if error.is_absent() => {
                return Err(CommandError::usage(format!(
                    "{error}; give the folder `server` that `mulberryctl init` made"
                )));
            }
            other => roots.push(metadata(&path, other?, limits)?),
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
    let path = folder.join(format!("{version}.{role}.json"));
    metadata(&path, files::read(&path, limits.trust.targets_bytes)?, limits)
}

/// What cannot be metadata is refused here, where its file is known; everything else about it is judged with the rest.
fn metadata(path: &Path, bytes: Vec<u8>, limits: &Limits) -> Result<Base64, CommandError> {
    match json::parse(&bytes, &limits.json) {
        Ok(_) => Ok(Base64(bytes)),
        Err(error) => Err(CommandError::refused(format!("{}: {error}", path.display()))),
    }
}

fn check_unexpired(state: &State, clock: &dyn Clock) -> Result<(), CommandError> {
    let now = clock.now();
    let refused = |error: mulberry_shared::tuf::TrustError| CommandError::refused(error.to_string());
    state.root.check_unexpired("root", now).map_err(refused)?;
    state.targets.check_unexpired("targets", now).map_err(refused)?;
    for (lane, content) in &state.lanes {
        content.metadata.check_unexpired(lane.as_str(), now).map_err(refused)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SetClock;
    use crate::config::StateArgs;
    use crate::keys::ONLINE_ROLES;
    use crate::test_support::{hours, initialised, key, start};
    use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
    use mulberry_shared::exit::Exit;

    /// The folder `server` that an authority hands over, and where its state should go.
    struct Handed {
        folder: tempfile::TempDir,
        state: &'static str,
    }

    impl Handed {
        fn new() -> Self {
            let handed = Self { folder: tempfile::tempdir().unwrap(), state: "state" };
            std::fs::create_dir_all(handed.from().join("metadata")).unwrap();
            std::fs::create_dir(handed.from().join("keys")).unwrap();
            let Event::Initialised { roots, targets, lanes } = initialised() else { panic!() };
            handed.metadata("1.root.json", &roots[0].0);
            handed.metadata("1.targets.json", &targets.0);
            for (lane, bytes) in lanes {
                handed.metadata(&format!("1.{lane}.json"), &bytes.0);
            }
            for (role, number) in ONLINE_ROLES.into_iter().zip([101, 102, 103]) {
                handed.key(role, number);
            }
            handed
        }

        fn from(&self) -> std::path::PathBuf {
            self.folder.path().join("server")
        }

        fn state(&self) -> std::path::PathBuf {
            self.folder.path().join(self.state)
        }

        fn metadata(&self, name: &str, bytes: &[u8]) {
            std::fs::write(self.from().join("metadata").join(name), bytes).unwrap();
        }

        fn key(&self, role: &str, number: u8) {
            let pem = key(number).to_pkcs8_der().unwrap().to_pem("PRIVATE KEY", LineEnding::LF).unwrap();
            files::write_private(&self.from().join(format!("keys/{role}.pem")), pem.as_bytes()).unwrap();
        }

        async fn init(&self, now: jiff::Timestamp) -> Result<(), CommandError> {
            let state = StateArgs { state: self.state() };
            let args = InitArgs { from: self.from(), state, json: true };
            init(&args, &SetClock::at(now), &Limits::default()).await
        }
    }

    #[tokio::test]
    async fn a_state_folder_is_made_once_and_is_private() {
        let handed = Handed::new();
        handed.init(start()).await.unwrap();
        let layout = Layout::existing(&handed.state()).unwrap();
        OnlineKeys::read(&layout.keys()).unwrap();
        let store = Arc::new(SledStore::open(&layout.ledger()).unwrap());
        let (ledger, state, _) = fold(store.clone(), &Limits::default()).await.unwrap();
        assert_eq!(ledger.head().sequence, 1);
        assert_eq!(state.unwrap().lanes.len(), 2);
        store.close();
        let again = handed.init(start()).await.unwrap_err();
        assert_eq!(again.exit, Exit::Usage);
        let _held = layout.take_lock().unwrap();
        assert_eq!(handed.init(start()).await.unwrap_err().exit, Exit::Locked);
    }

    #[tokio::test]
    async fn it_takes_the_folders_that_an_agent_takes() {
        // One whose parents are missing, and an empty one that others may enter.
        let handed = Handed { state: "deep/er/state", ..Handed::new() };
        handed.init(start()).await.unwrap();
        let handed = Handed::new();
        std::fs::create_dir(handed.state()).unwrap();
        std::fs::set_permissions(handed.state(), Permissions::from_mode(0o755)).unwrap();
        handed.init(start()).await.unwrap();
        assert_eq!(std::fs::metadata(handed.state()).unwrap().permissions().mode() & 0o777, 0o700);
        // Not one with something in it, whoever may enter it.
        for (mode, name) in [(0o755, "mine"), (0o700, "mine"), (0o700, "keys"), (0o700, "tokens.json")] {
            let handed = Handed::new();
            std::fs::create_dir(handed.state()).unwrap();
            std::fs::write(handed.state().join(name), "").unwrap();
            std::fs::set_permissions(handed.state(), Permissions::from_mode(mode)).unwrap();
            let refused = handed.init(start()).await.unwrap_err();
            assert_eq!(refused.exit, Exit::Usage);
            assert!(refused.sentence.contains(&format!("such as {name};")), "{refused}");
            assert_eq!(std::fs::read_dir(handed.state()).unwrap().count(), 1, "nothing is added");
        }
    }

    #[tokio::test]
    async fn metadata_that_does_not_read_is_named_by_its_file() {
        for name in ["1.root.json", "1.targets.json", "1.emergency.json"] {
            let handed = Handed::new();
            handed.metadata(name, b"<html>");
            let refused = handed.init(start()).await.unwrap_err();
            assert_eq!(refused.exit, Exit::TrustRefused, "{refused}");
            assert!(refused.sentence.contains(&format!("server/metadata/{name}: this is HTML")), "{refused}");
        }
    }

    #[tokio::test]
    async fn what_is_not_trusted_makes_no_state_folder() {
        let swapped = Handed::new();
        swapped.key("snapshot", 102);
        let unsigned = Handed::new();
        let Event::Initialised { targets, .. } = initialised() else { panic!() };
        let text = String::from_utf8(targets.0).unwrap();
        unsigned.metadata("1.targets.json", text.replacen("\"version\":1", "\"version\":2", 1).as_bytes());
        for (handed, now) in
            [(swapped, start()), (unsigned, start()), (Handed::new(), start() + hours(24 * 90))]
        {
            let refused = handed.init(now).await.unwrap_err();
            assert_eq!(refused.exit, Exit::TrustRefused, "{refused}");
            assert!(!handed.state().exists());
        }
    }

    #[test]
    fn a_folder_one_level_off_is_told_which_one_is_meant() {
        let folder = tempfile::tempdir().unwrap();
        let refused = read_metadata(folder.path(), &Limits::default()).unwrap_err();
        assert_eq!(refused.exit, Exit::Usage);
        assert!(
            refused.sentence.contains("1.root.json") && refused.sentence.contains("`server`"),
            "{refused}"
        );
    }

    #[tokio::test]
    async fn missing_files_and_keys_that_others_may_read_are_usage_errors() {
        let wide = Handed::new();
        let key = wide.from().join("keys/gates.pem");
        std::fs::set_permissions(key, std::fs::Permissions::from_mode(0o644)).unwrap();
        let missing = Handed::new();
        std::fs::remove_file(missing.from().join("metadata/1.routine.json")).unwrap();
        for handed in [wide, missing] {
            let refused = handed.init(start()).await.unwrap_err();
            assert_eq!(refused.exit, Exit::Usage, "{refused}");
            assert!(!handed.state().exists());
        }
    }
}
