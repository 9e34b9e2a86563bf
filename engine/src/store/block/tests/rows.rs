//! Blocks against the batches they were made of: the batch is the slow, obvious twin.

use std::io;
use std::sync::Arc;

use proptest::prelude::*;
use weir_query::compile::{Required, TextMatcher};
use weir_query::record::{Rows, Selection};
use weir_query::value::ValueRef;

use crate::event::{EventBatch, EventBatchBuilder, EventLimits, TagSet};
use crate::store::block::builder::{finish_as, finish_opaque};
use crate::store::block::bytes::Bytes;
use crate::store::block::gather::Gather;
use crate::store::block::stored::Stored;
use crate::store::block::{Block, EncodedBlock, encode_blocks};

/// One event of a test: raw bytes, whether as JSON, attributes.
pub(super) type Event = (Vec<u8>, bool, Option<String>);

pub(super) fn batch(events: &[Event], base: u64) -> Arc<EventBatch> {
    let mut builder =
        EventBatchBuilder::new(EventLimits::default()).with_reference(1_700_000_000_000_000_000);
    let tags = [
        TagSet::none(),
        Arc::new(TagSet::new([("app", "web")])),
        Arc::new(TagSet::new([("app", "db"), ("x", "1")])),
    ];
    for (row, (raw, json, attributes)) in events.iter().enumerate() {
        let tags = &tags[row / 3 % 3];
        if *json {
            builder.push_json(raw, None, tags, attributes.as_deref()).unwrap();
        } else {
            builder.push_text(raw, None, tags, attributes.as_deref()).unwrap();
        }
    }
    Arc::new(builder.finish(1_700_000_000_000_000_123).with_sequence(base))
}

pub(crate) fn blocks(batches: &[Arc<EventBatch>]) -> Vec<Block> {
    let mut blocks = Vec::new();
    let each = |block: EncodedBlock| -> io::Result<()> {
        blocks.push(Block::parse(Bytes::new(block.bytes)).unwrap());
        Ok(())
    };
    encode_blocks(batches, each).unwrap();
    blocks
}

pub(super) fn text(value: Option<ValueRef<'_>>) -> Option<String> {
    Some(match value? {
        ValueRef::Text(text) => text.to_owned(),
        ValueRef::Int(value) => value.to_string(),
        ValueRef::Float(value) => value.to_string(),
    })
}

/// Tests for regexes that need `literal`, with what they need and without.
fn regexes(literal: &str) -> Vec<TextMatcher> {
    let part: String = literal.chars().skip(1).collect();
    let [literal, part] = [literal, &part].map(regex::escape);
    let whole = [
        format!("{literal}.?[0-9\"}}]"),
        format!("(?i){literal}"),
        format!("^{literal}$"),
        format!(".{part}"),
    ];
    let required = |pattern: &str| Required::Text {
        literal: match pattern.starts_with('.') {
            true => literal.chars().skip(1).collect::<String>().into_bytes(),
            false => literal.clone().into_bytes(),
        },
        ignore_case: pattern.starts_with("(?i)"),
    };
    let plain = |text: &str| regex::escape(text) == text;
    let mut matchers = Vec::new();
    for pattern in whole {
        let regex = regex::Regex::new(&pattern).unwrap();
        if plain(&literal)
            && literal.is_ascii()
            && !literal.is_empty()
            && !literal.contains(['k', 's', 'K', 'S'])
        {
            matchers.push(TextMatcher::regex_requiring(regex.clone(), required(&pattern)));
        }
        matchers.push(TextMatcher::regex(regex));
    }
    matchers
}

