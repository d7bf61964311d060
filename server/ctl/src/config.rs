//! Configuration in three types: [`RawConfig`] as the file says it, [`Settings`] merged with where each value came from, and the
//! accessors of [`Settings`] that check a value when a command needs it.
//!
//! Flags over `MULBERRYCTL_*` over `mulberryctl.toml` over defaults. Paths in the file are relative to the file.

use crate::failure::{Failure, FailureKind};
pub use mulberry_host::settings::{Setting, Source};
use mulberry_shared::{nearest::nearest, targeting::KnownWords};
use std::path::{Path, PathBuf};

/// The file that is looked for.
pub const FILE_NAME: &str = "mulberryctl.toml";
/// Where the operators' interface listens unless told otherwise.
pub const DEFAULT_SERVER: &str = "http://127.0.0.1:8081";
/// Where the public repository is served unless told otherwise.
pub const DEFAULT_ORIGIN: &str = "http://127.0.0.1:8080";

/// Bytes a configuration file may have; ours has four lines.
const MAX_BYTES: u64 = 64 << 10;
const KEYS: [&str; 5] = ["server", "origin", "root", "token_file", "channels"];

/// The keys of `mulberryctl.toml`, as written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RawConfig {
    /// URL of the operators' interface.
    pub server: Option<String>,
    /// URL of the public repository.
    pub origin: Option<String>,
    /// The pinned TUF root, relative to the file.
    pub root: Option<String>,
    /// The file with the operator's token, relative to the file.
    pub token_file: Option<String>,
    /// The fleet's update channels.
    pub channels: Option<Vec<String>>,
}

/// What the command line said; `None` where it was silent.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// `--config`
    pub config: Option<PathBuf>,
    /// `--server`
    pub server: Option<String>,
    /// `--origin`
    pub origin: Option<String>,
    /// `--root`
    pub root: Option<PathBuf>,
    /// `--token-file`
    pub token_file: Option<PathBuf>,
}

/// The merged configuration.
#[derive(Clone, Debug)]
pub struct Settings {
    /// URL of the operators' interface.
    pub server: Setting<String>,
    /// URL of the public repository.
    pub origin: Setting<String>,
    /// The pinned TUF root; no default: it decides whom to believe.
    pub root: Option<Setting<PathBuf>>,
    /// The file with the operator's token.
    pub token_file: Option<Setting<PathBuf>>,
    /// The token itself, from `MULBERRYCTL_TOKEN`; never shown.
    pub token: Option<String>,
    /// The fleet's update channels, from the file alone; no default: any name may be one.
    pub channels: Option<Setting<Vec<String>>>,
}

impl Settings {
    /// Merges command line, environment and file.
    ///
    /// # Errors
    /// A named file that cannot be read, or a file with an unknown key or a value of the wrong type.
    pub fn load(flags: &Overrides, env: &dyn Fn(&str) -> Option<String>) -> Result<Self, Failure> {
        let env = |name: &'static str| env(name).filter(|value| !value.is_empty());
        let named = flags.config.clone().or_else(|| env("MULBERRYCTL_CONFIG").map(PathBuf::from));
        let path = match named {
            Some(path) => Some(path),
            None => candidates(&env).into_iter().find(|path| path.is_file()),
        };
        let (raw, path) = match path {
            Some(path) => (read(&path)?, path),
            None => (RawConfig::default(), PathBuf::new()),
        };
        Ok(Self::merge(flags, &env, raw, &path))
    }

    /// Merges command line and environment alone.
    #[must_use]
    pub fn without_file(flags: &Overrides, env: &dyn Fn(&str) -> Option<String>) -> Self {
        let env = |name: &'static str| env(name).filter(|value| !value.is_empty());
        Self::merge(flags, &env, RawConfig::default(), Path::new(""))
    }

