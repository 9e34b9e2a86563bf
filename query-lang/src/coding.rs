//! States as bytes: integers of as many bytes as they need, texts by what they add to the text before.
//!
//! ```text
//! varint    7 bits a byte, the lowest first; the high bit: more follow          300 = AC 02
//! signed    a varint of 0, -1, 1, -2 ... as 0, 1, 2, 3 ...
//! text      varint (bytes << 7 | shared), then the bytes: behind the first `shared` ones of the text before it
//! ```
//!
//! Hard constraints of reading: bytes may come from anywhere, so nothing is believed. Nothing is reserved for more items
//! than there are bytes to tell of them, a text repeats at most 127 bytes of another, and counts are small
//! enough that thousands of them add up without overflow.

mod text;

pub(crate) use text::{read_cells, read_option, read_text, write_cells, write_option, write_text};

use crate::record::OrderKey;

/// The greatest number of rows that a state may claim to have seen: more than anyone will, and little enough that
/// thousands of states can be added up.
pub(crate) const ROWS_MAX: u64 = 1 << 53;
/// Most bytes of a varint.
const VARINT_BYTES_MAX: usize = 19;

/// Why bytes are no state.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// They were written by another version.
    #[error("the state is in version {found} of its form; this is version {known}")]
    Version {
        /// Theirs.
        found: u64,
        /// The one that is read here.
        known: u64,
    },
    /// They are a state of another query, or of the same one in another zone or with buckets of another length.
    #[error("the state is of another query, zone or bucket length")]
    Program,
    /// They are damaged.
    #[error("the state is damaged: {0}")]
    Damaged(&'static str),
}

/// The bytes ended early.
pub(crate) const SHORT: DecodeError = DecodeError::Damaged("it ends early");

/// Something that has one form as bytes.
pub(crate) trait Coding: Sized {
    /// Appends it to `out`.
    fn write(&self, out: &mut Vec<u8>);

    /// Reads it.
    ///
    /// # Errors
    /// When the bytes end early or say what cannot be.
    fn read(from: &mut Reader<'_>) -> Result<Self, DecodeError>;
}

/// Bytes that are being read.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { rest: bytes }
    }

    /// The next `count` bytes.
    pub(crate) fn take(&mut self, count: usize) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(SHORT)?;
        self.rest = rest;
        Ok(taken)
    }

    /// The next bytes, as many as the array has.
    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(SHORT)?;
        self.rest = rest;
        Ok(*taken)
    }

    /// A varint of 64 bits.
    #[inline]
    pub(crate) fn varint(&mut self) -> Result<u64, DecodeError> {
        match self.rest.split_first() {
            Some((first, rest)) if *first < 0x80 => {
                self.rest = rest;
                Ok(u64::from(*first))
            }
            _ => u64::try_from(self.long()?).map_err(|_| DecodeError::Damaged("an integer is too long")),
        }
    }

    /// A varint of 128 bits.
    pub(crate) fn long(&mut self) -> Result<u128, DecodeError> {
        let mut value = 0_u128;
        for (at, byte) in self.rest.iter().take(VARINT_BYTES_MAX).enumerate() {
            let bits = u128::from(byte & 0x7f);
            let placed = bits << (7 * at);
            if placed >> (7 * at) != bits || (*byte == 0 && at > 0) {
                return Err(DecodeError::Damaged("an integer is too long"));
            }
            value |= placed;
            if *byte < 0x80 {
                self.rest = self.rest.get(at + 1..).unwrap_or_default();
                return Ok(value);
            }
        }
        Err(SHORT)
    }

    /// A signed integer of 64 bits.
    pub(crate) fn signed(&mut self) -> Result<i64, DecodeError> {
        let value = self.varint()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    /// How many items follow, each of at least `bytes` bytes: never more than there is room for.
    pub(crate) fn count(&mut self, bytes: usize) -> Result<usize, DecodeError> {
        let count = self.varint()?;
        self.fits(count, bytes)
    }

    /// `count`, when so many items of at least `bytes` bytes each can follow.
    pub(crate) fn fits(&self, count: u64, bytes: usize) -> Result<usize, DecodeError> {
        let count = usize::try_from(count).map_err(|_| SHORT)?;
        match count.checked_mul(bytes) {
            Some(needed) if needed <= self.rest.len() => Ok(count),
            _ => Err(SHORT),
        }
    }

    /// A number of rows.
    #[inline]
    pub(crate) fn rows(&mut self) -> Result<u64, DecodeError> {
        checked_rows(self.varint()?)
    }

    /// Nothing may follow.
    pub(crate) fn finish(self) -> Result<(), DecodeError> {
        if self.rest.is_empty() { Ok(()) } else { Err(DecodeError::Damaged("something follows it")) }
    }
}

