//! Lets the server say how it prints an expression, so that `now()` and `CURRENT_TIMESTAMP` can be compared.

use std::cell::RefCell;
use std::collections::HashMap;

use tollgate_schema::difference::Place;
use tollgate_sql::{Dialect, ObjectName};

/// Asks the server, and remembers.
pub struct Normaliser {
    client: RefCell<postgres::Client>,
    known: RefCell<HashMap<String, String>>,
}

impl Normaliser {
    pub fn connect(url: &str) -> Self {
        let client = postgres::Client::connect(url, postgres::NoTls).unwrap();
        Self {
            client: RefCell::new(client),
            known: RefCell::default(),
        }
    }

    /// The expression as the server prints it; as it is, where the server does not take it.
    pub fn normal(&self, place: Place<'_>, text: &str) -> String {
        let key = format!("{place:?} {text}");
        if let Some(known) = self.known.borrow().get(&key) {
            return known.clone();
        }
        let printed = self
            .ask(place, text)
            .unwrap_or_else(|| text.split_whitespace().collect::<Vec<_>>().join(" "));
        self.known.borrow_mut().insert(key, printed.clone());
        printed
    }

    fn ask(&self, place: Place<'_>, text: &str) -> Option<String> {
        let like = |table: &ObjectName| {
            format!(
                "CREATE TEMP TABLE n (LIKE {} INCLUDING IDENTITY)",
                table.sql(Dialect::Postgres)
            )
        };
        let default = "SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef WHERE adrelid = 'pg_temp.n'::regclass";
        let (setup, query) = match place {
            Place::Default { data_type, .. } => {
                (format!("CREATE TEMP TABLE n (c {data_type} DEFAULT {text})"), default)
            }
            Place::Generated { table } => (
                format!("{}; ALTER TABLE pg_temp.n ADD CHECK (({text}) IS NULL)", like(table)),
                "SELECT pg_get_expr(conbin, conrelid) FROM pg_constraint WHERE conrelid = 'pg_temp.n'::regclass AND contype = 'c'",
            ),
            Place::Check { table } => (
                format!("{}; ALTER TABLE pg_temp.n ADD CHECK ({text})", like(table)),
                "SELECT pg_get_expr(conbin, conrelid) FROM pg_constraint WHERE conrelid = 'pg_temp.n'::regclass AND contype = 'c'",
            ),
            Place::IndexKey { table } => (
                format!("{}; CREATE INDEX n_i ON pg_temp.n (({text}))", like(table)),
                "SELECT pg_get_expr(indexprs, indrelid) FROM pg_index WHERE indexrelid = 'pg_temp.n_i'::regclass",
            ),
            // A policy's subquery may name the table, so the stand-in has its name.
            Place::Policy { table } => {
                let name = Dialect::Postgres.quote_if_needed(&table.name);
                let like = format!("CREATE TEMP TABLE {name} (LIKE {})", table.sql(Dialect::Postgres));
                (
                    format!("{like}; CREATE POLICY tollgate_n ON pg_temp.{name} USING ({text})"),
                    "SELECT pg_get_expr(polqual, polrelid) FROM pg_policy WHERE polname = 'tollgate_n'",
                )
            }
            Place::Predicate { table } => (
                format!("{}; CREATE INDEX n_i ON pg_temp.n ((1)) WHERE {text}", like(table)),
                "SELECT pg_get_expr(indpred, indrelid) FROM pg_index WHERE indexrelid = 'pg_temp.n_i'::regclass",
            ),
            Place::Exclusion { table } => (
                format!("{}; ALTER TABLE pg_temp.n ADD EXCLUDE {text}", like(table)),
                "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'pg_temp.n'::regclass AND contype = 'x'",
            ),
            Place::Domain { domain } => {
                let domain = domain.sql(Dialect::Postgres).replace('\'', "''");
                let row = self.client.borrow_mut().query_one(
                    &format!("SELECT format_type(typbasetype, typtypmod) FROM pg_type WHERE oid = '{domain}'::regtype"),
                    &[],
                );
                let base: String = row.ok()?.get(0);
                if text.contains("VALUE") {
                    (
                        format!("CREATE DOMAIN pg_temp.n AS {base} CONSTRAINT n CHECK ({text})"),
                        "SELECT pg_get_expr(conbin, 0) FROM pg_constraint WHERE contypid = 'pg_temp.n'::regtype",
                    )
                } else {
                    (
                        format!("CREATE DOMAIN pg_temp.n AS {base} DEFAULT {text}"),
                        "SELECT pg_get_expr(typdefaultbin, 0) FROM pg_type WHERE oid = 'pg_temp.n'::regtype",
                    )
                }
            }
        };
        let mut client = self.client.borrow_mut();
        let mut transaction = client.transaction().unwrap();
        transaction.batch_execute(&setup).ok()?;
        let row = transaction.query_one(query, &[]).ok()?;
        row.get(0)
    }
}
