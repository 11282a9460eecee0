//! Differences inside one relation.

use tollgate_sql::ObjectName;
use tollgate_sql::operation::{ObjectKind, ReferentialAction};

use super::{Comparison, Place, Texts, show, wording};
use crate::model::{Column, Constraint, ConstraintRule, Index, IndexKey, PolicyModel, Relation, Trigger};

impl Comparison<'_> {
    /// Everything about a relation; of an `opaque` one (a view) only what does not depend on its query.
    pub(super) fn relation(&mut self, left: &Relation, right: &Relation, opaque: bool) {
        self.text("comment", left.comment.as_ref(), right.comment.as_ref());
        self.indexes(left, right);
        self.triggers(left, right);
        if self.options.privileges {
            self.differ("privileges", &left.grants, &right.grants, |grants| show::grants(grants));
        }
        if self.options.statements && self.left.is_sqlite() && left.definition.is_some() && right.definition.is_some() {
            // What `sqlite_master` holds is the same text on both sides, or it is not known.
            self.text("statement", left.definition.as_ref(), right.definition.as_ref());
        }
        if opaque {
            self.query(left, right);
            return;
        }
        self.columns(left, right);
        self.constraints(left, right);
        self.policies(left, right);
        self.properties(left, right);
    }

    /// What a view shows.
    fn query(&mut self, left: &Relation, right: &Relation) {
        let same = match self.options.texts {
            // PostgreSQL prints it in its own words; on SQLite a replay does not follow every rename inside it.
            Texts::None | Texts::Written => true,
            Texts::Printed => match (&left.query, &right.query) {
                (Some(one), Some(other)) => wording::same_tokens(self.left.context().dialect, one, other),
                _ => true,
            },
        };
        self.changed("query", same);
    }

    fn properties(&mut self, left: &Relation, right: &Relation) {
        self.flag("row-level security", left.row_security, right.row_security);
        self.flag(
            "row-level security for the owner",
            left.force_row_security,
            right.force_row_security,
        );
        self.flag("unlogged", left.unlogged, right.unlogged);
        self.flag("WITHOUT ROWID", left.without_rowid, right.without_rowid);
        self.flag("STRICT", left.strict, right.strict);
        self.text("tablespace", left.tablespace.as_ref(), right.tablespace.as_ref());
        self.text(
            "access method",
            left.access_method.as_ref(),
            right.access_method.as_ref(),
        );
        self.differ(
            "replica identity",
            &left.replica_identity,
            &right.replica_identity,
            Clone::clone,
        );
        self.differ("storage parameters", &left.options, &right.options, |options| {
            show::pairs(options)
        });
        let rules = |relation: &Relation| relation.rules.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
        self.differ("rules", &rules(left), &rules(right), |names| {
            format!("({})", names.join(", "))
        });
        let parents = |relation: &Relation| {
            let partition = relation.partition_of.iter().map(|(parent, _)| parent.to_string());
            partition
                .chain(relation.inherits.iter().map(ToString::to_string))
                .collect::<Vec<_>>()
        };
        self.differ("parents", &parents(left), &parents(right), |names| {
            format!("({})", names.join(", "))
        });
        self.flag(
            "partitioned",
            left.partition_key.is_some(),
            right.partition_key.is_some(),
        );
    }

    fn columns(&mut self, left: &Relation, right: &Relation) {
        let folding = self.left.folding();
        for column in &left.columns {
            let other = right
                .columns
                .iter()
                .find(|other| folding.same(&other.name, &column.name));
            self.within(ObjectKind::Column, &column.name, |this| match other {
                None => this.only(&format!("column {}", column.name), true),
                Some(other) => this.column(left, column, other),
            });
        }
        for column in &right.columns {
            if !left.columns.iter().any(|other| folding.same(&other.name, &column.name)) {
                self.within(ObjectKind::Column, &column.name, |this| {
                    this.only(&format!("column {}", column.name), false);
                });
            }
        }
        let order = |relation: &Relation| {
            relation
                .columns
                .iter()
                .map(|column| column.name.to_lowercase())
                .collect::<Vec<_>>()
        };
        let (one, two) = (order(left), order(right));
        if one.len() == two.len() && one.iter().all(|name| two.contains(name)) {
            self.differ("order of columns", &one, &two, |names| names.join(", "));
        }
    }

    fn column(&mut self, table: &Relation, left: &Column, right: &Column) {
        let dialect = self.left.context().dialect;
        let what = |property: &str| format!("column {}: {property}", left.name);
        self.differ(
            &what("type"),
            &left.data_type.sql(dialect),
            &right.data_type.sql(dialect),
            Clone::clone,
        );
        self.flag(&what("not null"), left.not_null, right.not_null);
        let data_type = left.data_type.sql(dialect);
        let place = Place::Default {
            table: &table.name,
            data_type: &data_type,
        };
        self.expression(&what("default"), place, left.default.as_ref(), right.default.as_ref());
        let generated = |column: &Column| column.generated.as_ref().map(|(text, _)| text.clone());
        let place = Place::Generated { table: &table.name };
        self.expression(
            &what("generated"),
            place,
            generated(left).as_ref(),
            generated(right).as_ref(),
        );
        self.differ(&what("identity"), &left.identity, &right.identity, |identity| {
            show::identity(*identity)
        });
        self.differ(&what("sequence"), &left.sequence, &right.sequence, |name| {
            name.as_ref().map_or_else(|| "none".to_owned(), ToString::to_string)
        });
        self.differ(&what("collation"), &left.collation, &right.collation, |name| {
            name.as_ref().map_or_else(|| "default".to_owned(), ToString::to_string)
        });
        self.text(&what("comment"), left.comment.as_ref(), right.comment.as_ref());
        self.differ(&what("options"), &left.options, &right.options, |options| {
            show::pairs(options)
        });
    }

    fn constraints(&mut self, left: &Relation, right: &Relation) {
        for constraint in &left.constraints {
            let other = right.constraints.iter().find(|other| label(other) == label(constraint));
            self.within(ObjectKind::Constraint, &label(constraint), |this| match other {
                None => this.only(&format!("constraint {}", label(constraint)), true),
                Some(other) => this.constraint(left, constraint, other),
            });
        }
        for constraint in &right.constraints {
            if !left.constraints.iter().any(|other| label(other) == label(constraint)) {
                self.within(ObjectKind::Constraint, &label(constraint), |this| {
                    this.only(&format!("constraint {}", label(constraint)), false);
                });
            }
        }
    }

    fn constraint(&mut self, table: &Relation, left: &Constraint, right: &Constraint) {
        let what = |property: &str| format!("constraint {}: {property}", left.name);
        self.flag(&what("deferrable"), left.deferrable, right.deferrable);
        self.flag(
            &what("initially deferred"),
            left.initially_deferred,
            right.initially_deferred,
        );
        self.flag(&what("validated"), left.validated, right.validated);
        self.text(&what("comment"), left.comment.as_ref(), right.comment.as_ref());
        match (&left.rule, &right.rule) {
            (ConstraintRule::Check { expression, .. }, ConstraintRule::Check { expression: other, .. }) => {
                let place = Place::Check { table: &table.name };
                self.expression(&what("condition"), place, Some(expression), Some(other));
            }
            (ConstraintRule::Exclude { definition, .. }, ConstraintRule::Exclude { definition: other, .. }) => {
                let place = Place::Exclusion { table: &table.name };
                self.expression(&what("exclusion"), place, Some(definition), Some(other));
            }
            (one, two) => self.differ(&what("definition"), &short(one), &short(two), Clone::clone),
        }
    }

    fn indexes(&mut self, left: &Relation, right: &Relation) {
        let folding = self.left.folding();
        for index in &left.indexes {
            let other = right
                .indexes
                .iter()
                .find(|other| folding.same(&other.name, &index.name));
            self.within(ObjectKind::Index, &index.name, |this| match other {
                None => this.only(&format!("index {}", index.name), true),
                Some(other) => this.index(left, index, other),
            });
        }
        for index in &right.indexes {
            if !left.indexes.iter().any(|other| folding.same(&other.name, &index.name)) {
                self.within(ObjectKind::Index, &index.name, |this| {
                    this.only(&format!("index {}", index.name), false);
                });
            }
        }
    }

    fn index(&mut self, table: &Relation, left: &Index, right: &Index) {
        let what = |property: &str| format!("index {}: {property}", left.name);
        self.flag(&what("unique"), left.unique, right.unique);
        self.flag(
            &what("nulls not distinct"),
            left.nulls_not_distinct,
            right.nulls_not_distinct,
        );
        self.flag(&what("primary"), left.primary, right.primary);
        self.flag(&what("valid"), left.valid, right.valid);
        self.differ(&what("method"), &left.method, &right.method, Clone::clone);
        self.differ(&what("included columns"), &left.include, &right.include, |columns| {
            columns.join(", ")
        });
        self.text(&what("constraint"), left.constraint.as_ref(), right.constraint.as_ref());
        self.text(&what("comment"), left.comment.as_ref(), right.comment.as_ref());
        self.text(&what("tablespace"), left.tablespace.as_ref(), right.tablespace.as_ref());
        self.differ(&what("options"), &left.options, &right.options, |options| {
            show::pairs(options)
        });
        if self.options.statements && self.left.is_sqlite() && left.definition.is_some() {
            self.text(&what("statement"), left.definition.as_ref(), right.definition.as_ref());
        }
        let place = Place::Predicate { table: &table.name };
        self.expression(
            &what("condition"),
            place,
            left.predicate.as_ref(),
            right.predicate.as_ref(),
        );
        let keys = |index: &Index, normal: bool| {
            let one = |key: &IndexKey| {
                let place = Place::IndexKey { table: &table.name };
                let form = |text: &String| {
                    if normal {
                        (self.options.normalise)(place, text)
                    } else {
                        text.clone()
                    }
                };
                let expression = key.expression.as_ref().map(form);
                let what = key.column.clone().or(expression).unwrap_or_default();
                let class = key
                    .operator_class
                    .iter()
                    .chain(&key.collation)
                    .fold(String::new(), |text, part| text + " " + part);
                let order = if key.descending { " desc" } else { "" };
                let nulls = if key.nulls_first { " nulls first" } else { "" };
                format!("{what}{class}{order}{nulls}")
            };
            index.parts.iter().map(one).collect::<Vec<_>>().join(", ")
        };
        if keys(left, true) != keys(right, true) {
            let (one, two) = (keys(left, false), keys(right, false));
            self.differ(&what("keys"), &one, &two, |keys| format!("({keys})"));
        }
    }

    fn triggers(&mut self, left: &Relation, right: &Relation) {
        let folding = self.left.folding();
        for trigger in &left.triggers {
            let other = right
                .triggers
                .iter()
                .find(|other| folding.same(&other.name, &trigger.name));
            self.within(ObjectKind::Trigger, &trigger.name, |this| match other {
                None => this.only(&format!("trigger {}", trigger.name), true),
                Some(other) => this.trigger(trigger, other),
            });
        }
        for trigger in &right.triggers {
            if !left
                .triggers
                .iter()
                .any(|other| folding.same(&other.name, &trigger.name))
            {
                self.within(ObjectKind::Trigger, &trigger.name, |this| {
                    this.only(&format!("trigger {}", trigger.name), false);
                });
            }
        }
    }

    fn trigger(&mut self, left: &Trigger, right: &Trigger) {
        let what = |property: &str| format!("trigger {}: {property}", left.name);
        self.flag(&what("enabled"), left.enabled, right.enabled);
        self.differ(&what("function"), &left.function, &right.function, |name| {
            name.as_ref().map_or_else(|| "none".to_owned(), ToString::to_string)
        });
        self.text(&what("comment"), left.comment.as_ref(), right.comment.as_ref());
        let dialect = self.left.context().dialect;
        let same = match self.options.texts {
            Texts::None => true,
            Texts::Written => wording::same_statement(dialect, &left.definition, &right.definition),
            Texts::Printed => wording::same_tokens(dialect, &left.definition, &right.definition),
        };
        self.changed(&what("definition"), same);
    }

    fn policies(&mut self, left: &Relation, right: &Relation) {
        for policy in &left.policies {
            let other = right.policies.iter().find(|other| other.name == policy.name);
            self.within(ObjectKind::Policy, &policy.name, |this| match other {
                None => this.only(&format!("policy {}", policy.name), true),
                Some(other) => this.policy(&left.name, policy, other),
            });
        }
        for policy in &right.policies {
            if !left.policies.iter().any(|other| other.name == policy.name) {
                self.within(ObjectKind::Policy, &policy.name, |this| {
                    this.only(&format!("policy {}", policy.name), false);
                });
            }
        }
    }

    fn policy(&mut self, table: &ObjectName, left: &PolicyModel, right: &PolicyModel) {
        let what = |property: &str| format!("policy {}: {property}", left.name);
        let place = Place::Policy { table };
        self.flag(&what("permissive"), left.permissive, right.permissive);
        self.differ(&what("command"), &left.command, &right.command, Clone::clone);
        self.differ(&what("roles"), &left.roles, &right.roles, |roles| roles.join(", "));
        self.expression(&what("USING"), place, left.using.as_ref(), right.using.as_ref());
        self.expression(&what("WITH CHECK"), place, left.check.as_ref(), right.check.as_ref());
    }
}

