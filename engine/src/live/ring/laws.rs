//! The laws of the ring: whatever comes when, and whatever is given up and read back, a total is what its buckets merged
//! from scratch come to.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use weir_query::compile::Options;
use weir_query::machine::{Context, Machine, State};
use weir_query::program::Program;
use weir_query::record::Selection;
use weir_query::result::ResultTable;

use super::{Ring, RingCut, Want};
use crate::event::{EventBatchBuilder, EventLimits, TagSet};
use crate::live::MetricDefinition;
use crate::live::window::Window;
use crate::scan::sink;

const SECOND: i64 = 1_000_000_000;
const QUERIES: &[&str] = &[
    "count()",
    "sum(n)",
    "avg(n)",
    "stdDev(n)",
    "[count(), min(n), max(n), range(x)]",
    "percentile(x, percentiles=[50, 90, 99])",
    "count(user, distinct=true)",
    "top(user, limit=5)",
    "groupBy([service, user], function=[count(), avg(n)])",
    "groupBy(service, function=groupBy(user, function=[count(), max(n), percentile(x)]))",
    "groupBy(service, function=collect(user))",
    "collect([user, service], limit=1000)",
    "tail(7)",
    "head(7)",
    "selectLast([user, x])",
    "service=s1",
];
/// How many worlds a run looks at; the variable `WEIR_ROUNDS` says otherwise.
const ROUNDS: u64 = 1_600;

/// Xorshift* (Marsaglia 2003, Vigna 2016): a seed is a world.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % limit.max(1)
    }

    fn number(&mut self, limit: i64) -> i64 {
        self.below(limit.max(1).unsigned_abs()) as i64
    }
}

/// What was learnt of a span, and from how many events.
type Known = (State, u64);

/// A ring, and beside it its slow twin: a state for every bucket, none of which is ever forgotten.
struct World {
    random: Random,
    machine: Machine,
    ring: Ring,
    windows: Vec<Window>,
    twin: BTreeMap<i64, Known>,
    reading: Vec<(Want, BTreeMap<i64, Known>)>,
    now: i64,
    sequence: u64,
    /// The first bucket that was filled again when a window joined: roll-ups are of nothing before it.
    floor: i64,
    /// What was kept when some was filled again: of what is before it, roll-ups may lack some.
    cleared: i64,
    /// What was so at a moment, of the ring and of its twin.
    saved: Option<(RingCut, BTreeMap<i64, Known>)>,
    fan: i64,
}

fn window(random: &mut Random) -> Window {
    let longest = [6, 20, 70][random.below(3) as usize];
    let mut definition = MetricDefinition::new("*", Duration::from_secs(1 + random.below(longest)));
    definition.granule = Duration::from_secs(1);
    definition.lateness = Duration::from_secs(random.below(5));
    Window::new(&definition)
}

impl World {
    fn new(seed: u64) -> World {
        let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        let query = QUERIES[seed as usize % QUERIES.len()];
        let program = Program::compile(query, &Options::default()).unwrap();
        let machine = Machine::new(program, Context::default());
        let windows: Vec<Window> = (0..=random.below(3)).map(|_| window(&mut random)).collect();
        let longest = windows.iter().map(Window::len).max().unwrap();
        let now = 1_000 + random.number(100);
        let fan = 2 + random.number(3);
        let mut ring = Ring::with_fan(fan, longest, usize::MAX);
        ring.close_before(now);
        World {
            random,
            machine,
            ring,
            windows,
            twin: BTreeMap::new(),
            reading: Vec::new(),
            now,
            sequence: 1,
            floor: 0,
            cleared: 0,
            saved: None,
            fan,
        }
    }

    fn longest(&self) -> Window {
        self.windows.iter().max_by_key(|window| window.len()).unwrap().clone()
    }

    /// Events in time, late, and ahead of it.
    fn events(&mut self) {
        let longest = self.longest();
        let mut builder = EventBatchBuilder::new(EventLimits::default());
        let count = 1 + self.random.below(8);
        for _ in 0..count {
            let bucket = match self.random.below(8) {
                0..4 => self.now,
                4 | 5 => self.now - self.random.number(4),
                6 => self.now - self.random.number(longest.len() + 3),
                _ => self.now + self.random.number(longest.len() + 2),
            };
            let user = self.random.below(9);
            let json = format!(
                "{{\"service\":\"s{}\",\"user\":\"u{user}\",\"n\":{}.{},\"x\":{}}}",
                self.random.below(3),
                1_000_000_000_000 + self.random.below(90),
                self.random.below(10),
                self.random.below(1_000),
            );
            let nanos = bucket * SECOND + self.random.number(SECOND);
            builder.push_json(json.as_bytes(), Some(nanos), &TagSet::none(), None).unwrap();
        }
        let batch = builder.finish(0).with_sequence(self.sequence);
        self.sequence += count;
        let frame = self.machine.select(&batch, Selection::all(batch.len())).unwrap();
        let kept = longest.kept(self.now * SECOND);
        sink::split(frame.order(), SECOND, |bucket, within| {
            let events = within.count() as u64;
            if kept.contains(&bucket) {
                self.ring.absorb(bucket, events, &mut self.machine, |machine, state| {
                    machine.absorb(&frame, within, state)
                })?;
                let new = || (self.machine.new_state(), 0);
                let (state, count) = self.twin.entry(bucket).or_insert_with(new);
                *count += events;
                self.machine.absorb(&frame, within, state)?;
            }
            Ok::<(), weir_query::machine::StepError>(())
        })
        .unwrap();
    }

