//! The order in which statements can run: what others hang on goes first when it goes, and comes last when it comes.

use std::collections::BTreeSet;

use tollgate_sql::ObjectName;
use tollgate_sql::operation::ObjectKind;

use crate::base::BaseError;
use crate::model::RelationKind;
use crate::render;
use crate::schema::Schema;

use super::is_structure;

/// Statements by when they run.
#[derive(Default)]
pub(super) struct Plan {
    pub schemas: Vec<String>,
    pub extensions: Vec<String>,
    /// Views that go, with whatever makes them go.
    pub views_gone: Vec<ObjectName>,
    pub keys_gone: Vec<String>,
    pub renames: Vec<String>,
    pub tables_gone: Vec<ObjectName>,
    /// Types that are made or changed.
    pub types: Vec<String>,
    pub sequences: Vec<String>,
    /// Functions whose bodies are not looked into when they are made: a table's triggers and defaults may need them.
    pub functions: Vec<String>,
    /// Tables that are made, each with what belongs to it.
    pub tables: Vec<(ObjectName, Vec<String>)>,
    /// Tables that change.
    pub changes: Vec<(ObjectName, Vec<String>)>,
    pub keys: Vec<String>,
    /// Functions that may name tables and views.
    pub functions_last: Vec<String>,
    /// Views that are made, each with what belongs to it.
    pub views: Vec<(ObjectName, Vec<String>)>,
    /// Comments and the like.
    pub remarks: Vec<String>,
    pub functions_gone: Vec<String>,
    pub sequences_gone: Vec<String>,
    pub types_gone: Vec<String>,
    pub extensions_gone: Vec<String>,
    pub schemas_gone: Vec<String>,
}

impl Plan {
    /// Everything in order. Views that stand in the way of a change go before it and come back after it.
    pub(super) fn in_order(mut self, wanted: &Schema, current: &Schema) -> Result<Vec<String>, BaseError> {
        self.make_way(wanted, current)?;
        let mut all = self.schemas;
        all.extend(self.extensions);
        for name in ordered(current, self.views_gone)?.into_iter().rev() {
            all.extend(drop_view(current, &name)?);
        }
        all.extend(self.keys_gone);
        all.extend(drop_tables(current, self.tables_gone)?);
        all.extend(self.renames);
        all.extend(self.types);
        all.extend(self.sequences);
        all.extend(self.functions);
        let tables: Vec<ObjectName> = self.tables.iter().map(|(name, _)| name.clone()).collect();
        for name in parents_first(wanted, tables)? {
            all.extend(taken(&mut self.tables, &name));
        }
        all.extend(self.changes.into_iter().flat_map(|(_, statements)| statements));
        all.extend(self.keys);
        all.extend(self.functions_last);
        let views: Vec<ObjectName> = self.views.iter().map(|(name, _)| name.clone()).collect();
        for name in ordered(wanted, views)? {
            all.extend(taken(&mut self.views, &name));
        }
        all.extend(self.remarks);
        all.extend(self.functions_gone);
        all.extend(self.sequences_gone);
        all.extend(self.types_gone);
        all.extend(self.extensions_gone);
        all.extend(self.schemas_gone);
        Ok(all)
    }

    /// The server changes no column's type, and drops no column, that a view reads.
    fn make_way(&mut self, wanted: &Schema, current: &Schema) -> Result<(), BaseError> {
        if current.is_sqlite() {
            return Ok(());
        }
        let disturbs = |sql: &String| sql.contains(" TYPE ") || sql.contains(" DROP COLUMN ");
        let mut disturbed: BTreeSet<ObjectName> = self
            .changes
            .iter()
            .filter(|(_, statements)| statements.iter().any(disturbs))
            .map(|(name, _)| name.clone())
            .collect();
        disturbed.extend(self.views_gone.iter().cloned());
        loop {
            let before = disturbed.len();
            for name in current.relations()? {
                let Some(view) = current.relation(&name)? else { continue };
                let is_view = matches!(view.kind, RelationKind::View | RelationKind::MaterializedView);
                if !is_view || disturbed.contains(&name) || !view.reads.iter().any(|read| disturbed.contains(read)) {
                    continue;
                }
                disturbed.insert(name.clone());
                let kind = match view.kind {
                    RelationKind::View => ObjectKind::View,
                    _ => ObjectKind::MaterializedView,
                };
                let again = render::ddl(wanted, kind, &name)?.or(render::ddl(current, kind, &name)?);
                let again = again.unwrap_or_default().into_iter().filter(|sql| is_structure(sql));
                self.views.push((name.clone(), again.collect()));
                self.views_gone.push(name);
            }
            if disturbed.len() == before {
                return Ok(());
            }
        }
    }
}

/// Takes out what belongs to an object.
fn taken(list: &mut Vec<(ObjectName, Vec<String>)>, name: &ObjectName) -> Vec<String> {
    let at = list.iter().position(|(other, _)| other == name);
    at.map(|at| list.swap_remove(at).1).unwrap_or_default()
}

/// Views, those first that the others read.
fn ordered(schema: &Schema, names: Vec<ObjectName>) -> Result<Vec<ObjectName>, BaseError> {
    by_need(names, |name, left| {
        Ok(schema
            .relation(name)?
            .is_some_and(|view| view.reads.iter().any(|read| read != name && left.contains(read))))
    })
}

/// Tables, those first that others are parts or children of.
fn parents_first(schema: &Schema, names: Vec<ObjectName>) -> Result<Vec<ObjectName>, BaseError> {
    by_need(names, |name, left| {
        Ok(schema.relation(name)?.is_some_and(|table| {
            let partition = table.partition_of.iter().map(|(parent, _)| parent);
            partition.chain(&table.inherits).any(|parent| left.contains(parent))
        }))
    })
}

/// What needs nothing of what is left comes next. Among those the order is that of the names.
fn by_need(
    names: Vec<ObjectName>,
    needs: impl Fn(&ObjectName, &BTreeSet<ObjectName>) -> Result<bool, BaseError>,
) -> Result<Vec<ObjectName>, BaseError> {
    let mut left: BTreeSet<ObjectName> = names.into_iter().collect();
    let mut sorted = Vec::with_capacity(left.len());
    while !left.is_empty() {
        let mut next = None;
        for name in &left {
            if !needs(name, &left)? {
                next = Some(name.clone());
                break;
            }
        }
        // In a circle anyone is as good as another.
        let Some(name) = next.or_else(|| left.first().cloned()) else {
            break;
        };
        left.remove(&name);
        sorted.push(name);
    }
    Ok(sorted)
}

fn drop_view(schema: &Schema, name: &ObjectName) -> Result<Option<String>, BaseError> {
    let dialect = schema.context().dialect;
    Ok(schema.relation(name)?.map(|view| {
        let word = match view.kind {
            RelationKind::MaterializedView => "MATERIALIZED VIEW",
            _ => "VIEW",
        };
        format!("DROP {word} {}", view.name.sql(dialect))
    }))
}

/// Children before their parents.
fn drop_tables(schema: &Schema, names: Vec<ObjectName>) -> Result<Vec<String>, BaseError> {
    let dialect = schema.context().dialect;
    let mut statements = Vec::new();
    for name in parents_first(schema, names)?.into_iter().rev() {
        let foreign = schema
            .relation(&name)?
            .is_some_and(|table| table.kind == RelationKind::ForeignTable);
        let word = if foreign { "FOREIGN TABLE" } else { "TABLE" };
        statements.push(format!("DROP {word} {}", name.sql(dialect)));
    }
    Ok(statements)
}
