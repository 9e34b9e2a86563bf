//! What expressions come to, and where the wrong ones are wrong.

use std::sync::Arc;

use weir_query::program::Keys;
use weir_query::result::ResultTable;

use super::*;

/// `errors{service}` and `total{service}` as two metrics of a repository would give them.
fn samples() -> Vec<Sample> {
    let errors =
        [("cart", 2.0), ("pay", 7.0), ("mail", f64::NAN)].map(|(service, value)| ("errors", service, value));
    let total = [("cart", 10.0), ("pay", 14.0)].map(|(service, value)| ("total", service, value));
    let sample = |(name, service, value)| Sample {
        labels: [("__name__", name), ("service", service)].into_iter().collect(),
        value,
    };
    errors.into_iter().chain(total).map(sample).collect()
}

fn evaluated(text: &str) -> Result<String, Fault> {
    let expression = parse(text)?;
    let of = |selection: &Selection| {
        samples().into_iter().filter(|sample| selection.selector.is_match(&sample.labels)).collect::<Vec<_>>()
    };
    let vectors: Vec<_> = expression.selections().iter().map(of).collect();
    let shown = |sample: &Sample| {
        let labels: Vec<String> =
            sample.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
        format!("{{{}}} {}", labels.join(","), sample.value)
    };
    Ok(match expression.evaluate(&vectors)? {
        Value::Scalar(number) => number.to_string(),
        Value::Vector(samples) => samples.iter().map(shown).collect::<Vec<_>>().join(" "),
    })
}

#[test]
fn expressions() {
    for (text, expected) in [
        ("1+1", "2"),
        ("1 + 2 * 3 ^ 2 ^ 0", "7"),
        ("-2 ^ 2", "-4"),
        ("(1 + 2) * -3", "-9"),
        ("7 % 4 - 10 / 4", "0.5"),
        ("1 < bool 2", "1"),
        ("1 / 0", "inf"),
        ("errors{service=\"cart\"}", "{__name__=errors,service=cart} 2"),
        ("{__name__=~\"err.*\",service!~\"c.*|mail\"}", "{__name__=errors,service=pay} 7"),
        ("errors{service=~\"ca\"}", ""),
        ("errors{host=\"\",service=\"pay\",}", "{__name__=errors,service=pay} 7"),
        (
            "errors offset 5m",
            "{__name__=errors,service=cart} 2 {__name__=errors,service=pay} 7 {__name__=errors,service=mail} NaN",
        ),
        ("errors > 3", "{__name__=errors,service=pay} 7"),
        ("3 >= errors", "{__name__=errors,service=cart} 2"),
        ("total > bool 10", "{service=cart} 0 {service=pay} 1"),
        ("-total / 2", "{service=cart} -5 {service=pay} -7"),
        ("errors / total", "{service=cart} 0.2 {service=pay} 0.5"),
        ("total > errors", "{__name__=total,service=cart} 10 {__name__=total,service=pay} 14"),
        ("sum(total)", "{} 24"),
        ("sum by (service) (total)", "{service=cart} 10 {service=pay} 14"),
        ("avg(total) without (service)", "{} 12"),
        ("SUM(total) BY (service, absent,)", "{service=cart} 10 {service=pay} 14"),
        ("min(errors)", "{} 2"),
        ("max(errors)", "{} 7"),
        ("count(errors)", "{} 3"),
        ("count(errors > 100)", ""),
        ("topk(1, errors)", "{__name__=errors,service=pay} 7"),
        ("bottomk(1, errors)", "{__name__=errors,service=cart} 2"),
        ("topk(-1, errors)", ""),
        ("sum(errors{service!=\"mail\"}) / sum(total) * 100", "{} 37.5"),
        ("sum", ""),
    ] {
        let value = evaluated(text).unwrap_or_else(|fault| panic!("{text}: {}", fault.message()));
        assert_eq!(value, expected, "{text}");
    }
}

