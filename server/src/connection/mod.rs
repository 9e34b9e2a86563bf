//! The accept loop: what stands between a socket and the router.
//!
//! ```text
//! accept -> cap -> PacedStream (head, idle and write time limits) -> hyper http1 -> Router
//! ```
//!
//! A slow or silent client costs one connection for a bounded time and nothing else.

mod clock;
mod paced;
mod serve;

pub use serve::{Server, Stopped};
