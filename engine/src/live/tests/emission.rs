//! When results are pushed, and how they relate to each other.

use super::*;
use crate::live::{Refinement, Subscription, WindowKind};

const NONE: [u64; 0] = [];

pub(super) fn triggered(query: &str, trigger: &str) -> MetricDefinition {
    MetricDefinition { trigger: trigger.to_owned(), ..definition(query) }
}

/// A metric `m`, read to the end by its subscriber.
fn subscribed(store: &Arc<Store>, definition: MetricDefinition) -> (Arc<Live>, Subscription) {
    let live = store.live(None);
    live.define("m", definition).unwrap();
    assert!(live.settle(PATIENCE));
    let subscription = live.subscribe("m", None).unwrap();
    let _first = pushed(&subscription);
    (live, subscription)
}

/// Everything that is pushed within a while.
pub(super) fn pushed(subscription: &Subscription) -> Vec<Arc<LiveResult>> {
    let mut all = Vec::new();
    while let Received::Result { result, .. } = subscription.receive(Duration::from_millis(150)) {
        all.push(result);
    }
    all
}

fn events(subscription: &Subscription) -> Vec<u64> {
    pushed(subscription).iter().map(|result| result.events).collect()
}

/// How many events the results that are pushed have together, once they are `expected`, or there have been no more
/// for long.
fn events_up_to(expected: u64, subscription: &Subscription) -> u64 {
    let mut sum = 0;
    while sum < expected
        && let Received::Result { result, .. } = subscription.receive(PATIENCE)
    {
        sum += result.events;
    }
    sum
}

pub(super) fn some(count: u64) -> Vec<Event> {
    (0..count).map(|seed| event(0, seed)).collect()
}

#[test]
fn a_trigger_says_when_results_are_pushed() {
    for query in ["count()", "count() | emit(trigger=\"count(3)\")"] {
        let store = Store::new(64);
        let trigger = if query.contains("emit") { "count(100)" } else { "count(3)" };
        let (live, subscription) = subscribed(&store, triggered(query, trigger));
        store.append(&some(2));
        assert_eq!(count_of(&live, "m").events, 2, "who asks gets it");
        assert_eq!(events(&subscription), NONE, "{query}");
        store.append(&some(1));
        assert_eq!(events(&subscription), [3], "{query}");
        store.append(&some(2));
        assert_eq!(events(&subscription), NONE, "{query}");
    }
}

#[test]
fn time_triggers() {
    let store = Store::new(64);
    let (_live, subscription) = subscribed(&store, triggered("count()", "every(10s)"));
    store.append(&some(1));
    assert_eq!(events(&subscription), NONE);
    store.now.fetch_add(10 * SECOND, Ordering::Relaxed);
    assert_eq!(events(&subscription), [1]);
}

#[test]
fn the_watermark_triggers() {
    let store = Store::new(64);
    let patient = Duration::from_secs(1_000);
    let watermark = MetricDefinition { idle_timeout: patient, ..triggered("count()", "watermark") };
    let (_live, subscription) = subscribed(&store, watermark);
    store.append(&some(1));
    store.now.fetch_add(5 * SECOND, Ordering::Relaxed);
    assert_eq!(events(&subscription), NONE);
    store.append(&[event(-4_600, 1)]);
    assert_eq!(events(&subscription), [2], "another granule is complete");
    store.append(&[event(-4_700, 1)]);
    assert_eq!(events(&subscription), NONE);
}

#[test]
fn a_condition_triggers_when_it_becomes_true() {
    let store = Store::new(64);
    let (_live, subscription) = subscribed(&store, triggered("count()", "when(_count > 2)"));
    for (append, expected) in [(2, vec![]), (1, vec![3_u64]), (1, vec![])] {
        store.append(&some(append));
        assert_eq!(events(&subscription), expected);
    }
    // They leave the window, and others come.
    store.now.fetch_add(100 * SECOND, Ordering::Relaxed);
    assert_eq!(events(&subscription), NONE);
    store.append(&[event(-100_000, 1), event(-100_000, 1), event(-100_000, 1)]);
    assert_eq!(events(&subscription), [3]);
}

#[test]
fn discarding_results_add_up() {
    let store = Store::new(64);
    store.append(&some(4));
    let discarding = |trigger: &str| MetricDefinition {
        refinement: Refinement::Discarding,
        ..triggered("count()", trigger)
    };
    let live = store.live(None);
    live.define("m", discarding("count(3)")).unwrap();
    let subscription = live.subscribe("m", None).unwrap();
    let mut sum = events_up_to(4, &subscription);
    assert_eq!(sum, 4, "history is given out as what comes is, once");
    for append in [1, 2, 3, 5, 1, 1, 1] {
        store.append(&some(append));
        sum += events(&subscription).iter().sum::<u64>();
    }
    sum += events_up_to(18 - sum.min(18), &subscription);
    assert_eq!((sum, count_of(&live, "m").events), (18, 18));
    // A second one on the same state begins with what is there.
    live.define("n", discarding("")).unwrap();
    assert!(live.settle(PATIENCE));
    let second = live.subscribe("n", None).unwrap();
    assert_eq!(events_up_to(18, &second), 18, "nothing more has to come for that");
    store.append(&some(1));
    assert_eq!(events_up_to(1, &second), 1);
    assert!(live.drop_metric("n").unwrap());
    store.append(&some(2));
    assert_eq!(events_up_to(3, &subscription), 3);
}

