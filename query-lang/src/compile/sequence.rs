//! Calls of functions over rows in their order as what they are asked to do.

use std::sync::Arc;

use crate::aggregates::sequence::{
    NeighborSpec, PartitionSpec, RunningSpec, SequenceSpec, TransposeSpec, Window,
};
use crate::compile::aggregate::product;
use crate::compile::steps::Compiler;
use crate::error::Diagnostic;
use crate::functions::Arguments;
use crate::plan::Call;
use crate::windows::span::parse_span;

/// Compiles a function over rows in their order.
///
/// # Errors
/// When an argument is at fault, or nothing has brought rows into an order.
pub(super) fn compile(call: &Call, compiler: &mut Compiler) -> Result<SequenceSpec, Diagnostic> {
    let arguments = &call.arguments;
    let name = arguments.signature().name;
    if !compiler.is_behind_aggregate {
        return Err(Diagnostic {
            code: "position",
            message: format!(
                "`{name}` must follow an aggregate that orders rows, such as `head()`, `sort()` or `bucket()`"
            ),
            span: arguments.span,
            hint: None,
        });
    }
    Ok(match name {
        "transpose" => SequenceSpec::Transpose(transpose(arguments)?),
        "neighbor" => SequenceSpec::Neighbor(neighbor(arguments)),
        "partition" => SequenceSpec::Partition(PartitionSpec {
            function: product(arguments.aggregates("function"), compiler)?,
            condition: compiler.pipeline(arguments.pipeline("condition")),
            splits_behind: is(arguments, "split", "after"),
        }),
        "appendAggregation" => SequenceSpec::Append(product(arguments.aggregates("function"), compiler)?),
        _ => SequenceSpec::Running(running(arguments, compiler)?),
    })
}

fn is(arguments: &Arguments, parameter: &str, word: &str) -> bool {
    arguments.text(parameter).is_some_and(|text| *text == *word)
}

fn size(arguments: &Arguments, name: &str) -> usize {
    arguments.integer(name).and_then(|number| usize::try_from(number).ok()).unwrap_or(1)
}

fn transpose(arguments: &Arguments) -> Result<TransposeSpec, Diagnostic> {
    let (pivot, header) = (arguments.text("pivot"), arguments.text("header"));
    if pivot.is_some() && header.is_some() {
        return Err(arguments.fault("header", "`pivot` is the header, too: give one of them"));
    }
    let column = pivot.clone().unwrap_or_else(|| arguments.text_or_empty("column"));
    Ok(TransposeSpec { header: pivot.or(header), column, limit: size(arguments, "limit") })
}

fn neighbor(arguments: &Arguments) -> NeighborSpec {
    let prefix = arguments.text("prefix").filter(|prefix| !prefix.is_empty());
    let mut fields: Vec<(Arc<str>, Arc<str>)> = Vec::new();
    for field in arguments.texts("include") {
        if fields.iter().all(|(have, _)| have != field) {
            let name = prefix
                .as_ref()
                .map_or_else(|| Arc::clone(field), |prefix| format!("{prefix}.{field}").into());
            fields.push((Arc::clone(field), name));
        }
    }
    NeighborSpec {
        fields,
        distance: size(arguments, "distance"),
        is_behind: is(arguments, "direction", "succeeding"),
    }
}

fn running(arguments: &Arguments, compiler: &mut Compiler) -> Result<RunningSpec, Diagnostic> {
    let name = arguments.signature().name;
    let function = product(arguments.aggregates("function"), compiler)?;
    if !function.has_one_row() {
        let message =
            format!("`{name}` takes only aggregates that give one row, such as `sum()` or `count()`");
        return Err(arguments.fault("function", message));
    }
    let window = match name {
        "slidingWindow" => Window::Rows(size(arguments, "events")),
        "slidingTimeWindow" => {
            let span = arguments.text_or_empty("span");
            let Some(span_millis) = parse_span(&span).filter(|millis| *millis > 0) else {
                let message = format!("`{span}` is no time span like `5m` or `1 hour`");
                return Err(arguments.fault("span", message));
            };
            Window::Time { field: arguments.text_or_empty("timestampfield"), span_millis }
        }
        _ => Window::All,
    };
    Ok(RunningSpec { function, window, is_inclusive: is(arguments, "current", "include") })
}
