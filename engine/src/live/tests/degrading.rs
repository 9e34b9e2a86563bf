//! A metric that was put off, and read from history now and then, is what one is that never was.

use super::emission::{pushed, some};
use super::restarts::{Saved, Step, after, equals_scan, same, same_spans, settled, steps};
use super::*;
use crate::live::deferral::{defer, resume};
use crate::live::standings;
use crate::live::{Degraded, DegradingOptions, Priority, Refinement, WindowKind};

/// What is done to some of the standings.
#[derive(Clone, Copy, Debug)]
pub(super) enum Turn {
    Nothing,
    Defer,
    Read,
    Resume,
}

fn turns() -> impl Strategy<Value = Vec<(Turn, usize)>> {
    let turn = prop::sample::select(vec![Turn::Nothing, Turn::Defer, Turn::Defer, Turn::Read, Turn::Resume]);
    prop::collection::vec((turn, 0_usize..4), 9)
}

/// Those of the metrics whose number is `part` modulo four; all of them where `part` is four.
fn some_of(live: &Live, part: usize) -> Vec<standings::Shared> {
    let all = live.shared.all().into_iter().enumerate();
    let chosen = all.filter(|(number, _)| part == 4 || number % 4 == part);
    chosen.map(|(_, metric)| Arc::clone(&metric.lock().standing)).collect()
}

pub(super) fn turn(live: &Live, (turn, part): (Turn, usize)) {
    for standing in some_of(live, part) {
        match turn {
            Turn::Nothing => {}
            Turn::Defer => defer(&live.shared, &standing, "a test"),
            Turn::Read => read(live, &standing),
            Turn::Resume => resume(&live.shared, &standing),
        }
    }
}

/// Reads what `standing` lacks, where it is put off and not being read.
fn read(live: &Live, standing: &standings::Shared) {
    let mut own = standing.lock();
    if own.is_deferred() && own.backfills.is_empty() {
        live.shared.reader().read_deferred(&mut own);
        drop(own);
        live.shared.standings.note_filling(Arc::clone(standing));
    }
}

/// All that is put off is as of now.
pub(super) fn read_all(live: &Live) {
    settled(live);
    some_of(live, 4).iter().for_each(|standing| read(live, standing));
    settled(live);
}

pub(super) fn resume_all(live: &Live) {
    turn(live, (Turn::Resume, 4));
    settled(live);
    assert!(live.list().iter().all(|metric| metric.degraded.is_none()));
    assert_eq!(live.stats().deferred, 0);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3, max_shrink_iters: 60, ..ProptestConfig::default() })]

    #[test]
    fn every_window_is_what_it_would_be(batches in windows::arrivals(), turns in turns(), pauses in prop::collection::vec(0_i64..40, 9), day in prop::sample::select(windows::DAYS.to_vec())) {
        let store = Store::new(64);
        store.now.store(day * SECOND, Ordering::Relaxed);
        let (live, still) = (store.live(None), store.live(None));
        for live in [&live, &still] {
            windows::define(live, |_| true);
        }
        for (at, batch) in batches.iter().enumerate() {
            let now = store.now.fetch_add(pauses[at] * SECOND, Ordering::Relaxed) + pauses[at] * SECOND;
            let events = batch.iter().map(|(age, seed)| windows::event_at(now - age * 1_000_000, *seed));
            store.append(&events.collect::<Vec<_>>());
            turn(&live, turns[at]);
        }
        read_all(&live);
        windows::check_spans(&store, &live, 3_000, "while some are put off");
        resume_all(&live);
        same_spans(&still, &live, "taken up");
        windows::check_spans(&store, &live, 3_000, "taken up");
        turn(&live, turns[0]);
        store.now.fetch_add(10_000 * SECOND, Ordering::Relaxed);
        resume_all(&live);
        same(&still, &live, "much later");
    }

    #[test]
    fn every_query_is_what_it_would_be(batches in stream(), turns in turns(), steps in steps(), feed_batches in prop::sample::select(vec![1_usize, 64])) {
        let store = Store::new(feed_batches);
        let saved = Saved::new(&store);
        let mut live = saved.open();
        define_all(&live, |_| true);
        for (at, batch) in batches.iter().enumerate() {
            store.append(batch);
            turn(&live, turns[at]);
            live = after(&saved, live, steps[at]);
        }
        read_all(&live);
        equals_scan(&store, &live, "while some are put off");
        live = after(&saved, live, (Step::Kill, false));
        equals_scan(&store, &live, "killed");
        turn(&live, turns[0]);
        store.append(&batches[0]);
        resume_all(&live);
        equals_scan(&store, &live, "taken up");
    }
}

