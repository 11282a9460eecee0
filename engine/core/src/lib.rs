//! The engine of Tollgate as a library: check, deploy, roll back, resolve, and tell people.
//!
//! It returns values and events. It never prints, reads no environment and no home folder, and never ends the process:
//! that is the business of the program around it.

pub mod bundled;
mod check;
mod deploy;
pub mod error;
mod event;
pub mod folder;
pub mod history;
mod notify;
pub mod plan;
pub mod policy;
mod project;
mod resolve;
pub mod rollback;
mod status;
pub mod suppress;

pub use check::{CheckReport, CheckedMigration, check_folder};
pub use deploy::{
    AppliedMigration, DeployOptions, DeployOutcome, DeployReport, PlannedMigration, PlannedStatement, deploy,
};
pub use error::{Error, ErrorKind};
pub use event::{Event, Observer};
pub use folder::{Folder, FolderError, MigrationFile};
pub use history::{Entry, History, Standing};
pub use notify::{Delivery, Notifier};
pub use policy::{JudgedFinding, Judgement, Level, OnFailure, Policy, PolicyFailure};
pub use project::{Project, Settings, Tolerance};
pub use resolve::{Resolution, resolve};
pub use rollback::{RollbackPlan, RollbackReport, Selection, rollback};
pub use status::{MigrationStatus, StatusReport, status};

pub use tollgate_database::{ConnectOptions, ExecuteEvent, ExecuteOptions, Interrupt, LockEvent, LockOptions, Target};
pub use tollgate_host as host;
pub use tollgate_schema::Context;
pub use tollgate_sql as sql;
