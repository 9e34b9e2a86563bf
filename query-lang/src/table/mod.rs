//! Lookup tables: rows of named columns, beside the events, that `match`, `readFile` and `join` read.
//!
//! A table comes from a file that somebody uploaded (CSV or JSON) or is the result of a query. It never changes: a
//! new upload is a new table, and whoever holds the old one goes on with it.

pub mod constellations;
mod csv;
mod index;
mod json;

use std::sync::{Arc, Mutex, PoisonError};

use hashbrown::HashSet;

pub(crate) use index::push_part;
pub use index::{KeyColumn, MatchMode, TableIndex};

use crate::plan::SubQuery;
use crate::record::Column;
use crate::result::ResultTable;

/// The most rows of a table.
pub const MAX_TABLE_ROWS: usize = 1_000_000;
/// The most columns of a table.
pub const MAX_TABLE_COLUMNS: usize = 1_000;
/// The most cells of a table that is read from a file, gaps included: a few bytes of a file may stand for many.
pub const MAX_TABLE_CELLS: usize = 1 << 26;
/// The most bytes of a file that becomes a table.
pub const MAX_TABLE_BYTES: usize = 256 << 20;

/// The most indexes kept of one table.
const MAX_INDEXES: usize = 4;

/// A lookup table.
#[derive(Clone)]
pub struct Table {
    name: Arc<str>,
    data: Arc<ResultTable>,
    fingerprint: u64,
    /// What was made to find its rows, the last used last. Queries that ask again need not make it again.
    indexes: Arc<Mutex<Vec<Arc<TableIndex>>>>,
}

/// Why a text is no table.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    /// It is larger than a table may be.
    #[error("a table has at most {limit} {what}; this one has {found}")]
    TooLarge {
        /// What there is too much of.
        what: &'static str,
        /// The limit.
        limit: usize,
        /// How much there is, as far as it was counted.
        found: usize,
    },
    /// It does not read as what it should be.
    #[error("line {line}: {reason}")]
    Malformed {
        /// The line, from 1.
        line: usize,
        /// What is wrong there.
        reason: String,
    },
}

impl Table {
    /// A table of these rows.
    ///
    /// # Errors
    /// When they are more than a table may have.
    pub fn new(name: &str, data: ResultTable) -> Result<Table, TableError> {
        let over = |what, limit, found| {
            if found > limit { Err(TableError::TooLarge { what, limit, found }) } else { Ok(()) }
        };
        over("rows", MAX_TABLE_ROWS, data.rows)?;
        over("columns", MAX_TABLE_COLUMNS, data.columns.len())?;
        let fingerprint = fingerprint(&data);
        Ok(Table { name: name.into(), data: Arc::new(data), fingerprint, indexes: Arc::default() })
    }

    /// Reads a file: JSON where the name ends in `.json`, else CSV with the names of the columns in its first row.
    ///
    /// # Errors
    /// When it is too large, or does not read as what its name says.
    pub fn read(name: &str, bytes: &[u8]) -> Result<Table, TableError> {
        if bytes.len() > MAX_TABLE_BYTES {
            return Err(TableError::TooLarge { what: "bytes", limit: MAX_TABLE_BYTES, found: bytes.len() });
        }
        let text = std::str::from_utf8(bytes).map_err(|error| {
            let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
            malformed(before, before.len(), "this is not UTF-8")
        })?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let is_json = name.len() >= 5
            && name.get(name.len() - 5..).is_some_and(|end| end.eq_ignore_ascii_case(".json"));
        Table::new(name, if is_json { json::read(text)? } else { csv::read(text)? })
    }

    /// The result of a query inside another.
    ///
    /// # Errors
    /// When it has more columns than a table may have.
    pub fn of_result(query: &SubQuery, result: ResultTable) -> Result<Table, TableError> {
        let mut columns = result.columns;
        if !query.include.is_empty() {
            columns.retain(|(name, _)| query.include.contains(name));
            // A column that no row has is there all the same: it was asked for.
            for name in &query.include {
                if !columns.iter().any(|(known, _)| known == name) {
                    columns.push((Arc::clone(name), Column::Missing { rows: result.rows }));
                }
            }
        }
        Table::new(&query.name, ResultTable { rows: result.rows, columns, ..ResultTable::default() })
    }

    /// Its first `limit` rows, of the columns `include`, or of all when there are none.
    #[must_use]
    pub fn part(&self, include: &[Arc<str>], limit: usize) -> ResultTable {
        let rows = self.rows().min(limit);
        let picks: Vec<u32> = (0..rows as u32).collect();
        let wanted =
            self.data.columns.iter().filter(|(name, _)| include.is_empty() || include.contains(name));
        let columns = wanted.map(|(name, column)| {
            (Arc::clone(name), if rows == self.rows() { column.clone() } else { column.gather(&picks) })
        });
        ResultTable { rows, columns: columns.collect(), ..ResultTable::default() }
    }

