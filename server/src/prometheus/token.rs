//! The words of an expression.

use weir_query::span::Span;

use super::Fault;
use super::time::units;

/// One word.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    /// A name: of a metric, a label, an aggregation, a keyword.
    Name(String),
    /// A number.
    Number(f64),
    /// A duration, nanoseconds.
    Duration(i64),
    /// A string, without its quotes and escapes.
    Text(String),
    /// A sign: brackets, operators, commas.
    Sign(&'static str),
    /// Behind the last word.
    End,
}

/// Signs, the longer first.
const SIGNS: [&str; 25] = [
    "=~", "!~", "==", "!=", "<=", ">=", "(", ")", "{", "}", "[", "]", ",", "=", "<", ">", "+", "-", "*", "/",
    "%", "^", "@", ":", "!",
];

impl Token {
    /// As an error names it.
    pub(super) fn shown(&self) -> String {
        match self {
            Token::Name(name) => format!("`{name}`"),
            Token::Number(number) => format!("the number {number}"),
            Token::Duration(_) => "a duration".to_owned(),
            Token::Text(_) => "a string".to_owned(),
            Token::Sign(sign) => format!("`{sign}`"),
            Token::End => "the end".to_owned(),
        }
    }
}

/// Splits `text` into words, the last of which is [`Token::End`].
///
/// # Errors
/// At the first that is none.
pub(super) fn tokens(text: &str) -> Result<Vec<(Token, Span)>, Fault> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let skipped = skipped(rest);
        if skipped > 0 {
            at += skipped;
            continue;
        }
        let (token, len) = one(rest).map_err(|(message, len)| Fault::at(text, span(at, len), &message))?;
        tokens.push((token, span(at, len)));
        at += len;
    }
    tokens.push((Token::End, span(text.len(), 0)));
    Ok(tokens)
}

fn span(at: usize, len: usize) -> Span {
    Span::new(at, at + len)
}

/// Bytes of space or comment at the start.
fn skipped(rest: &str) -> usize {
    match rest.starts_with('#') {
        true => rest.find('\n').unwrap_or(rest.len()),
        false => rest.len() - rest.trim_start().len(),
    }
}

/// The word `rest` begins with and its length, or what is wrong and how far it goes.
fn one(rest: &str) -> Result<(Token, usize), (String, usize)> {
    let length = |belongs: fn(char) -> bool| rest.find(|letter| !belongs(letter)).unwrap_or(rest.len());
    let first = rest.chars().next().unwrap_or_default();
    if first.is_ascii_alphabetic() || first == '_' {
        let len = length(|letter| letter.is_ascii_alphanumeric() || letter == '_' || letter == ':');
        let name = rest.get(..len).unwrap_or_default();
        let token = match name.to_ascii_lowercase().as_str() {
            "inf" => Token::Number(f64::INFINITY),
            "nan" => Token::Number(f64::NAN),
            _ => Token::Name(name.to_owned()),
        };
        return Ok((token, len));
    }
    if first.is_ascii_digit() || first == '.' {
        return number(rest);
    }
    if "\"'`".contains(first) {
        return quoted(rest, first);
    }
    let sign = SIGNS.iter().find(|sign| rest.starts_with(**sign));
    match sign {
        Some(sign) => Ok((Token::Sign(sign), sign.len())),
        None => Err((format!("{first:?} means nothing here"), first.len_utf8())),
    }
}

fn number(rest: &str) -> Result<(Token, usize), (String, usize)> {
    let mut before = ' ';
    let is_hex = rest.starts_with("0x") || rest.starts_with("0X");
    let belongs = |letter: char| {
        let is_exponent = !is_hex && matches!(before, 'e' | 'E') && matches!(letter, '+' | '-');
        before = letter;
        is_exponent || letter.is_ascii_alphanumeric() || letter == '.'
    };
    let len = rest.len() - rest.trim_start_matches(belongs).len();
    let text = rest.get(..len).unwrap_or_default();
    let hexadecimal = || i64::from_str_radix(text.get(2..)?, 16).ok().map(|number| number as f64);
    let number = if is_hex { hexadecimal() } else { text.parse::<f64>().ok() };
    match (number, units(text)) {
        (Some(number), _) => Ok((Token::Number(number), len)),
        (None, Some(nanos)) => Ok((Token::Duration(nanos), len)),
        (None, None) => Err((format!("{text:?} is neither a number nor a duration"), len)),
    }
}

fn quoted(rest: &str, quote: char) -> Result<(Token, usize), (String, usize)> {
    let mut text = String::new();
    let mut letters = rest.char_indices().skip(1);
    while let Some((at, letter)) = letters.next() {
        match letter {
            letter if letter == quote => return Ok((Token::Text(text), at + quote.len_utf8())),
            '\\' if quote != '`' => {
                let escaped = letters.next().map(|(_, letter)| letter);
                text.push(match escaped {
                    Some('n') => '\n',
                    Some('t') => '\t',
                    Some('r') => '\r',
                    Some(letter @ ('\\' | '"' | '\'')) => letter,
                    _ => return Err(("this escape is not supported in a string".to_owned(), at + 1)),
                });
            }
            letter => text.push(letter),
        }
    }
    Err(("the string has no end".to_owned(), rest.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words() {
        let read = |text: &str| {
            tokens(text).map(|tokens| tokens.into_iter().map(|(token, _)| token).collect::<Vec<_>>())
        };
        let name = |name: &str| Token::Name(name.to_owned());
        let text = |text: &str| Token::Text(text.to_owned());
        let sign = Token::Sign;
        for (given, expected) in [
            ("1+1", vec![Token::Number(1.0), sign("+"), Token::Number(1.0)]),
            ("1e-3 .5 0x1F Inf", [1e-3, 0.5, 31.0, f64::INFINITY].map(Token::Number).to_vec()),
            (
                "a:b_1{c=~\"d\\\"\\n\"}",
                vec![name("a:b_1"), sign("{"), name("c"), sign("=~"), text("d\"\n"), sign("}")],
            ),
            ("x offset 5m # rest", vec![name("x"), name("offset"), Token::Duration(300_000_000_000)]),
            ("`a\\n` 'it'", vec![text("a\\n"), text("it")]),
            ("a>=2", vec![name("a"), sign(">="), Token::Number(2.0)]),
        ] {
            let mut expected = expected;
            expected.push(Token::End);
            assert_eq!(read(given), Ok(expected), "{given}");
        }
        for (given, message) in [
            ("1 ; 2", "1:3: ';' means nothing here"),
            ("a \"b", "1:3: the string has no end"),
            ("5q", "1:1: \"5q\" is neither"),
            ("\"\\x41\"", "1:1: this escape"),
            ("ä", "1:1: 'ä' means"),
        ] {
            let fault = read(given).unwrap_err();
            assert!(fault.message().starts_with(message), "{given}: {}", fault.message());
        }
    }
}
