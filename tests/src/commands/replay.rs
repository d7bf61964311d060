//! `mulberry-lab replay`: the incident of May 2019, with real processes.

use std::path::{Path, PathBuf};

use indicatif::{ProgressBar, ProgressStyle};
use mulberry_shared::exit::Exit;
use serde::Serialize;

use crate::replay::material::Material;
use crate::replay::table::{self, Row};
use crate::replay::timeline::Timeline;
use crate::stage::StageError;

/// Replays the incident of May 2019: a server and five agents as real processes on loopback, and add-ons whose
/// intermediate has just expired. Hold, replacement, end of the hold; every figure is checked.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  mulberry-lab replay\n  mulberry-lab replay --material ../shared/real\n\n\
    Exit code 0: every figure is as it must be. 1: something differs; the last lines say what."
)]
pub struct Arguments {
    /// A folder with the real certificates and add-ons of 2019 and their EXPECTED.tsv, instead of add-ons of the
    /// laboratory.
    #[arg(long, value_name = "DIR")]
    material: Option<PathBuf>,
    /// How many add-ons the laboratory makes.
    #[arg(long, value_name = "N", default_value_t = 200, conflicts_with = "material")]
    addons: usize,
    /// Print the final table as JSON on standard output; the story goes to standard error.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    material: String,
    addons: usize,
    seconds: f64,
    agents: Vec<Row>,
}

/// Runs the command and says how it went.
pub fn run(arguments: &Arguments) -> Exit {
    match replay(arguments) {
        Ok(()) => Exit::Yes,
        Err(error) => {
            eprintln!("mulberry-lab: the replay differs from what it must show.\n{error}");
            Exit::No
        }
    }
}

fn replay(arguments: &Arguments) -> Result<(), StageError> {
    let mut timeline =
        Timeline::new(if arguments.json { Box::new(std::io::stderr()) } else { Box::new(std::io::stdout()) });
    timeline.tell("building the three binaries in this program's own profile");
    crate::binaries::Binaries::build().map_err(|e| StageError(e.to_string()))?;
    let made = tempfile::tempdir().map_err(|e| StageError(e.to_string()))?;
    let material = match &arguments.material {
        Some(real) => Material::real(real)?,
        None => laboratory(made.path(), arguments.addons)?,
    };
    let rows = crate::replay::run(&material, &mut timeline)?;
    let seconds = timeline.elapsed().as_secs_f64();
    if arguments.json {
        let report =
            Report { material: material.name, addons: material.expected.len(), seconds, agents: rows };
        println!("{}", serde_json::to_string(&report).map_err(|e| StageError(e.to_string()))?);
    } else {
        println!("\n{}\n\nEvery figure is as it must be ({seconds:.1} s).", table::show(&rows));
    }
    Ok(())
}

fn laboratory(folder: &Path, addons: usize) -> Result<Material, StageError> {
    let bar = ProgressBar::new(addons as u64);
    if let Ok(style) = ProgressStyle::with_template("signing {bar:40} {pos}/{len} add-ons") {
        bar.set_style(style);
    }
    let material = Material::laboratory(folder, addons, &|done| bar.set_position(done as u64))?;
    bar.finish_and_clear();
    Ok(material)
}
