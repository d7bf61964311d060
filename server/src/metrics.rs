//! Figures for a monitoring system, in OpenMetrics text.
//!
//! What happens is counted where it happens; what is, is read when somebody asks. A request costs one relaxed addition:
//! its counters were looked up at the start. Nothing here names a client or an operator.

use std::fmt;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use mulberry_shared::operators::{Address, address};

use crate::capacity::Capacity;
use crate::connections::bounds::Cut;

/// The media type of [`Metrics::encode`]'s text.
pub const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What requests are counted as: those of the public listener, the commonest first, those of the operators', and all others.
const ENDPOINTS: [&str; 14] = [
    "timestamp",
    "metadata",
    "targets",
    "live",
    "health",
    address::STATUS.label,
    address::LANE.label,
    address::PROPOSALS.label,
    address::CEREMONIES.label,
    address::GATE.label,
    address::LEDGER.label,
    address::METRICS.label,
    address::OPENAPI.label,
    OTHER,
];

const OTHER: &str = "other";

fn endpoint(path: &str) -> &'static str {
    match path {
        "/metadata/timestamp.json" => "timestamp",
        "/api/v1/live" => "live",
        _ if path.starts_with("/metadata/") => "metadata",
        _ if path.starts_with("/targets/") => "targets",
        _ if path.starts_with("/__") => "health",
        _ => Address::label_of(path).unwrap_or(OTHER),
    }
}

/// The classes of answers, 1xx first.
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RequestLabels {
    endpoint: &'static str,
    status: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ChangeLabels {
    change: &'static str,
    result: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ListenerLabels {
    listener: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct CutLabels {
    listener: &'static str,
    why: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RoleLabels {
    role: String,
}

/// What operators can change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// A lane.
    Publish,
    /// A proposal made, replaced or submitted again.
    Propose,
    /// A signature under a proposal; with the last one, the lane.
    Sign,
    /// A proposal given up.
    Drop,
    /// A gate.
    Gate,
}

/// The figures of one listener's connections.
#[derive(Clone, Debug)]
pub struct ConnectionCounts {
    /// Those that are served.
    pub open: Gauge,
    cut: [Counter; Cut::ALL.len()],
}

impl ConnectionCounts {
    /// Counts one that we ended.
    pub fn count(&self, why: Cut) {
        if let Some(counter) = self.cut.get(why as usize) {
            counter.inc();
        }
    }

    /// How many were ended for this reason so far.
    #[must_use]
    pub fn cut(&self, why: Cut) -> u64 {
        self.cut.get(why as usize).map_or(0, Counter::get)
    }
}

/// What is, at the moment it is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The number of the edition.
    pub edition: u64,
    /// Events in the ledger.
    pub events: u64,
    /// Recipes that are published.
    pub recipes: usize,
    /// Open live streams.
    pub live_connections: usize,
    /// Sentences in the heartbeat.
    pub troubles: usize,
    /// Gates that are open here and that clients take for closed.
    pub closed_gates: usize,
    /// Each role and the seconds until it expires; negative when it has.
    pub expiries: Vec<(String, i64)>,
}

/// All figures of one server.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: Vec<[Counter; CLASSES.len()]>,
    changes: Family<ChangeLabels, Counter>,
    signing_failures: Counter,
    tokens_refused: Counter,
    connections: Family<ListenerLabels, Gauge>,
    connections_cut: Family<CutLabels, Counter>,
    edition: Gauge,
    events: Gauge,
    recipes: Gauge,
    live_connections: Gauge,
    live_connections_limit: Gauge,
    open_files_limit: Gauge,
    troubles: Gauge,
    closed_gates: Gauge,
    expiries: Family<RoleLabels, Gauge>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("mulberry");
        let requests = Family::<RequestLabels, Counter>::default();
        let of = |endpoint, status| requests.get_or_create(&RequestLabels { endpoint, status }).clone();
        let by_class = ENDPOINTS.map(|endpoint| CLASSES.map(|status| of(endpoint, status))).to_vec();
        registry.register("http_requests", "Requests answered, on both listeners", requests);
        let build = Info::new(vec![
            ("version", env!("CARGO_PKG_VERSION")),
            ("commit", option_env!("MULBERRY_BUILD_COMMIT").unwrap_or_default()),
        ]);
        registry.register("build", "What runs here", build);
        let mut gauge = |name: &str, help: &str| {
            let gauge = Gauge::default();
            registry.register(name, help, gauge.clone());
            gauge
        };
        let (edition, events) = (
            gauge("edition", "Number of the edition served"),
            gauge("ledger_events", "Events in the ledger"),
        );
        let recipes = gauge("recipes", "Recipes that are published");
        let live_connections = gauge("live_connections", "Open live streams");
        let help = "How many live streams there may be at once";
        let live_connections_limit = gauge("live_connections_limit", help);
        let open_files_limit = gauge("open_files_limit", "How many files the process may open");
        let troubles = gauge("troubles", "Sentences in the heartbeat; 0 while all is well");
        let closed_gates = gauge("closed_gates", "Gates that are open here and that clients take for closed");
        let (changes, signing_failures, expiries) =
            (Family::default(), Counter::default(), Family::default());
        registry.register("changes", "What operators asked for, by result", changes.clone());
        let help = "Editions that could not be signed or made durable";
        registry.register("signing_failures", help, signing_failures.clone());
        let tokens_refused = Counter::default();
        let help = "Requests on the operators' listener without a valid token";
        registry.register("tokens_refused", help, tokens_refused.clone());
        let (connections, connections_cut) = (Family::default(), Family::default());
        registry.register("connections", "Open connections", connections.clone());
        registry.register(
            "connections_cut",
            "Connections that the server ended, by reason",
            connections_cut.clone(),
        );
        let help = "Seconds until the metadata of a role expires; negative when it has";
        registry.register("role_expires_in_seconds", help, expiries.clone());
        Self {
            registry,
            requests: by_class,
            changes,
            signing_failures,
            tokens_refused,
            connections,
            connections_cut,
            edition,
            events,
            recipes,
            live_connections,
            live_connections_limit,
            open_files_limit,
            troubles,
            closed_gates,
            expiries,
        }
    }
}

