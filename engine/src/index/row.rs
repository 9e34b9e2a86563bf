//! The forms of a row of the gram table, and which of them is the shortest.

use crate::store::block::wire::{Corrupt, put_varint};

pub(super) const EMPTY: u8 = 0;
pub(super) const ALL: u8 = 1;
pub(super) const ONE: u8 = 2;
pub(super) const GAPS: u8 = 3;
pub(super) const HOLES: u8 = 4;
pub(super) const BITMAP: u8 = 5;
pub(super) const RUNS: u8 = 6;

/// Packs rows, one after the other.
#[derive(Default)]
pub(super) struct Packer {
    is_brief: bool,
    best: Vec<u8>,
    other: Vec<u8>,
}

impl Packer {
    /// One for rows that are soon read again, which tries no forms that it would have to make to know how long they are.
    pub(super) fn brief() -> Packer {
        Packer { is_brief: true, ..Packer::default() }
    }

    /// Appends the cheapest form of a row; its kind.
    pub(super) fn pack(&mut self, bits: &[u64], count: usize, granules: usize, out: &mut Vec<u8>) -> u8 {
        if count == 0 {
            return EMPTY;
        }
        if count == granules {
            return ALL;
        }
        let bitmap = granules.div_ceil(8);
        if count == 1 && bitmap > 1 {
            let one = ordinals(bits, granules, true).next().unwrap_or(0);
            out.extend_from_slice(&(one as u16).to_le_bytes());
            return ONE;
        }
        let mut best = (BITMAP, bitmap);
        if self.is_brief {
            return self.put(best, bits, granules, out);
        }
        if count * 3 <= granules {
            let sum = last_bit(bits) + 1 - count;
            self.offer(
                &mut best,
                (GAPS, count),
                granules,
                (count, sum),
                ordinals(bits, granules, true).map(gap()),
            );
        } else if (granules - count) * 3 <= granules {
            let holes = granules - count;
            // Where the last of them is would have to be looked for.
            self.offer(
                &mut best,
                (HOLES, holes),
                granules,
                (holes, 0),
                ordinals(bits, granules, false).map(gap()),
            );
        }
        let runs = run_count(bits);
        if runs * 4 <= granules.min(count * 2) {
            let sum = last_bit(bits) + 1 - runs;
            self.offer(&mut best, (RUNS, runs), granules, (runs * 2, sum), run_codes(bits));
        }
        self.put(best, bits, granules, out)
    }

    /// Appends the form that was chosen; its kind.
    fn put(&self, best: (u8, usize), bits: &[u64], granules: usize, out: &mut Vec<u8>) -> u8 {
        if best.0 == BITMAP {
            let whole = granules / 64;
            bits.iter().take(whole).for_each(|word| out.extend_from_slice(&word.to_le_bytes()));
            let last = bits.get(whole).copied().unwrap_or(0).to_le_bytes();
            out.extend_from_slice(last.get(..best.1 - whole * 8).unwrap_or_default());
        } else {
            put_varint(out, self.best.len() as u64);
            out.extend_from_slice(&self.best);
        }
        best.0
    }

    /// Packs a row as codes, so many that add up to at least `sum`, and keeps that if it is shorter than the best so far.
    fn offer(
        &mut self,
        best: &mut (u8, usize),
        (kind, count): (u8, usize),
        granules: usize,
        (codes, sum): (usize, usize),
        values: impl Iterator<Item = usize>,
    ) {
        let parameter = rice(codes, granules);
        // The quotients add up to so much: most rows of ids are no better than their bitmap, and it shows at once.
        let quotients = if parameter == 0 { sum } else { (sum >> parameter).saturating_sub(codes) };
        if 2 + (codes * (parameter as usize + 1) + quotients).div_ceil(8) >= best.1 {
            return;
        }
        self.other.clear();
        put_varint(&mut self.other, count as u64);
        let mut writer = BitWriter { bytes: &mut self.other, word: 0, used: 0 };
        values.for_each(|value| writer.rice(value, parameter));
        writer.finish();
        let len = self.other.len() + if self.other.len() < 128 { 1 } else { 2 };
        if len < best.1 {
            *best = (kind, len);
            std::mem::swap(&mut self.best, &mut self.other);
        }
    }
}

