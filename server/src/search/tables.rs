//! A program whose queries inside have run.

use std::sync::Arc;

use weir_engine::Engine;
use weir_engine::scan::{ScanError, ScanOptions, Source, with_tables};
use weir_query::program::Program;

use crate::error::ApiError;

/// Runs the queries inside `program`, which was made of `text`, over `source`, or over the repository that one names; blocks until they are done.
///
/// # Errors
/// When one cannot run.
pub fn with_queries_run(
    engine: &Engine,
    source: &Arc<dyn Source>,
    (text, program): (&str, &Arc<Program>),
    options: &ScanOptions,
) -> Result<Arc<Program>, ApiError> {
    let of_repository =
        |name: &str| engine.repository(name).map(|repository| repository.snapshot() as Arc<dyn Source>);
    with_tables(program, source, options, &of_repository).map_err(|error| match error {
        ScanError::Query(faults) => ApiError::query(text, &faults.narrowed(text)),
        other => other.into(),
    })
}
