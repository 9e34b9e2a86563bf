//! The bit-sliced gram table of a segment: for each of 65,536 grams the granules that have it.
//!
//! ```text
//! | granules u32, high bit: row bytes are packed | kinds: packed, a byte a row | row bytes |
//!
//! kind 0 empty   1 all   2 one ordinal (u16)   3 gaps   4 gaps of the rows' complement   5 bitmap   6 runs
//! kinds 3, 4, 6: length varint, then count varint, then Rice codes (runs: start and length in turn)
//! ```
//!
//! Each row takes the cheapest of these forms. Rows set in more granules than a limit become "all" until the table
//! fits its budget: such rows tell little. A granule that is a candidate may not have the gram; one that is not
//! does not have it.

use roaring::RoaringBitmap;

use super::gram::GRAMS;
use super::row::{ALL, BITMAP, BitReader, EMPTY, GAPS, HOLES, ONE, Packer, RUNS, rice};
use super::source::GramSource;
use crate::store::block::bytes::Bytes;
use crate::store::block::section::{Effort, expand, squeeze};
use crate::store::block::wire::{Corrupt, Reader, put_bytes};

/// Rows between two known starts.
const STRIDE: usize = 64;
/// Most granules of a segment: ordinals fit in 16 bits.
pub const GRANULES_MAX: usize = 1 << 16;

/// Tables with no more granules than this, which are at most a block's, are soon merged into others. Their rows are not looked at
/// for forms that would save a fifth, but are short enough that many are the same, and are compressed.
const PACKED_GRANULES_MAX: usize = 64;
/// Beside the number of granules: the row bytes are compressed.
const PACKED: u32 = 1 << 31;

/// Writes the table of these granules in at most `budget_bytes`, as far as dropping rows can reach that.
///
/// # Errors
/// When a table that granules are taken from is damaged.
pub(crate) fn encode(source: &GramSource, budget_bytes: usize) -> Result<Vec<u8>, Corrupt> {
    let granules = source.granules();
    let mut kinds = vec![EMPTY; GRAMS];
    let mut rows = Vec::new();
    // Where each row ends, and how many granules it has.
    let mut places: Vec<(usize, usize)> = Vec::with_capacity(GRAMS);
    let mut sizes = vec![0usize; granules + 1];
    let is_small = granules <= PACKED_GRANULES_MAX;
    let mut packer = if is_small { Packer::brief() } else { Packer::default() };
    source.for_each_row(|gram, bits, count| {
        let start = rows.len();
        let kind = packer.pack(bits, count, granules, &mut rows);
        if let Some(slot) = kinds.get_mut(gram) {
            *slot = kind;
        }
        if let Some(size) = sizes.get_mut(count) {
            *size += rows.len() - start;
        }
        places.push((rows.len(), count));
    })?;
    // The kinds of rows take about two bits each, less where most rows are empty.
    let rows_used = places.iter().filter(|(_, count)| *count > 0).count();
    let budget = budget_bytes.saturating_sub((GRAMS / 4).min(rows_used));
    let mut total = 0;
    let limit = sizes.iter().take_while(|size| {
        total += **size;
        total <= budget
    });
    let limit = limit.count();
    let mut bytes = Vec::with_capacity(total);
    let mut start = 0;
    for (kind, (end, count)) in kinds.iter_mut().zip(places) {
        if count >= limit && count > 0 {
            *kind = ALL;
        } else {
            bytes.extend_from_slice(rows.get(start..end).unwrap_or_default());
        }
        start = end;
    }
    let mut table = Vec::with_capacity(bytes.len() + GRAMS / 4);
    let effort = if is_small { Effort::Brief } else { Effort::Lasting };
    let packed = if is_small { squeeze(&bytes, effort) } else { Vec::new() };
    let is_packed = !packed.is_empty() && packed.len() < bytes.len();
    let flag = if is_packed { PACKED } else { 0 };
    table.extend_from_slice(&(granules as u32 | flag).to_le_bytes());
    put_bytes(&mut table, &squeeze(&kinds, effort));
    table.extend_from_slice(if is_packed { &packed } else { &bytes });
    Ok(table)
}

