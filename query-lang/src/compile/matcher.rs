//! A test on text, compiled once.

use std::fmt::{Display, Formatter};
use std::sync::{Arc, OnceLock};

use aho_corasick::{AhoCorasick, MatchKind};
use hashbrown::HashSet;
use memchr::memmem::Finder;

use super::automaton::Automaton;
use super::pattern::Pattern;
use super::required::Required;
use crate::value::ValueRef;

/// A test on text: a literal, a glob, a set or a regex, in whichever form runs fastest. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct TextMatcher {
    form: Arc<Form>,
    automata: Arc<Automata>,
}

/// The same test as tables, built when a holder first asks for them.
#[derive(Debug, Default)]
struct Automata {
    plain: OnceLock<Option<Automaton>>,
    escaped: OnceLock<Option<Automaton>>,
}

#[derive(Debug)]
enum Form {
    /// Is this text.
    Equals(Box<str>),
    /// Is this text, or a plain decimal of the same value.
    Number(NumberText),
    /// Is one of these texts, or a plain decimal of the same value as one of the numbers.
    Set { texts: HashSet<Box<str>, foldhash::fast::FixedState>, numbers: Vec<NumberText> },
    /// Contains this text.
    Contains { literal: Box<str>, finder: Box<Finder<'static>> },
    /// Starts with this text.
    Prefix(Box<str>),
    /// Ends with this text.
    Suffix(Box<str>),
    /// Pieces in this order with anything between.
    Glob(Glob),
    /// Contains one of these texts.
    ContainsAny { literals: Vec<Box<str>>, automaton: AhoCorasick },
    /// A regex matches somewhere.
    Regex { regex: Pattern, required: Required },
    /// One of them passes.
    Any(Vec<TextMatcher>),
}

#[derive(Debug)]
struct NumberText {
    text: Box<str>,
    value: crate::value::Number,
}

impl NumberText {
    fn is_match(&self, text: &str) -> bool {
        crate::value::compare::equal_to_literal(text, &self.text, Some(self.value))
    }
}

fn starts_number(text: &str) -> bool {
    matches!(text.as_bytes().first(), Some(b'0'..=b'9' | b'+' | b'-' | b'.'))
}

#[derive(Debug)]
struct Glob {
    /// What the text starts with; empty where the pattern starts with `*`.
    start: Box<str>,
    /// What follows in order.
    middle: Vec<Finder<'static>>,
    /// What it ends with.
    end: Box<str>,
}

impl Glob {
    fn is_match(&self, text: &str) -> bool {
        let Some(rest) = text.strip_prefix(&*self.start) else { return false };
        let Some(rest) = rest.strip_suffix(&*self.end) else { return false };
        let mut rest = rest.as_bytes();
        for piece in &self.middle {
            let Some(at) = piece.find(rest) else { return false };
            rest = rest.get(at + piece.needle().len()..).unwrap_or_default();
        }
        true
    }
}

impl TextMatcher {
    fn new(form: Form) -> TextMatcher {
        TextMatcher { form: Arc::new(form), automata: Arc::default() }
    }

    /// A test for `literal` anywhere in the text, case-sensitive.
    #[must_use]
    pub fn contains(literal: &str) -> TextMatcher {
        let finder = Box::new(Finder::new(literal.as_bytes()).into_owned());
        TextMatcher::new(Form::Contains { literal: literal.into(), finder })
    }

    /// A test for `literal` as the whole text. When it says a number, other plain decimals of that value pass too.
    #[must_use]
    pub fn equals(literal: &str) -> TextMatcher {
        match number_text(literal) {
            Some(number) => TextMatcher::new(Form::Number(number)),
            None => TextMatcher::new(Form::Equals(literal.into())),
        }
    }

    /// A test for exactly `literal`: numbers are texts like any other.
    #[must_use]
    pub fn equals_text(literal: &str) -> TextMatcher {
        TextMatcher::new(Form::Equals(literal.into()))
    }

    /// A test for a text that starts with `literal`.
    #[must_use]
    pub fn starts_with(literal: &str) -> TextMatcher {
        TextMatcher::new(Form::Prefix(literal.into()))
    }

    /// A test for a text that ends with `literal`.
    #[must_use]
    pub fn ends_with(literal: &str) -> TextMatcher {
        TextMatcher::new(Form::Suffix(literal.into()))
    }

