//! Migration folders on disk: which there are, in which order they apply, and what each holds.
//!
//! Nothing here knows a database. A problem in any folder is found before anything is applied.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tollgate_database::ledger;
use tollgate_sql::Dialect;

use crate::shares::in_shares;

/// The script of a migration.
pub const SCRIPT_FILE: &str = "migration.sql";
/// The author's own way back, beside the script.
pub const DOWN_FILE: &str = "down.sql";
/// Names the provider the folder is written for.
pub const LOCK_FILE: &str = "migration_lock.toml";

/// A folder of migrations, read whole.
#[derive(Debug, Clone)]
pub struct Folder {
    /// Where it is.
    pub dir: PathBuf,
    /// The dialect that `migration_lock.toml` names, when there is one.
    pub provider: Option<Dialect>,
    /// The migrations in the order in which they apply: by the bytes of their names.
    pub migrations: Vec<MigrationFile>,
    /// Things a person should know that stop nothing.
    pub warnings: Vec<String>,
}

/// One migration as it lies on disk.
#[derive(Debug, Clone)]
pub struct MigrationFile {
    /// Name of its folder.
    pub name: String,
    /// Path of the script.
    pub path: PathBuf,
    /// The script as it is on disk.
    pub bytes: Vec<u8>,
    /// The script as text; bytes that are no UTF-8 have become U+FFFD, as Prisma reads it.
    pub text: String,
    /// SHA-256 of `text`, as the ledger stores it.
    pub checksum: String,
    /// The author's way back.
    pub down: Option<DownFile>,
}

/// A `down.sql`.
#[derive(Debug, Clone)]
pub struct DownFile {
    /// Where it is.
    pub path: PathBuf,
    /// What it says.
    pub text: String,
}

/// Why a folder cannot be used. The database has not been touched when one of these is returned.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FolderError {
    /// There is no such folder.
    #[error("there is no migrations folder at {}", .0.display())]
    Missing(PathBuf),
    /// The path is a file.
    #[error("{} is not a folder", .0.display())]
    NotAFolder(PathBuf),
    /// The system refuses.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// What could not be read.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Folders without a script.
    #[error("no {SCRIPT_FILE} in {}", .0.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", "))]
    NoScript(Vec<PathBuf>),
    /// Two names that a case-insensitive file system cannot tell apart.
    #[error("the folders {first} and {second} differ only in case")]
    SameName {
        /// One of them.
        first: String,
        /// The other.
        second: String,
    },
    /// A name that is no UTF-8 cannot be recorded in the ledger.
    #[error("the folder name {0} is not valid UTF-8")]
    NameNotUtf8(String),
    /// A name the ledger's column cannot hold.
    #[error("the folder name {0} is longer than the 255 characters that the ledger holds")]
    NameTooLong(String),
    /// `migration_lock.toml` cannot be read.
    #[error("{}: {message}", path.display())]
    BadLockFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// `migration_lock.toml` and the database disagree.
    #[error("{} says provider {provider}, but the database is {database}", path.display())]
    ProviderMismatch {
        /// The file.
        path: PathBuf,
        /// What it says.
        provider: &'static str,
        /// What the URL says.
        database: Dialect,
    },
}

impl FolderError {
    /// It is about a script that is not there. One that may be there, in a folder that must not be looked into, is
    /// another matter.
    fn is_no_script(&self) -> bool {
        let Self::Unreadable { path, source } = self else {
            return false;
        };
        path.ends_with(SCRIPT_FILE) && matches!(source.kind(), io::ErrorKind::NotFound | io::ErrorKind::IsADirectory)
    }

