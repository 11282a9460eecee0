//! `dynamic-sql-opaque`: SQL made at run time, whose locks nobody can foresee.

use tollgate_plugin::rules::{Context, Findings, Rule};
use tollgate_plugin::{Dialect, Operation, Severity};

use crate::tokens;

pub(super) const RULE: Rule = Rule {
    id: "dynamic-sql-opaque",
    summary: "SQL made at run time locks and changes what nobody can foresee",
    severity: Severity::Low,
    dialects: &[Dialect::Postgres],
    triggers: &["dynamic"],
    explanation: "\
**What it does.** Reports `EXECUTE` of SQL that is put together at run time, and calls of functions that are not the \
server's own. Medium where the visible part shows a statement that locks tables or changes rows (`ALTER TABLE`, \
`CREATE INDEX`, `UPDATE`, …). `EXECUTE` of a constant is read like any other statement and not reported.

**Why it matters.** Which tables are locked and how long, how many rows are changed: no rule can tell, and no reviewer \
either.

**Instead.** Write the statements out. Where the names are only known to the server, let it print them, and put what \
it prints into the migration.",
    bad: "DO $$ DECLARE t text; BEGIN\n  FOR t IN SELECT tablename FROM pg_tables LOOP\n\
          \x20   EXECUTE format('ALTER TABLE %I ADD COLUMN note text', t);\n  END LOOP;\nEND $$;",
    good: "DO $$ BEGIN\n  EXECUTE 'COMMENT ON TABLE users IS ''people''';\nEND $$;",
    check,
    ..Rule::DEFAULT
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for step in context.steps() {
        let Operation::Dynamic(text) = &step.effect.operation else {
            continue;
        };
        let shown = visible(text);
        let what = shown.map_or_else(
            || "SQL that cannot be seen".to_owned(),
            |statement| format!("{statement} that is made at run time"),
        );
        let message = format!("runs {what}: which tables it locks, and how long, cannot be foreseen");
        let finding = findings.report(&step, message);
        finding.help("write the statements out, so that they can be judged before they run");
        if shown.is_some() {
            finding.severity(Severity::Medium);
        }
    }
}

/// What the strings in the text begin with, where that is a statement that locks or writes.
fn visible(text: &str) -> Option<&'static str> {
    const SHOWN: [(&str, &str); 13] = [
        ("alter table", "an ALTER TABLE"),
        ("alter index", "an ALTER INDEX"),
        ("alter type", "an ALTER TYPE"),
        ("create index", "a CREATE INDEX"),
        ("create unique index", "a CREATE INDEX"),
        ("create trigger", "a CREATE TRIGGER"),
        ("drop ", "a DROP"),
        ("truncate", "a TRUNCATE"),
        ("update ", "an UPDATE"),
        ("delete from", "a DELETE"),
        ("insert into", "an INSERT"),
        ("lock ", "a LOCK TABLE"),
        ("reindex", "a REINDEX"),
    ];
    tokens::read(text).iter().find_map(|token| {
        let words = token
            .body()?
            .to_lowercase()
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ");
        SHOWN
            .iter()
            .find(|(start, _)| words.starts_with(start) || format!("{words} ").starts_with(start))
            .map(|(_, name)| *name)
    })
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::{Low, Medium};

    use super::RULE;
    use crate::judge::{postgres, sqlite};

    #[test]
    fn nobody_can_foresee_what_it_locks() {
        let rule = postgres(&RULE);
        let unseen = "runs SQL that cannot be seen: which tables it locks, and how long, cannot be foreseen";
        rule.reports("", "DO $$ BEGIN EXECUTE statement FROM jobs; END $$;", Low, unseen);
        rule.reports("", "SELECT app.\"cleanUp\"(1);", Low, unseen);
        rule.reports(
            "",
            "DO $$ BEGIN EXECUTE format('CREATE INDEX ON %I (id)', current_user); END $$;",
            Medium,
            "runs a CREATE INDEX that is made at run time: which tables it locks, and how long, cannot be foreseen",
        );
        rule.reports(
            "",
            "DO $x$ BEGIN EXECUTE 'update ' || quote_ident(t) || ' set a = 1'; END $x$;",
            Medium,
            "runs an UPDATE that is made at run time: which tables it locks, and how long, cannot be foreseen",
        );
    }

    #[test]
    fn what_can_be_read() {
        let rule = postgres(&RULE);
        rule.ignores("", "DO $$ BEGIN EXECUTE 'ALTER TABLE users ADD COLUMN a int'; END $$;");
        rule.ignores("", "SELECT count(*), lower('A') FROM users;");
        rule.ignores("", "DO $$ BEGIN PERFORM pg_notify('a', 'b'); END $$;");
        rule.ignores(
            "",
            "CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $$ BEGIN EXECUTE format('DROP TABLE %I', 'a'); END \
             $$;",
        );
        sqlite(&RULE).ignores("", "SELECT f();");
    }
}
