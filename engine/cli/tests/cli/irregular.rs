//! Databases that cannot be had, and folders and histories that are not as they should be.

use insta::assert_snapshot;

use crate::support::{Project, USERS, project, timeless};

#[test]
fn a_bad_url_is_explained() {
    let project = project();
    let run = |url: &str| project.run(&["status", "--database-url", url]);
    assert_snapshot!(run("mysql://root:hidden@db/shop"), @"
    exit status 2
    --- stderr
    config::database-url

      × MySQL databases are not supported yet
      help: PostgreSQL and SQLite are; it is from --database-url
    ");
    assert_snapshot!(run("postgres://app:hidden@db/shop?sslmood=require"), @r#"
    exit status 2
    --- stderr
    config::database-url

      × the database URL has an unknown parameter "sslmood"
      help: known are schema, sslmode, sslcert, sslkey, sslrootcert, sslidentity, sslpassword,
            sslaccept, host, options, application_name, channel_binding, connect_timeout, pgbouncer,
            and (without effect here) connection_limit, pool_timeout, socket_timeout,
            statement_cache_size, max_connection_lifetime, max_idle_connection_lifetime,
            single_use_connections; it is from --database-url
    "#);
    assert_snapshot!(run("shop"), @"
    exit status 2
    --- stderr
    config::database-url

      × the database URL does not start with postgresql://, postgres://, file: or sqlite:
      help: write postgresql://USER:PASSWORD@HOST:5432/DATABASE or file:./dev.db; it is from
            --database-url
    ");
}

#[test]
fn an_unreachable_server_is_named_without_its_password() {
    let project = Project::with(&[("migrations/1_users/migration.sql", USERS)]);
    let url = "postgres://app:hidden-password@127.0.0.1:1/shop";
    assert_snapshot!(project.run(&["status", "--database-url", url]), @r#"
    exit status 1
    --- stderr
    database

      × cannot reach PostgreSQL database "shop", schema "public" at 127.0.0.1:1: error connecting to
      │ server: Connection refused (os error 111)
      help: check that the server runs and that host and port are right
      the database now: nothing was changed
    "#);
    assert_snapshot!(project.run(&["deploy", "--database-url", url]), @r#"
    exit status 1
    --- stderr
    database

      × cannot reach PostgreSQL database "shop", schema "public" at 127.0.0.1:1: error connecting to
      │ server: Connection refused (os error 111)
      help: check that the server runs and that host and port are right
      the database now: nothing was changed
    "#);
}

#[test]
fn a_folder_for_the_database_must_be_there() {
    let project = project();
    let run = |url: &str| project.run(&["deploy", "--database-url", url]);
    assert_snapshot!(timeless(&run("file:./nowhere/dev.db")), @"
    exit status 0
    --- stdout
    applied 1_users [n] ms
    applied 2_index [n] ms
    2 migrations checked: 2 notes
    2 migrations applied in [n] ms
    ");
    project.write("in-the-way", "");
    assert_snapshot!(run("file:./in-the-way/dev.db"), @"
    exit status 1
    --- stderr
    database

      × cannot open SQLite database in-the-way/dev.db: cannot make the folder in-the-way: File exists
      │ (os error 17)
      help: check the path in the URL, and that this user may read and write the file and its folder
      the database now: nothing was changed
    ");
    assert_snapshot!(run("file:./migrations"), @"
    exit status 1
    --- stderr
    database

      × SQLite database migrations cannot be used: it is a folder
      the database now: nothing was changed
    ");
}

#[test]
fn a_file_that_is_no_database_is_left_alone() {
    let project = project();
    project.write(
        "dev.db",
        "this is a text and not a database, and long enough to be sure of it\n",
    );
    assert_snapshot!(project.run(&["deploy"]), @"
    exit status 1
    --- stderr
    database

      × cannot open SQLite database dev.db: file is not a database
      help: the file holds something else: name another one in the URL
      the database now: nothing was changed
    ");
    assert!(project.read("dev.db").starts_with("this is a text"));
}

#[test]
fn irregular_folders_are_explained() {
    let project = project();
    project.write("migrations/3_empty/notes.txt", "");
    assert_snapshot!(project.run(&["check"]), @"
    exit status 2
    --- stderr
    folder

      × no migration.sql in migrations/3_empty
      help: add the file, or remove the folder if the migration was given up
      the database now: nothing was changed
    ");
    let project = self::project();
    project.write("migrations/1_Users/migration.sql", USERS);
    assert_snapshot!(project.run(&["check"]), @"
    exit status 2
    --- stderr
    folder

      × the folders 1_Users and 1_users differ only in case
      help: rename one of them: on macOS and Windows they would be one folder
      the database now: nothing was changed
    ");
    let project = self::project();
    project.write("migrations/migration_lock.toml", "provider = \"postgresql\"\n");
    assert_snapshot!(project.run(&["status"]), @"
    exit status 2
    --- stderr
    folder

      × migrations/migration_lock.toml says provider postgresql, but the database is SQLite
      help: use a URL of that provider, or change the file if the project has moved
      the database now: nothing was changed
    ");
    project.write("migrations/migration_lock.toml", "provider = postgresql");
    assert_snapshot!(project.run(&["status"]), @r#"
    exit status 2
    --- stderr
    folder

      × migrations/migration_lock.toml: string values must be quoted, expected literal string
      help: it should hold one line such as `provider = "postgresql"`
      the database now: nothing was changed
    "#);
}

#[test]
fn irregular_histories_are_explained() {
    let project = project();
    assert_eq!(project.run(&["deploy"]).status, 0);
    project.write("migrations/2_index/migration.sql", "-- changed\n");
    project.write("migrations/0_late/migration.sql", "");
    assert_snapshot!(project.run(&["status"]), @"
    exit status 5
    --- stdout
    SQLite database dev.db
    pending     0_late  later ones are applied
    applied     1_users
    applied     2_index  edited since it was applied
    3 migrations: 2 applied, 1 pending, 1 edited; next: put 2_index back as it was applied
    ");
    assert_snapshot!(project.run(&["deploy"]), @r#"
    exit status 5
    --- stderr
    edited-migration

      × 1 migration was edited after being applied: 2_index
      help: put the files back as they were applied and write a new migration for the change;
            `migrations.edited = "warn"` lets a deploy go on
      the database now: nothing was changed
    "#);
    std::fs::remove_dir_all(project.root().join("migrations/2_index")).unwrap();
    assert_snapshot!(project.run(&["status"]), @"
    exit status 5
    --- stdout
    SQLite database dev.db
    pending     0_late  later ones are applied
    applied     1_users
    applied     2_index  not in the folder
    the last one in both folder and database is 1_users
    3 migrations: 2 applied, 1 pending, 1 missing; next: `tollgate deploy`
    ");
}
