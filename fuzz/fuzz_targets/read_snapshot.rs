//! Whatever a snapshot of live metrics says, reading it never panics and takes memory in proportion to its bytes.
//!
//! The input is frames, written after `engine/FORMAT.md` with checksums that fit, and one edit of the file, after which
//! they do not: then it has to be refused.
#![no_main]

use libfuzzer_sys::fuzz_target;
use weir_engine::live::read_snapshot;

/// A file of these frames.
fn file(frames: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let (mut file, mut crc) = (Vec::new(), 0);
    let mut put = |bytes: &[u8], has_checksum: bool| {
        crc = crc32c::crc32c_append(crc, bytes);
        file.extend_from_slice(bytes);
        if has_checksum {
            file.extend_from_slice(&crc.to_le_bytes());
        }
    };
    put(b"WEIRLIVE\x01\0\0\0", true);
    let end = (0, (frames.len() as u64).to_le_bytes().to_vec());
    for (kind, body) in frames.iter().chain([&end]) {
        put(&[*kind], false);
        put(&(body.len() as u32).to_le_bytes(), false);
        put(body, true);
    }
    file
}

fuzz_target!(|input: (Vec<(u8, Vec<u8>)>, usize, u8)| {
    let (mut frames, at, bits) = input;
    frames.iter_mut().for_each(|(kind, _)| *kind = 1 + *kind % 4);
    let mut bytes = file(&frames);
    let standings = read_snapshot(&bytes).unwrap_or_default();
    assert!(standings <= frames.len());
    if bits != 0 {
        let at = at % bytes.len();
        bytes[at] ^= bits;
        assert!(read_snapshot(&bytes).is_err(), "a damaged file was believed");
    }
});
