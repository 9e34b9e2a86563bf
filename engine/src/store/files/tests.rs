//! Both implementations keep the same promises; the fragile one keeps no other.

use super::memory::{Crash, Fault, MemoryFiles, Planted};
use super::*;

fn both(check: impl Fn(&Files)) {
    let root = tempfile::tempdir().unwrap();
    check(&Files::real(root.path()).unwrap());
    check(&Files::memory());
    check(&Files::Memory(MemoryFiles::fragile()));
}

#[test]
fn files_are_written_read_renamed_listed_and_removed() {
    both(|files| {
        files.create_dir("d").unwrap();
        let file = files.create("d/a").unwrap();
        file.write_slices_at(&[b"hello", b"", b" ", b"world"], 3).unwrap();
        assert_eq!(file.len().unwrap(), 14);
        let mut read = [9; 14];
        file.read_at(&mut read, 0).unwrap();
        assert_eq!(&read, b"\0\0\0hello world");
        assert_eq!(file.read_up_to(&mut read, 10).unwrap(), 4);
        assert!(file.read_at(&mut read, 10).is_err());
        assert_eq!(&*file.map().unwrap(), b"\0\0\0hello world");
        file.sync_data().unwrap();
        files.rename("d/a", "d/b").unwrap();
        files.sync_dir("d").unwrap();
        assert!(!files.exists("d/a").unwrap() && files.exists("d/b").unwrap());
        assert_eq!(files.list("d").unwrap(), [Entry { name: "b".into(), len: 14 }]);
        file.allocate(100).unwrap();
        assert_eq!(file.len().unwrap(), 100);
        file.set_len(5).unwrap();
        assert_eq!(files.read("d/b", 5).unwrap(), b"\0\0\0he");
        assert!(matches!(files.read("d/b", 4), Err(StoreError::Damaged { .. })));
        files.remove("d/b").unwrap();
        files.remove("d/b").unwrap();
        assert!(files.list("d").unwrap().is_empty());
        files.replace("c", b"whole").unwrap();
        assert_eq!(files.read("c", 100).unwrap(), b"whole");
        assert!(files.open("nothing").is_err() && files.open_write("nothing").is_err());
        assert!(files.free_bytes().unwrap() > 0);
    });
}

#[test]
fn many_slices_are_written_in_turn() {
    both(|files| {
        let parts: Vec<Vec<u8>> = (0..=255_u8).map(|byte| vec![byte; usize::from(byte) % 7]).collect();
        let slices: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
        files.create("f").unwrap().write_slices_at(&slices, 0).unwrap();
        assert_eq!(files.read("f", 10_000).unwrap(), parts.concat());
    });
}

#[test]
fn a_tree_is_locked_once() {
    let root = tempfile::tempdir().unwrap();
    let files = Files::real(root.path()).unwrap();
    let lock = files.lock().unwrap();
    assert!(lock.is_some());
    assert!(Files::real(root.path()).unwrap().lock().unwrap().is_none());
    drop(lock);
    assert!(files.lock().unwrap().is_some());
}

#[test]
fn interruptions_and_short_writes_are_taken_up_again() {
    let memory = MemoryFiles::fragile();
    let files = Files::Memory(memory.clone());
    let file = files.create("f").unwrap();
    for (at, fault) in
        [(1, Fault::Interrupted), (2, Fault::Short), (3, Fault::Interrupted), (4, Fault::Short)]
    {
        memory.fail_at(at, fault);
    }
    file.write_slices_at(&[b"abcdef", b"ghi", b"jklmnop"], 0).unwrap();
    assert_eq!(files.read("f", 100).unwrap(), b"abcdefghijklmnop");
}

#[test]
fn a_full_disk_takes_what_fits() {
    let memory = MemoryFiles::fragile();
    memory.set_capacity(10);
    let files = Files::Memory(memory);
    let file = files.create("f").unwrap();
    assert!(file.write_at(b"0123456789ab", 0).is_err());
    assert_eq!(file.len().unwrap(), 10);
    assert_eq!(files.free_bytes().unwrap(), 0);
    assert!(file.allocate(11).is_err());
}

#[test]
fn a_crash_keeps_what_was_synced() {
    for seed in 0..200 {
        let memory = MemoryFiles::fragile();
        let files = Files::Memory(memory.clone());
        let file = files.create("f").unwrap();
        file.write_at(&[1; 2_000], 0).unwrap();
        file.sync_data().unwrap();
        files.sync_dir("").unwrap();
        file.write_at(&[2; 3_000], 2_000).unwrap();
        files.create("g").unwrap().write_at(b"x", 0).unwrap();
        for crash in [Crash::Clean, Crash::Torn { seed }] {
            let after = Files::Memory(memory.crash(crash)).read("f", 10_000).unwrap();
            assert!(after.starts_with(&[1; 2_000]), "{crash:?}");
            assert!(after.len() <= 5_000);
        }
        assert!(files.open("f").is_err(), "dead after the crash");
        assert_eq!(Files::Memory(memory.crash(Crash::Process)).read("f", 9_999).unwrap().len(), 5_000);
    }
}

#[test]
fn forgotten_syncs_show() {
    let planted = |planted: Planted| {
        let memory = MemoryFiles::fragile();
        memory.plant(planted);
        let files = Files::Memory(memory.clone());
        files.replace("f", b"x").unwrap();
        Files::Memory(memory.crash(Crash::Clean)).read("f", 10).unwrap_or_default()
    };
    assert_eq!(planted(Planted::default()), b"x");
    assert!(planted(Planted { no_directory_sync: true, ..Planted::default() }).is_empty());
    assert!(planted(Planted { no_data_sync: true, ..Planted::default() }).is_empty());
}

#[test]
fn after_a_failed_sync_the_next_one_lies() {
    let memory = MemoryFiles::fragile();
    let files = Files::Memory(memory.clone());
    let file = files.create("f").unwrap();
    files.sync_dir("").unwrap();
    file.write_at(b"lost", 0).unwrap();
    memory.fail_at(memory.operations(), Fault::Broken);
    assert!(file.sync_data().is_err());
    assert!(file.sync_data().is_ok());
    assert_eq!(files.read("f", 10).unwrap(), b"lost");
    assert!(Files::Memory(memory.crash(Crash::Clean)).read("f", 10).unwrap().is_empty());
}
