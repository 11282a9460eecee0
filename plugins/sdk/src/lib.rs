//! Everything that the author of a Tollgate plugin needs.
//!
//! A plugin is one struct that implements one trait ([`Policy`], [`Rollback`] or [`Notifier`]) and one macro line
//! ([`export_policy!`], [`export_rollback!`], [`export_notifier!`]) that makes the crate a WebAssembly component. The same
//! crate runs natively under `cargo test`: the feature `testing` brings catalogs made from SQL.

#[cfg(any(target_family = "wasm", test))]
mod allocator;
pub mod bindings;
mod catalog;
mod contract;
#[doc(hidden)]
pub mod glue;
pub mod http;
pub mod log;
mod migration;
mod plugin;
mod relation;
mod request;
pub mod rules;
#[cfg(feature = "testing")]
pub mod testing;

pub use catalog::Catalog;
pub use contract::*;
pub use http::Http;
pub use migration::Migration;
pub use plugin::{NoSettings, Notifier, Policy, Rollback};
pub use relation::{Parts, Relation};
pub use request::{PolicyRequest, WantedRules};

/// Serves whatever a component keeps or is handed.
#[cfg(target_family = "wasm")]
#[global_allocator]
static ALLOCATOR: allocator::Lists = allocator::Lists::new();

/// The examples of both pages for authors are compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
#[doc = include_str!("../../../README.md")]
struct Pages;
