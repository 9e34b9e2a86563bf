//! Sketches as bytes.
//!
//! ```text
//! varint (buckets << 1 | are there zeros), varint zeros where there are
//! the least and the greatest, unless there is nothing
//! signed: the first bucket; then for each bucket varint (count - 1 << 1 | is there a gap before it), varint its length - 1
//! ```

use super::{Buckets, SPARSE_MAX, Scale, Sketch};
use crate::coding::{Coding, DecodeError, Reader, checked_rows, write_signed, write_varint};
use crate::value::Number;

/// Places of an array, so many for each bucket there is, up to which it is taken instead of a list.
const PLACES_PER_BUCKET: usize = 16;

const BUCKET: DecodeError = DecodeError::Damaged("a bucket is beyond the doubles");

impl Sketch {
    /// Appends it to `out`.
    pub(in crate::aggregates) fn write(&self, out: &mut Vec<u8>) {
        let mut buckets = 0_u64;
        self.buckets.each(|_, _| buckets += 1);
        write_varint(buckets << 1 | u64::from(self.zeros > 0), out);
        if self.zeros > 0 {
            write_varint(self.zeros, out);
        }
        if self.count == 0 {
            return;
        }
        let (least, greatest) = self.range.unwrap_or((Number::Int(0), Number::Int(0)));
        least.write(out);
        Some(greatest).filter(|greatest| *greatest != least).write(out);
        let mut next = None;
        self.buckets.each(|bucket, count| {
            let gap = match next {
                Some(next) => bucket.abs_diff(next),
                None => {
                    write_signed(bucket.into(), out);
                    0
                }
            };
            write_varint(count.saturating_sub(1) << 1 | u64::from(gap > 0), out);
            if gap > 0 {
                write_varint(u64::from(gap) - 1, out);
            }
            next = Some(bucket.saturating_add(1));
        });
    }

    /// Reads one whose values were put into buckets by `scale`.
    pub(in crate::aggregates) fn read(scale: Scale, from: &mut Reader<'_>) -> Result<Sketch, DecodeError> {
        let head = from.varint()?;
        let buckets = from.fits(head >> 1, 1)?;
        let zeros = if head & 1 == 1 { from.rows()? } else { 0 };
        if buckets == 0 && zeros == 0 {
            return Ok(Sketch::default());
        }
        let least = Number::read(from)?;
        let greatest = Option::read(from)?.unwrap_or(least);
        if least > greatest {
            return Err(DecodeError::Damaged("the least is greater than the greatest"));
        }
        let (counted, buckets) = match buckets {
            0 => (0, Buckets::default()),
            _ => read_buckets(buckets, scale, from)?,
        };
        let count = checked_rows(zeros.saturating_add(counted))?;
        Ok(Sketch { count, zeros, range: Some((least, greatest)), buckets })
    }
}

/// So many buckets, and how many values are in them.
fn read_buckets(buckets: usize, scale: Scale, from: &mut Reader<'_>) -> Result<(u64, Buckets), DecodeError> {
    let (lowest, highest) = (scale.bucket(f64::from_bits(1)), scale.bucket(f64::MAX));
    let mut bucket = from.signed()?;
    let mut pairs = Vec::with_capacity(buckets);
    let mut counted = 0_u64;
    for _ in 0..buckets {
        let head = from.varint()?;
        if head & 1 == 1 {
            bucket = bucket.saturating_add_unsigned(from.varint()?.saturating_add(1));
        }
        let number = i32::try_from(bucket).map_err(|_| BUCKET)?;
        if !(lowest..=highest).contains(&number) {
            return Err(BUCKET);
        }
        let count = (head >> 1) + 1;
        counted = checked_rows(counted.saturating_add(count))?;
        pairs.push((number, count));
        bucket += 1;
    }
    Ok((counted, of_pairs(pairs)))
}

/// As a list where buckets are few or far between, else as an array.
fn of_pairs(pairs: Vec<(i32, u64)>) -> Buckets {
    let ends = pairs.first().zip(pairs.last());
    let places = ends.map_or(0, |(first, last)| last.0.abs_diff(first.0) as usize + 1);
    if pairs.len() <= SPARSE_MAX || places > pairs.len().saturating_mul(PLACES_PER_BUCKET) {
        return Buckets::Sparse(pairs);
    }
    let first = pairs.first().map_or(0, |pair| pair.0);
    let mut counts = vec![0; places];
    for (bucket, count) in pairs {
        if let Some(slot) = counts.get_mut(bucket.abs_diff(first) as usize) {
            *slot = count;
        }
    }
    Buckets::Dense { first, counts }
}
