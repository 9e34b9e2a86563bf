//! `parseCsv` and `parseFixedWidth`: a text cut into columns whose names are given.

use std::sync::Arc;

use crate::error::Diagnostic;
use crate::functions::{Arguments, Build, Kind, Parameter, RowFunction, Scratch, Signature, Touches};
use crate::machine::{StepError, View};

const RAW: Parameter = Parameter::with_default("field", Kind::Text, "@rawstring");
const COLUMNS: Parameter = Parameter::required("columns", Kind::Texts);

/// The table of this family.
pub const SIGNATURES: &[Signature] = &[
    Signature {
        name: "parseCsv",
        aliases: &[],
        parameters: &[
            RAW,
            COLUMNS,
            Parameter::with_default("delimiter", Kind::Text, ","),
            Parameter::with_default("trim", Kind::Bool, "false"),
            Parameter::with_default("excludeEmpty", Kind::Bool, "false"),
        ],
        build: Build::Row(build_csv),
        doc: "The values between delimiters as fields.",
    },
    Signature {
        name: "parseFixedWidth",
        aliases: &[],
        parameters: &[
            RAW,
            COLUMNS,
            Parameter::required("widths", Kind::Numbers),
            Parameter::with_default("trim", Kind::Bool, "true"),
        ],
        build: Build::Row(build_fixed),
        doc: "Parts of a text of so many characters each as fields.",
    },
];

/// A compiled function of this family.
#[derive(Debug)]
pub struct ParseColumns {
    field: Arc<str>,
    columns: Vec<Arc<str>>,
    cut: Cut,
    trim: bool,
    exclude_empty: bool,
}

/// Where columns end.
#[derive(Debug, PartialEq, Eq)]
pub enum Cut {
    /// At this character, unless it stands in quotes.
    At(char),
    /// After so many characters.
    After(Vec<usize>),
}

fn build_csv(arguments: &Arguments) -> Result<RowFunction, Diagnostic> {
    let delimiter = arguments.text_or_empty("delimiter");
    let mut letters = delimiter.chars();
    let (Some(only), None) = (letters.next().filter(|only| *only != '"'), letters.next()) else {
        return Err(arguments
            .fault("delimiter", format!("expected one character that is no quote, not `{delimiter}`")));
    };
    parse_columns(arguments, Cut::At(only))
}

fn build_fixed(arguments: &Arguments) -> Result<RowFunction, Diagnostic> {
    let mut widths = Vec::new();
    for width in arguments.numbers("widths") {
        if width.fract() != 0.0 || !(1.0..=1e6).contains(width) {
            return Err(arguments
                .fault("widths", format!("expected a whole number from 1 to 1000000, not `{width}`")));
        }
        widths.push(*width as usize);
    }
    let (named, wide) = (arguments.texts("columns").len(), widths.len());
    if named != wide {
        return Err(arguments
            .fault("widths", format!("expected a width for each column: {named} columns, {wide} widths")));
    }
    parse_columns(arguments, Cut::After(widths))
}

fn parse_columns(arguments: &Arguments, cut: Cut) -> Result<RowFunction, Diagnostic> {
    let columns = arguments.texts("columns").to_vec();
    for (at, name) in columns.iter().enumerate() {
        if columns.iter().take(at).any(|before| before == name) {
            return Err(arguments.fault("columns", format!("two columns are called `{name}`")));
        }
    }
    Ok(RowFunction::Columns(ParseColumns {
        field: arguments.text_or_empty("field"),
        columns,
        cut,
        trim: arguments.is_true("trim"),
        exclude_empty: arguments.is_true("excludeEmpty"),
    }))
}

impl ParseColumns {
    /// Runs over the rows in play.
    ///
    /// # Errors
    /// When the rows cannot be read.
    pub fn apply(&self, view: &mut View<'_>, scratch: &mut Scratch) -> Result<(), StepError> {
        let column = view.column(&self.field)?;
        let (columns, _) = column.map_many(view.selection(), self.columns.len(), |value, outputs| {
            let values = self.values(value.text_in(&mut scratch.text));
            for (value, out) in values.into_iter().zip(outputs) {
                if !(self.exclude_empty && value.is_empty()) {
                    out.text(&value);
                }
            }
            true
        });
        for (name, column) in self.columns.iter().zip(columns) {
            view.assign(name, column)?;
        }
        Ok(())
    }

