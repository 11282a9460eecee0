//! A relation out of the picture: pragmas for what SQLite makes of a table, the stored statement for the rest.

use tollgate_schema::List;
use tollgate_schema::model::{Column, Constraint, ConstraintRule, Index, IndexKey, Relation, RelationKind, Trigger};
use tollgate_sql::ObjectName;
use tollgate_sql::operation::{ColumnDefinition, CreateIndex, CreateTable, CreateView, DataType};

use super::picture::{ColumnRow, IndexRow, Object, Picture};
use super::{definition, key};
use crate::catalog::text::unwrapped;

/// The relation with this [`key`].
pub(super) fn assemble(picture: &Picture, name: &str) -> Option<Relation> {
    let (object, is_view) = match picture.object("table", name) {
        Some(object) => (object, false),
        None => (picture.object("view", name)?, true),
    };
    let sql = object.sql.as_deref().unwrap_or_default();
    let (table, view) = if is_view {
        (None, definition::view(sql))
    } else {
        (definition::table(sql), None)
    };
    let mut relation = empty(picture, object, is_view);
    relation.columns = columns(picture, name, table.as_ref()).into();
    if !is_view {
        let constraints = match &table {
            Some(table) => definition::constraints(table),
            None => definition::constraints_of_pragmas(picture, name),
        };
        relation.constraints = constraints.into();
        // What the statement would have told is missing.
        relation.uncertain = table.is_none() && relation.access_method.is_none();
        relation.indexes = indexes(picture, name, &relation).into();
    }
    relation.triggers = triggers(picture, name);
    if let Some(CreateView { query, reads, .. }) = view {
        relation.query = Some(query.trim().trim_end_matches(';').to_owned());
        relation.reads = reads.into_iter().map(|read| ObjectName::bare(read.name)).collect();
        relation.reads.sort();
        relation.reads.dedup();
    }
    Some(relation)
}

fn empty(picture: &Picture, object: &Object, is_view: bool) -> Relation {
    let key = key(&object.name);
    let table = picture.tables.get(&key);
    Relation {
        name: ObjectName::bare(&object.name),
        kind: if is_view {
            RelationKind::View
        } else {
            RelationKind::Table
        },
        columns: List::default(),
        constraints: List::default(),
        indexes: List::default(),
        triggers: Vec::new(),
        policies: Vec::new(),
        rules: Vec::new(),
        grants: Vec::new(),
        owner: None,
        comment: None,
        row_security: false,
        force_row_security: false,
        unlogged: false,
        temporary: false,
        partition_key: None,
        partition_of: None,
        inherits: Vec::new(),
        options: Vec::new(),
        tablespace: None,
        access_method: object.sql.as_deref().and_then(module),
        replica_identity: "default".to_owned(),
        without_rowid: table.is_some_and(|table| table.wr != 0 && table.kind == "table"),
        strict: table.is_some_and(|table| table.strict != 0),
        query: None,
        reads: Vec::new(),
        definition: object.sql.clone(),
        estimated_rows: picture.estimates.get(&key).copied(),
        bytes: None,
        uncertain: false,
    }
}

/// `fts5` of `CREATE VIRTUAL TABLE t USING fts5(…)`. SQLite stores the statement from the word CREATE on, with single
/// blanks up to the table's name.
fn module(sql: &str) -> Option<String> {
    let rest = sql
        .get(.."CREATE VIRTUAL TABLE".len())
        .filter(|start| start.eq_ignore_ascii_case("CREATE VIRTUAL TABLE"));
    let rest = &sql[rest?.len()..];
    let at = rest.to_ascii_lowercase().find(" using ")?;
    let module = rest[at + " using ".len()..].trim_start();
    let end = module
        .find(|c: char| c == '(' || c.is_whitespace())
        .unwrap_or(module.len());
    Some(module[..end].trim_matches(['"', '`', '[', ']']).to_owned())
}

fn columns(picture: &Picture, name: &str, table: Option<&CreateTable>) -> Vec<Column> {
    let rows = picture
        .columns
        .get(name)
        .into_iter()
        .flatten()
        .filter(|row| row.hidden != 1);
    let written = |row: &ColumnRow| {
        table.and_then(|table| {
            table
                .columns
                .iter()
                .find(|column| column.name.eq_ignore_ascii_case(&row.name))
        })
    };
    rows.map(|row| column(row, written(row))).collect()
}

