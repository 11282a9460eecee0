#![allow(clippy::unwrap_used, clippy::panic, reason = "a failing test should stop here")]

use tollgate_plugin::{Outcome, RollbackStep, testing};
use tollgate_schema::{Context, Schema, difference};
use tollgate_sql::Dialect;

use super::Inverse;

const USERS: &str = "CREATE TYPE role AS ENUM ('ADMIN', 'USER'); \
    CREATE TABLE users (id bigserial PRIMARY KEY, email text NOT NULL UNIQUE, role role NOT NULL DEFAULT 'USER', \
    age integer, bio varchar(200) DEFAULT 'none', org_id integer); \
    CREATE TABLE orgs (id integer PRIMARY KEY, name text NOT NULL); \
    CREATE TABLE posts (id integer PRIMARY KEY, user_id bigint REFERENCES users(id) ON DELETE CASCADE, title text); \
    CREATE INDEX users_age_idx ON users (age) WHERE age > 3; CREATE INDEX posts_title_idx ON posts (lower(title)); \
    CREATE VIEW adults AS SELECT id, email FROM users WHERE age > 17; \
    CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$; \
    CREATE TRIGGER users_touch BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION touch(); \
    CREATE SEQUENCE invoice_numbers INCREMENT BY 5; \
    ALTER TABLE posts ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON posts USING (user_id = 1); \
    COMMENT ON COLUMN users.email IS 'where to write';";

const SQLITE: &str = "CREATE TABLE users (id INTEGER PRIMARY KEY AUTOINCREMENT, email TEXT NOT NULL, age INTEGER, bio TEXT DEFAULT 'none'); \
    CREATE UNIQUE INDEX users_email_key ON users (email); \
    CREATE TABLE posts (id INTEGER PRIMARY KEY, user_id INTEGER REFERENCES users (id) ON DELETE CASCADE, title TEXT); \
    CREATE INDEX posts_title_idx ON posts (title); CREATE VIEW adults AS SELECT id FROM users WHERE age > 17;";

fn postgres() -> testing::Test<Inverse> {
    testing::rollback::<Inverse>().before(USERS)
}

fn sqlite() -> testing::Test<Inverse> {
    testing::rollback::<Inverse>().sqlite().before(SQLITE)
}

fn sql(steps: &[RollbackStep]) -> String {
    steps
        .iter()
        .flat_map(|step| &step.sql)
        .map(|sql| format!("{};\n", sql.trim_end_matches(';')))
        .collect()
}

/// The worst of the steps, in a word.
fn worst(steps: &[RollbackStep]) -> &'static str {
    let rank = |step: &RollbackStep| match step.outcome {
        Outcome::Lossless => 0,
        Outcome::Lossy(_) => 1,
        Outcome::Declined => 2,
        Outcome::Irreversible(_) => 3,
    };
    ["lossless", "lossy", "declined", "irreversible"][steps.iter().map(rank).max().unwrap_or(0)]
}

