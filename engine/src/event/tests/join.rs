//! Batches that are joined answer as they did apart.

use proptest::prelude::*;
use weir_query::compile::TextMatcher;
use weir_query::record::{Rows, Selection};

use super::payload::any_batch;
use crate::event::EventBatch;

/// What an event answers, beside what its columns say.
fn account(batch: &EventBatch, row: usize) -> String {
    let parts: Vec<_> = [batch.json(row), batch.attributes(row)]
        .into_iter()
        .flatten()
        .map(|part| {
            let (values, tokens): (Vec<_>, Vec<_>) = (part.values().collect(), part.tokens().collect());
            format!("{} {:?} {values:?} {tokens:?}", part.text(), part.shape())
        })
        .collect();
    format!(
        "{:?} {} {} {:?} {} {:?} {} {} {} {parts:?}",
        batch.raw(row),
        batch.raw_text(row),
        batch.is_utf8(row),
        batch.order_key(row),
        batch.has_arrival_timestamp(row),
        batch.tag_set(row),
        batch.sequence(row),
        batch.ingest_nanos_of(row),
        batch.repository().is_some(),
    )
}

fn rows(batches: &[EventBatch]) -> impl Iterator<Item = (&EventBatch, usize)> {
    batches.iter().flat_map(|batch| (0..batch.len()).map(move |row| (batch, row)))
}

fn check(apart: &[EventBatch], joined: &EventBatch) -> Result<(), TestCaseError> {
    let all = Selection::all(joined.len());
    prop_assert_eq!(joined.len(), rows(apart).count());
    prop_assert_eq!(joined.raw_bytes(), apart.iter().map(EventBatch::raw_bytes).sum::<usize>());
    for (at, (batch, row)) in rows(apart).enumerate() {
        prop_assert_eq!(account(joined, at), account(batch, row));
        prop_assert_eq!(joined.order().unwrap()[at], batch.order().unwrap()[row]);
    }
    let mut names = joined.names();
    names.extend(apart.iter().flat_map(EventBatch::names));
    names.sort();
    names.dedup();
    for name in names {
        for (at, (batch, row)) in rows(apart).enumerate() {
            prop_assert_eq!(joined.value(at, &name), batch.value(row, &name), "{}", &name);
        }
    }
    for literal in ["a", "\"", "1", "b c"] {
        let matcher = TextMatcher::contains(literal);
        let found = joined.search(&matcher, &all).unwrap();
        for (at, (batch, row)) in rows(apart).enumerate() {
            let alone = batch.search(&matcher, &Selection::all(batch.len())).unwrap();
            prop_assert_eq!(found.contains(at), alone.contains(row), "{}", literal);
        }
    }
    let last = apart.iter().rev().find(|batch| !batch.is_empty());
    prop_assert_eq!(last.map(EventBatch::last_sequence), last.map(|_| joined.last_sequence()));
    let times = || apart.iter().map(EventBatch::ingest_nanos);
    prop_assert_eq!(Some(joined.ingest_range()), times().min().zip(times().max()));
    Ok(())
}

proptest! {
    #[test]
    fn joined_batches_answer_as_apart(batches in prop::collection::vec((any_batch(), 0..3_u64), 1..6)) {
        let mut next = 7;
        let apart: Vec<EventBatch> = batches
            .into_iter()
            .map(|(batch, gap)| {
                let base = next + gap;
                next = base + batch.len() as u64;
                batch.with_sequence(base).with_repository(&"web".into())
            })
            .collect();
        let (first, rest) = apart.split_first().unwrap();
        check(&apart, &rest.iter().fold(first.clone(), |joined, batch| EventBatch::join(&[&joined, batch])))?;
        let (last, rest) = apart.split_last().unwrap();
        check(&apart, &rest.iter().rev().fold(last.clone(), |joined, batch| EventBatch::join(&[batch, &joined])))?;
    }
}

#[test]
fn what_batches_share_is_kept_once() {
    let one = |base| super::batch_of(&[r#"{"a":1}"#]).with_sequence(base);
    let joined = (2..100).fold(one(1), |joined, base| EventBatch::join(&[&joined, &one(base)]));
    assert_eq!((joined.len(), joined.shapes().len(), joined.tag_sets().len()), (99, 1, 1));
    assert_eq!((joined.base_sequence(), joined.last_sequence()), (1, 99));
}
