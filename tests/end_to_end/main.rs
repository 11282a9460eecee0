//! The program as its users run it: real databases, real components, real projects where there are any.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failing test should stop here")]

mod allowing;
mod deploying;
mod documents;
mod errors;
mod guests;
mod listing;
mod outside;
mod real;
mod resolving;
mod rollback;
mod secrets;
mod session;
mod standing;
mod taking_back;
mod told;
