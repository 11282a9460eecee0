//! From the contract's functions to the plugin's traits. Used by the `export_…!` macros only.

use std::any::Any;
use std::cell::{OnceCell, RefCell};
use std::marker::PhantomData;
use std::rc::Rc;

use serde::de::DeserializeOwned;

use crate::bindings::catalog::Snapshot;
use crate::bindings::policy::exports::tollgate::plugin::policy::Request;
use crate::bindings::script::Migration as Handle;
use crate::bindings::{about, notifier, policy, rollback};
use crate::catalog::HostCatalog;
use crate::contract::{Description, Event, Failure, Finding, RollbackRequest, RollbackStep, Run, SettingsIssue};
use crate::http::HostHttp;
use crate::migration::Migration;
use crate::plugin::{Notifier, Policy, Rollback};
use crate::request::{PolicyRequest, WantedRules};

thread_local! {
    /// The configured plugin. An instance is configured once, so there is never a second.
    static PLUGIN: RefCell<Option<Box<dyn Any>>> = const { RefCell::new(None) };
    /// The policy's rules as it describes them; the engine names them by their position.
    static RULES: OnceCell<Rc<[String]>> = const { OnceCell::new() };
}

/// The exports of a policy.
pub struct PolicyComponent<P>(PhantomData<P>);
/// The exports of a rollback generator.
pub struct RollbackComponent<P>(PhantomData<P>);
/// The exports of a notifier.
pub struct NotifierComponent<P>(PhantomData<P>);

/// Reads settings into the plugin's own type. A missing table is an empty one.
pub fn read_settings<S: DeserializeOwned>(settings: &str) -> Result<S, Vec<SettingsIssue>> {
    let text = if settings.trim().is_empty() || settings.trim() == "null" {
        "{}"
    } else {
        settings
    };
    let mut reader = serde_json::Deserializer::from_str(text);
    serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let message = error.inner().to_string();
        // The author of the settings has never seen the JSON that they were passed as.
        let message = message.split(" at line ").next().unwrap_or_default();
        vec![SettingsIssue::new(json_pointer(error.path()), message)]
    })
}

/// `/a/0/b` for the path `a[0].b`.
fn json_pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    path.iter().fold(String::new(), |mut pointer, segment| {
        pointer.push('/');
        match segment {
            Segment::Seq { index } => pointer.push_str(&index.to_string()),
            Segment::Map { key } => pointer.push_str(&key.replace('~', "~0").replace('/', "~1")),
            Segment::Enum { variant } => pointer.push_str(variant),
            Segment::Unknown => pointer.push('?'),
        }
        pointer
    })
}

/// Keeps the configured plugin for the calls that follow, and makes a panic say something before it traps.
fn keep<P: 'static>(configured: Result<P, Vec<SettingsIssue>>) -> Result<(), Vec<SettingsIssue>> {
    std::panic::set_hook(Box::new(|panic| crate::log::error(&panic.to_string())));
    let plugin = configured?;
    PLUGIN.with(|slot| *slot.borrow_mut() = Some(Box::new(plugin)));
    Ok(())
}

/// Calls the configured plugin.
fn with<P: 'static, T>(call: impl FnOnce(&P) -> Result<T, Failure>) -> Result<T, Failure> {
    PLUGIN.with(
        |slot| match slot.borrow().as_ref().and_then(|plugin| plugin.downcast_ref()) {
            Some(plugin) => call(plugin),
            None => Err(Failure::new("the engine did not call configure first")),
        },
    )
}

/// The request as rules read it.
fn request<P: Policy>(request: Request) -> PolicyRequest {
    let described = RULES.with(|known| {
        let describe = || P::describe().rules.into_iter().map(|rule| rule.id).collect();
        Rc::clone(known.get_or_init(describe))
    });
    PolicyRequest {
        server: request.server,
        rules: WantedRules::new(described, request.rules),
        environment: request.environment,
        lock_timeout_ms: request.lock_timeout_ms,
        statement_timeout_ms: request.statement_timeout_ms,
    }
}

impl<P: Policy> about::exports::tollgate::plugin::about::Guest for PolicyComponent<P> {
    fn describe() -> Description {
        P::describe()
    }

    fn configure(settings: String) -> Result<(), Vec<SettingsIssue>> {
        keep(read_settings(&settings).and_then(P::configure))
    }
}

impl<P: Policy> policy::exports::tollgate::plugin::policy::Guest for PolicyComponent<P> {
    fn check(asked: Request, migration: &Handle, before: &Snapshot, after: &Snapshot) -> Result<Vec<Finding>, Failure> {
        let request = request::<P>(asked);
        let migration = Migration::from_host(migration);
        with(|plugin: &P| {
            plugin.check(
                &request,
                &migration,
                &HostCatalog::new(before),
                &HostCatalog::new(after),
            )
        })
    }
}

