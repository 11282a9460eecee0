//! Compiled code, kept between runs in a folder that nobody else can write to.
//!
//! Machine code read from a file runs with all the rights of this process, so the folder has to belong to the user and
//! be closed to others; anything else is an error, not a reason to go on without. An entry that cannot be read, is cut
//! off, or was made by another version is compiled again.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::error::HostError;

/// First bytes of an entry; the number changes with the layout.
const MAGIC: &[u8] = b"tollgate compiled component 1\n";

/// Length of the SHA-256 that follows.
const SUM: usize = 32;

/// Entries kept. A project has some ten plugins; upgrades leave old entries behind.
const ENTRIES: usize = 100;

/// The folder, once it has been found safe.
#[derive(Debug)]
pub(crate) struct Cache {
    folder: PathBuf,
    /// Wasmtime's version, its settings and the machine's features, as one number.
    engine: u64,
}

impl Cache {
    /// Makes the folder where it does not exist and checks it where it does. `Ok(None)`: it cannot be made, so there is
    /// no cache, which costs time and nothing else.
    pub(crate) fn open(folder: &Path, engine: &Engine) -> Result<Option<Self>, HostError> {
        if make(folder).is_err() {
            return Ok(None);
        }
        check(folder).map_err(|reason| HostError::UnsafeCache {
            path: folder.display().to_string(),
            reason,
        })?;
        let mut hasher = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        Ok(Some(Self {
            folder: folder.to_owned(),
            engine: hasher.finish(),
        }))
    }

    fn path(&self, digest: &str) -> PathBuf {
        self.folder.join(format!("{digest}-{:016x}.cwasm", self.engine))
    }

    /// The compiled form of the component with this digest.
    pub(crate) fn load(&self, engine: &Engine, digest: &str) -> Option<Component> {
        let bytes = fs::read(self.path(digest)).ok()?;
        let rest = bytes.strip_prefix(MAGIC)?;
        let (sum, code) = rest.split_at_checked(SUM)?;
        if Sha256::digest(code).as_slice() != sum {
            return None;
        }
        // SAFETY: `deserialize` trusts its input to be what `serialize` wrote. These bytes are: they have the sum that
        // `store` put before them, and only this user can write to the folder, which `check` made sure of. Whether they
        // were made by this version with these settings, wasmtime checks itself.
        unsafe { Component::deserialize(engine, code) }.ok()
    }

    /// Keeps a compiled component. A full disk or the like costs the next run time and nothing else.
    pub(crate) fn store(&self, digest: &str, component: &Component) {
        let Ok(code) = component.serialize() else { return };
        let write = || -> std::io::Result<()> {
            let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(&self.folder)?;
            file.write_all(MAGIC)?;
            file.write_all(&Sha256::digest(&code))?;
            file.write_all(&code)?;
            file.persist(self.path(digest))?;
            Ok(())
        };
        if write().is_ok() {
            self.prune();
        }
    }

    /// Removes the oldest entries over the limit.
    fn prune(&self) {
        let Ok(entries) = fs::read_dir(&self.folder) else {
            return;
        };
        let mut entries: Vec<_> = entries
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "cwasm"))
            .filter_map(|path| Some((fs::metadata(&path).ok()?.modified().ok()?, path)))
            .collect();
        entries.sort();
        let over = entries.len().saturating_sub(ENTRIES);
        for (_, path) in entries.into_iter().take(over) {
            // Another process may have removed it already.
            drop(fs::remove_file(path));
        }
    }
}

#[cfg(unix)]
fn make(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    if let Some(parent) = folder.parent() {
        fs::create_dir_all(parent)?;
    }
    match fs::DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

#[cfg(not(unix))]
fn make(folder: &Path) -> std::io::Result<()> {
    fs::create_dir_all(folder)
}

/// Nobody but this user may put anything there.
#[cfg(unix)]
fn check(folder: &Path) -> Result<(), String> {
    use std::os::unix::fs::MetadataExt;
    let metadata = fs::symlink_metadata(folder).map_err(|error| error.to_string())?;
    let user = rustix::process::geteuid().as_raw();
    if !metadata.is_dir() {
        return Err("it is no folder".to_owned());
    }
    if metadata.uid() != user {
        return Err(format!("it belongs to user {}, not to user {user}", metadata.uid()));
    }
    let mode = metadata.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(format!("others have access to it (mode {mode:03o} instead of 700)"));
    }
    Ok(())
}

/// Elsewhere a user's own folders are closed to others by default.
#[cfg(not(unix))]
fn check(folder: &Path) -> Result<(), String> {
    if folder.is_dir() {
        Ok(())
    } else {
        Err("it is no folder".to_owned())
    }
}

#[cfg(all(test, unix))]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]

    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// The smallest component there is.
    const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";

    #[test]
    fn a_folder_that_others_can_write_to_is_refused() {
        let engine = Engine::default();
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("cache");
        let opened = Cache::open(&folder, &engine).unwrap().unwrap();
        assert_eq!(
            fs::metadata(&opened.folder).unwrap().permissions().mode() & 0o777,
            0o700
        );
        for mode in [0o777, 0o770, 0o755] {
            fs::set_permissions(&folder, fs::Permissions::from_mode(mode)).unwrap();
            let error = Cache::open(&folder, &engine).unwrap_err().to_string();
            assert!(error.ends_with(&format!("(mode {mode:o} instead of 700)")), "{error}");
        }
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
        std::os::unix::fs::symlink(&folder, home.path().join("link")).unwrap();
        let error = Cache::open(&home.path().join("link"), &engine).unwrap_err().to_string();
        assert!(error.ends_with("it is no folder"), "{error}");
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_no_cache() {
        assert!(
            Cache::open(Path::new("/dev/null/cache"), &Engine::default())
                .unwrap()
                .is_none()
        );
    }

    #[test]
    fn what_was_tampered_with_is_not_loaded() {
        let engine = Engine::default();
        let home = tempfile::tempdir().unwrap();
        let cache = Cache::open(&home.path().join("cache"), &engine).unwrap().unwrap();
        assert!(cache.load(&engine, "digest").is_none());
        cache.store("digest", &Component::new(&engine, EMPTY).unwrap());
        assert!(cache.load(&engine, "digest").is_some());
        let path = cache.path("digest");
        let sound = fs::read(&path).unwrap();
        let mut flipped = sound.clone();
        *flipped.last_mut().unwrap() ^= 1;
        let cases: [&[u8]; 4] = [b"", &sound[..MAGIC.len() + 5], &sound[..sound.len() - 1], &flipped];
        for bytes in cases {
            fs::write(&path, bytes).unwrap();
            assert!(cache.load(&engine, "digest").is_none());
        }
        fs::write(&path, &sound).unwrap();
        assert!(cache.load(&engine, "digest").is_some());
    }

    #[test]
    fn other_settings_have_other_entries() {
        let home = tempfile::tempdir().unwrap();
        let engine = Engine::default();
        let mut config = wasmtime::Config::new();
        config.consume_fuel(true);
        let fuelled = Engine::new(&config).unwrap();
        let cache = Cache::open(&home.path().join("cache"), &engine).unwrap().unwrap();
        cache.store("digest", &Component::new(&engine, EMPTY).unwrap());
        assert!(cache.load(&engine, "digest").is_some());
        let other = Cache::open(&home.path().join("cache"), &fuelled).unwrap().unwrap();
        assert!(other.load(&fuelled, "digest").is_none());
    }
}
