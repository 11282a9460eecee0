//! What a PL/pgSQL body runs.
//!
//! `libpg_query`'s own `parse_plpgsql` writes broken JSON for trigger functions and refuses assignments to fields of
//! records it has no catalog for, so the body is read from its tokens: PL/pgSQL shares SQL's scanner, and its
//! statements announce themselves by their first word.

use pg_query::NodeEnum;
use pg_query::protobuf::{KeywordKind, Token};

use super::expressions::constant_string;
use super::names::{boxed, inner};
use super::reader::nested;
use super::source::{Source, offset};
use super::{builtins, grammar};
use crate::operation::{Operation, Volatility};
use crate::script::{Effect, Span};

/// One thing a body does, in the order written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub kind: Kind,
    /// Where it stands in the body.
    pub span: Span,
    /// The text there; what PL/pgSQL adds to SQL (INTO targets) is blanked out.
    pub text: String,
}

/// What kind of thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// An SQL statement.
    Sql,
    /// PERFORM: a SELECT without that word.
    Perform,
    /// EXECUTE of this expression.
    Execute,
    /// An expression: only the functions it calls matter.
    Expression,
    /// COMMIT or ROLLBACK.
    TransactionControl,
}

impl Found {
    /// What it does. Spans are within the body, which lies in `depth` others.
    pub(super) fn effects(&self, depth: u8) -> Vec<Effect> {
        match self.kind {
            Kind::Sql => match nested(&self.text, depth) {
                Some(statements) => statements
                    .into_iter()
                    .flat_map(|statement| statement.effects)
                    .map(|effect| {
                        let Span { start, end } = effect.span;
                        Effect {
                            span: Span::new(self.span.start + start, self.span.start + end),
                            ..effect
                        }
                    })
                    .collect(),
                None => self.dynamic(),
            },
            Kind::Perform => self.at_whole(nested(&format!("SELECT {}", self.text), depth)),
            Kind::Execute => match constant(&self.text) {
                Some(sql) => self.at_whole(nested(&sql, depth)),
                None => self.dynamic(),
            },
            Kind::Expression if calls_unknown(&self.text) => self.dynamic(),
            Kind::Expression | Kind::TransactionControl => Vec::new(),
        }
    }

    fn dynamic(&self) -> Vec<Effect> {
        let operation = Operation::Dynamic {
            text: self.text.clone(),
        };
        vec![Effect {
            span: self.span,
            operation,
            conditional: true,
        }]
    }

    /// Effects of SQL whose text is not the one in the body.
    fn at_whole(&self, statements: Option<Vec<crate::script::Statement>>) -> Vec<Effect> {
        let Some(statements) = statements else {
            return self.dynamic();
        };
        let effects = statements.into_iter().flat_map(|statement| statement.effects);
        effects
            .map(|effect| Effect {
                span: self.span,
                ..effect
            })
            .collect()
    }
}

/// The string that EXECUTE would run, where it is known.
fn constant(expression: &str) -> Option<String> {
    let text = format!("SELECT {expression}");
    let tokens = grammar::tokens(&text);
    let tree = grammar::with_room(&tokens, || grammar::tree(&text)).ok()?;
    let Some(NodeEnum::SelectStmt(select)) = boxed(tree.stmts.first()?.stmt.as_deref()) else {
        return None;
    };
    match select.target_list.as_slice() {
        [target] => match inner(target)? {
            NodeEnum::ResTarget(target) => constant_string(boxed(target.val.as_deref())?),
            _ => None,
        },
        _ => None,
    }
}

/// Whether a function is called that is not the server's own.
fn calls_unknown(text: &str) -> bool {
    let source = Source::new(text, 0);
    (1..source.tokens.len()).any(|open| {
        let name = &source.tokens[open - 1];
        let is_name = name.token == Token::Ident as i32 && name.keyword_kind == KeywordKind::NoKeyword as i32;
        if !is_name || !source.is(open, Token::Ascii40) {
            return false;
        }
        let word = |index: usize| source.slice((index, index + 1)).trim_matches('"').to_ascii_lowercase();
        let qualified = open >= 3 && source.is(open - 2, Token::Ascii46);
        let parts = if qualified {
            vec![word(open - 3), word(open - 1)]
        } else {
            vec![word(open - 1)]
        };
        builtins::volatility(&parts) == Volatility::Unknown
    })
}

