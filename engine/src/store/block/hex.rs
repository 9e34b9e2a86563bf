//! Texts of one length that differ only in hexadecimal digits: ids, hashes, UUIDs.
//!
//! The pattern is a text in which the places of digits are marked; a value is its digits, two a byte.

use super::needle::Needle;
use super::wire::{Corrupt, Reader, put_bytes};

/// What all values of a column look like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern {
    literal: Vec<u8>,
    /// Places of digits, ascending.
    holes: Vec<u16>,
    upper: bool,
}

/// Most different runs of digits that are looked for at once.
const CORES_MAX: usize = 8;
/// Longest value that is looked at.
const LENGTH_MAX: usize = 256;

impl Pattern {
    /// The pattern of all `texts`; `None` when they have none, or too few digits for it to pay.
    pub(crate) fn of(texts: &[&[u8]]) -> Option<Pattern> {
        let first = *texts.first()?;
        if first.len() > LENGTH_MAX || first.len() < 4 {
            return None;
        }
        let mut seen = [Seen::default(); LENGTH_MAX];
        let seen = seen.get_mut(..first.len())?;
        for run in texts.chunks(RUN) {
            for text in run {
                if text.len() != first.len() {
                    return None;
                }
                for ((seen, byte), first) in seen.iter_mut().zip(*text).zip(first) {
                    seen.differs |= byte ^ first;
                    seen.kinds |= kind(*byte);
                }
            }
            if seen.iter().any(|seen| seen.differs != 0 && seen.kinds & OTHER != 0) {
                return None;
            }
        }
        let mut holes = Vec::new();
        let (mut lower, mut upper) = (false, false);
        for (place, seen) in seen.iter().enumerate().filter(|(_, seen)| seen.differs != 0) {
            holes.push(place as u16);
            lower |= seen.kinds & LOWER != 0;
            upper |= seen.kinds & UPPER != 0;
        }
        // Fewer digits are better served by a dictionary or by numbers.
        if lower && upper || holes.len() < 4 || !lower && !upper && holes.len() < 17 {
            return None;
        }
        Some(Pattern { literal: first.to_vec(), holes, upper })
    }

    /// Bytes a value.
    pub(crate) fn width(&self) -> usize {
        self.holes.len().div_ceil(2)
    }

    /// Bytes of a value's text.
    pub(crate) fn text_len(&self) -> usize {
        self.literal.len()
    }

    /// Appends the digits of `text`, which is one of those the pattern was made of.
    pub(crate) fn pack(&self, text: &[u8], out: &mut Vec<u8>) {
        let digit = |place: &u16| {
            let byte = text.get(usize::from(*place)).copied().unwrap_or(b'0');
            DIGITS.get(usize::from(byte)).copied().unwrap_or(0)
        };
        out.extend(self.holes.chunks(2).map(|pair| match pair {
            [high, low] => digit(high) << 4 | digit(low),
            high => high.first().map_or(0, digit) << 4,
        }));
    }

    /// Appends the text of value `digits`.
    pub(crate) fn append(&self, digits: &[u8], out: &mut Vec<u8>) {
        let letters = if self.upper { b"0123456789ABCDEF" } else { b"0123456789abcdef" };
        let start = out.len();
        out.extend_from_slice(&self.literal);
        let Some(text) = out.get_mut(start..) else { return };
        for (pair, byte) in self.holes.chunks(2).zip(digits) {
            for (place, value) in pair.iter().zip([byte >> 4, byte & 15]) {
                if let (Some(slot), Some(letter)) =
                    (text.get_mut(usize::from(*place)), letters.get(usize::from(value)))
                {
                    *slot = *letter;
                }
            }
        }
    }

    /// Runs of packed digits of which a value that contains the needle has at least one; `None` when nothing can be
    /// said, so that every value must be looked at. A needle may start at an even or an odd digit, and only whole
    /// bytes of digits count.
    pub(super) fn cores(&self, needle: &Needle) -> Option<Vec<Vec<u8>>> {
        let mut cores: Vec<Vec<u8>> = Vec::new();
        for start in 0..(self.literal.len() + 1).saturating_sub(needle.len()) {
            let Some(core) = self.core_at(needle, start) else { continue };
            if core.is_empty() {
                return None;
            }
            if !cores.contains(&core) {
                cores.push(core);
            }
            if cores.len() > CORES_MAX {
                return None;
            }
        }
        Some(cores)
    }

    /// The whole bytes of digits of a value in which the needle starts at `start`; `None` when none can have it.
    fn core_at(&self, needle: &Needle, start: usize) -> Option<Vec<u8>> {
        let letters = if self.upper { b"0123456789ABCDEF" } else { b"0123456789abcdef" };
        let first = self.holes.partition_point(|hole| usize::from(*hole) < start);
        let mut holes = self.holes.get(first..)?.iter().peekable();
        let mut values = Vec::with_capacity(needle.len());
        for at in 0..needle.len() {
            let place = start + at;
            if holes.next_if(|hole| usize::from(**hole) == place).is_some() {
                values.push(letters.iter().position(|letter| needle.fits(at, *letter))? as u8);
            } else if !needle.fits(at, *self.literal.get(place)?) {
                return None;
            }
        }
        let whole = values.get(first % 2..).unwrap_or_default();
        Some(whole.chunks_exact(2).map(|pair| pair.iter().fold(0, |byte, value| byte << 4 | value)).collect())
    }

