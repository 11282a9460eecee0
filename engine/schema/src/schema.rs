//! [`Schema`]: what a database looks like at some moment, as changes laid over a base.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use tollgate_sql::operation::{ObjectKind, Operation, TransactionControl};
use tollgate_sql::{Change, Dialect, ObjectName, Script};

use crate::base::{Base, BaseError};
use crate::context::{Context, Folding};
use crate::ground::Ground;
use crate::model::{Function, Relation, Sequence, UserType};
use crate::sorted::Sorted;

/// Schema that stands for a session's temporary objects; they are gone when the script ends.
pub(crate) const TEMPORARY: &str = "pg_temp";

/// What a database looks like at some moment: an overlay of changes over a [`Base`], which is asked only about objects
/// that somebody asks for. Clones share everything until one of them changes, so keeping a `before` costs next to
/// nothing.
///
/// After an `Err` from one of the `apply` functions the value may hold half of that operation and should be dropped.
#[derive(Clone)]
pub struct Schema {
    pub(crate) base: Arc<dyn Base>,
    /// What the base has answered; shared by all clones, because the base shows one moment.
    pub(crate) cache: Arc<Mutex<BTreeMap<ObjectName, Option<Arc<Relation>>>>>,
    context: Arc<Context>,
    pub(crate) overlay: Overlay,
}

/// The changes laid over the base. `None` in a map says that the object was dropped.
#[derive(Clone, Default)]
pub(crate) struct Overlay {
    pub relations: Arc<Sorted<ObjectName, Option<Arc<Relation>>>>,
    pub types: Arc<Sorted<ObjectName, Option<Arc<UserType>>>>,
    pub sequences: Arc<Sorted<ObjectName, Option<Arc<Sequence>>>>,
    /// All overloads of each name that was touched.
    pub functions: Arc<Sorted<ObjectName, Vec<Function>>>,
    pub schemas: Arc<BTreeMap<String, bool>>,
    /// Schema of each extension.
    pub extensions: Arc<BTreeMap<String, Option<String>>>,
    /// Relations that have, or had, an index or a constraint of a name. A hint: nothing is ever taken out.
    pub members: Arc<Sorted<String, Vec<ObjectName>>>,
    /// Some relation is, or was, a partition or inherits from another.
    pub children: bool,
    /// Objects that may or may not exist: only a condition creates them.
    pub doubtful: Arc<BTreeSet<(ObjectKind, ObjectName)>>,
    /// Tables made here that have no row yet.
    pub empty: Arc<BTreeSet<ObjectName>>,
    /// Where relations whose place in the base is not their own name come from.
    pub origins: Arc<Sorted<ObjectName, Origin>>,
    /// Relations that may not have been declared as deployed, see [`Schema::settle`].
    pub unsettled: Arc<BTreeSet<ObjectName>>,
    /// Something ran that could have done anything.
    pub incomplete: bool,
    /// `SQLite`: `PRAGMA legacy_alter_table` is on, so that nothing follows a renamed table.
    pub legacy_alter: bool,
    /// `SET search_path` of the script that is being applied.
    pub search_path: Option<Vec<String>>,
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

impl Schema {
    /// The empty database, on which migrations are replayed. Everything that exists is known.
    pub fn empty(context: Context) -> Self {
        Self::over(Arc::new(Ground::empty(context.dialect, &context.search_path)), context)
    }

    /// A schema equal to what `base` shows.
    pub fn over(base: Arc<dyn Base>, context: Context) -> Self {
        Self {
            base,
            cache: Arc::default(),
            context: Arc::new(context),
            overlay: Overlay::default(),
        }
    }

    /// A database of which nothing is known: for a loose file without its history.
    pub fn unknown(context: Context) -> Self {
        Self::over(
            Arc::new(Ground::unknown(context.dialect, &context.search_path)),
            context,
        )
    }

    /// The server this schema belongs to.
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// Whether no object can exist that this schema does not know.
    pub fn complete(&self) -> bool {
        self.base.complete() && !self.overlay.incomplete
    }

