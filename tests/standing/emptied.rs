//! What a reset drops, and what it leaves alone.

use insta::assert_snapshot;
use tollgate_testing::postgres::cluster;

use crate::outside::Database;
use crate::session::{blog, ledger, on, session, tables};

const DEVELOPMENT: &str = "development = true\n";

#[test]
fn a_session_that_uses_a_table_keeps_everything() {
    let database = Database::postgres();
    let project = on(&database);
    blog(&project);
    project.file(
        "tollgate.toml",
        "development = true\n[deploy]\nstatement_lock_timeout_ms = 200\n",
    );
    project.succeed(&["deploy"]);
    let Database::Postgres(server) = &database else {
        unreachable!()
    };
    let mut other = server.session("another");
    other.run("BEGIN; SELECT * FROM users;");
    assert_snapshot!(session(&project, &["reset --force"]), @r#"
    $ tollgate reset --force
    status: 1
    -- stdout
    PostgreSQL database "[database]", schema "public" at 127.0.0.1:[port]
    drops everything: 3 tables and views (public.posts, public.titles, public.users)
    applies 3 migrations
    -- stderr
    database

      × failed to empty the database: canceling statement due to lock timeout
      help: another session uses it: `tollgate doctor` shows who; run the command again when that is
            done
      the database now: nothing was changed
    "#);
    assert_eq!(tables(&database), "posts users");
    assert_eq!(ledger(&database).lines().count(), 3);
}

#[test]
fn everything_in_the_schema_goes_and_nothing_beside_it() {
    let database = Database::postgres();
    let project = on(&database);
    project.file("tollgate.toml", DEVELOPMENT);
    project.migration(
        "1_all",
        "CREATE SCHEMA made;\n\
         CREATE EXTENSION citext;\n\
         CREATE TYPE mood AS ENUM ('ok');\n\
         CREATE DOMAIN short AS varchar(5);\n\
         CREATE SEQUENCE numbers;\n\
         CREATE TABLE made.t (id serial PRIMARY KEY, name public.citext);\n\
         CREATE TABLE t (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, mood mood, n integer DEFAULT nextval('numbers'));\n\
         CREATE TABLE parts (at date) PARTITION BY RANGE (at);\n\
         CREATE TABLE part PARTITION OF parts DEFAULT;\n\
         CREATE MATERIALIZED VIEW m AS SELECT id FROM t;\n\
         CREATE FUNCTION f(integer) RETURNS integer LANGUAGE sql AS 'SELECT 1';\n\
         CREATE AGGREGATE total(integer) (SFUNC = int4pl, STYPE = integer);\n\
         CREATE OPERATOR === (LEFTARG = integer, RIGHTARG = integer, FUNCTION = int4eq);\n\
         CREATE STATISTICS s ON id, n FROM t;\n\
         CREATE TEXT SEARCH CONFIGURATION words (COPY = english);\n",
    );
    project.succeed(&["deploy"]);
    database.run(
        "CREATE SCHEMA other; CREATE TABLE other.kept (id integer); CREATE TABLE public.by_hand (id integer);\
         GRANT USAGE ON SCHEMA public TO pg_monitor; COMMENT ON SCHEMA public IS 'ours';",
    );
    let before = database.run("SELECT nspowner, nspacl FROM pg_namespace WHERE nspname = 'public'");
    let seen = session(&project, &["reset --force"]);
    assert_eq!(
        database.run("SELECT nspowner, nspacl FROM pg_namespace WHERE nspname = 'public'"),
        before
    );
    assert_eq!(database.run("SELECT count(*) FROM other.kept"), "0\n");
    // Made again without the schema's migrations, there is nothing left but the ledger.
    std::fs::remove_dir_all(project.path().join("migrations/1_all")).unwrap();
    project.migration("1_other", "SELECT 1;\n");
    project.succeed(&["reset", "--force"]);
    let left = database.run(
        "SELECT i.type, i.identity FROM pg_depend d, pg_identify_object(d.classid, d.objid, d.objsubid) i \
         WHERE d.refclassid = 'pg_namespace'::regclass AND d.refobjid = 'public'::regnamespace ORDER BY 1, 2",
    );
    assert_eq!(left, "table|public._prisma_migrations\n");
    assert_snapshot!(seen, @r#"
    $ tollgate reset --force
    status: 0
    -- stdout
    PostgreSQL database "[database]", schema "public" at 127.0.0.1:[port]
    drops everything: 6 tables and views (made.t, public.by_hand, public.m, public.part, public.parts, public.t), 1 schema (made), 1 extension (citext)
    applies 1 migration
    dropped everything
    applied 1_all [duration]
    everything dropped, 1 migration applied
    "#);
}

#[test]
fn everything_in_the_file_goes() {
    let database = Database::sqlite();
    let project = on(&database);
    project.file("tollgate.toml", DEVELOPMENT);
    project.migration(
        "1_all",
        "CREATE TABLE users (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT);\n\
         CREATE TABLE posts (id INTEGER PRIMARY KEY, author INTEGER NOT NULL REFERENCES users (id));\n\
         CREATE VIRTUAL TABLE words USING fts5 (text);\n\
         CREATE VIEW names AS SELECT name FROM users;\n\
         CREATE TRIGGER t AFTER INSERT ON users BEGIN INSERT INTO words VALUES (NEW.name); END;\n\
         CREATE TABLE \"it's \"\"odd\"\"\" (id INTEGER);\n\
         PRAGMA user_version = 7;\n",
    );
    project.succeed(&["deploy"]);
    database.run(
        "INSERT INTO users (name) VALUES ('a'); INSERT INTO posts VALUES (1, 1); ANALYZE; CREATE VIEW broken AS SELECT * FROM nowhere;",
    );
    std::fs::remove_dir_all(project.path().join("migrations/1_all")).unwrap();
    project.migration("1_other", "CREATE TABLE other (id INTEGER);\n");
    project.succeed(&["reset", "--force"]);
    let left =
        database.run("SELECT name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' ORDER BY 1; PRAGMA user_version");
    assert_eq!(left, "_prisma_migrations\nother\n0\n");
    assert_eq!(database.run("PRAGMA integrity_check"), "ok\n");
}

#[test]
fn other_ledgers_of_the_same_database_are_left_alone() {
    let database = Database::postgres();
    let mut billing = on(&database);
    let joint = if database.url().contains('?') { '&' } else { '?' };
    billing.set("DATABASE_URL", &format!("{}{joint}schema=billing", database.url()));
    billing.migration("1_bills", "CREATE TABLE bills (id integer PRIMARY KEY);\n");
    billing.succeed(&["deploy"]);
    let project = on(&database);
    blog(&project);
    project.migration("0_schemas", "CREATE SCHEMA IF NOT EXISTS billing;\n");
    project.file("tollgate.toml", DEVELOPMENT);
    project.succeed(&["deploy"]);
    let seen = session(&project, &["reset --force"]);
    assert_eq!(database.run("SELECT count(*) FROM billing.bills"), "0\n");
    assert_eq!(
        database.run("SELECT count(*) FROM tollgate.rollback_plans WHERE ledger = 'billing'"),
        "1\n"
    );
    billing.succeed(&["status"]);
    assert_snapshot!(seen, @r#"
    $ tollgate reset --force
    status: 0
    -- stdout
    PostgreSQL database "[database]", schema "public" at 127.0.0.1:[port]
    drops everything: 3 tables and views (public.posts, public.titles, public.users)
    applies 4 migrations
    dropped everything
    applied 0_schemas [duration]
    applied 1_users [duration]
    applied 2_posts [duration]
    applied 3_views [duration]
    everything dropped, 4 migrations applied
    -- stderr
    warning: the schema billing has a ledger of its own and is left alone, although the migrations create it
    0_schemas: NOTICE: schema "billing" already exists, skipping
    "#);
}

#[test]
fn without_the_right_to_drop_something_nothing_is_dropped() {
    let database = Database::postgres();
    let Database::Postgres(server) = &database else {
        unreachable!()
    };
    let mut project = on(&database);
    blog(&project);
    project.file("tollgate.toml", DEVELOPMENT);
    let role = format!("{}_dev", server.name);
    database.run(&format!(
        "CREATE ROLE {role} LOGIN; GRANT ALL ON SCHEMA public TO {role};"
    ));
    database.run(&format!("GRANT CREATE ON DATABASE {} TO {role};", server.name));
    database.run("CREATE TABLE not_theirs (id integer);");
    project.set("DATABASE_URL", &server.url_as(&role, None));
    let outcome = project.run(&["reset", "--force"]);
    assert_eq!(outcome.status, Some(1), "{outcome}");
    assert!(
        outcome.stderr.contains("must be owner of table not_theirs"),
        "{outcome}"
    );
    assert!(outcome.stderr.contains("nothing was changed"), "{outcome}");
    database.run(&format!("ALTER TABLE not_theirs OWNER TO {role};"));
    project.succeed(&["reset", "--force"]);
    assert_eq!(tables(&database), "posts users");
    database.run(&format!("DROP OWNED BY {role}"));
    cluster().admin(&format!("DROP ROLE {role}")).unwrap();
}

#[test]
fn whoever_holds_the_lock_keeps_everything() {
    let database = Database::postgres();
    let project = on(&database);
    blog(&project);
    project.file("tollgate.toml", "development = true\n[deploy]\nlock_timeout_ms = 0\n");
    project.succeed(&["deploy"]);
    let Database::Postgres(server) = &database else {
        unreachable!()
    };
    let mut other = server.session("another");
    other.run("SELECT pg_advisory_lock(72707369);");
    let refused = project.run(&["reset", "--force"]);
    assert_eq!(refused.status, Some(4), "{refused}");
    assert_eq!(tables(&database), "posts users");
}
