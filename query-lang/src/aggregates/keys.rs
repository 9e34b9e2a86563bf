//! Group keys: from the texts of one or more fields to a group number.
//!
//! Groups are found by the hash of their texts; a new group appends them to one arena.
//!
//! Where all keys differ in a number only and rows are but counted, they are counted by that number, and nothing has to
//! be found: groups are made of that once they are needed, which for most tables is never.
//!
//! A table keeps at most twice its capacity of groups. Over it, the groups whose keys have the smallest hashes
//! stay: which those are depends only on the keys there are, never on the order they came in, and a group that
//! stays has lost no row, because no key with so small a hash was ever turned away (the bottom-k sample of Cohen
//! and Kaplan, 2007). Rows of other groups are only counted, or are in one more group, if asked for: that of the others.

mod coding;

use std::sync::Arc;

use hashbrown::{HashMap, HashTable};

use super::direct::Direct;
use super::slots::NO_SLOT;
use crate::value::order::{natural, natural_prefix};

/// Keys looked up at once: by hash all of them before the texts of the first are compared, so that waits for memory
/// overlap.
pub(super) const LOOKED_UP: usize = 256;

/// The hash of the group of the others in a slot: no key has it.
const OTHERS: u64 = 0;

/// Chunks of [`LOOKED_UP`] after which it is judged how many of the groups of another table are new.
const JUDGED_BY: usize = 8;

/// The groups seen, by parent slot and key.
#[derive(Clone, Debug)]
pub(super) struct KeyTable {
    pub(super) names: Vec<Arc<str>>,
    pub(super) capacity: usize,
    index: HashTable<Place>,
    pub(super) direct: Direct<u32>,
    /// Rows of groups that are not made yet, by the number in their key.
    pub(super) unmade: Direct<u64>,
    /// How many groups that are.
    pub(super) unmade_groups: usize,
    /// All groups are made: there were too many that have to be.
    pub(super) makes_all: bool,
    groups: Vec<Group>,
    /// Rows in each group: apart from them, because blocks are learnt from by adding to these alone.
    counts: Vec<u64>,
    /// The texts of all keys, end to end.
    arena: String,
    /// For each group, where each of its texts ends; it starts where the one before ends.
    ends: Vec<u32>,
    /// Keys with a greater hash are turned away.
    threshold: u64,
    /// Rows that have a key, those of groups turned away included.
    pub(super) rows: u64,
    /// Each slot has a group of the others, once one of its groups is turned away.
    has_others: bool,
}

/// What became of the groups of a table when some were turned away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Evicted {
    /// The numbers of those that stay, in their new order.
    Kept(Vec<u32>),
    /// What each of them became: more than one the group of the others.
    Joined(Vec<u32>),
}

/// One group.
#[derive(Clone, Copy, Debug)]
pub(super) struct Group {
    /// The slot it is in.
    pub(super) parent: u32,
    start: u32,
    hash: u64,
}

/// Where a group is in the index: as much of its hash as places it there, so that the index grows without a look at the
/// groups, and its number.
#[derive(Clone, Copy, Debug)]
struct Place {
    tag: u32,
    group: u32,
}

impl Place {
    /// The place of the key with `hash` in slot `parent`. Of the hash the low half: the high one is as good as the same
    /// for all keys once most are turned away.
    #[inline]
    fn tag(parent: u32, hash: u64) -> u32 {
        (hash ^ u64::from(parent).wrapping_mul(0xff51_afd7_ed55_8ccd)) as u32
    }

    /// What the index goes by: its low bits and its highest.
    #[inline]
    fn spread(tag: u32) -> u64 {
        u64::from(tag) << 32 | u64::from(tag)
    }
}

impl KeyTable {
    /// No groups, by the fields `names`.
    pub(super) fn new(names: &[Arc<str>], capacity: usize) -> KeyTable {
        KeyTable {
            names: names.to_vec(),
            capacity: capacity.max(1),
            index: HashTable::new(),
            direct: Direct::default(),
            unmade: Direct::default(),
            unmade_groups: 0,
            makes_all: false,
            groups: Vec::new(),
            counts: Vec::new(),
            arena: String::new(),
            ends: Vec::new(),
            threshold: u64::MAX,
            rows: 0,
            has_others: false,
        }
    }

