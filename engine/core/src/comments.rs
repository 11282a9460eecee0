//! Comments in a script in which its author speaks to Tollgate: `-- tollgate:WORD …` or `/* tollgate:WORD … */`, and on
//! MySQL `# tollgate:WORD …`.

use tollgate_sql::comment::block_length;
use tollgate_sql::{Dialect, Script, Span, Statement};

/// Whom every such comment calls at its beginning.
const NAME: &str = "tollgate";
/// The beginning.
const PREFIX: &str = "tollgate:";

/// How a comment calls Tollgate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    /// As it has to.
    Exact,
    /// By its name in another case, with a space behind the name, or with signs in front of it: `--- Tollgate :`
    Loose,
    /// By a name that differs in a letter or two: `-- tolgate:`
    Similar,
}

/// A comment that speaks to Tollgate, or may mean to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Comment<'a> {
    /// How it does. What is not [`Call::Exact`] has no effect.
    pub call: Call,
    /// What stands behind `tollgate:` up to the next space.
    pub word: &'a str,
    /// What stands behind the word, without spaces around it.
    pub rest: &'a str,
    /// The comment with its dashes, or with `/*` and `*/`.
    pub span: Span,
    /// Where [`Self::word`] is.
    pub word_span: Span,
    /// Where [`Self::rest`] is.
    pub rest_span: Span,
    /// The text between the comment's line and the statement that follows.
    pub after: &'a str,
    /// The statement that it stands in, or behind on the same line.
    pub at: Option<usize>,
    /// The statement that follows.
    pub next: Option<usize>,
    /// It stands before the first statement.
    pub leading: bool,
}

/// Whether there may be any.
pub(crate) fn any(text: &str) -> bool {
    text.match_indices(':').any(|(colon, _)| {
        let before = text[..colon].trim_end();
        let word = before.rsplit(|c: char| !c.is_alphanumeric()).next();
        word.is_some_and(|word| similarity(word).is_some())
    })
}

/// All comments between statements that speak to Tollgate or may mean to. Of a block, its beginning decides: what stands further down
/// in it is prose.
pub(crate) fn to_tollgate(script: &Script) -> Vec<Comment<'_>> {
    if !any(&script.text) {
        return Vec::new();
    }
    let mut found = Vec::new();
    each_between(script, |comment, gap| found.extend(speaks(&script.text, comment, gap)));
    found
}

/// The same for comments inside of statements, the code of DO blocks included.
pub(crate) fn inside_statements(script: &Script) -> Vec<Comment<'_>> {
    let mut found = Vec::new();
    for statement in &script.statements {
        if any(statement.span.of(&script.text)) {
            for comment in comments_of(script, statement) {
                let gap = Gap {
                    span: comment,
                    previous: None,
                    next: None,
                };
                let spoken = speaks(&script.text, comment, &gap);
                found.extend(spoken.map(|comment| Comment {
                    at: Some(statement.index),
                    leading: false,
                    ..comment
                }));
            }
        }
    }
    found
}

/// What every comment between statements says, without its dashes and stars.
pub(crate) fn texts(script: &Script) -> Vec<&str> {
    let mut found = Vec::new();
    each_between(script, |comment, _| found.push(body(&script.text, comment).0));
    found
}

/// What lies between two statements.
struct Gap {
    span: Span,
    previous: Option<usize>,
    next: Option<usize>,
}

/// Calls `visit` with the place of every comment between statements.
fn each_between(script: &Script, mut visit: impl FnMut(Span, &Gap)) {
    let mut gap = Gap {
        span: Span::new(0, 0),
        previous: None,
        next: None,
    };
    for statement in &script.statements {
        gap.span.end = statement.span.start;
        gap.next = Some(statement.index);
        read_gap(script, &gap, &mut visit);
        gap.span.start = statement.span.end;
        gap.previous = Some(statement.index);
    }
    gap.span.end = script.text.len();
    gap.next = None;
    read_gap(script, &gap, &mut visit);
}

