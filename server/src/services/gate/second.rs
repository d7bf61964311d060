//! A second person's key: whether the signatures under an opening let it happen.

use std::collections::BTreeMap;

use jiff::Timestamp;
use mulberry_shared::approval::{AHEAD, Approval, LIFE};
use mulberry_shared::limits::Limits;
use mulberry_shared::operators::ProblemKind;
use mulberry_shared::proposal::{Signing, signing::names};
use mulberry_shared::recipe::Opens;
use mulberry_shared::tuf::threshold::Signature;
use mulberry_shared::tuf::{Key, KeyId, Person};

use super::Change;
use crate::services::Refusal;
use crate::state::State;

/// What else helps where nobody knows who asks.
const INSTEAD: &str =
    ", or ask with another key holder's own token: `mulberry-server token add NAME --person PERSON`";

/// Checks what people signed against the gate that is asked for: its form, its time, that it was not used before, and that
/// it takes two people: the one who asks and one who signed, or two who signed. Gives it with the signatures that count, and
/// nothing else in them.
///
/// # Errors
/// `approval-refused`; `second-key-needed` when it may be the word of one person alone.
pub(super) fn judge(
    state: &State,
    change: &Change<'_>,
    approval: &Approval,
    limits: &Limits,
) -> Result<Approval, Refusal> {
    let Change { actor, path, published, gate, time, .. } = change;
    let refuse = |detail: String| {
        Refusal::new(ProblemKind::ApprovalRefused, detail, "make a new opening and have it signed")
    };
    if approval.percent != gate.percent {
        let detail = format!("{} is asked for, and {} was signed", gate.percent, approval.percent);
        return Err(refuse(detail));
    }
    let floor = state.pace(path).and_then(|pace| pace.floor(time.now));
    timely(approval, floor, time.now).map_err(refuse)?;
    if let Some(until) = approval.open_until {
        if published.recipe.opens == Opens::Server {
            let detail = format!(
                "it was signed to be open until {until}, which clients check only where a recipe says opens = \"people\""
            );
            let remedy = "sign it without --open-until, and pause or end the gate when the time has come";
            return Err(Refusal::new(ProblemKind::ApprovalRefused, detail, remedy));
        }
        if until <= time.now {
            let now = time.now;
            return Err(refuse(format!(
                "it was signed to be open until {until}, which is over: this server's clock reads {now:.0}"
            )));
        }
    }
    let authority =
        state.targets.authority(path.lane.as_str(), "targets").map_err(|error| refuse(error.to_string()))?;
    let opening = approval.opening(path, gate.revision, published.sha256);
    let signed = opening
        .signed_by(authority, &approval.signatures, &limits.trust)
        .map_err(|error| refuse(error.to_string()))?;
    let signing = Signing::of(authority, &signed);
    if signed.is_empty() {
        let detail = format!(
            "no signature of the {} lane holds for {path} revision {} at {}, with the bytes that are published",
            path.lane, gate.revision, gate.percent
        );
        return Err(refuse(detail));
    }
    if published.recipe.opens == Opens::People && signing.missing() > 0 {
        let detail = format!(
            "only the people of the {} lane open {path}, and it is {}",
            path.lane,
            signing.describe()
        );
        let remedy = "have the others sign the same opening";
        return Err(Refusal::new(ProblemKind::SecondKeyNeeded, detail, remedy));
    }
    let person = |keyid| authority.keys.get(keyid).and_then(Key::person);
    let signers: BTreeMap<String, &Person> =
        signed.iter().filter_map(person).map(|person| (person.folded(), person)).collect();
    let asks = actor.person().filter(|asks| people(state).any(|person| person.is_same(asks)));
    let another = asks.is_some_and(|asks| signers.values().any(|person| !person.is_same(asks)));
    if signers.len() > 1 || another {
        return Ok(opening.approved(counted(&approval.signatures, &signed)));
    }
    let (names, others) = (names(&signing.signed), names(&signing.others));
    let (whose, instead) = match actor.person() {
        Some(_) if asks.is_some() => ("is theirs, too".to_owned(), ""),
        // Anybody's, then: also that of the one who signed.
        Some(person) => (format!("is {person}'s, who holds no key"), INSTEAD),
        None => ("is no one person's".to_owned(), INSTEAD),
    };
    let detail = format!("it is signed by {names} alone, and the token {:?} {whose}", actor.name());
    let remedy = format!("have one of {others} sign it{instead}");
    Err(Refusal::new(ProblemKind::SecondKeyNeeded, detail, remedy))
}

/// Everybody who holds a key of people.
fn people(state: &State) -> impl Iterator<Item = &Person> {
    let delegated = state.targets.delegations.iter().flat_map(|delegations| delegations.keys.values());
    state.root.keys.values().chain(delegated).filter_map(Key::person)
}

/// The signatures under these labels. What else somebody wrote into them, clients would refuse.
fn counted(signatures: &[Signature], labels: &[KeyId]) -> Vec<Signature> {
    let counted = signatures.iter().filter(|signature| labels.contains(&signature.keyid));
    counted.map(|one| Signature { other: BTreeMap::new(), ..one.clone() }).collect()
}

/// Whether it may still be handed in: made lately, and after everything that happened to the gate.
fn timely(approval: &Approval, floor: Option<Timestamp>, now: Timestamp) -> Result<(), String> {
    let Approval { since, expires, .. } = approval;
    if *expires <= now {
        return Err(format!(
            "what was signed could be submitted until {expires}, and this server's clock reads {now:.0}"
        ));
    }
    if since.subsec_nanosecond() != 0 || expires.duration_since(*since) > LIFE {
        return Err(format!(
            "what was signed may be submitted for at most {LIFE:#}, and begins on a whole second"
        ));
    }
    if since.duration_since(now) > AHEAD {
        return Err(format!(
            "what was signed is to hold from {since} on, and this server's clock reads {now:.0}; one clock is wrong"
        ));
    }
    match floor {
        Some(floor) if *since <= floor => Err(format!(
            "what was signed was made at {since}, and the gate was set at {floor}: it was used, or the gate was changed since. This server's clock reads \
             {now:.0}"
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use mulberry_shared::sampling::BasisPoints;
    use proptest::prelude::*;

    use super::*;
    use crate::state::Pace;

    proptest! {
        /// Under any clock, forwards and back: what was taken once is never taken again.
        #[test]
        fn an_opening_counts_once_whatever_the_clock_does(
            story in prop::collection::vec((-200_000..200_000_i64, -90_000..900_i64), 1..20),
            later in -200_000..200_000_i64,
        ) {
            let at = |seconds: i64| Timestamp::from_second(1_800_000_000 + seconds).unwrap();
            let made = |since| Approval {
                percent: BasisPoints::EVERYONE, since, expires: since + LIFE, open_until: None, signatures: Vec::new(),
            };
            let mut pace = Pace::at(at(-300_000));
            let mut taken = Vec::new();
            for (now, ago) in story {
                let (now, since) = (at(now), at(now + ago));
                if timely(&made(since), pace.floor(now), now).is_ok() {
                    pace.note(since);
                    taken.push(since);
                }
            }
            for since in taken {
                prop_assert!(timely(&made(since), pace.floor(at(later)), at(later)).is_err(), "{since} at {later}");
            }
        }
    }
}
