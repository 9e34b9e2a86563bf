//! From the rows that have a column to its values and back, as sets of bits.
//!
//! The value of a row in a column is the one with as many values before it as rows before it have the column. So
//! the values of a set of rows are its bits pressed together at the places of a mask, and rows come back from values
//! by pulling bits apart (compress and expand of Warren, Hacker's Delight, 7-4 and 7-5).

use weir_query::record::Selection;

/// Fewer bits than this in a word are moved one by one.
const FEW: u32 = 8;

/// The bits of `set` at the places of `mask`, pressed together: a bit a place, `places` in all.
pub(super) fn compress(set: &Selection, mask: &Selection, places: usize) -> Selection {
    let mut words = vec![0u64; places.div_ceil(64)];
    let mut at = 0;
    for (set, mask) in set.words().iter().zip(mask.words()) {
        let own = set & mask;
        if own != 0 {
            put(&mut words, at, compress_word(own, *mask));
        }
        at += mask.count_ones() as usize;
    }
    Selection::from_words(places, words)
}

/// The places of `mask` whose bits in `set` are ones.
pub(super) fn expand(set: &Selection, mask: &Selection) -> Selection {
    let mut at = 0;
    let words = mask.words().iter().map(|mask| {
        let count = mask.count_ones() as usize;
        let bits = get(set.words(), at, count);
        at += count;
        if bits == 0 { 0 } else { expand_word(bits, *mask) }
    });
    Selection::from_words(mask.rows(), words.collect())
}

fn put(words: &mut [u64], at: usize, bits: u64) {
    let (word, shift) = (at / 64, at % 64);
    if let Some(slot) = words.get_mut(word) {
        *slot |= bits << shift;
    }
    if let (Some(slot), true) = (words.get_mut(word + 1), shift > 0) {
        *slot |= bits >> (64 - shift);
    }
}

fn get(words: &[u64], at: usize, count: usize) -> u64 {
    let (word, shift) = (at / 64, at % 64);
    let low = words.get(word).map_or(0, |word| word >> shift);
    let high = match (shift, words.get(word + 1)) {
        (1.., Some(next)) => next << (64 - shift),
        _ => 0,
    };
    if count == 64 { low | high } else { (low | high) & ((1 << count) - 1) }
}

fn compress_word(mut bits: u64, mask: u64) -> u64 {
    if mask == u64::MAX {
        return bits;
    }
    if bits.count_ones() < FEW {
        let mut out = 0;
        while bits != 0 {
            let bit = bits & bits.wrapping_neg();
            out |= 1 << (mask & (bit - 1)).count_ones();
            bits ^= bit;
        }
        return out;
    }
    let (moves, _) = moves(mask);
    for (round, moved) in moves.into_iter().enumerate() {
        let moving = bits & moved;
        bits = (bits ^ moving) | moving >> (1u32 << round);
    }
    bits
}

fn expand_word(bits: u64, mask: u64) -> u64 {
    if mask == u64::MAX {
        return bits;
    }
    let (moves, mask) = moves(mask);
    let mut out = bits;
    for (round, moved) in moves.into_iter().enumerate().rev() {
        let moving = out << (1u32 << round);
        out = (out & !moved) | (moving & moved);
    }
    out & mask
}

/// The bits that move by 1, 2, 4, .. places to the right when the ones of `mask` are pressed together; and `mask`.
fn moves(mask: u64) -> ([u64; 6], u64) {
    let mut moves = [0; 6];
    let (mut left, mut zeros) = (mask, !mask << 1);
    for (round, slot) in moves.iter_mut().enumerate() {
        let mut parity = zeros ^ zeros << 1;
        for shift in [2, 4, 8, 16, 32] {
            parity ^= parity << shift;
        }
        let moved = parity & left;
        left = (left ^ moved) | moved >> (1u32 << round);
        zeros &= !parity;
        *slot = moved;
    }
    (moves, mask)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn bits_find_their_places(rows in prop::collection::vec((any::<bool>(), any::<bool>()), 0..400), all in any::<bool>()) {
            let mask = Selection::from_fn(rows.len(), |row| rows[row].0 || all);
            let set = Selection::from_fn(rows.len(), |row| rows[row].1);
            let places: Vec<usize> = mask.iter().collect();
            let pressed = compress(&set, &mask, places.len());
            let expected = Selection::from_fn(places.len(), |place| set.contains(places[place]));
            prop_assert_eq!(&pressed, &expected);
            let mut both = set;
            both.intersect(&mask);
            prop_assert_eq!(expand(&pressed, &mask), both);
        }
    }
}
