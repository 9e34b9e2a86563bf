//! Calls of aggregates as what the aggregates are asked to do.

use std::sync::Arc;

use crate::aggregates::spec::{
    AggregateSpec, BUCKETS_DEFAULT, BucketSpec, CollectSpec, CountSpec, GroupBySpec, LinRegSpec, Measure,
    NumberKind, NumberSpec, PercentileSpec, ROW_LIMIT_MAX, RateSpec, RowOrder, RowsSpec, SelectFromSpec,
    SessionSpec, SortField, SpanSpec, Stage, TopSpec, WindowLength, WindowSpec,
};

use crate::compile::steps::Compiler;
use crate::compile::{collected, sequence};
use crate::error::Diagnostic;
use crate::functions::{Arguments, Build};
use crate::plan::{AggregatePipeline, Call, Step};
use crate::value::SortType;
use crate::windows::span::parse_span;

/// Compiles an aggregate; the row steps of its composite arguments go to `compiler`.
///
/// # Errors
/// When an argument is at fault.
pub fn compile(call: &Call, compiler: &mut Compiler) -> Result<AggregateSpec, Diagnostic> {
    let arguments = &call.arguments;
    let number = |kind| {
        let (field, output) = (arguments.text_or_empty("field"), arguments.text_or_empty("as"));
        Ok(AggregateSpec::Number(NumberSpec { kind, field, output }))
    };
    match arguments.signature().name {
        "count" => count(arguments),
        "sum" => number(NumberKind::Sum),
        "avg" => number(NumberKind::Avg),
        "min" => number(NumberKind::Min),
        "max" => number(NumberKind::Max),
        "range" => number(NumberKind::Range),
        "stdDev" => number(NumberKind::StdDev),
        "variance" => number(NumberKind::Variance),
        "percentile" => percentile(arguments),
        "linReg" => Ok(AggregateSpec::LinReg(LinRegSpec {
            x: arguments.text_or_empty("x"),
            y: arguments.text_or_empty("y"),
            prefix: arguments.text_or_empty("prefix"),
        })),
        "groupBy" => Ok(AggregateSpec::GroupBy(GroupBySpec {
            keys: keys(arguments, "field"),
            function: Box::new(product(arguments.aggregates("function"), compiler)?),
            limit: limit(arguments),
            other: arguments.text("other"),
        })),
        "top" => top(arguments),
        "bucket" => bucket(arguments, compiler, "field", false),
        "timeChart" => bucket(arguments, compiler, "series", true),
        "collect" => Ok(AggregateSpec::Collect(CollectSpec {
            fields: keys(arguments, "fields"),
            limit: limit(arguments),
            separator: arguments.is_true("multival").then(|| arguments.text_or_empty("separator")),
        })),
        "selectLast" => Ok(AggregateSpec::SelectLast(keys(arguments, "fields"))),
        name @ ("selectFromMax" | "selectFromMin") => Ok(AggregateSpec::SelectFrom(SelectFromSpec {
            field: arguments.text_or_empty("field"),
            max: name == "selectFromMax",
            include: keys(arguments, "include"),
        })),
        "head" => Ok(rows(RowOrder::Oldest, arguments)),
        "tail" => Ok(rows(RowOrder::Newest, arguments)),
        "sort" => Ok(rows(RowOrder::By(sort_fields(arguments, "field")?), arguments)),
        "table" => Ok(AggregateSpec::Rows(RowsSpec {
            order: RowOrder::By(sort_fields(arguments, "sortby")?),
            limit: limit(arguments),
            fields: Some(keys(arguments, "fields")),
        })),
        "fieldstats" => Ok(AggregateSpec::FieldStats { limit: limit(arguments) }),
        "fieldset" => Ok(AggregateSpec::Chain(fieldset())),
        "counterAsRate" => Ok(AggregateSpec::Rate(RateSpec {
            field: arguments.text_or_empty("field"),
            output: arguments.text_or_empty("as"),
        })),
        "callFunction" => match &*arguments.text_or_empty("function") {
            "avg" => number(NumberKind::Avg),
            "max" => number(NumberKind::Max),
            "min" => number(NumberKind::Min),
            "range" => number(NumberKind::Range),
            "sum" => number(NumberKind::Sum),
            _ => count(arguments),
        },
        "session" => Ok(AggregateSpec::Session(SessionSpec {
            function: Box::new(product(arguments.aggregates("function"), compiler)?),
            max_pause_millis: span(arguments, "maxpause")?.unwrap_or_default(),
        })),
        "series" => collected::series(arguments, compiler),
        "array:union" => collected::union(arguments, compiler),
        "array:intersection" => collected::intersection(arguments, compiler),
        "array:reduceColumn" => collected::columns(arguments, compiler),
        "window" => Err(Diagnostic {
            code: "position",
            message: "`window` stands only in the `function` of `timeChart` and `bucket`".to_owned(),
            span: arguments.span,
            hint: None,
        }),
        "stats" => product(arguments.aggregates("function"), compiler),
        name => Err(Diagnostic {
            code: "not-built",
            message: format!("`{name}` is not built yet"),
            span: arguments.span,
            hint: None,
        }),
    }
}

