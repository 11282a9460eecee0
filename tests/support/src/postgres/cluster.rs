//! Starting a server, and seeing to it that it goes.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use super::{PASSWORD, PASSWORD_ROLE, SERVER_VARIABLE, TestDatabase};
use crate::{SupportError, programs};

const SUPERVISOR: &str = include_str!("supervisor.sh");

/// Speed instead of durability, room for many tests at once, and nothing that happens by itself.
const SETTINGS: &[(&str, &str)] = &[
    ("listen_addresses", "127.0.0.1"),
    ("fsync", "off"),
    ("synchronous_commit", "off"),
    ("full_page_writes", "off"),
    ("wal_level", "minimal"),
    ("max_wal_senders", "0"),
    ("max_connections", "200"),
    ("max_prepared_transactions", "20"),
    ("max_locks_per_transaction", "512"),
    ("shared_buffers", "64MB"),
    ("autovacuum", "off"),
    ("jit", "off"),
    ("timezone", "UTC"),
    ("lc_messages", "C"),
];

/// How often another port is tried when the free one was taken meanwhile.
const ATTEMPTS: usize = 4;

/// A server on which tests make databases.
#[derive(Debug)]
pub struct Cluster {
    /// `postgresql://user[:password]@host:port`, without a database.
    base: String,
    maintenance: String,
    bindir: PathBuf,
    /// Absent when the server is somebody else's.
    own: Option<Mutex<Own>>,
    /// The folder and port of our own.
    place: Option<(PathBuf, u16)>,
    databases: AtomicU64,
}

/// What makes a server ours: the pipe whose end stops it.
#[derive(Debug)]
struct Own {
    folder: PathBuf,
    port: u16,
    supervisor: Child,
    lifeline: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

/// How a special cluster differs from the usual one.
#[derive(Debug, Default, Clone)]
pub struct Setup {
    /// Lines of `postgresql.conf`, stronger than the usual ones: name and value.
    pub settings: Vec<(String, String)>,
    /// Lines of `pg_hba.conf`, before the usual ones.
    pub access: Vec<String>,
    /// Files put into the data folder with mode 0600: name and content (certificates and keys).
    pub files: Vec<(String, String)>,
}

/// The cluster of this test process, started on first use.
///
/// # Panics
/// When there is none to be had, with advice.
#[expect(clippy::panic, reason = "a test that needs a server must not pass without one")]
pub fn cluster() -> &'static Cluster {
    try_cluster().unwrap_or_else(|error| panic!("no PostgreSQL for this test: {error}"))
}

/// As [`cluster`], for callers that have something better to do than to panic.
///
/// # Errors
/// When there is none to be had, with advice.
pub fn try_cluster() -> Result<&'static Cluster, &'static SupportError> {
    static CLUSTER: OnceLock<Result<Cluster, SupportError>> = OnceLock::new();
    CLUSTER
        .get_or_init(|| match std::env::var(SERVER_VARIABLE) {
            Ok(url) if !url.is_empty() => Cluster::elsewhere(&url),
            _ => Cluster::start(&Setup::default()),
        })
        .as_ref()
}

impl Cluster {
    /// Starts a cluster of its own, which stops when the value is dropped or the process ends.
    ///
    /// # Errors
    /// When PostgreSQL is not installed or does not start.
    pub fn start(setup: &Setup) -> Result<Self, SupportError> {
        let bindir = programs::postgres_bindir()?;
        let user = programs::server_user()?;
        let mut last = None;
        for _ in 0..ATTEMPTS {
            match Own::start(&bindir, user.as_ref(), setup) {
                Ok(own) => return Self::of_own(bindir, own),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| SupportError::new("PostgreSQL did not start")))
    }

    fn of_own(bindir: PathBuf, own: Own) -> Result<Self, SupportError> {
        let base = format!("postgresql://postgres@127.0.0.1:{}", own.port);
        let maintenance = format!("{base}/postgres");
        let cluster = Self {
            base,
            maintenance,
            bindir,
            place: Some((own.folder.clone(), own.port)),
            own: Some(Mutex::new(own)),
            databases: AtomicU64::new(0),
        };
        cluster.admin(&create_password_role())?;
        Ok(cluster)
    }

    fn elsewhere(url: &str) -> Result<Self, SupportError> {
        let (base, database) = split_database(url);
        let bindir = programs::postgres_bindir().unwrap_or_default();
        let maintenance = format!("{base}/{}", database.unwrap_or("postgres"));
        let cluster = Self {
            base: base.to_owned(),
            maintenance,
            bindir,
            place: None,
            own: None,
            databases: AtomicU64::new(0),
        };
        cluster
            .admin("SELECT 1")
            .map_err(|error| SupportError::new(format!("the server named in {SERVER_VARIABLE}: {error}")))?;
        // Another test process may have been first.
        let _ = cluster.admin(&create_password_role());
        Ok(cluster)
    }

