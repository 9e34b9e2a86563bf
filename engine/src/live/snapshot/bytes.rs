//! Numbers and texts as bytes.

/// Bytes that are being read; nothing when they end early or say what cannot be.
#[derive(Debug)]
pub(super) struct Bytes<'a> {
    rest: &'a [u8],
}

impl<'a> Bytes<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Bytes<'a> {
        Bytes { rest: bytes }
    }

    /// Nothing is left.
    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn take(&mut self, count: u64) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(usize::try_from(count).ok()?)?;
        self.rest = rest;
        Some(taken)
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    pub(super) fn flag(&mut self) -> Option<bool> {
        match self.byte()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    pub(super) fn fixed(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(*self.take(8)?.first_chunk()?))
    }

    pub(super) fn varint(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for shift in (0..u64::BITS).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if bits << shift >> shift != bits {
                return None;
            }
            value |= bits << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    pub(super) fn signed(&mut self) -> Option<i64> {
        let value = self.varint()?;
        Some((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    /// Nanoseconds or a bucket's number, and whether there is one.
    pub(super) fn optional(&mut self) -> Option<Option<i64>> {
        if self.flag()? { self.signed().map(Some) } else { Some(None) }
    }

    pub(super) fn text(&mut self) -> Option<&'a str> {
        let length = self.varint()?;
        std::str::from_utf8(self.take(length)?).ok()
    }

    /// As many items as are said to follow, each read by `read`. Nothing is reserved for what bytes only claim.
    pub(super) fn list<T>(&mut self, mut read: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let count = self.varint()?;
        let mut items = Vec::new();
        for _ in 0..count {
            if self.is_empty() {
                return None;
            }
            items.push(read(self)?);
        }
        Some(items)
    }
}

pub(super) fn put_flag(flag: bool, out: &mut Vec<u8>) {
    out.push(u8::from(flag));
}

pub(super) fn put_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

pub(super) fn put_signed(value: i64, out: &mut Vec<u8>) {
    put_varint((value << 1 ^ value >> 63) as u64, out);
}

pub(super) fn put_optional(value: Option<i64>, out: &mut Vec<u8>) {
    put_flag(value.is_some(), out);
    if let Some(value) = value {
        put_signed(value, out);
    }
}

pub(super) fn put_text(text: &str, out: &mut Vec<u8>) {
    put_varint(text.len() as u64, out);
    out.extend_from_slice(text.as_bytes());
}

pub(super) fn put_list<T>(items: &[T], out: &mut Vec<u8>, mut put: impl FnMut(&T, &mut Vec<u8>)) {
    put_varint(items.len() as u64, out);
    items.iter().for_each(|item| put(item, out));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_was_put_is_taken(number: u64, shift in 0_u32..64, signed: i64, some: Option<i64>, text: String, list: Vec<u64>) {
            let number = number >> shift;
            let mut out = Vec::new();
            put_varint(number, &mut out);
            put_signed(signed, &mut out);
            put_optional(some, &mut out);
            put_text(&text, &mut out);
            put_list(&list, &mut out, |item, out| put_varint(*item, out));
            let read = |bytes: &[u8]| {
                let mut from = Bytes::new(bytes);
                let read = (from.varint()?, from.signed()?, from.optional()?, from.text()?.to_owned(), from.list(Bytes::varint)?);
                from.is_empty().then_some(read)
            };
            prop_assert_eq!(read(&out), Some((number, signed, some, text, list)));
            for cut in 0..out.len() {
                prop_assert_eq!(read(&out[..cut]), None, "{}", cut);
            }
        }
    }
}
