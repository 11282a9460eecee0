//! Which migrations a rollback takes back.

use crate::error::Error;
use crate::history::{Entry, History};

/// What the user asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// The newest so many applied migrations.
    Steps(usize),
    /// Everything applied after this one, which stays.
    After(String),
}

impl Selection {
    /// The chosen migrations, newest first: the order in which they are taken back.
    ///
    /// # Errors
    /// The target is not applied.
    pub fn of<'a>(&self, history: &'a History) -> Result<Vec<&'a Entry>, Error> {
        let applied = history.applied();
        match self {
            Self::Steps(steps) => Ok(applied.into_iter().rev().take(*steps).collect()),
            Self::After(name) => match applied.iter().position(|entry| entry.name == *name) {
                Some(target) => Ok(applied[target + 1..].iter().rev().copied().collect()),
                None => Err(Error::NotApplied {
                    migration: name.clone(),
                    known: history.find(name).is_some(),
                    similar: crate::nearest::nearest_migration(
                        name,
                        history.entries.iter().map(|entry| entry.name.as_str()),
                    ),
                }),
            },
        }
    }
}
