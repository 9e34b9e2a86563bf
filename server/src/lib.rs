//! Weir's outside: protocols, wire types, configuration, the command line.
//!
//! ```text
//! socket -> connection -> routes -> decode -> EventBatch -> engine
//!                            |                                |
//!                            +------- encode <- ResultTable <-+
//! ```
//!
//! This crate never decides what a query means (`weir-query` does) and never touches a file of the store
//! (`weir-engine` does). `decode` and `encode` never see axum.

pub mod app;
pub mod auth;
pub mod cli;
mod clock;
pub mod connection;
pub mod decode;
pub mod encode;
pub mod error;
pub mod generate;
pub mod jobs;
pub mod observe;
pub mod package;
pub mod prometheus;
pub mod push;
pub mod routes;
pub mod run;
pub mod search;
pub mod settings;
pub mod wire;
