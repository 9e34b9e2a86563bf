//! What a short text is, taken in at one glance: for tables that are asked about every value of a batch.

/// A text of up to so many bytes is told by its glance alone.
pub(crate) const WHOLE_BYTES: usize = 16;
const WORD_BYTES: usize = 8;

/// The first sixteen bytes of a text, and its length.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Glance {
    words: (u64, u64),
    len: u32,
}

impl Glance {
    /// Of the text at `start..start + len` of `arena`; what lies outside counts as zeros. No branch hangs on the length.
    #[inline]
    pub(crate) fn at(arena: &[u8], start: usize, len: usize) -> Glance {
        let bytes = arena.get(start..).unwrap_or_default();
        let Some(bytes) = bytes.first_chunk::<WHOLE_BYTES>() else {
            return Glance::of(bytes.get(..len).unwrap_or(bytes));
        };
        Glance::new(u128::from_le_bytes(*bytes), len)
    }

    /// Of `text`.
    pub(crate) fn of(text: &[u8]) -> Glance {
        let mut bytes = [0; WHOLE_BYTES];
        bytes.iter_mut().zip(text).for_each(|(to, from)| *to = *from);
        Glance::new(u128::from_le_bytes(bytes), text.len())
    }

    #[inline]
    fn new(bytes: u128, len: usize) -> Glance {
        let (first, second) = (bytes as u64, (bytes >> 64) as u64);
        let words = (first & mask(len), second & mask(len.saturating_sub(WORD_BYTES)));
        Glance { words, len: len as u32 }
    }

    /// It is all there is of the text.
    #[inline]
    pub(crate) fn is_whole(&self) -> bool {
        self.len as usize <= WHOLE_BYTES
    }

    /// A hash, good in its upper half.
    #[inline]
    pub(crate) fn hash(&self) -> u64 {
        let (first, second) = self.words;
        let mixed = (first ^ 0x9e37_79b9_7f4a_7c15).wrapping_mul(0xff51_afd7_ed55_8ccd);
        let mixed = (mixed ^ (mixed >> 32) ^ second ^ (u64::from(self.len) << 56))
            .wrapping_mul(0xc4ce_b9fe_1a85_ec53);
        mixed ^ (mixed >> 29)
    }
}

/// The lowest `bytes` bytes.
#[inline]
fn mask(bytes: usize) -> u64 {
    match bytes {
        0 => 0,
        bytes => u64::MAX >> (64 - 8 * bytes.min(WORD_BYTES)),
    }
}

/// Bits of a filter's hashes: 4 KiB of bits stay in the nearest cache.
const FILTER_BITS: u32 = 15;

/// Tells most texts that are not of a set from those that are.
#[derive(Debug)]
pub(crate) struct Filter {
    bits: Box<[u64]>,
}

impl Default for Filter {
    fn default() -> Filter {
        Filter { bits: vec![0; 1 << (FILTER_BITS - 6)].into() }
    }
}

impl Filter {
    /// `text` is in the set.
    pub(crate) fn add(&mut self, text: &str) {
        let (at, bit) = place(Glance::of(text.as_bytes()));
        if let Some(bits) = self.bits.get_mut(at) {
            *bits |= bit;
        }
    }

    /// Whether a text may be in the set.
    #[inline]
    pub(crate) fn may_have(&self, glance: Glance) -> bool {
        let (at, bit) = place(glance);
        self.bits.get(at).is_some_and(|bits| bits & bit != 0)
    }
}

#[inline]
fn place(glance: Glance) -> (usize, u64) {
    let hash = glance.hash() >> (64 - FILTER_BITS);
    ((hash >> 6) as usize, 1 << (hash & 63))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_glance_is_the_text_wherever_it_stands() {
        let text = "abcdefghijklmnopqrstuvwxyz";
        for start in 0..text.len() {
            for end in start..text.len() {
                let (part, arena) = (&text.as_bytes()[start..end], text.as_bytes());
                let glance = Glance::at(arena, start, part.len());
                assert_eq!(glance, Glance::of(part), "{start}..{end}");
                assert_eq!(glance.is_whole(), part.len() <= WHOLE_BYTES);
                for other in 0..part.len() {
                    assert_ne!(glance, Glance::of(&part[..other]), "{start}..{end} {other}");
                }
            }
        }
        assert_ne!(Glance::of(b"a\0"), Glance::of(b"a"));
    }

    #[test]
    fn a_filter_has_what_was_added_and_little_else() {
        let mut filter = Filter::default();
        (0..500).for_each(|number| filter.add(&format!("user{number}")));
        let has = |number: usize| filter.may_have(Glance::of(format!("user{number}").as_bytes()));
        assert!((0..500).all(has));
        assert!((500..10_500).filter(|number| has(*number)).count() < 400);
    }
}
