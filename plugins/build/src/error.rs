//! What can go wrong, and what to do about it.

use std::path::{Path, PathBuf};

/// Why a guest could not be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// No compiler on this machine can make WebAssembly.
    #[error("no Rust toolchain with a standard library for wasm32-unknown-unknown was found")]
    NoToolchain,
    /// Debian's compiler is there, but not everything it needs.
    #[error("{0} was not found")]
    Missing(&'static str),
    /// A program could not be started.
    #[error("{program} could not be started: {source}")]
    Start {
        /// The program.
        program: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The compiler refused the guest; its own words are above.
    #[error("{0} did not build")]
    Compile(String),
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A manifest is not as expected.
    #[error("{}: {message}", path.display())]
    Manifest {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// A name on the command line is no guest.
    #[error("there is no guest called {name}; there are {known}")]
    UnknownGuest {
        /// As given.
        name: String,
        /// All names.
        known: String,
    },
    /// The module is no valid component.
    #[error("{name} does not make a component: {message}")]
    Component {
        /// The guest.
        name: String,
        /// Why.
        message: String,
    },
}

impl BuildError {
    pub(crate) fn file(path: &Path, source: std::io::Error) -> Self {
        Self::File {
            path: path.to_owned(),
            source,
        }
    }

    /// What to do.
    pub(crate) fn help(&self) -> Option<&'static str> {
        match self {
            Self::NoToolchain => Some(
                "run `rustup target add wasm32-unknown-unknown`, or on Debian `apt-get install rustc-web cargo-web rust-web-src`",
            ),
            Self::Missing(_) => {
                Some("install a linker for WebAssembly: the rustup toolchain has rust-lld, Debian's lld has wasm-ld")
            }
            _ => None,
        }
    }
}
