//! Rows as JSON objects.
//!
//! What a column needs is prepared once a table: its key, its constant, which of its values are numbers. A row is then
//! a key and a value after another, each copied whole where it has nothing to escape.

use weir_query::record::{Column, Dictionary, Selection, TextSpan};
use weir_query::result::ResultTable;
use weir_query::value::ValueRef;

/// The one field that is a number in JSON.
const TIMESTAMP: &str = "@timestamp";
/// Bytes looked at together.
const CHUNK: usize = 16;
/// Bytes escaped together.
const WORD: usize = 8;
/// Room for a word escaped, and for what is written too much.
const MADE: usize = 3 * WORD;
/// What stands behind the backslash for a byte: 0 where the byte stands for itself, `u` where it is spelled out.
#[allow(clippy::indexing_slicing, reason = "evaluated at compile time")]
const ESCAPES: [u8; 256] = {
    let mut escapes = [0; 256];
    let mut byte = 0;
    while byte < 0x20 {
        escapes[byte] = b'u';
        byte += 1;
    }
    escapes[b'\n' as usize] = b'n';
    escapes[b'\r' as usize] = b'r';
    escapes[b'\t' as usize] = b't';
    escapes[b'"' as usize] = b'"';
    escapes[b'\\' as usize] = b'\\';
    escapes
};

/// Appends `text` as a JSON string.
pub fn write_string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    write_escaped(text.as_bytes(), out);
    out.push(b'"');
}

/// Appends what stands between the quotes of a JSON string.
fn write_escaped(text: &[u8], out: &mut Vec<u8>) {
    let (chunks, rest) = text.as_chunks::<CHUNK>();
    let plain = chunks.iter().take_while(|chunk| is_plain(*chunk)).count();
    if plain == chunks.len() && is_plain(rest) {
        return out.extend_from_slice(text);
    }
    let (before, rest) = text.split_at_checked(plain * CHUNK).unwrap_or_default();
    out.extend_from_slice(before);
    let (words, rest) = rest.as_chunks::<WORD>();
    out.reserve(words.len() * WORD * 5 / 4 + MADE);
    for word in words {
        escape(*word, WORD, out);
    }
    let mut last = [b' '; WORD];
    last.iter_mut().zip(rest).for_each(|(into, byte)| *into = *byte);
    escape(last, rest.len(), out);
}

/// No byte needs an escape. Without an exit in the middle, so that it is done for many bytes at once.
#[inline]
fn is_plain(text: &[u8]) -> bool {
    let special = |byte: &u8| *byte < 0x20 || *byte == b'"' || *byte == b'\\';
    !text.iter().fold(false, |any, byte| any | special(byte))
}

/// The highest bit of each byte of `word` that needs an escape, first byte lowest; after the zero-byte tests of Warren,
/// Hacker's Delight, section 6-1, which are exact.
#[inline]
fn specials(word: u64) -> u64 {
    const EACH: u64 = u64::from_ne_bytes([1; WORD]);
    const LOW: u64 = EACH * 0x7f;
    let equal = |byte: u8| {
        let other = word ^ (EACH * u64::from(byte));
        !(((other & LOW) + LOW) | other | LOW)
    };
    // Below 32 neither the sum nor the byte itself has its highest bit set.
    let control = !(((word & LOW) + EACH * 0x60) | word) & !LOW;
    equal(b'"') | equal(b'\\') | control
}

/// Escapes the first `count` bytes of `word`; the others are plain. Where escapes are as frequent as in JSON inside of
/// JSON, what stands before one is not copied byte by byte: all that is left is written, and written over from behind
/// the escape on.
#[inline]
fn escape(word: [u8; WORD], count: usize, out: &mut Vec<u8>) {
    let mut left = u64::from_le_bytes(word);
    let mut special = specials(left);
    let (mut made, mut len, mut done) = ([0u8; MADE], 0, 0);
    while special != 0 {
        let plain = special.trailing_zeros() / 8;
        put(&mut made, len, left);
        len += plain as usize;
        left >>= 8 * plain;
        let byte = left as u8;
        let letter = ESCAPES.get(usize::from(byte)).copied().unwrap_or_default();
        if letter == b'u' {
            return spell(word.get(..count).unwrap_or_default(), out);
        }
        put(&mut made, len, u64::from_le_bytes([b'\\', letter, 0, 0, 0, 0, 0, 0]));
        len += 2;
        left >>= 8;
        special = special >> (8 * plain) >> 8;
        done += plain as usize + 1;
    }
    put(&mut made, len, left);
    let end = out.len() + len + count - done;
    out.extend_from_slice(made.first_chunk::<{ 2 * WORD }>().unwrap_or(&[0; 2 * WORD]));
    out.truncate(end);
}

