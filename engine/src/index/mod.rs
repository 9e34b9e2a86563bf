//! The gram index of segments: which granules may hold a text.

pub mod gram;
