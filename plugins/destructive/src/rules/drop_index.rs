//! `drop-index`: an index goes.

use tollgate_plugin::rules::{Context, Findings, Rule, Step};
use tollgate_plugin::{Dropped, Index, ObjectKind, ObjectName, Operation, Relation, Severity};

use super::{drops, table_goes};

pub(super) const RULE: Rule = Rule {
    id: "drop-index",
    summary: "DROP INDEX slows queries down; a unique one no longer refuses duplicates",
    severity: Severity::Medium,
    triggers: &["drop"],
    explanation: "\
**What it does.** Reports `DROP INDEX`. High when it is the only unique index behind a constraint or the referenced side of a \
foreign key. Silent when the table has another index that serves the same queries after the migration, or is dropped.

**Why it matters.** Queries that used it read the whole table, often only noticed under load. Without a unique index, equal \
rows come in, and the index cannot be made again until they are merged.

**Instead.** Make the new index first, then drop the old one. Ask the server's statistics whether the index is used.",
    bad: "DROP INDEX users_email_key;",
    good: "CREATE TABLE users (id int, email text);\nCREATE INDEX users_email ON users (email);\n-- migration\n\
           CREATE INDEX users_email_new ON users (email);\nDROP INDEX users_email;",
    check,
    ..Rule::DEFAULT
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for (step, dropped) in drops(context, &[ObjectKind::Index]) {
        report(context, findings, &step, dropped);
    }
}

fn report(context: &Context<'_>, findings: &mut Findings<'_>, step: &Step<'_>, dropped: &Dropped) {
    let Some(original) = context.original(step, ObjectKind::Index, &dropped.name) else {
        return;
    };
    let verb = step.verb("drops", "drop");
    let name = dropped.name.short();
    // MySQL's indexes belong to their tables: two may have the same name.
    let named = dropped
        .on
        .as_ref()
        .and_then(|table| context.original(step, ObjectKind::Table, table));
    let owner = named.or_else(|| context.before.index_owner(&original));
    let relation = owner.as_ref().and_then(|owner| context.before.relation(owner));
    let found = relation.as_ref().and_then(|relation| {
        let index = relation
            .indexes
            .iter()
            .find(|index| context.same_identifier(&index.name, &original.name))?;
        Some((relation, index))
    });
    let Some((relation, index)) = found else {
        if !made_again(context, step, dropped) {
            findings.report(step, format!("{verb} the index {name}")).help(HELP);
        }
        return;
    };
    // The server refuses to drop an index behind a constraint, so nothing after it tells whether it was replaced.
    let replaced = index.constraint.is_none() && has_same_key_after(context, &relation.name, index);
    if table_goes(context, &relation.name) || replaced || !keys_remain(context, relation, index) {
        return;
    }
    let table = relation.name.short();
    let kind = if index.unique { "unique index" } else { "index" };
    let start = format!("{verb} the {kind} {name} of {table}");
    if !index.unique {
        findings.report(step, start).help(HELP);
    } else if let Some(reason) = backs(context, relation, index) {
        findings
            .report(step, format!("{start}, {reason}"))
            .severity(Severity::High)
            .help(HELP);
    } else {
        findings
            .report(step, format!("{start}: equal rows are possible from then on"))
            .help(HELP);
    }
}

const HELP: &str = "make the index that takes its place first, and check that no query needs this one";

/// Without a catalog: a later or earlier statement makes an index of the same name.
fn made_again(context: &Context<'_>, step: &Step<'_>, dropped: &Dropped) -> bool {
    context.steps_after(step).any(|later| match &later.effect.operation {
        Operation::CreateIndex(index) => index
            .name
            .as_ref()
            .is_some_and(|name| context.same_identifier(name, &dropped.name.name)),
        _ => false,
    })
}

/// After the migration the table has an index over the same key, unique where the old one was.
fn has_same_key_after(context: &Context<'_>, table: &ObjectName, index: &Index) -> bool {
    context.after.relation(table).is_some_and(|after| {
        after.indexes.iter().any(|other| {
            let same = other.keys == index.keys && (other.unique || !index.unique);
            // A B-tree that begins with the keys serves the same queries, though it refuses no duplicates of them.
            // It also finds what a hash finds.
            let longer = !index.unique && other.method == "btree" && other.keys.starts_with(&index.keys);
            let method = other.method == index.method || (index.method == "hash" && other.method == "btree");
            (same || longer) && method && other.predicate == index.predicate
        })
    })
}

