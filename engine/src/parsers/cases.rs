//! A parser tried on examples.

use std::sync::Arc;

use weir_query::record::{Rows, Selection};

use super::failure::{Difference, Failure};
use super::parser::{Case, Expected, ParserLimits};
use super::run::{Account, Chosen, parse};
use crate::event::json::escape_into;
use crate::event::{EventBatch, EventBatchBuilder, EventLimits, PushError, TagSet};

const NANOS_PER_MILLI: i64 = 1_000_000;
/// Meta fields that say nothing of a parser.
const LEFT_OUT: [&str; 2] = ["@id", "@ingesttimestamp"];

/// What came of an example.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tried {
    /// The fields of each event that came of it, tags, time and text included.
    pub events: Vec<Vec<(String, String)>>,
    /// What became of the example.
    pub account: Account,
}

/// Runs a parser over an example that arrives at `now_nanos`, unless the example says otherwise.
///
/// # Errors
/// When the example, or what is made of it, is larger than an event may be.
pub fn attempt(
    chosen: &Chosen,
    case: &Case,
    limits: &ParserLimits,
    now_nanos: i64,
) -> Result<Tried, PushError> {
    let arrival =
        case.arrival_millis.and_then(|millis| millis.checked_mul(NANOS_PER_MILLI)).unwrap_or(now_nanos);
    let mut attributes = String::new();
    for (name, value) in &case.fields {
        attributes.push_str(if attributes.is_empty() { "{\"" } else { ",\"" });
        escape_into(name, &mut attributes);
        attributes.push_str("\":\"");
        escape_into(value, &mut attributes);
        attributes.push('"');
    }
    let beside = (!attributes.is_empty()).then(|| attributes + "}");
    let event_limits = EventLimits::default();
    let mut builder = EventBatchBuilder::new(event_limits).with_reference(arrival);
    builder.push_text(case.input.as_bytes(), None, &TagSet::none(), beside.as_deref())?;
    let batch = builder.finish(arrival);
    let parsed = parse(&batch, std::slice::from_ref(chosen), &|_| Some(0), limits, event_limits)?;
    let events = (0..parsed.batch.len()).map(|row| fields_of(&parsed.batch, row)).collect();
    Ok(Tried { events, account: parsed.account })
}

/// All an event answers, but for its id and its time of arrival.
#[must_use]
pub fn fields_of(batch: &EventBatch, row: usize) -> Vec<(String, String)> {
    let mut only = Selection::none(batch.len());
    only.insert(row);
    let field = |name: Arc<str>| {
        let column = batch.column(&name, &only).ok()?;
        let value = column.get(row)?.text().into_owned();
        // Most times are whole milliseconds.
        (&*name != "@timestamp.nanos" || value != "0").then(|| (name.to_string(), value))
    };
    batch.names().into_iter().filter(|name| !LEFT_OUT.contains(&&**name)).filter_map(field).collect()
}

/// Runs a parser over its test cases: those that fail.
#[must_use]
pub fn failures(chosen: &Chosen, cases: &[Case], limits: &ParserLimits, now_nanos: i64) -> Vec<Failure> {
    let failure = |(number, case): (usize, &Case)| {
        let differences = match attempt(chosen, case, limits, now_nanos) {
            Ok(tried) => differences(case, &tried),
            Err(error) => vec![Difference::Failed(error.to_string())],
        };
        (!differences.is_empty()).then(|| Failure { case: number, input: case.input.clone(), differences })
    };
    cases.iter().enumerate().filter_map(failure).collect()
}

fn differences(case: &Case, tried: &Tried) -> Vec<Difference> {
    let is_dropped = tried.account.dropped > 0;
    if case.is_dropped != is_dropped {
        return vec![Difference::Dropped { is_dropped }];
    }
    if is_dropped {
        return Vec::new();
    }
    let mut list = Vec::new();
    let asks_for =
        |name: &str| case.expected.iter().flat_map(|expected| &expected.has).any(|(asked, _)| asked == name);
    // One that is to fail says so.
    if tried.account.failed > 0 && !asks_for("@error") && !asks_for("@error_msg") {
        let told = tried.events.first().and_then(|event| value(event, "@error_msg"));
        list.push(Difference::Failed(told.unwrap_or_default().to_owned()));
    }
    for expected in &case.expected {
        match tried.events.get(expected.event) {
            Some(event) => compare(expected, event, &mut list),
            None => list.push(Difference::Event(expected.event)),
        }
    }
    list
}

fn compare(expected: &Expected, event: &[(String, String)], list: &mut Vec<Difference>) {
    let wanted = expected.has.iter().map(|(name, value)| (name, Some(value.as_str())));
    for (name, wanted) in wanted.chain(expected.lacks.iter().map(|name| (name, None))) {
        let found = value(event, name);
        if found != wanted {
            list.push(Difference::Field {
                event: expected.event,
                name: name.clone(),
                expected: wanted.map(str::to_owned),
                found: found.map(str::to_owned),
            });
        }
    }
}

fn value<'e>(event: &'e [(String, String)], name: &str) -> Option<&'e str> {
    event.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
}
