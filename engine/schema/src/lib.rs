//! The catalog as plain data, and what each SQL operation does to it. No I/O.

pub mod base;
pub mod model;

pub use base::{Base, BaseError, ProbeError};
