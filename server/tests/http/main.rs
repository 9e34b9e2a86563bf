//! The routes, over a real engine in a temporary directory; most without a socket.

mod hostile;
mod ingest;
mod operation;
mod signal;
mod socket;
mod world;
