//! `session`: a slot of the function inside for each stretch of rows that are no farther apart than a pause.
//!
//! A session is the time between its first and its last row. What comes, in whatever order, opens one, makes one longer, or
//! closes the gap between some: which rows are in one session hangs on their times alone, so states merge in any order.

mod coding;

use std::collections::BTreeMap;

use super::body::{Body, Run};
use super::read::each_number;
use super::slots::{NO_SLOT, SlotTable, Slots};
use super::spec::SessionSpec;
use super::{Input, Pipelines, Source, TIMESTAMP};
use crate::machine::{Context, StepError};

/// Numbers that lead to others are kept until there are more of them than sessions, and than this: to give them up costs as
/// much as there are sessions.
const LED_KEPT: usize = 1_024;
/// What a session takes besides its function's state: its place in a tree whose leaves are half full, as rows in order leave them.
const SESSION_BYTES: usize = 64;

/// Sessions, a function's state each.
#[derive(Clone, Debug)]
pub(super) struct Sessions {
    max_pause_millis: i64,
    /// What the function has learnt of nothing.
    empty: Box<Body>,
    /// The sessions by slot and first row.
    list: BTreeMap<(u32, i64), Session>,
    /// Where the number of a session leads that has become part of another.
    leads: Vec<u32>,
    body: Box<Body>,
    scratch: Vec<u32>,
}

/// A session but for its first row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Session {
    /// Its last row, milliseconds.
    last: i64,
    number: u32,
}

impl Sessions {
    pub(super) fn new(spec: &SessionSpec, context: &Context, source: Source) -> Sessions {
        let empty = Box::new(Body::new(&spec.function, context, source));
        Sessions {
            max_pause_millis: spec.max_pause_millis,
            body: empty.clone(),
            empty,
            list: BTreeMap::new(),
            leads: Vec::new(),
            scratch: Vec::new(),
        }
    }

    /// As [`Body::clear`].
    pub(super) fn clear(&mut self) {
        self.list.clear();
        self.leads.clear();
        self.body = self.empty.clone();
    }

    /// As [`Body::narrow`].
    pub(super) fn narrow(&mut self, threshold: u64) {
        self.empty.narrow(threshold);
        self.body.narrow(threshold);
    }

    /// As [`Body::threshold`].
    pub(super) fn threshold(&self) -> Option<u64> {
        self.body.threshold()
    }

    pub(super) fn step(
        &mut self,
        input: &Input<'_>,
        slots: &Slots<'_>,
        pipelines: &mut dyn Pipelines,
    ) -> Result<(), StepError> {
        let mut times: Vec<(u32, i64, usize)> = Vec::new();
        each_number(&input.column(TIMESTAMP), input.within, |row, number| {
            if let Some(millis) = number.truncate().filter(|_| slots.of(row) != NO_SLOT) {
                times.push((slots.of(row), millis, row));
            }
        });
        times.sort_unstable();
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        scratch.resize(input.rows, NO_SLOT);
        let pause = self.max_pause_millis;
        for together in times.chunk_by(|a, b| a.0 == b.0 && b.1.saturating_sub(a.1) <= pause) {
            let (Some(first), Some(last)) = (together.first(), together.last()) else { continue };
            let number = self.put(first.0, first.1, last.1);
            for (_, _, row) in together {
                if let Some(slot) = scratch.get_mut(*row) {
                    *slot = number;
                }
            }
        }
        scratch.iter_mut().for_each(|number| *number = led(&mut self.leads, *number));
        let mut within = input.within.clone();
        within.retain(|row| scratch.get(row).is_some_and(|slot| *slot != NO_SLOT));
        let input = Input { within: &within, ..*input };
        let stepped = self.body.step(&input, &Slots::each(&scratch, self.leads.len()), pipelines);
        self.scratch = scratch;
        self.tidy();
        stepped
    }

