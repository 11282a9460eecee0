//! Instances of a plugin: how one is made, asked, and kept for the next question.
//!
//! A fresh instance costs more than most questions: memory to map, settings to read, exports to look up. So the ones that
//! answered properly are kept. Each is asked one thing at a time, with fuel and a deadline of that question's own, and
//! is let go as soon as something about it is odd; then nothing of it is left.

use std::sync::{Arc, Mutex, PoisonError};

use wasmtime::Store;
use wasmtime::component::InstancePre;

use crate::bindings::{about, notifier, policy, rollback, types};
use crate::convert;
use crate::error::{FailureKind, PluginError, SettingsIssue};
use crate::fault::{Fault, classify};
use crate::host::Shared;
use crate::log::printable;
use crate::state::{Setting, State};
use crate::subject::Subject;
use crate::ticker::Ticker;
use crate::types::{Description, Kind};

/// Questions after which an instance is let go, however well it behaves.
const QUESTIONS: u32 = 1_000;

/// Instances that wait for a question at most: one for each thread that asks, as far as there are that many.
const IDLE: usize = 4;

/// An instance that has grown by more than this share of the memory it may have is let go.
const SHARE_OF_MEMORY: usize = 4;

/// Where the exports of a component are, looked up once.
pub(crate) struct Exports {
    about: about::GuestIndices,
    own: OwnExports,
}

enum OwnExports {
    Policy(policy::GuestIndices),
    Rollback(rollback::GuestIndices),
    Notifier(notifier::GuestIndices),
}

impl Exports {
    pub(crate) fn of(kind: Kind, pre: &InstancePre<State>) -> wasmtime::Result<Self> {
        let own = match kind {
            Kind::Policy => OwnExports::Policy(policy::GuestIndices::new(pre)?),
            Kind::Rollback => OwnExports::Rollback(rollback::GuestIndices::new(pre)?),
            Kind::Notifier => OwnExports::Notifier(notifier::GuestIndices::new(pre)?),
        };
        Ok(Self {
            about: about::GuestIndices::new(pre)?,
            own,
        })
    }

    pub(crate) fn kind(&self) -> Kind {
        match self.own {
            OwnExports::Policy(_) => Kind::Policy,
            OwnExports::Rollback(_) => Kind::Rollback,
            OwnExports::Notifier(_) => Kind::Notifier,
        }
    }

    fn load(&self, store: &mut Store<State>, instance: &wasmtime::component::Instance) -> wasmtime::Result<Functions> {
        Ok(match &self.own {
            OwnExports::Policy(indices) => Functions::Policy(indices.load(store, instance)?),
            OwnExports::Rollback(indices) => Functions::Rollback(indices.load(store, instance)?),
            OwnExports::Notifier(indices) => Functions::Notifier(indices.load(store, instance)?),
        })
    }
}

/// What an instance can be asked.
pub(crate) enum Functions {
    Policy(policy::Guest),
    Rollback(rollback::Guest),
    Notifier(notifier::Guest),
}

impl Functions {
    pub(crate) fn policy(&self) -> wasmtime::Result<&policy::Guest> {
        match self {
            Self::Policy(guest) => Ok(guest),
            _ => Err(self.not(Kind::Policy)),
        }
    }

    pub(crate) fn rollback(&self) -> wasmtime::Result<&rollback::Guest> {
        match self {
            Self::Rollback(guest) => Ok(guest),
            _ => Err(self.not(Kind::Rollback)),
        }
    }

    pub(crate) fn notifier(&self) -> wasmtime::Result<&notifier::Guest> {
        match self {
            Self::Notifier(guest) => Ok(guest),
            _ => Err(self.not(Kind::Notifier)),
        }
    }

    fn not(&self, wanted: Kind) -> wasmtime::Error {
        let kind = match self {
            Self::Policy(_) => Kind::Policy,
            Self::Rollback(_) => Kind::Rollback,
            Self::Notifier(_) => Kind::Notifier,
        };
        Fault::WrongKind { kind, wanted }.into()
    }
}

/// What the contract's fallible functions return.
pub(crate) type Answer<T> = wasmtime::Result<Result<T, types::Failure>>;

