//! The two standard streams. A reader that has gone away (`tollgate status | head`) is no error of ours.

use std::io::{IsTerminal, Write};
use std::sync::OnceLock;

use anstream::adapter::strip_str;
use anstream::stream::RawStream;
use anstream::{AutoStream, ColorChoice};

/// Writes to standard output; colours stay only where they can be seen.
pub fn stdout(text: &str) {
    static CHOICE: OnceLock<ColorChoice> = OnceLock::new();
    write(anstream::stdout, std::io::stdout(), &CHOICE, text);
}

/// Whether people see standard error at once.
pub fn stderr_is_terminal() -> bool {
    std::io::stderr().is_terminal()
}

/// The same for standard error.
pub fn stderr(text: &str) {
    static CHOICE: OnceLock<ColorChoice> = OnceLock::new();
    write(anstream::stderr, std::io::stderr(), &CHOICE, text);
}

/// Unless the command line says what is shown of colours, the environment is asked once. A text without them goes out in
/// one piece: the stream that takes them out writes each piece between two of them by itself.
fn write<C: Write, P: Write + RawStream>(
    coloured: impl Fn() -> C,
    mut plain: P,
    told: &OnceLock<ColorChoice>,
    text: &str,
) {
    let choice = match ColorChoice::global() {
        ColorChoice::Auto => *told.get_or_init(|| AutoStream::choice(&plain)),
        chosen => chosen,
    };
    let _ = if choice == ColorChoice::Never {
        let text = strip_str(text).to_string();
        plain.write_all(text.as_bytes()).and_then(|()| plain.flush())
    } else {
        let mut stream = coloured();
        stream.write_all(text.as_bytes()).and_then(|()| stream.flush())
    };
}
