//! What a file holds, by its name and its first bytes.

use std::path::Path;

use super::error::DecodeError;
use super::format::{Csv, Format};
use super::intake::Intake;
use super::lines::BYTE_ORDER_MARK;
use super::source::{Encoding, Source};
use super::{json, lines};

/// How many decoded bytes a format is told from.
const FRONT_BYTES: usize = 64 << 10;

/// What a file seems to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guess {
    /// How it is compressed.
    pub encoding: Encoding,
    /// What is in it; [`Format::Detect`] looks once it is decompressed.
    pub format: Format,
}

/// What a file with this name (none for standard input) and these first bytes (four are enough) seems to hold.
#[must_use]
pub fn guess(name: Option<&Path>, front: &[u8]) -> Guess {
    let encoding = Encoding::of_magic(front);
    let lower = name.and_then(Path::file_name).unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    let inner = [".gz", ".gzip", ".zst", ".zstd"].iter().find_map(|ending| lower.strip_suffix(ending));
    let format = match inner.unwrap_or(&lower).rsplit_once('.').map(|(_, ending)| ending) {
        Some("ndjson" | "jsonl") => Format::Ndjson,
        Some("csv") => Format::Csv(Csv::default()),
        Some("tsv") => Format::Csv(Csv { delimiter: b'\t', ..Csv::default() }),
        _ => Format::Detect,
    };
    Guess { encoding, format }
}

/// Decodes as NDJSON, JSON or text, as the first bytes say.
pub(super) fn detected(mut source: Source<'_>, intake: &mut Intake<'_>) -> Result<(), DecodeError> {
    let front = source.peek(FRONT_BYTES)?;
    let front = front.strip_prefix(BYTE_ORDER_MARK).unwrap_or(front).trim_ascii_start();
    let mut first = front.iter().filter(|byte| !byte.is_ascii_whitespace());
    match (first.next(), first.next()) {
        (Some(b'{'), Some(b'"' | b'}')) => json::detected(source, FRONT_BYTES, intake),
        (Some(b'['), Some(b'{')) => json::documents(&source.read_all()?, intake),
        _ => lines::text(source, intake),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_magic_numbers() {
        let gzip = &[0x1F, 0x8B, 8, 0];
        let csv = Format::Csv(Csv::default());
        for (name, front, encoding, format) in [
            ("a.ndjson", &b"{\"a\""[..], Encoding::Identity, Format::Ndjson),
            ("A.JSONL.GZ", gzip, Encoding::Gzip, Format::Ndjson),
            ("a.csv.gz", gzip, Encoding::Gzip, csv),
            ("a.csv", b"a,b,", Encoding::Identity, csv),
            ("a.log", gzip, Encoding::Gzip, Format::Detect),
            ("a.zst", &[0x28, 0xB5, 0x2F, 0xFD], Encoding::Zstd, Format::Detect),
            ("", b"", Encoding::Identity, Format::Detect),
        ] {
            assert_eq!(guess(Some(Path::new(name)), front), Guess { encoding, format }, "{name}");
        }
    }
}
