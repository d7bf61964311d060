//! Add-ons with stated fates instead of archives and signatures.

use std::collections::BTreeMap;
use std::io;
use std::sync::Mutex;

use jiff::Timestamp;
use mulberry_shared::digest::Sha256Digest;
use mulberry_shared::effects::{Effects, NotAdmitted};
use mulberry_shared::limits::Limits;
use mulberry_shared::recipe::Does;
use mulberry_shared::xpi::{Policy, Verdict, VerdictKind};

use super::{anchor, replacement};
use crate::examine::{Archives, Content, Corpus, Examiner, Reread, Seen, Verdicts};
use crate::ports::{AddonFolder, Gap, Gaps, ListedAddon, Listing, OpenAddon, Stamp};
use crate::stop::Stop;

/// What becomes of an add-on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It verifies whatever happens.
    Fine,
    /// It verifies until this time, and after it only with the replacement installed. Distrust of the replacement's key
    /// (which is the old one's too) reaches it.
    NeedsReplacementAfter(Timestamp),
    /// It verifies until this time, and nothing heals it then.
    VerifiesUntil(Timestamp),
    /// It verifies from this time on.
    VerifiesSince(Timestamp),
    /// It verifies unless the replacement is installed: what no certificate should ever do.
    BrokenByReplacement,
    /// It never verifies.
    Tampered,
    /// The medium fails.
    Unreadable,
}

#[derive(Clone, Debug)]
struct Addon {
    content: String,
    number: u64,
    touched: i64,
    fate: Fate,
}

/// A folder of such add-ons; also their examiner.
#[derive(Debug, Default)]
pub(crate) struct Addons {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    addons: BTreeMap<String, Addon>,
    written: u64,
    unlistable: bool,
    hidden: Option<Gap>,
    ends_the_run: bool,
    examined: usize,
    rereads: Vec<Reread>,
}

impl Addons {
    /// Writes an add-on.
    pub(crate) fn put(&self, path: &str, content: &str, fate: Fate) {
        let mut inner = self.inner.lock().unwrap();
        inner.written += 1;
        let addon = Addon { content: content.into(), number: inner.written, touched: 0, fate };
        inner.addons.insert(path.into(), addon);
    }

    /// Changes an add-on's fate without touching its file.
    pub(crate) fn set_fate(&self, path: &str, fate: Fate) {
        self.inner.lock().unwrap().addons.get_mut(path).unwrap().fate = fate;
    }

    pub(crate) fn remove(&self, path: &str) {
        self.inner.lock().unwrap().addons.remove(path);
    }

    pub(crate) fn set_unlistable(&self, unlistable: bool) {
        self.inner.lock().unwrap().unlistable = unlistable;
    }

    /// Lets nobody look into a folder, or all again.
    pub(crate) fn hide(&self, folder: Option<&str>) {
        let gap = |folder: &str| Gap { path: folder.into(), problem: "permission denied".into() };
        self.inner.lock().unwrap().hidden = folder.map(gap);
    }

    /// The next time add-ons are examined, a signal comes meanwhile.
    pub(crate) fn end_the_run_while_examining(&self) {
        self.inner.lock().unwrap().ends_the_run = true;
    }

    /// Changes an add-on's mode, say, and nothing of its content.
    pub(crate) fn touch(&self, path: &str) {
        self.inner.lock().unwrap().addons.get_mut(path).unwrap().touched += 1;
    }

    /// How many add-ons were examined since this was last asked.
    pub(crate) fn take_examined(&self) -> usize {
        std::mem::take(&mut self.inner.lock().unwrap().examined)
    }
}

impl Addons {
    /// How add-ons were looked at since this was last asked, each time.
    pub(crate) fn take_rereads(&self) -> Vec<Reread> {
        std::mem::take(&mut self.inner.lock().unwrap().rereads)
    }
}

fn stamp(addon: &Addon) -> Stamp {
    Stamp {
        device: 1,
        inode: addon.number,
        size: addon.content.len() as u64,
        modified_ns: 0,
        changed_ns: addon.touched,
    }
}