/// The names of `fieldstats` alone.
fn fieldset() -> Vec<Stage> {
    let field: Arc<str> = "field".into();
    let by_name = SortField { field: Arc::clone(&field), kind: SortType::Text, descending: false };
    vec![
        Stage::Aggregate(AggregateSpec::FieldStats { limit: ROW_LIMIT_MAX }),
        Stage::Aggregate(AggregateSpec::Rows(RowsSpec {
            order: RowOrder::By(vec![by_name]),
            limit: ROW_LIMIT_MAX,
            fields: Some(vec![field]),
        })),
    ]
}

fn count(arguments: &Arguments) -> Result<AggregateSpec, Diagnostic> {
    let (field, distinct) = (arguments.text("field"), arguments.is_true("distinct"));
    if distinct && field.is_none() {
        return Err(arguments.fault("distinct", "`distinct` needs the `field` whose values are counted"));
    }
    Ok(AggregateSpec::Count(CountSpec { field, distinct, output: arguments.text_or_empty("as") }))
}

fn limit(arguments: &Arguments) -> usize {
    arguments.integer("limit").and_then(|limit| usize::try_from(limit).ok()).unwrap_or(1)
}

/// Field names, each once.
fn keys(arguments: &Arguments, name: &str) -> Vec<Arc<str>> {
    let mut keys: Vec<Arc<str>> = Vec::new();
    for key in arguments.texts(name) {
        if !keys.contains(key) {
            keys.push(Arc::clone(key));
        }
    }
    keys
}

fn rows(order: RowOrder, arguments: &Arguments) -> AggregateSpec {
    AggregateSpec::Rows(RowsSpec { order, limit: limit(arguments), fields: None })
}

/// `order` and `type` are scalars or as long as the fields; the last one given holds for the rest.
fn sort_fields(arguments: &Arguments, name: &str) -> Result<Vec<SortField>, Diagnostic> {
    let (orders, kinds) = (arguments.texts("order"), arguments.texts("type"));
    let fields = keys(arguments, name);
    if fields.is_empty() {
        return Err(arguments.fault(name, "a field to sort by is expected here"));
    }
    let at = |list: &[Arc<str>], at: usize| list.get(at).or(list.last()).cloned().unwrap_or_default();
    let reverse = arguments.is_true("reverse");
    let sorted = fields.into_iter().enumerate().map(|(index, field)| SortField {
        field,
        kind: match &*at(kinds, index) {
            "string" | "text" => SortType::Text,
            "hex" => SortType::Hex,
            _ => SortType::Number,
        },
        descending: at(orders, index).starts_with("des") != reverse,
    });
    Ok(sorted.collect())
}

