//! Limits at their edges, columns, search.

use std::sync::Arc;

use proptest::prelude::*;
use weir_query::compile::TextMatcher;
use weir_query::record::{Column, Rows, Selection};

use super::{NOW, batch_of, builder};
use crate::event::{
    EventBatch, EventBatchBuilder, EventLimits, JsonErrorKind, PushError, Pushed, TagSet, parse_event_id,
    push_event_id,
};

fn push_one(limits: EventLimits, raw: &[u8]) -> (Result<Pushed, PushError>, EventBatch) {
    let mut builder = EventBatchBuilder::new(limits);
    let pushed = builder.push_json(raw, None, &TagSet::none(), None);
    (pushed, builder.finish(NOW))
}

fn error_of(limits: EventLimits, raw: &[u8]) -> Option<JsonErrorKind> {
    let (pushed, batch) = push_one(limits, raw);
    assert_eq!(batch.raw(0), raw);
    match pushed.unwrap() {
        Pushed::Parsed => None,
        Pushed::Unparsed(error) => {
            assert_eq!(batch.value(0, "@error"), Some(error.to_string()));
            Some(error.kind)
        }
    }
}

#[test]
fn limits_hold_at_their_edges() {
    let limits = |change: fn(&mut EventLimits)| {
        let mut limits = EventLimits::default();
        change(&mut limits);
        limits
    };
    let raw = br#"{"a":{"b":[1]},"c":2}"#;
    assert_eq!(raw.len(), 21);
    for (limits, error) in [
        (limits(|limits| limits.max_json_depth = 3), None),
        (limits(|limits| limits.max_json_depth = 2), Some(JsonErrorKind::TooDeep)),
        (limits(|limits| limits.max_fields_per_event = 2), None),
        (limits(|limits| limits.max_fields_per_event = 1), Some(JsonErrorKind::TooManyFields)),
        (limits(|limits| limits.max_field_name_bytes = 6), None),
        (limits(|limits| limits.max_field_name_bytes = 5), Some(JsonErrorKind::NameTooLong)),
        (limits(|limits| limits.max_event_path_bytes = 7), None),
        (limits(|limits| limits.max_event_path_bytes = 6), Some(JsonErrorKind::NamesTooLong)),
        (limits(|limits| limits.max_column_bytes = 21), None),
        (limits(|limits| limits.max_column_bytes = 20), Some(JsonErrorKind::TooLarge)),
        (limits(|limits| limits.max_event_bytes = 21), None),
    ] {
        assert_eq!(error_of(limits, raw), error, "{limits:?}");
    }
    let (pushed, batch) = push_one(limits(|limits| limits.max_event_bytes = 20), raw);
    assert_eq!(pushed, Err(PushError::EventTooLarge { bytes: 21, limit: 20 }));
    assert!(batch.is_empty());
    for (limit, expected) in [(2, Ok(Pushed::Parsed)), (1, Err(PushError::TooManyTags { tags: 2, limit: 1 }))]
    {
        let tags = Arc::new(TagSet::new([("a", "1".to_owned()), ("b", String::new())]));
        let mut builder =
            EventBatchBuilder::new(EventLimits { max_tags_per_event: limit, ..EventLimits::default() });
        assert_eq!(builder.push_json(raw, None, &tags, None), expected);
        assert_eq!(builder.push_text(raw, None, &tags, None), expected);
        assert_eq!(builder.finish(NOW).len(), 2 * usize::from(expected.is_ok()));
    }
    let (pushed, _) = push_one(limits(|limits| limits.max_batch_bytes = 62), raw);
    assert_eq!(pushed, Err(PushError::BatchFull { limit: 62 }));
    assert!(push_one(limits(|limits| limits.max_batch_bytes = 63), raw).0.is_ok());
}

