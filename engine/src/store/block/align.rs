//! How a literal can stand in the texts of a skeleton: in a piece, in a hole, or over their borders.
//!
//! A literal that begins in one piece or hole and ends in another cuts into parts: the end of what it begins in, all
//! of what lies in between, the front of what it ends in. Pieces are known, so that most cuts fall away; of each
//! that is left the holes have something asked of their values, and all of that must hold. An alignment is that
//! list; a text has the literal if one alignment holds.

use super::ask::{Ask, Fit};
use super::needle::Needle;
use super::node::Skeleton;
use super::reach::Reach;

/// Most alignments of one skeleton; with more its texts are put together.
pub(crate) const ALIGNMENTS_MAX: usize = 64;
/// Most steps of the search for them.
const STEPS_MAX: usize = 4_096;

/// What is asked of columns, all of which must hold.
pub(super) type Alignment = Vec<(u32, Ask)>;

/// How a literal can stand in the texts of a skeleton.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Alignments {
    /// In all of them.
    Always,
    /// In those for which one of these holds; in none when there is none.
    OneOf(Vec<Alignment>),
    /// In too many ways.
    TooMany,
}

/// The ways in which texts of `skeleton` can be as asked. `reaches` are those of all columns.
pub(super) fn alignments(skeleton: &Skeleton, needle: &Needle, ask: Ask, reaches: &[&Reach]) -> Alignments {
    let pieces: Vec<&[u8]> = skeleton.pieces().collect();
    let mut walk =
        Walk { skeleton, pieces, needle, ask, reaches, asked: Vec::new(), found: Vec::new(), steps: 0 };
    let end = if ask.starts_anywhere() { walk.start_anywhere() } else { walk.piece(0, ask.from) };
    match end {
        Err(stop) => stop,
        Ok(()) => Alignments::OneOf(walk.found),
    }
}

struct Walk<'a> {
    skeleton: &'a Skeleton,
    pieces: Vec<&'a [u8]>,
    needle: &'a Needle,
    ask: Ask,
    reaches: &'a [&'a Reach],
    /// What has been asked on the way to where the walk is.
    asked: Alignment,
    found: Vec<Alignment>,
    steps: usize,
}

/// A walk that is over before all ways have been gone has nothing more to find.
type Walked = Result<(), Alignments>;

impl<'a> Walk<'a> {
    /// Begins in every piece and every hole.
    fn start_anywhere(&mut self) -> Walked {
        let (from, len) = (self.ask.from, self.ask.len());
        for index in 0..self.pieces.len() {
            let piece = self.pieces.get(index).copied().unwrap_or_default();
            if self.ask.fit == Fit::Inside && piece.len() >= len && self.needle.find(piece).is_some() {
                return Err(Alignments::Always);
            }
            let last = piece.last().copied().unwrap_or_default();
            for cut in 1..=piece.len().min(len) {
                // Most cuts fall away by one byte.
                if !self.needle.has_at(from + cut - 1, last) {
                    continue;
                }
                let end = piece.get(piece.len() - cut..).unwrap_or_default();
                // A literal that ends with the piece stands inside it, which was looked at above.
                let ends_here = cut == len && self.ask.fit == Fit::Inside;
                if !ends_here && self.needle.fits(from, end) {
                    self.hole(index, from + cut)?;
                }
            }
            self.start_in_hole(index)?;
        }
        Ok(())
    }

    /// Begins in hole `index`.
    fn start_in_hole(&mut self, index: usize) -> Walked {
        let Some((column, reach)) = self.column(index) else { return Ok(()) };
        let (from, to) = (self.ask.from, self.ask.to);
        if self.ask.fit == Fit::Inside && reach.admits(self.needle, self.ask) {
            self.asked.push((column, self.ask));
            self.found()?;
            self.asked.pop();
        }
        let last = if self.ask.fit == Fit::Inside { to - 1 } else { to };
        for cut in from + 1..=last.min(from.saturating_add(reach.most)) {
            if !reach.may_have(self.needle, cut - 1) {
                break;
            }
            if !self.may_go_on(index + 1, cut) {
                continue;
            }
            self.asked.push((column, Ask { fit: Fit::Suffix, from, to: cut }));
            self.piece(index + 1, cut)?;
            self.asked.pop();
        }
        Ok(())
    }

    /// Whether piece `index` begins as the literal goes on at byte `at`: most do not.
    #[inline]
    fn may_go_on(&self, index: usize, at: usize) -> bool {
        match self.pieces.get(index).and_then(|piece| piece.first()) {
            Some(first) if at < self.ask.to => self.needle.has_at(at, *first),
            // Without a byte left the text must end here, unless it may go on.
            Some(_) => self.ask.ends_anywhere(),
            None => true,
        }
    }

