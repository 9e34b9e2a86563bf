//! What stands around a place in a text that may be broken: the brackets that are open, what precedes the place in the
//! innermost, and the names that the text makes before it.
//!
//! This is no parser: it goes over words, strings, regexes and brackets as the lexer reads them, once, and never back.
//! What closes nothing is passed; a `|` ends what should have been closed before it, as it does for the parser.

mod brackets;
mod frame;

use std::collections::BTreeSet;

pub(super) use frame::{Args, Frame, FrameKind, Mark, Place};

use self::frame::frame;
use super::{MAX_MADE_NAMES, MAX_OPEN_BRACKETS};
use crate::lexer::{Lexer, Mode, words};
use crate::span::Span;

/// The longest name of a group in a regex that is looked at.
const MAX_GROUP_NAME_BYTES: usize = 512;

/// What the cursor touches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Touched {
    /// White space, or the end of something.
    Nothing,
    /// A word.
    Word(Span),
    /// A string; whether it ends.
    Text(Span, bool),
    /// `$name`.
    Saved(Span),
    /// `?name`.
    Parameter(Span),
    /// A comment or a regex.
    Opaque(Span),
}

/// What a scan found.
#[derive(Debug)]
pub(super) struct Scan<'t> {
    /// The brackets that are open, outermost first; never empty.
    pub(super) stack: Vec<Frame<'t>>,
    /// What the cursor touches.
    pub(super) touched: Touched,
    /// Fields that the text makes before the cursor.
    pub(super) made: BTreeSet<&'t str>,
    /// Tables that it defines.
    pub(super) tables: Vec<&'t str>,
    /// Its parameters, over the whole text, as far as it was gone over.
    pub(super) parameters: BTreeSet<&'t str>,
    /// The brackets are open deeper than any query is nested.
    pub(super) is_too_deep: bool,
}

/// Operators, longer before shorter.
const OPERATORS: [&str; 17] =
    ["<=>", ":=", "=~", "==", "=>", "!=", "<=", ">=", "<>", "=", "<", ">", "+", "-", "*", "/", "%"];

/// Goes over `text` to byte `cursor`, which is on a character border of it.
pub(super) fn scan(text: &str, cursor: usize) -> Scan<'_> {
    let scanner = Scanner {
        cursor,
        lexer: Lexer::new(text),
        out: Scan {
            stack: vec![frame(FrameKind::Pipeline(Place::Text), false)],
            touched: Touched::Nothing,
            made: BTreeSet::new(),
            tables: Vec::new(),
            parameters: BTreeSet::new(),
            is_too_deep: false,
        },
    };
    scanner.run()
}

struct Scanner<'t> {
    cursor: usize,
    lexer: Lexer<'t>,
    out: Scan<'t>,
}

