//! `mulberry-lab oracle`: what hosts themselves say of add-ons.

use std::collections::BTreeSet;

use indicatif::{ProgressBar, ProgressStyle};
use mulberry_host::table::markdown;
use mulberry_shared::exit::Exit;

use crate::LabError;
use crate::oracle::compare::{self, Outcome, Report, Spec};
use crate::oracle::firefox::Firefox;
use crate::oracle::skipped;

/// Asks a host about add-ons of every shape, and compares what it says with our verifier.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    host: Host,
}

#[derive(Debug, clap::Subcommand)]
enum Host {
    /// A real, headless Firefox.
    Firefox(FirefoxArguments),
}

/// Makes add-ons of every shape, signed under the test root that every build of Firefox knows, and asks a real Firefox and our
/// verifier with the policy `firefox` about each. Real add-ons are asked about too, where they are at hand.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The two may differ only by the closed list of refusals, and each entry of it must be seen to differ; it is in \
    shared/docs/firefox.md.\n\n\
    Needs firefox-esr (Debian), python3 with venv, PyPI for marionette_driver the first time, and the folder that MULBERRY_FIREFOX names \
    (default ../shared/firefox beside the repository). Where something is missing it says so on standard error and exits with 0.\n\n\
    Exit code 0: they agree, or it was skipped. 1: they differ. 2: something could not be made or asked.\n\n\
    Examples:\n  cargo run --release -p mulberry-lab -- oracle firefox\n  mulberry-lab oracle firefox --random 2000 --seed 7 --json"
)]
struct FirefoxArguments {
    /// Random combinations of two to four shapes besides.
    #[arg(long, value_name = "N", default_value_t = 0)]
    random: u64,
    /// What they follow from.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Ask about random combinations alone.
    #[arg(long)]
    only_random: bool,
    /// Print JSON on standard output; progress goes to standard error.
    #[arg(long)]
    json: bool,
}

/// Runs the command and says how it went.
///
/// # Errors
/// An add-on cannot be made, or Firefox does not answer.
pub fn run(arguments: &Arguments) -> Result<Exit, LabError> {
    let Host::Firefox(arguments) = &arguments.host;
    let (python, folder) = match Firefox::needs() {
        Ok(found) => found,
        Err(missing) => {
            skipped("Firefox as the oracle", &missing);
            return Ok(Exit::Yes);
        }
    };
    let spec = Spec { random: arguments.random, seed: arguments.seed, fixed: !arguments.only_random };
    let bar = ProgressBar::new(0);
    if let Ok(style) =
        ProgressStyle::with_template("{bar:40} {human_pos}/{human_len} add-ons ({per_sec}, {eta})")
    {
        bar.set_style(style);
    }
    let report = compare::run(&spec, &python, &folder, &|done, of| {
        bar.set_length(of as u64);
        bar.set_position(done as u64);
    })?;
    bar.finish_and_clear();
    println!("{}", if arguments.json { serde_json::to_string(&report)? } else { table(&report) });
    Ok(if report.is_right() { Exit::Yes } else { Exit::No })
}

fn table(report: &Report) -> String {
    let outcomes = Outcome::ALL.into_iter().map(|outcome| {
        let count = report.outcomes.get(&outcome).copied().unwrap_or_default();
        [outcome.as_str().to_owned(), count.to_string()]
    });
    let outcomes = markdown(["outcome", "add-ons"], outcomes, 1..);
    let refusals = report.refusals.iter().map(|(refusal, count)| {
        [refusal.as_str().to_owned(), count.to_string(), refusal.attack().to_owned()]
    });
    let refusals =
        markdown(["refused by the closed list", "add-ons", "the attack that it stops"], refusals, 1..2);
    let reasons = report.reasons.iter().flat_map(|(ours, theirs)| {
        theirs.iter().map(move |(firefox, count)| [ours.to_string(), firefox.clone(), count.to_string()])
    });
    let reasons = markdown(["our verdict", "Firefox's", "add-ons"], reasons, 2..);
    let mut out = format!(
        "{outcomes}\n\n{refusals}\n\n{reasons}\n\n{} add-ons, {} judgements; {} of the closed list's entries seen.\n",
        report.addons,
        report.asked,
        report.refusals.len()
    );
    let mut seen = BTreeSet::new();
    for one in report.differences.iter().filter(|one| seen.insert((&one.name, one.outcome, one.weakest))) {
        let (outcome, name, ours, firefox) = (one.outcome.as_str(), &one.name, one.ours, &one.firefox);
        out += &format!(
            "{outcome}: {name:?} (weakest {}): {ours} here ({}), {firefox} there\n",
            one.weakest, one.detail
        );
    }
    for refusal in &report.unseen {
        out += &format!("NOT SEEN: no add-on was refused by {refusal} and accepted by Firefox\n");
    }
    out + if report.is_right() { "They agree." } else { "They DIFFER." }
}