impl<P: Rollback> about::exports::tollgate::plugin::about::Guest for RollbackComponent<P> {
    fn describe() -> Description {
        P::describe()
    }

    fn configure(settings: String) -> Result<(), Vec<SettingsIssue>> {
        keep(read_settings(&settings).and_then(P::configure))
    }
}

impl<P: Rollback> rollback::exports::tollgate::plugin::rollback::Guest for RollbackComponent<P> {
    fn generate(
        request: RollbackRequest,
        migration: &Handle,
        before: &Snapshot,
        after: &Snapshot,
    ) -> Result<Vec<RollbackStep>, Failure> {
        let migration = Migration::from_host(migration);
        with(|plugin: &P| {
            plugin.generate(
                &request,
                &migration,
                &HostCatalog::new(before),
                &HostCatalog::new(after),
            )
        })
    }
}

impl<P: Notifier> about::exports::tollgate::plugin::about::Guest for NotifierComponent<P> {
    fn describe() -> Description {
        P::describe()
    }

    fn configure(settings: String) -> Result<(), Vec<SettingsIssue>> {
        keep(read_settings(&settings).and_then(P::configure))
    }
}

impl<P: Notifier> notifier::exports::tollgate::plugin::notifier::Guest for NotifierComponent<P> {
    fn interests() -> Vec<String> {
        with(|plugin: &P| Ok(plugin.interests())).unwrap_or_default()
    }

    fn notify(run: Run, event: Event) -> Result<(), Failure> {
        with(|plugin: &P| plugin.notify(&run, &event, &HostHttp))
    }
}

/// Makes the crate a policy component: `export_policy!(MyPolicy);`.
#[macro_export]
macro_rules! export_policy {
    ($plugin:ty) => {
        // The names of a component's exports are no symbols a native linker takes.
        #[cfg(target_family = "wasm")]
        const _: () = {
            type Component = $crate::glue::PolicyComponent<$plugin>;
    $crate::bindings::about::export_about!(Component with_types_in $crate::bindings::about);
    $crate::bindings::policy::export_policy_interface!(Component with_types_in $crate::bindings::policy);
        };
        #[cfg(not(target_family = "wasm"))]
        const _: fn() -> $crate::Description = <$plugin as $crate::Policy>::describe;
    };
}

/// Makes the crate a rollback component: `export_rollback!(MyRollback);`.
#[macro_export]
macro_rules! export_rollback {
    ($plugin:ty) => {
        // The names of a component's exports are no symbols a native linker takes.
        #[cfg(target_family = "wasm")]
        const _: () = {
            type Component = $crate::glue::RollbackComponent<$plugin>;
    $crate::bindings::about::export_about!(Component with_types_in $crate::bindings::about);
    $crate::bindings::rollback::export_rollback_interface!(Component with_types_in $crate::bindings::rollback);
        };
        #[cfg(not(target_family = "wasm"))]
        const _: fn() -> $crate::Description = <$plugin as $crate::Rollback>::describe;
    };
}

/// Makes the crate a notifier component: `export_notifier!(MyNotifier);`.
#[macro_export]
macro_rules! export_notifier {
    ($plugin:ty) => {
        // The names of a component's exports are no symbols a native linker takes.
        #[cfg(target_family = "wasm")]
        const _: () = {
            type Component = $crate::glue::NotifierComponent<$plugin>;
    $crate::bindings::about::export_about!(Component with_types_in $crate::bindings::about);
    $crate::bindings::notifier::export_notifier_interface!(Component with_types_in $crate::bindings::notifier);
        };
        #[cfg(not(target_family = "wasm"))]
        const _: fn() -> $crate::Description = <$plugin as $crate::Notifier>::describe;
    };
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::plugin::NoSettings;

    #[derive(Debug, PartialEq, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Settings {
        #[serde(default)]
        schemas: Vec<String>,
    }

    #[test]
    fn settings_errors_point_at_the_setting() {
        let issues = read_settings::<Settings>(r#"{"schemas": ["a", 7]}"#).unwrap_err();
        assert_eq!(issues[0].path, "/schemas/1");
        assert!(issues[0].message.contains("expected a string"), "{}", issues[0].message);
        let issues = read_settings::<NoSettings>(r#"{"level": 1}"#).unwrap_err();
        assert_eq!(issues[0].path, "/level");
        assert_eq!(issues[0].message, "unknown field `level`, there are no fields");
    }

    #[test]
    fn a_missing_table_is_an_empty_one() {
        assert_eq!(read_settings::<Settings>("null").unwrap(), Settings { schemas: vec![] });
        assert_eq!(read_settings::<NoSettings>("").unwrap(), NoSettings {});
    }
}
