//! `config show`: each option of `run` and where its value came from.

use std::ffi::OsString;

use clap::parser::ValueSource;
use clap::{Command, CommandFactory as _};
use serde_json::{Map, Value, json};

use super::{CommandError, answer};
use crate::config::Cli;

/// One option.
#[derive(Debug, PartialEq, Eq)]
struct Line {
    key: String,
    value: Option<String>,
    source: String,
}

/// Prints every option that `run` would have with these words and this environment. None of them is a secret: keys and tokens
/// are files.
///
/// # Errors
/// [`CommandError`] for words that are no `config show`, and when standard output takes no more.
pub fn config_show(words: impl IntoIterator<Item = OsString>, json: bool) -> Result<(), CommandError> {
    let lines = lines(words)?;
    let text = if json {
        let entry = |line: Line| (line.key, json!({"value": line.value, "source": line.source}));
        format!("{}\n", Value::Object(lines.into_iter().map(entry).collect::<Map<_, _>>()))
    } else {
        let shown = |line: &Line| line.value.clone().unwrap_or_else(|| "-".into());
        let key_width = lines.iter().map(|line| line.key.len()).max().unwrap_or(0);
        let value_width = lines.iter().map(|line| shown(line).len()).max().unwrap_or(0);
        let row = |key: &str, value: &str, source: &str| {
            format!("{key:key_width$}  {value:value_width$}  {source}\n")
        };
        let rows = lines.iter().map(|line| row(&line.key, &shown(line), &line.source));
        std::iter::once(row("KEY", "VALUE", "SAID BY")).chain(rows).collect()
    };
    answer(&text)
}

/// Clap knows where each value came from, so an option that is added is shown without a line here.
fn lines(words: impl IntoIterator<Item = OsString>) -> Result<Vec<Line>, CommandError> {
    let mut cli = Cli::command();
    cli.build();
    let no = || CommandError::usage("not a `config show`");
    let show = |command: &Command| command.find_subcommand("config")?.find_subcommand("show").cloned();
    let options = show(&cli).ok_or_else(no)?;
    let matches = cli.try_get_matches_from(words).map_err(|error| CommandError::usage(error.to_string()))?;
    let matches = matches
        .subcommand_matches("config")
        .and_then(|config| config.subcommand_matches("show"))
        .ok_or_else(no)?;
    let mut lines = Vec::new();
    for option in options.get_arguments() {
        let (Some(long), true) = (option.get_long(), option.get_action().takes_values()) else { continue };
        let id = option.get_id().as_str();
        let values = matches.get_raw(id).map(|values| {
            values.map(|value| value.to_string_lossy().into_owned()).collect::<Vec<_>>().join(", ")
        });
        let source = match (matches.value_source(id), option.get_env()) {
            (Some(ValueSource::CommandLine), _) => "command line".to_owned(),
            (Some(ValueSource::EnvVariable), Some(name)) => name.to_string_lossy().into_owned(),
            (Some(_), _) => "default".to_owned(),
            (None, _) => "nobody".to_owned(),
        };
        lines.push(Line { key: long.replace('-', "_"), value: values, source });
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_of_run_is_there_with_its_source() {
        let words = ["mulberry-server", "config", "show", "--listen", "127.0.0.1:1", "--log-level", "warn"];
        let lines = lines(words.map(OsString::from)).unwrap();
        let line = |key: &str| lines.iter().find(|line| line.key == key).unwrap();
        assert_eq!(line("listen").source, "command line");
        assert_eq!(line("listen").value.as_deref(), Some("127.0.0.1:1"));
        assert_eq!(line("log_level").source, "command line");
        assert_eq!(line("max_connections").value.as_deref(), Some("800"));
        assert_eq!(line("operators_tls_key").source, "nobody");
        let cli = Cli::command();
        for option in cli.find_subcommand("run").unwrap().get_arguments() {
            if let Some(long) = option.get_long().filter(|long| *long != "help") {
                line(&long.replace('-', "_"));
            }
        }
    }
}
