//! Production comes after staging.

use insta::assert_snapshot;
use regex::Regex;
use tollgate_tests::Project;

use crate::outside::Database;
use crate::session::{blog, both, tables};
use crate::support::{talk, talk_with};

const KEY: &str = "cafe0123456789abcdef0123456789abcdef";
const SIGNED: (&str, &str) = ("TOLLGATE_RECEIPT_KEY", KEY);

/// Staging and production on databases of their own; where staging's is not given, nothing says which it is. The
/// project's own `DATABASE_URL` leads to production, and is no environment's.
fn two_environments(project: &Project, staging: Option<&Database>, database: &Database) {
    project.file(
        "tollgate.toml",
        "[environments.staging]\ndatabase.url = \"env:STAGING_DATABASE_URL\"\n\n[environments.production]\nrequires = \
         \"staging\"\ndatabase.url = \"env:PRODUCTION_DATABASE_URL\"\n\n[environments.preview]\n\
         database.url = \"env:PREVIEW_DATABASE_URL\"\n",
    );
    let staging = staging.map_or_else(String::new, |staging| {
        format!("STAGING_DATABASE_URL={}\n", staging.url())
    });
    project.file(
        ".env",
        &format!("{staging}PRODUCTION_DATABASE_URL={}\n", database.url()),
    );
    blog(project);
}

/// What was looked at has another name in each kind of database, and lines are broken elsewhere.
fn alike(text: &str) -> String {
    let looked = Regex::new(r"(?s)looked at (.*?)(\n\s+deploy the same files)").unwrap();
    looked.replace_all(text, "looked at […]$2").into_owned()
}

