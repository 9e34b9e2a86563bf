//! What stands in the frames of a snapshot.

use std::sync::Arc;
use std::time::Duration;

use super::bytes::{Bytes, put_flag, put_list, put_optional, put_signed, put_text, put_varint};
use crate::event::TagSet;
use crate::live::TimeBasis;
use crate::live::emission::EmissionCut;
use crate::live::keep::{parse_kind, print_kind};
use crate::live::metric::MetricCut;
use crate::live::ring::{FAN, FoldCut, MAX_ROLLUPS, Part, RingCut};
use crate::live::sources::{Source, SourcesCut};
use crate::live::standing::{Reading, Reserved, StandingCut, Tally};
use crate::live::standing_key::StandingKey;
use crate::live::trigger::TriggerMemory;

/// Kinds of frames.
pub(super) const SOURCES: u8 = 1;
pub(super) const STANDING: u8 = 2;
pub(super) const PARTS: u8 = 3;
pub(super) const METRIC: u8 = 4;

/// Where the parts of a pane stand, as if it were a level.
pub(super) const PANE: u8 = 0xff;
/// Numbers of buckets lie so far from 0 at most; then they can be counted up to the end of a roll-up.
const BUCKETS_MAX: u64 = 1 << 62;
/// The most events that a part may be of: so few that all of them can be added up.
const EVENTS_MAX: u64 = 1 << 48;

/// A bucket's number, or one that a bucket could have.
fn bucket(from: &mut Bytes<'_>) -> Option<i64> {
    from.signed().filter(|number| number.unsigned_abs() <= BUCKETS_MAX)
}

fn events(from: &mut Bytes<'_>) -> Option<u64> {
    from.varint().filter(|events| *events <= EVENTS_MAX)
}

/// The whole body, read by `read`.
pub(super) fn all_of<'a, T>(body: &'a [u8], read: impl FnOnce(&mut Bytes<'a>) -> Option<T>) -> Option<T> {
    let mut from = Bytes::new(body);
    read(&mut from).filter(|_| from.is_empty())
}

/// The version of Weir: what a state means may change from one to the next though its query does not.
const AUTHOR: &str = env!("CARGO_PKG_VERSION");

/// Who writes: it stands before the sources.
pub(super) fn put_author(out: &mut Vec<u8>) {
    put_text(AUTHOR, out);
}

/// Who wrote, where that is somebody else.
pub(super) fn other_author(body: &[u8]) -> Option<&str> {
    Bytes::new(body).text().filter(|author| *author != AUTHOR)
}

pub(super) fn put_sources(cut: &SourcesCut, out: &mut Vec<u8>) {
    let put_source = |source: &Source, out: &mut Vec<u8>| {
        put_signed(source.newest, out);
        put_signed(source.seen, out);
    };
    put_signed(cut.at_nanos, out);
    put_list(&cut.by_tags, out, |(tags, source), out| {
        let tags: Vec<(&str, &str)> = tags.iter().collect();
        put_list(&tags, out, |(name, value), out| {
            put_text(name, out);
            put_text(value, out);
        });
        put_source(source, out);
    });
    for source in [&cut.others, &cut.arrival] {
        put_list(source.as_slice(), out, put_source);
    }
}

pub(super) fn sources(from: &mut Bytes<'_>) -> Option<SourcesCut> {
    let source = |from: &mut Bytes<'_>| Some(Source { newest: from.signed()?, seen: from.signed()? });
    let one = |from: &mut Bytes<'_>| {
        let list = from.list(source)?;
        (list.len() <= 1).then_some(list.first().copied())
    };
    let _author = from.text()?;
    Some(SourcesCut {
        at_nanos: from.signed()?,
        by_tags: from.list(|from| {
            let tags = from.list(|from| Some((from.text()?.to_owned(), from.text()?.to_owned())))?;
            Some((Arc::new(TagSet::new(tags)), source(from)?))
        })?,
        others: one(from)?,
        arrival: one(from)?,
    })
}

