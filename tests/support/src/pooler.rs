//! PgBouncer in front of a test's server.

use std::path::{Path, PathBuf};

use crate::postgres::{Cluster, PASSWORD, PASSWORD_ROLE, free_port, hand_over, temporary_folder};
use crate::supervised::Supervised;
use crate::{SupportError, programs};

/// Path of the program when it is not in the usual places.
const PROGRAM_VARIABLE: &str = "TOLLGATE_TEST_PGBOUNCER";

const SCRIPT: &str = r#"
folder=$1 program=$2 port=$3
cd "$folder" || exit 1
"$program" -q pgbouncer.ini >log 2>&1 </dev/null &
pid=$!
until [ -S ".s.PGSQL.$port" ]; do
    kill -0 "$pid" 2>/dev/null || { cat log; cd / && rm -rf "$folder"; exit 1; }
    sleep 0.02
done
echo ready
exec >/dev/null 2>&1
cat
kill "$pid"
wait "$pid"
cd / && rm -rf "$folder"
"#;

/// How long a client keeps a session of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Until it goes.
    Session,
    /// Until its transaction ends.
    Transaction,
    /// The same, and the next one gets the session that was idle longest.
    InTurn,
    /// Until its statement ends.
    Statement,
}

impl Mode {
    fn name(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Transaction | Self::InTurn => "transaction",
            Self::Statement => "statement",
        }
    }
}

/// A running PgBouncer, stopped with the value or with the process.
#[derive(Debug)]
pub struct Pooler {
    port: u16,
    _supervised: Supervised,
}

impl Pooler {
    /// Starts one in front of this server.
    ///
    /// # Errors
    /// When PgBouncer is not installed or does not start, or the server is not one that this crate started.
    pub fn start(cluster: &Cluster, mode: Mode) -> Result<Self, SupportError> {
        let server = cluster.port().ok_or_else(|| {
            SupportError::new("PgBouncer is started only in front of a server that the tests started themselves")
        })?;
        let program = program()?;
        let user = programs::server_user()?;
        let folder = temporary_folder()?;
        let port = free_port()?;
        let failed = |error: std::io::Error| SupportError::io("cannot prepare PgBouncer's folder", &error);
        write(&folder, port, server, mode).map_err(failed)?;
        if let Some(user) = &user {
            hand_over(&folder, user).map_err(failed)?;
        }
        let arguments = [
            &*folder.to_string_lossy(),
            &*program.to_string_lossy(),
            &port.to_string(),
        ];
        let supervised = Supervised::start(user.as_ref(), SCRIPT, &arguments)
            .map_err(|error| SupportError::new(format!("PgBouncer did not start: {error}")))?;
        Ok(Self {
            port,
            _supervised: supervised,
        })
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The URL of a database of the server, through the pooler.
    pub fn url_of(&self, database: &str) -> String {
        format!("postgresql://postgres@127.0.0.1:{}/{database}", self.port)
    }
}

fn program() -> Result<PathBuf, SupportError> {
    if let Some(program) = std::env::var_os(PROGRAM_VARIABLE) {
        return Ok(PathBuf::from(program));
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let usual = ["/usr/sbin", "/usr/local/sbin", "/opt/homebrew/bin"].map(PathBuf::from);
    std::env::split_paths(&path)
        .chain(usual)
        .map(|folder| folder.join("pgbouncer"))
        .find(|program| program.is_file())
        .ok_or_else(|| {
            SupportError::new(format!(
                "PgBouncer was not found. Install it (Debian, Ubuntu: `apt-get install pgbouncer`), or name the program in \
                 {PROGRAM_VARIABLE}"
            ))
        })
}

fn write(folder: &Path, port: u16, server: u16, mode: Mode) -> std::io::Result<()> {
    let settings = format!(
        "[databases]\n* = host=127.0.0.1 port={server}\n\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
         unix_socket_dir = {}\nauth_type = trust\nauth_file = users.txt\npool_mode = {}\nmax_client_conn = 200\n\
         default_pool_size = 20\nserver_round_robin = {}\n",
        folder.display(),
        mode.name(),
        u8::from(mode == Mode::InTurn),
    );
    std::fs::write(folder.join("pgbouncer.ini"), settings)?;
    let users = format!("\"postgres\" \"\"\n\"{PASSWORD_ROLE}\" \"{PASSWORD}\"\n");
    std::fs::write(folder.join("users.txt"), users)
}
