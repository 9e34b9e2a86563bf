//! One answer, whether events lie in the head as they came or in a segment as skeletons and columns: the head reads every
//! event, the segment prunes, answers from facts and searches what is encoded.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail where it stands"
)]

use std::sync::Arc;

use weir_engine::Snapshot;
use weir_engine::event::{EventBatch, EventBatchBuilder, EventLimits, TagSet};
use weir_engine::scan::{Scan, ScanOptions, ScanPool};
use weir_engine::store::block::encode_blocks;
use weir_engine::store::segment::{Segment, SegmentWriter};
use weir_query::compile::Options;
use weir_query::machine::Context;
use weir_query::program::{OutputKind, Program};
use weir_query::result::ResultTable;

#[allow(unreachable_pub, reason = "the fuzz target uses the file too")]
#[path = "laws/mixed.rs"]
mod mixed;

const NOW: i64 = 1_700_000_000_000_000_000;

/// A small generator, so that every run sees the same events (xorshift*, Marsaglia 2003, Vigna 2016).
fn random(seed: u64) -> impl FnMut(u64) -> u64 {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    move |below| {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        (state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 20) % below.max(1)
    }
}

/// The batch of these events; the first of them has sequence `first`.
fn batch(events: &[mixed::Given], first: u64) -> Arc<EventBatch> {
    let mut builder = EventBatchBuilder::new(EventLimits::default());
    for event in events {
        let tags = event.tag.as_ref().map_or_else(TagSet::none, |tag| Arc::new(TagSet::new([("kind", tag)])));
        let (nanos, attributes) = (Some(NOW + event.millis * 1_000_000), event.attributes.as_deref());
        match event.json {
            true => builder.push_json(&event.raw, nanos, &tags, attributes).unwrap(),
            false => builder.push_text(&event.raw, nanos, &tags, attributes).unwrap(),
        };
    }
    Arc::new(builder.finish(NOW).with_sequence(first))
}

fn segment(batches: &[Arc<EventBatch>], id: u64) -> Arc<Segment> {
    let mut writer = SegmentWriter::new(Vec::new(), id).unwrap();
    encode_blocks(batches, |block| writer.push(block)).unwrap();
    Arc::new(Segment::from_bytes(writer.finish().unwrap().0.into(), id).unwrap())
}

fn merged(segments: &[Arc<Segment>], id: u64) -> Arc<Segment> {
    let mut writer = SegmentWriter::new(Vec::new(), id).unwrap();
    Segment::merge(segments, &mut writer).unwrap();
    Arc::new(Segment::from_bytes(writer.finish().unwrap().0.into(), id).unwrap())
}

/// The same events, laid out as a store may have them: in one block, in several segments, merged, in part still in
/// the head.
fn stored(draw: mixed::Draw<'_>, events: &[mixed::Given]) -> Snapshot {
    let mut batches = Vec::new();
    let (mut rest, mut first) = (events, 1);
    let portions = draw(2) * draw(5);
    for portion in (0..=portions).rev() {
        let len = if portion == 0 { rest.len() } else { draw(rest.len() as u64) as usize };
        let (own, others) = rest.split_at(len);
        if !own.is_empty() {
            batches.push(batch(own, first));
        }
        (rest, first) = (others, first + len as u64);
    }
    let in_head = if draw(3) == 0 { batches.split_off(batches.len() / 2) } else { Vec::new() };
    let segments = match draw(3) {
        _ if batches.is_empty() => Vec::new(),
        0 => vec![segment(&batches, 1)],
        layout => {
            let segments: Vec<_> =
                (1..).zip(&batches).map(|(id, one)| segment(std::slice::from_ref(one), id)).collect();
            if layout == 1 { segments } else { vec![merged(&segments, 100)] }
        }
    };
    Snapshot { segments, batches: in_head, up_to_sequence: u64::MAX, ..Snapshot::default() }
}

