//! `SQLite` databases in temporary folders, and the `sqlite3` shell to look at them from outside.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::{SupportError, programs};

/// A database file that does not exist yet, alone in a folder that is removed on drop.
#[derive(Debug)]
pub struct SqliteFile {
    folder: TempDir,
}

/// A fresh place for a database.
///
/// # Panics
/// When no temporary folder can be made.
#[expect(clippy::expect_used, reason = "a test without a temporary folder cannot go on")]
pub fn sqlite_file() -> SqliteFile {
    let folder = tempfile::Builder::new().prefix("tollgate-sqlite-").tempdir();
    SqliteFile {
        folder: folder.expect("a temporary folder can be made"),
    }
}

impl SqliteFile {
    /// The database file.
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("test.db")
    }

    /// The folder, for files that lie beside the database.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The file as a Prisma connection URL.
    pub fn url(&self) -> String {
        format!("file:{}", self.path().display())
    }

    /// Runs SQL with the `sqlite3` shell: columns separated by `|`, one row a line.
    ///
    /// # Errors
    /// What the shell complained about.
    pub fn try_sqlite3(&self, sql: &str) -> Result<String, SupportError> {
        programs::run(
            Path::new("sqlite3"),
            &["-batch", "-bail", &self.path().to_string_lossy()],
            sql,
        )
    }

    /// As [`Self::try_sqlite3`], but waits for others who are at work on the file.
    ///
    /// # Panics
    /// When the shell is not installed or refuses the SQL.
    #[expect(clippy::panic, reason = "tests want to fail here")]
    pub fn sqlite3(&self, sql: &str) -> String {
        self.try_sqlite3(&format!(".timeout 30000\n{sql}"))
            .unwrap_or_else(|error| panic!("sqlite3: {error}\nin: {sql}"))
    }

    /// The stored statements of all objects, ordered by kind and name: what two equal databases share.
    ///
    /// # Panics
    /// As [`Self::sqlite3`].
    pub fn schema(&self) -> String {
        self.sqlite3("SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name")
    }
}
