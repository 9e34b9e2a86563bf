//! Which rows of a batch are still in play: one bit a row.
#![allow(
    clippy::indexing_slicing,
    reason = "words has one entry per 64 rows by construction; every index is row / 64 with row < rows"
)]

/// A set of rows `0..rows`, one bit each, 64 rows a word. Bits past `rows` are always zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    rows: usize,
    words: Vec<u64>,
}

impl Selection {
    /// No row of `rows`.
    #[must_use]
    pub fn none(rows: usize) -> Selection {
        Selection { rows, words: vec![0; rows.div_ceil(64)] }
    }

    /// Every row of `rows`.
    #[must_use]
    pub fn all(rows: usize) -> Selection {
        let mut all = Selection { rows, words: vec![u64::MAX; rows.div_ceil(64)] };
        all.trim();
        all
    }

    /// The rows for which `keep` holds.
    pub fn from_fn(rows: usize, mut keep: impl FnMut(usize) -> bool) -> Selection {
        let mut selection = Selection::none(rows);
        for (word, chunk) in selection.words.iter_mut().enumerate() {
            for bit in 0..64.min(rows - word * 64) {
                *chunk |= u64::from(keep(word * 64 + bit)) << bit;
            }
        }
        selection
    }

    /// The rows of `rows` whose bits in `words` are ones, 64 a word, the lowest first; words that lack count as
    /// zeros, and bits past the last row are dropped.
    #[must_use]
    pub fn from_words(rows: usize, mut words: Vec<u64>) -> Selection {
        words.resize(rows.div_ceil(64), 0);
        let mut selection = Selection { rows, words };
        selection.trim();
        selection
    }

    /// How many rows there are to choose from.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The rows as bits, 64 a word, the lowest first; bits past the last row are zero.
    #[must_use]
    pub fn words(&self) -> &[u64] {
        &self.words
    }

    /// How many rows are chosen.
    #[must_use]
    pub fn count(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// No row is chosen.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    /// Every row is chosen.
    #[must_use]
    pub fn is_all(&self) -> bool {
        let (whole, tail) = (self.rows / 64, self.rows % 64);
        let ones = self.words.iter().take(whole).all(|word| *word == u64::MAX);
        ones && self.words.get(whole).is_none_or(|word| *word == u64::MAX >> (64 - tail.max(1)))
    }

    /// Whether `row` is chosen; a row out of range is not.
    #[inline]
    #[must_use]
    pub fn contains(&self, row: usize) -> bool {
        self.words.get(row / 64).is_some_and(|word| word >> (row % 64) & 1 == 1)
    }

    /// Chooses `row`; a row out of range is ignored.
    #[inline]
    pub fn insert(&mut self, row: usize) {
        if row < self.rows {
            self.words[row / 64] |= 1 << (row % 64);
        }
    }

    /// Drops `row`.
    pub fn remove(&mut self, row: usize) {
        if row < self.rows {
            self.words[row / 64] &= !(1 << (row % 64));
        }
    }

    /// Chooses every row of `range`, cut to what there is.
    pub fn insert_range(&mut self, range: std::ops::Range<usize>) {
        let (start, end) = (range.start, range.end.min(self.rows));
        if start >= end {
            return;
        }
        let (first, last) = (start / 64, (end - 1) / 64);
        let (front, back) = (u64::MAX << (start % 64), u64::MAX >> (63 - (end - 1) % 64));
        if first == last {
            self.words[first] |= front & back;
            return;
        }
        self.words[first] |= front;
        self.words[first + 1..last].fill(u64::MAX);
        self.words[last] |= back;
    }

    /// Keeps the rows `keep` holds for; rows not chosen are not asked about.
    #[inline]
    pub fn retain(&mut self, mut keep: impl FnMut(usize) -> bool) {
        for (word, bits) in self.words.iter_mut().enumerate() {
            if *bits == u64::MAX {
                // No branch hangs on what is kept.
                *bits = (0..64).fold(0, |kept, bit| kept | u64::from(keep(word * 64 + bit)) << bit);
                continue;
            }
            let mut left = *bits;
            while left != 0 {
                let bit = left.trailing_zeros() as usize;
                left &= left - 1;
                if !keep(word * 64 + bit) {
                    *bits &= !(1 << bit);
                }
            }
        }
    }

    /// The rows in both.
    pub fn intersect(&mut self, other: &Selection) {
        for (mine, theirs) in self.words.iter_mut().zip(&other.words) {
            *mine &= theirs;
        }
        // What the other does not have, neither have both.
        self.words.iter_mut().skip(other.words.len()).for_each(|mine| *mine = 0);
    }

    /// The rows in either.
    pub fn union(&mut self, other: &Selection) {
        for (mine, theirs) in self.words.iter_mut().zip(&other.words) {
            *mine |= theirs;
        }
        self.trim();
    }

    /// The rows in this one and not in `other`.
    pub fn subtract(&mut self, other: &Selection) {
        for (mine, theirs) in self.words.iter_mut().zip(&other.words) {
            *mine &= !theirs;
        }
    }

    /// The chosen rows, ascending.
    pub fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.words.iter().enumerate().flat_map(|(word, bits)| {
            let mut left = *bits;
            std::iter::from_fn(move || {
                (left != 0).then(|| {
                    let bit = left.trailing_zeros() as usize;
                    left &= left - 1;
                    word * 64 + bit
                })
            })
        })
    }

