//! Sixty migrations of every kind there is, each of which leaves traces that tell how much of it is in the database.

use tollgate_tests::Project;

/// How many there are.
pub(crate) const STEPS: usize = 60;

/// Without plugins: what they say is not what is disturbed here.
const CONFIGURATION: &str = "[plugins.destructive]\nenabled = false\n[plugins.safety]\nenabled = false\n[plugins.conventions]\nenabled = false\n[plugins.rollback]\nenabled = false\n";

/// A migration.
pub(crate) struct Step {
    pub(crate) name: String,
    pub(crate) sql: String,
    /// How many statements it has.
    pub(crate) statements: usize,
    pub(crate) traces: Vec<Trace>,
    /// Its `down.sql`, which leaves traces of its own.
    pub(crate) down: Option<Box<Step>>,
}

/// What one of its statements leaves.
pub(crate) struct Trace {
    /// Which statement, from zero.
    pub(crate) statement: usize,
    pub(crate) what: What,
}

pub(crate) enum What {
    /// A row of the table `witness` with the migration's name and this number.
    Row,
    /// A valid index.
    Index(String),
}

/// Puts them together statement by statement.
pub(crate) struct Builder {
    name: String,
    statements: Vec<String>,
    traces: Vec<Trace>,
}

impl Builder {
    pub(crate) fn new(name: String) -> Self {
        Self {
            name,
            statements: Vec::new(),
            traces: Vec::new(),
        }
    }

    pub(crate) fn say(mut self, sql: impl Into<String>) -> Self {
        self.statements.push(sql.into());
        self
    }

    /// Something that shows when it was done twice.
    pub(crate) fn count(self) -> Self {
        self.say("UPDATE counter SET n = n + 1")
    }

    pub(crate) fn row(mut self) -> Self {
        let statement = self.statements.len();
        self.traces.push(Trace {
            statement,
            what: What::Row,
        });
        let insert = format!("INSERT INTO witness VALUES ('{}', {statement})", self.name);
        self.say(insert)
    }

    /// CREATE INDEX CONCURRENTLY.
    pub(crate) fn index(mut self, name: &str, columns: &str) -> Self {
        self.traces.push(Trace {
            statement: self.statements.len(),
            what: What::Index(name.to_owned()),
        });
        self.say(format!("CREATE INDEX CONCURRENTLY {name} ON base ({columns})"))
    }

    pub(crate) fn build(self) -> Step {
        Step {
            sql: self.statements.join(";\n") + ";\n",
            statements: self.statements.len(),
            name: self.name,
            traces: self.traces,
            down: None,
        }
    }
}

/// What the others build on.
pub(crate) fn first() -> Builder {
    Builder::new("00_first".to_owned())
        .say("CREATE TABLE witness (name text, step integer)")
        .say("CREATE TABLE counter (n integer)")
        .say("INSERT INTO counter VALUES (0)")
        .say("CREATE TABLE base (id integer PRIMARY KEY, a integer, b text)")
        .row()
}

/// For PostgreSQL: whole transactions, the file's own, statements outside of one, and all of them in one file.
pub(crate) fn for_postgres() -> Vec<Step> {
    let begin = first()
        .say("INSERT INTO base SELECT i, i, 'text ' || i FROM generate_series(1, 100) i")
        .say("CREATE TYPE mood AS ENUM ('good')")
        .say("CREATE TABLE moods (mood mood)")
        .say("CREATE SCHEMA other")
        .say("CREATE INDEX base_a ON base (a)")
        .say("CREATE TABLE parts (id integer) PARTITION BY LIST (id)");
    let later = (1..STEPS).map(|number| postgres_step(number).build());
    std::iter::once(begin.build()).chain(later).collect()
}

