//! What is told when a ceremony cannot be planned, read, signed or published.

use std::path::Path;

use mulberry_shared::ceremony::rules::RuleError;
use mulberry_shared::ceremony::{CeremonyError, PlanError, Unfit};
use mulberry_shared::operators::ProblemKind;
use mulberry_shared::tuf::TrustError;

use crate::failure::{Failure, FailureKind, Kind};

pub(super) fn unwritable(path: &Path, why: &str) -> Failure {
    Failure::usage(FailureKind::FileUnwritable, format!("{}: {why}.", path.display()))
}

pub(super) fn trust(error: TrustError) -> Failure {
    Failure::refused(error.kind, format!("{error}."))
}

pub(super) fn unreadable(error: CeremonyError) -> Failure {
    Failure::refused(ProblemKind::ProposalRefused, format!("The ceremony is refused: {error}."))
}

/// Why it cannot be signed or published.
pub(super) fn unfit(unfit: Unfit) -> Failure {
    let kind: Kind = match &unfit {
        Unfit::Overtaken { .. } => {
            return Failure::no(
                ProblemKind::ProposalOvertaken,
                format!(
                    "Overtaken: {unfit}. Nothing was signed. Propose it again on what is live, with the command that made it; \
                     everybody signs again."
                ),
            );
        }
        Unfit::Rules(error) => of_rule(error),
        Unfit::Metadata(error) => error.kind.into(),
        Unfit::Part { .. } | Unfit::Unverifiable { .. } => ProblemKind::ProposalRefused.into(),
    };
    Failure::refused(
        kind,
        format!(
            "The ceremony is refused: {unfit}. Nothing was signed. Ask who made it, not the server alone."
        ),
    )
}

pub(super) fn not_planned(error: PlanError) -> Failure {
    let kind: Kind = match &error {
        PlanError::NobodyOfThatName { .. } | PlanError::NobodyAtAll { .. } => {
            FailureKind::NobodyOfThatName.into()
        }
        PlanError::Lone { .. } => FailureKind::OnePersonAlone.into(),
        PlanError::NothingChanges => FailureKind::NothingChanges.into(),
        PlanError::Senseless(_) => FailureKind::CeremonyRefused.into(),
        PlanError::Rules(rule) => of_rule(rule),
        PlanError::Trust(error) => error.kind.into(),
        PlanError::Ceremony(_) => ProblemKind::ProposalRefused.into(),
    };
    Failure::no(kind, format!("Nothing was proposed: {error}."))
}

fn of_rule(error: &RuleError) -> Kind {
    match error {
        RuleError::LocksOut { .. } => FailureKind::LocksOut.into(),
        RuleError::PersonTwice { .. } | RuleError::LookAlike { .. } => FailureKind::PersonTwice.into(),
        RuleError::NotAPerson { .. } => FailureKind::PersonName.into(),
        RuleError::KeyTwice { .. } => FailureKind::KeyTwice.into(),
        RuleError::Trust(error) => error.kind.into(),
        RuleError::Nobody { .. }
        | RuleError::Unreadable { .. }
        | RuleError::Online { .. }
        | RuleError::Idle => FailureKind::CeremonyRefused.into(),
    }
}
