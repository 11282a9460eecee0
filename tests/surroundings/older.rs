//! Tollgate's own tables are of an earlier version, and belong to somebody else.

use insta::assert_snapshot;
use tollgate_testing::postgres::{TestDatabase, cluster};

use crate::session::{blog, on, session};

/// Two roles of a test's own, taken away at the end.
struct Roles<'a>(&'a TestDatabase<'a>);

const OWNER: &str = "tollgate_older_owner";
const WRITER: &str = "tollgate_older_writer";

impl<'a> Roles<'a> {
    fn new(database: &'a TestDatabase<'a>) -> Self {
        let name = &database.name;
        for role in [OWNER, WRITER] {
            database.psql(&format!(
                "CREATE ROLE {role} LOGIN; GRANT ALL ON DATABASE {name} TO {role}; GRANT ALL ON SCHEMA public TO {role};"
            ));
        }
        Self(database)
    }
}

impl Drop for Roles<'_> {
    fn drop(&mut self) {
        for role in [WRITER, OWNER] {
            let drop = format!("DROP OWNED BY {role} CASCADE; DROP ROLE {role};");
            let _ = self.0.try_psql(&drop);
        }
    }
}

#[test]
fn who_may_bring_the_tables_up_to_date_is_said() {
    let database = cluster().database();
    let roles = Roles::new(&database);
    let project = on(&database.url_as(OWNER, None));
    blog(&project);
    project.succeed(&["deploy", "--to", "1_users"]);
    // As an earlier version of Tollgate has left them.
    database.psql(&format!(
        "DELETE FROM tollgate.__diesel_schema_migrations WHERE version <> (SELECT min(version) FROM \
         tollgate.__diesel_schema_migrations); \
         CREATE TABLE IF NOT EXISTS tollgate.approvals (a int); ALTER TABLE tollgate.approvals OWNER TO {OWNER}; \
         GRANT USAGE ON SCHEMA tollgate TO {WRITER}; GRANT REFERENCES ON users TO {WRITER}; \
         GRANT ALL ON ALL TABLES IN SCHEMA tollgate TO {WRITER}; GRANT ALL ON _prisma_migrations TO {WRITER};"
    ));
    let writer = on(&database.url_as(WRITER, None));
    blog(&writer);
    assert_snapshot!(session(&writer, &["deploy"]), @r#"
    $ tollgate deploy
    status: 1
    -- stderr
    database

      × cannot prepare Tollgate's own tables in schema "tollgate": they are of an earlier version and
      │ have to be brought up to date first, which only their owner may do: tollgate_older_owner, and
      │ not tollgate_older_writer
      help: run `tollgate deploy` once as tollgate_older_owner, or let an administrator run: GRANT
            tollgate_older_owner TO tollgate_older_writer
      the database now: nothing was changed
    "#);
    let untouched = "SELECT (SELECT count(*) FROM tollgate.__diesel_schema_migrations) || ' ' || (SELECT count(*) FROM \
                     _prisma_migrations) || ' ' || (to_regclass('posts') IS NULL)";
    assert_eq!(database.psql(untouched), "1 1 true\n");
    // Reading needs nothing of it.
    assert_eq!(writer.run(&["status"]).status, Some(5));
    // What the help says.
    database.psql(&format!("GRANT {OWNER} TO {WRITER}"));
    writer.succeed(&["deploy"]);
    project.succeed(&["status"]);
    drop(roles);
}
