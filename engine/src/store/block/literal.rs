//! Searching a column for a literal on what is stored.
//!
//! A [`Plan`] is made once a block: constants and the distinct values of dictionaries are looked at once; a number
//! or an id that cannot have a byte of the literal is out; of each skeleton it is known whether all of its texts
//! match, none, those in whose holes the literal stands, or whether a match could reach over the border of a piece,
//! in which case its texts are put together and looked at. When in doubt, texts are put together.

use std::ops::Range;

use memchr::memmem::Finder;

use super::cursor::Cursor;
use super::node::{Kind, Node, Skeleton, Skeletons};
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
    pub(crate) fn of(node: &Node, finder: &Finder<'_>, source: Source<'_>) -> Result<Plan, Corrupt> {
        let literal = finder.needle();
        Ok(match &node.kind {
            Kind::Constant(value) => always(finder.find(value).is_some()),
            Kind::Dictionary { .. } => {
                let texts = node.dictionary(source)?;
                let hit = |index| texts.get(index).is_some_and(|text| finder.find(text).is_some());
                let hits: Vec<bool> = (0..texts.len()).map(hit).collect();
                match (hits.contains(&true), hits.contains(&false)) {
                    (false, _) => Plan::Never,
                    (true, false) => Plan::Always,
                    (true, true) => Plan::Codes(hits),
                }
            }
            Kind::Number { form, .. } => {
                let out = literal.len() > form.longest() || literal.iter().any(|byte| form.never_has(*byte));
                if out { Plan::Never } else { Plan::Look }
            }
            Kind::Hex { pattern, .. } => {
                let out =
                    literal.len() > pattern.text_len() || literal.iter().any(|byte| pattern.never_has(*byte));
                if out { Plan::Never } else { Plan::Look }
            }
            Kind::Text { .. } => Plan::Look,
            Kind::Skeletons(skeletons) => {
                let columns: Vec<Plan> = skeletons
                    .columns
                    .iter()
                    .map(|column| Plan::of(column, finder, source))
                    .collect::<Result<_, _>>()?;
                let way = |skeleton: &Skeleton| way(skeleton, skeletons, &columns, finder);
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

fn way(skeleton: &Skeleton, node: &Skeletons, columns: &[Plan], finder: &Finder<'_>) -> Way {
    if skeleton.pieces().any(|piece| finder.find(piece).is_some()) {
        return Way::Always;
    }
    let plans = || skeleton.columns.iter().filter_map(|column| columns.get(*column as usize));
    if plans().any(|plan| matches!(plan, Plan::Always)) {
        return Way::Always;
    }
    if reaches_over(skeleton, node, finder.needle()) {
        return Way::Rebuild;
    }
    if plans().all(|plan| matches!(plan, Plan::Never)) { Way::Never } else { Way::Holes }
}

/// Whether a match could have a byte of a piece and a byte of a hole. A hole of numbers or ids is never empty, and
/// the byte that would have to stand at its border must be one that it can have.
fn reaches_over(skeleton: &Skeleton, node: &Skeletons, literal: &[u8]) -> bool {
    let holes = skeleton.columns.len();
    let may_have = |hole: usize, byte: u8| {
        let column = skeleton.columns.get(hole).and_then(|column| node.columns.get(*column as usize));
        column.is_none_or(|column| match &column.kind {
            Kind::Number { form, .. } => !form.never_has(byte),
            Kind::Hex { pattern, .. } => !pattern.never_has(byte),
            _ => true,
        })
    };
    skeleton.pieces().enumerate().any(|(place, piece)| {
        let (before, after) = (place > 0, place < holes);
        if piece.is_empty() {
            // Two holes that touch.
            return before && after;
        }
        // The literal starts in the piece and goes on in the hole behind it.
        let onwards = after
            && (1..literal.len().min(piece.len() + 1)).any(|len| {
                literal.get(..len).is_some_and(|head| piece.ends_with(head))
                    && literal.get(len).is_some_and(|byte| may_have(place, *byte))
            });
        // It starts in the hole before the piece and ends in the piece.
        let inwards = before
            && (1..literal.len().min(piece.len() + 1)).any(|len| {
                let cut = literal.len() - len;
                literal.get(cut..).is_some_and(|tail| piece.starts_with(tail))
                    && literal.get(cut - 1).is_some_and(|byte| may_have(place - 1, *byte))
            });
        // The whole piece lies inside it.
        let across = before
            && after
            && literal.len() >= piece.len() + 2
            && literal
                .get(1..literal.len() - 1)
                .is_some_and(|inner| memchr::memmem::find(inner, piece).is_some());
        onwards || inwards || across
    })
}

/// Which values of `range` match, in order; `times` are those of their rows, where it is a column of rows.
pub(crate) fn hits(
    node: &Node,
    plan: &Plan,
    finder: &Finder<'_>,
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
        (Plan::Skeletons(ways, plans), Kind::Skeletons(skeletons)) => {
            skeleton_hits(node, skeletons, (ways, plans), finder, source, range, times)
        }
        _ => {
            let mut found = vec![false; range.len()];
            look(node, &mut found, |_| true, finder, source, range, times)?;
            Ok(found)
        }
    }
}

fn skeleton_hits(
    node: &Node,
    skeletons: &Skeletons,
    (ways, plans): (&[Way], &[Plan]),
    finder: &Finder<'_>,
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
            let values = hits(column, plan, finder, source, start..start + count, own.as_deref())?;
            let rows = found.iter_mut().zip(codes).filter(|(_, code)| has(code));
            for ((found, code), hit) in rows.zip(values) {
                *found |= hit && way(code) == Way::Holes;
            }
        }
    }
    if codes.iter().any(|code| way(code) == Way::Rebuild) {
        let rebuild = |place: usize| codes.get(place).is_some_and(|code| way(code) == Way::Rebuild);
        look(node, &mut found, rebuild, finder, source, range, times)?;
    }
    Ok(found)
}

/// Puts the values of `range` that are `wanted` one behind the other, and searches them all at once.
fn look(
    node: &Node,
    found: &mut [bool],
    wanted: impl Fn(usize) -> bool,
    finder: &Finder<'_>,
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
    each_hit(&texts, finder, &starts, |place| {
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
    finder: &Finder<'_>,
    starts: &[(usize, usize)],
    mut each: impl FnMut(usize),
) {
    let mut at = 0;
    while let Some(hit) = texts.get(at..).and_then(|rest| finder.find(rest)) {
        let hit = at + hit;
        let index = starts.partition_point(|(start, _)| *start <= hit).saturating_sub(1);
        let end = starts.get(index + 1).map_or(texts.len(), |next| next.0);
        if hit + finder.needle().len() <= end {
            if let Some((_, place)) = starts.get(index) {
                each(*place);
            }
            at = end;
        } else {
            at = hit + 1;
        }
    }
}
