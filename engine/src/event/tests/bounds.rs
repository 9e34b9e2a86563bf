//! Few bytes of text never take much memory, and what was kept as text for that reason stays text when read back.

use std::sync::Arc;

use weir_query::record::{Column, Rows, Selection};

use super::{NOW, builder};
use crate::event::{EventBatch, EventBatchBuilder, EventLimits, JsonErrorKind, Pushed, TagSet};

/// An event that names `elements` paths of `key` bytes each, and no other event does.
fn bomb(number: usize, key: usize, elements: usize) -> String {
    format!("{{\"{number:0key$}\":[{}]}}", vec!["1"; elements].join(","))
}

fn limited(change: impl Fn(&mut EventLimits)) -> EventBatchBuilder {
    let mut limits = EventLimits::default();
    change(&mut limits);
    EventBatchBuilder::new(limits).with_reference(NOW)
}

fn error_of(pushed: Pushed) -> Option<JsonErrorKind> {
    match pushed {
        Pushed::Parsed => None,
        Pushed::Unparsed(error) => Some(error.kind),
    }
}

/// Reads the batch back from its log: every column of every row is the same.
fn check_replay(batch: &EventBatch) {
    let bytes = batch.log_payload().to_vec();
    let read = EventBatch::decode_log(&bytes).unwrap();
    assert_eq!(read.len(), batch.len());
    let (mut names, mut again) = (batch.names(), read.names());
    names.sort();
    again.sort();
    assert_eq!(names, again);
    for row in 0..batch.len() {
        assert_eq!(read.raw(row), batch.raw(row));
        assert_eq!(read.json(row).is_some(), batch.json(row).is_some());
        assert_eq!(read.has_arrival_timestamp(row), batch.has_arrival_timestamp(row));
    }
    let all = Selection::all(batch.len());
    for name in names.iter().take(50) {
        let (one, other) = (batch.column(name, &all).unwrap(), read.column(name, &all).unwrap());
        for row in 0..batch.len() {
            let texts = [one.get(row), other.get(row)].map(|value| value.map(|value| format!("{value:?}")));
            assert_eq!(texts[0], texts[1], "{name} of {row}");
        }
    }
    let most = batch.memory_bytes() + batch.memory_bytes() / 2;
    assert!(read.memory_bytes() <= most, "{} after {}", read.memory_bytes(), batch.memory_bytes());
}

#[test]
fn long_keys_over_many_elements_take_little_memory() {
    for (key, elements, least) in
        [(4_000, 2_000, 2 << 20), (2_000, 255, 1 << 20), (200, 2_000, 1 << 20), (100, 1, 1 << 20)]
    {
        let (mut builder, tags) = (builder(), TagSet::none());
        let mut bytes = 0;
        while bytes < least {
            let event = bomb(builder.len(), key, elements);
            builder.push_json(event.as_bytes(), None, &tags, None).unwrap();
            bytes += event.len();
        }
        let batch = builder.finish(NOW);
        assert_eq!(batch.raw_bytes(), bytes);
        let memory = batch.memory_bytes();
        assert!(memory < 100 << 20, "{memory} bytes for {bytes} with keys of {key} over {elements}");
        check_replay(&batch);
    }
}

#[test]
fn attributes_and_broken_text_take_little_memory() {
    let (mut builder, tags) = (builder(), TagSet::none());
    for event in 0..500 {
        let bomb = bomb(event, 4_000, 120);
        builder.push_text(b"text", None, &tags, Some(&bomb)).unwrap();
        let mut broken = bomb.clone().into_bytes();
        broken.splice(2..3, [0xFF]);
        builder.push_json(&broken, None, &tags, None).unwrap();
    }
    let batch = builder.finish(NOW);
    assert!(batch.memory_bytes() < 120 << 20, "{}", batch.memory_bytes());
    check_replay(&batch);
}

