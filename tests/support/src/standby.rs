//! A second server made from a backup of the first: a standby that follows it, or one that is still recovering.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::postgres::{Cluster, Setup, free_port, hand_over, temporary_folder};
use crate::supervised::{Supervised, run_to_end};
use crate::{SupportError, programs};

const SCRIPT: &str = r#"
folder=$1 bin=$2 primary=$3 signal=$4 wait=$5
cleanup() { cd / && rm -rf "$folder"; }
fail() { cat "$folder/log"; cleanup; exit 1; }
cd "$folder" || exit 1
"$bin/pg_basebackup" -d "$primary" -D data -c fast -X stream -R --no-sync >log 2>&1 </dev/null || fail
cat settings.conf >>data/postgresql.conf
rm data/standby.signal
: >"data/$signal"
"$bin/pg_ctl" -D data -l log -s "$wait" -t 60 start >/dev/null </dev/null || fail
echo ready
exec >/dev/null 2>&1
cat
"$bin/pg_ctl" -D data -s -m immediate -w stop </dev/null
cleanup
"#;

/// How long anything here may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// What state the second server is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// It follows the first one and answers queries that only read.
    Following,
    /// It follows the first one and lets nobody in.
    FollowingInSilence,
    /// It is recovering, until it is let go ([`Standby::release`]).
    Recovering,
}

/// The second server, stopped with the value or with the process.
#[derive(Debug)]
pub struct Standby {
    folder: PathBuf,
    bindir: PathBuf,
    port: u16,
    _supervised: Supervised,
}

/// A server that others can be made from.
///
/// # Errors
/// As [`Cluster::start`].
pub fn primary() -> Result<Cluster, SupportError> {
    let setting = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    Cluster::start(&Setup {
        settings: vec![setting("wal_level", "replica"), setting("max_wal_senders", "4")],
        access: vec!["host replication postgres 127.0.0.1/32 trust".to_owned()],
        ..Setup::default()
    })
}

impl Standby {
    /// Makes one from a [`primary`].
    ///
    /// # Errors
    /// When the backup fails or the server does not start.
    pub fn start(primary: &Cluster, mode: Mode) -> Result<Self, SupportError> {
        let user = programs::server_user()?;
        let bindir = programs::postgres_bindir()?;
        let folder = temporary_folder()?;
        let port = free_port()?;
        let (signal, wait, special) = match mode {
            Mode::Following => ("standby.signal", "-w", "hot_standby = on\n".to_owned()),
            Mode::FollowingInSilence => ("standby.signal", "-W", "hot_standby = off\n".to_owned()),
            // Recovery asks for the next file of the log, and has to wait for an answer.
            Mode::Recovering => (
                "recovery.signal",
                "-W",
                format!(
                    "restore_command = 'until [ -e {}/go ]; do sleep 0.05; done; false'\n",
                    folder.display()
                ),
            ),
        };
        let settings = format!(
            "port = {port}\nunix_socket_directories = '{}'\n{special}",
            folder.display()
        );
        let failed = |error: std::io::Error| SupportError::io("cannot prepare the standby's folder", &error);
        std::fs::write(folder.join("settings.conf"), settings).map_err(failed)?;
        if let Some(user) = &user {
            hand_over(&folder, user).map_err(failed)?;
        }
        let arguments = [
            &*folder.to_string_lossy(),
            &*bindir.to_string_lossy(),
            &primary.url_of("postgres"),
            signal,
            wait,
        ];
        let supervised = Supervised::start(user.as_ref(), SCRIPT, &arguments)
            .map_err(|error| SupportError::new(format!("the standby did not start: {error}")))?;
        Ok(Self {
            folder,
            bindir,
            port,
            _supervised: supervised,
        })
    }

    /// The URL of a database on it.
    pub fn url_of(&self, database: &str) -> String {
        format!("postgresql://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// Makes it a server of its own, and waits until it is.
    ///
    /// # Errors
    /// What the server's program complained about.
    pub fn promote(&self) -> Result<(), SupportError> {
        let script = "\"$1/pg_ctl\" -D \"$2/data\" -s -w -t 60 promote";
        let user = programs::server_user()?;
        let arguments = [&*self.bindir.to_string_lossy(), &*self.folder.to_string_lossy()];
        run_to_end(user.as_ref(), script, &arguments).map(drop)
    }

    /// Lets a recovering server finish, and waits until it accepts connections.
    ///
    /// # Errors
    /// When it does not.
    pub fn release(&self) -> Result<(), SupportError> {
        std::fs::write(self.folder.join("go"), "")
            .map_err(|error| SupportError::io("cannot let the server go on", &error))?;
        self.wait_for("SELECT NOT pg_is_in_recovery()")
    }

    /// Waits until this question is answered with true.
    ///
    /// # Errors
    /// When that takes too long: the last answer.
    pub fn wait_for(&self, question: &str) -> Result<(), SupportError> {
        let began = Instant::now();
        let (psql, url) = (self.bindir.join("psql"), self.url_of("postgres"));
        loop {
            let answer = programs::run(&psql, &["-XAtq", "-d", &url], question);
            match answer {
                Ok(answer) if answer.trim() == "t" => return Ok(()),
                answer if began.elapsed() > PATIENCE => {
                    return Err(SupportError::new(format!("{question}: {answer:?}")));
                }
                _ => std::thread::sleep(Duration::from_millis(50)),
            }
        }
    }

    /// Waits until it has everything that the first server has written so far.
    ///
    /// # Errors
    /// When that takes too long.
    pub fn catch_up(&self, primary: &Cluster) -> Result<(), SupportError> {
        let written = primary.admin("SELECT pg_current_wal_lsn()")?;
        self.wait_for(&format!("SELECT pg_last_wal_replay_lsn() >= '{}'", written.trim()))
    }

    /// Waits until the server answers at all, if only to say why it lets nobody in.
    ///
    /// # Errors
    /// When that takes too long.
    pub fn wait_until_it_answers(&self) -> Result<(), SupportError> {
        let began = Instant::now();
        let (psql, url) = (self.bindir.join("psql"), self.url_of("postgres"));
        loop {
            let answer = programs::run(&psql, &["-XAtq", "-d", &url], "SELECT 1");
            match answer {
                Ok(_) => return Ok(()),
                Err(error) if error.to_string().contains("FATAL:") => return Ok(()),
                Err(error) if began.elapsed() > PATIENCE => return Err(error),
                Err(_) => std::thread::sleep(Duration::from_millis(20)),
            }
        }
    }
}
