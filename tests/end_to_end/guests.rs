//! Plugins that misbehave, and one that somebody else wrote.

use insta::assert_snapshot;
use tollgate_tests::{Project, repository};

use crate::outside::Database;
use crate::session::{blog, on, session, sqlite, tables};

/// A project that asks a policy which does what it must not.
fn asking(mode: &str, on_failure: &str) -> Project {
    let project = sqlite();
    blog(&project);
    let component = repository().join("tests/guests/bundle/misbehave.wasm");
    std::fs::copy(component, project.path().join("misbehave.wasm")).unwrap();
    project.file(
        "tollgate.toml",
        &format!(
            "[plugins.team]\nsource = \"misbehave.wasm\"\non_failure = \"{on_failure}\"\nsettings.mode = \"{mode}\"\n\n\
             [plugins.team.limits]\nfuel = 50_000_000\nmemory_mib = 16\n"
        ),
    );
    project
}

/// A deploy that the policy's failure blocks, and that it does not block where the configuration says so.
fn failing(mode: &str) -> String {
    let project = asking(mode, "block");
    let blocked = session(&project, &["deploy --to 1_users"]);
    assert!(
        project.run(&["status"]).stdout.contains(" 0 applied"),
        "the policy fails closed"
    );
    project.file(
        "tollgate.toml",
        &std::fs::read_to_string(project.path().join("tollgate.toml"))
            .unwrap()
            .replace("\"block\"", "\"warn\""),
    );
    without_functions(&(blocked + &session(&project, &["deploy --to 1_users"])))
}

/// Which functions were called is the guest's compiler's choice.
fn without_functions(text: &str) -> String {
    let functions = regex::Regex::new("(?s)aborted in .*?(\n  help|\")").unwrap();
    functions.replace_all(text, "aborted in […]$1").into_owned()
}

