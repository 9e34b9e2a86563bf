//! Texts of one field laid side by side.

use std::sync::Arc;

use weir_query::record::{TextColumn, TextSpan};

/// Texts longer than this on average are left where they are.
const MOST_BYTES_A_ROW: usize = 32;
/// Not before there are so many of them.
const JUDGED_FROM_BYTES: usize = 4 << 10;

/// Texts copied out of the events they stand in.
#[derive(Debug)]
pub(super) struct Packed {
    arena: String,
    spans: Vec<TextSpan>,
    are_too_long: bool,
}

impl Packed {
    /// For about `rows` texts.
    pub(super) fn new(rows: usize) -> Packed {
        Packed { arena: String::new(), spans: Vec::with_capacity(rows), are_too_long: false }
    }

    /// Takes the next texts, at `spans` of `arena`.
    pub(super) fn take(&mut self, arena: &str, spans: &[TextSpan]) {
        if self.are_too_long {
            return;
        }
        for span in spans {
            let (start, text) = (self.arena.len() as u32, span.of(arena));
            self.arena.push_str(text.unwrap_or_default());
            self.spans.push(text.map_or(TextSpan::MISSING, |_| TextSpan { start, len: span.len }));
        }
        let most = (self.spans.len() * MOST_BYTES_A_ROW).max(JUDGED_FROM_BYTES);
        self.are_too_long = self.arena.len() > most;
    }

    /// The column of all texts; `None`: they are too long.
    pub(super) fn finish(self) -> Option<TextColumn> {
        let Packed { arena, spans, are_too_long } = self;
        (!are_too_long).then(|| TextColumn { arena: Arc::new(arena), spans: spans.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_the_same_side_by_side() {
        let arena = "user1, über, , user22";
        let spans = [(0, 5), (7, 5), (14, 0), (16, 6)].map(|(start, len)| TextSpan { start, len });
        let mut packed = Packed::new(5);
        packed.take(arena, &spans[..2]);
        packed.take(arena, &[TextSpan::MISSING]);
        packed.take(arena, &spans[2..]);
        let column = packed.finish().unwrap();
        let texts: Vec<Option<&str>> = (0..5).map(|row| column.get(row)).collect();
        assert_eq!(texts, [Some("user1"), Some("über"), None, Some(""), Some("user22")]);
        assert_eq!(column.arena.len(), 16);
    }

    #[test]
    fn long_texts_stay_where_they_are() {
        for (len, is_packed) in [(MOST_BYTES_A_ROW, true), (MOST_BYTES_A_ROW + 1, false)] {
            let arena = "x".repeat(len);
            let spans = vec![TextSpan { start: 0, len: len as u32 }; JUDGED_FROM_BYTES / MOST_BYTES_A_ROW];
            let mut packed = Packed::new(spans.len());
            packed.take(&arena, &spans);
            packed.take(&arena, &spans);
            assert_eq!(packed.finish().is_some(), is_packed, "{len}");
        }
    }
}
