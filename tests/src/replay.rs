//! The incident of May 2019, replayed: an intermediate has just expired, five agents poll a real server, and the
//! release engineers publish a hold, then the replacement, then end the hold.
//!
//! Everything is done by the three binaries as separate processes on loopback, and every figure is read from what
//! the agents tell their hosts (`addons.json`). [`material`] says which add-ons play and what must become of each;
//! [`timeline`] and [`table`] are what a person reads.

pub mod material;
pub mod table;
pub mod timeline;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use jiff::{SignedDuration, Timestamp};
use mulberry_shared::digest::Sha256Digest;
use serde_json::Value;

use crate::stage::{Stage, StageError};
use material::{Material, Moment};
use table::Row;
use timeline::Timeline;

/// One agent of the replay.
struct Player {
    name: &'static str,
    facts: &'static [&'static str],
    part: Part,
}

/// What an agent shows in the replay.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    /// Loses add-ons at its periodic pass, gets them back with the replacement.
    Hit,
    /// Polls before its periodic pass is due again, gets the hold and never loses an add-on.
    HeldInTime,
    /// Its version is outside both recipes: nothing changes for it.
    NotTargeted,
}

/// Whether a hold suspends an agent's daily pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hold {
    None,
    Active,
}

const PLAYERS: [Player; 5] = [
    Player { name: "release", facts: &["--version", "66.0.3", "--channel", "release"], part: Part::Hit },
    Player { name: "beta", facts: &["--version", "67.0b16", "--channel", "beta"], part: Part::Hit },
    Player { name: "esr", facts: &["--version", "60.6.1esr", "--channel", "esr"], part: Part::Hit },
    Player {
        name: "held-in-time",
        facts: &["--version", "66.0.3", "--channel", "release"],
        part: Part::HeldInTime,
    },
    Player {
        name: "not-targeted",
        facts: &["--version", "45.9.0", "--channel", "release"],
        part: Part::NotTargeted,
    },
];

const HOLD: &str = "hold-add-on-verification";
const REPLACEMENT: &str = "replace-signing-intermediate";

