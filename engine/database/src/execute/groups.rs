//! A script's statements in the groups that are committed together. No I/O.

use std::collections::BTreeSet;

use tollgate_sql::operation::{ObjectKind, Operation, TransactionControl};
use tollgate_sql::{Dialect, Script, Statement};

use crate::execute::Transactions;

/// How a group runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GroupKind {
    /// In a transaction of ours.
    Ours,
    /// The file's own BEGIN … COMMIT. Our record can go in before the COMMIT.
    Own,
    /// The file's own transaction, ended by a ROLLBACK or prepared: what we record inside would not be kept.
    OwnDiscarded,
    /// One statement that the server runs only outside a transaction.
    Alone,
    /// A session setting that has no effect inside a transaction, or does not end with it (`SQLite`: PRAGMA, ATTACH).
    Session,
}

/// Statements that are committed together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Group {
    pub kind: GroupKind,
    /// Indexes into the script.
    pub statements: Vec<usize>,
    /// Inside the file's own transaction something is committed before its end (COMMIT AND CHAIN).
    pub commits_inside: bool,
}

impl Group {
    fn new(kind: GroupKind, first: usize) -> Self {
        Self {
            kind,
            statements: vec![first],
            commits_inside: false,
        }
    }

    /// One past the last statement.
    pub(crate) fn end(&self) -> usize {
        self.statements.last().map_or(0, |last| last + 1)
    }
}

/// `SQLite` settings that a transaction ignores or refuses.
const OUTSIDE_ONLY: [&str; 8] = [
    "foreign_keys",
    "journal_mode",
    "synchronous",
    "temp_store",
    "page_size",
    "auto_vacuum",
    "wal_checkpoint",
    "locking_mode",
];

/// Splits a script. `alone` are statements that the server was found to refuse inside a transaction.
///
/// Where each statement is to be committed by itself, it still has a transaction that holds the record of it, but for
/// those that may commit in their middle.
pub(crate) fn plan(script: &Script, alone: &BTreeSet<usize>, transactions: Option<Transactions>) -> Vec<Group> {
    let each = transactions == Some(Transactions::EachStatement);
    if !each
        && script.dialect == Dialect::Sqlite
        && let Some(groups) = around_foreign_keys(script)
    {
        return groups;
    }
    let mut groups: Vec<Group> = Vec::new();
    let mut own: Option<Group> = None;
    for statement in &script.statements {
        let index = statement.index;
        if let Some(mut group) = own.take() {
            group.statements.push(index);
            match ends_transaction(script, statement) {
                None => own = Some(group),
                Some(End::Chain) => {
                    group.commits_inside = true;
                    own = Some(group);
                }
                Some(End::Commit) => groups.push(group),
                Some(End::Discard) => groups.push(Group {
                    kind: GroupKind::OwnDiscarded,
                    ..group
                }),
            }
        } else if control(statement) == Some(&TransactionControl::Begin) {
            own = Some(Group::new(GroupKind::Own, index));
        } else if is_session_setting(script.dialect, statement) {
            groups.push(Group::new(GroupKind::Session, index));
        } else if !statement.transactional
            || alone.contains(&index)
            || control(statement).is_some_and(is_stray)
            || each && may_commit(script, statement)
        {
            groups.push(Group::new(GroupKind::Alone, index));
        } else if let Some(last) = groups.last_mut().filter(|group| !each && group.kind == GroupKind::Ours) {
            last.statements.push(index);
        } else {
            groups.push(Group::new(GroupKind::Ours, index));
        }
    }
    // The parser refuses a BEGIN without its end; should one come through, nothing of it may count as applied.
    groups.extend(own.map(|group| Group {
        kind: GroupKind::OwnDiscarded,
        ..group
    }));
    groups
}

/// A procedure or a DO block: what it does may include COMMIT, which needs that no transaction is around it.
pub(crate) fn may_commit(script: &Script, statement: &Statement) -> bool {
    let text = statement.span.of(&script.text);
    let word = text
        .split(|c: char| !c.is_ascii_alphabetic())
        .next()
        .unwrap_or_default();
    script.dialect == Dialect::Postgres && (word.eq_ignore_ascii_case("CALL") || word.eq_ignore_ascii_case("DO"))
}

