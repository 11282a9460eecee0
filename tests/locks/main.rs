//! What statements lock: as `explain` says it of files, and as `check --trace` sees it on a scratch database.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failing test should stop here")]

mod explaining;
mod tracing;
