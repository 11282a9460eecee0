//! Between the configuration and the engine: what the engine needs is made here, and what it says is put into words.

pub mod approvals;
pub mod events;
pub mod failure;
pub mod findings;
pub mod fix;
pub mod footprints;
pub mod github;
pub mod locking;
pub mod plugins;
pub mod preview;
pub mod project;
pub mod receipts;
pub mod rollback;
pub mod seed;
pub mod sheet;
pub mod tokens;