impl AddonFolder for Addons {
    fn list(&self) -> io::Result<Listing> {
        let inner = self.inner.lock().unwrap();
        if inner.unlistable {
            return Err(io::Error::other("input/output error"));
        }
        let listed =
            |(path, addon): (&String, &Addon)| ListedAddon { path: path.clone(), stamp: stamp(addon) };
        let gaps = Gaps::new(inner.hidden.iter().cloned().collect());
        let seen = inner.addons.iter().filter(|(path, _)| gaps.over(path).is_none());
        Ok(Listing { addons: seen.map(listed).collect(), gaps })
    }

    fn now_ns(&self) -> i64 {
        0
    }

    fn open(&self, _path: &str) -> io::Result<Box<dyn OpenAddon>> {
        unreachable!("the examiner of these tests opens nothing")
    }
}

impl Examiner for Addons {
    fn examine<'a>(
        &'a self,
        _folder: &dyn AddonFolder,
        addons: &[ListedAddon],
        reread: Reread,
        stop: &Stop,
    ) -> Box<dyn Corpus + 'a> {
        let mut inner = self.inner.lock().unwrap();
        if std::mem::take(&mut inner.ends_the_run) {
            stop.cancel();
        }
        inner.rereads.push(reread);
        inner.examined += addons.len();
        let found = addons.iter().map(|listed| {
            let addon = inner.addons[&listed.path].clone();
            let content = match addon.fate {
                Fate::Unreadable => Content::Unreadable("input/output error".into()),
                _ => Content::Read {
                    id: Some(format!("{}@test", listed.path)),
                    version: Some("1.0".into()),
                    sha256: Sha256Digest::of(addon.content.as_bytes()),
                },
            };
            (Seen { path: listed.path.clone(), stamp: stamp(&addon), content }, addon.fate)
        });
        let (seen, fates) = found.unzip();
        Box::new(Examined { seen, fates })
    }

    /// The real rule, on the laboratory's certificates.
    fn admits(&self, action: &dyn Does, candidate: &Effects, now: Timestamp) -> Result<(), NotAdmitted> {
        let anchors = [anchor()].into_iter().collect();
        Archives::new(anchors, Policy::firefox(), Limits::default()).admits(action, candidate, now)
    }
}

struct Examined {
    seen: Vec<Seen>,
    fates: Vec<Fate>,
}

impl Corpus for Examined {
    fn seen(&self) -> &[Seen] {
        &self.seen
    }

    fn judge(&self, effects: &Effects, as_of: Timestamp) -> Verdicts {
        let new = replacement();
        let installed = effects.installed().any(|certificate| *certificate == new);
        let distrusted = effects.distrust.refuses(&new).is_some();
        let kind = |fate: Fate| match fate {
            Fate::Fine => VerdictKind::Ok,
            Fate::NeedsReplacementAfter(_) if distrusted => VerdictKind::Distrusted,
            Fate::NeedsReplacementAfter(expiry) if as_of < expiry || installed => VerdictKind::Ok,
            Fate::NeedsReplacementAfter(_) => VerdictKind::IssuerExpired,
            Fate::VerifiesUntil(end) if as_of < end => VerdictKind::Ok,
            Fate::VerifiesUntil(_) => VerdictKind::IssuerExpired,
            Fate::VerifiesSince(begin) if as_of >= begin => VerdictKind::Ok,
            Fate::VerifiesSince(_) => VerdictKind::IssuerNotYetValid,
            Fate::BrokenByReplacement if installed => VerdictKind::LimitExceeded,
            Fate::BrokenByReplacement => VerdictKind::Ok,
            Fate::Tampered | Fate::Unreadable => VerdictKind::FileModified,
        };
        let readable = self.seen.iter().zip(&self.fates).filter(|(_, fate)| **fate != Fate::Unreadable);
        readable
            .map(|(seen, fate)| (seen.path.clone(), Verdict::new(kind(*fate), format!("{fate:?}"))))
            .collect()
    }
}
