//! `mulberry-agent config show`: each setting and where it came from.

use std::ffi::OsString;
use std::fmt;

use mulberry_host::settings::{self as host, Said, Setting, Source};
use mulberry_shared::exit::Exit;
use mulberry_shared::limits::Limits;
use mulberry_shared::targeting::KnownWords;
use serde::Serialize;
use toml_edit::{Document, Item, TableLike, Value};

use super::settings::{self, StateArg};
use super::{Failure, OutputArgs, show};
use crate::config::{self, Layer};
use crate::io::machine;

/// `mulberry-agent config …`
#[derive(Clone, Debug, clap::Subcommand)]
pub enum Command {
    /// Show each setting that a run would have, and where it came from
    Show(Box<Args>),
}

/// Options of `mulberry-agent config show`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Options win over MULBERRY_AGENT_* variables, these over agent.toml, this over defaults.
Exit codes: 0 a run would take them; 2 it would refuse one, which is named.

Examples:
  mulberry-agent config show
  mulberry-agent config show --state ./agent --json")]
pub struct Args {
    /// The state folder.
    #[command(flatten)]
    pub state: StateArg,
    /// How to show the result.
    #[command(flatten)]
    pub output: OutputArgs,
    /// Settings as they could be given to `once` and `run`.
    #[command(flatten)]
    pub settings: Layer,
}

/// All settings.
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
struct Report(serde_json::Map<String, serde_json::Value>);

/// One setting; several values where it repeats.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Line {
    #[serde(skip)]
    key: String,
    value: Option<String>,
    source: String,
    /// Why a run would refuse it.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
    /// Why recipes probably mean another word.
    #[serde(skip_serializing_if = "Option::is_none")]
    warning: Option<String>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |line: &serde_json::Value, name: &str| line[name].as_str().unwrap_or("-").to_owned();
        let rows = self.0.iter().map(|(key, line)| [key.clone(), text(line, "value"), text(line, "source")]);
        writeln!(f, "{}", crate::report::table(["KEY", "VALUE", "SAID BY"], rows))?;
        let told = |name| self.0.iter().filter_map(move |(key, line)| Some((key, line.get(name)?.as_str()?)));
        told("problem").try_for_each(|(key, problem)| writeln!(f, "REFUSED by a run: {key}: {problem}"))?;
        told("warning").try_for_each(|(key, warning)| writeln!(f, "Warning: {key}: {warning}"))
    }
}

/// Prints every setting. `cli` is the whole command line's definition and `words` what was typed: clap knows which value came
/// from where, so a setting that is added is shown without a line here.
///
/// # Errors
/// The state folder or `agent.toml` cannot be read. A setting that a run would refuse is shown with the reason, and is exit code 2.
pub fn run(
    args: &Args,
    cli: clap::Command,
    words: impl IntoIterator<Item = OsString>,
    limits: &Limits,
) -> Result<Exit, Failure> {
    let (report, exit) = report(args, cli, words, limits)?;
    show(&report, args.output.into())?;
    Ok(exit)
}

fn report(
    args: &Args,
    cli: clap::Command,
    words: impl IntoIterator<Item = OsString>,
    limits: &Limits,
) -> Result<(Report, Exit), Failure> {
    let folder = args.state.open()?;
    let path = folder.root().join(config::FILE);
    let merged = settings::merged(&folder, folder.root(), args.settings.clone())?;
    let (problems, doubts) = match settings::complete(merged) {
        Ok(config) => {
            let doubts = config.facts.of("").doubts(&KnownWords::default());
            (settings::unreadable(&config, limits), doubts)
        }
        Err(problems) => (problems, Vec::new()),
    };
    let text = settings::text(&folder, folder.root())?;
    let document = Document::parse(text.as_str()).map_err(Failure::usage)?;
    let state = folder.root().display().to_string();
    let below = |key: &str| {
        if let Some(value) = in_file(document.as_table(), key) {
            return (Some(value), Source::File(path.clone()));
        }
        match (key, machine::locale()) {
            ("state", _) => (Some(state.clone()), Source::Default),
            ("locale", Some(locale)) => {
                (Some(locale), Source::Environment("LC_ALL, LC_MESSAGES or LANG".to_owned()))
            }
            _ => match config::default_of(key) {
                Some(value) => (Some(value), Source::Default),
                None => (None, Source::Nobody),
            },
        }
    };
    let lines = said(cli, words)?.into_iter().map(|line| match line.value {
        Some(_) => line,
        None => {
            let (value, source) = below(&line.key);
            Line { value, source: source.to_string(), ..line }
        }
    });
    let entry = |mut line: Line| {
        let problem = problems.iter().find(|problem| problem.setting == line.key);
        line.problem = problem.map(|problem| problem.problem.clone());
        line.warning = doubts.iter().find(|doubt| doubt.field == line.key).map(ToString::to_string);
        Ok((line.key.clone(), serde_json::to_value(line)?))
    };
    let report = lines.map(entry).collect::<Result<_, serde_json::Error>>().map_err(Failure::usage)?;
    Ok((Report(report), if problems.is_empty() { Exit::Yes } else { Exit::Usage }))
}

