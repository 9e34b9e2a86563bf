//! Text to [`Query`]: recursive descent over the grammar in `GRAMMAR.md`, recovering.
//!
//! A fault is reported once, at the place and with what was expected there; the parser then goes on behind the next
//! `|`, `;`, `,` or closing bracket, so that one pass reports several faults and the tree holds every step that is
//! whole. Text of any size and shape ends in a tree and a list of diagnostics: the height of the tree, the number
//! of tokens and the number of diagnostics are limited, so neither this parser nor whoever walks its tree by
//! recursion can run out of stack.
//!
//! It resolves no names: which functions exist, and what their parameters mean, is decided later.

mod args;
mod condition;
mod expression;
mod operand;
mod pipeline;
mod recover;

use crate::ast::Query;
use crate::error::{Diagnostic, Diagnostics, MAX_QUERY_BYTES};
use crate::lexer::{Fault, Lexer, words};

use crate::span::Span;
pub(crate) use condition::sign;
pub(crate) use expression::binding;

/// The most brackets inside brackets, or `not not ..`: what the parser reads by recursion.
pub const MAX_NESTING: usize = 64;

/// The highest tree, from the query down to a word. Operators in a row add to it as brackets do, for the tree of
/// `a+b+c` leans to the left.
pub const MAX_TREE_HEIGHT: usize = 128;

/// The most tokens in a query.
pub const MAX_QUERY_TOKENS: usize = 200_000;

/// The most faults reported for one text; parsing stops there.
pub const MAX_DIAGNOSTICS: usize = 100;

/// A tree, and what is wrong with the text it was read from.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parsed {
    /// Every step that could be read.
    pub query: Query,
    /// What could not, in text order; empty when the text is a query.
    pub diagnostics: Diagnostics,
}

/// Reads a query, as much of it as can be read.
#[must_use]
pub fn parse(text: &str) -> Parsed {
    if text.len() > MAX_QUERY_BYTES {
        let fault = Diagnostic {
            code: "limit",
            message: format!("the query has {} bytes: at most {MAX_QUERY_BYTES} are read", text.len()),
            span: Span::new(0, 0),
            hint: None,
        };
        return Parsed { query: Query::default(), diagnostics: Diagnostics { list: vec![fault] } };
    }
    let mut parser = Parser::new(text);
    let pipeline = parser.pipeline(Place::Text);
    parser.report_unended_comment();
    let comments = parser.lexer.take_comments();
    let mut list = parser.diagnostics;
    list.sort_by_key(|fault| (fault.span.start, fault.span.end));
    Parsed { query: Query { pipeline, comments }, diagnostics: Diagnostics { list } }
}

/// Reads a query that must be whole.
///
/// # Errors
/// Everything that is wrong with the text, in text order.
pub fn parse_strict(text: &str) -> Result<Query, Diagnostics> {
    let Parsed { query, diagnostics } = parse(text);
    if diagnostics.list.is_empty() { Ok(query) } else { Err(diagnostics) }
}

/// The fault has been reported; whoever can go on from somewhere does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Failed;

type Parse<T> = Result<T, Failed>;

/// Where a pipeline stands, and so what ends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// The whole text: only its end.
    Text,
    /// A block: `}`.
    Block,
    /// A clause of `case` or `match`: `;` or `}`.
    Clause,
}

/// What the arguments of the call around are: names and values, or expressions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    Values,
    Expressions,
}

impl Reading {
    pub(crate) fn of(function: &str) -> Reading {
        if words::takes_expressions(function) { Reading::Expressions } else { Reading::Values }
    }
}

struct Parser<'t> {
    lexer: Lexer<'t>,
    diagnostics: Vec<Diagnostic>,
    /// Brackets open at this place: the byte and where.
    open: Vec<(u8, Span)>,
    /// How high the tree is above this place.
    depth: usize,
    /// How high the subtree being read reaches, from the root.
    deepest: usize,
    tokens: usize,
    /// The start of the furthest token: going back counts no token again.
    furthest: usize,
    /// Faults before this place follow from one that was reported.
    quiet_to: usize,
}

