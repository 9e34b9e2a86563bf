//! Pruning, counting, ending and taking turns, over blocks made up for it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use roaring::RoaringBitmap;
use weir_query::compile::Options;
use weir_query::program::Program;

use super::testing::{TestPart, places};
use super::{
    Candidates, MAX_RUNNING_SCANS, MAX_WAITING_SCANS, Scan, ScanEnd, ScanError, ScanOptions, ScanPool,
    ScanResult,
};

fn program(text: &str) -> Arc<Program> {
    Program::compile(text, &Options::default()).unwrap()
}

fn options(pool: &ScanPool) -> ScanOptions {
    ScanOptions { pool: Some(pool.clone()), ..ScanOptions::over_all_time() }
}

fn run(source: TestPart, options: ScanOptions) -> ScanResult {
    Scan::start(Arc::new(source), program("count()"), options).unwrap().wait().unwrap()
}

#[test]
fn every_row_in_range_is_stepped_once() {
    let pool = ScanPool::new(3);
    let blocks: Vec<_> = (0..5).map(|block| places(block * 5_000..(block + 1) * 5_000)).collect();
    let source = TestPart { blocks, ..TestPart::default() };
    for (start, end) in [(0, 25_000), (0, 0), (4_999, 5_001), (1_000, 24_000), (-5, 3), (24_999, 30_000)] {
        let mut options = options(&pool);
        (options.context.start_nanos, options.context.end_nanos) = (start, end);
        let result = run(source.clone(), options);
        let stats = result.stats;
        let expected = (0..25_000).filter(|nanos| (start..end).contains(nanos)).count() as u64;
        assert_eq!((stats.events_scanned, result.end), (expected, ScanEnd::Complete), "{start}..{end}");
        assert!(!result.partial);
        assert_eq!(stats.blocks, stats.blocks_scanned + stats.blocks_pruned_by_time, "{start}..{end}");
        assert_eq!(stats.granules, stats.granules_scanned + stats.granules_pruned_by_time);
    }
}

#[test]
fn sequences_bound_a_scan() {
    let pool = ScanPool::new(1);
    let source = TestPart { blocks: vec![places(0..100), places(100..200)], ..TestPart::default() };
    for (first, last, expected) in [(0, 99, 100), (99, 100, 2), (150, u64::MAX, 50), (200, 300, 0)] {
        let options = ScanOptions { first_sequence: first, last_sequence: last, ..options(&pool) };
        assert_eq!(run(source.clone(), options).stats.events_scanned, expected, "{first}..={last}");
    }
}

#[test]
fn the_index_leaves_granules_out() {
    let pool = ScanPool::new(2);
    let candidates = Some(Candidates {
        in_time: RoaringBitmap::from_iter(1..14),
        past_facts: RoaringBitmap::from_iter(1..12),
        granules: RoaringBitmap::from_iter([1_u32, 11]),
    });
    let blocks = vec![places(0..5_000), places(5_000..10_000), places(10_000..15_000)];
    let stats = run(TestPart { blocks, candidates, ..TestPart::default() }, options(&pool)).stats;
    assert_eq!((stats.blocks_scanned, stats.blocks_pruned_by_index), (2, 1));
    assert_eq!((stats.granules, stats.granules_scanned), (15, 2));
    let pruned =
        (stats.granules_pruned_by_time, stats.granules_pruned_by_facts, stats.granules_pruned_by_index);
    assert_eq!(pruned, (2, 2, 9));
    assert_eq!((stats.events_scanned, stats.bytes_scanned), (2_048, 204_800));
}

#[test]
fn a_granule_is_counted_once_at_the_edge_of_a_window() {
    let pool = ScanPool::new(2);
    // Pruning looks at all of the part; two of its four blocks are outside the window.
    let candidates = Some(Candidates {
        in_time: RoaringBitmap::from_iter(7..13),
        past_facts: RoaringBitmap::from_iter(8..13),
        granules: RoaringBitmap::from_iter([9_u32, 12]),
    });
    let blocks = (0..4).map(|block| places(block * 5_000..(block + 1) * 5_000)).collect();
    let mut options = options(&pool);
    (options.context.start_nanos, options.context.end_nanos) = (7_200, 13_000);
    let stats = run(TestPart { blocks, candidates, ..TestPart::default() }, options).stats;
    assert_eq!((stats.granules, stats.blocks_pruned_by_time), (20, 2));
    assert_eq!((stats.granules_pruned_by_time, stats.granules_scanned), (14, 2));
    assert_eq!((stats.granules_pruned_by_facts, stats.granules_pruned_by_index), (1, 3));
}

