//! Equal queries share one standing, and nobody can tell from the results.

use super::*;

/// Queries that share, and some that look at the range and cannot.
const SHARED: &[&str] = &[
    "count()",
    "count() | n := _count * 2",
    "level=error | groupBy(service)",
    "level=error  |  groupBy(service) | sort(_count, limit=2)",
    "groupBy(service, function=percentile(latency))",
    "timeChart(service)",
    "service=api",
];
const WINDOWS: [u64; 4] = [20, 60, 90, 200];

fn over(query: &str, window: u64) -> MetricDefinition {
    MetricDefinition {
        window: Duration::from_secs(window),
        lateness: Duration::from_secs(1),
        ..definition(query)
    }
}

#[test]
fn what_is_equal_up_to_the_first_aggregate_shares_one_state() {
    let store = Store::new(64);
    let live = store.live(None);
    store.append(&[event(1_000, 2 << 8), event(900, 0), event(800, 2 << 8 | 1)]);
    let base = || over("level=error | groupBy(service)", 60);
    let longer = MetricDefinition { lateness: Duration::from_secs(10), ..base() };
    let ranged = |query, window| over(query, window);
    for (name, definition, shared_by) in [
        ("a", base(), 1),
        ("b", over("level=error | groupBy( service )", 60), 2),
        ("c", over("level=error | groupBy(service) | sort(_count)", 20), 3),
        ("d", over("level=error | groupBy(service) | count()", 200), 4),
        ("e", over("level=info | groupBy(service)", 60), 1),
        ("f", over("level=error | groupBy(service, function=count(as=n))", 60), 1),
        ("g", longer, 1),
        ("h", MetricDefinition { granule: Duration::from_secs(1), ..base() }, 1),
        ("i", MetricDefinition { time: TimeBasis::Ingest, ..base() }, 1),
        ("j", MetricDefinition { timezone: "Europe/Berlin".to_owned(), ..base() }, 1),
        ("k", MetricDefinition { max_bytes: MIN_METRIC_BYTES, ..base() }, 1),
        ("l", ranged("timeChart(span=10s)", 60), 1),
        ("m", ranged("timeChart(span=10s)", 90), 1),
        ("n", ranged("timeChart(span=10s) | count()", 60), 2),
        ("o", ranged("age := now() - @timestamp | max(age)", 60), 1),
        ("p", ranged("age := now() - @timestamp | max(age)", 90), 1),
    ] {
        live.define(name, definition).unwrap();
        assert_eq!(live.metric(name).unwrap().shared_by, shared_by, "{name}");
    }
    let sharing = live.sharing(&base()).unwrap();
    assert_eq!((sharing.metrics, sharing.access.as_str()), (4, "level = \"error\" by hash"));
    assert_eq!(live.metric("a").unwrap().access, sharing.access);
    assert_eq!(live.sharing(&over("never=x", 60)).unwrap().metrics, 0);
    assert!(live.sharing(&over("groupBy(", 60)).is_err());
    let results: Vec<usize> = ["a", "b", "c", "d"].map(|name| count_of(&live, name).table.rows).into();
    assert_eq!(results, [2, 2, 2, 1]);
    for (name, left) in [("d", 3), ("a", 2), ("b", 1)] {
        assert!(live.drop_metric(name).unwrap());
        assert_eq!(live.metric("c").unwrap().shared_by, left, "without {name}");
    }
    let bytes = live.stats().state_bytes;
    assert!(
        live.drop_metric("c").unwrap() && live.stats().state_bytes < bytes,
        "the last one takes it along"
    );
}

#[test]
fn a_shared_state_is_not_read_again() {
    let store = Store::new(64);
    let live = store.live(None);
    store.append(&[event(50_000, 1), event(1_000, 1)]);
    live.define("a", over("count()", 60)).unwrap();
    assert!(live.settle(PATIENCE));
    for (name, window, backfilling) in [("b", 60, false), ("c", 20, false), ("d", 90, true)] {
        live.define(name, over("count()", window)).unwrap();
        let metric = live.shared.find(name).unwrap();
        let waiting = !metric.lock().standing.lock().backfills.is_empty();
        assert!(!waiting || backfilling, "{name}");
    }
    assert_eq!(["a", "b", "c", "d"].map(|name| count_of(&live, name).events), [2, 2, 1, 2]);
}

/// What happens to a repository while metrics come and go.
#[derive(Clone, Debug)]
enum Deed {
    Append(Vec<Event>),
    Define {
        name: usize,
        query: usize,
        window: usize,
    },
    Drop(usize),
    /// The live thread gets no further than one batch until the next one.
    Stall(bool),
    Later(i64),
    /// The index over the queries is made anew.
    Index,
    Settle,
}

fn deed() -> impl Strategy<Value = Deed> {
    let one = (0_i64..250_000, any::<u64>()).prop_map(|(age, seed)| event(age, seed));
    prop_oneof![
        4 => prop::collection::vec(one, 1..40).prop_map(Deed::Append),
        4 => (0..8_usize, 0..SHARED.len(), 0..WINDOWS.len())
            .prop_map(|(name, query, window)| Deed::Define { name, query, window }),
        1 => (0..8_usize).prop_map(Deed::Drop),
        2 => any::<bool>().prop_map(Deed::Stall),
        1 => (1_i64..30).prop_map(Deed::Later),
        2 => Just(Deed::Index),
        1 => Just(Deed::Settle),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 60, ..ProptestConfig::default() })]

    /// Whoever shares with whom, over whichever windows, defined, dropped and indexed whenever: live equals scan.
    #[test]
    fn sharing_does_not_show(deeds in prop::collection::vec(deed(), 4..30), feed_batches in prop::sample::select(vec![1_usize, 64])) {
        let store = Store::new(feed_batches);
        let live = store.live(None);
        live.shared.standings.patience.store(usize::MAX, Ordering::Relaxed);
        // With none left the thread would look whether it is over, and wait for the lock that stalls it.
        live.define("always", over("count()", 60)).unwrap();
        let mut defined: BTreeMap<String, (usize, usize)> = BTreeMap::new();
        let mut held = None;
        for deed in deeds {
            match deed {
                Deed::Append(events) => store.append(&events),
                Deed::Define { name, query, window } => {
                    let name = format!("m{name}");
                    live.define(&name, over(SHARED[query], WINDOWS[window])).unwrap();
                    defined.insert(name, (query, window));
                }
                Deed::Drop(name) => {
                    let name = format!("m{name}");
                    assert_eq!(live.drop_metric(&name).unwrap(), defined.remove(&name).is_some());
                }
                Deed::Stall(true) if held.is_none() => held = Some(live.shared.tails.lock()),
                Deed::Stall(_) => held = None,
                Deed::Later(seconds) => drop(store.now.fetch_add(seconds * SECOND, Ordering::Relaxed)),
                Deed::Index => live.shared.standings.make_index(),
                Deed::Settle => {
                    held = None;
                    assert!(live.settle(PATIENCE));
                }
            }
        }
        drop(held);
        assert!(live.settle(PATIENCE));
        for (name, (query, window)) in defined {
            let (query, result) = (SHARED[query], live.read(&name).unwrap());
            let kind = definition(query).compile(&Known::default()).unwrap().output_kind();
            let expected = rows_of(&scanned(&store, query, &result), kind);
            let window = WINDOWS[window];
            assert_eq!(rows_of(&result.table, kind), expected, "{name}: {query} over {window} s");
        }
    }
}
