//! `drop-column-still-read`: a column goes that a view, a function or another object of the database still uses.

use tollgate_plugin::rules::{ALL_DIALECTS, Context, Findings, Rule, Step, words};
use tollgate_plugin::{ColumnName, Dependent, Dialect, DroppedColumn, ObjectKind, Operation, Severity};

use super::readers;

pub(super) const RULE: Rule = Rule {
    id: "drop-column-still-read",
    summary: "A column is dropped that a view or function of the database still reads",
    severity: Severity::High,
    dialects: ALL_DIALECTS,
    triggers: &["drop-column"],
    explanation: "\
**What it does.** Reports `DROP COLUMN` where the catalog or the earlier migrations show an object that needs the column and \
that the migration neither drops nor makes anew: a view, a foreign key, a policy or trigger that names it, a computed column, \
a function whose body the server has parsed. Also where the function of a trigger on the table names the column, of which the server knows nothing.

**Why it matters.** The statement fails, and with it the deploy: the server keeps a column that something depends on (on \
SQLite a view or trigger that would become invalid). A trigger's function is worse. It is found out at the next write to the \
table, which fails, as does every one after it. (That the values are lost is said by `destructive/drop-column`; what goes \
along with CASCADE by `destructive/drop-cascade`.)

**Instead.** Make the view or function anew without the column first, in the same migration.",
    bad: "CREATE TABLE users (id int, name text);\nCREATE VIEW names AS SELECT name FROM users;\n-- migration\n\
          ALTER TABLE users DROP COLUMN name;",
    good: "CREATE TABLE users (id int, name text);\nCREATE VIEW names AS SELECT name FROM users;\n-- migration\n\
           DROP VIEW names;\nALTER TABLE users DROP COLUMN name;",
    check,
    ..Rule::DEFAULT
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for step in context.steps() {
        if let Operation::DropColumn(dropped) = &step.effect.operation {
            report(context, findings, &step, dropped);
        }
    }
}

fn report(context: &Context<'_>, findings: &mut Findings<'_>, step: &Step<'_>, dropped: &DroppedColumn) {
    if context.is_new_column(step, &dropped.column) {
        return;
    }
    let Some(original) = context.original_column(step, &dropped.column) else {
        return;
    };
    let verb = step.verb("drops", "drop");
    let start = format!("{verb} the column {}", dropped.column);
    if !dropped.cascade {
        let mut needed = context.remaining_dependents(step, ObjectKind::Table, &original.table);
        needed.retain(|dependent| needs(context, dependent, &original) && !is_replaced(context, step, dependent));
        if let Some(before) = context.before.relation(&original.table) {
            needed.extend(readers::members(context, step, &before, &original.column));
        }
        let (unsure, sure): (Vec<_>, Vec<_>) = needed
            .into_iter()
            .partition(|dependent| is_ambiguous(context, dependent, &original));
        if !sure.is_empty() {
            let verb = if sure.len() == 1 { "needs" } else { "need" };
            let message = format!("{start}, which fails because {} {verb} it", words::dependents(&sure));
            findings.report(step, message).help(HELP);
        } else if !unsure.is_empty() {
            let message = format!("{start}, which fails where {} reads it", words::dependents(&unsure));
            findings.report(step, message).severity(Severity::Medium).help(HELP);
        }
    }
    if context.dialect() == Dialect::Postgres {
        report_functions(context, findings, step, &dropped.column, &start);
    }
}

/// Functions, into whose bodies the server does not look.
fn report_functions(
    context: &Context<'_>,
    findings: &mut Findings<'_>,
    step: &Step<'_>,
    column: &ColumnName,
    start: &str,
) {
    let of_triggers = readers::trigger_functions(context.after, &column.table, &column.column);
    if !of_triggers.is_empty() {
        let message = format!(
            "{start}, which the trigger function {} names: every write to {} fails from then on",
            words::list(&of_triggers),
            column.table.short()
        );
        findings.report(step, message).help(HELP_FUNCTION);
    }
    let mut others = readers::functions(context, &column.table, &column.column);
    others.retain(|name| !of_triggers.contains(name));
    if !others.is_empty() {
        let message = format!(
            "{start}, which the function {} names: its next call fails",
            words::list(&others)
        );
        findings
            .report(step, message)
            .severity(Severity::Medium)
            .help(HELP_FUNCTION);
    }
}

