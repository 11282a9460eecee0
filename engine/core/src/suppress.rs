//! `-- tollgate:allow RULE[, PLUGIN/RULE] -- reason`: a reviewer's word, in the script, that a finding is meant.
//!
//! Above a statement, inside it or behind it on the same line it holds for that statement; at the top of the file, with
//! a blank line after it, for the whole file. The reason is required: a suppression without one is an error, so that
//! nobody switches a rule off by accident.

use tollgate_sql::{Dialect, Position, Script, Span};

use crate::comments::{self, Call, Comment};

/// One comment that allows rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suppression {
    /// Rules it allows.
    pub rules: Vec<AllowedRule>,
    /// Why.
    pub reason: String,
    /// What it holds for.
    pub reach: Reach,
    /// The comment.
    pub span: Span,
}

/// A rule that a comment names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedRule {
    /// The policy, where the comment names it: `PLUGIN/RULE`.
    pub plugin: Option<String>,
    /// The rule.
    pub rule: String,
    /// Where the comment names it.
    pub span: Span,
}

impl AllowedRule {
    /// Whether this rule of this policy is meant.
    pub fn means(&self, plugin: &str, rule: &str) -> bool {
        self.rule == rule && self.plugin.as_deref().is_none_or(|named| named == plugin)
    }
}

impl std::fmt::Display for AllowedRule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.plugin {
            Some(plugin) => write!(f, "{plugin}/{}", self.rule),
            None => f.write_str(&self.rule),
        }
    }
}

/// What a suppression holds for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// The whole file.
    File,
    /// One statement, counted from zero.
    Statement(usize),
    /// Nothing: no statement follows.
    Nothing,
}

