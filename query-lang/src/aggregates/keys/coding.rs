//! Group keys as bytes.
//!
//! ```text
//! varint (rows << 1 | were groups turned away), then 8 bytes: the greatest hash of those that were not
//! varint a slot: how many groups it has
//! a group, in the order of slots and texts: each text by what it adds to the same text of the group before, and
//!          varint its rows
//! varint a slot, where groups of the others are asked for: 0 without one, else its rows + 1
//! ```
//!
//! Groups beyond capacity are left out, as the result leaves them out, and so are hashes: they are those of the texts.
//! Whether groups were made or counted by number is not told; those that are read are made.

use super::KeyTable;
use crate::aggregates::coding::ranks;
use crate::aggregates::learn::hash_key;
use crate::aggregates::slots::NO_SLOT;
use crate::coding::{DecodeError, Reader, checked_rows, read_text, write_count, write_text, write_varint};

/// A group to be written: the rank of its slot, how its key goes on behind what all have in common, its number.
type Ranked = (u32, u64, u32);

impl KeyTable {
    /// Appends the groups in `slots`: the numbers of those written, in that order. All groups are made.
    pub(in crate::aggregates) fn write(&self, slots: &[u32], out: &mut Vec<u8>) -> Vec<u32> {
        let (sorted, threshold) = self.ranked(slots);
        write_varint(self.rows << 1 | u64::from(threshold != u64::MAX), out);
        if threshold != u64::MAX {
            out.extend_from_slice(&threshold.to_le_bytes());
        }
        let mut left = sorted.as_slice();
        for rank in 0..slots.len() {
            let here = left.partition_point(|group| group.0 as usize <= rank);
            write_count(here, out);
            left = left.get(here..).unwrap_or_default();
        }
        let mut before = vec![""; self.names.len()];
        for (_, _, group) in &sorted {
            for (before, text) in before.iter_mut().zip(self.texts(*group as usize)) {
                write_text(before, text, out);
                *before = text;
            }
            write_varint(self.counts.get(*group as usize).copied().unwrap_or(0), out);
        }
        let mut written: Vec<u32> = sorted.into_iter().map(|(_, _, group)| group).collect();
        self.write_others(slots, out, &mut written);
        written
    }

    fn write_others(&self, slots: &[u32], out: &mut Vec<u8>, written: &mut Vec<u32>) {
        if !self.has_others {
            return;
        }
        let ranks = ranks(slots);
        let mut others = vec![NO_SLOT; slots.len()];
        for group in self.others() {
            let parent = self.groups.get(group as usize).map_or(NO_SLOT, |group| group.parent);
            let rank = ranks.get(parent as usize).copied().unwrap_or(NO_SLOT);
            if let Some(place) = others.get_mut(rank as usize) {
                *place = group;
            }
        }
        for group in others {
            let rows = self.counts.get(group as usize).map_or(0, |rows| rows + 1);
            write_varint(rows, out);
            written.extend((rows > 0).then_some(group));
        }
    }

    /// The groups in `slots` that count, in the order they are written in, and the hash beyond which none do.
    fn ranked(&self, slots: &[u32]) -> (Vec<Ranked>, u64) {
        let ranks = ranks(slots);
        let (kept, threshold) = match self.kept() {
            Some((kept, threshold)) => (kept, threshold),
            None => (crate::aggregates::counts::all_slots(self.groups.len()), self.threshold),
        };
        // Keys often begin alike: what decides between most of them comes behind that.
        let alike = self.alike(&kept);
        let ranked = |group: u32| {
            let parent = self.groups.get(group as usize)?.parent;
            let rank = ranks.get(parent as usize).copied().filter(|rank| *rank != NO_SLOT)?;
            let mut first = [0; 8];
            let text = self.texts(group as usize).next().unwrap_or_default();
            first.iter_mut().zip(text.bytes().skip(alike)).for_each(|(into, byte)| *into = byte);
            Some((rank, u64::from_be_bytes(first), group))
        };
        let of_keys = kept.into_iter().filter(|group| !self.is_of_others(*group));
        let mut sorted: Vec<Ranked> = of_keys.filter_map(ranked).collect();
        sorted.sort_unstable_by(|a, b| {
            let by_text = || self.texts(a.2 as usize).cmp(self.texts(b.2 as usize));
            (a.0, a.1).cmp(&(b.0, b.1)).then_with(by_text)
        });
        (sorted, threshold)
    }

    /// How many bytes the first texts of these groups have in common at their beginning.
    fn alike(&self, groups: &[u32]) -> usize {
        let mut texts = groups.iter().filter_map(|group| self.texts(*group as usize).next());
        let Some(first) = texts.next() else { return 0 };
        texts.fold(first.len(), |alike, text| {
            first.bytes().zip(text.bytes()).take(alike).take_while(|(a, b)| a == b).count()
        })
    }