    /// What to do about it.
    pub fn help(&self) -> String {
        match self {
            Self::Missing(_) | Self::NotAFolder(_) => {
                "say where they are with `--migrations DIR` or `migrations.dir` in tollgate.toml; \
                 `tollgate new NAME` makes the first one"
                    .to_owned()
            }
            Self::Unreadable { .. } => "look at the permissions of the file and of the folders above it".to_owned(),
            Self::NoScript(paths) => match paths.iter().find(|path| path.join("up.sql").exists()) {
                Some(path) => format!(
                    "{} looks like a diesel migration: rename its up.sql to {SCRIPT_FILE}",
                    path.display()
                ),
                None => "add the file, or remove the folder if the migration was given up".to_owned(),
            },
            Self::SameName { .. } => "rename one of them: on macOS and Windows they would be one folder".to_owned(),
            Self::NameNotUtf8(_) | Self::NameTooLong(_) => {
                "rename the folder before it is deployed anywhere".to_owned()
            }
            Self::BadLockFile { .. } => "it should hold one line such as `provider = \"postgresql\"`".to_owned(),
            Self::ProviderMismatch { .. } => {
                "use a URL of that provider, or change the file if the project has moved".to_owned()
            }
        }
    }
}

impl Folder {
    /// Reads every migration below `dir`.
    ///
    /// # Errors
    /// [`FolderError`] for the first problem; folders without a script are named all at once.
    pub fn read(dir: &Path) -> Result<Self, FolderError> {
        let mut names = subfolders(dir)?;
        names.sort_unstable();
        refuse_same_names(&names)?;
        let mut warnings = order_warnings(&names);
        let read = read_all(dir, &names);
        let without_script: Vec<_> = names
            .iter()
            .zip(&read)
            .filter(|(_, read)| matches!(read, Err(error) if error.is_no_script()))
            .map(|(name, _)| dir.join(name))
            .collect();
        if !without_script.is_empty() {
            return Err(FolderError::NoScript(without_script));
        }
        let migrations = read.into_iter().collect::<Result<Vec<_>, _>>()?;
        warnings.extend(migrations.iter().filter_map(encoding_warning));
        Ok(Self {
            dir: dir.to_owned(),
            provider: read_provider(dir)?,
            migrations,
            warnings,
        })
    }

    /// A migration by its whole name.
    pub fn find(&self, name: &str) -> Option<&MigrationFile> {
        let sorted = self
            .migrations
            .binary_search_by(|migration| migration.name.as_str().cmp(name));
        match sorted {
            Ok(at) => self.migrations.get(at),
            // Not every folder is read from a disk, and sorted.
            Err(_) => self.migrations.iter().find(|migration| migration.name == name),
        }
    }

    /// Refuses a database of another kind than the folder is written for.
    ///
    /// # Errors
    /// [`FolderError::ProviderMismatch`].
    pub fn expect_dialect(&self, database: Dialect) -> Result<(), FolderError> {
        match self.provider {
            Some(provider) if provider != database => Err(FolderError::ProviderMismatch {
                path: self.dir.join(LOCK_FILE),
                provider: provider.provider(),
                database,
            }),
            _ => Ok(()),
        }
    }
}

/// A thread of its own is not worth it for fewer files.
const SMALLEST_SHARE: usize = 64;

/// Reads the folders' files, in order.
fn read_all(dir: &Path, names: &[String]) -> Vec<Result<MigrationFile, FolderError>> {
    in_shares(names, SMALLEST_SHARE, |name| MigrationFile::read(dir, name.clone()))
}

impl MigrationFile {
    fn read(dir: &Path, name: String) -> Result<Self, FolderError> {
        let path = dir.join(&name).join(SCRIPT_FILE);
        let bytes = read_file(&path)?;
        let down_path = dir.join(&name).join(DOWN_FILE);
        let down = if down_path.is_file() {
            let text = String::from_utf8_lossy(&read_file(&down_path)?).into_owned();
            Some(DownFile { path: down_path, text })
        } else {
            None
        };
        Ok(Self {
            down,
            ..Self::of_bytes(name, path, bytes)
        })
    }

    /// A script that lies in no folder of migrations, for example one that is not written to a file yet.
    pub fn of_bytes(name: String, path: PathBuf, bytes: Vec<u8>) -> Self {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let checksum = ledger::checksum(&bytes);
        Self {
            name,
            path,
            bytes,
            text,
            checksum,
            down: None,
        }
    }

    /// Whether a checksum that was recorded once is that of another script than this one, whatever the line endings of the
    /// checkout.
    pub fn is_edited_since(&self, recorded: &str) -> bool {
        recorded != self.checksum && !ledger::matches(recorded, &self.bytes)
    }
}

