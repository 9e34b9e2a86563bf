//! What a block's facts are, learned while it is written.

use std::collections::BTreeMap;

use super::GRANULE_ROWS;
use super::builder::KeptParts;
use super::column::unescaped;
use super::encode::Kept;
use super::facts::{BlockFacts, FieldFacts, ValueFacts};
use super::gather::Gather;
use super::node::holders;
use super::part::PartInput;
use crate::index::keys;

/// Most fields listed in the facts of a block; what is not listed is not pruned by.
const FIELDS_MAX: usize = 4_096;
/// Most values a field may have to have them listed.
const VALUES_MAX: usize = 64;
/// Most values a tag may have to have them listed.
const TAG_VALUES_MAX: usize = 256;
/// Longest value listed, in bytes.
const VALUE_BYTES_MAX: usize = 64;

/// No number: least above greatest.
const NO_NUMBERS: (f64, f64) = (f64::INFINITY, f64::NEG_INFINITY);

/// How many rows of each granule have which skeleton of a part.
struct Census {
    granules: Vec<Vec<(u32, u32)>>,
}

impl Census {
    fn of(part: &PartInput) -> Census {
        let mut counts = vec![0u32; part.skeletons.len()];
        let granule = |codes: &[u32]| {
            let mut seen = Vec::new();
            for code in codes {
                let Some(count) = counts.get_mut(*code as usize) else { continue };
                if *count == 0 {
                    seen.push((*code, 0));
                }
                *count += 1;
            }
            for (code, rows) in &mut seen {
                *rows = counts.get_mut(*code as usize).map_or(0, std::mem::take);
            }
            seen
        };
        Census { granules: part.codes.chunks(GRANULE_ROWS).map(granule).collect() }
    }

    /// How many rows of each granule have a skeleton that `holds` says yes to.
    fn rows(&self, holds: &[bool]) -> impl Iterator<Item = usize> {
        let held = |(code, rows): &(u32, u32)| {
            if holds.get(*code as usize) == Some(&true) { *rows as usize } else { 0 }
        };
        self.granules.iter().map(move |seen| seen.iter().map(held).sum())
    }
}

/// One column of one part.
struct Place<'g, 'a> {
    part: &'g PartInput,
    census: &'g Census,
    kept: &'g Kept<'a>,
    column: u32,
    escaped: bool,
    repeated: bool,
}

pub(crate) fn facts_of(gather: &Gather<'_>, kept: &KeptParts<'_>) -> BlockFacts {
    let range = |values: &[i64]| {
        (values.iter().min().copied().unwrap_or(0), values.iter().max().copied().unwrap_or(0))
    };
    let granule_times = gather
        .times
        .chunks(GRANULE_ROWS)
        .map(|times| (times.first().copied().unwrap_or(0), times.last().copied().unwrap_or(0)))
        .collect();
    let sequences = gather.sequences.iter().map(|sequence| *sequence as u64);
    let mut facts = BlockFacts {
        rows: gather.times.len() as u32,
        raw_bytes: gather.raw_bytes,
        granule_times,
        sequences: (sequences.clone().min().unwrap_or(0), sequences.max().unwrap_or(0)),
        ingest: range(&gather.ingest),
        fields: tags(gather),
        more_fields: false,
        key_bytes: 0,
        key_checksum: None,
    };
    let mut places: BTreeMap<&str, Vec<Place<'_, '_>>> = BTreeMap::new();
    let (raw, attributes) = (Census::of(&gather.raw), Census::of(&gather.attributes));
    for (part, census, kept) in [(&gather.raw, &raw, &kept.0), (&gather.attributes, &attributes, &kept.1)] {
        for (index, (place, kept)) in part.places.iter().zip(kept).enumerate() {
            // A field is never taken for a tag, whatever its name.
            if place.repeat >= u32::MAX - 1 || place.path.starts_with('#') {
                continue;
            }
            let escaped = part.escaped.get(index) == Some(&true);
            places.entry(&place.path).or_default().push(Place {
                part,
                census,
                kept,
                column: index as u32,
                escaped,
                repeated: place.repeat > 0,
            });
        }
    }
    facts.more_fields = places.len() > FIELDS_MAX;
    facts.fields.extend(places.iter().take(FIELDS_MAX).map(|(name, places)| field(gather, name, places)));
    facts.fields.sort_by(|a, b| a.name.cmp(&b.name));
    facts
}