    /// The chosen rows as stretches without a gap, ascending, none touching the next.
    pub fn runs(&self) -> impl Iterator<Item = std::ops::Range<usize>> + '_ {
        let mut at = 0;
        std::iter::from_fn(move || {
            let start = self.first_from(at)?;
            at = self.next(start, u64::MAX).unwrap_or(self.rows);
            Some(start..at)
        })
    }

    /// The first chosen row that is not before `row`.
    #[must_use]
    pub fn first_from(&self, row: usize) -> Option<usize> {
        self.next(row, 0)
    }

    /// The last chosen row.
    #[must_use]
    pub fn last(&self) -> Option<usize> {
        let (at, word) = self.words.iter().enumerate().rfind(|(_, word)| **word != 0)?;
        Some(at * 64 + 63 - word.leading_zeros() as usize)
    }

    /// The first row from `at` on whose bit, flipped where `flip` has a one, is set.
    fn next(&self, at: usize, flip: u64) -> Option<usize> {
        let mut word = at / 64;
        let mut bits = (self.words.get(word)? ^ flip) & (u64::MAX << (at % 64));
        while bits == 0 {
            word += 1;
            bits = self.words.get(word)? ^ flip;
        }
        Some(word * 64 + bits.trailing_zeros() as usize).filter(|row| *row < self.rows)
    }

    /// The rows of all granules of `granule` rows from the first to the last in which a row is chosen; none where none is.
    #[must_use]
    pub fn around(&self, granule: usize) -> std::ops::Range<usize> {
        let first = self.first_from(0).unwrap_or(0) / granule * granule;
        let end = self.last().map_or(first, |last| (last / granule + 1) * granule);
        first..end.min(self.rows)
    }

    /// The later half of the chosen rows, and the earlier one.
    #[must_use]
    pub fn halves(&self) -> [Selection; 2] {
        let middle = self.iter().nth(self.count() / 2).unwrap_or(self.rows);
        [self.within(middle..self.rows), self.within(0..middle)]
    }

    /// The chosen rows of `range`; those outside are dropped.
    #[must_use]
    pub fn within(&self, range: std::ops::Range<usize>) -> Selection {
        let mut inside = Selection::none(self.rows);
        inside.insert_range(range);
        inside.intersect(self);
        inside
    }

    /// The chosen rows of `range`, numbered from its start.
    #[must_use]
    pub fn cut(&self, range: std::ops::Range<usize>) -> Selection {
        let (first, shift) = (range.start / 64, range.start % 64);
        let word = |at: usize| self.words.get(first + at).copied().unwrap_or(0);
        let shifted = |at: usize| match shift {
            0 => word(at),
            shift => word(at) >> shift | word(at + 1) << (64 - shift),
        };
        Selection::from_words(range.len(), (0..range.len().div_ceil(64)).map(shifted).collect())
    }

    /// The chosen rows as they are numbered among `rows` rows, of which the first here is row `start`: the inverse of
    /// [`Selection::cut`].
    #[must_use]
    pub fn among(&self, start: usize, rows: usize) -> Selection {
        let (first, shift) = (start / 64, start % 64);
        let mut words = vec![0; rows.div_ceil(64)];
        for (at, word) in (first..).zip(&self.words) {
            let parts = [word << shift, if shift == 0 { 0 } else { word >> (64 - shift) }];
            for (slot, part) in words.iter_mut().skip(at).zip(parts) {
                *slot |= part;
            }
        }
        Selection::from_words(rows, words)
    }

    /// Whether any row of `range` is chosen.
    #[must_use]
    pub fn any_in(&self, range: std::ops::Range<usize>) -> bool {
        self.first_from(range.start).is_some_and(|row| row < range.end)
    }

    fn trim(&mut self) {
        let tail = self.rows % 64;
        if let (Some(last), true) = (self.words.last_mut(), tail != 0) {
            *last &= u64::MAX >> (64 - tail);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_out_is_found_again() {
        let whole = Selection::from_fn(200, |row| row % 3 == 0 || row % 64 > 60);
        for range in [0..200, 0..64, 64..128, 64..200, 1..2, 5..77, 63..65, 100..100, 130..200] {
            let cut = whole.cut(range.clone());
            let expected = Selection::from_fn(range.len(), |row| whole.contains(range.start + row));
            assert_eq!(cut, expected, "{range:?}");
            assert_eq!(cut.among(range.start, 200), whole.within(range.clone()), "{range:?}");
            assert_eq!(cut.last(), cut.iter().last(), "{range:?}");
        }
        assert_eq!(Selection::all(100).cut(90..120), Selection::from_fn(30, |row| row < 10));
    }

    #[test]
    fn granules_around_what_is_chosen() {
        let around = |rows: &[usize], of: usize| Selection::from_fn(of, |row| rows.contains(&row)).around(10);
        for (rows, of, expected) in [
            (&[][..], 35, 0..0),
            (&[0], 35, 0..10),
            (&[9], 35, 0..10),
            (&[10, 29], 35, 10..30),
            (&[31], 35, 30..35),
            (&[0, 34], 35, 0..35),
        ] {
            assert_eq!(around(rows, of), expected, "{rows:?}");
        }
    }

    #[test]
    fn all_rows_are_all_rows() {
        for rows in [0, 1, 63, 64, 65, 128, 130] {
            assert!(Selection::all(rows).is_all(), "{rows}");
            for row in 0..rows {
                assert!(!Selection::from_fn(rows, |other| other != row).is_all(), "{rows} but {row}");
            }
        }
    }

    #[test]
    fn ranges_meet_word_borders() {
        for (start, end) in [(0, 0), (0, 64), (63, 65), (1, 130), (64, 128), (100, 500)] {
            let mut chosen = Selection::none(130);
            chosen.insert_range(start..end);
            assert_eq!(chosen, Selection::from_fn(130, |row| row >= start && row < end), "{start}..{end}");
            assert_eq!(chosen.iter().count(), chosen.count());
        }
    }

    #[test]
    fn runs_are_the_rows_without_gaps() {
        for rows in [0, 1, 63, 64, 65, 128, 200] {
            for (first, every) in [(0, 1), (0, 2), (3, 64), (63, 65), (5, 7), (200, 1)] {
                let chosen = Selection::from_fn(rows, |row| row >= first && (row / every) % 2 == 0);
                let runs: Vec<_> = chosen.runs().collect();
                assert!(runs.windows(2).all(|pair| pair[0].end < pair[1].start), "{runs:?}");
                let listed: Vec<usize> = runs.into_iter().flatten().collect();
                assert_eq!(listed, chosen.iter().collect::<Vec<_>>(), "{rows} {first} {every}");
                for range in [0..1, 10..70, 64..64, 70..500] {
                    let inside: Vec<usize> = chosen.iter().filter(|row| range.contains(row)).collect();
                    assert_eq!(chosen.any_in(range.clone()), !inside.is_empty(), "{range:?}");
                    assert_eq!(chosen.within(range).iter().collect::<Vec<_>>(), inside);
                }
            }
        }
    }

    #[test]
    fn words_are_cut_to_the_rows() {
        for (rows, words) in
            [(0, vec![7]), (3, vec![15]), (64, vec![7]), (130, vec![7, u64::MAX, u64::MAX, 1])]
        {
            let expected = Selection::from_fn(rows, |row| {
                words.get(row / 64).is_some_and(|word| word >> (row % 64) & 1 == 1)
            });
            assert_eq!(Selection::from_words(rows, words), expected);
        }
    }

    #[test]
    fn algebra_agrees_with_a_plain_set() {
        let mut odd = Selection::from_fn(200, |row| row % 2 == 1);
        let third = Selection::from_fn(200, |row| row % 3 == 0);
        odd.union(&third);
        odd.subtract(&Selection::from_fn(200, |row| row < 50));
        odd.retain(|row| row != 51);
        let mut all = Selection::all(200);
        all.retain(|row| row % 5 != 2);
        assert_eq!(all, Selection::from_fn(200, |row| row % 5 != 2));
        let slow: Vec<usize> = (50..200).filter(|row| (row % 2 == 1 || row % 3 == 0) && *row != 51).collect();
        assert_eq!(odd.iter().collect::<Vec<_>>(), slow);
    }
}
