//! Strings, regexes and numbers.

use super::{Fault, Lexer, Mode, words};
use crate::ast::{Pattern, Regex};
use crate::span::Span;

impl Lexer<'_> {
    /// Passes `"text"`. The four escapes are `\"`, `\\`, `\n` and `\t`; every other backslash stays as written, so
    /// that a regex in a string needs no doubling.
    pub(crate) fn string(&mut self) -> Option<Result<Pattern, Fault>> {
        let start = self.at;
        self.eat("\"")?;
        let mut text = String::new();
        loop {
            let rest = self.rest();
            let run = memchr::memchr3(b'"', b'\\', b'\n', rest.as_bytes()).unwrap_or(rest.len());
            text.push_str(rest.get(..run).unwrap_or(""));
            self.at += run;
            match (self.byte(0), self.byte(1)) {
                (Some(b'"'), _) => {
                    self.at += 1;
                    return Some(Ok(Pattern { text, quoted: true, span: Span::new(start, self.at) }));
                }
                (Some(b'\\'), Some(next)) => {
                    let kept = match next {
                        b'"' => Some('"'),
                        b'\\' => Some('\\'),
                        b'n' => Some('\n'),
                        b't' => Some('\t'),
                        _ => None,
                    };
                    text.push(kept.unwrap_or('\\'));
                    self.at += if kept.is_some() { 2 } else { 1 };
                }
                (Some(b'\\'), None) => {
                    text.push('\\');
                    self.at += 1;
                }
                (Some(b'\n'), _) if self.goes_on() => {
                    text.push('\n');
                    self.at += 1;
                }
                _ => break,
            }
        }
        Some(Err(Fault {
            message: "the string does not end on its line: expected `\"`".to_owned(),
            span: Span::new(start, self.at),
            hint: Some("write a line break inside a string as `\\n`, and a quote as `\\\"`".to_owned()),
        }))
    }

    /// A string that is open at the end of a line goes on if, where it ends, something follows that may follow a
    /// string: otherwise a forgotten quote would turn the rest of the query inside out.
    fn goes_on(&self) -> bool {
        let mut bytes = self.rest().bytes();
        while let Some(byte) = bytes.next() {
            match byte {
                b'\\' => drop(bytes.next()),
                b'"' => {
                    let next = bytes.find(|b| !b.is_ascii_whitespace());
                    return matches!(next, None | Some(b',' | b')' | b']' | b'}' | b'|' | b';'));
                }
                _ => {}
            }
        }
        false
    }

    /// Passes `/pattern/flags`.
    pub(crate) fn regex(&mut self) -> Option<Result<Regex, Fault>> {
        if self.byte(0) != Some(b'/') || matches!(self.byte(1), Some(b'/' | b'*')) {
            return None;
        }
        let start = self.at;
        let line = self.rest().get(1..).unwrap_or("");
        let line = line.get(..memchr::memchr(b'\n', line.as_bytes()).unwrap_or(line.len())).unwrap_or("");
        // A slash inside a character class does not end the regex, unless the class itself never ends.
        let Some(length) = regex_length(line, true).or_else(|| regex_length(line, false)) else {
            self.at += 1 + line.trim_end().len();
            return Some(Err(Fault {
                message: "the regex does not end on its line: expected `/`".to_owned(),
                span: Span::new(start, self.at),
                hint: Some(
                    "quote text that starts with `/`, and write a slash inside a regex as `\\/`".to_owned(),
                ),
            }));
        };
        let pattern = unescape_slashes(line.get(..length).unwrap_or(""));
        self.at += 1 + length + 1;
        let from = self.at;
        let letters = self.rest().bytes().take_while(u8::is_ascii_alphabetic).count();
        let flags = self.slice(Span::new(from, from + letters));
        let known = flags.bytes().take_while(|b| b"dimgF".contains(b)).count();
        self.at += letters;
        if known < letters {
            let message = format!("`{flags}` are no regex flags: these are `d i m g F`");
            // What was meant as a path goes on to the end of the word.
            let ends = |c: char| c.is_whitespace() || "|()[]{},;\"".contains(c);
            self.at += self.rest().find(ends).unwrap_or(self.rest().len());
            let span = Span::new(start, self.at);
            let hint = format!("write `{}`, or escape the slashes of a regex", quote(self.slice(span)));
            return Some(Err(Fault { message, span, hint: Some(hint) }));
        }
        Some(Ok(Regex { pattern, flags: flags.to_owned(), span: Span::new(start, self.at) }))
    }

    /// Passes a number, with a sign of its own if it has one, where arithmetic may stand.
    pub(crate) fn number(&mut self) -> Option<Pattern> {
        let start = self.at;
        let sign = usize::from(self.byte(0) == Some(b'-'));
        if !self.byte(sign).is_some_and(|b| b.is_ascii_digit()) {
            return None;
        }
        self.at += sign;
        self.word(Mode::Arithmetic);
        let word = self.slice(Span::new(start, self.at));
        // The sign of an exponent is not part of a word.
        if word.ends_with(['e', 'E']) && words::is_number(word.trim_end_matches(['e', 'E'])) {
            let digits = self.rest().bytes().skip(1).take_while(u8::is_ascii_digit).count();
            if matches!(self.byte(0), Some(b'+' | b'-')) && digits > 0 {
                self.at += 1 + digits;
            }
        }
        let span = Span::new(start, self.at);
        if words::is_number(self.slice(span)) {
            return Some(Pattern { text: self.slice(span).to_owned(), quoted: false, span });
        }
        self.at = start;
        None
    }
}

