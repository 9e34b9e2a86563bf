//! The engine's counters, read at every scrape.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use weir_engine::{Engine, EngineStats};

use super::memory::Memory;

/// Shows an engine's counters.
pub(crate) struct EngineMetrics {
    engine: Arc<Engine>,
}

impl EngineMetrics {
    pub(crate) fn new(engine: Arc<Engine>) -> EngineMetrics {
        EngineMetrics { engine }
    }
}

impl fmt::Debug for EngineMetrics {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("EngineMetrics")
    }
}

/// Name, help and value of what only grows.
fn counters(stats: &EngineStats) -> [(&'static str, &'static str, u64); 23] {
    [
        ("engine_events_appended", "Events acknowledged", stats.events_appended),
        ("engine_raw_bytes_appended", "Raw bytes acknowledged", stats.raw_bytes_appended),
        ("engine_batches_appended", "Batches acknowledged", stats.batches_appended),
        ("engine_batches_duplicate", "Batches known by their key", stats.duplicates),
        ("engine_refused_busy", "Batches refused: queue full", stats.refused_busy),
        ("engine_refused_disk_full", "Batches refused: disk full", stats.refused_disk_full),
        ("engine_refused_other", "Batches refused: other", stats.refused_other),
        ("engine_log_bytes_written", "Bytes written to the log", stats.log_bytes_written),
        ("engine_log_syncs", "Syncs of the log", stats.log_syncs),
        ("engine_log_sync_nanos", "Nanoseconds in those syncs", stats.log_sync_nanos),
        ("engine_events_replayed", "Events replayed at start", stats.events_replayed),
        ("engine_blocks_sealed", "Blocks sealed", stats.blocks_sealed),
        ("engine_raw_bytes_sealed", "Raw bytes sealed", stats.raw_bytes_sealed),
        ("engine_seal_failures", "Seals that failed", stats.seal_failures),
        ("engine_seal_cpu_nanos", "CPU nanoseconds of sealing", stats.seal_cpu_nanos),
        ("engine_merge_cpu_nanos", "CPU nanoseconds of merging", stats.merge_cpu_nanos),
        ("engine_index_cpu_nanos", "CPU nanoseconds of facts and indexes in both", stats.index_cpu_nanos),
        ("engine_merges", "Merges of segments", stats.merges),
        ("engine_segments_merged", "Segments merged away", stats.segments_merged),
        ("engine_segments_expired", "Segments removed by retention", stats.segments_expired),
        ("engine_feed_missed_batches", "Batches a follower must reread", stats.feed_missed_batches),
        ("engine_state_cache_hits", "Blocks answered from kept states", stats.state_cache_hits),
        ("engine_state_cache_misses", "Blocks without a kept state", stats.state_cache_misses),
    ]
}

/// Name, help and value of what is now.
fn gauges(stats: &EngineStats, memory: &Memory) -> [(&'static str, &'static str, u64); 16] {
    [
        ("engine_damaged", "Damage found at start", stats.damaged),
        ("engine_log_files", "Log files in use", stats.log_files),
        ("engine_queue_batches", "Batches waiting for the log", stats.queue_batches),
        ("engine_queue_bytes", "Bytes waiting for the log", stats.queue_bytes),
        ("engine_head_bytes", "Raw bytes not yet in segments", stats.head_bytes),
        ("engine_segments", "Segments", stats.segments),
        ("engine_segment_bytes", "Bytes of all segments", stats.segment_bytes),
        ("engine_index_bytes", "Bytes of their gram indexes", stats.index_bytes),
        ("engine_block_cache_blocks", "Blocks kept open", stats.block_cache_blocks),
        ("engine_block_cache_bytes", "Memory of blocks kept open", stats.block_cache_bytes),
        ("engine_state_cache_entries", "States kept", stats.state_cache_entries),
        ("engine_state_cache_bytes", "Memory of states kept", stats.state_cache_bytes),
        ("process_resident_bytes", "Memory in use, mapped files included", memory.resident),
        ("process_anonymous_bytes", "Memory in use that is no mapped file", memory.anonymous),
        ("engine_free_bytes", "Bytes free on the file system", stats.free_bytes),
        ("engine_log_failed", "1: the log takes nothing more", u64::from(stats.poisoned.is_some())),
    ]
}

impl Collector for EngineMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let stats = self.engine.stats();
        for (name, help, value) in counters(&stats) {
            let metric = ConstCounter::new(value);
            let place = encoder.encode_descriptor(name, help, None, metric.metric_type())?;
            metric.encode(place)?;
        }
        for (name, help, value) in gauges(&stats, &Memory::now()) {
            let metric = ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
            let place = encoder.encode_descriptor(name, help, None, metric.metric_type())?;
            metric.encode(place)?;
        }
        Ok(())
    }
}
