//! Real add-ons: archives, inspected on all cores and judged against the local pool.

use std::io;
use std::sync::Arc;

use jiff::Timestamp;
use mulberry_host::memory::Budget;
use mulberry_shared::digest::Sha256Digest;
use mulberry_shared::effects::{Admission, Effects, NotAdmitted};
use mulberry_shared::limits::Limits;
use mulberry_shared::recipe::Does;
use mulberry_shared::x509::{Anchors, CertificateMemo, Pool, SignatureMemo};
use mulberry_shared::xpi::{
    Inspection, JudgeContext, Policy, ReadAt, archive_digest, inspect_among, memory_ceiling,
};
use rayon::iter::{IndexedParallelIterator, IntoParallelRefIterator, ParallelIterator};

use super::remembered::{Known, REMEMBERED, Remembered, Settling, is_settled};
use super::{Content, Corpus, Examiner, MEMORY, Reread, Seen, Verdicts};
use crate::ports::{AddonFolder, ListedAddon, OpenAddon, Stamp};
use crate::stop::Stop;

/// Files up to this size are read at once: one call instead of several for every entry, and what is hashed is what is inspected.
const WHOLE: u64 = 1 << 20;
/// Bytes of the buffer for that which a thread keeps from one add-on to the next.
const KEPT: usize = 128 << 10;

/// Examines archives under one policy and one set of anchors, and remembers what it saw.
#[derive(Debug)]
pub struct Archives {
    anchors: Anchors,
    policy: Policy,
    limits: Limits,
    memo: SignatureMemo,
    certificates: CertificateMemo,
    remembered: Remembered,
    settling: Settling,
}

impl Archives {
    /// An examiner that remembers nothing yet.
    #[must_use]
    pub fn new(anchors: Anchors, policy: Policy, limits: Limits) -> Self {
        let certificates = CertificateMemo::new(CertificateMemo::USUAL_BYTES, limits.x509.clone());
        let (memo, remembered) = (SignatureMemo::default(), Remembered::new(REMEMBERED));
        Self { anchors, policy, limits, memo, certificates, remembered, settling: Settling::default() }
    }

    /// The same, with another idea of when a file's stamp is believed.
    #[must_use]
    pub fn with_settling(self, settling: Settling) -> Self {
        Self { settling, ..self }
    }

    /// Looks at one add-on, of which this much is known.
    fn look(
        &self,
        folder: &dyn AddonFolder,
        addon: &ListedAddon,
        known: Option<Arc<Known>>,
        look: &Look,
        buffer: &mut Vec<u8>,
    ) -> Looked {
        if let Some(known) = &known
            && look.reread == Reread::Changed
            && known.is_of(&addon.stamp)
        {
            return Looked::Known(known.clone());
        }
        let unreadable = |stamp, error: io::Error| {
            Looked::Nothing(stamp, Content::Unreadable(format!("it cannot be read: {error}")))
        };
        let opened = match folder.open(&addon.path) {
            Ok(opened) => opened,
            Err(error) => return unreadable(addon.stamp, error),
        };
        let before = opened.opened();
        let most = before.size.min(WHOLE).saturating_add(memory_ceiling(before.size, &self.limits.xpi));
        let read = look.memory.with(most, || {
            let read = self.read(&*opened, &before, known, buffer);
            buffer.truncate(KEPT);
            buffer.shrink_to(KEPT);
            read
        });
        let read = match read {
            Ok(read) => read,
            Err(error) => return unreadable(before, error),
        };
        // What was hashed at the start and what was verified at the end must be one content.
        match opened.stamp() {
            Ok(after) if after == before => {}
            Ok(_) => {
                let problem = "it changed while it was being read; the next run looks again";
                return Looked::Nothing(before, Content::Unreadable(problem.into()));
            }
            Err(error) => return unreadable(before, error),
        }
        match read {
            Some((sha256, inspection)) => {
                let settled = is_settled(&before, look.began, self.settling);
                Looked::Known(Arc::new(Known { stamp: before, settled, sha256, inspection }))
            }
            None => {
                let problem =
                    format!("larger than the {} bytes an add-on may have", self.limits.xpi.archive_bytes);
                Looked::Nothing(before, Content::TooLarge(problem))
            }
        }
    }

