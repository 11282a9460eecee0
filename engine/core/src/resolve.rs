//! `resolve`: recording what a person knows about a migration, with Prisma's meanings.

use tollgate_database::{ConnectOptions, Database};

use crate::deploy::take_lock;
use crate::error::{Error, nearest};
use crate::event::Observer;
use crate::project::Project;

/// What to record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolution {
    /// All of it is in the database.
    Applied(String),
    /// None of it is in the database.
    RolledBack(String),
}

/// Records a resolution. Runs no SQL of the migration.
///
/// # Errors
/// The migration is unknown, or the ledger says already otherwise.
pub fn resolve(project: &Project, resolution: &Resolution, observe: Observer<'_>) -> Result<(), Error> {
    project.folder.expect_dialect(project.target.dialect())?;
    let mut database = Database::connect(&project.target, &ConnectOptions::default())?;
    let _lock = take_lock(project, &mut database, observe)?;
    match resolution {
        Resolution::Applied(name) => {
            let Some(file) = project.folder.find(name) else {
                let names = project
                    .folder
                    .migrations
                    .iter()
                    .map(|migration| migration.name.as_str());
                return Err(Error::NotFound {
                    migration: name.clone(),
                    similar: nearest(name, names),
                });
            };
            Ok(database.mark_applied(name, &file.checksum)?)
        }
        Resolution::RolledBack(name) => Ok(database.mark_rolled_back(name)?),
    }
}
