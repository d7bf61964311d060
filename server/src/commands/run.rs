//! `run`: wires the concrete parts, serves, and stops in order.

use std::net::SocketAddr;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use actix_web::App;
use actix_web::dev::Server;
use actix_web::web::Data;
use mulberry_shared::limits::Limits;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use super::{CommandError, Layout};
use crate::api;
use crate::capacity::{Capacity, OPERATORS_CONNECTIONS, raise_open_files};
use crate::clock::Clock;
use crate::config::{OperatorsTransport, RunArgs};
use crate::connections::bounds;
use crate::connections::listen::Listener;
use crate::edition::Work;
use crate::edition::store::EditionFile;
use crate::export::socket;
use crate::files;
use crate::keys::KeyFolder;
use crate::live::Admission;
use crate::services::Core;
use crate::store::sled::SledStore;
use crate::tokens::LiveTokens;

/// How often it is looked whether something must be signed again. Most looks find nothing to do.
const LOOK_EVERY: Duration = Duration::from_secs(15);

/// Bytes of a PEM file with a certificate chain or a key.
const MAX_PEM_BYTES: u64 = 256 << 10;

/// Serves until SIGTERM or SIGINT.
///
/// # Errors
/// [`CommandError`] when it cannot start, or when a listener fails.
pub async fn run(args: &RunArgs, clock: Arc<dyn Clock>, limits: Limits) -> Result<(), CommandError> {
    let transport = args.operators_transport()?;
    let tls = match &transport {
        OperatorsTransport::Loopback => None,
        OperatorsTransport::Tls { certificate, key } => Some(tls_config(certificate, key)?),
    };
    let layout = Layout::existing(&args.state.state)?;
    let _lock = layout.take_lock()?;
    // Left by a server that was killed: whoever waits for ours must not find it.
    forget_listening(&layout);
    if clock.is_shifted() {
        tracing::warn!(now = %clock.now(), "the clock was started elsewhere: this is a rehearsal");
    }
    let open_files = raise_open_files()
        .map_err(|error| CommandError::failed(format!("the limit of open files: {error}")))?;
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    let capacity = Capacity::new(args.max_connections, open_files, cores);
    capacity.log(args.max_connections);
    let keys = Arc::new(KeyFolder(layout.keys()));
    let store = Arc::new(SledStore::open(&layout.ledger())?);
    let editions = Arc::new(EditionFile(layout.edition()));
    let core = Arc::new(Core::open(store.clone(), editions, keys, clock, limits).await?);
    core.metrics().set_capacity(&capacity);
    let tokens = Data::new(LiveTokens::at(layout.tokens()));

    // Before anything listens, so that no signal is lost once somebody may have seen us.
    let signals = stop_signal()?;
    let (public, public_at) = public_server(args, capacity, &core)?;
    let (operators, operators_at) = operators_server(args, tls, &core, &tokens)?;
    let handles = [public.handle(), operators.handle()];
    let exports = export_server(&layout, &core);
    let scheme = if transport == OperatorsTransport::Loopback { "http" } else { "https" };
    let listening = json!({
        "format": 1,
        "public": format!("http://{public_at}"),
        "operators": format!("{scheme}://{operators_at}"),
        "pid": std::process::id(),
    });
    let mut listed = Listed { path: layout.listening(), text: listening.to_string(), done: false };
    if let Err(error) = listed.write() {
        tracing::error!(%error, "other programs are not told yet where this server listens");
        core.note_failed_write();
    }
    let edition = core.served().edition.number();
    tracing::info!(edition, public = %public_at, operators = %operators_at, "serving");

    let stopper = async {
        signals.await;
        tracing::info!("stopping: requests in flight are finished first");
        core.live().close();
        let [public, operators] = &handles;
        tokio::join!(public.stop(true), operators.stop(true));
    };
    let served = tokio::select! {
        served = async { tokio::try_join!(public, operators) } => served.map(|_| ()),
        () = sign_regularly(&core, listed) => Ok(()),
        () = exports => Ok(()),
        () = stopper => Ok(()),
    };
    forget_listening(&layout);
    let closed = tokio::task::spawn_blocking(move || store.close()).await;
    served.map_err(|error| CommandError::failed(format!("a listener failed: {error}")))?;
    closed.map_err(|error| CommandError::failed(error.to_string()))?;
    tracing::info!("stopped");
    Ok(())
}

/// The file that says where this server listens.
struct Listed {
    path: PathBuf,
    text: String,
    done: bool,
}

impl Listed {
    fn write(&mut self) -> Result<(), files::FileError> {
        if !self.done {
            files::write_private(&self.path, self.text.as_bytes())?;
            self.done = true;
        }
        Ok(())
    }
}

fn forget_listening(layout: &Layout) {
    for path in [layout.listening(), layout.export()] {
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                tracing::warn!(%error, path = %path.display(), "it could not be removed");
            }
            _ => {}
        }
    }
}

