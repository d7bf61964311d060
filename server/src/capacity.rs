//! How many connections the public listener takes: as many as asked for, where the process may open files enough.
//!
//! A process that has reached its limit of open files accepts nobody, neither health checks nor operators, and writes no
//! ledger. So what the public listener takes ends below it.

use std::io;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::live::Admission;

/// Most connections at once on the operators' listener: people, a tool and a dashboard each.
pub const OPERATORS_CONNECTIONS: usize = 64;

/// Files for everything but the public listener's connections: the operators' connections, and 128 for the ledger, its
/// exports, the listeners and the workers' queues, which are 33 files with two workers and four more with each other.
const RESERVED: u64 = OPERATORS_CONNECTIONS as u64 + 128;

/// The least that may be asked for, and what is taken however low the limit is.
pub const LEAST_CONNECTIONS: u32 = 16;

/// Most workers of the public listener.
const MOST_WORKERS: usize = 8;

/// What fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity {
    /// How many files the process may open.
    pub open_files: u64,
    /// Most connections at once on the public listener.
    pub connections: u32,
    /// Its workers.
    pub workers: usize,
}

impl Capacity {
    /// What fits of the `asked` connections under a limit of `open_files`, with workers for so many `cores`.
    #[must_use]
    pub fn new(asked: u32, open_files: u64, cores: usize) -> Self {
        let room = u32::try_from(open_files.saturating_sub(RESERVED)).unwrap_or(u32::MAX);
        let connections = asked.min(room.max(LEAST_CONNECTIONS));
        // Each worker has connections enough for streams, polls and newcomers.
        let most = usize::try_from(connections / LEAST_CONNECTIONS).unwrap_or(usize::MAX);
        Self { open_files, connections, workers: cores.clamp(1, most.clamp(1, MOST_WORKERS)) }
    }

    /// Most connections of one worker.
    #[must_use]
    pub fn each_worker(&self) -> usize {
        usize::try_from(self.connections).unwrap_or(usize::MAX).div_ceil(self.workers)
    }

    /// Most live streams of all workers together.
    #[must_use]
    pub fn live_streams(&self) -> usize {
        Admission::most(self.each_worker()).saturating_mul(self.workers)
    }

    /// Writes the figures into the log, and a warning where they are not what was asked for.
    pub fn log(&self, asked: u32) {
        let Self { open_files, connections, .. } = *self;
        tracing::info!(open_files, connections, live_streams = self.live_streams(), "capacity");
        if connections < asked {
            let enough = RESERVED.saturating_add(asked.into());
            let remedy = format!(
                "raise the limit of open files to {enough} (`ulimit -n`, LimitNOFILE= under systemd), or ask for less"
            );
            tracing::warn!(asked, connections, open_files, remedy, "not all connections asked for fit");
        }
        if open_files < RESERVED.saturating_add(LEAST_CONNECTIONS.into()) {
            let remedy = format!("raise it to {RESERVED} and --max-connections more");
            tracing::warn!(
                open_files,
                remedy,
                "the limit of open files is too low to stay reachable in a crowd"
            );
        }
    }
}

/// Raises this process's limit of open files as far as it may, and says what it is now.
///
/// # Errors
/// The system does not tell the limit. Where it may not be raised, it stays as it was.
pub fn raise_open_files() -> io::Result<u64> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    if soft < hard
        && let Err(error) = setrlimit(Resource::RLIMIT_NOFILE, hard, hard)
    {
        tracing::warn!(%error, soft, hard, "the limit of open files could not be raised");
        return Ok(soft);
    }
    Ok(hard)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_end_below_the_limit_of_files_and_streams_below_connections() {
        for (asked, open_files, cores, connections, live_streams) in [
            (800, 1_024, 2, 800, 600),
            (800, 992, 2, 800, 600),
            (800, 991, 2, 799, 600),
            (800, 256, 2, 64, 48),
            (800, 256, 64, 64, 48),
            (64, u64::MAX, 4, 64, 48),
            (1_000_000, u64::MAX, 1, 1_000_000, 750_000),
            (16, 0, 2, 16, 12),
            (800, 200, 0, 16, 12),
        ] {
            let capacity = Capacity::new(asked, open_files, cores);
            assert_eq!((capacity.connections, capacity.live_streams()), (connections, live_streams));
            let taken = u64::try_from(capacity.each_worker() * capacity.workers).unwrap();
            let enough = open_files >= RESERVED + u64::from(LEAST_CONNECTIONS);
            assert!(!enough || taken < open_files - OPERATORS_CONNECTIONS as u64 - 100, "{capacity:?}");
        }
    }
}
