//! The grams of the granules of a block to be: of what changes from row to row.
//!
//! Rows of one skeleton have most of their text in common: the skeleton itself, and values that came before in the
//! same hole. Only windows that touch a value which the granule has not had there can be new.

use super::GRANULE_ROWS;
use super::node::Skeleton;
use crate::equal::is_same;
use crate::index::gram::{GramMap, WINDOW_BYTES};

/// Values remembered for a hole.
const KNOWN: usize = 64;
/// Holes of a block for which values are remembered, a kilobyte each.
const HOLES_KNOWN_MAX: usize = 1_024;
/// Rows of a skeleton before values of its holes are remembered.
const ROWS_MIN: usize = 64;
/// After so many values of a hole it shows whether remembering them pays.
const TRIES: u32 = 256;
/// It pays where at least one value in so many is known.
const PAYS: u32 = 4;

/// Grams a granule, and what its rows had.
#[derive(Default)]
pub(crate) struct Grams<'a> {
    maps: Vec<GramMap>,
    /// What stood in the holes of every skeleton.
    filled: Vec<Filled<'a>>,
    /// Holes for which values are remembered.
    holes_known: usize,
}

/// What stood in the holes of one skeleton.
#[derive(Default)]
struct Filled<'a> {
    /// The granule they stood in, counted from one; they mean nothing in another.
    granule: usize,
    rows: usize,
    holes: Vec<Hole<'a>>,
}

/// What stood in one hole.
#[derive(Default)]
struct Hole<'a> {
    /// The value of the last row.
    last: &'a [u8],
    /// Values of the granule, each where its bytes say. None where windows of the hole reach into its neighbours, or
    /// where values are seldom the same.
    known: Vec<&'a [u8]>,
    tries: u32,
    hits: u32,
}

impl<'a> Hole<'a> {
    /// Notes that `token` stands here now. `None`: it did before in this granule, with the same around it; else how many bytes
    /// of it, from its start, are those of the last row.
    fn had(&mut self, token: &'a [u8]) -> Option<usize> {
        if is_same(self.last, token) {
            return None;
        }
        let same = common(self.last, token);
        self.last = token;
        if self.known.is_empty() {
            return Some(same);
        }
        let Some(known) = self.known.get_mut(place(token)) else { return Some(same) };
        let had = is_same(std::mem::replace(known, token), token) && !token.is_empty();
        self.tries += 1;
        self.hits += u32::from(had);
        if self.tries == TRIES && self.hits * PAYS < TRIES {
            self.known = Vec::new();
        }
        (!had).then_some(same)
    }
}

/// How many bytes two values begin with alike; of those behind the last whole eight, none are counted.
#[inline]
fn common(one: &[u8], other: &[u8]) -> usize {
    let mut same = 0;
    for (one, other) in one.as_chunks::<8>().0.iter().zip(other.as_chunks::<8>().0) {
        let apart = u64::from_le_bytes(*one) ^ u64::from_le_bytes(*other);
        if apart != 0 {
            return same + apart.trailing_zeros() as usize / 8;
        }
        same += 8;
    }
    same
}

/// Where a value is remembered.
fn place(token: &[u8]) -> usize {
    let word = match (token.first_chunk::<8>(), token.last_chunk::<8>()) {
        (Some(start), Some(end)) => u64::from_le_bytes(*start) ^ u64::from_le_bytes(*end).rotate_left(21),
        _ => token.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)),
    };
    let mixed = (word ^ token.len() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 32) as usize % KNOWN
}

impl<'a> Filled<'a> {
    /// Begins to remember the values of its holes, as many holes as are `left`; how many it does.
    fn remember(&mut self, skeleton: &Skeleton, left: usize) -> usize {
        let pieces: Vec<usize> = skeleton.pieces().map(<[u8]>::len).collect();
        let last = skeleton.ends.len();
        // What is before the first hole and behind the last has no neighbour.
        let apart =
            |at: usize| at == 0 || at == last || pieces.get(at).is_some_and(|len| *len >= WINDOW_BYTES - 1);
        let alone = self.holes.iter_mut().enumerate().filter(|(at, _)| apart(*at) && apart(at + 1));
        alone.take(left).map(|(_, hole)| hole.known = vec![&[][..]; KNOWN]).count()
    }