/// What keeps a script from being one transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Obstacle {
    /// The statement, from zero.
    pub statement: usize,
    /// What is about it, as the end of a sentence that speaks of the transaction.
    pub why: &'static str,
}

/// The first thing that keeps a script from being one transaction; `None` when it can be one.
pub fn obstacle(script: &Script) -> Option<Obstacle> {
    let groups = plan(script, &BTreeSet::new(), Some(Transactions::Whole));
    let mut committing = 0;
    for group in groups.iter().filter(|group| group.kind != GroupKind::Session) {
        let found = |statement, why| Some(Obstacle { statement, why });
        let first = group.statements.first().copied().unwrap_or(0);
        committing += 1;
        let chain = |index: &&usize| matches!(ends_transaction(script, &script.statements[**index]), Some(End::Chain));
        match group.kind {
            GroupKind::Alone => return found(first, "this statement cannot run inside one"),
            _ if committing > 1 => return found(first, "this statement begins another one"),
            GroupKind::OwnDiscarded => return found(group.end() - 1, "this statement throws it away"),
            _ => {
                if let Some(index) = group.statements.iter().find(chain) {
                    return found(*index, "this statement ends it in the middle");
                }
            }
        }
    }
    None
}

enum End {
    Commit,
    Discard,
    Chain,
}

fn ends_transaction(script: &Script, statement: &Statement) -> Option<End> {
    let text = statement.span.of(&script.text).to_ascii_lowercase();
    let words: Vec<&str> = text.split_whitespace().collect();
    let chained = words.contains(&"chain") && !words.contains(&"no");
    match control(statement)? {
        TransactionControl::Commit | TransactionControl::Rollback if chained => Some(End::Chain),
        TransactionControl::Commit => Some(End::Commit),
        TransactionControl::Rollback | TransactionControl::Prepared => Some(End::Discard),
        _ => None,
    }
}

/// A COMMIT without BEGIN and the like: only a warning, on its own.
fn is_stray(control: &TransactionControl) -> bool {
    matches!(
        control,
        TransactionControl::Commit | TransactionControl::Rollback | TransactionControl::Prepared
    )
}

/// What a statement says of transactions.
pub(crate) fn control(statement: &Statement) -> Option<&TransactionControl> {
    match &statement.effects.first()?.operation {
        Operation::Transaction(control) => Some(control),
        _ => None,
    }
}

fn pragma(statement: &Statement) -> Option<(&str, Option<&str>)> {
    match &statement.effects.first()?.operation {
        Operation::SetParameter {
            name,
            value,
            pragma: true,
            ..
        } => Some((name, value.as_deref())),
        _ => None,
    }
}

fn is_session_setting(dialect: Dialect, statement: &Statement) -> bool {
    let outside_only = |(name, _): (&str, _)| OUTSIDE_ONLY.iter().any(|known| name.eq_ignore_ascii_case(known));
    dialect == Dialect::Sqlite && (pragma(statement).is_some_and(outside_only) || attaches(statement))
}

/// `SQLite`'s ATTACH, which no ROLLBACK takes back, and DETACH, which is refused as long as a transaction uses the file.
fn attaches(statement: &Statement) -> bool {
    let operation = statement.effects.first().map(|effect| &effect.operation);
    matches!(operation, Some(Operation::Other(other)) if matches!(other.tag.as_str(), "attach" | "detach"))
}

/// Whether the statement only changes settings of its session.
pub(crate) fn only_settings(statement: &Statement) -> bool {
    let setting = |operation: &Operation| matches!(operation, Operation::SetParameter { local: false, .. });
    let sets = !statement.effects.is_empty() && statement.effects.iter().all(|effect| setting(&effect.operation));
    sets || attaches(statement)
}

