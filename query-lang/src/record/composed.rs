//! Texts composed of literal pieces and of values that columns hold: what lines of JSON are once their fields are
//! columns.
//!
//! Whoever writes such texts in another form can prepare what rows share, and need not look for the values in them.

use std::sync::Arc;

use super::{Column, TextColumn, TextSpan, Unwritten};
use crate::value::hash_text;

/// What rows of one kind share: pieces with values between them; there is one piece more than values.
#[derive(Clone, Debug, Default)]
pub struct Shape {
    /// The pieces, end to end.
    pub literal: String,
    /// Where the piece before each value ends.
    pub ends: Vec<u32>,
    /// The column of each value.
    pub columns: Vec<u32>,
}

impl Shape {
    /// The pieces in order.
    pub fn pieces(&self) -> impl Iterator<Item = &str> {
        let mut start = 0;
        self.ends.iter().map(|end| *end as usize).chain([self.literal.len()]).map(move |end| {
            let piece = self.literal.get(start..end).unwrap_or_default();
            start = end;
            piece
        })
    }
}

/// A text a row, composed when somebody looks at it.
#[derive(Clone, Debug, Default)]
pub struct Composed {
    /// The shapes.
    pub shapes: Vec<Shape>,
    /// A shape a row.
    pub codes: Vec<u32>,
    /// The columns that shapes name, with a slot a row; a value that is not there is written as nothing.
    pub columns: Vec<Column>,
}

impl Composed {
    /// Appends the text of `row`.
    fn append(&self, row: usize, scratch: &mut String, out: &mut String) {
        let shape = self.codes.get(row).and_then(|code| self.shapes.get(*code as usize));
        let Some(shape) = shape else { return };
        let mut columns = shape.columns.iter();
        for piece in shape.pieces() {
            out.push_str(piece);
            let column = columns.next().and_then(|column| self.columns.get(*column as usize));
            if let Some(value) = column.and_then(|column| column.get(row)) {
                out.push_str(value.text_in(scratch));
            }
        }
    }
}

impl Unwritten for Composed {
    fn rows(&self) -> usize {
        self.codes.len()
    }

    fn write(&self) -> TextColumn {
        let (mut arena, mut scratch) = (String::with_capacity(self.bytes()), String::new());
        let span = |row| {
            let start = arena.len();
            self.append(row, &mut scratch, &mut arena);
            TextSpan { start: start as u32, len: (arena.len() - start) as u32 }
        };
        let spans = (0..self.codes.len()).map(span).collect();
        TextColumn { arena: Arc::new(arena), spans }
    }

    fn hash(&self, first: usize, hashes: &mut [u64]) {
        let (mut text, mut scratch) = (String::new(), String::new());
        for (row, hash) in (first..self.codes.len()).zip(hashes) {
            text.clear();
            self.append(row, &mut scratch, &mut text);
            *hash = hash_text(&text);
        }
    }

    fn bytes(&self) -> usize {
        let shapes = self.shapes.iter().map(|shape| shape.literal.len() + 8 * shape.ends.len() + 64);
        let columns = self.columns.iter().map(Column::bytes);
        self.codes.len() * size_of::<u32>() + shapes.sum::<usize>() + columns.sum::<usize>()
    }

    fn composed(&self) -> Option<&Composed> {
        Some(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{ColumnBuilder, UnwrittenText};
    use crate::value::ValueRef;

    #[test]
    fn texts_are_pieces_and_values() {
        let mut names = ColumnBuilder::default();
        [Some("ä"), None, Some("")].iter().for_each(|name| names.push(name.map(ValueRef::Text)));
        let ints = Column::Ints { values: [7, -8, 9].into(), present: None };
        let shape = |literal: &str, ends: &[u32], columns: &[u32]| Shape {
            literal: literal.into(),
            ends: ends.into(),
            columns: columns.into(),
        };
        let composed = Composed {
            shapes: vec![shape("<:>", &[1, 2], &[0, 1]), shape("", &[0], &[1])],
            codes: vec![0, 1, 0],
            columns: vec![names.finish(), ints],
        };
        let expected = ["<ä:7>", "-8", "<:9>"];
        let mut hashes = [0; 2];
        composed.hash(1, &mut hashes);
        assert_eq!(hashes, [hash_text(expected[1]), hash_text(expected[2])]);
        let column = Column::Unwritten(UnwrittenText::new(Arc::new(composed)));
        assert!(column.bytes() > 20);
        for (row, text) in expected.iter().enumerate() {
            assert_eq!(column.get(row).map(|value| value.text().into_owned()).as_deref(), Some(*text));
        }
    }
}
