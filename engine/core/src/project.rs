//! What an operation works with: a folder, a database, plugins, and how strict to be.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tollgate_database::state::NewRun;
use tollgate_database::{DatabaseError, ExecuteOptions, LockOptions, ServerInfo, State, Target};
use tollgate_host::Plugin;
use tollgate_host::types::{Run, Server, Severity, TimeLimits};
use tollgate_schema::Context;

use crate::approval::Approvals;
use crate::error::Error;
use crate::event::{Event, Observer};
use crate::folder::Folder;
use crate::history::History;
use crate::notify::Notifier;
use crate::policy::{Court, Policy};
use crate::requirement::Requirement;
use crate::rules::EngineRules;

/// Everything that `deploy` and `rollback` need. Made by the caller from its configuration.
#[derive(Clone)]
pub struct Project {
    /// The migrations.
    pub folder: Folder,
    /// The database.
    pub target: Target,
    /// Policies to ask.
    pub policies: Vec<Policy>,
    /// Rollback generators, the preferred one first.
    pub generators: Vec<Arc<Plugin>>,
    /// Whom to tell.
    pub notifiers: Vec<Notifier>,
    /// How strict to be.
    pub settings: Settings,
}

/// How strict to be, and who is asking.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Deployment name: `production`.
    pub environment: Option<String>,
    /// Who runs it, for the record and for notifications.
    pub actor: Option<String>,
    /// Commit of the repository that it runs from.
    pub commit: Option<String>,
    /// The job or pipeline that runs it: an address for people.
    pub link: Option<String>,
    /// Findings at this level or above block.
    pub block_at: Severity,
    /// The engine's own rules.
    pub rules: EngineRules,
    /// What people have approved.
    pub approvals: Approvals,
    /// What has to be deployed elsewhere first.
    pub requirement: Option<Requirement>,
    /// Pending migrations that sort before applied ones.
    pub out_of_order: Tolerance,
    /// Applied migrations whose folders are gone.
    pub missing: Tolerance,
    /// Migrations edited after they were applied.
    pub edited: Tolerance,
    /// How long to wait for the run lock.
    pub lock: LockOptions,
    /// Time limits of the scripts.
    pub execute: ExecuteOptions,
    /// Which migrations of a deploy wait for PostgreSQL's disk.
    pub synchronous_commit: SynchronousCommit,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            environment: None,
            actor: None,
            commit: None,
            link: None,
            block_at: Severity::High,
            rules: EngineRules::default(),
            approvals: Approvals::default(),
            requirement: None,
            out_of_order: Tolerance::Warn,
            missing: Tolerance::Warn,
            edited: Tolerance::Error,
            lock: LockOptions::default(),
            execute: ExecuteOptions::default(),
            synchronous_commit: SynchronousCommit::default(),
        }
    }
}

/// Which migrations of a deploy PostgreSQL commits synchronously: it answers only once they are on its disk. The others
/// are committed with `synchronous_commit` off, and are on disk with the next one that waits, because the server writes its
/// log in order. A server that crashes before that has lost the newest of them together with their ledger rows.
///
/// It is about migrations that are one transaction; what takes several waits with each. `SQLite` always waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SynchronousCommit {
    /// Each one: what is said to be applied is on disk, as far as the server's own `synchronous_commit` sees to that.
    Each,
    /// The last one of the deploy. Where there are notifiers each waits all the same: nobody is told of a migration that a
    /// crash could take back.
    #[default]
    Last,
}

/// What to do about something irregular.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tolerance {
    /// Say nothing.
    Allow,
    /// Say so and go on.
    Warn,
    /// Stop before anything is done.
    Error,
}

impl Settings {
    /// Stops a run that was asked to and has not changed anything yet.
    pub(crate) fn go_on(&self) -> Result<(), Error> {
        self.go_on_with(None, false, Vec::new)
    }

    /// Stops a run that was asked to before it begins with the `next` migration.
    pub(crate) fn go_on_with(
        &self,
        next: Option<&str>,
        taking_back: bool,
        finished: impl FnOnce() -> Vec<String>,
    ) -> Result<(), Error> {
        if self.execute.interrupt.asked() == 0 {
            return Ok(());
        }
        Err(Error::Interrupted {
            finished: finished(),
            next: next.map(str::to_owned),
            taking_back,
        })
    }

    /// How long a statement of a deploy may wait and run, as policies hear of it.
    pub fn time_limits(&self) -> TimeLimits {
        crate::policy::limits(self.execute.lock_timeout, self.execute.statement_timeout)
    }

    /// The questions to policies for this server.
    pub(crate) fn court(&self, server: Server) -> Court {
        Court {
            server,
            environment: self.environment.clone(),
            block_at: self.block_at,
            time_limits: self.time_limits(),
            rules: self.rules.clone(),
            files_only: false,
        }
    }

    /// Refuses, or points out, what is irregular about a history.
    pub(crate) fn examine(&self, history: &History, observe: Observer<'_>) -> Result<(), Error> {
        let failed: Vec<String> = history.failed().map(|entry| entry.name.clone()).collect();
        if !failed.is_empty() {
            return Err(Error::Unresolved(failed));
        }
        let names = |pick: fn(&crate::history::Entry) -> bool| -> Vec<String> {
            history
                .entries
                .iter()
                .filter(|entry| pick(entry))
                .map(|entry| entry.name.clone())
                .collect()
        };
        let irregular: [Irregular; 3] = [
            (self.edited, names(|entry| entry.edited), Error::Edited),
            (self.missing, names(crate::history::Entry::missing), Error::Missing),
            (self.out_of_order, names(|entry| entry.out_of_order), Error::OutOfOrder),
        ];
        for (tolerance, names, error) in irregular {
            match tolerance {
                _ if names.is_empty() => {}
                Tolerance::Allow => {}
                Tolerance::Warn => observe(Event::Warning(error(names).to_string())),
                Tolerance::Error => return Err(error(names)),
            }
        }
        Ok(())
    }
}

/// What to do about some migrations, and the error that names them.
type Irregular = (Tolerance, Vec<String>, fn(Vec<String>) -> Error);

/// The server as plugins see it.
pub(crate) fn server(info: &ServerInfo) -> Server {
    Server {
        dialect: info.dialect,
        version: Some(info.version),
    }
}

impl Project {
    /// How names in scripts for the target are resolved, when nothing is connected.
    pub(crate) fn context(&self, server_version: Option<(u32, u32, u32)>) -> Context {
        let search_path = self.target.schema().map(str::to_owned).into_iter().collect();
        Context {
            dialect: self.target.dialect(),
            server_version,
            search_path,
        }
    }

    /// Records that a run begins. The state tables give it its identifier.
    pub(crate) fn begin(&self, command: &str, state: &mut State<'_>) -> Result<Run, DatabaseError> {
        let id = state.begin_run(&NewRun {
            command,
            actor: self.settings.actor.as_deref(),
            environment: self.settings.environment.as_deref(),
        })?;
        Ok(self.run(command, id))
    }

    /// A run, as notifiers see it.
    fn run(&self, command: &str, id: String) -> Run {
        Run {
            id,
            environment: self.settings.environment.clone(),
            target: self.target.describe(),
            actor: self.settings.actor.clone(),
            dry_run: false,
            started_at: jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            command: command.to_owned(),
            commit: self.settings.commit.clone(),
            link: self.settings.link.clone(),
        }
    }

    /// A run that is not recorded yet, and may never be: there may be nothing to do.
    pub(crate) fn unrecorded_run(&self, command: &str) -> Run {
        self.run(command, tollgate_database::new_run_id())
    }
}
