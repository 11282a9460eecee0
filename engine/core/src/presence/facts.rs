//! What can be seen of an object in a catalog, as facts that are either the same in two schemas or not. A catalog that was
//! read and one that was replayed say most things in the same words; where they may not, a fact is a loose one.

use std::collections::BTreeMap;

use tollgate_schema::difference::{self, Place};
use tollgate_schema::model::{Column, Constraint, ConstraintRule, Index, Relation, RelationKind, TypeKind, UserType};
use tollgate_schema::{BaseError, Schema};
use tollgate_sql::operation::{ObjectKind, ReferentialAction};
use tollgate_sql::{Dialect, ObjectName};

/// One property of an object.
#[derive(Debug, Clone)]
pub(super) struct Fact {
    /// The property, with the object: `column users.email`. Two facts with other spellings of it are the same.
    pub what: String,
    /// What it is.
    pub value: String,
    /// A server may print it in other words: that it is equal says something, that it differs does not.
    pub loose: bool,
}

impl PartialEq for Fact {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

/// What is known of one object.
#[derive(Debug, Clone)]
pub(super) enum Seen {
    /// These facts, and no others. An object that is not there has none.
    Known(BTreeMap<String, Fact>),
    /// A replay could not follow what became of it.
    Unknown,
}

/// Collects facts about one object.
struct Collector {
    dialect: Dialect,
    facts: BTreeMap<String, Fact>,
}

/// Everything that can be seen of whatever bears this resolved name. The script says only in some places what it is, so
/// all kinds of objects are looked for.
pub(super) fn seen(schema: &Schema, name: &ObjectName) -> Result<Seen, BaseError> {
    let dialect = schema.context().dialect;
    let mut collector = Collector {
        dialect,
        facts: BTreeMap::new(),
    };
    let doubtful = |kind| -> Result<bool, BaseError> { Ok(schema.exists(kind, name)?.is_none()) };
    if doubtful(ObjectKind::Table)? {
        return Ok(Seen::Unknown);
    }
    if let Some(relation) = schema.relation(name)? {
        if relation.uncertain {
            return Ok(Seen::Unknown);
        }
        collector.relation(&relation);
    } else if let Some(owner) = schema.index_owner(name)?
        && let Some(relation) = schema.relation(&owner)?
    {
        let index = relation
            .indexes
            .iter()
            .find(|index| same(dialect, &index.name, &name.name));
        if let Some(index) = index {
            collector.index(&relation, index);
        }
    }
    if dialect != Dialect::Sqlite {
        if doubtful(ObjectKind::Type)? || doubtful(ObjectKind::Function)? {
            return Ok(Seen::Unknown);
        }
        collector.postgres(schema, name)?;
    }
    Ok(Seen::Known(collector.facts))
}

fn same(dialect: Dialect, one: &str, two: &str) -> bool {
    if dialect == Dialect::Sqlite {
        one.eq_ignore_ascii_case(two)
    } else {
        one == two
    }
}

impl Collector {
    fn note(&mut self, what: String, value: impl Into<String>, loose: bool) {
        // SQLite's names are the same in any case, and each side has its own spelling.
        let key = if self.dialect == Dialect::Sqlite {
            what.to_lowercase()
        } else {
            what.clone()
        };
        let value = value.into();
        self.facts.insert(key, Fact { what, value, loose });
    }

    /// A property that is there or is not.
    fn flag(&mut self, what: String, on: bool) {
        if on {
            self.note(what, "there", false);
        }
    }

    /// A text that each server prints in its own way.
    fn text(&mut self, what: String, text: Option<&String>) {
        if let Some(text) = text {
            let words: Vec<_> = text.split_whitespace().collect();
            self.note(what, words.join(" "), true);
        }
    }

    /// An expression, in words that a script and a server mostly have in common.
    fn expression(&mut self, what: String, table: &ObjectName, text: Option<&String>) {
        if let Some(text) = text {
            let words = difference::in_other_words(self.dialect, Place::Check { table }, text);
            self.note(what, words, true);
        }
    }

    fn comment(&mut self, on: &str, comment: Option<&String>) {
        if let Some(comment) = comment {
            self.note(format!("the comment on {on}"), comment.clone(), false);
        }
    }

