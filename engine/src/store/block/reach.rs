//! Whether a literal can stand partly in a piece of a skeleton and partly in a hole, or in two holes.
//!
//! Of every column it is known which bytes its values have and how long they are. A skeleton is then walked from
//! its first piece to its last with all positions of the literal that may have been reached, a bit each (Shift-And,
//! Baeza-Yates and Gonnet 1992): a piece gives one step a byte, a hole all steps that its bytes and lengths allow.
//! Positions reached by a start in an earlier piece or hole are kept apart from those of the one being walked:
//! only the former make a match that reaches over a border.

use super::needle::{Needle, POSITIONS_MAX};
use super::node::{Kind, Node, Skeleton, Skeletons};
use super::section::Source;
use super::wire::Corrupt;

/// Which bytes the values of a column have, and how many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reach {
    bytes: [bool; 256],
    least: usize,
    most: usize,
}

impl Reach {
    /// Any bytes.
    const ANY: Reach = Reach { bytes: [true; 256], least: 0, most: usize::MAX };

    fn of_bytes(has: impl Fn(u8) -> bool, least: usize, most: usize) -> Reach {
        let mut bytes = [false; 256];
        bytes.iter_mut().enumerate().for_each(|(byte, slot)| *slot = has(byte as u8));
        Reach { bytes, least, most }
    }

    fn add(&mut self, text: &[u8]) {
        for byte in text {
            if let Some(slot) = self.bytes.get_mut(usize::from(*byte)) {
                *slot = true;
            }
        }
    }

    /// What is known of `node`; what takes work is found out once.
    fn of(node: &Node, source: Source<'_>) -> Result<Reach, Corrupt> {
        Ok(match &node.kind {
            Kind::Constant(value) => {
                let mut reach = Reach::of_bytes(|_| false, value.len(), value.len());
                reach.add(value);
                reach
            }
            Kind::Dictionary { reach, .. } => match reach.get() {
                Some(reach) => (**reach).clone(),
                None => {
                    let texts = node.dictionary(source)?;
                    let lens = || (0..texts.len()).filter_map(|index| texts.get(index)).map(<[u8]>::len);
                    let (least, most) = (lens().min().unwrap_or(0), lens().max().unwrap_or(0));
                    let mut found = Reach::of_bytes(|_| false, least, most);
                    found.add(&texts.bytes);
                    (**reach.get_or_init(|| Box::new(found))).clone()
                }
            },
            Kind::Number { form, .. } => Reach::of_bytes(|byte| !form.never_has(byte), 1, form.longest()),
            Kind::Hex { pattern, .. } => {
                Reach::of_bytes(|byte| !pattern.never_has(byte), pattern.text_len(), pattern.text_len())
            }
            Kind::Text { .. } | Kind::Skeletons(_) => Reach::ANY,
        })
    }

    fn positions(&self, needle: &Needle) -> u128 {
        let own = (0..=u8::MAX).filter(|byte| self.bytes.get(usize::from(*byte)) == Some(&true));
        own.fold(0, |positions, byte| positions | needle.positions(byte))
    }
}

/// A column as the walk sees it: the positions its bytes may stand at, and its lengths.
struct Hole {
    positions: u128,
    least: usize,
    most: usize,
}

/// What a walk needs to know of the columns of `Skeletons`; made once for all its skeletons.
pub(super) struct Borders {
    holes: Vec<Hole>,
}

impl Borders {
    pub(super) fn of(node: &Skeletons, needle: &Needle, source: Source<'_>) -> Result<Borders, Corrupt> {
        let hole = |column: &Node| -> Result<Hole, Corrupt> {
            let reach = Reach::of(column, source)?;
            Ok(Hole { positions: reach.positions(needle), least: reach.least, most: reach.most })
        };
        Ok(Borders { holes: node.columns.iter().map(hole).collect::<Result<_, _>>()? })
    }

    /// Whether a match could reach over a border inside `skeleton`. When in doubt it could.
    pub(super) fn reached_over(&self, skeleton: &Skeleton, needle: &Needle) -> bool {
        let len = needle.len();
        if len > POSITIONS_MAX {
            return !skeleton.columns.is_empty();
        }
        let end = 1u128 << (len - 1);
        let mut holes = skeleton.columns.iter();
        // Positions reached by starts in the item that is walked, and by starts before it.
        let (mut own, mut over) = (0u128, 0u128);
        for piece in skeleton.pieces() {
            (own, over) = (0, over | own);
            for byte in piece {
                let fits = needle.positions(*byte);
                own = (own << 1 | 1) & fits;
                over = over << 1 & fits;
                if over & end != 0 {
                    return true;
                }
            }
            let Some(column) = holes.next() else { continue };
            let Some(hole) = self.holes.get(*column as usize) else { return true };
            over |= own;
            let mut now = over;
            let mut after = if hole.least == 0 { over } else { 0 };
            for step in 1..=hole.most.min(len) {
                now = now << 1 & hole.positions;
                if now & end != 0 {
                    return true;
                }
                if step >= hole.least {
                    after |= now;
                }
            }
            over = after;
            // A start in the hole has come as far as its bytes fit without a gap.
            let run = (hole.positions.trailing_ones() as usize).min(hole.most).min(len);
            own = if run >= 128 { u128::MAX } else { (1 << run) - 1 };
        }
        false
    }
}
