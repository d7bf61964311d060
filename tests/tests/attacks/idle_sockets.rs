//! Sockets that cost their owner nothing: they ask for nothing, not to the end, or take no answer. Whatever they do, each is
//! cut at its bound, and as long as they come back they keep nobody else out of either listener.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use mulberry_lab::process::{command, run};
use mulberry_lab::replay::material::Material;
use mulberry_lab::stage::{Stage, wait_for};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// What a socket does to be kept.
#[derive(Clone, Copy, Debug)]
struct Trick {
    name: &'static str,
    /// What it sends first.
    opening: &'static str,
    /// What it sends then, again and again, a byte each time.
    drip: &'static str,
    /// Whether it reads what it is sent.
    reads: bool,
}

const TRICKS: [Trick; 7] = [
    Trick { name: "says nothing", opening: "", drip: "", reads: true },
    Trick {
        name: "begins a head",
        opening: "GET /metadata/timestamp.json HTTP/1.1\r\nX: ",
        drip: "y",
        reads: true,
    },
    Trick {
        name: "drips a second head",
        opening: "GET /__lbheartbeat__ HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nX: ",
        drip: "y",
        reads: true,
    },
    Trick {
        name: "announces chunks that never come",
        opening: "GET /metadata/timestamp.json HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
        drip: "",
        reads: true,
    },
    Trick {
        name: "drips a chunk into an address that takes none",
        opening: "POST /api/v1/nowhere HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n7fffffff\r\n",
        drip: "y",
        reads: true,
    },
    Trick {
        name: "drips a body that nobody may send",
        opening: "POST /api/v1/lanes/emergency HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n",
        drip: "y",
        reads: true,
    },
    Trick {
        name: "is deaf to an answer that it asked for a thousand times",
        opening: "GET /metadata/1.root.json HTTP/1.1\r\nHost: x\r\n\r\n",
        drip: "",
        reads: false,
    },
];

/// One socket that does its trick.
struct Socket {
    stream: TcpStream,
    trick: Trick,
}

impl Socket {
    /// `None` where the system has no room for one.
    fn open(address: &str, trick: Trick) -> Option<Self> {
        let mut stream = TcpStream::connect(address).ok()?;
        stream.set_nonblocking(true).ok()?;
        let times = if trick.reads { 1 } else { 1_000 };
        for _ in 0..times {
            if stream.write(trick.opening.as_bytes()).is_err() {
                break;
            }
        }
        Some(Self { stream, trick })
    }

    /// Goes on with its trick; false when it was cut.
    fn go_on(&mut self) -> bool {
        let waits = |kind| matches!(kind, ErrorKind::WouldBlock | ErrorKind::Interrupted);
        if let Err(error) = self.stream.write(self.trick.drip.as_bytes())
            && !waits(error.kind())
        {
            return false;
        }
        let mut bytes = [0; 4096];
        let read = if self.trick.reads {
            self.stream.read(&mut bytes)
        } else {
            // A closed connection shows behind what was not read.
            match self.stream.take_error() {
                Ok(None) if self.stream.write(b"G").is_err_and(|error| !waits(error.kind())) => return false,
                _ => Ok(1),
            }
        };
        match read {
            Ok(0) => false,
            Ok(_) => true,
            Err(error) => waits(error.kind()),
        }
    }
}

/// Many sockets that come back as soon as they are cut. Dropping it ends them.
struct Crowd {
    ended: Arc<AtomicBool>,
    /// Rounds in which each of them was looked at.
    rounds: Arc<AtomicUsize>,
    cut: Arc<AtomicUsize>,
    thread: Option<JoinHandle<()>>,
}

impl Crowd {
    fn gather(address: &str, size: usize) -> Self {
        let address = address.to_owned();
        let (ended, rounds, cut) = (Arc::<AtomicBool>::default(), Arc::default(), Arc::default());
        let told: (_, Arc<AtomicUsize>, Arc<AtomicUsize>) =
            (Arc::clone(&ended), Arc::clone(&rounds), Arc::clone(&cut));
        let thread = std::thread::spawn(move || {
            let (ended, rounds, cut) = told;
            // Asking a thousand times is work for the server, which is another attack.
            let tricks: Vec<_> = TRICKS.into_iter().filter(|trick| trick.reads).collect();
            let mut sockets: Vec<Option<Socket>> = (0..size).map(|_| None).collect();
            while !ended.load(Ordering::SeqCst) {
                for (at, socket) in sockets.iter_mut().enumerate() {
                    if socket.as_mut().is_some_and(|socket| !socket.go_on()) {
                        cut.fetch_add(1, Ordering::SeqCst);
                        *socket = None;
                    }
                    if socket.is_none() {
                        *socket = Socket::open(&address, tricks[at % tricks.len()]);
                    }
                }
                rounds.fetch_add(1, Ordering::SeqCst);
            }
        });
        Self { ended, rounds, cut, thread: Some(thread) }
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        self.thread.take().map(JoinHandle::join);
    }
}