    fn relation(&mut self, relation: &Relation) {
        let name = &relation.name;
        let what = format!("{} {name}", word(relation.kind));
        self.flag(what.clone(), true);
        self.comment(&what, relation.comment.as_ref());
        for column in &relation.columns {
            self.column(name, column);
        }
        for constraint in &relation.constraints {
            self.constraint(name, constraint);
        }
        for index in relation.indexes.iter().filter(|index| index.constraint.is_none()) {
            self.index(relation, index);
        }
        for trigger in &relation.triggers {
            let state = if trigger.enabled { "there" } else { "disabled" };
            self.note(format!("trigger {} on {name}", trigger.name), state, false);
            self.text(
                format!("the definition of trigger {} on {name}", trigger.name),
                Some(&trigger.definition),
            );
        }
        for policy in &relation.policies {
            let what = format!("policy {} on {name}", policy.name);
            self.note(
                what.clone(),
                format!("for {} to {}", policy.command, policy.roles.join(", ")),
                false,
            );
            self.expression(format!("USING of {what}"), name, policy.using.as_ref());
            self.expression(format!("WITH CHECK of {what}"), name, policy.check.as_ref());
        }
        for (rule, _) in &relation.rules {
            self.flag(format!("rule {rule} on {name}"), true);
        }
        self.flag(format!("row-level security of {name}"), relation.row_security);
        self.flag(
            format!("row-level security of {name} for its owner"),
            relation.force_row_security,
        );
        self.flag(format!("UNLOGGED of {name}"), relation.unlogged);
        for parent in relation
            .partition_of
            .iter()
            .map(|(parent, _)| parent)
            .chain(&relation.inherits)
        {
            self.flag(format!("{name} below {parent}"), true);
        }
        for (option, value) in &relation.options {
            self.note(format!("storage parameter {option} of {name}"), value.clone(), false);
        }
        self.text(format!("the query of {what}"), relation.query.as_ref());
        self.text(format!("the statement of {what}"), relation.definition.as_ref());
    }

    fn column(&mut self, table: &ObjectName, column: &Column) {
        let what = format!("column {table}.{}", column.name);
        self.flag(what.clone(), true);
        self.note(format!("the type of {what}"), column.data_type.sql(self.dialect), false);
        self.flag(format!("NOT NULL of {what}"), column.not_null);
        self.flag(format!("a default of {what}"), column.default.is_some());
        self.expression(format!("the default of {what}"), table, column.default.as_ref());
        self.flag(format!("an expression of {what}"), column.generated.is_some());
        self.flag(format!("an identity of {what}"), column.identity.is_some());
        self.comment(&what, column.comment.as_ref());
    }

    fn constraint(&mut self, table: &ObjectName, constraint: &Constraint) {
        let rule = rule(&constraint.rule);
        let what = if constraint.name.is_empty() {
            format!("{rule} of {table}")
        } else {
            format!("constraint {} of {table}", constraint.name)
        };
        self.note(what.clone(), rule, false);
        if let ConstraintRule::Check { expression, .. } = &constraint.rule {
            self.expression(format!("the condition of {what}"), table, Some(expression));
        }
        self.flag(format!("validation of {what}"), constraint.validated);
        self.flag(format!("DEFERRABLE of {what}"), constraint.deferrable);
    }

    fn index(&mut self, relation: &Relation, index: &Index) {
        let name = ObjectName {
            schema: relation.name.schema.clone(),
            name: index.name.clone(),
        };
        let keys: Vec<_> = index
            .parts
            .iter()
            .map(|key| key.column.as_deref().unwrap_or("expression"))
            .collect();
        let unique = if index.unique { "unique, " } else { "" };
        let valid = if index.valid { "" } else { "not valid, " };
        self.note(
            format!("index {name}"),
            format!("{valid}{unique}on {} ({})", relation.name, keys.join(", ")),
            false,
        );
        self.expression(
            format!("the condition of index {name}"),
            &relation.name,
            index.predicate.as_ref(),
        );
    }

