//! What was acknowledged is read back, whatever happens to the files.

use std::sync::Arc;

use parking_lot::Mutex;

use super::keys::KeyWindow;
use super::reader::{Replayed, replay};
use super::spare::{GROWN_SYNC_BYTES, KeptFile, SPARES_MAX, Shelf};
use super::writer::{Append, LogWriter, Outcome};
use super::*;
use crate::config::{IdempotencyKey, Level};
use crate::error::AppendError;
use crate::event::LogPayload;
use crate::store::files::Files;
use crate::store::files::memory::{Crash, Fault, MemoryFiles, Planted};
use crate::store::health::{Counters, Health};

const FILE_BYTES: u64 = 4_096;

struct Log {
    memory: MemoryFiles,
    writer: LogWriter,
    shelf: Arc<Shelf>,
    health: Arc<Health>,
    /// Batches found at opening: base and payload.
    found: Vec<(u64, Vec<u8>)>,
    replayed: Replayed,
}

fn read(memory: &MemoryFiles) -> (Vec<(u64, Vec<u8>)>, Replayed) {
    let mut found = Vec::new();
    let replayed = replay(&Files::Memory(memory.clone()), &mut |frame| {
        found.push((frame.header.base, frame.payload.to_vec()));
    });
    (found, replayed.unwrap())
}

fn open(memory: &MemoryFiles) -> Result<Log, crate::error::StoreError> {
    let files = Files::Memory(memory.clone());
    files.create_dir(DIRECTORY)?;
    files.sync_dir("")?;
    let (found, replayed) = read(memory);
    let shelf = Arc::new(Shelf::new(files.clone(), FILE_BYTES, replayed.kept.clone())?);
    let keys = Arc::new(Mutex::new(KeyWindow::new(100, 100)));
    let health = Arc::new(Health::default());
    let next = replayed.next_sequence.max(1);
    let writer = LogWriter::new(
        files,
        Arc::clone(&shelf),
        keys,
        Arc::clone(&health),
        Arc::new(Counters::default()),
        &replayed,
        next,
    );
    Ok(Log { memory: memory.clone(), writer, shelf, health, found, replayed })
}

fn append(payload: &[u8], key: Option<&str>, level: Level) -> Append {
    Append {
        repository: 1,
        payload: LogPayload::inside(payload.to_vec()),
        payload_crc: crc32c::crc32c(payload),
        content_crc: key.map_or(0, |_| crc32c::crc32c(payload)),
        events: 2,
        key: key.map(|key| IdempotencyKey::new(key).unwrap()),
        level,
    }
}

fn payload(number: usize) -> Vec<u8> {
    let mut payload = format!("batch {number} ").into_bytes();
    // Some are written from their place, some are larger than a file.
    payload.resize([20, 300, 5_000][number % 3] + number, b'a' + (number % 26) as u8);
    payload
}

/// Writes a fixed series of groups; what was acknowledged, with its base.
fn write_series(log: &mut Log, groups: usize) -> Vec<(u64, Vec<u8>)> {
    let mut acknowledged = Vec::new();
    for group in 0..groups {
        let batches: Vec<Append> =
            (0..=group % 3).map(|member| append(&payload(group * 3 + member), None, Level::Fsync)).collect();
        let outcomes = log.writer.append(&batches.iter().collect::<Vec<_>>(), 0);
        if log.writer.sync(0).is_err() {
            continue;
        }
        for (batch, outcome) in batches.into_iter().zip(outcomes) {
            if let Outcome::Taken { base } = outcome {
                acknowledged.push((base, batch.payload.to_vec()));
            }
        }
    }
    acknowledged
}

/// Everything acknowledged is there once and in order; nothing is there that was not sent.
fn check_found(acknowledged: &[(u64, Vec<u8>)], found: &[(u64, Vec<u8>)], what: &str) {
    assert!(found.is_sorted_by(|a, b| a.0 < b.0), "{what}: order");
    for batch in acknowledged {
        assert!(found.contains(batch), "{what}: batch at {} is lost", batch.0);
    }
    for (base, bytes) in found {
        assert!((0..100).any(|number| payload(number) == *bytes), "{what}: nobody sent the batch at {base}");
        assert_eq!(found.iter().filter(|other| other.1 == *bytes).count(), 1, "{what}: doubled");
    }
}

