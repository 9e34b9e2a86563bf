//! Tests of blocks.

mod columns;
mod rows;
