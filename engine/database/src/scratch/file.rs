//! A scratch database in an `SQLite` file.
//!
//! The file has a folder of its own, so that what belongs to it (journal, lock, Tollgate's state) goes with it. In that
//! folder a file is locked as long as its owner lives; the operating system lets go of it when the process ends.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use diesel::connection::SimpleConnection as _;
use tempfile::TempDir;

use super::{Kind, Scratch, ScratchOptions, Start, impossible};
use crate::error::DatabaseError;
use crate::sql_text::literal;
use crate::sqlite::connect::{Access, open, sqlite_error};
use crate::sqlite::target::SqliteTarget;
use crate::target::{Target, TargetKind};

/// What the folder's name begins with.
const PREFIX: &str = "tollgate-preview-";

/// The locked file.
const OWNER: &str = "owner.lock";

/// What it holds: the mark of what is ours to remove.
const MARK: &str = "made by tollgate, and removed by it when its run is over\n";

/// A file in a folder of its own.
#[derive(Debug)]
pub(super) struct ScratchFile {
    folder: TempDir,
    path: PathBuf,
    /// Locked as long as it is open.
    owner: File,
}

/// See [`Scratch::create`].
pub(super) fn create(place: &SqliteTarget, options: &ScratchOptions) -> Result<Scratch, DatabaseError> {
    let removed = remove_leftovers(&options.folder);
    let failed = |error: std::io::Error| DatabaseError::NotCreated {
        target: "a scratch database".to_owned(),
        reason: format!("cannot make a folder in {}: {error}", options.folder.display()),
        help: "let this user write there, or name another folder with TMPDIR".to_owned(),
    };
    let folder = tempfile::Builder::new()
        .prefix(PREFIX)
        .tempdir_in(&options.folder)
        .map_err(failed)?;
    let owner = own(folder.path()).map_err(failed)?;
    let name = place.path.file_name().unwrap_or_else(|| "preview.db".as_ref());
    let path = folder.path().join(name);
    match &options.start {
        Start::Empty => {}
        Start::Template(_) => {
            return Err(impossible(
                place.describe(),
                "a database from a template is something of PostgreSQL; an SQLite file is copied",
            ));
        }
        Start::CopyOf(source) => copy(source, &path)?,
    }
    let target = Target {
        kind: TargetKind::Sqlite(SqliteTarget {
            path: path.clone(),
            busy_timeout: place.busy_timeout,
            scratch: true,
        }),
    };
    Ok(Scratch {
        target,
        kind: Kind::File(ScratchFile { folder, path, owner }),
        removed,
        not_copied: Vec::new(),
    })
}

/// Marks a folder as that of a run that lives. It gets its name when it is locked: nobody sees it otherwise.
fn own(folder: &Path) -> std::io::Result<File> {
    let unlocked = folder.join("owner.new");
    let mut file = File::create_new(&unlocked)?;
    file.lock()?;
    file.write_all(MARK.as_bytes())?;
    fs::rename(unlocked, folder.join(OWNER))?;
    Ok(file)
}

/// Removes the folders of runs whose process is over. What cannot be looked at is somebody else's.
fn remove_leftovers(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let ours = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX));
    ours.filter_map(|entry| {
        let path = entry.path();
        let owner = path.join(OWNER);
        let marked = fs::read_to_string(&owner).is_ok_and(|text| text == MARK);
        let dead = marked && File::open(&owner).is_ok_and(|file| file.try_lock().is_ok());
        (dead && fs::remove_dir_all(&path).is_ok()).then(|| path.display().to_string())
    })
    .collect()
}

/// The whole database as it is at one moment, whatever its journal is. It is only read.
fn copy(source: &Target, path: &Path) -> Result<(), DatabaseError> {
    let TargetKind::Sqlite(file) = &source.kind else {
        return Err(impossible(
            source.describe(),
            "the scratch database is an SQLite file, and that cannot be copied into it",
        ));
    };
    let text = path
        .to_str()
        .ok_or_else(|| impossible(source.describe(), "the folder's path is not UTF-8"))?;
    let mut connection = open(file, Access::Read)?;
    // To the session it is a write; to the database it is none.
    let sql = format!("PRAGMA query_only = OFF; VACUUM INTO {}", literal(text));
    let copied = connection.batch_execute(&sql);
    copied.map_err(|error| DatabaseError::server("copy the database", sqlite_error(&error)))
}

impl ScratchFile {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn remove(self) -> Result<(), DatabaseError> {
        let path = self.folder.path().to_owned();
        self.folder.close().map_err(|error| DatabaseError::NotOpened {
            target: format!("the folder {} to remove it", path.display()),
            reason: error.to_string(),
        })
    }

    pub(super) fn keep(self) -> PathBuf {
        let folder = self.folder.keep();
        // Without the mark nobody takes it for a leftover.
        let _ = fs::remove_file(folder.join(OWNER));
        drop(self.owner);
        self.path
    }
}
