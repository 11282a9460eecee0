//! PostgreSQL's lock modes for tables.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A lock mode, the weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each is the SQL word")]
pub enum LockMode {
    AccessShare,
    RowShare,
    RowExclusive,
    ShareUpdateExclusive,
    Share,
    ShareRowExclusive,
    Exclusive,
    AccessExclusive,
}

impl LockMode {
    /// All of them, the weakest first.
    pub const ALL: [Self; 8] = [
        Self::AccessShare,
        Self::RowShare,
        Self::RowExclusive,
        Self::ShareUpdateExclusive,
        Self::Share,
        Self::ShareRowExclusive,
        Self::Exclusive,
        Self::AccessExclusive,
    ];

    /// PostgreSQL's words in a statement: `ACCESS EXCLUSIVE`.
    pub fn words(self) -> &'static str {
        match self {
            Self::AccessShare => "ACCESS SHARE",
            Self::RowShare => "ROW SHARE",
            Self::RowExclusive => "ROW EXCLUSIVE",
            Self::ShareUpdateExclusive => "SHARE UPDATE EXCLUSIVE",
            Self::Share => "SHARE",
            Self::ShareRowExclusive => "SHARE ROW EXCLUSIVE",
            Self::Exclusive => "EXCLUSIVE",
            Self::AccessExclusive => "ACCESS EXCLUSIVE",
        }
    }

    /// The mode that [`LockMode::words`] names.
    pub fn from_words(words: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|mode| mode.words().eq_ignore_ascii_case(words))
    }

    /// The mode as `pg_locks` names it: `AccessExclusiveLock`.
    pub fn from_catalog(name: &str) -> Option<Self> {
        let same = |mode: &Self| {
            mode.words()
                .replace(' ', "")
                .eq_ignore_ascii_case(name.strip_suffix("Lock").unwrap_or(name))
        };
        Self::ALL.into_iter().find(same)
    }

    /// Whether two sessions cannot hold these modes on one table at the same time.
    pub fn conflicts_with(self, other: Self) -> bool {
        use LockMode as L;
        let (weaker, stronger) = if self <= other { (self, other) } else { (other, self) };
        match stronger {
            L::AccessShare | L::RowShare | L::RowExclusive => false,
            L::ShareUpdateExclusive => weaker == L::ShareUpdateExclusive,
            L::Share => matches!(weaker, L::RowExclusive | L::ShareUpdateExclusive),
            L::ShareRowExclusive => weaker >= L::RowExclusive,
            L::Exclusive => weaker >= L::RowShare,
            L::AccessExclusive => true,
        }
    }

    /// Nobody can even read meanwhile.
    pub fn blocks_reads(self) -> bool {
        self.conflicts_with(Self::AccessShare)
    }

    /// Nobody can insert, update or delete meanwhile.
    pub fn blocks_writes(self) -> bool {
        self.conflicts_with(Self::RowExclusive)
    }

    /// Nobody can alter the table, build an index on it or vacuum it meanwhile.
    pub fn blocks_changes(self) -> bool {
        self.conflicts_with(Self::ShareUpdateExclusive)
    }
}

impl fmt::Display for LockMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.words())
    }
}

#[cfg(test)]
mod tests {
    use super::LockMode as L;

    #[test]
    fn modes_conflict_as_the_manual_says() {
        // The manual's table "Conflicting Lock Modes", a row a mode, the weakest first.
        let table = [
            "       X", "      XX", "    XXXX", "   XXXXX", "  XX XXX", "  XXXXXX", " XXXXXXX", "XXXXXXXX",
        ];
        for (row, requested) in table.iter().zip(L::ALL) {
            for (cell, held) in row.chars().zip(L::ALL) {
                assert_eq!(requested.conflicts_with(held), cell == 'X', "{requested} and {held}");
            }
        }
    }

    #[test]
    fn modes_are_found_by_either_name() {
        for mode in L::ALL {
            assert_eq!(L::from_words(mode.words()), Some(mode));
        }
        assert_eq!(
            L::from_catalog("ShareUpdateExclusiveLock"),
            Some(L::ShareUpdateExclusive)
        );
        assert_eq!(L::from_catalog("AccessExclusiveLock"), Some(L::AccessExclusive));
        assert_eq!(L::from_catalog("SIReadLock"), None);
    }
}
