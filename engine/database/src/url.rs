//! Connection URLs taken apart: scheme, credentials, host, path, parameters. What they mean is `target`'s business.
//!
//! No error repeats any part of a URL but its scheme and the names of parameters, because a mistyped URL is where a
//! password turns up in the wrong place.

use percent_encoding::percent_decode_str;

/// Why a connection URL cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UrlError {
    /// Nothing there.
    #[error("the database URL is empty")]
    Empty,
    /// Not a scheme that means a database to us.
    #[error("the database URL does not start with postgresql://, postgres://, file: or sqlite:")]
    UnknownScheme,
    /// A scheme that will mean one.
    #[error("{scheme} databases are not supported yet")]
    NotYet {
        /// `MySQL` and the like.
        scheme: &'static str,
    },
    /// A part that has to be there is not.
    #[error("the database URL names no {part}")]
    MissingPart {
        /// Which.
        part: &'static str,
    },
    /// A part that cannot be read.
    #[error("the {part} of the database URL {problem}")]
    BadPart {
        /// Which.
        part: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// A parameter nobody knows.
    #[error("the database URL has an unknown parameter \"{name}\"")]
    UnknownParameter {
        /// Its name.
        name: String,
        /// The known ones.
        known: String,
    },
    /// A parameter that is known, and cannot be honoured.
    #[error("the database URL's parameter \"{name}\" {problem}")]
    BadParameter {
        /// Its name.
        name: &'static str,
        /// What is wrong with it.
        problem: String,
        /// What to do instead.
        help: Option<String>,
    },
}

impl UrlError {
    /// What to do instead.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Empty | Self::UnknownScheme | Self::MissingPart { .. } => {
                Some("write postgresql://USER:PASSWORD@HOST:5432/DATABASE or file:./dev.db".to_owned())
            }
            Self::NotYet {
                scheme: "Prisma Accelerate",
            } => Some("give the database's own URL".to_owned()),
            Self::NotYet { .. } => Some("PostgreSQL and SQLite are".to_owned()),
            Self::BadPart { .. } => {
                Some("characters such as @ : / ? # % in a user name or password have to be percent-encoded".to_owned())
            }
            Self::UnknownParameter { known, .. } => Some(format!("known are {known}")),
            Self::BadParameter { help, .. } => help.clone(),
        }
    }

    pub(crate) fn part(part: &'static str, problem: impl Into<String>) -> Self {
        Self::BadPart {
            part,
            problem: problem.into(),
        }
    }

    pub(crate) fn parameter(name: &'static str, problem: impl Into<String>, help: Option<&str>) -> Self {
        Self::BadParameter {
            name,
            problem: problem.into(),
            help: help.map(str::to_owned),
        }
    }
}

/// A server URL in pieces, decoded. Deliberately without `Debug`: it holds the password.
pub(crate) struct ServerUrl {
    pub user: Option<String>,
    pub password: Option<String>,
    /// The password as it stands in the URL, for redaction.
    pub raw_password: Option<String>,
    pub host: Option<String>,
    pub port: Option<u16>,
    pub database: Option<String>,
    pub parameters: Vec<Parameter>,
}

/// Takes `rest` apart, which is what follows `scheme://`.
pub(crate) fn split_server_url(rest: &str) -> Result<ServerUrl, UrlError> {
    if rest.contains('#') {
        return Err(UrlError::part(
            "password or another part",
            "has a # in it, which has to be written %23",
        ));
    }
    let (before_query, query) = rest
        .split_once('?')
        .map_or((rest, ""), |(before, query)| (before, query));
    let (authority, path) = before_query.split_once('/').map_or((before_query, ""), |(a, p)| (a, p));
    let (credentials, address) = authority
        .rsplit_once('@')
        .map_or((None, authority), |(c, a)| (Some(c), a));
    let (user, raw_password) =
        match credentials.map(|text| text.split_once(':').map_or((text, None), |(u, p)| (u, Some(p)))) {
            Some((user, password)) => (Some(user).filter(|user| !user.is_empty()), password),
            None => (None, None),
        };
    let (host, port) = split_address(address)?;
    Ok(ServerUrl {
        user: user.map(|user| decode(user, "user name")).transpose()?,
        password: raw_password.map(|password| decode(password, "password")).transpose()?,
        raw_password: raw_password.map(str::to_owned),
        host,
        port,
        database: Some(path)
            .filter(|path| !path.is_empty())
            .map(|path| decode(path, "database name"))
            .transpose()?,
        parameters: split_query(query)?,
    })
}

/// Host and port of `host:5432`, `[::1]:5432`, `%2Fsocket%2Fdir`.
fn split_address(address: &str) -> Result<(Option<String>, Option<u16>), UrlError> {
    if address.contains(',') {
        return Err(UrlError::part("host", "lists several servers; migrations need one"));
    }
    let (host, port) = if let Some(rest) = address.strip_prefix('[') {
        let (host, after) = rest
            .split_once(']')
            .ok_or_else(|| UrlError::part("host", "has a [ without its ]"))?;
        (host, after.strip_prefix(':'))
    } else {
        address
            .split_once(':')
            .map_or((address, None), |(host, port)| (host, Some(port)))
    };
    let port = port
        .filter(|port| !port.is_empty())
        .map(|port| {
            port.parse()
                .map_err(|_| UrlError::part("port", "is not a number from 1 to 65535"))
        })
        .transpose()?;
    let host = Some(host)
        .filter(|host| !host.is_empty())
        .map(|host| decode(host, "host"))
        .transpose()?;
    Ok((host, port))
}

/// A parameter of a URL. Deliberately without `Debug`: it may be a password.
pub(crate) struct Parameter {
    pub name: String,
    pub value: String,
    /// The value as it stands in the URL.
    pub raw: String,
}

/// The parameters after the question mark, decoded as Prisma does it: `+` is a space.
pub(crate) fn split_query(query: &str) -> Result<Vec<Parameter>, UrlError> {
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok(Parameter {
                name: decode(&name.replace('+', " "), "parameter name")?,
                value: decode(&value.replace('+', " "), "parameter value")?,
                raw: value.to_owned(),
            })
        })
        .collect()
}

/// Percent-decodes. A stray `%` is an error: it would silently be another password.
fn decode(text: &str, part: &'static str) -> Result<String, UrlError> {
    let bytes = text.as_bytes();
    for (at, _) in text.match_indices('%') {
        let is_hex = |offset: usize| bytes.get(at + offset).is_some_and(u8::is_ascii_hexdigit);
        if !is_hex(1) || !is_hex(2) {
            return Err(UrlError::part(
                part,
                "has a % that starts no percent-encoded character; write %25",
            ));
        }
    }
    let decoded = percent_decode_str(text)
        .decode_utf8()
        .map_err(|_| UrlError::part(part, "is not UTF-8 after percent-decoding"))?;
    if decoded.contains('\0') {
        return Err(UrlError::part(part, "has a zero byte in it"));
    }
    Ok(decoded.into_owned())
}
