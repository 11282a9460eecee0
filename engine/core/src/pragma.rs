//! Pragmas: comments above the first statement of a file that say how the file wants to be run.
//!
//! - `-- tollgate:transaction off`: every statement is committed by itself, and each is recorded. `on`: the whole file is
//!   one transaction, or it is refused before anything of it runs.
//! - `-- tollgate:timeout 30min`: how long each of its statements may take, wherever it runs.
//! - `-- tollgate:lock-timeout 2s`: how long each may wait for a lock.
//!
//! Behind a second `--` there is room for the reason. A comment that begins with `tollgate:` and means nothing is an
//! error: nobody should rely on a limit that is misspelled. So is one that plainly means to begin so: `-- Tollgate:timeout
//! 5s`, `/** tollgate:timeout 5s */`. Prose is none (`-- Tollgate: see the manual`), nor what has been commented out
//! (`-- -- tollgate:timeout 5s`).

use std::fmt;
use std::time::Duration;

use tollgate_database::{Obstacle, Pragmas, Transactions, obstacle};
use tollgate_sql::{Position, Script, Span};

use crate::comments::{self, Call, Comment};
use crate::nearest::nearest;
use crate::suppress;

/// A comment that means to be a pragma and is not one, or one that cannot be obeyed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} (line {}, column {})", position.line, position.column)]
pub struct PragmaError {
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub help: String,
    /// Where.
    pub span: Span,
    /// The same as line and column.
    pub position: Position,
}

const TRANSACTION: &str = "transaction";
const TIMEOUT: &str = "timeout";
const LOCK_TIMEOUT: &str = "lock-timeout";
const WORDS: [&str; 4] = [suppress::WORD, TRANSACTION, TIMEOUT, LOCK_TIMEOUT];

/// Longest limit that PostgreSQL takes: a 32-bit number of milliseconds.
const LONGEST: u64 = i32::MAX as u64;

/// What a file says about how it wants to be run.
///
/// # Errors
/// [`PragmaError`] for the first comment that means to be a pragma and is none, stands in the wrong place or says the same
/// twice, and for a file that wants one transaction and cannot have it.
pub fn read(script: &Script) -> Result<Pragmas, PragmaError> {
    let mut pragmas = Pragmas::default();
    let mut said = comments::to_tollgate(script);
    said.extend(comments::inside_statements(script));
    said.sort_by_key(|comment| comment.span);
    for comment in said {
        let error = |span: Span, message: String, help: String| PragmaError {
            message,
            help,
            span,
            position: Position::of(&script.text, span.start),
        };
        if comment.call != Call::Exact {
            if let Some(exact) = meant(&comment) {
                let message = format!("this seems to mean tollgate:{}, and is read as prose", exact.word);
                return Err(error(comment.span, message, format!("write `{exact}`")));
            }
            continue;
        }
        if comment.word == suppress::WORD {
            continue;
        }
        if !WORDS.contains(&comment.word) {
            if let Some((message, help)) = unknown(&comment) {
                return Err(error(comment.word_span, message, help));
            }
            continue;
        }
        if !comment.leading {
            let inside = |statement: usize| comment.span.start < script.statements[statement].span.end;
            let place = if comment.at.is_some_and(inside) { "in" } else { "below" };
            return Err(error(
                comment.span,
                format!("tollgate:{} stands {place} a statement", comment.word),
                "it holds for the whole file: put it above the first statement".to_owned(),
            ));
        }
        let (value, _reason) = comment.rest.split_once("--").unwrap_or((comment.rest, ""));
        let value = value.trim_end();
        let place = if value.is_empty() {
            comment.span
        } else {
            Span::new(comment.rest_span.start, comment.rest_span.start + value.len())
        };
        let new = set(&mut pragmas, comment.word, value).map_err(|(message, help)| error(place, message, help))?;
        if !new {
            return Err(error(
                comment.span,
                format!("tollgate:{} stands here for the second time", comment.word),
                "leave one of them".to_owned(),
            ));
        }
    }
    expect_one_transaction(script, pragmas)?;
    Ok(pragmas)
}

