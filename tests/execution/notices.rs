//! What a server says on the side.

use insta::assert_snapshot;

use crate::{postgres, run};

const SAYS: &str = "DROP TABLE IF EXISTS nope;\n\nDO $$ BEGIN\n  RAISE WARNING 'look' USING DETAIL = 'closely', HINT = 'here';\n  \
                    RAISE INFO 'for whoever watches';\nEND $$;\n";

#[test]
fn notices_are_shown_and_kept() {
    let (project, database) = postgres();
    project.migration("1_says", SAYS);
    project.migration("2_says_nothing", "CREATE TABLE a (id int);\n");
    assert_snapshot!(run(&project, &["deploy"]), @r#"
    status: 0
    -- stdout
    applied 1_says [duration]
    applied 2_says_nothing [duration]
    2 migrations applied in [duration]
    -- stderr
    1_says: NOTICE: table "nope" does not exist, skipping
    1_says: WARNING: look
    "#);
    let logs = "SELECT logs FROM _prisma_migrations WHERE migration_name = ";
    assert_snapshot!(database.psql(&format!("{logs}'1_says'")), @r#"
    NOTICE at line 1: table "nope" does not exist, skipping
    WARNING at line 3: look
    DETAIL: closely
    HINT: here
    "#);
    let silent = "SELECT logs IS NULL FROM _prisma_migrations WHERE migration_name = '2_says_nothing'";
    assert_eq!(database.psql(silent).trim(), "t", "as Prisma has it");
    assert_snapshot!(run(&project, &["status", "--all"]), @r#"
    status: 0
    -- stdout
    PostgreSQL database "[database]", schema "public" at 127.0.0.1:[port]
    applied     1_says
        NOTICE at line 1: table "nope" does not exist, skipping
        WARNING at line 3: look
        DETAIL: closely
        HINT: here
    applied     2_says_nothing
    2 migrations: 2 applied; the database is up to date
    "#);
    let status = project.succeed(&["status", "--format", "json"]).json();
    assert!(
        status["migrations"][0]["logs"]
            .as_str()
            .unwrap()
            .starts_with("NOTICE at line 1: ")
    );
    assert!(status["migrations"][1]["logs"].is_null());
}

#[test]
fn information_is_shown_to_those_who_ask() {
    let (project, _database) = postgres();
    project.migration("1_says", SAYS);
    let outcome = project.succeed(&["deploy", "--verbose"]);
    assert!(
        outcome.stderr.contains("1_says: INFO: for whoever watches"),
        "{outcome}"
    );
}

#[test]
fn a_failed_migration_keeps_what_was_said_too() {
    let (project, database) = postgres();
    project.migration("1_says", &format!("{SAYS}SELECT nope;\n"));
    assert_eq!(project.run(&["deploy"]).status, Some(1));
    let logs = database.psql("SELECT logs FROM _prisma_migrations");
    assert!(logs.contains("ERROR: column \"nope\" does not exist"), "{logs}");
    assert!(logs.trim_end().ends_with("HINT: here"), "{logs}");
}

#[test]
fn a_loop_does_not_fill_the_ledger() {
    let (project, database) = postgres();
    project.migration(
        "1_says",
        "DO $$ BEGIN FOR i IN 1..5000 LOOP RAISE NOTICE 'row % of this table was looked at', i; END LOOP; END $$;\n",
    );
    project.succeed(&["deploy", "--quiet"]);
    let size: usize = database
        .psql("SELECT length(logs) FROM _prisma_migrations")
        .trim()
        .parse()
        .unwrap();
    assert!((60_000..66_000).contains(&size), "{size}");
    let end = database.psql("SELECT right(logs, 16) FROM _prisma_migrations");
    assert!(end.contains(" more not kept)"), "{end}");
}
