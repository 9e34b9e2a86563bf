//! What a scan is told besides its source and its program.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use weir_query::machine::Context;

use super::{ScanPool, StateCache};

/// The most bytes the states of one scan may hold together, by default.
pub const DEFAULT_STATE_BYTES: usize = 1 << 30;
/// The most bytes of matches a streaming scan holds back to put them in order, by default.
pub const DEFAULT_HELD_BYTES: usize = 64 << 20;
/// The most matches that wait for the reader of a streaming scan, by default.
pub const DEFAULT_OUTPUT_ROWS: usize = 16_384;

/// How a scan runs.
#[derive(Clone, Debug)]
pub struct ScanOptions {
    /// What the program runs in. Its time range is the scan's: only events in `[start_nanos, end_nanos)` count.
    pub context: Context,
    /// Only events with a time in this range count, nanoseconds; `None`: that of the context.
    pub time_range: Option<Range<i64>>,
    /// Least sequence that counts.
    pub first_sequence: u64,
    /// Greatest sequence that counts.
    pub last_sequence: u64,
    /// The threads to run on; `None`: the pool all scans of this run of the program share.
    pub pool: Option<ScanPool>,
    /// The most threads of the pool this scan may use at once; 0: all of them.
    pub max_threads: usize,
    /// So long the thread that starts the scan works on it itself before the pool's threads are woken: most searches
    /// are done before one of those would have begun. Zero: not at all.
    pub head_start: Duration,
    /// The scan stops with a partial answer after this long; `None`: never.
    pub time_budget: Option<Duration>,
    /// The scan stops with a partial answer when its states hold more than this, bytes.
    pub max_state_bytes: usize,
    /// Matches are handed out through [`super::ScanHandle::next_rows`], newest first. For programs compiled with
    /// [`weir_query::compile::Ending::Stream`]; one that ends in an aggregate hands its table out at the end.
    pub stream: bool,
    /// Matches held back to put them in order; over it they are handed out as they are, with a warning. Bytes.
    pub max_held_bytes: usize,
    /// Where states of blocks are kept, for scans that ask the same; `None`: every block is read anew, and nothing of
    /// it is kept.
    pub states: Option<Arc<StateCache>>,
    /// Matches that wait for the reader; over it the scan waits. Rows.
    pub max_output_rows: usize,
}

impl ScanOptions {
    /// Runs in `context`, with default budgets, on the shared pool.
    #[must_use]
    pub fn new(context: Context) -> ScanOptions {
        ScanOptions {
            context,
            time_range: None,
            first_sequence: 0,
            last_sequence: u64::MAX,
            pool: None,
            max_threads: 0,
            head_start: Duration::ZERO,
            time_budget: None,
            max_state_bytes: DEFAULT_STATE_BYTES,
            stream: false,
            max_held_bytes: DEFAULT_HELD_BYTES,
            states: Some(StateCache::shared()),
            max_output_rows: DEFAULT_OUTPUT_ROWS,
        }
    }

    /// Runs over all time.
    #[must_use]
    pub fn over_all_time() -> ScanOptions {
        ScanOptions::new(Context {
            start_nanos: i64::MIN,
            end_nanos: i64::MAX,
            max_state_bytes: DEFAULT_STATE_BYTES,
            ..Context::default()
        })
    }
}
