//! What a start finds of the metrics that it is about to define.

use std::sync::Arc;

use hashbrown::HashMap;
use weir_query::machine::Machine;
use weir_query::program::Program;

use super::Saved;
use crate::live::metric::MetricCut;
use crate::live::standing::{Standing, StandingCut};
use crate::live::standing_key::StandingKey;
use crate::live::window::Window;

/// A snapshot, and what it is asked for: there while the metrics of a repository are opened.
pub(in crate::live) struct Restoring {
    saved: Saved,
    /// The windows of all metrics that will share a standing: what the longest needs must not be let go of for the first.
    coming: HashMap<StandingKey, Vec<Window>, foldhash::fast::RandomState>,
    /// What metrics remember whose standings have been restored, by name.
    metrics: HashMap<String, MetricCut, foldhash::fast::RandomState>,
}

impl Restoring {
    pub(in crate::live) fn new(saved: Saved) -> Restoring {
        Restoring { saved, coming: HashMap::default(), metrics: HashMap::default() }
    }

    /// A metric over `window` will share the standing of `key`.
    pub(in crate::live) fn expect(&mut self, key: StandingKey, window: Window) {
        self.coming.entry(key).or_default().push(window);
    }

    /// What `standing`, which is for the metric `name` first, can go on from, and which windows are coming.
    pub(in crate::live) fn take(
        &mut self,
        standing: &Standing,
        name: &str,
        program: &Arc<Program>,
        now_nanos: i64,
    ) -> Option<(StandingCut, Vec<Window>)> {
        let key = standing.key();
        let machine = Machine::new(Arc::clone(program), standing.context(now_nanos));
        match self.saved.take(key, key.pane.map(|_| name), &machine) {
            Ok(found) => {
                let (cut, metrics) = found?;
                self.metrics.extend(metrics.into_iter().map(|metric| (metric.name.clone(), metric)));
                Some((cut, self.coming.remove(key).unwrap_or_default()))
            }
            Err(reason) => {
                tracing::warn!(
                    metric = name,
                    "a metric is read from history again: of its snapshot, {reason}"
                );
                None
            }
        }
    }

    /// What the metric `name` remembers, where its standing was restored.
    pub(in crate::live) fn take_metric(&mut self, name: &str) -> Option<MetricCut> {
        self.metrics.remove(name)
    }
}
