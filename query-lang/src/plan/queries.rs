//! Queries inside a query: `defineTable`, `join` and `selfJoinFilter`, each a query of its own whose result the
//! steps around it look up as a table.

use std::sync::Arc;

use crate::error::{Diagnostic, Diagnostics};
use crate::functions::{Argument, Arguments};
use crate::plan::lower::{Lowering, aggregate_name};
use crate::plan::visit::calls_mut;
use crate::plan::{AggregatePipeline, Call, Correlated, Created, Filter, Place, Step, TableSource};
use crate::span::Span;
use crate::table::Table;
use crate::table::constellations::constellations;
use crate::windows::relative::resolve;
use crate::windows::zone::Zone;

/// The most queries inside one query, those of the queries inside included.
pub const MAX_QUERIES: usize = 32;
/// The most tables that one `readFile` reads.
pub const MAX_TABLES_READ: usize = 100;
/// The most rows a query inside another gives.
pub const MAX_QUERY_ROWS: i64 = 200_000;

/// A query whose result is a table for the steps of a plan; it runs before them.
#[derive(Clone, Debug, PartialEq)]
pub struct SubQuery {
    /// What the table is called, for people.
    pub name: Arc<str>,
    /// Its steps; they may read the tables of the queries before it.
    pub steps: Vec<Step>,
    /// The columns of its result that the table has; none: all.
    pub include: Vec<Arc<str>>,
    /// The start of its own time range, as written; `None` is that of the query around it.
    pub start: Option<Arc<str>>,
    /// The end.
    pub end: Option<Arc<str>>,
    /// The repository it reads, where that is another.
    pub repository: Option<Arc<str>>,
    /// Rows beyond these are left out, and that is said.
    pub limit: usize,
    /// Where it stands.
    pub place: Place,
}

/// Puts `tables`, results of queries by number, where `steps` wait for them; what is to be said of that. `is_enough` is asked now
/// and then whether there is time for more.
///
/// # Errors
/// When what is put together of them is more than a table may be.
pub fn fill(
    steps: &mut [Step],
    tables: &[Arc<Table>],
    is_enough: &dyn Fn() -> bool,
) -> Result<Vec<String>, Diagnostics> {
    let mut warnings = Vec::new();
    let put = |source: &mut TableSource| {
        if let TableSource::Query(number) = source
            && let Some(table) = tables.get(*number)
        {
            *source = TableSource::Known(Arc::clone(table));
        }
    };
    for step in steps.iter_mut() {
        if let Step::Create(Created::Tables { tables, .. }) = step {
            tables.iter_mut().for_each(put);
        }
        if let Step::Create(created) = step
            && let Created::Correlated(correlated) = created
        {
            correlated.sources.iter_mut().for_each(put);
            if let Some((table, told)) = put_together(correlated, is_enough)? {
                *created = Created::Tables {
                    tables: vec![TableSource::Known(table)],
                    include: Vec::new(),
                    limit: usize::MAX,
                };
                warnings.extend(told);
            }
        }
    }
    calls_mut(steps, &mut |arguments| {
        for argument in arguments.arguments_mut() {
            match argument {
                Argument::Table(source) => put(source),
                Argument::Tables(sources) => sources.iter_mut().for_each(put),
                _ => {}
            }
        }
    });
    Ok(warnings)
}

/// A table, and what is to be said of it.
type Told = (Arc<Table>, Vec<String>);

/// The result of `correlate`, where those of its queries are there.
fn put_together(correlated: &Correlated, is_enough: &dyn Fn() -> bool) -> Result<Option<Told>, Diagnostics> {
    let known = |source: &TableSource| match source {
        TableSource::Known(table) => Some(Arc::clone(table)),
        TableSource::Query(_) => None,
    };
    let Some(tables) = correlated.sources.iter().map(known).collect::<Option<Vec<_>>>() else {
        return Ok(None);
    };
    let (found, warnings) = constellations(&correlated.pattern, &tables, is_enough);
    let table = Table::new("correlate", found).map_err(|error| {
        let message = format!("correlate: {error}");
        let span = Span::default();
        Diagnostics { list: vec![Diagnostic { code: "limit", message, span, hint: None }] }
    })?;
    Ok(Some((Arc::new(table), warnings)))
}