/// Forth and back: the schema must be what it was.
#[track_caller]
fn comes_back(dialect: Dialect, before: &str, script: &str, steps: &[RollbackStep]) {
    let context = Context::new(dialect);
    let mut schema = Schema::empty(context);
    let apply = |schema: &mut Schema, text: &str| {
        let script = tollgate_sql::parse(dialect, text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        schema.apply_script(&script).unwrap();
    };
    apply(&mut schema, before);
    let original = schema.clone();
    apply(&mut schema, script);
    apply(&mut schema, &sql(steps));
    let differences = difference::compare(&original, &schema, &difference::Options::default()).unwrap();
    // A column that comes back comes back last, and a table that is rebuilt comes back with its name in quotes.
    let unavoidable = ["order of columns: ", "statement: "];
    let words: Vec<_> = differences
        .iter()
        .filter(|difference| !unavoidable.iter().any(|start| difference.text.contains(start)))
        .map(ToString::to_string)
        .collect();
    assert!(
        words.is_empty(),
        "after\n{script}\nand\n{}\nthere is a difference:\n{}",
        sql(steps),
        words.join("\n")
    );
}

#[test]
fn postgres_comes_back() {
    for (script, outcome) in [
        (
            "CREATE TABLE t (id integer PRIMARY KEY); INSERT INTO t VALUES (1); CREATE INDEX ON t (id);",
            "lossy",
        ),
        (
            "ALTER TABLE users ADD COLUMN nick text; UPDATE users SET nick = email;",
            "lossy",
        ),
        ("ALTER TABLE users DROP COLUMN bio;", "lossy"),
        ("ALTER TABLE users DROP COLUMN age CASCADE;", "lossy"),
        ("ALTER TABLE users RENAME COLUMN bio TO about;", "lossless"),
        (
            "ALTER TABLE users RENAME TO people; ALTER TABLE people ADD COLUMN x integer;",
            "lossy",
        ),
        ("ALTER TABLE users ALTER COLUMN age TYPE bigint;", "lossless"),
        ("ALTER TABLE users ALTER COLUMN bio TYPE text;", "lossless"),
        ("ALTER TABLE users ALTER COLUMN bio TYPE varchar(10);", "lossy"),
        (
            "ALTER TABLE users ALTER COLUMN age SET NOT NULL; ALTER TABLE users ALTER COLUMN email DROP NOT NULL;",
            "lossless",
        ),
        (
            "ALTER TABLE users ALTER COLUMN bio DROP DEFAULT, ALTER COLUMN age SET DEFAULT 7;",
            "lossless",
        ),
        (
            "ALTER TABLE orgs ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY;",
            "lossless",
        ),
        (
            "ALTER TABLE users ADD CONSTRAINT users_org_fkey FOREIGN KEY (org_id) REFERENCES orgs (id);",
            "lossless",
        ),
        (
            "ALTER TABLE users ADD FOREIGN KEY (org_id) REFERENCES orgs (id); ALTER TABLE users ADD CHECK (age > 0);",
            "lossless",
        ),
        ("ALTER TABLE users DROP CONSTRAINT users_email_key;", "lossless"),
        ("ALTER TABLE users DROP CONSTRAINT users_pkey CASCADE;", "lossless"),
        ("CREATE INDEX CONCURRENTLY users_org_idx ON users (org_id);", "lossless"),
        ("CREATE INDEX ON users (org_id, lower(email));", "lossless"),
        ("DROP INDEX users_age_idx; DROP INDEX posts_title_idx;", "lossless"),
        (
            "CREATE TYPE mood AS ENUM ('A'); ALTER TABLE users ADD COLUMN mood mood NOT NULL DEFAULT 'A';",
            "lossy",
        ),
        (
            "ALTER TYPE role ADD VALUE 'GUEST'; ALTER TYPE role ADD VALUE 'BOT';",
            "lossless",
        ),
        ("ALTER TYPE role RENAME VALUE 'USER' TO 'MEMBER';", "lossless"),
        ("ALTER TYPE role RENAME TO kind;", "lossless"),
        (
            "CREATE VIEW elders AS SELECT id FROM users; DROP VIEW adults;",
            "lossless",
        ),
        (
            "CREATE OR REPLACE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN OLD; END $$;",
            "lossless",
        ),
        ("DROP TRIGGER users_touch ON users; DROP FUNCTION touch();", "lossless"),
        (
            "DROP POLICY own ON posts; ALTER TABLE posts DISABLE ROW LEVEL SECURITY;",
            "lossless",
        ),
        ("CREATE POLICY all_of_it ON posts USING (true);", "lossless"),
        ("DROP SEQUENCE invoice_numbers;", "lossy"),
        (
            "CREATE SEQUENCE s; CREATE SCHEMA extra; CREATE DOMAIN d AS integer;",
            "lossless",
        ),
        ("DROP TABLE posts;", "lossy"),
        ("DROP TABLE users CASCADE;", "lossy"),
        (
            "COMMENT ON COLUMN users.email IS 'changed'; COMMENT ON TABLE users IS 'new';",
            "lossless",
        ),
        (
            "ALTER TABLE users ADD COLUMN a integer; ALTER TABLE users DROP COLUMN a; ALTER TABLE users ADD COLUMN b text;",
            "lossy",
        ),
        (
            "CREATE TABLE t (id integer); ALTER TABLE t RENAME TO u; CREATE INDEX i ON u (id); DROP TABLE u;",
            "lossless",
        ),
        (
            "CREATE INDEX IF NOT EXISTS i ON users (org_id); CREATE INDEX IF NOT EXISTS i ON users (age);",
            "lossless",
        ),
        (
            "CREATE UNIQUE INDEX orgs_name ON orgs (name); ALTER TABLE orgs ADD CONSTRAINT orgs_name UNIQUE USING INDEX orgs_name;",
            "lossless",
        ),
        (
            "ALTER TABLE users RENAME COLUMN age TO years; ALTER TABLE users RENAME TO people; DROP INDEX users_age_idx; \
             ALTER TABLE people DROP COLUMN bio;",
            "lossy",
        ),
        (
            "DROP INDEX posts_title_idx; ALTER TABLE posts ALTER COLUMN title TYPE varchar(9); ALTER TABLE posts DROP COLUMN title;",
            "lossy",
        ),
        (
            "CREATE TABLE a (id integer PRIMARY KEY, b integer); CREATE TABLE b (id integer PRIMARY KEY); \
             ALTER TABLE a ADD CONSTRAINT a_b FOREIGN KEY (b) REFERENCES b (id);",
            "lossy",
        ),
        (
            "CREATE TABLE orgs_new (id bigint PRIMARY KEY); ALTER TABLE orgs RENAME TO orgs_old; \
             ALTER TABLE orgs_new RENAME TO orgs; DROP TABLE orgs_old;",
            "lossy",
        ),
        (
            "CREATE FUNCTION f() RETURNS integer LANGUAGE sql AS 'SELECT 1'; \
             CREATE OR REPLACE FUNCTION f() RETURNS integer LANGUAGE sql AS 'SELECT 2';",
            "lossless",
        ),
        (
            "BEGIN; SET LOCAL lock_timeout = '1s'; CREATE INDEX i ON users (org_id); COMMIT;",
            "lossless",
        ),
    ] {
        let steps = postgres().generate(script);
        assert_eq!(worst(&steps), outcome, "{script}\n{steps:#?}");
        if outcome != "irreversible" {
            comes_back(Dialect::Postgres, USERS, script, &steps);
        }
    }
}

#[test]
fn sqlite_comes_back() {
    for (script, outcome) in [
        (
            "CREATE TABLE t (id INTEGER PRIMARY KEY); CREATE INDEX i ON t (id);",
            "lossy",
        ),
        ("ALTER TABLE users ADD COLUMN nick TEXT;", "lossy"),
        (
            "ALTER TABLE users ADD COLUMN org INTEGER REFERENCES posts (id);",
            "lossy",
        ),
        ("ALTER TABLE users DROP COLUMN bio;", "lossy"),
        ("ALTER TABLE users RENAME COLUMN bio TO about;", "lossless"),
        ("ALTER TABLE users RENAME TO people;", "lossless"),
        (
            "DROP INDEX posts_title_idx; CREATE INDEX users_age_idx ON users (age);",
            "lossless",
        ),
        (
            "DROP VIEW adults; CREATE VIEW elders AS SELECT id FROM users;",
            "lossless",
        ),
        (
            "ALTER TABLE users ADD COLUMN nick TEXT; ALTER TABLE users ADD COLUMN post INTEGER REFERENCES posts (id); \
             CREATE INDEX users_post_idx ON users (post);",
            "lossy",
        ),
        ("DROP TABLE posts;", "lossy"),
        (
            "PRAGMA defer_foreign_keys=ON; PRAGMA foreign_keys=OFF; \
             CREATE TABLE new_users (id INTEGER PRIMARY KEY AUTOINCREMENT, email TEXT NOT NULL, bio TEXT NOT NULL DEFAULT 'x'); \
             INSERT INTO new_users (id, email) SELECT id, email FROM users; DROP TABLE users; \
             ALTER TABLE new_users RENAME TO users; CREATE UNIQUE INDEX users_email_key ON users (email); \
             PRAGMA foreign_keys=ON; PRAGMA defer_foreign_keys=OFF;",
            "lossy",
        ),
    ] {
        let steps = sqlite().generate(script);
        assert_eq!(worst(&steps), outcome, "{script}\n{steps:#?}");
        comes_back(Dialect::Sqlite, SQLITE, script, &steps);
    }
}

#[test]
fn nothing_is_written_for_mysql() {
    let test = testing::rollback::<Inverse>().dialect(tollgate_plugin::Dialect::Mysql);
    let steps = test.generate("CREATE TABLE t (a INT); ALTER TABLE t MODIFY a BIGINT;");
    assert!(
        steps
            .iter()
            .all(|step| step.outcome == Outcome::Declined && step.sql.is_empty())
    );
    assert_eq!(steps.iter().map(|step| step.undoes).collect::<Vec<_>>(), [1, 0]);
}

#[test]
fn what_stays_lost_is_said() {
    let outcomes = |script: &str| -> String {
        let lines = postgres()
            .generate(script)
            .into_iter()
            .map(|step| format!("{:?}\n", step.outcome));
        lines.collect()
    };
    let script = "DROP TABLE posts; ALTER TABLE users DROP COLUMN email; DELETE FROM orgs; \
                  UPDATE users SET age = 1; INSERT INTO orgs VALUES (1, 'a'); TRUNCATE orgs;";
    insta::assert_snapshot!(outcomes(script), @r#"
    Outcome::Lossy("the rows deleted from orgs")
    Outcome::Lossy("the rows inserted into orgs are not taken out")
    Outcome::Lossy("the values of users.age from before the update")
    Outcome::Lossy("the rows deleted from orgs")
    Outcome::Lossy("the values of users.email, which comes back without NOT NULL")
    Outcome::Lossy("the rows of posts")
    "#);
    let script = "DO $$ BEGIN EXECUTE format('DROP TABLE %I', 'x'); END $$; DROP SCHEMA public CASCADE; \
                  ALTER TABLE users DROP COLUMN id;";
    insta::assert_snapshot!(outcomes(script), @r#"
    Outcome::Irreversible("the values of users.id are gone, and the primary key needs them")
    Outcome::Irreversible("everything in the schema public is gone")
    Outcome::Lossless
    "#);
}

#[test]
fn a_column_without_values_comes_back_without_not_null() {
    let steps = postgres().generate("ALTER TABLE users DROP COLUMN email;");
    insta::assert_snapshot!(sql(&steps), @"
    ALTER TABLE public.users ADD COLUMN email text;
    COMMENT ON COLUMN public.users.email IS 'where to write';
    ALTER TABLE public.users ADD CONSTRAINT users_email_key UNIQUE (email);
    ");
}

#[test]
fn prismas_enum_change_is_undone_as_one() {
    let script = "BEGIN; CREATE TYPE \"role_new\" AS ENUM ('ADMIN'); ALTER TABLE users ALTER COLUMN role DROP DEFAULT; \
        ALTER TABLE users ALTER COLUMN role TYPE \"role_new\" USING (role::text::\"role_new\"); \
        ALTER TYPE role RENAME TO role_old; ALTER TYPE \"role_new\" RENAME TO role; DROP TYPE role_old; \
        ALTER TABLE users ALTER COLUMN role SET DEFAULT 'ADMIN'; COMMIT;";
    let steps = postgres().generate(script);
    insta::assert_snapshot!(sql(&steps), @r#"
    ALTER TYPE "public"."role" RENAME TO "role_old";
    CREATE TYPE "public"."role" AS ENUM ('ADMIN', 'USER');
    ALTER TABLE "public"."users" ALTER COLUMN "role" DROP DEFAULT;
    ALTER TABLE "public"."users" ALTER COLUMN "role" SET DATA TYPE "public"."role" USING "role"::text::"public"."role";
    ALTER TABLE "public"."users" ALTER COLUMN "role" SET DEFAULT 'USER';
    DROP TYPE "public"."role_old";
    "#);
    comes_back(Dialect::Postgres, USERS, script, &steps);
}

#[test]
fn concurrently_is_undone_concurrently_and_outside_a_transaction() {
    let steps = postgres().generate("CREATE INDEX CONCURRENTLY i ON users (org_id);");
    assert_eq!(steps[0].sql, ["DROP INDEX CONCURRENTLY \"public\".\"i\""]);
    assert!(!steps[0].transactional);
    let steps = postgres().generate("DROP INDEX CONCURRENTLY users_age_idx;");
    assert!(
        steps[0].sql[0].starts_with("CREATE INDEX CONCURRENTLY "),
        "{:?}",
        steps[0].sql
    );
    assert!(!steps[0].transactional);
}

#[test]
fn a_table_of_the_migration_itself_needs_one_statement() {
    let script = "CREATE TABLE t (a integer, b text); ALTER TABLE t DROP COLUMN b; ALTER TABLE t RENAME TO u; \
                  UPDATE u SET a = 1; DELETE FROM u; CREATE INDEX ON u (a);";
    let steps = postgres().generate(script);
    comes_back(Dialect::Postgres, USERS, script, &steps);
    insta::assert_snapshot!(sql(&steps), @r#"
    ALTER TABLE "public"."u" RENAME TO "t";
    DROP TABLE "public"."t";
    "#);
}
