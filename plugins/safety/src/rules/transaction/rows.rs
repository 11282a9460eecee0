//! How many rows a statement may change, as far as its words say.
//!
//! The engine has parsed the statement; the contract keeps of it which table and columns it changes. Whether a condition
//! names a handful of rows or may match any number of them is read here from the words.

use super::condition::reach_of;
use crate::tokens::{self, Token};

/// Rows that a statement may touch, the fewest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reach {
    /// Rows named by their key.
    Few,
    /// As many rows as the statement itself limits it to.
    Batch,
    /// Rows with one of the named values in a column that is no key.
    Named,
    /// Rows by any other condition.
    Many,
    /// Each row.
    All,
}

/// Most rows of a batch that is limited by LIMIT.
const BATCH: u64 = 50_000;

/// What is known of the table beyond the statement.
pub(super) struct Facts<'k> {
    /// Columns of keys: values for all columns of one of them name a row.
    pub(super) keys: &'k [Vec<String>],
    /// Whether the column's values are many: one of them then names few rows.
    pub(super) varied: &'k dyn Fn(&str) -> bool,
    /// Words can be variables of a block that hold one value.
    pub(super) variables: bool,
    /// Whether a table that is read can hold more than a few rows.
    pub(super) large: &'k dyn Fn(&[String]) -> bool,
}

/// A statement in its parts.
#[derive(Debug, Default)]
struct Parts<'s, 't> {
    /// The queries of its WITH clause.
    with: &'s [Token<'t>],
    /// Words that mean the table: its name and its alias.
    names: Vec<String>,
    /// What it reads besides: FROM of an UPDATE, USING of a DELETE.
    from: &'s [Token<'t>],
    condition: Option<&'s [Token<'t>]>,
}

/// How many rows UPDATE or DELETE may touch.
pub(super) fn of_change(text: &str, facts: &Facts<'_>) -> Reach {
    let unquoted = unquoted(text);
    let tokens = tokens::read(unquoted.as_deref().unwrap_or(text));
    let Some(parts) = parts(&tokens) else {
        return Reach::Many;
    };
    if is_batch(parts.with) || is_batch(parts.from) {
        return Reach::Batch;
    }
    let ctes = cte_names(parts.with);
    let joined = !parts.from.is_empty();
    if joined && !reads_much(parts.from, &ctes, true, facts) && !reads_much(parts.with, &ctes, false, facts) {
        return Reach::Few;
    }
    match parts.condition {
        None if joined => Reach::Many,
        None => Reach::All,
        Some(condition) => {
            let reach = reach_of(condition, &parts.names, facts);
            if joined && reach > Reach::Batch {
                Reach::Many
            } else {
                reach
            }
        }
    }
}

/// How many rows `INSERT … SELECT` or MERGE may write.
pub(super) fn of_copy(text: &str, facts: &Facts<'_>) -> Reach {
    let unquoted = unquoted(text);
    let tokens = tokens::read(unquoted.as_deref().unwrap_or(text));
    if tokens.iter().any(|token| token.is("merge"))
        && !tokens.iter().any(|token| token.is("insert") && token.start == 0)
    {
        let after = after_word(&tokens, "using").unwrap_or(&[]);
        let source = tokens::until(after, |token| token.is("on"));
        let ctes = cte_names(&tokens);
        let much = reads_much(source, &ctes, true, facts) && !is_batch(source);
        return if much { Reach::Many } else { Reach::Few };
    }
    let main = tokens::at_top(&tokens)
        .find(|(_, token)| token.is("insert"))
        .map_or(0, |(at, _)| at);
    let with = &tokens[..main];
    let query = &tokens[main..];
    let start = tokens::at_top(query).find(|(_, token)| token.is("select") || token.is("with") || token.is("table"));
    let query = start.map_or(query, |(at, _)| &query[at..]);
    let query = tokens::until(query, |token| token.is("returning"));
    let conflict = query
        .windows(2)
        .position(|pair| pair[0].is("on") && pair[1].is("conflict"));
    let query = conflict.map_or(query, |at| &query[..at]);
    let ctes: Vec<String> = cte_names(with).into_iter().chain(cte_names(query)).collect();
    let arms = tokens::split(query, |token| {
        token.is("union") || token.is("intersect") || token.is("except")
    });
    let reach = arms.into_iter().map(|arm| of_select(arm, with, &ctes, facts)).max();
    reach.unwrap_or(Reach::Many)
}

