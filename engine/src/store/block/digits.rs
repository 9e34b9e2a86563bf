//! Decimal digits, both ways, for exactly the texts that come back the same.

const PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[b'0'; 2]; 100];
    let mut value = 0;
    #[allow(clippy::indexing_slicing, reason = "evaluated at compile time")]
    while value < 100 {
        pairs[value] = [b'0' + (value / 10) as u8, b'0' + (value % 10) as u8];
        value += 1;
    }
    pairs
};

/// Most digits a number here has: 18 nines fit in an `i64` with room for the sign.
pub(crate) const MAX_DIGITS: usize = 18;

/// Most digits that are written.
const LONGEST: usize = 20;

/// The number that `digits` are; `None` unless they are 1 to [`MAX_DIGITS`] decimal digits.
#[inline]
pub(crate) fn parse(digits: &[u8]) -> Option<i64> {
    if digits.is_empty() || digits.len() > MAX_DIGITS {
        return None;
    }
    let mut value = 0i64;
    for digit in digits {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value * 10 + i64::from(digit);
    }
    Some(value)
}

/// The number of which `text` is the plain decimal form: no leading zero, no `-0`, no plus.
#[inline]
pub(crate) fn parse_plain(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    match digits {
        [b'0'] if !negative => Some(0),
        [b'0', ..] => None,
        digits => parse(digits).map(|value| if negative { -value } else { value }),
    }
}

/// Appends the digits of `value`, with zeros in front up to `width`.
#[inline]
pub(crate) fn append_padded(mut value: u64, width: usize, out: &mut Vec<u8>) {
    // Digits end in the middle: what is copied has one length, so that no call is made for a few bytes.
    let mut buffer = [b'0'; 2 * LONGEST];
    let mut at = LONGEST;
    loop {
        let pair = PAIRS.get((value % 100) as usize).copied().unwrap_or_default();
        at -= 2;
        if let Some(slot) = buffer.get_mut(at..at + 2) {
            slot.copy_from_slice(&pair);
        }
        value /= 100;
        if value == 0 {
            break;
        }
    }
    if buffer.get(at) == Some(&b'0') {
        at += 1;
    }
    // A lone zero was cut to nothing above only when width asks for no digit.
    let start = at.min(LONGEST - width.clamp(1, LONGEST));
    let end = out.len() + LONGEST - start;
    let chunk = buffer.get(start..).and_then(<[u8]>::first_chunk::<LONGEST>);
    out.extend_from_slice(chunk.unwrap_or(&[b'0'; LONGEST]));
    out.truncate(end);
}

/// Appends the plain decimal form of `value`.
#[inline]
pub(crate) fn append_plain(value: i64, out: &mut Vec<u8>) {
    if value < 0 {
        out.push(b'-');
    }
    append_padded(value.unsigned_abs(), 1, out);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_forms_only() {
        for text in ["0", "1", "-1", "10", "99", "100", "123456789012345678", "-999999999999999999"] {
            let mut out = Vec::new();
            append_plain(parse_plain(text.as_bytes()).unwrap(), &mut out);
            assert_eq!(out, text.as_bytes());
        }
        for text in ["", "-", "-0", "00", "01", "-01", "+1", "1 ", "1.0", "1234567890123456789", "0x1"] {
            assert_eq!(parse_plain(text.as_bytes()), None, "{text}");
        }
        for value in [i64::MIN, i64::MAX] {
            let mut out = Vec::new();
            append_plain(value, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), value.to_string());
        }
    }

    #[test]
    fn padding() {
        for (value, width, text) in
            [(0, 1, "0"), (0, 3, "000"), (7, 2, "07"), (100, 2, "100"), (5, 0, "5"), (45, 3, "045")]
        {
            let mut out = Vec::new();
            append_padded(value, width, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), text);
        }
    }
}
