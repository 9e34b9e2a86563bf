//! The values of each skeleton, in order: what a set of skeletons becomes a set of values by.

use weir_query::record::Selection;

use super::wire::Corrupt;

/// Stretches of codes that are counted side by side.
const LANES: usize = 4;

/// Which values have each skeleton.
#[derive(Debug, Default)]
pub(crate) struct Lists {
    /// Values of one skeleton after the other, each ascending; none when all have the same. A block has at most
    /// 65,536 rows, and no column of it more values.
    values: Vec<u16>,
    /// Where the values of each skeleton start, and the end.
    starts: Vec<u32>,
    count: usize,
}

impl Lists {
    /// The lists of `codes`, of which there are `skeletons`: sorted by counting, in [`LANES`] stretches side by side.
    /// Codes repeat, and whoever counts one that was just counted waits for it.
    pub(crate) fn of(codes: &[u32], skeletons: usize) -> Result<Lists, Corrupt> {
        let count = codes.len();
        let stretch = count.div_ceil(LANES);
        let mut next = vec![[0u32; LANES]; skeletons];
        for_each_lane(codes, stretch, |lane, _, code| match next.get_mut(code as usize) {
            Some(uses) => {
                if let Some(uses) = uses.get_mut(lane) {
                    *uses += 1;
                }
                true
            }
            None => false,
        })?;
        let (mut sum, mut same) = (0, false);
        let mut starts = Vec::with_capacity(skeletons + 1);
        for uses in &mut next {
            starts.push(sum);
            for uses in uses.iter_mut() {
                (*uses, sum) = (sum, sum + *uses);
            }
            same |= starts.last().is_some_and(|start| (sum - start) as usize == count);
        }
        starts.push(sum);
        if same {
            return Ok(Lists { values: Vec::new(), starts, count });
        }
        let mut values = vec![0u16; count];
        for_each_lane(codes, stretch, |lane, value, code| {
            let at = next.get_mut(code as usize).and_then(|next| next.get_mut(lane));
            if let Some(at) = at {
                if let Some(slot) = values.get_mut(*at as usize) {
                    *slot = value as u16;
                }
                *at += 1;
            }
            true
        })?;
        Ok(Lists { values, starts, count })
    }

    /// Bytes of memory it takes.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.values.len() * size_of::<u16>() + self.starts.len() * size_of::<u32>()
    }

    /// How many values have skeleton `code`.
    pub(crate) fn uses(&self, code: u32) -> usize {
        let (start, end) = self.bounds(code);
        end - start
    }

    /// Every value has skeleton `code`.
    pub(crate) fn is_all(&self, code: u32) -> bool {
        self.uses(code) == self.count
    }

    /// The values of skeleton `code`, ascending; none where [`Lists::is_all`] says that they are all.
    pub(crate) fn values(&self, code: u32) -> &[u16] {
        let (start, end) = self.bounds(code);
        self.values.get(start..end).unwrap_or_default()
    }

    /// Adds the values of skeleton `code` to `set`.
    pub(crate) fn add_to(&self, code: u32, set: &mut Selection) {
        if self.is_all(code) {
            set.insert_range(0..self.count);
        } else {
            self.values(code).iter().for_each(|value| set.insert(usize::from(*value)));
        }
    }

    /// The values of `codes`.
    pub(crate) fn select(&self, codes: impl IntoIterator<Item = u32>) -> Selection {
        let mut set = Selection::none(self.count);
        codes.into_iter().for_each(|code| self.add_to(code, &mut set));
        set
    }

    /// The `wanted` values of `codes`. Of each list only the part between the first and the last of them is read.
    pub(crate) fn select_among(&self, codes: impl IntoIterator<Item = u32>, wanted: &Selection) -> Selection {
        let first = wanted.words().iter().position(|word| *word != 0).unwrap_or(wanted.words().len());
        let last = wanted.words().iter().rposition(|word| *word != 0).map_or(first, |last| last + 1);
        let (first, last) = (first * 64, last * 64);
        let mut set = Selection::none(self.count);
        for code in codes {
            if self.is_all(code) {
                return wanted.clone();
            }
            let values = self.values(code);
            let start = values.partition_point(|value| usize::from(*value) < first);
            let end = values.partition_point(|value| usize::from(*value) < last);
            let own = values.get(start..end).unwrap_or_default();
            own.iter().for_each(|value| set.insert(usize::from(*value)));
        }
        set.intersect(wanted);
        set
    }

    fn bounds(&self, code: u32) -> (usize, usize) {
        let start = self.starts.get(code as usize).copied().unwrap_or(0) as usize;
        let end = self.starts.get(code as usize + 1).map_or(start, |end| *end as usize);
        (start, end.max(start))
    }
}

/// Calls `each` with the stretch, the value and the code of all `codes`, a value of each stretch in turn, until it says
/// that a code is unknown.
#[inline]
fn for_each_lane(
    codes: &[u32],
    stretch: usize,
    mut each: impl FnMut(usize, usize, u32) -> bool,
) -> Result<(), Corrupt> {
    let mut known = true;
    let part = |lane: usize| codes.get((lane * stretch).min(codes.len())..).unwrap_or_default();
    // The last stretch may be the shortest.
    let (a, b, c, d) = (part(0), part(1), part(2), part(3));
    let even = a.iter().zip(b).zip(c).zip(d).take(stretch);
    for (at, (((a, b), c), d)) in even.enumerate() {
        known &= each(0, at, *a);
        known &= each(1, stretch + at, *b);
        known &= each(2, 2 * stretch + at, *c);
        known &= each(3, 3 * stretch + at, *d);
    }
    let done = d.len().min(stretch);
    for lane in 0..LANES - 1 {
        for (at, code) in part(lane).iter().take(stretch).enumerate().skip(done) {
            known &= each(lane, lane * stretch + at, *code);
        }
    }
    if known { Ok(()) } else { Err(Corrupt("unknown skeleton")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(codes: &[u32], skeletons: usize) {
        let lists = Lists::of(codes, skeletons).unwrap();
        for code in 0..skeletons as u32 {
            let expected: Vec<usize> = (0..codes.len()).filter(|value| codes[*value] == code).collect();
            assert_eq!(lists.select([code]).iter().collect::<Vec<_>>(), expected, "{code} in {codes:?}");
            assert_eq!(lists.uses(code), expected.len());
            for wanted in [0..codes.len(), 0..1, 60..70, 64..128, 1_000..65_000, 5..5] {
                let wanted = Selection::all(codes.len()).within(wanted);
                let mut own = lists.select([code]);
                own.intersect(&wanted);
                assert_eq!(lists.select_among([code], &wanted), own, "{code} in {codes:?}");
            }
        }
    }

    #[test]
    fn lists_are_what_codes_say() {
        check(&[], 0);
        check(&[], 2);
        check(&[1, 1, 1], 2);
        check(&[0; 65], 1);
        for count in 0..12 {
            check(&(0..count).map(|value| value % 3).collect::<Vec<_>>(), 3);
        }
        check(&[2, 0, 1, 2, 2, 0], 4);
        let many: Vec<u32> = (0..65_536u32).map(|value| value * value % 7).collect();
        check(&many, 7);
        assert!(Lists::of(&[3], 3).is_err());
    }
}
