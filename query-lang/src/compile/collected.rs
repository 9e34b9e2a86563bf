//! `series`, and aggregates of arrays: what they are asked to do, in terms of other aggregates where they can.

use std::sync::Arc;

use crate::aggregates::sequence::{GatherSpec, SequenceSpec};
use crate::aggregates::series::{SERIES_BYTES_DEFAULT, SERIES_BYTES_MAX};
use crate::aggregates::spec::{
    AggregateSpec, CollectSpec, CountSpec, GROUP_LIMIT_MAX, GroupBySpec, SeriesSpec, Stage,
};
use crate::compile::aggregate::{product, span};
use crate::compile::steps::Compiler;
use crate::error::Diagnostic;
use crate::functions::arrays::MAX_ARRAY_ELEMENTS;
use crate::functions::{Argument, Arguments, find, unfold};
use crate::plan::{BinaryOp, Call, Expression, Filter, Step, Test};
use crate::value::Number;
use crate::value::compare::Relation;

/// Fields that steps of the plan's own write; no query names them.
const INDEX: &str = "which element";
const STARTS: &str = "a series starts";
const ENDS: &str = "a series ends";
const ROWS: &str = "rows with the value";
const ARRAYS: &str = "rows with an array";

/// `series`: rows are marked where one starts or ends, then kept.
///
/// # Errors
/// When an argument is at fault.
pub(super) fn series(arguments: &Arguments, compiler: &mut Compiler) -> Result<AggregateSpec, Diagnostic> {
    let mut marks = Vec::new();
    let mut mark = |parameter: &str, name: &str| -> Result<Option<Arc<str>>, Diagnostic> {
        if arguments.get(parameter).is_none() {
            return Ok(None);
        }
        let filters = arguments.pipeline(parameter).iter().map(|step| match step {
            Step::Filter(filter) => Ok(filter.clone()),
            Step::Call(call) if call.arguments.signature().name == "regex" => Ok(Filter::Call(call.clone())),
            _ => Err(arguments.fault(parameter, "only filters can stand inside a condition")),
        });
        let condition = Filter::And(filters.collect::<Result<_, _>>()?);
        let target: Arc<str> = name.into();
        let value = Expression::Filter(Box::new(condition));
        marks.push(Step::Assign { target: Arc::clone(&target), dynamic: false, value });
        Ok(Some(target))
    };
    let (start, end) = (mark("startmatch", STARTS)?, mark("endmatch", ENDS)?);
    let mut fields: Vec<Arc<str>> = Vec::new();
    for field in arguments.texts("collect") {
        if !fields.contains(field) {
            fields.push(Arc::clone(field));
        }
    }
    let spec = AggregateSpec::Series(SeriesSpec {
        fields,
        separator: arguments.text_or_empty("separator"),
        start,
        end,
        max_pause_millis: span(arguments, "maxpause")?,
        max_duration_millis: span(arguments, "maxduration")?,
        max_bytes: bytes(arguments)?,
    });
    if marks.is_empty() {
        return Ok(spec);
    }
    Ok(AggregateSpec::Chain(vec![Stage::Rows(compiler.pipeline(&marks)), Stage::Aggregate(spec)]))
}

/// `memlimit`: bytes, or with a unit: `1KiB`, `64 kb`.
fn bytes(arguments: &Arguments) -> Result<usize, Diagnostic> {
    let Some(text) = arguments.text("memlimit") else { return Ok(SERIES_BYTES_DEFAULT) };
    let text = text.trim();
    let digits = text.trim_start_matches(|next: char| next.is_ascii_digit());
    let unit = digits.trim_start();
    let number = text.get(..text.len() - digits.len()).and_then(|digits| digits.parse::<usize>().ok());
    let factor = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => Some(1),
        "kb" | "kib" | "k" => Some(1 << 10),
        "mb" | "mib" | "m" => Some(1 << 20),
        _ => None,
    };
    let bytes = number.zip(factor).and_then(|(number, factor)| number.checked_mul(factor));
    bytes.filter(|bytes| (1..=SERIES_BYTES_MAX).contains(bytes)).ok_or_else(|| {
        let message = format!("`memlimit` is from 1 byte to {} KiB, such as `64KiB`", SERIES_BYTES_MAX >> 10);
        arguments.fault("memlimit", message)
    })
}

/// Rows into an array of this call's name.
fn gathered(arguments: &Arguments, index: Option<Arc<str>>) -> Stage {
    let output = unfold::bare(&arguments.text_or_empty("as"));
    Stage::Sequence(SequenceSpec::Gather(GatherSpec { index, output }))
}