    /// A test for a whole text of the form `pattern`, where `*` stands for anything, line breaks included.
    #[must_use]
    pub fn glob(pattern: &str) -> TextMatcher {
        let pieces: Vec<&str> = pattern.split('*').collect();
        match pieces.as_slice() {
            [] => TextMatcher::equals(""),
            [whole] => TextMatcher::equals(whole),
            ["", end] => TextMatcher::ends_with(end),
            [start, ""] => TextMatcher::starts_with(start),
            [start, middle @ .., end] => {
                let middle: Vec<&str> = middle.iter().copied().filter(|piece| !piece.is_empty()).collect();
                match (*start, middle.as_slice(), *end) {
                    ("", [only], "") => TextMatcher::contains(only),
                    (start, [], "") => TextMatcher::starts_with(start),
                    ("", [], end) => TextMatcher::ends_with(end),
                    (start, middle, end) => TextMatcher::new(Form::Glob(Glob {
                        start: start.into(),
                        middle: middle
                            .iter()
                            .map(|piece| Finder::new(piece.as_bytes()).into_owned())
                            .collect(),
                        end: end.into(),
                    })),
                }
            }
        }
    }

    /// A test for the whole text to be of one of the forms `patterns`: texts, or globs with `*`.
    #[must_use]
    pub fn any_of(patterns: &[String]) -> TextMatcher {
        if let [only] = patterns {
            return TextMatcher::glob(only);
        }
        let (globs, texts): (Vec<&String>, Vec<&String>) =
            patterns.iter().partition(|text| text.contains('*'));
        let mut parts: Vec<TextMatcher> = Vec::new();
        if !texts.is_empty() {
            let numbers = texts.iter().filter_map(|text| number_text(text)).collect();
            let texts = texts.iter().map(|text| text.as_str().into()).collect();
            parts.push(TextMatcher::new(Form::Set { texts, numbers }));
        }
        parts.extend(globs.iter().map(|glob| TextMatcher::glob(glob)));
        TextMatcher::any(parts)
    }

    /// A test that passes when one of `parts` does.
    #[must_use]
    pub fn any(mut parts: Vec<TextMatcher>) -> TextMatcher {
        let literals: Vec<Box<str>> =
            parts.iter().filter_map(|part| part.as_contains().map(Box::from)).collect();
        if literals.len() > 1 && literals.len() == parts.len() {
            let built = AhoCorasick::builder()
                .match_kind(MatchKind::LeftmostFirst)
                .build(literals.iter().map(|literal| literal.as_bytes()));
            if let Ok(automaton) = built {
                return TextMatcher::new(Form::ContainsAny { literals, automaton });
            }
        }
        match (parts.pop(), parts.is_empty()) {
            (Some(only), true) => only,
            (Some(last), false) => {
                parts.push(last);
                TextMatcher::new(Form::Any(parts))
            }
            (None, _) => TextMatcher::new(Form::Any(parts)),
        }
    }

    /// A test for a match of `regex` somewhere in the text.
    #[must_use]
    pub fn regex(regex: impl Into<Pattern>) -> TextMatcher {
        TextMatcher::regex_requiring(regex, Required::Anything)
    }

    /// A test for a match of `regex` somewhere in the text, which every passing text meets `required` for.
    #[must_use]
    pub fn regex_requiring(regex: impl Into<Pattern>, required: Required) -> TextMatcher {
        TextMatcher::new(Form::Regex { regex: regex.into(), required })
    }

    /// Whether `text` passes.
    #[inline]
    #[must_use]
    pub fn is_match(&self, text: &str) -> bool {
        match &*self.form {
            Form::Equals(literal) => *text == **literal,
            Form::Number(number) => number.is_match(text),
            Form::Set { texts, numbers } => {
                texts.contains(text) || (starts_number(text) && numbers.iter().any(|one| one.is_match(text)))
            }
            Form::Contains { finder, .. } => finder.find(text.as_bytes()).is_some(),
            Form::Prefix(literal) => text.starts_with(&**literal),
            Form::Suffix(literal) => text.ends_with(&**literal),
            Form::Glob(glob) => glob.is_match(text),
            Form::ContainsAny { automaton, .. } => automaton.is_match(text),
            Form::Regex { regex, required: _ } => regex.is_match(text),
            Form::Any(parts) => parts.iter().any(|part| part.is_match(text)),
        }
    }

