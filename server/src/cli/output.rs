//! How `weir query` and `weir search` print rows: NDJSON, one JSON array, CSV or a table.

use std::io::{self, BufRead, IsTerminal, Write};

use serde_json::{Map, Value};

use super::table::TextTable;
use super::terminal;
use crate::encode::Form;

/// Rows a table holds: its columns are only known at the end.
const MAX_TABLE_ROWS: usize = 100_000;

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

impl Format {
    /// The form the rows are encoded in before they are printed.
    #[must_use]
    pub fn form(self) -> Form {
        match self {
            Format::Ndjson | Format::Table => Form::Ndjson,
            Format::Json => Form::Json,
            Format::Csv => Form::Csv,
        }
    }
}

/// Prints encoded rows to standard output. What a terminal would obey is escaped where one is listening.
#[derive(Debug)]
pub struct Printer {
    format: Format,
    to_terminal: bool,
    held: Vec<Map<String, Value>>,
}

impl Printer {
    /// A printer for standard output.
    #[must_use]
    pub fn new(format: Format) -> Printer {
        Printer { format, to_terminal: io::stdout().is_terminal(), held: Vec::new() }
    }

    /// Prints what comes from `source`, encoded in [`Format::form`], line by line; with `flush`, each at once.
    ///
    /// # Errors
    /// When reading or writing fails, or a table grows over its limit.
    pub fn copy(&mut self, mut source: impl BufRead, out: &mut impl Write, flush: bool) -> io::Result<()> {
        let mut line = Vec::new();
        // A reading that fails is told from a writing that does: an answer that broke off never passes for a whole one.
        let broken = |error: io::Error| {
            let kind = io::ErrorKind::UnexpectedEof;
            io::Error::new(kind, format!("the answer broke off before its end: {error}"))
        };
        while source.read_until(b'\n', &mut line).map_err(broken)? > 0 {
            self.line(&line, out)?;
            line.clear();
            if flush {
                out.flush()?;
            }
        }
        Ok(())
    }

    fn line(&mut self, line: &[u8], out: &mut impl Write) -> io::Result<()> {
        match self.format {
            Format::Table if line.trim_ascii().is_empty() => Ok(()),
            Format::Table => {
                self.held.push(serde_json::from_slice(line).map_err(io::Error::other)?);
                match self.held.len() {
                    0..=MAX_TABLE_ROWS => Ok(()),
                    _ => Err(io::Error::other(format!(
                        "a table holds at most {MAX_TABLE_ROWS} rows: use --format ndjson"
                    ))),
                }
            }
            _ if !self.to_terminal => out.write_all(line),
            Format::Csv => write_safe(line, out, terminal::safe),
            Format::Ndjson | Format::Json => write_safe(line, out, |text| json_safe(text).into()),
        }
    }

    /// Prints what was held back.
    ///
    /// # Errors
    /// When writing fails.
    pub fn finish(&self, out: &mut impl Write) -> io::Result<()> {
        if self.format == Format::Table {
            self.write_table(out)?;
        }
        out.flush()
    }

    fn write_table(&self, out: &mut impl Write) -> io::Result<()> {
        let mut names: Vec<&String> = Vec::new();
        let mut seen = std::collections::HashSet::new();
        names.extend(self.held.iter().flat_map(Map::keys).filter(|name| seen.insert(name.as_str())));
        let mut table = TextTable::new(names.iter().map(|name| (*name).clone()).collect());
        for row in &self.held {
            let cells: Vec<String> = names.iter().map(|name| text(row.get(*name))).collect();
            table.push(cells.iter().map(String::as_str));
        }
        if self.held.is_empty() { writeln!(out, "no rows") } else { table.write(out) }
    }
}

fn write_safe<'a>(
    line: &'a [u8],
    out: &mut impl Write,
    safe: impl Fn(&'a str) -> std::borrow::Cow<'a, str>,
) -> io::Result<()> {
    let end = line.iter().rposition(|byte| !matches!(byte, b'\n' | b'\r')).map_or(0, |at| at + 1);
    let (body, ending) = line.split_at_checked(end).unwrap_or((line, b""));
    match std::str::from_utf8(body) {
        Ok(text) => out.write_all(safe(text).as_bytes())?,
        Err(_) => out.write_all(terminal::safe(&String::from_utf8_lossy(body)).as_bytes())?,
    }
    out.write_all(ending)
}

/// A line of JSON with what JSON leaves unescaped, and a terminal obeys, escaped as `\u009b`.
fn json_safe(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    for letter in line.chars() {
        match terminal::is_unsafe(letter) {
            true => out.push_str(&format!("\\u{:04x}", letter as u32)),
            false => out.push(letter),
        }
    }
    out
}

fn text(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

/// A reader that has seen enough (`| head`) is no failure.
///
/// # Errors
/// Any other failure to print.
pub fn printed(outcome: io::Result<()>) -> anyhow::Result<()> {
    match outcome {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(error.into()),
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(anyhow::Error::new(error).context("cannot print"))
        }
        _ => Ok(()),
    }
}

/// Prints `text` to standard output.
///
/// # Errors
/// As [`printed`].
pub fn print(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    printed(out.write_all(text.as_bytes()).and_then(|()| out.flush()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(format: Format, to_terminal: bool, encoded: &str, expected: &str) {
        let mut out = Vec::new();
        let mut printer = Printer { format, to_terminal, held: Vec::new() };
        printer.copy(encoded.as_bytes(), &mut out, false).unwrap();
        printer.finish(&mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn files_get_bytes_and_terminals_get_safe_text() {
        let odd = "{\"a\":\"\u{9b}31m\"}\n";
        check(Format::Ndjson, false, odd, odd);
        check(Format::Ndjson, true, odd, "{\"a\":\"\\u009b31m\"}\n");
        check(Format::Csv, true, "a\r\n\u{1b}[2J\r\n", "a\r\n\\x1b[2J\r\n");
    }

    struct Broken;

    impl io::Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
    }

    #[test]
    fn a_reader_that_left_is_fine_and_an_answer_that_broke_off_is_not() {
        assert!(printed(Err(io::ErrorKind::BrokenPipe.into())).is_ok());
        let mut printer = Printer::new(Format::Ndjson);
        let copied = printer.copy(io::BufReader::new(Broken), &mut Vec::new(), true);
        assert!(printed(copied).unwrap_err().to_string().contains("broke off"));
    }

    #[test]
    fn tables_wait_for_all_rows() {
        let rows = "{\"a\":\"1\",\"b\":\"x\"}\n{\"a\":\"20\",\"c\":null}\n";
        check(Format::Table, false, rows, " a  b  c\n──  ─  ─\n 1  x\n20\n");
        check(Format::Table, false, "", "no rows\n");
    }
}
