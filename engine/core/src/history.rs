//! What the ledger and the folder say about each migration, taken together.

use serde::Serialize;
use tollgate_database::ledger::LedgerRow;
use tollgate_database::{Database, DatabaseError, Leftovers};

use crate::folder::Folder;

/// What is true of one migration in one database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// Applied and recorded.
    Applied,
    /// On disk, not in the database.
    Pending,
    /// Was applied or tried once, taken back since; the next deploy applies it.
    RolledBack,
    /// Started and cut off in the middle, and it is known how far it came: the next deploy goes on by itself.
    Interrupted,
    /// Started and not finished, and only a person can tell what of it is in the database. Blocks every deploy until it
    /// is resolved.
    Failed,
}

/// One migration, wherever it is known from.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Folder name.
    pub name: String,
    /// Index into [`Folder::migrations`]; `None` when it is only in the ledger.
    pub local: Option<usize>,
    /// What is true of it.
    pub standing: Standing,
    /// The row that says so: the applied one, the failed one, or the last one rolled back.
    pub row: Option<LedgerRow>,
    /// Applied with another text than the folder holds now.
    pub edited: bool,
    /// Pending, although a migration that sorts after it is applied.
    pub out_of_order: bool,
    /// Started and not finished, although another row says that it is applied: somebody has tried it a second time.
    pub applied_before: bool,
}

impl Entry {
    /// What the rows of a migration say about it.
    fn new(rows: &[LedgerRow], name: &str, local: Option<usize>) -> Self {
        let (standing, row) = standing(rows, name);
        let mut mine = rows.iter().filter(|row| row.migration_name == name);
        Self {
            name: name.to_owned(),
            local,
            standing,
            row: row.cloned(),
            edited: false,
            out_of_order: false,
            applied_before: standing == Standing::Failed && mine.any(LedgerRow::is_applied),
        }
    }

    /// The ledger knows it as applied, and the folder is gone.
    pub fn missing(&self) -> bool {
        self.local.is_none() && self.standing == Standing::Applied
    }

    /// The next deploy would apply it.
    pub fn to_apply(&self) -> bool {
        let open = matches!(
            self.standing,
            Standing::Pending | Standing::RolledBack | Standing::Interrupted
        );
        self.local.is_some() && open
    }
}

/// All migrations of a database and a folder, ordered by name.
#[derive(Debug, Clone)]
pub struct History {
    /// The ledger table exists.
    pub ledger_exists: bool,
    /// Every migration that either side knows.
    pub entries: Vec<Entry>,
}

impl History {
    /// Compares the ledger's rows (`None`: there is no ledger) with the folder.
    pub fn new(folder: &Folder, rows: Option<&[LedgerRow]>) -> Self {
        let ledger_exists = rows.is_some();
        let rows = rows.unwrap_or_default();
        let mut entries: Vec<Entry> = folder
            .migrations
            .iter()
            .enumerate()
            .map(|(index, migration)| {
                let entry = Entry::new(rows, &migration.name, Some(index));
                let edited = |row: &LedgerRow| migration.is_edited_since(&row.checksum);
                Entry {
                    edited: entry.standing == Standing::Applied && entry.row.as_ref().is_some_and(edited),
                    ..entry
                }
            })
            .collect();
        for row in rows {
            if !entries.iter().any(|entry| entry.name == row.migration_name) {
                entries.push(Entry::new(rows, &row.migration_name, None));
            }
        }
        entries.sort_by(|a, b| a.name.as_bytes().cmp(b.name.as_bytes()));
        let last_applied = entries.iter().rposition(|entry| entry.standing == Standing::Applied);
        for entry in entries.iter_mut().take(last_applied.unwrap_or(0)) {
            entry.out_of_order = entry.to_apply();
        }
        Self { ledger_exists, entries }
    }

    /// The same for a connected database: it knows of unfinished attempts how far they came.
    ///
    /// # Errors
    /// The state tables cannot be read.
    pub fn of(
        folder: &Folder,
        rows: Option<&[LedgerRow]>,
        database: &mut Database,
        resume: bool,
    ) -> Result<Self, DatabaseError> {
        let mut history = Self::new(folder, rows);
        history.settle(resume, |row| database.leftovers(row))?;
        Ok(history)
    }

