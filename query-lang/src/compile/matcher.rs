//! A test on text, compiled once.

/// A test on text: a literal, a glob, a set or a regex, in whichever form runs fastest.
#[derive(Clone, Debug)]
pub struct TextMatcher {
    literal: String,
}

impl TextMatcher {
    /// A test for `literal` anywhere in the text, case-sensitive.
    #[must_use]
    pub fn contains(literal: &str) -> TextMatcher {
        TextMatcher { literal: literal.to_owned() }
    }

    /// Whether `text` passes.
    #[must_use]
    pub fn is_match(&self, text: &str) -> bool {
        memchr::memmem::find(text.as_bytes(), self.literal.as_bytes()).is_some()
    }

    /// The literal, when passing is the same as containing it: holders may then run one search over many texts.
    #[must_use]
    pub fn as_contains(&self) -> Option<&str> {
        Some(&self.literal)
    }
}
