//! Aggregates over all rows at once: collect, sort, compute.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Event, Row, collected, oldest_first, sequence, start, steps};
use crate::aggregates::percentile::rank;
use crate::aggregates::spec::{
    AggregateSpec, BUCKETS_MAX, BucketSpec, CollectSpec, Measure, NumberKind, RowOrder, RowsSpec,
    SelectFromSpec, SpanSpec, TopSpec,
};
use crate::compile::steps::Compiler;
use crate::functions::Build;
use crate::machine::Context;
use crate::plan::{AggregatePipeline, Call, Step};
use crate::record::OrderKey;
use crate::value::order::natural;
use crate::value::{ExactSum, Number, ValueRef};
use crate::windows::bucket::auto_span;

pub(super) type Fields = BTreeMap<String, String>;

/// Whether the rows it gives are events still.
pub(super) fn keeps_events(call: &Call) -> bool {
    matches!(call.arguments.signature().name, "head" | "tail" | "sort" | "table")
}

/// The rows that the aggregate makes of `rows`.
pub(super) fn apply(call: &Call, rows: Vec<Row>, context: &Context) -> Vec<Event> {
    let Ok(spec) = crate::compile::aggregate::compile(call, &mut Compiler::default()) else {
        return Vec::new();
    };
    let table = |rows: Vec<Fields>| {
        rows.into_iter().map(|fields| Event { fields, place: OrderKey::default() }).collect()
    };
    let one = |name: &str, value: Option<String>| {
        value.into_iter().map(|value| Fields::from([(name.to_owned(), value)])).collect()
    };
    if call.arguments.signature().name == "fieldset" {
        let names: BTreeSet<&String> = rows.iter().flat_map(|row| row.event.fields.keys()).collect();
        return table(
            names.into_iter().map(|name| Fields::from([("field".to_owned(), name.clone())])).collect(),
        );
    }
    if let Some(rows) = collected::apply(call, &rows, context) {
        return table(rows);
    }
    let functions = call.arguments.aggregates("function");
    table(match &spec {
        AggregateSpec::Rows(spec) => return sorted(spec, rows),
        AggregateSpec::Count(spec) => {
            let values: Vec<&str> = match &spec.field {
                Some(field) => rows.iter().filter_map(|row| row.get(field)).collect(),
                None => rows.iter().map(|_| "").collect(),
            };
            let distinct = values.iter().collect::<BTreeSet<_>>().len();
            one(&spec.output, Some(if spec.distinct { distinct } else { values.len() }.to_string()))
        }
        AggregateSpec::Number(spec) => one(&spec.output, number(spec.kind, &numbers(&rows, &spec.field))),
        AggregateSpec::Percentile(spec) => {
            let mut numbers = numbers(&rows, &spec.field);
            numbers.retain(|number| !number.is_negative());
            numbers.sort_unstable();
            let at = |p: f64| numbers.get(usize::try_from(rank(p, numbers.len() as u64)).ok()?);
            let outputs = spec.outputs.iter();
            let row: Fields =
                outputs.filter_map(|(p, name)| Some((name.to_string(), at(*p)?.to_string()))).collect();
            if row.is_empty() { Vec::new() } else { vec![row] }
        }
        AggregateSpec::LinReg(spec) => lin_reg(&rows, &spec.x, &spec.y, &spec.prefix),
        AggregateSpec::GroupBy(spec) => {
            let mut groups = grouped(rows, &spec.keys);
            groups.sort_by(|a, b| b.1.len().cmp(&a.1.len()).then_with(|| by_key(&a.0, &b.0)));
            let left_out = groups.split_off(spec.limit.min(groups.len()));
            groups.sort_by(|a, b| by_key(&a.0, &b.0));
            if let (Some(other), false) = (&spec.other, left_out.is_empty()) {
                let key = spec.keys.iter().map(|_| other.to_string()).collect();
                let mut rows: Vec<Row> = left_out.into_iter().flat_map(|(_, rows)| rows).collect();
                rows.sort_by_key(|row| row.event.place);
                groups.push((key, rows));
            }
            let of = |(key, rows): (Vec<String>, Vec<Row>)| {
                keyed(&spec.keys, &key, &product(functions, &rows, context))
            };
            groups.into_iter().flat_map(of).collect()
        }
        AggregateSpec::Top(spec) => top(spec, rows),
        AggregateSpec::Bucket(spec) => bucket(spec, functions, rows, context),
        AggregateSpec::Collect(spec) => collect(spec, rows),
        AggregateSpec::SelectLast(fields) => select_last(fields, rows),
        AggregateSpec::SelectFrom(spec) => select_from(spec, rows),
        AggregateSpec::FieldStats { limit } => field_stats(*limit, &rows),
        // Those of which it has its own version are told of above.
        AggregateSpec::Rate(_) | AggregateSpec::Series(_) | AggregateSpec::Session(_) => Vec::new(),
        AggregateSpec::Product(_) | AggregateSpec::Chain(_) => product(functions, &rows, context),
    })
}