    /// Tells the unfinished attempts that a deploy goes on with by itself from those that block it, by what each has left;
    /// returns that, for each entry.
    pub(crate) fn settle(
        &mut self,
        resume: bool,
        mut leftovers: impl FnMut(&LedgerRow) -> Result<Leftovers, DatabaseError>,
    ) -> Result<Vec<Option<Leftovers>>, DatabaseError> {
        let mut all = Vec::with_capacity(self.entries.len());
        for entry in &mut self.entries {
            let open = entry.row.as_ref().filter(|_| entry.standing == Standing::Failed);
            let left = open.map(&mut leftovers).transpose()?;
            // Nobody goes on with a script that is gone, or does again what another attempt has done.
            let can = entry.local.is_some() && !entry.applied_before;
            if can && left.as_ref().is_some_and(|left| !left.blocks(resume)) {
                entry.standing = Standing::Interrupted;
            }
            all.push(left);
        }
        Ok(all)
    }

    /// What the next deploy would apply, in order.
    pub fn to_apply(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(|entry| entry.to_apply())
    }

    /// Rows that were started and neither finished nor taken back.
    pub fn failed(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(|entry| entry.standing == Standing::Failed)
    }

    /// Applied migrations in the order in which the database got them.
    pub fn applied(&self) -> Vec<&Entry> {
        let mut applied: Vec<_> = self
            .entries
            .iter()
            .filter(|entry| entry.standing == Standing::Applied)
            .collect();
        applied.sort_by_key(|entry| entry.row.as_ref().map(|row| (row.finished_at, row.started_at)));
        applied
    }

    /// The newest migration that is both applied and on disk.
    pub fn last_common(&self) -> Option<&Entry> {
        self.entries
            .iter()
            .rev()
            .find(|entry| entry.local.is_some() && entry.standing == Standing::Applied)
    }

    /// One entry.
    pub fn find(&self, name: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.name == name)
    }
}

