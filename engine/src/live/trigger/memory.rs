//! What a trigger remembers, as numbers: the same trigger, made anew, goes on from them.

use super::{Armed, Node};

/// What a trigger remembers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::live) struct TriggerMemory {
    /// It has begun.
    pub(in crate::live) begun: bool,
    /// Conditions that were true the last time.
    pub(in crate::live) were: Vec<bool>,
    /// A number for each of its parts that remembers one, from the outside in and from left to right.
    pub(in crate::live) numbers: Vec<i64>,
}

impl Armed {
    /// What it remembers.
    pub(in crate::live) fn memory(&self) -> TriggerMemory {
        let mut numbers = Vec::new();
        self.node.remember(&mut numbers);
        TriggerMemory { begun: self.begun, were: self.were.clone(), numbers }
    }

    /// Remembers `memory`, which is of the same trigger. False, and nothing changed: it cannot be.
    pub(in crate::live) fn recall(&mut self, memory: &TriggerMemory) -> bool {
        let (mut node, mut numbers) = (self.node.clone(), memory.numbers.iter().copied());
        let fits = node.recall(&mut numbers).is_some() && numbers.next().is_none();
        if fits {
            *self = Armed { node, were: memory.were.clone(), begun: memory.begun };
        }
        fits
    }
}

impl Node {
    fn remember(&self, numbers: &mut Vec<i64>) {
        match self {
            Node::Count { seen, .. } => numbers.push(i64::try_from(*seen).unwrap_or(i64::MAX)),
            Node::Every { until, .. } => numbers.push(*until),
            Node::Watermark | Node::When(_) => {}
            Node::Any(nodes) => nodes.iter().for_each(|node| node.remember(numbers)),
            Node::All(nodes) => {
                for (node, has_fired) in nodes {
                    numbers.push(i64::from(*has_fired));
                    node.remember(numbers);
                }
            }
            Node::Then { nodes, at } => {
                numbers.push(i64::try_from(*at).unwrap_or(i64::MAX));
                nodes.iter().for_each(|node| node.remember(numbers));
            }
            Node::Repeat(node) => node.remember(numbers),
        }
    }

    fn recall(&mut self, numbers: &mut impl Iterator<Item = i64>) -> Option<()> {
        match self {
            Node::Count { seen, .. } => *seen = u64::try_from(numbers.next()?).ok()?,
            Node::Every { until, .. } => *until = numbers.next()?,
            Node::Watermark | Node::When(_) => {}
            Node::Any(nodes) => nodes.iter_mut().try_for_each(|node| node.recall(numbers))?,
            Node::All(nodes) => {
                for (node, has_fired) in nodes {
                    *has_fired = numbers.next()? != 0;
                    node.recall(numbers)?;
                }
            }
            Node::Then { nodes, at } => {
                *at = usize::try_from(numbers.next()?).ok().filter(|at| *at <= nodes.len())?;
                nodes.iter_mut().try_for_each(|node| node.recall(numbers))?;
            }
            Node::Repeat(node) => node.recall(numbers)?,
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::Happened;
    use super::*;
    use crate::live::trigger_text;

    /// Whatever happened before, one that recalls fires when the one it recalls does.
    #[test]
    fn it_goes_on_where_it_was() {
        for text in [
            "count(3)",
            "every(5s)",
            "when(x > 1)",
            "any(count(3), every(5s))",
            "all(count(2), every(5s), watermark)",
            "then(repeat(count(2)), watermark, repeat(count(1)))",
            "then(count(2), any(every(3s), count(7)), watermark)",
            "any(then(count(1), count(2)), all(count(3), when(a > 1)))",
        ] {
            let (trigger, _) = trigger_text::parse(text).unwrap();
            let (mut armed, mut seed) = (Armed::new(&trigger), 7_u64);
            for second in 0..200 {
                let memory = armed.memory();
                let mut other = Armed::new(&trigger);
                assert!(other.recall(&memory), "{text}");
                assert_eq!(other.memory(), memory, "{text}");
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let happened = Happened {
                    events: (seed >> 40) % 3,
                    now_nanos: second * 1_000_000_000,
                    ended: (seed >> 50).is_multiple_of(5),
                    conditions: &[(seed >> 45).is_multiple_of(2)],
                };
                assert_eq!(armed.fires(&happened), other.fires(&happened), "{text} at {second}");
                assert_eq!(armed.memory(), other.memory(), "{text} at {second}");
            }
        }
    }

    #[test]
    fn the_memory_of_another_trigger_is_refused() {
        let armed = |text: &str| Armed::new(&trigger_text::parse(text).unwrap().0);
        let memory = armed("any(count(3), every(5s))").memory();
        for other in ["count(3)", "watermark", "any(count(3), every(5s), count(2))"] {
            assert!(!armed(other).recall(&memory), "{other}");
        }
    }
}
