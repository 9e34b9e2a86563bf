//! Which characters make an unquoted word, and when a text needs quotes. The printer asks here too.

use super::Mode;

/// Words that mean something else when they stand where a field or free text may.
const KEYWORDS: [&str; 8] = ["and", "or", "not", "case", "match", "like", "true", "false"];

/// Names that are calls even with a space before the parenthesis: everywhere else in a filter, a word before a
/// parenthesis is free text before a group.
const SPACED_CALLS: [&str; 60] = [
    "asn",
    "avg",
    "bucket",
    "cidr",
    "coalesce",
    "collect",
    "concat",
    "concatarray",
    "correlate",
    "count",
    "createevents",
    "default",
    "definetable",
    "drop",
    "dropevent",
    "eval",
    "fieldstats",
    "findtimestamp",
    "format",
    "formatduration",
    "formattime",
    "groupby",
    "head",
    "if",
    "in",
    "iplocation",
    "join",
    "kvparse",
    "length",
    "lower",
    "match",
    "max",
    "min",
    "parsecsv",
    "parsejson",
    "parsetimestamp",
    "parsexml",
    "percentile",
    "readfile",
    "regex",
    "rename",
    "replace",
    "round",
    "sample",
    "sankey",
    "select",
    "selectlast",
    "selfjoinfilter",
    "settimeinterval",
    "sort",
    "split",
    "splitstring",
    "stats",
    "sum",
    "table",
    "tail",
    "test",
    "timechart",
    "top",
    "wildcard",
];

/// Functions whose arguments are expressions, in which `-`, `*` and `/` calculate. The arguments of all others are
/// names, values and aggregates, in which they belong to the word: `timezone=Europe/Copenhagen`.
const EXPRESSION_CALLS: [&str; 7] =
    ["array:append", "coalesce", "eval", "getfield", "if", "setfield", "test"];

/// `and`, `OR`, `case` and so on: in any case.
pub(crate) fn is_keyword(word: &str) -> bool {
    KEYWORDS.iter().any(|keyword| keyword.eq_ignore_ascii_case(word))
}

/// `name (` is a call in a filter.
pub(crate) fn is_spaced_call(word: &str) -> bool {
    SPACED_CALLS.iter().any(|name| name.eq_ignore_ascii_case(word))
}

/// The arguments of this function are expressions.
pub(crate) fn takes_expressions(function: &str) -> bool {
    EXPRESSION_CALLS.iter().any(|name| name.eq_ignore_ascii_case(function))
        || function.get(..5).is_some_and(|family| family.eq_ignore_ascii_case("text:"))
}

/// A letter, digit or sign that may stand anywhere in an unquoted field name.
fn is_field_char(c: char) -> bool {
    match c {
        'a'..='z' | 'A'..='Z' | '0'..='9' | '_' | '.' | '@' | '#' | '%' | '&' | '\\' | '^' => true,
        c => c.is_alphanumeric() && !c.is_ascii(),
    }
}

fn is_pattern_char(c: char) -> bool {
    is_field_char(c) || matches!(c, '*' | '+' | '-' | ':' | '~' | '/')
}

/// The length in bytes of the word that `text` starts with; 0 if it starts with none.
pub(super) fn word_length(text: &str, mode: Mode) -> usize {
    match mode {
        Mode::Pattern => pattern_length(text),
        Mode::Field => field_length(text, is_field_char),
        Mode::Arithmetic => field_length(text, |c| is_field_char(c) && c != '%'),
    }
}

fn field_length(text: &str, belongs: impl Fn(char) -> bool) -> usize {
    let mut at = 0;
    loop {
        let rest = text.get(at..).unwrap_or("");
        match rest.chars().next() {
            Some(c) if belongs(c) => at += c.len_utf8(),
            Some('[') if at > 0 => match index_length(rest) {
                0 => return at,
                length => at += length,
            },
            _ => return at,
        }
    }
}

/// The length of `[0]` or `[]` at the start of `text`.
fn index_length(text: &str) -> usize {
    let Some(inner) = text.strip_prefix('[') else { return 0 };
    let digits = inner.bytes().take_while(u8::is_ascii_digit).count();
    if inner.as_bytes().get(digits) == Some(&b']') { digits + 2 } else { 0 }
}

