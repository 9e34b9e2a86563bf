//! Whatever was saved, and whenever it was killed, a metric is what one that never stopped is.

use std::path::Path;

use super::emission::{pushed, some, triggered};
use super::windows;
use super::*;
use crate::live::saving::save;
use crate::live::{Refinement, SnapshotOptions, WindowKind, read_snapshot};

/// Live queries that are saved in a folder of their own, when a test says so.
pub(super) struct Saved {
    store: Arc<Store>,
    folder: tempfile::TempDir,
    max_bytes: u64,
    lasting: u64,
}

impl Saved {
    pub(super) fn new(store: &Arc<Store>) -> Saved {
        let folder = tempfile::tempdir().unwrap();
        Saved { store: Arc::clone(store), folder, max_bytes: u64::MAX, lasting: u64::MAX }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("snapshot")
    }

    pub(super) fn open(&self) -> Arc<Live> {
        let lasting = self.lasting;
        let mut options = self.store.options(Some(self.folder.path().join("metrics")));
        options.snapshots = Some(SnapshotOptions {
            path: self.path(),
            interval: Duration::from_secs(100_000),
            max_bytes: self.max_bytes,
            lasting: Arc::new(move || lasting),
        });
        Live::open(options).unwrap()
    }

    /// Ends `live` without its being saved.
    fn kill(&self, live: Arc<Live>) {
        let file = std::fs::read(self.path());
        drop(live);
        let _ = std::fs::remove_file(self.path());
        if let Ok(bytes) = file {
            std::fs::write(self.path(), bytes).unwrap();
        }
    }
}

/// All that can be seen of a result but what depends on when it was computed.
fn seen(live: &Live, name: &str) -> String {
    let result = live.read(name).unwrap();
    let LiveResult { start_nanos, end_nanos, events, closed, .. } = *result;
    let rows = windows::texts(&result.table);
    format!("{start_nanos}..{end_nanos} {events} {closed} {:?} {rows:?}", result.table.warnings)
}

pub(super) fn settled(live: &Live) {
    assert!(live.settle(PATIENCE));
    windows::settle_repairs(live);
}

pub(super) fn same(one: &Live, other: &Live, what: &str) {
    settled(one);
    settled(other);
    for metric in one.list() {
        assert_eq!(seen(other, &metric.name), seen(one, &metric.name), "{what}: {}", metric.name);
    }
}

/// As [`same`], but a span that has ended may be closed by one before it is by the other: how far sources had come was
/// saved a while ago.
pub(super) fn same_spans(one: &Live, other: &Live, what: &str) {
    settled(one);
    settled(other);
    for metric in one.list() {
        let ends = [one, other].map(|live| live.read(&metric.name).unwrap().end_nanos);
        let is_closing = matches!(metric.definition.kind, WindowKind::Tumbling | WindowKind::Calendar(_));
        if ends[0] == ends[1] || !is_closing {
            assert_eq!(seen(other, &metric.name), seen(one, &metric.name), "{what}: {}", metric.name);
        }
    }
}

/// What history answers is what `live` does. Events that were saved have texts in all columns.
pub(super) fn equals_scan(store: &Store, live: &Live, what: &str) {
    settled(live);
    for (number, query) in laws() {
        let result = live.read(&format!("q{number}")).unwrap();
        let expected = windows::texts(&scanned(store, query, &result));
        assert_eq!(windows::texts(&result.table), expected, "{what}: {query}");
    }
}

/// What happens after a batch.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    Nothing,
    Save,
    Kill,
    Close,
}

pub(super) fn steps() -> impl Strategy<Value = Vec<(Step, bool)>> {
    let step = prop_oneof![
        1 => Just(Step::Nothing),
        2 => Just(Step::Save),
        2 => Just(Step::Kill),
        1 => Just(Step::Close),
    ];
    prop::collection::vec((step, any::<bool>()), 9)
}

