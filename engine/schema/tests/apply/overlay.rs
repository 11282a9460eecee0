//! A plan's migrations over a connected database.

use std::sync::Arc;

use tollgate_schema::{Context, ProbeError, Schema};
use tollgate_sql::Dialect;
use tollgate_sql::operation::ObjectKind;

use crate::base::Recorded;
use crate::{apply, name, replayed};

const DATABASE: &str = "
    CREATE TYPE role AS ENUM ('user', 'admin');
    CREATE TABLE users (id int PRIMARY KEY, email text, role role DEFAULT 'user');
    CREATE TABLE posts (id int PRIMARY KEY, author int REFERENCES users ON DELETE CASCADE, title text);
    CREATE INDEX posts_title ON posts (title);
    CREATE VIEW authors AS SELECT email FROM users;
    CREATE TABLE apart (id int);";

fn database() -> (Arc<Recorded>, Schema) {
    let base = Recorded::over(replayed(Dialect::Postgres, DATABASE));
    let schema = Schema::over(base.clone(), Context::new(Dialect::Postgres));
    (base, schema)
}

#[test]
fn only_what_a_script_names_is_read() {
    let (base, mut schema) = database();
    apply(
        &mut schema,
        "ALTER TABLE apart ADD COLUMN x int; CREATE TABLE fresh (id int);",
    );
    assert_eq!(base.asked(), ["relation public.apart", "relation public.fresh"]);
}

#[test]
fn what_scripts_name_is_prefetched_in_one_call() {
    let (base, schema) = database();
    let scripts = ["ALTER TABLE users ADD x int", "DROP TABLE posts; DROP TABLE other.t"];
    let scripts: Vec<_> = scripts
        .iter()
        .map(|text| tollgate_sql::parse(Dialect::Postgres, text).unwrap())
        .collect();
    schema.prefetch(&scripts.iter().collect::<Vec<_>>());
    assert_eq!(base.asked(), ["prefetch other.t public.posts public.users"]);
}

#[test]
fn a_clone_does_not_see_what_happens_later() {
    let (_, mut schema) = database();
    apply(&mut schema, "ALTER TABLE users ADD COLUMN a int");
    let before = schema.clone();
    let outline = before.outline().unwrap();
    apply(
        &mut schema,
        "DROP TABLE posts; ALTER TABLE users RENAME TO people; CREATE TABLE more (id serial)",
    );
    assert_eq!(before.outline().unwrap(), outline);
    assert_ne!(schema.outline().unwrap(), outline);
}

