//! What becomes of each object while a migration runs: made by it or there before, renamed, dropped.
//!
//! A statement names an object as it is called at that moment; the catalogs before and after may know it by another name,
//! or not at all. What the migration both makes and drops leaves nothing to undo, and what it drops comes back as it was
//! before, so that nothing that happened to it in between needs undoing.

mod trace;

use std::collections::HashMap;

use tollgate_plugin::{Catalog, Dialect, ObjectName, Operation, Statement};

/// An effect of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct At {
    pub(crate) statement: u32,
    pub(crate) effect: usize,
}

/// One object, from its first mention to its last. A member's name has no schema.
#[derive(Debug, Clone)]
pub(crate) struct Life {
    /// Its name before the migration; `None` when the migration made it.
    pub(crate) before: Option<ObjectName>,
    /// The first time that it, or a column of it, got another name.
    renamed: Option<At>,
    /// The effect that dropped it.
    died: Option<At>,
    space: Space,
    /// The relation that it belongs to.
    owner: Option<usize>,
}

/// Namespaces in which a name stands for one object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Space {
    /// Tables, views, sequences, indexes.
    Relation,
    Type,
    Schema,
    Extension,
    Column,
    Constraint,
    Trigger,
    Policy,
    Rule,
}

/// A name at some moment: the namespace, the relation that a member belongs to, the name.
type Key = (Space, Option<usize>, ObjectName);

/// What an effect is about.
#[derive(Debug, Clone, Default)]
struct Subject {
    /// The relation, or another object that is nobody's member.
    object: Option<usize>,
    /// A column, constraint, index, trigger, policy or rule of it.
    member: Option<usize>,
    /// Columns that an UPDATE writes.
    columns: Vec<usize>,
    /// IF NOT EXISTS of what is there, IF EXISTS of what is gone.
    idle: bool,
}

/// How to take an effect back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// By its inverse.
    Inverse,
    /// Not at all.
    Nothing,
    /// By its inverse, but only after that earlier effect was taken back: until then, names are not what they were.
    After(At),
}

/// Everything that a migration's effects are about.
#[derive(Debug, Default)]
pub(crate) struct Lives {
    all: Vec<Life>,
    /// Who has a name now; `None`: nobody, any more.
    now: HashMap<Key, Option<usize>>,
    subjects: Vec<Vec<Subject>>,
    fold: bool,
}

impl Lives {
    /// Follows a script.
    pub(crate) fn trace(statements: &[Statement], before: &dyn Catalog, dialect: Dialect) -> Self {
        let mut lives = Self {
            fold: dialect == Dialect::Sqlite,
            ..Self::default()
        };
        for statement in statements {
            let mut subjects = Vec::with_capacity(statement.effects.len());
            for (effect, found) in statement.effects.iter().enumerate() {
                let at = At {
                    statement: statement.index,
                    effect,
                };
                subjects.push(lives.follow(at, &found.operation, before));
            }
            lives.subjects.push(subjects);
        }
        lives
    }

    fn subject(&self, at: At) -> Option<&Subject> {
        self.subjects.get(at.statement as usize)?.get(at.effect)
    }

    fn get(&self, id: Option<usize>) -> Option<&Life> {
        self.all.get(id?)
    }

    /// The relation (or type, schema) that an effect is about.
    pub(crate) fn object(&self, at: At) -> Option<&Life> {
        self.get(self.subject(at)?.object)
    }

    /// Tells relations apart, whatever they are called.
    pub(crate) fn identity(&self, at: At) -> Option<usize> {
        self.subject(at)?.object
    }

    /// The column, constraint, index, trigger, policy or rule that an effect is about.
    pub(crate) fn member(&self, at: At) -> Option<&Life> {
        self.get(self.subject(at)?.member)
    }

    /// Columns from before that the migration drops from the relation of this effect, and where.
    pub(crate) fn dropped_columns(&self, at: At) -> impl Iterator<Item = (At, &str)> {
        self.ended(at, Space::Column)
    }

    /// The migration drops this constraint, which was there before, from the relation of this effect.
    pub(crate) fn drops_constraint(&self, at: At, name: &str) -> bool {
        self.ended(at, Space::Constraint).any(|(_, dropped)| dropped == name)
    }

    fn ended(&self, at: At, space: Space) -> impl Iterator<Item = (At, &str)> {
        let owner = self.identity(at);
        let of_it = self
            .all
            .iter()
            .filter(move |life| life.space == space && life.owner.is_some() && life.owner == owner);
        of_it.filter_map(|life| Some((life.died?, life.before.as_ref()?.name.as_str())))
    }

    /// Whether the `index`th column that an UPDATE writes was made by the migration.
    pub(crate) fn writes_new_column(&self, at: At, index: usize) -> bool {
        let column = self.subject(at).and_then(|subject| subject.columns.get(index).copied());
        self.get(column).is_some_and(Life::is_new)
    }

    /// How an effect is taken back, as far as that depends on what else happens to its objects.
    pub(crate) fn way(&self, at: At) -> Way {
        let Some(subject) = self.subject(at) else {
            return Way::Inverse;
        };
        if subject.idle {
            return Way::Nothing;
        }
        for life in [subject.object, subject.member]
            .into_iter()
            .filter_map(|id| self.get(id))
        {
            match life.died {
                Some(died) if life.is_new() || died != at => return Way::Nothing,
                _ => {}
            }
        }
        let renamed = |id: Option<usize>| {
            self.get(id)
                .and_then(|life| life.renamed)
                .filter(|renamed| *renamed < at)
        };
        let dies = |id: Option<usize>| self.get(id).is_some_and(|life| life.died == Some(at));
        // What is made again is written with the names from before.
        let earliest = match (dies(subject.object), dies(subject.member)) {
            (true, _) => renamed(subject.object),
            (_, true) => renamed(subject.object).into_iter().chain(renamed(subject.member)).min(),
            _ => None,
        };
        earliest.map_or(Way::Inverse, Way::After)
    }
}

impl Life {
    /// The migration made it.
    pub(crate) fn is_new(&self) -> bool {
        self.before.is_none()
    }
}

/// Which effect an operation is, for those that look for it.
pub(crate) fn effects(statement: &Statement) -> impl DoubleEndedIterator<Item = (At, &Operation, bool)> {
    statement.effects.iter().enumerate().map(|(effect, found)| {
        let at = At {
            statement: statement.index,
            effect,
        };
        (at, &found.operation, found.conditional)
    })
}