fn of_select(arm: &[Token<'_>], with: &[Token<'_>], ctes: &[String], facts: &Facts<'_>) -> Reach {
    let Some(from) = after_word(arm, "from") else {
        let only_table = arm.first().is_some_and(|word| word.is("table"));
        return if only_table { Reach::Many } else { Reach::Few };
    };
    let source = tokens::until(from, |token| {
        !token.is("on") && ENDS_OF_FROM.iter().any(|word| token.is(word))
    });
    let head = &arm[..tokens::at_top(arm)
        .find(|(_, token)| token.is("select"))
        .map_or(0, |(at, _)| at)];
    if is_batch(with) || is_batch(head) || is_batch(source) || limits(arm) {
        return Reach::Batch;
    }
    let much = reads_much(source, ctes, true, facts)
        || (mentions(source, ctes) && (reads_much(with, ctes, false, facts) || reads_much(head, ctes, false, facts)));
    if !much {
        return Reach::Few;
    }
    let several = tokens::at_top(source).any(|(_, token)| token.is("join") || token.is_symbol(","));
    let condition = after_word(from, "where")
        .map(|rest| tokens::until(rest, |token| ENDS_OF_FROM.iter().any(|word| token.is(word))));
    match condition {
        Some(condition) if !several => reach_of(condition, &names_of(source), facts),
        _ => Reach::Many,
    }
}

const ENDS_OF_FROM: [&str; 11] = [
    "where",
    "group",
    "having",
    "window",
    "order",
    "limit",
    "offset",
    "fetch",
    "for",
    "on",
    "returning",
];

/// Constant SQL of EXECUTE is a string in the script.
fn unquoted(text: &str) -> Option<String> {
    let text = text.trim();
    let tokens = tokens::read(text);
    match tokens.as_slice() {
        [only] => only.value(),
        _ => None,
    }
}

fn parts<'s, 't>(tokens: &'s [Token<'t>]) -> Option<Parts<'s, 't>> {
    let (at, verb) = tokens::at_top(tokens).find(|(_, token)| token.is("update") || token.is("delete"))?;
    let deletes = verb.is("delete");
    let (with, rest) = (&tokens[..at], &tokens[at + 1..]);
    let rest = tokens::until(rest, |token| token.is("returning"));
    let target = tokens::until(rest, |token| token.is("set") || token.is("using") || token.is("where"));
    let body = &rest[target.len()..];
    let from_word = if deletes { "using" } else { "from" };
    let from = after_word(body, from_word).map_or(&[] as &[_], |from| tokens::until(from, |token| token.is("where")));
    Some(Parts {
        with,
        names: names_of(target),
        from,
        condition: after_word(body, "where"),
    })
}

/// Every name in `schema.table AS alias`.
fn names_of(target: &[Token<'_>]) -> Vec<String> {
    let words = target
        .iter()
        .filter(|token| !["from", "only", "as"].iter().any(|word| token.is(word)));
    words.filter_map(Token::name).collect()
}

/// What follows a keyword outside brackets.
fn after_word<'s, 't>(tokens: &'s [Token<'t>], word: &str) -> Option<&'s [Token<'t>]> {
    let found = tokens::at_top(tokens).find(|(at, token)| token.is(word) && !is_distinct_from(tokens, *at));
    found.map(|(at, _)| &tokens[at + 1..])
}

