//! Texts of one length that differ only in hexadecimal digits: ids, hashes, UUIDs.
//!
//! The pattern is a text in which the places of digits are marked; a value is its digits, two a byte.

use std::ops::Range;

use super::ask::{Ask, Fit};
use super::needle::Needle;
use super::wire::{Corrupt, Reader, put_bytes};

/// What all values of a column look like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern {
    literal: Vec<u8>,
    /// Places of digits, ascending.
    holes: Vec<u16>,
    upper: bool,
    /// The same places as runs of neighbours.
    runs: Vec<Run>,
}

/// Digits side by side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    /// Where it starts in a text.
    at: usize,
    /// The number of its first digit.
    digit: usize,
    len: usize,
}

/// Digits that a value must have in certain places.
#[derive(Debug)]
pub(crate) struct Masked {
    mask: Vec<u8>,
    digits: Vec<u8>,
}

impl Masked {
    /// Whether the packed value `own` has them.
    pub(super) fn are_in(&self, own: &[u8]) -> bool {
        let places = own.iter().zip(&self.mask).zip(&self.digits);
        places.fold(0, |differs, ((own, mask), digit)| differs | (own & mask ^ digit)) == 0
    }
}

/// Most different runs of digits that are looked for at once.
const CORES_MAX: usize = 8;
/// Longest value that is looked at.
const LENGTH_MAX: usize = 256;
/// Digits up to which they are spelled in less room: as many as those of two UUIDs.
const SHORT_DIGITS: usize = 64;

