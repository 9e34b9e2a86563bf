//! Searching values where what they mean need not stand in the raw text: values with escapes, and attributes.
//!
//! A value of which a literal is a part either has the literal as it is written with the usual escapes, or spells
//! one of its characters in another way: `\u` with digits, or `\/`. Values that have neither are not looked at.

use std::ops::Range;

use weir_query::compile::TextMatcher;
use weir_query::record::Selection;

use super::GRANULE_ROWS;
use super::ask::Ask;
use super::column::unescaped;
use super::cursor::Cursor;
use super::expand::{compress, expand};
use super::literal::Plan;
use super::marks::marks;
use super::needle::Needle;
use super::node::{Kind, Node, Skeletons};
use super::part::Part;
use super::read::Block;
use super::wire::Corrupt;

/// What is looked for in values, and in which rows.
pub(super) struct Wanted<'a> {
    pub(super) matcher: &'a TextMatcher,
    /// A literal that every match contains.
    pub(super) needle: Option<&'a Needle>,
    /// The rows that count.
    pub(super) within: &'a Selection,
    /// Those of them in which a value without escapes may match.
    pub(super) plain: &'a Selection,
    /// Whether values stand nowhere else, so that none has been looked at in a raw text.
    pub(super) apart: bool,
}

impl Block {
    /// Adds the rows of which a value in `part` matches, as far as it is not known to match in the raw text.
    pub(super) fn search_values(
        &self,
        part: &Part,
        wanted: &Wanted<'_>,
        found: &mut Selection,
    ) -> Result<(), Corrupt> {
        // What matches a part of a text that contains it need not be looked for twice.
        let contains = wanted.matcher.as_contains().is_some();
        let skeletons = part.skeletons()?;
        for (index, (node, place)) in skeletons.columns.iter().zip(&part.places).enumerate() {
            let escaped = part.escaped.get(index) == Some(&true);
            let whole_text = place.repeat >= u32::MAX - 1;
            if whole_text || contains && !escaped && !wanted.apart {
                continue;
            }
            let mut rows = if escaped { wanted.within.clone() } else { wanted.plain.clone() };
            rows.subtract(found);
            if !rows.is_empty() {
                found.union(&self.search_column(skeletons, index as u32, node, escaped, wanted, rows)?);
            }
        }
        Ok(())
    }

    /// Those of `rows` whose value in a column matches.
    fn search_column(
        &self,
        skeletons: &Skeletons,
        index: u32,
        node: &Node,
        escaped: bool,
        wanted: &Wanted<'_>,
        rows: Selection,
    ) -> Result<Selection, Corrupt> {
        let times = if node.is_relative() {
            let ranks = skeletons.ranks(self.body())?;
            Some(skeletons.times_of(index, ranks.codes(0..self.rows()), &self.times()?))
        } else {
            None
        };
        if node.count == self.rows() {
            return self.matches_among(node, escaped, wanted, rows, times.as_deref());
        }
        let mask = skeletons.holders(index, self.body())?;
        let values = compress(&rows, &mask, node.count);
        let hits = self.matches_among(node, escaped, wanted, values, times.as_deref())?;
        let mut hits = expand(&hits, &mask);
        hits.intersect(&rows);
        Ok(hits)
    }

    /// Those of `values` of a column that match.
    fn matches_among(
        &self,
        node: &Node,
        escaped: bool,
        wanted: &Wanted<'_>,
        values: Selection,
        times: Option<&[i64]>,
    ) -> Result<Selection, Corrupt> {
        if values.is_empty() {
            return Ok(values);
        }
        let Some(needle) = wanted.needle else {
            return self.test_values(node, escaped, wanted.matcher, &values, times);
        };
        let contains = wanted.matcher.as_contains().is_some();
        let find = |needle: &Needle| -> Result<Selection, Corrupt> {
            let plan = Plan::of(node, needle, Ask::inside(needle), self.body())?;
            marks(node, &plan, needle, self.body(), &values, times)
        };
        // Where texts that contain the literal were found already, only other ways to write it are left.
        let written = wanted.apart || !contains;
        let mut may = if written { find(needle)? } else { Selection::none(values.rows()) };
        if !escaped && contains {
            return Ok(may);
        }
        if escaped {
            for spelling in spellings(needle) {
                may.union(&find(&spelling)?);
            }
        }
        self.test_values(node, escaped, wanted.matcher, &may, times)
    }

