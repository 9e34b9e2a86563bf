//! Reading chosen values of a column by their places, in any order: what it costs hangs on how many are chosen, not on
//! how many lie between them.
//!
//! Where a value lies in a column of a skeleton's hole is a rank: how many values before it have a skeleton with that
//! hole. Ranks are answered from counts a granule and a place within it, or from a bitmap with a running count a word
//! (after Jacobson, Space-efficient static trees and graphs, 1989).

use std::sync::{Arc, OnceLock};

use hashbrown::HashMap;

use super::GRANULE_ROWS;
use super::ints::FRAME;
use super::node::{Chunk, Kind, Node, Packed, Ranks, Skeletons, Texts, holders, load_bytes};
use super::section::Source;
use super::wire::Corrupt;

const END: Corrupt = Corrupt("column ends early");

/// Bitmaps kept of one node; ranks of further sets of skeletons are counted when asked for.
const BITMAPS_MAX: usize = 64;

/// With fewer values chosen than one in so many of a dictionary, the others are not decoded.
const SPARSE: usize = 4;

/// Where the values of each column of a skeleton node lie.
#[derive(Debug)]
pub(crate) struct Places {
    /// How many values before it in its granule have the same skeleton, a value; empty where no column needs it.
    nth: Vec<u16>,
    /// Which values have a column, a column.
    holders: Vec<Holders>,
    /// The sets of skeletons that [`Holders::Several`] names.
    sets: Vec<Set>,
}

/// Which values have a column.
#[derive(Clone, Copy, Debug)]
enum Holders {
    /// All of them.
    All,
    /// Those with one skeleton.
    One,
    /// Those with a skeleton of this set.
    Several(u32),
}

/// Skeletons, and the values that have one of them.
#[derive(Debug)]
struct Set {
    /// Ascending.
    skeletons: Vec<u32>,
    bits: Option<OnceLock<Bits>>,
}

/// A bitmap of values, and how many are set before each word.
#[derive(Debug)]
struct Bits {
    words: Vec<(u64, u32)>,
}

impl Bits {
    fn of(codes: &[u32], skeletons: &[u32]) -> Bits {
        let mut has = vec![false; skeletons.last().map_or(0, |last| *last as usize + 1)];
        for skeleton in skeletons {
            has.iter_mut().skip(*skeleton as usize).take(1).for_each(|has| *has = true);
        }
        let mut before = 0;
        let word = |codes: &[u32]| {
            let mut bits = 0u64;
            for (at, code) in codes.iter().enumerate() {
                bits |= u64::from(has.get(*code as usize) == Some(&true)) << at;
            }
            let word = (bits, before);
            before += bits.count_ones();
            word
        };
        Bits { words: codes.chunks(64).map(word).collect() }
    }

    fn rank(&self, place: usize) -> usize {
        let (bits, before) = self.words.get(place / 64).copied().unwrap_or_default();
        (before + (bits & ((1 << (place % 64)) - 1)).count_ones()) as usize
    }
}

/// How many codes before it in its granule are the same, a code.
fn nth_of_codes(codes: &[u32], known: usize) -> Result<Vec<u16>, Corrupt> {
    let mut counts = vec![0u16; known];
    let mut nth = Vec::with_capacity(codes.len());
    for granule in codes.chunks(GRANULE_ROWS) {
        counts.fill(0);
        for code in granule {
            let count = counts.get_mut(*code as usize).ok_or(Corrupt("unknown skeleton"))?;
            nth.push(*count);
            *count += 1;
        }
    }
    Ok(nth)
}

