//! CREATE TABLE.

use std::sync::Arc;

use tollgate_sql::operation::{
    ColumnDefinition, ConstraintDefinition, ConstraintKind, CreateTable, DataType, Expression, Identity, ObjectKind,
};
use tollgate_sql::{Dialect, ObjectName};

use crate::base::BaseError;
use crate::class::Class;
use crate::list::List;
use crate::model::{Column, ConstraintRule, Relation, RelationKind, Sequence};
use crate::names;
use crate::schema::{ColumnOrigin, SQLITE_TEMPORARY, Schema, TEMPORARY};
use crate::text::bare;

impl Schema {
    pub(super) fn create_table(&mut self, table: &CreateTable) -> Result<(), BaseError> {
        let name = match (table.temporary, self.is_sqlite()) {
            (true, true) => ObjectName::qualified(SQLITE_TEMPORARY, &table.name.name),
            (true, false) => ObjectName::qualified(TEMPORARY, &table.name.name),
            (false, _) => self.creation_name(&table.name),
        };
        if self.taken(&name)? {
            return Ok(());
        }
        let mut relation = new_relation(name.clone(), table);
        let parents: Vec<_> = table
            .inherits
            .iter()
            .chain(table.partition_of.as_ref().map(|(parent, _)| parent))
            .collect();
        let parents = parents
            .into_iter()
            .map(|parent| self.find(ObjectKind::Table, parent))
            .collect::<Result<Vec<_>, _>>()?;
        relation.inherits = table
            .inherits
            .iter()
            .zip(&parents)
            .map(|(_, parent)| parent.clone())
            .collect();
        relation.partition_of = table
            .partition_of
            .as_ref()
            .zip(parents.last())
            .map(|((_, bound), parent)| (parent.clone(), bound.clone()));
        self.put(relation);
        for parent in &parents {
            self.inherit_columns(&name, parent)?;
        }
        for (source, options) in &table.like {
            let source = self.find(ObjectKind::Table, source)?;
            self.copy_like(&name, &source, options)?;
        }
        for column in &table.columns {
            self.declare_column(&name, column)?;
        }
        if table.as_query.is_some() {
            self.edit(&name, |relation| relation.uncertain = true)?;
        } else if table.access_method.is_none() || !self.is_sqlite() {
            let key = Arc::new(self.key(&name).into_owned());
            Arc::make_mut(&mut self.overlay.empty).insert(key);
        }
        // There is no row yet that could be against a constraint: NOT VALID means nothing here.
        let mut constraints = table.constraints.clone();
        for constraint in &mut constraints {
            constraint.not_valid = false;
        }
        self.declare_constraints(&name, &constraints)?;
        if let (Some((parent, _)), Some(_)) = (&table.partition_of, parents.last()) {
            let parent = self.find(ObjectKind::Table, parent)?;
            self.inherit_keys(&name, &parent)?;
        }
        if self.is_sqlite() {
            self.finish_sqlite_table(&name)?;
        }
        Ok(())
    }

