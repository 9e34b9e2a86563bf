//! A compiled regex: in linear time where it can be, under a step budget where it looks around or refers back.
//!
//! A regex without look-around and back-references is searched for in time linear in the text, whatever it is. One with them
//! is searched for by trying, and what one text may cost is bounded: [`MAX_REGEX_STEPS`]. A text that costs more counts as no
//! match, and whoever runs the machine is told of it ([`given_up`]): a query that cannot be answered is not answered wrongly.

use std::cell::RefCell;
use std::fmt::{Display, Formatter};
use std::ops::Range;
use std::sync::Arc;

/// Steps back that a regex with look-around or back-references may take in one text.
pub const MAX_REGEX_STEPS: usize = 2_000_000;

thread_local! {
    /// The regex that took too many steps on this thread, since it was asked last.
    static GIVEN_UP: RefCell<Option<Arc<str>>> = const { RefCell::new(None) };
}

/// The regex that took more than [`MAX_REGEX_STEPS`] on this thread since this was called last.
pub fn given_up() -> Option<Arc<str>> {
    GIVEN_UP.with_borrow_mut(Option::take)
}

/// A regex.
#[derive(Clone, Debug)]
pub enum Pattern {
    /// In linear time.
    Linear(regex::Regex),
    /// By trying.
    Trying(Arc<Trying>),
}

/// A regex that looks around or refers back.
#[derive(Debug)]
pub struct Trying {
    regex: fancy_regex::Regex,
    text: Arc<str>,
}

/// Where a match and its groups are, in bytes.
#[derive(Debug)]
pub enum Spans {
    /// Of a regex in linear time.
    Linear(regex::CaptureLocations),
    /// Of another.
    Trying(Vec<Option<Range<usize>>>),
}

impl Spans {
    /// Where group `number` is; 0 is the match.
    #[must_use]
    pub fn get(&self, number: usize) -> Option<Range<usize>> {
        match self {
            Spans::Linear(found) => found.get(number).map(|(start, end)| start..end),
            Spans::Trying(found) => found.get(number).cloned().flatten(),
        }
    }
}

/// How it is run, for people.
impl Display for Pattern {
    fn fmt(&self, out: &mut Formatter<'_>) -> std::fmt::Result {
        match self {
            Pattern::Linear(regex) => write!(out, "/{regex}/ in linear time"),
            Pattern::Trying(trying) => {
                write!(out, "/{}/ by trying, at most {MAX_REGEX_STEPS} steps a text", trying.text)
            }
        }
    }
}

impl From<regex::Regex> for Pattern {
    fn from(regex: regex::Regex) -> Pattern {
        Pattern::Linear(regex)
    }
}

impl Pattern {
    /// The regex `pattern`, which looks around or refers back.
    ///
    /// # Errors
    /// Why it is none.
    pub fn trying(pattern: &str, size_limit: usize) -> Result<Pattern, String> {
        let mut builder = fancy_regex::RegexBuilder::new(pattern);
        builder.backtrack_limit(MAX_REGEX_STEPS).delegate_size_limit(size_limit);
        let regex = builder.build().map_err(|error| error.to_string())?;
        Ok(Pattern::Trying(Arc::new(Trying { regex, text: pattern.into() })))
    }

    /// How many groups it has, the match itself included.
    #[must_use]
    pub fn groups(&self) -> usize {
        match self {
            Pattern::Linear(regex) => regex.captures_len(),
            Pattern::Trying(trying) => trying.regex.captures_len(),
        }
    }

    /// The regex as text, where it is one in linear time.
    #[must_use]
    pub fn as_linear(&self) -> Option<&str> {
        match self {
            Pattern::Linear(regex) => Some(regex.as_str()),
            Pattern::Trying(_) => None,
        }
    }

    /// Whether it matches somewhere in `text`.
    #[inline]
    #[must_use]
    pub fn is_match(&self, text: &str) -> bool {
        match self {
            Pattern::Linear(regex) => regex.is_match(text),
            Pattern::Trying(_) if has_given_up() => false,
            Pattern::Trying(trying) => trying.regex.is_match(text).unwrap_or_else(|_| trying.give_up()),
        }
    }

    /// Room for what [`Pattern::read`] finds.
    #[must_use]
    pub fn spans(&self) -> Spans {
        match self {
            Pattern::Linear(regex) => Spans::Linear(regex.capture_locations()),
            Pattern::Trying(trying) => Spans::Trying(vec![None; trying.regex.captures_len()]),
        }
    }