fn read_file(path: &Path) -> Result<Vec<u8>, FolderError> {
    fs::read(path).map_err(|source| FolderError::Unreadable {
        path: path.to_owned(),
        source,
    })
}

/// Real folders only: Prisma follows a linked script but not a linked folder.
fn subfolders(dir: &Path) -> Result<Vec<String>, FolderError> {
    let unreadable = |source| FolderError::Unreadable {
        path: dir.to_owned(),
        source,
    };
    let entries = fs::read_dir(dir).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => FolderError::Missing(dir.to_owned()),
        io::ErrorKind::NotADirectory => FolderError::NotAFolder(dir.to_owned()),
        _ => unreadable(source),
    })?;
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(unreadable)?;
        if entry.file_type().map_err(unreadable)?.is_dir() {
            let name = entry
                .file_name()
                .into_string()
                .map_err(|name| FolderError::NameNotUtf8(name.to_string_lossy().into_owned()))?;
            if name.chars().count() > 255 {
                return Err(FolderError::NameTooLong(name));
            }
            names.push(name);
        }
    }
    Ok(names)
}

fn refuse_same_names(names: &[String]) -> Result<(), FolderError> {
    let mut folded: Vec<_> = names.iter().map(|name| (name.to_lowercase(), name)).collect();
    folded.sort();
    match folded.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        Some(pair) => Err(FolderError::SameName {
            first: pair[0].1.clone(),
            second: pair[1].1.clone(),
        }),
        None => Ok(()),
    }
}

/// Newer command lines of Prisma sort by locale, its engine and we by bytes: say where that makes a difference.
fn order_warnings(names: &[String]) -> Vec<String> {
    let locale_key = |name: &str| {
        let letters: String = name
            .chars()
            .filter(|c| c.is_alphanumeric())
            .flat_map(char::to_lowercase)
            .collect();
        (letters, name.to_owned())
    };
    names
        .windows(2)
        .filter(|pair| locale_key(&pair[0]) > locale_key(&pair[1]))
        .map(|pair| {
            format!(
                "{} is applied before {}: names are ordered by their bytes, and some versions of Prisma order these two \
                 the other way round",
                pair[0], pair[1]
            )
        })
        .collect()
}

/// What is no UTF-8 has become U+FFFD, in what is executed too: nobody means that.
fn encoding_warning(migration: &MigrationFile) -> Option<String> {
    if migration.text.as_bytes() == migration.bytes {
        return None;
    }
    let valid = std::str::from_utf8(&migration.bytes).map_or_else(|error| error.valid_up_to(), str::len);
    let line = migration.bytes[..valid].split(|byte| *byte == b'\n').count();
    Some(format!(
        "{}/{SCRIPT_FILE} is not UTF-8 from line {line} on: what cannot be read is taken as U+FFFD, as Prisma does; save it as \
         UTF-8 before it is deployed",
        migration.name
    ))
}