#[test]
fn what_is_written_is_read_back_over_many_files() {
    let memory = MemoryFiles::fragile();
    let mut log = open(&memory).unwrap();
    let acknowledged = write_series(&mut log, 12);
    assert_eq!(acknowledged.len(), 24);
    let (found, replayed) = read(&memory);
    assert_eq!(found, acknowledged);
    assert!(replayed.damage.is_empty() && replayed.kept.len() > 5);
    assert_eq!(replayed.next_sequence, log.writer.last_sequence() + 1);

    let mut again = open(&memory).unwrap();
    let more = write_series(&mut again, 2);
    assert_eq!(more.first().unwrap().0, log.writer.last_sequence() + 1);
    assert_eq!(read(&memory).0.len(), 24 + 3);
}

#[test]
fn a_group_is_written_in_one_piece_and_synced_once() {
    let memory = MemoryFiles::fragile();
    let mut log = open(&memory).unwrap();
    write_series(&mut log, 1);
    let before = memory.operations();
    let batches = [append(&[1; 100], None, Level::Fsync), append(&[2; 100], None, Level::Fsync)];
    log.writer.append(&batches.iter().collect::<Vec<_>>(), 0);
    log.writer.sync(0).unwrap();
    assert_eq!(memory.operations() - before, 2, "{:?}", memory.trace());
    log.writer.sync(0).unwrap();
    assert_eq!(memory.operations() - before, 2, "nothing to sync");
}

#[test]
fn a_known_key_is_answered_with_what_it_got_first() {
    let memory = MemoryFiles::fragile();
    let mut log = open(&memory).unwrap();
    let batches = [
        append(b"a", Some("k"), Level::Fsync),
        append(b"a", Some("k"), Level::Memory),
        append(b"c", Some("l"), Level::Os),
        append(b"b", Some("k"), Level::Fsync),
    ];
    let outcomes = log.writer.append(&batches.iter().collect::<Vec<_>>(), 5);
    assert_eq!(outcomes[0], Outcome::Taken { base: 1 });
    assert!(matches!(&outcomes[1], Outcome::Known(known) if known.first_sequence == 1 && known.events == 2));
    assert_eq!(outcomes[2], Outcome::Taken { base: 3 });
    let reused = AppendError::KeyReused { first_sequence: 1, events: 2 };
    assert_eq!(outcomes[3], Outcome::Refused(reused), "another batch");
    let late = 101 * 1_000_000_000;
    assert_eq!(log.writer.append(&[&batches[0]], late), [Outcome::Taken { base: 5 }]);
}

#[test]
fn sequences_of_unlogged_batches_are_not_given_again() {
    let memory = MemoryFiles::fragile();
    let mut log = open(&memory).unwrap();
    assert_eq!(log.writer.append(&[&append(b"x", None, Level::Memory)], 0), [Outcome::Taken { base: 1 }]);
    assert!(log.writer.is_exposed());
    log.writer.sync(0).unwrap();
    let after = memory.crash(Crash::Clean);
    let log = open(&after).unwrap();
    assert!(log.found.is_empty());
    assert_eq!(log.replayed.next_sequence, 3);
}

#[test]
fn a_file_cut_at_any_length_gives_what_stands_before() {
    let memory = MemoryFiles::fragile();
    let acknowledged = write_series(&mut open(&memory).unwrap(), 3);
    let names = Files::Memory(memory.clone()).list(DIRECTORY).unwrap();
    for (place, entry) in names.iter().enumerate() {
        for len in 0..entry.len {
            let cut = memory.crash(Crash::Process);
            assert!(cut.tamper(&format!("{DIRECTORY}/{}", entry.name), |bytes| bytes.truncate(len as usize)));
            let (found, replayed) = read(&cut);
            assert!(found.iter().all(|batch| acknowledged.contains(batch)), "{} at {len}", entry.name);
            let last = place + 1 == names.len();
            assert!(
                found.len() == acknowledged.len() || last || !replayed.damage.is_empty(),
                "{} cut at {len}: loss is not reported",
                entry.name
            );
            let mut log = open(&cut).unwrap();
            assert_eq!(write_series(&mut log, 1).len(), 1, "{} cut at {len}: goes on", entry.name);
        }
    }
}