/// Takes a pragma over. Whether it is the first of its kind.
fn set(pragmas: &mut Pragmas, word: &str, value: &str) -> Result<bool, (String, String)> {
    Ok(match word {
        TRANSACTION => {
            let transactions = match value {
                "on" => Transactions::Whole,
                "off" => Transactions::EachStatement,
                _ => {
                    let help = "write `-- tollgate:transaction off` for a commit after every statement, or `on` for one \
                                transaction that holds the whole file";
                    return Err((format!("{TRANSACTION} is on or off, not \"{value}\""), help.to_owned()));
                }
            };
            pragmas.transactions.replace(transactions).is_none()
        }
        LOCK_TIMEOUT => pragmas.lock_timeout.replace(duration(word, value)?).is_none(),
        _ => pragmas.statement_timeout.replace(duration(word, value)?).is_none(),
    })
}

/// `500ms`, `30s`, `30min`, `2h`; `0` is no limit.
fn duration(word: &str, value: &str) -> Result<Duration, (String, String)> {
    let help =
        || format!("write a number with its unit: `-- tollgate:{word} 30s`; ms, s, min and h are known, 0 is no limit");
    let wrong = || (format!("\"{value}\" is no time"), help());
    let digits = value.find(|c: char| !c.is_ascii_digit()).unwrap_or(value.len());
    let (number, unit) = value.split_at(digits);
    let factor: u64 = match unit.trim() {
        "ms" => 1,
        "s" => 1_000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        "" if number.parse() == Ok(0_u64) => 1,
        _ => return Err(wrong()),
    };
    if number.is_empty() {
        return Err(wrong());
    }
    number
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(factor))
        .filter(|milliseconds| *milliseconds <= LONGEST)
        .map(Duration::from_millis)
        .ok_or_else(|| (format!("{value} is too long: servers count up to 24 days"), help()))
}

/// A pragma as it has to be written.
struct Written<'a> {
    word: &'static str,
    value: &'a str,
}

impl fmt::Display for Written<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { word, value } = self;
        write!(f, "{}", format!("-- tollgate:{word} {value}").trim_end())
    }
}

/// What is plainly meant by a comment that does not call Tollgate as it has to: one of our words stands directly behind
/// the colon, or a word and what can stand behind it.
fn meant<'a>(comment: &Comment<'a>) -> Option<Written<'a>> {
    let first_line = |text: &'a str| text.lines().next().unwrap_or("").trim_end_matches([' ', '\t', '*']);
    let (said, value) = match comment.word {
        "" => comment.rest.split_once(char::is_whitespace)?,
        word => (word, comment.rest),
    };
    let value = first_line(value.trim_start());
    let known = WORDS.into_iter().find(|word| word.eq_ignore_ascii_case(said));
    let word = if comment.call == Call::Loose && !comment.word.is_empty() {
        known.or_else(|| {
            let near = nearest(said, WORDS)?;
            WORDS.into_iter().find(|word| *word == near)
        })
    } else {
        known.filter(|word| match *word {
            suppress::WORD => value.contains("--"),
            TRANSACTION => matches!(value.split_whitespace().next(), Some("on" | "off")),
            _ => value.starts_with(|c: char| c.is_ascii_digit()),
        })
    };
    Some(Written { word: word?, value })
}

/// What is wrong with a word that is none of ours. Prose (`tollgate: see the manual`) is not.
fn unknown(comment: &Comment<'_>) -> Option<(String, String)> {
    if comment.word.is_empty() {
        let word = comment.rest.split_whitespace().next()?;
        return WORDS.contains(&word).then(|| {
            (
                format!("there is a space before {word}"),
                format!("write `tollgate:{word}`"),
            )
        });
    }
    let lower = comment.word.to_lowercase();
    let help = match nearest(&lower, WORDS) {
        Some(near) => format!("did you mean `tollgate:{near}`?"),
        None => format!(
            "there are {}",
            WORDS.map(|word| format!("`tollgate:{word}`")).join(", ")
        ),
    };
    Some((format!("there is no `tollgate:{}`", comment.word), help))
}

