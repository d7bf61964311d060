//! `mulberryctl config show`: each value and where it came from.

use crate::{
    config::Settings,
    failure::Failure,
    output::{self, Format},
};
use mulberry_shared::exit::Exit;
use serde_json::json;

/// Prints the merged configuration; of the token only whether there is one.
///
/// # Errors
/// None at present.
pub fn run(settings: &Settings, format: Format) -> Result<Exit, Failure> {
    let path = |setting: &Option<crate::config::Setting<std::path::PathBuf>>| match setting {
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
    format.print(
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
