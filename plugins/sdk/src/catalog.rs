//! What is known of a database's schema at one moment.

use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::rc::Rc;

use crate::bindings::catalog::Snapshot;
use crate::contract::{ColumnName, Constraint, Dependent, ObjectKind, ObjectName, ProbeError};
use crate::relation::Relation;

/// A schema, read-only. It comes from the connected database or, without one, from replaying earlier migrations; those
/// of the same plan that have not run yet lie on top of either.
///
/// Names are resolved as the server does it, so an unqualified name from the script is fine everywhere. In a component
/// the engine answers; in native tests a catalog made from SQL does (feature `testing`).
pub trait Catalog {
    /// `false`: objects may exist that the catalog does not know (a loose file without its history, dynamic SQL that
    /// could not be followed). An absent object is then no proof.
    fn complete(&self) -> bool;
    /// A name as the server would resolve it among objects of that kind, or as it would create it.
    fn resolve(&self, kind: ObjectKind, name: &ObjectName) -> ObjectName;
    /// Names of all tables, views and the like.
    fn relations(&self) -> Vec<ObjectName>;
    /// A table, view or the like, with columns, indexes and constraints.
    fn relation(&self, name: &ObjectName) -> Option<Rc<Relation<'_>>>;
    /// Whether an object of any kind is there; `None` when that is not known.
    fn exists(&self, kind: ObjectKind, name: &ObjectName) -> Option<bool>;
    /// No rows can exist: the table was made by a migration that has not been applied yet.
    fn known_empty(&self, table: &ObjectName) -> bool;
    /// The table of an index.
    fn index_owner(&self, index: &ObjectName) -> Option<ObjectName>;
    /// Tables with a foreign key that points at `name`, and that foreign key.
    fn referencing(&self, name: &ObjectName) -> Vec<(ObjectName, Constraint)>;
    /// What breaks when the object goes: views, functions, columns of a type.
    fn dependents(&self, kind: ObjectKind, name: &ObjectName) -> Vec<Dependent>;
    /// Values of an enum, in order.
    fn enum_values(&self, name: &ObjectName) -> Option<Vec<String>>;
    /// Functions, procedures and aggregates; [`Catalog::ddl`] has their text.
    fn functions(&self) -> Vec<ObjectName>;
    /// SQL that makes the object anew with all that belongs to it, foreign keys last.
    fn ddl(&self, kind: ObjectKind, name: &ObjectName) -> Option<Vec<String>>;
    /// SQL that makes one column, constraint, index, trigger or policy of a relation anew.
    fn member_ddl(&self, kind: ObjectKind, of: &ObjectName, member: &str) -> Option<Vec<String>>;
    /// SQL that turns the table as it is in `target` into what it is here, keeping the rows. `None`: not possible.
    fn restore_table(&self, name: &ObjectName, target: &dyn Catalog) -> Option<Vec<String>>;
    /// Rows of a table, counted up to `limit`. Needs the capability `catalog.probe`, as all that follow.
    fn count_rows(&self, table: &ObjectName, limit: u64) -> Result<u64, ProbeError>;
    /// Rows whose column is not null, counted up to `limit`.
    fn count_values(&self, column: &ColumnName, limit: u64) -> Result<u64, ProbeError>;
    /// Rows whose column is null, counted up to `limit`.
    fn count_nulls(&self, column: &ColumnName, limit: u64) -> Result<u64, ProbeError>;
    /// Groups of rows that share their values in `columns`, counted up to `limit`.
    fn count_duplicates(&self, table: &ObjectName, columns: &[String], limit: u64) -> Result<u64, ProbeError>;

    /// The engine's handle, which `restore_table` has to hand back to it.
    #[doc(hidden)]
    fn snapshot(&self) -> Option<&Snapshot> {
        None
    }

    /// The same for a catalog made from SQL.
    #[cfg(feature = "testing")]
    #[doc(hidden)]
    fn schema(&self) -> Option<&tollgate_schema::Schema> {
        None
    }
}

/// The engine's catalog; remembers what several rules ask for, because each question crosses the sandbox, the engine may
/// have to look through everything, and a count is a query.
pub(crate) struct HostCatalog<'a> {
    snapshot: &'a Snapshot,
    complete: OnceCell<bool>,
    relations: OnceCell<Vec<ObjectName>>,
    functions: OnceCell<Vec<ObjectName>>,
    /// By the name that was asked about.
    known: RefCell<HashMap<ObjectName, Rc<Known<'a>>, BuildHasherDefault<NameHasher>>>,
}