    /// Which of the values packed in `digits` contain the needle, given its [`Pattern::cores`].
    pub(super) fn hits(&self, digits: &[u8], needle: &Needle, cores: &[Vec<u8>]) -> Vec<bool> {
        let width = self.width().max(1);
        let mut found = vec![false; digits.len() / width];
        let mut text = Vec::with_capacity(self.literal.len());
        for core in cores {
            let finder = memchr::memmem::Finder::new(core);
            let mut at = 0;
            while let Some(hit) = digits.get(at..).and_then(|rest| finder.find(rest)) {
                let value = (at + hit) / width;
                at += hit + 1;
                let Some(slot) = found.get_mut(value).filter(|slot| !**slot) else { continue };
                text.clear();
                self.append(digits.get(value * width..).unwrap_or_default(), &mut text);
                *slot = needle.find(&text).is_some();
            }
        }
        found
    }

    /// Whether no value contains `byte`.
    pub(crate) fn never_has(&self, byte: u8) -> bool {
        !byte.is_ascii_hexdigit() && !self.literal.contains(&byte)
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.push(u8::from(self.upper));
        put_bytes(out, &self.literal);
        out.push(self.holes.len() as u8);
        out.extend(self.holes.iter().map(|place| *place as u8));
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Pattern, Corrupt> {
        let upper = reader.byte()? == 1;
        let literal = reader.bytes()?.to_vec();
        let count = reader.byte()?;
        let count = if count == 0 { LENGTH_MAX } else { usize::from(count) };
        let holes: Vec<u16> = reader.take(count)?.iter().map(|place| u16::from(*place)).collect();
        let ascending = holes.iter().zip(holes.iter().skip(1)).all(|(a, b)| a < b);
        if literal.len() > LENGTH_MAX
            || !ascending
            || holes.last().is_some_and(|last| usize::from(*last) >= literal.len())
        {
            return Err(Corrupt("pattern of digits"));
        }
        Ok(Pattern { literal, holes, upper })
    }
}

/// What a place of all texts was seen to hold.
#[derive(Clone, Copy, Default)]
struct Seen {
    /// Bits in which some text differs from the first.
    differs: u8,
    /// Kinds of bytes, as [`kind`] has them.
    kinds: u8,
}

/// Texts after which it is looked whether they can still have a pattern.
const RUN: usize = 64;
const LOWER: u8 = 1;
const UPPER: u8 = 2;
const OTHER: u8 = 4;

/// A bit for a letter of either case and for what is no digit at all; without branches, to be done for many at once.
#[inline]
fn kind(byte: u8) -> u8 {
    let decimal = byte.wrapping_sub(b'0') < 10;
    let lower = byte.wrapping_sub(b'a') < 6;
    let upper = byte.wrapping_sub(b'A') < 6;
    u8::from(lower) * LOWER | u8::from(upper) * UPPER | u8::from(!(decimal | lower | upper)) * OTHER
}

/// The value of every hexadecimal digit.
const DIGITS: [u8; 256] = {
    let mut digits = [0; 256];
    let mut byte = 0;
    #[allow(clippy::indexing_slicing, reason = "evaluated at compile time")]
    while byte < 256 {
        digits[byte] = match byte as u8 {
            digit @ b'0'..=b'9' => digit - b'0',
            digit @ b'a'..=b'f' => digit - b'a' + 10,
            digit @ b'A'..=b'F' => digit - b'A' + 10,
            _ => 0,
        };
        byte += 1;
    }
    digits
};

#[cfg(test)]
mod tests {
    use super::*;

    fn check(texts: &[&str], works: bool) {
        let bytes: Vec<&[u8]> = texts.iter().map(|text| text.as_bytes()).collect();
        let pattern = Pattern::of(&bytes);
        assert_eq!(pattern.is_some(), works, "{texts:?}");
        let Some(pattern) = pattern else { return };
        let mut written = Vec::new();
        pattern.write(&mut written);
        assert_eq!(Pattern::read(&mut Reader::new(&written)).as_ref(), Ok(&pattern));
        for text in bytes {
            let (mut digits, mut out) = (Vec::new(), Vec::new());
            pattern.pack(text, &mut digits);
            assert_eq!(digits.len(), pattern.width());
            pattern.append(&digits, &mut out);
            assert_eq!(out, text);
        }
    }

    #[test]
    fn patterns() {
        check(&["9f85ce58-5a6a-5f2b-a900-000000000400", "00000000-1111-2222-3333-abcdefabcdef"], true);
        check(&["{ABCDEF01}", "{01234567}"], true);
        check(&["req-abcde", "req-0ef12", "req-fffff"], true);
        check(&["abCd1234", "01234567"], false);
        check(&["abcd", "abcde"], false);
        check(&["abcdefgh", "abcdefgi"], false);
        check(&["", ""], false);
        let long = ["a".repeat(256), "0".repeat(256)];
        check(&[&long[0], &long[1]], true);
    }
}
