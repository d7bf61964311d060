//! `mulberryctl status`: recipes, gates and every metadata expiry. Mulberry must not die of its own disease.

use crate::{
    context::CommandContext,
    failure::Failure,
    gates::{self, stops},
    output,
};
use clap::Args;
use jiff::{SignedDuration, Timestamp};
use mulberry_shared::{
    answer::plain,
    edition::write,
    exit::Exit,
    operators::{ExpiryStatus, GateState, RecipeStatus, SignedBy, StatusResponse},
};

/// Clocks further apart than this are worth a word.
const CLOCK_TOLERANCE: SignedDuration = SignedDuration::from_mins(5);

/// `status`
#[derive(Args, Debug)]
#[command(
    after_help = "Due: people's metadata 14 days before it expires, the server's at half its life.\n\n\
                        Example:\n  mulberryctl status\n  mulberryctl status --json"
)]
pub struct Status;

impl Status {
    /// Shows the status; exit code 1 when any metadata is due, or the server has other troubles.
    ///
    /// # Errors
    /// The server is unreachable or refuses.
    pub async fn run(&self, context: &CommandContext) -> Result<Exit, Failure> {
        let now = context.now;
        let status = context.server()?.status().await?;
        let due: Vec<&ExpiryStatus> = status.expiries.iter().filter(|expiry| is_due(expiry, now)).collect();
        context.format.print(
            || words(&status, &due, now),
            || {
                let mut json = serde_json::json!(status);
                if let Some(object) = json.as_object_mut() {
                    let roles: Vec<&str> = due.iter().map(|expiry| expiry.role.as_str()).collect();
                    object.insert("due".to_owned(), serde_json::json!(roles));
                }
                json
            },
        )?;
        Ok(if due.is_empty() && status.troubles.is_empty() { Exit::Yes } else { Exit::No })
    }
}

/// Due by the server's clock or by ours: a server whose clock stands still must not say that all is well.
fn is_due(expiry: &ExpiryStatus, now: Timestamp) -> bool {
    expiry.due || write::due_from(&expiry.role, expiry.expires) <= now
}

fn words(status: &StatusResponse, due: &[&ExpiryStatus], now: Timestamp) -> String {
    let mut parts = vec![format!(
        "Edition {}, ledger {} ({:.12}…), server time {}{}.",
        status.edition,
        status.ledger.sequence,
        status.ledger.head.to_string(),
        output::instant(status.now),
        if status.clock_shifted { ", shifted by --clock-start: a rehearsal" } else { "" },
    )];
    let apart = status.now.duration_since(now).abs();
    if apart > CLOCK_TOLERANCE {
        parts.push(format!(
            "Warning: by this clock the server's time is {}. One of them is wrong.",
            output::distance(status.now, now)
        ));
    }
    if !status.troubles.is_empty() {
        let troubles = status.troubles.iter().map(|trouble| format!("  {trouble}")).collect::<Vec<_>>();
        parts.push(format!("TROUBLE, says the server; its log says more:\n{}", troubles.join("\n")));
    }
    parts.push(recipes(&status.recipes, now));
    let expiries = status.expiries.iter().map(|expiry| {
        let verdict = if now >= expiry.expires {
            "EXPIRED"
        } else if due.iter().any(|late| late.role == expiry.role) {
            "DUE"
        } else {
            "ok"
        };
        [
            expiry.role.clone(),
            expiry.version.to_string(),
            output::instant(expiry.expires),
            output::distance(expiry.expires, now),
            match expiry.signed_by {
                SignedBy::People => "people".to_owned(),
                SignedBy::Server => "server".to_owned(),
            },
            verdict.to_owned(),
        ]
    });
    parts.push(output::table(["METADATA", "VERSION", "EXPIRES", "", "SIGNED BY", ""], expiries));
    match status.proposals_waiting {
        0 => {}
        1 => parts.push("1 proposal waits for signatures: mulberryctl proposals".to_owned()),
        many => parts.push(format!("{many} proposals wait for signatures: mulberryctl proposals")),
    }
    if !due.is_empty() {
        parts.push(due.iter().map(|expiry| remedy(expiry)).collect::<Vec<_>>().join("\n"));
    }
    parts.join("\n\n")
}