fn numbers(rows: &[Row], field: &str) -> Vec<Number> {
    rows.iter().filter_map(|row| Number::parse(row.get(field)?)).collect()
}

fn number(kind: NumberKind, numbers: &[Number]) -> Option<String> {
    let mut sum = ExactSum::default();
    numbers.iter().for_each(|number| sum.add(*number));
    let doubles: Vec<f64> = numbers.iter().map(|number| number.to_f64()).collect();
    let count = doubles.len() as f64;
    // Two passes, in doubles, around the exact mean.
    let mean = sum.mean(numbers.len() as u64).map(Number::to_f64);
    let variance = mean.map(|mean| doubles.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / count);
    let result = match kind {
        NumberKind::Sum => sum.number(),
        NumberKind::Avg => sum.mean(numbers.len() as u64),
        NumberKind::Min => numbers.iter().min().copied(),
        NumberKind::Max => numbers.iter().max().copied(),
        NumberKind::Range => numbers.iter().max().zip(numbers.iter().min()).and_then(|(a, b)| a.subtract(*b)),
        NumberKind::StdDev => variance.map(f64::sqrt).and_then(Number::from_f64),
        NumberKind::Variance => variance.and_then(Number::from_f64),
    };
    result.map(|number| number.to_string())
}

fn lin_reg(rows: &[Row], x: &str, y: &str, prefix: &str) -> Vec<Fields> {
    let number = |row: &Row, field: &str| Some(Number::parse(row.get(field)?)?.to_f64());
    let points: Vec<(f64, f64)> =
        rows.iter().filter_map(|row| Some((number(row, x)?, number(row, y)?))).collect();
    if points.is_empty() {
        return Vec::new();
    }
    let n = points.len() as f64;
    let (mean_x, mean_y) =
        (points.iter().map(|p| p.0).sum::<f64>() / n, points.iter().map(|p| p.1).sum::<f64>() / n);
    let (mut xx, mut xy, mut yy) = (0.0, 0.0, 0.0);
    for (x, y) in &points {
        xx += (x - mean_x) * (x - mean_x);
        xy += (x - mean_x) * (y - mean_y);
        yy += (y - mean_y) * (y - mean_y);
    }
    let mut row = Fields::from([(format!("{prefix}_n"), points.len().to_string())]);
    if points.iter().any(|point| Some(point.0) != points.first().map(|first| first.0)) {
        let slope = xy / xx;
        let r2 = if yy == 0.0 { 1.0 } else { xy * xy / (xx * yy) };
        for (name, value) in [("_slope", slope), ("_intercept", mean_y - slope * mean_x), ("_r2", r2)] {
            if let Some(value) = Number::from_f64(value) {
                row.insert(format!("{prefix}{name}"), value.to_string());
            }
        }
    }
    vec![row]
}

/// Rows by the texts of `keys`; rows that lack one are left out.
pub(super) fn grouped(rows: Vec<Row>, keys: &[Arc<str>]) -> Vec<(Vec<String>, Vec<Row>)> {
    let mut groups: BTreeMap<Vec<String>, Vec<Row>> = BTreeMap::new();
    for row in rows {
        let key: Option<Vec<String>> = keys.iter().map(|key| row.get(key).map(str::to_owned)).collect();
        if let Some(key) = key {
            groups.entry(key).or_default().push(row);
        }
    }
    groups.into_iter().collect()
}

fn by_key(a: &[String], b: &[String]) -> Ordering {
    let unequal = a.iter().zip(b).map(|(a, b)| natural(a, b)).find(|order| order.is_ne());
    unequal.unwrap_or(Ordering::Equal)
}

/// `rows` with the key before them; one with the key alone when there are none.
fn keyed(keys: &[Arc<str>], key: &[String], rows: &[Fields]) -> Vec<Fields> {
    let own: Fields = keys.iter().map(ToString::to_string).zip(key.iter().cloned()).collect();
    let with = |row: &Fields| own.clone().into_iter().chain(row.clone()).collect();
    if rows.is_empty() { vec![own] } else { rows.iter().map(with).collect() }
}

