//! An nginx of our own: its files in a temporary folder, on a free port of loopback.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Child, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::LabError;
use crate::process::command;
use crate::stage::{StageError, wait_for};

/// How often another port is tried: between finding one that is free and listening on it, somebody else may take it.
const ATTEMPTS: usize = 5;

/// A running nginx. Dropping it ends it with its workers.
pub(super) struct Nginx {
    process: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

impl Nginx {
    /// Starts one that serves `bytes` as the metadata of an origin.
    pub(super) fn start(program: &Path, bytes: &[u8]) -> Result<Self, LabError> {
        let folder = tempfile::Builder::new()
            .prefix("mulberry-nginx")
            .tempdir()
            .map_err(LabError::file(std::env::temp_dir()))?;
        let metadata = folder.path().join("www/metadata");
        fs::create_dir_all(&metadata).map_err(LabError::file(&metadata))?;
        let file = metadata.join("timestamp.json");
        fs::write(&file, bytes).map_err(LabError::file(&file))?;
        let mut problem = String::new();
        for _ in 0..ATTEMPTS {
            match Self::try_start(program, folder.path())? {
                Ok((process, port)) => return Ok(Self { process, port, _folder: folder }),
                Err(failed) => problem = failed,
            }
        }
        Err(LabError::Impossible(format!("nginx does not start:\n{problem}")))
    }

    fn try_start(program: &Path, folder: &Path) -> Result<Result<(Child, u16), String>, LabError> {
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let port = free.map_err(LabError::file("127.0.0.1:0"))?.port();
        let settings = folder.join("nginx.conf");
        fs::write(&settings, configuration(folder, port)).map_err(LabError::file(&settings))?;
        let log = folder.join("error.log");
        let mut start = command(program, folder);
        start.arg("-p").arg(folder).arg("-c").arg(&settings).arg("-e").arg(&log);
        start.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut process = start.spawn().map_err(LabError::file(program))?;
        let listening = wait_for("nginx to listen", || {
            if let Ok(Some(status)) = process.try_wait() {
                return Err(StageError(format!("nginx ended at its start ({status})")));
            }
            Ok(TcpStream::connect(("127.0.0.1", port)).ok())
        });
        Ok(match listening {
            Ok(_) => Ok((process, port)),
            Err(error) => {
                end(&mut process);
                Err(format!("{error}\n{}", fs::read_to_string(&log).unwrap_or_default()))
            }
        })
    }

    pub(super) fn origin(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(super) fn pid(&self) -> u32 {
        self.process.id()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        end(&mut self.process);
    }
}

/// The master ends its workers when it is asked to end, but not when it is killed.
fn end(process: &mut Child) {
    if let Ok(pid) = i32::try_from(process.id()) {
        let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
    }
    let _ = process.wait();
}

/// The headers are those of mulberry-server.
fn configuration(folder: &Path, port: u16) -> String {
    // Root's workers would be nobody, who may not enter the folder.
    let is_root = fs::metadata(folder).is_ok_and(|folder| folder.uid() == 0);
    let user = if is_root { "user root;" } else { "" };
    let folder = folder.display();
    format!(
        "{user}
daemon off;
worker_processes 2;
pid {folder}/pid;
error_log {folder}/error.log crit;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    types {{ application/json json; }}
    sendfile on;
    tcp_nodelay on;
    keepalive_timeout 60s;
    keepalive_requests 1000000000;
    open_file_cache max=16 inactive=60s;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        root {folder}/www;
        location /metadata/ {{
            add_header Cache-Control \"public, max-age=5\";
            add_header X-Content-Type-Options nosniff;
        }}
    }}
}}
"
    )
}
