//! The signatures of aggregates; what they do is in `crate::aggregates`.

use crate::aggregates::spec::{BUCKETS_MAX, GROUP_LIMIT_MAX, ROW_LIMIT_MAX, SERIES_MAX};
use crate::functions::{Build, Kind, Parameter, Signature};

const ROWS: Kind = Kind::Limit { most: ROW_LIMIT_MAX as i64 };
const ROWS_LIMIT: Parameter = Parameter::with_default("limit", ROWS, "200");
const COUNT: Parameter = Parameter::with_default("function", Kind::Aggregates, "count");
const ORDER: Kind = Kind::Choices(&["asc", "desc", "ascending", "descending", "asce", "des"]);
const SORT_TYPE: Kind = Kind::Choices(&["number", "string", "text", "hex", "any"]);

const fn aggregate(name: &'static str, parameters: &'static [Parameter], doc: &'static str) -> Signature {
    Signature { name, aliases: &[], parameters, build: Build::Aggregate, doc }
}

macro_rules! of_numbers {
    ($as:literal) => {
        &[Parameter::required("field", Kind::Text), Parameter::with_default("as", Kind::Text, $as)]
    };
}

/// The table of aggregates.
pub const SIGNATURES: &[Signature] = &[
    aggregate(
        "count",
        &[
            Parameter::optional("field", Kind::Text),
            Parameter::with_default("distinct", Kind::Bool, "false"),
            Parameter::with_default("as", Kind::Text, "_count"),
        ],
        "Counts rows, rows with a field, or distinct values of a field.",
    ),
    aggregate("sum", of_numbers!("_sum"), "The sum of a field's numbers."),
    aggregate("avg", of_numbers!("_avg"), "The mean of a field's numbers."),
    aggregate(
        "min",
        &[
            Parameter::required("field", Kind::Text),
            Parameter::with_default("as", Kind::Text, "_min"),
            Parameter::with_default("type", Kind::Choice(&["number"]), "number"),
        ],
        "The least of a field's numbers.",
    ),
    aggregate(
        "max",
        &[
            Parameter::required("field", Kind::Text),
            Parameter::with_default("as", Kind::Text, "_max"),
            Parameter::with_default("type", Kind::Choice(&["number"]), "number"),
        ],
        "The greatest of a field's numbers.",
    ),
    aggregate("range", of_numbers!("_range"), "The greatest minus the least of a field's numbers."),
    aggregate("stdDev", of_numbers!("_stddev"), "The standard deviation of a field's numbers."),
    aggregate("variance", of_numbers!("_variance"), "The variance of a field's numbers."),
    aggregate(
        "percentile",
        &[
            Parameter::required("field", Kind::Text),
            Parameter::optional("percentiles", Kind::Numbers).aliased(&["percentile"]),
            Parameter::optional("as", Kind::Text),
            Parameter::with_default("accuracy", Kind::Number, "0.01"),
        ],
        "Percentiles of a field's numbers.",
    ),
    aggregate(
        "linReg",
        &[
            Parameter::required("x", Kind::Text),
            Parameter::required("y", Kind::Text),
            Parameter::with_default("prefix", Kind::Text, ""),
        ],
        "The straight line through points.",
    ),
    aggregate(
        "groupBy",
        &[
            Parameter::required("field", Kind::Texts).aliased(&["fields"]),
            COUNT,
            Parameter::with_default("limit", Kind::Limit { most: GROUP_LIMIT_MAX as i64 }, "20000"),
            Parameter::optional("other", Kind::Text),
        ],
        "Computes aggregates for each combination of values.",
    ),
    aggregate(
        "top",
        &[
            Parameter::required("field", Kind::Texts).aliased(&["fields"]),
            Parameter::with_default("limit", ROWS, "10"),
            Parameter::optional("sum", Kind::Text),
            Parameter::optional("max", Kind::Text),
            Parameter::optional("as", Kind::Text),
            Parameter::with_default("percent", Kind::Bool, "false"),
            Parameter::optional("rest", Kind::Text),
            Parameter::with_default("error", Kind::Number, "5"),
        ],
        "The most frequent values, or those with the greatest sum or maximum of another field.",
    ),
    aggregate(
        "bucket",
        &[
            Parameter::with_default("span", Kind::Duration, "auto"),
            Parameter::optional("field", Kind::Texts),
            Parameter::optional("buckets", Kind::Integer { least: 1, most: BUCKETS_MAX as i64 }),
            COUNT,
            Parameter::with_default("limit", Kind::Limit { most: SERIES_MAX as i64 }, "10"),
            Parameter::optional("minSpan", Kind::Duration),
            Parameter::optional("timezone", Kind::Text),
            Parameter::optional("unit", Kind::Texts),
        ],
        "Computes aggregates for each bucket of time.",
    ),
    aggregate(
        "timeChart",
        &[
            Parameter::optional("series", Kind::Texts).aliased(&["field"]),
            Parameter::with_default("span", Kind::Duration, "auto"),
            Parameter::optional("buckets", Kind::Integer { least: 1, most: BUCKETS_MAX as i64 }),
            COUNT,
            Parameter::with_default("limit", Kind::Limit { most: SERIES_MAX as i64 }, "10"),
            Parameter::optional("minSpan", Kind::Duration),
            Parameter::optional("timezone", Kind::Text),
            Parameter::optional("unit", Kind::Texts),
        ],
        "Computes aggregates for each bucket of time and series, to be drawn.",
    ),
    aggregate(
        "collect",
        &[
            Parameter::required("fields", Kind::Texts).aliased(&["field"]),
            Parameter::with_default("limit", Kind::Limit { most: GROUP_LIMIT_MAX as i64 }, "2000"),
            Parameter::with_default("multival", Kind::Bool, "true"),
            Parameter::with_default("separator", Kind::Text, "\n"),
        ],
        "The distinct values of fields.",
    ),
    aggregate(
        "selectLast",
        &[Parameter::required("fields", Kind::Texts).aliased(&["field"])],
        "For each field its value in the newest row that has it.",
    ),
    aggregate(
        "selectFromMax",
        &[Parameter::required("field", Kind::Text), Parameter::required("include", Kind::Texts)],
        "Fields of the row with the greatest number.",
    ),
    aggregate(
        "selectFromMin",
        &[Parameter::required("field", Kind::Text), Parameter::required("include", Kind::Texts)],
        "Fields of the row with the least number.",
    ),
    aggregate("head", &[ROWS_LIMIT], "The oldest rows."),
    aggregate("tail", &[ROWS_LIMIT], "The newest rows."),
    aggregate(
        "sort",
        &[
            Parameter::with_default("field", Kind::Texts, "_count").aliased(&["fields"]),
            Parameter::with_default("order", ORDER, "desc"),
            Parameter::with_default("type", SORT_TYPE, "number"),
            ROWS_LIMIT,
            Parameter::with_default("reverse", Kind::Bool, "false"),
        ],
        "The first rows by fields.",
    ),
    aggregate(
        "table",
        &[
            Parameter::required("fields", Kind::Texts).aliased(&["field"]),
            Parameter::with_default("sortby", Kind::Texts, "@timestamp"),
            Parameter::with_default("order", ORDER, "desc"),
            Parameter::with_default("type", SORT_TYPE, "number"),
            ROWS_LIMIT,
            Parameter::with_default("reverse", Kind::Bool, "false"),
        ],
        "Some fields of the first rows, in this order.",
    ),
    aggregate(
        "fieldstats",
        &[ROWS_LIMIT],
        "In how many rows each field is, and how many distinct values it has.",
    ),
    aggregate("fieldset", &[], "The names of the fields there are."),
    aggregate("stats", &[COUNT], "Several aggregates side by side; the same as `[a(), b()]`."),
    aggregate("counterAsRate", of_numbers!("_rate"), "How fast a counter grows, per second."),
    aggregate(
        "callFunction",
        &[
            Parameter::required("function", Kind::Choice(&["avg", "count", "max", "min", "range", "sum"])),
            Parameter::required("field", Kind::Text),
            Parameter::with_default("as", Kind::Text, "_function"),
        ],
        "The aggregate of this name over a field: its name can be a parameter.",
    ),
    aggregate(
        "session",
        &[COUNT, Parameter::with_default("maxpause", Kind::Duration, "15m")],
        "Computes aggregates for each stretch of rows with no longer pause between them.",
    ),
    aggregate(
        "series",
        &[
            Parameter::required("collect", Kind::Texts),
            Parameter::optional("startmatch", Kind::Pipeline),
            Parameter::optional("endmatch", Kind::Pipeline),
            Parameter::optional("maxpause", Kind::Duration),
            Parameter::optional("maxduration", Kind::Duration),
            Parameter::with_default("separator", Kind::Text, "\n"),
            Parameter::with_default("memlimit", Kind::Text, "1KiB"),
        ],
        "The values of fields in the order of time, and how long that took, for each series of rows.",
    ),
    aggregate(
        "window",
        &[
            COUNT,
            Parameter::optional("buckets", Kind::Integer { least: 1, most: BUCKETS_MAX as i64 }),
            Parameter::optional("span", Kind::Duration),
        ],
        "In a chart: aggregates of each bucket with those before it.",
    ),
    aggregate(
        "array:union",
        &[Parameter::required("array", Kind::Text), Parameter::with_default("as", Kind::Text, "_union")],
        "The values that are in the array of any row.",
    ),
    aggregate(
        "array:intersection",
        &[
            Parameter::required("array", Kind::Text),
            Parameter::with_default("as", Kind::Text, "_intersection"),
        ],
        "The values that are in the array of every row that has one.",
    ),
    aggregate(
        "array:reduceColumn",
        &[
            Parameter::required("array", Kind::Text),
            Parameter::required("function", Kind::Aggregates),
            Parameter::optional("var", Kind::Text),
            Parameter::with_default("as", Kind::Text, "_reduceColumn"),
        ],
        "Aggregates over the elements at each place of the arrays of all rows.",
    ),
];
