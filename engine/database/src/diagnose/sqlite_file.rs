//! The file of an `SQLite` database and the folder around it: looked at by asking the system, never by writing.

use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

use crate::connection::Connection;
use crate::diagnose::finding::{Finding, Group, Status};
use crate::diagnose::run::Request;
use crate::diagnose::words::bytes;
use crate::error::DatabaseError;
use crate::sqlite::connect::{Access, open_file};
use crate::sqlite::lock::holder;
use crate::sqlite::target::SqliteTarget;

fn finding(name: &'static str, status: Status, line: impl Into<String>) -> Finding {
    Finding::new(Group::Connection, name, status, line)
}

/// The folder that the file is or will be in.
fn folder(target: &SqliteTarget) -> &Path {
    match target.path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// There is no file; a deploy makes it, and the folders above it, where it may.
pub(super) fn missing(target: &SqliteTarget) -> Finding {
    let line = format!("{} does not exist", target.path.display());
    let nearest = folder(target).ancestors().find(|folder| folder.exists());
    match nearest {
        Some(folder) if folder.is_dir() && is_writable(folder) => {
            finding("file", Status::Note, format!("{line} yet")).help("`tollgate deploy` creates it")
        }
        Some(folder) => {
            let line = format!("{line}, and {} does not let it be made", folder.display());
            finding("file", Status::Bad, line)
                .help("check the path in the URL, or give this user the right to write there")
        }
        None => finding("file", Status::Bad, line).help("check the path in the URL"),
    }
}

/// Looks at a file that is there.
pub(super) fn look(target: &SqliteTarget) -> Vec<Finding> {
    let mut findings = vec![file(target), access(target)];
    findings.extend(space(target));
    findings.extend(network(target));
    findings
}

fn file(target: &SqliteTarget) -> Finding {
    let size = std::fs::metadata(&target.path).map_or(0, |metadata| metadata.len());
    let line = format!(
        "{}, {}",
        target.path.display(),
        bytes(size.try_into().unwrap_or(i64::MAX))
    );
    let beside: Vec<String> = ["-wal", "-journal", "-shm"]
        .into_iter()
        .filter_map(|suffix| {
            let mut name = target.path.clone().into_os_string();
            name.push(suffix);
            let size = std::fs::metadata(&name).ok()?.len();
            let name = Path::new(&name).file_name()?.to_string_lossy().into_owned();
            Some(format!("{name}, {}", bytes(size.try_into().unwrap_or(i64::MAX))))
        })
        .collect();
    finding("file", Status::Ok, line).details(beside)
}

/// What a journal begins with while it counts: `SQLite` wipes or removes it at the end of a transaction.
const JOURNAL: [u8; 8] = [0xD9, 0xD5, 0x05, 0xF9, 0x20, 0xA1, 0x63, 0xD7];

/// A transaction that has not come to its end, and whether it never will: then `SQLite` undoes it for whoever opens the file,
/// which is not for us to bring about.
pub(super) fn left_over(target: &SqliteTarget) -> Option<(Finding, bool)> {
    let files = [target.path.canonicalize().ok()?, target.state_path()];
    let unfinished: Vec<_> = files.iter().filter(|file| has_journal(file)).collect();
    let of = |status, line: String| finding("journal-file", status, line);
    if let Some(file) = unfinished.iter().find(|file| is_cut_off(file, target.busy_timeout)) {
        let line = format!(
            "a transaction in {} was cut off: its program has ended in the middle",
            file.display()
        );
        let help = "nothing else was looked at: SQLite puts the file back as it was before as soon as anybody opens it, and \
                    nothing is changed here; `tollgate status` opens it, then look again";
        return Some((of(Status::Warn, line).help(help), true));
    }
    let file = unfinished.first()?;
    let line = format!(
        "a transaction in {} is not finished: its program is at work",
        file.display()
    );
    Some((of(Status::Note, line), false))
}

fn has_journal(file: &Path) -> bool {
    let mut path = file.as_os_str().to_owned();
    path.push("-journal");
    let mut begin = [0; 8];
    let read = std::fs::File::open(&path).and_then(|mut file| file.read_exact(&mut begin));
    read.is_ok() && begin == JOURNAL
}

/// Whether nobody is at work on the file any more. `SQLite` says so of a file that it may not write.
fn is_cut_off(file: &Path, patience: Duration) -> bool {
    let opened = open_file(file, Access::Look, patience, &file.display().to_string());
    matches!(opened, Err(DatabaseError::NotOpened { reason, .. }) if reason.contains("write a readonly database"))
}

/// Besides the file itself SQLite makes its journal in the folder, and we make the lock and our own tables there.
fn access(target: &SqliteTarget) -> Finding {
    let folder = folder(target);
    // What is there besides was made by somebody, who may be another user.
    let files = [target.path.clone(), target.state_path(), target.lock_path()];
    let closed = files.iter().find(|file| file.exists() && !is_writable(file));
    match (closed, is_writable(folder)) {
        (None, true) => finding("access", Status::Ok, "file and folder may be written"),
        (Some(file), _) => finding("access", Status::Bad, format!("{} may not be written", file.display()))
            .help("give the user that deploys the right to write the file and its folder, or look whether the disk is read-only"),
        (None, false) => finding(
            "access",
            Status::Bad,
            format!(
                "the folder {} may not be written: neither the journal nor the lock can be made there",
                folder.display()
            ),
        )
        .help("give the user that deploys the right to write the folder, too"),
    }
}

/// What the system says, without writing anything.
#[cfg(unix)]
fn is_writable(path: &Path) -> bool {
    use rustix::fs::{Access, AtFlags, CWD, accessat};
    // As the user we act as, which is not always the one that started us.
    accessat(CWD, path, Access::WRITE_OK, AtFlags::EACCESS).is_ok()
}

#[cfg(not(unix))]
fn is_writable(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|metadata| !metadata.permissions().readonly())
}