/// What the command line and the environment say; a line without value where they are silent.
fn said(cli: clap::Command, words: impl IntoIterator<Item = OsString>) -> Result<Vec<Line>, Failure> {
    let line = |Said { id, setting: Setting { value, source }, .. }| {
        // The state folder's field has another name than its option.
        let key = if id == "folder" { "state".to_owned() } else { id };
        Line { key, value, source: source.to_string(), problem: None, warning: None }
    };
    Ok(host::said(cli, words).map_err(Failure::usage)?.into_iter().map(line).collect())
}

/// What `agent.toml` says under a key, at its top or in one of its tables.
fn in_file(file: &dyn TableLike, key: &str) -> Option<String> {
    let inner = file.iter().filter_map(|(_, item)| item.as_table_like()).find_map(|table| table.get(key));
    // The former key of one origin is still read.
    let former = (key == "origins").then(|| file.get("origin")).flatten();
    let item = file.get(key).or(inner).or(former).filter(|item| !item.is_table_like())?;
    let plain =
        |value: &Value| value.as_str().map_or_else(|| value.to_string().trim().to_owned(), str::to_owned);
    match item {
        Item::Value(Value::Array(values)) => Some(values.iter().map(plain).collect::<Vec<_>>().join(", ")),
        Item::Value(value) => Some(plain(value)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use clap::{CommandFactory, Parser};

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(subcommand)]
        top: Top,
    }

    #[derive(clap::Subcommand)]
    enum Top {
        #[command(subcommand)]
        Config(Command),
    }

    #[test]
    fn each_value_names_who_said_it() {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
        let file =
            "format = 1\npass_hours = 12\nanchors = [\"a.pem\", \"b.pem\"]\n\n[client]\nring = \"test\"\n";
        fs::write(folder.path().join(config::FILE), file).unwrap();
        let document = Document::parse(file).unwrap();
        let table = document.as_table();
        assert_eq!(in_file(table, "pass_hours").as_deref(), Some("12"));
        assert_eq!(in_file(table, "anchors").as_deref(), Some("a.pem, b.pem"));
        assert_eq!(in_file(table, "ring").as_deref(), Some("test"));
        assert_eq!(in_file(table, "client"), None);
        let former = Document::parse("origin = \"http://x/\"").unwrap();
        assert_eq!(in_file(former.as_table(), "origins").as_deref(), Some("http://x/"));

        let state = folder.path().display().to_string();
        let words = ["x", "config", "show", "--state", &state, "--channel", "beta"].map(OsString::from);
        let Top::Config(Command::Show(args)) = Cli::parse_from(words.clone()).top;
        // No origin and no add-ons: a run would refuse that.
        assert_eq!(run(&args, Cli::command(), words.clone(), &Limits::default()).unwrap(), Exit::Usage);
        let lines = said(Cli::command(), words.clone()).unwrap();
        let source = |key: &str| lines.iter().find(|line| line.key == key).unwrap().source.as_str();
        assert_eq!((source("channel"), source("state")), ("command line", "command line"));
        assert_eq!(source("ring"), "nobody", "the file is asked later");

        let whole = format!("{file}\n").replacen(
            "format = 1",
            "format = 1\norigins = [\"http://127.0.0.1:1/\"]\naddons = \"/addons\"",
            1,
        );
        fs::write(folder.path().join(config::FILE), whole).unwrap();
        fs::write(folder.path().join("a.pem"), crate::scene::anchor().to_pem()).unwrap();
        let without_b = run(&args, Cli::command(), words.clone(), &Limits::default()).unwrap();
        assert_eq!(without_b, Exit::Usage, "a run could not read b.pem");
        fs::write(folder.path().join("b.pem"), crate::scene::anchor().to_pem()).unwrap();
        assert_eq!(run(&args, Cli::command(), words.clone(), &Limits::default()).unwrap(), Exit::Yes);

        let slip = words.clone().map(|word| if word == "beta" { "Beta".into() } else { word });
        let Top::Config(Command::Show(args)) = Cli::parse_from(slip.clone()).top;
        let (shown, exit) = report(&args, Cli::command(), slip, &Limits::default()).unwrap();
        assert_eq!(exit, Exit::Yes, "a warning refuses nothing");
        let warning = "Warning: channel: \"Beta\" is not a known channel; did you mean \"beta\"?\n";
        assert!(shown.to_string().ends_with(warning), "{shown}");

        // A file that a run could not read is refused here, too.
        fs::write(folder.path().join(config::FILE), "format = 1\norigni = \"x\"\n").unwrap();
        let failure = run(&args, Cli::command(), words, &Limits::default()).unwrap_err();
        assert!(failure.sentence.contains("did you mean `origin`?"), "{failure}");
    }
}
