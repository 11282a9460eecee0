//! The changes that a [`crate::Schema`] lays over its base.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tollgate_sql::operation::ObjectKind;
use tollgate_sql::{Dialect, ObjectName};

use crate::model::{Function, Relation, Sequence, UserType};
use crate::sorted::Sorted;
use crate::words::{Wanted, Words};

/// A name that many maps and their copies share.
pub(crate) type Key = Arc<ObjectName>;

/// The changes laid over the base. `None` in a map says that the object was dropped.
#[derive(Clone, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a thing of its own that is or is not so"
)]
pub(crate) struct Overlay {
    relations: Arc<Sorted<Key, Held>>,
    pub types: Arc<Sorted<Key, Option<Arc<UserType>>>>,
    pub sequences: Arc<Sorted<Key, Option<Arc<Sequence>>>>,
    /// All overloads of each name that was touched.
    pub functions: Arc<Sorted<Key, Arc<Vec<Function>>>>,
    pub schemas: Arc<BTreeMap<String, bool>>,
    /// Schema of each extension.
    pub extensions: Arc<BTreeMap<String, Option<String>>>,
    /// Relations that have, or had, an index or a constraint of a name. A hint: nothing is ever taken out.
    pub members: Arc<Sorted<Arc<str>, Arc<[Key]>>>,
    /// Relations whose words have not been looked at since they changed.
    changed: Vec<Key>,
    /// Some relation is, or was, a partition or inherits from another.
    pub children: bool,
    /// Schema that stands for the session's temporary objects.
    session: &'static str,
    /// Some object is, or was, a temporary one.
    pub temporary: bool,
    /// Objects that may or may not exist: only a condition creates them.
    pub doubtful: Arc<BTreeSet<(ObjectKind, ObjectName)>>,
    /// Tables made here that have no row yet.
    pub empty: Arc<BTreeSet<Key>>,
    /// Where relations whose place in the base is not their own name come from.
    pub origins: Arc<Sorted<Key, Arc<Origin>>>,
    /// Relations that may not have been declared as deployed, see [`crate::Schema::settle`].
    pub unsettled: Arc<BTreeSet<Key>>,
    /// Something ran that could have done anything.
    pub incomplete: bool,
    /// `SQLite`: `PRAGMA legacy_alter_table` is on, so that nothing follows a renamed table.
    pub legacy_alter: bool,
    /// `SET search_path` of the script that is being applied.
    pub search_path: Option<Vec<String>>,
}

/// A relation that was changed or dropped here.
#[derive(Clone)]
struct Held {
    relation: Option<Arc<Relation>>,
    /// See [`Overlay::naming`].
    words: Words,
}

/// What an overlay relation corresponds to in the base, for probes of rows.
#[derive(Clone, Default)]
pub(crate) struct Origin {
    /// Its name in the base; `None` when it was made here.
    pub base: Option<ObjectName>,
    /// Columns that are not simply the base's of the same name.
    pub columns: BTreeMap<String, ColumnOrigin>,
    /// Rows were inserted, deleted or truncated here.
    pub rows_changed: bool,
    /// Values were changed here.
    pub values_changed: bool,
}

/// What an overlay column corresponds to in the base.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum ColumnOrigin {
    /// The base's column of that name.
    Renamed(String),
    /// Made here without a default: null in every row.
    AddedNull,
    /// Made or rewritten here: its values cannot be asked for.
    Unknown,
}

impl Overlay {
    /// What is known here of a relation: nothing, or that it was dropped, or the relation.
    pub fn relation(&self, key: &ObjectName) -> Option<&Option<Arc<Relation>>> {
        self.relations.get(key).map(|held| &held.relation)
    }

    /// Whether the base's word on a relation counts no more.
    pub fn has_relation(&self, key: &ObjectName) -> bool {
        self.relations.contains_key(key)
    }

    /// Every relation that is held here, in the order of their keys.
    pub fn relations(&self) -> impl Iterator<Item = &Arc<Relation>> {
        self.relations.values().filter_map(|held| held.relation.as_ref())
    }

    /// The relations held here that may name an object other than themselves: all that do and some that do not, in the
    /// order of their keys.
    pub fn naming(&self, wanted: Wanted) -> impl Iterator<Item = &Arc<Relation>> {
        let may = move |held: &&Held| held.words.may_name(&wanted);
        self.relations
            .values()
            .filter(may)
            .filter_map(|held| held.relation.as_ref())
    }

    /// Holds a relation, or that it is gone.
    pub fn set_relation(&mut self, key: Key, relation: Option<Arc<Relation>>) {
        self.note_temporary(&key);
        let words = Words::ANY;
        if relation.is_some() {
            self.note_change(&key);
        }
        Arc::make_mut(&mut self.relations).insert(key, Held { relation, words });
    }

    /// A relation that is held here, to be changed.
    pub fn relation_mut(&mut self, key: &ObjectName) -> Option<&mut Arc<Relation>> {
        let key = Arc::clone(self.relations.key(key)?);
        self.note_change(&key);
        let held = Arc::make_mut(&mut self.relations).get_mut(&*key)?;
        held.words = Words::ANY;
        held.relation.as_mut()
    }

    fn note_change(&mut self, key: &Key) {
        if !self.changed.contains(key) {
            self.changed.push(Arc::clone(key));
        }
    }

    /// Looks again at the words of relations that have changed, once there are so many. Not after each change, because many
    /// come in a row.
    pub fn look_again(&mut self, many: usize) {
        if self.changed.len() < many {
            return;
        }
        for key in std::mem::take(&mut self.changed) {
            if let Some(held) = Arc::make_mut(&mut self.relations).get_mut(&*key) {
                held.words = held.relation.as_deref().map_or(Words::ANY, Words::of);
            }
        }
    }

    /// An overlay of a server of that dialect.
    pub fn of(dialect: Dialect) -> Self {
        let session = if dialect == Dialect::Sqlite {
            SQLITE_TEMPORARY
        } else {
            TEMPORARY
        };
        Self {
            session,
            ..Self::default()
        }
    }

    /// Remembers when an object is a temporary one.
    pub fn note_temporary(&mut self, name: &ObjectName) {
        self.temporary |= name.schema.as_deref() == Some(self.session);
    }

    /// Forgets the session's temporary objects.
    pub fn drop_temporary(&mut self) {
        if !self.temporary {
            return;
        }
        let session = Some(self.session);
        let is_temporary = |name: &ObjectName| name.schema.as_deref() == session;
        Arc::make_mut(&mut self.relations).retain(|name, _| !is_temporary(name));
        Arc::make_mut(&mut self.origins).retain(|name, _| !is_temporary(name));
        Arc::make_mut(&mut self.empty).retain(|name| !is_temporary(name));
        Arc::make_mut(&mut self.types).retain(|name, _| !is_temporary(name));
        Arc::make_mut(&mut self.functions).retain(|name, _| !is_temporary(name));
        Arc::make_mut(&mut self.sequences).retain(|name, _| !is_temporary(name));
        self.temporary = false;
    }
}

/// Schema that stands for a session's temporary objects; they are gone when the script ends.
pub(crate) const TEMPORARY: &str = "pg_temp";

/// The same on `SQLite`, where it has a name.
pub(crate) const SQLITE_TEMPORARY: &str = "temp";
