//! What is served: every document as finished bytes, replaced as a whole.
//!
//! Requests read one [`Served`] and never the store. Files of recent editions stay for agents in the middle of a refresh.

use std::collections::HashMap;
use std::sync::Arc;

use actix_web::http::header::HeaderValue;
use actix_web::web::Bytes;
use mulberry_shared::digest::Sha256Digest;
use mulberry_shared::edition::profile;
use mulberry_shared::ledger::{continuation, links};
use mulberry_shared::limits::Limits;
use mulberry_shared::tuf::location;

use crate::edition::Edition;
use crate::services::clients::Clients;
use crate::state::State;

/// How many generations an outdated file is kept for. A refresh takes seconds; this many changes in that time are an
/// exception, after which an agent simply starts again.
const GENERATIONS: u64 = 16;

/// Bytes of outdated files kept: enough for several full sets of recipes.
const OUTDATED_BYTES: usize = 64 << 20;

/// How long others may keep a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caching {
    /// Its name is of one content for ever.
    Immutable,
    /// It changes under its name.
    Short,
}

/// One document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServedFile {
    /// Its bytes, as an answer's body: given to any number of answers without being copied.
    pub body: Bytes,
    /// Its strong entity tag: the SHA-256 of the bytes, quoted.
    pub etag: HeaderValue,
    /// How long it may be kept.
    pub caching: Caching,
    generation: u64,
}

/// One consistent published set, with the state it was made from.
#[derive(Debug)]
pub struct Served {
    /// The state.
    pub state: Arc<State>,
    /// The edition.
    pub edition: Arc<Edition>,
    /// What clients make of its gates.
    pub clients: Arc<Clients>,
    files: HashMap<String, Arc<ServedFile>>,
    /// Full pages of the ledger's links, from page 0 on.
    pages: Vec<Arc<ServedFile>>,
    generation: u64,
}

impl Served {
    /// What is served after `previous`.
    #[must_use]
    pub fn new(previous: Option<&Served>, state: Arc<State>, edition: Arc<Edition>, limits: &Limits) -> Self {
        let generation = previous.map_or(1, |previous| previous.generation.saturating_add(1));
        let same = previous.filter(|previous| Arc::ptr_eq(&previous.state, &state));
        let clients = same.map_or_else(|| Arc::new(Clients::of(&state, limits)), |same| same.clients.clone());
        let (files, pages) = (HashMap::new(), Vec::new());
        let mut served = Self { state, edition, clients, files, pages, generation };
        served.add_pages(previous);
        for (path, bytes) in documents(&served.state, &served.edition) {
            served.insert(previous, path, bytes);
        }
        if let Some(previous) = previous {
            served.keep_recent(previous);
        }
        served
    }

    /// The document at `path`, such as `metadata/timestamp.json`.
    #[must_use]
    pub fn file(&self, path: &str) -> Option<&Arc<ServedFile>> {
        self.files.get(path).or_else(|| self.page(path))
    }

    /// A full page of links. A long ledger has thousands, so they are not looked at again for each edition.
    fn page(&self, path: &str) -> Option<&Arc<ServedFile>> {
        let (ledger, name) = path.strip_prefix(location::LEDGER)?.split_once('/')?;
        let index: u64 = name.strip_suffix(".json")?.parse().ok()?;
        let head = self.state.links.head()?;
        // Compared whole: a number has one way to be written in a path.
        let same = links::path(&head.ledger, index) == path && ledger.parse() == Ok(head.ledger);
        self.pages.get(usize::try_from(index).ok()?).filter(|_| same)
    }

    fn add_pages(&mut self, previous: Option<&Served>) {
        let links = &self.state.links;
        let held = |index: usize, bytes: &Arc<[u8]>| {
            let previous = previous?;
            let same = previous.state.links.full().get(index).is_some_and(|then| Arc::ptr_eq(then, bytes));
            previous.pages.get(index).filter(|_| same).cloned()
        };
        let pages = links.full().iter().enumerate().map(|(index, bytes)| {
            held(index, bytes).unwrap_or_else(|| {
                let (body, etag) = (Bytes::from_owner(bytes.clone()), etag(bytes));
                Arc::new(ServedFile { body, etag, caching: Caching::Immutable, generation: self.generation })
            })
        });
        self.pages = pages.collect();
    }

