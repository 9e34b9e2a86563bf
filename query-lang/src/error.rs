//! What is wrong with a query, pointed at.

use crate::span::Span;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

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

impl Diagnostics {
    /// The same faults, those of an element of a list pointing at the element: what is checked behind the parser knows where
    /// the list stands and what the element says.
    #[must_use]
    pub fn narrowed(mut self, text: &str) -> Diagnostics {
        for fault in &mut self.list {
            let Some(list) = text.get(fault.span.range()).filter(|list| list.starts_with('[')) else {
                continue;
            };
            let Some(name) = fault.message.split('`').nth_back(1).filter(|name| !name.is_empty()) else {
                continue;
            };
            let mut found = list.match_indices(name).filter(|(at, _)| {
                let edge = |c: Option<char>| {
                    c.is_none_or(|c| matches!(c, '[' | ']' | ',' | '"') || c.is_whitespace())
                };
                let before = list.get(..*at).unwrap_or("").chars().next_back();
                edge(before) && edge(list.get(at + name.len()..).unwrap_or("").chars().next())
            });
            if let (Some((at, _)), None) = (found.next(), found.next()) {
                let start = fault.span.start as usize + at;
                fault.span = Span::new(start, start + name.len());
            }
        }
        self
    }

    /// The faults as a person reads them: each with the lines it stands on, carets under it, and its hint.
    ///
    /// `text` is the text that was parsed; `colour` adds the terminal's escapes. Lines end in `\n`.
    #[must_use]
    pub fn render(&self, text: &str, colour: bool) -> String {
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        let mut out = String::new();
        for fault in &self.list {
            out.push_str(&renderer.render(&[fault.report(text)]));
            out.push_str("\n\n");
        }
        out.truncate(out.trim_end().len());
        out.push('\n');
        out
    }
}

/// The hint that names what was probably meant; see [`Diagnostic::replacement`].
#[must_use]
pub fn did_you_mean(near: &str) -> String {
    format!("did you mean `{near}`?")
}

impl Diagnostic {
    /// What to put in the place of the fault, where its hint is that: "did you mean `x`?", or "write `x`", at its end or
    /// before another way to put it. What is written with `..` is a form to be filled in, and no replacement.
    #[must_use]
    pub fn replacement(&self) -> Option<&str> {
        let hint = self.hint.as_deref()?;
        let (text, rest) = match hint.strip_prefix("did you mean `") {
            Some(rest) => rest.rsplit_once("`?")?,
            None => {
                let rest = hint.strip_prefix("write `")?;
                rest.find("`, or ").and_then(|at| rest.split_at_checked(at)).or(rest.rsplit_once('`'))?
            }
        };
        let ends = rest.is_empty() || rest.starts_with("`, or ");
        (ends && !text.contains("..")).then_some(text)
    }

    fn report<'a>(&'a self, text: &'a str) -> Group<'a> {
        let (first_line, window, range) = self.window(text);
        let snippet =
            Snippet::source(window).line_start(first_line).annotation(AnnotationKind::Primary.span(range));
        let group = Level::ERROR.primary_title(self.message.as_str()).id(self.code).element(snippet);
        match &self.hint {
            Some(hint) => group.element(Level::HELP.message(hint.as_str())),
            None => group,
        }
    }

    /// The lines the fault stands on, the number of the first, and the fault's place in them. Handing over only
    /// these keeps the cost of many faults in a long text proportional to what is shown.
    fn window<'a>(&self, text: &'a str) -> (usize, &'a str, std::ops::Range<usize>) {
        let border = |at: usize| text.floor_char_boundary(at.min(text.len()));
        let start = border(self.span.start as usize);
        let end = border(self.span.end as usize).max(start);
        let before = text.get(..start).unwrap_or("");
        let from = before.rfind('\n').map_or(0, |at| at + 1);
        let after = text.get(end..).unwrap_or("");
        let to = end + after.find('\n').unwrap_or(after.len());
        let line = before.bytes().filter(|&b| b == b'\n').count() + 1;
        (line, text.get(from..to).unwrap_or(""), start - from..end - from)
    }
}

impl std::fmt::Display for Diagnostics {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (at, fault) in self.list.iter().enumerate() {
            let line = if at > 0 { "\n" } else { "" };
            write!(out, "{line}{} at byte {}", fault.message, fault.span.start)?;
            if let Some(hint) = &fault.hint {
                write!(out, " ({hint})")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostics {}