    /// What only PostgreSQL has beside relations.
    fn postgres(&mut self, schema: &Schema, name: &ObjectName) -> Result<(), BaseError> {
        if let Some(found) = schema.user_type(name)? {
            self.user_type(&found);
        }
        if let Some(found) = schema.sequence(name)? {
            let options: Vec<_> = found
                .options
                .iter()
                .map(|(option, value)| format!("{option} {value}"))
                .collect();
            let text = format!("{} {}", found.data_type, options.join(" "));
            self.note(format!("sequence {}", found.name), text.trim(), false);
        }
        for function in schema.functions(name)? {
            let arguments = function.arguments.join(", ");
            let what = format!("function {}({arguments})", function.name);
            self.flag(what.clone(), true);
            if let Some(body) = &function.body {
                self.note(format!("the body of {what}"), body.clone(), true);
            }
        }
        let bare = ObjectName::bare(&name.name);
        for (kind, word) in [(ObjectKind::Schema, "schema"), (ObjectKind::Extension, "extension")] {
            if schema.exists(kind, &bare)? == Some(true) {
                self.flag(format!("{word} {bare}"), true);
            }
        }
        Ok(())
    }

    fn user_type(&mut self, found: &UserType) {
        let what = format!("type {}", found.name);
        self.flag(what.clone(), true);
        self.comment(&what, found.comment.as_ref());
        match &found.kind {
            TypeKind::Enum { values } => self.note(format!("the values of {what}"), values.join(", "), false),
            TypeKind::Domain {
                base,
                not_null,
                default,
                checks,
                ..
            } => {
                self.note(format!("the base of {what}"), base.sql(self.dialect), false);
                self.flag(format!("NOT NULL of {what}"), *not_null);
                self.flag(format!("a default of {what}"), default.is_some());
                for (check, _) in checks {
                    self.flag(format!("check {check} of {what}"), true);
                }
            }
            TypeKind::Composite { attributes } => {
                let one = |(name, data_type): &(String, tollgate_sql::operation::DataType)| {
                    format!("{name} {}", data_type.sql(self.dialect))
                };
                let attributes: Vec<_> = attributes.iter().map(one).collect();
                self.note(format!("the attributes of {what}"), attributes.join(", "), false);
            }
            TypeKind::Other { .. } => {}
        }
    }
}

fn word(kind: RelationKind) -> &'static str {
    match kind {
        RelationKind::Table | RelationKind::PartitionedTable => "table",
        RelationKind::View => "view",
        RelationKind::MaterializedView => "materialized view",
        RelationKind::ForeignTable => "foreign table",
    }
}

/// A constraint without its expression, which each server prints in its own way.
fn rule(rule: &ConstraintRule) -> String {
    let list = |columns: &[String]| columns.join(", ");
    match rule {
        ConstraintRule::PrimaryKey { columns, .. } => format!("PRIMARY KEY ({})", list(columns)),
        ConstraintRule::Unique { columns, .. } => format!("UNIQUE ({})", list(columns)),
        ConstraintRule::ForeignKey {
            columns,
            references,
            referenced_columns,
            on_update,
            on_delete,
            ..
        } => {
            let to = match referenced_columns.as_slice() {
                [] => String::new(),
                columns => format!(" ({})", list(columns)),
            };
            let actions = [("ON UPDATE", on_update), ("ON DELETE", on_delete)];
            let actions = actions
                .into_iter()
                .filter_map(|(when, action)| Some(format!(" {when} {}", words(*action)?)));
            let actions: String = actions.collect();
            format!("FOREIGN KEY ({}) REFERENCES {references}{to}{actions}", list(columns))
        }
        ConstraintRule::Check { .. } => "CHECK".to_owned(),
        ConstraintRule::Exclude { .. } => "EXCLUDE".to_owned(),
    }
}

/// What a foreign key does, where it is not the usual.
fn words(action: ReferentialAction) -> Option<&'static str> {
    match action {
        ReferentialAction::NoAction => None,
        ReferentialAction::Restrict => Some("RESTRICT"),
        ReferentialAction::Cascade => Some("CASCADE"),
        ReferentialAction::SetNull => Some("SET NULL"),
        ReferentialAction::SetDefault => Some("SET DEFAULT"),
    }
}
