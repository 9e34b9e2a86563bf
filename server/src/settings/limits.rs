//! Every limit of the server, with its unit in its name and its default.

use serde::{Deserialize, Serialize};
use weir_engine::parsers::ParserLimits;

/// Limits that mean "off" when they are zero.
pub(super) const MAY_BE_ZERO: [&str; 10] = [
    "standing.max_lag_millis",
    "standing.snapshot_interval_millis",
    "standing.delta_cache_bytes",
    "query.state_cache_bytes",
    "storage.block_cache_bytes",
    "storage.brief_sync_micros",
    "query.scan_threads",
    "storage.retention_seconds",
    "storage.retention_bytes",
    "storage.min_free_bytes",
];

/// Most heads of one repository sealed at once: each takes a thread and the memory of a segment being built.
const SEAL_THREADS_MAX: i64 = 16;

/// Limits that mean nothing beyond a value, and that value.
pub(super) const AT_MOST: [(&str, i64); 2] =
    [("storage.seal_threads", SEAL_THREADS_MAX), ("storage.merge_cpu_percent", 100)];

/// Limits of connections, in the accept loop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Connections {
    /// Open connections at once; one more is answered 503 and closed.
    pub max_connections: usize,
    /// From the first byte of a request's head to its last.
    pub header_timeout_millis: u64,
    /// An open connection without a request.
    pub idle_timeout_millis: u64,
    /// A client that takes none of its answer.
    pub write_timeout_millis: u64,
    /// Bytes of a request's head.
    pub max_header_bytes: usize,
    /// Header lines of a request.
    pub max_header_lines: usize,
    /// From the signal to stop until unfinished requests are cut.
    pub shutdown_grace_millis: u64,
}

impl Default for Connections {
    fn default() -> Connections {
        Connections {
            max_connections: 8_192,
            header_timeout_millis: 10_000,
            idle_timeout_millis: 75_000,
            write_timeout_millis: 30_000,
            max_header_bytes: 64 << 10,
            max_header_lines: 100,
            shutdown_grace_millis: 15_000,
        }
    }
}

/// Limits of ingest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ingest {
    /// Bytes of a body as sent.
    pub max_wire_bytes: usize,
    /// Bytes of a body after decompression.
    pub max_decoded_bytes: usize,
    /// Decoded bytes per byte on the wire, once a body is larger than a few MiB.
    pub max_decode_ratio: usize,
    /// Between two pieces of a body.
    pub body_idle_timeout_millis: u64,
    /// A whole body.
    pub body_total_timeout_millis: u64,
    /// Bytes of bodies held at once, over all requests; one more is answered 429.
    pub max_in_flight_bytes: usize,
    /// What a refused client is told to wait.
    pub retry_after_millis: u64,
    /// Bytes of one event.
    pub max_event_bytes: usize,
    /// Bodies decoded at once.
    pub decode_threads: usize,
    /// Which bodies without an idempotency key are known again when they are sent twice; a request can say otherwise.
    pub dedupe: Dedupe,
}

impl Default for Ingest {
    fn default() -> Ingest {
        Ingest {
            max_wire_bytes: 64 << 20,
            max_decoded_bytes: 64 << 20,
            max_decode_ratio: 200,
            body_idle_timeout_millis: 15_000,
            body_total_timeout_millis: 300_000,
            max_in_flight_bytes: 256 << 20,
            retry_after_millis: 500,
            max_event_bytes: 1 << 20,
            decode_threads: cores(),
            dedupe: Dedupe::Off,
        }
    }
}

/// Limits of queries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Query {
    /// Queries compiled, finished and encoded at once; scans have threads of their own.
    pub answer_threads: usize,
    /// Requests that wait for one of those turns; one more is answered 429.
    pub max_waiting: usize,
    /// A scan that takes longer ends with what it has, marked partial.
    pub timeout_millis: u64,
    /// An answer that is streamed may take this long: its client decides how fast it goes.
    pub stream_timeout_millis: u64,
    /// Memory one query's state may hold.
    pub max_state_bytes: usize,
    /// Memory for what queries learnt of sealed blocks, kept for those who ask the same again; 0: nothing is kept.
    pub state_cache_bytes: usize,
    /// Threads of one scan; 0: one a core.
    pub scan_threads: usize,
    /// Query jobs kept.
    pub max_jobs: usize,
    /// A job that nobody asks about.
    pub job_lifetime_millis: u64,
    /// A live job that nobody asks about.
    pub live_job_lifetime_millis: u64,
    /// Time until a running job should be asked about again.
    pub poll_after_millis: u64,
    /// Bytes of a request body.
    pub max_request_bytes: usize,
    /// A lookup file that is uploaded, bytes.
    pub max_file_bytes: usize,
    /// Bytes of request bodies held at once, over all requests; one more is answered 429.
    pub max_requests_bytes: usize,
}

impl Default for Query {
    fn default() -> Query {
        Query {
            answer_threads: cores().max(2),
            max_waiting: 256,
            timeout_millis: 180_000,
            stream_timeout_millis: 3_600_000,
            max_state_bytes: 256 << 20,
            state_cache_bytes: 64 << 20,
            scan_threads: 0,
            max_jobs: 1_000,
            job_lifetime_millis: 90_000,
            live_job_lifetime_millis: 3_600_000,
            poll_after_millis: 100,
            max_request_bytes: 2 << 20,
            max_file_bytes: 128 << 20,
            max_requests_bytes: 64 << 20,
        }
    }
}

