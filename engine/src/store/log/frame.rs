//! One frame of the log: a batch, or a mark.
//!
//! ```text
//!  0  magic "WFRM"        16  salt of the file        40  base sequence      64  crc32c of key and payload
//!  4  version, kind       24  frame number            48  written at, ns     68  crc32c of bytes 0..68
//!  6  key bytes           32  durable frame           56  repository         72  key, payload, zeros to 8
//!  8  payload bytes       (synced when written)       60  content, see Header
//! 12  events
//! ```
//!
//! The header guards the lengths by a checksum of its own, and with it the checksum of what follows.

use crate::config::IdempotencyKey;

/// Bytes of a frame header.
pub(crate) const HEADER_BYTES: usize = 72;
/// Frames start at multiples of this.
pub(crate) const ALIGN: usize = 8;
pub(crate) const MAGIC: [u8; 4] = *b"WFRM";
const VERSION: u8 = 1;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A batch of events.
    Batch,
    /// No events. Frames numbered between the frame before it and this one were refused and do not count; the next
    /// sequence is at least its base.
    Mark,
}

/// The header of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) kind: Kind,
    pub(crate) key_bytes: u16,
    pub(crate) payload_bytes: u32,
    pub(crate) events: u32,
    pub(crate) salt: u64,
    pub(crate) number: u64,
    /// Every frame of this file up to this number had been synced when this one was written.
    pub(crate) durable: u64,
    pub(crate) base: u64,
    pub(crate) written_nanos: i64,
    pub(crate) repository: u32,
    /// [`EventBatch::content_crc`](crate::event::EventBatch::content_crc) of a batch with a key; 0: not known.
    pub(crate) content_crc: u32,
    /// crc32c of key and payload.
    pub(crate) body_crc: u32,
}

/// Little-endian integers out of a fixed array of bytes; zero past its end.
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|four| four.try_into().ok()).map_or(0, u32::from_le_bytes)
}

/// As [`u32_at`], eight bytes.
pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..at + 8).and_then(|eight| eight.try_into().ok()).map_or(0, u64::from_le_bytes)
}

impl Header {
    /// The bytes of the header.
    pub(crate) fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut out = [0; HEADER_BYTES];
        let mut at = 0;
        let mut put = |bytes: &[u8]| {
            if let Some(place) = out.get_mut(at..at + bytes.len()) {
                place.copy_from_slice(bytes);
            }
            at += bytes.len();
        };
        put(&MAGIC);
        put(&[VERSION, if self.kind == Kind::Batch { 1 } else { 2 }]);
        put(&self.key_bytes.to_le_bytes());
        put(&self.payload_bytes.to_le_bytes());
        put(&self.events.to_le_bytes());
        for long in [self.salt, self.number, self.durable, self.base] {
            put(&long.to_le_bytes());
        }
        put(&self.written_nanos.to_le_bytes());
        for short in [self.repository, self.content_crc, self.body_crc] {
            put(&short.to_le_bytes());
        }
        let (front, crc) = out.split_at_mut(HEADER_BYTES - 4);
        crc.copy_from_slice(&crc32c::crc32c(front).to_le_bytes());
        out
    }

    /// The header at the start of `bytes`; `None` when none stands there whole and undamaged.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Header> {
        let bytes = bytes.get(..HEADER_BYTES)?;
        let (front, crc) = bytes.split_at_checked(HEADER_BYTES - 4)?;
        if !front.starts_with(&MAGIC)
            || crc32c::crc32c(front) != u32_at(crc, 0)
            || front.get(4) != Some(&VERSION)
        {
            return None;
        }
        let kind = match front.get(5)? {
            1 => Kind::Batch,
            2 => Kind::Mark,
            _ => return None,
        };
        let header = Header {
            kind,
            key_bytes: u16::from_le_bytes([*front.get(6)?, *front.get(7)?]),
            payload_bytes: u32_at(front, 8),
            events: u32_at(front, 12),
            salt: u64_at(front, 16),
            number: u64_at(front, 24),
            durable: u64_at(front, 32),
            base: u64_at(front, 40),
            written_nanos: u64_at(front, 48).cast_signed(),
            repository: u32_at(front, 56),
            content_crc: u32_at(front, 60),
            body_crc: u32_at(front, 64),
        };
        let sane = usize::from(header.key_bytes) <= IdempotencyKey::MAX_BYTES
            && header.durable < header.number
            && header.base.checked_add(u64::from(header.events)).is_some();
        sane.then_some(header)
    }

    /// Bytes of the whole frame, padding included.
    pub(crate) fn frame_bytes(&self) -> usize {
        frame_bytes(usize::from(self.key_bytes), self.payload_bytes as usize)
    }

    /// The sequence after its last event.
    pub(crate) fn next_sequence(&self) -> u64 {
        self.base.saturating_add(u64::from(self.events))
    }
}

/// Bytes of a frame with such a key and payload, padding included.
pub(crate) fn frame_bytes(key_bytes: usize, payload_bytes: usize) -> usize {
    (HEADER_BYTES + key_bytes + payload_bytes).next_multiple_of(ALIGN)
}

/// The checksum of a frame's key and payload, given that of the payload alone: the payload is summed once, by the
/// thread that encoded it.
pub(crate) fn body_crc(key: &[u8], payload_crc: u32, payload_bytes: usize) -> u32 {
    if key.is_empty() {
        payload_crc
    } else {
        crc32c::crc32c_combine(crc32c::crc32c(key), payload_crc, payload_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(crate) fn sample() -> Header {
        Header {
            kind: Kind::Batch,
            key_bytes: 3,
            payload_bytes: 1_000,
            events: 10,
            salt: 0x1234_5678_9abc_def0,
            number: 77,
            durable: 70,
            base: 1_000_000,
            written_nanos: -5,
            repository: 9,
            content_crc: 0x600d_f00d,
            body_crc: 0xdead_beef,
        }
    }

    #[test]
    fn a_header_comes_back() {
        for header in [sample(), Header { kind: Kind::Mark, events: 0, ..sample() }] {
            assert_eq!(Header::decode(&header.encode()), Some(header));
        }
        assert_eq!(sample().frame_bytes(), 1_080);
        assert_eq!(frame_bytes(0, 0), 72);
    }

    #[test]
    fn every_flipped_bit_and_every_cut_of_a_header_is_noticed() {
        let good = sample().encode();
        for bit in 0..HEADER_BYTES * 8 {
            let mut bad = good;
            bad[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Header::decode(&bad), None, "bit {bit}");
        }
        for len in 0..HEADER_BYTES {
            assert_eq!(Header::decode(&good[..len]), None);
        }
    }

    #[test]
    fn the_checksum_of_key_and_payload_is_that_of_both() {
        let (key, payload) = (b"key".as_slice(), vec![7_u8; 1_000]);
        let whole = crc32c::crc32c(&[key, &payload].concat());
        assert_eq!(body_crc(key, crc32c::crc32c(&payload), payload.len()), whole);
        assert_eq!(body_crc(b"", crc32c::crc32c(&payload), payload.len()), crc32c::crc32c(&payload));
    }
}
