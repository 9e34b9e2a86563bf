//! The keys of a block: which of its granules may have a tag with a value, for tags with too many values to list them.
//!
//! A key is a hash of a name and a value with the number of a granule below it. The keys of a block are one ascending
//! list, kept as Elias has it (Efficient storage and retrieval by content and address of static files, 1974; Fano too):
//! the low bits of each packed, and its high bits as the number of zeros before its one in a bitmap. That is some 14
//! bits a key in a full block, and a value is found by counting bits, without a look at the block itself.
//!
//! ```text
//! keys   | checksum u32 | count u32 | low bits, packed | high bits: a zero for each step up, a one for each key |
//! ```

use xxhash_rust::xxh3::xxh3_64;

use crate::store::block::bits;
use crate::store::block::wire::Reader;

/// Bits of the hash. A granule of 1,024 values is taken for one that has some other value once in 4,096 times.
const HASH_BITS: u32 = 22;
/// Bits of the number of a granule: a block has at most 64.
const GRANULE_BITS: u32 = 6;
const KEY_BITS: u32 = HASH_BITS + GRANULE_BITS;
/// Checksum and count.
const HEAD_BYTES: usize = 8;
/// Most keys of a block, some 16 tags with a value of their own in every row. Of more it has none: then any granule may
/// have any value.
const KEYS_MAX: usize = 1 << 20;
/// Most tags of all sets that keys are made of: as many as a block may have.
const HASHES_MAX: usize = 1 << 22;
/// What stands for keys that are too many: no keys, and none of the first version either, where none are written.
const TOO_MANY: u8 = 0;

/// The hash of tag `name`, `#` included, with this value.
pub(crate) fn hash(name: &str, value: &str) -> u32 {
    (xxh3_64([name, value].join("=").as_bytes()) >> (64 - HASH_BITS)) as u32
}

/// The key of a value with this hash in granule `granule`.
fn key(hash: u32, granule: usize) -> u32 {
    hash << GRANULE_BITS | granule as u32 & ((1 << GRANULE_BITS) - 1)
}

/// The keys of rows that have sets of tags, from the first row of a granule on: `sets` gives the hashes of the tags of
/// each set, `rows` the number of the set of each row. In order, each once; `None`: they are too many.
pub(crate) fn of_rows<H: IntoIterator<Item = u32>>(
    sets: impl Iterator<Item = H>,
    rows: impl Iterator<Item = usize>,
    granule_rows: usize,
) -> Option<Vec<u32>> {
    // The hashes of all sets, and where those of each end.
    let (mut hashes, mut ends) = (Vec::new(), Vec::new());
    for set in sets {
        hashes.extend(set);
        ends.push(hashes.len());
        if hashes.len() > HASHES_MAX {
            return None;
        }
    }
    let mut keys = Vec::new();
    let mut last = vec![usize::MAX; ends.len()];
    for (row, set) in rows.enumerate() {
        let granule = row / granule_rows;
        // Each set once a granule.
        if last.get_mut(set).is_none_or(|last| std::mem::replace(last, granule) == granule) {
            continue;
        }
        let start = set.checked_sub(1).map_or(Some(&0), |before| ends.get(before));
        let range = start.zip(ends.get(set)).map(|(start, end)| *start..*end);
        let own = range.and_then(|range| hashes.get(range)).unwrap_or_default();
        keys.extend(own.iter().map(|hash| key(*hash, granule)));
        // Values that several sets have are one key, which shows when keys are put in order.
        if keys.len() > 2 * KEYS_MAX && !settle(&mut keys) {
            return None;
        }
    }
    settle(&mut keys).then_some(keys)
}

/// Puts keys in order, each once; false when they are too many.
fn settle(keys: &mut Vec<u32>) -> bool {
    keys.sort_unstable();
    keys.dedup();
    keys.len() <= KEYS_MAX
}

/// Bits of a key that are packed, where there are so many.
fn low_bits(count: usize) -> u32 {
    ((1u64 << KEY_BITS) / count.max(1) as u64).checked_ilog2().unwrap_or(0)
}