/// The rows of several functions, each with each; a function without rows has one without fields, unless it is
/// the only one.
pub(super) fn product(functions: &[AggregatePipeline], rows: &[Row], context: &Context) -> Vec<Fields> {
    if let [only] = functions {
        return chain(only, rows, context);
    }
    let mut product = vec![Fields::new()];
    for function in functions {
        let right = chain(function, rows, context);
        let right = if right.is_empty() { vec![Fields::new()] } else { right };
        let with = |left: &Fields| {
            right
                .iter()
                .map(|right| left.clone().into_iter().chain(right.clone()).collect())
                .collect::<Vec<Fields>>()
        };
        product = product.iter().flat_map(with).collect();
    }
    product
}

fn chain(function: &AggregatePipeline, rows: &[Row], context: &Context) -> Vec<Fields> {
    let before: Vec<Row> =
        rows.iter().map(Row::anew).flat_map(|row| steps::run(&function.before, row, context)).collect();
    let is_sequence = |call: &Call| matches!(call.arguments.signature().build, Build::Sequence);
    let (mut events, mut are_events) = match is_sequence(&function.call) {
        true => {
            let kept = sequence::keeps_rows(&function.call);
            (sequence::apply(&function.call, oldest_first(before), context), kept)
        }
        false => (apply(&function.call, before, context), keeps_events(&function.call)),
    };
    for step in &function.after {
        let rows = start(events, are_events);
        events = match step {
            Step::Call(call) if matches!(call.arguments.signature().build, Build::Aggregate) => {
                are_events = are_events && keeps_events(call);
                apply(call, rows, context)
            }
            Step::Call(call) if is_sequence(call) => {
                are_events = are_events && sequence::keeps_rows(call);
                sequence::apply(call, rows, context)
            }
            other => {
                let rows =
                    rows.into_iter().flat_map(|row| steps::run(std::slice::from_ref(other), row, context));
                rows.map(|row| row.event).collect()
            }
        };
    }
    events.into_iter().map(|event| event.fields).collect()
}

fn top(spec: &TopSpec, rows: Vec<Row>) -> Vec<Fields> {
    let measure = |rows: &[Row]| match &spec.measure {
        Measure::Count => Some(Number::from_decimal(rows.len() as i128, 0)),
        Measure::Sum(field) => {
            let mut sum = ExactSum::default();
            numbers(rows, field).into_iter().for_each(|number| sum.add(number));
            sum.number()
        }
        Measure::Max(field) => numbers(rows, field).into_iter().max(),
    };
    let groups = grouped(rows, &spec.keys);
    let mut ranked: Vec<(Vec<String>, Number)> =
        groups.into_iter().filter_map(|(key, rows)| Some((key, measure(&rows)?))).collect();
    ranked.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| by_key(&a.0, &b.0)));
    let total = |ranked: &[(Vec<String>, Number)]| {
        let mut sum = ExactSum::default();
        ranked.iter().for_each(|(_, number)| sum.add(*number));
        sum.number()
    };
    let whole = total(&ranked);
    let others = ranked.split_off(spec.limit.min(ranked.len()));
    let rest = match (&spec.measure, others.first()) {
        (Measure::Max(_), Some((_, greatest))) => Some(*greatest),
        _ => total(&others),
    };
    if let (Some(label), Some(rest), false) = (&spec.rest, rest, others.is_empty()) {
        ranked.push((vec![label.to_string()], rest));
    }
    let row = |(key, number): &(Vec<String>, Number)| {
        let mut row: Fields = spec.keys.iter().map(ToString::to_string).zip(key.iter().cloned()).collect();
        row.insert(spec.output.to_string(), number.to_string());
        let share = whole.and_then(|whole| number.multiply(Number::Int(100))?.divide(whole));
        if let (true, Some(share)) = (spec.percent, share) {
            row.insert("percent".to_owned(), share.to_string());
        }
        row
    };
    ranked.iter().map(row).collect()
}

