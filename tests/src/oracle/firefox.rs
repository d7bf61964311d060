//! A running Firefox that is asked whether signed add-ons verify.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use mulberry_shared::xpi::WeakestDigest;
use serde::Deserialize;

use crate::LabError;
use crate::python_tuf::Python;

/// The root that add-ons must lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Root {
    /// The test root, under which the laboratory signs.
    Test,
    /// The root of real add-ons; Firefox has two intermediates built in.
    Public,
}

/// Which Firefox: its root, and the weakest signer it accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Setting {
    /// The root.
    pub root: Root,
    /// Firefox's default is SHA-1.
    pub weakest: WeakestDigest,
}

/// What Firefox says of one file.
#[derive(Clone, Debug, Deserialize)]
pub struct Answer {
    /// `ok`, or the name of the error.
    pub result: String,
}

/// One Firefox, headless, with a profile of its own. It ends when this is dropped.
#[derive(Debug)]
pub struct Firefox {
    child: Child,
    questions: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    _profile: tempfile::TempDir,
}

impl Firefox {
    /// What must be there before one can be started; a sentence says what is missing.
    ///
    /// # Errors
    /// `firefox-esr` is not installed, the script is absent, or its Python cannot be had.
    pub fn needs() -> Result<(Python, PathBuf), String> {
        let folder = super::folder().ok_or_else(|| {
            format!(
                "verify.py and the test root are absent; put them at ../shared/firefox, or name them in {}",
                super::VARIABLE
            )
        })?;
        if Command::new("firefox-esr")
            .arg("--version")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_err()
        {
            return Err("firefox-esr is not installed (Debian's package of that name)".to_owned());
        }
        Ok((Python::with_marionette()?, folder))
    }

    /// Starts one.
    ///
    /// # Errors
    /// It does not come up.
    pub fn start(python: &Python, folder: &Path, setting: Setting) -> Result<Self, LabError> {
        let profile = tempfile::tempdir().map_err(LabError::file(std::env::temp_dir()))?;
        // Bit 0: SHA-256 signers only. Bit 1: COSE where it is present.
        if setting.weakest == WeakestDigest::Sha256 {
            let prefs = profile.path().join("prefs.js");
            fs::write(&prefs, "user_pref(\"security.signed_app_signatures.policy\", 3);\n")
                .map_err(LabError::file(&prefs))?;
        }
        let root = match setting.root {
            Root::Test => "test",
            Root::Public => "public",
        };
        let script = folder.join("verify.py");
        let mut child = python
            .command(profile.path())
            .arg(&script)
            .args(["--root", root, "--stdin", "--profile"])
            .arg(profile.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(LabError::file(&script))?;
        let (questions, answers) = (child.stdin.take(), child.stdout.take());
        let answers =
            answers.ok_or_else(|| LabError::Impossible("a Firefox that nobody hears".to_owned()))?;
        Ok(Self { child, questions, answers: BufReader::new(answers), _profile: profile })
    }

    /// Asks about one file.
    ///
    /// # Errors
    /// It does not answer any more.
    pub fn ask(&mut self, path: &Path) -> Result<Answer, LabError> {
        let gone = || {
            LabError::Impossible(
                "an answer by a Firefox that has ended; run verify.py by hand to see why".to_owned(),
            )
        };
        let questions = self.questions.as_mut().ok_or_else(gone)?;
        writeln!(questions, "{}", path.display()).map_err(|_| gone())?;
        questions.flush().map_err(|_| gone())?;
        let mut line = String::new();
        if self.answers.read_line(&mut line).map_err(|_| gone())? == 0 {
            return Err(gone());
        }
        Ok(serde_json::from_str(&line)?)
    }
}

impl Drop for Firefox {
    fn drop(&mut self) {
        // The end of its input ends the script, which ends its Firefox.
        drop(self.questions.take());
        let _ = self.child.wait();
    }
}
