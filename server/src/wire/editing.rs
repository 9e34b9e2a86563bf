//! A query that is being written: what an editor asks, and what it is told.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use weir_query::editing::{Check, Completion, Edit, Fault, Hover, Item, Position, Range};

use super::Argument;

/// Body of `POST …/query/complete`, `…/query/hover` and `…/query/check`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EditedQuery {
    /// CQL, whole or not.
    #[serde(alias = "query")]
    pub query_string: String,
    /// Where the cursor is, UTF-8 bytes from the start; the end of the text where neither is given. Not for `check`.
    pub offset: Option<usize>,
    /// The same in UTF-16 units, as browsers and most editors count.
    pub utf16: Option<usize>,
    /// For `check`: values of `?param`.
    pub arguments: Option<BTreeMap<String, Argument>>,
    /// For `check`: it is to be a standing query.
    pub is_live: Option<bool>,
    /// For `check`: the canonical form is wanted, too.
    pub format: Option<bool>,
}

/// Answer to `POST …/query/complete`.
#[derive(Clone, Debug, Serialize)]
pub struct Completed {
    /// What may stand at the cursor, best first.
    pub items: Vec<CompletedItem>,
    /// There is more: writing on narrows it.
    pub incomplete: bool,
}

/// One thing that may stand at the cursor.
#[derive(Clone, Debug, Serialize)]
pub struct CompletedItem {
    /// What it is called.
    pub label: String,
    /// What it is: `function`, `parameter`, `choice`, `field`, `value`, `table`, `column`, `saved-query`,
    /// `query-parameter` or `keyword`.
    pub kind: &'static str,
    /// What comes into the text.
    pub insert: String,
    /// What it replaces.
    pub replace: TextRange,
    /// One line.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// What it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub documentation: Option<String>,
}

/// A part of a text.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct TextRange {
    /// Its start.
    pub start: TextPosition,
    /// Its end, not inside.
    pub end: TextPosition,
}

/// A place in a text, in every way editors count.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct TextPosition {
    /// UTF-8 bytes from the start.
    pub offset: u32,
    /// UTF-16 units from the start.
    pub utf16: u32,
    /// The line, from 1.
    pub line: u32,
    /// The character of the line, from 1.
    pub column: u32,
}

/// Answer to `POST …/query/hover`.
#[derive(Clone, Debug, Serialize)]
pub struct Hovered {
    /// What stands there; null: nothing that is known.
    pub hover: Option<HoveredThing>,
}

/// What something is.
#[derive(Clone, Debug, Serialize)]
pub struct HoveredThing {
    /// What kind of thing: `function`, `parameter`, `field`, `value`, `saved-query` or `table`.
    pub kind: &'static str,
    /// A signature or a name.
    pub title: String,
    /// What is known of it, Markdown, a line each.
    pub lines: Vec<String>,
    /// Where it stands.
    pub range: TextRange,
}

/// Answer to `POST …/query/check`.
#[derive(Clone, Debug, Serialize)]
pub struct Checked {
    /// It runs.
    pub valid: bool,
    /// What is wrong, in text order.
    pub faults: Vec<CheckedFault>,
    /// The canonical form, where it was asked for and the text parses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub formatted: Option<String>,
}

/// One thing that is wrong.
#[derive(Clone, Debug, Serialize)]
pub struct CheckedFault {
    /// `error` or `warning`.
    pub severity: &'static str,
    /// A stable word for the kind of fault.
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Where.
    pub range: TextRange,
    /// What mends it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<TextEdit>,
}

/// A change of a text.
#[derive(Clone, Debug, Serialize)]
pub struct TextEdit {
    /// What it replaces.
    pub range: TextRange,
    /// What comes there.
    pub text: String,
}

impl From<Position> for TextPosition {
    fn from(place: Position) -> TextPosition {
        TextPosition { offset: place.offset, utf16: place.utf16, line: place.line, column: place.column }
    }
}

impl From<Range> for TextRange {
    fn from(range: Range) -> TextRange {
        TextRange { start: range.start.into(), end: range.end.into() }
    }
}

impl From<Item> for CompletedItem {
    fn from(item: Item) -> CompletedItem {
        CompletedItem {
            label: item.label,
            kind: item.kind.word(),
            insert: item.insert,
            replace: item.replace.into(),
            detail: item.detail,
            documentation: item.documentation,
        }
    }
}

impl From<Completion> for Completed {
    fn from(found: Completion) -> Completed {
        let items = found.items.into_iter().map(CompletedItem::from).collect();
        Completed { items, incomplete: found.is_incomplete }
    }
}

impl From<Hover> for HoveredThing {
    fn from(found: Hover) -> HoveredThing {
        HoveredThing {
            kind: found.subject.word(),
            title: found.title,
            lines: found.lines,
            range: found.range.into(),
        }
    }
}

impl From<Edit> for TextEdit {
    fn from(edit: Edit) -> TextEdit {
        TextEdit { range: edit.range.into(), text: edit.text }
    }
}

impl From<Fault> for CheckedFault {
    fn from(fault: Fault) -> CheckedFault {
        CheckedFault {
            severity: fault.severity.word(),
            code: fault.code,
            message: fault.message,
            hint: fault.hint,
            range: fault.range.into(),
            fix: fault.fix.map(TextEdit::from),
        }
    }
}

impl Checked {
    /// What `check` found, with the canonical form if there is to be one.
    #[must_use]
    pub fn new(check: Check, formatted: Option<String>) -> Checked {
        let valid = check.is_whole();
        Checked { valid, faults: check.faults.into_iter().map(CheckedFault::from).collect(), formatted }
    }
}
