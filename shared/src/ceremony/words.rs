//! A ceremony before and after, in words: what people read before they sign.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::signing::{Demanded, Whose};
use super::{Ceremony, Live, rules};
use crate::limits::Limits;
use crate::proposal::Role;
use crate::quoted::quoted;
use crate::recipe::words;
use crate::tuf::threshold::Authority;
use crate::tuf::{Holder, Key, Person, PublicKey, TrustError};

/// Hex digits of a fingerprint that are shown to people.
const DIGITS: usize = 16;

impl Ceremony {
    /// Every part with its versions and expiry, and every role whose keys or threshold change: `-` was, `+` will be.
    ///
    /// # Errors
    /// `not-delegated` when a role is missing above.
    pub fn describe(&self, live: &Live<'_>, now: Timestamp) -> Result<String, TrustError> {
        let mut text = String::new();
        for (role, part) in &self.parts {
            let from = part.version().saturating_sub(1);
            let what = match role.lane() {
                None => format!("{role} version {from} to {}", part.version()),
                Some(lane) => {
                    let recipes = self.lane(lane).map_or(0, |body| body.targets.len());
                    format!(
                        "The {role} lane is signed again as version {}, or agents could not verify it any more; its {recipes} \
                         recipes stay as they are",
                        part.version()
                    )
                }
            };
            text.push_str(&format!(
                "{}; signed until {}.\n",
                capital(&what),
                words::moment(part.expires(), now)
            ));
        }
        let root = self.root().unwrap_or(live.root);
        let targets = self.targets().unwrap_or(live.targets);
        let before = rules::authorities(live.root, live.targets)?;
        let after = rules::authorities(root, targets)?;
        let mut changed = 0_usize;
        for (before, after) in before.iter().zip(&after) {
            let (old, new) = (rows(before), rows(after));
            if old == new && before.role_keys.threshold == after.role_keys.threshold {
                continue;
            }
            changed = changed.saturating_add(1);
            text.push_str(&format!(
                "\n{}: {} sign before, {} after\n",
                after.role,
                share(before.role_keys.threshold, old.len()),
                share(after.role_keys.threshold, new.len())
            ));
            for row in old.union(&new) {
                let mark = match (old.contains(row), new.contains(row)) {
                    (true, true) => ' ',
                    (true, false) => '-',
                    _ => '+',
                };
                text.push_str(&format!("  {mark} {}\n", row.shown()));
            }
            if !rules::ONLINE.contains(&after.role) {
                text.push_str(&warning(after, new.len()));
            }
        }
        if changed == 0 {
            text.push_str("\nNo key and no threshold changes: it is signed again before it expires.\n");
        }
        Ok(text)
    }

    /// The people who hold a key of a role now and none of it afterwards. What else they hold is not in the metadata: tokens for
    /// the server, say.
    ///
    /// # Errors
    /// `not-delegated` when a role is missing above.
    pub fn leaving(&self, live: &Live<'_>) -> Result<BTreeSet<Person>, TrustError> {
        let (root, targets) = (self.root().unwrap_or(live.root), self.targets().unwrap_or(live.targets));
        let mut leaving = BTreeSet::new();
        for role in Role::PEOPLE {
            let before = people(&rules::authority(role, live.root, live.targets)?);
            let after = people(&rules::authority(role, root, targets)?);
            leaving.extend(before.difference(&after).map(|person| (*person).clone()));
        }
        Ok(leaving)
    }

    /// Who has signed which part and who is missing, a line each.
    ///
    /// # Errors
    /// [`Self::signing`]'s.
    pub fn progress(&self, live: &Live<'_>, limits: &Limits) -> Result<String, TrustError> {
        let all = self.signing(live, limits)?;
        let lines = all.iter().map(|demanded| {
            format!("  {}: {}", heading(demanded.role, demanded.whose, &all), demanded.signing.describe())
        });
        Ok(lines.collect::<Vec<_>>().join("\n"))
    }
}

/// The part's name; of a root whose keys change, with whose keys are meant.
#[must_use]
pub fn heading(role: Role, whose: Whose, all: &[Demanded]) -> String {
    let twice = all.iter().filter(|other| other.role == role).count() > 1;
    match whose {
        Whose::Present if twice => format!("{role}, by its present keys"),
        Whose::Next if twice => format!("{role}, by its next keys"),
        _ => role.to_string(),
    }
}

/// The roles of which signatures are missing.
#[must_use]
pub fn unmet(all: &[Demanded]) -> BTreeSet<Role> {
    all.iter().filter(|demanded| demanded.signing.missing() > 0).map(|demanded| demanded.role).collect()
}

/// A key of a role and its holder. Compared whole: what people see is the beginning of its fingerprint.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Row<'a> {
    who: String,
    key: Option<&'a PublicKey>,
}

impl Row<'_> {
    fn shown(&self) -> String {
        let what = self.key.map_or_else(
            || "unreadable key".to_owned(),
            |key| format!("{} {:.DIGITS$}", key.algorithm(), key.fingerprint().to_string()),
        );
        format!("{:<12} {what}", self.who)
    }
}

fn rows<'a>(authority: &Authority<'a>) -> BTreeSet<Row<'a>> {
    let row = |key: &'a Key| {
        let who = match key.holder() {
            Holder::Nobody if rules::ONLINE.contains(&authority.role) => "the server".to_owned(),
            Holder::Nobody => "(no person)".to_owned(),
            Holder::Person(person) => person.to_string(),
            Holder::Unfit(name) => quoted(name),
        };
        Row { who, key: key.public() }
    };
    let keys = authority.keys;
    authority.role_keys.keyids.iter().filter_map(|id| keys.get(id)).map(row).collect()
}

fn people<'a>(authority: &Authority<'a>) -> BTreeSet<&'a Person> {
    let keys = authority.keys;
    authority.role_keys.keyids.iter().filter_map(|id| keys.get(id)?.person()).collect()
}

fn share(threshold: u32, keys: usize) -> String {
    format!("{threshold} of {keys}")
}

/// What nobody should overlook.
fn warning(after: &Authority<'_>, keys: usize) -> String {
    let threshold = after.role_keys.threshold;
    let role = after.role;
    if threshold == 1 {
        return format!(
            "  WARNING: one person alone could sign for {role}; whoever steals one key has it.\n"
        );
    }
    if u32::try_from(keys).is_ok_and(|keys| keys == threshold) {
        return format!("  WARNING: all {keys} must sign for {role}; one lost key locks everybody out.\n");
    }
    String::new()
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
