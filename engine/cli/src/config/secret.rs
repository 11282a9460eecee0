//! Values that must never be seen. Whoever needs the text has to ask for it by name: [`Secret::expose`].

use std::fmt;

/// A text that no formatting shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes the text away from sight.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the one place that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// For people: what kind of URL it is, without what only its owner may know.
    pub fn redacted_url(&self) -> String {
        redact_url(&self.0)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// URL parameters whose values say nothing about anybody. All others are hidden.
const PUBLIC_PARAMETERS: &[&str] = &[
    "schema",
    "sslmode",
    "sslaccept",
    "connection_limit",
    "pool_timeout",
    "connect_timeout",
    "socket_timeout",
    "pgbouncer",
    "statement_cache_size",
    "application_name",
    "channel_binding",
    "host",
    "port",
];

/// A URL as it may be shown. Database URLs keep user, host, port, database and harmless parameters; of web addresses,
/// whose path often is the secret (Slack's webhooks), only scheme and host stay.
pub fn redact_url(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        // `file:./dev.db` has nothing to hide but its parameters; anything else is not a URL we know.
        return if url.starts_with("file:") {
            redact_query(url)
        } else {
            "***".to_owned()
        };
    };
    let web = matches!(scheme.to_ascii_lowercase().as_str(), "http" | "https");
    // Passwords are often not percent-encoded although they should be: everything up to the last `@` is taken as the
    // user's part, so that an `@` or `/` inside a password shows none of it.
    let (user, place) = match rest.rsplit_once('@') {
        Some((user, place)) => (Some(user), place),
        None => (None, rest),
    };
    let user = user.map_or(String::new(), |user| match user.split_once(':') {
        Some((name, _)) if !web => format!("{name}:***@"),
        None if !web => format!("{user}@"),
        _ => "***@".to_owned(),
    });
    if web {
        let host = place.split(['/', '?', '#']).next().unwrap_or_default();
        let tail = if host.len() == place.len() { "" } else { "/***" };
        return format!("{scheme}://{user}{host}{tail}");
    }
    format!("{scheme}://{user}{}", redact_query(place))
}

fn redact_query(place: &str) -> String {
    let Some((place, query)) = place.split_once('?') else {
        return place.to_owned();
    };
    let shown = query.split('&').map(|pair| match pair.split_once('=') {
        Some((name, _)) if !PUBLIC_PARAMETERS.contains(&name) => format!("{name}=***"),
        _ => pair.to_owned(),
    });
    format!("{place}?{}", shown.collect::<Vec<_>>().join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_lose_what_only_their_owner_may_know() {
        let cases = [
            (
                "postgresql://app:s3cret@db:5432/shop?schema=public",
                "postgresql://app:***@db:5432/shop?schema=public",
            ),
            ("postgres://app@db/shop", "postgres://app@db/shop"),
            ("postgres://app:p@ss/w@rd@db/shop", "postgres://app:***@db/shop"),
            (
                "postgres://app:x@db/shop?sslpassword=s3cret&sslmode=require",
                "postgres://app:***@db/shop?sslpassword=***&sslmode=require",
            ),
            ("file:./dev.db?connection_limit=1", "file:./dev.db?connection_limit=1"),
            (
                "https://hooks.slack.com/services/T0/B0/s3cret",
                "https://hooks.slack.com/***",
            ),
            ("https://user:s3cret@example.com", "https://***@example.com"),
            ("s3cret", "***"),
        ];
        for (url, shown) in cases {
            assert_eq!(redact_url(url), shown);
        }
    }

    #[test]
    fn no_formatting_shows_a_secret() {
        let secret = Secret::new("s3cret");
        assert_eq!(format!("{secret} {secret:?} {:?}", Some(&secret)), "*** *** Some(***)");
    }
}
