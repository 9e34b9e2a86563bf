//! How far each source of events has come.
//!
//! A source is what has the same tags: events that one shipper sends from one file, say, come in order among
//! themselves, but one file may be an hour behind another. Nothing older than a time is expected when every source
//! that still sends has passed it. It is kept once a repository, whatever the number of metrics.

use std::sync::Arc;

use hashbrown::HashMap;
use parking_lot::Mutex;

use super::TimeBasis;
use crate::event::{EventBatch, TagSet};

/// The most sources that are told apart. Of more, those that were not seen for longest count as one.
pub const MAX_SOURCES: usize = 1_024;
/// The most answers that are remembered; metrics with other idle timeouts cost a look at every source.
const MAX_ANSWERS: usize = 16;

/// What is known of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Source {
    /// The newest time in its events, and no later than they came, nanoseconds.
    pub(super) newest: i64,
    /// When its last events came, nanoseconds.
    pub(super) seen: i64,
}

/// The sources as they are at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SourcesCut {
    /// The moment, nanoseconds.
    pub(super) at_nanos: i64,
    pub(super) by_tags: Vec<(Arc<TagSet>, Source)>,
    pub(super) others: Option<Source>,
    pub(super) arrival: Option<Source>,
}

/// How far the sources have come that are not idle. It holds until there are new events, or one more is idle.
#[derive(Clone, Copy, Debug)]
struct Answer {
    idle_nanos: i64,
    /// `None`: all are idle.
    least: Option<i64>,
    from: i64,
    until: i64,
}

/// The sources of a repository.
#[derive(Debug)]
pub(super) struct Sources {
    by_tags: HashMap<Arc<TagSet>, Source, foldhash::fast::RandomState>,
    /// Those that are no longer told apart: as far as the least of them, and idle when all of them are.
    others: Option<Source>,
    /// Arrival is a source too, and the only one where the time of arrival counts.
    arrival: Option<Source>,
    /// Since when events are waited for, nanoseconds.
    begun: i64,
    answers: Mutex<Vec<Answer>>,
}

impl Source {
    fn see(known: &mut Option<Source>, newest: i64, now_nanos: i64) {
        let fresh = Source { newest: newest.min(now_nanos), seen: now_nanos };
        *known = Some(known.map_or(fresh, |known| Source {
            newest: known.newest.max(fresh.newest),
            seen: known.seen.max(fresh.seen),
        }));
    }

    fn is_idle(&self, idle_nanos: i64, now_nanos: i64) -> bool {
        now_nanos.saturating_sub(self.seen) >= idle_nanos
    }
}

impl Sources {
    /// No events yet; they are waited for from now on.
    pub(super) fn new(now_nanos: i64) -> Sources {
        Sources {
            by_tags: HashMap::default(),
            others: None,
            arrival: None,
            begun: now_nanos,
            answers: Mutex::default(),
        }
    }

    /// What is known of them now.
    pub(super) fn cut(&self, now_nanos: i64) -> SourcesCut {
        let by_tags = self.by_tags.iter().map(|(tags, source)| (Arc::clone(tags), *source)).collect();
        SourcesCut { at_nanos: now_nanos, by_tags, others: self.others, arrival: self.arrival }
    }

    /// Goes on from `cut`. While nothing ran nobody could send anything, and it was no silence: a source has been idle for
    /// as long as it was then. What came between the cut and the end is not known of: sources are as they were at the cut
    /// until they send again.
    pub(super) fn take_up(&mut self, cut: SourcesCut, now_nanos: i64) {
        let away = now_nanos.saturating_sub(cut.at_nanos).max(0);
        let later = |source: Source| Source { seen: source.seen.saturating_add(away), ..source };
        let by_tags = cut.by_tags.into_iter().take(MAX_SOURCES);
        self.by_tags = by_tags.map(|(tags, source)| (tags, later(source))).collect();
        self.others = cut.others.map(later);
        self.arrival = cut.arrival.map(later);
        self.answers.lock().clear();
    }

