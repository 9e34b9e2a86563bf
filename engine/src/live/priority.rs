//! Which metrics are put off first when the live path falls behind.

/// How much it matters that a metric is up to date. When the live path falls behind, those of a lower priority are read
/// from history now and then before one of a higher priority is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// First to be put off.
    Low,
    /// As most are.
    #[default]
    Normal,
    /// Last to be put off.
    High,
}

impl Priority {
    /// All of them, the lowest first.
    pub const ALL: [Priority; 3] = [Priority::Low, Priority::Normal, Priority::High];

    /// `low`, `normal` or `high`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Priority::Low => "low",
            Priority::Normal => "normal",
            Priority::High => "high",
        }
    }

    /// The priority of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Priority> {
        Priority::ALL.into_iter().find(|priority| priority.as_str() == name)
    }
}

/// The priorities of metrics that share a standing, which has the highest of them.
#[derive(Debug, Default)]
pub(super) struct Priorities {
    /// How many metrics have each, in the order of [`Priority::ALL`].
    metrics: [usize; 3],
}

impl Priorities {
    pub(super) fn add(&mut self, priority: Priority) {
        self.change(priority, |metrics| metrics + 1);
    }

    pub(super) fn remove(&mut self, priority: Priority) {
        self.change(priority, |metrics| metrics.saturating_sub(1));
    }

    fn change(&mut self, priority: Priority, change: impl Fn(usize) -> usize) {
        let known = Priority::ALL.iter().zip(&mut self.metrics).find(|(other, _)| **other == priority);
        known.into_iter().for_each(|(_, metrics)| *metrics = change(*metrics));
    }

    /// The highest; the usual one where there are no metrics.
    pub(super) fn highest(&self) -> Priority {
        let mut known = Priority::ALL.into_iter().zip(self.metrics).filter(|(_, metrics)| *metrics > 0);
        known.next_back().map_or(Priority::default(), |(priority, _)| priority)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_of_those_that_share_counts() {
        let mut priorities = Priorities::default();
        assert_eq!(priorities.highest(), Priority::Normal);
        for (add, priority, highest) in [
            (true, Priority::Low, Priority::Low),
            (true, Priority::High, Priority::High),
            (true, Priority::Normal, Priority::High),
            (true, Priority::High, Priority::High),
            (false, Priority::High, Priority::High),
            (false, Priority::High, Priority::Normal),
            (false, Priority::Low, Priority::Normal),
            (false, Priority::Low, Priority::Normal),
        ] {
            if add {
                priorities.add(priority)
            } else {
                priorities.remove(priority)
            }
            assert_eq!(priorities.highest(), highest, "{add} {priority:?}");
        }
    }

    #[test]
    fn priorities_have_names() {
        for priority in Priority::ALL {
            assert_eq!(Priority::parse(priority.as_str()), Some(priority));
        }
        assert_eq!(Priority::parse("urgent"), None);
    }
}