/// The length of a regex up to the slash that ends it.
fn regex_length(line: &str, classes: bool) -> Option<usize> {
    let bytes = line.as_bytes();
    let (mut at, mut inside) = (0, false);
    loop {
        match *bytes.get(at)? {
            b'\\' => at += 1,
            b'/' if !inside => return Some(at),
            b'[' if classes && !inside => {
                inside = true;
                // The first `]` of a class stands for itself.
                at += usize::from(bytes.get(at + 1) == Some(&b'^'));
                at += usize::from(bytes.get(at + 1) == Some(&b']'));
            }
            b']' => inside = false,
            _ => {}
        }
        at += 1;
    }
}

fn unescape_slashes(written: &str) -> String {
    let mut pattern = String::with_capacity(written.len());
    let mut chars = written.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            pattern.push(c);
            continue;
        }
        match chars.next() {
            Some('/') => pattern.push('/'),
            Some(escaped) => pattern.extend(['\\', escaped]),
            None => pattern.push('\\'),
        }
    }
    pattern
}

/// Writes a text in double quotes so that [`Lexer::string`] reads it back.
pub(crate) fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            // A backslash is doubled only where it would otherwise be read as an escape.
            '\\' if matches!(chars.peek(), None | Some('"' | '\\' | 'n' | 't' | '\n' | '\t')) => {
                out.push_str("\\\\");
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Writes a regex literal so that [`Lexer::regex`] reads it back.
pub(crate) fn slash(regex: &Regex) -> String {
    format!("/{}/{}", regex.pattern.replace('/', "\\/"), regex.flags)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_keep_the_backslashes_they_do_not_know() {
        let check = |written: &str, text: &str, printed: &str| {
            let read = Lexer::new(written).string().unwrap().unwrap();
            assert_eq!(read.text, text, "{written}");
            assert_eq!(quote(text), printed);
            assert_eq!(Lexer::new(printed).string().unwrap().unwrap().text, text, "{printed}");
        };
        check(r#""a""#, "a", r#""a""#);
        check(r#""\d+\.""#, r"\d+\.", r#""\d+\.""#);
        check(r#""\x5c""#, r"\x5c", r#""\x5c""#);
        check(r#""a\"b""#, "a\"b", r#""a\"b""#);
        check(r#""a\nb\tc""#, "a\nb\tc", r#""a\nb\tc""#);
        check(r#""a\\nb""#, r"a\nb", r#""a\\nb""#);
        check(r#""C:\\dir\\""#, r"C:\dir\", r#""C:\dir\\""#);
        check(r#""\\\"""#, "\\\"", r#""\\\"""#);
        check(r#""\\\\d""#, r"\\d", r#""\\\d""#);
        check(r#""""#, "", r#""""#);
        check("\"a\nb\" ]", "a\nb", r#""a\nb""#);
        for open in ["\"a", "\"a\n| b=\"c\"", "\"a\\", "\"a\\\""] {
            assert!(Lexer::new(open).string().unwrap().is_err(), "{open}");
        }
    }

    #[test]
    fn regexes_end_at_the_first_slash_outside_a_class() {
        let check = |written: &str, pattern: &str, flags: &str| {
            let read = Lexer::new(written).regex().unwrap().unwrap();
            assert_eq!((read.pattern.as_str(), read.flags.as_str()), (pattern, flags), "{written}");
            let again = Lexer::new(&slash(&read)).regex().unwrap().unwrap();
            assert_eq!((&again.pattern, &again.flags), (&read.pattern, &read.flags), "{written}");
        };
        check("/a/i", "a", "i");
        check(r"/a\/b/ x", "a/b", "");
        check(r"/\\/F", r"\\", "F");
        check("/[-/][ix]/", "[-/][ix]", "");
        check("/[^]/]+/g", "[^]/]+", "g");
        check(r"/[\]/]/", r"[\]/]", "");
        check("/a[b/ c", "a[b", "");
        check(r"/\/\/ \\\//dim", r"// \\/", "dim");
    }
}
