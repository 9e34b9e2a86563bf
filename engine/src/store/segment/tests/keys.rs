//! Keys of tags in segments: what they leave, without them, of older versions, damaged.

use std::sync::Arc;

use weir_query::compile::Required;
use weir_query::record::{Rows, Selection};

use super::{open, raws, text, write};
use crate::event::{EventBatch, EventBatchBuilder, EventLimits, TagSet};
use crate::index::gram::GramMap;
use crate::index::keys;
use crate::store::block::{BlockFacts, EncodedBlock, encode_blocks};
use crate::store::segment::{Segment, SegmentWriter};

/// 4,096 rows that say nothing, each four with a value of the tag `n`, which is a number beside `salt`.
fn numbered(salt: u32) -> Arc<EventBatch> {
    let mut builder = EventBatchBuilder::new(EventLimits::default());
    for row in 0..4_096 {
        // At most three bytes: no window of the index.
        let tags = Arc::new(TagSet::new([("n", format!("{:x}", row / 4 + salt))]));
        let time = Some(1_700_000_000_000_000_000 + i64::from(row));
        builder.push_text(b"said nothing", time, &tags, None).unwrap();
    }
    Arc::new(builder.finish(1_700_000_000_000_000_123).with_sequence(1))
}

/// Checks that each value of `numbered(0)` is found, and that little else is.
fn check_numbered(segment: &Segment) {
    let (mut found, mut left) = (0, 0);
    for value in 0..1_024 {
        let one = Required::OneOf { field: "#n".into(), values: vec![format!("{value:x}")] };
        let granules = segment.prune(&one, i64::MIN, i64::MAX).granules;
        found += u32::from(granules.contains(value / 256));
        left += granules.len();
    }
    assert_eq!(found, 1_024, "no value is lost");
    assert!(left < 1_100, "{left} granules for 1,024 values");
    assert_eq!(segment.verify().faults, Vec::<String>::new());
}

#[test]
fn tag_values_without_grams_of_their_own_are_pruned_by_their_keys() {
    let (bytes, facts) = write(3, &[numbered(0)]);
    let tag = facts.blocks[0].fields.iter().find(|field| field.name == "#n").unwrap();
    assert!(tag.values.is_none() && facts.blocks[0].key_bytes > 0 && facts.blocks[0].key_checksum.is_some());
    let segment = open(3, &bytes).unwrap();
    assert_eq!(segment.facts(), &facts);
    check_numbered(&segment);
}

/// `numbered(0)` as a segment of the second version: its facts do not say the checksum of the keys.
const SECOND_VERSION: &[u8] = include_bytes!("../second-version.seg");

#[test]
fn segments_of_the_second_version_are_read_and_merged() {
    let second = Arc::new(open(1, SECOND_VERSION).unwrap());
    assert!(second.facts().blocks.iter().all(|block| block.key_bytes > 0 && block.key_checksum.is_none()));
    check_numbered(&second);
    let mut writer = SegmentWriter::new(Vec::new(), 3).unwrap();
    Segment::merge(&[second], &mut writer).unwrap();
    let merged = open(3, &writer.finish().unwrap().0).unwrap();
    assert!(merged.facts().blocks.iter().all(|block| block.key_checksum.is_some()), "it is in the copy");
    check_numbered(&merged);
}

/// Two blocks with keys of the same length, and these: of `numbered(0)` and another.
fn with_keys_of_one_length() -> [(EncodedBlock, Vec<u8>); 2] {
    let block = |salt| {
        let mut one = None;
        encode_blocks(&[numbered(salt)], |block| {
            one = Some(block);
            Ok(())
        })
        .unwrap();
        let one = one.unwrap();
        let list = one.bytes[one.bytes.len() - one.facts.key_bytes as usize..].to_vec();
        (one, list)
    };
    let first = block(0);
    // Values that happen to have the same hash make a list shorter.
    let other = (1..20).map(|salt| block(salt * 64)).find(|other| other.1.len() == first.1.len());
    [first, other.unwrap()]
}

