//! Segments: written, pruned, merged, damaged.

mod keys;

use std::sync::Arc;

use proptest::prelude::*;
use weir_query::compile::{Required, TextMatcher};
use weir_query::record::{Rows, RowsError, Selection};
use weir_query::value::ValueRef;

use super::{Segment, SegmentFacts, SegmentWriter};
use crate::event::{EventBatch, EventBatchBuilder, EventLimits, TagSet};
use crate::store::block::{Block, encode_blocks};

fn batch(lines: &[String], base: u64, app: &str) -> Arc<EventBatch> {
    let mut builder = EventBatchBuilder::new(EventLimits::default());
    let tags = Arc::new(TagSet::new([("app", app)]));
    for (row, line) in lines.iter().enumerate() {
        let time = Some(1_700_000_000_000_000_000 + (base as i64 % 1_000_000 + row as i64) * 1_000_000_000);
        if line.starts_with('{') {
            builder.push_json(line.as_bytes(), time, &tags, None).unwrap();
        } else {
            let attributes =
                line.strip_prefix("attributes ").map(|text| format!(r#"{{"extra":"{text}\u0021"}}"#));
            builder.push_text(line.as_bytes(), time, &tags, attributes.as_deref()).unwrap();
        }
    }
    Arc::new(builder.finish(1_700_000_000_000_000_123).with_sequence(base))
}

fn write(id: u64, batches: &[Arc<EventBatch>]) -> (Vec<u8>, SegmentFacts) {
    let mut writer = SegmentWriter::new(Vec::new(), id).unwrap();
    encode_blocks(batches, |block| writer.push(block)).unwrap();
    writer.finish().unwrap()
}

/// A block for itself.
pub(super) fn one_block(salt: u64) -> Block {
    let mut bytes = Vec::new();
    encode_blocks(&[batch(&lines(300, salt), 1, "web")], |block| {
        bytes = block.bytes;
        Ok(())
    })
    .unwrap();
    Block::parse(crate::store::block::bytes::Bytes::new(bytes)).unwrap()
}

fn open(id: u64, bytes: &[u8]) -> Result<Segment, crate::error::StoreError> {
    Segment::from_bytes(bytes.into(), id)
}

fn raws(segment: &Segment) -> Result<Vec<Vec<u8>>, RowsError> {
    let mut raws = Vec::new();
    for index in 0..segment.block_count() {
        let block = segment.block(index)?;
        block.for_each_raw(&Selection::all(block.rows()), &mut |_, raw| raws.push(raw.to_vec()))?;
    }
    Ok(raws)
}

fn lines(count: u64, salt: u64) -> Vec<String> {
    let line = |i: u64| {
        let r = (i + salt * 7919).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33;
        match r % 5 {
            0 => format!("plain {r} text from host-{}", r % 13),
            1 => format!("attributes Value{}", r % 17),
            _ => format!(
                r#"{{"level":"{}","took":{},"id":"{:016x}","path":"C:\\dir\\{}","note":"caf\u00e9 {}"}}"#,
                ["info", "warn", "ERROR"][r as usize % 3],
                r % 900,
                r * r,
                r % 7,
                r % 11,
            ),
        }
    };
    (0..count).map(line).collect()
}

#[test]
fn a_segment_comes_back() {
    let batches = [batch(&lines(1500, 0), 1, "web"), batch(&lines(2000, 1), 5000, "db")];
    let (bytes, facts) = write(7, &batches);
    let segment = open(7, &bytes).unwrap();
    assert_eq!(*segment.facts(), facts);
    assert_eq!((facts.rows, facts.min_sequence, facts.max_sequence), (3500, 1, 6999));
    assert_eq!(facts.file_bytes, bytes.len() as u64);
    assert_eq!(facts.raw_bytes, batches.iter().map(|batch| batch.raw_bytes() as u64).sum::<u64>());
    let expected: Vec<Vec<u8>> =
        batches.iter().flat_map(|batch| (0..batch.len()).map(|row| batch.raw(row).to_vec())).collect();
    assert_eq!(raws(&segment).unwrap(), expected);
    assert_eq!(segment.verify().faults, Vec::<String>::new());
    assert_eq!(facts.tags()["#app"]["db"], 2000);
    assert!(facts.fields()["took"].numeric);
    assert!(open(8, &bytes).is_err(), "another segment's id");
}

#[test]
fn a_segment_without_blocks() {
    let (bytes, _) = write(1, &[]);
    let segment = open(1, &bytes).unwrap();
    assert_eq!(segment.block_count(), 0);
    assert!(segment.prune(&Required::Anything, i64::MIN, i64::MAX).is_empty());
    assert!(segment.block(0).is_err());
}

#[test]
fn files_are_mapped() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("segment");
    let (bytes, _) = write(3, &[batch(&lines(50, 0), 0, "web")]);
    std::fs::write(&path, &bytes).unwrap();
    let segment = Segment::open(&path, 3).unwrap();
    assert_eq!(raws(&segment).unwrap().len(), 50);
    assert!(Segment::open(&folder.path().join("absent"), 3).is_err());
}

/// Whatever is read from damaged bytes is an error or the truth.
fn check_damaged(bytes: &[u8], truth: &[Vec<u8>]) {
    if let Ok(segment) = open(9, bytes) {
        match raws(&segment) {
            Ok(read) => assert_eq!(read, truth),
            Err(RowsError::Damaged(_)) => {}
            Err(other) => panic!("{other}"),
        }
        let _ = segment.verify();
    }
}

#[test]
fn every_bit_may_be_flipped() {
    let (mut bytes, _) = write(9, &[batch(&lines(40, 0), 0, "web")]);
    let segment = open(9, &bytes).unwrap();
    let truth = raws(&segment).unwrap();
    let (facts, index) = (segment.footer.facts, segment.footer.index);
    let covered: Vec<usize> = (0..24)
        .chain(facts.range().unwrap())
        .chain((index.offset + index.len) as usize..bytes.len())
        .collect();
    for at in covered {
        for bit in 0..8 {
            bytes[at] ^= 1 << bit;
            assert!(open(9, &bytes).is_err(), "bit {bit} of byte {at}");
            bytes[at] ^= 1 << bit;
        }
    }
    for at in index.range().unwrap().step_by(97) {
        bytes[at] ^= 1 << (at % 8);
        // A damaged index costs the pruning, and is told.
        let damaged = open(9, &bytes).unwrap();
        let absent = Required::Text { literal: b"never said".to_vec(), ignore_case: false };
        let left = damaged.prune(&absent, i64::MIN, i64::MAX);
        assert!(left.index_fault.is_some() && !left.is_empty(), "byte {at}");
        assert!(damaged.prune(&Required::Present("nope".into()), i64::MIN, i64::MAX).is_empty());
        assert_eq!((raws(&damaged).unwrap(), damaged.verify().faults.len()), (truth.clone(), 1));
        bytes[at] ^= 1 << (at % 8);
    }
    for at in segment.footer.blocks[0].range().unwrap() {
        bytes[at] ^= 1 << (at % 8);
        let damaged = open(9, &bytes).unwrap();
        assert!(matches!(damaged.block(0), Err(RowsError::Damaged(_))), "byte {at}");
        assert_eq!(damaged.verify().faults.len(), 1);
        bytes[at] ^= 1 << (at % 8);
    }
    check_damaged(&bytes, &truth);
}

#[test]
fn a_file_may_end_anywhere() {
    let (bytes, _) = write(9, &[batch(&lines(30, 0), 0, "web")]);
    for len in 0..bytes.len() {
        assert!(open(9, &bytes[..len]).is_err(), "{len}");
    }
    let mut longer = bytes.clone();
    longer.push(0);
    assert!(open(9, &longer).is_err());
}

#[test]
fn blocks_are_read_without_panic_whatever_they_say() {
    // Past the checksum: the bytes of a block are changed and read anyway.
    let (bytes, _) = write(9, &[batch(&lines(300, 0), 0, "web")]);
    let segment = open(9, &bytes).unwrap();
    let block = &bytes[segment.footer.blocks[0].range().unwrap()];
    for seed in 0..500u64 {
        let mut changed = block.to_vec();
        let r = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let at = (r >> 20) as usize % changed.len();
        changed[at] ^= (r >> 8) as u8 | 1;
        if seed % 3 == 0 {
            changed.truncate((r >> 40) as usize % block.len());
        }
        let Ok(block) = Block::parse(crate::store::block::bytes::Bytes::new(changed)) else { continue };
        let all = Selection::all(block.rows());
        let _ = block.for_each_raw(&all, &mut |_, _| {});
        let _ = block.order();
        for name in block.names() {
            let _ = block.column(&name, &all);
        }
        let _ = block.search(&TextMatcher::contains("host"), &all);
    }
}

#[test]
fn merging_keeps_every_row() {
    let parts: Vec<Arc<EventBatch>> = (0..6)
        .map(|part| batch(&lines(700, part), part * 1_000_350, ["a", "b"][part as usize % 2]))
        .collect();
    let sources: Vec<Arc<Segment>> = parts
        .iter()
        .enumerate()
        .map(|(part, batch)| {
            Arc::new(open(part as u64, &write(part as u64, &[Arc::clone(batch)]).0).unwrap())
        })
        .collect();
    let mut writer = SegmentWriter::new(Vec::new(), 99).unwrap();
    Segment::merge(&sources, &mut writer).unwrap();
    let (bytes, facts) = writer.finish().unwrap();
    let merged = open(99, &bytes).unwrap();
    let direct = open(99, &write(99, &parts).0).unwrap();
    assert_eq!(merged.block_count(), 1);
    assert_eq!(facts.rows, 4200);
    assert_eq!(raws(&merged).unwrap(), raws(&direct).unwrap());
    assert_eq!(merged.facts(), direct.facts());
    assert_eq!(merged.verify().faults, Vec::<String>::new());
    let (one, other) = (merged.block(0).unwrap(), direct.block(0).unwrap());
    assert_eq!(one.names(), other.names());
}

#[test]
fn shapes_of_several_sources_are_merged_into_one_of_each() {
    let lines = |first: u64| -> Vec<String> {
        (first..first + 900).map(|i| format!(r#"{{"key{}":{i},"level":"info"}}"#, i % 600)).collect()
    };
    // The same keys in another order: columns of a source have other numbers than those of the merged block.
    let parts: Vec<Arc<EventBatch>> =
        [0, 250].into_iter().map(|part| batch(&lines(part), part * 1_000_350, "a")).collect();
    let sources: Vec<Arc<Segment>> = (1..)
        .zip(&parts)
        .map(|(id, one)| Arc::new(open(id, &write(id, &[Arc::clone(one)]).0).unwrap()))
        .collect();
    let mut writer = SegmentWriter::new(Vec::new(), 99).unwrap();
    Segment::merge(&sources, &mut writer).unwrap();
    let (bytes, facts) = writer.finish().unwrap();
    let (direct, direct_facts) = write(99, &parts);
    assert_eq!(facts.blocks, direct_facts.blocks);
    assert_eq!(bytes.len(), direct.len(), "no skeleton stands there twice");
    assert_eq!(raws(&open(99, &bytes).unwrap()).unwrap(), raws(&open(99, &direct).unwrap()).unwrap());
}

#[test]
fn large_blocks_are_copied() {
    let many: Vec<String> = (0..40_000u64)
        .map(|i| format!("line {i} of {}", "some longer text that says little ".repeat(8)))
        .collect();
    let sources: Vec<Arc<Segment>> = (0..2u64)
        .map(|part| Arc::new(open(part, &write(part, &[batch(&many, part * 100_000, "a")]).0).unwrap()))
        .collect();
    let mut writer = SegmentWriter::new(Vec::new(), 5).unwrap();
    Segment::merge(&sources, &mut writer).unwrap();
    let merged = open(5, &writer.finish().unwrap().0).unwrap();
    assert_eq!(merged.block_count(), 2);
    assert_eq!(merged.verify().faults, Vec::<String>::new());
    let left = merged.prune(
        &Required::Text { literal: b"line 39999".to_vec(), ignore_case: false },
        i64::MIN,
        i64::MAX,
    );
    assert!(left.granules.contains(39) && left.granules.contains(79));
    assert!(left.granules.len() < 10, "{:?}", left.granules);
}

#[test]
fn a_damaged_index_is_made_anew_by_merging() {
    let full: Vec<String> = (0..33_000).map(|row| format!("row {row:05}")).collect();
    let given = [batch(&full, 1, "a"), batch(&lines(700, 3), 1_000_350, "b")];
    let with_damage = |id: u64, batch: &Arc<EventBatch>| {
        let (mut bytes, _) = write(id, std::slice::from_ref(batch));
        let place = open(id, &bytes).unwrap().footer.index.range().unwrap();
        bytes[place.start + 4] ^= 1;
        let segment = open(id, &bytes).unwrap();
        assert!(segment.index().is_err(), "the damage is one");
        Arc::new(segment)
    };
    // A full block, and one that is alone in its run.
    let sources: Vec<Arc<Segment>> = (1..).zip(&given).map(|(id, batch)| with_damage(id, batch)).collect();
    let mut writer = SegmentWriter::new(Vec::new(), 5).unwrap();
    Segment::merge(&sources, &mut writer).unwrap();
    let merged = open(5, &writer.finish().unwrap().0).unwrap();
    assert_eq!(merged.verify().faults, Vec::<String>::new());
    let all = given.iter().flat_map(|batch| (0..batch.len()).map(|row| batch.raw(row).to_vec()));
    assert_eq!(raws(&merged).unwrap(), all.collect::<Vec<_>>());
    let text = Required::Text { literal: b"row 32999".to_vec(), ignore_case: false };
    let left = merged.prune(&text, i64::MIN, i64::MAX);
    assert_eq!((left.index_fault, left.granules.iter().collect::<Vec<_>>()), (None, vec![32]));
}

fn text(value: Option<ValueRef<'_>>) -> Option<String> {
    Some(match value? {
        ValueRef::Text(text) => text.to_owned(),
        ValueRef::Int(value) => value.to_string(),
        ValueRef::Float(value) => value.to_string(),
    })
}

/// The rows of a block that meet a condition, by looking at each.
fn naive(block: &Block, required: &Required) -> Selection {
    let all = Selection::all(block.rows());
    let column = |name: &str| block.column(name, &all).unwrap();
    match required {
        Required::Anything => all,
        Required::Nothing => Selection::none(block.rows()),
        Required::And(parts) => parts.iter().fold(all, |mut rows, part| {
            rows.intersect(&naive(block, part));
            rows
        }),
        Required::Or(parts) => parts.iter().fold(Selection::none(block.rows()), |mut rows, part| {
            rows.union(&naive(block, part));
            rows
        }),
        Required::Text { literal, ignore_case } => {
            let pattern = regex::escape(std::str::from_utf8(literal).unwrap());
            let pattern = regex::RegexBuilder::new(&pattern).case_insensitive(*ignore_case).build().unwrap();
            let names = block.names();
            let fields = names.iter().filter(|name| {
                !name.starts_with('#') && (!name.starts_with('@') || &***name == "@rawstring")
            });
            let columns: Vec<_> = fields.map(|name| column(name)).collect();
            Selection::from_fn(block.rows(), |row| {
                columns.iter().any(|column| text(column.get(row)).is_some_and(|text| pattern.is_match(&text)))
            })
        }
        Required::Present(field) => {
            let column = column(field);
            Selection::from_fn(block.rows(), |row| column.get(row).is_some())
        }
        Required::OneOf { field, values } => {
            let column = column(field);
            Selection::from_fn(block.rows(), |row| {
                text(column.get(row)).is_some_and(|text| values.contains(&text))
            })
        }
        Required::Range { field, least, greatest } => {
            let column = column(field);
            let number = |row| text(column.get(row)).and_then(|text| text.parse::<f64>().ok());
            Selection::from_fn(block.rows(), |row| number(row).is_some_and(|n| n >= *least && n <= *greatest))
        }
    }
}

fn conditions() -> impl Strategy<Value = Required> {
    let literals = prop_oneof![
        "[a-zA-Z]{1,8}",
        "[0-9]{1,7}",
        "Value[0-9]{1,2}",
        "host-[0-9]{1,2}",
        Just("caf\u{e9} 7".to_owned()),
        Just("CAF\u{c9}".to_owned()),
        Just("C:\\dir\\3".to_owned()),
        Just(r"C:\\dir\\3".to_owned()),
        Just("Value3!".to_owned()),
        Just("\"warn\",\"took\":1".to_owned()),
        Just("\\u00e9 1".to_owned()),
        Just("error".to_owned()),
        Just("\u{212a}ind".to_owned()),
        Just("hoſt-1".to_owned()),
        Just("absent entirely".to_owned()),
    ];
    let fields = prop_oneof![
        Just("level"),
        Just("took"),
        Just("extra"),
        Just("absent"),
        Just("#app"),
        Just("#none"),
        Just("path"),
        Just("@rawstring"),
        Just("@id"),
    ];
    let values = prop_oneof![
        Just("ERROR"),
        Just("warn"),
        Just("web"),
        Just("Value3!"),
        Just("77"),
        Just(""),
        Just("1"),
        Just("C:\\dir\\2"),
        Just("plain 5 text from host-1"),
    ];
    let leaf = prop_oneof![
        4 => (literals, any::<bool>()).prop_map(|(literal, ignore_case)| Required::Text { literal: literal.into_bytes(), ignore_case }),
        1 => fields.clone().prop_map(|field| Required::Present(field.into())),
        2 => (fields.clone(), prop::collection::vec(values, 0..4)).prop_map(|(field, values)| Required::OneOf { field: field.into(), values: values.into_iter().map(String::from).collect() }),
        1 => (fields, -10f64..1000.0, 0f64..200.0).prop_map(|(field, least, more)| Required::Range { field: field.into(), least, greatest: least + more }),
        1 => Just(Required::Anything), 1 => Just(Required::Nothing),
    ];
    leaf.prop_recursive(3, 8, 3, |part| {
        prop_oneof![
            prop::collection::vec(part.clone(), 0..4).prop_map(Required::And),
            prop::collection::vec(part, 0..4).prop_map(Required::Or),
        ]
    })
}

fn pruned_segment() -> Arc<Segment> {
    static SEGMENT: std::sync::OnceLock<Arc<Segment>> = std::sync::OnceLock::new();
    let make = || {
        let batches = [batch(&lines(2500, 0), 1, "web"), batch(&lines(1800, 3), 100_000, "db")];
        Arc::new(open(7, &write(7, &batches).0).unwrap())
    };
    Arc::clone(SEGMENT.get_or_init(make))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn no_granule_with_a_match_is_pruned(required in conditions(), from in 0i64..110_000, len in 0i64..120_000) {
        let segment = pruned_segment();
        let nanos = |second: i64| 1_700_000_000_000_000_000 + second * 1_000_000_000;
        let (from, to) = (nanos(from), nanos(from + len));
        let left = segment.prune(&required, from, to);
        let counters = left.counters;
        prop_assert_eq!(
            counters.granules,
            left.granules.len() + counters.granules_by_time + counters.granules_by_facts + counters.granules_by_index
        );
        for index in 0..segment.block_count() {
            let block = segment.block(index).unwrap();
            let order = block.order().unwrap();
            let mut matches = naive(&block, &required);
            matches.retain(|row| order[row].nanos >= from && order[row].nanos <= to);
            let mut missed = matches.clone();
            missed.subtract(&left.rows(index));
            prop_assert!(missed.is_empty(), "{:?}: rows {:?}", required, missed.iter().collect::<Vec<_>>());
            prop_assert!(matches.is_empty() || left.blocks().any(|block| block == index));
        }
    }
}

#[test]
fn pruning_prunes() {
    let segment = pruned_segment();
    let all = segment.prune(&Required::Anything, i64::MIN, i64::MAX).granules.len();
    let left = |required| segment.prune(&required, i64::MIN, i64::MAX).granules.len();
    let text = |literal: &str| Required::Text { literal: literal.as_bytes().to_vec(), ignore_case: false };
    assert_eq!(all, 5);
    assert_eq!(left(text("absent entirely")), 0);
    assert_eq!(left(text("abc")), all);
    assert_eq!(left(Required::Present("absent".into())), 0);
    assert!(left(Required::OneOf { field: "#app".into(), values: vec!["db".into()] }) < all);
    assert_eq!(left(Required::OneOf { field: "level".into(), values: vec!["fatal".into()] }), 0);
    assert_eq!(left(Required::Range { field: "took".into(), least: 901.0, greatest: 1e9 }), 0);
    assert_eq!(left(Required::Range { field: "took".into(), least: 899.0, greatest: 1e9 }), all);
    let id = Required::OneOf { field: "@id".into(), values: vec!["zzz".into()] };
    assert_eq!(left(id), all);
}

#[test]
fn fields_named_like_tags_are_not_tags_of_any_block() {
    let event = r##"{"#team":"field","#app":"field","n":1}"##.to_owned();
    let (bytes, _) = write(9, &[batch(&[event.clone(), event], 0, "web")]);
    let segment = open(9, &bytes).unwrap();
    let block = segment.block(0).unwrap();
    let column = |name: &str| block.column(name, &Selection::all(2)).unwrap();
    assert_eq!(text(column("#team").get(0)), None);
    assert_eq!(text(column("#app").get(0)).as_deref(), Some("web"));
    let names = block.names();
    assert_eq!(names.iter().filter(|name| name.starts_with('#')).count(), 1);
    let granules = |field: &str, value: &str| {
        let one = Required::OneOf { field: field.into(), values: vec![value.into()] };
        let any = Required::Present(field.into());
        [one, any].map(|required| segment.prune(&required, i64::MIN, i64::MAX).granules.len())
    };
    assert_eq!(granules("#team", "field"), [0, 0]);
    assert_eq!(granules("#app", "field"), [0, 1]);
    assert_eq!(granules("#app", "web"), [1, 1]);
    let report = segment.verify();
    assert!(report.faults.is_empty(), "{:?}", report.faults);
}

#[test]
fn a_tag_with_many_values_is_pruned_by_the_index() {
    for (values, listed) in [(256, true), (257, false), (1_200, false)] {
        let mut builder = EventBatchBuilder::new(EventLimits::default());
        for row in 0..values.max(1_500) {
            let device = format!("device-{:05}", row % values);
            let tags = Arc::new(TagSet::new([("app", "web"), ("device", device.as_str())]));
            builder.push_text(b"said nothing", Some(1_700_000_000_000_000_000 + row), &tags, None).unwrap();
        }
        let batch = Arc::new(builder.finish(1_700_000_000_000_000_123).with_sequence(1));
        let (bytes, facts) = write(3, &[batch]);
        let tag = facts.blocks[0].fields.iter().find(|field| field.name == "#device").unwrap();
        assert_eq!(tag.values.is_some(), listed, "{values}");
        assert_eq!(u64::from(tag.rows), facts.rows);
        let segment = open(3, &bytes).unwrap();
        let granules = |field: &str, value: &str| {
            let one = Required::OneOf { field: field.into(), values: vec![value.into()] };
            segment.prune(&one, i64::MIN, i64::MAX).granules.iter().collect::<Vec<u32>>()
        };
        assert_eq!(granules("#device", "device-zzzzz"), Vec::<u32>::new(), "{values}");
        assert_eq!(granules("#app", "web"), [0, 1]);
        for row in [0, values - 1] {
            let value = format!("device-{row:05}");
            let found = granules("#device", &value);
            let block = segment.block(0).unwrap();
            let column = block.column("#device", &Selection::all(block.rows())).unwrap();
            let rows = (0..block.rows()).filter(|row| text(column.get(*row)).as_deref() == Some(&value));
            rows.for_each(|row| assert!(found.contains(&(row as u32 / 1_024)), "{values}: {value} in {row}"));
        }
    }
}
