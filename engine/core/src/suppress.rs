//! `-- tollgate:allow RULE[, RULE] -- reason`: a reviewer's word, in the script, that a finding is meant.
//!
//! Above a statement it holds for that statement; at the top of the file, with a blank line after it, for the whole
//! file. The reason is required: a suppression without one is an error, so that nobody switches a rule off by accident.

use tollgate_sql::{Position, Script, Span};

use crate::comments;

/// One comment that allows rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suppression {
    /// Rules it allows.
    pub rules: Vec<String>,
    /// Why.
    pub reason: String,
    /// Statement it holds for; `None` for the whole file.
    pub statement: Option<usize>,
    /// The comment.
    pub span: Span,
}

impl Suppression {
    /// Whether it allows findings of `rule` at `statement`.
    pub fn covers(&self, rule: &str, statement: Option<usize>) -> bool {
        self.rules.iter().any(|allowed| allowed == rule) && (self.statement.is_none() || self.statement == statement)
    }
}

/// A comment that means to be a suppression and is not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} (line {}, column {})", position.line, position.column)]
pub struct SuppressionError {
    /// What is wrong.
    pub message: String,
    /// The comment.
    pub span: Span,
    /// Where it starts.
    pub position: Position,
}

/// The word that suppressions begin with.
pub(crate) const WORD: &str = "allow";

/// All suppressions of a script.
///
/// # Errors
/// [`SuppressionError`] for the first one without rules or without a reason.
pub fn read(script: &Script) -> Result<Vec<Suppression>, SuppressionError> {
    let mut found = Vec::new();
    for comment in comments::to_tollgate(script) {
        if comment.word != WORD {
            continue;
        }
        let (rules, reason) = parse(comment.rest).map_err(|message| SuppressionError {
            message: message.to_owned(),
            span: comment.span,
            position: Position::of(&script.text, comment.span.start),
        })?;
        let whole_file = comment.leading && followed_by_blank_line(comment.after);
        if whole_file || comment.next.is_some() {
            found.push(Suppression {
                rules,
                reason,
                statement: comment.next.filter(|_| !whole_file),
                span: comment.span,
            });
        }
    }
    Ok(found)
}

/// The rest of the comment block ends in an empty line rather than in the statement.
fn followed_by_blank_line(rest: &str) -> bool {
    rest.split('\n')
        .map(str::trim)
        .find(|line| !line.starts_with("--"))
        .is_some_and(str::is_empty)
        && rest.contains('\n')
}

fn parse(body: &str) -> Result<(Vec<String>, String), &'static str> {
    let (rules, reason) = body
        .split_once("--")
        .map(|(rules, reason)| (rules, reason.trim()))
        .filter(|(_, reason)| !reason.is_empty())
        .ok_or("a suppression needs a reason: `-- tollgate:allow RULE -- why this is meant`")?;
    let rules: Vec<_> = rules
        .split(',')
        .map(|rule| rule.trim().to_owned())
        .filter(|rule| !rule.is_empty())
        .collect();
    if rules.is_empty() {
        return Err("a suppression names the rules it allows: `-- tollgate:allow RULE -- why this is meant`");
    }
    Ok((rules, reason.to_owned()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failing test should stop here")]

    use tollgate_sql::{Dialect, parse};

    use super::*;

    fn suppressions(text: &str) -> Vec<(Vec<String>, Option<usize>)> {
        let script = parse(Dialect::Sqlite, text).unwrap();
        read(&script)
            .unwrap()
            .into_iter()
            .map(|found| (found.rules, found.statement))
            .collect()
    }

    #[test]
    fn above_a_statement_it_holds_for_that_statement() {
        let text = "DROP TABLE a;\n-- tollgate:allow drop-table, drop-index -- moved to b\nDROP TABLE b;";
        assert_eq!(
            suppressions(text),
            [(vec!["drop-table".to_owned(), "drop-index".to_owned()], Some(1))]
        );
    }

    #[test]
    fn at_the_top_with_a_blank_line_it_holds_for_the_file() {
        assert_eq!(
            suppressions("-- tollgate:allow drop-table -- old\n\nDROP TABLE a;")[0].1,
            None
        );
        assert_eq!(
            suppressions("-- tollgate:allow drop-table -- old\nDROP TABLE a;")[0].1,
            Some(0)
        );
        assert_eq!(
            suppressions("-- tollgate:allow drop-table -- old\n-- more\n\nDROP TABLE a;")[0].1,
            None
        );
    }

    #[test]
    fn inside_a_string_it_is_text() {
        assert_eq!(
            suppressions("INSERT INTO a VALUES ('\n-- tollgate:allow drop-table -- x\n');\nDROP TABLE a;"),
            []
        );
    }

    #[test]
    fn without_a_reason_it_is_an_error() {
        for text in [
            "-- tollgate:allow drop-table\nDROP TABLE a;",
            "-- tollgate:allow -- why\nDROP TABLE a;",
        ] {
            let script = parse(Dialect::Sqlite, text).unwrap();
            let error = read(&script).unwrap_err();
            assert_eq!((error.position.line, error.position.column), (1, 1));
        }
    }
}
