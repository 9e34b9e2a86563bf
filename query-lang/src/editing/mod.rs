//! What an editor asks of a query that is being written: what may stand at the cursor ([`complete`]), what something
//! is ([`hover`]), what is wrong ([`check`]).
//!
//! The text may be broken anywhere: completion and hover do not parse it, they go over its words up to the cursor
//! (`scan`) and keep the brackets that are open. The names of fields, values, saved queries and lookup tables come
//! from a [`Catalogue`] that the caller supplies; it is asked for no more than the place needs.
//!
//! Every answer says where it belongs as a [`Range`] of [`Position`]s: UTF-8 bytes, UTF-16 units, line and column.

mod catalogue;
mod check;
mod complete;
mod edit;
mod fields;
mod hover;
mod item;
mod position;
mod scan;
mod wanted;

pub use catalogue::{Catalogue, FieldFact, NoCatalogue, ValueFact};
pub use check::{Check, Fault, Severity, check};
pub use complete::{Completion, complete};
pub use edit::{Edit, apply};
pub use hover::{Hover, Subject, hover};
pub use item::{Item, ItemKind};
pub use position::{Position, Range, offset_of_utf16};

/// The most items of a completion; a longer list is cut, and says so.
pub const MAX_ITEMS: usize = 200;

/// The most brackets open around a cursor; deeper inside nothing is offered, for no query is nested so deep.
pub const MAX_OPEN_BRACKETS: usize = 256;

/// The most names that a text makes itself (`x := ..`, `as=x`, named groups) and that are offered again.
pub const MAX_MADE_NAMES: usize = 1_000;

/// The most bytes shown of a saved query.
pub const MAX_SHOWN_BYTES: usize = 2_000;