/// A table that is being read.
#[derive(Debug)]
pub struct GramTable {
    granules: usize,
    pub(super) kinds: Vec<u8>,
    starts: Vec<u32>,
    /// Where they lie: in the mapped file. Of a table only its kinds and the places of some rows are held in memory.
    pub(super) rows: Bytes,
}

impl GramTable {
    /// Takes a table apart.
    ///
    /// # Errors
    /// When the bytes are not those of a table.
    pub(crate) fn parse(bytes: &Bytes) -> Result<GramTable, Corrupt> {
        let mut reader = Reader::new(bytes);
        let head = reader.u32()?;
        let granules = (head & !PACKED) as usize;
        if granules > GRANULES_MAX {
            return Err(Corrupt("index of too many granules"));
        }
        let kinds = expand(reader.bytes()?)?;
        if kinds.len() != GRAMS || kinds.iter().any(|kind| *kind > RUNS) {
            return Err(Corrupt("index without its kinds"));
        }
        let rows = bytes.part(bytes.len() - reader.left()..bytes.len());
        let rows = rows.ok_or(Corrupt("index without rows"))?;
        let rows = if head & PACKED == 0 { rows } else { Bytes::new(expand(&rows)?) };
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
        let (mut left, mut row) = (Vec::new(), Vec::new());
        fill(&mut left, self.granules);
        for gram in grams {
            if self.row(usize::from(gram), &mut row).is_ok() {
                left.iter_mut().zip(&row).for_each(|(left, row)| *left &= row);
            }
            if left.iter().all(|word| *word == 0) {
                break;
            }
        }
        to_bitmap(&left)
    }