impl Places {
    fn of(node: &Skeletons, ranks: &Ranks) -> Result<Places, Corrupt> {
        let known = node.skeletons.len();
        let total = ranks.before(ranks.codes.len());
        let mut users: Vec<Vec<u32>> = vec![Vec::new(); node.columns.len()];
        for (code, skeleton) in (0u32..).zip(&node.skeletons) {
            for column in &skeleton.columns {
                let users = users.get_mut(*column as usize).ok_or(Corrupt("hole without a column"))?;
                if users.last() == Some(&code) {
                    return Err(Corrupt("column twice in a skeleton"));
                }
                users.push(code);
            }
        }
        let mut sets: Vec<Set> = Vec::new();
        let mut known_sets: HashMap<Vec<u32>, u32, foldhash::fast::FixedState> = HashMap::default();
        let count = |code: &u32| total.get(*code as usize).copied().unwrap_or(0) as usize;
        let holders = users.into_iter().map(|users| {
            if users.iter().map(count).sum::<usize>() == ranks.codes.len() {
                return Holders::All;
            }
            if users.len() == 1 {
                return Holders::One;
            }
            Holders::Several(*known_sets.entry(users).or_insert_with_key(|users| {
                let bits = (sets.len() < BITMAPS_MAX).then(OnceLock::new);
                sets.push(Set { skeletons: users.clone(), bits });
                sets.len() as u32 - 1
            }))
        });
        let holders: Vec<Holders> = holders.collect();
        let nth = match holders.iter().any(|holders| matches!(holders, Holders::One)) {
            true => nth_of_codes(&ranks.codes, known)?,
            false => Vec::new(),
        };
        Ok(Places { nth, holders, sets })
    }

    /// Of the value at `place`, whose skeleton has `column`: where in the column its own value is.
    fn in_column(&self, column: u32, place: u32, ranks: &Ranks, body: Source<'_>) -> usize {
        let at = place as usize;
        match self.holders.get(column as usize) {
            None | Some(Holders::All) => at,
            Some(Holders::One) => {
                let code = ranks.codes.get(at).map_or(0, |code| *code as usize);
                let nth = self.nth.get(at).map_or(0, |nth| usize::from(*nth));
                ranks.before_granule(at / GRANULE_ROWS).get(code).map_or(0, |count| *count as usize) + nth
            }
            Some(Holders::Several(set)) => self.sets.get(*set as usize).map_or(0, |set| match &set.bits {
                Some(bits) => {
                    let bits = bits.get_or_init(|| {
                        body.count_held(ranks.codes.len() / 4);
                        Bits::of(&ranks.codes, &set.skeletons)
                    });
                    bits.rank(at)
                }
                None => set.count(at, ranks),
            }),
        }
    }
}

impl Set {
    /// How many values before `place` have one of the skeletons.
    fn count(&self, place: usize, ranks: &Ranks) -> usize {
        let granule = place / GRANULE_ROWS;
        let counts = ranks.before_granule(granule);
        let before = self.skeletons.iter().filter_map(|skeleton| counts.get(*skeleton as usize));
        let inside = ranks.codes(granule * GRANULE_ROWS..place);
        before.map(|count| *count as usize).sum::<usize>()
            + inside.iter().filter(|code| self.skeletons.binary_search(code).is_ok()).count()
    }
}

/// The chosen values of some columns of a skeleton node, each column's in the order they were chosen in.
struct Holes {
    columns: Vec<Option<(Values, usize)>>,
}

/// Chosen values of a column.
pub(crate) enum Values {
    /// A text each.
    Each(Texts),
    /// A code each.
    Coded { codes: Vec<i64>, texts: Arc<Texts> },
}

impl Values {
    /// Value `at` of those chosen.
    pub(crate) fn get(&self, at: usize) -> Option<&[u8]> {
        match self {
            Values::Each(texts) => texts.get(at),
            Values::Coded { codes, texts } => texts.get(usize::try_from(*codes.get(at)?).ok()?),
        }
    }
}

impl Holes {
    /// The next value of `column`; `None` when the column was not asked for.
    #[inline]
    fn next(&mut self, column: u32) -> Option<&[u8]> {
        let (values, at) = self.columns.get_mut(column as usize)?.as_mut()?;
        let own = *at;
        *at += 1;
        values.get(own)
    }
}

/// The values of a column of a skeleton node that were asked for.
pub(crate) enum Chosen {
    /// One for each value asked for.
    Each,
    /// Those at these places.
    At(Vec<u32>),
}