impl Suppression {
    /// Whether it holds for what is found at `statement`; `None` is the file as a whole.
    pub fn reaches(&self, statement: Option<usize>) -> bool {
        match self.reach {
            Reach::File => true,
            Reach::Statement(own) => statement == Some(own),
            Reach::Nothing => false,
        }
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

/// All suppressions of a script, in the order of the script.
///
/// # Errors
/// [`SuppressionError`] for one without rules or without a reason.
pub fn read(script: &Script) -> Result<Vec<Suppression>, SuppressionError> {
    let mut found = comments::to_tollgate(script)
        .into_iter()
        .chain(comments::inside_statements(script))
        .filter(|comment| comment.call == Call::Exact && comment.word == WORD)
        .map(|comment| of_comment(script, &comment))
        .collect::<Result<Vec<_>, _>>()?;
    found.sort_by_key(|suppression| suppression.span);
    Ok(found)
}

fn of_comment(script: &Script, comment: &Comment<'_>) -> Result<Suppression, SuppressionError> {
    let (rules, reason) = parse(comment.rest, comment.rest_span.start).map_err(|message| SuppressionError {
        message: message.to_owned(),
        span: comment.span,
        position: Position::of(&script.text, comment.span.start),
    })?;
    let whole_file = comment.leading && followed_by_blank_line(script.dialect, comment.after);
    let reach = match comment.at.or(comment.next) {
        _ if whole_file => Reach::File,
        Some(statement) => Reach::Statement(statement),
        None => Reach::Nothing,
    };
    Ok(Suppression {
        rules,
        reason,
        reach,
        span: comment.span,
    })
}

/// The rest of the comment block ends in an empty line rather than in the statement.
fn followed_by_blank_line(dialect: Dialect, mut rest: &str) -> bool {
    loop {
        let line = rest.split('\n').next().unwrap_or_default();
        if line.trim().is_empty() {
            return rest.contains('\n');
        }
        let comment = rest.trim_start();
        let Some(length) = comments::comment_length(dialect, comment) else {
            return false;
        };
        let behind = &comment[length..];
        rest = match behind.split_once('\n') {
            Some((line, following)) if line.trim().is_empty() => following,
            _ => behind,
        };
    }
}

/// The rules and the reason of a comment; `offset` is where `body` begins.
fn parse(body: &str, offset: usize) -> Result<(Vec<AllowedRule>, String), &'static str> {
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let (names, reason) = body
        .split_once("--")
        .map(|(names, reason)| (names, words(reason)))
        .filter(|(_, reason)| !reason.is_empty())
        .ok_or("a suppression needs a reason: `-- tollgate:allow RULE -- why this is meant`")?;
    let mut rules = Vec::new();
    let mut start = 0;
    for part in names.split(',') {
        let name = part.trim();
        let at = offset + start + part.len() - part.trim_start().len();
        start += part.len() + 1;
        if name.is_empty() {
            continue;
        }
        let (plugin, rule) = match name.split_once('/') {
            Some((plugin, rule)) => (Some(plugin.trim().to_owned()), rule.trim()),
            None => (None, name),
        };
        rules.push(AllowedRule {
            plugin,
            rule: rule.to_owned(),
            span: Span::new(at, at + name.len()),
        });
    }
    if rules.is_empty() {
        return Err("a suppression names the rules it allows: `-- tollgate:allow RULE -- why this is meant`");
    }
    Ok((rules, reason))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failing test should stop here")]

    use tollgate_sql::parse;

    use super::*;

    fn suppressions(dialect: Dialect, text: &str) -> Vec<(String, Reach)> {
        let script = parse(dialect, text).unwrap();
        let named = |found: &Suppression| {
            let names: Vec<_> = found
                .rules
                .iter()
                .inspect(|rule| assert_eq!(rule.span.of(text), rule.to_string()))
                .map(ToString::to_string)
                .collect();
            format!("{}: {}", names.join(" "), found.reason)
        };
        let all = read(&script).unwrap();
        all.iter().map(|found| (named(found), found.reach)).collect()
    }

    #[test]
    fn where_it_stands_decides_what_it_holds_for() {
        use Reach::{File, Nothing, Statement};
        for (text, expected) in [
            // Above a statement, also several.
            (
                "DROP TABLE a;\n-- tollgate:allow drop-table, x/y -- to b\nDROP TABLE b;",
                vec![("drop-table x/y: to b", Statement(1))],
            ),
            (
                "DROP TABLE a;\n-- tollgate:allow a -- 1\n-- why\n\n-- tollgate:allow b -- 2\r\nDROP TABLE b;",
                vec![("a: 1", Statement(1)), ("b: 2", Statement(1))],
            ),
            // At the top: a blank line makes the difference.
            (
                "-- tollgate:allow a -- old\nDROP TABLE a;",
                vec![("a: old", Statement(0))],
            ),
            ("-- tollgate:allow a -- old\n\nDROP TABLE a;", vec![("a: old", File)]),
            (
                "-- tollgate:allow a -- old\r\n\r\nDROP TABLE a;\r\n",
                vec![("a: old", File)],
            ),
            (
                "-- tollgate:allow a -- old\n-- more\n/* and\nmore */\n\nDROP TABLE a;",
                vec![("a: old", File)],
            ),
            (
                "-- tollgate:allow a -- old\n-- more\nDROP TABLE a;",
                vec![("a: old", Statement(0))],
            ),
            (
                "/* a licence */\n/*\n * tollgate:allow no -- prose\n */\n/* tollgate:allow a -- in\n   two lines */\n\nDROP TABLE a;",
                vec![("a: in two lines", File)],
            ),
            // Behind a statement on its line, or inside it.
            (
                "DROP TABLE a; -- tollgate:allow a -- this one\nDROP TABLE b;",
                vec![("a: this one", Statement(0))],
            ),
            (
                "DROP TABLE /* tollgate:allow a -- b */ a;\nDROP TABLE b",
                vec![("a: b", Statement(0))],
            ),
            // Behind everything.
            ("DROP TABLE a;\n-- tollgate:allow a -- b\n", vec![("a: b", Nothing)]),
            ("-- tollgate:allow a -- b", vec![("a: b", Nothing)]),
            // In a text.
            (
                "INSERT INTO a VALUES ('\n-- tollgate:allow drop-table -- x\n');\nDROP TABLE a;",
                vec![],
            ),
        ] {
            let expected: Vec<_> = expected
                .into_iter()
                .map(|(text, reach)| (text.to_owned(), reach))
                .collect();
            assert_eq!(suppressions(Dialect::Sqlite, text), expected, "{text}");
            assert_eq!(suppressions(Dialect::Postgres, text), expected, "{text}");
        }
    }

    #[test]
    fn every_kind_of_comment_may_stand_above_the_blank_line() {
        let file = [("a: old".to_owned(), Reach::File)];
        let text = "-- tollgate:allow a -- old\n# more\n\nDROP TABLE a;";
        assert_eq!(suppressions(Dialect::Mysql, text), file);
        let text = "-- tollgate:allow a -- old\n/* see /* below */\n\nDROP TABLE a;";
        assert_eq!(suppressions(Dialect::Mysql, text), file);
        assert_eq!(suppressions(Dialect::Sqlite, text), file);
    }

    #[test]
    fn inside_of_a_block_of_code_it_holds_for_the_block() {
        let text = "SELECT 1;\nDO $$\nBEGIN\n  -- tollgate:allow drop-table -- gone\n  DROP TABLE a;\nEND\n$$;";
        let expected = [("drop-table: gone".to_owned(), Reach::Statement(1))];
        assert_eq!(suppressions(Dialect::Postgres, text), expected);
        let function = "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$\n-- tollgate:allow a -- b\nSELECT 1 $$;";
        assert_eq!(suppressions(Dialect::Postgres, function), []);
    }

    #[test]
    fn without_a_reason_it_is_an_error() {
        for text in [
            "-- tollgate:allow drop-table\nDROP TABLE a;",
            "-- tollgate:allow -- why\nDROP TABLE a;",
            "/* tollgate:allow drop-table -- */ DROP TABLE a;",
        ] {
            let script = parse(Dialect::Sqlite, text).unwrap();
            let error = read(&script).unwrap_err();
            assert_eq!((error.position.line, error.position.column), (1, 1));
        }
    }

    #[test]
    fn a_plugin_can_be_named() {
        let rule = |plugin: Option<&str>| AllowedRule {
            plugin: plugin.map(str::to_owned),
            rule: "b".to_owned(),
            span: Span::new(0, 0),
        };
        assert!(rule(None).means("a", "b") && rule(Some("a")).means("a", "b"));
        assert!(!rule(None).means("a", "c") && !rule(Some("x")).means("a", "b"));
    }
}
