//! When a result is given out: triggers and what they remember.
//!
//! | trigger | fires |
//! |---|---|
//! | `count(n)` | when `n` events have come since it began |
//! | `every(d)` | when so long has passed since it began |
//! | `watermark` | when nothing more is expected of the window; of one that moves on, of another granule |
//! | `when(c)` | when the condition becomes true of a row of the result |
//! | `any(a, b, …)` | when one of them fires |
//! | `all(a, b, …)` | when each of them has fired |
//! | `then(a, b, …)` | when `a` fires, after that when `b` fires, … |
//! | `repeat(a)` | whenever `a` fires, again and again; within `then`, until the one after it fires |
//!
//! A trigger that has fired for the last time begins anew, so the outermost one always repeats. `then(repeat(every(5s)),
//! watermark, repeat(count(1)))` fires early, on time and late. All begin anew with a new window.
//!
//! The terms are those of Akidau et al., "The Dataflow Model", VLDB 2015, section 2.3.

mod memory;

use std::time::Duration;

use super::window::nanos;

/// When a result is given out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trigger {
    /// After so many events, at least one.
    Count(u64),
    /// After so long.
    Every(Duration),
    /// When nothing more is expected of the window.
    Watermark,
    /// When the condition of this number becomes true.
    When(usize),
    /// When one of them fires.
    Any(Vec<Trigger>),
    /// When each has fired.
    All(Vec<Trigger>),
    /// One after another.
    Then(Vec<Trigger>),
    /// Again and again.
    Repeat(Box<Trigger>),
}

pub(super) use memory::TriggerMemory;

/// What has happened since the last time.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Happened<'a> {
    /// Events that came.
    pub(super) events: u64,
    /// The time it is, nanoseconds.
    pub(super) now_nanos: i64,
    /// The watermark passed the end of a window or granule.
    pub(super) ended: bool,
    /// Which conditions are true.
    pub(super) conditions: &'a [bool],
}

/// What a trigger says to that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Said {
    fires: bool,
    /// It does not fire again unless it begins anew.
    is_done: bool,
}

const ONCE: Said = Said { fires: true, is_done: true };
const AGAIN: Said = Said { fires: true, is_done: false };
const NOTHING: Said = Said { fires: false, is_done: false };

/// A trigger and what it remembers.
#[derive(Clone, Debug)]
pub(super) struct Armed {
    node: Node,
    /// Conditions that were true the last time: they fire when they become true.
    were: Vec<bool>,
    begun: bool,
}

#[derive(Clone, Debug)]
enum Node {
    Count { of: u64, seen: u64 },
    Every { nanos: i64, until: i64 },
    Watermark,
    When(usize),
    Any(Vec<Node>),
    All(Vec<(Node, bool)>),
    Then { nodes: Vec<Node>, at: usize },
    Repeat(Box<Node>),
}

impl Armed {
    /// It begins with the first thing that happens.
    pub(super) fn new(trigger: &Trigger) -> Armed {
        Armed { node: Node::new(trigger), were: Vec::new(), begun: false }
    }

    /// Whether a result is to be given out.
    pub(super) fn fires(&mut self, happened: &Happened<'_>) -> bool {
        if !self.begun {
            self.begun = true;
            self.node.begin(happened.now_nanos);
        }
        let was = |at: usize| self.were.get(at).copied().unwrap_or(false);
        let become_true: Vec<bool> =
            happened.conditions.iter().enumerate().map(|(at, is)| *is && !was(at)).collect();
        let said = self.node.observe(&Happened { conditions: &become_true, ..*happened });
        self.were = happened.conditions.to_vec();
        if said.is_done {
            self.node.begin(happened.now_nanos);
        }
        said.fires
    }

    /// Another window: everything begins anew.
    pub(super) fn begin(&mut self, now_nanos: i64) {
        self.begun = true;
        self.were.clear();
        self.node.begin(now_nanos);
    }

    /// When it may fire though nothing happens, nanoseconds.
    pub(super) fn due(&self) -> Option<i64> {
        self.node.due()
    }
}

impl Node {
    fn new(trigger: &Trigger) -> Node {
        let all = |triggers: &[Trigger]| triggers.iter().map(Node::new).collect::<Vec<_>>();
        match trigger {
            Trigger::Count(of) => Node::Count { of: (*of).max(1), seen: 0 },
            Trigger::Every(span) => Node::Every { nanos: nanos(*span).max(1), until: i64::MAX },
            Trigger::Watermark => Node::Watermark,
            Trigger::When(condition) => Node::When(*condition),
            Trigger::Any(triggers) => Node::Any(all(triggers)),
            Trigger::All(triggers) => {
                Node::All(all(triggers).into_iter().map(|node| (node, false)).collect())
            }
            Trigger::Then(triggers) => Node::Then { nodes: all(triggers), at: 0 },
            Trigger::Repeat(trigger) => Node::Repeat(Box::new(Node::new(trigger))),
        }
    }

