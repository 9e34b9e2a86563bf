//! Whatever a segment file says, reading it is an error or an answer: never a panic, never memory without bound.
//!
//! The input is edits of a sound file (checksums are off under a fuzzer): a place and a byte each.
#![no_main]

use std::sync::{Arc, OnceLock};

use libfuzzer_sys::fuzz_target;
use weir_engine::event::{EventBatchBuilder, EventLimits, TagSet};
use weir_engine::store::block::encode_blocks;
use weir_engine::store::segment::{Segment, SegmentWriter};
use weir_query::compile::{Required, TextMatcher};
use weir_query::record::{Rows, Selection};

#[allow(unreachable_pub, dead_code)]
#[path = "../../engine/tests/laws/mixed.rs"]
mod mixed;

fn sound(seed: u8) -> &'static [u8] {
    static FILES: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    let files = FILES.get_or_init(|| (1..9).map(file).collect());
    files.get(usize::from(seed) % files.len()).map_or(&[], Vec::as_slice)
}

fn file(seed: u64) -> Vec<u8> {
    let mut state = seed;
    let mut draw = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below.max(1)
    };
    let mut builder = EventBatchBuilder::new(EventLimits::default());
    for (row, event) in mixed::events(&mut draw, 60 * seed as usize).iter().enumerate() {
        // The longer files have more values of a tag than facts list: these have keys.
        let id = (seed % 2 == 0).then(|| format!("id-{row}"));
        let tags = event.tag.iter().map(|tag| ("kind", tag)).chain(id.iter().map(|id| ("id", id)));
        let tags = Arc::new(TagSet::new(tags));
        let (nanos, attributes) = (Some(event.millis * 1_000_000), event.attributes.as_deref());
        let pushed = match event.json {
            true => builder.push_json(&event.raw, nanos, &tags, attributes),
            false => builder.push_text(&event.raw, nanos, &tags, attributes),
        };
        pushed.expect("drawn events are taken");
    }
    let batch = Arc::new(builder.finish(0).with_sequence(1));
    let mut writer = SegmentWriter::new(Vec::new(), 1).expect("memory can be written");
    encode_blocks(&[batch], |block| writer.push(block)).expect("drawn events come back");
    writer.finish().expect("memory can be written").0
}

fuzz_target!(|input: &[u8]| {
    let Some((seed, edits)) = input.split_first() else { return };
    let mut bytes = sound(*seed).to_vec();
    for edit in edits.chunks_exact(4) {
        let at = u32::from_le_bytes([edit[0], edit[1], edit[2], 0]) as usize % bytes.len();
        bytes[at] = edit[3];
    }
    let Ok(segment) = Segment::from_bytes(bytes.into(), 1) else { return };
    let text = Required::Text { literal: b"timeout".to_vec(), ignore_case: true };
    let tag = Required::OneOf { field: "#id".into(), values: vec!["id-7".into(), "id-300".into()] };
    for required in [text, tag] {
        let _ = segment.prune(&required, i64::MIN, i64::MAX);
    }
    let matchers = [
        TextMatcher::contains("timeout"),
        TextMatcher::contains("17"),
        TextMatcher::regex(regex::Regex::new("[0-9]+ .*k").expect("a regex")),
    ];
    for index in 0..segment.block_count() {
        let Ok(block) = segment.block(index) else { continue };
        let all = Selection::all(block.rows());
        let _ = block.for_each_raw(&all, &mut |_, _| {});
        for matcher in &matchers {
            let _ = block.search(matcher, &all);
            let _ = block.matching("message", matcher, &all);
            let _ = block.matching("#id", matcher, &all);
        }
        let _ = block.order();
        for name in block.names() {
            let _ = block.column(&name, &all);
        }
        let few: Vec<u32> = (0..block.rows() as u32).step_by(50).collect();
        let _ = block.pick(&block.names(), &few);
    }
    let _ = segment.verify();
    let mut merged = SegmentWriter::new(Vec::new(), 2).expect("memory can be written");
    let _ = Segment::merge(&[Arc::new(segment)], &mut merged);
});
