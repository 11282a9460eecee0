//! Schemas, extensions, sequences, functions, views and tables that differ.

use tollgate_sql::operation::ObjectKind;
use tollgate_sql::{Dialect, ObjectName};

use crate::base::BaseError;
use crate::difference::{Difference, Subject, bare_type};
use crate::model::{Constraint, ConstraintRule, Function, Relation, Sequence};
use crate::render;

use super::patch::patched;
use super::{There, Work, is_structure};

/// The word before an object's name.
pub(super) fn word(kind: ObjectKind) -> &'static str {
    match kind {
        ObjectKind::Schema => "schema",
        ObjectKind::Extension => "extension",
        ObjectKind::Type | ObjectKind::Domain => "type",
        ObjectKind::Sequence => "sequence",
        ObjectKind::Function => "function",
        ObjectKind::View => "view",
        ObjectKind::MaterializedView => "materialized view",
        ObjectKind::ForeignTable => "foreign table",
        _ => "table",
    }
}

impl Work<'_> {
    pub(super) fn schema(&mut self, subject: &Subject, there: There) {
        let name = self.dialect().quote_if_needed(&subject.name.name);
        match there {
            There::OnlyWanted => self.plan.schemas.push(format!("CREATE SCHEMA {name}")),
            There::OnlyCurrent => self.plan.schemas_gone.push(format!("DROP SCHEMA {name}")),
            There::Both => {}
        }
    }

    pub(super) fn extension(&mut self, subject: &Subject, there: There) -> Result<(), BaseError> {
        match there {
            There::OnlyWanted => {
                let made = self.made(subject, ObjectKind::Extension)?;
                self.plan.extensions.extend(made);
            }
            There::OnlyCurrent => {
                let name = self.dialect().quote_if_needed(&subject.name.name);
                self.plan.extensions_gone.push(format!("DROP EXTENSION {name}"));
            }
            There::Both => {}
        }
        Ok(())
    }

    pub(super) fn sequence(&mut self, subject: &Subject, there: There) -> Result<(), BaseError> {
        let wanted = self.wanted.sequence(&subject.name)?;
        let current = self.current.sequence(&subject.name)?;
        let name = subject.name.sql(Dialect::Postgres);
        if there != There::Both
            && let Some(other) = self.other_name(subject, there == There::OnlyWanted)?
        {
            if there == There::OnlyWanted {
                self.rename_sequence(&other, &subject.name);
            }
            return Ok(());
        }
        // That of an identity column, or of a column that comes or goes, comes and goes with it.
        let comes = match &wanted {
            Some(wanted) => !wanted.identity && !self.comes_with_column(wanted)?,
            None => false,
        };
        let goes = match &current {
            Some(current) => !current.identity && !self.goes_with_column(current)?,
            None => false,
        };
        match (there, wanted, current) {
            (There::OnlyWanted, ..) if comes => {
                let made = self.made(subject, ObjectKind::Sequence)?;
                // Its column may be made later.
                let (owned, first): (Vec<_>, Vec<_>) = made.into_iter().partition(|sql| sql.contains(" OWNED BY "));
                self.plan.sequences.extend(first);
                self.plan.remarks.extend(owned);
            }
            (There::OnlyCurrent, ..) if goes => self.plan.sequences_gone.push(format!("DROP SEQUENCE {name}")),
            (There::Both, Some(wanted), Some(current)) => self.alter_sequence(&wanted, &current),
            _ => {}
        }
        Ok(())
    }

    fn alter_sequence(&mut self, wanted: &Sequence, current: &Sequence) {
        let name = wanted.name.sql(Dialect::Postgres);
        if wanted.data_type != current.data_type || wanted.options != current.options {
            self.plan.sequences.push(altered(wanted));
        }
        let remarks = &mut self.plan.remarks;
        if wanted.owned_by != current.owned_by && !wanted.identity {
            let owner = |(table, column): &(ObjectName, String)| {
                let column = Dialect::Postgres.quote_if_needed(column);
                format!("{}.{column}", table.sql(Dialect::Postgres))
            };
            let owner = wanted.owned_by.as_ref().map_or_else(|| "NONE".to_owned(), owner);
            remarks.push(format!("ALTER SEQUENCE {name} OWNED BY {owner}"));
        }
        if wanted.comment != current.comment {
            let comment = wanted.comment.as_deref();
            let text = comment.map_or_else(|| "NULL".to_owned(), render::literal);
            remarks.push(format!("COMMENT ON SEQUENCE {name} IS {text}"));
        }
    }

    /// The table or the column that owns it is made, and it with that.
    fn comes_with_column(&self, sequence: &Sequence) -> Result<bool, BaseError> {
        let Some((table, column)) = &sequence.owned_by else {
            return Ok(false);
        };
        let has = |relation: &Relation| {
            let owner = relation.columns.iter().find(|found| found.name == *column);
            owner.is_some_and(|owner| owner.sequence.as_ref() == Some(&sequence.name))
        };
        let comes = self.wanted.relation(table)?.as_deref().is_some_and(has);
        let there = self.current.relation(table)?.as_deref().is_some_and(has);
        Ok(comes && !there)
    }

    /// The table or the column that owns it is dropped, and it with that.
    fn goes_with_column(&self, sequence: &Sequence) -> Result<bool, BaseError> {
        let Some((table, column)) = &sequence.owned_by else {
            return Ok(false);
        };
        let stays = self.wanted.relation(table)?;
        Ok(!stays.is_some_and(|relation| relation.columns.iter().any(|found| found.name == *column)))
    }

    pub(super) fn function(
        &mut self,
        subject: &Subject,
        there: There,
        differences: &[&Difference],
    ) -> Result<(), BaseError> {
        let arguments = subject.arguments.as_deref().unwrap_or_default();
        let same = |found: &&Function| {
            let own = found.arguments.iter().map(|argument| bare_type(argument));
            own.eq(arguments.iter().map(|argument| bare_type(argument)))
        };
        let wanted = self.wanted.functions(&subject.name)?;
        let current = self.current.functions(&subject.name)?;
        let (wanted, current) = (wanted.iter().find(same), current.iter().find(same));
        match (there, wanted, current) {
            (There::OnlyCurrent, _, Some(current)) => self.plan.functions_gone.push(dropped(current)),
            (There::OnlyWanted, Some(wanted), _) => {
                self.make_function(wanted);
                if wanted.comment.is_some() {
                    self.remark_on_function(wanted);
                }
            }
            (There::Both, Some(wanted), Some(current)) => {
                let only_comment = differences
                    .iter()
                    .all(|difference| difference.property.as_deref() == Some("comment"));
                let shape = |function: &Function| (function.kind, function.returns.clone(), function.arguments.clone());
                if !only_comment && shape(wanted) != shape(current) {
                    // CREATE OR REPLACE keeps the kind and the types.
                    self.plan.keys_gone.push(dropped(current));
                }
                if !only_comment {
                    self.make_function(wanted);
                }
                if wanted.comment != current.comment {
                    self.remark_on_function(wanted);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn remark_on_function(&mut self, function: &Function) {
        let text = function
            .comment
            .as_deref()
            .map_or_else(|| "NULL".to_owned(), render::literal);
        let remark = format!("COMMENT ON {} IS {text}", signature(function));
        self.plan.remarks.push(remark);
    }

    fn make_function(&mut self, function: &Function) {
        let sql = function.definition.trim().trim_end_matches(';').trim_end();
        let sql = ["FUNCTION", "PROCEDURE", "AGGREGATE"]
            .iter()
            .find_map(|word| {
                let rest = sql.strip_prefix(&format!("CREATE {word}"))?;
                Some(format!("CREATE OR REPLACE {word}{rest}"))
            })
            .unwrap_or_else(|| sql.to_owned());
        // SQL bodies are read when the function is made.
        if function.language == "sql" {
            self.plan.functions_last.push(sql);
        } else {
            self.plan.functions.push(sql);
        }
    }

    pub(super) fn view(
        &mut self,
        subject: &Subject,
        there: There,
        differences: &[&Difference],
    ) -> Result<(), BaseError> {
        let text = differences
            .iter()
            .any(|difference| matches!(difference.property.as_deref(), Some("query" | "kind")));
        if there == There::Both && !text {
            return self.change(subject, differences);
        }
        if there != There::OnlyWanted {
            self.plan.views_gone.push(subject.name.clone());
        }
        if there != There::OnlyCurrent {
            let made = self.made(subject, subject.kind)?;
            self.plan.views.push((subject.name.clone(), made));
        }
        Ok(())
    }

    pub(super) fn table(
        &mut self,
        subject: &Subject,
        there: There,
        differences: &[&Difference],
    ) -> Result<(), BaseError> {
        match there {
            There::Both => self.change(subject, differences),
            There::OnlyCurrent => {
                if let Some(relation) = self.current.relation(&subject.name)?
                    && self.dialect() == Dialect::Postgres
                    && relation.partition_of.is_none()
                {
                    let keys: Vec<String> = foreign_keys(&relation)
                        .map(|name| drop_constraint(&relation.name, name))
                        .collect();
                    self.plan.keys_gone.extend(keys);
                }
                self.plan.tables_gone.push(subject.name.clone());
                Ok(())
            }
            There::OnlyWanted => {
                let made = self.made(subject, subject.kind)?;
                let (last, first): (Vec<_>, Vec<_>) = made.into_iter().partition(|sql| is_link(sql));
                self.plan.tables.push((subject.name.clone(), first));
                self.plan.keys.extend(last);
                Ok(())
            }
        }
    }

    /// Changes a relation that both have.
    fn change(&mut self, subject: &Subject, differences: &[&Difference]) -> Result<(), BaseError> {
        let found = (
            self.wanted.relation(&subject.name)?,
            self.current.relation(&subject.name)?,
        );
        let (Some(wanted), Some(current)) = found else {
            return Ok(());
        };
        let own = self.own(&wanted, &current, differences)?;
        let (current, now) = if self.dialect() == Dialect::Postgres {
            self.renamed(&wanted, &current)?
        } else {
            (Relation::clone(&current), self.current.clone())
        };
        let to = patched(self.wanted.folding(), &wanted, &current, &own);
        self.note_unique_gone(&to, &current);
        self.remark_on_members(&to, &own);
        let statements = render::restore_relation(self.wanted, &now, &to, &current)?;
        let Some(statements) = statements else {
            let object = format!("{} {}", word(subject.kind), subject.name);
            self.cannot(&object, "no statement makes this change: drop it and make it again");
            return Ok(());
        };
        let keys: Vec<String> = foreign_keys(&current)
            .map(|name| drop_constraint(&current.name, name))
            .collect();
        let mut changes = Vec::new();
        for sql in statements.into_iter().filter(|sql| is_structure(sql)) {
            if is_link(&sql) {
                self.plan.keys.push(sql);
            } else if keys.contains(&sql) || sql.contains(" DETACH PARTITION ") || sql.contains(" NO INHERIT ") {
                self.plan.keys_gone.push(sql);
            } else {
                changes.push(sql);
            }
        }
        if !changes.is_empty() {
            self.plan.changes.push((subject.name.clone(), changes));
        }
        Ok(())
    }
}

impl Work<'_> {
    /// Comments on indexes and triggers, which stay as they are otherwise.
    fn remark_on_members(&mut self, to: &Relation, differences: &[&Difference]) {
        let remarks = differences
            .iter()
            .filter(|found| found.property.as_deref() == Some("comment"));
        for member in remarks.filter_map(|difference| difference.member.as_ref()) {
            let name = self.dialect().quote_if_needed(&member.name);
            let (on, comment) = match member.kind {
                ObjectKind::Index => {
                    let index = to.indexes.iter().find(|index| index.name == member.name);
                    let name = ObjectName {
                        schema: to.name.schema.clone(),
                        name: member.name.clone(),
                    };
                    let comment = index.and_then(|index| index.comment.clone());
                    (format!("INDEX {}", name.sql(Dialect::Postgres)), comment)
                }
                ObjectKind::Trigger => {
                    let trigger = to.triggers.iter().find(|trigger| trigger.name == member.name);
                    let comment = trigger.and_then(|trigger| trigger.comment.clone());
                    (format!("TRIGGER {name} ON {}", to.name.sql(Dialect::Postgres)), comment)
                }
                _ => continue,
            };
            let text = comment.as_deref().map_or_else(|| "NULL".to_owned(), render::literal);
            self.plan.remarks.push(format!("COMMENT ON {on} IS {text}"));
        }
    }

    /// Keys that the table has no longer, or not as they are.
    fn note_unique_gone(&mut self, to: &Relation, current: &Relation) {
        let stays = |found: &&Constraint| !to.constraints.iter().any(|other| same_constraint(found, other));
        for constraint in current.constraints.iter().filter(stays) {
            if let ConstraintRule::PrimaryKey { columns, .. } | ConstraintRule::Unique { columns, .. } =
                &constraint.rule
            {
                self.unique_gone.push((current.name.clone(), columns.clone()));
            }
        }
    }

    /// Foreign keys that stand on a key which goes: they go before, and come back on what there is then.
    pub(super) fn release_keys(&mut self) -> Result<(), BaseError> {
        if self.unique_gone.is_empty() {
            return Ok(());
        }
        for name in self.current.relations()? {
            let Some(relation) = self.current.relation(&name)? else {
                continue;
            };
            // That of a partition goes with its parent's.
            let constraints = relation.constraints.iter().filter(|_| relation.partition_of.is_none());
            for constraint in constraints {
                let ConstraintRule::ForeignKey {
                    references,
                    referenced_columns,
                    ..
                } = &constraint.rule
                else {
                    continue;
                };
                let stands = |(table, columns): &(ObjectName, Vec<String>)| {
                    table == references && columns.iter().all(|column| referenced_columns.contains(column))
                };
                let drop = drop_constraint(&name, &constraint.name);
                if !self.unique_gone.iter().any(stands) || self.plan.keys_gone.contains(&drop) {
                    continue;
                }
                self.plan.keys_gone.push(drop);
                let again = render::member_ddl(self.wanted, ObjectKind::Constraint, &name, &constraint.name)?;
                self.plan.keys.extend(again.unwrap_or_default());
            }
        }
        Ok(())
    }
}

/// Equal but for what is said about it.
fn same_constraint(one: &Constraint, other: &Constraint) -> bool {
    let plain = |constraint: &Constraint| Constraint {
        comment: None,
        ..constraint.clone()
    };
    plain(one) == plain(other)
}

fn foreign_keys(relation: &Relation) -> impl Iterator<Item = &str> {
    let keys = relation
        .constraints
        .iter()
        .filter(|found| matches!(found.rule, ConstraintRule::ForeignKey { .. }));
    keys.map(|found| found.name.as_str())
}

fn drop_constraint(table: &ObjectName, name: &str) -> String {
    format!(
        "ALTER TABLE {} DROP CONSTRAINT {}",
        table.sql(Dialect::Postgres),
        Dialect::Postgres.quote_if_needed(name)
    )
}

/// A statement that needs another table.
fn is_link(sql: &str) -> bool {
    sql.starts_with("ALTER TABLE ") && (sql.contains(" FOREIGN KEY (") || sql.contains(" ATTACH PARTITION "))
}

fn signature(function: &Function) -> String {
    let word = match function.kind {
        ObjectKind::Procedure => "PROCEDURE",
        ObjectKind::Aggregate => "AGGREGATE",
        _ => "FUNCTION",
    };
    format!(
        "{word} {}({})",
        function.name.sql(Dialect::Postgres),
        function.arguments.join(", ")
    )
}

fn dropped(function: &Function) -> String {
    format!("DROP {}", signature(function))
}

/// ALTER SEQUENCE that says everything: what is not wanted otherwise is at its default again.
fn altered(sequence: &Sequence) -> String {
    let option = |name: &str, default: &str| {
        let found = sequence.options.iter().find(|(option, _)| option == name);
        found.map_or_else(|| default.to_owned(), |(_, value)| value.clone())
    };
    let bound = |name: &str, word: &str| match option(name, "").as_str() {
        "" => format!("NO {word}"),
        value => format!("{word} {value}"),
    };
    let increment = option("increment", "1");
    let first = if increment.starts_with('-') { "-1" } else { "1" };
    let cycle = if option("cycle", "false") == "false" {
        "NO CYCLE"
    } else {
        "CYCLE"
    };
    format!(
        "ALTER SEQUENCE {} AS {} INCREMENT BY {increment} {} {} START WITH {} CACHE {} {cycle}",
        sequence.name.sql(Dialect::Postgres),
        sequence.data_type,
        bound("minvalue", "MINVALUE"),
        bound("maxvalue", "MAXVALUE"),
        option("start", first),
        option("cache", "1"),
    )
}
