//! Standing metrics as Prometheus reads them: its text format, and the part of its query language and HTTP API that
//! dashboards and `promtool` use.
//!
//! ```text
//! metric --> Series: name, labels, value --+--> exposition (scraped)
//!                                          +--> Expression over vectors --> answer (asked)
//! ```
//!
//! A metric's name is kept where it is one of Prometheus' too. Each of its rows is a series: the columns it groups by are labels, the
//! numeric column is the value; of several numeric columns each makes a series, told apart by the label `column`. The label
//! `repository` says where the metric is defined. What the language here lacks is refused by name, never guessed.

mod aggregation;
mod answer;
mod evaluation;
mod exposition;
mod expression;
mod fault;
mod form;
mod labels;
mod operator;
mod parser;
mod selector;
mod series;
mod time;
mod token;
mod vector;

pub use answer::{matrix, scalar, success, vector};
pub use exposition::write_exposition;
pub use expression::{Expression, Selection};
pub use fault::Fault;
pub use form::Form;
pub use labels::Labels;
pub use parser::{MAX_DEPTH, MAX_EXPRESSION_BYTES, MAX_SELECTIONS, parse, parse_selector};
pub use selector::Selector;
pub use series::{Series, name_of};
pub use time::{parse_duration, parse_time};
pub use vector::{Sample, Value};

#[cfg(test)]
mod tests;
