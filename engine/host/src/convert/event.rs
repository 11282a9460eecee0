//! Runs and events, on their way to notifiers.

use super::finding::to_wit;
use super::narrow;
use crate::bindings::notifier as wit;
use crate::types::{Event, MigrationFindings, Run, Verdict};

pub(crate) fn run(run: &Run) -> wit::Run {
    wit::Run {
        id: run.id.clone(),
        environment: run.environment.clone(),
        target: run.target.clone(),
        actor: run.actor.clone(),
        dry_run: run.dry_run,
        started_at: run.started_at.clone(),
        command: run.command.clone(),
        commit: run.commit.clone(),
        link: run.link.clone(),
    }
}

pub(crate) fn event(event: &Event) -> wit::Event {
    match event {
        Event::WaitingForLock { holder } => wit::Event::WaitingForLock(wit::LockWait { holder: holder.clone() }),
        Event::Planned { migrations } => wit::Event::Planned(migrations.clone()),
        Event::Checked { verdict, findings } => wit::Event::Checked(wit::Checked {
            verdict: self::verdict(*verdict),
            findings: self::findings(findings),
        }),
        Event::AwaitingApproval {
            findings,
            requirement,
            failures,
        } => wit::Event::AwaitingApproval(wit::Awaiting {
            findings: self::findings(findings),
            requirement: requirement.clone(),
            failures: failures.clone(),
        }),
        Event::Applied { migration, duration_ms } => wit::Event::Applied(wit::Applied {
            migration: migration.clone(),
            duration_ms: *duration_ms,
        }),
        Event::Failed {
            migration,
            statement,
            message,
            sqlstate,
        } => wit::Event::Failed(wit::Failed {
            migration: migration.clone(),
            statement: statement.map(narrow),
            message: message.clone(),
            sqlstate: sqlstate.clone(),
        }),
        Event::RolledBack { migration, duration_ms } => wit::Event::RolledBack(wit::Applied {
            migration: migration.clone(),
            duration_ms: *duration_ms,
        }),
        Event::Finished {
            applied,
            findings,
            succeeded,
            duration_ms,
        } => wit::Event::Finished(wit::Finished {
            applied: applied.clone(),
            findings: self::findings(findings),
            succeeded: *succeeded,
            duration_ms: *duration_ms,
        }),
        Event::Other { tag, details } => wit::Event::Other(wit::OtherEvent {
            tag: tag.clone(),
            details: details.to_string(),
        }),
    }
}

fn verdict(verdict: Verdict) -> wit::Verdict {
    match verdict {
        Verdict::Pass => wit::Verdict::Pass,
        Verdict::PassWithWarnings => wit::Verdict::PassWithWarnings,
        Verdict::Blocked => wit::Verdict::Blocked,
    }
}

fn findings(findings: &[MigrationFindings]) -> Vec<(String, Vec<crate::bindings::types::Finding>)> {
    findings
        .iter()
        .map(|of| (of.migration.clone(), of.findings.iter().map(to_wit).collect()))
        .collect()
}
