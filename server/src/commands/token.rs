//! `token`: operators' tokens.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::Path;

use mulberry_shared::ledger::actor::Owner;
use mulberry_shared::operators::Scope;
use serde_json::json;

use super::{CommandError, Layout, answer};
use crate::clock::Clock;
use crate::config::{TokenAddArgs, TokenCommand};
use crate::files::{Existing, FileError, NewFile};
use crate::tokens::{self, HandOver, Token, TokenError, Tokens};

/// Runs a `token` command. Needs no lock of the server: it sees the change at the next request.
///
/// # Errors
/// [`CommandError`].
pub fn token(command: &TokenCommand, clock: &dyn Clock) -> Result<(), CommandError> {
    match command {
        TokenCommand::Add(args) => add(args, clock),
        TokenCommand::List { state, json } => {
            let layout = Layout::existing(&state.state)?;
            let tokens = Tokens::read(&layout.tokens())?;
            if *json {
                let tokens: Vec<_> = tokens.all().iter().map(describe).collect();
                return answer(&format!("{}\n", json!({"tokens": tokens})));
            }
            let line = |token: &Token| {
                let may: Vec<_> = token.may.iter().copied().map(Scope::as_str).collect();
                let revoked = token.revoked.map(|at| format!(" revoked {at}")).unwrap_or_default();
                let owner =
                    token.owner.as_ref().map_or("of unknown owner".to_owned(), |owner| format!("of {owner}"));
                format!("{} {owner} may {} since {}{revoked}\n", token.name, may.join(", "), token.created)
            };
            answer(&tokens.all().iter().map(line).collect::<String>())
        }
        TokenCommand::Revoke { name, state, json } => {
            let layout = Layout::existing(&state.state)?;
            let token = tokens::revoke(&layout.tokens(), name, clock.now())?;
            if *json {
                return answer(&format!("{}\n", describe(&token)));
            }
            answer(&format!("Revoked the token of {name:?}.\n"))
        }
    }
}

fn add(args: &TokenAddArgs, clock: &dyn Clock) -> Result<(), CommandError> {
    let TokenAddArgs { name, whose, may, out, replace, state, json } = args;
    let owner = whose
        .owner()
        .ok_or_else(|| CommandError::usage("say whose it is: --person PERSON or --duty DUTY"))?;
    let layout = Layout::existing(&state.state)?;
    let file = layout.tokens();
    let Some(out) = out.as_deref().filter(|out| *out != Path::new("-")) else {
        let mut shown = Shown { args, owner: owner.clone() };
        return Ok(tokens::add(&file, name, owner, may, clock.now(), &mut shown)?);
    };
    let mut written = Written { path: out, existing: Existing::of_flag(*replace), staged: None };
    tokens::add(&file, name, owner.clone(), may, clock.now(), &mut written)?;
    if *json {
        let file = out.display().to_string();
        let told = described(json!({"name": name, "may": may, "file": file}), Some(&owner));
        return answer(&format!("{told}\n"));
    }
    answer(&format!("Wrote the token of {name:?} to {}.\n", out.display()))
}

/// Prints the token: a reader that has gone away was given none.
struct Shown<'a> {
    args: &'a TokenAddArgs,
    owner: Owner,
}

impl HandOver for Shown<'_> {
    fn offer(&mut self, text: &str) -> Result<(), TokenError> {
        if is_thrown_away(std::io::stdout()) {
            return Err(TokenError::Unseen);
        }
        let TokenAddArgs { name, may, json, .. } = self.args;
        let line = if *json {
            let told = json!({"name": name, "may": may, "token": text});
            format!("{}\n", described(told, Some(&self.owner)))
        } else {
            eprintln!("The token of {name:?}, which is shown only now:");
            format!("{text}\n")
        };
        let mut stdout = std::io::stdout().lock();
        stdout.write_all(line.as_bytes()).and_then(|()| stdout.flush()).map_err(TokenError::NotShown)
    }
}

