//! `check --fix`: what it changes, what it makes, and what it leaves alone.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failing test should stop here")]

mod applied;
mod files;
mod real;
mod splitting;
mod support;
