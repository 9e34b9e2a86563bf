//! Calls and their arguments, lists, blocks, and the labelled sub-queries of `correlate`.

use super::{Failed, Parse, Parser, Place, Reading, operand::quoted_name};
use crate::ast::{Arg, Assign, Call, Expr, Labelled, Name, Pattern};
use crate::lexer::{Mode, words};
use crate::span::Span;

impl Parser<'_> {
    /// The rest of a call; its `(` has just been passed.
    pub(super) fn call(&mut self, name: Name, open: Span) -> Parse<Call> {
        if !words::is_call_name(&name.text) {
            self.report(name.span, format!("`{}` is not the name of a function", name.text), None);
        }
        let reading = Reading::of(&name.text);
        let (args, span) = self.args(open, reading)?;
        let span = name.span.join(span);
        Ok(Call { name, args, span })
    }

    /// Arguments up to and with `)`.
    pub(super) fn args(&mut self, open: Span, reading: Reading) -> Parse<(Vec<Arg>, Span)> {
        self.separated(open, ")", "an argument", |parser| parser.arg(reading))
    }

    /// The elements of an array up to and with `]` or `)`.
    pub(super) fn list(&mut self, open: Span, close: &str, reading: Reading) -> Parse<(Vec<Expr>, Span)> {
        self.separated(open, close, "an element", |parser| parser.value(reading))
    }

    /// Items between commas. A broken item is reported and left out.
    fn separated<T>(
        &mut self,
        open: Span,
        close: &str,
        what: &str,
        mut item: impl FnMut(&mut Self) -> Parse<T>,
    ) -> Parse<(Vec<T>, Span)> {
        self.bracketed(open, close, |parser| {
            let mut items = Vec::new();
            parser.trivia();
            if parser.lexer.looking_at(close) {
                return Ok(items);
            }
            loop {
                parser.trivia();
                if matches!(parser.lexer.byte(0), Some(b',' | b')' | b']')) {
                    let Err(Failed) = parser.expected::<T>(what) else { continue };
                } else {
                    match item(parser) {
                        Ok(read) => items.push(read),
                        Err(Failed) => parser.recover(true),
                    }
                }
                parser.trivia();
                if parser.lexer.eat(",").is_some() {
                    continue;
                }
                if parser.lexer.looking_at(close) {
                    return Ok(items);
                }
                if matches!(parser.lexer.byte(0), None | Some(b'|' | b';' | b')' | b']' | b'}')) {
                    return parser.unclosed(open, close);
                }
                let Err(Failed) = parser.expected::<T>(&format!("`,` or `{close}`")) else { continue };
                parser.recover(true);
                if parser.lexer.eat(",").is_none() {
                    return Ok(items);
                }
            }
        })
    }

    /// `value` or `name=value`.
    fn arg(&mut self, reading: Reading) -> Parse<Arg> {
        let start = self.lexer.at();
        let name = self.arg_name()?;
        self.trivia();
        let value = self.value(reading)?;
        let span = Span::new(start, value.span().range().end);
        Ok(Arg { name, value, span })
    }

    /// `name=`, if that is what stands here.
    fn arg_name(&mut self) -> Parse<Option<Name>> {
        let start = self.lexer.at();
        let name = match self.string() {
            Some(read) => Some(quoted_name(read?)),
            None => self.lexer.word(Mode::Field).map(|span| self.name_of(span)),
        };
        if name.is_some() {
            self.lexer.skip_trivia();
            let other = matches!(self.lexer.byte(1), Some(b'=' | b'~' | b'>'));
            if !other && self.lexer.eat("=").is_some() {
                return Ok(name);
            }
        }
        self.lexer.go(start);
        Ok(None)
    }

    /// The value of an argument, or an element of an array.
    pub(super) fn value(&mut self, reading: Reading) -> Parse<Expr> {
        match self.lexer.byte(0) {
            Some(b'/') => {
                if let Some(read) = self.regex() {
                    return read.map(Expr::Regex);
                }
            }
            Some(b'"') => {
                if let Some(assign) = self.quoted_assign()? {
                    return Ok(assign);
                }
            }
            _ => {
                if let Some(value) = self.worded_value(reading)? {
                    return Ok(value);
                }
            }
        }
        self.comparison_expression(reading)
    }

    /// `"name" := ..` in an array of aggregates.
    fn quoted_assign(&mut self) -> Parse<Option<Expr>> {
        let start = self.lexer.at();
        let Some(read) = self.string() else { return Ok(None) };
        let target = quoted_name(read?);
        self.lexer.skip_trivia();
        if self.lexer.eat(":=").is_some() {
            return self.assign(target).map(Some);
        }
        self.lexer.go(start);
        Ok(None)
    }

    fn assign(&mut self, target: Name) -> Parse<Expr> {
        self.check_field(&target);
        let value = self.nested(Parser::expression)?;
        let span = target.span.join(value.span());
        Ok(Expr::Assign(Box::new(Assign { target, dynamic: false, value }), span))
    }

    /// The values that start with a word and are no expressions. `None` goes back.
    fn worded_value(&mut self, reading: Reading) -> Parse<Option<Expr>> {
        let start = self.lexer.at();
        // A name and `:=`, `<=>` or `: {`.
        if let Some(span) = self.lexer.word(Mode::Field) {
            self.lexer.skip_trivia();
            if self.lexer.eat(":=").is_some() {
                let target = self.name_of(span);
                return self.assign(target).map(Some);
            }
            if self.lexer.eat("<=>").is_some() {
                let left = self.name_of(span);
                self.trivia();
                let right = self.field("`label.field` after `<=>`")?;
                let span = left.span.join(right.span);
                return Ok(Some(Expr::Link(left, right, span)));
            }
            if self.lexer.eat(":").is_some() {
                self.lexer.skip_trivia();
                if let Some(open) = self.lexer.eat("{") {
                    let label = self.name_of(span);
                    return self.labelled(label, open).map(Some);
                }
            }
        }
        self.lexer.go(start);
        if reading == Reading::Values { Ok(self.plain_value()) } else { Ok(None) }
    }

    /// A word that is the whole value: a name, a number, a time span, a glob.
    fn plain_value(&mut self) -> Option<Expr> {
        let start = self.lexer.at();
        let mut span = self.lexer.word(Mode::Pattern)?;
        let end = self.lexer.at();
        self.lexer.skip_trivia();
        // `2 hours`
        let amount = self.lexer.slice(span);
        let unit = self.lexer.peek_word(Mode::Pattern);
        if words::is_time_unit(unit) && amount.bytes().all(|b| b.is_ascii_digit()) {
            self.lexer.word(Mode::Pattern);
            span = span.join(Span::new(end, self.lexer.at()));
            self.lexer.skip_trivia();
        }
        let text = if span.range().end > end { format!("{amount} {unit}") } else { amount.to_owned() };
        if !matches!(self.lexer.byte(0), None | Some(b',' | b')' | b']' | b'}' | b'|' | b';')) {
            self.lexer.go(start);
            return None;
        }
        self.lexer.go(span.range().end);
        let word = Pattern { text, quoted: false, span };
        Some(match word.text.as_str() {
            text if words::is_number(text) => Expr::Number(word),
            text if text.eq_ignore_ascii_case("true") => Expr::Bool(true, span),
            text if text.eq_ignore_ascii_case("false") => Expr::Bool(false, span),
            _ => Expr::Word(word),
        })
    }

    /// `{ pipeline }`: `{` has just been passed.
    pub(super) fn block(&mut self, open: Span) -> Parse<Expr> {
        let (body, span) = self.bracketed(open, "}", |parser| Ok(parser.pipeline(Place::Block)))?;
        Ok(Expr::Block(body, span))
    }

    /// `label: { .. } include: [..]`: `{` has just been passed.
    fn labelled(&mut self, label: Name, open: Span) -> Parse<Expr> {
        let (body, mut span) = self.bracketed(open, "}", |parser| Ok(parser.pipeline(Place::Block)))?;
        span = label.span.join(span);
        let after = self.lexer.at();
        self.trivia();
        let mut include = None;
        if self.lexer.peek_word(Mode::Field) == "include" {
            self.lexer.word(Mode::Field);
            self.trivia();
            if self.lexer.eat(":").is_none() {
                return self.expected("`:` after `include`");
            }
            self.trivia();
            let value = self.value(Reading::Values)?;
            span = span.join(value.span());
            include = Some(value);
        } else {
            self.lexer.go(after);
        }
        Ok(Expr::Labelled(Box::new(Labelled { label, body, include, span })))
    }
}
