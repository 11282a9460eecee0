//! A role that lacks what a deploy needs: each thing is named, with what gives it.

use insta::assert_snapshot;
use tollgate_testing::postgres::{TestDatabase, cluster};

use crate::diagnosis::{Diagnosis, on};

/// A role that is dropped in the end.
struct Role {
    name: String,
}

impl Role {
    fn new(database: &TestDatabase<'_>) -> Self {
        let name = format!("{}_role", database.name);
        cluster().admin(&format!("CREATE ROLE {name} LOGIN;")).unwrap();
        Self { name }
    }
}

impl Drop for Role {
    fn drop(&mut self) {
        let _ = cluster().admin(&format!("DROP ROLE {};", self.name));
    }
}

fn complaints(database: &TestDatabase<'_>, role: &Role) -> String {
    let diagnosis = Diagnosis::of(&on(&database.url_as(&role.name, None)));
    let text = format!("status {:?}\n{}", diagnosis.status, diagnosis.complaints());
    text.replace(&role.name, "ROLE").replace(&database.name, "DATABASE")
}

#[test]
fn on_an_empty_database() {
    let database = cluster().database();
    let role = Role::new(&database);
    database.psql("REVOKE CREATE ON SCHEMA public FROM PUBLIC;");
    let seen = complaints(&database, &role);
    assert_snapshot!(seen, @"
    status Some(5)
    schema: bad lacks CREATE on schema public
      → GRANT CREATE ON SCHEMA public TO ROLE
    state-access: bad lacks CREATE on the database, to make schema tollgate for Tollgate's own tables
      → let an administrator run: CREATE SCHEMA tollgate AUTHORIZATION ROLE
    monitoring: note does not see what other roles' sessions do
      → to have whoever blocks a deploy named with query and state: GRANT pg_monitor TO ROLE
    signalling: note may end only sessions of its own role
      → to end a session of another role that hangs with the lock: GRANT pg_signal_backend TO ROLE
    ");
    database.psql(&format!(
        "GRANT CREATE ON SCHEMA public TO {0}; GRANT CREATE ON DATABASE {1} TO {0}; GRANT pg_monitor, pg_signal_backend TO {0};",
        role.name, database.name
    ));
    let seen = complaints(&database, &role);
    database.psql(&format!("DROP OWNED BY {};", role.name));
    assert_eq!(seen, "status Some(0)\n");
}

#[test]
fn on_a_database_that_somebody_else_has_deployed() {
    let database = cluster().database();
    let role = Role::new(&database);
    on(&database.url()).succeed(&["deploy"]);
    database.psql("REVOKE CREATE ON SCHEMA public FROM PUBLIC;");
    let seen = complaints(&database, &role);
    let size = Diagnosis::of(&on(&database.url_as(&role.name, None)));
    assert_eq!(
        size.finding("size")["status"],
        "ok",
        "what is refused stops nothing else"
    );
    assert_snapshot!(seen, @"
    status Some(5)
    schema: bad lacks CREATE on schema public
      → GRANT CREATE ON SCHEMA public TO ROLE
    ledger-access: bad lacks SELECT, INSERT, UPDATE on the ledger public._prisma_migrations
      → GRANT SELECT, INSERT, UPDATE ON public._prisma_migrations TO ROLE
    state-access: bad lacks USAGE on schema tollgate, Tollgate's own
      → GRANT USAGE, CREATE ON SCHEMA tollgate TO ROLE; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA tollgate TO ROLE
    ownership: warn may not alter or drop 2 of 2 tables, views and sequences: posts (owner postgres), users (owner postgres)
      → ALTER TABLE … OWNER TO ROLE, for those that migrations change
    monitoring: note does not see what other roles' sessions do
      → to have whoever blocks a deploy named with query and state: GRANT pg_monitor TO ROLE
    signalling: note may end only sessions of its own role
      → to end a session of another role that hangs with the lock: GRANT pg_signal_backend TO ROLE
    ledger: skipped could not be looked at: permission denied for table _prisma_migrations
    state: skipped could not be looked at: permission denied for schema tollgate
    outbox: skipped could not be looked at: permission denied for schema tollgate
    ");
    // What the advice says is enough.
    database.psql(&format!(
        "GRANT CREATE ON SCHEMA public TO {0}; GRANT SELECT, INSERT, UPDATE ON public._prisma_migrations TO {0}; \
         GRANT USAGE, CREATE ON SCHEMA tollgate TO {0}; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA tollgate TO {0};",
        role.name
    ));
    let project = on(&database.url_as(&role.name, None));
    project.migration("3_views", "CREATE TABLE views (id integer);\n");
    let diagnosis = Diagnosis::of(&project);
    let deployed = project.run(&["deploy"]);
    database.psql(&format!(
        "REASSIGN OWNED BY {0} TO postgres; DROP OWNED BY {0};",
        role.name
    ));
    assert_eq!(diagnosis.status, Some(0), "{}", diagnosis.complaints());
    assert_eq!(deployed.status, Some(0), "{deployed}");
}

#[test]
fn a_role_with_few_connections() {
    let database = cluster().database();
    let role = Role::new(&database);
    cluster()
        .admin(&format!("ALTER ROLE {} CONNECTION LIMIT 2;", role.name))
        .unwrap();
    let diagnosis = Diagnosis::of(&on(&database.url_as(&role.name, None)));
    assert_eq!(diagnosis.status, Some(5));
    assert_eq!(
        diagnosis.finding("role-connections")["status"],
        "bad",
        "{:#}",
        diagnosis.document
    );
}

#[test]
fn a_schema_that_cannot_be_made() {
    let database = cluster().database();
    let role = Role::new(&database);
    let url = format!("{}?schema=other", database.url_as(&role.name, None));
    let diagnosis = Diagnosis::of(&on(&url));
    assert_snapshot!(diagnosis.says("schema").replace(&role.name, "ROLE"), @"
    bad schema other is not there, and the role may not create it
      → check `schema` in the URL, or CREATE SCHEMA other AUTHORIZATION ROLE
    ");
    let diagnosis = Diagnosis::of(&on(&format!("{}?schema=other", database.url())));
    assert_snapshot!(diagnosis.says("schema"), @"ok schema other is not there yet; a deploy creates it");
}
