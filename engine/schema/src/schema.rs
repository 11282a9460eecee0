//! [`Schema`]: what a database looks like at some moment, as changes laid over a base.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use tollgate_sql::operation::{ObjectKind, Operation, TransactionControl};
use tollgate_sql::{Change, Dialect, ObjectName, Script};

use crate::base::{Base, BaseError};
use crate::context::{Context, Folding};
use crate::ground::Ground;
use crate::model::{Function, Relation, Sequence, UserType};

pub(crate) use crate::overlay::{ColumnOrigin, Key, Origin, Overlay, SQLITE_TEMPORARY, TEMPORARY};

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

/// So many relations that have changed are looked at again before the end of a script. One that has not been looked at is
/// taken to name everything.
const MANY: usize = 16;

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
            overlay: Overlay::of(context.dialect),
            context: Arc::new(context),
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
            let noted = |origin: &Arc<Origin>| origin.values_changed && origin.rows_changed;
            if self.overlay.has_relation(name) && !self.overlay.origins.get(&**name).is_some_and(noted) {
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
        names.retain(|name| !self.overlay.has_relation(&self.key(name)));
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
                    Arc::make_mut(&mut self.overlay.empty).insert(Arc::new(name));
                }
                if self.is_sqlite() {
                    self.put_texts(edited)?;
                    self.follow_text(script, statement, effect)?;
                }
            }
            if let Some(Change::TableRebuild(rebuild)) = rebuilt {
                self.follow_rebuild(statement.index, rebuild)?;
            }
            self.overlay.look_again(MANY);
            seen(statement.index, self)?;
        }
        self.overlay.look_again(1);
        self.overlay.search_path = None;
        self.overlay.legacy_alter = false;
        self.overlay.drop_temporary();
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
        let target = self.resolve(ObjectKind::Table, &insert.table);
        let temporary = self.resolve(ObjectKind::Table, &rebuild.temporary);
        let copies = self.folding().same_object(&temporary, &target);
        let source = self.resolve(ObjectKind::Table, &rebuild.table);
        (copies && self.known_empty(&source) && self.known_empty(&target)).then(|| self.key(&target).into_owned())
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

    pub(crate) fn key<'n>(&self, name: &'n ObjectName) -> Cow<'n, ObjectName> {
        self.folding().key(name)
    }

    /// The search path at this point of the script.
    pub(crate) fn path(&self) -> &[String] {
        self.overlay.search_path.as_deref().unwrap_or(&self.context.search_path)
    }

    /// A relation by its resolved name: the overlay's, or the base's.
    pub(crate) fn get(&self, name: &ObjectName) -> Result<Option<Arc<Relation>>, BaseError> {
        let key = self.key(name);
        if let Some(known) = self.overlay.relation(&key) {
            return Ok(known.clone());
        }
        if self.base.holds_nothing() {
            return Ok(None);
        }
        if let Some(known) = self.cache.lock().unwrap_or_else(PoisonError::into_inner).get(&*key) {
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
            .insert(key.into_owned(), read.clone());
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
            .find(|name| *self.key(name) == *key))
    }

    /// Changes a relation in place, taking it from the base first. `false` when there is none.
    pub(crate) fn edit(&mut self, name: &ObjectName, change: impl FnOnce(&mut Relation)) -> Result<bool, BaseError> {
        let key = self.key(name);
        if !self.overlay.has_relation(&key) {
            let Some(read) = self.get(name)? else { return Ok(false) };
            self.keep(Arc::new(key.clone().into_owned()), read);
        }
        let dialect = self.dialect();
        let Some(relation) = self.overlay.relation_mut(&key) else {
            return Ok(false);
        };
        let before = member_names(relation);
        let changed = Arc::make_mut(relation);
        change(changed);
        changed.put_in_order(dialect);
        let parent = changed.partition_of.is_some() || !changed.inherits.is_empty();
        let same = before == member_names(relation);
        let relation = (!same).then(|| Arc::clone(relation));
        self.overlay.children |= parent;
        if let Some(relation) = relation {
            self.remember(&Arc::new(key.into_owned()), &relation);
        }
        Ok(true)
    }

    /// Puts a relation that was not there before.
    pub(crate) fn put(&mut self, mut relation: Relation) {
        relation.put_in_order(self.context.dialect);
        let key = Arc::new(self.key(&relation.name).into_owned());
        Arc::make_mut(&mut self.overlay.origins).insert(Arc::clone(&key), Arc::default());
        self.keep(key, Arc::new(relation));
    }

    /// Has the overlay hold a relation.
    pub(crate) fn keep(&mut self, key: Key, relation: Arc<Relation>) {
        self.overlay.children |= relation.partition_of.is_some() || !relation.inherits.is_empty();
        self.remember(&key, &relation);
        Arc::make_mut(&mut self.overlay.unsettled).insert(Arc::clone(&key));
        self.overlay.set_relation(key, Some(relation));
    }

    /// Notes by what names of its members a relation of the overlay can be looked for.
    fn remember(&mut self, key: &Key, relation: &Relation) {
        let indexes = relation.indexes.iter().map(|index| &index.name);
        let constraints = relation.constraints.iter().map(|constraint| &constraint.name);
        for name in indexes.chain(constraints) {
            let name = self.folding().name(name);
            let known = self.overlay.members.get(&*name);
            if known.is_none_or(|known| !known.contains(key)) {
                let mut keys = known.map_or_else(Vec::new, |known| known.to_vec());
                keys.push(Arc::clone(key));
                keys.sort_unstable();
                Arc::make_mut(&mut self.overlay.members).insert(name.into(), keys.into());
            }
        }
    }

    /// The overlay's relations that may have an index or a constraint of that name, in order.
    pub(crate) fn with_member(&self, name: &str) -> impl Iterator<Item = &Arc<Relation>> {
        let known = self.overlay.members.get(&*self.folding().name(name));
        let relations = known.into_iter().flat_map(|keys| keys.iter());
        relations.filter_map(|key| self.overlay.relation(key)?.as_ref())
    }

    /// Notes that a relation is gone.
    pub(crate) fn forget(&mut self, name: &ObjectName) {
        let key = self.key(name);
        if self.overlay.origins.contains_key(&*key) {
            Arc::make_mut(&mut self.overlay.origins).remove(&*key);
        }
        if self.overlay.empty.contains(&*key) {
            Arc::make_mut(&mut self.overlay.empty).remove(&*key);
        }
        let key = Arc::new(key.into_owned());
        Arc::make_mut(&mut self.overlay.unsettled).insert(Arc::clone(&key));
        self.overlay.set_relation(key, None);
    }

    pub(crate) fn put_type(&mut self, user_type: UserType) {
        let key = Arc::new(self.key(&user_type.name).into_owned());
        self.overlay.note_temporary(&key);
        Arc::make_mut(&mut self.overlay.types).insert(key, Some(Arc::new(user_type)));
    }

    pub(crate) fn forget_type(&mut self, name: &ObjectName) {
        Arc::make_mut(&mut self.overlay.types).insert(Arc::new(name.clone()), None);
    }

    pub(crate) fn put_sequence(&mut self, sequence: Sequence) {
        let key = Arc::new(sequence.name.clone());
        self.overlay.note_temporary(&key);
        Arc::make_mut(&mut self.overlay.sequences).insert(key, Some(Arc::new(sequence)));
    }

    pub(crate) fn forget_sequence(&mut self, name: &ObjectName) {
        Arc::make_mut(&mut self.overlay.sequences).insert(Arc::new(name.clone()), None);
    }

    pub(crate) fn put_functions(&mut self, name: &ObjectName, overloads: Vec<Function>) {
        self.overlay.note_temporary(name);
        Arc::make_mut(&mut self.overlay.functions).insert(Arc::new(name.clone()), Arc::new(overloads));
    }

    /// The record of where a relation comes from, made on first use.
    pub(crate) fn origin_mut(&mut self, name: &ObjectName) -> &mut Origin {
        let key = self.key(name).into_owned();
        let origins = Arc::make_mut(&mut self.overlay.origins);
        let origin = origins.get_or_insert_with(&Arc::new(key.clone()), || {
            Arc::new(Origin {
                base: Some(key),
                ..Origin::default()
            })
        });
        Arc::make_mut(origin)
    }
}

/// A number that stays the same when no member is added, taken away or renamed. It is made for every change of a
/// relation, so it has to be cheap: eight bytes at a time.
fn member_names(relation: &Relation) -> u64 {
    let indexes = relation.indexes.iter().map(|index| &index.name);
    let constraints = relation.constraints.iter().map(|constraint| &constraint.name);
    let mut number = (relation.indexes.len() as u64) << 32 | relation.constraints.len() as u64;
    let mut take = |part: u64| number = (number.rotate_left(5) ^ part).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    for name in indexes.chain(constraints) {
        take(name.len() as u64);
        for bytes in name.as_bytes().chunks(8) {
            let mut part = [0; 8];
            part[..bytes.len()].copy_from_slice(bytes);
            take(u64::from_le_bytes(part));
        }
    }
    number
}