/// Reads what lies between two statements: white space, semicolons and comments.
fn read_gap(script: &Script, gap: &Gap, visit: &mut impl FnMut(Span, &Gap)) {
    let text = script.text.as_str();
    let mut at = gap.span.start;
    while at < gap.span.end {
        let rest = &text[at..gap.span.end];
        match comment_length(script.dialect, rest) {
            Some(length) => {
                visit(Span::new(at, at + length), gap);
                at += length;
            }
            None => at += rest.chars().next().map_or(1, char::len_utf8),
        }
    }
}

/// Length of the comment that `text` begins with, the end of its line not included.
pub(crate) fn comment_length(dialect: Dialect, text: &str) -> Option<usize> {
    let line = match dialect {
        // Two dashes in front of anything but white space are two signs.
        Dialect::Mysql => text.starts_with('#') || is_mysql_comment(text),
        Dialect::Postgres | Dialect::Sqlite => text.starts_with("--"),
    };
    if line {
        Some(text.find('\n').unwrap_or(text.len()))
    } else {
        text.starts_with("/*").then(|| block_length(dialect, text))
    }
}

fn is_mysql_comment(text: &str) -> bool {
    text.strip_prefix("--")
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(|next: char| next == ' ' || next.is_ascii_control()))
}

/// How much a name is Tollgate's.
fn similarity(name: &str) -> Option<Call> {
    /// So many wrong letters are a slip.
    const SLIPS: usize = 2;

    if name.eq_ignore_ascii_case(NAME) {
        return Some(Call::Loose);
    }
    let length = NAME.len() - SLIPS..=NAME.len() + SLIPS;
    let similar = length.contains(&name.len())
        && name.chars().all(char::is_alphanumeric)
        && strsim::damerau_levenshtein(&name.to_lowercase(), NAME) <= SLIPS;
    similar.then_some(Call::Similar)
}

/// How a comment calls Tollgate, and what it says then. What stands in dashes of its own (`-- -- tollgate:`) has been
/// commented out.
fn call<'a>(comment: &str, body: &'a str) -> Option<(Call, &'a str)> {
    if let Some(said) = body.strip_prefix(PREFIX) {
        return Some((Call::Exact, said));
    }
    let (name, said) = body.split_once(':')?;
    let name = if comment.starts_with("/*") {
        name.trim_start_matches(|c: char| c == '*' || c.is_whitespace())
    } else if opened(comment).starts_with(char::is_whitespace) {
        name
    } else {
        name.trim_start_matches(|c: char| "-#*/!|=>@".contains(c)).trim_start()
    };
    Some((similarity(name.trim_end())?, said))
}

/// A comment without its opening.
fn opened(comment: &str) -> &str {
    let opening = ["--", "/*", "#"]
        .iter()
        .find_map(|opening| comment.strip_prefix(opening));
    opening.unwrap_or(comment)
}

/// What a comment says, and where that begins.
fn body(text: &str, comment: Span) -> (&str, usize) {
    let whole = comment.of(text);
    let said = opened(whole);
    let open = whole.len() - said.len();
    let said = if whole.starts_with("/*") {
        said.strip_suffix("*/").unwrap_or(said)
    } else {
        said
    };
    let trimmed = said.trim_start();
    (trimmed.trim_end(), comment.start + open + said.len() - trimmed.len())
}

fn speaks<'a>(text: &'a str, comment: Span, gap: &Gap) -> Option<Comment<'a>> {
    let (body, start) = body(text, comment);
    let (call, said) = call(comment.of(text), body)?;
    let word = &said[..said.find(char::is_whitespace).unwrap_or(said.len())];
    let rest = said[word.len()..].trim_start();
    let end = start + body.len();
    let word_start = end - said.len();
    let shown_end = if text[comment.start..].starts_with("/*") {
        comment.end
    } else {
        end
    };
    let behind = &text[comment.end..gap.span.end];
    let after = match behind.split_once('\n') {
        Some((line, after)) if line.trim().is_empty() => after,
        _ => behind,
    };
    let same_line = !text[gap.span.start..comment.start].contains('\n');
    Some(Comment {
        call,
        word,
        rest,
        span: Span::new(comment.start, shown_end),
        word_span: Span::new(word_start, word_start + word.len()),
        rest_span: Span::new(end - rest.len(), end),
        after,
        at: gap.previous.filter(|_| same_line),
        next: gap.next,
        leading: gap.previous.is_none(),
    })
}

