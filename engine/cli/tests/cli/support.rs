//! A project folder of one's own and the program run in it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// The migration `1_users` of a [`project`].
pub const USERS: &str = "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT NOT NULL);\n";
const INDEX: &str = "CREATE UNIQUE INDEX users_email ON users (email);\n";

/// An empty folder that goes away with the test.
pub struct Project {
    folder: TempDir,
}

/// What a run printed and how it ended.
pub struct Ended {
    pub status: i32,
    pub stdout: String,
    pub stderr: String,
}

/// A run about to start.
pub struct Run {
    command: Command,
    root: PathBuf,
}

impl Project {
    /// An empty project.
    pub fn new() -> Self {
        Self {
            folder: tempfile::Builder::new().prefix("tollgate-cli-").tempdir().unwrap(),
        }
    }

    /// A project with these files.
    pub fn with(files: &[(&str, &str)]) -> Self {
        let project = Self::new();
        for (path, text) in files {
            project.write(path, text);
        }
        project
    }

    /// The folder, without links in its path.
    pub fn root(&self) -> PathBuf {
        self.folder.path().canonicalize().unwrap()
    }

    pub fn write(&self, path: &str, text: &str) {
        let path = self.root().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.root().join(path)).unwrap()
    }

    /// The program with these arguments, in the project's folder and an empty environment.
    pub fn command(&self, args: &[&str]) -> Run {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
        command
            .args(args)
            .current_dir(self.root())
            .env_clear()
            .env("HOME", self.root().join("home"));
        // Compiled plugins are kept from one test to the next.
        command.env("XDG_CACHE_HOME", concat!(env!("CARGO_TARGET_TMPDIR"), "/cache"));
        Run {
            command,
            root: self.root(),
        }
    }

    /// Runs it.
    pub fn run(&self, args: &[&str]) -> Ended {
        self.command(args).run()
    }

    /// Runs it with `--format json` and reads the document.
    pub fn json(&self, args: &[&str]) -> serde_json::Value {
        let ended = self.command(args).args(&["--format", "json"]).run();
        assert_eq!(ended.stderr, "", "a program gets everything on standard output");
        serde_json::from_str(&ended.stdout).unwrap()
    }

    /// Every file below the folder, with `/`, sorted; times in names are replaced.
    pub fn files(&self) -> String {
        let mut files = Vec::new();
        collect(&self.root(), &self.root(), &mut files);
        files.sort();
        without_times(&files.join("\n"))
    }
}

fn collect(root: &Path, folder: &Path, files: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(root, &path, files);
        } else {
            files.push(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned());
        }
    }
}

impl Run {
    pub fn args(mut self, args: &[&str]) -> Self {
        self.command.args(args);
        self
    }

    pub fn env(mut self, name: &str, value: impl AsRef<std::ffi::OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Runs in a folder below the project's.
    pub fn inside(mut self, folder: &str) -> Self {
        self.command.current_dir(self.root.join(folder));
        self
    }

    pub fn run(mut self) -> Ended {
        let output = self.command.output().unwrap();
        let text = |bytes: Vec<u8>| {
            let text = String::from_utf8(bytes)
                .unwrap()
                .replace(self.root.to_str().unwrap(), "[project]");
            // miette leaves blanks at the ends of some lines; in a snapshot nobody sees them.
            let text = without_times(&text);
            let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
            if lines.is_empty() {
                String::new()
            } else {
                lines.join(
                    "
",
                ) + "
"
            }
        };
        Ended {
            status: output.status.code().unwrap_or(-1),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "exit status {}", self.status)?;
        for (name, text) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            if !text.is_empty() {
                writeln!(f, "--- {name}\n{}", text.trim_end())?;
            }
        }
        Ok(())
    }
}

/// Replaces every run of 14 digits, which is the time in a migration's name.
fn without_times(text: &str) -> String {
    let mut out = String::new();
    let mut digits = String::new();
    for c in text.chars().chain(['\0']) {
        if c.is_ascii_digit() {
            digits.push(c);
            continue;
        }
        out.push_str(if digits.len() == 14 { "[time]" } else { &digits });
        digits.clear();
        out.push(c);
    }
    out.trim_end_matches('\0').to_owned()
}

/// Two harmless migrations and a database that is not there yet.
pub fn project() -> Project {
    Project::with(&[
        ("migrations/1_users/migration.sql", USERS),
        ("migrations/2_index/migration.sql", INDEX),
        ("migrations/migration_lock.toml", "provider = \"sqlite\"\n"),
        (".env", "DATABASE_URL=file:./dev.db\n"),
    ])
}

/// How long things took is different every time.
pub fn timeless(ended: &Ended) -> String {
    let words = |line: &str| {
        let mut words: Vec<&str> = line.split(' ').collect();
        for at in 1..words.len() {
            let number = words[at - 1].bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
            // The first deploy may have to compile the plugins, which takes seconds on a busy machine.
            if matches!(words[at], "ms" | "s") && number {
                words[at - 1] = "[n]";
                words[at] = "ms";
            }
        }
        words.join(" ")
    };
    ended.to_string().lines().map(words).collect::<Vec<_>>().join("\n")
}
