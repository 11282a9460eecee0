//! One run at a time: the lock, leases that outlive a process, who holds them, and how to take them away.
//!
//! No test waits for a time to pass: what has to come true is polled.

#![allow(missing_docs, clippy::unwrap_used, clippy::panic, reason = "these are tests")]

#[path = "../end_to_end/outside.rs"]
#[expect(dead_code, reason = "shared with other tests, which use the rest")]
mod outside;
#[path = "../end_to_end/session.rs"]
#[expect(dead_code, reason = "shared with other tests, which use the rest")]
mod session;
#[path = "../signals/support.rs"]
#[expect(dead_code, reason = "shared with other tests, which use the rest")]
mod support;

mod excluding;
mod leases;
mod meanwhile;
mod messages;
mod people;
mod releasing;
mod running;