/// Checks raw texts, order, names, every column and some searches.
fn check(events: &[Event], literals: &[&str]) {
    let batch = batch(events, 1000);
    let blocks = blocks(&[Arc::clone(&batch)]);
    assert_eq!(blocks.iter().map(Block::rows).sum::<usize>(), events.len());
    for block in &blocks {
        let order = block.order().unwrap();
        assert!(order.windows(2).all(|pair| pair[0] < pair[1]));
        let rows: Vec<usize> = order.iter().map(|key| (key.sequence - 1000) as usize).collect();
        let all = Selection::all(block.rows());
        block.for_each_raw(&all, &mut |row, raw| assert_eq!(raw, batch.raw(rows[row]))).unwrap();
        let some = Selection::from_fn(block.rows(), |row| row % 5 == 1 || row > 1500 && row < 1510);
        let of_batch = |within: &Selection| {
            let mut chosen = Selection::none(batch.len());
            within.iter().for_each(|row| chosen.insert(rows[row]));
            chosen
        };
        check_picked(block, &batch.names(), &some);
        super::stretches::check(block, literals);
        for within in [&all, &some] {
            for name in batch.names() {
                let ours = block.column(&name, within).unwrap();
                let theirs = batch.column(&name, &of_batch(within)).unwrap();
                assert_eq!(ours.len(), block.rows());
                for row in within.iter() {
                    assert_eq!(
                        text(ours.get(row)),
                        text(theirs.get(rows[row])),
                        "field {name:?} of row {row}"
                    );
                }
            }
            assert!(matches!(
                block.column("no such", within).unwrap(),
                weir_query::record::Column::Missing { .. }
            ));
            let matchers = literals.iter().map(|literal| TextMatcher::contains(literal));
            let matchers = matchers.chain(literals.iter().map(|literal| TextMatcher::equals(literal)));
            for matcher in matchers.chain(literals.iter().flat_map(|literal| regexes(literal))) {
                let found = block.search(&matcher, within).unwrap();
                let expected = batch.search(&matcher, &of_batch(within)).unwrap();
                assert_eq!(of_batch(&found), expected, "{matcher:?}");
                for name in batch.names().iter().take(12) {
                    if let Some(found) = block.matching(name, &matcher, within).unwrap() {
                        let column = batch.column(name, &of_batch(within)).unwrap();
                        let mut expected = within.clone();
                        expected.retain(|row| {
                            text(column.get(rows[row])).is_some_and(|text| matcher.is_match(&text))
                        });
                        assert_eq!(found, expected, "{name} {matcher:?}");
                    }
                }
            }
        }
    }
}

/// Checks that rows picked, in several orders, are what columns decoded whole say they are.
fn check_picked(block: &Block, names: &[Arc<str>], within: &Selection) {
    let forth: Vec<u32> = within.iter().map(|row| row as u32).collect();
    let back: Vec<u32> = forth.iter().rev().copied().step_by(3).collect();
    let mixed: Vec<u32> = forth.iter().skip(1).chain(forth.first()).chain(forth.last()).copied().collect();
    let fields: Vec<Arc<str>> = names.iter().filter(|name| !name.starts_with('@')).cloned().collect();
    for (names, rows) in [(names, &back), (&fields, &forth), (names, &mixed), (&fields, &Vec::new())] {
        let picked = block.pick(names, rows).unwrap();
        let mut picked = picked.iter().peekable();
        for name in names {
            let whole = block.column(name, within).unwrap();
            let found = picked.next_if(|(own, _)| own == name).map(|(_, column)| column);
            let mut any = false;
            for (at, row) in rows.iter().enumerate() {
                let value = text(whole.get(*row as usize));
                any |= value.is_some();
                assert_eq!(text(found.and_then(|column| column.get(at))), value, "field {name:?}");
            }
            assert_eq!(found.is_some(), any, "field {name:?}");
        }
        assert!(picked.next().is_none());
    }
    assert!(block.pick(names, &[block.rows() as u32]).is_err());
}

fn json(line: impl Into<String>) -> Event {
    (line.into().into_bytes(), true, None)
}

#[test]
fn application_events() {
    let events: Vec<Event> = (0..3000u64)
        .map(|i| {
            let r = i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33;
            json(format!(
                r#"{{"timestamp":"2026-11-20T13:{:02}:{:02}.{:03}Z","service":"svc-{}","status":{},"took":{}.{},"trace":"{:016x}","message":"user{} did \"thing {}\" in {}ms","ok":{}}}"#,
                i / 60 % 60, i % 60, r % 1000, r % 7, [200, 404, 500][r as usize % 3], r % 90, r % 10, r * r,
                r % 500, r % 11, r % 1000, if r % 5 == 0 { "null" } else { "\"yes\"" },
            ))
        })
        .collect();
    check(
        &events,
        &[
            "svc-3",
            "thing",
            "thing 7\" in",
            "\"status\":500",
            "e\":\"svc-1\",\"s",
            "user1",
            "absent",
            "yes",
            "null",
            "Z",
        ],
    );
}

