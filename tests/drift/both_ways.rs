//! The SQL that brings database and migrations together, run: afterwards there is no drift.

use insta::assert_snapshot;
use tollgate_tests::Project;

use super::Stage;
use super::looking::sqlite;

const CHANGES: &str = "ALTER TABLE users ADD COLUMN nickname text; ALTER TABLE users ALTER COLUMN email TYPE text; \
    DROP INDEX users_email; CREATE TABLE extra (id integer PRIMARY KEY); ALTER TABLE posts DROP CONSTRAINT posts_author_fkey; \
    ALTER INDEX posts_author RENAME TO posts_by_author; ALTER TABLE users DROP COLUMN age; \
    CREATE FUNCTION more() RETURNS integer LANGUAGE sql AS 'SELECT 1'; \
    CREATE OR REPLACE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN OLD; END $$; \
    ALTER TYPE role ADD VALUE 'guest'";

/// The SQL for one way.
fn way(project: &Project, which: &str) -> String {
    let outcome = project.run(&["drift", "--sql", which]);
    assert_eq!(outcome.status, Some(5), "{outcome}");
    outcome.stdout
}

#[test]
fn the_database_is_turned_into_what_the_migrations_make() {
    let stage = Stage::new();
    stage.database.psql(CHANGES);
    let sql = way(&stage.project, "database");
    assert_snapshot!(sql, @"
    -- turns the database into what its migrations make
    -- LOSES all rows of public.extra
    DROP TABLE public.extra;
    ALTER INDEX public.posts_by_author RENAME TO posts_author;
    ALTER TYPE public.role RENAME TO role_old;
    CREATE TYPE public.role AS ENUM ('member', 'admin');
    ALTER TABLE public.users ALTER COLUMN role DROP DEFAULT;
    ALTER TABLE public.users ALTER COLUMN role TYPE public.role USING role::text::public.role;
    ALTER TABLE public.users ALTER COLUMN role SET DEFAULT 'member';
    DROP TYPE public.role_old;
    CREATE OR REPLACE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
    -- LOSES all values of public.users.nickname
    ALTER TABLE public.users DROP COLUMN nickname;
    -- LOSES what of public.users.email the new type cannot hold
    ALTER TABLE public.users ALTER COLUMN email TYPE character varying(200) USING email::character varying(200);
    ALTER TABLE public.users ADD COLUMN age integer;
    ALTER TABLE public.users ADD CONSTRAINT users_age_check CHECK (age BETWEEN 0 AND 150);
    CREATE UNIQUE INDEX users_email ON public.users USING btree ((lower(email)));
    ALTER TABLE public.posts ADD CONSTRAINT posts_author_fkey FOREIGN KEY (author) REFERENCES public.users (id);
    DROP FUNCTION public.more();
    ");
    stage.database.psql(&sql);
    assert_eq!(
        stage.project.run(&["drift"]).status,
        Some(0),
        "{}",
        stage.project.run(&["drift"])
    );
    let exact = stage.project.run(&["drift", "--on-scratch"]);
    assert_eq!(exact.status, Some(0), "{exact}");
}

#[test]
fn a_migration_makes_what_the_database_has() {
    let stage = Stage::new();
    stage.database.psql(CHANGES);
    let sql = way(&stage.project, "migrations");
    assert_snapshot!(sql, @"
    -- makes what the database has: apply it nowhere else before you have read it,
    -- and record it for this database with `tollgate resolve --applied`
    ALTER TABLE public.posts DROP CONSTRAINT posts_author_fkey;
    ALTER INDEX public.posts_author RENAME TO posts_by_author;
    ALTER TYPE public.role ADD VALUE 'guest' AFTER 'admin';
    CREATE OR REPLACE FUNCTION public.touch()
     RETURNS trigger
     LANGUAGE plpgsql
    AS $function$ BEGIN RETURN OLD; END $function$;
    CREATE TABLE public.extra (
        id integer NOT NULL,
        CONSTRAINT extra_pkey PRIMARY KEY (id)
    );
    DROP INDEX public.users_email;
    -- LOSES all values of public.users.age
    ALTER TABLE public.users DROP COLUMN age;
    ALTER TABLE public.users ALTER COLUMN email TYPE text USING email::text;
    ALTER TABLE public.users ADD COLUMN nickname text;
    CREATE OR REPLACE FUNCTION public.more()
     RETURNS integer
     LANGUAGE sql
    AS $function$SELECT 1$function$;
    ");
    stage.project.migration("3_drift", &sql);
    stage.project.succeed(&["resolve", "--applied", "3_drift", "--force"]);
    assert_eq!(
        stage.project.run(&["drift"]).status,
        Some(0),
        "{}",
        stage.project.run(&["drift"])
    );
    // What it makes is tried on a server, too.
    let exact = stage.project.run(&["drift", "--on-scratch"]);
    assert_eq!(exact.status, Some(0), "{exact}");
}

#[test]
fn so_it_is_on_sqlite() {
    for which in ["database", "migrations"] {
        let mut project = Project::new();
        project.file("tollgate.toml", super::QUIET);
        project.set("DATABASE_URL", "file:./app.db");
        project.migration(
            "1_a",
            "CREATE TABLE a (id INTEGER PRIMARY KEY, b TEXT NOT NULL, n INTEGER CHECK (n > 0));\n\
             CREATE INDEX a_b ON a (b);\nCREATE VIEW v AS SELECT b FROM a;\n",
        );
        project.succeed(&["deploy"]);
        sqlite(
            &project,
            "INSERT INTO a VALUES (1, 'x', 1); PRAGMA foreign_keys = OFF; \
             CREATE TABLE new_a (id INTEGER PRIMARY KEY, b TEXT, extra TEXT); INSERT INTO new_a (id, b) SELECT id, b FROM a; \
             DROP VIEW v; DROP TABLE a; ALTER TABLE new_a RENAME TO a; CREATE TABLE e (x INTEGER); \
             CREATE TRIGGER t AFTER INSERT ON a BEGIN DELETE FROM e; END",
        );
        let sql = way(&project, which);
        if which == "database" {
            assert_snapshot!(sql, @"
            -- turns the database into what its migrations make
            -- LOSES all rows of e
            DROP TABLE e;
            PRAGMA defer_foreign_keys=ON;
            PRAGMA foreign_keys=OFF;
            PRAGMA legacy_alter_table=ON;
            CREATE TABLE new_a (id INTEGER PRIMARY KEY, b TEXT NOT NULL, n INTEGER CHECK (n > 0));
            INSERT INTO new_a (id, b) SELECT id, b FROM a;
            -- LOSES all values of a.extra
            DROP TABLE a;
            ALTER TABLE new_a RENAME TO a;
            CREATE INDEX a_b ON a (b);
            PRAGMA legacy_alter_table=OFF;
            PRAGMA foreign_keys=ON;
            PRAGMA defer_foreign_keys=OFF;
            CREATE VIEW v AS SELECT b FROM a;
            ");
            sqlite(&project, &sql);
        } else {
            assert_snapshot!(sql, @"
            -- makes what the database has: apply it nowhere else before you have read it,
            -- and record it for this database with `tollgate resolve --applied`
            DROP VIEW v;
            CREATE TABLE e (x INTEGER);
            PRAGMA defer_foreign_keys=ON;
            PRAGMA foreign_keys=OFF;
            PRAGMA legacy_alter_table=ON;
            CREATE TABLE new_a (id INTEGER PRIMARY KEY, b TEXT, extra TEXT);
            INSERT INTO new_a (id, b) SELECT id, b FROM a;
            -- LOSES all values of a.n
            DROP TABLE a;
            ALTER TABLE new_a RENAME TO a;
            CREATE TRIGGER t AFTER INSERT ON a BEGIN DELETE FROM e; END;
            PRAGMA legacy_alter_table=OFF;
            PRAGMA foreign_keys=ON;
            PRAGMA defer_foreign_keys=OFF;
            ");
            project.migration("3_drift", &sql);
            project.succeed(&["resolve", "--applied", "3_drift", "--force"]);
        }
        assert_eq!(project.run(&["drift"]).status, Some(0), "{}", project.run(&["drift"]));
        let exact = project.run(&["drift", "--on-scratch"]);
        assert_eq!(exact.status, Some(0), "{exact}");
    }
}