fn recipes(recipes: &[RecipeStatus], now: Timestamp) -> String {
    if recipes.is_empty() {
        return "No recipe is published.".to_owned();
    }
    let rows = recipes.iter().map(|recipe| {
        [
            recipe.path.clone(),
            recipe.revision.to_string(),
            recipe.action.clone(),
            gates::words(recipe),
            output::percent(recipe.effective_percent),
            window(recipe, now),
        ]
    });
    let mut text = output::table(["RECIPE", "REV", "ACTION", "GATE", "REACHES", "WINDOW"], rows);
    for recipe in recipes {
        let gate = recipe.gate.as_ref().filter(|gate| gate.revision == recipe.revision);
        let stops = stops::undone(recipe, u16::MAX);
        for stop in &stops {
            text.push_str(&format!("\n{} was {}", recipe.path, stops::describe(stop, now)));
        }
        if let Some(gate) = gate.filter(|gate| gate.state != GateState::Open && stops.is_empty()) {
            let by = gate.set.as_ref().map_or(String::new(), |set| format!(" by {}", plain(&set.by)));
            let since = output::distance(gate.set.as_ref().map_or(gate.since, |set| set.at), now);
            text.push_str(&format!(
                "\n{} {}{by} {since}: {}",
                recipe.path,
                gate.state.as_str(),
                plain(&gate.reason)
            ));
        }
        if let Some(why) = &recipe.closed_to_clients {
            text.push_str(&format!("\n{} is closed to clients: {}", recipe.path, plain(why)));
        }
        if let Some(gate) = gate.filter(|gate| !gate.note.is_empty()) {
            text.push_str(&format!("\n{} says to the public: {}", recipe.path, plain(&gate.note)));
        }
    }
    text
}

fn window(recipe: &RecipeStatus, now: Timestamp) -> String {
    match recipe.starts {
        Some(starts) if starts > now => format!("starts {}", output::distance(starts, now)),
        _ if recipe.expires <= now => format!("expired {}", output::distance(recipe.expires, now)),
        _ => format!("expires {}", output::distance(recipe.expires, now)),
    }
}