    /// Declares what has been applied so far as deployed: tables made by it may hold rows, so that
    /// [`Schema::known_empty`] holds only for tables made from here on. For a replay of migrations that a database
    /// somewhere already has.
    pub fn settle(&mut self) {
        self.overlay.empty = Arc::default();
        for name in std::mem::take(&mut self.overlay.unsettled).iter() {
            if self.overlay.relations.contains_key(name) {
                let origin = self.origin_mut(name);
                origin.values_changed = true;
                origin.rows_changed = true;
            }
        }
    }

    /// Asks the base for everything `scripts` name, in as few round trips as possible. A hint: an error here would show
    /// again when the object is asked for.
    pub fn prefetch(&self, scripts: &[&Script]) {
        let mut names = BTreeSet::new();
        for object in scripts
            .iter()
            .flat_map(|script| &script.statements)
            .flat_map(tollgate_sql::Statement::objects)
        {
            if !self.has_search_path() || object.schema.is_some() {
                names.insert(object);
            } else {
                names.extend(
                    self.path()
                        .iter()
                        .map(|schema| ObjectName::qualified(schema, &object.name)),
                );
            }
        }
        names.retain(|name| !self.overlay.relations.contains_key(&self.key(name)));
        let names: Vec<_> = names.into_iter().collect();
        if !names.is_empty() {
            // What fails here is asked for again, one by one, where the error can be returned.
            let _ = self.base.prefetch(&names);
        }
    }

    /// Applies every statement of a script. Effects that may or may not happen are not applied; what they touch
    /// becomes uncertain. `search_path`, transactions that the script rolls back, and temporary objects are followed.
    ///
    /// # Errors
    /// When the base cannot answer.
    pub fn apply_script(&mut self, script: &Script) -> Result<(), BaseError> {
        self.apply_each(script, |_, _| Ok(()))
    }

    /// The same, and shows what there is after each statement: its index and the schema.
    ///
    /// # Errors
    /// When the base cannot answer, and whatever `seen` returns.
    pub fn apply_each(
        &mut self,
        script: &Script,
        mut seen: impl FnMut(usize, &Self) -> Result<(), BaseError>,
    ) -> Result<(), BaseError> {
        let mut transactions = Vec::new();
        for statement in &script.statements {
            let rebuilt = statement.part_of.and_then(|at| script.changes.get(at));
            for effect in &statement.effects {
                if effect.conditional {
                    self.doubt(&effect.operation)?;
                    continue;
                }
                if let Operation::Transaction(control) = &effect.operation {
                    self.transaction(control, &mut transactions);
                    continue;
                }
                let kept_empty = self.copied_from_empty(&effect.operation, rebuilt);
                let edited = if self.is_sqlite() {
                    self.edited_texts(script, statement, effect)?
                } else {
                    Vec::new()
                };
                self.apply(&effect.operation)?;
                if let Some(name) = kept_empty {
                    Arc::make_mut(&mut self.overlay.empty).insert(name);
                }
                if self.is_sqlite() {
                    self.put_texts(edited)?;
                    self.follow_text(script, statement, effect)?;
                }
            }
            if let Some(Change::TableRebuild(rebuild)) = rebuilt {
                self.follow_rebuild(statement.index, rebuild)?;
            }
            seen(statement.index, self)?;
        }
        self.overlay.search_path = None;
        self.overlay.legacy_alter = false;
        self.drop_temporary();
        Ok(())
    }

    /// BEGIN keeps the present state, ROLLBACK returns to it.
    fn transaction(&mut self, control: &TransactionControl, kept: &mut Vec<(Option<String>, Overlay)>) {
        match control {
            TransactionControl::Begin => kept.push((None, self.overlay.clone())),
            TransactionControl::Savepoint(name) => kept.push((Some(name.clone()), self.overlay.clone())),
            TransactionControl::Commit | TransactionControl::Prepared => kept.clear(),
            TransactionControl::Release(name) => {
                if let Some(at) = kept.iter().rposition(|(savepoint, _)| savepoint.as_ref() == Some(name)) {
                    kept.truncate(at);
                }
            }
            TransactionControl::Rollback => {
                if let Some((_, overlay)) = kept.drain(..).next() {
                    self.overlay = overlay;
                }
            }
            TransactionControl::RollbackTo(name) => {
                if let Some(at) = kept.iter().rposition(|(savepoint, _)| savepoint.as_ref() == Some(name)) {
                    self.overlay = kept[at].1.clone();
                    kept.truncate(at + 1);
                }
            }
        }
    }

