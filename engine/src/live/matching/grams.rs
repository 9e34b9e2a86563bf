//! Many literals looked for at once, looking at one word in four bytes of the text.
//!
//! ```text
//! text      ... u p s t r e a m   t i m e o u t   a f t e r ...
//! words         |.......|.......|.......|.......|.......|        four bytes each, one every four bytes
//! timeout                         t i m e
//!                                   i m e o      one of these four
//!                                     m e o u    is a word of any
//!                                       e o u t  text that has it
//! ```
//!
//! A literal of seven bytes or more has a whole word in it wherever it stands: one of four grams of four bytes that
//! follow each other. These grams stand in a bit table; words that are not in it, nearly all of them, cost a load and a
//! multiplication. For the others the literals are looked up by the hash of their text: many literals that begin alike
//! cost a look-up for each different length, not one each.

use std::ops::Range;

use hashbrown::HashMap;

/// Literals with fewer bytes can lie between two words.
pub(super) const MIN_BYTES: usize = WORD_BYTES + STRIDE - 1;
const WORD_BYTES: usize = 4;
const STRIDE: usize = 4;
/// Bits of the hash of a word that the table is addressed with: 8 KiB of bits stay in the nearest cache.
const TABLE_BITS: u32 = 16;

/// Literals of at least [`MIN_BYTES`], by their grams. Letters match in either case.
#[derive(Debug)]
pub(super) struct Grams {
    /// A bit for each hash of a gram.
    table: Box<[u64]>,
    /// By gram: where it stands in literals and how long these are, those that begin first ahead.
    places: HashMap<u32, Vec<Place>, foldhash::fast::FixedState>,
    /// The literals in lower case: their numbers, and where the first of their grams begins.
    literals: HashMap<Box<[u8]>, (usize, usize), foldhash::fast::FixedState>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    offset: usize,
    len: usize,
}

impl Grams {
    /// Of `literals`, in lower case, each with its number. `None`: there are none.
    pub(super) fn new(literals: impl IntoIterator<Item = (Vec<u8>, usize)>) -> Option<Grams> {
        let mut grams = Grams {
            table: vec![0; 1 << (TABLE_BITS - 6)].into(),
            places: HashMap::default(),
            literals: HashMap::default(),
        };
        for (literal, number) in literals {
            let len = literal.len();
            let from = telling(&literal);
            for (offset, gram) in literal.windows(WORD_BYTES).enumerate().skip(from).take(STRIDE) {
                let Some(word) = gram.first_chunk().map(fold) else { continue };
                let (at, bit) = bit(word);
                if let Some(bits) = grams.table.get_mut(at) {
                    *bits |= bit;
                }
                let (places, place) = (grams.places.entry(word).or_default(), Place { offset, len });
                if !places.contains(&place) {
                    places.push(place);
                }
            }
            grams.literals.insert(literal.into(), (number, from));
        }
        // Of hits at one word, those that begin first are to be told first.
        grams
            .places
            .values_mut()
            .for_each(|places| places.sort_by_key(|place| std::cmp::Reverse(place.offset)));
        (!grams.literals.is_empty()).then_some(grams)
    }

    /// Calls `each` with every literal in `text`: its number, and where it is. Hits of one literal come in order.
    pub(super) fn find(&self, text: &[u8], each: &mut dyn FnMut(usize, Range<usize>)) {
        let mut folded = Vec::new();
        for (at, word) in text.chunks_exact(STRIDE).enumerate() {
            let Some(word) = word.first_chunk().map(fold) else { continue };
            let (slot, bit) = bit(word);
            if self.table.get(slot).is_some_and(|bits| bits & bit != 0) {
                self.find_at(text, (at * STRIDE, word), &mut folded, each);
            }
        }
    }

    fn find_at(
        &self,
        text: &[u8],
        (at, word): (usize, u32),
        folded: &mut Vec<u8>,
        each: &mut dyn FnMut(usize, Range<usize>),
    ) {
        for Place { offset, len } in self.places.get(&word).into_iter().flatten() {
            let Some(start) = at.checked_sub(*offset) else { continue };
            let Some(hit) = text.get(start..start + len) else { continue };
            folded.clear();
            folded.extend(hit.iter().map(u8::to_ascii_lowercase));
            // A gram of another one may stand in it too: it is told at its own.
            let known = self.literals.get(folded.as_slice());
            if let Some((number, _)) = known.filter(|(_, from)| (*from..from + STRIDE).contains(offset)) {
                each(*number, start..start + len);
            }
        }
    }
}

/// Where the bytes of a literal begin that its grams are taken of: the first with the fewest digits, as texts are full of
/// these.
fn telling(literal: &[u8]) -> usize {
    let digits = |bytes: &[u8]| bytes.iter().filter(|byte| byte.is_ascii_digit()).count();
    let windows = literal.windows(MIN_BYTES).enumerate();
    windows.min_by_key(|(_, bytes)| digits(bytes)).map_or(0, |(from, _)| from)
}

/// Four bytes as a word, letters in lower case; some other bytes are taken for one another, too.
#[inline]
fn fold(bytes: &[u8; WORD_BYTES]) -> u32 {
    u32::from_le_bytes(*bytes) | 0x2020_2020
}

/// Which word of the table has the bit of `word`, and the bit.
#[inline]
fn bit(word: u32) -> (usize, u64) {
    let hash = word.wrapping_mul(0x9e37_79b1) >> (32 - TABLE_BITS);
    ((hash >> 6) as usize, 1 << (hash & 63))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// All occurrences, found the plain way, in order of their starts.
    fn plainly(literals: &[String], text: &str) -> Vec<(usize, usize)> {
        let (text, mut hits) = (text.to_ascii_lowercase(), Vec::new());
        for (number, literal) in literals.iter().enumerate() {
            let starts = (0..text.len()).filter(|at| text.as_bytes()[*at..].starts_with(literal.as_bytes()));
            hits.extend(starts.map(|start| (number, start)));
        }
        hits
    }

    proptest! {
        #[test]
        fn every_occurrence_is_found_once_and_in_order(
            mut literals in proptest::collection::vec("[abA][abz 0-1]{6,9}", 1..20),
            text in "[abABz 0-1é]{0,200}",
            repeated in "[ab]{1,3}",
        ) {
            literals.push(repeated.repeat(8));
            literals.iter_mut().for_each(|literal| literal.make_ascii_lowercase());
            literals.sort();
            literals.dedup();
            let text = format!("{text}{}{}{}", repeated.repeat(12), literals.concat(), literals[0].to_uppercase());
            let grams = Grams::new(literals.iter().map(|one| one.clone().into_bytes()).zip(0..)).unwrap();
            let mut hits = Vec::new();
            grams.find(text.as_bytes(), &mut |number, range| {
                assert_eq!(range.len(), literals[number].len());
                hits.push((number, range.start));
            });
            // Stable: the hits of one literal stay in the order they came.
            hits.sort_by_key(|hit| hit.0);
            prop_assert_eq!(hits, plainly(&literals, &text));
        }
    }

    #[test]
    fn none_are_no_grams() {
        assert!(Grams::new([]).is_none());
    }
}
