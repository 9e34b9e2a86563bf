//! How `weir query` and `weir search` print rows: NDJSON, one JSON array, CSV or a table.

use std::io::{self, Write};

use serde_json::{Map, Value};

use super::table::TextTable;
use super::terminal;

/// Rows looked at before a table or CSV decides its columns. Beyond them, unknown columns are left out of CSV rows
/// only where the header has gone out already; a table waits for every row up to this many.
const MAX_HELD_ROWS: usize = 100_000;

/// The forms rows can be printed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// One JSON object a line
    Ndjson,
    /// One JSON array
    Json,
    /// Comma-separated values with a header
    Csv,
    /// An aligned table
    Table,
}

/// Prints rows in one format. CSV and tables wait for all rows, because only then their columns are known.
#[derive(Debug)]
pub struct RowPrinter {
    format: Format,
    to_terminal: bool,
    count: usize,
    held: Vec<Map<String, Value>>,
}

impl RowPrinter {
    /// A printer for `format`; with `to_terminal`, what a terminal would obey is escaped.
    #[must_use]
    pub fn new(format: Format, to_terminal: bool) -> RowPrinter {
        RowPrinter { format, to_terminal, count: 0, held: Vec::new() }
    }

    /// Takes a row as one line of JSON.
    ///
    /// # Errors
    /// When `out` cannot be written, or the line is no JSON object.
    pub fn json_line(&mut self, line: &[u8], out: &mut impl Write) -> io::Result<()> {
        match self.format {
            Format::Ndjson => {
                self.write_json(line, out)?;
                out.write_all(b"\n")?;
            }
            Format::Json => {
                out.write_all(if self.count == 0 { b"[" } else { b",\n" })?;
                self.write_json(line, out)?;
            }
            Format::Csv | Format::Table => {
                self.held.push(serde_json::from_slice(line).map_err(io::Error::other)?);
                if self.held.len() > MAX_HELD_ROWS {
                    let limit =
                        format!("more than {MAX_HELD_ROWS} rows: use --format ndjson, or narrow the query");
                    return Err(io::Error::other(limit));
                }
            }
        }
        self.count += 1;
        Ok(())
    }

    /// Writes what was held back and closes the form.
    ///
    /// # Errors
    /// When `out` cannot be written.
    pub fn finish(self, out: &mut impl Write) -> io::Result<()> {
        match self.format {
            Format::Ndjson => {}
            Format::Json => out.write_all(if self.count == 0 { b"[]\n" } else { b"]\n" })?,
            Format::Csv => self.write_csv(out)?,
            Format::Table => self.write_table(out)?,
        }
        out.flush()
    }

    fn write_json(&self, line: &[u8], out: &mut impl Write) -> io::Result<()> {
        if self.to_terminal { out.write_all(&json_safe(line)) } else { out.write_all(line) }
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        let mut seen = std::collections::HashSet::new();
        for name in self.held.iter().flat_map(Map::keys) {
            if seen.insert(name.as_str()) {
                names.push(name.clone());
            }
        }
        names
    }

    fn write_csv(&self, out: &mut impl Write) -> io::Result<()> {
        let names = self.names();
        write_csv_row(out, names.iter().map(String::as_str))?;
        for row in &self.held {
            let cells: Vec<String> = names.iter().map(|name| text(row.get(name))).collect();
            write_csv_row(out, cells.iter().map(String::as_str))?;
        }
        Ok(())
    }

    fn write_table(&self, out: &mut impl Write) -> io::Result<()> {
        let names = self.names();
        let mut table = TextTable::new(names.clone());
        for row in &self.held {
            let cells: Vec<String> = names.iter().map(|name| text(row.get(name))).collect();
            table.push(cells.iter().map(String::as_str));
        }
        if self.held.is_empty() { writeln!(out, "no rows") } else { table.write(out) }
    }
}

/// A line of JSON with what JSON leaves unescaped, and a terminal obeys, escaped as `\\u009b`.
fn json_safe(line: &[u8]) -> Vec<u8> {
    let mut out = String::with_capacity(line.len());
    for letter in String::from_utf8_lossy(line).chars() {
        match terminal::is_unsafe(letter) {
            true => out.push_str(&format!("\\u{:04x}", letter as u32)),
            false => out.push(letter),
        }
    }
    out.into_bytes()
}

fn text(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

/// A row of RFC 4180 CSV. A cell that a spreadsheet would run as a formula gets a `'` in front.
fn write_csv_row<'a>(out: &mut impl Write, cells: impl Iterator<Item = &'a str>) -> io::Result<()> {
    for (at, cell) in cells.enumerate() {
        if at > 0 {
            out.write_all(b",")?;
        }
        let formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r']) && cell.parse::<f64>().is_err();
        let cell = if formula { format!("'{cell}") } else { cell.to_owned() };
        if cell.contains(['"', ',', '\n', '\r']) {
            write!(out, "\"{}\"", cell.replace('"', "\"\""))?;
        } else {
            out.write_all(cell.as_bytes())?;
        }
    }
    out.write_all(b"\r\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(format: Format, lines: &[&str], expected: &str) {
        let mut out = Vec::new();
        let mut printer = RowPrinter::new(format, false);
        for line in lines {
            printer.json_line(line.as_bytes(), &mut out).unwrap();
        }
        printer.finish(&mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn terminals_are_safe() {
        assert_eq!(json_safe("{\"a\":\"\u{9b}31m\"}".as_bytes()), br#"{"a":"\u009b31m"}"#);
    }

    #[test]
    fn every_form() {
        let rows = [r#"{"a":"1","b":"x,\"y\""}"#, r#"{"a":"=cmd()","c":"-3"}"#];
        check(
            Format::Ndjson,
            &rows,
            "{\"a\":\"1\",\"b\":\"x,\\\"y\\\"\"}\n{\"a\":\"=cmd()\",\"c\":\"-3\"}\n",
        );
        check(
            Format::Json,
            &rows,
            "[{\"a\":\"1\",\"b\":\"x,\\\"y\\\"\"},\n{\"a\":\"=cmd()\",\"c\":\"-3\"}]\n",
        );
        check(Format::Csv, &rows, "a,b,c\r\n1,\"x,\"\"y\"\"\",\r\n'=cmd(),,-3\r\n");
        check(
            Format::Table,
            &rows,
            "a       b       c\n──────  ─────  ──\n1       x,\"y\"\n=cmd()         -3\n",
        );
        check(Format::Json, &[], "[]\n");
        check(Format::Table, &[], "no rows\n");
    }
}