    /// What it is called.
    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Its rows.
    #[must_use]
    pub fn data(&self) -> &Arc<ResultTable> {
        &self.data
    }

    /// How many rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.data.rows
    }

    /// The names of its columns, in order.
    pub fn names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.data.columns.iter().map(|(name, _)| name)
    }

    /// A column.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.data.get(name)
    }

    /// Its rows by these keys, made the first time they are asked for.
    ///
    /// # Errors
    /// The name of a column that is not there.
    pub fn index(&self, keys: Vec<KeyColumn>) -> Result<Arc<TableIndex>, Arc<str>> {
        // Held while one is made: others that want the same wait for it.
        let mut indexes = self.indexes.lock().unwrap_or_else(PoisonError::into_inner);
        let index = match indexes.iter().position(|index| index.keys() == keys) {
            Some(at) => indexes.remove(at),
            None => Arc::new(TableIndex::new(self, keys)?),
        };
        if indexes.len() >= MAX_INDEXES {
            indexes.remove(0);
        }
        indexes.push(Arc::clone(&index));
        Ok(index)
    }

    /// A hash of what is in it.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    /// Bytes of memory held, an upper estimate.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.data.bytes()
    }
}

/// Its name and what is in it, so that a plan with another version of it is another plan.
impl std::fmt::Debug for Table {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Table({:?} {:016x})", self.name, self.fingerprint)
    }
}

impl PartialEq for Table {
    fn eq(&self, other: &Table) -> bool {
        self.name == other.name && self.fingerprint == other.fingerprint
    }
}

