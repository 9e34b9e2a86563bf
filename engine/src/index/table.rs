//! The bit-sliced gram table of a segment: for each of 65,536 grams the granules that have it.
//!
//! ```text
//! | granules u32 | kinds: packed, a byte a row | row bytes |
//!
//! kind 0 empty   1 all   2 one ordinal (u16)   3 gaps   4 gaps of the rows' complement   5 bitmap   6 runs
//! kinds 3, 4, 6: length varint, then count varint, then Rice codes (runs: start and length in turn)
//! ```
//!
//! Each row takes the cheapest of these forms. Rows set in more granules than a limit become "all" until the table
//! fits its budget: such rows tell little. A granule that is a candidate may not have the gram; one that is not
//! does not have it.

use roaring::RoaringBitmap;

use super::gram::{GRAMS, GramMap};
use crate::store::block::section::{expand, squeeze};
use crate::store::block::wire::{Corrupt, Reader, put_bytes, put_varint};

/// Rows between two known starts.
const STRIDE: usize = 64;
/// Most granules of a segment: ordinals fit in 16 bits.
pub const GRANULES_MAX: usize = 1 << 16;

const EMPTY: u8 = 0;
const ALL: u8 = 1;
const ONE: u8 = 2;
const GAPS: u8 = 3;
const HOLES: u8 = 4;
const BITMAP: u8 = 5;
const RUNS: u8 = 6;

/// Writes the table of these granules in at most `budget_bytes`, as far as dropping rows can reach that.
pub(crate) fn encode(granules: &[GramMap], budget_bytes: usize) -> Vec<u8> {
    let mut kinds = vec![EMPTY; GRAMS];
    let mut rows: Vec<Vec<u8>> = Vec::with_capacity(GRAMS);
    let mut counts = Vec::with_capacity(GRAMS);
    let mut sizes = vec![0usize; granules.len() + 1];
    for_each_row(granules, |gram, bits, count| {
        let (kind, bytes) = pack_row(bits, count, granules.len());
        if let Some(slot) = kinds.get_mut(gram) {
            *slot = kind;
        }
        if let Some(size) = sizes.get_mut(count) {
            *size += bytes.len();
        }
        rows.push(bytes);
        counts.push(count);
    });
    // The kinds of rows take about two bits each, less where most rows are empty.
    let rows_used = counts.iter().filter(|count| **count > 0).count();
    let budget = budget_bytes.saturating_sub((GRAMS / 4).min(rows_used));
    let mut total = 0;
    let limit = sizes.iter().take_while(|size| {
        total += **size;
        total <= budget
    });
    let limit = limit.count();
    let mut bytes = Vec::with_capacity(total);
    for ((kind, row), count) in kinds.iter_mut().zip(&rows).zip(&counts) {
        if *count >= limit && *count > 0 {
            *kind = ALL;
        } else {
            bytes.extend_from_slice(row);
        }
    }
    let mut table = Vec::with_capacity(bytes.len() + GRAMS / 4);
    table.extend_from_slice(&(granules.len() as u32).to_le_bytes());
    put_bytes(&mut table, &squeeze(&kinds));
    table.extend_from_slice(&bytes);
    table
}

