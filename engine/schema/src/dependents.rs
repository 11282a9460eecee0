//! Who depends on what: the base's word, corrected by what the overlay has changed.

use std::collections::BTreeSet;

use tollgate_sql::ObjectName;
use tollgate_sql::operation::ObjectKind;

use crate::base::BaseError;
use crate::class::Class;
use crate::model::{ConstraintRule, Dependent, Relation, RelationKind};
use crate::schema::Schema;
use crate::text::{mentions_column, mentions_object, mentions_regclass};
use crate::words::Wanted;

impl Schema {
    /// Views, functions, columns of a type and other objects that break with `name`. Functions are not followed into:
    /// the server does not record what their bodies use either.
    ///
    /// # Errors
    /// When the base cannot answer.
    pub fn dependents(&self, kind: ObjectKind, name: &ObjectName) -> Result<Vec<Dependent>, BaseError> {
        let class = Class::of(kind);
        let name = self.find(kind, name)?;
        let mut found = BTreeSet::new();
        let base = if class == Class::Relation {
            self.base_name(&name)?
        } else {
            Some(name.clone())
        };
        if let Some(base) = base {
            for dependent in self.base.dependents(kind, &base)? {
                found.extend(self.still_dependent(dependent));
            }
        }
        for relation in self.overlay.naming(Wanted::new(&name)) {
            match class {
                Class::Relation => self.depends_on_relation(relation, &name, &mut found),
                Class::Type => self.depends_on_type(relation, &name, &mut found),
                Class::Function => self.depends_on_function(relation, &name, &mut found),
                Class::Sequence => depends_on_sequence(relation, &name, &mut found),
                _ => {}
            }
        }
        if class == Class::Type {
            self.functions_of_type(&name, &mut found);
        }
        Ok(found.into_iter().collect())
    }

    /// What the base says, unless the overlay has another word: relations it holds are looked at afresh.
    fn still_dependent(&self, dependent: Dependent) -> Option<Dependent> {
        if matches!(Class::of(dependent.kind), Class::Function) {
            let replaced = self.overlay.functions.contains_key(&dependent.name);
            return (!replaced).then_some(dependent);
        }
        let current = self.current_name(&dependent.name)?;
        let Some(Some(relation)) = self.overlay.relation(&self.key(&current)) else {
            return Some(dependent);
        };
        let same = |name: &str, member: &String| self.folding().same(name, member);
        let kept = match &dependent.member {
            // Found afresh, with its present name, from the relation itself.
            None => Class::of(dependent.kind) != Class::Relation,
            Some(member) => {
                relation.policies.iter().any(|policy| same(&policy.name, member))
                    || relation.rules.iter().any(|(rule, _)| same(rule, member))
            }
        };
        kept.then_some(Dependent {
            name: current,
            ..dependent
        })
    }

    fn depends_on_relation(&self, relation: &Relation, name: &ObjectName, found: &mut BTreeSet<Dependent>) {
        let same = |other: &ObjectName| self.folding().same_object(other, name);
        if relation.reads.iter().any(|read| self.reads(read, name)) {
            let kind = if relation.kind == RelationKind::MaterializedView {
                ObjectKind::MaterializedView
            } else {
                ObjectKind::View
            };
            let columns = self.columns_read(relation, name);
            let whole = Dependent {
                name: relation.name.clone(),
                member: None,
                kind,
                column: None,
            };
            if columns.is_empty() {
                found.insert(whole);
            } else {
                found.extend(columns.into_iter().map(|column| Dependent {
                    column: Some(column),
                    ..whole.clone()
                }));
            }
        }
        for constraint in &relation.constraints {
            if let ConstraintRule::ForeignKey {
                references,
                referenced_columns,
                ..
            } = &constraint.rule
                && same(references)
                && !same(&relation.name)
            {
                let dependent = Dependent {
                    name: relation.name.clone(),
                    member: Some(constraint.name.clone()),
                    kind: ObjectKind::Constraint,
                    column: None,
                };
                found.extend(referenced_columns.iter().map(|column| Dependent {
                    column: Some(column.clone()),
                    ..dependent.clone()
                }));
                if referenced_columns.is_empty() {
                    found.insert(dependent);
                }
            }
        }
        if relation.partition_of.as_ref().is_some_and(|(parent, _)| same(parent)) || relation.inherits.iter().any(same)
        {
            found.insert(Dependent {
                name: relation.name.clone(),
                member: None,
                kind: ObjectKind::Table,
                column: None,
            });
        }
        for policy in relation.policies.iter().filter(|_| !same(&relation.name)) {
            if policy
                .using
                .iter()
                .chain(&policy.check)
                .any(|text| mentions_object(self.dialect(), text, name))
            {
                found.insert(Dependent {
                    name: relation.name.clone(),
                    member: Some(policy.name.clone()),
                    kind: ObjectKind::Policy,
                    column: None,
                });
            }
        }
    }

