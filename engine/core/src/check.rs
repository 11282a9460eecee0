//! `check`: the policies' opinion of migrations, without applying any.

use std::collections::BTreeSet;
use std::sync::{Arc, mpsc};

use serde::Serialize;
use tollgate_host::Plugin;
use tollgate_host::types::{Server, Severity, TimeLimits};
use tollgate_schema::locks::Locks;
use tollgate_schema::{Context, Schema};

use crate::approval::Approvals;
use crate::error::Error;
use crate::folder::{Folder, MigrationFile};
use crate::nearest::nearest_migration;
use crate::plan::{self, ReadMigration, ScriptError};
use crate::policy::{Court, Judgement, Policy, Scales};
use crate::rollback::{self, RollbackPlan, Source};
use crate::rules::{self, Edit, EngineRules};

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

/// What is to be judged, and by whom.
#[derive(Clone)]
pub struct CheckRequest<'a> {
    /// The migrations.
    pub folder: &'a Folder,
    /// Files outside of the folder, judged after all of it.
    pub loose: &'a [LooseFile],
    /// Which of the folder's migrations are judged.
    pub scope: Scope,
    /// Loose files are judged as if everything in the folder had been applied, each after those before it; otherwise
    /// nothing is known of the schema.
    pub history: bool,
    /// What is known of the server.
    pub context: Context,
    /// Who judges.
    pub policies: &'a [Policy],
    /// Who is asked how something could be taken back.
    pub generators: &'a [Arc<Plugin>],
    /// Findings that somebody has approved.
    pub approvals: Approvals,
    /// The engine's own rules.
    pub rules: EngineRules,
    /// How long a statement of a deploy may wait and run.
    pub time_limits: TimeLimits,
    /// Deployment name.
    pub environment: Option<String>,
    /// Findings at this level or above block.
    pub block_at: Severity,
}

/// A file outside of the folder.
#[derive(Debug, Clone)]
pub struct LooseFile {
    /// The file.
    pub file: MigrationFile,
    /// Its name is a migration's, for a policy to judge.
    pub named: bool,
}

/// Which migrations of a folder are judged.
#[derive(Debug, Clone, Default)]
pub enum Scope {
    /// All, each as if all earlier ones were applied long ago, so that their tables may hold rows.
    #[default]
    All,
    /// These, in the same way.
    Only(BTreeSet<String>),
    /// These, as one deploy will apply them: after all others, and one right after the other, so that a table which one
    /// of them makes is known to be empty in the next.
    Added {
        /// The migrations.
        names: BTreeSet<String>,
        /// Migrations that are not to be judged and must not have changed.
        edited: Vec<(String, Edit)>,
        /// What they were compared with.
        since: String,
    },
}

impl<'a> CheckRequest<'a> {
    /// All migrations of a folder, judged by nobody yet.
    pub fn new(folder: &'a Folder, context: Context) -> Self {
        Self {
            folder,
            loose: &[],
            scope: Scope::All,
            history: true,
            context,
            policies: &[],
            generators: &[],
            approvals: Approvals::default(),
            time_limits: TimeLimits::default(),
            rules: EngineRules::default(),
            environment: None,
            block_at: Severity::High,
        }
    }

    fn court(&self) -> Court {
        Court {
            server: Server {
                dialect: self.context.dialect,
                version: self.context.server_version,
            },
            environment: self.environment.clone(),
            block_at: self.block_at,
            time_limits: self.time_limits,
            rules: self.rules.clone(),
            files_only: false,
        }
    }

