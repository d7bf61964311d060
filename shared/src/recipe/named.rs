//! How people name a recipe on a command line, and which one they mean.

use std::fmt;
use std::str::FromStr;

use super::{Lane, RecipePath, Slug};
use crate::nearest::nearest;

/// So many recipes are listed for one that is not there.
const LISTED: usize = 12;

/// A recipe as people name it: `slug`, `lane/slug`, or as other output prints it, `lane/slug.json`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecipeName {
    lane: Option<Lane>,
    slug: Slug,
}

/// The text names no recipe.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a recipe's name: expected SLUG, LANE/SLUG or LANE/SLUG.json, where LANE is emergency or routine and SLUG has 1 to 64 \
     of a-z, 0-9 and \"-\", not beginning with \"-\""
)]
pub struct NotAName;

/// No one recipe is meant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotOne {
    /// There is none of that name.
    #[error("there is no recipe {name}; {}", hint(.near, .known))]
    Unknown {
        /// The name that was given.
        name: RecipeName,
        /// Those with a similar name.
        near: Vec<RecipePath>,
        /// All there are.
        known: Vec<RecipePath>,
    },
    /// There are several.
    #[error("{name} may be {}; give the lane, too", list(.paths))]
    Ambiguous {
        /// The name that was given.
        name: RecipeName,
        /// Those of that name.
        paths: Vec<RecipePath>,
    },
}

impl RecipeName {
    /// The lane, where it was given.
    #[must_use]
    pub fn lane(&self) -> Option<Lane> {
        self.lane
    }

    /// The slug.
    #[must_use]
    pub fn slug(&self) -> &Slug {
        &self.slug
    }

    /// The one of `known` that is meant.
    ///
    /// # Errors
    /// None of them, or several.
    pub fn among<'a>(&self, known: impl IntoIterator<Item = &'a RecipePath>) -> Result<RecipePath, NotOne> {
        let known: Vec<RecipePath> = known.into_iter().cloned().collect();
        let meant =
            |path: &&RecipePath| path.slug == self.slug && self.lane.is_none_or(|lane| lane == path.lane);
        let mut paths: Vec<RecipePath> = known.iter().filter(meant).cloned().collect();
        paths.sort();
        paths.dedup();
        match (paths.pop(), paths.is_empty()) {
            (Some(only), true) => Ok(only),
            (Some(last), false) => {
                paths.push(last);
                Err(NotOne::Ambiguous { name: self.clone(), paths })
            }
            (None, _) => {
                let is_near =
                    |path: &&RecipePath| nearest(self.slug.as_str(), &[path.slug.as_str()]).is_some();
                let near = known.iter().filter(is_near).cloned().collect();
                Err(NotOne::Unknown { name: self.clone(), near, known })
            }
        }
    }
}

impl From<RecipePath> for RecipeName {
    fn from(RecipePath { lane, slug }: RecipePath) -> Self {
        Self { lane: Some(lane), slug }
    }
}

impl FromStr for RecipeName {
    type Err = NotAName;

    fn from_str(text: &str) -> Result<Self, NotAName> {
        let (lane, slug) = match text.split_once('/') {
            Some((lane, file)) => {
                (Some(lane.parse().map_err(|_| NotAName)?), file.strip_suffix(".json").unwrap_or(file))
            }
            None => (None, text),
        };
        Ok(Self { lane, slug: slug.parse().map_err(|_| NotAName)? })
    }
}

impl fmt::Display for RecipeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.lane {
            Some(lane) => write!(f, "{lane}/{}.json", self.slug),
            None => write!(f, "{}", self.slug),
        }
    }
}

fn hint(near: &[RecipePath], known: &[RecipePath]) -> String {
    match (near, known) {
        (_, []) => "there is none at all".to_owned(),
        ([], known) => format!("there are: {}", list(known)),
        (near, _) => format!("did you mean {}?", list(near)),
    }
}

fn list(paths: &[RecipePath]) -> String {
    let shown: Vec<String> = paths.iter().take(LISTED).map(ToString::to_string).collect();
    let more = if paths.len() > LISTED { ", …" } else { "" };
    format!("{}{more}", shown.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn among(name: &str, known: &[&str]) -> Result<String, String> {
        let known: Vec<RecipePath> = known.iter().map(|path| path.parse().unwrap()).collect();
        let name: RecipeName = name.parse().unwrap();
        name.among(&known).map(|path| path.to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn all_three_forms_name_the_recipe() {
        let known = ["emergency/fix.json", "routine/other.json"];
        for name in ["fix", "emergency/fix", "emergency/fix.json"] {
            assert_eq!(among(name, &known).unwrap(), "emergency/fix.json", "{name}");
        }
        for bad in [
            "",
            "Fix",
            "fix.json",
            "other/fix",
            "emergency/",
            "/fix",
            "emergency/a/b",
            "emergency/fix.json.json",
        ] {
            assert_eq!(bad.parse::<RecipeName>(), Err(NotAName), "{bad}");
        }
    }

    #[test]
    fn who_names_none_or_several_is_told_which_there_are() {
        let known = ["emergency/fix.json", "routine/other.json"];
        let near = "there is no recipe fux; did you mean emergency/fix.json?";
        assert_eq!(among("fux", &known).unwrap_err(), near);
        let lane = "there is no recipe routine/fix.json; did you mean emergency/fix.json?";
        assert_eq!(among("routine/fix", &known).unwrap_err(), lane);
        let far = "there is no recipe hold-the-pass; there are: emergency/fix.json, routine/other.json";
        assert_eq!(among("hold-the-pass", &known).unwrap_err(), far);
        assert_eq!(among("fix", &[]).unwrap_err(), "there is no recipe fix; there is none at all");
        let both = ["emergency/fix.json", "routine/fix.json"];
        let two = "fix may be emergency/fix.json, routine/fix.json; give the lane, too";
        assert_eq!(among("fix", &both).unwrap_err(), two);
        assert_eq!(among("routine/fix", &both).unwrap(), "routine/fix.json");
    }
}
