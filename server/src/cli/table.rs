//! Rows as an aligned text table, for people.

use std::io::{self, Write};

use super::terminal;

/// Columns wider than this are cut, in characters, and end in `…`.
const MAX_CELL_CHARS: usize = 120;

/// Rows gathered for one table.
#[derive(Debug, Default)]
pub struct TextTable {
    names: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl TextTable {
    /// A table with these column names.
    #[must_use]
    pub fn new(names: Vec<String>) -> TextTable {
        TextTable { names, rows: Vec::new() }
    }

    /// Adds a row, a cell a column. Control codes are made visible, long cells cut.
    pub fn push<'a>(&mut self, cells: impl Iterator<Item = &'a str>) {
        self.rows.push(cells.map(cell).collect());
    }

    /// Writes the table: names, a rule, the rows. Columns in which every cell is a number lean right.
    ///
    /// # Errors
    /// When `out` cannot be written.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let names: Vec<String> = self.names.iter().map(|name| cell(name)).collect();
        let widths: Vec<usize> = (0..names.len()).map(|column| self.width(&names, column)).collect();
        let right: Vec<bool> = (0..names.len()).map(|column| self.is_numeric(column)).collect();
        write_row(out, &names, &widths, &right)?;
        let rules: Vec<String> = widths.iter().map(|width| "─".repeat(*width)).collect();
        write_row(out, &rules, &widths, &right)?;
        self.rows.iter().try_for_each(|row| write_row(out, row, &widths, &right))
    }

    fn width(&self, names: &[String], column: usize) -> usize {
        let cells = self.rows.iter().filter_map(|row| row.get(column)).chain(names.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    }

    fn is_numeric(&self, column: usize) -> bool {
        let mut cells =
            self.rows.iter().filter_map(|row| row.get(column)).filter(|cell| !cell.is_empty()).peekable();
        cells.peek().is_some() && cells.all(|cell| cell.parse::<f64>().is_ok())
    }
}

fn cell(text: &str) -> String {
    let safe = terminal::safe(text);
    if safe.chars().count() <= MAX_CELL_CHARS {
        return safe.into_owned();
    }
    let mut cut: String = safe.chars().take(MAX_CELL_CHARS - 1).collect();
    cut.push('…');
    cut
}

fn write_row(out: &mut impl Write, cells: &[String], widths: &[usize], right: &[bool]) -> io::Result<()> {
    let mut line = String::new();
    for ((cell, width), right) in cells.iter().zip(widths).zip(right) {
        let gap = " ".repeat(width.saturating_sub(cell.chars().count()));
        if !line.is_empty() {
            line.push_str("  ");
        }
        let (before, after) = if *right { (gap.as_str(), "") } else { ("", gap.as_str()) };
        line.push_str(before);
        line.push_str(cell);
        line.push_str(after);
    }
    writeln!(out, "{}", line.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_lean_right_and_text_left() {
        let mut table = TextTable::new(vec!["service".into(), "_count".into()]);
        table.push(["cart", "7"].into_iter());
        table.push(["checkout\u{1b}", "1200"].into_iter());
        let mut out = Vec::new();
        table.write(&mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(
            text,
            "service       _count\n────────────  ──────\ncart               7\ncheckout\\x1b    1200\n"
        );
    }
}