    /// Whether a relation, index, sequence or composite type has this name already.
    pub(super) fn taken(&self, name: &ObjectName) -> Result<bool, BaseError> {
        if self.is_mysql() {
            return self.has(Class::Relation, name);
        }
        for class in [Class::Relation, Class::Index, Class::Sequence] {
            if self.has(class, name)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Constraints in the order in which PostgreSQL makes them: checks, then keys (the primary key first; those that
    /// say the same as one before are left out), then foreign keys.
    fn declare_constraints(
        &mut self,
        table: &ObjectName,
        constraints: &[ConstraintDefinition],
    ) -> Result<(), BaseError> {
        if self.is_sqlite() || self.is_mysql() {
            for constraint in constraints {
                self.declare_constraint(table, constraint)?;
            }
            return Ok(());
        }
        let is_key = |constraint: &ConstraintDefinition| {
            matches!(
                constraint.kind,
                ConstraintKind::PrimaryKey { .. } | ConstraintKind::Unique { .. }
            )
        };
        for constraint in constraints {
            let later = is_key(constraint)
                || matches!(
                    constraint.kind,
                    ConstraintKind::ForeignKey { .. } | ConstraintKind::Exclude { .. }
                );
            if !later {
                self.declare_constraint(table, constraint)?;
            }
        }
        let primary = constraints
            .iter()
            .filter(|c| matches!(c.kind, ConstraintKind::PrimaryKey { .. }));
        let keys = primary.chain(
            constraints
                .iter()
                .filter(|c| matches!(c.kind, ConstraintKind::Unique { .. } | ConstraintKind::Exclude { .. })),
        );
        let mut seen: Vec<(&ConstraintKind, bool, bool)> = Vec::new();
        for constraint in keys {
            let repeated = seen.iter().any(|(kind, deferrable, deferred)| {
                same_key(kind, &constraint.kind)
                    && *deferrable == constraint.deferrable
                    && *deferred == constraint.initially_deferred
            });
            seen.push((&constraint.kind, constraint.deferrable, constraint.initially_deferred));
            if !repeated {
                self.declare_constraint(table, constraint)?;
            }
        }
        for constraint in constraints
            .iter()
            .filter(|c| matches!(c.kind, ConstraintKind::ForeignKey { .. }))
        {
            self.declare_constraint(table, constraint)?;
        }
        Ok(())
    }

    /// Adds a column to a relation that exists, with the sequence it implies.
    pub(super) fn declare_column(
        &mut self,
        table: &ObjectName,
        definition: &ColumnDefinition,
    ) -> Result<(), BaseError> {
        let mut column = Column {
            name: definition.name.clone(),
            data_type: self.canonical_type(&definition.data_type),
            not_null: definition.not_null
                || definition.serial
                || definition.identity.is_some_and(|i| i != Identity::Autoincrement),
            default: definition
                .default
                .as_ref()
                .filter(|default| match self.dialect() {
                    Dialect::Sqlite => true,
                    Dialect::Mysql => !default.is_null,
                    Dialect::Postgres => keeps_default(&definition.data_type, default),
                })
                .map(|default| bare(&default.text).to_owned()),
            generated: definition
                .generated
                .as_ref()
                .map(|generated| (bare(&generated.expression.text).to_owned(), generated.stored)),
            identity: definition.identity,
            sequence: None,
            collation: definition.collation.clone(),
            comment: None,
            grants: Vec::new(),
            options: definition
                .options
                .iter()
                .map(|(option, value)| (option.to_lowercase(), value.to_lowercase()))
                .collect(),
        };
        let identity = definition
            .identity
            .is_some_and(|identity| identity != Identity::Autoincrement);
        if definition.serial || identity {
            let data_type = column.data_type.name.clone();
            let sequence =
                self.make_sequence(table, &column.name, &data_type, &definition.sequence_options, identity)?;
            if definition.serial {
                column.default = Some(self.nextval(&sequence));
            }
            column.sequence = Some(sequence);
        }
        let folding = self.folding();
        self.edit(table, |relation| {
            match relation
                .columns
                .iter_mut()
                .find(|known| folding.same(&known.name, &column.name))
            {
                // Declared again over an inherited column: the two merge.
                Some(known) => {
                    known.not_null |= column.not_null;
                    known.identity = column.identity.or(known.identity);
                    known.sequence = column.sequence.or(known.sequence.take());
                    known.generated = column.generated.or(known.generated.take());
                    known.default = column.default.or(known.default.take());
                }
                None => relation.columns.push(column),
            }
        })?;
        Ok(())
    }

    /// The sequence of a serial or identity column.
    pub(super) fn make_sequence(
        &mut self,
        table: &ObjectName,
        column: &str,
        data_type: &str,
        options: &[(String, String)],
        identity: bool,
    ) -> Result<ObjectName, BaseError> {
        let named = options.iter().find(|(option, _)| {
            option.eq_ignore_ascii_case("sequence_name") || option.eq_ignore_ascii_case("sequence name")
        });
        let name = match named {
            Some((_, name)) => name.clone(),
            None => names::choose(&table.name, Some(column), "seq", |name| {
                self.taken(&ObjectName {
                    schema: table.schema.clone(),
                    name: name.to_owned(),
                })
            })?,
        };
        let name = ObjectName {
            schema: table.schema.clone(),
            name,
        };
        let options: Vec<_> = options
            .iter()
            .filter(|(option, _)| !option.to_ascii_lowercase().starts_with("sequence"))
            .cloned()
            .collect();
        self.put_sequence(Sequence {
            name: name.clone(),
            data_type: data_type.to_owned(),
            options: super::sequence::sequence_options(&options, data_type),
            owned_by: Some((table.clone(), column.to_owned())),
            identity,
            last_value: None,
            comment: None,
        });
        Ok(name)
    }

    /// `nextval('t_id_seq'::regclass)`, the schema written where the search path does not find it.
    pub(super) fn nextval(&self, sequence: &ObjectName) -> String {
        let name = if self.visible(sequence) {
            self.dialect().quote_if_needed(&sequence.name)
        } else {
            sequence.sql(self.dialect())
        };
        format!("nextval('{}'::regclass)", name.replace('\'', "''"))
    }

    /// Whether the context's search path finds objects of this schema without its name.
    pub(crate) fn visible(&self, name: &ObjectName) -> bool {
        name.schema
            .as_ref()
            .is_none_or(|schema| schema == TEMPORARY || self.context().search_path.contains(schema))
    }

    /// A type as the model has it: the server's own bare, others with their schema.
    pub(super) fn canonical_type(&self, written: &DataType) -> DataType {
        let mut data_type = written.clone();
        if self.is_sqlite() || self.is_mysql() {
            return data_type;
        }
        match data_type.schema.as_deref() {
            Some("pg_catalog") => data_type.schema = None,
            Some(_) => {}
            None => data_type.schema = self.schema_of_type(&data_type.name),
        }
        data_type
    }

    /// The schema in which a bare type name is found; `None` for the server's own types and those nobody knows.
    fn schema_of_type(&self, name: &str) -> Option<String> {
        // Names of two words, and the commonest of one, are the server's own.
        if name.contains(' ')
            || matches!(
                name,
                "text" | "integer" | "boolean" | "bigint" | "jsonb" | "numeric" | "uuid"
            )
        {
            return None;
        }
        let found = self.resolve(ObjectKind::Type, &ObjectName::bare(name));
        if self.user_type(&found).is_ok_and(|found| found.is_some()) {
            return found.schema;
        }
        let row_type = self.resolve(ObjectKind::Table, &ObjectName::bare(name));
        if self.get(&row_type).is_ok_and(|found| found.is_some()) {
            return row_type.schema;
        }
        let extensions = self.extensions().ok()?;
        extensions
            .into_iter()
            .find(|(extension, _)| super::object::extension_types(extension).is_some_and(|types| types.contains(&name)))
            .map(|(_, schema)| schema)
    }

    /// `SQLite`: what the declaration implies once all of it is known.
    fn finish_sqlite_table(&mut self, table: &ObjectName) -> Result<(), BaseError> {
        self.edit(table, |relation| {
            let rowid_key = super::sqlite_key::rowid_alias(relation).map(str::to_owned);
            let key = relation
                .constraints
                .iter()
                .find_map(|constraint| match &constraint.rule {
                    ConstraintRule::PrimaryKey { columns, .. } => Some(columns.clone()),
                    _ => None,
                });
            if relation.without_rowid || relation.strict {
                for column in &mut relation.columns {
                    let named = |name: &String| name.eq_ignore_ascii_case(&column.name);
                    if key.iter().flatten().any(named) && !rowid_key.iter().any(named) {
                        column.not_null = true;
                    }
                }
            }
        })?;
        Ok(())
    }

    /// Notes where the values of a column that was just added come from.
    pub(super) fn column_added(&mut self, table: &ObjectName, column: &str, null: bool) {
        let origin = if null {
            ColumnOrigin::AddedNull
        } else {
            ColumnOrigin::Unknown
        };
        self.origin_mut(table).columns.insert(column.to_owned(), origin);
    }
}

/// Whether PostgreSQL keeps a default. NULL is none, unless the type's length makes it a function call.
pub(super) fn keeps_default(data_type: &DataType, default: &Expression) -> bool {
    !default.is_null || !data_type.modifiers.is_empty()
}

fn same_key(left: &ConstraintKind, right: &ConstraintKind) -> bool {
    use ConstraintKind::{PrimaryKey, Unique};
    match (left, right) {
        (
            PrimaryKey {
                columns: a, include: b, ..
            }
            | Unique {
                columns: a, include: b, ..
            },
            Unique {
                columns: c,
                include: d,
                nulls_not_distinct,
                ..
            },
        ) => {
            let distinct = matches!(left, Unique { nulls_not_distinct: other, .. } if other != nulls_not_distinct);
            a == c && b == d && !distinct
        }
        _ => false,
    }
}

/// A relation as the statement's own words make it, without columns.
fn new_relation(name: ObjectName, table: &CreateTable) -> Relation {
    let kind = if table.foreign_server.is_some() {
        RelationKind::ForeignTable
    } else if table.partition_by.is_some() {
        RelationKind::PartitionedTable
    } else {
        RelationKind::Table
    };
    let mut relation = Relation::new(name, kind);
    relation.unlogged = table.unlogged;
    relation.temporary = table.temporary;
    relation.partition_key.clone_from(&table.partition_by);
    relation.options.clone_from(&table.options);
    relation.tablespace = table.tablespace.clone().filter(|tablespace| tablespace != "pg_default");
    relation.access_method = table.access_method.clone().filter(|method| method != "heap");
    relation.without_rowid = table.without_rowid;
    relation.strict = table.strict;
    relation
}

impl Relation {
    /// Orders the lists whose order means nothing by name. What is in order already stays shared.
    pub(crate) fn put_in_order(&mut self, dialect: tollgate_sql::Dialect) {
        if dialect != tollgate_sql::Dialect::Sqlite && !self.constraints.is_sorted_by(|a, b| a.name <= b.name) {
            self.constraints.sort_by(|left, right| left.name.cmp(&right.name));
        }
        if !self.indexes.is_sorted_by(|a, b| a.name <= b.name) {
            self.indexes.sort_by(|left, right| left.name.cmp(&right.name));
        }
        self.triggers.sort_by(|left, right| left.name.cmp(&right.name));
        self.policies.sort_by(|left, right| left.name.cmp(&right.name));
        self.rules.sort();
        if !self.indexes.iter().all(|index| index.options.is_sorted()) {
            for index in &mut self.indexes {
                index.options.sort();
            }
        }
        self.options.sort();
    }

    /// A relation with nothing in it.
    pub fn new(name: ObjectName, kind: RelationKind) -> Self {
        Self {
            name,
            kind,
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
            access_method: None,
            replica_identity: "default".to_owned(),
            without_rowid: false,
            strict: false,
            query: None,
            reads: Vec::new(),
            definition: None,
            estimated_rows: None,
            bytes: None,
            uncertain: false,
        }
    }
}
