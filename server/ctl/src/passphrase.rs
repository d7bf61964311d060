//! Where passphrases come from: files, the environment, a prompt on the terminal.

use crate::{
    failure::{Failure, FailureKind},
    files,
};
use nix::sys::signal::{SigSet, SigmaskHow, Signal};
use std::{
    io::{self, IsTerminal},
    path::Path,
};
use zeroize::Zeroizing;

/// The environment variable that holds a passphrase.
pub const ENV: &str = "MULBERRYCTL_PASSPHRASE";

/// Bytes a passphrase file may have; scrypt takes any length, nobody types a kilobyte.
const MAX_BYTES: u64 = 1024;

/// How often a person may type the passphrase of one key.
const TRIES: usize = 3;

/// Whether a person may be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prompt {
    /// Ask on the terminal.
    Terminal,
    /// Unattended: only what was given counts.
    Never,
}

impl Prompt {
    /// Asks only where a person sits: standard input is a terminal.
    #[must_use]
    pub fn detect() -> Self {
        if std::io::stdin().is_terminal() { Self::Terminal } else { Self::Never }
    }
}

/// The passphrases known so far. One given or typed for a key is tried on the next keys too.
pub struct Passphrases {
    known: Vec<Zeroizing<String>>,
    prompt: Prompt,
}

impl Passphrases {
    /// Passphrases from files (first line each), then from the environment's value.
    ///
    /// # Errors
    /// As [`read_private`], for any of the files.
    pub fn gather(files: &[impl AsRef<Path>], env: Option<String>, prompt: Prompt) -> Result<Self, Failure> {
        let mut known = Vec::new();
        for file in files {
            known.push(read_private(file.as_ref(), "passphrase")?);
        }
        if let Some(value) = env.filter(|value| !value.is_empty()) {
            known.push(Zeroizing::new(value));
        }
        Ok(Self { known, prompt })
    }

    /// The passphrases to try before asking.
    #[must_use]
    pub fn known(&self) -> &[Zeroizing<String>] {
        &self.known
    }

    /// Asks for `what`, the passphrase or PIN of an existing key; `None` when nobody can be asked.
    ///
    /// # Errors
    /// The terminal cannot be read.
    pub fn ask(&self, what: &str) -> Result<Option<Zeroizing<String>>, Failure> {
        if self.prompt == Prompt::Never {
            return Ok(None);
        }
        prompt(&format!("{what}: ")).map(Some)
    }

    /// Whether a person can be asked.
    #[must_use]
    pub fn can_ask(&self) -> bool {
        self.prompt == Prompt::Terminal
    }