impl<'t> Scanner<'t> {
    fn run(mut self) -> Scan<'t> {
        loop {
            self.lexer.skip_trivia();
            if let Some(comment) = self.comment_at_cursor() {
                self.out.touched = Touched::Opaque(comment);
                break;
            }
            if self.lexer.at() >= self.cursor || self.lexer.at_end() {
                break;
            }
            if let Some(touched) = self.token() {
                self.out.touched = touched;
                break;
            }
            if self.out.stack.len() > MAX_OPEN_BRACKETS {
                self.out.is_too_deep = true;
                break;
            }
        }
        self.out
    }

    /// The comment around the cursor, if there is one. A line comment reaches to the end of its line.
    fn comment_at_cursor(&mut self) -> Option<Span> {
        let cursor = self.cursor;
        if self.lexer.take_unended().is_some_and(|open| (open.start as usize) < cursor) {
            return Some(Span::new(cursor, cursor));
        }
        self.lexer.take_comments().into_iter().find_map(|comment| {
            let span = comment.span.range();
            let end = if comment.block { span.end } else { span.end + 1 };
            (span.start < cursor && cursor < end).then_some(comment.span)
        })
    }

    /// Passes what stands here; what the cursor touches, if it is that.
    fn token(&mut self) -> Option<Touched> {
        let start = self.lexer.at();
        match self.lexer.byte(0)? {
            b'"' => {
                let closed = matches!(self.lexer.string(), Some(Ok(_)));
                let span = Span::new(start, self.lexer.at());
                let end = if closed { span.range().end } else { span.range().end + 1 };
                if self.cursor < end {
                    return Some(Touched::Text(span, closed));
                }
                self.name(span, unquoted(self.lexer.slice(span)));
            }
            b'$' => {
                self.lexer.eat("$");
                let span = self.marked_name(start);
                if self.touches(span) {
                    return Some(Touched::Saved(span));
                }
                let name = self.lexer.slice(span).get(1..).unwrap_or("");
                self.saved(unquoted(name));
            }
            b'?' => {
                self.lexer.eat("?");
                if self.lexer.eat("{").is_some() {
                    return self.open(FrameKind::Parameter, false);
                }
                let span = self.marked_name(start);
                if self.touches(span) {
                    return Some(Touched::Parameter(span));
                }
                let name = self.lexer.slice(span).get(1..).unwrap_or("");
                self.parameter(unquoted(name));
                self.mark(Mark::Whole);
            }
            b'/' if !self.divides() => return self.regex(start),
            byte => return self.plain(byte, start),
        }
        None
    }

    fn plain(&mut self, byte: u8, start: usize) -> Option<Touched> {
        match byte {
            b'|' => {
                self.pass(1);
                self.end_step();
            }
            b';' => {
                self.pass(1);
                self.end_clause();
            }
            b',' => {
                self.pass(1);
                self.end_argument();
            }
            b'(' | b'[' | b'{' => {
                self.pass(1);
                return self.bracket(byte, start);
            }
            b')' | b']' | b'}' => {
                self.pass(1);
                self.close(byte);
            }
            b'!' if self.lexer.byte(1) != Some(b'=') => {
                self.pass(1);
                self.mark(Mark::Joint);
            }
            b'`' => self.pass(1),
            _ => return self.word(start),
        }
        None
    }

    fn pass(&mut self, bytes: usize) {
        self.lexer.go(self.lexer.at() + bytes);
    }

    fn touches(&self, span: Span) -> bool {
        self.cursor <= span.range().end
    }

    /// The name behind `$` or `?`, which has been passed at `start`.
    fn marked_name(&mut self, start: usize) -> Span {
        if self.lexer.byte(0) == Some(b'"') {
            let _ = self.lexer.string();
        } else {
            let mode = if self.lexer.slice(Span::new(start, start + 1)) == "?" {
                Mode::Field
            } else {
                Mode::Pattern
            };
            self.lexer.word(mode);
        }
        Span::new(start, self.lexer.at())
    }

    /// A `/` here divides, or belongs to nothing: an operand precedes it in an expression.
    fn divides(&self) -> bool {
        let top = self.top();
        top.is_arithmetic && matches!(top.last, Some(Mark::Name(..) | Mark::Whole))
    }

    fn regex(&mut self, start: usize) -> Option<Touched> {
        let read = self.lexer.regex();
        if read.is_none() {
            self.pass(1);
            return None;
        }
        let whole = matches!(read, Some(Ok(_)));
        let span = Span::new(start, self.lexer.at());
        if self.cursor < span.range().end || !whole && self.touches(span) {
            return Some(Touched::Opaque(span));
        }
        self.groups(self.lexer.slice(span));
        self.mark(Mark::Whole);
        None
    }

    /// Notes the named groups of a regex.
    fn groups(&mut self, regex: &'t str) {
        for (at, _) in regex.match_indices("(?") {
            let rest = regex.get(at + 2..).unwrap_or("").trim_start_matches('P');
            let Some(rest) = rest.strip_prefix('<') else { continue };
            let end = rest.bytes().take(MAX_GROUP_NAME_BYTES).position(|byte| byte == b'>');
            let name = end.and_then(|end| rest.get(..end));
            if let Some(name) = name.filter(|name| words::is_plain_field(name)) {
                self.make(name);
            }
        }
    }

    fn make(&mut self, name: &'t str) {
        if self.out.made.len() < MAX_MADE_NAMES && !name.is_empty() {
            self.out.made.insert(name);
        }
    }

    fn parameter(&mut self, name: &'t str) {
        if self.out.parameters.len() < MAX_MADE_NAMES && !name.is_empty() {
            self.out.parameters.insert(name);
        }
    }

    fn top(&self) -> &Frame<'t> {
        // The first frame is never taken off.
        static TEXT: Frame<'static> =
            Frame { kind: FrameKind::Pipeline(Place::Text), is_arithmetic: false, last: None, before: None };
        self.out.stack.last().unwrap_or(&TEXT)
    }

    fn mark(&mut self, mark: Mark<'t>) {
        if let Some(top) = self.out.stack.last_mut() {
            top.before = top.last.replace(mark);
        }
    }

    fn clear(&mut self) {
        if let Some(top) = self.out.stack.last_mut() {
            (top.last, top.before) = (None, None);
        }
    }

    fn word(&mut self, start: usize) -> Option<Touched> {
        let mode = if self.top().is_arithmetic { Mode::Arithmetic } else { Mode::Pattern };
        let Some(mut span) = self.lexer.word(mode) else {
            self.operator();
            return None;
        };
        while mode == Mode::Arithmetic && self.lexer.looking_at(":") && !self.lexer.looking_at(":=") {
            self.pass(1);
            let end = self.lexer.at();
            span = self.lexer.word(Mode::Field).map_or(Span::new(start, end), |member| span.join(member));
        }
        if self.touches(span) {
            return Some(Touched::Word(span));
        }
        let text = self.lexer.slice(span);
        match text.to_ascii_lowercase().as_str() {
            // Before an operator a keyword is a field.
            "and" | "or" | "not" if !self.compares() => self.mark(Mark::Joint),
            "like" if matches!(self.top().last, Some(Mark::Name(..))) => self.mark(Mark::Operator("like")),
            _ => self.name(span, text),
        }
        None
    }

    fn compares(&mut self) -> bool {
        let at = self.lexer.at();
        self.lexer.skip_trivia();
        let compares = matches!(self.lexer.byte(0), Some(b'=' | b'<' | b'>'));
        self.lexer.go(at);
        compares
    }

    fn name(&mut self, span: Span, text: &'t str) {
        if matches!(self.top(), Frame { kind: FrameKind::Parameter, last: None, .. }) {
            self.parameter(text);
        }
        if let Some(Frame { kind: FrameKind::Call(args), .. }) = self.out.stack.last_mut() {
            let (called, parameter) = (args.name, args.parameter);
            if parameter.is_none_or(|parameter| matches!(parameter, "file" | "table")) && args.table.is_none()
            {
                args.table = Some(text);
            }
            match parameter.unwrap_or_default() {
                "as" | "asArray" => self.make(text),
                "regex" => self.groups(text),
                "name"
                    if called.eq_ignore_ascii_case("defineTable")
                        && self.out.tables.len() < MAX_MADE_NAMES =>
                {
                    self.out.tables.push(text);
                }
                "" if called.eq_ignore_ascii_case("regex") => self.groups(text),
                _ => {}
            }
        }
        self.mark(Mark::Name(span, text));
    }

    fn operator(&mut self) {
        let found = OPERATORS.iter().find(|operator| self.lexer.looking_at(operator));
        let Some(operator) = found else {
            let length = self.lexer.character().map_or(1, |(c, _)| c.len_utf8());
            return self.pass(length);
        };
        self.pass(operator.len());
        match (*operator, self.top().last, self.top().before) {
            ("=", Some(Mark::Name(_, name)), None) => {
                if let Some(Frame { kind: FrameKind::Call(args) | FrameKind::Saved(args), .. }) =
                    self.out.stack.last_mut()
                {
                    args.given.push(name);
                    args.parameter = Some(name);
                    return self.clear();
                }
            }
            (":=", Some(Mark::Name(_, name)), _) => {
                self.make(name);
                if let Some(top) = self.out.stack.last_mut()
                    && matches!(top.kind, FrameKind::Pipeline(_))
                {
                    top.is_arithmetic = true;
                }
            }
            ("=>", ..) if matches!(self.top().kind, FrameKind::Guards(_)) => {
                self.out.stack.push(frame(FrameKind::Pipeline(Place::Arm), false));
                return;
            }
            _ => {}
        }
        self.mark(Mark::Operator(operator));
    }
}

/// A string without its quotes, as far as it has them; escapes stay, for names have none.
pub(super) fn unquoted(text: &str) -> &str {
    let text = text.strip_prefix('"').unwrap_or(text);
    text.strip_suffix('"').unwrap_or(text)
}

impl<'t> Scan<'t> {
    /// The innermost brackets.
    pub(super) fn top(&self) -> Option<&Frame<'t>> {
        self.stack.last()
    }

    /// The call whose arguments the cursor is in, lists inside it passed.
    pub(super) fn call(&self) -> Option<&Args<'t>> {
        let inner = self.stack.iter().rev().find(|frame| !matches!(frame.kind, FrameKind::List));
        match inner.map(|frame| &frame.kind) {
            Some(FrameKind::Call(args)) => Some(args),
            _ => None,
        }
    }
}