fn column(row: &ColumnRow, written: Option<&ColumnDefinition>) -> Column {
    let generated = (row.hidden >= 2).then(|| {
        let expression = written
            .and_then(|column| column.generated.as_ref())
            .map(|generated| &generated.expression);
        (
            expression
                .map(|expression| unwrapped(&expression.text))
                .unwrap_or_default(),
            row.hidden == 3,
        )
    });
    Column {
        name: row.name.clone(),
        data_type: DataType {
            schema: None,
            name: row.declared.clone(),
            modifiers: Vec::new(),
            dimensions: 0,
        },
        not_null: row.not_null != 0,
        default: row.default_value.as_deref().map(unwrapped),
        generated,
        identity: written.and_then(|column| column.identity),
        sequence: None,
        collation: written.and_then(|column| column.collation.clone()),
        comment: None,
        grants: Vec::new(),
        options: Vec::new(),
    }
}

fn indexes(picture: &Picture, name: &str, relation: &Relation) -> Vec<Index> {
    let rows = picture.indexes.get(name).into_iter().flatten();
    let mut indexes: Vec<_> = rows.map(|row| index(picture, row, relation)).collect();
    indexes.sort_by(|left, right| left.name.cmp(&right.name));
    indexes
}

fn index(picture: &Picture, row: &IndexRow, relation: &Relation) -> Index {
    let sql = picture
        .object("index", &key(&row.name))
        .and_then(|object| object.sql.clone());
    let written = sql.as_deref().and_then(definition::index);
    let parts = parts(picture, row, relation, written.as_ref());
    let constraint = match row.origin.as_str() {
        "c" => None,
        origin => Some(constraint_name(&relation.constraints, origin == "pk", &parts)),
    };
    Index {
        name: row.name.clone(),
        parts,
        include: Vec::new(),
        unique: row.is_unique != 0,
        nulls_not_distinct: false,
        primary: row.origin == "pk",
        constraint,
        valid: true,
        method: "btree".to_owned(),
        predicate: written
            .and_then(|index| index.predicate)
            .map(|predicate| unwrapped(&predicate.text)),
        options: Vec::new(),
        tablespace: None,
        definition: sql,
        comment: None,
        bytes: None,
    }
}

fn parts(picture: &Picture, row: &IndexRow, relation: &Relation, written: Option<&CreateIndex>) -> Vec<IndexKey> {
    let keys = picture.keys.get(&key(&row.name)).into_iter().flatten();
    keys.enumerate()
        .map(|(place, stored)| {
            let written = written.and_then(|index| index.parts.get(place));
            let column = stored.name.as_deref().and_then(|name| {
                relation
                    .columns
                    .iter()
                    .find(|column| column.name.eq_ignore_ascii_case(name))
            });
            let usual = column
                .and_then(|column| column.collation.as_ref())
                .map_or("BINARY", |name| &name.name);
            IndexKey {
                column: stored.name.clone(),
                expression: match stored.name {
                    Some(_) => None,
                    None => written.and_then(|part| part.expression.as_deref()).map(unwrapped),
                },
                operator_class: None,
                collation: stored
                    .coll
                    .clone()
                    .filter(|collation| !collation.eq_ignore_ascii_case(usual)),
                descending: stored.descending != 0,
                nulls_first: false,
            }
        })
        .collect()
}

/// The name of the key constraint over the same columns.
fn constraint_name(constraints: &[Constraint], primary: bool, parts: &[IndexKey]) -> String {
    let matches = |columns: &[String]| {
        columns.len() == parts.len()
            && columns.iter().zip(parts).all(|(column, part)| {
                part.column
                    .as_deref()
                    .is_some_and(|name| name.eq_ignore_ascii_case(column))
            })
    };
    let found = constraints.iter().find(|constraint| match &constraint.rule {
        ConstraintRule::PrimaryKey { .. } => primary,
        ConstraintRule::Unique { columns, .. } => !primary && matches(columns),
        _ => false,
    });
    found.map(|constraint| constraint.name.clone()).unwrap_or_default()
}

fn triggers(picture: &Picture, table: &str) -> Vec<Trigger> {
    let objects = picture
        .objects
        .iter()
        .filter(|object| object.kind == "trigger" && key(&object.tbl_name) == table);
    let mut triggers: Vec<_> = objects
        .map(|object| Trigger {
            name: object.name.clone(),
            function: None,
            definition: object.sql.clone().unwrap_or_default(),
            enabled: true,
            comment: None,
        })
        .collect();
    triggers.sort_by(|left, right| left.name.cmp(&right.name));
    triggers
}