/// Whether nobody reads what is written there. A closed standard stream is the same: Rust's runtime opens it as `/dev/null`.
fn is_thrown_away(stream: impl AsFd) -> bool {
    let stream = stream.as_fd().try_clone_to_owned().and_then(|stream| File::from(stream).metadata());
    let null = fs::metadata("/dev/null");
    stream.is_ok_and(|stream| {
        stream.file_type().is_char_device() && null.is_ok_and(|null| stream.rdev() == null.rdev())
    })
}

/// Writes the token into a file, whole or not at all, and only when it is valid.
struct Written<'a> {
    path: &'a Path,
    existing: Existing,
    staged: Option<NewFile>,
}

impl HandOver for Written<'_> {
    fn offer(&mut self, text: &str) -> Result<(), TokenError> {
        let mut file = NewFile::create(self.path, self.existing)?;
        let io = |error| FileError::Io { path: self.path.to_owned(), error };
        file.write_all(format!("{text}\n").as_bytes()).map_err(io)?;
        self.staged = Some(file);
        Ok(())
    }

    fn settle(&mut self) -> Result<(), TokenError> {
        Ok(self.staged.take().map_or(Ok(()), NewFile::place)?)
    }
}

fn describe(token: &Token) -> serde_json::Value {
    let told =
        json!({"name": token.name, "may": token.may, "created": token.created, "revoked": token.revoked});
    described(told, token.owner.as_ref())
}

/// With whose it is: `person` or `duty`, or both null.
fn described(mut told: serde_json::Value, owner: Option<&Owner>) -> serde_json::Value {
    let (person, duty) = match owner {
        Some(Owner::Person(person)) => (Some(person), None),
        Some(Owner::Duty(duty)) => (None, Some(duty)),
        None => (None, None),
    };
    told["person"] = json!(person);
    told["duty"] = json!(duty);
    told
}

#[cfg(test)]
mod tests {
    use mulberry_shared::exit::Exit;

    use super::*;
    use crate::clock::SetClock;
    use crate::config::{StateArgs, Whose};
    use crate::test_support::start;

    #[test]
    fn what_goes_to_dev_null_is_seen_by_nobody() {
        let open = |path: &str| File::options().write(true).open(path).unwrap();
        assert!(is_thrown_away(open("/dev/null")));
        assert!(!is_thrown_away(open("/dev/full")));
        assert!(!is_thrown_away(tempfile::tempfile().unwrap()));
        assert!(!is_thrown_away(std::io::pipe().unwrap().1));
    }

    #[test]
    fn a_token_file_is_private_and_an_old_one_stays_unless_all_went_well() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        crate::files::private_folder(&state).unwrap();
        let out = folder.path().join("token");
        let args = |name: &str, replace| TokenAddArgs {
            name: name.into(),
            whose: Whose { person: None, duty: Some("watch".parse().unwrap()) },
            may: vec![Scope::Gate],
            out: Some(out.clone()),
            replace,
            state: StateArgs { state: state.clone() },
            json: false,
        };
        let clock = SetClock::at(start());
        add(&args("mei", false), &clock).unwrap();
        let first = std::fs::read_to_string(&out).unwrap();
        assert_eq!(std::fs::metadata(&out).unwrap().mode() & 0o777, 0o600);
        let tokens = || Tokens::read(&state.join("tokens.json")).unwrap();
        assert_eq!(tokens().find(first.trim_end()).unwrap().name, "mei");

        // A name that is taken, and a file that may not be replaced: nothing is lost and nothing is added.
        assert_eq!(add(&args("mei", true), &clock).unwrap_err().exit, Exit::No);
        assert_eq!(add(&args("tom", false), &clock).unwrap_err().exit, Exit::Usage);
        assert_eq!((std::fs::read_to_string(&out).unwrap(), tokens().all().len()), (first.clone(), 1));

        add(&args("tom", true), &clock).unwrap();
        let second = std::fs::read_to_string(&out).unwrap();
        assert_eq!(tokens().find(second.trim_end()).unwrap().name, "tom");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "nothing is left beside it");
    }
}
