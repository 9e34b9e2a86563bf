//! The gram index of segments: which granules may hold a text.
//!
//! It only prunes, it never decides. It knows nothing of queries or files.

pub mod gram;
pub(crate) mod keys;
mod row;
pub(crate) mod source;
pub mod table;
