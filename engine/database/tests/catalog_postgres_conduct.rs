//! How the catalog behaves on a PostgreSQL server: what it hides, whom it serves, what it locks and how much it asks.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod catalog;

use std::time::Duration;

use postgres::{Client, Config, NoTls};
use tollgate_database::catalog::postgres::{CatalogOptions, PostgresCatalog};
use tollgate_schema::{Base, ProbeError};
use tollgate_sql::ObjectName;
use tollgate_sql::operation::ObjectKind;
use tollgate_testing::postgres::{Cluster, Setup, TestDatabase, cluster};

fn catalog_at(url: &str, options: CatalogOptions) -> PostgresCatalog {
    let config: Config = url.parse().unwrap();
    PostgresCatalog::new(
        move || Ok(config.connect(NoTls).expect("the test server answers")),
        options,
    )
}

fn catalog_of(database: &TestDatabase<'_>) -> PostgresCatalog {
    catalog_at(&database.url(), CatalogOptions::default())
}

fn name(text: &str) -> ObjectName {
    match text.split_once('.') {
        Some((schema, name)) => ObjectName::qualified(schema, name),
        None => ObjectName::qualified("public", text),
    }
}

fn names(names: &[ObjectName]) -> String {
    names.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

#[test]
fn an_invalid_index() {
    let database = cluster().database();
    database.psql("CREATE TABLE t (a int); INSERT INTO t VALUES (1), (1);");
    database
        .try_psql("CREATE UNIQUE INDEX CONCURRENTLY i ON t (a);")
        .unwrap_err();
    let relation = catalog_of(&database).relation(&name("t")).unwrap().unwrap();
    assert!(!relation.indexes[0].valid);
}

#[test]
fn the_systems_and_our_own_objects_are_invisible() {
    let database = cluster().database();
    database.psql(
        "CREATE SCHEMA tollgate; CREATE TABLE tollgate.runs (id int PRIMARY KEY);
        CREATE TABLE _prisma_migrations (id text PRIMARY KEY); CREATE TABLE mine (id int PRIMARY KEY);
        CREATE VIEW over AS SELECT * FROM _prisma_migrations; CREATE EXTENSION citext; CREATE TABLE uses (a citext);",
    );
    let catalog = catalog_of(&database);
    assert_eq!(catalog.schemas().unwrap(), ["public"]);
    assert_eq!(
        names(&catalog.relation_names().unwrap()),
        "public.mine public.over public.uses"
    );
    for hidden in [
        "_prisma_migrations",
        "tollgate.runs",
        "pg_catalog.pg_class",
        "information_schema.tables",
    ] {
        assert_eq!(catalog.relation(&name(hidden)).unwrap(), None, "{hidden}");
    }
    assert_eq!(catalog.index_owner(&name("_prisma_migrations_pkey")).unwrap(), None);
    // An extension's members are not listed, but found.
    assert!(catalog.names(ObjectKind::Type).unwrap().is_empty());
    assert!(catalog.names(ObjectKind::Function).unwrap().is_empty());
    assert!(catalog.user_type(&name("citext")).unwrap().is_some());
    let extensions = catalog.extensions().unwrap();
    assert!(extensions.contains(&("citext".to_owned(), "public".to_owned())));
    let dependents = catalog
        .dependents(ObjectKind::Extension, &ObjectName::bare("citext"))
        .unwrap();
    assert_eq!(catalog::dependents(&dependents), "Column public.uses.a");
}

#[test]
fn a_role_that_may_only_read() {
    let database = cluster().database();
    let role = format!("readonly_{}", std::process::id());
    database.psql(&format!(
        "CREATE ROLE {role} LOGIN; CREATE SCHEMA hidden; CREATE TABLE hidden.t (a serial PRIMARY KEY);
        CREATE VIEW hidden.v AS SELECT * FROM hidden.t; CREATE TYPE hidden.mood AS ENUM ('ok');
        CREATE FUNCTION hidden.f() RETURNS int LANGUAGE sql AS 'SELECT 1';"
    ));
    let catalog = catalog_at(&database.url_as(&role, None), CatalogOptions::default());
    let table = catalog.relation(&name("hidden.t")).unwrap().unwrap();
    assert_eq!(
        table.columns[0].default.as_deref(),
        Some("nextval('hidden.t_a_seq'::regclass)")
    );
    assert!(
        catalog
            .relation(&name("hidden.v"))
            .unwrap()
            .unwrap()
            .query
            .unwrap()
            .contains("hidden.t")
    );
    assert!(catalog.user_type(&name("hidden.mood")).unwrap().is_some());
    assert_eq!(
        catalog.sequence(&name("hidden.t_a_seq")).unwrap().unwrap().last_value,
        None
    );
    assert_eq!(catalog.functions(&name("hidden.f")).unwrap().len(), 1);
    assert_eq!(
        catalog.count_rows(&name("hidden.t"), 10),
        Err(ProbeError::Other("permission denied for schema hidden".to_owned()))
    );
    // The refusal has not spoiled the snapshot.
    assert!(catalog.relation(&name("hidden.nothing")).unwrap().is_none());
    drop(catalog);
    database.psql(&format!("DROP ROLE {role}"));
}

#[test]
fn probes() {
    let database = cluster().database();
    database.psql(
        r#"CREATE TABLE "T" (a int, "B" text); INSERT INTO "T" VALUES (1, 'x'), (1, 'x'), (2, NULL), (2, NULL), (3, 'y');
        CREATE VIEW slow AS SELECT 1 AS a FROM pg_sleep(5); CREATE TABLE guarded (a int);"#,
    );
    let options = CatalogOptions {
        probe_timeout: Duration::from_millis(200),
        ..CatalogOptions::default()
    };
    let catalog = catalog_at(&database.url(), options);
    let table = name("T");
    assert_eq!(catalog.count_rows(&table, 100), Ok(5));
    assert_eq!(catalog.count_rows(&table, 3), Ok(3));
    assert_eq!(catalog.count_values(&table, "B", 100), Ok(3));
    assert_eq!(catalog.count_nulls(&table, "B", 100), Ok(2));
    assert_eq!(catalog.count_duplicates(&table, &["a".into()], 100), Ok(2));
    assert_eq!(catalog.count_duplicates(&table, &["a".into(), "B".into()], 100), Ok(1));
    assert_eq!(catalog.count_rows(&name("slow"), 10), Err(ProbeError::TimedOut));
    assert_eq!(catalog.count_rows(&name("nothing"), 10), Err(ProbeError::UnknownObject));
    assert_eq!(
        catalog.count_nulls(&table, "nothing", 10),
        Err(ProbeError::UnknownObject)
    );
    assert_eq!(catalog.count_rows(&table, 100), Ok(5));
    catalog.end();
    assert_eq!(
        catalog.relation(&table).unwrap_err().message,
        "the catalog's snapshot has been closed"
    );
}

#[test]
fn one_moment_and_no_lock_left_behind() {
    let database = cluster().database();
    database
        .psql("CREATE TABLE t (a serial PRIMARY KEY); CREATE VIEW v AS SELECT a FROM t; SELECT nextval('t_a_seq');");
    let catalog = catalog_of(&database);
    catalog.prefetch(&[name("t"), name("v")]).unwrap();
    catalog.count_rows(&name("t"), 10).unwrap();
    catalog.sequence(&name("t_a_seq")).unwrap();
    catalog.dependents(ObjectKind::Table, &name("t")).unwrap();
    // Everything that was read can be changed and dropped by another connection while the catalog is open.
    database.psql(
        "SET lock_timeout = '2s'; ALTER SEQUENCE t_a_seq INCREMENT 2; ALTER TABLE t ADD b int; CREATE TABLE later (a int);
        DROP VIEW v; DROP TABLE t;",
    );
    assert_eq!(catalog.relation(&name("t")).unwrap().unwrap().columns.len(), 1);
    assert_eq!(names(&catalog.relation_names().unwrap()), "public.t public.v");
    assert_eq!(catalog.relation(&name("later")).unwrap(), None);
}

#[test]
fn waiting_for_a_lock_ends() {
    let database = cluster().database();
    database.psql("CREATE TABLE t (a int); CREATE VIEW v AS SELECT a FROM t;");
    let mut other = Client::connect(&database.url(), NoTls).unwrap();
    other.batch_execute("BEGIN; LOCK TABLE t").unwrap();
    let options = CatalogOptions {
        lock_timeout: Duration::from_millis(200),
        ..CatalogOptions::default()
    };
    let catalog = catalog_at(&database.url(), options);
    assert_eq!(
        catalog.relation(&name("v")).unwrap_err().message,
        "cannot read the catalog: canceling statement due to lock timeout"
    );
    other.batch_execute("ROLLBACK").unwrap();
    assert!(catalog.relation(&name("v")).unwrap().is_some());
}

/// The server's own log is the witness.
#[test]
fn the_number_of_queries_does_not_grow_with_the_database() {
    let setup = Setup {
        settings: vec![("log_statement".into(), "all".into())],
        ..Setup::default()
    };
    let server = Cluster::start(&setup).unwrap();
    let database = server.database();
    let tables = |range: std::ops::Range<u32>| {
        let table = |n| format!("CREATE TABLE t{n} (a serial PRIMARY KEY, b int UNIQUE REFERENCES t0 (a), c text);");
        range.map(table).collect::<String>()
    };
    database.psql(&format!("CREATE TABLE t0 (a serial PRIMARY KEY); {}", tables(1..10)));
    let log = server.socket_folder().unwrap().join("log");
    let queries = |work: &dyn Fn(&PostgresCatalog)| {
        let count = || {
            let text = std::fs::read_to_string(&log).unwrap();
            text.lines()
                .filter(|line| line.contains("LOG:  statement:") || line.contains("LOG:  execute"))
                .count()
        };
        let before = count();
        let catalog = catalog_of(&database);
        work(&catalog);
        drop(catalog);
        std::thread::sleep(Duration::from_millis(100));
        count() - before
    };
    let three = |catalog: &PostgresCatalog| {
        catalog
            .prefetch(&[name("t1"), name("t2"), name("t3"), name("new")])
            .unwrap();
        for asked in ["t1", "t2", "t3", "t1", "new", "t2"] {
            assert_eq!(catalog.relation(&name(asked)).unwrap().is_some(), asked != "new");
        }
        assert!(catalog.relation_names().unwrap().len() >= 10);
        assert!(catalog.referencing(&name("t0")).unwrap().len() >= 9);
        assert!(catalog.referencing(&name("t1")).unwrap().is_empty());
        assert_eq!(catalog.index_owner(&name("t1_pkey")).unwrap(), Some(name("t1")));
    };
    let few = queries(&three);
    database.psql(&tables(10..500));
    assert_eq!(queries(&three), few);
    let all = |catalog: &PostgresCatalog| {
        let names = catalog.relation_names().unwrap();
        catalog.prefetch(&names).unwrap();
        assert!(names.iter().all(|name| catalog.relation(name).unwrap().is_some()));
    };
    assert!(queries(&all) <= few, "{} for all, {few} for three", queries(&all));
    assert!(few < 30, "{few}");
}
