//! Settings and who said them: a flag wins over the environment, which wins over a file, which wins over a default.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::parser::ValueSource;

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A command line option.
    Flag,
    /// An environment variable, or several of which one speaks.
    Environment(String),
    /// A configuration file.
    File(PathBuf),
    /// The program's own.
    Default,
    /// Nobody said anything: there is no value.
    Nobody,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag => f.write_str("command line"),
            Self::Environment(name) => f.write_str(name),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Default => f.write_str("default"),
            Self::Nobody => f.write_str("nobody"),
        }
    }
}

/// A merged value and its source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting<T> {
    /// The value.
    pub value: T,
    /// Who said so.
    pub source: Source,
}

/// What the command line and the environment say of one option that takes a value; several values with commas between them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// The option's name in the program.
    pub id: String,
    /// The option's name on the command line.
    pub long: Option<String>,
    /// The value, and its source.
    pub setting: Setting<Option<String>>,
}

/// Every option of `config show`, with what was typed in `words`. Clap knows which value came from where, so an option that is
/// added is shown without a line anywhere.
///
/// # Errors
/// The words are no `config show` of this program.
pub fn said(
    mut cli: clap::Command,
    words: impl IntoIterator<Item = OsString>,
) -> Result<Vec<Said>, clap::Error> {
    cli.build();
    let no = cli.clone().error(ErrorKind::InvalidSubcommand, "not a `config show`");
    let show = cli.find_subcommand("config").and_then(|config| config.find_subcommand("show")).cloned();
    let matches = cli.try_get_matches_from(words)?;
    let matches = matches.subcommand_matches("config").and_then(|config| config.subcommand_matches("show"));
    let (Some(show), Some(matches)) = (show, matches) else { return Err(no) };
    let options = show.get_arguments().filter(|option| option.get_action().takes_values());
    let said = options.map(|option| {
        let id = option.get_id().as_str();
        let source = match (matches.value_source(id), option.get_env()) {
            (Some(ValueSource::CommandLine), _) => Source::Flag,
            (Some(ValueSource::EnvVariable), Some(name)) => {
                Source::Environment(name.to_string_lossy().into_owned())
            }
            (Some(_), _) => Source::Default,
            (None, _) => Source::Nobody,
        };
        let value = matches.get_raw(id).map(|values| {
            values.map(|value| value.to_string_lossy().into_owned()).collect::<Vec<_>>().join(", ")
        });
        let setting = Setting { value, source };
        Said { id: id.to_owned(), long: option.get_long().map(str::to_owned), setting }
    });
    Ok(said.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{Arg, ArgAction, Command};

    fn cli() -> Command {
        let show = Command::new("show").args([
            Arg::new("address").long("listen-at").action(ArgAction::Append),
            Arg::new("level").long("level").default_value("info"),
            Arg::new("ring").long("ring"),
            Arg::new("json").long("json").action(ArgAction::SetTrue),
        ]);
        Command::new("x").subcommand(Command::new("config").subcommand(show)).subcommand(Command::new("run"))
    }

    #[test]
    fn each_option_with_a_value_says_who_gave_it() {
        let words = ["x", "config", "show", "--listen-at", "a", "--listen-at", "b", "--json"];
        let all = said(cli(), words.map(OsString::from)).unwrap();
        let found: Vec<_> = all
            .iter()
            .map(|one| (one.id.as_str(), one.setting.value.as_deref(), one.setting.source.to_string()))
            .collect();
        assert_eq!(
            found,
            [
                ("address", Some("a, b"), "command line".to_owned()),
                ("level", Some("info"), "default".to_owned()),
                ("ring", None, "nobody".to_owned()),
            ]
        );
        assert_eq!(all[0].long.as_deref(), Some("listen-at"));
        assert!(said(cli(), ["x", "run"].map(OsString::from)).is_err());
    }
}
