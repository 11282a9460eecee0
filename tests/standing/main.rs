//! Telling the truth about what is in a database, taking over one that exists, and beginning anew.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failing test should stop here")]

#[path = "../end_to_end/outside.rs"]
#[expect(dead_code, reason = "shared with other tests, which use the rest")]
mod outside;
#[path = "../end_to_end/session.rs"]
#[expect(dead_code, reason = "shared with other tests, which use the rest")]
mod session;

mod baseline;
mod dependents;
mod emptied;
mod looking;
mod presence;
mod refused;
mod reset;
mod seed;
mod seed_command;
mod unfinished;
