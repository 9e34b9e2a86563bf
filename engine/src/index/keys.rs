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
/// What stands for keys that are too many, or did not come back: no keys, and none of the first version either, where
/// none are written.
const NO_KEYS: u8 = 0;
/// Its length.
pub(crate) const NO_KEYS_BYTES: u32 = 1;
/// So many sets of tags are looked up as a search does when keys are read back.
const SEARCHED: usize = 16;
/// So many keys are looked at without asking whether they may be the wanted one.
const NEAR: usize = 4;
/// Tags up to this length are put together without memory of their own.
const SHORT_BYTES: usize = 128;

/// The hash of tag `name`, `#` included, with this value.
pub(crate) fn hash(name: &str, value: &str) -> u32 {
    // Sealing hashes every value of such tags: most need no memory for it.
    let mut tag = [0; SHORT_BYTES];
    let hash = match put_tag(&mut tag, name.as_bytes(), value.as_bytes()) {
        Some(tag) => xxh3_64(tag),
        None => xxh3_64([name, value].join("=").as_bytes()),
    };
    (hash >> (64 - HASH_BITS)) as u32
}

/// `name=value` in `tag`, where there is room for it.
fn put_tag<'t>(tag: &'t mut [u8; SHORT_BYTES], name: &[u8], value: &[u8]) -> Option<&'t [u8]> {
    let (before, behind) = tag.split_at_mut_checked(name.len())?;
    let (sign, behind) = behind.split_first_mut()?;
    behind.get_mut(..value.len())?.copy_from_slice(value);
    before.copy_from_slice(name);
    *sign = b'=';
    tag.get(..name.len() + 1 + value.len())
}

/// The key of a value with this hash in granule `granule`.
fn key(hash: u32, granule: usize) -> u32 {
    hash << GRANULE_BITS | granule as u32 & ((1 << GRANULE_BITS) - 1)
}

/// Appends the keys of rows that have sets of tags, from the first row of a granule on: `sets` gives the hashes of the
/// tags of each set, `rows` the number of the set of each row. Nothing where no set has a tag. What was written is read
/// back: where it does not admit every value, and where keys would be too many, [`NO_KEYS`] stands for them.
pub(crate) fn write<H: IntoIterator<Item = u32>>(
    sets: impl Iterator<Item = H>,
    rows: impl Iterator<Item = usize> + Clone,
    granule_rows: usize,
    out: &mut Vec<u8>,
) {
    let Some(sets) = SetHashes::of(sets) else { return out.push(NO_KEYS) };
    if sets.hashes.is_empty() {
        return;
    }
    let Some(keys) = sets.keys(rows.clone(), granule_rows) else { return out.push(NO_KEYS) };
    let start = out.len();
    put(&keys, out);
    #[cfg(test)]
    if let Some(fault) = FAULT.get() {
        fault(keys, start, out);
    }
    let written = Keys::read(out.get(start..).unwrap_or_default(), false);
    if !written.is_some_and(|written| sets.are_in(&written, rows, granule_rows)) {
        tracing::warn!("keys of tags did not come back as they were; the block is written without them");
        out.truncate(start);
        out.push(NO_KEYS);
    }
}

/// Whether `keys` admit every value of the rows that have sets of tags; both are as [`write`] takes them.
pub(crate) fn admit<H: IntoIterator<Item = u32>>(
    keys: &Keys<'_>,
    sets: impl Iterator<Item = H>,
    rows: impl Iterator<Item = usize>,
    granule_rows: usize,
) -> bool {
    SetHashes::of(sets).is_none_or(|sets| sets.are_in(keys, rows, granule_rows))
}

/// What a test does to a list of these keys, which begins here, before it is read back.
#[cfg(test)]
type Fault = fn(Vec<u32>, usize, &mut Vec<u8>);

#[cfg(test)]
thread_local! {
    pub(crate) static FAULT: std::cell::Cell<Option<Fault>> = const { std::cell::Cell::new(None) };
}

/// The hashes of the tags of all sets.
struct SetHashes {
    hashes: Vec<u32>,
    /// Where those of each set end.
    ends: Vec<usize>,
}

