//! Batches on their way: acknowledged is visible, and there again after a restart.

use std::sync::Arc;
use std::time::Duration;

use crate::config::{AppendOptions, EngineConfig, IdempotencyKey, Level};
use crate::error::{AppendError, EngineError};
use crate::event::{EventBatch, EventBatchBuilder, EventLimits, TagSet};
use crate::feed::Delivery;
use crate::pipeline::commit::BRIEF_GROUP_BYTES_MAX;
use crate::pipeline::{Engine, Receipt, Repository, Turn};
use crate::store::files::Files;
use crate::store::files::memory::{Fault, MemoryFiles};

pub(crate) fn config() -> EngineConfig {
    EngineConfig { log_file_bytes: 64 << 10, min_free_bytes: 0, ..EngineConfig::new("memory") }
}

pub(crate) fn batch(lines: &[String]) -> EventBatch {
    let mut builder = EventBatchBuilder::new(EventLimits::default());
    for (at, line) in lines.iter().enumerate() {
        builder.push_text(line.as_bytes(), Some(at as i64), &TagSet::none(), None).unwrap();
    }
    builder.finish(7)
}

fn lines(from: usize, count: usize) -> Vec<String> {
    (from..from + count).map(|number| format!("line {number}")).collect()
}

/// Every raw line in the head, in order of sequence.
fn head_lines(repository: &Repository) -> Vec<String> {
    let snapshot = repository.snapshot();
    let rows =
        snapshot.batches.iter().flat_map(|batch| (0..batch.len()).map(|row| batch.raw_text(row).to_owned()));
    rows.collect()
}

fn keyed(key: &str) -> AppendOptions {
    AppendOptions { level: Level::Fsync, idempotency_key: Some(IdempotencyKey::new(key).unwrap()) }
}

#[test]
fn acknowledged_is_visible_and_survives() {
    let directory = tempfile::tempdir().unwrap();
    let config = EngineConfig { data_dir: directory.path().into(), ..config() };
    let engine = Engine::open(config.clone()).unwrap();
    assert!(matches!(Engine::open(config.clone()), Err(EngineError::InUse(_))));
    let repository = engine.create_repository("web").unwrap();
    let mut last = 0;
    for (place, level) in [Level::Fsync, Level::Os, Level::Memory, Level::Fsync].into_iter().enumerate() {
        let options = AppendOptions { level, idempotency_key: None };
        let receipt = repository.append_wait(batch(&lines(place * 10, 10)), options).unwrap();
        assert_eq!((receipt.first_sequence, receipt.events, receipt.duplicate), (last + 1, 10, false));
        last = receipt.last_sequence;
        assert_eq!(head_lines(&repository), lines(0, place * 10 + 10));
        assert_eq!(repository.snapshot().up_to_sequence, last);
    }
    engine.shutdown();
    let refused = repository.append_wait(batch(&lines(0, 1)), AppendOptions::default());
    assert_eq!(refused, Err(AppendError::Closed));
    drop((engine, repository));

    let engine = Engine::open(config).unwrap();
    let repository = engine.repository("web").unwrap();
    let kept = [lines(0, 20), lines(30, 10)].concat();
    assert_eq!(head_lines(&repository), kept, "level memory is gone");
    assert_eq!(repository.snapshot().up_to_sequence, last);
    let receipt = repository.append_wait(batch(&lines(40, 1)), AppendOptions::default()).unwrap();
    assert!(receipt.first_sequence > last);
    let stats = engine.stats();
    assert_eq!((stats.events_replayed, stats.events_appended, stats.damaged), (30, 1, 0));
}

#[test]
fn events_in_no_log_last_once_they_are_sealed() {
    let engine = Engine::open_in(Files::memory(), config()).unwrap();
    let repository = engine.create_repository("r").unwrap();
    let append = |level, options: AppendOptions| {
        repository.append_wait(batch(&lines(0, 3)), AppendOptions { level, ..options }).unwrap().last_sequence
    };
    let plain = AppendOptions::default;
    let last = append(Level::Fsync, plain());
    assert_eq!(repository.lasting_sequence(), last);
    let last = append(Level::Os, plain());
    assert_eq!(repository.lasting_sequence(), last);
    let last = append(Level::Memory, keyed("one"));
    assert_eq!(repository.lasting_sequence(), last, "one with a key is logged");
    append(Level::Memory, plain());
    append(Level::Fsync, plain());
    append(Level::Memory, plain());
    assert_eq!(repository.lasting_sequence(), last, "those behind it may be lost");
    repository.flush().unwrap();
    assert_eq!(repository.lasting_sequence(), repository.snapshot().up_to_sequence);
    assert!(repository.lasting_sequence() > last);
}

