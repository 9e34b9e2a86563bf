//! Rows as text: the event as it came, or `a->x, b->y`. Nothing is escaped.

use weir_query::result::ResultTable;

/// The field that is the event as it came.
const RAW: &str = "@rawstring";

/// Appends row `row` and a line feed.
pub(super) fn write_row(table: &ResultTable, row: usize, out: &mut Vec<u8>) {
    let mut scratch = String::new();
    let raw = table.columns.iter().find(|(name, _)| &**name == RAW).and_then(|(_, column)| column.get(row));
    if let Some(raw) = raw {
        out.extend_from_slice(raw.text_in(&mut scratch).as_bytes());
    } else {
        let mut first = true;
        for (name, column) in &table.columns {
            let Some(value) = column.get(row) else { continue };
            if !first {
                out.extend_from_slice(b", ");
            }
            first = false;
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(b"->");
            out.extend_from_slice(value.text_in(&mut scratch).as_bytes());
        }
    }
    out.push(b'\n');
}
