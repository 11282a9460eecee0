//! How the tests of one rule say what must be reported and what must not.

use std::marker::PhantomData;

use crate::contract::{Dialect, Severity};
use crate::plugin::Policy;
use crate::rules::Rule;

use super::{Test, policy, render};

/// Tests of one rule of a policy, alone.
///
/// ```no_run
/// # use tollgate_plugin::{Policy, Severity, rules::Rule, testing};
/// # fn example<MyPolicy: Policy>(rule: &Rule) {
/// let rule = testing::rule::<MyPolicy>(rule);
/// rule.reports("CREATE TABLE a (b int);", "DROP TABLE a;", Severity::High, "drops a");
/// rule.ignores("", "CREATE TABLE a (b int);");
/// # }
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Judge<P> {
    rule: &'static str,
    dialect: Dialect,
    version: Option<(u32, u32, u32)>,
    policy: PhantomData<fn() -> P>,
}

/// Tests of a rule on the first of its servers.
pub fn rule<P: Policy>(rule: &Rule) -> Judge<P> {
    Judge {
        rule: rule.id,
        dialect: rule.dialects.first().copied().unwrap_or(Dialect::Postgres),
        version: None,
        policy: PhantomData,
    }
}

impl<P: Policy> Judge<P> {
    /// The same on another server.
    #[must_use]
    pub fn dialect(mut self, dialect: Dialect) -> Self {
        self.dialect = dialect;
        self
    }

    /// The same on a server of this version.
    #[must_use]
    pub fn version(mut self, major: u32, minor: u32, patch: u32) -> Self {
        self.version = Some((major, minor, patch));
        self
    }

    /// A test with the rule alone switched on; `before` may be empty: then nothing is known of the database.
    pub fn on(&self, before: &str) -> Test<P> {
        let mut test = policy::<P>().dialect(self.dialect).rules(&[self.rule]);
        if let Some((major, minor, patch)) = self.version {
            test = test.version(major, minor, patch);
        }
        if before.is_empty() { test } else { test.before(before) }
    }

    /// The script must be reported once, at this level, with this message.
    #[track_caller]
    pub fn reports(&self, before: &str, script: &str, severity: Severity, message: &str) {
        assert_reports(&self.on(before), script, severity, message);
    }

    /// The script must not be reported.
    #[track_caller]
    pub fn ignores(&self, before: &str, script: &str) {
        assert_ignores(&self.on(before), script);
    }
}

/// The script must be reported once, at this level, with this message.
#[track_caller]
pub fn assert_reports<P: Policy>(test: &Test<P>, script: &str, severity: Severity, message: &str) {
    let findings = test.check(script);
    let [finding] = findings.as_slice() else {
        panic!("expected one finding for {script}, got:\n{}", render(script, &findings));
    };
    assert_eq!(finding.message, message, "for {script}");
    assert_eq!(finding.severity, severity, "for {script}");
}

/// The script must not be reported.
#[track_caller]
pub fn assert_ignores<P: Policy>(test: &Test<P>, script: &str) {
    let findings = test.check(script);
    assert!(
        findings.is_empty(),
        "expected silence for {script}, got:\n{}",
        render(script, &findings)
    );
}
