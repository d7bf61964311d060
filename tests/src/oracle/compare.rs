//! Both verdicts side by side, and what may differ.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use mulberry_shared::limits::Limits;
use mulberry_shared::x509::{Anchors, Certificate, Distrust, Pool, SignatureMemo};
use mulberry_shared::xpi::{JudgeContext, Policy, Refusal, VerdictKind, WeakestDigest, inspect};
use serde::Serialize;

use super::firefox::{Firefox, Root, Setting};
use super::making::test_root;
use super::shapes::{self, Made};
use crate::python_tuf::Python;
use crate::{LabError, real};

/// What is to be asked.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// Random combinations besides.
    pub random: u64,
    /// What they follow from.
    pub seed: u64,
    /// Whether the fixed add-ons are asked about too.
    pub fixed: bool,
}

/// One add-on, judged by both.
#[derive(Clone, Debug, Serialize)]
pub struct Compared {
    /// What it is.
    pub name: String,
    /// The weakest signer that both accept.
    pub weakest: WeakestDigest,
    /// Our verdict.
    pub ours: VerdictKind,
    /// Our sentence.
    pub detail: String,
    /// Firefox's.
    pub firefox: String,
    /// The entry of the closed list that decided ours.
    pub refusal: Option<Refusal>,
    /// How they stand to each other.
    pub outcome: Outcome,
}

/// How two verdicts stand to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Both accept.
    BothAccept,
    /// Both refuse, whatever their reasons.
    BothRefuse,
    /// We refuse what is on the closed list and Firefox accepts.
    ClosedList,
    /// We accept what Firefox refuses.
    AcceptedAgainst,
    /// We refuse what Firefox accepts, outside the closed list.
    RefusedAgainst,
    /// It is on the closed list, but the two agree: the list, or the add-on, is wrong.
    ListedInVain,
}

impl Outcome {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::BothAccept,
        Self::BothRefuse,
        Self::ClosedList,
        Self::AcceptedAgainst,
        Self::RefusedAgainst,
        Self::ListedInVain,
    ];

    /// Whether it may be.
    #[must_use]
    pub fn is_right(self) -> bool {
        matches!(self, Self::BothAccept | Self::BothRefuse | Self::ClosedList)
    }

    /// In words.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BothAccept => "both accept",
            Self::BothRefuse => "both refuse",
            Self::ClosedList => "refused by the closed list",
            Self::AcceptedAgainst => "ACCEPTED AGAINST FIREFOX",
            Self::RefusedAgainst => "REFUSED OUTSIDE THE CLOSED LIST",
            Self::ListedInVain => "LISTED IN VAIN",
        }
    }

    /// `listed` are the entries of the closed list that the add-on was made for; none for a random one.
    fn of(ours: bool, firefox: bool, refusal: Option<Refusal>, listed: &[Refusal]) -> Self {
        match (ours, firefox) {
            (true, false) => Self::AcceptedAgainst,
            (false, true) if refusal.is_some() => Self::ClosedList,
            (false, true) => Self::RefusedAgainst,
            _ if !listed.is_empty() => Self::ListedInVain,
            (true, true) => Self::BothAccept,
            (false, false) => Self::BothRefuse,
        }
    }
}

/// What was found.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Judgements.
    pub asked: usize,
    /// Different add-ons.
    pub addons: usize,
    /// By outcome.
    pub outcomes: BTreeMap<Outcome, usize>,
    /// How often each entry of the closed list decided against Firefox.
    pub refusals: BTreeMap<Refusal, usize>,
    /// Entries of the closed list that no add-on was seen to be refused by.
    pub unseen: Vec<Refusal>,
    /// How often each of our verdicts met each of Firefox's.
    pub reasons: BTreeMap<VerdictKind, BTreeMap<String, usize>>,
    /// What is not right.
    pub differences: Vec<Compared>,
    /// All of them.
    pub all: Vec<Compared>,
}

impl Report {
    /// Whether nothing differs but what may, and all that may was seen to.
    #[must_use]
    pub fn is_right(&self) -> bool {
        self.differences.is_empty() && self.unseen.is_empty()
    }
}

/// One add-on to be asked about.
struct Question {
    made: Made,
    setting: Setting,
    /// A random one is on the closed list only by our own word.
    random: bool,
}

