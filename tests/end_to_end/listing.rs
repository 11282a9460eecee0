//! What works without a database: making a migration, listing plugins and settings.

use insta::assert_snapshot;

use crate::session::{blog, session, sqlite};

#[test]
fn new_migrations_get_names_and_the_rest_is_listed() {
    let project = sqlite();
    blog(&project);
    project.file("migrations/migration_lock.toml", "provider = \"sqlite\"\n");
    project.file(
        "tollgate.toml",
        "[environments.production.check]\nblock_at = \"medium\"\n",
    );
    let seen = session(
        &project,
        &["new Add_Tags", "plugin list", "config show -e production --origin"],
    );
    let name = regex::Regex::new(r"\d{14}_").unwrap();
    assert_snapshot!(name.replace_all(&seen, "[timestamp]_"), @r#"
    $ tollgate new Add_Tags
    status: 0
    -- stdout
    made migrations/[timestamp]_add_tags/migration.sql

    $ tollgate plugin list
    status: 0
    -- stdout
    tollgate 0.1.0 (the engine's own rules): on
      policy: What only the engine can tell: suppressions, ways back, edited files
      4 of 4 rules on (--rules lists them)
    conventions 0.1.0 (builtin:conventions): on
      policy: Naming, types and house style
      3 of 18 rules on (--rules lists them)
    destructive 0.1.0 (builtin:destructive): on
      policy: Reports what loses data or objects
      may use catalog.probe
      27 of 27 rules on (--rules lists them)
    github 0.1.0 (builtin:github): off, it has no endpoint
      notifier: Writes deployment statuses and a comment on the pull request on GitHub
      may use http:api
    rollback 0.1.0 (builtin:rollback): on
      rollback: Writes the inverse of every statement, from the catalog as it was before
    safety 0.1.0 (builtin:safety): on
      policy: Reports what is dangerous to run on a live system
      may use catalog.probe
      74 of 74 rules on (--rules lists them)
    slack 0.1.0 (builtin:slack): off, SLACK_WEBHOOK_URL is not set
      notifier: Tells a Slack channel how a run ended
      may use http:webhook
    webhook 0.1.0 (builtin:webhook): off, it has no endpoint
      notifier: Posts every event as JSON, signed with HMAC-SHA256
      may use http:webhook

    $ tollgate config show -e production --origin
    status: 0
    -- stdout
    [database]
    url = "file:./app.db"  # from DATABASE_URL

    [migrations]
    edited = "error"  # from default
    missing = "warn"  # from default
    out_of_order = "warn"  # from default

    [check]
    block_at = "medium"  # from tollgate.toml:2 [environments.production]

    [deploy]
    idle_timeout_ms = 60000  # from default
    lock_timeout_ms = 30000  # from default
    retries = 5  # from default
    statement_lock_timeout_ms = 5000  # from default
    synchronous_commit = "last"  # from default

    [lock]
    force_release = false  # from default

    [plugins.conventions]
    grant = []  # from default
    source = "builtin:conventions"  # from default

    [plugins.destructive]
    grant = ["catalog.probe"]  # from default
    source = "builtin:destructive"  # from default

    [plugins.github]
    grant = ["http:api"]  # from default
    source = "builtin:github"  # from default

    [plugins.rollback]
    grant = []  # from default
    source = "builtin:rollback"  # from default

    [plugins.safety]
    grant = ["catalog.probe"]  # from default
    source = "builtin:safety"  # from default

    [plugins.slack]
    grant = ["http:webhook"]  # from default
    source = "builtin:slack"  # from default

    [plugins.webhook]
    grant = ["http:webhook"]  # from default
    source = "builtin:webhook"  # from default
    "#);
}
