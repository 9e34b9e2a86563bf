//! The values of one field over the rows of a batch.

use std::sync::Arc;

use crate::record::Selection;
use crate::value::{Value, ValueRef};

/// The values of one field, one slot a row. A slot may be missing; values are text or numbers by how they are
/// held, never by what they mean (see [`crate::value`]). Cloning is cheap: the data is shared.
#[derive(Clone, Debug)]
pub enum Column {
    /// No row has the field.
    Missing {
        /// How many rows.
        rows: usize,
    },
    /// Every row has the same value.
    Constant {
        /// The value.
        value: Value,
        /// How many rows.
        rows: usize,
    },
    /// Integers whose text is their plain decimal form.
    Ints {
        /// A slot a row.
        values: Arc<[i64]>,
        /// The rows that have a value; `None`: all.
        present: Option<Arc<Selection>>,
    },
    /// Numbers whose text is their shortest round-trip form.
    Floats {
        /// A slot a row.
        values: Arc<[f64]>,
        /// The rows that have a value; `None`: all.
        present: Option<Arc<Selection>>,
    },
    /// Text, as spans into a shared arena.
    Text(TextColumn),
    /// A code a row into a dictionary of distinct texts.
    Dictionary {
        /// A slot a row; [`Dictionary::MISSING`] where the row has none.
        codes: Arc<[u32]>,
        /// The distinct texts.
        dictionary: Arc<Dictionary>,
    },
}

/// Text values as spans into one shared string: no allocation a value.
#[derive(Clone, Debug)]
pub struct TextColumn {
    /// The bytes all spans point into.
    pub arena: Arc<String>,
    /// A span a row.
    pub spans: Arc<[TextSpan]>,
}

/// `len` bytes from `start` of an arena; [`TextSpan::MISSING`] is no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TextSpan {
    /// First byte.
    pub start: u32,
    /// Bytes; `u32::MAX` marks a missing value.
    pub len: u32,
}

impl TextSpan {
    /// No value.
    pub const MISSING: TextSpan = TextSpan { start: 0, len: u32::MAX };

    /// The text in `arena`; `None` when missing or out of range.
    #[must_use]
    pub fn of(self, arena: &str) -> Option<&str> {
        if self.len == u32::MAX {
            return None;
        }
        let start = self.start as usize;
        arena.get(start..start + self.len as usize)
    }
}

/// Distinct texts, by code.
#[derive(Clone, Debug, Default)]
pub struct Dictionary {
    /// All texts, end to end.
    pub arena: String,
    /// A span a code.
    pub spans: Vec<TextSpan>,
}

impl Dictionary {
    /// The code of a missing value.
    pub const MISSING: u32 = u32::MAX;

    /// The text of `code`; `None` for [`Dictionary::MISSING`] and unknown codes.
    #[must_use]
    pub fn text(&self, code: u32) -> Option<&str> {
        self.spans.get(code as usize)?.of(&self.arena)
    }

    /// How many codes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// There are no codes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }
}

impl Column {
    /// How many rows.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Column::Missing { rows } | Column::Constant { rows, .. } => *rows,
            Column::Ints { values, .. } => values.len(),
            Column::Floats { values, .. } => values.len(),
            Column::Text(text) => text.spans.len(),
            Column::Dictionary { codes, .. } => codes.len(),
        }
    }

    /// There are no rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value in `row`; `None` when it is missing or the row is out of range.
    #[must_use]
    pub fn get(&self, row: usize) -> Option<ValueRef<'_>> {
        let has = |present: &Option<Arc<Selection>>| present.as_ref().is_none_or(|rows| rows.contains(row));
        match self {
            Column::Missing { .. } => None,
            Column::Constant { value, rows } => (row < *rows).then(|| value.borrow()),
            Column::Ints { values, present } => {
                values.get(row).filter(|_| has(present)).map(|value| ValueRef::Int(*value))
            }
            Column::Floats { values, present } => {
                values.get(row).filter(|_| has(present)).map(|value| ValueRef::Float(*value))
            }
            Column::Text(text) => text.spans.get(row)?.of(&text.arena).map(ValueRef::Text),
            Column::Dictionary { codes, dictionary } => dictionary.text(*codes.get(row)?).map(ValueRef::Text),
        }
    }
}
