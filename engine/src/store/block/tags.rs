//! The tags of a block: its different sets of tags, and each tag as a column over them.
//!
//! ```text
//! section := sets: count, each {tags: count, each name text, value text}
//! ```
//!
//! Rows have the number of their set. A tag with many values makes many sets, so they are read when a tag is asked for,
//! once, and as columns: a dictionary of the values of a tag, and a code for each set.

use std::sync::Arc;

use hashbrown::HashMap;
use weir_query::record::Dictionary;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::BLOCK_ROWS_MAX;
use super::gather::Tags;
use super::wire::{Corrupt, Reader, put_bytes, put_varint};

/// Most different tag sets of a block: no more than rows.
const TAG_SETS_MAX: usize = BLOCK_ROWS_MAX;

/// Most sets times names of tags of a block that has more than one row: every tag is a column over all sets.
pub(crate) const TAG_CELLS_MAX: usize = 1 << 22;

/// Bytes of an [`index_key`]: 21 windows of the gram index. A granule of ids and numbers has two thirds of all grams, so
/// that four windows would leave every fifth granule, and these one of five hundred.
pub(crate) const INDEX_KEY_BYTES: usize = 24;

/// What stands in the gram index for a tag with this value, besides the text of the value: bytes that depend on all of
/// name and value. A value may be short, or have all its grams in common with others; its key has not. No byte is ASCII,
/// so that no text is taken for it and none of its windows for digits.
pub(crate) fn index_key(name: &str, value: &str) -> [u8; INDEX_KEY_BYTES] {
    let tag = [name, value].join("=");
    let mut key = [0; INDEX_KEY_BYTES];
    for (seed, bytes) in (0..).zip(key.chunks_exact_mut(8)) {
        bytes.copy_from_slice(&xxh3_64_with_seed(tag.as_bytes(), seed).to_le_bytes());
    }
    key.map(|byte| byte | 0x80)
}

/// The sets of tags of a block, a column a tag.
#[derive(Debug, Default)]
pub(crate) struct TagColumns {
    sets: usize,
    columns: Vec<TagColumn>,
}

/// One tag over the sets of a block.
#[derive(Debug)]
pub(crate) struct TagColumn {
    /// Its name, `#` included.
    pub(crate) name: Arc<str>,
    /// The value of each set; [`Dictionary::MISSING`] where the set has none.
    pub(crate) codes: Vec<u32>,
    /// The values.
    pub(crate) dictionary: Arc<Dictionary>,
}

/// Appends `sets`.
pub(crate) fn write(sets: &[Tags], out: &mut Vec<u8>) {
    put_varint(out, sets.len() as u64);
    for tags in sets {
        put_varint(out, tags.len() as u64);
        for (name, value) in tags {
            put_bytes(out, name.as_bytes());
            put_bytes(out, value.as_bytes());
        }
    }
}

/// A tag that is being read.
#[derive(Default)]
struct Growing<'a> {
    codes: Vec<u32>,
    dictionary: Dictionary,
    known: HashMap<&'a str, u32, foldhash::fast::FixedState>,
}

impl<'a> Growing<'a> {
    fn push(&mut self, set: usize, value: &'a str) {
        let dictionary = &mut self.dictionary;
        let code = *self.known.entry(value).or_insert_with(|| dictionary.push(value));
        self.codes.resize(set, Dictionary::MISSING);
        self.codes.push(code);
    }
}

impl TagColumn {
    /// The one value that all sets have.
    pub(crate) fn constant(&self) -> Option<&str> {
        let all = self.dictionary.len() == 1 && !self.codes.contains(&Dictionary::MISSING);
        self.dictionary.text(0).filter(|_| all)
    }

    /// The value of set `set`.
    pub(crate) fn code(&self, set: i64) -> u32 {
        let code = usize::try_from(set).ok().and_then(|set| self.codes.get(set));
        code.copied().unwrap_or(Dictionary::MISSING)
    }
}

impl TagColumns {
    /// Reads what [`write`] wrote.
    pub(crate) fn read(bytes: &[u8]) -> Result<TagColumns, Corrupt> {
        let mut reader = Reader::new(bytes);
        let sets = reader.count(TAG_SETS_MAX)?;
        let mut growing: Vec<(&str, Growing<'_>)> = Vec::new();
        let mut known: HashMap<&str, usize, foldhash::fast::FixedState> = HashMap::default();
        for set in 0..sets {
            for _ in 0..reader.count_here()? {
                let (name, value) = (reader.text()?, reader.text()?);
                let at = *known.entry(name).or_insert_with(|| {
                    growing.push((name, Growing::default()));
                    growing.len() - 1
                });
                if sets > 1 && sets.saturating_mul(growing.len()) > TAG_CELLS_MAX {
                    return Err(Corrupt("more tags than a block may have"));
                }
                let Some((_, column)) = growing.get_mut(at) else { continue };
                if column.codes.len() > set {
                    return Err(Corrupt("tag twice in a set"));
                }
                column.push(set, value);
            }
        }
        let finished = growing.into_iter().map(|(name, mut column)| {
            column.codes.resize(sets, Dictionary::MISSING);
            TagColumn { name: name.into(), codes: column.codes, dictionary: Arc::new(column.dictionary) }
        });
        let mut columns: Vec<TagColumn> = finished.collect();
        columns.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(TagColumns { sets, columns })
    }

    /// The tag `name`, `#` included; `None` when no set has it.
    pub(crate) fn get(&self, name: &str) -> Option<&TagColumn> {
        let at = self.columns.binary_search_by(|column| (*column.name).cmp(name)).ok()?;
        self.columns.get(at)
    }

    /// The names of all tags, in order.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|column| &*column.name)
    }

    /// The sets as they were written, tags in order of their names.
    pub(crate) fn sets(&self) -> Vec<Tags> {
        let set = |set: usize| {
            let own = self.columns.iter().filter_map(move |column| {
                let value = column.dictionary.text(*column.codes.get(set)?)?;
                Some((column.name.to_string(), value.to_owned()))
            });
            own.collect()
        };
        (0..self.sets).map(set).collect()
    }

    /// Bytes of memory held.
    pub(crate) fn memory_bytes(&self) -> usize {
        let column = |column: &TagColumn| {
            let dictionary = &column.dictionary;
            column.codes.len() * size_of::<u32>() + dictionary.bytes() + size_of::<TagColumn>()
        };
        self.columns.iter().map(column).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(pairs: &[(&str, &str)]) -> Tags {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn sets_come_back() {
        let sets = vec![
            tags(&[]),
            tags(&[("#a", "1"), ("#b", "x")]),
            tags(&[("#b", "x")]),
            tags(&[("#a", "2"), ("#c", "")]),
        ];
        let mut bytes = Vec::new();
        write(&sets, &mut bytes);
        let read = TagColumns::read(&bytes).unwrap();
        assert_eq!(read.sets(), sets);
        assert_eq!(read.names().collect::<Vec<_>>(), ["#a", "#b", "#c"]);
        let b = read.get("#b").unwrap();
        assert_eq!(
            (b.codes.as_slice(), b.dictionary.len()),
            (&[Dictionary::MISSING, 0, 0, Dictionary::MISSING][..], 1)
        );
        assert!(read.get("#d").is_none());
        for len in 0..bytes.len() {
            assert!(TagColumns::read(&bytes[..len]).is_err(), "cut at {len}");
        }
        let mut twice = Vec::new();
        write(&[tags(&[("#a", "1"), ("#a", "2")])], &mut twice);
        assert!(TagColumns::read(&twice).is_err());
    }
}
