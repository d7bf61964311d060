//! `mulberry-agent init`: makes a state folder, after checking everything that will be trusted.

use std::fmt;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use mulberry_host::files;
use mulberry_shared::edition::TrustState;
use mulberry_shared::exit::Exit;
use mulberry_shared::limits::Limits;
use mulberry_shared::targeting::{ClientFacts, KnownWords};
use mulberry_shared::x509::Certificate;
use serde::Serialize;

use super::settings::{self, StateArg};
use super::{Failure, OutputArgs, show};
use crate::config::{self, Layer};
use crate::io::disk::StateFolder;
use crate::io::hook::missing_interpreter;
use crate::io::lock::{LOCK, Lock};
use crate::io::machine;
use crate::ports::Disk;
use crate::projections;
use crate::state::{self, OriginNote, State, new_client_id};
use crate::store::{replace, trust};

/// The folder of anchors in the state folder.
const ANCHORS: &str = "anchors";

/// Options of `mulberry-agent init`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
The root, the anchors and all settings are checked and copied into the state folder; nothing is fetched. A folder that
holds a state already is left alone.

Examples:
  mulberry-agent init --trust root.json --origin https://fixes.example/ --anchor anchor.pem --addons ./addons
  mulberry-agent init --trust root.json --origin http://127.0.0.1:8080/ --anchor anchor.pem --addons ./addons \\
      --origin file:///srv/mirror --state ./agent --version 66.0 --channel release --hook ./reload-certificates")]
pub struct Args {
    /// The TUF root to pin, as handed out by the people who sign
    #[arg(long, value_name = "FILE")]
    pub trust: PathBuf,
    /// The state folder.
    #[command(flatten)]
    pub state: StateArg,
    /// How to show the result.
    #[command(flatten)]
    pub output: OutputArgs,
    /// The settings to record.
    #[command(flatten)]
    pub settings: Layer,
}

/// What was made.
#[derive(Clone, Debug, Serialize)]
struct Made {
    format: u64,
    state: String,
    origins: Vec<String>,
    root_version: u64,
    root_expires: Timestamp,
    anchors: Vec<String>,
    client_id: String,
    version_known: bool,
    warnings: Vec<String>,
}

impl fmt::Display for Made {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Made {}", self.state)?;
        writeln!(f, "Pinned root version {}, which expires at {}", self.root_version, self.root_expires)?;
        for origin in &self.origins {
            writeln!(f, "Origin {origin}")?;
        }
        for anchor in &self.anchors {
            writeln!(f, "Anchor {anchor}")?;
        }
        if !self.version_known {
            writeln!(f, "The product's version was not given (--version): it counts as older than any")?;
        }
        for warning in &self.warnings {
            writeln!(f, "Warning: {warning}")?;
        }
        writeln!(f, "Next: mulberry-agent once --state {}", self.state)
    }
}

