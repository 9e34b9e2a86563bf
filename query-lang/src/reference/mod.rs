//! The reference of the functions, made of what the code itself goes by: signatures, examples that a test runs, and what
//! `GRAMMAR.md` says was decided.
//!
//! [`pages`] gives one page a family and an index; `weir docs --out DIR` writes them, and those in `query-lang/docs` are
//! committed. A new function stands on the page of its family by itself; a new family takes its place in [`FAMILIES`].

mod decided;
mod examples;
mod page;
pub mod usage;

pub use examples::{Example, MAX_EXAMPLE_ROWS, examples};

use crate::functions::{
    Signature, aggregate, arrays, cef, characters, clock, columns, databases, digests, duration, dynamic,
    each, elements, encoding, events, fields, filters, flags, format, geo, hashes, integers, joins, json,
    jsontext, kv, lookup, math, network, reduce, regex, sequence, substring, text, timeformat, timeparts,
    timestamp, unfold, units, uri, xml,
};

/// A page of the reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The name of its file.
    pub file: String,
    /// Markdown.
    pub text: String,
}

/// What stands together on a page.
#[derive(Clone, Copy, Debug)]
pub struct Family {
    /// The name of its file, without the ending.
    pub file: &'static str,
    /// Its heading.
    pub title: &'static str,
    /// What its functions have in common.
    pub about: &'static str,
    /// Their signatures.
    pub tables: &'static [&'static [Signature]],
}

/// Every family, in the order of the index.
pub const FAMILIES: &[Family] = &[
    Family {
        file: "filters",
        title: "Filters",
        about: "Conditions on rows. They stand wherever a condition may, and may be negated: `!cidr(ip, subnet=\"10.0.0.0/8\")`.",
        tables: &[filters::SIGNATURES, regex::SIGNATURES],
    },
    Family {
        file: "fields",
        title: "Fields and values",
        about: "What fields a row has, and what they are made of.",
        tables: &[fields::SIGNATURES, dynamic::SIGNATURES, format::SIGNATURES, events::SIGNATURES],
    },
    Family {
        file: "text",
        title: "Text",
        about: "Texts taken apart, put together and changed. Positions and lengths count characters (code points).",
        tables: &[text::SIGNATURES, substring::SIGNATURES, characters::SIGNATURES],
    },
    Family {
        file: "numbers",
        title: "Numbers and units",
        about: "Arithmetic beyond the operators of expressions. What has no finite answer writes nothing.",
        tables: &[math::SIGNATURES, integers::SIGNATURES, flags::SIGNATURES, units::SIGNATURES],
    },
    Family {
        file: "time",
        title: "Time",
        about: "Instants are milliseconds since 1970-01-01 UTC. Zones are names like `Europe/Berlin` or offsets like `+02:00`; unless given, the zone of the query.",
        tables: &[
            clock::SIGNATURES,
            timeparts::SIGNATURES,
            timeformat::SIGNATURES,
            timestamp::SIGNATURES,
            duration::SIGNATURES,
        ],
    },
    Family {
        file: "parsing",
        title: "Parsing and writing",
        about: "From a text to fields, and back.",
        tables: &[
            json::SIGNATURES,
            jsontext::SIGNATURES,
            kv::SIGNATURES,
            columns::SIGNATURES,
            cef::SIGNATURES,
            xml::SIGNATURES,
            uri::SIGNATURES,
            encoding::SIGNATURES,
        ],
    },
    Family {
        file: "arrays",
        title: "Arrays",
        about: "An array is fields with indexes, `a[0]`, `a[1]` and so on, up to the first gap; `a` and `a[]` both name it. Elements of an array of objects have members: `a[0].name`.",
        tables: &[
            arrays::SIGNATURES,
            elements::SIGNATURES,
            each::SIGNATURES,
            reduce::SIGNATURES,
            unfold::SIGNATURES,
        ],
    },
    Family {
        file: "network",
        title: "Networks and places",
        about: "Addresses, flows, places. Databases of addresses are lookup tables that the operator supplies; without its table a query runs, and says so.",
        tables: &[network::SIGNATURES, databases::SIGNATURES, geo::SIGNATURES],
    },
    Family {
        file: "hashes",
        title: "Hashes",
        about: "Digests and hashes of values.",
        tables: &[digests::SIGNATURES, hashes::SIGNATURES],
    },
    Family {
        file: "lookups",
        title: "Lookups, and queries inside queries",
        about: "Tables beside the events: files that were uploaded, or results of queries that run before.",
        tables: &[lookup::SIGNATURES, joins::SIGNATURES],
    },
    Family {
        file: "aggregates",
        title: "Aggregates",
        about: "They work on all rows and give a table. Several stand side by side in a list: `[count(), max(ms)]`; inside another as its `function`, also with steps before and behind: `function={ level=ERROR | count(as=errors) }`.",
        tables: &[aggregate::SIGNATURES],
    },
    Family {
        file: "sequences",
        title: "Rows in their order",
        about: "They stand behind an aggregate, and work on the rows of its table in their order.",
        tables: &[sequence::SIGNATURES],
    },
];

/// Every page: the index, called `README.md`, then a page a family.
#[must_use]
pub fn pages() -> Vec<Page> {
    let mut pages = vec![page::index()];
    pages.extend(FAMILIES.iter().map(page::family));
    pages
}

/// What the reference says of one function, under any of its names; `None` when there is none.
#[must_use]
pub fn entry(name: &str) -> Option<String> {
    crate::functions::find(name).map(page::entry)
}
