//! `mulberryctl expiries`: when each metadata file expires, who signs it, and the command that renews it.
//!
//! Verified from this machine's own root, so it needs no token, and no server can say that all is well.

use crate::{context::CommandContext, edition::view::View, failure::Failure, output};
use clap::Args;
use jiff::Timestamp;
use mulberry_shared::{
    ceremony::rules,
    edition::{RoleExpiry, write},
    exit::Exit,
    proposal::signing::holder,
    tuf::threshold::Authority,
};
use serde::Serialize;
use std::collections::BTreeMap;

/// One file.
#[derive(Debug, Serialize)]
struct Row {
    role: String,
    version: u64,
    expires: Timestamp,
    /// Whole days that are left; negative when it has expired.
    days_left: i64,
    due: bool,
    /// `people` or `server`.
    signed_by: &'static str,
    /// Who may sign it, and how many must.
    holders: Vec<String>,
    threshold: u32,
    /// What renews it.
    renew: String,
}

/// `expiries`
#[derive(Args, Debug)]
#[command(
    after_help = "Due: what people sign 14 days before it expires, the server's at half its life. Needs no token.\n\n\
                  Example:\n  mulberryctl expiries\n  mulberryctl expiries --json"
)]
pub struct Expiries;

impl Expiries {
    /// Lists them; exit code 1 when any is due.
    ///
    /// # Errors
    /// The origin cannot be read, or what it serves is refused.
    pub async fn run(&self, context: &CommandContext) -> Result<Exit, Failure> {
        let view = View::quietly(context).await?;
        let live = view.live()?;
        let authorities = rules::authorities(live.root, live.targets)
            .map_err(|error| Failure::refused(error.kind, error.to_string()))?;
        let by_role: BTreeMap<&str, &Authority<'_>> =
            authorities.iter().map(|authority| (authority.role, authority)).collect();
        let held = view.state.expiries();
        let order = ["root", "targets", "emergency", "routine", "gates", "snapshot", "timestamp"];
        let rows: Vec<Row> = order
            .iter()
            .filter_map(|role| {
                let expiry = held.iter().find(|held| held.role == *role)?;
                Some(row(expiry, by_role.get(role)?, context.now))
            })
            .collect();
        let due: Vec<&Row> = rows.iter().filter(|row| row.due).collect();
        context.format.print(
            || words(&rows, &due, context.now),
            || serde_json::json!({"format": 1, "expiries": rows}),
        )?;
        Ok(if due.is_empty() { Exit::Yes } else { Exit::No })
    }
}

fn row(expiry: &RoleExpiry, authority: &Authority<'_>, now: Timestamp) -> Row {
    let role = expiry.role.as_str();
    let online = rules::ONLINE.contains(&role);
    let left = expiry.expires.duration_since(now);
    let keys = authority.role_keys.keyids.iter().filter_map(|id| authority.keys.get(id));
    let renew = match role {
        "root" | "targets" => format!("mulberryctl root renew --role {role} --key people/NAME/{role}.pem"),
        _ if online => "the server signs it by itself: look at its log, and mulberryctl status".to_owned(),
        lane => format!("mulberryctl propose --renew {lane} --key people/NAME/{lane}.pem"),
    };
    Row {
        role: role.to_owned(),
        version: expiry.version,
        expires: expiry.expires,
        days_left: left.as_secs().div_euclid(86_400),
        due: write::due_from(role, expiry.expires) <= now,
        signed_by: if online { "server" } else { "people" },
        holders: if online { Vec::new() } else { keys.map(holder).collect() },
        threshold: authority.role_keys.threshold,
        renew,
    }
}

fn words(rows: &[Row], due: &[&Row], now: Timestamp) -> String {
    let table = output::table(
        ["METADATA", "VERSION", "EXPIRES", "", "SIGNED BY", ""],
        rows.iter().map(|row| {
            let verdict = match (row.expires <= now, row.due) {
                (true, _) => "EXPIRED",
                (_, true) => "DUE",
                _ => "ok",
            };
            [
                row.role.clone(),
                row.version.to_string(),
                output::instant(row.expires),
                output::distance(row.expires, now),
                match row.holders.as_slice() {
                    [] => "the server".to_owned(),
                    holders => format!("{} of {}", row.threshold, holders.join(", ")),
                },
                verdict.to_owned(),
            ]
        }),
    );
    let remedies: Vec<String> = due.iter().map(|row| format!("{}: {}", row.role, row.renew)).collect();
    match remedies.as_slice() {
        [] => format!("{table}\n\nNothing is due: what people sign is due 14 days before it expires."),
        remedies => format!("{table}\n\nDUE:\n  {}", remedies.join("\n  ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::SignedDuration;
    use mulberry_shared::tuf::{Ed25519Signer, Signer, threshold::RoleKeys};

    #[test]
    fn people_are_warned_two_weeks_ahead_with_the_command_and_the_server_at_half_its_life() {
        let now: Timestamp = "2026-11-22T12:00:00Z".parse().unwrap();
        let key =
            Ed25519Signer::from_seed(&[7; 32]).unwrap().key().clone().held_by(&"alice".parse().unwrap());
        let keys = BTreeMap::from([(key.key_id(), key.clone())]);
        let role_keys = RoleKeys { keyids: vec![key.key_id()], threshold: 1 };
        let row = |role: &'static str, hours: i64| {
            let expires = now + SignedDuration::from_hours(hours);
            let expiry = RoleExpiry { role: role.to_owned(), version: 1, expires };
            super::row(&expiry, &Authority { role, keys: &keys, role_keys: &role_keys }, now)
        };
        for (role, hours, due) in [
            ("root", 14 * 24 + 1, false),
            ("root", 14 * 24, true),
            ("emergency", 14 * 24 + 1, false),
            ("emergency", 13 * 24, true),
            ("gates", 85, false),
            ("gates", 84, true),
            ("timestamp", 13, false),
            ("timestamp", 12, true),
        ] {
            assert_eq!(row(role, hours).due, due, "{role} {hours}");
        }
        assert_eq!((row("root", 25).days_left, row("root", -1).days_left), (1, -1));
        let rows = [row("targets", -1), row("routine", 24), row("snapshot", 168)];
        let text = words(&rows, &rows.iter().filter(|row| row.due).collect::<Vec<_>>(), now);
        for part in [
            "EXPIRED",
            "1 of alice",
            "targets: mulberryctl root renew --role targets --key people/NAME/targets.pem",
            "routine: mulberryctl propose --renew routine",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
        assert!(!text.contains("snapshot:"), "{text}");
    }
}