    /// The granules of `gram` as bits.
    fn row(&self, gram: usize, bits: &mut Vec<u64>) -> Result<(), Corrupt> {
        let unknown = Corrupt("unknown row of the index");
        let kind = *self.kinds.get(gram).ok_or(unknown)?;
        let first = gram / STRIDE * STRIDE;
        let start = *self.starts.get(gram / STRIDE).ok_or(unknown)? as usize;
        let mut reader = Reader::new(self.rows.get(start..).ok_or(unknown)?);
        for kind in self.kinds.get(first..gram).unwrap_or_default() {
            self.take_row(*kind, &mut reader)?;
        }
        self.read_row(kind, &mut reader, bits)
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

    /// Reads the next row into `bits`, whatever was there.
    pub(super) fn read_row(
        &self,
        kind: u8,
        reader: &mut Reader<'_>,
        bits: &mut Vec<u64>,
    ) -> Result<(), Corrupt> {
        let bytes = self.take_row(kind, reader)?;
        bits.clear();
        match kind {
            ALL | HOLES => fill(bits, self.granules),
            _ => bits.resize(self.granules.div_ceil(64), 0),
        }
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
        Ok(())
    }

    /// Checks that every row can be read.
    ///
    /// # Errors
    /// The first that cannot.
    pub(crate) fn check(&self) -> Result<(), Corrupt> {
        let (mut reader, mut bits) = (Reader::new(&self.rows), Vec::new());
        self.kinds.iter().try_for_each(|kind| self.read_row(*kind, &mut reader, &mut bits))
    }
}

/// Makes `bits` those of all granules.
fn fill(bits: &mut Vec<u64>, granules: usize) {
    bits.clear();
    bits.resize(granules.div_ceil(64), u64::MAX);
    if let (Some(last), true) = (bits.last_mut(), !granules.is_multiple_of(64)) {
        *last >>= 64 - granules % 64;
    }
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

    use std::sync::Arc;

    use super::super::gram::GramMap;
    use super::*;

    fn maps(granules: usize, texts: impl Fn(usize) -> Vec<String>) -> Vec<GramMap> {
        let map = |granule| {
            let mut map = GramMap::default();
            texts(granule).iter().for_each(|text| map.add(text.as_bytes()));
            map
        };
        (0..granules).map(map).collect()
    }

    fn encode(maps: &[GramMap], budget_bytes: usize) -> Vec<u8> {
        let mut source = GramSource::default();
        source.push_maps(maps.to_vec());
        super::encode(&source, budget_bytes).unwrap()
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
    fn rows_come_back() {
        for granules in [0, 1, 2, 8, 9, 63, 64, 65, 200] {
            let maps = maps(granules, some_texts);
            let bytes = encode(&maps, usize::MAX);
            let packed = u32::from_le_bytes(*bytes.first_chunk().unwrap()) & PACKED != 0;
            match granules {
                63 | PACKED_GRANULES_MAX => assert!(packed, "{granules}"),
                more if more > PACKED_GRANULES_MAX => assert!(!packed, "{granules}"),
                _ => {}
            }
            let table = GramTable::parse(&Bytes::new(bytes)).unwrap();
            table.check().unwrap();
            assert_eq!(table.granules(), granules);
            for gram in 0..GRAMS {
                let mut bits = Vec::new();
                table.row(gram, &mut bits).unwrap();
                let has = |granule: usize| bits[granule / 64] >> (granule % 64) & 1 == 1;
                let had = |map: &GramMap| map.words()[gram / 64] >> (gram % 64) & 1 == 1;
                assert!(maps.iter().enumerate().all(|(granule, map)| has(granule) == had(map)));
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
        let (whole, small) =
            (GramTable::parse(&Bytes::new(whole)).unwrap(), GramTable::parse(&Bytes::new(small)).unwrap());
        for literal in ["only00005x", "every third", "run of thirty", "nearly all"] {
            let (exact, loose) =
                (whole.candidates(literal.as_bytes(), false), small.candidates(literal.as_bytes(), false));
            assert!(exact.is_subset(&loose));
        }
        assert_eq!(small.candidates(b"nearly all", false).len(), 200);
    }

    #[test]
    fn tables_merge_as_if_made_of_all_their_granules() {
        let sizes = [3, 64, 1, 70, 57];
        let all = maps(sizes.iter().sum(), some_texts);
        let mut tables = Vec::new();
        let mut first = 0;
        for size in sizes {
            let table = GramTable::parse(&Bytes::new(encode(&all[first..first + size], usize::MAX))).unwrap();
            tables.push(Arc::new(table));
            first += size;
        }
        // Granules of the tables in turn, some of them written anew, in another order than they were.
        let mut source = GramSource::default();
        let mut expected: Vec<GramMap> = Vec::new();
        for (table, range) in
            [(1, 0..10), (1, 10..64), (0, 1..3), (3, 0..70), (3, 0..5), (4, 20..57), (3, 66..70)]
        {
            let first: usize = sizes[..table].iter().sum();
            let own = &all[first + range.start..first + range.end];
            if table == 4 {
                source.push_maps(own.to_vec());
            } else {
                source.push_table(&tables[table], range);
            }
            expected.extend(own.to_vec());
        }
        assert_eq!(source.granules(), expected.len());
        assert!(super::encode(&source, usize::MAX).unwrap() == encode(&expected, usize::MAX));
    }

    proptest! {
        #[test]
        fn any_row_comes_back(ordinals in prop::collection::btree_set(0usize..300, 0..300), more in 0usize..100) {
            let granules = ordinals.last().map_or(0, |last| last + 1) + more;
            let mut bits = vec![0u64; granules.div_ceil(64)];
            ordinals.iter().for_each(|ordinal| bits[ordinal / 64] |= 1 << (ordinal % 64));
            let mut bytes = Vec::new();
            let kind = Packer::default().pack(&bits, ordinals.len(), granules, &mut bytes);
            let table = GramTable { granules, kinds: vec![], starts: vec![], rows: Bytes::new(Vec::new()) };
            let (mut reader, mut back) = (Reader::new(&bytes), vec![7; 9]);
            table.read_row(kind, &mut reader, &mut back).unwrap();
            prop_assert_eq!(reader.left(), 0);
            prop_assert_eq!(back, bits);
        }

        #[test]
        fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..60), kind in 0u8..8, granules in 0usize..500) {
            let table = GramTable { granules, kinds: vec![], starts: vec![], rows: Bytes::new(Vec::new()) };
            let _ = table.read_row(kind, &mut Reader::new(&bytes), &mut Vec::new());
        }
    }
}
