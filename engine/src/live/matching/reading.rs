//! Fields of a batch, read in one walk over its rows.
//!
//! A field by itself is a walk over all rows and texts of a batch, which is more than the nearer caches hold. What the
//! queries asked of the batch before they will ask of this one: those fields are read together, some rows at a time, and
//! whatever looks at their texts looks then: codes and numbers are made, and texts that differ are laid side by side, so
//! that the queries find them together, and not each in an event of its own.

use std::hint::black_box;
use std::sync::Arc;

use weir_query::record::{Column, Selection, TextSpan};

use super::encode::Forms;
use super::integers::Integers;
use super::packed::Packed;
use crate::event::coder::Coder;
use crate::event::{EventBatch, Places};

/// So many rows are read of one field after the other.
const STRETCH_ROWS: usize = 128;
/// What comes into the nearer caches at once.
const LINE_BYTES: usize = 64;

/// A field to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::live) struct Wanted {
    pub(super) name: Arc<str>,
    /// Its codes, where few texts differ.
    pub(super) is_coded: bool,
    /// Its texts side by side.
    pub(super) is_packed: bool,
    /// Its numbers.
    pub(super) is_numeric: bool,
}

struct Reading {
    name: Arc<str>,
    places: Places,
    is_coded: bool,
    spans: Vec<TextSpan>,
    coder: Option<Coder>,
    packed: Option<Packed>,
    integers: Option<Integers>,
}

impl Reading {
    fn new(batch: &EventBatch, wanted: &Wanted) -> Option<Reading> {
        let rows = batch.len();
        Some(Reading {
            places: batch.places(&wanted.name)?,
            name: Arc::clone(&wanted.name),
            is_coded: wanted.is_coded,
            spans: Vec::with_capacity(rows),
            coder: wanted.is_coded.then(|| Coder::new(rows)),
            packed: (wanted.is_packed && !wanted.is_coded).then(|| Packed::new(rows)),
            integers: wanted.is_numeric.then(|| Integers::new(rows)),
        })
    }

    /// Reads the rows of `stretch`, which follow those read before.
    fn read(&mut self, batch: &EventBatch, stretch: std::ops::Range<usize>) {
        let (arena, start) = (batch.arena(), stretch.start);
        batch.read(&self.places, stretch, &mut self.spans);
        let spans = self.spans.get(start..).unwrap_or_default();
        if let Some(integers) = &mut self.integers {
            integers.take(arena, spans);
        }
        if let Some(packed) = &mut self.packed {
            packed.take(arena, spans);
        }
        let Some(coder) = &mut self.coder else { return };
        coder.take(arena, spans);
        if coder.has_too_many() {
            self.pack(batch);
        }
    }

    /// The texts have no codes: they are laid side by side, those from the beginning too.
    fn pack(&mut self, batch: &EventBatch) {
        let mut packed = Packed::new(batch.len());
        packed.take(batch.arena(), &self.spans);
        (self.coder, self.packed) = (None, Some(packed));
    }

    fn forms(mut self, batch: &EventBatch, all: &Selection) -> Forms {
        let coded = self.coder.take().map(Coder::finish);
        if matches!(coded, Some(None)) {
            self.pack(batch);
        }
        let coded = self.is_coded.then_some(coded.flatten());
        let texts = match &coded {
            Some(Some(Column::Dictionary { codes, dictionary })) => Some(dictionary.texts_of(codes)),
            _ => self.packed.and_then(Packed::finish),
        };
        let plain = match (batch.spans_column(Vec::into(self.spans), all), texts) {
            (Column::Text(_), Some(texts)) => Column::Text(texts),
            (plain, _) => plain,
        };
        Forms::made(plain, coded, self.integers.map(Integers::finish))
    }
}

/// The fields of `wanted` that are there in `batch`, of all its rows. Those that are not are left out.
pub(super) fn read(batch: &EventBatch, all: &Selection, wanted: &[Wanted]) -> Vec<(Arc<str>, Forms)> {
    let mut readings: Vec<Reading> = wanted.iter().filter_map(|wanted| Reading::new(batch, wanted)).collect();
    if readings.is_empty() {
        return Vec::new();
    }
    for start in (0..batch.len()).step_by(STRETCH_ROWS) {
        let stretch = start..batch.len().min(start + STRETCH_ROWS);
        bring_near(batch.texts(stretch.clone()));
        readings.iter_mut().for_each(|reading| reading.read(batch, stretch.clone()));
    }
    let forms = |reading: Reading| (Arc::clone(&reading.name), reading.forms(batch, all));
    readings.into_iter().map(forms).collect()
}

/// Has `texts` brought into the nearer caches: read in order they come ahead of the reader, while a field here and there
/// of each would be waited for one by one.
fn bring_near(texts: &[u8]) {
    black_box(texts.iter().step_by(LINE_BYTES).fold(0, |sum: u8, byte| sum ^ byte));
}
