//! Databases that are not what their migrations make.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]