impl Pattern {
    /// The pattern of all `texts`; `None` when they have none, or too few digits for it to pay.
    pub(crate) fn of(texts: &[&[u8]]) -> Option<Pattern> {
        let first = *texts.first()?;
        if first.len() > LENGTH_MAX || first.len() < 4 {
            return None;
        }
        let mut seen = [Seen::default(); LENGTH_MAX];
        let seen = seen.get_mut(..first.len())?;
        for texts in texts.chunks(TEXTS_AT_ONCE) {
            for text in texts {
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
        Some(Pattern::new(first.to_vec(), holes, upper))
    }

    fn new(literal: Vec<u8>, holes: Vec<u16>, upper: bool) -> Pattern {
        let mut runs: Vec<Run> = Vec::new();
        for (digit, at) in holes.iter().map(|place| usize::from(*place)).enumerate() {
            match runs.last_mut() {
                Some(run) if run.at + run.len == at => run.len += 1,
                _ => runs.push(Run { at, digit, len: 1 }),
            }
        }
        Pattern { literal, holes, upper, runs }
    }

    /// Bytes a value.
    pub(crate) fn width(&self) -> usize {
        self.holes.len().div_ceil(2)
    }

    /// Bytes of a value's text.
    pub(crate) fn text_len(&self) -> usize {
        self.literal.len()
    }

    /// A value with digits at the places of digits, which stand for any.
    pub(super) fn literal(&self) -> &[u8] {
        &self.literal
    }

    /// The places of digits, ascending.
    pub(super) fn holes(&self) -> &[u16] {
        &self.holes
    }

    /// The digits that may stand there.
    pub(super) fn letters(&self) -> &'static [u8; 16] {
        if self.upper { b"0123456789ABCDEF" } else { b"0123456789abcdef" }
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
        let start = out.len();
        out.extend_from_slice(&self.literal);
        if let Some(text) = out.get_mut(start..) {
            self.put(digits, text);
        }
    }

    /// Makes `text`, which is one of the pattern, that of value `digits`.
    pub(super) fn put(&self, digits: &[u8], text: &mut [u8]) {
        if self.is_bare() {
            spell(digits, self.ten(), text);
        } else if self.holes.len() <= SHORT_DIGITS {
            self.put_among::<SHORT_DIGITS>(digits, text);
        } else {
            self.put_among::<LENGTH_MAX>(digits, text);
        }
    }

    /// Makes `texts`, which are texts of the pattern end to end, those of the values in `digits`.
    pub(super) fn put_all(&self, digits: &[u8], texts: &mut [u8]) {
        if self.is_bare() {
            // Nothing but digits: where a value ends and the next begins makes no difference.
            return spell(digits, self.ten(), texts);
        }
        let values = digits.chunks_exact(self.width().max(1));
        let texts = texts.chunks_exact_mut(self.text_len().max(1));
        values.zip(texts).for_each(|(digits, text)| self.put(digits, text));
    }

    /// As [`Pattern::put`], of at most `MOST` digits: spelled side by side they take fewer steps than run by run, though
    /// each run is copied then.
    #[inline]
    fn put_among<const MOST: usize>(&self, digits: &[u8], text: &mut [u8]) {
        let mut spelled = [0; MOST];
        spell(digits.get(..self.width()).unwrap_or(digits), self.ten(), &mut spelled);
        for run in &self.runs {
            let own = spelled.get(run.digit..run.digit + run.len);
            if let (Some(slots), Some(own)) = (text.get_mut(run.at..run.at + run.len), own) {
                slots.copy_from_slice(own);
            }
        }
    }

    /// Texts are digits from end to end, two a byte.
    fn is_bare(&self) -> bool {
        self.holes.len() == self.literal.len() && self.holes.len().is_multiple_of(2)
    }

    /// What is ten less than the letter of the digit ten.
    fn ten(&self) -> u8 {
        if self.upper { b'A' - 10 } else { b'a' - 10 }
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
        let first = self.holes.partition_point(|hole| usize::from(*hole) < start);
        let values = self.digits_at(needle, 0..needle.len(), start)?;
        let whole = values.get(first % 2..).unwrap_or_default();
        Some(whole.chunks_exact(2).map(|pair| pair.iter().fold(0, |byte, value| byte << 4 | value)).collect())
    }

    /// The digits of a value that has a part of the needle at `start`; `None` when none can have it.
    fn digits_at(&self, needle: &Needle, part: Range<usize>, start: usize) -> Option<Vec<u8>> {
        let letters = self.letters();
        let first = self.holes.partition_point(|hole| usize::from(*hole) < start);
        let mut holes = self.holes.get(first..)?.iter().peekable();
        let mut values = Vec::with_capacity(part.len());
        for (place, at) in (start..).zip(part) {
            if holes.next_if(|hole| usize::from(**hole) == place).is_some() {
                values.push(letters.iter().position(|letter| needle.fits(at, &[*letter]))? as u8);
            } else if !needle.fits(at, &[*self.literal.get(place)?]) {
                return None;
            }
        }
        Some(values)
    }

    /// The digits of values that have a part of the needle at their front, at their end, or are it; `None` when there
    /// are no such values.
    pub(super) fn digits(&self, needle: &Needle, ask: Ask) -> Option<Masked> {
        let behind = self.literal.len().checked_sub(ask.len())?;
        let start = match ask.fit {
            Fit::Suffix => behind,
            Fit::Whole if behind > 0 => return None,
            _ => 0,
        };
        let values = self.digits_at(needle, ask.from..ask.to, start)?;
        let first = self.holes.partition_point(|hole| usize::from(*hole) < start);
        let mut digits = Masked { mask: vec![0; self.width()], digits: vec![0; self.width()] };
        for (digit, value) in (first..).zip(values) {
            let shift = if digit % 2 == 0 { 4 } else { 0 };
            let slots = (digits.mask.get_mut(digit / 2), digits.digits.get_mut(digit / 2));
            if let (Some(mask), Some(slot)) = slots {
                *mask |= 15 << shift;
                *slot |= value << shift;
            }
        }
        Some(digits)
    }

    /// Calls `each` with the values packed in `digits` that contain the needle, given its [`Pattern::cores`].
    pub(super) fn each_hit(
        &self,
        digits: &[u8],
        needle: &Needle,
        cores: &[Vec<u8>],
        mut each: impl FnMut(usize),
    ) {
        let width = self.width().max(1);
        let mut text = Vec::with_capacity(self.literal.len());
        for core in cores {
            let finder = memchr::memmem::Finder::new(core);
            let mut at = 0;
            // On with the next value after each hit: one that reaches over the end of a value says nothing of the next,
            // which may begin inside it.
            while let Some(hit) = digits.get(at..).and_then(|rest| finder.find(rest)) {
                let value = (at + hit) / width;
                at = (value + 1) * width;
                text.clear();
                self.append(digits.get(value * width..).unwrap_or_default(), &mut text);
                if needle.find(&text).is_some() {
                    each(value);
                }
            }
        }
    }

    /// The bytes that values may have.
    pub(super) fn bytes(&self) -> impl Iterator<Item = u8> {
        self.literal.iter().chain(b"0123456789abcdefABCDEF").copied()
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
        Ok(Pattern::new(literal, holes, upper))
    }
}

/// Writes the digits that are in `digits`, the high half of each byte first, as far as `text` reaches; those from ten on
/// are letters that follow `ten + 9`. One plain loop over all bytes: the compiler does sixteen at once, which it does not
/// where the same is asked for sixteen by sixteen.
#[inline]
fn spell(digits: &[u8], ten: u8, text: &mut [u8]) {
    // One sum and another: to choose between two takes more steps, many at once.
    let letter = |digit: u8| digit + b'0' + if digit > 9 { ten - b'0' } else { 0 };
    for (pair, digits) in text.as_chunks_mut::<2>().0.iter_mut().zip(digits) {
        *pair = [letter(digits >> 4), letter(digits & 15)];
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
const TEXTS_AT_ONCE: usize = 64;
const LOWER: u8 = 1;
const UPPER: u8 = 2;
const OTHER: u8 = 4;

/// A bit for a letter of either case and for what is no digit at all; without branches, to be done for many at once.
#[inline]
fn kind(byte: u8) -> u8 {
    let letter = |first: u8| byte.wrapping_sub(first) < 6;
    let other = if byte.wrapping_sub(b'0') < 10 { 0 } else { OTHER };
    if letter(b'a') {
        LOWER
    } else if letter(b'A') {
        UPPER
    } else {
        other
    }
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
        let mut packed = Vec::new();
        for text in &bytes {
            let (mut digits, mut out) = (Vec::new(), Vec::new());
            pattern.pack(text, &mut digits);
            assert_eq!(digits.len(), pattern.width());
            pattern.append(&digits, &mut out);
            assert_eq!(out, *text);
            packed.extend(digits);
        }
        let mut all = pattern.literal().repeat(bytes.len());
        pattern.put_all(&packed, &mut all);
        assert_eq!(all, bytes.concat());
    }

    #[test]
    fn patterns() {
        check(&["9f85ce58-5a6a-5f2b-a900-000000000400", "00000000-1111-2222-3333-abcdefabcdef"], true);
        check(&["{ABCDEF01}", "{01234567}"], true);
        check(&["9f85ce58-5a6a-4f2b-a900-00a000000400", "00000000-1111-4222-3333-abcdefabcdef"], true);
        check(&["8f05d19d593f9627abf121c3d8a5d144", "9c5ea31d2cdae68f298d03080c0cf702"], true);
        check(&["8f05d19d593f9627abf121c3d8a5d144a", "9c5ea31d2cdae68f298d03080c0cf702b"], true);
        check(&["req-abcde", "req-0ef12", "req-fffff"], true);
        check(&["abCd1234", "01234567"], false);
        check(&["abcd", "abcde"], false);
        check(&["abcdefgh", "abcdefgi"], false);
        check(&["", ""], false);
        for digits in [SHORT_DIGITS - 1, SHORT_DIGITS, SHORT_DIGITS + 1, 254, 255, 256] {
            for around in ["", "-"].iter().filter(|around| digits + around.len() <= LENGTH_MAX) {
                let text = |letter: &str| format!("{around}{}", letter.repeat(digits));
                check(&[&text("a"), &text("0"), &text("7")], true);
            }
        }
    }

    #[test]
    fn a_hit_over_the_end_of_a_value_hides_none_in_the_next() {
        let texts = [&b"ab12cd34ab12cd34ab12cd340e004700"[..], b"000000000e4736f1ab12cd34ab12cd34"];
        let pattern = Pattern::of(&texts).unwrap();
        let mut digits = Vec::new();
        texts.iter().for_each(|text| pattern.pack(text, &mut digits));
        for (literal, expected) in
            [("00000000", vec![1]), ("12cd34ab", vec![0, 1]), ("000000000e47", vec![1])]
        {
            let needle = Needle::exact(literal.as_bytes()).unwrap();
            let mut found = Vec::new();
            let cores = pattern.cores(&needle).unwrap();
            pattern.each_hit(&digits, &needle, &cores, |value| found.push(value));
            found.sort_unstable();
            found.dedup();
            assert_eq!(found, expected, "{literal}");
        }
    }
}
