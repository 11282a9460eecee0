//! A relation of the schema, whose parts are asked for one by one: most rules look at a single list of it, and a table of
//! forty columns is hundreds of strings.

use std::cell::OnceCell;
use std::fmt;
use std::ops::Deref;
use std::rc::Rc;

use crate::bindings::catalog::{Relation as Head, RelationKind, Snapshot};
use crate::contract::{Column, ColumnName, Constraint, ConstraintKind, Index, ObjectName};

/// A table, view or the like.
#[derive(Debug)]
pub struct Relation<'c> {
    /// As the server has it: qualified on servers with schemas.
    pub name: ObjectName,
    /// What it is.
    pub kind: RelationKind,
    /// Columns, in order. Who wants a single one asks [`Relation::column`].
    pub columns: Parts<'c, Column>,
    /// Indexes, those behind constraints among them.
    pub indexes: Parts<'c, Index>,
    /// Constraints; NOT NULL is said by the column.
    pub constraints: Parts<'c, Constraint>,
    /// Names of its triggers.
    pub triggers: Parts<'c, String>,
    /// Names of its policies.
    pub policies: Parts<'c, String>,
    /// Row-level security is switched on.
    pub row_security: bool,
    /// `default`, `full`, `nothing`, `index:NAME`.
    pub replica_identity: String,
    /// Parent of a partition.
    pub partition_of: Option<ObjectName>,
    /// Its comment.
    pub comment: Option<String>,
    /// Planner estimate; `None` when never analysed or no database is connected.
    pub estimated_rows: Option<u64>,
    /// On disk, with indexes and TOAST.
    pub bytes: Option<u64>,
    /// Something that could not be followed may have changed it.
    pub uncertain: bool,
    single: Single,
}

/// Where the parts of a relation come from, when they were not given with it.
type Source<'c> = Option<(&'c Snapshot, Rc<ObjectName>)>;

/// A list of a relation's parts: a slice that the engine is asked for when it is first looked at.
pub struct Parts<'c, T> {
    source: Source<'c>,
    ask: fn(&Snapshot, &ObjectName) -> Vec<T>,
    all: OnceCell<Vec<T>>,
}

impl<T> Parts<'_, T> {
    #[cfg(feature = "testing")]
    fn given(all: Vec<T>) -> Self {
        Self {
            source: None,
            ask: |_, _| Vec::new(),
            all: OnceCell::from(all),
        }
    }
}

impl<T> Deref for Parts<'_, T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        self.all.get_or_init(|| match &self.source {
            Some((snapshot, name)) => (self.ask)(snapshot, name),
            None => Vec::new(),
        })
    }
}

impl<'p, T> IntoIterator for &'p Parts<'_, T> {
    type Item = &'p T;
    type IntoIter = std::slice::Iter<'p, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<T: fmt::Debug> fmt::Debug for Parts<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// Columns that were asked for alone: a list that only grows, so that what was given out stays where it is.
#[derive(Debug, Default)]
struct Single(OnceCell<Box<(String, Option<Column>, Single)>>);

/// Who has asked for so many columns will ask for the others too.
const SINGLE: usize = 6;

impl<'c> Relation<'c> {
    /// What the engine says of a relation; its parts are asked for later.
    pub(crate) fn from_host(head: Head, snapshot: &'c Snapshot) -> Self {
        let name = Rc::new(head.name.clone());
        let source = || Some((snapshot, Rc::clone(&name)));
        Self {
            columns: Parts {
                source: source(),
                ask: Snapshot::columns,
                all: OnceCell::new(),
            },
            indexes: Parts {
                source: source(),
                ask: Snapshot::indexes,
                all: OnceCell::new(),
            },
            constraints: Parts {
                source: source(),
                ask: Snapshot::constraints,
                all: OnceCell::new(),
            },
            triggers: Parts {
                source: source(),
                ask: Snapshot::triggers,
                all: OnceCell::new(),
            },
            policies: Parts {
                source: source(),
                ask: Snapshot::policies,
                all: OnceCell::new(),
            },
            name: head.name,
            kind: head.kind,
            row_security: head.row_security,
            replica_identity: head.replica_identity,
            partition_of: head.partition_of,
            comment: head.comment,
            estimated_rows: head.estimated_rows,
            bytes: head.bytes,
            uncertain: head.uncertain,
            single: Single::default(),
        }
    }

    /// A relation whose parts are all known, for native tests.
    #[cfg(feature = "testing")]
    pub(crate) fn given(
        head: Head,
        columns: Vec<Column>,
        indexes: Vec<Index>,
        constraints: Vec<Constraint>,
        (triggers, policies): (Vec<String>, Vec<String>),
    ) -> Self {
        Self {
            columns: Parts::given(columns),
            indexes: Parts::given(indexes),
            constraints: Parts::given(constraints),
            triggers: Parts::given(triggers),
            policies: Parts::given(policies),
            name: head.name,
            kind: head.kind,
            row_security: head.row_security,
            replica_identity: head.replica_identity,
            partition_of: head.partition_of,
            comment: head.comment,
            estimated_rows: head.estimated_rows,
            bytes: head.bytes,
            uncertain: head.uncertain,
            single: Single::default(),
        }
    }

    /// The column of that name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        if let (None, Some((snapshot, of))) = (self.columns.all.get(), &self.columns.source) {
            let mut asked = &self.single;
            for _ in 0..SINGLE {
                let (of_name, column, next) = &**asked.0.get_or_init(|| {
                    let wanted = ColumnName::new((**of).clone(), name);
                    let column = snapshot.column(&wanted);
                    Box::new((wanted.column, column, Single::default()))
                });
                if of_name == name {
                    return column.as_ref();
                }
                asked = next;
            }
        }
        self.columns.iter().find(|column| column.name == name)
    }

    /// The constraint of that name.
    pub fn constraint(&self, name: &str) -> Option<&Constraint> {
        self.constraints.iter().find(|constraint| constraint.name == name)
    }

    /// The index of that name.
    pub fn index(&self, name: &str) -> Option<&Index> {
        self.indexes.iter().find(|index| index.name == name)
    }

    /// Columns of the primary key; empty where there is none.
    pub fn primary_key(&self) -> &[String] {
        self.constraints
            .iter()
            .find(|constraint| constraint.kind == ConstraintKind::PrimaryKey)
            .map_or(&[], |constraint| &constraint.columns)
    }
}
