//! Free text split into what repeats and what varies, after CLP (Rodrigues, Luo, Yuan, OSDI '21): literal text
//! with holes where numbers, ids, moments and quoted strings stand.
//!
//! A split never interprets: literal and holes put back together are the text, whatever the guess was worth.

use super::moment::{self, LastDay};

/// Longest text that is split, in bytes.
pub(crate) const TEXT_BYTES_MAX: usize = 16 << 10;
/// Most holes of one text.
pub(crate) const HOLES_MAX: usize = 64;
/// Stands for a hole in a key.
pub(crate) const HOLE: u8 = 0;

/// One text taken apart; reused from text to text.
#[derive(Debug, Default)]
pub(crate) struct Split {
    /// The text with [`HOLE`] in place of every hole.
    pub(crate) key: Vec<u8>,
    /// Where the holes are, ascending.
    pub(crate) holes: Vec<(u32, u32)>,
    last_day: LastDay,
}

/// Kinds of bytes, a bit each: what is in no token, or may start a hole though it is in none, has no other bit.
const DIGIT: u8 = 1;
/// A letter that is a hexadecimal digit, too.
const HEX: u8 = 2;
/// Any other letter, and every byte outside ASCII.
const LETTER: u8 = 4;
/// `"` or `=`.
const OPENS: u8 = 8;
const TOKEN: u8 = DIGIT | HEX | LETTER;

const KINDS: [u8; 256] = {
    let mut kinds = [0; 256];
    let mut byte = 0;
    #[allow(clippy::indexing_slicing, reason = "evaluated at compile time")]
    while byte < 256 {
        kinds[byte] = match byte as u8 {
            b'0'..=b'9' => DIGIT,
            b'a'..=b'f' | b'A'..=b'F' => HEX,
            b'g'..=b'z' | b'G'..=b'Z' | 0x80.. => LETTER,
            b'"' | b'=' => OPENS,
            _ => 0,
        };
        byte += 1;
    }
    kinds
};

#[inline]
fn kind(byte: u8) -> u8 {
    KINDS.get(usize::from(byte)).copied().unwrap_or(0)
}

impl Split {
    /// Splits `text`; false when it cannot be (too long, too many holes, a byte that keys use).
    pub(crate) fn split(&mut self, text: &[u8]) -> bool {
        self.key.clear();
        self.holes.clear();
        if text.len() > TEXT_BYTES_MAX {
            return false;
        }
        // Where the literal that is not yet in the key starts.
        let mut literal = 0;
        let mut at = 0;
        while let Some(byte) = text.get(at) {
            let hole = match kind(*byte) {
                0 => {
                    at += 1;
                    continue;
                }
                OPENS => match quoted(text, at).or_else(|| assigned(text, at)) {
                    Some(hole) => hole,
                    None => {
                        at += 1;
                        continue;
                    }
                },
                _ => match token(text, at, &mut self.last_day) {
                    (Some(hole), _) => hole,
                    (None, end) => {
                        at = end;
                        continue;
                    }
                },
            };
            self.key.extend_from_slice(text.get(literal..hole.0).unwrap_or_default());
            self.key.push(HOLE);
            self.holes.push((hole.0 as u32, hole.1 as u32));
            (literal, at) = (hole.1, hole.1);
            // A closing quote must not open the next string.
            if text.get(at) == Some(&b'"') || text.get(at..at + 2) == Some(br#"\""#) {
                at += if text.get(at) == Some(&b'"') { 1 } else { 2 };
            }
        }
        self.key.extend_from_slice(text.get(literal..).unwrap_or_default());
        self.holes.len() <= HOLES_MAX && memchr::memchr(HOLE, text).is_none()
    }
}

/// The content of the string that the quote at `at` opens, escaped quotes (`\"..\"`) included.
fn quoted(text: &[u8], at: usize) -> Option<(usize, usize)> {
    (text.get(at) == Some(&b'"')).then_some(())?;
    let start = at + 1;
    let end = start + memchr::memchr(b'"', text.get(start..)?)?;
    let escaped = at > 0 && text.get(at - 1) == Some(&b'\\');
    if escaped && end > start && text.get(end - 1) == Some(&b'\\') {
        return Some((start, end - 1));
    }
    (!escaped).then_some((start, end))
}

/// The word that stands behind the `=` at `at`.
fn assigned(text: &[u8], at: usize) -> Option<(usize, usize)> {
    (text.get(at) == Some(&b'=')).then_some(())?;
    let start = at + 1;
    (kind(*text.get(start)?) & (HEX | LETTER) != 0).then_some(())?;
    let ends = |byte: &u8| {
        matches!(
            byte,
            b' ' | b'\t'
                | b','
                | b';'
                | b'&'
                | b')'
                | b']'
                | b'}'
                | b'"'
                | b'\''
                | b'|'
                | b'\\'
                | b'<'
                | b'='
        )
    };
    let rest = text.get(start..)?;
    let len = rest.iter().position(ends).unwrap_or(rest.len());
    (len <= 64).then_some((start, start + len))
}