/// Puts a word at `at`, at most twice its length.
#[inline]
#[allow(clippy::indexing_slicing, reason = "a word behind the greatest place is inside")]
fn put(made: &mut [u8; MADE], at: usize, word: u64) {
    made[at.min(2 * WORD)..][..WORD].copy_from_slice(&word.to_le_bytes());
}

/// As [`escape`], byte by byte, where some have to be spelled out.
#[cold]
fn spell(text: &[u8], out: &mut Vec<u8>) {
    for byte in text {
        match ESCAPES.get(usize::from(*byte)) {
            None | Some(0) => out.push(*byte),
            Some(b'u') => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            Some(letter) => out.extend_from_slice(&[b'\\', *letter]),
        }
    }
}

/// Writes rows of one table.
#[derive(Debug)]
pub(super) struct JsonRows<'a> {
    columns: Vec<JsonColumn<'a>>,
    scratch: String,
}

#[derive(Debug)]
struct JsonColumn<'a> {
    /// `,"name":`, and the quote of a string where every value is one.
    key: Vec<u8>,
    values: Values<'a>,
}

#[derive(Debug)]
enum Values<'a> {
    /// The value of every row, written.
    Written(Vec<u8>),
    /// Strings.
    Texts { arena: &'a str, spans: &'a [TextSpan] },
    /// Strings out of a dictionary.
    Codes { codes: &'a [u32], dictionary: &'a Dictionary },
    /// Numbers, written as strings.
    Ints { values: &'a [i64], present: Option<&'a Selection> },
    /// Anything; [`TIMESTAMP`], where a number is a number.
    Any { column: &'a Column, is_timestamp: bool },
}

