//! The commands, one a file. A command's doc comment is its help.

pub mod approve;
pub mod baseline;
pub mod check;
pub mod ci;
pub mod completions;
pub mod config;
mod context;
pub mod deploy;
pub mod doctor;
pub mod drift;
pub mod explain;
pub mod init;
pub mod lock;
pub mod new;
pub mod notify;
pub mod plugin;
pub mod preview;
pub mod reset;
pub mod resolve;
pub mod rollback;
pub mod seed;
pub mod status;

pub use context::{Context, run};
