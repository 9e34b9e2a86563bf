//! Standing metrics, as they are defined and shown.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use weir_engine::live::{
    CalendarUnit, Degraded, LiveResult, MetricDefinition, MetricInfo, Priority, Refinement, TimeBasis,
    WindowKind,
};

use super::query::Argument;
use crate::search::is_zone;

/// The window where none is given.
const DEFAULT_WINDOW: Duration = Duration::from_secs(3600);

/// Body of `PUT …/metrics/{name}`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetricRequest {
    /// CQL.
    #[serde(alias = "queryString")]
    pub query: String,
    /// `sliding` (default), `tumbling`, `calendar`, `global` or `session`.
    #[serde(alias = "windowKind")]
    pub kind: Option<KindWord>,
    /// `hour`, `day`, `week` or `month` of a calendar window.
    pub unit: Option<UnitWord>,
    /// The longest silence within a session.
    pub gap: Option<DurationText>,
    /// How far back it reaches: `5m`, or milliseconds.
    pub window: Option<DurationText>,
    /// The step in which it slides.
    pub granule: Option<DurationText>,
    /// `event` (default) or `ingest`.
    pub time: Option<TimeWord>,
    /// How long after its bucket closed an event may come.
    pub lateness: Option<DurationText>,
    /// How long a source may be silent, beyond the lateness, before it is no longer waited for.
    #[serde(rename = "idleTimeout", alias = "idle_timeout")]
    pub idle_timeout: Option<DurationText>,
    /// When results are pushed, such as `any(count(100), every(10s))`; by default whenever they change.
    pub trigger: Option<String>,
    /// `accumulating` (default), `discarding` or `retracting`.
    pub refinement: Option<RefinementWord>,
    /// `low`, `normal` (default) or `high`: who is put off first when the live path falls behind.
    pub priority: Option<PriorityWord>,
    /// Values of `?param`.
    pub arguments: Option<BTreeMap<String, Argument>>,
    /// The zone for time functions and the calendar.
    #[serde(alias = "zone")]
    pub timezone: Option<String>,
}

/// Which events a metric is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KindWord {
    /// Those of the last `window`.
    Sliding,
    /// Those of the present one of equal spans.
    Tumbling,
    /// Those of the present `unit`.
    Calendar,
    /// All.
    Global,
    /// Each session of the last `window` for itself.
    Session,
}

/// A span of the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UnitWord {
    /// From the full hour.
    Hour,
    /// From midnight.
    Day,
    /// From Monday.
    Week,
    /// From the first.
    Month,
}

/// How a pushed result relates to the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RefinementWord {
    /// It takes its place.
    Accumulating,
    /// It is of what came since.
    Discarding,
    /// It takes its place, and the rows that are no longer so come along.
    Retracting,
}

/// How much it matters that a metric is up to date.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PriorityWord {
    /// First to be put off.
    Low,
    /// As most are.
    Normal,
    /// Last to be put off.
    High,
}

/// A duration: milliseconds or text such as `90s`, `5m`, `1 hour`.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum DurationText {
    /// Milliseconds.
    Millis(u64),
    /// Number and unit.
    Text(String),
}

/// Which clock counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TimeWord {
    /// The time in the event.
    Event,
    /// The time of arrival.
    Ingest,
}

impl MetricRequest {
    /// The definition it means; what is left out follows from the window.
    ///
    /// # Errors
    /// The key that means nothing, as a sentence.
    pub fn definition(&self) -> Result<MetricDefinition, String> {
        let read = |name: &str, given: &Option<DurationText>| match given {
            None => Ok(None),
            Some(DurationText::Millis(millis)) => Ok(Some(Duration::from_millis(*millis))),
            Some(DurationText::Text(text)) => parse_duration(text).map(Some).ok_or_else(|| {
                format!("{name}: {text:?} is no duration; expected such as `90s`, `5m`, `1h`")
            }),
        };
        if let Some(zone) = self.timezone.as_deref().filter(|zone| !zone.is_empty() && !is_zone(zone)) {
            return Err(format!("timezone: {zone:?} is neither a zone nor an offset"));
        }
        let window = read("window", &self.window)?;
        let kind = self.window_kind(read("gap", &self.gap)?)?;
        let mut definition = MetricDefinition::new(&self.query, window.unwrap_or(DEFAULT_WINDOW)).over(kind);
        if let Some(granule) = read("granule", &self.granule)? {
            definition.granule = granule;
            definition.lateness = granule;
        }
        if let Some(lateness) = read("lateness", &self.lateness)? {
            definition.lateness = lateness;
        }
        if let Some(idle_timeout) = read("idleTimeout", &self.idle_timeout)? {
            definition.idle_timeout = idle_timeout;
        }
        definition.trigger = self.trigger.clone().unwrap_or_default();
        definition.refinement = match self.refinement {
            None | Some(RefinementWord::Accumulating) => Refinement::Accumulating,
            Some(RefinementWord::Discarding) => Refinement::Discarding,
            Some(RefinementWord::Retracting) => Refinement::Retracting,
        };
        definition.priority = self.priority.map_or(Priority::Normal, PriorityWord::priority);
        if self.time == Some(TimeWord::Ingest) {
            definition.time = TimeBasis::Ingest;
        }
        let arguments = self.arguments.iter().flatten();
        definition.arguments = arguments.map(|(name, value)| (name.clone(), value.texts())).collect();
        definition.timezone = self.timezone.clone().unwrap_or_default();
        Ok(definition)
    }

