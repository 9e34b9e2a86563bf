//! The smallest parts of a query: names, patterns, numbers, parameters, saved queries.

use super::{Parse, Parser};
use crate::ast::{Name, Param, Pattern, SavedCall};
use crate::lexer::{Mode, words};
use crate::span::Span;

impl Parser<'_> {
    /// A word as a name.
    pub(super) fn name_of(&self, span: Span) -> Name {
        Name { text: self.lexer.slice(span).to_owned(), quoted: false, span }
    }

    pub(super) fn pattern_of(&self, span: Span) -> Pattern {
        Pattern { text: self.lexer.slice(span).to_owned(), quoted: false, span }
    }

    /// A string that stands here.
    pub(super) fn string(&mut self) -> Option<Parse<Pattern>> {
        let read = self.lexer.string()?;
        Some(match read {
            Ok(pattern) => Ok(pattern),
            Err(fault) => self.fault(fault),
        })
    }

    /// A regex that stands here.
    pub(super) fn regex(&mut self) -> Option<Parse<crate::ast::Regex>> {
        let read = self.lexer.regex()?;
        Some(match read {
            Ok(regex) => self.check_glued(regex.span).map(|()| regex),
            Err(fault) => self.fault(fault),
        })
    }

    /// A field name that must be here, in or out of quotes.
    pub(super) fn field(&mut self, what: &str) -> Parse<Name> {
        if let Some(read) = self.string() {
            return read.map(quoted_name);
        }
        match self.lexer.word(Mode::Field) {
            Some(span) => Ok(self.name_of(span)),
            None => self.expected(what),
        }
    }

    /// Says so when a word in a field's place needs quotes.
    pub(super) fn check_field(&mut self, name: &Name) {
        if !name.quoted && !words::is_plain_field(&name.text) && !words::is_keyword(&name.text) {
            self.report(
                name.span,
                format!("the field name `{}` needs quotes", name.text),
                Some(format!("write `\"{}\"`", name.text)),
            );
        }
    }

    /// A parameter as an operand of a filter, where no operator may touch it.
    pub(super) fn filter_param(&mut self) -> Parse<Param> {
        let param = self.param()?;
        self.check_glued(param.span)?;
        Ok(param)
    }

    /// `?name`, `?"name"` or `?{name=default}`: `?` stands here.
    pub(super) fn param(&mut self) -> Parse<Param> {
        let mark = self.lexer.eat("?").unwrap_or_default();
        let Some(open) = self.lexer.eat("{") else {
            let mut name = self.field("a parameter name")?;
            // `?msg-level` is one name; `?x - 1` and `?x-1` subtract.
            while !name.quoted
                && self.lexer.looking_at("-")
                && self.lexer.byte(1).is_some_and(|b| b.is_ascii_alphabetic())
            {
                self.lexer.go(self.lexer.at() + 1);
                self.lexer.word(Mode::Field);
                name = self.name_of(Span::new(name.span.start as usize, self.lexer.at()));
            }
            let span = mark.join(name.span);
            return Ok(Param { name, default: None, span });
        };
        let read = |parser: &mut Self| {
            parser.trivia();
            let name = match parser.string() {
                Some(read) => quoted_name(read?),
                None => match parser.lexer.word(Mode::Pattern) {
                    Some(span) => parser.name_of(span),
                    None => return parser.expected("a parameter name"),
                },
            };
            parser.trivia();
            if parser.lexer.eat("=").is_none() {
                return Ok((name, None));
            }
            parser.trivia();
            let default = match parser.string() {
                Some(read) => read?,
                None => match parser.lexer.word(Mode::Pattern) {
                    Some(span) => parser.pattern_of(span),
                    None => return parser.expected("the default value of the parameter"),
                },
            };
            Ok((name, Some(default)))
        };
        let ((name, default), span) = self.bracketed(open, "}", read)?;
        Ok(Param { name, default, span: mark.join(span) })
    }

    /// `$name(args)` or `$"name"(args)`: `$` stands here.
    pub(super) fn saved(&mut self) -> Parse<SavedCall> {
        let mark = self.lexer.eat("$").unwrap_or_default();
        let name = match self.string() {
            Some(read) => quoted_name(read?),
            None => match self.lexer.word(Mode::Pattern) {
                Some(span) => self.name_of(span),
                None => return self.expected("the name of a saved query"),
            },
        };
        self.trivia();
        let Some(open) = self.lexer.eat("(") else {
            let (found, span) = self.found();
            let message = format!("expected `(` and the arguments of the saved query, found {found}");
            let called = if name.quoted { crate::lexer::literal::quote(&name.text) } else { name.text };
            return self.fail(span, message, Some(&format!("without arguments it is `${called}()`")));
        };
        let (args, span) = self.args(open, super::Reading::Values)?;
        Ok(SavedCall { name, args, span: mark.join(span) })
    }
}

pub(super) fn quoted_name(pattern: Pattern) -> Name {
    Name { text: pattern.text, quoted: true, span: pattern.span }
}
