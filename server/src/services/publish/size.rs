//! How much may be published at once: what clients take, and what a server could be rebuilt from.

use std::collections::BTreeMap;

use mulberry_shared::limits::Limits;
use mulberry_shared::operators::ProblemKind;
use mulberry_shared::recipe::{Lane, RecipePath};
use mulberry_shared::tuf::Targets;
use mulberry_shared::tuf::metadata::TargetFile;

use crate::services::Refusal;
use crate::state::{Published, State};

/// Bytes of a rebuild's record that need no publish: what stands around its parts, and later roots, gates, signatures and
/// continuations. Fifty roots of 10 KiB fit beside a thousand gates of 200 bytes.
const REBUILT_LATER: u64 = 1 << 20;

/// Clients hold all recipes in memory and refuse an edition beyond this size, so it must not be published.
///
/// # Errors
/// `recipe-refused`.
pub(super) fn check_client(
    state: &State,
    lane: Lane,
    next: &BTreeMap<RecipePath, Published>,
    limits: &Limits,
) -> Result<(), Refusal> {
    let others = state.lanes.iter().filter(|(other, _)| **other != lane);
    let recipes = others.flat_map(|(_, content)| content.recipes.values()).chain(next.values());
    let bytes = recipes.fold(0_u64, |sum, recipe| sum.saturating_add(recipe.bytes.len() as u64));
    if bytes <= limits.trust.edition_bytes {
        return Ok(());
    }
    let detail = format!(
        "all recipes together would have {bytes} bytes, more than the {} a client takes",
        limits.trust.edition_bytes
    );
    Err(Refusal::new(ProblemKind::RecipeRefused, detail, "withdraw recipes that are over"))
}

/// A server that is lost is rebuilt with one event, which holds all that is published: what no record of a ledger takes must
/// not be published. Where that is so already, whatever makes it no larger may be.
///
/// # Errors
/// `recipe-refused`.
pub(super) fn check_rebuild(
    state: &State,
    lane: Lane,
    metadata: &Targets,
    signed_bytes: usize,
    limits: &Limits,
) -> Result<(), Refusal> {
    let most = limits.ledger.record_bytes;
    let bytes = rebuilt(state, lane, metadata, signed_bytes);
    // With as many signatures: a lane can be signed again by whomever, however full it is.
    let now = state.lanes.get(&lane).map_or(0, |now| rebuilt(state, lane, &now.metadata, signed_bytes));
    if bytes <= most as u64 || bytes <= now {
        return Ok(());
    }
    let detail = format!(
        "everything together would have {bytes} bytes in the ledger of a server that is rebuilt, more than the {most} it takes"
    );
    Err(Refusal::new(ProblemKind::RecipeRefused, detail, "withdraw recipes that are over"))
}

/// Bytes of the event that a rebuild records, with this as the lane's metadata.
fn rebuilt(state: &State, lane: Lane, metadata: &Targets, signed_bytes: usize) -> u64 {
    // As Base64 in JSON, with quotation marks and a comma.
    let held = |bytes: u64| bytes.div_ceil(3).saturating_mul(4).saturating_add(3);
    let recipes = |lane: &Targets| -> u64 {
        let one =
            |(path, file): (&String, &TargetFile)| (path.len() as u64 + 3).saturating_add(held(file.length));
        lane.targets.iter().map(one).fold(0, u64::saturating_add)
    };
    let others: Vec<_> =
        state.lanes.iter().filter(|(other, _)| **other != lane).map(|(_, one)| one).collect();
    let roots = state.roots.iter().map(|root| root.bytes().len());
    let lanes = others.iter().map(|other| other.metadata.bytes().len());
    let continuations = state.continuations.0.iter().map(|one| one.write().len());
    let rest = [signed_bytes, state.targets.bytes().len(), state.gates.write().len()];
    let parts = roots.chain(lanes).chain(continuations).chain(rest).map(|bytes| held(bytes as u64));
    let recipes = others.iter().map(|other| recipes(&other.metadata)).chain([recipes(metadata)]);
    parts.chain(recipes).fold(REBUILT_LATER, u64::saturating_add)
}