#[test]
fn events_over_a_limit_keep_the_fields_before_it() {
    let many: Vec<String> = (0..100_000).map(|field| format!("\"f{field}\":\"v\\n{field}\"")).collect();
    let raw = format!("{{{}}}", many.join(","));
    let limits = EventLimits { max_column_bytes: 4 << 20, ..EventLimits::default() };
    let (pushed, batch) = push_one(limits, raw.as_bytes());
    assert!(matches!(pushed, Ok(Pushed::Unparsed(_))));
    assert_eq!(batch.raw(0), raw.as_bytes());
    assert_eq!(batch.value(0, "f0").as_deref(), Some("v\n0"));
    assert_eq!(batch.value(0, "f2046").as_deref(), Some("v\n2046"));
    assert_eq!(batch.value(0, "f2047"), None);
    let error = batch.value(0, "@error").unwrap();
    assert!(error.starts_with("too many fields in one event at byte "), "{error}");

    let deep = format!("{{\"a\":1,\"b\":{}1{}}}", "[".repeat(10_000), "]".repeat(10_000));
    let batch = batch_of(&[&deep]);
    assert_eq!(batch.raw(0), deep.as_bytes());
    assert_eq!(batch.value(0, "a").as_deref(), Some("1"));
    assert_eq!(batch.value(0, "@error").as_deref(), Some("JSON nested too deeply at byte 74"));
}

#[test]
fn bytes_that_are_not_utf8_are_kept_and_their_fields_found() {
    let raw = b"{\"a\":\"caf\xE9\",\"b\":2}";
    let mut builder = builder();
    let tags = TagSet::none();
    builder.push_json(b"{\"a\":1}", None, &tags, None).unwrap();
    assert!(matches!(builder.push_json(raw, None, &tags, None), Ok(Pushed::Unparsed(_))));
    builder.push_text(b"\xFF\xFE", None, &tags, Some("{\"x\":\"y\"}")).unwrap();
    let batch = builder.finish(NOW);
    assert_eq!(batch.raw(1), raw);
    assert_eq!(batch.raw_text(1), "{\"a\":\"caf\u{fffd}\",\"b\":2}");
    assert!(!batch.is_utf8(1) && batch.is_utf8(0));
    assert_eq!(batch.value(1, "a").as_deref(), Some("caf\u{fffd}"));
    assert_eq!(batch.value(1, "b").as_deref(), Some("2"));
    assert_eq!(batch.value(1, "@error").as_deref(), Some("invalid UTF-8 at byte 9"));
    assert_eq!(batch.raw(2), b"\xFF\xFE");
    assert_eq!(batch.value(2, "x").as_deref(), Some("y"));
    assert_eq!(batch.raw_bytes(), 7 + raw.len() + 2);
}

#[test]
fn bad_attributes_leave_the_batch_as_it_was() {
    let (mut builder, tags) = (builder(), TagSet::none());
    for attributes in ["", "[]", "{\"a\":}", "{\"a\":\"\\x\"}", "{} {}"] {
        for raw in ["{\"a\":\"\\n\"}", "text", "{\"broken"] {
            let json = builder.push_json(raw.as_bytes(), None, &tags, Some(attributes));
            assert!(matches!(json, Err(PushError::Attributes(_))), "{raw} {attributes}");
            let text = builder.push_text(raw.as_bytes(), None, &tags, Some(attributes));
            assert!(matches!(text, Err(PushError::Attributes(_))), "{raw} {attributes}");
        }
    }
    builder.push_json(b"{\"a\":1}", None, &tags, Some(" { \"b\" : 2 } ")).unwrap();
    builder.push_json(b"{\"a\":", None, &tags, Some(" { \"b\" : 2 } ")).unwrap();
    let batch = builder.finish(NOW);
    assert_eq!(batch.len(), 2);
    assert_eq!(batch.raw_bytes(), 12);
    assert_eq!(batch.value(0, "b").as_deref(), Some("2"));
    assert_eq!(batch.value(1, "b").as_deref(), Some("2"));
    assert!(batch.value(1, "@error").is_some());
}

