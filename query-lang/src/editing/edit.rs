//! A change of a text.

use super::position::Range;

/// Text in the place of other text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// What it replaces; may be empty.
    pub range: Range,
    /// What comes there.
    pub text: String,
}

/// `text` with the change made.
#[must_use]
pub fn apply(text: &str, edit: &Edit) -> String {
    let bytes = edit.range.bytes();
    let before = text.get(..bytes.start).unwrap_or("");
    let after = text.get(bytes.end..).unwrap_or("");
    format!("{before}{}{after}", edit.text)
}