fn put_key(key: &StandingKey, out: &mut Vec<u8>) {
    let put_span = |span: Duration, out: &mut Vec<u8>| {
        put_varint(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX), out);
    };
    out.extend_from_slice(&key.fingerprint.to_le_bytes());
    put_signed(key.granule_nanos, out);
    put_span(key.lateness, out);
    put_span(key.idle_timeout, out);
    put_flag(key.time == TimeBasis::Ingest, out);
    put_text(&key.timezone, out);
    put_varint(key.max_bytes as u64, out);
    put_list(key.window.as_slice(), out, |(kind, length), out| {
        put_text(&print_kind(*kind), out);
        put_span(*length, out);
    });
    put_flag(key.extents, out);
}

fn key(from: &mut Bytes<'_>) -> Option<StandingKey> {
    Some(StandingKey {
        fingerprint: from.fixed()?,
        granule_nanos: from.signed()?,
        lateness: Duration::from_nanos(from.varint()?),
        idle_timeout: Duration::from_nanos(from.varint()?),
        time: if from.flag()? { TimeBasis::Ingest } else { TimeBasis::Event },
        timezone: from.text()?.to_owned(),
        max_bytes: usize::try_from(from.varint()?).ok()?,
        window: {
            let list =
                from.list(|from| Some((parse_kind(from.text()?)?, Duration::from_nanos(from.varint()?))))?;
            (list.len() <= 1).then_some(list.first().copied())?
        },
        extents: from.flag()?,
        pane: None,
    })
}

/// All of `cut` but its parts. `owner`: the metric whose pane it has.
pub(super) fn put_standing(cut: &StandingCut, owner: Option<&str>, out: &mut Vec<u8>) {
    let StandingCut { key, next_sequence, first_bucket, taken, tally, .. } = cut;
    put_key(key, out);
    put_list(owner.as_slice(), out, |owner, out| put_text(owner, out));
    put_varint(*next_sequence, out);
    put_signed(*first_bucket, out);
    put_varint(*taken, out);
    let Tally { late, dropped, future, repaired } = *tally;
    [late, dropped, future, repaired].into_iter().for_each(|count| put_varint(count, out));
    put_list(&cut.ahead, out, |(bucket, events), out| {
        put_signed(*bucket, out);
        put_varint(*events, out);
    });
    put_list(&cut.reserved, out, |reserved, out| {
        put_varint(reserved.up_to_sequence, out);
        put_signed(reserved.below_bucket, out);
    });
    put_list(&cut.readings, out, |reading, out| {
        put_varint(reading.first_sequence, out);
        put_varint(reading.last_sequence, out);
        put_signed(reading.buckets.start, out);
        put_signed(reading.buckets.end, out);
    });
    put_list(&cut.extents, out, |(bucket, first, last), out| {
        put_signed(*bucket, out);
        put_signed(*first, out);
        put_signed(*last, out);
    });
    put_signed(cut.ring.closed, out);
    put_varint(cut.ring.levels.len() as u64, out);
    put_list(&cut.ring.folds, out, |fold, out| {
        put_varint(fold.level as u64, out);
        put_signed(fold.number, out);
        put_flag(fold.is_lost, out);
    });
}

/// A standing without its parts, and whose pane it has.
pub(super) fn standing(from: &mut Bytes<'_>) -> Option<(StandingCut, Option<String>)> {
    let key = key(from)?;
    let owner = from.list(|from| Some(from.text()?.to_owned()))?;
    let cut = StandingCut {
        key,
        next_sequence: from.varint()?,
        first_bucket: bucket(from)?,
        taken: from.varint().filter(|taken| *taken <= u64::MAX / 2)?,
        tally: Tally {
            late: events(from)?,
            dropped: events(from)?,
            future: events(from)?,
            repaired: events(from)?,
        },
        ahead: from.list(|from| Some((bucket(from)?, events(from)?)))?,
        reserved: from
            .list(|from| Some(Reserved { up_to_sequence: from.varint()?, below_bucket: from.signed()? }))?,
        readings: from.list(|from| {
            let (first_sequence, last_sequence) = (from.varint()?, from.varint()?);
            Some(Reading { first_sequence, last_sequence, buckets: from.signed()?..from.signed()? })
        })?,
        extents: from.list(|from| Some((bucket(from)?, from.signed()?, from.signed()?)))?,
        ring: ring(from)?,
        pane: Vec::new(),
    };
    (owner.len() <= 1).then_some((cut, owner.into_iter().next()))
}

