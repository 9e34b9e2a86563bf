//! What a machine steps over: rows with columns, whoever holds them.
//!
//! An arriving batch, a stored block and the table of an earlier aggregate all look the same from here: a
//! [`Rows`] hands out [`Column`]s for the rows a [`Selection`] names. Nothing here knows where bytes come from.

pub mod builder;
pub mod column;
pub mod composed;
pub mod numbered;
pub mod rows;
pub mod selection;
pub mod summary;
pub mod timeline;

pub use builder::ColumnBuilder;
pub use column::{Column, Dictionary, TextColumn, TextSpan, Unwritten, UnwrittenText};
pub use composed::{Composed, Shape};
pub use numbered::Numbered;
pub use rows::{OrderKey, Rows, RowsError};
pub use selection::Selection;
pub use summary::{Known, Summary};
pub use timeline::Timeline;
