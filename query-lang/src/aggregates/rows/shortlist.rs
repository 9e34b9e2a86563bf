//! Which rows can still be among those kept, told from their places or from the fields they are sorted by: of the
//! others nothing else has to be read.

use std::sync::Arc;

use super::{Keys, RowStore, compare};
use crate::aggregates::spec::{RowOrder, SortField};
use crate::aggregates::{Source, TIMESTAMP};
use crate::record::{Column, OrderKey, RowsError, Selection};
use crate::value::SortKey;

/// A row that may be kept, by what it is ranked by.
struct Ranked {
    row: u32,
    keys: Keys,
    place: OrderKey,
}

impl RowStore {
    /// Which rows are kept hangs on their places, contents aside.
    pub(in crate::aggregates) fn is_by_place(&self) -> bool {
        self.source == Source::Events && !matches!(self.spec.order, RowOrder::By(_))
    }

    /// The fields that rank rows of events; `None` where their places do, or where rows are those of a table.
    pub(in crate::aggregates) fn ranked_by(&self) -> Option<Vec<Arc<str>>> {
        match &self.spec.order {
            RowOrder::By(fields) if self.source == Source::Events => {
                Some(fields.iter().map(|sort| Arc::clone(&sort.field)).collect())
            }
            _ => None,
        }
    }

    /// Which of the rows at `places` can still be among those kept, as numbers into `places`, ascending; `None`: their
    /// places do not tell. Rows that tie with the last are among them: contents decide.
    pub(in crate::aggregates) fn shortlist(&self, places: &[OrderKey]) -> Option<Vec<u32>> {
        if !self.is_by_place() {
            return None;
        }
        let newest = self.spec.order != RowOrder::Oldest;
        let kept = self.slots.first().map(|slot| slot.rows.as_slice()).unwrap_or_default();
        let limit = self.spec.limit.max(1);
        let last = (kept.len() + places.len() > limit).then(|| {
            let mut all: Vec<OrderKey> =
                kept.iter().map(|row| row.place).chain(places.iter().copied()).collect();
            let at = if newest { all.len() - limit } else { limit - 1 };
            *all.select_nth_unstable(at).1
        });
        let may = |place: OrderKey| match last {
            None => true,
            Some(last) if newest => place >= last,
            Some(last) => place <= last,
        };
        Some((0..).zip(places).filter(|(_, place)| may(**place)).map(|(row, _)| row).collect())
    }

    /// Which rows of `within` can still be among those kept, ascending, and their places; told from the columns
    /// [`RowStore::ranked_by`] names, and from the places of those rows alone that these leave. Rows that tie with the
    /// last are among them.
    pub(in crate::aggregates) fn leaders(
        &self,
        columns: &[Column],
        within: &Selection,
        places: impl FnOnce(&[u32]) -> Result<Vec<OrderKey>, RowsError>,
    ) -> Result<(Vec<u32>, Vec<OrderKey>), RowsError> {
        let RowOrder::By(fields) = &self.spec.order else { return Ok(Default::default()) };
        let left = self.ahead_of_bound(fields, columns, within);
        let mut scratch = String::new();
        let mut ranked: Vec<Ranked> = Vec::with_capacity(left.count());
        for row in left.iter() {
            let key = |(field, column): (&SortField, &Column)| {
                field.kind.key(column.get(row), &mut scratch).to_owned()
            };
            let keys = fields.iter().zip(columns).map(key).collect();
            ranked.extend(u32::try_from(row).map(|row| Ranked { row, keys, place: OrderKey::default() }));
        }
        // Without places, rows tie that have the same keys up to the time, within which places decide.
        let decisive =
            fields.iter().position(|sort| *sort.field == *TIMESTAMP).map_or(fields.len(), |at| at + 1);
        self.cut_ranked(&mut ranked, decisive);
        let rows: Vec<u32> = ranked.iter().map(|ranked| ranked.row).collect();
        for (ranked, place) in ranked.iter_mut().zip(places(&rows)?) {
            ranked.place = place;
        }
        self.cut_ranked(&mut ranked, fields.len());
        Ok(ranked.into_iter().map(|ranked| (ranked.row, ranked.place)).unzip())
    }

    /// The rows of `within` that by their first key alone do not rank behind the bound.
    fn ahead_of_bound(&self, fields: &[SortField], columns: &[Column], within: &Selection) -> Selection {
        let bound = self.slots.first().and_then(|slot| slot.bound.as_ref());
        let key = bound.and_then(|(keys, _)| keys.first());
        let (Some(key), Some(field), Some(column)) = (key, fields.first(), columns.first()) else {
            return within.clone();
        };
        if *key == SortKey::Missing {
            // Nothing ranks behind what is not there.
            return within.clone();
        }
        let mut scratch = String::new();
        column.filter(within, |value| {
            field.kind.key(Some(value), &mut scratch).compare(key, field.descending).is_le()
        })
    }

    /// Leaves those that rank among the first by their places and so many keys, and those that tie with the last of
    /// them, in the order they were in.
    fn cut_ranked(&self, ranked: &mut Vec<Ranked>, keys: usize) {
        let limit = self.spec.limit.max(1);
        if ranked.len() <= limit {
            return;
        }
        let rank = |a: &Ranked, b: &Ranked| {
            compare(
                &self.spec.order,
                (a.keys.iter().take(keys), a.place),
                (b.keys.iter().take(keys), b.place),
            )
        };
        let (_, last, _) = ranked.select_nth_unstable_by(limit - 1, rank);
        let last = Ranked { row: last.row, keys: last.keys.clone(), place: last.place };
        ranked.retain(|ranked| rank(ranked, &last).is_le());
        ranked.sort_unstable_by_key(|ranked| ranked.row);
    }
}
