//! `drop-default`: a column no longer gets a value of itself.

use tollgate_plugin::rules::{Context, Findings, Rule, Step};
use tollgate_plugin::{ColumnName, Dialect, IdentityChange, Operation, Severity};

use super::table_goes;
use crate::rebuild;

pub(super) const RULE: Rule = Rule {
    id: "drop-default",
    summary: "DROP DEFAULT: inserts that leave the column out get NULL or fail",
    severity: Severity::Low,
    triggers: &["drop-default", "set-identity", "table-rebuild"],
    explanation: "\
**What it does.** Reports a column that has no default any more when the migration has run. Medium where MySQL's `MODIFY` or `CHANGE` \
takes `AUTO_INCREMENT` away by not repeating it.

**Why it matters.** No value is lost, but an application that leaves the column out of its INSERT gets NULL from then on or, \
where the column is required, an error.

**Instead.** Deploy first the code that always writes the column.",
    bad: "ALTER TABLE users ALTER COLUMN role DROP DEFAULT;",
    good: "ALTER TABLE users ALTER COLUMN role DROP DEFAULT;\nALTER TABLE users ALTER COLUMN role SET DEFAULT 'member';",
    check,
    ..Rule::DEFAULT
};

const HELP: &str = "deploy first the code that always writes the column";

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for step in context.steps() {
        if let Operation::SetIdentity(change) = &step.effect.operation {
            report_auto_increment(context, findings, &step, change);
        }
        let Operation::DropDefault(column) = &step.effect.operation else {
            continue;
        };
        let had_one = context.original_column(&step, column).is_some_and(|original| {
            let relation = context.before.relation(&original.table);
            let known = relation.as_ref().and_then(|relation| relation.column(&original.column));
            known.is_none_or(|column| column.default.is_some())
        });
        if had_one && !context.is_new_column(&step, column) && !has_one_again(context, &step, column) {
            let message = format!("{} the default of {column}", step.verb("drops", "drop"));
            findings.report(&step, message).help(HELP);
        }
    }
    for rebuilt in rebuild::of_tables_with_rows(context) {
        for (new, old) in rebuilt.taken_over(context) {
            if old.default.is_some() && new.default.is_none() && new.generated.is_none() {
                let column = ColumnName::new(rebuilt.rebuild.table.clone(), new.name.clone());
                findings
                    .report(&rebuilt.create, format!("drops the default of {column}"))
                    .help(HELP);
            }
        }
    }
}

/// MODIFY and CHANGE say a column anew: what they do not repeat is gone.
fn report_auto_increment(context: &Context<'_>, findings: &mut Findings<'_>, step: &Step<'_>, change: &IdentityChange) {
    if context.dialect() != Dialect::Mysql || change.identity.is_some() || context.is_new_column(step, &change.column) {
        return;
    }
    let numbered = context.original_column(step, &change.column).is_some_and(|original| {
        let relation = context.before.relation(&original.table);
        relation.is_some_and(|relation| {
            relation
                .column(&original.column)
                .is_some_and(|column| column.identity.is_some())
        })
    });
    if numbered && !has_one_again(context, step, &change.column) {
        let message = format!(
            "{} AUTO_INCREMENT from {}: inserts that leave it out fail",
            step.verb("takes", "take"),
            change.column
        );
        findings
            .report(step, message)
            .severity(Severity::Medium)
            .help("repeat AUTO_INCREMENT in the definition");
    }
}

/// A later statement gives the column a default or takes the column or its table away; both are in the schema after.
fn has_one_again(context: &Context<'_>, step: &tollgate_plugin::rules::Step<'_>, column: &ColumnName) -> bool {
    let set_again = context.steps_after(step).any(|later| match &later.effect.operation {
        Operation::SetDefault(set) => {
            set.column.column == column.column
                && context.same(tollgate_plugin::ObjectKind::Table, &set.column.table, &column.table)
        }
        Operation::SetIdentity(set) => set.identity.is_some() && set.column == *column,
        _ => false,
    });
    let after = context.after.relation(&column.table);
    set_again
        || table_goes(context, &column.table)
        || after.is_some_and(|relation| !relation.uncertain && relation.column(&column.column).is_none())
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::Low;

    use super::RULE;
    use crate::judge::{postgres, sqlite};

    const USERS: &str = "CREATE TABLE users (id int, role text DEFAULT 'a', \"Nick\" text);";

    #[test]
    fn inserts_get_no_value() {
        let rule = postgres(&RULE);
        rule.reports(
            "",
            "ALTER TABLE users ALTER role DROP DEFAULT;",
            Low,
            "drops the default of users.role",
        );
        rule.reports(
            USERS,
            "ALTER TABLE \"users\" ALTER COLUMN \"role\" DROP DEFAULT;",
            Low,
            "drops the default of users.role",
        );
        rule.reports(
            "",
            "ALTER TABLE app.users ALTER role DROP DEFAULT;",
            Low,
            "drops the default of app.users.role",
        );
    }

    #[test]
    fn nothing_changes() {
        let rule = postgres(&RULE);
        rule.ignores(
            USERS,
            "ALTER TABLE users ALTER role DROP DEFAULT, ALTER role SET DEFAULT 'b';",
        );
        rule.ignores(USERS, "ALTER TABLE users ALTER \"Nick\" DROP DEFAULT;");
        rule.ignores(
            "",
            "CREATE TABLE users (role text DEFAULT 'a'); ALTER TABLE users ALTER role DROP DEFAULT;",
        );
        rule.ignores(
            USERS,
            "ALTER TABLE users ADD x int DEFAULT 1; ALTER TABLE users ALTER x DROP DEFAULT;",
        );
        rule.ignores(
            USERS,
            "ALTER TABLE users ALTER role DROP DEFAULT; ALTER TABLE users DROP COLUMN role;",
        );
    }

    #[test]
    fn a_rebuild_may_drop_a_default() {
        let rebuild = |column: &str| {
            format!(
                "CREATE TABLE new_t (id INTEGER, {column});\nINSERT INTO new_t (id, role) SELECT id, role FROM t;\n\
                 DROP TABLE t;\nALTER TABLE new_t RENAME TO t;"
            )
        };
        let before = "CREATE TABLE t (id INTEGER, role TEXT DEFAULT 'a');";
        let rule = sqlite(&RULE);
        rule.reports(before, &rebuild("role TEXT"), Low, "drops the default of t.role");
        rule.ignores(before, &rebuild("role TEXT DEFAULT 'b'"));
    }
}