/// Makes all add-ons and asks both.
///
/// # Errors
/// An add-on cannot be made, or Firefox does not answer.
pub fn run(
    spec: &Spec,
    python: &Python,
    folder: &Path,
    progress: &dyn Fn(usize, usize),
) -> Result<Report, LabError> {
    let root = test_root(folder)?;
    let ours = Ours::new(&root)?;
    let mut all = Vec::new();
    let questions = questions(spec, &root)?;
    let count = questions.len();
    let place = tempfile::tempdir().map_err(LabError::file(std::env::temp_dir()))?;
    let path = place.path().join("asked.xpi");
    let mut firefox: Option<(Setting, Firefox)> = None;
    for question in questions {
        let Question { made, setting, random } = question?;
        let mut asked = match firefox.take() {
            Some((before, firefox)) if before == setting => firefox,
            _ => Firefox::start(python, folder, setting)?,
        };
        std::fs::write(&path, &made.bytes).map_err(LabError::file(&path))?;
        let answer = asked.ask(&path)?;
        firefox = Some((setting, asked));
        all.push(ours.compare(&made, setting, random, answer.result));
        progress(all.len(), count.max(all.len()));
    }
    Ok(report(spec, all))
}

fn report(spec: &Spec, all: Vec<Compared>) -> Report {
    let mut outcomes: BTreeMap<Outcome, usize> = BTreeMap::new();
    let mut refusals: BTreeMap<Refusal, usize> = BTreeMap::new();
    let mut reasons: BTreeMap<VerdictKind, BTreeMap<String, usize>> = BTreeMap::new();
    for one in &all {
        *outcomes.entry(one.outcome).or_default() += 1;
        *reasons.entry(one.ours).or_default().entry(one.firefox.clone()).or_default() += 1;
        if one.outcome == Outcome::ClosedList {
            one.refusal.into_iter().for_each(|refusal| *refusals.entry(refusal).or_default() += 1);
        }
    }
    let unseen =
        Refusal::ALL.into_iter().filter(|refusal| spec.fixed && !refusals.contains_key(refusal)).collect();
    let addons = all.iter().map(|one| one.name.as_str()).collect::<BTreeSet<_>>().len();
    let differences = all.iter().filter(|one| !one.outcome.is_right()).cloned().collect();
    Report { asked: all.len(), addons, outcomes, refusals, unseen, reasons, differences, all }
}

/// All questions, those for one Firefox after another. They are made one by one: together they have gigabytes.
#[allow(clippy::type_complexity)]
fn questions<'r>(spec: &Spec, root: &'r crate::pki::LabCertificate) -> Result<Questions<'r>, LabError> {
    let shapes = shapes::all();
    let (digests, real) = match spec.fixed {
        true => (shapes::digests::all(), real_addons()),
        false => (Vec::new(), Vec::new()),
    };
    let mut plan: Vec<Plan> = Vec::new();
    if spec.fixed {
        plan.extend((0..shapes.len()).map(Plan::Alone));
        plan.extend((0..digests.len()).map(|number| Plan::Digests(number, WeakestDigest::Sha1)));
    }
    plan.extend((0..spec.random).map(Plan::Random));
    plan.extend((0..digests.len()).map(|number| Plan::Digests(number, WeakestDigest::Sha256)));
    plan.extend(real.into_iter().map(Plan::Real));
    plan.reverse();
    Ok(Questions { plan, shapes, digests, root, seed: spec.seed })
}

enum Plan {
    Alone(usize),
    Digests(usize, WeakestDigest),
    Random(u64),
    Real(PathBuf),
}

struct Questions<'r> {
    /// The next is the last.
    plan: Vec<Plan>,
    shapes: Vec<shapes::Shape>,
    digests: Vec<shapes::Shape>,
    root: &'r crate::pki::LabCertificate,
    seed: u64,
}

impl Questions<'_> {
    fn len(&self) -> usize {
        self.plan.len()
    }

    fn made(&self, plan: Plan) -> Result<Option<Question>, LabError> {
        let test = |weakest| Setting { root: Root::Test, weakest };
        let alone = |list: &[shapes::Shape], number: usize| {
            let shapes: Vec<&shapes::Shape> = list.get(number).into_iter().collect();
            shapes::make(self.root, &shapes)
        };
        Ok(Some(match plan {
            Plan::Alone(number) => Question {
                made: alone(&self.shapes, number)?,
                setting: test(WeakestDigest::Sha1),
                random: false,
            },
            Plan::Digests(number, weakest) => {
                Question { made: alone(&self.digests, number)?, setting: test(weakest), random: false }
            }
            Plan::Random(number) => match shapes::random(self.root, &self.shapes, self.seed, number) {
                Some(made) => Question { made, setting: test(WeakestDigest::Sha1), random: true },
                None => return Ok(None),
            },
            Plan::Real(path) => {
                let bytes = std::fs::read(&path).map_err(LabError::file(&path))?;
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                let made = Made { name: format!("real: {name}"), bytes, refused: Vec::new() };
                let setting = Setting { root: Root::Public, weakest: WeakestDigest::Sha1 };
                Question { made, setting, random: false }
            }
        }))
    }
}

