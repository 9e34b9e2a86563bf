//! Standing queries, their rings, and following.
