//! The export of a running server, over a socket in the state folder.
//!
//! The store belongs to the one process that holds the lock, so a backup while it runs asks that process. Who may enter the
//! state folder could read the store as well: the socket needs no token. It sends one export to whoever connects, and ends.

use std::io;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::net::UnixListener;

use crate::services::Core;

/// How long a reader may take no data, and a server may send none, before the export is given up.
pub const STALLED: Duration = Duration::from_secs(60);

/// How long to wait after a connection could not be taken, most likely for want of files.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

/// Listens at `path`. Only who holds the state folder's lock may call it: what a killed server left there is removed.
///
/// # Errors
/// When the system refuses, such as for a path of more than 107 bytes.
pub fn listen(path: &Path) -> io::Result<UnixListener> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    UnixListener::bind(path)
}

/// Serves exports, for ever.
pub async fn serve(listener: UnixListener, core: Arc<Core>) {
    loop {
        match listener.accept().await {
            Ok((connection, _)) => {
                let core = core.clone();
                tokio::spawn(async move {
                    match send(connection, &core).await {
                        Ok(events) => tracing::info!(events, "the ledger was exported"),
                        Err(error) => tracing::warn!(%error, "an export of the ledger was not finished"),
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection for an export could not be taken");
                tokio::time::sleep(AFTER_FAILURE).await;
            }
        }
    }
}

async fn send(mut connection: tokio::net::UnixStream, core: &Core) -> io::Result<u64> {
    let mut export = core.export();
    while let Some(lines) = export.next_lines().await.map_err(io::Error::other)? {
        tokio::time::timeout(STALLED, connection.write_all(&lines))
            .await
            .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    }
    connection.shutdown().await?;
    Ok(export.events())
}

/// Asks the server that listens at `path` for an export. Blocks.
///
/// # Errors
/// When nobody listens there.
pub fn connect(path: &Path) -> io::Result<UnixStream> {
    let connection = UnixStream::connect(path)?;
    connection.set_read_timeout(Some(STALLED))?;
    Ok(connection)
}
