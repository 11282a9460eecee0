//! `drop-not-null`: what trusted a column to have a value does not say so when it has none.

use tollgate_plugin::rules::{ALL_DIALECTS, Context, Findings, Rule, Step, rebuild, words};
use tollgate_plugin::{ColumnName, ConstraintKind, IndexKey, ObjectKind, Operation, Relation, Severity};

pub(super) const RULE: Rule = Rule {
    id: "drop-not-null",
    summary: "DROP NOT NULL on a column that unique indexes, foreign keys or views trust to have a value",
    severity: Severity::Medium,
    dialects: ALL_DIALECTS,
    triggers: &["drop-not-null", "table-rebuild"],
    explanation: "\
**What it does.** Reports a column that was required and is not any more, where something in the database relied on that: a \
unique index or a foreign key over several columns (medium), a view (low). It needs the catalog or the earlier migrations, \
and names what it has found. That readers in the application may meet NULL is said by `destructive/drop-not-null`.

**Why it matters.** A row without a value in one column of a unique index equals no other row: duplicates come in without an \
error. A foreign key over several columns is not checked at all for such a row. A view hands the NULL on; `NOT IN` over it \
finds nothing any more.

**Instead.** Decide what a missing value means. Where it is a value of its own, make the index `NULLS NOT DISTINCT` \
(PostgreSQL 15) or add a partial unique index for the rows without one; make the foreign key `MATCH FULL`.",
    bad: "CREATE TABLE members (org int NOT NULL, email text NOT NULL, UNIQUE (org, email));\n-- migration\n\
          ALTER TABLE members ALTER COLUMN org DROP NOT NULL;",
    good: "CREATE TABLE members (org int NOT NULL, email text NOT NULL UNIQUE, note text NOT NULL);\n-- migration\n\
           ALTER TABLE members ALTER COLUMN note DROP NOT NULL;",
    check,
    ..Rule::DEFAULT
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for step in context.steps() {
        let Operation::DropNotNull(column) = &step.effect.operation else {
            continue;
        };
        let was_required = context.original_column(&step, column).is_some_and(|original| {
            let before = context.before.relation(&original.table);
            before.is_some_and(|before| before.column(&original.column).is_some_and(|column| column.not_null))
        });
        if was_required && !context.is_new_column(&step, column) {
            report(context, findings, &step, column);
        }
    }
    for rebuilt in rebuild::of_tables_with_rows(context) {
        for (new, old) in rebuilt.taken_over(context) {
            if old.not_null && !new.not_null {
                let column = ColumnName::new(rebuilt.rebuild.table.clone(), new.name.clone());
                report(context, findings, &rebuilt.create, &column);
            }
        }
    }
}

fn report(context: &Context<'_>, findings: &mut Findings<'_>, step: &Step<'_>, column: &ColumnName) {
    let Some(after) = context.after.relation(&column.table) else {
        return;
    };
    let is_optional = after
        .columns
        .iter()
        .any(|found| context.same_identifier(&found.name, &column.column) && !found.not_null);
    if !is_optional {
        return;
    }
    let unique = unique_indexes(context, &after, &column.column);
    let foreign = foreign_keys(context, &after, &column.column);
    let views = views(context, column);
    let mut harms = Vec::new();
    if !unique.is_empty() {
        harms.push(format!(
            "{} lets duplicates in where it has no value",
            words::list(&unique)
        ));
    }
    if !foreign.is_empty() {
        harms.push(format!("{} does not check rows without it", words::list(&foreign)));
    }
    if !views.is_empty() {
        harms.push(format!("{} shows NULL", words::list(&views)));
    }
    if harms.is_empty() {
        return;
    }
    let verb = step.verb("lets", "let");
    let finding = findings.report(step, format!("{verb} {column} be NULL: {}", harms.join("; ")));
    finding.help("decide what a missing value means to them, and change them with it");
    if unique.is_empty() && foreign.is_empty() {
        finding.severity(Severity::Low);
    }
}

/// Unique indexes of several columns, one of which is this.
fn unique_indexes(context: &Context<'_>, relation: &Relation, column: &str) -> Vec<String> {
    let is_key = |key: &IndexKey| matches!(key, IndexKey::Column(name) if context.same_identifier(name, column));
    let found = relation.indexes.iter().filter(|index| {
        let partial = index
            .predicate
            .as_ref()
            .is_some_and(|predicate| predicate.contains(column));
        let distinct = !index.nulls_not_distinct && !index.primary;
        index.unique && distinct && index.keys.len() > 1 && index.keys.iter().any(is_key) && !partial
    });
    found.map(|index| format!("the unique index {}", index.name)).collect()
}

