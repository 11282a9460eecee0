//! The few colours there are, by what they mean.

use anstyle::{AnsiColor, Style};

/// Done, applied.
pub const GOOD: Style = AnsiColor::Green.on_default();
/// Look at this.
pub const WARN: Style = AnsiColor::Yellow.on_default().bold();
/// Wrong, refused.
pub const BAD: Style = AnsiColor::Red.on_default().bold();
/// Less important than the rest.
pub const DIM: Style = Style::new().dimmed();
/// Names: migrations, commands, keys.
pub const NAME: Style = Style::new().bold();

/// A text in a style.
pub fn paint(style: Style, text: impl std::fmt::Display) -> String {
    format!("{style}{text}{style:#}")
}
