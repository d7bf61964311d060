//! Real sockets: a flood from one address of this machine, beside people and agents at others. Loopback is counted here.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream as Stream};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::thread::JoinHandle;

use actix_web::App;
use actix_web::rt::spawn;
use actix_web::rt::task::spawn_blocking;
use actix_web::web::Data;

use super::*;
use crate::api;
use crate::connections::bounds::Cut;
use crate::connections::peer::Peers;
use crate::live::Admission;
use crate::services::Core;
use crate::store::memory::MemoryStore;
use crate::test_support::{Parts, add_token, start};
use crate::tokens::LiveTokens;

const FLOODER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const OTHER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);

/// Sockets that the flooder keeps on its side before it closes the first.
const KEPT: usize = 300;

/// Of 16 sockets, as the public listener has at least.
fn bounds() -> Bounds {
    let peers = Peers { ipv4_bits: 32, ipv6_bits: 56, uncounted: Vec::new() };
    let (idle, life) = (Duration::from_secs(600), Duration::from_secs(600));
    Bounds { places: 14, unknown: 10, each_peer: 4, finishing: 1, idle, life, peers }
}

fn listener(name: &'static str, counts: ConnectionCounts) -> Listener {
    let at = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let keep_alive = Duration::from_secs(600);
    Listener { name, at, workers: 1, sockets: 16, bounds: bounds(), keep_alive, tls: None, counts }
}

fn connect(from: Ipv4Addr, to: SocketAddr) -> io::Result<Stream> {
    let socket = socket2::Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
    socket.bind(&SocketAddr::from((from, 0)).into())?;
    socket.connect(&to.into())?;
    Ok(socket.into())
}

/// One request on a connection of its own, from its address.
fn ask(to: SocketAddr, head: &str) -> String {
    let mut stream = connect(OTHER, to).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    write!(stream, "{head}\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[derive(Default)]
struct Seen {
    ended: AtomicBool,
    opened: AtomicUsize,
    /// Of those that made room, how many were reset.
    reset: AtomicUsize,
    /// And how many were not.
    otherwise: AtomicUsize,
    /// Most that the listener had at a time.
    most: AtomicI64,
}

/// Opens one socket after another, and sends nothing. Dropping it ends it.
struct Flood {
    seen: Arc<Seen>,
    thread: Option<JoinHandle<()>>,
}

impl Flood {
    fn begin(to: SocketAddr, counts: &ConnectionCounts) -> Self {
        let (seen, open) = (Arc::<Seen>::default(), counts.open.clone());
        let told = seen.clone();
        let thread = std::thread::spawn(move || {
            let mut kept = VecDeque::new();
            while !told.ended.load(Ordering::SeqCst) {
                if let Ok(stream) = connect(FLOODER, to) {
                    kept.push_back(stream);
                    told.opened.fetch_add(1, Ordering::SeqCst);
                }
                told.most.fetch_max(open.get(), Ordering::SeqCst);
                if kept.len() > KEPT
                    && let Some(mut first) = kept.pop_front()
                {
                    first.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
                    let read = first.read(&mut [0]);
                    let reset = read.is_err_and(|error| error.kind() == ErrorKind::ConnectionReset);
                    let kind = if reset { &told.reset } else { &told.otherwise };
                    kind.fetch_add(1, Ordering::SeqCst);
                }
            }
        });
        Self { seen, thread: Some(thread) }
    }

    /// Waits until so many more have come.
    fn goes_on(&self, more: usize) {
        let opened = || self.seen.opened.load(Ordering::SeqCst);
        let enough = opened() + more;
        wait_for("the flood to go on", || opened() >= enough);
    }
}

fn wait_for(what: &str, holds: impl Fn() -> bool) {
    let until = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < until, "waited too long for {what}");
        std::thread::yield_now();
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        self.seen.ended.store(true, Ordering::SeqCst);
        self.thread.take().map(JoinHandle::join);
    }
}

/// Asks while the flood goes on; each time `head` is answered with 200.
fn besieged(to: SocketAddr, counts: &ConnectionCounts, head: &str) {
    let share = i64::try_from(bounds().each_peer).unwrap();
    let asks = |time: usize| {
        let answer = ask(to, head);
        assert!(answer.starts_with("HTTP/1.1 200 "), "{time}: {answer}");
    };
    asks(0);
    wait_for("its connection to be over", || counts.open.get() == 0);

    let flood = Flood::begin(to, counts);
    let most = || flood.seen.most.load(Ordering::SeqCst);
    flood.goes_on(2 * KEPT);
    wait_for("the flood to have its whole share", || most() >= share);
    assert_eq!(most(), share);
    for time in 1..=20 {
        flood.goes_on(20);
        asks(time);
    }
    flood.goes_on(20);
    // Besides the flooder's, there was the one that asked.
    assert!(most() <= share + 1, "{}", most());
    assert_eq!(flood.seen.otherwise.load(Ordering::SeqCst), 0);
    assert!(flood.seen.reset.load(Ordering::SeqCst) > KEPT);
}

#[actix_web::test]
async fn a_flood_of_idle_sockets_from_one_address_keeps_neither_operators_nor_polls_out() {
    let core: Arc<Core> = Parts::initialised(MemoryStore::new()).await.open().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let tokens = folder.path().join("tokens.json");
    let token = add_token(&tokens, "dashboard", &[], start()).unwrap();
    let [public, operators] = ["public", "operators"].map(|name| core.metrics().connections(name));

    let (data, tokens) = (Data::from(core.clone()), Data::new(LiveTokens::at(tokens)));
    let app = move || {
        let app = App::new().app_data(data.clone()).app_data(tokens.clone()).wrap_fn(api::observe);
        app.configure(api::routes::configure)
    };
    let (operators_server, operators_at) = listener("operators", operators.clone()).serve(app).unwrap();
    let data = Data::from(core.clone());
    let app = move || {
        let app = App::new().app_data(data.clone()).app_data(Data::new(Admission::for_connections(16)));
        app.wrap_fn(api::observe).configure(api::public::configure)
    };
    let (public_server, public_at) = listener("public", public.clone()).serve(app).unwrap();
    let handles = [operators_server.handle(), public_server.handle()];
    let servers = [spawn(operators_server), spawn(public_server)];

    let counts = [operators.clone(), public.clone()];
    let siege = spawn_blocking(move || {
        let [operators, public] = counts;
        let authorized = format!("GET /api/v1/status HTTP/1.1\r\nAuthorization: Bearer {token}");
        besieged(operators_at, &operators, &authorized);
        besieged(public_at, &public, "GET /metadata/timestamp.json HTTP/1.1");
    });
    siege.await.unwrap();
    for handle in handles {
        handle.stop(false).await;
    }
    for server in servers {
        server.await.unwrap().unwrap();
    }
    for (counts, name) in [(operators, "operators"), (public, "public")] {
        assert!(counts.cut(Cut::Peer) > 0 && counts.cut(Cut::Crowded) == 0, "{name}");
    }
}
