//! A request that has been read: its program, its time range, its context.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::{Offset, TimeZone};
use weir_engine::live::{Again, MetricDefinition};
use weir_engine::scan::{ScanOptions, ScanPool};
use weir_query::compile::{Ending, Known, Options};
use weir_query::machine::Context;
use weir_query::program::{OutputKind, Program};

use super::parse_time;
use crate::error::ApiError;
use crate::settings::Query;
use crate::wire::{Argument, QueryRequest};

/// So long the answering thread works on a scan itself before it wakes others for it: what a few wake-ups take.
const HEAD_START: Duration = Duration::from_micros(500);
/// Where a search starts when its request does not say.
const DEFAULT_START: &str = "24hours";
/// Where it ends.
const NOW: &str = "now";
/// Nanoseconds in a millisecond.
const NANOS_PER_MILLI: i64 = 1_000_000;

/// What the answer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Every match, as it is found.
    Stream,
    /// A result of bounded size that is asked for again and again.
    Job,
}

/// A query that can run.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// The text.
    pub text: String,
    /// The values of its parameters.
    pub arguments: BTreeMap<String, Vec<String>>,
    /// The lookup tables and saved queries there were when it was compiled.
    pub known: Known,
    /// What it ends in without an aggregate.
    pub ending: Ending,
    /// Compiled.
    pub program: Arc<Program>,
    /// Time range, zone and bounds.
    pub context: Context,
    /// It goes on with what arrives.
    pub is_live: bool,
    /// The request named a start.
    pub has_start: bool,
}

impl Prepared {
    /// Reads a request at the time `now_nanos`, with the lookup tables and saved queries there are.
    ///
    /// # Errors
    /// 400 when the query does not compile or a time or zone means nothing.
    pub fn new(
        request: &QueryRequest,
        purpose: Purpose,
        now_nanos: i64,
        limits: &Query,
        known: &Known,
    ) -> Result<Prepared, ApiError> {
        let zone = zone(request)?;
        let is_live = request.is_live.unwrap_or(false);
        let start = request.start.as_ref().map_or_else(|| DEFAULT_START.to_owned(), |time| time.to_text());
        if is_live && request.end.as_ref().is_some_and(|end| !end.to_text().trim().eq_ignore_ascii_case(NOW))
        {
            return Err(ApiError::bad_request("a live query ends now").hint("leave `end` out"));
        }
        let end = request.end.as_ref().map_or_else(|| NOW.to_owned(), |time| time.to_text());
        let time = |name: &str, text: &str| {
            parse_time(text, now_nanos, &zone)
                .map_err(|error| ApiError::bad_request(format!("{name}: {error}")))
        };
        let start_nanos = time("start", &start)?;
        // The end is exclusive, and what was acknowledged before the request is before its now.
        let end_nanos = if end.trim() == NOW { now_nanos.saturating_add(1) } else { time("end", &end)? };
        if start_nanos > end_nanos {
            return Err(ApiError::bad_request(format!("start ({start}) is after end ({end})")));
        }
        let arguments = arguments(request.arguments.as_ref());
        let ending = match purpose {
            Purpose::Stream => Ending::Stream,
            Purpose::Job => Ending::Tail,
        };
        let options = Options { ending, ..known.options(&arguments) };
        let program = Program::compile(&request.query_string, &options)
            .map_err(|faults| ApiError::query(&request.query_string, &faults))?;
        let context = Context {
            now_millis: now_nanos.div_euclid(NANOS_PER_MILLI),
            start_nanos,
            end_nanos,
            timezone: zone_name(request),
            max_state_bytes: limits.max_state_bytes,
            ..Context::default()
        };
        let has_start = request.start.is_some();
        let (text, known) = (request.query_string.clone(), known.clone());
        Ok(Prepared { text, arguments, known, ending, program, context, is_live, has_start })
    }

    /// What a text is compiled with that is made of its own.
    #[must_use]
    pub fn options(&self) -> Options {
        self.known.options(&self.arguments)
    }

    /// Makes its program anew when lookup tables or saved queries change; `None`: it names none, or has queries inside,
    /// which have run.
    #[must_use]
    pub fn again(&self) -> Option<Again> {
        if !self.program.looks_up() || !self.program.queries().is_empty() {
            return None;
        }
        let (text, arguments, ending) = (self.text.clone(), self.arguments.clone(), self.ending);
        Some(Box::new(move |known| {
            let options = Options { ending, ..known.options(&arguments) };
            Program::compile(&text, &options).ok().filter(|program| program.queries().is_empty())
        }))
    }

    /// Whether its rows are computed, not events.
    #[must_use]
    pub fn is_aggregate(&self) -> bool {
        self.program.output_kind() == OutputKind::Aggregate
    }

    /// How its scan runs. A search from the epoch on is one over all time, with no start to draw charts from.
    #[must_use]
    pub fn scan_options(&self, limits: &Query, pool: &ScanPool) -> ScanOptions {
        let mut context = self.context.clone();
        if context.start_nanos <= 0 && !self.is_live {
            context.start_nanos = i64::MIN;
        }
        ScanOptions {
            pool: Some(pool.clone()),
            max_threads: limits.scan_threads,
            head_start: HEAD_START,
            time_budget: Some(Duration::from_millis(limits.timeout_millis)),
            max_state_bytes: limits.max_state_bytes,
            ..ScanOptions::new(context)
        }
    }

