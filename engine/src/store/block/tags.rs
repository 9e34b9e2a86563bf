//! The different sets of tags of a block, each with its tags by name. Rows have the number of their set.
//!
//! A tag with many values makes as many sets as there are rows. So they are written as rows of texts are: a part, in which
//! a set is a row and a tag a column, typed as any other; [`super::tagged`] reads of it what is asked for. Blocks of the
//! first version have them as texts, which are read when a tag is asked for, once, as [`TagColumns`].
//!
//! ```text
//! first version   section := sets: count, each {tags: count, each name text, value text}
//! now             sets: count, part
//! ```

use std::sync::Arc;

use hashbrown::HashMap;
use weir_query::record::{Dictionary, TextSpan};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::BLOCK_ROWS_MAX;
use super::facts::BlockFacts;
use super::part::{Part, PartInput};
use super::section::{Body, Directory, SECTION_BYTES_MAX};
use super::wire::{Corrupt, Reader, put_bytes, put_varint};
use crate::index::keys;

/// Most different tag sets of a block: no more than rows.
const TAG_SETS_MAX: usize = BLOCK_ROWS_MAX;

/// Most sets times names of tags of a block that has more than one row: a tag may be a column over all sets.
pub(crate) const TAG_CELLS_MAX: usize = 1 << 22;

/// Bytes of an [`index_key`]: 21 windows of the gram index.
pub(crate) const INDEX_KEY_BYTES: usize = 24;

/// What stands in the gram index of older blocks for a tag with this value, besides the text of the value: bytes that
/// depend on all of name and value. No byte is ASCII, so that no text is taken for it and none of its windows for digits.
/// Blocks have lists of their own for that now, see [`crate::index::keys`]: grams of a thousand keys a granule left little that
/// an index could tell of anything else.
pub(crate) fn index_key(name: &str, value: &str) -> [u8; INDEX_KEY_BYTES] {
    let tag = [name, value].join("=");
    let mut key = [0; INDEX_KEY_BYTES];
    for (seed, bytes) in (0..).zip(key.chunks_exact_mut(8)) {
        bytes.copy_from_slice(&xxh3_64_with_seed(tag.as_bytes(), seed).to_le_bytes());
    }
    key.map(|byte| byte | 0x80)
}

/// Sets of tags. There may be as many as rows, so all lie in one piece of memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TagSets {
    /// Each set as [`put_tag`] appends its tags.
    texts: Vec<u8>,
    ends: Vec<u32>,
}

/// Appends a tag, its name with the `#`, to a set of them.
pub(crate) fn put_tag(set: &mut Vec<u8>, name: &str, value: &str) {
    put_bytes(set, name.as_bytes());
    put_bytes(set, value.as_bytes());
}

/// The tags that were put into `set`.
fn tags_in(set: &[u8]) -> impl Iterator<Item = (&str, &str)> {
    let mut reader = Reader::new(set);
    std::iter::from_fn(move || Some((reader.text().ok()?, reader.text().ok()?)))
}

impl TagSets {
    /// How many sets.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Set `set`, as it was added; empty when there is none.
    pub(crate) fn get(&self, set: usize) -> &[u8] {
        let start = set.checked_sub(1).map_or(Some(&0), |before| self.ends.get(before));
        let range = start.zip(self.ends.get(set)).map(|(start, end)| *start as usize..*end as usize);
        range.and_then(|range| self.texts.get(range)).unwrap_or_default()
    }

    /// Names and values of set `set`.
    pub(crate) fn tags(&self, set: usize) -> impl Iterator<Item = (&str, &str)> {
        tags_in(self.get(set))
    }