impl Skeletons {
    /// For every column for which `wanted` says so: where the values are that stand in the holes of the values at
    /// `places`, which have the skeletons `codes`; `None` where none does.
    pub(crate) fn chosen(
        &self,
        body: Source<'_>,
        places: &[u32],
        codes: &[u32],
        wanted: impl Fn(u32) -> bool,
    ) -> Result<Vec<Option<Chosen>>, Corrupt> {
        let ranks = self.ranks(body)?;
        let index = self.places(body, &ranks)?;
        let of_all = |column: &usize| matches!(index.holders.get(*column), Some(Holders::All));
        let mut chosen: Vec<Option<Chosen>> = (0..self.columns.len())
            .map(|column| (of_all(&column) && wanted(column as u32)).then_some(Chosen::Each))
            .collect();
        // The columns of a skeleton for which places are to be found out.
        let mut listed: Vec<Option<Vec<u32>>> = vec![None; self.skeletons.len()];
        for (place, code) in places.iter().zip(codes) {
            let skeleton = self.skeletons.get(*code as usize).ok_or(Corrupt("unknown skeleton"))?;
            let listed = listed.get_mut(*code as usize).ok_or(Corrupt("unknown skeleton"))?;
            let columns = listed.get_or_insert_with(|| {
                let own = skeleton.columns.iter().copied();
                own.filter(|column| !of_all(&(*column as usize)) && wanted(*column)).collect()
            });
            for column in columns {
                let at = index.in_column(*column, *place, &ranks, body) as u32;
                match chosen.get_mut(*column as usize) {
                    Some(Some(Chosen::At(list))) => list.push(at),
                    Some(slot) => *slot = Some(Chosen::At(vec![at])),
                    None => {}
                }
            }
        }
        Ok(chosen)
    }

    /// The same of the column `column` alone: of many columns one costs no more than it is.
    pub(crate) fn chosen_of(
        &self,
        body: Source<'_>,
        places: &[u32],
        codes: &[u32],
        column: usize,
    ) -> Result<Chosen, Corrupt> {
        let ranks = self.ranks(body)?;
        let index = self.places(body, &ranks)?;
        if matches!(index.holders.get(column), Some(Holders::All)) {
            return Ok(Chosen::Each);
        }
        let has = holders(&self.skeletons, column as u32);
        let own = places.iter().zip(codes).filter(|(_, code)| has.get(**code as usize) == Some(&true));
        let at = own.map(|(place, _)| index.in_column(column as u32, *place, &ranks, body) as u32);
        Ok(Chosen::At(at.collect()))
    }

    /// Where the values of the columns lie.
    fn places(&self, body: Source<'_>, ranks: &Ranks) -> Result<&Places, Corrupt> {
        if let Some(index) = self.places.get() {
            return Ok(index);
        }
        let index = Places::of(self, ranks)?;
        body.count_held(index.nth.len() * 2 + index.holders.len() * size_of::<Holders>());
        Ok(self.places.get_or_init(|| Box::new(index)))
    }

    /// The skeletons of the values at `places`.
    pub(crate) fn codes_at(&self, body: Source<'_>, places: &[u32]) -> Result<Vec<u32>, Corrupt> {
        let ranks = self.ranks(body)?;
        let code = |place: &u32| ranks.codes.get(*place as usize).copied().ok_or(END);
        places.iter().map(code).collect()
    }

    /// The values of all columns, in the holes of the values at `places`; `times` are the times of their rows.
    fn pick_holes(
        &self,
        body: Source<'_>,
        places: &[u32],
        codes: &[u32],
        times: Option<&[i64]>,
    ) -> Result<Holes, Corrupt> {
        let mut columns = Vec::with_capacity(self.columns.len());
        let chosen = self.chosen(body, places, codes, |_| true)?;
        for ((number, column), chosen) in (0u32..).zip(&self.columns).zip(chosen) {
            columns.push(match chosen {
                None => None,
                Some(Chosen::Each) => Some((column.pick_values(body, places, times)?, 0)),
                Some(Chosen::At(at)) => {
                    let own = times.filter(|_| column.is_relative());
                    let own = own.map(|times| self.times_of(number, codes, times));
                    Some((column.pick_values(body, &at, own.as_deref())?, 0))
                }
            });
        }
        Ok(Holes { columns })
    }

