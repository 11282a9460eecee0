//! A loaded plugin, and what it can be asked. Each question gets an instance of its own.

use std::fmt;
use std::sync::Arc;

use tollgate_sql::Script;
use wasmtime::Store;
use wasmtime::component::{Instance, InstancePre};

use crate::bindings::{about, notifier, policy, rollback, types};
use crate::error::{FailureKind, PluginError, SettingsIssue};
use crate::fault::classify;
use crate::host::Shared;
use crate::log::printable;
use crate::state::{Setting, State};
use crate::ticker::Ticker;
use crate::types::{Description, Event, Finding, Kind, Outcome, PolicyCall, RollbackCall, RollbackStep, Run};
use crate::{check, convert};

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

    fn kind(&self) -> Kind {
        match self.own {
            OwnExports::Policy(_) => Kind::Policy,
            OwnExports::Rollback(_) => Kind::Rollback,
            OwnExports::Notifier(_) => Kind::Notifier,
        }
    }
}

/// A loaded plugin. Cheap to keep, and it can be asked from several threads at once.
pub struct Plugin {
    shared: Arc<Shared>,
    setting: Arc<Setting>,
    description: Description,
    digest: String,
    exports: Exports,
    pre: InstancePre<State>,
    settings: String,
}

impl fmt::Debug for Plugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plugin")
            .field("name", &self.name())
            .field("kind", &self.kind())
            .field("digest", &self.digest)
            .finish_non_exhaustive()
    }
}

/// What the contract's fallible functions return.
type Answer<T> = wasmtime::Result<Result<T, types::Failure>>;

impl Plugin {
    pub(crate) fn new(
        shared: Arc<Shared>,
        setting: Setting,
        description: Description,
        digest: String,
        exports: Exports,
        pre: InstancePre<State>,
        settings: String,
    ) -> Self {
        Self {
            shared,
            setting: Arc::new(setting),
            description,
            digest,
            exports,
            pre,
            settings,
        }
    }

    /// Name in the configuration.
    pub fn name(&self) -> &str {
        &self.setting.plugin
    }

    /// What it is for.
    pub fn kind(&self) -> Kind {
        self.exports.kind()
    }

    /// What it says about itself.
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// SHA-256 of the component, lowercase hexadecimal.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Capabilities it asked for and was given.
    pub fn granted(&self) -> impl Iterator<Item = &str> {
        self.setting.granted.iter().map(String::as_str)
    }

    /// Capabilities it asked for and was not given.
    pub fn withheld(&self) -> impl Iterator<Item = &str> {
        let granted = &self.setting.granted;
        self.description
            .capabilities
            .iter()
            .map(String::as_str)
            .filter(|capability| !granted.contains(*capability))
    }

    /// Asks a policy what it thinks of a migration. The findings are checked: rules are known, spans can be shown.
    ///
    /// # Errors
    /// Any [`FailureKind`]; [`FailureKind::Incompatible`] when this is no policy.
    pub fn check(&self, call: &PolicyCall) -> Result<Vec<Finding>, PluginError> {
        let OwnExports::Policy(indices) = &self.exports.own else {
            return Err(self.wrong_kind(Kind::Policy));
        };
        let request = policy::Request {
            server: convert::server(call.server),
            rules: call.rules.clone(),
            environment: call.environment.clone(),
            lock_timeout_ms: call.time_limits.lock_ms,
            statement_timeout_ms: call.time_limits.statement_ms,
        };
        let state = self
            .state()
            .with_migration(call.migration.clone(), call.before.clone(), call.after.clone())
            .with_locks(call.locks.clone());
        let findings = self.ask(state, |store, instance| {
            let (migration, before, after) = State::handles();
            indices
                .load(&mut *store, instance)?
                .call_check(store, &request, migration, before, after)
        })?;
        let findings = findings.into_iter().map(convert::finding).collect();
        let script: &Script = &call.migration.script;
        check::findings(findings, script, &self.description, &call.rules, &self.setting.limits)
            .map_err(|problem| self.failure(FailureKind::InvalidOutput, problem))
    }

    /// Asks a rollback generator how to take a migration back. The steps are checked: one for each statement, and the
    /// SQL parses.
    ///
    /// # Errors
    /// Any [`FailureKind`]; [`FailureKind::Incompatible`] when this is no rollback generator.
    pub fn generate(&self, call: &RollbackCall) -> Result<Vec<RollbackStep>, PluginError> {
        let OwnExports::Rollback(indices) = &self.exports.own else {
            return Err(self.wrong_kind(Kind::Rollback));
        };
        let request = rollback::Request {
            server: convert::server(call.server),
            preserve_data: call.preserve_data,
            preserve_in: call.preserve_in.clone(),
        };
        let state = self
            .state()
            .with_migration(call.migration.clone(), call.before.clone(), call.after.clone());
        let steps = self.ask(state, |store, instance| {
            let (migration, before, after) = State::handles();
            indices
                .load(&mut *store, instance)?
                .call_generate(store, &request, migration, before, after)
        })?;
        let steps = steps.into_iter().map(step).collect();
        check::steps(steps, &call.migration.script, call.preserve_data, &self.setting.limits)
            .map_err(|problem| self.failure(FailureKind::InvalidOutput, problem))
    }

    /// Tags of the events that a notifier wants; empty means all.
    ///
    /// # Errors
    /// Any [`FailureKind`]; [`FailureKind::Incompatible`] when this is no notifier.
    pub fn interests(&self) -> Result<Vec<String>, PluginError> {
        let OwnExports::Notifier(indices) = &self.exports.own else {
            return Err(self.wrong_kind(Kind::Notifier));
        };
        self.ask(self.state(), |store, instance| {
            Ok(Ok(indices.load(&mut *store, instance)?.call_interests(store)?))
        })
    }

