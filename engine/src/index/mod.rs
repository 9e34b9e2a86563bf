//! The gram index of segments.
