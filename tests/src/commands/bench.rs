//! `mulberry-lab bench`: how fast verification, polls and refreshes are, as ratios.

use std::time::Duration;

use clap::ValueEnum;
use mulberry_host::table::markdown;
use mulberry_shared::exit::Exit;
use serde::Serialize;

use super::corpus::Keys;
use crate::LabError;
use crate::bench::cdn;
use crate::bench::polls::{self, Tools};
use crate::bench::refresh;
use crate::bench::series::{Bound, Ratio};
use crate::bench::verification;
use crate::corpus::Signed;
use crate::python_tuf::Python;

/// Measures verification of add-ons against inflating and hashing the same bytes, polls of timestamp.json against
/// nginx, refreshes against python-tuf, and what a cache before the server lets through, as ratios.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Build it with --release, on a machine that does little else. What is compared is measured in turns; each ratio is that of \
    the medians on the wall, with the same by the processors' time, and the lowest and highest of one round.\n\n\
    The bound of full verification is for add-ons with one RSA signature. Signed every way, two of seven have a second one, by \
    another end entity, which is verified too.\n\n\
    Polls need nginx and wrk (Debian: apt-get install nginx-light wrk); without them they are left out, and a line says so. \
    So is the cache without nginx, and so are refreshes without python3 and python-tuf, which is installed from PyPI the first time, beside the build.\n\n\
    Exit code 0: all ratios are within their bounds. 1: one is not. 2: something cannot be measured.\n\n\
    Examples:\n  cargo run --release -p mulberry-lab -- bench\n  mulberry-lab bench verification --addons 500 --rounds 3\n  \
    mulberry-lab bench verification --signed every-way\n  \
    mulberry-lab bench polls --json\n  mulberry-lab bench refresh --recipes 50\n  \
    mulberry-lab bench cdn --polls 20000 --over 30"
)]
pub struct Arguments {
    /// What to measure; without it, everything.
    #[arg(value_enum)]
    what: Option<What>,
    /// How many add-ons of about 50 KB to verify.
    #[arg(long, value_name = "N", default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    addons: u32,
    /// How many rounds.
    #[arg(long, value_name = "N", default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    rounds: u32,
    /// Size of the RSA keys of anchors and intermediates.
    #[arg(long, value_enum, default_value_t = Keys::Rsa4096)]
    keys: Keys,
    /// How the add-ons are signed.
    #[arg(long, value_enum, default_value_t = Signed::Rsa)]
    signed: Signed,
    /// How many recipes a refresh fetches.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=500))]
    recipes: u16,
    /// How long each of the four measurements of a round of polls takes, in seconds.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=600))]
    seconds: u32,
    /// How many polls go through the cache.
    #[arg(long, value_name = "N", default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    polls: u32,
    /// Over how many seconds they are spread.
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u32).range(0..=86_400))]
    over: u32,
    /// Print the report as JSON on standard output; progress goes to standard error.
    #[arg(long)]
    json: bool,
}

/// Connections of polls at once.
const CONNECTIONS: usize = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum What {
    /// Verification of add-ons.
    Verification,
    /// Polls of timestamp.json.
    Polls,
    /// Refreshes, cold and without change.
    Refresh,
    /// Polls through a cache before the server, and what agents get once the server is down.
    Cdn,
}

#[derive(Serialize)]
struct Report {
    format: u32,
    profile: &'static str,
    verification: Option<verification::Report>,
    polls: Option<polls::Report>,
    /// Why there are no polls, if they were to be measured.
    polls_skipped: Option<String>,
    refresh: Option<refresh::Report>,
    /// Why there are no refreshes, if they were to be measured.
    refresh_skipped: Option<String>,
    cdn: Option<cdn::Report>,
    /// Why there is no cache, if it was to be measured.
    cdn_skipped: Option<String>,
}