    /// The table that a rebuild's copy leaves empty because its source is empty.
    fn copied_from_empty(&self, operation: &Operation, change: Option<&Change>) -> Option<ObjectName> {
        let (Operation::Insert(insert), Some(Change::TableRebuild(rebuild))) = (operation, change) else {
            return None;
        };
        let target = self.key(&self.resolve(ObjectKind::Table, &insert.table));
        let copies = self.key(&self.resolve(ObjectKind::Table, &rebuild.temporary)) == target;
        let source = self.resolve(ObjectKind::Table, &rebuild.table);
        (copies && self.known_empty(&source) && self.known_empty(&target)).then_some(target)
    }

    fn drop_temporary(&mut self) {
        let temporary =
            |name: &ObjectName| name.schema.as_deref() == Some(TEMPORARY) || name.schema.as_deref() == Some("temp");
        if any_temporary(&self.overlay.relations) {
            Arc::make_mut(&mut self.overlay.relations).retain(|name, _| !temporary(name));
            Arc::make_mut(&mut self.overlay.origins).retain(|name, _| !temporary(name));
            Arc::make_mut(&mut self.overlay.empty).retain(|name| !temporary(name));
        }
        if any_temporary(&self.overlay.types) {
            Arc::make_mut(&mut self.overlay.types).retain(|name, _| !temporary(name));
        }
        if any_temporary(&self.overlay.functions) {
            Arc::make_mut(&mut self.overlay.functions).retain(|name, _| !temporary(name));
        }
        if any_temporary(&self.overlay.sequences) {
            Arc::make_mut(&mut self.overlay.sequences).retain(|name, _| !temporary(name));
        }
    }

    pub(crate) fn is_sqlite(&self) -> bool {
        self.context.dialect == Dialect::Sqlite
    }

    /// Names without a schema are looked for in several.
    pub(crate) fn has_search_path(&self) -> bool {
        self.context.dialect == Dialect::Postgres
    }

    pub(crate) fn dialect(&self) -> Dialect {
        self.context.dialect
    }

    pub(crate) fn folding(&self) -> Folding {
        Folding(self.context.dialect)
    }

    pub(crate) fn key(&self, name: &ObjectName) -> ObjectName {
        self.folding().key(name)
    }

    /// The search path at this point of the script.
    pub(crate) fn path(&self) -> &[String] {
        self.overlay.search_path.as_deref().unwrap_or(&self.context.search_path)
    }

    /// A relation by its resolved name: the overlay's, or the base's.
    pub(crate) fn get(&self, name: &ObjectName) -> Result<Option<Arc<Relation>>, BaseError> {
        let key = self.key(name);
        if let Some(known) = self.overlay.relations.get(&key) {
            return Ok(known.clone());
        }
        if let Some(known) = self.cache.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(known.clone());
        }
        let asked = self.base_spelling(&key)?;
        let read = match asked {
            Some(asked) => self.base.relation(&asked)?.map(Arc::new),
            None => None,
        };
        self.cache
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(key, read.clone());
        Ok(read)
    }

    /// The base's own spelling of a name: on `SQLite` the one it lists, whatever its case.
    pub(crate) fn base_spelling(&self, key: &ObjectName) -> Result<Option<ObjectName>, BaseError> {
        if !self.is_sqlite() {
            return Ok(Some(key.clone()));
        }
        Ok(self
            .base
            .relation_names()?
            .into_iter()
            .find(|name| self.key(name) == *key))
    }

    /// Changes a relation in place, taking it from the base first. `false` when there is none.
    pub(crate) fn edit(&mut self, name: &ObjectName, change: impl FnOnce(&mut Relation)) -> Result<bool, BaseError> {
        let key = self.key(name);
        if !self.overlay.relations.contains_key(&key) {
            let Some(read) = self.get(name)? else { return Ok(false) };
            self.keep(key.clone(), read);
        }
        let changed = match Arc::make_mut(&mut self.overlay.relations).get_mut(&key) {
            Some(Some(relation)) => {
                change(Arc::make_mut(relation));
                Arc::make_mut(relation).put_in_order(self.context.dialect);
                Arc::clone(relation)
            }
            _ => return Ok(false),
        };
        self.remember(&key, &changed);
        Ok(true)
    }

