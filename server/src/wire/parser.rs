//! Parsers on the wire.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use weir_engine::parsers::{Case, Expected, Failure, Parser, StoredParser, Tried};

use super::query::TimeText;

/// A parser as it is told.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ParserFacts {
    /// Its name.
    pub name: String,
    /// How many times it was changed; 0: it comes with the program.
    pub version: u64,
    /// It comes with the program.
    pub is_built_in: bool,
    /// Events that name no parser go through it.
    pub is_default: bool,
    /// Its text and all that belongs to it.
    #[serde(flatten)]
    pub parser: ParserText,
    /// Its test cases that fail; only told when it was taken in spite of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<String>,
    /// Why it does not run yet; only told when it was taken all the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub faults: Option<String>,
}

/// A parser as it is sent, and as packages have it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ParserText {
    /// Its name, where the address does not say.
    #[serde(default, skip_serializing)]
    pub name: Option<String>,
    /// Its text.
    #[serde(alias = "text", alias = "parser")]
    pub script: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Fields that become tags.
    #[serde(default, alias = "fieldsToTag")]
    pub tag_fields: Vec<String>,
    /// Fields sent beside the text that are taken away before it runs.
    #[serde(default)]
    pub fields_to_be_removed_before_parsing: Vec<String>,
    /// Examples, and what is expected of them.
    #[serde(default, alias = "testCases")]
    pub tests: Vec<CaseText>,
}

/// An example.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum CaseText {
    /// The text of an event, of which nothing is expected but that the parser does not fail.
    Sample(String),
    /// A text and fields that an event of it has.
    Fields(FieldsCase),
    /// As packages have them.
    Event(EventCase),
}

/// A text and fields that an event of it has.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FieldsCase {
    /// The text of the event.
    pub input: String,
    /// Fields sent beside it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, String>,
    /// When it arrives, milliseconds since the epoch; now where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arrival: Option<i64>,
    /// No event comes of it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dropped: bool,
    /// Fields and their values; null: the field is not there.
    #[serde(default)]
    pub expected: BTreeMap<String, Option<serde_json::Value>>,
}

/// An example as packages have it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EventCase {
    /// The event.
    pub event: EventText,
    /// What is expected of the events that come of it.
    #[serde(default, alias = "outputAssertions")]
    pub assertions: Option<Vec<Assertion>>,
}

/// The text of an event.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EventText {
    /// It.
    pub raw_string: String,
}

/// What is expected of an event.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Assertion {
    /// Which of those that come of the example, from 0.
    pub output_event_index: usize,
    /// Fields and their values.
    pub fields_have_values: BTreeMap<String, String>,
    /// Fields that it has not.
    pub fields_not_present: Vec<String>,
}

impl ParserText {
    /// As the engine takes it.
    #[must_use]
    pub fn into_parser(self) -> Parser {
        Parser {
            text: self.script,
            description: self.description,
            tag_fields: self.tag_fields,
            removed_fields: self.fields_to_be_removed_before_parsing,
            tests: self.tests.into_iter().map(CaseText::into_case).collect(),
        }
    }

    fn of(parser: &Parser) -> ParserText {
        ParserText {
            name: None,
            script: parser.text.clone(),
            description: parser.description.clone(),
            tag_fields: parser.tag_fields.clone(),
            fields_to_be_removed_before_parsing: parser.removed_fields.clone(),
            tests: parser.tests.iter().map(CaseText::of).collect(),
        }
    }
}

impl CaseText {
    /// As the engine takes it.
    #[must_use]
    pub fn into_case(self) -> Case {
        match self {
            CaseText::Sample(input) => Case { input, ..Case::default() },
            CaseText::Fields(case) => {
                let mut expected = Expected::default();
                for (name, value) in case.expected {
                    match value {
                        None | Some(serde_json::Value::Null) => expected.lacks.push(name),
                        Some(serde_json::Value::String(text)) => expected.has.push((name, text)),
                        Some(other) => expected.has.push((name, other.to_string())),
                    }
                }
                let is_empty = expected == Expected::default();
                Case {
                    input: case.input,
                    fields: case.fields.into_iter().collect(),
                    arrival_millis: case.arrival,
                    is_dropped: case.dropped,
                    expected: if is_empty { Vec::new() } else { vec![expected] },
                }
            }
            CaseText::Event(case) => {
                let expected = case.assertions.unwrap_or_default().into_iter().map(|assertion| Expected {
                    event: assertion.output_event_index,
                    has: assertion.fields_have_values.into_iter().collect(),
                    lacks: assertion.fields_not_present,
                });
                Case { input: case.event.raw_string, expected: expected.collect(), ..Case::default() }
            }
        }
    }

