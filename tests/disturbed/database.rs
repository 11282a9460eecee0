//! A database under a deploy, and what is in it: seen from outside, at one moment.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use tollgate_testing::SqliteFile;
use tollgate_testing::postgres::TestDatabase;

use crate::steps::{Step, Trace, What};

/// A database of either kind.
pub(crate) enum Database<'cluster> {
    Postgres(TestDatabase<'cluster>),
    Sqlite(SqliteFile),
}

/// A row of the ledger.
#[derive(Debug, Default)]
pub(crate) struct Row {
    name: String,
    finished: bool,
    rolled_back: bool,
    steps: usize,
}

/// What the ledger says and what is there.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    rows: Vec<Row>,
    /// How often each row of `witness` is there.
    witness: BTreeMap<(String, usize), usize>,
    /// Valid indexes.
    indexes: BTreeSet<String>,
}

/// One query, so that all of it is of one moment.
const LEDGER: &str = "SELECT 'row', migration_name, CASE WHEN finished_at IS NULL THEN 0 ELSE 1 END, \
    CASE WHEN rolled_back_at IS NULL THEN 0 ELSE 1 END, applied_steps_count FROM _prisma_migrations";
const WITNESS: &str = "SELECT 'did', name, step, 0, 0 FROM witness";
const INDEXES: &str = "SELECT 'index', c.relname, 0, 0, 0 FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid \
    WHERE i.indisvalid AND i.indrelid = to_regclass('public.base')";

impl Database<'_> {
    pub(crate) fn url(&self) -> String {
        match self {
            Self::Postgres(database) => database.url(),
            Self::Sqlite(file) => file.url(),
        }
    }

    /// What is there now.
    pub(crate) fn seen(&self) -> Seen {
        let output = match self {
            Self::Postgres(database) => return Self::seen_of(database),
            Self::Sqlite(file) => {
                let tables = file.sqlite3("SELECT name FROM sqlite_master WHERE type = 'table'");
                let has = |table: &str| tables.lines().any(|name| name == table);
                match (has("witness"), has("_prisma_migrations")) {
                    (true, _) => file.sqlite3(&format!("{LEDGER} UNION ALL {WITNESS}")),
                    (false, true) => file.sqlite3(LEDGER),
                    (false, false) => String::new(),
                }
            }
        };
        Seen::read(&output)
    }

    /// What is there now on PostgreSQL.
    pub(crate) fn seen_of(database: &TestDatabase<'_>) -> Seen {
        Seen::read(&database.psql(&format!(
            "SELECT to_regclass('_prisma_migrations') IS NOT NULL AS ledger, to_regclass('witness') IS NOT NULL AS \
             witness \\gset\n\\if :witness\n{LEDGER} UNION ALL {WITNESS} UNION ALL {INDEXES};\n\\elif :ledger\n\
             {LEDGER};\n\\endif\n"
        )))
    }

    /// Schema and rows, without what differs from deploy to deploy: times and ids, and the order of rows.
    pub(crate) fn picture(&self) -> String {
        match self {
            Self::Postgres(database) => {
                let invalid = database.psql(
                    "SELECT 'invalid: ' || indexrelid::regclass FROM pg_index WHERE NOT indisvalid OR NOT indisready",
                );
                invalid + &dump(database)
            }
            Self::Sqlite(file) => sorted(
                &(file.schema() + &file.sqlite3(".dump")),
                |line| line.starts_with("INSERT INTO"),
                |line| line.contains("_prisma_migrations"),
            ),
        }
    }
}

fn dump(database: &TestDatabase<'_>) -> String {
    const NOISE: [&str; 5] = [
        "--",
        "SET ",
        "SELECT pg_catalog.set_config",
        "\\restrict",
        "\\unrestrict",
    ];
    let output = Command::new(database.cluster().program("pg_dump"))
        .args([
            "--inserts",
            "--exclude-table-data=_prisma_migrations",
            "--exclude-table-data=tollgate.*",
        ])
        .args(["--dbname", &database.url()])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    sorted(
        &String::from_utf8_lossy(&output.stdout),
        |line| line.starts_with("INSERT INTO"),
        |line| line.is_empty() || NOISE.iter().any(|noise| line.starts_with(noise)),
    )
}

/// The text without some lines, with others in alphabetical order at its end.
fn sorted(text: &str, loose: impl Fn(&str) -> bool, noise: impl Fn(&str) -> bool) -> String {
    let kept = text.lines().filter(|line| !noise(line));
    let (mut rows, fixed): (Vec<&str>, Vec<&str>) = kept.partition(|line| loose(line));
    rows.sort_unstable();
    fixed
        .into_iter()
        .chain(rows)
        .fold(String::new(), |text, line| text + line + "\n")
}