fn pattern_length(text: &str) -> usize {
    if text.starts_with('/') {
        return 0;
    }
    let mut at = 0;
    loop {
        let rest = text.get(at..).unwrap_or("");
        match rest.chars().next() {
            // `a:=b` assigns to `a`.
            Some(':') if rest.as_bytes().get(1) == Some(&b'=') => break,
            Some(c) if is_pattern_char(c) => at += c.len_utf8(),
            Some('[') if at > 0 && index_length(rest) > 0 => at += index_length(rest),
            _ => break,
        }
    }
    // A word does not end in `//`: that is a comment standing close.
    let word = text.get(..at).unwrap_or("");
    if word.ends_with("//") { word.trim_end_matches('/').len() } else { at }
}

/// The text can be written as a field name without quotes, where a filter or an expression may stand.
pub(crate) fn is_plain_field(text: &str) -> bool {
    !text.is_empty() && field_length(text, is_field_char) == text.len() && !is_keyword(text)
}

/// The text can be written without quotes as the right side of a comparison.
pub(crate) fn is_plain_value(text: &str) -> bool {
    !text.is_empty() && pattern_length(text) == text.len()
}

/// The text can be written without quotes as free text.
pub(crate) fn is_plain_text(text: &str) -> bool {
    is_plain_value(text) && !is_keyword(text)
}

/// The name can be called: letters, digits, `_`, and `:` between families and members.
pub(crate) fn is_call_name(text: &str) -> bool {
    let part = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    };
    !text.is_empty() && text.split(':').all(part)
}

/// `12`, `-1.5`, `1e6`: digits, with a fraction and an exponent if any.
pub(crate) fn is_number(text: &str) -> bool {
    let text = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (text.get(..at).unwrap_or(""), text.get(at + 1..)),
        None => (text, None),
    };
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let mantissa = match mantissa.split_once('.') {
        Some((whole, fraction)) => digits(whole) && digits(fraction),
        None => digits(mantissa),
    };
    mantissa && exponent.is_none_or(|part| digits(part.strip_prefix(['-', '+']).unwrap_or(part)))
}

/// A unit of a time span, as in `2 hours`.
pub(crate) fn is_time_unit(word: &str) -> bool {
    const UNITS: [&str; 38] = [
        "ms",
        "milli",
        "millis",
        "millisecond",
        "milliseconds",
        "s",
        "sec",
        "secs",
        "second",
        "seconds",
        "m",
        "min",
        "mins",
        "minute",
        "minutes",
        "h",
        "hr",
        "hrs",
        "hour",
        "hours",
        "d",
        "day",
        "days",
        "w",
        "week",
        "weeks",
        "mon",
        "month",
        "months",
        "q",
        "qtr",
        "qtrs",
        "quarter",
        "quarters",
        "y",
        "yr",
        "year",
        "years",
    ];
    UNITS.contains(&word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_end_where_their_mode_says() {
        let check = |text: &str, pattern: &str, field: &str| {
            assert_eq!(&text[..word_length(text, Mode::Pattern)], pattern, "pattern of {text}");
            assert_eq!(&text[..word_length(text, Mode::Field)], field, "field of {text}");
        };
        check("https://a.b/ x", "https://a.b/", "https");
        check("https: //x", "https:", "https");
        check("foo//", "foo", "foo");
        check("foo//bar", "foo//bar", "foo");
        check("foo/// bar", "foo", "foo");
        check("/foo", "", "");
        check("a:=b", "a", "a");
        check("a::b", "a::b", "a");
        check("a[0].b[12][3]=x", "a[0].b[12][3]", "a[0].b[12][3]");
        check("a[]", "a[]", "a[]");
        check("a[x]", "a", "a");
        check("[0]", "", "");
        check("2024-01-01T10:00:00+01:00", "2024-01-01T10:00:00+01:00", "2024");
        check("*.exe|", "*.exe", "");
        check("#tag.x@y", "#tag.x@y", "#tag.x@y");
        check("bl\u{e5}b\u{e6}r", "bl\u{e5}b\u{e6}r", "bl\u{e5}b\u{e6}r");
        check("a\u{201c}b", "a", "a");
        check("x!=1", "x", "x");
    }

    #[test]
    fn numbers_are_digits_with_a_fraction_and_an_exponent() {
        for text in ["0", "12", "1.5", "1e6", "1.74E100", "-1", "+2", "1e-6", "007"] {
            assert!(is_number(text), "{text}");
        }
        for text in ["", ".5", "1.", "1e", "e6", "1h", "1.2.3", "0x10", "-", "1e+", "--1"] {
            assert!(!is_number(text), "{text}");
        }
    }
}
