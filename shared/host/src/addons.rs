//! Finds the add-ons below a folder: its `.xpi` and `.zip` files, and those in the folders in it.
//!
//! Links are followed, to files and to folders: package managers such as Nix and stow install add-ons as links. What a link leads to
//! is looked at under the link's own name. Nothing is opened but folders, and nothing is changed.
//!
//! Each folder is searched once, however many links lead to it: what is really below the folder first, then what links lead to, each
//! level by level. So where a ceiling ends the search, what links lead to and what lies deepest is left out, and no link keeps the
//! search from what is really there. Whatever is left out is named: of add-ons there nothing is known, which is not the same as
//! "no add-ons".

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::ffi::OsStr;
use std::fmt;
use std::fs::{self, DirEntry, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Ceilings of one search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Add-ons.
    pub addons: usize,
    /// The deepest folder looked into; those named to begin with have depth 0.
    pub depth: usize,
    /// Files and folders looked at, add-ons or not: a link can lead to the whole disk.
    pub entries: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { addons: 50_000, depth: 16, entries: 500_000 }
    }
}

/// What a search found.
#[derive(Debug, Default)]
pub struct Found {
    /// The add-ons, sorted by path.
    pub addons: Vec<Addon>,
    /// What was left out, sorted by path.
    pub left_out: Vec<LeftOut>,
}

/// A file that is called like an add-on.
#[derive(Clone, Debug)]
pub struct Addon {
    /// Its path relative to the folder that was searched.
    pub path: PathBuf,
    /// The file's metadata, or those of what the link leads to.
    pub metadata: Metadata,
}

/// A file or folder that was not looked at, or not into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// Its path relative to the folder that was searched; empty where it is the search itself that did not come to its end.
    pub path: PathBuf,
    /// Why.
    pub why: WhyLeftOut,
}

/// Why something was left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WhyLeftOut {
    /// The system refused; the sentence is its own.
    Unreadable(String),
    /// A link whose target is not there.
    LeadsNowhere,
    /// A link to a folder that is searched anyway, under another name.
    SearchedAlready,
    /// It is called like an add-on, and is neither a file nor a folder.
    NotAFile,
    /// It is a folder deeper than the ceiling.
    TooDeep {
        /// The ceiling.
        limit: usize,
    },
    /// The search ended at this many add-ons.
    TooManyAddons {
        /// The ceiling.
        limit: usize,
    },
    /// The search ended after this many files and folders.
    TooManyEntries {
        /// The ceiling.
        limit: usize,
    },
}

impl WhyLeftOut {
    /// Whether add-ons may be there that were not found. Not where they were found under another name.
    #[must_use]
    pub fn may_hide_addons(&self) -> bool {
        *self != Self::SearchedAlready
    }
}

impl fmt::Display for WhyLeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(problem) => write!(f, "it cannot be looked at: {problem}"),
            Self::LeadsNowhere => f.write_str("it is a link, and what it leads to is not there"),
            Self::SearchedAlready => f.write_str("it is a link to a folder that is searched already"),
            Self::NotAFile => f.write_str("it is called like an add-on, and is no regular file"),
            Self::TooDeep { limit } => write!(f, "it lies deeper than {limit} folders"),
            Self::TooManyAddons { limit } => write!(f, "there are more than {limit} add-ons"),
            Self::TooManyEntries { limit } => write!(f, "there are more than {limit} files and folders"),
        }
    }
}

/// Whether a file of this name is taken for an add-on. macOS writes a file `._NAME` beside each file on foreign file systems; it holds
/// attributes of that file.
#[must_use]
pub fn is_addon_name(name: &OsStr) -> bool {
    let is_addon =
        |extension: &OsStr| ["xpi", "zip"].iter().any(|known| extension.eq_ignore_ascii_case(known));
    Path::new(name).extension().is_some_and(is_addon) && !name.as_encoded_bytes().starts_with(b"._")
}

