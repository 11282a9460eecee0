//! What stands around a database and fails it: a disk that is full, rights that are missing, a server that only reads or is
//! not up yet, one that is crowded or goes away, poolers, certificates. Each time: what is said, what state the database
//! is in, and that a deploy completes once the cause is gone.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failing test should stop here")]

mod crowded;
mod disk;
mod older;
mod pooler;
mod replica;
mod restart;
mod rights;
mod session;
mod tls;
mod unreachable;
