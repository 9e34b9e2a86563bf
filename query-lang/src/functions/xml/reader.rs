//! Reads XML 1.0 into pieces: tags, texts and the rest, checked to be one element with all its tags closed.
//!
//! It validates nothing and loads nothing: declarations of types and processing instructions are passed over, entities
//! other than the five of XML stay as they are written.

use std::borrow::Cow;

/// Elements inside one another at most.
pub const MAX_XML_DEPTH: usize = 128;

/// A piece of an XML text, as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece<'t> {
    /// `<name a="b">`, and `<name/>` if closed at once.
    Open {
        /// The element's name.
        name: &'t str,
        /// Names and values of attributes, the quotes of these included.
        attributes: Vec<(&'t str, &'t str)>,
        /// It is empty.
        closed: bool,
    },
    /// `</name>`
    Close(&'t str),
    /// What stands between tags.
    Text(&'t str),
    /// What stands in `<![CDATA[ .. ]]>`.
    Verbatim(&'t str),
    /// A comment, an instruction or a declaration.
    Other(&'t str),
}

/// The pieces of `text`.
///
/// # Errors
/// What is wrong with it, when it is no XML.
pub fn pieces(text: &str) -> Result<Vec<Piece<'_>>, String> {
    let mut reader =
        Reader { rest: text.trim_start_matches('\u{feff}').trim(), found: Vec::new(), open: Vec::new() };
    let mut roots = 0;
    while !reader.rest.is_empty() {
        let outside = reader.open.is_empty();
        match reader.piece()? {
            Piece::Text(text) if outside && text.trim().is_empty() => continue,
            Piece::Text(_) | Piece::Verbatim(_) if outside => {
                return Err("there is text outside of its element".to_owned());
            }
            piece => {
                if outside && matches!(piece, Piece::Open { .. }) {
                    roots += 1;
                }
                reader.found.push(piece);
            }
        }
    }
    match (reader.open.last(), roots) {
        (Some(name), _) => Err(format!("`<{name}>` is not closed")),
        (None, 1) => Ok(reader.found),
        (None, 0) => Err("it has no element".to_owned()),
        (None, _) => Err("it has more than one element".to_owned()),
    }
}

struct Reader<'t> {
    rest: &'t str,
    found: Vec<Piece<'t>>,
    open: Vec<&'t str>,
}

impl<'t> Reader<'t> {
    fn piece(&mut self) -> Result<Piece<'t>, String> {
        if !self.rest.starts_with('<') {
            let end = self.rest.find('<').unwrap_or(self.rest.len());
            return self.take(end).map(Piece::Text);
        }
        if self.rest.starts_with("<!--") {
            return self.through("-->").map(Piece::Other);
        }
        if let Some(inner) = self.rest.strip_prefix("<![CDATA[") {
            let end = inner.find("]]>").ok_or("`<![CDATA[` is not closed")?;
            self.rest = inner.get(end + 3..).unwrap_or_default();
            return Ok(Piece::Verbatim(inner.get(..end).unwrap_or_default()));
        }
        if self.rest.starts_with("<?") {
            return self.through("?>").map(Piece::Other);
        }
        if self.rest.starts_with("<!") {
            // A declaration may hold others in brackets.
            let end = match (self.rest.find('['), self.rest.find('>')) {
                (Some(bracket), Some(end)) if bracket < end => {
                    let close = self.rest.find(']').ok_or("`<!` is not closed")?;
                    self.rest.get(close..).and_then(|rest| rest.find('>')).map(|end| close + end)
                }
                (_, end) => end,
            };
            return self.take(end.ok_or("`<!` is not closed")? + 1).map(Piece::Other);
        }
        if self.rest.starts_with("</") {
            let tag = self.through(">")?;
            let name = tag.trim_start_matches("</").trim_end_matches('>').trim();
            return match self.open.pop() {
                Some(open) if open == name => Ok(Piece::Close(name)),
                Some(open) => Err(format!("`</{name}>` stands where `</{open}>` is expected")),
                None => Err(format!("`</{name}>` closes nothing")),
            };
        }
        self.tag()
    }

    fn take(&mut self, bytes: usize) -> Result<&'t str, String> {
        let (piece, rest) = self.rest.split_at_checked(bytes).ok_or("it ends inside a tag")?;
        self.rest = rest;
        Ok(piece)
    }

    fn through(&mut self, end: &str) -> Result<&'t str, String> {
        let at = self.rest.find(end).ok_or_else(|| format!("`{end}` is missing"))?;
        self.take(at + end.len())
    }

    fn name(&mut self) -> Result<&'t str, String> {
        let ends = |c: char| c.is_whitespace() || matches!(c, '/' | '>' | '<' | '=' | '"' | '\'');
        let end = self.rest.find(ends).unwrap_or(self.rest.len());
        match self.take(end)? {
            "" => Err("a name is missing in a tag".to_owned()),
            name => Ok(name),
        }
    }

    fn tag(&mut self) -> Result<Piece<'t>, String> {
        self.take(1)?;
        let name = self.name()?;
        let mut attributes = Vec::new();
        loop {
            self.rest = self.rest.trim_start();
            let closed = self.rest.starts_with("/>");
            if closed || self.rest.starts_with('>') {
                self.take(if closed { 2 } else { 1 })?;
                if !closed {
                    self.open.push(name);
                    if self.open.len() > MAX_XML_DEPTH {
                        return Err(format!("it has more than {MAX_XML_DEPTH} elements inside one another"));
                    }
                }
                return Ok(Piece::Open { name, attributes, closed });
            }
            let key = self.name().map_err(|_| format!("`<{name}` is not closed"))?;
            self.rest = self.rest.trim_start();
            self.rest =
                self.rest.strip_prefix('=').ok_or_else(|| format!("the attribute `{key}` has no value"))?;
            self.rest = self.rest.trim_start();
            let quote = self.rest.chars().next().filter(|c| matches!(c, '"' | '\''));
            let quote = quote.ok_or_else(|| format!("the value of `{key}` has no quotes"))?;
            let end = self.rest.get(1..).and_then(|rest| rest.find(quote));
            let end = end.ok_or_else(|| format!("the value of `{key}` does not end"))?;
            attributes.push((key, self.take(end + 2)?));
        }
    }
}

/// `text` with the five entities of XML and character references read; others stay as they are.
#[must_use]
pub fn decoded(text: &str) -> Cow<'_, str> {
    if !text.contains('&') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        out.push_str(before);
        let named = after.split_once(';').and_then(|(name, left)| Some((entity(name)?, left)));
        match named {
            Some((letter, left)) => {
                out.push(letter);
                rest = left;
            }
            None => {
                out.push('&');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    Cow::Owned(out)
}

fn entity(name: &str) -> Option<char> {
    match name {
        "lt" => Some('<'),
        "gt" => Some('>'),
        "amp" => Some('&'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix('x') {
                Some(digits) => u32::from_str_radix(digits, 16),
                None => number.parse(),
            };
            char::from_u32(code.ok()?)
        }
    }
}
