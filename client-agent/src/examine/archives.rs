//! Real add-ons: archives, inspected on all cores and judged against the local pool.

use jiff::Timestamp;
use mulberry_shared::addon_trust::{AddonTrust, Admission};
use mulberry_shared::limits::Limits;
use mulberry_shared::recipe::Action;
use mulberry_shared::x509::{Anchors, Pool, SignatureMemo};
use mulberry_shared::xpi::{Inspection, JudgeContext, Policy, inspect, memory_ceiling};
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};

use super::{Content, Corpus, Examiner, Seen, Verdicts};
use crate::memory::{Budget, MEMORY};
use crate::ports::{AddonFolder, ListedAddon};

/// Examines archives under one policy and one set of anchors.
#[derive(Debug)]
pub struct Archives {
    anchors: Anchors,
    policy: Policy,
    limits: Limits,
    memo: SignatureMemo,
}

impl Archives {
    /// An examiner with an empty memory of signature checks.
    #[must_use]
    pub fn new(anchors: Anchors, policy: Policy, limits: Limits) -> Self {
        Self { anchors, policy, limits, memo: SignatureMemo::default() }
    }

    fn look(
        &self,
        folder: &dyn AddonFolder,
        addon: &ListedAddon,
        memory: &Budget,
    ) -> (Seen, Option<Inspection>) {
        let seen = |stamp, content| Seen { path: addon.path.clone(), stamp, content };
        let unreadable = |error: std::io::Error| Content::Unreadable(format!("it cannot be read: {error}"));
        let opened = match folder.open(&addon.path) {
            Ok(opened) => opened,
            Err(error) => return (seen(addon.stamp, unreadable(error)), None),
        };
        let before = match opened.stamp() {
            Ok(stamp) => stamp,
            Err(error) => return (seen(addon.stamp, unreadable(error)), None),
        };
        let inspected = memory.with(memory_ceiling(before.size, &self.limits.xpi), || {
            inspect(opened.archive(), &self.policy, &self.limits)
        });
        let inspection = match inspected {
            Ok(inspection) => inspection,
            Err(error) => return (seen(before, unreadable(error)), None),
        };
        // What was hashed at the start and what was verified at the end must be one content.
        match opened.stamp() {
            Ok(after) if after == before => {}
            Ok(_) => {
                let problem = "it changed while it was being read; the next run looks again";
                return (seen(before, Content::Unreadable(problem.into())), None);
            }
            Err(error) => return (seen(before, unreadable(error)), None),
        }
        match inspection.sha256 {
            Some(sha256) => {
                let (id, version) = (inspection.id.clone(), inspection.version.clone());
                (seen(before, Content::Read { id, version, sha256 }), Some(inspection))
            }
            None => {
                let problem =
                    format!("larger than the {} bytes an add-on may have", self.limits.xpi.archive_bytes);
                (seen(before, Content::TooLarge(problem)), None)
            }
        }
    }
}

impl Examiner for Archives {
    fn examine<'a>(&'a self, folder: &dyn AddonFolder, addons: &[ListedAddon]) -> Box<dyn Corpus + 'a> {
        let memory = Budget::new(MEMORY);
        let (seen, inspections) = addons
            .par_iter()
            .map(|addon| self.look(folder, addon, &memory))
            .collect::<Vec<_>>()
            .into_iter()
            .unzip();
        Box::new(Inspected { examiner: self, seen, inspections })
    }

    fn admits(&self, action: &Action, candidate: &AddonTrust, at: Timestamp) -> Result<(), String> {
        let admission = Admission { anchors: &self.anchors, memo: &self.memo, limits: &self.limits.x509 };
        match action {
            Action::InstallCertificates { certificates } => {
                for certificate in certificates {
                    admission.certificate(certificate, certificates, candidate, at).map_err(|error| {
                        format!("{} does not chain to an anchor: {}", certificate.described(), error.sentence)
                    })?;
                }
                Ok(())
            }
            Action::DistrustCertificates { .. } => match admission.refused_anchor(candidate) {
                None => Ok(()),
                Some(anchor) => Err(format!(
                    "it would distrust the pinned anchor {}; anchors are changed in the settings",
                    anchor.described()
                )),
            },
            Action::ReverifyAddons { .. } | Action::HoldVerification { .. } => Ok(()),
        }
    }
}

struct Inspected<'a> {
    examiner: &'a Archives,
    seen: Vec<Seen>,
    /// In the order of `seen`; `None` where there is nothing to judge.
    inspections: Vec<Option<Inspection>>,
}

impl Corpus for Inspected<'_> {
    fn seen(&self) -> &[Seen] {
        &self.seen
    }

    fn judge(&self, trust: &AddonTrust, at: Timestamp) -> Verdicts {
        let pool: Pool = trust.installed.iter().cloned().collect();
        let context = JudgeContext {
            anchors: &self.examiner.anchors,
            pool: &pool,
            distrust: &trust.distrust,
            memo: &self.examiner.memo,
            policy: &self.examiner.policy,
            limits: &self.examiner.limits,
        };
        let pairs: Vec<_> = self.seen.iter().zip(&self.inspections).collect();
        pairs
            .par_iter()
            .filter_map(|(seen, inspection)| {
                inspection.as_ref().map(|inspection| (seen.path.clone(), inspection.judge(&context, at)))
            })
            .collect()
    }
}
