//! Deploys that are disturbed: killed, cut off, their server stopped, started several at once, held up by others. Whatever
//! happens, nothing is applied that is not recorded, nothing is recorded that is not applied, and the next deploy finishes.
//!
//! `TOLLGATE_TEST_KILLS` is how many disturbances of each kind there are (otherwise 200 of deploys, 60 of rollbacks),
//! `TOLLGATE_TEST_SEED` chooses their moments. A test that fails says which seed it had.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failing test should stop here")]

mod anywhere;
mod blocked;
mod campaign;
mod database;
mod outliving;
mod running;
mod steps;
mod together;
