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
use weir_query::record::{Dictionary, TextSpan};
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
    codes: Codes,
    /// The values.
    pub(crate) dictionary: Arc<Dictionary>,
}

/// Which value each set has.
#[derive(Debug, PartialEq, Eq)]
enum Codes {
    /// All so many the first one.
    First(usize),
    /// All so many their own one, in order.
    Own(usize),
    /// As listed; [`Dictionary::MISSING`] where the set has none.
    Listed(Vec<u32>),
}

impl Codes {
    fn of(codes: Vec<u32>) -> Codes {
        if codes.iter().all(|code| *code == 0) {
            Codes::First(codes.len())
        } else if (0..).zip(&codes).all(|(at, code)| at == *code) {
            Codes::Own(codes.len())
        } else {
            Codes::Listed(codes)
        }
    }

    fn get(&self, set: usize) -> u32 {
        match self {
            Codes::First(sets) | Codes::Own(sets) if set >= *sets => Dictionary::MISSING,
            Codes::First(_) => 0,
            Codes::Own(_) => u32::try_from(set).unwrap_or(Dictionary::MISSING),
            Codes::Listed(codes) => codes.get(set).copied().unwrap_or(Dictionary::MISSING),
        }
    }
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
    values: Vec<&'a str>,
    known: HashMap<&'a str, u32, foldhash::fast::FixedState>,
}

impl<'a> Growing<'a> {
    fn push(&mut self, set: usize, value: &'a str) {
        let values = &mut self.values;
        let code = *self.known.entry(value).or_insert_with(|| {
            values.push(value);
            values.len() as u32 - 1
        });
        self.codes.resize(set, Dictionary::MISSING);
        self.codes.push(code);
    }

    /// The column over `sets` sets; it stays as long as its block, so no byte is spare.
    fn finish(mut self, name: &str, sets: usize) -> TagColumn {
        self.codes.resize(sets, Dictionary::MISSING);
        let mut arena = String::with_capacity(self.values.iter().map(|value| value.len()).sum());
        let mut spans = Vec::with_capacity(self.values.len());
        for value in self.values {
            spans.push(TextSpan { start: arena.len() as u32, len: value.len() as u32 });
            arena.push_str(value);
        }
        let dictionary = Arc::new(Dictionary::new(arena, spans));
        TagColumn { name: name.into(), codes: Codes::of(self.codes), dictionary }
    }
}

impl TagColumn {
    /// The one value that all sets have.
    pub(crate) fn constant(&self) -> Option<&str> {
        self.dictionary.text(0).filter(|_| matches!(self.codes, Codes::First(_)))
    }

    /// The value of set `set`; [`Dictionary::MISSING`] where it has none.
    pub(crate) fn code(&self, set: i64) -> u32 {
        usize::try_from(set).map_or(Dictionary::MISSING, |set| self.codes.get(set))
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
        let finished = growing.into_iter().map(|(name, column)| column.finish(name, sets));
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
                let value = column.dictionary.text(column.codes.get(set))?;
                Some((column.name.to_string(), value.to_owned()))
            });
            own.collect()
        };
        (0..self.sets).map(set).collect()
    }

    /// Bytes of memory held.
    pub(crate) fn memory_bytes(&self) -> usize {
        let column = |column: &TagColumn| {
            let codes = if let Codes::Listed(codes) = &column.codes { codes.len() } else { 0 };
            codes * size_of::<u32>() + column.dictionary.bytes() + size_of::<TagColumn>()
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
        let codes: Vec<u32> = (0..5).map(|set| b.code(set)).collect();
        let none = Dictionary::MISSING;
        assert_eq!((codes, b.dictionary.len()), (vec![none, 0, 0, none, none], 1));
        assert!(read.get("#d").is_none());
        for len in 0..bytes.len() {
            assert!(TagColumns::read(&bytes[..len]).is_err(), "cut at {len}");
        }
        let every = vec![tags(&[("#a", "1"), ("#b", "x")]), tags(&[("#a", "2"), ("#b", "x")])];
        bytes.clear();
        write(&every, &mut bytes);
        let read = TagColumns::read(&bytes).unwrap();
        assert_eq!(read.sets(), every);
        let codes = |name| &read.get(name).unwrap().codes;
        assert_eq!((codes("#a"), codes("#b")), (&Codes::Own(2), &Codes::First(2)));
        let beyond = |name| [1, 2, -1].map(|set| read.get(name).unwrap().code(set));
        assert_eq!((beyond("#a"), beyond("#b")), ([1, none, none], [0, none, none]));
        assert_eq!(read.get("#b").unwrap().constant(), Some("x"));
        let mut twice = Vec::new();
        write(&[tags(&[("#a", "1"), ("#a", "2")])], &mut twice);
        assert!(TagColumns::read(&twice).is_err());
    }
}