#[test]
fn decimals_come_back() {
    let events: Vec<Event> = (0..2500_u64)
        .map(|i| {
            let r = i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33;
            let sign = if r.is_multiple_of(3) { "-" } else { "" };
            // As the shortest text of a number is written, with and without a point; with always one; with as many
            // digits as the others; too small for that.
            let (whole, short) = (r % 900, format!("{}", (r % 5_000) as f64 / 16.0 + 1.0));
            let some = if r.is_multiple_of(4) { "" } else { ",\"some\":1.25" };
            let rest = r % 97;
            json(format!(
                r#"{{"short":{sign}{short},"point":{whole}.{}5,"fixed":{whole}.{rest:03},"small":0.{:08}1{some}}}"#,
                r % 10,
                r % 77,
            ))
        })
        .collect();
    let own = blocks(&[batch(&events, 0)]);
    let block = own.first().unwrap();
    for (name, is_double) in [("short", true), ("point", true), ("fixed", false), ("small", false)] {
        let column = block.column(name, &Selection::all(block.rows())).unwrap();
        assert_eq!(matches!(column, weir_query::record::Column::Floats { .. }), is_double, "{name}");
    }
    check(&events, &["1.25", "-1", "0.0", "short\":-"]);
}

#[test]
fn plain_blocks_come_back() {
    let events = [
        json(r#"{"a":"x\\u0041","b":1}"#),
        (b"\xff".to_vec(), false, None),
        (b"text".to_vec(), false, Some(r#"{"c":2}"#.into())),
    ];
    let batch = batch(&events, 7);
    let mut gather = Gather::new();
    (0..batch.len()).for_each(|row| push_row(&batch, row, &mut gather));
    let block = Block::parse(Bytes::new(finish_as(&mut gather, true).unwrap().bytes)).unwrap();
    let all = Selection::all(block.rows());
    block.for_each_raw(&all, &mut |row, raw| assert_eq!(raw, batch.raw(row))).unwrap();
    for name in batch.names() {
        let (ours, theirs) = (block.column(&name, &all).unwrap(), batch.column(&name, &all).unwrap());
        all.iter().for_each(|row| assert_eq!(text(ours.get(row)), text(theirs.get(row)), "{name}"));
    }
}

#[test]
fn events_with_enormous_paths_are_cut_into_blocks_that_come_back() {
    let events: Vec<Event> = (0..50)
        .map(|event| json(format!("{{\"{event:0>4000}\":[{}1]}}", "1,".repeat(499))))
        .chain([json(r#"{"small":1}"#)])
        .collect();
    let batch = batch(&events, 1);
    let blocks = blocks(&[Arc::clone(&batch)]);
    assert_eq!(blocks.iter().map(Block::rows).sum::<usize>(), events.len());
    let mut first = 0;
    for block in &blocks {
        let all = Selection::all(block.rows());
        let mut rows = 0;
        let each = &mut |row: usize, raw: &[u8]| {
            rows += 1;
            assert_eq!(raw, batch.raw(first + row));
        };
        block.for_each_raw(&all, each).unwrap();
        assert_eq!(rows, block.rows());
        first += rows;
    }
}

#[test]
fn opaque_events_come_back_without_fields() {
    for event in [
        json(r#"{"a":"x\u0041","b":1}"#),
        (b"\xff".to_vec(), false, None),
        (b"text".to_vec(), false, Some(r#"{"c":"\n"}"#.into())),
        (br#"{"a":1}"#.to_vec(), true, Some(r#"{"c":2}"#.into())),
    ] {
        let batch = batch(&[event], 7);
        let encoded = finish_opaque(&[0], &|row, gather| push_row(&batch, *row, gather)).unwrap();
        let block = Block::parse(Bytes::new(encoded.bytes)).unwrap();
        let all = Selection::all(1);
        let check = |block: &Block| {
            block.for_each_raw(&all, &mut |_, raw| assert_eq!(raw, batch.raw(0))).unwrap();
            let attributes = batch.attributes(0).map_or("", |part| part.text());
            block.for_each_attributes(&all, &mut |_, text| assert_eq!(text, attributes.as_bytes())).unwrap();
            assert!(block.column("a", &all).unwrap().get(0).is_none());
        };
        check(&block);
        let stored = Stored::read(Arc::new(block)).unwrap();
        let mut gather = Gather::new();
        stored.push(0, 0, &mut gather);
        check(&Block::parse(Bytes::new(finish_as(&mut gather, false).unwrap().bytes)).unwrap());
    }
}

fn push_row<'a>(batch: &'a EventBatch, row: usize, gather: &mut Gather<'a>) {
    gather.push_event(batch.order_key(row), batch, 0, row);
}

#[test]
fn literals_are_found_however_values_spell_them() {
    let spelled =
        [r"a\/b", "a/b", r"\u0061/b", r#"say \"hi\" 1"#, r"tab\there", "plain", r"\n", r"C:\\x", "/b", "x"];
    let event = |i: usize| {
        let (log, other) = (spelled[i % 10], spelled[i / 10 % 10]);
        json(format!(r#"{{"n":{i},"log":"{log} {i}","other":"{other}","{i}x":"{other}"}}"#))
    };
    let events: Vec<Event> = (0..130).map(event).collect();
    check(
        &events,
        &["a/b", "/b", "\"hi\"", "\t", "there", "\n", "C:\\x", "\\", "a/b 1", "hi\" 1 3", "u0061"],
    );
}

#[test]
fn odd_events() {
    let mut events: Vec<Event> = Vec::new();
    for i in 0..40 {
        for line in [
            r#"{"a":1,"a":"x","a":2}"#,
            r#"{"a":{"b":[1,{"c":-0}],"d":{}},"e":[]}"#,
            "{ \"a\" : 1.50 }",
            r#"{"":"empty"}"#,
            r#"{"é\u00e9":"\ud83d\ude00 \n tab\t"}"#,
            r#"{"n":12345678901234567890,"m":1e5}"#,
            "not json",
            "{}",
            "",
            r#"{"#,
        ] {
            events.push(json(line));
        }
        events.push((b"\xff\xfe binary \x00 caf\xe9".to_vec(), false, None));
        events.push((format!("plain text number {i} from 10.0.0.{i}").into_bytes(), false, None));
        events.push((
            b"{\"a\":\"raw\"}".to_vec(),
            true,
            Some(format!(r#"{{"a":"attribute {i}","x":"q\"{i}"}}"#)),
        ));
        events.push((
            b"text".to_vec(),
            false,
            Some(r#"{"b":{"c":null},"#.to_owned() + r##""#app":"field"}"##),
        ));
    }
    check(
        &events,
        &[
            "attribute 1",
            "q\"3",
            "q\\\"3",
            "\n tab",
            "\u{1f600}",
            "é",
            "\u{fffd}",
            "binary \0",
            "\"a\":1,",
            "null",
            "a",
            "",
        ],
    );
}

#[test]
fn real_files() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data");
    let Ok(folders) = std::fs::read_dir(root) else {
        println!("absent, not tested: {root}");
        return;
    };
    for folder in folders.flatten() {
        for file in std::fs::read_dir(folder.path()).into_iter().flatten().flatten() {
            let bytes = std::fs::read(file.path()).unwrap();
            let lines = bytes.split(|byte| *byte == b'\n').take(1100);
            let is_json = file.path().extension().is_some_and(|kind| kind == "ndjson");
            let events: Vec<Event> = lines.map(|line| (line.to_vec(), is_json, None)).collect();
            println!("{:?}", file.path());
            // Literals cut out of the lines themselves: inside values, across them, at their borders.
            let cut = |i: usize| {
                let line = std::str::from_utf8(&events[i * 97 % events.len()].0).ok()?;
                let start = (i * 31 % (line.len() + 1)).min(line.len());
                line.get(start..(start + 2 + i * 5 % 23).min(line.len())).filter(|cut| !cut.is_empty())
            };
            let mut literals: Vec<&str> = (0..6).filter_map(cut).collect();
            literals.extend(["error", "\"", "2023-01-29T", "the"]);
            check(&events, &literals);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn any_events(lines in prop::collection::vec(prop_oneof![
        3 => r#"\{("[a-c]":("[a-z0-9 ]{0,6}"|[0-9]{1,3}|null),){0,4}"z":"([a-z]|\\n|\\u0041){0,4}"\}"#.prop_map(|line| (line.into_bytes(), true, None)),
        1 => "[a-z0-9 =\"]{0,20}".prop_map(|line| (line.into_bytes(), false, None)),
        1 => prop::collection::vec(any::<u8>(), 0..12).prop_map(|line| (line, false, None)),
        1 => "[a-z]{0,4}".prop_map(|line| (line.clone().into_bytes(), false, Some(format!(r#"{{"a":"{line}\t","k":[1,2]}}"#)))),
    ], 1..40), repeat in 1usize..40, literal in "[a-z0-9\":,\\t]{1,4}") {
        let many: Vec<Event> = lines.iter().cloned().cycle().take(lines.len() * repeat).collect();
        check(&many, &[&literal]);
    }
}