    /// Starts anew in `granule` with the values of its first row.
    fn restart(&mut self, granule: usize, tokens: &[&'a [u8]]) {
        self.granule = granule;
        self.holes.resize_with(tokens.len(), Hole::default);
        for (hole, token) in self.holes.iter_mut().zip(tokens) {
            hole.known.fill(&[]);
            hole.last = &[];
            hole.had(token);
        }
    }
}

impl<'a> Grams<'a> {
    /// Goes on with row `row`, which may be the first of a granule.
    pub(crate) fn start_row(&mut self, row: usize) {
        if row.is_multiple_of(GRANULE_ROWS) {
            self.maps.push(GramMap::default());
        }
    }

    /// Adds a text.
    pub(crate) fn add(&mut self, text: &[u8]) {
        if let Some(map) = self.maps.last_mut() {
            map.add(text);
        }
    }

    /// Adds a text that is `tokens` in the holes of `skeleton`, which has this number.
    pub(crate) fn add_filled(&mut self, text: &[u8], number: u32, skeleton: &Skeleton, tokens: &[&'a [u8]]) {
        let granule = self.maps.len();
        let Some(map) = self.maps.last_mut() else { return };
        if self.filled.len() <= number as usize {
            self.filled.resize_with(number as usize + 1, Filled::default);
        }
        let Some(filled) = self.filled.get_mut(number as usize) else { return };
        filled.rows += 1;
        if filled.rows == ROWS_MIN {
            self.holes_known += filled.remember(skeleton, HOLES_KNOWN_MAX - self.holes_known);
        }
        if filled.granule != granule {
            filled.restart(granule, tokens);
            map.add(text);
            return;
        }
        // Windows before this one were looked at.
        let (mut done, mut behind) = (0, 0);
        for ((hole, token), end) in filled.holes.iter_mut().zip(tokens).zip(&skeleton.ends) {
            let start = *end as usize + behind;
            behind += token.len();
            let Some(same) = hole.had(token) else { continue };
            let near = (start + same).saturating_sub(WINDOW_BYTES - 1);
            done = map.add_windows(text, near.max(done)..start + token.len()).max(done);
        }
    }

    /// The grams, granule by granule.
    pub(crate) fn into_maps(self) -> Vec<GramMap> {
        self.maps
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn rows_have_the_grams_of_their_whole_texts(
            pieces in prop::collection::vec("[a-c1]{0,8}", 2..6),
            rows in prop::collection::vec(prop::collection::vec("[a1]{0,3}|12345|x|[a1]{7,18}|a1234567812345678[ab]?", 5), 1..120),
        ) {
            let mut skeleton = Skeleton::default();
            for piece in &pieces[1..] {
                skeleton.literal.extend_from_slice(piece.as_bytes());
                skeleton.ends.push(skeleton.literal.len() as u32);
            }
            let tail = &pieces[0];
            skeleton.literal.extend_from_slice(tail.as_bytes());
            // Two skeletons that are the same, in two granules.
            let (mut grams, mut slow) = (Grams::default(), [GramMap::default(), GramMap::default()]);
            for (at, row) in rows.iter().enumerate() {
                let granule = usize::from(at > rows.len() / 2);
                if at == 0 || granule > 0 && at == rows.len() / 2 + 1 {
                    grams.start_row(granule * GRANULE_ROWS);
                }
                let holes = skeleton.ends.len();
                let text: String = pieces[1..].iter().zip(row).map(|(piece, token)| format!("{piece}{token}")).collect();
                let text = text + tail;
                let tokens: Vec<&[u8]> = row.iter().take(holes).map(|token| token.as_bytes()).collect();
                grams.add_filled(text.as_bytes(), [3, 3, 1][at % 3], &skeleton, &tokens);
                slow[granule].add(text.as_bytes());
            }
            let maps = grams.into_maps();
            prop_assert!(maps.iter().zip(&slow).all(|(map, slow)| map.words() == slow.words()));
        }
    }
}
