//! What a plugin has at hand while it is asked. Of one question nothing is left when the next one comes.

use std::collections::BTreeSet;
use std::sync::Arc;

use tollgate_schema::Schema;
use wasmtime::component::Resource;

use crate::endpoint::Endpoints;
use crate::fault::Fault;
use crate::host::Shared;
use crate::limits::{Limits, Meter};
use crate::log::LogCount;
use crate::secrets::Secrets;
use crate::subject::Subject;

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
    /// What the question that is being asked is about.
    pub(crate) subject: Option<Subject>,
    pub(crate) logged: LogCount,
    pub(crate) requests: usize,
    /// A capability that the plugin used without having it: when it fails, that is why.
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
            subject: None,
            logged: LogCount::default(),
            requests: 0,
            denied: None,
        }
    }

    /// Makes ready for a question. A plugin that was refused something is asked no second one, so that `denied` stays.
    pub(crate) fn begin(&mut self, subject: Option<Subject>) {
        self.subject = subject;
        self.logged = LogCount::default();
        self.requests = 0;
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

    pub(crate) fn subject(&self) -> wasmtime::Result<&Subject> {
        self.subject.as_ref().ok_or_else(|| Fault::UnknownHandle.into())
    }

    pub(crate) fn snapshot(&self, handle: &Resource<SnapshotHandle>) -> wasmtime::Result<&Schema> {
        let number = usize::try_from(handle.rep()).unwrap_or(usize::MAX);
        let snapshot = self.subject()?.snapshot(number);
        snapshot.ok_or_else(|| Fault::UnknownHandle.into())
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
