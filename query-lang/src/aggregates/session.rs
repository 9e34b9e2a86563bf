//! `session`: a slot of the function inside for each stretch of rows that are no farther apart than a pause.
//!
//! A session is the time between its first and its last row. What comes, in whatever order, opens one, makes one longer, or
//! closes the gap between some: which rows are in one session hangs on their times alone, so states merge in any order.

mod coding;

use super::body::{Body, Run};
use super::read::each_number;
use super::slots::{NO_SLOT, SlotTable, Slots, grow};
use super::spec::SessionSpec;
use super::{Input, Pipelines, Source, TIMESTAMP};
use crate::machine::{Context, StepError};

/// Sessions, a function's state each.
#[derive(Clone, Debug)]
pub(super) struct Sessions {
    max_pause_millis: i64,
    /// What the function has learnt of nothing.
    empty: Box<Body>,
    /// The sessions of each slot, oldest first.
    slots: Vec<Vec<Session>>,
    /// Where the number of a session leads that has become part of another.
    leads: Vec<u32>,
    body: Box<Body>,
    scratch: Vec<u32>,
}

/// From its first row to its last, milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Session {
    first: i64,
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
            slots: Vec::new(),
            leads: Vec::new(),
            scratch: Vec::new(),
        }
    }

    /// As [`Body::clear`].
    pub(super) fn clear(&mut self) {
        self.slots.clear();
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
        grow(&mut self.slots, slots.count);
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
        scratch.iter_mut().for_each(|number| *number = self.led(*number));
        let mut within = input.within.clone();
        within.retain(|row| scratch.get(row).is_some_and(|slot| *slot != NO_SLOT));
        let input = Input { within: &within, ..*input };
        let stepped = self.body.step(&input, &Slots::each(&scratch, self.leads.len()), pipelines);
        self.scratch = scratch;
        self.renumber();
        stepped
    }

    /// Rows of `slot` from `first` to `last` that are in one session: its number, which may lead to another later.
    fn put(&mut self, slot: u32, mut first: i64, mut last: i64) -> u32 {
        let Some(sessions) = self.slots.get_mut(slot as usize) else { return NO_SLOT };
        let pause = self.max_pause_millis;
        let start = sessions.partition_point(|session| session.last.saturating_add(pause) < first);
        let end = sessions.partition_point(|session| session.first.saturating_sub(pause) <= last);
        let mut number = None;
        for session in sessions.get(start..end).unwrap_or_default() {
            (first, last) = (first.min(session.first), last.max(session.last));
            match number {
                None => number = Some(session.number),
                Some(number) => {
                    if let Some(lead) = self.leads.get_mut(session.number as usize) {
                        *lead = number;
                    }
                }
            }
        }
        let number = number.unwrap_or_else(|| {
            let next = u32::try_from(self.leads.len()).unwrap_or(NO_SLOT);
            self.leads.push(next);
            next
        });
        sessions.splice(start..end.max(start), [Session { first, last, number }]);
        number
    }

    /// The session that has become of this one.
    fn led(&self, mut number: u32) -> u32 {
        while let Some(lead) = self.leads.get(number as usize).filter(|lead| **lead != number) {
            number = *lead;
        }
        number
    }

    /// Joins the states of those that have become one.
    fn renumber(&mut self) {
        if (0_u32..).zip(&self.leads).all(|(number, lead)| number == *lead) {
            return;
        }
        let mut map = vec![NO_SLOT; self.leads.len()];
        let mut next = 0;
        for session in self.slots.iter_mut().flatten() {
            if let Some(to) = map.get_mut(session.number as usize) {
                *to = next;
            }
            session.number = next;
            next += 1;
        }
        let of_led = |number: u32| map.get(self.led(number) as usize).copied().unwrap_or(NO_SLOT);
        let map: Vec<u32> = (0_u32..).take(map.len()).map(of_led).collect();
        let mut body = self.empty.clone();
        body.merge(&self.body, &map, next as usize);
        self.body = body;
        self.leads = (0..next).collect();
    }

    pub(super) fn merge(&mut self, other: &Sessions, map: &[u32], count: usize) {
        grow(&mut self.slots, count);
        let mut numbers = vec![NO_SLOT; other.leads.len()];
        for (sessions, to) in other.slots.iter().zip(map) {
            for session in sessions {
                let number = self.put(*to, session.first, session.last);
                if let Some(slot) = numbers.get_mut(session.number as usize) {
                    *slot = number;
                }
            }
        }
        numbers.iter_mut().for_each(|number| *number = self.led(*number));
        self.body.merge(&other.body, &numbers, self.leads.len());
        self.renumber();
    }

    pub(super) fn gather(&mut self, keep: &[u32]) {
        super::slots::gather(&mut self.slots, keep);
        let numbers: Vec<u32> = self.slots.iter().flatten().map(|session| session.number).collect();
        self.body.gather(&numbers);
        self.slots.iter_mut().flatten().zip(0_u32..).for_each(|(session, number)| session.number = number);
        self.leads = (0_u32..).take(numbers.len()).collect();
    }

    pub(super) fn output(&self, count: usize, run: &mut Run<'_>) -> Result<SlotTable, StepError> {
        let inner = self.body.output(self.leads.len(), run)?;
        // Where each session stands: its rank among all, and its slot.
        let mut places = vec![(NO_SLOT, NO_SLOT); self.leads.len()];
        let mut rank = 0;
        for (slot, sessions) in (0_u32..).zip(self.slots.iter().take(count)) {
            for session in sessions {
                if let Some(place) = places.get_mut(session.number as usize) {
                    *place = (rank, slot);
                }
                rank += 1;
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

    pub(super) fn bytes(&self) -> usize {
        let sessions: usize = self.slots.iter().map(|slot| slot.capacity() * size_of::<Session>()).sum();
        sessions + self.leads.capacity() * size_of::<u32>() + self.body.bytes() + self.empty.bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregates::spec::AggregateSpec;

    fn sessions() -> Sessions {
        let spec = SessionSpec { function: Box::new(AggregateSpec::count()), max_pause_millis: 10 };
        let mut sessions = Sessions::new(&spec, &Context::default(), Source::Events);
        grow(&mut sessions.slots, 1);
        sessions
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
            let spans: Vec<(i64, i64)> = sessions.slots[0].iter().map(|one| (one.first, one.last)).collect();
            assert_eq!(spans, expected, "{put:?}");
        }
    }
}