/// Makes the state folder.
///
/// # Errors
/// Anything that is given cannot be used, or there is a state already. Nothing that would count as a state is left then.
pub fn run(args: &Args, now: Timestamp, limits: &Limits) -> Result<Exit, Failure> {
    let here = std::env::current_dir().map_err(Failure::usage)?;
    let given = args.settings.clone().relative_to(&here);
    let checked = settings::check(given.clone())?;
    let root = files::read(&args.trust, limits.trust.root_bytes)
        .map_err(|error| Failure::usage(format!("root {}: {error}", args.trust.display())))?;
    let pinned = TrustState::pinned(&root, limits).map_err(|error| Failure {
        exit: Exit::TrustRefused,
        sentence: format!("root {}: {error}", args.trust.display()),
    })?;
    let mut anchors: Vec<Certificate> = Vec::new();
    for file in &checked.anchors {
        anchors.extend(settings::anchor_file(file, limits)?);
    }
    anchors.sort();
    anchors.dedup();
    for anchor in anchors.iter().filter(|anchor| anchor.not_after() < now) {
        // Not refused: a policy may judge by another time, and clocks are wrong on machines that are being set up.
        let (anchor, expired) = (anchor.described(), anchor.not_after());
        tracing::warn!("the anchor {anchor} expired at {expired}: add-ons that lead to it do not verify now");
    }
    settings::tls(&checked, limits)?;
    settings::proxies(&checked)?;
    // Links stay in it: they may lead elsewhere after the product's next update.
    let addons = std::path::absolute(&checked.addons)
        .and_then(|path| fs::read_dir(&path).map(|_| path))
        .map_err(|error| Failure::usage(format!("add-ons folder {}: {error}", checked.addons.display())))?;
    if let Some(hook) = &checked.hook {
        check_hook(hook)?;
    }

    let folder = args.state.folder()?;
    let disk = claim(&folder)?;
    let _lock = Lock::take(disk.root())?;
    if disk.read(state::FILE, u64::MAX).is_ok_and(|found| found.is_none()) {
        let names = anchors.iter().map(|anchor| PathBuf::from(format!("{ANCHORS}/{}.pem", anchor.sha256())));
        let origins: Vec<String> = checked.origins.iter().map(ToString::to_string).collect();
        let recorded =
            Layer { origins: origins.clone(), addons: Some(addons), anchors: names.collect(), ..given };
        let mut state = State::new(new_client_id(), machine::identity());
        state.origins = origins.iter().map(|origin| OriginNote::never(origin)).collect();
        write(&disk, &recorded, &anchors, &pinned, &state)
            .map_err(|error| Failure::usage(format!("{} cannot be written: {error}", folder.display())))?;
        let (root, version_known) = (pinned.trusted().root(), recorded.version.is_some());
        let made = Made {
            format: 1,
            state: folder.display().to_string(),
            origins,
            root_version: root.version,
            root_expires: root.expires,
            anchors: anchors.iter().map(Certificate::described).collect(),
            warnings: doubts(&checked.facts.of(&state.client_id)),
            client_id: state.client_id,
            version_known,
        };
        show(&made, args.output.into())?;
        return Ok(Exit::Yes);
    }
    Err(Failure::usage(format!(
        "{} holds a state already, which is left alone; name another folder with --state, or remove this one first",
        folder.display()
    )))
}

/// What the client says of itself that recipes would probably call otherwise: such a client gets no fix, in silence.
fn doubts(facts: &ClientFacts) -> Vec<String> {
    let doubts = facts.doubts(&KnownWords::default()).into_iter();
    doubts.map(|doubt| format!("{}: {doubt}", doubt.field)).collect()
}

/// Makes the folder, or takes over one that is empty, that an earlier `init` did not finish, or that `uninstall` left with
/// nothing but what the host reads.
fn claim(folder: &Path) -> Result<StateFolder, Failure> {
    let named = |problem: String| Failure::usage(format!("state folder {}: {problem}", folder.display()));
    let foreign = |entry: std::io::Result<fs::DirEntry>| match entry {
        Ok(entry) => Some(entry.file_name())
            .filter(|name| name != projections::ADDONS && name != projections::CERTIFICATES)
            .map(|name| name.to_string_lossy().into_owned()),
        Err(error) => Some(error.to_string()),
    };
    if let Ok(mut entries) = fs::read_dir(folder)
        && !folder.join(LOCK).exists()
        && let Some(foreign) = entries.find_map(foreign)
    {
        let sentence =
            format!("it holds other things, such as {foreign}; name a new or empty folder with --state");
        return Err(named(sentence));
    }
    StateFolder::create(folder).map_err(|error| named(error.to_string()))
}

/// `state.json` comes last: a folder without it is not yet a state.
fn write(
    disk: &dyn Disk,
    settings: &Layer,
    anchors: &[Certificate],
    pinned: &TrustState,
    state: &State,
) -> std::io::Result<()> {
    for folder in ["tmp", "trust", ANCHORS, "certificates"] {
        disk.make_folder(folder)?;
    }
    disk.sync_folder("")?;
    for anchor in anchors {
        replace(disk, &format!("{ANCHORS}/{}.pem", anchor.sha256()), anchor.to_pem().as_bytes())?;
    }
    trust::save(disk, &pinned.to_files())?;
    replace(disk, config::FILE, config::write_file(settings).as_bytes())?;
    state.save(disk)
}

