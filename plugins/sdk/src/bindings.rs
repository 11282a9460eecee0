//! What wit-bindgen makes of the contract in `wit/`. Plugins use the crate's own names for these types.
//!
//! Each exported interface is a world of its own here: wit-component joins those that a plugin's `export_…!` macro
//! names, and drops the imports that a plugin never calls.
#![allow(
    missing_docs,
    clippy::all,
    clippy::pedantic,
    clippy::unwrap_used,
    clippy::panic,
    rustdoc::all
)]

pub use imports::tollgate::plugin::{catalog, http, log, script, types};

/// Everything that a plugin can ask the engine for.
pub mod imports {
    wit_bindgen::generate!({
        inline: "
            package tollgate:sdk-imports;
            world imports {
                import tollgate:plugin/types@0.1.0;
                import tollgate:plugin/script@0.1.0;
                import tollgate:plugin/catalog@0.1.0;
                import tollgate:plugin/log@0.1.0;
                import tollgate:plugin/http@0.1.0;
            }
        ",
        path: "../../wit",
        generate_all,
        generate_unused_types: true,
        additional_derives: [PartialEq, Eq, PartialOrd, Ord, Hash],
    });
}

/// `describe` and `configure`, which every plugin has.
pub mod about {
    wit_bindgen::generate!({
        inline: "
            package tollgate:sdk-about;
            world about {
                export tollgate:plugin/about@0.1.0;
            }
        ",
        path: "../../wit",
        with: { "tollgate:plugin/types@0.1.0": crate::bindings::imports::tollgate::plugin::types },
        pub_export_macro: true,
        export_macro_name: "export_about",
        default_bindings_module: "tollgate_plugin::bindings::about",
    });
}

/// What a policy exports.
pub mod policy {
    wit_bindgen::generate!({
        inline: "
            package tollgate:sdk-policy;
            world policy {
                export tollgate:plugin/policy@0.1.0;
            }
        ",
        path: "../../wit",
        with: {
            "tollgate:plugin/types@0.1.0": crate::bindings::imports::tollgate::plugin::types,
            "tollgate:plugin/script@0.1.0": crate::bindings::imports::tollgate::plugin::script,
            "tollgate:plugin/catalog@0.1.0": crate::bindings::imports::tollgate::plugin::catalog,
        },
        additional_derives: [PartialEq, Eq],
        pub_export_macro: true,
        export_macro_name: "export_policy_interface",
        default_bindings_module: "tollgate_plugin::bindings::policy",
    });
}

/// What a rollback generator exports.
pub mod rollback {
    wit_bindgen::generate!({
        inline: "
            package tollgate:sdk-rollback;
            world rollback {
                export tollgate:plugin/rollback@0.1.0;
            }
        ",
        path: "../../wit",
        with: {
            "tollgate:plugin/types@0.1.0": crate::bindings::imports::tollgate::plugin::types,
            "tollgate:plugin/script@0.1.0": crate::bindings::imports::tollgate::plugin::script,
            "tollgate:plugin/catalog@0.1.0": crate::bindings::imports::tollgate::plugin::catalog,
        },
        additional_derives: [PartialEq, Eq],
        pub_export_macro: true,
        export_macro_name: "export_rollback_interface",
        default_bindings_module: "tollgate_plugin::bindings::rollback",
    });
}

/// What a notifier exports.
pub mod notifier {
    wit_bindgen::generate!({
        inline: "
            package tollgate:sdk-notifier;
            world notifier {
                export tollgate:plugin/notifier@0.1.0;
            }
        ",
        path: "../../wit",
        with: { "tollgate:plugin/types@0.1.0": crate::bindings::imports::tollgate::plugin::types },
        additional_derives: [PartialEq, Eq],
        pub_export_macro: true,
        export_macro_name: "export_notifier_interface",
        default_bindings_module: "tollgate_plugin::bindings::notifier",
    });
}