    /// Whether the text of `value` passes; `buffer` holds the text of numbers.
    #[inline]
    pub fn is_match_value(&self, value: ValueRef<'_>, buffer: &mut String) -> bool {
        self.is_match(value.text_in(buffer))
    }

    /// What it costs to try, roughly.
    #[must_use]
    pub fn cost(&self) -> u32 {
        match &*self.form {
            Form::Equals(_) | Form::Number(_) | Form::Set { .. } | Form::Prefix(_) | Form::Suffix(_) => 2,
            Form::Contains { .. } | Form::Glob(_) => 3,
            Form::ContainsAny { .. } => 4,
            Form::Regex { regex, .. } if regex.as_linear().is_some() => 10,
            Form::Regex { .. } => 100,
            Form::Any(parts) => parts.iter().map(TextMatcher::cost).sum(),
        }
    }

    /// The literal, when passing is the same as containing it: holders may then run one search over many texts.
    #[must_use]
    pub fn as_contains(&self) -> Option<&str> {
        match &*self.form {
            Form::Contains { literal, .. } => Some(literal),
            _ => None,
        }
    }

    /// The literal, when passing is the same as being it.
    #[must_use]
    pub fn as_equals(&self) -> Option<&str> {
        match &*self.form {
            Form::Equals(literal) => Some(literal),
            _ => None,
        }
    }

    /// The test as a table, for holders that keep texts in pieces; `None` where it has none, or too large a one.
    #[must_use]
    pub fn automaton(&self) -> Option<&Automaton> {
        let build = || Automaton::of_pattern(&self.pattern()?);
        self.automata.plain.get_or_init(build).as_ref()
    }

    /// [`TextMatcher::automaton`] for texts of JSON strings as they are written, which tests what they mean.
    #[must_use]
    pub fn escaped_automaton(&self) -> Option<&Automaton> {
        let build = || self.automaton()?.of_escaped();
        self.automata.escaped.get_or_init(build).as_ref()
    }

    /// The regex that is the same test; `None` where numbers are compared.
    fn pattern(&self) -> Option<String> {
        Some(match &*self.form {
            Form::Equals(literal) => format!(r"\A{}\z", regex::escape(literal)),
            Form::Number(_) | Form::Set { .. } => return None,
            Form::Contains { literal, .. } => regex::escape(literal),
            Form::Prefix(literal) => format!(r"\A{}", regex::escape(literal)),
            Form::Suffix(literal) => format!(r"{}\z", regex::escape(literal)),
            Form::Glob(glob) => {
                let mut pattern = format!(r"(?s)\A{}.*", regex::escape(&glob.start));
                for piece in &glob.middle {
                    pattern.push_str(&regex::escape(std::str::from_utf8(piece.needle()).ok()?));
                    pattern.push_str(".*");
                }
                pattern + &regex::escape(&glob.end) + r"\z"
            }
            Form::ContainsAny { literals, .. } => {
                literals.iter().map(|literal| regex::escape(literal)).collect::<Vec<_>>().join("|")
            }
            Form::Regex { regex, .. } => regex.as_linear()?.to_owned(),
            Form::Any(parts) => {
                let group = |part: &TextMatcher| Some(format!("(?:{})", part.pattern()?));
                let groups: Option<Vec<String>> = parts.iter().map(group).collect();
                groups.filter(|groups| !groups.is_empty())?.join("|")
            }
        })
    }

