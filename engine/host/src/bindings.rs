//! What `wit/` looks like in Rust. Nothing outside this crate sees these types.
//!
//! One made-up world holds everything the three real ones hold, so that the types they share exist once. A plugin is
//! linked with the imports of its own world only, and only the exports of its own kind are looked up.

#![allow(
    missing_docs,
    clippy::all,
    clippy::pedantic,
    reason = "generated from wit/, which has the documentation"
)]

wasmtime::component::bindgen!({
    path: "../../wit",
    inline: "
        package tollgate:host;
        world everything {
            include tollgate:plugin/policy-plugin@0.1.0;
            include tollgate:plugin/rollback-plugin@0.1.0;
            include tollgate:plugin/notifier-plugin@0.1.0;
        }
    ",
    world: "tollgate:host/everything",
    imports: { default: trappable },
    with: {
        "tollgate:plugin/script.migration": crate::state::MigrationHandle,
        "tollgate:plugin/catalog.snapshot": crate::state::SnapshotHandle,
    },
    require_store_data_send: false,
});

pub use self::exports::tollgate::plugin::{about, notifier, policy, rollback};
pub use self::tollgate::plugin::{catalog, http, log, script, types};