    /// The kind of window; what does not belong to it must not be given.
    fn window_kind(&self, gap: Option<Duration>) -> Result<WindowKind, String> {
        let kind = self.kind.unwrap_or(KindWord::Sliding);
        let only = |what: &str, given: bool, of: bool| match given && !of {
            true => Err(format!("{what}: a {kind:?} window has none").to_ascii_lowercase()),
            false => Ok(()),
        };
        let has_length = !matches!(kind, KindWord::Calendar | KindWord::Global);
        only("window", self.window.is_some(), has_length)?;
        only("granule", self.granule.is_some(), kind != KindWord::Global)?;
        only("unit", self.unit.is_some(), kind == KindWord::Calendar)?;
        only("gap", self.gap.is_some(), kind == KindWord::Session)?;
        match kind {
            KindWord::Sliding => Ok(WindowKind::Sliding),
            KindWord::Tumbling => Ok(WindowKind::Tumbling),
            KindWord::Global => Ok(WindowKind::Global),
            KindWord::Calendar => {
                let unit = self.unit.ok_or("unit: a calendar window needs one: hour, day, week or month")?;
                Ok(WindowKind::Calendar(unit.unit()))
            }
            KindWord::Session => {
                let gap = gap.ok_or("gap: a session window needs one, such as `30s`")?;
                Ok(WindowKind::Session { gap })
            }
        }
    }
}

impl UnitWord {
    fn unit(self) -> CalendarUnit {
        match self {
            UnitWord::Hour => CalendarUnit::Hour,
            UnitWord::Day => CalendarUnit::Day,
            UnitWord::Week => CalendarUnit::Week,
            UnitWord::Month => CalendarUnit::Month,
        }
    }

    fn of(unit: CalendarUnit) -> UnitWord {
        match unit {
            CalendarUnit::Hour => UnitWord::Hour,
            CalendarUnit::Day => UnitWord::Day,
            CalendarUnit::Week => UnitWord::Week,
            CalendarUnit::Month => UnitWord::Month,
        }
    }
}

impl KindWord {
    fn of(kind: WindowKind) -> KindWord {
        match kind {
            WindowKind::Sliding => KindWord::Sliding,
            WindowKind::Tumbling => KindWord::Tumbling,
            WindowKind::Calendar(_) => KindWord::Calendar,
            WindowKind::Global => KindWord::Global,
            WindowKind::Session { .. } => KindWord::Session,
        }
    }
}

impl RefinementWord {
    fn of(refinement: Refinement) -> RefinementWord {
        match refinement {
            Refinement::Accumulating => RefinementWord::Accumulating,
            Refinement::Discarding => RefinementWord::Discarding,
            Refinement::Retracting => RefinementWord::Retracting,
        }
    }
}

impl PriorityWord {
    fn priority(self) -> Priority {
        match self {
            PriorityWord::Low => Priority::Low,
            PriorityWord::Normal => Priority::Normal,
            PriorityWord::High => Priority::High,
        }
    }

    fn of(priority: Priority) -> PriorityWord {
        match priority {
            Priority::Low => PriorityWord::Low,
            Priority::Normal => PriorityWord::Normal,
            Priority::High => PriorityWord::High,
        }
    }
}

