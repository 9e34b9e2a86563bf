//! Places in a text as editors count them.

use crate::span::Span;

/// A place between two characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// Bytes of UTF-8 from the start of the text.
    pub offset: u32,
    /// UTF-16 units from the start of the text.
    pub utf16: u32,
    /// The line, from 1.
    pub line: u32,
    /// The character of the line, from 1.
    pub column: u32,
}

/// From one place to another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Range {
    /// Where it begins.
    pub start: Position,
    /// Where it ends; not inside.
    pub end: Position,
}

impl Range {
    /// The bytes it covers.
    #[must_use]
    pub fn bytes(self) -> std::ops::Range<usize> {
        self.start.offset as usize..self.end.offset as usize
    }

    /// The place of `span` in `text`.
    #[must_use]
    pub fn of(text: &str, span: Span) -> Range {
        let found = ranges(text, &[span]);
        found.first().copied().unwrap_or_default()
    }
}

/// The places of `spans` in `text`, found in one walk over it. Ends inside a character move to its start, ends behind
/// the text to its end.
pub(super) fn ranges(text: &str, spans: &[Span]) -> Vec<Range> {
    let border = |at: u32| text.floor_char_boundary((at as usize).min(text.len()));
    let bounds: Vec<(usize, usize)> = spans
        .iter()
        .map(|span| {
            let start = border(span.start);
            (start, border(span.end).max(start))
        })
        .collect();
    let mut ends: Vec<usize> = bounds.iter().flat_map(|&(start, end)| [start, end]).collect();
    ends.sort_unstable();
    ends.dedup();
    let places = walk(text, &ends);
    let place = |at: usize| {
        let found = ends.binary_search(&at).ok().and_then(|found| places.get(found));
        found.copied().unwrap_or_default()
    };
    bounds.iter().map(|&(start, end)| Range { start: place(start), end: place(end) }).collect()
}

/// The positions of `ends`, which ascend and are character borders.
fn walk(text: &str, ends: &[usize]) -> Vec<Position> {
    let mut places = Vec::with_capacity(ends.len());
    let mut here = Position { line: 1, column: 1, ..Position::default() };
    let mut from = 0;
    for &end in ends {
        for letter in text.get(from..end).unwrap_or("").chars() {
            here.offset += letter.len_utf8() as u32;
            here.utf16 += letter.len_utf16() as u32;
            here.column += 1;
            if letter == '\n' {
                here.line += 1;
                here.column = 1;
            }
        }
        from = end;
        places.push(here);
    }
    places
}

/// The byte at which `utf16` units of `text` end; inside a pair of surrogates its start, behind the text its end.
#[must_use]
pub fn offset_of_utf16(text: &str, utf16: usize) -> usize {
    let mut units = 0;
    for (at, letter) in text.char_indices() {
        units += letter.len_utf16();
        if units > utf16 {
            return at;
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_in_every_unit() {
        let text = "a\u{e6}\n\u{1f600}b\r\nc";
        let check = |start: usize, end: usize, places: [(u32, u32, u32); 2]| {
            let range = Range::of(text, Span::new(start, end));
            let shown = [range.start, range.end].map(|place| (place.utf16, place.line, place.column));
            assert_eq!(shown, places, "{start}..{end}");
        };
        check(0, 1, [(0, 1, 1), (1, 1, 2)]);
        check(1, 3, [(1, 1, 2), (2, 1, 3)]);
        // Inside a character, and its ends the wrong way round.
        check(2, 1, [(1, 1, 2), (1, 1, 2)]);
        check(4, 8, [(3, 2, 1), (5, 2, 2)]);
        check(8, 11, [(5, 2, 2), (8, 3, 1)]);
        check(12, 99, [(9, 3, 2), (9, 3, 2)]);
        for (utf16, offset) in [(0, 0), (1, 1), (2, 3), (3, 4), (4, 4), (5, 8), (9, 12), (99, 12)] {
            assert_eq!(offset_of_utf16(text, utf16), offset, "{utf16}");
        }
    }
}
