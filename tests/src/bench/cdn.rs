//! A cache before the server: how much of a crowd's polls reaches it, and what agents get when it is down.
//!
//! The cache is nginx with the settings of `server/docs/cdn.md`, so the page is tried with each measurement.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde::Serialize;

use super::series::{Bound, Ratio};
use crate::LabError;
use crate::nginx::{self, Nginx};
use crate::replay::material::Material;
use crate::stage::{Stage, StageError};

/// What operators are told to put before the server.
const PAGE: &str = include_str!("../../../server/docs/cdn.md");

/// Of what agents ask, this part may reach the server.
const SHARE: f64 = 0.02;

/// Clients that poll at once.
const CLIENTS: usize = 8;

/// What a poll without news asks for: the next root, which is not there, and the timestamp, which is known.
const NEXT_ROOT: &str = "/metadata/2.root.json";
const TIMESTAMP: &str = "/metadata/timestamp.json";

/// What is measured.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// Polls.
    pub polls: usize,
    /// Over how long they are spread; as fast as they can be where that takes longer.
    pub over: Duration,
}

/// What was found.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Polls.
    pub polls: usize,
    /// Requests of these polls.
    pub requests: usize,
    /// Seconds that they took.
    pub seconds: f64,
    /// Requests that reached the server meanwhile, by what they were for.
    pub reached: BTreeMap<String, u64>,
    /// With the server stopped, what an agent said that was there before.
    pub known_agent: String,
    /// What the first run of a new agent came to for the recipe that is published.
    pub new_agent: String,
    /// The share that reached the server.
    pub ratios: Vec<Ratio>,
}

/// Finds nginx.
///
/// # Errors
/// A sentence that says how to get it.
pub fn find() -> Result<PathBuf, String> {
    nginx::find("nginx", "nginx-light", "a cache")
}

/// Measures; `progress` is told what is going on.
///
/// # Errors
/// Something cannot be started, answers wrongly, or an agent gets nothing from the cache.
pub fn measure(spec: &Spec, program: &Path, progress: &(dyn Fn(&str) + Sync)) -> Result<Report, LabError> {
    let failed = |error: StageError| LabError::Impossible(error.to_string());
    progress("publishing a fix, and starting nginx before mulberry-server");
    let folder = tempfile::tempdir().map_err(LabError::file(std::env::temp_dir()))?;
    let material = Material::laboratory(folder.path(), 5, &|_| ()).map_err(failed)?;
    let mut stage = Stage::new(Some(material.expired_at)).map_err(failed)?;
    stage.start_server().map_err(failed)?;
    let settings = settings()?;
    let nginx = Nginx::start(program, |folder, port| {
        let mut settings = settings.clone();
        for (of_the_page, here) in [
            (PLACES[0], folder.join("cache").display().to_string()),
            (PLACES[1], stage.origin().trim_start_matches("http://").trim_end_matches('/').to_owned()),
            (PLACES[2], format!("listen 127.0.0.1:{port};")),
        ] {
            settings = settings.replace(of_the_page, &here);
        }
        settings
    })?;
    let cache = nginx.origin();
    publish(&stage, &material).map_err(failed)?;
    let agent = |name: &str| stage.agent(name, &["once", "--origin", &cache, "--json"]);
    let first = agent("known").and_then(|said| said.expect_code(0)).map_err(failed)?;
    applied(&first.json().map_err(failed)?)?;

    progress(&format!("{} polls", spec.polls));
    let before = requests(&stage)?;
    let begun = Instant::now();
    poll(spec, cache.trim_start_matches("http://"))?;
    let seconds = begun.elapsed().as_secs_f64();
    let reached: BTreeMap<String, u64> = requests(&stage)?
        .into_iter()
        .map(|(endpoint, count)| {
            let before = before.get(&endpoint).copied().unwrap_or_default();
            (endpoint, count.saturating_sub(before))
        })
        .filter(|(_, count)| *count > 0)
        .collect();

    progress("stopping mulberry-server: an agent that was there before, and a new one");
    stage.stop_server().map_err(failed)?;
    let agent = |name: &str| stage.agent(name, &["once", "--origin", &cache, "--json"]);
    let known = agent("known").and_then(|said| said.expect_code(0)).map_err(failed)?;
    let known = known.json().map_err(failed)?;
    let new = agent("new").and_then(|said| said.expect_code(0)).map_err(failed)?;
    let new_agent = applied(&new.json().map_err(failed)?)?;

    let asked = spec.polls.saturating_mul(2);
    let share = reached.values().sum::<u64>() as f64 / asked as f64;
    Ok(Report {
        polls: spec.polls,
        requests: asked,
        seconds,
        reached,
        known_agent: known["refresh"]["detail"].as_str().unwrap_or_default().to_owned(),
        new_agent,
        ratios: vec![Ratio {
            name: "requests that reach the server to those of agents",
            wall: share,
            cpu: None,
            lowest: share,
            highest: share,
            bound: Bound::AtMost(SHARE),
            holds: share <= SHARE,
        }],
    })
}

/// What is another one here than on the page.
const PLACES: [&str; 3] = ["/var/cache/nginx/mulberry", "127.0.0.1:8080", "listen 80;"];

/// The page's settings.
fn settings() -> Result<String, LabError> {
    let block = PAGE.split_once("```nginx cdn\n").and_then(|(_, rest)| rest.split_once("```"));
    let settings = block
        .map(|(settings, _)| settings.to_owned())
        .filter(|settings| PLACES.iter().all(|place| settings.contains(place)));
    settings.ok_or_else(|| LabError::Impossible("server/docs/cdn.md has no settings for nginx".into()))
}

