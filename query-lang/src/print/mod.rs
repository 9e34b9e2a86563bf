//! The canonical form of a query: what a formatter writes, and what equal queries share.
//!
//! One step a line, each after the first behind `| `; blocks that do not fit a line indented; `and` and `or` spelled
//! out with the parentheses that show how they bind; comments kept, each on a line of its own before the step it
//! preceded or behind the step it trailed. Names lose quotes they do not need; values keep those they were written
//! with. Reading the printed text gives the same tree, but for its spans and the quotes of its names, and printing
//! that tree gives the same text.

mod condition;
mod expression;
mod layout;

use crate::ast::{Comment, Query};

/// Writes a query in its canonical form, without a line break at the end.
#[must_use]
pub fn print(query: &Query) -> String {
    let mut printer = Printer { out: String::new(), indent: 0, comments: &query.comments, flat: false };
    printer.lines(&query.pipeline.steps, u32::MAX);
    printer.comments_before(u32::MAX);
    printer.out
}

struct Printer<'q> {
    out: String,
    /// Spaces before the lines of the block being written.
    indent: usize,
    /// Comments not yet written, in text order.
    comments: &'q [Comment],
    /// Everything goes on one line; there are no comments.
    flat: bool,
}

impl Printer<'_> {
    fn put(&mut self, text: &str) {
        self.out.push_str(text);
    }

    fn new_line(&mut self) {
        if !self.out.is_empty() {
            self.out.push('\n');
            self.out.extend(std::iter::repeat_n(' ', self.indent));
        }
    }

    /// Writes what `write` writes for each item, with `between` in between.
    fn separated<T>(&mut self, items: &[T], between: &str, mut write: impl FnMut(&mut Self, &T)) {
        for (at, item) in items.iter().enumerate() {
            if at > 0 {
                self.put(between);
            }
            write(self, item);
        }
    }
}