    /// Rows of `slot` from `first` to `last` that are in one session: its number, which may lead to another later.
    fn put(&mut self, slot: u32, first: i64, last: i64) -> u32 {
        if slot == NO_SLOT {
            return NO_SLOT;
        }
        let pause = self.max_pause_millis;
        let near = (slot, i64::MIN)..=(slot, last.saturating_add(pause));
        let mut whole = (first, last, None);
        // The sessions near enough are neighbours: from the latest on, as far as they reach.
        while let Some((key, session)) = self.list.range(near.clone()).next_back()
            && session.last.saturating_add(pause) >= first
        {
            let (key, session) = (*key, *session);
            self.list.remove(&key);
            whole = (whole.0.min(key.1), whole.1.max(session.last), whole.2.or(Some(session.number)));
            if let (Some(lead), Some(number)) = (self.leads.get_mut(session.number as usize), whole.2) {
                *lead = number;
            }
        }
        let number = whole.2.unwrap_or_else(|| {
            let next = u32::try_from(self.leads.len()).unwrap_or(NO_SLOT);
            self.leads.push(next);
            next
        });
        self.list.insert((slot, whole.0), Session { last: whole.1, number });
        number
    }

    /// Whether some numbers lead to others.
    fn has_led(&self) -> bool {
        self.leads.len() > self.list.len()
    }

    /// Gives up the numbers that lead to others, once there are so many that it has been paid for.
    fn tidy(&mut self) {
        if self.leads.len().saturating_sub(self.list.len()) > self.list.len().max(LED_KEPT) {
            self.renumber();
        }
    }

    /// Joins the states of those that have become one, and numbers the sessions in their order.
    fn renumber(&mut self) {
        if self.has_led() {
            *self = self.settled();
        }
    }

    /// The same with no number that leads to another. It takes as much again: see [`Sessions::bytes`].
    fn settled(&self) -> Sessions {
        let mut leads = self.leads.clone();
        let mut list = self.list.clone();
        let mut map = vec![NO_SLOT; leads.len()];
        for (session, next) in list.values_mut().zip(0_u32..) {
            if let Some(to) = map.get_mut(session.number as usize) {
                *to = next;
            }
            session.number = next;
        }
        let to = |number| map.get(led(&mut leads, number) as usize).copied().unwrap_or(NO_SLOT);
        let map: Vec<u32> = (0_u32..).take(map.len()).map(to).collect();
        let mut body = self.empty.clone();
        body.merge(&self.body, &map, list.len());
        Sessions {
            max_pause_millis: self.max_pause_millis,
            empty: self.empty.clone(),
            leads: (0_u32..).take(list.len()).collect(),
            list,
            body,
            scratch: Vec::new(),
        }
    }

    pub(super) fn merge(&mut self, other: &Sessions, map: &[u32]) {
        if other.has_led() {
            return self.merge(&other.settled(), map);
        }
        let mut numbers = vec![NO_SLOT; other.leads.len()];
        for ((slot, first), session) in &other.list {
            let to = map.get(*slot as usize).copied().unwrap_or(NO_SLOT);
            let number = self.put(to, *first, session.last);
            if let Some(slot) = numbers.get_mut(session.number as usize) {
                *slot = number;
            }
        }
        numbers.iter_mut().for_each(|number| *number = led(&mut self.leads, *number));
        self.body.merge(&other.body, &numbers, self.leads.len());
        self.tidy();
    }

    pub(super) fn gather(&mut self, keep: &[u32]) {
        self.renumber();
        let mut to: Vec<(u32, u32)> = keep.iter().copied().zip(0_u32..).collect();
        to.sort_unstable();
        let new = |slot: u32| {
            let at = to.binary_search_by_key(&slot, |(old, _)| *old).ok()?;
            to.get(at).map(|(_, new)| *new)
        };
        let kept = std::mem::take(&mut self.list).into_iter();
        let kept = kept.filter_map(|((slot, first), session)| Some(((new(slot)?, first), session)));
        self.list = kept.collect();
        let numbers: Vec<u32> = self.list.values().map(|session| session.number).collect();
        self.body.gather(&numbers);
        self.list.values_mut().zip(0_u32..).for_each(|(session, number)| session.number = number);
        self.leads = (0_u32..).take(numbers.len()).collect();
    }

