//! Messages for the operator. The engine adds the plugin's name, limits the volume and shows them where it logs.
//!
//! Outside a component (native tests) nothing is shown.

pub use crate::bindings::log::Level;

/// Whether messages of this level are shown; saves making expensive ones.
pub fn enabled(level: Level) -> bool {
    cfg!(target_arch = "wasm32") && crate::bindings::log::enabled(level)
}

/// A message with named values.
pub fn emit(level: Level, message: &str, fields: &[(&str, &str)]) {
    if enabled(level) {
        let fields: Vec<(String, String)> = fields
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        crate::bindings::log::emit(level, message, &fields);
    }
}

/// A message for whoever debugs the plugin.
pub fn debug(message: &str) {
    emit(Level::Debug, message, &[]);
}

/// A message worth knowing.
pub fn info(message: &str) {
    emit(Level::Info, message, &[]);
}

/// Something looks wrong, but the plugin goes on.
pub fn warn(message: &str) {
    emit(Level::Warn, message, &[]);
}

/// Something is wrong.
pub fn error(message: &str) {
    emit(Level::Error, message, &[]);
}
