//! A deploy that runs, and the end of it.

use std::io::Read as _;
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tollgate_tests::Project;

/// Nothing here takes longer, unless it hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

/// The process, and what it says.
pub(crate) struct Running {
    child: Child,
    stdout: JoinHandle<String>,
    stderr: Said,
    began: Instant,
}

type Said = std::sync::Arc<std::sync::Mutex<String>>;

/// How a deploy ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// `None`: a signal ended it.
    pub(crate) status: Option<i32>,
    pub(crate) took: Duration,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Running {
    /// Starts the program.
    pub(crate) fn start(project: &Project, arguments: &[&str]) -> Self {
        Self::start_command(&mut project.command(arguments))
    }

    /// Starts another one.
    pub(crate) fn start_command(command: &mut Command) -> Self {
        let began = Instant::now();
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        Self {
            child,
            stdout: std::thread::spawn(|| all(stdout)),
            stderr: follow(stderr),
            began,
        }
    }

    /// Whether it has not ended yet.
    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits until this long after its start. Says whether it still runs then.
    pub(crate) fn runs_until(&mut self, moment: Duration) -> bool {
        while self.is_running() {
            let left = moment.saturating_sub(self.began.elapsed());
            if left.is_zero() {
                return true;
            }
            std::thread::sleep(left.min(Duration::from_millis(2)));
        }
        false
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
    }

    /// What it has said on standard error so far.
    pub(crate) fn stderr(&self) -> String {
        self.stderr.lock().unwrap().clone()
    }

    /// Waits for its end, which has to come.
    pub(crate) fn end(mut self) -> Ended {
        let waiting = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if waiting.elapsed() > PATIENCE {
                self.kill();
                panic!("a deploy that does not end: {}", self.stderr());
            }
            std::thread::sleep(Duration::from_millis(2));
        };
        let took = self.began.elapsed();
        let stdout = self.stdout.join().unwrap();
        let stderr = self.stderr.lock().unwrap().clone();
        Ended {
            status: status.code(),
            took,
            stdout,
            stderr,
        }
    }
}

impl Ended {
    /// As a failing test shows it.
    pub(crate) fn text(&self) -> String {
        format!(
            "status {:?} after {:?}\n{}{}",
            self.status, self.took, self.stdout, self.stderr
        )
    }
}

fn all(mut stdout: ChildStdout) -> String {
    let mut text = String::new();
    let _ = stdout.read_to_string(&mut text);
    text
}

fn follow(mut stderr: ChildStderr) -> Said {
    let said = Said::default();
    let theirs = Said::clone(&said);
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(length @ 1..) = stderr.read(&mut buffer) {
            theirs
                .lock()
                .unwrap()
                .push_str(&String::from_utf8_lossy(&buffer[..length]));
        }
    });
    said
}

/// Waits until something is so.
#[track_caller]
pub(crate) fn until(what: &str, mut so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !so() {
        assert!(began.elapsed() < PATIENCE, "in vain: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
