//! Receipts: what an environment's ledger holds after a deploy, signed, for a deploy elsewhere that cannot look there.
//!
//! The signature is HMAC-SHA256 with a key that both deploys have. A signature that anybody could check without being able
//! to make one would gain nothing here: receipts go from one job of a pipeline to the next, and whoever may write the second
//! job's receipt has its database's credentials as well.

use std::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

/// The key that signs receipts. Prints as `***`.
#[derive(Clone)]
pub struct ReceiptKey(String);

impl ReceiptKey {
    /// Fewer characters could be guessed.
    pub const SHORTEST: usize = 32;

    /// `None`: it is too short.
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        (text.chars().count() >= Self::SHORTEST).then(|| Self(text.to_owned()))
    }

    fn mac(&self, receipt: &Receipt) -> Result<Hmac<Sha256>, ReceiptError> {
        let text = serde_json::to_string(receipt).map_err(|error| ReceiptError::Unreadable(error.to_string()))?;
        let mut mac = Hmac::<Sha256>::new_from_slice(self.0.as_bytes())
            .map_err(|error| ReceiptError::Unreadable(error.to_string()))?;
        // So that nothing else that is signed with the same key can be taken for a receipt.
        mac.update(PURPOSE);
        mac.update(text.as_bytes());
        Ok(mac)
    }
}

impl fmt::Debug for ReceiptKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

const PURPOSE: &[u8] = b"tollgate receipt 1\n";

/// The only way of signing there is.
const ALGORITHM: &str = "hmac-sha256";

/// What a deploy has left behind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// The environment that was deployed to.
    pub environment: String,
    /// Its database, without credentials.
    pub target: String,
    /// The run that wrote the receipt; there is none when nothing was to be done.
    pub run: Option<String>,
    /// When it was over: RFC 3339.
    pub finished_at: String,
    /// Everything that is applied there, those of earlier runs included.
    pub migrations: Vec<DeployedMigration>,
}

/// A migration that is applied somewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeployedMigration {
    /// Its name.
    pub name: String,
    /// Checksum of the text that was applied.
    pub checksum: String,
}

/// A receipt with its signature, as it is written to a file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Signed {
    version: u32,
    receipt: Receipt,
    algorithm: String,
    signature: String,
}

/// Why a receipt proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
    /// It is no receipt, or one of another version.
    #[error("it is no receipt that this version can read: {0}")]
    Unreadable(String),
    /// It was not signed with this key, or changed afterwards.
    #[error("its signature is wrong: it was changed after it was signed, or signed with another key")]
    Forged,
    /// It is of another environment.
    #[error("it is of {environment}, and {required} is required")]
    Foreign {
        /// The environment that it is of.
        environment: String,
        /// The one that is required.
        required: String,
    },
}

impl Receipt {
    /// Its file's text.
    ///
    /// # Errors
    /// None that could happen: a receipt can be written as JSON, and a key has any length.
    pub fn sign(&self, key: &ReceiptKey) -> Result<String, ReceiptError> {
        let signed = Signed {
            version: 1,
            receipt: self.clone(),
            algorithm: ALGORITHM.to_owned(),
            signature: hex::encode(key.mac(self)?.finalize().into_bytes()),
        };
        let text =
            serde_json::to_string_pretty(&signed).map_err(|error| ReceiptError::Unreadable(error.to_string()))?;
        Ok(text + "\n")
    }

