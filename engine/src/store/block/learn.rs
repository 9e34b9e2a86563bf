//! What a block's facts are, learned while it is written.

use std::collections::BTreeMap;

use super::GRANULE_ROWS;
use super::builder::KeptParts;
use super::column::unescaped;
use super::encode::Kept;
use super::facts::{BlockFacts, FieldFacts, ValueFacts};
use super::gather::Gather;
use super::part::PartInput;
use super::tags::{INDEX_KEY_BYTES, index_key};

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

/// One column of one part.
struct Place<'g, 'a> {
    part: &'g PartInput,
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
    };
    let mut places: BTreeMap<&str, Vec<Place<'_, '_>>> = BTreeMap::new();
    for (part, kept) in [(&gather.raw, &kept.0), (&gather.attributes, &kept.1)] {
        for (index, (place, kept)) in part.places.iter().zip(kept).enumerate() {
            // A field is never taken for a tag, whatever its name.
            if place.repeat >= u32::MAX - 1 || place.path.starts_with('#') {
                continue;
            }
            let escaped = part.escaped.get(index) == Some(&true);
            places.entry(&place.path).or_default().push(Place {
                part,
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
    let mut tags: BTreeMap<&str, BTreeMap<&str, (u32, u64)>> = BTreeMap::new();
    for (set, (rows, granules)) in gather.tag_sets.iter().zip(sets) {
        for (name, value) in set {
            let sum = tags.entry(name).or_default().entry(value).or_default();
            sum.0 += rows;
            sum.1 |= granules;
        }
    }
    tags.into_iter().map(|(name, values)| tag(name, &values)).collect()
}

/// The facts of one tag, given the rows and granules of each of its values.
fn tag(name: &str, values: &BTreeMap<&str, (u32, u64)>) -> FieldFacts {
    let short = |value: &&str| value.len() <= VALUE_BYTES_MAX;
    let listed = values.len() <= TAG_VALUES_MAX && values.keys().all(short);
    let value = |(value, (rows, granules)): (&&str, &(u32, u64))| ValueFacts {
        value: (*value).to_owned(),
        rows: *rows,
        granules: *granules,
    };
    FieldFacts {
        name: name.to_owned(),
        rows: values.values().map(|(rows, _)| rows).sum(),
        granules: values.values().fold(0, |all, (_, granules)| all | granules),
        range: None,
        values: listed.then(|| values.iter().map(value).collect()),
        has_keys: !listed,
    }
}

/// Adds the values of tags that `facts` does not list to the grams of their granules: their texts, for who looks for a
/// part of one, and their keys, for who looks for a whole one.
pub(crate) fn index_tags(gather: &mut Gather<'_>, facts: &BlockFacts) {
    let listed = |name: &str| {
        let at = facts.fields.binary_search_by(|field| field.name.as_str().cmp(name));
        at.is_ok_and(|at| facts.fields.get(at).is_some_and(|field| field.values.is_some()))
    };
    let hidden: Vec<Vec<(&str, [u8; INDEX_KEY_BYTES])>> = gather
        .tag_sets
        .iter()
        .map(|set| {
            let hidden = set.iter().filter(|(name, _)| !listed(name));
            hidden.map(|(name, value)| (value.as_str(), index_key(name, value))).collect()
        })
        .collect();
    if hidden.iter().all(Vec::is_empty) {
        return;
    }
    for (grams, codes) in gather.grams.maps_mut().zip(gather.tag_codes.chunks(GRANULE_ROWS)) {
        let mut codes = codes.to_vec();
        codes.sort_unstable();
        codes.dedup();
        for code in &codes {
            let values = usize::try_from(*code).ok().and_then(|code| hidden.get(code));
            for (value, key) in values.into_iter().flatten() {
                grams.add(value.as_bytes());
                grams.add(key);
            }
        }
    }
}

fn field(gather: &Gather<'_>, name: &str, places: &[Place<'_, '_>]) -> FieldFacts {
    let mut facts = FieldFacts { name: name.to_owned(), range: Some(NO_NUMBERS), ..FieldFacts::default() };
    let holds = |part: &PartInput, column: u32| -> Vec<bool> {
        part.skeletons.iter().map(|skeleton| skeleton.columns.contains(&column)).collect()
    };
    let tables: Vec<(&[u32], Vec<bool>)> =
        places.iter().map(|place| (place.part.codes.as_slice(), holds(place.part, place.column))).collect();
    let has = |row: usize| {
        let code = |codes: &[u32]| codes.get(row).map_or(usize::MAX, |code| *code as usize);
        tables.iter().any(|(codes, holds)| holds.get(code(codes)) == Some(&true))
    };
    let rows = gather.times.len();
    let everywhere = places.iter().any(|place| {
        // A skeleton holds a column at most once, so as many values as rows is one for each.
        place.part.columns.get(place.column as usize).is_some_and(|values| values.len() == rows)
    });
    let granules = rows.div_ceil(GRANULE_ROWS);
    if everywhere {
        facts.rows = rows as u32;
        facts.granules = u64::MAX >> (64 - granules.clamp(1, 64));
    } else {
        for row in (0..rows).filter(|row| has(*row)) {
            facts.rows += 1;
            facts.granules |= 1 << (row / GRANULE_ROWS);
        }
    }
    for place in places {
        facts.range = match (facts.range, numbers(place)) {
            (Some(one), Some(other)) => Some((one.0.min(other.0), one.1.max(other.1))),
            _ => None,
        };
    }
    if let [place] = places
        && !place.repeated
        && let Some((_, holds)) = tables.first()
    {
        facts.values = values(place, holds, facts.rows, facts.granules);
    }
    facts
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
fn values(place: &Place<'_, '_>, holds: &[bool], rows: u32, granules: u64) -> Option<Vec<ValueFacts>> {
    let text = |value: &[u8]| {
        let short = value.len() <= VALUE_BYTES_MAX;
        unescaped(value, place.escaped).ok().filter(|_| short)
    };
    match place.kept {
        Kept::Constant(value) => Some(vec![ValueFacts { value: text(value)?, rows, granules }]),
        Kept::Dictionary(distinct, codes) if distinct.len() <= VALUES_MAX => {
            let fresh = |value: &&[u8]| Some(ValueFacts { value: text(value)?, rows: 0, granules: 0 });
            let mut facts: Vec<ValueFacts> = distinct.iter().map(fresh).collect::<Option<_>>()?;
            let mut codes = codes.iter();
            for (row, _) in place
                .part
                .codes
                .iter()
                .enumerate()
                .filter(|(_, code)| holds.get(**code as usize) == Some(&true))
            {
                if let Some(value) = codes.next().and_then(|code| facts.get_mut(*code as usize)) {
                    value.rows += 1;
                    value.granules |= 1 << (row / GRANULE_ROWS);
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