    fn come_to(&mut self, now: i64) {
        self.now = now;
        self.ring.close_before(now);
        self.ring.forget_before(self.longest().kept(now * SECOND).start);
    }

    fn tick(&mut self) {
        let by = match self.random.below(12) {
            0 => self.random.number(3 * self.longest().len()),
            1 => self.random.number(5),
            _ => 1,
        };
        self.come_to(self.now + by);
    }

    /// What a range comes to, from scratch.
    fn slow(&self, range: std::ops::Range<i64>) -> Known {
        let mut total = (self.machine.new_state(), 0);
        for (state, events) in self.twin.range(range).map(|(_, known)| known) {
            total.0.merge(state).unwrap();
            total.1 += events;
        }
        total
    }

    fn check(&mut self, seed: u64) {
        let window = self.windows[self.random.below(self.windows.len() as u64) as usize].clone();
        let mut range = window.at(self.now * SECOND);
        if self.random.below(6) == 0 {
            // One that has ended already.
            let end = range.end.div_euclid(window.len()) * window.len();
            let kept = self.longest().kept(self.now * SECOND);
            range = (end - window.len()).max(kept.start)..end;
        }
        // Now and then one that nothing slides over.
        let slider = if self.random.below(5) == 0 { None } else { Some(&window) };
        if slider.is_none() {
            range.start += self.random.number(window.len());
            range.end = range.end.max(range.start + 1);
        }
        let total = self.ring.total(slider, range.clone(), self.machine.new_state()).unwrap();
        let what = format!("seed {seed}, {range:?} at {}, from {}", self.now, total.start);
        assert!(total.start <= range.start && (total.start == range.start || total.is_coarse), "{what}");
        if total.is_coarse && (range.end <= self.now || total.start < self.cleared) {
            // It may end where parts were given up, too.
            return;
        }
        assert!(!total.is_coarse || total.start < range.start, "{what}");
        let (mut state, events) = self.slow(total.start.max(self.floor)..range.end);
        if let Some(threshold) = total.state.threshold() {
            // Groups may have been given up: the others are as they would be.
            state.narrow(threshold);
        }
        assert_eq!(total.events, events, "{what}");
        let fast = rows_of(&self.machine.finish(&total.state).unwrap());
        assert_eq!(fast, rows_of(&self.machine.finish(&state).unwrap()), "{what}");
        assert_eq!(self.ring.weighed(), self.ring.bytes(), "{what}");
    }

    /// Keeps a bound for a moment.
    fn press(&mut self) {
        self.ring.max_bytes = self.ring.bytes() / 8 * (1 + self.random.below(8) as usize);
        self.ring.exhausted = None;
        self.ring.make_room();
        if self.random.below(3) > 0 {
            self.ring.max_bytes = usize::MAX;
        }
    }

    fn ask(&mut self) {
        let Some(want) = self.ring.wanted() else { return };
        let parts = want.buckets.start / want.span..want.buckets.end / want.span;
        let read = parts.map(|part| (part, self.slow(part * want.span..(part + 1) * want.span)));
        let mut read: BTreeMap<i64, Known> = read.filter(|(_, (_, events))| *events > 0).collect();
        if self.random.below(6) == 0 {
            // History has some of it no more.
            read.pop_first();
        }
        self.reading.push((want, read));
    }

    fn answer(&mut self) {
        if self.reading.is_empty() {
            return;
        }
        let at = self.random.below(self.reading.len() as u64) as usize;
        let (want, read) = self.reading.swap_remove(at);
        match self.random.below(12) {
            0 => self.ring.lose(&want),
            _ => self.ring.refill(&want, read.iter().map(|(part, (state, events))| (*part, state, *events))),
        }
    }

    /// Some buckets are read anew.
    fn clear(&mut self) {
        let kept = self.longest().kept(self.now * SECOND);
        let start = kept.start + self.random.number(kept.end - kept.start);
        let end = (start + 1 + self.random.number(4)).min(kept.end);
        let gone = self.ring.clear(start..end);
        assert!(gone.start <= start && gone.end >= end);
        self.reading.retain(|(want, _)| want.buckets.end <= gone.start || gone.end <= want.buckets.start);
        self.cleared = kept.start;
        for (bucket, (state, events)) in self.twin.range(gone.start.max(kept.start)..gone.end) {
            self.ring.merge(*bucket, state, *events);
        }
    }

