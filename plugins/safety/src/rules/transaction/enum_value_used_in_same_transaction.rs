//! `enum-value-used-in-same-transaction`: a new enum value that is used before it is committed.

use tollgate_plugin::rules::{Context, Findings, Rule, Step};
use tollgate_plugin::{Dialect, EnumValue, ObjectKind, ObjectName, Operation, Severity, Span, Statement};

use crate::tokens::{self, Token};
use crate::transactions::{self, Kind, Transaction, Wanted};

pub(super) const RULE: Rule = Rule {
    id: "enum-value-used-in-same-transaction",
    summary: "A new enum value cannot be used before it is committed",
    severity: Severity::High,
    dialects: &[Dialect::Postgres],
    triggers: &["add-enum-value"],
    explanation: "\
**What it does.** Reports a statement that uses an enum value which the same transaction adds: as a default, in an \
`INSERT` or `UPDATE`, in a condition of an index or constraint. High where the file itself holds both together with \
BEGIN and COMMIT, and the type of the column is known; medium where the engine can still commit the value first, or \
where the text may belong to another column. An enum that the same transaction creates may be used at once.

**Why it matters.** PostgreSQL refuses it: `unsafe use of new value` (55P04). Tollgate then commits the value by \
itself and goes on, so that a failure behind it leaves the value in the database; other tools stop there.

**Instead.** Add the value in a migration of its own, before the one that uses it.",
    bad: "CREATE TYPE status AS ENUM ('open');\nCREATE TABLE tasks (id int, status status);\n-- migration\n\
          BEGIN;\nALTER TYPE status ADD VALUE 'done';\nALTER TABLE tasks ALTER COLUMN status SET DEFAULT \
          'done';\nCOMMIT;",
    good: "CREATE TYPE status AS ENUM ('open', 'done');\nCREATE TABLE tasks (id int, status status);\n-- migration\n\
           ALTER TABLE tasks ALTER COLUMN status SET DEFAULT 'done';",
    check,
    ..Rule::DEFAULT
};

/// How sure it is that a text means the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Use {
    /// The table is not known.
    Possible,
    Certain,
}

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    let adds = |effect: &tollgate_plugin::Effect| matches!(effect.operation, Operation::AddEnumValue(_));
    if !context
        .migration
        .statements()
        .iter()
        .any(|of| of.effects.iter().any(adds))
    {
        return;
    }
    let whole = transactions::wanted(context) == Some(Wanted::Whole);
    for transaction in transactions::of(context) {
        for statement in transaction.statements {
            for effect in &statement.effects {
                if let Operation::AddEnumValue(added) = &effect.operation {
                    let bound = whole || transaction.kind != Kind::Engine;
                    report(context, findings, &transaction, statement, added, bound);
                }
            }
        }
    }
}

fn report(
    context: &Context<'_>,
    findings: &mut Findings<'_>,
    transaction: &Transaction<'_>,
    adding: &Statement,
    added: &EnumValue,
    bound: bool,
) {
    if created_in(context, transaction, adding, &added.name) {
        return;
    }
    let found = transaction.after(adding).find_map(|statement| {
        let (at, sure) = used(context, statement, added)?;
        Some((statement, at, sure))
    });
    let Some((statement, at, sure)) = found else { return };
    let message = match sure {
        Use::Certain => format!(
            "uses the value {} of {} in the transaction that adds it: the server refuses that until it is committed",
            added.value,
            added.name.short()
        ),
        Use::Possible => format!(
            "may use the value {} of {} in the transaction that adds it: the server refuses that until it is committed",
            added.value,
            added.name.short()
        ),
    };
    let finding = findings.report_at(statement.index, at, message);
    if !bound || sure == Use::Possible {
        finding.severity(Severity::Medium);
    }
    let label = adding.effects.first().map_or(adding.span, |effect| effect.at);
    finding
        .label(label, "adds it")
        .help("add the value in a migration of its own, before the one that uses it");
}

/// The transaction creates the enum before it adds the value: then all is well.
fn created_in(context: &Context<'_>, transaction: &Transaction<'_>, adding: &Statement, name: &ObjectName) -> bool {
    let effects = transaction.before(adding).flat_map(|statement| &statement.effects);
    effects.into_iter().any(|effect| match &effect.operation {
        Operation::CreateEnum(created) => context.same(ObjectKind::Type, &created.name, name),
        _ => false,
    })
}

