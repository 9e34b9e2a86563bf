//! Time buckets as bytes.
//!
//! ```text
//! varint: 0, or 1 where buckets were let go; signed: the start of the oldest that was not
//! varint a slot: how many buckets it has
//! a bucket, in the order of slots and starts: its distance from the one before of its slot, from 0 for the first, as
//!          varint (signed spans << 1 | is there a rest), varint the rest
//! the states of the function inside, then those of the functions of windows
//! ```
//!
//! Buckets that the result would leave out are left out.

use super::BucketStates;
use crate::aggregates::coding::{SlotCoding, ranks};
use crate::aggregates::slots::NO_SLOT;
use crate::coding::{DecodeError, Reader, write_count, write_long, write_signed, write_varint};

/// A bucket to be written: the rank of its slot, its start, its number.
type Ranked = (u32, i64, u32);

const START: DecodeError = DecodeError::Damaged("a time bucket is there twice, or out of range");

impl SlotCoding for BucketStates {
    fn write(&self, slots: &[u32], out: &mut Vec<u8>) {
        let (ranks, bound) = (ranks(slots), self.bound());
        let ranked = |(number, (parent, start)): (u32, &(u32, i64))| {
            let rank = ranks.get(*parent as usize).copied().filter(|rank| *rank != NO_SLOT)?;
            (*start >= bound).then_some((rank, *start, number))
        };
        let mut sorted: Vec<Ranked> = (0_u32..).zip(&self.list).filter_map(ranked).collect();
        sorted.sort_unstable();
        write_count(usize::from(bound != i64::MIN), out);
        if bound != i64::MIN {
            write_signed(bound, out);
        }
        let mut left = sorted.as_slice();
        for rank in 0..slots.len() {
            let here = left.partition_point(|bucket| bucket.0 as usize <= rank);
            write_count(here, out);
            left = left.get(here..).unwrap_or_default();
        }
        for slot in sorted.chunk_by(|a, b| a.0 == b.0) {
            let mut before = 0;
            for (_, start, _) in slot {
                self.write_distance(start.wrapping_sub(before), out);
                before = *start;
            }
        }
        let numbers: Vec<u32> = sorted.into_iter().map(|(_, _, number)| number).collect();
        self.body.write(&numbers, out);
        self.windows.iter().for_each(|window| window.body.write(&numbers, out));
    }

    fn read(&mut self, count: usize, from: &mut Reader<'_>) -> Result<(), DecodeError> {
        self.oldest = match from.varint()? {
            0 => i64::MIN,
            1 => from.signed()?,
            _ => return Err(START),
        };
        let mut sizes = Vec::with_capacity(from.fits(count as u64, 1)?);
        let mut all = 0_u64;
        for _ in 0..count {
            let size = from.count(1)?;
            all = all.saturating_add(size as u64);
            sizes.push(size);
        }
        let all = from.fits(all, 1)?;
        self.list.reserve(all);
        self.index.reserve(all);
        for (parent, size) in (0_u32..).zip(sizes) {
            let mut start = 0_i64;
            for _ in 0..size {
                start = start.wrapping_add(self.read_distance(from)?);
                let expected = self.list.len();
                if self.find((parent, start)) as usize != expected {
                    return Err(START);
                }
            }
        }
        self.body.read(self.list.len(), from)?;
        let count = self.list.len();
        self.windows.iter_mut().try_for_each(|window| window.body.read(count, from))
    }
}

impl BucketStates {
    fn write_distance(&self, distance: i64, out: &mut Vec<u8>) {
        let span = self.buckets.span().max(1);
        let (spans, rest) = (distance.div_euclid(span), distance.rem_euclid(span));
        let spans = (spans << 1 ^ spans >> 63) as u64;
        write_long(u128::from(spans) << 1 | u128::from(rest > 0), out);
        if rest > 0 {
            write_varint(rest as u64, out);
        }
    }

    fn read_distance(&self, from: &mut Reader<'_>) -> Result<i64, DecodeError> {
        let head = from.long()?;
        let spans = u64::try_from(head >> 1).map_err(|_| START)?;
        let spans = (spans >> 1) as i64 ^ -((spans & 1) as i64);
        let rest = if head & 1 == 1 { i64::try_from(from.varint()?).map_err(|_| START)? } else { 0 };
        let distance =
            spans.checked_mul(self.buckets.span().max(1)).and_then(|whole| whole.checked_add(rest));
        distance.ok_or(START)
    }
}