    /// The same, with a group of the others in each slot that turns groups away.
    pub(super) fn with_others(self) -> KeyTable {
        KeyTable { has_others: true, ..self }
    }

    /// A table without groups that turns away what this one does.
    pub(super) fn emptied(&self) -> KeyTable {
        KeyTable {
            threshold: self.threshold,
            has_others: self.has_others,
            ..KeyTable::new(&self.names, self.capacity)
        }
    }

    /// The groups, by number.
    pub(super) fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// How many rows are in each group.
    pub(super) fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// Counts `rows` more rows into `group`, if there is such a group.
    #[inline]
    pub(super) fn add_rows(&mut self, group: u32, rows: u64) {
        if let Some(count) = self.counts.get_mut(group as usize) {
            *count += rows;
        }
    }

    /// The key fields.
    pub(super) fn names(&self) -> &[Arc<str>] {
        &self.names
    }

    /// Rows that have a key, those of groups turned away included.
    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    /// Keys with a greater hash are turned away.
    pub(super) fn threshold(&self) -> u64 {
        self.threshold
    }

    /// Groups were turned away.
    pub(super) fn overflowed(&self) -> bool {
        self.threshold != u64::MAX
    }

    /// The texts of the key of group `group`.
    pub(super) fn texts(&self, group: usize) -> impl Iterator<Item = &str> {
        let arity = self.names.len();
        let mut at = self.groups.get(group).map_or(0, |group| group.start as usize);
        let ends = self.ends.get(group * arity..(group + 1) * arity).unwrap_or_default();
        ends.iter().map(move |end| {
            let text = self.arena.get(at..*end as usize).unwrap_or_default();
            at = *end as usize;
            text
        })
    }

    /// The text of group `group`, where keys have one.
    #[inline]
    pub(super) fn only_text(&self, group: usize) -> Option<&str> {
        let start = self.groups.get(group)?.start as usize;
        self.arena.get(start..*self.ends.get(group)? as usize)
    }

    /// The keys of two groups in the order results list them: numbers first, then text.
    pub(super) fn compare(&self, a: usize, b: usize) -> std::cmp::Ordering {
        self.texts(a)
            .zip(self.texts(b))
            .map(|(a, b)| natural(a, b))
            .find(|order| order.is_ne())
            .unwrap_or(std::cmp::Ordering::Equal)
    }

    /// The beginning of a group's place in that order: [`KeyTable::compare`] tells where it is the same.
    pub(super) fn prefix(&self, group: usize) -> u64 {
        self.texts(group).next().map_or(0, natural_prefix)
    }

    /// `group` is that of the others.
    pub(super) fn is_of_others(&self, group: u32) -> bool {
        self.has_others && self.groups.get(group as usize).is_some_and(|group| group.hash == OTHERS)
    }

    /// Groups of the others: those of keys turned away, a slot.
    pub(super) fn others(&self) -> impl Iterator<Item = u32> {
        (0_u32..).take(self.groups.len()).filter(|group| self.is_of_others(*group))
    }

    /// Bytes held.
    pub(super) fn bytes(&self) -> usize {
        self.index.allocation_size()
            + self.direct.bytes()
            + self.unmade.bytes()
            + self.groups.capacity() * size_of::<Group>()
            + self.counts.capacity() * size_of::<u64>()
            + self.arena.capacity()
            + self.ends.capacity() * size_of::<u32>()
    }

    /// The group whose key has this hash, and so most likely is the one that is looked for; [`NO_SLOT`] if there is
    /// none, or keys of this hash are turned away.
    #[inline]
    pub(super) fn likely(&self, parent: u32, hash: u64) -> u32 {
        let hash = of_key(hash);
        if hash > self.threshold {
            return NO_SLOT;
        }
        let tag = Place::tag(parent, hash);
        let same = |place: &Place| place.tag == tag && self.is_of(place.group, parent, hash);
        self.index.find(Place::spread(tag), same).map_or(NO_SLOT, |place| place.group)
    }

