//! Who asks, and whether they may. A handler gets to know who asks by taking [`By`], which exists only once a token with
//! the scope was found; one that does not take it cannot be put into the table of [`routes`](super::routes).

use std::future::{Ready, ready};
use std::marker::PhantomData;

use actix_web::dev::Payload;
use actix_web::http::header::AUTHORIZATION;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest};
use mulberry_shared::ledger::actor::Actor;
use mulberry_shared::operators::{ProblemKind, Scope};

use super::problem::ProblemAnswer;
use crate::connections::seat::Seat;
use crate::services::Core;
use crate::tokens::LiveTokens;

/// A scope as a type.
pub(super) trait Permission: 'static {
    /// The scope that a token must have.
    const SCOPE: Scope;
}

/// Reading, which every token may.
#[derive(Debug)]
pub(super) struct Read;

/// Publishing lanes, and proposals, ceremonies and signatures on the way there.
#[derive(Debug)]
pub(super) struct Publish;

/// Setting gates.
#[derive(Debug)]
pub(super) struct Gate;

impl Permission for Read {
    const SCOPE: Scope = Scope::Read;
}

impl Permission for Publish {
    const SCOPE: Scope = Scope::Publish;
}

impl Permission for Gate {
    const SCOPE: Scope = Scope::Gate;
}

/// Whoever asks has a token that may do `P`.
#[derive(Debug)]
pub(super) struct By<P> {
    /// Whoever has the token, the ledger's actor.
    pub(super) actor: Actor,
    permission: PhantomData<P>,
}

impl<P: Permission> FromRequest for By<P> {
    type Error = ProblemAnswer;
    type Future = Ready<Result<Self, ProblemAnswer>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(authenticate(request, P::SCOPE).map(|actor| Self { actor, permission: PhantomData }))
    }
}

/// The arguments of a handler that begin with who asks.
pub(super) trait Guarded {
    /// What its token must be allowed.
    type Permission: Permission;
}

macro_rules! guarded {
    ($($argument:ident)*) => {
        impl<P: Permission, $($argument),*> Guarded for (By<P>, $($argument),*) {
            type Permission = P;
        }
    };
}
guarded!();
guarded!(A);
guarded!(A B);
guarded!(A B C);
guarded!(A B C D);

/// Whoever has the token, if it may do this.
fn authenticate(request: &HttpRequest, scope: Scope) -> Result<Actor, ProblemAnswer> {
    let unauthenticated = |detail: &str| {
        if let Some(core) = request.app_data::<Data<Core>>() {
            core.metrics().count_refused_token();
        }
        let remedy = "send `Authorization: Bearer TOKEN` with a token made by `mulberry-server token add`";
        ProblemAnswer::new(ProblemKind::Unauthenticated, detail, remedy)
    };
    let header = request.headers().get(AUTHORIZATION).ok_or_else(|| unauthenticated("no token was sent"))?;
    let text = header
        .to_str()
        .ok()
        .and_then(|header| header.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim())
        .ok_or_else(|| unauthenticated("the Authorization header is not a bearer token"))?;
    let unreadable = || {
        let detail = "the server cannot read its tokens";
        ProblemAnswer::new(ProblemKind::Unavailable, detail, "look at the server's log")
    };
    let tokens = request.app_data::<Data<LiveTokens>>().ok_or_else(unreadable)?;
    let token = tokens.find(text).map_err(|error| {
        tracing::error!(%error, "the tokens cannot be read, so nobody is admitted");
        unreadable()
    })?;
    let token = token.ok_or_else(|| unauthenticated("the token is not known, or was revoked"))?;
    // From here on its connection is not cut for others.
    if let Some(seat) = request.conn_data::<Seat>() {
        seat.authenticate();
    }
    if scope != Scope::Read && !token.may.contains(&scope) {
        let detail = format!("the token {:?} lacks the scope {}", token.name, scope.as_str());
        let remedy = format!("use a token made with `--may {}`", scope.as_str());
        return Err(ProblemAnswer::new(ProblemKind::Forbidden, detail, remedy));
    }
    Ok(token.actor())
}