#[test]
fn brief_batches_are_committed_by_their_sender() {
    const ALWAYS: u64 = u64::MAX;
    const HALF: usize = BRIEF_GROUP_BYTES_MAX / 2;
    // Whether the turn is taken, the limit of syncs in microseconds, raw bytes, and whether the sender commits.
    for (taken, brief_sync_micros, bytes, here) in [
        (true, ALWAYS, 10, true),
        (true, ALWAYS, HALF, true),
        (true, ALWAYS, 2 * HALF + 1, false),
        (true, 0, 10, false),
        (false, ALWAYS, 10, false),
    ] {
        let config = EngineConfig { brief_sync_micros, log_file_bytes: 4 << 20, ..config() };
        let engine = Engine::in_memory(config).unwrap();
        let repository = engine.create_repository("web").unwrap();
        // The log has no file to write to before its first batch.
        repository.append_wait(batch(&lines(0, 1)), AppendOptions::default()).unwrap();
        let commits_here = || {
            let (sender, receiver) = crossbeam::channel::bounded(1);
            let done = move |answer: Result<Receipt, AppendError>| {
                sender.send((answer.is_ok(), std::thread::current().id())).unwrap();
            };
            let turn =
                repository.append(batch(&["x".repeat(bytes)]), AppendOptions::default(), done).unwrap();
            if taken {
                turn.commit();
            } else {
                drop(turn);
            }
            let (stored, thread) = receiver.recv().unwrap();
            assert!(stored);
            thread == std::thread::current().id()
        };
        // The log thread may still have the writer in hand: then, too, it commits what comes.
        let found = (0..100).any(|_| commits_here());
        assert_eq!(found, here, "{taken} {brief_sync_micros} {bytes}");
    }
}

#[test]
fn a_full_log_file_is_left_to_the_log_thread() {
    let engine = Engine::in_memory(EngineConfig { brief_sync_micros: u64::MAX, ..config() }).unwrap();
    let repository = engine.create_repository("web").unwrap();
    let line = "x".repeat(1_000);
    for number in 1..=300 {
        let receipt =
            repository.append_wait(batch(std::slice::from_ref(&line)), AppendOptions::default()).unwrap();
        assert_eq!(receipt.first_sequence, number);
    }
    assert!(engine.stats().log_files >= 4, "64 KiB a file");
    assert_eq!(sequences(&repository.snapshot()), (1..=300).collect::<Vec<_>>());
}

#[test]
fn no_sender_starts_a_log_file() {
    let engine = Engine::in_memory(EngineConfig { brief_sync_micros: u64::MAX, ..config() }).unwrap();
    let repository = engine.create_repository("web").unwrap();
    let mut here = 0;
    for number in 0..500 {
        let files = engine.stats().log_files;
        let (sender, receiver) = crossbeam::channel::bounded(8);
        // A few bytes each: a frame is mostly its header.
        let line = ["x".repeat(number % 30 + 1)];
        let queue = || {
            let sender = sender.clone();
            let done = move |answer: Result<Receipt, AppendError>| {
                sender.send((answer.is_ok(), std::thread::current().id())).unwrap();
            };
            repository.append(batch(&line), AppendOptions::default(), done).unwrap()
        };
        let turns: Vec<_> = (0..8).map(|_| queue()).collect();
        turns.into_iter().for_each(Turn::commit);
        let answers: Vec<_> = receiver.iter().take(8).collect();
        assert!(answers.iter().all(|(stored, _)| *stored));
        if answers.iter().all(|(_, thread)| *thread == std::thread::current().id()) {
            assert_eq!(engine.stats().log_files, files);
            here += 1;
        }
    }
    assert!(here > 0 && engine.stats().log_files >= 4, "64 KiB a file, {here} by their sender");
}

