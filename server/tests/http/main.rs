//! The routes, over a real engine in a temporary directory; most without a socket.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that panics has failed, and says where"
)]

mod editing;
mod files;
mod hostile;
mod ingest;
mod jobs;
mod metrics;
mod operation;
mod packages;
mod parsers;
mod prometheus;
mod pushed;
mod query;
mod real;
mod saved;
mod signal;
mod socket;
mod world;