    /// A batch is applied at `now`. Times in the future count as now.
    pub(super) fn observe(&mut self, batch: &EventBatch, now_nanos: i64) {
        if batch.is_empty() {
            return;
        }
        let mut newest: Vec<Option<i64>> = vec![None; batch.tag_sets().len()];
        for row in 0..batch.len() {
            if let Some(newest) = batch.tag_set_index(row).and_then(|set| newest.get_mut(set)) {
                *newest = (*newest).max(Some(batch.timestamp(row)));
            }
        }
        for (tags, newest) in batch.tag_sets().iter().zip(newest) {
            if let Some(newest) = newest {
                self.see(tags, newest, now_nanos);
            }
        }
        Source::see(&mut self.arrival, batch.ingest_range().1, now_nanos);
    }

    /// Events up to `newest` came from the source of `tags`.
    fn see(&mut self, tags: &Arc<TagSet>, newest: i64, now_nanos: i64) {
        self.answers.lock().clear();
        let mut source = self.by_tags.get(tags).copied();
        if source.is_none() && self.by_tags.len() >= MAX_SOURCES {
            self.put_together();
        }
        Source::see(&mut source, newest, now_nanos);
        self.by_tags.extend(source.map(|source| (Arc::clone(tags), source)));
    }

    /// Makes room: the source that was not seen for longest joins the others.
    fn put_together(&mut self) {
        let oldest = self.by_tags.iter().min_by_key(|(_, source)| source.seen);
        let Some(tags) = oldest.map(|(tags, _)| Arc::clone(tags)) else { return };
        let Some(source) = self.by_tags.remove(&tags) else { return };
        self.others = Some(self.others.map_or(source, |others| Source {
            newest: others.newest.min(source.newest),
            seen: others.seen.max(source.seen),
        }));
    }

    /// How far all sources have come that sent something in the last `idle_nanos`; with none of them, time has come to
    /// now. `None`: no event was seen yet, and it was not waited long enough.
    pub(super) fn reached(&self, basis: TimeBasis, idle_nanos: i64, now_nanos: i64) -> Option<i64> {
        let idle_nanos = idle_nanos.max(1);
        match (basis, self.arrival) {
            (_, None) => (now_nanos.saturating_sub(self.begun) >= idle_nanos).then_some(now_nanos),
            (TimeBasis::Ingest, Some(arrival)) => {
                Some(if arrival.is_idle(idle_nanos, now_nanos) { now_nanos } else { arrival.newest })
            }
            (TimeBasis::Event, Some(_)) => Some(self.least(idle_nanos, now_nanos).unwrap_or(now_nanos)),
        }
    }