/// A number with an optional fraction and a unit.
fn parse_duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    let digits = text.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b'.').count();
    let (number, unit) = text.split_at_checked(digits)?;
    let scale = match unit.trim().to_ascii_lowercase().as_str() {
        "ms" | "milli" | "millis" | "millisecond" | "milliseconds" => 0.001,
        "s" | "sec" | "secs" | "second" | "seconds" => 1.0,
        "m" | "min" | "mins" | "minute" | "minutes" => 60.0,
        "h" | "hr" | "hrs" | "hour" | "hours" => 3_600.0,
        "d" | "day" | "days" => 86_400.0,
        "w" | "week" | "weeks" => 604_800.0,
        _ => return None,
    };
    Duration::try_from_secs_f64(number.parse::<f64>().ok()? * scale).ok()
}

/// A standing metric and how it does.
#[derive(Clone, Debug, Serialize)]
pub struct MetricFacts {
    /// Its name.
    pub name: String,
    /// CQL.
    pub query: String,
    /// Which events it is over.
    pub kind: KindWord,
    /// The span of a calendar window.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<UnitWord>,
    /// The longest silence within a session, ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gap_millis: Option<u64>,
    /// The zone of the calendar and of time functions; empty is UTC.
    pub timezone: String,
    /// How far back it reaches, ms.
    pub window_millis: u64,
    /// The step in which it slides, ms.
    pub granule_millis: u64,
    /// How long after its bucket closed an event may come, ms.
    pub lateness_millis: u64,
    /// How long a source may be silent, beyond the lateness, before it is no longer waited for, ms.
    pub idle_timeout_millis: u64,
    /// When results are pushed; empty: whenever they change.
    pub trigger: String,
    /// How a pushed result relates to the one before.
    pub refinement: RefinementWord,
    /// Which clock counts.
    pub time: TimeWord,
    /// Of the latest result.
    pub revision: u64,
    /// Bytes its states hold, shared ones in full.
    pub state_bytes: usize,
    /// Metrics and live jobs that share these states, itself included.
    pub shared_by: usize,
    /// How events come to it: `level = "ERROR" by hash`, `always a candidate`.
    pub access: String,
    /// Who is put off first when the live path falls behind.
    pub priority: PriorityWord,
    /// What it costs to step over an event of the repository, whether or not it is brought to this metric, ns of the live
    /// thread; shared states in full.
    pub nanos_per_event: f64,
    /// Events that were brought to it.
    pub events_seen: u64,
    /// The live path fell behind: its results are of a while ago.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub degraded: Option<DegradedFacts>,
    /// Readers that have it pushed.
    pub subscriptions: usize,
    /// What is wrong with it; empty: nothing.
    pub problem: String,
    /// Where what it has learnt comes from.
    pub origin: OriginWord,
    /// How long it was read, ms; absent: it still is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filled_after_millis: Option<u64>,
}

/// Why results are of a while ago.
#[derive(Clone, Debug, Serialize)]
pub struct DegradedFacts {
    /// Since when, ms.
    pub since: i64,
    /// Of which time its results are, ms.
    pub as_of: i64,
    /// Why.
    pub reason: String,
}

impl DegradedFacts {
    fn of(degraded: &Degraded) -> DegradedFacts {
        DegradedFacts {
            since: degraded.since_nanos.div_euclid(1_000_000),
            as_of: degraded.as_of_nanos.div_euclid(1_000_000),
            reason: degraded.reason.to_string(),
        }
    }
}

/// Where what a metric has learnt comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum OriginWord {
    /// At the start from a snapshot, and what came since from history.
    Snapshot,
    /// All of it from history.
    History,
}

impl From<MetricInfo> for MetricFacts {
    fn from(info: MetricInfo) -> MetricFacts {
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let definition = info.definition;
        MetricFacts {
            name: info.name,
            query: definition.query,
            kind: KindWord::of(definition.kind),
            unit: match definition.kind {
                WindowKind::Calendar(unit) => Some(UnitWord::of(unit)),
                _ => None,
            },
            gap_millis: match definition.kind {
                WindowKind::Session { gap } => Some(millis(gap)),
                _ => None,
            },
            timezone: definition.timezone,
            window_millis: millis(definition.window),
            granule_millis: millis(definition.granule),
            lateness_millis: millis(definition.lateness),
            idle_timeout_millis: millis(definition.idle_timeout),
            trigger: definition.trigger,
            refinement: RefinementWord::of(definition.refinement),
            time: match definition.time {
                TimeBasis::Event => TimeWord::Event,
                TimeBasis::Ingest => TimeWord::Ingest,
            },
            revision: info.revision,
            state_bytes: info.state_bytes,
            shared_by: info.shared_by,
            access: info.access,
            priority: PriorityWord::of(definition.priority),
            nanos_per_event: tenths(info.nanos_per_event),
            events_seen: info.events_seen,
            degraded: info.degraded.as_ref().map(DegradedFacts::of),
            subscriptions: info.subscriptions,
            problem: info.problem,
            origin: if info.is_restored { OriginWord::Snapshot } else { OriginWord::History },
            filled_after_millis: info.filled_after.map(millis),
        }
    }
}