fn of_block(id: u64, block: EncodedBlock) -> Vec<u8> {
    let mut writer = SegmentWriter::new(Vec::new(), id).unwrap();
    writer.push(block).unwrap();
    writer.finish().unwrap().0
}

#[test]
fn keys_of_another_segment_prune_nothing() {
    let [(block, own), (_, others)] = with_keys_of_one_length();
    let mut bytes = of_block(3, block);
    let end = open(3, &bytes).unwrap().footer.blocks[0].range().unwrap().end;
    bytes[end - own.len()..end].copy_from_slice(&others);
    let segment = open(3, &bytes).unwrap();
    for value in 0..1_024 {
        let one = Required::OneOf { field: "#n".into(), values: vec![format!("{value:x}")] };
        assert_eq!(segment.prune(&one, i64::MIN, i64::MAX).granules.len(), 4, "{value:x}");
    }
    assert!(keys::Keys::read(&others, false).is_some(), "they are sound for themselves");
}

#[test]
fn wrong_keys_are_found_by_who_verifies() {
    let [(mut block, own), (_, others)] = with_keys_of_one_length();
    let at = block.bytes.len() - own.len();
    block.bytes[at..].copy_from_slice(&others);
    // As if they had been written with it.
    let segment = open(3, &of_block(3, block)).unwrap();
    assert_eq!(segment.verify().faults, ["block 0: keys of tags: a value is lacking"]);
}

#[test]
fn a_block_whose_keys_do_not_come_back_is_written_without_them() {
    keys::FAULT.set(Some(|_, _, out| out.truncate(out.len() - 1)));
    let (bytes, facts) = write(3, &[numbered(0)]);
    keys::FAULT.set(None);
    assert_eq!((facts.blocks[0].key_bytes, facts.blocks[0].key_checksum), (1, None));
    let segment = open(3, &bytes).unwrap();
    assert_eq!(raws(&segment).unwrap().len(), 4_096);
    assert_eq!(segment.verify().faults, Vec::<String>::new());
    for value in 0..1_024 {
        let one = Required::OneOf { field: "#n".into(), values: vec![format!("{value:x}")] };
        assert_eq!(segment.prune(&one, i64::MIN, i64::MAX).granules.len(), 4, "{value:x}");
    }
}

/// Rows that say nothing, each 16 with a value of the tag `n` of at most three bytes: no window of the index.
fn tagged(base: u64) -> Arc<EventBatch> {
    let mut builder = EventBatchBuilder::new(EventLimits::default());
    for row in 0..TAGGED_ROWS {
        let tags = Arc::new(TagSet::new([("n", format!("{:x}", row / 16))]));
        let time = 1_700_000_000_000_000_000 + (base + row) as i64;
        builder.push_text(b"said nothing", Some(time), &tags, None).unwrap();
    }
    Arc::new(builder.finish(1_700_000_000_000_000_123).with_sequence(base))
}

/// So many that their block is copied by merging.
const TAGGED_ROWS: u64 = 33 * 1_024;

#[test]
fn no_tag_value_is_lost_where_some_blocks_of_a_merged_segment_have_no_keys() {
    let newer = Arc::new(open(1, &write(1, &[tagged(1)]).0).unwrap());
    // As blocks were before whole values had keys.
    let mut writer = SegmentWriter::new(Vec::new(), 2).unwrap();
    let keyless = |mut block: EncodedBlock| {
        block.facts.key_bytes = 0;
        block.grams = (0..block.facts.granules()).map(|_| GramMap::default()).collect();
        for (granule, grams) in block.grams.iter_mut().enumerate() {
            grams.add(b"said nothing");
            (granule * 64..granule * 64 + 64).for_each(|value| grams.add(format!("{value:x}").as_bytes()));
        }
        writer.push(block)
    };
    encode_blocks(&[tagged(100_001)], keyless).unwrap();
    let older = Arc::new(open(2, &writer.finish().unwrap().0).unwrap());
    for sources in [[newer.clone(), older.clone()], [older, newer]] {
        let mut writer = SegmentWriter::new(Vec::new(), 3).unwrap();
        Segment::merge(&sources, &mut writer).unwrap();
        let merged = open(3, &writer.finish().unwrap().0).unwrap();
        let keys = |block: &BlockFacts| block.key_bytes > 0;
        assert_eq!(merged.facts().blocks.iter().map(keys).collect::<Vec<_>>(), [true, false]);
        let mut left = 0;
        for value in 0..TAGGED_ROWS as u32 / 16 {
            let one = Required::OneOf { field: "#n".into(), values: vec![format!("{value:x}")] };
            let granules = merged.prune(&one, i64::MIN, i64::MAX).granules;
            assert!(granules.contains(value / 64) && granules.contains(33 + value / 64), "{value:x}");
            left += granules.range_cardinality(..33);
        }
        assert!(left < 2_500, "keys prune where there are some: {left} granules for 2,112 values");
    }
}

