//! `mulberry-lab mutate`: a great many mutations of valid metadata, through a client.

use std::collections::BTreeSet;
use std::path::PathBuf;

use indicatif::{ProgressBar, ProgressStyle};
use mulberry_host::table::markdown;
use mulberry_shared::exit::Exit;

use crate::LabError;
use crate::mutate::{self, Report};

/// Mutates valid metadata of every role and shows each mutation to a client that awaits the genuine file. None may make it
/// panic, and none may be accepted whose signed part says something else than was signed.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Mutations are flipped, lost, doubled and moved bytes, and edits that know JSON: other values, numbers at their extremes, \
    members swapped, doubled, reordered and nested, escapes, and signatures of other roles. Mutation N follows from the seed and N.\n\n\
    What may be accepted differs only in what is not signed: layout, escapes, order, other signatures beside enough true ones.\n\n\
    Exit code 0: nothing was found. 1: something was, and the input of each finding (at most 20) stands in a file. 2: the files \
    cannot be written.\n\n\
    Examples:\n  cargo run --release -p mulberry-lab -- mutate\n  mulberry-lab mutate --count 20000 --seed 7 --json"
)]
pub struct Arguments {
    /// How many mutations.
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    count: u64,
    /// What they follow from.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Folder for the input of each finding.
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    findings: PathBuf,
    /// Print JSON on standard output; progress goes to standard error.
    #[arg(long)]
    json: bool,
}

/// Runs the command and says how it went.
///
/// # Errors
/// The repository cannot be made, or a finding cannot be written.
pub fn run(arguments: &Arguments) -> Result<Exit, LabError> {
    let bar = ProgressBar::new(arguments.count);
    if let Ok(style) =
        ProgressStyle::with_template("{bar:40} {human_pos}/{human_len} mutations ({per_sec}, {eta})")
    {
        bar.set_style(style);
    }
    let report = mutate::run(arguments.count, arguments.seed, &|done| bar.set_position(done))?;
    bar.finish_and_clear();
    for finding in &report.findings {
        let name = format!("mutation-{}-{}.{}.json", report.seed, finding.number, finding.role);
        let path = arguments.findings.join(name);
        std::fs::write(&path, &finding.input).map_err(LabError::file(&path))?;
        eprintln!(
            "mutation {} of {}: {}; see {}",
            finding.number,
            finding.role,
            finding.problem,
            path.display()
        );
    }
    println!("{}", if arguments.json { serde_json::to_string(&report)? } else { table(&report) });
    Ok(if report.wrong == 0 { Exit::Yes } else { Exit::No })
}

fn table(report: &Report) -> String {
    let kinds: BTreeSet<&str> =
        report.roles.values().flat_map(|tally| tally.refused.keys()).map(String::as_str).collect();
    let row = |name: String, figure: &dyn Fn(&mutate::Tally) -> u64| {
        let figures: Vec<u64> = report.roles.values().map(figure).collect();
        let sum: u64 = figures.iter().sum();
        let figures = figures.into_iter().chain([sum]).map(|figure| figure.to_string());
        std::iter::once(name).chain(figures).collect::<Vec<_>>()
    };
    let mut rows = vec![
        row("mutations".into(), &|tally| tally.mutations),
        row("accepted, the signed part being equal".into(), &|tally| tally.accepted),
    ];
    rows.extend(kinds.into_iter().map(|kind| {
        row(format!("refused: {kind}"), &|tally| tally.refused.get(kind).copied().unwrap_or_default())
    }));
    let header = ["outcome"].into_iter().chain(report.roles.keys().map(String::as_str)).chain(["all"]);
    let table = markdown(header, rows, 1..);
    let per_second = report.count as f64 / report.seconds.max(f64::EPSILON);
    let verdict = match report.wrong {
        0 => "No panic, and nothing accepted that says something else than was signed.".to_owned(),
        wrong => format!("WRONG: {wrong}, see above."),
    };
    format!(
        "{table}\n\n{} mutations in {:.1} s, {per_second:.0} a second.\n{verdict}",
        report.count, report.seconds
    )
}