    /// Columns of `table` that a view surely or possibly reads; empty when that cannot be told.
    fn columns_read(&self, view: &Relation, table: &ObjectName) -> Vec<String> {
        let (Some(query), Ok(Some(table))) = (&view.query, self.get(table)) else {
            return Vec::new();
        };
        if query.contains('*') {
            return Vec::new();
        }
        let read = |column: &&crate::model::Column| {
            let mut query = query.as_str();
            // Behind an alias a column is qualified by a name that is not the table's: look at bare words as well.
            let dotted;
            if query.contains('.') {
                dotted = query.replace('.', " ");
                query = &dotted;
            }
            mentions_column(self.dialect(), query, &table.name.name, &column.name)
        };
        table
            .columns
            .iter()
            .filter(read)
            .map(|column| column.name.clone())
            .collect()
    }

    fn depends_on_type(&self, relation: &Relation, name: &ObjectName, found: &mut BTreeSet<Dependent>) {
        for column in relation
            .columns
            .iter()
            .filter(|column| self.is_type(&column.data_type, name))
        {
            found.insert(Dependent {
                name: relation.name.clone(),
                member: Some(column.name.clone()),
                kind: ObjectKind::Column,
                column: None,
            });
        }
    }

    fn functions_of_type(&self, name: &ObjectName, found: &mut BTreeSet<Dependent>) {
        for function in self.overlay.functions.values().flat_map(|all| all.iter()) {
            if function
                .arguments
                .iter()
                .chain(&function.returns)
                .any(|text| mentions_object(self.dialect(), text, name))
            {
                found.insert(Dependent {
                    name: function.name.clone(),
                    member: None,
                    kind: function.kind,
                    column: None,
                });
            }
        }
    }

    fn depends_on_function(&self, relation: &Relation, name: &ObjectName, found: &mut BTreeSet<Dependent>) {
        let member = |member: &str, kind| Dependent {
            name: relation.name.clone(),
            member: Some(member.to_owned()),
            kind,
            column: None,
        };
        let mentions = |text: &String| mentions_object(self.dialect(), text, name);
        let calls = |function: &ObjectName| {
            function.name == name.name && (function.schema.is_none() || function.schema == name.schema)
        };
        for trigger in relation
            .triggers
            .iter()
            .filter(|trigger| trigger.function.as_ref().is_some_and(calls))
        {
            found.insert(member(&trigger.name, ObjectKind::Trigger));
        }
        for column in &relation.columns {
            if column
                .default
                .iter()
                .chain(column.generated.as_ref().map(|(text, _)| text))
                .any(mentions)
            {
                found.insert(member(&column.name, ObjectKind::Column));
            }
        }
        for policy in &relation.policies {
            if policy.using.iter().chain(&policy.check).any(mentions) {
                found.insert(member(&policy.name, ObjectKind::Policy));
            }
        }
        for constraint in &relation.constraints {
            if matches!(&constraint.rule, ConstraintRule::Check { expression, .. } if mentions(expression)) {
                found.insert(member(&constraint.name, ObjectKind::Constraint));
            }
        }
        for index in &relation.indexes {
            if index
                .parts
                .iter()
                .filter_map(|part| part.expression.as_ref())
                .chain(&index.predicate)
                .any(mentions)
            {
                found.insert(member(&index.name, ObjectKind::Index));
            }
        }
        if relation.query.as_ref().is_some_and(mentions) {
            found.insert(Dependent {
                name: relation.name.clone(),
                member: None,
                kind: ObjectKind::View,
                column: None,
            });
        }
    }

    /// Whether a name that a query reads is the resolved object `name`.
    pub(crate) fn reads(&self, read: &ObjectName, name: &ObjectName) -> bool {
        let folding = self.folding();
        match &read.schema {
            Some(_) => folding.same_object(read, name),
            None => {
                folding.same(&read.name, &name.name)
                    && name.schema.as_ref().is_none_or(|schema| self.path().contains(schema))
            }
        }
    }
}