#[test]
fn every_bit_of_a_frame_header_costs_that_frame_at_most() {
    let memory = MemoryFiles::fragile();
    let mut log = open(&memory).unwrap();
    let mut acknowledged = Vec::new();
    for number in [0, 3, 6, 9] {
        let batch = append(&payload(number), None, Level::Fsync);
        let Outcome::Taken { base } = log.writer.append(&[&batch], 0).remove(0) else { panic!("refused") };
        log.writer.sync(0).unwrap();
        acknowledged.push((base, batch.payload.to_vec()));
    }
    let mut at = file::HEADER_BYTES;
    for (place, (_, bytes)) in acknowledged.iter().enumerate() {
        for bit in 0..(frame::HEADER_BYTES + bytes.len()) * 8 {
            let bad = memory.crash(Crash::Process);
            assert!(bad.tamper(&file::name(1), |bytes| bytes[at + bit / 8] ^= 1 << (bit % 8)));
            let (found, replayed) = read(&bad);
            let mut left = acknowledged.clone();
            left.remove(place);
            assert_eq!(found, left, "bit {bit} of frame {place}");
            // Only a frame written later knows that this one had been synced.
            assert_eq!(replayed.damage.len(), usize::from(place < 3), "bit {bit} of frame {place}");
        }
        at += frame::frame_bytes(0, bytes.len());
    }
    for bit in 0..file::HEADER_BYTES * 8 {
        let bad = memory.crash(Crash::Process);
        assert!(bad.tamper(&file::name(1), |bytes| bytes[bit / 8] ^= 1 << (bit % 8)));
        assert_eq!(read(&bad).0, acknowledged, "bit {bit} of the file header");
    }
}

#[test]
fn a_crash_at_any_operation_loses_nothing_acknowledged() {
    let whole = MemoryFiles::fragile();
    write_series(&mut open(&whole).unwrap(), 5);
    for operation in 0..whole.operations() {
        for seed in 0..12 {
            let memory = MemoryFiles::fragile();
            memory.fail_at(operation, Fault::Crash);
            let acknowledged = open(&memory).map(|mut log| write_series(&mut log, 5)).unwrap_or_default();
            let crash = match seed {
                0 => Crash::Clean,
                1 => Crash::Process,
                seed => Crash::Torn { seed },
            };
            let after = memory.crash(crash);
            let what = format!("operation {operation}, {crash:?}");
            let mut log = open(&after).unwrap();
            check_found(&acknowledged, &log.found, &what);
            assert!(log.replayed.damage.is_empty(), "{what}: {:?}", log.replayed.damage);
            let last = log.found.last().map_or(0, |batch| batch.0);
            // And once more, from there: what was written after the crash stands beside what survived it.
            let more = write_series(&mut log, 1);
            assert!(more[0].0 > last, "{what}");
            let (found, replayed) = read(&log.memory.crash(Crash::Torn { seed }));
            assert!(found.contains(&more[0]) && replayed.damage.is_empty(), "{what}");
        }
    }
}

#[test]
fn a_failure_at_any_operation_is_refused_or_survived() {
    let whole = MemoryFiles::fragile();
    write_series(&mut open(&whole).unwrap(), 5);
    for fault in [Fault::Broken, Fault::Full, Fault::Interrupted, Fault::Short] {
        for operation in 2..whole.operations() {
            let memory = MemoryFiles::fragile();
            memory.fail_at(operation, fault);
            let Ok(mut log) = open(&memory) else { continue };
            let acknowledged = write_series(&mut log, 5);
            let what = format!("{fault:?} at {operation}: {}", memory.trace()[operation as usize]);
            let is_sync = memory.trace()[operation as usize].starts_with("sync");
            let is_poisoned = log.health.reason().is_some();
            match fault {
                _ if is_sync && fault != Fault::Short => assert!(is_poisoned, "{what}"),
                Fault::Short | Fault::Full => assert!(!is_poisoned, "{what}: {:?}", log.health.reason()),
                _ => {}
            }
            if !is_poisoned && fault != Fault::Full {
                assert_eq!(acknowledged.len(), 9, "{what}");
            }
            if !is_poisoned {
                // What was refused does not come back.
                assert_eq!(read(&memory).0, acknowledged, "{what}");
            }
            check_found(&acknowledged, &read(&memory.crash(Crash::Torn { seed: operation })).0, &what);
        }
    }
}

#[test]
fn a_full_disk_refuses_and_recovers() {
    let memory = MemoryFiles::fragile();
    let mut log = open(&memory).unwrap();
    memory.set_capacity(FILE_BYTES + 100);
    let batch = append(&[7; 3_000], None, Level::Fsync);
    assert_eq!(log.writer.append(&[&batch], 0), [Outcome::Taken { base: 1 }]);
    assert!(matches!(log.writer.append(&[&batch], 0)[..], [Outcome::Refused(AppendError::DiskFull { .. })]));
    assert!(log.health.reason().is_none());
    memory.set_capacity(FILE_BYTES * 3);
    assert!(matches!(log.writer.append(&[&batch], 0)[..], [Outcome::Taken { .. }]));
    log.writer.sync(0).unwrap();
    assert_eq!(read(&memory).0.len(), 2);
}

