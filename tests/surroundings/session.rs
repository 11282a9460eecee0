//! What the tests share: migrations, commands and what came of them, and a look at the ledger.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tollgate_testing::postgres::Cluster;
use tollgate_tests::Project;

/// `$ tollgate …` and what came of it, command by command.
pub(crate) fn session(project: &Project, commands: &[&str]) -> String {
    let run = |command: &&str| {
        let arguments: Vec<&str> = command.split_whitespace().collect();
        format!("$ tollgate {command}\n{}\n", project.run(&arguments))
    };
    commands.iter().map(run).collect()
}

/// What was said, on one line: where lines break depends on how long names are.
pub(crate) fn words(said: &str) -> String {
    let text = said.replace('│', " ");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A project on this database.
pub(crate) fn on(url: &str) -> Project {
    let mut project = Project::new();
    project.set("DATABASE_URL", url);
    project
}

/// Three small migrations, for either database.
pub(crate) fn blog(project: &Project) {
    project
        .migration(
            "1_users",
            "CREATE TABLE users (id integer PRIMARY KEY, email text NOT NULL);\n",
        )
        .migration(
            "2_posts",
            "CREATE TABLE posts (id integer PRIMARY KEY, author integer NOT NULL REFERENCES users (id), title text);\n\
             CREATE INDEX posts_author ON posts (author);\n",
        )
        .migration("3_views", "CREATE VIEW titles AS SELECT title FROM posts;\n");
}

/// The ledger: each migration and what became of it, in order. Rows that were rolled back count as attempts.
pub(crate) const LEDGER: &str = "SELECT migration_name || ' ' || CASE WHEN rolled_back_at IS NOT NULL THEN 'rolled back' \
    WHEN finished_at IS NOT NULL THEN 'applied' ELSE 'unfinished' END FROM _prisma_migrations \
    ORDER BY migration_name, started_at";

/// How often each migration is recorded as applied, and that nothing is unfinished.
pub(crate) const APPLIED: &str = "SELECT migration_name || ' ' || count(finished_at) || ' ' || \
    sum(CASE WHEN finished_at IS NULL AND rolled_back_at IS NULL THEN 1 ELSE 0 END) FROM _prisma_migrations \
    WHERE rolled_back_at IS NULL GROUP BY migration_name ORDER BY migration_name";

/// What [`APPLIED`] gives when all of [`blog`] is there, once.
pub(crate) const BLOG_APPLIED: &str = "1_users 1 0\n2_posts 1 0\n3_views 1 0\n";

/// Runs SQL with the `sqlite3` shell.
#[track_caller]
pub(crate) fn sqlite3(path: &Path, sql: &str) -> String {
    let output = Command::new("sqlite3")
        .arg("-batch")
        .arg(path)
        .arg(sql)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && said.is_empty(), "{said}");
    String::from_utf8(output.stdout).unwrap()
}

/// Waits until the server says that this is true: a session takes a moment to end after its client has.
#[track_caller]
pub(crate) fn wait_until(cluster: &Cluster, condition: &str) {
    let deadline = Instant::now() + Duration::from_mins(1);
    loop {
        let answer = cluster.admin(&format!("SELECT {condition}"));
        if matches!(answer.as_deref(), Ok("t\n")) {
            return;
        }
        assert!(Instant::now() < deadline, "{condition}: {answer:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Another program that is connected until it is dropped.
pub(crate) struct Visitor {
    child: Child,
    /// What the server has answered so far.
    pub(crate) heard: String,
}

impl Visitor {
    /// psql, connected to this URL, when it has run this SQL.
    #[track_caller]
    pub(crate) fn new(cluster: &Cluster, url: &str, sql: &str) -> Self {
        let mut child = Command::new(cluster.program("psql"))
            .args(["-XAtq", "-d", url])
            .env("PGAPPNAME", "somebody")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let input = child.stdin.as_mut().unwrap();
        input.write_all(format!("{sql}\nSELECT 'there';\n").as_bytes()).unwrap();
        let mut heard = String::new();
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            match line.unwrap().as_str() {
                "there" => return Self { child, heard },
                line => heard += &format!("{line}\n"),
            }
        }
        panic!("psql could not connect")
    }

    /// Says one more thing and goes.
    pub(crate) fn tell(mut self, sql: &str) {
        let input = self.child.stdin.as_mut().unwrap();
        input.write_all(format!("{sql}\n").as_bytes()).unwrap();
    }
}

impl Drop for Visitor {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}
