//! JSON documents: finding values in them without reading what they hold, and taking each as an event.

use std::borrow::Cow;

use weir_engine::event::json::unescape_into;

use super::error::DecodeError;
use super::intake::{Beside, Intake};
use super::lines::{self, BYTE_ORDER_MARK};
use super::source::Source;

/// Takes every element of an array, or every value of a sequence, as an event. From the first that does not end, the
/// rest is taken line by line: one broken event costs no other.
pub(super) fn documents(body: &[u8], intake: &mut Intake<'_>) -> Result<(), DecodeError> {
    intake.reserve(body.len());
    each_document(body, intake, |value, intake| intake.json(value, Beside::default()))
}

/// Calls `take` with every element of an array, or every value of a sequence; what is broken is taken as it is.
pub(super) fn each_document<'i>(
    body: &[u8],
    intake: &mut Intake<'i>,
    mut take: impl FnMut(&[u8], &mut Intake<'i>) -> Result<(), DecodeError>,
) -> Result<(), DecodeError> {
    let body = body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body);
    let mut in_array = false;
    let mut at = 0;
    loop {
        at = skip_space(body, at);
        match body.get(at) {
            None => return Ok(()),
            Some(b'[') if !in_array => {
                in_array = true;
                at += 1;
            }
            Some(b']') if in_array => {
                in_array = false;
                at += 1;
            }
            Some(b',') if in_array => at += 1,
            Some(_) => match value_end(body, at) {
                Some(end) => {
                    take(body.get(at..end).unwrap_or_default(), intake)?;
                    at = end;
                }
                None => return each_line(body.get(at..).unwrap_or_default(), in_array, intake, take),
            },
        }
    }
}

/// What is left of a broken document, a line an event. In an array, the comma behind an element and the closing bracket
/// are not part of it.
fn each_line<'i>(
    rest: &[u8],
    in_array: bool,
    intake: &mut Intake<'i>,
    mut take: impl FnMut(&[u8], &mut Intake<'i>) -> Result<(), DecodeError>,
) -> Result<(), DecodeError> {
    for line in rest.split(|byte| *byte == b'\n') {
        let mut line = line.trim_ascii();
        if in_array {
            line = line.strip_suffix(b",").unwrap_or(line);
        }
        match line {
            [] => {}
            [b']'] if in_array => {}
            line => take(line, intake)?,
        }
    }
    Ok(())
}

pub(super) fn skip_space(bytes: &[u8], mut at: usize) -> usize {
    while matches!(bytes.get(at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
        at += 1;
    }
    at
}

/// Where the value that starts at `from` ends: brackets are counted and strings skipped, but not looked into. `None`
/// when it does not end.
pub(super) fn value_end(bytes: &[u8], from: usize) -> Option<usize> {
    match bytes.get(from)? {
        b'"' => string_end(bytes, from),
        b'{' | b'[' => brackets_end(bytes, from),
        _ => {
            let stops = |byte: &u8| {
                matches!(byte, b',' | b']' | b'}' | b'[' | b'{' | b'"' | b' ' | b'\t' | b'\n' | b'\r')
            };
            let len = bytes.get(from..)?.iter().position(stops).unwrap_or(bytes.len() - from);
            (len > 0).then_some(from + len)
        }
    }
}

/// Where the object or array that starts at `from` ends; `None` too when a bracket is closed by one of the other kind.
fn brackets_end(bytes: &[u8], from: usize) -> Option<usize> {
    let mut open = Brackets::default();
    let mut at = from;
    loop {
        match bytes.get(at)? {
            b'"' => {
                at = string_end(bytes, at)?;
                continue;
            }
            b'{' => open.push(true),
            b'[' => open.push(false),
            b'}' if !open.pop(true) => return None,
            b']' if !open.pop(false) => return None,
            _ => {}
        }
        at += 1;
        if open.depth == 0 {
            return Some(at);
        }
    }
}

/// The kinds of the brackets that are open, innermost in the lowest bit. What is deeper than 128 is only counted.
#[derive(Default)]
struct Brackets {
    kinds: u128,
    depth: usize,
    deepest: usize,
}

impl Brackets {
    fn push(&mut self, object: bool) {
        self.kinds = self.kinds << 1 | u128::from(object);
        self.depth += 1;
        self.deepest = self.deepest.max(self.depth);
    }

    /// Closes a bracket; `false` when the innermost is of the other kind.
    fn pop(&mut self, object: bool) -> bool {
        let same = self.kinds & 1 == u128::from(object);
        self.kinds >>= 1;
        self.depth = self.depth.saturating_sub(1);
        same || self.deepest > 128
    }
}

/// Where the string whose opening quote is at `from` ends, behind its closing quote.
fn string_end(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from + 1;
    loop {
        at += memchr::memchr2(b'"', b'\\', bytes.get(at..)?)?;
        if bytes.get(at) == Some(&b'"') {
            return Some(at + 1);
        }
        at += 2;
    }
}

/// The members of an object in a text that is known to be JSON: names as they mean, values as they are written. Empty
/// when it is no object.
pub(super) fn members(object: &str) -> impl Iterator<Item = (Cow<'_, str>, &str)> {
    let mut rest = inner(object, '{', '}');
    std::iter::from_fn(move || {
        let name = next_value(&mut rest)?;
        rest = rest.trim_ascii_start().strip_prefix(':')?;
        let value = next_value(&mut rest)?;
        Some((text_of(name)?, value))
    })
}

/// The elements of an array in a text that is known to be JSON. Empty when it is no array.
pub(super) fn elements(array: &str) -> impl Iterator<Item = &str> {
    let mut rest = inner(array, '[', ']');
    std::iter::from_fn(move || next_value(&mut rest))
}

fn inner(value: &str, open: char, close: char) -> &str {
    let value = value.trim_ascii();
    value.strip_prefix(open).and_then(|value| value.strip_suffix(close)).unwrap_or_default()
}

/// Takes the next value, and the comma before it.
fn next_value<'t>(rest: &mut &'t str) -> Option<&'t str> {
    let text = rest.trim_ascii_start();
    let text = text.strip_prefix(',').unwrap_or(text).trim_ascii_start();
    let end = value_end(text.as_bytes(), 0)?;
    let (value, tail) = text.split_at_checked(end)?;
    *rest = tail;
    Some(value)
}

