//! How far time has come, and what comes before its time.

use super::*;
use crate::live::{MAX_FUTURE_BUCKETS, WindowKind};

fn host(name: &str) -> Arc<TagSet> {
    Arc::new(TagSet::new([("host", name)]))
}

/// Seconds from `NOW` to the watermark of `m`.
fn watermark(live: &Live) -> Option<i64> {
    count_of(live, "m").watermark_nanos.map(|watermark| (watermark - NOW) / SECOND)
}

#[test]
fn the_watermark_is_that_of_the_slowest_source_that_sends() {
    let store = Store::new(64);
    let live = store.live(None);
    let seconds = Duration::from_secs;
    let patient =
        MetricDefinition { lateness: seconds(5), idle_timeout: seconds(20), ..definition("count()") };
    live.define("m", patient.clone()).unwrap();
    live.define("hasty", MetricDefinition { idle_timeout: seconds(1), ..patient }).unwrap();
    assert_eq!(watermark(&live), None);
    store.append_tagged(&[event(0, 1)], &host("fast"));
    assert_eq!(watermark(&live), Some(-5));
    store.append_tagged(&[event(40_000, 1)], &host("slow"));
    assert_eq!(watermark(&live), Some(-45));
    store.now.fetch_add(10 * SECOND, Ordering::Relaxed);
    store.append_tagged(&[event(-10_000, 1)], &host("fast"));
    assert_eq!(watermark(&live), Some(-45), "it is waited for");
    let hasty = count_of(&live, "hasty");
    assert_eq!(hasty.watermark_nanos, Some(NOW + 5 * SECOND), "but not by everyone");
    store.now.fetch_add(15 * SECOND, Ordering::Relaxed);
    assert_eq!(watermark(&live), Some(5), "it is idle");
    store.now.fetch_add(20 * SECOND, Ordering::Relaxed);
    assert_eq!(watermark(&live), Some(40), "all are");
}

#[test]
fn a_span_waits_for_its_slowest_source() {
    let store = Store::new(64);
    let live = store.live(None);
    let seconds = Duration::from_secs;
    let base = definition("count()").over(WindowKind::Tumbling);
    let base = MetricDefinition { idle_timeout: seconds(30), lateness: Duration::ZERO, ..base };
    live.define("m", base).unwrap();
    let end = |live: &Live| (count_of(live, "m").end_nanos - NOW) / SECOND;
    store.append_tagged(&[event(0, 1)], &host("fast"));
    store.append_tagged(&[event(10_000, 1)], &host("slow"));
    assert_eq!(end(&live), 39);
    store.now.fetch_add(45 * SECOND, Ordering::Relaxed);
    store.append_tagged(&[event(-45_000, 1)], &host("fast"));
    store.append_tagged(&[event(-30_000, 1)], &host("slow"));
    assert_eq!(end(&live), 39);
    store.append_tagged(&[event(-40_000, 1)], &host("slow"));
    assert_eq!(end(&live), 99);
}

#[test]
fn what_comes_before_its_time_is_read_when_it_has_come() {
    let store = Store::new(64);
    store.append(&[event(-500_000, 1)]);
    let live = store.live(None);
    live.define("m", definition("count()")).unwrap();
    assert!(live.settle(PATIENCE));
    store.append(&[event(-500_000, 2), event(-30_000, 3), event(0, 4)]);
    let result = count_of(&live, "m");
    assert_eq!((result.events, result.future, result.repaired, result.dropped), (1, 2, 0, 0));
    store.now.fetch_add(470 * SECOND, Ordering::Relaxed);
    store.append(&[event(-500_000, 5)]);
    let _starts = count_of(&live, "m");
    let result = count_of(&live, "m");
    assert_eq!((result.events, result.backfilling), (0, false));
    assert!((2..=3).contains(&result.repaired), "the last one came before they were read, or after");
    store.now.fetch_add(40 * SECOND, Ordering::Relaxed);
    store.append(&[event(-500_000, 6)]);
    let result = count_of(&live, "m");
    assert_eq!((result.events, result.dropped), (4, 0), "from history, from the feed, and before and after");
}

#[test]
fn so_many_buckets_before_their_time_are_known() {
    let store = Store::new(64);
    let live = store.live(None);
    live.define("m", definition("count()")).unwrap();
    let far =
        |buckets: usize| (0..buckets).map(|at| event(-500_000 - 5_000 * at as i64, 1)).collect::<Vec<_>>();
    store.append(&far(MAX_FUTURE_BUCKETS));
    assert_eq!(count_of(&live, "m").dropped, 0);
    store.append(&far(MAX_FUTURE_BUCKETS + 1));
    let result = count_of(&live, "m");
    assert_eq!((result.dropped, result.future), (1, 2 * MAX_FUTURE_BUCKETS as u64 + 1));
}
