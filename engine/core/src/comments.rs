//! Comments between the statements of a script, in which its author speaks to Tollgate: `-- tollgate:WORD …`.

use tollgate_sql::{Script, Span};

/// What every such comment begins with.
const PREFIX: &str = "tollgate:";

/// A line comment that speaks to Tollgate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Comment<'a> {
    /// What stands behind `tollgate:` up to the next space.
    pub word: &'a str,
    /// What stands behind the word, without spaces around it.
    pub rest: &'a str,
    /// The comment with its dashes.
    pub span: Span,
    /// Where [`Self::word`] is.
    pub word_span: Span,
    /// Where [`Self::rest`] is.
    pub rest_span: Span,
    /// The text between the comment's line and the statement that follows.
    pub after: &'a str,
    /// The statement that follows.
    pub next: Option<usize>,
    /// It stands before the first statement.
    pub leading: bool,
}

/// Whether there may be any.
pub(crate) fn any(text: &str) -> bool {
    text.contains(PREFIX)
}

/// All comments that speak to Tollgate. Those inside a statement are the statement's own, those in `/* */` are prose.
pub(crate) fn to_tollgate(script: &Script) -> Vec<Comment<'_>> {
    let mut found = Vec::new();
    if !any(&script.text) {
        return found;
    }
    let mut start = 0;
    for statement in &script.statements {
        let gap = Span::new(start, statement.span.start);
        read_gap(&script.text, gap, Some(statement.index), &mut found);
        start = statement.span.end;
    }
    read_gap(&script.text, Span::new(start, script.text.len()), None, &mut found);
    found
}

/// Reads what lies between two statements: white space, semicolons and comments.
fn read_gap<'a>(text: &'a str, gap: Span, next: Option<usize>, found: &mut Vec<Comment<'a>>) {
    let mut at = gap.start;
    while at < gap.end {
        let rest = &text[at..gap.end];
        if rest.starts_with("--") {
            let length = rest.find('\n').unwrap_or(rest.len());
            let line_end = (at + length + 1).min(gap.end);
            let after = &text[line_end..gap.end];
            found.extend(read(text, Span::new(at, at + length), after, next, gap.start == 0));
            at = line_end;
        } else if rest.starts_with("/*") {
            at += block_comment(rest);
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
}

/// Length of the block comment that `text` begins with. PostgreSQL's may lie in each other.
fn block_comment(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        if rest.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

fn read<'a>(text: &'a str, line: Span, after: &'a str, next: Option<usize>, leading: bool) -> Option<Comment<'a>> {
    let comment = line.of(text).trim_end();
    let body = comment[2..].trim_start();
    let start = line.start + comment.len() - body.len();
    let said = body.strip_prefix(PREFIX)?;
    let word = &said[..said.find(char::is_whitespace).unwrap_or(said.len())];
    let rest = said[word.len()..].trim_start();
    let word_start = start + PREFIX.len();
    let end = line.start + comment.len();
    Some(Comment {
        word,
        rest,
        span: Span::new(line.start, end),
        word_span: Span::new(word_start, word_start + word.len()),
        rest_span: Span::new(end - rest.len(), end),
        after,
        next,
        leading,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failing test should stop here")]

    use tollgate_sql::{Dialect, parse};

    use super::*;

    #[test]
    fn only_line_comments_between_statements_are_read() {
        let text = "/* -- tollgate:a 1 /* in each other */ -- tollgate:b\n*/\r\n  --  tollgate:c 2 3 \r\nSELECT 1 -- tollgate:d\n + \
                    '\n-- tollgate:e\n'; -- tollgate:f\n--tollgate:g\nSELECT 2;\n-- see tollgate:h\n-- tollgate:";
        let script = parse(Dialect::Postgres, text).unwrap();
        let found: Vec<_> = to_tollgate(&script)
            .into_iter()
            .map(|comment| (comment.word, comment.rest, comment.next, comment.leading))
            .collect();
        assert_eq!(
            found,
            [
                ("c", "2 3", Some(0), true),
                ("f", "", Some(1), false),
                ("g", "", Some(1), false),
                ("", "", None, false)
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
}
