//! The numbers of a field, read once for all who look at its values as numbers only.

use std::sync::Arc;

use weir_query::record::{Column, Selection, TextSpan};
use weir_query::value::Number;

/// Reads texts as integers of 64 bits, as long as all numbers among them are such.
#[derive(Debug)]
pub(super) struct Integers {
    values: Vec<i64>,
    /// Rows whose text says no number, or that have none.
    gaps: Vec<usize>,
    has_others: bool,
}

impl Integers {
    /// For about `rows` texts.
    pub(super) fn new(rows: usize) -> Integers {
        Integers { values: Vec::with_capacity(rows), gaps: Vec::new(), has_others: false }
    }

    /// Takes the next texts, at `spans` of `arena`.
    pub(super) fn take(&mut self, arena: &str, spans: &[TextSpan]) {
        if self.has_others {
            return;
        }
        for span in spans {
            let value = match span.of(arena).and_then(Number::parse) {
                Some(Number::Int(value)) => value,
                Some(_) => {
                    self.has_others = true;
                    return;
                }
                None => {
                    self.gaps.push(self.values.len());
                    0
                }
            };
            self.values.push(value);
        }
    }

    /// The column of all integers; `None` where there are other numbers.
    pub(super) fn finish(self) -> Option<Column> {
        let Integers { values, gaps, has_others } = self;
        let present = (!gaps.is_empty()).then(|| {
            let mut present = Selection::all(values.len());
            gaps.into_iter().for_each(|row| present.remove(row));
            Arc::new(present)
        });
        (!has_others).then(|| Column::Ints { values: values.into(), present })
    }
}
