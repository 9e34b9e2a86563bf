//! Laws of aggregates: what the table says, and that no split and no order of merging changes it.

mod coding;

use std::sync::Arc;

use proptest::prelude::*;

use super::spec::*;
use super::*;
use crate::record::ColumnBuilder;
use crate::value::{SortType, ValueRef};

type Row = Vec<Option<String>>;

const FIELDS: [&str; 4] = ["k", "g", "n", "@timestamp"];

fn context() -> Arc<Context> {
    Arc::new(Context { start_nanos: 0, end_nanos: 600_000_000_000, ..Context::default() })
}

/// Columns of `rows` as text, or with a dictionary for the keys.
fn columns(rows: &[(OrderKey, Row)], coded: bool) -> Vec<(Arc<str>, Column)> {
    let column = |at: usize| {
        let mut builder = ColumnBuilder::default();
        rows.iter().for_each(|(_, row)| builder.push(row[at].as_deref().map(ValueRef::Text)));
        builder.finish()
    };
    let code = |column: Column| {
        let mut texts: Vec<String> = Vec::new();
        let mut builder = ColumnBuilder::default();
        let codes = (0..column.len()).map(|row| match column.get(row) {
            None => crate::record::Dictionary::MISSING,
            Some(value) => {
                let text = value.text().into_owned();
                let at = texts.iter().position(|have| *have == text).unwrap_or_else(|| {
                    texts.push(text);
                    texts.len() - 1
                });
                at as u32
            }
        });
        let codes: Arc<[u32]> = codes.collect();
        texts.iter().for_each(|text| builder.text(text));
        Column::Dictionary { codes, dictionary: Arc::new(builder.finish_dictionary()) }
    };
    FIELDS
        .iter()
        .enumerate()
        .map(|(at, name)| (Arc::from(*name), if coded && at < 3 { code(column(at)) } else { column(at) }))
        .collect()
}

fn step(state: &mut AggregateState, rows: &[(OrderKey, Row)], coded: bool) {
    let order: Vec<OrderKey> = rows.iter().map(|(place, _)| *place).collect();
    let columns = columns(rows, coded);
    let within = Selection::all(rows.len());
    let input = Input { rows: rows.len(), order: &order, columns: &columns, within: &within, weights: None };
    state.step(&input, &mut NoPipelines).unwrap();
}

fn show(state: &AggregateState) -> String {
    let table = state.result(&mut NoPipelines).unwrap();
    let mut out =
        format!("{}\n", table.columns.iter().map(|(name, _)| &**name).collect::<Vec<_>>().join(","));
    for row in 0..table.rows {
        let cells: Vec<String> = table
            .columns
            .iter()
            .map(|(_, column)| column.get(row).map_or("-".to_owned(), |value| value.text().into_owned()))
            .collect();
        out.push_str(&cells.join(","));
        out.push('\n');
    }
    table.warnings.iter().for_each(|warning| out.push_str(&format!("! {warning}\n")));
    out
}

/// The same without warnings.
fn shown(state: &AggregateState) -> String {
    show(state).split_inclusive('\n').filter(|line| !line.starts_with('!')).collect()
}

/// It is groups of groups, and has no row of the others.
fn has_groups_inside(spec: &AggregateSpec) -> bool {
    match spec {
        AggregateSpec::GroupBy(group) if group.other.is_none() => {
            matches!(
                &*group.function,
                AggregateSpec::GroupBy(_) | AggregateSpec::Chain(_) | AggregateSpec::Bucket(_)
            )
        }
        _ => false,
    }
}

fn count_as(output: &str) -> AggregateSpec {
    AggregateSpec::Count(CountSpec { field: None, distinct: false, output: output.into() })
}

fn count_of(distinct: bool) -> AggregateSpec {
    AggregateSpec::Count(CountSpec { field: Some("n".into()), distinct, output: "_count".into() })
}

fn number(kind: NumberKind) -> AggregateSpec {
    AggregateSpec::Number(NumberSpec { kind, field: "n".into(), output: format!("{kind:?}").into() })
}

fn group(keys: &[&str], function: AggregateSpec, limit: usize) -> AggregateSpec {
    let keys = keys.iter().map(|key| Arc::from(*key)).collect();
    AggregateSpec::GroupBy(GroupBySpec { keys, function: Box::new(function), limit, other: None })
}