/// Has an unconfigured instance describe itself.
pub(crate) fn describe(
    shared: &Arc<Shared>,
    setting: &Setting,
    kind: Kind,
    pre: &InstancePre<State>,
    about: &about::GuestIndices,
) -> Result<Description, PluginError> {
    let bare = Setting {
        plugin: Arc::clone(&setting.plugin),
        limits: setting.limits.clone(),
        granted: std::collections::BTreeSet::new(),
        endpoints: std::collections::BTreeMap::new(),
        secrets: setting.secrets.clone(),
    };
    let mut sandbox = Sandbox::new(shared, &Arc::new(bare), kind);
    let description = sandbox.run(|store| {
        let instance = pre.instantiate(&mut *store)?;
        about.load(&mut *store, &instance)?.call_describe(store)
    })?;
    Ok(convert::from_description(description))
}

/// An instance that has read its settings.
pub(crate) struct Instance {
    sandbox: Sandbox,
    functions: Functions,
    /// Questions so far.
    asked: u32,
    /// Bytes of memory that it had before the first question.
    memory_bytes: usize,
    /// See [`Instance::sound`].
    sound: bool,
}

impl Instance {
    /// Makes one and has it read the settings.
    pub(crate) fn new(
        shared: &Arc<Shared>,
        setting: &Arc<Setting>,
        exports: &Exports,
        pre: &InstancePre<State>,
        settings: &String,
    ) -> Result<Self, PluginError> {
        let mut sandbox = Sandbox::new(shared, setting, exports.kind());
        let configured = sandbox.run(|store| {
            let instance = pre.instantiate(&mut *store)?;
            let guest = exports.about.load(&mut *store, &instance)?;
            match guest.call_configure(&mut *store, settings)? {
                Ok(()) => Ok(Ok(exports.load(store, &instance)?)),
                Err(issues) => Ok(Err(issues)),
            }
        })?;
        Ok(Self {
            functions: configured.map_err(|issues| bad_settings(&setting.plugin, setting, &issues))?,
            asked: 0,
            memory_bytes: sandbox.store.data().meter.memory_bytes(),
            sound: true,
            sandbox,
        })
    }

    /// Puts one question to it, with fuel and a deadline of its own.
    pub(crate) fn ask<T>(
        &mut self,
        subject: Option<&Subject>,
        export: impl FnOnce(&mut Store<State>, &Functions) -> Answer<T>,
    ) -> Result<T, PluginError> {
        self.asked += 1;
        self.sound = false;
        self.sandbox.store.data_mut().begin(subject.cloned());
        let answer = self.sandbox.run(|store| export(store, &self.functions))?;
        let state = self.sandbox.store.data_mut();
        state.subject = None;
        self.sound = state.denied.is_none();
        answer.map_err(|failure| self.sandbox.failed(&failure))
    }

    /// Whether it answered the last question, if only by saying that it cannot, and was refused nothing.
    pub(crate) fn sound(&self) -> bool {
        self.sound
    }

    /// Whether it may be asked something else.
    fn reusable(&self) -> bool {
        let state = self.sandbox.store.data();
        let grown = state.meter.memory_bytes().saturating_sub(self.memory_bytes);
        self.sound && self.asked < QUESTIONS && grown <= state.limits.memory_bytes / SHARE_OF_MEMORY
    }
}

/// Instances that wait for a question.
#[derive(Default)]
pub(crate) struct Idle(Mutex<Vec<Instance>>);

impl Idle {
    /// The one that was asked last, whose memory is likeliest to be at hand.
    pub(crate) fn take(&self) -> Option<Instance> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    /// Keeps an instance, unless there is something against it.
    pub(crate) fn keep(&self, instance: Instance) {
        let notifier = matches!(instance.functions, Functions::Notifier(_));
        if notifier || !instance.reusable() {
            return;
        }
        let mut idle = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE {
            idle.push(instance);
        }
    }
}

/// A store, the limits set on it, and the clock running while something in it does.
struct Sandbox {
    store: Store<State>,
    notifier: bool,
}

