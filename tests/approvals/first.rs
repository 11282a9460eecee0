//! Production comes after staging.

use insta::assert_snapshot;
use regex::Regex;
use tollgate_tests::Project;

use crate::outside::Database;
use crate::session::{blog, both, tables};
use crate::support::{configure, talk};

/// Staging and production on databases of their own; where staging's is not given, nothing says which it is. The
/// project's own `DATABASE_URL` leads to production, and is no environment's.
pub(crate) fn two_environments(project: &Project, staging: Option<&Database>, database: &Database) {
    configure(
        project,
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
pub(crate) fn alike(text: &str) -> String {
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