/// What a scalar means as text; `None` for null, objects and arrays.
pub(super) fn text_of(value: &str) -> Option<Cow<'_, str>> {
    match value.as_bytes().first()? {
        b'{' | b'[' | b'n' => None,
        b'"' => {
            let content = value.strip_prefix('"')?.strip_suffix('"')?;
            if !content.contains('\\') {
                return Some(Cow::Borrowed(content));
            }
            let mut text = String::new();
            unescape_into(content, &mut text).ok()?;
            Some(Cow::Owned(text))
        }
        _ => Some(Cow::Borrowed(value)),
    }
}

/// Checks that all of `body` is one JSON document.
pub(super) fn checked(body: &[u8]) -> Result<&str, DecodeError> {
    let body = body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body);
    serde_json::from_slice::<serde::de::IgnoredAny>(body)
        .map_err(|error| DecodeError::Json(error.to_string()))?;
    std::str::from_utf8(body).map_err(|error| DecodeError::Json(error.to_string()))
}

/// What is JSON or lines of it, by its first bytes.
pub(super) fn is_lines(front: &[u8]) -> bool {
    let line = memchr::memchr(b'\n', front);
    // A first line longer than what is looked at is taken for an object as well.
    line.is_none_or(|line| front.get(..line).is_some_and(|first| value_end(first, 0).is_some()))
}

/// NDJSON or other JSON, by its first bytes.
pub(super) fn detected(
    mut source: Source<'_>,
    front_bytes: usize,
    intake: &mut Intake<'_>,
) -> Result<(), DecodeError> {
    if is_lines(source.peek(front_bytes)?.trim_ascii_start()) {
        return lines::ndjson(source, intake);
    }
    documents(&source.read_all()?, intake)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_end_where_their_brackets_close() {
        for (text, end) in [
            (r#"{"a":"}"} x"#, Some(9)),
            (r#"[1,[2],{"b":"\"]"}],"#, Some(19)),
            (r#""a\\" "#, Some(5)),
            ("12,", Some(2)),
            ("true", Some(4)),
            ("{", None),
            ("\"a", None),
            ("\"a\\", None),
            ("", None),
            ("]", None),
            ("[}", None),
            ("{\"a\":[1}", None),
        ] {
            assert_eq!(value_end(text.as_bytes(), 0), end, "{text}");
        }
    }

    #[test]
    fn deep_brackets_are_only_counted() {
        let deep = format!("{}{}x", "[".repeat(1000), "]".repeat(1000));
        assert_eq!(value_end(deep.as_bytes(), 0), Some(2000));
    }

    #[test]
    fn members_and_elements() {
        let text = r#" { "a" : 1 , "b\n":{"x":[1]} ,"c":"d"} "#;
        let found: Vec<_> = members(text).collect();
        assert_eq!(
            found,
            [("a".into(), "1"), ("b\n".into(), r#"{"x":[1]}"#), ("c".into(), "\"d\"")]
                as [(Cow<'_, str>, &str); 3]
        );
        assert_eq!(elements(" [1, \"x\" ,{} ]").collect::<Vec<_>>(), ["1", "\"x\"", "{}"]);
        assert_eq!(elements("{}").count() + members("[1]").count() + members("{}").count(), 0);
    }
}