/// Everything that `body` runs.
pub(super) fn read(body: &str) -> Vec<Found> {
    let source = Source::new(body, 0);
    let mut reader = BodyReader {
        end: source.tokens.len(),
        source,
        next: 0,
        declaring: false,
        found: Vec::new(),
    };
    while reader.next < reader.end {
        reader.statement();
    }
    reader.found
}

struct BodyReader<'a> {
    source: Source<'a>,
    end: usize,
    next: usize,
    /// Between DECLARE and BEGIN.
    declaring: bool,
    found: Vec<Found>,
}

/// Words that begin an SQL statement inside a body.
const SQL_STARTS: [Token; 34] = [
    Token::Alter,
    Token::Analyze,
    Token::Call,
    Token::Checkpoint,
    Token::Cluster,
    Token::Comment,
    Token::Copy,
    Token::Create,
    Token::DeleteP,
    Token::Discard,
    Token::Do,
    Token::Drop,
    Token::Explain,
    Token::Grant,
    Token::ImportP,
    Token::Insert,
    Token::Listen,
    Token::Load,
    Token::LockP,
    Token::Merge,
    Token::Notify,
    Token::Reassign,
    Token::Refresh,
    Token::Reindex,
    Token::Reset,
    Token::Revoke,
    Token::Select,
    Token::Set,
    Token::Truncate,
    Token::Unlisten,
    Token::Update,
    Token::Vacuum,
    Token::Values,
    Token::With,
];

