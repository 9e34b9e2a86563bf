//! The store as a whole: append, seal, merge, expire, release, restart, and a crash at every step of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use weir_query::record::{Rows, Selection};

use super::*;
use crate::config::{IdempotencyKey, Level};
use crate::error::AppendError;
use crate::event::{EventBatch, EventBatchBuilder, EventLimits, TagSet};
use crate::store::check::{Severity, check};
use crate::store::files::memory::{Crash, Fault, MemoryFiles, Planted};
use crate::store::log::file;
use crate::store::log::writer::{Append, LogWriter, Outcome};
use crate::store::snapshot::Snapshot;

struct Opened {
    store: Store,
    writer: LogWriter,
}

fn config() -> EngineConfig {
    EngineConfig { log_file_bytes: 1_024, merge_fan_in: 2, min_free_bytes: 0, ..EngineConfig::new("memory") }
}

fn open(memory: &MemoryFiles) -> Result<Opened, EngineError> {
    let (store, writer) = Store::open(Files::Memory(memory.clone()), config())?;
    Ok(Opened { store, writer })
}

fn batch(first: usize, count: usize) -> EventBatch {
    let mut builder = EventBatchBuilder::new(EventLimits::default());
    for number in first..first + count {
        let line = format!("{{\"number\":{number},\"service\":\"s{}\"}}", number % 3);
        builder.push_json(line.as_bytes(), Some(number as i64 * 1_000), &TagSet::none(), None).unwrap();
    }
    builder.finish(7)
}

impl Opened {
    /// Appends `count` events numbered from `first`, synced; their first sequence.
    fn append(
        &mut self,
        name: &str,
        first: usize,
        count: usize,
        key: Option<&str>,
    ) -> Result<u64, AppendError> {
        let repository = self.store.create_repository(name).map_err(|_| AppendError::Closed)?;
        let batch = batch(first, count);
        let payload = batch.log_payload();
        let append = Append {
            repository: repository.id(),
            payload_crc: payload.crc(),
            content_crc: key.map_or(0, |_| batch.content_crc()),
            payload,
            events: count as u32,
            key: key.map(|key| IdempotencyKey::new(key).unwrap()),
            level: Level::Fsync,
        };
        let outcome = self.writer.append(&[&append], now_nanos()).remove(0);
        self.writer.sync(now_nanos())?;
        match outcome {
            Outcome::Taken { base } => {
                repository.publish(Arc::new(batch.with_sequence(base).with_repository(repository.name())));
                Ok(base)
            }
            Outcome::Known(known) => Ok(known.first_sequence),
            Outcome::Refused(error) => Err(error),
        }
    }

    fn seal(&self, name: &str) -> Result<(), StoreError> {
        let Some(repository) = self.store.repository(name) else { return Ok(()) };
        repository.freeze_older(Duration::ZERO);
        self.store.seal_frozen(&repository)
    }

    fn merge(&self, name: &str) -> Result<bool, StoreError> {
        let Some(repository) = self.store.repository(name) else { return Ok(false) };
        self.store.merge_next(&repository)
    }

    fn snapshot(&self, name: &str) -> Arc<Snapshot> {
        self.store.repository(name).unwrap().snapshot()
    }
}

/// Every event of a snapshot by sequence; panics when one is there twice.
fn events(snapshot: &Snapshot) -> BTreeMap<u64, String> {
    let mut events = BTreeMap::new();
    let mut add = |sequence: u64, raw: &[u8]| {
        let raw = String::from_utf8(raw.to_vec()).unwrap();
        assert_eq!(events.insert(sequence, raw), None, "sequence {sequence} is there twice");
    };
    for segment in &snapshot.segments {
        for place in 0..segment.block_count() {
            let block = segment.block(place).unwrap();
            let order = block.order().unwrap();
            block
                .for_each_raw(&Selection::all(block.len()), &mut |row, raw| add(order[row].sequence, raw))
                .unwrap();
        }
    }
    for batch in &snapshot.batches {
        (0..batch.len()).for_each(|row| add(batch.sequence(row), batch.raw(row)));
    }
    assert!(events.keys().all(|sequence| *sequence <= snapshot.up_to_sequence));
    events
}

/// What was acknowledged: the first sequence of a batch, its first number, its length.
type Acknowledged = Vec<(u64, usize, usize)>;

