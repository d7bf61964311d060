//! `agent.toml`: read strictly, and written by `init`.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use mulberry_shared::nearest::nearest;
use toml_edit::{Document, Item, TableLike, Value};

use super::{Layer, Permission, TlsDates};

const FORMAT: i64 = 1;
const TOP: &[&str] = &[
    "format",
    "origin",
    "origins",
    "tls",
    "extra_roots",
    "addons",
    "anchors",
    "policy",
    "signature",
    "hook",
    "pass_hours",
    "poll_minutes",
    "client",
    "consent",
];
const CLIENT: &[&str] = &["version", "channel", "os", "arch", "locale", "country", "distribution", "ring"];
const CONSENT: &[&str] = &["updates", "messages", "studies"];

/// One thing that is wrong in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileProblem {
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong and what to do.
    pub sentence: String,
}

/// Everything that is wrong in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileProblems {
    /// The file.
    pub file: PathBuf,
    /// The problems, in the order of their lines.
    pub problems: Vec<FileProblem>,
}

impl std::error::Error for FileProblems {}

impl fmt::Display for FileProblems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            let gap = if index == 0 { "" } else { "\n" };
            write!(f, "{gap}{}:{}: {}", self.file.display(), problem.line, problem.sentence)?;
        }
        Ok(())
    }
}

/// Reads the settings of a file with this text.
///
/// # Errors
/// Every unknown key (with the nearest known one) and every wrong type or value, each with its line.
pub fn read_file(file: &Path, text: &str) -> Result<Layer, FileProblems> {
    let mut reader = Reader { text, problems: Vec::new() };
    let mut layer = Layer::default();
    match Document::parse(text) {
        Err(error) => reader.problem(error.span(), error.message().trim().to_owned()),
        Ok(document) => reader.top(document.as_table(), &mut layer),
    }
    if reader.problems.is_empty() {
        return Ok(layer);
    }
    reader.problems.sort_by_key(|problem| problem.line);
    Err(FileProblems { file: file.to_path_buf(), problems: reader.problems })
}

/// The text of a file with these settings, with a comment on what they are.
#[must_use]
pub fn write_file(layer: &Layer) -> String {
    let mut text = format!(
        "# Settings of mulberry-agent. Flags and MULBERRY_AGENT_* variables win over this file.\n\
         # Relative paths start at this file's folder. `_hours` and `_minutes` say the unit of a time.\n\
         format = {FORMAT}\n"
    );
    let quoted = |value: &str| Value::from(value).to_string();
    let path = |value: &PathBuf| value.to_string_lossy().into_owned();
    let mut put = |key: &str, value: Option<String>| {
        if let Some(value) = value {
            text.push_str(&format!("{key} = {}\n", value.trim()));
        }
    };
    let list = |values: Vec<String>| (!values.is_empty()).then(|| format!("[{}]", values.join(", ")));
    put("origins", list(layer.origins.iter().map(|value| quoted(value)).collect()));
    put("tls", layer.tls.map(|dates| quoted(dates.as_str())));
    put("extra_roots", list(layer.extra_roots.iter().map(|value| quoted(&path(value))).collect()));
    put("addons", layer.addons.as_ref().map(|value| quoted(&path(value))));
    put("anchors", list(layer.anchors.iter().map(|value| quoted(&path(value))).collect()));
    put("policy", layer.policy.as_deref().map(quoted));
    put("signature", layer.signature.as_deref().map(quoted));
    put("hook", layer.hook.as_ref().map(|value| quoted(&path(value))));
    put("pass_hours", layer.pass_hours.map(|hours| hours.to_string()));
    put("poll_minutes", layer.poll_minutes.map(|minutes| minutes.to_string()));
    let client = [&layer.version, &layer.channel, &layer.os, &layer.arch, &layer.locale, &layer.country];
    let client = client.into_iter().chain([&layer.distribution, &layer.ring]);
    section(
        &mut text,
        "client",
        CLIENT.iter().copied().zip(client.map(|value| value.as_deref().map(quoted))),
    );
    let consent =
        [layer.updates, layer.messages, layer.studies].map(|value| value.map(|v| quoted(v.as_str())));
    section(&mut text, "consent", CONSENT.iter().copied().zip(consent));
    text
}