    /// The group with this key, made if there is none; if it is turned away, that of the others or [`NO_SLOT`].
    pub(super) fn find(&mut self, parent: u32, hash: u64, texts: &[impl AsRef<str>]) -> u32 {
        let hash = of_key(hash);
        if hash > self.threshold {
            return if self.has_others { self.others_of(parent) } else { NO_SLOT };
        }
        let tag = Place::tag(parent, hash);
        let found = self.index.find(Place::spread(tag), |place| {
            let same = place.tag == tag && self.is_of(place.group, parent, hash);
            same && match texts {
                [only] => self.only_text(place.group as usize) == Some(only.as_ref()),
                _ => self.texts(place.group as usize).eq(texts.iter().map(AsRef::as_ref)),
            }
        });
        if let Some(place) = found {
            return place.group;
        }
        let length: usize = texts.iter().map(|text| text.as_ref().len()).sum();
        let (Ok(group), Ok(_)) = (u32::try_from(self.groups.len()), u32::try_from(self.arena.len() + length))
        else {
            return NO_SLOT;
        };
        // Checked above: all ends fit 32 bits.
        let start = self.arena.len() as u32;
        for text in texts {
            self.arena.push_str(text.as_ref());
            self.ends.push(self.arena.len() as u32);
        }
        self.push(Group { parent, start, hash }, Place { tag, group });
        group
    }

    fn push(&mut self, group: Group, place: Place) {
        self.groups.push(group);
        self.counts.push(0);
        self.index.insert_unique(Place::spread(place.tag), place, |place| Place::spread(place.tag));
    }

    /// The group of the others in slot `parent`, made if there is none. Its texts are empty.
    pub(super) fn others_of(&mut self, parent: u32) -> u32 {
        let tag = Place::tag(parent, OTHERS);
        let same = |place: &Place| place.tag == tag && self.is_of(place.group, parent, OTHERS);
        if let Some(place) = self.index.find(Place::spread(tag), same) {
            return place.group;
        }
        let (Ok(group), Ok(start)) = (u32::try_from(self.groups.len()), u32::try_from(self.arena.len()))
        else {
            return NO_SLOT;
        };
        self.ends.resize(self.ends.len() + self.names.len(), start);
        self.push(Group { parent, start, hash: OTHERS }, Place { tag, group });
        group
    }

    /// The key of `group` is in slot `parent` and has this hash.
    #[inline]
    fn is_of(&self, group: u32, parent: u32, hash: u64) -> bool {
        self.groups.get(group as usize).is_some_and(|have| have.parent == parent && have.hash == hash)
    }

    /// Adds the groups of `other`, and says which of its groups became which, as far as it has made them.
    pub(super) fn merge(&mut self, other: &KeyTable, parents: &[u32]) -> Vec<u32> {
        if self.merge_unmade(other, parents) {
            return self.merge_groups(other, parents);
        }
        self.make_groups();
        self.merge_groups(&other.made(), parents)
    }

