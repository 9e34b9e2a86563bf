//! Searching a column for a literal on what is stored.
//!
//! A [`Plan`] is made once a block: constants and the distinct values of dictionaries are looked at once; a number
//! or an id that cannot have a byte of the literal is out; of each skeleton it is known whether all of its texts
//! match, none, those in whose holes the literal stands, or whether a match could reach over the border of a piece,
//! in which case its texts are put together and looked at. When in doubt, texts are put together.

use std::ops::Range;

use super::cursor::Cursor;
use super::needle::Needle;
use super::node::{Kind, Node, Skeleton, Skeletons, Texts, load_bytes};
use super::reach::Borders;
use super::section::Source;
use super::wire::Corrupt;

/// What is known of a column before its values are looked at.
#[derive(Debug)]
pub(crate) enum Plan {
    /// No value matches.
    Never,
    /// Every value matches.
    Always,
    /// The values with these codes match.
    Codes(Vec<bool>),
    /// The values that match have one of these runs of digits.
    Digits(Vec<Vec<u8>>),
    /// The values must be looked at.
    Look,
    /// It depends on the skeleton: a way for each, and a plan for each column.
    Skeletons(Vec<Way>, Vec<Plan>),
}

/// What is known of the texts of one skeleton.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// None matches.
    Never,
    /// All match.
    Always,
    /// Those match that have the literal in a hole.
    Holes,
    /// A match may reach over a border: the text must be put together.
    Rebuild,
}

impl Plan {
    /// The plan for `node`.
    pub(crate) fn of(node: &Node, needle: &Needle, source: Source<'_>) -> Result<Plan, Corrupt> {
        Ok(match &node.kind {
            Kind::Constant(value) => always(needle.find(value).is_some()),
            Kind::Dictionary { .. } => {
                let texts = node.dictionary(source)?;
                let hits = dictionary_hits(&texts, needle);
                match (hits.contains(&true), hits.contains(&false)) {
                    (false, _) => Plan::Never,
                    (true, false) => Plan::Always,
                    (true, true) => Plan::Codes(hits),
                }
            }
            Kind::Number { form, .. } => {
                let out = needle.len() > form.longest() || needle.needs_one(|byte| form.never_has(byte));
                if out { Plan::Never } else { Plan::Look }
            }
            Kind::Hex { pattern, .. } => {
                let out =
                    needle.len() > pattern.text_len() || needle.needs_one(|byte| pattern.never_has(byte));
                match (out, pattern.cores(needle)) {
                    (true, _) => Plan::Never,
                    (false, Some(cores)) if cores.is_empty() => Plan::Never,
                    (false, Some(cores)) => Plan::Digits(cores),
                    (false, None) => Plan::Look,
                }
            }
            Kind::Text { .. } => Plan::Look,
            Kind::Skeletons(skeletons) => {
                let columns: Vec<Plan> = skeletons
                    .columns
                    .iter()
                    .map(|column| Plan::of(column, needle, source))
                    .collect::<Result<_, _>>()?;
                let borders = Borders::of(skeletons, needle, source)?;
                let way = |skeleton: &Skeleton| way(skeleton, &columns, &borders, needle);
                let ways: Vec<Way> = skeletons.skeletons.iter().map(way).collect();
                if ways.iter().all(|way| *way == Way::Never) {
                    Plan::Never
                } else {
                    Plan::Skeletons(ways, columns)
                }
            }
        })
    }
}

fn always(holds: bool) -> Plan {
    if holds { Plan::Always } else { Plan::Never }
}

fn way(skeleton: &Skeleton, columns: &[Plan], borders: &Borders, needle: &Needle) -> Way {
    if skeleton.pieces().any(|piece| needle.find(piece).is_some()) {
        return Way::Always;
    }
    let plans = || skeleton.columns.iter().filter_map(|column| columns.get(*column as usize));
    if plans().any(|plan| matches!(plan, Plan::Always)) {
        return Way::Always;
    }
    if borders.reached_over(skeleton, needle) {
        return Way::Rebuild;
    }
    if plans().all(|plan| matches!(plan, Plan::Never)) { Way::Never } else { Way::Holes }
}

/// Which of the distinct values match: one search over all of them.
fn dictionary_hits(texts: &Texts, needle: &Needle) -> Vec<bool> {
    let mut hits = vec![false; texts.len()];
    let mut at = 0;
    while let Some(hit) = texts.bytes.get(at..).and_then(|rest| needle.find(rest)) {
        let hit = at + hit;
        let index = texts.ends.partition_point(|end| *end as usize <= hit);
        let Some(end) = texts.ends.get(index).map(|end| *end as usize) else { break };
        if hit + needle.len() <= end {
            if let Some(slot) = hits.get_mut(index) {
                *slot = true;
            }
            at = end;
        } else {
            at = hit + 1;
        }
    }
    hits
}

