//! Records of comma-separated values (RFC 4180): the raw text of an event is its record, its fields the columns.

use super::error::DecodeError;
use super::format::Csv;
use super::intake::{Beside, Intake, Members};
use super::lines::BYTE_ORDER_MARK;
use super::pieces::{Boundary, Piece, Pieces};
use super::source::Source;

/// What is said of a record whose quotes do not close.
const UNCLOSED: &str = "unclosed quote in a CSV record";

pub(super) fn records(source: Source<'_>, csv: Csv, intake: &mut Intake<'_>) -> Result<(), DecodeError> {
    let mut pieces = Pieces::new(source, Boundary::Record, intake.options.limits.max_event_bytes);
    intake.reserve(pieces.at_hand());
    let mut names: Option<Vec<String>> = (!csv.header).then(Vec::new);
    let mut members = Members::default();
    let mut first = true;
    while let Some(piece) = pieces.next()? {
        let (record, error) = match piece {
            Piece::Whole(record) => (record, None),
            Piece::Unclosed(record) => (record, Some(UNCLOSED)),
            Piece::TooLarge { front, bytes } => {
                intake.reject_too_large(front, bytes);
                continue;
            }
        };
        let mark = std::mem::take(&mut first).then(|| record.strip_prefix(BYTE_ORDER_MARK)).flatten();
        let record = mark.unwrap_or(record);
        if record.is_empty() {
            intake.blank();
            continue;
        }
        let text = String::from_utf8_lossy(record);
        let Some(names) = &names else {
            names = Some(header(&text, csv.delimiter));
            continue;
        };
        members.clear();
        each_value(&text, csv.delimiter, |column, value| match names.get(column) {
            Some(name) => members.text(name, value),
            None => members.text(&unnamed(column), value),
        });
        let attributes = Some(members.finish());
        let beside = Beside { attributes, ..Beside::default() };
        match error {
            Some(error) => intake.unparsed(record, beside, error)?,
            None => intake.text(record, beside)?,
        }
    }
    Ok(())
}

/// The names in a header; columns without one get theirs by place.
fn header(record: &str, delimiter: u8) -> Vec<String> {
    let mut names = Vec::new();
    each_value(record, delimiter, |column, name| {
        let name = name.trim();
        names.push(if name.is_empty() { unnamed(column) } else { name.to_owned() });
    });
    names
}

fn unnamed(column: usize) -> String {
    format!("column{}", column + 1)
}

/// Calls `each` with the number and text of every value of a record. What stands behind a closing quote belongs to the
/// value; a quote in the middle of a plain value is itself.
fn each_value(record: &str, delimiter: u8, mut each: impl FnMut(usize, &str)) {
    let delimiter = char::from(delimiter);
    let mut rest = record;
    let mut unquoted = String::new();
    for column in 0.. {
        if let Some(quoted) = rest.strip_prefix('"') {
            unquoted.clear();
            let tail = unquote(quoted, &mut unquoted);
            let end = tail.find(delimiter);
            unquoted.push_str(tail.get(..end.unwrap_or(tail.len())).unwrap_or_default());
            each(column, &unquoted);
            match end {
                Some(end) => rest = tail.get(end + 1..).unwrap_or_default(),
                None => return,
            }
        } else {
            match rest.split_once(delimiter) {
                Some((value, tail)) => {
                    each(column, value);
                    rest = tail;
                }
                None => return each(column, rest),
            }
        }
    }
}

/// Appends what stands in quotes, doubled ones made single, up to the closing one: what is behind that.
fn unquote<'r>(quoted: &'r str, out: &mut String) -> &'r str {
    let mut rest = quoted;
    while let Some((plain, tail)) = rest.split_once('"') {
        out.push_str(plain);
        match tail.strip_prefix('"') {
            Some(tail) => {
                out.push('"');
                rest = tail;
            }
            None => return tail,
        }
    }
    out.push_str(rest);
    ""
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_a_record() {
        for (record, values) in [
            ("a,b,c", vec!["a", "b", "c"]),
            ("a,,", vec!["a", "", ""]),
            ("\"a\",\"b\"\"c\",\"d,e\"", vec!["a", "b\"c", "d,e"]),
            ("\"a\nb\",c", vec!["a\nb", "c"]),
            ("\"a\"b,c", vec!["ab", "c"]),
            ("a\"b\",c", vec!["a\"b\"", "c"]),
            ("\"\",\"\"", vec!["", ""]),
            ("\"open,x", vec!["open,x"]),
            ("ü,☃", vec!["ü", "☃"]),
        ] {
            let mut found = Vec::new();
            each_value(record, b',', |column, value| {
                assert_eq!(column, found.len());
                found.push(value.to_owned());
            });
            assert_eq!(found, values, "{record:?}");
        }
    }
}
