//! The values of one field over the rows of a batch.

use std::sync::{Arc, OnceLock};

use crate::record::{Composed, Numbered, Selection};
use crate::value::{Value, ValueRef, hash_text};

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
    /// Text that is not written yet: every row has one.
    Unwritten(UnwrittenText),
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

impl TextColumn {
    /// The text in `row`; `None` when it is missing.
    #[inline]
    #[must_use]
    pub fn get(&self, row: usize) -> Option<&str> {
        self.spans.get(row)?.of(&self.arena)
    }
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
    #[inline]
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
    arena: String,
    /// A span a code.
    spans: Vec<TextSpan>,
    hashes: OnceLock<Box<[u64]>>,
    numbered: OnceLock<Option<Numbered>>,
}

impl Dictionary {
    /// The code of a missing value.
    pub const MISSING: u32 = u32::MAX;

    /// The dictionary of `spans` in `arena`, a code each.
    #[must_use]
    pub fn new(arena: String, spans: Vec<TextSpan>) -> Dictionary {
        Dictionary { arena, spans, hashes: OnceLock::new(), numbered: OnceLock::new() }
    }

    /// Adds a text, which must not be in it yet, and tells its code.
    pub fn push(&mut self, text: &str) -> u32 {
        let code = self.spans.len() as u32;
        let start = self.arena.len() as u32;
        self.arena.push_str(text);
        self.spans.push(TextSpan { start, len: text.len() as u32 });
        self.hashes = OnceLock::new();
        self.numbered = OnceLock::new();
        code
    }

    /// The text of `code`; `None` for [`Dictionary::MISSING`] and unknown codes.
    #[inline]
    #[must_use]
    pub fn text(&self, code: u32) -> Option<&str> {
        self.spans.get(code as usize)?.of(&self.arena)
    }

    /// The texts of `codes`, a slot each, as spans into a copy of all texts there are.
    #[must_use]
    pub fn texts_of(&self, codes: &[u32]) -> TextColumn {
        let span = |code: &u32| self.spans.get(*code as usize).copied().unwrap_or(TextSpan::MISSING);
        TextColumn { arena: Arc::new(self.arena.clone()), spans: codes.iter().map(span).collect() }
    }

    /// The [`hash_text`] of each text; 0 for codes that have none. Computed once for as long as the dictionary
    /// lives, which is as long as the block that it belongs to is kept open.
    #[must_use]
    pub fn hashes(&self) -> &[u64] {
        let hash = |span: &TextSpan| span.of(&self.arena).map_or(0, hash_text);
        self.hashes.get_or_init(|| self.spans.iter().map(hash).collect())
    }

    /// The numbers that the texts differ in, where they do in nothing else. Computed once, as the hashes are.
    #[must_use]
    pub fn numbered(&self) -> Option<&Numbered> {
        let texts = self.spans.iter().map(|span| span.of(&self.arena));
        self.numbered.get_or_init(|| Numbered::of(texts)).as_ref()
    }

    /// How many codes there are.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// There are no codes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// Bytes of memory held, an upper estimate, hashes and numbers included.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.arena.capacity()
            + self.spans.len() * (size_of::<TextSpan>() + size_of::<u64>() + size_of::<u32>())
    }
}

/// Texts that their holder keeps in another form, a row each, and writes only when somebody looks at them.
#[derive(Clone)]
pub struct UnwrittenText {
    texts: Arc<dyn Unwritten>,
    written: Arc<OnceLock<TextColumn>>,
}

/// What stands behind an [`UnwrittenText`].
pub trait Unwritten: Send + Sync {
    /// How many rows; each has a text.
    fn rows(&self) -> usize;

    /// All texts.
    fn write(&self) -> TextColumn;

    /// Puts the [`hash_text`] of the texts from row `first` on into `hashes`, as far as there are both.
    fn hash(&self, first: usize, hashes: &mut [u64]);

    /// Bytes of memory that it takes, an upper estimate, not written.
    fn bytes(&self) -> usize;

    /// What the texts are composed of, where they are.
    fn composed(&self) -> Option<&Composed> {
        None
    }
}

impl UnwrittenText {
    /// The texts that `texts` holds.
    #[must_use]
    pub fn new(texts: Arc<dyn Unwritten>) -> UnwrittenText {
        UnwrittenText { texts, written: Arc::default() }
    }

    /// How many rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.texts.rows()
    }

    /// The texts, written at the first call.
    #[must_use]
    pub fn written(&self) -> &TextColumn {
        self.written.get_or_init(|| self.texts.write())
    }

    /// As [`Unwritten::composed`].
    #[must_use]
    pub fn composed(&self) -> Option<&Composed> {
        self.texts.composed()
    }

    /// Bytes of memory held, an upper estimate, with the texts if they are written.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let written = self.written.get().cloned().map(Column::Text);
        self.texts.bytes() + written.map_or(0, |written| written.bytes())
    }

    /// As [`Unwritten::hash`].
    pub fn hash(&self, first: usize, hashes: &mut [u64]) {
        self.texts.hash(first, hashes);
    }
}

impl std::fmt::Debug for UnwrittenText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.written().fmt(f)
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
            Column::Unwritten(text) => text.rows(),
            Column::Dictionary { codes, .. } => codes.len(),
        }
    }

    /// There are no rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The same column with its texts written, for whoever looks at most of them.
    #[must_use]
    pub fn written(self) -> Column {
        match self {
            Column::Unwritten(text) => Column::Text(text.written().clone()),
            written => written,
        }
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
            Column::Text(text) => text.get(row).map(ValueRef::Text),
            Column::Unwritten(text) => text.written().get(row).map(ValueRef::Text),
            Column::Dictionary { codes, dictionary } => dictionary.text(*codes.get(row)?).map(ValueRef::Text),
        }
    }
}
