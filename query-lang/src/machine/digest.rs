//! Answers from facts: a summary of many rows becomes a few rows that stand for many each.
//!
//! Where a program looks at one field whose values and their counts are known, all rows with one value go the same
//! way. So the program runs over one row a value, through the same conditions, functions and aggregates as ever,
//! and whatever counts rows counts each as often as the value occurs. Fields that have one value throughout, or
//! that no row has, change nothing about that.

use std::sync::Arc;

use crate::aggregates::{AggregateState, TIMESTAMP};
use crate::compile::TextMatcher;
use crate::program::{Program, Times};
use crate::record::{
    Column, ColumnBuilder, Dictionary, Known, OrderKey, Rows, RowsError, Selection, Summary,
};
use crate::value::Value;

/// Rows that stand for several equal ones each.
pub(super) struct Digest {
    columns: Vec<(Arc<str>, Column)>,
    /// How many rows each stands for.
    pub(super) weights: Vec<u64>,
}

impl Digest {
    /// The rows that `program` cannot tell from those of `summary`; none when the rows have to be read.
    pub(super) fn of(
        program: &Program,
        summary: &dyn Summary,
        aggregate: &mut AggregateState,
    ) -> Option<Digest> {
        let fields = program.fields().filter(|_| program.takes_weights)?;
        let mut digest = Digest { columns: Vec::new(), weights: vec![summary.rows()] };
        for field in fields {
            let column = match &**field {
                TIMESTAMP => one_time(program, summary, aggregate)?,
                name => match summary.field(name) {
                    Known::Nothing => return None,
                    Known::Values(values) => digest.split(summary.rows(), &values)?,
                },
            };
            digest.columns.push((Arc::clone(field), column));
        }
        let rows = digest.weights.len();
        for (_, column) in &mut digest.columns {
            if let Column::Missing { rows: own } | Column::Constant { rows: own, .. } = column {
                *own = rows;
            }
        }
        Some(digest)
    }

    /// The column of a field; it may be the only one that splits the rows.
    fn split(&mut self, rows: u64, values: &[(&str, u64)]) -> Option<Column> {
        let having: u64 = values.iter().map(|(_, rows)| *rows).sum();
        let missing = rows.checked_sub(having)?;
        match values {
            [] => return Some(Column::Missing { rows: 0 }),
            [(value, _)] if missing == 0 => {
                return Some(Column::Constant { value: Value::Text((*value).into()), rows: 0 });
            }
            _ if self.weights.len() != 1 => return None,
            _ => {}
        }
        let mut texts = ColumnBuilder::with_capacity(values.len());
        values.iter().for_each(|(value, _)| texts.text(value));
        let mut codes: Vec<u32> = (0_u32..).take(values.len()).collect();
        self.weights = values.iter().map(|(_, rows)| *rows).collect();
        if missing > 0 {
            codes.push(Dictionary::MISSING);
            self.weights.push(missing);
        }
        Some(Column::Dictionary { codes: codes.into(), dictionary: Arc::new(texts.finish_dictionary()) })
    }
}

/// `@timestamp`, where it decides about nothing but the bucket, which is one for all rows.
fn one_time(program: &Program, summary: &dyn Summary, aggregate: &mut AggregateState) -> Option<Column> {
    let (first, last) = summary.times();
    let millis = first.div_euclid(super::NANOS_PER_MILLI);
    let until = aggregate.until(millis).filter(|_| program.times == Times::Buckets)?;
    let within = last.div_euclid(super::NANOS_PER_MILLI) < until;
    within.then_some(Column::Constant { value: Value::Int(millis), rows: 0 })
}

impl Rows for Digest {
    fn len(&self) -> usize {
        self.weights.len()
    }

    fn order(&self) -> Result<Arc<[OrderKey]>, RowsError> {
        Err(unknown("the places of rows"))
    }

    fn names(&self) -> Vec<Arc<str>> {
        self.columns.iter().map(|(name, _)| Arc::clone(name)).collect()
    }

    fn column(&self, name: &str, _: &Selection) -> Result<Column, RowsError> {
        let column = self.columns.iter().find(|(own, _)| **own == *name);
        column.map(|(_, column)| column.clone()).ok_or_else(|| unknown(name))
    }

    fn search(&self, _: &TextMatcher, _: &Selection) -> Result<Selection, RowsError> {
        Err(unknown("texts"))
    }
}

/// What a summary does not say has to be read from the rows.
fn unknown(what: &str) -> RowsError {
    RowsError::Unreadable(format!("a summary does not tell {what}"))
}
