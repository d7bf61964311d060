//! Real processes, ended by real `kill -9` at chosen moments, and what is left of their work.
//!
//! Each part first measures how long an undisturbed publish (or run of an agent) takes, and then aims its kills evenly
//! across that window and a little beyond, so that every stage of the work is hit. Only processes that were started here
//! are ended.
//!
//! | module | what |
//! |---|---|
//! | [`aim`] | the window, and moments across it |
//! | [`publisher`] | people who sign, an operator who asks, and a client who verifies, all in this process |
//! | [`server`] | kills of a server during publishes |
//! | [`agent`] | kills of an agent during applies and undos |
//! | [`restart`] | how long a server with a long ledger takes to come back |
//! | [`table`] | the figures, for people |

pub mod agent;
pub mod aim;
pub mod publisher;
pub mod restart;
pub mod server;
pub mod table;

use serde::Serialize;

/// What was killed, and what it left. Times are in milliseconds.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// Kills of the server.
    pub server: Option<server::Figures>,
    /// Kills of the agent.
    pub agent: Option<agent::Figures>,
    /// Restarts on a long ledger.
    pub restart: Option<restart::Figures>,
}

impl Report {
    /// Everything that was lost, damaged or did not converge; none when all is well.
    #[must_use]
    pub fn problems(&self) -> Vec<&str> {
        let server = self.server.iter().flat_map(|figures| &figures.problems);
        let agent = self.agent.iter().flat_map(|figures| &figures.problems);
        server.chain(agent).map(String::as_str).collect()
    }
}

/// At most this many problems are kept: after a few the rest say the same.
const PROBLEMS: usize = 20;

fn note(problems: &mut Vec<String>, problem: String) {
    if problems.len() < PROBLEMS {
        problems.push(problem);
    }
}

/// So many kills that all fell on one side show nothing of what is between.
fn one_sided(problems: &mut Vec<String>, kills: usize, before: usize, after: usize) {
    if kills >= 50 && (before == 0 || after == 0) {
        note(
            problems,
            format!(
                "{before} of {kills} kills fell before what they aim at and {after} after it: nothing is shown"
            ),
        );
    }
}

fn milliseconds(duration: std::time::Duration) -> f64 {
    (duration.as_secs_f64() * 100_000.0).round() / 100.0
}