fn tags(gather: &Gather<'_>) -> Vec<FieldFacts> {
    // How many rows have each set, and in which granules.
    let mut sets = vec![(0u32, 0u64); gather.tag_sets.len()];
    for (granule, codes) in gather.tag_codes.chunks(GRANULE_ROWS).enumerate() {
        for code in codes {
            if let Some((rows, granules)) = usize::try_from(*code).ok().and_then(|code| sets.get_mut(code)) {
                *rows += 1;
                *granules |= 1 << granule;
            }
        }
    }
    let mut tags: BTreeMap<&str, Tag<'_>> = BTreeMap::new();
    for (set, (rows, granules)) in (0..).zip(sets) {
        for (name, value) in gather.tag_sets.tags(set) {
            tags.entry(name).or_default().add(value, rows, granules);
        }
    }
    tags.into_iter().map(|(name, tag)| tag.facts(name)).collect()
}

/// What is known of a tag.
#[derive(Default)]
struct Tag<'a> {
    rows: u32,
    granules: u64,
    /// The rows and granules of each value, while they are few and short.
    values: BTreeMap<&'a str, (u32, u64)>,
    is_unlisted: bool,
}

impl<'a> Tag<'a> {
    fn add(&mut self, value: &'a str, rows: u32, granules: u64) {
        self.rows += rows;
        self.granules |= granules;
        if self.is_unlisted {
            return;
        }
        let sum = self.values.entry(value).or_default();
        sum.0 += rows;
        sum.1 |= granules;
        self.is_unlisted = value.len() > VALUE_BYTES_MAX || self.values.len() > TAG_VALUES_MAX;
    }

    fn facts(self, name: &str) -> FieldFacts {
        let value = |(value, (rows, granules)): (&str, (u32, u64))| ValueFacts {
            value: value.to_owned(),
            rows,
            granules,
        };
        FieldFacts {
            name: name.to_owned(),
            rows: self.rows,
            granules: self.granules,
            values: (!self.is_unlisted).then(|| self.values.into_iter().map(value).collect()),
            ..FieldFacts::default()
        }
    }
}

/// Appends the keys of the values of tags that `facts` does not list: each with the granules it is in.
pub(crate) fn put_keys(gather: &Gather<'_>, facts: &BlockFacts, out: &mut Vec<u8>) {
    if !facts.fields.iter().any(FieldFacts::has_unlisted_values) {
        return;
    }
    let (sets, rows) = gather.tag_sets.unlisted(facts, &gather.tag_codes);
    keys::write(sets, rows, GRANULE_ROWS, out);
}

fn field(gather: &Gather<'_>, name: &str, places: &[Place<'_, '_>]) -> FieldFacts {
    let mut facts = FieldFacts { name: name.to_owned(), range: Some(NO_NUMBERS), ..FieldFacts::default() };
    let holders: Vec<Vec<bool>> = places.iter().map(Place::holders).collect();
    let rows = gather.times.len();
    for (granule, rows) in granules_of(places, &holders, rows).into_iter().enumerate() {
        facts.rows += rows as u32;
        facts.granules |= u64::from(rows > 0) << granule;
    }
    for place in places {
        facts.range = match (facts.range, numbers(place)) {
            (Some(one), Some(other)) => Some((one.0.min(other.0), one.1.max(other.1))),
            _ => None,
        };
    }
    if let ([place], [holders]) = (places, holders.as_slice())
        && !place.repeated
    {
        facts.values = values(place, holders, facts.rows, facts.granules);
    }
    facts
}

impl Place<'_, '_> {
    /// Which skeletons have the column.
    fn holders(&self) -> Vec<bool> {
        holders(&self.part.skeletons, self.column)
    }