/// A fixed series of everything a store does. Stops at the first step that fails, as a crashed process does.
fn run_series(opened: &mut Opened, acknowledged: &mut Acknowledged, rounds: usize) -> Option<()> {
    let mut number = acknowledged.len() * 100;
    for round in 0..rounds {
        for name in ["web", "db", "web"] {
            let count = 3 + round;
            let base = opened.append(name, number, count, Some(&format!("key {number}"))).ok()?;
            acknowledged.push((base, number, count));
            number += 100;
        }
        opened.seal("web").ok()?;
        if round % 2 == 1 {
            opened.seal("db").ok()?;
        }
        opened.store.release_log().ok()?;
        opened.merge("web").ok()?;
        opened.store.remove_retired();
    }
    Some(())
}

fn check_all(opened: &Opened, acknowledged: &Acknowledged, what: &str) {
    let mut found = BTreeMap::new();
    for repository in opened.store.repositories() {
        let snapshot = repository.snapshot();
        assert!(snapshot.missing.is_empty(), "{what}: {:?}", snapshot.missing);
        found.extend(events(&snapshot));
    }
    for (base, first, count) in acknowledged {
        let batch = batch(*first, *count);
        for row in 0..*count {
            let raw = found.remove(&(base + row as u64));
            assert_eq!(
                raw.as_deref().map(str::as_bytes),
                Some(batch.raw(row)),
                "{what}: event {row} of batch {base}"
            );
        }
    }
    // A batch under way at the crash may be there, whole or not at all.
    assert!([0, 3, 4, 5, 6].contains(&found.len()), "{what}: {found:?}");
    assert_eq!(opened.store.counters.damaged.get(), 0, "{what}");
}

#[test]
fn events_are_sealed_merged_and_found_after_restarts() {
    let memory = MemoryFiles::fragile();
    let mut opened = open(&memory).unwrap();
    let mut acknowledged = Vec::new();
    run_series(&mut opened, &mut acknowledged, 4).unwrap();
    assert_eq!(acknowledged.len(), 12);
    check_all(&opened, &acknowledged, "running");
    assert!(opened.store.counters.merges.get() > 0 && opened.store.counters.blocks_sealed.get() >= 6);
    let report = check(&opened.store.files).unwrap();
    assert!(report.findings.is_empty(), "{:?}", report.findings);
    drop(opened);
    let opened = open(&memory).unwrap();
    check_all(&opened, &acknowledged, "after a restart");
    assert!(opened.snapshot("web").batches.is_empty());
    let fields = opened.snapshot("web").fields();
    let names: Vec<(&str, bool)> =
        fields.iter().map(|field| (&*field.name, field.numbers == field.events)).collect();
    assert_eq!(names, [("number", true), ("service", false)]);
    // What facts list is what the head had before it was sealed.
    let values = opened.snapshot("web").values("service");
    let events: u64 = values.iter().map(|(_, events)| events).sum();
    assert_eq!(Some(events), fields.iter().find(|field| field.name == "service").map(|field| field.events));
    assert!(values.is_sorted_by_key(|(_, events)| std::cmp::Reverse(*events)), "{values:?}");
    assert!(opened.snapshot("web").values("nothing").is_empty());
}

/// Runs the series on files that crash at operation `operation`, and looks at what is left by `crash`.
fn crash_at(operation: u64, crash: Crash, rounds: usize) {
    let memory = MemoryFiles::fragile();
    memory.fail_at(operation, Fault::Crash);
    let mut acknowledged = Vec::new();
    if let Ok(mut opened) = open(&memory) {
        let _ = run_series(&mut opened, &mut acknowledged, rounds);
    }
    let what = format!("{crash:?} at {operation}: {:?}", memory.trace().last());
    let after = memory.crash(crash);
    let mut opened = open(&after).unwrap();
    check_all(&opened, &acknowledged, &what);
    // Sent again with their keys: known, every one.
    for (base, number, count) in acknowledged.clone() {
        let name = if number / 100 % 3 == 1 { "db" } else { "web" };
        let again = opened.append(name, number, count, Some(&format!("key {number}")));
        assert_eq!(again, Ok(base), "{what}: key {number}");
    }
    let base = opened.append("web", 9_900, 3, None).unwrap();
    assert!(acknowledged.iter().all(|batch| base > batch.0 + batch.2 as u64), "{what}: numbering");
    acknowledged.push((base, 9_900, 3));
    opened.seal("web").unwrap();
    opened.seal("db").unwrap();
    opened.store.release_log().unwrap();
    check_all(&opened, &acknowledged, &what);
    let opened = open(&after.crash(Crash::Clean)).unwrap();
    check_all(&opened, &acknowledged, &format!("{what}, and once more"));
}