/// `IS DISTINCT FROM` reads no table.
fn is_distinct_from(tokens: &[Token<'_>], at: usize) -> bool {
    tokens[at].is("from")
        && at > 0
        && tokens[at - 1].is("distinct")
        && at > 1
        && (tokens[at - 2].is("is") || tokens[at - 2].is("not"))
}

/// A LIMIT that a batch may have, at any depth. One row is no batch: it belongs to a subquery of another row.
fn is_batch(tokens: &[Token<'_>]) -> bool {
    limit_of(tokens.windows(2)).is_some_and(|limit| limit > 1)
}

/// The query itself ends after a batch.
fn limits(query: &[Token<'_>]) -> bool {
    let at = tokens::at_top(query)
        .find(|(_, token)| token.is("limit"))
        .map(|(at, _)| at);
    at.is_some_and(|at| limit_of(query[at..].windows(2)).is_some())
}

pub(super) fn limit_of<'s, 't: 's>(mut pairs: impl Iterator<Item = &'s [Token<'t>]>) -> Option<u64> {
    let pair = pairs.find(|pair| pair[0].is("limit") || pair[0].is("first") || pair[0].is("next"))?;
    pair[1]
        .text
        .replace('_', "")
        .parse()
        .ok()
        .filter(|limit| *limit <= BATCH)
}

/// Names of CTEs: whatever stands before `AS (`.
fn cte_names(tokens: &[Token<'_>]) -> Vec<String> {
    if !tokens.iter().any(|token| token.is("with")) {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let starts =
            at > 0 && (tokens[at - 1].is("with") || tokens[at - 1].is("recursive") || tokens[at - 1].is_symbol(","));
        let followed = tokens
            .get(at + 1)
            .is_some_and(|next| next.is("as") || next.is_symbol("("));
        if starts && followed {
            found.extend(token.name());
        }
    }
    found
}

/// One of the names stands in the text.
fn mentions(tokens: &[Token<'_>], names: &[String]) -> bool {
    tokens.iter().filter_map(Token::name).any(|name| names.contains(&name))
}

/// Some table that is read can hold many rows.
fn reads_much(tokens: &[Token<'_>], ctes: &[String], in_from: bool, facts: &Facts<'_>) -> bool {
    sources(tokens, in_from)
        .iter()
        .any(|name| !matches!(name.as_slice(), [only] if ctes.contains(only)) && (facts.large)(name))
}

/// Names of tables after FROM and JOIN, at any depth.
fn sources(tokens: &[Token<'_>], in_from: bool) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    // For each open bracket: a SELECT has been seen in it, and its FROM clause is being read.
    let mut open = vec![(in_from, in_from)];
    let mut at = 0;
    let mut expects = in_from;
    while let Some(token) = tokens.get(at) {
        let Some(top) = open.last_mut() else { break };
        if token.is_symbol("(") {
            open.push((expects, expects));
        } else if token.is_symbol(")") {
            open.pop();
            expects = false;
        } else if token.is("select") {
            *top = (true, false);
            expects = false;
        } else if token.is("values") {
            top.1 = false;
            expects = false;
        } else if token.is("from") {
            top.1 = top.0 && !is_distinct_from(tokens, at);
            expects = top.1;
        } else if token.is("join") || (token.is_symbol(",") && top.1) {
            expects = top.0;
        } else if ENDS_OF_FROM.iter().any(|word| token.is(word)) {
            top.1 = token.is("on") && top.1;
            expects = false;
        } else if expects && !token.is("lateral") && !token.is("only") {
            let (name, next) = dotted(tokens, at);
            let is_call = tokens.get(next).is_some_and(|token| token.is_symbol("("));
            if !name.is_empty() && !is_call {
                found.push(name);
            }
            expects = false;
            at = next.max(at + 1);
            continue;
        }
        at += 1;
    }
    found
}

/// `schema.table`, and one past it.
pub(super) fn dotted(tokens: &[Token<'_>], from: usize) -> (Vec<String>, usize) {
    let mut name: Vec<String> = tokens.get(from).and_then(Token::name).into_iter().collect();
    let mut at = from + 1;
    while !name.is_empty() && tokens.get(at).is_some_and(|token| token.is_symbol(".")) {
        name.extend(tokens.get(at + 1).and_then(Token::name));
        at += 2;
    }
    (name, at)
}

#[cfg(test)]
mod tests {
    use super::Reach::{All, Batch, Few, Many, Named};
    use super::{Facts, Reach, of_change, of_copy};

    fn judged(text: &str, judge: fn(&str, &Facts<'_>) -> Reach) -> Reach {
        let keys = [vec!["id".to_owned()], vec!["org".to_owned(), "no".to_owned()]];
        let facts = Facts {
            keys: &keys,
            varied: &|column| column != "kind",
            variables: false,
            large: &|name| name.last().is_some_and(|name| name != "tiny"),
        };
        judge(text, &facts)
    }

    #[test]
    fn conditions_of_updates_and_deletes() {
        for (text, expected) in [
            ("UPDATE t SET a = 1", All),
            ("UPDATE t SET a = (SELECT b FROM u WHERE u.id = t.id LIMIT 1)", All),
            ("DELETE FROM t", All),
            ("UPDATE t SET a = 1 WHERE b IS NULL", Many),
            ("UPDATE t SET a = 1 WHERE id = 'x'", Few),
            (
                "UPDATE ONLY s.t AS x SET a = 1 WHERE (x.\"id\" = 'x'::uuid) AND b IS NULL",
                Few,
            ),
            ("UPDATE t SET a = 1 WHERE 'x' = id", Few),
            ("UPDATE t SET a = 1 WHERE id IN ('a', 'b')", Few),
            ("UPDATE t SET a = 1 WHERE id = ANY(ARRAY['a', 'b']::text[])", Few),
            ("UPDATE t SET a = 1 WHERE id = 1 OR id = 2", Few),
            ("UPDATE t SET a = 1 WHERE id = 1 OR b = 2", Named),
            ("UPDATE t SET a = 1 WHERE id <> 1", Many),
            ("UPDATE t SET a = 1 WHERE id NOT IN (1, 2)", Many),
            ("UPDATE t SET a = 1 WHERE org = 1", Named),
            ("UPDATE t SET a = 1 WHERE org = 1 AND no = 2", Few),
            ("UPDATE t SET a = 1 WHERE (org, no) = (1, 2)", Few),
            ("DELETE FROM t WHERE kind = 'x'", Many),
            ("DELETE FROM t WHERE name = 'x'", Named),
            ("DELETE FROM t WHERE id > 5", Many),
            ("DELETE FROM t WHERE id > 5 AND id <= 500", Batch),
            ("DELETE FROM t WHERE id BETWEEN 1 AND 1000 AND b", Batch),
            ("DELETE FROM t WHERE at BETWEEN '2020-01-01' AND '2021-01-01'", Many),
            (
                "DELETE FROM t WHERE ctid = ANY(ARRAY(SELECT ctid FROM t WHERE a LIMIT 1000))",
                Batch,
            ),
            (
                "DELETE FROM t WHERE id IN (SELECT id FROM t WHERE a ORDER BY id LIMIT 1000)",
                Batch,
            ),
            (
                "DELETE FROM t WHERE id IN (SELECT id FROM t WHERE a ORDER BY id LIMIT 9000000)",
                Many,
            ),
            ("DELETE FROM t WHERE id IN (SELECT t_id FROM u)", Many),
            ("DELETE FROM t WHERE (false)", Few),
            ("DELETE FROM t WHERE id = (SELECT max(t.id) FROM t)", Few),
            (
                "UPDATE t SET a = 1 WHERE id = (SELECT id FROM t AS u WHERE u.b = t.b ORDER BY c LIMIT 1)",
                Many,
            ),
            (
                "DELETE FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.id = t.id LIMIT 1)",
                Many,
            ),
            ("UPDATE t SET a = u.a FROM u WHERE u.id = t.id", Many),
            ("UPDATE t SET a = u.a FROM tiny u WHERE u.id = t.id", Few),
            ("UPDATE t SET a = u.a FROM u WHERE u.t = t.id AND u.id = 5", Many),
            ("UPDATE t SET a = u.a FROM u WHERE u.x = t.x AND t.id = 5", Few),
            (
                "UPDATE t SET a = v.a FROM (VALUES (1, 2), (3, 4)) AS v(id, a) WHERE v.id = t.id",
                Few,
            ),
            ("DELETE FROM t USING u WHERE u.id = t.id", Many),
            (
                "WITH b AS (SELECT id FROM t WHERE a LIMIT 500) UPDATE t SET a = 1 FROM b WHERE b.id = t.id",
                Batch,
            ),
            (
                "WITH b AS (SELECT id FROM t WHERE a) UPDATE t SET a = 1 FROM b WHERE b.id = t.id",
                Many,
            ),
            ("UPDATE t SET a = b IS DISTINCT FROM c", All),
            ("'UPDATE t SET a = 1 WHERE id = ''x'''", Few),
        ] {
            assert_eq!(judged(text, of_change), expected, "{text}");
        }
    }

    #[test]
    fn rows_that_are_copied() {
        for (text, expected) in [
            ("INSERT INTO t SELECT * FROM u", Many),
            ("INSERT INTO t (a) SELECT a FROM u WHERE id = 5", Few),
            ("INSERT INTO t (a) SELECT a FROM u WHERE b = 5", Named),
            (
                "INSERT INTO t (a) SELECT u.a FROM u JOIN v ON v.id = u.id WHERE u.id = 5",
                Many,
            ),
            ("INSERT INTO t SELECT 1, 'a' WHERE NOT EXISTS (SELECT 1 FROM t)", Few),
            (
                "INSERT INTO t SELECT gen_random_uuid(), x FROM unnest(ARRAY[1, 2]) x",
                Few,
            ),
            (
                "INSERT INTO t SELECT * FROM (VALUES (1), (2)) v(a) WHERE NOT EXISTS (SELECT 1 FROM t WHERE t.a = v.a)",
                Few,
            ),
            ("INSERT INTO t SELECT * FROM tiny", Few),
            (
                "INSERT INTO t (a) SELECT j.\"a\", CASE WHEN 'x' = ANY(j.b) THEN 1 END FROM \"u\" j WHERE j.b = 'E' ON \
                 CONFLICT (a) DO NOTHING",
                Named,
            ),
            (
                "INSERT INTO t (a) SELECT u.a FROM tiny x JOIN u ON u.id = x.id WHERE x.b IS NULL ON CONFLICT DO \
                 NOTHING",
                Many,
            ),
            ("INSERT INTO t SELECT * FROM u LIMIT 100", Batch),
            ("INSERT INTO t SELECT * FROM u ORDER BY a LIMIT 100000000", Many),
            ("INSERT INTO t SELECT 1 UNION ALL SELECT a FROM u", Many),
            ("INSERT INTO t TABLE u", Many),
            ("WITH x AS (SELECT * FROM u) INSERT INTO t SELECT * FROM x", Many),
            ("INSERT INTO t WITH x AS (SELECT 1) SELECT * FROM x", Few),
            ("INSERT INTO t SELECT extract(year FROM now())", Few),
            ("MERGE INTO t USING u ON u.id = t.id WHEN MATCHED THEN DELETE", Many),
            (
                "MERGE INTO t USING (VALUES (1)) u(id) ON u.id = t.id WHEN MATCHED THEN DELETE",
                Few,
            ),
        ] {
            assert_eq!(judged(text, of_copy), expected, "{text}");
        }
    }
}
