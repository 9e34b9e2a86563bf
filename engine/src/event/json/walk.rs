//! The full walk over a JSON object: checks it, and finds every scalar with its flattened path.
//!
//! It keeps its own stack, so depth costs no call stack. What it finds is kept when it stops at an error: an event
//! over a limit still has the fields before that point.

use super::escape::unescape_into;
use super::scan::{StringEnd, bare_end, skip_space, string_end};
use crate::event::error::{JsonError, JsonErrorKind};
use crate::event::limits::EventLimits;

/// The most bytes all paths of one text may have together, whatever the limits say: a long key over many elements
/// repeats in each path.
const MAX_PATHS_BYTES: usize = 64 << 20;

/// One scalar of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    /// First byte: of the content, behind the opening quote, for a string.
    pub start: u32,
    /// Bytes.
    pub len: u32,
    /// It is the content of a string.
    pub quoted: bool,
    /// It has escapes.
    pub escaped: bool,
}

impl Token {
    /// The token as written in `text`.
    pub(crate) fn of<'t>(&self, text: &'t str) -> &'t str {
        text.get(self.start as usize..(self.start + self.len) as usize).unwrap_or_default()
    }
}

/// What a walk found. Reused from event to event.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// The scalars, in order.
    pub tokens: Vec<Token>,
    /// Their paths, end to end.
    pub paths: String,
    /// Where each path ends in `paths`.
    pub path_ends: Vec<u32>,
    stack: Vec<Frame>,
    path: String,
}

#[derive(Clone, Copy, Debug)]
struct Frame {
    /// Length of the path to this object or array.
    path: usize,
    /// The index of the current element; `None` in an object.
    element: Option<usize>,
}

impl Found {
    /// The path of token `at`.
    pub(crate) fn path(&self, at: usize) -> &str {
        let start = match at.checked_sub(1) {
            Some(before) => self.path_ends.get(before).copied().unwrap_or(0),
            None => 0,
        };
        let end = self.path_ends.get(at).copied().unwrap_or(start);
        self.paths.get(start as usize..end as usize).unwrap_or_default()
    }

    /// Bytes of memory that stay allocated.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.tokens.capacity() * size_of::<Token>()
            + self.paths.capacity()
            + self.path_ends.capacity() * size_of::<u32>()
            + self.stack.capacity() * size_of::<Frame>()
            + self.path.capacity()
    }

    /// Walks over `text`.
    ///
    /// # Errors
    /// When `text` is not a JSON object or over a limit; what was found until there stays.
    pub(crate) fn walk(&mut self, text: &str, limits: &EventLimits) -> Result<(), JsonError> {
        self.tokens.clear();
        self.paths.clear();
        self.path_ends.clear();
        self.stack.clear();
        self.path.clear();
        let mut walk = Walk { text, bytes: text.as_bytes(), at: 0, limits, found: self };
        walk.object().map_err(|kind| JsonError { kind, at: walk.at.min(text.len()) })
    }
}

struct Walk<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    limits: &'a EventLimits,
    found: &'a mut Found,
}

/// What to do after a value or an opening bracket.
enum Next {
    Value,
    Close,
}

