//! A whole Mulberry on this machine: people's keys, a server and agents as real processes on loopback, all their
//! files in one temporary folder. The replay and the journeys play on it.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::binaries::Binaries;
pub use crate::process::{Said, StageError};
use crate::process::{command, run};

mod daemon;
mod recipe;

pub use daemon::Daemon;

/// The longest that anything on a stage may take before the stage gives up waiting for it.
const PATIENCE: Duration = Duration::from_secs(60);

/// The stage. Dropping it ends its server and removes its files.
pub struct Stage {
    binaries: Binaries,
    folder: tempfile::TempDir,
    clock: Option<(Timestamp, Instant)>,
    server: Option<Server>,
    /// Where the server listened first, public and operators': it comes back to the same addresses.
    addresses: Option<[String; 2]>,
    /// Soft and hard limit of the files that the server may open.
    open_files: Option<[u32; 2]>,
    /// Further options of a server that starts.
    server_options: Vec<String>,
}

/// A running server. Dropping it ends it without warning.
pub struct Server {
    process: Child,
    /// Public and operators'.
    addresses: [String; 2],
}

impl Server {
    /// Its public address.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.addresses[0]
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Stage {
    /// Makes people's keys, a server and a token for it, at `clock` or at the real time. Nothing runs yet.
    ///
    /// # Errors
    /// When a binary cannot be built or one of the commands fails.
    pub fn new(clock: Option<Timestamp>) -> Result<Self, StageError> {
        let binaries = Binaries::build().map_err(|e| StageError(e.to_string()))?;
        let folder = tempfile::Builder::new().prefix("mulberry-stage").tempdir().map_err(io)?;
        let clock = clock.map(|start| (start, Instant::now()));
        let stage = Self {
            binaries,
            folder,
            clock,
            server: None,
            addresses: None,
            open_files: None,
            server_options: Vec::new(),
        };
        stage.ctl(&["init", "authority", "--no-passphrase"])?.expect_code(0)?;
        stage.server_command(&["init", "--from", "authority/server", "--state", "server"])?.expect_code(0)?;
        let said = stage.server_command(&[
            "token", "add", "on-duty", "--duty", "on-duty", "--may", "publish", "--may", "gate", "--may",
            "read", "--state", "server", "--json",
        ])?;
        let token = said.expect_code(0)?.json()?;
        let token = token["token"]
            .as_str()
            .ok_or_else(|| StageError("`token add --json` printed no token".into()))?;
        write_private(&stage.path("token"), token)?;
        Ok(stage)
    }

    /// The folder everything lies in.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A path inside the stage's folder.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The binaries that play.
    #[must_use]
    pub fn binaries(&self) -> &Binaries {
        &self.binaries
    }

    /// From now on every process that starts sees `start` and the time that runs on from it. A running server
    /// keeps its clock: stop it first.
    pub fn set_clock(&mut self, start: Timestamp) {
        self.clock = Some((start, Instant::now()));
    }

    /// From now on a server that starts may open no more than `soft` files, which it may raise to `hard`.
    pub fn limit_open_files(&mut self, soft: u32, hard: u32) {
        self.open_files = Some([soft, hard]);
    }

    /// From now on a server that starts has these options besides.
    pub fn server_options(&mut self, options: &[&str]) {
        self.server_options = options.iter().map(ToString::to_string).collect();
    }

    /// Starts the server, on free ports the first time and on the same ones later, and waits until both its
    /// listeners answer.
    ///
    /// # Errors
    /// When it ends instead, or is not ready in time.
    pub fn start_server(&mut self) -> Result<(), StageError> {
        let any = ["http://127.0.0.1:0".to_owned(), "http://127.0.0.1:0".to_owned()];
        let server = self.run_server("server", self.addresses.as_ref().unwrap_or(&any))?;
        self.take_over(server);
        Ok(())
    }

    /// Starts another server on the state folder called `state`, beside the one that may run, on free ports.
    ///
    /// # Errors
    /// As [`Self::start_server`].
    pub fn start_another_server(&self, state: &str) -> Result<Server, StageError> {
        self.run_server(state, &["http://127.0.0.1:0".to_owned(), "http://127.0.0.1:0".to_owned()])
    }

    /// From now on `server` is the stage's; the former one ends as in a power cut.
    pub fn take_over(&mut self, server: Server) {
        self.addresses = Some(server.addresses.clone());
        self.server = Some(server);
    }

    fn run_server(&self, state: &str, addresses: &[String; 2]) -> Result<Server, StageError> {
        let ready = self.path(state).join("listening.json");
        let _ = std::fs::remove_file(&ready);
        let log =
            std::fs::File::options().create(true).append(true).open(self.path("server.log")).map_err(io)?;
        let mut start = self.server_program();
        let listen = addresses.each_ref().map(|url| host_and_port(url).to_owned());
        start.args(["run", "--state", state, "--listen", &listen[0], "--operators-listen", &listen[1]]);
        start.args(&self.server_options);
        start.args(self.clock_arguments()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let mut process = start.spawn().map_err(io)?;
        let told = wait_for("the server to listen", || {
            if let Ok(Some(status)) = process.try_wait() {
                let log = std::fs::read_to_string(self.path("server.log")).unwrap_or_default();
                return Err(StageError(format!("the server ended at its start ({status}):\n{log}")));
            }
            let told: Option<Value> =
                std::fs::read(&ready).ok().and_then(|b| serde_json::from_slice(&b).ok());
            Ok(told.filter(|told| told["pid"] == process.id()))
        });
        let told = match told {
            Ok(told) => told,
            Err(error) => {
                let _ = process.kill();
                let _ = process.wait();
                return Err(error);
            }
        };
        let url = |name: &str| told[name].as_str().unwrap_or_default().to_owned();
        Ok(Server { addresses: [url("public"), url("operators")], process })
    }

    /// The server, with the limits that were set: a shell sets them and becomes the server.
    fn server_program(&self) -> Command {
        let program = self.binaries.server();
        let Some(limits) = self.open_files else { return command(&program, self.folder()) };
        let script = r#"ulimit -S -n "$1" && ulimit -H -n "$2" && shift 2 && exec "$@""#;
        let mut shell = command(Path::new("/bin/sh"), self.folder());
        shell.args(["-c", script, "sh"]).args(limits.map(|limit| limit.to_string())).arg(program);
        shell
    }

    /// The number of the server's process.
    ///
    /// # Errors
    /// When no server runs.
    pub fn server_pid(&self) -> Result<u32, StageError> {
        let server = self.server.as_ref().ok_or_else(|| StageError("no server runs".into()))?;
        Ok(server.process.id())
    }

    /// Asks the server to end as an init system would, and waits for it.
    ///
    /// # Errors
    /// When no server runs, or it does not end with exit code 0 in time.
    pub fn stop_server(&mut self) -> Result<(), StageError> {
        let mut server = self.server.take().ok_or_else(|| StageError("no server runs".into()))?;
        let pid = i32::try_from(server.process.id()).map_err(|e| StageError(e.to_string()))?;
        kill(Pid::from_raw(pid), Signal::SIGTERM).map_err(|e| StageError(e.to_string()))?;
        let status = wait_for("the server to end", || server.process.try_wait().map_err(io))?;
        if status.success() { Ok(()) } else { Err(StageError(format!("the server ended with {status}"))) }
    }

    /// Ends the server without warning, as a power cut would.
    ///
    /// # Errors
    /// When no server runs.
    pub fn kill_server(&mut self) -> Result<(), StageError> {
        self.server.take().map(drop).ok_or_else(|| StageError("no server runs".into()))
    }

    /// The public address of the server, running or not; before its first start, one that nobody listens on.
    #[must_use]
    pub fn origin(&self) -> &str {
        self.addresses.as_ref().map_or("http://127.0.0.1:9", |[public, _]| public)
    }

    /// The operators' address of the server; empty before its first start.
    #[must_use]
    pub fn operators(&self) -> &str {
        self.addresses.as_ref().map_or("", |[_, operators]| operators)
    }

    /// The time that a process which starts now would see.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let passed =
            |since: Instant| SignedDuration::try_from(since.elapsed()).unwrap_or(SignedDuration::MAX);
        let shifted =
            |(start, since): (Timestamp, Instant)| start.checked_add(passed(since)).unwrap_or(start);
        self.clock.map_or_else(Timestamp::now, shifted)
    }

    /// Runs `mulberryctl` against the running server, with the stage's token, unless the arguments say otherwise.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn ctl(&self, arguments: &[&str]) -> Result<Said, StageError> {
        let mut all: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        if let Some([public, operators]) = &self.addresses {
            let usual = [
                ["--config", "authority/mulberryctl.toml"],
                ["--token-file", "token"],
                ["--server", operators],
                ["--origin", public],
            ];
            let missing = usual.into_iter().filter(|[name, _]| !arguments.contains(name));
            all.extend(missing.flatten().map(str::to_owned));
        }
        all.extend(self.clock_arguments());
        run(&self.binaries.ctl(), &all, self.folder())
    }