/// Buckets of UTC only: zones have tests of their own.
fn bucket(
    spec: &BucketSpec,
    functions: &[AggregatePipeline],
    rows: Vec<Row>,
    context: &Context,
) -> Vec<Fields> {
    const MONDAY: i64 = 4 * 86_400_000;
    let range = (context.end_nanos - context.start_nanos) / 1_000_000;
    let span = match spec.span {
        SpanSpec::Millis(span) => span,
        SpanSpec::Buckets(count) => auto_span(range, count),
    };
    let span = span.max(spec.min_span_millis.unwrap_or(1));
    let span = if range / span > BUCKETS_MAX as i64 { auto_span(range, BUCKETS_MAX) } else { span };
    let anchor = if span % (7 * 86_400_000) == 0 { MONDAY } else { 0 };
    let mut buckets: BTreeMap<i64, Vec<Row>> = BTreeMap::new();
    for row in rows {
        if let Some(millis) = row.get("@timestamp").and_then(Number::parse).and_then(Number::truncate) {
            let start = (millis - anchor).div_euclid(span) * span + anchor;
            buckets.entry(start).or_default().push(row);
        }
    }
    let (windows, functions) = collected::windows(functions);
    let of_keys = |rows: Vec<Row>| match spec.keys.is_empty() {
        true => vec![(Vec::new(), rows)],
        false => grouped(rows, &spec.keys),
    };
    let mut made: Vec<(Vec<String>, Fields)> = Vec::new();
    for (start, rows) in &buckets {
        let mut groups = of_keys(rows.clone());
        groups.sort_by(|a, b| by_key(&a.0, &b.0));
        for (key, rows) in groups {
            let mut more = Fields::from([("_bucket".to_owned(), start.to_string())]);
            for part in &windows {
                let count = collected::window_buckets(&part.call, span);
                if count * span > range + span {
                    continue;
                }
                let within = buckets.range(start - (count - 1) * span..=*start);
                let within = within.flat_map(|(_, rows)| of_keys(rows.clone()));
                let within: Vec<Row> = within.filter(|own| own.0 == key).flat_map(|own| own.1).collect();
                more.extend(collected::window(&part.call, &within, context));
            }
            for mut row in keyed(&spec.keys, &key, &product(&functions, &rows, context)) {
                row.extend(more.clone());
                made.push((key.clone(), row));
            }
        }
    }
    if !spec.keys.is_empty() {
        keep_series(spec, &mut made);
    }
    made.into_iter().map(|(_, row)| row).collect()
}

/// Tests name one function, so its one column is the first numeric one.
fn keep_series(spec: &BucketSpec, made: &mut Vec<(Vec<String>, Fields)>) {
    let is_output = |name: &String| name != "_bucket" && spec.keys.iter().all(|key| **key != **name);
    let mut totals: BTreeMap<Vec<String>, ExactSum> = BTreeMap::new();
    for (key, row) in made.iter() {
        let total = totals.entry(key.clone()).or_default();
        let number = row.iter().find(|(name, _)| is_output(name)).and_then(|(_, text)| Number::parse(text));
        number.into_iter().for_each(|number| total.add(number));
    }
    let mut ranked: Vec<_> = totals.into_iter().map(|(key, total)| (total.number(), key)).collect();
    ranked.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    ranked.truncate(spec.limit);
    made.retain(|(key, _)| ranked.iter().any(|(_, kept)| kept == key));
}

/// Each distinct value with the place it was first seen at, in that order.
fn first_seen<T: Ord + Clone>(values: impl Iterator<Item = (T, OrderKey)>, limit: usize) -> Vec<T> {
    let mut places: BTreeMap<T, OrderKey> = BTreeMap::new();
    for (value, place) in values {
        let first = places.entry(value).or_insert(place);
        *first = place.min(*first);
    }
    let mut list: Vec<(OrderKey, T)> = places.into_iter().map(|(value, place)| (place, value)).collect();
    list.sort();
    list.into_iter().take(limit).map(|(_, value)| value).collect()
}

fn collect(spec: &CollectSpec, rows: Vec<Row>) -> Vec<Fields> {
    let Some(separator) = &spec.separator else {
        let combination = |row: &Row| -> Vec<Option<String>> {
            spec.fields.iter().map(|field| row.get(field).map(str::to_owned)).collect()
        };
        let all = rows.iter().map(|row| (combination(row), row.event.place));
        let all = all.filter(|(values, _)| values.iter().any(Option::is_some));
        let row = |values: Vec<Option<String>>| {
            spec.fields
                .iter()
                .zip(values)
                .filter_map(|(field, value)| Some((field.to_string(), value?)))
                .collect()
        };
        return first_seen(all, spec.limit).into_iter().map(row).collect();
    };
    let mut row = Fields::new();
    for field in &spec.fields {
        let values = rows.iter().filter_map(|row| Some((row.get(field)?, row.event.place)));
        let values = first_seen(values, spec.limit);
        if !values.is_empty() {
            row.insert(field.to_string(), values.join(separator));
        }
    }
    if row.is_empty() { Vec::new() } else { vec![row] }
}

