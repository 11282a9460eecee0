//! A database as others see it: through psql and `pg_dump`, or the sqlite3 shell.

use std::collections::BTreeMap;
use std::process::Command;

use tollgate_testing::postgres::{TestDatabase, cluster};
use tollgate_testing::{SqliteFile, sqlite_file};

/// A database of a test's own.
pub(crate) enum Database {
    Postgres(TestDatabase<'static>),
    Sqlite(SqliteFile),
}

impl Database {
    pub(crate) fn postgres() -> Self {
        Self::Postgres(cluster().database())
    }

    pub(crate) fn sqlite() -> Self {
        Self::Sqlite(sqlite_file())
    }

    /// Another one of the same kind.
    pub(crate) fn another(&self) -> Self {
        match self {
            Self::Postgres(_) => Self::postgres(),
            Self::Sqlite(_) => Self::sqlite(),
        }
    }

    /// A copy, Tollgate's own tables included.
    pub(crate) fn copy(&self) -> Self {
        match self {
            Self::Postgres(database) => {
                let copy = cluster().database();
                let (from, to) = (&database.name, &copy.name);
                cluster().admin(&format!("DROP DATABASE {to}")).unwrap();
                cluster()
                    .admin(&format!("CREATE DATABASE {to} TEMPLATE {from}"))
                    .unwrap();
                Self::Postgres(copy)
            }
            Self::Sqlite(file) => {
                let copy = sqlite_file();
                for extension in ["db", "db.tollgate.db"] {
                    let path = file.path().with_extension(extension);
                    std::fs::copy(path, copy.path().with_extension(extension)).unwrap();
                }
                Self::Sqlite(copy)
            }
        }
    }

    pub(crate) fn url(&self) -> String {
        match self {
            Self::Postgres(database) => database.url(),
            Self::Sqlite(file) => file.url(),
        }
    }

    /// Runs a script as `psql -f` and `sqlite3` do.
    #[track_caller]
    pub(crate) fn run(&self, sql: &str) -> String {
        match self {
            Self::Postgres(database) => database.psql(sql),
            Self::Sqlite(file) => file.sqlite3(sql),
        }
    }

    /// Everything but rows, ledger and Tollgate's own tables: the same text for the same schema, whatever the order of
    /// columns.
    pub(crate) fn schema(&self) -> String {
        match self {
            Self::Postgres(database) => postgres_schema(database),
            Self::Sqlite(file) => sqlite_schema(file),
        }
    }

    /// Every row of every table, with what its columns hold.
    pub(crate) fn rows(&self) -> String {
        match self {
            Self::Postgres(database) => postgres_rows(database),
            Self::Sqlite(file) => sqlite_rows(file),
        }
    }