    fn least(&self, idle_nanos: i64, now_nanos: i64) -> Option<i64> {
        let mut answers = self.answers.lock();
        let holds = |answer: &&Answer| {
            answer.idle_nanos == idle_nanos && answer.from <= now_nanos && now_nanos < answer.until
        };
        if let Some(answer) = answers.iter().find(holds) {
            return answer.least;
        }
        let all = self.by_tags.values().chain(&self.others);
        let answer = all.filter(|source| !source.is_idle(idle_nanos, now_nanos)).fold(
            Answer { idle_nanos, least: None, from: now_nanos, until: i64::MAX },
            |answer, source| Answer {
                least: Some(answer.least.map_or(source.newest, |least| least.min(source.newest))),
                until: answer.until.min(source.seen.saturating_add(idle_nanos)),
                ..answer
            },
        );
        answers.retain(|other| other.idle_nanos != idle_nanos);
        if answers.len() >= MAX_ANSWERS {
            answers.remove(0);
        }
        answers.push(answer);
        answer.least
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(name: usize) -> Arc<TagSet> {
        Arc::new(TagSet::new([("host", name.to_string())]))
    }

    #[test]
    fn the_least_source_counts_until_it_is_idle() {
        let mut sources = Sources::new(0);
        let mut known = |events: &[(usize, i64)], now| {
            events.iter().for_each(|(source, newest)| sources.see(&tags(*source), *newest, now));
            Source::see(&mut sources.arrival, now, now);
            sources.reached(TimeBasis::Event, 10, now)
        };
        assert_eq!(known(&[(1, 90)], 100), Some(90));
        assert_eq!(known(&[(2, 50)], 100), Some(50), "the slow one");
        assert_eq!(known(&[(1, 95)], 105), Some(50));
        assert_eq!(known(&[(1, 93)], 109), Some(50), "no way back");
        assert_eq!(known(&[], 110), Some(95), "the slow one is idle");
        assert_eq!(known(&[], 118), Some(95));
        assert_eq!(known(&[], 119), Some(119), "all are");
        assert_eq!(known(&[(2, 60)], 120), Some(60), "it sends again");
        assert_eq!(known(&[(2, 9_000)], 121), Some(121), "the future is not believed");
    }

    #[test]
    fn nothing_is_known_before_the_first_event_or_silence() {
        let mut sources = Sources::new(100);
        for basis in [TimeBasis::Event, TimeBasis::Ingest] {
            assert_eq!(sources.reached(basis, 10, 109), None);
            assert_eq!(sources.reached(basis, 10, 110), Some(110));
            assert_eq!(sources.reached(basis, 0, 100), None);
        }
        Source::see(&mut sources.arrival, 105, 108);
        sources.see(&tags(1), 20, 108);
        assert_eq!(sources.reached(TimeBasis::Ingest, 10, 109), Some(105));
        assert_eq!(sources.reached(TimeBasis::Event, 10, 109), Some(20));
        assert_eq!(sources.reached(TimeBasis::Ingest, 10, 118), Some(118));
    }

    #[test]
    fn beyond_the_bound_those_not_seen_for_longest_count_as_one() {
        let mut sources = Sources::new(0);
        Source::see(&mut sources.arrival, 0, 0);
        for source in 0..MAX_SOURCES {
            sources.see(&tags(source), 1_000 + source as i64, 2_000 + source as i64);
        }
        assert_eq!((sources.by_tags.len(), sources.others), (MAX_SOURCES, None));
        let now = 2_000 + MAX_SOURCES as i64;
        sources.see(&tags(7), 1_500, now);
        sources.see(&tags(MAX_SOURCES), 1_900, now);
        sources.see(&tags(MAX_SOURCES + 1), 1_900, now);
        assert_eq!(sources.by_tags.len(), MAX_SOURCES);
        assert_eq!(sources.others, Some(Source { newest: 1_000, seen: 2_001 }), "the first two");
        assert_eq!(sources.reached(TimeBasis::Event, 5_000, now), Some(1_000));
        // One of them comes back: it is told apart again.
        sources.see(&tags(0), 1_950, now);
        assert_eq!(sources.others, Some(Source { newest: 1_000, seen: 2_002 }));
        assert_eq!(sources.reached(TimeBasis::Event, 2, now), Some(1_500));
    }

    #[test]
    fn a_source_is_not_silent_while_nobody_listens() {
        let mut sources = Sources::new(0);
        Source::see(&mut sources.arrival, 100, 100);
        sources.see(&tags(1), 95, 100);
        sources.see(&tags(2), 50, 93);
        let mut later = Sources::new(900);
        later.take_up(sources.cut(100), 1_000);
        for (now, reached) in [(100, 50), (102, 50), (103, 95), (109, 95), (110, 110)] {
            assert_eq!(sources.reached(TimeBasis::Event, 10, now), Some(reached));
            let expected = if reached == now { now + 900 } else { reached };
            assert_eq!(later.reached(TimeBasis::Event, 10, now + 900), Some(expected));
        }
    }

    #[test]
    fn answers_are_those_of_looking_at_every_source() {
        let mut sources = Sources::new(0);
        Source::see(&mut sources.arrival, 0, 0);
        let mut number = 17_u64;
        let mut next = |below: i64| {
            number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (number >> 33) as i64 % below
        };
        let mut now = 0;
        for _ in 0..3_000 {
            now += next(4) - i64::from(next(20) == 0);
            if next(3) == 0 {
                sources.see(&tags(next(5) as usize), now - next(30), now);
            }
            let idle = 5 + next(20);
            let active = sources.by_tags.values().filter(|source| now - source.seen < idle);
            let expected = active.map(|source| source.newest).min().unwrap_or(now);
            assert_eq!(sources.reached(TimeBasis::Event, idle, now), Some(expected));
        }
    }
}