/// Tells the names of one catalog apart, eight bytes at a time: whoever chooses names that fall together slows down
/// nothing but the judgement of his own script, which the engine bounds.
#[derive(Default)]
struct NameHasher(u64);

impl Hasher for NameHasher {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.write_u64(u64::from_le_bytes(*word));
        }
        let rest = rest.iter().fold(0, |rest, byte| rest << 8 | u64::from(*byte));
        self.write_u64(rest);
    }

    fn write_u8(&mut self, byte: u8) {
        self.write_u64(byte.into());
    }

    fn write_usize(&mut self, number: usize) {
        self.write_u64(number as u64);
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
    }

    fn finish(&self) -> u64 {
        self.0.rotate_left(26)
    }
}

/// What has been answered about one name.
#[derive(Default)]
struct Known<'a> {
    resolved: ByKind<ObjectName>,
    exists: ByKind<Option<bool>>,
    dependents: ByKind<Vec<Dependent>>,
    relation: OnceCell<Option<Rc<Relation<'a>>>>,
    is_empty: OnceCell<bool>,
    owner: OnceCell<Option<ObjectName>>,
    referencing: OnceCell<Vec<(ObjectName, Constraint)>>,
    enum_values: OnceCell<Option<Vec<String>>>,
    rows: RefCell<Counted>,
}

/// Answers about one name, by the kind of object: hardly ever more than two.
struct ByKind<A>(RefCell<Vec<(ObjectKind, A)>>);

impl<A> Default for ByKind<A> {
    fn default() -> Self {
        Self(RefCell::default())
    }
}

impl<A: Clone> ByKind<A> {
    fn get_or_ask(&self, kind: ObjectKind, ask: impl FnOnce() -> A) -> A {
        if let Some((_, known)) = self.0.borrow().iter().find(|(of, _)| *of == kind) {
            return known.clone();
        }
        let answer = ask();
        self.0.borrow_mut().push((kind, answer.clone()));
        answer
    }
}

/// What has been learnt of a table's rows.
#[derive(Debug, Default)]
struct Counted {
    /// How many there are.
    exactly: Option<u64>,
    /// There are as many as this, or more.
    at_least: u64,
    /// Counting up to so many did not work.
    failed: Option<(u64, ProbeError)>,
}

impl Counted {
    /// What is known already of a count up to `limit`.
    fn answer(&self, limit: u64) -> Option<Result<u64, ProbeError>> {
        match (self.exactly, &self.failed) {
            (Some(rows), _) => Some(Ok(rows.min(limit))),
            (None, _) if limit <= self.at_least => Some(Ok(limit)),
            // Fewer rows may still be counted in time; what cannot be asked at all stays so.
            (None, Some((asked, error))) if limit >= *asked || !matches!(error, ProbeError::TimedOut) => {
                Some(Err(error.clone()))
            }
            _ => None,
        }
    }

    fn learn(&mut self, limit: u64, answer: &Result<u64, ProbeError>) {
        match answer {
            Ok(rows) if *rows < limit => self.exactly = Some(*rows),
            Ok(_) => self.at_least = self.at_least.max(limit),
            Err(error) => self.failed = Some((limit, error.clone())),
        }
    }
}

impl<'a> HostCatalog<'a> {
    pub(crate) fn new(snapshot: &'a Snapshot) -> Self {
        Self {
            snapshot,
            complete: OnceCell::new(),
            relations: OnceCell::new(),
            functions: OnceCell::new(),
            known: RefCell::default(),
        }
    }

    fn of(&self, name: &ObjectName) -> Rc<Known<'a>> {
        if let Some(known) = self.known.borrow().get(name) {
            return Rc::clone(known);
        }
        let known = Rc::default();
        self.known.borrow_mut().insert(name.clone(), Rc::clone(&known));
        known
    }
}