impl SetHashes {
    /// `None`: they are too many.
    fn of<H: IntoIterator<Item = u32>>(sets: impl Iterator<Item = H>) -> Option<SetHashes> {
        let (mut hashes, mut ends) = (Vec::new(), Vec::new());
        for set in sets {
            hashes.extend(set);
            ends.push(hashes.len());
            if hashes.len() > HASHES_MAX {
                return None;
            }
        }
        Some(SetHashes { hashes, ends })
    }

    /// Those of set `set`.
    fn get(&self, set: usize) -> &[u32] {
        let start = set.checked_sub(1).map_or(Some(&0), |before| self.ends.get(before));
        let range = start.zip(self.ends.get(set)).map(|(start, end)| *start..*end);
        range.and_then(|range| self.hashes.get(range)).unwrap_or_default()
    }

    /// The keys of rows, in order, each once; `None`: they are too many.
    fn keys(&self, rows: impl Iterator<Item = usize>, granule_rows: usize) -> Option<Vec<u32>> {
        let mut keys = Vec::new();
        let mut last = vec![usize::MAX; self.ends.len()];
        for (row, set) in rows.enumerate() {
            let granule = row / granule_rows;
            // Each set once a granule.
            if last.get_mut(set).is_none_or(|last| std::mem::replace(last, granule) == granule) {
                continue;
            }
            keys.extend(self.get(set).iter().map(|hash| key(*hash, granule)));
            // Values that several sets have are one key, which shows when keys are put in order.
            if keys.len() > 2 * KEYS_MAX && !settle(&mut keys) {
                return None;
            }
        }
        settle(&mut keys).then_some(keys)
    }

    /// Whether `keys` admit every value of every row. Told another way than [`SetHashes::keys`] makes them, and so a check
    /// of it: by the granules of each set.
    fn are_in(&self, keys: &Keys<'_>, rows: impl Iterator<Item = usize>, granule_rows: usize) -> bool {
        let mut granules = vec![0u64; self.ends.len()];
        for (row, set) in rows.enumerate() {
            if let Some(granules) = granules.get_mut(set) {
                *granules |= 1 << (row / granule_rows % (1 << GRANULE_BITS));
            }
        }
        let opened = keys.open();
        let step = (granules.len() / SEARCHED).max(1);
        (0..).zip(granules).all(|(set, wanted)| {
            let own = self.get(set);
            // A search finds its way in by counting, which takes longer: some go it, too.
            let is_found =
                set % step > 0 || own.first().is_none_or(|hash| keys.granules(*hash) & wanted == wanted);
            is_found && own.iter().all(|hash| opened.admit(*hash, wanted))
        })
    }
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

/// How many words the high bits of so many keys take, each of so many low bits.
fn high_words(count: usize, width: u32) -> Option<usize> {
    Some(((1usize << KEY_BITS) >> width).checked_add(count)?.div_ceil(64))
}

/// Appends the list of `keys`, which are in order.
fn put(keys: &[u32], out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&(keys.len() as u32).to_le_bytes());
    let width = low_bits(keys.len());
    let low: Vec<u64> = keys.iter().map(|key| u64::from(*key)).collect();
    bits::pack(&low, width, out);
    let mut high = vec![0u64; high_words(keys.len(), width).unwrap_or(0)];
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

/// The checksum that a list says it has; `None` where no list stands.
pub(crate) fn checksum_of(list: &[u8]) -> Option<u32> {
    list.first_chunk().filter(|_| list.len() >= HEAD_BYTES).map(|sum| u32::from_le_bytes(*sum))
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
        let is_whole = count > 0 && high_words(count, width)?.checked_mul(8) == Some(high.len());
        is_whole.then_some(Keys { count, width, low, high })
    }

