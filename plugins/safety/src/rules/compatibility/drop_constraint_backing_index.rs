//! `drop-constraint-backing-index`: a constraint takes the index with it that queries use.

use tollgate_plugin::rules::{Context, Findings, Rule, Step};
use tollgate_plugin::{ConstraintKind, Dialect, IndexKey, NamedConstraint, ObjectKind, Operation, Relation, Severity};

use super::in_use;
use crate::size::{self, Size};

pub(super) const RULE: Rule = Rule {
    id: "drop-constraint-backing-index",
    summary: "DROP CONSTRAINT drops the index behind it, which queries use",
    severity: Severity::Medium,
    dialects: &[Dialect::Postgres],
    triggers: &["drop-constraint"],
    explanation: "\
**What it does.** Reports `DROP CONSTRAINT` of a primary key, a unique or an exclusion constraint when no index that begins \
with the same column is left afterwards. Silent for tables that are known to be small or empty, and when the column goes too.

**Why it matters.** The index behind the constraint goes with it. Lookups by its columns, joins, and the checks of foreign \
keys read the whole table from then on, which is noticed under load. (That wrong rows are possible is said by \
`destructive/drop-constraint`.)

**Instead.** Make an index of its own first with `CREATE INDEX CONCURRENTLY`, then drop the constraint.",
    bad: "CREATE TABLE users (id int PRIMARY KEY, email text UNIQUE);\n-- migration\n\
          ALTER TABLE users DROP CONSTRAINT users_email_key;",
    good: "CREATE TABLE users (id int PRIMARY KEY, email text UNIQUE);\nCREATE INDEX users_email ON users (email);\n\
           -- migration\nALTER TABLE users DROP CONSTRAINT users_email_key;",
    check,
    ..Rule::DEFAULT
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for step in context.steps() {
        if let Operation::DropConstraint(dropped) = &step.effect.operation {
            report(context, findings, &step, dropped);
        }
    }
}

fn report(context: &Context<'_>, findings: &mut Findings<'_>, step: &Step<'_>, dropped: &NamedConstraint) {
    let Some(original) = in_use(context, step, ObjectKind::Table, &dropped.table) else {
        return;
    };
    let (Some(before), Some(after)) = (
        context.before.relation(&original),
        context.after.relation(&dropped.table),
    ) else {
        return;
    };
    let Some(constraint) = before.constraint(&dropped.name) else {
        return;
    };
    let behind = before
        .indexes
        .iter()
        .find(|index| index.constraint.as_ref() == Some(&dropped.name));
    let Some(IndexKey::Column(leading)) = behind.and_then(|index| index.keys.first()) else {
        return;
    };
    let column_gone = after.column(leading).is_none();
    if column_gone
        || after.uncertain
        || leads_an_index(&after, leading)
        || size::before(context, &original) == Size::Small
    {
        return;
    }
    let kind = match constraint.kind {
        ConstraintKind::PrimaryKey => "primary key".to_owned(),
        kind => format!("{kind} {}", dropped.name),
    };
    let table = dropped.table.short();
    let rows = context
        .rows_in_words(&original)
        .unwrap_or_else(|| "every row".to_owned());
    let columns = constraint.columns.join(", ");
    let verb = step.verb("drops", "drop");
    findings
        .report(
            step,
            format!("{verb} the index behind the {kind} of {table}: lookups by ({columns}) read {rows} from then on"),
        )
        .help(format!(
            "make an index on ({columns}) first, with CREATE INDEX CONCURRENTLY"
        ));
}

/// An index that serves lookups by the column.
fn leads_an_index(relation: &Relation, column: &str) -> bool {
    relation.indexes.iter().any(|index| {
        let leads = matches!(index.keys.first(), Some(IndexKey::Column(first)) if first == column);
        leads && index.valid && index.predicate.is_none()
    })
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::Medium;
    use tollgate_plugin::testing;

    use super::RULE;
    use crate::judge::postgres;

    const USERS: &str = "\
        CREATE TABLE users (id int PRIMARY KEY, org int, email text, name text,
            CONSTRAINT \"userEmail\" UNIQUE (email), CONSTRAINT pair UNIQUE (org, name), CHECK (org > 0));";

    #[test]
    fn lookups_lose_their_index() {
        let rule = postgres(&RULE);
        let message = "drops the index behind the unique constraint userEmail of users: lookups by (email) read every row from then on";
        rule.reports(
            USERS,
            "ALTER TABLE users DROP CONSTRAINT \"userEmail\";",
            Medium,
            message,
        );
        rule.reports(
            USERS,
            "ALTER TABLE public.users DROP CONSTRAINT users_pkey, ADD PRIMARY KEY (org, id);",
            Medium,
            "drops the index behind the primary key of users: lookups by (id) read every row from then on",
        );
        let test = rule.on(USERS).rows("users", 3_200_000);
        testing::assert_reports(
            &test,
            "ALTER TABLE users DROP CONSTRAINT pair;",
            Medium,
            "drops the index behind the unique constraint pair of users: lookups by (org, name) read about 3,200,000 rows from then on",
        );
    }

    #[test]
    fn another_index_serves_them() {
        let rule = postgres(&RULE);
        rule.ignores(
            USERS,
            "CREATE INDEX e ON users (email, id); ALTER TABLE users DROP CONSTRAINT \"userEmail\";",
        );
        rule.ignores(
            USERS,
            "ALTER TABLE users DROP CONSTRAINT pair, ADD CONSTRAINT pair2 UNIQUE (org, email);",
        );
        rule.ignores(
            USERS,
            "ALTER TABLE users DROP CONSTRAINT \"userEmail\", DROP COLUMN email;",
        );
        rule.ignores(
            USERS,
            "ALTER TABLE users DROP CONSTRAINT \"userEmail\"; DROP TABLE users;",
        );
    }

    #[test]
    fn there_is_nothing_to_look_up() {
        let rule = postgres(&RULE);
        rule.ignores(USERS, "ALTER TABLE users DROP CONSTRAINT users_org_check;");
        rule.ignores("", "ALTER TABLE users DROP CONSTRAINT x;");
        rule.ignores(
            "",
            "CREATE TABLE t (a int UNIQUE); ALTER TABLE t DROP CONSTRAINT t_a_key;",
        );
        testing::assert_ignores(
            &rule.on(USERS).rows("users", 40),
            "ALTER TABLE users DROP CONSTRAINT \"userEmail\";",
        );
    }
}
