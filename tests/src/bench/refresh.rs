//! Refreshes of one origin: our client against python-tuf, the reference implementation, each in one warm process.
//!
//! | what | how |
//! |---|---|
//! | cold | a client that knows only the first root: refresh, with every recipe, to files |
//! | no change | the client goes on from what it has, and asks whether there is news: ours as the daemon does, which reads and verifies its files once a process and once a change; python-tuf from its files, as it always does |
//! | durable | our cold refresh once more, and waiting until each file has reached the disk, as the agent does |
//!
//! python-tuf does not wait for the disk, so neither does ours where the two are compared. Both keep their connections.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use jiff::Timestamp;
use mulberry_agent::backoff::Dice;
use mulberry_agent::config::{Origin, TlsDates, parse_origin};
use mulberry_agent::driver::StoredTrust;
use mulberry_agent::io::clock::SystemClock;
use mulberry_agent::io::disk::StateFolder;
use mulberry_agent::io::http::HttpOrigin;
use mulberry_agent::io::tls::Tls;
use mulberry_agent::ports::Disk;
use mulberry_agent::refresh::{Origins, refresh};
use mulberry_agent::state::RefreshOutcome;
use mulberry_shared::edition::TrustState;
use mulberry_shared::limits::Limits;
use serde::Serialize;
use tokio::runtime::Runtime;

use super::series::{Bound, Ratio, Sample, Series, timed};
use crate::LabError;
use crate::python_tuf::Python;
use crate::stage::{Stage, StageError};

const SCRIPT: &str = include_str!("refresh/python_tuf.py");

/// Refreshes without change in one measurement: one alone is over too soon.
const SAME: u32 = 20;

/// What is measured.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// Rounds.
    pub rounds: usize,
    /// Recipes at the origin.
    pub recipes: usize,
}

/// What was found.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Recipes at the origin.
    pub recipes: usize,
    /// Rounds.
    pub rounds: usize,
    /// Median milliseconds of one refresh of each thing on the wall.
    pub milliseconds: BTreeMap<&'static str, f64>,
    /// The ratios.
    pub ratios: Vec<Ratio>,
}

/// Measures; `progress` is told what is going on.
///
/// # Errors
/// A program cannot be started, or a refresh did not end as it should.
pub fn measure(spec: &Spec, python: &Python, progress: &(dyn Fn(&str) + Sync)) -> Result<Report, LabError> {
    let failed = |error: StageError| LabError::Impossible(error.to_string());
    progress(&format!("publishing {} recipes", spec.recipes));
    let mut stage = Stage::new(None).map_err(failed)?;
    stage.start_server().map_err(failed)?;
    let slugs: Vec<String> = (1..=spec.recipes).map(|number| format!("recipe-{number}")).collect();
    for slug in &slugs {
        stage.write_recipe(slug).map_err(failed)?;
    }
    stage.publish("emergency", "recipes").map_err(failed)?;
    let mut ours = Ours::new(&stage, spec.recipes)?;
    let mut theirs = Theirs::start(python, &stage, &slugs)?;
    let [mut cold, mut their_cold, mut same, mut their_same, mut durable] = [const { Series::new() }; 5];
    for round in 0..=spec.rounds {
        let warming = round == 0;
        progress(&match warming {
            true => "refreshes, to get warm".to_owned(),
            false => format!("refreshes, round {round} of {}", spec.rounds),
        });
        for (series, sample) in [
            (&mut durable, ours.cold(Syncs::Waits)?),
            (&mut cold, ours.cold(Syncs::Goes)?),
            (&mut their_cold, theirs.ask("cold", 1)?),
            (&mut same, ours.same()?),
            (&mut their_same, theirs.ask(&format!("same {SAME}"), SAME)?),
        ] {
            if !warming {
                series.push(sample);
            }
        }
    }
    let all = [
        ("mulberry-cold", &cold),
        ("python-tuf-cold", &their_cold),
        ("mulberry-no-change", &same),
        ("python-tuf-no-change", &their_same),
        ("mulberry-cold-durable", &durable),
    ];
    Ok(Report {
        recipes: spec.recipes,
        rounds: spec.rounds,
        milliseconds: all.map(|(name, series)| (name, series.wall() * 1e3)).into(),
        ratios: vec![
            their_same.ratio_to(&same, "python-tuf's refresh without change to ours", Bound::AtLeast(3.0)),
            their_cold.ratio_to(&cold, "python-tuf's cold refresh to ours", Bound::AtLeast(3.0)),
        ],
    })
}

/// Whether a file is on the disk before work goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Syncs {
    Waits,
    Goes,
}

/// The library of the agent.
struct Ours {
    root: Vec<u8>,
    folder: PathBuf,
    trust: StoredTrust,
    recipes: usize,
    origin: HttpOrigin,
    runtime: Runtime,
    limits: Limits,
}