    fn pick(
        &self,
        body: Source<'_>,
        places: &[u32],
        times: Option<&[i64]>,
        out: &mut Texts,
    ) -> Result<(), Corrupt> {
        let codes = self.codes_at(body, places)?;
        let mut holes = self.pick_holes(body, places, &codes, times)?;
        for code in &codes {
            let skeleton = self.skeletons.get(*code as usize).ok_or(Corrupt("unknown skeleton"))?;
            let mut start = 0;
            for (end, column) in skeleton.ends.iter().zip(&skeleton.columns) {
                let end = *end as usize;
                out.bytes.extend_from_slice(skeleton.literal.get(start..end).unwrap_or_default());
                start = end;
                out.bytes.extend_from_slice(holes.next(*column).ok_or(Corrupt("hole without a column"))?);
            }
            out.bytes.extend_from_slice(skeleton.literal.get(start..).unwrap_or_default());
            out.ends.push(out.bytes.len() as u32);
        }
        Ok(())
    }
}

impl Node {
    /// The values at `places`, as [`Node::pick`] would append them; of a dictionary that is decoded, their codes.
    pub(crate) fn pick_values(
        &self,
        body: Source<'_>,
        places: &[u32],
        times: Option<&[i64]>,
    ) -> Result<Values, Corrupt> {
        if let Kind::Dictionary { values, codes, texts, .. } = &self.kind
            && (texts.get().is_some() || places.len() >= values.count / SPARSE)
        {
            let (codes, texts) = (codes.pick(body, places)?, self.dictionary(body)?);
            let known = 0..texts.len() as i64;
            return match codes.iter().all(|code| known.contains(code)) {
                true => Ok(Values::Coded { codes, texts }),
                false => Err(Corrupt("unknown code")),
            };
        }
        let mut texts = Texts::default();
        self.pick(body, places, times, &mut texts)?;
        Ok(Values::Each(texts))
    }

    /// Appends the values at `places`; `times` are the times of their rows, where it is a column of rows.
    pub(crate) fn pick(
        &self,
        body: Source<'_>,
        places: &[u32],
        times: Option<&[i64]>,
        out: &mut Texts,
    ) -> Result<(), Corrupt> {
        out.ends.reserve(places.len());
        match &self.kind {
            Kind::Constant(value) => {
                for _ in places {
                    out.push(value);
                }
            }
            Kind::Dictionary { values, codes, texts, .. } => {
                let codes = codes.pick(body, places)?;
                if texts.get().is_none() && codes.len() < values.count / SPARSE {
                    return pick_distinct(values, body, &codes, out);
                }
                let texts = self.dictionary(body)?;
                for code in codes {
                    out.push(texts.get(code as usize).ok_or(Corrupt("unknown code"))?);
                }
            }
            Kind::Number { form, unit, values } => {
                let mut numbers = values.pick(body, places)?;
                if *unit > 0 {
                    let times = times.filter(|times| times.len() >= numbers.len());
                    let times = times.ok_or(Corrupt("relative column without times"))?;
                    for (number, time) in numbers.iter_mut().zip(times) {
                        *number = number.wrapping_add(time.div_euclid(*unit));
                    }
                }
                form.append_all(&numbers, &mut out.bytes, &mut out.ends);
            }
            Kind::Hex { pattern, digits, bytes } => {
                let (width, digits) = (pattern.width(), load_bytes(bytes, digits, body)?);
                for place in places {
                    let at = *place as usize * width;
                    pattern.append(digits.get(at..at + width).ok_or(END)?, &mut out.bytes);
                    out.ends.push(out.bytes.len() as u32);
                }
            }
            Kind::Text { lengths, chunks, starts } => {
                let starts = match starts.get() {
                    Some(starts) => starts,
                    None => {
                        let found = TextStarts::of(lengths, chunks, body)?;
                        starts.get_or_init(|| {
                            body.count_held((found.frames.len() + found.chunks.len()) * size_of::<u64>());
                            Box::new(found)
                        })
                    }
                };
                pick_texts(lengths, chunks, starts, body, places, out)?;
            }
            Kind::Skeletons(skeletons) => skeletons.pick(body, places, times, out)?,
        }
        if out.bytes.len() > u32::MAX as usize { Err(Corrupt("values larger than a block")) } else { Ok(()) }
    }
}