    /// As [`KeyTable::merge`], for groups that are made.
    fn merge_groups(&mut self, other: &KeyTable, parents: &[u32]) -> Vec<u32> {
        let stay = || {
            let known = |group: &Group| (group.parent as usize) < parents.len();
            (0..).zip(parents).all(|(parent, to)| parent == *to) && other.groups.iter().all(known)
        };
        if self.groups.is_empty() && !self.overflowed() && stay() {
            return self.take_over(other);
        }
        self.rows += other.rows;
        self.threshold = self.threshold.min(other.threshold);
        let held = self.groups.len();
        let parent_of = |group: &Group| parents.get(group.parent as usize).copied().unwrap_or(NO_SLOT);
        let mut texts: Vec<&str> = Vec::with_capacity(self.names.len());
        let mut map = Vec::with_capacity(other.groups.len());
        for (chunk, groups) in other.groups.chunks(LOOKED_UP).enumerate() {
            if chunk == JUDGED_BY {
                // As many of the others are new as were of the first.
                self.reserve((self.groups.len() - held) * other.groups.len() / (JUDGED_BY * LOOKED_UP));
            }
            let mut likely = [NO_SLOT; LOOKED_UP];
            for (likely, group) in likely.iter_mut().zip(groups) {
                *likely = self.likely(parent_of(group), group.hash);
            }
            for (number, (group, likely)) in (chunk * LOOKED_UP..).zip(groups.iter().zip(likely)) {
                let is_same = likely != NO_SLOT && self.texts(likely as usize).eq(other.texts(number));
                let to = match parent_of(group) {
                    NO_SLOT => NO_SLOT,
                    parent if other.is_of_others(number as u32) => self.others_of(parent),
                    _ if is_same => likely,
                    parent => {
                        texts.clear();
                        texts.extend(other.texts(number));
                        self.find(parent, group.hash, &texts)
                    }
                };
                self.add_rows(to, other.counts.get(number).copied().unwrap_or(0));
                map.push(to);
            }
        }
        map
    }

    /// Becomes what `other` is, having no groups itself.
    fn take_over(&mut self, other: &KeyTable) -> Vec<u32> {
        self.index = other.index.clone();
        // It only serves to learn from rows.
        self.direct = Direct::default();
        self.groups = other.groups.clone();
        self.counts = other.counts.clone();
        self.arena = other.arena.clone();
        self.ends = other.ends.clone();
        self.threshold = other.threshold;
        self.rows += other.rows;
        super::counts::all_slots(other.groups.len())
    }

    /// Makes room for `more` groups.
    pub(super) fn reserve(&mut self, more: usize) {
        self.index.reserve(more, |place| Place::spread(place.tag));
        self.groups.reserve(more);
        self.counts.reserve(more);
    }

    /// After rows were learnt or groups merged: turns groups away when there are more than twice the capacity; none when
    /// all stay.
    pub(super) fn evict(&mut self) -> Option<Evicted> {
        self.settle();
        (self.groups.len() > self.capacity.saturating_mul(2)).then(|| self.cut()).flatten()
    }

    /// Turns away groups whose keys have a greater hash than `threshold`, from now on; none when there are none.
    pub(super) fn narrow(&mut self, threshold: u64) -> Option<Evicted> {
        self.make_groups();
        self.threshold = self.threshold.min(threshold);
        self.cut()
    }

    /// The numbers of the groups within capacity and of those of the others, ascending, and the threshold that keeps
    /// them; none when all are.
    pub(super) fn kept(&self) -> Option<(Vec<u32>, u64)> {
        // Groups that slipped in before the threshold fell are over it too.
        let hashes = self.groups.iter().map(|group| group.hash);
        let mut hashes: Vec<u64> = hashes.filter(|hash| !self.has_others || *hash != OTHERS).collect();
        let threshold = match self.capacity.checked_sub(1).filter(|at| *at + 1 < hashes.len()) {
            Some(at) => *hashes.select_nth_unstable(at).1,
            None => self.threshold,
        };
        let threshold = threshold.min(self.threshold);
        let keep: Vec<u32> = (0_u32..)
            .zip(&self.groups)
            .filter(|(_, group)| group.hash <= threshold)
            .map(|(number, _)| number)
            .collect();
        (keep.len() < self.groups.len()).then_some((keep, threshold))
    }

    /// Turns away the groups over capacity; none when there are none.
    pub(super) fn cut(&mut self) -> Option<Evicted> {
        let (keep, threshold) = self.kept()?;
        self.threshold = threshold;
        if !self.has_others {
            self.gather(&keep);
            return Some(Evicted::Kept(keep));
        }
        let empty = self.emptied();
        let whole = std::mem::replace(self, empty);
        let parents = whole.groups.iter().map(|group| group.parent as usize + 1).max().unwrap_or(0);
        Some(Evicted::Joined(self.merge_groups(&whole, &super::counts::all_slots(parents))))
    }

