//! One result of a metric, written.

use std::sync::Arc;

use weir_engine::live::{LiveResult, Refinement};
use weir_query::program::Keys;

use crate::encode::{KeyedRows, encode_metric_state, write_events};

/// A result as it is pushed.
#[derive(Debug)]
pub(super) struct Revision {
    pub(super) place: Place,
    /// What is said besides the rows: the inside of a JSON object.
    pub(super) facts: Vec<u8>,
    pub(super) rows: KeyedRows,
    /// Where the metric retracts: the rows of the result given out before that it no longer has, a JSON array.
    pub(super) retracted: Option<Vec<u8>>,
    /// The columns of its keys, a JSON array, or `null`.
    pub(super) keys: Vec<u8>,
}

/// Where a revision stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Among what all channels publish: grows with every result.
    pub(super) at: u64,
    /// Among the results of its metric since its channel was opened, those left out counted too.
    pub(super) ordinal: u64,
    /// The metric's own number for it.
    pub(super) revision: u64,
}

impl Revision {
    pub(super) fn new(place: Place, result: &Arc<LiveResult>, keys: Option<&Keys>) -> Revision {
        let rows = KeyedRows::new(&result.table, keys);
        let columns = keys.filter(|_| rows.is_keyed()).map(|keys| {
            let columns: Vec<&str> = keys.columns.iter().map(|column| &**column).collect();
            serde_json::to_vec(&columns).unwrap_or_default()
        });
        let keys = columns.unwrap_or_else(|| b"null".to_vec());
        let retracted = (result.refinement == Refinement::Retracting).then(|| {
            let mut out = Vec::new();
            write_events(&result.retracted, 0..result.retracted.rows, &mut out);
            out
        });
        Revision { place, facts: encode_metric_state(result), rows, retracted, keys }
    }

    /// Bytes of memory held.
    pub(super) fn bytes(&self) -> usize {
        size_of::<Revision>() + {
            let retracted = self.retracted.as_ref().map_or(0, Vec::len);
            self.facts.len() + self.keys.len() + retracted + self.rows.bytes()
        }
    }
}