/// Arms and fires a fix, and sets up two agents.
fn publish(stage: &Stage, material: &Material) -> Result<(), StageError> {
    let replacement = material.replacement.to_string_lossy();
    stage.ctl(&["recipe", "new", "--certificate", &replacement, "--slug", SLUG])?.expect_code(0)?;
    stage.publish("emergency", &format!("recipes/{SLUG}"))?;
    stage.open_gate_together(SLUG, "100")?;
    for name in ["known", "new"] {
        stage.init_agent(name, &material.anchor, &material.addons, &["--version", "66.0.3"])?;
    }
    Ok(())
}

const SLUG: &str = "install";

/// That the fix was applied.
fn applied(report: &serde_json::Value) -> Result<String, LabError> {
    let recipes = report["recipes"].as_array().cloned().unwrap_or_default();
    let status = recipes.iter().find(|recipe| recipe["path"] == format!("emergency/{SLUG}.json"));
    match status.and_then(|recipe| recipe["status"].as_str()) {
        Some("applied") => Ok("applied".into()),
        _ => Err(LabError::Impossible(format!("an agent did not take the fix from the cache: {report}"))),
    }
}

/// Requests that the server answered on its public listener so far, by what they were for.
fn requests(stage: &Stage) -> Result<BTreeMap<String, u64>, LabError> {
    let token = stage.path("token");
    let token = std::fs::read_to_string(&token).map_err(LabError::file(&token))?;
    let address = stage.operators().trim_start_matches("http://").trim_end_matches('/').to_owned();
    let ask = || -> io::Result<String> {
        let mut socket = TcpStream::connect(&address)?;
        write!(
            socket,
            "GET /metrics HTTP/1.1\r\nHost: lab\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\r\n"
        )?;
        let mut answer = String::new();
        socket.read_to_string(&mut answer).map(|_| answer)
    };
    let answer = ask().map_err(LabError::file(&address))?;
    let mut counts = BTreeMap::new();
    for line in answer.lines() {
        let Some(rest) = line.strip_prefix("mulberry_http_requests_total{endpoint=\"") else { continue };
        let Some((endpoint, rest)) = rest.split_once('"') else { continue };
        let count =
            rest.rsplit_once(' ').and_then(|(_, count)| count.parse::<u64>().ok()).unwrap_or_default();
        // Of the operators' listener, and asked here.
        if endpoint != "metrics" {
            *counts.entry(endpoint.to_owned()).or_default() += count;
        }
    }
    if counts.is_empty() {
        return Err(LabError::Impossible(format!("the server's figures cannot be read:\n{answer}")));
    }
    Ok(counts)
}

/// Polls as agents do, from several clients at once, each on a connection that is kept.
fn poll(spec: &Spec, address: &str) -> Result<(), LabError> {
    let done = AtomicUsize::new(0);
    let begun = Instant::now();
    let work = || -> io::Result<()> {
        let mut client = Client::new(address)?;
        let (_, tag) = client.ask(TIMESTAMP, None)?;
        loop {
            let number = done.fetch_add(1, Ordering::SeqCst);
            if number >= spec.polls {
                return Ok(());
            }
            let due = spec.over.mul_f64(number as f64 / spec.polls as f64);
            std::thread::sleep(due.saturating_sub(begun.elapsed()));
            let (root, _) = client.ask(NEXT_ROOT, None)?;
            let (timestamp, _) = client.ask(TIMESTAMP, tag.as_deref())?;
            if (root, timestamp) != (404, 304) {
                let problem = format!("a poll was answered {root} and {timestamp}, not 404 and 304");
                return Err(io::Error::other(problem));
            }
        }
    };
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(work)).collect();
        let ended = clients.into_iter().map(|client| {
            client.join().unwrap_or_else(|_| Err(io::Error::other("a client of the laboratory panicked")))
        });
        ended.collect::<io::Result<Vec<()>>>()
    })
    .map_err(LabError::file(address))?;
    Ok(())
}

/// A client on one connection, which is made again when the other side ends it.
struct Client {
    address: String,
    reader: BufReader<TcpStream>,
}

impl Client {
    fn new(address: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        Ok(Self { address: address.to_owned(), reader: BufReader::new(stream) })
    }

    /// Status and entity tag.
    fn ask(&mut self, path: &str, known: Option<&str>) -> io::Result<(u16, Option<String>)> {
        let known = known.map_or_else(String::new, |tag| format!("If-None-Match: {tag}\r\n"));
        let request = format!("GET {path} HTTP/1.1\r\nHost: lab\r\n{known}\r\n");
        self.reader.get_mut().write_all(request.as_bytes())?;
        let (mut status, mut length, mut tag, mut closes) = (0, 0_u64, None, false);
        loop {
            let mut line = String::new();
            if self.reader.read_line(&mut line)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let line = line.trim_end();
            if line.is_empty() {
                break;
            }
            match line.split_once(": ") {
                None => {
                    status = line.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or_default();
                }
                Some((name, value)) if name.eq_ignore_ascii_case("etag") => tag = Some(value.to_owned()),
                Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                    length = value.parse().unwrap_or_default();
                }
                Some((name, value)) if name.eq_ignore_ascii_case("connection") => closes = value == "close",
                Some(_) => {}
            }
        }
        if status != 304 {
            io::copy(&mut (&mut self.reader).take(length), &mut io::sink())?;
        }
        if closes {
            *self = Self::new(&self.address)?;
        }
        Ok((status, tag))
    }
}
