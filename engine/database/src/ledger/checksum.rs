//! The checksum of a migration file as Prisma computes and compares it.

use std::borrow::Cow;
use std::fmt::Write as _;

use sha2::{Digest, Sha256};

/// Lowercase hexadecimal SHA-256 of a migration file. Invalid UTF-8 counts as U+FFFD; a byte order mark and carriage
/// returns count as they are.
pub fn checksum(file: &[u8]) -> String {
    hex::encode(Sha256::digest(String::from_utf8_lossy(file).as_bytes()))
}

/// Whether `stored` is the checksum of `file`, whatever line endings it had when it was applied.
pub fn matches(stored: &str, file: &[u8]) -> bool {
    let text = String::from_utf8_lossy(file);
    let unix = text.replace("\r\n", "\n");
    let windows = unix.replace('\n', "\r\n");
    [text, Cow::Owned(unix), Cow::Owned(windows)].iter().any(|text| {
        let digest = Sha256::digest(text.as_bytes());
        if stored.len() < 64 {
            unpadded(&digest) == stored
        } else {
            hex::encode(digest) == stored
        }
    })
}

/// How old Prisma versions wrote it: each byte without its leading zero.
fn unpadded(digest: &[u8]) -> String {
    digest.iter().fold(String::with_capacity(64), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:x}");
        text
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn is_the_sha256_of_the_text() {
        assert_eq!(checksum(b""), EMPTY);
        assert_ne!(
            checksum(b"\xEF\xBB\xBFSELECT 1;"),
            checksum(b"SELECT 1;"),
            "a byte order mark counts"
        );
        assert_ne!(
            checksum(b"SELECT 1;\r\n"),
            checksum(b"SELECT 1;\n"),
            "line endings count"
        );
        assert_eq!(checksum(b"SELECT '\xFF';"), checksum("SELECT '\u{FFFD}';".as_bytes()));
    }

    #[test]
    fn matches_any_line_ending() {
        let forms: [&[u8]; 2] = [b"SELECT 1;\nSELECT 2;\n", b"SELECT 1;\r\nSELECT 2;\r\n"];
        for stored in forms {
            for file in forms {
                assert!(matches(&checksum(stored), file));
            }
        }
        assert!(
            matches(&checksum(b"a\r\nb\nc"), b"a\r\nb\nc"),
            "mixed endings match themselves"
        );
        assert!(!matches(&checksum(b"SELECT 1;"), b"SELECT 2;"));
    }

    #[test]
    fn reads_the_old_unpadded_form_and_refuses_garbage() {
        let texts = (0..100).map(|number| format!("SELECT {number};"));
        let (file, old) = texts
            .map(|text| (text.clone(), unpadded(&Sha256::digest(&text))))
            .find(|(_, old)| old.len() < 64)
            .unwrap();
        assert!(matches(&old, file.as_bytes()));
        assert!(!matches(&old, b"SELECT 'another';"));
        assert!(!matches(&EMPTY.to_uppercase(), b""), "uppercase counts as modified");
        assert!(!matches("", b""));
        assert!(!matches(&format!("{EMPTY}0"), b""));
    }
}
