//! Names of files as programs outside look for them.

use std::path::{Component, Path, PathBuf};

/// The folder from which files are named: the one that holds `.git`, or else the current one.
#[derive(Debug, Clone)]
pub struct Root(PathBuf);

impl Root {
    /// The root of the repository around a folder.
    pub fn around(folder: &Path) -> Self {
        let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
        let repository = folder.ancestors().find(|folder| folder.join(".git").exists());
        Self(repository.unwrap_or(&folder).to_owned())
    }

    /// The root of the repository around the current folder.
    pub fn here() -> Self {
        Self::around(&std::env::current_dir().unwrap_or_default())
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// A file's name from the root, with slashes; what lies outside keeps its whole path.
    pub fn name(&self, path: &Path) -> String {
        let whole = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let Ok(inside) = whole.strip_prefix(&self.0) else {
            return path.to_string_lossy().into_owned();
        };
        let parts: Vec<_> = inside
            .components()
            .filter_map(|part| match part {
                Component::Normal(part) => Some(part.to_string_lossy()),
                _ => None,
            })
            .collect();
        parts.join("/")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failing test should stop here")]

    use super::Root;

    #[test]
    fn files_are_named_from_the_root_of_the_repository() {
        let folder = tempfile::tempdir().unwrap();
        let below = folder.path().join("packages/db");
        std::fs::create_dir_all(&below).unwrap();
        std::fs::write(below.join("a.sql"), "").unwrap();
        let name = |root: Root| root.name(&below.join("a.sql"));
        assert_eq!(name(Root::around(&below)), "a.sql");
        std::fs::create_dir(folder.path().join(".git")).unwrap();
        assert_eq!(name(Root::around(&below)), "packages/db/a.sql");
    }
}