fn fingerprint(data: &ResultTable) -> u64 {
    let mut hash = xxhash_rust::xxh3::Xxh3::new();
    let mut put = |bytes: &[u8]| {
        hash.update(&(bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    put(&(data.rows as u64).to_le_bytes());
    let mut buffer = String::new();
    for (name, column) in &data.columns {
        put(name.as_bytes());
        for row in 0..data.rows {
            match column.get(row) {
                Some(value) => put(value.text_in(&mut buffer).as_bytes()),
                // No text is as long as this says.
                None => put(&u64::MAX.to_le_bytes()),
            }
        }
    }
    hash.digest()
}

/// Whether a table of `rows` rows and `columns` columns has too many cells.
fn check_cells(rows: usize, columns: usize) -> Result<(), TableError> {
    let found = rows.saturating_mul(columns);
    if found > MAX_TABLE_CELLS {
        return Err(TableError::TooLarge { what: "cells", limit: MAX_TABLE_CELLS, found });
    }
    Ok(())
}

/// A fault at byte `at` of `text`.
fn malformed(text: &[u8], at: usize, reason: impl Into<String>) -> TableError {
    let before = text.get(..at).unwrap_or(text);
    TableError::Malformed { line: memchr::memchr_iter(b'\n', before).count() + 1, reason: reason.into() }
}

/// The first name that stands twice.
fn repeated<'n>(names: &[&'n str]) -> Option<&'n str> {
    let mut seen = HashSet::new();
    names.iter().find(|name| !seen.insert(**name)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::ColumnBuilder;

    fn shown(name: &str, text: &str) -> String {
        match Table::read(name, text.as_bytes()) {
            Err(error) => format!("error: {error}"),
            Ok(table) => {
                let names: Vec<&str> = table.names().map(|name| &**name).collect();
                let cell = |name: &&str, row| {
                    let value = table.column(name).and_then(|column| column.get(row));
                    value.map_or_else(|| "-".to_owned(), |value| value.text().into_owned())
                };
                let rows = (0..table.rows())
                    .map(|row| names.iter().map(|name| cell(name, row)).collect::<Vec<_>>().join(","));
                [names.join(",")].into_iter().chain(rows).collect::<Vec<_>>().join(" | ")
            }
        }
    }

    #[test]
    fn files_become_tables() {
        for (name, text, told) in [
            (
                "a.csv",
                "ip,host\n10.0.0.1,web\n10.0.0.2,\"db, \"\"main\"\"\"\n",
                "ip,host | 10.0.0.1,web | 10.0.0.2,db, \"main\"",
            ),
            ("a.csv", "\u{feff}a,b\r\n1,2\r\n\r\n3,4", "a,b | 1,2 | 3,4"),
            ("a.csv", "a,b\n\"two\nlines\",x\n", "a,b | two\nlines,x"),
            ("a.csv", "a , b\n 1,2\n", "a,b |  1,2"),
            ("a.csv", "a,b\n1\n", "a,b | 1,-"),
            ("a.csv", "a\n", "a"),
            ("a.csv", "", "error: line 1: there is no row with the names of the columns"),
            ("a.csv", "a,b\n1,2,3\n", "error: line 2: the row has 3 cells, but there are 2 columns"),
            ("a.csv", "a,a\n1,2\n", "error: line 1: the column `a` stands twice"),
            ("a.csv", "a,\n1,2\n", "error: line 1: column 2 has no name"),
            ("a.csv", "a,b\n1,2\n3,\"4\n", "error: line 3: a quote is not closed"),
            (
                "a.json",
                r#"[{"a":1,"b":"x"},{"b":"y","c":{"d":null,"e":[true]}}]"#,
                "a,b,c.d,c.e[0] | 1,x,-,- | -,y,-,true",
            ),
            ("A.JSON", "[]", ""),
            ("a.json", "[\n{\"a\":1},\n{\"a\":}]", "error: line 3: this is no JSON"),
            ("a.json", "[1]", "error: line 1: an object is expected, a row of the table"),
            ("a.json", "{\"a\":1}", "error: line 1: an array of objects is expected"),
            ("a.json", "[{\"a\":1}] x", "error: line 1: the array has ended, but the text goes on"),
        ] {
            assert_eq!(shown(name, text), told, "{text}");
        }
        let error = Table::read("x", b"a\n\xff").unwrap_err();
        assert_eq!(error.to_string(), "line 2: this is not UTF-8");
    }

    #[test]
    fn tables_have_limits() {
        let mut builder = ColumnBuilder::default();
        builder.text("x");
        let column = builder.finish();
        let wide = |count: usize| {
            let columns = (0..count).map(|at| (Arc::from(format!("c{at}")), column.clone())).collect();
            Table::new("t", ResultTable { rows: 1, columns, ..ResultTable::default() }).is_ok()
        };
        assert!(wide(MAX_TABLE_COLUMNS) && !wide(MAX_TABLE_COLUMNS + 1));
        let long = |rows: usize| {
            let columns = vec![(Arc::from("c"), Column::constant("x", rows))];
            Table::new("t", ResultTable { rows, columns, ..ResultTable::default() }).is_ok()
        };
        assert!(long(MAX_TABLE_ROWS) && !long(MAX_TABLE_ROWS + 1));
    }

    #[test]
    fn an_index_is_made_once() {
        let table = Table::read("t.csv", b"a,b\n1,2\n").unwrap();
        let key = |name: &str, ignore_case| {
            vec![KeyColumn { name: name.into(), mode: MatchMode::Exact, ignore_case }]
        };
        let first = table.index(key("a", false)).unwrap();
        assert!(Arc::ptr_eq(&first, &table.clone().index(key("a", false)).unwrap()));
        assert!(!Arc::ptr_eq(&first, &table.index(key("a", true)).unwrap()));
        assert_eq!(table.index(key("c", false)).unwrap_err(), "c".into());
        for at in 0..MAX_INDEXES {
            let name = if at % 2 == 0 { "a" } else { "b" };
            let mode = if at < 2 { MatchMode::Glob } else { MatchMode::Cidr };
            table.index(vec![KeyColumn { name: name.into(), mode, ignore_case: false }]).unwrap();
        }
        assert!(!Arc::ptr_eq(&first, &table.index(key("a", false)).unwrap()), "only so many are kept");
    }

    #[test]
    fn gaps_are_cells_too() {
        assert!(check_cells(MAX_TABLE_CELLS / 64, 64).is_ok());
        let over = check_cells(MAX_TABLE_CELLS / 64 + 1, 64).unwrap_err();
        assert_eq!(over.to_string(), "a table has at most 67108864 cells; this one has 67108928");
        // A thousand columns, and rows of two bytes that have one of them.
        let rows = MAX_TABLE_CELLS / MAX_TABLE_COLUMNS + 1;
        let names: Vec<String> = (0..MAX_TABLE_COLUMNS).map(|at| format!("c{at}")).collect();
        let csv = format!("{}\n{}", names.join(","), "x\n".repeat(rows));
        let members: Vec<String> = names.iter().map(|name| format!("\"{name}\":1")).collect();
        let json = format!("[{{{}}}{}]", members.join(","), ",{}".repeat(rows));
        for (name, text) in [("t.csv", csv), ("t.json", json)] {
            assert!(matches!(
                Table::read(name, text.as_bytes()),
                Err(TableError::TooLarge { what: "cells", .. })
            ));
        }
    }

    #[test]
    fn another_content_is_another_table() {
        let of = |text: &str| Table::read("t.csv", text.as_bytes()).unwrap();
        assert_eq!(of("a,b\n1,2\n"), of("a,b\r\n1,2"));
        for other in ["a,b\n1,3\n", "a,c\n1,2\n", "a,b\n1\n", "a,b\n1,2\n1,2\n", "a,b\n12,\n"] {
            assert_ne!(of("a,b\n1,2\n"), of(other), "{other}");
        }
    }
}