#[test]
fn faults_say_what_and_where() {
    for (text, message) in [
        ("", "1:1: expected a number, a selector or an aggregation, not the end"),
        ("1 +", "1:4: expected a number"),
        ("(1", "1:3: expected `)`, not the end"),
        ("rate(errors[5m])", "1:1: `rate` is not supported; there are sum, avg"),
        ("errors[5m]", "1:7: a range selector"),
        ("errors @ 1", "1:8: the modifier `@` is not supported"),
        ("errors and total", "1:8: the operator `and` is not supported"),
        ("errors / on(service) total", "1:10: the matching `on` is not supported"),
        ("quantile by (a) (errors)", "1:1: `quantile` is not supported"),
        ("\"text\"", "1:1: a string by itself is not supported"),
        ("5m", "1:1: a duration by itself is not supported"),
        ("{}", "1:1: a selector needs a name or a matcher"),
        ("{a=~\".*\"}", "1:1: a selector needs a name or a matcher"),
        ("errors{a=b}", "1:10: expected a string, not `b`"),
        ("errors{a>\"b\"}", "1:9: expected `=`, `!=`, `=~` or `!~`, not `>`"),
        ("errors{a=~\"(\"}", "1:11: the regex is wrong"),
        ("errors{\"a\"=\"b\"}", "1:8: expected the name of a label"),
        ("sum(1)", "1:1: `sum` is of series, not of a number"),
        ("topk(errors, errors)", "1:6: `topk` wants a number first"),
        ("1 > 2", "1:3: a comparison of two numbers needs `bool`"),
        ("1 + bool 2", "1:5: `bool` belongs behind comparisons only"),
        ("errors offset 5", "1:15: expected a duration"),
        ("1 2", "1:3: expected an operator or the end, not the number 2"),
        ("sum by (errors", "1:15: expected `)`, not the end"),
        ("{__name__=~\"errors|total\"} * 2", "several series of the result have the same labels"),
        ("{service=\"pay\"} / errors", "several series of one side"),
        ("errors / {service=\"pay\"}", "several series of one side"),
    ] {
        match evaluated(text) {
            Ok(value) => panic!("{text} is {value}"),
            Err(fault) => assert!(fault.message().starts_with(message), "{text}: {}", fault.message()),
        }
    }
}

#[test]
fn expressions_have_limits() {
    // A pair of brackets takes two levels: what is in it, and its operands.
    let nested = |pairs: usize| format!("{}1{}", "(".repeat(pairs), ")".repeat(pairs));
    assert!(parse(&nested(MAX_DEPTH / 2 - 1)).is_ok());
    for pairs in [MAX_DEPTH / 2, 5_000] {
        assert!(parse(&nested(pairs)).unwrap_err().message().contains("nested deeper"));
    }
    assert!(parse(&"-".repeat(5_000)).unwrap_err().message().contains("nested deeper"));
    let long = |bytes: usize| format!("1{}", " ".repeat(bytes - 1));
    assert!(parse(&long(MAX_EXPRESSION_BYTES)).is_ok());
    assert!(parse(&long(MAX_EXPRESSION_BYTES + 1)).unwrap_err().message().contains("longer than"));
    let many = |count: usize| vec!["a"; count].join("+");
    assert!(parse(&many(MAX_SELECTIONS)).is_ok());
    assert!(parse(&many(MAX_SELECTIONS + 1)).unwrap_err().message().contains("selectors"));
    let regex = format!("a{{b=~\"{}\"}}", "(x{500}){500}");
    assert!(parse(&regex).unwrap_err().message().contains("the regex takes more than"));
}

#[test]
fn rows_become_series() {
    let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let table = ResultTable::of_events(&[
        vec![field("svc.name", "cart"), field("repository", "r"), field("_count", "3"), field("_max", "1.5")],
        vec![field("svc.name", "pay"), field("_count", "x")],
        vec![field("svc.name", "pay"), field("_count", "4"), field("note", "none")],
        vec![field("svc.name", "pay"), field("_count", "5")],
    ]);
    let keys = Keys { columns: vec![Arc::from("svc.name"), Arc::from("repository")], ordered: false };
    let mut out = Vec::new();
    let series = Series::new("default", "by-service", Some(keys));
    write_exposition(series.name(), "a\\b\nc", &series.of(&table), &mut out);
    let expected = "# HELP weir_metric_by_service a\\\\b\\nc\n\
        # TYPE weir_metric_by_service gauge\n\
        weir_metric_by_service{column=\"_count\",exported_repository=\"r\",metric=\"by-service\",repository=\"default\",svc_name=\"cart\"} 3\n\
        weir_metric_by_service{column=\"_count\",metric=\"by-service\",repository=\"default\",svc_name=\"pay\"} 4\n\
        weir_metric_by_service{column=\"_max\",exported_repository=\"r\",metric=\"by-service\",repository=\"default\",svc_name=\"cart\"} 1.5\n";
    assert_eq!(String::from_utf8(out).unwrap(), expected);
    assert!(Series::new("default", "events", None).of(&table).is_empty(), "without keys there are no series");
    for (metric, name) in [
        ("errors", "errors"),
        ("a:b", "weir_metric_a_b"),
        ("5xx", "weir_metric_5xx"),
        ("a.b~c", "weir_metric_a_b_c"),
    ] {
        let expected = if metric == "a:b" { "a:b" } else { name };
        assert_eq!(name_of(metric), expected);
    }
}
