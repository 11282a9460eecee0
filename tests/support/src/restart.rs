//! Restarting a test's own server as an administrator does: sessions are told to go.

use crate::postgres::Cluster;
use crate::supervised::run_to_end;
use crate::{SupportError, programs};

const SCRIPT: &str = r#"cd "$2" && "$1" -D data -l log -s -m fast -w -t 60 restart </dev/null >/dev/null || { tail -n 20 log; exit 1; }"#;

/// Restarts the server, and waits until it accepts connections again.
///
/// # Errors
/// When the server is somebody else's, or what its program complained about.
pub fn restart(cluster: &Cluster) -> Result<(), SupportError> {
    let folder = cluster
        .socket_folder()
        .ok_or_else(|| SupportError::new("only a server that the tests started is restarted"))?;
    let program = cluster.program("pg_ctl");
    let arguments = [&*program.to_string_lossy(), &*folder.to_string_lossy()];
    run_to_end(programs::server_user()?.as_ref(), SCRIPT, &arguments).map(drop)
}