#[test]
fn foreign_keys_and_views_of_the_database_follow_a_rename() {
    let (_, mut schema) = database();
    apply(
        &mut schema,
        "ALTER TABLE users RENAME TO people; ALTER TABLE people RENAME id TO key",
    );
    let found = schema.referencing(&name("people")).unwrap();
    let [(table, constraint)] = found.as_slice() else {
        panic!("{found:?}")
    };
    assert_eq!(
        (table, constraint.name.as_str()),
        (&name("public.posts"), "posts_author_fkey")
    );
    let dependents = schema.dependents(ObjectKind::Table, &name("people")).unwrap();
    let dependents: Vec<_> = dependents
        .iter()
        .map(|d| format!("{:?} {} {:?} {:?}", d.kind, d.name, d.member, d.column))
        .collect();
    insta::assert_snapshot!(dependents.join("\n"), @r#"
    View public.authors None Some("email")
    Constraint public.posts Some("posts_author_fkey") Some("key")
"#);
    assert_eq!(schema.exists(ObjectKind::Table, &name("users")).unwrap(), Some(false));
    assert!(schema.referencing(&name("users")).unwrap().is_empty());
    assert!(
        schema
            .relation(&name("authors"))
            .unwrap()
            .unwrap()
            .reads
            .contains(&name("public.people"))
    );
}

#[test]
fn dropping_a_table_takes_along_what_the_database_has() {
    let (_, mut schema) = database();
    apply(&mut schema, "DROP TABLE users CASCADE");
    assert_eq!(
        schema.relations().unwrap(),
        [name("public.apart"), name("public.posts")]
    );
    let posts = schema.relation(&name("posts")).unwrap().unwrap();
    assert_eq!(posts.constraints.len(), 1);
    assert_eq!(
        schema.index_owner(&name("posts_title")).unwrap(),
        Some(name("public.posts"))
    );
    apply(&mut schema, "DROP INDEX posts_title");
    assert_eq!(schema.index_owner(&name("posts_title")).unwrap(), None);
}

#[test]
fn types_of_the_database_are_renamed_in_its_columns() {
    let (_, mut schema) = database();
    apply(
        &mut schema,
        "ALTER TYPE role RENAME TO access; ALTER TYPE access ADD VALUE 'guest'",
    );
    let users = schema.relation(&name("users")).unwrap().unwrap();
    assert_eq!(users.columns[2].data_type.name, "access");
    assert_eq!(
        schema.enum_values(&name("access")).unwrap().unwrap(),
        ["user", "admin", "guest"]
    );
    assert_eq!(schema.enum_values(&name("role")).unwrap(), None);
}

#[test]
fn probes_are_asked_under_the_name_the_database_has() {
    let (base, mut schema) = database();
    apply(
        &mut schema,
        "ALTER TABLE users RENAME TO people; ALTER TABLE people RENAME email TO mail; ALTER TABLE people ADD n int, ADD d int DEFAULT 1",
    );
    base.asked.lock().unwrap().clear();
    let people = name("people");
    assert_eq!(schema.count_rows(&people, 10), Ok(10));
    assert_eq!(schema.count_values(&people, "mail", 5000), Ok(900));
    assert_eq!(schema.count_values(&people, "n", 5000), Ok(0));
    assert_eq!(schema.count_nulls(&people, "n", 5000), Ok(1000));
    assert_eq!(schema.count_nulls(&people, "d", 5000), Err(ProbeError::NotAvailable));
    assert_eq!(schema.count_duplicates(&people, &["mail".into()], 5000), Ok(5));
    assert_eq!(schema.count_rows(&name("users"), 10), Err(ProbeError::UnknownObject));
    let asked: Vec<_> = base
        .asked()
        .into_iter()
        .filter(|asked| !asked.starts_with("relation"))
        .collect();
    assert_eq!(
        asked,
        [
            "rows public.users",
            "values public.users.email",
            "rows public.users",
            "duplicates public.users email"
        ]
    );
}

#[test]
fn rows_that_a_plan_changes_cannot_be_asked_for() {
    let (_, mut schema) = database();
    apply(&mut schema, "UPDATE users SET email = '' WHERE email IS NULL");
    assert_eq!(schema.count_rows(&name("users"), 10), Ok(10));
    assert_eq!(
        schema.count_nulls(&name("users"), "email", 10),
        Err(ProbeError::NotAvailable)
    );
    apply(&mut schema, "DELETE FROM posts WHERE id = 1");
    assert_eq!(schema.count_rows(&name("posts"), 10), Err(ProbeError::NotAvailable));
}

#[test]
fn a_table_made_by_the_plan_is_empty_until_it_inserts() {
    let (_, mut schema) = database();
    apply(
        &mut schema,
        "CREATE TABLE fresh (id int); CREATE TABLE other (id int); CREATE TABLE copy AS SELECT * FROM users",
    );
    let empty = |schema: &Schema| ["fresh", "other", "copy", "users"].map(|table| schema.known_empty(&name(table)));
    assert_eq!(empty(&schema), [true, true, false, false]);
    assert_eq!(schema.count_rows(&name("fresh"), 10), Ok(0));
    apply(
        &mut schema,
        "INSERT INTO fresh VALUES (1); ALTER TABLE other RENAME TO fresh2",
    );
    assert_eq!(empty(&schema), [false, false, false, false]);
    assert!(schema.known_empty(&name("fresh2")));
    assert_eq!(schema.count_rows(&name("fresh"), 10), Err(ProbeError::NotAvailable));
    schema.settle();
    assert!(!schema.known_empty(&name("fresh2")));
}

#[test]
fn a_sqlite_rebuild_keeps_the_rows_of_the_database() {
    let base = Recorded::over(replayed(
        Dialect::Sqlite,
        "CREATE TABLE User (id INTEGER PRIMARY KEY, a TEXT, b TEXT)",
    ));
    let mut schema = Schema::over(base.clone(), Context::new(Dialect::Sqlite));
    apply(
        &mut schema,
        r#"CREATE TABLE "new_User" ("id" INTEGER PRIMARY KEY, "a" TEXT NOT NULL, "c" TEXT);
        INSERT INTO "new_User" ("id", "a") SELECT "id", "a" FROM "User";
        DROP TABLE "User";
        ALTER TABLE "new_User" RENAME TO "User";"#,
    );
    assert_eq!(schema.count_rows(&name("user"), 10), Ok(10));
    assert_eq!(schema.count_nulls(&name("User"), "a", 5000), Ok(100));
    assert_eq!(schema.count_values(&name("User"), "c", 5000), Ok(0));
}

#[test]
fn a_rebuild_of_an_empty_table_leaves_it_empty() {
    let mut schema = replayed(Dialect::Sqlite, "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT)");
    apply(
        &mut schema,
        "CREATE TABLE new_t (id INTEGER PRIMARY KEY); INSERT INTO new_t (id) SELECT id FROM t; DROP TABLE t; ALTER TABLE new_t RENAME TO t;",
    );
    assert!(schema.known_empty(&name("t")));
}
