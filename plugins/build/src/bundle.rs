//! The committed components and the file that says where they come from.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::BuildError;

const FILE: &str = "bundle.toml";

const HEADER: &str = "# Which compiler made the components in this folder, and their digests.\n\
                      # Written by `cargo run -p tollgate-build`; not meant to be edited.\n\n";

/// `plugins/bundle`.
#[derive(Debug)]
pub struct Bundle {
    folder: PathBuf,
    entries: BTreeMap<String, Entry>,
}

/// Where one component comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    /// What `rustc -V` said.
    compiler: String,
    /// Of the component, in lower-case hexadecimal.
    sha256: String,
    /// Size of the component.
    bytes: usize,
}

/// What a fresh build says about a bundled component.
#[derive(Debug, PartialEq, Eq)]
pub enum Comparison {
    /// The same bytes.
    Equal,
    /// Other bytes, from another compiler.
    OtherCompiler(String),
    /// Other bytes, from the same compiler; or a file that is not what `bundle.toml` says.
    Differs,
    /// Not bundled.
    Missing,
}

impl Bundle {
    /// Reads the bundle; an absent one is empty.
    pub fn open(folder: &Path) -> Result<Self, BuildError> {
        let path = folder.join(FILE);
        let entries = match std::fs::read_to_string(&path) {
            Ok(text) => toml::from_str(&text).map_err(|error| BuildError::Manifest {
                path: path.clone(),
                message: error.to_string(),
            })?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(BuildError::file(&path, error)),
        };
        Ok(Self {
            folder: folder.to_owned(),
            entries,
        })
    }

    /// Writes a component.
    pub fn put(&mut self, name: &str, bytes: &[u8], compiler: &str) -> Result<(), BuildError> {
        std::fs::create_dir_all(&self.folder).map_err(|source| BuildError::file(&self.folder, source))?;
        let path = self.component(name);
        std::fs::write(&path, bytes).map_err(|source| BuildError::file(&path, source))?;
        let entry = Entry {
            compiler: compiler.to_owned(),
            sha256: digest(bytes),
            bytes: bytes.len(),
        };
        self.entries.insert(name.to_owned(), entry);
        Ok(())
    }

    /// Writes `bundle.toml`.
    pub fn save(&self) -> Result<(), BuildError> {
        let path = self.folder.join(FILE);
        let text = toml::to_string(&self.entries).map_err(|error| BuildError::Manifest {
            path: path.clone(),
            message: error.to_string(),
        })?;
        std::fs::write(&path, format!("{HEADER}{text}")).map_err(|source| BuildError::file(&path, source))
    }

    /// Compares a bundled component with a fresh one.
    pub fn compare(&self, name: &str, fresh: &[u8], compiler: &str) -> Comparison {
        let (Some(entry), Ok(bundled)) = (self.entries.get(name), std::fs::read(self.component(name))) else {
            return Comparison::Missing;
        };
        if bundled == fresh {
            Comparison::Equal
        } else if digest(&bundled) != entry.sha256 || entry.compiler == compiler {
            Comparison::Differs
        } else {
            Comparison::OtherCompiler(entry.compiler.clone())
        }
    }

    fn component(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.wasm"))
    }
}

fn digest(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_bundle_knows_its_components() {
        let folder = tempfile::tempdir().unwrap();
        let mut bundle = Bundle::open(folder.path()).unwrap();
        bundle.put("one", b"bytes", "rustc 1").unwrap();
        bundle.save().unwrap();
        let bundle = Bundle::open(folder.path()).unwrap();
        assert_eq!(bundle.compare("one", b"bytes", "rustc 2"), Comparison::Equal);
        assert_eq!(bundle.compare("one", b"other", "rustc 1"), Comparison::Differs);
        assert_eq!(
            bundle.compare("one", b"other", "rustc 2"),
            Comparison::OtherCompiler("rustc 1".to_owned())
        );
        assert_eq!(bundle.compare("two", b"bytes", "rustc 1"), Comparison::Missing);
        std::fs::write(folder.path().join("one.wasm"), b"tampered").unwrap();
        assert_eq!(bundle.compare("one", b"other", "rustc 2"), Comparison::Differs);
    }
}
