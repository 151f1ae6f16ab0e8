//! The checksums that tools write into their ledgers, and those that the same text has with other line ends.

use std::hash::{Hash, Hasher};

use sha2::{Digest, Sha256, Sha384};
use siphasher::sip::SipHasher13;

/// The checksums of a file, as the ledger would have them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Checksums {
    /// Those of the file as it lies there.
    pub(crate) own: Vec<String>,
    /// Those of the same text with every line ending in `\n`, or every line in `\r\n`.
    pub(crate) other_line_ends: Vec<String>,
    /// True if the tool itself takes other line ends for the same file.
    pub(crate) tool_takes_other_line_ends: bool,
}

/// The difference between a file and the one that was applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ContentChange {
    /// By its line ends only.
    LineEnds,
    /// By its content.
    Content,
}

impl ContentChange {
    /// Returns the difference in words.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::LineEnds => "by its line ends only",
            Self::Content => "by its content",
        }
    }
}

impl Checksums {
    /// Creates the checksums that `of` gives for the text as it is, and with each kind of line ends.
    pub(super) fn of(text: &str, of: impl Fn(&str) -> Vec<String>) -> Self {
        let own = of(text);
        let mut other_line_ends = Vec::new();
        // Most files have no line end but `\n`: nothing is copied for them but the one with `\r\n`.
        let plain = text.replace("\r\n", "\n");
        for other in [plain.replace('\n', "\r\n"), plain] {
            if other != text {
                other_line_ends.extend(of(&other).into_iter().filter(|sum| !own.contains(sum)));
            }
        }
        Self {
            own,
            other_line_ends,
            tool_takes_other_line_ends: false,
        }
    }

    /// Returns the difference of the file from the one with this checksum; `None` where it does not.
    pub(crate) fn differ_from(&self, applied: &str) -> Option<ContentChange> {
        let is = |own: &String| own == applied;
        if self.own.iter().any(is) {
            None
        } else if self.other_line_ends.iter().any(is) {
            Some(ContentChange::LineEnds)
        } else {
            Some(ContentChange::Content)
        }
    }
}

/// Returns sqlx's checksum: SHA-384 of the bytes, here in hex.
pub(super) fn sqlx(text: &str) -> String {
    hex(&Sha384::digest(text))
}

/// Returns drizzle's checksum, and Prisma's today: SHA-256 in hex.
pub(super) fn sha256(text: &str) -> String {
    hex(&Sha256::digest(text))
}

/// Returns the checksum of older Prisma: SHA-256 in hex without the zeros that fill a byte up.
pub(super) fn sha256_without_zeros(text: &str) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:x}")).collect()
}

/// Returns refinery's checksum: `SipHash` 1-3 without keys over what Rust's `Hash` feeds it, in decimal. `wide` where a version has 8 bytes.
pub(super) fn refinery(name: &str, version: i64, text: &str, wide: bool) -> Option<String> {
    let mut hasher = SipHasher13::new();
    name.hash(&mut hasher);
    if wide {
        version.hash(&mut hasher);
    } else {
        i32::try_from(version).ok()?.hash(&mut hasher);
    }
    text.hash(&mut hasher);
    Some(hasher.finish().to_string())
}

/// Returns the bytes in lower-case hex.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_ends_are_told_from_content() {
        let sums = |text: &str| Checksums::of(text, |text| vec![sha256(text)]);
        let unix = "CREATE TABLE a (x);\nCREATE TABLE b (x);\n";
        let windows = "CREATE TABLE a (x);\r\nCREATE TABLE b (x);\r\n";
        let mixed = "CREATE TABLE a (x);\r\nCREATE TABLE b (x);\n";
        let other = "CREATE TABLE a (y);\nCREATE TABLE b (x);\n";
        for file in [unix, windows, mixed] {
            assert_eq!(sums(file).differ_from(&sha256(file)), None);
            for applied in [unix, windows] {
                let wanted = (file != applied).then_some(ContentChange::LineEnds);
                assert_eq!(sums(file).differ_from(&sha256(applied)), wanted, "{file:?} {applied:?}");
            }
            assert_eq!(sums(file).differ_from(&sha256(other)), Some(ContentChange::Content));
        }
        // One line without an end has no other line ends.
        assert_eq!(sums("SELECT 1").other_line_ends, Vec::<String>::new());
    }

    #[test]
    fn old_prisma_sums_lack_zeros() {
        let text = (0..100)
            .map(|n| format!("-- {n}\n"))
            .find(|text| sha256_without_zeros(text).len() < 64)
            .unwrap();
        assert!(sha256(&text).len() == 64 && sha256(&text) != sha256_without_zeros(&text));
    }
}
