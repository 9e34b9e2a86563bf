//! What is known about the rows of a block without reading them.

use weir_query::record::{Known, Summary};

use crate::event::META_FIELDS;

/// Facts about one block. A granule mask has bit `g` set for granule `g` of the block; a block has at most 64.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BlockFacts {
    /// How many rows.
    pub rows: u32,
    /// Bytes of raw text.
    pub raw_bytes: u64,
    /// Oldest and newest event time of every granule, ns; rows are ordered by time.
    pub granule_times: Vec<(i64, i64)>,
    /// Least and greatest sequence.
    pub sequences: (u64, u64),
    /// Least and greatest ingest time, ns.
    pub ingest: (i64, i64),
    /// The tags and fields that some row has, by name; tags are those with a `#`.
    pub fields: Vec<FieldFacts>,
    /// There are more fields than are listed.
    pub more_fields: bool,
    /// The last so many bytes of the block are the keys of tags whose values are not listed: which granules may have which
    /// value. None in blocks of the first version.
    pub key_bytes: u32,
    /// The checksum of these keys, which may be looked at without the block: keys of another segment have another. Known
    /// once the block is in a segment, but for those of the second version.
    pub key_checksum: Option<u32>,
}

/// One tag or field of a block.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FieldFacts {
    /// Its name.
    pub name: String,
    /// How many rows have it.
    pub rows: u32,
    /// The granules in which some row has it.
    pub granules: u64,
    /// Least and greatest number; `None` when some value may be a number that was not understood here. A field
    /// without any number has least > greatest.
    pub range: Option<(f64, f64)>,
    /// Every distinct value, when they are few and short. The values of a tag that are not listed are among the keys of
    /// the block; in one of the first version they stand in the gram index, as those of fields do, being part of the text.
    pub values: Option<Vec<ValueFacts>>,
    /// The values of this tag have keys in the gram index, too: each is found there as a whole. Only in blocks of the
    /// first version.
    pub has_keys: bool,
}

/// One value of a field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ValueFacts {
    /// The text.
    pub value: String,
    /// How many rows have it.
    pub rows: u32,
    /// The granules in which some row has it.
    pub granules: u64,
}

impl BlockFacts {
    /// How many granules there are.
    #[must_use]
    pub fn granules(&self) -> usize {
        self.granule_times.len()
    }

    /// Oldest and newest event time, ns.
    #[must_use]
    pub fn times(&self) -> (i64, i64) {
        let first = self.granule_times.first().map_or(i64::MAX, |times| times.0);
        let last = self.granule_times.last().map_or(i64::MIN, |times| times.1);
        (first, last)
    }

    /// `name` is a tag whose values are not listed.
    pub(crate) fn has_unlisted_values(&self, name: &str) -> bool {
        let at = self.fields.binary_search_by(|field| field.name.as_str().cmp(name));
        at.is_ok_and(|at| self.fields.get(at).is_some_and(FieldFacts::has_unlisted_values))
    }
}

impl Summary for BlockFacts {
    fn rows(&self) -> u64 {
        u64::from(self.rows)
    }

    fn times(&self) -> (i64, i64) {
        BlockFacts::times(self)
    }

    fn field(&self, name: &str) -> Known<'_> {
        if META_FIELDS.contains(&name) {
            return Known::Nothing;
        }
        match self.fields.binary_search_by(|field| field.name.as_str().cmp(name)) {
            Ok(at) => self.fields.get(at).map_or(Known::Nothing, FieldFacts::known),
            // All tags are listed.
            Err(_) if self.more_fields && !name.starts_with('#') => Known::Nothing,
            Err(_) => Known::Values(Vec::new()),
        }
    }
}

impl FieldFacts {
    /// It is a tag whose values are not listed.
    pub(crate) fn has_unlisted_values(&self) -> bool {
        self.name.starts_with('#') && self.values.is_none()
    }

    fn known(&self) -> Known<'_> {
        match &self.values {
            Some(values) => {
                Known::Values(values.iter().map(|own| (own.value.as_str(), u64::from(own.rows))).collect())
            }
            None => Known::Nothing,
        }
    }
}
