//! Appending many short texts to one buffer.
//!
//! A short text is copied as a chunk of fixed size, too much of it, and what is too much is written over by the next
//! one. That is a few instructions where a copy of the exact length is a call.

/// Room made at a time.
const ROOM: usize = 16 << 10;
/// The longest chunk.
const LONGEST: usize = 64;
/// Digits of the longest integer, and its sign.
const INTEGER: usize = 20;
/// The two digits of each number below a hundred.
#[allow(clippy::indexing_slicing, reason = "evaluated at compile time")]
const PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[b'0'; 2]; 100];
    let mut value = 0;
    while value < 100 {
        pairs[value] = [b'0' + (value / 10) as u8, b'0' + (value % 10) as u8];
        value += 1;
    }
    pairs
};

/// A text to be appended often.
#[derive(Debug, Default)]
pub(super) struct Stamp {
    /// The text, and a chunk behind it.
    bytes: Vec<u8>,
    len: usize,
}

impl Stamp {
    /// What `write` writes.
    pub(super) fn of(write: impl FnOnce(&mut Pen)) -> Stamp {
        let mut pen = Pen::default();
        write(&mut pen);
        let len = pen.at;
        pen.put(&[0; LONGEST]);
        let mut bytes = Vec::new();
        pen.leave(&mut bytes);
        Stamp { bytes, len }
    }
}

/// Writes to the end of a buffer.
#[derive(Debug, Default)]
pub(super) struct Pen {
    /// What is written, and room behind it.
    bytes: Vec<u8>,
    at: usize,
}

impl Pen {
    /// Goes on behind what `out` has, and takes it away until [`Pen::leave`].
    pub(super) fn take(out: &mut Vec<u8>) -> Pen {
        let bytes = std::mem::take(out);
        Pen { at: bytes.len(), bytes }
    }

    /// Gives back the buffer with what was written.
    pub(super) fn leave(self, out: &mut Vec<u8>) {
        *out = self.bytes;
        out.truncate(self.at);
    }

    /// Bytes written so far, with those that were there.
    pub(super) fn len(&self) -> usize {
        self.at
    }

    /// Takes back what was written from `place` on.
    pub(super) fn back(&mut self, place: usize) {
        self.at = self.at.min(place);
    }

    /// Changes the byte at `place`, which is written.
    pub(super) fn set(&mut self, place: usize, byte: u8) {
        self.bytes.iter_mut().skip(place).take(1).for_each(|slot| *slot = byte);
    }

    /// Appends a byte.
    #[inline]
    pub(super) fn byte(&mut self, byte: u8) {
        match self.bytes.get_mut(self.at) {
            Some(slot) => *slot = byte,
            None => self.put_long(&[byte]),
        }
        self.at += 1;
    }

    /// Appends `text`.
    #[inline]
    pub(super) fn put(&mut self, text: &[u8]) {
        self.put_part(text, text.len());
    }

    /// Appends `len` bytes of `stamp` from `start` on, as far as it has them.
    #[inline]
    pub(super) fn stamp(&mut self, stamp: &Stamp, start: usize, len: usize) {
        let len = len.min(stamp.len.saturating_sub(start));
        self.put_part(stamp.bytes.get(start..).unwrap_or_default(), len);
    }

    /// Appends the first `len` bytes of `text`, or all if it has fewer. What lies behind them makes it quicker.
    #[inline]
    pub(super) fn put_part(&mut self, text: &[u8], len: usize) {
        let len = len.min(text.len());
        let room = self.bytes.get_mut(self.at..).unwrap_or_default();
        let done = if len <= 16 {
            put_chunk::<16>(text, room)
        } else if len <= 32 {
            put_chunk::<32>(text, room)
        } else {
            len <= LONGEST && put_chunk::<LONGEST>(text, room)
        };
        if !done {
            self.put_long(text.get(..len).unwrap_or_default());
        }
        self.at += len;
    }

    /// Writes `text` at the end, which the caller moves, and makes room for what may follow.
    #[inline(never)]
    fn put_long(&mut self, text: &[u8]) {
        let end = self.at + text.len();
        if self.bytes.len() < end + LONGEST {
            self.bytes.resize(end + LONGEST + ROOM, 0);
        }
        if let Some(room) = self.bytes.get_mut(self.at..end) {
            room.copy_from_slice(text);
        }
    }

    /// Appends the digits of `value`.
    #[inline]
    pub(super) fn integer(&mut self, value: i64) {
        let mut digits = [0; INTEGER + 32];
        let (mut left, mut start) = (value.unsigned_abs(), INTEGER);
        while left >= 10 {
            start -= 2;
            let pair = PAIRS.get((left % 100) as usize).copied().unwrap_or_default();
            digits.iter_mut().skip(start).zip(pair).for_each(|(slot, digit)| *slot = digit);
            left /= 100;
        }
        if left > 0 || start == INTEGER {
            start -= 1;
            digits.iter_mut().skip(start).take(1).for_each(|slot| *slot = b'0' + left as u8);
        }
        if value < 0 {
            self.byte(b'-');
        }
        self.put_part(digits.get(start..).unwrap_or_default(), INTEGER - start);
    }
}

/// Copies a whole chunk; false when one of the two is shorter.
#[inline]
fn put_chunk<const N: usize>(text: &[u8], room: &mut [u8]) -> bool {
    match (text.first_chunk::<N>(), room.first_chunk_mut::<N>()) {
        (Some(text), Some(room)) => {
            *room = *text;
            true
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever was appended stands there one after the other.
        #[test]
        fn nothing_is_written_over(
            before in "[a-z]{0,20}",
            parts in prop::collection::vec(("[a-z]{0,150}", 0..150_usize), 0..400),
        ) {
            let mut out = before.clone().into_bytes();
            let mut pen = Pen::take(&mut out);
            let mut expected = before;
            for (text, len) in &parts {
                pen.put_part(text.as_bytes(), *len);
                expected += &text[..text.len().min(*len)];
                pen.byte(b'/');
                expected.push('/');
                prop_assert_eq!(pen.len(), expected.len());
            }
            pen.leave(&mut out);
            prop_assert_eq!(String::from_utf8(out).unwrap(), expected);
        }

        #[test]
        fn integers_are_plain(value in prop_oneof![any::<i64>(), -1000..1000_i64], shift in 0..64_u32) {
            for value in [value >> shift, i64::MIN, i64::MAX, 0] {
                let mut out = Vec::new();
                let mut pen = Pen::take(&mut out);
                pen.integer(value);
                pen.leave(&mut out);
                prop_assert_eq!(String::from_utf8(out).unwrap(), value.to_string());
            }
        }
    }
}