    /// Asks for the passphrase of an existing key until `open` takes it, three times at most, and keeps it for the next keys;
    /// `None` when it never did, or nobody can be asked.
    ///
    /// # Errors
    /// The terminal cannot be read.
    pub fn ask_until<T>(
        &mut self,
        what: &str,
        open: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, Failure> {
        let opened = until(|| self.ask(&format!("Passphrase of {what}")), open)?;
        Ok(opened.map(|(passphrase, opened)| {
            self.remember(passphrase);
            opened
        }))
    }

    /// Keeps a passphrase that opened a key, for the next keys.
    pub fn remember(&mut self, passphrase: Zeroizing<String>) {
        if !self.known.contains(&passphrase) {
            self.known.push(passphrase);
        }
    }

    /// The passphrase that will protect the new keys of the person at `index` of `people`: the one given for all, the one at
    /// that place of several, or one typed twice.
    ///
    /// # Errors
    /// None is given and nobody can be asked; the number given fits neither one for all nor one for each.
    pub fn for_new_keys(
        &self,
        index: usize,
        people: usize,
        person: &str,
    ) -> Result<Zeroizing<String>, Failure> {
        match self.known.as_slice() {
            [] => {}
            [one] => return Ok(one.clone()),
            several if several.len() == people => {
                return several.get(index).cloned().ok_or_else(|| wrong_count(several.len(), people));
            }
            several => return Err(wrong_count(several.len(), people)),
        }
        if self.prompt == Prompt::Never {
            return Err(Failure::usage(
                FailureKind::NoPassphraseSource,
                format!(
                    "The keys of people are encrypted and no passphrase was given. Use --passphrase-file FILE (once for \
                     all, or once for each person), {ENV}, a terminal, or --no-passphrase for a rehearsal."
                ),
            ));
        }
        loop {
            let first = prompt(&format!("New passphrase for the keys of {person}: "))?;
            if first.is_empty() {
                eprintln!(
                    "An empty passphrase protects nothing. Again, or stop with Ctrl-C and use --no-passphrase."
                );
                continue;
            }
            if first == prompt(&format!("The same again, for {person}: "))? {
                return Ok(first);
            }
            eprintln!("The two differ. Again.");
        }
    }
}

fn until<T>(
    mut ask: impl FnMut() -> Result<Option<Zeroizing<String>>, Failure>,
    open: impl Fn(&str) -> Option<T>,
) -> Result<Option<(Zeroizing<String>, T)>, Failure> {
    for left in (0..TRIES).rev() {
        let Some(typed) = ask()? else { break };
        if let Some(opened) = open(&typed) {
            return Ok(Some((typed, opened)));
        }
        if left > 0 {
            eprintln!("That does not open it. Again, or stop with Ctrl-C.");
        }
    }
    Ok(None)
}

fn wrong_count(given: usize, people: usize) -> Failure {
    Failure::usage(
        FailureKind::PassphraseCount,
        format!(
            "{given} passphrases for {people} people: give one for all, or one for each in the same order."
        ),
    )
}

fn prompt(text: &str) -> Result<Zeroizing<String>, Failure> {
    let unread = |error: io::Error| {
        Failure::usage(
            FailureKind::NoPassphraseSource,
            format!("The terminal could not be read ({error}). Use --passphrase-file FILE or {ENV}."),
        )
    };
    // At Ctrl-C the library raises SIGINT while the terminal does not echo. Held back, the signal ends this process where it
    // is let in again, with the terminal as it was.
    let before = SigSet::from(Signal::SIGINT)
        .thread_swap_mask(SigmaskHow::SIG_BLOCK)
        .map_err(|error| unread(error.into()))?;
    let typed = rpassword::prompt_password(text).map(Zeroizing::new);
    before.thread_set_mask().map_err(|error| unread(error.into()))?;
    typed.map_err(unread)
}

/// The first line of a file that only its owner may read: a `secret`, such as a passphrase.
///
/// # Errors
/// Others may use it, too; or it cannot be read, is empty, too long or not UTF-8.
pub fn read_private(path: &Path, secret: &str) -> Result<Zeroizing<String>, Failure> {
    let fault = |what: &str| {
        Failure::usage(
            FailureKind::PassphraseFile,
            format!("{}: {what}. A {secret} file holds the {secret} on its first line.", path.display()),
        )
    };
    let text = files::read_secret(path, MAX_BYTES, fault)?;
    match text.lines().next() {
        None | Some("") => Err(fault("is empty")),
        Some(line) => Ok(Zeroizing::new(line.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn private(path: &Path, content: &str) {
        std::fs::write(path, content).unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }

    #[test]
    fn a_secret_that_others_may_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p");
        private(&path, "secret\n");
        assert_eq!(read_private(&path, "PIN").unwrap().as_str(), "secret");
        for mode in [0o640, 0o604, 0o620] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            let failure = read_private(&path, "PIN").unwrap_err();
            assert_eq!(failure.kind, "key-permissions", "{mode:o}");
            assert!(
                failure.sentence.contains("chmod 600") && !failure.sentence.contains("secret\n"),
                "{failure}"
            );
        }
        std::fs::remove_file(&path).unwrap();
        let failure = read_private(&path, "PIN").unwrap_err();
        assert!(failure.sentence.ends_with("A PIN file holds the PIN on its first line."), "{failure}");
    }

    #[test]
    fn one_passphrase_serves_all_and_several_go_by_place() {
        let all = Passphrases::gather(&[] as &[&Path], Some("x".into()), Prompt::Never).unwrap();
        assert_eq!(all.for_new_keys(2, 3, "c").unwrap().as_str(), "x");

        let folder = tempfile::tempdir().unwrap();
        let files = ["a", "b"].map(|name| {
            let path = folder.path().join(name);
            private(&path, &format!("{name}!\nsecond line\n"));
            path
        });
        let each = Passphrases::gather(&files, None, Prompt::Never).unwrap();
        assert_eq!(each.for_new_keys(1, 2, "b").unwrap().as_str(), "b!");
        assert_eq!(each.for_new_keys(0, 3, "a").unwrap_err().kind, "passphrase-count");
    }

    #[test]
    fn a_slip_of_the_finger_is_asked_again_but_not_for_ever() {
        let typed = |words: &[&str]| {
            let mut words = words.iter();
            let mut asked = 0;
            let opened = until(
                || {
                    asked += 1;
                    Ok(words.next().map(|word| Zeroizing::new((*word).to_owned())))
                },
                |passphrase| (passphrase == "right").then_some(()),
            );
            (opened.unwrap().map(|(passphrase, ())| passphrase.to_string()), asked)
        };
        assert_eq!(typed(&["right"]), (Some("right".into()), 1));
        assert_eq!(typed(&["wrnog", "rihgt", "right"]), (Some("right".into()), 3));
        assert_eq!(typed(&["a", "b", "c", "right"]), (None, TRIES));
        assert_eq!(typed(&[]), (None, 1), "nobody is there");
    }

    #[test]
    fn nobody_to_ask_is_an_error_that_names_the_ways() {
        let none = Passphrases::gather(&[] as &[&Path], Some(String::new()), Prompt::Never).unwrap();
        let error = none.for_new_keys(0, 1, "a").unwrap_err();
        assert!(error.sentence.contains("--passphrase-file") && error.sentence.contains(ENV), "{error}");
        assert!(none.ask("k.pem").unwrap().is_none());
    }

    #[test]
    fn empty_and_oversized_files_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p");
        for content in [String::new(), "\n".into(), "x".repeat(2000)] {
            private(&path, &content);
            assert_eq!(
                Passphrases::gather(&[&path], None, Prompt::Never).err().unwrap().kind,
                "passphrase-file"
            );
        }
    }
}
