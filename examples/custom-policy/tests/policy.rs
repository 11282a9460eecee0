//! The policy, tried natively: no component, no database. The schema comes from SQL.

use serde_json::json;
use tenant_isolation::TenantIsolation;
use tollgate_plugin::testing;

const DEPLOYED: &str = "CREATE TABLE tenants (id uuid PRIMARY KEY);
    CREATE TABLE invoices (id int PRIMARY KEY, tenant_id uuid NOT NULL, number text);
    CREATE INDEX invoices_tenant_idx ON invoices (tenant_id, number);";

fn policy() -> testing::Test<TenantIsolation> {
    testing::policy::<TenantIsolation>()
        .settings(json!({ "shared_tables": ["tenants"] }))
        .before(DEPLOYED)
}

fn messages(script: &str) -> Vec<String> {
    policy().check(script).into_iter().map(|finding| finding.message).collect()
}

#[test]
fn what_is_isolated_is_let_through() {
    for script in [
        "CREATE TABLE notes (id int, tenant_id uuid); CREATE INDEX ON notes (tenant_id);",
        "CREATE TABLE notes (id int, tenant_id uuid, PRIMARY KEY (tenant_id, id));",
        "CREATE TABLE notes (id int, tenant_id uuid); CREATE INDEX i ON notes (tenant_id, id); DROP TABLE notes;",
        "ALTER TABLE invoices DROP COLUMN number CASCADE; CREATE INDEX ON invoices (tenant_id);",
        "DROP INDEX invoices_tenant_idx; CREATE INDEX i ON invoices (tenant_id);",
        "ALTER TABLE tenants ADD COLUMN name text; CREATE VIEW v AS SELECT id FROM tenants;",
    ] {
        assert_eq!(messages(script), [""; 0], "{script}");
    }
}

#[test]
fn what_is_not_is_named() {
    for (script, message) in [
        ("CREATE TABLE notes (id int);", "the table notes has no tenant_id"),
        ("CREATE TABLE notes (id int, tenant_id uuid);", "no index of notes starts with tenant_id"),
        (
            "CREATE TABLE notes (id int, tenant_id uuid); CREATE INDEX ON notes (id, tenant_id);",
            "no index of notes starts with tenant_id",
        ),
        (
            "CREATE TABLE notes (id int, tenant_id uuid); CREATE INDEX ON notes (tenant_id) WHERE id > 1;",
            "no index of notes starts with tenant_id",
        ),
        ("DROP INDEX invoices_tenant_idx;", "no index of invoices starts with tenant_id"),
        ("ALTER TABLE invoices RENAME COLUMN tenant_id TO owner_id;", "the table invoices has no tenant_id"),
        ("ALTER TABLE invoices DROP COLUMN tenant_id;", "the table invoices has no tenant_id"),
    ] {
        assert_eq!(messages(script), [message], "{script}");
    }
}
