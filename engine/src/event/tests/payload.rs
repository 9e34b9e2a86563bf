//! A batch written and read is the same batch; anything else is an error.

use std::sync::Arc;

use proptest::prelude::*;

use super::json::json_text;
use super::{NOW, batch_of};
use crate::event::{EventBatch, EventBatchBuilder, EventLimits, PayloadError, TagSet};

pub(super) fn same(one: &EventBatch, other: &EventBatch) -> Result<(), TestCaseError> {
    prop_assert_eq!(one.len(), other.len());
    prop_assert_eq!(one.ingest_nanos(), other.ingest_nanos());
    prop_assert_eq!(one.raw_bytes(), other.raw_bytes());
    for row in 0..one.len() {
        prop_assert_eq!(one.raw(row), other.raw(row));
        prop_assert_eq!(one.is_utf8(row), other.is_utf8(row));
        prop_assert_eq!(one.timestamp(row), other.timestamp(row));
        prop_assert_eq!(one.has_arrival_timestamp(row), other.has_arrival_timestamp(row));
        prop_assert_eq!(one.tag_set(row), other.tag_set(row));
        for (one, other) in [(one.json(row), other.json(row)), (one.attributes(row), other.attributes(row))] {
            prop_assert_eq!(one.is_some(), other.is_some());
            if let (Some(one), Some(other)) = (one, other) {
                prop_assert_eq!(one.text(), other.text());
                prop_assert_eq!(one.shape(), other.shape());
                prop_assert!(one.values().eq(other.values()) && one.tokens().eq(other.tokens()));
            }
        }
    }
    Ok(())
}

pub(super) fn any_batch() -> impl Strategy<Value = EventBatch> {
    let raw = prop_oneof![
        json_text().prop_map(String::into_bytes),
        prop::collection::vec(any::<u8>(), 0..20),
        "[a-z ]{0,20}".prop_map(String::into_bytes),
    ];
    let tags = prop::collection::vec(("[a-c]", "[a-c☃]{0,3}"), 0..3);
    let time = prop::option::of(any::<i64>());
    let row = (raw, any::<bool>(), time, tags, prop::option::of(json_text()));
    (prop::collection::vec(row, 0..10), any::<i64>()).prop_map(|(rows, ingest_nanos)| {
        let mut builder = EventBatchBuilder::new(EventLimits::default()).with_reference(NOW);
        for (raw, json, time, tags, attributes) in rows {
            let tags = Arc::new(TagSet::new(tags));
            if json {
                builder.push_json(&raw, time, &tags, attributes.as_deref()).unwrap();
            } else {
                builder.push_text(&raw, time, &tags, attributes.as_deref()).unwrap();
            }
        }
        builder.finish(ingest_nanos)
    })
}

