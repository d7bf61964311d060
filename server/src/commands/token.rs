//! `token`: operators' tokens.

use mulberry_shared::operators::Scope;
use serde_json::json;

use super::{CommandError, Layout};
use crate::clock::Clock;
use crate::config::TokenCommand;
use crate::tokens::{self, Token, Tokens};

/// Runs a `token` command. Needs no lock of the server: it sees the change at the next request.
///
/// # Errors
/// [`CommandError`].
pub fn token(command: &TokenCommand, clock: &dyn Clock) -> Result<(), CommandError> {
    match command {
        TokenCommand::Add { name, may, state, json } => {
            let layout = Layout::existing(&state.state)?;
            let text = tokens::add(&layout.tokens(), name, may, clock.now())?;
            if *json {
                println!("{}", json!({"name": name, "may": may, "token": text}));
            } else {
                eprintln!("The token of {name:?}, which is shown only now:");
                println!("{text}");
            }
        }
        TokenCommand::List { state, json } => {
            let layout = Layout::existing(&state.state)?;
            for token in Tokens::read(&layout.tokens())?.all() {
                if *json {
                    println!("{}", describe(token));
                } else {
                    let may: Vec<_> = token.may.iter().copied().map(Scope::as_str).collect();
                    let revoked = token.revoked.map(|at| format!(" revoked {at}")).unwrap_or_default();
                    println!("{} may {} since {}{revoked}", token.name, may.join(", "), token.created);
                }
            }
        }
        TokenCommand::Revoke { name, state } => {
            let layout = Layout::existing(&state.state)?;
            tokens::revoke(&layout.tokens(), name, clock.now())?;
            println!("Revoked the token of {name:?}.");
        }
    }
    Ok(())
}

fn describe(token: &Token) -> serde_json::Value {
    json!({"name": token.name, "may": token.may, "created": token.created, "revoked": token.revoked})
}
