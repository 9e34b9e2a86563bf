//! The catalog says what it said, or less, and tells.

use std::sync::Arc;

use super::edit::HEADER_BYTES;
use super::*;
use crate::config::Retention;
use crate::store::files::memory::{Crash, Fault, MemoryFiles};
use crate::store::log::keys::Remembered;

fn segment(id: u64) -> SegmentEntry {
    SegmentEntry {
        id,
        min_timestamp: -5,
        max_timestamp: 7,
        min_sequence: 1,
        max_sequence: id,
        ..Default::default()
    }
}

fn edits() -> Vec<Edit> {
    let key = Remembered {
        repository: 1,
        key: "k".into(),
        first_sequence: 4,
        events: 2,
        content_crc: 77,
        written_nanos: 99,
    };
    vec![
        Edit::Repository { repository: 1, name: "one".into() },
        Edit::Segments { repository: 1, sealed_to: 10, removed: vec![], added: vec![segment(1), segment(2)] },
        Edit::Repository { repository: 2, name: "two".into() },
        Edit::Retention { repository: 2, retention: Some(Retention { age_secs: Some(5), bytes: None }) },
        Edit::Segments { repository: 1, sealed_to: 0, removed: vec![1, 2], added: vec![segment(3)] },
        Edit::Keys(vec![key.clone(), Remembered { written_nanos: 200, ..key }]),
        Edit::ForgetKeys { before_nanos: 100 },
        Edit::NextSegment(50),
        Edit::Retention { repository: 2, retention: None },
    ]
}

fn after(count: usize) -> Contents {
    let mut contents = Contents::default();
    edits().iter().take(count).for_each(|edit| contents.apply(edit));
    contents
}

fn open(memory: &MemoryFiles) -> (Catalog, CatalogReport) {
    Catalog::open(Files::Memory(memory.clone()), Arc::new(Health::default())).unwrap()
}

#[test]
fn edits_come_back_after_every_restart() {
    let memory = MemoryFiles::fragile();
    for (place, edit) in edits().iter().enumerate() {
        let (mut catalog, report) = open(&memory);
        assert_eq!((report.is_new, report.is_clean()), (place == 0, true));
        assert_eq!(*catalog.contents(), after(place));
        catalog.commit(edit).unwrap();
        assert_eq!(*catalog.contents(), after(place + 1));
    }
    let (mut catalog, _) = open(&memory);
    assert_eq!(*catalog.contents(), after(edits().len()));
    assert_eq!((catalog.take_segment_id(), catalog.take_segment_id()), (50, 51));
    assert_eq!(catalog.contents().free_repository_id(), 3);
}

#[test]
fn a_crash_or_failure_at_any_operation_keeps_what_was_said() {
    let whole = MemoryFiles::fragile();
    let run = |memory: &MemoryFiles| {
        let (mut catalog, _) = open(memory);
        // Refusals may be followed by success: the disk had been full.
        edits()
            .iter()
            .take_while(|edit| catalog.commit(edit).or_else(|_| catalog.commit(edit)).is_ok())
            .count()
    };
    assert_eq!(run(&whole), edits().len());
    for fault in [Fault::Crash, Fault::Full, Fault::Broken, Fault::Short] {
        for operation in 0..whole.operations() {
            for seed in 0..6 {
                let memory = MemoryFiles::fragile();
                memory.fail_at(operation, fault);
                let said = run(&memory);
                let (catalog, report) = open(&memory.crash(Crash::Torn { seed }));
                let what = format!("{fault:?} at {operation}, {said} said");
                assert!(report.damage.is_empty(), "{what}: {report:?}");
                // The edit under way may have become true, nothing else.
                assert!([said, said + 1].iter().any(|count| *catalog.contents() == after(*count)), "{what}");
            }
        }
    }
}

#[test]
fn cuts_and_flipped_bits_are_noticed_and_cost_one_edit() {
    let memory = MemoryFiles::fragile();
    let (mut catalog, _) = open(&memory);
    for edit in edits() {
        catalog.commit(&edit).unwrap();
    }
    let bytes = Files::Memory(memory.clone()).read(FILE, 1 << 20).unwrap();
    for len in 0..bytes.len() {
        let cut = memory.crash(Crash::Process);
        cut.tamper(FILE, |bytes| bytes.truncate(len));
        let (catalog, report) = open(&cut);
        assert!((0..=edits().len()).any(|count| *catalog.contents() == after(count)), "cut at {len}");
        let on_border = report.is_clean();
        assert!(!on_border || len >= HEADER_BYTES);
    }
    for bit in 0..bytes.len() * 8 {
        let bad = memory.crash(Crash::Process);
        bad.tamper(FILE, |bytes| bytes[bit / 8] ^= 1 << (bit % 8));
        let mut report = CatalogReport::default();
        let mut read = Vec::new();
        edit::read_all(FILE, &Files::Memory(bad).read(FILE, 1 << 20).unwrap(), &mut report, &mut |edit| {
            read.push(edit)
        })
        .unwrap();
        assert!(!report.is_clean(), "bit {bit}");
        // The first edit rewrote the catalog, which adds the next segment id.
        assert!(
            read.len() >= edits().len() + 1 - usize::from(bit >= HEADER_BYTES * 8),
            "bit {bit}: {}",
            read.len()
        );
    }
}

#[test]
fn a_newer_version_is_an_error() {
    let memory = MemoryFiles::fragile();
    open(&memory).0.commit(&edits()[0]).unwrap();
    memory.tamper(FILE, |bytes| {
        bytes[8] = 2;
        let crc = crc32c::crc32c(&bytes[..20]);
        bytes[20..24].copy_from_slice(&crc.to_le_bytes());
    });
    let opened = Catalog::open(Files::Memory(memory), Arc::new(Health::default()));
    assert!(matches!(opened, Err(StoreError::Version { found: 2, .. })));
}
