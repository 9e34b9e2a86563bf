//! Parsers as packages have them: `script`, `tagFields`, `fieldsToBeRemovedBeforeParsing`, and examples: texts (`tests`), or
//! events with assertions (`testCases`).

use weir_engine::parsers::{Case, Expected, Parser};

use super::yaml::Value;

/// The parser of a file; its text may be missing.
pub(super) fn read(value: &Value) -> Parser {
    let tests = ["tests", "testCases"].into_iter().filter_map(|name| value.get(name));
    let texts = |names: &[&str]| names.iter().flat_map(|name| list(value.get(name))).collect();
    Parser {
        text: value.text("script").map(|text| text.text.clone()).unwrap_or_default(),
        description: value.text("description").map(|text| text.text.clone()).unwrap_or_default(),
        tag_fields: texts(&["tagFields", "fieldsToTag"]),
        removed_fields: texts(&["fieldsToBeRemovedBeforeParsing"]),
        tests: tests.flat_map(Value::elements).filter_map(case).collect(),
    }
}

/// The texts of a list.
fn list(value: Option<&Value>) -> Vec<String> {
    let elements = value.map(Value::elements).unwrap_or_default();
    elements.iter().filter_map(text).collect()
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::Text(text) => Some(text.text.clone()),
        _ => None,
    }
}

fn case(value: &Value) -> Option<Case> {
    let input = match value {
        Value::Text(text) => return Some(Case { input: text.text.clone(), ..Case::default() }),
        other => other.get("event")?.text("rawString")?.text.clone(),
    };
    let told = ["assertions", "outputAssertions"].into_iter().filter_map(|name| value.get(name));
    let expected = told.flat_map(Value::elements).map(expected).collect();
    Some(Case { input, expected, ..Case::default() })
}

fn expected(value: &Value) -> Expected {
    // One is about the event, or has an index beside.
    let about = value.get("assertions").unwrap_or(value);
    let index = value.text("outputEventIndex").and_then(|index| index.text.parse().ok());
    let has = about.get("fieldsHaveValues").map_or(Vec::new(), |values| match values {
        Value::Map(map) => {
            map.iter().filter_map(|(name, value)| Some((name.clone(), text(value)?))).collect()
        }
        other => other.elements().iter().filter_map(pair).collect(),
    });
    Expected { event: index.unwrap_or(0), has, lacks: list(about.get("fieldsNotPresent")) }
}

fn pair(value: &Value) -> Option<(String, String)> {
    Some((value.text("fieldName")?.text.clone(), value.text("expectedValue")?.text.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::package::yaml;

    #[test]
    fn examples_are_read_in_all_their_forms() {
        let file = "script: kvParse()\ntagFields: [host]\nfieldsToBeRemovedBeforeParsing: [raw]\ntests:\n- a=1\n\
                    testCases:\n- event: {rawString: a=2}\n  assertions:\n- event: {rawString: a=3}\n  outputAssertions:\n  \
                    - outputEventIndex: 1\n    assertions:\n      fieldsHaveValues:\n      - {fieldName: a, expectedValue: 3}\n      \
                    fieldsNotPresent: [b]\n- event: {rawString: a=4}\n  assertions:\n  - fieldsHaveValues: {a: 4}\n";
        let parser = read(&yaml::read(file).unwrap());
        assert_eq!(
            (parser.text.as_str(), parser.tag_fields.as_slice()),
            ("kvParse()", ["host".to_owned()].as_slice())
        );
        assert_eq!(parser.removed_fields, ["raw"]);
        let pair = |value: &str| vec![("a".to_owned(), value.to_owned())];
        let case = |input: &str, expected: Vec<Expected>| Case {
            input: input.to_owned(),
            expected,
            ..Case::default()
        };
        let cases = [
            case("a=1", Vec::new()),
            case("a=2", Vec::new()),
            case("a=3", vec![Expected { event: 1, has: pair("3"), lacks: vec!["b".to_owned()] }]),
            case("a=4", vec![Expected { event: 0, has: pair("4"), lacks: Vec::new() }]),
        ];
        assert_eq!(parser.tests, cases);
    }
}