    pub(super) fn output(&self, count: usize, run: &mut Run<'_>) -> Result<SlotTable, StepError> {
        if self.has_led() {
            return self.settled().output(count, run);
        }
        let inner = self.body.output(self.leads.len(), run)?;
        // Where each session stands: its rank among all, and its slot.
        let mut places = vec![(NO_SLOT, NO_SLOT); self.leads.len()];
        let shown = self.list.iter().filter(|((slot, _), _)| (*slot as usize) < count);
        for (((slot, _), session), rank) in shown.zip(0_u32..) {
            if let Some(place) = places.get_mut(session.number as usize) {
                *place = (rank, *slot);
            }
        }
        let place = |row: &u32| {
            let number = inner.slots.get(*row as usize).copied().unwrap_or(NO_SLOT);
            places.get(number as usize).copied().unwrap_or((NO_SLOT, NO_SLOT))
        };
        let mut rows: Vec<u32> = (0_u32..).take(inner.rows()).filter(|row| place(row).1 != NO_SLOT).collect();
        // Sorting is stable: several rows of one session stay as they were.
        rows.sort_by_key(place);
        let slots = rows.iter().map(|row| place(row).1).collect();
        let mut table = inner.gather(&rows, slots);
        table.order.clear();
        Ok(table)
    }

    /// Bytes held; while some numbers lead to others, with what it takes to settle them, as whoever writes it or tells of it must.
    pub(super) fn bytes(&self) -> usize {
        let numbers = self.leads.capacity() * size_of::<u32>();
        let held = self.list.len() * SESSION_BYTES + numbers + self.body.bytes();
        // The same once more, and two lists of numbers on the way there.
        let settling = if self.has_led() { held + 2 * numbers } else { 0 };
        held + settling + self.empty.bytes()
    }
}

/// The session that has become of `number`. Ways are halved while they are gone (Tarjan and van Leeuwen 1984).
fn led(leads: &mut [u32], mut number: u32) -> u32 {
    while let Some(lead) = leads.get(number as usize).copied().filter(|lead| *lead != number) {
        let further = leads.get(lead as usize).copied().unwrap_or(lead);
        if let Some(lead) = leads.get_mut(number as usize) {
            *lead = further;
        }
        number = further;
    }
    number
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregates::spec::AggregateSpec;

    fn sessions() -> Sessions {
        let spec = SessionSpec { function: Box::new(AggregateSpec::count()), max_pause_millis: 10 };
        Sessions::new(&spec, &Context::default(), Source::Events)
    }

    #[test]
    fn what_is_no_farther_apart_than_a_pause_is_together() {
        for (put, expected) in [
            (&[(0, 0), (11, 11)][..], &[(0, 0), (11, 11)][..]),
            (&[(0, 0), (10, 10)], &[(0, 10)]),
            (&[(0, 0), (20, 20), (10, 10)], &[(0, 20)]),
            (&[(0, 0), (50, 60), (22, 30), (11, 39)], &[(0, 0), (11, 39), (50, 60)]),
            (&[(0, 0), (50, 60), (22, 30), (10, 40)], &[(0, 60)]),
            (&[(i64::MIN, i64::MIN), (i64::MAX, i64::MAX)], &[(i64::MIN, i64::MIN), (i64::MAX, i64::MAX)]),
        ] {
            let mut sessions = sessions();
            for (first, last) in put {
                sessions.put(0, *first, *last);
            }
            sessions.renumber();
            let spans: Vec<(i64, i64)> = sessions.list.iter().map(|(key, one)| (key.1, one.last)).collect();
            assert_eq!(spans, expected, "{put:?}");
        }
    }

    #[test]
    fn sessions_from_the_newest_to_the_oldest_cost_no_more_than_in_order() {
        // With a list of sessions and an insertion at its front this took minutes.
        let mut sessions = sessions();
        (0..100_000).rev().for_each(|at| {
            sessions.put(0, at * 20, at * 20);
        });
        assert_eq!((sessions.list.len(), sessions.leads.len()), (100_000, 100_000));
        // What closes gaps, each in a step of its own, has numbers given up now and then, and not each time.
        for at in 0..75_000 {
            sessions.put(0, at * 20 + 10, at * 20 + 10);
            sessions.tidy();
        }
        assert_eq!(sessions.list.len(), 25_000);
        assert!(sessions.leads.len() <= 2 * sessions.list.len() + 1, "{}", sessions.leads.len());
    }
}
