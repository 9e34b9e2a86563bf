//! The real binary on real sockets and real files.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod faults;
mod files;
mod kill;
mod prometheus;
mod samples;
mod support;
mod survival;
