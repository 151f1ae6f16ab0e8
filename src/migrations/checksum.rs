//! The checksums that tools write into their ledgers, and those that the same text has with other line ends.

use std::hash::{Hash, Hasher};
use std::io::{self, BufRead, Read};

use sha2::{Digest, Sha256, Sha384};
use siphasher::sip::SipHasher13;

use crate::application::{Content, FileSums, LineEndSums};

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

    /// Returns the checksums of a file's text as Node reads it: `of` gives those of a text, and `streamed` chooses from those of a file that
    /// was not kept. None for a file that was not read.
    pub(super) fn of_file(
        content: &Content,
        of: impl Fn(&str) -> Vec<String>,
        streamed: impl Fn(&FileSums) -> LineEndSums,
    ) -> Self {
        match content {
            Content::Text(text) => Self::of(text, of),
            Content::NotUtf8(bytes) => Self::of(&String::from_utf8_lossy(bytes), of),
            Content::NotKept(_, sums) => {
                let LineEndSums { own, unix, windows } = streamed(sums);
                Self {
                    other_line_ends: [windows, unix].into_iter().filter(|sum| *sum != own).collect(),
                    own: vec![own],
                    tool_takes_other_line_ends: false,
                }
            }
            Content::NotRead | Content::Refused(_) => Self::default(),
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

/// One kind of checksum of a text with each kind of line ends, as it is read line by line.
#[derive(Default)]
struct LineEndHashes<D> {
    own: D,
    unix: D,
    windows: D,
}

impl<D: Digest> LineEndHashes<D> {
    fn update(&mut self, line: &str) {
        self.own.update(line);
        let Some(text) = line.strip_suffix('\n') else {
            self.unix.update(line);
            self.windows.update(line);
            return;
        };
        let text = text.strip_suffix('\r').unwrap_or(text);
        self.unix.update(text);
        self.unix.update("\n");
        self.windows.update(text);
        self.windows.update("\r\n");
    }

    fn end(self) -> LineEndSums {
        LineEndSums {
            own: hex(&self.own.finalize()),
            unix: hex(&self.unix.finalize()),
            windows: hex(&self.windows.finalize()),
        }
    }
}

/// Returns the checksums of a file that is too long to be kept, and its length; `None` where it is longer than `most` bytes or has a line
/// of more than `longest_line`.
///
/// # Errors
/// Fails if the file cannot be read.
pub(super) fn of_long_file(file: impl Read, most: u64, longest_line: u64) -> io::Result<Option<(FileSums, u64)>> {
    let mut file = io::BufReader::new(file.take(most + 1));
    let (mut sha256, mut sha384) = (LineEndHashes::<Sha256>::default(), LineEndHashes::<Sha384>::default());
    let (mut bytes, mut line) = (0, Vec::new());
    loop {
        line.clear();
        let read = file.by_ref().take(longest_line + 1).read_until(b'\n', &mut line)? as u64;
        bytes += read;
        if read == 0 {
            break;
        }
        if read > longest_line || bytes > most {
            return Ok(None);
        }
        // The text as Node reads it, which is the file's own where that is UTF-8.
        let text = String::from_utf8_lossy(&line);
        sha256.update(&text);
        sha384.update(&text);
    }
    let sums = FileSums {
        sha256: sha256.end(),
        sha384: sha384.end(),
    };
    Ok(Some((sums, bytes)))
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
    fn a_file_that_is_not_kept_has_the_checksums_of_its_text() {
        let long = "l".repeat(70_000);
        for text in [
            "",
            "\n",
            "a",
            "a\r",
            "a\nb\n",
            "a\r\nb\r\n",
            "a\r\nb\nc",
            "a\r\r\nb\n\n\r",
            "é\r\n🦀\n",
            &long,
        ] {
            let (sums, bytes) = of_long_file(text.as_bytes(), 80_000, 70_000).unwrap().unwrap();
            assert_eq!(bytes, text.len() as u64);
            let kept = Checksums::of(text, |text| vec![sha256(text)]);
            let content = Content::NotKept(crate::application::Refusal::TooLong(1), sums.clone());
            let streamed = Checksums::of_file(&content, |_| Vec::new(), |sums| sums.sha256.clone());
            assert_eq!(streamed.own, kept.own, "{text:?}");
            assert_eq!(sums.sha384.own, sqlx(text), "{text:?}");
            let mut others = kept.other_line_ends;
            others.dedup();
            let mut of_stream = streamed.other_line_ends;
            of_stream.dedup();
            assert_eq!(of_stream, others, "{text:?}");
        }
        assert_eq!(of_long_file("a\nb\n".as_bytes(), 3, 10).unwrap(), None);
        assert_eq!(of_long_file("aaaa\n".as_bytes(), 10, 3).unwrap(), None);
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