    /// Forgets what happened before.
    fn begin(&mut self, now_nanos: i64) {
        match self {
            Node::Count { seen, .. } => *seen = 0,
            Node::Every { nanos, until } => *until = now_nanos.saturating_add(*nanos),
            Node::Watermark | Node::When(_) => {}
            Node::Any(nodes) => nodes.iter_mut().for_each(|node| node.begin(now_nanos)),
            Node::All(nodes) => nodes.iter_mut().for_each(|(node, has_fired)| {
                *has_fired = false;
                node.begin(now_nanos);
            }),
            Node::Then { nodes, at } => {
                *at = 0;
                nodes.iter_mut().for_each(|node| node.begin(now_nanos));
            }
            Node::Repeat(node) => node.begin(now_nanos),
        }
    }

    fn observe(&mut self, happened: &Happened<'_>) -> Said {
        let once = |fires: bool| if fires { ONCE } else { NOTHING };
        match self {
            Node::Count { of, seen } => {
                *seen = seen.saturating_add(happened.events);
                once(*seen >= *of)
            }
            Node::Every { until, .. } => once(happened.now_nanos >= *until),
            Node::Watermark => once(happened.ended),
            Node::When(condition) => once(happened.conditions.get(*condition).copied().unwrap_or(false)),
            Node::Any(nodes) => nodes.iter_mut().fold(NOTHING, |all, node| {
                let said = node.observe(happened);
                Said { fires: all.fires || said.fires, is_done: all.is_done || said.is_done }
            }),
            Node::All(nodes) => {
                for (node, has_fired) in nodes.iter_mut().filter(|(_, has_fired)| !has_fired) {
                    *has_fired = node.observe(happened).fires;
                }
                once(nodes.iter().all(|(_, has_fired)| *has_fired))
            }
            Node::Then { nodes, at } => observe_in_turn(nodes, at, happened),
            Node::Repeat(node) => {
                let said = node.observe(happened);
                if said.is_done {
                    node.begin(happened.now_nanos);
                }
                if said.fires { AGAIN } else { NOTHING }
            }
        }
    }

    fn due(&self) -> Option<i64> {
        match self {
            Node::Every { until, .. } => Some(*until),
            Node::Count { .. } | Node::Watermark | Node::When(_) => None,
            Node::Any(nodes) => nodes.iter().filter_map(Node::due).min(),
            Node::All(nodes) => {
                nodes.iter().filter(|(_, has_fired)| !has_fired).filter_map(|(node, _)| node.due()).min()
            }
            Node::Then { nodes, at } => {
                let several = 1 + usize::from(matches!(nodes.get(*at), Some(Node::Repeat(_))));
                nodes.iter().skip(*at).take(several).filter_map(Node::due).min()
            }
            Node::Repeat(node) => node.due(),
        }
    }
}

/// One after another: the one at `at`, and where that one repeats, the one after it, which ends it.
fn observe_in_turn(nodes: &mut [Node], at: &mut usize, happened: &Happened<'_>) -> Said {
    let mut said = nodes.get_mut(*at).map_or(NOTHING, |node| node.observe(happened));
    let is_repeating = matches!(nodes.get(*at), Some(Node::Repeat(_)));
    match nodes.get_mut(*at + 1).filter(|_| is_repeating).map(|next| next.observe(happened)) {
        Some(ends) if ends.fires => {
            said.fires = true;
            *at += 1;
            match ends.is_done {
                true => {
                    *at += 1;
                    take_turn(nodes, *at, happened.now_nanos);
                }
                false => {
                    nodes.iter_mut().skip(*at + 1).take(1).for_each(|node| node.begin(happened.now_nanos))
                }
            }
        }
        None if said.is_done => {
            *at += 1;
            take_turn(nodes, *at, happened.now_nanos);
        }
        _ => {}
    }
    Said { is_done: *at >= nodes.len(), ..said }
}

/// The node at `at` begins, and with one that repeats the one that ends it.
fn take_turn(nodes: &mut [Node], at: usize, now_nanos: i64) {
    let several = 1 + usize::from(matches!(nodes.get(at), Some(Node::Repeat(_))));
    nodes.iter_mut().skip(at).take(several).for_each(|node| node.begin(now_nanos));
}

#[cfg(test)]
mod tests {
    use super::super::trigger_text;
    use super::*;

