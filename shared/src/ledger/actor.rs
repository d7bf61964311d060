//! Who asked for an event: a type, never a name that is parsed.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::tuf::{NotAPerson, Person};

/// Something that several people do in turn, such as `night-watch`; written as a person's name is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Duty(Person);

impl FromStr for Duty {
    type Err = NotAPerson;

    fn from_str(text: &str) -> Result<Self, NotAPerson> {
        text.parse().map(Self)
    }
}

impl fmt::Display for Duty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Whose a token is, as was said when it was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Owner {
    /// One person's.
    Person(Person),
    /// A duty's: anybody may have it who has that duty.
    Duty(Duty),
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Person(person) => write!(f, "person {person}"),
            Self::Duty(duty) => write!(f, "duty {duty}"),
        }
    }
}

/// Who asked for an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub enum Actor {
    /// Whoever had this token.
    Token {
        /// Its name.
        token: String,
        /// Whose it is.
        owner: Owner,
    },
    /// Whoever ran a command on the server.
    Command {
        /// The command, such as `mulberry-server init`.
        command: String,
    },
    /// A name, and nothing says whose: that of a token which was made before tokens had owners, or of whatever a record of formats
    /// 1 to 4 names.
    Unknown(String),
}

impl Actor {
    /// A command on the server.
    #[must_use]
    pub fn command(command: &str) -> Self {
        Self::Command { command: command.to_owned() }
    }

    /// The name of the token, or the command.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Token { token: name, .. } | Self::Command { command: name } | Self::Unknown(name) => name,
        }
    }

    /// The person, where it is known to be one.
    #[must_use]
    pub fn person(&self) -> Option<&Person> {
        match self {
            Self::Token { owner: Owner::Person(person), .. } => Some(person),
            Self::Token { owner: Owner::Duty(_), .. } | Self::Command { .. } | Self::Unknown(_) => None,
        }
    }

    /// Whether both are one person, or have one token where nothing says that.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        match (self.person(), other.person()) {
            (Some(one), Some(other)) => one.is_same(other),
            _ => self == other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(name: &str, owner: Owner) -> Actor {
        Actor::Token { token: name.to_owned(), owner }
    }

    #[test]
    fn the_stored_form_is_stable() {
        for (actor, text) in [
            (
                token("mei-2", Owner::Person("mei".parse().unwrap())),
                r#"{"token":"mei-2","owner":{"person":"mei"}}"#,
            ),
            (
                token("night", Owner::Duty("night-watch".parse().unwrap())),
                r#"{"token":"night","owner":{"duty":"night-watch"}}"#,
            ),
            (Actor::command("mulberry-server init"), r#"{"command":"mulberry-server init"}"#),
            (Actor::Unknown("mei".to_owned()), r#""mei""#),
        ] {
            assert_eq!(serde_json::to_string(&actor).unwrap(), text);
            assert_eq!(serde_json::from_str::<Actor>(text).unwrap(), actor);
        }
        for bad in [
            r#"{"token":"mei"}"#,
            r#"{"token":"mei","owner":{"person":"m\u202ei"}}"#,
            r#"{"token":"mei","owner":{"person":"mei"},"more":1}"#,
            r#"{"token":"mei","owner":{"person":"mei","duty":"x"}}"#,
            r#"{"command":"x","token":"y"}"#,
            "{}",
            "7",
        ] {
            assert!(serde_json::from_str::<Actor>(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn one_person_has_many_tokens_and_a_name_makes_nobody_a_person() {
        let of = |name: &str, person: &str| token(name, Owner::Person(person.parse().unwrap()));
        assert!(of("a", "mei").is_same(&of("b", "Mei")));
        assert!(!of("a", "mei").is_same(&of("a", "tom")));
        let unknown = |name: &str| Actor::Unknown(name.to_owned());
        assert!(!unknown("mei").is_same(&of("mei", "mei")) && unknown("mei").person().is_none());
        assert!(unknown("mei").is_same(&unknown("mei")) && !unknown("mei").is_same(&unknown("tom")));
        let duty = |name: &str| token(name, Owner::Duty("watch".parse().unwrap()));
        assert!(duty("a").person().is_none() && !duty("a").is_same(&duty("b")));
    }
}
