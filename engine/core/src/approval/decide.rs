//! Which approval counts for which finding, and why another does not.

use jiff::Timestamp;
use serde::Serialize;
use tollgate_host::types::Severity;

use super::request::{listed, select};
use super::subject::Word;
use super::{Approval, ApprovalSource, Request, Subject, level_name};
use crate::check::CheckedMigration;
use crate::folder::Folder;
use crate::nearest::nearest_migration;
use crate::plan::ReadMigration;
use crate::policy::{JudgedFinding, Judgement};
use crate::refusal::Refusal;

/// The approvals that there are, and who may give them.
#[derive(Debug, Clone)]
pub struct Approvals {
    /// Those of the file beside the migrations.
    pub given: Vec<Approval>,
    /// Those that are given with this deploy.
    pub requested: Vec<Request>,
    /// Why they are.
    pub reason: String,
    /// Who gives them: who runs the deploy.
    pub actor: Option<String>,
    /// The environment lets them be given with a deploy.
    pub command_line: bool,
    /// Who may approve; `None`: everybody.
    pub approvers: Option<Vec<String>>,
    /// The environment that is deployed to.
    pub environment: Option<String>,
    /// What time it is.
    pub now: Timestamp,
}

impl Default for Approvals {
    /// There are none, and nothing but the file could have any.
    fn default() -> Self {
        Self {
            given: Vec::new(),
            requested: Vec::new(),
            reason: String::new(),
            actor: None,
            command_line: false,
            approvers: None,
            environment: None,
            now: Timestamp::now(),
        }
    }
}

/// Why an approval does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Void {
    /// There is no such migration.
    #[error("there is no migration of that name")]
    NoMigration,
    /// The migration has another text than the one that was approved: it was edited since, or the approval is that of
    /// another migration.
    #[error("migration.sql is not the text that was approved: its SHA-256 is {} and was {}", short(.is), short(.was))]
    Edited {
        /// Checksum that was approved.
        was: String,
        /// Checksum now.
        is: String,
    },
    /// The statement is not the one that was approved.
    #[error("statement {number} of migration.sql is not the one that was approved: {approved}")]
    OtherStatement {
        /// Its place, counted from 1.
        number: usize,
        /// The beginning of the approved one.
        approved: String,
    },
    /// Its time is over.
    #[error("it was good until {until:.0}")]
    Expired {
        /// When that was.
        until: Timestamp,
    },
    /// It is for other environments.
    #[error("it is for {} only", .only.join(" and "))]
    Environment {
        /// Those.
        only: Vec<String>,
    },
    /// Whoever gave it may not.
    #[error("{by} is not among the approvers{}: {}", of(.environment.as_deref()), list(.approvers))]
    NotAnApprover {
        /// Who gave it.
        by: String,
        /// The environment.
        environment: Option<String>,
        /// Who may.
        approvers: Vec<String>,
    },
    /// The finding is worse than what was approved.
    #[error("it was given when the finding was {}, and it is {} here", level_name(*.approved), level_name(*.found))]
    Level {
        /// The level when it was approved.
        approved: Severity,
        /// The level now.
        found: Severity,
    },
}

impl Void {
    /// It will not count again for anything, whoever deploys where.
    pub fn is_lasting(&self) -> bool {
        matches!(
            self,
            Self::NoMigration | Self::Edited { .. } | Self::OtherStatement { .. } | Self::Expired { .. }
        )
    }
}

/// Enough of a checksum to tell two apart.
fn short(checksum: &str) -> String {
    checksum.chars().take(8).chain(['…']).collect()
}

fn of(environment: Option<&str>) -> String {
    environment.map_or_else(String::new, |name| format!(" of {name}"))
}

fn list(names: &[String]) -> String {
    if names.is_empty() {
        return "nobody is".to_owned();
    }
    names.join(", ")
}

/// An approval that somebody may have relied on, and that does not count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VoidApproval {
    /// The approval.
    pub approval: Approval,
    /// Why it does not count, as the rest of a sentence.
    pub why: String,
}

impl Approval {
    /// Whether it is about the rule and the statement that this finding is about.
    fn is_about(&self, judged: &JudgedFinding) -> bool {
        let number = self.statement.as_ref().map(|statement| statement.number);
        self.is_of_rule(judged) && judged.finding.statement.map(|index| index + 1) == number
    }

    fn is_of_rule(&self, judged: &JudgedFinding) -> bool {
        self.plugin == judged.plugin && self.rule == judged.finding.rule
    }

    /// Whether it is still of what was approved.
    fn is_of(&self, subject: &Subject<'_>) -> Result<(), Void> {
        if self.migration != subject.name {
            return Err(Void::NoMigration);
        }
        if !subject.has_checksum(&self.checksum) {
            return Err(Void::Edited {
                was: self.checksum.clone(),
                is: subject.checksum.to_owned(),
            });
        }
        match &self.statement {
            Some(approved) if subject.statement(approved.number).as_ref() != Some(approved) => {
                Err(Void::OtherStatement {
                    number: approved.number,
                    approved: approved.sql.clone(),
                })
            }
            _ => Ok(()),
        }
    }
}