/// Appends what [`of_rows`] made; nothing where there are no keys.
pub(crate) fn write(keys: Option<&[u32]>, out: &mut Vec<u8>) {
    let Some(keys) = keys else { return out.push(TOO_MANY) };
    if keys.is_empty() {
        return;
    }
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&(keys.len() as u32).to_le_bytes());
    let width = low_bits(keys.len());
    let low: Vec<u64> = keys.iter().map(|key| u64::from(*key)).collect();
    bits::pack(&low, width, out);
    let mut high = vec![0u64; (((1usize << KEY_BITS) >> width) + keys.len()).div_ceil(64)];
    for (before, key) in keys.iter().enumerate() {
        let at = (key >> width) as usize + before;
        if let Some(word) = high.get_mut(at / 64) {
            *word |= 1 << (at % 64);
        }
    }
    high.iter().for_each(|word| out.extend_from_slice(&word.to_le_bytes()));
    let sum = checksum(out.get(start + 4..).unwrap_or_default());
    if let Some(slot) = out.get_mut(start..start + 4) {
        slot.copy_from_slice(&sum.to_le_bytes());
    }
}

fn checksum(bytes: &[u8]) -> u32 {
    // A fuzzer never guesses a checksum: it is to get at what lies behind.
    if cfg!(fuzzing) { 0 } else { crc32c::crc32c(bytes) }
}

/// Keys that are being read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keys<'a> {
    count: usize,
    width: u32,
    low: &'a [u8],
    high: &'a [u8],
}

impl<'a> Keys<'a> {
    /// Takes apart what [`write`] wrote, which is compared with its checksum where `is_sound` does not say that it was;
    /// `None` when it is something else: then any granule may have anything.
    pub(crate) fn read(bytes: &'a [u8], is_sound: bool) -> Option<Keys<'a>> {
        let mut reader = Reader::new(bytes);
        let sum = reader.u32().ok()?;
        if !is_sound && checksum(bytes.get(4..)?) != sum {
            return None;
        }
        let count = reader.u32().ok()? as usize;
        let width = low_bits(count);
        let low_bytes = count.checked_mul(width as usize)?.div_ceil(8);
        let (low, high) = bytes.get(HEAD_BYTES..)?.split_at_checked(low_bytes)?;
        Some(Keys { count, width, low, high })
    }

    /// The granules that may have a value with this hash.
    pub(crate) fn granules(&self, hash: u32) -> u64 {
        let first = hash << GRANULE_BITS;
        let last = first | ((1 << GRANULE_BITS) - 1);
        let mut high = first >> self.width;
        let mut at = self.behind_zeros(high as usize);
        let mut before = at - high as usize;
        let mut granules = 0;
        while high <= last >> self.width && before < self.count {
            let Some(byte) = self.high.get(at / 8) else { break };
            if byte >> (at % 8) & 1 == 0 {
                high += 1;
            } else {
                let key = high << self.width | self.low(before);
                if (first..=last).contains(&key) {
                    granules |= 1 << (key & ((1 << GRANULE_BITS) - 1));
                }
                before += 1;
            }
            at += 1;
        }
        granules
    }

    /// Where the high bits are that stand behind the first `zeros` zeros; at their end where there are fewer.
    fn behind_zeros(&self, zeros: usize) -> usize {
        let (mut left, mut at) = (zeros, 0);
        for word in self.high.chunks_exact(8) {
            let word = word.first_chunk().map_or(u64::MAX, |word| u64::from_le_bytes(*word));
            let own = word.count_zeros() as usize;
            if own >= left {
                // With the zeros before the last one that is asked for taken away, that is the first.
                let word = (1..left).fold(word, |word, _| word | word.wrapping_add(1));
                return if left == 0 { at } else { at + word.trailing_ones() as usize + 1 };
            }
            left -= own;
            at += 64;
        }
        // Not before so many zeros as were asked for: whoever asked counts the ones by it.
        at.max(zeros)
    }

    /// The low bits of key `at`.
    fn low(&self, at: usize) -> u32 {
        let bit = at * self.width as usize;
        let bytes = self.low.get(bit / 8..).unwrap_or_default();
        let word = match bytes.first_chunk() {
            Some(word) => u64::from_le_bytes(*word),
            None => bytes.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)),
        };
        (word >> (bit % 8)) as u32 & (((1u64 << self.width) - 1) as u32)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(keys: &[u32]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut keys = keys.to_vec();
        settle(&mut keys);
        write(Some(&keys), &mut out);
        out
    }

