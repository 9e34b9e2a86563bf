//! The characters of a query: white space and comments, words, strings and regexes, each asked for by the parser.
//!
//! CQL has no context-free tokens: `a-b` is one word in a filter and a subtraction in an expression, `/` starts a
//! regex, divides, or belongs to a path. So the lexer keeps a position and the parser asks for the token that its
//! place in the grammar allows. Every byte of the text belongs to a token, to white space or to a comment, and all
//! carry their spans; comments are kept aside.
//!
//! It never fails: what is not there is `None`, and a token that is there but broken is a [`Fault`].

pub(crate) mod literal;
pub(crate) mod words;

use crate::ast::Comment;
use crate::span::Span;

/// A token that starts properly and does not end, or contains what it may not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) message: String,
    pub(crate) span: Span,
    pub(crate) hint: Option<String>,
}

/// Which characters belong to an unquoted word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Operands of filters and arguments: also `* + - : ~` and inner `/`.
    Pattern,
    /// Field names, alone or in expressions, where the rest are operators.
    Field,
    /// Operands of arithmetic: a field name without `%`, which is an operator there.
    Arithmetic,
}

/// A position in the text, and the comments passed so far.
#[derive(Debug)]
pub(crate) struct Lexer<'t> {
    text: &'t str,
    at: usize,
    comments: Vec<Comment>,
    /// A comment that does not end; reported once by the parser.
    unended: Option<Span>,
}

impl<'t> Lexer<'t> {
    pub(crate) fn new(text: &'t str) -> Lexer<'t> {
        Lexer { text, at: 0, comments: Vec::new(), unended: None }
    }

    /// Bytes from the start of the text.
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// Goes to a position reached before, or to the end. Going back forgets the comments behind the position: read
    /// differently, they may be no comments.
    pub(crate) fn go(&mut self, at: usize) {
        self.at = at.min(self.text.len());
        while self.comments.last().is_some_and(|comment| comment.span.start as usize >= self.at) {
            self.comments.pop();
        }
        if self.unended.is_some_and(|span| span.start as usize >= self.at) {
            self.unended = None;
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.text.len()
    }

    pub(crate) fn at_end(&self) -> bool {
        self.at >= self.text.len()
    }

    pub(crate) fn slice(&self, span: Span) -> &'t str {
        self.text.get(span.range()).unwrap_or("")
    }

    pub(crate) fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or("")
    }

    /// The byte `ahead` of the position.
    pub(crate) fn byte(&self, ahead: usize) -> Option<u8> {
        self.text.as_bytes().get(self.at + ahead).copied()
    }

    pub(crate) fn looking_at(&self, what: &str) -> bool {
        self.text.as_bytes().get(self.at..).is_some_and(|rest| rest.starts_with(what.as_bytes()))
    }

    /// Passes `what` if it stands here.
    pub(crate) fn eat(&mut self, what: &str) -> Option<Span> {
        if !self.looking_at(what) {
            return None;
        }
        let span = Span::new(self.at, self.at + what.len());
        self.at += what.len();
        Some(span)
    }

    /// The character here, with its span.
    pub(crate) fn character(&self) -> Option<(char, Span)> {
        let c = self.rest().chars().next()?;
        Some((c, Span::new(self.at, self.at + c.len_utf8())))
    }

    pub(crate) fn take_comments(&mut self) -> Vec<Comment> {
        std::mem::take(&mut self.comments)
    }

    pub(crate) fn take_unended(&mut self) -> Option<Span> {
        self.unended.take()
    }

    /// Passes white space and comments.
    pub(crate) fn skip_trivia(&mut self) {
        loop {
            match self.byte(0) {
                Some(b' ' | b'\t' | b'\n' | b'\r' | 0x0c) => self.at += 1,
                Some(b'/') if self.byte(1) == Some(b'/') => self.line_comment(),
                Some(b'/') if self.byte(1) == Some(b'*') => self.block_comment(),
                Some(0x80..) => match self.character() {
                    // No-break spaces and byte order marks come with text pasted from pages and documents.
                    Some((c, span)) if c.is_whitespace() || c == '\u{feff}' || c == '\u{200b}' => {
                        self.at = span.range().end;
                    }
                    _ => return,
                },
                _ => return,
            }
        }
    }

    fn line_comment(&mut self) {
        let start = self.at;
        let rest = self.rest();
        let end = start + memchr::memchr(b'\n', rest.as_bytes()).unwrap_or(rest.len());
        let text = self.slice(Span::new(start + 2, end));
        // All of them: printed at the end of a line, one more would go each time.
        let text = text.trim_end_matches('\r').to_owned();
        self.keep_comment(text, false, Span::new(start, end));
    }

    fn block_comment(&mut self) {
        let start = self.at;
        let body = self.slice(Span::new(start + 2, self.text.len()));
        let Some(length) = memchr::memmem::find(body.as_bytes(), b"*/") else {
            self.unended = Some(Span::new(start, start + 2));
            self.at = self.text.len();
            return;
        };
        let end = start + 2 + length + 2;
        let text = body.get(..length).unwrap_or("").to_owned();
        self.keep_comment(text, true, Span::new(start, end));
    }

    fn keep_comment(&mut self, text: String, block: bool, span: Span) {
        let Span { start, end } = span;
        self.at = end as usize;
        let last = self.comments.last();
        let between = self.slice(Span { start: last.map_or(0, |comment| comment.span.end), end: start });
        let alone = match between.rsplit_once('\n') {
            Some((_, line)) => line.trim().is_empty(),
            // A comment after a comment on the same line is no more trailing than the first.
            None => between.trim().is_empty() && last.is_none_or(|comment| !comment.trailing),
        };
        self.comments.push(Comment { text, block, trailing: !alone, span });
    }

    /// Passes an unquoted word, with array indexes as in `a[0].b`.
    pub(crate) fn word(&mut self, mode: Mode) -> Option<Span> {
        let start = self.at;
        let length = words::word_length(self.rest(), mode);
        self.at += length;
        (length > 0).then(|| Span::new(start, self.at))
    }

    /// The unquoted word here, without passing it.
    pub(crate) fn peek_word(&self, mode: Mode) -> &'t str {
        let rest = self.rest();
        rest.get(..words::word_length(rest, mode)).unwrap_or("")
    }
}