/// Does `step` with `live`, which is settled before it or not.
pub(super) fn after(saved: &Saved, live: Arc<Live>, (step, is_settled): (Step, bool)) -> Arc<Live> {
    if is_settled {
        settled(&live);
    }
    match step {
        Step::Nothing => return live,
        Step::Save => {
            save(&live.shared);
            return live;
        }
        Step::Kill => saved.kill(live),
        Step::Close => drop(live),
    }
    saved.open()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3, max_shrink_iters: 60, ..ProptestConfig::default() })]

    #[test]
    fn every_window_survives(batches in windows::arrivals(), steps in steps(), pauses in prop::collection::vec(0_i64..40, 9), day in prop::sample::select(windows::DAYS.to_vec())) {
        let store = Store::new(64);
        store.now.store(day * SECOND, Ordering::Relaxed);
        let (saved, still) = (Saved::new(&store), store.live(None));
        let mut live = saved.open();
        for live in [&live, &still] {
            windows::define(live, |_| true);
        }
        for (at, batch) in batches.iter().enumerate() {
            let now = store.now.fetch_add(pauses[at] * SECOND, Ordering::Relaxed) + pauses[at] * SECOND;
            let events = batch.iter().map(|(age, seed)| windows::event_at(now - age * 1_000_000, *seed));
            store.append(&events.collect::<Vec<_>>());
            live = after(&saved, live, steps[at]);
        }
        same_spans(&still, &live, "live");
        windows::check_spans(&store, &live, 3_000, "live");
        for (at, pause) in [15, 50, 90].into_iter().enumerate() {
            store.now.fetch_add(pause * SECOND, Ordering::Relaxed);
            live = after(&saved, live, steps[at]);
            same_spans(&still, &live, "later");
            windows::check_spans(&store, &live, 3_000, "later");
        }
        // Every span that was open then has been given up.
        store.now.fetch_add(10_000 * SECOND, Ordering::Relaxed);
        same(&still, &live, "much later");
        assert_eq!(live.problems(), Vec::<String>::new());
    }

    #[test]
    fn every_query_survives(batches in stream(), steps in steps(), feed_batches in prop::sample::select(vec![1_usize, 64])) {
        let store = Store::new(feed_batches);
        let saved = Saved::new(&store);
        let mut live = saved.open();
        define_all(&live, |_| true);
        for (at, batch) in batches.iter().enumerate() {
            store.append(batch);
            live = after(&saved, live, steps[at]);
        }
        equals_scan(&store, &live, "live");
        live = after(&saved, live, (Step::Close, true));
        equals_scan(&store, &live, "restarted");
        assert!(live.list().iter().all(|metric| metric.is_restored));
        store.now.fetch_add(20 * SECOND, Ordering::Relaxed);
        store.append(&batches[0]);
        equals_scan(&store, &live, "restarted, then more");
    }
}

#[test]
fn what_was_counted_goes_on() {
    let store = Store::new(64);
    let saved = Saved::new(&store);
    let live = saved.open();
    live.define("m", MetricDefinition { lateness: Duration::from_secs(10), ..definition("count()") })
        .unwrap();
    store.append(&[event(2_000, 1), event(1_000, 2), event(100, 1)]);
    settled(&live);
    store.append(&[
        event(30_000, 4),
        event(12_000, 5),
        event(-20_000, 6),
        event(500_000, 7),
        event(-600_000, 8),
    ]);
    let counted = |live: &Live| {
        let result = count_of(live, "m");
        let LiveResult { late, dropped, future, repaired, watermark_nanos, events, .. } = *result;
        (late, dropped, future, repaired, watermark_nanos, events)
    };
    let before = counted(&live);
    assert_eq!(before, (3, 1, 2, 0, Some(NOW - 10 * SECOND), 5));
    drop(live);
    let live = saved.open();
    assert_eq!(counted(&live), before);
    // The one that was too far ahead is read from history when its time has come.
    store.now.fetch_add(600 * SECOND, Ordering::Relaxed);
    drop(live);
    let live = saved.open();
    settled(&live);
    let (_, _, _, repaired, _, events) = counted(&live);
    assert_eq!((repaired, events), (1, 1));
}