impl<'a> JsonColumn<'a> {
    fn new(name: &str, column: &'a Column) -> JsonColumn<'a> {
        let is_timestamp = name == TIMESTAMP;
        let values = match column {
            Column::Constant { value, .. } => {
                let mut written = Vec::new();
                write_value(value.borrow(), is_timestamp, &mut String::new(), &mut written);
                Values::Written(written)
            }
            Column::Text(text) if !is_timestamp => Values::Texts { arena: &text.arena, spans: &text.spans },
            Column::Dictionary { codes, dictionary } if !is_timestamp => Values::Codes { codes, dictionary },
            Column::Ints { values, present } if !is_timestamp => {
                Values::Ints { values, present: present.as_deref() }
            }
            _ => Values::Any { column, is_timestamp },
        };
        let mut key = Vec::with_capacity(name.len() + 5);
        key.push(b',');
        write_string(name, &mut key);
        key.push(b':');
        if !matches!(values, Values::Written(_) | Values::Any { .. }) {
            key.push(b'"');
        }
        JsonColumn { key, values }
    }

    /// Appends the key and the value of `row`, if it has one.
    #[inline]
    fn write(&self, row: usize, scratch: &mut String, out: &mut Vec<u8>) {
        match &self.values {
            Values::Written(value) => {
                out.extend_from_slice(&self.key);
                out.extend_from_slice(value);
            }
            Values::Texts { arena, spans } => {
                let text = spans.get(row).and_then(|span| span.of(arena));
                self.write_text(text, out);
            }
            Values::Codes { codes, dictionary } => {
                let text = codes.get(row).and_then(|code| dictionary.text(*code));
                self.write_text(text, out);
            }
            Values::Ints { values, present } => {
                let Some(value) = values.get(row) else { return };
                if present.is_none_or(|present| present.contains(row)) {
                    out.extend_from_slice(&self.key);
                    out.extend_from_slice(ValueRef::Int(*value).text_in(scratch).as_bytes());
                    out.push(b'"');
                }
            }
            Values::Any { column, is_timestamp } => {
                if let Some(value) = column.get(row) {
                    out.extend_from_slice(&self.key);
                    write_value(value, *is_timestamp, scratch, out);
                }
            }
        }
    }

    #[inline]
    fn write_text(&self, text: Option<&str>, out: &mut Vec<u8>) {
        let Some(text) = text else { return };
        out.extend_from_slice(&self.key);
        write_escaped(text.as_bytes(), out);
        out.push(b'"');
    }
}

fn write_value(value: ValueRef<'_>, is_timestamp: bool, scratch: &mut String, out: &mut Vec<u8>) {
    let text = value.text_in(scratch);
    if is_timestamp && is_integer(value, text) {
        out.extend_from_slice(text.as_bytes());
    } else {
        write_string(text, out);
    }
}

impl<'a> JsonRows<'a> {
    pub(super) fn new(table: &'a ResultTable) -> JsonRows<'a> {
        let there = table.columns.iter().filter(|(_, column)| !matches!(column, Column::Missing { .. }));
        let columns = there.map(|(name, column)| JsonColumn::new(name, column)).collect();
        JsonRows { columns, scratch: String::new() }
    }

    /// Appends row `row`, which is one of the table's, as one object.
    pub(super) fn write(&mut self, row: usize, out: &mut Vec<u8>) {
        let start = out.len();
        for column in &self.columns {
            column.write(row, &mut self.scratch, out);
        }
        // The first key's comma becomes the brace.
        match out.get_mut(start) {
            Some(comma) => *comma = b'{',
            None => out.push(b'{'),
        }
        out.push(b'}');
    }
}

fn is_integer(value: ValueRef<'_>, text: &str) -> bool {
    matches!(value, ValueRef::Int(_)) || text.parse::<i64>().is_ok_and(|number| number.to_string() == text)
}

/// Appends the rows `rows` of `table` as one JSON array.
pub fn write_events(table: &ResultTable, rows: impl Iterator<Item = usize>, out: &mut Vec<u8>) {
    let mut writer = JsonRows::new(table);
    out.push(b'[');
    for (at, row) in rows.enumerate() {
        if at > 0 {
            out.push(b',');
        }
        writer.write(row, out);
    }
    out.push(b']');
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;
    use weir_query::record::{ColumnBuilder, TextColumn};
    use weir_query::value::Value;

    use super::*;

    /// The plain way to write a string: character by character, as this module's first version did.
    fn slow_string(text: &str) -> String {
        let escaped = |letter: char| match letter {
            '"' => "\\\"".to_owned(),
            '\\' => "\\\\".to_owned(),
            '\n' => "\\n".to_owned(),
            '\r' => "\\r".to_owned(),
            '\t' => "\\t".to_owned(),
            '\0'..='\x1f' => format!("\\u{:04x}", letter as u32),
            plain => plain.to_string(),
        };
        format!("\"{}\"", text.chars().map(escaped).collect::<String>())
    }

    fn any_text() -> impl Strategy<Value = String> {
        prop_oneof!["\\PC*", "[\\x00-\\x7f]*", "[a-z0-9 ]{0,80}", "(\"[a-z]{0,9}\":[0-9]{1,4},){0,20}"]
    }

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

    const ROWS: usize = 4;

    #[test]
    fn words_of_escapes_alone_are_escaped() {
        for text in ["\"".repeat(23), "\\\"\n\t\r".repeat(9), "a\"".repeat(20), "\u{1}\"".repeat(9)] {
            for end in 0..=text.len() {
                let (text, mut out) = (text.get(..end).unwrap(), Vec::new());
                write_string(text, &mut out);
                assert_eq!(std::str::from_utf8(&out).unwrap(), slow_string(text));
            }
        }
    }

    proptest! {
        #[test]
        fn strings_read_back(text in any_text()) {
            let mut out = Vec::new();
            write_string(&text, &mut out);
            prop_assert_eq!(std::str::from_utf8(&out).unwrap(), slow_string(&text));
            prop_assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
        }

        /// What serde reads back is what the columns say: strings, and a timestamp that is an integer.
        #[test]
        fn rows_read_back(columns in prop::collection::vec(any_column(), 0..5)) {
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
        }
    }
}
