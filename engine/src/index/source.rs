//! Where the grams of a table to be come from: of granules that are new, and of those that other tables have.

use std::ops::Range;
use std::sync::Arc;

use super::gram::{GRAMS, GramMap};
use super::row::{ALL, EMPTY};
use super::table::GramTable;
use crate::store::block::wire::{Corrupt, Reader};

/// Where the grams of granules come from, in the order of the granules.
#[derive(Debug, Default)]
pub(crate) struct GramSource {
    granules: usize,
    maps: Vec<(usize, Vec<GramMap>)>,
    tables: Vec<(Arc<GramTable>, Vec<Move>)>,
}

/// Granules of a table, and where the first of them goes.
#[derive(Debug)]
struct Move {
    from: Range<usize>,
    to: usize,
}

impl GramSource {
    /// How many granules there are.
    pub(crate) fn granules(&self) -> usize {
        self.granules
    }

    /// Adds granules by what they have.
    pub(crate) fn push_maps(&mut self, maps: Vec<GramMap>) {
        let to = self.granules;
        self.granules += maps.len();
        self.maps.push((to, maps));
    }

    /// Adds granules `from` of a table.
    pub(crate) fn push_table(&mut self, table: &Arc<GramTable>, from: Range<usize>) {
        let to = self.granules;
        self.granules += from.len();
        let known = self.tables.iter_mut().find(|(known, _)| Arc::ptr_eq(known, table));
        match known {
            Some((_, moves)) => match moves.last_mut() {
                // Neighbours stay neighbours.
                Some(last) if last.from.end == from.start && last.to + last.from.len() == to => {
                    last.from.end = from.end;
                }
                _ => moves.push(Move { from, to }),
            },
            None => self.tables.push((Arc::clone(table), vec![Move { from, to }])),
        }
    }

    /// Calls `each` with every gram, its granules as bits, and how many they are.
    pub(super) fn for_each_row(&self, mut each: impl FnMut(usize, &[u64], usize)) -> Result<(), Corrupt> {
        if let ([(0, maps)], []) = (self.maps.as_slice(), self.tables.as_slice())
            && maps.len() <= 64
        {
            each_row_of_few(maps, each);
            return Ok(());
        }
        let mut readers: Vec<_> =
            self.tables.iter().map(|(table, moves)| (table, moves, Reader::new(&table.rows))).collect();
        let mut slices: Vec<_> = self.maps.iter().map(|(to, maps)| (*to, Slices::new(maps))).collect();
        let mut bits = vec![0u64; self.granules.div_ceil(64)];
        let mut own = Vec::new();
        for gram in 0..GRAMS {
            bits.fill(0);
            for (to, slices) in &mut slices {
                slices.read(gram, &mut bits, *to);
            }
            for (table, moves, reader) in &mut readers {
                let kind = table.kinds.get(gram).copied().unwrap_or(ALL);
                if kind == EMPTY {
                    continue;
                }
                table.read_row(kind, reader, &mut own)?;
                moves.iter().for_each(|step| copy_bits(&own, step.from.clone(), &mut bits, step.to));
            }
            let count = bits.iter().map(|word| word.count_ones() as usize).sum();
            each(gram, &bits, count);
        }
        Ok(())
    }
}

/// Calls `each` with the rows of at most 64 maps: one word each, as they come out when maps are turned on their side.
fn each_row_of_few(maps: &[GramMap], mut each: impl FnMut(usize, &[u64], usize)) {
    for first in (0..GRAMS).step_by(64) {
        for (gram, row) in (first..).zip(&turned(maps, first)) {
            each(gram, std::slice::from_ref(row), row.count_ones() as usize);
        }
    }
}

/// At most 64 maps turned on their side: for each of the 64 grams from `first` on the maps that have it.
fn turned(maps: &[GramMap], first: usize) -> [u64; 64] {
    let mut block = [0; 64];
    for (slot, map) in block.iter_mut().zip(maps) {
        *slot = map.words().get(first / 64).copied().unwrap_or(0);
    }
    transpose(&mut block);
    block
}

/// Sets the bits of `to` from `at` on where those of `from` in `range` are set.
fn copy_bits(from: &[u64], range: Range<usize>, to: &mut [u64], at: usize) {
    let mut done = 0;
    while done < range.len() {
        let (source, target) = (range.start + done, at + done);
        let (skip, shift) = (source % 64, target % 64);
        let held = (range.len() - done).min(64 - skip).min(64 - shift);
        let word = from.get(source / 64).copied().unwrap_or(0) >> skip & u64::MAX >> (64 - held);
        if let Some(slot) = to.get_mut(target / 64) {
            *slot |= word << shift;
        }
        done += held;
    }
}

/// Maps turned on their side, 64 grams at a time: for each gram the granules that have it.
struct Slices<'m> {
    maps: &'m [GramMap],
    rows: Vec<[u64; 64]>,
}

impl<'m> Slices<'m> {
    fn new(maps: &'m [GramMap]) -> Slices<'m> {
        Slices { maps, rows: vec![[0; 64]; maps.len().div_ceil(64)] }
    }

    /// Sets the bits of `gram`, from `at` on. Grams come in order.
    fn read(&mut self, gram: usize, bits: &mut [u64], at: usize) {
        if gram.is_multiple_of(64) {
            for (block, maps) in self.rows.iter_mut().zip(self.maps.chunks(64)) {
                *block = turned(maps, gram);
            }
        }
        for (index, block) in self.rows.iter().enumerate() {
            let row = block.get(gram % 64).copied().unwrap_or(0);
            if row != 0 {
                copy_bits(&[row], 0..64.min(self.maps.len() - index * 64), bits, at + index * 64);
            }
        }
    }
}

/// Transposes a 64 by 64 matrix of bits in place (Hacker's Delight, 7-3, with the low bit first).
#[allow(clippy::indexing_slicing, reason = "k and k + j stay below 64: k has bit j clear")]
fn transpose(matrix: &mut [u64; 64]) {
    let (mut j, mut mask) = (32, 0x0000_0000_ffff_ffffu64);
    while j != 0 {
        let mut k = 0;
        while k < 64 {
            let swapped = (matrix[k] >> j ^ matrix[k + j]) & mask;
            matrix[k] ^= swapped << j;
            matrix[k + j] ^= swapped;
            k = (k + j + 1) & !j;
        }
        j >>= 1;
        mask ^= mask << j;
    }
}