impl Ours {
    fn new(stage: &Stage, recipes: usize) -> Result<Self, LabError> {
        let impossible = |error: &dyn std::fmt::Display| LabError::Impossible(error.to_string());
        let root = stage.path("authority/root.json");
        let root = std::fs::read(&root).map_err(LabError::file(&root))?;
        let Origin::Http(url) = parse_origin(stage.origin()).map_err(|error| impossible(&error))? else {
            return Err(LabError::Impossible("the stage's origin is no address".into()));
        };
        let tls = Tls::new(TlsDates::default(), Vec::new()).map_err(|error| impossible(&error))?;
        let origin = HttpOrigin::new(url, &tls).map_err(|error| impossible(&error))?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| impossible(&error))?;
        let (folder, trust, limits) = (stage.path("ours"), StoredTrust::default(), Limits::default());
        Ok(Self { root, folder, trust, recipes, origin, runtime, limits })
    }

    fn cold(&mut self, syncs: Syncs) -> Result<Sample, LabError> {
        if self.folder.exists() {
            std::fs::remove_dir_all(&self.folder).map_err(LabError::file(&self.folder))?;
        }
        let disk = self.disk(syncs)?;
        let (done, sample) = timed(|| {
            let pinned = TrustState::pinned(&self.root, &self.limits);
            let pinned = pinned.map_err(|error| LabError::Impossible(error.to_string()))?;
            self.refresh(pinned, None, &disk)
        });
        done.map(|()| sample)
    }

    fn same(&mut self) -> Result<Sample, LabError> {
        let disk = self.disk(Syncs::Goes)?;
        let (done, sample) = timed(|| {
            (0..SAME).try_for_each(|_| {
                let stored = self.trust.load(&disk, &self.limits);
                let stored = stored.map_err(|error| LabError::Impossible(error.to_string()))?;
                self.refresh(stored.clone(), Some(stored), &disk)
            })
        });
        done.map(|()| shared_by(sample, SAME))
    }

    fn disk(&self, syncs: Syncs) -> Result<Unhurried, LabError> {
        let folder = StateFolder::create(&self.folder).map_err(LabError::file(&self.folder))?;
        Ok(Unhurried { folder, syncs })
    }

    /// A refresh as the agent makes one, and its result on disk, where `stored` lies.
    fn refresh(
        &self,
        state: TrustState,
        stored: Option<TrustState>,
        disk: &dyn Disk,
    ) -> Result<(), LabError> {
        let origins = Origins { all: vec![&self.origin], first: None, dice: Dice::new(1) };
        let clock = SystemClock::new(None);
        let mut notes = Vec::new();
        let work = refresh(state, &origins, &mut notes, Timestamp::now(), &clock, &self.limits);
        let (state, refreshed) = self.runtime.block_on(work);
        let kept = self.trust.save(disk, stored.as_ref(), &state);
        kept.map_err(LabError::file(&self.folder))?;
        let edition = state.edition(&self.limits);
        let recipes =
            edition.iter().flat_map(|edition| edition.lanes.values().map(|lane| lane.recipes.len()));
        if refreshed.outcome == RefreshOutcome::Current && recipes.sum::<usize>() == self.recipes {
            return Ok(());
        }
        Err(LabError::Impossible(format!("our refresh did not bring every recipe: {}", refreshed.detail)))
    }
}

/// A state folder that waits for the disk, or does not.
struct Unhurried {
    folder: StateFolder,
    syncs: Syncs,
}

impl Disk for Unhurried {
    fn read(&self, path: &str, max_bytes: u64) -> io::Result<Option<Vec<u8>>> {
        self.folder.read(path, max_bytes)
    }

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        self.folder.list(folder)
    }

    fn make_folder(&self, folder: &str) -> io::Result<()> {
        self.folder.make_folder(folder)
    }

    fn write(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        self.folder.write(path, bytes)
    }

    fn sync_file(&self, path: &str) -> io::Result<()> {
        if self.syncs == Syncs::Waits { self.folder.sync_file(path) } else { Ok(()) }
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.folder.rename(from, to)
    }

    fn sync_folder(&self, folder: &str) -> io::Result<()> {
        if self.syncs == Syncs::Waits { self.folder.sync_folder(folder) } else { Ok(()) }
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        self.folder.remove(path)
    }
}

/// The script, running. Dropping it ends it.
struct Theirs {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Theirs {
    fn start(python: &Python, stage: &Stage, slugs: &[String]) -> Result<Self, LabError> {
        let (folder, root) = (stage.path("theirs"), stage.path("authority/root.json"));
        std::fs::create_dir_all(&folder).map_err(LabError::file(&folder))?;
        std::fs::copy(&root, folder.join("root.json")).map_err(LabError::file(&root))?;
        let mut command = python.command(stage.folder());
        command.args(["-c", SCRIPT, stage.origin().trim_end_matches('/')]).arg(&folder);
        command.args(slugs.iter().map(|slug| format!("emergency/{slug}.json")));
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().map_err(LabError::file(Path::new("python")))?;
        match (process.stdin.take(), process.stdout.take()) {
            (Some(input), Some(output)) => Ok(Self { process, input, output: BufReader::new(output) }),
            _ => Err(LabError::Impossible("the script has no input or output".into())),
        }
    }

    /// Has something done; the time of one of `count`.
    fn ask(&mut self, what: &str, count: u32) -> Result<Sample, LabError> {
        let mut line = String::new();
        writeln!(self.input, "{what}")
            .and_then(|()| self.input.flush())
            .and_then(|()| self.output.read_line(&mut line))
            .map_err(LabError::file(Path::new("python")))?;
        let mut figures = line.split_whitespace().map_while(|figure| figure.parse().ok());
        match (figures.next(), figures.next()) {
            (Some(wall), cpu) => Ok(shared_by(Sample { wall, cpu }, count)),
            _ => Err(LabError::Impossible(format!("python-tuf did not do {what:?}; it says above why"))),
        }
    }
}

impl Drop for Theirs {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn shared_by(sample: Sample, count: u32) -> Sample {
    let count = f64::from(count);
    Sample { wall: sample.wall / count, cpu: sample.cpu.map(|cpu| cpu / count) }
}
