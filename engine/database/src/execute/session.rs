//! What differs between the backends while a script runs: how a transaction begins, which errors are worth another try,
//! who holds a lock.

use std::time::Duration;

use tollgate_sql::operation::Operation;
use tollgate_sql::{Dialect, Script, Statement};

use crate::error::ServerError;
use crate::execute::{ExecuteOptions, Pragmas, outside};
use crate::sqlite::connect::is_busy;

/// Lets a transaction of PostgreSQL's commit without waiting for the server's disk, see
/// [`crate::Durability::WithTheNext`].
pub(crate) const WITHOUT_WAITING: &str = "SET LOCAL synchronous_commit = off;";

/// Longest pause before another attempt.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Limits for the statements of a transaction, unless the script sets its own before statement `from`.
pub(crate) fn limits(script: &Script, from: usize, options: &ExecuteOptions) -> String {
    if script.dialect != Dialect::Postgres {
        return String::new();
    }
    [
        ("lock_timeout", options.lock_timeout),
        ("statement_timeout", options.statement_timeout),
        ("idle_in_transaction_session_timeout", options.idle_timeout),
    ]
    .into_iter()
    .filter(|(name, _)| !sets(&script.statements[..from], name))
    .filter_map(|(name, limit)| limit.map(|limit| format!("SET LOCAL {name} = {};", limit.as_millis())))
    .collect()
}

/// Limits for statement `index`, which runs outside a transaction: what sets them, and what puts back what was before.
/// They are the file's own, and the run's limit on waiting for locks where a statement that waits would hold up others.
/// Unless the script has set its own meanwhile.
pub(crate) fn limits_outside(
    script: &Script,
    index: usize,
    pragmas: Pragmas,
    options: &ExecuteOptions,
) -> Option<(String, String)> {
    if script.dialect != Dialect::Postgres {
        return None;
    }
    let holds_up = outside::holds_up_others(script, index);
    let limits: Vec<_> = [
        (
            "lock_timeout",
            pragmas.lock_timeout.or(options.lock_timeout.filter(|_| holds_up)),
        ),
        ("statement_timeout", pragmas.statement_timeout),
    ]
    .into_iter()
    .filter_map(|(name, limit)| limit.map(|limit| (name, limit)))
    .filter(|(name, _)| !sets(&script.statements[..index], name))
    .collect();
    let set = limits
        .iter()
        .map(|(name, limit)| format!("SET {name} = {};", limit.as_millis()))
        .collect();
    let reset = limits.iter().map(|(name, _)| format!("RESET {name};")).collect();
    (!limits.is_empty()).then_some((set, reset))
}

fn sets(statements: &[Statement], parameter: &str) -> bool {
    statements.iter().flat_map(|statement| &statement.effects).any(|effect| {
        matches!(&effect.operation, Operation::SetParameter { name, local: false, .. } if name.eq_ignore_ascii_case(parameter))
    })
}

/// Whether one of these statements sets what a transaction is like, which the server takes only before any query.
pub(crate) fn sets_transaction(script: &Script, statements: &[usize]) -> bool {
    script.dialect == Dialect::Postgres
        && statements.iter().any(|index| {
            let text = script.statements[*index].span.of(&script.text);
            // Most statements are told by their first letters, and every one is asked.
            let sets = text.get(..3).is_some_and(|word| word.eq_ignore_ascii_case("set"));
            let start = || text.chars().take(80).collect::<String>().to_ascii_lowercase();
            sets && start().contains("transaction")
        })
}

/// How a transaction begins.
pub(crate) fn begin(dialect: Dialect) -> &'static str {
    match dialect {
        // IMMEDIATE: a transaction that starts by reading and then writes cannot wait for another writer, it fails.
        Dialect::Sqlite => "BEGIN IMMEDIATE",
        _ => "BEGIN",
    }
}

/// Whether another attempt may succeed: lock timeout, deadlock, serialization failure, a busy file.
pub(crate) fn worth_retrying(error: &ServerError) -> bool {
    match error.sqlstate.as_deref() {
        Some(code) => matches!(code, "55P03" | "40P01" | "40001"),
        None => is_busy(error),
    }
}

/// Whether another session stood in the way: lock timeout, deadlock.
pub(crate) fn is_blocked(error: &ServerError) -> bool {
    matches!(error.sqlstate.as_deref(), Some("55P03" | "40P01"))
}

/// Whether the server refuses the statement only because it stands in a transaction.
pub(crate) fn refuses_transaction(error: &ServerError) -> bool {
    match error.sqlstate.as_deref() {
        // 25001: "cannot run inside a transaction block"; 2D000: a procedure or DO block that commits.
        Some(code) => matches!(code, "25001" | "2D000"),
        None => ["within a transaction", "within transaction", "inside a transaction"]
            .iter()
            .any(|phrase| error.message.contains(phrase)),
    }
}

/// How long to wait before attempt `next`: doubling from 200 ms, with jitter so that two who collided do not again.
pub(crate) fn pause(next: u32) -> Duration {
    let base = Duration::from_millis(200).saturating_mul(2_u32.saturating_pow(next.saturating_sub(2)));
    let base = base.min(LONGEST_PAUSE);
    let millis = u64::try_from(base.as_millis()).unwrap_or(u64::MAX);
    Duration::from_millis(millis / 2 + rand::random_range(0..=millis / 2))
}

/// Whether a script prepares statements under names.
pub(crate) fn prepares(script: &Script) -> bool {
    let mut effects = script.statements.iter().flat_map(|statement| &statement.effects);
    script.dialect == Dialect::Postgres
        && effects.any(|effect| matches!(&effect.operation, Operation::Other(other) if other.tag == "prepare"))
}

/// Whether a script may leave its session in another state.
pub(crate) fn disturbs(script: &Script) -> bool {
    script
        .statements
        .iter()
        .flat_map(|statement| &statement.effects)
        .any(|effect| match &effect.operation {
            Operation::SetParameter { .. } | Operation::Dynamic { .. } | Operation::Other(_) => true,
            Operation::CreateTable(table) => table.temporary,
            Operation::CreateView(view) => view.temporary,
            _ => false,
        })
}
