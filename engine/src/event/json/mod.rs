//! Reading JSON objects without building a tree: byte loops, a walk that flattens, and unescaping.

pub(super) mod escape;
pub(super) mod scan;
pub(super) mod walk;

pub use escape::{escape_into, unescape_into};
