//! Runs Tollgate's plugins: WebAssembly components under wasmtime, with limits.
//!
//! [`Host`] loads components; a [`Plugin`] is one that was found sound, compiled, and content with its settings. Every
//! question to a plugin has fuel and a deadline of its own, and an instance that nobody else uses meanwhile, so that a
//! crash, a loop or a memory bomb spoils that one answer and nothing else. Policies and rollback generators keep an
//! instance that has answered properly for the next question; notifiers get a fresh one each time. Whatever comes back
//! is checked before anybody sees it.
//!
//! **Invariants.** This crate knows no database: what a plugin learns of a schema it learns through
//! `tollgate_schema::Schema`. It reads no environment and prints nothing; log lines go to a [`LogSink`]. The types of
//! `wit/` stay inside. No plugin gets WASI, a clock, a file, or a URL, and no secret comes back out of it.

mod address;
mod bindings;
mod cache;
mod check;
mod convert;
mod endpoint;
mod error;
mod fault;
mod host;
mod http;
mod inspect;
mod instance;
mod limits;
mod log;
mod plugin;
mod rules;
mod secrets;
mod state;
mod subject;
mod ticker;
pub mod types;

pub use endpoint::Endpoint;
pub use error::{FailureKind, HostError, PluginError, SettingsIssue};
pub use host::{Host, HostOptions, LoadRequest, written_description};
pub use limits::Limits;
pub use log::{LogLevel, LogLine, LogSink, NoLog};
pub use plugin::Plugin;
pub use subject::Subject;
pub use types::{Kind, MigrationInput, PolicyCall, RollbackCall};
