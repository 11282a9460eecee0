//! What a command that this program runs has itself started. A signal that is sent to the command alone never reaches it.
//!
//! A process group of the command's own would tell its processes apart as well. But then it would be in the background of
//! its terminal, where it could read nothing and Ctrl-C would not reach it; and what kills a group, as `timeout -k` does,
//! would end this program and not the command.

#[cfg(unix)]
use rustix::process::{Pid, Signal, kill_process};

/// Processes that descend from a command, as far as the system tells: Linux does, in `/proc`. One whose parents have all
/// ended is nobody's descendant any more.
#[derive(Debug, Default)]
pub struct Started {
    processes: Vec<Process>,
}

/// A process: the same number may come again, but not with the same beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Process {
    pid: i32,
    parent: i32,
    began: u64,
}

impl Started {
    /// Adds what descends now from the process of this number, or from what is known already. A number that was waited for
    /// may be another one's.
    pub fn look(&mut self, command: Option<u32>) {
        let all = processes();
        let mut parents: Vec<i32> = command.and_then(|pid| i32::try_from(pid).ok()).into_iter().collect();
        parents.extend(
            self.processes
                .iter()
                .filter(|known| known.runs())
                .map(|known| known.pid),
        );
        while let Some(parent) = parents.pop() {
            for process in all.iter().filter(|process| process.parent == parent) {
                if !self.processes.contains(process) {
                    self.processes.push(*process);
                    parents.push(process.pid);
                }
            }
        }
    }

    /// Asks all of them to end.
    pub fn terminate(&self) {
        #[cfg(unix)]
        self.send(Signal::TERM);
    }

    /// Ends all of them.
    pub fn kill(&self) {
        #[cfg(unix)]
        self.send(Signal::KILL);
    }

    #[cfg(unix)]
    fn send(&self, signal: Signal) {
        for process in self.processes.iter().filter(|process| process.runs()) {
            if let Some(pid) = Pid::from_raw(process.pid) {
                // Only fails when it has ended meanwhile, or is another user's.
                let _ = kill_process(pid, signal);
            }
        }
    }

    /// All of them have ended.
    pub fn is_over(&self) -> bool {
        !self.processes.iter().any(Process::runs)
    }
}

impl Process {
    /// `None`: it has ended, whether or not anybody has asked how.
    fn of(pid: i32) -> Option<Self> {
        let stat = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
        Self::read(pid, &String::from_utf8_lossy(&stat))
    }

    fn read(pid: i32, stat: &str) -> Option<Self> {
        // The name of the program stands in brackets and may hold anything.
        let (_, fields) = stat.rsplit_once(')')?;
        let mut fields = fields.split_ascii_whitespace();
        let has_ended = matches!(fields.next()?, "Z" | "X" | "x");
        let parent = fields.next()?.parse().ok()?;
        // Field 22 of the line, and the fifth is next.
        let began = fields.nth(17)?.parse().ok()?;
        (!has_ended).then_some(Self { pid, parent, began })
    }

    fn runs(&self) -> bool {
        Self::of(self.pid).is_some_and(|now| now.began == self.began)
    }
}

fn processes() -> Vec<Process> {
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    let numbers = entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    numbers.filter_map(Process::of).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_line_of_the_system_is_read() {
        let line = |state: &str| {
            format!(
                "7 (a ) b) {state} 5 7 7 0 -1 4194560 85 0 0 0 0 0 0 0 20 0 1 0 98765 2568192 204 18446744073709551615"
            )
        };
        let process = Process {
            pid: 7,
            parent: 5,
            began: 98_765,
        };
        assert_eq!(Process::read(7, &line("S")), Some(process));
        assert_eq!(Process::read(7, &line("Z")), None, "it has ended");
        assert_eq!(Process::read(7, "7 (sh) S 5"), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn what_this_process_starts_is_found_and_ended() {
        let mut child = std::process::Command::new("sh")
            .args(["-c", "sleep 600; true"])
            .spawn()
            .unwrap();
        let mut started = Started::default();
        while started.processes.is_empty() {
            started.look(Some(child.id()));
        }
        assert!(!started.is_over());
        started.kill();
        assert!(child.wait().unwrap().success(), "the shell goes on after it");
        assert!(started.is_over());
    }
}
