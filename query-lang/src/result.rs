//! The table a query ends in; also what its later steps run over.

use std::sync::Arc;

use crate::record::{Column, OrderKey};

/// Columns of equal length with their names, in the order a reader should see them.
#[derive(Clone, Debug, Default)]
pub struct ResultTable {
    /// How many rows.
    pub rows: usize,
    /// Names and values.
    pub columns: Vec<(Arc<str>, Column)>,
    /// The place of each row among events, where rows are events; else empty.
    pub order: Vec<OrderKey>,
    /// What the reader should be told: limits reached, values approximated.
    pub warnings: Vec<String>,
    /// Facts about the table for those who draw it: `bucket_span_millis`, `timechart` ...
    pub notes: Vec<(String, String)>,
}
