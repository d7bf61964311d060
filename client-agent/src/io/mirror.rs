//! An origin in a folder: a copy of the repository (`metadata/…`, `targets/…`) on a disk, a share or a stick.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use nix::fcntl::OFlag;
use reqwest::Url;
use tokio::time::timeout;

use crate::ports::{Fetched, Transport};

/// Time for one document, as over HTTP: a share whose server is gone may never answer.
const TOTAL_TIME: Duration = Duration::from_secs(60);

/// A folder with a static mirror.
#[derive(Clone, Debug)]
pub struct Mirror {
    base: Url,
    text: String,
    /// Whether a read is under way. One that never ends keeps its thread, so there must never be a second.
    reading: Arc<AtomicBool>,
}

/// Ends a read, however it ends.
struct Reading(Arc<AtomicBool>);

impl Drop for Reading {
    fn drop(&mut self) {
        self.0.store(false, Ordering::SeqCst);
    }
}

impl Mirror {
    /// The mirror at a `file:` address that ends with a slash. It need not be there yet: a stick comes and goes.
    #[must_use]
    pub fn new(base: Url) -> Self {
        Self { text: base.to_string(), base, reading: Arc::default() }
    }

    fn read(&self, path: &str, max_bytes: u64) -> Result<Fetched, String> {
        let folder = self.base.to_file_path().map_err(|()| "the address is no path".to_owned())?;
        let folder = fs::canonicalize(&folder)
            .map_err(|error| format!("the folder {} cannot be used: {error}", folder.display()))?;
        let url = self.base.join(path).map_err(|error| error.to_string())?;
        let file = url.to_file_path().map_err(|()| "the path leads out of the folder".to_owned())?;
        if !url.as_str().starts_with(self.base.as_str()) {
            return Err("the path leads out of the folder".into());
        }
        match open_within(&folder, &file) {
            Ok(file) => take(file, max_bytes).map_err(|error| error.to_string()),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                Ok(Fetched::Absent)
            }
            Err(error) => Err(error.to_string()),
        }
    }
}

#[async_trait]
impl Transport for Mirror {
    async fn get(&self, path: &str, max_bytes: u64) -> Fetched {
        if self.reading.swap(true, Ordering::SeqCst) {
            return Fetched::Failed("the folder has not answered the last question yet".into());
        }
        let (mirror, path, reading) = (self.clone(), path.to_owned(), Reading(self.reading.clone()));
        let read = tokio::task::spawn_blocking(move || {
            let _reading = reading;
            mirror.read(&path, max_bytes)
        });
        match timeout(TOTAL_TIME, read).await {
            Ok(Ok(read)) => read.unwrap_or_else(Fetched::Failed),
            Ok(Err(error)) => Fetched::Failed(format!("reading ended by a mistake of this program: {error}")),
            Err(_) => Fetched::Failed(format!("the folder did not answer within {} s", TOTAL_TIME.as_secs())),
        }
    }

    fn origin(&self) -> &str {
        &self.text
    }
}

/// Opens a regular file that lies in `folder` also after every link on its way was followed.
fn open_within(folder: &Path, file: &Path) -> io::Result<File> {
    let real: PathBuf = fs::canonicalize(file)?;
    if !real.starts_with(folder) {
        return Err(io::Error::other("a link leads out of the folder"));
    }
    // A pipe does not wait for a writer. What was opened is asked what it is, not the path: something else may lie there by now.
    let file = File::options().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(real)?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::other("not a regular file")),
    }
}

fn take(file: File, max_bytes: u64) -> io::Result<Fetched> {
    let mut bytes = Vec::new();
    file.take(max_bytes.saturating_add(1)).read_to_end(&mut bytes)?;
    let fits = u64::try_from(bytes.len()).is_ok_and(|length| length <= max_bytes);
    Ok(if fits { Fetched::Bytes(bytes) } else { Fetched::TooLong })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn failed(fetched: Fetched) -> String {
        match fetched {
            Fetched::Failed(problem) => problem,
            other => panic!("{other:?}"),
        }
    }

    fn mirror(folder: &Path) -> Mirror {
        Mirror::new(Url::from_directory_path(folder).unwrap())
    }

    #[tokio::test]
    async fn documents_are_read_to_their_bound_and_absent_is_told_from_gone() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("my mirror");
        fs::create_dir_all(folder.join("metadata")).unwrap();
        fs::write(folder.join("metadata/a b.json"), "abc").unwrap();
        let mirror = mirror(&folder);
        assert_eq!(mirror.get("metadata/a%20b.json", 3).await, Fetched::Bytes(b"abc".into()));
        assert_eq!(mirror.get("metadata/a%20b.json", 2).await, Fetched::TooLong);
        assert_eq!(mirror.get("metadata/2.root.json", 9).await, Fetched::Absent);
        assert_eq!(mirror.get("metadata/a%20b.json/x", 9).await, Fetched::Absent);
        fs::rename(&folder, parent.path().join("away")).unwrap();
        assert!(failed(mirror.get("metadata/2.root.json", 9).await).contains("cannot be used"));
    }

    #[tokio::test]
    async fn a_share_that_does_not_answer_costs_one_thread_and_no_more() {
        let folder = tempfile::tempdir().unwrap();
        let mirror = mirror(folder.path());
        let stuck = Reading(mirror.reading.clone());
        mirror.reading.store(true, Ordering::SeqCst);
        assert!(failed(mirror.get("a", 9).await).contains("not answered"));
        drop(stuck);
        assert_eq!(mirror.get("a", 9).await, Fetched::Absent);
        assert_eq!(mirror.get("a", 9).await, Fetched::Absent, "a read that ended makes room for the next");
    }

    #[tokio::test]
    async fn nothing_outside_the_folder_is_read_and_nothing_but_files() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("mirror");
        fs::create_dir_all(folder.join("real")).unwrap();
        fs::write(folder.join("real/inside"), "in").unwrap();
        fs::write(parent.path().join("outside"), "out").unwrap();
        symlink("../outside", folder.join("file")).unwrap();
        symlink("..", folder.join("up")).unwrap();
        symlink("real", folder.join("metadata")).unwrap();
        let pipe = std::process::Command::new("mkfifo").arg(folder.join("pipe")).status().unwrap();
        assert!(pipe.success());
        let mirror = mirror(&folder);
        for path in
            ["file", "up/outside", "../outside", "/etc/passwd", "..%2foutside", "%2e%2e/outside", "file:///x"]
        {
            let problem = failed(mirror.get(path, 9).await);
            assert!(problem.contains("out of the folder"), "{path}: {problem}");
        }
        assert_eq!(mirror.get("metadata/inside", 9).await, Fetched::Bytes(b"in".into()), "a link that stays");
        for path in ["pipe", "real", ""] {
            assert!(failed(mirror.get(path, 9).await).contains("not a regular file"), "{path}");
        }
    }
}
