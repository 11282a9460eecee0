//! How much a plugin may use, and the counters that hold it to that.

use std::time::Duration;

use wasmtime::ResourceLimiter;

use crate::fault::Fault;

/// Bounds of one call of a plugin. Each call gets all of them anew, and so does the reading of the settings before the
/// first. What memory a plugin keeps from one call to the next costs no later call its answer.
///
/// The defaults are nearly a hundred times what the bundled policy needs for a migration of a thousand statements (some
/// twenty million units of fuel and two megabytes of memory), so that nobody has to think of them, and small enough that
/// a broken plugin is stopped within seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Units of fuel, about one WebAssembly instruction each. Policies and rollback generators only: it makes them stop
    /// at the same instruction on every machine. Notifiers wait for the network instead, so the clock bounds them.
    pub fuel: u64,
    /// Wall clock of a call of a policy or rollback generator, in milliseconds: the backstop for what fuel does not
    /// see, such as asking the catalog for ever.
    pub deadline_ms: u64,
    /// Wall clock of a call of a notifier, in milliseconds. Longer than an endpoint's timeout, so that the endpoint is
    /// named as the culprit.
    pub notifier_deadline_ms: u64,
    /// Bytes of linear memory, all memories of the component together. An interpreter in a component needs tens
    /// of megabytes before it does anything.
    pub memory_bytes: usize,
    /// Entries of all tables together; a pointer each. An interpreter in a component has thousands.
    pub table_entries: usize,
    /// Core instances, tables and memories of a component, of each. Real ones have fewer than twenty.
    pub instances: usize,
    /// Bytes that one call from or to the plugin may hand to the host. Bounds what the host allocates before it can look
    /// at anything, also when a million strings share the same bytes in the plugin.
    pub output_bytes: usize,
    /// Findings of one call. Nobody reads more, and a report of more is a bug of the plugin.
    pub findings: usize,
    /// Bytes of one text that a person reads: a message, a label, a help text, a reason.
    pub message_bytes: usize,
    /// Labels, suggestions, edits of a suggestion and properties of one finding, of each.
    pub finding_parts: usize,
    /// Log lines of one call; what comes after is counted and dropped.
    pub log_lines: usize,
    /// Bytes of one log line, its fields included; what comes after is cut off.
    pub log_line_bytes: usize,
    /// HTTP requests of one call.
    pub http_requests: usize,
    /// Bytes of one HTTP request's body.
    pub http_body_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            fuel: 2_000_000_000,
            deadline_ms: 30_000,
            notifier_deadline_ms: 60_000,
            memory_bytes: 128 << 20,
            table_entries: 100_000,
            instances: 100,
            output_bytes: 32 << 20,
            findings: 10_000,
            message_bytes: 16 << 10,
            finding_parts: 100,
            log_lines: 1_000,
            log_line_bytes: 4 << 10,
            http_requests: 100,
            http_body_bytes: 4 << 20,
        }
    }
}

impl Limits {
    /// The wall clock for a call of this kind of plugin.
    pub(crate) fn deadline(&self, notifier: bool) -> Duration {
        Duration::from_millis(if notifier {
            self.notifier_deadline_ms
        } else {
            self.deadline_ms
        })
    }
}

/// Bytes of native stack for WebAssembly frames. Recursive descent over a deeply nested expression fits many times
/// over; it has to fit, with the host's own frames, on the two megabytes a Rust thread has.
pub(crate) const STACK_BYTES: usize = 512 << 10;

/// Counts what a store's instances use.
pub(crate) struct Meter {
    memory_bytes: usize,
    memory_limit: usize,
    table_entries: usize,
    table_limit: usize,
    instances: usize,
}

impl Meter {
    /// Bytes of linear memory, all memories together.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.memory_bytes
    }

    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            memory_bytes: 0,
            memory_limit: limits.memory_bytes,
            table_entries: 0,
            table_limit: limits.table_entries,
            instances: limits.instances,
        }
    }
}

impl ResourceLimiter for Meter {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let total = self.memory_bytes.saturating_sub(current).saturating_add(desired);
        if total > self.memory_limit {
            return Err(Fault::OutOfMemory {
                limit: self.memory_limit,
            }
            .into());
        }
        self.memory_bytes = total;
        Ok(true)
    }

    fn table_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let total = self.table_entries.saturating_sub(current).saturating_add(desired);
        if total > self.table_limit {
            return Err(Fault::TableTooLarge {
                limit: self.table_limit,
            }
            .into());
        }
        self.table_entries = total;
        Ok(true)
    }

    fn instances(&self) -> usize {
        self.instances
    }

    fn tables(&self) -> usize {
        self.instances
    }

    fn memories(&self) -> usize {
        self.instances
    }
}
