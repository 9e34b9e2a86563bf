//! Finding the values of a column that are as asked, as a set of bits.
//!
//! All values of a column are one set, of which only those `wanted` are looked at: what a term has already ruled out
//! is not decoded. Codes of skeletons become sets by their lists. Where a column belongs to one skeleton alone, as
//! those of templates do, its values are the skeleton's; else they are pressed together out of the rows that have it.

use weir_query::record::Selection;

use super::bits::Lane;
use super::expand::{compress, expand};
use super::ints::FRAME;
use super::lists::Lists;
use super::literal::{Plan, SkeletonPlan, Term};
use super::look::look;
use super::needle::Needle;
use super::node::{Kind, Node, Packed, Skeletons, load_bytes};
use super::numeric::Test;
use super::section::Source;
use super::wire::Corrupt;

/// Words a frame.
const FRAME_WORDS: usize = FRAME / 64;

/// Which of the `wanted` values of `node` are as its plan asks; `times` are those of the rows of all its values,
/// where it is a column of rows that has relative columns.
pub(crate) fn marks(
    node: &Node,
    plan: &Plan,
    needle: &Needle,
    source: Source<'_>,
    wanted: &Selection,
    times: Option<&[i64]>,
) -> Result<Selection, Corrupt> {
    match (plan, &node.kind) {
        (Plan::Never, _) => Ok(Selection::none(wanted.rows())),
        (Plan::Always, _) => Ok(wanted.clone()),
        (Plan::Codes(hits), Kind::Dictionary { codes, .. }) => {
            each_integer(codes, source, wanted, |_, code: u32| hits.get(code as usize) == Some(&true))
        }
        (Plan::Numbers(test), Kind::Number { unit: 0, values, .. }) => numbers(test, values, source, wanted),
        (Plan::Numbers(test), Kind::Number { unit, values, .. }) => {
            let times = times.ok_or(Corrupt("relative column without times"))?;
            let base = |value: usize| times.get(value).map_or(0, |time| time.div_euclid(*unit));
            each_integer(values, source, wanted, |value, number: i64| {
                test.holds(number.wrapping_add(base(value)))
            })
        }
        (Plan::Runs(cores), Kind::Hex { pattern, digits, bytes }) => {
            let mut found = Selection::none(wanted.rows());
            let digits = load_bytes(bytes, digits, source)?;
            for run in runs(wanted) {
                let own = digits.get(run.start * pattern.width()..run.end * pattern.width());
                let own = own.ok_or(Corrupt("column ends early"))?;
                pattern.each_hit(own, needle, cores, |value| found.insert(run.start + value));
            }
            found.intersect(wanted);
            Ok(found)
        }
        (Plan::Digits(wanted_digits), Kind::Hex { pattern, digits, bytes }) => {
            let (width, all) = (pattern.width(), load_bytes(bytes, digits, source)?);
            let mut found = wanted.clone();
            found.retain(|value| {
                all.get(value * width..(value + 1) * width).is_some_and(|own| wanted_digits.are_in(own))
            });
            Ok(found)
        }
        (Plan::Skeletons(plan), Kind::Skeletons(skeletons)) => {
            Marking { node, skeletons, needle, source, times, lists: skeletons.lists(source)? }
                .all(plan, wanted)
        }
        (Plan::Look(ask), _) => look(node, *ask, needle, source, wanted, times),
        _ => Err(Corrupt("plan of another column")),
    }
}

/// The wanted numbers that pass. Tests of an alignment leave one in hundreds to the next, which takes them one by one.
fn numbers(
    test: &Test,
    values: &Packed,
    source: Source<'_>,
    wanted: &Selection,
) -> Result<Selection, Corrupt> {
    if let Test::Ranges(ranges) = test
        && let [range] = ranges.as_slice()
        && !is_sparse(wanted)
    {
        return each_integer(values, source, wanted, |_, value: i64| range.contains(&value));
    }
    if is_sparse(wanted) {
        let places: Vec<u32> = wanted.iter().map(|place| place as u32).collect();
        let mut found = Selection::none(wanted.rows());
        for (place, value) in places.iter().zip(values.pick(source, &places)?) {
            if test.holds(value) {
                found.insert(*place as usize);
            }
        }
        return Ok(found);
    }
    each_integer(values, source, wanted, |_, value: i64| test.holds(value))
}

/// Fewer than one in sixteen of a set.
fn is_sparse(set: &Selection) -> bool {
    set.count() < set.rows() / 16
}