fn select_last(fields: &[Arc<str>], rows: Vec<Row>) -> Vec<Fields> {
    let last = |field: &Arc<str>| {
        let seen = rows.iter().filter_map(|row| Some((row.event.place, row.get(field)?)));
        Some((field.to_string(), seen.max()?.1.to_owned()))
    };
    let row: Fields = fields.iter().filter_map(last).collect();
    if row.is_empty() { Vec::new() } else { vec![row] }
}

fn select_from(spec: &SelectFromSpec, rows: Vec<Row>) -> Vec<Fields> {
    let values = |row: &Row| -> Vec<Option<String>> {
        spec.include.iter().map(|field| row.get(field).map(str::to_owned)).collect()
    };
    let mut found: Vec<(Number, OrderKey, Vec<Option<String>>)> = rows
        .iter()
        .filter_map(|row| Some((Number::parse(row.get(&spec.field)?)?, row.event.place, values(row))))
        .collect();
    found.sort_by(|a, b| {
        let by_number = if spec.max { b.0.cmp(&a.0) } else { a.0.cmp(&b.0) };
        by_number.then_with(|| (a.1, &a.2).cmp(&(b.1, &b.2)))
    });
    let row = |values: &Vec<Option<String>>| {
        let named = spec.include.iter().zip(values);
        named.filter_map(|(field, value)| Some((field.to_string(), value.clone()?))).collect()
    };
    found.first().map(|(_, _, values)| row(values)).into_iter().collect()
}

fn field_stats(limit: usize, rows: &[Row]) -> Vec<Fields> {
    let mut stats: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, text) in rows.iter().flat_map(|row| &row.event.fields) {
        stats.entry(name).or_default().push(text);
    }
    let mut list: Vec<_> = stats.into_iter().collect();
    list.sort_by_key(|(name, texts)| (std::cmp::Reverse(texts.len()), *name));
    let row = |(name, texts): (&str, Vec<&str>)| {
        let distinct = texts.iter().collect::<BTreeSet<_>>().len();
        Fields::from([
            ("field".to_owned(), name.to_owned()),
            ("_count".to_owned(), texts.len().to_string()),
            ("_distinct".to_owned(), distinct.to_string()),
        ])
    };
    list.into_iter().take(limit).map(row).collect()
}

fn sorted(spec: &RowsSpec, mut rows: Vec<Row>) -> Vec<Event> {
    rows.sort_by(|a, b| {
        let (x, y) = (a.event.place, b.event.place);
        let order = match &spec.order {
            RowOrder::Oldest => x.cmp(&y),
            RowOrder::Newest | RowOrder::NewestFirst => y.cmp(&x),
            RowOrder::By(fields) => {
                let by_field = |field: &crate::aggregates::spec::SortField| {
                    let (mut s, mut t) = (String::new(), String::new());
                    let key = field.kind.key(a.get(&field.field).map(ValueRef::Text), &mut s);
                    let other = field.kind.key(b.get(&field.field).map(ValueRef::Text), &mut t);
                    let mut order = key.compare(&other, field.descending);
                    let is_time =
                        *field.field == *"@timestamp" && matches!(key, crate::value::SortKey::Number(_));
                    if order.is_eq() && is_time {
                        order = if field.descending { y.cmp(&x) } else { x.cmp(&y) };
                    }
                    order
                };
                fields.iter().map(by_field).find(|order| order.is_ne()).unwrap_or_else(|| x.cmp(&y))
            }
        };
        // Copies of one event are told apart by what is kept of them.
        let kept = |row: &'_ Row| -> Vec<(String, String)> {
            let wanted = |name: &String| {
                spec.fields.as_ref().is_none_or(|fields| fields.iter().any(|f| **f == **name))
            };
            row.event.fields.clone().into_iter().filter(|(name, _)| wanted(name)).collect()
        };
        order.then_with(|| kept(a).cmp(&kept(b)))
    });
    rows.truncate(spec.limit);
    if spec.order == RowOrder::Newest {
        rows.reverse();
    }
    let keep = |mut row: Row| {
        if let Some(fields) = &spec.fields {
            row.event.fields.retain(|name, _| fields.iter().any(|field| **field == **name));
        }
        row.event
    };
    rows.into_iter().map(keep).collect()
}