    /// Forgets the rollback plans that were kept when migrations were deployed.
    pub(crate) fn forget_plans(&self) {
        match self {
            Self::Postgres(database) => drop(database.psql("DELETE FROM tollgate.rollback_plans")),
            Self::Sqlite(file) => {
                let state = file.path().with_extension("db.tollgate.db");
                let state = state.to_string_lossy().into_owned();
                file.sqlite3(&format!("ATTACH '{state}' AS state; DELETE FROM state.rollback_plans;"));
            }
        }
    }
}

const OURS: &[&str] = &["--exclude-schema=tollgate", "--exclude-table=_prisma_migrations"];

fn postgres_schema(database: &TestDatabase<'_>) -> String {
    const NOISE: &[&str] = &[
        "--",
        "SET ",
        "SELECT pg_catalog.set_config",
        "\\restrict",
        "\\unrestrict",
    ];
    let output = Command::new(database.cluster().program("pg_dump"))
        .args(["--schema-only", "--dbname", &database.url()])
        .args(OURS)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let dump = String::from_utf8(output.stdout).unwrap();
    let lines = dump
        .lines()
        .filter(|line| !line.is_empty() && !NOISE.iter().any(|noise| line.starts_with(noise)));
    let kept = lines.fold(String::new(), |text, line| text + line + "\n");
    let mut statements: Vec<String> = kept.split_inclusive(";\n").map(unordered).collect();
    statements.sort();
    statements.concat()
}

/// CREATE TABLE with its columns and constraints in alphabetical order; anything else as it is.
fn unordered(statement: &str) -> String {
    if !statement.starts_with("CREATE TABLE") {
        return statement.to_owned();
    }
    let mut lines: Vec<&str> = statement.lines().map(|line| line.trim_end_matches(',')).collect();
    let (first, last) = (1.min(lines.len()), lines.len().saturating_sub(1));
    if first < last {
        lines[first..last].sort_unstable();
    }
    lines.join("\n") + "\n"
}

fn postgres_rows(database: &TestDatabase<'_>) -> String {
    let tables = database.psql(
        "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', \
         'information_schema', 'tollgate') AND tablename <> '_prisma_migrations' ORDER BY 1",
    );
    if tables.is_empty() {
        return tables;
    }
    let query = |table: &str| format!("SELECT '{table}', to_jsonb(t)::text FROM {table} t");
    let queries: Vec<String> = tables.lines().map(query).collect();
    database.psql(&format!("{} ORDER BY 1, 2", queries.join(" UNION ALL ")))
}

/// The statements that made each object, without quotes and spaces, their clauses in alphabetical order.
fn sqlite_schema(file: &SqliteFile) -> String {
    let objects = file.sqlite3(
        "SELECT replace(sql, char(10), ' ') FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' \
         AND tbl_name <> '_prisma_migrations' ORDER BY type, name",
    );
    objects
        .lines()
        .fold(String::new(), |text, sql| text + &normal(sql) + "\n")
}

fn normal(sql: &str) -> String {
    let tight = tight(&sql.replace(['"', '`', '[', ']'], ""));
    let (Some(open), true) = (tight.find('('), tight.starts_with("CREATE TABLE")) else {
        return tight;
    };
    let close = tight.rfind(')').unwrap_or(tight.len());
    let mut clauses = clauses(&tight[open + 1..close]);
    clauses.sort_unstable();
    format!("{}({}){}", &tight[..open], clauses.join(","), &tight[close + 1..])
}

/// Without the spaces that mean nothing.
fn tight(sql: &str) -> String {
    let words = sql.split_whitespace().collect::<Vec<_>>().join(" ");
    ["(", ")", ","].iter().fold(words, |text, mark| {
        text.replace(&format!(" {mark}"), mark)
            .replace(&format!("{mark} "), mark)
    })
}

/// Parts between the commas that no parenthesis encloses.
fn clauses(body: &str) -> Vec<&str> {
    let (mut depth, mut start, mut parts) = (0_usize, 0, Vec::new());
    for (at, byte) in body.bytes().enumerate() {
        match byte {
            b'(' => depth += 1,
            b')' => depth = depth.saturating_sub(1),
            b',' if depth == 0 => {
                parts.push(&body[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&body[start..]);
    parts
}

fn sqlite_rows(file: &SqliteFile) -> String {
    let columns = file.sqlite3(
        "SELECT m.name, c.name FROM sqlite_master m, pragma_table_xinfo(m.name) c WHERE m.type = 'table' \
         AND m.name <> '_prisma_migrations' ORDER BY 1, 2",
    );
    let mut tables: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (table, column) in columns.lines().filter_map(|line| line.split_once('|')) {
        tables
            .entry(table)
            .or_default()
            .push(format!("'{column}', quote(\"{column}\")"));
    }
    let queries = tables.iter().fold(String::new(), |text, (table, columns)| {
        text + &format!(
            "SELECT '{table}', {} FROM \"{table}\" ORDER BY 1, 2, 3, 4, 5;\n",
            columns.join(", ")
        )
    });
    file.sqlite3(&queries)
}

/// Lines of the one that the other has not, each way.
pub(crate) fn difference(wanted: &str, found: &str) -> String {
    let only = |mark: &'static str, these: &str, those: &str| -> String {
        let those: Vec<&str> = those.lines().collect();
        let lines = these.lines().filter(|line| !those.contains(line));
        lines.fold(String::new(), |text, line| text + mark + line + "\n")
    };
    match only("- ", wanted, found) + &only("+ ", found, wanted) {
        lines if lines.is_empty() && wanted != found => "the same lines in another order\n".to_owned(),
        lines => lines,
    }
}
