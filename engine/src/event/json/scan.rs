//! Byte loops over JSON tokens: where does this string, this number end.
//!
//! Strings are scanned eight bytes at a time with the zero-byte test of Mycroft (1987) and its less-than sibling
//! (both in "Bit Twiddling Hacks", S. E. Anderson): the lowest byte they report is always exact.

const ONES: u64 = u64::from_ne_bytes([1; 8]);
const HIGHS: u64 = u64::from_ne_bytes([0x80; 8]);

/// The offset of the first quote, backslash or control character at or after `from`; `bytes.len()` when there is
/// none.
#[inline]
pub(crate) fn string_stop(bytes: &[u8], from: usize) -> usize {
    let mut at = from;
    while let Some(chunk) = bytes.get(at..).and_then(<[u8]>::first_chunk::<8>) {
        let stops = stops(u64::from_le_bytes(*chunk));
        if stops != 0 {
            return at + (stops.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    while let Some(byte) = bytes.get(at) {
        if matches!(byte, b'"' | b'\\' | 0..0x20) {
            return at;
        }
        at += 1;
    }
    bytes.len()
}

#[inline]
fn stops(word: u64) -> u64 {
    let quote = word ^ (ONES * b'"' as u64);
    let backslash = word ^ (ONES * b'\\' as u64);
    let quotes = quote.wrapping_sub(ONES) & !quote;
    let backslashes = backslash.wrapping_sub(ONES) & !backslash;
    let controls = word.wrapping_sub(ONES * 0x20) & !word;
    (quotes | backslashes | controls) & HIGHS
}

/// What was found when looking for the closing quote of a string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StringEnd {
    /// The closing quote is here; the content is plain.
    Plain(usize),
    /// The closing quote is here; the content has escapes, not yet looked at.
    Escaped(usize),
    /// A raw control character is here.
    Control(usize),
    /// The bytes end first.
    Open,
}

/// Looks for the closing quote of the string whose content starts at `from`.
#[inline]
pub(crate) fn string_end(bytes: &[u8], from: usize) -> StringEnd {
    let mut at = from;
    let mut escaped = false;
    loop {
        at = string_stop(bytes, at);
        match bytes.get(at) {
            None => return StringEnd::Open,
            Some(b'"') if escaped => return StringEnd::Escaped(at),
            Some(b'"') => return StringEnd::Plain(at),
            Some(b'\\') => {
                escaped = true;
                // The escaped byte is skipped whatever it is, but a control character stays one.
                at += if bytes.get(at + 1).is_some_and(|byte| *byte >= 0x20) { 2 } else { 1 };
            }
            Some(_) => return StringEnd::Control(at),
        }
    }
}

/// The end of the number, `true`, `false` or `null` that starts at `from`; `None` when there is none.
#[inline]
pub(crate) fn bare_end(bytes: &[u8], from: usize) -> Option<usize> {
    let word = match bytes.get(from)? {
        b't' => "true",
        b'f' => "false",
        b'n' => "null",
        _ => return number_end(bytes, from),
    };
    let end = from + word.len();
    (bytes.get(from..end)? == word.as_bytes()).then_some(end)
}

/// The end of the longest JSON number that starts at `from`.
#[inline]
fn number_end(bytes: &[u8], from: usize) -> Option<usize> {
    let byte = |at: usize| bytes.get(at).copied().unwrap_or(0);
    let digits = |mut at: usize| {
        while byte(at).is_ascii_digit() {
            at += 1;
        }
        at
    };
    let start = from + usize::from(byte(from) == b'-');
    let mut end = if byte(start) == b'0' { start + 1 } else { digits(start) };
    if end == start {
        return None;
    }
    if byte(end) == b'.' {
        let fraction = digits(end + 1);
        if fraction == end + 1 {
            return None;
        }
        end = fraction;
    }
    if matches!(byte(end), b'e' | b'E') {
        let sign = end + 1 + usize::from(matches!(byte(end + 1), b'+' | b'-'));
        let exponent = digits(sign);
        if exponent == sign {
            return None;
        }
        end = exponent;
    }
    Some(end)
}

/// The offset of the first byte at or after `from` that is not JSON white space.
#[inline]
pub(crate) fn skip_space(bytes: &[u8], mut from: usize) -> usize {
    while matches!(bytes.get(from), Some(b' ' | b'\t' | b'\n' | b'\r')) {
        from += 1;
    }
    from
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn string_stop_agrees_with_a_plain_loop(bytes in prop::collection::vec(any::<u8>(), 0..40), from in 0usize..42) {
            let slow = bytes.iter().enumerate().skip(from)
                .find(|(_, byte)| matches!(byte, b'"' | b'\\' | 0..0x20)).map_or(bytes.len(), |(at, _)| at);
            prop_assert_eq!(string_stop(&bytes, from), slow);
        }

        #[test]
        fn numbers_end_where_serde_json_says(text in "-?[0-9]{0,3}(\\.[0-9]{0,2})?([eE][-+]?[0-9]{0,2})?") {
            let valid = serde_json::from_str::<serde_json::Value>(&text).is_ok();
            prop_assert_eq!(bare_end(text.as_bytes(), 0) == Some(text.len()) && !text.is_empty(), valid);
        }
    }

    #[test]
    fn strings_end_at_the_first_quote_not_escaped() {
        for (text, end) in [
            (r#"ab""#, StringEnd::Plain(2)),
            (r#"a\"b""#, StringEnd::Escaped(4)),
            (r#"a\\""#, StringEnd::Escaped(3)),
            (r#"a\\\""#, StringEnd::Open),
            ("a\n\"", StringEnd::Control(1)),
            ("a\\\n\"", StringEnd::Control(2)),
            ("a\\", StringEnd::Open),
            ("", StringEnd::Open),
        ] {
            assert_eq!(string_end(text.as_bytes(), 0), end, "{text:?}");
        }
    }
}