/// A table that is rebuilt is there twice, and once more in the journal.
#[cfg(unix)]
fn space(target: &SqliteTarget) -> Option<Finding> {
    let system = rustix::fs::statvfs(folder(target)).ok()?;
    let free = i64::try_from(system.f_bavail.saturating_mul(system.f_frsize)).unwrap_or(i64::MAX);
    let size = i64::try_from(std::fs::metadata(&target.path).ok()?.len()).unwrap_or(i64::MAX);
    let line = format!("{} free on the disk", bytes(free));
    Some(if free < size.saturating_mul(2) {
        finding("disk-space", Status::Warn, line)
            .help("a migration that rebuilds a large table needs twice its size: make room first")
    } else {
        finding("disk-space", Status::Ok, line)
    })
}

#[cfg(not(unix))]
fn space(_: &SqliteTarget) -> Option<Finding> {
    None
}

/// Locks do not hold on many network file systems.
#[cfg(target_os = "linux")]
fn network(target: &SqliteTarget) -> Option<Finding> {
    let kind = rustix::fs::statfs(folder(target)).ok()?.f_type;
    // The numbers are those of statfs(2).
    #[allow(clippy::useless_conversion, reason = "the type is another one on other machines")]
    let name = match i64::from(kind) & 0xFFFF_FFFF {
        0x6969 => "NFS",
        0x517B | 0xFF53_4D42 | 0xFE53_4D42 => "SMB",
        0x5346_414F => "AFS",
        0x0102_1997 => "9p",
        0x00C3_6400 => "Ceph",
        _ => return None,
    };
    let line = format!("the file lies on a network file system ({name})");
    Some(
        finding("file-system", Status::Warn, line).help(
            "file locks do not hold there for sure: two programs at once can damage the database; use a local disk",
        ),
    )
}

#[cfg(not(target_os = "linux"))]
fn network(_: &SqliteTarget) -> Option<Finding> {
    None
}

/// Whoever has locked the lock file.
pub(super) fn lock(_: &mut Connection, target: &SqliteTarget, _: &Request) -> Result<Vec<Finding>, DatabaseError> {
    let holders = holder(&target.lock_path())?;
    let of = |status, line: String| Finding::new(Group::Locks, "migration-lock", status, line);
    Ok(vec![match holders.first() {
        None => of(Status::Ok, "nobody holds the migration lock".to_owned()),
        Some(holder) => of(
            Status::Note,
            format!("the migration lock is held by {}", holder.describe()),
        )
        .help("a deploy waits for it: let that run end; if it hangs, `tollgate lock release --force`"),
    }])
}
