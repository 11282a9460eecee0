//! `rename-column`: a column that the application reads by its name gets another one.

use tollgate_plugin::rules::rebuild::{self, Rebuilt};
use tollgate_plugin::rules::{ALL_DIALECTS, Context, Findings, Rule, Step, words};
use tollgate_plugin::{ColumnDefinition, ColumnName, ColumnRename, Dialect, ObjectKind, Operation, Severity};

use super::super::mysql::is_change;
use super::{Offered, readers};

pub(super) const RULE: Rule = Rule {
    id: "rename-column",
    summary: "A column is renamed while the application uses its name",
    severity: Severity::High,
    dialects: ALL_DIALECTS,
    triggers: &["rename-column", "table-rebuild"],
    explanation: "\
**What it does.** Reports `RENAME COLUMN` of a column that was there before the plan, and a rebuild of a SQLite table that \
copies it into one of another name. Silent when a column can still be read \
under the old table's and the old column's name afterwards: because it is added again, or because a view has taken the \
table's place. (MySQL's `CHANGE` is said by `change-column-rename`.)

**Why it matters.** The application that is running names the old column. From the commit on its queries fail, until every \
instance has been replaced; and the old release can no longer be brought back. Views follow the rename, functions do not: \
the body of a trigger's function that names the column fails at the next write.

**Instead.** Add the new column, write both (in the application or by a trigger), fill the old rows in batches, move the \
readers, and drop the old one in a later release. Or rename the table too, and leave a view with all the old names.",
    bad: "ALTER TABLE users RENAME COLUMN name TO full_name;",
    good: "ALTER TABLE users RENAME TO users_table;\nALTER TABLE users_table RENAME COLUMN name TO full_name;\n\
           CREATE VIEW users AS SELECT id, full_name, full_name AS name FROM users_table;",
    check,
    ..Rule::DEFAULT
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for step in context.steps() {
        if let Operation::RenameColumn(rename) = &step.effect.operation
            && !(context.dialect() == Dialect::Mysql && is_change(context, &step))
        {
            report(context, findings, &step, rename);
        }
    }
    for rebuilt in rebuild::all(context) {
        if !context.before.known_empty(&rebuilt.rebuild.table) {
            report_rebuilt(context, findings, &rebuilt);
        }
    }
}

/// Columns whose values a rebuild puts into a column of another name.
fn report_rebuilt(context: &Context<'_>, findings: &mut Findings<'_>, rebuilt: &Rebuilt<'_>) {
    for (new, old) in rebuilt.taken_over(context) {
        let kept = |column: &ColumnDefinition| context.same_identifier(&column.name, &old.name);
        if !rebuilt.created.columns.iter().any(kept) {
            let column = ColumnName::new(rebuilt.rebuild.table.clone(), old.name.clone());
            let message = format!(
                "the rebuild renames the column {column} to {}: queries of the running application that name {} fail",
                new.name, old.name
            );
            findings
                .report(&rebuilt.create, message)
                .help(help(&old.name, &new.name));
        }
    }
}

fn help(from: &str, to: &str) -> String {
    format!("add {to} beside it, write both, move the readers, and drop {from} in a later release")
}

fn report(context: &Context<'_>, findings: &mut Findings<'_>, step: &Step<'_>, rename: &ColumnRename) {
    if context.is_new_column(step, &rename.from) || context.same_identifier(&rename.from.column, &rename.to) {
        return;
    }
    let Some(original) = context.original_column(step, &rename.from) else {
        return;
    };
    // What is renamed twice was reported the first time.
    let first = context.same_identifier(&original.column, &rename.from.column);
    if !first || context.before.known_empty(&original.table) || is_readable_after(context, step, &original) {
        return;
    }
    let verb = step.verb("renames", "rename");
    let (column, to) = (&rename.from.column, &rename.to);
    let mut message = format!(
        "{verb} the column {} to {to}: queries of the running application that name {column} fail",
        rename.from
    );
    if context.dialect() == Dialect::Postgres {
        let table = &rename.from.table;
        let mut readers = readers::trigger_functions(context.after, table, column);
        readers.extend(readers::functions(context, table, column));
        if !readers.is_empty() {
            message = format!("{message}, and so does the function {}", words::list(&readers));
        }
    }
    findings.report(step, message).help(help(column, to));
}