#[test]
fn the_same_texts_have_to_be_in_staging() {
    let seen = both(|project, database| {
        let staging = database.another();
        staging.run("VACUUM;");
        two_environments(project, Some(&staging), database);
        let before = talk(project, &["-e production deploy --dry-run", "-e production deploy"]);
        assert_eq!(tables(database), "");
        project.succeed(&["-e", "staging", "deploy", "--to", "2_posts"]);
        project.migration("2_posts", "CREATE TABLE posts (id integer PRIMARY KEY, title text);\n");
        let edited = talk(project, &["-e production deploy"]);
        blog(project);
        project.succeed(&["-e", "staging", "deploy"]);
        let after = talk(
            project,
            &[
                "-e production deploy --dry-run",
                "-e production deploy",
                "-e production deploy",
            ],
        );
        assert_eq!(tables(database), "posts users");
        alike(&(before + &edited + &after))
    });
    assert_snapshot!(seen, @"
    $ tollgate -e production deploy --dry-run
    status: 3
    -- stdout
    1. 1_users 1 statement
       taken back: lossy: the rows written to users since
    2. 2_posts 2 statements
       taken back: lossy: the rows written to posts since
    3. 3_views 1 statement
       taken back: lossless
    3 migrations checked: nothing found
    a deploy would be blocked; nothing was changed
    -- stderr
    requirement

      × staging has to come first
      help: not applied there: 1_users, 2_posts, 3_views
            looked at […]
            deploy the same files to staging first


    $ tollgate -e production deploy
    status: 3
    -- stdout
    3 migrations checked: nothing found
    blocked; nothing was applied
    -- stderr
    requirement

      × staging has to come first
      help: not applied there: 1_users, 2_posts, 3_views
            looked at […]
            deploy the same files to staging first


    $ tollgate -e production deploy
    status: 3
    -- stdout
    3 migrations checked: nothing found
    blocked; nothing was applied
    -- stderr
    requirement

      × staging has to come first
      help: not applied there: 3_views
            applied there with another text: 2_posts
            looked at […]
            deploy the same files to staging first


    $ tollgate -e production deploy --dry-run
    status: 0
    -- stdout
    1. 1_users 1 statement
       taken back: lossy: the rows written to users since
    2. 2_posts 2 statements
       taken back: lossy: the rows written to posts since
    3. 3_views 1 statement
       taken back: lossless
    3 migrations checked: nothing found
    3 migrations to deploy; nothing was changed

    $ tollgate -e production deploy
    status: 0
    -- stdout
    applied 1_users [duration]
    applied 2_posts [duration]
    applied 3_views [duration]
    3 migrations applied in [duration]

    $ tollgate -e production deploy
    status: 0
    -- stdout
    nothing to deploy: the database is up to date
    ");
}

#[test]
fn programs_are_told_what_has_to_come_first() {
    let seen = both(|project, database| {
        let staging = database.another();
        staging.run("VACUUM;");
        two_environments(project, Some(&staging), database);
        project.succeed(&["-e", "staging", "deploy", "--to", "2_posts"]);
        let outcome = project.run(&["-e", "production", "deploy", "--format", "json"]);
        assert_eq!(outcome.status, Some(3));
        let mut requires = outcome.json()["requires"].clone();
        requires["proof"] = "[target]".into();
        serde_json::to_string_pretty(&requires).unwrap()
    });
    assert_snapshot!(seen, @r#"
    {
      "environment": "staging",
      "proof": "[target]",
      "met": false,
      "unproven": [
        {
          "migration": "3_views",
          "other_text": false
        }
      ]
    }
    "#);
}

#[test]
fn what_was_taken_back_or_failed_there_is_not_there() {
    both(|project, database| {
        let staging = database.another();
        staging.run("VACUUM;");
        two_environments(project, Some(&staging), database);
        project.succeed(&["-e", "staging", "deploy"]);
        project.succeed(&["-e", "staging", "rollback", "--force"]);
        let outcome = project.run(&["-e", "production", "deploy"]);
        assert_eq!(outcome.status, Some(3), "{outcome}");
        assert!(outcome.stderr.contains("not applied there: 3_views"), "{outcome}");
        staging.run(
            "UPDATE _prisma_migrations SET finished_at = NULL, rolled_back_at = NULL WHERE migration_name = '2_posts'",
        );
        let outcome = project.run(&["-e", "production", "deploy"]);
        assert!(
            outcome.stderr.contains("not applied there: 2_posts, 3_views"),
            "{outcome}"
        );
        String::new()
    });
}

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
fn mistakes_in_what_is_required_are_pointed_out() {
    let seen = both(|project, database| {
        blog(project);
        let configurations = [
            "requires = \"staging\"\n[environments.staging]\n[environments.production]\n",
            "[environments.staging]\n[environments.production]\nrequires = \"stagin\"\n",
            "[environments.production]\nrequires = \"production\"\n",
            "[environments.staging]\n[environments.production]\nrequires = \"staging\"\n[receipt]\nkey = \"cafe\"\n",
        ];
        let mut seen = String::new();
        for configuration in configurations {
            project.file("tollgate.toml", configuration).file("receipt.json", "{}");
            seen += &talk(project, &["-e production deploy --receipt-from receipt.json"]);
        }
        assert_eq!(tables(database), "");
        assert!(!seen.contains("cafe"), "{seen}");
        seen
    });
    assert_snapshot!(seen, @r#"
    $ tollgate -e production deploy --receipt-from receipt.json
    status: 2
    -- stderr
    config::approvals

      × requires stands outside of every environment
       ╭─[tollgate.toml:1:12]
     1 │ requires = "staging"
       ·            ────┬────
       ·                ╰── set here
     2 │ [environments.staging]
       ╰────
      help: write it under the environment that comes after staging


    $ tollgate -e production deploy --receipt-from receipt.json
    status: 2
    -- stderr
    config::approvals

      × there is no environment named stagin
       ╭─[tollgate.toml:3:12]
     2 │ [environments.production]
     3 │ requires = "stagin"
       ·            ────┬───
       ·                ╰── set here
       ╰────
      help: did you mean "staging"?


    $ tollgate -e production deploy --receipt-from receipt.json
    status: 2
    -- stderr
    config::approvals

      × production requires itself
       ╭─[tollgate.toml:2:12]
     1 │ [environments.production]
     2 │ requires = "production"
       ·            ──────┬─────
       ·                  ╰── set here
       ╰────
      help: name another environment


    $ tollgate -e production deploy --receipt-from receipt.json
    status: 2
    -- stderr
    config::approvals

      × a key that stands in a file signs for everybody who can read the file
       ╭─[tollgate.toml:5:7]
     4 │ [receipt]
     5 │ key = "***"
       ·       ───┬──
       ·          ╰── set here
       ╰────
      help: name a variable: `key = "env:TOLLGATE_RECEIPT_KEY"`
    "#);
}

#[test]
fn no_receipt_is_written_of_another_database_than_the_environments() {
    let seen = both(|project, database| {
        let staging = database.another();
        staging.run("VACUUM;");
        blog(project);
        project.file(
            "tollgate.toml",
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
