//! CREATE INDEX.

use tollgate_sql::ObjectName;
use tollgate_sql::operation::{CreateIndex, IndexPart, ObjectKind};

use crate::base::BaseError;
use crate::model::{Index, IndexKey, Relation, RelationKind};
use crate::names;
use crate::schema::Schema;
use crate::text::bare;

impl Schema {
    /// Adds an index and returns its name; `None` when the server would not add one.
    pub(super) fn create_index(&mut self, create: &CreateIndex) -> Result<Option<String>, BaseError> {
        let table = self.find(ObjectKind::Table, &create.table)?;
        let Some(relation) = self.get(&table)? else {
            return Ok(None);
        };
        let mut index = self.index_of(create, &relation);
        index.name = match &create.name {
            Some(name) => {
                if self.taken(&ObjectName {
                    schema: relation.name.schema.clone(),
                    name: name.clone(),
                })? {
                    return Ok(None);
                }
                name.clone()
            }
            None => self.index_name(&relation.name, &index)?,
        };
        let name = index.name.clone();
        self.edit(&table, |relation| relation.indexes.push(index))?;
        if relation.kind == RelationKind::PartitionedTable && !create.only {
            for child in self.children(&table)? {
                self.inherit_keys(&child, &table)?;
            }
        }
        Ok(Some(name))
    }

    fn index_of(&self, create: &CreateIndex, relation: &Relation) -> Index {
        let part = |part: &IndexPart| IndexKey {
            column: part.column.clone(),
            expression: part.expression.as_deref().map(|text| bare(text).to_owned()),
            operator_class: part
                .operator_class
                .as_deref()
                .map(|class| class.rsplit('.').next().unwrap_or(class).to_owned())
                .filter(|class| !is_default_class(relation, part, &create.method, class)),
            collation: part.collation.clone(),
            descending: part.descending,
            nulls_first: part.nulls_first.unwrap_or(part.descending && !self.is_sqlite()),
        };
        Index {
            name: String::new(),
            parts: create.parts.iter().map(part).collect(),
            include: create.include.clone(),
            unique: create.unique,
            nulls_not_distinct: create.nulls_not_distinct,
            primary: false,
            constraint: None,
            valid: !create.only || relation.kind != RelationKind::PartitionedTable,
            method: create.method.clone(),
            predicate: create
                .predicate
                .as_ref()
                .map(|predicate| bare(&predicate.text).to_owned()),
            options: create.options.clone(),
            tablespace: create
                .tablespace
                .clone()
                .filter(|tablespace| tablespace != "pg_default"),
            definition: None,
            comment: None,
            bytes: None,
        }
    }

    /// The name PostgreSQL makes for an index that the script leaves unnamed.
    pub(super) fn index_name(&self, table: &ObjectName, index: &Index) -> Result<String, BaseError> {
        let parts = index
            .parts
            .iter()
            .map(|part| (part.column.as_deref(), part.expression.as_deref()));
        let included = index.include.iter().map(|column| (Some(column.as_str()), None));
        let columns = names::addition(names::index_columns(parts.chain(included)).iter().map(String::as_str));
        names::choose(&table.name, Some(&columns), "idx", |name| {
            self.taken(&ObjectName {
                schema: table.schema.clone(),
                name: name.to_owned(),
            })
        })
    }
}

/// Whether an operator class is the one the server takes anyway, and so does not print.
fn is_default_class(relation: &Relation, part: &IndexPart, method: &str, class: &str) -> bool {
    let Some(column) = part
        .column
        .as_ref()
        .and_then(|name| relation.columns.iter().find(|column| column.name == *name))
    else {
        return false;
    };
    let array = column.data_type.dimensions > 0;
    match (method, class) {
        (_, "array_ops") => array,
        ("btree" | "hash", "text_ops") => matches!(column.data_type.name.as_str(), "text" | "character varying"),
        ("btree" | "hash", "int4_ops") => column.data_type.name == "integer",
        ("btree" | "hash", "int8_ops") => column.data_type.name == "bigint",
        ("btree" | "hash", "int2_ops") => column.data_type.name == "smallint",
        ("btree" | "hash", "uuid_ops" | "date_ops" | "numeric_ops" | "bytea_ops" | "inet_ops") => {
            class.strip_suffix("_ops") == Some(column.data_type.name.as_str())
        }
        ("btree" | "hash", "bool_ops") => column.data_type.name == "boolean",
        ("btree" | "hash", "timestamp_ops") => column.data_type.name == "timestamp without time zone",
        ("btree" | "hash", "timestamptz_ops") => column.data_type.name == "timestamp with time zone",
        ("btree" | "hash" | "gin", "jsonb_ops") => column.data_type.name == "jsonb",
        _ => false,
    }
}

impl Index {
    /// A plain index on columns.
    pub(crate) fn on_columns(name: &str, columns: &[String]) -> Self {
        Self {
            name: name.to_owned(),
            parts: columns.iter().map(|column| IndexKey::column(column)).collect(),
            include: Vec::new(),
            unique: false,
            nulls_not_distinct: false,
            primary: false,
            constraint: None,
            valid: true,
            method: "btree".to_owned(),
            predicate: None,
            options: Vec::new(),
            tablespace: None,
            definition: None,
            comment: None,
            bytes: None,
        }
    }
}

impl IndexKey {
    /// A plain column, ascending.
    pub(crate) fn column(name: &str) -> Self {
        Self {
            column: Some(name.to_owned()),
            expression: None,
            operator_class: None,
            collation: None,
            descending: false,
            nulls_first: false,
        }
    }
}
