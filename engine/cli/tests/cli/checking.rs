//! What the bundled policies find, and how the configuration and the scripts change that.

use insta::assert_snapshot;

use crate::support::{project, timeless};

const DROP: &str = "DROP TABLE users;\n";

#[test]
fn what_loses_data_is_blocked() {
    let project = project();
    project.write("migrations/3_drop/migration.sql", DROP);
    assert_snapshot!(timeless(&project.run(&["check"])), @"
    exit status 3
    --- stdout
    3 migrations checked: 1 blocking, 2 warnings, 3 notes
    --- stderr
    conventions::migration-name

      ☞ migrations/1_users/migration.sql: the name 1_users could say more: it does not begin with the
      │ time as YYYYMMDDHHMMSS_; it does not begin with what is done (add, drop, rename, …)
      help: rename the folder before it is deployed anywhere, for example as
            [time]_add_email_to_users

    conventions::migration-name

      ☞ migrations/2_index/migration.sql: the name 2_index could say more: it does not begin with the
      │ time as YYYYMMDDHHMMSS_; it does not name users, all that it changes
      help: rename the folder before it is deployed anywhere, for example as
            [time]_add_email_to_users

    destructive::unique-on-existing-data

      ⚠ adds the unique index (email) to users, which fails where rows share their values
       ╭─[migrations/2_index/migration.sql:1:1]
     1 │ CREATE UNIQUE INDEX users_email ON users (email);
       · ────────────────────────┬───────────────────────
       ·                         ╰── medium
       ╰────
      help: find and merge the duplicates first

    conventions::migration-name

      ☞ migrations/3_drop/migration.sql: the name 3_drop could say more: it does not begin with the
      │ time as YYYYMMDDHHMMSS_; it does not name users, all that it changes
      help: rename the folder before it is deployed anywhere, for example as
            [time]_add_email_to_users

    destructive::drop-table

      × drops the table users with all its rows
       ╭─[migrations/3_drop/migration.sql:1:1]
     1 │ DROP TABLE users;
       · ────────┬───────
       ·         ╰── high: blocks a deploy
       ╰────
      help: rename the table first and drop it later, or keep a copy of its rows

    tollgate::rollback-procedure

      ⚠ has no way back from what destructive/drop-table reports: there is no down.sql, and the
      │ generated rollback does not bring back the rows of users
       ╭─[migrations/3_drop/migration.sql:1:1]
     1 │ DROP TABLE users;
       · ────────┬───────
       ·         ╰── medium
       ╰────
      help: write a down.sql, or say in the file how it is taken back: `-- rollback: …`
    ");
    assert_snapshot!(timeless(&project.run(&["check", "1_users"])), @"
    exit status 0
    --- stdout
    1 migration checked: 1 note
    --- stderr
    conventions::migration-name

      ☞ migrations/1_users/migration.sql: the name 1_users could say more: it does not begin with the
      │ time as YYYYMMDDHHMMSS_; it does not begin with what is done (add, drop, rename, …)
      help: rename the folder before it is deployed anywhere, for example as
            [time]_add_email_to_users
    ");
    assert_snapshot!(timeless(&project.run(&["deploy"])), @"
    exit status 0
    --- stdout
    applied 1_users [n] ms
    applied 2_index [n] ms
    applied 3_drop [n] ms
    3 migrations checked: 3 notes
    3 migrations applied in [n] ms
    ");
    project.write(
        "migrations/3_drop/migration.sql",
        &format!("-- tollgate:allow drop-table -- nobody uses it\n{DROP}"),
    );
    assert_snapshot!(timeless(&project.run(&["check"])), @"
    exit status 0
    --- stdout
    3 migrations checked: 2 warnings, 3 notes, 1 allowed by comments
    --- stderr
    conventions::migration-name

      ☞ migrations/1_users/migration.sql: the name 1_users could say more: it does not begin with the
      │ time as YYYYMMDDHHMMSS_; it does not begin with what is done (add, drop, rename, …)
      help: rename the folder before it is deployed anywhere, for example as
            [time]_add_email_to_users

    conventions::migration-name

      ☞ migrations/2_index/migration.sql: the name 2_index could say more: it does not begin with the
      │ time as YYYYMMDDHHMMSS_; it does not name users, all that it changes
      help: rename the folder before it is deployed anywhere, for example as
            [time]_add_email_to_users

    destructive::unique-on-existing-data

      ⚠ adds the unique index (email) to users, which fails where rows share their values
       ╭─[migrations/2_index/migration.sql:1:1]
     1 │ CREATE UNIQUE INDEX users_email ON users (email);
       · ────────────────────────┬───────────────────────
       ·                         ╰── medium
       ╰────
      help: find and merge the duplicates first

    conventions::migration-name

      ☞ migrations/3_drop/migration.sql: the name 3_drop could say more: it does not begin with the
      │ time as YYYYMMDDHHMMSS_; it does not name users, all that it changes
      help: rename the folder before it is deployed anywhere, for example as
            [time]_add_email_to_users

    tollgate::rollback-procedure

      ⚠ has no way back from what destructive/drop-table reports: there is no down.sql, and the
      │ generated rollback does not bring back the rows of users
       ╭─[migrations/3_drop/migration.sql:2:1]
     1 │ -- tollgate:allow drop-table -- nobody uses it
     2 │ DROP TABLE users;
       · ────────┬───────
       ·         ╰── medium
       ╰────
      help: write a down.sql, or say in the file how it is taken back: `-- rollback: …`
    ");
}

#[test]
fn rules_get_their_levels_from_the_configuration() {
    let project = project();
    project.write("migrations/3_drop/migration.sql", DROP);
    project.write("tollgate.toml", "[plugins.destructive.rules]\ndrop-table = \"off\"\n");
    assert_snapshot!(timeless(&project.run(&["check"])), @"
    exit status 0
    --- stdout
    3 migrations checked: 1 warning, 3 notes
    --- stderr
    conventions::migration-name

      ☞ migrations/1_users/migration.sql: the name 1_users could say more: it does not begin with the
      │ time as YYYYMMDDHHMMSS_; it does not begin with what is done (add, drop, rename, …)
      help: rename the folder before it is deployed anywhere, for example as
            [time]_add_email_to_users

    conventions::migration-name

      ☞ migrations/2_index/migration.sql: the name 2_index could say more: it does not begin with the
      │ time as YYYYMMDDHHMMSS_; it does not name users, all that it changes
      help: rename the folder before it is deployed anywhere, for example as
            [time]_add_email_to_users

    destructive::unique-on-existing-data

      ⚠ adds the unique index (email) to users, which fails where rows share their values
       ╭─[migrations/2_index/migration.sql:1:1]
     1 │ CREATE UNIQUE INDEX users_email ON users (email);
       · ────────────────────────┬───────────────────────
       ·                         ╰── medium
       ╰────
      help: find and merge the duplicates first

    conventions::migration-name

      ☞ migrations/3_drop/migration.sql: the name 3_drop could say more: it does not begin with the
      │ time as YYYYMMDDHHMMSS_; it does not name users, all that it changes
      help: rename the folder before it is deployed anywhere, for example as
            [time]_add_email_to_users
    ");
    project.write("tollgate.toml", "[plugins.destructive.rules]\ndrop-tabel = \"off\"\n");
    assert_snapshot!(timeless(&project.run(&["check"])), @r#"
    exit status 2
    --- stderr
    config::plugin

      × the plugin destructive has no rule drop-tabel; did you mean drop-table?
       ╭─[tollgate.toml:2:14]
     1 │ [plugins.destructive.rules]
     2 │ drop-tabel = "off"
       ·              ──┬──
       ·                ╰── here
       ╰────
      help: `tollgate plugin list --rules` names the rules
    "#);
}
