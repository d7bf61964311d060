//! Polls of `timestamp.json`: mulberry-server against nginx, which serves the same bytes with the same headers from a file.
//!
//! Both run on this machine with a worker for each of two cores and without a log of requests; wrk asks over loopback, on
//! connections that are kept. All three share the cores, so only the comparison within one run says anything.

mod wrk;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::series::{Bound, Ratio, Series};
use crate::LabError;
use crate::nginx::{self, Nginx};
use crate::relay::Relay;
use crate::replay::material::Material;
use crate::stage::{Stage, StageError};

/// What a poll asks for.
const PATH: &str = "/metadata/timestamp.json";

/// What is measured.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// Rounds.
    pub rounds: usize,
    /// Seconds of each measurement: four in a round.
    pub seconds: u64,
    /// Connections at once.
    pub connections: usize,
}

/// One poll that finds nothing new, as an agent sends it over plain HTTP: bytes above TCP.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Weight {
    /// Requests: for the next root, which is not there, and for the timestamp, which is the same.
    pub requests: usize,
    /// Bytes that the agent sends.
    pub request_bytes: usize,
    /// Bytes that the server answers.
    pub answer_bytes: usize,
}

/// What was found.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Bytes of `timestamp.json`.
    pub bytes: usize,
    /// What a poll without news weighs.
    pub poll_without_news: Weight,
    /// Connections at once.
    pub connections: usize,
    /// Rounds.
    pub rounds: usize,
    /// Median answers a second of each thing.
    pub per_second: BTreeMap<&'static str, f64>,
    /// The ratios.
    pub ratios: Vec<Ratio>,
}

/// The programs of others that are needed.
#[derive(Clone, Debug)]
pub struct Tools {
    nginx: PathBuf,
    wrk: PathBuf,
}

impl Tools {
    /// Finds them.
    ///
    /// # Errors
    /// A sentence that says which is missing, and how to get it.
    pub fn find() -> Result<Self, String> {
        let find = |name, package| nginx::find(name, package, "polls");
        Ok(Self { nginx: find("nginx", "nginx-light")?, wrk: find("wrk", "wrk")? })
    }
}

/// Measures; `progress` is told what is going on.
///
/// # Errors
/// A program cannot be started, answers wrongly, or is not to be measured.
pub fn measure(spec: &Spec, tools: &Tools, progress: &(dyn Fn(&str) + Sync)) -> Result<Report, LabError> {
    let failed = |error: StageError| LabError::Impossible(error.to_string());
    progress("starting mulberry-server and nginx");
    let mut stage = Stage::new(None).map_err(failed)?;
    stage.start_server().map_err(failed)?;
    progress("weighing a poll of an agent");
    let poll_without_news = weigh(&stage).map_err(failed)?;
    let ours = Target::new(stage.origin());
    let (etag, bytes) = ours.check()?;
    let folder = tempfile::tempdir().map_err(LabError::file(std::env::temp_dir()))?;
    let file = folder.path().join(PATH.trim_start_matches('/'));
    file.parent().map_or(Ok(()), std::fs::create_dir_all).map_err(LabError::file(&file))?;
    std::fs::write(&file, &bytes).map_err(LabError::file(&file))?;
    let nginx = Nginx::start(&tools.nginx, |_, port| served(folder.path(), port))?;
    let theirs = Target::new(&nginx.origin());
    let (their_etag, their_bytes) = theirs.check()?;
    if their_bytes != bytes {
        return Err(LabError::Impossible("nginx serves other bytes than mulberry-server".into()));
    }
    let [mut ours_200, mut theirs_200, mut ours_304, mut theirs_304] = [const { Series::new() }; 4];
    let server = stage.server_pid().map_err(failed)?;
    for round in 1..=spec.rounds {
        progress(&format!("polls, round {round} of {}", spec.rounds));
        for (series, target, pid, known) in [
            (&mut ours_200, &ours, server, None),
            (&mut theirs_200, &theirs, nginx.pid(), None),
            (&mut ours_304, &ours, server, Some(&etag)),
            (&mut theirs_304, &theirs, nginx.pid(), Some(&their_etag)),
        ] {
            series.push(wrk::measure(&tools.wrk, spec, &target.url(), known.map(String::as_str), pid)?);
        }
    }
    let all = [
        ("mulberry-200", &ours_200),
        ("nginx-200", &theirs_200),
        ("mulberry-304", &ours_304),
        ("nginx-304", &theirs_304),
    ];
    Ok(Report {
        bytes: bytes.len(),
        poll_without_news,
        connections: spec.connections,
        rounds: spec.rounds,
        per_second: all.map(|(name, series)| (name, series.wall())).into(),
        ratios: vec![
            ours_200.ratio_to(&theirs_200, "polls with news (200) to nginx", Bound::AtLeast(0.9)),
            ours_304.ratio_to(&theirs_304, "polls without news (304) to nginx", Bound::AtLeast(0.75)),
        ],
    })
}

