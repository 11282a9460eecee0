//! What the parts of an ALTER TABLE cost on `InnoDB`: nothing, a pass over the table beside which others can write, or a
//! copy of it while nobody can.
//!
//! The source is the manual's "Online DDL Operations"; MariaDB 10.11 was asked for each. Only what holds for MySQL 8.0 and
//! MariaDB 10.6 and newer is said where the version is not known.

use std::rc::Rc;

use tollgate_plugin::rules::{Context, Step};
use tollgate_plugin::{
    AddedColumn, ColumnTypeChange, ConstraintKind, Identity, ObjectName, Operation, Relation, Statement,
};

use super::values;
use super::words::{self, Token};
use crate::details;

/// How an ALTER TABLE can be done at best.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Way {
    /// Nothing but the dictionary changes, and no server does it otherwise.
    Metadata,
    /// `ALGORITHM=INSTANT`.
    Instant,
    /// `ALGORITHM=INPLACE, LOCK=NONE`: the table or an index is built anew, and others can write.
    InPlace,
    /// `ALGORITHM=INPLACE, LOCK=SHARED`: built anew, and others can read.
    Shared,
    /// `ALGORITHM=COPY`, with the reason.
    Copy(&'static str),
}

/// The table that a step alters or builds an index on.
pub(super) fn table<'a>(step: &Step<'a>) -> Option<&'a ObjectName> {
    Some(match &step.effect.operation {
        Operation::AddColumn(added) => &added.table,
        Operation::DropColumn(dropped) => &dropped.column.table,
        Operation::RenameColumn(rename) => &rename.from.table,
        Operation::AlterColumnType(change) => &change.column.table,
        Operation::SetNotNull(column) | Operation::DropNotNull(column) | Operation::DropDefault(column) => {
            &column.table
        }
        Operation::SetDefault(set) => &set.column.table,
        Operation::SetIdentity(change) => &change.column.table,
        Operation::AddConstraint(added) => &added.table,
        Operation::DropConstraint(dropped) => &dropped.table,
        Operation::CreateIndex(index) => &index.table,
        Operation::Other(other) if other.tag == "alter-table" => other.objects.first()?,
        _ => return None,
    })
}

/// How a step can be done; `None` where it is no part of an ALTER TABLE and builds no index.
pub(super) fn way(context: &Context<'_>, step: &Step<'_>) -> Option<Way> {
    table(step)?;
    Some(match &step.effect.operation {
        Operation::AddColumn(added) => adding(context, step, added),
        Operation::DropColumn(_) if knows(context, (8, 0, 29), (10, 4, 0)) => Way::Instant,
        Operation::AlterColumnType(change) => retyping(context, step, change),
        Operation::SetNotNull(column) | Operation::DropNotNull(column) => {
            let required = matches!(step.effect.operation, Operation::SetNotNull(_));
            let known = before(context, step, &column.table);
            let was = context.original_column(step, column).and_then(|original| {
                let relation = known.as_ref()?;
                let in_key = relation
                    .primary_key()
                    .iter()
                    .any(|name| context.same_identifier(name, &original.column));
                Some(relation.column(&original.column)?.not_null || in_key)
            });
            if was == Some(required) || (was == Some(true) && !required && is_key_column(context, step, column)) {
                Way::Metadata
            } else {
                Way::InPlace
            }
        }
        Operation::AddConstraint(added) => match added.constraint.kind {
            ConstraintKind::ForeignKey if checks_foreign_keys(context, step) => {
                Way::Copy("a foreign key is added while foreign_key_checks is on")
            }
            ConstraintKind::Check if !says(context, step, &["not", "enforced"]) => Way::Copy("a check is added"),
            ConstraintKind::ForeignKey | ConstraintKind::Check => Way::Metadata,
            _ => Way::InPlace,
        },
        Operation::DropConstraint(dropped) if dropped.name.eq_ignore_ascii_case("primary") => {
            if adds_primary_key(context, step.statement) {
                Way::InPlace
            } else {
                Way::Copy("the primary key goes and no other takes its place")
            }
        }
        Operation::CreateIndex(index) if matches!(index.method.as_str(), "fulltext" | "spatial") => Way::Shared,
        Operation::DropColumn(_) | Operation::CreateIndex(_) => Way::InPlace,
        Operation::Other(other) => clause(&details::text(other, "text").unwrap_or_default()),
        _ => Way::Metadata,
    })
}

fn adding(context: &Context<'_>, step: &Step<'_>, added: &AddedColumn) -> Way {
    if added.column.generated.as_ref().is_some_and(|(_, stored)| *stored) {
        return Way::Copy("a stored generated column is added");
    }
    if added.column.identity == Some(Identity::Autoincrement) {
        return Way::Shared;
    }
    let placed = is_placed(context, step) && !knows(context, (8, 0, 29), (10, 4, 0));
    let old = context.server().version.is_some() && !knows(context, (8, 0, 12), (10, 3, 2));
    if placed || old { Way::InPlace } else { Way::Instant }
}

fn retyping(context: &Context<'_>, step: &Step<'_>, change: &ColumnTypeChange) -> Way {
    let known = before(context, step, &change.column.table);
    let old = context.original_column(step, &change.column).and_then(|original| {
        let column = known.as_ref()?.column(&original.column)?;
        Some(column.data_type.clone())
    });
    let Some(old) = old else { return Way::InPlace };
    let moved = if is_placed(context, step) {
        Way::InPlace
    } else {
        Way::Metadata
    };
    if old.eq_ignore_ascii_case(&change.to) {
        return moved;
    }
    if let (Some(old), Some(new)) = (values::of(&old), values::of(&change.to)) {
        // Beyond 255 values each takes two bytes.
        let same_size = old.len() > 255 || new.len() <= 255;
        return if new.starts_with(&old) && same_size {
            moved.max(Way::Instant)
        } else {
            Way::Copy("the values of the type are others or stand in another order")
        };
    }
    match (length(&old), length(&change.to)) {
        // Up to 255 bytes the length takes one byte, above two; how many bytes a character takes is not known here.
        (Some(old), Some(new)) if old <= new && !(old < 64 && new > 255) => moved.max(Way::InPlace),
        _ => Way::Copy("the type of a column changes"),
    }
}

