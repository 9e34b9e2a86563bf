//! A batch that shares the text its events are parts of says the same as one that copied them.

use std::sync::Arc;

use proptest::prelude::*;
use weir_query::compile::TextMatcher;
use weir_query::record::Selection;

use super::NOW;
use super::json::json_text;
use super::payload::same;
use crate::event::{EventBatch, EventBatchBuilder, EventLimits, TagSet};

/// How an event comes.
#[derive(Clone, Debug)]
struct Line {
    text: String,
    json: bool,
    /// Blanks in front of it.
    blanks: usize,
    attributes: Option<&'static str>,
    timestamp: Option<i64>,
}

fn lines() -> impl Strategy<Value = Vec<Line>> {
    let plain = r#"\{"a":"[a-z]{0,6}","time":"2026-12-0[1-9]T10:00:00Z"\}"#;
    let text = prop_oneof![6 => plain, 1 => json_text(), 1 => "[a-z ]{1,20}", 1 => "☃?é[a-z]{0,3}"];
    let blanks = prop_oneof![20 => Just(1usize), 2 => 0usize..16, 1 => 17usize..40];
    let attributes = prop_oneof![30 => Just(None), 1 => Just(Some(r#"{"more":"a"}"#))];
    let timestamp = prop_oneof![10 => Just(None), 1 => any::<i64>().prop_map(Some)];
    let line = (text, prop::bool::weighted(0.9), blanks, attributes, timestamp).prop_map(
        |(text, json, blanks, attributes, timestamp)| Line { text, json, blanks, attributes, timestamp },
    );
    prop::collection::vec(line, 1..12)
}

/// The batch of `lines`, as parts of one text or copied; with its limits.
fn batch(lines: &[Line], lent: bool, limits: EventLimits) -> EventBatch {
    let tags = TagSet::none();
    let mut builder = EventBatchBuilder::new(limits).with_reference(NOW);
    let mut text = lines.iter().map(|line| " ".repeat(line.blanks) + &line.text).collect::<String>() + "\n";
    text.shrink_to_fit();
    let text = Arc::new(text);
    let mut at = 0;
    for Line { text: own, json, blanks, attributes, timestamp } in lines {
        let raw = &text.as_bytes()[at + blanks..at + blanks + own.len()];
        at += blanks + own.len();
        let _ = match (lent, json) {
            (true, _) => builder.push_lent(&text, raw, *json, *timestamp, &tags, *attributes),
            (false, true) => builder.push_json(raw, *timestamp, &tags, *attributes),
            (false, false) => builder.push_text(raw, *timestamp, &tags, *attributes),
        };
    }
    builder.finish(7)
}

fn check(lines: &[Line], limits: EventLimits, literal: &str) -> Result<(), TestCaseError> {
    let (lent, copied) = (batch(lines, true, limits), batch(lines, false, limits));
    same(&lent, &copied)?;
    prop_assert_eq!(lent.content_crc(), copied.content_crc());
    for payload in [lent.texts_inside(), lent.texts_behind().unwrap()] {
        same(&EventBatch::decode_log(&payload.to_vec()).unwrap(), &copied)?;
    }
    let matcher = TextMatcher::contains(literal);
    let all = Selection::all(lent.len());
    prop_assert_eq!(lent.search_text(&matcher, &all), copied.search_text(&matcher, &all), "{:?}", literal);
    let joined = EventBatch::join(&[&lent, &copied]);
    for row in 0..lent.len() {
        prop_assert_eq!(joined.raw(row), joined.raw(row + lent.len()));
    }
    Ok(())
}

proptest! {
    #[test]
    fn parts_of_a_text_are_the_events_they_are_alone(lines in lines(), literal in "[ a-z\"]{1,2}") {
        check(&lines, EventLimits::default(), &literal)?;
        let small = EventLimits {
            max_event_bytes: 50,
            max_column_bytes: 44,
            max_fields_per_event: 2,
            ..EventLimits::default()
        };
        check(&lines, small, &literal)?;
    }
}

#[test]
fn a_text_is_shared_while_nothing_else_is_needed() {
    let line =
        |text: &str| Line { text: text.to_owned(), json: true, blanks: 1, attributes: None, timestamp: None };
    let plain: Vec<Line> = (0..50).map(|at| line(&format!(r#"{{"n":{at}}}"#))).collect();
    let bytes: usize = plain.iter().map(|line| line.text.len() + 1).sum();
    let arena = |lines: &[Line]| batch(lines, true, EventLimits::default()).arena().len();
    // With the newline at the end: it is the text itself.
    assert_eq!(arena(&plain), bytes + 1);
    let far = Line { blanks: 17, ..line(r#"{"n":7}"#) };
    let escaped = line(r#"{"n":"\n"}"#);
    for (other, own) in [(far, 0), (escaped, 1), (Line { attributes: Some(r#"{"a":1}"#), ..line("{}") }, 7)] {
        let mut lines = plain.clone();
        lines.push(other.clone());
        assert_eq!(arena(&lines), bytes + other.text.len() + own, "copied from there on: {other:?}");
    }
}
