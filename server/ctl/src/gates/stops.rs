//! What people stopped at a gate: nobody undoes that without knowing it.

use super::of;
use crate::{
    failure::{Failure, FailureKind},
    output,
};
use jiff::Timestamp;
use mulberry_shared::{
    answer::plain,
    operators::{ProblemKind, RecipeStatus, StatusResponse, Stop, StopKind},
};

/// What opening the recipe's gate at `percent` undoes, in the order of events.
pub fn undone(recipe: &RecipeStatus, percent: u16) -> Vec<Stop> {
    of(recipe).map_or_else(Vec::new, |gate| gate.stops_below(percent.min(recipe.max_percent)))
}

/// One stop in words: what was done, by whom, when and why.
pub fn describe(stop: &Stop, now: Timestamp) -> String {
    let did = match stop.did {
        StopKind::Paused => "paused".to_owned(),
        StopKind::Narrowed => {
            format!("narrowed from {} to {}", output::percent(stop.from), output::percent(stop.left))
        }
    };
    let (by, reason) = (plain(&stop.by), plain(&stop.reason));
    format!("{did} by {by} {} (event {}): {reason:?}", output::distance(stop.at, now), stop.event)
}

/// All of them, a line each; with how many more the server does not list.
fn lines(recipe: &RecipeStatus, stops: &[Stop], now: Timestamp) -> Vec<String> {
    let RecipeStatus { path, revision, .. } = recipe;
    let mut lines: Vec<String> =
        stops.iter().map(|stop| format!("{path} revision {revision} was {}.", describe(stop, now))).collect();
    match of(recipe).map_or(0, |gate| gate.unlisted_stops) {
        0 => {}
        more => lines
            .insert(0, format!("{more} stops before these: mulberryctl ledger show --slug {}", recipe.slug)),
    }
    lines
}

/// The events for `--resume`.
pub fn events(stops: &[Stop]) -> String {
    stops.iter().map(|stop| stop.event.to_string()).collect::<Vec<_>>().join(",")
}

/// The events that a request must name to open the gate at `percent`: every pause and narrowing that this undoes. Says that it does.
///
/// # Errors
/// There is one that is not named.
pub fn resumes(
    status: &StatusResponse,
    recipe: &RecipeStatus,
    percent: u16,
    named: &[u64],
    now: Timestamp,
) -> Result<Vec<u64>, Failure> {
    let stops = agreed(status, recipe, percent, named, now)?;
    if !stops.is_empty() {
        output::tell(&format!("{}\nThis undoes that.", lines(recipe, &stops, now).join("\n")));
    }
    Ok(stops.iter().map(|stop| stop.event).collect())
}

/// The pauses and narrowings that opening the gate at `percent` undoes, all of which are named.
///
/// # Errors
/// One is not.
pub fn agreed(
    status: &StatusResponse,
    recipe: &RecipeStatus,
    percent: u16,
    named: &[u64],
    now: Timestamp,
) -> Result<Vec<Stop>, Failure> {
    let stops = undone(recipe, percent);
    if stops.iter().all(|stop| named.contains(&stop.event)) {
        return Ok(stops);
    }
    Err(Failure::no(
        ProblemKind::WouldResume,
        format!(
            "{}\nNothing was opened, because that would undo it. {} If all of it is over, run the same again with --resume {}",
            lines(recipe, &stops, now).join("\n"),
            whom(&stops, status),
            events(&stops)
        ),
    ))
}

/// Whom to ask: everybody but the one who reads this.
fn whom(stops: &[Stop], status: &StatusResponse) -> String {
    let used = |stop: &Stop| Some(&stop.by) == status.asked_by.as_ref();
    let own = |stop: &Stop| match (&stop.by_person, &status.asked_by_person) {
        (Some(by), Some(asks)) => by.is_same(asks),
        _ => used(stop),
    };
    let name = |stop: &Stop| stop.by_person.as_ref().map_or_else(|| plain(&stop.by), ToString::to_string);
    let mut others: Vec<String> = stops.iter().filter(|stop| !own(stop)).map(name).collect();
    others.sort();
    others.dedup();
    if !others.is_empty() {
        return format!("Ask {}.", others.join(", "));
    }
    match stops.iter().all(used) {
        true => "It was done with the token that you use.".to_owned(),
        false => "It was done with a token of yours.".to_owned(),
    }
}