    /// Publishes the recipe in `folder` with two people's keys of its lane.
    ///
    /// # Errors
    /// When `mulberryctl publish` does not end with 0.
    pub fn publish(&self, lane: &str, folder: &str) -> Result<Said, StageError> {
        let key = |person: u8| format!("authority/people/person-{person}/{lane}.pem");
        self.ctl(&["publish", folder, "--key", &key(1), "--key", &key(2), "--yes"])?.expect_code(0)
    }

    /// Opens the gate of a recipe for `percent` of its clients.
    ///
    /// # Errors
    /// When `mulberryctl gate open` does not end with 0.
    pub fn open_gate(&self, slug: &str, percent: &str) -> Result<Said, StageError> {
        self.ctl(&["gate", "open", slug, "--percent", percent, "--reason", "rehearsal"])?.expect_code(0)
    }

    /// Opens the gate of an emergency recipe for `percent` of its clients, whatever its plan says, with two people's keys.
    ///
    /// # Errors
    /// When `mulberryctl gate open` does not end with 0.
    pub fn open_gate_together(&self, slug: &str, percent: &str) -> Result<Said, StageError> {
        let key = |person: u8| format!("authority/people/person-{person}/emergency.pem");
        let open = ["gate", "open", slug, "--percent", percent, "--reason", "rehearsal", "--yes"];
        let keys = ["--key", &key(1), "--key", &key(2)];
        self.ctl(&[&open[..], &keys].concat())?.expect_code(0)
    }

