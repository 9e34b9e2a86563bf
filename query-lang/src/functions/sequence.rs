//! The signatures of functions over rows in their order; what they do is in `crate::aggregates::sequence`.

use crate::aggregates::sequence::{DISTANCE_MAX, TRANSPOSED_MAX, WINDOW_ROWS_MAX};
use crate::functions::{Build, Kind, Parameter, Signature};

const FUNCTION: Parameter = Parameter::required("function", Kind::Aggregates);
const CURRENT: Parameter =
    Parameter::with_default("current", Kind::Choice(&["include", "exclude"]), "include");

const fn sequence(name: &'static str, parameters: &'static [Parameter], doc: &'static str) -> Signature {
    Signature { name, aliases: &[], parameters, build: Build::Sequence, doc }
}

/// The table of this family.
pub const SIGNATURES: &[Signature] = &[
    sequence("appendAggregation", &[FUNCTION], "The rows, and behind them aggregates of all of them."),
    sequence("accumulate", &[FUNCTION, CURRENT], "For each row aggregates of all rows up to it."),
    sequence(
        "slidingWindow",
        &[
            FUNCTION,
            Parameter::required("events", Kind::Integer { least: 1, most: WINDOW_ROWS_MAX as i64 }),
            CURRENT,
        ],
        "For each row aggregates of so many rows up to it.",
    ),
    sequence(
        "slidingTimeWindow",
        &[
            FUNCTION,
            Parameter::required("span", Kind::Duration),
            Parameter::with_default("timestampfield", Kind::Text, "@timestamp"),
            CURRENT,
        ],
        "For each row aggregates of the rows up to it that are not older than so long.",
    ),
    sequence(
        "partition",
        &[
            FUNCTION,
            Parameter::required("condition", Kind::Pipeline),
            Parameter::with_default("split", Kind::Choice(&["before", "after"]), "before"),
        ],
        "Aggregates of each part of the rows, which a condition splits.",
    ),
    sequence(
        "neighbor",
        &[
            Parameter::required("include", Kind::Texts),
            Parameter::with_default("distance", Kind::Integer { least: 1, most: DISTANCE_MAX as i64 }, "1"),
            Parameter::with_default("direction", Kind::Choice(&["preceding", "succeeding"]), "preceding"),
            Parameter::optional("prefix", Kind::Text),
        ],
        "Fields of a row before or behind each row.",
    ),
    sequence(
        "transpose",
        &[
            Parameter::optional("pivot", Kind::Text),
            Parameter::optional("header", Kind::Text),
            Parameter::with_default("column", Kind::Text, "column"),
            Parameter::with_default("limit", Kind::Limit { most: TRANSPOSED_MAX as i64 }, "5"),
        ],
        "A row for each field, with a column for each row.",
    ),
];