/// A query that names the old table and the old column still finds something.
fn is_readable_after(context: &Context<'_>, step: &Step<'_>, original: &ColumnName) -> bool {
    let Some(after) = context.after.relation(&original.table) else {
        return false;
    };
    let offered = Offered::of(context, &after);
    // A view's `*` stands for the columns' names at the time when the view was made.
    let made_later = context.steps_after(step).any(|later| match &later.effect.operation {
        Operation::Create(created) => context.same(ObjectKind::Table, &created.name, &original.table),
        _ => false,
    });
    if offered.everything && made_later {
        return offered
            .columns
            .iter()
            .any(|name| context.same_identifier(name, &original.column));
    }
    offered.has(context, &original.column)
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::High;
    use tollgate_plugin::testing;

    use super::RULE;
    use crate::judge::{postgres, sqlite};

    const USERS: &str = "CREATE TABLE users (id int PRIMARY KEY, name text, \"fullName\" text);";

    #[test]
    fn queries_name_the_old_column() {
        let rule = postgres(&RULE);
        let message = "renames the column users.name to nick: queries of the running application that name name fail";
        rule.reports("", "ALTER TABLE users RENAME name TO nick;", High, message);
        rule.reports(
            USERS,
            "ALTER TABLE public.users RENAME COLUMN name TO nick;",
            High,
            message,
        );
        rule.reports(
            USERS,
            "ALTER TABLE \"users\" RENAME COLUMN \"fullName\" TO \"full_name\";",
            High,
            "renames the column users.fullName to full_name: queries of the running application that name fullName fail",
        );
        rule.reports(
            USERS,
            "ALTER TABLE users RENAME TO people; ALTER TABLE people RENAME name TO nick;
             CREATE VIEW users AS SELECT * FROM people;",
            High,
            "renames the column people.name to nick: queries of the running application that name name fail",
        );
        let twice = "ALTER TABLE users RENAME name TO nick; ALTER TABLE users RENAME nick TO handle;";
        rule.reports(USERS, twice, High, message);
        sqlite(&RULE).reports(USERS, "ALTER TABLE users RENAME COLUMN name TO nick;", High, message);
    }

    #[test]
    fn a_rebuild_may_rename_it() {
        let rebuild = "\
            CREATE TABLE new_t (id INTEGER PRIMARY KEY, \"full_name\" TEXT);\n\
            INSERT INTO new_t (id, full_name) SELECT id, \"fullName\" FROM t;\nDROP TABLE t;\nALTER TABLE new_t RENAME TO t;";
        let rule = sqlite(&RULE);
        rule.reports(
            "CREATE TABLE t (id INTEGER PRIMARY KEY, \"fullName\" TEXT);",
            rebuild,
            High,
            "the rebuild renames the column t.fullName to full_name: queries of the running application that name fullName fail",
        );
        rule.ignores(
            "CREATE TABLE t (id INTEGER PRIMARY KEY, \"fullName\" TEXT);",
            &rebuild.replace("\"full_name\" TEXT", "\"full_name\" TEXT, \"fullName\" TEXT"),
        );
        rule.ignores(
            "CREATE TABLE t (id INTEGER PRIMARY KEY, full_name TEXT);",
            &rebuild.replace("fullName", "full_name"),
        );
    }

    #[test]
    fn functions_do_not_follow() {
        let before = "\
            CREATE TABLE users (id int, name text);
            CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.id := length(new.name); RETURN NEW; END $$;
            CREATE TRIGGER t BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION note();";
        let message = "renames the column users.name to nick: queries of the running application that name name fail, \
            and so does the function note";
        postgres(&RULE).reports(before, "ALTER TABLE users RENAME name TO nick;", High, message);
        let before = "\
            CREATE TABLE users (id int, name text); CREATE TABLE pets (name text, age int);
            CREATE FUNCTION called(int) RETURNS text LANGUAGE sql AS 'SELECT name FROM public.users WHERE id = $1';
            CREATE FUNCTION other() RETURNS text LANGUAGE sql AS 'SELECT p.name FROM pets p, users u';";
        let message = "renames the column users.name to nick: queries of the running application that name name fail, \
            and so does the function called";
        postgres(&RULE).reports(before, "ALTER TABLE users RENAME name TO nick;", High, message);
    }

    #[test]
    fn the_old_name_still_works() {
        let rule = postgres(&RULE);
        rule.ignores(
            USERS,
            "ALTER TABLE users RENAME TO people; ALTER TABLE people RENAME name TO nick;
             CREATE VIEW users AS SELECT id, nick AS name FROM people;",
        );
        rule.ignores(
            USERS,
            "ALTER TABLE users RENAME TO people; CREATE VIEW users AS SELECT * FROM people;
             ALTER TABLE people RENAME name TO nick;",
        );
        rule.ignores(
            USERS,
            "ALTER TABLE users RENAME name TO old_name; ALTER TABLE users ADD COLUMN name jsonb;",
        );
        rule.ignores(
            USERS,
            "ALTER TABLE users RENAME name TO x; ALTER TABLE users RENAME x TO name;",
        );
        sqlite(&RULE).ignores(USERS, "ALTER TABLE users RENAME COLUMN name TO Name;");
    }

    #[test]
    fn nobody_uses_what_is_new() {
        let rule = postgres(&RULE);
        rule.ignores("", "CREATE TABLE a (b int); ALTER TABLE a RENAME b TO c;");
        rule.ignores(
            USERS,
            "ALTER TABLE users ADD COLUMN name_temp jsonb; ALTER TABLE users DROP COLUMN name;
             ALTER TABLE users RENAME COLUMN name_temp TO name;",
        );
        testing::assert_ignores(
            &rule.on(USERS).pending("CREATE TABLE a (b int);"),
            "ALTER TABLE a RENAME b TO c;",
        );
    }
}
