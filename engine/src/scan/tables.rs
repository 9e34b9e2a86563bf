//! Queries inside a query: they run first, one after the other, and their results become the tables it looks things
//! up in.

use std::sync::Arc;
use std::time::Instant;

use weir_query::machine::Context;
use weir_query::program::{Program, SubQuery};
use weir_query::table::Table;
use weir_query::windows::relative::resolve;
use weir_query::windows::zone::Zone;

use super::{Scan, ScanError, ScanOptions, ScanResult, Source};

const NANOS_PER_MILLI: i64 = 1_000_000;

/// Where the queries inside another find the repositories they name.
pub type Sources<'s> = &'s dyn Fn(&str) -> Option<Arc<dyn Source>>;

/// Runs the queries inside `program`, in what is left of the time budget of `options` each, and gives the program with
/// their results; itself when it has none. Blocks until they are done.
///
/// # Errors
/// When a query cannot run, names a repository that `sources` does not know, or its result lacks a column that is
/// asked for.
pub fn with_tables(
    program: &Arc<Program>,
    source: &Arc<dyn Source>,
    options: &ScanOptions,
    sources: Sources<'_>,
) -> Result<Arc<Program>, ScanError> {
    let start = Instant::now();
    let is_enough = || options.time_budget.is_some_and(|budget| start.elapsed() > budget);
    let (mut tables, mut warnings) = (Vec::new(), Vec::new());
    for (number, query) in program.queries().iter().enumerate() {
        let Some(inner) = program.query(number, &tables, &is_enough) else { break };
        let inner = inner.map_err(ScanError::Query)?;
        let source = match &query.repository {
            None => Arc::clone(source),
            Some(name) => sources(name).ok_or_else(|| {
                ScanError::Table(format!("there is no repository `{name}` for `{}`", query.name))
            })?,
        };
        let mut options = ScanOptions { stream: false, ..options.clone() };
        let context = query_context(query, &options.context)?;
        if query.start.is_some() || query.end.is_some() {
            options.time_range = None;
        }
        options.context = context;
        options.time_budget = options.time_budget.map(|budget| budget.saturating_sub(start.elapsed()));
        let result = Scan::start(source, inner, options)?.wait()?;
        tables.push(Arc::new(table(query, result, &mut warnings)?));
    }
    program.with_tables(&tables, warnings, &is_enough).map_err(ScanError::Query)
}

/// What a query inside another runs in: its own time range, relative to the end of the one `around` it.
///
/// # Errors
/// When a time of it means nothing.
pub fn query_context(query: &SubQuery, around: &Context) -> Result<Context, ScanError> {
    let mut context = around.clone();
    let zone = Zone::parse(&context.timezone).or_else(|| Zone::fixed(0));
    // All time ends now.
    let end = match context.end_nanos {
        i64::MAX => context.now_millis,
        end => end.div_euclid(NANOS_PER_MILLI),
    };
    let time = |text: &str| {
        let millis = zone.as_ref().and_then(|zone| resolve(text, end, zone));
        millis
            .map(|millis| millis.saturating_mul(NANOS_PER_MILLI))
            .ok_or_else(|| ScanError::Table(format!("`{text}` is no time for the query `{}`", query.name)))
    };
    if let Some(start) = &query.start {
        context.start_nanos = time(start)?;
    }
    if let Some(text) = query.end.as_deref().filter(|text| *text != "now") {
        context.end_nanos = time(text)?;
    }
    Ok(context)
}

/// The result of a query as a table; what is to be said of it goes to `warnings`.
fn table(query: &SubQuery, result: ScanResult, warnings: &mut Vec<String>) -> Result<Table, ScanError> {
    let mut result_table = result.table;
    warnings.extend(result_table.warnings.drain(..).map(|warning| format!("{}: {warning}", query.name)));
    if result.partial {
        warnings.push(format!("{}: its query did not read all there is", query.name));
    }
    if result_table.rows >= query.limit {
        warnings.push(format!("{}: only {} rows are taken; there may be more", query.name, query.limit));
        if result_table.rows > query.limit {
            let first: Vec<(usize, usize)> = (0..query.limit).map(|row| (0, row)).collect();
            result_table = weir_query::result::ResultTable::pick(&[result_table], &first);
        }
    }
    Table::of_result(query, result_table)
        .map_err(|error| ScanError::Table(format!("{}: {error}", query.name)))
}