impl Sandbox {
    fn new(shared: &Arc<Shared>, setting: &Arc<Setting>, kind: Kind) -> Self {
        let state = State::new(Arc::clone(shared), Arc::clone(setting));
        let mut store = Store::new(&shared.engine, state);
        store.limiter(|state| &mut state.meter);
        store.set_hostcall_fuel(setting.limits.output_bytes);
        Self {
            store,
            notifier: kind == Kind::Notifier,
        }
    }

    /// Does something in the store, with all of the fuel and all of the time.
    fn run<T>(&mut self, work: impl FnOnce(&mut Store<State>) -> wasmtime::Result<T>) -> Result<T, PluginError> {
        let answer = self.run_unnamed(work);
        self.store.data_mut().finish_log();
        answer.map_err(|error| self.broke_off(&error))
    }

    fn run_unnamed<T>(&mut self, work: impl FnOnce(&mut Store<State>) -> wasmtime::Result<T>) -> wasmtime::Result<T> {
        let shared = Arc::clone(&self.store.data().shared);
        let limits = &self.store.data().limits;
        // Notifiers wait for the network, where instructions say nothing; the clock bounds them.
        let fuel = if self.notifier { u64::MAX } else { limits.fuel };
        let ticks = Ticker::ticks(limits.deadline(self.notifier));
        self.store.set_fuel(fuel)?;
        let _running = shared.ticker.run()?;
        self.store.set_epoch_deadline(ticks);
        work(&mut self.store)
    }

    /// The plugin said itself that it could not do its job.
    fn failed(&self, failure: &types::Failure) -> PluginError {
        let setting = &self.store.data().setting;
        let mut budget = setting.limits.message_bytes;
        let message = setting.secrets.redact(&printable(&failure.message, true, &mut budget));
        let mut error = self.because_denied(PluginError::new(&setting.plugin, FailureKind::Failed, message));
        error.retryable = failure.retryable && error.kind == FailureKind::Failed;
        error
    }

    /// The call did not come to its end.
    fn broke_off(&self, error: &wasmtime::Error) -> PluginError {
        let setting = &self.store.data().setting;
        let mut error = classify(&setting.plugin, &setting.limits, self.notifier, error);
        if error.kind == FailureKind::Trapped
            && let Some(last) = &self.store.data().logged.last_error
        {
            error.message = format!("{}; it said: {last}", error.message);
        }
        self.because_denied(error)
    }

    /// A failure after a refusal is the refusal's, whatever the plugin made of it.
    fn because_denied(&self, mut error: PluginError) -> PluginError {
        let own_doing = matches!(error.kind, FailureKind::Failed | FailureKind::Trapped);
        if let (true, Some(capability)) = (own_doing, &self.store.data().denied) {
            let mut budget = 80;
            let capability = printable(capability, false, &mut budget);
            error.kind = FailureKind::RefusedCapability;
            error.message = format!(
                "used the capability `{capability}`, which it was not given: {}",
                error.message
            );
            error.help = Some(format!(
                "If you trust the plugin with it, add `{capability}` to its `grant` in the configuration."
            ));
        }
        error
    }
}

fn bad_settings(plugin: &str, setting: &Setting, issues: &[types::SettingsIssue]) -> PluginError {
    let text = |text: &str| {
        setting
            .secrets
            .redact(&printable(text, false, &mut { setting.limits.message_bytes }))
    };
    let issues: Vec<SettingsIssue> = issues
        .iter()
        .take(setting.limits.finding_parts)
        .map(|issue| SettingsIssue {
            path: text(&issue.path),
            message: text(&issue.message),
        })
        .collect();
    let message = match issues.as_slice() {
        [] => "it refuses its settings and does not say why".to_owned(),
        issues => issues
            .iter()
            .map(|issue| {
                format!(
                    "{}: {}",
                    if issue.path.is_empty() { "/" } else { &issue.path },
                    issue.message
                )
            })
            .collect::<Vec<_>>()
            .join("; "),
    };
    let mut error = PluginError::new(plugin, FailureKind::BadSettings, message);
    error.issues = issues;
    error
}
