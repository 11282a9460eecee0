//! A database that is well.

use insta::assert_snapshot;
use regex::Regex;
use tollgate_testing::postgres::cluster;
use tollgate_testing::sqlite_file;

use crate::diagnosis::{Diagnosis, on};

/// Without what depends on the server, the machine and the day.
fn steady(text: &str) -> String {
    let changing = [
        (
            r"(?m)^  \S+ +version .*$(\n +→ .*)?",
            "  ok version                 [version]",
        ),
        (r"(?m)^  ok dns .*$", "  ok dns                     [name]"),
        (
            r"(?m)^  ok connections .*$",
            "  ok connections             [connections]",
        ),
        (r"(?m)^  \S+ +fsync .*\n +→ .*\n", ""),
        (r"\d+(\.\d+)? (B|kB|MB|GB|TB)\b", "[size]"),
        (r"\d+ million of", "[number] million of"),
        (r"in \d+ ms", "in [duration]"),
        (
            r"(\d warnings?, )?(\d notes?; )?\d+ in order|\d warnings?; \d+ in order",
            "[counts]",
        ),
    ];
    // Where lines are broken depends on how long things took.
    let text = Regex::new(r"\n {27,}([^ →])")
        .unwrap()
        .replace_all(text, " $1")
        .into_owned();
    changing.iter().fold(text, |text, (pattern, shown)| {
        Regex::new(pattern).unwrap().replace_all(&text, *shown).into_owned()
    })
}