/// The same, with a row of the others.
fn group_with_other(keys: &[&str], function: AggregateSpec, limit: usize) -> AggregateSpec {
    match group(keys, function, limit) {
        AggregateSpec::GroupBy(spec) => {
            AggregateSpec::GroupBy(GroupBySpec { other: Some("other".into()), ..spec })
        }
        spec => spec,
    }
}

fn rows_spec(order: RowOrder, limit: usize, fields: Option<&[&str]>) -> AggregateSpec {
    let fields = fields.map(|fields| fields.iter().map(|field| Arc::from(*field)).collect());
    AggregateSpec::Rows(RowsSpec { order, limit, fields })
}

fn by(field: &str, kind: SortType, descending: bool) -> RowOrder {
    RowOrder::By(vec![SortField { field: field.into(), kind, descending }])
}

fn percentile() -> AggregateSpec {
    let outputs = [0.0, 50.0, 99.9].map(|p| (p, PercentileSpec::column(None, p))).to_vec();
    AggregateSpec::Percentile(PercentileSpec { field: "n".into(), outputs, accuracy: 0.01 })
}

fn bucket(keys: &[&str], limit: usize, function: AggregateSpec) -> AggregateSpec {
    AggregateSpec::Bucket(BucketSpec {
        windows: Vec::new(),
        span: SpanSpec::Millis(1000),
        min_span_millis: None,
        timezone: None,
        keys: keys.iter().map(|key| Arc::from(*key)).collect(),
        limit,
        function: Box::new(function),
        chart: true,
    })
}

fn top(measure: Measure) -> AggregateSpec {
    let rest = Some(Arc::from("others"));
    AggregateSpec::Top(TopSpec {
        keys: vec!["k".into()],
        limit: 2,
        measure,
        output: "_top".into(),
        percent: true,
        rest,
    })
}

fn collect(separator: Option<&str>, limit: usize) -> AggregateSpec {
    let fields = vec![Arc::from("k"), Arc::from("n")];
    AggregateSpec::Collect(CollectSpec { fields, limit, separator: separator.map(Arc::from) })
}

fn specs() -> Vec<AggregateSpec> {
    let numbers = || {
        use NumberKind::*;
        AggregateSpec::Product([Sum, Avg, Min, Max, Range, StdDev, Variance].map(number).to_vec())
    };
    let mut all = vec![
        AggregateSpec::count(),
        count_of(false),
        count_of(true),
        numbers(),
        percentile(),
        AggregateSpec::LinReg(LinRegSpec { x: "n".into(), y: "@timestamp".into(), prefix: "".into() }),
        group(&["k"], AggregateSpec::count(), 20_000),
        group(&["k"], AggregateSpec::count(), 2),
        group(&["k", "g"], AggregateSpec::Product(Vec::new()), 20_000),
        group(
            &["k", "g"],
            AggregateSpec::Product(vec![count_as("c"), number(NumberKind::Avg), count_of(true)]),
            3,
        ),
        group(&["g"], group(&["k"], numbers(), 2), 20_000),
        group_with_other(&["k"], AggregateSpec::count(), 1),
        group_with_other(
            &["k", "g"],
            AggregateSpec::Product(vec![count_as("c"), numbers(), percentile(), count_of(true)]),
            2,
        ),
        group_with_other(&["g"], group_with_other(&["k"], number(NumberKind::Sum), 1), 2),
        bucket(&[], 10, group_with_other(&["k"], AggregateSpec::count(), 1)),
        group(&["k"], rows_spec(RowOrder::Newest, 1, None), 20_000),
        group(
            &["k"],
            AggregateSpec::Product(vec![
                collect(Some(";"), 3),
                AggregateSpec::SelectLast(vec!["g".into(), "n".into()]),
            ]),
            100,
        ),
        group(&["k"], collect(None, 3), 100),
        top(Measure::Count),
        top(Measure::Sum("n".into())),
        top(Measure::Max("n".into())),
        bucket(&[], 10, AggregateSpec::count()),
        bucket(&["k"], 2, AggregateSpec::Product(vec![count_as("c"), percentile()])),
        bucket(&["k", "g"], 3, number(NumberKind::Sum)),
        AggregateSpec::FieldStats { limit: 3 },
        AggregateSpec::Chain(vec![
            Stage::Aggregate(group(&["k"], AggregateSpec::count(), 10)),
            Stage::Aggregate(rows_spec(by("_count", SortType::Number, true), 2, None)),
            Stage::Rows(PipelineId(0)),
        ]),
        group(
            &["g"],
            AggregateSpec::Chain(vec![
                Stage::Rows(PipelineId(0)),
                Stage::Aggregate(group(&["k"], AggregateSpec::count(), 10)),
                Stage::Aggregate(count_as("keys")),
            ]),
            10,
        ),
    ];
    for order in [
        RowOrder::Oldest,
        RowOrder::Newest,
        RowOrder::NewestFirst,
        by("n", SortType::Number, false),
        by("k", SortType::Text, true),
        by("@timestamp", SortType::Number, true),
    ] {
        for limit in [1, 3, 200] {
            all.push(rows_spec(order.clone(), limit, None));
            all.push(rows_spec(order.clone(), limit, Some(&["n", "k", "absent"])));
        }
    }
    for max in [false, true] {
        all.push(AggregateSpec::SelectFrom(SelectFromSpec {
            field: "n".into(),
            max,
            include: vec!["k".into(), "n".into()],
        }));
    }
    all
}

