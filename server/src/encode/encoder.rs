//! One answer in one form, table by table.

use weir_query::result::ResultTable;

use super::csv::CsvWriter;
use super::json::JsonRows;
use super::pen::Pen;
use super::text;

/// The forms an answer can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// One JSON object a line.
    Ndjson,
    /// One JSON array.
    Json,
    /// CSV with a header.
    Csv,
    /// The events as they came.
    Text,
}

impl Form {
    /// The form an `Accept` header asks for; text where it names none of ours, as Humio does.
    #[must_use]
    pub fn of_accept(accept: Option<&str>) -> Form {
        let kinds = accept.unwrap_or_default().split(',');
        let known = kinds.filter_map(|kind| {
            match kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
                "application/x-ndjson" | "application/ndjson" | "application/jsonl" => Some(Form::Ndjson),
                "application/json" => Some(Form::Json),
                "text/csv" => Some(Form::Csv),
                "text/plain" => Some(Form::Text),
                _ => None,
            }
        });
        known.into_iter().next().unwrap_or(Form::Text)
    }

    /// Its media type.
    #[must_use]
    pub fn media_type(self) -> &'static str {
        match self {
            Form::Ndjson => "application/x-ndjson",
            Form::Json => "application/json",
            Form::Csv => "text/csv; charset=utf-8",
            Form::Text => "text/plain; charset=utf-8",
        }
    }
}

/// Encodes one answer.
#[derive(Debug)]
pub struct RowEncoder {
    form: Form,
    rows: u64,
    csv: CsvWriter,
}

impl RowEncoder {
    /// For an answer in `form`.
    #[must_use]
    pub fn new(form: Form) -> RowEncoder {
        RowEncoder { form, rows: 0, csv: CsvWriter::default() }
    }

    /// For an answer in `form` that has no end: every row is written as it comes.
    #[must_use]
    pub fn endless(form: Form) -> RowEncoder {
        let mut encoder = RowEncoder::new(form);
        encoder.csv.at_once = true;
        encoder
    }

    /// Rows taken so far.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.rows
    }

    /// Takes the rows `rows` of `table`, in this order, and appends what can be written now.
    pub fn rows(&mut self, table: &ResultTable, rows: &[u32], out: &mut Vec<u8>) {
        let places = rows.iter().map(|row| *row as usize);
        match self.form {
            Form::Ndjson | Form::Json => {
                let mut writer = JsonRows::new(table, rows.len());
                let mut pen = Pen::take(out);
                for row in places {
                    if self.form == Form::Json {
                        pen.put(if self.rows == 0 { b"[" } else { b",\n" });
                    }
                    writer.write(row, &mut pen);
                    if self.form == Form::Ndjson {
                        pen.byte(b'\n');
                    }
                    self.rows += 1;
                }
                pen.leave(out);
                return;
            }
            Form::Csv => self.csv.rows(table, places.collect(), out),
            Form::Text => places.for_each(|row| text::write_row(table, row, out)),
        }
        self.rows += rows.len() as u64;
    }

    /// Closes the form.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        match self.form {
            Form::Ndjson | Form::Text => {}
            Form::Json => out.extend_from_slice(if self.rows == 0 { b"[]\n" } else { b"]\n" }),
            Form::Csv => self.csv.finish(out),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use weir_query::record::Column;
    use weir_query::value::Value;

    fn table(columns: &[(&str, Value)]) -> ResultTable {
        let column = |(name, value): &(&str, Value)| {
            (Arc::from(*name), Column::Constant { value: value.clone(), rows: 1 })
        };
        ResultTable { rows: 1, columns: columns.iter().map(column).collect(), ..ResultTable::default() }
    }

    fn check(form: Form, tables: &[ResultTable], expected: &str) {
        let (mut encoder, mut out) = (RowEncoder::new(form), Vec::new());
        for table in tables {
            encoder.rows(table, &[0], &mut out);
        }
        encoder.finish(&mut out);
        assert_eq!(String::from_utf8(out).unwrap(), expected, "{form:?}");
    }

    #[test]
    fn every_form() {
        let text = |text: &str| Value::Text(Arc::from(text));
        let tables = [
            table(&[("@timestamp", Value::Int(17)), ("n", Value::Int(4)), ("@rawstring", text("a\tb"))]),
            table(&[("@timestamp", text("x")), ("f", Value::Float(1.5))]),
        ];
        let (one, two) =
            (r#"{"@timestamp":17,"n":"4","@rawstring":"a\tb"}"#, r#"{"@timestamp":"x","f":"1.5"}"#);
        check(Form::Ndjson, &tables, &format!("{one}\n{two}\n"));
        check(Form::Json, &tables, &format!("[{one},\n{two}]\n"));
        check(Form::Csv, &tables, "@timestamp,n,@rawstring,f\r\n17,4,a\tb,\r\nx,,,1.5\r\n");
        check(Form::Text, &tables, "a\tb\n@timestamp->x, f->1.5\n");
        check(Form::Ndjson, &[], "");
        check(Form::Json, &[], "[]\n");
        check(Form::Csv, &[], "");
    }

    #[test]
    fn more_rows_than_are_held_lose_no_field() {
        let (mut encoder, mut out) = (RowEncoder::new(Form::Csv), Vec::new());
        let early = table(&[("a", Value::Int(1))]);
        let late = table(&[("a", Value::Int(2)), ("b", Value::Int(3))]);
        encoder.rows(&early, &vec![0; 10_001], &mut out);
        encoder.rows(&late, &[0], &mut out);
        encoder.finish(&mut out);
        let text = String::from_utf8(out).unwrap();
        assert!(text.starts_with("a,@other\r\n1,\r\n"));
        assert!(text.ends_with("2,\"{\"\"b\"\":\"\"3\"\"}\"\r\n"), "{}", &text[text.len() - 40..]);
    }

    #[test]
    fn endless_answers_hold_nothing_back() {
        let (mut encoder, mut out) = (RowEncoder::endless(Form::Csv), Vec::new());
        encoder.rows(&table(&[("a", Value::Int(1))]), &[], &mut out);
        assert_eq!(out, b"");
        encoder.rows(&table(&[("a", Value::Int(1))]), &[0], &mut out);
        assert_eq!(out, b"a,@other\r\n1,\r\n");
    }

    #[test]
    fn accept_chooses() {
        for (accept, form) in [
            (None, Form::Text),
            (Some("*/*"), Form::Text),
            (Some("application/x-ndjson"), Form::Ndjson),
            (Some("text/html, application/json;q=0.9"), Form::Json),
            (Some("TEXT/CSV"), Form::Csv),
            (Some("text/plain"), Form::Text),
        ] {
            assert_eq!(Form::of_accept(accept), form, "{accept:?}");
        }
    }
}