/// Calls `each` with every gram, its granules as bits, and how many they are.
fn for_each_row(granules: &[GramMap], mut each: impl FnMut(usize, &[u64], usize)) {
    let words = granules.len().div_ceil(64);
    let mut slice = vec![[0u64; 64]; words];
    let mut bits = vec![0u64; words];
    for column in 0..GRAMS / 64 {
        for (block, granules) in slice.iter_mut().zip(granules.chunks(64)) {
            *block = [0; 64];
            for (slot, granule) in block.iter_mut().zip(granules) {
                *slot = granule.words().get(column).copied().unwrap_or(0);
            }
            transpose(block);
        }
        for gram in 0..64 {
            let mut count = 0;
            for (word, block) in bits.iter_mut().zip(&slice) {
                *word = block.get(gram).copied().unwrap_or(0);
                count += word.count_ones() as usize;
            }
            each(column * 64 + gram, &bits, count);
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

/// The cheapest form of a row.
fn pack_row(bits: &[u64], count: usize, granules: usize) -> (u8, Vec<u8>) {
    if count == 0 {
        return (EMPTY, Vec::new());
    }
    if count == granules {
        return (ALL, Vec::new());
    }
    if count == 1 {
        let one = ordinals(bits, granules, true).next().unwrap_or(0);
        return (ONE, (one as u16).to_le_bytes().to_vec());
    }
    let bitmap = granules.div_ceil(8);
    let mut best: (u8, Vec<u8>) =
        (BITMAP, bits.iter().flat_map(|word| word.to_le_bytes()).take(bitmap).collect());
    let mut offer = |kind: u8, bytes: Vec<u8>| {
        if bytes.len() < best.1.len() {
            best = (kind, bytes);
        }
    };
    if count * 3 <= granules {
        offer(GAPS, gaps(ordinals(bits, granules, true), count, granules));
    } else if (granules - count) * 3 <= granules {
        offer(HOLES, gaps(ordinals(bits, granules, false), granules - count, granules));
    }
    if run_count(bits) * 4 <= granules.min(count * 2) {
        offer(RUNS, pack_runs(&runs(bits, granules), granules));
    }
    best
}

/// The granules that are in `bits`, or those that are not.
fn ordinals(bits: &[u64], granules: usize, set: bool) -> impl Iterator<Item = usize> {
    bits.iter().enumerate().flat_map(move |(at, word)| {
        let held = granules.saturating_sub(at * 64).min(64);
        let mask = u64::MAX.checked_shr(64 - held as u32).unwrap_or(0);
        let mut left = if set { *word } else { !*word } & mask;
        std::iter::from_fn(move || {
            let bit = (left != 0).then(|| left.trailing_zeros() as usize)?;
            left &= left - 1;
            Some(at * 64 + bit)
        })
    })
}

/// How many runs of neighbours `bits` has: bits whose lower neighbour is not set.
fn run_count(bits: &[u64]) -> usize {
    let mut carry = 0;
    let starts = bits.iter().map(|word| {
        let start = word & !(word << 1 | carry);
        carry = word >> 63;
        start.count_ones() as usize
    });
    starts.sum()
}

fn runs(bits: &[u64], granules: usize) -> Vec<(usize, usize)> {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for ordinal in ordinals(bits, granules, true) {
        match runs.last_mut() {
            Some((_, end)) if *end == ordinal => *end += 1,
            _ => runs.push((ordinal, ordinal + 1)),
        }
    }
    runs
}

/// Rice parameter for `count` gaps that add up to at most `total`.
fn rice(count: usize, total: usize) -> u32 {
    let mean = (total / count.max(1)).max(1);
    (mean * 7 / 10).max(1).ilog2()
}

fn gaps(ordinals: impl Iterator<Item = usize>, count: usize, granules: usize) -> Vec<u8> {
    let mut writer = BitWriter::default();
    let (parameter, mut next) = (rice(count, granules), 0);
    for ordinal in ordinals {
        writer.rice(ordinal - next, parameter);
        next = ordinal + 1;
    }
    with_length(count, writer.bytes)
}

fn pack_runs(runs: &[(usize, usize)], granules: usize) -> Vec<u8> {
    let mut writer = BitWriter::default();
    let (parameter, mut next) = (rice(runs.len() * 2, granules), 0);
    for (start, end) in runs {
        writer.rice(start - next, parameter);
        writer.rice(end - start - 1, parameter);
        next = *end;
    }
    with_length(runs.len(), writer.bytes)
}

fn with_length(count: usize, bits: Vec<u8>) -> Vec<u8> {
    let mut head = Vec::new();
    put_varint(&mut head, count as u64);
    let mut out = Vec::with_capacity(bits.len() + 4);
    put_varint(&mut out, (head.len() + bits.len()) as u64);
    out.extend_from_slice(&head);
    out.extend_from_slice(&bits);
    out
}

#[derive(Default)]
struct BitWriter {
    bytes: Vec<u8>,
    used: usize,
}

impl BitWriter {
    fn bit(&mut self, bit: bool) {
        if self.used.is_multiple_of(8) {
            self.bytes.push(0);
        }
        if let Some(byte) = self.bytes.last_mut() {
            *byte |= u8::from(bit) << (self.used % 8);
        }
        self.used += 1;
    }

    /// Golomb-Rice: the quotient in unary, the remainder in `parameter` bits.
    fn rice(&mut self, value: usize, parameter: u32) {
        (0..value >> parameter).for_each(|_| self.bit(true));
        self.bit(false);
        (0..parameter).for_each(|bit| self.bit(value >> bit & 1 == 1));
    }
}

struct BitReader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl BitReader<'_> {
    fn bit(&mut self) -> Result<bool, Corrupt> {
        let byte = self.bytes.get(self.at / 8).ok_or(Corrupt("row of the index ends early"))?;
        let bit = byte >> (self.at % 8) & 1 == 1;
        self.at += 1;
        Ok(bit)
    }

    fn rice(&mut self, parameter: u32) -> Result<usize, Corrupt> {
        let mut quotient = 0;
        while self.bit()? {
            quotient += 1;
        }
        let mut value = quotient << parameter;
        for bit in 0..parameter {
            value |= usize::from(self.bit()?) << bit;
        }
        Ok(value)
    }
}

/// A table that is being read.
#[derive(Debug)]
pub struct GramTable {
    granules: usize,
    kinds: Vec<u8>,
    starts: Vec<u32>,
    rows: Vec<u8>,
}

impl GramTable {
    /// Takes a table apart.
    ///
    /// # Errors
    /// When the bytes are not those of a table.
    pub(crate) fn parse(bytes: &[u8]) -> Result<GramTable, Corrupt> {
        let mut reader = Reader::new(bytes);
        let granules = reader.u32()? as usize;
        if granules > GRANULES_MAX {
            return Err(Corrupt("index of too many granules"));
        }
        let kinds = expand(reader.bytes()?)?;
        if kinds.len() != GRAMS || kinds.iter().any(|kind| *kind > RUNS) {
            return Err(Corrupt("index without its kinds"));
        }
        let rows = reader.take(reader.left())?.to_vec();
        let mut table = GramTable { granules, kinds, starts: Vec::with_capacity(GRAMS / STRIDE), rows };
        table.find_starts()?;
        Ok(table)
    }

    /// Walks over all rows: where every 64th starts.
    fn find_starts(&mut self) -> Result<(), Corrupt> {
        let mut starts = std::mem::take(&mut self.starts);
        let mut reader = Reader::new(&self.rows);
        for (gram, kind) in self.kinds.iter().enumerate() {
            if gram % STRIDE == 0 {
                starts.push((self.rows.len() - reader.left()) as u32);
            }
            self.take_row(*kind, &mut reader)?;
        }
        if reader.left() > 0 {
            return Err(Corrupt("bytes behind the rows of the index"));
        }
        self.starts = starts;
        Ok(())
    }

    /// How many granules it is of.
    #[must_use]
    pub fn granules(&self) -> usize {
        self.granules
    }

    /// The granules that may hold a text in which `literal` stands; `ignore_case` for ASCII letters of any case.
    #[must_use]
    pub fn candidates(&self, literal: &[u8], ignore_case: bool) -> RoaringBitmap {
        let mut grams = Vec::new();
        if ignore_case {
            super::gram::windows_any_case(literal, |gram| grams.push(gram));
        } else {
            super::gram::windows(literal, |gram| grams.push(gram));
        }
        grams.sort_unstable();
        grams.dedup();
        let mut left = full(self.granules);
        for gram in grams {
            if let Ok(Some(row)) = self.row(usize::from(gram)) {
                left.iter_mut().zip(row).for_each(|(left, row)| *left &= row);
            }
            if left.iter().all(|word| *word == 0) {
                break;
            }
        }
        to_bitmap(&left)
    }

    /// The granules of `gram` as bits; `None` when they are all.
    fn row(&self, gram: usize) -> Result<Option<Vec<u64>>, Corrupt> {
        let unknown = Corrupt("unknown row of the index");
        let kind = *self.kinds.get(gram).ok_or(unknown)?;
        let first = gram / STRIDE * STRIDE;
        let start = *self.starts.get(gram / STRIDE).ok_or(unknown)? as usize;
        let mut reader = Reader::new(self.rows.get(start..).ok_or(unknown)?);
        for kind in self.kinds.get(first..gram).unwrap_or_default() {
            self.take_row(*kind, &mut reader)?;
        }
        self.read_row(kind, &mut reader)
    }

    /// Passes over a row and hands out its bytes.
    fn take_row<'a>(&self, kind: u8, reader: &mut Reader<'a>) -> Result<&'a [u8], Corrupt> {
        match kind {
            EMPTY | ALL => Ok(&[]),
            ONE => reader.take(2),
            BITMAP => reader.take(self.granules.div_ceil(8)),
            _ => reader.bytes(),
        }
    }

    fn read_row(&self, kind: u8, reader: &mut Reader<'_>) -> Result<Option<Vec<u64>>, Corrupt> {
        let bytes = self.take_row(kind, reader)?;
        let mut bits = match kind {
            ALL => return Ok(None),
            HOLES => full(self.granules),
            _ => vec![0; self.granules.div_ceil(64)],
        };
        let mut flip = |ordinal: usize| {
            let word = bits.get_mut(ordinal / 64).filter(|_| ordinal < self.granules);
            *word.ok_or(Corrupt("ordinal out of range"))? ^= 1 << (ordinal % 64);
            Ok::<(), Corrupt>(())
        };
        match kind {
            ONE => flip(usize::from(u16::from_le_bytes(Reader::new(bytes).array()?)))?,
            BITMAP => {
                for (slot, word) in bits.iter_mut().zip(bytes.chunks(8)) {
                    let mut whole = [0; 8];
                    whole.iter_mut().zip(word).for_each(|(to, from)| *to = *from);
                    *slot = u64::from_le_bytes(whole);
                }
            }
            GAPS | HOLES | RUNS => {
                let mut reader = Reader::new(bytes);
                let count = reader.count(self.granules)?;
                let codes = if kind == RUNS { count * 2 } else { count };
                let parameter = rice(codes, self.granules);
                let mut codes = BitReader { bytes: reader.take(reader.left())?, at: 0 };
                let mut next = 0usize;
                for _ in 0..count {
                    let start = next.saturating_add(codes.rice(parameter)?);
                    let len = if kind == RUNS { codes.rice(parameter)? + 1 } else { 1 };
                    next = start.saturating_add(len);
                    for ordinal in start..next {
                        flip(ordinal)?;
                    }
                }
            }
            _ => {}
        }
        Ok(Some(bits))
    }

    /// The grams of every granule again, for merging: a granule has at least the grams it had.
    ///
    /// # Errors
    /// When a row is damaged.
    pub(crate) fn maps(&self) -> Result<Vec<GramMap>, Corrupt> {
        let mut maps = vec![GramMap::default(); self.granules];
        let mut reader = Reader::new(&self.rows);
        for (gram, kind) in self.kinds.iter().enumerate() {
            let bits = self.read_row(*kind, &mut reader)?.unwrap_or_else(|| full(self.granules));
            for (granule, map) in maps.iter_mut().enumerate() {
                if bits.get(granule / 64).is_some_and(|word| word >> (granule % 64) & 1 == 1) {
                    map.insert(gram as u16);
                }
            }
        }
        Ok(maps)
    }

    /// Checks that every row can be read.
    ///
    /// # Errors
    /// The first that cannot.
    pub(crate) fn check(&self) -> Result<(), Corrupt> {
        let mut reader = Reader::new(&self.rows);
        self.kinds.iter().try_for_each(|kind| self.read_row(*kind, &mut reader).map(|_| ()))
    }
}

