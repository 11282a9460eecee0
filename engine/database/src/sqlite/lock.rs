//! A lock file beside the database. The operating system's lock on it counts, not its presence: it vanishes with the
//! process. Its content says who has it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;

use crate::error::DatabaseError;
use crate::lock::release::wait_for_end;
use crate::lock::{Attempt, LockError, LockPass};
use crate::sessions::LockHolder;
use crate::state::LockToken;

/// The file, locked or about to be.
pub(crate) struct FileLock {
    path: PathBuf,
    application_name: String,
    held: Option<(File, Entry)>,
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
        let (mut file, writable) = open(&self.path, true).map_err(|error| self.failure(&error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(Attempt::Held(Entry::read(&mut file).map(Entry::into_holder))),
            Err(TryLockError::Error(error)) => return Err(self.failure(&error).into()),
        }
        if !is_same_file(&file, &self.path) {
            // Its holder removed it between our opening and our locking it: what we locked nobody else will see.
            return Ok(Attempt::Held(None));
        }
        if !writable {
            // Another user's process was killed and has left it. Removed while it is locked, as its holder would have.
            std::fs::remove_file(&self.path).map_err(|error| self.failure(&error))?;
            return self.attempt();
        }
        let entry = Entry {
            pid: i32::try_from(std::process::id()).unwrap_or_default(),
            since: Some(Timestamp::now()),
            application: self.application_name.clone(),
            host: host(),
            digest: String::new(),
        };
        // Only for those who wait, or want to end it.
        let _ = entry.write(&mut file);
        self.held = Some((file, entry));
        Ok(Attempt::Taken)
    }

    /// Shows, to whoever has the token, that the process which holds the lock knows it. Says which process that is.
    pub(crate) fn show(&mut self, token: &LockToken) -> Result<i32, LockError> {
        let failed = |error: &std::io::Error, lock: &Self| lock.failure(error);
        let Some((mut file, mut entry)) = self.held.take() else {
            return self.check().map(|()| 0);
        };
        entry.digest = token.digest();
        let (written, pid) = (entry.write(&mut file), entry.pid);
        self.held = Some((file, entry));
        written.map_err(|error| failed(&error, self))?;
        Ok(pid)
    }

    /// Whether the file is still the one we locked.
    pub(crate) fn check(&mut self) -> Result<(), LockError> {
        match &self.held {
            Some((file, _)) if is_same_file(file, &self.path) => Ok(()),
            _ => Err(LockError::Lost {
                reason: format!("{} was removed", self.path.display()),
            }),
        }
    }

    fn failure(&self, error: &std::io::Error) -> DatabaseError {
        lock_file(&self.path, error)
    }
}

impl Drop for FileLock {
    fn drop(&mut self) {
        if let Some((file, _)) = self.held.take() {
            // Removed while it is locked, so that whoever locks it next sees that it is another one.
            if cfg!(unix) && is_same_file(&file, &self.path) {
                let _ = std::fs::remove_file(&self.path);
            }
            let _ = file.unlock();
        }
    }
}

/// What stands in the file: who has locked it. In one line, its parts set apart by tabs.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    pid: i32,
    since: Option<Timestamp>,
    application: String,
    host: String,
    /// Of the token with which other processes may go on under the lock. Empty: there is none.
    digest: String,
}

impl Entry {
    fn read(file: &mut File) -> Option<Self> {
        let mut text = String::new();
        file.seek(SeekFrom::Start(0))
            .and_then(|_| file.read_to_string(&mut text))
            .ok()?;
        let mut parts = text.trim_end_matches('\n').split('\t');
        let pid = parts.next()?.parse().ok()?;
        let since = parts.next().and_then(|since| since.parse().ok());
        let mut next = || parts.next().unwrap_or_default().to_owned();
        Some(Self {
            pid,
            since,
            application: next(),
            host: next(),
            digest: next(),
        })
    }

    fn write(&self, file: &mut File) -> std::io::Result<()> {
        let since = self.since.map_or_else(String::new, |since| since.to_string());
        let application = self.application.replace(char::is_control, " ");
        let line = format!("{}\t{since}\t{application}\t{}\t{}\n", self.pid, self.host, self.digest);
        file.set_len(0)?;
        file.seek(SeekFrom::Start(0))?;
        file.write_all(line.as_bytes())
    }

    fn into_holder(self) -> LockHolder {
        LockHolder {
            pid: self.pid,
            since: self.since,
            application: Some(self.application).filter(|name| !name.is_empty()),
            client: Some(self.host).filter(|host| !host.is_empty()),
            ..LockHolder::default()
        }
    }
}

