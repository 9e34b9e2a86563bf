//! Tags of a block whose bytes are not what was written: an error, the same for whoever reads them.

use std::sync::Arc;

use weir_query::compile::TextMatcher;
use weir_query::record::{Rows, RowsError, Selection};

use super::rows::text;
use crate::event::{EventBatch, EventBatchBuilder, EventLimits, TagSet};
use crate::store::block::builder::{FIRST_MAGIC, write};
use crate::store::block::bytes::Bytes;
use crate::store::block::encode;
use crate::store::block::gather::Gather;
use crate::store::block::part::{PartInput, TextKind};
use crate::store::block::section::{Body, Content};
use crate::store::block::stored::Stored;
use crate::store::block::values::Values;
use crate::store::block::wire::{Corrupt, put_signed, put_varint};
use crate::store::block::{Block, GRANULE_ROWS};

/// Enough that the sets of few rows are read alone.
const ROWS: usize = 3_000;

/// Each row has a set of its own; all have `#app`, every other one `#kind`.
fn batch() -> EventBatch {
    let mut builder = EventBatchBuilder::new(EventLimits::default());
    for row in 0..ROWS {
        let device = format!("dev-{row:04}");
        let mut tags = vec![("app", "web"), ("device", device.as_str())];
        tags.extend((row % 2 == 0).then_some(("kind", "even")));
        let tags = Arc::new(TagSet::new(tags));
        builder.push_text(b"said nothing", Some(row as i64), &tags, None).unwrap();
    }
    builder.finish(0).with_sequence(1)
}

fn gathered(batch: &EventBatch) -> Gather<'_> {
    let mut gather = Gather::new();
    (0..batch.len()).for_each(|row| gather.push_event(batch.order_key(row), batch, 0, row));
    gather
}

/// The same rows as a block of the first version, the sets of tags as `sets`.
fn first(gather: &Gather<'_>, sets: &[u8]) -> Vec<u8> {
    let mut body = Body::new();
    put_signed(&mut body.directory, 1);
    for integers in [&gather.times, &gather.sequences, &gather.ingest, &gather.arrival] {
        encode::packed(&mut body, integers);
    }
    body.put(sets, Content::Text);
    encode::packed(&mut body, &gather.tag_codes);
    gather.raw.write(&mut body, Some(&gather.times), false);
    body.directory.push(0);
    body.put_pool();
    let directory_len = body.directory.len() as u32;
    let directory = body.pack_directory();
    let mut bytes = FIRST_MAGIC.to_vec();
    bytes.extend_from_slice(&(gather.times.len() as u32).to_le_bytes());
    bytes.extend_from_slice(&gather.raw_bytes.to_le_bytes());
    bytes.extend_from_slice(&directory_len.to_le_bytes());
    bytes.extend_from_slice(&(directory.len() as u32).to_le_bytes());
    [bytes, directory, body.bytes.clone()].concat()
}

/// The sets of `gather` as blocks of the first version have them.
fn first_sets(gather: &Gather<'_>) -> Vec<u8> {
    let sets = &gather.tag_sets;
    let mut out = Vec::new();
    put_varint(&mut out, sets.len() as u64);
    for set in 0..sets.len() {
        put_varint(&mut out, sets.tags(set).count() as u64);
        out.extend_from_slice(sets.get(set));
    }
    out
}

/// Whoever reads tags of a block.
type Reader = fn(&Arc<Block>) -> Result<(), RowsError>;

fn corrupt(corrupt: Corrupt) -> RowsError {
    RowsError::Damaged(corrupt.0.to_owned())
}

fn one(block: &Block) -> Selection {
    Selection::from_fn(block.rows(), |row| row == 2)
}

const READERS: [(&str, Reader); 13] = [
    ("column", |block| block.column("#device", &Selection::all(block.rows())).map(drop)),
    ("column of few rows", |block| block.column("#device", &one(block)).map(drop)),
    ("column of one value", |block| block.column("#app", &Selection::all(block.rows())).map(drop)),
    ("column of one value of few rows", |block| block.column("#app", &one(block)).map(drop)),
    ("column of a tag of some", |block| block.column("#kind", &Selection::all(block.rows())).map(drop)),
    ("column of no tag", |block| block.column("#none", &one(block)).map(drop)),
    ("pick", |block| block.pick(&["#device".into()], &[1, 2]).map(drop)),
    ("pick one value", |block| block.pick(&["#app".into()], &[2]).map(drop)),
    ("matching", |block| {
        let all = Selection::all(block.rows());
        block.matching("#device", &TextMatcher::contains("dev-00"), &all).map(drop)
    }),
    ("matching of few rows", |block| {
        block.matching("#kind", &TextMatcher::contains("even"), &one(block)).map(drop)
    }),
    ("stretch", |block| {
        let stretch = block.stretch(0..GRANULE_ROWS).unwrap();
        stretch.column("#device", &Selection::all(GRANULE_ROWS)).map(drop)
    }),
    ("sets", |block| block.tag_sets().map(drop).map_err(corrupt)),
    ("merge", |block| Stored::read(Arc::clone(block)).map(drop).map_err(corrupt)),
];

/// Checks that all readers of a block, each the first of its tags, say the same of it.
fn check(what: &str, bytes: &[u8], expected: Option<&str>) {
    for (reader, read) in READERS {
        let block = Arc::new(Block::parse(Bytes::new(bytes.to_vec())).unwrap());
        let expected = expected.map_or(Ok(()), |reason| Err(RowsError::Damaged(reason.to_owned())));
        assert_eq!(read(&block), expected, "{what}: {reader}");
        assert_eq!(read(&block), expected, "{what}: {reader} again");
    }
}