    /// The hashes of the tags of each set whose values `facts` does not list, and the numbers of the sets of rows, which have
    /// these `codes`: what the keys of a block are made of. What is no number of a set has no tags.
    pub(crate) fn unlisted<'s>(
        &'s self,
        facts: &'s BlockFacts,
        codes: &'s [i64],
    ) -> (impl Iterator<Item = impl Iterator<Item = u32>>, impl Iterator<Item = usize> + Clone) {
        let sets = (0..self.len()).map(move |set| {
            let own = self.tags(set).filter(|(name, _)| facts.has_unlisted_values(name));
            own.map(|(name, value)| keys::hash(name, value))
        });
        (sets, codes.iter().map(|code| usize::try_from(*code).unwrap_or(usize::MAX)))
    }

    /// Adds a set.
    pub(crate) fn push(&mut self, set: &[u8]) {
        self.texts.extend_from_slice(set);
        self.ends.push(self.texts.len() as u32);
    }

    /// The sets as a part to be written.
    pub(crate) fn part(&self) -> PartInput {
        let mut part = PartInput::new();
        let (mut names, mut values): (Vec<&str>, Vec<&[u8]>) = (Vec::new(), Vec::new());
        let mut code = 0;
        for set in 0..self.len() {
            values.clear();
            let (mut known, mut is_as_before) = (0, true);
            for (name, value) in self.tags(set) {
                is_as_before &= names.get(known) == Some(&name);
                if !is_as_before {
                    names.truncate(known);
                    names.push(name);
                }
                known += 1;
                values.push(value.as_bytes());
            }
            if !is_as_before || known < names.len() {
                names.truncate(known);
                // No tags are no text, which every part has.
                code = if names.is_empty() { 0 } else { part.named(&names) };
            }
            part.push_json(code, &values);
        }
        part
    }
}

/// Writes the part that [`TagSets::part`] makes of sets; `plain` forgoes every clever form.
pub(crate) fn write(part: &PartInput, body: &mut Body, plain: bool) {
    put_varint(&mut body.directory, part.codes.len() as u64);
    part.write(body, None, plain);
}

/// Reads what [`write`] wrote.
pub(crate) fn read(directory: &mut Directory<'_>) -> Result<Part, Corrupt> {
    let sets = directory.reader.count(TAG_SETS_MAX)?;
    let part = Part::read(directory, sets)?;
    if sets > 1 && sets.saturating_mul(part.places.len()) > TAG_CELLS_MAX {
        return Err(Corrupt("more tags than a block may have"));
    }
    Ok(part)
}

/// The sets of tags of a block of the first version, a column a tag.
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

/// A tag that is being read.
#[derive(Default)]
pub(super) struct Growing<'a> {
    codes: Vec<u32>,
    values: Vec<&'a str>,
    known: HashMap<&'a str, u32, foldhash::fast::FixedState>,
}

impl<'a> Growing<'a> {
    /// Set `set` has `value`; sets come in order.
    pub(super) fn push(&mut self, set: usize, value: &'a str) {
        let values = &mut self.values;
        let code = *self.known.entry(value).or_insert_with(|| {
            values.push(value);
            values.len() as u32 - 1
        });
        self.codes.resize(set, Dictionary::MISSING);
        self.codes.push(code);
    }

    /// The column over `sets` sets; it stays as long as its block, so no byte is spare.
    pub(super) fn finish(mut self, name: &str, sets: usize) -> Result<TagColumn, Corrupt> {
        self.codes.resize(sets, Dictionary::MISSING);
        let bytes = self.values.iter().map(|value| value.len()).sum();
        if bytes > SECTION_BYTES_MAX {
            return Err(Corrupt("values of a tag over their limit"));
        }
        let mut arena = String::with_capacity(bytes);
        let mut spans = Vec::with_capacity(self.values.len());
        for value in self.values {
            spans.push(TextSpan { start: arena.len() as u32, len: value.len() as u32 });
            arena.push_str(value);
        }
        let dictionary = Arc::new(Dictionary::new(arena, spans));
        Ok(TagColumn { name: name.into(), codes: Codes::of(self.codes), dictionary })
    }
}

impl TagColumn {
    /// The one value that all sets have.
    pub(crate) fn constant(&self) -> Option<&str> {
        self.dictionary.text(0).filter(|_| matches!(self.codes, Codes::First(_)))
    }

    /// Bytes of memory held.
    pub(super) fn memory_bytes(&self) -> usize {
        let codes = if let Codes::Listed(codes) = &self.codes { codes.len() } else { 0 };
        codes * size_of::<u32>() + self.dictionary.bytes() + size_of::<TagColumn>()
    }

    /// The value of set `set`; [`Dictionary::MISSING`] where it has none.
    pub(crate) fn code(&self, set: u32) -> u32 {
        self.codes.get(set as usize)
    }
}

