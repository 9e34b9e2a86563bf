//! Whatever a log file says, reading it never panics and never gives a batch whose checksums do not fit.
//!
//! The input draws frames, written after `engine/FORMAT.md`, and then edits: bytes anywhere, some of them with the
//! checksum of the frame's header made to fit again, so that wrong lengths, numbers and salts are believed.
#![no_main]

use libfuzzer_sys::fuzz_target;
use weir_engine::store::check::{check, logged_batches};
use weir_engine::store::files::Files;

const SALT: u64 = 0x5a17_5a17_5a17_5a17;
const FRAME_HEADER: usize = 72;
const FRAMES_MAX: usize = 12;

/// What a reader may give: frame, repository, first sequence, key, payload.
type Batch = (u64, u32, u64, Vec<u8>, Vec<u8>);

fn sealed(mut front: Vec<u8>) -> Vec<u8> {
    let crc = crc32c::crc32c(&front);
    front.extend_from_slice(&crc.to_le_bytes());
    front
}

fn file_header() -> Vec<u8> {
    let mut front = b"WEIRLOG\0".to_vec();
    front.extend_from_slice(&1u32.to_le_bytes());
    front.extend_from_slice(&[0; 4]);
    [1, SALT, 1, 0, 1].iter().for_each(|long: &u64| front.extend_from_slice(&long.to_le_bytes()));
    front.extend_from_slice(&[0; 4]);
    sealed(front)
}

/// A frame as bytes.
fn frame(batch: &Batch, salt: u64, durable: u64) -> Vec<u8> {
    let (number, repository, base, key, payload) = batch;
    let mut front = b"WFRM\x01\x01".to_vec();
    front.extend_from_slice(&(key.len() as u16).to_le_bytes());
    front.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    front.extend_from_slice(&2u32.to_le_bytes());
    [salt, *number, durable, *base, 7].iter().for_each(|long| front.extend_from_slice(&long.to_le_bytes()));
    front.extend_from_slice(&repository.to_le_bytes());
    front.extend_from_slice(&[0; 4]);
    let body = [key.as_slice(), payload].concat();
    front.extend_from_slice(&crc32c::crc32c(&body).to_le_bytes());
    let mut out = sealed(front);
    out.extend_from_slice(&body);
    out.resize(out.len().next_multiple_of(8), 0);
    out
}

/// Every batch that stands anywhere in `file` with checksums that fit, found the slow way.
fn sound(file: &[u8]) -> Vec<Batch> {
    let u32_at = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().expect("four bytes"));
    let u64_at = |at: usize| u64::from_le_bytes(file[at..at + 8].try_into().expect("eight bytes"));
    let mut found = Vec::new();
    for at in (0..file.len().saturating_sub(FRAME_HEADER - 1)).step_by(8) {
        let front = &file[at..at + FRAME_HEADER - 4];
        if !front.starts_with(b"WFRM") || crc32c::crc32c(front) != u32_at(at + FRAME_HEADER - 4) {
            continue;
        }
        let key_bytes = usize::from(u16::from_le_bytes([front[6], front[7]]));
        let body_at = at + FRAME_HEADER;
        let Some(body) = file.get(body_at..body_at + key_bytes + u32_at(at + 8) as usize) else { continue };
        if crc32c::crc32c(body) == u32_at(at + 64) {
            let (key, payload) = body.split_at(key_bytes);
            found.push((u64_at(at + 24), u32_at(at + 56), u64_at(at + 40), key.to_vec(), payload.to_vec()));
        }
    }
    found
}

/// Frames as the input has them, most of them in order; and those that a reader of the whole file gives.
fn write(input: &mut &[u8]) -> (Vec<u8>, Vec<usize>, Vec<Batch>) {
    let mut byte = || input.split_off_first().copied().unwrap_or(0);
    let (mut file, mut places, mut expected) = (file_header(), Vec::new(), Vec::<Batch>::new());
    let (mut number, mut base) = (1, 1);
    for _ in 0..byte() as usize % FRAMES_MAX {
        let (kind, len, fill) = (byte(), byte(), byte());
        // Of an earlier use of the file.
        let salt = if kind & 3 == 3 { !SALT } else { SALT };
        // A payload may hold what looks like a frame of this file; an older one cannot: nobody foresees a salt.
        let inner = || frame(&(number + 1, 9, 9, Vec::new(), vec![fill; 9]), salt, 0);
        let payload = if kind & 8 != 0 { inner() } else { vec![fill; usize::from(len) * 3] };
        let key = if kind & 4 != 0 { vec![b'k'; usize::from(len) % 129] } else { Vec::new() };
        let batch = (number, u32::from(kind >> 6), base, key, payload);
        places.push(file.len());
        file.extend_from_slice(&frame(&batch, salt, number - 1));
        if salt == SALT {
            expected.push(batch);
            (number, base) = (number + 1, base + 2);
        }
    }
    (file, places, expected)
}

fn edit(file: &mut Vec<u8>, places: &[usize], input: &[u8]) {
    for edit in input.chunks_exact(4) {
        let at = usize::from(u16::from_le_bytes([edit[1], edit[2]]));
        match (edit[0] % 4, places.get(usize::from(edit[0] >> 2) % places.len().max(1))) {
            // A byte of a header, whose checksum fits again.
            (0 | 1, Some(place)) if place + FRAME_HEADER <= file.len() => {
                let (front, crc) = file[*place..place + FRAME_HEADER].split_at_mut(FRAME_HEADER - 4);
                front[at % (FRAME_HEADER - 4)] = edit[3];
                crc.copy_from_slice(&crc32c::crc32c(front).to_le_bytes());
            }
            (2, _) => file.truncate(file.len().saturating_sub(at % 300)),
            _ if file.is_empty() => {}
            _ => {
                let at = at % file.len();
                file[at] ^= edit[3];
            }
        }
    }
}

fuzz_target!(|input: &[u8]| {
    let mut rest = input;
    let (mut file, places, expected) = write(&mut rest);
    edit(&mut file, &places, rest);
    let files = Files::memory();
    files.create_dir("log").expect("memory takes a directory");
    let name = "log/0000000000000001.wlog";
    files.create(name).and_then(|out| out.write_at(&file, 0)).expect("memory takes a file");
    let mut given: Vec<Batch> = Vec::new();
    let read = logged_batches(&files, &mut |batch| {
        let (key, payload) = (batch.key.to_vec(), batch.payload.to_vec());
        given.push((batch.frame, batch.repository, batch.first_sequence, key, payload));
    });
    let _ = check(&files);
    if read.is_err() {
        assert!(given.is_empty(), "a file of another version gives nothing");
        return;
    }
    assert!(given.is_sorted_by(|one, other| one.0 < other.0), "frames come in order, each once");
    let sound = sound(&file);
    assert!(given.iter().all(|batch| sound.contains(batch)), "a batch is given that does not stand there");
    if rest.len() < 4 {
        assert_eq!(given, expected, "an undamaged log is read whole");
    }
});
