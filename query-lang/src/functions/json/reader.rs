//! JSON (RFC 8259) read from the front of a text into fields by path.

use super::{MAX_JSON_DEPTH, MAX_PARSED_FIELDS, MAX_PARSED_NAME_BYTES};

/// A value that is no object and no array.
pub(crate) enum Scalar {
    Text(String),
    Null,
}

/// Reads JSON (RFC 8259) from the front of a text.
pub(crate) struct Reader<'t> {
    rest: &'t str,
    /// What was found: paths and values.
    pub(super) fields: Vec<(String, Scalar)>,
    /// Bytes of their names.
    name_bytes: usize,
}

impl<'t> Reader<'t> {
    pub(crate) fn new(text: &'t str) -> Reader<'t> {
        Reader { rest: text, fields: Vec::new(), name_bytes: 0 }
    }

    /// What is not read yet.
    pub(crate) fn rest(&self) -> &'t str {
        self.rest
    }

    pub(crate) fn next_byte(&self) -> Option<u8> {
        self.rest.as_bytes().first().copied()
    }

    pub(crate) fn space(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
    }

    pub(crate) fn take(&mut self, what: &str) -> Option<()> {
        self.rest = self.rest.strip_prefix(what)?;
        Some(())
    }

    /// Nothing but white space is left.
    pub(crate) fn end(&mut self) -> Option<()> {
        self.space();
        self.rest.is_empty().then_some(())
    }

    /// A string, number, truth value or null, as it is written.
    pub(crate) fn scalar_as_written(&mut self) -> Option<&'t str> {
        let before = self.rest;
        match self.next_byte()? {
            b'"' => drop(self.string()?),
            b't' => self.take("true")?,
            b'f' => self.take("false")?,
            b'n' => self.take("null")?,
            _ => drop(self.number()?.len()),
        }
        before.get(..before.len() - self.rest.len())
    }

    /// Reads a value, the fields of which go under `path`.
    pub(super) fn value(&mut self, path: &mut String, depth: usize) -> Option<()> {
        self.space();
        let scalar = match self.rest.as_bytes().first()? {
            b'{' => return self.object(path, depth),
            b'[' => return self.array(path, depth),
            b'"' => Scalar::Text(self.string()?),
            b't' => self.take("true").map(|()| Scalar::Text("true".to_owned()))?,
            b'f' => self.take("false").map(|()| Scalar::Text("false".to_owned()))?,
            b'n' => self.take("null").map(|()| Scalar::Null)?,
            _ => Scalar::Text(self.number()?.to_owned()),
        };
        // A scalar by itself has no name, and no field.
        if !path.is_empty() && self.fields.len() < MAX_PARSED_FIELDS {
            self.name_bytes += path.len();
            if self.name_bytes > MAX_PARSED_NAME_BYTES {
                return None;
            }
            self.fields.push((path.clone(), scalar));
        }
        Some(())
    }

    fn object(&mut self, path: &mut String, depth: usize) -> Option<()> {
        self.take("{")?;
        if depth >= MAX_JSON_DEPTH {
            return None;
        }
        self.space();
        if self.take("}").is_some() {
            return Some(());
        }
        let outer = path.len();
        loop {
            self.space();
            let key = self.string()?;
            if outer > 0 && !(depth == 0 && path.ends_with('.')) {
                path.push('.');
            }
            path.push_str(&key);
            self.space();
            self.take(":")?;
            self.value(path, depth + 1)?;
            path.truncate(outer);
            self.space();
            if self.take(",").is_none() {
                return self.take("}");
            }
        }
    }

    fn array(&mut self, path: &mut String, depth: usize) -> Option<()> {
        self.take("[")?;
        if depth >= MAX_JSON_DEPTH {
            return None;
        }
        self.space();
        if self.take("]").is_some() {
            return Some(());
        }
        let outer = path.len();
        for at in 0.. {
            path.push_str(&format!("[{at}]"));
            self.value(path, depth + 1)?;
            path.truncate(outer);
            self.space();
            if self.take(",").is_none() {
                return self.take("]");
            }
        }
        None
    }

    fn number(&mut self) -> Option<&'t str> {
        let text = self.rest;
        let digits = |at: usize| text.bytes().skip(at).take_while(u8::is_ascii_digit).count();
        let byte = |at: usize| text.as_bytes().get(at).copied();
        let mut at = usize::from(byte(0) == Some(b'-'));
        let whole = digits(at);
        if whole == 0 || (whole > 1 && byte(at) == Some(b'0')) {
            return None;
        }
        at += whole;
        if byte(at) == Some(b'.') {
            let places = digits(at + 1);
            at = (places > 0).then_some(at + 1 + places)?;
        }
        if matches!(byte(at), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(byte(at + 1), Some(b'+' | b'-')));
            let exponent = digits(at + 1 + sign);
            at = (exponent > 0).then_some(at + 1 + sign + exponent)?;
        }
        let (number, rest) = text.split_at_checked(at)?;
        self.rest = rest;
        Some(number)
    }

    /// A string, without quotes and escapes.
    pub(crate) fn string(&mut self) -> Option<String> {
        self.take("\"")?;
        let mut out = String::new();
        loop {
            let stop = self.rest.find(|c: char| c == '"' || c == '\\' || c < ' ')?;
            let (plain, rest) = self.rest.split_at_checked(stop)?;
            out.push_str(plain);
            self.rest = rest;
            if self.take("\"").is_some() {
                return Some(out);
            }
            self.take("\\")?;
            let escape = self.rest.chars().next()?;
            self.rest = self.rest.get(escape.len_utf8()..)?;
            out.push(match escape {
                '"' | '\\' | '/' => escape,
                'b' => '\u{8}',
                'f' => '\u{c}',
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                'u' => self.unicode()?,
                _ => return None,
            });
        }
    }

    /// What follows `\u`; a lone surrogate becomes U+FFFD.
    fn unicode(&mut self) -> Option<char> {
        let high = self.hex4()?;
        if !(0xd800..0xdc00).contains(&high) {
            return Some(char::from_u32(high).unwrap_or(char::REPLACEMENT_CHARACTER));
        }
        let before = self.rest;
        if self.take("\\u").is_some() {
            let low = self.hex4()?;
            if (0xdc00..0xe000).contains(&low) {
                return char::from_u32(0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00));
            }
            self.rest = before;
        }
        Some(char::REPLACEMENT_CHARACTER)
    }

    fn hex4(&mut self) -> Option<u32> {
        let (digits, rest) = self.rest.split_at_checked(4)?;
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        self.rest = rest;
        u32::from_str_radix(digits, 16).ok()
    }
}