    /// Everything that is replayed, in order, up to the last one that is judged.
    fn steps(&self) -> Result<Vec<Step<'a>>, Error> {
        let migrations = &self.folder.migrations;
        let step = |file: &'a MigrationFile, judged: bool, ground: Ground| Step {
            file,
            judged,
            ground,
            named: true,
        };
        let mut steps: Vec<Step<'a>> = match &self.scope {
            Scope::All => migrations
                .iter()
                .map(|file| step(file, true, Ground::Applied))
                .collect(),
            Scope::Only(names) => {
                self.expect_known(names)?;
                let chosen = |file: &'a MigrationFile| step(file, names.contains(&file.name), Ground::Applied);
                migrations.iter().map(chosen).collect()
            }
            Scope::Added { names, .. } => {
                self.expect_known(names)?;
                let (added, before): (Vec<_>, Vec<_>) = migrations.iter().partition(|file| names.contains(&file.name));
                let before = before.into_iter().map(|file| step(file, false, Ground::Applied));
                before
                    .chain(added.into_iter().map(|file| step(file, true, Ground::Pending)))
                    .collect()
            }
        };
        let ground = if self.history { Ground::Pending } else { Ground::Unknown };
        steps.extend(self.loose.iter().map(|loose| Step {
            named: loose.named,
            ..step(&loose.file, true, ground)
        }));
        // What comes after the last one that is judged in the light of others is not replayed.
        let last = steps
            .iter()
            .rposition(|step| step.judged && step.ground != Ground::Unknown);
        let mut at = 0;
        steps.retain(|step| {
            at += 1;
            step.judged || last.is_some_and(|last| at <= last)
        });
        Ok(steps)
    }

    fn expect_known(&self, names: &BTreeSet<String>) -> Result<(), Error> {
        match names.iter().find(|name| self.folder.find(name).is_none()) {
            None => Ok(()),
            Some(name) => Err(Error::NotFound {
                migration: name.clone(),
                similar: nearest_migration(name, self.folder.migrations.iter().map(|file| file.name.as_str())),
            }),
        }
    }
}

/// One script on its way through the replay.
struct Step<'a> {
    file: &'a MigrationFile,
    judged: bool,
    ground: Ground,
    named: bool,
}

/// What a script finds and leaves behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ground {
    /// What all before it have made. It was applied long ago: what it makes may hold rows for the next.
    Applied,
    /// The same, but it is yet to be applied: what it makes is empty.
    Pending,
    /// Nothing is known.
    Unknown,
}

/// A migration on its way to the policies.
struct Case {
    migration: ReadMigration,
    before: Schema,
    after: Schema,
    /// What is found is found whenever the script is judged. In another plan a table might not be known to be empty.
    certain: bool,
}

/// How far a replay has come.
struct Replayed {
    schema: Schema,
    /// Something that is yet to be applied is among it.
    pending: bool,
}

/// Judges migrations without a database: the schema is what the earlier ones make.
///
/// Scripts are read, replayed and judged some at a time: of thousands, only the findings stay.
///
/// # Errors
/// Scripts that do not parse, all of them; names in the scope that are not in the folder.
pub fn check(request: &CheckRequest<'_>) -> Result<CheckReport, Error> {
    let court = request.court();
    let steps = request.steps()?;
    // The policies judge on another thread while this one goes on reading and replaying.
    let mut migrations: Vec<CheckedMigration> = std::thread::scope(|scope| {
        let (sender, receiver) = mpsc::sync_channel::<Vec<Case>>(1);
        let court = &court;
        let judging = scope.spawn(move || {
            let cases = receiver.iter().flatten();
            cases.map(|case| request.judge(court, &case)).collect()
        });
        let mut waiting = Vec::with_capacity(TOGETHER);
        let replayed = request.replay(&steps, |case| {
            waiting.push(case);
            if waiting.len() == TOGETHER {
                // The other end is gone only after a panic, which shows below.
                let _ = sender.send(std::mem::replace(&mut waiting, Vec::with_capacity(TOGETHER)));
            }
        });
        let _ = sender.send(waiting);
        drop(sender);
        let judged: Vec<_> = judging.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        replayed.map(|()| judged)
    })?;
    migrations.extend(request.edited(&court));
    migrations.sort_by(|a, b| request.position(&a.name).cmp(&request.position(&b.name)));
    Ok(CheckReport { migrations })
}

/// How many migrations are handed over together: to wake the other thread for each takes longer than to judge some.
const TOGETHER: usize = 8;
/// How many scripts are read at a time.
const WINDOW: usize = 64;

