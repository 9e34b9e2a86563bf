//! Measuring Weir: seeded corpora, a server of its own, and clocks that count CPU, not waiting.
//!
//! Nothing here ships. The criterion benches under `benches/` measure stages in one process; the `weir-bench` binary
//! measures the whole program against `rg` and `zstd` on the same files in the same run.

pub mod batches;
pub mod clock;
pub mod compare;
pub mod corpus;
pub mod dashboard;
pub mod history;
pub mod isolation;
pub mod latency;
pub mod polling;
pub mod queries;
pub mod report;
pub mod requests;
pub mod restart;
pub mod sending;
pub mod server;
pub mod standing;
pub mod subscribers;
pub mod tags;
