//! Kills of an agent during applies and undos.
//!
//! Two recipes are published and withdrawn in turn: one installs a certificate, the other distrusts a second one, so that
//! both the certificates folder and the add-ons change each time. After each kill a reader looks, and the next run must
//! arrive exactly where undisturbed runs do.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::process::ExitStatusExt as _;
use std::process::Stdio;
use std::time::{Duration, Instant};

use mulberry_agent::state::{AddonRecord, State};
use mulberry_shared::recipe::{
    Action, DistrustCertificates, DistrustEntry, InstallCertificates, Recipe, RecipePath,
};
use mulberry_shared::x509::Certificate;
use serde::Serialize;

use super::aim::{median, moments, wait_until};
use super::publisher::{Answer, Publisher, failed, recipe};
use super::{milliseconds, note, one_sided};
use crate::process::command;
use crate::replay::material::Material;
use crate::stage::{Stage, StageError};

/// Undisturbed runs of each kind from which the window is measured.
const UNDISTURBED: usize = 5;
const ADDONS: usize = 20;
const NAME: &str = "a";
const INSTALL: &str = "install";
const DISTRUST: &str = "distrust";

/// What was found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Figures {
    /// Runs that apply.
    pub apply: Kind,
    /// Runs that undo.
    pub undo: Kind,
    /// What was damaged or did not converge.
    pub problems: Vec<String>,
}

/// Kills of one kind of run.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Kind {
    /// Kills.
    pub kills: usize,
    /// Median time of an undisturbed run, from the start of the process to its end.
    pub window_ms: f64,
    /// Kills that fell inside that window.
    pub inside_window: usize,
    /// Kills that left the old state.
    pub before_commit: usize,
    /// Kills that left the new state.
    pub after_commit: usize,
    /// Those of them that left what the host sees behind the state, for the next run to bring up.
    pub behind: usize,
    /// Runs that had ended before the kill.
    pub too_late: usize,
    /// Next runs that arrived where undisturbed ones do: all must.
    pub converged: usize,
}

/// What an agent holds and shows. Equal means: nobody can tell the difference.
#[derive(Clone, Debug, PartialEq)]
struct Held {
    enrolled: BTreeSet<(RecipePath, u64)>,
    addons: BTreeMap<String, AddonRecord>,
    shown: BTreeMap<String, Vec<u8>>,
}

struct Scene {
    stage: Stage,
    publisher: Publisher,
    install: Action,
    distrust: Action,
    revision: u64,
}

/// Kills an agent `kills` times, half of them during applies. `progress` is told how many are done.
///
/// # Errors
/// When the stage fails.
pub fn run(kills: usize, progress: &dyn Fn(usize)) -> Result<Figures, StageError> {
    let folder = tempfile::tempdir().map_err(failed)?;
    let material = Material::laboratory(folder.path(), ADDONS, &|_| ())?;
    let mut scene = Scene::new(&material, folder.path())?;
    let mut figures = Figures::default();

    // The end of an undisturbed run, by what it leads to. Revisions rise, so what is enrolled is compared apart.
    let mut ends: BTreeMap<bool, Held> = BTreeMap::new();
    let mut times: BTreeMap<bool, Vec<Duration>> = BTreeMap::new();
    let mut applies = true;
    for _ in 0..2 * UNDISTURBED {
        scene.publish(applies)?;
        let started = Instant::now();
        scene.stage.agent(NAME, &["once"])?.expect_code(0)?;
        times.entry(applies).or_default().push(started.elapsed());
        let held = scene.held()?;
        if held.enrolled != scene.wanted(applies)? {
            return Err(StageError(format!("an undisturbed run did not do it: {:?}", held.enrolled)));
        }
        if let Some(first) = ends.get(&applies)
            && (&first.addons, &first.shown) != (&held.addons, &held.shown)
        {
            return Err(StageError("two undisturbed runs do not end alike".into()));
        }
        ends.entry(applies).or_insert(held);
        applies = !applies;
    }
    let window = |applies: bool| median(times.get(&applies).map_or(&[], Vec::as_slice));
    figures.apply.window_ms = milliseconds(window(true));
    figures.undo.window_ms = milliseconds(window(false));

    let (apply, undo) = (moments(window(true), kills.div_ceil(2)), moments(window(false), kills / 2));
    let mut moments = [undo.into_iter(), apply.into_iter()];
    for n in 0..kills {
        let Some(moment) = moments[usize::from(applies)].next() else { break };
        let kind = if applies { &mut figures.apply } else { &mut figures.undo };
        let end = ends.get(&applies).ok_or_else(|| StageError("nothing was undisturbed".into()))?;
        kind.kills += 1;
        kind.inside_window += usize::from(moment <= window(applies));
        if let Err(problem) = scene.shoot(applies, moment, end, kind) {
            note(&mut figures.problems, format!("kill {n}: {problem}"));
        }
        applies = !applies;
        progress(n + 1);
    }
    for kind in [&figures.apply, &figures.undo] {
        one_sided(&mut figures.problems, kind.kills, kind.before_commit, kind.after_commit);
    }
    scene.stage.stop_server()?;
    Ok(figures)
}