/// Searches one folder.
///
/// # Errors
/// The folder itself cannot be looked into. What cannot be looked into below it is left out.
pub fn search(root: &Path, limits: &Limits) -> io::Result<Found> {
    let first =
        Folder { path: PathBuf::new(), place: Place::of(&fs::metadata(root)?), depth: 0, linked: false };
    let mut search = Search {
        root,
        limits,
        entries: 0,
        found: Found::default(),
        known: HashSet::from([first.place]),
        real: VecDeque::new(),
        linked: BTreeMap::new(),
    };
    let mut ended = search.look_into(&first)?;
    while let (None, Some(folder)) = (&ended, search.next()) {
        match search.look_into(&folder) {
            Ok(end) => ended = end,
            // Removed since it was listed: as if it had not been there.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => search.leave_out(folder.path, WhyLeftOut::Unreadable(error.to_string())),
        }
    }
    if let Some(why) = ended {
        search.leave_out(PathBuf::new(), why);
    }
    let Search { mut found, .. } = search;
    found.addons.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    found.left_out.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

struct Search<'s> {
    root: &'s Path,
    limits: &'s Limits,
    /// How many entries were looked at.
    entries: usize,
    found: Found,
    /// The folders that were looked into, or will be without following a link.
    known: HashSet<Place>,
    /// Folders still to be looked into, those of lower depth first.
    real: VecDeque<Folder>,
    /// Those to which links lead, and folders below them, by depth and path: of several links to one folder the same is followed in
    /// each search.
    linked: BTreeMap<(usize, PathBuf), Place>,
}

struct Folder {
    path: PathBuf,
    place: Place,
    depth: usize,
    /// Whether a link was followed on the way to it.
    linked: bool,
}

/// Where a folder really is.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Place {
    device: u64,
    inode: u64,
}

impl Place {
    fn of(metadata: &Metadata) -> Self {
        Self { device: metadata.dev(), inode: metadata.ino() }
    }
}

impl Search<'_> {
    fn next(&mut self) -> Option<Folder> {
        if let Some(folder) = self.real.pop_front() {
            return Some(folder);
        }
        while let Some(((depth, path), place)) = self.linked.pop_first() {
            if self.known.insert(place) {
                return Some(Folder { path, place, depth, linked: true });
            }
            self.leave_out(path, WhyLeftOut::SearchedAlready);
        }
        None
    }

    /// Takes up what lies directly in a folder. Some reason where a ceiling ends the search.
    fn look_into(&mut self, folder: &Folder) -> io::Result<Option<WhyLeftOut>> {
        for entry in fs::read_dir(self.root.join(&folder.path))? {
            if self.entries >= self.limits.entries {
                return Ok(Some(WhyLeftOut::TooManyEntries { limit: self.limits.entries }));
            }
            self.entries += 1;
            let entry = entry?;
            let path = folder.path.join(entry.file_name());
            match self.look_at(&entry, &path, folder) {
                Ok(None) => {}
                Ok(Some(_)) if self.found.addons.len() >= self.limits.addons => {
                    return Ok(Some(WhyLeftOut::TooManyAddons { limit: self.limits.addons }));
                }
                Ok(Some(metadata)) => self.found.addons.push(Addon { path, metadata }),
                Err(why) => self.leave_out(path, why),
            }
        }
        Ok(None)
    }

    /// The metadata of an add-on; `None` for a folder, which is noted, and for anything else.
    fn look_at(
        &mut self,
        entry: &DirEntry,
        path: &Path,
        parent: &Folder,
    ) -> Result<Option<Metadata>, WhyLeftOut> {
        let unreadable = |error: &io::Error| WhyLeftOut::Unreadable(error.to_string());
        let kind = entry.file_type().map_err(|error| unreadable(&error))?;
        let is_addon = is_addon_name(&entry.file_name());
        // Most files are neither links nor add-ons, and need not be asked anything else.
        if !kind.is_dir() && !kind.is_symlink() && !is_addon {
            return Ok(None);
        }
        let metadata = match fs::metadata(entry.path()) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(unreadable(&error)),
            Err(_) if kind.is_symlink() && fs::symlink_metadata(entry.path()).is_ok() => {
                return Err(WhyLeftOut::LeadsNowhere);
            }
            // Removed since it was listed: as if it had not been there.
            Err(_) => return Ok(None),
        };
        if !metadata.is_dir() {
            return match (is_addon, metadata.is_file()) {
                (false, _) => Ok(None),
                (true, true) => Ok(Some(metadata)),
                (true, false) => Err(WhyLeftOut::NotAFile),
            };
        }
        let place = Place::of(&metadata);
        if self.known.contains(&place) {
            return Err(WhyLeftOut::SearchedAlready);
        }
        if parent.depth >= self.limits.depth {
            return Err(WhyLeftOut::TooDeep { limit: self.limits.depth });
        }
        let (path, depth) = (path.to_owned(), parent.depth + 1);
        if parent.linked || kind.is_symlink() {
            self.linked.insert((depth, path), place);
        } else {
            self.known.insert(place);
            self.real.push_back(Folder { path, place, depth, linked: false });
        }
        Ok(None)
    }

    fn leave_out(&mut self, path: PathBuf, why: WhyLeftOut) {
        self.found.left_out.push(LeftOut { path, why });
    }
}

#[cfg(test)]
mod tests;
