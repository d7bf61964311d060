//! `mulberryctl config show`: each value and where it came from.

use crate::{
    config::{Setting, Source},
    context::CommandContext,
    failure::Failure,
    output,
};
use clap::Subcommand;
use mulberry_shared::exit::Exit;
use serde_json::json;
use std::path::PathBuf;

/// `config …`
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Show each value and where it came from; the token stays hidden
    #[command(after_help = "Example:\n  mulberryctl config show")]
    Show,
}

impl ConfigCommand {
    /// Runs it.
    ///
    /// # Errors
    /// The configuration cannot be read.
    pub fn run(&self, context: &CommandContext) -> Result<Exit, Failure> {
        match self {
            Self::Show => show(context),
        }
    }
}

/// Prints the merged configuration; of the token only whether there is one.
fn show(context: &CommandContext) -> Result<Exit, Failure> {
    let settings = context.settings()?;
    fn said<T>(setting: Option<&Setting<T>>, shown: impl Fn(&T) -> String) -> (Option<String>, Source) {
        match setting {
            Some(Setting { value, source }) => (Some(shown(value)), source.clone()),
            None => (None, Source::Nobody),
        }
    }
    let path = |path: &PathBuf| path.display().to_string();
    let token = match &settings.token {
        Some(_) => (Some("(hidden)".to_owned()), Source::Environment("MULBERRYCTL_TOKEN".to_owned())),
        None => (None, Source::Nobody),
    };
    let values = [
        ("server", said(Some(&settings.server), String::clone)),
        ("origin", said(Some(&settings.origin), String::clone)),
        ("root", said(settings.root.as_ref(), path)),
        ("token_file", said(settings.token_file.as_ref(), path)),
        ("token", token),
        ("channels", said(settings.channels.as_ref(), |names| names.join(", "))),
    ]
    .map(|(key, (value, source))| (key, value, source.to_string()));
    context.format.print(
        || {
            let rows = values.iter().map(|(key, value, source)| {
                [(*key).to_owned(), value.clone().unwrap_or_else(|| "-".to_owned()), source.clone()]
            });
            output::table(["KEY", "VALUE", "SAID BY"], rows)
        },
        || {
            let entries = values
                .iter()
                .map(|(key, value, source)| ((*key).to_owned(), json!({"value": value, "source": source})));
            serde_json::Value::Object(entries.collect())
        },
    )?;
    Ok(Exit::Yes)
}