const HELP_FUNCTION: &str = "replace the function by one without the column first";

const HELP: &str = "make it anew without the column first, in the same migration";

/// Whether a dependent of the table needs this column.
fn needs(context: &Context<'_>, dependent: &Dependent, column: &ColumnName) -> bool {
    let is_view = matches!(dependent.kind, ObjectKind::View | ObjectKind::MaterializedView);
    match &dependent.column {
        Some(needed) => context.same_identifier(needed, &column.column),
        // PostgreSQL writes out `SELECT *` when the view is made, SQLite each time it is read.
        None if is_view && context.dialect() == Dialect::Postgres => context
            .before
            .relation(&dependent.name)
            .is_some_and(|view| view.columns.is_empty() || view.column(&column.column).is_some()),
        None => false,
    }
}

/// A statement above has made the view or function anew; a drop would be known already.
fn is_replaced(context: &Context<'_>, step: &Step<'_>, dependent: &Dependent) -> bool {
    context
        .steps_before(step)
        .any(|earlier| match &earlier.effect.operation {
            Operation::Create(created) => {
                created.or_replace
                    && created.kind == dependent.kind
                    && context.same(dependent.kind, &created.name, &dependent.name)
            }
            _ => false,
        })
}

/// A view that also reads another table with a column of this name, or has a `*` of some time: without a server nobody can
/// tell what it means.
fn is_ambiguous(context: &Context<'_>, dependent: &Dependent, column: &ColumnName) -> bool {
    if !matches!(dependent.kind, ObjectKind::View | ObjectKind::MaterializedView) {
        return false;
    }
    if dependent.column.is_none() {
        let view = context.before.relation(&dependent.name);
        return view.is_none_or(|view| view.columns.is_empty());
    }
    let text = context
        .before
        .ddl(dependent.kind, &dependent.name)
        .unwrap_or_default()
        .join(" ");
    let known = [&dependent.name, &column.table];
    readers::names_another_table(context, &readers::names(&text), &known, &column.column)
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::{High, Medium};

    use super::RULE;
    use crate::judge::{postgres, sqlite};

    const USERS: &str = "\
        CREATE TABLE users (id int PRIMARY KEY, name text, \"fullName\" text, age int);
        CREATE VIEW names AS SELECT u.name, u.\"fullName\" FROM users u;
        CREATE MATERIALIZED VIEW app.ages AS SELECT age FROM users;";

    #[test]
    fn a_view_reads_it() {
        let rule = postgres(&RULE);
        rule.reports(
            USERS,
            "ALTER TABLE users DROP COLUMN name;",
            High,
            "drops the column users.name, which fails because the view names needs it",
        );
        rule.reports(
            USERS,
            "ALTER TABLE public.\"users\" DROP \"fullName\";",
            High,
            "drops the column users.fullName, which fails because the view names needs it",
        );
        rule.reports(
            USERS,
            "ALTER TABLE users DROP age;",
            High,
            "drops the column users.age, which fails because the materialized view app.ages needs it",
        );
        rule.reports(
            "CREATE TABLE t (a int, b int); CREATE VIEW v AS SELECT * FROM t;",
            "ALTER TABLE t DROP b;",
            Medium,
            "drops the column t.b, which fails where the view v reads it",
        );
        sqlite(&RULE).reports(
            "CREATE TABLE t (a int, b int); CREATE VIEW v AS SELECT b FROM t;",
            "ALTER TABLE t DROP COLUMN b;",
            High,
            "drops the column t.b, which fails because the view v needs it",
        );
    }

    #[test]
    fn a_foreign_key_needs_it() {
        postgres(&RULE).reports(
            "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (a_id int REFERENCES a (id));",
            "ALTER TABLE a DROP COLUMN id;",
            High,
            "drops the column a.id, which fails because the constraint b_a_id_fkey of b needs it",
        );
    }

    #[test]
    fn parts_of_the_table_need_it() {
        let before = "\
            CREATE TABLE t (a int, b int, c int GENERATED ALWAYS AS (a + 1) STORED, \"D\" int, e int, f int);
            CREATE POLICY own ON t USING (b > 0);
            CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
            CREATE TRIGGER listed BEFORE UPDATE OF f, \"D\" ON t FOR EACH ROW EXECUTE FUNCTION touch();
            CREATE TRIGGER guarded BEFORE UPDATE ON t FOR EACH ROW WHEN (NEW.e > 1) EXECUTE FUNCTION touch();";
        let rule = postgres(&RULE);
        for (column, reason) in [
            ("a", "the column t.c"),
            ("b", "the policy own of t"),
            ("\"D\"", "the trigger listed of t"),
            ("e", "the trigger guarded of t"),
        ] {
            let name = column.replace('"', "");
            let message = format!("drops the column t.{name}, which fails because {reason} needs it");
            rule.reports(before, &format!("ALTER TABLE t DROP COLUMN {column};"), High, &message);
        }
        rule.ignores(before, "ALTER TABLE t DROP COLUMN c, DROP COLUMN a;");
        rule.ignores(before, "DROP POLICY own ON t; ALTER TABLE t DROP COLUMN b;");
        rule.ignores(before, "DROP TRIGGER guarded ON t; ALTER TABLE t DROP COLUMN e;");
        sqlite(&RULE).reports(
            "CREATE TABLE t (a int, b int); CREATE TABLE log (x);
             CREATE TRIGGER noted AFTER INSERT ON t BEGIN INSERT INTO log VALUES (NEW.b); END;",
            "ALTER TABLE t DROP COLUMN b;",
            High,
            "drops the column t.b, which fails because the trigger noted of t needs it",
        );
    }

    #[test]
    fn a_join_may_mean_another_column() {
        postgres(&RULE).reports(
            "CREATE TABLE a (id int, name text); CREATE TABLE b (id int, name text);
             CREATE VIEW v AS SELECT b.name FROM a JOIN b USING (id);",
            "ALTER TABLE a DROP COLUMN name;",
            Medium,
            "drops the column a.name, which fails where the view v reads it",
        );
    }

    const TRIGGER: &str = "\
        CREATE TABLE users (id int, name text, slug text);
        CREATE FUNCTION fill() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.slug := lower(NEW.name); RETURN NEW; END $$;
        CREATE TRIGGER fill_slug BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION fill();";

    #[test]
    fn a_trigger_function_names_it() {
        let rule = postgres(&RULE);
        let message = "drops the column users.slug, which the trigger function fill names: every write to users fails from then on";
        rule.reports(TRIGGER, "ALTER TABLE users DROP COLUMN slug CASCADE;", High, message);
        rule.ignores(
            TRIGGER,
            "DROP TRIGGER fill_slug ON users; ALTER TABLE users DROP COLUMN slug;",
        );
        rule.ignores(
            TRIGGER,
            "CREATE OR REPLACE FUNCTION fill() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
             ALTER TABLE users DROP COLUMN slug;",
        );
    }

    #[test]
    fn a_function_names_it() {
        let before = "\
            CREATE TABLE users (id int, name text, age int);
            CREATE FUNCTION called(int) RETURNS text LANGUAGE sql AS 'SELECT name FROM users WHERE id = $1';";
        let rule = postgres(&RULE);
        rule.reports(
            before,
            "ALTER TABLE users DROP COLUMN name;",
            Medium,
            "drops the column users.name, which the function called names: its next call fails",
        );
        rule.ignores(before, "ALTER TABLE users DROP COLUMN age;");
        rule.ignores(before, "DROP FUNCTION called; ALTER TABLE users DROP COLUMN name;");
    }

    #[test]
    fn nothing_reads_it_any_more() {
        let rule = postgres(&RULE);
        rule.ignores(USERS, "DROP VIEW names; ALTER TABLE users DROP COLUMN name;");
        rule.ignores(
            USERS,
            "CREATE OR REPLACE VIEW names AS SELECT NULL::text AS name, u.\"fullName\" FROM users u;
             ALTER TABLE users DROP COLUMN name;",
        );
        rule.ignores(USERS, "ALTER TABLE users DROP COLUMN name CASCADE;");
        rule.ignores(USERS, "ALTER TABLE users ADD x int; ALTER TABLE users DROP x;");
        rule.ignores("", "ALTER TABLE users DROP COLUMN name;");
        sqlite(&RULE).ignores(
            "CREATE TABLE t (a int, b int); CREATE VIEW v AS SELECT * FROM t;",
            "ALTER TABLE t DROP COLUMN b;",
        );
    }
}