fn expect_one_transaction(script: &Script, pragmas: Pragmas) -> Result<(), PragmaError> {
    if pragmas.transactions != Some(Transactions::Whole) {
        return Ok(());
    }
    let Some(Obstacle { statement, why }) = obstacle(script) else {
        return Ok(());
    };
    let span = script.statements[statement].span;
    let first_line = span.of(&script.text).find('\n').unwrap_or(span.end - span.start);
    let span = Span::new(span.start, span.start + first_line);
    Err(PragmaError {
        message: format!("the file wants one transaction (tollgate:transaction on), and {why}"),
        help: "move the statement to a migration of its own, or take the pragma out: then what can be together is one \
               transaction, and the rest is recorded statement by statement"
            .to_owned(),
        span,
        position: Position::of(&script.text, span.start),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failing test should stop here")]

    use tollgate_sql::{Dialect, parse};

    use super::*;

    fn of(text: &str) -> Result<Pragmas, PragmaError> {
        read(&parse(Dialect::Postgres, text).unwrap())
    }

    #[test]
    fn a_file_says_how_it_wants_to_be_run() {
        let timeout = |milliseconds| Pragmas {
            statement_timeout: Some(Duration::from_millis(milliseconds)),
            ..Pragmas::default()
        };
        let transactions = |transactions| Pragmas {
            transactions: Some(transactions),
            ..Pragmas::default()
        };
        for (text, expected) in [
            ("SELECT 1;", Pragmas::default()),
            ("-- tollgate:timeout 500ms\nSELECT 1;", timeout(500)),
            (
                "-- tollgate:timeout 30 s -- the table is large\nSELECT 1;",
                timeout(30_000),
            ),
            ("-- tollgate:timeout 30min\nSELECT 1;", timeout(1_800_000)),
            ("-- tollgate:timeout 5m\nSELECT 1;", timeout(300_000)),
            ("-- tollgate:timeout 24h\nSELECT 1;", timeout(86_400_000)),
            ("-- tollgate:timeout 0\nSELECT 1;", timeout(0)),
            (
                "-- A comment\n/* another */\n\n--tollgate:transaction off\n-- more\nSELECT 1;",
                transactions(Transactions::EachStatement),
            ),
            (
                "-- tollgate:transaction on\nSELECT 1;",
                transactions(Transactions::Whole),
            ),
            (
                "-- tollgate:allow drop-table -- old\n-- tollgate:lock-timeout 2s\n-- tollgate:transaction off\n-- tollgate:timeout 1h\nSELECT 1;",
                Pragmas {
                    transactions: Some(Transactions::EachStatement),
                    statement_timeout: Some(Duration::from_hours(1)),
                    lock_timeout: Some(Duration::from_secs(2)),
                },
            ),
            ("-- tollgate: see the manual\nSELECT 1;", Pragmas::default()),
            ("-- tollgate:timeout 1s", timeout(1_000)),
        ] {
            assert_eq!(of(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_pragma_is_an_error_with_its_place() {
        for (text, expected) in [
            (
                "-- tollgate:tiemout 5s\nSELECT 1;",
                "there is no `tollgate:tiemout` (line 1, column 13): did you mean `tollgate:timeout`?",
            ),
            (
                "\n-- tollgate:Transaction off\nSELECT 1;",
                "there is no `tollgate:Transaction` (line 2, column 13): did you mean `tollgate:transaction`?",
            ),
            (
                "SELECT 1;\n-- tollgate:alow drop-table -- x\nSELECT 2;",
                "there is no `tollgate:alow` (line 2, column 13): did you mean `tollgate:allow`?",
            ),
            (
                "-- tollgate:xyz\nSELECT 1;",
                "there is no `tollgate:xyz` (line 1, column 13): there are `tollgate:allow`, `tollgate:transaction`, `tollgate:timeout`, `tollgate:lock-timeout`",
            ),
            (
                "-- tollgate: timeout 5s\nSELECT 1;",
                "there is a space before timeout (line 1, column 13): write `tollgate:timeout`",
            ),
            (
                "SELECT 1;\n-- tollgate:timeout 5s\nSELECT 2;",
                "tollgate:timeout stands below a statement (line 2, column 1): it holds for the whole file: put it above the first statement",
            ),
            (
                "SELECT 1; -- tollgate:timeout 5s",
                "tollgate:timeout stands below a statement (line 1, column 11): it holds for the whole file: put it above the first statement",
            ),
            (
                "DROP INDEX\n  -- tollgate:timeout 5s\n  i;",
                "tollgate:timeout stands in a statement (line 2, column 3): it holds for the whole file: put it above the first statement",
            ),
            (
                "DO $$ BEGIN\n  -- tollgate:tiemout 5s\nEND $$;\nSELECT 2;",
                "there is no `tollgate:tiemout` (line 2, column 15): did you mean `tollgate:timeout`?",
            ),
            (
                "-- tollgate:timeout 5s\n-- tollgate:timeout 6s\nSELECT 1;",
                "tollgate:timeout stands here for the second time (line 2, column 1): leave one of them",
            ),
            (
                "-- tollgate:transaction maybe -- no\nSELECT 1;",
                "transaction is on or off, not \"maybe\" (line 1, column 25): write `-- tollgate:transaction off` for a commit after every statement, or `on` for one transaction that holds the whole file",
            ),
        ] {
            let error = of(text).unwrap_err();
            assert_eq!(format!("{error}: {}", error.help), expected, "{text}");
        }
    }

    /// What is refused, and how it is to be written.
    #[test]
    fn what_plainly_means_to_be_a_pragma_is_no_prose() {
        let timeout = Some("-- tollgate:timeout 5s");
        for (comment, expected) in [
            ("-- Tollgate:timeout 5s", timeout),
            ("--TOLLGATE:TIMEOUT 5s", timeout),
            ("-- Tollgate:tiemout 5s", timeout),
            ("-- tollgate :timeout 5s", timeout),
            ("-- Tollgate: timeout 5s", timeout),
            ("-- tollgate : timeout 5s", timeout),
            ("--- tollgate:timeout 5s", timeout),
            ("-----tollgate:timeout 5s", timeout),
            ("--! tollgate:timeout 5s", timeout),
            ("--@tollgate:timeout 5s", timeout),
            ("/** tollgate:timeout 5s */", timeout),
            ("/**\n * tollgate:timeout 5s\n **/", timeout),
            ("/* Tollgate:timeout 5s\n The table is large. */", timeout),
            ("-- tolgate:timeout 5s", timeout),
            ("-- tollgaet:timeout 5s", timeout),
            ("--- tollgate:timeout", Some("-- tollgate:timeout")),
            ("-- Tollgate:transaction off", Some("-- tollgate:transaction off")),
            ("--- Tollgate: transaction off", Some("-- tollgate:transaction off")),
            (
                "-- Tollgate:lock_timeout 2s -- busy",
                Some("-- tollgate:lock-timeout 2s -- busy"),
            ),
            (
                "-- Tollgate:allow drop-table -- old",
                Some("-- tollgate:allow drop-table -- old"),
            ),
            (
                "-- Tollgate: allow drop-table -- old",
                Some("-- tollgate:allow drop-table -- old"),
            ),
            ("-- Tollgate: see the wiki", None),
            ("-- Tollgate:see the wiki", None),
            ("-- tollgate : see the wiki", None),
            ("--- tollgate: see the wiki", None),
            ("-- Tollgate: allow old clients until May", None),
            ("-- Tollgate: transaction by hand below", None),
            ("-- Tollgate: timeout", None),
            ("-- Tollgate: timeouts of 5s are short", None),
            ("-- Tollgate", None),
            ("-- -- tollgate:timeout 5s", None),
            ("/* -- tollgate:timeout 5s */", None),
            ("-- see tollgate:timeout 5s", None),
            ("-- \"Tollgate:timeout 5s\" was too short", None),
            ("-- Tollgate's own: timeout 5s", None),
            ("-- https://tollgate:5432/timeout", None),
            ("-- tolgate: see the wiki", None),
            ("-- tollbooth:timeout 5s", None),
            ("-- collation:timeout 5s", None),
        ] {
            for (place, text) in [
                ("line 1, column 1", format!("{comment}\nSELECT 1;")),
                ("line 2, column 1", format!("SELECT\n{comment}\n 1;")),
                ("line 3, column 3", format!("SELECT 1;\n\n  {comment}\nSELECT 2;")),
            ] {
                let found = of(&text).map_err(|error| format!("{error}: {}", error.help));
                let expected = expected.map_or(Ok(Pragmas::default()), |written| {
                    let word = written["-- tollgate:".len()..].split(' ').next().unwrap();
                    Err(format!(
                        "this seems to mean tollgate:{word}, and is read as prose ({place}): write `{written}`"
                    ))
                });
                assert_eq!(found, expected, "{text}");
            }
        }
    }

    #[test]
    fn other_dialects_have_signs_of_their_own() {
        for (dialect, comment, expected) in [
            (Dialect::Mysql, "## tollgate:timeout 5s", true),
            (Dialect::Mysql, "#Tollgate:timeout 5s", true),
            (Dialect::Mysql, "# # tollgate:timeout 5s", false),
            (Dialect::Sqlite, "--- tollgate:timeout 5s", true),
        ] {
            let found = read(&parse(dialect, &format!("{comment}\nSELECT 1;")).unwrap());
            assert_eq!(found.is_err(), expected, "{comment}");
        }
    }

    #[test]
    fn a_time_has_a_unit_and_an_end() {
        for (value, expected) in [
            ("", "\"\" is no time (line 1, column 1)"),
            ("5", "\"5\" is no time (line 1, column 21)"),
            ("soon", "\"soon\" is no time (line 1, column 21)"),
            ("1.5s", "\"1.5s\" is no time (line 1, column 21)"),
            ("-1s", "\"-1s\" is no time (line 1, column 21)"),
            ("5 days", "\"5 days\" is no time (line 1, column 21)"),
            (
                "600h",
                "600h is too long: servers count up to 24 days (line 1, column 21)",
            ),
            (
                "99999999999999999999s",
                "99999999999999999999s is too long: servers count up to 24 days (line 1, column 21)",
            ),
        ] {
            assert_eq!(
                of(&format!("-- tollgate:timeout {value}\nSELECT 1;"))
                    .unwrap_err()
                    .to_string(),
                expected
            );
        }
    }

    #[test]
    fn one_transaction_is_refused_where_there_cannot_be_one() {
        let on = "-- tollgate:transaction on\n";
        for (dialect, sql, expected) in [
            (Dialect::Postgres, "SELECT 1; SELECT 2;", None),
            (Dialect::Postgres, "BEGIN; SELECT 1; COMMIT;", None),
            (
                Dialect::Postgres,
                "SELECT 1;\n  CREATE INDEX CONCURRENTLY i\n ON a (b);",
                Some("this statement cannot run inside one (line 3, column 3)"),
            ),
            (
                Dialect::Postgres,
                "BEGIN; SELECT 1; COMMIT; SELECT 2;",
                Some("this statement begins another one (line 2, column 26)"),
            ),
            (
                Dialect::Postgres,
                "BEGIN; SELECT 1; ROLLBACK;",
                Some("this statement throws it away (line 2, column 18)"),
            ),
            (
                Dialect::Postgres,
                "BEGIN; SELECT 1; COMMIT AND CHAIN; SELECT 2; COMMIT;",
                Some("this statement ends it in the middle (line 2, column 18)"),
            ),
            (
                Dialect::Sqlite,
                "PRAGMA foreign_keys=OFF; DROP TABLE a; PRAGMA foreign_keys=ON;",
                None,
            ),
            (
                Dialect::Sqlite,
                "CREATE TABLE a (b); VACUUM;",
                Some("this statement cannot run inside one (line 2, column 21)"),
            ),
        ] {
            let found = read(&parse(dialect, &format!("{on}{sql}")).unwrap())
                .err()
                .map(|error| error.to_string());
            let expected =
                expected.map(|why| format!("the file wants one transaction (tollgate:transaction on), and {why}"));
            assert_eq!(found, expected, "{sql}");
        }
    }
}