    /// Another ring goes on from what was saved a while ago; what came since is lost. Or it is saved now.
    fn restart(&mut self) {
        let Some((cut, twin)) = self.saved.take() else {
            self.saved = Some((self.ring.cut(), self.twin.clone()));
            return;
        };
        let longest = self.longest().len();
        self.ring = Ring::with_fan(self.fan, longest, usize::MAX);
        self.ring.take_up(cut, longest);
        self.twin = twin;
        self.come_to(self.now);
        assert_eq!(self.ring.weighed(), self.ring.bytes());
    }

    /// Another window joins, or one leaves.
    fn join(&mut self) {
        self.saved = None;
        if self.windows.len() > 1 && self.random.below(2) == 0 {
            self.windows.pop();
            let windows = &self.windows;
            return self.ring.keep_windows(|window| windows.contains(window));
        }
        let before = self.longest().kept(self.now * SECOND).start;
        self.windows.push(window(&mut self.random));
        let start = self.longest().kept(self.now * SECOND).start;
        // One that cannot do without what was given up.
        let is_whole = self.random.below(2) == 0;
        let before = if is_whole { before.max(self.ring.whole_from()) } else { before };
        if start < before {
            self.floor = start;
            let before = self.ring.cut_before(before);
            assert!(!is_whole || self.ring.whole_from() == i64::MIN);
            self.reading.retain(|(want, _)| want.buckets.start >= before);
            self.ring.reach(self.longest().len());
            for (bucket, (state, events)) in self.twin.range(start..before) {
                self.ring.merge(*bucket, state, *events);
            }
        }
    }
}

fn rows_of(table: &ResultTable) -> Vec<String> {
    let row = |row: usize| {
        let cells = table.columns.iter();
        let mut cells: Vec<String> =
            cells.filter_map(|(name, column)| Some(format!("{name}={:?}", column.get(row)?))).collect();
        cells.sort_unstable();
        cells.join(" ")
    };
    (0..table.rows).map(row).collect()
}

#[test]
fn a_total_is_that_of_its_buckets() {
    let rounds = std::env::var("WEIR_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(ROUNDS);
    for seed in 0..rounds {
        let mut world = World::new(seed);
        for _ in 0..40 + world.random.below(60) {
            match world.random.below(20) {
                0..7 => world.events(),
                7..12 => world.tick(),
                12..16 => world.check(seed),
                16 => world.press(),
                17 => world.ask(),
                18 => world.answer(),
                _ if world.random.below(3) == 0 => world.restart(),
                _ if world.random.below(3) == 0 => world.clear(),
                _ if world.random.below(5) == 0 => world.join(),
                _ => {}
            }
        }
        world.check(seed);
    }
}

/// A ring of one granule a second that is read every second, over a window of `seconds`.
fn steady(seconds: u64, query: &str) -> World {
    let mut world = World::new(0);
    let mut definition = MetricDefinition::new("*", Duration::from_secs(seconds));
    definition.granule = Duration::from_secs(1);
    world.windows = vec![Window::new(&definition)];
    let program = Program::compile(query, &Options::default()).unwrap();
    world.machine = Machine::new(Arc::clone(&program), Context::default());
    world.ring = Ring::new(world.windows[0].len(), usize::MAX);
    world.ring.close_before(world.now);
    world
}

#[test]
fn given_up_parts_are_read_back_before_they_are_needed() {
    let mut world = steady(2_500, "[count(), avg(n)]");
    let (mut folded, mut read) = (0, 0);
    for second in 0..6_000 {
        world.come_to(world.now + 1);
        world.events();
        if second % 500 == 499 {
            // All but the edges.
            world.ring.fold(false, 0);
            folded += 1;
        }
        while let Some(want) = world.ring.wanted() {
            let parts = want.buckets.start / want.span..want.buckets.end / want.span;
            let sums: Vec<(i64, Known)> =
                parts.map(|part| (part, world.slow(part * want.span..(part + 1) * want.span))).collect();
            world.ring.refill(&want, sums.iter().map(|(part, (state, events))| (*part, state, *events)));
            read += 1;
        }
        let window = world.windows[0].clone();
        let range = window.at(world.now * SECOND);
        let total = world.ring.total(Some(&window), range.clone(), world.machine.new_state()).unwrap();
        assert!(!total.is_coarse, "{second}");
        assert_eq!(total.events, world.twin.range(range).map(|(_, known)| known.1).sum::<u64>(), "{second}");
    }
    assert!(folded > 0 && read > 50, "{folded} {read}");
}
