//! What standings differ in.

use std::ops::Range;
use std::time::Duration;

use weir_query::machine::Context;
use weir_query::program::Program;

use super::window::Window;
use super::{MetricDefinition, TimeBasis, WindowKind};

/// What the state of a standing hangs on: metrics with equal keys share one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct StandingKey {
    /// Of the program's first stage, arguments included.
    pub(super) fingerprint: u64,
    pub(super) granule_nanos: i64,
    pub(super) lateness: Duration,
    pub(super) idle_timeout: Duration,
    pub(super) time: TimeBasis,
    pub(super) timezone: String,
    pub(super) max_bytes: usize,
    /// Where the first stage looks at the clock or at the queried range.
    pub(super) window: Option<(WindowKind, Duration)>,
    /// It is kept between which times the events of each bucket lie.
    pub(super) extents: bool,
    /// What came since the last result is kept, for one metric alone: its number.
    pub(super) pane: Option<u64>,
}

impl StandingKey {
    pub(super) fn of(definition: &MetricDefinition, program: &Program) -> StandingKey {
        let window = Window::new(definition);
        StandingKey {
            fingerprint: program.first_fingerprint(),
            granule_nanos: window.granule_nanos,
            lateness: definition.lateness,
            idle_timeout: definition.idle_timeout,
            time: definition.time,
            timezone: definition.timezone.clone(),
            max_bytes: definition.max_bytes,
            window: program.depends_on_range().then_some((definition.kind, definition.window)),
            extents: window.gap_nanos.is_some(),
            pane: None,
        }
    }

    /// The key of a standing that shares with none and keeps what came since the last result.
    pub(super) fn with_pane(self, number: u64) -> StandingKey {
        StandingKey { pane: Some(number), ..self }
    }

    /// Whether buckets are of any use but for totals of a window, and can be read from history again.
    pub(super) fn may_fold(&self) -> bool {
        self.time == TimeBasis::Event && !self.extents && self.pane.is_none()
    }

    /// What a program of this key runs in at `now`, over a range of time in nanoseconds.
    pub(super) fn context(&self, range: Range<i64>, now_nanos: i64) -> Context {
        Context {
            now_millis: now_nanos.div_euclid(1_000_000),
            start_nanos: range.start,
            end_nanos: range.end,
            timezone: self.timezone.clone(),
            max_state_bytes: self.max_bytes,
            ..Context::default()
        }
    }
}