    /// A fresh, empty database, dropped with the value.
    ///
    /// # Panics
    /// When the server refuses to make one.
    #[expect(clippy::panic, reason = "tests want to fail here")]
    pub fn database(&self) -> TestDatabase<'_> {
        let number = self.databases.fetch_add(1, Ordering::Relaxed);
        // Of one length, so that messages with the name in them wrap at the same places.
        let name = format!("tollgate_{:07}_{number:04}", std::process::id());
        // A server that outlives us may still have the database of an earlier process with our number.
        let sql = format!("DROP DATABASE IF EXISTS {name};\nCREATE DATABASE {name} TEMPLATE template0;");
        self.admin(&sql)
            .unwrap_or_else(|error| panic!("cannot create a test database: {error}"));
        TestDatabase::new(self, name)
    }

    /// The URL of a database on this server.
    pub fn url_of(&self, database: &str) -> String {
        format!("{}/{database}", self.base)
    }

    /// `postgresql://user[:password]@host:port`: what to put into `TOLLGATE_TEST_POSTGRES` for other processes.
    pub fn base_url(&self) -> &str {
        &self.base
    }

    /// The port on 127.0.0.1, when this crate started the server.
    pub fn port(&self) -> Option<u16> {
        self.place.as_ref().map(|(_, port)| *port)
    }

    /// The folder with the server's Unix socket, when this crate started the server.
    pub fn socket_folder(&self) -> Option<&Path> {
        self.place.as_ref().map(|(folder, _)| folder.as_path())
    }

    /// Stops the server as a crash would: no session ends in order, nothing is written that waits in memory.
    ///
    /// # Errors
    /// When it is not ours to stop, or does not.
    pub fn stop_immediately(&self) -> Result<(), SupportError> {
        self.order("stop", "stopped")
    }

    /// Starts the server again; returns when it has recovered and lets clients in.
    ///
    /// # Errors
    /// When it is not ours to start, or does not.
    pub fn start_again(&self) -> Result<(), SupportError> {
        self.order("start", "started")
    }

    fn order(&self, order: &str, expected: &str) -> Result<(), SupportError> {
        let own = self
            .own
            .as_ref()
            .ok_or_else(|| SupportError::new("the server is somebody else's"))?;
        let answer = own.lock().unwrap_or_else(PoisonError::into_inner).order(order)?;
        if answer.trim() == expected {
            Ok(())
        } else {
            Err(SupportError::new(format!("PostgreSQL {}", answer.trim())))
        }
    }

    /// SQL on the maintenance database: roles, databases, server settings. Statement by statement.
    ///
    /// # Errors
    /// What the server complained about.
    pub fn admin(&self, sql: &str) -> Result<String, SupportError> {
        self.psql(&self.maintenance, sql)
    }

    pub(super) fn psql(&self, url: &str, sql: &str) -> Result<String, SupportError> {
        let arguments = [
            "--no-psqlrc",
            "--no-align",
            "--tuples-only",
            "--quiet",
            "--set=ON_ERROR_STOP=1",
            "--dbname",
            url,
        ];
        programs::run(&self.program("psql"), &arguments, sql)
    }

    /// One of PostgreSQL's programs: from the server's own folder where it has it, from the search path otherwise.
    pub fn program(&self, name: &str) -> PathBuf {
        let beside = self.bindir.join(name);
        if beside.is_file() { beside } else { PathBuf::from(name) }
    }
}

fn create_password_role() -> String {
    format!(
        "CREATE ROLE {PASSWORD_ROLE} LOGIN PASSWORD '{}'",
        PASSWORD.replace('\'', "''")
    )
}

/// Splits `postgresql://host/database?…` before the database.
fn split_database(url: &str) -> (&str, Option<&str>) {
    let url = url.split('?').next().unwrap_or(url);
    let host = url.find("://").map_or(0, |at| at + 3);
    match url[host..].find('/') {
        Some(at) => (
            &url[..host + at],
            Some(&url[host + at + 1..]).filter(|database| !database.is_empty()),
        ),
        None => (url, None),
    }
}