/// Replays the incident on `material`, telling the story on `timeline`.
///
/// # Errors
/// When a command does not do what it should, or any figure differs from what the material says.
pub fn run(material: &Material, timeline: &mut Timeline) -> Result<Vec<Row>, StageError> {
    let untouched = digests(&material.addons)?;
    let before = material.healthy_at;
    let after = material.expired_at;
    let mut stage = Stage::new(Some(before))?;
    timeline.clock(before);
    timeline.tell(&format!(
        "{}: {} add-ons, {} of them under the intermediate that is about to expire",
        material.name,
        material.expected.len(),
        material.hit().count()
    ));
    stage.start_server()?;
    for player in &PLAYERS {
        let signature = ["--signature", material.signature.as_str()];
        let settings = [player.facts, &signature].concat();
        stage.init_agent(player.name, &material.anchor, &material.addons, &settings)?;
        stage.agent(player.name, &["once"])?.expect_code(0)?;
        check(&stage, player, material, Moment::Healthy)?;
    }
    timeline.tell("five agents verified every add-on: all that should work do");
    stage.stop_server()?;

    stage.set_clock(after);
    timeline.clock(after);
    timeline.tell("the intermediate has expired; the daily pass comes to four of the five agents");
    stage.start_server()?;
    let mut lost = BTreeMap::new();
    for player in PLAYERS.iter().filter(|player| player.part != Part::HeldInTime) {
        stage.agent(player.name, &["once"])?.expect_code(0)?;
        let disabled = check(&stage, player, material, Moment::Expired)?;
        timeline.tell(&format!("{}: {disabled} add-ons disabled", player.name));
        lost.insert(player.name, disabled);
    }

    write_recipe(&stage, HOLD, &hold(before, after)?)?;
    timeline.said(&stage.publish("emergency", HOLD)?.stdout);
    stage.open_gate(HOLD, "100")?;
    timeline.tell("hold published and opened: no agent that gets it in time loses anything");
    for player in &PLAYERS {
        stage.agent(player.name, &["once"])?.expect_code(0)?;
        let moment = if player.part == Part::HeldInTime { Moment::Healthy } else { Moment::Expired };
        let disabled = check(&stage, player, material, moment)?;
        lost.entry(player.name).or_insert(disabled);
        match player.part {
            Part::Hit => expect_pass(&stage, player, Hold::Active, |last| last >= after)?,
            Part::HeldInTime => expect_pass(&stage, player, Hold::Active, |last| last < after)?,
            Part::NotTargeted => expect_pass(&stage, player, Hold::None, |last| last >= after)?,
        }
    }

    write_recipe(&stage, REPLACEMENT, &replacement(before, after)?)?;
    std::fs::copy(&material.replacement, stage.path(REPLACEMENT).join("replacement.pem")).map_err(io)?;
    let published = stage.publish("emergency", REPLACEMENT)?;
    let instant = Instant::now();
    timeline.said(&published.stdout);
    if !published
        .stdout
        .contains(&format!("NOT LIVE: gate closed. Next: mulberryctl gate open {REPLACEMENT}"))
    {
        return Err(StageError(format!(
            "publish did not say that nothing is live yet:\n{}",
            published.stdout
        )));
    }
    stage.open_gate(REPLACEMENT, "100")?;
    timeline.tell("replacement intermediate published, and its gate opened for everyone");
    let seconds = all_at_once(&stage, instant)?;
    let mut rows = Vec::new();
    for player in &PLAYERS {
        let moment = if player.part == Part::NotTargeted { Moment::Expired } else { Moment::Fixed };
        let disabled = check(&stage, player, material, moment)?;
        let enabled = material.expected.len() - disabled;
        timeline.tell(&format!("{}: {enabled} add-ons enabled", player.name));
        rows.push(Row {
            agent: player.name,
            disabled_before: lost.get(player.name).copied().unwrap_or_default(),
            enabled_after: enabled,
            seconds: (player.part != Part::NotTargeted).then(|| seconds.get(player.name).copied()).flatten(),
        });
    }

    stage.ctl(&["gate", "end", HOLD, "--reason", "the replacement is out", "--yes"])?.expect_code(0)?;
    timeline.tell("the hold is ended: daily passes run again, and find the replacement in place");
    for player in &PLAYERS {
        stage.agent(player.name, &["once"])?.expect_code(0)?;
        let moment = if player.part == Part::NotTargeted { Moment::Expired } else { Moment::Fixed };
        check(&stage, player, material, moment)?;
        expect_pass(&stage, player, Hold::None, |last| last >= after)?;
    }
    stage.stop_server()?;
    if digests(&material.addons)? != untouched {
        return Err(StageError("a file in the add-ons folder was changed, moved or deleted".into()));
    }
    timeline.tell("no file in the add-ons folder was touched");
    Ok(rows)
}

/// Lets every agent poll at the same time; the seconds since `published` after which each was done.
fn all_at_once(stage: &Stage, published: Instant) -> Result<BTreeMap<&'static str, f64>, StageError> {
    std::thread::scope(|scope| {
        let runs = PLAYERS.map(|player| {
            let run = scope.spawn(move || {
                stage.agent(player.name, &["once"])?.expect_code(0)?;
                Ok(published.elapsed().as_secs_f64())
            });
            (player.name, run)
        });
        let done = runs.map(|(name, run)| {
            let seconds =
                run.join().map_err(|_| StageError(format!("the thread of agent {name} panicked")))??;
            Ok((name, seconds))
        });
        done.into_iter().collect()
    })
}

/// Compares what the agent tells its host with what the material says for `moment`; the number of disabled add-ons.
fn check(stage: &Stage, player: &Player, material: &Material, moment: Moment) -> Result<usize, StageError> {
    let told = stage.addons(player.name)?;
    let entries =
        told["addons"].as_array().ok_or_else(|| StageError("addons.json has no list `addons`".into()))?;
    let mut seen = BTreeMap::new();
    for entry in entries {
        let file = entry["path"].as_str().and_then(|path| Path::new(path).file_name()?.to_str());
        let file = file.ok_or_else(|| StageError(format!("an entry of addons.json has no path: {entry}")))?;
        seen.insert(file.to_owned(), (entry["enabled"] == true, entry["detail"].to_string()));
    }
    let mut wrong = Vec::new();
    for (file, expected) in &material.expected {
        match seen.get(file) {
            None => wrong.push(format!("{file}: not in addons.json")),
            Some((enabled, why)) if *enabled != expected.enabled(moment) => {
                wrong.push(format!("{file}: {} ({why})", if *enabled { "enabled" } else { "disabled" }));
            }
            Some(_) => {}
        }
    }
    if seen.len() != material.expected.len() {
        wrong.push(format!("{} add-ons told instead of {}", seen.len(), material.expected.len()));
    }
    if wrong.is_empty() {
        return Ok(seen.values().filter(|(enabled, _)| !enabled).count());
    }
    Err(StageError(format!("agent {} differs ({moment:?}):\n  {}", player.name, wrong.join("\n  "))))
}

