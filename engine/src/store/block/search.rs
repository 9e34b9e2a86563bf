//! Searching the rows of a block for a text, on what is stored as far as that is safe.

use weir_query::compile::TextMatcher;
use weir_query::record::Selection;

use super::ask::Ask;
use super::escapes::Wanted;
use super::literal::Plan;
use super::look::each_hit;
use super::marks::marks;
use super::needle::Needle;
use super::part::TextKind;
use super::read::Block;
use super::wire::Corrupt;

impl Block {
    /// The rows of `within` whose raw text matches, or one of whose values does.
    pub(super) fn search_rows(
        &self,
        matcher: &TextMatcher,
        within: &Selection,
    ) -> Result<Selection, Corrupt> {
        let needle = needle_of(matcher);
        // So do all rows of which a value matches that stands in the text as it is.
        let may = self.may_match(needle.as_ref(), within)?;
        let texts = may.as_ref().unwrap_or(within);
        if matcher.as_contains().is_none()
            && let Some(automaton) = matcher.automaton()
        {
            let mut found = self.matching_raw(matcher, automaton, texts)?;
            self.matching_values(&self.raw, matcher, automaton, (within, false), &mut found)?;
            if let Some(part) = &self.attributes {
                self.matching_values(part, matcher, automaton, (within, true), &mut found)?;
            }
            return Ok(found);
        }
        let is_contains = matcher.as_contains().is_some_and(|literal| !literal.is_empty());
        let mut found = match &may {
            Some(may) if is_contains => self.settle_bytes(matcher, may)?,
            _ => self.search_texts(matcher, texts)?,
        };
        let wanted = Wanted { matcher, needle: needle.as_ref(), within, plain: texts, apart: false };
        self.search_values(&self.raw, &wanted, &mut found)?;
        if let Some(part) = &self.attributes {
            self.search_values(part, &Wanted { plain: within, apart: true, ..wanted }, &mut found)?;
        }
        Ok(found)
    }

    /// The rows whose raw text may match, by the literal that it must contain; `None` when nothing is known.
    pub(super) fn may_match(
        &self,
        needle: Option<&Needle>,
        within: &Selection,
    ) -> Result<Option<Selection>, Corrupt> {
        let Some(needle) = needle else { return Ok(None) };
        if !self.has_bytes() {
            return self.search_needle(needle, within).map(Some);
        }
        // What is no text is tested as the text it is shown as: those rows may match.
        let mut bytes = self.rows_of_bytes()?;
        bytes.intersect(within);
        let mut texts = within.clone();
        texts.subtract(&bytes);
        let mut may = self.search_needle(needle, &texts)?;
        may.union(&bytes);
        Ok(Some(may))
    }

    /// Of the rows `may` that may contain a literal, those that do: only what is no text is in doubt.
    fn settle_bytes(&self, matcher: &TextMatcher, may: &Selection) -> Result<Selection, Corrupt> {
        if !self.has_bytes() {
            return Ok(may.clone());
        }
        let mut bytes = self.rows_of_bytes()?;
        bytes.intersect(may);
        let mut found = may.clone();
        found.subtract(&bytes);
        found.union(&self.search_texts(matcher, &bytes)?);
        Ok(found)
    }

    /// The rows whose raw text is not UTF-8.
    fn rows_of_bytes(&self) -> Result<Selection, Corrupt> {
        let ranks = self.raw.skeletons()?.ranks(self.body())?;
        let is_bytes = |code: u32| self.raw.kinds.get(code as usize) == Some(&TextKind::Bytes);
        Ok(Selection::from_fn(self.rows(), |row| ranks.codes.get(row).is_some_and(|code| is_bytes(*code))))
    }

    /// The rows whose raw text, which is UTF-8, contains `needle`, found on what is stored.
    fn search_needle(&self, needle: &Needle, within: &Selection) -> Result<Selection, Corrupt> {
        let node = &self.raw.node;
        let plan = Plan::of(node, needle, Ask::inside(needle), self.body())?;
        if matches!(plan, Plan::Never) {
            return Ok(Selection::none(self.rows()));
        }
        let times = if plan.asks_times(node) { Some(self.times()?) } else { None };
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
}

/// The shortest literal of a regex that is looked for before the regex is, in bytes: most texts have shorter ones.
const REQUIRED_MIN: usize = 3;

/// A literal that every passing text contains, the one that says most; `None` when there is none.
pub(super) fn needle_of(matcher: &TextMatcher) -> Option<Needle> {
    match matcher.as_contains() {
        Some(literal) => Needle::exact(literal.as_bytes()),
        None => match matcher.required_text().filter(|(literal, _)| literal.len() >= REQUIRED_MIN)? {
            (literal, false) => Needle::exact(literal),
            (literal, true) => Needle::either_case(literal),
        },
    }
}
