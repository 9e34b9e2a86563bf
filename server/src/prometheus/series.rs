//! From the rows of a metric to series.

use weir_query::program::Keys;
use weir_query::record::Column;
use weir_query::result::ResultTable;

use super::Sample;
use super::labels::{NAME, label_name, sanitised};

/// Before the name of a metric that is none of Prometheus'.
const PREFIX: &str = "weir_metric_";
/// The label that tells the numeric columns of a row apart.
const COLUMN: &str = "column";
/// The label that says where a metric is defined.
const REPOSITORY: &str = "repository";
/// The label that holds a metric's own name where Prometheus has another for it.
const METRIC: &str = "metric";
/// Before the names of fields that are called as one of our labels.
const EXPORTED: &str = "exported_";

/// A metric as Prometheus knows it.
#[derive(Clone, Debug)]
pub struct Series {
    repository: String,
    metric: String,
    name: String,
    keys: Option<Keys>,
}

/// The name of a metric: its own where it fits.
#[must_use]
pub fn name_of(metric: &str) -> String {
    match sanitised(metric, true) {
        name if name == metric => name,
        name => format!("{PREFIX}{}", name.trim_start_matches('_')),
    }
}

impl Series {
    /// The series of a metric whose rows have the keys `keys`. A metric without keys has none.
    #[must_use]
    pub fn new(repository: &str, metric: &str, keys: Option<Keys>) -> Series {
        let name = name_of(metric);
        Series { repository: repository.to_owned(), metric: metric.to_owned(), name, keys }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// One for each row and numeric column of `table`.
    #[must_use]
    pub fn of(&self, table: &ResultTable) -> Vec<Sample> {
        let Some(keys) = &self.keys else { return Vec::new() };
        let is_key = |name: &str| keys.columns.iter().any(|key| **key == *name);
        let numeric = |column: &Column| (0..table.rows).any(|row| number(column, row).is_some());
        let values: Vec<_> =
            table.columns.iter().filter(|(name, column)| !is_key(name) && numeric(column)).collect();
        let labels: Vec<(String, &Column)> = table
            .columns
            .iter()
            .filter(|(name, _)| is_key(name))
            .map(|(name, column)| (self.label(name, values.len() > 1), column))
            .collect();
        let mut samples = Vec::with_capacity(table.rows * values.len());
        for row in 0..table.rows {
            let texts: Vec<_> = labels
                .iter()
                .filter_map(|(name, column)| Some((name.as_str(), column.get(row)?.text())))
                .collect();
            for (name, column) in &values {
                let Some(value) = number(column, row) else { continue };
                let own = [(NAME, self.name.as_str()), (REPOSITORY, self.repository.as_str())];
                let other = (METRIC, if self.name == self.metric { "" } else { self.metric.as_str() });
                let column = (COLUMN, if values.len() > 1 { &**name } else { "" });
                let fields = texts.iter().map(|(name, text)| (*name, &**text));
                samples.push(Sample {
                    labels: own.into_iter().chain([other, column]).chain(fields).collect(),
                    value,
                });
            }
        }
        distinct(samples)
    }

    /// A field's label. Those we add have their names for themselves.
    fn label(&self, field: &str, has_columns: bool) -> String {
        let name = label_name(field);
        let is_ours = name == REPOSITORY
            || name.starts_with("__")
            || has_columns && name == COLUMN
            || self.name != self.metric && name == METRIC;
        if is_ours { format!("{EXPORTED}{name}") } else { name }
    }
}

fn number(column: &Column, row: usize) -> Option<f64> {
    let value = column.get(row)?;
    value.text().parse::<f64>().ok()
}

/// In the order of their labels; of several with the same labels the first.
fn distinct(mut samples: Vec<Sample>) -> Vec<Sample> {
    samples.sort_by(|one, other| one.labels.cmp(&other.labels));
    samples.dedup_by(|next, one| next.labels == one.labels);
    samples
}
