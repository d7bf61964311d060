//! Bad requests to both listeners of the real server: problem documents, and it keeps serving.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use mulberry_lab::stage::{Stage, wait_for};
use serde_json::Value;

/// The most a server may hold above what it held when idle, in KiB.
const ABOVE_IDLE: u64 = 64 << 10;

struct Answer {
    status: u16,
    body: String,
}

/// Sends these bytes and reads what comes. A server that has answered need not take the rest.
fn send(address: &str, request: &[u8]) -> Answer {
    let mut socket = TcpStream::connect(address.trim_start_matches("http://").trim_end_matches('/')).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let _ = socket.write_all(request);
    let _ = socket.shutdown(std::net::Shutdown::Write);
    let mut bytes = Vec::new();
    let _ = socket.read_to_end(&mut bytes);
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let status = text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
    let body = text.split_once("\r\n\r\n").map_or(String::new(), |(_, body)| body.to_owned());
    Answer { status, body }
}

fn get(address: &str, path: &str) -> Answer {
    send(address, format!("GET {path} HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n").as_bytes())
}

/// A request of an operator.
fn ask(address: &str, token: &str, line: &str, media_type: &str, body: &[u8]) -> Answer {
    let head = format!(
        "{line} HTTP/1.1\r\nHost: lab\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: {media_type}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    send(address, &[head.as_bytes(), body].concat())
}

#[test]
fn the_server_answers_bad_requests_with_problems_and_keeps_serving() {
    let mut stage = Stage::new(None).unwrap();
    stage.start_server().unwrap();
    let told: Value =
        serde_json::from_slice(&std::fs::read(stage.path("server/listening.json")).unwrap()).unwrap();
    let (public, operators) = (told["public"].as_str().unwrap(), told["operators"].as_str().unwrap());
    let token = std::fs::read_to_string(stage.path("token")).unwrap();
    let idle = peak(&told);
    let timestamp = get(public, "/metadata/timestamp.json");
    assert_eq!(timestamp.status, 200);

    let long = format!("/metadata/{}", "a".repeat(20_000));
    let paths = [
        "/metadata/..%2f",
        "/metadata/../keys/timestamp.pem",
        "/metadata/..%2f..%2fkeys%2ftimestamp.pem",
        "/metadata/%2e%2e/keys/timestamp.pem",
        "/targets/%00",
        "/targets/%ff%fe",
        "/targets/",
        "/metadata//timestamp.json",
        "/metadata/./timestamp.json",
        "//metadata/timestamp.json",
        "/metadata/timestamp.json%00",
        "/metadata/timestamp.json/",
        "/targets/%",
        "/targets/%zz",
        &long,
        "/api/v1/status",
    ];
    for path in paths {
        let answer = get(public, path);
        let case = format!("{path:.60}: {} {:.200}", answer.status, answer.body);
        println!("{case}");
        assert!(matches!(answer.status, 400 | 404 | 414 | 431), "{case}");
        assert!(!answer.body.contains("PRIVATE KEY"), "{case}");
        // That a repository lacks a file is an ordinary answer, without a body; anything else is a problem.
        let in_repository = path.starts_with("/metadata/") || path.starts_with("/targets/");
        if answer.status == 404 && !(in_repository && answer.body.is_empty()) {
            problem(&answer, &case);
        }
    }
    for raw in [&b"\xff\xfe\x00\r\n\r\n"[..], b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", &[b'a'; 200_000]] {
        let answer = send(public, raw);
        assert!(matches!(answer.status, 0 | 400..=431), "{:?}: {}", &raw[..raw.len().min(20)], answer.status);
    }

    let lane = "POST /api/v1/lanes/emergency";
    let gate = "PUT /api/v1/gates/emergency/slug";
    let json = "application/json";
    let huge = [b"{\"metadata\":\"".to_vec(), vec![b'A'; 40 << 20], b"\"}".to_vec()].concat();
    let full =
        [b"{\"metadata\":\"".to_vec(), vec![b'A'; 15 << 20], b"\",\"recipes\":{},\"withdraw\":[]}".to_vec()]
            .concat();
    let values = [b"{\"withdraw\":[".to_vec(), b"1,".repeat(7 << 20), b"1]}".to_vec()].concat();
    let deep = b"[".repeat(1 << 20);
    let bodies: [(&str, &[u8], u16); 9] = [
        ("huge", &huge, 413),
        ("as large as may be", &full, 400),
        ("many values", &values, 400),
        ("deep", &deep, 400),
        ("not UTF-8", b"{\"revision\":1,\"reason\":\"\xff\"}", 400),
        ("duplicate keys", b"{\"revision\":1,\"revision\":2}", 400),
        ("an array", b"[1]", 400),
        ("empty", b"", 400),
        ("trailing data", b"{} {}", 400),
    ];
    for (name, body, status) in bodies {
        for line in [lane, gate] {
            let answer = ask(operators, &token, line, json, body);
            let case = format!("{name} to {line}: {} {:.300}", answer.status, answer.body);
            println!("{case}");
            // A refusal may overtake the body: then the connection is cut before all was sent.
            let cut = status == 413 && answer.status == 0;
            assert!(cut || (400..=422).contains(&answer.status), "{case}");
            if !cut {
                assert!(status != 413 || answer.status == 413, "{case}");
                problem(&answer, &case);
            }
        }
    }
    for media_type in ["text/plain", "application/xml", "\u{1F98A}"] {
        let answer = ask(operators, &token, gate, media_type, b"<gate/>");
        assert!((400..=415).contains(&answer.status), "{media_type}: {}", answer.status);
    }
    for line in [
        "PUT /api/v1/gates/emergency/..%2f..%2fx",
        "PUT /api/v1/gates/emergency/%00",
        "POST /api/v1/lanes/gates",
    ] {
        let answer = ask(operators, &token, line, json, b"{}");
        let case = format!("{line}: {} {}", answer.status, answer.body);
        assert_eq!(answer.status, 404, "{case}");
        problem(&answer, &case);
    }
    let answer = ask(operators, "not-a-token", lane, json, &deep);
    assert_eq!(answer.status, 401, "{}", answer.body);

    for address in [public, operators] {
        let heartbeat = get(address, "/__heartbeat__");
        assert!(heartbeat.status == 200 || address == operators, "{}", heartbeat.body);
    }
    assert_eq!(get(public, "/metadata/timestamp.json").body, timestamp.body);
    let log = std::fs::read_to_string(stage.path("server.log")).unwrap();
    assert!(!log.contains("panicked at"), "{log}");
    let held = peak(&told);
    println!("server: at most {held} KiB on bad requests, {idle} KiB when idle");
    assert!(held <= idle + ABOVE_IDLE, "{held} KiB on bad requests, {idle} KiB when idle");
    stage.stop_server().unwrap();
}

fn problem(answer: &Answer, case: &str) {
    let problem: Value = serde_json::from_str(&answer.body).unwrap_or_else(|error| panic!("{case}: {error}"));
    let told = problem["detail"].as_str().is_some_and(|detail| !detail.is_empty() && detail.len() < 1000);
    assert!(problem["status"] == answer.status && told, "{case}");
}

/// The most memory that the server has held so far, in KiB.
fn peak(told: &Value) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", told["pid"])).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn two_thousand_wrong_tokens_are_a_figure_and_one_line_in_the_log() {
    const WRONG: usize = 2_000;
    let mut stage = Stage::new(None).unwrap();
    stage.start_server().unwrap();
    let address = stage.operators().trim_start_matches("http://").trim_end_matches('/').to_owned();
    let mut socket = BufReader::new(TcpStream::connect(address).unwrap());
    for number in 0..WRONG {
        let head = format!(
            "GET /api/v1/status HTTP/1.1\r\nHost: lab\r\nAuthorization: Bearer guess-{number}\r\n\r\n"
        );
        socket.get_mut().write_all(head.as_bytes()).unwrap();
        let (mut line, mut status, mut length) = (String::new(), String::new(), 0);
        while line != "\r\n" {
            line.clear();
            socket.read_line(&mut line).unwrap();
            let lower = line.to_lowercase();
            status = if status.is_empty() { line.clone() } else { status };
            if let Some(told) = lower.strip_prefix("content-length: ") {
                length = told.trim().parse().unwrap();
            }
        }
        assert!(status.contains(" 401 "), "{status}");
        let mut body = vec![0; length];
        socket.read_exact(&mut body).unwrap();
    }
    let token = std::fs::read_to_string(stage.path("token")).unwrap();
    let metrics = ask(stage.operators(), &token, "GET /metrics", "text/plain", b"").body;
    assert!(metrics.contains(&format!("mulberry_tokens_refused_total {WRONG}\n")), "{metrics}");
    let said = || {
        let log = std::fs::read_to_string(stage.path("server.log")).unwrap();
        let of_it = |line: &&str| line.contains("requests without a valid token");
        let lines: Vec<String> = log.lines().filter(of_it).map(str::to_owned).collect();
        Ok(lines.last().is_some_and(|line| line.contains(&format!("since_start={WRONG}"))).then_some(lines))
    };
    let lines = wait_for("the server to say so", said).unwrap();
    // As many as there were looks while they came, and not one for each.
    assert!(lines.len() < 20, "{lines:?}");
    assert!(!lines.concat().contains("guess-"));
}
