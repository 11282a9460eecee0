//! What has to be true elsewhere before a deploy begins: everything that it is about to apply was applied, with the same
//! text, to another environment.

use serde::Serialize;
use tollgate_database::{ConnectOptions, Database, DatabaseError, Target};

use crate::approval::Subject;
use crate::error::Error;
use crate::plan::ReadMigration;
use crate::receipt::{DeployedMigration, Receipt};

/// An environment that comes first.
#[derive(Debug, Clone)]
pub struct Requirement {
    /// Its name.
    pub environment: String,
    /// What shows that something was deployed to it.
    pub proof: Proof,
}

/// What shows that something was deployed to an environment.
#[derive(Debug, Clone)]
pub enum Proof {
    /// Its ledger, which is only read.
    Ledger(Box<Target>),
    /// A receipt, whose signature was found right.
    Receipt(Box<Receipt>),
    /// Nothing, so nothing can be deployed. Why there is nothing.
    Nothing(String),
}

/// What was found out about a requirement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RequirementReport {
    /// The environment that comes first.
    pub environment: String,
    /// What was looked at: a database or a receipt, in words. `None`: there was nothing to look at.
    pub proof: Option<String>,
    /// Why there was nothing to look at.
    pub why: Option<String>,
    /// What is about to be applied and was not applied there, in order.
    pub unproven: Vec<Unproven>,
}

/// A migration that has to be applied elsewhere first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unproven {
    /// Its name.
    pub migration: String,
    /// A migration of that name is applied there, but with another text.
    pub other_text: bool,
}

impl RequirementReport {
    /// Nothing may be applied.
    pub fn blocks(&self) -> bool {
        !self.unproven.is_empty()
    }
}

impl Requirement {
    /// Looks whether it is met for what is about to be applied.
    ///
    /// # Errors
    /// The other environment's database cannot be asked.
    pub(crate) fn examine(&self, pending: &[ReadMigration]) -> Result<RequirementReport, Error> {
        let (proof, why, there) = match &self.proof {
            Proof::Ledger(target) => {
                let there = applied(target).map_err(|source| Error::Requirement {
                    environment: self.environment.clone(),
                    source: Box::new(source),
                })?;
                (Some(target.describe()), None, there)
            }
            Proof::Receipt(receipt) => {
                let words = format!("the receipt of {} from {}", receipt.target, receipt.finished_at);
                (Some(words), None, receipt.migrations.clone())
            }
            Proof::Nothing(why) => (None, Some(why.clone()), Vec::new()),
        };
        let subjects = pending.iter().map(Subject::from);
        Ok(RequirementReport {
            environment: self.environment.clone(),
            proof,
            why,
            unproven: subjects.filter_map(|subject| lacks(&subject, &there)).collect(),
        })
    }
}

/// What another database's ledger says is applied. A database that is not there has nothing.
fn applied(target: &Target) -> Result<Vec<DeployedMigration>, DatabaseError> {
    let options = ConnectOptions {
        read_only: true,
        ..ConnectOptions::default()
    };
    let mut database = match Database::connect(target, &options) {
        Ok(database) => database,
        Err(DatabaseError::Missing { .. }) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let rows = database.ledger()?.unwrap_or_default();
    // A name that is also there as failed or cut off is not done.
    let open = |name: &str| {
        rows.iter()
            .any(|row| row.migration_name == name && row.finished_at.is_none() && row.rolled_back_at.is_none())
    };
    let done = rows.iter().filter(|row| row.is_applied() && !open(&row.migration_name));
    Ok(done
        .map(|row| DeployedMigration {
            name: row.migration_name.clone(),
            checksum: row.checksum.clone(),
        })
        .collect())
}

/// What is missing of one migration, if anything.
fn lacks(subject: &Subject<'_>, there: &[DeployedMigration]) -> Option<Unproven> {
    let same_name = || there.iter().filter(|deployed| deployed.name == subject.name);
    if same_name().any(|deployed| subject.has_checksum(&deployed.checksum)) {
        return None;
    }
    Some(Unproven {
        migration: subject.name.to_owned(),
        other_text: same_name().next().is_some(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failing test should stop here")]

    use tollgate_database::ledger::checksum;
    use tollgate_sql::{Dialect, parse};

    use super::*;

    #[test]
    fn name_and_text_have_to_be_there() {
        const TEXT: &str = "CREATE TABLE a (id integer);\n";
        let script = parse(Dialect::Sqlite, TEXT).unwrap();
        let own = checksum(TEXT.as_bytes());
        let subject = Subject {
            name: "1_a",
            checksum: &own,
            script: &script,
        };
        let deployed = |name: &str, text: &str| DeployedMigration {
            name: name.to_owned(),
            checksum: checksum(text.as_bytes()),
        };
        let lack = |other_text| {
            Some(Unproven {
                migration: "1_a".to_owned(),
                other_text,
            })
        };
        assert_eq!(lacks(&subject, &[deployed("0_x", "x"), deployed("1_a", TEXT)]), None);
        let windows = TEXT.replace('\n', "\r\n");
        assert_eq!(
            lacks(&subject, &[deployed("1_a", &windows)]),
            None,
            "a checkout with other line endings"
        );
        assert_eq!(lacks(&subject, &[]), lack(false));
        assert_eq!(
            lacks(&subject, &[deployed("2_a", TEXT)]),
            lack(false),
            "the same text under another name"
        );
        assert_eq!(
            lacks(&subject, &[deployed("1_a", "CREATE TABLE b (id integer);\n")]),
            lack(true)
        );
    }
}
