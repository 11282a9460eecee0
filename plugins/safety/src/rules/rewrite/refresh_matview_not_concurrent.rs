//! `refresh-matview-not-concurrent`: a materialized view that nobody can read while it is computed.

use tollgate_plugin::rules::{Context, Findings, Rule, Step};
use tollgate_plugin::{Dialect, Edit, ObjectKind, ObjectName, Operation, Severity, Suggestion};

use crate::{details, tokens};

pub(super) const RULE: Rule = Rule {
    id: "refresh-matview-not-concurrent",
    summary: "REFRESH MATERIALIZED VIEW keeps readers out until it is done",
    severity: Severity::Medium,
    dialects: &[Dialect::Postgres],
    triggers: &["refresh-materialized-view"],
    explanation: "\
**What it does.** Reports `REFRESH MATERIALIZED VIEW` without `CONCURRENTLY` of a view that existed before the \
migration.

**Why it matters.** ACCESS EXCLUSIVE keeps everybody from reading the view while its query runs and its rows are \
written; `WITH NO DATA` leaves it unreadable afterwards, too.

**Instead.** `REFRESH MATERIALIZED VIEW CONCURRENTLY` lets readers go on with the old rows. It needs a unique index \
over plain columns, without WHERE.",
    bad: "CREATE TABLE sales (day date);\nCREATE MATERIALIZED VIEW report AS SELECT day FROM sales;\n\
          -- migration\nREFRESH MATERIALIZED VIEW report;",
    good: "CREATE TABLE sales (day date);\nCREATE MATERIALIZED VIEW report AS SELECT DISTINCT day FROM sales;\n\
           CREATE UNIQUE INDEX report_day ON report (day);\n-- migration\nREFRESH MATERIALIZED VIEW CONCURRENTLY \
           report;",
    check,
    ..Rule::DEFAULT
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for step in context.steps() {
        let Operation::Other(other) = &step.effect.operation else {
            continue;
        };
        if other.tag != "refresh-materialized-view" || details::flag(other, "concurrently") {
            continue;
        }
        if let Some(view) = other.objects.first()
            && !context.is_new(&step, ObjectKind::MaterializedView, view)
        {
            report(context, findings, &step, view);
        }
    }
}

fn report(context: &Context<'_>, findings: &mut Findings<'_>, step: &Step<'_>, view: &ObjectName) {
    let name = view.short();
    let tokens = tokens::read(step.effect.at.of(context.migration.text()));
    let no_data = tokens.windows(2).any(|pair| pair[0].is("no") && pair[1].is("data"));
    if no_data {
        let verb = step.verb("empties", "empty");
        let message = format!("{verb} the materialized view {name}, which nobody can read until it is refreshed");
        findings
            .report(step, message)
            .help("keep the old rows until there are new ones: REFRESH … CONCURRENTLY");
        return;
    }
    let verb = step.verb("refreshes", "refresh");
    let message =
        format!("{verb} the materialized view {name}, which nobody can read until all of it has been computed");
    let finding = findings.report(step, message);
    let known = context.before_relation(step, view);
    let unique = known.as_ref().is_some_and(|relation| {
        relation
            .indexes
            .iter()
            .any(|index| index.unique && index.valid && index.predicate.is_none() && index.key_columns().is_some())
    });
    finding.help(if unique || known.is_none() {
        "add CONCURRENTLY: readers go on with the old rows"
    } else {
        "add a unique index over plain columns of the view and refresh it CONCURRENTLY: readers go on with the old rows"
    });
    if unique
        && !step.effect.conditional
        && let Some(word) = tokens.iter().find(|token| token.is("view"))
    {
        let offset = step.effect.at.start + u32::try_from(word.end()).unwrap_or(u32::MAX);
        finding.suggest(Suggestion::manual(
            "let readers go on meanwhile",
            vec![Edit::insert(offset, " CONCURRENTLY")],
        ));
    }
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::Medium;

    use super::RULE;
    use crate::judge::postgres;

    const VIEW: &str = "CREATE TABLE sales (day date); CREATE MATERIALIZED VIEW \"Report\" AS SELECT day FROM sales;";
    const MESSAGE: &str =
        "refreshes the materialized view Report, which nobody can read until all of it has been computed";

    #[test]
    fn readers_have_to_wait() {
        let rule = postgres(&RULE);
        rule.reports(VIEW, "REFRESH MATERIALIZED VIEW \"Report\";", Medium, MESSAGE);
        rule.reports(
            "",
            "refresh materialized view app.report with data;",
            Medium,
            &MESSAGE.replace("Report", "app.report"),
        );
        rule.reports(
            VIEW,
            "REFRESH MATERIALIZED VIEW public.\"Report\" WITH NO DATA;",
            Medium,
            "empties the materialized view Report, which nobody can read until it is refreshed",
        );
    }

    #[test]
    fn a_unique_index_is_what_it_takes() {
        let rule = postgres(&RULE);
        let indexed = format!("{VIEW} CREATE UNIQUE INDEX i ON \"Report\" (day);");
        let script = "REFRESH MATERIALIZED VIEW \"Report\";";
        let findings = rule.on(&indexed).check(script);
        let edit = &findings[0].suggestions[0].edits[0];
        let mut mended = script.to_owned();
        mended.insert_str(edit.at.start as usize, &edit.text);
        assert_eq!(mended, "REFRESH MATERIALIZED VIEW CONCURRENTLY \"Report\";");
        rule.ignores(&indexed, &mended);
        let partial = format!("{VIEW} CREATE UNIQUE INDEX i ON \"Report\" (day) WHERE day > '2020-01-01';");
        let findings = rule.on(&partial).check(script);
        assert!(findings[0].suggestions.is_empty());
        assert!(
            findings[0]
                .help
                .as_ref()
                .is_some_and(|help| help.starts_with("add a unique index"))
        );
    }

    #[test]
    fn nobody_reads_it_yet_or_everybody_still_can() {
        let rule = postgres(&RULE);
        rule.ignores(VIEW, "REFRESH MATERIALIZED VIEW CONCURRENTLY \"Report\";");
        rule.ignores(
            "",
            "CREATE MATERIALIZED VIEW v AS SELECT 1 WITH NO DATA; REFRESH MATERIALIZED VIEW v;",
        );
        rule.ignores(
            VIEW,
            "DROP MATERIALIZED VIEW \"Report\"; CREATE MATERIALIZED VIEW \"Report\" AS SELECT 1; REFRESH MATERIALIZED \
             VIEW \"Report\";",
        );
    }
}
