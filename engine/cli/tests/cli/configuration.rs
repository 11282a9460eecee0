//! Mistakes in the configuration: each is shown where it stands, with what to do.

use insta::assert_snapshot;

use crate::support::Project;

#[test]
fn all_mistakes_of_a_file_show_at_once() {
    let project = Project::with(&[(
        "tollgate.toml",
        r#"[database]
ulr = "env:DIRECT_URL"

[migrations]
edited = "eror"

[deploy]
lock_timeout_ms = "soon"
retries = -1

[plugins.destructive.rules]
drop-table = "highest"

[environments.staging]
chek.block_at = "low"
"#,
    )]);
    assert_snapshot!(project.run(&["config", "show"]), @r#"
    exit status 2
    --- stderr
    config::unknown-key

      × unknown key `ulr` in [database]
       ╭─[tollgate.toml:2:1]
     1 │ [database]
     2 │ ulr = "env:DIRECT_URL"
       · ─┬─
       ·  ╰── not a key of Tollgate's
     3 │
       ╰────
      help: did you mean `url`?

    config::wrong-type

      × migrations.edited must be "allow", "warn" or "error"
       ╭─[tollgate.toml:5:10]
     4 │ [migrations]
     5 │ edited = "eror"
       ·          ───┬──
       ·             ╰── expected "allow", "warn" or "error"
     6 │
       ╰────
      help: did you mean "error"?

    config::wrong-type

      × deploy.lock_timeout_ms must be a whole number, 0 or more
       ╭─[tollgate.toml:8:19]
     7 │ [deploy]
     8 │ lock_timeout_ms = "soon"
       ·                   ───┬──
       ·                      ╰── this is a text
     9 │ retries = -1
       ╰────

    config::wrong-type

      × deploy.retries must be a whole number, 0 or more
        ╭─[tollgate.toml:9:11]
      8 │ lock_timeout_ms = "soon"
      9 │ retries = -1
        ·           ─┬
        ·            ╰── this is less than 0
     10 │
        ╰────

    config::wrong-type

      × plugins.destructive.rules.drop-table must be "off", "low", "medium" or "high"
        ╭─[tollgate.toml:12:14]
     11 │ [plugins.destructive.rules]
     12 │ drop-table = "highest"
        ·              ────┬────
        ·                  ╰── expected "off", "low", "medium" or "high"
     13 │
        ╰────

    config::unknown-key

      × unknown key `chek` in [environments.staging]
        ╭─[tollgate.toml:15:1]
     14 │ [environments.staging]
     15 │ chek.block_at = "low"
        · ──┬─
        ·   ╰── not a key of Tollgate's
        ╰────
      help: did you mean `check`?

    6 errors
    "#);
}

#[test]
fn an_unknown_section_names_the_known_ones() {
    let project = Project::with(&[("tollgate.toml", "[quux]\na = 1\n")]);
    assert_snapshot!(project.run(&["status"]), @"
    exit status 2
    --- stderr
    config::unknown-key

      × unknown key `quux` at the top of the file
       ╭─[tollgate.toml:1:2]
     1 │ [quux]
       ·  ──┬─
       ·    ╰── not a key of Tollgate's
     2 │ a = 1
       ╰────
      help: known keys at the top of the file: development, database, prisma, migrations, check,
            requires, approvals, teams, receipt, deploy, lock, state, preview, drift, seed, limits,
            plugins, environments, extends, enforced
    ");
}

#[test]
fn what_is_not_toml_is_shown_with_its_strings_masked() {
    let project = Project::with(&[("tollgate.toml", "[database]\nurl = \"postgres://app:hidden@db/shop\n")]);
    assert_snapshot!(project.run(&["status"]), @r#"
    exit status 2
    --- stderr
    config::syntax

      × tollgate.toml is not valid TOML
       ╭─[tollgate.toml:2:37]
     1 │ [database]
     2 │ url = "*****************************
       ·                                     ▲
       ·                                     ╰── invalid basic string, expected `"`
       ╰────
    "#);
}

#[test]
fn tables_must_be_tables() {
    let project = Project::with(&[("tollgate.toml", "extends = \"base.toml\"\nenvironments = 1\n")]);
    assert_snapshot!(project.run(&["status"]), @r#"
    exit status 2
    --- stderr
    config::wrong-type

      × extends must be a list of paths
       ╭─[tollgate.toml:1:11]
     1 │ extends = "base.toml"
       ·           ─────┬─────
       ·                ╰── expected a list of paths
     2 │ environments = 1
       ╰────

    config::wrong-type

      × environments must be a table
       ╭─[tollgate.toml:2:16]
     1 │ extends = "base.toml"
     2 │ environments = 1
       ·                ┬
       ·                ╰── expected a table
       ╰────

    2 errors
    "#);
}

#[test]
fn a_named_file_must_be_there() {
    let project = Project::new();
    assert_snapshot!(project.run(&["--config", "missing.toml", "status"]), @"
    exit status 2
    --- stderr
    config::unreadable

      × the configuration file missing.toml cannot be read: No such file or directory (os error 2)
      help: name another one with --config, or `tollgate --config missing.toml init` writes one
    ");
    assert_snapshot!(project.command(&["status"]).env("TOLLGATE_CONFIG", ".").run(), @"
    exit status 2
    --- stderr
    config::unreadable

      × the configuration file [project] cannot be read: it is not a file
      help: name another one with --config, or `tollgate init` writes one
    ");
}

#[test]
fn an_environment_must_be_configured() {
    let project = Project::with(&[("tollgate.toml", "[environments.staging]\n[environments.production]\n")]);
    assert_snapshot!(project.run(&["-e", "prodution", "status"]), @"
    exit status 2
    --- stderr
    config::no-environment

      × there is no environment named prodution
      help: did you mean production?
    ");
    assert_snapshot!(project.command(&["status"]).env("TOLLGATE_ENV", "qa").run(), @"
    exit status 2
    --- stderr
    config::no-environment

      × there is no environment named qa
      help: tollgate.toml has production, staging
    ");
    assert_snapshot!(Project::new().run(&["-e", "staging", "status"]), @"
    exit status 2
    --- stderr
    config::no-environment

      × there is no environment named staging
      help: environments are tables of tollgate.toml, and there is none here
    ");
    assert_snapshot!(Project::with(&[("tollgate.toml", "")]).run(&["-e", "staging", "status"]), @"
    exit status 2
    --- stderr
    config::no-environment

      × there is no environment named staging
      help: tollgate.toml has none; add [environments.staging]
    ");
}

#[test]
fn no_migrations_say_where_was_looked() {
    let project = Project::new();
    assert_snapshot!(project.run(&["check"]), @"
    exit status 2
    --- stderr
    config::no-migrations

      × no folder of migrations was found
      help: looked for prisma/migrations, migrations; name it with --migrations or with `dir` under
            [migrations] in tollgate.toml
    ");
    assert_snapshot!(project.run(&["check", "--migrations", "db/migrations"]), @"
    exit status 2
    --- stderr
    config::no-migrations

      × the folder of migrations db/migrations does not exist
      help: it is set by --migrations
    ");
    project.write("tollgate.toml", "migrations.dir = \"db/changes\"\n");
    assert_snapshot!(project.run(&["check"]), @"
    exit status 2
    --- stderr
    config::no-migrations

      × the folder of migrations db/changes does not exist
      help: it is set by tollgate.toml; `tollgate new NAME` makes it, with a first migration
    ");
}

#[test]
fn no_database_says_how_to_name_one() {
    let project = Project::with(&[("migrations/0_init/migration.sql", "")]);
    assert_snapshot!(project.run(&["status"]), @"
    exit status 2
    --- stderr
    config::no-database

      × no database is configured
      help: set DATABASE_URL (also in .env), pass --database-url, or write `url` under [database] in
            tollgate.toml
    ");
    project.write("tollgate.toml", "[database]\nurl = \"env:DIRECT_URL\"\n");
    assert_snapshot!(project.run(&["status"]), @r#"
    exit status 2
    --- stderr
    config::unset

      × database.url is to be read from the variable DIRECT_URL, which is not set
       ╭─[tollgate.toml:2:7]
     1 │ [database]
     2 │ url = "env:DIRECT_URL"
       ·       ────────┬───────
       ·               ╰── named here
       ╰────
      help: set DIRECT_URL in the environment or in a .env file
    "#);
    project.write(".env", "OTHER=1\n");
    assert_snapshot!(project.run(&["status"]), @r#"
    exit status 2
    --- stderr
    config::unset

      × database.url is to be read from the variable DIRECT_URL, which is not set
       ╭─[tollgate.toml:2:7]
     1 │ [database]
     2 │ url = "env:DIRECT_URL"
       ·       ────────┬───────
       ·               ╰── named here
       ╰────
      help: set DIRECT_URL in the environment or in a .env file (.env does not have it)
    "#);
}

#[test]
fn a_plugin_needs_a_source() {
    let project = Project::with(&[("tollgate.toml", "[plugins.own]\nenabled = true\n")]);
    assert_snapshot!(project.run(&["plugin", "list"]), @"
    exit status 2
    --- stderr
    config::plugin

      × the plugin own has no source
       ╭─[tollgate.toml:1:1]
     1 │ [plugins.own]
       · ──────┬──────
       ·       ╰── here
     2 │ enabled = true
       ╰────
      help: `source` is builtin:NAME or the path of a component
    ");
    project.write("tollgate.toml", "[plugins.own]\nsource = \"builtin:destuctive\"\n");
    assert_snapshot!(project.run(&["plugin", "list"]), @r#"
    exit status 2
    --- stderr
    config::plugin

      × the plugin own is not one of those that come with Tollgate; did you mean destructive?
       ╭─[tollgate.toml:2:10]
     1 │ [plugins.own]
     2 │ source = "builtin:destuctive"
       ·          ──────────┬─────────
       ·                    ╰── here
       ╰────
      help: `source` is builtin:NAME or the path of a component
    "#);
}

#[test]
fn bundles_must_be_there_and_not_go_in_circles() {
    let project = Project::with(&[("tollgate.toml", "extends = [\"rules/base.toml\"]\n")]);
    assert_snapshot!(project.run(&["config", "show"]), @r#"
    exit status 2
    --- stderr
    config::bundle

      × the bundle rules/base.toml cannot be read: No such file or directory (os error 2)
       ╭─[tollgate.toml:1:12]
     1 │ extends = ["rules/base.toml"]
       ·            ────────┬────────
       ·                    ╰── extended here
       ╰────
      help: paths in `extends` start from the folder of the file that has them
    "#);
    project.write("rules/base.toml", "extends = [\"../tollgate.toml\"]\n");
    assert_snapshot!(project.run(&["config", "show"]), @r#"
    exit status 2
    --- stderr
    config::circle

      × the bundle tollgate.toml extends itself: tollgate.toml → rules/base.toml → tollgate.toml
       ╭─[rules/base.toml:1:12]
     1 │ extends = ["../tollgate.toml"]
       ·            ─────────┬────────
       ·                     ╰── extended here
       ╰────
    "#);
    project.write("rules/base.toml", "[check]\nblock_at = \"all\"\n");
    assert_snapshot!(project.run(&["config", "show"]), @r#"
    exit status 2
    --- stderr
    config::wrong-type

      × check.block_at must be "low", "medium" or "high"
       ╭─[rules/base.toml:2:12]
     1 │ [check]
     2 │ block_at = "all"
       ·            ──┬──
       ·              ╰── expected "low", "medium" or "high"
       ╰────
    "#);
}

#[test]
fn arguments_are_checked() {
    let project = Project::new();
    assert_snapshot!(project.run(&["rollback", "--steps", "0"]), @"
    exit status 2
    --- stderr
    error: invalid value '0' for '--steps <N>': 0 is not in 1..=4294967295

    For more information, try '--help'.
    ");
    assert_snapshot!(project.run(&["rollback", "--steps", "2", "--target", "x"]), @"
    exit status 2
    --- stderr
    error: the argument '--steps <N>' cannot be used with '--target <NAME>'

    Usage: tollgate rollback --steps <N>

    For more information, try '--help'.
    ");
    assert_snapshot!(project.run(&["resolve"]), @"
    exit status 2
    --- stderr
    config::no-migrations

      × no folder of migrations was found
      help: looked for prisma/migrations, migrations; name it with --migrations or with `dir` under
            [migrations] in tollgate.toml
    ");
    assert_snapshot!(project.run(&["resolve", "--applied", "a", "--rolled-back", "b"]), @"
    exit status 2
    --- stderr
    error: the argument '--applied <NAME>...' cannot be used with '--rolled-back <NAME>...'

    Usage: tollgate resolve --applied <NAME>... [NAME]...

    For more information, try '--help'.
    ");
    assert_snapshot!(project.run(&["deploy", "--lock-timeout", "1h"]), @"
    exit status 2
    --- stderr
    error: invalid value '1h' for '--lock-timeout <TIME>': a time is a number with ms, s or min

    For more information, try '--help'.
    ");
    assert_snapshot!(project.run(&["depoly"]), @"
    exit status 2
    --- stderr
    error: unrecognized subcommand 'depoly'

      tip: a similar subcommand exists: 'deploy'

    Usage: tollgate [OPTIONS] <COMMAND>

    For more information, try '--help'.
    ");
}