/// The wanted integers for which `test` holds, given the place of each. Frames without any are not decoded.
fn each_integer<T: Lane>(
    packed: &Packed,
    source: Source<'_>,
    wanted: &Selection,
    test: impl Fn(usize, T) -> bool,
) -> Result<Selection, Corrupt> {
    let ints = packed.load(source)?;
    let mut words = vec![0u64; wanted.words().len()];
    let mut buffer = [T::default(); FRAME];
    let frames = words.chunks_mut(FRAME_WORDS).zip(wanted.words().chunks(FRAME_WORDS));
    for (frame, (found, wanted)) in frames.enumerate() {
        if wanted.iter().all(|word| *word == 0) {
            continue;
        }
        let held = ints.decode(frame * FRAME..(frame + 1) * FRAME, &mut buffer);
        let values = buffer.get(..held).unwrap_or_default().chunks(64);
        for (index, ((found, wanted), values)) in found.iter_mut().zip(wanted).zip(values).enumerate() {
            if *wanted == 0 {
                continue;
            }
            let first = frame * FRAME + index * 64;
            let mut bits = 0;
            for (bit, value) in values.iter().enumerate() {
                bits |= u64::from(test(first + bit, *value)) << bit;
            }
            *found = bits & wanted;
        }
    }
    Ok(Selection::from_words(wanted.rows(), words))
}

/// The runs of neighbouring words of a set that are not empty, as ranges of values.
fn runs(set: &Selection) -> Vec<std::ops::Range<usize>> {
    let mut runs: Vec<std::ops::Range<usize>> = Vec::new();
    for (index, _) in set.words().iter().enumerate().filter(|(_, word)| **word != 0) {
        let (start, end) = (index * 64, ((index + 1) * 64).min(set.rows()));
        match runs.last_mut().filter(|run| run.end == start) {
            Some(run) => run.end = end,
            None => runs.push(start..end),
        }
    }
    runs
}

/// The places in the ascending list `values` of those that are wanted. What is wanted of a block is granules for the
/// most part, of which only the ends are looked for.
fn places_of(values: &[u16], wanted: &Selection) -> Selection {
    let mut places = Selection::none(values.len());
    let (mut word, mut at) = (0, 0);
    for run in wanted.words().chunk_by(|a, b| a == b || is_mixed(*a) && is_mixed(*b)) {
        let (first, mixed) = (word * 64, run.first().is_some_and(|word| is_mixed(*word)));
        word += run.len();
        if run.first() == Some(&0) {
            continue;
        }
        let start = at + behind(values.get(at..).unwrap_or_default(), first);
        at = start + behind(values.get(start..).unwrap_or_default(), word * 64);
        if !mixed {
            places.insert_range(start..at);
            continue;
        }
        for (place, value) in (start..).zip(values.get(start..at).unwrap_or_default()) {
            if wanted.contains(usize::from(*value)) {
                places.insert(place);
            }
        }
    }
    places
}

/// Some bits of the word are ones, not all.
fn is_mixed(word: u64) -> bool {
    word != 0 && word != u64::MAX
}

/// How many of the ascending `values` are less than `bound`, looked for in ever longer steps (Bentley, Yao 1976): what
/// is asked for next is near.
fn behind(values: &[u16], bound: usize) -> usize {
    let mut reach = 1;
    while values.get(reach - 1).is_some_and(|value| usize::from(*value) < bound) {
        reach *= 2;
    }
    let from = reach / 2;
    let near = values.get(from..reach.min(values.len())).unwrap_or_default();
    from + near.partition_point(|value| usize::from(*value) < bound)
}

/// The search of the texts of skeletons.
struct Marking<'a> {
    node: &'a Node,
    skeletons: &'a Skeletons,
    needle: &'a Needle,
    source: Source<'a>,
    times: Option<&'a [i64]>,
    lists: &'a Lists,
}

