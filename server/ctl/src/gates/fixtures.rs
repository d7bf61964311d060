//! What a server says of one recipe and its gate, for tests.

use mulberry_shared::{
    digest::Sha256Digest,
    operators::{
        GateEnd, GateResponse, GateState, GateStatus, LedgerHead, RecipeStatus, SetBy, StatusResponse,
    },
};

/// A gate in this state.
pub(crate) fn response(state: GateState, percent: u16, max: u16, effective: u16) -> GateResponse {
    let since = "2026-11-22T12:00:00Z".parse().unwrap();
    GateResponse {
        edition: 7,
        recipe: RecipeStatus {
            path: "emergency/fix.json".into(),
            lane: "emergency".into(),
            slug: "fix".into(),
            revision: 2,
            name: "Fix".into(),
            action: "install-certificates".into(),
            sha256: Sha256Digest::of(b""),
            max_percent: max,
            starts: None,
            expires: "2026-12-01T00:00:00Z".parse().unwrap(),
            gate: Some(GateStatus {
                revision: 2,
                state,
                percent,
                reason: "r".into(),
                note: String::new(),
                ended: vec![],
                open_until: None,
                since,
                set: Some(SetBy { event: 9, by: "mei".into(), by_person: None, at: since }),
                stopped: state == GateState::Paused,
                stops: vec![],
                unlisted_stops: 0,
            }),
            opens: None,
            on_gate_end: Some(GateEnd::Revert),
            effective_percent: effective,
            closed_to_clients: None,
            next_step: None,
        },
        already: None,
        ledger: LedgerHead { sequence: 9, head: Sha256Digest::of(b"") },
    }
}

/// What a server says to whoever asks with this token.
pub(crate) fn status(asked_by: &str) -> StatusResponse {
    StatusResponse {
        now: "2026-11-22T12:00:00Z".parse().unwrap(),
        clock_shifted: false,
        edition: 7,
        recipes: vec![],
        expiries: vec![],
        proposals_waiting: 0,
        ledger: LedgerHead { sequence: 9, head: Sha256Digest::of(b"") },
        troubles: vec![],
        asked_by: Some(asked_by.to_owned()),
        asked_by_person: None,
    }
}
