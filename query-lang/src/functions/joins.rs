//! Functions the plan makes other steps of: queries inside a query (`defineTable`, `join`, `selfJoinFilter`, see
//! [`crate::plan::queries`]), `readFile`, and charts (`sankey`, `worldMap`). Here is what they take.

use crate::aggregates::spec::GROUP_LIMIT_MAX;
use crate::functions::{Build, Kind, Parameter, Signature};
use crate::plan::queries::MAX_QUERY_ROWS;
use crate::table::MAX_TABLE_ROWS;
use crate::table::constellations::MAX_CONSTELLATIONS;

/// The most rows that `join` makes of one.
pub const MAX_JOINED_ROWS: i64 = 100_000;

/// The table of this family.
pub const SIGNATURES: &[Signature] = &[
    Signature {
        name: "defineTable",
        aliases: &[],
        parameters: &[
            Parameter::required("query", Kind::Query),
            Parameter::required("name", Kind::Text),
            Parameter::required("include", Kind::Texts),
            Parameter::optional("start", Kind::Text),
            Parameter::optional("end", Kind::Text),
            Parameter::optional("view", Kind::Text).aliased(&["repo"]),
        ],
        build: Build::Plan,
        doc: "Makes the result of a query a table that `match` and `readFile` read by its name.",
    },
    Signature {
        name: "join",
        aliases: &[],
        parameters: &[
            Parameter::required("query", Kind::Query),
            Parameter::required("field", Kind::Texts),
            Parameter::optional("key", Kind::Texts),
            Parameter::optional("include", Kind::Texts),
            Parameter::with_default("mode", Kind::Choice(&["inner", "left"]), "inner"),
            Parameter::with_default("max", Kind::Limit { most: MAX_JOINED_ROWS }, "1"),
            Parameter::with_default("limit", Kind::Limit { most: MAX_QUERY_ROWS }, "100000"),
            Parameter::optional("start", Kind::Text),
            Parameter::optional("end", Kind::Text),
            Parameter::optional("view", Kind::Text).aliased(&["repo"]),
            Parameter::with_default("live", Kind::Bool, "false"),
        ],
        build: Build::Plan,
        doc: "Rows whose key occurs in the result of a query, with fields of the row found; `!join` keeps the others.",
    },
    Signature {
        name: "selfJoinFilter",
        aliases: &[],
        parameters: &[
            Parameter::required("field", Kind::Texts),
            Parameter::required("where", Kind::Pipelines),
            Parameter::with_default("prefilter", Kind::Bool, "false"),
        ],
        build: Build::Plan,
        doc: "Rows whose keys occur in rows that pass each of several conditions.",
    },
    Signature {
        name: "selfJoin",
        aliases: &[],
        parameters: &[
            Parameter::required("field", Kind::Texts),
            Parameter::required("where", Kind::Pipelines),
            Parameter::optional("collect", Kind::Texts),
            Parameter::optional("select", Kind::Texts),
            Parameter::with_default("limit", Kind::Limit { most: GROUP_LIMIT_MAX as i64 }, "20000"),
            Parameter::with_default("prefilter", Kind::Bool, "false"),
            Parameter::with_default("postfilter", Kind::Bool, "false"),
        ],
        build: Build::Plan,
        doc: "A row for each key that occurs in rows which pass each of several conditions, with what these say.",
    },
    Signature {
        name: "correlate",
        aliases: &[],
        parameters: &[
            Parameter::required("query", Kind::NamedQueries),
            Parameter::with_default("sequence", Kind::Bool, "false"),
            Parameter::optional("sequenceBy", Kind::Texts),
            Parameter::optional("within", Kind::Duration),
            Parameter::optional("globalConstraints", Kind::Texts),
            Parameter::with_default("maxPerRoot", Kind::Limit { most: MAX_CONSTELLATIONS as i64 }, "1"),
            Parameter::optional("root", Kind::Text),
            Parameter::optional("jitterTolerance", Kind::Duration),
            Parameter::with_default("includeMatchesOnceOnly", Kind::Bool, "false"),
            Parameter::with_default("includeConstraintValues", Kind::Bool, "true"),
            Parameter::with_default("iterationLimit", Kind::Integer { least: 1, most: 10 }, "5"),
        ],
        build: Build::Plan,
        doc: "Events of several queries that belong together, by values, by time, in order: a row for each such group.",
    },
    Signature {
        name: "sankey",
        aliases: &[],
        parameters: &[
            Parameter::required("source", Kind::Text),
            Parameter::required("target", Kind::Text),
            Parameter::with_default("weight", Kind::Aggregates, "count"),
        ],
        build: Build::Plan,
        doc: "How much flows from each `source` to each `target`.",
    },
    Signature {
        name: "worldMap",
        aliases: &[],
        parameters: &[
            Parameter::optional("ip", Kind::Text),
            Parameter::optional("lat", Kind::Text),
            Parameter::optional("lon", Kind::Text),
            Parameter::with_default("magnitude", Kind::Aggregates, "count"),
            Parameter::with_default("precision", Kind::Integer { least: 1, most: 12 }, "4"),
        ],
        build: Build::Plan,
        doc: "How much there is in each cell of the map.",
    },
    Signature {
        name: "readFile",
        aliases: &[],
        parameters: &[
            Parameter::required("file", Kind::Tables).aliased(&["table"]),
            Parameter::optional("include", Kind::Texts),
            Parameter::optional("limit", Kind::Limit { most: MAX_TABLE_ROWS as i64 }),
        ],
        build: Build::Plan,
        doc: "The rows of lookup tables instead of events.",
    },
];