const UNKNOWN: &str = "row with an unknown set of tags";

#[test]
fn damaged_tags_are_an_error_for_all_who_read_them() {
    let batch = batch();
    type Damage = fn(&mut Gather<'_>, &mut PartInput);
    let damages: [(&str, Damage, Option<&str>); 11] = [
        ("nothing", |_, _| {}, None),
        ("set beyond the last", |rows, _| rows.tag_codes[777] = ROWS as i64, Some(UNKNOWN)),
        ("set before the first", |rows, _| rows.tag_codes[777] = -1, Some(UNKNOWN)),
        ("set that is one in 32 bits", |rows, _| rows.tag_codes[777] = (1 << 32) + 5, Some(UNKNOWN)),
        ("unknown skeleton", |_, tags| tags.codes[5] = 9, Some("unknown skeleton")),
        ("value too many", |_, tags| tags.columns[1].push(b"x"), Some("values of a tag that no set has")),
        (
            "value that lacks",
            |_, tags| {
                let mut fewer = Values::default();
                tags.columns[2].slices().iter().skip(1).for_each(|value| fewer.push(value));
                tags.columns[2] = fewer;
            },
            Some("values of a tag that no set has"),
        ),
        ("two of one name", |_, tags| tags.places[2].path = "#app".into(), Some("two tags of one name")),
        (
            "tag twice in a set",
            |_, tags| tags.skeletons[1].columns[1] = tags.skeletons[1].columns[0],
            Some("tag twice in a set"),
        ),
        ("text for a set", |_, tags| tags.kinds[1] = TextKind::Text, Some("set of tags that is none")),
        ("nothing for a set", |_, tags| tags.kinds[2] = TextKind::None, Some("set of tags that is none")),
    ];
    for (what, damage, expected) in damages {
        let mut gather = gathered(&batch);
        let mut tags = gather.tag_sets.part();
        damage(&mut gather, &mut tags);
        check(what, &write(&gather, &tags, false).0, expected);
    }
}

#[test]
fn damaged_tags_of_the_first_version_are_the_same_error() {
    let batch = batch();
    type Damage = fn(&mut Gather<'_>, &mut Vec<u8>);
    let damages: [(&str, Damage, Option<&str>); 6] = [
        ("nothing", |_, _| {}, None),
        ("set beyond the last", |rows, _| rows.tag_codes[777] = ROWS as i64, Some(UNKNOWN)),
        ("set before the first", |rows, _| rows.tag_codes[777] = -1, Some(UNKNOWN)),
        ("set that is one in 32 bits", |rows, _| rows.tag_codes[777] = (1 << 32) + 5, Some(UNKNOWN)),
        ("sets that end early", |_, sets| sets.truncate(sets.len() - 1), Some("bytes end early")),
        ("bytes behind the sets", |_, sets| sets.push(0), Some("bytes behind the sets of tags")),
    ];
    for (what, damage, expected) in damages {
        let mut gather = gathered(&batch);
        let mut sets = first_sets(&gather);
        damage(&mut gather, &mut sets);
        check(what, &first(&gather, &sets), expected);
    }
}

#[test]
fn a_value_that_is_no_text_is_an_error_where_it_is_read() {
    let batch = batch();
    let gather = gathered(&batch);
    let mut tags = gather.tag_sets.part();
    let mut others = Values::default();
    tags.columns[1].slices().iter().skip(1).for_each(|value| others.push(value));
    others.push(b"\xff");
    tags.columns[1] = others;
    let block = Block::parse(Bytes::new(write(&gather, &tags, false).0)).unwrap();
    let expected = Err(RowsError::Damaged("tag is not utf-8".to_owned()));
    let last = Selection::from_fn(ROWS, |row| row == ROWS - 1);
    for within in [Selection::all(ROWS), last] {
        assert_eq!(block.column("#device", &within).map(drop), expected);
        assert!(block.column("#app", &within).is_ok());
    }
    assert_eq!(block.pick(&["#device".into()], &[ROWS as u32 - 1]).map(drop), expected);
    assert_eq!(block.tag_sets().map(drop).map_err(corrupt), expected);
}

#[test]
fn names_and_values_of_many_tags_are_found() {
    const TAGS: usize = 1_024;
    let mut builder = EventBatchBuilder::new(EventLimits::default());
    for row in 0..3 {
        // Names come in another order than theirs, and each row lacks some.
        let tags = (0..TAGS).map(|tag| (format!("t{}", tag * 389 % TAGS), format!("v{}", tag + row)));
        let tags: Vec<(String, String)> =
            tags.enumerate().filter(|(at, _)| at % (row + 2) > 0).map(|(_, tag)| tag).collect();
        let set = TagSet::new(tags.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        builder.push_text(b"x", Some(row as i64), &Arc::new(set), None).unwrap();
    }
    let batch = builder.finish(0).with_sequence(1);
    let gather = gathered(&batch);
    let (bytes, _) = write(&gather, &gather.tag_sets.part(), false);
    let block = Block::parse(Bytes::new(bytes)).unwrap();
    let all = Selection::all(3);
    let mut names = block.tag_names();
    assert!(names.is_sorted());
    names.push("#t1024");
    for name in names {
        let (own, theirs) = (block.column(name, &all).unwrap(), batch.column(name, &all).unwrap());
        (0..3).for_each(|row| assert_eq!(text(own.get(row)), text(theirs.get(row)), "{name} of row {row}"));
    }
}