#[test]
fn an_engine_shuts_down_while_a_turn_is_held() {
    let (sender, receiver) = crossbeam::channel::bounded(1);
    std::thread::spawn(move || {
        for is_dropped in [false, true] {
            let engine = Engine::in_memory(config()).unwrap();
            let repository = engine.create_repository("web").unwrap();
            let (answered, answer) = crossbeam::channel::bounded(1);
            let done = move |answer: Result<Receipt, AppendError>| answered.send(answer).unwrap();
            let turn = repository.append(batch(&lines(0, 1)), AppendOptions::default(), done).unwrap();
            if is_dropped {
                drop(engine);
            } else {
                engine.shutdown();
            }
            assert!(answer.recv().unwrap().is_ok(), "what waits is answered before");
            turn.commit();
        }
        sender.send(()).unwrap();
    });
    assert!(receiver.recv_timeout(Duration::from_secs(60)).is_ok(), "it hangs");
}

#[test]
fn a_commit_that_panics_stops_the_store_and_says_so() {
    for brief_sync_micros in [0, u64::MAX] {
        let memory = MemoryFiles::fragile();
        let config = EngineConfig { brief_sync_micros, ..config() };
        let engine = Engine::open_in(Files::Memory(memory.clone()), config).unwrap();
        let repository = engine.create_repository("web").unwrap();
        let append = |from| repository.append_wait(batch(&lines(from, 1)), AppendOptions::default());
        append(0).unwrap();
        (0..50).for_each(|ahead| memory.fail_at(memory.operations() + ahead, Fault::Panic));
        let unanswered = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| append(1)));
        assert!(matches!(unanswered, Err(_) | Ok(Err(AppendError::Closed))), "{unanswered:?}");
        let reason = engine.stats().poisoned.unwrap();
        assert_eq!(reason, "a commit to the log panicked");
        assert_eq!(append(2), Err(AppendError::Poisoned(reason)));
        assert_eq!(head_lines(&repository), lines(0, 1));
        engine.shutdown();
    }
}

#[test]
fn a_key_sent_again_is_answered_with_the_first_receipt_after_restarts() {
    let memory = MemoryFiles::fragile();
    let mut first = None;
    for restart in 0..3 {
        let engine = Engine::open_in(Files::Memory(memory.clone()), config()).unwrap();
        let repository = engine.create_repository("web").unwrap();
        let receipt = repository.append_wait(batch(&lines(0, 5)), keyed("k")).unwrap();
        assert_eq!(receipt.duplicate, restart > 0);
        let first = first.get_or_insert(receipt);
        assert_eq!((receipt.first_sequence, receipt.events), (first.first_sequence, 5));
        assert_eq!(head_lines(&repository).len(), 5);
        for others in [lines(1, 5), lines(0, 4)] {
            let refused = repository.append_wait(batch(&others), keyed("k"));
            assert_eq!(
                refused,
                Err(AppendError::KeyReused { first_sequence: first.first_sequence, events: 5 })
            );
        }
        let other = engine.create_repository(&format!("other{restart}")).unwrap();
        assert!(
            !other.append_wait(batch(&lines(0, 5)), keyed("k")).unwrap().duplicate,
            "keys are per repository"
        );
    }
}

