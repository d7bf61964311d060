//! The daemon, the live stream, signals, and which add-ons are found, with real processes.

// Clippy knows tests by their attribute and takes their helpers for other code.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, SystemTime};

use mulberry_lab::process::command;
use mulberry_lab::relay::Relay;
use mulberry_lab::replay::material::Material;
use mulberry_lab::stage::{Stage, wait_for};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

/// No poll falls into a test: what happens within a minute, the live stream brought.
const NO_POLLS: [&str; 2] = ["--poll-minutes", "1440"];
const SLUG: &str = "install";

/// A stage after the expiry, with a server, the agent `a`, and a recipe with the replacement, not published yet.
fn stage() -> (Stage, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let material = Material::laboratory(folder.path(), 10, &|_| ()).unwrap();
    let mut stage = Stage::new(Some(material.expired_at)).unwrap();
    stage.start_server().unwrap();
    stage.init_agent("a", &material.anchor, &material.addons, &["--version", "66.0"]).unwrap();
    write_recipe(&stage, &material.replacement, SLUG);
    (stage, folder)
}

fn write_recipe(stage: &Stage, certificate: &Path, slug: &str) {
    let certificate = certificate.to_string_lossy();
    let made = stage.ctl(&["recipe", "new", "--certificate", &certificate, "--slug", slug]).unwrap();
    made.expect_code(0).unwrap();
}

fn publish(stage: &Stage, slug: &str) {
    stage.publish("emergency", &format!("recipes/{slug}")).unwrap();
    stage.open_gate_together(slug, "100").unwrap();
}

fn is_connected(status: &Value) -> bool {
    status["daemon"]["live_connected"] == true
}

/// Connected, and nothing is going on or about to: the next run is hours away.
fn is_settled(status: &Value) -> bool {
    let next = &status["daemon"]["next_why"];
    is_connected(status) && (next == "poll" || next == "pass")
}

fn has(status: &Value, slug: &str, wanted: &str) -> bool {
    let recipes = status["recipes"].as_array().unwrap();
    let path = format!("emergency/{slug}.json");
    recipes.iter().any(|recipe| recipe["path"] == path && recipe["status"] == wanted)
}

fn enabled(stage: &Stage) -> usize {
    let addons = stage.addons("a").unwrap();
    addons["addons"].as_array().unwrap().iter().filter(|addon| addon["enabled"] == true).count()
}

#[test]
fn an_edition_reaches_a_connected_daemon_without_a_poll_also_after_the_server_was_away() {
    let (mut stage, _material) = stage();
    let daemon = stage.start_daemon("a", &NO_POLLS).unwrap();
    let status = stage.wait_for_status("a", "the daemon to settle", is_settled).unwrap();
    assert_eq!(status["daemon"]["pid"], daemon.pid());
    assert!(status["daemon"]["next_run"].is_string());
    let before = enabled(&stage);

    publish(&stage, SLUG);
    let applied = |status: &Value| has(status, SLUG, "applied") || has(status, SLUG, "unchanged");
    stage.wait_for_status("a", "the recipe to be applied", applied).unwrap();
    // The commit comes first, and what the host sees right after it.
    wait_for("the add-ons to be back", || Ok((enabled(&stage) > before).then_some(()))).unwrap();

    stage.kill_server().unwrap();
    stage.wait_for_status("a", "the daemon to notice", |status| !is_connected(status)).unwrap();
    stage.start_server().unwrap();
    stage.wait_for_status("a", "the daemon to come back", is_settled).unwrap();
    stage.ctl(&["gate", "end", SLUG, "--reason", "over", "--yes"]).unwrap().expect_code(0).unwrap();
    stage.wait_for_status("a", "the end", |status| !applied(status)).unwrap();

    assert_eq!(stage.stop_daemon(daemon).unwrap(), Some(0));
    assert_eq!(stage.status("a").unwrap()["daemon"], Value::Null);
    assert!(!stage.path("agents/a/daemon.sock").exists());
    stage.agent("a", &["once"]).unwrap().expect_code(0).unwrap();
    // Live streams do not hold up the stop of a server: the stage gives it a minute, systemd ten times less.
    stage.stop_server().unwrap();
}

