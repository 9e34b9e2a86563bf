//! Which rows of a block a test passes, by its automaton on what is stored; see [`Walk`].

use std::borrow::Cow;

use weir_query::compile::{Automaton, TextMatcher};
use weir_query::record::{Column, Selection};
use weir_query::value::ValueRef;

use super::ask::Ask;
use super::escapes::Wanted;
use super::leaf::Cells;
use super::literal::Plan;
use super::marks::marks;
use super::needle::Needle;
use super::node::{Kind, Node, Ranks, Skeletons, holders};
use super::part::{Part, TextKind};
use super::read::Block;
use super::search::needle_of;
use super::walk::Walk;
use super::wire::Corrupt;
use crate::event::META_FIELDS;

/// Rows that pass, and rows of which a walk cannot tell.
struct Decided {
    found: Selection,
    open: Selection,
}

impl Block {
    /// The rows of `within` that have field `name` and whose value passes; `None` when the values must be looked at.
    pub(super) fn matching_of(
        &self,
        name: &str,
        matcher: &TextMatcher,
        within: &Selection,
    ) -> Result<Option<Selection>, Corrupt> {
        let is_field = !name.starts_with('#') && !META_FIELDS.contains(&name);
        if is_field && !self.is_coded(name) {
            let Some(automaton) = matcher.automaton() else { return Ok(None) };
            let (mut found, open) = self.matching_field(name, matcher, automaton, within)?;
            if !open.is_empty() {
                let rows = self.around(&open);
                let column = self.field_column(name, &open, &rows)?;
                let mut buffer = String::new();
                let passes = |value: ValueRef<'_>| matcher.is_match_value(value, &mut buffer);
                let passed = column.filter(&open.cut(rows.clone()), passes);
                found.union(&passed.among(rows.start, self.rows()));
            }
            return Ok(Some(found));
        }
        if name == "@rawstring" {
            let Some(automaton) = matcher.automaton() else { return Ok(None) };
            let may = self.may_match(needle_of(matcher).as_ref(), within)?;
            return self.matching_raw(matcher, automaton, may.as_ref().unwrap_or(within)).map(Some);
        }
        if META_FIELDS.contains(&name) {
            return Ok(None);
        }
        let may = self.tag_may_match(name, matcher, within)?;
        let within = may.as_ref().unwrap_or(within);
        let rows = self.around(within);
        Ok(match self.column_of(name, within, &rows)? {
            column @ (Column::Dictionary { .. } | Column::Missing { .. }) => {
                let mut scratch = String::new();
                let passes = |value: ValueRef<'_>| matcher.is_match_value(value, &mut scratch);
                let passed = column.filter(&within.cut(rows.clone()), passes);
                Some(passed.among(rows.start, self.rows()))
            }
            _ => None,
        })
    }

    /// All values of field `name` are kept as codes.
    fn is_coded(&self, name: &str) -> bool {
        self.attributes.iter().chain([&self.raw]).all(|part| {
            let columns = part.columns_of(name).unwrap_or_default();
            let nodes = part.skeletons().map_or(&[][..], |skeletons| &skeletons.columns);
            let mut used = columns.iter().flatten().filter_map(|column| nodes.get(*column as usize));
            used.all(|node| matches!(node.kind, Kind::Constant(_) | Kind::Dictionary { .. }))
        })
    }

    /// The rows of `within` whose raw text passes.
    pub(super) fn matching_raw(
        &self,
        matcher: &TextMatcher,
        automaton: &Automaton,
        within: &Selection,
    ) -> Result<Selection, Corrupt> {
        // What is no text is tested as the text it is shown as.
        let opaque = self.raw.kinds.iter().map(|kind| *kind == TextKind::Bytes).collect();
        let mut decided = Decided { found: Selection::none(self.rows()), open: Selection::none(self.rows()) };
        decided.take_rows(&mut Walk::new(self, automaton), &self.raw.node, opaque, within)?;
        if !decided.open.is_empty() {
            decided.found.union(&self.search_texts(matcher, &decided.open)?);
        }
        Ok(decided.found)
    }

