//! The stored trust, run after run.

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use mulberry_shared::edition::TrustState;
use mulberry_shared::limits::Limits;

use super::RunError;
use crate::ports::Disk;
use crate::store::trust::{self, TrustFilesError};

/// The trust files of one state folder, which need not be read and verified again in each run of one process: what was read stays
/// true for as long as the pointer on disk stays, since the files that it names are named by their content.
///
/// Only for whoever holds the folder's lock. Damage that the disk does to files meanwhile is found when they are next read: after
/// something new was stored, and by the next process.
#[derive(Debug, Default)]
pub struct StoredTrust {
    read: Mutex<Option<Read>>,
}

/// What was read, undamaged, under this pointer.
#[derive(Debug)]
struct Read {
    pointer: Vec<u8>,
    state: TrustState,
}

impl StoredTrust {
    /// What is stored.
    ///
    /// # Errors
    /// As [`load_trust`].
    pub fn load(&self, disk: &dyn Disk, limits: &Limits) -> Result<TrustState, RunError> {
        let pointer = trust::pointer(disk).map_err(TrustFilesError::Io)?.ok_or(TrustFilesError::Missing)?;
        if let Some(read) = self.read().as_ref().filter(|read| read.pointer == pointer) {
            return Ok(read.state.clone());
        }
        let (state, damage) = load(disk, limits)?;
        *self.read() = (damage == Damage::None).then(|| Read { pointer, state: state.clone() });
        Ok(state)
    }

    /// Stores `state`, where `before` lies if it was read for this.
    ///
    /// # Errors
    /// Whatever the disk reports; the former state stays then.
    pub fn save(&self, disk: &dyn Disk, before: Option<&TrustState>, state: &TrustState) -> io::Result<()> {
        // Most runs bring nothing new, and then no file need be compared. What was damaged and came again is a difference.
        if before == Some(state) {
            return trust::tidy(disk);
        }
        // It gets another pointer, so it is read again once, as the next process would read it.
        trust::save(disk, &state.to_files())
    }

    fn read(&self) -> MutexGuard<'_, Option<Read>> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether everything stored was as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Damage {
    None,
    Some,
}

/// The trust as stored, verified again.
///
/// # Errors
/// There is none, it cannot be read, or its root does not verify.
pub fn load_trust(from: &dyn Disk, limits: &Limits) -> Result<TrustState, RunError> {
    load(from, limits).map(|(state, _)| state)
}

fn load(from: &dyn Disk, limits: &Limits) -> Result<(TrustState, Damage), RunError> {
    let loaded = trust::load(from)?;
    let (trusted, left_out) = TrustState::from_files(&loaded.files, limits).map_err(RunError::Trust)?;
    let mut damage = Damage::None;
    for problem in loaded.damaged.iter().cloned().chain(left_out.iter().map(ToString::to_string)) {
        tracing::warn!(problem, "a stored trust file is damaged; it is fetched again");
        damage = Damage::Some;
    }
    Ok((trusted, damage))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::doubles::MemoryDisk;
    use crate::scene::Scene;

    /// A blob of the stored trust that is gone.
    fn lose(disk: &MemoryDisk, bytes: &[u8]) {
        let lost =
            disk.files().into_iter().find(|(path, content)| path.starts_with("trust/") && content == bytes);
        disk.remove(&lost.unwrap().0).unwrap();
    }

    #[test]
    fn files_are_read_again_only_after_the_pointer_has_changed() {
        let (scene, limits) = (Scene::new(), Limits::default());
        let disk = scene.disk.copy();
        let stored = StoredTrust::default();
        let first = stored.load(&disk, &limits).unwrap();
        lose(&disk, scene.server.root());
        assert_eq!(stored.load(&disk, &limits).unwrap(), first);
        assert!(StoredTrust::default().load(&disk, &limits).is_err(), "another process would notice");
        let pointer = trust::pointer(&disk).unwrap().unwrap();
        disk.write("trust/current.json", &[&pointer[..], b" "].concat()).unwrap();
        assert!(stored.load(&disk, &limits).is_err());
    }

    #[tokio::test]
    async fn what_was_saved_is_what_is_read_next() {
        let (scene, limits) = (Scene::new(), Limits::default());
        let (disk, refreshed) = (scene.disk.copy(), scene.disk.copy());
        scene.run_on(&refreshed).await.unwrap();
        let after = load_trust(&refreshed, &limits).unwrap();
        let stored = StoredTrust::default();
        let before = stored.load(&disk, &limits).unwrap();
        assert_ne!(before, after);
        stored.save(&disk, Some(&before), &after).unwrap();
        assert_eq!(stored.load(&disk, &limits).unwrap(), after);
        let effects = disk.effects();
        stored.save(&disk, Some(&after), &after).unwrap();
        assert_eq!(disk.effects(), effects);
    }
}