impl Metrics {
    /// Counts a request for `path` that was answered with this status code.
    pub fn count_request(&self, path: &str, status: u16) {
        let counted_as = endpoint(path);
        let place = ENDPOINTS.iter().position(|known| *known == counted_as);
        let endpoint = place.and_then(|place| self.requests.get(place));
        let class = usize::from(status / 100).saturating_sub(1);
        if let Some(counter) = endpoint.and_then(|classes| classes.get(class)) {
            counter.inc();
        }
    }

    /// Counts what an operator asked for. `result` is `done`, `unchanged` or the kind of the problem.
    pub fn count_change(&self, change: Change, result: String) {
        let change = match change {
            Change::Publish => "publish",
            Change::Propose => "propose",
            Change::Sign => "sign",
            Change::Drop => "drop",
            Change::Gate => "gate",
        };
        self.changes.get_or_create(&ChangeLabels { change, result }).inc();
    }

    /// Shows how much this process takes.
    pub fn set_capacity(&self, capacity: &Capacity) {
        self.live_connections_limit.set(i64::try_from(capacity.live_streams()).unwrap_or(i64::MAX));
        self.open_files_limit.set(i64::try_from(capacity.open_files).unwrap_or(i64::MAX));
    }

    /// Counts an edition that could not be signed or made durable.
    pub fn count_signing_failure(&self) {
        self.signing_failures.inc();
    }

    /// Counts a request without a valid token.
    pub fn count_refused_token(&self) {
        self.tokens_refused.inc();
    }

    /// How many requests had no valid token so far.
    #[must_use]
    pub fn refused_tokens(&self) -> u64 {
        self.tokens_refused.get()
    }

    /// The figures of the connections of this listener.
    #[must_use]
    pub fn connections(&self, listener: &'static str) -> ConnectionCounts {
        let cut = |(_, why)| self.connections_cut.get_or_create(&CutLabels { listener, why }).clone();
        let open = self.connections.get_or_create(&ListenerLabels { listener }).clone();
        ConnectionCounts { open, cut: Cut::ALL.map(cut) }
    }

    /// Everything as text.
    ///
    /// # Errors
    /// None is known: text can be written to a string.
    pub fn encode(&self, reading: &Reading) -> Result<String, fmt::Error> {
        let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        self.edition.set(number(reading.edition));
        self.events.set(number(reading.events));
        self.recipes.set(number(reading.recipes as u64));
        self.live_connections.set(number(reading.live_connections as u64));
        self.troubles.set(number(reading.troubles as u64));
        self.closed_gates.set(number(reading.closed_gates as u64));
        for (role, seconds) in &reading.expiries {
            self.expiries.get_or_create(&RoleLabels { role: role.clone() }).set(*seconds);
        }
        let mut written = String::new();
        text::encode(&mut written, &self.registry)?;
        Ok(written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_endpoint_and_every_cut_stands_at_its_own_number() {
        for (number, (cut, _)) in Cut::ALL.into_iter().enumerate() {
            assert_eq!(cut as usize, number);
        }
        for address in Address::ALL {
            assert!(ENDPOINTS.contains(&address.label), "{}", address.path);
        }
    }

    #[test]
    fn paths_are_counted_by_class_and_never_by_name() {
        let metrics = Metrics::default();
        for (path, status) in [
            ("/metadata/timestamp.json", 304),
            ("/metadata/timestamp.json", 200),
            ("/metadata/2.root.json", 404),
            ("/targets/emergency/abc.x.json", 200),
            ("/__heartbeat__", 500),
            ("/wp-login.php", 404),
            ("/", 999),
        ] {
            metrics.count_request(path, status);
        }
        let reading = Reading {
            edition: 1,
            events: 2,
            recipes: 3,
            live_connections: 4,
            troubles: 0,
            closed_gates: 1,
            expiries: vec![("root".to_owned(), -5)],
        };
        let text = metrics.encode(&reading).unwrap();
        for line in [
            "mulberry_http_requests_total{endpoint=\"timestamp\",status=\"3xx\"} 1",
            "mulberry_http_requests_total{endpoint=\"timestamp\",status=\"2xx\"} 1",
            "mulberry_http_requests_total{endpoint=\"metadata\",status=\"4xx\"} 1",
            "mulberry_http_requests_total{endpoint=\"targets\",status=\"2xx\"} 1",
            "mulberry_http_requests_total{endpoint=\"health\",status=\"5xx\"} 1",
            "mulberry_http_requests_total{endpoint=\"other\",status=\"4xx\"} 1",
            "mulberry_role_expires_in_seconds{role=\"root\"} -5",
            "mulberry_live_connections 4",
            "mulberry_closed_gates 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
        assert!(!text.contains("login") && text.ends_with("# EOF\n"), "{text}");
    }
}