impl Seen {
    fn read(output: &str) -> Self {
        let mut seen = Self::default();
        for line in output.lines() {
            let fields: Vec<&str> = line.split('|').collect();
            let number = |at: usize| fields[at].parse::<usize>().unwrap();
            let name = fields[1].to_owned();
            match fields[0] {
                "row" => seen.rows.push(Row {
                    name,
                    finished: number(2) == 1,
                    rolled_back: number(3) == 1,
                    steps: number(4),
                }),
                "did" => *seen.witness.entry((name, number(2))).or_default() += 1,
                _ => drop(seen.indexes.insert(name)),
            }
        }
        seen
    }

    /// How many migrations are recorded as applied.
    pub(crate) fn applied(&self) -> usize {
        self.rows.iter().filter(|row| row.finished && !row.rolled_back).count()
    }

    /// Whether what is recorded is there and what is there is recorded. What does not fit, in words.
    pub(crate) fn contradictions(&self, steps: &[Step]) -> Vec<String> {
        let known = |name: &str| steps.iter().any(|step| step.name == name);
        let strange = self.rows.iter().filter(|row| !known(&row.name));
        let mut wrong: Vec<String> = strange.map(|row| format!("a row of no migration: {row:?}")).collect();
        for step in steps {
            let rows: Vec<&Row> = self.rows.iter().filter(|row| row.name == step.name).collect();
            let live: Vec<&&Row> = rows.iter().filter(|row| !row.rolled_back).collect();
            if live.len() > 1 || rows.iter().any(|row| row.finished && row.rolled_back) {
                wrong.push(format!("{} is recorded more than once: {rows:?}", step.name));
                continue;
            }
            let done = live
                .first()
                .map_or(0, |row| if row.finished { step.statements } else { row.steps });
            wrong.extend(
                self.traces(step, done, live.is_empty())
                    .map(|trace| format!("{trace}; recorded: {rows:?}")),
            );
        }
        wrong
    }

    /// What of one migration is not as it should be with this many of its statements in.
    fn traces<'a>(&'a self, step: &'a Step, done: usize, unknown: bool) -> impl Iterator<Item = String> + 'a {
        step.traces.iter().filter_map(move |trace| {
            let recorded = trace.statement < done;
            let (name, number) = (&step.name, trace.statement);
            match &trace.what {
                What::Row => {
                    let times = self.witness.get(&(name.clone(), number)).copied().unwrap_or(0);
                    (times != usize::from(recorded))
                        .then(|| format!("{name}: statement {number} is {times} times in, recorded are {done}"))
                }
                // An index that is built outside a transaction is there a moment before that is recorded.
                What::Index(index) => {
                    let there = self.indexes.contains(index);
                    (recorded && !there || unknown && there)
                        .then(|| format!("{name}: index {index} is there: {there}, recorded are {done}"))
                }
            }
        })
    }

    /// How many migrations are recorded as taken back.
    pub(crate) fn taken_back(&self) -> usize {
        self.rows.iter().filter(|row| row.finished && row.rolled_back).count()
    }

    /// The same for ways back: what is recorded as taken back is, once; of what is not, nothing is done twice.
    pub(crate) fn contradictions_back(&self, steps: &[Step]) -> Vec<String> {
        let mut wrong = Vec::new();
        for (step, down) in steps.iter().filter_map(|step| Some((step, step.down.as_deref()?))) {
            let rows: Vec<&Row> = self.rows.iter().filter(|row| row.name == step.name).collect();
            let [row] = rows[..] else {
                wrong.push(format!("{} has not one row: {rows:?}", step.name));
                continue;
            };
            let key = |trace: &Trace| (down.name.clone(), trace.statement);
            let times: Vec<usize> = down
                .traces
                .iter()
                .map(|trace| self.witness.get(&key(trace)).copied().unwrap_or(0))
                .collect();
            let fits = if row.rolled_back {
                times.iter().all(|times| *times == 1)
            } else {
                times.is_sorted_by(|earlier, later| earlier >= later) && times.iter().all(|times| *times <= 1)
            };
            if !fits {
                wrong.push(format!(
                    "{}: its parts are {times:?} times in; recorded: {row:?}",
                    down.name
                ));
            }
        }
        wrong
    }

    /// Every migration applied, each by one row, and no attempt left open.
    pub(crate) fn assert_complete(&self, steps: &[Step], place: &str) {
        let wrong = self.contradictions(steps);
        assert!(wrong.is_empty(), "{place}\n{}", wrong.join("\n"));
        let open: Vec<&Row> = self
            .rows
            .iter()
            .filter(|row| !row.finished && !row.rolled_back)
            .collect();
        assert!(
            open.is_empty() && self.applied() == steps.len(),
            "{place}: {} applied, open: {open:?}",
            self.applied()
        );
    }
}
