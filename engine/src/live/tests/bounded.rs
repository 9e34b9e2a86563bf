//! Windows whose buckets are more than the bound of their metric: what is given up is read back, and nobody can tell.

use super::*;

const BOUND: usize = 1 << 20;

fn long(query: &str) -> MetricDefinition {
    MetricDefinition {
        window: Duration::from_secs(2_000),
        granule: Duration::from_secs(1),
        lateness: Duration::from_secs(1),
        max_bytes: BOUND,
        ..definition(query)
    }
}

/// The result, once what its window needs is read back.
fn read(live: &Live) -> Arc<LiveResult> {
    assert!(live.settle(PATIENCE));
    let _ = live.read("m").unwrap();
    count_of(live, "m")
}

#[test]
fn a_long_window_fits_into_a_small_bound() {
    let query = "groupBy([service, level], function=[count(), avg(latency), max(bytes)])";
    let store = Store::new(64);
    let past: Vec<Event> =
        (0..2_600).map(|age| event(age * 900, (age as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15))).collect();
    past.chunks(200).for_each(|events| store.append(events));
    let live = store.live(None);
    live.define("m", long(query)).unwrap();
    for step in 0..24 {
        let result = read(&live);
        assert!(result.table.warnings.is_empty() && result.dropped == 0, "{step}: {result:?}");
        assert!(result.state_bytes <= BOUND, "{step}: {}", result.state_bytes);
        let expected = rows_of(&scanned(&store, query, &result), OutputKind::Aggregate);
        assert_eq!(rows_of(&result.table, OutputKind::Aggregate), expected, "{step}");
        let by = [1, 1, 5, 40, 33][step % 5];
        let now = store.now.fetch_add(by * SECOND, Ordering::Relaxed) + by * SECOND;
        // New ones, and late ones into all of the window.
        let ages = (0..30).map(|number| (NOW - now) / 1_000_000 + number * number * 2_000);
        store.append(
            &ages.map(|age| event(age, (age as u64).wrapping_mul(77 + step as u64))).collect::<Vec<_>>(),
        );
    }
}
