//! A faulty query with carets under its faults, for people.

use std::fmt::Write;

use weir_query::error::{Diagnostic, Diagnostics};

/// Faults shown; a query with more has other problems.
const MAX_SHOWN: usize = 10;
/// Characters of a line shown on either side of a fault.
const MAX_CONTEXT: usize = 100;

/// The query's faults, each with its line, carets and hint.
#[must_use]
pub fn render(text: &str, faults: &Diagnostics) -> String {
    let mut out = String::new();
    for fault in faults.list.iter().take(MAX_SHOWN) {
        render_one(text, fault, &mut out);
    }
    if faults.list.len() > MAX_SHOWN {
        let _ = writeln!(out, "and {} more", faults.list.len() - MAX_SHOWN);
    }
    out
}

fn render_one(text: &str, fault: &Diagnostic, out: &mut String) {
    let start = floor_border(text, fault.span.start as usize);
    let end = floor_border(text, fault.span.end as usize).max(start);
    let before = text.get(..start).unwrap_or_default();
    let line_number = before.matches('\n').count() + 1;
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let rest = text.get(start..).unwrap_or_default();
    let line_end = start + rest.find('\n').unwrap_or(rest.len());
    let left: String = {
        let whole: Vec<char> = text.get(line_start..start).unwrap_or_default().chars().collect();
        whole.iter().skip(whole.len().saturating_sub(MAX_CONTEXT)).collect()
    };
    let fault_end = end.min(line_end);
    let middle: String = text.get(start..fault_end).unwrap_or_default().chars().take(MAX_CONTEXT).collect();
    let right: String = text.get(fault_end..line_end).unwrap_or_default().chars().take(MAX_CONTEXT).collect();
    let column = text.get(line_start..start).unwrap_or_default().chars().count() + 1;
    let shown = |part: &str| part.replace(|mark: char| mark.is_control(), " ");
    let _ = writeln!(out, "error: {}", fault.message);
    let _ = writeln!(out, " --> line {line_number}, column {column}");
    let gutter = line_number.to_string();
    let _ = writeln!(out, "{gutter} | {}{}{}", shown(&left), shown(&middle), shown(&right));
    let blank = " ".repeat(gutter.len());
    let carets = "^".repeat(middle.chars().count().max(1));
    let _ = writeln!(out, "{blank} | {}{carets}", " ".repeat(left.chars().count()));
    if let Some(hint) = &fault.hint {
        let _ = writeln!(out, "{blank} = {hint}");
    }
}

/// The nearest character border at or before `at`.
fn floor_border(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_query::span::Span;

    #[test]
    fn carets_stand_under_the_fault() {
        let text = "level=ERROR\n| timechrt(ü)";
        let fault = Diagnostic {
            code: "unknown-function",
            message: "unknown function `timechrt`".to_owned(),
            span: Span::new(14, 22),
            hint: Some("did you mean `timeChart`?".to_owned()),
        };
        let expected = "error: unknown function `timechrt`\n --> line 2, column 3\n2 | | timechrt(ü)\n  |   ^^^^^^^^\n  = did you mean `timeChart`?\n";
        assert_eq!(render(text, &Diagnostics { list: vec![fault] }), expected);
    }

    #[test]
    fn any_span_is_survived() {
        let text = "aä\u{1F600}\nb";
        for start in 0..12 {
            for end in 0..12 {
                let fault = Diagnostic {
                    code: "x",
                    message: "m".to_owned(),
                    span: Span::new(start, end),
                    hint: None,
                };
                assert!(render(text, &Diagnostics { list: vec![fault] }).contains('^'));
            }
        }
    }
}
