//! The grams of a batch that stays in memory for a while: which of its granules a search can leave out.
//!
//! A segment has an index; a batch of the head has none until it has been there for so long that it is likely to be
//! searched again and again: making its grams takes longer than searching it once does.

use std::sync::Arc;

use weir_query::compile::Required;
use weir_query::record::Selection;

use super::batch::EventBatch;
use super::columns::META_FIELDS;
use crate::index::gram::{GramMap, VALUES_MAX, windows, windows_any_case};
use crate::index::keys::{self, Keys};

/// Rows a granule: the unit of the index and of partial reading, in batches and in blocks.
pub const GRANULE_ROWS: usize = 1_024;
/// A batch with less text is searched as quickly as its grams are asked.
const TEXT_LEAST_BYTES: usize = 256 << 10;
/// Granules with less text, on average, take more memory for their grams than is worth it.
const GRANULE_LEAST_BYTES: usize = 64 << 10;

/// A batch with more sets of tags than this has keys, too.
const TAG_SETS_FEW: usize = 64;

/// The grams of a batch, a map a granule, and the keys of its tags, where it has many.
#[derive(Clone, Debug)]
pub(super) struct BatchGrams {
    maps: Arc<[GramMap]>,
    keys: Option<Arc<[u8]>>,
}

impl EventBatch {
    /// It has no grams yet, and is large enough for them to be of use.
    #[must_use]
    pub fn wants_grams(&self) -> bool {
        let (bytes, granules) = (self.data.arena.len(), self.len().div_ceil(GRANULE_ROWS));
        self.grams.get().is_none()
            && bytes >= TEXT_LEAST_BYTES.max(granules.saturating_mul(GRANULE_LEAST_BYTES))
    }

    /// Makes its grams, once. Those who have it see them from then on.
    pub fn make_grams(&self) {
        self.grams.get_or_init(|| {
            let starts: Vec<usize> =
                self.data.rows.iter().step_by(GRANULE_ROWS).map(|row| row.raw.start as usize).collect();
            let arena = self.data.arena.as_bytes();
            let map = |granule: usize| {
                // All texts of an event lie between the start of its raw text and that of the next.
                let start = if granule == 0 { 0 } else { starts.get(granule).copied().unwrap_or(0) };
                let end = starts.get(granule + 1).copied().unwrap_or(arena.len());
                let mut map = GramMap::default();
                map.add(arena.get(start..end).unwrap_or(arena));
                map
            };
            BatchGrams { maps: (0..starts.len()).map(map).collect(), keys: self.tag_keys() }
        });
    }

    /// The keys of its tags; none where it has few sets of them, which are quickly looked at.
    fn tag_keys(&self) -> Option<Arc<[u8]>> {
        let sets = &self.data.tag_sets;
        if sets.len() <= TAG_SETS_FEW {
            return None;
        }
        let hashes = sets.iter().map(|set| set.iter().map(|(name, value)| keys::hash(name, value)));
        let of_rows = self.data.rows.iter().map(|row| row.tag_set as usize);
        let mut bytes = Vec::new();
        keys::write(hashes, of_rows, GRANULE_ROWS, &mut bytes);
        Some(bytes.into())
    }

    /// The granules that may hold an event that meets `required`; `None` while the batch has no grams.
    #[must_use]
    pub fn candidates(&self, required: &Required) -> Option<Selection> {
        self.grams.get().map(|grams| grams.candidates(required))
    }
}

impl BatchGrams {
    /// Errs towards "may", as the index of a segment does: what grams cannot tell leaves all granules.
    fn candidates(&self, required: &Required) -> Selection {
        let granules = self.maps.len();
        match required {
            Required::Nothing => Selection::none(granules),
            Required::And(parts) => {
                let mut left = Selection::all(granules);
                parts.iter().for_each(|part| left.intersect(&self.candidates(part)));
                left
            }
            Required::Or(parts) => {
                let mut any = Selection::none(granules);
                parts.iter().for_each(|part| any.union(&self.candidates(part)));
                any
            }
            Required::Text { literal, ignore_case } => self.text(literal, *ignore_case),
            Required::OneOf { field, values } if values.len() <= VALUES_MAX && is_in_texts(field) => {
                let mut any = Selection::none(granules);
                values.iter().for_each(|value| any.union(&self.text(value.as_bytes(), false)));
                any
            }
            Required::OneOf { field, values } if values.len() <= VALUES_MAX && field.starts_with('#') => {
                self.tag(field, values)
            }
            _ => Selection::all(granules),
        }
    }

    /// The granules that may have one of `values` of tag `name`. Which repository a batch is of is not among its tags.
    fn tag(&self, name: &str, values: &[String]) -> Selection {
        let keys = self.keys.as_ref().filter(|_| name != "#repo").and_then(|keys| Keys::read(keys, true));
        let mask = keys.map_or(u64::MAX, |keys| {
            values.iter().fold(0, |mask, value| mask | keys.granules(keys::hash(name, value)))
        });
        // A batch may have more granules than a block: then keys do not tell some of them apart.
        Selection::from_fn(self.maps.len(), |granule| mask >> (granule % 64) & 1 == 1)
    }

    fn text(&self, literal: &[u8], ignore_case: bool) -> Selection {
        let mut grams = Vec::new();
        if ignore_case {
            windows_any_case(literal, |gram| grams.push(gram));
        } else {
            windows(literal, |gram| grams.push(gram));
        }
        let has_all = |map: &GramMap| grams.iter().all(|gram| map.has(*gram));
        Selection::from_fn(self.maps.len(), |granule| self.maps.get(granule).is_none_or(has_all))
    }
}

