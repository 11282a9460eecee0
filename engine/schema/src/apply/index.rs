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
        // Without partitions ON ONLY leaves nothing out.
        index.valid = index.valid || self.children(&table)?.is_empty();
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
        let kind = relation.kind;
        // What somebody else still holds would be copied.
        drop(relation);
        self.edit(&table, |relation| relation.indexes.push(index))?;
        if kind == RelationKind::PartitionedTable && !create.only {
            for child in self.children(&table)? {
                self.inherit_keys(&child, &table)?;
            }
        }
        Ok(Some(name))
    }

    /// ALTER INDEX … ATTACH PARTITION: an index that was made for the parent alone can be used once every partition has
    /// one like it. Which of them are attached is not kept: those that are there are taken to be.
    pub(super) fn attach_index(&mut self, index: &ObjectName) -> Result<(), BaseError> {
        let index = self.find(ObjectKind::Index, index)?;
        let Some(table) = self.index_owner(&index)? else {
            return Ok(());
        };
        let relation = self.get(&table)?;
        let own = relation.and_then(|relation| relation.indexes.iter().find(|own| own.name == index.name).cloned());
        let Some(own) = own.filter(|own| !own.valid) else {
            return Ok(());
        };
        for child in self.children(&table)? {
            let child = self.get(&child)?;
            let has_one =
                child.is_some_and(|child| child.indexes.iter().any(|other| other.valid && is_like(other, &own)));
            if !has_one {
                return Ok(());
            }
        }
        self.edit(&table, |relation| {
            for own in relation.indexes.iter_mut().filter(|own| own.name == index.name) {
                own.valid = true;
            }
        })?;
        Ok(())
    }

    pub(super) fn index_of(&self, create: &CreateIndex, relation: &Relation) -> Index {
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

/// The server takes the one for a partition of the other.
fn is_like(one: &Index, other: &Index) -> bool {
    (&one.parts, &one.method, &one.predicate, one.unique)
        == (&other.parts, &other.method, &other.predicate, other.unique)
}

/// Whether an operator class is the one the server takes anyway, and so does not print.
fn is_default_class(relation: &Relation, part: &IndexPart, method: &str, class: &str) -> bool {
    let column = part
        .column
        .as_ref()
        .and_then(|name| relation.columns.iter().find(|column| column.name == *name));
    let Some(column) = column else {
        // Of an expression's type nothing is known, but text is by far the likeliest.
        return class == "text_ops" && matches!(method, "btree" | "hash");
    };
    let usual = if column.data_type.dimensions > 0 {
        "array"
    } else {
        class_stem(&column.data_type.name)
    };
    match method {
        "btree" | "hash" => class.strip_suffix("_ops") == Some(usual),
        "gin" => {
            matches!(class, "jsonb_ops" | "array_ops" | "tsvector_ops") && class.strip_suffix("_ops") == Some(usual)
        }
        "brin" => usual != "inet" && class.strip_suffix("_minmax_ops") == Some(usual),
        _ => false,
    }
}

/// What the default B-tree operator class of a type is called, without `_ops`.
fn class_stem(data_type: &str) -> &str {
    match data_type {
        "integer" => "int4",
        "bigint" => "int8",
        "smallint" => "int2",
        "real" => "float4",
        "double precision" => "float8",
        "boolean" => "bool",
        "character varying" => "text",
        "character" => "bpchar",
        "cidr" => "inet",
        "bit varying" => "varbit",
        "timestamp without time zone" => "timestamp",
        "timestamp with time zone" => "timestamptz",
        "time without time zone" => "time",
        "time with time zone" => "timetz",
        other => other,
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
