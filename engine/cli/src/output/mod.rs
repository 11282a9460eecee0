//! Everything that is printed goes through here: redacted, in colour only on a terminal, for people or for programs.

pub mod documents;
pub mod markdown;
pub mod path;
pub mod progress;
pub mod redact;
#[cfg(test)]
mod reference;
pub mod render;
pub mod report;
pub mod reports;
mod source;
pub mod stream;
pub mod style;
mod ui;

pub use ui::{Format, Ui, Verbosity, width};
