//! The examples in the rules of the bundled policies: every statement of them is run and compared.

use std::collections::BTreeSet;
use std::path::PathBuf;

use tollgate_engine::Interrupt;
use tollgate_engine::host::types::Rule;
use tollgate_engine::host::{Host, HostOptions};
use tollgate_engine::trace::trace_script;
use tollgate_schema::Schema;
use tollgate_sql::operation::Operation;
use tollgate_sql::{Dialect, Script};

/// The line between the schema that an example starts from and the migration.
const SEPARATOR: &str = "-- migration";

/// What examples take for granted, by the name that they mention and do not make.
const WORLD: &[(&str, &str)] = &[
    ("app", "CREATE SCHEMA app;"),
    ("archive", "CREATE SCHEMA archive;"),
    ("reporting", "CREATE SCHEMA reporting;"),
    (
        "columnar",
        "CREATE ACCESS METHOD columnar TYPE TABLE HANDLER heap_tableam_handler;",
    ),
    (
        "users",
        "CREATE TABLE users (id integer UNIQUE, name text, email text, age integer, role text DEFAULT 'x', active boolean,
             full_name text, nickname text, tenant_id integer, city text, created_at timestamp, login text);",
    ),
    ("users_email_idx", "CREATE INDEX users_email_idx ON users (email);"),
    (
        "users_email_key",
        "CREATE UNIQUE INDEX users_email_key ON users (email);",
    ),
    ("users_email", "CREATE INDEX users_email ON users (email);"),
    ("users_name", "CREATE INDEX users_name ON users (name);"),
    ("users_pkey", "CREATE UNIQUE INDEX users_pkey ON users (id);"),
    (
        "orders",
        "CREATE TABLE orders (id integer, user_id integer, amount integer, total integer, positive boolean, note text);",
    ),
    (
        "orders_total_check",
        "ALTER TABLE orders ADD CONSTRAINT orders_total_check CHECK (total > 0);",
    ),
    (
        "events",
        "CREATE TABLE events (id integer, at timestamptz, payload jsonb, kind text); CREATE INDEX events_at ON events (at);",
    ),
    ("logs", "CREATE TABLE logs (at date NOT NULL) PARTITION BY RANGE (at);"),
    ("logs_2026", "CREATE TABLE logs_2026 (at date NOT NULL);"),
    (
        "sessions",
        "CREATE TABLE sessions (id integer, expires_at timestamptz, user_id integer);",
    ),
    ("invoices", "CREATE TABLE invoices (id integer);"),
    ("results", "CREATE TABLE results (id integer);"),
    ("bookings", "CREATE TABLE bookings (room integer, during tstzrange);"),
    (
        "accounts",
        "CREATE TABLE accounts (id integer, password text, balance integer);",
    ),
    ("invoice_numbers", "CREATE SEQUENCE invoice_numbers;"),
    (
        "active_users",
        "CREATE VIEW active_users AS SELECT id FROM users WHERE active;",
    ),
    (
        "daily_totals",
        "CREATE MATERIALIZED VIEW daily_totals AS SELECT 1 AS day;",
    ),
    (
        "slugify",
        "CREATE FUNCTION slugify(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT $1';",
    ),
];

/// Kinds of statements that lock no relation, or whatever the functions lock that they call.
const WITHOUT_LOCKS: &[&str] = &[
    "alter-composite",
    "alter-database",
    "alter-default-privileges",
    "alter-extension",
    "begin",
    "call",
    "checkpoint",
    "create-event-trigger",
    "create-language",
    "create-server",
    "create-tablespace",
    "grant-role",
    "notify",
    "revoke-role",
    "show",
    "call-function",
    "comment",
    "create-composite",
    "create-database",
    "create-domain",
    "create-enum",
    "create-extension",
    "create-other-type",
    "create-role",
    "create-schema",
    "do",
    "drop-database",
    "drop-extension",
    "dynamic",
    "alter-function",
    "alter-role",
    "alter-system",
    "set-parameter",
    "transaction",
];

/// The policies whose examples are run.
const POLICIES: [&str; 2] = ["destructive", "safety"];

/// Every rule of a policy, from the component that is bundled, or from fresh ones.
fn rules(policy: &str) -> Vec<Rule> {
    let folder = std::env::var_os("TOLLGATE_BUNDLE_DIR").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../plugins/bundle"),
        PathBuf::from,
    );
    let bytes = std::fs::read(folder.join(format!("{policy}.wasm"))).unwrap();
    let (_, description) = Host::new(HostOptions::default()).unwrap().describe(&bytes).unwrap();
    description.rules
}

/// What there is before the migration, and the migration.
fn split(example: &str) -> (&str, &str) {
    let line = example.lines().find(|line| {
        line.strip_prefix(SEPARATOR)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
    });
    line.and_then(|line| example.split_once(line)).unwrap_or(("", example))
}

fn read(text: &str) -> Result<Script, tollgate_sql::ParseError> {
    tollgate_sql::parse(Dialect::Postgres, text)
}

