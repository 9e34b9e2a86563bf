//! What stands where something else was expected, and where to go on after a fault.

use super::Parser;
use crate::lexer::Mode;
use crate::lexer::literal::quote;
use crate::span::Span;

impl Parser<'_> {
    /// What stands here in words, and its span.
    pub(super) fn found(&mut self) -> (String, Span) {
        let at = self.lexer.at();
        let Some((c, span)) = self.lexer.character() else {
            // The caret points behind the last thing read.
            let end = self.lexer.len();
            return ("the end of the query".to_owned(), Span::new(end, end));
        };
        if c == '"' {
            let end = match self.lexer.string() {
                Some(Ok(_)) => self.lexer.at(),
                _ => at + 1,
            };
            self.lexer.go(at);
            return ("a string".to_owned(), Span::new(at, end));
        }
        let word = self.lexer.peek_word(Mode::Pattern);
        if !word.is_empty() {
            return (format!("`{word}`"), Span::new(at, at + word.len()));
        }
        for operator in ["<=>", ":=", "=~", "==", "=>", "!=", "<=", ">="] {
            if self.lexer.looking_at(operator) {
                return (format!("`{operator}`"), Span::new(at, at + operator.len()));
            }
        }
        if let Some(end) = self.foreign_string(c) {
            return (format!("`{}`", self.lexer.slice(Span::new(at, end))), Span::new(at, end));
        }
        let shown = if c.is_control() { c.escape_debug().to_string() } else { c.to_string() };
        (format!("`{shown}`"), span)
    }

    /// Where a text ends that stands here between quotes that are none.
    fn foreign_string(&self, open: char) -> Option<usize> {
        let close = match open {
            '\'' => '\'',
            '\u{2018}' | '\u{2019}' => '\u{2019}',
            '\u{201c}' | '\u{201d}' => '\u{201d}',
            '\u{ab}' => '\u{bb}',
            _ => return None,
        };
        let line = self.lexer.rest().lines().next()?;
        let inside = line.get(open.len_utf8()..)?;
        Some(self.lexer.at() + open.len_utf8() + inside.find(close)? + close.len_utf8())
    }

    /// What to do about a character that no query holds outside quotes.
    pub(super) fn hint_for_found(&self) -> Option<String> {
        let (c, _) = self.lexer.character()?;
        if let Some(end) = self.foreign_string(c) {
            let text = self.lexer.slice(Span::new(self.lexer.at(), end));
            let inside = text.trim_start_matches(c);
            let inside = inside.get(..inside.char_indices().next_back().map_or(0, |(at, _)| at));
            return Some(format!("write `{}`", quote(inside.unwrap_or_default())));
        }
        let hint = match c {
            '\'' => "text is quoted with `\"`",
            '\u{2018}' | '\u{2019}' | '\u{201c}' | '\u{201d}' | '\u{ab}' | '\u{bb}' => {
                "replace the typographic quotes with `\"`"
            }
            ',' if self.open.is_empty() => "join conditions with `and` or `or`",
            '?' => "one of two values is `if(condition, then=.., else=..)`",
            _ => return None,
        };
        Some(hint.to_owned())
    }

    /// After a fault: goes to the next `|`, `;` or closing bracket of this level, or the next `,` where a list may
    /// go on.
    pub(super) fn recover(&mut self, list: bool) {
        self.skip(usize::MAX, |byte| {
            matches!(byte, b'|' | b';' | b')' | b']' | b'}') || list && byte == b','
        });
        self.quiet_to = self.quiet_to.max(self.lexer.at() + 1);
        self.report_unended_comment();
    }

    /// After a fault inside brackets: goes behind their end if that is near, so that what is left of their inside is
    /// not read as if it stood outside.
    pub(super) fn leave_brackets(&mut self, close: u8) {
        const NEAR_BYTES: usize = 4096;
        let start = self.lexer.at();
        let found = self.skip(NEAR_BYTES, |byte| byte == close || matches!(byte, b')' | b']' | b'}'));
        if found == Some(close) {
            self.lexer.go(self.lexer.at() + 1);
            self.quiet_to = self.quiet_to.max(self.lexer.at());
        } else {
            self.lexer.go(start);
        }
    }

    /// Goes over at most `limit` bytes to a byte that `stops`, not looking into strings, comments, regexes or
    /// brackets that open on the way.
    fn skip(&mut self, limit: usize, stops: impl Fn(u8) -> bool) -> Option<u8> {
        let limit = self.lexer.at().saturating_add(limit);
        let mut open: Vec<u8> = Vec::new();
        let mut before = b' ';
        while let Some(byte) = self.lexer.byte(0) {
            if open.is_empty() && stops(byte) {
                return Some(byte);
            }
            if self.lexer.at() >= limit {
                return None;
            }
            match byte {
                b'"' => drop(self.lexer.string()),
                b'/' if matches!(self.lexer.byte(1), Some(b'/' | b'*')) => self.lexer.skip_trivia(),
                // Where a regex may start; behind a word it is a path or a division.
                b'/' if b" \t\n=([,|!~>".contains(&before) => self.skip_regex(),
                _ => {
                    match byte {
                        b'(' => open.push(b')'),
                        b'[' => open.push(b']'),
                        b'{' => open.push(b'}'),
                        _ if open.last() == Some(&byte) => drop(open.pop()),
                        _ => {}
                    }
                    self.skip_character();
                }
            }
            before = byte;
        }
        None
    }

    fn skip_character(&mut self) {
        if let Some((_, span)) = self.lexer.character() {
            self.lexer.go(span.range().end);
        }
    }

    fn skip_regex(&mut self) {
        let at = self.lexer.at();
        if !matches!(self.lexer.regex(), Some(Ok(_))) {
            self.lexer.go(at + 1);
        }
    }
}
