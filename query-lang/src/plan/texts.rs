//! Regexes that say no more than a text does: `/timeout/`, `/^GET/`, `/\.exe$/`, `/^(start|stop)$/`.
//!
//! As texts they are found by hash, by index and in dictionaries, where a regex would have to be run.

use regex_syntax::hir::{Class, Hir, HirKind, Look};

use crate::compile::regex::translate;
use crate::plan::{Regex, TextTest};
use crate::value::Number;

/// The most texts that a regex is taken for.
const MAX_TEXTS: usize = 64;
/// The longest of them, in bytes.
const MAX_TEXT_BYTES: usize = 1 << 10;

/// The test that `regex` is the same as, where it is one on texts.
pub(super) fn test_of(regex: &Regex) -> Option<TextTest> {
    if regex.flags.contains('i') || regex.pattern.len() > MAX_TEXT_BYTES {
        return None;
    }
    let hir = regex_syntax::ParserBuilder::new()
        .multi_line(regex.flags.contains('m'))
        .dot_matches_new_line(regex.flags.contains('d'))
        .build()
        .parse(&translate(&regex.pattern).ok()?.pattern)
        .ok()?;
    let mut parts: Vec<&Hir> = match hir.kind() {
        HirKind::Concat(parts) => parts.iter().collect(),
        _ => vec![&hir],
    };
    let starts = parts.first().is_some_and(|part| is(part, Look::Start));
    let ends = parts.last().is_some_and(|part| is(part, Look::End));
    if starts {
        parts.remove(0);
    }
    if ends {
        parts.pop();
    }
    // Anything in front of what may stand anywhere says nothing.
    while !starts && parts.first().is_some_and(|part| is_anything(part)) {
        parts.remove(0);
    }
    while !ends && parts.last().is_some_and(|part| is_anything(part)) {
        parts.pop();
    }
    let mut texts = vec![String::new()];
    for part in parts {
        texts = joined(&texts, &texts_of(part)?)?;
    }
    let is_plain = |text: &String| !text.is_empty() && !text.contains('*');
    if !texts.iter().all(is_plain) {
        return None;
    }
    let patterns: Vec<String> = match (starts, ends) {
        (false, false) => {
            let [pattern] = <[String; 1]>::try_from(texts).ok()?;
            return Some(TextTest::Contains { pattern, ignore_case: false });
        }
        // As a text a number would be other ways to write it, too.
        (true, true) if texts.iter().any(|text| Number::parse(text).is_some()) => return None,
        (true, true) => texts,
        (true, false) => texts.iter().map(|text| format!("{text}*")).collect(),
        (false, true) => texts.iter().map(|text| format!("*{text}")).collect(),
    };
    Some(TextTest::AnyOf { patterns, ignore_case: false })
}

fn is(part: &Hir, look: Look) -> bool {
    matches!(part.kind(), HirKind::Look(found) if *found == look)
}

/// `.*` and its like: it matches nothing, too, and is followed or preceded by whatever there is.
fn is_anything(part: &Hir) -> bool {
    match part.kind() {
        HirKind::Repetition(repetition) => repetition.min == 0,
        HirKind::Capture(capture) => is_anything(&capture.sub),
        _ => false,
    }
}

/// The texts that `hir` matches, where they are few.
fn texts_of(hir: &Hir) -> Option<Vec<String>> {
    match hir.kind() {
        HirKind::Empty => Some(vec![String::new()]),
        HirKind::Literal(literal) => Some(vec![std::str::from_utf8(&literal.0).ok()?.to_owned()]),
        HirKind::Capture(capture) => texts_of(&capture.sub),
        HirKind::Class(Class::Unicode(class)) => {
            let ranges = class.ranges();
            let size: usize = ranges.iter().map(|range| range.len()).sum();
            let letters = || ranges.iter().flat_map(|range| range.start()..=range.end());
            (size <= MAX_TEXTS).then(|| letters().map(String::from).collect())
        }
        HirKind::Concat(parts) => {
            parts.iter().try_fold(vec![String::new()], |texts, part| joined(&texts, &texts_of(part)?))
        }
        HirKind::Alternation(parts) => {
            let mut all = Vec::new();
            for part in parts {
                all.extend(texts_of(part)?);
                if all.len() > MAX_TEXTS {
                    return None;
                }
            }
            Some(all)
        }
        HirKind::Class(Class::Bytes(_)) | HirKind::Look(_) | HirKind::Repetition(_) => None,
    }
}

/// Each of `left` with each of `right` behind it.
fn joined(left: &[String], right: &[String]) -> Option<Vec<String>> {
    let fits = left.len().checked_mul(right.len())? <= MAX_TEXTS;
    let bytes = |texts: &[String]| texts.iter().map(String::len).max().unwrap_or(0);
    (fits && bytes(left) + bytes(right) <= MAX_TEXT_BYTES).then(|| {
        left.iter().flat_map(|left| right.iter().map(move |right| format!("{left}{right}"))).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Place;

    fn shown(pattern: &str, flags: &str) -> String {
        let regex = Regex { pattern: pattern.into(), flags: flags.into(), place: Place::default() };
        match test_of(&regex) {
            None => "-".to_owned(),
            Some(TextTest::Contains { pattern, .. }) => format!("contains {pattern}"),
            Some(TextTest::AnyOf { patterns, .. }) => patterns.join(","),
            Some(TextTest::Regex(_)) => "regex".to_owned(),
        }
    }

    #[test]
    fn regexes_that_are_texts_become_texts() {
        for (pattern, flags, expected) in [
            ("timeout", "", "contains timeout"),
            (r"a\.b\/c", "F", "contains a.b/c"),
            (".*timeout.*", "", "contains timeout"),
            ("(?:x)?y", "", "contains y"),
            ("^GET", "", "GET*"),
            (r"\.exe$", "", "*.exe"),
            ("^(start|stop)$", "", "start,stop"),
            ("^st(?:art|op)", "", "start*,stop*"),
            ("^[ab]c$", "", "ac,bc"),
            ("^(?i)on$", "", "ON,On,oN,on"),
            // A text that says a number is told by its value; a star is none; lines begin anywhere.
            ("^404$", "", "-"),
            ("^404", "", "404*"),
            (r"a\*b", "", "-"),
            ("^a", "m", "-"),
            ("a", "i", "-"),
            ("a|b", "", "-"),
            ("a+", "", "-"),
            ("^.*a", "", "-"),
            ("", "", "-"),
            ("^$", "", "-"),
            ("(", "", "-"),
            ("^[a-z][a-z]$", "", "-"),
        ] {
            assert_eq!(shown(pattern, flags), expected, "/{pattern}/{flags}");
        }
    }
}