    /// The values in `text`, as many as there are columns at most.
    #[must_use]
    pub fn values(&self, text: &str) -> Vec<String> {
        let mut values = Vec::with_capacity(self.columns.len());
        match &self.cut {
            Cut::At(delimiter) => {
                let mut rest = Some(text);
                while let Some(text) = rest.filter(|_| values.len() < self.columns.len()) {
                    let (value, after) = csv_value(text, *delimiter, self.trim);
                    values.push(value);
                    rest = after;
                }
            }
            Cut::After(widths) => {
                let mut rest = text;
                for width in widths {
                    let end = rest.char_indices().nth(*width).map_or(rest.len(), |(at, _)| at);
                    let (value, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
                    if rest.is_empty() {
                        break;
                    }
                    values.push(if self.trim { value.trim() } else { value }.to_owned());
                    rest = after;
                }
            }
        }
        values
    }

    /// Notes what it reads and writes.
    pub fn touches(&self, touches: &mut Touches) {
        touches.read(&self.field);
        for name in &self.columns {
            touches.read(name);
            touches.write(name);
        }
    }
}

/// The value at the front of `text` (RFC 4180), and what follows the delimiter behind it. With `trim`, white space
/// around values does not count, and quotes may begin behind it. A quote that does not end is taken to end with the text.
fn csv_value(text: &str, delimiter: char, trim: bool) -> (String, Option<&str>) {
    let start =
        if trim { text.trim_start_matches(|c: char| c.is_whitespace() && c != delimiter) } else { text };
    let Some(quoted) = start.strip_prefix('"') else {
        let (value, after) = match start.split_once(delimiter) {
            Some((value, after)) => (value, Some(after)),
            None => (start, None),
        };
        return (if trim { value.trim_end() } else { value }.to_owned(), after);
    };
    let mut value = String::new();
    let mut rest = quoted;
    while let Some((before, after)) = rest.split_once('"') {
        value.push_str(before);
        rest = after;
        match after.strip_prefix('"') {
            Some(after) => {
                value.push('"');
                rest = after;
            }
            None => {
                // What stands between the quote and the delimiter belongs to the value, too.
                let (tail, after) = match rest.split_once(delimiter) {
                    Some((tail, after)) => (tail, Some(after)),
                    None => (rest, None),
                };
                value.push_str(if trim { tail.trim() } else { tail });
                return (value, after);
            }
        }
    }
    value.push_str(rest);
    (value, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(cut: Cut, columns: usize, trim: bool, text: &str) -> String {
        let columns = vec!["x".into(); columns];
        let parser = ParseColumns { field: "f".into(), columns, cut, trim, exclude_empty: false };
        parser.values(text).iter().map(|value| format!("[{value}]")).collect()
    }

    #[test]
    fn values_between_delimiters() {
        for (delimiter, trim, text, told) in [
            (',', false, "a,b,c", "[a][b][c]"),
            (',', false, "117, success,27%", "[117][ success][27%]"),
            (',', true, " 117 , success ,27%", "[117][success][27%]"),
            (',', false, "a", "[a]"),
            (',', false, "", "[]"),
            (',', false, "a,,", "[a][][]"),
            (',', false, "a,b,c,d", "[a][b][c]"),
            (';', false, "\"value 1\";\"x;y\";z", "[value 1][x;y][z]"),
            (',', true, "117, \" crowdstrike.com, x.com \", 3.14", "[117][ crowdstrike.com, x.com ][3.14]"),
            (',', false, "117, \"a, b \"", "[117][ \"a][ b \"]"),
            (',', false, "\"say \"\"æ\"\"\",2", "[say \"æ\"][2]"),
            (',', false, "\"a\"b,c", "[ab][c]"),
            (',', false, "\"open, b", "[open, b]"),
            ('\t', true, "a\t b\t", "[a][b][]"),
        ] {
            assert_eq!(values(Cut::At(delimiter), 3, trim, text), told, "{text}");
        }
    }

    #[test]
    fn values_of_fixed_width() {
        for (trim, text, told) in [
            (true, "117 success 27%", "[117][success][27%]"),
            (false, "117 success 27%", "[117][ success ][27%]"),
            (true, "117 suc", "[117][suc]"),
            (true, "117", "[117]"),
            (true, "", ""),
            (true, "æøå ÆØÅÆØÅÆ 27% more", "[æøå][ÆØÅÆØÅÆ][27%]"),
            (true, "   x", "[][x]"),
        ] {
            assert_eq!(values(Cut::After(vec![3, 9, 4]), 3, trim, text), told, "{text}");
        }
    }
}