    /// It as a metric over a window as long as its range: what a live job of it is.
    #[must_use]
    pub fn standing(&self) -> MetricDefinition {
        let span = self.context.end_nanos.saturating_sub(self.context.start_nanos);
        // Whole seconds keep the buckets of all live jobs on the same borders.
        let window = Duration::from_nanos(u64::try_from(span).unwrap_or(0)).as_secs().max(1);
        MetricDefinition {
            arguments: self.arguments.clone(),
            timezone: self.context.timezone.clone(),
            max_bytes: self.context.max_state_bytes,
            ..MetricDefinition::new(&self.text, Duration::from_secs(window))
        }
    }

    /// Its start, ms since the epoch.
    #[must_use]
    pub fn start_millis(&self) -> i64 {
        self.context.start_nanos.div_euclid(NANOS_PER_MILLI)
    }

    /// Its end, ms since the epoch.
    #[must_use]
    pub fn end_millis(&self) -> i64 {
        self.context.end_nanos.div_euclid(NANOS_PER_MILLI)
    }
}

/// Values of parameters by name, as the language takes them.
pub(super) fn arguments(given: Option<&BTreeMap<String, Argument>>) -> BTreeMap<String, Vec<String>> {
    given.into_iter().flatten().map(|(name, value)| (name.clone(), value.texts())).collect()
}

/// The zone by name; an offset otherwise; UTC where the request has neither.
fn zone(request: &QueryRequest) -> Result<TimeZone, ApiError> {
    if let Some(name) = request.time_zone.as_deref().filter(|name| !name.is_empty()) {
        let wrong = || ApiError::bad_request(format!("timeZone: {name:?} is neither a zone nor an offset"));
        return named_zone(name).ok_or_else(wrong);
    }
    let minutes = request.time_zone_offset_minutes.unwrap_or(0);
    fixed(minutes)
        .ok_or_else(|| ApiError::bad_request(format!("timeZoneOffsetMinutes: {minutes} is no offset")))
}

/// The zone of a name or an offset.
fn named_zone(name: &str) -> Option<TimeZone> {
    TimeZone::get(name).ok().or_else(|| offset_minutes(name).and_then(fixed))
}

/// Whether `name` is the name of a zone, or an offset.
#[must_use]
pub fn is_zone(name: &str) -> bool {
    named_zone(name).is_some()
}

fn fixed(minutes: i32) -> Option<TimeZone> {
    Offset::from_seconds(minutes.checked_mul(60)?).ok().map(TimeZone::fixed)
}

/// Minutes of `Z`, `+02:00`, `-0530`, `+2`.
fn offset_minutes(text: &str) -> Option<i32> {
    if text.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let (sign, rest) = match text.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = match rest.split_once(':') {
        Some(pair) => pair,
        None if rest.len() == 4 => rest.split_at_checked(2)?,
        None => (rest, "0"),
    };
    Some(sign * (hours.parse::<i32>().ok()?.checked_mul(60)? + minutes.parse::<i32>().ok()?))
}

/// The zone as the language's context takes it: a name, an offset, or empty for UTC.
fn zone_name(request: &QueryRequest) -> String {
    if let Some(name) = request.time_zone.as_deref().filter(|name| !name.is_empty()) {
        return name.to_owned();
    }
    match request.time_zone_offset_minutes.unwrap_or(0) {
        0 => String::new(),
        minutes => {
            let sign = if minutes < 0 { '-' } else { '+' };
            let minutes = minutes.unsigned_abs();
            format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::TimeText;

    fn request(text: &str) -> QueryRequest {
        QueryRequest { query_string: text.to_owned(), ..QueryRequest::default() }
    }

    #[test]
    fn ranges_have_defaults_and_an_order() {
        let now = 1_721_000_000_000 * NANOS_PER_MILLI;
        let limits = Query::default();
        let prepared = Prepared::new(&request("*"), Purpose::Job, now, &limits, &Known::default()).unwrap();
        assert_eq!(prepared.start_millis(), 1_721_000_000_000 - 86_400_000);
        assert_eq!(prepared.context.end_nanos, now + 1);
        let text = |text: &str| Some(TimeText::Text(text.to_owned()));
        let wrong = QueryRequest { start: text("1h"), end: text("2h"), ..request("*") };
        let error = Prepared::new(&wrong, Purpose::Job, now, &limits, &Known::default()).unwrap_err();
        assert!(error.message.contains("after end"), "{}", error.message);
        let wrong = QueryRequest { is_live: Some(true), end: text("1h"), ..request("*") };
        let error = Prepared::new(&wrong, Purpose::Job, now, &limits, &Known::default()).unwrap_err();
        assert_eq!(error.message, "a live query ends now");
        let right = QueryRequest { is_live: Some(true), end: text("now"), ..request("*") };
        assert!(Prepared::new(&right, Purpose::Job, now, &limits, &Known::default()).is_ok());
        let wrong = QueryRequest { start: text("soon"), ..request("*") };
        let error = Prepared::new(&wrong, Purpose::Job, now, &limits, &Known::default()).unwrap_err();
        assert!(error.message.starts_with("start: \"soon\""), "{}", error.message);
    }

    #[test]
    fn zones() {
        for (name, minutes, ok, shown) in [
            (Some("Europe/Copenhagen"), None, true, "Europe/Copenhagen"),
            (Some("+02:00"), None, true, "+02:00"),
            (Some("-0530"), None, true, "-0530"),
            (Some("Mars/Olympus"), None, false, ""),
            (None, Some(-330), true, "-05:30"),
            (None, Some(0), true, ""),
            (None, Some(i32::MAX), false, ""),
        ] {
            let asked = QueryRequest {
                time_zone: name.map(str::to_owned),
                time_zone_offset_minutes: minutes,
                ..request("*")
            };
            assert_eq!(zone(&asked).is_ok(), ok, "{name:?} {minutes:?}");
            if ok {
                assert_eq!(zone_name(&asked), shown);
            }
        }
    }
}