impl<'t> Parser<'t> {
    fn new(text: &'t str) -> Parser<'t> {
        Parser {
            lexer: Lexer::new(text),
            diagnostics: Vec::new(),
            open: Vec::new(),
            depth: 0,
            deepest: 0,
            tokens: 0,
            furthest: 0,
            quiet_to: 0,
        }
    }

    /// Passes white space and comments, and counts the token before them.
    fn trivia(&mut self) {
        if self.lexer.at() > self.furthest {
            self.tokens += 1;
            if self.tokens > MAX_QUERY_TOKENS {
                let at = Span::new(self.furthest, self.lexer.at());
                self.stop(at, format!("the query has more than {MAX_QUERY_TOKENS} tokens"));
                return;
            }
        }
        self.lexer.skip_trivia();
        self.furthest = self.furthest.max(self.lexer.at());
        if self.lexer.at_end() {
            self.report_unended_comment();
        }
    }

    fn report_unended_comment(&mut self) {
        let Some(span) = self.lexer.take_unended() else { return };
        if self.quiet_to < usize::MAX {
            let (message, code) = ("the comment does not end: expected `*/`".to_owned(), "syntax");
            self.diagnostics.push(Diagnostic { code, message, span, hint: None });
            // Whatever is missing at the end of the text may stand in the comment.
            self.quiet_to = usize::MAX;
        }
    }

    /// Adds a fault, unless it only follows from one already reported.
    fn report(&mut self, span: Span, message: impl Into<String>, hint: Option<String>) {
        if (span.start as usize) < self.quiet_to {
            return;
        }
        self.diagnostics.push(Diagnostic { code: "syntax", message: message.into(), span, hint });
        if self.diagnostics.len() >= MAX_DIAGNOSTICS {
            self.stop(span, format!("more than {MAX_DIAGNOSTICS} faults: the rest of the text is not read"));
        }
    }

    fn fail<T>(&mut self, span: Span, message: impl Into<String>, hint: Option<&str>) -> Parse<T> {
        self.report(span, message, hint.map(str::to_owned));
        Err(Failed)
    }

    /// Fails at what stands here, which is not what was expected.
    fn expected<T>(&mut self, what: &str) -> Parse<T> {
        let (found, span) = self.found();
        let hint = self.hint_for_found();
        self.fail(span, format!("expected {what}, found {found}"), hint.as_deref())
    }

    fn fault<T>(&mut self, fault: Fault) -> Parse<T> {
        self.report(fault.span, fault.message, fault.hint);
        Err(Failed)
    }

    /// Goes over a limit: nothing after this place is read, and nothing more is reported.
    fn stop(&mut self, span: Span, message: String) {
        if self.quiet_to == usize::MAX {
            return;
        }
        self.diagnostics.push(Diagnostic { code: "limit", message, span, hint: None });
        self.quiet_to = usize::MAX;
        self.lexer.go(self.lexer.len());
    }

    /// Reads something that stands one higher in the tree.
    fn nested<T>(&mut self, read: impl FnOnce(&mut Self) -> Parse<T>) -> Parse<T> {
        self.depth += 1;
        self.deepest = self.deepest.max(self.depth);
        let read = match self.depth > MAX_NESTING {
            true => self.too_high(format!("the query is nested more than {MAX_NESTING} deep")),
            false => read(self),
        };
        self.depth -= 1;
        read
    }

    fn too_high<T>(&mut self, message: String) -> Parse<T> {
        let (_, span) = self.found();
        self.stop(span, message);
        Err(Failed)
    }

    /// Reads something in brackets: `open` has just been passed. What is inside stands one higher.
    fn bracketed<T>(
        &mut self,
        open: Span,
        close: &str,
        read: impl FnOnce(&mut Self) -> Parse<T>,
    ) -> Parse<(T, Span)> {
        let byte = close.bytes().next().unwrap_or(b')');
        self.open.push((byte, open));
        let read = self.nested(read).and_then(|inside| {
            self.trivia();
            match self.lexer.eat(close) {
                Some(end) => Ok((inside, open.join(end))),
                None => self.unclosed(open, close),
            }
        });
        self.open.pop();
        if read.is_err() {
            self.leave_brackets(byte);
        }
        read
    }

    fn unclosed<T>(&mut self, open: Span, close: &str) -> Parse<T> {
        let (found, span) = self.found();
        let opened = self.lexer.slice(open);
        let before = self.lexer.slice(Span { start: 0, end: open.start });
        let line = before.bytes().filter(|&byte| byte == b'\n').count() + 1;
        let message = format!("expected `{close}` for the `{opened}` on line {line}, found {found}");
        self.fail(span, message, None)
    }
}