#[cfg(test)]
mod tests {
    use mulberry_shared::operators::Base64;

    use super::*;
    use crate::event::Event;
    use crate::services::publish::decide;
    use crate::test_support::{Proposal, initial_state, recipe, start};

    /// Two recipes of the emergency lane.
    fn published() -> State {
        let state = initial_state();
        let recipes = [("emergency/a.json", 1), ("emergency/b.json", 1)];
        let request = Proposal::new(&state, Lane::Emergency, &recipes, &[]).request();
        let event = decide(&state, Lane::Emergency, &request, start(), &Limits::default()).unwrap().unwrap();
        crate::state::apply(Some(&state), &event, crate::ledger::EMPTY, &Limits::default()).unwrap()
    }

    #[test]
    fn more_than_a_client_takes_is_refused() {
        let state = published();
        let proposal = Proposal::new(&state, Lane::Routine, &[("routine/c.json", 1)], &[]);
        let mut limits = Limits::default();
        let held: usize = state.recipes().map(|(_, recipe)| recipe.bytes.len()).sum();
        let ask = |limits: &Limits| decide(&state, Lane::Routine, &proposal.request(), start(), limits);
        limits.trust.edition_bytes = (held + recipe("routine/c.json", 1).len()) as u64;
        assert!(ask(&limits).is_ok());
        limits.trust.edition_bytes -= 1;
        assert_eq!(ask(&limits).unwrap_err().kind, ProblemKind::RecipeRefused);
    }

    #[test]
    fn what_could_not_be_rebuilt_is_refused() {
        let state = published();
        // What `rebuild` records of the same.
        let held = |bytes: &[u8]| Base64(bytes.to_vec());
        let event = Event::Continued {
            continues: vec![],
            roots: state.roots.iter().map(|root| held(root.bytes())).collect(),
            targets: held(state.targets.bytes()),
            lanes: state.lanes.iter().map(|(lane, one)| (*lane, held(one.metadata.bytes()))).collect(),
            recipes: state.recipes().map(|(path, one)| (path.clone(), held(&one.bytes))).collect(),
            gates: held(&state.gates.write()),
            above: u64::MAX,
        };
        let recorded = serde_json::to_vec(&event).unwrap().len() as u64 + REBUILT_LATER;
        let live = &state.lanes[&Lane::Emergency].metadata;
        let expected = rebuilt(&state, Lane::Emergency, live, live.bytes().len());
        assert!((recorded - 1_000..=recorded).contains(&expected), "{expected} of {recorded}");

        let ask = |made: &Proposal, most: u64| {
            let mut limits = Limits::default();
            limits.ledger.record_bytes = most as usize;
            decide(&state, made.lane, &made.request(), start(), &limits)
        };
        let more = Proposal::new(&state, Lane::Routine, &[("routine/c.json", 1)], &[]);
        let bytes = rebuilt(&state, more.lane, &more.body, more.request().metadata.0.len());
        assert!(ask(&more, bytes).is_ok());
        let refused = ask(&more, bytes - 1).unwrap_err();
        assert_eq!(refused.kind, ProblemKind::RecipeRefused);
        assert!(refused.detail.contains("a server that is rebuilt"), "{refused}");
        let less = Proposal::new(&state, Lane::Emergency, &[], &["a"]);
        assert!(ask(&less, 0).is_ok(), "nobody is kept from withdrawing");
        let again = Proposal {
            keys: vec![21, 22, 23],
            ..Proposal::new(&state, Lane::Emergency, &[("emergency/b.json", 1)], &[])
        };
        assert!(ask(&again, 0).is_ok(), "nor from signing again what is there");
    }
}