    /// Has a notifier tell somebody of an event.
    ///
    /// # Errors
    /// Any [`FailureKind`]; [`PluginError::retryable`] says whether another attempt makes sense.
    pub fn notify(&self, run: &Run, event: &Event) -> Result<(), PluginError> {
        let OwnExports::Notifier(indices) = &self.exports.own else {
            return Err(self.wrong_kind(Kind::Notifier));
        };
        let (run, event) = (convert::run(run), convert::event(event));
        self.ask(self.state(), |store, instance| {
            indices.load(&mut *store, instance)?.call_notify(store, &run, &event)
        })
    }

    /// Has the plugin read its settings, and does nothing else with it.
    pub(crate) fn try_settings(&self) -> Result<(), PluginError> {
        self.ask(self.state(), |_, _| Ok(Ok(())))
    }

    fn state(&self) -> State {
        State::new(Arc::clone(&self.shared), Arc::clone(&self.setting))
    }

    fn failure(&self, kind: FailureKind, message: impl Into<String>) -> PluginError {
        PluginError::new(self.name(), kind, message)
    }

    fn wrong_kind(&self, wanted: Kind) -> PluginError {
        let message = format!("is {}, not {}", self.kind().with_article(), wanted.with_article());
        self.failure(FailureKind::Incompatible, message)
    }

    /// One question: a fresh instance, its settings, the export.
    fn ask<T>(
        &self,
        state: State,
        export: impl FnOnce(&mut Store<State>, &Instance) -> Answer<T>,
    ) -> Result<T, PluginError> {
        let mut call = Call::new(&self.shared, &self.setting, self.kind(), state)?;
        let answer = call.run(&self.pre, |store, instance| {
            let guest = self.exports.about.load(&mut *store, instance)?;
            match guest.call_configure(&mut *store, &self.settings)? {
                Ok(()) => Ok(Ok(export(store, instance)?)),
                Err(issues) => Ok(Err(issues)),
            }
        });
        match answer {
            Ok(Ok(Ok(value))) => Ok(value),
            Ok(Ok(Err(failure))) => Err(call.failed(&failure)),
            Ok(Err(issues)) => Err(bad_settings(self.name(), &self.setting, &issues)),
            Err(error) => Err(call.broke_off(&error)),
        }
    }
}

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
    let state = State::new(Arc::clone(shared), Arc::new(bare));
    let mut call = Call::new(shared, setting, kind, state)?;
    let answer = call.run(pre, |store, instance| {
        about.load(&mut *store, instance)?.call_describe(store)
    });
    answer
        .map(convert::from_description)
        .map_err(|error| call.broke_off(&error))
}

/// One call: a store, the limits set on it, and the clock running.
struct Call<'a> {
    store: Store<State>,
    setting: &'a Setting,
    notifier: bool,
    shared: &'a Shared,
}

impl<'a> Call<'a> {
    fn new(shared: &'a Shared, setting: &'a Setting, kind: Kind, state: State) -> Result<Self, PluginError> {
        let notifier = kind == Kind::Notifier;
        let mut store = Store::new(&shared.engine, state);
        store.limiter(|state| &mut state.meter);
        store.set_hostcall_fuel(setting.limits.output_bytes);
        // Notifiers wait for the network, where instructions say nothing; the clock bounds them.
        let fuel = if notifier { u64::MAX } else { setting.limits.fuel };
        let mut call = Self {
            store,
            setting,
            notifier,
            shared,
        };
        call.store.set_fuel(fuel).map_err(|error| call.broke_off(&error))?;
        Ok(call)
    }

    fn run<T>(
        &mut self,
        pre: &InstancePre<State>,
        work: impl FnOnce(&mut Store<State>, &Instance) -> wasmtime::Result<T>,
    ) -> wasmtime::Result<T> {
        let running = self.shared.ticker.run()?;
        self.store
            .set_epoch_deadline(Ticker::ticks(self.setting.limits.deadline(self.notifier)));
        let instance = pre.instantiate(&mut self.store);
        let answer = instance.and_then(|instance| work(&mut self.store, &instance));
        drop(running);
        self.store.data_mut().finish_log();
        answer
    }

    /// The plugin said itself that it could not do its job.
    fn failed(&self, failure: &types::Failure) -> PluginError {
        let mut budget = self.setting.limits.message_bytes;
        let message = self
            .setting
            .secrets
            .redact(&printable(&failure.message, true, &mut budget));
        let mut error = self.because_denied(PluginError::new(&self.setting.plugin, FailureKind::Failed, message));
        error.retryable = failure.retryable && error.kind == FailureKind::Failed;
        error
    }

    /// The call did not come to its end.
    fn broke_off(&self, error: &wasmtime::Error) -> PluginError {
        let mut error = classify(&self.setting.plugin, &self.setting.limits, self.notifier, error);
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

fn step(step: rollback::Step) -> RollbackStep {
    RollbackStep {
        undoes: convert::widen(step.undoes),
        outcome: match step.outcome {
            rollback::Outcome::Lossless => Outcome::Lossless,
            rollback::Outcome::Lossy(reason) => Outcome::Lossy(reason),
            rollback::Outcome::Irreversible(reason) => Outcome::Irreversible(reason),
            rollback::Outcome::Declined => Outcome::Declined,
        },
        preserve: step.preserve,
        sql: step.sql,
        transactional: step.transactional,
    }
}
