//! Which bytes the values of a column have, and how many: most of what is asked is answered by that.

use super::ask::Ask;
use super::needle::Needle;
use super::node::{Kind, Node, Skeletons};
use super::section::Source;
use super::span::{ByteSet, Span};
use super::wire::Corrupt;

/// Text that takes more than this is not read to find out which bytes it has.
const READ_BYTES_MAX: usize = 256 << 10;

/// Which bytes the values of a column have, and how many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reach {
    /// A bit a byte.
    bytes: [u64; 4],
    /// Bytes of the shortest value, at least.
    pub(super) least: usize,
    /// Bytes of the longest value, at most.
    pub(super) most: usize,
}

impl Reach {
    /// Any bytes.
    const ANY: Reach = Reach { bytes: [u64::MAX; 4], least: 0, most: usize::MAX };
    /// No value.
    const NONE: Reach = Reach { bytes: [0; 4], least: usize::MAX, most: 0 };

    fn of_text(text: &[u8], least: usize, most: usize) -> Reach {
        let mut reach = Reach { least, most, ..Reach::NONE };
        if text.len() < 256 {
            text.iter().for_each(|byte| reach.add(*byte));
            return reach;
        }
        let mut has = [false; 256];
        for byte in text {
            if let Some(slot) = has.get_mut(usize::from(*byte)) {
                *slot = true;
            }
        }
        (0..=u8::MAX).zip(has).filter(|(_, has)| *has).for_each(|(byte, _)| reach.add(byte));
        reach
    }

    #[inline]
    fn add(&mut self, byte: u8) {
        if let Some(word) = self.bytes.get_mut(usize::from(byte >> 6)) {
            *word |= 1 << (byte & 63);
        }
    }

    /// Some value may have `byte`.
    #[inline]
    fn has(&self, byte: u8) -> bool {
        self.bytes.get(usize::from(byte >> 6)).is_some_and(|word| word >> (byte & 63) & 1 == 1)
    }

    fn add_bytes_of(&mut self, other: &Reach) {
        self.bytes.iter_mut().zip(other.bytes).for_each(|(own, other)| *own |= other);
    }

    /// Whether some value may have byte `at` of the literal.
    #[inline]
    pub(super) fn may_have(&self, needle: &Needle, at: usize) -> bool {
        let Some(byte) = needle.part(at..at + 1).first().copied() else { return false };
        if needle.is_either_case() {
            return self.has(byte.to_ascii_lowercase()) || self.has(byte.to_ascii_uppercase());
        }
        self.has(byte)
    }

    /// Whether some value may be as asked.
    pub(super) fn admits(&self, needle: &Needle, ask: Ask) -> bool {
        let len = ask.len();
        let fits = len <= self.most && (ask.starts_anywhere() || ask.ends_anywhere() || len >= self.least);
        fits && (ask.from..ask.to).all(|at| self.may_have(needle, at))
    }

    /// What is known of `node`; found out once, and kept with it.
    pub(super) fn of<'a>(node: &'a Node, source: Source<'_>) -> Result<&'a Reach, Corrupt> {
        // The distinct values of a dictionary are all it has.
        if let Kind::Dictionary { values, .. } = &node.kind {
            return Reach::of(values, source);
        }
        if let Some(reach) = node.reach.get() {
            return Ok(reach);
        }
        let found = Reach::find(node, source)?;
        Ok(node.reach.get_or_init(|| {
            source.count_held(size_of::<Reach>());
            Box::new(found)
        }))
    }

    /// What is known of the values of a dictionary, told from the values themselves; found out once, and kept with it.
    pub(super) fn of_decoded<'a>(node: &'a Node, source: Source<'_>) -> Result<&'a Reach, Corrupt> {
        if let Some(reach) = node.reach.get() {
            return Ok(reach);
        }
        let texts = node.dictionary(source)?;
        let lens = || (0..texts.len()).filter_map(|code| texts.get(code)).map(<[u8]>::len);
        let found = Reach::of_text(&texts.bytes, lens().min().unwrap_or(0), lens().max().unwrap_or(0));
        Ok(node.reach.get_or_init(|| {
            source.count_held(size_of::<Reach>());
            Box::new(found)
        }))
    }

    /// What the values look like; `None` when they may have any bytes.
    pub(super) fn span(&self) -> Option<Span> {
        (self.bytes != Reach::ANY.bytes).then(|| Span {
            bytes: ByteSet::of_words(self.bytes),
            least: self.least,
            most: self.most,
        })
    }

    fn find(node: &Node, source: Source<'_>) -> Result<Reach, Corrupt> {
        Ok(match &node.kind {
            Kind::Constant(value) => Reach::of_text(value, value.len(), value.len()),
            Kind::Dictionary { .. } => Reach::ANY,
            Kind::Number { form, .. } => Reach::of_text(&form.bytes(), 1, form.longest()),
            Kind::Hex { pattern, .. } => {
                let mut reach = Reach::of_text(&[], pattern.text_len(), pattern.text_len());
                pattern.bytes().for_each(|byte| reach.add(byte));
                reach
            }
            Kind::Text { chunks, .. } => {
                let bytes: usize = chunks.iter().map(super::node::Chunk::len).sum();
                if bytes > READ_BYTES_MAX {
                    return Ok(Reach::ANY);
                }
                let mut reach = Reach { least: 0, most: usize::MAX, ..Reach::NONE };
                for chunk in chunks {
                    reach.add_bytes_of(&Reach::of_text(chunk.load(source)?, 0, 0));
                }
                reach
            }
            Kind::Skeletons(skeletons) => Reach::of_skeletons(skeletons, source)?,
        })
    }

    fn of_skeletons(node: &Skeletons, source: Source<'_>) -> Result<Reach, Corrupt> {
        let columns: Vec<&Reach> =
            node.columns.iter().map(|column| Reach::of(column, source)).collect::<Result<_, _>>()?;
        let mut all = Reach::NONE;
        for skeleton in &node.skeletons {
            let len = skeleton.literal.len();
            let mut own = Reach::of_text(&skeleton.literal, len, len);
            for column in &skeleton.columns {
                let column = columns.get(*column as usize).copied().unwrap_or(&Reach::ANY);
                own.add_bytes_of(column);
                own.least = own.least.saturating_add(column.least);
                own.most = own.most.saturating_add(column.most);
            }
            all.add_bytes_of(&own);
            (all.least, all.most) = (all.least.min(own.least), all.most.max(own.most));
        }
        Ok(all)
    }
}