/// Foreign keys over several columns, one of which is this.
fn foreign_keys(context: &Context<'_>, relation: &Relation, column: &str) -> Vec<String> {
    let found = relation.constraints.iter().filter(|constraint| {
        constraint.kind == ConstraintKind::ForeignKey
            && constraint.columns.len() > 1
            && constraint
                .columns
                .iter()
                .any(|name| context.same_identifier(name, column))
    });
    found
        .map(|constraint| match constraint.name.as_str() {
            "" => format!("the foreign key ({})", constraint.columns.join(", ")),
            name => format!("the foreign key {name}"),
        })
        .collect()
}

/// Views that read the column, as far as that is known.
fn views(context: &Context<'_>, column: &ColumnName) -> Vec<String> {
    let mut found = context.after.dependents(ObjectKind::Table, &column.table);
    found.retain(|dependent| {
        let is_view = matches!(dependent.kind, ObjectKind::View | ObjectKind::MaterializedView);
        let reads = dependent.column.as_ref();
        is_view && reads.is_some_and(|name| context.same_identifier(name, &column.column))
    });
    found.iter().map(words::dependent).collect()
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::{Low, Medium};
    use tollgate_plugin::testing;

    use super::RULE;
    use crate::judge::{postgres, sqlite};

    const MEMBERS: &str = "\
        CREATE TABLE orgs (id int, region int, PRIMARY KEY (id, region));
        CREATE TABLE members (id int PRIMARY KEY, org int NOT NULL, region int NOT NULL, email text NOT NULL,
            \"nickName\" text NOT NULL, note text NOT NULL, UNIQUE (org, email),
            CONSTRAINT home FOREIGN KEY (org, region) REFERENCES orgs (id, region));
        CREATE UNIQUE INDEX one_email ON members (email);
        CREATE VIEW names AS SELECT \"nickName\" FROM members;";

    #[test]
    fn what_trusted_it_is_named() {
        let rule = postgres(&RULE);
        rule.reports(
            MEMBERS,
            "ALTER TABLE members ALTER org DROP NOT NULL;",
            Medium,
            "lets members.org be NULL: the unique index members_org_email_key lets duplicates in where it has no value; \
             the foreign key home does not check rows without it",
        );
        rule.reports(
            MEMBERS,
            "ALTER TABLE public.members ALTER COLUMN region DROP NOT NULL;",
            Medium,
            "lets members.region be NULL: the foreign key home does not check rows without it",
        );
        rule.reports(
            MEMBERS,
            "ALTER TABLE members ALTER COLUMN \"nickName\" DROP NOT NULL;",
            Low,
            "lets members.nickName be NULL: the view names shows NULL",
        );
    }

    #[test]
    fn a_rebuild_may_drop_it() {
        let rebuild = |column: &str| {
            format!(
                "CREATE TABLE new_t (a TEXT NOT NULL, {column});\nINSERT INTO new_t (a, b) SELECT a, b FROM t;\n\
                 DROP TABLE t;\nALTER TABLE new_t RENAME TO t;\nCREATE UNIQUE INDEX pair ON t (a, b);"
            )
        };
        let before = "CREATE TABLE t (a TEXT NOT NULL, b TEXT NOT NULL); CREATE UNIQUE INDEX pair ON t (a, b);";
        let rule = sqlite(&RULE);
        let message = "lets t.b be NULL: the unique index pair lets duplicates in where it has no value";
        rule.reports(before, &rebuild("b TEXT"), Medium, message);
        rule.ignores(before, &rebuild("b TEXT NOT NULL"));
    }

    #[test]
    fn nothing_trusted_it() {
        let rule = postgres(&RULE);
        rule.ignores(MEMBERS, "ALTER TABLE members ALTER note DROP NOT NULL;");
        rule.ignores(
            "CREATE TABLE t (a int NOT NULL, b int, UNIQUE NULLS NOT DISTINCT (a, b));",
            "ALTER TABLE t ALTER a DROP NOT NULL;",
        );
        rule.ignores("", "ALTER TABLE members ALTER org DROP NOT NULL;");
        rule.ignores(
            MEMBERS,
            "DROP VIEW names; ALTER TABLE members ALTER COLUMN \"nickName\" DROP NOT NULL;",
        );
        rule.ignores(
            MEMBERS,
            "ALTER TABLE members ALTER org DROP NOT NULL, ALTER org SET NOT NULL;",
        );
        rule.ignores(
            MEMBERS,
            "ALTER TABLE members ALTER email DROP NOT NULL, DROP CONSTRAINT members_org_email_key;",
        );
        let pending = "CREATE TABLE t (a int NOT NULL, b int, UNIQUE (a, b));";
        testing::assert_reports(
            &rule.on(MEMBERS).pending(pending),
            "ALTER TABLE t ALTER a DROP NOT NULL;",
            Medium,
            "lets t.a be NULL: the unique index t_a_b_key lets duplicates in where it has no value",
        );
    }
}
