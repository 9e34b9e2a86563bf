//! Columns of one [`Pattern`] whose texts are written only when somebody looks at them.

use std::ops::Range;
use std::sync::Arc;

use weir_query::record::{TextColumn, TextSpan, Unwritten};
use weir_query::value::hash_each;

use super::bytes::Bytes;
use super::hex::Pattern;

/// Texts written at once to be hashed: so few that they are still near.
const HASHED_TEXTS: usize = 64;

/// Texts of a pattern, a row each, not written yet.
pub(super) struct Digits {
    pattern: Pattern,
    bytes: Bytes,
    rows: usize,
    /// The rows that are asked for.
    runs: Vec<Range<usize>>,
}

impl Digits {
    /// The texts of the values in `bytes`, which belong to `rows` rows in turn, to be written for the rows of `runs`;
    /// `None` when those are not values of all rows, or not text.
    pub(super) fn new(
        pattern: &Pattern,
        bytes: Bytes,
        rows: usize,
        runs: Vec<Range<usize>>,
    ) -> Option<Digits> {
        // All texts differ in single letters of ASCII only: either each is UTF-8 or none.
        let mut text = pattern.literal().to_vec();
        pattern.put(&vec![0; pattern.width()], &mut text);
        let whole = bytes.len() == rows * pattern.width() && std::str::from_utf8(&text).is_ok();
        whole.then(|| Digits { pattern: pattern.clone(), bytes, rows, runs })
    }

    /// The values of `rows`, end to end.
    fn values(&self, rows: Range<usize>) -> &[u8] {
        let width = self.pattern.width();
        self.bytes.get(rows.start * width..rows.end * width).unwrap_or_default()
    }
}

impl Unwritten for Digits {
    fn rows(&self) -> usize {
        self.rows
    }

    fn write(&self) -> TextColumn {
        let len = self.pattern.literal().len();
        let mut arena = self.pattern.literal().repeat(self.runs.iter().map(Range::len).sum());
        let mut spans = vec![TextSpan::MISSING; self.rows];
        let mut start = 0;
        for run in &self.runs {
            self.pattern.put_all(self.values(run.clone()), arena.get_mut(start..).unwrap_or_default());
            for span in spans.get_mut(run.clone()).unwrap_or_default() {
                *span = TextSpan { start: start as u32, len: len as u32 };
                start += len;
            }
        }
        // It is text, as was found out when this was made; were it not, it would have no values.
        TextColumn { arena: Arc::new(String::from_utf8(arena).unwrap_or_default()), spans: spans.into() }
    }

    fn bytes(&self) -> usize {
        // As large as when it is written, which it soon may be.
        let texts = self.runs.iter().map(Range::len).sum::<usize>() * self.pattern.literal().len();
        texts + self.rows * size_of::<TextSpan>()
    }

    fn hash(&self, first: usize, hashes: &mut [u64]) {
        let (len, width) = (self.pattern.text_len(), self.pattern.width().max(1));
        let mut texts = self.pattern.literal().repeat(HASHED_TEXTS.min(hashes.len()));
        let values = self.values(first..self.rows.min(first + hashes.len()));
        for (values, hashes) in values.chunks(HASHED_TEXTS * width).zip(hashes.chunks_mut(HASHED_TEXTS)) {
            self.pattern.put_all(values, &mut texts);
            let count = values.len() / width;
            hash_each(&texts, len, hashes.get_mut(..count).unwrap_or_default());
        }
    }
}

#[cfg(test)]
mod tests {
    use weir_query::value::hash_text;

    use super::*;

    /// Hashes and texts of values that are not written, whole and of some rows, against the texts.
    fn check(texts: &[&str]) {
        let pattern = &Pattern::of(&texts.iter().map(|text| text.as_bytes()).collect::<Vec<_>>()).unwrap();
        let mut bytes = Vec::new();
        texts.iter().for_each(|text| pattern.pack(text.as_bytes(), &mut bytes));
        let rows = texts.len();
        for runs in [vec![0..1, 1..rows], vec![0..1, rows - 1..rows], vec![0..0, 1..rows]] {
            let some = Digits::new(pattern, Bytes::new(bytes.clone()), rows, runs.clone()).unwrap();
            let written = some.write();
            for run in runs {
                run.for_each(|row| assert_eq!(written.get(row), Some(texts[row])));
            }
            let mut hashes = vec![0; rows];
            some.hash(1, &mut hashes);
            assert_eq!(hashes[..rows - 1], texts[1..].iter().map(|t| hash_text(t)).collect::<Vec<_>>());
        }
        assert!(Digits::new(pattern, Bytes::new(bytes), rows + 1, Vec::new()).is_none());
    }

    #[test]
    fn written_late_they_are_the_same() {
        check(&["9f85ce58-5a6a-5f2b-a900-000000000400", "00000000-1111-2222-3333-abcdefabcdef"]);
        check(&["{ABCDEF01}", "{01234567}"]);
        check(&["8f05d19d593f9627abf121c3d8a5d144", "9c5ea31d2cdae68f298d03080c0cf702"]);
        check(&["8f05d19d593f9627abf121c3d8a5d144a", "9c5ea31d2cdae68f298d03080c0cf702b"]);
        check(&["req-abcde", "req-0ef12", "req-fffff"]);
        let many = |before: &str, rows: u64| -> Vec<String> {
            (0..rows).map(|row| format!("{before}{:016x}", row.wrapping_mul(0x9e37_79b9_7f4a_7c15))).collect()
        };
        for rows in [HASHED_TEXTS as u64, HASHED_TEXTS as u64 + 1, 2 * HASHED_TEXTS as u64 + 2] {
            for before in ["", "0123456789abcdef", "span/"] {
                check(&many(before, rows).iter().map(String::as_str).collect::<Vec<_>>());
            }
        }
    }
}
