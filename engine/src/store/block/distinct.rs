//! The distinct values of a column, numbered in order of appearance.
//!
//! A table with open addressing. Most values of logs are short: up to sixteen bytes make a key that is compared in
//! two words, and mixed by one multiplication of 64 by 64 bits (as wyhash, Wang Yi, and its descendants do it).

use std::hash::BuildHasher;

use crate::equal::is_same;

/// Places looked at before a table is given up: no chain becomes so long by chance.
const PROBES_MAX: usize = 128;
const SLOTS_MIN: usize = 256;
const FREE: u32 = u32::MAX;

/// What is compared first: all of a short value, the hash of a longer one.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Key {
    start: u64,
    end: u64,
    len: usize,
}

/// Longest value that its key tells whole, in bytes.
const WHOLE_BYTES: usize = 16;

impl Key {
    #[inline]
    fn of(value: &[u8]) -> Key {
        let word = |bytes: &[u8; 8]| u64::from_le_bytes(*bytes);
        let half = |bytes: &[u8; 4]| u64::from(u32::from_le_bytes(*bytes));
        let (start, end) = if value.len() > WHOLE_BYTES {
            (foldhash::fast::FixedState::default().hash_one(value), 0)
        } else if let (Some(first), Some(last)) = (value.first_chunk(), value.last_chunk()) {
            (word(first), word(last))
        } else if let (Some(first), Some(last)) = (value.first_chunk(), value.last_chunk()) {
            (half(first), half(last))
        } else {
            (value.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)), 0)
        };
        Key { start, end, len: value.len() }
    }

    #[inline]
    fn hash(&self) -> usize {
        let (a, b) = (self.start ^ 0x9e37_79b9_7f4a_7c15, self.end ^ self.len as u64 ^ 0xe703_7ed1_a0b4_28db);
        let product = u128::from(a) * u128::from(b);
        (product as u64 ^ (product >> 64) as u64) as usize
    }
}

/// Distinct values.
pub(crate) struct Distinct<'a> {
    values: Vec<&'a [u8]>,
    keys: Vec<Key>,
    /// Numbers of values by hash; as many as a power of two.
    slots: Vec<u32>,
}

impl<'a> Distinct<'a> {
    pub(crate) fn new() -> Distinct<'a> {
        Distinct { values: Vec::new(), keys: Vec::new(), slots: vec![FREE; SLOTS_MIN] }
    }

    /// The number of `value`; `None` when it would be more than `limit` values, or too many have one hash.
    #[inline]
    pub(crate) fn number(&mut self, value: &'a [u8], limit: usize) -> Option<u32> {
        let key = Key::of(value);
        let mask = self.slots.len() - 1;
        let mut at = key.hash() & mask;
        for _ in 0..PROBES_MAX {
            let number = *self.slots.get(at)?;
            if number == FREE {
                return if self.values.len() < limit { self.insert(value, key, at) } else { None };
            }
            let same = self.keys.get(number as usize) == Some(&key)
                && (key.len <= WHOLE_BYTES
                    || self.values.get(number as usize).is_some_and(|known| is_same(known, value)));
            if same {
                return Some(number);
            }
            at = (at + 1) & mask;
        }
        None
    }

    fn insert(&mut self, value: &'a [u8], key: Key, at: usize) -> Option<u32> {
        let number = self.values.len() as u32;
        *self.slots.get_mut(at)? = number;
        self.values.push(value);
        self.keys.push(key);
        if self.values.len() * 2 > self.slots.len() {
            self.grow();
        }
        Some(number)
    }

    fn grow(&mut self) {
        let len = self.slots.len() * 4;
        self.slots.clear();
        self.slots.resize(len, FREE);
        for (number, key) in (0..).zip(&self.keys) {
            let mut at = key.hash() & (len - 1);
            while self.slots.get(at).is_some_and(|slot| *slot != FREE) {
                at = (at + 1) & (len - 1);
            }
            if let Some(slot) = self.slots.get_mut(at) {
                *slot = number;
            }
        }
    }

    /// The values, by number.
    pub(crate) fn into_values(self) -> Vec<&'a [u8]> {
        self.values
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_table_ends_at_its_limit() {
        let mut table = Distinct::new();
        assert_eq!(table.number(b"a", 2), Some(0));
        assert_eq!(table.number(b"b", 2), Some(1));
        assert_eq!(table.number(b"c", 2), None);
        assert_eq!(table.number(b"a", 2), Some(0));
        assert_eq!(table.into_values(), [b"a", b"b"]);
    }

    #[test]
    fn many_values_keep_their_numbers() {
        let texts: Vec<String> = (0..20_000).map(|n| format!("{:x}-{n}", n * 977 % 31)).collect();
        let mut table = Distinct::new();
        for _ in 0..2 {
            for (number, text) in (0..).zip(&texts) {
                assert_eq!(table.number(text.as_bytes(), usize::MAX), Some(number));
            }
        }
    }

    proptest! {
        #[test]
        fn numbers_stand_for_equal_values(values in prop::collection::vec(prop::collection::vec(0u8..3, 0..20), 0..200)) {
            let mut table = Distinct::new();
            let numbers: Vec<u32> = values.iter().map(|value| table.number(value, usize::MAX).unwrap()).collect();
            let distinct = table.into_values();
            for (value, number) in values.iter().zip(numbers) {
                prop_assert_eq!(distinct[number as usize], value.as_slice());
            }
            let mut sorted = distinct.clone();
            sorted.sort_unstable();
            sorted.dedup();
            prop_assert_eq!(sorted.len(), distinct.len());
        }
    }
}
