//! A batch written and read is the same batch; anything else is an error.

use std::sync::Arc;

use proptest::prelude::*;

use super::json::json_text;
use super::{NOW, batch_of};
use crate::event::{EventBatch, EventBatchBuilder, EventLimits, PayloadError, TagSet};

fn same(one: &EventBatch, other: &EventBatch) -> Result<(), TestCaseError> {
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
        let mut bytes = Vec::new();
        batch.encode_log(&mut bytes);
        same(&batch, &EventBatch::decode_log(&bytes).unwrap())?;
    }

    #[test]
    fn mutated_payloads_are_errors_or_batches(
        batch in any_batch(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = Vec::new();
        batch.encode_log(&mut bytes);
        let cut = cut.index(bytes.len());
        prop_assert!(EventBatch::decode_log(&bytes[..cut]).is_err());
        for (at, byte) in flips {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(read) = EventBatch::decode_log(&bytes) {
            let mut again = Vec::new();
            read.encode_log(&mut again);
            same(&read, &EventBatch::decode_log(&again).unwrap())?;
        }
    }

    #[test]
    fn any_bytes_may_be_read(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = EventBatch::decode_log(&bytes);
        let versioned: Vec<u8> = [1].into_iter().chain(bytes).collect();
        let _ = EventBatch::decode_log(&versioned);
    }
}

#[test]
fn faults_have_names() {
    let mut good = Vec::new();
    batch_of(&["{\"a\":1}"]).encode_log(&mut good);
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