    /// Hashes the file, and inspects it unless it is the content that is known. `None`: too large to be hashed.
    fn read(
        &self,
        opened: &dyn OpenAddon,
        stamp: &Stamp,
        known: Option<Arc<Known>>,
        buffer: &mut Vec<u8>,
    ) -> io::Result<Option<(Sha256Digest, Arc<Inspection>)>> {
        if stamp.size > WHOLE {
            return self.inspect(opened.archive(), known);
        }
        buffer.resize(stamp.size as usize, 0);
        opened.archive().read_exact_at(buffer, 0)?;
        self.inspect(buffer, known)
    }

    fn inspect(
        &self,
        archive: &dyn ReadAt,
        known: Option<Arc<Known>>,
    ) -> io::Result<Option<(Sha256Digest, Arc<Inspection>)>> {
        if let Some(known) = known
            && archive_digest(archive, &self.limits)? == Some(known.sha256)
        {
            return Ok(Some((known.sha256, known.inspection.clone())));
        }
        let inspection = inspect_among(archive, &self.policy, &self.limits, &self.certificates)?;
        Ok(inspection.sha256.map(|sha256| (sha256, Arc::new(inspection))))
    }
}

/// How all add-ons of one pass are looked at.
struct Look {
    reread: Reread,
    /// When the pass began, by the clock that makes stamps.
    began: i64,
    memory: Budget,
}

/// What looking at one add-on gave.
enum Looked {
    Known(Arc<Known>),
    Nothing(Stamp, Content),
}

impl Looked {
    fn seen(&self, path: &str) -> Seen {
        let (stamp, content) = match self {
            Self::Nothing(stamp, content) => (*stamp, content.clone()),
            Self::Known(known) => {
                let (id, version) = (known.inspection.id.clone(), known.inspection.version.clone());
                (known.stamp, Content::Read { id, version, sha256: known.sha256 })
            }
        };
        Seen { path: path.to_owned(), stamp, content }
    }
}

impl Examiner for Archives {
    fn examine<'a>(
        &'a self,
        folder: &dyn AddonFolder,
        addons: &[ListedAddon],
        reread: Reread,
        stop: &Stop,
    ) -> Box<dyn Corpus + 'a> {
        let known = self.remembered.recall(addons.iter().map(|addon| addon.path.as_str()));
        let look = Look { reread, began: folder.now_ns(), memory: Budget::new(MEMORY) };
        let looked: Vec<Looked> = addons
            .par_iter()
            .zip(known)
            .map_init(Vec::new, |buffer, (addon, known)| {
                if stop.is_cancelled() {
                    return Looked::Nothing(
                        addon.stamp,
                        Content::Unreadable("the run was ended before".into()),
                    );
                }
                self.look(folder, addon, known, &look, buffer)
            })
            .collect();
        let (mut seen, mut inspections) = (Vec::new(), Vec::new());
        for (addon, looked) in addons.iter().zip(looked) {
            seen.push(looked.seen(&addon.path));
            inspections.push(match looked {
                Looked::Nothing(..) => None,
                Looked::Known(known) => {
                    self.remembered.keep(&addon.path, &known);
                    Some(known.inspection.clone())
                }
            });
        }
        Box::new(Inspected { examiner: self, seen, inspections })
    }

    fn admits(&self, action: &dyn Does, candidate: &Effects, now: Timestamp) -> Result<(), NotAdmitted> {
        let admission = Admission { anchors: &self.anchors, memo: &self.memo, limits: &self.limits.x509 };
        action.admit(&admission, candidate, now)
    }
}

struct Inspected<'a> {
    examiner: &'a Archives,
    seen: Vec<Seen>,
    /// In the order of `seen`; `None` where there is nothing to judge.
    inspections: Vec<Option<Arc<Inspection>>>,
}

impl Corpus for Inspected<'_> {
    fn seen(&self) -> &[Seen] {
        &self.seen
    }

    fn judge(&self, effects: &Effects, as_of: Timestamp) -> Verdicts {
        let pool: Pool = effects.pool.iter().cloned().collect();
        let context = JudgeContext {
            anchors: &self.examiner.anchors,
            pool: &pool,
            distrust: &effects.distrust,
            memo: &self.examiner.memo,
            policy: &self.examiner.policy,
            limits: &self.examiner.limits,
        };
        let pairs: Vec<_> = self.seen.iter().zip(&self.inspections).collect();
        pairs
            .par_iter()
            .filter_map(|(seen, inspection)| {
                inspection.as_ref().map(|inspection| (seen.path.clone(), inspection.judge(&context, as_of)))
            })
            .collect()
    }
}
