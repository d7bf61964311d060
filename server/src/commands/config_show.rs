//! `config show`: each option of `run` and where its value came from.

use std::ffi::OsString;

use clap::CommandFactory as _;
use mulberry_host::settings::{self, Said};
use mulberry_host::table::{self, Width};
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
        let rows =
            lines.into_iter().map(|line| [line.key, line.value.unwrap_or_else(|| "-".into()), line.source]);
        format!("{}\n", table::plain(["KEY", "VALUE", "SAID BY"], rows, Width::Content))
    };
    answer(&text)
}

fn lines(words: impl IntoIterator<Item = OsString>) -> Result<Vec<Line>, CommandError> {
    let all =
        settings::said(Cli::command(), words).map_err(|error| CommandError::usage(error.to_string()))?;
    let line = |Said { long, setting, .. }| {
        let long: String = long?;
        Some(Line { key: long.replace('-', "_"), value: setting.value, source: setting.source.to_string() })
    };
    Ok(all.into_iter().filter_map(line).collect())
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