/// Until when people signed the gate to be open before, where this opening says nothing of it.
///
/// # Errors
/// It does not, so that nobody knows whether it was forgotten.
pub fn check_open_until(before: Option<Timestamp>, chosen: bool, now: Timestamp) -> Result<(), Failure> {
    let Some(before) = before.filter(|_| !chosen) else { return Ok(()) };
    let at = output::instant(before);
    let (was, keep) = if before <= now {
        (format!("it was to be open until {at}, which is over"), "a later time: --open-until TIME".to_owned())
    } else {
        (format!("it is to be open until {at}"), format!("that time: --open-until {before}"))
    };
    Err(Failure::usage(
        FailureKind::OpenUntil,
        format!(
            "People signed this gate before, and then {was}. Without a word of it, this opening lasts until the recipe's own end. Run \
             the same again with {keep}, or, if it is meant to last, with --no-open-until. Nothing was signed."
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gates::fixtures::{response, status};
    use mulberry_shared::operators::GateState;

    fn stop(event: u64, by: &str, did: StopKind, left: u16) -> Stop {
        let at = "2026-11-22T12:00:00Z".parse().unwrap();
        Stop {
            event,
            by: by.into(),
            by_person: None,
            at,
            did,
            from: 10_000,
            left,
            reason: format!("why {event}"),
        }
    }

    #[test]
    fn every_stop_that_an_opening_undoes_is_told_and_only_named_are_they_undone() {
        let now = "2026-11-22T12:00:03Z".parse().unwrap();
        let mut recipe = response(GateState::Paused, 2_500, 10_000, 0).recipe;
        recipe.gate.as_mut().unwrap().stops = vec![
            stop(7, "alice", StopKind::Narrowed, 1_000),
            stop(9, "mei", StopKind::Paused, 0),
            stop(10, "tom", StopKind::Paused, 0),
        ];
        let status = status("mei");
        let ask = |percent, named: &[u64]| resumes(&status, &recipe, percent, named, now);
        for named in [&[][..], &[10], &[9, 10], &[7, 9], &[8, 9, 10]] {
            let refused = ask(2_500, named).unwrap_err();
            assert_eq!(refused.kind, "would-resume");
            for part in [
                "revision 2 was narrowed from 100 % to 10 % by alice 3 seconds ago (event 7): \"why 7\".\n",
                "was paused by mei 3 seconds ago (event 9): \"why 9\".\n",
                "Ask alice, tom. If all of it is over",
                "--resume 7,9,10",
            ] {
                assert!(refused.sentence.contains(part), "{part}\n{refused}");
            }
        }
        assert_eq!(ask(2_500, &[10, 9, 7]).unwrap(), [7, 9, 10]);
        // The narrowing is not undone by going no further than it left the gate.
        assert_eq!(ask(1_000, &[9, 10]).unwrap(), [9, 10]);
        assert_eq!(recipe.max_percent, 10_000);
    }

    #[test]
    fn nobody_is_sent_to_ask_themselves_and_an_older_server_names_its_last_event() {
        let now = "2026-11-22T12:00:03Z".parse().unwrap();
        let mut paused = response(GateState::Paused, 2_500, 10_000, 0).recipe;
        let refused = resumes(&status("mei"), &paused, 2_500, &[], now).unwrap_err();
        assert!(refused.sentence.contains("was paused by mei 3 seconds ago (event 9): \"r\"."), "{refused}");
        assert!(
            refused.sentence.contains("with the token that you use") && !refused.sentence.contains("Ask")
        );
        assert!(resumes(&status("tom"), &paused, 2_500, &[], now).unwrap_err().sentence.contains("Ask mei."));
        // Who it was is told by the person, where that is known, and not by the name of a token.
        let mut tom = status("mei");
        tom.asked_by_person = Some("tom".parse().unwrap());
        let set = paused.gate.as_mut().unwrap().set.as_mut().unwrap();
        set.by_person = Some("alice".parse().unwrap());
        let refused = resumes(&tom, &paused, 2_500, &[], now).unwrap_err();
        assert!(refused.sentence.contains("Ask alice."), "{refused}");
        tom.asked_by_person = Some("Alice".parse().unwrap());
        tom.asked_by = Some("alice-2".to_owned());
        let refused = resumes(&tom, &paused, 2_500, &[], now).unwrap_err();
        assert!(refused.sentence.contains("with a token of yours"), "{refused}");
        paused.gate.as_mut().unwrap().set.as_mut().unwrap().by_person = None;
        assert_eq!(resumes(&status("mei"), &paused, 2_500, &[9], now).unwrap(), [9]);

        let mut narrowed = response(GateState::Open, 500, 10_000, 500).recipe;
        assert_eq!(undone(&narrowed, 2_500), [], "nobody stopped it");
        narrowed.gate.as_mut().unwrap().stopped = true;
        assert_eq!(undone(&narrowed, 2_500).len(), 1);
        assert_eq!(undone(&narrowed, 500), [], "it goes no further");
        narrowed.max_percent = 400;
        assert_eq!(undone(&narrowed, 2_500), [], "nor does it beyond the maximum");
        paused.revision = 3;
        assert_eq!(undone(&paused, 2_500), [], "a gate speaks for one revision");
    }

    #[test]
    fn a_time_that_people_signed_is_kept_or_dropped_and_never_forgotten() {
        let (now, before) =
            ("2026-11-22T12:00:00Z".parse().unwrap(), "2026-11-22T13:00:00Z".parse().unwrap());
        assert!(
            check_open_until(None, false, now).is_ok() && check_open_until(Some(before), true, now).is_ok()
        );
        let refused = check_open_until(Some(before), false, now).unwrap_err();
        assert_eq!(refused.kind, "open-until");
        for part in ["until 2026-11-22 13:00:00Z", "--open-until 2026-11-22T13:00:00Z", "--no-open-until"] {
            assert!(refused.sentence.contains(part), "{refused}");
        }
        let over = check_open_until(Some(now), false, now).unwrap_err().sentence;
        assert!(over.contains("which is over") && over.contains("a later time"), "{over}");
    }
}