fn remedy(expiry: &ExpiryStatus) -> String {
    match (expiry.signed_by, expiry.role.as_str()) {
        (SignedBy::Server, role) => format!(
            "{role} is past half its life: the server does not re-sign it. Look at the server's log and restart it; agents stop \
             opening anything new when it expires."
        ),
        (SignedBy::People, role @ ("emergency" | "routine")) => format!(
            "{role} is due: run mulberryctl publish --renew {role} --key FILE …, or publish a change of it. Once it has expired, \
             agents take nothing new from it."
        ),
        (SignedBy::People, role) => {
            format!(
                "{role} is due: mulberryctl root renew --role {role} --key FILE …, before {}.",
                output::instant(expiry.expires)
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mulberry_shared::operators::{Stop, StopKind};

    fn expiry(role: &str, expires: &str, signed_by: SignedBy) -> ExpiryStatus {
        let expires = expires.parse().unwrap();
        let due_from = write::due_from(role, expires);
        ExpiryStatus { role: role.into(), version: 1, expires, due_from, due: false, signed_by }
    }

    #[test]
    fn due_is_fourteen_days_for_people_and_half_life_for_the_server() {
        let now: Timestamp = "2026-11-22T12:00:00Z".parse().unwrap();
        assert!(!is_due(&expiry("routine", "2026-12-06T12:00:01Z", SignedBy::People), now));
        assert!(is_due(&expiry("routine", "2026-12-06T12:00:00Z", SignedBy::People), now));
        assert!(!is_due(&expiry("timestamp", "2026-11-23T00:00:01Z", SignedBy::Server), now));
        assert!(is_due(&expiry("timestamp", "2026-11-23T00:00:00Z", SignedBy::Server), now));
        let said_by_server =
            ExpiryStatus { due: true, ..expiry("root", "2030-01-01T00:00:00Z", SignedBy::People) };
        assert!(is_due(&said_by_server, now));
    }

    #[test]
    fn why_a_gate_was_paused_or_ended_is_shown() {
        let now: Timestamp = "2026-11-22T12:00:00Z".parse().unwrap();
        let mut recipe: RecipeStatus = serde_json::from_value(serde_json::json!({
            "path": "emergency/fix.json", "lane": "emergency", "slug": "fix", "revision": 2, "name": "Fix",
            "action": "install-certificates", "sha256": "00".repeat(32), "max_percent": 10_000, "starts": null,
            "expires": "2026-12-01T00:00:00Z", "effective_percent": 0,
            "gate": {"revision": 2, "state": "paused", "percent": 500, "reason": "crashes", "since": "2026-11-22T10:00:00Z",
                     "set": {"event": 7, "by": "mei", "at": "2026-11-22T11:00:00Z"}},
        }))
        .unwrap();
        let text = recipes(std::slice::from_ref(&recipe), now);
        assert!(text.ends_with("\nemergency/fix.json paused by mei 1 hour ago: crashes"), "{text}");
        let mut stopped = recipe.clone();
        let stop = |event, did, left| Stop {
            event,
            by: "tom".into(),
            by_person: None,
            at: "2026-11-22T11:59:00Z".parse().unwrap(),
            did,
            from: 10_000,
            left,
            reason: format!("why {event}"),
        };
        let gate = stopped.gate.as_mut().unwrap();
        gate.stops = vec![stop(3, StopKind::Narrowed, 500), stop(7, StopKind::Paused, 0)];
        let text = recipes(&[stopped], now);
        for part in [
            "\nemergency/fix.json was narrowed from 100 % to 5 % by tom 1 minute ago (event 3): \"why 3\"",
            "\nemergency/fix.json was paused by tom 1 minute ago (event 7): \"why 7\"",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
        let mut closed = recipe.clone();
        let gate = closed.gate.as_mut().unwrap();
        (gate.state, gate.note) = (GateState::Open, "We look into it".into());
        gate.open_until = Some("2026-11-25T00:00:00Z".parse().unwrap());
        closed.closed_to_clients = Some("1 of the 2 distinct keys needed".into());
        let text = recipes(&[closed], now);
        for part in [
            "open at 5 % until 2026-11-25 00:00:00Z",
            "fix.json is closed to clients: 1 of the 2",
            "fix.json says to the public: We look into it",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
        recipe.revision = 3;
        assert!(
            !recipes(std::slice::from_ref(&recipe), now).contains("crashes"),
            "a gate speaks for one revision"
        );
    }

    #[test]
    fn what_is_due_stands_in_words_with_a_remedy() {
        let now: Timestamp = "2026-11-22T12:00:00Z".parse().unwrap();
        let gates = expiry("gates", "2026-11-23T00:00:00Z", SignedBy::Server);
        let mut status = StatusResponse {
            now,
            clock_shifted: false,
            edition: 3,
            recipes: vec![],
            expiries: vec![gates.clone()],
            proposals_waiting: 2,
            ledger: mulberry_shared::operators::LedgerHead {
                sequence: 4,
                head: mulberry_shared::digest::Sha256Digest::of(b""),
            },
            troubles: vec![],
            asked_by: None,
            asked_by_person: None,
        };
        let text = words(&status, &[&gates], now);
        for part in [
            "Edition 3, ledger 4 (e3b0c44298fc…)",
            "No recipe is published.",
            "DUE",
            "does not re-sign it",
            "2 proposals wait",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
        assert!(!words(&status, &[], now).contains("DUE"));
        assert!(!words(&status, &[], now).contains("TROUBLE"));
        assert!(
            words(&status, &[], now + SignedDuration::from_hours(1))
                .contains("the server's time is 1 hour ago")
        );
        status.troubles = vec!["the last write to the state folder failed".into()];
        assert!(words(&status, &[], now).contains("  the last write to the state folder failed\n"));
    }
}