fn percentile(arguments: &Arguments) -> Result<AggregateSpec, Diagnostic> {
    let mut percentiles = arguments.numbers("percentiles").to_vec();
    if percentiles.is_empty() {
        percentiles = vec![50.0, 75.0, 99.0];
    }
    if let Some(wrong) = percentiles.iter().find(|p| !(0.0..=100.0).contains(*p)) {
        return Err(arguments.fault("percentiles", format!("a percentile is from 0 to 100; {wrong} is not")));
    }
    let accuracy = arguments.number("accuracy").unwrap_or(0.01);
    if !(accuracy > 0.0 && accuracy < 1.0) {
        return Err(arguments.fault("accuracy", "the accuracy is above 0 and below 1"));
    }
    let prefix = arguments.text("as");
    let outputs =
        percentiles.into_iter().map(|p| (p, PercentileSpec::column(prefix.as_deref(), p))).collect();
    Ok(AggregateSpec::Percentile(PercentileSpec {
        field: arguments.text_or_empty("field"),
        outputs,
        accuracy,
    }))
}

fn top(arguments: &Arguments) -> Result<AggregateSpec, Diagnostic> {
    let (measure, output) = match (arguments.text("sum"), arguments.text("max")) {
        (Some(_), Some(_)) => return Err(arguments.fault("max", "`sum` and `max` exclude each other")),
        (Some(sum), None) => (Measure::Sum(sum), "_sum"),
        (None, Some(max)) => (Measure::Max(max), "_max"),
        (None, None) => (Measure::Count, "_count"),
    };
    Ok(AggregateSpec::Top(TopSpec {
        keys: keys(arguments, "field"),
        limit: limit(arguments),
        measure,
        output: arguments.text("as").unwrap_or_else(|| output.into()),
        percent: arguments.is_true("percent"),
        rest: arguments.text("rest"),
    }))
}

fn bucket(
    arguments: &Arguments,
    compiler: &mut Compiler,
    series: &str,
    chart: bool,
) -> Result<AggregateSpec, Diagnostic> {
    compiler.charts_time = true;
    let buckets = arguments.integer("buckets").and_then(|buckets| usize::try_from(buckets).ok());
    let is_window = |part: &&AggregatePipeline| part.call.arguments.signature().name == "window";
    let (windows, plain): (Vec<_>, Vec<_>) = arguments.aggregates("function").iter().partition(is_window);
    let plain: Vec<AggregatePipeline> = plain.into_iter().cloned().collect();
    let function = product(&plain, compiler)?;
    let windows = windows.into_iter().map(|part| window(part, compiler)).collect::<Result<Vec<_>, _>>()?;
    let written = function.outputs().into_iter().chain(windows.iter().flat_map(|one| one.function.outputs()));
    let mut names: Vec<Arc<str>> = written.collect();
    names.sort_unstable();
    if let Some(twice) = names.iter().zip(names.iter().skip(1)).find(|(a, b)| a == b) {
        return Err(arguments.fault("function", format!("`{}` is written twice: give one an `as=`", twice.0)));
    }
    let length = match span(arguments, "span")? {
        Some(millis) => SpanSpec::Millis(millis),
        None => SpanSpec::Buckets(buckets.unwrap_or(BUCKETS_DEFAULT)),
    };
    Ok(AggregateSpec::Bucket(BucketSpec {
        span: length,
        min_span_millis: span(arguments, "minSpan")?,
        timezone: arguments.text("timezone"),
        keys: keys(arguments, series),
        limit: limit(arguments),
        function: Box::new(function),
        windows,
        chart,
    }))
}

/// The time span that is the argument `name`, milliseconds; none when it is not given, or `auto`.
pub(crate) fn span(arguments: &Arguments, name: &str) -> Result<Option<i64>, Diagnostic> {
    match arguments.text(name) {
        None => Ok(None),
        Some(text) if text.trim().eq_ignore_ascii_case("auto") => Ok(None),
        Some(text) => match parse_span(&text) {
            Some(millis) if millis > 0 => Ok(Some(millis)),
            _ => Err(arguments.fault(name, format!("`{text}` is no time span like `5m` or `1 hour`"))),
        },
    }
}

