//! What a metric remembers besides its standing, at one moment.

use std::ops::Range;

use super::Metric;
use crate::live::MetricDefinition;
use crate::live::emission::EmissionCut;

/// What one metric remembers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::live) struct MetricCut {
    pub(in crate::live) name: String,
    /// A hash of its definition: what is remembered is of no use to another.
    pub(in crate::live) definition: u64,
    /// The span that results are of until it is closed.
    pub(in crate::live) open: Option<Range<i64>>,
    pub(in crate::live) emission: Option<EmissionCut>,
}

fn hash(definition: &MetricDefinition) -> u64 {
    xxhash_rust::xxh3::xxh3_64(format!("{definition:?}").as_bytes())
}

impl Metric {
    /// What it remembers; `None`: nothing.
    pub(in crate::live) fn cut(&self) -> Option<MetricCut> {
        let (open, emission) = (self.open.clone(), self.emission.cut());
        let is_any = open.is_some() || emission.is_some();
        is_any.then(|| MetricCut {
            name: self.name.clone(),
            definition: hash(&self.definition),
            open,
            emission,
        })
    }

    /// Goes on from `cut`, if that is of the same definition. Its standing must go on from the same moment.
    pub(in crate::live) fn take_up(&mut self, cut: MetricCut) {
        if cut.definition != hash(&self.definition) {
            return;
        }
        self.open = cut.open.filter(|_| self.window.is_closing());
        if let Some(emission) = cut.emission {
            self.emission.take_up(emission);
        }
    }
}