/// Limits of standing metrics and of whoever follows them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Standing {
    /// Standing metrics of one repository.
    pub max_metrics: usize,
    /// Event streams open at once (live queries, pushed results); one more is answered 503.
    pub max_streams: usize,
    /// Memory for earlier results of pushed metrics, from which deltas are made for readers who missed some; 0: such
    /// readers are sent whole results.
    pub delta_cache_bytes: usize,
    /// A silent event stream gets a comment line this often.
    pub heartbeat_millis: u64,
    /// From one snapshot of what metrics have learnt to the next, at least; 0: none is written, and after a restart all of
    /// it is read from history.
    pub snapshot_interval_millis: u64,
    /// Bytes of the snapshot of one repository: what has no room is read from history after a restart.
    pub max_snapshot_bytes: u64,
    /// From the arrival of events to their being seen by standing metrics: when it takes longer, metrics of the lowest
    /// priority, and of those the costliest, degrade: they are read from history now and then. 0: never.
    pub max_lag_millis: u64,
    /// From one such reading of a metric to the next, at least.
    pub degraded_interval_millis: u64,
}

impl Default for Standing {
    fn default() -> Standing {
        Standing {
            max_metrics: 10_000,
            max_streams: 4_096,
            delta_cache_bytes: 64 << 20,
            heartbeat_millis: 15_000,
            snapshot_interval_millis: 30_000,
            max_snapshot_bytes: 256 << 20,
            max_lag_millis: 2_000,
            degraded_interval_millis: 10_000,
        }
    }
}

/// Limits of parsers, which run over events before they are stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Parser {
    /// Bytes of a parser's text.
    pub max_bytes: usize,
    /// Fields that a parser may give one event: over it the event stays as it came, and says so.
    pub max_fields_per_event: usize,
    /// Bytes of the names and values of these fields together.
    pub max_field_bytes_per_event: usize,
    /// Events that a parser may make of one.
    pub max_events_per_event: usize,
    /// Memory that what a parser makes of some events may take at once.
    pub max_state_bytes: usize,
    /// Examples, or stored events, that a parser is tried on in one request.
    pub max_samples: usize,
}

impl Default for Parser {
    fn default() -> Parser {
        let limits = ParserLimits::default();
        Parser {
            max_bytes: limits.max_bytes,
            max_fields_per_event: limits.max_fields_per_event,
            max_field_bytes_per_event: limits.max_field_bytes_per_event,
            max_events_per_event: limits.max_events_per_event,
            max_state_bytes: limits.max_state_bytes,
            max_samples: 1_000,
        }
    }
}

impl Parser {
    /// As the engine takes them.
    #[must_use]
    pub fn limits(&self) -> ParserLimits {
        ParserLimits {
            max_bytes: self.max_bytes,
            max_fields_per_event: self.max_fields_per_event,
            max_field_bytes_per_event: self.max_field_bytes_per_event,
            max_events_per_event: self.max_events_per_event,
            max_state_bytes: self.max_state_bytes,
        }
    }
}

/// The store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Storage {
    /// What an acknowledgement means unless a request says otherwise: `fsync`, `os` or `memory`.
    pub level: Level,
    /// Events older than this are dropped; 0: kept.
    pub retention_seconds: u64,
    /// Oldest events are dropped when the store is larger; 0: kept.
    pub retention_bytes: u64,
    /// Events are refused while the file system has less room than this.
    pub min_free_bytes: u64,
    /// Memory for sealed blocks that are kept open between queries; 0: none are.
    pub block_cache_bytes: usize,
    /// While to write and sync usually takes less than this, a sender of few bytes does it itself; 0: never. The price:
    /// the first that stalls holds the thread that serves its sender, and others, until it is over.
    pub brief_sync_micros: u64,
    /// Full heads of one repository that are sealed at once, a thread each; at most 16.
    pub seal_threads: usize,
    /// Share of one core that merging segments may take; at most 100.
    pub merge_cpu_percent: u8,
    /// Repositories that may exist.
    pub max_repositories: usize,
}

impl Default for Storage {
    fn default() -> Storage {
        Storage {
            level: Level::Fsync,
            retention_seconds: 0,
            retention_bytes: 0,
            min_free_bytes: 256 << 20,
            block_cache_bytes: 256 << 20,
            brief_sync_micros: 1_000,
            seal_threads: 2,
            merge_cpu_percent: 25,
            max_repositories: 1_000,
        }
    }
}

/// What an acknowledgement means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// The disk has it.
    #[default]
    Fsync,
    /// The operating system has it.
    Os,
    /// This program has it.
    Memory,
}

/// How a body that was sent without an idempotency key is known when it comes again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dedupe {
    /// Not at all: it is stored twice.
    #[default]
    Off,
    /// By its bytes, for as long as keys are remembered.
    Content,
}

/// Cores this program may use.
fn cores() -> usize {
    std::thread::available_parallelism().map_or(2, std::num::NonZero::get)
}