/// Prisma's table rebuilds switch foreign keys off and on again in the middle of a file. When nothing outside of those
/// windows depends on foreign keys being on, the switches can stand around the whole file and everything between is one
/// transaction.
fn around_foreign_keys(script: &Script) -> Option<Vec<Group>> {
    let mut before = Vec::new();
    let mut inside = Vec::new();
    let mut on = true;
    let mut ever_off = false;
    for statement in &script.statements {
        let alone = !statement.transactional && pragma(statement).is_none();
        if control(statement).is_some() || attaches(statement) || alone {
            return None;
        }
        match pragma(statement) {
            Some((name, value)) if name.eq_ignore_ascii_case("foreign_keys") => {
                on = value.is_none_or(is_on);
                ever_off |= !on;
                before.push((statement.index, on));
                continue;
            }
            Some(_) if is_session_setting(script.dialect, statement) => return None,
            _ => {}
        }
        if on && needs_foreign_keys(statement) {
            // Only a problem when they are off somewhere.
            inside.push((statement.index, true));
        } else {
            inside.push((statement.index, false));
        }
    }
    if !ever_off || inside.is_empty() || inside.iter().any(|(_, needs)| *needs) {
        return None;
    }
    // All switches that say off go first, the others last: the last one decides how the session is left.
    let session = |index| Group::new(GroupKind::Session, index);
    let mut groups: Vec<Group> = before
        .iter()
        .filter(|(_, on)| !on)
        .map(|(index, _)| session(*index))
        .collect();
    groups.push(Group {
        kind: GroupKind::Ours,
        statements: inside.into_iter().map(|(index, _)| index).collect(),
        commits_inside: false,
    });
    groups.extend(before.iter().filter(|(_, on)| *on).map(|(index, _)| session(*index)));
    Some(groups)
}

fn is_on(value: &str) -> bool {
    let value = value.trim_matches(|c| matches!(c, '\'' | '"')).to_ascii_lowercase();
    !matches!(value.as_str(), "off" | "0" | "false" | "no")
}