impl Walk<'_> {
    fn object(&mut self) -> Result<(), JsonErrorKind> {
        self.space();
        if self.peek() != Some(b'{') {
            return Err(JsonErrorKind::NotAnObject);
        }
        let mut next = self.open()?;
        loop {
            next = match next {
                Next::Value => self.value()?,
                Next::Close => {
                    self.found.stack.pop();
                    if self.found.stack.is_empty() {
                        break;
                    }
                    self.follow()?
                }
            };
        }
        self.space();
        if self.at == self.bytes.len() { Ok(()) } else { Err(JsonErrorKind::Trailing) }
    }

    /// Takes `{` or `[`, and what is needed to stand before its first value.
    fn open(&mut self) -> Result<Next, JsonErrorKind> {
        if self.found.stack.len() >= self.limits.max_json_depth {
            return Err(JsonErrorKind::TooDeep);
        }
        let array = self.peek() == Some(b'[');
        self.at += 1;
        self.found.stack.push(Frame { path: self.found.path.len(), element: array.then_some(0) });
        self.space();
        match self.peek() {
            Some(b'}') if !array => self.close(),
            Some(b']') if array => self.close(),
            _ => self.member(),
        }
    }

    fn close(&mut self) -> Result<Next, JsonErrorKind> {
        self.at += 1;
        Ok(Next::Close)
    }

    /// Sets the path for the next member, taking its key and colon in an object.
    fn member(&mut self) -> Result<Next, JsonErrorKind> {
        let depth = self.found.stack.len();
        let Some(frame) = self.found.stack.last_mut() else { return Err(JsonErrorKind::Unexpected) };
        self.found.path.truncate(frame.path);
        match &mut frame.element {
            Some(element) => {
                push_index(&mut self.found.path, *element);
                *element += 1;
            }
            None => {
                if depth > 1 {
                    self.found.path.push('.');
                }
                self.key()?;
                self.space();
                self.expect(b':')?;
                self.space();
            }
        }
        if self.found.path.len() > self.limits.max_field_name_bytes {
            return Err(JsonErrorKind::NameTooLong);
        }
        Ok(Next::Value)
    }

    fn key(&mut self) -> Result<(), JsonErrorKind> {
        self.expect(b'"')?;
        let start = self.at;
        let (end, escaped) = self.string()?;
        let content = self.text.get(start..end).unwrap_or_default();
        if !escaped {
            self.found.path.push_str(content);
        } else if let Err(bad) = unescape_into(content, &mut self.found.path) {
            self.at = start + bad;
            return Err(JsonErrorKind::Escape);
        }
        Ok(())
    }

    /// Takes the rest of a string and its closing quote: where it ends, and whether it has escapes.
    fn string(&mut self) -> Result<(usize, bool), JsonErrorKind> {
        let (end, escaped) = match string_end(self.bytes, self.at) {
            StringEnd::Plain(end) => (end, false),
            StringEnd::Escaped(end) => (end, true),
            StringEnd::Control(at) => {
                self.at = at;
                return Err(JsonErrorKind::Control);
            }
            StringEnd::Open => {
                self.at = self.bytes.len();
                return Err(JsonErrorKind::End);
            }
        };
        self.at = end + 1;
        Ok((end, escaped))
    }

    fn value(&mut self) -> Result<Next, JsonErrorKind> {
        let start = self.at;
        match self.peek() {
            Some(b'{' | b'[') => return self.open(),
            Some(b'"') => {
                self.at += 1;
                let (end, escaped) = self.string()?;
                self.token(start + 1, end, true, escaped)?;
            }
            Some(byte) => {
                let Some(end) = bare_end(self.bytes, start) else {
                    let number = byte == b'-' || byte.is_ascii_digit();
                    return Err(if number { JsonErrorKind::Number } else { JsonErrorKind::Unexpected });
                };
                self.at = end;
                self.token(start, end, false, false)?;
            }
            None => return Err(JsonErrorKind::End),
        }
        self.follow()
    }

    fn token(&mut self, start: usize, end: usize, quoted: bool, escaped: bool) -> Result<(), JsonErrorKind> {
        if self.found.tokens.len() >= self.limits.max_fields_per_event {
            return Err(JsonErrorKind::TooManyFields);
        }
        let limit = self.limits.max_event_path_bytes.min(MAX_PATHS_BYTES);
        if self.found.paths.len() + self.found.path.len() > limit {
            return Err(JsonErrorKind::NamesTooLong);
        }
        // Texts are shorter than 4 GiB: the batch that holds them says so.
        let (start, len) = (start as u32, (end - start) as u32);
        self.found.tokens.push(Token { start, len, quoted, escaped });
        self.found.paths.push_str(&self.found.path);
        self.found.path_ends.push(self.found.paths.len() as u32);
        Ok(())
    }

    /// Takes the comma or the closing bracket behind a value.
    fn follow(&mut self) -> Result<Next, JsonErrorKind> {
        self.space();
        let array = self.found.stack.last().is_some_and(|frame| frame.element.is_some());
        match self.peek() {
            Some(b',') => {
                self.at += 1;
                self.space();
                self.member()
            }
            Some(b']') if array => self.close(),
            Some(b'}') if !array => self.close(),
            Some(_) => Err(JsonErrorKind::Unexpected),
            None => Err(JsonErrorKind::End),
        }
    }

    fn expect(&mut self, byte: u8) -> Result<(), JsonErrorKind> {
        match self.peek() {
            Some(found) if found == byte => {
                self.at += 1;
                Ok(())
            }
            Some(_) => Err(JsonErrorKind::Unexpected),
            None => Err(JsonErrorKind::End),
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn space(&mut self) {
        self.at = skip_space(self.bytes, self.at);
    }
}

fn push_index(path: &mut String, index: usize) {
    use std::fmt::Write as _;
    // Writing to a String cannot fail.
    let _ = write!(path, "[{index}]");
}
