//! Receipts: what shows that something was deployed to staging where staging cannot be reached, and what shows nothing.

use insta::assert_snapshot;

use crate::first::{alike, two_environments};
use crate::session::{blog, both, tables};
use crate::support::{configure, talk_with};

const KEY: &str = "cafe0123456789abcdef0123456789abcdef";
const SIGNED: (&str, &str) = ("TOLLGATE_RECEIPT_KEY", KEY);

#[test]
fn a_receipt_shows_it_where_staging_cannot_be_reached() {
    let seen = both(|project, database| {
        let staging = database.another();
        staging.run("VACUUM;");
        two_environments(project, None, database);
        let there = staging.url();
        let there = ("STAGING_DATABASE_URL", there.as_str());
        let without_key = talk_with(project, &[there], &["-e staging deploy --receipt receipt.json"]);
        assert_eq!(tables(&staging), "", "nothing was begun");
        let written = talk_with(
            project,
            &[there, SIGNED],
            &[
                "-e staging deploy --to 2_posts --receipt old.json",
                "-e staging deploy --receipt receipt.json",
            ],
        );
        let seen = talk_with(
            project,
            &[SIGNED],
            &[
                "-e production deploy",
                "-e production deploy --receipt-from old.json",
                "-e production deploy --receipt-from missing.json",
                "-e production deploy --receipt-from receipt.json",
            ],
        );
        assert_eq!(tables(database), "posts users");
        let all = without_key + &written + &seen;
        assert!(!all.contains(KEY));
        alike(&all)
    });
    assert_snapshot!(seen, @r#"
    $ tollgate -e staging deploy --receipt receipt.json
    status: 2
    -- stderr
    receipt::key

      × there is no key that signs receipts
      help: set TOLLGATE_RECEIPT_KEY for both deploys to what `openssl rand -hex 32` prints, or name
            another variable: `key = "env:NAME"` under [receipt] in tollgate.toml


    $ tollgate -e staging deploy --to 2_posts --receipt old.json
    status: 0
    -- stdout
    applied 1_users [duration]
    applied 2_posts [duration]
    2 migrations applied in [duration]
    wrote old.json

    $ tollgate -e staging deploy --receipt receipt.json
    status: 0
    -- stdout
    applied 3_views [duration]
    1 migration applied in [duration]
    wrote receipt.json

    $ tollgate -e production deploy
    status: 3
    -- stdout
    3 migrations checked: nothing found
    blocked; nothing was applied
    -- stderr
    requirement

      × staging has to come first
      help: nothing shows what is deployed there: STAGING_DATABASE_URL is not set
            set the URL, or pass with --receipt-from what a deploy to staging has written with
            --receipt


    $ tollgate -e production deploy --receipt-from old.json
    status: 3
    -- stdout
    3 migrations checked: nothing found
    blocked; nothing was applied
    -- stderr
    requirement

      × staging has to come first
      help: not applied there: 3_views
            looked at […]
            deploy the same files to staging first


    $ tollgate -e production deploy --receipt-from missing.json
    status: 1
    -- stderr
    receipt::file

      × cannot read missing.json: No such file or directory (os error 2)


    $ tollgate -e production deploy --receipt-from receipt.json
    status: 0
    -- stdout
    applied 1_users [duration]
    applied 2_posts [duration]
    applied 3_views [duration]
    3 migrations applied in [duration]
    "#);
}

#[test]
fn a_receipt_that_is_forged_edited_or_foreign_proves_nothing() {
    let seen = both(|project, database| {
        let staging = database.another();
        staging.run("VACUUM;");
        two_environments(project, Some(&staging), database);
        talk_with(project, &[SIGNED], &["-e staging deploy --receipt receipt.json"]);
        let text = std::fs::read_to_string(project.path().join("receipt.json")).unwrap();
        assert!(!text.contains(KEY));

        // A migration that staging has not seen, written into the receipt.
        project.migration("4_more", "CREATE TABLE more (id integer);\n");
        let checksum = crate::session::checksum("CREATE TABLE more (id integer);\n");
        let more = format!("\"migrations\": [{{\"name\": \"4_more\", \"checksum\": \"{checksum}\"}},");
        project.file("edited.json", &text.replacen("\"migrations\": [", &more, 1));
        let edited = talk_with(project, &[SIGNED], &["-e production deploy --receipt-from edited.json"]);

        let other = KEY.replace("cafe", "beef");
        let other = ("TOLLGATE_RECEIPT_KEY", other.as_str());
        let forged = talk_with(project, &[other], &["-e production deploy --receipt-from receipt.json"]);

        let there = staging.url();
        let there = ("PREVIEW_DATABASE_URL", there.as_str());
        talk_with(project, &[SIGNED, there], &["-e preview deploy --receipt foreign.json"]);
        project.file("nonsense.json", "{}\n");
        let foreign = talk_with(
            project,
            &[SIGNED],
            &[
                "-e production deploy --receipt-from foreign.json",
                "-e production deploy --receipt-from nonsense.json",
                "-e staging deploy --receipt-from foreign.json --dry-run",
                "deploy --receipt other.json",
            ],
        );
        assert_eq!(tables(database), "");
        let short = talk_with(
            project,
            &[("TOLLGATE_RECEIPT_KEY", "short")],
            &["-e production deploy --receipt-from receipt.json"],
        );
        let shown = project
            .command(&["-e", "production", "config", "show"])
            .envs([SIGNED])
            .output()
            .unwrap();
        let shown = String::from_utf8(shown.stdout).unwrap();
        assert!(shown.contains("[receipt]") && !shown.contains(KEY), "{shown}");
        let all = edited + &forged + &foreign + &short;
        assert!(!all.contains(KEY) && !all.contains("beef"), "{all}");
        alike(&all)
    });
    assert_snapshot!(seen, @"
    $ tollgate -e production deploy --receipt-from edited.json
    status: 3
    -- stderr
    receipt

      × the receipt edited.json proves nothing: its signature is wrong: it was changed after it was
      │ signed, or signed with another key
      help: take the file as the other deploy has written it; both need the same TOLLGATE_RECEIPT_KEY
      the database now: nothing was changed


    $ tollgate -e production deploy --receipt-from receipt.json
    status: 3
    -- stderr
    receipt

      × the receipt receipt.json proves nothing: its signature is wrong: it was changed after it was
      │ signed, or signed with another key
      help: take the file as the other deploy has written it; both need the same TOLLGATE_RECEIPT_KEY
      the database now: nothing was changed


    $ tollgate -e production deploy --receipt-from foreign.json
    status: 3
    -- stderr
    receipt

      × the receipt foreign.json proves nothing: it is of preview, and staging is required
      help: a receipt is written by a deploy to staging with --receipt FILE
      the database now: nothing was changed


    $ tollgate -e production deploy --receipt-from nonsense.json
    status: 3
    -- stderr
    receipt

      × the receipt nonsense.json proves nothing: it is no receipt that this version can read: missing
      │ field `version` at line 1 column 2
      help: a receipt is written by a deploy to staging with --receipt FILE
      the database now: nothing was changed


    $ tollgate -e staging deploy --receipt-from foreign.json --dry-run
    status: 0
    -- stdout
    nothing to deploy: the database is up to date
    -- stderr
    warning: nothing is required here, so foreign.json is not looked at

    $ tollgate deploy --receipt other.json
    status: 2
    -- stderr
    receipt::environment

      × a receipt says which environment was deployed to
      help: choose one with --env


    $ tollgate -e production deploy --receipt-from receipt.json
    status: 2
    -- stderr
    config::variable

      × the variable TOLLGATE_RECEIPT_KEY must be 32 characters long at least, for example what
      │ `openssl rand -hex 32` prints
    ");
}

#[test]
fn no_receipt_is_written_of_another_database_than_the_environments() {
    let seen = both(|project, database| {
        let staging = database.another();
        staging.run("VACUUM;");
        blog(project);
        configure(
            project,
            &format!("[environments.staging]\ndatabase.url = \"{}\"\n", staging.url()),
        );
        // DATABASE_URL goes before it.
        let refused = talk_with(project, &[SIGNED], &["-e staging deploy --receipt receipt.json"]);
        assert_eq!(tables(database) + &tables(&staging), "");
        refused
    });
    assert_snapshot!(seen, @"
    $ tollgate -e staging deploy --receipt receipt.json
    status: 2
    -- stderr
    warning: the variable DATABASE_URL goes before the url of [environments.staging]; there, name a variable of its own: env:NAME
    receipt::environment

      × DATABASE_URL leads elsewhere than the environment that the receipt would be of
      help: take DATABASE_URL away, or name another variable in the environment: env:NAME
    ");
}
