//! From a query request to something that runs: times, zones, arguments, the program and its scan.

mod catalogue;
mod cost;
mod edited;
mod prepared;
mod reparse;
mod stages;
mod tables;
mod time;

pub use catalogue::{Fields, RepositoryCatalogue};
pub use cost::Cost;
pub use edited::Edited;
pub use prepared::{Prepared, Purpose, is_zone};
pub use reparse::try_parser;
pub use stages::filter_part;
pub use tables::with_queries_run;
pub use time::{TimeError, parse_relative_nanos, parse_time};
pub use weir_query::compile::Known;