fn full(granules: usize) -> Vec<u64> {
    let mut bits = vec![u64::MAX; granules.div_ceil(64)];
    if let (Some(last), true) = (bits.last_mut(), !granules.is_multiple_of(64)) {
        *last >>= 64 - granules % 64;
    }
    bits
}

fn to_bitmap(bits: &[u64]) -> RoaringBitmap {
    let words = bits.iter().enumerate();
    let ordinals = words.flat_map(|(word, bits)| {
        (0..64u32).filter(move |bit| bits >> bit & 1 == 1).map(move |bit| word as u32 * 64 + bit)
    });
    ordinals.collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn maps(granules: usize, texts: impl Fn(usize) -> Vec<String>) -> Vec<GramMap> {
        let map = |granule| {
            let mut map = GramMap::default();
            texts(granule).iter().for_each(|text| map.add(text.as_bytes()));
            map
        };
        (0..granules).map(map).collect()
    }

    fn some_texts(granule: usize) -> Vec<String> {
        let mut texts = vec!["in every granule".to_owned(), format!("only{granule:05}x in this")];
        if granule.is_multiple_of(3) {
            texts.push("in every third".into());
        }
        if (10..40).contains(&granule) {
            texts.push("a run of thirty".into());
        }
        if granule % 50 != 7 {
            texts.push("nearly all have".into());
        }
        texts
    }

    #[test]
    fn rows_come_back_and_tables_merge() {
        for granules in [0, 1, 2, 63, 64, 65, 200] {
            let maps = maps(granules, some_texts);
            let bytes = encode(&maps, usize::MAX);
            let table = GramTable::parse(&bytes).unwrap();
            table.check().unwrap();
            assert_eq!(table.granules(), granules);
            let back = table.maps().unwrap();
            for (one, other) in maps.iter().zip(&back) {
                assert!(one.words() == other.words());
            }
            let expect = |literal: &str, holds: &dyn Fn(usize) -> bool| {
                let expected: RoaringBitmap = (0..granules as u32).filter(|g| holds(*g as usize)).collect();
                assert_eq!(table.candidates(literal.as_bytes(), false), expected, "{literal} of {granules}");
            };
            expect("every third", &|granule| granule % 3 == 0);
            expect("run of thirty", &|granule| (10..40).contains(&granule));
            expect("nearly all", &|granule| granule % 50 != 7);
            expect("only00005x", &|granule| granule == 5);
            expect("nowhere at all", &|_| false);
            expect("abc", &|_| true);
        }
    }

    #[test]
    fn a_budget_drops_the_rows_that_tell_least() {
        let maps = maps(200, some_texts);
        let whole = encode(&maps, usize::MAX);
        let small = encode(&maps, whole.len() / 2);
        assert!(small.len() < whole.len());
        let (whole, small) = (GramTable::parse(&whole).unwrap(), GramTable::parse(&small).unwrap());
        for literal in ["only00005x", "every third", "run of thirty", "nearly all"] {
            let (exact, loose) =
                (whole.candidates(literal.as_bytes(), false), small.candidates(literal.as_bytes(), false));
            assert!(exact.is_subset(&loose));
        }
        assert_eq!(small.candidates(b"nearly all", false).len(), 200);
    }

    proptest! {
        #[test]
        fn any_row_comes_back(ordinals in prop::collection::btree_set(0usize..300, 0..300), more in 0usize..100) {
            let granules = ordinals.last().map_or(0, |last| last + 1) + more;
            let mut bits = vec![0u64; granules.div_ceil(64)];
            ordinals.iter().for_each(|ordinal| bits[ordinal / 64] |= 1 << (ordinal % 64));
            let (kind, bytes) = pack_row(&bits, ordinals.len(), granules);
            let table = GramTable { granules, kinds: vec![], starts: vec![], rows: vec![] };
            let back = table.read_row(kind, &mut Reader::new(&bytes)).unwrap();
            prop_assert_eq!(back.unwrap_or_else(|| full(granules)), bits);
        }

        #[test]
        fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..60), kind in 0u8..8, granules in 0usize..500) {
            let table = GramTable { granules, kinds: vec![], starts: vec![], rows: vec![] };
            let _ = table.read_row(kind, &mut Reader::new(&bytes));
        }
    }
}
