//! The JSON that is posted. Its shape is versioned: fields are added, never renamed or removed, within one version.

use serde_json::{Value, json};
use tollgate_plugin::{Event, Finding, Run, Severity, Verdict};

/// Value of the field `version`.
pub const FORMAT_VERSION: u32 = 1;

/// The document for one event.
pub fn payload(run: &Run, event: &Event) -> Value {
    json!({
        "version": FORMAT_VERSION,
        "event": tag(event),
        "run": {
            "id": run.id,
            "command": run.command,
            "environment": run.environment,
            "target": run.target,
            "actor": run.actor,
            "dry_run": run.dry_run,
            "started_at": run.started_at,
            "commit": run.commit,
            "link": run.link,
        },
        "data": data(event),
    })
}

/// The event's name, as the contract spells it.
pub fn tag(event: &Event) -> &str {
    match event {
        Event::WaitingForLock(_) => "waiting-for-lock",
        Event::Planned(_) => "planned",
        Event::Checked(_) => "checked",
        Event::AwaitingApproval(_) => "awaiting-approval",
        Event::Applied(_) => "applied",
        Event::Failed(_) => "failed",
        Event::RolledBack(_) => "rolled-back",
        Event::Finished(_) => "finished",
        Event::Other(other) => &other.tag,
    }
}

fn data(event: &Event) -> Value {
    match event {
        Event::WaitingForLock(wait) => json!({ "holder": wait.holder }),
        Event::Planned(migrations) => json!({ "migrations": migrations }),
        Event::Checked(checked) => json!({
            "verdict": match checked.verdict {
                Verdict::Pass => "pass",
                Verdict::PassWithWarnings => "pass-with-warnings",
                Verdict::Blocked => "blocked",
            },
            "findings": by_migration(&checked.findings),
        }),
        Event::AwaitingApproval(awaiting) => json!({
            "findings": by_migration(&awaiting.findings),
            "requirement": awaiting.requirement,
            "failures": awaiting.failures,
        }),
        Event::Applied(applied) | Event::RolledBack(applied) => json!({
            "migration": applied.migration,
            "duration_ms": applied.duration_ms,
        }),
        Event::Failed(failed) => json!({
            "migration": failed.migration,
            "statement": failed.statement,
            "message": failed.message,
            "sqlstate": failed.sqlstate,
        }),
        Event::Finished(finished) => json!({
            "succeeded": finished.succeeded,
            "migrations": finished.applied,
            "duration_ms": finished.duration_ms,
            "findings": by_migration(&finished.findings),
        }),
        Event::Other(other) => serde_json::from_str(&other.details).unwrap_or(Value::Null),
    }
}

/// Migrations without findings are left out.
fn by_migration(findings: &[(String, Vec<Finding>)]) -> Value {
    findings
        .iter()
        .filter(|(_, findings)| !findings.is_empty())
        .map(|(migration, findings)| {
            json!({ "migration": migration, "findings": findings.iter().map(finding).collect::<Vec<_>>() })
        })
        .collect()
}

fn finding(finding: &Finding) -> Value {
    json!({
        "rule": finding.rule,
        "severity": match finding.severity {
            Severity::Low => "low",
            Severity::Medium => "medium",
            Severity::High => "high",
        },
        "message": finding.message,
        "statement": finding.statement,
        "help": finding.help,
    })
}