    /// Puts a relation that was not there before.
    pub(crate) fn put(&mut self, mut relation: Relation) {
        relation.put_in_order(self.context.dialect);
        let key = self.key(&relation.name);
        Arc::make_mut(&mut self.overlay.origins).insert(key.clone(), Origin::default());
        self.keep(key, Arc::new(relation));
    }

    /// Has the overlay hold a relation.
    pub(crate) fn keep(&mut self, key: ObjectName, relation: Arc<Relation>) {
        self.remember(&key, &relation);
        Arc::make_mut(&mut self.overlay.unsettled).insert(key.clone());
        Arc::make_mut(&mut self.overlay.relations).insert(key, Some(relation));
    }

    /// Notes by what names a relation of the overlay can be looked for.
    fn remember(&mut self, key: &ObjectName, relation: &Relation) {
        self.overlay.children |= relation.partition_of.is_some() || !relation.inherits.is_empty();
        let indexes = relation.indexes.iter().map(|index| &index.name);
        let constraints = relation.constraints.iter().map(|constraint| &constraint.name);
        for name in indexes.chain(constraints) {
            let name = self.folding().name(name);
            let known = self.overlay.members.get(&*name);
            if known.is_none_or(|known| !known.contains(key)) {
                let members = Arc::make_mut(&mut self.overlay.members);
                let known = members.get_or_insert_with(&name.into_owned(), Vec::new);
                known.push(key.clone());
                known.sort_unstable();
            }
        }
    }

    /// The overlay's relations that may have an index or a constraint of that name, in order.
    pub(crate) fn with_member(&self, name: &str) -> impl Iterator<Item = &Arc<Relation>> {
        let known = self.overlay.members.get(&*self.folding().name(name));
        let relations = known.into_iter().flatten();
        relations.filter_map(|key| self.overlay.relations.get(key)?.as_ref())
    }

    /// Notes that a relation is gone.
    pub(crate) fn forget(&mut self, name: &ObjectName) {
        let key = self.key(name);
        if self.overlay.origins.contains_key(&key) {
            Arc::make_mut(&mut self.overlay.origins).remove(&key);
        }
        if self.overlay.empty.contains(&key) {
            Arc::make_mut(&mut self.overlay.empty).remove(&key);
        }
        Arc::make_mut(&mut self.overlay.unsettled).insert(key.clone());
        Arc::make_mut(&mut self.overlay.relations).insert(key, None);
    }

    pub(crate) fn put_type(&mut self, user_type: UserType) {
        let key = self.key(&user_type.name);
        Arc::make_mut(&mut self.overlay.types).insert(key, Some(Arc::new(user_type)));
    }

    pub(crate) fn forget_type(&mut self, name: &ObjectName) {
        Arc::make_mut(&mut self.overlay.types).insert(name.clone(), None);
    }

    pub(crate) fn put_sequence(&mut self, sequence: Sequence) {
        Arc::make_mut(&mut self.overlay.sequences).insert(sequence.name.clone(), Some(Arc::new(sequence)));
    }

    pub(crate) fn forget_sequence(&mut self, name: &ObjectName) {
        Arc::make_mut(&mut self.overlay.sequences).insert(name.clone(), None);
    }

    pub(crate) fn put_functions(&mut self, name: &ObjectName, overloads: Vec<Function>) {
        Arc::make_mut(&mut self.overlay.functions).insert(name.clone(), overloads);
    }

    /// The record of where a relation comes from, made on first use.
    pub(crate) fn origin_mut(&mut self, name: &ObjectName) -> &mut Origin {
        let key = self.key(name);
        Arc::make_mut(&mut self.overlay.origins).get_or_insert_with(&key, || Origin {
            base: Some(key.clone()),
            ..Origin::default()
        })
    }
}

/// The map has an entry for a temporary object.
fn any_temporary<V>(map: &Sorted<ObjectName, V>) -> bool {
    [TEMPORARY, "temp"].iter().any(|schema| {
        let first = map.first_from(&ObjectName::qualified(*schema, ""));
        first.is_some_and(|(name, _)| name.schema.as_deref() == Some(*schema))
    })
}
