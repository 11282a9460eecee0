//! A shell that makes something, says "ready", and undoes it when its standard input ends: however this process goes, the
//! kernel closes that pipe.

use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdin, Stdio};

use crate::programs::{OtherUser, shell_as};
use crate::{SupportError, programs};

/// The shell, and the pipe whose end it waits for.
#[derive(Debug)]
pub(crate) struct Supervised {
    shell: Child,
    lifeline: Option<ChildStdin>,
}

/// What every such script begins with. A test runner kills the process group of a test that hangs, and a person presses
/// Ctrl-C: the shell has to survive both to clean up.
const PROLOGUE: &str = "exec 2>&1; trap '' HUP INT; umask 077\n";

impl Supervised {
    /// Runs the script with these arguments until it says that it is ready.
    ///
    /// # Errors
    /// What it said instead.
    pub(crate) fn start(user: Option<&OtherUser>, script: &str, arguments: &[&str]) -> Result<Self, SupportError> {
        let mut shell = shell_as(user, &format!("{PROLOGUE}{script}"), arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .current_dir("/")
            .process_group(0)
            .spawn()
            .map_err(|error| SupportError::io("cannot start a shell", &error))?;
        let lifeline = shell.stdin.take();
        let output = shell.stdout.take().ok_or_else(|| SupportError::new("no pipe"))?;
        let mut output = BufReader::new(output);
        let mut said = String::new();
        while output.read_line(&mut said).is_ok_and(|length| length > 0) {
            if said.ends_with("ready\n") {
                return Ok(Self { shell, lifeline });
            }
        }
        drop(lifeline);
        let _ = output.read_to_string(&mut said);
        let _ = shell.wait();
        Err(SupportError::new(said.trim().to_owned()))
    }
}

/// Waits until everything is undone.
impl Drop for Supervised {
    fn drop(&mut self) {
        drop(self.lifeline.take());
        let _ = self.shell.wait();
    }
}

/// Runs a script to its end; its output, or what it complained about.
pub(crate) fn run_to_end(user: Option<&OtherUser>, script: &str, arguments: &[&str]) -> Result<String, SupportError> {
    let output = programs::shell_as(user, script, arguments)
        .stdin(Stdio::null())
        .current_dir("/")
        .output()
        .map_err(|error| SupportError::io("cannot start a shell", &error))?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    if output.status.success() {
        Ok(said)
    } else {
        Err(SupportError::new(said.trim().to_owned()))
    }
}
