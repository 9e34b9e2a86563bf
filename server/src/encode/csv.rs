//! Rows as CSV (RFC 4180), safe to open in a spreadsheet.
//!
//! The header wants every column before the first row, and a stream of events only knows its fields at the end. So
//! rows are held, up to a limit; when more come the header goes out with what is known and a last column `@other`,
//! which takes what later rows have besides, as JSON. Nothing is left out.

use std::collections::HashMap;
use std::sync::Arc;

use weir_query::result::ResultTable;

use super::escape::write_string;

/// Rows held before the header is written.
const MAX_HELD_ROWS: usize = 10_000;

/// The column for what has no column.
const OTHER: &str = "@other";

/// Writes CSV.
#[derive(Debug, Default)]
pub(super) struct CsvWriter {
    names: Vec<Arc<str>>,
    places: HashMap<Arc<str>, usize>,
    held: Vec<(ResultTable, Vec<usize>)>,
    held_rows: usize,
    started: bool,
    has_other: bool,
    /// The header goes out with the first rows: nobody knows when more come.
    pub(super) at_once: bool,
}

impl CsvWriter {
    /// Takes rows; writes them once the header is out.
    pub(super) fn rows(&mut self, table: &ResultTable, rows: Vec<usize>, out: &mut Vec<u8>) {
        if self.started {
            self.write(table, &rows, out);
            return;
        }
        for (name, column) in &table.columns {
            let used = rows.iter().any(|row| column.get(*row).is_some());
            if used && !self.places.contains_key(name) {
                self.places.insert(Arc::clone(name), self.names.len());
                self.names.push(Arc::clone(name));
            }
        }
        self.held_rows += rows.len();
        self.held.push((table.clone(), rows));
        if self.held_rows > MAX_HELD_ROWS || self.at_once && self.held_rows > 0 {
            self.has_other = true;
            self.start(out);
        }
    }

    /// Writes what is held.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) {
        if !self.started {
            self.start(out);
        }
    }

    fn start(&mut self, out: &mut Vec<u8>) {
        self.started = true;
        let other = self.has_other.then_some(OTHER);
        if !self.names.is_empty() {
            write_row(self.names.iter().map(|name| &**name).chain(other), out);
        }
        for (table, rows) in std::mem::take(&mut self.held) {
            self.write(&table, &rows, out);
        }
    }

    fn write(&self, table: &ResultTable, rows: &[usize], out: &mut Vec<u8>) {
        let places: Vec<Option<usize>> =
            table.columns.iter().map(|(name, _)| self.places.get(name).copied()).collect();
        let mut cells = vec![String::new(); self.names.len() + usize::from(self.has_other)];
        let mut scratch = String::new();
        for row in rows {
            cells.iter_mut().for_each(String::clear);
            let mut other = Vec::new();
            for ((name, column), place) in table.columns.iter().zip(&places) {
                let Some(value) = column.get(*row) else { continue };
                let text = value.text_in(&mut scratch);
                match place.and_then(|place| cells.get_mut(place)) {
                    Some(cell) => cell.push_str(text),
                    None => {
                        other.push(if other.is_empty() { b'{' } else { b',' });
                        write_string(name, &mut other);
                        other.push(b':');
                        write_string(text, &mut other);
                    }
                }
            }
            if let (false, true, Some(cell)) = (other.is_empty(), self.has_other, cells.last_mut()) {
                other.push(b'}');
                cell.push_str(&String::from_utf8_lossy(&other));
            }
            write_row(cells.iter().map(String::as_str), out);
        }
    }
}

/// Appends one line. A cell that a spreadsheet would run as a formula gets a `'` in front.
fn write_row<'a>(cells: impl Iterator<Item = &'a str>, out: &mut Vec<u8>) {
    for (at, cell) in cells.enumerate() {
        if at > 0 {
            out.push(b',');
        }
        let formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r']) && cell.parse::<f64>().is_err();
        // Field names such as `@timestamp` are no formulas to any spreadsheet that is not twenty years old, but
        // `@SUM(1)` is: only plain names are let through.
        let name = cell.strip_prefix('@').is_some_and(|rest| {
            rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
        });
        let quote = cell.contains(['"', ',', '\n', '\r']);
        if quote {
            out.push(b'"');
        }
        if formula && !name {
            out.push(b'\'');
        }
        if quote {
            out.extend_from_slice(cell.replace('"', "\"\"").as_bytes());
            out.push(b'"');
        } else {
            out.extend_from_slice(cell.as_bytes());
        }
    }
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_and_no_formulas() {
        let table = [
            (vec!["a", "b c"], "a,b c\r\n"),
            (vec!["a,b", "say \"x\"", "two\nlines"], "\"a,b\",\"say \"\"x\"\"\",\"two\nlines\"\r\n"),
            (vec!["=cmd()", "-3", "+x", "@timestamp", "@SUM(1)"], "'=cmd(),-3,'+x,@timestamp,'@SUM(1)\r\n"),
            (vec!["=a,b"], "\"'=a,b\"\r\n"),
        ];
        for (cells, expected) in table {
            let mut out = Vec::new();
            write_row(cells.into_iter(), &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }
}