#[test]
fn limits_refuse_at_their_edge() {
    let small = EngineConfig {
        max_batch_bytes: 200,
        queue_bytes: 1,
        max_head_bytes: 1,
        max_repositories: 1,
        ..config()
    };
    let engine = Engine::in_memory(small).unwrap();
    let repository = engine.create_repository("web").unwrap();
    assert!(matches!(engine.create_repository("more"), Err(EngineError::TooManyRepositories(1))));
    assert!(matches!(engine.create_repository("../x"), Err(EngineError::InvalidName { .. })));
    let wait = |lines: &[String]| repository.append_wait(batch(lines), AppendOptions::default());
    assert_eq!(wait(&[]), Err(AppendError::Empty));
    assert!(matches!(wait(&["x".repeat(200)]), Err(AppendError::TooLarge { limit: 200, .. })));
    assert!(wait(&["x".repeat(150)]).is_ok());
    assert!(matches!(wait(&["x".into()]), Err(AppendError::Busy { .. })), "the head is full");
    assert_eq!(engine.stats().refused_busy, 1);
    let started = std::time::Instant::now();
    while wait(&["x".into()]).is_err() {
        assert!(started.elapsed().as_secs() < 20, "a head that is not full, but in the way, is sealed");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    assert!(matches!(IdempotencyKey::new(""), Err(AppendError::InvalidKey { bytes: 0, .. })));
    assert!(IdempotencyKey::new(&"k".repeat(128)).is_ok() && IdempotencyKey::new(&"k".repeat(129)).is_err());
}

#[test]
fn a_full_disk_is_refused_before_it_is_met() {
    let memory = MemoryFiles::fragile();
    memory.set_capacity(1 << 20);
    let config = EngineConfig { min_free_bytes: 1 << 20, ..config() };
    let engine = Engine::open_in(Files::Memory(memory.clone()), config).unwrap();
    let repository = engine.create_repository("web").unwrap();
    let append = || repository.append_wait(batch(&lines(0, 1)), AppendOptions::default());
    assert!(matches!(append(), Err(AppendError::DiskFull { .. })));
    memory.set_capacity(4 << 20);
    assert!(append().is_ok());
}

#[test]
fn a_failed_sync_refuses_everything_until_a_restart() {
    let memory = MemoryFiles::fragile();
    let engine = Engine::open_in(Files::Memory(memory.clone()), config()).unwrap();
    let repository = engine.create_repository("web").unwrap();
    let append = |from| repository.append_wait(batch(&lines(from, 1)), AppendOptions::default());
    append(0).unwrap();
    (0..50).for_each(|ahead| memory.fail_at(memory.operations() + ahead, Fault::Broken));
    assert!(matches!(append(1), Err(AppendError::Poisoned(_))));
    assert!(matches!(append(2), Err(AppendError::Poisoned(_))));
    assert_eq!(head_lines(&repository), lines(0, 1), "what is not safe is not shown");
    assert!(engine.stats().poisoned.is_some());
    drop((engine, repository));
    let after = memory.crash(crate::store::files::memory::Crash::Clean);
    let engine = Engine::open_in(Files::Memory(after), config()).unwrap();
    let repository = engine.repository("web").unwrap();
    assert_eq!(head_lines(&repository), lines(0, 1));
    repository.append_wait(batch(&lines(1, 1)), AppendOptions::default()).unwrap();
}

#[test]
fn many_senders_get_what_they_sent_once_and_in_order() {
    let engine = Engine::in_memory(config()).unwrap();
    let repository = engine.create_repository("web").unwrap();
    let (_, mut feed) = repository.follow();
    std::thread::scope(|scope| {
        for sender in 0..8 {
            let repository = Arc::clone(&repository);
            scope.spawn(move || {
                for turn in 0..50 {
                    repository
                        .append_wait(batch(&lines(sender * 1_000 + turn, 1)), AppendOptions::default())
                        .unwrap();
                }
            });
        }
    });
    let found = head_lines(&repository);
    assert_eq!(found.len(), 400);
    for sender in 0..8 {
        let sent: Vec<String> = lines(sender * 1_000, 50);
        let mine: Vec<&String> = found.iter().filter(|line| sent.contains(line)).collect();
        assert_eq!(mine, sent.iter().collect::<Vec<_>>());
    }
    let mut followed = Vec::new();
    while let Delivery::Batch(batch) = feed.next(Duration::ZERO) {
        followed.push(batch.raw_text(0).to_owned());
    }
    assert_eq!(followed, found);
    let stats = engine.stats();
    assert!(stats.log_syncs <= 400 && stats.batches_appended == 400);
}

#[test]
fn a_follower_that_falls_behind_is_told_what_to_read() {
    let engine = Engine::in_memory(EngineConfig { feed_batches: 2, ..config() }).unwrap();
    let repository = engine.create_repository("web").unwrap();
    let (snapshot, mut feed) = repository.follow();
    assert_eq!((snapshot.up_to_sequence, feed.start()), (0, 0));
    let append = |count| {
        for _ in 0..count {
            repository.append_wait(batch(&lines(0, 2)), AppendOptions::default()).unwrap();
        }
    };
    append(5);
    let mut next = || match feed.next(Duration::ZERO) {
        Delivery::Batch(batch) => format!("batch {}", batch.base_sequence()),
        other => format!("{other:?}"),
    };
    assert_eq!([next(), next()], ["batch 1", "batch 3"]);
    assert_eq!([next(), next()], ["Missed { after: 4, up_to: 10 }", "Idle"]);
    append(4);
    assert_eq!([next(), next(), next()], ["batch 11", "batch 13", "Missed { after: 14, up_to: 18 }"]);
    append(3);
    assert_eq!(next(), "batch 19");
    append(1);
    assert_eq!([next(), next(), next()], ["batch 21", "Missed { after: 22, up_to: 24 }", "batch 25"]);
    assert_eq!(engine.stats().feed_missed_batches, 6);
    engine.shutdown();
    assert!(matches!(feed.next(Duration::ZERO), Delivery::Closed));
}

/// The sequences of a snapshot, from segments and head, as ranges of rows in no order.
fn sequences(snapshot: &crate::Snapshot) -> Vec<u64> {
    use weir_query::record::Rows;
    let mut found = Vec::new();
    for segment in &snapshot.segments {
        for place in 0..segment.block_count() {
            found.extend(segment.block(place).unwrap().order().unwrap().iter().map(|key| key.sequence));
        }
    }
    for batch in &snapshot.batches {
        found.extend((0..batch.len()).map(|row| batch.sequence(row)));
    }
    found.sort_unstable();
    found
}

#[test]
fn snapshots_miss_and_double_nothing_while_heads_are_sealed_and_merged() {
    let small = EngineConfig {
        seal_rows: 40,
        merge_fan_in: 2,
        merge_cpu_percent: 100,
        upkeep_interval_millis: 1,
        max_log_files: 1,
        ..config()
    };
    let engine = Engine::in_memory(small).unwrap();
    let repository = engine.create_repository("web").unwrap();
    let appends = 60;
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for turn in 0..appends {
                repository.append_wait(batch(&lines(turn * 10, 10)), AppendOptions::default()).unwrap();
                std::thread::sleep(Duration::from_millis(5));
            }
        });
        let mut last = 0;
        while !writer.is_finished() {
            let before = repository.snapshot().up_to_sequence;
            let snapshot = repository.snapshot();
            assert!(snapshot.up_to_sequence >= before.max(last));
            last = snapshot.up_to_sequence;
            assert!(sequences(&snapshot).into_iter().eq(1..=last), "a gap or a double before {last}");
        }
    });
    repository.flush().unwrap();
    let snapshot = repository.snapshot();
    assert!(snapshot.batches.is_empty());
    assert!(sequences(&snapshot).into_iter().eq(1..=appends as u64 * 10));
    let stats = engine.stats();
    assert!(stats.blocks_sealed >= 10 && stats.merges > 0, "{stats:?}");
    assert!(stats.seal_cpu_nanos > 0 && stats.merge_cpu_nanos > 0 && stats.index_bytes > 0, "{stats:?}");
    assert!(stats.index_cpu_nanos < stats.seal_cpu_nanos + stats.merge_cpu_nanos, "{stats:?}");
    assert_eq!((repository.stats().events, repository.stats().head_events), (600, 0));
}

#[test]
fn a_flushed_repository_is_there_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let config = EngineConfig { data_dir: directory.path().into(), ..config() };
    for restart in 0..3 {
        let engine = Engine::open(config.clone()).unwrap();
        let repository = engine.create_repository("web").unwrap();
        assert_eq!(sequences(&repository.snapshot()).len(), restart * 100);
        repository.append_wait(batch(&lines(0, 100)), AppendOptions::default()).unwrap();
        repository.flush().unwrap();
        assert_eq!(repository.stats().segments, restart as u64 + 1);
    }
    let report = crate::store::check::check(&Files::real(directory.path()).unwrap()).unwrap();
    assert_eq!((report.rows, report.segments, report.findings.len()), (300, 3, 0), "{:?}", report.findings);
}
