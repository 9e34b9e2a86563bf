//! The values of a column, end to end.
//!
//! A column is gone over several times before it is written. Where its values stand in the texts of events each look
//! at one costs a line of the cache; copied once, while the text is at hand, they are read as they come.

use super::cursor::Cursor;
use super::wire::Corrupt;

/// How many times as much as there is room is made for at once.
const GROWTH: usize = 3;

/// Values in order.
#[derive(Debug, Default)]
pub(crate) struct Values {
    bytes: Vec<u8>,
    /// Where each ends.
    ends: Vec<usize>,
}

impl Values {
    #[inline]
    pub(crate) fn push(&mut self, value: &[u8]) {
        if self.bytes.capacity() - self.bytes.len() < value.len() {
            // To grow is to copy: a column of ten megabytes does that seldom.
            self.bytes.reserve(value.len() + GROWTH * self.bytes.len());
        }
        self.bytes.extend_from_slice(value);
        self.ends.push(self.bytes.len());
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether the values of `cursor` are these.
    ///
    /// # Errors
    /// When a value of it cannot be read.
    pub(crate) fn are_those_of(&self, mut cursor: Cursor<'_>) -> Result<bool, Corrupt> {
        let (mut start, mut scratch) = (0, Vec::new());
        for end in &self.ends {
            let value = self.bytes.get(start..*end).unwrap_or_default();
            if !cursor.next_is(value, &mut scratch)? {
                return Ok(false);
            }
            start = *end;
        }
        Ok(true)
    }

    /// Each of them.
    pub(crate) fn slices(&self) -> Vec<&[u8]> {
        let mut start = 0;
        let slice =
            |end: &usize| self.bytes.get(std::mem::replace(&mut start, *end)..*end).unwrap_or_default();
        self.ends.iter().map(slice).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back() {
        let texts: [&[u8]; 4] = [b"", b"one", b"", b"three"];
        let mut values = Values::default();
        texts.iter().for_each(|text| values.push(text));
        assert_eq!((values.len(), values.slices()), (4, texts.to_vec()));
    }
}