fn postgres_step(number: usize) -> Builder {
    let n = format!("{number:02}");
    let table = format!("CREATE TABLE t{n} (id integer PRIMARY KEY, base integer REFERENCES base (id))");
    let rows = format!("INSERT INTO t{n} VALUES (1, 1), (2, 1)");
    let new = |kind: &str| Builder::new(format!("{n}_{kind}"));
    match number % 13 {
        0 => new("plain").say(table).row().count().say(rows),
        1 => new("index").index(&format!("i{n}"), "a"),
        2 => new("mixed")
            .row()
            .index(&format!("i{n}"), "b")
            .count()
            .row()
            .index(&format!("j{n}"), "a, b"),
        3 => new("enum")
            .row()
            .say(format!("ALTER TYPE mood ADD VALUE 'v{n}'"))
            .say(format!("INSERT INTO moods VALUES ('v{n}')"))
            .count()
            .row(),
        4 => new("vacuum").row().say("VACUUM base").count().row(),
        5 => new("own").say("BEGIN").say(table).count().row().say(rows).say("COMMIT"),
        6 => new("owns")
            .say("BEGIN")
            .count()
            .row()
            .say("COMMIT")
            .count()
            .say("BEGIN")
            .row()
            .count()
            .say("COMMIT"),
        7 => new("block")
            .say(format!(
                "DO $$ BEGIN UPDATE counter SET n = n + 1; EXECUTE 'CREATE TABLE t{n} (id integer)'; END $$"
            ))
            .row(),
        8 => new("dropped")
            .say(format!("CREATE INDEX CONCURRENTLY d{n} ON base (b)"))
            .count()
            .row()
            .say(format!("DROP INDEX CONCURRENTLY d{n}"))
            .row(),
        9 => new("rebuilt")
            .row()
            .say("REINDEX INDEX CONCURRENTLY base_a")
            .count()
            .row(),
        10 => new("settings")
            .say("SET search_path = other, public")
            .say(format!("CREATE TABLE t{n} (id integer)"))
            .row()
            .index(&format!("i{n}"), "a")
            .say(format!("INSERT INTO t{n} VALUES (1)"))
            .row()
            .say("RESET search_path"),
        11 => new("detached")
            .say(format!("CREATE TABLE p{n} PARTITION OF parts FOR VALUES IN ({number})"))
            .row()
            .say(format!("ALTER TABLE parts DETACH PARTITION p{n} CONCURRENTLY"))
            .count()
            .row(),
        _ => new("wide")
            .say(format!("ALTER TABLE base ADD COLUMN c{n} integer NOT NULL DEFAULT {n}"))
            .say(format!("CREATE VIEW v{n} AS SELECT id, c{n} FROM base"))
            .say(format!(
                "CREATE FUNCTION f{n}() RETURNS integer LANGUAGE sql AS 'SELECT {number}; SELECT {number}'"
            ))
            .count()
            .row(),
    }
}

/// For `SQLite`: the same without what it does not have, and with its switches.
pub(crate) fn for_sqlite() -> Vec<Step> {
    let begin = first().say("INSERT INTO base VALUES (1, 1, 'one'), (2, 2, 'two')");
    let later = (1..STEPS).map(|number| sqlite_step(number).build());
    std::iter::once(begin.build()).chain(later).collect()
}

fn sqlite_step(number: usize) -> Builder {
    let n = format!("{number:02}");
    let table = format!("CREATE TABLE t{n} (id integer PRIMARY KEY, base integer REFERENCES base (id))");
    let rows = format!("INSERT INTO t{n} VALUES (1, 1), (2, 1)");
    let new = |kind: &str| Builder::new(format!("{n}_{kind}"));
    match number % 8 {
        0 => new("plain").say(table).row().count().say(rows),
        1 => new("index").say(format!("CREATE INDEX i{n} ON base (a)")).row(),
        2 => new("vacuum").row().say("VACUUM").count().row(),
        3 => new("rebuilt")
            .say("PRAGMA foreign_keys = OFF")
            .say("CREATE TABLE new_base AS SELECT * FROM base")
            .row()
            .say("DROP TABLE new_base")
            .say("PRAGMA foreign_keys = ON"),
        4 => new("own").say("BEGIN").say(table).count().row().say(rows).say("COMMIT"),
        5 => new("owns")
            .say("BEGIN")
            .count()
            .row()
            .say("COMMIT")
            .count()
            .say("BEGIN")
            .row()
            .count()
            .say("COMMIT"),
        6 => (0..30).fold(new("rows").say(table).row(), |step, row| {
            step.say(format!("INSERT INTO t{n} VALUES ({row}, 1)"))
        }),
        _ => new("switched")
            .row()
            .count()
            .say("PRAGMA foreign_keys = OFF")
            .say(format!("CREATE TABLE s{n} (id integer)"))
            .say("PRAGMA foreign_keys = ON")
            .row()
            .count(),
    }
}

/// The same with a way back for each but the first. It takes nothing back, which would hide what was done twice.
pub(crate) fn with_ways_back(mut steps: Vec<Step>, postgres: bool) -> Vec<Step> {
    for (number, step) in steps.iter_mut().enumerate().skip(1) {
        let name = format!("back {}", step.name);
        step.down = Some(Box::new(way_back(Builder::new(name), number, postgres).build()));
    }
    steps
}

fn way_back(step: Builder, number: usize, postgres: bool) -> Builder {
    match number % 4 {
        0 => step.row().count(),
        1 if postgres => step
            .row()
            .say(format!("CREATE INDEX CONCURRENTLY b{number} ON base (a)"))
            .count()
            .say(format!("DROP INDEX CONCURRENTLY b{number}"))
            .row(),
        2 => step
            .say("BEGIN")
            .row()
            .say("COMMIT")
            .say("BEGIN")
            .count()
            .row()
            .say("COMMIT"),
        _ => step.row().say("VACUUM").count().row(),
    }
}

/// Writes them into a project that has nothing else.
pub(crate) fn write(project: &Project, steps: &[Step]) {
    project.file("tollgate.toml", CONFIGURATION);
    for step in steps {
        project.migration(&step.name, &step.sql);
        if let Some(down) = &step.down {
            project.file(&format!("migrations/{}/down.sql", step.name), &down.sql);
        }
    }
}