fn degraded(live: &Live) -> Option<Degraded> {
    let degraded = live.read("m").unwrap().degraded.clone();
    assert_eq!(live.metric("m").unwrap().degraded, degraded);
    degraded
}

#[test]
fn results_are_of_the_last_reading_and_say_so() {
    let store = Store::new(64);
    let live = store.live(None);
    live.define("m", definition("count()")).unwrap();
    live.define("other", definition("service=* | count()")).unwrap();
    store.append(&some(2));
    assert_eq!((count_of(&live, "m").events, degraded(&live)), (2, None));
    let standing = Arc::clone(&live.shared.find("m").unwrap().lock().standing);
    defer(&live.shared, &standing, "too much");
    read_all(&live);
    let later = |seconds: i64| store.now.fetch_add(seconds * SECOND, Ordering::Relaxed) + seconds * SECOND;
    let now = later(20);
    store.append(&[event(-20_000, 1), event(-10_000, 2), event(-30_000, 3)]);
    let result = count_of(&live, "m");
    assert_eq!(
        (result.events, count_of(&live, "other").events),
        (2, 4),
        "of before, and one of them is ahead"
    );
    let as_of =
        |nanos| Some(Degraded { since_nanos: NOW, as_of_nanos: nanos, reason: Arc::from("too much") });
    assert_eq!((degraded(&live), result.backfilling), (as_of(NOW), false));
    assert!(result.end_nanos <= NOW + 5 * SECOND);
    read_all(&live);
    let result = count_of(&live, "m");
    assert_eq!((result.events, degraded(&live)), (4, as_of(now)));
    assert_eq!((live.stats().deferred, live.stats().deferrals), (1, 1));
    later(5);
    resume(&live.shared, &standing);
    assert_eq!((count_of(&live, "m").events, degraded(&live)), (count_of(&live, "other").events, None));
    live.drop_metric("m").unwrap();
    assert!(live.list().iter().all(|metric| metric.name == "other"));
}

#[test]
fn nothing_is_closed_on_what_is_not_read_yet() {
    let store = Store::new(64);
    let live = store.live(None);
    // It starts 20.5 s before now and ends 39.5 s after it.
    let tumbling = definition("count()").over(WindowKind::Tumbling);
    live.define("m", MetricDefinition { lateness: Duration::from_secs(5), ..tumbling }).unwrap();
    store.append(&some(1));
    assert_eq!(count_of(&live, "m").events, 1);
    let subscription = live.subscribe("m", None).unwrap();
    turn(&live, (Turn::Defer, 4));
    read_all(&live);
    store.now.fetch_add(30 * SECOND, Ordering::Relaxed);
    store.append(&[event(-30_000, 1), event(-29_000, 2)]);
    // Long ago it would have been given up.
    store.now.fetch_add(45 * SECOND, Ordering::Relaxed);
    store.append(&[event(-75_000, 1)]);
    assert!(live.settle(PATIENCE));
    assert!(pushed(&subscription).iter().all(|result| !result.closed && result.events == 1));
    read_all(&live);
    let ends: Vec<_> = pushed(&subscription).iter().map(|result| (result.closed, result.events)).collect();
    assert_eq!(ends, [(true, 3), (false, 1)]);
}

#[test]
fn what_is_discarded_is_given_out_once() {
    let store = Store::new(64);
    let live = store.live(None);
    let discarding = MetricDefinition { refinement: Refinement::Discarding, ..definition("count()") };
    live.define("m", discarding).unwrap();
    assert!(live.settle(PATIENCE));
    let subscription = live.subscribe("m", None).unwrap();
    for step in [Turn::Nothing, Turn::Defer, Turn::Read, Turn::Nothing, Turn::Resume, Turn::Nothing] {
        turn(&live, (step, 4));
        store.append(&some(7));
        settled(&live);
    }
    let given: u64 = pushed(&subscription).iter().map(|result| result.events).sum();
    assert_eq!(given, 42);
}

