//! What a file does to its session must reach neither the ledger nor the next file.

use tollgate_database::ExecuteOptions;

use crate::support::{connect, postgres, sqlite};

#[test]
fn settings_role_and_search_path_end_with_the_file() {
    let mut fixture = postgres();
    let role = format!("plain_{}", std::process::id());
    fixture.ask(&format!(
        "DROP ROLE IF EXISTS {role}; CREATE ROLE {role}; CREATE SCHEMA other; GRANT ALL ON SCHEMA other TO {role}"
    ));
    let sql = format!(
        "SET search_path = other;\nSET ROLE {role};\nSET statement_timeout = '1h';\nCREATE TABLE a (id int);\n\
         CREATE INDEX CONCURRENTLY a_id ON a (id);\nCREATE TABLE b (id int);\nCREATE TEMP TABLE t (id int);"
    );
    fixture.apply("1_a", &sql).unwrap();
    assert_eq!(
        fixture.ask("SELECT string_agg(relname || ' ' || relowner::regrole, ',' ORDER BY relname) FROM pg_class WHERE relnamespace = 'other'::regnamespace AND relkind = 'r'"),
        format!("a {role},b {role}"),
        "the file's own settings hold for all of it"
    );
    fixture
        .apply("2_b", "CREATE TABLE settings AS SELECT current_setting('search_path') AS path, current_user = session_user AS same, current_setting('statement_timeout') AS timeout, to_regclass('t') IS NULL AS gone;")
        .unwrap();
    assert_eq!(fixture.ask("SELECT * FROM public.settings"), "public|t|0|t");
    fixture.ask(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
}

#[test]
fn a_failed_file_leaves_no_settings_either() {
    let mut fixture = postgres();
    fixture
        .apply("1_a", "SET search_path = nowhere;\nCREATE TABLE a (id int);")
        .unwrap_err();
    fixture.apply("2_b", "CREATE TABLE a (id int);").unwrap();
    assert_eq!(fixture.ask("SELECT to_regclass('public.a') IS NOT NULL"), "t");
}

#[test]
fn the_ledger_stays_in_the_schema_of_the_url() {
    let fixture = postgres();
    let url = format!(
        "{}{}schema=app%20one",
        fixture.url(),
        if fixture.url().contains('?') { "&" } else { "?" }
    );
    let mut database = connect(&url);
    let options = ExecuteOptions::default();
    crate::support::apply(
        &mut database,
        "1_a",
        "CREATE TABLE a (id int); SET search_path = public;",
        &options,
        &mut |_| {},
    )
    .unwrap();
    assert_eq!(fixture.ask("SELECT count(*) FROM \"app one\".a"), "0");
    assert_eq!(
        fixture.ask("SELECT migration_name FROM \"app one\"._prisma_migrations"),
        "1_a"
    );
    assert_eq!(database.context().search_path, ["app one"]);
}

#[test]
fn sqlite_sessions_start_afresh() {
    let mut fixture = sqlite();
    fixture
        .apply("1_a", "PRAGMA foreign_keys=OFF;\nPRAGMA legacy_alter_table=ON;\nCREATE TEMP TABLE t (id INTEGER);\nCREATE TABLE a (id INTEGER);")
        .unwrap();
    fixture
        .apply("2_b", "CREATE TABLE b AS SELECT foreign_keys AS fk, legacy_alter_table AS legacy, (SELECT count(*) FROM sqlite_temp_master) AS temps FROM pragma_foreign_keys, pragma_legacy_alter_table;")
        .unwrap();
    assert_eq!(fixture.ask("SELECT * FROM b"), "1|0|0");
}

#[test]
fn a_files_own_limits_win() {
    let mut fixture = postgres();
    let options = ExecuteOptions {
        lock_timeout: Some(std::time::Duration::from_secs(7)),
        statement_timeout: Some(std::time::Duration::from_secs(8)),
        ..ExecuteOptions::default()
    };
    let show =
        "INSERT INTO seen SELECT current_setting('lock_timeout') || ' ' || current_setting('statement_timeout');";
    let sql = format!(
        "CREATE TABLE seen (what text); {show} SET lock_timeout = '1s'; {show} CREATE INDEX CONCURRENTLY ON seen (what); {show}\n\
         BEGIN; SET TRANSACTION ISOLATION LEVEL SERIALIZABLE; {show} INSERT INTO seen SELECT current_setting('transaction_isolation'); COMMIT;"
    );
    fixture.apply_with("1_a", &sql, &options).0.unwrap();
    assert_eq!(
        fixture.ask("SELECT string_agg(what, ', ' ORDER BY ctid) FROM seen"),
        "7s 8s, 1s 8s, 1s 8s, 1s 8s, serializable"
    );
}

/// The setting must survive what is put back between migrations, so the second one asks for it.
#[test]
fn a_server_on_linux_looks_whether_its_client_is_still_there() {
    let mut fixture = postgres();
    if fixture.ask("SELECT version()").contains("linux") {
        fixture.apply("1_a", "SET statement_timeout = '1min';").unwrap();
        fixture
            .apply(
                "2_b",
                "CREATE TABLE seen AS SELECT current_setting('client_connection_check_interval') AS interval;",
            )
            .unwrap();
        assert_eq!(fixture.ask("SELECT interval FROM seen"), "1s");
    }
}
