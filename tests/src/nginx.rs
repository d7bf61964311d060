//! An nginx of our own: its files in a temporary folder, on a free port of loopback.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::LabError;
use crate::process::command;
use crate::stage::{StageError, wait_for};

/// How often another port is tried: between finding one that is free and listening on it, somebody else may take it.
const ATTEMPTS: usize = 5;

/// A running nginx. Dropping it ends it with its workers.
pub struct Nginx {
    process: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

impl Nginx {
    /// Starts `program` with what `http` puts into its `http` block: given the folder for its files, and the port.
    ///
    /// # Errors
    /// It does not start.
    pub fn start(program: &Path, http: impl Fn(&Path, u16) -> String) -> Result<Self, LabError> {
        let folder = tempfile::Builder::new()
            .prefix("mulberry-nginx")
            .tempdir()
            .map_err(LabError::file(std::env::temp_dir()))?;
        let mut problem = String::new();
        for _ in 0..ATTEMPTS {
            match Self::try_start(program, folder.path(), &http)? {
                Ok((process, port)) => return Ok(Self { process, port, _folder: folder }),
                Err(failed) => problem = failed,
            }
        }
        Err(LabError::Impossible(format!("nginx does not start:\n{problem}")))
    }

    fn try_start(
        program: &Path,
        folder: &Path,
        http: &impl Fn(&Path, u16) -> String,
    ) -> Result<Result<(Child, u16), String>, LabError> {
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let port = free.map_err(LabError::file("127.0.0.1:0"))?.port();
        let settings = folder.join("nginx.conf");
        fs::write(&settings, configuration(folder, &http(folder, port)))
            .map_err(LabError::file(&settings))?;
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

    /// Where it listens.
    #[must_use]
    pub fn origin(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The number of its first process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.id()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        end(&mut self.process);
    }
}

/// Finds a program, also where Debian keeps servers, which is not on everybody's path.
///
/// # Errors
/// A sentence that says what is missing, and how to get it.
pub fn find(name: &str, package: &str, purpose: &str) -> Result<PathBuf, String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    folders.map(|folder| folder.join(name)).find(|file| file.is_file()).ok_or_else(|| {
        format!("{purpose} cannot be measured without {name}; on Debian: apt-get install {package}")
    })
}

/// The master ends its workers when it is asked to end, but not when it is killed.
fn end(process: &mut Child) {
    if let Ok(pid) = i32::try_from(process.id()) {
        let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
    }
    let _ = process.wait();
}

fn configuration(folder: &Path, http: &str) -> String {
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
    tcp_nodelay on;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
{http}
}}
"
    )
}
