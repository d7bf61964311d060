//! Verifying add-ons as the agent does, against the [`yardstick`].
//!
//! Each round measures, one after another:
//!
//! | what | how |
//! |---|---|
//! | the yardstick | inflate and hash |
//! | a full verification | an agent that knows nothing: list, examine, judge |
//! | a pass after an install | the same agent, the clock past the expiry: list, examine what changed (nothing), judge without the replacement and with it, and once more for the records |
//! | a re-hashing pass | the same agent: list, read and hash every file, judge |
//!
//! Every verdict is compared with the one to expect, so a measurement of something that does not verify fails.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use mulberry_agent::examine::{Archives, Corpus, Examiner, Reread, Settling};
use mulberry_agent::io::folder::RealAddons;
use mulberry_agent::ports::AddonFolder;
use mulberry_agent::stop::Stop;
use mulberry_shared::effects::Effects;
use mulberry_shared::limits::Limits;
use mulberry_shared::x509::{Anchors, Certificate};
use mulberry_shared::xpi::Policy;
use serde::Serialize;

use super::series::{Bound, Ratio, Series, timed};
use super::yardstick::{self, Done, Plan};
use crate::LabError;
use crate::corpus::{self, CorpusSpec, CorpusTable, Signed};
use crate::pki::{Incident, KeyKind, LabCertificate};

/// Threads of everything that is measured.
const THREADS: usize = 2;

/// What is measured.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// Add-ons of about 50 KB.
    pub addons: usize,
    /// Rounds.
    pub rounds: usize,
    /// Keys of anchors and intermediates.
    pub keys: KeyKind,
    /// How the add-ons are signed.
    pub signed: Signed,
}

/// What was found.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Add-ons.
    pub addons: usize,
    /// How they are signed.
    pub signed: Signed,
    /// Bytes of all archives.
    pub archive_bytes: u64,
    /// Bytes of all their files.
    pub content_bytes: u64,
    /// Threads.
    pub threads: usize,
    /// Rounds.
    pub rounds: usize,
    /// Median seconds of each thing on the wall.
    pub seconds: BTreeMap<&'static str, f64>,
    /// The ratios.
    pub ratios: Vec<Ratio>,
}

/// Measures; `progress` is told what is going on.
///
/// # Errors
/// The corpus cannot be made, or something was not verified as expected.
pub fn measure(spec: &Spec, progress: &(dyn Fn(&str) + Sync)) -> Result<Report, LabError> {
    let folder = tempfile::Builder::new()
        .prefix("mulberry-bench")
        .tempdir()
        .map_err(LabError::file(std::env::temp_dir()))?;
    progress(&format!("signing {} add-ons", spec.addons));
    let corpus_spec = CorpusSpec {
        addons: spec.addons,
        seed: 1,
        expired_at: expired_at()?,
        keys: spec.keys,
        signed: spec.signed,
    };
    let (incident, table) = corpus::write(folder.path(), &corpus_spec, &|_| {})?;
    let plans: Vec<Plan> = table
        .addons
        .iter()
        .map(|addon| Plan::of(folder.path().join(&addon.file)))
        .collect::<Result<_, _>>()?;
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(THREADS)
        .build()
        .map_err(|error| LabError::Impossible(format!("threads for a measurement: {error}")))?;
    let scene = Scene::new(folder.path(), &incident, table)?;
    pool.install(|| scene.rounds(spec, &plans, progress))
}

struct Scene {
    addons: RealAddons,
    anchors: Anchors,
    replaced: Effects,
    expired_at: Timestamp,
    table: CorpusTable,
}

/// Which verdicts are expected.
#[derive(Clone, Copy)]
enum Column {
    Before,
    Expired,
    Replaced,
}

impl Scene {
    fn new(folder: &Path, incident: &Incident, table: CorpusTable) -> Result<Self, LabError> {
        let parsed = |certificate: &LabCertificate| {
            Certificate::parse_der(certificate.der(), &Limits::default().x509)
                .map_err(|error| LabError::Impossible(error.to_string()))
        };
        Ok(Self {
            addons: RealAddons::new(folder.join("addons")),
            anchors: [parsed(&incident.anchor)?].into_iter().collect(),
            replaced: Effects { pool: vec![parsed(&incident.replacement)?], ..Effects::default() },
            expired_at: table.expired_at,
            table,
        })
    }

