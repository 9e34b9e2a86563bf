//! Which blocks a scan looks at, in which order, and what pruning leaves of each.

use std::cmp::Reverse;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use weir_query::compile::Required;
use weir_query::program::ScanOrder;
use weir_query::record::OrderKey;

use super::source::GRANULE_ROWS;
use super::{BlockFacts, Candidates, Part, ScanStats, Source};

/// One block in range: the unit of work.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unit {
    pub(super) part: usize,
    pub(super) block: usize,
    pub(super) facts: BlockFacts,
}

impl Unit {
    /// No row of the block comes after this place.
    pub(super) fn newest(&self) -> OrderKey {
        OrderKey { nanos: self.facts.max_nanos, sequence: self.facts.max_sequence }
    }

    /// No row of the block comes before this place.
    pub(super) fn oldest(&self) -> OrderKey {
        OrderKey { nanos: self.facts.min_nanos, sequence: self.facts.min_sequence }
    }

    /// How many granules the block has.
    pub(super) fn granules(&self) -> usize {
        self.facts.rows.div_ceil(GRANULE_ROWS)
    }
}

/// What counts: a range of time and one of sequences. The range of arrival only rules blocks out; rows are sorted
/// by arrival where they are laid out.
#[derive(Clone, Debug)]
pub(super) struct Bounds {
    pub(super) nanos: Range<i64>,
    pub(super) first_sequence: u64,
    pub(super) last_sequence: u64,
    pub(super) ingest: Range<i64>,
}

impl Bounds {
    fn meets(&self, facts: &BlockFacts) -> bool {
        facts.rows > 0
            && facts.min_nanos < self.nanos.end
            && facts.max_nanos >= self.nanos.start
            && facts.min_sequence <= self.last_sequence
            && facts.max_sequence >= self.first_sequence
            && facts.min_ingest_nanos < self.ingest.end
            && facts.max_ingest_nanos >= self.ingest.start
    }

    /// Every row of the block counts.
    pub(super) fn cover(&self, facts: &BlockFacts) -> bool {
        facts.min_nanos >= self.nanos.start && facts.max_nanos < self.nanos.end && self.cover_sequences(facts)
    }

    /// Every row of the block that is in the range of time counts.
    pub(super) fn cover_sequences(&self, facts: &BlockFacts) -> bool {
        facts.min_sequence >= self.first_sequence && facts.max_sequence <= self.last_sequence
    }

    /// A row at this place counts.
    pub(super) fn contain(&self, key: OrderKey) -> bool {
        self.nanos.contains(&key.nanos)
            && key.sequence >= self.first_sequence
            && key.sequence <= self.last_sequence
    }
}

/// A part and what pruning leaves of it, found out when its first block is looked at.
struct PlannedPart {
    part: Arc<dyn Part>,
    candidates: OnceLock<Option<Candidates>>,
}

/// The blocks in range, in the order in which they are to be read.
pub(super) struct Plan {
    parts: Vec<PlannedPart>,
    units: Vec<Unit>,
    bounds: Bounds,
    required: Required,
}

/// What pruning says of one block.
pub(super) enum Verdict {
    /// The time range and facts rule it out.
    Facts,
    /// The index rules out what they leave.
    Index,
    /// These granules are left, by their number in the block, ascending.
    Read(Vec<u32>),
}

impl Plan {
    /// Lists the blocks of `source` that meet `bounds`; counts the others.
    pub(super) fn new(
        source: &dyn Source,
        bounds: Bounds,
        required: Required,
        order: ScanOrder,
        stats: &mut ScanStats,
    ) -> Plan {
        let mut plan = Plan { parts: Vec::new(), units: Vec::new(), bounds, required };
        for part in source.parts() {
            plan.add(part, stats);
        }
        match order {
            ScanOrder::OldestFirst => plan.units.sort_by_key(Unit::oldest),
            ScanOrder::NewestFirst | ScanOrder::Any => plan.units.sort_by_key(|unit| Reverse(unit.newest())),
        }
        plan
    }

    /// Nothing to read.
    pub(super) fn empty() -> Plan {
        let bounds = Bounds { nanos: 0..0, first_sequence: 0, last_sequence: 0, ingest: 0..0 };
        Plan { parts: Vec::new(), units: Vec::new(), bounds, required: Required::Nothing }
    }

    fn add(&mut self, part: Arc<dyn Part>, stats: &mut ScanStats) {
        let before = self.units.len();
        for (block, facts) in part.blocks().into_iter().enumerate() {
            let unit = Unit { part: self.parts.len(), block, facts };
            let (inside, granules) = (self.bounds.meets(&facts), unit.granules() as u64);
            stats.blocks += 1;
            stats.granules += granules;
            if inside {
                self.units.push(unit);
            } else {
                stats.blocks_pruned_by_time += 1;
                stats.granules_pruned_by_time += granules;
            }
        }
        let outside = self.units.len() == before;
        stats.segments += u64::from(part.is_segment());
        stats.segments_pruned_by_time += u64::from(part.is_segment() && outside);
        self.parts.push(PlannedPart { part, candidates: OnceLock::new() });
    }

    pub(super) fn units(&self) -> &[Unit] {
        &self.units
    }

    pub(super) fn bounds(&self) -> &Bounds {
        &self.bounds
    }

    /// The part of `unit`.
    pub(super) fn part(&self, unit: &Unit) -> Option<&Arc<dyn Part>> {
        self.parts.get(unit.part).map(|planned| &planned.part)
    }

    /// What pruning leaves of `unit`, whose other granules are counted in `stats`. The first call for a part reads its
    /// index; `warn` is told when that fails.
    pub(super) fn prune(&self, unit: &Unit, warn: impl FnOnce(String), stats: &mut ScanStats) -> Verdict {
        let all = u32::try_from(unit.granules()).unwrap_or(u32::MAX);
        let Some(planned) = self.parts.get(unit.part).filter(|_| self.required != Required::Nothing) else {
            stats.granules_pruned_by_facts += u64::from(all);
            return Verdict::Facts;
        };
        let candidates = planned.candidates.get_or_init(|| {
            let found =
                planned.part.prune(&self.required, self.bounds.nanos.clone()).unwrap_or_else(|fault| {
                    warn(format!("an index could not be used, its segment was read whole: {fault}"));
                    None
                });
            let nothing = found.as_ref().is_some_and(|found| found.past_facts.is_empty());
            stats.segments_pruned_by_facts += u64::from(planned.part.is_segment() && nothing);
            found
        });
        let Some(candidates) = candidates else { return Verdict::Read((0..all).collect()) };
        let first = unit.facts.first_granule;
        let own = first..first.saturating_add(all);
        let [in_time, past_facts, left] = [&candidates.in_time, &candidates.past_facts, &candidates.granules]
            .map(|set| set.range_cardinality(own.clone()));
        stats.granules_pruned_by_time += u64::from(all).saturating_sub(in_time);
        stats.granules_pruned_by_facts += in_time.saturating_sub(past_facts);
        stats.granules_pruned_by_index += past_facts.saturating_sub(left);
        match left {
            0 if past_facts == 0 => Verdict::Facts,
            0 => Verdict::Index,
            _ => Verdict::Read(candidates.granules.range(own).map(|granule| granule - first).collect()),
        }
    }
}
