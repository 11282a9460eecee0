//! What git knows of the migrations: which of them a branch adds. The `git` program answers; nothing is changed.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Output};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::path::shown;
use crate::output::report::Report;

/// Variables with which git tells its hooks where it works; the folder says it better.
const INHERITED: [&str; 6] = [
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_PREFIX",
    "GIT_OBJECT_DIRECTORY",
    "GIT_COMMON_DIR",
];

/// The files of a folder, compared with those of a commit. Paths start from the folder.
#[derive(Debug, PartialEq, Eq)]
pub struct Changes {
    /// The files that the commit has.
    pub before: BTreeSet<String>,
    /// Those of them that are different now.
    pub changed: BTreeSet<String>,
    /// Those of them that are gone.
    pub removed: BTreeSet<String>,
}

/// Compares a folder with what it was where the branch that is checked out has left `since`.
pub fn changes(folder: &Path, since: &str) -> Result<Changes, Failure> {
    let git = Git { folder, since };
    git.expect_repository()?;
    git.expect_commit()?;
    let base = git.merge_base()?;
    let listed = git.succeed(&["ls-tree", "-r", "-z", "--name-only", &base, "--", "."])?;
    let compared = git.succeed(&[
        "diff",
        "--no-ext-diff",
        "--no-textconv",
        "--no-renames",
        "--relative",
        "--name-status",
        "-z",
        &base,
        "--",
        ".",
    ])?;
    let mut changes = Changes {
        before: texts(&listed).collect(),
        changed: BTreeSet::new(),
        removed: BTreeSet::new(),
    };
    let mut parts = texts(&compared);
    while let (Some(status), Some(path)) = (parts.next(), parts.next()) {
        match status.as_str() {
            "A" => {}
            "D" => drop(changes.removed.insert(path)),
            _ => drop(changes.changed.insert(path)),
        }
    }
    Ok(changes)
}

/// The parts of an output that NUL separates.
fn texts(output: &[u8]) -> impl Iterator<Item = String> {
    output
        .split(|byte| *byte == 0)
        .filter(|part| !part.is_empty())
        .map(|part| String::from_utf8_lossy(part).into_owned())
}

/// One question: what has changed in `folder` since `since`.
struct Git<'a> {
    folder: &'a Path,
    since: &'a str,
}

impl Git<'_> {
    fn run(&self, arguments: &[&str]) -> Result<Output, Failure> {
        let mut command = Command::new("git");
        command
            .arg("-C")
            .arg(self.folder)
            .arg("--no-pager")
            .arg("--literal-pathspecs")
            .args(arguments)
            .env("LC_ALL", "C")
            .env("GIT_OPTIONAL_LOCKS", "0")
            .env("GIT_TERMINAL_PROMPT", "0")
            .stdin(std::process::Stdio::null());
        INHERITED.map(OsStr::new).iter().for_each(|name| {
            command.env_remove(name);
        });
        command.output().map_err(|error| {
            let report = Report::error("git::missing", format!("the program git cannot be started: {error}"));
            Failure::new(
                Exit::Usage,
                report.help("`--since` asks it what the branch adds: install it"),
            )
        })
    }

    /// The output of a command that has no reason to fail.
    fn succeed(&self, arguments: &[&str]) -> Result<Vec<u8>, Failure> {
        let output = self.run(arguments)?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        let message = format!("git {} failed: {}", arguments.first().unwrap_or(&""), said(&output));
        Err(Failure::new(Exit::Failed, Report::error("git::failed", message)))
    }

    fn expect_repository(&self) -> Result<(), Failure> {
        let output = self.run(&["rev-parse", "--is-inside-work-tree"])?;
        if output.status.success() && output.stdout.starts_with(b"true") {
            return Ok(());
        }
        let why = said(&output);
        let message = if why.is_empty() || why.contains("not a git repository") {
            format!("{} is in no git repository", shown(self.folder))
        } else {
            format!("git cannot work in {}: {why}", shown(self.folder))
        };
        let report = Report::error("git::repository", message);
        Err(Failure::new(
            Exit::Usage,
            report.help("`--since` asks git what the branch adds; without it, all migrations are judged"),
        ))
    }

    fn expect_commit(&self) -> Result<(), Failure> {
        let commit = format!("{}^{{commit}}", self.since);
        // What begins with a dash would be an option of git's.
        if !self.since.starts_with('-')
            && self
                .run(&["rev-parse", "--verify", "--quiet", &commit])?
                .status
                .success()
        {
            return Ok(());
        }
        let help = match self.since.split_once('/') {
            Some((remote, branch)) => format!("`git fetch {remote} {branch}` gets it, or name another one"),
            None => format!(
                "name a branch, a tag or a commit that is here; `git fetch origin {0}` gets a branch as origin/{0}",
                self.since
            ),
        };
        let message = format!("git knows no commit {}", self.since);
        Err(Failure::new(
            Exit::Usage,
            Report::error("git::unknown-ref", message).help(self.with_depth(help)?),
        ))
    }

    fn merge_base(&self) -> Result<String, Failure> {
        let output = self.run(&["merge-base", self.since, "HEAD"])?;
        let base = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        if output.status.success() && !base.is_empty() {
            return Ok(base);
        }
        let message = format!(
            "git knows no commit from which both {} and what is checked out come",
            self.since
        );
        let help = self.with_depth("`--since` needs one to tell what the branch adds".to_owned())?;
        Err(Failure::new(
            Exit::Usage,
            Report::error("git::no-merge-base", message).help(help),
        ))
    }

    /// A shallow copy of a repository is why most things are not there.
    fn with_depth(&self, help: String) -> Result<String, Failure> {
        let output = self.run(&["rev-parse", "--is-shallow-repository"])?;
        if output.stdout.starts_with(b"true") {
            return Ok(
                "this is a shallow clone: get the whole history with `git fetch --unshallow`, or `fetch-depth: 0` of \
                       actions/checkout"
                    .to_owned(),
            );
        }
        Ok(help)
    }
}

/// What git says, on one line and without its own marks.
fn said(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    first
        .trim_start_matches("fatal: ")
        .trim_start_matches("error: ")
        .to_owned()
}
