//! From a necessary condition to the granules that may meet it.
//!
//! Every step errs towards "may": a condition that facts and index cannot decide leaves all granules.

use hashbrown::HashSet;
use roaring::RoaringBitmap;
use weir_query::compile::Required;

use super::Segment;
use super::candidates::{Candidates, PruneCounters};
use super::facts::SegmentFacts;
use crate::event::META_FIELDS;
use crate::index::gram::VALUES_MAX;
use crate::index::keys;
use crate::index::table::GramTable;
use crate::store::block::tags::index_key;
use crate::store::block::{BlockFacts, FieldFacts, GRANULE_ROWS};

/// The granules that may hold an event that meets `required` in `from..=to`.
pub(super) fn prune(segment: &Segment, required: &Required, from: i64, to: i64) -> Candidates {
    let facts = &segment.facts;
    let mut blocks = Vec::with_capacity(facts.blocks.len());
    // Most granules that are in time lie side by side: they go in a run at a time.
    let (mut in_time, mut run) = (RoaringBitmap::new(), 0..0u32);
    let mut first = 0u32;
    for block in &facts.blocks {
        blocks.push((first, block.rows));
        for (granule, (oldest, newest)) in (first..).zip(&block.granule_times) {
            if *oldest > to || *newest < from {
                continue;
            }
            if run.end != granule {
                in_time.insert_range(run);
                run = granule..granule;
            }
            run.end = granule + 1;
        }
        first += block.rows.div_ceil(GRANULE_ROWS as u32);
    }
    in_time.insert_range(run);
    let granules = u64::from(first);
    let past_facts = Pruner { segment, keys: false, index: None, first: &blocks, granules: first }
        .candidates(required)
        & &in_time;
    let (mut left, mut index_fault) = (past_facts.clone(), None);
    let (keys, grams) = if past_facts.is_empty() { (false, false) } else { wants(required, facts) };
    if keys || grams {
        let index = match grams.then(|| segment.index()).transpose() {
            Ok(index) => index.map(|index| &**index),
            Err(corrupt) => {
                index_fault = Some(format!("segment {:016x}: {corrupt}", segment.id));
                None
            }
        };
        left &= Pruner { segment, keys, index, first: &blocks, granules: first }.candidates(required);
    }
    let mut candidates = Candidates {
        counters: PruneCounters {
            blocks: blocks.len() as u64,
            granules,
            granules_by_time: granules - in_time.len(),
            granules_by_facts: in_time.len() - past_facts.len(),
            granules_by_index: past_facts.len() - left.len(),
            blocks_pruned: 0,
        },
        granules: left,
        in_time,
        past_facts,
        index_fault,
        blocks,
    };
    candidates.counters.blocks_pruned = candidates.counters.blocks - candidates.blocks().count() as u64;
    candidates
}

/// Whether the keys of tags, and whether the gram index can say anything about it.
fn wants(required: &Required, facts: &SegmentFacts) -> (bool, bool) {
    match required {
        Required::OneOf { field, .. } if field.starts_with('#') => {
            (true, facts.blocks.iter().any(|block| is_old(block, field)))
        }
        Required::Text { .. } | Required::OneOf { .. } => (false, true),
        Required::And(parts) | Required::Or(parts) => {
            let wanted = parts.iter().map(|part| wants(part, facts));
            wanted.fold((false, false), |all, part| (all.0 | part.0, all.1 | part.1))
        }
        _ => (false, false),
    }
}

/// The values of tag `name` are not listed, and a block of the first version has no keys for them.
fn is_old(block: &BlockFacts, name: &str) -> bool {
    block.key_bytes == 0 && block.has_unlisted_values(name)
}

struct Pruner<'s> {
    segment: &'s Segment,
    /// Keys of tags are looked at.
    keys: bool,
    /// Without it only facts and keys decide.
    index: Option<&'s GramTable>,
    /// The first granule of every block.
    first: &'s [(u32, u32)],
    granules: u32,
}