fn address(origin: &str) -> &str {
    origin.trim_start_matches("http://").trim_end_matches('/')
}

/// The status of one request on a connection of its own.
fn status(origin: &str, head: &str) -> Option<u16> {
    let mut stream = TcpStream::connect(address(origin)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    write!(stream, "{head}Host: x\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    answer.split(' ').nth(1)?.parse().ok()
}

fn figure(stage: &Stage, name: &str) -> u64 {
    let token = std::fs::read_to_string(stage.path("token")).unwrap();
    let head = format!(
        "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\r\n"
    );
    let mut stream = TcpStream::connect(address(stage.operators())).unwrap();
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let line = answer.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
    line.unwrap_or_else(|| panic!("{name} is not in\n{answer}"))
}

#[test]
fn whatever_a_socket_does_it_is_cut_at_its_bound() {
    let mut stage = Stage::new(None).unwrap();
    stage.server_options(&["--idle-seconds", "1", "--connection-seconds", "4"]);
    stage.start_server().unwrap();
    for origin in [stage.origin(), stage.operators()] {
        let mut sockets: Vec<_> =
            TRICKS.iter().map(|trick| Socket::open(address(origin), *trick).unwrap()).collect();
        wait_for("every socket to be cut", || {
            sockets.retain_mut(Socket::go_on);
            Ok(sockets.is_empty().then_some(()))
        })
        .unwrap_or_else(|error| panic!("{error}: {:?}", sockets.first().map(|socket| socket.trick.name)));
    }
    // Not by idleness alone: one that goes on asking has a life, and is told before.
    let mut busy = TcpStream::connect(address(stage.origin())).unwrap();
    busy.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let told = wait_for("an answer to be the last", || {
        busy.write_all(b"GET /__lbheartbeat__ HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        let mut answer = [0; 1024];
        let length = busy.read(&mut answer).unwrap();
        let head = String::from_utf8_lossy(&answer[..length]).to_lowercase();
        assert!(head.starts_with("http/1.1 200"), "{head}");
        Ok(head.contains("connection: close").then_some(()))
    });
    told.unwrap();
    for listener in ["public", "operators"] {
        let cut = |why| {
            figure(
                &stage,
                &format!("mulberry_connections_cut_total{{listener=\"{listener}\",why=\"{why}\"}}"),
            )
        };
        let waited = cut("idle") + cut("life");
        assert!(cut("body") >= 1 && waited >= 1, "{listener}: {} {waited}", cut("body"));
    }
    assert_eq!(figure(&stage, "mulberry_connections{listener=\"public\"}"), 0);
}

#[test]
fn a_body_is_taken_only_where_one_belongs() {
    let mut stage = Stage::new(None).unwrap();
    stage.start_server().unwrap();
    let (public, operators) = (stage.origin(), stage.operators());
    for (origin, line, answered) in [
        (public, "GET /metadata/timestamp.json", 200),
        (public, "HEAD /metadata/timestamp.json", 200),
        (operators, "GET /api/v1/openapi.json", 200),
    ] {
        let ask = |more: &str| status(origin, &format!("{line} HTTP/1.1\r\n{more}"));
        assert_eq!(ask(""), Some(answered), "{line}");
        assert_eq!(ask("Content-Length: 0\r\n"), Some(answered), "{line}");
        for body in ["Content-Length: 1\r\n", "Transfer-Encoding: chunked\r\n"] {
            assert_eq!(ask(body), Some(400), "{line} {body}");
        }
    }
    assert_eq!(status(public, "POST /metadata/timestamp.json HTTP/1.1\r\nContent-Length: 1\r\n"), Some(405));
}

#[test]
fn hundreds_of_idle_sockets_keep_nobody_out_of_either_listener() {
    const SIZE: usize = 900;
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    assert!(hard as usize > 3 * SIZE, "this test opens {} sockets, and may open {hard} files", 2 * SIZE);
    setrlimit(Resource::RLIMIT_NOFILE, hard.min(soft.max(4 * SIZE as u64)), hard).unwrap();

    let folder = tempfile::tempdir().unwrap();
    let material = Material::laboratory(folder.path(), 1, &|_| ()).unwrap();
    let mut stage = Stage::new(Some(material.expired_at)).unwrap();
    stage.start_server().unwrap();
    let replacement = material.replacement.to_string_lossy().into_owned();
    let new = ["recipe", "new", "--certificate", &replacement, "--slug", "install"];
    stage.ctl(&new).unwrap().expect_code(0).unwrap();
    stage.publish("emergency", "recipes/install").unwrap();
    stage.open_gate_together("install", "100").unwrap();
    stage.init_agent("a", &material.anchor, &material.addons, &["--version", "66.0.3"]).unwrap();

    let crowds = [stage.origin(), stage.operators()].map(|origin| Crowd::gather(address(origin), SIZE));
    wait_for("the crowds to be there and to have been cut", || {
        let there = |crowd: &Crowd| {
            crowd.rounds.load(Ordering::SeqCst) > 2 && crowd.cut.load(Ordering::SeqCst) > SIZE
        };
        Ok(crowds.iter().all(there).then_some(()))
    })
    .unwrap();
    for poll in 0..10 {
        let asked = status(stage.origin(), "GET /metadata/timestamp.json HTTP/1.1\r\n");
        assert_eq!(asked, Some(200), "poll {poll}");
    }
    stage.agent("a", &["once"]).unwrap().expect_code(0).unwrap();
    let pause = ["gate", "pause", "install", "--reason", "attacked"];
    stage.ctl(&pause).unwrap().expect_code(0).unwrap();
    stage.ctl(&["status"]).unwrap().expect_code(0).unwrap();
    drop(crowds);
    assert!(figure(&stage, "mulberry_connections_cut_total{listener=\"operators\",why=\"crowded\"}") > 0);
}

#[test]
fn a_live_stream_outlives_other_connections() {
    let mut stage = Stage::new(None).unwrap();
    stage.server_options(&["--idle-seconds", "1", "--connection-seconds", "2"]);
    stage.start_server().unwrap();
    let mut live = TcpStream::connect(address(stage.origin())).unwrap();
    live.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    live.write_all(b"GET /api/v1/live HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut heard = String::new();
    let mut hear = |live: &mut TcpStream, what: &str| {
        while !heard.contains(what) {
            let mut bytes = [0; 4096];
            let length = live.read(&mut bytes).unwrap();
            assert_ne!(length, 0, "the stream ended before {what:?}: {heard}");
            heard.push_str(&String::from_utf8_lossy(&bytes[..length]));
        }
    };
    hear(&mut live, "event: edition");
    // Opened later, and cut by now.
    for _ in 0..2 {
        let mut other = Socket::open(address(stage.origin()), TRICKS[2]).unwrap();
        wait_for("another connection to be cut", || Ok((!other.go_on()).then_some(()))).unwrap();
    }
    stage.stop_server().unwrap();
    // Ended in order, not cut.
    hear(&mut live, "0\r\n\r\n");
}

#[test]
fn the_operators_listener_is_bounded_over_tls_as_well() {
    let mut stage = Stage::new(None).unwrap();
    let request = "[req]\ndistinguished_name=dn\nx509_extensions=v3\nprompt=no\n[dn]\nCN=localhost\n\
                   [v3]\nsubjectAltName=IP:127.0.0.1\nbasicConstraints=critical,CA:FALSE\n";
    std::fs::write(stage.path("tls.conf"), request).unwrap();
    let make = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-config", "tls.conf"];
    let files = ["-keyout", "tls.key", "-out", "tls.pem"];
    let openssl = run(Path::new("openssl"), &[&make[..], &files].concat(), stage.folder()).unwrap();
    openssl.expect_code(0).unwrap();
    std::fs::set_permissions(stage.path("tls.key"), PermissionsExt::from_mode(0o600)).unwrap();
    let tls = ["--operators-tls-certificate", "tls.pem", "--operators-tls-key", "tls.key"];
    stage.server_options(&[&["--idle-seconds", "1", "--connection-seconds", "3"], &tls[..]].concat());
    stage.start_server().unwrap();
    assert!(stage.operators().starts_with("https://"));
    let address = stage.operators().trim_start_matches("https://").trim_end_matches('/').to_owned();
    let silent = Trick { name: "says nothing", opening: "", drip: "", reads: true };
    let half = Trick { name: "begins to shake hands", opening: "\x16\x03\x01", drip: "", reads: true };
    let mut sockets: Vec<_> =
        [silent, half].repeat(50).into_iter().map(|trick| Socket::open(&address, trick).unwrap()).collect();
    let ctl = |words: &[&str]| {
        let mut ctl = command(&stage.binaries().ctl(), stage.folder());
        ctl.args(words).args(["--config", "authority/mulberryctl.toml", "--token-file", "token"]);
        ctl.args(["--server", stage.operators(), "--origin", stage.origin()]);
        ctl.env("SSL_CERT_FILE", stage.path("tls.pem")).output().unwrap()
    };
    let status = ctl(&["status"]);
    assert!(status.status.success(), "{}", String::from_utf8_lossy(&status.stderr));
    wait_for("every socket to be cut", || {
        sockets.retain_mut(Socket::go_on);
        Ok(sockets.is_empty().then_some(()))
    })
    .unwrap();
}