    /// Those of `values` of a column that match, each put together; every distinct value of a dictionary once.
    fn test_values(
        &self,
        node: &Node,
        escaped: bool,
        matcher: &TextMatcher,
        values: &Selection,
        times: Option<&[i64]>,
    ) -> Result<Selection, Corrupt> {
        let mut found = Selection::none(values.rows());
        let texts = node.dictionary(self.body())?;
        let mut known: Vec<Option<bool>> = vec![None; texts.len()];
        let mut text = Vec::new();
        for range in groups(values) {
            if let Kind::Dictionary { codes, .. } = &node.kind {
                for (value, code) in range.clone().zip(codes.values(self.body(), range)?) {
                    let Some(slot) = known.get_mut(code as usize).filter(|_| values.contains(value)) else {
                        continue;
                    };
                    let text = texts.get(code as usize).unwrap_or_default();
                    let hit = match slot {
                        Some(hit) => *hit,
                        None => *slot.insert(matcher.is_match(&unescaped(text, escaped)?)),
                    };
                    if hit {
                        found.insert(value);
                    }
                }
                continue;
            }
            let own = times.and_then(|times| times.get(range.clone()));
            let mut cursor = Cursor::open(node, self.body(), range.clone(), own)?;
            for value in range {
                if !values.contains(value) {
                    cursor.skip()?;
                    continue;
                }
                text.clear();
                cursor.next(&mut text)?;
                if matcher.is_match(&unescaped(&text, escaped)?) {
                    found.insert(value);
                }
            }
        }
        Ok(found)
    }
}

/// Ranges of at most a granule of values that have all of a set in them.
fn groups(set: &Selection) -> impl Iterator<Item = Range<usize>> {
    (0..set.rows()).step_by(GRANULE_ROWS).filter_map(|start| {
        let end = (start + GRANULE_ROWS).min(set.rows());
        let first = set.first_from(start).filter(|first| *first < end)?;
        Some(first..end)
    })
}

/// What stands in a value with escapes that means a text with the literal, where that is not the literal itself.
fn spellings(needle: &Needle) -> Vec<Needle> {
    let literal = needle.part(0..needle.len());
    let mut written = Vec::with_capacity(literal.len() + 8);
    for byte in literal {
        let escape = match byte {
            b'"' | b'\\' => *byte,
            0x08 => b'b',
            0x0c => b'f',
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            _ => {
                written.push(*byte);
                continue;
            }
        };
        written.extend_from_slice(&[b'\\', escape]);
    }
    let slash = literal.contains(&b'/').then(|| Needle::exact(br"\/"));
    let usual = (written != literal).then(|| needle.alike(&written));
    [Some(Needle::exact(br"\u")), slash, usual].into_iter().flatten().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_are_spelled() {
        for (literal, expected) in [
            ("abc", &[r"\u"][..]),
            ("a/b", &[r"\u", r"\/"]),
            ("\"mailbox full\"", &[r"\u", r#"\"mailbox full\""#]),
            ("C:\\x\n\t", &[r"\u", r"C:\\x\n\t"]),
        ] {
            let needle = Needle::exact(literal.as_bytes()).unwrap();
            let spelled: Vec<String> = spellings(&needle)
                .iter()
                .map(|needle| String::from_utf8_lossy(needle.part(0..needle.len())).into_owned())
                .collect();
            assert_eq!(spelled, expected, "{literal}");
        }
    }
}