/// `array:union`: the distinct elements of all arrays, those first seen in the oldest rows first.
///
/// # Errors
/// None that a checked call has.
pub(super) fn union(arguments: &Arguments, compiler: &mut Compiler) -> Result<AggregateSpec, Diagnostic> {
    let elements = compiler.pipeline(&[Step::Call(unfold::step(arguments, None))]);
    let fields = vec![unfold::bare(&arguments.text_or_empty("array"))];
    let distinct = CollectSpec { fields, limit: MAX_ARRAY_ELEMENTS, separator: None };
    Ok(AggregateSpec::Chain(vec![
        Stage::Rows(elements),
        Stage::Aggregate(AggregateSpec::Collect(distinct)),
        gathered(arguments, None),
    ]))
}

/// `array:intersection`: of each array's distinct elements those that are counted as often as there are arrays.
///
/// # Errors
/// None that a checked call has.
pub(super) fn intersection(
    arguments: &Arguments,
    compiler: &mut Compiler,
) -> Result<AggregateSpec, Diagnostic> {
    let (value, index) = (unfold::bare(&arguments.text_or_empty("array")), Arc::from(INDEX));
    let mut steps: Vec<Step> = distinct(arguments).map(Step::Call).into_iter().collect();
    steps.push(Step::Call(unfold::step(arguments, Some(&index))));
    let elements = compiler.pipeline(&steps);
    let count = |name: &str| {
        AggregateSpec::Count(CountSpec { field: None, distinct: false, output: Arc::from(name) })
    };
    let first = Test::Compare { op: Relation::LessEqual, bound: Number::Int(0) };
    let firsts = compiler.pipeline(&[Step::Filter(Filter::Test { field: index, test: first })]);
    let counted = AggregateSpec::Product(vec![
        AggregateSpec::GroupBy(GroupBySpec {
            keys: vec![value],
            function: Box::new(count(ROWS)),
            limit: GROUP_LIMIT_MAX,
            other: None,
        }),
        AggregateSpec::Chain(vec![Stage::Rows(firsts), Stage::Aggregate(count(ARRAYS))]),
    ]);
    let all = equal(ROWS, ARRAYS, arguments).map(|test| Step::Filter(Filter::Call(test)));
    let in_all = compiler.pipeline(&all.into_iter().collect::<Vec<_>>());
    Ok(AggregateSpec::Chain(vec![
        Stage::Rows(elements),
        Stage::Aggregate(counted),
        Stage::Rows(in_all),
        gathered(arguments, None),
    ]))
}

/// The call that leaves each element of the array once.
fn distinct(arguments: &Arguments) -> Option<Call> {
    let signature = find("array:dedup")?;
    let array = Argument::Text(arguments.text_or_empty("array"));
    let mut values = vec![None; signature.parameters.len()];
    *values.get_mut(signature.parameter("array")?)? = Some((array, arguments.span));
    Some(Call { arguments: Arguments::new(signature, values, arguments.span) })
}

/// The test that two fields are equal.
fn equal(a: &str, b: &str, arguments: &Arguments) -> Option<Call> {
    let signature = find("test")?;
    let field = |name: &str| Box::new(Expression::Field(name.into()));
    let condition = Argument::Expression(Expression::Binary(BinaryOp::Equal, field(a), field(b)));
    let mut values = vec![None; signature.parameters.len()];
    *values.get_mut(signature.parameter("expression")?)? = Some((condition, arguments.span));
    Some(Call { arguments: Arguments::new(signature, values, arguments.span) })
}

/// `array:reduceColumn`: a group for each place of an array.
///
/// # Errors
/// When an argument is at fault.
pub(super) fn columns(arguments: &Arguments, compiler: &mut Compiler) -> Result<AggregateSpec, Diagnostic> {
    let index: Arc<str> = INDEX.into();
    let elements = compiler.pipeline(&[Step::Call(unfold::step(arguments, Some(&index)))]);
    let groups = GroupBySpec {
        keys: vec![Arc::clone(&index)],
        function: Box::new(product(arguments.aggregates("function"), compiler)?),
        limit: MAX_ARRAY_ELEMENTS,
        other: None,
    };
    Ok(AggregateSpec::Chain(vec![
        Stage::Rows(elements),
        Stage::Aggregate(AggregateSpec::GroupBy(groups)),
        gathered(arguments, Some(index)),
    ]))
}
