//! A disk that is soon full: a small file system in memory. Mounting one takes root, or a `sudo` that asks nothing; a
//! container may forbid even that, and then a test has to say that it was skipped.

use std::fs;
use std::path::{Path, PathBuf};

use crate::supervised::Supervised;
use crate::{SupportError, postgres, programs};

const SCRIPT: &str = r#"
folder=$1 size=$2
sudo=
[ "$(id -u)" = 0 ] || sudo='sudo -n'
$sudo mount -t tmpfs -o "size=$size,mode=0777" tollgate "$folder" || exit 1
echo ready
exec >/dev/null 2>&1
cat
cd /
$sudo umount "$folder" || $sudo umount -l "$folder"
"#;

/// Name of the file that takes up the rest of the space.
const BALLAST: &str = "ballast";

/// Space is given and taken in pages of the system.
const PAGE: u64 = 4096;

/// A small disk, unmounted with the value or with the process.
#[derive(Debug)]
pub struct SmallDisk {
    folder: PathBuf,
    pages: u64,
    _supervised: Supervised,
}

impl SmallDisk {
    /// Mounts one of this many kilobytes on `folder`, which is made when it is not there. Everybody may write to it.
    ///
    /// # Errors
    /// When this system does not let us mount anything.
    pub fn mount(folder: &Path, kilobytes: u64) -> Result<Self, SupportError> {
        fs::create_dir_all(folder).map_err(|error| SupportError::io("cannot make a folder to mount on", &error))?;
        let arguments = [&*folder.to_string_lossy(), &format!("{kilobytes}k")];
        let supervised = Supervised::start(None, SCRIPT, &arguments)?;
        Ok(Self {
            folder: folder.to_owned(),
            pages: kilobytes * 1024 / PAGE,
            _supervised: supervised,
        })
    }

    /// As [`Self::mount`]; where that is not possible, says that `test` is skipped, and why.
    pub fn mount_or_skip(test: &str, folder: &Path, kilobytes: u64) -> Option<Self> {
        match Self::mount(folder, kilobytes) {
            Ok(disk) => Some(disk),
            Err(error) => {
                println!("skipped: {test} needs to mount a small disk: {error}");
                None
            }
        }
    }

    /// Where it is mounted.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A folder on it that belongs to the user who runs PostgreSQL's server, for a tablespace.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn folder_of_server(&self) -> Result<PathBuf, SupportError> {
        let folder = self.folder.join("server");
        let failed = |error: &std::io::Error| SupportError::io("cannot make a folder for a tablespace", error);
        fs::create_dir(&folder).map_err(|error| failed(&error))?;
        if let Some(user) = programs::server_user()? {
            postgres::hand_over(&folder, &user).map_err(|error| failed(&error))?;
        }
        Ok(folder)
    }

    /// Takes up all space but this many pages of 4 kilobytes.
    ///
    /// # Panics
    /// When the ballast cannot be written.
    #[expect(clippy::expect_used, reason = "a test that cannot fill its disk cannot go on")]
    pub fn leave(&self, pages: u64) {
        self.empty();
        let path = self.folder.join(BALLAST);
        let block = vec![0; usize::try_from(PAGE).expect("a page is small")];
        let mut file = fs::File::create(&path).expect("the ballast can be made");
        let mut written = 0;
        while std::io::Write::write_all(&mut file, &block).is_ok() {
            written += 1;
            assert!(written <= self.pages, "the disk is larger than it was made");
        }
        // The last page may be there in part.
        file.set_len(written.saturating_sub(pages) * PAGE)
            .expect("the ballast can be made smaller");
    }

    /// Gives the space back.
    pub fn empty(&self) {
        let _ = fs::remove_file(self.folder.join(BALLAST));
    }
}
