//! Where the servers' own programs are, and as whom they run.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::SupportError;

/// Folder of PostgreSQL's programs when the usual places do not have the wanted version.
const BINDIR_VARIABLE: &str = "TOLLGATE_TEST_POSTGRES_BINDIR";

/// The folder that holds `initdb`, `postgres`, `pg_ctl`, `psql` and `pg_dump`.
pub(crate) fn postgres_bindir() -> Result<PathBuf, SupportError> {
    if let Some(folder) = std::env::var_os(BINDIR_VARIABLE) {
        return Ok(PathBuf::from(folder));
    }
    candidates().into_iter().find(|folder| folder.join("initdb").is_file()).ok_or_else(|| {
        SupportError::new(format!(
            "PostgreSQL's server programs (initdb, postgres) were not found. Install them (Debian, Ubuntu: `apt-get \
             install postgresql`), or name their folder in {BINDIR_VARIABLE}, or name a running server in {} \
             (postgresql://user:password@host:port) on which the tests may create databases",
            crate::postgres::SERVER_VARIABLE,
        ))
    })
}

fn candidates() -> Vec<PathBuf> {
    let mut folders = Vec::new();
    if let Ok(output) = Command::new("pg_config").arg("--bindir").stderr(Stdio::null()).output() {
        folders.push(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()));
    }
    for root in ["/usr/lib/postgresql", "/opt/homebrew/opt", "/usr/local/opt"] {
        let Ok(entries) = std::fs::read_dir(root) else { continue };
        let mut found: Vec<PathBuf> = entries.flatten().map(|entry| entry.path().join("bin")).collect();
        found.sort();
        found.reverse();
        folders.extend(found);
    }
    folders.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    folders
}

/// A user other than root, for the server that refuses to run as root.
pub(crate) struct OtherUser {
    pub name: &'static str,
    pub uid: u32,
    pub gid: u32,
}

/// Whom to run the server as: `None` means ourselves.
pub(crate) fn server_user() -> Result<Option<OtherUser>, SupportError> {
    if id(&["-u"]) != Some(0) {
        return Ok(None);
    }
    for name in ["postgres", "nobody"] {
        if let (Some(uid), Some(gid)) = (id(&["-u", name]), id(&["-g", name])) {
            return Ok(Some(OtherUser { name, uid, gid }));
        }
    }
    Err(SupportError::new(
        "PostgreSQL refuses to run as root, and neither user `postgres` nor `nobody` exists to run it as",
    ))
}

pub(crate) fn id(arguments: &[&str]) -> Option<u32> {
    let output = Command::new("id").args(arguments).stderr(Stdio::null()).output().ok()?;
    String::from_utf8_lossy(&output.stdout).trim().parse().ok()
}

/// `sh -c script` with positional arguments, as `user`.
pub(crate) fn shell_as(user: Option<&OtherUser>, script: &str, arguments: &[&str]) -> Command {
    let Some(user) = user else {
        let mut command = Command::new("sh");
        command.arg("-c").arg(script).arg("sh").args(arguments);
        return command;
    };
    let mut command = if Command::new("setpriv")
        .arg("--version")
        .stdout(Stdio::null())
        .status()
        .is_ok()
    {
        let mut command = Command::new("setpriv");
        command.args([
            "--reuid",
            user.name,
            "--regid",
            &user.gid.to_string(),
            "--clear-groups",
            "sh",
        ]);
        command
    } else {
        let mut command = Command::new("su");
        command.args([user.name, "-s", "/bin/sh"]);
        command
    };
    command.arg("-c").arg(script).arg("sh").args(arguments);
    command
}

/// Runs a program with `input` on its standard input; its standard output, or what it complained about.
pub(crate) fn run(program: &Path, arguments: &[&str], input: &str) -> Result<String, SupportError> {
    let shown = program.display();
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| SupportError::io(&format!("cannot run {shown}"), &error))?;
    let stdin = child.stdin.take();
    // The program may fill its output pipe before it has read everything, so write from another thread.
    let output = std::thread::scope(|scope| {
        scope.spawn(move || stdin.map(|mut stdin| stdin.write_all(input.as_bytes())));
        child.wait_with_output()
    })
    .map_err(|error| SupportError::io(&format!("cannot wait for {shown}"), &error))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(SupportError::new(
            String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        ))
    }
}
