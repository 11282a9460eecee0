//! One test's database.

use super::{Cluster, PASSWORD, PASSWORD_ROLE};
use crate::{SupportError, programs};

/// A database of its own for one test, dropped with the value.
#[derive(Debug)]
pub struct TestDatabase<'cluster> {
    cluster: &'cluster Cluster,
    /// Its name.
    pub name: String,
}

impl<'cluster> TestDatabase<'cluster> {
    pub(super) fn new(cluster: &'cluster Cluster, name: String) -> Self {
        Self { cluster, name }
    }

    /// The connection URL of the cluster's administrator.
    pub fn url(&self) -> String {
        self.cluster.url_of(&self.name)
    }

    /// The connection URL of another role of this server, with `password` percent-encoded.
    pub fn url_as(&self, role: &str, password: Option<&str>) -> String {
        let url = self.url();
        let host = url.rfind('@').map_or("", |at| &url[at + 1..]);
        match password {
            Some(password) => format!("postgresql://{role}:{}@{host}", percent_encoded(password)),
            None => format!("postgresql://{role}@{host}"),
        }
    }

    /// The connection URL of [`PASSWORD_ROLE`], which has to give its password.
    pub fn url_with_password(&self) -> String {
        self.url_as(PASSWORD_ROLE, Some(PASSWORD))
    }

    /// The server it lies on.
    pub fn cluster(&self) -> &'cluster Cluster {
        self.cluster
    }

    /// Runs SQL with the psql program, statement by statement: unaligned rows without headers.
    ///
    /// # Errors
    /// What psql complained about.
    pub fn try_psql(&self, sql: &str) -> Result<String, SupportError> {
        self.cluster.psql(&self.url(), sql)
    }

    /// As [`Self::try_psql`].
    ///
    /// # Panics
    /// When psql refuses the SQL.
    #[expect(clippy::panic, reason = "tests want to fail here")]
    pub fn psql(&self, sql: &str) -> String {
        self.try_psql(sql)
            .unwrap_or_else(|error| panic!("psql: {error}\nin: {sql}"))
    }

    /// `pg_dump --schema-only` without comments, settings and random tokens: equal for equal schemas.
    ///
    /// # Panics
    /// When `pg_dump` fails.
    #[expect(clippy::panic, reason = "tests want to fail here")]
    pub fn schema(&self) -> String {
        let url = self.url();
        let dump = programs::run(
            &self.cluster.program("pg_dump"),
            &["--schema-only", "--dbname", &url],
            "",
        );
        normalised(&dump.unwrap_or_else(|error| panic!("pg_dump: {error}")))
    }
}

impl Drop for TestDatabase<'_> {
    fn drop(&mut self) {
        // Nothing to be done about a failure here; an own cluster takes its databases along anyway.
        let _ = self
            .cluster
            .admin(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name));
    }
}

fn normalised(dump: &str) -> String {
    const NOISE: &[&str] = &[
        "--",
        "SET ",
        "SELECT pg_catalog.set_config",
        "\\restrict",
        "\\unrestrict",
    ];
    let kept = dump
        .lines()
        .filter(|line| !line.is_empty() && !NOISE.iter().any(|noise| line.starts_with(noise)));
    kept.fold(String::new(), |text, line| text + line + "\n")
}

fn percent_encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |encoded, byte| {
        if byte.is_ascii_alphanumeric() {
            encoded + &char::from(byte).to_string()
        } else {
            encoded + &format!("%{byte:02X}")
        }
    })
}
