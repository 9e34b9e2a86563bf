//! A parser as bytes, and back.
//!
//! ```text
//! parser  := version (u64), text, description, list of tag fields, list of removed fields, list of cases
//! case    := input, list of (name, value), arrival (0 | 1 and i64), dropped (0 | 1), list of expected
//! expected:= event (u64), list of (name, value), list of names
//! ```
//!
//! Numbers are little-endian; a text or a list is its length (u32) and what it holds. No bytes can make the reader panic or
//! allocate more than a small multiple of what it was given.

use super::parser::{Case, Expected, Parser};

/// `parser` in its `version` as bytes.
pub(super) fn encode(version: u64, parser: &Parser) -> Vec<u8> {
    let mut out = version.to_le_bytes().to_vec();
    text(&parser.text, &mut out);
    text(&parser.description, &mut out);
    list(&parser.tag_fields, &mut out, |name, out| text(name, out));
    list(&parser.removed_fields, &mut out, |name, out| text(name, out));
    list(&parser.tests, &mut out, |case, out| {
        text(&case.input, out);
        list(&case.fields, out, pair);
        out.push(u8::from(case.arrival_millis.is_some()));
        out.extend(case.arrival_millis.map(i64::to_le_bytes).into_iter().flatten());
        out.push(u8::from(case.is_dropped));
        list(&case.expected, out, |expected, out| {
            out.extend_from_slice(&(expected.event as u64).to_le_bytes());
            list(&expected.has, out, pair);
            list(&expected.lacks, out, |name, out| text(name, out));
        });
    });
    out
}

fn text(text: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(&(text.len() as u32).to_le_bytes());
    out.extend_from_slice(text.as_bytes());
}

fn pair((name, value): &(String, String), out: &mut Vec<u8>) {
    text(name, out);
    text(value, out);
}

fn list<T>(items: &[T], out: &mut Vec<u8>, each: impl Fn(&T, &mut Vec<u8>)) {
    out.extend_from_slice(&(items.len() as u32).to_le_bytes());
    items.iter().for_each(|item| each(item, out));
}

/// What [`encode`] was given; `None`: these are no such bytes.
pub(super) fn decode(bytes: &[u8]) -> Option<(u64, Parser)> {
    let mut reader = Reader { rest: bytes };
    let version = reader.number()?;
    let parser = Parser {
        text: reader.text()?,
        description: reader.text()?,
        tag_fields: reader.list(Reader::text)?,
        removed_fields: reader.list(Reader::text)?,
        tests: reader.list(Reader::case)?,
    };
    reader.rest.is_empty().then_some((version, parser))
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl Reader<'_> {
    fn number(&mut self) -> Option<u64> {
        let (head, rest) = self.rest.split_first_chunk::<8>()?;
        self.rest = rest;
        Some(u64::from_le_bytes(*head))
    }

    fn length(&mut self) -> Option<usize> {
        let (head, rest) = self.rest.split_first_chunk::<4>()?;
        self.rest = rest;
        Some(u32::from_le_bytes(*head) as usize)
    }

    fn flag(&mut self) -> Option<bool> {
        let (head, rest) = self.rest.split_first()?;
        self.rest = rest;
        (*head <= 1).then_some(*head == 1)
    }

    fn text(&mut self) -> Option<String> {
        let len = self.length()?;
        let (head, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        String::from_utf8(head.to_vec()).ok()
    }

    fn pair(&mut self) -> Option<(String, String)> {
        Some((self.text()?, self.text()?))
    }

    /// Every item takes some bytes, so that the list grows no faster than bytes are read.
    fn list<T>(&mut self, each: impl Fn(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let len = self.length()?;
        let mut items = Vec::new();
        for _ in 0..len {
            items.push(each(self)?);
        }
        Some(items)
    }

    fn case(&mut self) -> Option<Case> {
        Some(Case {
            input: self.text()?,
            fields: self.list(Reader::pair)?,
            arrival_millis: match self.flag()? {
                true => Some(self.number()? as i64),
                false => None,
            },
            is_dropped: self.flag()?,
            expected: self.list(Reader::expected)?,
        })
    }

    fn expected(&mut self) -> Option<Expected> {
        Some(Expected {
            event: usize::try_from(self.number()?).ok()?,
            has: self.list(Reader::pair)?,
            lacks: self.list(Reader::text)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_nothing_else() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let case = Case {
            input: "a=1 ü".to_owned(),
            fields: vec![pair("host", "h")],
            arrival_millis: Some(-5),
            is_dropped: false,
            expected: vec![Expected { event: 1, has: vec![pair("a", "1")], lacks: vec!["b".to_owned()] }],
        };
        let parser = Parser {
            text: "kvParse()".to_owned(),
            description: "pairs".to_owned(),
            tag_fields: vec!["a".to_owned(), "c".to_owned()],
            removed_fields: vec!["host".to_owned()],
            tests: vec![case, Case { is_dropped: true, ..Case::default() }],
        };
        let bytes = encode(7, &parser);
        assert_eq!(decode(&bytes), Some((7, parser)));
        assert!((0..bytes.len()).all(|end| decode(&bytes[..end]).is_none()));
        assert_eq!(decode(&[&bytes[..], b"x"].concat()), None);
        assert_eq!(decode(&[0xff; 64]), None);
    }
}
