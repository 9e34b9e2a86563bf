//! Rows into groups: how a table of keys learns the rows of a batch.
//!
//! Columns that are dictionary-coded or constant are grouped by code: rows are counted by combination of codes, and
//! the keys of combinations are looked up once a batch each, by the number in them where they differ in nothing else,
//! by hash and text where not. Other columns are hashed row by row. Neither allocates for a row.

use std::cell::OnceCell;

use hashbrown::HashMap;

use super::Input;
use super::keys::{KeyTable, LOOKED_UP};
use super::packed::{Coded, Packed};
use super::read::hash_text;
use super::slots::{NO_SLOT, Slots};
use crate::record::{Column, Dictionary, Selection};

/// With fewer rows for a code than so many it is not worth finding its group before they are learnt from.
const KNOWN_ROWS: usize = 16;

impl KeyTable {
    /// Counts the rows of `input` into their groups, and says the group of each row in `groups`.
    pub(super) fn step(&mut self, input: &Input<'_>, slots: &Slots<'_>, groups: &mut Vec<u32>) {
        groups.clear();
        groups.resize(input.rows, NO_SLOT);
        self.learn(input, slots, Some(groups));
    }

    /// Counts the rows of `input` into their groups.
    pub(super) fn count(&mut self, input: &Input<'_>, slots: &Slots<'_>) {
        self.learn(input, slots, None);
    }

    /// Counts the rows of `input` into their groups, where their keys have few combinations of codes, and has `learn`
    /// learn by combination what else there is to learn. It is given the combinations as slots, and what tells the
    /// group of each as far as it is found already; it may say how many rows each has. Hands out what was learnt, and rows and group
    /// of each combination; `None`, and nothing done, where that does not serve.
    pub(super) fn step_by_code<T>(
        &mut self,
        input: &Input<'_>,
        slots: &Slots<'_>,
        learn: impl for<'k> FnOnce(&Slots<'_>, &dyn Fn() -> &'k [u32]) -> Option<(T, Option<Vec<u32>>)>,
    ) -> Option<(T, Vec<u32>, Vec<u32>)> {
        if input.weights.is_some() {
            return None;
        }
        let columns: Vec<Column> = self.names.iter().map(|name| input.column(name)).collect();
        let coded: Vec<Coded<'_>> = columns.iter().map(Coded::new).collect::<Option<_>>()?;
        let packed = Packed::of(&coded, slots, input)?;
        self.make_groups();
        let known = OnceCell::new();
        let find_known = || match (coded.as_slice(), slots.single()) {
            ([only], Some(parent)) if packed.combinations * KNOWN_ROWS <= input.rows => {
                self.known(parent, only)
            }
            _ => Vec::new(),
        };
        let (learnt, rows) = learn(&Slots::each(&packed.codes, packed.combinations), &|| {
            known.get_or_init(find_known).as_slice()
        })?;
        let rows = rows.unwrap_or_else(|| packed.count());
        let mut groups = rows.clone();
        self.look_up(&coded, slots, &mut groups, known.get().map_or(&[], Vec::as_slice));
        Some((learnt, rows, groups))
    }

    /// The group of each code of a column, [`NO_SLOT`] where there is none yet.
    fn known(&self, parent: u32, column: &Coded<'_>) -> Vec<u32> {
        let group = |code: u32| {
            let group = self.likely(parent, column.hash(code));
            let is_it = self.only_text(group as usize) == column.get(code);
            if is_it { group } else { NO_SLOT }
        };
        (0..column.size()).map(group).collect()
    }

    fn learn(&mut self, input: &Input<'_>, slots: &Slots<'_>, groups: Option<&mut [u32]>) {
        let columns: Vec<Column> = self.names.iter().map(|name| input.column(name).written()).collect();
        if columns.iter().any(|column| matches!(column, Column::Missing { .. })) {
            return;
        }
        let coded: Option<Vec<Coded<'_>>> = columns.iter().map(Coded::new).collect();
        match (&coded, &groups) {
            (Some(coded), None) if self.count_by_number(coded, input, slots) => return,
            (_, None) => {}
            // Rows are to be told their groups.
            (_, Some(_)) => self.make_groups(),
        }
        if let (Some(coded), None) = (&coded, input.weights)
            && let Some(packed) = Packed::of(coded, slots, input)
        {
            return self.learn_packed(&packed, coded, slots, groups);
        }
        let mut within = input.within.clone();
        for column in &columns {
            within = column.present(&within);
        }
        if slots.single().is_none() {
            within.retain(|row| slots.of(row) != NO_SLOT);
        }
        let mut count = Counting { input, groups };
        match coded {
            Some(coded) if input.weights.is_none() => self.learn_coded(&coded, &within, slots, &mut count),
            _ => self.learn_hashed(&columns, &within, slots, &mut count),
        }
    }