impl Lowering<'_> {
    /// The lookup table called `name`: one defined before in this query, else one that is given.
    pub(super) fn table(&mut self, name: &str, span: Span) -> Option<Argument> {
        self.looks_up = true;
        let defined = self.queries.iter().rposition(|query| query.is_named && *query.query.name == *name);
        if let Some(number) = defined {
            return Some(Argument::Table(TableSource::Query(number)));
        }
        if let Some(table) = self.options.tables.get(name) {
            return Some(Argument::Table(TableSource::Known(Arc::clone(table))));
        }
        let known = self.queries.iter().filter(|query| query.is_named).map(|query| &*query.query.name);
        let near =
            super::arguments::nearest(name, known.chain(self.options.tables.keys().map(String::as_str)));
        let hint = near.map(|near| format!("did you mean `{near}`?"));
        let message = format!("there is no lookup table `{name}`");
        self.faults.push(crate::error::Diagnostic { code: "unknown-table", message, span, hint });
        None
    }

    /// The lookup table called `name`, or its name alone where it is not there.
    pub(super) fn database(&mut self, name: &str) -> Argument {
        self.looks_up = true;
        if let Some(table) = self.options.tables.get(name) {
            return Argument::Table(TableSource::Known(Arc::clone(table)));
        }
        let warning = format!("there is no lookup table `{name}`: what would be found in it is missing");
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
        Argument::Text(name.into())
    }

    /// Reports a `start` or `end` that is no time, and a `timezone` that is none.
    pub(super) fn check_times(&mut self, arguments: &Arguments) {
        for name in ["start", "end"] {
            let Some(text) = arguments.text(name) else { continue };
            let known = Zone::fixed(0).is_some_and(|utc| resolve(&text, 0, &utc).is_some());
            if !known {
                let message = format!("`{text}` is no time: `24h`, `1d@d`, `now` or milliseconds are");
                self.fault("argument", message, arguments.span_of(name));
            }
        }
        if let Err(fault) = crate::functions::timeformat::zone_argument(arguments) {
            self.faults.push(fault);
        }
    }

    /// Reports columns that no table of `readFile` has; what a query makes is not known yet.
    pub(super) fn check_columns(&mut self, arguments: &Arguments) {
        let tables = arguments.tables("file");
        if tables.len() > MAX_TABLES_READ {
            let message = format!("at most {MAX_TABLES_READ} tables are read, not {}", tables.len());
            self.fault("limit", message, arguments.span_of("file"));
        }
        let known = tables.iter().map(|table| match table {
            TableSource::Known(table) => Some(table),
            TableSource::Query(_) => None,
        });
        let Some(known) = known.collect::<Option<Vec<_>>>() else { return };
        for name in arguments.texts("include").iter().filter(|name| ***name != *"*") {
            if let Some(table) = known.first()
                && known.iter().all(|table| table.column(name).is_none())
            {
                let fault = crate::functions::lookup::no_column(arguments, "include", table, name);
                self.faults.push(fault);
            }
        }
    }

    /// `defineTable`: a table for the steps behind it.
    pub(super) fn define_table(&mut self, call: &Call) {
        let arguments = &call.arguments;
        self.check_times(arguments);
        let include = arguments.texts("include").iter().filter(|name| ***name != *"*").cloned().collect();
        let query = SubQuery {
            limit: MAX_QUERY_ROWS as usize,
            ..sub_query(
                arguments,
                arguments.text_or_empty("name"),
                arguments.pipeline("query").to_vec(),
                include,
            )
        };
        if self.queries.iter().any(|known| known.is_named && known.query.name == query.name) {
            let message = format!("the table `{}` is defined twice", query.name);
            self.fault("argument", message, arguments.span_of("name"));
        }
        self.add_query(query, true);
    }

    /// `join` as a lookup in the result of its query; as a condition it takes nothing over.
    pub(super) fn join(&mut self, call: &Call) -> Option<Step> {
        let arguments = &call.arguments;
        if arguments.is_true("live") {
            self.fault(
                "argument",
                "`join` runs its query once: `live=true` is not known",
                arguments.span_of("live"),
            );
        }
        let fields = arguments.texts("field").to_vec();
        let keys = match arguments.texts("key") {
            [] => fields.clone(),
            keys => keys.to_vec(),
        };
        self.check_times(arguments);
        if keys.len() != fields.len() {
            let message =
                format!("{} fields and {} keys: each field needs its key", fields.len(), keys.len());
            self.fault("argument", message, arguments.span_of("key"));
            return None;
        }
        let mut columns = keys.clone();
        columns.extend(arguments.texts("include").iter().filter(|name| !keys.contains(name)).cloned());
        let limit = arguments.integer("limit").and_then(|limit| usize::try_from(limit).ok());
        let query = SubQuery {
            limit: limit.unwrap_or(MAX_QUERY_ROWS as usize),
            ..sub_query(arguments, "join".into(), arguments.pipeline("query").to_vec(), columns)
        };
        let number = self.add_query(query, false)?;
        let rows = arguments.integer("max").unwrap_or(1);
        let left = arguments.text_or_empty("mode").as_ref() == "left";
        let given = vec![
            ("file", Argument::Table(TableSource::Query(number))),
            ("field", Argument::Texts(fields)),
            ("column", Argument::Texts(keys)),
            ("include", Argument::Texts(arguments.texts("include").to_vec())),
            ("strict", Argument::Bool(!left)),
            ("nrows", Argument::Integer(rows)),
        ];
        self.made("match", given, arguments.span)
    }

    /// `selfJoinFilter`: rows whose keys occur in rows that pass each of the conditions. These are what the steps before,
    /// `out`, make of the events, as the rows it filters are.
    pub(super) fn self_join_filter(&mut self, call: &Call, out: &mut Vec<Step>) {
        let arguments = &call.arguments;
        let keys = arguments.texts("field").to_vec();
        let mut conditions = Vec::new();
        for steps in arguments.pipelines("where") {
            conditions.push(self.as_condition(steps.clone(), arguments.span_of("where")));
        }
        let any = Filter::Or(conditions.clone());
        let mut functions = Vec::with_capacity(conditions.len());
        let mut met = Vec::with_capacity(conditions.len());
        for (at, condition) in conditions.into_iter().enumerate() {
            let name: Arc<str> = format!("_met{at}").into();
            let count = self.made("count", vec![("as", Argument::Text(Arc::clone(&name)))], arguments.span);
            let Some(Step::Call(call)) = count else { return };
            functions.push(AggregatePipeline {
                before: vec![Step::Filter(condition)],
                call,
                after: Vec::new(),
            });
            met.push(Filter::Test {
                field: name,
                test: super::Test::Compare {
                    op: crate::value::compare::Relation::Greater,
                    bound: crate::value::Number::Int(0),
                },
            });
        }
        let group = vec![
            ("field", Argument::Texts(keys.clone())),
            ("function", Argument::Aggregates(functions)),
            ("limit", Argument::Integer(1_000_000)),
        ];
        let Some(group) = self.made("groupBy", group, arguments.span) else { return };
        self.wants_before = true;
        let mut steps = self.before.clone();
        steps.extend_from_slice(out);
        steps.extend([Step::Filter(any.clone()), group, Step::Filter(Filter::And(met))]);
        let query = SubQuery {
            limit: crate::table::MAX_TABLE_ROWS,
            ..sub_query(arguments, "selfJoinFilter".into(), steps, keys.clone())
        };
        let Some(number) = self.add_query(query, false) else { return };
        if arguments.is_true("prefilter") {
            out.push(Step::Filter(any));
        }
        let given = vec![
            ("file", Argument::Table(TableSource::Query(number))),
            ("field", Argument::Texts(keys)),
            ("include", Argument::Texts(Vec::new())),
        ];
        out.extend(self.made("match", given, arguments.span));
    }

    /// `selfJoin`: the rows that `selfJoinFilter` passes, in groups. There are no false positives that could be filtered
    /// once more.
    pub(super) fn self_join(&mut self, call: &Call, out: &mut Vec<Step>) {
        let arguments = &call.arguments;
        let (collect, select) = (arguments.texts("collect"), arguments.texts("select"));
        if !collect.is_empty() && !select.is_empty() {
            let message = "`collect` has all values of fields, `select` the last: give one of them";
            return self.fault("argument", message, arguments.span_of("select"));
        }
        self.self_join_filter(call, out);
        let told =
            [("collect", collect), ("selectLast", select)].into_iter().find(|(_, list)| !list.is_empty());
        let mut functions = Vec::new();
        if let Some((name, fields)) = told {
            let given = vec![("fields", Argument::Texts(fields.to_vec()))];
            let Some(Step::Call(call)) = self.made(name, given, arguments.span) else { return };
            functions.push(AggregatePipeline { before: Vec::new(), call, after: Vec::new() });
        }
        let group = vec![
            ("field", Argument::Texts(arguments.texts("field").to_vec())),
            ("function", Argument::Aggregates(functions)),
            ("limit", Argument::Integer(arguments.integer("limit").unwrap_or(1))),
        ];
        out.extend(self.made("groupBy", group, arguments.span));
    }

    /// Adds a query; its number.
    pub(super) fn add_query(&mut self, query: SubQuery, is_named: bool) -> Option<usize> {
        let span = query.place.0;
        if self.queries.len() >= MAX_QUERIES {
            let message = format!("a query has at most {MAX_QUERIES} queries inside");
            self.fault("limit", message, span);
            return None;
        }
        let query = self.ended(query)?;
        self.queries.push(Defined { query, is_named });
        Some(self.queries.len() - 1)
    }

    /// The query with an end of its own: without an aggregate it gives its newest rows, and of their fields those asked
    /// for.
    fn ended(&mut self, mut query: SubQuery) -> Option<SubQuery> {
        let span = query.place.0;
        if !query.steps.iter().any(|step| aggregate_name(step).is_some()) {
            if !query.include.is_empty() {
                let fields = vec![("fields", Argument::Texts(query.include.clone()))];
                query.steps.push(self.made("select", fields, span)?);
            }
            let limit = i64::try_from(query.limit).unwrap_or(MAX_QUERY_ROWS).min(MAX_QUERY_ROWS);
            query.steps.push(self.made("tail", vec![("limit", Argument::Integer(limit))], span)?);
        }
        query.steps = super::simplify::steps(query.steps, &mut self.faults);
        Some(query)
    }
}

/// A query of a plan that is being made.
pub(super) struct Defined {
    pub(super) query: SubQuery,
    /// Steps may read its table by name.
    is_named: bool,
}

fn sub_query(arguments: &Arguments, name: Arc<str>, steps: Vec<Step>, include: Vec<Arc<str>>) -> SubQuery {
    SubQuery {
        name,
        steps,
        include,
        start: arguments.text("start"),
        end: arguments.text("end"),
        repository: arguments.text("view"),
        limit: 0,
        place: Place(arguments.span),
    }
}
