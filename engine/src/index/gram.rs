//! Which 4-byte windows a text has, as a set of 65,536 hashes.
//!
//! Bytes are folded by setting bit 0x20, so that ASCII letters of either case are the same; four decimal digits take
//! a fifth byte in, since numbers share their beginnings. What folding or hashing throws together is only a false
//! candidate, never a missed one, as texts and literals go through the same [`windows`].

/// Longest window, in bytes.
pub(crate) const WINDOW_BYTES: usize = 5;
/// Hashes there are.
pub const GRAMS: usize = 1 << 16;
/// Most values of a set that are looked for one by one.
pub(crate) const VALUES_MAX: usize = 256;
const WORDS: usize = GRAMS / 64;
const FOLD: u32 = 0x2020_2020;
const FOLD_ALL: u64 = 0x2020_2020_2020_2020;
/// Bytes looked at together: eight windows, and the fifth byte of each.
const CHUNK: usize = 12;

/// The grams of the texts of one granule.
#[derive(Clone)]
pub struct GramMap {
    words: Box<[u64; WORDS]>,
}

impl std::fmt::Debug for GramMap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let count: u32 = self.words.iter().map(|word| word.count_ones()).sum();
        write!(f, "GramMap({count} grams)")
    }
}

impl Default for GramMap {
    fn default() -> GramMap {
        GramMap { words: Box::new([0; WORDS]) }
    }
}

impl GramMap {
    /// Adds the grams of `text`: those of [`windows`], eight at a time.
    pub fn add(&mut self, text: &[u8]) {
        self.add_windows(text, 0..text.len());
    }

    /// Adds the grams of the windows of `text` that start in `starts`, and of some behind them: eight at a time cost less
    /// than to stop where they end. Where the first window starts that it did not look at.
    pub(crate) fn add_windows(&mut self, text: &[u8], starts: std::ops::Range<usize>) -> usize {
        let mut at = starts.start;
        while at < starts.end {
            let Some(bytes) = text.get(at..).and_then(<[u8]>::first_chunk::<CHUNK>) else {
                self.add_end(text);
                return text.len();
            };
            self.add_chunk(bytes);
            at += CHUNK - 4;
        }
        at
    }

    /// Adds the grams of the last windows of `text`, fewer than eight of which may be left: some are added again.
    fn add_end(&mut self, text: &[u8]) {
        let Some(last) = text.last_chunk::<CHUNK>() else { return windows(text, |gram| self.insert(gram)) };
        self.add_chunk(last);
        windows(text.last_chunk::<4>().map_or(&[], |end| end.as_slice()), |gram| self.insert(gram));
    }

    /// Adds the grams of the eight windows that have a fifth byte. None of it hangs on what the bytes are: a branch for
    /// digits is seldom foretold in numbers and ids.
    #[inline]
    fn add_chunk(&mut self, bytes: &[u8; CHUNK]) {
        let [start @ .., _, _, _, _] = bytes;
        let [_, _, _, _, end @ ..] = bytes;
        let (start, end) = (u64::from_le_bytes(*start) | FOLD_ALL, u64::from_le_bytes(*end) | FOLD_ALL);
        let (digits, more_digits) = (digits(start), digits(end));
        if digits | more_digits == 0 {
            (0..4).for_each(|at| self.insert(hash((start >> (at * 8)) as u32, 0)));
            (0..4).for_each(|at| self.insert(hash((end >> (at * 8)) as u32, 0)));
            return;
        }
        let fifths = end >> 32;
        for at in [0, 8, 16, 24] {
            let fifth = if digits >> at & 0x10 == 0 { 0 } else { (start >> 32 >> at) as u32 & 0xff };
            self.insert(hash((start >> at) as u32, fifth));
            let fifth = if more_digits >> at & 0x10 == 0 { 0 } else { (fifths >> at) as u32 & 0xff };
            self.insert(hash((end >> at) as u32, fifth));
        }
    }

    /// Adds one gram.
    #[inline]
    pub fn insert(&mut self, gram: u16) {
        if let Some(word) = self.words.get_mut(usize::from(gram >> 6)) {
            *word |= 1 << (gram & 63);
        }
    }

    /// Whether `gram` was added.
    #[inline]
    #[must_use]
    pub fn has(&self, gram: u16) -> bool {
        self.words.get(usize::from(gram >> 6)).is_some_and(|word| word >> (gram & 63) & 1 == 1)
    }

    /// 64 grams a word, in order.
    #[must_use]
    pub fn words(&self) -> &[u64] {
        self.words.as_slice()
    }
}