/// What the agent's `status` says of its daily pass: whether a hold suspends it, and when it last ran.
fn daily_pass(stage: &Stage, player: &Player) -> Result<(Hold, Timestamp), StageError> {
    let status = stage.agent(player.name, &["status", "--json"])?.expect_code(0)?.json()?;
    let hold = match status.get("held_until") {
        Some(Value::Null) => Hold::None,
        Some(Value::String(_)) => Hold::Active,
        other => return Err(StageError(format!("agent {}: held_until is {other:?}", player.name))),
    };
    let last = status["last_full_pass"].as_str().and_then(|text| text.parse().ok());
    let last = last.ok_or_else(|| StageError(format!("agent {}: no time of a last pass", player.name)))?;
    Ok((hold, last))
}

fn expect_pass(
    stage: &Stage,
    player: &Player,
    hold: Hold,
    ran: impl FnOnce(Timestamp) -> bool,
) -> Result<(), StageError> {
    let (found, last) = daily_pass(stage, player)?;
    if found == hold && ran(last) {
        return Ok(());
    }
    Err(StageError(format!("agent {}: hold {found:?}, last daily pass at {last}", player.name)))
}

fn write_recipe(stage: &Stage, slug: &str, text: &str) -> Result<(), StageError> {
    std::fs::create_dir_all(stage.path(slug)).map_err(io)?;
    std::fs::write(stage.path(slug).join("recipe.toml"), text).map_err(io)
}

fn hold(starts: Timestamp, now: Timestamp) -> Result<String, StageError> {
    let until = later(now, 24 * 3)?;
    Ok(format!(
        r#"schema_version = 1
slug = "{HOLD}"
revision = 1
name = "Hold the periodic verification of add-ons"
lane = "emergency"
consent = "hotfix"
action = "hold-verification"
starts = "{starts}"
expires = "{until}"
on_end = "revert"

[arguments]
until = "{until}"

[targeting]
channels = ["release", "beta", "esr"]
versions = ">=60, <68"

[rollout]
max_percent = 100
plan = [{{ percent = 100 }}]
"#
    ))
}

fn replacement(starts: Timestamp, now: Timestamp) -> Result<String, StageError> {
    let expires = later(now, 24 * 60)?;
    Ok(format!(
        r#"schema_version = 1
slug = "{REPLACEMENT}"
revision = 1
name = "Install the replacement of the expired signing intermediate"
lane = "emergency"
consent = "hotfix"
action = "install-certificates"
starts = "{starts}"
expires = "{expires}"
on_end = "keep"

[arguments]
certificates = ["replacement.pem"]

[targeting]
channels = ["release", "beta", "esr"]
versions = ">=60, <68"

[rollout]
max_percent = 100
plan = [{{ percent = 100 }}]
"#
    ))
}

fn later(now: Timestamp, hours: i64) -> Result<Timestamp, StageError> {
    now.checked_add(SignedDuration::from_hours(hours)).map_err(|e| StageError(e.to_string()))
}

fn digests(folder: &Path) -> Result<BTreeMap<std::ffi::OsString, Sha256Digest>, StageError> {
    let entries = std::fs::read_dir(folder).map_err(io)?;
    let digests = entries.map(|entry| {
        let entry = entry.map_err(io)?;
        Ok((entry.file_name(), Sha256Digest::of(&std::fs::read(entry.path()).map_err(io)?)))
    });
    digests.collect()
}

fn io(error: std::io::Error) -> StageError {
    StageError(error.to_string())
}
