//! Texts that must not come out again, whatever path they take.

/// What replaces a secret.
const REDACTED: &str = "[redacted]";

/// Shorter texts are no secrets worth the name, and replacing them would garble everything.
const SHORTEST: usize = 4;

/// The secrets one plugin's requests may carry.
#[derive(Clone, Default)]
pub(crate) struct Secrets {
    /// Longest first, so that a secret inside another one does not leave the rest of it behind.
    values: Vec<String>,
}

impl Secrets {
    pub(crate) fn new(values: impl IntoIterator<Item = String>) -> Self {
        let mut values: Vec<String> = values.into_iter().filter(|value| value.len() >= SHORTEST).collect();
        values.sort_by_key(|value| std::cmp::Reverse(value.len()));
        values.dedup();
        Self { values }
    }

    /// `text` without them.
    pub(crate) fn redact(&self, text: &str) -> String {
        self.values.iter().fold(text.to_owned(), |text, secret| {
            if text.contains(secret.as_str()) {
                text.replace(secret.as_str(), REDACTED)
            } else {
                text
            }
        })
    }

    /// The same for bytes that may be no text.
    pub(crate) fn redact_bytes(&self, mut bytes: Vec<u8>) -> Vec<u8> {
        for secret in self.values.iter().map(String::as_bytes) {
            if !bytes.windows(secret.len()).any(|window| window == secret) {
                continue;
            }
            let mut kept = Vec::with_capacity(bytes.len());
            let mut rest = bytes.as_slice();
            while let Some(at) = rest.windows(secret.len()).position(|window| window == secret) {
                kept.extend_from_slice(&rest[..at]);
                kept.extend_from_slice(REDACTED.as_bytes());
                rest = &rest[at + secret.len()..];
            }
            kept.extend_from_slice(rest);
            bytes = kept;
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::Secrets;

    #[test]
    fn every_occurrence_goes() {
        let secrets = Secrets::new(["hunter22".to_owned(), "hunter22-and-more".to_owned(), "ab".to_owned()]);
        let cases = [
            ("nothing here, ab", "nothing here, ab"),
            ("hunter22hunter22", "[redacted][redacted]"),
            ("x hunter22-and-more y", "x [redacted] y"),
        ];
        for (text, expected) in cases {
            assert_eq!(secrets.redact(text), expected);
            assert_eq!(secrets.redact_bytes(text.as_bytes().to_vec()), expected.as_bytes());
        }
    }
}
