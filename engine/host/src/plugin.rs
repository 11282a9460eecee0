//! A loaded plugin, and what it can be asked.

use std::fmt;
use std::sync::Arc;

use tollgate_sql::Script;
use wasmtime::Store;
use wasmtime::component::InstancePre;

use crate::bindings::{policy, rollback};
use crate::error::{FailureKind, PluginError};
use crate::host::Shared;
use crate::instance::{Answer, Exports, Functions, Idle, Instance};
use crate::rules::Rules;
use crate::state::{Setting, State};
use crate::subject::Subject;
use crate::types::{Description, Event, Finding, Kind, Outcome, PolicyCall, RollbackCall, RollbackStep, Run};
use crate::{check, convert};

/// A loaded plugin. Cheap to keep, and it can be asked from several threads at once.
pub struct Plugin {
    shared: Arc<Shared>,
    setting: Arc<Setting>,
    rules: Rules,
    description: Description,
    digest: String,
    exports: Exports,
    pre: InstancePre<State>,
    settings: String,
    idle: Idle,
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
            rules: Rules::new(&description.rules),
            description,
            digest,
            exports,
            pre,
            settings,
            idle: Idle::default(),
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
        let asked = self.rules.positions(&call.rules);
        let rules = self.rules.concerned(&asked, call.subject.occurring());
        if rules.is_empty() && !asked.is_empty() {
            return Ok(Vec::new());
        }
        let request = policy::Request {
            server: convert::server(call.server),
            rules,
            environment: call.environment.clone(),
            lock_timeout_ms: call.time_limits.lock_ms,
            statement_timeout_ms: call.time_limits.statement_ms,
        };
        let check = |store: &mut Store<State>, functions: &Functions| {
            let (migration, before, after) = State::handles();
            functions
                .policy()?
                .call_check(store, &request, migration, before, after)
        };
        self.ask(Some(&call.subject), check, |findings| {
            let findings = findings.into_iter().map(convert::finding).collect();
            let script: &Script = &call.subject.migration().script;
            check::findings(findings, script, &self.description, &call.rules, &self.setting.limits)
        })
    }

    /// Asks a rollback generator how to take a migration back. The steps are checked: one for each statement, and the
    /// SQL parses.
    ///
    /// # Errors
    /// Any [`FailureKind`]; [`FailureKind::Incompatible`] when this is no rollback generator.
    pub fn generate(&self, call: &RollbackCall) -> Result<Vec<RollbackStep>, PluginError> {
        let request = rollback::Request {
            server: convert::server(call.server),
            preserve_data: call.preserve_data,
            preserve_in: call.preserve_in.clone(),
        };
        let generate = |store: &mut Store<State>, functions: &Functions| {
            let (migration, before, after) = State::handles();
            let guest = functions.rollback()?;
            guest.call_generate(store, &request, migration, before, after)
        };
        self.ask(Some(&call.subject), generate, |steps| {
            let steps = steps.into_iter().map(step).collect();
            let script = &call.subject.migration().script;
            check::steps(steps, script, call.preserve_data, &self.setting.limits)
        })
    }

    /// Tags of the events that a notifier wants; empty means all.
    ///
    /// # Errors
    /// Any [`FailureKind`]; [`FailureKind::Incompatible`] when this is no notifier.
    pub fn interests(&self) -> Result<Vec<String>, PluginError> {
        let interests =
            |store: &mut Store<State>, functions: &Functions| Ok(Ok(functions.notifier()?.call_interests(store)?));
        self.ask(None, interests, Ok)
    }

    /// Has a notifier tell somebody of an event.
    ///
    /// # Errors
    /// Any [`FailureKind`]; [`PluginError::retryable`] says whether another attempt makes sense.
    pub fn notify(&self, run: &Run, event: &Event) -> Result<(), PluginError> {
        let (run, event) = (convert::run(run), convert::event(event));
        let notify =
            |store: &mut Store<State>, functions: &Functions| functions.notifier()?.call_notify(store, &run, &event);
        self.ask(None, notify, Ok)
    }

    /// Has the plugin read its settings; the instance that did is there for the first question.
    pub(crate) fn try_settings(&self) -> Result<(), PluginError> {
        self.idle.keep(self.configured()?);
        Ok(())
    }

    fn configured(&self) -> Result<Instance, PluginError> {
        Instance::new(&self.shared, &self.setting, &self.exports, &self.pre, &self.settings)
    }

    /// Puts a question to an instance, and keeps that for the next one unless its answer cannot be `believed`.
    fn ask<T, U>(
        &self,
        subject: Option<&Subject>,
        export: impl Fn(&mut Store<State>, &Functions) -> Answer<T>,
        believed: impl FnOnce(T) -> Result<U, check::Problem>,
    ) -> Result<U, PluginError> {
        let (instance, answer) = self.answer(subject, export)?;
        let answer = match answer {
            Ok(value) => believed(value)
                .map_err(|problem| PluginError::new(self.name(), FailureKind::InvalidOutput, problem))
                .map(Ok)?,
            Err(own) => Err(own),
        };
        self.idle.keep(instance);
        answer
    }

    /// The answer of an instance that has answered others before, or of a fresh one: always where the first would be that
    /// it broke off, so that no earlier question can be to blame.
    fn answer<T>(
        &self,
        subject: Option<&Subject>,
        export: impl Fn(&mut Store<State>, &Functions) -> Answer<T>,
    ) -> Result<(Instance, Result<T, PluginError>), PluginError> {
        if let Some(mut instance) = self.idle.take() {
            match instance.ask(subject, &export) {
                Err(error) if !instance.sound() && may_be_of_before(error.kind) => {}
                answer => return Ok((instance, answer)),
            }
        }
        let mut instance = self.configured()?;
        let answer = instance.ask(subject, &export);
        Ok((instance, answer))
    }
}

/// Whether a failure may come of what earlier questions have left in an instance. Those of the catalog, of the clock and
/// of a capability do not.
fn may_be_of_before(kind: FailureKind) -> bool {
    use FailureKind::{InvalidOutput, OutOfFuel, OutOfMemory, Trapped};
    matches!(kind, Trapped | OutOfFuel | OutOfMemory | InvalidOutput)
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
