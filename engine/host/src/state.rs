//! What one call of a plugin has at hand. Made anew for each call and thrown away with its store.

use std::collections::BTreeSet;
use std::sync::Arc;

use tollgate_schema::Schema;
use tollgate_schema::locks::Locks;
use wasmtime::component::Resource;

use crate::endpoint::Endpoints;
use crate::fault::Fault;
use crate::host::Shared;
use crate::limits::{Limits, Meter};
use crate::log::LogCount;
use crate::secrets::Secrets;
use crate::types::MigrationInput;

/// The capability to count rows.
pub(crate) const PROBE: &str = "catalog.probe";

/// Type of the contract's `migration`; a call has one, so the handle says nothing more.
pub struct MigrationHandle;

/// Type of the contract's `snapshot`; its number says which of the two.
pub struct SnapshotHandle;

/// Everything of a plugin that its calls share.
pub(crate) struct Setting {
    pub(crate) plugin: Arc<str>,
    pub(crate) limits: Limits,
    pub(crate) granted: BTreeSet<String>,
    pub(crate) endpoints: Endpoints,
    pub(crate) secrets: Secrets,
}

/// The data of a store.
pub(crate) struct State {
    pub(crate) shared: Arc<Shared>,
    pub(crate) setting: Arc<Setting>,
    pub(crate) meter: Meter,
    pub(crate) migration: Option<MigrationInput>,
    /// Before and after.
    pub(crate) snapshots: Option<[Schema; 2]>,
    /// What the migration locks.
    pub(crate) locks: Locks,
    pub(crate) logged: LogCount,
    pub(crate) requests: usize,
    /// A capability that the call used without having it: when it fails, that is why.
    pub(crate) denied: Option<String>,
}

impl std::ops::Deref for State {
    type Target = Setting;

    fn deref(&self) -> &Setting {
        &self.setting
    }
}

impl State {
    pub(crate) fn new(shared: Arc<Shared>, setting: Arc<Setting>) -> Self {
        Self {
            meter: Meter::new(&setting.limits),
            shared,
            setting,
            migration: None,
            snapshots: None,
            locks: Locks::default(),
            logged: LogCount::default(),
            requests: 0,
            denied: None,
        }
    }

    /// The same with a migration and the schema around it.
    pub(crate) fn with_migration(mut self, migration: MigrationInput, before: Schema, after: Schema) -> Self {
        self.migration = Some(migration);
        self.snapshots = Some([before, after]);
        self
    }

    /// The handles to pass along with a call: migration, before, after.
    pub(crate) fn handles() -> (
        Resource<MigrationHandle>,
        Resource<SnapshotHandle>,
        Resource<SnapshotHandle>,
    ) {
        (
            Resource::new_borrow(0),
            Resource::new_borrow(0),
            Resource::new_borrow(1),
        )
    }

    pub(crate) fn migration(&self) -> wasmtime::Result<&MigrationInput> {
        self.migration.as_ref().ok_or_else(|| Fault::UnknownHandle.into())
    }

    pub(crate) fn snapshot(&self, handle: &Resource<SnapshotHandle>) -> wasmtime::Result<&Schema> {
        let index = usize::try_from(handle.rep()).unwrap_or(usize::MAX);
        self.snapshots
            .as_ref()
            .and_then(|both| both.get(index))
            .ok_or_else(|| Fault::UnknownHandle.into())
    }

    /// The schema without the migration.
    pub(crate) fn before(&self) -> wasmtime::Result<&Schema> {
        let first = self.snapshots.as_ref().map(|[before, _]| before);
        first.ok_or_else(|| Fault::UnknownHandle.into())
    }

    /// The same with what is known, or will be, of the migration's locks.
    pub(crate) fn with_locks(mut self, locks: Locks) -> Self {
        self.locks = locks;
        self
    }

    /// Whether the plugin has a capability; remembers that it wanted it when it has not.
    pub(crate) fn allowed(&mut self, capability: &str) -> bool {
        let allowed = self.granted.contains(capability);
        if !allowed {
            self.denied = Some(capability.to_owned());
        }
        allowed
    }
}
