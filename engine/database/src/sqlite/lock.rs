//! A lock file beside the database. The operating system's lock on it counts, not its presence: it vanishes with the
//! process. Its content says who has it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::PathBuf;

use jiff::Timestamp;

use crate::error::DatabaseError;
use crate::execute::LockHolder;
use crate::lock::{Attempt, LockError};

/// The file, locked or about to be.
pub(crate) struct FileLock {
    path: PathBuf,
    application_name: String,
    held: Option<File>,
}

impl FileLock {
    pub(crate) fn new(path: PathBuf, application_name: &str) -> Self {
        Self {
            path,
            application_name: application_name.to_owned(),
            held: None,
        }
    }

    /// Tries once.
    pub(crate) fn attempt(&mut self) -> Result<Attempt, LockError> {
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&self.path)
            .map_err(|error| self.failure(&error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(Attempt::Held(read_holder(&mut file))),
            Err(TryLockError::Error(error)) => return Err(self.failure(&error).into()),
        }
        if !is_same_file(&file, &self.path) {
            // Its holder removed it between our opening and our locking it: what we locked nobody else will see.
            return Ok(Attempt::Held(None));
        }
        let line = format!(
            "{}\t{}\t{}\n",
            std::process::id(),
            Timestamp::now(),
            self.application_name
        );
        // Only for the message of those who wait.
        let _ = file.set_len(0).and_then(|()| file.write_all(line.as_bytes()));
        self.held = Some(file);
        Ok(Attempt::Taken)
    }

    /// Whether the file is still the one we locked.
    pub(crate) fn check(&mut self) -> Result<(), LockError> {
        match &self.held {
            Some(file) if is_same_file(file, &self.path) => Ok(()),
            _ => Err(LockError::Lost {
                reason: format!("{} was removed", self.path.display()),
            }),
        }
    }

    fn failure(&self, error: &std::io::Error) -> DatabaseError {
        DatabaseError::State {
            place: self.path.display().to_string(),
            reason: error.to_string(),
            help: Some("the lock file is made beside the database: its folder has to be writable".to_owned()),
        }
    }
}

impl Drop for FileLock {
    fn drop(&mut self) {
        if let Some(file) = self.held.take() {
            // Removed while it is locked, so that whoever locks it next sees that it is another one.
            if cfg!(unix) && is_same_file(&file, &self.path) {
                let _ = std::fs::remove_file(&self.path);
            }
            let _ = file.unlock();
        }
    }
}

fn read_holder(file: &mut File) -> Option<LockHolder> {
    let mut text = String::new();
    file.seek(SeekFrom::Start(0))
        .and_then(|_| file.read_to_string(&mut text))
        .ok()?;
    let mut parts = text.trim_end().split('\t');
    Some(LockHolder {
        pid: parts.next()?.parse().ok()?,
        since: parts.next().and_then(|since| since.parse().ok()),
        user: None,
        application: parts.next().map(str::to_owned),
    })
}

#[cfg(unix)]
fn is_same_file(file: &File, path: &std::path::Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (file.metadata(), std::fs::metadata(path)) {
        (Ok(ours), Ok(there)) => ours.dev() == there.dev() && ours.ino() == there.ino(),
        _ => false,
    }
}

#[cfg(not(unix))]
fn is_same_file(_: &File, path: &std::path::Path) -> bool {
    // A file that is open cannot be removed there.
    path.exists()
}
