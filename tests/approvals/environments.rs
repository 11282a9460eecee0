//! Where an approval counts, and whose.

use insta::assert_snapshot;

use crate::session::{both, tables};
use crate::support::{about_to_drop, configure, edit_file, recorded, talk, without_drawings};

const APPROVERS: &str = "\
[environments.staging]

[environments.production.approvals]
approvers = [\"alice@example.org\", \"@db-team\"]

[teams]
db-team = [\"bob@example.org\"]
";

#[test]
fn an_approval_for_one_environment_counts_in_no_other() {
    let seen = both(|project, database| {
        about_to_drop(project, database);
        configure(project, APPROVERS);
        let seen = talk(
            project,
            &[
                "approve 4_drop --rule drop-table --by alice@example.org --reason moved --environment staging",
                "deploy -e production",
                "deploy",
                "approve --list -e production",
                "deploy -e staging",
            ],
        );
        assert_eq!(tables(database), "users");
        without_drawings(&seen)
    });
    assert_snapshot!(seen, @r#"
    $ tollgate approve 4_drop --rule drop-table --by alice@example.org --reason moved --environment staging
    status: 0
    -- stdout
    approved destructive/drop-table in 4_drop, statement 2 (line 3): drops the table posts with all its rows
    wrote migrations/approvals.toml: commit it with the migration

    $ tollgate deploy -e production
    status: 3
    -- stdout
    1 migration checked: 1 blocking, 1 warning
    what is meant can be approved, to be reviewed with the migration:
      tollgate -e production approve 4_drop --rule destructive/drop-table --statement 2 --reason "…"
    blocked; nothing was applied
    -- stderr
    warning: the approval of destructive/drop-table in 4_drop, statement 2 by alice@example.org does not count: it is for staging only

    $ tollgate deploy
    status: 3
    -- stdout
    1 migration checked: 1 blocking, 1 warning
    what is meant can be approved, to be reviewed with the migration:
      tollgate approve 4_drop --rule destructive/drop-table --statement 2 --reason "…"
    blocked; nothing was applied
    -- stderr
    warning: the approval of destructive/drop-table in 4_drop, statement 2 by alice@example.org does not count: it is for staging only

    $ tollgate approve --list -e production
    status: 0
    -- stdout
    destructive/drop-table in 4_drop, statement 2: DROP TABLE posts
       alice@example.org: moved
       does not count: it is for staging only

    $ tollgate deploy -e staging
    status: 0
    -- stdout
    approved destructive/drop-table in 4_drop, statement 2: drops the table posts with its 1 row (alice@example.org: moved)
    applied 4_drop [duration]
    1 migration checked: 1 warning, 1 approved
    1 migration applied in [duration]
    -- stderr
    "#);
}

#[test]
fn who_is_no_approver_approves_nothing() {
    let seen = both(|project, database| {
        about_to_drop(project, database);
        configure(project, APPROVERS);
        let carol = talk(
            project,
            &[
                "approve 4_drop --rule drop-table --by carol --reason moved -e production",
                "approve 4_drop --rule drop-table --by carol --reason moved",
                "deploy -e production",
            ],
        );
        assert_eq!(tables(database), "posts users");
        edit_file(project, "\"carol\"", "\"Bob@Example.org\"");
        let bob = talk(project, &["deploy -e production"]);
        without_drawings(&(carol + &bob)) + &recorded(database)
    });
    assert_snapshot!(seen, @r#"
    $ tollgate approve 4_drop --rule drop-table --by carol --reason moved -e production
    status: 2
    -- stderr
    approve::not-an-approver

      × carol is not among the approvers: alice@example.org, bob@example.org
      help: --by names somebody else, who then has to review it


    $ tollgate approve 4_drop --rule drop-table --by carol --reason moved
    status: 0
    -- stdout
    approved destructive/drop-table in 4_drop, statement 2 (line 3): drops the table posts with all its rows
    wrote migrations/approvals.toml: commit it with the migration

    $ tollgate deploy -e production
    status: 3
    -- stdout
    1 migration checked: 1 blocking, 1 warning
    what is meant can be approved, to be reviewed with the migration:
      tollgate -e production approve 4_drop --rule destructive/drop-table --statement 2 --reason "…"
    blocked; nothing was applied
    -- stderr
    warning: the approval of destructive/drop-table in 4_drop, statement 2 by carol does not count: carol is not among the approvers of production: alice@example.org, bob@example.org

    $ tollgate deploy -e production
    status: 0
    -- stdout
    approved destructive/drop-table in 4_drop, statement 2: drops the table posts with its 1 row (Bob@Example.org: moved)
    applied 4_drop [duration]
    1 migration checked: 1 warning, 1 approved
    1 migration applied in [duration]
    -- stderr
    deploy succeeded: 4_drop destructive/drop-table 2 high file Bob@Example.org moved 64 64
    "#);
}

#[test]
fn a_team_that_is_not_there_is_a_mistake() {
    let seen = both(|project, database| {
        about_to_drop(project, database);
        configure(project, &APPROVERS.replace("db-team = [", "db_team = ["));
        let unknown = talk(project, &["deploy -e production"]);
        configure(project, &APPROVERS.replace("bob@example.org", "@everybody"));
        unknown + &talk(project, &["deploy -e production"])
    });
    assert_snapshot!(seen, @r#"
    $ tollgate deploy -e production
    status: 2
    -- stderr
    config::approvals

      × there is no team @db-team
       ╭─[tollgate.toml:4:13]
     3 │ [environments.production.approvals]
     4 │ approvers = ["alice@example.org", "@db-team"]
       ·             ────────────────┬────────────────
       ·                             ╰── set here
     5 │ 
       ╰────
      help: did you mean @db_team?


    $ tollgate deploy -e production
    status: 2
    -- stderr
    config::approvals

      × the team db-team has a team in it
       ╭─[tollgate.toml:7:11]
     6 │ [teams]
     7 │ db-team = ["@everybody"]
       ·           ───────┬──────
       ·                  ╰── set here
     8 │ 
       ╰────
      help: write its people themselves
    "#);
}