#[test]
fn postgres() {
    let database = cluster().database();
    let project = on(&database.url());
    project.succeed(&["deploy"]);
    let outcome = project.run(&["doctor"]);
    assert_eq!(outcome.status, Some(0), "{outcome}");
    assert_snapshot!(steady(&outcome.stdout), @r#"
    PostgreSQL database "[database]", schema "public" at 127.0.0.1:[port]

    Connection
      ok dns                     [name]
      ok tcp                     127.0.0.1:[port] answers ([duration])
      ok tls                     not offered by the server, and not demanded; the connection stays on this machine ([duration])
      ok authentication          postgres may log in (no password asked for); a new connection all in all ([duration])
      ok round-trip              an empty question and its answer ([duration])

    Server
      ok version                 [version]
      ok writable                the server takes writes
      ok connections             [connections]
      ok clock                   server and this machine agree about the time
      ok settings                time zone UTC, encoding UTF8, collation C
      ok time-limits             the server sets no time limits for this role

    Privileges
      ok role                    postgres, a superuser: it may do everything
      ok schema                  may create in schema public
      ok ledger-access           may read and write the ledger
      ok state-access            may read and write Tollgate's own tables
      ok ownership               owns all 2 tables, views and sequences of the schema
      ok monitoring              sees what other sessions do
      ok signalling              may end other sessions (`tollgate lock release --force`)

    Pooler and replicas
      ok pooler                  none that lends server processes out per transaction
      ok replicas                no standby is connected
      ok replication-slots       no replication slots

    Load
      ok sessions                no other sessions in the database
      ok long-transactions       no transaction is older than a minute
      ok idle-in-transaction     no session idles in a transaction
      ok blocked-sessions        no session waits for a lock
      ok prepared-transactions   no prepared transactions
      ok wraparound              [number] million of 2000 million transaction numbers are in use

    Locks
      ok migration-lock          nobody holds the migration lock (72707369)
      ok lease                   nobody has leased the migration lock
      ok advisory-locks          no other advisory locks

    Ledger
      ok ledger                  2 rows, 2 of them applied
      ok last-rows               newest row: 2_posts applied [time] in [duration]
      ok unfinished-migrations   no migration is left unfinished
      ok duplicate-rows          no migration is recorded twice
      ok missing-migrations      every applied migration is in the folder
      ok pending-migrations      every migration of the folder is applied
      ok state                   Tollgate's own tables are there (version 2)
      ok outbox                  no notification waits to be delivered

    Database
      ok size                    [database] has [size]
      ok largest-tables          largest: tollgate.runs [size], public._prisma_migrations [size], tollgate.__diesel_schema_migrations [size]
      ok invalid-indexes         all indexes are valid
      ok unvalidated-constraints all constraints are validated
      ok extensions              no extensions are installed

    Migrations
      ok folder                  all 2 migrations of the folder can be read

    [counts]; nothing was changed
    "#);
    let diagnosis = Diagnosis::of(&project);
    assert_eq!(diagnosis.status, Some(0));
    assert_eq!(diagnosis.document["healthy"], true);
    assert_eq!(diagnosis.document["connected"], true);
    assert_eq!(diagnosis.complaints(), "");
    for timed in ["tcp", "tls", "authentication", "round-trip"] {
        assert!(
            diagnosis.finding(timed)["milliseconds"].as_f64() >= Some(0.0),
            "{timed}"
        );
    }
}

#[test]
fn sqlite() {
    let file = sqlite_file();
    let project = on(&file.url());
    project.succeed(&["deploy"]);
    let outcome = project.run(&["doctor"]);
    assert_eq!(outcome.status, Some(0), "{outcome}");
    assert_snapshot!(steady(&outcome.stdout), @"
    SQLite database [folder]/test.db

    Connection
      ok file                    [folder]/test.db, [size]
      ok access                  file and folder may be written
      ok disk-space              [size] free on the disk
      ok open                    the file opens as an SQLite database

    Server
      ok version                 [version]
      ok journal                 journal mode delete, encoding UTF-8
      ok integrity               the file is sound (quick_check)
      ok foreign-keys            every foreign key leads to a row

    Locks
      ok migration-lock          nobody holds the migration lock
      ok lease                   nobody has leased the migration lock

    Ledger
      ok ledger                  2 rows, 2 of them applied
      ok last-rows               newest row: 2_posts applied [time] in [duration]
      ok unfinished-migrations   no migration is left unfinished
      ok duplicate-rows          no migration is recorded twice
      ok missing-migrations      every applied migration is in the folder
      ok pending-migrations      every migration of the folder is applied
      ok state                   Tollgate's own tables are there (version 2)
      ok outbox                  no notification waits to be delivered

    Database
      ok size                    the database has [size]
      ok largest-tables          largest: _prisma_migrations [size], posts [size], users [size]

    Migrations
      ok folder                  all 2 migrations of the folder can be read

    everything is in order
    ");
    assert_eq!(Diagnosis::of(&project).complaints(), "");
}

#[test]
fn verbose_shows_what_is_in_order_and_quiet_only_what_is_not() {
    let file = sqlite_file();
    let project = on(&file.url());
    project.succeed(&["deploy"]);
    let verbose = project.run(&["doctor", "-v"]);
    assert!(verbose.stdout.contains("1_users applied [time]"), "{verbose}");
    assert!(
        verbose.stdout.contains("main: ") || verbose.stdout.contains("users: "),
        "{verbose}"
    );
    assert_snapshot!(project.run(&["doctor", "-q"]), @"
    status: 0
    -- stdout
    SQLite database [folder]/test.db

    everything is in order
    ");
    file.sqlite3("INSERT INTO _prisma_migrations (id, checksum, migration_name) VALUES ('x', 'x', '2_posts')");
    assert_snapshot!(project.run(&["doctor", "-q"]), @"
    status: 5
    -- stdout
    SQLite database [folder]/test.db

    Ledger
      x  unfinished-migrations   1 migration was begun and not finished: 2_posts
                                 2_posts begun [time], not finished
                                 → unless a deploy is running now: `tollgate status` says what is left
                                   of it; a deploy goes on where that is certain, otherwise `tollgate
                                   resolve --applied 2_posts` or `--rolled-back 2_posts`

    1 problem; 20 in order; nothing was changed
    ");
}

#[test]
fn nothing_is_changed_by_looking() {
    let database = cluster().database();
    let project = on(&database.url());
    let before = database.schema();
    assert_eq!(Diagnosis::of(&project).status, Some(0));
    assert_eq!(database.schema(), before);
    project.succeed(&["deploy"]);
    let state = "SELECT sum(n) FROM (SELECT count(*) AS n FROM _prisma_migrations UNION ALL SELECT count(*) FROM tollgate.runs) q";
    let before = (database.schema(), database.psql(state));
    assert_eq!(Diagnosis::of(&project).status, Some(0));
    assert_eq!((database.schema(), database.psql(state)), before);

    let file = sqlite_file();
    let project = on(&file.url());
    assert_eq!(Diagnosis::of(&project).status, Some(0));
    assert_eq!(std::fs::read_dir(file.folder()).unwrap().count(), 0, "no file was made");
}
