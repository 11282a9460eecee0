//! Going on under a lock that another process holds: `tollgate lock run` takes it, the commands in it use it.
//!
//! The pass names the session that holds the lock and a random token. The session shows that the token is its own: on
//! PostgreSQL by holding a second advisory lock whose key is made from it, on `SQLite` by its digest in the lock file.
//! Either ends with the session, however that ends, and reading it gives nobody the token.

use crate::database::Database;
use crate::lock::{Kind, LockError, RunLock};
use crate::postgres::lock::BorrowedLock;
use crate::sqlite::lock::BorrowedFile;
use crate::state::LockToken;
use crate::target::{Target, TargetKind};

/// What lets another process go on under a lock. Its text is a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockPass {
    /// The session, or on `SQLite` the process, that holds the lock.
    pub(crate) pid: i32,
    pub(crate) token: LockToken,
}

impl LockPass {
    /// Reads one back.
    pub fn parse(text: &str) -> Option<Self> {
        let (pid, token) = text.split_once(':')?;
        Some(Self {
            pid: pid.parse().ok().filter(|pid| *pid > 0)?,
            token: LockToken::parse(token)?,
        })
    }

    /// For the environment of the other process.
    pub fn reveal(&self) -> String {
        format!("{}:{}", self.pid, self.token.reveal())
    }
}

impl RunLock {
    /// Lets other processes go on under this lock for as long as it is held.
    pub fn pass(&mut self) -> Result<LockPass, LockError> {
        let token = LockToken::random();
        let pid = match &mut self.kind {
            Kind::Advisory(lock) => lock.show(&token)?,
            Kind::File(lock) => lock.show(&token)?,
            Kind::Borrowed(_, pass) | Kind::BorrowedFile(_, pass) => return Ok(pass.clone()),
        };
        Ok(LockPass { pid, token })
    }
}

impl Database {
    /// The lock that the pass is for, if it is one of this database and held. Otherwise the pass is for another
    /// database, or its lock is gone: then the lock has to be taken as usual.
    pub(crate) fn borrow_lock(&mut self, pass: &LockPass, direct: Option<&Target>) -> Result<Option<Kind>, LockError> {
        let kind = direct.map_or(&self.target.kind, |direct| &direct.kind);
        Ok(match kind {
            TargetKind::Postgres(target) => BorrowedLock::open(target, &self.options.application_name, pass)?
                .map(|lock| Kind::Borrowed(Box::new(lock), pass.clone())),
            TargetKind::Sqlite(target) => {
                BorrowedFile::open(target.lock_path(), pass)?.map(|lock| Kind::BorrowedFile(lock, pass.clone()))
            }
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_pass_is_read_back_and_not_shown() {
        let pass = LockPass {
            pid: 7,
            token: LockToken::random(),
        };
        assert_eq!(LockPass::parse(&pass.reveal()).unwrap(), pass);
        assert_eq!(format!("{pass:?}"), "LockPass { pid: 7, token: *** }");
        for text in ["", "7", "7:", "0:00000000000000000000000000000000", "x:0"] {
            assert_eq!(LockPass::parse(text), None, "{text}");
        }
    }
}
