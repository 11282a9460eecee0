//! `autovacuum-disabled`: nobody clears away dead rows any more.

use tollgate_plugin::rules::{Context, Findings, Rule, Step};
use tollgate_plugin::{Dialect, ObjectKind, ObjectName, Operation, Severity};

use super::details;

pub(super) const RULE: Rule = Rule {
    id: "autovacuum-disabled",
    summary: "Autovacuum is switched off for a table",
    severity: Severity::Medium,
    dialects: &[Dialect::Postgres],
    triggers: &["create-table", "set-storage-parameters"],
    explanation: "\
**What it does.** Reports `autovacuum_enabled = false` (also of the TOAST table) on a table, unless the same file switches it \
on again: for a bulk load that is fine.

**Why it matters.** Dead rows pile up and are never cleared away, the statistics of the planner grow old, and queries become \
slower from week to week. In the end the server starts a vacuum against the wraparound of transaction numbers by itself, at \
the worst moment.

**Instead.** Tune it: `autovacuum_vacuum_scale_factor` and `autovacuum_vacuum_cost_delay` for this table. After a bulk load \
reset the parameter in the same migration.",
    bad: "ALTER TABLE events SET (autovacuum_enabled = false);",
    good: "ALTER TABLE events SET (autovacuum_vacuum_scale_factor = 0.01);",
    check,
    ..Rule::DEFAULT
};

const NAMES: [&str; 2] = ["autovacuum_enabled", "toast.autovacuum_enabled"];

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for step in context.steps() {
        for (table, name) in switched(&step, false) {
            let on_again = context.steps_after(&step).any(|later| {
                let mut on = switched(&later, true).into_iter();
                on.any(|(other, parameter)| parameter == name && context.same(ObjectKind::Table, &other, &table))
            });
            let goes = context.after.exists(ObjectKind::Table, &table) == Some(false);
            if on_again || goes {
                continue;
            }
            let verb = step.verb("switches", "switch");
            let of = if name == NAMES[0] { "" } else { "the TOAST table of " };
            findings
                .report(
                    &step,
                    format!("{verb} autovacuum off for {of}{}: dead rows pile up", table.short()),
                )
                .help("tune autovacuum for the table, or reset the parameter in the same migration");
        }
    }
}

/// Tables for which a step switches autovacuum on (or resets it), or off.
fn switched(step: &Step<'_>, on: bool) -> Vec<(ObjectName, &'static str)> {
    let wanted = |name: &str, value: Option<&str>| {
        let known = NAMES.into_iter().find(|known| known.eq_ignore_ascii_case(name))?;
        (value.is_none_or(is_true) == on).then_some(known)
    };
    match &step.effect.operation {
        Operation::CreateTable(table) => table
            .parameters
            .iter()
            .filter_map(|(name, value)| Some((table.name.clone(), wanted(name, Some(value))?)))
            .collect(),
        Operation::Other(other) if other.tag == "set-storage-parameters" => {
            let details = details(other);
            let parameters = details["parameters"].as_object().into_iter().flatten();
            parameters
                .filter_map(|(name, value)| Some((other.objects.first()?.clone(), wanted(name, value.as_str())?)))
                .collect()
        }
        _ => Vec::new(),
    }
}

/// As the server reads a boolean: beginnings of the words are enough, and a name without a value means yes.
fn is_true(value: &str) -> bool {
    let value = value.trim_matches('\'').to_ascii_lowercase();
    !(value == "0"
        || ["false", "no", "off"]
            .iter()
            .any(|word| !value.is_empty() && value != "o" && word.starts_with(&value)))
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::Medium;

    use super::{RULE, is_true};
    use crate::judge::postgres;

    #[test]
    fn dead_rows_pile_up() {
        let rule = postgres(&RULE);
        rule.reports(
            "",
            "ALTER TABLE app.\"Event\" SET (fillfactor = 90, autovacuum_enabled = off);",
            Medium,
            "switches autovacuum off for app.Event: dead rows pile up",
        );
        rule.reports(
            "",
            "CREATE TABLE queue (id int) WITH (autovacuum_enabled = false);",
            Medium,
            "switches autovacuum off for queue: dead rows pile up",
        );
        rule.reports(
            "CREATE TABLE logs (a text);",
            "ALTER TABLE public.logs SET (toast.autovacuum_enabled = 0);",
            Medium,
            "switches autovacuum off for the TOAST table of logs: dead rows pile up",
        );
    }

    #[test]
    fn it_is_on_or_will_be() {
        let rule = postgres(&RULE);
        rule.ignores("", "ALTER TABLE events SET (autovacuum_enabled = true);");
        rule.ignores("", "ALTER TABLE events RESET (autovacuum_enabled);");
        rule.ignores(
            "",
            "ALTER TABLE events SET (autovacuum_enabled = false);\nINSERT INTO events SELECT * FROM old;\n\
             ALTER TABLE public.events RESET (autovacuum_enabled);",
        );
        rule.ignores(
            "CREATE TABLE events (a int);",
            "ALTER TABLE events SET (autovacuum_enabled = false); DROP TABLE events;",
        );
    }

    #[test]
    fn booleans_are_read_as_the_server_does() {
        for value in ["false", "f", "OFF", "of", "no", "0", "'false'"] {
            assert!(!is_true(value), "{value}");
        }
        for value in ["true", "on", "1", "yes", ""] {
            assert!(is_true(value), "{value}");
        }
    }
}
