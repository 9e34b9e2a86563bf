//! The values of each skeleton, in order: what a set of skeletons becomes a set of values by.

use weir_query::record::Selection;

use super::wire::Corrupt;

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
    /// The lists of `codes`, of which there are `skeletons`.
    pub(crate) fn of(codes: &[u32], skeletons: usize) -> Result<Lists, Corrupt> {
        let mut starts = vec![0u32; skeletons + 1];
        for code in codes {
            // Counted one further on, so that the sums are starts.
            *starts.get_mut(*code as usize + 1).ok_or(Corrupt("unknown skeleton"))? += 1;
        }
        let count = codes.len();
        let same = starts.iter().any(|uses| *uses as usize == count);
        let mut sum = 0;
        for start in &mut starts {
            sum += *start;
            *start = sum;
        }
        if same {
            return Ok(Lists { values: Vec::new(), starts, count });
        }
        let mut next = starts.clone();
        let mut values = vec![0u16; count];
        for (value, code) in codes.iter().enumerate() {
            let Some(at) = next.get_mut(*code as usize) else { continue };
            if let Some(slot) = values.get_mut(*at as usize) {
                *slot = value as u16;
            }
            *at += 1;
        }
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

    fn bounds(&self, code: u32) -> (usize, usize) {
        let start = self.starts.get(code as usize).copied().unwrap_or(0) as usize;
        let end = self.starts.get(code as usize + 1).map_or(start, |end| *end as usize);
        (start, end.max(start))
    }
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
        }
    }

    #[test]
    fn lists_are_what_codes_say() {
        check(&[], 0);
        check(&[], 2);
        check(&[1, 1, 1], 2);
        check(&[0; 65], 1);
        check(&[2, 0, 1, 2, 2, 0], 4);
        let many: Vec<u32> = (0..65_536u32).map(|value| value * value % 7).collect();
        check(&many, 7);
        assert!(Lists::of(&[3], 3).is_err());
    }
}