/// Values of the field stand in the texts of events. Those of tags and of most meta fields do not.
fn is_in_texts(field: &str) -> bool {
    field == "@rawstring" || !field.starts_with('#') && !META_FIELDS.contains(&field)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use weir_query::compile::TextMatcher;
    use weir_query::record::Rows;

    use super::*;
    use crate::event::{EventBatchBuilder, EventLimits, TagSet};

    /// 3,000 events; every 64th has an escape, every 100th no UTF-8, and all attributes.
    fn batch(pad: usize) -> EventBatch {
        let mut builder = EventBatchBuilder::new(EventLimits::default());
        for row in 0..3_000_u32 {
            let odd = if row % 64 == 0 { "quo\\\"ted" } else { "plain" };
            let id = row.wrapping_mul(2_654_435_761);
            let mut line =
                format!(r#"{{"id":"{id:08x}","odd":"{odd}","pad":"{}"}}"#, "x".repeat(pad)).into_bytes();
            if row % 100 == 0 {
                line = b"\xff\xfe not text ".to_vec();
                line.extend(id.to_string().bytes());
            }
            let place = ["northern hall", "eastern cellar", "western attic"][row as usize / GRANULE_ROWS];
            let attributes = format!(r#"{{"place":"{place} {row}"}}"#);
            let attributes = Some(attributes.as_str());
            if row % 100 == 0 {
                builder.push_text(&line, None, &TagSet::none(), attributes).unwrap();
            } else {
                builder.push_json(&line, None, &TagSet::none(), attributes).unwrap();
            }
        }
        builder.finish(0)
    }

    #[test]
    fn no_event_is_in_a_granule_that_is_left_out() {
        let batch = batch(10);
        batch.make_grams();
        let all = Selection::all(batch.len());
        let mut left_out = 0;
        for literal in [
            "9e3779b1",
            "eastern cellar 2047",
            "western attic 2048",
            "quo\"ted",
            "not text",
            "\u{fffd}",
            "plain",
            "12345",
            "ab",
            "nowhere",
            "\",\"odd",
            "hall 29",
        ] {
            let found = batch.search(&TextMatcher::contains(literal), &all).unwrap();
            for ignore_case in [false, true] {
                let literal = literal.as_bytes().to_vec();
                let may = batch.candidates(&Required::Text { literal, ignore_case }).unwrap();
                assert!(found.iter().all(|row| may.contains(row / GRANULE_ROWS)));
                left_out += 3 - may.count();
            }
        }
        assert!(left_out > 12, "{left_out}");
    }

    #[test]
    fn what_grams_cannot_tell_leaves_all() {
        let batch = batch(10);
        assert_eq!(batch.candidates(&Required::Anything), None);
        batch.make_grams();
        let one_of = |field: &str, values: &[&str]| Required::OneOf {
            field: field.to_owned(),
            values: values.iter().map(|value| (*value).to_owned()).collect(),
        };
        let text = |text: &str| Required::Text { literal: text.as_bytes().to_vec(), ignore_case: false };
        let many: Vec<String> = (0..=VALUES_MAX).map(|at| format!("nowhere{at}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        for (required, expect) in [
            (Required::Anything, vec![0, 1, 2]),
            (Required::Nothing, vec![]),
            (Required::Present("place".to_owned()), vec![0, 1, 2]),
            (text("western attic"), vec![2]),
            (one_of("place", &["western attic 2500", "eastern cellar 1025"]), vec![1, 2]),
            (one_of("#place", &["nowhere at all"]), vec![0, 1, 2]),
            (one_of("@id", &["nowhere at all"]), vec![0, 1, 2]),
            (one_of("@rawstring", &["nowhere at all"]), vec![]),
            (one_of("place", &many[1..]), vec![]),
            (one_of("place", &many), vec![0, 1, 2]),
            (Required::And(vec![text("western attic"), text("eastern cellar")]), vec![]),
            (Required::Or(vec![text("western attic"), text("eastern cellar")]), vec![1, 2]),
        ] {
            let may = batch.candidates(&required).unwrap();
            assert_eq!(may.iter().collect::<Vec<_>>(), expect, "{required:?}");
        }
    }

    #[test]
    fn values_of_many_tags_are_told_by_their_keys() {
        for (values, is_told) in [(TAG_SETS_FEW as u32, false), (1_500, true)] {
            let mut builder = EventBatchBuilder::new(EventLimits::default());
            for row in 0..70 * 1_024 + 5_u32 {
                let tags =
                    Arc::new(TagSet::new([("n", (row / 64 % values).to_string()), ("app", "web".into())]));
                builder.push_text(b"said nothing", None, &tags, None).unwrap();
            }
            let batch = builder.finish(0);
            batch.make_grams();
            let may = |field: &str, value: u32| {
                let one = Required::OneOf { field: field.into(), values: vec![value.to_string()] };
                batch.candidates(&one).unwrap()
            };
            let mut left = 0;
            for row in (0..70 * 1_024 + 5_u32).step_by(64) {
                let granules = may("#n", row / 64 % values);
                assert!(granules.contains(row as usize / GRANULE_ROWS), "{row}");
                left += granules.count();
            }
            assert_eq!(left < 2_000, is_told, "{left} granules for {values} values");
            assert_eq!(may("#n", values).is_empty(), is_told);
            assert_eq!((may("#m", 0).is_empty(), may("#repo", 0).count()), (is_told, 71));
        }
    }

    #[test]
    fn grams_are_for_much_text() {
        assert!(!batch(10).wants_grams());
        let large = batch(200);
        assert!(large.wants_grams());
        large.make_grams();
        assert!(!large.wants_grams());
        assert!(large.clone().candidates(&Required::Anything).is_some());
    }
}
