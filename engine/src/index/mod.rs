//! The gram index of segments: which granules may hold a text.
//!
//! It only prunes, it never decides. It knows nothing of queries or files.

pub mod gram;
pub(crate) mod keys;
pub mod table;
