//! `check`: the policies' opinion of migrations, without applying any.

use std::sync::mpsc;

use serde::Serialize;
use tollgate_host::types::{Server, Severity};
use tollgate_schema::{Context, Schema};

use crate::error::{Error, nearest};
use crate::folder::Folder;
use crate::plan::{self, ReadMigration};
use crate::policy::{Court, Judgement, Policy};

/// What the policies said.
#[derive(Debug, Clone, Serialize)]
pub struct CheckReport {
    /// One for each migration that was judged, in order.
    pub migrations: Vec<CheckedMigration>,
}

/// One migration and what was said of it.
#[derive(Debug, Clone, Serialize)]
pub struct CheckedMigration {
    /// Its name.
    pub name: String,
    /// What was said.
    #[serde(flatten)]
    pub judgement: Judgement,
}

impl CheckReport {
    /// Something of it may not be applied.
    pub fn blocked(&self) -> bool {
        self.migrations.iter().any(|migration| migration.judgement.blocked())
    }
}

/// Judges a folder without a database: the schema is what the earlier migrations make. Each migration is judged as if
/// all earlier ones were applied long ago, so that their tables may hold rows.
///
/// # Errors
/// Scripts that do not parse; a name in `only` that is not in the folder.
pub fn check_folder(
    folder: &Folder,
    context: Context,
    policies: &[Policy],
    environment: Option<String>,
    block_at: Severity,
    only: &[String],
) -> Result<CheckReport, Error> {
    for name in only {
        if folder.find(name).is_none() {
            let similar = nearest(name, folder.migrations.iter().map(|migration| migration.name.as_str()));
            return Err(Error::NotFound {
                migration: name.clone(),
                similar,
            });
        }
    }
    let court = Court {
        server: Server {
            dialect: context.dialect,
            version: context.server_version,
        },
        environment,
        block_at,
    };
    let read = plan::read_scripts(folder, 0..folder.migrations.len(), context.dialect)?;
    let mut schema = Schema::empty(context);
    // The policies judge on another thread while this one goes on replaying.
    std::thread::scope(|scope| {
        let (sender, receiver) = mpsc::sync_channel::<(&ReadMigration, Schema, Schema)>(AHEAD);
        let court = &court;
        let judging = scope.spawn(move || {
            let judged = receiver
                .iter()
                .map(|(migration, before, after)| judge(court, policies, migration, &before, &after));
            judged.collect()
        });
        for migration in &read {
            let wanted = only.is_empty() || only.contains(&migration.input.name);
            let before = wanted.then(|| schema.clone());
            schema.apply_script(migration.script())?;
            if let Some(before) = before {
                // The other end is gone only after a panic, which shows below.
                let _ = sender.send((migration, before, schema.clone()));
            }
            schema.settle();
        }
        drop(sender);
        let migrations = judging.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        Ok(CheckReport { migrations })
    })
}

/// How many migrations may wait to be judged.
const AHEAD: usize = 64;

pub(crate) fn judge(
    court: &Court,
    policies: &[Policy],
    migration: &ReadMigration,
    before: &Schema,
    after: &Schema,
) -> CheckedMigration {
    CheckedMigration {
        name: migration.input.name.clone(),
        judgement: court.judge(policies, &migration.input, &migration.suppressions, before, after),
    }
}