impl CheckRequest<'_> {
    /// Hands every script that is to be judged to `visit`, with the schema before and after it.
    fn replay(&self, steps: &[Step<'_>], mut visit: impl FnMut(Case)) -> Result<(), Error> {
        let mut replayed = Replayed {
            schema: Schema::empty(self.context.clone()),
            pending: false,
        };
        let mut errors: Vec<ScriptError> = Vec::new();
        for (window, steps) in steps.chunks(WINDOW).enumerate() {
            let first = window * WINDOW;
            let files: Vec<_> = steps
                .iter()
                .enumerate()
                .map(|(at, step)| (first + at, step.file))
                .collect();
            match plan::read_files(&files, self.context.dialect) {
                Ok(read) if errors.is_empty() => {
                    for (step, migration) in steps.iter().zip(read) {
                        self.take(step, migration, &mut replayed, &mut visit)?;
                    }
                }
                Ok(_) => {}
                // The rest is read all the same, so that every problem is shown at once.
                Err(found) => errors.extend(found),
            }
        }
        if errors.is_empty() { Ok(()) } else { Err(errors.into()) }
    }

    fn take(
        &self,
        step: &Step<'_>,
        mut migration: ReadMigration,
        replayed: &mut Replayed,
        visit: &mut impl FnMut(Case),
    ) -> Result<(), Error> {
        migration.named = step.named;
        let schema = &mut replayed.schema;
        if step.ground == Ground::Unknown {
            *schema = Schema::unknown(self.context.clone());
        }
        let before = step.judged.then(|| schema.clone());
        if before.is_some() && !self.policies.is_empty() {
            migration.locks = Some(Locks::while_applying(schema, migration.script())?);
        } else {
            schema.apply_script(migration.script())?;
        }
        if let Some(before) = before {
            visit(Case {
                migration,
                before,
                after: schema.clone(),
                certain: match step.ground {
                    Ground::Applied => true,
                    Ground::Pending => !replayed.pending,
                    Ground::Unknown => false,
                },
            });
        }
        match step.ground {
            Ground::Applied => schema.settle(),
            Ground::Pending => replayed.pending = true,
            Ground::Unknown => {}
        }
        Ok(())
    }

    fn judge(&self, court: &Court, case: &Case) -> CheckedMigration {
        let Case {
            migration,
            before,
            after,
            certain,
        } = case;
        let court = &Court {
            files_only: *certain,
            ..court.clone()
        };
        let mut way_back = || {
            rollback::generate(
                self.generators,
                court.server,
                migration,
                before,
                after,
                Source::Generated,
            )
            .ok()
        };
        judge(
            court,
            &self.approvals,
            self.policies,
            migration,
            before,
            after,
            &mut way_back,
        )
    }

    /// What is said of migrations that must not have changed.
    fn edited(&self, court: &Court) -> Vec<CheckedMigration> {
        let Scope::Added { edited, since, .. } = &self.scope else {
            return Vec::new();
        };
        let Some(severity) = court.rules.severity(rules::EDITED_MIGRATION) else {
            return Vec::new();
        };
        let checked = |(name, edit): &(String, Edit)| {
            let mut scales = Scales::new(court.block_at, &[]);
            let finding = rules::edited(severity, *edit, since);
            let findings = scales.weigh(rules::NAME, None, None, finding).into_iter().collect();
            CheckedMigration {
                name: name.clone(),
                judgement: Judgement {
                    findings,
                    ..Judgement::default()
                },
            }
        };
        edited.iter().map(checked).collect()
    }

    /// The folder's migrations, and those that are gone from it, by name; then the loose files as they were given.
    fn position<'b>(&self, name: &'b str) -> (usize, &'b str) {
        match self.loose.iter().position(|loose| loose.file.name == name) {
            Some(at) => (at + 1, ""),
            None => (0, name),
        }
    }
}

/// What the policies and the engine say of one migration. `way_back` tells what the rollback generators can do about it
/// and is asked only where that matters.
pub(crate) fn judge(
    court: &Court,
    approvals: &Approvals,
    policies: &[Policy],
    migration: &ReadMigration,
    before: &Schema,
    after: &Schema,
    way_back: &mut dyn FnMut() -> Option<RollbackPlan>,
) -> CheckedMigration {
    let (mut judgement, used) = court.judge(policies, migration, before, after);
    rules::add(court, policies, migration, used, &mut judgement, way_back);
    judgement
        .findings
        .sort_by_key(|judged| (judged.finding.statement, judged.finding.span.map(|span| span.start)));
    approvals.apply(migration, &mut judgement);
    CheckedMigration {
        name: migration.input.name.clone(),
        judgement,
    }
}
