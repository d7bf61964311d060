//! A listener: the socket gets a place, then TLS if there is any, then HTTP, then the application.

use std::fmt;
use std::future::{Ready, ready};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use actix_http::{HttpService, Request, Response};
use actix_service::{
    IntoServiceFactory, Service, ServiceFactory, ServiceFactoryExt as _, fn_factory, fn_service, map_config,
};
use actix_web::body::MessageBody;
use actix_web::dev::{AppConfig, Server};
use actix_web::http::KeepAlive;
use actix_web::rt::net::TcpStream;
use actix_web::rt::time::timeout;
use socket2::{Domain, Protocol, Type};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;

use super::REQUEST_TIMEOUT;
use super::bounds::Bounds;
use super::seat::Seats;
use super::socket::{Bounded, Socket, reset};
use crate::metrics::ConnectionCounts;

/// How long requests in flight may take after a signal, in seconds.
const SHUTDOWN_SECONDS: u64 = 10;

/// How long a connection that we close may take to close.
const DISCONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// Connections that the system keeps until they are accepted.
const BACKLOG: i32 = 1024;

/// One listener.
#[derive(Clone, Debug)]
pub struct Listener {
    /// Its name in figures.
    pub name: &'static str,
    /// Where it listens.
    pub at: SocketAddr,
    /// Its workers.
    pub workers: usize,
    /// Most sockets of one worker, those included that are being cut.
    pub sockets: usize,
    /// What each worker grants.
    pub bounds: Bounds,
    /// How long a connection without a request is kept.
    pub keep_alive: Duration,
    /// Certificate and key, for TLS.
    pub tls: Option<Arc<rustls::ServerConfig>>,
    /// Its figures.
    pub counts: ConnectionCounts,
}

/// What HTTP is spoken on.
type Wire = Either<Socket, TlsStream<Socket>>;

impl Listener {
    /// Listens, and serves what `app` makes in each worker, as soon as the server is awaited.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub fn serve<F, I, S, B>(self, app: F) -> io::Result<(Server, SocketAddr)>
    where
        F: Fn() -> I + Send + Clone + 'static,
        I: IntoServiceFactory<S, Request>,
        S: ServiceFactory<Request, Config = AppConfig> + 'static,
        S::Error: Into<actix_web::Error> + 'static,
        S::InitError: fmt::Debug,
        S::Response: Into<Response<B>> + 'static,
        S::Service: 'static,
        <S::Service as Service<Request>>::Future: 'static,
        B: MessageBody + 'static,
    {
        let listener = bind(self.at)?;
        let at = listener.local_addr()?;
        let server = Server::build()
            .workers(self.workers)
            .max_concurrent_connections(self.sockets)
            .shutdown_timeout(SHUTDOWN_SECONDS)
            .disable_signals();
        let stopping = server.graceful_shutdown_signal();
        let Self { name, bounds, keep_alive, tls, counts, .. } = self;
        let acceptor = tls.map(TlsAcceptor::from);
        // Called once in each worker.
        let in_worker = move || {
            let (stopping, acceptor) = (stopping.clone(), acceptor.clone());
            let stopped = move || {
                let stopping = stopping.clone();
                async move { stopping.notified().await }
            };
            let app = app().into_factory().map_err(|error| error.into().error_response());
            let http = HttpService::build()
                .graceful_shutdown_signal(stopped)
                .keep_alive(KeepAlive::Timeout(keep_alive))
                .client_request_timeout(REQUEST_TIMEOUT)
                .client_disconnect_timeout(DISCONNECT_TIMEOUT)
                .on_connect_ext(|wire: &Wire, data| drop(data.insert(socket(wire).seat().clone())))
                .h1(map_config(app, |_| AppConfig::default()));
            let secured = fn_service(move |socket| {
                let acceptor = acceptor.clone();
                // The application is not told whose request it is.
                async move { secure(acceptor, socket).await.map(|wire| (wire, None)) }
            });
            placed(Seats::new(bounds.clone(), counts.clone()), secured.and_then(http.map_err(drop)))
        };
        Ok((server.listen(name, listener, in_worker)?.run(), at))
    }
}

/// Like the standard library's, with a longer queue.
fn bind(at: SocketAddr) -> io::Result<TcpListener> {
    let socket = socket2::Socket::new(Domain::for_address(at), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.bind(&at.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

async fn secure(acceptor: Option<TlsAcceptor>, socket: Socket) -> Result<Wire, ()> {
    match acceptor {
        None => Ok(Either::Left(socket)),
        Some(acceptor) => match timeout(REQUEST_TIMEOUT, acceptor.accept(socket)).await {
            Ok(Ok(stream)) => Ok(Either::Right(stream)),
            Ok(Err(error)) => {
                tracing::debug!(%error, "no TLS connection came about");
                Err(())
            }
            Err(_) => Err(()),
        },
    }
}

fn socket(wire: &Wire) -> &Socket {
    match wire {
        Either::Left(socket) => socket,
        Either::Right(stream) => stream.get_ref().0,
    }
}

/// Gives each connection a place before `inner` sees it.
fn placed<F>(
    seats: Rc<Seats>,
    inner: F,
) -> impl ServiceFactory<TcpStream, Config = (), Response = (), Error = (), InitError = ()>
where
    F: ServiceFactory<Socket, Config = (), Response = (), Error = (), InitError = ()>,
{
    fn_factory(move || {
        let (seats, inner) = (seats.clone(), inner.new_service(()));
        async move { Ok(Placed { seats, inner: inner.await? }) }
    })
}

struct Placed<S> {
    seats: Rc<Seats>,
    inner: S,
}

impl<S> Service<TcpStream> for Placed<S>
where
    S: Service<Socket, Response = (), Error = ()>,
{
    type Response = ();
    type Error = ();
    type Future = Either<Bounded<S::Future>, Ready<Result<(), ()>>>;

    fn poll_ready(&self, task: &mut Context<'_>) -> Poll<Result<(), ()>> {
        match self.seats.poll_ready(task) {
            Poll::Ready(()) => self.inner.poll_ready(task),
            Poll::Pending => Poll::Pending,
        }
    }

    fn call(&self, stream: TcpStream) -> Self::Future {
        let peer = stream.peer_addr().ok().map(|address| address.ip());
        match self.seats.admit(peer, Instant::now()) {
            Some(place) => {
                let served = self.inner.call(Socket::new(stream, place.seat().clone()));
                Either::Left(Bounded::new(served, place))
            }
            None => {
                reset(&stream);
                Either::Right(ready(Ok(())))
            }
        }
    }
}

#[cfg(test)]
mod tests;
