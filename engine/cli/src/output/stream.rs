//! The two standard streams. A reader that has gone away (`tollgate status | head`) is no error of ours.

use std::io::{IsTerminal, Write};

/// Writes to standard output; colours stay only where they can be seen.
pub fn stdout(text: &str) {
    let mut stream = anstream::stdout();
    let _ = stream.write_all(text.as_bytes()).and_then(|()| stream.flush());
}

/// Whether people see standard error at once.
pub fn stderr_is_terminal() -> bool {
    std::io::stderr().is_terminal()
}

/// The same for standard error.
pub fn stderr(text: &str) {
    let mut stream = anstream::stderr();
    let _ = stream.write_all(text.as_bytes()).and_then(|()| stream.flush());
}
