//! Colours, JSON documents, and the ends of a run.

use std::path::Path;

use insta::assert_snapshot;

use crate::support::Project;

#[test]
fn version_and_help_are_no_mistakes() {
    let project = Project::new();
    assert_eq!(
        project.run(&["--version"]).stdout,
        format!("tollgate {}\n", env!("CARGO_PKG_VERSION"))
    );
    assert_snapshot!(project.run(&["-h"]), @"
    exit status 0
    --- stdout
    Applies SQL migrations and lets nothing through that your policies refuse

    Usage: tollgate [OPTIONS] <COMMAND>

    Commands:
      init         Set a project up: find its migrations, write tollgate.toml, show the package.json
                   scripts
      new          Make an empty migration
      check        Ask the policies about the migrations, without a database and without applying
                   anything
      explain      Explain a migration (what each statement does, and what it locks) or a rule
      approve      Approve what a policy found: writes approvals.toml beside the migrations, to be
                   reviewed with them
      deploy       Check pending migrations, apply them, tell people
      status       Show which migrations are applied, pending, failed, missing or edited
      doctor       Look at everything that a deploy depends on: connection, privileges, locks, load,
                   ledger
      rollback     Take applied migrations back
      resolve      Tell the ledger what happened to migrations, without running anything
      lock         Keep deploys away for a while, see who does, take the lock away
      preview      Try the migrations on a database that is made for it and removed afterwards
      drift        Compare the database with what its migrations make
      baseline     Take over a database that has tables and no ledger
      reset        Drop everything and apply all migrations again, then seed
      seed         Fill the database with rows to work with
      ci           Set a workflow up that checks, previews and deploys migrations, and the steps that it
                   consists of
      notify       Try whether people can be told, and send what has not arrived
      plugin       Look at the plugins
      config       Look at the configuration
      completions  Print a completion script for your shell

    Options:
      -h, --help     Print help
      -V, --version  Print version

    Global options:
          --config <FILE>       Configuration file [default: tollgate.toml here or in a folder above; or
                                TOLLGATE_CONFIG]
      -e, --env <NAME>          Environment of the configuration, `[environments.NAME]` [or
                                TOLLGATE_ENV]
          --database-url <URL>  Database to work on [or DATABASE_URL, also from .env]
          --migrations <DIR>    Folder of the migrations [default: prisma/migrations or migrations]
          --format <FORMAT>     What to print: text (human) or one JSON document (json) [default: human]
          --color <WHEN>        When to use colours: auto (on a terminal), always or never [default:
                                auto; NO_COLOR is respected]
      -q, --quiet               Print results, warnings and errors only
      -v, --verbose             Print more: which files are read, what plugins log

    Exit status:
      0  done, or nothing to do
      1  the operation failed
      2  wrong arguments or configuration
      3  blocked by a policy until somebody approves, or until another environment has come first
      4  the lock is held by somebody else
      5  the database is not in the expected state (pending for `status`, failed, missing, edited)
      130, 143, 129  interrupted: Ctrl-C, SIGTERM, the terminal was closed
    ");
    assert_eq!(project.run(&[]).status, 2);
}

#[test]
fn colours_are_only_where_they_can_be_seen_or_are_asked_for() {
    let project = Project::with(&[("tollgate.toml", "nonsense = 1\n")]);
    let coloured = |args: &[&str], variables: &[(&str, &str)]| {
        let mut run = project.command(args);
        for (name, value) in variables {
            run = run.env(name, value);
        }
        run.run().stderr.contains('\x1b')
    };
    assert!(!coloured(&["status"], &[]), "not a terminal");
    assert!(coloured(&["status", "--color", "always"], &[]));
    assert!(coloured(&["status"], &[("CLICOLOR_FORCE", "1")]));
    assert!(!coloured(&["status"], &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]));
    assert!(!coloured(&["status", "--color", "never"], &[("CLICOLOR_FORCE", "1")]));
}

#[test]
fn quiet_and_verbose_differ() {
    let project = Project::with(&[("tollgate.toml", ""), (".env", "A=1\n")]);
    assert_snapshot!(project.run(&["config", "show", "-v"]).stderr, @"
    read tollgate.toml
    read .env
    ");
    assert_eq!(project.run(&["config", "show", "-q"]).stderr, "");
}

#[test]
fn documents_follow_their_schemas() {
    let project = Project::with(&[
        ("package.json", "{}"),
        ("prisma/migrations/0_init/migration.sql", ""),
        (".env", "DATABASE_URL=file:dev.db\n"),
    ]);
    let cases: &[(&[&str], &str)] = &[
        (&["init", "--write-scripts"], "init"),
        (&["init"], "error"),
        (&["new", "add users"], "new"),
        (&["config", "show", "--origin"], "config-show"),
        (&["check", "--migrations", "nowhere"], "error"),
        (&["-e", "nowhere", "status"], "error"),
    ];
    for (args, schema) in cases {
        let document = project.json(args);
        valid(&document, schema);
        assert_eq!(document["version"], 1);
    }
}

/// Whether a document is what its committed schema says.
pub fn valid(document: &serde_json::Value, schema: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("schemas/{schema}.json"));
    let schema: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let problems: Vec<String> = validator
        .iter_errors(document)
        .map(|problem| problem.to_string())
        .collect();
    assert!(problems.is_empty(), "{problems:?} in {document:#}");
}

#[test]
fn an_error_is_a_document_too() {
    let project = Project::with(&[("tollgate.toml", "[check]\nblockat = \"low\"\n")]);
    let ended = project.run(&["check", "--format", "json"]);
    assert_snapshot!(ended, @r#"
    exit status 2
    --- stdout
    {
      "version": 1,
      "command": "check",
      "warnings": [],
      "status": 2,
      "errors": [
        {
          "level": "error",
          "code": "config::unknown-key",
          "message": "unknown key `blockat` in [check]",
          "place": {
            "file": "tollgate.toml",
            "line": 2,
            "column": 1,
            "label": "not a key of Tollgate's"
          },
          "help": "did you mean `block_at`?",
          "database": null
        }
      ],
      "finished": []
    }
    "#);
}
