//! What a person has to approve before it is applied, what has to be deployed elsewhere first, and what is no proof of
//! either.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failing test should stop here")]

#[path = "../end_to_end/outside.rs"]
#[expect(dead_code, reason = "shared with other tests, which use the rest")]
mod outside;
#[path = "../end_to_end/session.rs"]
#[expect(dead_code, reason = "shared with other tests, which use the rest")]
mod session;

mod approving;
mod command_line;
mod environments;
mod first;
mod keeping;
mod levels;
mod plugins;
mod receipts;
mod support;
mod void;
