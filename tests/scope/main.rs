//! What `check` judges, and what of its findings counts: suppressions, bundles that enforce, known findings, files that
//! are no migrations, and what a branch adds.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failing test should stop here")]

mod baseline;
mod bundles;
mod files;
mod many;
mod rollback_procedure;
mod since;
mod support;
mod suppressions;