#[test]
fn metrics_that_share_have_the_highest_priority_of_them() {
    let store = Store::new(64);
    let live = store.live(None);
    let of = |priority| MetricDefinition { priority, ..definition("count()") };
    let highest = || some_of(&live, 4)[0].lock().priorities.highest();
    for (name, priority, expected) in [
        ("a", Priority::Low, Priority::Low),
        ("b", Priority::High, Priority::High),
        ("b", Priority::Low, Priority::Low),
        ("a", Priority::Normal, Priority::Normal),
    ] {
        live.define(name, of(priority)).unwrap();
        assert_eq!((highest(), live.stats().standings), (expected, 1), "{name} {priority:?}");
        assert_eq!(live.metric(name).unwrap().definition.priority, priority);
    }
    live.drop_metric("a").unwrap();
    assert_eq!(highest(), Priority::Low);
}

#[test]
fn what_a_metric_costs_is_told() {
    let store = Store::new(64);
    let live = store.live(None);
    live.define("m", definition("level=error | count()")).unwrap();
    live.define("none", definition("level=never | count()")).unwrap();
    let events: Vec<Event> = (0..60).map(|seed| event(0, seed << 8)).collect();
    for _ in 0..20 {
        store.append(&events);
        assert!(live.settle(PATIENCE));
    }
    let info = |name: &str| live.metric(name).unwrap();
    assert!(info("m").nanos_per_event > 0.0);
    let passed = count_of(&live, "m").events;
    assert!((passed..=1_200).contains(&info("m").events_seen), "{} of {passed}", info("m").events_seen);
    assert!(live.stats().costliest_nanos_per_event as f64 >= info("m").nanos_per_event.floor());
    let shared = live.sharing(&definition("level=error | count()")).unwrap();
    assert!(shared.nanos_per_event.is_some_and(|nanos| nanos > 0.0));
    assert_eq!(live.sharing(&definition("sum(bytes)")).unwrap().nanos_per_event, None);
}

/// A live path that is slower than its senders puts the costly query off, and nothing else; what is missing is there in
/// the end.
#[test]
fn who_falls_behind_puts_the_costly_off() {
    let store = Store::new(4);
    let mut options = store.options(None);
    let (begun, now) = (Instant::now(), Arc::clone(&store.now));
    options.clock = Arc::new(move || {
        now.fetch_max(NOW + i64::try_from(begun.elapsed().as_nanos()).unwrap(), Ordering::Relaxed);
        now.load(Ordering::Relaxed)
    });
    let interval = Duration::from_millis(100);
    options.degrading = DegradingOptions { max_lag: Duration::from_millis(40), interval };
    let live = Live::open(options).unwrap();
    let steps: Vec<String> = (1..200).map(|at| format!("x{at} := status * {at} + 1 |")).collect();
    let maxima: Vec<String> = (1..200).map(|at| format!("max(x{at}, as=m{at})")).collect();
    let costly = format!("{} groupBy(user, function=[{}])", steps.join(" "), maxima.join(", "));
    for (name, query) in [("costly", costly.as_str()), ("m", "count()")] {
        let window = Duration::from_secs(3_600);
        live.define(name, MetricDefinition { window, ..definition(query) }).unwrap();
    }
    let is_degraded = |name: &str| live.metric(name).unwrap().degraded.is_some();
    // Nothing but sending: whoever makes events or rests between them is not faster than a quiet machine.
    let events: Vec<Event> = (0..400).map(|seed| event(0, seed)).collect();
    let mut sent = 0;
    while !is_degraded("costly") {
        assert!(begun.elapsed() < Duration::from_secs(60), "it keeps up: {:?}", live.stats());
        store.append(&events);
        sent += events.len() as u64;
    }
    assert!(!is_degraded("m") && live.stats().deferrals == 1);
    let reason = live.read("costly").unwrap().degraded.clone().unwrap().reason;
    assert!(reason.contains("behind, of priority normal this took"), "{reason}");
    while is_degraded("costly") {
        assert!(begun.elapsed() < Duration::from_secs(60), "it is not taken up again: {:?}", live.stats());
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!((count_of(&live, "m").events, count_of(&live, "costly").events), (sent, sent));
    assert!(live.stats().deferred_reads > 0);
}