    /// Reads the groups of `count` slots, numbered in the order they were written in; there are none yet.
    pub(in crate::aggregates) fn read(
        &mut self,
        count: usize,
        from: &mut Reader<'_>,
    ) -> Result<(), DecodeError> {
        let head = from.varint()?;
        self.rows = checked_rows(head >> 1)?;
        if head & 1 == 1 {
            self.threshold = u64::from_le_bytes(from.array()?);
        }
        let arity = self.names.len();
        let mut sizes = Vec::with_capacity(from.fits(count as u64, 1)?);
        let mut all = 0_u64;
        for _ in 0..count {
            let size = from.count(arity + 1)?;
            all = all.saturating_add(size as u64);
            sizes.push(size);
        }
        let all = from.fits(all, arity + 1)?;
        self.reserve(all);
        self.ends.reserve(all * arity);
        let mut texts = vec![String::new(); arity];
        let mut counted = 0_u64;
        for (parent, size) in (0_u32..).zip(sizes) {
            for _ in 0..size {
                texts.iter_mut().try_for_each(|text| read_text(text, from))?;
                let rows = from.rows()?;
                counted = counted.saturating_add(rows);
                self.read_group(parent, &texts, rows)?;
            }
        }
        for parent in (0_u32..).take(if self.has_others { count } else { 0 }) {
            if let Some(rows) = from.varint()?.checked_sub(1) {
                counted = counted.saturating_add(checked_rows(rows)?);
                let group = self.others_of(parent);
                self.add_rows(group, rows);
            }
        }
        if counted > self.rows {
            return Err(DecodeError::Damaged("groups have more rows than there are"));
        }
        Ok(())
    }

    fn read_group(&mut self, parent: u32, texts: &[String], rows: u64) -> Result<(), DecodeError> {
        let expected = self.groups.len();
        let group = self.find(parent, hash_key(texts), texts);
        if group as usize != expected {
            return Err(DecodeError::Damaged("a group is there twice, or was turned away"));
        }
        self.add_rows(group, rows);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;

    const CAPACITY: usize = 5;

    fn table() -> KeyTable {
        KeyTable::new(&[Arc::from("a"), Arc::from("b")], CAPACITY)
    }

    fn learn(table: &mut KeyTable, keys: &[(u32, u8, u8)]) {
        for (parent, a, b) in keys {
            let texts = [format!("a-{a}"), format!("b{b}")];
            let group = table.find(*parent, hash_key(&texts), &texts);
            table.rows += 1;
            table.add_rows(group, 1);
            table.evict();
        }
    }

    fn bytes(table: &KeyTable, slots: &[u32]) -> Vec<u8> {
        let mut bytes = Vec::new();
        table.write(slots, &mut bytes);
        bytes
    }

    fn read(count: usize, bytes: &[u8]) -> Result<KeyTable, DecodeError> {
        let (mut table, mut from) = (table(), Reader::new(bytes));
        table.read(count, &mut from)?;
        from.finish()?;
        Ok(table)
    }

    proptest! {
        #[test]
        fn groups_turned_away_stay_away(
            mut keys in prop::collection::vec((0_u32..2, 0_u8..6, 0_u8..6), 0..40),
            more in prop::collection::vec((0_u32..2, 0_u8..6, 0_u8..6), 0..10),
        ) {
            let mut whole = table();
            learn(&mut whole, &keys);
            let written = bytes(&whole, &[0, 1]);
            let mut back = read(2, &written).unwrap();
            // A key has one hash in all slots: as many as tie with the last that fits stay.
            prop_assert!(back.groups().len() <= CAPACITY + 1);
            prop_assert_eq!(bytes(&back, &[0, 1]), written.clone());
            keys.reverse();
            let mut turned = table();
            learn(&mut turned, &keys);
            prop_assert_eq!(bytes(&turned, &[0, 1]), written);
            learn(&mut whole, &more);
            learn(&mut back, &more);
            prop_assert_eq!(bytes(&back, &[0, 1]), bytes(&whole, &[0, 1]));
        }
    }

    #[test]
    fn slots_are_renumbered_and_others_left_out() {
        let mut whole = table();
        learn(&mut whole, &[(7, 1, 1), (3, 2, 2), (3, 1, 1), (5, 4, 4)]);
        let back = read(3, &bytes(&whole, &[3, 9, 7])).unwrap();
        let found: Vec<(u32, String)> = (0..back.groups().len())
            .map(|group| (back.groups()[group].parent, back.texts(group).collect()))
            .collect();
        assert_eq!(found, [(0, "a-1b1".to_owned()), (0, "a-2b2".to_owned()), (2, "a-1b1".to_owned())]);
        assert_eq!(back.rows(), 4, "rows of slots that are gone count");
    }

    #[test]
    fn what_no_table_writes_is_refused() {
        let mut one = table();
        learn(&mut one, &[(0, 1, 1)]);
        let good = bytes(&one, &[0]);
        assert!(read(1, &good).is_ok());
        // Once more the same group: nothing new of either text, one row.
        let mut twice = good.clone();
        (twice[0], twice[1]) = (2 << 1, 2);
        twice.extend_from_slice(&[3, 2, 1]);
        assert_eq!(
            read(1, &twice).err(),
            Some(DecodeError::Damaged("a group is there twice, or was turned away"))
        );
        let mut fewer = good.clone();
        fewer[0] = 0;
        assert_eq!(read(1, &fewer).err(), Some(DecodeError::Damaged("groups have more rows than there are")));
        let mut away = vec![good[0] | 1];
        away.extend_from_slice(&[0; 8]);
        away.extend_from_slice(&good[1..]);
        assert_eq!(
            read(1, &away).err(),
            Some(DecodeError::Damaged("a group is there twice, or was turned away"))
        );
    }
}
