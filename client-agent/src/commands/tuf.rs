//! `mulberry-agent tuf`: a client of any TUF repository, with the commands that the public conformance suite of TUF runs.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use mulberry_host::files;
use mulberry_shared::answer::plain;
use mulberry_shared::edition::TrustState;
use mulberry_shared::exit::Exit;
use mulberry_shared::limits::Limits;
use mulberry_shared::tuf::updater::Target;
use mulberry_shared::tuf::{Next, Reply, Updater, location};
use serde::Serialize;

use super::{Failure, Output, OutputArgs, show};
use crate::config::{Origin, TlsDates, parse_origin};
use crate::io::clock::SystemClock;
use crate::io::http::HttpOrigin;
use crate::io::lock::Lock;
use crate::io::mirror::Mirror;
use crate::io::tls::Tls;
use crate::io::tuf_store::{Folder, Metadata};
use crate::ports::{Clock, Fetched, Transport};

/// The roles without which there is no refresh.
const TOP_LEVEL: [&str; 4] = ["root", "timestamp", "snapshot", "targets"];

/// Options of `mulberry-agent tuf`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Works on any repository of The Update Framework, with the checks that recipes pass; the agent's own state has no part in it.
Metadata is kept as it came, under names without versions (root.json, timestamp.json …), each file as soon as it has passed.
Files are kept under their percent-encoded target paths; one that is there with the right hash is not fetched again.
Addresses may also be folders.

These are the commands of the public conformance suite of TUF.

Exit codes: 0 done; 1 anything else; 2 wrong usage.

Examples:
  mulberry-agent tuf --metadata-dir ./metadata init root.json
  mulberry-agent tuf --metadata-dir ./metadata --metadata-url https://fixes.example/metadata refresh
  mulberry-agent tuf --metadata-dir ./metadata --metadata-url https://fixes.example/metadata \\
    --target-base-url https://fixes.example/targets --target-name emergency/fix.json --target-dir ./files download")]
pub struct Args {
    /// Where metadata is kept
    #[arg(long, value_name = "DIR")]
    pub metadata_dir: PathBuf,
    /// Where the repository serves metadata (refresh, download)
    #[arg(long, value_name = "URL")]
    pub metadata_url: Option<String>,
    /// A target's path in the repository (download; repeats: in this order, ending at the first that fails)
    #[arg(long, value_name = "PATH")]
    pub target_name: Vec<String>,
    /// Where the repository serves targets (download)
    #[arg(long, value_name = "URL")]
    pub target_base_url: Option<String>,
    /// Where downloaded files are kept (download)
    #[arg(long, value_name = "DIR")]
    pub target_dir: Option<PathBuf>,
    /// How to show the result.
    #[command(flatten)]
    pub output: OutputArgs,
    /// What to do.
    #[command(subcommand)]
    pub action: Action,
}

/// What to do.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum Action {
    /// Trust this root from now on; fetches nothing
    Init {
        /// A root.json that you trust
        #[arg(value_name = "ROOT")]
        root: PathBuf,
    },
    /// Bring the top-level metadata up to date
    Refresh,
    /// Refresh, then download targets
    Download,
}

/// What was done.
#[derive(Clone, Debug, Default, Serialize)]
struct Report {
    format: u64,
    roles: Vec<Role>,
    targets: Vec<Downloaded>,
}

#[derive(Clone, Debug, Serialize)]
struct Role {
    role: &'static str,
    version: u64,
}

#[derive(Clone, Debug, Serialize)]
struct Downloaded {
    target: String,
    role: String,
    file: String,
    bytes: u64,
    fetched: bool,
}

