//! The two standard streams. A reader that has gone away (`tollgate status | head`) is no error of ours.

use std::io::{IsTerminal, Write};
use std::sync::OnceLock;

use anstream::adapter::strip_str;
use anstream::stream::RawStream;
use anstream::{AutoStream, ColorChoice};

/// Writes to standard output; colours stay only where they can be seen.
pub fn stdout(text: &str) {
    static CHOICE: OnceLock<ColorChoice> = OnceLock::new();
    let choice = choice(&std::io::stdout(), &CHOICE);
    write(anstream::stdout, std::io::stdout(), choice, text);
}

/// Whether people see standard error at once.
pub fn stderr_is_terminal() -> bool {
    std::io::stderr().is_terminal()
}

/// The same for standard error.
pub fn stderr(text: &str) {
    write(anstream::stderr, std::io::stderr(), stderr_choice(), text);
}

/// Whether colours stay on standard error.
pub fn stderr_is_coloured() -> bool {
    stderr_choice() != ColorChoice::Never
}

fn stderr_choice() -> ColorChoice {
    static CHOICE: OnceLock<ColorChoice> = OnceLock::new();
    choice(&std::io::stderr(), &CHOICE)
}

/// What is shown of colours. Unless the command line says it, the environment is asked once.
fn choice(stream: &impl RawStream, told: &OnceLock<ColorChoice>) -> ColorChoice {
    match ColorChoice::global() {
        ColorChoice::Auto => *told.get_or_init(|| AutoStream::choice(stream)),
        chosen => chosen,
    }
}

/// A text without colours goes out in one piece: the stream that takes them out writes each piece between two of them by
/// itself.
fn write<C: Write>(coloured: impl Fn() -> C, mut plain: impl Write, choice: ColorChoice, text: &str) {
    let _ = if choice == ColorChoice::Never {
        let stripped = (!is_plain(text)).then(|| strip_str(text).to_string());
        let text = stripped.as_deref().unwrap_or(text);
        plain.write_all(text.as_bytes()).and_then(|()| plain.flush())
    } else {
        let mut stream = coloured();
        stream.write_all(text.as_bytes()).and_then(|()| stream.flush())
    };
}

/// Whether it is certain that nothing has to be taken out of a text.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| (byte >= b' ' && byte != 0x7f) || byte == b'\n')
}
