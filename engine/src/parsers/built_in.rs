//! Parsers that come with the program, each with its test cases, from the files beside this one.
//!
//! ```text
//! cases := case { empty line case }        input: the text of an event
//! case  := { name ": " value }             arrival: when it comes    -name: it has no such field    dropped: true
//! ```

use std::sync::Arc;

use super::parser::{Case, Expected, Parser};
use super::{ParserMap, StoredParser};
use crate::event::timestamp;

const NANOS_PER_MILLI: i64 = 1_000_000;

/// A parser as it stands in files.
struct BuiltIn {
    name: &'static str,
    description: &'static str,
    text: &'static str,
    cases: &'static str,
}

macro_rules! built_in {
    ($name:literal, $description:literal) => {
        BuiltIn {
            name: $name,
            description: $description,
            text: include_str!(concat!("built_in/", $name, ".cql")),
            cases: include_str!(concat!("built_in/", $name, ".cases")),
        }
    };
}

const BUILT_IN: [BuiltIn; 9] = [
    built_in!("accesslog", "Access logs of web servers: the common and the combined format."),
    built_in!("cef", "The Common Event Format, also behind a syslog header."),
    built_in!("csv", "Comma-separated values without a header: column1, column2, and so on."),
    built_in!("json", "JSON: its members are the fields."),
    built_in!("kv", "Pairs of keys and values, as in logfmt; the time stands in front or in a pair."),
    built_in!("leef", "The Log Event Extended Format, also behind a syslog header."),
    built_in!("logfmt", "Pairs of keys and values with the time, the level and the message among them."),
    built_in!("nginx", "Access logs and error logs of nginx."),
    built_in!("syslog", "Syslog, by RFC 5424 and by RFC 3164."),
];

/// The parsers that come with the program.
#[must_use]
pub fn parsers() -> ParserMap {
    let parser = |one: &BuiltIn| {
        let parser = Parser {
            text: one.text.to_owned(),
            description: one.description.to_owned(),
            tests: one.cases.split("\n\n").filter_map(case).collect(),
            ..Parser::default()
        };
        (one.name.to_owned(), Arc::new(StoredParser::new(one.name, 0, parser)))
    };
    BUILT_IN.iter().map(parser).collect()
}

/// A test case as it stands in a file; `None`: there is none.
fn case(block: &str) -> Option<Case> {
    let mut case = Case::default();
    let mut expected = Expected::default();
    for line in block.lines() {
        let (name, value) = line.split_once(": ").unwrap_or((line.trim_end_matches(':'), ""));
        match name {
            "" => {}
            "input" => case.input = value.to_owned(),
            "arrival" => {
                case.arrival_millis =
                    timestamp::parse(value, 0).map(|nanos| nanos.div_euclid(NANOS_PER_MILLI));
            }
            "dropped" => case.is_dropped = true,
            "@timestamp" => {
                let millis = timestamp::parse(value, 0).map(|nanos| nanos.div_euclid(NANOS_PER_MILLI));
                expected.has.push((name.to_owned(), millis.unwrap_or_default().to_string()));
            }
            name => match name.strip_prefix('-') {
                Some(absent) => expected.lacks.push(absent.to_owned()),
                None => expected.has.push((name.to_owned(), value.to_owned())),
            },
        }
    }
    case.expected.push(expected);
    (!case.input.is_empty()).then_some(case)
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_query::compile::Known;

    use crate::parsers::{Chosen, ParserLimits, failures};

    #[test]
    fn each_does_what_its_cases_say() {
        for (name, stored) in parsers() {
            let program = stored.program(&Known::default());
            let program = program
                .unwrap_or_else(|faults| panic!("{name}: {}", faults.render(&stored.parser.text, false)));
            assert!(stored.parser.tests.len() >= 3, "{name} shows little of what it does");
            let chosen = Chosen::new(&stored.name, &stored.parser, Ok(program));
            let failures = failures(&chosen, &stored.parser.tests, &ParserLimits::default(), 0);
            let told: Vec<String> = failures.iter().map(ToString::to_string).collect();
            assert!(told.is_empty(), "{name}\n{}", told.join("\n"));
        }
    }
}
