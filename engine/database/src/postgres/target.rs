//! PostgreSQL connection URLs: every parameter Prisma knows, understood or refused by name.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::target::{Secret, number, path, seconds};
use crate::url::{Parameter, ServerUrl, UrlError, split_server_url};

/// The names that are understood, for the error about one that is not.
const KNOWN: &str = "schema, sslmode, sslcert, sslkey, sslrootcert, sslidentity, sslpassword, sslaccept, host, options, \
    application_name, channel_binding, connect_timeout, pgbouncer, and (without effect here) connection_limit, \
    pool_timeout, socket_timeout, statement_cache_size, max_connection_lifetime, max_idle_connection_lifetime, \
    single_use_connections";

/// Prisma's default, in seconds.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How far a server is trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trust {
    /// Encrypt, believe anybody: Prisma's `sslaccept=accept_invalid_certs`, its default.
    Anybody,
    /// The certificate leads to a trusted root; the name in it does not matter (`sslmode=verify-ca`).
    Chain,
    /// Chain and name (`sslmode=verify-full`, `sslaccept=strict`).
    ChainAndName,
}

/// Whether to encrypt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encryption {
    Never,
    IfOffered,
    Always,
}

/// The driver's channel binding setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Binding {
    Disable,
    Prefer,
    Require,
}

/// A PostgreSQL database to connect to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PostgresTarget {
    pub user: Option<String>,
    pub password: Option<Secret>,
    raw_password: Option<Secret>,
    /// Host name, address, or folder of a Unix socket (starts with `/`).
    pub host: String,
    pub port: u16,
    pub database: String,
    pub schema: String,
    pub encryption: Encryption,
    pub trust: Trust,
    /// PEM file with trusted roots.
    pub roots: Option<PathBuf>,
    /// The roots replace the system's (libpq's meaning, with verify-ca and verify-full) rather than add to them (Prisma's).
    pub only_these_roots: bool,
    /// PEM file with our certificate chain and key.
    pub identity: Option<PathBuf>,
    /// PEM file with the key, when it is not in the same one.
    pub identity_key: Option<PathBuf>,
    /// Only for redaction, decoded and as it stands in the URL: PEM files of ours are not encrypted.
    identity_passwords: Vec<Secret>,
    pub options: Option<String>,
    pub application_name: Option<String>,
    pub channel_binding: Binding,
    pub connect_timeout: Option<Duration>,
    /// The URL says that a transaction pooler stands in between.
    pub pooler: bool,
}

impl PostgresTarget {
    /// Reads what follows `postgresql://`.
    pub(crate) fn parse(rest: &str, base: &Path) -> Result<Self, UrlError> {
        let url = split_server_url(rest)?;
        let database = url
            .database
            .clone()
            .or_else(|| url.user.clone())
            .ok_or(UrlError::MissingPart { part: "database" })?;
        let mut target = Self {
            user: url.user.clone(),
            password: url.password.as_deref().map(Secret::new),
            raw_password: url.raw_password.as_deref().map(Secret::new),
            host: url.host.clone().unwrap_or_else(|| "localhost".to_owned()),
            port: url.port.unwrap_or(5432),
            database,
            schema: "public".to_owned(),
            encryption: Encryption::IfOffered,
            trust: Trust::Anybody,
            roots: None,
            only_these_roots: false,
            identity: None,
            identity_key: None,
            identity_passwords: Vec::new(),
            options: None,
            application_name: None,
            channel_binding: Binding::Prefer,
            connect_timeout: Some(CONNECT_TIMEOUT),
            pooler: false,
        };
        target.read_parameters(&url, base)?;
        Ok(target)
    }

