//! What the end-to-end tests work with: a project in a folder of its own, and the program run in it with nothing else
//! around it.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, LazyLock, Once};

use regex::Regex;
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use tempfile::TempDir;

/// The folder of this repository.
pub fn repository() -> &'static Path {
    static ROOT: LazyLock<PathBuf> = LazyLock::new(|| {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .parent()
            .expect("tests/ lies in the repository")
            .to_owned()
    });
    &ROOT
}

/// The program under test: it is built into the folder above the one that test programs are in.
///
/// # Panics
/// When it has not been built.
pub fn program() -> PathBuf {
    let test = std::env::current_exe().expect("the system knows where this program is");
    let folder = test
        .ancestors()
        .nth(2)
        .expect("test programs are in target/PROFILE/deps");
    let program = folder.join("tollgate");
    assert!(program.exists(), "build it first: cargo build -p tollgate");
    program
}

/// Whoever runs these tests may have been started with signals ignored, as a shell does with what it starts in the
/// background, and so would be what they start. A signal that is heard here is at its default there.
fn hear_signals() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        for signal in [SIGHUP, SIGINT, SIGQUIT, SIGTERM] {
            let always = Arc::new(true.into());
            signal_hook::flag::register_conditional_shutdown(signal, 1, always).expect("a signal that can be heard");
        }
    });
}

/// A project in a temporary folder.
pub struct Project {
    dir: TempDir,
    environment: BTreeMap<String, String>,
}

impl Default for Project {
    fn default() -> Self {
        Self::new()
    }
}

