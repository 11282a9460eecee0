//! What a reset drops outside of the schema, because it depends on what lies there; and which extensions are its to drop.

use insta::assert_snapshot;
use tollgate_testing::postgres::TestDatabase;

use crate::outside::Database;
use crate::session::{on, session};

const DEVELOPMENT: &str = "development = true\n";

fn server(database: &Database) -> &TestDatabase<'static> {
    match database {
        Database::Postgres(server) => server,
        Database::Sqlite(_) => unreachable!("it is one of PostgreSQL"),
    }
}

#[test]
fn what_depends_on_it_elsewhere_is_shown_before_it_goes() {
    let database = Database::postgres();
    let project = on(&database);
    project.file("tollgate.toml", DEVELOPMENT).migration(
        "1_all",
        "CREATE SCHEMA made;\n\
         CREATE EXTENSION citext;\n\
         CREATE TYPE mood AS ENUM ('ok');\n\
         CREATE SEQUENCE numbers;\n\
         CREATE TABLE made.t (id integer PRIMARY KEY);\n\
         CREATE TABLE users (id integer PRIMARY KEY, email text);\n\
         CREATE TABLE parts (at date) PARTITION BY RANGE (at);\n\
         CREATE FUNCTION f() RETURNS integer LANGUAGE sql AS 'SELECT 1';\n\
         CREATE FUNCTION fires() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';\n",
    );
    project.succeed(&["deploy"]);
    // A schema of somebody else, whose name has to be quoted, with things that hang on ours and things that do not.
    database.run(
        "CREATE SCHEMA \"Other one\"; SET search_path = \"Other one\", public;\
         CREATE TABLE t (id integer DEFAULT nextval('numbers'), mood mood, author integer REFERENCES users, name citext, kept text);\
         INSERT INTO t (kept) VALUES ('kept');\
         CREATE INDEX ON t (mood); CREATE TRIGGER fires BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION fires();\
         CREATE TABLE made_of (id integer REFERENCES made.t);\
         CREATE VIEW emails AS SELECT email FROM users; CREATE VIEW again AS SELECT * FROM emails;\
         CREATE MATERIALIZED VIEW moods AS SELECT mood FROM t;\
         CREATE TABLE child () INHERITS (users); CREATE TABLE part PARTITION OF parts DEFAULT; CREATE INDEX ON part (at);\
         CREATE DOMAIN good AS mood; CREATE FUNCTION g(mood) RETURNS integer LANGUAGE sql AS 'SELECT 1';\
         CREATE TABLE referenced (id integer PRIMARY KEY); ALTER TABLE users ADD FOREIGN KEY (id) REFERENCES referenced;\
         ALTER TABLE referenced ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON referenced USING (f() = 1);\
         CREATE VIEW untouched AS SELECT kept FROM t;",
    );
    let document = project.run(&["reset", "--dry-run", "--format", "json"]).json();
    let names: Vec<&str> = document["dependents"]
        .as_array()
        .unwrap()
        .iter()
        .map(|name| name.as_str().unwrap())
        .collect();
    assert_snapshot!(names.join("\n"), @r#"
    table "Other one".child
    table "Other one".part
    table column "Other one".t.mood
    table column "Other one".t.name
    materialized view "Other one".moods
    default value for "Other one".t.id
    function "Other one".g(public.mood)
    policy p on "Other one".referenced
    table constraint made_of_id_fkey on "Other one".made_of
    table constraint t_author_fkey on "Other one".t
    trigger fires on "Other one".t
    type "Other one".good
    view "Other one".again
    view "Other one".emails
    "#);
    assert_snapshot!(session(&project, &["reset --dry-run", "reset --force"]), @r#"
    $ tollgate reset --dry-run
    status: 0
    -- stdout
    PostgreSQL database "[database]", schema "public" at 127.0.0.1:[port]
    drops everything: 3 tables and views (made.t, public.parts, public.users), 1 schema (made), 1 extension (citext)
    drops what depends on that elsewhere: table "Other one".child, table "Other one".part, table column "Other one".t.mood, table column "Other one".t.name, materialized view "Other one".moods, default value for "Other one".t.id, function "Other one".g(public.mood), policy p on "Other one".referenced, table constraint made_of_id_fkey on "Other one".made_of, table constraint t_author_fkey on "Other one".t, …
    applies 1 migration
    nothing was changed

    $ tollgate reset --force
    status: 0
    -- stdout
    PostgreSQL database "[database]", schema "public" at 127.0.0.1:[port]
    drops everything: 3 tables and views (made.t, public.parts, public.users), 1 schema (made), 1 extension (citext)
    drops what depends on that elsewhere: table "Other one".child, table "Other one".part, table column "Other one".t.mood, table column "Other one".t.name, materialized view "Other one".moods, default value for "Other one".t.id, function "Other one".g(public.mood), policy p on "Other one".referenced, table constraint made_of_id_fkey on "Other one".made_of, table constraint t_author_fkey on "Other one".t, …
    applies 1 migration
    dropped everything
    applied 1_all [duration]
    everything dropped, 1 migration applied
    "#);
    let left = database.run(
        "SELECT c.relname, string_agg(a.attname, ' ' ORDER BY a.attnum) FROM pg_class c JOIN pg_attribute a ON \
         a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped WHERE c.relnamespace = '\"Other one\"'::regnamespace \
         GROUP BY 1 ORDER BY 1",
    );
    assert_snapshot!(left, @"
    made_of|id
    referenced|id
    referenced_pkey|id
    t|id author kept
    untouched|kept
    ");
    assert_eq!(database.run("SELECT kept FROM \"Other one\".untouched"), "kept\n");
}

#[test]
fn extensions_are_dropped_by_whoever_owns_them() {
    let database = Database::postgres();
    let mut project = on(&database);
    project
        .file("tollgate.toml", DEVELOPMENT)
        .migration("1_users", "CREATE TABLE users (id integer);\n");
    // In the schema that goes, and made by no migration.
    database.run("CREATE EXTENSION citext; CREATE EXTENSION \"uuid-ossp\"");
    let ours = session(&project, &["reset --force"]);
    assert_eq!(
        database.run("SELECT count(*) FROM pg_extension WHERE extname <> 'plpgsql'"),
        "0\n"
    );
    let role = format!("{}_dev", server(&database).name);
    let name = &server(&database).name;
    database.run(&format!(
        "CREATE EXTENSION pageinspect; DROP TABLE users, _prisma_migrations; DROP SCHEMA tollgate CASCADE; \
         CREATE ROLE {role} LOGIN; GRANT ALL ON SCHEMA public TO {role}; GRANT CREATE ON DATABASE {name} TO {role};"
    ));
    project.set("DATABASE_URL", &server(&database).url_as(&role, None));
    project.migration("0_extension", "CREATE EXTENSION IF NOT EXISTS pageinspect;\n");
    let another = session(&project, &["reset --force"]);
    database.run(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
    assert_snapshot!(ours + &another, @r#"
    $ tollgate reset --force
    status: 0
    -- stdout
    PostgreSQL database "[database]", schema "public" at 127.0.0.1:[port]
    drops everything: 2 extensions (citext, uuid-ossp)
    applies 1 migration
    dropped everything
    applied 1_users [duration]
    everything dropped, 1 migration applied

    $ tollgate reset --force
    status: 0
    -- stdout
    PostgreSQL database "[database]", schema "public" at 127.0.0.1:[port]
    drops everything; there are no tables
    applies 2 migrations
    dropped everything
    applied 0_extension [duration]
    applied 1_users [duration]
    everything dropped, 2 migrations applied
    -- stderr
    safety::superuser-required

      ⚠ installs the extension pageinspect, which is not a trusted one: only a superuser may
       ╭─[migrations/0_extension/migration.sql:1:1]
     1 │ CREATE EXTENSION IF NOT EXISTS pageinspect;
       · ─────────────────────┬────────────────────
       ·                      ╰── medium
       ╰────
      help: have it installed once by the database's administrator; IF NOT EXISTS then finds it

    warning: the extension pageinspect belongs to another role and is left alone, although the migrations create it
    0_extension: NOTICE: extension "pageinspect" already exists, skipping
    "#);
}
