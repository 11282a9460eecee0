//! The catalog as plain data, and what each SQL operation does to it. No I/O.
//!
//! [`Schema`] is what everything else asks: an overlay of changes over a [`Base`], which is nothing (replay), or a
//! connected database that is read only where somebody asks.

pub mod base;
pub mod context;
pub mod difference;
pub mod locks;
pub mod model;
pub mod reconcile;
pub mod render;

mod apply;
mod class;
mod dependents;
mod follow;
mod ground;
mod list;
mod lookup;
mod names;
mod outline;
mod overlay;
mod probe;
mod schema;
mod sorted;
mod sqlite_text;
mod text;
mod words;

pub use base::{Base, BaseError, ProbeError};
pub use context::Context;
pub use list::List;
pub use schema::Schema;