/// A segment as the first version wrote it: a run of 128 rows after the other has a value of `#device`, and of every third
/// `#n`, which facts do not list.
const FIRST_VERSION: &[u8] = include_bytes!("../first-version.seg");

fn first_version_tags(row: u32) -> (String, Option<String>) {
    let run = row / 128;
    (format!("dev-{}", run * 37 % 512), run.is_multiple_of(3).then(|| format!("{run:x}")))
}

#[test]
fn segments_of_the_first_version_are_read_and_merged() {
    let first = Arc::new(open(1, FIRST_VERSION).unwrap());
    assert!(first.facts().blocks.iter().all(|block| block.key_bytes == 0));
    let newer = Arc::new(open(2, &write(2, &[tagged(100_001)]).0).unwrap());
    let mut writer = SegmentWriter::new(Vec::new(), 3).unwrap();
    Segment::merge(&[first.clone(), newer], &mut writer).unwrap();
    let merged = Arc::new(open(3, &writer.finish().unwrap().0).unwrap());
    assert_eq!(merged.block_count(), 2);
    for segment in [first, merged] {
        assert_eq!(segment.verify().faults, Vec::<String>::new());
        let at = (0..segment.block_count()).find(|at| segment.block(*at).unwrap().rows() == 65_536).unwrap();
        let granule = segment.facts().blocks.iter().take(at).map(BlockFacts::granules).sum::<usize>() as u32;
        let block = segment.block(at).unwrap();
        let all = Selection::all(block.rows());
        let (devices, numbers) = (block.column("#device", &all).unwrap(), block.column("#n", &all).unwrap());
        let mut left = 0;
        for row in (0..65_536).step_by(128) {
            let (device, number) = first_version_tags(row);
            for row in [row, row + 127] {
                assert_eq!(text(devices.get(row as usize)).as_ref(), Some(&device), "{row}");
                assert_eq!(text(numbers.get(row as usize)), number, "{row}");
            }
            let one = |field: &str, value: &str| {
                let one = Required::OneOf { field: field.into(), values: vec![value.into()] };
                segment.prune(&one, i64::MIN, i64::MAX).granules
            };
            let granules = one("#device", &device);
            assert!(granules.contains(granule + row / 1_024), "{device}");
            left += granules.len();
            assert!(number.is_none_or(|number| one("#n", &number).contains(granule + row / 1_024)));
        }
        assert!(left < 700, "{left} granules for 512 values");
    }
}

#[test]
fn damaged_keys_prune_nothing() {
    let (mut bytes, facts) = write(3, &[tagged(1)]);
    let one = Required::OneOf { field: "#n".into(), values: vec!["7".into()] };
    let left = |bytes: &[u8]| open(3, bytes).unwrap().prune(&one, i64::MIN, i64::MAX).granules.len();
    assert!(left(&bytes) < 3);
    let end = open(3, &bytes).unwrap().footer.blocks[0].range().unwrap().end;
    bytes[end - facts.blocks[0].key_bytes as usize + 40] ^= 1;
    assert_eq!(left(&bytes), 33);
}