/// `window` in a chart.
fn window(part: &AggregatePipeline, compiler: &mut Compiler) -> Result<WindowSpec, Diagnostic> {
    let arguments = &part.call.arguments;
    if !part.before.is_empty() || !part.after.is_empty() {
        return Err(arguments.fault("function", "`window` stands alone: put steps inside its own `function`"));
    }
    let function = product(arguments.aggregates("function"), compiler)?;
    if !function.has_one_row() {
        let message = "`window` takes only aggregates that give one row, such as `sum()` or `count()`";
        return Err(arguments.fault("function", message));
    }
    let buckets = arguments.integer("buckets").and_then(|buckets| usize::try_from(buckets).ok());
    let length = match (buckets, span(arguments, "span")?) {
        (Some(buckets), None) => WindowLength::Buckets(buckets),
        (None, Some(millis)) => WindowLength::Millis(millis),
        _ => return Err(arguments.fault("span", "give `window` either `buckets` or a `span`")),
    };
    Ok(WindowSpec { function, length })
}

/// Several aggregates side by side; one is itself. Those that are the same are one; others that write the same
/// field would lose a result, and are a fault.
pub(crate) fn product(
    parts: &[AggregatePipeline],
    compiler: &mut Compiler,
) -> Result<AggregateSpec, Diagnostic> {
    let mut specs: Vec<AggregateSpec> = Vec::with_capacity(parts.len());
    let mut written: Vec<Arc<str>> = Vec::new();
    for part in parts {
        let spec = chain(part, compiler)?;
        if specs.contains(&spec) {
            continue;
        }
        let outputs = spec.outputs();
        if let Some(twice) = outputs.iter().find(|name| written.contains(name)) {
            let arguments = &part.call.arguments;
            let remedy = match arguments.signature().parameter("as") {
                Some(_) => "give one an `as=`",
                None => "take it out of one",
            };
            return Err(Diagnostic {
                code: "argument",
                message: format!("`{twice}` is written twice: {remedy}"),
                span: arguments.span,
                hint: None,
            });
        }
        written.extend(outputs);
        specs.push(spec);
    }
    Ok(match (specs.pop(), specs.is_empty()) {
        (Some(only), true) => only,
        (Some(last), false) => {
            specs.push(last);
            AggregateSpec::Product(specs)
        }
        (None, _) => AggregateSpec::Product(specs),
    })
}

/// An aggregate with the row steps and aggregates around it.
fn chain(part: &AggregatePipeline, compiler: &mut Compiler) -> Result<AggregateSpec, Diagnostic> {
    let mut first = match part.call.arguments.signature().build {
        Build::Sequence => vec![standing(), Stage::Sequence(sequence::compile(&part.call, compiler)?)],
        _ => {
            let aggregate = compile(&part.call, compiler)?;
            if part.before.is_empty() && part.after.is_empty() {
                return Ok(aggregate);
            }
            vec![Stage::Aggregate(aggregate)]
        }
    };
    let mut stages = Vec::new();
    if !part.before.is_empty() {
        stages.push(Stage::Rows(compiler.pipeline(&part.before)));
    }
    stages.append(&mut first);
    let was_behind = std::mem::replace(&mut compiler.is_behind_aggregate, true);
    let after = after(&part.after, &mut stages, compiler);
    compiler.is_behind_aggregate = was_behind;
    after.map(|()| AggregateSpec::Chain(stages))
}

/// All rows, in the order they stand in.
fn standing() -> Stage {
    Stage::Aggregate(AggregateSpec::Rows(RowsSpec {
        order: RowOrder::Oldest,
        limit: usize::MAX,
        fields: None,
    }))
}

/// What stands behind the first aggregate of a chain.
fn after(steps: &[Step], stages: &mut Vec<Stage>, compiler: &mut Compiler) -> Result<(), Diagnostic> {
    let mut rows: Vec<Step> = Vec::new();
    for step in steps {
        match step {
            Step::Call(call)
                if matches!(call.arguments.signature().build, Build::Aggregate | Build::Sequence) =>
            {
                if !rows.is_empty() {
                    stages.push(Stage::Rows(compiler.pipeline(&std::mem::take(&mut rows))));
                }
                stages.push(match call.arguments.signature().build {
                    Build::Sequence => Stage::Sequence(sequence::compile(call, compiler)?),
                    _ => Stage::Aggregate(compile(call, compiler)?),
                });
            }
            other => rows.push(other.clone()),
        }
    }
    if !rows.is_empty() {
        stages.push(Stage::Rows(compiler.pipeline(&rows)));
    }
    Ok(())
}
