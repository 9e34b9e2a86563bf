//! What is wrong with a query, pointed at.

use crate::span::Span;

/// The longest query text that is looked at, in bytes.
pub const MAX_QUERY_BYTES: usize = 1 << 20;

/// One fault in a query text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// A stable word for the kind of fault: `syntax`, `unknown-function`, `limit` ...
    pub code: &'static str,
    /// What is wrong, in lower case, without the position.
    pub message: String,
    /// Where.
    pub span: Span,
    /// What to do about it: "did you mean `timeChart`?".
    pub hint: Option<String>,
}

/// All faults found in one pass over a query text; never empty as an error.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnostics {
    /// In order of their spans.
    pub list: Vec<Diagnostic>,
}

impl std::fmt::Display for Diagnostics {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (at, fault) in self.list.iter().enumerate() {
            let line = if at > 0 { "\n" } else { "" };
            write!(out, "{line}{} at byte {}", fault.message, fault.span.start)?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostics {}