fn read_provider(dir: &Path) -> Result<Option<Dialect>, FolderError> {
    let path = dir.join(LOCK_FILE);
    if !path.is_file() {
        return Ok(None);
    }
    let text = String::from_utf8_lossy(&read_file(&path)?).into_owned();
    let bad = |message: String| FolderError::BadLockFile {
        path: path.clone(),
        message,
    };
    let table: toml::Table = text
        .parse()
        .map_err(|error: toml::de::Error| bad(error.message().to_owned()))?;
    match table.get("provider").and_then(toml::Value::as_str) {
        Some("postgresql" | "postgres") => Ok(Some(Dialect::Postgres)),
        Some("sqlite") => Ok(Some(Dialect::Sqlite)),
        Some("mysql") => Ok(Some(Dialect::Mysql)),
        Some(other) => Err(bad(format!(
            "the provider {other:?} is not one of postgresql, sqlite, mysql"
        ))),
        None => Err(bad("there is no `provider = \"…\"` in it".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failing test should stop here")]

    use super::*;

    fn project(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        dir
    }

    #[test]
    fn reads_in_byte_order_with_down_and_provider() {
        let dir = project(&[
            ("20240102_b/migration.sql", "SELECT 2;"),
            ("0_init/migration.sql", "SELECT 1;"),
            ("20240102_B/down.sql", ""),
            ("20240102_B/migration.sql", "SELECT 0;"),
            ("notes.txt", "not a migration"),
            ("migration_lock.toml", "provider = \"postgres\"\n"),
        ]);
        let error = Folder::read(dir.path()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the folders 20240102_B and 20240102_b differ only in case"
        );

        fs::remove_dir_all(dir.path().join("20240102_B")).unwrap();
        fs::write(dir.path().join("0_init/down.sql"), "SELECT -1;").unwrap();
        let folder = Folder::read(dir.path()).unwrap();
        let names: Vec<_> = folder
            .migrations
            .iter()
            .map(|migration| migration.name.as_str())
            .collect();
        assert_eq!(names, ["0_init", "20240102_b"]);
        assert_eq!(folder.provider, Some(Dialect::Postgres));
        assert_eq!(folder.find("0_init").unwrap().down.as_ref().unwrap().text, "SELECT -1;");
        assert!(folder.expect_dialect(Dialect::Postgres).is_ok());
        assert!(folder.expect_dialect(Dialect::Sqlite).is_err());
    }

    #[test]
    fn every_folder_without_a_script_is_named() {
        let dir = project(&[("1_a/readme.md", ""), ("2_b/migration.sql", ""), ("3_c/up.sql", "")]);
        let error = Folder::read(dir.path()).unwrap_err();
        let FolderError::NoScript(paths) = &error else {
            unreachable!("{error}")
        };
        assert_eq!(paths.len(), 2);
        assert!(error.help().contains("diesel migration"));
    }

    #[test]
    fn a_script_in_another_encoding_is_pointed_out() {
        let dir = project(&[("1_a/migration.sql", "SELECT 'é';"), ("2_b/migration.sql", "")]);
        fs::write(dir.path().join("2_b/migration.sql"), b"SELECT 1;\nSELECT '\xe9';").unwrap();
        let folder = Folder::read(dir.path()).unwrap();
        assert_eq!(
            folder.warnings,
            [
                "2_b/migration.sql is not UTF-8 from line 2 on: what cannot be read is taken as U+FFFD, as Prisma does; save it \
                 as UTF-8 before it is deployed"
            ]
        );
        // Saved with what it was taken as, it is the same migration.
        let text = folder.find("2_b").unwrap().text.clone();
        fs::write(dir.path().join("2_b/migration.sql"), &text).unwrap();
        let saved = Folder::read(dir.path()).unwrap();
        assert_eq!(saved.warnings, [""; 0]);
        assert_eq!(
            saved.find("2_b").unwrap().checksum,
            folder.find("2_b").unwrap().checksum
        );
    }

    #[test]
    #[cfg(unix)]
    fn a_script_that_cannot_be_reached_is_not_said_to_be_absent() {
        let dir = project(&[("1_a/notes.txt", "")]);
        std::os::unix::fs::symlink(SCRIPT_FILE, dir.path().join("1_a").join(SCRIPT_FILE)).unwrap();
        let error = Folder::read(dir.path()).unwrap_err();
        assert!(
            matches!(&error, FolderError::Unreadable { path, .. } if path.ends_with("1_a/migration.sql")),
            "{error}"
        );
    }

    #[test]
    fn orders_that_differ_are_pointed_out() {
        let names = ["20240101_a_b".to_owned(), "20240101_aa".to_owned(), "2024_c".to_owned()];
        assert_eq!(order_warnings(&names).len(), 1, "{:?}", order_warnings(&names));
        assert_eq!(order_warnings(&names[..1]), Vec::<String>::new());
    }

    #[test]
    fn a_bad_lock_file_says_what_it_should_hold() {
        for (text, message) in [
            (
                "provider = \"oracle\"",
                "the provider \"oracle\" is not one of postgresql, sqlite, mysql",
            ),
            ("", "there is no `provider = \"…\"` in it"),
        ] {
            let dir = project(&[(LOCK_FILE, text)]);
            let error = Folder::read(dir.path()).unwrap_err();
            assert!(error.to_string().ends_with(message), "{error}");
        }
        assert!(matches!(
            Folder::read(Path::new("/no/such/folder")),
            Err(FolderError::Missing(_))
        ));
    }
}
