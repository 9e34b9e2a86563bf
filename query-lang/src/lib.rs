//! CQL from text to a running machine.
//!
//! ```text
//! text --lexer, parser--> Ast --plan--> Plan --compile--> Program (immutable)
//!                                                           |
//!                              Rows (batch, block, table) --Machine.step--> State --merge--> State --finish--> ResultTable
//! ```
//!
//! The same [`program::Program`] is fed by the live path and by a scan of history, and gives the same answer: a
//! [`machine::Machine`] steps over [`record::Rows`] of any holder and puts what it learns into a
//! [`machine::State`], and states merge in any order.
//!
//! This crate never does I/O, never reads a clock, starts no thread and knows no wire format.

pub mod aggregates;
pub mod ast;
mod coding;
pub mod compile;
pub mod editing;
pub mod error;
pub mod functions;
mod lexer;
pub mod machine;
pub mod oracle;
pub mod parser;
pub mod plan;
pub mod print;
pub mod program;
pub mod record;
pub mod reference;
pub mod result;
pub mod span;
pub mod suggest;
pub mod table;
pub mod value;
pub mod windows;