impl Pruner<'_> {
    fn all(&self) -> RoaringBitmap {
        let mut all = RoaringBitmap::new();
        all.insert_range(0..self.granules);
        all
    }

    fn candidates(&self, required: &Required) -> RoaringBitmap {
        match required {
            Required::Anything => self.all(),
            Required::Nothing => RoaringBitmap::new(),
            Required::And(parts) => {
                let mut left = self.all();
                for part in parts {
                    if left.is_empty() {
                        break;
                    }
                    left &= self.candidates(part);
                }
                left
            }
            Required::Or(parts) => {
                let mut any = RoaringBitmap::new();
                parts.iter().for_each(|part| any |= self.candidates(part));
                any
            }
            Required::Text { literal, ignore_case } => self.text(literal, *ignore_case),
            Required::Present(field) => self.by_block(field, |facts| facts.granules),
            Required::OneOf { field, values } => self.one_of(field, values),
            Required::Range { field, least, greatest } => {
                self.by_block(field, |facts| range_granules(facts, *least, *greatest))
            }
        }
    }

    fn text(&self, literal: &[u8], ignore_case: bool) -> RoaringBitmap {
        self.index.map_or_else(|| self.all(), |index| index.candidates(literal, ignore_case))
    }

    fn one_of(&self, field: &str, values: &[String]) -> RoaringBitmap {
        let wanted: HashSet<&str, foldhash::fast::FixedState> = values.iter().map(String::as_str).collect();
        let granules = |facts: &FieldFacts| match &facts.values {
            Some(own) => own
                .iter()
                .filter(|own| wanted.contains(own.value.as_str()))
                .fold(0, |granules, own| granules | own.granules),
            None => facts.granules,
        };
        let left = self.by_block(field, granules);
        // Values of most meta fields stand in no text.
        let in_no_text = field != "@rawstring" && META_FIELDS.contains(&field);
        if in_no_text || values.len() > VALUES_MAX || left.is_empty() {
            return left;
        }
        if field.starts_with('#') {
            return self.by_keys(field, values, &left);
        }
        let mut any = RoaringBitmap::new();
        values.iter().for_each(|value| any |= self.text(value.as_bytes(), false));
        any & left
    }

    /// Those of `left`, the granules that facts leave, in which tag `name` may have one of `values`: where facts do not
    /// list its values, their keys tell.
    fn by_keys(&self, name: &str, values: &[String], left: &RoaringBitmap) -> RoaringBitmap {
        let hashes: Vec<u32> = values.iter().map(|value| keys::hash(name, value)).collect();
        let mut found = RoaringBitmap::new();
        for (index, (block, (first, _))) in self.segment.facts.blocks.iter().zip(self.first).enumerate() {
            let own = *first..first + block.granules() as u32;
            if is_old(block, name) || left.range_cardinality(own.clone()) == 0 {
                continue;
            }
            let has_keys = self.keys && block.has_unlisted_values(name);
            let keys = if has_keys { self.segment.keys(index) } else { None };
            let mask = keys.map_or(u64::MAX, |keys| {
                hashes.iter().fold(0, |granules, hash| granules | keys.granules(*hash))
            });
            found.extend(own.filter(|granule| mask >> (granule - first) & 1 == 1));
        }
        if self.segment.facts.blocks.iter().any(|block| is_old(block, name)) {
            found |= self.by_old_keys(name, values);
        }
        found & left
    }

    /// The same of blocks of the first version: the values of a tag stand in the gram index where facts do not list them,
    /// and so do their keys, but for the oldest.
    fn by_old_keys(&self, name: &str, values: &[String]) -> RoaringBitmap {
        let of_old = |block: &BlockFacts, keyless: bool| match field_of(block, name) {
            Some(field) if is_old(block, name) && !(keyless && field.has_keys) => field.granules,
            _ => 0,
        };
        let keyless = self.by_mask(|block| of_old(block, true));
        let mut any = RoaringBitmap::new();
        for value in values {
            let by_key = self.text(&index_key(name, value), false) | &keyless;
            any |= by_key & self.text(value.as_bytes(), false);
        }
        any & self.by_mask(|block| of_old(block, false))
    }

    /// The granules that `granules` says of a field's or tag's facts, block by block.
    fn by_block(&self, field: &str, granules: impl Fn(&FieldFacts) -> u64) -> RoaringBitmap {
        if META_FIELDS.contains(&field) {
            return self.all();
        }
        self.by_mask(|block| field_granules(block, field, &granules))
    }

    /// The granules of the masks of all blocks.
    fn by_mask(&self, mask: impl Fn(&BlockFacts) -> u64) -> RoaringBitmap {
        let mut left = RoaringBitmap::new();
        for (block, (first, _)) in self.segment.facts.blocks.iter().zip(self.first) {
            let mask = mask(block);
            let own = (0..block.granules() as u32).filter(|granule| mask >> granule & 1 == 1);
            left.extend(own.map(|granule| first + granule));
        }
        left
    }
}

/// What `block` says of field or tag `name`.
fn field_of<'b>(block: &'b BlockFacts, name: &str) -> Option<&'b FieldFacts> {
    let at = block.fields.binary_search_by(|field| field.name.as_str().cmp(name)).ok()?;
    block.fields.get(at)
}

fn field_granules(block: &BlockFacts, name: &str, granules: impl Fn(&FieldFacts) -> u64) -> u64 {
    match field_of(block, name) {
        Some(field) => granules(field),
        // A block may leave out which repository it is of, and fields where there are many; all other tags are listed.
        None if name == "#repo" || block.more_fields && !name.starts_with('#') => u64::MAX,
        None => 0,
    }
}

/// The granules of a field in which a number of `least..=greatest` may be.
fn range_granules(facts: &FieldFacts, least: f64, greatest: f64) -> u64 {
    match facts.range {
        // Facts and conditions may have been rounded on their way to f64, each by a little.
        Some((from, to)) => {
            let outside = from.next_down().next_down() > greatest || to.next_up().next_up() < least;
            if from > to || outside { 0 } else { facts.granules }
        }
        None => facts.granules,
    }
}