fn events() -> impl Strategy<Value = Vec<(OrderKey, Row)>> {
    let key = || prop_oneof![1 => Just(None), 8 => "[abc]".prop_map(Some), 1 => Just(Some(String::new()))];
    let numeric = prop_oneof![
        1 => Just(None),
        2 => (-20_i32..20).prop_map(|n| Some(n.to_string())),
        2 => (-2000_i32..2000, 0..4).prop_map(|(n, scale)| Some(format!("{n}e-{scale}"))),
        1 => any::<f64>().prop_map(|n| Some(n.to_string())),
        1 => Just(Some("odd".to_owned())),
    ];
    // Places may repeat: copies of one event.
    let row = (0_i64..8_000, 0_u64..3, key(), key(), numeric);
    prop::collection::vec(row, 0..40).prop_map(|rows| {
        rows.into_iter()
            .map(|(millis, sequence, k, g, n)| {
                let place = OrderKey { nanos: millis * 1_000_000, sequence };
                (place, vec![k, g, n, Some(millis.to_string())])
            })
            .collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn no_split_and_no_order_shows(rows in events(), parts in prop::collection::vec((0_usize..5, any::<bool>()), 40), turn in 0_usize..5) {
        let context = context();
        for spec in specs() {
            let mut whole = AggregateState::new(&spec, &context, Source::Events);
            step(&mut whole, &rows, false);
            let mut states = Vec::new();
            for part in 0..5 {
                let mut state = AggregateState::new(&spec, &context, Source::Events);
                let mine: Vec<_> = rows.iter().zip(&parts).filter(|(_, to)| to.0 == part).map(|(row, _)| row.clone()).collect();
                // Rows arrive backwards and in batches, in either form of column.
                let backwards: Vec<_> = mine.into_iter().rev().collect();
                for batch in backwards.chunks(7) {
                    step(&mut state, batch, parts.first().is_some_and(|part| part.1));
                }
                states.push(state);
            }
            states.rotate_left(turn);
            let mut merged = AggregateState::new(&spec, &context, Source::Events);
            let mut right = states.split_off(3);
            let mut tail = right.remove(0);
            right.iter().for_each(|state| tail.merge(state));
            states.iter().for_each(|state| merged.merge(state));
            merged.merge(&tail);
            prop_assert_eq!(show(&merged), show(&whole), "{:?}", spec);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    /// Giving up groups at any time, in any part, comes to the same as giving them up in the end.
    #[test]
    fn narrowed_states_are_those_of_all_rows_narrowed(
        rows in events(),
        parts in prop::collection::vec((0_usize..3, any::<bool>()), 40),
        threshold in any::<u64>(),
        coded in any::<bool>(),
    ) {
        let context = context();
        for spec in specs() {
            let mut whole = AggregateState::new(&spec, &context, Source::Events);
            step(&mut whole, &rows, coded);
            whole.narrow(threshold);
            let mut states = vec![AggregateState::new(&spec, &context, Source::Events); 3];
            for (row, (part, narrows)) in rows.iter().zip(&parts) {
                let state = &mut states[*part];
                step(state, std::slice::from_ref(row), !coded);
                if *narrows && *part > 0 {
                    state.narrow(threshold);
                }
            }
            // One that was never narrowed merges those that were.
            let mut merged = states.remove(0);
            states.iter().for_each(|state| merged.merge(state));
            merged.narrow(threshold);
            if has_groups_inside(&spec) {
                // Rows of a group inside one that is given up count there, those that come after that do not.
                prop_assert_eq!(shown(&merged), shown(&whole), "{:?}", spec);
                continue;
            }
            prop_assert_eq!(show(&merged), show(&whole), "{:?}", spec);
            let (mut bytes, mut narrowed) = (Vec::new(), Vec::new());
            merged.write(&mut bytes);
            whole.write(&mut narrowed);
            prop_assert_eq!(bytes, narrowed, "{:?}", spec);
        }
    }
}

#[test]
fn the_row_of_the_others_has_what_is_not_shown() {
    let events = rows(&[
        ("a", "x", "1", 100),
        ("b", "x", "2.5", 1200),
        ("a", "y", "-", 1300),
        ("-", "y", "oops", 2500),
        ("c", "-", "1e1", 2600),
        ("a", "x", "1", 2700),
        ("b", "y", "4", 2800),
        ("d", "y", "7", 2900),
    ]);
    for (spec, told) in [
        (group_with_other(&["k"], AggregateSpec::count(), 4), "k,_count\na,3\nb,2\nc,1\nd,1\n"),
        (group_with_other(&["k"], AggregateSpec::count(), 2), "k,_count\na,3\nb,2\nother,2\n"),
        (group_with_other(&["k"], number(NumberKind::Max), 1), "k,Max\na,1\nother,10\n"),
        (
            group_with_other(&["k"], AggregateSpec::Product(vec![count_as("c"), number(NumberKind::Sum)]), 1),
            "k,c,Sum\na,3,2\nother,4,23.5\n",
        ),
        (group_with_other(&["k", "g"], AggregateSpec::count(), 1), "k,g,_count\na,x,2\nother,other,4\n"),
        (
            group(&["g"], group_with_other(&["k"], AggregateSpec::count(), 1), 9),
            "g,k,_count\nx,a,2\nx,other,1\ny,a,1\ny,other,2\n",
        ),
    ] {
        for coded in [false, true] {
            let mut state = AggregateState::new(&spec, &context(), Source::Events);
            step(&mut state, &events, coded);
            assert_eq!(shown(&state), told, "{spec:?}");
            if !matches!(&spec, AggregateSpec::GroupBy(group) if group.other.is_some()) {
                continue;
            }
            // All that is given up is in the others.
            state.narrow(0);
            let total = show(&state);
            assert!(total.contains("other,"), "{spec:?}: {total}");
        }
    }
}

fn rows(list: &[(&str, &str, &str, i64)]) -> Vec<(OrderKey, Row)> {
    let cell = |text: &str| (text != "-").then(|| text.to_owned());
    (0..)
        .zip(list)
        .map(|(sequence, (k, g, n, millis))| {
            let row = vec![cell(k), cell(g), cell(n), Some(millis.to_string())];
            (OrderKey { nanos: millis * 1_000_000, sequence }, row)
        })
        .collect()
}

#[test]
fn tables_say_what_they_should() {
    let events = rows(&[
        ("a", "x", "1", 100),
        ("b", "x", "2.5", 1200),
        ("a", "y", "-", 1300),
        ("-", "y", "oops", 2500),
        ("c", "-", "1e1", 2600),
        ("a", "x", "1", 2700),
    ]);
    for (spec, told) in [
        (AggregateSpec::count(), "_count\n6\n"),
        (count_of(false), "_count\n5\n"),
        (count_of(true), "_count\n4\n"),
        (number(NumberKind::Sum), "Sum\n14.5\n"),
        (number(NumberKind::Avg), "Avg\n3.625\n"),
        (number(NumberKind::Min), "Min\n1\n"),
        (number(NumberKind::Max), "Max\n10\n"),
        (number(NumberKind::Range), "Range\n9\n"),
        (group(&["k"], AggregateSpec::count(), 100), "k,_count\na,3\nb,1\nc,1\n"),
        (group(&["k"], number(NumberKind::Min), 100), "k,Min\na,1\nb,2.5\nc,10\n"),
        (group(&["g"], group(&["k"], AggregateSpec::Product(Vec::new()), 9), 9), "g,k\nx,a\nx,b\ny,a\n"),
        (
            group(&["k"], AggregateSpec::count(), 1),
            "k,_count\na,3\n! groupBy of k: 1 of 3 groups shown, with exact values; 2 of 5 rows are in other groups\n",
        ),
        (top(Measure::Count), "k,_top,percent\na,3,60\nb,1,20\nothers,1,20\n"),
        (
            top(Measure::Sum("n".into())),
            "k,_top,percent\nc,10,68.96551724137932\nb,2.5,17.24137931034483\nothers,2,13.793103448275861\n",
        ),
        (bucket(&[], 10, AggregateSpec::count()), "_bucket,_count\n0,1\n1000,2\n2000,3\n"),
        (
            bucket(&["k"], 1, count_as("c")),
            "_bucket,k,c\n0,a,1\n1000,a,1\n2000,a,1\n! 1 of 3 series shown: those with the greatest totals\n",
        ),
        (collect(Some(";"), 2), "k,n\na;b,1;2.5\n! collect of k, n: only 2 distinct values kept\n"),
        (AggregateSpec::SelectLast(vec!["g".into(), "n".into()]), "g,n\nx,1\n"),
        (rows_spec(RowOrder::Oldest, 2, Some(&["k", "n"])), "k,n\na,1\nb,2.5\n"),
        (rows_spec(RowOrder::Newest, 2, Some(&["k", "n"])), "k,n\nc,1e1\na,1\n"),
        (rows_spec(RowOrder::NewestFirst, 2, Some(&["k", "n"])), "k,n\na,1\nc,1e1\n"),
        (rows_spec(by("n", SortType::Number, true), 4, Some(&["n", "k"])), "n,k\n1e1,c\n2.5,b\n1,a\n1,a\n"),
        (rows_spec(by("n", SortType::Number, false), 6, Some(&["n"])), "n\n1\n1\n2.5\n1e1\noops\n-\n"),
        (AggregateSpec::FieldStats { limit: 2 }, "field,_count,_distinct\n@timestamp,6,6\ng,5,2\n"),
        (
            AggregateSpec::SelectFrom(SelectFromSpec {
                field: "n".into(),
                max: false,
                include: vec!["g".into()],
            }),
            "g\nx\n",
        ),
    ] {
        for coded in [false, true] {
            let mut state = AggregateState::new(&spec, &context(), Source::Events);
            step(&mut state, &events, coded);
            assert_eq!(show(&state), told, "{spec:?}");
            assert!(state.bytes() > 0);
        }
    }
}

/// Batches so large that groups are looked up before their rows are tallied: of keys seen before, new ones and none.
#[test]
fn groups_are_the_same_whether_known_before_or_not() {
    let batch = |keys: &[&'static str], factor: i64| -> Vec<(OrderKey, Row)> {
        let cell = |row: i64| (row % 7 > 0).then(|| (row % 13 * factor).to_string());
        let key = |row: i64| keys.get(row as usize % keys.len()).filter(|key| **key != "-");
        let row = |row: i64| vec![key(row).map(|key| (*key).to_owned()), None, cell(row), Some("0".into())];
        (0..400).map(|at| (OrderKey { nanos: at, sequence: at as u64 }, row(at))).collect()
    };
    let batches = [batch(&["a", "b", "c"], 1), batch(&["d", "b", "-", "a"], 100), batch(&["-", "d", "e"], 7)];
    let list = AggregateSpec::Product(vec![number(NumberKind::Avg), number(NumberKind::Max), count_as("c")]);
    for function in [list, number(NumberKind::Max), number(NumberKind::Sum), percentile()] {
        for limit in [100, 2] {
            let spec = group(&["k"], function.clone(), limit);
            let told = [false, true].map(|coded| {
                let mut state = AggregateState::new(&spec, &context(), Source::Events);
                batches.iter().for_each(|batch| step(&mut state, batch, coded));
                show(&state)
            });
            assert_eq!(told[0], told[1], "{spec:?}");
        }
    }
}

#[test]
fn nothing_gives_zero_rows_or_a_zero() {
    for (spec, told) in [
        (AggregateSpec::count(), "_count\n0\n"),
        (number(NumberKind::Sum), "Sum\n0\n"),
        (number(NumberKind::Avg), "Avg\n"),
        (number(NumberKind::Max), "Max\n"),
        (number(NumberKind::StdDev), "StdDev\n"),
        (percentile(), "_0,_50,_99.9\n"),
        (group(&["k"], AggregateSpec::count(), 10), "k,_count\n"),
        (rows_spec(RowOrder::Oldest, 10, None), "\n"),
        (AggregateSpec::Product(vec![number(NumberKind::Avg)]), "Avg\n-\n"),
        (AggregateSpec::Product(vec![number(NumberKind::Avg), count_as("c")]), "Avg,c\n-,0\n"),
    ] {
        let state = AggregateState::new(&spec, &context(), Source::Events);
        assert_eq!(show(&state), told, "{spec:?}");
    }
}

#[test]
fn horizons_bound_what_can_still_matter() {
    let events = rows(&[("a", "x", "1", 100), ("b", "x", "2", 200), ("c", "x", "3", 300)]);
    for (order, limit, bound) in [
        (RowOrder::Newest, 2, Some(200)),
        (RowOrder::NewestFirst, 3, Some(100)),
        (RowOrder::Newest, 4, None),
        (RowOrder::Oldest, 1, Some(100)),
        (by("@timestamp", SortType::Number, true), 1, None),
        (by("n", SortType::Number, true), 1, None),
    ] {
        let mut state =
            AggregateState::new(&rows_spec(order.clone(), limit, None), &context(), Source::Events);
        step(&mut state, &events, false);
        assert_eq!(state.horizon().map(|place| place.nanos / 1_000_000), bound, "{order:?} {limit}");
    }
}

proptest! {
    #[test]
    fn a_shortlist_leaves_the_result_as_it_is(
        // Few places, so that rows tie and contents decide.
        rows in prop::collection::vec((0_i64..6, "[abc]"), 0..40),
        groups in prop::collection::vec(1_usize..9, 40),
        limit in 1_usize..8,
    ) {
        let rows: Vec<(OrderKey, Row)> = rows
            .into_iter()
            .map(|(nanos, k)| (OrderKey { nanos, sequence: 0 }, vec![Some(k), None, None, None]))
            .collect();
        for order in [RowOrder::Oldest, RowOrder::Newest, RowOrder::NewestFirst] {
            let spec = rows_spec(order, limit, None);
            let mut all = AggregateState::new(&spec, &context(), Source::Events);
            let mut short = all.clone();
            let mut left = rows.as_slice();
            for group in &groups {
                let (group, rest) = left.split_at(left.len().min(*group));
                left = rest;
                step(&mut all, group, false);
                let places: Vec<OrderKey> = group.iter().map(|(place, _)| *place).collect();
                let chosen = short.shortlist(&places).unwrap();
                let chosen: Vec<(OrderKey, Row)> =
                    chosen.iter().map(|at| group[*at as usize].clone()).collect();
                step(&mut short, &chosen, false);
            }
            prop_assert_eq!(show(&short), show(&all));
        }
    }

    #[test]
    fn leaders_leave_the_result_as_it_is(
        rows in prop::collection::vec((0_i64..6, "[abc]", prop::option::of("(-?[0-9]|x)")), 0..40),
        groups in prop::collection::vec(1_usize..9, 40),
        limit in 1_usize..8,
        descending in any::<bool>(),
        coded in any::<bool>(),
    ) {
        let row = |(nanos, k, n): (i64, String, Option<String>)| {
            (OrderKey { nanos, sequence: 0 }, vec![Some(k), None, n, Some((nanos / 2).to_string())])
        };
        let rows: Vec<(OrderKey, Row)> = rows.into_iter().map(row).collect();
        let sort = |field: &str, kind| SortField { field: field.into(), kind, descending };
        for order in [
            vec![sort("n", SortType::Number)],
            vec![sort("n", SortType::Text)],
            vec![sort("k", SortType::Text), sort("n", SortType::Number)],
            vec![sort("@timestamp", SortType::Number), sort("k", SortType::Text)],
            vec![sort("g", SortType::Number)],
        ] {
            let spec = rows_spec(RowOrder::By(order), limit, None);
            let mut all = AggregateState::new(&spec, &context(), Source::Events);
            let mut short = all.clone();
            let mut left = rows.as_slice();
            for group in &groups {
                let (group, rest) = left.split_at(left.len().min(*group));
                left = rest;
                step(&mut all, group, coded);
                let have = columns(group, coded);
                let ranked: Vec<Column> = short.ranked_by().unwrap().iter().map(|name| {
                    let found = have.iter().find(|(own, _)| own == name);
                    found.map_or(Column::Missing { rows: group.len() }, |(_, column)| column.clone())
                }).collect();
                let place = |row: &u32| group[*row as usize].0;
                let (leaders, places) = short
                    .leaders(&ranked, &Selection::all(group.len()), |rows| Ok(rows.iter().map(place).collect()))
                    .unwrap();
                prop_assert_eq!(&places, &leaders.iter().map(place).collect::<Vec<_>>());
                let chosen: Vec<(OrderKey, Row)> = leaders.iter().map(|at| group[*at as usize].clone()).collect();
                step(&mut short, &chosen, coded);
            }
            prop_assert_eq!(show(&short), show(&all));
        }
    }
}