fn operations(rounds: usize) -> u64 {
    let whole = MemoryFiles::fragile();
    run_series(&mut open(&whole).unwrap(), &mut Vec::new(), rounds).unwrap();
    whole.operations()
}

#[test]
fn a_crash_at_any_operation_loses_and_doubles_nothing() {
    for operation in 0..operations(2) {
        let crash = match operation % 4 {
            0 => Crash::Clean,
            1 => Crash::Process,
            _ => Crash::Torn { seed: operation },
        };
        crash_at(operation, crash, 2);
    }
}

#[test]
#[ignore = "minutes: every operation of a longer series, many ways to crash"]
fn a_crash_at_any_operation_in_any_way_loses_and_doubles_nothing() {
    for operation in 0..operations(4) {
        for crash in [Crash::Clean, Crash::Process].into_iter().chain((0..6).map(|seed| Crash::Torn { seed }))
        {
            crash_at(operation, crash, 4);
        }
    }
}

/// Runs the series on files that fail at operation `operation`; then crashes.
fn failure_at(operation: u64, fault: Fault, rounds: usize) {
    let memory = MemoryFiles::fragile();
    memory.fail_at(operation, fault);
    let mut acknowledged = Vec::new();
    let Ok(mut opened) = open(&memory) else { return };
    let finished = run_series(&mut opened, &mut acknowledged, rounds);
    let what = format!("{fault:?} at {operation}: {}", memory.trace()[operation as usize]);
    check_all(&opened, &acknowledged, &what);
    if finished.is_none() && opened.store.health.reason().is_none() {
        // What failed is done again, and works.
        for name in ["web", "db"] {
            opened.seal(name).unwrap();
            opened.merge(name).unwrap();
        }
        opened.store.release_log().unwrap();
        check_all(&opened, &acknowledged, &what);
    }
    drop(opened);
    let crash = if operation.is_multiple_of(2) { Crash::Clean } else { Crash::Torn { seed: operation } };
    check_all(&open(&memory.crash(crash)).unwrap(), &acknowledged, &format!("{what}, {crash:?}"));
}

#[test]
fn a_failure_at_any_operation_costs_no_event() {
    for operation in 0..operations(2) {
        let faults = [Fault::Broken, Fault::Full, Fault::Interrupted, Fault::Short];
        let chosen = faults
            .into_iter()
            .enumerate()
            .filter(|(place, _)| (operation as usize + place).is_multiple_of(2));
        chosen.for_each(|(_, fault)| failure_at(operation, fault, 2));
    }
}

#[test]
#[ignore = "minutes: every operation of a longer series, every fault"]
fn any_failure_at_any_operation_costs_no_event() {
    for operation in 0..operations(4) {
        for fault in [Fault::Broken, Fault::Full, Fault::Interrupted, Fault::Short] {
            failure_at(operation, fault, 4);
        }
    }
}

#[test]
fn planted_bugs_are_noticed() {
    for planted in [
        Planted { no_directory_sync: true, ..Planted::default() },
        Planted { no_data_sync: true, ..Planted::default() },
    ] {
        let memory = MemoryFiles::fragile();
        let mut opened = open(&memory).unwrap();
        memory.plant(planted);
        let mut acknowledged = Vec::new();
        run_series(&mut opened, &mut acknowledged, 2).unwrap();
        drop(opened);
        let found: usize = open(&memory.crash(Crash::Clean))
            .map(|opened| {
                opened.store.repositories().iter().map(|found| events(&found.snapshot()).len()).sum()
            })
            .unwrap_or(0);
        assert!(found < acknowledged.iter().map(|batch| batch.2).sum(), "{planted:?} goes unnoticed");
    }
}