#[test]
fn one_daemon_at_a_time_and_the_next_starts_where_one_was_killed() {
    let (stage, _material) = stage();
    let first = stage.start_daemon("a", &NO_POLLS).unwrap();
    stage.agent("a", &["run"]).unwrap().expect_code(5).unwrap();
    stage.agent("a", &["once"]).unwrap().expect_code(5).unwrap();
    drop(first);
    assert!(stage.path("agents/a/daemon.sock").exists(), "killed, so nothing was tidied up");
    assert_eq!(stage.status("a").unwrap()["daemon"], Value::Null);
    let second = stage.start_daemon("a", &NO_POLLS).unwrap();
    second.signal(Signal::SIGINT).unwrap();
    assert_eq!(stage.stop_daemon(second).unwrap(), Some(0));
}

#[test]
fn settings_are_loaded_again_on_a_signal_and_bad_ones_change_nothing() {
    let (stage, _material) = stage();
    let daemon = stage.start_daemon("a", &[]).unwrap();
    let file = stage.path("agents/a/agent.toml");
    let good = std::fs::read_to_string(&file).unwrap();
    let elsewhere = good.replace(stage.origin(), "http://127.0.0.1:9");
    assert_ne!(good, elsewhere);

    std::fs::write(&file, elsewhere.replace("origin", "orgin")).unwrap();
    daemon.signal(Signal::SIGHUP).unwrap();
    let problem = |status: &Value| status["daemon"]["settings_problem"].as_str().map(str::to_owned);
    let status = stage.wait_for_status("a", "the problem", |status| problem(status).is_some()).unwrap();
    assert!(problem(&status).unwrap().contains("did you mean `origins`?"), "{status}");
    assert!(status["daemon"]["origin"].as_str().unwrap().starts_with(stage.origin().trim_end_matches('/')));
    stage.wait_for_status("a", "the daemon to go on", is_connected).unwrap();

    std::fs::write(&file, elsewhere).unwrap();
    daemon.signal(Signal::SIGHUP).unwrap();
    let status = stage.wait_for_status("a", "the new origin", |status| problem(status).is_none()).unwrap();
    assert_eq!(status["daemon"]["origin"], "http://127.0.0.1:9/");
    stage.wait_for_status("a", "the stream to be left", |status| !is_connected(status)).unwrap();
    assert_eq!(stage.stop_daemon(daemon).unwrap(), Some(0));
}

#[test]
fn a_poll_without_news_moves_only_headers_and_writes_nothing() {
    let (stage, _material) = stage();
    publish(&stage, SLUG);
    let relay = Relay::to(stage.origin()).unwrap();
    let once = || stage.agent("a", &["once", "--origin", relay.origin()]).unwrap().expect_code(0).unwrap();
    once();
    once();
    relay.take();
    let before = snapshot(&stage.path("agents/a"));
    once();
    assert_eq!(snapshot(&stage.path("agents/a")), before);
    let heard = relay.take();
    println!("a poll without news: {} bytes, answers of {}", heard.asked.len(), heard.answered.len());
    assert_eq!(heard.statuses(), [404, 304], "{}", String::from_utf8_lossy(&heard.answered));
}

#[test]
fn a_daemon_that_polls_without_news_writes_nothing() {
    let (stage, _material) = stage();
    let daemon = stage.start_daemon("a", &NO_POLLS).unwrap();
    stage.wait_for_status("a", "the daemon to settle", is_settled).unwrap();
    // New settings bring a run: the second notes that nothing is new any more, the third has nothing to note.
    let run_again = || {
        let runs = |status: &Value| status["daemon"]["runs"].as_u64().unwrap();
        let made = runs(&stage.status("a").unwrap());
        daemon.signal(Signal::SIGHUP).unwrap();
        stage.wait_for_status("a", "a run", |now| runs(now) > made && is_settled(now)).unwrap();
    };
    run_again();
    let before = snapshot(&stage.path("agents/a"));
    run_again();
    assert_eq!(snapshot(&stage.path("agents/a")), before);
    assert_eq!(stage.stop_daemon(daemon).unwrap(), Some(0));
}