impl Approvals {
    /// Whether an approval holds for a migration as it is now; `None`: there is no such migration. It says nothing about
    /// findings.
    ///
    /// # Errors
    /// Why it does not.
    pub fn holds(&self, approval: &Approval, subject: Option<&Subject<'_>>) -> Result<(), Void> {
        approval.is_of(subject.ok_or(Void::NoMigration)?)?;
        if let Some(until) = approval.until.filter(|until| *until <= self.now) {
            return Err(Void::Expired { until });
        }
        let only = &approval.environments;
        let here = |name: &String| Some(name) == self.environment.as_ref();
        if !only.is_empty() && !only.iter().any(here) {
            return Err(Void::Environment { only: only.clone() });
        }
        match &self.approvers {
            Some(approvers) if !is_among(approvers, &approval.by) => Err(Void::NotAnApprover {
                by: approval.by.clone(),
                environment: self.environment.clone(),
                approvers: approvers.clone(),
            }),
            _ => Ok(()),
        }
    }

    /// Lets those findings of a judgement pass that somebody has approved. This is the only place that does.
    pub(crate) fn apply(&self, migration: &ReadMigration, judgement: &mut Judgement) {
        let subject = Subject::from(migration);
        self.apply_to(&subject, judgement);
    }

    /// The same for a migration that is known only by its text.
    pub(super) fn apply_to(&self, subject: &Subject<'_>, judgement: &mut Judgement) {
        let given = self.given.iter().filter(|approval| approval.migration == subject.name);
        let requested = self.requests_as_approvals(subject, &judgement.findings);
        let all: Vec<(&Approval, Result<(), Void>)> = given
            .chain(&requested)
            .map(|approval| (approval, self.holds(approval, Some(subject))))
            .collect();
        for judged in judgement.findings.iter_mut().filter(|judged| judged.allowed.is_none()) {
            let counts = |(approval, holds): &&(&Approval, Result<(), Void>)| {
                holds.is_ok() && approval.is_about(judged) && judged.finding.severity <= approval.level
            };
            if let Some((approval, _)) = all.iter().find(counts) {
                judged.approved = Some((*approval).clone());
                judged.blocking = false;
            }
        }
        judgement.void_approvals = all
            .into_iter()
            .filter_map(|(approval, holds)| why_void(approval, holds, &judgement.findings))
            .collect();
    }

    fn requests_as_approvals(&self, subject: &Subject<'_>, findings: &[JudgedFinding]) -> Vec<Approval> {
        let Some(by) = self.actor.as_deref().filter(|_| self.command_line) else {
            return Vec::new();
        };
        let word = Word {
            by,
            at: self.now,
            reason: &self.reason,
        };
        let mut approvals = Vec::new();
        for request in self
            .requested
            .iter()
            .filter(|request| request.migration == subject.name)
        {
            let meant = select(subject.name, findings, &request.rule, request.statement).unwrap_or_default();
            for judged in meant {
                approvals.extend(subject.approve_finding(judged, word).map(|approval| Approval {
                    source: ApprovalSource::CommandLine,
                    ..approval
                }));
            }
        }
        approvals
    }

    /// Refuses approvals with a deploy that the environment does not let anybody give.
    pub(crate) fn may_be_requested(&self) -> Result<(), Refusal> {
        if self.requested.is_empty() {
            return Ok(());
        }
        if !self.command_line {
            return Err(Refusal::NoApprovalsHere {
                environment: self.environment.clone(),
            });
        }
        if self.actor.is_none() {
            return Err(Refusal::NobodyApproves);
        }
        Ok(())
    }

    /// Refuses requests that mean nothing, or not one thing, of what is about to be deployed. Those are given back that
    /// are about a migration which is not.
    pub(crate) fn check_requests(&self, plan: &[CheckedMigration], folder: &Folder) -> Result<Vec<String>, Refusal> {
        let mut done = Vec::new();
        for request in &self.requested {
            let Some(migration) = plan.iter().find(|migration| migration.name == request.migration) else {
                if folder.find(&request.migration).is_some() {
                    done.push(request.to_string());
                    continue;
                }
                let names = folder.migrations.iter().map(|file| file.name.as_str());
                let near = nearest_migration(&request.migration, names).map(|near| format!("did you mean {near}?"));
                return Err(Refusal::NothingToApprove {
                    request: request.to_string(),
                    why: "names a migration that is not in the folder".to_owned(),
                    findings: near.into_iter().collect(),
                });
            };
            let findings = &migration.judgement.findings;
            if let Err(why) = select(&migration.name, findings, &request.rule, request.statement) {
                let there = findings.iter().filter(|judged| judged.allowed.is_none());
                return Err(Refusal::NothingToApprove {
                    request: request.to_string(),
                    why: why.to_string(),
                    findings: there.map(listed).collect(),
                });
            }
        }
        Ok(done)
    }
}

/// An approval is worth a word where it does not count and the deploy stops for want of one by that rule.
fn why_void(approval: &Approval, holds: Result<(), Void>, findings: &[JudgedFinding]) -> Option<VoidApproval> {
    let mut stops = findings
        .iter()
        .filter(|judged| judged.blocking && approval.is_of_rule(judged));
    let why = match holds {
        Err(void) => stops.next().map(|_| void)?,
        Ok(()) => Void::Level {
            approved: approval.level,
            found: stops.find(|judged| approval.is_about(judged))?.finding.severity,
        },
    };
    Some(VoidApproval {
        approval: approval.clone(),
        why: why.to_string(),
    })
}

/// Whether somebody is one of those who may approve. Mail addresses and names of accounts are the same in capitals.
pub fn is_among(approvers: &[String], by: &str) -> bool {
    approvers
        .iter()
        .any(|approver| approver.trim().eq_ignore_ascii_case(by.trim()))
}