#[test]
fn a_damaged_log_file_is_put_aside_and_told_after_every_restart() {
    let memory = MemoryFiles::fragile();
    let mut opened = open(&memory).unwrap();
    for round in 0..3 {
        opened.append("web", round * 100, 5, None).unwrap();
    }
    drop(opened);
    let memory = memory.crash(Crash::Process);
    let name = file::name(1);
    assert!(memory.tamper(&name, |bytes| bytes[64 + 72 + 20] ^= 1));
    let opened = open(&memory).unwrap();
    assert_eq!(opened.snapshot("web").missing.len(), 1);
    opened.seal("web").unwrap();
    opened.store.release_log().unwrap();
    drop(opened);
    let memory = memory.crash(Crash::Clean);
    let names: Vec<String> =
        Files::Memory(memory.clone()).list("log").unwrap().into_iter().map(|entry| entry.name).collect();
    assert!(names.iter().any(|name| name.ends_with(file::DAMAGED)), "{names:?}");
    let opened = open(&memory).unwrap();
    let snapshot = opened.snapshot("web");
    assert_eq!((snapshot.missing.len(), events(&snapshot).len()), (1, 10));
}

#[test]
fn a_missing_or_damaged_segment_is_told_and_costs_only_itself() {
    let memory = MemoryFiles::fragile();
    let mut opened = open(&memory).unwrap();
    for round in 0..3 {
        opened.append("web", round * 100, 5, None).unwrap();
        opened.seal("web").unwrap();
    }
    opened.store.release_log().unwrap();
    drop(opened);
    let name = segment_file::name(2);
    let cut = memory.crash(Crash::Process);
    assert!(cut.tamper(&name, |bytes| bytes.truncate(bytes.len() / 2)));
    let gone = memory.crash(Crash::Process);
    Files::Memory(gone.clone()).remove(&name).unwrap();
    for damaged in [cut, gone] {
        let report = check(&Files::Memory(damaged.clone())).unwrap();
        assert_eq!(report.findings.iter().filter(|found| found.path == name).count(), 1);
        assert!(!report.is_healthy());
        let mut opened = open(&damaged).unwrap();
        let snapshot = opened.snapshot("web");
        assert_eq!(
            (snapshot.missing.len(), snapshot.missing[0].segment, snapshot.missing[0].rows),
            (1, 2, 5)
        );
        assert_eq!(events(&snapshot).len(), 10);
        assert_eq!(opened.store.counters.damaged.get(), 1);
        opened.append("web", 900, 5, None).unwrap();
        assert_eq!(events(&opened.snapshot("web")).len(), 15);
    }
}

#[test]
fn orphans_are_removed_unless_the_catalog_is_damaged() {
    let memory = MemoryFiles::fragile();
    let mut opened = open(&memory).unwrap();
    opened.append("web", 0, 5, None).unwrap();
    opened.seal("web").unwrap();
    drop(opened);
    let files = Files::Memory(memory.clone());
    files.create(&segment_file::name(77)).unwrap();
    files.create(&format!("{}.tmp", segment_file::name(78))).unwrap();
    let names = |memory: &MemoryFiles| -> Vec<String> {
        let entries = Files::Memory(memory.clone()).list(segment_file::DIRECTORY).unwrap();
        entries.into_iter().map(|entry| entry.name).collect()
    };
    let damaged = memory.crash(Crash::Process);
    damaged.tamper(catalog::FILE, |bytes| bytes.extend_from_slice(b"garbage"));
    let memory = memory.crash(Crash::Process);
    let files = Files::Memory(memory.clone());
    assert_eq!(
        check(&files).unwrap().findings.iter().filter(|found| found.severity == Severity::Note).count(),
        2
    );
    open(&memory).unwrap();
    assert_eq!(names(&memory), ["0000000000000001.seg"]);
    let opened = open(&damaged).unwrap();
    assert_eq!(names(&damaged), ["0000000000000001.seg", "000000000000004d.seg.orphan"]);
    assert_eq!(opened.store.catalog.lock().take_segment_id(), 78, "ids of orphans are not given again");
}

#[test]
fn a_repository_the_catalog_lost_is_recovered_from_the_log() {
    let memory = MemoryFiles::fragile();
    let mut opened = open(&memory).unwrap();
    let base = opened.append("web", 0, 5, None).unwrap();
    drop(opened);
    Files::Memory(memory.clone()).remove(catalog::FILE).unwrap();
    let opened = open(&memory).unwrap();
    let found = events(&opened.snapshot("recovered-1"));
    assert_eq!((found.len(), found.first_key_value().map(|first| *first.0)), (5, Some(base)));
}