impl TagColumns {
    /// Reads the tags of a block of the first version.
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
        if reader.left() > 0 {
            return Err(Corrupt("bytes behind the sets of tags"));
        }
        let finished = growing.into_iter().map(|(name, column)| column.finish(name, sets));
        let mut columns: Vec<TagColumn> = finished.collect::<Result<_, _>>()?;
        columns.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(TagColumns { sets, columns })
    }

    /// How many sets there are.
    pub(super) fn set_count(&self) -> usize {
        self.sets
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
    pub(crate) fn sets(&self) -> TagSets {
        let (mut sets, mut own) = (TagSets::default(), Vec::new());
        for set in 0..self.sets {
            own.clear();
            for column in &self.columns {
                if let Some(value) = column.dictionary.text(column.codes.get(set)) {
                    put_tag(&mut own, &column.name, value);
                }
            }
            sets.push(&own);
        }
        sets
    }

    /// Bytes of memory held.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.columns.iter().map(TagColumn::memory_bytes).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sets(sets: &[&[(&str, &str)]]) -> TagSets {
        let mut all = TagSets::default();
        for tags in sets {
            let mut set = Vec::new();
            tags.iter().for_each(|(name, value)| put_tag(&mut set, name, value));
            all.push(&set);
        }
        all
    }

    /// As blocks of the first version have them.
    fn written(sets: &TagSets) -> Vec<u8> {
        let mut out = Vec::new();
        put_varint(&mut out, sets.len() as u64);
        for set in 0..sets.len() {
            put_varint(&mut out, sets.tags(set).count() as u64);
            sets.tags(set).for_each(|(name, value)| put_tag(&mut out, name, value));
        }
        out
    }

    #[test]
    fn sets_of_the_first_version_come_back() {
        let some = sets(&[&[], &[("#a", "1"), ("#b", "x")], &[("#b", "x")], &[("#a", "2"), ("#c", "")]]);
        let bytes = written(&some);
        let read = TagColumns::read(&bytes).unwrap();
        assert_eq!(read.sets(), some);
        assert_eq!(read.names().collect::<Vec<_>>(), ["#a", "#b", "#c"]);
        let b = read.get("#b").unwrap();
        let codes: Vec<u32> = (0u32..5).map(|set| b.code(set)).collect();
        let none = Dictionary::MISSING;
        assert_eq!((codes, b.dictionary.len()), (vec![none, 0, 0, none, none], 1));
        assert!(read.get("#d").is_none());
        for len in 0..bytes.len() {
            assert!(TagColumns::read(&bytes[..len]).is_err(), "cut at {len}");
        }
        let every = sets(&[&[("#a", "1"), ("#b", "x")], &[("#a", "2"), ("#b", "x")]]);
        let read = TagColumns::read(&written(&every)).unwrap();
        assert_eq!(read.sets(), every);
        let codes = |name| &read.get(name).unwrap().codes;
        assert_eq!((codes("#a"), codes("#b")), (&Codes::Own(2), &Codes::First(2)));
        let beyond = |name| [1, 2, u32::MAX].map(|set| read.get(name).unwrap().code(set));
        assert_eq!((beyond("#a"), beyond("#b")), ([1, none, none], [0, none, none]));
        assert_eq!(read.get("#b").unwrap().constant(), Some("x"));
        assert!(TagColumns::read(&written(&sets(&[&[("#a", "1"), ("#a", "2")]]))).is_err());
    }

    #[test]
    fn values_of_a_tag_are_not_longer_than_a_section() {
        let text = String::from_utf8(vec![b'x'; SECTION_BYTES_MAX / 2 + 1]).unwrap();
        let finished = |values: &[&str]| {
            let mut growing = Growing::default();
            values.iter().enumerate().for_each(|(set, value)| growing.push(set, value));
            growing.finish("#a", values.len()).map(|tag| tag.dictionary.len())
        };
        assert_eq!(finished(&["x", "y", "x"]), Ok(2));
        assert_eq!(finished(&[&text, &text[1..]]), Err(Corrupt("values of a tag over their limit")));
    }

    #[test]
    fn sets_are_rows_of_a_part() {
        let some =
            sets(&[&[("#a", "1"), ("#b", "x")], &[("#a", "2"), ("#b", "x")], &[], &[("#a", "3")], &[]]);
        let part = some.part();
        assert_eq!(part.codes, [1, 1, 0, 2, 0]);
        assert_eq!(part.places.iter().map(|place| &*place.path).collect::<Vec<_>>(), ["#a", "#b"]);
        assert_eq!(part.columns[0].slices(), [b"1", b"2", b"3"]);
        assert_eq!(part.columns[1].slices(), [b"x", b"x"]);
    }
}
