//! The event store and the live rings: append, seal, index, scan, measure.
