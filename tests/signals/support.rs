//! A command that runs while the test does something, and what it works on.

use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tollgate_testing::postgres::{TestDatabase, cluster};
use tollgate_tests::{Outcome, Project};

/// Longer than anything here takes.
const FOR_EVER: Duration = Duration::from_mins(1);

/// Two signals that come faster than this one after the other are one wish.
pub(crate) const APART: Duration = Duration::from_millis(150);

/// Polls until it is so.
#[track_caller]
pub(crate) fn until(what: &str, mut so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !so() {
        assert!(start.elapsed() < FOR_EVER, "it never came to this: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// What a child process has printed so far.
#[derive(Clone, Default)]
pub(crate) struct Printed {
    text: Arc<Mutex<Vec<u8>>>,
}

impl Printed {
    /// Reads `stream` to its end on a thread.
    pub(crate) fn collect(&self, mut stream: impl Read + Send + 'static) -> JoinHandle<()> {
        let text = Arc::clone(&self.text);
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            // A terminal whose other end is gone is an error, and the end as well.
            while let Ok(count @ 1..) = stream.read(&mut buffer) {
                text.lock().unwrap().extend_from_slice(&buffer[..count]);
            }
        })
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.text.lock().unwrap().clone()
    }

    pub(crate) fn holds(&self, words: &str) -> bool {
        String::from_utf8_lossy(&self.bytes()).contains(words)
    }
}

/// A command that has been started.
pub(crate) struct Running {
    child: Child,
    stdout: Printed,
    stderr: Printed,
    readers: Vec<JoinHandle<()>>,
}

impl Running {
    pub(crate) fn start(project: &Project, arguments: &[&str]) -> Self {
        Self::spawn(&mut project.command(arguments))
    }

    pub(crate) fn spawn(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (stdout, stderr) = (Printed::default(), Printed::default());
        let readers = vec![
            stdout.collect(child.stdout.take().unwrap()),
            stderr.collect(child.stderr.take().unwrap()),
        ];
        Self {
            child,
            stdout,
            stderr,
            readers,
        }
    }

    /// Sends it a signal.
    pub(crate) fn send(&self, signal: Signal) {
        let pid = Pid::from_raw(self.child.id().try_into().unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Sends it one and waits until it says that it was heard.
    #[track_caller]
    pub(crate) fn ask(&self, signal: Signal) {
        self.send(signal);
        self.says("stopping");
    }

    /// Presses Ctrl-C again.
    pub(crate) fn send_again(&self) {
        std::thread::sleep(APART);
        self.send(Signal::INT);
    }

    /// The same, and waits until it says that it was heard.
    #[track_caller]
    pub(crate) fn ask_again(&self, says: &str) {
        self.send_again();
        self.says(says);
    }

    /// Waits until its standard error holds these words.
    #[track_caller]
    pub(crate) fn says(&self, words: &str) {
        until(words, || self.stderr.holds(words));
    }

    /// The same of its standard output.
    #[track_caller]
    pub(crate) fn prints(&self, words: &str) {
        until(words, || self.stdout.holds(words));
    }

    /// Waits for its end.
    pub(crate) fn end(mut self, project: &Project) -> Outcome {
        let status = self.child.wait().unwrap();
        for reader in self.readers.drain(..) {
            reader.join().unwrap();
        }
        project.outcome(&Output {
            status,
            stdout: self.stdout.bytes(),
            stderr: self.stderr.bytes(),
        })
    }
}

/// A test that fails leaves nothing running.
impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A psql session that has run something and stays.
pub(crate) struct Session {
    shell: Child,
    input: Option<ChildStdin>,
}

impl Session {
    pub(crate) fn holding(database: &TestDatabase<'_>, sql: &str) -> Self {
        let mut shell = Command::new(database.cluster().program("psql"))
            .args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align"])
            .args(["--dbname", &database.url()])
            .env("PGAPPNAME", "somebody")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = shell.stdin.take().unwrap();
        input.write_all(format!("{sql}\nSELECT 'held';\n").as_bytes()).unwrap();
        let mut lines = BufReader::new(shell.stdout.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap() == "held"), "psql could not hold it");
        Self {
            shell,
            input: Some(input),
        }
    }

    /// Ends it, and everything that it holds with it.
    pub(crate) fn end(mut self) {
        drop(self.input.take());
        self.shell.wait().unwrap();
    }
}

/// Two statements, each of which lasts until the test lets it go on. The first also makes a table.
///
/// They have to be the first of a file: its statements are sent together, and that the server is at the second one does
/// not mean that the run has read what came of the first.
pub(crate) const WAIT: &str = "CREATE TABLE b AS SELECT 1 AS id FROM pg_advisory_xact_lock(4711);\n\
                               SELECT pg_advisory_xact_lock(4712);\n";

/// A PostgreSQL database of a test's own, and a project on it.
pub(crate) struct Stage {
    pub(crate) database: TestDatabase<'static>,
    pub(crate) project: Project,
}

impl Stage {
    /// With a first migration that makes the table `a`.
    pub(crate) fn new() -> Self {
        let database = cluster().database();
        let mut project = Project::new();
        project.set("DATABASE_URL", &database.url());
        project.file("tollgate.toml", "[deploy]\nstatement_lock_timeout_ms = 0\n");
        project.migration("1_a", "CREATE TABLE a (id integer);\n");
        Self { database, project }
    }

    /// Holds up both statements of [`WAIT`], each in its own way.
    pub(crate) fn hold(&self) -> [Session; 2] {
        [4711, 4712].map(|key| Session::holding(&self.database, &format!("SELECT pg_advisory_lock({key});")))
    }

    /// Waits until a session waits at [`WAIT`].
    #[track_caller]
    pub(crate) fn waits(&self) {
        self.somebody("wait_event_type = 'Lock' AND wait_event = 'advisory'");
    }

    /// Waits until a session is like this in `pg_stat_activity`.
    #[track_caller]
    pub(crate) fn somebody(&self, like: &str) {
        let query = format!(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND {like}"
        );
        until(like, || self.database.psql(&query).trim() != "0");
    }

    /// Waits until nobody holds the lock that keeps two runs apart.
    #[track_caller]
    pub(crate) fn lock_is_free(&self) {
        let query = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 72707369 AND database = \
                     (SELECT oid FROM pg_database WHERE datname = current_database())";
        until("the lock is free", || self.database.psql(query).trim() == "0");
    }

    /// Names of the tables, without the ledger.
    pub(crate) fn tables(&self) -> String {
        let tables = self.database.psql(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' \
             AND relname <> '_prisma_migrations' ORDER BY 1",
        );
        tables.lines().collect::<Vec<_>>().join(" ")
    }

    /// Names of the indexes, and which of them are invalid.
    pub(crate) fn indexes(&self) -> String {
        let indexes = self.database.psql(
            "SELECT c.relname || CASE WHEN i.indisvalid THEN '' ELSE ' (invalid)' END FROM pg_index i JOIN pg_class c ON \
             c.oid = i.indexrelid WHERE c.relnamespace = 'public'::regnamespace AND c.relname NOT LIKE '\\_prisma%' \
             ORDER BY 1",
        );
        indexes.lines().collect::<Vec<_>>().join(" ")
    }

    /// The ledger and how the runs ended.
    pub(crate) fn recorded(&self) -> String {
        let ledger = self.database.psql(
            "SELECT migration_name || ': ' || CASE WHEN rolled_back_at IS NOT NULL THEN 'rolled back' \
             WHEN finished_at IS NOT NULL THEN 'applied' ELSE 'unfinished' END || ', steps ' || applied_steps_count || \
             CASE WHEN logs IS NULL THEN '' ELSE ', logs: ' || replace(trim(E'\\n' FROM logs), E'\\n', ' ') END \
             FROM _prisma_migrations ORDER BY started_at, migration_name",
        );
        let runs = self
            .database
            .psql("SELECT command || ': ' || coalesce(outcome, 'no outcome') FROM tollgate.runs ORDER BY started_at");
        format!("{ledger}{runs}")
    }

    /// After all that: a plain deploy applies what is left, and every migration is recorded exactly once.
    #[track_caller]
    pub(crate) fn goes_on(&self) {
        self.lock_is_free();
        self.project.succeed(&["deploy"]);
        let applied = self.database.psql(
            "SELECT migration_name FROM _prisma_migrations WHERE finished_at IS NOT NULL AND rolled_back_at IS NULL \
             ORDER BY 1",
        );
        let migrations = self.project.path().join("migrations");
        let mut names: Vec<String> = std::fs::read_dir(migrations)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(applied.lines().collect::<Vec<_>>(), names);
        self.project.succeed(&["status"]);
        self.lock_is_free();
    }
}