impl Own {
    fn start(bindir: &Path, user: Option<&programs::OtherUser>, setup: &Setup) -> Result<Self, SupportError> {
        let folder = temporary_folder()?;
        let port = free_port()?;
        write_files(&folder, port, setup)
            .and_then(|()| match user {
                Some(user) => hand_over(&folder, user),
                None => Ok(()),
            })
            .map_err(|error| SupportError::io("cannot prepare the cluster's folder", &error))?;
        let arguments = [&*folder.to_string_lossy(), &*bindir.to_string_lossy()];
        let mut supervisor = programs::shell_as(user, SUPERVISOR, &arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .current_dir("/")
            // A test runner kills the process group of a test that hangs; the supervisor has to survive that to clean up.
            .process_group(0)
            .spawn()
            .map_err(|error| SupportError::io("cannot start a shell", &error))?;
        let lifeline = supervisor.stdin.take();
        let mut output = BufReader::new(supervisor.stdout.take().ok_or_else(|| SupportError::new("no pipe"))?);
        let mut said = String::new();
        let read = output.read_line(&mut said);
        if read.is_ok() && said.trim() == "ready" {
            return Ok(Self {
                folder,
                port,
                supervisor,
                lifeline,
                answers: output,
            });
        }
        // Not ready: the rest of the output is the server's log, and ends with the supervisor.
        drop(lifeline);
        let _ = output.read_to_string(&mut said);
        let _ = supervisor.wait();
        let _ = std::fs::remove_dir_all(&folder);
        Err(SupportError::new(format!("PostgreSQL did not start:\n{}", said.trim())))
    }
}

impl Own {
    /// Tells the supervisor something; its answer.
    fn order(&mut self, order: &str) -> Result<String, SupportError> {
        let failed = |error: std::io::Error| SupportError::io("cannot speak to the server's supervisor", &error);
        let lifeline = self.lifeline.as_mut().ok_or_else(|| SupportError::new("no pipe"))?;
        writeln!(lifeline, "{order}").map_err(failed)?;
        let mut answer = String::new();
        self.answers.read_line(&mut answer).map_err(failed)?;
        Ok(answer)
    }
}

/// Waits for the server to be gone. The process's own cluster lies in a static and never comes here: there the end of
/// the process closes the pipe.
impl Drop for Own {
    fn drop(&mut self) {
        drop(self.lifeline.take());
        let _ = self.supervisor.wait();
    }
}

/// A folder with a short path (a Unix socket's may have 107 bytes) whose parents every user can pass.
pub(crate) fn temporary_folder() -> Result<PathBuf, SupportError> {
    let passable = |folder: &Path| {
        folder
            .ancestors()
            .all(|parent| std::fs::metadata(parent).is_ok_and(|metadata| metadata.permissions().mode() & 0o001 != 0))
    };
    let own = std::env::temp_dir();
    let parents = [own.as_path(), Path::new("/tmp"), Path::new("/var/tmp")];
    let parent = parents
        .into_iter()
        .find(|folder| folder.as_os_str().len() < 60 && passable(folder))
        .unwrap_or(&own);
    tempfile::Builder::new()
        .prefix("tollgate-pg-")
        .tempdir_in(parent)
        .map(tempfile::TempDir::keep)
        .map_err(|error| SupportError::io("cannot make a temporary folder", &error))
}

pub(crate) fn free_port() -> Result<u16, SupportError> {
    std::net::TcpListener::bind(("127.0.0.1", 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(|error| SupportError::io("cannot find a free port", &error))
}

fn write_files(folder: &Path, port: u16, setup: &Setup) -> std::io::Result<()> {
    let mut settings = format!("port = {port}\nunix_socket_directories = '{}'\n", folder.display());
    let usual = SETTINGS.iter().map(|&(name, value)| (name, value));
    let special = setup
        .settings
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    for (name, value) in usual.chain(special) {
        settings.extend([name, " = '", &value.replace('\'', "''"), "'\n"]);
    }
    std::fs::write(folder.join("settings.conf"), settings)?;
    let access = format!(
        "{}\nhost all +{PASSWORD_ROLE} 127.0.0.1/32 scram-sha-256\nlocal all all trust\nhost all all 127.0.0.1/32 trust\n",
        setup.access.join("\n"),
    );
    std::fs::write(folder.join("hba.conf"), access)?;
    std::fs::create_dir(folder.join("files"))?;
    for (name, content) in &setup.files {
        std::fs::write(folder.join("files").join(name), content)?;
    }
    Ok(())
}

/// Gives the folder and all in it to the user who runs the server and has to remove it.
pub(crate) fn hand_over(path: &Path, user: &programs::OtherUser) -> std::io::Result<()> {
    if path.is_dir() {
        for entry in std::fs::read_dir(path)? {
            hand_over(&entry?.path(), user)?;
        }
    }
    chown(path, Some(user.uid), Some(user.gid))
}

#[cfg(test)]
mod tests {
    use super::split_database;

    #[test]
    fn a_url_is_split_before_its_database() {
        for (url, expected) in [
            ("postgresql://u:p@h:1/db?x=1", ("postgresql://u:p@h:1", Some("db"))),
            ("postgresql://u:p@h:1/", ("postgresql://u:p@h:1", None)),
            ("postgresql://u:p@h:1", ("postgresql://u:p@h:1", None)),
        ] {
            assert_eq!(split_database(url), expected, "{url}");
        }
    }
}