#[test]
fn planted_bugs_are_noticed() {
    let loses = |planted: Planted, fail_syncs: bool| {
        let whole = MemoryFiles::fragile();
        write_series(&mut open(&whole).unwrap(), 4);
        let syncs: Vec<u64> = (0..)
            .zip(whole.trace())
            .filter(|(_, what)| what.starts_with("sync "))
            .map(|(at, _)| at)
            .collect();
        let faults = if fail_syncs { syncs } else { vec![u64::MAX] };
        faults.into_iter().any(|fault| {
            let memory = MemoryFiles::fragile();
            memory.fail_at(fault, Fault::Broken);
            let mut log = open(&memory).unwrap();
            memory.plant(planted);
            let acknowledged = write_series(&mut log, 4);
            let found = read(&memory.crash(Crash::Clean)).0;
            acknowledged.iter().any(|batch| !found.contains(batch))
        })
    };
    assert!(!loses(Planted::default(), false) && !loses(Planted::default(), true));
    assert!(loses(Planted { no_directory_sync: true, ..Planted::default() }, false), "no directory sync");
    assert!(loses(Planted { no_data_sync: true, ..Planted::default() }, false), "no data sync");
    assert!(loses(Planted { sync_again: true, ..Planted::default() }, true), "a sync tried again");
}

#[test]
fn files_are_released_when_sealed_and_used_again() {
    let memory = MemoryFiles::fragile();
    let mut log = open(&memory).unwrap();
    let batch = append(&[7; 3_000], None, Level::Fsync);
    for _ in 0..5 {
        log.writer.append(&[&batch], 0);
        log.writer.sync(0).unwrap();
    }
    // Files 1 to 4 are full and hold the sequences 1 to 8, two each.
    assert_eq!(log.shelf.kept(), 4);
    assert_eq!(log.shelf.pinning(|_| 1), [1]);
    assert_eq!(
        (log.shelf.releasable(|_| 1), log.shelf.releasable(|_| 5).map(|found| found.1)),
        (None, Some(4))
    );
    assert_eq!(log.shelf.release(u64::MAX, |_| 5).unwrap(), 2);
    assert_eq!(log.shelf.kept(), 2);
    assert_eq!(read(&memory).0.iter().map(|batch| batch.0).collect::<Vec<_>>(), [5, 7, 9]);
    for _ in 0..2 {
        log.writer.append(&[&batch], 0);
        log.writer.sync(0).unwrap();
    }
    let (found, replayed) = read(&memory);
    assert_eq!(found.iter().map(|batch| batch.0).collect::<Vec<_>>(), [5, 7, 9, 11, 13]);
    assert!(replayed.damage.is_empty());
    let renamed = memory.trace().iter().filter(|what| what.starts_with("rename log/spare")).count();
    assert_eq!(renamed, 2, "spares are used again");
}

#[test]
fn a_spare_is_made_once() {
    let memory = MemoryFiles::fragile();
    let log = open(&memory).unwrap();
    assert!(log.shelf.prepare().unwrap());
    assert!(!log.shelf.prepare().unwrap());
    drop(log);
    let log = open(&memory).unwrap();
    assert!(!log.shelf.prepare().unwrap(), "found again");
    assert!(log.shelf.take().is_some() && log.shelf.take().is_none());
}

#[test]
fn no_spare_is_filled_for_much_at_once() {
    for (sync_bytes, filled) in [(GROWN_SYNC_BYTES, false), (GROWN_SYNC_BYTES - 1, true)] {
        let log = open(&MemoryFiles::fragile()).unwrap();
        for number in 0..=SPARES_MAX as u64 {
            log.shelf.keep(KeptFile { number, ..KeptFile::default() }, sync_bytes);
        }
        assert_eq!(log.shelf.prepare().unwrap(), filled, "{sync_bytes}");
    }
}

#[test]
fn no_spare_is_filled_while_full_files_are_about_to_be_free() {
    let memory = MemoryFiles::fragile();
    let mut log = open(&memory).unwrap();
    let batch = append(&[7; 3_000], None, Level::Fsync);
    let mut made = Vec::new();
    while log.shelf.kept() < 3 {
        log.writer.append(&[&batch], 0);
        log.writer.sync(0).unwrap();
        made.push((log.shelf.kept(), log.shelf.prepare().unwrap()));
        log.shelf.take();
    }
    made.dedup();
    assert_eq!(made, [(0, true), (1, false), (2, false), (3, true)]);
}
