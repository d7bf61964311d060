//! Where each thing of the operators' interface is asked for. The server routes, describes and counts by this table, and the tool
//! calls by it. Of the public listener, those that have one address; its files are where [`location`](crate::tuf::location) says.

use std::fmt::Display;

/// One address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    /// Its path, with a name in braces for each part that varies.
    pub path: &'static str,
    /// What requests for it are counted as.
    pub label: &'static str,
}

/// What is published, open and due.
pub const STATUS: Address = Address { path: "/api/v1/status", label: "status" };
/// The next metadata of a lane.
pub const LANE: Address = Address { path: "/api/v1/lanes/{lane}", label: "lanes" };
/// The gate of one recipe.
pub const GATE: Address = Address { path: "/api/v1/gates/{lane}/{slug}", label: "gates" };
/// All proposals.
pub const PROPOSALS: Address = Address { path: "/api/v1/proposals", label: "proposals" };
/// One proposal, by the first digits of its id.
pub const PROPOSAL: Address = Address { path: "/api/v1/proposals/{id}", label: "proposals" };
/// More signatures of a proposal.
pub const PROPOSAL_SIGNATURES: Address =
    Address { path: "/api/v1/proposals/{id}/signatures", label: "proposals" };
/// The end of a proposal.
pub const PROPOSAL_DROP: Address = Address { path: "/api/v1/proposals/{id}/drop", label: "proposals" };
/// All ceremonies.
pub const CEREMONIES: Address = Address { path: "/api/v1/ceremonies", label: "ceremonies" };
/// One ceremony, by the first digits of its id.
pub const CEREMONY: Address = Address { path: "/api/v1/ceremonies/{id}", label: "ceremonies" };
/// The end of a ceremony.
pub const CEREMONY_DROP: Address = Address { path: "/api/v1/ceremonies/{id}/drop", label: "ceremonies" };
/// The export of the ledger.
pub const LEDGER: Address = Address { path: "/api/v1/ledger", label: "ledger" };
/// Figures for a monitoring system.
pub const METRICS: Address = Address { path: "/metrics", label: "metrics" };
/// The description of them all.
pub const OPENAPI: Address = Address { path: "/api/v1/openapi.json", label: "openapi" };

/// The live stream of the public listener.
pub const LIVE: &str = "/api/v1/live";
/// Whether the server is well, in Mozilla's Dockerflow form, as the two after it. On the public listener.
pub const HEARTBEAT: &str = "/__heartbeat__";
/// Whether its process answers.
pub const LBHEARTBEAT: &str = "/__lbheartbeat__";
/// What runs there.
pub const VERSION: &str = "/__version__";

impl Address {
    /// All of the operators' listener. The labels of those that begin alike are the same, so that each path has one.
    pub const ALL: [Self; 13] = [
        STATUS,
        LANE,
        GATE,
        PROPOSALS,
        PROPOSAL,
        PROPOSAL_SIGNATURES,
        PROPOSAL_DROP,
        CEREMONIES,
        CEREMONY,
        CEREMONY_DROP,
        LEDGER,
        METRICS,
        OPENAPI,
    ];

    /// Its path with these parts in the places of the braces, in their order.
    #[must_use]
    pub fn with(&self, parts: &[&dyn Display]) -> String {
        let mut parts = parts.iter();
        let segments = self.path.split('/').map(|segment| match segment.starts_with('{') {
            true => parts.next().map_or_else(String::new, ToString::to_string),
            false => segment.to_owned(),
        });
        segments.collect::<Vec<_>>().join("/")
    }

    /// What a request for this path is counted as; none where it is not the operators'.
    #[must_use]
    pub fn label_of(path: &str) -> Option<&'static str> {
        Self::ALL.iter().find(|address| path.starts_with(address.beginning())).map(|address| address.label)
    }

    /// Its path up to the first part that varies.
    fn beginning(&self) -> &'static str {
        self.path.split('{').next().unwrap_or(self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_braces_are_filled_in_their_order() {
        assert_eq!(STATUS.with(&[]), "/api/v1/status");
        assert_eq!(GATE.with(&[&"emergency", &"fix"]), "/api/v1/gates/emergency/fix");
        assert_eq!(PROPOSAL_DROP.with(&[&"0a1b2c"]), "/api/v1/proposals/0a1b2c/drop");
        assert_eq!(GATE.beginning(), "/api/v1/gates/");
    }

    #[test]
    fn addresses_that_begin_alike_are_counted_alike() {
        for one in Address::ALL {
            for other in Address::ALL {
                if other.path.starts_with(one.beginning()) {
                    assert_eq!(one.label, other.label, "{} {}", one.path, other.path);
                }
            }
        }
    }
}
