//! SIGTERM and SIGINT end a run early: while it waits for an origin, or between two add-ons.
//!
//! A run that was ended has committed nothing of what it decided, and what is on disk is whole, so the next run simply starts over.

use std::io;

use tokio::runtime::Handle;
use tokio::signal::unix::{SignalKind, signal};
/// Whether a run is to end, asked by the run and told by whoever started it.
pub use tokio_util::sync::CancellationToken as Stop;

/// A [`Stop`] that the first SIGTERM or SIGINT sets from now on. `runtime` must go on while the run works.
///
/// # Errors
/// The system lets nobody wait for signals.
pub fn on_signals(runtime: &Handle) -> io::Result<Stop> {
    let _inside = runtime.enter();
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let stop = Stop::new();
    let asked = stop.clone();
    runtime.spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        asked.cancel();
    });
    Ok(stop)
}
