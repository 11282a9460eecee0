//! Fixed migrations on disk. A file is replaced as a whole or not at all.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::FixedMigration;

/// Why a fixed migration could not be written. The file is as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// Somebody else has written it since it was read.
    #[error("{} has changed since it was read", .0.display())]
    Changed(PathBuf),
    /// A folder for a following migration is there already.
    #[error("{} is there already", .0.display())]
    Exists(PathBuf),
    /// The system refuses.
    #[error("cannot write {}: {source}", path.display())]
    Io {
        /// What could not be written.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl WriteError {
    fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }
}

/// Replaces a migration's script, and makes the folders of those that follow out of it. These come first, so that no
/// statement is ever lost between the two.
///
/// # Errors
/// [`WriteError`]; the script is as it was, and folders that were made are gone again.
pub fn write(fixed: &FixedMigration) -> Result<(), WriteError> {
    // A linked script stays a link.
    let path = fs::canonicalize(&fixed.path).map_err(WriteError::io(&fixed.path))?;
    let on_disk = fs::read(&path).map_err(WriteError::io(&fixed.path))?;
    if on_disk != fixed.original {
        return Err(WriteError::Changed(fixed.path.clone()));
    }
    let mut made: Vec<&Path> = Vec::new();
    let written = (|| {
        for following in &fixed.following {
            let folder = following.path.parent().unwrap_or(Path::new("."));
            fs::create_dir(folder).map_err(|source| match source.kind() {
                io::ErrorKind::AlreadyExists => WriteError::Exists(folder.to_owned()),
                _ => WriteError::io(folder)(source),
            })?;
            made.push(folder);
            replace(&following.path, following.text.as_bytes(), Some(&path))?;
        }
        replace(&path, fixed.after.as_bytes(), Some(&path))
    })();
    if written.is_err() {
        for folder in made {
            // Whatever cannot be removed now is named by the next command that reads the folder.
            let _ = fs::remove_dir_all(folder);
        }
    }
    written
}

/// Puts a file in the place of another one, with the permissions of `like`.
fn replace(path: &Path, bytes: &[u8], like: Option<&Path>) -> Result<(), WriteError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let failed = |source| WriteError::io(path)(source);
    let mut file = tempfile::Builder::new()
        .prefix(".tollgate-")
        .tempfile_in(folder)
        .map_err(failed)?;
    file.write_all(bytes).map_err(failed)?;
    if let Some(like) = like {
        let permissions = fs::metadata(like).map_err(failed)?.permissions();
        file.as_file().set_permissions(permissions).map_err(failed)?;
    }
    file.as_file().sync_all().map_err(failed)?;
    file.persist(path).map_err(|error| WriteError::io(path)(error.error))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failing test should stop here")]

    use super::*;
    use crate::fix::NewMigration;

    /// A folder with one script, and what becomes of it.
    fn project() -> (tempfile::TempDir, FixedMigration) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("1_a/migration.sql");
        fs::create_dir(dir.path().join("1_a")).unwrap();
        fs::write(&path, "old").unwrap();
        let following = ["1_a_2", "1_a_3"].map(|name| NewMigration {
            name: name.to_owned(),
            path: dir.path().join(name).join("migration.sql"),
            text: name.to_owned(),
        });
        let fixed = FixedMigration {
            name: "1_a".to_owned(),
            path,
            original: b"old".to_vec(),
            before: "old".to_owned(),
            after: "new".to_owned(),
            fixes: Vec::new(),
            following: following.to_vec(),
            void_approvals: Vec::new(),
        };
        (dir, fixed)
    }

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(dir)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn all_files_are_there() {
        let (dir, fixed) = project();
        write(&fixed).unwrap();
        assert_eq!(names(dir.path()), ["1_a", "1_a_2", "1_a_3"]);
        assert_eq!(names(&dir.path().join("1_a")), ["migration.sql"]);
        assert_eq!(fs::read_to_string(&fixed.path).unwrap(), "new");
        assert_eq!(fs::read_to_string(&fixed.following[1].path).unwrap(), "1_a_3");
    }

    #[test]
    fn nothing_changes_where_something_is_in_the_way() {
        let (dir, fixed) = project();
        fs::create_dir(dir.path().join("1_a_3")).unwrap();
        assert!(matches!(write(&fixed), Err(WriteError::Exists(_))));
        assert_eq!(names(dir.path()), ["1_a", "1_a_3"]);
        assert_eq!(fs::read_to_string(&fixed.path).unwrap(), "old");
    }

    #[test]
    fn what_somebody_else_has_written_stays() {
        let (dir, fixed) = project();
        fs::write(&fixed.path, "newer").unwrap();
        assert!(matches!(write(&fixed), Err(WriteError::Changed(_))));
        assert_eq!(names(dir.path()), ["1_a"]);
    }

    #[cfg(unix)]
    #[test]
    fn permissions_and_links_stay() {
        use std::os::unix::fs::{PermissionsExt as _, symlink};
        let (dir, mut fixed) = project();
        fixed.following.clear();
        fs::set_permissions(&fixed.path, fs::Permissions::from_mode(0o640)).unwrap();
        let link = dir.path().join("link.sql");
        symlink(&fixed.path, &link).unwrap();
        let path = std::mem::replace(&mut fixed.path, link.clone());
        write(&fixed).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
    }
}
