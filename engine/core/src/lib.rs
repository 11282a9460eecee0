//! The engine of Tollgate as a library: check, deploy, roll back, resolve, and tell people.
//!
//! It returns values and events. It never prints, reads no environment and no home folder, and never ends the process:
//! that is the business of the program around it.

pub mod approval;
mod baseline;
pub mod bundled;
mod check;
mod comments;
mod deploy;
mod doctor;
mod drift;
pub mod error;
mod event;
mod explain;
mod failed;
pub mod fix;
pub mod folder;
pub mod history;
pub mod known;
mod lock;
pub mod nearest;
mod notify;
pub mod plan;
pub mod policy;
pub mod pragma;
mod presence;
mod preview;
mod project;
mod receipt;
mod refusal;
mod requirement;
mod reset;
mod resolve;
pub mod rollback;
pub mod rules;
mod seed;
mod shares;
mod shell;
mod status;
pub mod suppress;
pub mod trace;
mod with_lock;

pub use baseline::{BaselineOptions, BaselineReport, baseline};
pub use check::{CheckReport, CheckRequest, CheckedMigration, LooseFile, Scope, check};
pub use deploy::{
    AppliedMigration, DeployOptions, DeployOutcome, DeployReport, PlannedMigration, PlannedStatement, Plugins, deploy,
    deploy_with,
};
pub use doctor::{Examination, doctor};
pub use drift::{DriftOptions, DriftReport, Pattern, PatternError, ScratchPlace, drift};
pub use error::{Error, ErrorKind};
pub use event::{Awaiting, Event, Observer};
pub use explain::{Explained, ExplainedStatement, explain};
pub use folder::{Folder, FolderError, MigrationFile};
pub use history::{Entry, History, Standing};
pub use lock::{
    Acquired, HeldLock, LeaseRequest, LockStatus, acquire_lock, force_release, hold_lock, lock_status, release_lock,
    terminate_holder,
};
pub use notify::{Delivery, Notifier, retry as retry_notifications, tell_now};
pub use policy::{JudgedFinding, Judgement, Level, OnFailure, Policy, PolicyFailure};
pub use presence::{Extent, InspectedStatement, Inspection, Presence, Proposal};
pub use preview::{PreviewOptions, PreviewReport, PreviewedMigration, RollbackResult, TriedRollback, preview};
pub use project::{Project, Settings, SynchronousCommit, Tolerance};
pub use receipt::{DeployedMigration, Receipt, ReceiptError, ReceiptKey};
pub use refusal::Refusal;
pub use requirement::{Proof, Requirement, RequirementReport, Unproven};
pub use reset::{ResetOptions, ResetPlan, ResetReport, reset};
pub use resolve::{Resolution, inspect, resolve};
pub use rollback::{RollbackPlan, RollbackReport, Selection, rollback};
pub use seed::{SeedError, SeedFile, SeedProblem, check_seed, seed};
pub use shell::quoted;
pub use status::{GivenUp, MigrationProgress, MigrationStatus, Overlooked, StatusReport, Unfinished, status};

pub use with_lock::{WithLockError, with_migration_lock, with_migration_lock_watched};

pub use diesel;
pub use tollgate_database::diagnose::{Diagnosis, Finding, Group, Status};
pub use tollgate_database::{
    ConnectOptions, Doing, ExecuteEvent, ExecuteOptions, Interrupt, LockEvent, LockOptions, Pragmas, Target,
    Transactions,
};
pub use tollgate_database::{
    Lease, LockError, LockHolder, LockPass, LockToken, Lockable, PgConnection, Released, Start, connect_postgres,
    connect_sqlite, named_in_short,
};
pub use tollgate_host as host;
pub use tollgate_schema::Context;
pub use tollgate_schema::difference::{Difference, Sides, Subject};
pub use tollgate_schema::locks::{LockMode, TableLock};
pub use tollgate_schema::reconcile::{Reconciliation, Step};
pub use tollgate_sql as sql;
