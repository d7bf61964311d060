//! Messages about gates: what is asked of one, and how one stands.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{LedgerHead, RecipeStatus};
use crate::approval::Approval;
use crate::gates::GateState;
use crate::recipe::OnEnd;
use crate::tuf::Person;

/// `PUT /api/v1/gates/{lane}/{slug}`: how far one revision is open from now on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct GateRequest {
    /// The revision that is meant; must be the published one.
    #[cfg_attr(feature = "openapi", schema(value_type = super::schema::Number))]
    pub revision: u64,
    /// The state wanted: `open`, `paused` or `ended`.
    pub state: GateState,
    /// Basis points, 0 to 10,000. Required to open; without it, pausing and ending keep the percentage they find.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<crate::sampling::BasisPoints>))]
    pub percent: Option<u16>,
    /// Why, for operators: 1 to 500 characters. It stays in the ledger and in the status.
    #[cfg_attr(feature = "openapi", schema(value_type = super::schema::Reason))]
    pub reason: String,
    /// The events that paused or narrowed the gate and that this undoes, as `stops` of its status has them: a list, or the number of
    /// the only one. Needed to open a gate wider than somebody left it: who undoes what a colleague did says that it is meant.
    #[serde(default, with = "one_or_many", skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "openapi", schema(value_type = super::schema::Events, required = false))]
    pub resumes: Vec<u64>,
    /// A word for the public, published with the gate: at most 500 characters. Without it a gate that otherwise stays as it is
    /// keeps its note, and any other has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(max_length = 500))]
    pub note: Option<String>,
    /// People's signatures, for an opening that one person may not make alone. Its percentage must be that of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<Approval>,
}

/// Answer to a gate request: it is durable and served.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GateResponse {
    /// The edition (snapshot version) that first contains it.
    pub edition: u64,
    /// The recipe with its gate as it stands now.
    pub recipe: RecipeStatus,
    /// Whether it stood so before, so that nothing was recorded. Older servers do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub already: Option<bool>,
    /// Head of the ledger after it.
    pub ledger: LedgerHead,
}

/// What an ended gate does on clients that have the recipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum GateEnd {
    /// What it did stays.
    Keep,
    /// It is undone, where that breaks no add-on that works.
    Revert,
    /// Nothing: only the lane's people end its action, by withdrawing it.
    Nothing,
}

impl From<Option<OnEnd>> for GateEnd {
    fn from(end: Option<OnEnd>) -> Self {
        match end {
            Some(OnEnd::Keep) => Self::Keep,
            Some(OnEnd::Revert) => Self::Revert,
            None => Self::Nothing,
        }
    }
}

/// The next step that one person may take alone in a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NextStep {
    /// How far, in basis points.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::sampling::BasisPoints))]
    pub percent: u16,
    /// From when on one person may take it alone; none: at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub from: Option<Timestamp>,
}

/// One gate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GateStatus {
    /// The revision it speaks for.
    pub revision: u64,
    /// Its state: `open`, `paused` or `ended`.
    pub state: GateState,
    /// Basis points, 0 to 10,000.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::sampling::BasisPoints))]
    pub percent: u16,
    /// Why it was set, for operators.
    pub reason: String,
    /// What is published with it; empty for nothing.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// Earlier revisions that it lists as ended: clients that were away meet their end.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ended: Vec<u64>,
    /// Until when people signed it to be open when they opened it last, where that is sooner than the recipe's own end. Also while it
    /// is paused: who opens it again says whether that still holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub open_until: Option<Timestamp>,
    /// When it was set; where people signed for it, the instant that they signed for.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub since: Timestamp,
    /// The event that set it last. Older servers do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set: Option<SetBy>,
    /// Whether there are `stops`. Older servers say only this: then the event that set it last is one.
    #[serde(default)]
    pub stopped: bool,
    /// Who paused or narrowed it, older ones first, as long as nobody has opened it further than they left it. To do that, a request
    /// names their events with `resumes`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stops: Vec<Stop>,
    /// How many more of them there were before those, too many to list; the ledger has them.
    #[serde(default, skip_serializing_if = "is_none")]
    pub unlisted_stops: u64,
}

/// Who paused or narrowed a gate, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Stop {
    /// The event's number in the ledger.
    pub event: u64,
    /// The name of the token.
    pub by: String,
    /// The person whose token it is, where that is known. Older servers do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by_person: Option<Person>,
    /// When the server recorded it.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub at: Timestamp,
    /// What they did.
    pub did: StopKind,
    /// The share that it was open to before, within the recipe's maximum, in basis points.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::sampling::BasisPoints))]
    pub from: u16,
    /// The share that they left it open to; 0 where they paused it.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::sampling::BasisPoints))]
    pub left: u16,
    /// Why, for operators.
    pub reason: String,
}

/// What somebody did who stopped a gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum StopKind {
    /// They paused it, or paused it once more for another reason.
    Paused,
    /// They left it open, and less far.
    Narrowed,
}

impl GateStatus {
    /// The stops that opening it to this share, within the recipe's maximum, undoes. Of older servers: the last event, where it is
    /// one.
    #[must_use]
    pub fn stops_below(&self, share: u16) -> Vec<Stop> {
        let mut stops = self.stops.clone();
        if let Some(set) = self.set.as_ref().filter(|_| stops.is_empty() && self.stopped) {
            let (did, left) = match self.state {
                GateState::Open => (StopKind::Narrowed, self.percent),
                GateState::Paused | GateState::Ended => (StopKind::Paused, 0),
            };
            let (event, by, at, reason) = (set.event, set.by.clone(), set.at, self.reason.clone());
            let by_person = set.by_person.clone();
            stops.push(Stop { event, by, by_person, at, did, from: self.percent, left, reason });
        }
        stops.retain(|stop| stop.left < share && self.state != GateState::Ended);
        stops
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "what serde calls")]
fn is_none(count: &u64) -> bool {
    *count == 0
}

/// Numbers of events: one alone is written as a number, which is all that servers knew before they named several.
mod one_or_many {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Events {
        One(u64),
        Many(Vec<u64>),
    }

    pub(super) fn serialize<S: Serializer>(events: &[u64], serializer: S) -> Result<S::Ok, S::Error> {
        match events {
            [one] => one.serialize(serializer),
            many => many.serialize(serializer),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u64>, D::Error> {
        Ok(match Events::deserialize(deserializer)? {
            Events::One(one) => vec![one],
            Events::Many(many) => many,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_resumed_travels_as_one_number_or_several() {
        let read = |resumes: &str| {
            let text = format!(r#"{{"revision":1,"state":"open","percent":1,"reason":"r"{resumes}}}"#);
            serde_json::from_str::<GateRequest>(&text).map(|request| {
                assert_eq!(serde_json::to_string(&request).unwrap(), text, "older servers read one");
                request.resumes
            })
        };
        assert_eq!(read("").unwrap(), [0; 0]);
        assert_eq!(read(r#","resumes":7"#).unwrap(), [7]);
        assert_eq!(read(r#","resumes":[7,9]"#).unwrap(), [7, 9]);
        assert!(read(r#","resumes":"7""#).is_err() && read(r#","resumes":-1"#).is_err());
    }
}

/// Who set a gate, and in which event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SetBy {
    /// The event's number in the ledger.
    pub event: u64,
    /// The name of the token.
    pub by: String,
    /// The person whose token it is, where that is known. Older servers do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by_person: Option<Person>,
    /// When the server recorded it.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub at: Timestamp,
}
