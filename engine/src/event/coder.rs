//! Codes of texts: few different texts become a dictionary and a number a row.

use std::sync::Arc;

use weir_query::record::{Column, Dictionary, TextColumn, TextSpan};

use super::glance::Glance;

/// The most different texts of a dictionary.
const MAX_TEXTS: usize = 4_096;
/// After so many rows, a column with more different texts than a quarter of them is taken to have too many.
const SAMPLE_ROWS: usize = 1_024;
/// With so many rows for each different text the codes are worth it: what each text costs is paid by every query, over
/// however few rows.
pub(crate) const ROWS_A_TEXT: usize = 4;
/// The number of slots that a coder begins with.
const FIRST_SLOTS: usize = 256;

/// A text that is known, and its code.
#[derive(Clone, Copy, Debug)]
struct Slot {
    glance: Glance,
    code: u32,
}

/// Makes codes of texts, as long as few of them differ.
#[derive(Debug)]
pub(crate) struct Coder {
    dictionary: Dictionary,
    codes: Vec<u32>,
    /// As many as a power of two, at most half of them taken; a free one has the code of a missing text.
    slots: Vec<Slot>,
    has_too_many: bool,
}

impl Coder {
    /// The codes of `texts`; `None`: too many of them differ.
    pub(crate) fn column(texts: &TextColumn) -> Option<Column> {
        let mut coder = Coder::new(texts.spans.len());
        for spans in texts.spans.chunks(SAMPLE_ROWS) {
            coder.take(&texts.arena, spans);
        }
        coder.finish()
    }

    /// For about `rows` texts.
    pub(crate) fn new(rows: usize) -> Coder {
        Coder {
            dictionary: Dictionary::default(),
            codes: Vec::with_capacity(rows),
            slots: free(FIRST_SLOTS),
            has_too_many: false,
        }
    }

    /// Takes the next texts, at `spans` of `arena`.
    pub(crate) fn take(&mut self, arena: &str, spans: &[TextSpan]) {
        if self.has_too_many {
            return;
        }
        for span in spans {
            let code = if *span == TextSpan::MISSING { Dictionary::MISSING } else { self.code(arena, *span) };
            self.codes.push(code);
        }
        let (texts, rows) = (self.dictionary.len(), self.codes.len());
        self.has_too_many = texts > MAX_TEXTS || (rows >= SAMPLE_ROWS && texts * ROWS_A_TEXT > rows);
    }

    /// There are too many different ones: it takes no more.
    pub(crate) fn has_too_many(&self) -> bool {
        self.has_too_many
    }

    /// The column of all texts; `None`: there are too many different ones.
    pub(crate) fn finish(self) -> Option<Column> {
        let few = !self.has_too_many && self.dictionary.len() * ROWS_A_TEXT <= self.codes.len();
        few.then(|| Column::Dictionary { codes: self.codes.into(), dictionary: Arc::new(self.dictionary) })
    }

    #[inline]
    fn code(&mut self, arena: &str, span: TextSpan) -> u32 {
        let glance = Glance::at(arena.as_bytes(), span.start as usize, span.len as usize);
        let mask = self.slots.len() - 1;
        let mut at = (glance.hash() >> 32) as usize & mask;
        // There is always a free slot.
        while let Some(slot) = self.slots.get(at) {
            if slot.glance == glance
                && slot.code != Dictionary::MISSING
                && (glance.is_whole() || self.dictionary.text(slot.code) == span.of(arena))
            {
                return slot.code;
            }
            if slot.code == Dictionary::MISSING {
                break;
            }
            at = (at + 1) & mask;
        }
        self.add(glance, span.of(arena).unwrap_or_default(), at)
    }

    #[cold]
    fn add(&mut self, glance: Glance, text: &str, at: usize) -> u32 {
        let code = self.dictionary.push(text);
        if let Some(slot) = self.slots.get_mut(at) {
            *slot = Slot { glance, code };
        }
        if self.dictionary.len() * 2 > self.slots.len() {
            self.grow();
        }
        code
    }

    fn grow(&mut self) {
        let mut slots = free(self.slots.len() * 2);
        let mask = slots.len() - 1;
        for slot in self.slots.iter().filter(|slot| slot.code != Dictionary::MISSING) {
            let mut at = (slot.glance.hash() >> 32) as usize & mask;
            while slots.get(at).is_some_and(|taken| taken.code != Dictionary::MISSING) {
                at = (at + 1) & mask;
            }
            if let Some(free) = slots.get_mut(at) {
                *free = *slot;
            }
        }
        self.slots = slots;
    }
}

fn free(slots: usize) -> Vec<Slot> {
    vec![Slot { glance: Glance::default(), code: Dictionary::MISSING }; slots]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The codes of `different` texts behind many that are the same.
    fn codes(different: usize) -> Option<Column> {
        let mut arena = String::new();
        let mut spans = vec![TextSpan { start: 0, len: 0 }; ROWS_A_TEXT * (different + 1)];
        for text in 1..different {
            let start = arena.len() as u32;
            arena += &text.to_string();
            spans.push(TextSpan { start, len: arena.len() as u32 - start });
        }
        Coder::column(&TextColumn { arena: Arc::new(arena), spans: spans.into() })
    }

    #[test]
    fn a_dictionary_has_a_largest_size() {
        for (different, expected) in [(2, true), (MAX_TEXTS, true), (MAX_TEXTS + 1, false)] {
            assert_eq!(codes(different).is_some(), expected, "{different}");
        }
    }
}