/// Where the comments of a statement are. What stands in strings is none; the body of a DO block is code in a string.
fn comments_of(script: &Script, statement: &Statement) -> Vec<Span> {
    let text = statement.span.of(&script.text);
    let is_do = script.dialect == Dialect::Postgres
        && text.get(..2).is_some_and(|word| word.eq_ignore_ascii_case("do"))
        && !text[2..].starts_with(|next: char| next.is_alphanumeric() || next == '_');
    let mut found = Vec::new();
    scan(script.dialect, text, is_do, statement.span.start, &mut found);
    found
}

/// Finds the comments of a piece of SQL that begins at `offset`.
fn scan(dialect: Dialect, text: &str, code_in_strings: bool, offset: usize, found: &mut Vec<Span>) {
    let mut at = 0;
    let mut in_word = false;
    while let Some(next) = text[at..].chars().next() {
        let rest = &text[at..];
        if let Some(length) = comment_length(dialect, rest) {
            found.push(Span::new(offset + at, offset + at + length));
            at += length;
            in_word = false;
            continue;
        }
        let escapes = match dialect {
            Dialect::Postgres => at > 0 && matches!(text.as_bytes()[at - 1], b'e' | b'E'),
            Dialect::Mysql => true,
            Dialect::Sqlite => false,
        };
        let quoted = match next {
            '\'' => Some((1, quoted(rest, '\'', escapes))),
            '"' => Some((1, quoted(rest, '"', dialect == Dialect::Mysql))),
            '`' if dialect != Dialect::Postgres => Some((1, quoted(rest, '`', false))),
            '[' if dialect == Dialect::Sqlite => Some((1, rest.find(']').map_or(rest.len(), |end| end + 1))),
            '$' if dialect == Dialect::Postgres && !in_word => dollar_quoted(rest),
            _ => None,
        };
        in_word = next.is_alphanumeric() || next == '_';
        match quoted {
            Some((open, length)) => {
                if code_in_strings && matches!(next, '\'' | '$') && length > 2 * open {
                    scan(dialect, &rest[open..length - open], false, offset + at + open, found);
                }
                at += length;
            }
            None => at += next.len_utf8(),
        }
    }
}

/// Length of the string that `text` begins with; a doubled quote does not end it.
fn quoted(text: &str, quote: char, escapes: bool) -> usize {
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((at, next)) = chars.next() {
        if escapes && next == '\\' {
            chars.next();
        } else if next == quote {
            if chars.peek().is_some_and(|(_, following)| *following == quote) {
                chars.next();
            } else {
                return at + 1;
            }
        }
    }
    text.len()
}