fn rows_of(table: &ResultTable, kind: OutputKind) -> Vec<String> {
    let row = |row: usize| {
        let cells =
            table.columns.iter().filter_map(|(name, column)| Some(format!("{name}={:?}", column.get(row)?)));
        let mut cells: Vec<String> = cells.collect();
        if kind == OutputKind::Events {
            cells.sort_unstable();
        }
        cells.join(" ").replace("Int(", "Text(").replace('"', "")
    };
    (0..table.rows).map(row).collect()
}

fn ask(snapshot: &Arc<Snapshot>, program: &Arc<Program>, pool: &ScanPool, range: (i64, i64)) -> Vec<String> {
    let (start_nanos, end_nanos) = range;
    let context = Context { now_millis: NOW / 1_000_000, start_nanos, end_nanos, ..Context::default() };
    let options = ScanOptions { pool: Some(pool.clone()), ..ScanOptions::new(context) };
    let snapshot = Arc::clone(snapshot);
    let result = Scan::start(snapshot, Arc::clone(program), options).unwrap().wait().unwrap();
    assert!(!result.partial, "{:?}", result.table.warnings);
    let stats = &result.stats;
    let pruned =
        stats.granules_pruned_by_time + stats.granules_pruned_by_facts + stats.granules_pruned_by_index;
    let answered = stats.granules_answered_by_facts + stats.granules_answered_by_states;
    assert!(stats.granules_scanned + pruned + answered <= stats.granules, "counted twice: {stats:?}");
    rows_of(&result.table, program.output_kind())
}

/// Draws a corpus and asks `questions` about it; how many of them compiled and found something.
fn check(seed: u64, rows: usize, questions: usize, pool: &ScanPool) -> usize {
    let mut draw = random(seed);
    let events = mixed::events(&mut draw, rows);
    let head = Arc::new(Snapshot {
        batches: vec![batch(&events, 1)],
        up_to_sequence: u64::MAX,
        ..Snapshot::default()
    });
    let stored = Arc::new(stored(&mut draw, &events));
    let last = NOW + events.iter().map(|event| event.millis).max().unwrap_or(0) * 1_000_000;
    let mut found = 0;
    for _ in 0..questions {
        let query = mixed::query(&mut draw, &events);
        let Ok(program) = Program::compile(&query, &Options::default()) else { continue };
        let middle = NOW + (last - NOW) / 1_000 * draw(1_000) as i64;
        let range = [(NOW - 1, last + 1), (middle, last + 1), (NOW - 1, middle)][draw(3) as usize];
        let expected = ask(&head, &program, pool, range);
        // Twice: what was kept of the first answer must not change the second.
        for time in ["first", "second"] {
            let answer = ask(&stored, &program, pool, range);
            let differs = answer.iter().zip(&expected).find(|(one, other)| one != other);
            let told = (differs, answer.len());
            assert_eq!(told, (None, expected.len()), "seed {seed}, {time} time, {range:?}: {query}");
        }
        found += usize::from(expected.iter().any(|row| row != "_count=Text(0)"));
    }
    found
}

#[test]
fn a_segment_answers_as_the_head_does() {
    let pool = ScanPool::new(2);
    let mut found = 0;
    for seed in 0..24 {
        let rows = [3, 60, 400, 1_100, 2_500][seed as usize % 5];
        found += check(seed, rows, 60, &pool);
    }
    assert!(found > 500, "most questions find something: {found}");
}

/// A number from the environment.
fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|number| number.parse().ok())
}

/// Draws until it is stopped or has found something: `WEIR_ROUNDS=100000 cargo test -p weir-engine --test sealed -- --ignored`.
/// `WEIR_SEED` is the first seed: another one asks other questions.
#[test]
#[ignore = "a long run"]
fn a_segment_answers_as_the_head_does_for_long() {
    let pool = ScanPool::new(2);
    let (first, rounds) = (number("WEIR_SEED").unwrap_or(1_000), number("WEIR_ROUNDS").unwrap_or(1_000));
    for seed in first..first + rounds {
        // Most stores are small, so that many are asked; some have many granules.
        let rows = if seed % 40 == 0 { 12_000 } else { 30 + (seed as usize * 37) % 1_500 };
        check(seed, rows, 40, &pool);
    }
}