#[test]
fn a_changed_metric_is_read_anew_and_a_longer_window_completed() {
    let store = Store::new(64);
    let saved = Saved::new(&store);
    let ages = [1_000, 70_000, 130_000, 300_000];
    store.append(&ages.map(|age| event(age, 1)));
    let live = saved.open();
    let over =
        |query: &str, seconds| MetricDefinition { window: Duration::from_secs(seconds), ..definition(query) };
    for (name, definition) in
        [("a", over("count()", 60)), ("b", over("count()", 200)), ("c", over("service=*", 60))]
    {
        live.define(name, definition).unwrap();
    }
    settled(&live);
    save(&live.shared);
    live.define("c", over("sum(status)", 60)).unwrap();
    live.define("d", over("count()", 1_000)).unwrap();
    saved.kill(live);
    store.append(&[event(2_000, 2)]);
    let live = saved.open();
    for (name, events, is_restored) in [("a", 2, true), ("b", 4, true), ("c", 2, false), ("d", 5, true)] {
        assert_eq!(count_of(&live, name).events, events, "{name}");
        let info = live.metric(name).unwrap();
        assert_eq!((info.is_restored, info.filled_after.is_some()), (is_restored, true), "{name}");
    }
    let stats = live.stats();
    assert_eq!((stats.restored, stats.rebuilt), (1, 1));
    assert!(stats.restore_nanos > 0 && stats.rebuild_nanos > 0);
}

/// Of a killed and a never stopped metric the same is pushed.
#[test]
fn triggers_go_on_where_they_were() {
    let discarding =
        |trigger| MetricDefinition { refinement: Refinement::Discarding, ..triggered("count()", trigger) };
    for (definition, before, after) in [
        (triggered("count()", "count(5)"), 3, 2),
        (triggered("count()", "count(5)"), 5, 4),
        (triggered("count()", "all(count(2), count(6))"), 4, 2),
        (triggered("count()", "then(count(3), count(4))"), 3, 4),
        (triggered("count()", "when(_count > 2)"), 3, 1),
        (discarding("count(5)"), 3, 2),
        (discarding(""), 1, 1),
        (triggered("count()", "count(5)").over(WindowKind::Tumbling), 3, 2),
    ] {
        let store = Store::new(64);
        let (saved, still) = (Saved::new(&store), store.live(None));
        let live = saved.open();
        let lives = [&live, &still];
        lives.iter().for_each(|live| live.define("m", definition.clone()).unwrap());
        lives.iter().for_each(|live| settled(live));
        let subscribed = lives.map(|live| live.subscribe("m", None).unwrap());
        store.append(&some(before));
        settled(&live);
        let _before = subscribed.each_ref().map(pushed);
        drop(live);
        let live = saved.open();
        settled(&live);
        assert!(live.metric("m").unwrap().is_restored, "{definition:?}");
        let again = live.subscribe("m", None).unwrap();
        let _present = pushed(&again);
        store.append(&some(after));
        let [killed, stayed] = [&again, &subscribed[1]].map(|pushes| {
            pushed(pushes).iter().map(|result| (result.events, result.closed)).collect::<Vec<_>>()
        });
        assert_eq!(killed, stayed, "{definition:?}");
    }
}

/// A snapshot of metrics of all kinds, and a store that has more by now.
fn damaged_world() -> (Arc<Store>, Saved, Vec<u8>) {
    let store = Store::new(64);
    let saved = Saved::new(&store);
    let live = saved.open();
    let gap = Duration::from_secs(5);
    for (number, query) in ["groupBy(service)", "level=error", "percentile(latency)"].iter().enumerate() {
        live.define(&format!("sliding{number}"), definition(query)).unwrap();
    }
    live.define("sessions", definition("count()").over(WindowKind::Session { gap })).unwrap();
    live.define("day", triggered("max(bytes)", "count(5)").over(WindowKind::Tumbling)).unwrap();
    let pane = MetricDefinition { refinement: Refinement::Discarding, ..definition("count()") };
    live.define("pane", pane).unwrap();
    store.append(&(0..12).map(|at| event(at * 4_000 - 8_000, at as u64 * 77)).collect::<Vec<_>>());
    settled(&live);
    let _ = live.read("day");
    drop(live);
    let bytes = std::fs::read(saved.path()).unwrap();
    store.append(&[event(3_000, 5)]);
    (store, saved, bytes)
}

