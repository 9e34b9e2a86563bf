//! Humio's own ingest formats: groups of events that share tags.
//!
//! The document is checked as a whole first; a malformed one is refused before anything is taken of it.

use std::borrow::Cow;
use std::sync::Arc;

use weir_engine::event::{TagSet, timestamp};

use super::error::DecodeError;
use super::intake::{Beside, Intake, Members};
use super::json::{checked, elements, members, skip_space, text_of, value_end};

/// `[{"tags": {}, "events": [{"timestamp", "timezone", "attributes": {}, "rawstring"}]}]`.
pub(super) fn structured(body: &[u8], intake: &mut Intake<'_>) -> Result<(), DecodeError> {
    let text = checked(body)?;
    intake.reserve(text.len());
    for group in groups(text)? {
        let (mut tags, mut events) = ("", "");
        for (name, value) in members(group) {
            match &*name {
                "tags" => tags = value,
                "events" => events = value,
                _ => {}
            }
        }
        let tags = tag_set(intake, tags, None);
        let mut members = Members::default();
        for event in elements(events) {
            structured_event(event, &tags, &mut members, intake)?;
        }
    }
    Ok(())
}

/// Whether the first element of an array has `events`, a list, and nothing else but `tags`: an event of its own would
/// hardly look so.
pub(super) fn looks_structured(body: &[u8]) -> bool {
    let Some(array) = body.trim_ascii_start().strip_prefix(b"[") else { return false };
    let first = array.trim_ascii_start();
    let Some(object) = first.strip_prefix(b"{") else { return false };
    let name = object.trim_ascii_start();
    // Most bodies are told by their first name alone, without a look at the rest.
    if !name.starts_with(b"\"events\"") && !name.starts_with(b"\"tags\"") {
        return false;
    }
    let element = value_end(first, 0).and_then(|end| first.get(..end));
    let Some(Ok(element)) = element.map(checked) else { return false };
    let of = |key: &str, value: &str| match key {
        "events" => value.starts_with('['),
        "tags" => value.starts_with('{') || value == "null",
        _ => false,
    };
    let has_events = members(element).any(|(key, _)| key == "events");
    has_events && members(element).all(|(key, value)| of(&key, value))
}

/// Whether the first object of an array has the form of structured events: an array `events`, and nothing beside it but
/// `tags`.
pub(super) fn is_structured(body: &[u8]) -> bool {
    let at = skip_space(body, 0);
    if body.get(at) != Some(&b'[') {
        return false;
    }
    let at = skip_space(body, at + 1);
    let group = value_end(body, at).and_then(|end| std::str::from_utf8(body.get(at..end)?).ok());
    let mut events = false;
    for (name, value) in members(group.unwrap_or_default()) {
        match &*name {
            "events" => events = value.starts_with('['),
            "tags" => {}
            _ => return false,
        }
    }
    events
}

fn structured_event(
    event: &str,
    tags: &Arc<TagSet>,
    extra: &mut Members,
    intake: &mut Intake<'_>,
) -> Result<(), DecodeError> {
    let (mut time, mut zone, mut attributes, mut raw) = (None, None, None, None);
    for (name, value) in members(event) {
        match &*name {
            "timestamp" => time = text_of(value),
            "timezone" => zone = text_of(value),
            "attributes" => attributes = Some(value).filter(|value| value.starts_with('{')),
            "rawstring" => raw = text_of(value),
            _ => {}
        }
    }
    extra.clear();
    if let Some(zone) = &zone {
        extra.text("@timezone", zone);
    }
    let timestamp = time.as_deref().and_then(|time| humio_time(time, intake.options.arrival_nanos));
    let bad_time = time.as_deref().filter(|_| timestamp.is_none());
    let error = bad_time.map(|time| format!("timestamp `{time}` is not understood"));
    match (raw, attributes) {
        (Some(raw), attributes) => {
            extra.object(attributes);
            let attributes = (!extra.is_empty()).then(|| extra.finish());
            let beside = Beside { timestamp, tags: Some(tags), attributes };
            match error {
                Some(error) => intake.unparsed(raw.as_bytes(), beside, &error),
                None => intake.text(raw.as_bytes(), beside),
            }
        }
        (None, attributes) => {
            if let Some(error) = &error {
                extra.text("@error", error);
            }
            let beside = Beside {
                timestamp,
                tags: Some(tags),
                attributes: (!extra.is_empty()).then(|| extra.finish()),
            };
            let raw = attributes.unwrap_or("{}").as_bytes();
            if error.is_some() { intake.faulty_json(raw, beside) } else { intake.json(raw, beside) }
        }
    }
}