/// Where a statement uses the value.
fn used(context: &Context<'_>, statement: &Statement, added: &EnumValue) -> Option<(Span, Use)> {
    if statement.effects.iter().any(|effect| {
        matches!(
            effect.operation,
            Operation::AddEnumValue(_)
                | Operation::RenameEnumValue(_)
                | Operation::CreateEnum(_)
                | Operation::Comment(_)
        )
    }) || defines_routine(statement)
    {
        return None;
    }
    let text = statement.span.of(context.migration.text());
    if !text.contains(&added.value.replace('\'', "''")) {
        return None;
    }
    let at = place(text, &added.value)?;
    let offset = |inside: usize| statement.span.start + u32::try_from(inside).unwrap_or(u32::MAX);
    let span = Span {
        start: offset(at.0),
        end: offset(at.1),
    };
    let sure = certainty(context, statement, added, at.2)?;
    Some((span, sure))
}

fn defines_routine(statement: &Statement) -> bool {
    statement.effects.iter().any(|effect| match &effect.operation {
        Operation::Create(created) => matches!(created.kind, ObjectKind::Function | ObjectKind::Procedure),
        _ => false,
    })
}

/// The literal in a statement or in the body of its DO block, and whether it is cast there.
fn place(text: &str, value: &str) -> Option<(usize, usize, bool)> {
    let tokens = tokens::read(text);
    let block = tokens.first().is_some_and(|word| word.is("do"));
    let is_cast = |tokens: &[Token<'_>], at: usize| tokens.get(at + 1).is_some_and(|next| next.is_symbol("::"));
    for (at, token) in tokens.iter().enumerate() {
        if block && let Some(body) = token.body() {
            let start = token.start + (token.text.len() - body.len()) / 2;
            let inside = tokens::read(body);
            let found = inside
                .iter()
                .enumerate()
                .find(|(_, token)| token.value().as_deref() == Some(value));
            if let Some((at, token)) = found {
                return Some((start + token.start, start + token.end(), is_cast(&inside, at)));
            }
        } else if token.value().as_deref() == Some(value) {
            return Some((token.start, token.end(), is_cast(&tokens, at)));
        }
    }
    None
}

/// Whether the text is a value of the enum, by the columns of the tables that the statement is about.
fn certainty(context: &Context<'_>, statement: &Statement, added: &EnumValue, cast: bool) -> Option<Use> {
    let quoted = format!("\"{}\"", added.name.name);
    let is_enum = |data_type: &str| {
        let scalar = data_type.trim_end_matches("[]");
        let last = scalar.rsplit('.').next().unwrap_or(scalar);
        last == added.name.name || last == quoted
    };
    if cast {
        let text = statement.span.of(context.migration.text());
        let tokens = tokens::read(text);
        let casts = tokens
            .windows(2)
            .any(|pair| pair[0].is_symbol("::") && pair[1].name().as_deref() == Some(&added.name.name));
        return casts.then_some(Use::Certain);
    }
    let mut best = None;
    for effect in &statement.effects {
        let step = context
            .all_steps()
            .find(|step| step.statement.index == statement.index && step.effect.at == effect.at);
        let Some(step) = step else { continue };
        let found = match &effect.operation {
            Operation::CreateTable(table) => table
                .columns
                .iter()
                .any(|column| is_enum(&column.data_type))
                .then_some(Use::Certain),
            Operation::AddColumn(column) => is_enum(&column.column.data_type).then_some(Use::Certain),
            Operation::SetDefault(default) => in_table(
                context,
                &step,
                &default.column.table,
                std::slice::from_ref(&default.column.column),
                &is_enum,
            ),
            Operation::AlterColumnType(change) => is_enum(&change.to).then_some(Use::Certain),
            Operation::Insert(rows) => in_table(context, &step, &rows.table, &rows.columns, &is_enum),
            Operation::Update(rows) | Operation::Delete(rows) => in_table(context, &step, &rows.table, &[], &is_enum),
            Operation::CreateIndex(index) => in_table(context, &step, &index.table, &[], &is_enum),
            Operation::AddConstraint(constraint) => in_table(context, &step, &constraint.table, &[], &is_enum),
            _ => Some(Use::Possible),
        };
        best = best.max(found);
    }
    best
}

/// A table has a column of the enum, among those written where they are named. `None`: it is known to have none.
fn in_table(
    context: &Context<'_>,
    step: &Step<'_>,
    table: &ObjectName,
    columns: &[String],
    is_enum: &dyn Fn(&str) -> bool,
) -> Option<Use> {
    let relation = context
        .before_relation(step, table)
        .or_else(|| context.after.relation(table));
    let Some(relation) = relation else {
        return Some(Use::Possible);
    };
    let written = |name: &String| columns.is_empty() || columns.contains(name);
    let found = relation
        .columns
        .iter()
        .any(|column| written(&column.name) && is_enum(&column.data_type));
    found.then_some(Use::Certain)
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::{High, Medium};

    use super::RULE;
    use crate::judge::{postgres, sqlite};

    const T: &str =
        "CREATE TYPE \"Status\" AS ENUM ('open'); CREATE TABLE tasks (id int, status \"Status\", note text);
        CREATE TABLE notes (id int, body text);";
    const ADD: &str = "ALTER TYPE \"Status\" ADD VALUE 'done';";
    const USES: &str =
        "uses the value done of Status in the transaction that adds it: the server refuses that until it is committed";

    #[test]
    fn the_server_refuses_it() {
        let rule = postgres(&RULE);
        for script in [
            "ALTER TABLE tasks ALTER COLUMN status SET DEFAULT 'done';",
            "UPDATE public.tasks SET status = 'done' WHERE id = 1;",
            "INSERT INTO tasks (id, status) VALUES (1, 'done');",
            "CREATE INDEX i ON tasks (id) WHERE status = 'done';",
            "ALTER TABLE tasks ADD CONSTRAINT c CHECK (status <> 'done');",
            "CREATE TABLE more (id int, status \"Status\" NOT NULL DEFAULT 'done');",
            "ALTER TABLE notes ADD COLUMN status \"Status\" DEFAULT 'done';",
            "DO $$ BEGIN UPDATE tasks SET status = 'done'; END $$;",
            "DELETE FROM tasks WHERE status = 'done'::\"Status\";",
        ] {
            rule.reports(T, &format!("BEGIN; {ADD} {script} COMMIT;"), High, USES);
            rule.reports(T, &format!("-- tollgate:transaction on\n{ADD} {script}"), High, USES);
            // The engine finds out and commits the value first.
            rule.reports(T, &format!("{ADD} {script}"), Medium, USES);
        }
        let maybe = "may use the value done of Status in the transaction that adds it: the server refuses that until \
        it is committed";
        rule.reports(
            "",
            &format!("BEGIN; {ADD} UPDATE tasks SET status = 'done'; COMMIT;"),
            Medium,
            maybe,
        );
    }

    #[test]
    fn committed_before_or_another_text() {
        let rule = postgres(&RULE);
        for script in [
            format!("BEGIN; {ADD} COMMIT; UPDATE tasks SET status = 'done';"),
            format!("-- tollgate:transaction off\n{ADD}\nUPDATE tasks SET status = 'done';"),
            format!("UPDATE tasks SET status = 'open'; {ADD}"),
            format!("{ADD} UPDATE tasks SET status = 'open';"),
            format!("{ADD} INSERT INTO notes (id, body) VALUES (1, 'done');"),
            format!("{ADD} INSERT INTO tasks (id, note) VALUES (1, 'done');"),
            format!("{ADD} -- 'done'\nUPDATE tasks SET status = 'open';"),
            format!("{ADD} COMMENT ON TABLE tasks IS 'done';"),
            format!(
                "{ADD} CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $$ BEGIN UPDATE tasks SET status = 'done'; \
                 END $$;"
            ),
            format!("{ADD} ALTER TYPE \"Status\" ADD VALUE 'late' AFTER 'done';"),
        ] {
            rule.ignores(T, &script);
        }
        rule.ignores(
            "",
            "CREATE TYPE s AS ENUM ('a'); ALTER TYPE s ADD VALUE 'b'; CREATE TABLE t (s s DEFAULT 'b');",
        );
        rule.version(11, 0, 0)
            .ignores(T, &format!("{ADD} UPDATE tasks SET status = 'done';"));
        sqlite(&RULE).ignores("", "SELECT 1;");
    }
}
