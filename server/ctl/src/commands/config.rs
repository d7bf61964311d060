//! `mulberryctl config show`: each value and where it came from.

use crate::{config::Setting, context::CommandContext, failure::Failure, output};
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
    let path = |setting: &Option<Setting<PathBuf>>| match setting {
        Some(setting) => (Some(setting.value.display().to_string()), setting.source.to_string()),
        None => (None, "nobody".to_owned()),
    };
    let token = settings.token.as_ref().map(|_| "(hidden)".to_owned());
    let token_source = if token.is_some() { "MULBERRYCTL_TOKEN" } else { "nobody" };
    let channels = match &settings.channels {
        Some(setting) => (Some(setting.value.join(", ")), setting.source.to_string()),
        None => (None, "nobody".to_owned()),
    };
    let values = [
        ("server", (Some(settings.server.value.clone()), settings.server.source.to_string())),
        ("origin", (Some(settings.origin.value.clone()), settings.origin.source.to_string())),
        ("root", path(&settings.root)),
        ("token_file", path(&settings.token_file)),
        ("token", (token, token_source.to_owned())),
        ("channels", channels),
    ];
    context.format.print(
        || {
            let rows = values.iter().map(|(key, (value, source))| {
                [(*key).to_owned(), value.clone().unwrap_or_else(|| "-".to_owned()), source.clone()]
            });
            output::table(["KEY", "VALUE", "SAID BY"], rows)
        },
        || {
            let entries = values
                .iter()
                .map(|(key, (value, source))| ((*key).to_owned(), json!({"value": value, "source": source})));
            serde_json::Value::Object(entries.collect())
        },
    )?;
    Ok(Exit::Yes)
}