impl Iterator for Questions<'_> {
    type Item = Result<Question, LabError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let plan = self.plan.pop()?;
            match self.made(plan) {
                Ok(Some(question)) => return Some(Ok(question)),
                // Changes that exclude each other make no add-on.
                Ok(None) => {}
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

fn real_addons() -> Vec<PathBuf> {
    let Some(folder) = real::folder_or_skip("real add-ons, asked of Firefox") else { return Vec::new() };
    let read = std::fs::read_dir(folder.join("addons"));
    let mut files: Vec<PathBuf> = read.into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    files.sort();
    files
}

/// Our verifier, with the roots and intermediates that Firefox has.
struct Ours {
    test: Anchors,
    public: Anchors,
    built_in: Pool,
    limits: Limits,
}

impl Ours {
    fn new(root: &crate::pki::LabCertificate) -> Result<Self, LabError> {
        let limits = Limits::default();
        let parsed = Certificate::parse_der(root.der(), &limits.x509)
            .map_err(|error| LabError::Impossible(format!("the test root: {error}")))?;
        let real = |name: &str| -> Vec<Certificate> {
            let pem = real::folder().and_then(|folder| std::fs::read(folder.join("certs").join(name)).ok());
            pem.and_then(|pem| Certificate::parse_pem(&pem, &limits.x509).ok()).unwrap_or_default()
        };
        Ok(Self {
            test: [parsed].into_iter().collect(),
            public: real("amo-prod-root-2024-reissue.pem")
                .into_iter()
                .chain(real("amo-prod-root-2015.pem"))
                .collect(),
            built_in: real("amo-prod-int-signingca1-2100.pem")
                .into_iter()
                .chain(real("amo-prod-int-production-signing-ca-2125.pem"))
                .collect(),
            limits,
        })
    }

    fn compare(&self, made: &Made, setting: Setting, random: bool, firefox: String) -> Compared {
        let policy = Policy { digest: setting.weakest, ..Policy::firefox() };
        let (anchors, pool) = match setting.root {
            Root::Test => (&self.test, &Pool::default()),
            Root::Public => (&self.public, &self.built_in),
        };
        let context = JudgeContext {
            anchors,
            pool,
            distrust: &Distrust::default(),
            memo: &SignatureMemo::new(64),
            policy: &policy,
            limits: &self.limits,
        };
        let (ours, detail, refusal) = match inspect(&made.bytes.as_slice(), &policy, &self.limits) {
            Ok(inspection) => {
                let verdict = inspection.judge(&context, Timestamp::now());
                (verdict.kind, verdict.detail, inspection.refusal())
            }
            Err(error) => (VerdictKind::MalformedArchive, format!("cannot be read: {error}"), None),
        };
        // Firefox compares ids after it has verified signatures, and is not asked about that.
        let accepted = matches!(ours, VerdictKind::Ok | VerdictKind::IdMismatch);
        // A ceiling may also be met while a chain is judged.
        let refusal = refusal.or((ours == VerdictKind::LimitExceeded).then_some(Refusal::Ceiling));
        let listed: &[Refusal] = if random { &[] } else { &made.refused };
        let outcome = Outcome::of(accepted, firefox == "ok", refusal, listed);
        let (name, weakest) = (made.name.clone(), setting.weakest);
        Compared { name, weakest, ours, detail, firefox, refusal, outcome }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_closed_list_may_differ_and_what_is_on_it_must() {
        let listed = [Refusal::Link];
        assert_eq!(Outcome::of(true, true, None, &[]), Outcome::BothAccept);
        assert_eq!(Outcome::of(false, false, None, &[]), Outcome::BothRefuse);
        assert_eq!(Outcome::of(false, true, Some(Refusal::Link), &listed), Outcome::ClosedList);
        assert!(!Outcome::of(true, false, None, &[]).is_right());
        assert!(!Outcome::of(false, true, None, &listed).is_right());
        assert!(!Outcome::of(true, true, None, &listed).is_right());
        assert!(!Outcome::of(false, false, Some(Refusal::Link), &listed).is_right());
    }
}
