//! The host against real components: those in `tests/guests`, which do everything a plugin may and must not do.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod bases;
mod cache;
mod contract;
mod kept;
mod limits;
mod log;
mod misbehaviour;
mod notifier;
mod rollback;
mod support;
mod witness;