    /// Keeps the groups of `keep`, in that order.
    pub(super) fn gather(&mut self, keep: &[u32]) {
        let mut kept = self.emptied();
        // Whoever keeps these knows of them: some may be over what is turned away since.
        kept.threshold = u64::MAX;
        kept.rows = self.rows;
        kept.unmade = std::mem::take(&mut self.unmade);
        kept.unmade_groups = self.unmade_groups;
        kept.makes_all = self.makes_all;
        let mut texts: Vec<&str> = Vec::with_capacity(self.names.len());
        for number in keep {
            let Some(group) = self.groups.get(*number as usize) else { continue };
            texts.clear();
            texts.extend(self.texts(*number as usize));
            let to = match self.is_of_others(*number) {
                true => kept.others_of(group.parent),
                false => kept.find(group.parent, group.hash, &texts),
            };
            kept.add_rows(to, self.counts.get(*number as usize).copied().unwrap_or(0));
        }
        kept.threshold = self.threshold;
        *self = kept;
    }

    /// Follows parent slots that were kept: the numbers of the groups that stay.
    pub(super) fn follow(&mut self, kept_parents: &[u32]) -> Vec<u32> {
        self.make_groups();
        let mut to: HashMap<u32, u32, foldhash::fast::FixedState> = HashMap::default();
        for (new, old) in (0_u32..).zip(kept_parents) {
            to.insert(*old, new);
        }
        let keep: Vec<u32> = (0_u32..)
            .zip(&self.groups)
            .filter(|(_, group)| to.contains_key(&group.parent))
            .map(|(number, _)| number)
            .collect();
        self.index.clear();
        for group in &mut self.groups {
            group.parent = to.get(&group.parent).copied().unwrap_or(NO_SLOT);
        }
        self.gather(&keep);
        keep
    }
}

/// The hash that a key is known by: that of the others is none of a key.
fn of_key(hash: u64) -> u64 {
    hash.max(OTHERS + 1)
}

#[cfg(test)]
mod tests {
    use super::super::Input;
    use super::super::slots::Slots;
    use super::*;
    use crate::record::{Column, ColumnBuilder, Dictionary, Selection};
    use proptest::prelude::*;

    fn step(table: &mut KeyTable, keys: &[u8]) {
        let mut column = ColumnBuilder::default();
        keys.iter().for_each(|key| column.text(&format!("key-{key}")));
        let columns = [(Arc::from("k"), column.finish())];
        let within = Selection::all(keys.len());
        let input = Input { rows: keys.len(), order: &[], columns: &columns, within: &within, weights: None };
        table.step(&input, &Slots::ONE, &mut Vec::new());
        table.evict();
    }

    /// The groups within capacity with their rows, by key.
    fn kept(table: &KeyTable) -> Vec<(String, u64)> {
        let all = || (0..table.groups().len() as u32).collect();
        let keep: Vec<u32> = table.kept().map_or_else(all, |(keep, _)| keep);
        let text = |group: &u32| table.texts(*group as usize).collect::<String>();
        let mut list: Vec<_> = keep.iter().map(|at| (text(at), table.counts()[*at as usize])).collect();
        list.sort();
        list
    }

    #[test]
    fn codes_of_gaps_have_no_group() {
        let mut built = ColumnBuilder::default();
        built.text("a");
        built.missing();
        let column =
            Column::Dictionary { codes: [1, 0, 1, 7].into(), dictionary: built.finish_dictionary().into() };
        let columns = [(Arc::from("k"), column)];
        let within = Selection::all(4);
        let input = Input { rows: 4, order: &[], columns: &columns, within: &within, weights: None };
        let mut table = KeyTable::new(&[Arc::from("k")], 10);
        let mut groups = Vec::new();
        table.step(&input, &Slots::ONE, &mut groups);
        assert_eq!(kept(&table), [("a".to_owned(), 1)]);
        assert_eq!((groups, table.rows()), (vec![NO_SLOT, 0, NO_SLOT, NO_SLOT], 1));
    }