/// The files in `folder`, with the headers of mulberry-server.
fn served(folder: &Path, port: u16) -> String {
    let folder = folder.display();
    format!(
        "    types {{ application/json json; }}
    sendfile on;
    keepalive_timeout 60s;
    keepalive_requests 1000000000;
    open_file_cache max=16 inactive=60s;
    server {{
        listen 127.0.0.1:{port};
        root {folder};
        location /metadata/ {{
            add_header Cache-Control \"public, max-age=5\";
            add_header X-Content-Type-Options nosniff;
        }}
    }}"
    )
}

/// Listens to an agent that was there before and finds nothing new.
fn weigh(stage: &Stage) -> Result<Weight, StageError> {
    let folder = tempfile::tempdir().map_err(|error| StageError(error.to_string()))?;
    let material = Material::laboratory(folder.path(), 1, &|_| ())?;
    stage.init_agent("a", &material.anchor, &material.addons, &["--version", "66.0"])?;
    let relay = Relay::to(stage.origin())?;
    let once = || stage.agent("a", &["once", "--origin", relay.origin()])?.expect_code(0);
    once()?;
    relay.take();
    once()?;
    let heard = relay.take();
    let statuses = heard.statuses();
    if statuses != [404, 304] {
        return Err(StageError(format!("a poll without news was answered {statuses:?}, not 404 and 304")));
    }
    let (request_bytes, answer_bytes) = (heard.asked.len(), heard.answered.len());
    Ok(Weight { requests: statuses.len(), request_bytes, answer_bytes })
}

/// A server that is asked.
struct Target {
    address: String,
}

impl Target {
    fn new(origin: &str) -> Self {
        let address = origin.trim_start_matches("http://").trim_end_matches('/');
        Self { address: address.to_owned() }
    }

    fn url(&self) -> String {
        format!("http://{}{PATH}", self.address)
    }

    /// That it answers 200 with a body and an entity tag, and 304 to that tag: both.
    fn check(&self) -> Result<(String, Vec<u8>), LabError> {
        let (head, body) = self.ask("")?;
        let etag = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("etag").then(|| value.trim().to_owned())
        });
        let wrong = |head: &str| LabError::Impossible(format!("{} answers wrongly:\n{head}", self.url()));
        let etag = etag.filter(|_| head.starts_with("HTTP/1.1 200 ")).ok_or_else(|| wrong(&head))?;
        let (again, nothing) = self.ask(&format!("If-None-Match: {etag}\r\n"))?;
        if again.starts_with("HTTP/1.1 304 ") && nothing.is_empty() && !body.is_empty() {
            Ok((etag, body))
        } else {
            Err(wrong(&again))
        }
    }

    fn ask(&self, header: &str) -> Result<(String, Vec<u8>), LabError> {
        let mut answer = Vec::new();
        TcpStream::connect(&self.address)
            .and_then(|mut socket| {
                write!(socket, "GET {PATH} HTTP/1.1\r\nHost: bench\r\n{header}Connection: close\r\n\r\n")?;
                socket.read_to_end(&mut answer)
            })
            .map_err(LabError::file(self.url()))?;
        let split = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap_or(answer.len());
        let (head, body) = answer.split_at(split);
        Ok((String::from_utf8_lossy(head).into_owned(), body.get(4..).unwrap_or_default().to_vec()))
    }
}
