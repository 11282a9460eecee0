//! Reasons of the host's own to end a call, and how whatever ended one becomes a named failure.

use wasmtime::{Trap, WasmBacktrace};

use crate::error::{FailureKind, PluginError};
use crate::limits::Limits;
use crate::types::Kind;

/// Why the host ended a call. It travels through WebAssembly as a trap and is recognised on the other side.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    /// Linear memory is over its limit.
    #[error("wanted more than {} of memory", size(*limit))]
    OutOfMemory { limit: usize },
    /// Tables are over their limit.
    #[error("wanted more than {limit} table entries")]
    TableTooLarge { limit: usize },
    /// The catalog could not be read.
    #[error("the catalog could not be read: {0}")]
    Catalog(String),
    /// A handle that the host never gave out.
    #[error("used a handle that it was not given")]
    UnknownHandle,
    /// It was asked what plugins of its kind are not asked.
    #[error("is {}, not {}", kind.with_article(), wanted.with_article())]
    WrongKind { kind: Kind, wanted: Kind },
}

/// Frames of a backtrace that are worth showing.
const FRAMES: usize = 4;

/// Rust's way from a panic to the trap, which says nothing about the plugin.
const MACHINERY: [&str; 6] = [
    "rust_panic",
    "rust_begin_unwind",
    "panicking::",
    "sys::backtrace",
    "panic_fmt",
    "abort",
];

/// A number of bytes in words.
fn size(bytes: usize) -> String {
    if bytes >= 1 << 20 {
        format!("{} MiB", bytes >> 20)
    } else {
        format!("{} KiB", bytes >> 10)
    }
}

/// Names what ended a call.
pub(crate) fn classify(plugin: &str, limits: &Limits, notifier: bool, error: &wasmtime::Error) -> PluginError {
    let failure = |kind, message: String| PluginError::new(plugin, kind, message);
    if let Some(fault) = error.downcast_ref::<Fault>() {
        return match fault {
            Fault::OutOfMemory { .. } | Fault::TableTooLarge { .. } => {
                failure(FailureKind::OutOfMemory, fault.to_string()).with_help(raise("memory_mib"))
            }
            Fault::Catalog(_) => {
                let mut error = failure(FailureKind::Failed, fault.to_string());
                error.retryable = true;
                error
            }
            Fault::WrongKind { .. } => failure(FailureKind::Incompatible, fault.to_string()),
            Fault::UnknownHandle => failure(FailureKind::InvalidOutput, fault.to_string()),
        };
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::OutOfFuel) => failure(
            FailureKind::OutOfFuel,
            format!("used up its {} units of fuel", limits.fuel),
        )
        .with_help(raise("fuel")),
        Some(Trap::Interrupt) => {
            let deadline = limits.deadline(notifier).as_millis();
            let error = failure(FailureKind::TimedOut, format!("ran for longer than {deadline} ms"));
            if notifier {
                error
            } else {
                error.with_help(raise("deadline_ms"))
            }
        }
        Some(trap) if breaks_the_abi(*trap) => failure(
            FailureKind::InvalidOutput,
            format!("returned malformed data: {}", reason(*trap)),
        ),
        Some(trap) => failure(FailureKind::Trapped, format!("{}{}", reason(*trap), backtrace(error))),
        // Wasmtime counts instances, tables and memories itself.
        None if root_cause(error).starts_with("resource limit exceeded") => failure(
            FailureKind::OutOfMemory,
            format!("wanted more than {} instances, tables or memories", limits.instances),
        ),
        None => failure(FailureKind::InvalidOutput, malformed(limits, error)),
    }
}

/// Limits that the configuration can change go by its names.
fn raise(limit: &str) -> String {
    format!("If the plugin is sound, give it a higher `{limit}` under `limits` in its configuration.")
}

/// Traps that mean that a value handed over is not one of its type.
fn breaks_the_abi(trap: Trap) -> bool {
    matches!(
        trap,
        Trap::InvalidChar
            | Trap::StringOutOfBounds
            | Trap::ListOutOfBounds
            | Trap::InvalidDiscriminant
            | Trap::UnalignedPointer
    )
}

/// What is no trap of the guest's is an error of wasmtime's while it reads a value.
fn malformed(limits: &Limits, error: &wasmtime::Error) -> String {
    let root = root_cause(error);
    if root.starts_with("too much data is being copied") {
        return format!("handed over more than {} at once", size(limits.output_bytes));
    }
    format!("returned malformed data: {root}")
}

fn root_cause(error: &wasmtime::Error) -> String {
    error.root_cause().to_string()
}

/// The trap in words, without wasmtime's prefix.
fn reason(trap: Trap) -> String {
    let text = trap.to_string();
    match trap {
        Trap::UnreachableCodeReached => "it panicked or aborted".to_owned(),
        Trap::StackOverflow => "call stack exhausted".to_owned(),
        _ => text.strip_prefix("wasm trap: ").unwrap_or(&text).to_owned(),
    }
}

/// The innermost frames, one line: ` in a, called by b, called by c`. Empty when nothing is known.
fn backtrace(error: &wasmtime::Error) -> String {
    let Some(trace) = error.downcast_ref::<WasmBacktrace>() else {
        return String::new();
    };
    let mut names: Vec<String> = trace
        .frames()
        .iter()
        .map(|frame| match frame.func_name() {
            Some(name) => format!("{:#}", rustc_demangle::demangle(name)),
            None => format!("function {}", frame.func_index()),
        })
        .skip_while(|name| MACHINERY.iter().any(|part| name.contains(part)))
        .collect();
    names.dedup();
    let more = names.len().saturating_sub(FRAMES);
    names.truncate(FRAMES);
    match (names.is_empty(), more) {
        (true, _) => String::new(),
        (false, 0) => format!(" in {}", names.join(", called by ")),
        (false, more) => format!(" in {}, and {more} more", names.join(", called by ")),
    }
}