/// The columns of the key are still there after the migration; otherwise the index goes with them.
fn keys_remain(context: &Context<'_>, relation: &Relation, index: &Index) -> bool {
    let Some(after) = context.after.relation(&relation.name) else {
        return true;
    };
    let Some(columns) = index.key_columns() else {
        return true;
    };
    after.uncertain || columns.iter().all(|column| after.column(column).is_some())
}

/// What a unique index holds up, when no other does.
fn backs(context: &Context<'_>, relation: &Relation, index: &Index) -> Option<String> {
    let columns = index.key_columns()?;
    let other = relation.indexes.iter().any(|other| {
        other.name != index.name
            && other.unique
            && other.predicate.is_none()
            && other.key_columns() == index.key_columns()
    });
    if other {
        return None;
    }
    if let Some(constraint) = &index.constraint {
        return Some(format!("which stands behind the constraint {constraint}"));
    }
    let mut wanted = columns.clone();
    wanted.sort_unstable();
    let referencing = context
        .before
        .referencing(&relation.name)
        .into_iter()
        .find(|(_, constraint)| {
            let mut referenced: Vec<&str> = constraint.referenced_columns.iter().map(String::as_str).collect();
            referenced.sort_unstable();
            referenced == wanted
        });
    referencing.map(|(table, _)| format!("which a foreign key of {} needs", table.short()))
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::{High, Medium};

    use super::RULE;
    use crate::judge::{postgres, sqlite};

    const USERS: &str = "\
        CREATE TABLE users (id int PRIMARY KEY, email text, org int);
        CREATE UNIQUE INDEX users_email ON users (email);
        CREATE INDEX \"users_Org\" ON users (org);";

    #[test]
    fn an_index_goes() {
        let rule = postgres(&RULE);
        rule.reports(
            "",
            "DROP INDEX CONCURRENTLY app.users_email;",
            Medium,
            "drops the index app.users_email",
        );
        rule.reports(
            USERS,
            "DROP INDEX \"users_Org\";",
            Medium,
            "drops the index users_Org of users",
        );
        let message = "drops the unique index users_email of users: equal rows are possible from then on";
        rule.reports(USERS, "DROP INDEX IF EXISTS public.users_email;", Medium, message);
        sqlite(&RULE).reports(USERS, "DROP INDEX users_email;", Medium, message);
    }

    #[test]
    fn a_key_that_others_need_is_high() {
        let rule = postgres(&RULE);
        rule.reports(
            "CREATE TABLE users (email text); CREATE UNIQUE INDEX u ON users (email);
             CREATE TABLE mails (email text REFERENCES users (email));",
            "DROP INDEX u;",
            High,
            "drops the unique index u of users, which a foreign key of mails needs",
        );
        rule.reports(
            "CREATE TABLE users (email text CONSTRAINT mail UNIQUE);",
            "DROP INDEX mail;",
            High,
            "drops the unique index mail of users, which stands behind the constraint mail",
        );
    }

    #[test]
    fn something_takes_its_place() {
        let rule = postgres(&RULE);
        rule.ignores(
            USERS,
            "CREATE UNIQUE INDEX e2 ON users (email); DROP INDEX users_email;",
        );
        rule.ignores(
            USERS,
            "DROP INDEX users_email; CREATE UNIQUE INDEX users_email ON users (email);",
        );
        rule.ignores(USERS, "CREATE INDEX o2 ON users (org, id); DROP INDEX \"users_Org\";");
        let hash = "CREATE TABLE t (a int, b int, UNIQUE (a, b)); CREATE INDEX h ON t USING hash (a); CREATE INDEX g ON t USING gin (a);";
        rule.ignores(hash, "DROP INDEX h;");
        rule.reports(hash, "DROP INDEX g;", Medium, "drops the index g of t");
        rule.ignores(USERS, "DROP INDEX users_email; DROP TABLE users;");
        rule.ignores(USERS, "DROP INDEX \"users_Org\"; ALTER TABLE users DROP COLUMN org;");
        rule.ignores("", "CREATE TABLE t (a int); CREATE INDEX i ON t (a); DROP INDEX i;");
        rule.ignores(USERS, "DROP INDEX IF EXISTS nowhere;");
    }
}