impl Project {
    /// An empty folder.
    ///
    /// # Panics
    /// When the system gives no temporary folder.
    pub fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        fs::create_dir(dir.path().join("home")).expect("a home folder");
        Self {
            dir,
            environment: BTreeMap::new(),
        }
    }

    /// A copy of one of the folders under `examples/`.
    ///
    /// # Panics
    /// When it cannot be copied.
    pub fn example(name: &str) -> Self {
        let project = Self::new();
        copy(&repository().join("examples").join(name), project.path()).expect("the example can be copied");
        project
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Writes a file, and the folders above it.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn file(&self, path: &str, text: &str) -> &Self {
        let path = self.path().join(path);
        fs::create_dir_all(path.parent().expect("a file has a folder")).expect("folders can be made");
        fs::write(path, text).expect("files can be written");
        self
    }

    /// Writes `migrations/NAME/migration.sql`.
    pub fn migration(&self, name: &str, sql: &str) -> &Self {
        self.file(&format!("migrations/{name}/migration.sql"), sql)
    }

    /// Sets a variable for the programs that are run here.
    pub fn set(&mut self, name: &str, value: &str) -> &mut Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    /// The program where every user of this system can run it: in its own folder when that can be passed, else a copy
    /// here.
    ///
    /// # Panics
    /// When it has not been built or cannot be copied.
    pub fn program_for_everybody(&self) -> PathBuf {
        use std::os::unix::fs::PermissionsExt as _;
        let program = program();
        let passable =
            |folder: &Path| fs::metadata(folder).is_ok_and(|metadata| metadata.permissions().mode() & 0o001 != 0);
        if program.ancestors().skip(1).all(passable) {
            return program;
        }
        let copy = self.path().join("tollgate");
        fs::copy(&program, &copy).expect("the program can be copied");
        copy
    }

    /// The program with these arguments, not yet run: no environment but this project's own.
    pub fn command(&self, arguments: &[&str]) -> Command {
        hear_signals();
        let mut command = Command::new(program());
        command
            .args(arguments)
            .current_dir(self.path())
            .env_clear()
            .env("HOME", self.path().join("home"))
            // Compiled plugins are kept from one test to the next: compiling them takes longer than most tests.
            .env("XDG_CACHE_HOME", program().with_file_name("tests-cache"))
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .envs(&self.environment)
            .stdin(Stdio::null());
        command
    }

    /// Runs the program to its end.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn run(&self, arguments: &[&str]) -> Outcome {
        self.finish(&mut self.command(arguments))
    }

    /// Runs a command to its end.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn finish(&self, command: &mut Command) -> Outcome {
        self.outcome(&command.output().expect("the program can be started"))
    }

    /// How a run ended that was started in some other way.
    pub fn outcome(&self, output: &Output) -> Outcome {
        Outcome {
            status: output.status.code(),
            stdout: self.normalise(&output.stdout),
            stderr: self.normalise(&output.stderr),
            raw_stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            raw_stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Runs the program and expects it to end well.
    ///
    /// # Panics
    /// When it does not.
    pub fn succeed(&self, arguments: &[&str]) -> Outcome {
        let outcome = self.run(arguments);
        assert_eq!(outcome.status, Some(0), "tollgate {arguments:?}\n{outcome}");
        outcome
    }

    /// Output with everything replaced that differs from run to run.
    fn normalise(&self, output: &[u8]) -> String {
        static CHANGING: LazyLock<[(Regex, &str); 11]> = LazyLock::new(|| {
            let regex = |pattern| Regex::new(pattern).expect("the pattern is right");
            [
                (
                    regex(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z| UTC|\+00)?"),
                    "[time]",
                ),
                (regex(r"\b\d+(\.\d+)?\s?(ns|µs|ms|s)\b"), "[duration]"),
                (regex(r#"("duration_ms": )\d+"#), "${1}0"),
                (
                    regex(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"),
                    "[uuid]",
                ),
                (regex(r"127\.0\.0\.1:\d+"), "127.0.0.1:[port]"),
                (regex(r"tollgate_\d{7}_\d{4}"), "[database]"),
                (regex(r"[^\s:]*/tollgate-sqlite-\w+/"), "[folder]/"),
                (regex(r"\bprocess \d+"), "process [number]"),
                (regex(r"\bPID \d+"), "PID [number]"),
                (regex(r"\bsession \d+"), "session [number]"),
                (regex(r"pg_terminate_backend\(\d+\)"), "pg_terminate_backend([number])"),
            ]
        });
        let mut text = String::from_utf8_lossy(output).into_owned();
        let folders = [self.path().canonicalize().unwrap_or_default(), self.path().to_owned()];
        for folder in folders.iter().filter(|folder| !folder.as_os_str().is_empty()) {
            text = text.replace(&folder.display().to_string(), "[project]");
        }
        for (pattern, replacement) in CHANGING.iter() {
            text = pattern.replace_all(&text, *replacement).into_owned();
        }
        text
    }
}

/// How a run ended and what it said, with what changes from run to run replaced. Displays as a snapshot.
pub struct Outcome {
    /// Exit status; `None` when a signal ended it.
    pub status: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// Standard output as it was.
    pub raw_stdout: String,
    /// Standard error as it was.
    pub raw_stderr: String,
}

impl Outcome {
    /// Standard output as a JSON document.
    ///
    /// # Panics
    /// When it is none.
    #[track_caller]
    #[expect(clippy::panic, reason = "a failing test should stop here")]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.raw_stdout).unwrap_or_else(|error| panic!("no JSON document: {error}\n{self}"))
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = self.status.map_or("killed".to_owned(), |status| status.to_string());
        writeln!(f, "status: {status}")?;
        for (name, text) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            if !text.is_empty() {
                writeln!(f, "-- {name}")?;
                f.write_str(text)?;
            }
        }
        Ok(())
    }
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            fs::create_dir_all(&target)?;
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// A web server that takes whatever is posted to it, for notifiers.
pub struct Receiver {
    child: Child,
    file: PathBuf,
    _dir: TempDir,
    url: String,
}

/// What a receiver got.
#[derive(Debug, Clone)]
pub struct Request {
    /// Headers, names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body as it was sent.
    pub body: String,
}

impl Request {
    /// The body as a JSON document.
    ///
    /// # Panics
    /// When it is none.
    #[track_caller]
    #[expect(clippy::panic, reason = "a failing test should stop here")]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("no JSON document: {error}\n{}", self.body))
    }
}

impl Receiver {
    /// Starts one on a free port.
    ///
    /// # Panics
    /// When it has not been built or cannot be started.
    pub fn start() -> Self {
        Self::answering(204)
    }

    /// Starts one that gives every request this status.
    ///
    /// # Panics
    /// When it has not been built or cannot be started.
    pub fn answering(status: u16) -> Self {
        use std::io::{BufRead, BufReader};
        let dir = tempfile::tempdir().expect("a temporary folder");
        let file = dir.path().join("received.jsonl");
        let mut child = Command::new(program().with_file_name("webhook-receiver"))
            .args(["--headers", "--status", &status.to_string()])
            .arg(&file)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("build it first: cargo build -p tollgate-testing");
        let mut url = String::new();
        let stdout = child.stdout.take().expect("its output is piped");
        BufReader::new(stdout)
            .read_line(&mut url)
            .expect("it says where it listens");
        Self {
            child,
            file,
            _dir: dir,
            url: url.trim().to_owned(),
        }
    }

    /// Where it listens.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Everything that it got.
    ///
    /// # Panics
    /// When the receiver has not written what it should.
    pub fn received(&self) -> Vec<Request> {
        let text = fs::read_to_string(&self.file).unwrap_or_default();
        let request = |line: &str| {
            let document: serde_json::Value = serde_json::from_str(line).expect("a line is a JSON document");
            let headers = document["headers"].as_object().expect("headers are an object");
            let header = |(name, value): (&String, &serde_json::Value)| {
                (name.clone(), value.as_str().unwrap_or_default().to_owned())
            };
            Request {
                headers: headers.iter().map(header).collect(),
                body: document["body"].as_str().unwrap_or_default().to_owned(),
            }
        };
        text.lines().map(request).collect()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.child.stdin.as_mut().map(Write::flush);
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