/// Appends the values of a dictionary that `codes` name, without decoding the others.
fn pick_distinct(values: &Node, body: Source<'_>, codes: &[i64], out: &mut Texts) -> Result<(), Corrupt> {
    const UNKNOWN: Corrupt = Corrupt("unknown code");
    let mut distinct: Vec<u32> =
        codes.iter().map(|code| u32::try_from(*code).map_err(|_| UNKNOWN)).collect::<Result<_, _>>()?;
    distinct.sort_unstable();
    distinct.dedup();
    if distinct.last().is_some_and(|last| *last as usize >= values.count) {
        return Err(UNKNOWN);
    }
    let mut texts = Texts::default();
    values.pick(body, &distinct, None, &mut texts)?;
    for code in codes {
        let at = distinct.binary_search(&(*code as u32)).map_err(|_| UNKNOWN)?;
        out.push(texts.get(at).ok_or(UNKNOWN)?);
    }
    Ok(())
}

/// Bytes before each frame of lengths, and before each chunk, of a column of text.
#[derive(Debug)]
pub(crate) struct TextStarts {
    frames: Vec<u64>,
    chunks: Vec<u64>,
}

impl TextStarts {
    fn of(lengths: &Packed, chunks: &[Chunk], body: Source<'_>) -> Result<TextStarts, Corrupt> {
        let ints = lengths.load(body)?;
        let mut starts = TextStarts { frames: Vec::new(), chunks: Vec::with_capacity(chunks.len()) };
        let mut firsts = chunks.iter().map(|chunk| chunk.first).peekable();
        let (mut bytes, mut place) = (0u64, 0);
        let mut values = Vec::with_capacity(FRAME);
        while place < ints.len() {
            starts.frames.push(bytes);
            values.clear();
            ints.read(place..place + FRAME, &mut values);
            for value in &values {
                while firsts.next_if(|first| *first <= place).is_some() {
                    starts.chunks.push(bytes);
                }
                // Lengths of a damaged block may be anything: what they lead to is checked where it is used.
                bytes = bytes.wrapping_add(*value as u64);
                place += 1;
            }
        }
        starts.chunks.resize(chunks.len(), bytes);
        Ok(starts)
    }
}

fn pick_texts(
    lengths: &Packed,
    chunks: &[Chunk],
    starts: &TextStarts,
    body: Source<'_>,
    places: &[u32],
    out: &mut Texts,
) -> Result<(), Corrupt> {
    const OUTSIDE: Corrupt = Corrupt("text outside its chunk");
    let ints = lengths.load(body)?;
    let mut values = Vec::with_capacity(FRAME);
    let mut ends: Vec<u64> = Vec::with_capacity(FRAME + 1);
    for run in places.chunk_by(|a, b| *a as usize / FRAME == *b as usize / FRAME) {
        let frame = run.first().map_or(0, |place| *place as usize / FRAME);
        values.clear();
        ints.read(frame * FRAME..(frame + 1) * FRAME, &mut values);
        let mut at = starts.frames.get(frame).copied().ok_or(END)?;
        ends.clear();
        ends.push(at);
        ends.extend(values.iter().map(|len| {
            at = at.wrapping_add(*len as u64);
            at
        }));
        for place in run {
            let place = *place as usize;
            let index = chunks.partition_point(|chunk| chunk.first <= place).saturating_sub(1);
            let chunk = chunks.get(index).ok_or(Corrupt("text without a chunk"))?;
            let base = starts.chunks.get(index).copied().unwrap_or(0);
            let slot = place - frame * FRAME;
            let (Some(start), Some(end)) = (ends.get(slot), ends.get(slot + 1)) else { return Err(END) };
            let start = usize::try_from(start.wrapping_sub(base)).map_err(|_| OUTSIDE)?;
            let end = usize::try_from(end.wrapping_sub(base)).map_err(|_| OUTSIDE)?;
            out.push(chunk.load(body)?.get(start..end).ok_or(OUTSIDE)?);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_counts() {
        let codes: Vec<u32> = (0..3_000_u32).map(|at| at * at % 7).collect();
        let has = [true, false, true, true, false, false, false];
        let bits = Bits::of(&codes, &[0, 2, 3]);
        let mut count = 0;
        for (place, code) in codes.iter().enumerate() {
            assert_eq!(bits.rank(place), count, "{place}");
            count += usize::from(has[*code as usize]);
        }
    }
}
