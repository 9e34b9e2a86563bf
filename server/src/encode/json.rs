//! Rows as JSON objects.

use weir_query::result::ResultTable;
use weir_query::value::ValueRef;

/// The one field that is a number in JSON.
const TIMESTAMP: &str = "@timestamp";

/// Appends `text` as a JSON string.
pub fn write_string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    let mut rest = text.as_bytes();
    while let Some(at) = rest.iter().position(|byte| *byte < 0x20 || *byte == b'"' || *byte == b'\\') {
        let (plain, special) = rest.split_at(at);
        out.extend_from_slice(plain);
        let Some((byte, left)) = special.split_first() else { break };
        rest = left;
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            control => out.extend_from_slice(format!("\\u{control:04x}").as_bytes()),
        }
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

/// Writes rows of one table: the names are escaped once.
#[derive(Debug)]
pub(super) struct JsonRows<'a> {
    table: &'a ResultTable,
    /// `"name":` of every column.
    keys: Vec<Vec<u8>>,
    scratch: String,
}

impl<'a> JsonRows<'a> {
    pub(super) fn new(table: &'a ResultTable) -> JsonRows<'a> {
        let key = |name: &str| {
            let mut key = Vec::with_capacity(name.len() + 3);
            write_string(name, &mut key);
            key.push(b':');
            key
        };
        let keys = table.columns.iter().map(|(name, _)| key(name)).collect();
        JsonRows { table, keys, scratch: String::new() }
    }

    /// Appends row `row` as one object.
    pub(super) fn write(&mut self, row: usize, out: &mut Vec<u8>) {
        out.push(b'{');
        let mut first = true;
        for ((name, column), key) in self.table.columns.iter().zip(&self.keys) {
            let Some(value) = column.get(row) else { continue };
            if !first {
                out.push(b',');
            }
            first = false;
            out.extend_from_slice(key);
            let text = value.text_in(&mut self.scratch);
            if &**name == TIMESTAMP && is_integer(value, text) {
                out.extend_from_slice(text.as_bytes());
            } else {
                write_string(text, out);
            }
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
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn strings_read_back(text in "\\PC*|[\\x00-\\x7f]*") {
            let mut out = Vec::new();
            write_string(&text, &mut out);
            prop_assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
        }
    }
}