/// Which values of `range` match, in order; `times` are those of their rows, where it is a column of rows.
pub(crate) fn hits(
    node: &Node,
    plan: &Plan,
    needle: &Needle,
    source: Source<'_>,
    range: Range<usize>,
    times: Option<&[i64]>,
) -> Result<Vec<bool>, Corrupt> {
    match (plan, &node.kind) {
        (Plan::Never, _) => Ok(vec![false; range.len()]),
        (Plan::Always, _) => Ok(vec![true; range.len()]),
        (Plan::Codes(hits), Kind::Dictionary { codes, .. }) => {
            let codes = codes.values(source, range)?;
            Ok(codes.iter().map(|code| hits.get(*code as usize) == Some(&true)).collect())
        }
        (Plan::Digits(cores), Kind::Hex { pattern, digits, bytes }) => {
            let (width, all) = (pattern.width(), load_bytes(bytes, digits, source)?);
            let own = all.get(range.start * width..range.end * width);
            Ok(pattern.hits(own.ok_or(Corrupt("column ends early"))?, needle, cores))
        }
        (Plan::Skeletons(ways, plans), Kind::Skeletons(skeletons)) => {
            skeleton_hits(node, skeletons, (ways, plans), needle, source, range, times)
        }
        _ => {
            let mut found = vec![false; range.len()];
            look(node, &mut found, |_| true, needle, source, range, times)?;
            Ok(found)
        }
    }
}

fn skeleton_hits(
    node: &Node,
    skeletons: &Skeletons,
    (ways, plans): (&[Way], &[Plan]),
    needle: &Needle,
    source: Source<'_>,
    range: Range<usize>,
    times: Option<&[i64]>,
) -> Result<Vec<bool>, Corrupt> {
    let ranks = skeletons.ranks(source)?;
    let codes = ranks.codes(range.clone());
    let way = |code: &u32| ways.get(*code as usize).copied().unwrap_or(Way::Rebuild);
    let mut found: Vec<bool> = codes.iter().map(|code| way(code) == Way::Always).collect();
    if codes.iter().any(|code| way(code) == Way::Holes) {
        let before = ranks.before(range.start);
        for (index, (column, plan)) in skeletons.columns.iter().zip(plans).enumerate() {
            if matches!(plan, Plan::Never) {
                continue;
            }
            let index = index as u32;
            let holds: Vec<bool> =
                skeletons.skeletons.iter().map(|skeleton| skeleton.columns.contains(&index)).collect();
            let has = |code: &u32| holds.get(*code as usize) == Some(&true);
            let count = codes.iter().filter(|code| has(code)).count();
            if !codes.iter().any(|code| has(code) && way(code) == Way::Holes) {
                continue;
            }
            let start: usize = before
                .iter()
                .zip(&holds)
                .filter(|(_, holds)| **holds)
                .map(|(count, _)| *count as usize)
                .sum();
            let own = match times {
                Some(times) if column.is_relative() => Some(skeletons.times_of(index, codes, times)),
                _ => None,
            };
            let values = hits(column, plan, needle, source, start..start + count, own.as_deref())?;
            let rows = found.iter_mut().zip(codes).filter(|(_, code)| has(code));
            for ((found, code), hit) in rows.zip(values) {
                *found |= hit && way(code) == Way::Holes;
            }
        }
    }
    if codes.iter().any(|code| way(code) == Way::Rebuild) {
        let rebuild = |place: usize| codes.get(place).is_some_and(|code| way(code) == Way::Rebuild);
        look(node, &mut found, rebuild, needle, source, range, times)?;
    }
    Ok(found)
}

/// Puts the values of `range` that are `wanted` one behind the other, and searches them all at once.
fn look(
    node: &Node,
    found: &mut [bool],
    wanted: impl Fn(usize) -> bool,
    needle: &Needle,
    source: Source<'_>,
    range: Range<usize>,
    times: Option<&[i64]>,
) -> Result<(), Corrupt> {
    let mut cursor = Cursor::open(node, source, range, times)?;
    let mut texts = Vec::new();
    let mut starts: Vec<(usize, usize)> = Vec::new();
    for place in 0..found.len() {
        if wanted(place) {
            starts.push((texts.len(), place));
            cursor.next(&mut texts)?;
        } else {
            cursor.skip()?;
        }
    }
    each_hit(&texts, needle, &starts, |place| {
        if let Some(found) = found.get_mut(place) {
            *found = true;
        }
    });
    Ok(())
}

/// Calls `each` with the place of every text that contains the literal. `starts`: where in `texts` each begins, and
/// its place.
pub(crate) fn each_hit(
    texts: &[u8],
    needle: &Needle,
    starts: &[(usize, usize)],
    mut each: impl FnMut(usize),
) {
    let mut at = 0;
    while let Some(hit) = texts.get(at..).and_then(|rest| needle.find(rest)) {
        let hit = at + hit;
        let index = starts.partition_point(|(start, _)| *start <= hit).saturating_sub(1);
        let end = starts.get(index + 1).map_or(texts.len(), |next| next.0);
        if hit + needle.len() <= end {
            if let Some((_, place)) = starts.get(index) {
                each(*place);
            }
            at = end;
        } else {
            at = hit + 1;
        }
    }
}