/// Turns ascending ordinals into what lies between them.
fn gap() -> impl FnMut(usize) -> usize {
    let mut next = 0;
    move |ordinal| {
        let gap = ordinal - next;
        next = ordinal + 1;
        gap
    }
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

/// The last bit that is set.
fn last_bit(bits: &[u64]) -> usize {
    let last = bits.iter().enumerate().rev().find(|(_, word)| **word != 0);
    last.map_or(0, |(at, word)| at * 64 + word.ilog2() as usize)
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

/// The runs as codes: how far from the one before, and how long beyond one.
fn run_codes(bits: &[u64]) -> impl Iterator<Item = usize> {
    let mut end = 0;
    let runs = std::iter::from_fn(move || {
        let start = next_bit(bits, end, true)?;
        let gap = start - end;
        end = next_bit(bits, start, false).unwrap_or(bits.len() * 64);
        Some([gap, end - start - 1])
    });
    runs.flatten()
}

/// The first place from `from` on whose bit is `set`.
#[inline]
fn next_bit(bits: &[u64], from: usize, set: bool) -> Option<usize> {
    let flip = if set { 0 } else { u64::MAX };
    let mut at = from / 64;
    let mut word = (bits.get(at)? ^ flip) & u64::MAX << (from % 64);
    while word == 0 {
        at += 1;
        word = bits.get(at)? ^ flip;
    }
    Some(at * 64 + word.trailing_zeros() as usize)
}

/// Rice parameter for `count` gaps that add up to at most `total`.
pub(super) fn rice(count: usize, total: usize) -> u32 {
    let mean = (total / count.max(1)).max(1);
    (mean * 7 / 10).max(1).ilog2()
}

/// Writes bits, the lowest of every byte first.
struct BitWriter<'b> {
    bytes: &'b mut Vec<u8>,
    word: u64,
    used: u32,
}

impl BitWriter<'_> {
    /// Writes the low `len` bits of `bits`; at most 32, and no other bits are set.
    #[inline]
    fn put(&mut self, bits: u64, len: u32) {
        self.word |= bits << self.used;
        self.used += len;
        if self.used >= 32 {
            self.bytes.extend_from_slice(&(self.word as u32).to_le_bytes());
            self.word >>= 32;
            self.used -= 32;
        }
    }

    /// Golomb-Rice: the quotient in unary, the remainder in `parameter` bits.
    #[inline]
    fn rice(&mut self, value: usize, parameter: u32) {
        let mut quotient = value >> parameter;
        while quotient >= 16 {
            self.put(0xffff, 16);
            quotient -= 16;
        }
        self.put((1 << quotient) - 1, quotient as u32 + 1);
        self.put(value as u64 & ((1 << parameter) - 1), parameter);
    }

    fn finish(self) {
        let rest = self.word.to_le_bytes();
        self.bytes.extend_from_slice(rest.get(..self.used.div_ceil(8) as usize).unwrap_or_default());
    }
}

pub(super) struct BitReader<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
}

impl BitReader<'_> {
    /// The next bits, as many as stand in eight bytes from here, zeros behind the end; and how many are bits of the row.
    #[inline]
    fn peek(&self) -> (u64, usize) {
        let rest = self.bytes.get(self.at / 8..).unwrap_or_default();
        let word = match rest.first_chunk::<8>() {
            Some(word) => u64::from_le_bytes(*word),
            None => rest.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)),
        };
        (word >> (self.at % 8), (rest.len().min(8) * 8).saturating_sub(self.at % 8))
    }

    #[inline]
    pub(super) fn rice(&mut self, parameter: u32) -> Result<usize, Corrupt> {
        let early = Corrupt("row of the index ends early");
        let mut quotient = 0;
        loop {
            let (word, held) = self.peek();
            let ones = (word.trailing_ones() as usize).min(held);
            quotient += ones;
            self.at += ones;
            match held {
                0 => return Err(early),
                held if ones < held => break,
                _ => {}
            }
        }
        self.at += 1;
        let (word, held) = self.peek();
        if held < parameter as usize {
            return Err(early);
        }
        self.at += parameter as usize;
        Ok(quotient << parameter | word as usize & ((1 << parameter) - 1))
    }
}
