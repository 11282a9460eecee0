//! `explain` of a migration, a file, and a rule.

use std::io::Write as _;
use std::process::Stdio;

use tollgate_tests::Project;

/// A project of two migrations: tables, and what is done to them.
fn project() -> Project {
    let project = Project::new();
    project.file("migrations/migration_lock.toml", "provider = \"postgresql\"\n");
    project.migration(
        "20260101000000_init",
        "CREATE TABLE users (id bigserial PRIMARY KEY, email varchar(20));\n\
         CREATE TABLE orders (id bigint PRIMARY KEY, user_id bigint);\n",
    );
    project.migration(
        "20260102000000_more",
        "-- Who ordered what.\n\
         ALTER TABLE orders ADD CONSTRAINT orders_user FOREIGN KEY (user_id) REFERENCES users (id);\n\
         ALTER TABLE users ALTER COLUMN email TYPE varchar(40), ADD COLUMN token uuid DEFAULT gen_random_uuid();\n\
         CREATE INDEX CONCURRENTLY users_email ON users (email);\n\
         UPDATE users SET email = lower(email);\n\
         CREATE TABLE fresh (id bigint);\n",
    );
    project
}

#[test]
fn a_migration_statement_by_statement() {
    insta::assert_snapshot!(project().succeed(&["explain", "20260102000000_more"]), @"
    status: 0
    -- stdout
    20260102000000_more
      line 2: ALTER TABLE orders ADD CONSTRAINT orders_user FOREIGN KEY (user_id) REFERENCES …
        add constraint orders_user to orders
        SHARE ROW EXCLUSIVE on table orders: others can read, nobody else can write; reads every row
        SHARE ROW EXCLUSIVE on table users: others can read, nobody else can write
      line 3: ALTER TABLE users ALTER COLUMN email TYPE varchar(40), ADD COLUMN token uuid DE…
        change the type of users.email
        add column users.token
        ACCESS EXCLUSIVE on table users: nobody else can read or write; writes every row anew
      line 4: CREATE INDEX CONCURRENTLY users_email ON users (email) (outside of transactions)
        create index users_email on users
        SHARE UPDATE EXCLUSIVE on table users: others can read and write, nobody else can alter it; reads every row
      line 5: UPDATE users SET email = lower(email)
        update users
        ROW EXCLUSIVE on table users: others can read and write
      line 6: CREATE TABLE fresh (id bigint)
        create table fresh
        locks nothing that was there before
    ");
}

#[test]
fn the_schema_before_it_counts() {
    let project = project();
    project.file("wider.sql", "ALTER TABLE users ALTER COLUMN email TYPE varchar(80);\n");
    insta::assert_snapshot!(project.succeed(&["explain", "wider.sql"]), @"
    status: 0
    -- stdout
    wider
      line 1: ALTER TABLE users ALTER COLUMN email TYPE varchar(80)
        change the type of users.email
        ACCESS EXCLUSIVE on table users: nobody else can read or write
    ");
    insta::assert_snapshot!(project.succeed(&["explain", "wider.sql", "--no-history"]), @"
    status: 0
    -- stdout
    wider
      line 1: ALTER TABLE users ALTER COLUMN email TYPE varchar(80)
        change the type of users.email
        ACCESS EXCLUSIVE on table users: nobody else can read or write; writes every row anew
    ");
}

#[test]
fn standard_input() {
    let project = project();
    let mut command = project.command(&["explain", "-"]);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(b"DROP TABLE users CASCADE;")
        .unwrap();
    let outcome = project.outcome(&child.wait_with_output().unwrap());
    insta::assert_snapshot!(outcome, @"
    status: 0
    -- stdout
    stdin
      line 1: DROP TABLE users CASCADE
        drop table users
        ACCESS EXCLUSIVE on table users: nobody else can read or write
        ACCESS EXCLUSIVE on sequence users_id_seq: nobody else can read or write
        ACCESS EXCLUSIVE on table orders: nobody else can read or write
    ");
}

#[test]
fn sqlite_has_one_lock() {
    let project = Project::new();
    project.file("migrations/migration_lock.toml", "provider = \"sqlite\"\n");
    project.migration(
        "20260101000000_init",
        "CREATE TABLE users (id integer PRIMARY KEY);\nPRAGMA foreign_keys = ON;\n",
    );
    insta::assert_snapshot!(project.succeed(&["explain", "20260101000000_init"]), @"
    status: 0
    -- stdout
    20260101000000_init
      line 1: CREATE TABLE users (id integer PRIMARY KEY)
        create table users
        locks the whole database: nobody else can write until it commits
      line 2: PRAGMA foreign_keys = ON (outside of transactions)
        set foreign_keys
        locks nothing that was there before
    ");
}

#[test]
fn a_program_gets_a_document() {
    let document = project()
        .succeed(&["explain", "20260102000000_more", "--format", "json"])
        .json();
    let first = &document["script"]["statements"][0];
    assert_eq!(first["line"], 2);
    assert_eq!(first["does"][0], "add constraint orders_user to orders");
    let locks = serde_json::json!([
        {
            "relation": "public.orders", "kind": "table", "mode": "SHARE ROW EXCLUSIVE", "blocks_reads": false,
            "blocks_writes": true, "blocks_changes": true, "scans": true, "rewrites": false
        },
        {
            "relation": "public.users", "kind": "table", "mode": "SHARE ROW EXCLUSIVE", "blocks_reads": false,
            "blocks_writes": true, "blocks_changes": true, "scans": false, "rewrites": false
        }
    ]);
    assert_eq!(first["locks"], locks);
    let schema = std::fs::read(tollgate_tests::repository().join("engine/cli/schemas/explain.json")).unwrap();
    let schema = serde_json::from_slice(&schema).unwrap();
    assert!(jsonschema::is_valid(&schema, &document));
    let rule = Project::new()
        .succeed(&["explain", "drop-table", "--format", "json"])
        .json();
    assert_eq!(rule["rules"][0]["plugin"], "destructive");
    assert!(jsonschema::is_valid(&schema, &rule));
}

#[test]
fn a_rule_in_its_own_words() {
    let mut project = project();
    let outcome = project.succeed(&["explain", "destructive/drop-table"]);
    let first: Vec<&str> = outcome.stdout.lines().take(2).collect();
    assert_eq!(
        first,
        [
            "destructive/drop-table (high)",
            "DROP TABLE loses a table with its rows"
        ]
    );
    assert!(outcome.stdout.contains("\nReported:\n\n  DROP TABLE"), "{outcome}");
    project.file("tollgate.toml", "[plugins.destructive.rules]\ndrop-table = \"off\"\n");
    project.set("NO_COLOR", "1");
    let outcome = project.succeed(&["explain", "drop-table"]);
    assert!(
        outcome
            .stdout
            .starts_with("destructive/drop-table (off here, high when it is on)\n"),
        "{outcome}"
    );
}

#[test]
fn what_is_neither() {
    insta::assert_snapshot!(project().run(&["explain", "drop-tabel"]), @"
    status: 2
    -- stderr
    explain::unknown

      × there is no migration, file or rule called drop-tabel
      help: is drop-table meant? `tollgate plugin list --rules` lists the rules
    ");
    insta::assert_snapshot!(project().run(&["explain", "nothing.sql"]), @"
    status: 2
    -- stderr
    check::file

      × cannot read nothing.sql: No such file or directory (os error 2)
      help: name a migration, or the path of a file with SQL
    ");
}