    /// How many rows of each granule have the column, by its holders.
    fn rows(&self, holders: &[bool]) -> Vec<usize> {
        self.census.rows(holders).collect()
    }
}

/// How many of the `rows` rows, granule by granule, have a value in one of `places`, by the holders of each.
fn granules_of(places: &[Place<'_, '_>], holders: &[Vec<bool>], rows: usize) -> Vec<usize> {
    if let ([place], [holders]) = (places, holders) {
        return place.rows(holders);
    }
    let has = |row: &usize| {
        places.iter().zip(holders).any(|(place, holders)| {
            place.part.codes.get(*row).is_some_and(|code| holders.get(*code as usize) == Some(&true))
        })
    };
    let granule = |start: usize| (start..rows.min(start + GRANULE_ROWS)).filter(has).count();
    (0..rows).step_by(GRANULE_ROWS).map(granule).collect()
}

/// Least and greatest number of a column; `None` when some value may be a number in a way not understood here.
fn numbers(place: &Place<'_, '_>) -> Option<(f64, f64)> {
    let of = |value: &[u8]| number(value);
    match place.kept {
        Kept::Numbers(least, greatest) => Some((*least, *greatest)),
        Kept::Constant(value) => of(value),
        Kept::Dictionary(values, _) => values.iter().try_fold(NO_NUMBERS, |range, value| {
            let (least, greatest) = of(value)?;
            Some((range.0.min(least), range.1.max(greatest)))
        }),
        Kept::Other => None,
    }
}

/// The range of one value: a plain decimal is itself, a text that cannot be any number has none.
fn number(value: &[u8]) -> Option<(f64, f64)> {
    let digits = value.strip_prefix(b"-").unwrap_or(value);
    let decimal = digits.first().is_some_and(u8::is_ascii_digit)
        && digits.last().is_some_and(u8::is_ascii_digit)
        && digits.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.')
        && digits.iter().filter(|byte| **byte == b'.').count() <= 1;
    if decimal {
        let number: f64 = std::str::from_utf8(value).ok()?.parse().ok()?;
        return Some((number, number));
    }
    let words = value.to_ascii_lowercase();
    let digitless = !value.iter().any(u8::is_ascii_digit) && value.is_ascii();
    let named = [&b"inf"[..], b"nan"].iter().any(|name| memchr::memmem::find(&words, name).is_some());
    (digitless && !named).then_some(NO_NUMBERS)
}

/// Every value of a column with its rows, when they are few and short.
fn values(place: &Place<'_, '_>, holders: &[bool], rows: u32, granules: u64) -> Option<Vec<ValueFacts>> {
    let text = |value: &[u8]| {
        let short = value.len() <= VALUE_BYTES_MAX;
        unescaped(value, place.escaped).ok().filter(|_| short)
    };
    match place.kept {
        Kept::Constant(value) => Some(vec![ValueFacts { value: text(value)?, rows, granules }]),
        Kept::Dictionary(distinct, codes) if distinct.len() <= VALUES_MAX => {
            let fresh = |value: &&[u8]| Some(ValueFacts { value: text(value)?, rows: 0, granules: 0 });
            let mut facts: Vec<ValueFacts> = distinct.iter().map(fresh).collect::<Option<_>>()?;
            let mut rest = codes.as_slice();
            for (granule, rows) in place.rows(holders).into_iter().enumerate() {
                let (own, behind) = rest.split_at_checked(rows).unwrap_or((rest, &[]));
                rest = behind;
                for code in own {
                    if let Some(value) = facts.get_mut(*code as usize) {
                        value.rows += 1;
                        value.granules |= 1 << granule;
                    }
                }
            }
            // Escapes may write one value in two ways.
            facts.sort_by(|a, b| a.value.cmp(&b.value));
            facts.dedup_by(|later, first| {
                let same = later.value == first.value;
                if same {
                    first.rows += later.rows;
                    first.granules |= later.granules;
                }
                same
            });
            Some(facts)
        }
        _ => None,
    }
}