/// Opens the file, and says whether it can be written. That of another user's process can often only be read, which is
/// enough to see whether it is locked, and by whom.
fn open(path: &Path, create: bool) -> std::io::Result<(File, bool)> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(create).truncate(false);
    match options.open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            File::open(path).map(|file| (file, false)).map_err(|_| error)
        }
        opened => opened.map(|file| (file, true)),
    }
}

fn lock_file(path: &Path, error: &std::io::Error) -> DatabaseError {
    DatabaseError::LockFile {
        path: path.display().to_string(),
        reason: error.to_string(),
    }
}

/// Somebody has locked the file; who, when it says so.
struct Holding(Option<Entry>);

/// Who has locked the file at `path`. `None`: nobody has.
fn locked_by(path: &Path) -> Result<Option<Holding>, DatabaseError> {
    let mut file = match open(path, false) {
        Ok((file, _)) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(lock_file(path, &error)),
    };
    match file.try_lock() {
        Ok(()) => Ok(None),
        Err(TryLockError::WouldBlock) => Ok(Some(Holding(Entry::read(&mut file)))),
        Err(TryLockError::Error(error)) => Err(lock_file(path, &error)),
    }
}

/// Who has locked the file at `path`, if anybody has.
pub(crate) fn holder(path: &Path) -> Result<Vec<LockHolder>, DatabaseError> {
    let holder = |Holding(entry): Holding| entry.map(Entry::into_holder).unwrap_or_default();
    Ok(locked_by(path)?.map(holder).into_iter().collect())
}

/// How long the file has to name the same process: one that has just locked it has not written its name yet.
const SETTLED: Duration = Duration::from_millis(100);

/// Ends the process that has locked the file, if it is still this one. `false`: it is not.
pub(crate) fn end_holder(path: &Path, holder: &LockHolder) -> Result<bool, LockError> {
    let is_held = || -> Result<bool, LockError> {
        let entry = locked_by(path)?.and_then(|holding| holding.0);
        Ok(entry.is_some_and(|entry| entry.pid == holder.pid && entry.since == holder.since))
    };
    let refused = |reason: String| LockError::NotEnded {
        holder: Box::new(holder.clone()),
        reason,
        help: "end that process on its own machine".to_owned(),
    };
    if holder.client.as_deref().unwrap_or_default() != host() {
        return Err(refused("it runs on another machine".to_owned()));
    }
    if !is_held()? {
        return Ok(false);
    }
    std::thread::sleep(SETTLED);
    if !is_held()? {
        return Ok(false);
    }
    terminate(holder.pid).map_err(refused)?;
    wait_for_end(holder, is_held)
}

#[cfg(unix)]
fn terminate(pid: i32) -> Result<(), String> {
    use rustix::process::{Pid, Signal, kill_process};
    let pid = Pid::from_raw(pid)
        .filter(|_| pid > 0)
        .ok_or("its number is not known")?;
    kill_process(pid, Signal::TERM).map_err(|error| error.to_string())
}

#[cfg(not(unix))]
fn terminate(_: i32) -> Result<(), String> {
    Err("processes cannot be ended from here on this system".to_owned())
}

/// This machine's name.
#[cfg(unix)]
fn host() -> String {
    rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .replace(char::is_control, " ")
}

#[cfg(not(unix))]
fn host() -> String {
    String::new()
}

/// A lock that another process holds for this one.
pub(crate) struct BorrowedFile {
    path: PathBuf,
    pass: LockPass,
}

impl BorrowedFile {
    /// `None`: no process has locked the file with what the pass is for.
    pub(crate) fn open(path: PathBuf, pass: &LockPass) -> Result<Option<Self>, LockError> {
        let mut lock = Self {
            path,
            pass: pass.clone(),
        };
        Ok(lock.is_held()?.then_some(lock))
    }

    fn is_held(&mut self) -> Result<bool, LockError> {
        let entry = locked_by(&self.path)?.and_then(|holding| holding.0);
        Ok(entry.is_some_and(|entry| entry.pid == self.pass.pid && entry.digest == self.pass.token.digest()))
    }

    /// Whether it is still held.
    pub(crate) fn check(&mut self) -> Result<(), LockError> {
        if self.is_held()? {
            Ok(())
        } else {
            Err(LockError::Lost {
                reason: "the process that took it no longer holds it".to_owned(),
            })
        }
    }
}

#[cfg(unix)]
fn is_same_file(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (file.metadata(), std::fs::metadata(path)) {
        (Ok(ours), Ok(there)) => ours.dev() == there.dev() && ours.ino() == there.ino(),
        _ => false,
    }
}

#[cfg(not(unix))]
fn is_same_file(_: &File, path: &Path) -> bool {
    // A file that is open cannot be removed there.
    path.exists()
}