fn is_right(store: &Arc<Store>, saved: &Saved, what: &str) -> (usize, usize) {
    let (live, still) = (saved.open(), store.live(Some(saved.folder.path().join("metrics"))));
    same(&still, &live, what);
    let restored = live.stats().restored;
    let problems = live.problems().len();
    saved.kill(live);
    (restored, problems)
}

#[test]
fn a_damaged_snapshot_is_put_aside_and_costs_a_backfill() {
    let (store, saved, good) = damaged_world();
    assert_eq!(read_snapshot(&good), Ok(6));
    assert_eq!(is_right(&store, &saved, "as it was"), (6, 0));
    for at in 0..good.len() {
        assert!(read_snapshot(&good[..at]).is_err(), "cut at {at}");
        for bit in 0..8 {
            let mut bad = good.clone();
            bad[at] ^= 1 << bit;
            assert!(read_snapshot(&bad).is_err(), "bit {bit} flipped at {at}");
        }
    }
    assert!(read_snapshot(&[good.clone(), good.clone()].concat()).is_err());
    let step = good.len() / 12;
    for (number, at) in (0..good.len()).step_by(step).enumerate() {
        let mut bad = good.clone();
        bad[at] ^= 4;
        std::fs::write(saved.path(), &bad).unwrap();
        assert_eq!(is_right(&store, &saved, &format!("damaged at {at}")), (0, 1));
        let aside = saved.folder.path().join(format!("snapshot.damaged-{number}"));
        assert_eq!(std::fs::read(aside).unwrap(), bad, "it is there still");
    }
    let mut other = frames(&good);
    other[0].1[1] = b'9';
    for (file, what) in
        [(Vec::new(), "early"), (forged(&other), "version 9"), (b"{\"a\":1}".to_vec(), "early")]
    {
        std::fs::write(saved.path(), &file).unwrap();
        let live = saved.open();
        assert!(live.problems()[0].contains(what), "{:?}", live.problems());
        saved.kill(live);
        assert_eq!(is_right(&store, &saved, what), (0, 0));
    }
}

/// The frames of a snapshot: kind and body.
fn frames(mut bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut frames = Vec::new();
    bytes = &bytes[16..];
    while !bytes.is_empty() {
        let length = u32::from_le_bytes(*bytes[1..].first_chunk().unwrap()) as usize;
        frames.push((bytes[0], bytes[5..5 + length].to_vec()));
        bytes = &bytes[9 + length..];
    }
    frames
}

/// A file of these frames, all checksums right.
fn forged(frames: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let (mut file, mut crc) = (Vec::new(), 0);
    let mut put = |bytes: &[u8], has_checksum: bool| {
        crc = crc32c::crc32c_append(crc, bytes);
        file.extend_from_slice(bytes);
        if has_checksum {
            file.extend_from_slice(&crc.to_le_bytes());
        }
    };
    put(b"WEIRLIVE\x01\0\0\0", true);
    for (kind, body) in frames {
        put(&[*kind], false);
        put(&(body.len() as u32).to_le_bytes(), false);
        put(body, true);
    }
    file
}

/// Whatever a file says whose checksums are right, it is read or refused.
#[test]
fn checksums_are_not_all_that_is_looked_at() {
    let (_store, saved, good) = damaged_world();
    let good = frames(&good);
    assert_eq!(read_snapshot(&forged(&good)), Ok(6));
    let mut number = 0;
    for at in 0..good.len() {
        let without: Vec<_> = good
            .iter()
            .enumerate()
            .filter(|(other, _)| *other != at)
            .map(|(_, frame)| frame.clone())
            .collect();
        assert!(read_snapshot(&forged(&without)).is_err(), "without frame {at}");
        for place in 0..good[at].1.len() {
            for byte in [0, 1, 2, 0x7f, 0x80, 0xff] {
                let mut bad = good.clone();
                bad[at].1[place] = byte;
                let bad = forged(&bad);
                let is_read = read_snapshot(&bad).is_ok();
                number += 1;
                if is_read && number % 211 == 0 {
                    std::fs::write(saved.path(), &bad).unwrap();
                    let live = saved.open();
                    assert!(live.settle(PATIENCE));
                    for metric in live.list() {
                        let _ = live.read(&metric.name);
                        assert!(!metric.problem.contains("internal"), "{at} {place} {byte}");
                    }
                    saved.kill(live);
                }
            }
            let mut cut = good.clone();
            cut[at].1.truncate(place);
            // Parts are as many as there are.
            let is_parts = cut[at].0 == 3;
            assert!(read_snapshot(&forged(&cut)).is_err() || is_parts, "frame {at} cut at {place}");
        }
    }
}