impl Catalog for HostCatalog<'_> {
    fn complete(&self) -> bool {
        *self.complete.get_or_init(|| self.snapshot.complete())
    }

    fn resolve(&self, kind: ObjectKind, name: &ObjectName) -> ObjectName {
        let ask = || self.snapshot.resolve(kind, name);
        self.of(name).resolved.get_or_ask(kind, ask)
    }

    fn relations(&self) -> Vec<ObjectName> {
        self.relations.get_or_init(|| self.snapshot.relations()).clone()
    }

    fn relation(&self, name: &ObjectName) -> Option<Rc<Relation<'_>>> {
        let ask = || {
            self.snapshot
                .relation(name)
                .map(|head| Rc::new(Relation::from_host(head, self.snapshot)))
        };
        self.of(name).relation.get_or_init(ask).clone()
    }

    fn exists(&self, kind: ObjectKind, name: &ObjectName) -> Option<bool> {
        self.of(name)
            .exists
            .get_or_ask(kind, || self.snapshot.exists(kind, name))
    }

    fn known_empty(&self, table: &ObjectName) -> bool {
        *self.of(table).is_empty.get_or_init(|| self.snapshot.known_empty(table))
    }

    fn index_owner(&self, index: &ObjectName) -> Option<ObjectName> {
        let ask = || self.snapshot.index_owner(index);
        self.of(index).owner.get_or_init(ask).clone()
    }

    fn referencing(&self, name: &ObjectName) -> Vec<(ObjectName, Constraint)> {
        let ask = || self.snapshot.referencing(name);
        self.of(name).referencing.get_or_init(ask).clone()
    }

    fn dependents(&self, kind: ObjectKind, name: &ObjectName) -> Vec<Dependent> {
        let ask = || self.snapshot.dependents(kind, name);
        self.of(name).dependents.get_or_ask(kind, ask)
    }

    fn enum_values(&self, name: &ObjectName) -> Option<Vec<String>> {
        let ask = || self.snapshot.enum_values(name);
        self.of(name).enum_values.get_or_init(ask).clone()
    }

    fn functions(&self) -> Vec<ObjectName> {
        self.functions.get_or_init(|| self.snapshot.functions()).clone()
    }

    fn ddl(&self, kind: ObjectKind, name: &ObjectName) -> Option<Vec<String>> {
        self.snapshot.ddl(kind, name)
    }

    fn member_ddl(&self, kind: ObjectKind, of: &ObjectName, member: &str) -> Option<Vec<String>> {
        self.snapshot.member_ddl(kind, of, member)
    }

    fn restore_table(&self, name: &ObjectName, target: &dyn Catalog) -> Option<Vec<String>> {
        self.snapshot.restore_table(name, target.snapshot()?)
    }

    fn count_rows(&self, table: &ObjectName, limit: u64) -> Result<u64, ProbeError> {
        let known = self.of(table);
        if let Some(answer) = known.rows.borrow().answer(limit) {
            return answer;
        }
        let answer = self.snapshot.count_rows(table, limit);
        known.rows.borrow_mut().learn(limit, &answer);
        answer
    }

    fn count_values(&self, column: &ColumnName, limit: u64) -> Result<u64, ProbeError> {
        self.snapshot.count_values(column, limit)
    }

    fn count_nulls(&self, column: &ColumnName, limit: u64) -> Result<u64, ProbeError> {
        self.snapshot.count_nulls(column, limit)
    }

    fn count_duplicates(&self, table: &ObjectName, columns: &[String], limit: u64) -> Result<u64, ProbeError> {
        self.snapshot.count_duplicates(table, columns, limit)
    }

    fn snapshot(&self) -> Option<&Snapshot> {
        Some(self.snapshot)
    }
}

#[cfg(test)]
mod tests {
    use super::{Counted, ProbeError};

    #[test]
    fn a_count_answers_others() {
        let mut counted = Counted::default();
        assert_eq!(counted.answer(1), None);
        counted.learn(1, &Ok(1));
        assert_eq!(counted.answer(1), Some(Ok(1)));
        assert_eq!(counted.answer(10), None);
        counted.learn(10, &Ok(7));
        assert_eq!(counted.answer(5), Some(Ok(5)));
        assert_eq!(counted.answer(100), Some(Ok(7)));
    }

    #[test]
    fn what_took_too_long_may_be_asked_for_less() {
        let mut counted = Counted::default();
        counted.learn(1000, &Err(ProbeError::TimedOut));
        assert_eq!(counted.answer(1), None);
        assert_eq!(counted.answer(2000), Some(Err(ProbeError::TimedOut)));
        counted.learn(1, &Ok(1));
        assert_eq!(counted.answer(1), Some(Ok(1)));
        let mut never = Counted::default();
        never.learn(1000, &Err(ProbeError::NotAvailable));
        assert_eq!(never.answer(1), Some(Err(ProbeError::NotAvailable)));
    }
}