/// Milliseconds since the epoch, or a time as text.
fn humio_time(time: &str, reference_nanos: i64) -> Option<i64> {
    match time.parse::<i64>() {
        Ok(millis) => millis.checked_mul(1_000_000),
        Err(_) => timestamp::parse(time, reference_nanos),
    }
}

/// `[{"type", "fields": {}, "tags": {}, "messages": ["…"]}]`. The type becomes the tag `#type`; messages of type `json`
/// are read as such.
pub(super) fn unstructured(body: &[u8], intake: &mut Intake<'_>) -> Result<(), DecodeError> {
    let text = checked(body)?;
    intake.reserve(text.len());
    for group in groups(text)? {
        let (mut kind, mut fields, mut tags, mut messages) = (None, None, "", "");
        for (name, value) in members(group) {
            match &*name {
                "type" => kind = text_of(value),
                "fields" => fields = Some(value).filter(|value| value.starts_with('{')),
                "tags" => tags = value,
                "messages" => messages = value,
                _ => {}
            }
        }
        let tags = tag_set(intake, tags, kind.as_deref());
        let beside = Beside { timestamp: None, tags: Some(&tags), attributes: fields };
        let json = kind.as_deref().is_some_and(|kind| kind.eq_ignore_ascii_case("json"));
        for message in elements(messages) {
            // A message that is no string is an event of the JSON that it is.
            let text = text_of(message).unwrap_or(Cow::Borrowed(message));
            if json || message.starts_with('{') {
                intake.json(text.as_bytes(), beside)?;
            } else {
                intake.text(text.as_bytes(), beside)?;
            }
        }
    }
    Ok(())
}

/// The groups of a document: an array of objects, or one object.
fn groups(text: &str) -> Result<Vec<&str>, DecodeError> {
    let text = text.trim_ascii();
    let groups: Vec<&str> = if text.starts_with('{') { vec![text] } else { elements(text).collect() };
    let objects = groups.iter().all(|group| group.starts_with('{'));
    if !objects || !text.starts_with(['[', '{']) {
        return Err(DecodeError::Form("expected an array of objects".to_owned()));
    }
    for group in &groups {
        for (name, value) in members(group) {
            let opens = match &*name {
                "events" | "messages" => '[',
                "tags" | "fields" => '{',
                _ => continue,
            };
            if !value.starts_with(opens) && value != "null" {
                let kind = if opens == '[' { "an array" } else { "an object" };
                return Err(DecodeError::Form(format!("expected `{name}` to be {kind}")));
            }
        }
    }
    Ok(groups)
}

/// The tags of a group over those of the options.
pub(super) fn tag_set(intake: &Intake<'_>, tags: &str, kind: Option<&str>) -> Arc<TagSet> {
    let own = members(tags).filter_map(|(name, value)| Some((name, text_of(value)?)));
    let own: Vec<(Cow<'_, str>, Cow<'_, str>)> = own.collect();
    if own.is_empty() && kind.is_none() {
        return Arc::clone(&intake.options.tags);
    }
    let given = intake.options.tags.iter().map(|(name, value)| (Cow::from(name), Cow::from(value)));
    let kind = kind.map(|kind| (Cow::from("#type"), Cow::from(kind)));
    Arc::new(TagSet::new(given.chain(kind).chain(own)))
}