    /// Few combinations of codes: they are counted first, and looked up after that, each once.
    fn learn_packed(
        &mut self,
        packed: &Packed<'_>,
        columns: &[Coded<'_>],
        slots: &Slots<'_>,
        groups: Option<&mut [u32]>,
    ) {
        let mut found = packed.count();
        self.look_up(columns, slots, &mut found, &[]);
        let Some(groups) = groups else { return };
        for run in packed.within.runs() {
            let (Some(codes), Some(groups)) = (packed.codes.get(run.clone()), groups.get_mut(run)) else {
                continue;
            };
            for (group, code) in groups.iter_mut().zip(codes) {
                *group = found.get(*code as usize).copied().unwrap_or(NO_SLOT);
            }
        }
    }

    /// Counts the rows that `found` has for each combination, and puts the group of the combination there instead. `known`
    /// says which are found already, as [`KeyTable::known`] does, or nothing.
    fn look_up(&mut self, columns: &[Coded<'_>], slots: &Slots<'_>, found: &mut [u32], known: &[u32]) {
        let direct = match (columns, slots.single()) {
            ([Coded::Dictionary(_, dictionary)], Some(parent)) => {
                self.look_up_numbers(parent, dictionary, found)
            }
            _ => false,
        };
        match (columns, slots.single(), known) {
            _ if direct => {}
            ([only], Some(parent), [_, ..]) => self.look_up_unknown(parent, only, known, found),
            _ => self.look_up_texts(columns, slots, found),
        }
    }

    /// The same, of the codes of one column, by text where their group is not known.
    fn look_up_unknown(&mut self, parent: u32, column: &Coded<'_>, known: &[u32], found: &mut [u32]) {
        for ((number, known), code) in found.iter_mut().zip(known).zip(0_u32..) {
            let rows = u64::from(std::mem::replace(number, NO_SLOT));
            if rows == 0 {
                continue;
            }
            *number = match (*known, column.get(code)) {
                (NO_SLOT, Some(text)) => self.find(parent, column.hash(code), &[text]),
                (NO_SLOT, None) => continue,
                (group, _) => group,
            };
            self.rows += rows;
            self.add_rows(*number, rows);
        }
    }

    /// Counts the rows that `found` has for each code of `dictionary`, and puts the group of the code there instead,
    /// by the numbers in the texts; false, and nothing done, where that does not serve.
    fn look_up_numbers(&mut self, parent: u32, dictionary: &Dictionary, found: &mut [u32]) -> bool {
        let Some(numbered) = dictionary.numbered() else { return false };
        if !self.direct.admit(parent, numbered, NO_SLOT) {
            return false;
        }
        if self.groups().is_empty() {
            self.reserve(found.iter().filter(|rows| **rows > 0).count());
        }
        // Other groups are not learnt meanwhile, so it can be away.
        let mut direct = std::mem::take(&mut self.direct);
        for ((slot, number), code) in found.iter_mut().zip(numbered.numbers()).zip(0_u32..) {
            let rows = u64::from(std::mem::replace(slot, NO_SLOT));
            let (1.., Some(group)) = (rows, direct.at(*number)) else { continue };
            if *group == NO_SLOT {
                let text = dictionary.text(code).unwrap_or_default();
                *group = self.find(parent, hash_text(text), &[text]);
            }
            self.rows += rows;
            *slot = *group;
            self.add_rows(*group, rows);
        }
        self.direct = direct;
        true
    }

    /// The same, by the texts themselves.
    fn look_up_texts(&mut self, columns: &[Coded<'_>], slots: &Slots<'_>, found: &mut [u32]) {
        let mut texts: Vec<&str> = Vec::with_capacity(columns.len());
        let mut likely = [NO_SLOT; LOOKED_UP];
        for (first, numbers) in (0_u32..).step_by(LOOKED_UP).zip(found.chunks_mut(LOOKED_UP)) {
            if let [only] = columns {
                for ((likely, rows), combination) in likely.iter_mut().zip(&*numbers).zip(first..) {
                    let parent = slots.single().unwrap_or(combination / only.size());
                    let hash = only.hash(combination % only.size());
                    *likely = if *rows == 0 { NO_SLOT } else { self.likely(parent, hash) };
                }
            }
            for ((number, likely), combination) in numbers.iter_mut().zip(likely).zip(first..) {
                let rows = u64::from(*number);
                *number = NO_SLOT;
                if rows == 0 {
                    continue;
                }
                texts.clear();
                let mut rest = combination;
                for column in columns.iter().rev() {
                    texts.extend(column.get(rest % column.size()));
                    rest /= column.size();
                }
                if texts.len() < columns.len() {
                    // A code may stand for a gap, as those do that a function left.
                    continue;
                }
                self.rows += rows;
                texts.reverse();
                let parent = slots.single().unwrap_or(rest);
                *number = match (columns, texts.as_slice()) {
                    ([_], [text]) if self.only_text(likely as usize) == Some(*text) => likely,
                    ([only], _) => self.find(parent, only.hash(combination % only.size()), &texts),
                    _ => self.find(parent, hash_key(&texts), &texts),
                };
                self.add_rows(*number, rows);
            }
        }
    }

    /// Many combinations of codes: each is looked up once it is met.
    fn learn_coded(
        &mut self,
        columns: &[Coded<'_>],
        within: &Selection,
        slots: &Slots<'_>,
        count: &mut Counting<'_, '_>,
    ) {
        let mut known: HashMap<u64, u32, foldhash::fast::FixedState> = HashMap::default();
        let mut texts: Vec<&str> = Vec::with_capacity(columns.len());
        let sizes = columns.iter().map(|column| u64::from(column.size()));
        // For more combinations than there are 64-bit numbers none is remembered.
        let fits = sizes.clone().try_fold(slots.count as u64, u64::checked_mul).is_some();
        for row in within.iter() {
            let parent = slots.of(row);
            let packed =
                columns.iter().zip(sizes.clone()).fold(u64::from(parent), |packed, (column, size)| {
                    packed.wrapping_mul(size).wrapping_add(u64::from(column.code(row)))
                });
            let group = match known.get(&packed) {
                Some(group) if fits => *group,
                _ => {
                    texts.clear();
                    texts.extend(columns.iter().map(|column| column.text(column.code(row))));
                    let found = self.find(parent, hash_key(&texts), &texts);
                    if fits {
                        known.insert(packed, found);
                    }
                    found
                }
            };
            self.add(row, group, count);
        }
    }

    fn learn_hashed(
        &mut self,
        columns: &[Column],
        within: &Selection,
        slots: &Slots<'_>,
        count: &mut Counting<'_, '_>,
    ) {
        let mut scratch: Vec<String> = vec![String::new(); columns.len()];
        if let [Column::Text(column)] = columns {
            let arena = column.arena.as_str();
            for row in within.iter() {
                if let Some(text) = column.spans.get(row).and_then(|span| span.of(arena)) {
                    let group = self.find(slots.of(row), hash_text(text), &[text]);
                    self.add(row, group, count);
                }
            }
            return;
        }
        for row in within.iter() {
            for (column, scratch) in columns.iter().zip(&mut scratch) {
                scratch.clear();
                if let Some(value) = column.get(row) {
                    value.write_text(scratch);
                }
            }
            let group = self.find(slots.of(row), hash_key(&scratch), &scratch);
            self.add(row, group, count);
        }
    }

    #[inline]
    fn add(&mut self, row: usize, group: u32, count: &mut Counting<'_, '_>) {
        let rows = count.input.weight(row);
        self.rows += rows;
        if let Some(slot) = count.groups.as_mut().and_then(|groups| groups.get_mut(row)) {
            *slot = group;
        }
        self.add_rows(group, rows);
    }
}

/// Rows being counted, and where their groups are to be told.
struct Counting<'i, 'g> {
    input: &'i Input<'i>,
    groups: Option<&'g mut [u32]>,
}

/// The hash of a key, the same on every machine.
pub(super) fn hash_key(texts: &[impl AsRef<str>]) -> u64 {
    match texts {
        [only] => hash_text(only.as_ref()),
        _ => texts.iter().fold(0, |hash: u64, text| {
            (hash.rotate_left(23) ^ hash_text(text.as_ref())).wrapping_mul(0x9e37_79b9_7f4a_7c15)
        }),
    }
}