#[test]
fn discarding_results_are_not_left_out_for_a_slow_reader() {
    let store = Store::new(64);
    let discarding =
        MetricDefinition { refinement: Refinement::Discarding, ..triggered("count()", "count(1)") };
    let (live, subscription) = subscribed(&store, discarding);
    for _ in 0..10 {
        store.append(&some(2));
        assert!(live.settle(PATIENCE));
    }
    assert_eq!(events_up_to(20, &subscription), 20);
}

#[test]
fn discarding_spans_are_told_apart() {
    let store = Store::new(64);
    let discarding = triggered("count()", "count(100)").over(WindowKind::Tumbling);
    let discarding = MetricDefinition { refinement: Refinement::Discarding, ..discarding };
    let (live, subscription) = subscribed(&store, discarding);
    store.append(&[event(0, 1), event(-39_000, 1), event(-40_000, 1)]);
    store.now.fetch_add(46 * SECOND, Ordering::Relaxed);
    store.append(&[event(-46_000, 1)]);
    assert!(live.settle(PATIENCE));
    let closed: Vec<_> = pushed(&subscription).iter().map(|result| (result.events, result.closed)).collect();
    assert_eq!(closed, [(2, true)], "what came early for the next is not in it");
    store.append(
        &some(100).iter().map(|one| Event { nanos: NOW + 46 * SECOND, ..one.clone() }).collect::<Vec<_>>(),
    );
    assert_eq!(events(&subscription), [102]);
}

#[test]
fn rows_that_changed_are_retracted() {
    let store = Store::new(64);
    let query = "groupBy(service) | emit(trigger=\"count(1)\", refinement=retracting)";
    let (live, subscription) = subscribed(&store, definition(query));
    let texts = |table: &ResultTable| -> Vec<String> {
        let cell = |row: usize, name: &str| table.text(row, name).unwrap_or_default().into_owned();
        (0..table.rows).map(|row| format!("{} {}", cell(row, "service"), cell(row, "_count"))).collect()
    };
    for (seeds, rows, retracted) in [
        (vec![0, 1], vec!["api 1", "web 1"], vec![]),
        (vec![1], vec!["api 1", "web 2"], vec!["web 1"]),
        (vec![2], vec!["api 1", "db 1", "web 2"], vec![]),
        (vec![0, 2], vec!["api 2", "db 2", "web 2"], vec!["api 1", "db 1"]),
    ] {
        store.append(&seeds.iter().map(|seed| event(0, *seed)).collect::<Vec<_>>());
        let all = pushed(&subscription);
        let [result] = all.as_slice() else { panic!("{} results", all.len()) };
        let (mut found, mut gone) = (texts(&result.table), texts(&result.retracted));
        found.sort_unstable();
        gone.sort_unstable();
        assert_eq!(
            (found, gone),
            (
                rows.iter().map(|row| (*row).to_owned()).collect(),
                retracted.iter().map(|row: &&str| (*row).to_owned()).collect()
            )
        );
    }
    let late = live.subscribe("m", None).unwrap();
    let first = pushed(&late);
    assert_eq!(
        first.first().map(|result| result.revision),
        Some(count_of(&live, "m").revision),
        "the one the next builds on"
    );
}

#[test]
fn what_cannot_trigger_is_refused() {
    let live = Store::new(1).live(None);
    let session = WindowKind::Session { gap: Duration::from_secs(5) };
    let discarding = |definition| MetricDefinition { refinement: Refinement::Discarding, ..definition };
    for (bad, what) in [
        (triggered("count()", "sometimes"), "at character 1: expected count"),
        (triggered("count()", "any(count(1), x)"), "at character 15"),
        (triggered("count()", "when(count())"), "may not aggregate"),
        (triggered("count()", "when(_count >)"), "when(_count >)"),
        (definition("count() | emit(trigger=\"sometimes\")"), "at character 1"),
        (definition("count() | emit(refinement=sometimes)"), "`sometimes` is no refinement"),
        (definition("emit(trigger=\"count(1)\") | count()"), "nothing may follow `emit`"),
        (discarding(definition("count()").over(session)), "session"),
    ] {
        let fault = live.define("m", bad.clone()).unwrap_err().to_string();
        assert!(fault.contains(what), "{bad:?}: {fault}");
    }
}