    /// As it is told: in the plainest form that says all.
    fn of(case: &Case) -> CaseText {
        let bare = Case { input: case.input.clone(), ..Case::default() };
        if *case == bare {
            return CaseText::Sample(bare.input);
        }
        if case.expected.iter().all(|expected| expected.event == 0) && case.expected.len() <= 1 {
            let has = case.expected.iter().flat_map(|expected| &expected.has);
            let lacks = case.expected.iter().flat_map(|expected| &expected.lacks);
            let text = |(name, value): &(String, String)| (name.clone(), Some(value.clone().into()));
            return CaseText::Fields(FieldsCase {
                input: case.input.clone(),
                fields: case.fields.iter().cloned().collect(),
                arrival: case.arrival_millis,
                dropped: case.is_dropped,
                expected: has.map(text).chain(lacks.map(|name| (name.clone(), None))).collect(),
            });
        }
        let assertion = |expected: &Expected| Assertion {
            output_event_index: expected.event,
            fields_have_values: expected.has.iter().cloned().collect(),
            fields_not_present: expected.lacks.clone(),
        };
        CaseText::Event(EventCase {
            event: EventText { raw_string: case.input.clone() },
            assertions: Some(case.expected.iter().map(assertion).collect()),
        })
    }
}

impl ParserFacts {
    /// What is told of a parser.
    #[must_use]
    pub fn of(stored: &StoredParser, default: Option<&str>) -> ParserFacts {
        ParserFacts {
            name: stored.name.to_string(),
            version: stored.version,
            is_built_in: stored.is_built_in(),
            is_default: default == Some(&*stored.name),
            parser: ParserText::of(&stored.parser),
            failures: Vec::new(),
            faults: None,
        }
    }
}

/// The parser of events that name none.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DefaultParser {
    /// Its name; null: there is none.
    pub name: Option<String>,
}

/// What a parser is tried on.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TestRequest {
    /// A parser that is there.
    pub name: Option<String>,
    /// Or one that is not, by its text and what belongs to it.
    #[serde(alias = "text", alias = "parser")]
    pub script: Option<String>,
    /// Fields that become tags.
    #[serde(default, alias = "fieldsToTag")]
    pub tag_fields: Vec<String>,
    /// Fields that are taken away before it runs.
    #[serde(default)]
    pub fields_to_be_removed_before_parsing: Vec<String>,
    /// Examples.
    #[serde(default, alias = "tests", alias = "testCases")]
    pub samples: Vec<CaseText>,
    /// And the newest stored events that pass these filters, parsed anew from their texts.
    pub query_string: Option<String>,
    /// Of these, from when; 24 hours ago where absent.
    pub start: Option<TimeText>,
    /// Until when; now where absent.
    pub end: Option<TimeText>,
    /// At most so many of them; 50 where absent.
    pub limit: Option<usize>,
}

/// What a parser makes of examples.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TestAnswer {
    /// An entry an example.
    pub results: Vec<Sampled>,
    /// Examples that went through.
    pub parsed: usize,
    /// Examples that it failed on.
    pub failed: usize,
    /// Examples that it dropped.
    pub dropped: usize,
}

/// What a parser makes of one.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Sampled {
    /// The text of the example.
    pub input: String,
    /// The `@id` of the stored event that it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The fields of each event that comes of it.
    pub events: Vec<BTreeMap<String, String>>,
    /// No event comes of it.
    pub dropped: bool,
    /// Where it is not what was expected.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub differences: Vec<String>,
}

impl Sampled {
    /// What came of `input`.
    #[must_use]
    pub fn new(input: &str, tried: Tried, failure: Option<&Failure>) -> Sampled {
        let differences = failure.map(|failure| &failure.differences).into_iter().flatten();
        Sampled {
            input: input.to_owned(),
            id: None,
            dropped: tried.account.dropped > 0,
            events: tried.events.into_iter().map(|event| event.into_iter().collect()).collect(),
            differences: differences.map(ToString::to_string).collect(),
        }
    }
}