/// Those parts of the world that an example mentions and does not make itself.
fn world(example: &str) -> String {
    let made: BTreeSet<String> = tollgate_sql::parse(Dialect::Postgres, example)
        .map(|script| script.statements.iter().flat_map(made_by).collect())
        .unwrap_or_default();
    let words = |text: &str| -> BTreeSet<String> {
        let parts = text.split(|letter: char| !(letter.is_alphanumeric() || letter == '_'));
        parts.map(str::to_owned).collect()
    };
    let mut wanted = BTreeSet::new();
    let mut texts = vec![example.to_owned()];
    while let Some(text) = texts.pop() {
        let mentioned = words(&text);
        for (at, (name, ddl)) in WORLD.iter().enumerate() {
            // What belongs to a table of the example's is the example's, too.
            let own = words(ddl).iter().any(|word| made.contains(word));
            if !own && mentioned.contains(*name) && wanted.insert(at) {
                texts.push((*ddl).to_owned());
            }
        }
    }
    wanted.into_iter().map(|at| format!("{}\n", WORLD[at].1)).collect()
}

/// The tables, indexes, views and schemas that a statement makes.
fn made_by(statement: &tollgate_sql::Statement) -> Vec<String> {
    let name = |operation: &Operation| match operation {
        Operation::CreateTable(table) => Some(table.name.name.clone()),
        Operation::CreateIndex(index) => index.name.clone(),
        Operation::CreateView(view) => Some(view.name.name.clone()),
        Operation::CreateSchema { name, .. } => Some(name.clone()),
        Operation::CreateSequence { name, .. } => Some(name.name.clone()),
        Operation::CreateFunction(function) => Some(function.name.name.clone()),
        Operation::Rename { to, .. } => Some(to.clone()),
        _ => None,
    };
    let made: Vec<String> = statement
        .effects
        .iter()
        .filter_map(|effect| name(&effect.operation))
        .collect();
    // A view that takes an old table's name comes after the table.
    let renamed = statement
        .effects
        .iter()
        .any(|effect| matches!(effect.operation, Operation::Rename { .. }));
    if renamed { Vec::new() } else { made }
}

fn kinds(script: &Script) -> impl Iterator<Item = String> {
    script
        .statements
        .iter()
        .flat_map(|statement| &statement.effects)
        .map(|effect| kind(&effect.operation))
}

/// Every example that the server accepts is compared, statement by statement. Those that it refuses (on purpose, or for want
/// of an extension) have no kind of statement that the table in [`super::cases`] does not hold against the server.
#[test]
fn every_statement_of_the_examples_is_as_predicted() {
    let cluster = tollgate_testing::postgres::cluster();
    let test = cluster.database();
    let mut database = super::connect(&test.url());
    if database.server().version.0 < 15 {
        return;
    }
    let mut wrong = Vec::new();
    let (mut compared, mut refused) = (0, Vec::new());
    let mut found = BTreeSet::new();
    for rule in POLICIES.iter().flat_map(|policy| rules(policy)) {
        for example in [&rule.bad_example, &rule.good_example].into_iter().flatten() {
            let (before, migration) = split(example);
            let (Ok(script), Ok(_)) = (read(migration), read(before)) else {
                // One for SQLite.
                continue;
            };
            found.extend(kinds(&script));
            let before = format!("{}{before}", world(example));
            let run =
                |database: &mut tollgate_database::Database, sql: &str| database.run_alone(sql, &Interrupt::default());
            run(&mut database, super::CLEAN).unwrap();
            // The access method is of no schema.
            run(&mut database, "DROP ACCESS METHOD IF EXISTS columnar").unwrap();
            if let Err(error) = run(&mut database, &before) {
                refused.push(format!("{}: {error}", rule.id));
                continue;
            }
            let mut schema = Schema::empty(database.context());
            schema.apply_script(&read(&before).unwrap()).unwrap();
            schema.settle();
            let traced = trace_script(&mut database, &schema, &rule.id, &script, &Interrupt::default()).unwrap();
            refused.extend(traced.failure.map(|failure| format!("{}: {failure}", rule.id)));
            for seen in &traced.statements {
                compared += 1;
                let differences = seen.differences.iter();
                wrong.extend(
                    differences.map(|difference| format!("{}: {}\n    {difference}", rule.id, seen.explained.excerpt)),
                );
            }
        }
    }
    println!("{compared} statements compared; refused:\n{}", refused.join("\n"));
    assert!(wrong.is_empty(), "{} differences\n{}", wrong.len(), wrong.join("\n"));
    assert!(compared > refused.len(), "most examples can be run");
    let table: BTreeSet<String> = super::cases::all()
        .flat_map(|case| kinds(&read(case.statement).unwrap()).collect::<Vec<_>>())
        .chain(
            super::cases::SINCE_17
                .iter()
                .flat_map(|case| kinds(&read(case.statement).unwrap()).collect::<Vec<_>>()),
        )
        .chain(WITHOUT_LOCKS.iter().map(|kind| (*kind).to_owned()))
        .collect();
    let missing: Vec<_> = found.difference(&table).collect();
    assert!(missing.is_empty(), "add a case to cases/ for each of {missing:?}");
}

/// The name of an operation: the SQL words, hyphened.
fn kind(operation: &Operation) -> String {
    let tag = match serde_json::to_value(operation).unwrap() {
        serde_json::Value::Object(fields) => fields.keys().next().cloned().unwrap_or_default(),
        serde_json::Value::String(name) => name,
        other => panic!("an operation is written as {other}"),
    };
    match operation {
        Operation::Other(other) => other.tag.clone(),
        Operation::Drop(drop) => format!("drop-{}", serde_json::to_value(drop.kind).unwrap().as_str().unwrap()),
        _ => tag,
    }
}
