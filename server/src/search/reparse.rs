//! A parser tried before it is used: on examples, and on stored events, parsed anew from their texts. Nothing is stored.

use std::sync::Arc;

use weir_engine::Repository;
use weir_engine::parsers::{Case, Chosen, Failure, Parser, attempt, failures};
use weir_engine::scan::{Scan, Source};
use weir_query::program::Program;
use weir_query::result::ResultTable;

use super::{Prepared, Purpose, with_queries_run};
use crate::app::App;
use crate::error::ApiError;
use crate::wire::{QueryRequest, Sampled, TestAnswer, TestRequest};

/// Stored events that are parsed anew where the request does not say.
const DEFAULT_EVENTS: usize = 50;
/// What a parser is called that has no name yet.
const UNNAMED: &str = "test";

/// An example, and the `@id` of the stored event that it is.
type Example = (Case, Option<String>);

/// Runs the parser that `asked` names or brings over what it is to be tried on.
///
/// # Errors
/// When there is no such parser, it does not compile, there are too many examples, or the query for stored events is wrong.
pub fn try_parser(
    app: &App,
    repository: &Arc<Repository>,
    asked: TestRequest,
    now_nanos: i64,
) -> Result<TestAnswer, ApiError> {
    let chosen = chosen(app, repository, &asked)?;
    let limit = app.settings().parser.max_samples;
    let events = asked.limit.unwrap_or(DEFAULT_EVENTS);
    let stored_events = if asked.query_string.is_some() { events } else { 0 };
    if asked.samples.len().saturating_add(stored_events) > limit {
        let message = format!("a parser is tried on at most {limit} samples at once");
        return Err(ApiError::bad_request(message).hint("see `parser.max_samples`"));
    }
    let stored = stored(app, repository, &asked, events, now_nanos)?;
    let examples: Vec<Example> =
        asked.samples.into_iter().map(|case| (case.into_case(), None)).chain(stored).collect();
    let mut answer = TestAnswer::default();
    for (case, id) in examples {
        let sampled = sampled(app, &chosen, &case, now_nanos, &mut answer)?;
        answer.results.push(Sampled { id, ..sampled });
    }
    Ok(answer)
}

fn sampled(
    app: &App,
    chosen: &Chosen,
    case: &Case,
    now_nanos: i64,
    answer: &mut TestAnswer,
) -> Result<Sampled, ApiError> {
    let limits = app.settings().parser.limits();
    let tried = attempt(chosen, case, &limits, now_nanos)
        .map_err(|error| ApiError::bad_request(error.to_string()))?;
    answer.parsed += tried.account.parsed;
    answer.failed += tried.account.failed;
    answer.dropped += tried.account.dropped;
    let failed: Option<Failure> = match case.expected.is_empty() && !case.is_dropped {
        true => None,
        false => failures(chosen, std::slice::from_ref(case), &limits, now_nanos).pop(),
    };
    Ok(Sampled::new(&case.input, tried, failed.as_ref()))
}

fn chosen(app: &App, repository: &Repository, asked: &TestRequest) -> Result<Chosen, ApiError> {
    let known = app.known(repository.name())?;
    let Some(script) = &asked.script else {
        let name = asked.name.as_deref().unwrap_or_default();
        let unknown = || {
            ApiError::not_found(format!("there is no parser `{name}`"))
                .hint("`name` names one, `script` brings one")
        };
        let stored = app.parsers(repository.name())?.get(name).ok_or_else(unknown)?;
        let program =
            stored.program(&known).map_err(|faults| ApiError::query(&stored.parser.text, &faults))?;
        return Ok(Chosen::new(&stored.name, &stored.parser, Ok(program)));
    };
    let program = Program::parser(script, &known.options(&std::collections::BTreeMap::new()))
        .map_err(|faults| ApiError::query(script, &faults))?;
    let parser = Parser {
        tag_fields: asked.tag_fields.clone(),
        removed_fields: asked.fields_to_be_removed_before_parsing.clone(),
        ..Parser::default()
    };
    Ok(Chosen::new(asked.name.as_deref().unwrap_or(UNNAMED), &parser, Ok(program)))
}

/// The newest stored events that pass the filters, as examples that arrive when they did.
fn stored(
    app: &App,
    repository: &Arc<Repository>,
    asked: &TestRequest,
    limit: usize,
    now_nanos: i64,
) -> Result<Vec<Example>, ApiError> {
    let Some(filters) = &asked.query_string else { return Ok(Vec::new()) };
    let filters = if filters.trim().is_empty() { "*" } else { filters };
    let request = QueryRequest {
        query_string: format!("{filters}\n| tail({})", limit.max(1)),
        start: asked.start.clone(),
        end: asked.end.clone(),
        ..QueryRequest::default()
    };
    let limits = &app.settings().query;
    let known = app.known(repository.name())?;
    let prepared = Prepared::new(&request, Purpose::Job, now_nanos, limits, &known)?;
    if prepared.is_aggregate() {
        return Err(ApiError::bad_request(
            "the query for stored events is to find events, not to count them",
        ));
    }
    let options = prepared.scan_options(limits, app.pool());
    let source: Arc<dyn Source> = repository.snapshot() as _;
    let program = with_queries_run(app.engine(), &source, (&prepared.text, &prepared.program), &options)?;
    let found = Scan::start(source, program, options)?.wait()?;
    Ok((0..found.table.rows).filter_map(|row| example(&found.table, row)).collect())
}

fn example(table: &ResultTable, row: usize) -> Option<Example> {
    let value = |name: &str| Some(table.get(name)?.get(row)?.text().into_owned());
    let case = Case {
        input: value("@rawstring")?,
        arrival_millis: value("@ingesttimestamp").and_then(|millis| millis.parse().ok()),
        ..Case::default()
    };
    Some((case, value("@id")))
}