fn check_hook(hook: &Path) -> Result<(), Failure> {
    let metadata =
        fs::metadata(hook).map_err(|error| Failure::usage(format!("hook {}: {error}", hook.display())))?;
    if metadata.is_file() && metadata.permissions().mode() & 0o111 != 0 {
        return match missing_interpreter(hook) {
            None => Ok(()),
            Some(interpreter) => Err(Failure::usage(format!(
                "hook {}: its first line names the interpreter {interpreter}, which is not on this machine",
                hook.display()
            ))),
        };
    }
    Err(Failure::usage(format!("hook {}: not an executable file; it is run without a shell", hook.display())))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use clap::Parser;

    use super::*;
    use crate::scene::{Server, anchor, time};

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        args: Args,
    }

    struct Place {
        folder: tempfile::TempDir,
    }

    impl Place {
        fn new() -> Self {
            let place = Self { folder: tempfile::tempdir().unwrap() };
            fs::write(place.at("root.json"), Server::new(time("2026-01-01T00:00:00Z")).root()).unwrap();
            fs::write(place.at("anchor.pem"), anchor().to_pem()).unwrap();
            fs::create_dir(place.at("addons")).unwrap();
            place
        }

        fn at(&self, name: &str) -> PathBuf {
            self.folder.path().join(name)
        }

        fn init(&self, more: &[&str]) -> Result<Exit, Failure> {
            let mut words = vec!["init".to_owned(), "--origin".into(), "http://127.0.0.1:1".into()];
            for (flag, name) in [
                ("--trust", "root.json"),
                ("--anchor", "anchor.pem"),
                ("--addons", "addons"),
                ("--state", "a/state"),
            ] {
                words.extend([flag.to_owned(), self.at(name).display().to_string()]);
            }
            words.extend(more.iter().map(|word| (*word).to_owned()));
            run(&Cli::try_parse_from(words).unwrap().args, time("2026-01-01T00:00:00Z"), &Limits::default())
        }
    }

    #[test]
    fn makes_a_state_that_the_other_commands_can_open_and_leaves_it_alone_after() {
        let place = Place::new();
        assert_eq!(place.init(&["--channel", "beta", "--version", "68.0b3"]).unwrap(), Exit::Yes);
        let disk = StateFolder::open(&place.at("a/state")).unwrap();
        assert_eq!(fs::metadata(place.at("a/state/state.json")).unwrap().mode() & 0o777, 0o600);
        let config = settings::load(&disk, disk.root(), Layer::default()).unwrap();
        let facts = config.facts.of("x");
        assert_eq!((facts.channel.as_str(), facts.version.to_string().as_str()), ("beta", "68.0b3"));
        let anchors = settings::anchors(&config.anchors, &Limits::default()).unwrap();
        assert!(anchors.contains(&anchor()));
        assert!(trust::load(&disk).unwrap().files.contains_key("root.json"));
        let state = State::load(&disk).unwrap();
        let failure = place.init(&[]).unwrap_err();
        assert!(failure.sentence.contains("holds a state already"), "{failure}");
        assert_eq!(State::load(&disk).unwrap(), state);
    }

    #[test]
    fn what_recipes_probably_call_otherwise_is_warned_of() {
        let facts = |words: &[&str]| {
            let place = Place::new();
            place.init(words).unwrap();
            let disk = StateFolder::open(&place.at("a/state")).unwrap();
            doubts(&settings::load(&disk, disk.root(), Layer::default()).unwrap().facts.of("x"))
        };
        assert_eq!(facts(&["--channel", "stable", "--country", "AT"]), [""; 0]);
        let told = facts(&[
            "--channel",
            "esr ",
            "--os",
            "windwos",
            "--arch",
            "x86-64",
            "--country",
            "UK",
            "--locale",
            "jp",
        ]);
        for (line, meant) in told.iter().zip(["\"esr\"", "\"windows\"", "\"x86_64\"", "\"ja\"", "\"GB\""]) {
            assert!(line.ends_with(&format!("did you mean {meant}?")), "{told:?}");
        }
        assert_eq!(told.len(), 5, "{told:?}");
        assert!(told[0].starts_with("channel: \"esr \" is not"), "{told:?}");
    }

    #[test]
    fn a_link_to_the_add_ons_is_followed_anew_each_time() {
        let place = Place::new();
        fs::rename(place.at("addons"), place.at("66")).unwrap();
        std::os::unix::fs::symlink(place.at("66"), place.at("addons")).unwrap();
        place.init(&[]).unwrap();
        let disk = StateFolder::open(&place.at("a/state")).unwrap();
        let config = settings::load(&disk, disk.root(), Layer::default()).unwrap();
        assert_eq!(config.addons, place.at("addons"));
    }

    #[test]
    fn an_init_that_died_half_way_is_finished_by_the_next() {
        let place = Place::new();
        place.init(&[]).unwrap();
        fs::remove_file(place.at("a/state/state.json")).unwrap();
        place.init(&[]).unwrap();
        State::load(&StateFolder::open(&place.at("a/state")).unwrap()).unwrap();
    }

    /// Wherever it dies, there is no state at all or a whole one, whose every file is durable.
    #[test]
    fn an_init_that_dies_after_any_effect_leaves_no_state_or_a_whole_one() {
        use crate::ports::doubles::MemoryDisk;
        let root = Server::new(time("2026-01-01T00:00:00Z")).root().to_vec();
        let pinned = TrustState::pinned(&root, &Limits::default()).unwrap();
        let make = |disk: &MemoryDisk| {
            write(disk, &Layer::default(), &[anchor()], &pinned, &State::new("x".into(), None))
        };
        let whole = MemoryDisk::default();
        make(&whole).unwrap();
        let (mut crashes, effects) = (0, whole.effects());
        for n in 0..=effects {
            let disk = MemoryDisk::default();
            disk.die_after(n);
            assert_eq!(make(&disk).is_ok(), n == effects);
            for (crash, after) in disk.crashes() {
                crashes += 1;
                match State::load(&after) {
                    Ok(_) => {
                        let (mut found, mut wanted) = (after.files(), whole.files());
                        found.remove("tmp/next");
                        wanted.remove("tmp/next");
                        assert_eq!(found, wanted, "{crash} after {n}");
                    }
                    Err(error) => {
                        assert!(matches!(error, state::StateError::Missing), "{crash} after {n}: {error}");
                        assert!(n < effects, "{crash}: it was acknowledged");
                    }
                }
                make(&after).unwrap();
                assert_eq!(after.files(), whole.files(), "{crash} after {n}: done again");
            }
        }
        assert!(crashes > effects, "{crashes} crashes after {effects} effects");
    }

    #[test]
    fn a_folder_with_other_things_is_not_taken() {
        let place = Place::new();
        fs::create_dir_all(place.at("a/state")).unwrap();
        fs::write(place.at("a/state/thesis.txt"), "x").unwrap();
        let mode = fs::metadata(place.at("a/state")).unwrap().mode();
        assert!(place.init(&[]).unwrap_err().sentence.contains("other things"));
        assert_eq!(fs::metadata(place.at("a/state")).unwrap().mode(), mode);
    }

    #[test]
    fn whatever_cannot_be_used_is_refused_before_anything_is_made() {
        let place = Place::new();
        fs::write(place.at("key.pem"), "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
            .unwrap();
        fs::write(place.at("hook"), "").unwrap();
        let (key, hook) = (place.at("key.pem").display().to_string(), place.at("hook").display().to_string());
        let cases: [(&[&str], &str); 5] = [
            (&["--anchor", &key], "key.pem"),
            (&["--hook", &hook], "not an executable"),
            (&["--policy", "none"], "policy"),
            (&["--version", "new"], "version"),
            (&["--pass-hours", "0"], "pass_hours"),
        ];
        for (more, named) in cases {
            let failure = place.init(more).unwrap_err();
            assert!(failure.sentence.contains(named), "{failure}");
            assert_eq!(failure.exit, Exit::Usage);
            assert!(!place.at("a").exists());
        }
        fs::write(place.at("root.json"), "{\"signed\":{},\"signatures\":[]}").unwrap();
        assert_eq!(place.init(&[]).unwrap_err().exit, Exit::TrustRefused);
        fs::remove_dir(place.at("addons")).unwrap();
        assert!(!place.at("a").exists());
    }
}