/// Rows change, or may change: then it matters whether foreign keys are checked and cascade.
fn needs_foreign_keys(statement: &Statement) -> bool {
    statement.effects.iter().any(|effect| match &effect.operation {
        Operation::Insert(_)
        | Operation::Update(_)
        | Operation::Delete(_)
        | Operation::Truncate { .. }
        | Operation::Dynamic { .. }
        | Operation::Other(_) => true,
        Operation::Drop(drop) => drop.kind == ObjectKind::Table,
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// The groups of a script: kind and statements.
    fn groups(dialect: Dialect, sql: &str, alone: &[usize]) -> String {
        shown(dialect, sql, alone, None)
    }

    fn shown(dialect: Dialect, sql: &str, alone: &[usize], transactions: Option<Transactions>) -> String {
        let script = tollgate_sql::parse(dialect, sql).unwrap();
        let groups = plan(&script, &alone.iter().copied().collect(), transactions);
        let shown = groups.iter().map(|group| {
            let chain = if group.commits_inside { "+" } else { "" };
            format!("{:?}{chain}{:?}", group.kind, group.statements)
        });
        shown.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn postgres_scripts_are_split_where_the_server_demands_it() {
        let concurrently = "CREATE INDEX CONCURRENTLY i ON a (b);";
        for (sql, expected) in [
            ("", ""),
            ("SELECT 1; SELECT 2;", "Ours[0, 1]"),
            (
                &format!("SELECT 1; {concurrently} SELECT 2; SELECT 3;"),
                "Ours[0] Alone[1] Ours[2, 3]",
            ),
            ("BEGIN; SELECT 1; COMMIT;", "Own[0, 1, 2]"),
            (
                "SELECT 0; BEGIN; SELECT 1; END; SELECT 2;",
                "Ours[0] Own[1, 2, 3] Ours[4]",
            ),
            ("BEGIN; SELECT 1; ROLLBACK;", "OwnDiscarded[0, 1, 2]"),
            (
                "BEGIN; SAVEPOINT s; SELECT 1; ROLLBACK TO s; RELEASE s; COMMIT;",
                "Own[0, 1, 2, 3, 4, 5]",
            ),
            (
                "BEGIN; SELECT 1; COMMIT AND CHAIN; SELECT 2; COMMIT;",
                "Own+[0, 1, 2, 3, 4]",
            ),
            ("BEGIN; SELECT 1; COMMIT AND NO CHAIN;", "Own[0, 1, 2]"),
            ("VACUUM; SET search_path = x; SELECT 1;", "Alone[0] Ours[1, 2]"),
        ] {
            assert_eq!(groups(Dialect::Postgres, sql, &[]), expected, "{sql}");
        }
        assert_eq!(
            groups(Dialect::Postgres, "SELECT 1; SELECT 2; SELECT 3;", &[1]),
            "Ours[0] Alone[1] Ours[2]"
        );
    }

    #[test]
    fn each_statement_by_itself_where_the_file_says_so() {
        for (dialect, sql, expected) in [
            (
                Dialect::Postgres,
                "SET x.y = 1; SELECT 1; CREATE INDEX CONCURRENTLY i ON a (b); do $$ BEGIN COMMIT; END $$; CALL p(); SELECT 2;",
                "Ours[0] Ours[1] Alone[2] Alone[3] Alone[4] Ours[5]",
            ),
            // What the file keeps together itself stays together.
            (
                Dialect::Postgres,
                "SELECT 0; BEGIN; SELECT 1; CALL p(); COMMIT; SELECT 2;",
                "Ours[0] Own[1, 2, 3, 4] Ours[5]",
            ),
            (
                Dialect::Sqlite,
                "PRAGMA foreign_keys=OFF; DROP TABLE a; CREATE TABLE b (c); PRAGMA foreign_keys=ON;",
                "Session[0] Ours[1] Ours[2] Session[3]",
            ),
        ] {
            let each = Some(Transactions::EachStatement);
            assert_eq!(shown(dialect, sql, &[], each), expected, "{sql}");
        }
    }

    #[test]
    fn sqlite_switches_go_to_the_edges_where_nothing_depends_on_them() {
        for (sql, expected) in [
            ("CREATE TABLE a (b); INSERT INTO a VALUES (1);", "Ours[0, 1]"),
            (
                "CREATE TABLE a (b); PRAGMA foreign_keys=OFF; DROP TABLE c; PRAGMA foreign_keys=ON; CREATE TABLE d (e);",
                "Session[1] Ours[0, 2, 4] Session[3]",
            ),
            // Two rebuilds in one file.
            (
                "PRAGMA foreign_keys=0; DROP TABLE a; PRAGMA foreign_keys=1; PRAGMA foreign_keys=0; DROP TABLE b; PRAGMA foreign_keys=1;",
                "Session[0] Session[3] Ours[1, 4] Session[2] Session[5]",
            ),
            // Rows are deleted while foreign keys are on: they may cascade.
            (
                "DELETE FROM a; PRAGMA foreign_keys=OFF; DROP TABLE c; PRAGMA foreign_keys=ON;",
                "Ours[0] Session[1] Ours[2] Session[3]",
            ),
            ("PRAGMA foreign_keys=ON; DELETE FROM a;", "Session[0] Ours[1]"),
            ("PRAGMA defer_foreign_keys=ON; DELETE FROM a;", "Ours[0, 1]"),
            ("PRAGMA journal_mode=WAL; CREATE TABLE a (b);", "Session[0] Ours[1]"),
            (
                "CREATE TABLE a (b); VACUUM; CREATE TABLE c (d);",
                "Ours[0] Alone[1] Ours[2]",
            ),
            (
                "CREATE TABLE a (b); ATTACH 'x' AS x; CREATE TABLE x.c (d); DETACH x;",
                "Ours[0] Session[1] Ours[2] Session[3]",
            ),
            (
                "PRAGMA foreign_keys=OFF; ATTACH 'x' AS x; DROP TABLE a; PRAGMA foreign_keys=ON;",
                "Session[0] Session[1] Ours[2] Session[3]",
            ),
            (
                "BEGIN; PRAGMA foreign_keys=OFF; DROP TABLE a; COMMIT;",
                "Own[0, 1, 2, 3]",
            ),
        ] {
            assert_eq!(groups(Dialect::Sqlite, sql, &[]), expected, "{sql}");
        }
    }
}