/// Runs the command.
///
/// # Errors
/// Something cannot be measured.
pub fn run(arguments: &Arguments) -> Result<Exit, LabError> {
    let progress = |what: &str| eprintln!("{what}");
    let wanted = |what| arguments.what.is_none_or(|only| only == what);
    let rounds = arguments.rounds as usize;
    let profile = if cfg!(debug_assertions) { "debug" } else { "release" };
    let mut report = Report {
        format: 1,
        profile,
        verification: None,
        polls: None,
        polls_skipped: None,
        refresh: None,
        refresh_skipped: None,
        cdn: None,
        cdn_skipped: None,
    };
    if wanted(What::Verification) {
        let spec = verification::Spec {
            addons: arguments.addons as usize,
            rounds,
            keys: arguments.keys.into(),
            signed: arguments.signed,
        };
        report.verification = Some(verification::measure(&spec, &progress)?);
    }
    if wanted(What::Polls) {
        match Tools::find() {
            Ok(tools) => {
                let seconds = arguments.seconds.into();
                let spec = polls::Spec { rounds, seconds, connections: CONNECTIONS };
                report.polls = Some(polls::measure(&spec, &tools, &progress)?);
            }
            Err(missing) if arguments.what == Some(What::Polls) => return Err(LabError::Usage(missing)),
            Err(missing) => {
                eprintln!("skipped: {missing}");
                report.polls_skipped = Some(missing);
            }
        }
    }
    if wanted(What::Refresh) {
        match Python::find() {
            Ok(python) => {
                let spec = refresh::Spec { rounds, recipes: arguments.recipes.into() };
                report.refresh = Some(refresh::measure(&spec, &python, &progress)?);
            }
            Err(missing) if arguments.what == Some(What::Refresh) => return Err(LabError::Usage(missing)),
            Err(missing) => {
                eprintln!("skipped: refreshes: {missing}");
                report.refresh_skipped = Some(missing);
            }
        }
    }
    if wanted(What::Cdn) {
        match cdn::find() {
            Ok(nginx) => {
                let over = Duration::from_secs(arguments.over.into());
                let spec = cdn::Spec { polls: arguments.polls as usize, over };
                report.cdn = Some(cdn::measure(&spec, &nginx, &progress)?);
            }
            Err(missing) if arguments.what == Some(What::Cdn) => return Err(LabError::Usage(missing)),
            Err(missing) => {
                eprintln!("skipped: {missing}");
                report.cdn_skipped = Some(missing);
            }
        }
    }
    if arguments.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        print!("{}", report.show());
    }
    Ok(if report.ratios().all(|ratio| ratio.holds) { Exit::Yes } else { Exit::No })
}

impl Report {
    fn ratios(&self) -> impl Iterator<Item = &Ratio> {
        let verification = self.verification.iter().flat_map(|report| &report.ratios);
        let polls = self.polls.iter().flat_map(|report| &report.ratios);
        let refresh = self.refresh.iter().flat_map(|report| &report.ratios);
        let cdn = self.cdn.iter().flat_map(|report| &report.ratios);
        verification.chain(polls).chain(refresh).chain(cdn)
    }

    fn show(&self) -> String {
        let mut text = String::new();
        if let Some(of) = &self.verification {
            let megabytes = |bytes: u64| bytes as f64 / 1e6;
            text += &format!(
                "{} add-ons signed {}, {:.1} MB ({:.1} MB inflated), {} threads, {} rounds; median seconds:\n",
                of.addons,
                match of.signed {
                    Signed::Rsa => "with RSA",
                    Signed::EveryWay => "every way",
                },
                megabytes(of.archive_bytes),
                megabytes(of.content_bytes),
                of.threads,
                of.rounds
            );
            of.seconds.iter().for_each(|(name, seconds)| text += &format!("  {name:<20} {seconds:>8.4}\n"));
        }
        if let Some(of) = &self.polls {
            text += &format!(
                "polls of {} bytes, {} connections, {} rounds; median answers a second:\n",
                of.bytes, of.connections, of.rounds
            );
            of.per_second.iter().for_each(|(name, rate)| text += &format!("  {name:<20} {rate:>8.0}\n"));
            let weight = &of.poll_without_news;
            text += &format!(
                "an agent's poll without news: {} requests of {} bytes together, answers of {} bytes (above TCP, without TLS)\n",
                weight.requests, weight.request_bytes, weight.answer_bytes
            );
        }
        if let Some(of) = &self.refresh {
            text += &format!(
                "refreshes with {} recipes, {} rounds; median milliseconds:\n",
                of.recipes, of.rounds
            );
            of.milliseconds.iter().for_each(|(name, wall)| text += &format!("  {name:<22} {wall:>8.2}\n"));
        }
        if let Some(of) = &self.cdn {
            let reached: u64 = of.reached.values().sum();
            text += &format!(
                "{} polls through a cache, {} requests in {:.1} s: {reached} reached the server\n",
                of.polls, of.requests, of.seconds
            );
            of.reached.iter().for_each(|(endpoint, count)| text += &format!("  {endpoint:<22} {count:>8}\n"));
            text += &format!(
                "the server stopped: an agent that was there before: {}; a new one: {}\n",
                of.known_agent, of.new_agent
            );
        }
        let rows = self.ratios().map(|ratio| {
            [
                ratio.name.to_owned(),
                match ratio.bound {
                    Bound::AtMost(most) => format!("at most {most}"),
                    Bound::AtLeast(least) => format!("at least {least}"),
                },
                format!("{:.3}", ratio.wall),
                ratio.cpu.map_or("not known".to_owned(), |cpu| format!("{cpu:.3}")),
                format!("{:.3}", ratio.lowest),
                format!("{:.3}", ratio.highest),
                if ratio.holds { "holds".to_owned() } else { "DOES NOT HOLD".to_owned() },
            ]
        });
        let header = ["ratio", "must be", "is", "by CPU time", "lowest", "highest", ""];
        let table = markdown(header, rows, 2..6);
        text += &format!("{table}\n");
        if self.profile != "release" {
            text += "These are figures of a debug build: they say nothing about speed.\n";
        }
        text
    }
}
