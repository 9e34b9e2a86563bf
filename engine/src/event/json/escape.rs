//! JSON string escapes, both ways.

use std::fmt::Write as _;

/// Appends the text that the content of a JSON string means. On an invalid escape or a lone surrogate, the offset
/// of its backslash is returned and `out` is as before.
///
/// # Errors
/// The offset of the escape that is invalid.
pub fn unescape_into(content: &str, out: &mut String) -> Result<(), usize> {
    let before = out.len();
    let mut rest = content;
    while let Some(at) = memchr::memchr(b'\\', rest.as_bytes()) {
        let (plain, escape) = rest.split_at(at);
        out.push_str(plain);
        let Some((decoded, len)) = decode(escape.as_bytes()) else {
            out.truncate(before);
            return Err(content.len() - escape.len());
        };
        out.push(decoded);
        rest = escape.get(len..).unwrap_or_default();
    }
    out.push_str(rest);
    Ok(())
}

/// The character that the escape at the front of `bytes` stands for, and how many bytes the escape has.
fn decode(bytes: &[u8]) -> Option<(char, usize)> {
    let plain = match bytes.get(1)? {
        b'"' => '"',
        b'\\' => '\\',
        b'/' => '/',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => return decode_unicode(bytes),
        _ => return None,
    };
    Some((plain, 2))
}

/// `\uXXXX`, or a surrogate pair of two of them.
fn decode_unicode(bytes: &[u8]) -> Option<(char, usize)> {
    let first = hex4(bytes.get(2..6)?)?;
    if let Some(plain) = char::from_u32(first) {
        return Some((plain, 6));
    }
    if !(0xD800..0xDC00).contains(&first) || bytes.get(6..8)? != br"\u" {
        return None;
    }
    let second = hex4(bytes.get(8..12)?)?;
    if !(0xDC00..0xE000).contains(&second) {
        return None;
    }
    char::from_u32(0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00)).map(|pair| (pair, 12))
}

fn hex4(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |sum, digit| Some(sum << 4 | char::from(*digit).to_digit(16)?))
}

/// Appends `text` as the content of a JSON string, without its quotes.
pub fn escape_into(text: &str, out: &mut String) {
    let mut rest = text;
    loop {
        let stop = super::scan::string_stop(rest.as_bytes(), 0);
        let (plain, tail) = rest.split_at_checked(stop).unwrap_or((rest, ""));
        out.push_str(plain);
        let Some(special) = tail.chars().next() else { return };
        match special {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            control => {
                // Writing to a String cannot fail.
                let _ = write!(out, "\\u{:04x}", u32::from(control));
            }
        }
        rest = tail.get(1..).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn unescaping_agrees_with_serde_json(content in r#"([a-zé☃]|\\(["\\/bfnrt]|u[0-9a-fA-FdD]{4}|ud83d\\ude00|x)){0,6}"#) {
            let mut out = String::from("before");
            let quoted = format!("\"{content}\"");
            match (unescape_into(&content, &mut out), serde_json::from_str::<String>(&quoted)) {
                (Ok(()), Ok(expected)) => prop_assert_eq!(out, format!("before{expected}")),
                (Err(_), Err(_)) => prop_assert_eq!(out, "before"),
                (ours, theirs) => prop_assert!(false, "{content:?}: {ours:?}, serde_json {theirs:?}"),
            }
        }

        #[test]
        fn escaping_round_trips(text in any::<String>()) {
            let (mut escaped, mut back) = (String::new(), String::new());
            escape_into(&text, &mut escaped);
            let quoted = format!("\"{escaped}\"");
            prop_assert_eq!(serde_json::from_str::<String>(&quoted).unwrap(), text.clone());
            unescape_into(&escaped, &mut back).unwrap();
            prop_assert_eq!(back, text);
        }
    }
}