/// Gives exports of the ledger, for ever. A state folder whose path is too long for a socket is no reason not to serve.
fn export_server(layout: &Layout, core: &Arc<Core>) -> impl Future<Output = ()> + use<> {
    let listener = socket::listen(&layout.export());
    let core = core.clone();
    if let Err(error) = &listener {
        let remedy = "export with GET /api/v1/ledger on the operators' listener, or use a shorter path";
        tracing::warn!(%error, remedy, "`mulberry-server ledger export` will not work while this server runs");
    }
    async move {
        match listener {
            Ok(listener) => socket::serve(listener, core).await,
            Err(_) => std::future::pending().await,
        }
    }
}

fn public_server(
    args: &RunArgs,
    capacity: Capacity,
    core: &Arc<Core>,
) -> Result<(Server, SocketAddr), CommandError> {
    let data = Data::from(core.clone());
    let sockets = capacity.each_worker();
    let listener = Listener {
        name: "public",
        at: args.listen,
        workers: capacity.workers,
        sockets,
        bounds: bounds::public(&args.connections, &capacity),
        keep_alive: args.connections.idle(),
        tls: None,
        counts: core.metrics().connections("public"),
    };
    listener
        .serve(move || {
            App::new()
                .app_data(data.clone())
                .app_data(Data::new(Admission::for_connections(sockets)))
                .wrap_fn(api::observe)
                .configure(api::public::configure)
        })
        .map_err(|error| cannot_listen(args.listen, &error))
}

fn operators_server(
    args: &RunArgs,
    tls: Option<rustls::ServerConfig>,
    core: &Arc<Core>,
    tokens: &Data<LiveTokens>,
) -> Result<(Server, SocketAddr), CommandError> {
    let (data, tokens) = (Data::from(core.clone()), tokens.clone());
    let at = args.operators_listen;
    let listener = Listener {
        name: "operators",
        at,
        workers: 1,
        sockets: OPERATORS_CONNECTIONS,
        bounds: bounds::operators(&args.connections, &core.limits().operators),
        keep_alive: args.connections.idle(),
        tls: tls.map(Arc::new),
        counts: core.metrics().connections("operators"),
    };
    listener
        .serve(move || {
            App::new()
                .app_data(data.clone())
                .app_data(tokens.clone())
                .wrap_fn(api::observe)
                .configure(api::routes::configure)
        })
        .map_err(|error| cannot_listen(at, &error))
}

fn cannot_listen(address: SocketAddr, error: &std::io::Error) -> CommandError {
    CommandError::usage(format!("cannot listen on {address}: {error}; choose another address"))
}

async fn sign_regularly(core: &Core, mut listed: Listed) {
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut warned = Vec::new();
    let mut refused = 0;
    loop {
        ticks.tick().await;
        // Tried again where there was no room for it.
        let _ = listed.write();
        match core.sign_due().await {
            Ok(Work::Nothing) => {}
            Ok(work) => tracing::info!(?work, edition = core.served().edition.number(), "signed again"),
            Err(error) => tracing::error!(%error, "signing again failed; trying again"),
        }
        let troubles = core.troubles();
        if troubles != warned {
            troubles.iter().for_each(|trouble| tracing::warn!(trouble, "due"));
            warned = troubles;
        }
        // One line for all of them: whoever guesses tokens must not fill the disk.
        let refused_now = core.metrics().refused_tokens();
        if refused_now > refused {
            let remedy = "if nobody of yours is trying a token, look who reaches the operators' listener";
            let requests = refused_now.saturating_sub(refused);
            tracing::warn!(requests, since_start = refused_now, remedy, "requests without a valid token");
            refused = refused_now;
        }
    }
}

/// Resolves at the first SIGTERM or SIGINT after this was called.
fn stop_signal() -> Result<impl Future<Output = ()>, CommandError> {
    let cannot = |error: std::io::Error| CommandError::failed(format!("cannot wait for signals: {error}"));
    let mut terminate = signal(SignalKind::terminate()).map_err(cannot)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(cannot)?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

fn tls_config(certificate: &Path, key: &Path) -> Result<rustls::ServerConfig, CommandError> {
    let unusable =
        |path: &Path, why: String| CommandError::usage(format!("{}: {why}; give a PEM file", path.display()));
    let chain = CertificateDer::pem_slice_iter(&files::read(certificate, MAX_PEM_BYTES)?)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| unusable(certificate, error.to_string()))?;
    if chain.is_empty() {
        let extract = "of a .p7b, `openssl pkcs7 -inform DER -in FILE -print_certs` makes one, to be put in order: the server's own first";
        return Err(unusable(certificate, format!("it holds no certificate in PEM ({extract})")));
    }
    let private = PrivateKeyDer::from_pem_slice(&files::read_private(key, MAX_PEM_BYTES)?)
        .map_err(|error| unusable(key, error.to_string()))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, private))
        .map_err(|error| unusable(certificate, error.to_string()))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}
