//! The grams of the granules of a block to be: of what changes from row to row.
//!
//! Rows of one skeleton have most of their text in common: the skeleton itself, and the values that are those of the
//! row before. Only windows that touch another value than the skeleton's last one can be new.

use super::GRANULE_ROWS;
use super::node::Skeleton;
use crate::index::gram::{GramMap, WINDOW_BYTES};

/// Grams a granule, and what the rows of the last one had.
#[derive(Default)]
pub(crate) struct Grams<'a> {
    maps: Vec<GramMap>,
    /// For every skeleton what stood last in its holes; nothing where no row of this granule has it.
    last: Vec<Vec<&'a [u8]>>,
}

impl<'a> Grams<'a> {
    /// Goes on with row `row`, which may be the first of a granule.
    pub(crate) fn start_row(&mut self, row: usize) {
        if row.is_multiple_of(GRANULE_ROWS) {
            self.maps.push(GramMap::default());
            self.last.iter_mut().for_each(Vec::clear);
        }
    }

    /// Adds a text.
    pub(crate) fn add(&mut self, text: &[u8]) {
        if let Some(map) = self.maps.last_mut() {
            map.add(text);
        }
    }

    /// Adds a text that is `tokens` in the holes of `skeleton`, which has this number.
    pub(crate) fn add_filled(
        &mut self,
        text: &[u8],
        number: u32,
        skeleton: &Skeleton,
        tokens: impl Iterator<Item = &'a [u8]>,
    ) {
        let Some(map) = self.maps.last_mut() else { return };
        if self.last.len() <= number as usize {
            self.last.resize_with(number as usize + 1, Vec::new);
        }
        let Some(last) = self.last.get_mut(number as usize) else { return };
        if last.is_empty() {
            map.add(text);
            last.extend(tokens);
            return;
        }
        // Neighbours that are new together are added together.
        let (mut from, mut to, mut filled) = (0, 0, 0);
        for ((slot, token), end) in last.iter_mut().zip(tokens).zip(&skeleton.ends) {
            let start = *end as usize + filled;
            filled += token.len();
            if *slot == token {
                continue;
            }
            *slot = token;
            let near = start.saturating_sub(WINDOW_BYTES - 1);
            if near > to {
                map.add(text.get(from..to).unwrap_or_default());
                from = near;
            }
            to = (start + token.len() + WINDOW_BYTES - 1).min(text.len());
        }
        map.add(text.get(from..to).unwrap_or_default());
    }

    /// The grams of every granule, to be added to.
    pub(crate) fn maps_mut(&mut self) -> impl Iterator<Item = &mut GramMap> {
        self.maps.iter_mut()
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
            pieces in prop::collection::vec("[a-c1]{0,6}", 2..6),
            rows in prop::collection::vec(prop::collection::vec("[a1]{0,3}|12345|x", 5), 1..12),
        ) {
            let mut skeleton = Skeleton::default();
            for piece in &pieces[1..] {
                skeleton.literal.extend_from_slice(piece.as_bytes());
                skeleton.ends.push(skeleton.literal.len() as u32);
            }
            let tail = &pieces[0];
            skeleton.literal.extend_from_slice(tail.as_bytes());
            let (mut grams, mut slow) = (Grams::default(), GramMap::default());
            grams.start_row(0);
            for row in &rows {
                let holes = skeleton.ends.len();
                let text: String = pieces[1..].iter().zip(row).map(|(piece, token)| format!("{piece}{token}")).collect();
                let text = text + tail;
                grams.add_filled(text.as_bytes(), 3, &skeleton, row.iter().take(holes).map(|token| token.as_bytes()));
                slow.add(text.as_bytes());
            }
            let maps = grams.into_maps();
            prop_assert!(maps[0].words() == slow.words());
        }
    }
}
