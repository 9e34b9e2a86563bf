//! What a text must contain for a regex to match in it, read off the regex's syntax tree.

use regex_syntax::hir::{Class, Hir, HirKind};

use crate::compile::Required;
use crate::plan;

/// The most parts of one alternation that are followed; a larger one requires nothing.
const MAX_BRANCHES: usize = 256;

/// The shortest stretch of a run that is required by itself, in bytes: shorter ones are in most texts.
const STRETCH_MIN: usize = 3;

/// A necessary condition for `regex` with further `flags` to match somewhere in a text.
#[must_use]
pub fn of_regex(regex: &plan::Regex, flags: &str) -> Required {
    let Ok(mut translated) = super::regex::translate(&regex.pattern) else { return Required::Anything };
    // What has to follow has to be there.
    translated.follow();
    let has = |flag: char| regex.flags.contains(flag) || flags.contains(flag);
    let parsed = regex_syntax::ParserBuilder::new()
        .case_insensitive(has('i'))
        .multi_line(has('m'))
        .dot_matches_new_line(has('d'))
        .build()
        .parse(&translated.pattern);
    parsed.map_or(Required::Anything, |hir| of_hir(&hir))
}

fn of_hir(hir: &Hir) -> Required {
    let mut run = Run::default();
    let mut parts = Vec::new();
    walk(hir, &mut run, &mut parts);
    run.end(&mut parts);
    Required::and(parts)
}

/// Letters that must follow each other.
#[derive(Default)]
struct Run {
    bytes: Vec<u8>,
    ignore_case: bool,
    /// Letters outside ASCII that may stand for one of the run's: then the run itself is not in the text, but they
    /// are, which hardly any text has.
    instead: Vec<char>,
}

impl Run {
    fn end(&mut self, parts: &mut Vec<Required>) {
        let run = std::mem::take(self);
        if run.bytes.is_empty() {
            return;
        }
        // What of the run has no letter outside ASCII is in the text whichever letters the others are.
        if let Some(stretch) = run.stretch() {
            let literal = stretch.to_vec();
            parts.push(Required::Text { literal, ignore_case: run.ignore_case });
        }
        let text = Required::Text { literal: run.bytes, ignore_case: run.ignore_case };
        let others = run
            .instead
            .iter()
            .map(|other| Required::Text { literal: other.to_string().into_bytes(), ignore_case: false });
        parts.push(Required::or(std::iter::once(text).chain(others).collect()));
    }

    /// The longest stretch of a run, some of whose letters have forms outside ASCII, that has none of them.
    fn stretch(&self) -> Option<&[u8]> {
        if self.instead.is_empty() {
            return None;
        }
        let pieces = self.bytes.split(|byte| matches!(byte.to_ascii_lowercase(), b'k' | b's'));
        pieces.max_by_key(|piece| piece.len()).filter(|piece| piece.len() >= STRETCH_MIN)
    }
}

fn walk(hir: &Hir, run: &mut Run, parts: &mut Vec<Required>) {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => {}
        HirKind::Literal(literal) => run.bytes.extend_from_slice(&literal.0),
        HirKind::Class(class) => match either_case(class) {
            Some((letter, other)) => {
                run.bytes.push(letter);
                run.ignore_case = true;
                if let Some(other) = other.filter(|other| !run.instead.contains(other)) {
                    run.instead.push(other);
                }
            }
            None => run.end(parts),
        },
        HirKind::Capture(capture) => walk(&capture.sub, run, parts),
        HirKind::Concat(list) => list.iter().for_each(|one| walk(one, run, parts)),
        HirKind::Alternation(list) => {
            run.end(parts);
            parts.push(match list.len() {
                ..=MAX_BRANCHES => Required::or(list.iter().map(of_hir).collect()),
                _ => Required::Anything,
            });
        }
        HirKind::Repetition(repetition) => {
            run.end(parts);
            if repetition.min > 0 {
                parts.push(of_hir(&repetition.sub));
            }
        }
    }
}

/// The letter, where a class is an ASCII letter in both cases, and the third form that `k` (the Kelvin sign) and `s`
/// (the long s) have outside ASCII.
fn either_case(class: &Class) -> Option<(u8, Option<char>)> {
    let Class::Unicode(class) = class else { return None };
    let one = |range: &regex_syntax::hir::ClassUnicodeRange| {
        (range.start() == range.end()).then_some(range.start())
    };
    let (upper, lower, other) = match class.ranges() {
        [upper, lower] => (one(upper)?, one(lower)?, None),
        [upper, lower, other] => (one(upper)?, one(lower)?, Some(one(other)?)),
        _ => return None,
    };
    let third = matches!((lower, other), (_, None) | ('k', Some('\u{212A}')) | ('s', Some('\u{17F}')));
    let same = third && upper.is_ascii_uppercase() && upper.to_ascii_lowercase() == lower;
    same.then(|| u8::try_from(lower).ok()).flatten().map(|letter| (letter, other))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(literal: &str, ignore_case: bool) -> Required {
        Required::Text { literal: literal.as_bytes().to_vec(), ignore_case }
    }

    #[test]
    fn literals_are_found_inside() {
        for (pattern, flags, required) in [
            ("timeout", "", text("timeout", false)),
            (
                r"user=(?<user>\w+) failed",
                "",
                Required::And(vec![text("user=", false), text(" failed", false)]),
            ),
            ("a(b|c)d", "", Required::And(vec![text("a", false), text("d", false)])),
            ("foo|bar", "", Required::Or(vec![text("foo", false), text("bar", false)])),
            ("foo|.*", "", Required::Anything),
            ("error", "i", text("error", true)),
            ("(?i)Pool", "", text("pool", true)),
            ("(ab)+c?", "", text("ab", false)),
            ("(ab)*", "", Required::Anything),
            ("^start$", "m", text("start", false)),
            (r"\d+", "", Required::Anything),
            (
                "disk",
                "i",
                Required::Or(vec![text("disk", true), text("\u{17F}", false), text("\u{212A}", false)]),
            ),
            (
                "(?i)circuit BREAKER",
                "",
                Required::And(vec![
                    text("circuit brea", true),
                    Required::Or(vec![text("circuit breaker", true), text("\u{212A}", false)]),
                ]),
            ),
        ] {
            let regex =
                plan::Regex { pattern: pattern.into(), flags: flags.into(), place: plan::Place::default() };
            let found = of_regex(&regex, "");
            assert_eq!(found, required, "{pattern}");
        }
    }
}
