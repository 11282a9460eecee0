//! Being asked to end in the middle of something: Ctrl-C once and twice, SIGTERM, a terminal that is closed. After each
//! of them the exit status says so, what is recorded is true, the lock is free, and a plain `deploy` does the rest.
//!
//! No test waits for a time to pass: what a migration waits for is held by the test, and let go of when it is time.

#![allow(missing_docs, clippy::unwrap_used, clippy::panic, reason = "these are tests")]

mod lock;
mod outside;
mod reading;
mod resetting;
mod rolling_back;
mod seeding;
mod sqlite;
mod support;
mod telling;
mod terminal;
mod transaction;
