//! `tollgate doctor` on databases that are well, ill, and not there at all.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failing test should stop here")]

mod diagnosis;
mod healthy;
mod ledgers;
mod others;
mod privileges;
mod server;
mod sqlite;
mod unreachable;