    /// What happens, in one line: `3` events, `+5` seconds pass, `!` a window ends, `t` and `f` what the condition is.
    fn fired(trigger: &str, story: &str) -> String {
        let (trigger, _) = trigger_text::parse(trigger).unwrap();
        let (mut armed, mut now_nanos, mut condition) = (Armed::new(&trigger), 0, false);
        armed.fires(&Happened::default());
        let fires = |word: &str| {
            let mut events = 0;
            match (word.parse::<u64>(), word.strip_prefix('+')) {
                (_, Some(seconds)) => now_nanos += seconds.parse::<i64>().unwrap() * 1_000_000_000,
                (Ok(count), None) => events = count,
                (Err(_), None) => condition = if "tf".contains(word) { word == "t" } else { condition },
            }
            let conditions = [condition];
            let ended = word == "!";
            if armed.fires(&Happened { events, now_nanos, ended, conditions: &conditions }) {
                'x'
            } else {
                '.'
            }
        };
        story.split(' ').map(fires).collect()
    }

    #[test]
    fn triggers_fire_when_they_should() {
        for (trigger, story, expected) in [
            ("count(3)", "1 1 1 1 2 5 1 1 1", "..x.xx..x"),
            ("every(5s)", "+4 +1 9 +4 +1 +20 +4", ".x..xx."),
            ("watermark", "9 +9 ! ! 1", "..xx."),
            ("when(x > 1)", "9 t 9 t f t", ".x...x"),
            ("any(count(3), every(5s))", "1 1 +5 1 1 1 +4 +1", "..x..x.x"),
            // Both begin anew when one has fired.
            ("any(count(2), every(5s))", "+4 2 +1 +3 +1", ".x..x"),
            ("any(repeat(count(2)), every(5s))", "+4 2 +1 +3 +1", ".xx.."),
            ("all(count(2), every(5s))", "2 +4 +1 +5 1 1", "..x..x"),
            ("all(count(1), watermark)", "! 1 1 !", ".x.x"),
            ("then(count(2), watermark)", "2 2 ! 1 1 !", "x.x.xx"),
            ("then(count(2), every(5s))", "+9 2 +4 +1 2", ".x.xx"),
            ("then(repeat(count(2)), watermark, repeat(count(1)))", "1 1 2 1 ! 1 1 ! 1", ".xx.xxx.x"),
            ("then(repeat(every(5s)), watermark, repeat(every(1s)))", "+5 +5 ! +1 ! +1", "xxxx.x"),
            ("then(repeat(count(1)), repeat(every(5s)), watermark)", "1 +5 1 +5 ! 1", "xx.xxx"),
            ("then(watermark, every(5s))", "+9 ! +4 +1", ".x.x"),
            ("repeat(then(count(1), count(2)))", "1 1 1 1 2", "x.xxx"),
            ("any(when(a > 1), count(5))", "4 t 4 f t", ".x..x"),
        ] {
            assert_eq!(fired(trigger, story), expected, "{trigger}: {story}");
        }
    }

    #[test]
    fn another_window_begins_anew() {
        let (trigger, _) = trigger_text::parse("then(repeat(count(2)), watermark, count(5))").unwrap();
        let mut armed = Armed::new(&trigger);
        let fires = |armed: &mut Armed, events, ended| {
            armed.fires(&Happened { events, ended, ..Happened::default() })
        };
        assert!(!fires(&mut armed, 1, false) && fires(&mut armed, 0, true) && !fires(&mut armed, 4, false));
        armed.begin(0);
        assert!(!fires(&mut armed, 1, false) && fires(&mut armed, 1, false));
        let (trigger, _) = trigger_text::parse("when(x > 1)").unwrap();
        let mut armed = Armed::new(&trigger);
        let is_true = Happened { conditions: &[true], ..Happened::default() };
        assert!(armed.fires(&is_true) && !armed.fires(&is_true));
        armed.begin(0);
        assert!(armed.fires(&is_true));
    }

    #[test]
    fn it_is_known_when_to_look_again() {
        let second = 1_000_000_000;
        for (trigger, due) in [
            ("every(5s)", Some(5)),
            ("any(every(9s), every(7s))", Some(7)),
            ("all(every(9s), count(1))", Some(9)),
            ("then(watermark, every(5s))", None),
            ("then(repeat(count(1)), every(5s))", Some(5)),
            ("repeat(count(2))", None),
        ] {
            let mut armed = Armed::new(&trigger_text::parse(trigger).unwrap().0);
            armed.fires(&Happened::default());
            assert_eq!(armed.due(), due.map(|seconds: i64| seconds * second), "{trigger}");
        }
    }
}
