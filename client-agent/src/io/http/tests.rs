//! Against a listener that answers with given bytes.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::config::TlsDates;

/// Answers every request with the same bytes, then closes; returns its address and the requests it saw.
async fn serve(answer: impl Into<Vec<u8>>) -> (String, Arc<Mutex<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (answer, seen) = (answer.into(), Arc::new(Mutex::new(String::new())));
    let log = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut request = vec![0; 4096];
            let length = socket.read(&mut request).await.unwrap_or(0);
            log.lock().unwrap().push_str(&String::from_utf8_lossy(&request[..length]));
            let _ = socket.write_all(&answer).await;
            let _ = socket.shutdown().await;
        }
    });
    (address, seen)
}

async fn get(answer: &str, max: u64) -> Fetched {
    let (address, _) = serve(answer.replace('\n', "\r\n")).await;
    at(&address).get("metadata/1.root.json", max).await
}

fn at(address: &str) -> HttpOrigin {
    HttpOrigin::new(format!("{address}/").parse().unwrap(), &Tls::new(TlsDates::default(), vec![]).unwrap())
        .unwrap()
}

fn failed(fetched: Fetched) -> String {
    match fetched {
        Fetched::Failed(problem) => problem,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn absent_and_failed_are_told_apart() {
    assert_eq!(get("HTTP/1.1 200 OK\nContent-Length: 2\n\nhi", 2).await, Fetched::Bytes(b"hi".into()));
    assert_eq!(get("HTTP/1.1 404 Not Found\nContent-Length: 0\n\n", 9).await, Fetched::Absent);
    assert!(failed(get("HTTP/1.1 503 Busy\nContent-Length: 0\n\n", 9).await).contains("503"));
    assert!(failed(get("HTTP/1.1 200 OK\nContent-Length: 5\n\nhi", 9).await).contains("body"));
    assert!(matches!(
        at("http://127.0.0.1:1").get("x", 9).await,
        Fetched::Failed(problem) if problem.contains("refused")
    ));
}

#[tokio::test]
async fn forbidden_is_absent_for_what_need_not_be_there_and_a_failure_for_all_else() {
    let (address, _) = serve("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno").await;
    let origin = at(&address);
    for path in ["metadata/2.root.json", "2.root.json", "ledger/continues.json", "ledger/00/0.json"] {
        assert_eq!(origin.get(path, 9).await, Fetched::Absent, "{path}");
    }
    for path in ["metadata/timestamp.json", "metadata/2.snapshot.json", "targets/emergency/0.a.json"] {
        assert!(failed(origin.get(path, 9).await).contains("403"), "{path}");
    }
}

#[tokio::test]
async fn a_body_is_cut_at_its_bound_announced_or_not() {
    assert_eq!(get("HTTP/1.1 200 OK\nContent-Length: 3\n\nabc", 2).await, Fetched::TooLong);
    assert_eq!(get("HTTP/1.1 200 OK\nConnection: close\n\nabc", 2).await, Fetched::TooLong);
    assert_eq!(get("HTTP/1.1 200 OK\nConnection: close\n\nabc", 3).await, Fetched::Bytes(b"abc".into()));
}

#[tokio::test]
async fn compression_is_neither_asked_for_nor_taken() {
    let (address, seen) =
        serve("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nhi").await;
    let answer = at(&address).get("x", 9).await;
    assert!(failed(answer).contains("compressed"));
    let request = seen.lock().unwrap().to_lowercase();
    assert!(request.contains("accept-encoding: identity"), "{request}");
}

#[tokio::test]
async fn redirects_stay_with_the_origin() {
    let (elsewhere, seen) = serve("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi").await;
    let answer = get(&format!("HTTP/1.1 302 Found\nLocation: {elsewhere}/x\nContent-Length: 0\n\n"), 9).await;
    assert!(failed(answer).contains("another port"));
    assert_eq!(*seen.lock().unwrap(), "");
    let (from, to) = ("http://fixes.example/a".parse().unwrap(), "https://fixes.example/a".parse().unwrap());
    let sentence = super::redirects::elsewhere(Some(&from), &to);
    assert!(sentence.contains("HTTPS on the same host; name it as https://fixes.example "), "{sentence}");
    let looped = get("HTTP/1.1 302 Found\nLocation: /x\nContent-Length: 0\n\n", 9).await;
    assert!(failed(looped).contains("too often"));
}

#[tokio::test]
async fn paths_cannot_leave_the_origin() {
    let (address, seen) = serve("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi").await;
    let origin = at(&format!("{address}/mirror"));
    for path in ["../x", "/x", "//other.example/x", "http://other.example/x"] {
        assert!(failed(origin.get(path, 9).await).contains("leads out"), "{path}");
    }
    assert_eq!(*seen.lock().unwrap(), "");
    assert_eq!(origin.get("metadata/x", 9).await, Fetched::Bytes(b"hi".into()));
    assert!(seen.lock().unwrap().starts_with("GET /mirror/metadata/x "));
}

#[tokio::test]
async fn a_conditional_request_names_the_origin_s_tag_for_the_very_bytes_held() {
    let (address, seen) = serve("HTTP/1.1 200 OK\r\nETag: W/\"7\"\r\nContent-Length: 2\r\n\r\nhi").await;
    let origin = at(&address);
    let asked = || seen.lock().unwrap().to_lowercase().rsplit("if-none-match: ").next().unwrap().to_owned();
    assert_eq!(origin.get_unless_held("x", 9, b"old").await, Fetched::Bytes(b"hi".into()));
    assert!(asked().starts_with(&format!("\"{}\"", Sha256Digest::of(b"old"))), "{}", asked());
    origin.get_unless_held("x", 9, b"hi").await;
    assert!(asked().starts_with("w/\"7\""), "{}", asked());

    let (address, _) = serve("HTTP/1.1 304 Not Modified\r\nETag: \"7\"\r\n\r\n").await;
    let origin = at(&address);
    assert_eq!(origin.get_unless_held("x", 9, b"hi").await, Fetched::NotModified);
    assert!(failed(origin.get("x", 9).await).contains("304"));
}

const NEVER: Duration = Duration::from_secs(3600);
const SOON: Duration = Duration::from_millis(100);

/// What an agent with this patience makes of a server that sends `start`, then `piece` again and again until the agent hangs up.
async fn drip(patience: Patience, start: &str, piece: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/", listener.local_addr().unwrap());
    let tls = Tls::new(TlsDates::default(), vec![]).unwrap();
    let origin = HttpOrigin::with(address.parse().unwrap(), &tls, patience).unwrap();
    let serve = async {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut request = vec![0; 4096];
        let _ = socket.read(&mut request).await.unwrap();
        let mut next = socket.write_all(start.as_bytes()).await;
        while next.is_ok() {
            let hung_up = tokio::time::timeout(SOON / 4, socket.read(&mut request)).await;
            if matches!(hung_up, Ok(Ok(0) | Err(_))) {
                break;
            }
            next = socket.write_all(piece.as_bytes()).await;
        }
    };
    let bounded = tokio::time::timeout(PATIENCE.total, origin.get("metadata/x", 1 << 20));
    let (answer, ()) = tokio::join!(bounded, serve);
    failed(answer.unwrap())
}

#[tokio::test]
async fn an_answer_that_stalls_is_cut_and_one_that_drips_too() {
    const HEADER: &str = "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n";
    let body = format!("{HEADER}\r\n");
    let stalls = Patience { connect: NEVER, idle: SOON, total: NEVER };
    for start in ["", HEADER, &body] {
        let problem = drip(stalls, start, "").await;
        assert!(problem.contains("timed out"), "{start:?}: {problem}");
    }
    let drips = Patience { connect: NEVER, idle: NEVER, total: SOON };
    for (start, piece) in [(HEADER, "x: y\r\n"), (&body, "x")] {
        let problem = drip(drips, start, piece).await;
        assert!(problem.contains("timed out"), "{start:?}: {problem}");
    }
}

#[tokio::test]
async fn a_header_without_end_is_cut() {
    for field in ["x: y\r\n".to_owned(), "x".repeat(1 << 16)] {
        let answer = format!("HTTP/1.1 200 OK\r\n{}", field.repeat(200));
        let (address, _) = serve(answer).await;
        let problem = failed(at(&address).get("x", 9).await);
        assert!(!problem.contains("timed out"), "{problem}");
    }
}