/// Calls `each` with the gram of every window of `text` that has one: four bytes, or five where the four are digits.
#[inline]
pub fn windows(text: &[u8], mut each: impl FnMut(u16)) {
    let Some(start) = text.first_chunk::<4>() else { return };
    let mut window = u32::from_le_bytes(*start) | FOLD;
    let mut rest = text.get(4..).unwrap_or_default().iter();
    loop {
        let next = rest.next();
        if is_digits(window) {
            if let Some(next) = next {
                each(hash(window, u32::from(*next | 0x20)));
            }
        } else {
            each(hash(window, 0));
        }
        let Some(next) = next else { return };
        window = window >> 8 | u32::from(*next | 0x20) << 24;
    }
}

/// The grams that a text has in either case of its ASCII letters wherever `literal` matches it regardless of case.
/// Windows with a letter whose case folding leaves ASCII (`k`, `s`) or with a byte outside ASCII are left out.
pub fn windows_any_case(literal: &[u8], mut each: impl FnMut(u16)) {
    let leaves = |byte: &u8| !byte.is_ascii() || matches!(byte, b'k' | b'K' | b's' | b'S');
    for run in literal.split(leaves) {
        windows(run, &mut each);
    }
}

/// Whether all four bytes are decimal digits; folded, so `0x10..=0x19` count too, for texts as for literals.
#[inline]
fn is_digits(window: u32) -> bool {
    // A digit has the high half 3; adding 6 to the low half overflows it for the other bytes.
    window & 0xf0f0_f0f0 == 0x3030_3030 && (window + 0x0606_0606) & 0xf0f0_f0f0 == 0x3030_3030
}

/// Where four bytes in a row of a folded word are digits, as [`is_digits`] has it: bit 4 of the first of them.
#[inline]
fn digits(word: u64) -> u64 {
    const HIGH: u64 = 0xf0f0_f0f0_f0f0_f0f0;
    const LOW: u64 = 0x0f0f_0f0f_0f0f_0f0f;
    const ONES: u64 = 0x1010_1010_1010_1010;
    // What keeps a byte from being a digit, in its high half: another half than 3, or a low half above 9.
    let apart = (word & HIGH ^ 0x3030_3030_3030_3030) | ((word & LOW) + 0x0606_0606_0606_0606) & ONES;
    let digits = !((apart >> 4) + LOW) & ONES;
    digits & digits >> 8 & digits >> 16 & digits >> 24
}

/// Multiplication by a number close to 2^32 over the golden ratio (Knuth's multiplicative hashing).
#[inline]
fn hash(window: u32, fifth: u32) -> u16 {
    ((window ^ fifth.wrapping_mul(0x85eb_ca6b)).wrapping_mul(0x9e37_79b1) >> 16) as u16
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn digits_are_told() {
        for byte in 0..=255u8 {
            let folded = byte | 0x20;
            let window = u32::from_le_bytes([b'1', b'2', folded, b'9']);
            assert_eq!(is_digits(window), folded.is_ascii_digit(), "{byte}");
        }
    }

    fn grams(literal: &[u8]) -> Vec<u16> {
        let mut grams = Vec::new();
        windows(literal, |gram| grams.push(gram));
        grams
    }

    #[test]
    fn short_literals_have_none() {
        for literal in [&b""[..], b"a", b"abc", b"1234"] {
            assert!(grams(literal).is_empty());
        }
        assert_eq!(grams(b"12345").len(), 1);
        assert_eq!(grams(b"abcd").len(), 1);
    }

    proptest! {
        #[test]
        fn eight_at_a_time_are_the_same(text in prop::collection::vec(prop_oneof![0u8.., b'0'..=b'9', 0x0fu8..0x1b], 0..80)) {
            let (mut fast, mut slow) = (GramMap::default(), GramMap::default());
            fast.add(&text);
            windows(&text, |gram| slow.insert(gram));
            prop_assert!(fast.words() == slow.words());
        }

        #[test]
        fn a_text_has_the_grams_of_its_parts(
            before in "[a-z0-9é]{0,6}", literal in "[a-zA-Z0-9é\" ]{0,9}", after in "[a-z0-9é]{0,6}",
        ) {
            let mut map = GramMap::default();
            map.add(format!("{before}{literal}{after}").as_bytes());
            let has = |gram: u16| map.words()[usize::from(gram >> 6)] >> (gram & 63) & 1 == 1;
            windows(literal.as_bytes(), |gram| assert!(has(gram)));
            let mut other = GramMap::default();
            other.add(format!("{before}{}{after}", literal.to_uppercase()).as_bytes());
            let has = |gram: u16| other.words()[usize::from(gram >> 6)] >> (gram & 63) & 1 == 1;
            windows_any_case(literal.as_bytes(), |gram| assert!(has(gram)));
        }
    }
}
