//! How the rules' tests say what must be reported and what must not.
#![allow(clippy::panic, reason = "a failed test says why")]

use tollgate_plugin::rules::Rule;
use tollgate_plugin::testing::{self, Test};
use tollgate_plugin::{Dialect, Severity};

use crate::Destructive;

/// Tests of one rule, alone.
pub(crate) struct Judge {
    rule: &'static str,
    dialect: Dialect,
}

/// Tests of a rule on PostgreSQL.
pub(crate) fn postgres(rule: &Rule) -> Judge {
    Judge {
        rule: rule.id,
        dialect: Dialect::Postgres,
    }
}

/// Tests of a rule on `SQLite`.
pub(crate) fn sqlite(rule: &Rule) -> Judge {
    Judge {
        rule: rule.id,
        dialect: Dialect::Sqlite,
    }
}

impl Judge {
    /// A test with the rule alone switched on; `before` may be empty: then nothing is known of the database.
    pub(crate) fn on(&self, before: &str) -> Test<Destructive> {
        let test = testing::policy::<Destructive>()
            .dialect(self.dialect)
            .rules(&[self.rule]);
        if before.is_empty() { test } else { test.before(before) }
    }

    /// The script must be reported once, at this level, with this message.
    #[track_caller]
    pub(crate) fn reports(&self, before: &str, script: &str, severity: Severity, message: &str) {
        assert_reports(&self.on(before), script, severity, message);
    }

    /// The script must not be reported.
    #[track_caller]
    pub(crate) fn ignores(&self, before: &str, script: &str) {
        assert_ignores(&self.on(before), script);
    }
}

/// The script must be reported once, at this level, with this message.
#[track_caller]
pub(crate) fn assert_reports(test: &Test<Destructive>, script: &str, severity: Severity, message: &str) {
    let findings = test.check(script);
    let [finding] = findings.as_slice() else {
        panic!(
            "expected one finding for {script}, got:\n{}",
            testing::render(script, &findings)
        );
    };
    assert_eq!(finding.message, message, "for {script}");
    assert_eq!(finding.severity, severity, "for {script}");
}

/// The script must not be reported.
#[track_caller]
pub(crate) fn assert_ignores(test: &Test<Destructive>, script: &str) {
    let findings = test.check(script);
    assert!(
        findings.is_empty(),
        "expected silence for {script}, got:\n{}",
        testing::render(script, &findings)
    );
}
