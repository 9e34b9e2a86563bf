//! Many standing metrics in one stream: `GET …/metrics/events?names=a,b,c`.
//!
//! ```text
//! id: k2x7.9a.1f4
//! event: delta
//! data: {"metric":"errors","from":41,"rows":[{"service":"cart","_count":"8"}],"removed":[],"revision":42,"status":"final",…}
//! ```
//!
//! | event | says |
//! |---|---|
//! | `state` | all rows, in place of all there were: first, and wherever a delta would be longer or cannot be made |
//! | `delta` | since the revision `from`: `rows` that are new or changed, in place of those with the same values in the columns `keys` of the last state; `removed` has the keys of rows that are gone |
//! | `status` | since the revision `from` the rows are the same; `revision`, `status`, `watermark`, the window and the counts have moved |
//! | `gone` | the metric was dropped; nothing more comes of it. The stream ends when all are gone |
//!
//! Where a metric retracts, `retracted` has the rows that its reader was given with the revision `from` and that are no longer so; in a
//! `state` those of the result given out before.
//!
//! Each carries what `GET …/metrics/{name}` says besides the rows ([`super::MetricState`]), but for `gone`, which has only the name.
//! `skipped` counts the revisions between the one the reader had and this one that were left out because it was slow.
//! Rows of a grouped metric have no order; where order says something (`sort`, `top`), a delta leaves it as it was and
//! puts new rows last, or a state comes instead.
//!
//! The id says what its reader knows of all its metrics. Sent back as `Last-Event-ID`, with the same names, the stream goes on
//! with what changed since, where the server still has it, else with states. Lines that begin with a colon are signs of life.

use std::collections::BTreeMap;

use serde::Deserialize;

/// What stands behind the question mark of `GET …/metrics/events`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PushRequest {
    /// Names of metrics with commas between them; absent: all there are when the stream begins.
    pub names: Option<String>,
}

impl PushRequest {
    /// The names, each once; `None`: all.
    #[must_use]
    pub fn names(&self) -> Option<Vec<String>> {
        let listed = self.names.as_ref()?.split(',').map(str::trim).filter(|name| !name.is_empty());
        let mut names: Vec<String> = listed.map(str::to_owned).collect();
        names.sort_unstable();
        names.dedup();
        Some(names)
    }
}

/// The data of a pushed event, as a client reads it: what all kinds have, and what some have.
#[derive(Clone, Debug, Deserialize)]
pub struct Pushed {
    /// Of which metric.
    pub metric: String,
    /// The revision it leads to; absent in `gone`.
    pub revision: Option<u64>,
    /// The revision it leads from; absent in `state` and `gone`.
    pub from: Option<u64>,
    /// `partial`, `final` or `revised`.
    pub status: Option<String>,
    /// All rows, or those that are new or changed.
    #[serde(default)]
    pub rows: Vec<Row>,
    /// Keys of rows that are gone.
    #[serde(default)]
    pub removed: Vec<Row>,
    /// Rows of the revision `from` that are no longer so, where the metric retracts.
    #[serde(default)]
    pub retracted: Vec<Row>,
    /// In a `state`: the columns that tell rows apart; null: only states will come.
    pub keys: Option<Vec<String>>,
    /// Revisions left out.
    #[serde(default)]
    pub skipped: u64,
}

/// A row: values by column.
pub type Row = serde_json::Map<String, serde_json::Value>;

impl Pushed {
    /// Makes what a reader holds what it is at this event's revision: rows by the values of `keys`, those of the last
    /// state; without keys by their number.
    pub fn apply(&self, keys: Option<&[String]>, is_state: bool, held: &mut BTreeMap<String, Row>) {
        let key = |(at, row): (usize, &Row)| match keys {
            None => format!("{at:09}"),
            Some(keys) => {
                let values: Vec<_> = keys.iter().map(|key| row.get(key)).collect();
                serde_json::to_string(&values).unwrap_or_default()
            }
        };
        if is_state {
            held.clear();
        }
        self.removed.iter().enumerate().for_each(|gone| drop(held.remove(&key(gone))));
        held.extend(self.rows.iter().enumerate().map(|row| (key(row), row.1.clone())));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_listed_once() {
        let names = |text: Option<&str>| PushRequest { names: text.map(str::to_owned) }.names();
        assert_eq!(names(None), None);
        assert_eq!(names(Some("")), Some(vec![]));
        assert_eq!(names(Some("b, a,,b")), Some(vec!["a".to_owned(), "b".to_owned()]));
    }
}