    /// Goes on with byte `at` of the literal at the front of piece `index`.
    fn piece(&mut self, index: usize, at: usize) -> Walked {
        self.steps += 1;
        if self.steps > STEPS_MAX {
            return Err(Alignments::TooMany);
        }
        let piece = self.pieces.get(index).copied().unwrap_or_default();
        let left = self.ask.to - at;
        if self.ask.ends_anywhere() && left <= piece.len() {
            let fits = piece.get(..left).is_some_and(|front| self.needle.fits(at, front));
            return if fits { self.found() } else { Ok(()) };
        }
        if piece.len() <= left && self.needle.fits(at, piece) {
            return self.hole(index, at + piece.len());
        }
        Ok(())
    }

    /// Goes on with byte `at` of the literal at the front of hole `index`, or at the end of the text.
    fn hole(&mut self, index: usize, at: usize) -> Walked {
        let to = self.ask.to;
        let open = self.ask.ends_anywhere();
        if open && at == to {
            return self.found();
        }
        let Some((column, reach)) = self.column(index) else {
            return if at == to { self.found() } else { Ok(()) };
        };
        for cut in at..=to {
            if cut > at && !reach.may_have(self.needle, cut - 1) || cut - at > reach.most {
                return Ok(());
            }
            if open && cut == to {
                self.asked.push((column, Ask { fit: Fit::Prefix, from: at, to }));
                self.found()?;
                self.asked.pop();
            } else if cut - at >= reach.least && self.may_go_on(index + 1, cut) {
                self.asked.push((column, Ask { fit: Fit::Whole, from: at, to: cut }));
                self.piece(index + 1, cut)?;
                self.asked.pop();
            }
        }
        Ok(())
    }

    fn column(&self, index: usize) -> Option<(u32, &'a Reach)> {
        let column = *self.skeleton.columns.get(index)?;
        Some((column, self.reaches.get(column as usize)?))
    }

    fn found(&mut self) -> Walked {
        if self.asked.is_empty() {
            return Err(Alignments::Always);
        }
        self.found.push(self.asked.clone());
        if self.found.len() > ALIGNMENTS_MAX { Err(Alignments::TooMany) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::encode;
    use super::super::node::{Kind, Node};
    use super::super::section::{Body, Directory, Pool, Source};
    use super::*;

    /// The alignments of `literal` over the first template of `texts`.
    fn aligned(texts: &[String], literal: &str) -> Alignments {
        let values: Vec<&[u8]> = texts.iter().map(String::as_bytes).collect();
        let mut body = Body::new();
        encode::column(&mut body, &values, None);
        body.put_pool();
        let mut directory = Directory::new(&body.directory, body.bytes.len());
        let node = Node::read(&mut directory).unwrap();
        let pool = Pool::new(directory.section().unwrap());
        let source = Source { body: &body.bytes, pool: &pool };
        let Kind::Skeletons(skeletons) = &node.kind else { panic!("not skeletons") };
        let reaches: Vec<&Reach> =
            skeletons.columns.iter().map(|column| Reach::of(column, source).unwrap()).collect();
        let needle = Needle::exact(literal.as_bytes()).unwrap();
        alignments(&skeletons.skeletons[1], &needle, Ask::inside(&needle), &reaches)
    }

    fn check(literal: &str, expected: &[&str]) {
        let texts: Vec<String> = (0..2000u64)
            .map(|i| i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20)
            .map(|r| format!("from 10.{}.{}.7 port {} ok", r % 250, r / 256 % 250, r / 65_536 % 60_000))
            .collect();
        let Alignments::OneOf(found) = aligned(&texts, literal) else {
            assert_eq!(expected, ["always"], "{literal}");
            return;
        };
        let text =
            |(column, ask): &(u32, Ask)| format!("{column}{:?}={}", ask.fit, &literal[ask.from..ask.to]);
        let found: Vec<String> =
            found.iter().map(|alignment| alignment.iter().map(text).collect::<Vec<_>>().join(" ")).collect();
        assert_eq!(found, expected, "{literal}");
    }

    #[test]
    fn literals_over_borders() {
        check("port", &["always"]);
        check(" ok", &["always"]);
        check("xyz", &[]);
        check("12", &["2Inside=12", "3Inside=12", "5Inside=12"]);
        check("0.5.1", &["1Suffix=0 2Whole=5 3Prefix=1"]);
        check(".7 port 12", &["4Whole=7 5Prefix=12"]);
        check("from 10.2.", &["1Whole=10 2Whole=2"]);
        check("30 ok", &["5Suffix=30"]);
    }
}
