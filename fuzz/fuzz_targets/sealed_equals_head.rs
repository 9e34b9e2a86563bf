//! A segment answers every question as the head does: pruning, facts and search on the encoded form lose nothing.
#![no_main]

use std::sync::{Arc, OnceLock};

use libfuzzer_sys::fuzz_target;
use weir_engine::Snapshot;
use weir_engine::event::{EventBatchBuilder, EventLimits, TagSet};
use weir_engine::scan::{Scan, ScanOptions, ScanPool};
use weir_engine::store::block::encode_blocks;
use weir_engine::store::segment::{Segment, SegmentWriter};
use weir_query::compile::Options;
use weir_query::machine::Context;
use weir_query::program::Program;

#[allow(unreachable_pub)]
#[path = "../../engine/tests/laws/mixed.rs"]
mod mixed;

const NOW: i64 = 1_700_000_000_000_000_000;

fn pool() -> &'static ScanPool {
    static POOL: OnceLock<ScanPool> = OnceLock::new();
    POOL.get_or_init(|| ScanPool::new(1))
}

fn ask(snapshot: &Arc<Snapshot>, program: &Arc<Program>) -> Vec<String> {
    let context = Context {
        now_millis: NOW / 1_000_000,
        start_nanos: NOW - 1,
        end_nanos: NOW + 1_000_000_000_000,
        ..Context::default()
    };
    let options = ScanOptions { pool: Some(pool().clone()), ..ScanOptions::new(context) };
    let snapshot = Arc::clone(snapshot);
    let table = Scan::start(snapshot, Arc::clone(program), options).unwrap().wait().unwrap().table;
    let row = |row: usize| {
        let cells =
            table.columns.iter().filter_map(|(name, column)| Some(format!("{name}={:?}", column.get(row)?)));
        let mut cells: Vec<String> = cells.collect();
        cells.sort_unstable();
        cells.join(" ").replace("Int(", "Text(").replace('"', "")
    };
    (0..table.rows).map(row).collect()
}

fuzz_target!(|bytes: &[u8]| {
    // Numbers come from the input while there is some, and from a counter after that.
    let mut left = bytes.iter();
    let mut counter = 0u64;
    let mut draw = |below: u64| {
        let mut value = 0u64;
        let wide = if below > 256 { 3 } else { 1 };
        for _ in 0..wide {
            counter += 1;
            value = value << 8 | left.next().map_or(counter & 0xff, |byte| u64::from(*byte));
        }
        value % below.max(1)
    };
    let count = 1 + draw(200) as usize;
    let events = mixed::events(&mut draw, count);
    let mut builder = EventBatchBuilder::new(EventLimits::default());
    for event in &events {
        let tags = event.tag.as_ref().map_or_else(TagSet::none, |tag| Arc::new(TagSet::new([("kind", tag)])));
        let (nanos, attributes) = (Some(NOW + event.millis * 1_000_000), event.attributes.as_deref());
        let pushed = match event.json {
            true => builder.push_json(&event.raw, nanos, &tags, attributes),
            false => builder.push_text(&event.raw, nanos, &tags, attributes),
        };
        pushed.expect("drawn events are taken");
    }
    let batch = Arc::new(builder.finish(NOW).with_sequence(1));
    let mut writer = SegmentWriter::new(Vec::new(), 1).unwrap();
    encode_blocks(std::slice::from_ref(&batch), |block| writer.push(block)).unwrap();
    let segment = Arc::new(Segment::from_bytes(writer.finish().unwrap().0.into(), 1).unwrap());
    let up_to_sequence = u64::MAX;
    let head = Arc::new(Snapshot { batches: vec![batch], up_to_sequence, ..Snapshot::default() });
    let sealed = Arc::new(Snapshot { segments: vec![segment], up_to_sequence, ..Snapshot::default() });
    for _ in 0..4 {
        let query = mixed::query(&mut draw, &events);
        let Ok(program) = Program::compile(&query, &Options::default()) else { continue };
        assert_eq!(ask(&sealed, &program), ask(&head, &program), "{query}");
    }
});
