//! Searching the rows of a block for a text, on what is stored as far as that is safe.

use weir_query::compile::TextMatcher;
use weir_query::record::Selection;

use super::ask::Ask;
use super::column::unescaped;
use super::literal::Plan;
use super::look::each_hit;
use super::marks::marks;
use super::needle::Needle;
use super::node::{Kind, Node};
use super::part::{Part, TextKind};
use super::read::Block;
use super::wire::Corrupt;

impl Block {
    /// The rows of `within` whose raw text matches, or one of whose values does.
    pub(super) fn search_rows(
        &self,
        matcher: &TextMatcher,
        within: &Selection,
    ) -> Result<Selection, Corrupt> {
        if matcher.as_contains().is_none()
            && let Some(automaton) = matcher.automaton()
        {
            let mut found = self.matching_raw(matcher, automaton, within)?;
            self.matching_values(&self.raw, matcher, automaton, (within, false), &mut found)?;
            if let Some(part) = &self.attributes {
                self.matching_values(part, matcher, automaton, (within, true), &mut found)?;
            }
            return Ok(found);
        }
        // The rows whose raw text may match; so do all rows of which a value matches that stands there as it is.
        let may = match needle_of(matcher).filter(|_| !self.has_bytes()) {
            Some(needle) => Some(self.search_needle(&needle, within)?),
            None => None,
        };
        let texts = may.as_ref().unwrap_or(within);
        let is_contains = matcher.as_contains().is_some_and(|literal| !literal.is_empty());
        let mut found = match &may {
            Some(may) if is_contains => may.clone(),
            _ => self.search_texts(matcher, texts)?,
        };
        self.search_values(&self.raw, matcher, (within, texts), &mut found, false)?;
        if let Some(part) = &self.attributes {
            self.search_values(part, matcher, (within, within), &mut found, true)?;
        }
        Ok(found)
    }

    /// The rows whose raw text, which is UTF-8, contains `needle`, found on what is stored.
    fn search_needle(&self, needle: &Needle, within: &Selection) -> Result<Selection, Corrupt> {
        let node = &self.raw.node;
        let plan = Plan::of(node, needle, Ask::inside(needle), self.body())?;
        if matches!(plan, Plan::Never) {
            return Ok(Selection::none(self.rows()));
        }
        let relative = self.raw.skeletons()?.columns.iter().any(|column| column.is_relative());
        let times = if relative { Some(self.times()?) } else { None };
        marks(node, &plan, needle, self.body(), within, times.as_deref().map(Vec::as_slice))
    }

    /// The rows whose raw text matches, by putting every text together.
    pub(super) fn search_texts(
        &self,
        matcher: &TextMatcher,
        within: &Selection,
    ) -> Result<Selection, Corrupt> {
        let mut found = Selection::none(self.rows());
        let mut texts = Vec::new();
        let mut starts: Vec<(usize, usize)> = Vec::new();
        for range in self.granules(within) {
            texts.clear();
            starts.clear();
            let kinds = if self.has_bytes() { self.text_kinds(range.clone())? } else { Vec::new() };
            let mut cursor = self.open(&self.raw, range.clone())?;
            for (place, row) in range.enumerate() {
                if !within.contains(row) {
                    cursor.skip()?;
                    continue;
                }
                let start = texts.len();
                cursor.next(&mut texts)?;
                if kinds.get(place) == Some(&TextKind::Bytes) {
                    let lossy = String::from_utf8_lossy(texts.get(start..).unwrap_or_default()).into_owned();
                    texts.truncate(start);
                    texts.extend_from_slice(lossy.as_bytes());
                }
                starts.push((start, row));
            }
            let text = std::str::from_utf8(&texts).map_err(|_| Corrupt("text is not utf-8"))?;
            match matcher.as_contains().filter(|literal| !literal.is_empty()) {
                Some(literal) => {
                    if let Some(needle) = Needle::exact(literal.as_bytes()) {
                        each_hit(text.as_bytes(), &needle, &starts, |row| found.insert(row));
                    }
                }
                None => {
                    for (index, (start, row)) in starts.iter().enumerate() {
                        let end = starts.get(index + 1).map_or(text.len(), |next| next.0);
                        if text.get(*start..end).is_some_and(|text| matcher.is_match(text)) {
                            found.insert(*row);
                        }
                    }
                }
            }
        }
        Ok(found)
    }