/// Runs the command.
///
/// # Errors
/// Anything that was refused, could not be had or could not be kept, with exit code 1.
pub fn run(args: &Args, clock: &SystemClock, limits: &Limits) -> Result<Exit, Failure> {
    let folder = Folder::make(&args.metadata_dir).map_err(|error| at(&args.metadata_dir, &error))?;
    let _lock = Lock::take(folder.path()).map_err(no)?;
    let report = match &args.action {
        Action::Init { root } => init(&folder, root, limits)?,
        Action::Refresh => tokio_run(work(args, &folder, &[], clock, limits))?,
        Action::Download if args.target_name.is_empty() => {
            return Err(no("download needs at least one --target-name"));
        }
        Action::Download => tokio_run(work(args, &folder, &args.target_name, clock, limits))?,
    };
    show(&report, Output::from(args.output)).map_err(no)?;
    Ok(Exit::Yes)
}

fn init(folder: &Folder, root: &Path, limits: &Limits) -> Result<Report, Failure> {
    let bytes = files::read(root, limits.trust.root_bytes).map_err(|error| at(root, &error))?;
    let trusted = TrustState::pinned(&bytes, limits).map_err(no)?;
    let name = location::kept("root");
    if folder.read(&name, limits.trust.root_bytes).is_some_and(|present| present != bytes) {
        let shown = plain(&folder.path().display().to_string());
        return Err(no(format!("{shown} trusts another root already; give another folder, or remove it")));
    }
    folder.write(&name, &bytes).map_err(|error| at(folder.path(), &error))?;
    let version = trusted.trusted().root().version;
    Ok(Report { format: 1, roles: vec![Role { role: "root", version }], targets: Vec::new() })
}

async fn work(
    args: &Args,
    folder: &Folder,
    targets: &[String],
    clock: &SystemClock,
    limits: &Limits,
) -> Result<Report, Failure> {
    let metadata_url = args.metadata_url.as_deref().ok_or_else(|| no("give --metadata-url URL"))?;
    let origin = transport(metadata_url)?;
    let mut client = Client::start(folder, &*origin, clock, limits)?;
    client.refresh().await?;
    let mut downloaded = Vec::new();
    if !targets.is_empty() {
        let base = args.target_base_url.as_deref().ok_or_else(|| no("give --target-base-url URL"))?;
        let dir = args.target_dir.as_deref().ok_or_else(|| no("give --target-dir DIR"))?;
        let files = Folder::make(dir).map_err(|error| at(dir, &error))?;
        let origin = transport(base)?;
        for path in targets {
            let target = client.find(path).await?;
            downloaded.push(fetch_target(&target, &files, &*origin).await?);
        }
    }
    let trusted = client.updater.trusted();
    let versions = [
        Some(trusted.root().version),
        trusted.timestamp().map(|held| held.version),
        trusted.snapshot().map(|held| held.version),
        trusted.targets("targets").map(|held| held.version),
    ];
    let roles = TOP_LEVEL.into_iter().zip(versions);
    let roles = roles.filter_map(|(role, version)| Some(Role { role, version: version? })).collect();
    Ok(Report { format: 1, roles, targets: downloaded })
}

/// The verifier, the folder that remembers for it, and the place it asks.
struct Client<'a> {
    updater: Updater,
    folder: &'a Folder,
    metadata: Metadata,
    origin: &'a dyn Transport,
    limits: &'a Limits,
}

impl<'a> Client<'a> {
    fn start(
        folder: &'a Folder,
        origin: &'a dyn Transport,
        clock: &SystemClock,
        limits: &'a Limits,
    ) -> Result<Self, Failure> {
        let updater = Updater::start(&mut kept(folder, limits), clock.now(), limits).map_err(no)?;
        Ok(Self { updater, folder, metadata: Metadata::new(folder.clone()), origin, limits })
    }

    async fn refresh(&mut self) -> Result<(), Failure> {
        self.go().await?;
        for error in self.updater.report().withheld() {
            tracing::warn!(%error, "it is not known whether there is a newer root; the one that is held goes on");
        }
        self.updater.refreshed().map_err(no)
    }

    async fn find(&mut self, path: &str) -> Result<Target, Failure> {
        self.updater.look_up(path);
        self.go().await?;
        self.updater.found().map_err(no)
    }