/// Looks at the run of letters and digits from `at`: the hole in it if it has one, else where it ends.
fn token(text: &[u8], at: usize, last_day: &mut LastDay) -> (Option<(usize, usize)>, usize) {
    let rest = text.get(at..).unwrap_or_default();
    if rest.first().is_some_and(u8::is_ascii_digit)
        && let Some(len) = moment_len(rest, last_day)
    {
        return (Some((at, at + len)), at + len);
    }
    let (mut digits, mut kinds, mut len) = (0, 0, 0);
    for byte in rest {
        let kind = kind(*byte);
        if kind & TOKEN == 0 {
            break;
        }
        kinds |= kind;
        digits += usize::from(kind & DIGIT);
        len += 1;
    }
    let plain = kinds & LETTER != 0;
    if len == 8
        && let Some(len) = uuid_len(rest)
    {
        return (Some((at, at + len)), at + len);
    }
    if digits == 0 {
        // Letters alone are text, but a long run of a to f is an id that happens to have no digit.
        let id = !plain && len >= 8;
        return (id.then_some((at, at + len)), at + len);
    }
    if digits == len {
        let len = decimal_len(text, at, len);
        return (Some((at, at + len)), at + len);
    }
    if plain {
        let run = rest.get(..len).unwrap_or_default();
        let leading = run.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let trailing = run.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
        if trailing == digits {
            return (Some((at + len - trailing, at + len)), at + len);
        }
        if leading == digits {
            let len = decimal_len(text, at, leading);
            return (Some((at, at + len)), at + len);
        }
    }
    (Some((at, at + len)), at + len)
}

/// `len` digits at `at` with the fraction that follows, unless the points go on (addresses, versions).
fn decimal_len(text: &[u8], at: usize, len: usize) -> usize {
    let byte = |at: usize| text.get(at).copied().unwrap_or(b' ');
    if byte(at + len) != b'.' || at > 0 && byte(at - 1) == b'.' {
        return len;
    }
    let mut end = at + len + 1;
    while byte(end).is_ascii_digit() {
        end += 1;
    }
    let fraction = end - (at + len + 1);
    let goes_on = byte(end) == b'.' && byte(end + 1).is_ascii_digit();
    if fraction == 0 || goes_on { len } else { end - at }
}

fn uuid_len(rest: &[u8]) -> Option<usize> {
    let uuid = rest.get(..36)?;
    let fits = uuid.iter().enumerate().all(|(place, byte)| match place {
        8 | 13 | 18 | 23 => *byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    });
    (fits && !rest.get(36).is_some_and(u8::is_ascii_alphanumeric)).then_some(36)
}

/// Bytes of the moment at the front of `rest`, without what follows its fraction.
fn moment_len(rest: &[u8], last_day: &mut LastDay) -> Option<usize> {
    let len = match rest {
        [_, _, b':', _, _, b':', _, _, ..] => 8,
        [_, _, b'/', _, _, _, b'/', ..] => 20,
        [_, _, _, _, b'-', _, _, b'-', ..] => 19,
        _ => return None,
    };
    let tail = rest.get(len..)?;
    let digits = match tail {
        [b'.' | b',', digits @ ..] => digits.iter().take_while(|byte| byte.is_ascii_digit()).count(),
        _ => 0,
    };
    let end = if (1..=9).contains(&digits) { len + 1 + digits } else { len };
    moment::parse(rest.get(..end)?, last_day).map(|_| end)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, expected: &str) {
        let mut split = Split::default();
        assert!(split.split(text.as_bytes()));
        assert_eq!(String::from_utf8_lossy(&split.key).replace('\0', "<>"), expected);
    }

    #[test]
    fn templates() {
        check("user123 logged in from 10.0.0.1", "user<> logged in from <>.<>.<>.<>");
        check("took 12.5ms, 3 retries", "took <>ms, <> retries");
        check("2016-12-20 00:04:03,231 INFO x", "<> INFO x");
        check("[17/Aug/2017:13:23:49 +0000] ok", "[<> +<>] ok");
        check(r#""GET / HTTP/1.1" 200 "-" "curl/7.38.0""#, r#""<>" <> "<>" "<>""#);
        check(r#"say \"hi there\" to bob"#, r#"say \"<>\" to bob"#);
        check("id 9f85ce58-5a6a-5f2b-a900-000000000400 trace 942d246b4ad3199a", "id <> trace <>");
        check("level=info msg=done n=5", "level=<> msg=<> n=<>");
        check("deadbeef cafe feed12", "<> cafe <>");
        check("unclosed \" quote 7", "unclosed \" quote <>");
        check("", "");
    }

    proptest! {
        #[test]
        fn parts_put_together_are_the_text(text in r#"([a-z]{1,9}|[0-9]{1,5}|[".=:,/ \\-]|12:30:05|é){0,20}"#) {
            let mut split = Split::default();
            prop_assume!(split.split(text.as_bytes()));
            let mut holes = split.holes.iter();
            let mut back = Vec::new();
            let mut last = 0;
            for byte in &split.key {
                if *byte == HOLE {
                    let (start, end) = *holes.next().unwrap();
                    prop_assert!(start >= last && start <= end);
                    last = end;
                    back.extend_from_slice(&text.as_bytes()[start as usize..end as usize]);
                } else {
                    back.push(*byte);
                }
            }
            prop_assert!(holes.next().is_none());
            prop_assert_eq!(back, text.as_bytes());
        }
    }
}
