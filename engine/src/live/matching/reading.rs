//! Fields of a batch, read in one walk over its rows.
//!
//! A field by itself is a walk over all rows and texts of a batch, which is more than the nearer caches hold. What the
//! queries asked of the batch before they will ask of this one: those fields are read together, some rows at a time.

use std::sync::Arc;

use weir_query::record::{Selection, TextSpan};

use super::encode::Forms;
use crate::event::coder::Coder;
use crate::event::{EventBatch, Places};

/// So many rows are read of one field after the other.
const STRETCH_ROWS: usize = 128;

/// A field to be read.
#[derive(Clone, Debug)]
pub(in crate::live) struct Wanted {
    pub(super) name: Arc<str>,
    /// Its codes too.
    pub(super) is_coded: bool,
}

struct Reading {
    name: Arc<str>,
    places: Places,
    spans: Vec<TextSpan>,
    coder: Option<Coder>,
}

/// The fields of `wanted` that are there in `batch`, of all its rows. Those that are not are left out.
pub(super) fn read(batch: &EventBatch, all: &Selection, wanted: &[Wanted]) -> Vec<(Arc<str>, Forms)> {
    let reading = |wanted: &Wanted| {
        let name = Arc::clone(&wanted.name);
        let coder = wanted.is_coded.then(|| Coder::new(batch.len()));
        Some(Reading { places: batch.places(&name)?, spans: Vec::with_capacity(batch.len()), name, coder })
    };
    let mut readings: Vec<Reading> = wanted.iter().filter_map(reading).collect();
    for start in (0..batch.len()).step_by(STRETCH_ROWS) {
        for Reading { places, spans, coder, .. } in &mut readings {
            batch.read(places, start..batch.len().min(start + STRETCH_ROWS), spans);
            if let Some(coder) = coder {
                coder.take(batch.arena(), spans.get(start..).unwrap_or_default());
            }
        }
    }
    let forms = |Reading { name, spans, coder, .. }| {
        let plain = batch.spans_column(Vec::into(spans), all);
        let forms = match coder {
            Some(coder) => Forms::coded(plain, coder),
            None => Forms::new(plain),
        };
        (name, forms)
    };
    readings.into_iter().map(forms).collect()
}