    /// Runs `mulberry-server` to its end (not for `run`: see [`Self::start_server`]).
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn server_command(&self, arguments: &[&str]) -> Result<Said, StageError> {
        let mut all: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        all.extend(self.clock_arguments());
        run(&self.binaries.server(), &all, self.folder())
    }

    /// Runs `mulberry-agent` as the agent called `name`, whose state folder is `agents/NAME`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn agent(&self, name: &str, arguments: &[&str]) -> Result<Said, StageError> {
        let mut all: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        all.extend(["--state".to_owned(), format!("agents/{name}")]);
        all.extend(self.clock_arguments());
        run(&self.binaries.agent(), &all, self.folder())
    }

    /// Sets up the agent called `name` on the add-ons in `addons`, with further `facts` flags.
    ///
    /// # Errors
    /// When `mulberry-agent init` does not end with 0.
    pub fn init_agent(
        &self,
        name: &str,
        anchor: &Path,
        addons: &Path,
        facts: &[&str],
    ) -> Result<(), StageError> {
        std::fs::create_dir_all(self.path("agents")).map_err(io)?;
        let (anchor, addons) = (anchor.to_string_lossy(), addons.to_string_lossy());
        let mut arguments = vec!["init", "--trust", "authority/root.json", "--origin", self.origin()];
        arguments.extend(["--anchor", &anchor, "--addons", &addons]);
        arguments.extend(facts);
        self.agent(name, &arguments)?.expect_code(0).map(drop)
    }

    /// What the host sees of the agent called `name`: its `addons.json`.
    ///
    /// # Errors
    /// When the file is absent or not JSON.
    pub fn addons(&self, name: &str) -> Result<Value, StageError> {
        let path = self.path(&format!("agents/{name}/addons.json"));
        let bytes = std::fs::read(&path).map_err(|e| StageError(format!("{}: {e}", path.display())))?;
        serde_json::from_slice(&bytes).map_err(|e| StageError(format!("{}: {e}", path.display())))
    }

    pub(crate) fn clock_arguments(&self) -> Vec<String> {
        match self.clock {
            Some(_) => vec!["--clock-start".to_owned(), self.now().to_string()],
            None => Vec::new(),
        }
    }
}

/// Asks `done` again and again until it gives a value.
///
/// # Errors
/// When `done` fails, or gave none for a minute.
pub fn wait_for<T>(
    what: &str,
    mut done: impl FnMut() -> Result<Option<T>, StageError>,
) -> Result<T, StageError> {
    let started = Instant::now();
    while started.elapsed() < PATIENCE {
        if let Some(value) = done()? {
            return Ok(value);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Err(StageError(format!("waited {} s in vain for {what}", PATIENCE.as_secs())))
}

fn host_and_port(url: &str) -> &str {
    url.trim_start_matches("http://").trim_end_matches('/')
}

fn write_private(path: &Path, text: &str) -> Result<(), StageError> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let mut file =
        std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(io)?;
    file.write_all(text.as_bytes()).map_err(io)
}

fn io(error: std::io::Error) -> StageError {
    StageError(error.to_string())
}
