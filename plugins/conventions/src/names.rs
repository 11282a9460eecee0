//! Every name that a migration gives to something, with its place in the script.

use tollgate_plugin::rules::{Context, Step};
use tollgate_plugin::{ConstraintDefinition, ObjectKind, ObjectName, Operation, Span};

use crate::columns::{declared, name_at};

/// One name.
pub(crate) struct Named<'a> {
    /// What gives it.
    pub(crate) step: Step<'a>,
    /// What it is given to.
    pub(crate) kind: ObjectKind,
    /// The name.
    pub(crate) name: &'a str,
    /// For messages: `the table users`, `the column users.role`.
    pub(crate) shown: String,
    /// Where to point.
    pub(crate) at: Span,
}

/// All names, in the order of the script. What is temporary is left out.
pub(crate) fn given<'a>(context: &Context<'a>) -> Vec<Named<'a>> {
    let mut collector = Collector {
        context,
        found: Vec::new(),
    };
    for step in context.steps() {
        collector.step(step);
    }
    for column in declared(context) {
        if column.definition.is_some() {
            let shown = format!("the column {}", column.shown());
            collector.push(column.step, ObjectKind::Column, column.name, shown, column.at);
        }
    }
    collector
        .found
        .sort_by_key(|named| (named.step.statement.index, named.at.start));
    collector.found
}

struct Collector<'c, 'a> {
    context: &'c Context<'a>,
    found: Vec<Named<'a>>,
}

impl<'a> Collector<'_, 'a> {
    fn step(&mut self, step: Step<'a>) {
        match &step.effect.operation {
            Operation::CreateTable(created) if !created.temporary => {
                self.object(step, ObjectKind::Table, &created.name);
                self.constraints(step, &created.constraints, &created.name);
            }
            Operation::AddColumn(added) => self.constraints(step, &added.constraints, &added.table),
            Operation::AddConstraint(added) => {
                self.constraints(step, std::slice::from_ref(&added.constraint), &added.table);
            }
            Operation::CreateIndex(index) => {
                if let Some(name) = &index.name {
                    let at = self.locate(&step, name);
                    self.push(step, ObjectKind::Index, name, format!("the index {name}"), at);
                }
            }
            Operation::CreateEnum(created) => self.object(step, ObjectKind::Type, &created.name),
            Operation::Create(created) => self.object(step, created.kind, &created.name),
            Operation::Rename(rename) => {
                let shown = format!("the {} {}", rename.kind, rename.to);
                let at = self.locate(&step, &rename.to);
                self.push(step, rename.kind, &rename.to, shown, at);
            }
            Operation::RenameColumn(rename) => {
                let shown = format!("the column {}.{}", rename.from.table.short(), rename.to);
                let at = self.locate(&step, &rename.to);
                self.push(step, ObjectKind::Column, &rename.to, shown, at);
            }
            _ => {}
        }
    }

    fn constraints(&mut self, step: Step<'a>, constraints: &'a [ConstraintDefinition], table: &ObjectName) {
        for constraint in constraints {
            if let Some(name) = &constraint.name {
                let shown = format!("the constraint {name} of {}", table.short());
                let at = self.locate(&step, name);
                self.push(step, ObjectKind::Constraint, name, shown, at);
            }
        }
    }

    fn object(&mut self, step: Step<'a>, kind: ObjectKind, name: &'a ObjectName) {
        let at = self.locate(&step, &name.name);
        self.push(step, kind, &name.name, format!("the {kind} {}", name.short()), at);
    }

    fn locate(&self, step: &Step<'a>, name: &str) -> Span {
        name_at(self.context, step.effect.at, name).unwrap_or(step.effect.at)
    }

    fn push(&mut self, step: Step<'a>, kind: ObjectKind, name: &'a str, shown: String, at: Span) {
        self.found.push(Named {
            step,
            kind,
            name,
            shown,
            at,
        });
    }
}