/// `number`, to a tenth.
pub(super) fn tenths(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}

/// What `GET …/metrics/{name}` says besides the rows.
#[derive(Clone, Debug, Serialize)]
pub struct MetricState {
    /// Grows with every result.
    pub revision: u64,
    /// `partial`, `final` or `revised`.
    pub status: &'static str,
    /// The window has ended: the next result is of the window after it.
    pub closed: bool,
    /// No event before this time is expected any more, ms; null: no event yet.
    pub watermark: Option<i64>,
    /// Start of the window, ms.
    pub start: i64,
    /// End of the window, ms.
    pub end: i64,
    /// Events in the window.
    pub events: u64,
    /// Events that came late.
    pub late: u64,
    /// Events that came too late for the ring, or did not fit.
    pub dropped: u64,
    /// Events from the future.
    pub future: u64,
    /// Events that were too far in the future, and were read from the store when their time came.
    pub repaired: u64,
    /// History is still being read.
    pub backfilling: bool,
    /// The live path fell behind: this is of a while ago.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub degraded: Option<DegradedFacts>,
    /// From arrival to here, ms.
    pub lag_millis: i64,
    /// Names of columns in the order to be shown.
    pub field_order: Vec<String>,
    /// What the reader should know.
    pub warnings: Vec<String>,
}

impl MetricState {
    /// Of a result.
    #[must_use]
    pub fn of(result: &LiveResult) -> MetricState {
        let millis = |nanos: i64| nanos.div_euclid(1_000_000);
        MetricState {
            revision: result.revision,
            status: result.status.as_str(),
            closed: result.closed,
            watermark: result.watermark_nanos.map(millis),
            start: millis(result.start_nanos),
            end: millis(result.end_nanos),
            events: result.events,
            late: result.late,
            dropped: result.dropped,
            future: result.future,
            repaired: result.repaired,
            backfilling: result.backfilling,
            degraded: result.degraded.as_ref().map(DegradedFacts::of),
            lag_millis: millis(result.lag_nanos),
            field_order: result.table.columns.iter().map(|(name, _)| name.to_string()).collect(),
            warnings: result.table.warnings.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definitions_are_read() {
        let read = |text: &str| serde_json::from_str::<MetricRequest>(text).unwrap().definition();
        let metric =
            read(r#"{"query":"count()","window":"5m","granule":1000,"time":"ingest","lateness":"1.5 s"}"#)
                .unwrap();
        assert_eq!(metric.window, Duration::from_secs(300));
        assert_eq!(metric.granule, Duration::from_secs(1));
        assert_eq!(metric.lateness, Duration::from_millis(1500));
        assert_eq!(metric.time, TimeBasis::Ingest);
        assert_eq!(read(r#"{"query":"count()"}"#).unwrap().window, DEFAULT_WINDOW);
        assert!(read(r#"{"query":"x","window":"soon"}"#).unwrap_err().starts_with("window"));
        assert!(read(r#"{"query":"x","window":"-5m"}"#).is_err());
        assert!(read(r#"{"query":"x","timezone":"Mars/Olympus"}"#).unwrap_err().starts_with("timezone"));
        assert!(read(r#"{"query":"x","timezone":"Europe/Copenhagen"}"#).is_ok());
        for (text, priority) in [("", Priority::Normal), (r#","priority":"low""#, Priority::Low)] {
            assert_eq!(read(&format!(r#"{{"query":"x"{text}}}"#)).unwrap().priority, priority);
        }
        let fault =
            serde_json::from_str::<MetricRequest>(r#"{"query":"x","priority":"urgent"}"#).unwrap_err();
        assert!(fault.to_string().contains("expected one of `low`, `normal`, `high`"), "{fault}");
        assert!(serde_json::from_str::<MetricRequest>(r#"{"query":"x","widow":"5m"}"#).is_err());
    }
}
