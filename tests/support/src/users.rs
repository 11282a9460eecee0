//! Running a program as somebody whom file modes bind: they do not bind root.

use std::ffi::OsStr;
use std::os::unix::fs::chown;
use std::path::Path;
use std::process::Command;

use crate::programs;

/// Who a program runs as.
#[derive(Debug, Clone, Copy)]
pub struct Somebody {
    /// `None`: ourselves, for we are not root.
    other: Option<(u32, u32)>,
}

/// Somebody who is not root; or, when there is no way to become that, why.
///
/// # Errors
/// Why a test has to be skipped.
pub fn somebody() -> Result<Somebody, String> {
    if programs::id(&["-u"]) != Some(0) {
        return Ok(Somebody { other: None });
    }
    if Command::new("setpriv").arg("--version").output().is_err() {
        return Err("we are root, and there is no setpriv to be somebody else with".to_owned());
    }
    let ids = (programs::id(&["-u", "nobody"]), programs::id(&["-g", "nobody"]));
    match ids {
        (Some(user), Some(group)) => Ok(Somebody {
            other: Some((user, group)),
        }),
        _ => Err("we are root, and there is no user `nobody`".to_owned()),
    }
}

impl Somebody {
    /// A command that runs `program` as them.
    pub fn command(self, program: &OsStr) -> Command {
        let Some((user, group)) = self.other else {
            return Command::new(program);
        };
        let mut command = Command::new("setpriv");
        command
            .args([
                "--reuid",
                &user.to_string(),
                "--regid",
                &group.to_string(),
                "--clear-groups",
            ])
            .arg(program);
        command
    }

    /// Gives a file or folder and all in it to them.
    ///
    /// # Errors
    /// What the system says.
    pub fn give(self, path: &Path) -> std::io::Result<()> {
        let Some((user, group)) = self.other else {
            return Ok(());
        };
        if path.is_dir() {
            for entry in std::fs::read_dir(path)? {
                self.give(&entry?.path())?;
            }
        }
        chown(path, Some(user), Some(group))
    }
}
