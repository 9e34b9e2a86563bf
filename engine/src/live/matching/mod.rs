//! Which queries may match what of a batch, without trying each: an index over queries, and the rows it gives them.

mod access;
mod arrived;
mod encode;
mod field;
mod found;
mod grams;
mod index;
mod integers;
mod literals;
mod packed;
mod ranked;
mod reading;
#[cfg(test)]
mod tests;

pub(super) use access::Access;
pub(super) use arrived::{Arrived, Known, Portion};
pub(super) use found::Found;
pub(super) use index::{Class, Filtering, Leading, QueryIndex};
pub(super) use reading::Wanted;
