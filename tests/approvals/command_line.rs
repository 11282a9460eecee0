//! Approving with the deploy itself.

use insta::assert_snapshot;

use crate::session::{both, tables};
use crate::support::{about_to_drop, configure, recorded, talk, talk_with, without_drawings};

const ALICE: &[(&str, &str)] = &[("USER", "alice")];
const ALLOWED: &str = "[environments.emergency.approvals]\ncommand_line = true\n[environments.production]\n";
const DEPLOY: &str = "deploy --approve 4_drop:destructive/drop-table:2 --reason 'agreed in the incident channel'";

#[test]
fn it_is_refused_where_the_environment_does_not_allow_it() {
    let seen = both(|project, database| {
        about_to_drop(project, database);
        // What stands at the top does not pass to an environment.
        configure(project, &format!("[approvals]\ncommand_line = true\n{ALLOWED}"));
        let seen = talk_with(
            project,
            ALICE,
            &[
                &format!("-e production {DEPLOY}"),
                "-e emergency deploy --approve 4_drop:destructive/drop-table:2",
            ],
        );
        configure(project, ALLOWED);
        let seen = seen + &talk_with(project, ALICE, &[DEPLOY]);
        assert_eq!(tables(database), "posts users");
        seen
    });
    assert_snapshot!(seen, @"
    $ tollgate -e production deploy --approve 4_drop:destructive/drop-table:2 --reason 'agreed in the incident channel'
    status: 2
    -- stderr
    approval-refused

      × production does not let a deploy approve findings
      help: `tollgate -e production approve` writes an approval into approvals.toml, to be reviewed
            with the migration; `command_line = true` under [environments.production.approvals] lets a
            deploy approve
      the database now: nothing was changed


    $ tollgate -e emergency deploy --approve 4_drop:destructive/drop-table:2
    status: 2
    -- stderr
    error: the following required arguments were not provided:
      --reason <TEXT>

    Usage: tollgate deploy --approve <MIGRATION:PLUGIN/RULE[:STATEMENT]> --reason <TEXT>

    For more information, try '--help'.

    $ tollgate deploy --approve 4_drop:destructive/drop-table:2 --reason 'agreed in the incident channel'
    status: 2
    -- stderr
    approval-refused

      × the configuration does not let a deploy approve findings
      help: `tollgate approve` writes an approval into approvals.toml, to be reviewed with the
            migration; `command_line = true` under [approvals], which holds where no environment is
            chosen lets a deploy approve
      the database now: nothing was changed
    ");
}

#[test]
fn it_counts_where_it_is_allowed_and_is_recorded() {
    let seen = both(|project, database| {
        about_to_drop(project, database);
        configure(project, ALLOWED);
        let nobody = talk(project, &[&format!("-e emergency {DEPLOY}")]);
        let seen = talk_with(
            project,
            ALICE,
            &[
                "-e emergency deploy",
                "-e emergency deploy --approve 4_drop:delete-rows --reason agreed",
                "-e emergency deploy --approve 4_dorp:drop-table --reason agreed",
                "-e emergency deploy --approve 4_drop --reason agreed",
                &format!("-e emergency {DEPLOY} --dry-run"),
                &format!("-e emergency {DEPLOY} --approve 3_views:drop-table"),
                &format!("-e emergency {DEPLOY}"),
            ],
        );
        assert_eq!(tables(database), "users");
        without_drawings(&(nobody + &seen)) + &recorded(database)
    });
    assert_snapshot!(seen, @r#"
    $ tollgate -e emergency deploy --approve 4_drop:destructive/drop-table:2 --reason 'agreed in the incident channel'
    status: 2
    -- stderr
    approval-refused

      × nobody knows who approves this
      help: set USER, or GITHUB_ACTOR as GitHub does, to whoever approves
      the database now: nothing was changed


    $ tollgate -e emergency deploy
    status: 3
    -- stdout
    1 migration checked: 1 blocking, 1 warning
    what is meant can be approved, to be reviewed with the migration:
      tollgate -e emergency approve 4_drop --rule destructive/drop-table --statement 2 --reason "…"
    or with this deploy:
      tollgate -e emergency deploy --approve 4_drop:destructive/drop-table:2 --reason "…"
    blocked; nothing was applied
    -- stderr
    $ tollgate -e emergency deploy --approve 4_drop:delete-rows --reason agreed
    status: 2
    -- stderr
    nothing-to-approve

      × --approve 4_drop:delete-rows finds nothing in 4_drop that is not allowed by a comment
      help: destructive/drop-view at statement 1: drops the view titles (medium)
            destructive/drop-table at statement 2: drops the table posts with its 1 row (high)
      the database now: nothing was changed


    $ tollgate -e emergency deploy --approve 4_dorp:drop-table --reason agreed
    status: 2
    -- stderr
    nothing-to-approve

      × --approve 4_dorp:drop-table names a migration that is not in the folder
      help: did you mean 4_drop?
      the database now: nothing was changed


    $ tollgate -e emergency deploy --approve 4_drop --reason agreed
    status: 2
    -- stderr
    error: invalid value '4_drop' for '--approve <MIGRATION:PLUGIN/RULE[:STATEMENT]>': an approval is MIGRATION:PLUGIN/RULE or MIGRATION:PLUGIN/RULE:STATEMENT

    For more information, try '--help'.

    $ tollgate -e emergency deploy --approve 4_drop:destructive/drop-table:2 --reason 'agreed in the incident channel' --dry-run
    status: 0
    -- stdout
    approved destructive/drop-table in 4_drop, statement 2: drops the table posts with its 1 row (alice: agreed in the incident channel)
    1. 4_drop 2 statements
       taken back: lossy: the rows of posts
    1 migration checked: 1 warning, 1 approved
    1 migration to deploy; nothing was changed
    -- stderr
    $ tollgate -e emergency deploy --approve 4_drop:destructive/drop-table:2 --reason 'agreed in the incident channel' --approve 3_views:drop-table
    status: 0
    -- stdout
    approved destructive/drop-table in 4_drop, statement 2: drops the table posts with its 1 row (alice: agreed in the incident channel)
    applied 4_drop [duration]
    1 migration checked: 1 warning, 1 approved
    1 migration applied in [duration]
    -- stderr
    warning: --approve 3_views:drop-table: this migration is not about to be applied

    $ tollgate -e emergency deploy --approve 4_drop:destructive/drop-table:2 --reason 'agreed in the incident channel'
    status: 0
    -- stdout
    nothing to deploy: the database is up to date

    deploy succeeded: 4_drop destructive/drop-table 2 high command-line alice agreed in the incident channel 64 64
    "#);
}

#[test]
fn who_deploys_has_to_be_an_approver() {
    let seen = both(|project, database| {
        about_to_drop(project, database);
        configure(project, &format!("[approvals]\napprovers = [\"alice\"]\n{ALLOWED}"));
        let mallory = talk_with(project, &[("USER", "mallory")], &[&format!("-e emergency {DEPLOY}")]);
        assert_eq!(tables(database), "posts users");
        without_drawings(&(mallory + &talk_with(project, ALICE, &[&format!("-e emergency {DEPLOY}")])))
    });
    assert_snapshot!(seen, @r#"
    $ tollgate -e emergency deploy --approve 4_drop:destructive/drop-table:2 --reason 'agreed in the incident channel'
    status: 3
    -- stdout
    1 migration checked: 1 blocking, 1 warning
    what is meant can be approved, to be reviewed with the migration:
      tollgate -e emergency approve 4_drop --rule destructive/drop-table --statement 2 --reason "…"
    or with this deploy:
      tollgate -e emergency deploy --approve 4_drop:destructive/drop-table:2 --reason "…"
    blocked; nothing was applied
    -- stderr
    warning: the approval of destructive/drop-table in 4_drop, statement 2 by mallory does not count: mallory is not among the approvers of emergency: alice

    $ tollgate -e emergency deploy --approve 4_drop:destructive/drop-table:2 --reason 'agreed in the incident channel'
    status: 0
    -- stdout
    approved destructive/drop-table in 4_drop, statement 2: drops the table posts with its 1 row (alice: agreed in the incident channel)
    applied 4_drop [duration]
    1 migration checked: 1 warning, 1 approved
    1 migration applied in [duration]
    -- stderr
    "#);
}
