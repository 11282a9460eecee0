//! Statements of `SQLite` that reach another file than the database's. On a scratch database none of them is run: the file
//! may well be a real one, and a trial must not change anything real.

use tollgate_sql::operation::{Operation, OtherOperation};
use tollgate_sql::{Script, Statement};

use crate::error::ServerError;
use crate::execute::Problem;
use crate::execute::run::Run;
use crate::target::TargetKind;

impl Run<'_> {
    /// Refuses a script for what it does elsewhere, before anything of it runs.
    pub(super) fn stays_here(&self) -> Result<(), Problem> {
        if !matches!(&self.database.target.kind, TargetKind::Sqlite(target) if target.scratch) {
            return Ok(());
        }
        let found = self.script.statements.iter().find_map(|statement| {
            let word = reaches(self.script, statement)?;
            Some((statement.index, word))
        });
        match found {
            None => Ok(()),
            Some((index, word)) => {
                let why = format!("{word} is not tried: the other file may be a real database");
                Err(self.refused(index, ServerError::text(why), 1))
            }
        }
    }
}

/// What a statement uses to get at another file. (The library's functions read and write none, and it loads no extensions.)
fn reaches(script: &Script, statement: &Statement) -> Option<&'static str> {
    let operation = statement.effects.first().map(|effect| &effect.operation);
    let Some(Operation::Other(OtherOperation { tag, details, .. })) = operation else {
        return None;
    };
    match tag.as_str() {
        "attach" if !attaches_nothing(statement.span.of(&script.text)) => Some("ATTACH"),
        "vacuum" if details.iter().any(|(name, _)| name == "into") => Some("VACUUM INTO"),
        _ => None,
    }
}

/// A database in memory, or a temporary one.
fn attaches_nothing(text: &str) -> bool {
    let mut words = text.split_whitespace().skip(1).peekable();
    words.next_if(|word| word.eq_ignore_ascii_case("DATABASE"));
    let file = words.next();
    // Not the beginning of a longer expression.
    let named = words.next().is_some_and(|word| word.eq_ignore_ascii_case("AS"));
    named && matches!(file, Some("':memory:'" | "''"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use tollgate_sql::{Dialect, parse};

    use super::*;

    #[test]
    fn what_gets_at_another_file() {
        for (sql, expected) in [
            ("ATTACH 'other.db' AS o", Some("ATTACH")),
            ("attach database 'file:other.db?mode=rw' as o", Some("ATTACH")),
            ("ATTACH 'x' || '.db' AS o", Some("ATTACH")),
            ("ATTACH '' || 'x.db' AS o", Some("ATTACH")),
            ("ATTACH/**/':memory:' AS o", Some("ATTACH")),
            ("ATTACH ':memory:' AS o", None),
            ("ATTACH DATABASE '' AS o", None),
            ("VACUUM INTO 'copy.db'", Some("VACUUM INTO")),
            ("VACUUM main INTO 'copy.db'", Some("VACUUM INTO")),
            ("VACUUM", None),
            ("DETACH o", None),
            ("CREATE TABLE attach_it (vacuum_into TEXT)", None),
        ] {
            let script = parse(Dialect::Sqlite, sql).unwrap();
            assert_eq!(reaches(&script, &script.statements[0]), expected, "{sql}");
        }
    }
}