/// A constraint's name. Those without one (`SQLite`) are told apart by what they say.
pub(crate) fn label(constraint: &Constraint) -> String {
    match constraint.name.as_str() {
        "" => format!("{:?}", short(&constraint.rule)),
        name => name.to_owned(),
    }
}

/// A constraint's rule in a few words; of a check, whose text may differ, only that it is one.
fn short(rule: &ConstraintRule) -> String {
    match rule {
        ConstraintRule::PrimaryKey { columns, include } => {
            format!("PRIMARY KEY ({}){}", columns.join(", "), including(include))
        }
        ConstraintRule::Unique {
            columns,
            include,
            nulls_not_distinct,
        } => {
            let nulls = if *nulls_not_distinct { " NULLS NOT DISTINCT" } else { "" };
            format!("UNIQUE{nulls} ({}){}", columns.join(", "), including(include))
        }
        ConstraintRule::ForeignKey {
            columns,
            references,
            referenced_columns,
            on_update,
            on_delete,
            on_delete_columns,
            match_full,
        } => {
            let full = if *match_full { " MATCH FULL" } else { "" };
            format!(
                "FOREIGN KEY ({}) REFERENCES {references} ({}){full} ON UPDATE {} ON DELETE {}{}",
                columns.join(", "),
                referenced_columns.join(", "),
                action(*on_update),
                action(*on_delete),
                including(on_delete_columns),
            )
        }
        ConstraintRule::Check { .. } => "CHECK".to_owned(),
        ConstraintRule::Exclude { .. } => "EXCLUDE".to_owned(),
    }
}

fn including(columns: &[String]) -> String {
    if columns.is_empty() {
        String::new()
    } else {
        format!(" ({})", columns.join(", "))
    }
}

fn action(action: ReferentialAction) -> &'static str {
    match action {
        ReferentialAction::NoAction => "NO ACTION",
        ReferentialAction::Restrict => "RESTRICT",
        ReferentialAction::Cascade => "CASCADE",
        ReferentialAction::SetNull => "SET NULL",
        ReferentialAction::SetDefault => "SET DEFAULT",
    }
}