#[test]
fn health_answers_while_every_live_stream_is_taken() {
    let (stage, _material) = stage();
    let address = stage.origin().trim_start_matches("http://").trim_end_matches('/').to_owned();
    let ask = |path: &str| {
        let mut socket = TcpStream::connect(&address).unwrap();
        write!(socket, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = [0; 12];
        socket.read_exact(&mut answer).unwrap();
        (String::from_utf8_lossy(&answer).into_owned(), socket)
    };
    let mut streams = Vec::new();
    let refused = (0..800).find_map(|_| {
        let (answer, socket) = ask("/api/v1/live");
        streams.push(socket);
        (answer == "HTTP/1.1 503").then_some(streams.len())
    });
    assert!(refused.is_some_and(|count| count > 100), "{refused:?}");
    assert_eq!(ask("/__lbheartbeat__").0, "HTTP/1.1 200");
    drop(streams);
    wait_for("a place to be free", || Ok((ask("/api/v1/live").0 == "HTTP/1.1 200").then_some(()))).unwrap();
}

#[test]
fn a_server_that_may_open_few_files_refuses_streams_and_stays_reachable() {
    let (mut stage, _material) = stage();
    stage.stop_server().unwrap();
    stage.limit_open_files(64, 256);
    stage.start_server().unwrap();
    let ask = |origin: &str, path: &str, header: &str| {
        let mut socket = TcpStream::connect(origin.trim_start_matches("http://")).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        write!(socket, "GET {path} HTTP/1.1\r\nHost: x\r\n{header}\r\n").unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            socket.read_exact(&mut byte).unwrap();
            head.extend(byte);
        }
        (String::from_utf8(head).unwrap(), socket)
    };
    let live = || ask(stage.origin(), "/api/v1/live", "");
    let (streams, refused): (Vec<_>, Vec<_>) =
        (0..300).map(|_| live()).partition(|(head, _)| head.starts_with("HTTP/1.1 200 "));
    for (head, mut socket) in refused {
        assert!(head.starts_with("HTTP/1.1 503 ") && head.contains("\r\nretry-after: 60\r\n"), "{head}");
        // It ends, although nobody asked for that: otherwise those who were refused would take the room.
        socket.read_to_end(&mut Vec::new()).unwrap();
    }

    for path in ["/__lbheartbeat__", "/__heartbeat__", "/metadata/timestamp.json"] {
        let (head, _) = ask(stage.origin(), path, "Connection: close\r\n");
        assert!(head.starts_with("HTTP/1.1 200 "), "{path}: {head}");
    }
    publish(&stage, SLUG);
    let token = std::fs::read_to_string(stage.path("token")).unwrap();
    let header = format!("Authorization: Bearer {}\r\nConnection: close\r\n", token.trim());
    let mut metrics = String::new();
    ask(stage.operators(), "/metrics", &header).1.read_to_string(&mut metrics).unwrap();
    let open = streams.len();
    for line in [
        "mulberry_open_files_limit 256".to_owned(),
        format!("mulberry_live_connections {open}"),
        format!("mulberry_live_connections_limit {open}"),
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line} is not in\n{metrics}");
    }
    let log = std::fs::read_to_string(stage.path("server.log")).unwrap();
    assert!(log.contains("not all connections asked for fit") && log.contains("connections=64"), "{log}");

    drop(streams);
    wait_for("a place to be free", || Ok(live().0.starts_with("HTTP/1.1 200 ").then_some(()))).unwrap();
}

/// An origin that takes every connection and never says a word.
fn silent_origin() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    (listener, origin)
}

#[test]
fn a_signal_ends_a_run_that_waits_and_leaves_everything_as_it_was() {
    let (stage, _material) = stage();
    stage.agent("a", &["once"]).unwrap().expect_code(0).unwrap();
    let (listener, origin) = silent_origin();
    let decided = || {
        ["state.json", "addons.json"].map(|name| std::fs::read(stage.path("agents/a").join(name)).unwrap())
    };
    let before = decided();
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let mut once = command(&stage.binaries().agent(), stage.folder());
        once.args(["once", "--json", "--state", "agents/a", "--origin", &origin]);
        let once = once.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        // The connection is not answered, so the run is in its refresh from here on.
        let asked = listener.accept().unwrap();
        kill(Pid::from_raw(once.id() as i32), signal).unwrap();
        let ended = once.wait_with_output().unwrap();
        drop(asked);
        assert_eq!(ended.status.code(), Some(143), "{signal}");
        let said: Value = serde_json::from_slice(&ended.stdout).unwrap();
        assert_eq!((&said["error"]["kind"], &said["error"]["exit"]), (&"stopped".into(), &143.into()));
        assert_eq!(decided(), before);
    }
    let daemon = stage.start_daemon("a", &["--origin", &origin]).unwrap();
    stage.wait_for_status("a", "a run", |status| status["daemon"]["running"] == true).unwrap();
    assert_eq!(stage.stop_daemon(daemon).unwrap(), Some(0));
    let log = std::fs::read_to_string(stage.path("a.log")).unwrap();
    assert!(log.contains("the run was ended by a signal"), "{log}");
    assert_eq!(decided(), before);
    stage.agent("a", &["once"]).unwrap().expect_code(0).unwrap();
}