fn depends_on_sequence(relation: &Relation, name: &ObjectName, found: &mut BTreeSet<Dependent>) {
    for column in &relation.columns {
        if column
            .default
            .as_ref()
            .is_some_and(|text| mentions_regclass(text, name))
        {
            found.insert(Dependent {
                name: relation.name.clone(),
                member: Some(column.name.clone()),
                kind: ObjectKind::Column,
                column: None,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use tollgate_sql::{Dialect, parse};

    use super::*;
    use crate::context::Context;

    /// Every way in which one object can name another, and what moves, changes and drops them.
    const SCRIPT: &str = r#"
        CREATE SCHEMA s;
        CREATE TYPE "Status" AS ENUM ('on', 'off');
        CREATE TYPE s."Status" AS ENUM ('on');
        CREATE DOMAIN amount AS integer CHECK (value > 0);
        CREATE SEQUENCE numbers;
        CREATE FUNCTION fresh() RETURNS integer LANGUAGE sql AS 'SELECT 1';
        CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
        CREATE TABLE users (id serial PRIMARY KEY, state "Status" DEFAULT 'on'::"Status", boss integer REFERENCES users (id));
        CREATE TABLE s.users (id integer PRIMARY KEY DEFAULT fresh(), state s."Status", n integer DEFAULT nextval('numbers'));
        CREATE TABLE posts (id integer, author integer REFERENCES users, other integer REFERENCES s.users (id), sum amount);
        CREATE TABLE parts (id integer, at date) PARTITION BY RANGE (at);
        CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
        CREATE TABLE older () INHERITS (posts);
        CREATE TABLE odd (id integer, "2.5 $x" text, CHECK (('off'::s."Status")::text <> "2.5 $x"));
        CREATE INDEX ON odd ((fresh() + id)) WHERE id > fresh();
        CREATE VIEW lists AS SELECT u.id, p.author FROM users u JOIN s.users p ON p.id = u.id;
        CREATE MATERIALIZED VIEW kept AS SELECT * FROM lists;
        CREATE POLICY mine ON posts USING (author IN (SELECT id FROM users) AND fresh() > 0);
        CREATE TRIGGER note AFTER INSERT ON posts FOR EACH ROW EXECUTE FUNCTION noted();
        ALTER TABLE users RENAME TO "People";
        ALTER TYPE "Status" RENAME TO state;
        ALTER SEQUENCE numbers RENAME TO digits;
        ALTER FUNCTION fresh() RENAME TO newer;
        ALTER TABLE s.users SET SCHEMA public;
        ALTER TABLE posts ALTER COLUMN id SET DEFAULT newer(), ADD COLUMN again state[], ADD FOREIGN KEY (id) REFERENCES "People";
        DROP TYPE state CASCADE;
        DROP TABLE "People" CASCADE;
        DROP FUNCTION newer() CASCADE;
        DROP SEQUENCE digits CASCADE;
    "#;

    /// What a look into every relation finds.
    fn looked_for(schema: &Schema, class: Class, name: &ObjectName) -> BTreeSet<Dependent> {
        let mut found = BTreeSet::new();
        for relation in schema.overlay.relations() {
            match class {
                Class::Relation => schema.depends_on_relation(relation, name, &mut found),
                Class::Type => schema.depends_on_type(relation, name, &mut found),
                Class::Function => schema.depends_on_function(relation, name, &mut found),
                _ => depends_on_sequence(relation, name, &mut found),
            }
        }
        if class == Class::Type {
            schema.functions_of_type(name, &mut found);
        }
        found
    }

    #[test]
    fn passing_relations_over_misses_nothing() {
        let script = parse(Dialect::Postgres, SCRIPT).unwrap();
        let mut schema = Schema::empty(Context::new(Dialect::Postgres));
        let mut names = BTreeSet::new();
        let mut count = 0;
        let mut check = |schema: &Schema| {
            names.extend(schema.relations().unwrap());
            names.extend(schema.type_names().unwrap());
            names.extend(schema.sequence_names().unwrap());
            names.extend(schema.function_names().unwrap());
            for kind in [
                ObjectKind::Table,
                ObjectKind::Type,
                ObjectKind::Function,
                ObjectKind::Sequence,
            ] {
                for name in &names {
                    let found: BTreeSet<_> = schema.dependents(kind, name).unwrap().into_iter().collect();
                    assert_eq!(found, looked_for(schema, Class::of(kind), name), "{name}");
                    count += found.len();
                }
            }
            for name in &names {
                let points = |relation: &&std::sync::Arc<Relation>| {
                    relation.constraints.iter().any(
                        |own| matches!(&own.rule, ConstraintRule::ForeignKey { references, .. } if references == name),
                    )
                };
                let wanted: BTreeSet<_> = schema
                    .overlay
                    .relations()
                    .filter(points)
                    .map(|found| &found.name)
                    .collect();
                let found = schema.referencing(name).unwrap();
                assert_eq!(
                    found.iter().map(|(table, _)| table).collect::<BTreeSet<_>>(),
                    wanted,
                    "{name}"
                );
            }
        };
        let mut seen = |_, schema: &Schema| {
            let mut schema = schema.clone();
            schema.overlay.look_again(1);
            check(&schema);
            Ok(())
        };
        schema.apply_each(&script, &mut seen).unwrap();
        assert!(count > 300, "{count}");
    }
}
