//! Between the configuration and the engine: what the engine needs is made here, and what it says is put into words.

pub mod events;
pub mod failure;
pub mod findings;
pub mod locking;
pub mod plugins;
pub mod project;
pub mod rollback;
pub mod seed;
pub mod tokens;
