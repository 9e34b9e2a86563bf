//! Which events of a batch contain a text.

use std::ops::Range;

use weir_query::compile::TextMatcher;
use weir_query::record::Selection;

use super::batch::{EventBatch, NO_SHAPE, Row};

/// With fewer rows asked for than one in so many, each is searched by itself.
const FEW_ROWS: usize = 8;

impl EventBatch {
    /// Calls `each` with the literals that `find` finds in the texts of events: the number it has there, the bytes of the
    /// hit, and the row. Every row with a literal in its raw text or one of its values is named, and some others may be:
    /// keys of attributes count, and what lies across two texts. Where hits come in order, so do their rows.
    pub(crate) fn each_literal(
        &self,
        find: impl FnOnce(&[u8], &mut dyn FnMut(usize, Range<usize>)),
        each: &mut dyn FnMut(usize, &[u8], u32),
    ) {
        let (arena, rows) = (self.data.arena.as_bytes(), &self.data.rows);
        let starts_by = |row: usize, at: usize| rows.get(row).is_some_and(|row| row.raw.start as usize <= at);
        let mut row = 0;
        find(arena, &mut |number, hit| {
            while starts_by(row + 1, hit.start) {
                row += 1;
            }
            // A longer one may have begun before the hit before it.
            while row > 0 && !starts_by(row, hit.start) {
                row -= 1;
            }
            each(number, arena.get(hit).unwrap_or_default(), row as u32);
        });
    }

    /// The rows of `within` whose raw text matches, or one of whose field values does.
    pub(super) fn search_text(&self, matcher: &TextMatcher, within: &Selection) -> Selection {
        match matcher.as_contains() {
            Some(literal) => self.search_literal(literal, within),
            None => {
                let mut found = within.clone();
                found.retain(|row| self.row_matches(row, &|text| matcher.is_match(text)));
                found
            }
        }
    }

    /// One substring search over the whole arena, as events lie in it one behind the other; each hit is then laid
    /// to its event. A hit in a raw text decides; one elsewhere (a key of the attributes, across two values) makes
    /// the event worth a look at its values.
    fn search_literal(&self, literal: &str, within: &Selection) -> Selection {
        let rows = &self.data.rows;
        let mut found = Selection::none(rows.len());
        if literal.is_empty() {
            return within.clone();
        }
        let finder = memchr::memmem::Finder::new(literal);
        if within.count() < rows.len() / FEW_ROWS {
            let mut few = within.clone();
            few.retain(|row| self.row_matches(row, &|text| finder.find(text.as_bytes()).is_some()));
            return few;
        }
        let arena = self.data.arena.as_bytes();
        let contains = |text: &str| finder.find(text.as_bytes()).is_some();
        let mut at = 0;
        while let Some(hit) = arena.get(at..).and_then(|rest| finder.find(rest)) {
            let start = at + hit;
            let row = rows.partition_point(|row| row.raw.start as usize <= start).saturating_sub(1);
            let Some(entry) = rows.get(row) else { break };
            if within.contains(row)
                && (in_raw(entry, start, literal.len()) || self.row_matches(row, &contains))
            {
                found.insert(row);
            }
            // This event is decided; a hit that started in it may still reach into the next one.
            at = rows.get(row + 1).map_or(arena.len(), |next| next.raw.start as usize);
        }
        found
    }

    fn row_matches(&self, row: usize, matches: &dyn Fn(&str) -> bool) -> bool {
        let Some(entry) = self.data.rows.get(row) else { return false };
        if matches(self.text(entry.raw)) {
            return true;
        }
        if entry.raw_shape == NO_SHAPE && entry.attributes_shape == NO_SHAPE {
            return false;
        }
        let parts = [self.json(row), self.attributes(row)];
        parts.into_iter().flatten().any(|part| part.values().any(&*matches))
    }
}

fn in_raw(row: &Row, start: usize, len: usize) -> bool {
    // In front of the first event there may be what is none.
    start >= row.raw.start as usize && start + len <= (row.raw.start + row.raw.len) as usize
}
