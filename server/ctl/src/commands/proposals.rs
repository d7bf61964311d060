//! `mulberryctl proposals`: what waits for whom.

use super::propose::{next, so_far};
use crate::{
    cli::{Proposals, ProposalsCommand},
    config::Settings,
    failure::Failure,
    operators::Operators,
    output::{self, Format},
};
use jiff::Timestamp;
use mulberry_shared::{
    exit::Exit,
    operators::{DropRequest, ProposalState, ProposalStatus, ProposedChange},
    proposal,
};
use serde_json::json;

/// Lists them, or drops one.
///
/// # Errors
/// The server is unreachable or refuses.
pub async fn run(
    command: &Proposals,
    settings: &Settings,
    now: Timestamp,
    format: Format,
) -> Result<Exit, Failure> {
    let server = Operators::new(settings)?;
    match &command.command {
        None => {
            let listed = server.proposals().await?;
            let with_next = |status: &ProposalStatus| {
                let mut json = json!(status);
                if let Some(object) = json.as_object_mut() {
                    object.insert("next".to_owned(), advice(status).into());
                }
                json
            };
            let all = &listed.proposals;
            format.print(
                || words(all, now),
                || json!({"proposals": all.iter().map(with_next).collect::<Vec<_>>()}),
            )?;
        }
        Some(ProposalsCommand::Drop { id, reason }) => {
            let answer = server.drop_proposal(id, &DropRequest { reason: reason.clone() }).await?;
            format.print(|| dropped(&answer.dropped), || json!(answer))?;
        }
    }
    Ok(Exit::Yes)
}

fn words(all: &[ProposalStatus], now: Timestamp) -> String {
    if all.is_empty() {
        return "No proposal waits for signatures.".to_owned();
    }
    let rows = all.iter().map(|one| {
        [
            proposal::shown(&one.id),
            format!("{} version {}", one.role, one.version),
            changes(one),
            format!("{} by {}", output::distance(one.made, now), one.by),
            match one.state {
                ProposalState::Open => so_far(one).trim_end_matches('.').to_owned(),
                ProposalState::Overtaken => "OVERTAKEN".to_owned(),
            },
        ]
    });
    let table = output::table(["PROPOSAL", "LANE", "CHANGE", "MADE", "SIGNATURES"], rows);
    let next: Vec<String> =
        all.iter().map(|one| format!("{}: {}", proposal::shown(&one.id), advice(one))).collect();
    format!(
        "{table}\n\nNext:\n  {}\n\nThis is what the server says; `sign` shows what the proposal itself says.",
        next.join("\n  ")
    )
}

fn advice(status: &ProposalStatus) -> String {
    match status.state {
        ProposalState::Open => next(status),
        ProposalState::Overtaken => format!("mulberryctl propose --rebase {}", proposal::shown(&status.id)),
    }
}

/// The change in a line.
fn changes(status: &ProposalStatus) -> String {
    let one = |change: &mulberry_shared::operators::ProposedRecipe| {
        let slug = change.path.rsplit('/').next().unwrap_or_default().trim_end_matches(".json");
        match (change.change, change.revision) {
            (ProposedChange::Publish, Some(revision)) => format!("{slug} revision {revision}"),
            (ProposedChange::Publish, None) => slug.to_owned(),
            (ProposedChange::Withdraw, _) => format!("withdraw {slug}"),
        }
    };
    match status.changes.as_slice() {
        [] => "signed anew".to_owned(),
        changes => changes.iter().map(one).collect::<Vec<_>>().join(", "),
    }
}

fn dropped(status: &ProposalStatus) -> String {
    let id = proposal::shown(&status.id);
    let names: Vec<&str> = status.signed.iter().map(|one| one.holder.as_str()).collect();
    match names.as_slice() {
        [] => format!("Dropped: proposal {id}, which nobody had signed."),
        names => format!("Dropped: proposal {id}. VOID: the signatures of {}.", names.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mulberry_shared::{
        digest::Sha256Digest,
        operators::{ProposedRecipe, SignatureStatus},
        proposal::Role,
    };

    #[test]
    fn what_waits_for_whom_stands_in_a_line_with_the_next_command() {
        let now: Timestamp = "2026-11-22T12:00:00Z".parse().unwrap();
        let mut status = ProposalStatus {
            id: Sha256Digest::of(b""),
            role: Role::Emergency,
            version: 3,
            expires: now,
            state: ProposalState::Open,
            made: now - jiff::SignedDuration::from_mins(5),
            by: "mei".into(),
            changes: vec![
                ProposedRecipe {
                    path: "emergency/fix.json".into(),
                    change: ProposedChange::Publish,
                    revision: Some(2),
                },
                ProposedRecipe {
                    path: "emergency/old.json".into(),
                    change: ProposedChange::Withdraw,
                    revision: None,
                },
            ],
            signed: vec![SignatureStatus { keyid: "k".into(), holder: "alice".into() }],
            needed: 2,
            missing: 1,
            may_sign: vec!["bob".into(), "carol".into()],
        };
        let text = words(std::slice::from_ref(&status), now);
        for part in [
            "e3b0c44298fc",
            "emergency version 3",
            "fix revision 2, withdraw old",
            "5 minutes ago by mei",
            "Signed by alice; missing 1 of bob, carol",
            "e3b0c44298fc: mulberryctl sign e3b0c44298fc --key people/NAME/emergency.pem",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
        status.state = ProposalState::Overtaken;
        let text = words(&[status.clone()], now);
        assert!(text.contains("OVERTAKEN") && text.contains("propose --rebase e3b0c44298fc"), "{text}");
        assert!(dropped(&status).contains("VOID: the signatures of alice."));
        assert!(words(&[], now).starts_with("No proposal"));
    }
}