#[test]
fn shapes_of_a_batch_are_counted_to_the_byte() {
    let (first, second) = (r#"{"ab":1}"#, r#"{"time":"2020-01-01T00:00:03Z","b\u0063":"x"}"#);
    let tags = TagSet::none();
    let bytes = |texts: &[&str]| {
        let mut builder = builder();
        for text in texts {
            builder.push_json(text.as_bytes(), None, &tags, None).unwrap();
        }
        let shapes = builder.finish(NOW).shapes().to_vec();
        shapes.iter().map(|shape| shape.memory_bytes() + 40).sum::<usize>()
    };
    let both = bytes(&[first, second]);
    for (limit, error) in [(both, None), (both - 1, Some(JsonErrorKind::TooManyShapes))] {
        let mut builder = limited(|limits| limits.max_batch_shape_bytes = limit);
        // Twice, as the second batch finds its shapes among those seen last.
        for _ in 0..2 {
            for text in [first, first] {
                assert_eq!(builder.push_json(text.as_bytes(), None, &tags, None), Ok(Pushed::Parsed));
            }
            let pushed = builder.push_json(second.as_bytes(), None, &tags, None).unwrap();
            assert_eq!(error_of(pushed), error);
            assert_eq!(builder.push_json(first.as_bytes(), None, &tags, None), Ok(Pushed::Parsed));
            let batch = builder.finish(NOW);
            assert_eq!(batch.raw(2), second.as_bytes());
            assert_eq!(batch.timestamp(2), 1_577_836_803_000_000_000);
            assert!(!batch.has_arrival_timestamp(2));
            let message = error.map(|_| "too many different structures in one batch".to_owned());
            assert_eq!(batch.value(2, "@error"), message);
            assert_eq!(batch.value(2, "bc").is_some(), error.is_none());
            assert_eq!(batch.value(3, "ab").as_deref(), Some("1"));
            check_replay(&batch);
        }
    }
}

#[test]
fn attributes_without_room_for_their_shape_are_kept_as_text() {
    let mut builder = limited(|limits| limits.max_batch_shape_bytes = 0);
    let tags = TagSet::none();
    let given = r#"{"who":"\"me\"","ts":1577836801}"#;
    for json in [true, false] {
        let pushed = if json {
            builder.push_json(b"{\"a\":1}", None, &tags, Some(given))
        } else {
            builder.push_text(b"{\"a\":1}", None, &tags, Some(given))
        };
        assert_eq!(error_of(pushed.unwrap()), Some(JsonErrorKind::TooManyShapes));
    }
    assert!(builder.push_json(b"{\"a\":1}", None, &tags, Some("{\"b\"")).is_err());
    let pushed = builder.push_json(b"{\"a\":", None, &tags, Some(given)).unwrap();
    assert_eq!(error_of(pushed), Some(JsonErrorKind::End));
    let batch = builder.finish(NOW);
    assert_eq!(batch.len(), 3);
    for row in 0..3 {
        assert_eq!(batch.value(row, "@attributes").as_deref(), Some(given));
        assert_eq!(batch.timestamp(row), 1_577_836_801_000_000_000);
    }
    assert_eq!(batch.value(2, "@error").as_deref(), Some("unexpected end of JSON at byte 5"));
    assert_eq!(batch.shapes().len(), 1);
    check_replay(&batch);
}

#[test]
fn names_over_the_limit_leave_the_fields_before_them() {
    let event = format!("{{\"first\":1,{}", &bomb(0, 4_000, 200)[1..]);
    let mut builder = builder();
    let pushed = builder.push_json(event.as_bytes(), None, &TagSet::none(), None).unwrap();
    assert_eq!(error_of(pushed), Some(JsonErrorKind::NamesTooLong));
    let batch = builder.finish(NOW);
    assert_eq!(batch.value(0, "first").as_deref(), Some("1"));
    let error = batch.value(0, "@error").unwrap();
    assert!(error.starts_with("field names too long together at byte "), "{error}");
    assert!(batch.memory_bytes() < 20 * event.len(), "{}", batch.memory_bytes());
    check_replay(&batch);
}

#[test]
fn fields_named_like_tags_are_not_tags() {
    let tagged = Arc::new(TagSet::new([("x", "tag")]));
    let text = br##"{"#x":"field","y":1}"##;
    let batch_of = |tags: &[&Arc<TagSet>]| {
        let mut builder = builder();
        for tags in tags {
            builder.push_json(text, None, tags, Some(r##"{"#x":"beside"}"##)).unwrap();
        }
        builder.finish(NOW)
    };
    let alone = batch_of(&[&TagSet::none()]);
    assert!(matches!(alone.column("#x", &Selection::all(1)).unwrap(), Column::Missing { rows: 1 }));
    assert!(!alone.names().iter().any(|name| &**name == "#x"));
    let both = batch_of(&[&TagSet::none(), &tagged]);
    assert_eq!(both.value(0, "#x"), None);
    assert_eq!(both.value(1, "#x").as_deref(), Some("tag"));
    assert_eq!(both.raw(0), text);
}
