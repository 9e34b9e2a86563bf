//! Rows as JSON objects.
//!
//! What columns share is prepared once a table: keys, constants, the distinct values of dictionaries, the pieces between
//! the values of composed texts, and whether anything in a column has to be escaped at all. A row is then a list of
//! short texts to be copied one after another.

use weir_query::record::{Column, Composed, Dictionary, Selection, TextSpan};
use weir_query::result::ResultTable;
use weir_query::value::{Value, ValueRef};

use super::escape::{escaped, is_plain, string};
use super::pen::{Pen, Stamp};

/// The one field that is a number in JSON.
const TIMESTAMP: &str = "@timestamp";
/// Preparing what all rows of a table share pays when at least one in so many is written.
const FEW: usize = 4;

/// Writes rows of one table.
#[derive(Debug)]
pub(super) struct JsonRows<'a> {
    columns: Vec<JsonColumn<'a>>,
    scratch: String,
}

#[derive(Debug)]
struct JsonColumn<'a> {
    /// `","name":`, with the quote that ends the string before it and the one that starts its own, if it is one.
    key: Stamp,
    /// Its values are strings, of which the last quote is written with what follows.
    is_string: bool,
    values: Values<'a>,
}

/// The values of a column. Strings are written without their quotes.
#[derive(Debug)]
enum Values<'a> {
    /// The same in every row, written.
    Written(Stamp),
    /// Strings in which nothing has to be escaped.
    Plain { arena: &'a [u8], spans: &'a [TextSpan] },
    /// Strings.
    Texts { arena: &'a str, spans: &'a [TextSpan] },
    /// The distinct strings of a dictionary, written.
    Coded { codes: &'a [u32], written: Parts },
    /// Strings out of a dictionary.
    Codes { codes: &'a [u32], dictionary: &'a Dictionary },
    /// Integers.
    Ints { values: &'a [i64], present: Option<&'a Selection> },
    /// Strings that are composed.
    Composed(Box<JsonTexts<'a>>),
    /// Anything; [`TIMESTAMP`], where a number is a number.
    Any { column: &'a Column, is_timestamp: bool },
}

/// Texts one behind the other.
#[derive(Debug, Default)]
struct Parts {
    texts: Stamp,
    ends: Vec<u32>,
}

impl Parts {
    /// Where text `at` starts, and how long it is.
    #[inline]
    fn place(&self, at: usize) -> Option<(usize, usize)> {
        let end = *self.ends.get(at)? as usize;
        let start =
            at.checked_sub(1).and_then(|before| self.ends.get(before)).map_or(0, |start| *start as usize);
        Some((start, end.saturating_sub(start)))
    }

    #[inline]
    fn write(&self, at: usize, pen: &mut Pen) -> bool {
        let Some((start, len)) = self.place(at) else { return false };
        pen.stamp(&self.texts, start, len);
        true
    }
}

/// Composed texts, their pieces escaped.
#[derive(Debug)]
struct JsonTexts<'a> {
    codes: &'a [u32],
    /// Of each shape its pieces, constant values among them, and the columns between them.
    shapes: Vec<(Parts, Vec<u32>)>,
    columns: Vec<Values<'a>>,
}

impl<'a> JsonTexts<'a> {
    fn new(composed: &'a Composed, prepare: bool) -> JsonTexts<'a> {
        let columns: Vec<Values<'a>> =
            composed.columns.iter().map(|column| Values::of(column, prepare)).collect();
        let shapes = composed.shapes.iter().map(|shape| {
            let (mut ends, mut holes) = (Vec::new(), Vec::new());
            let mut names = shape.columns.iter();
            let texts = Stamp::of(|pen| {
                for piece in shape.pieces() {
                    escaped(piece.as_bytes(), pen);
                    let Some(name) = names.next() else { break };
                    if let Some(Values::Written(value)) = columns.get(*name as usize) {
                        pen.stamp(value, 0, usize::MAX);
                    } else {
                        ends.push(pen.len() as u32);
                        holes.push(*name);
                    }
                }
                ends.push(pen.len() as u32);
            });
            (Parts { texts, ends }, holes)
        });
        let shapes = shapes.collect();
        JsonTexts { codes: &composed.codes, shapes, columns }
    }

    fn write(&self, row: usize, scratch: &mut String, pen: &mut Pen) -> bool {
        let shape = self.codes.get(row).and_then(|code| self.shapes.get(*code as usize));
        let Some((pieces, holes)) = shape else { return false };
        let mut start = 0;
        let mut holes = holes.iter();
        for end in &pieces.ends {
            let end = *end as usize;
            pen.stamp(&pieces.texts, start, end.saturating_sub(start));
            start = end;
            if let Some(values) = holes.next().and_then(|hole| self.columns.get(*hole as usize)) {
                values.write(row, scratch, pen);
            }
        }
        true
    }
}

impl<'a> Values<'a> {
    /// The values of `column` as strings, prepared for many rows or for few.
    fn of(column: &'a Column, prepare: bool) -> Values<'a> {
        match column {
            Column::Constant { value, .. } => {
                Values::Written(Stamp::of(|pen| escaped(value.borrow().text().as_bytes(), pen)))
            }
            Column::Text(text) if prepare && needs_no_escapes(text.arena.as_bytes()) => {
                Values::Plain { arena: text.arena.as_bytes(), spans: &text.spans }
            }
            Column::Text(text) => Values::Texts { arena: &text.arena, spans: &text.spans },
            Column::Dictionary { codes, dictionary } if prepare && is_short(dictionary, codes.len()) => {
                let mut ends = Vec::with_capacity(dictionary.len());
                let texts = Stamp::of(|pen| {
                    for code in 0..dictionary.len() as u32 {
                        escaped(dictionary.text(code).unwrap_or_default().as_bytes(), pen);
                        ends.push(pen.len() as u32);
                    }
                });
                Values::Coded { codes, written: Parts { texts, ends } }
            }
            Column::Dictionary { codes, dictionary } => Values::Codes { codes, dictionary },
            Column::Ints { values, present } => Values::Ints { values, present: present.as_deref() },
            Column::Unwritten(text) => match text.composed() {
                Some(composed) if prepare => Values::Composed(Box::new(JsonTexts::new(composed, prepare))),
                _ => Values::of_texts(text.written()),
            },
            _ => Values::Any { column, is_timestamp: false },
        }
    }

    fn of_texts(text: &'a weir_query::record::TextColumn) -> Values<'a> {
        Values::Texts { arena: &text.arena, spans: &text.spans }
    }

    /// Appends the value of `row`; false, and nothing, where it has none.
    #[inline]
    fn write(&self, row: usize, scratch: &mut String, pen: &mut Pen) -> bool {
        match self {
            Values::Written(value) => pen.stamp(value, 0, usize::MAX),
            Values::Plain { arena, spans } => {
                let Some(span) = spans.get(row) else { return false };
                let text = arena.get(span.start as usize..).unwrap_or_default();
                // What is missing is longer than any text.
                if span.len as usize > text.len() {
                    return false;
                }
                pen.put_part(text, span.len as usize);
            }
            Values::Texts { arena, spans } => {
                let Some(text) = spans.get(row).and_then(|span| span.of(arena)) else { return false };
                escaped(text.as_bytes(), pen);
            }
            Values::Coded { codes, written } => {
                return codes.get(row).is_some_and(|code| written.write(*code as usize, pen));
            }
            Values::Codes { codes, dictionary } => {
                let Some(text) = codes.get(row).and_then(|code| dictionary.text(*code)) else { return false };
                escaped(text.as_bytes(), pen);
            }
            Values::Ints { values, present } => {
                let there = present.is_none_or(|present| present.contains(row));
                let Some(value) = values.get(row).filter(|_| there) else { return false };
                pen.integer(*value);
            }
            Values::Composed(texts) => return texts.write(row, scratch, pen),
            Values::Any { column, is_timestamp } => {
                let Some(value) = column.get(row) else { return false };
                let text = value.text_in(scratch);
                match is_timestamp {
                    true if is_integer(value, text) => pen.put(text.as_bytes()),
                    true => string(text, pen),
                    false => escaped(text.as_bytes(), pen),
                }
            }
        }
        true
    }
}

/// It has no more values than there are rows, and all of them are texts: to write them ahead pays.
fn is_short(dictionary: &Dictionary, rows: usize) -> bool {
    dictionary.len() <= rows && (0..dictionary.len() as u32).all(|code| dictionary.text(code).is_some())
}

impl<'a> JsonColumn<'a> {
    fn new(name: &str, column: &'a Column, prepare: bool) -> JsonColumn<'a> {
        let is_timestamp = name == TIMESTAMP;
        let is_number = match column {
            Column::Ints { .. } => true,
            Column::Constant { value, .. } => matches!(value, Value::Int(_)),
            _ => false,
        };
        let values = match is_timestamp && !is_number {
            true => Values::Any { column, is_timestamp },
            false => Values::of(column, prepare),
        };
        let key = Stamp::of(|pen| {
            pen.put(b"\",");
            string(name, pen);
            pen.byte(b':');
            if !is_timestamp {
                pen.byte(b'"');
            }
        });
        JsonColumn { key, is_string: !is_timestamp, values }
    }
}

impl<'a> JsonRows<'a> {
    /// For `rows` rows of `table`, or about as many.
    pub(super) fn new(table: &'a ResultTable, rows: usize) -> JsonRows<'a> {
        let prepare = rows >= table.rows / FEW;
        let there = table.columns.iter().filter(|(_, column)| !matches!(column, Column::Missing { .. }));
        let columns = there.map(|(name, column)| JsonColumn::new(name, column, prepare)).collect();
        JsonRows { columns, scratch: String::new() }
    }

    /// Appends row `row`, which is one of the table's, as one object.
    pub(super) fn write(&mut self, row: usize, pen: &mut Pen) {
        let start = pen.len();
        let mut in_string = false;
        for column in &self.columns {
            let before = pen.len();
            pen.stamp(&column.key, usize::from(!in_string), usize::MAX);
            if column.values.write(row, &mut self.scratch, pen) {
                in_string = column.is_string;
            } else {
                pen.back(before);
            }
        }
        if in_string {
            pen.byte(b'"');
        }
        // The first key's comma becomes the brace.
        match pen.len() > start {
            true => pen.set(start, b'{'),
            false => pen.byte(b'{'),
        }
        pen.byte(b'}');
    }
}

/// As [`is_plain`], for texts so long that it is worth to stop early.
fn needs_no_escapes(text: &[u8]) -> bool {
    text.chunks(4096).all(is_plain)
}

fn is_integer(value: ValueRef<'_>, text: &str) -> bool {
    matches!(value, ValueRef::Int(_)) || text.parse::<i64>().is_ok_and(|number| number.to_string() == text)
}

/// Appends the rows `rows` of `table` as one JSON array.
pub fn write_events(table: &ResultTable, rows: impl Iterator<Item = usize>, out: &mut Vec<u8>) {
    let mut writer = JsonRows::new(table, rows.size_hint().1.unwrap_or(table.rows));
    let mut pen = Pen::take(out);
    pen.byte(b'[');
    for (at, row) in rows.enumerate() {
        if at > 0 {
            pen.byte(b',');
        }
        writer.write(row, &mut pen);
    }
    pen.byte(b']');
    pen.leave(out);
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;
    use weir_query::record::{ColumnBuilder, Shape, TextColumn, UnwrittenText};
    use weir_query::value::Value;

    use super::*;
    use crate::encode::escape::tests::any_text;

    /// A column of values, some of them missing, in one of the forms a holder may have.
    fn any_column() -> impl Strategy<Value = Column> {
        let texts = || prop::collection::vec(prop::option::of(any_text()), ROWS);
        let built = |values: Vec<Option<String>>| {
            let mut column = ColumnBuilder::default();
            values.iter().for_each(|value| column.push(value.as_deref().map(ValueRef::Text)));
            column
        };
        prop_oneof![
            texts().prop_map(move |values| built(values).finish()),
            texts().prop_map(move |values| Column::Dictionary {
                codes: (0..ROWS as u32).rev().collect(),
                dictionary: Arc::new(built(values).finish_dictionary()),
            }),
            prop::collection::vec(prop::option::of(any::<i64>()), ROWS).prop_map(|values| {
                let mut column = ColumnBuilder::default();
                values.iter().for_each(|value| column.push(value.map(ValueRef::Int)));
                column.finish()
            }),
            any::<f64>().prop_map(|value| Column::Constant { value: Value::Float(value), rows: ROWS }),
            any_text().prop_map(|text| Column::constant(&text, ROWS)),
            Just(Column::Missing { rows: ROWS }),
            Just(Column::Text(TextColumn {
                arena: Arc::new("1721000000123-5 007".to_owned()),
                spans: [(0, 13), (13, 2), (16, 3), (0, 0)].map(|(start, len)| TextSpan { start, len }).into(),
            })),
        ]
    }

    /// A column as those of [`any_column`], or one of texts composed of such.
    fn any_column_or_composed() -> impl Strategy<Value = Column> {
        let pieces = prop::collection::vec(any_text(), 3);
        let composed = (prop::collection::vec(any_column(), 2), pieces, any_text()).prop_map(
            |(columns, pieces, whole)| {
                let ends: Vec<u32> = vec![pieces[0].len() as u32, (pieces[0].len() + pieces[1].len()) as u32];
                let shapes = vec![
                    Shape { literal: pieces.concat(), ends, columns: vec![1, 0] },
                    Shape { literal: whole, ends: Vec::new(), columns: Vec::new() },
                ];
                let codes = (0..ROWS as u32).map(|row| row % 3 % 2).collect();
                Column::Unwritten(UnwrittenText::new(Arc::new(Composed { shapes, codes, columns })))
            },
        );
        prop_oneof![3 => any_column(), 1 => composed]
    }

    const ROWS: usize = 4;

    proptest! {
        /// What serde reads back is what the columns say: strings, and a timestamp that is an integer.
        #[test]
        fn rows_read_back(columns in prop::collection::vec(any_column_or_composed(), 0..5)) {
            let names = ["@timestamp", "a\"b", "", "ü", "n"];
            let columns: Vec<_> =
                names.iter().zip(columns).map(|(name, column)| (Arc::from(*name), column)).collect();
            let table = ResultTable { rows: ROWS, columns, ..ResultTable::default() };
            let mut out = Vec::new();
            write_events(&table, 0..ROWS, &mut out);
            let expected: Vec<serde_json::Map<String, serde_json::Value>> = (0..ROWS)
                .map(|row| {
                    let fields = table.columns.iter().filter_map(|(name, column)| {
                        let text = column.get(row)?.text().into_owned();
                        let number = text.parse::<i64>().ok().filter(|number| number.to_string() == text);
                        let value = match number.filter(|_| &**name == TIMESTAMP) {
                            Some(number) => number.into(),
                            None => text.into(),
                        };
                        Some((name.to_string(), value))
                    });
                    fields.collect()
                })
                .collect();
            let found: Vec<serde_json::Map<String, serde_json::Value>> = serde_json::from_slice(&out).unwrap();
            prop_assert_eq!(found, expected);
            // Prepared for many rows and for few, they are the same.
            let mut pen = Pen::default();
            (0..ROWS).for_each(|row| {
                pen.byte(if row == 0 { b'[' } else { b',' });
                JsonRows::new(&table, 0).write(row, &mut pen);
            });
            pen.byte(b']');
            let mut few = Vec::new();
            pen.leave(&mut few);
            prop_assert_eq!(String::from_utf8(few), String::from_utf8(out));
        }
    }
}