#[test]
fn damage_costs_what_is_damaged() {
    let pool = ScanPool::new(2);
    let blocks = vec![places(0..10), places(10..20), places(20..30)];
    let result = run(
        TestPart { blocks, damaged: vec![1], damaged_index: true, ..TestPart::default() },
        options(&pool),
    );
    assert_eq!((result.stats.events_scanned, result.stats.blocks_damaged), (20, 1));
    assert!(result.partial);
    assert_eq!(result.table.warnings.len(), 2, "{:?}", result.table.warnings);
}

fn slow(blocks: i64, delay: Duration) -> TestPart {
    let blocks = (0..blocks).map(|block| places(block * 10..block * 10 + 10)).collect();
    TestPart { blocks, delay, ..TestPart::default() }
}

#[test]
fn a_cancelled_scan_stops() {
    let pool = ScanPool::new(2);
    let scan =
        Scan::start(Arc::new(slow(2_000, Duration::from_millis(5))), program("count()"), options(&pool))
            .unwrap();
    assert!(scan.wait_for(Duration::from_millis(30)).unwrap().is_none());
    let begun = Instant::now();
    scan.partial().unwrap();
    scan.cancel();
    let result = scan.wait().unwrap();
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert_eq!((result.end, result.partial), (ScanEnd::Cancelled, true));
    assert!(result.stats.blocks_scanned < 2_000);
    assert_eq!(pool.load(), (0, 0));
}

#[test]
fn a_time_budget_ends_in_a_partial_answer() {
    let pool = ScanPool::new(2);
    let options = ScanOptions { time_budget: Some(Duration::from_millis(30)), ..options(&pool) };
    let result = run(slow(2_000, Duration::from_millis(5)), options);
    assert_eq!((result.end, result.partial), (ScanEnd::TimeBudget, true));
    assert!(result.elapsed < Duration::from_millis(150), "{:?}", result.elapsed);
}

#[test]
fn a_small_scan_does_not_wait_for_a_heavy_one() {
    let pool = ScanPool::new(2);
    let heavy =
        Scan::start(Arc::new(slow(5_000, Duration::from_millis(2))), program("count()"), options(&pool))
            .unwrap();
    let begun = Instant::now();
    run(slow(3, Duration::ZERO), options(&pool));
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert!(!heavy.progress().done);
}

#[test]
fn the_line_is_bounded() {
    let pool = ScanPool::new(1);
    let source = Arc::new(slow(20, Duration::from_millis(50)));
    let start = || Scan::start(source.clone(), program("count()"), options(&pool));
    let _most: Vec<_> = (0..MAX_RUNNING_SCANS + MAX_WAITING_SCANS).map(|_| start().unwrap()).collect();
    assert!(matches!(start(), Err(ScanError::Busy { .. })));
}

#[test]
fn an_empty_source_answers_at_once() {
    let result = run(TestPart::default(), options(&ScanPool::new(1)));
    assert_eq!((result.end, result.stats.blocks, result.partial), (ScanEnd::Complete, 0, false));
}

/// What is done within the head start needs no other thread; what is not is gone on with by the pool.
#[test]
fn a_head_start_is_gone_on_with() {
    let pool = ScanPool::new(2);
    for (head_start, ended) in [(Duration::from_secs(600), true), (Duration::from_nanos(1), false)] {
        let source = Arc::new(slow(40, Duration::from_millis(1)));
        let options = ScanOptions { head_start, ..options(&pool) };
        let scan = Scan::start(source, program("count()"), options).unwrap();
        assert!(!ended || scan.progress().done, "{head_start:?}");
        let result = scan.wait().unwrap();
        assert_eq!((result.end, result.partial, result.stats.blocks_scanned), (ScanEnd::Complete, false, 40));
    }
}
