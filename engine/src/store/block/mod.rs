//! Sealed rows in columns.