    /// The longest literal that every text contains which passes a regex, and whether its ASCII letters may be of
    /// either case; `None` for other tests, and where the regex has none.
    #[must_use]
    pub fn required_text(&self) -> Option<(&[u8], bool)> {
        fn longest(required: &Required) -> Option<(&[u8], bool)> {
            match required {
                Required::Text { literal, ignore_case } => Some((literal, *ignore_case)),
                Required::And(parts) => parts.iter().filter_map(longest).max_by_key(|(text, _)| text.len()),
                _ => None,
            }
        }
        match &*self.form {
            Form::Regex { required, .. } => longest(required),
            _ => None,
        }
    }
}

/// How texts are tested, for people.
impl Display for TextMatcher {
    fn fmt(&self, out: &mut Formatter<'_>) -> std::fmt::Result {
        match &*self.form {
            Form::Equals(literal) => write!(out, "is {literal:?}"),
            Form::Number(number) => write!(out, "is the number {}", number.text),
            Form::Set { texts, .. } => write!(out, "is one of a set of {}", texts.len()),
            Form::Contains { literal, .. } => write!(out, "contains {literal:?}"),
            Form::Prefix(literal) => write!(out, "starts with {literal:?}"),
            Form::Suffix(literal) => write!(out, "ends with {literal:?}"),
            Form::Glob(glob) => write!(out, "has {} parts in their order", glob.middle.len() + 2),
            Form::ContainsAny { literals, .. } => {
                write!(out, "contains one of {} in one search", literals.len())
            }
            Form::Regex { regex, .. } => write!(out, "matches {regex}"),
            Form::Any(parts) => write!(out, "passes one of {} tests", parts.len()),
        }
    }
}

fn number_text(text: &str) -> Option<NumberText> {
    let value = ValueRef::Text(text).number()?;
    Some(NumberText { text: text.into(), value })
}

/// The digits that every plain decimal of `value` contains: `404` for 404, `.5` for 0.5.
#[must_use]
pub fn digits(value: crate::value::Number) -> Option<String> {
    value.decimal()?;
    let text = value.to_string();
    let text = text.strip_prefix('-').unwrap_or(&text);
    if text.contains(['e', 'E']) {
        return None;
    }
    let text = if text.starts_with("0.") { text.get(1..)? } else { text };
    Some(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_match_whole_texts() {
        for (pattern, yes, no) in [
            ("a", &["a"][..], &["", "aa", "A"][..]),
            ("a*", &["a", "ab"], &["ba"]),
            ("*a", &["a", "ba"], &["ab"]),
            ("*a*", &["a", "bab"], &["b"]),
            ("a*a", &["aa", "aba", "a\na"], &["a", "ab"]),
            ("a**b*c", &["abc", "a-b-c"], &["acb", "ab"]),
            ("*a*b*", &["ab", "xaxbx"], &["ba"]),
            ("404", &["404", "404.0", "0404"], &["4040", "404.1", "x"]),
            ("", &[""], &["a"]),
        ] {
            let matcher = TextMatcher::glob(pattern);
            for text in yes {
                assert!(matcher.is_match(text), "{pattern} should match {text}");
            }
            for text in no {
                assert!(!matcher.is_match(text), "{pattern} should not match {text}");
            }
        }
    }

    #[test]
    fn a_regex_tells_its_longest_literal() {
        let text = |literal: &str| Required::Text { literal: literal.into(), ignore_case: true };
        let regex = || regex::Regex::new("x").unwrap();
        let matcher = TextMatcher::regex_requiring(regex(), Required::And(vec![text("ab"), text("abc")]));
        assert_eq!(matcher.required_text(), Some((&b"abc"[..], true)));
        let matcher = TextMatcher::regex_requiring(regex(), Required::Or(vec![text("ab"), text("abc")]));
        assert_eq!(matcher.required_text(), None);
        assert_eq!(TextMatcher::regex(regex()).required_text(), None);
    }

    #[test]
    fn tables_test_the_same() {
        let any =
            |parts: &[&str]| TextMatcher::any(parts.iter().map(|part| TextMatcher::glob(part)).collect());
        let matchers = [
            TextMatcher::contains("a.b"),
            TextMatcher::equals("a.b"),
            TextMatcher::glob("a*b"),
            TextMatcher::glob("*.*b"),
            TextMatcher::glob("a*.*"),
            TextMatcher::starts_with("a."),
            TextMatcher::ends_with(".b"),
            any(&["*a*", "*.*"]),
            any(&["a.b", "b*"]),
            TextMatcher::regex(regex::Regex::new("(?i)A.B$").unwrap()),
        ];
        for matcher in matchers {
            let automaton = matcher.automaton().unwrap();
            for text in ["a.b", "a\nb", "xa.b", "a.bx", "b", "", "a.", "A-B", "ab"] {
                let end = automaton.end(automaton.run(automaton.start(), text.as_bytes()));
                assert_eq!(end == Automaton::MATCH, matcher.is_match(text), "{matcher:?} on {text:?}");
            }
        }
        assert!(TextMatcher::equals("404").automaton().is_none());
    }

    #[test]
    fn any_of_contains_is_one_automaton() {
        let matcher = TextMatcher::any(vec![TextMatcher::contains("ab"), TextMatcher::contains("cd")]);
        assert!(matcher.is_match("xcdx") && matcher.is_match("ab") && !matcher.is_match("ac"));
    }
}
