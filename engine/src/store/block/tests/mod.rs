//! Tests of blocks.

mod columns;
mod measure;
mod rows;
