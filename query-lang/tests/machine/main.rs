//! What queries make of events, by subject: tables of queries, events and rows.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod aggregates;
mod check;
mod faults;
mod filters;
mod programs;
mod transforms;