impl Scene {
    fn new(material: &Material, folder: &std::path::Path) -> Result<Self, StageError> {
        // Before the expiry: nothing needs the replacement, so that its undo is never refused.
        let mut stage = Stage::new(Some(material.healthy_at))?;
        stage.start_server()?;
        stage.init_agent(NAME, &material.anchor, &material.addons, &["--version", "66.0"])?;
        let mut publisher = Publisher::new(&stage)?;
        publisher.refresh(&stage)?;
        stage.agent(NAME, &["once"])?.expect_code(0)?;
        let certificate = |path: &std::path::Path| {
            let pem = std::fs::read(path).map_err(failed)?;
            let found = Certificate::parse_pem(&pem, &publisher.limits().x509).map_err(failed)?;
            found.into_iter().next().ok_or_else(|| StageError(format!("{} is empty", path.display())))
        };
        let control = certificate(&folder.join("certificates/control.pem"))?;
        let install = Action::InstallCertificates(InstallCertificates {
            certificates: vec![certificate(&material.replacement)?],
        });
        let distrust = Action::DistrustCertificates(DistrustCertificates {
            by: vec![DistrustEntry::Spki(control.spki_sha256())],
        });
        Ok(Self { stage, publisher, install, distrust, revision: 0 })
    }

    fn recipes(&self) -> Result<[Recipe; 2], StageError> {
        let now = self.stage.now();
        Ok([
            recipe(INSTALL, self.revision, self.install.clone(), now)?,
            recipe(DISTRUST, self.revision, self.distrust.clone(), now)?,
        ])
    }

    /// Publishes both recipes and opens their gates, or withdraws them.
    fn publish(&mut self, applies: bool) -> Result<(), StageError> {
        let now = self.stage.now();
        self.revision += u64::from(applies);
        let recipes = self.recipes()?;
        let request = if applies {
            self.publisher.sign(&recipes, &[], now)?
        } else {
            self.publisher.sign(&[], &[INSTALL, DISTRUST], now)?
        };
        let Answer::Acknowledged(_) = self.publisher.publish(self.stage.operators(), &request)? else {
            return Err(StageError("the server does not answer".into()));
        };
        for recipe in recipes.iter().filter(|_| applies) {
            self.publisher.open_gate(self.stage.operators(), recipe)?;
        }
        self.publisher.refresh(&self.stage).map(drop)
    }

    fn wanted(&self, applies: bool) -> Result<BTreeSet<(RecipePath, u64)>, StageError> {
        let recipes = self.recipes()?;
        Ok(recipes.iter().filter(|_| applies).map(|recipe| (recipe.path(), recipe.revision)).collect())
    }

    /// What the agent holds now, read as any reader may.
    fn held(&self) -> Result<Held, StageError> {
        let folder = self.stage.path(&format!("agents/{NAME}"));
        let bytes = std::fs::read(folder.join("state.json")).map_err(failed)?;
        let state: State = serde_json::from_slice(&bytes)
            .map_err(|error| StageError(format!("state.json is damaged: {error}")))?;
        let mut shown = BTreeMap::new();
        let addons = std::fs::read(folder.join("addons.json")).map_err(failed)?;
        shown.insert("addons.json".to_owned(), addons);
        for entry in std::fs::read_dir(folder.join("certificates")).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            shown.insert(name, std::fs::read(&path).map_err(failed)?);
        }
        let enrolled = state.enrolments.iter().map(|enrolment| (enrolment.path.clone(), enrolment.revision));
        Ok(Held { enrolled: enrolled.collect(), addons: state.addons, shown })
    }

    /// One kill, what a reader finds, and the next run. `end` is where an undisturbed run ends.
    fn shoot(
        &mut self,
        applies: bool,
        moment: Duration,
        end: &Held,
        kind: &mut Kind,
    ) -> Result<(), StageError> {
        let old = self.held()?;
        self.publish(applies)?;
        let new = Held { enrolled: self.wanted(applies)?, ..end.clone() };
        let ended = self.kill_at(moment)?;

        self.stage.status(NAME)?;
        let found = self.held()?;
        let is = |whole: &Held| found.enrolled == whole.enrolled && found.addons == whole.addons;
        match (is(&old), is(&new), ended) {
            (_, false, true) => return Err(StageError("a run that ended well did not do it".into())),
            (_, _, true) => kind.too_late += 1,
            (true, ..) => kind.before_commit += 1,
            (_, true, _) => kind.after_commit += 1,
            _ => return Err(StageError("what was left is neither the old state nor the new".into())),
        }
        if is(&old) && found.shown != old.shown {
            return Err(StageError("the host sees what was never committed".into()));
        }
        kind.behind += usize::from(is(&new) && found.shown != new.shown);
        for (name, bytes) in &found.shown {
            if ![old.shown.get(name), new.shown.get(name)].contains(&Some(bytes)) {
                return Err(StageError(format!("{name} is neither old nor new")));
            }
        }

        self.stage.agent(NAME, &["once"])?.expect_code(0)?;
        if self.held()? != new {
            return Err(StageError("the next run does not arrive where an undisturbed one does".into()));
        }
        kind.converged += 1;
        Ok(())
    }

    /// Runs the agent and kills it at `moment` after its start; whether it had ended well before.
    fn kill_at(&self, moment: Duration) -> Result<bool, StageError> {
        let mut start = command(&self.stage.binaries().agent(), self.stage.folder());
        start.args(["once", "--state", &format!("agents/{NAME}")]).args(self.stage.clock_arguments());
        start.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let begun = Instant::now();
        let mut process = start.spawn().map_err(failed)?;
        wait_until(begun + moment);
        // One that has ended already cannot be killed, and its exit code tells.
        let _ = process.kill();
        let status = process.wait().map_err(failed)?;
        match (status.signal(), status.code()) {
            (Some(9), _) => Ok(false),
            (_, Some(0)) => Ok(true),
            _ => Err(StageError(format!("the agent ended by itself: {status}"))),
        }
    }
}
