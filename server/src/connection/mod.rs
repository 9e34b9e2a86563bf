//! The accept loop: what stands between a socket and whoever answers.
//!
//! ```text
//! accept -> cap -> PacedStream (head, idle and write time limits) -> hyper http1 -> Front
//! ```
//!
//! A slow or silent client costs one connection for a bounded time and nothing else.

mod clock;
mod paced;
mod serve;

pub use serve::{Server, Stopped};
