//! What is asked of the values of a column: how a part of the literal has to stand in them.

use std::ops::Range;

use super::needle::Needle;

/// How the part has to stand in a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Fit {
    /// Anywhere.
    Inside,
    /// At its front.
    Prefix,
    /// At its end.
    Suffix,
    /// It is the value.
    Whole,
}

/// A part of the literal and how it has to stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Ask {
    pub(crate) fit: Fit,
    /// Where in the literal the part starts.
    pub(crate) from: usize,
    /// Where it ends. Only of a whole value may it be empty.
    pub(crate) to: usize,
}

impl Ask {
    /// The value contains the literal.
    pub(crate) fn inside(needle: &Needle) -> Ask {
        Ask { fit: Fit::Inside, from: 0, to: needle.len() }
    }

    /// The value is the literal.
    pub(crate) fn whole(needle: &Needle) -> Ask {
        Ask { fit: Fit::Whole, from: 0, to: needle.len() }
    }

    /// Bytes of the part.
    pub(crate) fn len(self) -> usize {
        self.to - self.from
    }

    /// The part.
    pub(crate) fn part(self, needle: &Needle) -> &[u8] {
        needle.part(self.range())
    }

    fn range(self) -> Range<usize> {
        self.from..self.to
    }

    /// The part may start anywhere in a text.
    pub(crate) fn starts_anywhere(self) -> bool {
        matches!(self.fit, Fit::Inside | Fit::Suffix)
    }

    /// The part may end anywhere in a text.
    pub(crate) fn ends_anywhere(self) -> bool {
        matches!(self.fit, Fit::Inside | Fit::Prefix)
    }

    /// Whether `text` is such a value. Inside means the whole literal.
    #[inline]
    pub(crate) fn holds(self, needle: &Needle, text: &[u8]) -> bool {
        let len = self.len();
        match self.fit {
            Fit::Inside => needle.find(text).is_some(),
            Fit::Prefix => text.get(..len).is_some_and(|front| needle.fits(self.from, front)),
            Fit::Suffix => {
                let start = text.len().checked_sub(len);
                let end = start.and_then(|start| text.get(start..));
                end.is_some_and(|end| needle.fits(self.from, end))
            }
            Fit::Whole => text.len() == len && needle.fits(self.from, text),
        }
    }
}