    /// Fetches what the verifier needs, and keeps each step that has passed before the next one.
    async fn go(&mut self) -> Result<(), Failure> {
        let required = TOP_LEVEL.map(location::kept);
        while let Next::Fetch(fetch) = self.updater.next(&mut kept(self.folder, self.limits)) {
            let name = fetch.path.strip_prefix(location::METADATA).unwrap_or(&fetch.path);
            self.updater.supply(reply(self.origin.get(name, fetch.max_bytes).await));
            let files = self.updater.files();
            self.metadata.keep(files, &required).map_err(|error| at(self.folder.path(), &error))?;
        }
        Ok(())
    }
}

/// Kept metadata. Which role a name belongs to is not asked: the largest kind is the bound.
fn kept<'a>(folder: &'a Folder, limits: &Limits) -> impl FnMut(&str) -> Option<Vec<u8>> + 'a {
    let most = limits.trust.targets_bytes.max(limits.trust.root_bytes).max(limits.trust.snapshot_bytes);
    move |name| folder.read(name, most)
}

async fn fetch_target(
    target: &Target,
    files: &Folder,
    origin: &dyn Transport,
) -> Result<Downloaded, Failure> {
    let name = location::percent_encode(&target.path);
    let downloaded = |fetched| Downloaded {
        target: target.path.clone(),
        role: target.role.clone(),
        file: plain(&files.path().join(&name).display().to_string()),
        bytes: target.file.length,
        fetched,
    };
    if files.read(&name, target.file.length).is_some_and(|bytes| target.check(&bytes).is_ok()) {
        return Ok(downloaded(false));
    }
    let path = target.fetch.path.strip_prefix(location::TARGETS).unwrap_or(&target.fetch.path);
    let bytes = match reply(origin.get(path, target.fetch.max_bytes).await) {
        Reply::Bytes(bytes) => bytes,
        Reply::TooLong => return Err(no(format!("{}: longer than what is signed", target.path))),
        Reply::Absent => return Err(no(format!("{}: the repository has no {path}", target.path))),
        Reply::Failed(problem) => return Err(no(format!("{}: {problem}", target.path))),
    };
    target.check(&bytes).map_err(no)?;
    files.write(&name, &bytes).map_err(|error| at(files.path(), &error))?;
    Ok(downloaded(true))
}

fn reply(fetched: Fetched) -> Reply {
    match fetched {
        Fetched::Bytes(bytes) => Reply::Bytes(bytes),
        Fetched::TooLong => Reply::TooLong,
        Fetched::Absent => Reply::Absent,
        Fetched::NotModified => Reply::Failed("the answer is to a question that was not asked".into()),
        Fetched::Failed(problem) => Reply::Failed(problem),
    }
}

fn transport(url: &str) -> Result<Box<dyn Transport>, Failure> {
    Ok(match parse_origin(url).map_err(no)? {
        Origin::Http(url) => {
            let tls = Tls::new(TlsDates::default(), Vec::new()).map_err(no)?;
            Box::new(HttpOrigin::new(url, &tls).map_err(no)?)
        }
        Origin::Folder(url) => Box::new(Mirror::new(url)),
    })
}

fn tokio_run<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(no)?;
    let done = runtime.block_on(work);
    // A share that never answers must not hold up the end.
    runtime.shutdown_background();
    done
}

/// The protocol knows success and failure only.
fn no(problem: impl fmt::Display) -> Failure {
    Failure { exit: Exit::No, sentence: plain(&problem.to_string()) }
}

fn at(path: &Path, error: &io::Error) -> Failure {
    no(format!("{}: {error}", path.display()))
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Role { role, version } in &self.roles {
            writeln!(f, "{role}: version {version}")?;
        }
        for target in &self.targets {
            let how = if target.fetched { "downloaded" } else { "already there" };
            writeln!(f, "{} ({}): {how}: {}", plain(&target.target), plain(&target.role), target.file)?;
        }
        Ok(())
    }
}
