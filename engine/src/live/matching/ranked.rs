//! Queries that ask for one term and for a number beyond a bound, as alerts do: `service=cart duration_ms > 800`.
//!
//! Many of them share the term and differ in the bound. The rows of the term are sorted by their numbers once; those
//! beyond a bound are then the first so many, and bounds that no row is beyond cost nothing.

use super::access::{Clause, Term};
use super::found::{Found, TermId};

/// A bound on one field, from one side.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Beyond {
    /// It is met from here on upwards; of a bound from above both it and the numbers are negated.
    least: f64,
    is_negated: bool,
}

impl Beyond {
    /// What `clause` asks of a field, and of which, if it is one bound from one side.
    pub(super) fn of(clause: &Clause) -> Option<(&str, Beyond)> {
        let [Term::Range { field, least, greatest }] = clause.as_slice() else { return None };
        let beyond = match (least.number(), greatest.number()) {
            (least, f64::INFINITY) => Beyond { least, is_negated: false },
            (f64::NEG_INFINITY, greatest) => Beyond { least: -greatest, is_negated: true },
            _ => return None,
        };
        Some((field, beyond))
    }
}

/// The groups that are found by one term and a bound on one field.
#[derive(Debug)]
pub(super) struct Ranking {
    pub(super) term: TermId,
    field: usize,
    is_negated: bool,
    /// By the least number, ascending.
    groups: Vec<(f64, u32)>,
}

impl Ranking {
    /// Adds `group` to the ranking of its kind among `rankings`.
    pub(super) fn add(
        rankings: &mut Vec<Ranking>,
        term: TermId,
        (field, beyond): (usize, Beyond),
        group: u32,
    ) {
        let Beyond { least, is_negated } = beyond;
        let is_its =
            |own: &&mut Ranking| own.term == term && own.field == field && own.is_negated == is_negated;
        match rankings.iter_mut().find(is_its) {
            Some(own) => own.groups.push((least, group)),
            None => rankings.push(Ranking { term, field, is_negated, groups: vec![(least, group)] }),
        }
    }

    /// To be called when all are added.
    pub(super) fn sort(&mut self) {
        self.groups.sort_by(|one, other| one.0.total_cmp(&other.0));
    }

    /// Calls `each` with the groups that rows have been found for, and these, ascending.
    pub(super) fn find(&self, found: &Found, mut each: impl FnMut(u32, Vec<u32>)) {
        let Some((lowest, _)) = self.groups.first() else { return };
        let numbers = found.numbers(self.field);
        let number = |row: &u32| {
            let number = numbers.get(*row as usize).copied().unwrap_or(f64::NAN);
            (if self.is_negated { -number } else { number }, *row)
        };
        let rows = found.rows(self.term).iter().map(number);
        let mut rows: Vec<(f64, u32)> = rows.filter(|(number, _)| lowest <= number).collect();
        rows.sort_unstable_by(|one, other| other.0.total_cmp(&one.0));
        for (least, group) in &self.groups {
            rows.truncate(rows.partition_point(|(number, _)| least <= number));
            if rows.is_empty() {
                return;
            }
            let mut beyond: Vec<u32> = rows.iter().map(|(_, row)| *row).collect();
            beyond.sort_unstable();
            each(*group, beyond);
        }
    }
}
