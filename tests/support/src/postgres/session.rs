//! A client that stays: a psql whose session lives from question to question.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use super::TestDatabase;

/// What psql says when everything before it is done.
const DONE: &str = "--done--";

/// An open session. It ends with the value; what its transaction did is rolled back then.
#[derive(Debug)]
pub struct Session {
    psql: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

impl TestDatabase<'_> {
    /// Opens a session that the server knows by this name.
    ///
    /// # Panics
    /// When psql cannot be started.
    pub fn session(&self, application: &str) -> Session {
        Session::open(self, application)
    }
}

#[expect(clippy::expect_used, reason = "tests want to fail here")]
impl Session {
    fn open(database: &TestDatabase<'_>, application: &str) -> Self {
        let mut psql = Command::new(database.cluster().program("psql"))
            .args(["--no-psqlrc", "--no-align", "--tuples-only", "--quiet", "--dbname"])
            .arg(database.url())
            .env("PGAPPNAME", application)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("psql can be started");
        let to = psql.stdin.take().expect("its input is piped");
        let from = BufReader::new(psql.stdout.take().expect("its output is piped"));
        let mut session = Self { psql, to, from };
        session.run("SELECT 1;");
        session
    }

    /// Runs statements and waits until they are done: unaligned rows without headers. Statements that the server refuses
    /// leave no output.
    ///
    /// # Panics
    /// When the session has ended.
    pub fn run(&mut self, sql: &str) -> String {
        self.send(sql);
        self.wait()
    }

    /// Sends statements without waiting for them; [`Self::wait`] does.
    ///
    /// # Panics
    /// When the session has ended.
    pub fn send(&mut self, sql: &str) {
        writeln!(self.to, "{sql}\nSELECT '{DONE}';").expect("the session is there");
        self.to.flush().expect("the session is there");
    }

    /// Waits for what was sent; its output.
    ///
    /// # Panics
    /// When the session has ended.
    pub fn wait(&mut self) -> String {
        let mut output = String::new();
        loop {
            let start = output.len();
            let length = self.from.read_line(&mut output).expect("psql's output is text");
            assert!(length > 0, "psql has ended after: {output}");
            if output[start..].trim_end() == DONE {
                output.truncate(start);
                return output;
            }
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let _ = self.psql.kill();
        let _ = self.psql.wait();
    }
}
