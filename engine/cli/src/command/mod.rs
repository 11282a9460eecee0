//! The commands, one a file. A command's doc comment is its help.

pub mod check;
pub mod completions;
pub mod config;
mod context;
pub mod deploy;
pub mod init;
pub mod new;
pub mod plugin;
pub mod resolve;
pub mod rollback;
pub mod status;

pub use context::{Context, run};