/// The length of a `varchar(n)` or `varbinary(n)`.
fn length(data_type: &str) -> Option<u32> {
    let rest = data_type
        .strip_prefix("varchar(")
        .or_else(|| data_type.strip_prefix("varbinary("))?;
    rest.strip_suffix(')')?.parse().ok()
}

/// A clause that the contract keeps as text.
fn clause(text: &str) -> Way {
    let all = tollgate_plugin::Span {
        start: 0,
        end: u32::try_from(text.len()).unwrap_or(u32::MAX),
    };
    let tokens = words::read(text, all);
    let are =
        |wanted: &[&str]| tokens.len() >= wanted.len() && tokens.iter().zip(wanted).all(|(token, word)| token.is(word));
    let value = || tokens.iter().skip(1).find(|token| !token.is_symbol("="));
    if are(&["convert", "to"]) {
        Way::Copy("the character set of every column is converted")
    } else if are(&["engine"]) && value().is_some_and(|engine| !engine.is("innodb")) {
        Way::Copy("the storage engine changes")
    } else if are(&["partition", "by"]) || are(&["remove", "partitioning"]) {
        Way::Copy("the rows are put into other partitions")
    } else if are(&["algorithm"]) && value().is_some_and(|algorithm| algorithm.is("copy")) {
        Way::Copy("it asks for that")
    } else if ["engine", "force", "row_format", "key_block_size"]
        .iter()
        .any(|word| are(&[*word]))
    {
        Way::InPlace
    } else {
        Way::Metadata
    }
}

/// The table before the migration.
fn before<'a>(context: &Context<'a>, step: &Step<'_>, table: &ObjectName) -> Option<Rc<Relation<'a>>> {
    context
        .before_relation(step, table)
        .filter(|relation| !relation.uncertain)
}

fn is_key_column(context: &Context<'_>, step: &Step<'_>, column: &tollgate_plugin::ColumnName) -> bool {
    before(context, step, &column.table).is_some_and(|relation| {
        let mut key = relation.primary_key().iter();
        key.any(|name| context.same_identifier(name, &column.column))
    })
}

/// The version is known, and is this one of MySQL or that one of MariaDB, or newer.
fn knows(context: &Context<'_>, mysql: (u32, u32, u32), mariadb: (u32, u32, u32)) -> bool {
    match context.server().version {
        Some(version) if version.0 >= 10 => version >= mariadb,
        Some(version) => version >= mysql,
        None => false,
    }
}

/// MariaDB copies a table while others write to it, from 11.2 on.
pub(super) fn copies_online(context: &Context<'_>) -> bool {
    context.server().version.is_some_and(|version| version >= (11, 2, 0))
}

/// FIRST or AFTER stands at the end of the step's clause.
fn is_placed(context: &Context<'_>, step: &Step<'_>) -> bool {
    let tokens = words::read(context.migration.text(), step.effect.at);
    let end: Vec<&Token<'_>> = tokens.iter().rev().take(2).collect();
    match end.as_slice() {
        [last, before] => last.is("first") || before.is("after"),
        _ => false,
    }
}

fn says(context: &Context<'_>, step: &Step<'_>, wanted: &[&str]) -> bool {
    let tokens = words::read(context.migration.text(), step.effect.at);
    tokens.windows(wanted.len()).any(|window| {
        window
            .iter()
            .zip(wanted)
            .all(|(token, word)| token.depth == 0 && token.is(word))
    })
}

/// No statement above has switched the checks off.
fn checks_foreign_keys(context: &Context<'_>, step: &Step<'_>) -> bool {
    let set = context
        .steps_before(step)
        .filter_map(|earlier| match &earlier.effect.operation {
            Operation::SetParameter(parameter) if parameter.name.eq_ignore_ascii_case("foreign_key_checks") => {
                parameter.value.as_deref()
            }
            _ => None,
        });
    !set.last()
        .is_some_and(|value| matches!(value.to_ascii_lowercase().as_str(), "0" | "off" | "false"))
}

fn adds_primary_key(context: &Context<'_>, statement: &Statement) -> bool {
    context.steps().any(|other| {
        let adds = matches!(&other.effect.operation, Operation::AddConstraint(added) if added.constraint.kind == ConstraintKind::PrimaryKey);
        adds && other.statement.index == statement.index
    })
}

/// The statement says how it is to be done, or the session does.
pub(super) fn says_how(context: &Context<'_>, step: &Step<'_>) -> bool {
    let tokens = words::of(context.migration.text(), step.statement);
    let words = ["algorithm", "lock"];
    let written = tokens.iter().enumerate().any(|(at, token)| {
        let is_option = token.depth == 0 && token.is_any(&words);
        // Behind a dot, or where a name stands, the word is one.
        is_option
            && at > 2
            && tokens
                .get(at + 1)
                .is_some_and(|next| next.is_symbol("=") || next.kind == words::Kind::Word)
    });
    let session = context
        .steps_before(step)
        .any(|earlier| match &earlier.effect.operation {
            Operation::SetParameter(parameter) => parameter.name.eq_ignore_ascii_case("alter_algorithm"),
            _ => false,
        });
    written || session
}