impl BodyReader<'_> {
    fn is(&self, index: usize, kind: Token) -> bool {
        self.source.is(index, kind)
    }

    /// The token in lower case: PL/pgSQL's own words are no keywords of SQL.
    fn word(&self, index: usize) -> String {
        self.source.slice((index, index + 1)).to_ascii_lowercase()
    }

    /// The first token outside brackets and CASE expressions that is one of `words`, or the next semicolon.
    fn until(&self, start: usize, words: &[&str]) -> usize {
        let mut index = start;
        let mut cases = 0_usize;
        while index < self.end && !self.is(index, Token::Ascii59) {
            if self.is(index, Token::Ascii40) {
                index = self.source.past_bracket(index, self.end);
                continue;
            }
            let word = self.word(index);
            match word.as_str() {
                "case" => cases += 1,
                "end" if cases > 0 => cases -= 1,
                word if cases == 0 && words.contains(&word) => break,
                _ => {}
            }
            index += 1;
        }
        index
    }

    fn push(&mut self, kind: Kind, range: (usize, usize)) {
        if range.0 < range.1 {
            let span = self.source.span(range);
            let text = match kind {
                Kind::Sql | Kind::Perform => self.without_into(range),
                _ => span.of(self.source.text).to_owned(),
            };
            self.found.push(Found { kind, span, text });
        }
    }

    /// Reads what begins at `next` and moves behind it.
    fn statement(&mut self) {
        let start = self.next;
        let word = self.word(start);
        if self.declaring && word != "begin" {
            self.declaration();
            return;
        }
        match word.as_str() {
            "declare" => {
                self.declaring = true;
                self.next += 1;
            }
            "begin" => {
                self.declaring = false;
                self.next += 1;
            }
            "else" | "loop" | "exception" | "then" | ";" => self.next += 1,
            "<<" => self.next = self.until(start, &[">>"]) + 1,
            "end" | "raise" | "null" | "get" | "#" => self.next = self.until(start, &[]) + 1,
            "commit" | "rollback" => {
                let end = self.until(start, &[]);
                self.push(Kind::TransactionControl, (start, end));
                self.next = end + 1;
            }
            "if" | "elsif" | "elseif" | "when" | "case" | "while" => {
                let end = self.until(start + 1, &["then", "loop"]);
                self.push(Kind::Expression, (start + 1, end));
                self.next = end + 1;
            }
            "for" | "foreach" => self.for_loop(),
            "return" | "open" | "execute" | "perform" => self.with_query(&word),
            _ if self.begins_sql(start) => {
                let end = self.until(start, &[]);
                self.push(Kind::Sql, (start, end));
                self.next = end + 1;
            }
            _ => {
                let end = self.until(start, &[]);
                let assigned = self.until(start, &[":=", "="]).min(end);
                self.push(
                    Kind::Expression,
                    (if assigned < end { assigned + 1 } else { start }, end),
                );
                self.next = end + 1;
            }
        }
    }

    /// A word of SQL that is not the name of a variable being assigned to.
    fn begins_sql(&self, index: usize) -> bool {
        let assigns = [Token::ColonEquals, Token::Ascii61, Token::Ascii46, Token::Ascii91];
        SQL_STARTS.iter().any(|token| self.is(index, *token)) && !assigns.iter().any(|token| self.is(index + 1, *token))
    }

    /// `name type := expression;` or `name CURSOR FOR query;`
    fn declaration(&mut self) {
        let start = self.next;
        let end = self.until(start, &[]);
        let at = self.until(start, &[":=", "=", "default", "for", "is"]);
        let is_alias = at > start && self.word(at - 1) == "alias";
        if at < end && !is_alias {
            let kind = if matches!(self.word(at).as_str(), "for" | "is") {
                Kind::Sql
            } else {
                Kind::Expression
            };
            self.push(kind, (at + 1, end));
        }
        self.next = end + 1;
    }

    /// `FOR target IN query|EXECUTE …|bounds LOOP`, `FOREACH target IN ARRAY expression LOOP`
    fn for_loop(&mut self) {
        let end = self.until(self.next, &["loop"]);
        let start = (self.until(self.next, &["in"]) + 1).min(end);
        self.query(start, end);
        self.next = end + 1;
    }

    /// What stands after RETURN, RETURN QUERY, OPEN … FOR, EXECUTE, PERFORM.
    fn with_query(&mut self, word: &str) {
        let start = self.next;
        let end = self.until(start, &[]);
        match word {
            "perform" => self.push(Kind::Perform, (start + 1, end)),
            "execute" => self.query(start, end),
            "open" => {
                let query = (self.until(start, &["for"]) + 1).min(end);
                self.query(query, end);
            }
            _ if matches!(self.word(start + 1).as_str(), "query" | "next") => self.query(start + 2, end),
            _ => self.push(Kind::Expression, (start + 1, end)),
        }
        self.next = end + 1;
    }

    /// A query, EXECUTE of one, or an expression.
    fn query(&mut self, start: usize, end: usize) {
        let first = (start..end)
            .find(|&index| !self.is(index, Token::Ascii40))
            .unwrap_or(start);
        if self.is(start, Token::Execute) {
            let expression_end = self.until(start + 1, &["using", "into", "loop"]).min(end);
            self.push(Kind::Execute, (start + 1, expression_end));
        } else if SQL_STARTS.iter().any(|token| self.is(first, *token)) {
            self.push(Kind::Sql, (start, end));
        } else {
            self.push(Kind::Expression, (start, end));
        }
    }

    /// The text of `range` with `INTO [STRICT] target, …` turned into blanks, so that SQL's grammar reads it.
    fn without_into(&self, range: (usize, usize)) -> String {
        let span = self.source.span(range);
        let mut text = span.of(self.source.text).to_owned();
        let mut from = range.0;
        while let Some(into) = self.source.find((from, range.1), Token::Into) {
            from = into + 1;
            let before = if into == range.0 { Token::Nul } else { self.before(into) };
            if matches!(before, Token::Insert | Token::Merge) || self.is(range.0, Token::ImportP) {
                continue;
            }
            let strict = usize::from(self.word(from) == "strict");
            let mut past = self.past_target(from + strict);
            while self.is(past, Token::Ascii44) {
                past = self.past_target(past + 1);
            }
            let past = past.min(range.1);
            let blank = self.source.span((into, past));
            let (start, end) = (blank.start - span.start, blank.end - span.start);
            text.replace_range(start..end, &" ".repeat(end - start));
            from = past;
        }
        text
    }

    fn before(&self, index: usize) -> Token {
        let kind = index
            .checked_sub(1)
            .and_then(|index| self.source.tokens.get(index))
            .map_or(0, |token| token.token);
        Token::try_from(kind).unwrap_or(Token::Nul)
    }

    /// One past `name`, `record.field` or `array[1]`.
    fn past_target(&self, start: usize) -> usize {
        let past = self.source.past_name(start);
        if self.is(past, Token::Ascii91) {
            self.source.past_bracket(past, self.end)
        } else {
            past
        }
    }
}

/// Where the text of a dollar-quoted body begins in the script; of other strings the text differs from what is written.
pub(super) fn body_offset(source: &Source<'_>, range: (usize, usize), body: &str) -> Option<usize> {
    (range.0..range.1)
        .filter(|index| source.is(*index, Token::Sconst))
        .find_map(|index| {
            let written = source.slice((index, index + 1));
            let tag = written.strip_prefix('$')?.find('$')? + 2;
            written
                .get(tag..)?
                .starts_with(body)
                .then(|| offset(source.tokens[index].start) + tag)
        })
}