    /// Takes all keys out of the list: for whoever looks up more than a few.
    fn open(&self) -> Opened {
        let mut keys = Vec::with_capacity(self.count);
        let mut starts = Vec::with_capacity((1 << KEY_BITS) >> self.width);
        for (first, word) in (0..).step_by(64).zip(self.high.chunks_exact(8)) {
            let mut ones = word.first_chunk().map_or(0, |word| u64::from_le_bytes(*word));
            while ones != 0 && keys.len() < self.count {
                let before = keys.len();
                let high = first + ones.trailing_zeros() as usize - before;
                ones &= ones - 1;
                starts.resize((high + 1).max(starts.len()), before as u32);
                keys.push((high << self.width) as u32 | self.low(before));
            }
        }
        Opened { width: self.width, keys, starts }
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

/// The keys of a list, all taken out of it.
struct Opened {
    width: u32,
    keys: Vec<u32>,
    /// For each value of the high bits, up to the last one that there is: where the first key that has no lower one stands.
    starts: Vec<u32>,
}

impl Opened {
    /// Whether they have a value with this hash in all of the wanted granules.
    fn admit(&self, hash: u32, wanted: u64) -> bool {
        let start = self.start(hash);
        let Some(near) = self.keys.get(start..start + NEAR) else {
            return self.granules(hash) & wanted == wanted;
        };
        // No branch hangs on which of them it is, so that the next one is looked up meanwhile.
        let mask = (1 << GRANULE_BITS) - 1;
        let found =
            near.iter().fold(0, |all, key| all | u64::from(key >> GRANULE_BITS == hash) << (key & mask));
        found & wanted == wanted || self.granules(hash) & wanted == wanted
    }

    /// Where the keys of values with this hash may begin.
    fn start(&self, hash: u32) -> usize {
        let high = (hash << GRANULE_BITS) >> self.width;
        self.starts.get(high as usize).map_or(self.keys.len(), |at| *at as usize)
    }

    /// As [`Keys::granules`].
    fn granules(&self, hash: u32) -> u64 {
        let first = hash << GRANULE_BITS;
        let last = first | ((1 << GRANULE_BITS) - 1);
        let near = self.keys.get(self.start(hash)..).unwrap_or_default().iter();
        let own = near.skip_while(|key| **key < first).take_while(|key| **key <= last);
        own.fold(0, |granules, key| granules | 1 << (key & ((1 << GRANULE_BITS) - 1)))
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
        put(&keys, &mut out);
        out
    }

    /// What is written of rows in granules of one, each with a set of tags, which have these hashes.
    fn of_rows(sets: &[&[u32]], rows: &[usize]) -> Vec<u8> {
        let mut out = Vec::new();
        let sets = sets.iter().map(|set| set.iter().copied());
        write(sets, rows.iter().copied(), 1, &mut out);
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
                let opened = keys.open();
                prop_assert_eq!(opened.granules(hash), expected, "{}", hash);
                for granule in 0..64 {
                    let wanted = expected ^ 1 << granule;
                    prop_assert_eq!(opened.admit(hash, wanted), wanted & !expected == 0, "{}", hash);
                }
                prop_assert!(opened.admit(hash, expected));
            }
        }

        #[test]
        fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), hash in 0u32..1 << HASH_BITS) {
            if let Some(keys) = Keys::read(&bytes, true) {
                keys.granules(hash);
                keys.open().granules(hash);
            }
        }

        #[test]
        fn what_is_written_of_rows_admits_each_of_their_values(
            sets in prop::collection::vec(prop::collection::vec(0u32..1 << HASH_BITS, 0..4), 1..40),
            rows in prop::collection::vec(0usize..40, 0..200),
        ) {
            let rows: Vec<usize> = rows.into_iter().map(|set| set % sets.len()).collect();
            let mut out = Vec::new();
            write(sets.iter().cloned(), rows.iter().copied(), 3, &mut out);
            let used = rows.iter().flat_map(|set| &sets[*set]).next().is_some();
            let keys = Keys::read(&out, false);
            prop_assert_eq!(keys.is_some(), used);
            for (row, set) in rows.iter().enumerate() {
                for hash in &sets[*set] {
                    prop_assert!(keys.unwrap().granules(*hash) >> (row / 3 % 64) & 1 == 1);
                }
            }
        }
    }

    #[test]
    fn a_list_that_does_not_come_back_is_none() {
        const SETS: &[&[u32]] = &[&[7, 9], &[9, 1 << 21], &[77]];
        const ROWS: &[usize] = &[0, 1, 1, 2, 0];
        let anew = |keys: &[u32], start: usize, out: &mut Vec<u8>| {
            out.truncate(start);
            put(keys, out);
        };
        let sound = of_rows(SETS, ROWS);
        assert!(Keys::read(&sound, false).is_some());
        let faults: [(&str, Fault); 7] = [
            ("the first key is lacking", |keys, start, out| {
                out.truncate(start);
                put(&keys[1..], out);
            }),
            ("the last key is lacking", |keys, start, out| {
                out.truncate(start);
                put(&keys[..keys.len() - 1], out);
            }),
            ("a key is of another granule", |mut keys, start, out| {
                keys[2] ^= 1 << 5;
                settle(&mut keys);
                out.truncate(start);
                put(&keys, out);
            }),
            ("keys are out of order", |mut keys, start, out| {
                keys.swap(1, 4);
                out.truncate(start);
                put(&keys, out);
            }),
            ("a bit is another", |_, start, out| out[start + HEAD_BYTES] ^= 1),
            ("bytes are lacking", |_, _, out| out.truncate(out.len() - 8)),
            ("bytes are too many", |_, _, out| out.push(0)),
        ];
        for (what, fault) in faults {
            FAULT.set(Some(fault));
            let written = of_rows(SETS, ROWS);
            FAULT.set(None);
            assert_eq!(written, [NO_KEYS], "{what}");
        }
        // One that admits more than there is loses nothing.
        let mut more = Vec::new();
        anew(&[key(7, 0), key(7, 4), key(8, 1)], 0, &mut more);
        let sets = || [[7u32]].into_iter();
        assert!(admit(&Keys::read(&more, false).unwrap(), sets(), [0, 9, 9, 9, 0].into_iter(), 1));
        assert!(!admit(&Keys::read(&more, false).unwrap(), sets(), [0, 0].into_iter(), 1));
    }

    #[test]
    fn long_and_short_tags_have_the_hash_of_their_text() {
        for len in [0, 1, 60, SHORT_BYTES - 4, SHORT_BYTES - 3, SHORT_BYTES - 2, SHORT_BYTES, 500] {
            let value = "v".repeat(len);
            let whole = xxh3_64(format!("#n={value}").as_bytes()) >> (64 - HASH_BITS);
            assert_eq!(u64::from(hash("#n", &value)), whole, "{len}");
            let whole = xxh3_64(format!("{value}=x").as_bytes()) >> (64 - HASH_BITS);
            assert_eq!(u64::from(hash(&value, "x")), whole, "{len}");
        }
    }

    #[test]
    fn rows_without_tags_have_no_keys() {
        assert!(of_rows(&[], &[]).is_empty() && of_rows(&[&[]], &[0, 0]).is_empty());
        assert_eq!(of_rows(&[&[1]], &[]), [NO_KEYS], "of a set that no row has nothing is told");
    }

    #[test]
    fn keys_that_are_too_many_are_none_and_nothing_is_told_of_them() {
        // A set of so many tags in every granule.
        let of = |tags: u32, rows: usize| {
            let sets =
                std::iter::once((0..tags).map(|tag| tag.wrapping_mul(0x9e37_79b1) >> (32 - HASH_BITS)));
            let mut out = Vec::new();
            write(sets, std::iter::repeat_n(0, rows), 1, &mut out);
            Keys::read(&out, false).map(|keys| keys.count)
        };
        assert!(of(1 << 10, 64).is_some_and(|keys| keys <= 1 << 16));
        assert!(of(1 << 15, 32).is_some() && of(1 << 15, 64).is_none(), "in all");
        assert!(of(HASHES_MAX as u32 + 1, 1).is_none(), "of one set");
        assert!(Keys::read(&[NO_KEYS], false).is_none() && Keys::read(&[NO_KEYS], true).is_none());
    }

    #[test]
    fn a_full_block_takes_some_14_bits_a_key() {
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
