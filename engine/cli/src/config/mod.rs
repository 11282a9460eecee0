//! What this run is told to do, from files, environment and flags. Prints nothing.

pub mod approvals;
pub mod bundles;
pub mod dotenv;
pub mod enforced;
pub mod environments;
pub mod error;
pub mod load;
pub mod model;
pub mod origin;
pub mod plugins;
pub mod project;
pub mod resolved;
pub mod secret;
pub mod source;
pub mod values;
pub mod variables;

pub use error::ConfigError;
pub use load::Flags;
pub use resolved::{Config, DatabaseUrl};
pub use secret::Secret;
