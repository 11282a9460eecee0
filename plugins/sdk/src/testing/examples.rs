//! The examples beside the rules, run as tests.

use super::{Test, policy};
use crate::plugin::Policy;
use crate::rules::{Rule, example_name, split_example};

/// Runs both examples of every rule, with that rule, those it names in `also` and all that are on by default switched on:
/// the bad one must be reported by exactly that rule (and may be by those in `also`), the good one must not be.
///
/// An example that gives its migration no name is judged as `0_init`. Above `-- migration` a line `-- server 11` says the
/// server's major version, `-- rows users 5000000` how many rows a table of the connected database has.
///
/// # Panics
/// When an example is missing, or is not judged as it says; the text names the rule.
#[track_caller]
pub fn assert_examples<P: Policy>(rules: &[Rule]) {
    for rule in rules {
        assert!(
            !rule.summary.is_empty() && !rule.explanation.is_empty(),
            "{} does not explain itself",
            rule.id
        );
        let bad = found::<P>(rule, rule.bad);
        assert!(
            bad.iter().any(|id| id == rule.id),
            "{}: the bad example is not reported",
            rule.id
        );
        let expected = |id: &String| id == rule.id || rule.also.contains(&id.as_str());
        assert!(
            bad.iter().all(expected),
            "{}: the bad example is also reported by others: {bad:?}",
            rule.id
        );
        let good = found::<P>(rule, rule.good);
        assert!(
            !good.iter().any(|id| id == rule.id),
            "{}: the good example is reported",
            rule.id
        );
    }
}

#[track_caller]
fn found<P: Policy>(rule: &Rule, example: &str) -> Vec<String> {
    assert!(!example.trim().is_empty(), "{} lacks an example", rule.id);
    let Some(dialect) = rule.dialects.first() else {
        panic!("{} is for no server", rule.id)
    };
    let (before, migration) = split_example(example);
    let description = P::describe();
    let by_default = description.rules.iter().filter(|rule| rule.enabled_by_default);
    let switched_on: Vec<&str> = by_default
        .map(|rule| rule.id.as_str())
        .chain([rule.id])
        .chain(rule.also.iter().copied())
        .collect();
    let test = policy::<P>().dialect(*dialect).rules(&switched_on);
    let test = test.named(example_name(example).unwrap_or("0_init"));
    let test = if before.is_empty() { test } else { test.before(before) };
    before.lines().fold(test, surroundings).found_rules(migration)
}

/// What a line of the schema before the migration says of the server, or of the rows in it.
fn surroundings<P: Policy>(test: Test<P>, line: &str) -> Test<P> {
    let mut words = line.split_whitespace();
    let number = |text: &str| {
        text.parse::<u64>()
            .unwrap_or_else(|error| panic!("an example says `{line}`: {text} is no number ({error})"))
    };
    match (words.next(), words.next(), words.next(), words.next()) {
        (Some("--"), Some("server"), Some(version), None) => {
            test.version(u32::try_from(number(version)).unwrap_or(u32::MAX), 0, 0)
        }
        (Some("--"), Some("rows"), Some(table), Some(rows)) => test.rows(table, number(rows)),
        _ => test,
    }
}