#[test]
fn time_comes_from_the_sender_then_attributes_then_fields_then_text_then_arrival() {
    let (mut builder, tags) = (builder(), TagSet::none());
    let json = br#"{"time":"2020-01-01T00:00:03Z","ts":"none","@timestamp":1577836802}"#;
    let attributes = Some(r#"{"ts":1577836801}"#);
    builder.push_json(json, Some(5), &tags, attributes).unwrap();
    builder.push_json(json, None, &tags, attributes).unwrap();
    builder.push_json(json, None, &tags, None).unwrap();
    builder.push_json(br#"{"time":"2020-01-01T00:00:03Z","ts":"none"}"#, None, &tags, None).unwrap();
    builder.push_text(b"2020-01-01T00:00:04Z x", None, &tags, None).unwrap();
    builder.push_text(b"2020-01-01T00:00:04Z x", None, &tags, attributes).unwrap();
    builder.push_text(b"x", None, &tags, None).unwrap();
    builder.push_json(br#"{"a":"2020-01-01T00:00:04Z"}"#, None, &tags, None).unwrap();
    let batch = builder.finish(NOW);
    let seconds = |second: i64| (1_577_836_800 + second) * 1_000_000_000;
    let expected = [5, seconds(1), seconds(2), seconds(3), seconds(4), seconds(1), NOW, NOW];
    for (row, expected) in expected.into_iter().enumerate() {
        assert_eq!(batch.timestamp(row), expected, "{row}");
        assert_eq!(batch.has_arrival_timestamp(row), expected == NOW);
    }
    let mut named = EventBatchBuilder::new(EventLimits::default()).with_timestamp_field(Some("a.when"));
    named.push_json(br#"{"a":{"when":1577836801},"ts":1577836802}"#, None, &tags, None).unwrap();
    named.push_json(br#"{"ts":1577836802}"#, None, &tags, None).unwrap();
    let batch = named.finish(NOW);
    assert_eq!((batch.timestamp(0), batch.timestamp(1)), (seconds(1), NOW));
}

#[test]
fn columns_are_shaped_by_what_is_in_them() {
    let (mut builder, none) = (builder(), TagSet::none());
    let tags = Arc::new(TagSet::new([("host", "a")]));
    builder.push_json(br#"{"c":"same","v":1,"n":null}"#, Some(1_500_000), &tags, None).unwrap();
    builder.push_json(br#"{"v":"two","c":"same"}"#, Some(-1), &none, None).unwrap();
    builder.push_text(b"x", Some(3), &tags, Some(r#"{"c":"same"}"#)).unwrap();
    let batch = builder.finish(2_000_000).with_sequence(35).with_repository(&"web".into());
    let all = Selection::all(3);
    let column = |name: &str| batch.column(name, &all).unwrap();
    assert!(matches!(column("c"), Column::Constant { .. }));
    assert!(matches!(column("v"), Column::Text(_)));
    assert!(matches!(column("gone"), Column::Missing { rows: 3 }));
    assert!(matches!(column("#gone"), Column::Missing { rows: 3 }));
    assert!(matches!(column("#host"), Column::Dictionary { .. }));
    assert!(matches!(column("#repo"), Column::Constant { .. }));
    for (name, values) in [
        ("v", [Some("1"), Some("two"), None]),
        ("n", [Some("null"), None, None]),
        ("#host", [Some("a"), None, Some("a")]),
        ("#repo", [Some("web"); 3]),
        ("@timestamp", [Some("1"), Some("-1"), Some("0")]),
        ("@timestamp.nanos", [Some("500000"), Some("999999"), Some("3")]),
        ("@ingesttimestamp", [Some("2"); 3]),
        ("@id", [Some("z"), Some("10"), Some("11")]),
        (
            "@rawstring",
            [Some(r#"{"c":"same","v":1,"n":null}"#), Some(r#"{"v":"two","c":"same"}"#), Some("x")],
        ),
    ] {
        for (row, expected) in values.into_iter().enumerate() {
            assert_eq!(batch.value(row, name).as_deref(), expected, "{name} of {row}");
        }
        let mut only = Selection::none(3);
        only.insert(1);
        let column = batch.column(name, &only).unwrap();
        assert_eq!((column.len(), column.get(1).is_some()), (3, values[1].is_some()), "{name}");
    }
    let names: Vec<String> = batch.names().iter().map(ToString::to_string).collect();
    let meta = ["@timestamp", "@timestamp.nanos", "@ingesttimestamp", "@id", "@rawstring"];
    assert_eq!(names[..5], meta);
    assert_eq!(names[5..], ["#repo", "#host", "c", "v", "n"]);
    let order = batch.order().unwrap();
    assert_eq!(
        order.iter().map(|key| (key.nanos, key.sequence)).collect::<Vec<_>>(),
        [(1_500_000, 35), (-1, 36), (3, 37)]
    );
    assert_eq!(batch.order_key(2), order[2]);
}

#[test]
fn a_reused_builder_starts_anew() {
    let (mut builder, tags) = (builder(), Arc::new(TagSet::new([("a", "b")])));
    for round in 0..3 {
        builder.push_json(br#"{"a":1}"#, None, &tags, None).unwrap();
        builder.push_json(br#"{"b":"\n"}"#, Some(round), &tags, None).unwrap();
        let batch = builder.finish(NOW);
        assert_eq!((batch.len(), batch.shapes().len(), batch.tag_sets().len()), (2, 2, 1));
        assert_eq!(batch.value(1, "b").as_deref(), Some("\n"));
        assert_eq!(batch.value(0, "a").as_deref(), Some("1"));
        assert_eq!(batch.tag_set(1).and_then(|tags| tags.get("#a")), Some("b"));
    }
}

#[test]
fn a_builder_knows_shapes_from_batch_to_batch_within_the_same_limits() {
    let few = EventLimits { max_fields_per_event: 1, ..EventLimits::default() };
    let one = |builder: &mut EventBatchBuilder| {
        builder.push_json(br#"{"a":1,"b":2}"#, None, &TagSet::none(), None).unwrap();
        builder.finish(NOW)
    };
    let mut builder = EventBatchBuilder::new(EventLimits::default());
    assert_eq!(builder.kept_bytes(), 0);
    let first = one(&mut builder);
    assert!(builder.kept_bytes() > first.shapes()[0].memory_bytes());
    let mut builder = builder.again(EventLimits::default());
    assert!(Arc::ptr_eq(&first.shapes()[0], &one(&mut builder).shapes()[0]));
    let other = one(&mut builder.again(few));
    assert!(other.json(0).is_none(), "what it saw within other limits does not count");
}

#[test]
fn search_looks_at_raw_texts_and_at_what_values_mean() {
    let (mut builder, tags) = (builder(), Arc::new(TagSet::new([("t", "tagged")])));
    builder
        .push_json(br#"{"a":"one \"quoted\"","b":"xy"}"#, None, &tags, Some(r#"{"key":"beside"}"#))
        .unwrap();
    builder.push_text(b"one line", None, &tags, None).unwrap();
    builder.push_json(br#"{"a":"\u0061bc"}"#, None, &tags, None).unwrap();
    let batch = builder.finish(NOW);
    for (literal, rows) in [
        ("one", vec![0, 1]),
        ("one \\\"q", vec![0]),
        ("one \"q", vec![0]),
        ("beside", vec![0]),
        ("key", vec![]),
        ("tagged", vec![]),
        ("abc", vec![2]),
        ("u0061", vec![2]),
        ("\"b\":\"xy", vec![0]),
        ("}one", vec![]),
        ("", vec![0, 1, 2]),
    ] {
        for within in [Selection::all(3), Selection::from_fn(3, |row| row != 0)] {
            let expected: Vec<usize> = rows.iter().copied().filter(|row| within.contains(*row)).collect();
            let found = batch.search(&TextMatcher::contains(literal), &within).unwrap();
            assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{literal}");
        }
    }
    let all = Selection::all(3);
    let whole = batch.search(&TextMatcher::equals("beside"), &all).unwrap();
    assert_eq!(whole.iter().collect::<Vec<_>>(), [0]);
}

proptest! {
    #[test]
    fn search_agrees_with_a_look_at_every_text(
        rows in prop::collection::vec(("[ab\"\\\\]{0,6}", "[ab\"\\\\]{0,6}", any::<bool>()), 1..12),
        literal in "[ab\"]{1,3}",
    ) {
        let (mut builder, tags) = (builder(), TagSet::none());
        let quote = |text: &str| serde_json::to_string(text).unwrap();
        for (text, beside, json) in &rows {
            let attributes = format!("{{\"a\":{}}}", quote(beside));
            if *json {
                let raw = format!("{{\"b\":{}}}", quote(text));
                builder.push_json(raw.as_bytes(), None, &tags, Some(&attributes)).unwrap();
            } else {
                builder.push_text(text.as_bytes(), None, &tags, Some(&attributes)).unwrap();
            }
        }
        let batch = builder.finish(NOW);
        let found = batch.search(&TextMatcher::contains(&literal), &Selection::all(rows.len())).unwrap();
        for (row, (text, beside, _)) in rows.iter().enumerate() {
            let expected = batch.raw_text(row).contains(&literal) || text.contains(&literal) || beside.contains(&literal);
            prop_assert_eq!(found.contains(row), expected, "{} in {:?}", literal, &rows[row]);
        }
    }

    #[test]
    fn event_ids_round_trip(sequence in any::<u64>()) {
        let mut id = String::new();
        push_event_id(sequence, &mut id);
        prop_assert_eq!(parse_event_id(&id), Some(sequence));
        prop_assert_eq!(parse_event_id(&id.to_uppercase()).is_some(), id.bytes().all(|byte| byte.is_ascii_digit()));
    }
}
