//! `mulberryctl proposals`: what waits for whom.

use crate::{
    ceremony,
    context::CommandContext,
    failure::{Failure, Kind},
    output,
    proposals::{next, so_far},
};
use clap::{Args, Subcommand};
use jiff::Timestamp;
use mulberry_shared::{
    exit::Exit,
    operators::{CeremonyStatus, DropRequest, ProblemKind, ProposalState, ProposalStatus, ProposedChange},
    proposal,
};
use serde_json::json;

/// `proposals`
#[derive(Args, Debug)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Example:\n  mulberryctl proposals\n  mulberryctl proposals drop 3f2a81c0aa17 --reason \"wrong certificate\""
)]
pub struct Proposals {
    /// What to do; without it, list them
    #[command(subcommand)]
    pub command: Option<ProposalsCommand>,
}

/// `proposals …`
#[derive(Debug, Subcommand)]
pub enum ProposalsCommand {
    /// Give a proposal up; its signatures are void
    #[command(
        after_help = "Example:\n  mulberryctl proposals drop 3f2a81c0aa17 --reason \"wrong certificate\""
    )]
    Drop {
        /// The first digits of its id
        #[arg(value_name = "ID")]
        id: String,
        /// Why, for the ledger and for people
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
}

impl Proposals {
    /// Lists them, or drops one.
    ///
    /// # Errors
    /// The server is unreachable or refuses.
    pub async fn run(&self, context: &CommandContext) -> Result<Exit, Failure> {
        let CommandContext { now, format, .. } = *context;
        let server = context.server()?;
        match &self.command {
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
                let held = server.ceremonies().await?.ceremonies;
                let ceremony_with_next = |status: &CeremonyStatus| {
                    let mut json = json!(status);
                    if let (Some(object), ProposalState::Open) = (json.as_object_mut(), status.state) {
                        object.insert("next".to_owned(), ceremony::next(status).into());
                    }
                    json
                };
                format.print(
                    || match (all.as_slice(), held.as_slice()) {
                        (_, []) => words(all, now),
                        ([], held) => ceremonies(held, now),
                        (_, held) => format!("{}\n\n{}", words(all, now), ceremonies(held, now)),
                    },
                    || {
                        json!({
                            "proposals": all.iter().map(with_next).collect::<Vec<_>>(),
                            "ceremonies": held.iter().map(ceremony_with_next).collect::<Vec<_>>(),
                        })
                    },
                )?;
            }
            Some(ProposalsCommand::Drop { id, reason }) => {
                let request = DropRequest { reason: reason.clone() };
                match server.drop_proposal(id, &request).await {
                    Ok(answer) => format.print(|| dropped(&answer.dropped), || json!(answer))?,
                    Err(unknown) if unknown.kind == Kind::from(ProblemKind::UnknownProposal) => {
                        let Some(answer) = server.drop_ceremony(id, &request).await? else {
                            return Err(unknown);
                        };
                        format.print(|| dropped_ceremony(&answer.dropped), || json!(answer))?;
                    }
                    Err(failure) => return Err(failure),
                }
            }
        }
        Ok(Exit::Yes)
    }
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

fn ceremonies(all: &[CeremonyStatus], now: Timestamp) -> String {
    let one = |status: &CeremonyStatus| {
        let id = proposal::shown(&status.id);
        let next = match status.state {
            ProposalState::Open => format!("Next: {}", ceremony::next(status)),
            ProposalState::Overtaken => format!(
                "OVERTAKEN. Propose it again with the command that made it, and: mulberryctl proposals drop {id} --reason overtaken"
            ),
        };
        let made = output::distance(status.made, now);
        format!(
            "Ceremony {id}, made {made} by {}\n{}\n  {next}",
            status.by,
            ceremony::so_far(status).join("\n")
        )
    };
    all.iter().map(one).collect::<Vec<_>>().join("\n\n")
}

fn dropped_ceremony(status: &CeremonyStatus) -> String {
    let names: std::collections::BTreeSet<&str> =
        status.parts.iter().flat_map(|part| &part.signed).map(String::as_str).collect();
    let id = proposal::shown(&status.id);
    if names.is_empty() {
        return format!("Dropped: ceremony {id}, which nobody had signed.");
    }
    let names: Vec<&str> = names.into_iter().collect();
    format!("Dropped: ceremony {id}. VOID: the signatures of {}.", names.join(", "))
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
        [] => "signed again".to_owned(),
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
            by_person: None,
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