    /// A table that has seen `batches` of numbers, each with the texts around them, as codes or as plain text.
    fn numbered(
        batches: &[(&str, &str, Vec<u16>)],
        capacity: usize,
        coded: bool,
    ) -> (KeyTable, Vec<Vec<u32>>) {
        let mut table = KeyTable::new(&[Arc::from("k")], capacity);
        let mut groups = Vec::new();
        for (before, behind, numbers) in batches {
            let texts: Vec<String> = numbers.iter().map(|n| format!("{before}{n}{behind}")).collect();
            let mut distinct: Vec<&String> = texts.iter().collect();
            distinct.sort();
            distinct.dedup();
            let mut dictionary = Dictionary::default();
            distinct.iter().for_each(|text| _ = dictionary.push(text));
            let codes = texts.iter().map(|text| distinct.binary_search(&text).unwrap() as u32).collect();
            let mut built = ColumnBuilder::default();
            texts.iter().for_each(|text| built.text(text));
            let column = match coded {
                true => Column::Dictionary { codes, dictionary: dictionary.into() },
                false => built.finish(),
            };
            let columns = [(Arc::from("k"), column)];
            let within = Selection::from_fn(texts.len(), |row| row % 5 != 3);
            let input =
                Input { rows: texts.len(), order: &[], columns: &columns, within: &within, weights: None };
            let mut own = Vec::new();
            table.step(&input, &Slots::ONE, &mut own);
            let text = |group: &u32| table.texts(*group as usize).map(str::len).sum::<usize>() as u32;
            groups.push(own.iter().map(text).collect());
            table.evict();
        }
        (table, groups)
    }

    #[test]
    fn numbers_in_keys_are_no_other_keys() {
        let spread = |count: u16, step: u16| (0..count).map(|i| i.wrapping_mul(step)).collect::<Vec<_>>();
        let batches = [
            ("user", "", spread(1_000, 7)),
            ("user", "", spread(3_000, 11)),
            ("host", "", spread(3_000, 11)),
            ("user", ".lan", spread(700, 13)),
            ("user", "", spread(20, 3)),
            ("user", "", spread(900, 61_441)),
        ];
        for capacity in [100, 1_000, 100_000] {
            let (fast, fast_groups) = numbered(&batches, capacity, true);
            let (slow, slow_groups) = numbered(&batches, capacity, false);
            assert_eq!(kept(&fast), kept(&slow), "{capacity}");
            assert_eq!(fast.rows(), slow.rows(), "{capacity}");
            if capacity == 100_000 {
                assert_eq!(fast_groups, slow_groups);
                assert!(fast.direct.bytes() > 0);
            }
        }
    }

    proptest! {
        #[test]
        fn which_groups_stay_depends_on_the_keys_alone(
            keys in prop::collection::vec(any::<u8>(), 0..300),
            capacity in 1_usize..12,
            cut in 0_usize..300,
        ) {
            let new = || KeyTable::new(&[Arc::from("k")], capacity);
            let mut exact: HashMap<u8, u64> = HashMap::new();
            keys.iter().for_each(|key| *exact.entry(*key).or_default() += 1);
            let mut whole = new();
            step(&mut whole, &keys);
            let mut backwards = new();
            keys.rchunks(7).for_each(|batch| step(&mut backwards, batch));
            let (left, right) = keys.split_at(cut.min(keys.len()));
            let (mut merged, mut other) = (new(), new());
            right.chunks(5).for_each(|batch| step(&mut merged, batch));
            left.chunks(3).for_each(|batch| step(&mut other, batch));
            merged.merge(&other, &[0]);
            merged.evict();
            prop_assert_eq!(kept(&whole), kept(&backwards));
            prop_assert_eq!(kept(&whole), kept(&merged));
            prop_assert_eq!(whole.rows(), merged.rows());
            prop_assert_eq!(kept(&whole).len(), exact.len().min(capacity));
            for (key, rows) in kept(&whole) {
                let number: u8 = key.trim_start_matches("key-").parse().unwrap();
                prop_assert_eq!(rows, exact[&number], "what stays has lost no row");
            }
        }
    }
}