fn section<'a>(text: &mut String, name: &str, pairs: impl Iterator<Item = (&'a str, Option<String>)>) {
    let lines: String =
        pairs.filter_map(|(key, value)| value.map(|value| format!("{key} = {}\n", value.trim()))).collect();
    if !lines.is_empty() {
        text.push_str(&format!("\n[{name}]\n{lines}"));
    }
}

struct Reader<'a> {
    text: &'a str,
    problems: Vec<FileProblem>,
}

impl Reader<'_> {
    fn top(&mut self, table: &dyn TableLike, layer: &mut Layer) {
        if !table.contains_key("format") {
            self.problem(
                Some(0..0),
                format!("the key `format` is missing; the first line should be: format = {FORMAT}"),
            );
        }
        for (key, item) in table.iter() {
            match key {
                "format" => self.format(item),
                // The key of one origin, from before there could be several.
                "origin" if table.contains_key("origins") => {
                    self.problem(item.span(), "say `origins` or `origin`, not both".into());
                }
                "origin" => layer.origins.extend(self.string(key, item)),
                "origins" => layer.origins = self.strings(key, item, "a list of addresses in quotes"),
                "tls" => layer.tls = self.tls(item),
                "extra_roots" => layer.extra_roots = self.paths(key, item),
                "addons" => layer.addons = self.string(key, item).map(PathBuf::from),
                "anchors" => layer.anchors = self.paths(key, item),
                "policy" => layer.policy = self.string(key, item),
                "signature" => layer.signature = self.string(key, item),
                "hook" => layer.hook = self.string(key, item).map(PathBuf::from),
                "pass_hours" => layer.pass_hours = self.integer(key, item),
                "poll_minutes" => layer.poll_minutes = self.integer(key, item),
                "client" => self.client(item, layer),
                "consent" => self.consent(item, layer),
                unknown => self.unknown(unknown, table, TOP, ""),
            }
        }
    }

    fn client(&mut self, item: &Item, layer: &mut Layer) {
        let Some(table) = item.as_table_like() else { return self.wrong("client", item, "a table") };
        for (key, item) in table.iter() {
            let slot = match key {
                "version" => &mut layer.version,
                "channel" => &mut layer.channel,
                "os" => &mut layer.os,
                "arch" => &mut layer.arch,
                "locale" => &mut layer.locale,
                "country" => &mut layer.country,
                "distribution" => &mut layer.distribution,
                "ring" => &mut layer.ring,
                unknown => {
                    self.unknown(unknown, table, CLIENT, " in [client]");
                    continue;
                }
            };
            *slot = self.string(key, item);
        }
    }

    fn consent(&mut self, item: &Item, layer: &mut Layer) {
        let Some(table) = item.as_table_like() else { return self.wrong("consent", item, "a table") };
        for (key, item) in table.iter() {
            let slot = match key {
                "updates" => &mut layer.updates,
                "messages" => &mut layer.messages,
                "studies" => &mut layer.studies,
                unknown => {
                    self.unknown(unknown, table, CONSENT, " in [consent]");
                    continue;
                }
            };
            *slot = match item.as_str() {
                Some("allow") => Some(Permission::Allow),
                Some("refuse") => Some(Permission::Refuse),
                _ => {
                    self.wrong(key, item, "\"allow\" or \"refuse\"");
                    None
                }
            };
        }
    }

    fn format(&mut self, item: &Item) {
        match item.as_integer() {
            Some(FORMAT) => {}
            Some(newer) if newer > FORMAT => self.problem(
                item.span(),
                format!(
                    "format {newer} is newer than this agent knows ({FORMAT}); use the agent that wrote it"
                ),
            ),
            _ => self.wrong("format", item, "the number 1"),
        }
    }

    fn string(&mut self, key: &str, item: &Item) -> Option<String> {
        let value = item.as_str().map(str::to_owned);
        if value.is_none() {
            self.wrong(key, item, "text in quotes");
        }
        value
    }

    fn integer(&mut self, key: &str, item: &Item) -> Option<i64> {
        let value = item.as_integer();
        if value.is_none() {
            self.wrong(key, item, "a whole number");
        }
        value
    }

    fn paths(&mut self, key: &str, item: &Item) -> Vec<PathBuf> {
        let strings = self.strings(key, item, "a list of paths in quotes");
        strings.into_iter().map(PathBuf::from).collect()
    }

    fn strings(&mut self, key: &str, item: &Item, wanted: &str) -> Vec<String> {
        let array = item.as_array();
        let strings: Option<Vec<String>> =
            array.and_then(|array| array.iter().map(|value| value.as_str().map(str::to_owned)).collect());
        strings.unwrap_or_else(|| {
            self.wrong(key, item, wanted);
            Vec::new()
        })
    }

    fn tls(&mut self, item: &Item) -> Option<TlsDates> {
        match item.as_str() {
            Some("any-date") => Some(TlsDates::AnyDate),
            Some("verify") => Some(TlsDates::Verify),
            _ => {
                self.wrong("tls", item, "\"any-date\" or \"verify\"");
                None
            }
        }
    }

    fn wrong(&mut self, key: &str, item: &Item, wanted: &str) {
        self.problem(item.span(), format!("`{key}` must be {wanted}"));
    }

    fn unknown(&mut self, key: &str, table: &dyn TableLike, known: &[&str], place: &str) {
        let span = table.get_key_value(key).and_then(|(key, _)| key.span());
        let remedy = match nearest(key, known) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("known keys are: {}", known.join(", ")),
        };
        self.problem(span, format!("unknown key `{key}`{place}; {remedy}"));
    }

    fn problem(&mut self, span: Option<Range<usize>>, sentence: String) {
        let start = span.map_or(0, |span| span.start);
        let before = self.text.as_bytes().iter().take(start);
        let line = before.filter(|byte| **byte == b'\n').count().saturating_add(1);
        self.problems.push(FileProblem { line, sentence });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str) -> Vec<String> {
        let error = read_file(Path::new("agent.toml"), text).unwrap_err();
        error.to_string().lines().map(str::to_owned).collect()
    }

    #[test]
    fn what_init_writes_is_read_back() {
        let layer = Layer {
            origins: vec!["http://x/".into(), "file:///srv/mirror/".into()],
            tls: Some(TlsDates::Verify),
            extra_roots: vec!["/etc/proxy.pem".into()],
            addons: Some("/a \"b\"\\c".into()),
            anchors: vec!["anchors/1.pem".into(), "anchors/2.pem".into()],
            policy: Some("strict".into()),
            signature: Some("cose".into()),
            hook: Some("/hook".into()),
            pass_hours: Some(12),
            poll_minutes: Some(5),
            version: Some("66.0".into()),
            channel: Some("release".into()),
            ring: Some("it's".into()),
            studies: Some(Permission::Allow),
            ..Layer::default()
        };
        let text = write_file(&layer);
        assert_eq!(read_file(Path::new("agent.toml"), &text).unwrap(), layer, "{text}");
    }

    #[test]
    fn one_origin_under_its_former_key_is_read_and_not_beside_the_list() {
        let read = |text: &str| read_file(Path::new("agent.toml"), text);
        let one = read("format = 1\norigin = \"http://x/\"\n").unwrap();
        assert_eq!(one, read("format = 1\norigins = [\"http://x/\"]\n").unwrap());
        let both = problems("format = 1\norigins = [\"http://x/\"]\norigin = \"http://y/\"\n");
        assert_eq!(both, ["agent.toml:3: say `origins` or `origin`, not both"]);
        assert!(problems("format = 1\ntls = \"off\"\n")[0].contains("\"any-date\" or \"verify\""));
    }

    #[test]
    fn unknown_keys_name_the_nearest_known_one_and_their_line() {
        assert_eq!(
            problems("format = 1\norigni = \"http://x/\"\n[client]\nchanel = \"beta\"\nzzz = 1\n"),
            [
                "agent.toml:2: unknown key `origni`; did you mean `origin`?",
                "agent.toml:4: unknown key `chanel` in [client]; did you mean `channel`?",
                "agent.toml:5: unknown key `zzz` in [client]; known keys are: version, channel, os, arch, locale, \
                 country, distribution, ring",
            ]
        );
    }

    #[test]
    fn wrong_types_and_values_are_all_told() {
        let found = problems("pass_hours = \"1\"\nanchors = [1]\nclient = 3\n[consent]\nstudies = true\n");
        assert_eq!(found.len(), 5, "{found:?}");
        assert!(found[0].contains("format"), "{found:?}");
        assert!(found[4].contains("\"allow\" or \"refuse\""), "{found:?}");
        assert!(problems("format = 2\n")[0].contains("newer"));
        assert!(problems("format = \n")[0].starts_with("agent.toml:1:"));
    }
}