    /// Adds the rows of `within` one of whose values passes though the raw text need not: values with escapes, values
    /// under a test for the ends of a text, and all values of attributes (`every`).
    pub(super) fn matching_values(
        &self,
        part: &Part,
        matcher: &TextMatcher,
        automaton: &Automaton,
        (within, every): (&Selection, bool),
        found: &mut Selection,
    ) -> Result<(), Corrupt> {
        let wanted = |escaped: bool| every || escaped || automaton.is_anchored();
        if !part.escaped.iter().any(|escaped| wanted(*escaped)) {
            return Ok(());
        }
        let skeletons = part.skeletons()?;
        let ranks = skeletons.ranks(self.body())?;
        let open = Selection::none(self.rows());
        let mut decided = Decided { found: std::mem::replace(found, open.clone()), open };
        let mut plain = Walk::new(self, automaton);
        let mut escapes = matcher.escaped_automaton().map(|automaton| Walk::new(self, automaton));
        for (index, node) in skeletons.columns.iter().enumerate() {
            let escaped = part.escaped.get(index) == Some(&true);
            // Whole texts are no values.
            let is_value = part.places.get(index).is_some_and(|place| place.repeat < u32::MAX - 1);
            if !is_value || !wanted(escaped) {
                continue;
            }
            let holds = holders(&skeletons.skeletons, index as u32);
            let mut rows = within.clone();
            rows.subtract(&decided.found);
            rows.subtract(&decided.open);
            let cells = cells(skeletons, &ranks, index as u32, node, &holds, &rows);
            match if escaped { escapes.as_mut() } else { Some(&mut plain) } {
                Some(walk) => decided.take_cells(walk, node, &cells)?,
                None => cells.rows.iter().for_each(|row| decided.open.insert(*row as usize)),
            }
        }
        *found = decided.found;
        if !decided.open.is_empty() {
            let (within, plain) = (&decided.open, &decided.open);
            let wanted = Wanted { matcher, needle: None, within, plain, apart: every };
            self.search_values(part, &wanted, found)?;
        }
        Ok(())
    }

    /// The rows of `within` that have field `name` and whose value passes, and those of which that is open.
    fn matching_field(
        &self,
        name: &str,
        matcher: &TextMatcher,
        automaton: &Automaton,
        within: &Selection,
    ) -> Result<(Selection, Selection), Corrupt> {
        let none = Selection::none(self.rows());
        let mut decided = Decided { found: none.clone(), open: none };
        let mut left = within.clone();
        for part in self.attributes.iter().chain([&self.raw]) {
            let Some(columns) = part.columns_of(name) else { continue };
            let skeletons = part.skeletons()?;
            let ranks = skeletons.ranks(self.body())?;
            let mut used: Vec<u32> = columns.iter().flatten().copied().collect();
            used.sort_unstable();
            used.dedup();
            let mut plain = Walk::new(self, automaton);
            let mut escapes = matcher.escaped_automaton().map(|automaton| Walk::new(self, automaton));
            for index in used {
                let node = skeletons.columns.get(index as usize).ok_or(Corrupt("unknown column"))?;
                let holds: Vec<bool> = columns.iter().map(|own| *own == Some(index)).collect();
                let escaped = part.escaped.get(index as usize) == Some(&true);
                let may = if escaped { None } else { self.may_hold(node, matcher, &left)? };
                let cells = cells(skeletons, &ranks, index, node, &holds, may.as_ref().unwrap_or(&left));
                match if escaped { escapes.as_mut() } else { Some(&mut plain) } {
                    Some(walk) => decided.take_cells(walk, node, &cells)?,
                    None => cells.rows.iter().for_each(|row| decided.open.insert(*row as usize)),
                }
            }
            let has = |code: &u32| columns.get(*code as usize).is_some_and(Option::is_some);
            left.retain(|row| !ranks.codes.get(row).is_some_and(has));
        }
        Ok((decided.found, decided.open))
    }

