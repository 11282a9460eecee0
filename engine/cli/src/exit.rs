//! What the program's exit status means. These numbers are part of the interface: CI jobs branch on them.

use std::process::ExitCode;

/// Why the program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done, or there was nothing to do.
    Done,
    /// The operation failed.
    Failed,
    /// The command line or the configuration is wrong; nothing was attempted.
    Usage,
    /// A policy blocks, or another environment has to come first.
    Blocked,
    /// Somebody else holds the lock.
    Locked,
    /// The database is not in the expected state: migrations are pending (`status`), failed, missing or edited.
    Unexpected,
    /// Ctrl-C. What was begun is finished or rolled back, and recorded.
    Interrupted,
    /// The same by SIGTERM.
    Terminated,
    /// The same by a terminal that was closed.
    HungUp,
    /// What the command ended with that `lock run` ran.
    OfCommand(u8),
}

impl Exit {
    /// The status that the shell sees.
    pub const fn status(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Blocked => 3,
            Self::Locked => 4,
            Self::Unexpected => 5,
            // As a shell reports a process that the signal ended: 128 and its number.
            Self::HungUp => 129,
            Self::Interrupted => 130,
            Self::Terminated => 143,
            Self::OfCommand(status) => status,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.status())
    }
}

/// The table that `tollgate --help` ends with.
pub const HELP: &str = "\
Exit status:
  0  done, or nothing to do
  1  the operation failed
  2  wrong arguments or configuration
  3  blocked by a policy until somebody approves, or until another environment has come first
  4  the lock is held by somebody else
  5  the database is not in the expected state (pending for `status`, failed, missing, edited)
  130, 143, 129  interrupted: Ctrl-C, SIGTERM, the terminal was closed";
