//! What is live, read at every scrape: all repositories together.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use weir_engine::live::LiveStats;

use crate::app::Lives;

/// Shows what is live.
pub(crate) struct LiveMetrics {
    lives: Arc<Lives>,
}

impl LiveMetrics {
    pub(crate) fn new(lives: Arc<Lives>) -> LiveMetrics {
        LiveMetrics { lives }
    }
}

impl fmt::Debug for LiveMetrics {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("LiveMetrics")
    }
}

/// Name, help and value of what only grows.
fn counters(stats: &LiveStats) -> [(&'static str, &'static str, u64); 9] {
    [
        ("live_batches", "Batches that standing metrics have seen", stats.batches),
        ("live_events", "Events that standing metrics have seen", stats.events),
        ("live_catch_ups", "Times that missed batches were read from history", stats.catch_ups),
        ("live_busy_nanos", "Nanoseconds that the live threads worked", stats.busy_nanos),
        ("live_deferrals", "Times that a state was put off, to be read from history", stats.deferrals),
        ("live_deferred_reads", "Times that one of these was read", stats.deferred_reads),
        ("live_snapshots", "Snapshots written of what metrics have learnt", stats.snapshots),
        ("live_snapshot_failures", "Snapshots that could not be written", stats.snapshot_failures),
        ("live_snapshot_nanos", "Nanoseconds that snapshots took", stats.snapshot_nanos),
    ]
}

/// Name, help and value of what is now.
fn gauges(stats: &LiveStats) -> [(&'static str, &'static str, u64); 14] {
    [
        ("live_metrics", "Standing metrics", stats.metrics as u64),
        ("live_states", "States that they share", stats.standings as u64),
        ("live_state_bytes", "Bytes of these states", stats.state_bytes as u64),
        ("live_states_deferred", "States that are put off, as live fell behind", stats.deferred as u64),
        ("live_nanos_per_event", "What all states cost for each event, by clock", stats.nanos_per_event),
        ("live_costliest_nanos_per_event", "What the costliest does", stats.costliest_nanos_per_event),
        ("live_lag_nanos", "From arrival to live metrics, of the newest events", stats.lag_nanos),
        ("live_states_restored", "States that came out of a snapshot at the start", stats.restored as u64),
        ("live_states_rebuilt", "States that were read from all of history", stats.rebuilt as u64),
        ("live_restore_nanos", "Nanoseconds until the last restored one was complete", stats.restore_nanos),
        ("live_rebuild_nanos", "Nanoseconds that the slowest other one was read for", stats.rebuild_nanos),
        ("live_snapshot_held_nanos", "Longest that a state was held for one", stats.snapshot_held_nanos),
        ("live_snapshot_bytes", "Bytes of the last snapshots", stats.snapshot_bytes),
        ("live_snapshot_left_out", "States that had no room in them", stats.snapshot_left_out),
    ]
}

fn add(all: LiveStats, more: LiveStats) -> LiveStats {
    LiveStats {
        metrics: all.metrics + more.metrics,
        standings: all.standings + more.standings,
        subscriptions: all.subscriptions + more.subscriptions,
        tails: all.tails + more.tails,
        state_bytes: all.state_bytes + more.state_bytes,
        batches: all.batches + more.batches,
        events: all.events + more.events,
        catch_ups: all.catch_ups + more.catch_ups,
        busy_nanos: all.busy_nanos + more.busy_nanos,
        nanos_per_event: all.nanos_per_event + more.nanos_per_event,
        costliest_nanos_per_event: all.costliest_nanos_per_event.max(more.costliest_nanos_per_event),
        lag_nanos: all.lag_nanos.max(more.lag_nanos),
        deferred: all.deferred + more.deferred,
        deferrals: all.deferrals + more.deferrals,
        deferred_reads: all.deferred_reads + more.deferred_reads,
        restored: all.restored + more.restored,
        restore_nanos: all.restore_nanos.max(more.restore_nanos),
        rebuilt: all.rebuilt + more.rebuilt,
        rebuild_nanos: all.rebuild_nanos.max(more.rebuild_nanos),
        snapshots: all.snapshots + more.snapshots,
        snapshot_failures: all.snapshot_failures + more.snapshot_failures,
        snapshot_nanos: all.snapshot_nanos + more.snapshot_nanos,
        snapshot_held_nanos: all.snapshot_held_nanos.max(more.snapshot_held_nanos),
        snapshot_bytes: all.snapshot_bytes + more.snapshot_bytes,
        snapshot_left_out: all.snapshot_left_out + more.snapshot_left_out,
    }
}

impl Collector for LiveMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let stats = self.lives.stats().into_iter().fold(LiveStats::default(), add);
        for (name, help, value) in counters(&stats) {
            let metric = ConstCounter::new(value);
            let place = encoder.encode_descriptor(name, help, None, metric.metric_type())?;
            metric.encode(place)?;
        }
        for (name, help, value) in gauges(&stats) {
            let metric = ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
            let place = encoder.encode_descriptor(name, help, None, metric.metric_type())?;
            metric.encode(place)?;
        }
        Ok(())
    }
}