proptest! {
    #[test]
    fn batches_survive_the_log(batch in any_batch()) {
        for payload in [batch.texts_inside(), batch.texts_behind().unwrap()] {
            let bytes = payload.to_vec();
            prop_assert_eq!((payload.len(), payload.crc()), (bytes.len(), crc32c::crc32c(&bytes)));
            same(&batch, &EventBatch::decode_log(&bytes).unwrap())?;
        }
    }

    #[test]
    fn mutated_payloads_are_errors_or_batches(
        batch in any_batch(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in any::<prop::sample::Index>(),
        behind in any::<bool>(),
    ) {
        let payload = if behind { batch.texts_behind().unwrap() } else { batch.texts_inside() };
        let mut bytes = payload.to_vec();
        let cut = cut.index(bytes.len());
        prop_assert!(EventBatch::decode_log(&bytes[..cut]).is_err());
        for (at, byte) in flips {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(read) = EventBatch::decode_log(&bytes) {
            same(&read, &EventBatch::decode_log(&read.log_payload().to_vec()).unwrap())?;
        }
    }

    #[test]
    fn any_bytes_may_be_read(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = EventBatch::decode_log(&bytes);
        for version in [1, 2] {
            let versioned: Vec<u8> = [version].into_iter().chain(bytes.iter().copied()).collect();
            let _ = EventBatch::decode_log(&versioned);
        }
    }
}

#[test]
fn faults_have_names() {
    let good = batch_of(&["{\"a\":1}"]).log_payload().to_vec();
    let read = |bytes: &[u8]| EventBatch::decode_log(bytes).unwrap_err().to_string();
    assert_eq!(read(&[]), "malformed log payload: cut short");
    let mut newer = good.clone();
    newer[0] = 9;
    assert_eq!(EventBatch::decode_log(&newer).unwrap_err(), PayloadError::Version(9));
    let mut longer = good.clone();
    longer.push(0);
    assert_eq!(read(&longer), "malformed log payload: trailing bytes");
    let mut broken = good.clone();
    *broken.last_mut().unwrap() = b'x';
    assert_eq!(read(&broken), "malformed log payload: an event is not the JSON it was");
    // A count of rows that no bytes stand for allocates nothing.
    let mut many = good[..9].to_vec();
    many.extend([0, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F]);
    assert_eq!(read(&many), "malformed log payload: cut short");
}

/// A payload of the first version, byte by byte, and the faults of the second.
#[test]
fn both_versions_are_read() {
    let row = br#"{"a":1}"#;
    let first = [&[1][..], &5i64.to_le_bytes(), &[1, 0, 1, 1, 14, 0, 7], row].concat();
    let heads = [&5i64.to_le_bytes()[..], &[1, 0, 1, 1, 14, 0, 1, 7]].concat();
    let second = [&[2][..], &[heads.len() as u8, 0, 0, 0, 9, 0, 0, 0], &heads, b"-", row, b"-"].concat();
    for bytes in [&first, &second] {
        let batch = EventBatch::decode_log(bytes).unwrap();
        assert_eq!(
            (batch.len(), batch.ingest_nanos(), batch.timestamp(0), batch.raw(0)),
            (1, 5, 7, &row[..])
        );
    }
    let read = |bytes: &[u8]| EventBatch::decode_log(bytes).unwrap_err().to_string();
    let changed = |at: usize, byte: u8| {
        let mut bytes = second.clone();
        bytes[at] = byte;
        read(&bytes)
    };
    assert_eq!(changed(1, 200), "malformed log payload: cut short");
    assert_eq!(changed(5, 10), "malformed log payload: cut short");
    assert_eq!(changed(5, 8), "malformed log payload: trailing bytes");
    assert_eq!(changed(23, 9), "malformed log payload: cut short", "passed over more than there is");
    assert_eq!(changed(20, 17), "malformed log payload: unknown flags of an event");
    assert_eq!(changed(20, 9), "malformed log payload: cut short", "nothing stands beside");
}

#[test]
fn texts_of_large_batches_stay_where_they_are() {
    let row = r#"{"level":"info","text":"nothing to escape"}"#;
    let escaped = r#"{"level":"info","text":"line\nline\nline"}"#;
    for (row, rows, apart) in [(row, 200, true), (row, 20, false), (escaped, 200, false)] {
        let payload = batch_of(&vec![row; rows]).log_payload();
        assert_eq!(!payload.slices()[1].is_empty(), apart, "{row} {rows}");
    }
}

#[test]
fn content_is_what_a_batch_says_not_when() {
    let batch = |line: &str, attributes: Option<&str>, tag: &str, nanos: i64| {
        let tags = Arc::new(TagSet::new([("kind", tag)]));
        let mut builder = EventBatchBuilder::new(EventLimits::default());
        builder.push_text(line.as_bytes(), Some(nanos), &tags, attributes).unwrap();
        builder.push_text(b"end", Some(nanos), &tags, None).unwrap();
        builder.finish(nanos).content_crc()
    };
    let one = batch("line", Some(r#"{"n":1}"#), "t", 5);
    assert_eq!(one, batch("line", Some(r#"{"n":1}"#), "t", 6), "sent again, it comes later");
    let others = [
        batch("lines", Some(r#"{"n":1}"#), "t", 5),
        batch("line", Some(r#"{"n":2}"#), "t", 5),
        batch("line", None, "t", 5),
        batch("line", Some(r#"{"n":1}"#), "u", 5),
    ];
    assert!(others.iter().all(|other| *other != one && *other != 0), "{others:?}");
}
