//! `mulberry-lab record-fixtures`: what this version leaves on disk, for later versions to read.
//!
//! | path | what |
//! |---|---|
//! | `about.json` | format, version, and the instant at which all of it was made: readers start their clock there |
//! | `origin/` | an edition, file by file, as an origin serves it |
//! | `edition.mulberry` | the same as a bundle |
//! | `ledger.jsonl`, `keys/` | the server's export and its online keys, from which a server is restored |
//! | `agent/` | the state folder of an agent that applied the edition; its settings name `../addons` |
//! | `addons/` | the add-ons that it judged |
//!
//! All keys are the laboratory's, made for this one run. Keys and so signatures differ from run to run; the clock does not.

use std::fs;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use mulberry_shared::bundle::Bundle;
use mulberry_shared::limits::Limits;
use serde_json::json;

use crate::hostile_origin::Recording;
use crate::replay::material::Material;
use crate::stage::{Stage, StageError};

/// Add-ons of about 50 KB each, which the recipe repairs. A repository keeps them for ever, so there are few.
const ADDONS: usize = 2;
/// The recipe.
const SLUG: &str = "replace-intermediate";
/// The agent.
const AGENT: &str = "recorded";

/// Records an edition, a ledger and an agent's state, made by this version.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: mulberry-lab record-fixtures --out tests/fixtures/v2\n\n\
    Record a new folder when a format gets a new number, and keep the old ones for ever: later versions must read them.")]
pub struct Arguments {
    /// The folder to make; it must be absent or empty.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// Runs the command.
///
/// # Errors
/// When the folder is not empty, or a process of the recording does something else than it should.
pub fn run(arguments: &Arguments) -> Result<(), StageError> {
    let out = &arguments.out;
    fs::create_dir_all(out).map_err(io(out))?;
    if fs::read_dir(out).map_err(io(out))?.next().is_some() {
        return Err(StageError(format!("{} is not empty; name a new folder with --out", out.display())));
    }
    let scratch = tempfile::tempdir().map_err(io(out))?;
    let material = Material::laboratory(scratch.path(), ADDONS, &|_| ())?;
    let at = material.expired_at;
    let mut stage = Stage::new(Some(at))?;
    stage.start_server()?;
    stage.init_agent(AGENT, &material.anchor, &material.addons, &["--version", "66.0.3"])?;
    let replacement = material.replacement.to_string_lossy();
    stage.ctl(&["recipe", "new", "--certificate", &replacement, "--slug", SLUG])?.expect_code(0)?;
    stage.publish("emergency", &format!("recipes/{SLUG}"))?;
    stage.open_gate_together(SLUG, "100")?;
    stage.agent(AGENT, &["once"])?.expect_code(0)?;

    let edition = Recording::fetch(stage.origin())?;
    for (path, bytes) in edition.files() {
        write(&out.join("origin").join(path), bytes)?;
    }
    let entries = edition.files().map(|(path, bytes)| (path.to_owned(), bytes.to_vec())).collect();
    let bundle = Bundle::new(entries, &Limits::default().bundle).map_err(|e| StageError(e.to_string()))?;
    write(&out.join("edition.mulberry"), &bundle.write())?;
    let export = ["ledger", "export", "--state", "server", "--out", "ledger.jsonl"];
    stage.server_command(&export)?.expect_code(0)?;
    stage.stop_server()?;
    copy(&stage.path("ledger.jsonl"), &out.join("ledger.jsonl"))?;
    copy(&stage.path("server/keys"), &out.join("keys"))?;
    copy(&material.addons, &out.join("addons"))?;
    let state = stage.path(&format!("agents/{AGENT}"));
    copy(&state, &out.join("agent"))?;
    settle(&out.join("agent/agent.toml"), &material.addons)?;
    forget_machine(&out.join("agent/state.json"))?;
    let about = about(at);
    write(&out.join("about.json"), format!("{about:#}\n").as_bytes())
}

fn about(at: Timestamp) -> serde_json::Value {
    json!({
        "format": 1,
        "version": env!("CARGO_PKG_VERSION"),
        "at": at,
        "recipe": format!("emergency/{SLUG}.json"),
    })
}

/// Names the add-ons relative to the state folder, so that a copy of both works anywhere.
fn settle(settings: &Path, addons: &Path) -> Result<(), StageError> {
    let addons = addons.canonicalize().map_err(io(addons))?;
    let text = fs::read_to_string(settings).map_err(io(settings))?;
    let moved = text.replace(&addons.display().to_string(), "../addons");
    if moved == text {
        return Err(StageError(format!("{} does not name {}", settings.display(), addons.display())));
    }
    write(settings, moved.as_bytes())
}

/// The state of a machine without identity: this one is nobody's business, and another one would look like a clone.
fn forget_machine(state: &Path) -> Result<(), StageError> {
    let text = fs::read_to_string(state).map_err(io(state))?;
    let known: serde_json::Value = serde_json::from_str(&text).map_err(|e| StageError(e.to_string()))?;
    match known["machine"].as_str() {
        None => Ok(()),
        Some(machine) => write(state, text.replace(&format!("\"{machine}\""), "null").as_bytes()),
    }
}

/// Copies a file, or the files below a folder; nothing else (no sockets, no links) and no empty files such as locks.
pub fn copy(from: &Path, to: &Path) -> Result<(), StageError> {
    let kind = fs::symlink_metadata(from).map_err(io(from))?;
    if kind.is_dir() {
        for entry in fs::read_dir(from).map_err(io(from))? {
            let entry = entry.map_err(io(from))?;
            copy(&entry.path(), &to.join(entry.file_name()))?;
        }
        return Ok(());
    }
    if !kind.is_file() || kind.len() == 0 {
        return Ok(());
    }
    write(to, &fs::read(from).map_err(io(from))?)
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), StageError> {
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder).map_err(io(folder))?;
    fs::write(path, bytes).map_err(io(path))
}

fn io(path: &Path) -> impl Fn(std::io::Error) -> StageError + '_ {
    move |error| StageError(format!("{}: {error}", path.display()))
}