    fn rounds(
        &self,
        spec: &Spec,
        plans: &[Plan],
        progress: &(dyn Fn(&str) + Sync),
    ) -> Result<Report, LabError> {
        let [mut least, mut full, mut installed, mut rehash] = [const { Series::new() }; 4];
        // Warms the cache, and says what there is.
        let done: Done = yardstick::measure(plans)?;
        for round in 1..=spec.rounds {
            progress(&format!("verification, round {round} of {}", spec.rounds));
            let (again, sample) = timed(|| yardstick::measure(plans));
            if again? != done {
                return Err(LabError::Impossible("the add-ons changed while they were measured".into()));
            }
            least.push(sample);
            // Nothing writes these files any more, so there is nothing to wait for; files not yet settled would rightly be
            // read again, which is not what is to be measured.
            let agent = Archives::new(self.anchors.clone(), Policy::firefox(), Limits::default())
                .with_settling(Settling::AtOnce);
            let (made, sample) = timed(|| self.full(&agent));
            made?;
            full.push(sample);
            let (made, sample) = timed(|| self.after_install(&agent));
            made?;
            installed.push(sample);
            let (made, sample) = timed(|| self.rehash(&agent));
            made?;
            rehash.push(sample);
        }
        let seconds = [
            ("inflate-and-hash", &least),
            ("full-verification", &full),
            ("pass-after-install", &installed),
            ("re-hashing-pass", &rehash),
        ];
        Ok(Report {
            addons: plans.len(),
            signed: spec.signed,
            archive_bytes: done.archives,
            content_bytes: done.content,
            threads: THREADS,
            rounds: spec.rounds,
            seconds: seconds.map(|(name, series)| (name, series.wall())).into(),
            ratios: vec![
                full.ratio_to(&least, "full verification to inflating and hashing", Bound::AtMost(1.6)),
                installed.ratio_to(&full, "pass after an install to a full one", Bound::AtMost(0.1)),
                rehash.ratio_to(&least, "re-hashing pass to inflating and hashing", Bound::AtMost(1.2)),
            ],
        })
    }

    fn full(&self, agent: &Archives) -> Result<(), LabError> {
        let corpus = self.examine(agent, Reread::Changed)?;
        self.judge(&*corpus, &Effects::default(), Column::Before)
    }

    fn after_install(&self, agent: &Archives) -> Result<(), LabError> {
        let corpus = self.examine(agent, Reread::Changed)?;
        self.judge(&*corpus, &Effects::default(), Column::Expired)?;
        self.judge(&*corpus, &self.replaced, Column::Replaced)?;
        self.judge(&*corpus, &self.replaced, Column::Replaced)
    }

    fn rehash(&self, agent: &Archives) -> Result<(), LabError> {
        let corpus = self.examine(agent, Reread::All)?;
        self.judge(&*corpus, &self.replaced, Column::Replaced)
    }

    fn examine<'a>(&self, agent: &'a Archives, reread: Reread) -> Result<Box<dyn Corpus + 'a>, LabError> {
        let listed = self.addons.list().map_err(LabError::file("the add-ons"))?;
        Ok(agent.examine(&self.addons, &listed.addons, reread, &Stop::new()))
    }

    fn judge(&self, corpus: &dyn Corpus, trust: &Effects, column: Column) -> Result<(), LabError> {
        let hour = SignedDuration::from_hours(1);
        let at = match column {
            Column::Before => self.expired_at.checked_sub(hour),
            Column::Expired | Column::Replaced => self.expired_at.checked_add(hour),
        };
        let at = at.map_err(|error| LabError::Impossible(error.to_string()))?;
        let verdicts = corpus.judge(trust, at);
        for addon in &self.table.addons {
            let expected = match column {
                Column::Before => &addon.verdicts.before,
                Column::Expired => &addon.verdicts.expired,
                Column::Replaced => &addon.verdicts.replaced,
            };
            let path = addon.file.trim_start_matches("addons/");
            let found = verdicts.get(path).map(|verdict| verdict.kind.as_str());
            if found != Some(expected.as_str()) {
                return Err(LabError::Impossible(format!(
                    "a measurement in which {path} is {found:?} instead of {expected}"
                )));
            }
        }
        Ok(())
    }
}

fn expired_at() -> Result<Timestamp, LabError> {
    "2019-05-04T00:09:46Z".parse().map_err(|error: jiff::Error| LabError::Impossible(error.to_string()))
}