#[test]
fn retention_removes_whole_segments_and_their_files() {
    let memory = MemoryFiles::fragile();
    let mut opened = open(&memory).unwrap();
    for round in 0..3 {
        opened.append("web", round * 100, 5, None).unwrap();
        opened.seal("web").unwrap();
    }
    let repository = opened.store.repository("web").unwrap();
    let second = 1_000_000_000;
    assert_eq!(opened.store.expire(&repository, i64::MAX).unwrap(), 0, "no limit");
    let retention = Retention { age_secs: Some(10), bytes: None };
    opened.store.set_retention(&repository, Some(retention)).unwrap();
    let held = repository.snapshot();
    // The newest event of the second segment is at 104,000 ns.
    assert_eq!(opened.store.expire(&repository, 10 * second + 104_000).unwrap(), 1);
    assert_eq!(opened.store.expire(&repository, 10 * second + 104_001).unwrap(), 1);
    assert_eq!(events(&repository.snapshot()).len(), 5);
    assert_eq!(events(&held).len(), 15, "who has a snapshot keeps it");
    assert_eq!(opened.store.remove_retired(), 0);
    drop(held);
    assert_eq!(opened.store.remove_retired(), 2);
    assert_eq!(opened.store.files.list(segment_file::DIRECTORY).unwrap().len(), 1);
    drop((opened, repository));
    let opened = open(&memory).unwrap();
    assert_eq!(events(&opened.snapshot("web")).len(), 5);
    assert_eq!(opened.store.repository("web").unwrap().retention(), Some(retention));
}

#[test]
fn log_files_pinned_by_an_idle_head_are_freed() {
    let memory = MemoryFiles::fragile();
    let config = EngineConfig { max_log_files: 3, ..config() };
    let (store, writer) = Store::open(Files::Memory(memory), config).unwrap();
    let mut opened = Opened { store, writer };
    opened.append("idle", 0, 1, None).unwrap();
    for round in 1..10 {
        opened.append("web", round * 100, 10, None).unwrap();
        opened.seal("web").unwrap();
        opened.store.seal_due().unwrap();
        assert!(opened.store.shelf.kept() <= 3);
    }
    assert_eq!(opened.snapshot("idle").segments.len(), 1);
}

#[test]
fn a_directory_that_cannot_be_synced_stops_the_store() {
    let memory = MemoryFiles::fragile();
    let mut opened = open(&memory).unwrap();
    let mut acknowledged = Vec::new();
    for number in [0, 100, 200, 300] {
        acknowledged.push((opened.append("web", number, 10, None).unwrap(), number, 10));
    }
    opened.seal("web").unwrap();
    assert!(opened.store.shelf.releasable(opened.store.sealed()).is_some());
    (0..20).for_each(|ahead| {
        let is_sync = ahead >= opened.store.shelf.kept() as u64;
        memory.fail_at(memory.operations() + ahead, if is_sync { Fault::Broken } else { Fault::Short });
    });
    assert!(opened.store.release_log().is_err());
    assert!(matches!(opened.append("web", 400, 10, None), Err(AppendError::Poisoned(_))));
    check_all(&open(&memory.crash(Crash::Clean)).unwrap(), &acknowledged, "after a restart");
}

/// Five frozen heads of 40 events each, to be sealed by `seal_threads`.
fn frozen_heads(memory: &MemoryFiles, seal_threads: usize) -> (Opened, Arc<StoredRepository>) {
    let config = EngineConfig { seal_threads, ..config() };
    let (store, writer) = Store::open(Files::Memory(memory.clone()), config).unwrap();
    let mut opened = Opened { store, writer };
    for head in 0..5 {
        opened.append("web", head * 100, 40, None).unwrap();
        opened.store.repository("web").unwrap().freeze_older(Duration::ZERO);
    }
    let repository = opened.store.repository("web").unwrap();
    (opened, repository)
}

/// The segment files there are.
fn segment_files(opened: &Opened) -> usize {
    opened.store.files.list(segment_file::DIRECTORY).unwrap().len()
}