/// As Nix, home-manager and stow install them.
#[test]
fn linked_add_ons_count_and_whatever_is_left_out_is_in_status() {
    let folder = tempfile::tempdir().unwrap();
    let material = Material::laboratory(folder.path(), 4, &|_| ()).unwrap();
    let addons = folder.path().join("profile");
    let store = folder.path().join("store");
    std::fs::create_dir(&addons).unwrap();
    std::fs::rename(&material.addons, &store).unwrap();
    let mut files: Vec<_> = std::fs::read_dir(&store).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let one = files.iter().find(|path| path.extension().is_some_and(|extension| extension == "xpi")).unwrap();
    symlink(one, addons.join("one.xpi")).unwrap();
    symlink(&store, addons.join("all")).unwrap();
    symlink(&addons, store.join("back")).unwrap();
    symlink("/nonexistent/gone.xpi", addons.join("gone.xpi")).unwrap();
    std::fs::write(addons.join("._one.xpi"), "attributes of a file").unwrap();

    let mut stage = Stage::new(Some(material.expired_at)).unwrap();
    stage.start_server().unwrap();
    stage.init_agent("a", &material.anchor, &addons, &["--version", "66.0"]).unwrap();
    let said = stage.agent("a", &["once"]).unwrap().expect_code(0).unwrap();
    let paths: Vec<_> = stage.addons("a").unwrap()["addons"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| line["path"].as_str().unwrap().to_owned())
        .collect();
    let linked = |file: &Path| format!("all/{}", file.file_name().unwrap().to_string_lossy());
    assert!(paths.contains(&"one.xpi".to_owned()) && paths.contains(&linked(one)), "{paths:?}");
    assert!(!paths.iter().any(|path| path.contains("._") || path.contains("back") || path.contains("gone")));
    let left_out = &stage.status("a").unwrap()["addons"]["left_out"];
    assert_eq!((&left_out["count"], &left_out["path"]), (&1.into(), &"gone.xpi".into()), "{left_out}");
    for text in [said.stdout, stage.agent("a", &["status"]).unwrap().stdout] {
        assert!(
            text.contains("Not counted, because nobody could look there: gone.xpi: it is a link"),
            "{text}"
        );
    }
    let verified =
        ["verify", "--json", "--anchor", &material.anchor.to_string_lossy(), &addons.to_string_lossy()];
    let said = mulberry_lab::process::run(&stage.binaries().agent(), &verified, stage.folder()).unwrap();
    // The last line is the failure: something was left out.
    assert_eq!(said.stdout.lines().filter(|line| line.contains("\"verdict\"")).count(), paths.len());
    assert!(
        said.stderr.contains("gone.xpi: it is a link, and what it leads to is not there"),
        "{}",
        said.stderr
    );
}

type Contents = BTreeMap<String, (SystemTime, Vec<u8>)>;

/// Every file and folder below `folder`, with the time of its last change and its content.
fn snapshot(folder: &Path) -> Contents {
    let mut found = Contents::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let modified = std::fs::metadata(&folder).unwrap().modified().unwrap();
        found.insert(folder.display().to_string(), (modified, Vec::new()));
        for entry in std::fs::read_dir(&folder).unwrap() {
            let (entry, path) = entry.map(|entry| (entry.metadata().unwrap(), entry.path())).unwrap();
            if entry.is_dir() {
                folders.push(path);
            } else if entry.is_file() {
                let bytes = std::fs::read(&path).unwrap();
                found.insert(path.display().to_string(), (entry.modified().unwrap(), bytes));
            }
        }
    }
    found
}
