//! Groups that are not made: rows counted by the number in their key.
//!
//! As long as most keys of a table differ in a number only, and their rows are but counted, a group is a count in an
//! array. It needs no text, no hash and no place in an index until somebody asks for its number, or groups of other
//! keys, which are made, get many. No key has a group of either kind once [`KeyTable::settle`] was there.

use std::borrow::Cow;

use super::Input;
use super::direct::Direct;
use super::keys::KeyTable;
use super::packed::{Coded, Packed};
use super::read::hash_text;
use super::slots::{NO_SLOT, Slots};

/// Groups that are made beside others that are not, at most.
const MADE_MAX: usize = 1_024;

impl KeyTable {
    /// The rows of groups that are not made, by the number in their key.
    pub(super) fn unmade(&self) -> Option<&Direct<u64>> {
        (self.unmade_groups > 0).then_some(&self.unmade)
    }

    /// There may be groups that are not made.
    fn may_have_unmade(&self) -> bool {
        !self.makes_all && !self.overflowed()
    }

    /// Counts `rows` more rows of the key with `number`, which room was made for, but not into [`KeyTable::rows`].
    #[inline]
    fn add_unmade(&mut self, number: u32, rows: u64) {
        if let Some(count) = self.unmade.at(number) {
            self.unmade_groups += usize::from(*count == 0 && rows > 0);
            *count += rows;
        }
    }

    /// After groups of either kind were added: a key that has both keeps the one that is not made; where those that are
    /// made got many, or all are too many, all are made.
    pub(super) fn settle(&mut self) {
        if self.unmade_groups == 0 {
            return;
        }
        let (mut keep, mut moved) = (Vec::new(), Vec::new());
        for (number, group) in (0_u32..).zip(self.groups()) {
            let text = self.only_text(number as usize).filter(|_| group.parent == self.unmade.parent());
            match text.and_then(|text| self.unmade.number_of(text)) {
                Some(key) => moved.push((key, self.counts().get(number as usize).copied().unwrap_or(0))),
                None => keep.push(number),
            }
        }
        if !moved.is_empty() {
            moved.into_iter().for_each(|(key, rows)| self.add_unmade(key, rows));
            self.gather(&keep);
        }
        // Once there are many others, it is not tried again.
        self.makes_all = keep.len() > MADE_MAX;
        if self.makes_all || keep.len() + self.unmade_groups > self.capacity {
            self.make_groups();
        }
    }

    /// Makes the groups that are not made yet.
    pub(super) fn make_groups(&mut self) {
        let unmade = std::mem::take(&mut self.unmade);
        let count = std::mem::take(&mut self.unmade_groups);
        if count == 0 {
            return;
        }
        self.reserve(count);
        let mut text = String::new();
        let mut made = vec![NO_SLOT; unmade.places().len()];
        for ((number, rows), made) in (0_u32..).zip(unmade.places()).zip(&mut made) {
            if *rows > 0 {
                unmade.write_key(number, &mut text);
                *made = self.find(unmade.parent(), hash_text(&text), &[&text]);
                self.add_rows(*made, *rows);
            }
        }
        self.direct = unmade.with(made);
    }