    /// Adds the rows one of whose values matches where the raw text need not: values with escapes, and all values
    /// of attributes (`every`). Values without escapes are looked at for the rows of `plain` only.
    pub(super) fn search_values(
        &self,
        part: &Part,
        matcher: &TextMatcher,
        (within, plain): (&Selection, &Selection),
        found: &mut Selection,
        every: bool,
    ) -> Result<(), Corrupt> {
        // What matches a part of a text that contains it need not be looked for twice.
        let contains = matcher.as_contains().is_some();
        let wanted = |escaped: bool| every || escaped || !contains;
        if !part.escaped.iter().any(|escaped| wanted(*escaped)) {
            return Ok(());
        }
        let skeletons = part.skeletons()?;
        let mut value = Vec::new();
        let any_escaped = every || part.escaped.contains(&true);
        for range in self.granules(if any_escaped { within } else { plain }) {
            let ranks = skeletons.ranks(self.body())?;
            let before = ranks.before(range.start);
            let codes = ranks.codes(range.clone());
            for (index, node) in skeletons.columns.iter().enumerate() {
                let escaped = part.escaped.get(index) == Some(&true);
                if !wanted(escaped) || part.places.get(index).is_none_or(|place| place.repeat >= u32::MAX - 1)
                {
                    continue;
                }
                let within = if escaped { within } else { plain };
                if !range.clone().any(|row| within.contains(row) && !found.contains(row)) {
                    continue;
                }
                let column = index as u32;
                let holds: Vec<bool> =
                    skeletons.skeletons.iter().map(|skeleton| skeleton.columns.contains(&column)).collect();
                let has = |code: &u32| holds.get(*code as usize) == Some(&true);
                let count = codes.iter().filter(|code| has(code)).count();
                if count == 0 {
                    continue;
                }
                let start: usize = before
                    .iter()
                    .zip(&holds)
                    .filter(|(_, holds)| **holds)
                    .map(|(count, _)| *count as usize)
                    .sum();
                let mut rows = range.clone().zip(codes).filter(|(_, code)| has(code)).map(|(row, _)| row);
                if matches!(node.kind, Kind::Dictionary { .. }) {
                    let rows: Vec<usize> = rows.collect();
                    let values = start..start + count;
                    self.search_dictionary(node, escaped, matcher, values, &rows, (within, found))?;
                    continue;
                }
                let times = if node.is_relative() { Some(self.times()?) } else { None };
                let times = times.as_ref().and_then(|times| times.get(range.clone()));
                let own = times.map(|times| skeletons.times_of(column, codes, times));
                let mut cursor =
                    super::cursor::Cursor::open(node, self.body(), start..start + count, own.as_deref())?;
                for row in &mut rows {
                    if !within.contains(row) || found.contains(row) {
                        cursor.skip()?;
                        continue;
                    }
                    value.clear();
                    cursor.next(&mut value)?;
                    if matcher.is_match(&unescaped(&value, escaped)?) {
                        found.insert(row);
                    }
                }
            }
        }
        Ok(())
    }

    /// Adds those of `rows` whose value, one of `values` each, matches; every distinct value is tested once.
    fn search_dictionary(
        &self,
        node: &Node,
        escaped: bool,
        matcher: &TextMatcher,
        values: std::ops::Range<usize>,
        rows: &[usize],
        (within, found): (&Selection, &mut Selection),
    ) -> Result<(), Corrupt> {
        let Kind::Dictionary { codes, .. } = &node.kind else { return Ok(()) };
        let texts = node.dictionary(self.body())?;
        let mut hits: Vec<Option<bool>> = vec![None; texts.len()];
        for (row, code) in rows.iter().zip(codes.values(self.body(), values)?) {
            if !within.contains(*row) || found.contains(*row) {
                continue;
            }
            let Some(hit) = hits.get_mut(code as usize) else { continue };
            let text = texts.get(code as usize).unwrap_or_default();
            let hit = match hit {
                Some(hit) => *hit,
                None => *hit.insert(matcher.is_match(&unescaped(text, escaped)?)),
            };
            if hit {
                found.insert(*row);
            }
        }
        Ok(())
    }
}

/// A literal that every passing text contains, the one that says most; `None` when there is none.
fn needle_of(matcher: &TextMatcher) -> Option<Needle> {
    match matcher.as_contains() {
        Some(literal) => Needle::exact(literal.as_bytes()),
        None => match matcher.required_text()? {
            (literal, false) => Needle::exact(literal),
            (literal, true) => Needle::either_case(literal),
        },
    }
}
