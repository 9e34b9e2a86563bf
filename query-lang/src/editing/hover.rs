//! What something in a query is.

use super::catalogue::{Catalogue, FieldFact};
use super::complete::{columns, seen, shown};
use super::position::Range;
use super::scan::{Scan, Touched, scan, unquoted};
use super::wanted::{Called, Texts, Wanted, texts_of};
use crate::error::MAX_QUERY_BYTES;
use crate::functions::{self, Kind, Signature};
use crate::lexer::words;
use crate::reference::usage;
use crate::span::Span;

/// What something in a query is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hover {
    /// What kind of thing.
    pub subject: Subject,
    /// Where it stands.
    pub range: Range,
    /// One line: a signature, a name.
    pub title: String,
    /// What is known of it, a line each.
    pub lines: Vec<String>,
}

/// What can be hovered over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A function.
    Function,
    /// A parameter of one.
    Parameter,
    /// A field.
    Field,
    /// A value of one.
    Value,
    /// A saved query.
    SavedQuery,
    /// A lookup table.
    Table,
}

impl Subject {
    /// A stable word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Subject::Function => "function",
            Subject::Parameter => "parameter",
            Subject::Field => "field",
            Subject::Value => "value",
            Subject::SavedQuery => "saved-query",
            Subject::Table => "table",
        }
    }
}

/// What stands at byte `offset` of `text`, which may be broken; `None` where nothing does that has a name, or nothing
/// is known of it.
#[must_use]
pub fn hover(text: &str, offset: usize, catalogue: &dyn Catalogue) -> Option<Hover> {
    if text.len() > MAX_QUERY_BYTES || offset > text.len() {
        return None;
    }
    let cursor = text.floor_char_boundary(offset);
    let first = scan(text, cursor);
    // At the very start of a word the cursor touches nothing yet: one character further on it does.
    let found = match first.touched {
        Touched::Nothing => {
            let next = text.get(cursor..)?.chars().next()?;
            scan(text, cursor + next.len_utf8())
        }
        _ => first,
    };
    let looking = Looking { text, scan: &found, catalogue };
    let (subject, title, lines, span) = looking.look()?;
    Some(Hover { subject, range: Range::of(text, span), title, lines })
}

type Found = (Subject, String, Vec<String>, Span);

struct Looking<'a> {
    text: &'a str,
    scan: &'a Scan<'a>,
    catalogue: &'a dyn Catalogue,
}

impl Looking<'_> {
    fn look(&self) -> Option<Found> {
        let span = match self.scan.touched {
            Touched::Word(span) | Touched::Saved(span) | Touched::Text(span, true) => span,
            _ => return None,
        };
        let written = self.text.get(span.range())?;
        let name = unquoted(written.strip_prefix('$').unwrap_or(written));
        let after = self.text.get(span.range().end..).unwrap_or("");
        let wanted = Wanted::of(self.scan);
        let is_word = matches!(self.scan.touched, Touched::Word(_));
        if matches!(self.scan.touched, Touched::Saved(_)) {
            let text = self.catalogue.saved().get(name).cloned()?;
            let lines = vec![format!("`{}`", shown(&text))];
            return Some((Subject::SavedQuery, format!("${written}").replace("$$", "$"), lines, span));
        }
        let calls =
            after.starts_with('(') || words::is_spaced_call(name) && after.trim_start().starts_with('(');
        if is_word && calls {
            let signature = functions::find(name)?;
            return Some((Subject::Function, usage::call(signature), lines_of(signature), span));
        }
        let assigned = after.trim_start().starts_with('=') && !after.trim_start().starts_with("==");
        if let (Wanted::Argument(called, _), true) = (wanted, assigned) {
            return self.parameter(called, name, span);
        }
        match wanted {
            Wanted::Step(_) | Wanted::Condition | Wanted::Next | Wanted::Operand | Wanted::Assigned => {
                self.field(name, span)
            }
            Wanted::Value(field) | Wanted::Guard(field) => {
                let fact = self.catalogue.values(field).into_iter().find(|fact| fact.value == name)?;
                let lines = vec![format!("a value of `{field}`, in {} events", fact.events)];
                Some((Subject::Value, name.to_owned(), lines, span))
            }
            Wanted::Argument(called, Some(parameter)) | Wanted::ParameterValue(called, parameter) => {
                match parameter.kind {
                    Kind::Table | Kind::Tables | Kind::Database => self.table(name, span),
                    Kind::Aggregates => {
                        let signature = functions::find(name)?;
                        Some((Subject::Function, usage::call(signature), lines_of(signature), span))
                    }
                    Kind::Expression | Kind::Expressions => self.field(name, span),
                    _ if texts_of(called.signature, parameter) == Texts::Fields => self.field(name, span),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    fn parameter(&self, called: Called<'_>, name: &str, span: Span) -> Option<Found> {
        let parameter = called.parameter(name)?;
        let title = format!("{}({}={})", called.signature.name, parameter.name, usage::kind(parameter.kind));
        Some((Subject::Parameter, title, vec![usage::parameter(parameter)], span))
    }

    fn field(&self, name: &str, span: Span) -> Option<Found> {
        let fact: Option<FieldFact> = self.catalogue.fields().into_iter().find(|fact| fact.name == name);
        let line = match fact {
            _ if self.scan.made.contains(name) => "a field that this query makes".to_owned(),
            Some(fact) => format!("a field: {}", seen(&fact)),
            None => return None,
        };
        Some((Subject::Field, name.to_owned(), vec![line], span))
    }

    fn table(&self, name: &str, span: Span) -> Option<Found> {
        if self.scan.tables.contains(&name) {
            let line = "a table that this query defines".to_owned();
            return Some((Subject::Table, name.to_owned(), vec![line], span));
        }
        let tables = self.catalogue.tables();
        let table = tables.get(name)?;
        Some((Subject::Table, name.to_owned(), vec![format!("a lookup table, {}", columns(table))], span))
    }
}

/// What a function does, takes and gives.
fn lines_of(signature: &Signature) -> Vec<String> {
    let mut lines = vec![signature.doc.to_owned()];
    lines.extend(signature.parameters.iter().map(|one| format!("`{}`: {}", one.name, usage::parameter(one))));
    lines.push(usage::gives(signature));
    lines
}
