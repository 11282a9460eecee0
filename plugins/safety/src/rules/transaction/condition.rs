//! How many rows a condition lets through, as far as its words say.

use super::rows::{Facts, Reach, dotted, limit_of};
use crate::tokens::{self, Kind, Token};

/// Most values of a list that names rows.
const LIST: usize = 1_000;

/// What one part of a condition says about a column.
#[derive(Debug, PartialEq, Eq)]
enum Says {
    /// Its value is one of these few.
    Bound(Vec<String>),
    From(String),
    UpTo(String),
    Between(String),
    /// It is a key that a subquery with LIMIT gives.
    Limited(String),
    Nothing,
}

/// How many rows fulfil a condition; `names` are words that mean the table.
pub(super) fn reach_of(condition: &[Token<'_>], names: &[String], facts: &Facts<'_>) -> Reach {
    let condition = tokens::bare(condition);
    if let [only] = condition
        && (only.is("false") || only.is("null"))
    {
        return Reach::Few;
    }
    let branches = tokens::split(condition, |token| token.is("or"));
    if branches.len() > 1 {
        let worst = branches.into_iter().map(|branch| reach_of(branch, names, facts)).max();
        return worst.unwrap_or(Reach::Many);
    }
    let mut best = Reach::Many;
    let mut said = Vec::new();
    for part in conjuncts(condition) {
        let part = tokens::bare(part);
        if tokens::at_top(part).any(|(_, token)| token.is("or")) || conjuncts(part).len() > 1 {
            best = best.min(reach_of(part, names, facts));
        } else {
            said.push(says(part, names, facts));
        }
    }
    best.min(judge(&said, facts))
}

fn judge(said: &[Says], facts: &Facts<'_>) -> Reach {
    let is_key = |column: &str| column == "ctid" || facts.keys.iter().any(|key| key.as_slice() == [column.to_owned()]);
    let bound: Vec<&String> = said
        .iter()
        .filter_map(|of| match of {
            Says::Bound(columns) => Some(columns),
            _ => None,
        })
        .flatten()
        .collect();
    let named = facts
        .keys
        .iter()
        .any(|key| !key.is_empty() && key.iter().all(|column| bound.contains(&column)));
    let batch = said.iter().any(|of| match of {
        Says::Limited(column) | Says::Between(column) => is_key(column),
        Says::Bound(columns) => columns.iter().any(|column| column == "ctid"),
        Says::From(column) => is_key(column) && said.contains(&Says::UpTo(column.clone())),
        _ => false,
    });
    if named {
        Reach::Few
    } else if batch {
        Reach::Batch
    } else if bound.iter().any(|column| (facts.varied)(column)) {
        Reach::Named
    } else {
        Reach::Many
    }
}

/// Parts joined by AND; that of BETWEEN belongs to it.
fn conjuncts<'s, 't>(condition: &'s [Token<'t>]) -> Vec<&'s [Token<'t>]> {
    let mut parts = Vec::new();
    let mut from = 0;
    let mut between = false;
    for (at, token) in tokens::at_top(condition) {
        if token.is("between") {
            between = true;
        } else if token.is("and") {
            if between {
                between = false;
            } else {
                parts.push(&condition[from..at]);
                from = at + 1;
            }
        }
    }
    parts.push(&condition[from..]);
    parts
}

fn says(part: &[Token<'_>], names: &[String], facts: &Facts<'_>) -> Says {
    let comparison = tokens::at_top(part).find(|(_, token)| {
        ["=", "<", "<=", ">", ">="].iter().any(|symbol| token.is_symbol(symbol))
            || token.is("in")
            || token.is("between")
    });
    let Some((at, word)) = comparison else {
        return Says::Nothing;
    };
    let (left, right) = (tokens::bare(&part[..at]), tokens::bare(&part[at + 1..]));
    let mut columns = columns(left, names);
    let mut right = right;
    let mut flipped = false;
    if columns.is_empty() && word.kind == Kind::Symbol && is_constant(left, facts) {
        columns = self::columns(right, names);
        right = left;
        flipped = true;
    }
    let Some(column) = columns.first().cloned() else {
        return Says::Nothing;
    };
    if word.is("between") {
        let ends = tokens::split(right, |token| token.is("and"));
        let constant = ends.iter().all(|end| is_constant(end, facts));
        return if constant { Says::Between(column) } else { Says::Nothing };
    }
    let query = right.iter().any(|token| token.is("select"));
    if query && is_correlated(right, names) {
        return Says::Nothing;
    }
    if query {
        let several = word.is("in") || right.first().is_some_and(|token| token.is("any") || token.is("some"));
        return match (several, limit_of(right.windows(2))) {
            (false, _) if word.is_symbol("=") => Says::Bound(columns),
            (true, Some(_)) => Says::Limited(column),
            _ => Says::Nothing,
        };
    }
    let list = right
        .iter()
        .filter(|token| matches!(token.kind, Kind::Literal | Kind::Number))
        .count();
    if !is_constant(right, facts) || list > LIST {
        return Says::Nothing;
    }
    match (word.text, flipped) {
        (">" | ">=", false) | ("<" | "<=", true) => Says::From(column),
        ("<" | "<=", false) | (">" | ">=", true) => Says::UpTo(column),
        _ => Says::Bound(columns),
    }
}

/// The subquery is another one for each row: it names the table outside of it.
fn is_correlated(query: &[Token<'_>], names: &[String]) -> bool {
    let hidden = |name: &String| {
        query.iter().enumerate().any(|(at, token)| {
            let after = query.get(at + 1);
            token.name().as_ref() == Some(name)
                && at > 0
                && (query[at - 1].is("from")
                    || query[at - 1].is("join")
                    || query[at - 1].is("as")
                    || query[at - 1].is_symbol("."))
                && !after.is_some_and(|next| next.is("as") || next.is_symbol("."))
        })
    };
    query.windows(2).any(|pair| {
        let name = pair[0].name().filter(|_| pair[1].is_symbol("."));
        name.is_some_and(|name| names.contains(&name) && !hidden(&name))
    })
}

/// The columns on one side of a comparison; empty when it is anything else.
fn columns(side: &[Token<'_>], names: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    for item in tokens::split(side, |token| token.is_symbol(",")) {
        let (name, next) = dotted(item, 0);
        let cast = item.get(next).is_none_or(|token| token.is_symbol("::"));
        match name.split_last() {
            Some((column, qualifiers)) if cast && qualifiers.iter().all(|of| names.contains(of)) => {
                found.push(column.clone());
            }
            _ => return Vec::new(),
        }
    }
    found
}

/// Values that are written out. Words are types behind a cast, and variables where there can be any.
fn is_constant(side: &[Token<'_>], facts: &Facts<'_>) -> bool {
    let mut cast = false;
    let mut values = 0;
    let constant = side.iter().all(|token| {
        cast |= token.is_symbol("::") || token.is("as");
        match token.kind {
            Kind::Literal | Kind::Number => {
                values += 1;
                true
            }
            Kind::Symbol => ["::", "(", ")", "[", "]", ",", "-", "."].contains(&token.text),
            Kind::Word if facts.variables => {
                values += 1;
                true
            }
            Kind::Word => cast || ["any", "array", "cast", "in"].iter().any(|word| token.is(word)),
            Kind::Quoted => cast || facts.variables,
        }
    });
    constant && values > 0
}
