//! `tollgate init`

use insta::assert_snapshot;

use crate::support::Project;

const SCHEMA: &str = "generator client {\n  provider = \"prisma-client-js\"\n}\n\ndatasource db {\n  provider = \"postgresql\"\n  url      = env(\"DATABASE_URL\")\n}\n";
const PACKAGE: &str = "{\n    \"name\": \"shop\",\n    \"files\": [\"dist\"],\n    \"scripts\": {\n        \"test\": \"vitest\",\n        \"db:migrate:deploy\": \"prisma migrate deploy\"\n    },\n    \"private\": true\n}\n";

#[test]
fn a_prisma_project_is_found() {
    let project = Project::with(&[
        ("package.json", PACKAGE),
        ("prisma/schema.prisma", SCHEMA),
        (
            "prisma/migrations/20240101000000_init/migration.sql",
            "CREATE TABLE a (id int);",
        ),
        ("prisma/migrations/migration_lock.toml", "provider = \"postgresql\"\n"),
        ("node_modules/x/prisma/migrations/1_a/migration.sql", ""),
    ]);
    assert_snapshot!(project.run(&["init"]), @r#"
    exit status 0
    --- stdout
    prisma/migrations: 1 migration for postgresql
    wrote tollgate.toml
    scripts for package.json (`tollgate init --write-scripts` writes them):
      "db:migrate:deploy": "tollgate deploy"  (was: prisma migrate deploy)
      "db:migrate:dry-run": "tollgate deploy --dry-run"
      "db:migrate:status": "tollgate status"
      "db:migrate:create": "tollgate new"
      "db:migrate:rollback": "tollgate rollback"
      "db:migrate:resolve": "tollgate resolve"
      "db:check-destructive": "tollgate check"
    next: tollgate status
    "#);
    assert_snapshot!(project.read("tollgate.toml"), @r#"
    # Configuration of Tollgate. `tollgate config show --origin` prints every setting and where it is from.

    [database]
    # The variable that holds the connection URL. A .env file is read, too; passwords do not belong in here.
    url = "env:DATABASE_URL"

    [prisma]
    # `file:` URLs start in this file's folder, and a .env beside it is read.
    schema = "prisma/schema.prisma"

    [migrations]
    dir = "prisma/migrations"
    # What to do about irregular migrations: "allow", "warn" or "error".
    out_of_order = "warn" # not applied yet although a later one is
    missing = "warn"      # applied, but its folder is gone
    edited = "error"      # applied, and its file has been changed since

    [check]
    # Findings of this level and above stop a deploy: "low", "medium" or "high".
    block_at = "high"

    # Levels of single rules: "off", "low", "medium" or "high". `tollgate plugin list` names the plugins.
    # [plugins.destructive.rules]
    # drop-index = "low"

    # A policy of your own: a WebAssembly component.
    # [plugins.my-policy]
    # source = "policies/my-policy.wasm"

    # Slack is told where SLACK_WEBHOOK_URL is set.

    # Rows to work with, for `tollgate seed` and after `tollgate reset`; otherwise what package.json has as prisma.seed.
    # [seed]
    # files = ["seed/*.sql"]
    # command = "npm run seed" # without a shell

    # Used with `tollgate -e production …`; whatever is set here holds instead of what is set above.
    # [environments.production]
    # database.url = "env:PRODUCTION_DATABASE_URL"
    # check.block_at = "medium"
    # requires = "staging" # everything has to be deployed there first, with the same text
    # approvals.approvers = ["alice@example.org"] # who may let something pass that a policy stops

    # `tollgate reset` drops everything, so it works only where this is said.
    # [environments.development]
    # development = true
    "#);
    assert_eq!(project.read("package.json"), PACKAGE);
    // What was written is valid and says the same.
    assert_eq!(project.run(&["config", "show"]).status, 0);
    // A second run changes nothing.
    assert_snapshot!(project.run(&["init"]), @"
    exit status 2
    --- stderr
    init::exists

      × tollgate.toml is here already
      help: nothing was changed; `tollgate config show` prints what holds, `tollgate init
            --write-scripts` writes the scripts only
    ");
}

#[test]
fn scripts_are_written_and_the_rest_of_the_file_stays() {
    let project = Project::with(&[
        ("package.json", PACKAGE),
        ("prisma/schema.prisma", SCHEMA),
        ("tollgate.toml", ""),
    ]);
    assert_snapshot!(project.run(&["init", "--write-scripts"]), @r#"
    exit status 0
    --- stdout
    prisma/migrations: no migrations yet for postgresql
    wrote these scripts into package.json:
      "db:migrate:deploy": "tollgate deploy"  (was: prisma migrate deploy)
      "db:migrate:dry-run": "tollgate deploy --dry-run"
      "db:migrate:status": "tollgate status"
      "db:migrate:create": "tollgate new"
      "db:migrate:rollback": "tollgate rollback"
      "db:migrate:resolve": "tollgate resolve"
      "db:check-destructive": "tollgate check"
    next: tollgate new NAME
    "#);
    assert_snapshot!(project.read("package.json"), @r#"
    {
        "name": "shop",
        "files": ["dist"],
        "scripts": {
            "test": "vitest",
            "db:migrate:deploy": "tollgate deploy",
            "db:migrate:dry-run": "tollgate deploy --dry-run",
            "db:migrate:status": "tollgate status",
            "db:migrate:create": "tollgate new",
            "db:migrate:rollback": "tollgate rollback",
            "db:migrate:resolve": "tollgate resolve",
            "db:check-destructive": "tollgate check"
        },
        "private": true
    }
    "#);
    assert_eq!(project.read("tollgate.toml"), "", "it was there already");
}

#[test]
fn the_package_of_a_monorepo_is_found() {
    let project = Project::with(&[
        ("package.json", "{}"),
        ("packages/web/package.json", "{}"),
        ("packages/db/prisma/schema.prisma", SCHEMA),
        ("packages/db/prisma/migrations/0_init/migration.sql", ""),
        ("packages/db/prisma/migrations/1_more/migration.sql", ""),
    ]);
    let ended = project.run(&["init"]);
    assert_snapshot!(ended.stdout.lines().next().unwrap(), @"packages/db/prisma/migrations: 2 migrations for postgresql");
    assert!(
        project
            .read("tollgate.toml")
            .contains("\ndir = \"packages/db/prisma/migrations\"\n")
    );
    assert!(
        project
            .read("tollgate.toml")
            .contains("\nschema = \"packages/db/prisma/schema.prisma\"\n")
    );
}

#[test]
fn of_several_packages_one_has_to_be_named() {
    let project = Project::with(&[
        ("packages/a/prisma/migrations/0_init/migration.sql", ""),
        ("packages/c/prisma/schema.prisma", SCHEMA),
        ("packages/b/prisma/migrations/0_init/migration.sql", ""),
    ]);
    assert_snapshot!(project.run(&["init"]), @"
    exit status 2
    --- stderr
    init::several

      × there are several folders of migrations: packages/a/prisma/migrations,
      │ packages/b/prisma/migrations
      help: name one with --migrations, or run `tollgate init` in each package
    ");
    let ended = project.run(&["init", "--migrations", "packages/b/prisma/migrations"]);
    assert_snapshot!(ended, @"
    exit status 0
    --- stdout
    packages/b/prisma/migrations: 1 migration
    wrote tollgate.toml
    next: tollgate status
    ");
}

#[test]
fn package_json_may_name_the_schema() {
    let project = Project::with(&[
        ("package.json", "{\"prisma\": {\"schema\": \"./db/main.prisma\"}}"),
        ("db/main.prisma", &SCHEMA.replace("postgresql", "sqlite")),
        ("prisma/migrations/0_other/migration.sql", ""),
    ]);
    assert_snapshot!(project.run(&["init"]).stdout.lines().next().unwrap(), @"db/migrations: no migrations yet for sqlite");
    assert!(
        project
            .read("tollgate.toml")
            .contains("\nschema = \"db/main.prisma\"\n")
    );
}

#[test]
fn an_empty_folder_is_a_project_too() {
    let project = Project::new();
    assert_snapshot!(project.run(&["init", "--write-scripts"]), @"
    exit status 0
    --- stdout
    migrations: no migrations yet
    wrote tollgate.toml
    next: tollgate new NAME
    --- stderr
    warning: there is no package.json here to write scripts into
    ");
    assert_snapshot!(project.files(), @"tollgate.toml");
}

#[test]
fn a_package_json_that_is_none_is_left_alone() {
    let project = Project::with(&[("package.json", "{ \"scripts\": 1 }")]);
    assert_snapshot!(project.run(&["init", "--write-scripts"]), @"
    exit status 1
    --- stderr
    init::package-json

      × [project]/package.json cannot be understood: `scripts` is not an object
    ");
    assert_snapshot!(project.files(), @"package.json");
}