#[test]
fn an_endless_loop() {
    assert_snapshot!(failing("loop"), @r#"
    $ tollgate deploy --to 1_users
    status: 3
    -- stdout
    1 migration checked: 1 blocking, 1 note
    blocked; nothing was applied
    -- stderr
    plugin::out-of-fuel

      × team could not judge 1_users: used up its 50000000 units of fuel
      help: what is not judged is not let through; `on_failure = "warn"` of a plugin changes that


    $ tollgate deploy --to 1_users
    status: 0
    -- stdout
    applied 1_users [duration]
    1 migration checked: 1 warning, 1 note
    1 migration applied in [duration]
    -- stderr
    plugin::out-of-fuel

      ⚠ team could not judge 1_users: used up its 50000000 units of fuel
      help: what is not judged is not let through; `on_failure = "warn"` of a plugin changes that
    "#);
}

#[test]
fn a_trap() {
    assert_snapshot!(failing("trap"), @r#"
    $ tollgate deploy --to 1_users
    status: 3
    -- stdout
    1 migration checked: 1 blocking, 1 note
    blocked; nothing was applied
    -- stderr
    plugin::trapped

      × team could not judge 1_users: it panicked or aborted in […]
      help: what is not judged is not let through; `on_failure = "warn"` of a plugin changes that


    $ tollgate deploy --to 1_users
    status: 0
    -- stdout
    applied 1_users [duration]
    1 migration checked: 1 warning, 1 note
    1 migration applied in [duration]
    -- stderr
    plugin::trapped

      ⚠ team could not judge 1_users: it panicked or aborted in […]
      help: what is not judged is not let through; `on_failure = "warn"` of a plugin changes that
    "#);
}

#[test]
fn too_much_memory() {
    assert_snapshot!(failing("memory-bomb"), @r#"
    $ tollgate deploy --to 1_users
    status: 3
    -- stdout
    1 migration checked: 1 blocking, 1 note
    blocked; nothing was applied
    -- stderr
    plugin::out-of-memory

      × team could not judge 1_users: wanted more than 16 MiB of memory
      help: what is not judged is not let through; `on_failure = "warn"` of a plugin changes that


    $ tollgate deploy --to 1_users
    status: 0
    -- stdout
    applied 1_users [duration]
    1 migration checked: 1 warning, 1 note
    1 migration applied in [duration]
    -- stderr
    plugin::out-of-memory

      ⚠ team could not judge 1_users: wanted more than 16 MiB of memory
      help: what is not judged is not let through; `on_failure = "warn"` of a plugin changes that
    "#);
}

#[test]
fn a_finding_beyond_the_text() {
    assert_snapshot!(failing("beyond-the-text"), @r#"
    $ tollgate deploy --to 1_users
    status: 3
    -- stdout
    1 migration checked: 1 blocking, 1 note
    blocked; nothing was applied
    -- stderr
    plugin::invalid-output

      × team could not judge 1_users: returned a finding (number 1) that points at bytes 0 to 67 of a
      │ script that has 66
      help: what is not judged is not let through; `on_failure = "warn"` of a plugin changes that


    $ tollgate deploy --to 1_users
    status: 0
    -- stdout
    applied 1_users [duration]
    1 migration checked: 1 warning, 1 note
    1 migration applied in [duration]
    -- stderr
    plugin::invalid-output

      ⚠ team could not judge 1_users: returned a finding (number 1) that points at bytes 0 to 67 of a
      │ script that has 66
      help: what is not judged is not let through; `on_failure = "warn"` of a plugin changes that
    "#);
}

#[test]
fn a_capability_that_was_not_granted() {
    assert_snapshot!(failing("probe"), @r#"
    $ tollgate deploy --to 1_users
    status: 3
    -- stdout
    1 migration checked: 1 blocking, 1 note
    blocked; nothing was applied
    -- stderr
    plugin::refused-capability

      × team could not judge 1_users: used the capability `catalog.probe`, which it was not given:
      │ cannot count rows
      help: what is not judged is not let through; `on_failure = "warn"` of a plugin changes that


    $ tollgate deploy --to 1_users
    status: 0
    -- stdout
    applied 1_users [duration]
    1 migration checked: 1 warning, 1 note
    1 migration applied in [duration]
    -- stderr
    plugin::refused-capability

      ⚠ team could not judge 1_users: used the capability `catalog.probe`, which it was not given:
      │ cannot count rows
      help: what is not judged is not let through; `on_failure = "warn"` of a plugin changes that
    "#);
}

#[test]
fn a_failing_policy_in_a_document() {
    let project = asking("trap", "block");
    let checked = project.run(&["check", "--format", "json", "1_users"]);
    assert_eq!(checked.status, Some(3));
    assert_snapshot!(without_functions(&serde_json::to_string_pretty(&checked.json()).unwrap()), @r#"
    {
      "version": 1,
      "command": "check",
      "warnings": [],
      "blocked": true,
      "counts": {
        "migrations": 1,
        "blocking": 1,
        "warnings": 0,
        "notes": 1,
        "allowed": 0,
        "known": 0,
        "approved": 0
      },
      "migrations": [
        {
          "name": "1_users",
          "findings": [
            {
              "plugin": "conventions",
              "rule": "migration-name",
              "severity": "low",
              "message": "the name 1_users could say more: it does not begin with the time as YYYYMMDDHHMMSS_; it does not begin with what is done (add, drop, rename, …)",
              "help": "rename the folder before it is deployed anywhere, for example as 20260901120000_add_email_to_users",
              "blocking": false,
              "allowed": null,
              "enforced_by": null,
              "approved": null,
              "place": {
                "file": "migrations/1_users/migration.sql",
                "line": 1,
                "column": 1,
                "label": "low"
              },
              "properties": {}
            }
          ],
          "failures": [
            {
              "plugin": "team",
              "kind": "trapped",
              "message": "it panicked or aborted in […]",
              "blocking": true
            }
          ],
          "void_approvals": []
        }
      ],
      "trace": null,
      "fix": null
    }
    "#);
}

#[test]
fn a_custom_policy_blocks_for_its_teams_reason() {
    let component = repository().join("target/guests/components/custom-policy.wasm");
    if !component.exists() {
        println!(
            "skipped: `cargo run -p tollgate-build -- custom-policy` makes {}",
            component.display()
        );
        return;
    }
    let database = Database::postgres();
    let project = on(&database);
    std::fs::copy(component, project.path().join("policy.wasm")).unwrap();
    project.file(
        "tollgate.toml",
        "[plugins.tenant-isolation]\nsource = \"policy.wasm\"\nsettings.shared_tables = [\"tenants\"]\n",
    );
    project.migration("1_tenants", "CREATE TABLE tenants (id integer PRIMARY KEY);\n");
    project.migration(
        "2_invoices",
        "CREATE TABLE invoices (id integer PRIMARY KEY, tenant_id integer NOT NULL REFERENCES tenants (id));\n",
    );
    assert_snapshot!(session(&project, &["deploy"]), @r#"
    $ tollgate deploy
    status: 3
    -- stdout
    2 migrations checked: 1 blocking, 1 warning, 3 notes
    what is meant can be approved, to be reviewed with the migration:
      tollgate approve 2_invoices --rule tenant-isolation/tenant-index --statement 1 --reason "…"
    blocked; nothing was applied
    -- stderr
    tenant-isolation::tenant-index

      × no index of invoices starts with tenant_id
       ╭─[migrations/2_invoices/migration.sql:1:1]
     1 │ CREATE TABLE invoices (id integer PRIMARY KEY, tenant_id integer NOT NULL REFERENCES tenants (id));
       · ─────────────────────────────────────────────────┬────────────────────────────────────────────────
       ·                                                  ╰── high: blocks a deploy
       ╰────
      help: create one in this migration: CREATE INDEX ON "invoices" ("tenant_id")

    tollgate::rollback-procedure

      ⚠ has no way back from what tenant-isolation/tenant-index reports: there is no down.sql, and the
      │ generated rollback does not bring back the rows written to invoices since
       ╭─[migrations/2_invoices/migration.sql:1:1]
     1 │ CREATE TABLE invoices (id integer PRIMARY KEY, tenant_id integer NOT NULL REFERENCES tenants (id));
       · ─────────────────────────────────────────────────┬────────────────────────────────────────────────
       ·                                                  ╰── medium
       ╰────
      help: write a down.sql, or say in the file how it is taken back: `-- rollback: …`
    "#);
    assert_eq!(tables(&database), "");
    let document = project.run(&["deploy", "--format", "json"]).json();
    assert_eq!(document["outcome"], "blocked");
    let findings = document["plan"][1]["judged"]["findings"].as_array().unwrap();
    let finding = findings
        .iter()
        .find(|finding| finding["plugin"] == "tenant-isolation")
        .unwrap();
    assert_eq!(finding["blocking"], true);
    project.migration(
        "2_invoices",
        "CREATE TABLE invoices (id integer PRIMARY KEY, tenant_id integer NOT NULL REFERENCES tenants (id));\n\
         CREATE INDEX invoices_tenant ON invoices (tenant_id, id);\n",
    );
    project.succeed(&["deploy"]);
    assert_eq!(tables(&database), "invoices tenants");
}
