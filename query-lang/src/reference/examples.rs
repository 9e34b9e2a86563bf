//! Examples of the functions, as they stand in the reference. Every one is run by a test, which compares the rows.
//!
//! ```text
//! # function
//! > query
//! {..}          rows that come in, JSON objects; a name in front of one, `hosts.csv: ip,name`, is a line of a table
//! = {..}        rows that come out; none: nothing does
//! ```

use std::sync::LazyLock;

const TEXT: &str = include_str!("examples.txt");

/// The most rows of an example, in or out: a page is read by people.
pub const MAX_EXAMPLE_ROWS: usize = 12;

/// A query, what it is given and what it gives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Example {
    /// The function shown.
    pub function: &'static str,
    /// The query.
    pub query: &'static str,
    /// Rows that come in, JSON objects.
    pub rows: Vec<&'static str>,
    /// Lines of lookup tables: name, line.
    pub lines: Vec<(&'static str, &'static str)>,
    /// Rows that come out, JSON objects.
    pub results: Vec<&'static str>,
}

/// Every example, in the order of the file.
#[must_use]
pub fn examples() -> &'static [Example] {
    static EXAMPLES: LazyLock<Vec<Example>> = LazyLock::new(|| read(TEXT));
    &EXAMPLES
}

fn read(text: &'static str) -> Vec<Example> {
    let mut list: Vec<Example> = Vec::new();
    let mut function = "";
    for line in text.lines().map(str::trim_end).filter(|line| !line.is_empty()) {
        if let Some(name) = line.strip_prefix("# ") {
            function = name;
        } else if let Some(query) = line.strip_prefix("> ") {
            list.push(Example { function, query, ..Example::default() });
        } else if let Some(example) = list.last_mut() {
            match (line.strip_prefix("= "), line.split_once(": ")) {
                (Some(row), _) => example.results.push(row),
                (None, Some((name, cells))) if !line.starts_with('{') => example.lines.push((name, cells)),
                _ => example.rows.push(line),
            }
        }
    }
    list
}

impl Example {
    /// As it stands on a page.
    pub(super) fn shown(&self) -> String {
        let mut text = format!("```text\n{}\n", self.query);
        for (name, cells) in &self.lines {
            text += &format!("  {name}: {cells}\n");
        }
        for row in &self.rows {
            text += &format!("  {row}\n");
        }
        match self.results.as_slice() {
            [] => text += "gives nothing\n",
            rows => {
                text += "gives\n";
                rows.iter().for_each(|row| text += &format!("  {row}\n"));
            }
        }
        text + "```\n"
    }
}