    /// Reads a file's text and believes it only if it was signed with this key, and is of the environment that is required.
    ///
    /// # Errors
    /// [`ReceiptError`].
    pub fn verify(text: &str, key: &ReceiptKey, required: &str) -> Result<Self, ReceiptError> {
        let signed: Signed = serde_json::from_str(text).map_err(|error| ReceiptError::Unreadable(error.to_string()))?;
        if signed.version != 1 || signed.algorithm != ALGORITHM {
            let what = format!("version {}, signed by {}", signed.version, signed.algorithm);
            return Err(ReceiptError::Unreadable(what));
        }
        let signature = hex::decode(&signed.signature).map_err(|_| ReceiptError::Forged)?;
        // What is checked is what was read, written again: spaces and the order of keys mean nothing, all else does. The
        // comparison takes the same time whatever differs.
        let mac = key.mac(&signed.receipt)?;
        mac.verify_slice(&signature).map_err(|_| ReceiptError::Forged)?;
        if signed.receipt.environment != required {
            return Err(ReceiptError::Foreign {
                environment: signed.receipt.environment,
                required: required.to_owned(),
            });
        }
        Ok(signed.receipt)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failing test should stop here")]

    use super::*;

    const KEY: &str = "0123456789abcdef0123456789abcdef";

    fn receipt() -> Receipt {
        Receipt {
            environment: "staging".to_owned(),
            target: "SQLite database staging.db".to_owned(),
            run: Some("f0f3a6a8-0000-4000-8000-000000000000".to_owned()),
            finished_at: "2026-09-01T12:00:00Z".to_owned(),
            migrations: vec![DeployedMigration {
                name: "1_users".to_owned(),
                checksum: "a".repeat(64),
            }],
        }
    }

    #[test]
    fn what_was_signed_is_believed_and_nothing_else() {
        let key = ReceiptKey::new(KEY).unwrap();
        let text = receipt().sign(&key).unwrap();
        assert_eq!(Receipt::verify(&text, &key, "staging"), Ok(receipt()));
        let compact = serde_json::from_str::<serde_json::Value>(&text).unwrap().to_string();
        assert_eq!(
            Receipt::verify(&compact, &key, "staging"),
            Ok(receipt()),
            "layout means nothing"
        );

        let other = ReceiptKey::new(&KEY.replace('0', "1")).unwrap();
        assert_eq!(Receipt::verify(&text, &other, "staging"), Err(ReceiptError::Forged));
        for (from, to) in [
            ("staging\"", "production\""),
            ("1_users", "2_users"),
            ("aaaa", "aaab"),
            ("staging.db", "other.db"),
            ("2026-09-01", "2026-09-02"),
            ("\"run\": \"f0", "\"run\": \"f1"),
        ] {
            let edited = text.replacen(from, to, 1);
            assert_ne!(edited, text, "{from}");
            assert_eq!(
                Receipt::verify(&edited, &key, "staging"),
                Err(ReceiptError::Forged),
                "{from}"
            );
        }
        let more = text.replacen(
            "\"migrations\": [",
            "\"migrations\": [{\"name\": \"0\", \"checksum\": \"0\"},",
            1,
        );
        assert_eq!(Receipt::verify(&more, &key, "staging"), Err(ReceiptError::Forged));
        for text in [
            "",
            "{}",
            "[]",
            &text.replace("\"version\": 1", "\"version\": 2"),
            &text.replace("sha256", "sha1"),
        ] {
            assert!(matches!(
                Receipt::verify(text, &key, "staging"),
                Err(ReceiptError::Unreadable(_))
            ));
        }
        let unsigned = text.replace("\"signature\": \"", "\"signature\": \"x");
        assert_eq!(Receipt::verify(&unsigned, &key, "staging"), Err(ReceiptError::Forged));
        let empty = without_signature(&text);
        assert_eq!(Receipt::verify(&empty, &key, "staging"), Err(ReceiptError::Forged));
    }

    fn without_signature(text: &str) -> String {
        let mut document: serde_json::Value = serde_json::from_str(text).unwrap();
        document["signature"] = "".into();
        document.to_string()
    }

    #[test]
    fn a_receipt_of_another_environment_proves_nothing() {
        let key = ReceiptKey::new(KEY).unwrap();
        let text = receipt().sign(&key).unwrap();
        let foreign = Receipt::verify(&text, &key, "preview").unwrap_err();
        assert_eq!(foreign.to_string(), "it is of staging, and preview is required");
    }

    #[test]
    fn a_key_is_long_and_never_seen() {
        assert!(ReceiptKey::new("short").is_none());
        assert_eq!(format!("{:?}", ReceiptKey::new(KEY).unwrap()), "***");
    }
}