    /// Where the first match in `text` is that begins at byte `at` or behind it; its groups go to `found`.
    pub fn read(&self, found: &mut Spans, text: &str, at: usize) -> Option<Range<usize>> {
        match (self, found) {
            (Pattern::Linear(regex), Spans::Linear(found)) => {
                regex.captures_read_at(found, text, at).map(|whole| whole.range())
            }
            (Pattern::Trying(trying), Spans::Trying(found)) if !has_given_up() => {
                let Ok(captures) = trying.regex.captures_from_pos(text, at) else {
                    trying.give_up();
                    return None;
                };
                let captures = captures?;
                found.clear();
                found.extend((0..captures.len()).map(|group| captures.get(group).map(|part| part.range())));
                found.first().cloned().flatten()
            }
            // One text was too much already, or it is room of another regex: there is none.
            _ => None,
        }
    }

    /// Calls `each` with every match in `text`, from left to right, and its groups.
    pub fn read_each(&self, text: &str, mut each: impl FnMut(Range<usize>, &Spans)) {
        let (mut found, mut at, mut last_end) = (self.spans(), 0, None);
        while let Some(whole) = self.read(&mut found, text, at) {
            // An empty match where the one before ended is none.
            if !whole.is_empty() || last_end != Some(whole.start) {
                each(whole.clone(), &found);
            }
            last_end = Some(whole.end);
            at = after(text, &whole);
            if at > text.len() {
                break;
            }
        }
    }
}

/// Whether what comes of these texts is told as a fault anyway: then no more of them are tried.
fn has_given_up() -> bool {
    GIVEN_UP.with_borrow(Option::is_some)
}

impl Trying {
    fn give_up(&self) -> bool {
        GIVEN_UP.with_borrow_mut(|given_up| *given_up = Some(Arc::clone(&self.text)));
        false
    }
}

/// Where to look for the next match: behind this one, and one character further when it is empty.
#[must_use]
pub fn after(text: &str, matched: &Range<usize>) -> usize {
    if !matched.is_empty() {
        return matched.end;
    }
    let next = text.get(matched.end..).and_then(|rest| rest.chars().next());
    matched.end + next.map_or(1, char::len_utf8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(pattern: &Pattern, text: &str) -> Vec<(Range<usize>, Option<Range<usize>>)> {
        let mut all = Vec::new();
        pattern.read_each(text, |whole, spans| all.push((whole, spans.get(1))));
        all
    }

    #[test]
    fn both_kinds_find_the_same() {
        for pattern in ["a", "", "(a)|b", "(x*)", r"\bfoo(\d+)?", "(é)|ñ", "a*?(b)?"] {
            let linear = Pattern::Linear(regex::Regex::new(pattern).unwrap());
            let trying = Pattern::trying(pattern, 1 << 20).unwrap();
            assert_eq!(linear.groups(), trying.groups(), "{pattern}");
            for text in ["", "a", "bab", "foo foo12 foo", "éñé", "xxaxx"] {
                assert_eq!(found(&linear, text), found(&trying, text), "{pattern} in {text}");
                assert_eq!(linear.is_match(text), trying.is_match(text), "{pattern} in {text}");
                let own: Vec<Range<usize>> =
                    regex::Regex::new(pattern).unwrap().find_iter(text).map(|one| one.range()).collect();
                let ours: Vec<Range<usize>> = found(&linear, text).into_iter().map(|one| one.0).collect();
                assert_eq!(ours, own, "{pattern} in {text}");
            }
        }
    }

    #[test]
    fn what_takes_too_long_is_given_up_and_told() {
        let pattern = Pattern::trying(r"^(?=(a+)+$)\1+b", 1 << 20).unwrap();
        assert!(given_up().is_none());
        assert!(!pattern.is_match("b"));
        assert!(given_up().is_none());
        let pattern = Pattern::trying(r"(x+x+)+(?!y)z\1", 1 << 20).unwrap();
        assert!(!pattern.is_match(&"x".repeat(200)));
        assert_eq!(given_up().as_deref(), Some(r"(x+x+)+(?!y)z\1"));
        assert!(given_up().is_none(), "it is told once");
        assert!(pattern.read(&mut pattern.spans(), &"x".repeat(200), 0).is_none());
        assert!(given_up().is_some());
    }
}