    fn read_parameters(&mut self, url: &ServerUrl, base: &Path) -> Result<(), UrlError> {
        let mut mode = None;
        let mut accept = None;
        // With a key beside it, `sslcert` is our own certificate, as libpq has it; without, the root, as Prisma has it.
        let libpq = url.parameters.iter().any(|parameter| parameter.name == "sslkey");
        for Parameter { name, value, raw } in &url.parameters {
            match name.as_str() {
                "schema" if value.is_empty() => return Err(UrlError::parameter("schema", "is empty", None)),
                "schema" => self.schema.clone_from(value),
                "sslmode" => mode = Some(value.as_str()),
                "sslaccept" => accept = Some(value.as_str()),
                "sslcert" if libpq => self.identity = Some(path(base, value)),
                "sslkey" => self.identity_key = Some(path(base, value)),
                "sslcert" | "sslrootcert" => self.roots = Some(path(base, value)),
                "sslidentity" => self.identity = Some(path(base, value)),
                "sslpassword" => self.identity_passwords = vec![Secret::new(value), Secret::new(raw)],
                "host" if value.is_empty() => {}
                "host" => self.host.clone_from(value),
                "options" => self.options = Some(value.clone()).filter(|value| !value.is_empty()),
                "application_name" => self.application_name = Some(value.clone()),
                "channel_binding" => self.channel_binding = channel_binding(value)?,
                "connect_timeout" => self.connect_timeout = seconds("connect_timeout", value)?,
                "pgbouncer" => self.pooler = flag("pgbouncer", value)?,
                "connection_limit" => number("connection_limit", value)?,
                "pool_timeout" => number("pool_timeout", value)?,
                "socket_timeout" => number("socket_timeout", value)?,
                "statement_cache_size" => number("statement_cache_size", value)?,
                "max_connection_lifetime" => number("max_connection_lifetime", value)?,
                "max_idle_connection_lifetime" => number("max_idle_connection_lifetime", value)?,
                "single_use_connections" => drop(flag("single_use_connections", value)?),
                _ => {
                    return Err(UrlError::UnknownParameter {
                        name: name.clone(),
                        known: KNOWN.to_owned(),
                    });
                }
            }
        }
        if libpq && self.identity.is_none() {
            return Err(UrlError::parameter(
                "sslkey",
                "has no certificate",
                Some("name it, too: sslcert=client.crt"),
            ));
        }
        self.set_encryption(mode, accept)
    }

    fn set_encryption(&mut self, mode: Option<&str>, accept: Option<&str>) -> Result<(), UrlError> {
        let strict = match accept {
            None => None,
            Some("strict") => Some(true),
            Some("accept_invalid_certs") => Some(false),
            Some(_) => {
                return Err(UrlError::parameter(
                    "sslaccept",
                    "is neither strict nor accept_invalid_certs",
                    None,
                ));
            }
        };
        let by_acceptance = if strict == Some(true) {
            Trust::ChainAndName
        } else {
            Trust::Anybody
        };
        (self.encryption, self.trust) = match mode {
            None | Some("prefer" | "allow") => (Encryption::IfOffered, by_acceptance),
            Some("disable") => (Encryption::Never, Trust::Anybody),
            Some("require") => (Encryption::Always, by_acceptance),
            Some("verify-ca" | "verify-full") if strict == Some(false) => {
                return Err(UrlError::parameter(
                    "sslaccept",
                    "says accept_invalid_certs, and sslmode says to verify them",
                    Some("leave sslaccept out"),
                ));
            }
            Some("verify-ca") => (Encryption::Always, Trust::Chain),
            Some("verify-full") => (Encryption::Always, Trust::ChainAndName),
            Some(_) => {
                return Err(UrlError::parameter(
                    "sslmode",
                    "is none of disable, prefer, require, verify-ca, verify-full",
                    None,
                ));
            }
        };
        self.only_these_roots = matches!(mode, Some("verify-ca" | "verify-full"));
        Ok(())
    }

    /// Database, host, port and schema.
    pub(crate) fn describe(&self) -> String {
        let place = if self.host.starts_with('/') {
            format!("socket {} port {}", self.host, self.port)
        } else if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        };
        format!(
            "PostgreSQL database \"{}\", schema \"{}\" at {place}",
            self.database, self.schema
        )
    }

    /// Passwords, encoded and decoded.
    pub(crate) fn secrets(&self) -> Vec<String> {
        let mut secrets: Vec<String> = [&self.password, &self.raw_password]
            .into_iter()
            .flatten()
            .chain(&self.identity_passwords)
            .map(|secret| secret.reveal().to_owned())
            .filter(|secret| !secret.is_empty())
            .collect();
        secrets.sort_unstable();
        secrets.dedup();
        // The longest first, so that one that contains another is replaced as a whole.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        secrets
    }

    /// Another place on the same server.
    pub(crate) fn elsewhere(&self, database: &str, schema: &str) -> Self {
        Self {
            database: database.to_owned(),
            schema: schema.to_owned(),
            ..self.clone()
        }
    }
}

fn flag(name: &'static str, value: &str) -> Result<bool, UrlError> {
    match value {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err(UrlError::parameter(name, "is neither true nor false", None)),
    }
}

fn channel_binding(value: &str) -> Result<Binding, UrlError> {
    match value {
        "disable" => Ok(Binding::Disable),
        "prefer" => Ok(Binding::Prefer),
        "require" => Ok(Binding::Require),
        _ => Err(UrlError::parameter(
            "channel_binding",
            "is none of disable, prefer, require",
            None,
        )),
    }
}