/// A failed row blocks even where an applied one of the same name exists: Prisma does it so, and nobody knows what of
/// the second attempt is in the database.
fn standing<'a>(rows: &'a [LedgerRow], name: &str) -> (Standing, Option<&'a LedgerRow>) {
    let mine = || rows.iter().filter(|row| row.migration_name == name);
    if let Some(row) = mine().find(|row| row.finished_at.is_none() && row.rolled_back_at.is_none()) {
        return (Standing::Failed, Some(row));
    }
    if let Some(row) = mine().find(|row| row.finished_at.is_some() && row.rolled_back_at.is_none()) {
        return (Standing::Applied, Some(row));
    }
    match mine().max_by_key(|row| row.started_at) {
        Some(row) => (Standing::RolledBack, Some(row)),
        None => (Standing::Pending, None),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failing test should stop here")]

    use jiff::Timestamp;
    use tollgate_database::ledger;

    use super::*;

    /// A folder of migrations whose script is `SELECT 1;`.
    fn folder(names: &[&str]) -> (tempfile::TempDir, Folder) {
        let dir = tempfile::tempdir().unwrap();
        for name in names {
            std::fs::create_dir(dir.path().join(name)).unwrap();
            std::fs::write(dir.path().join(name).join("migration.sql"), "SELECT 1;").unwrap();
        }
        let folder = Folder::read(dir.path()).unwrap();
        (dir, folder)
    }

    /// A row that began at `second`; `end` is `finished`, `failed` or `rolled back`.
    fn row(name: &str, second: i64, end: &str) -> LedgerRow {
        let time = Timestamp::from_second(second).unwrap();
        LedgerRow {
            id: format!("{name}-{second}"),
            checksum: ledger::checksum(b"SELECT 1;"),
            finished_at: (end == "finished").then_some(time),
            migration_name: name.to_owned(),
            logs: None,
            rolled_back_at: (end == "rolled back").then_some(time),
            started_at: time,
            applied_steps_count: 0,
        }
    }

    fn standings(history: &History) -> Vec<(&str, Standing)> {
        history
            .entries
            .iter()
            .map(|entry| (entry.name.as_str(), entry.standing))
            .collect()
    }

    #[test]
    fn without_a_ledger_everything_is_pending() {
        let (_dir, folder) = folder(&["1_a", "2_b"]);
        let history = History::new(&folder, None);
        assert!(!history.ledger_exists);
        assert_eq!(
            standings(&history),
            [("1_a", Standing::Pending), ("2_b", Standing::Pending)]
        );
        assert!(history.last_common().is_none());
    }

    #[test]
    fn the_rows_of_a_name_are_taken_together() {
        let (_dir, folder) = folder(&["1_a"]);
        for (rows, expected) in [
            (vec![row("1_a", 1, "finished")], Standing::Applied),
            (vec![row("1_a", 1, "rolled back")], Standing::RolledBack),
            (
                vec![row("1_a", 1, "rolled back"), row("1_a", 2, "finished")],
                Standing::Applied,
            ),
            (vec![row("1_a", 1, "failed")], Standing::Failed),
            // Nobody knows what of the second attempt is in the database.
            (
                vec![row("1_a", 1, "finished"), row("1_a", 2, "failed")],
                Standing::Failed,
            ),
        ] {
            assert_eq!(standings(&History::new(&folder, Some(&rows))), [("1_a", expected)]);
        }
    }

    #[test]
    fn a_deploy_goes_on_only_with_what_it_has_the_script_of_and_nobody_else_has_applied() {
        let (_dir, folder) = folder(&["1_a", "2_b"]);
        let rows = [
            row("1_a", 1, "failed"),
            row("2_b", 1, "finished"),
            row("2_b", 2, "failed"),
            row("3_gone", 3, "failed"),
        ];
        let mut history = History::new(&folder, Some(&rows));
        let left = history
            .settle(false, |_| Ok(Leftovers::Interrupted { done: 2 }))
            .unwrap();
        assert_eq!(left, vec![Some(Leftovers::Interrupted { done: 2 }); 3]);
        assert_eq!(
            standings(&history),
            [
                ("1_a", Standing::Interrupted),
                ("2_b", Standing::Failed),
                ("3_gone", Standing::Failed)
            ]
        );
        assert!(history.find("2_b").unwrap().applied_before);
    }

    #[test]
    fn what_only_one_side_knows_is_said() {
        let (_dir, folder) = folder(&["1_a", "2_b", "4_d"]);
        let mut edited = row("4_d", 3, "finished");
        edited.checksum = ledger::checksum(b"SELECT 2;");
        let rows = [
            row("1_a", 1, "finished"),
            row("3_c", 2, "finished"),
            edited,
            row("0_old", 0, "rolled back"),
        ];
        let history = History::new(&folder, Some(&rows));
        assert!(history.find("4_d").unwrap().edited);
        assert!(history.find("3_c").unwrap().missing());
        assert!(!history.find("0_old").unwrap().missing());
        assert!(history.find("2_b").unwrap().out_of_order);
        assert_eq!(
            history.to_apply().map(|entry| entry.name.as_str()).collect::<Vec<_>>(),
            ["2_b"]
        );
        assert_eq!(history.last_common().unwrap().name, "4_d");
    }

    #[test]
    fn rollback_follows_the_order_of_the_ledger_and_not_of_the_names() {
        let (_dir, folder) = folder(&["1_a", "2_b", "3_c"]);
        let rows = [
            row("2_b", 1, "finished"),
            row("3_c", 2, "finished"),
            row("1_a", 3, "finished"),
        ];
        let history = History::new(&folder, Some(&rows));
        let names = |selection: crate::rollback::Selection| -> Vec<String> {
            selection
                .of(&history)
                .unwrap()
                .iter()
                .map(|entry| entry.name.clone())
                .collect()
        };
        assert_eq!(names(crate::rollback::Selection::Steps(2)), ["1_a", "3_c"]);
        assert_eq!(
            names(crate::rollback::Selection::After("2_b".to_owned())),
            ["1_a", "3_c"]
        );
        assert_eq!(names(crate::rollback::Selection::After("1_a".to_owned())), [""; 0]);
        let unknown = crate::rollback::Selection::After("2_".to_owned())
            .of(&history)
            .unwrap_err();
        assert_eq!(unknown.help().unwrap(), "did you mean 2_b? Give the whole folder name");
    }
}
