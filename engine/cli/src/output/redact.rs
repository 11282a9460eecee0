//! The last line of defence: whatever is printed passes here, and known secrets and passwords in URLs are replaced.
//!
//! Nothing should rely on it. Values that are secret are wrapped in [`crate::config::Secret`] and never formatted.

const HIDDEN: &str = "***";

/// Below this length a secret is only replaced where it stands by itself: hiding every `dev` would hide more than it helps.
const LONG: usize = 12;
/// Below this length it is not replaced at all.
const SHORTEST: usize = 4;

/// Known secrets, the longest first.
#[derive(Debug, Default)]
pub struct Redactor {
    secrets: Vec<String>,
}

impl Redactor {
    /// Adds a secret: a URL with its parts, or any other text.
    pub fn add(&mut self, secret: &str) {
        let mut forms = parts(secret);
        forms.retain(|form| form.len() >= SHORTEST && !self.secrets.contains(form));
        for form in forms {
            // JSON writes some characters differently.
            let escaped = serde_json::Value::from(form.as_str()).to_string();
            let escaped = escaped.trim_matches('"').to_owned();
            if escaped != form {
                self.secrets.push(escaped);
            }
            self.secrets.push(form);
        }
        self.secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        self.secrets.dedup();
    }

    /// The text without them.
    pub fn redact(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in &self.secrets {
            if text.contains(secret.as_str()) {
                text = replace(&text, secret);
            }
        }
        // A URL that nobody told us about, in a server's message for example.
        if text.contains("://") {
            unknown_urls(&text)
        } else {
            text
        }
    }
}

/// What of a secret is secret. Of a database URL the whole, its password as written and decoded, and the values of
/// parameters that may hold one; a password that is also the name of the user or the database hides nothing.
fn parts(secret: &str) -> Vec<String> {
    let Some((scheme, rest)) = secret.split_once("://") else {
        if secret.starts_with("file:") {
            return Vec::new();
        }
        // Of `Bearer TOKEN` the token alone is as secret as the whole.
        let words = secret
            .split_whitespace()
            .filter(|word| word.len() >= LONG)
            .map(ToOwned::to_owned);
        return std::iter::once(secret.to_owned()).chain(words).collect();
    };
    if matches!(scheme, "http" | "https") {
        let path = rest.split_once('/').map(|(_, path)| path.to_owned());
        return path.into_iter().chain([secret.to_owned()]).collect();
    }
    let (address, query) = rest.split_once('?').unwrap_or((rest, ""));
    let mut parts = Vec::new();
    if let Some((user, place)) = address.rsplit_once('@')
        && let Some((name, password)) = user.split_once(':')
        && password != name
        && place.rsplit('/').next() != Some(password)
    {
        parts.push(password.to_owned());
        parts.push(decode(password));
    }
    let values = query.split('&').filter_map(|pair| pair.split_once('='));
    for (_, value) in values.filter(|(name, _)| name.to_ascii_lowercase().contains("password")) {
        parts.push(value.to_owned());
        parts.push(decode(value));
    }
    parts
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let hex = after
            .get(..2)
            .filter(|_| first == b'%')
            .and_then(|hex| std::str::from_utf8(hex).ok());
        if let Some(byte) = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            bytes.push(byte);
            rest = &after[2..];
        } else {
            bytes.push(first);
            rest = after;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn replace(text: &str, secret: &str) -> String {
    if secret.len() >= LONG {
        return text.replace(secret, HIDDEN);
    }
    let word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let mut out = String::new();
    let mut from = 0;
    for (at, found) in text.match_indices(secret) {
        let inside = word(text[..at].chars().next_back()) || word(text[at + found.len()..].chars().next());
        out.push_str(&text[from..at]);
        out.push_str(if inside { found } else { HIDDEN });
        from = at + found.len();
    }
    out.push_str(&text[from..]);
    out
}

/// Hides the password of every URL, and the path of Slack's web addresses, which is one.
fn unknown_urls(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, url) = rest.split_at(at + 3);
        out.push_str(before);
        let end = url
            .find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`' | '<' | '>'))
            .unwrap_or(url.len());
        let (url, after) = url.split_at(end);
        let user_end = url.rfind('@').unwrap_or(0);
        let password = url[..user_end]
            .find(':')
            .filter(|&colon| !url[..colon].contains(['/', '?', '@']));
        // How a URL is explained to people.
        let password = password.filter(|&colon| &url[colon..user_end] != ":PASSWORD");
        match (password, url.split_once('/')) {
            (Some(colon), _) => out.extend([&url[..colon], ":", HIDDEN, &url[user_end..]]),
            (None, Some((host @ "hooks.slack.com", path))) => {
                let secret = path.trim_end_matches(['.', ',', ';', ')', ']']);
                out.extend([host, "/", HIDDEN, &path[secret.len()..]]);
            }
            _ => out.push_str(url),
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn knowing(secrets: &[&str]) -> Redactor {
        let mut redactor = Redactor::default();
        for secret in secrets {
            redactor.add(secret);
        }
        redactor
    }

    #[test]
    fn passwords_go_however_they_are_written() {
        let redactor = knowing(&["postgres://app:Marker%2Fpass-1@db/shop?sslpassword=key-pass-2"]);
        let text = "password \"Marker%2Fpass-1\" / Marker/pass-1 / key-pass-2 / app / shop";
        assert_eq!(redactor.redact(text), "password \"***\" / *** / *** / app / shop");
    }

    #[test]
    fn urls_nobody_told_us_about_lose_their_password() {
        let cases = [
            ("at postgres://u:p@h/d now", "at postgres://u:***@h/d now"),
            ("url = \"mysql://u:p@ss@h/d\"", "url = \"mysql://u:***@h/d\""),
            (
                "https://hooks.slack.com/services/T/B/x)",
                "https://hooks.slack.com/***)",
            ),
            ("https://example.com/a:b", "https://example.com/a:b"),
        ];
        for (text, shown) in cases {
            assert_eq!(Redactor::default().redact(text), shown);
        }
    }

    #[test]
    fn the_token_of_a_header_goes_by_itself_too() {
        let redactor = knowing(&["Bearer token-of-many-letters"]);
        assert_eq!(
            redactor.redact("the bearer, token-of-many-letters!"),
            "the bearer, ***!"
        );
    }

    #[test]
    fn short_secrets_go_only_where_they_stand_alone() {
        let redactor = knowing(&["postgres://u:tiger@h/d"]);
        assert_eq!(redactor.redact("tiger tigers (tiger)"), "*** tigers (***)");
    }

    #[test]
    fn a_password_that_is_a_public_name_hides_nothing() {
        let redactor = knowing(&["postgres://postgres:postgres@localhost/app"]);
        assert_eq!(redactor.redact("the postgres server"), "the postgres server");
    }

    #[test]
    fn json_escapes_are_known() {
        let redactor = knowing(&["a\"long\\secret-text"]);
        let json = serde_json::json!({ "x": "a\"long\\secret-text" }).to_string();
        assert_eq!(redactor.redact(&json), r#"{"x":"***"}"#);
    }
}