#[test]
fn heads_sealed_at_once_come_in_order() {
    for seal_threads in [0, 1, 2, 3, 8] {
        let (opened, repository) = frozen_heads(&MemoryFiles::fragile(), seal_threads);
        assert_eq!(repository.oldest_frozen(seal_threads.max(1)).len(), seal_threads.clamp(1, 5));
        opened.store.seal_frozen(&repository).unwrap();
        let segments = repository.segments();
        let sequences: Vec<(u64, u64)> =
            segments.iter().map(|open| (open.entry.min_sequence, open.entry.max_sequence)).collect();
        assert_eq!(sequences, [(1, 40), (41, 80), (81, 120), (121, 160), (161, 200)]);
        assert_eq!((repository.sealed_to(), repository.snapshot().batches.len()), (200, 0));
        assert_eq!(opened.store.counters.blocks_sealed.get(), 5);
    }
}

#[test]
fn a_head_that_fails_keeps_those_behind_it() {
    for fault in [Fault::Full, Fault::Panic] {
        let mut failures = 0;
        for ahead in (0..60).step_by(3) {
            let memory = MemoryFiles::fragile();
            let (opened, repository) = frozen_heads(&memory, 3);
            memory.fail_at(memory.operations() + ahead, fault);
            failures += usize::from(opened.store.seal_frozen(&repository).is_err());
            let snapshot = repository.snapshot();
            let what = format!("{fault:?} at {ahead}");
            assert!(events(&snapshot).into_keys().eq(1..=200), "{what}");
            let sealed = repository.segments().iter().map(|open| open.entry.max_sequence).max().unwrap_or(0);
            let waiting =
                snapshot.batches.iter().map(|batch| batch.base_sequence()).min().unwrap_or(u64::MAX);
            assert!(sealed < waiting && sealed == repository.sealed_to(), "{what}");
            if opened.store.health.check_store().is_ok() {
                opened.store.seal_frozen(&repository).unwrap();
                // What failed itself may have left its file, which the next start removes; what was given up leaves
                // nothing.
                assert!((5..=6).contains(&segment_files(&opened)), "{what}");
                assert_eq!(repository.sealed_to(), 200, "{what}");
            }
            let opened = open(&memory.crash(Crash::Clean)).unwrap();
            assert!(events(&opened.snapshot("web")).into_keys().eq(1..=200), "{what}, after a restart");
        }
        assert!(failures > 5, "{fault:?}: {failures}");
    }
}

#[test]
fn a_head_that_panics_is_noted_and_the_repositories_behind_it_are_sealed() {
    for ahead in 0.. {
        let memory = MemoryFiles::fragile();
        let mut opened = open(&memory).unwrap();
        for name in ["first", "second"] {
            opened.append(name, 0, 40, None).unwrap();
            opened.store.repository(name).unwrap().freeze_older(Duration::ZERO);
        }
        let [first, second] = ["first", "second"].map(|name| opened.store.repository(name).unwrap());
        memory.fail_at(memory.operations() + ahead, Fault::Panic);
        let sealed = opened.store.seal_due();
        if first.sealed_to() == 40 {
            assert!(ahead > 5, "every step of the first is met: {ahead}");
            break;
        }
        assert!(matches!(sealed, Err(StoreError::Panicked { .. })), "{ahead}: {sealed:?}");
        assert_eq!(second.sealed_to(), 80, "{ahead}");
        let reason = opened.store.stats().seal_failing.unwrap();
        assert!(reason.starts_with("repository first: sealing a head of first panicked"), "{reason}");
        let files = opened.store.files.list(segment_file::DIRECTORY).unwrap();
        assert!(!files.iter().any(|entry| entry.name.ends_with(".tmp")), "{ahead}: {files:?}");
        opened.store.seal_frozen(&first).unwrap();
        let opened = open(&memory.crash(Crash::Clean)).unwrap();
        for name in ["first", "second"] {
            assert_eq!(events(&opened.snapshot(name)).len(), 40, "{ahead}: {name} after a restart");
        }
    }
}

#[test]
fn after_a_failure_one_head_is_tried_alone() {
    let memory = MemoryFiles::fragile();
    let (opened, repository) = frozen_heads(&memory, 3);
    let created = || memory.trace().iter().filter(|operation| operation.starts_with("create seg")).count();
    for (tried, expect) in [(1, 3), (2, 4), (3, 5)] {
        (0..200).for_each(|ahead| memory.fail_at(memory.operations() + ahead, Fault::Full));
        assert!(opened.store.seal_frozen(&repository).is_err());
        assert_eq!(created(), expect, "try {tried}");
    }
}
