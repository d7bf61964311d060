//! A slow-drip origin: every document arrives whole and true, a minute each, so that no single one takes too long.
//!
//! Nobody waits for it here: it is the agent's own library, wired as `once` wires it, over real sockets, and only its clock
//! is another. That one answer which drips, stalls or never ends its header is cut, is tested where those limits are, in
//! `mulberry_agent::io::http`.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use mulberry_agent::config::Layer;
use mulberry_agent::io::disk::StateFolder;
use mulberry_agent::ports::Clock;
use mulberry_agent::report::RunReport;
use mulberry_agent::state::RefreshOutcome;
use mulberry_agent::stop::Stop;
use mulberry_agent::wiring::Parts;
use mulberry_lab::hostile_origin::HostileOrigin;
use mulberry_shared::exit::Exit;
use mulberry_shared::limits::Limits;

use super::scene::{CHORE, REPAIR, Victim, good, seen};

/// How long a document takes: just less than an agent waits for one.
const EACH: Duration = Duration::from_secs(59);
/// Recipes that the origin drips; far more than fit into the time that a refresh may take.
const RECIPES: usize = 30;

/// Lets [`EACH`] pass with each document that was asked for.
struct SlowOrigin<'a> {
    origin: &'a HostileOrigin,
    start: Timestamp,
}

impl Clock for SlowOrigin<'_> {
    fn now(&self) -> Timestamp {
        self.start
    }

    fn steady(&self) -> Duration {
        EACH * u32::try_from(self.origin.asked().len()).unwrap()
    }

    fn is_shifted(&self) -> bool {
        false
    }
}

fn once(victim: &Victim, origin: &HostileOrigin) -> RunReport {
    let folder = StateFolder::open(&victim.state()).unwrap();
    let layer = Layer { origins: vec![origin.url()], addons: Some(victim.addons()), ..Layer::default() };
    let parts = Parts::load(&folder, layer, &Limits::default()).unwrap();
    let clock = SlowOrigin { origin, start: Timestamp::now() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(parts.agent(&folder, &clock, None, Stop::new()).once()).unwrap()
}

#[test]
fn slow_drip() {
    let mut forge = seen();
    for number in 0..RECIPES {
        forge.add_open(&good(&format!("emergency/drip-{number:02}.json"))).unwrap();
    }
    forge.publish().unwrap();
    let origin = HostileOrigin::serve(&forge.recording(), &[]).unwrap();
    let victim = Victim::new();
    let report = once(&victim, &origin);

    // Ten minutes of it, and no document more.
    assert_eq!(origin.asked().len(), 11, "{:?}", origin.asked());
    assert_eq!(report.exit(), Exit::Unreachable);
    let refresh = report.refresh.unwrap();
    assert_eq!(refresh.outcome, RefreshOutcome::Unreachable);
    assert!(refresh.detail.contains("not asked for: the refresh took 600 s"), "{}", refresh.detail);
    // What came is true and is kept, but the gates came last, so nothing has opened; the add-ons work on.
    assert_eq!(victim.held().enrolled(), [REPAIR, CHORE]);
    victim.is_unharmed(&["emergency.json", "files", "gates.json", "snapshot.json", "timestamp.json"]);

    // The next run asks for what is missing only.
    let before: BTreeSet<String> = origin.asked().into_iter().collect();
    let after = victim.meets(&forge);
    after.ends(0, "current", &["verified; something new came"]).recipe(
        "emergency/drip-29.json",
        "applied",
        "",
    );
    let again: Vec<&String> = after.asked.iter().filter(|path| before.contains(*path)).collect();
    assert_eq!(again, ["metadata/2.root.json", "metadata/timestamp.json"]);
}
