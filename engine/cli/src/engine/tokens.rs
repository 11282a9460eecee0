//! Where the tokens of leases are kept between one process and the next: a private folder of the user's, one file a
//! database, named by its digest.

use std::fs;
use std::io::{self, Write as _};
use std::path::PathBuf;

use sha2::{Digest as _, Sha256};
use tollgate_engine::{LockToken, Target};

use crate::config::Config;

/// Why a token cannot be kept.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// Nothing says where the user's files are.
    #[error("neither XDG_STATE_HOME nor HOME says where")]
    NoFolder,
    /// The system refuses.
    #[error("{}: {error}", path.display())]
    File {
        /// The file or its folder.
        path: PathBuf,
        /// The system's words.
        error: io::Error,
    },
}

/// The token that was kept for this target, if any.
pub fn load(config: &Config, target: &Target) -> Option<LockToken> {
    LockToken::parse(&fs::read_to_string(path(config, target)?).ok()?)
}

/// Keeps a token, readable for nobody but this user.
pub fn save(config: &Config, target: &Target, token: &LockToken) -> Result<(), TokenError> {
    let path = path(config, target).ok_or(TokenError::NoFolder)?;
    let folder = path.parent().ok_or(TokenError::NoFolder)?;
    let failed = |path: &std::path::Path, error| TokenError::File {
        path: path.to_owned(),
        error,
    };
    private_folder(folder).map_err(|error| failed(folder, error))?;
    // Beside it first: whoever reads it meanwhile finds the old one or the new one.
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(|error| failed(folder, error))?;
    file.write_all(format!("{}\n", token.reveal()).as_bytes())
        .map_err(|error| failed(&path, error))?;
    file.persist(&path).map_err(|error| failed(&path, error.error))?;
    Ok(())
}

/// Forgets the token of this target.
pub fn forget(config: &Config, target: &Target) {
    if let Some(path) = path(config, target) {
        // What is not there need not be removed; a token without its lease proves nothing.
        let _ = fs::remove_file(path);
    }
}

fn path(config: &Config, target: &Target) -> Option<PathBuf> {
    // The description names server, database and schema, or the file, and nobody's credentials.
    let digest = hex::encode(Sha256::digest(target.describe()));
    Some(config.state_folder()?.join("leases").join(digest))
}

#[cfg(unix)]
fn private_folder(folder: &std::path::Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

#[cfg(not(unix))]
fn private_folder(folder: &std::path::Path) -> io::Result<()> {
    fs::create_dir_all(folder)
}