    fn merge(
        flags: &Overrides,
        env: &dyn Fn(&'static str) -> Option<String>,
        raw: RawConfig,
        path: &Path,
    ) -> Self {
        let beside = |value: String| path.parent().unwrap_or(Path::new("")).join(value);
        let file = || Source::File(path.to_owned());

        let text = |flag: &Option<String>, name, raw: Option<String>| -> Option<Setting<String>> {
            let flag = flag.clone().map(|value| Setting { value, source: Source::Flag });
            flag.or_else(|| {
                env(name).map(|value| Setting { value, source: Source::Environment(name.to_owned()) })
            })
            .or_else(|| raw.map(|value| Setting { value, source: file() }))
        };
        let place = |flag: &Option<PathBuf>, name, raw: Option<String>| -> Option<Setting<PathBuf>> {
            let flag = flag.clone().map(|value| Setting { value, source: Source::Flag });
            flag.or_else(|| {
                env(name).map(|value| Setting {
                    value: value.into(),
                    source: Source::Environment(name.to_owned()),
                })
            })
            .or_else(|| raw.map(|value| Setting { value: beside(value), source: file() }))
        };
        let default = |value: &str| Setting { value: value.to_owned(), source: Source::Default };
        Self {
            server: text(&flags.server, "MULBERRYCTL_SERVER", raw.server)
                .unwrap_or_else(|| default(DEFAULT_SERVER)),
            origin: text(&flags.origin, "MULBERRYCTL_ORIGIN", raw.origin)
                .unwrap_or_else(|| default(DEFAULT_ORIGIN)),
            root: place(&flags.root, "MULBERRYCTL_ROOT", raw.root),
            token_file: place(&flags.token_file, "MULBERRYCTL_TOKEN_FILE", raw.token_file),
            token: env("MULBERRYCTL_TOKEN"),
            channels: raw.channels.map(|value| Setting { value, source: file() }),
        }
    }

    /// The words of recipes that are this fleet's own.
    #[must_use]
    pub fn known_words(&self) -> KnownWords {
        self.channels
            .as_ref()
            .map_or_else(KnownWords::default, |channels| KnownWords::with_channels(channels.value.clone()))
    }

    /// The pinned root's path.
    ///
    /// # Errors
    /// Nobody named one.
    pub fn root(&self) -> Result<&Path, Failure> {
        self.root.as_ref().map(|root| root.value.as_path()).ok_or_else(|| {
            Failure::usage(
                FailureKind::NoRoot,
                format!(
                    "No trusted root: give --root FILE, or run this in the folder that mulberryctl init made (its {FILE_NAME} \
                     names root.json)."
                ),
            )
        })
    }

    /// The operator's token: a named file first, then `MULBERRYCTL_TOKEN`, then the configured file.
    ///
    /// # Errors
    /// There is none, or the file can be read by others, cannot be read or holds no token.
    pub fn token(&self) -> Result<String, Failure> {
        let file = self.token_file.as_ref();
        let by_flag = file.filter(|file| file.source == Source::Flag);
        match (by_flag, &self.token, file) {
            (Some(file), _, _) | (None, None, Some(file)) => read_token(&file.value),
            (None, Some(token), _) => check_token(token.trim(), "MULBERRYCTL_TOKEN"),
            (None, None, None) => Err(Failure::usage(
                FailureKind::NoToken,
                "No token for the server: give --token-file FILE or MULBERRYCTL_TOKEN. On the server, \
                 `mulberry-server token add NAME --person PERSON --may publish --may gate --may read` makes one.",
            )),
        }
    }
}

/// Parses a configuration file; `path` appears in messages.
///
/// # Errors
/// Not TOML, an unknown key (the nearest known one is named), or a value that is no string.
pub fn parse(path: &Path, text: &str) -> Result<RawConfig, Failure> {
    let fault = |line: usize, what: String| {
        Failure::usage(FailureKind::ConfigInvalid, format!("{}:{line}: {what}", path.display()))
    };
    let line_at = |offset: Option<usize>| {
        let before = text.get(..offset.unwrap_or(0)).unwrap_or("");
        before.matches('\n').count() + 1
    };
    let document = toml_edit::Document::parse(text)
        .map_err(|error| fault(line_at(error.span().map(|span| span.start)), error.message().to_owned()))?;
    let mut raw = RawConfig::default();
    for (key, item) in document.as_table().iter() {
        let span = document.as_table().key(key).and_then(toml_edit::Key::span);
        let line = line_at(span.map(|span| span.start));
        let slot = match key {
            "server" => &mut raw.server,
            "origin" => &mut raw.origin,
            "root" => &mut raw.root,
            "token_file" => &mut raw.token_file,
            "channels" => {
                let words =
                    item.as_array().map(|list| list.iter().map(|word| Some(word.as_str()?.to_owned())));
                let channels: Option<Vec<_>> = words.and_then(Iterator::collect);
                raw.channels = channels.filter(|channels| !channels.is_empty());
                if raw.channels.is_none() {
                    let what = "`channels` must be a list of names: channels = [\"release\", \"beta\"].";
                    return Err(fault(line, what.to_owned()));
                }
                continue;
            }
            unknown => {
                let near =
                    nearest(unknown, &KEYS).map_or(String::new(), |near| format!(" Did you mean `{near}`?"));
                return Err(fault(
                    line,
                    format!("unknown key `{unknown}`.{near} Known keys: {}.", KEYS.join(", ")),
                ));
            }
        };
        let value =
            item.as_str().ok_or_else(|| fault(line, format!("`{key}` must be a string: {key} = \"…\".")))?;
        *slot = Some(value.to_owned());
    }
    Ok(raw)
}

fn read(path: &Path) -> Result<RawConfig, Failure> {
    let fault =
        |what: String| Failure::usage(FailureKind::ConfigUnreadable, format!("{}: {what}", path.display()));
    let bytes = crate::files::read_bounded(path, MAX_BYTES).map_err(|error| fault(error.to_string()))?;
    let text = mulberry_shared::outside::text(&bytes).map_err(|why| fault(why.to_string()))?.to_owned();
    parse(path, &text)
}

fn candidates(env: &dyn Fn(&'static str) -> Option<String>) -> Vec<PathBuf> {
    let mut paths = vec![PathBuf::from(FILE_NAME)];
    let home = env("XDG_CONFIG_HOME").map(PathBuf::from);
    if let Some(folder) = home.or_else(|| env("HOME").map(|home| Path::new(&home).join(".config"))) {
        paths.push(folder.join("mulberry").join(FILE_NAME));
    }
    paths.push(Path::new("/etc/mulberry").join(FILE_NAME));
    paths
}

fn read_token(path: &Path) -> Result<String, Failure> {
    let fault = |what: &str| {
        let remedy = "On the server, `mulberry-server token add NAME --person PERSON --may publish --may gate --may read --out FILE` makes one";
        Failure::usage(
            FailureKind::TokenFile,
            format!("{}: {what}. {remedy}; MULBERRYCTL_TOKEN works too.", path.display()),
        )
    };
    let text = crate::files::read_secret(path, 4096, fault)?;
    check_token(text.trim(), &path.display().to_string())
}

/// A header value: visible ASCII (RFC 6750 section 2.1 allows less). The token itself is never printed.
fn check_token(token: &str, place: &str) -> Result<String, Failure> {
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Failure::usage(
            FailureKind::TokenFile,
            format!(
                "{place}: holds no token: one line of visible ASCII is expected, as `token add` printed it."
            ),
        ));
    }
    Ok(token.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::{Existing, write_private};
    use std::os::unix::fs::PermissionsExt;

    fn none(_: &str) -> Option<String> {
        None
    }

    #[test]
    fn unknown_keys_and_wrong_types_are_errors_with_a_line() {
        let at = Path::new("m.toml");
        let error = parse(at, "server = \"a\"\norigni = \"b\"\n").unwrap_err().sentence;
        assert!(error.starts_with("m.toml:2: unknown key `origni`. Did you mean `origin`?"), "{error}");
        let error = parse(at, "\nserver = 4\n").unwrap_err().sentence;
        assert!(error.starts_with("m.toml:2: `server` must be a string"), "{error}");
        let error = parse(at, "server = \"a\"\nserver = \"b\"\n").unwrap_err().sentence;
        assert!(error.starts_with("m.toml:2: "), "{error}");
        assert!(!parse(at, "zzzzzzzz = 1").unwrap_err().sentence.contains("Did you mean"));
        for bad in ["\"release\"", "[]", "[1]"] {
            let error = parse(at, &format!("\nchannels = {bad}\n")).unwrap_err().sentence;
            assert!(error.starts_with("m.toml:2: `channels` must be a list"), "{error}");
        }
        let raw = parse(at, "channels = [\"stable\", \"edge\"]").unwrap();
        assert_eq!(raw.channels, Some(vec!["stable".to_owned(), "edge".to_owned()]));
    }

    #[test]
    fn flags_win_over_environment_over_file_over_default() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.toml");
        std::fs::write(&path, "server = \"file\"\norigin = \"file\"\nroot = \"root.json\"\n").unwrap();
        let env = |name: &str| {
            (name == "MULBERRYCTL_SERVER" || name == "MULBERRYCTL_ORIGIN").then(|| "env".to_owned())
        };
        let flags =
            Overrides { config: Some(path.clone()), server: Some("flag".into()), ..Overrides::default() };
        let settings = Settings::load(&flags, &env).unwrap();
        assert_eq!((settings.server.value.as_str(), &settings.server.source), ("flag", &Source::Flag));
        assert_eq!(
            (settings.origin.value.as_str(), settings.origin.source.to_string().as_str()),
            ("env", "MULBERRYCTL_ORIGIN")
        );
        assert_eq!(settings.root().unwrap(), folder.path().join("root.json"));
        assert_eq!(settings.root.unwrap().source, Source::File(path));

        let missing = Overrides { config: Some("/nonexistent/m.toml".into()), ..Overrides::default() };
        assert_eq!(Settings::load(&missing, &none).unwrap_err().kind, "config-unreadable");
    }

    #[test]
    fn a_token_file_named_on_the_command_line_beats_the_environment() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        write_private(&path, b"from-file\n", Existing::Refuse).unwrap();
        let env = |name: &str| (name == "MULBERRYCTL_TOKEN").then(|| "from-env".to_owned());
        let mut settings =
            Settings::load(&Overrides { token_file: Some(path.clone()), ..Overrides::default() }, &env)
                .unwrap();
        assert_eq!(settings.token().unwrap(), "from-file");
        settings.token_file = Some(Setting { value: path.clone(), source: Source::Default });
        assert_eq!(settings.token().unwrap(), "from-env");
        std::fs::write(&path, "a\nb").unwrap();
        settings.token = None;
        let error = settings.token().unwrap_err();
        assert_eq!(error.kind, "token-file");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        let error = settings.token().unwrap_err();
        assert!(error.kind == "key-permissions" && error.sentence.contains("chmod 600"), "{error}");
        settings.token_file = None;
        assert_eq!(settings.token().unwrap_err().kind, "no-token");
    }
}