/// Lengths of the tag and of the whole dollar-quoted string that `text` begins with, if it is one.
fn dollar_quoted(text: &str) -> Option<(usize, usize)> {
    let tag_end = text[1..].find('$')? + 2;
    let tag = &text[..tag_end];
    let name = &tag[1..tag_end - 1];
    let is_name =
        name.chars().all(|c| c.is_alphanumeric() || c == '_') && !name.starts_with(|c: char| c.is_ascii_digit());
    let end = is_name.then(|| text[tag_end..].find(tag))??;
    Some((tag_end, tag_end + end + tag_end))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failing test should stop here")]

    use tollgate_sql::{Dialect, parse};

    use super::*;

    #[test]
    fn comments_between_statements_are_read() {
        let text = "/* -- tollgate:a 1 /* in each other */ -- tollgate:b\n*/ /* tollgate:i 4 */\r\n  --  tollgate:c 2 3 \r\nSELECT 1 -- tollgate:d\n + \
                    '\n-- tollgate:e\n'; -- tollgate:f\n--tollgate:g\nSELECT 2;\n-- see tollgate:h\n-- tollgate:";
        let script = parse(Dialect::Postgres, text).unwrap();
        let found: Vec<_> = to_tollgate(&script)
            .into_iter()
            .map(|comment| (comment.word, comment.rest, comment.next, comment.leading))
            .collect();
        assert_eq!(
            found,
            [
                ("i", "4", Some(0), true),
                ("c", "2 3", Some(0), true),
                ("f", "", Some(1), false),
                ("g", "", Some(1), false),
                ("", "", None, false)
            ]
        );
    }

    #[test]
    fn sqlite_has_no_comments_in_comments() {
        let text = "/* see /* below */ -- tollgate:a 1\nSELECT 1;";
        let script = parse(Dialect::Sqlite, text).unwrap();
        let found: Vec<_> = to_tollgate(&script).into_iter().map(|comment| comment.word).collect();
        assert_eq!(found, ["a"]);
    }

    #[test]
    fn mysql_has_comments_of_its_own() {
        let text = "# tollgate:a 1\n/* tollgate:b /* */ SELECT 1; # tollgate:c\n--\ttollgate:d\n/*!40101 SELECT 2 */";
        let script = parse(Dialect::Mysql, text).unwrap();
        let found: Vec<_> = to_tollgate(&script)
            .into_iter()
            .map(|comment| (comment.word, comment.rest, comment.span.of(text), comment.next))
            .collect();
        assert_eq!(
            found,
            [
                ("a", "1", "# tollgate:a 1", Some(0)),
                ("b", "/*", "/* tollgate:b /* */", Some(0)),
                ("c", "", "# tollgate:c", Some(1)),
                ("d", "", "--\ttollgate:d", Some(1)),
            ]
        );
    }

    #[test]
    fn places_count_in_the_file() {
        let text = "-- über\n--   tollgate:word  a value \nSELECT 1;";
        let script = parse(Dialect::Sqlite, text).unwrap();
        let found = to_tollgate(&script);
        let comment = &found[0];
        assert_eq!(comment.span.of(text), "--   tollgate:word  a value");
        assert_eq!(comment.word_span.of(text), "word");
        assert_eq!(comment.rest_span.of(text), "a value");
        assert_eq!(comment.after, "");
    }

    #[test]
    fn comments_inside_of_statements_are_told_from_strings() {
        let text = "SELECT '-- tollgate:a' || E'\\'-- tollgate:b' || \"-- tollgate:c\" || $x$ -- tollgate:d $x$, $1\n-- tollgate:e\n                     /* tollgate:f 1 */ FROM g;\nDO LANGUAGE plpgsql $body$ BEGIN\r\n  -- tollgate:h 2\r\n  EXECUTE '-- tollgate:i'; END $body$;\n                    SELECT 1 AS do, $$ -- tollgate:j $$";
        let script = parse(Dialect::Postgres, text).unwrap();
        let found: Vec<_> = inside_statements(&script)
            .into_iter()
            .map(|comment| (comment.word, comment.rest, comment.at))
            .collect();
        assert_eq!(found, [("e", "", Some(0)), ("f", "1", Some(0)), ("h", "2", Some(1))]);

        let text = "SELECT [-- tollgate:a], `-- tollgate:b`, 'it''s -- tollgate:c' -- tollgate:d\n, 1";
        let script = parse(Dialect::Sqlite, text).unwrap();
        let found: Vec<_> = inside_statements(&script)
            .into_iter()
            .map(|comment| comment.word)
            .collect();
        assert_eq!(found, ["d"]);

        let text = "SELECT '\\'-- tollgate:a', \"\\\"# tollgate:b\", `# tollgate:c`, 1--tollgate:d\n# tollgate:e\n-- tollgate:f\n, 2";
        let script = parse(Dialect::Mysql, text).unwrap();
        let found: Vec<_> = inside_statements(&script)
            .into_iter()
            .map(|comment| comment.word)
            .collect();
        assert_eq!(found, ["e", "f"]);
    }

    #[test]
    fn what_stands_behind_a_statement_is_about_that_one() {
        let text = "SELECT 1; -- tollgate:a\n-- tollgate:b\nSELECT 2 /* x */; /* tollgate:c */ /* tollgate:d\n */";
        let script = parse(Dialect::Sqlite, text).unwrap();
        let found: Vec<_> = to_tollgate(&script)
            .into_iter()
            .map(|comment| (comment.word, comment.at, comment.next))
            .collect();
        assert_eq!(
            found,
            [
                ("a", Some(0), Some(1)),
                ("b", None, Some(1)),
                ("c", Some(1), None),
                ("d", Some(1), None)
            ]
        );
        assert_eq!(
            texts(&script),
            ["tollgate:a", "tollgate:b", "x", "tollgate:c", "tollgate:d"]
        );
    }
}
