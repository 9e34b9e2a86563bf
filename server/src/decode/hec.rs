//! Splunk's HTTP event collector: envelopes one behind the other, with white space between them or none.

use std::borrow::Cow;
use std::sync::Arc;

use weir_engine::event::{TagSet, timestamp};

use super::error::DecodeError;
use super::intake::{Beside, Intake, Members};
use super::json::{checked, each_document, members, text_of};

/// Nanoseconds of a millisecond: what `@timestamp.nanos` counts within.
const NANOS_PER_MILLI: i64 = 1_000_000;

/// Envelopes of `{"time", "host", "source", "sourcetype", "index", "event", "fields"}`, all optional but the event.
pub(super) fn events(body: &[u8], intake: &mut Intake<'_>) -> Result<(), DecodeError> {
    intake.reserve(body.len());
    let mut extra = Members::default();
    let mut last: Option<(String, Arc<TagSet>)> = None;
    each_document(body, intake, |envelope, intake| {
        let text = match checked(envelope) {
            Ok(text) if text.starts_with('{') => text,
            Ok(_) => return intake.unparsed(envelope, Beside::default(), "expected a JSON object"),
            Err(error) => return intake.unparsed(envelope, Beside::default(), &error.to_string()),
        };
        take(text, &mut extra, &mut last, intake)
    })
}

/// Takes one envelope. `last` keeps the latest tag set, as envelopes of one sender share theirs.
fn take(
    envelope: &str,
    extra: &mut Members,
    last: &mut Option<(String, Arc<TagSet>)>,
    intake: &mut Intake<'_>,
) -> Result<(), DecodeError> {
    extra.clear();
    let mut tags = Members::default();
    let (mut event, mut time, mut nanos) = (None, None, None);
    for (name, value) in members(envelope) {
        match &*name {
            "event" => event = Some(value).filter(|value| *value != "null"),
            "time" => time = text_of(value),
            "sourcetype" => {
                if let Some(kind) = text_of(value) {
                    tags.text("#type", &kind);
                }
            }
            "fields" => {
                for (name, value) in members(value) {
                    if name.starts_with('#') {
                        tags.value(&name, value);
                    } else if name == "@timestamp.nanos" {
                        nanos = text_of(value).and_then(|nanos| nanos.parse::<i64>().ok());
                    } else {
                        extra.value(&name, value);
                    }
                }
            }
            "host" | "source" | "index" => extra.value(&format!("@{name}"), value),
            "timezone" => extra.value("@timezone", value),
            _ => extra.value(&name, value),
        }
    }
    let Some(event) = event else {
        return intake.unparsed(envelope.as_bytes(), Beside::default(), "no `event` in the envelope");
    };
    let tags = tags.finish();
    let tags = match last {
        Some((text, set)) if text == tags => Arc::clone(set),
        _ => {
            let set = super::humio::tag_set(intake, tags, None);
            *last = Some((tags.to_owned(), Arc::clone(&set)));
            set
        }
    };
    let timestamp = time.and_then(|time| hec_time(&time, nanos, intake.options.arrival_nanos));
    let attributes = (!extra.is_empty()).then(|| extra.finish());
    let beside = Beside { timestamp, tags: Some(&tags), attributes };
    if event.starts_with('{') {
        intake.json(event.as_bytes(), beside)
    } else {
        intake.text(text_of(event).unwrap_or(Cow::Borrowed(event)).as_bytes(), beside)
    }
}

/// Seconds since the epoch with a fraction, or a time as text; `nanos` says what is below the millisecond.
fn hec_time(time: &str, nanos: Option<i64>, reference_nanos: i64) -> Option<i64> {
    let found = timestamp::parse(time, reference_nanos)?;
    match nanos {
        Some(nanos) if (0..NANOS_PER_MILLI).contains(&nanos) => {
            (found - found.rem_euclid(NANOS_PER_MILLI)).checked_add(nanos)
        }
        _ => Some(found),
    }
}