    proptest! {
        #[test]
        fn each_key_is_found_and_no_other(
            pairs in prop::collection::vec((prop_oneof![0u32..40, 0u32..1 << HASH_BITS, Just((1 << HASH_BITS) - 1)], 0usize..64), 1..400),
            other in 0u32..1 << HASH_BITS,
        ) {
            let bytes = written(&pairs.iter().map(|(hash, granule)| key(*hash, *granule)).collect::<Vec<_>>());
            let keys = Keys::read(&bytes, false).unwrap();
            for hash in pairs.iter().map(|pair| pair.0).chain([other, 0, (1 << HASH_BITS) - 1]) {
                let own = pairs.iter().filter(|pair| pair.0 == hash);
                let expected = own.fold(0u64, |granules, (_, granule)| granules | 1 << granule);
                prop_assert_eq!(keys.granules(hash), expected, "{}", hash);
            }
        }

        #[test]
        fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), hash in 0u32..1 << HASH_BITS) {
            if let Some(keys) = Keys::read(&bytes, true) {
                keys.granules(hash);
            }
        }
    }

    #[test]
    fn keys_that_are_too_many_are_none_and_nothing_is_told_of_them() {
        // A set of so many tags in every granule.
        let of = |tags: u32, rows: usize| {
            let sets =
                std::iter::once((0..tags).map(|tag| tag.wrapping_mul(0x9e37_79b1) >> (32 - HASH_BITS)));
            of_rows(sets, std::iter::repeat_n(0, rows), 1)
        };
        assert_eq!(of(1 << 10, 64).map(|keys| keys.len() <= 1 << 16), Some(true));
        assert!(of(1 << 15, 32).is_some() && of(1 << 15, 64).is_none(), "in all");
        assert!(of(HASHES_MAX as u32 + 1, 1).is_none(), "of one set");
        let mut out = Vec::new();
        write(None, &mut out);
        assert!(out.len() == 1 && Keys::read(&out, false).is_none() && Keys::read(&out, true).is_none());
    }

    #[test]
    fn a_full_block_takes_some_14_bits_a_key() {
        assert!(written(&[]).is_empty());
        let hashes = (0..65_536).map(|value| hash("#device", &format!("dev-{value}")));
        let keys: Vec<u32> = (0..).zip(hashes).map(|(row, hash)| key(hash, row / 1_024)).collect();
        let bytes = written(&keys);
        assert!(bytes.len() * 8 < 65_536 * 15, "{} bytes", bytes.len());
        let keys = Keys::read(&bytes, false).unwrap();
        for value in (0..65_536).step_by(97) {
            assert!(keys.granules(hash("#device", &format!("dev-{value}"))) >> (value / 1_024) & 1 == 1);
        }
        let others = (65_536..75_536).map(|value| keys.granules(hash("#device", &format!("dev-{value}"))));
        let granules: u32 = others.map(u64::count_ones).sum();
        assert!(granules < 10_000 * 64 / 3_000, "{granules} granules for nothing");
        let mut damaged = bytes.clone();
        for at in (0..bytes.len()).step_by(991) {
            damaged[at] ^= 4;
            assert!(Keys::read(&damaged, false).is_none());
            damaged[at] ^= 4;
        }
        assert!((0..20).all(|len| Keys::read(&bytes[..len], false).is_none()));
    }
}
