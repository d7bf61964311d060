//! One edition as an origin serves it.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::process::StageError;

/// The delegated roles of an edition.
const ROLES: [&str; 4] = ["targets", "emergency", "routine", "gates"];

/// The files of one edition, by their paths under the origin.
#[derive(Clone, Debug, Default)]
pub struct Recording {
    files: BTreeMap<String, Vec<u8>>,
    snapshot: u64,
    roles: BTreeMap<String, u64>,
    denial: Vec<u8>,
}

impl Recording {
    /// These files; for tests of the origin itself.
    #[must_use]
    pub fn of<const N: usize>(files: [(&str, Vec<u8>); N]) -> Self {
        let files = files.into_iter().map(|(path, bytes)| (path.to_owned(), bytes)).collect();
        Self { files, ..Self::default() }
    }

    /// These files, by their paths.
    #[must_use]
    pub fn of_files(files: BTreeMap<String, Vec<u8>>) -> Self {
        Self { files, ..Self::default() }
    }

    /// Fetches what the origin at `url` serves now: the first root, the online roles, lanes, recipes and gates.
    ///
    /// # Errors
    /// When a file that must be there cannot be had or read.
    pub fn fetch(url: &str) -> Result<Self, StageError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| StageError(error.to_string()))?;
        runtime.block_on(Self::fetch_all(url))
    }

    async fn fetch_all(url: &str) -> Result<Self, StageError> {
        let mut recording = Self::default();
        recording.add(url, "metadata/1.root.json").await?;
        let timestamp = recording.add(url, "metadata/timestamp.json").await?;
        recording.snapshot = version(&timestamp, "snapshot")?;
        let snapshot = recording.add(url, &recording.snapshot_path()).await?;
        for role in ROLES {
            recording.roles.insert(role.to_owned(), version(&snapshot, role)?);
            let body = recording.add(url, &recording.role_path(role)).await?;
            for (name, target) in body["signed"]["targets"].as_object().into_iter().flatten() {
                let hash = target["hashes"]["sha256"].as_str().unwrap_or_default();
                let path = match name.rsplit_once('/') {
                    Some((folder, file)) => format!("targets/{folder}/{hash}.{file}"),
                    None => format!("targets/{hash}.{name}"),
                };
                recording.add(url, &path).await?;
            }
        }
        Ok(recording)
    }

    async fn add(&mut self, url: &str, path: &str) -> Result<Value, StageError> {
        let failed = |error: &dyn std::fmt::Display| StageError(format!("{url}/{path}: {error}"));
        let answer = reqwest::get(format!("{}/{path}", url.trim_end_matches('/'))).await;
        let answer = answer.and_then(reqwest::Response::error_for_status).map_err(|error| failed(&error))?;
        let bytes = answer.bytes().await.map_err(|error| failed(&error))?.to_vec();
        let value = serde_json::from_slice(&bytes).map_err(|error| failed(&error))?;
        self.files.insert(path.to_owned(), bytes);
        Ok(value)
    }

    /// All files, sorted by path.
    pub fn files(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.files.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice()))
    }

    /// The file at `path`.
    #[must_use]
    pub fn file(&self, path: &str) -> Option<&[u8]> {
        self.files.get(path).map(Vec::as_slice)
    }

    /// This with one more file.
    #[must_use]
    pub fn with(mut self, path: &str, bytes: Vec<u8>) -> Self {
        self.files.insert(path.to_owned(), bytes);
        self
    }

    /// This with `bytes` as the body of the 404 with which every other path is answered; empty by default.
    #[must_use]
    pub fn denying_with(mut self, bytes: Vec<u8>) -> Self {
        self.denial = bytes;
        self
    }

    /// The body of a 404.
    #[must_use]
    pub fn denial(&self) -> &[u8] {
        &self.denial
    }

    /// The snapshot's path.
    #[must_use]
    pub fn snapshot_path(&self) -> String {
        format!("metadata/{}.snapshot.json", self.snapshot)
    }

    /// The path of targets or of a role that it delegates to.
    #[must_use]
    pub fn role_path(&self, role: &str) -> String {
        format!("metadata/{}.{role}.json", self.roles.get(role).copied().unwrap_or_default())
    }

    /// The path of the file that `name` (`SLUG.json` or `gates.json`) ends.
    #[must_use]
    pub fn target_path(&self, name: &str) -> Option<&str> {
        let end = format!(".{name}");
        let mut targets = self.files.keys().filter(|path| path.starts_with("targets/"));
        targets.find(|path| path.ends_with(&end)).map(String::as_str)
    }
}

fn version(metadata: &Value, role: &str) -> Result<u64, StageError> {
    metadata["signed"]["meta"][format!("{role}.json")]["version"]
        .as_u64()
        .ok_or_else(|| StageError(format!("no version of {role} in {metadata}")))
}