    /// Those of `rows` whose value in `node` may match, by the literal that it must be or contain; `None` when nothing is
    /// known, or not every row has a value in it.
    fn may_hold(
        &self,
        node: &Node,
        matcher: &TextMatcher,
        rows: &Selection,
    ) -> Result<Option<Selection>, Corrupt> {
        if node.count != self.rows() {
            return Ok(None);
        }
        let equals = matcher.as_equals();
        let needle = equals.map_or_else(|| needle_of(matcher), |literal| Needle::exact(literal.as_bytes()));
        let Some(needle) = needle else { return Ok(None) };
        let ask = if equals.is_some() { Ask::whole(&needle) } else { Ask::inside(&needle) };
        let plan = Plan::of(node, &needle, ask, self.body())?;
        let times = if node.is_relative() { Some(self.times()?) } else { None };
        marks(node, &plan, &needle, self.body(), rows, times.as_deref().map(Vec::as_slice)).map(Some)
    }
}

/// The values of column `index` that belong to those of `rows` whose skeletons `holds` says to have it.
fn cells(
    skeletons: &Skeletons,
    ranks: &Ranks,
    index: u32,
    node: &Node,
    holds: &[bool],
    rows: &Selection,
) -> Cells {
    let has = |row: &usize| {
        let code = ranks.codes.get(*row).copied();
        code.is_some_and(|code| holds.get(code as usize) == Some(&true))
    };
    let rows: Vec<u32> = rows.iter().filter(has).map(|row| row as u32).collect();
    let everywhere = node.count == ranks.codes.len();
    let values = if everywhere { rows.clone() } else { skeletons.values_of(ranks, index, &rows) };
    Cells { values, rows }
}

/// With fewer rows wanted than one in so many, they are followed one by one.
const FEW_ROWS: usize = 16;

impl Decided {
    /// Decides the rows of `within` by their values in `node`, in which every row has one.
    fn take_rows<'a>(
        &mut self,
        walk: &mut Walk<'a>,
        node: &'a Node,
        opaque: Vec<bool>,
        within: &Selection,
    ) -> Result<(), Corrupt> {
        let left = if within.count() < node.count / FEW_ROWS {
            Cow::Borrowed(within)
        } else {
            let sets = walk.sets(node, opaque.clone(), within)?;
            self.found.union(&sets.found);
            self.open.union(&sets.open);
            Cow::Owned(sets.left)
        };
        if left.is_empty() {
            return Ok(());
        }
        let rows: Vec<u32> = left.iter().map(|row| row as u32).collect();
        self.take(walk, node, opaque, &Cells { values: rows.clone(), rows })
    }

    /// The same for rows that are cells of `node`.
    fn take_cells<'a>(&mut self, walk: &mut Walk<'a>, node: &'a Node, cells: &Cells) -> Result<(), Corrupt> {
        if cells.values != cells.rows {
            return self.take(walk, node, Vec::new(), cells);
        }
        let mut within = Selection::none(self.found.rows());
        cells.rows.iter().for_each(|row| within.insert(*row as usize));
        self.take_rows(walk, node, Vec::new(), &within)
    }

    /// Walks `cells` of `node`.
    fn take<'a>(
        &mut self,
        walk: &mut Walk<'a>,
        node: &'a Node,
        opaque: Vec<bool>,
        cells: &Cells,
    ) -> Result<(), Corrupt> {
        for (row, end) in cells.rows.iter().zip(walk.ends(node, opaque, cells)?) {
            match end {
                Automaton::NEVER => {}
                Automaton::MATCH => self.found.insert(*row as usize),
                _ => self.open.insert(*row as usize),
            }
        }
        Ok(())
    }
}