#[test]
fn a_log_that_lost_its_end_makes_a_snapshot_worthless() {
    let (store, saved, _) = damaged_world();
    // All is gone but one event.
    store.batches.lock().clear();
    store.append(&[event(3_000, 5)]);
    assert_eq!(is_right(&store, &saved, "a shorter log"), (0, 1));
    let live = saved.open();
    assert_eq!(live.problems(), Vec::<String>::new());
    settled(&live);
    drop(live);
    assert_eq!(is_right(&store, &saved, "saved anew"), (6, 0));
}

#[test]
fn what_has_no_room_is_left_out() {
    let (store, mut saved, good) = damaged_world();
    for (max_bytes, restored) in [(good.len() as u64, 6), (good.len() as u64 - 100, 5), (10, 0)] {
        std::fs::write(saved.path(), &good).unwrap();
        saved.max_bytes = max_bytes;
        let live = saved.open();
        settled(&live);
        // So that there is something to be saved again.
        live.define("sliding0", definition("groupBy(service)")).unwrap();
        save(&live.shared);
        let stats = live.stats();
        saved.kill(live);
        assert!(stats.snapshots == 1 && stats.snapshot_failures == 0, "{stats:?}");
        let kept = is_right(&store, &saved, &format!("{max_bytes} bytes")).0;
        assert!(kept <= restored && (kept > 0) == (restored > 0), "{kept} of {restored}");
        assert_eq!(stats.snapshot_left_out, 6 - kept as u64);
    }
}

#[test]
fn events_that_may_be_lost_are_in_no_snapshot() {
    let store = Store::new(64);
    let mut saved = Saved::new(&store);
    for (lasting, is_there) in [(4, false), (5, true)] {
        saved.lasting = lasting;
        let live = saved.open();
        live.define("m", definition("count()")).unwrap();
        if lasting == 4 {
            store.append(&some(5));
        }
        settled(&live);
        save(&live.shared);
        assert_eq!((saved.path().exists(), live.stats().snapshot_failures), (is_there, 0), "{lasting}");
        saved.kill(live);
    }
    assert!(names(saved.folder.path()).iter().all(|name| !name.ends_with(".new")));
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn nothing_new_is_not_saved_again_and_a_failure_is_counted() {
    let store = Store::new(64);
    let saved = Saved::new(&store);
    let live = saved.open();
    live.define("m", definition("count()")).unwrap();
    store.append(&some(5));
    settled(&live);
    save(&live.shared);
    save(&live.shared);
    assert_eq!(live.stats().snapshots, 1);
    std::fs::remove_file(saved.path()).unwrap();
    std::fs::create_dir(saved.path()).unwrap();
    std::fs::write(saved.path().join("in-the-way"), b"").unwrap();
    store.append(&some(1));
    settled(&live);
    save(&live.shared);
    assert_eq!((live.stats().snapshots, live.stats().snapshot_failures), (1, 1));
}

#[test]
fn snapshots_are_written_when_they_are_due() {
    let store = Store::new(64);
    let saved = Saved::new(&store);
    let mut options = store.options(Some(saved.folder.path().join("metrics")));
    options.snapshots = Some(SnapshotOptions {
        path: saved.path(),
        interval: Duration::from_millis(1),
        max_bytes: u64::MAX,
        lasting: Arc::new(|| u64::MAX),
    });
    let live = Live::open(options).unwrap();
    live.define("m", definition("count()")).unwrap();
    let until = Instant::now() + PATIENCE;
    while !saved.path().exists() {
        assert!(Instant::now() < until, "none is written");
        std::thread::sleep(Duration::from_millis(1));
    }
}