impl Marking<'_> {
    fn all(&self, plan: &SkeletonPlan, wanted: &Selection) -> Result<Selection, Corrupt> {
        let mut found = self.lists.select_among(plan.always.iter().copied(), wanted);
        let all = wanted.is_all();
        for term in &plan.terms {
            match self.of_one(term, plan) {
                Some(code) => self.term_of_one(code, term, plan, (wanted, all), &mut found)?,
                None => self.term(term, plan, wanted, &mut found)?,
            }
        }
        if let (false, Some(ask)) = (plan.rebuild.is_empty(), plan.ask) {
            let left = self.lists.select_among(plan.rebuild.iter().copied(), wanted);
            found.union(&look(self.node, ask, self.needle, self.source, &left, self.times)?);
        }
        Ok(found)
    }

    /// The skeleton of `term`, when it is one of several and the columns of the tests are its alone.
    fn of_one(&self, term: &Term, plan: &SkeletonPlan) -> Option<u32> {
        let [code] = term.skeletons.as_slice() else { return None };
        let uses = self.lists.uses(*code);
        let own = |test: &usize| {
            let column = plan.tests.get(*test).map(|(column, _)| *column as usize);
            let column = column.and_then(|column| self.skeletons.columns.get(column));
            column.is_some_and(|column| column.count == uses && !column.is_relative())
        };
        // A column with as many values as the skeleton, which has it, can have none of another.
        (!self.lists.is_all(*code) && term.tests.iter().all(own)).then_some(*code)
    }

    /// Adds the values of skeleton `code` for which `term` holds, counted among themselves while it is tested.
    fn term_of_one(
        &self,
        code: u32,
        term: &Term,
        plan: &SkeletonPlan,
        (wanted, all): (&Selection, bool),
        found: &mut Selection,
    ) -> Result<(), Corrupt> {
        let values = self.lists.values(code);
        let mut left = if all { Selection::all(values.len()) } else { places_of(values, wanted) };
        for test in &term.tests {
            if left.is_empty() {
                return Ok(());
            }
            let (column, plan) = self.test(*test, plan)?;
            left = marks(column, plan, self.needle, self.source, &left, None)?;
        }
        for value in left.iter().filter_map(|place| values.get(place)) {
            found.insert(usize::from(*value));
        }
        Ok(())
    }

    /// Adds the values for which `term` holds.
    fn term(
        &self,
        term: &Term,
        plan: &SkeletonPlan,
        wanted: &Selection,
        found: &mut Selection,
    ) -> Result<(), Corrupt> {
        let mut left = self.lists.select_among(term.skeletons.iter().copied(), wanted);
        left.subtract(found);
        for test in &term.tests {
            if left.is_empty() {
                return Ok(());
            }
            let index = plan.tests.get(*test).map_or(u32::MAX, |(column, _)| *column);
            let (column, plan) = self.test(*test, plan)?;
            let times = if column.is_relative() { Some(self.times_of(index)?) } else { None };
            if column.count == left.rows() {
                left = marks(column, plan, self.needle, self.source, &left, times.as_deref())?;
                continue;
            }
            let mask = self.skeletons.holders(index, self.source)?;
            let values = compress(&left, &mask, column.count);
            let hits = marks(column, plan, self.needle, self.source, &values, times.as_deref())?;
            left.intersect(&expand(&hits, &mask));
        }
        found.union(&left);
        Ok(())
    }

    fn test<'p>(&self, test: usize, plan: &'p SkeletonPlan) -> Result<(&Node, &'p Plan), Corrupt> {
        let (column, plan) = plan.tests.get(test).ok_or(Corrupt("test without a column"))?;
        let column = self.skeletons.columns.get(*column as usize);
        Ok((column.ok_or(Corrupt("hole without a column"))?, plan))
    }

    /// The times of the rows that have `column`.
    fn times_of(&self, column: u32) -> Result<Vec<i64>, Corrupt> {
        let times = self.times.ok_or(Corrupt("relative column without times"))?;
        let ranks = self.skeletons.ranks(self.source)?;
        Ok(self.skeletons.times_of(column, ranks.codes(0..times.len()), times))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_those_of_wanted_values() {
        let sets: [&dyn Fn(usize) -> bool; 7] = [
            &|_| true,
            &|_| false,
            &|value| value % 2 == 0,
            &|value| value / 1_024 % 2 == 1,
            &|value| (70..200).contains(&value) || value > 4_990,
            &|value| value / 64 % 3 == 0 || value % 5 == 0,
            &|value| value == 4_999,
        ];
        for step in [1, 2, 7, 100, 6_000] {
            let values: Vec<u16> = (step / 2..5_000).step_by(step).map(|value| value as u16).collect();
            for (index, set) in sets.iter().enumerate() {
                let wanted = Selection::from_fn(5_000, set);
                let expected = Selection::from_fn(values.len(), |place| set(usize::from(values[place])));
                assert_eq!(places_of(&values, &wanted), expected, "set {index}, every {step}");
            }
        }
    }
}