    /// All paths, sorted.
    #[must_use]
    pub fn paths(&self) -> Vec<&str> {
        let mut paths: Vec<_> = self.files.keys().map(String::as_str).collect();
        paths.sort_unstable();
        paths
    }

    fn insert(&mut self, previous: Option<&Served>, path: String, bytes: Arc<[u8]>) {
        // The timestamp, and the page of links that grows.
        let grows = path == "metadata/timestamp.json" || path.starts_with(location::LEDGER);
        let caching = if grows { Caching::Short } else { Caching::Immutable };
        let etag = match previous.and_then(|previous| previous.file(&path)) {
            Some(same) if same.body == *bytes => same.etag.clone(),
            _ => etag(&bytes),
        };
        let body = Bytes::from_owner(bytes);
        self.files.insert(path, Arc::new(ServedFile { body, etag, caching, generation: self.generation }));
    }

    fn keep_recent(&mut self, previous: &Served) {
        let oldest = self.generation.saturating_sub(GENERATIONS);
        let mut outdated: Vec<_> = previous
            .files
            .iter()
            .filter(|(path, file)| file.generation >= oldest && !self.files.contains_key(*path))
            // A page that was the last one is full, and stands among those.
            .filter(|(path, _)| !path.starts_with(location::LEDGER))
            .collect();
        outdated.sort_unstable_by_key(|(path, file)| (std::cmp::Reverse(file.generation), *path));
        let mut bytes = 0_usize;
        for (path, file) in outdated {
            bytes = bytes.saturating_add(file.body.len());
            if bytes > OUTDATED_BYTES {
                return;
            }
            self.files.insert(path.clone(), file.clone());
        }
    }
}

fn etag(bytes: &[u8]) -> HeaderValue {
    let tag = format!("\"{}\"", Sha256Digest::of(bytes));
    // Quotes and hexadecimal digits always make a header.
    HeaderValue::try_from(tag).unwrap_or_else(|_| HeaderValue::from_static("\"\""))
}

/// Every document of an edition, by path.
pub(crate) fn documents(state: &State, edition: &Edition) -> Vec<(String, Arc<[u8]>)> {
    let mut documents: Vec<_> = state
        .roots
        .iter()
        .map(|root| (location::consistent_metadata("root", root.version), root.bytes().clone()))
        .collect();
    let mut metadata = |role: &str, version, bytes: &Arc<[u8]>| {
        documents.push((location::consistent_metadata(role, version), bytes.clone()));
    };
    metadata("targets", state.targets.version, state.targets.bytes());
    for (lane, content) in &state.lanes {
        metadata(lane.as_str(), content.metadata.version, content.metadata.bytes());
    }
    metadata(profile::GATES, edition.gates.version, edition.gates.bytes());
    metadata("snapshot", edition.snapshot.version, edition.snapshot.bytes());
    metadata("timestamp", edition.timestamp.version, edition.timestamp.bytes());
    let gates_path = location::file(profile::GATES_FILE, Some(&Sha256Digest::of(&edition.gates_file)));
    documents.push((gates_path, edition.gates_file.clone()));
    for (path, published) in state.recipes() {
        documents.push((location::file(&path.to_string(), Some(&published.sha256)), published.bytes.clone()));
    }
    // Also while there is none: only who has the list can say that people signed nothing.
    documents.push((continuation::PATH.to_owned(), state.continuations.write().into()));
    if let (Some(head), Some(page)) = (state.links.head(), state.links.growing()) {
        documents.push((links::path(&head.ledger, state.links.full().len() as u64), page));
    }
    documents
}