/// `rows`, when a state may claim so many.
#[inline]
pub(crate) fn checked_rows(rows: u64) -> Result<u64, DecodeError> {
    if rows <= ROWS_MAX { Ok(rows) } else { Err(DecodeError::Damaged("a count is too large")) }
}

/// Appends a varint of 64 bits.
#[inline]
pub(crate) fn write_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a varint of 128 bits.
pub(crate) fn write_long(mut value: u128, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a signed integer of 64 bits.
pub(crate) fn write_signed(value: i64, out: &mut Vec<u8>) {
    write_varint((value << 1 ^ value >> 63) as u64, out);
}

/// Appends how many items follow.
pub(crate) fn write_count(count: usize, out: &mut Vec<u8>) {
    write_varint(count as u64, out);
}

/// Places, each by its distance from the one before.
#[derive(Debug, Default)]
pub(crate) struct Places {
    before: OrderKey,
}

impl Places {
    /// Bytes of a place at least.
    pub(crate) const LEAST: usize = 2;

    /// Appends `place`.
    pub(crate) fn write(&mut self, place: OrderKey, out: &mut Vec<u8>) {
        write_signed(place.nanos.wrapping_sub(self.before.nanos), out);
        write_signed(place.sequence.wrapping_sub(self.before.sequence) as i64, out);
        self.before = place;
    }

    /// Reads the next place.
    pub(crate) fn read(&mut self, from: &mut Reader<'_>) -> Result<OrderKey, DecodeError> {
        self.before.nanos = self.before.nanos.wrapping_add(from.signed()?);
        self.before.sequence = self.before.sequence.wrapping_add(from.signed()? as u64);
        Ok(self.before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn integers_come_back(
            short in any::<u64>(),
            long in any::<u128>(),
            signed in any::<i64>(),
            shift in 0_u32..128,
            places in prop::collection::vec((any::<i64>(), any::<u64>()), 3),
        ) {
            let (short, long, signed) = (short >> (shift % 64), long >> shift, signed >> (shift % 64));
            let places = places.into_iter().map(|(nanos, sequence)| OrderKey { nanos, sequence });
            let places: Vec<OrderKey> = places.collect();
            let mut bytes = Vec::new();
            write_varint(short, &mut bytes);
            write_long(long, &mut bytes);
            write_signed(signed, &mut bytes);
            let mut before = Places::default();
            places.iter().for_each(|place| before.write(*place, &mut bytes));
            let mut from = Reader::new(&bytes);
            prop_assert_eq!((from.varint(), from.long(), from.signed()), (Ok(short), Ok(long), Ok(signed)));
            let mut before = Places::default();
            for place in &places {
                prop_assert_eq!(before.read(&mut from), Ok(*place));
            }
            prop_assert_eq!(from.finish(), Ok(()));
            for cut in 0..bytes.len() {
                let mut from = Reader::new(&bytes[..cut]);
                let mut before = Places::default();
                let read = from.varint().and(from.long()).and(from.signed());
                let all = places.iter().try_for_each(|_| before.read(&mut from).map(|_| ()));
                prop_assert!(read.is_err() || all.is_err(), "{}", cut);
            }
        }
    }

    #[test]
    fn integers_have_one_form_and_counts_a_bound() {
        let varint = |bytes: &[u8]| Reader::new(bytes).varint();
        assert_eq!(varint(&[0xac, 0x02]), Ok(300));
        assert!(varint(&[0x80, 0x00]).is_err(), "a longer form than there need be");
        let most = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
        assert_eq!(varint(&most), Ok(u64::MAX));
        let beyond = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02];
        assert!(varint(&beyond).is_err());
        assert!(Reader::new(&[0xff; 40]).long().is_err());
        for (rows, fits) in [(ROWS_MAX, true), (ROWS_MAX + 1, false)] {
            let mut bytes = Vec::new();
            write_varint(rows, &mut bytes);
            assert_eq!(Reader::new(&bytes).rows().is_ok(), fits);
        }
        for (count, fits) in [(3, true), (4, false)] {
            assert_eq!(Reader::new(&[count, 0, 0, 0, 0, 0, 0]).count(2).is_ok(), fits);
        }
    }
}