fn ring(from: &mut Bytes<'_>) -> Option<RingCut> {
    let closed = bucket(from)?;
    let count = usize::try_from(from.varint()?).ok().filter(|count| (1..=MAX_ROLLUPS + 1).contains(count))?;
    let folds = from.list(|from| {
        let level = usize::try_from(from.varint()?).ok().filter(|level| (1..count).contains(level))?;
        Some(FoldCut { level, number: part_number(from.signed()?, level)?, is_lost: from.flag()? })
    })?;
    Some(RingCut { closed, levels: (0..count).map(|_| Vec::new()).collect(), folds })
}

/// `number`, where a part of `level` can have it.
fn part_number(number: i64, level: usize) -> Option<i64> {
    let size = FAN.unsigned_abs().checked_pow(u32::try_from(level).ok()?)?;
    (number.unsigned_abs() <= BUCKETS_MAX / size).then_some(number)
}

/// One part behind that of number `before`, with its state as bytes.
pub(super) fn put_part(
    number: i64,
    before: Option<i64>,
    part: &Part,
    state: Option<&[u8]>,
    out: &mut Vec<u8>,
) {
    match before {
        None => put_signed(number, out),
        Some(before) => put_varint(number.abs_diff(before).saturating_sub(1), out),
    }
    put_varint(part.events(), out);
    put_varint(part.dropped(), out);
    put_varint(state.map_or(0, |state| state.len() as u64 + 1), out);
    out.extend_from_slice(state.unwrap_or_default());
}

/// A part that was read, its state still bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PartBytes<'a> {
    pub(super) number: i64,
    pub(super) events: u64,
    pub(super) dropped: u64,
    pub(super) state: Option<&'a [u8]>,
}

/// Which level, and parts of it in order.
pub(super) fn parts<'a>(from: &mut Bytes<'a>) -> Option<(u8, Vec<PartBytes<'a>>)> {
    let level = from.byte()?;
    let (mut parts, mut before) = (Vec::new(), None::<i64>);
    while !from.is_empty() {
        let number = match before {
            None => from.signed()?,
            Some(before) => before.checked_add(1)?.checked_add_unsigned(from.varint()?)?,
        };
        part_number(number, if level == PANE { 0 } else { usize::from(level) })?;
        before = Some(number);
        let (events, dropped) = (events(from)?, events(from)?);
        let state = match from.varint()?.checked_sub(1) {
            None => None,
            Some(length) => Some(from.take(length)?),
        };
        parts.push(PartBytes { number, events, dropped, state });
    }
    Some((level, parts))
}

pub(super) fn put_metric(cut: &MetricCut, out: &mut Vec<u8>) {
    put_text(&cut.name, out);
    out.extend_from_slice(&cut.definition.to_le_bytes());
    put_list(cut.open.as_slice(), out, |open, out| {
        put_signed(open.start, out);
        put_signed(open.end, out);
    });
    put_list(cut.emission.as_slice(), out, |emission, out| {
        let EmissionCut { trigger: TriggerMemory { begun, were, numbers }, counted, ended } = emission;
        put_flag(*begun, out);
        put_list(were, out, |was, out| put_flag(*was, out));
        put_list(numbers, out, |number, out| put_signed(*number, out));
        put_varint(*counted, out);
        put_optional(*ended, out);
    });
}

pub(super) fn metric(from: &mut Bytes<'_>) -> Option<MetricCut> {
    let emission = |from: &mut Bytes<'_>| {
        let trigger = TriggerMemory {
            begun: from.flag()?,
            were: from.list(Bytes::flag)?,
            numbers: from.list(Bytes::signed)?,
        };
        Some(EmissionCut { trigger, counted: from.varint()?, ended: from.optional()? })
    };
    let (name, definition) = (from.text()?.to_owned(), from.fixed()?);
    let open = from.list(|from| Some(bucket(from)?..bucket(from)?))?;
    let emission = from.list(emission)?;
    (open.len() <= 1 && emission.len() <= 1).then_some(MetricCut {
        name,
        definition,
        open: open.into_iter().next(),
        emission: emission.into_iter().next(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_of_so_many_events_at_most() {
        for (count, expected) in [(EVENTS_MAX, Some(EVENTS_MAX)), (EVENTS_MAX + 1, None)] {
            let mut out = Vec::new();
            put_varint(count, &mut out);
            assert_eq!(all_of(&out, events), expected);
        }
    }
}