    /// The same table with all groups made.
    pub(super) fn made(&self) -> Cow<'_, KeyTable> {
        if self.unmade_groups == 0 {
            return Cow::Borrowed(self);
        }
        let mut made = self.clone();
        made.make_groups();
        Cow::Owned(made)
    }

    /// Counts rows by the number in their key, without groups being made, where keys differ in nothing else. False, and nothing done, where that does not serve.
    pub(super) fn count_by_number(
        &mut self,
        columns: &[Coded<'_>],
        input: &Input<'_>,
        slots: &Slots<'_>,
    ) -> bool {
        let ([Coded::Dictionary(codes, dictionary)], Some(parent)) = (columns, slots.single()) else {
            return false;
        };
        if input.weights.is_some() || parent == NO_SLOT || !self.may_have_unmade() {
            return false;
        }
        let Some(numbered) = dictionary.numbered() else { return false };
        let numbers = numbered.numbers();
        if self.unmade_groups == 0 {
            self.unmade = Direct::default();
        }
        if !self.unmade.admit(parent, numbered, 0) {
            return false;
        }
        let mut counted = 0;
        match Packed::of(columns, slots, input) {
            Some(packed) => {
                for (rows, number) in packed.count().into_iter().zip(numbers) {
                    counted += u64::from(rows);
                    self.add_unmade(*number, rows.into());
                }
            }
            None => {
                for run in input.within.runs() {
                    let codes = codes.get(run).unwrap_or_default();
                    for number in codes.iter().filter_map(|code| numbers.get(*code as usize)) {
                        counted += 1;
                        self.add_unmade(*number, 1);
                    }
                }
            }
        }
        self.rows += counted;
        true
    }

    /// Adds the groups of `other` that are not made; false, and nothing done, where that does not serve.
    pub(super) fn merge_unmade(&mut self, other: &KeyTable, parents: &[u32]) -> bool {
        let Some(theirs) = other.unmade() else { return !other.overflowed() || self.unmade_groups == 0 };
        let parent = parents.get(theirs.parent() as usize).copied().unwrap_or(NO_SLOT);
        if parent == NO_SLOT || !self.may_have_unmade() {
            return false;
        }
        if self.unmade_groups == 0 {
            self.unmade = theirs.clone().in_slot(parent);
        } else if !self.unmade.add(theirs, parent) {
            return false;
        }
        self.unmade_groups = self.unmade.places().iter().filter(|rows| **rows > 0).count();
        true
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::super::spec::{AggregateSpec, GroupBySpec, Measure, TopSpec};
    use super::super::{AggregateState, NoPipelines, Source};
    use super::*;
    use crate::machine::Context;
    use crate::record::{Column, ColumnBuilder, Dictionary, Selection};

    /// Texts a dictionary begins with, so that there are enough of them; most have no rows.
    const TEXTS: usize = 300;

    /// Rows that are stepped over at once: what stands before the numbers and behind them, a text that has none, the
    /// numbers, and whether there are codes.
    type Batch = (&'static str, &'static str, Option<&'static str>, Vec<u16>, bool);

    fn column((before, behind, other, numbers, coded): &Batch) -> Column {
        let mut texts: Vec<String> =
            numbers.iter().map(|number| format!("{before}{number}{behind}")).collect();
        texts.extend(other.map(str::to_owned));
        let mut built = ColumnBuilder::default();
        texts.iter().for_each(|text| built.text(text));
        if !coded {
            return built.finish();
        }
        let mut all: Vec<String> = (0..TEXTS).map(|number| format!("{before}{number}{behind}")).collect();
        all.extend(texts.iter().cloned());
        all.sort();
        all.dedup();
        let mut dictionary = Dictionary::default();
        all.iter().for_each(|text| _ = dictionary.push(text));
        let codes = texts.iter().map(|text| all.binary_search(text).unwrap() as u32).collect();
        Column::Dictionary { codes, dictionary: dictionary.into() }
    }

    fn step(state: &mut AggregateState, batch: &Batch) {
        let column = column(batch);
        let rows = column.len();
        let columns = [(Arc::from("k"), column)];
        let within = Selection::all(rows);
        let input = Input { rows, order: &[], columns: &columns, within: &within, weights: None };
        state.step(&input, &mut NoPipelines).unwrap();
    }

    fn told(state: &AggregateState) -> String {
        let table = state.result(&mut NoPipelines).unwrap();
        let column = |(name, column): &(Arc<str>, Column)| {
            let values: Vec<_> =
                (0..table.rows).map(|row| column.get(row).map(|value| value.text().into_owned())).collect();
            format!("{name}: {values:?}")
        };
        format!("{:?} {:?}", table.columns.iter().map(column).collect::<Vec<_>>(), table.warnings)
    }

    fn specs() -> [AggregateSpec; 4] {
        let keys = || vec![Arc::from("k")];
        let top = |limit| {
            let (output, rest) = (Arc::from("_top"), Some(Arc::from("others")));
            let measure = Measure::Count;
            AggregateSpec::Top(TopSpec { keys: keys(), limit, measure, output, percent: true, rest })
        };
        let group = |limit| {
            let function = Box::new(AggregateSpec::count());
            AggregateSpec::GroupBy(GroupBySpec { keys: keys(), function, limit, other: None })
        };
        [top(3), top(1_000), group(5), group(1_000)]
    }

    fn batches() -> impl Strategy<Value = Vec<Batch>> {
        let around = prop_oneof![
            6 => Just(("user", "", None)),
            1 => Just(("user", "", Some("user007"))),
            1 => Just(("user", "", Some("root"))),
            1 => Just(("host", "", None)),
            1 => Just(("user", ".lan", None)),
            1 => Just(("", "", None)),
        ];
        // Few rows of the many texts there are, so that they are not counted by code, or many.
        let numbers =
            prop_oneof![prop::collection::vec(0_u16..400, 0..20), prop::collection::vec(0_u16..20, 300..400)];
        let batch = (around, numbers, prop::bool::weighted(0.8));
        let batch = batch
            .prop_map(|((before, behind, other), numbers, coded)| (before, behind, other, numbers, coded));
        prop::collection::vec(batch, 0..8)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

        #[test]
        fn groups_not_made_are_groups(
            batches in batches(),
            parts in prop::collection::vec(0_usize..3, 8),
            is_left in any::<bool>(),
        ) {
            for spec in specs() {
                let new = || AggregateState::new(&spec, &Arc::new(Context::default()), Source::Events);
                let mut plain = new();
                for (before, behind, other, numbers, _) in &batches {
                    step(&mut plain, &(*before, *behind, *other, numbers.clone(), false));
                }
                let mut states = [new(), new(), new()];
                batches.iter().zip(&parts).for_each(|(batch, part)| step(&mut states[*part], batch));
                let [mut first, mut second, third] = states;
                if is_left {
                    first.merge(&second);
                    first.merge(&third);
                } else {
                    second.merge(&third);
                    first.merge(&second);
                }
                let mut kept = new();
                kept.merge(&first);
                prop_assert_eq!(told(&first), told(&plain), "{:?}", &spec);
                let bytes = |state: &AggregateState| {
                    let mut bytes = Vec::new();
                    state.write(&mut bytes);
                    bytes
                };
                prop_assert_eq!(bytes(&first), bytes(&plain), "{:?}", &spec);
                prop_assert_eq!(told(&kept), told(&plain), "{:?}", &spec);
            }
        }
    }

    fn users(numbers: Vec<u16>) -> Column {
        column(&("user", "", None, numbers, true))
    }

    fn count(table: &mut KeyTable, column: Column) {
        let (rows, within) = (column.len(), Selection::all(column.len()));
        let columns = [(Arc::from("k"), column)];
        let input = Input { rows, order: &[], columns: &columns, within: &within, weights: None };
        table.count(&input, &Slots::ONE);
        table.evict();
    }

    #[test]
    fn groups_of_other_keys_are_few() {
        // One of the others is the key with zeros before its number; the key without is one of the users.
        for (others, made) in [(MADE_MAX - 1, MADE_MAX), (MADE_MAX, MADE_MAX + 3)] {
            let mut table = KeyTable::new(&[Arc::from("k")], 100_000);
            count(&mut table, users(vec![7]));
            let mut built = ColumnBuilder::default();
            ["user8", "user007"].iter().for_each(|text| built.text(text));
            count(&mut table, built.finish());
            assert_eq!((table.groups().len(), table.unmade_groups), (1, 2));
            let mut built = ColumnBuilder::default();
            (0..others).for_each(|other| built.text(&format!("host{other}")));
            count(&mut table, built.finish());
            assert_eq!((table.groups().len(), table.rows()), (made, others as u64 + 3));
        }
    }

    #[test]
    fn keys_that_came_as_texts_join_their_numbers() {
        let mut table = KeyTable::new(&[Arc::from("k")], 100_000);
        let mut built = ColumnBuilder::default();
        let many = 2 * MADE_MAX as u16;
        (0..many).for_each(|user| built.text(&format!("user{user}")));
        count(&mut table, built.finish());
        assert_eq!((table.groups().len(), table.unmade_groups), (many.into(), 0));
        count(&mut table, users((0..many).collect()));
        assert_eq!((table.groups().len(), table.unmade_groups), (0, many.into()));
        assert_eq!(table.unmade().map(|unmade| unmade.places()[9]), Some(2));
    }

    #[test]
    fn groups_are_made_when_they_are_needed() {
        let mut table = KeyTable::new(&[Arc::from("k")], 2);
        count(&mut table, users(vec![7, 8, 7]));
        assert_eq!((table.unmade().map(|unmade| unmade.places()[7]), table.rows()), (Some(2), 3));
        assert!(table.groups().is_empty());
        let mut other = KeyTable::new(&[Arc::from("k")], 2);
        other.merge(&table, &[4]);
        assert_eq!(other.unmade().map(Direct::parent), Some(4));
        other.merge(&table, &[NO_SLOT]);
        assert_eq!(other.rows(), 6, "rows of slots that are gone count");
        assert_eq!(other.counts().iter().sum::<u64>(), 3);
        other.merge(&KeyTable::new(&[Arc::from("k")], 2), &[0]);
        // One group over capacity.
        count(&mut table, users(vec![9]));
        assert!(table.unmade().is_none());
        assert_eq!((table.groups().len(), table.rows()), (3, 4));
        let made: Vec<u32> = [7, 8, 9].map(|number| *table.direct.at(number).unwrap()).to_vec();
        assert_eq!(made, [0, 1, 2], "they are found by number still");
    }
}
