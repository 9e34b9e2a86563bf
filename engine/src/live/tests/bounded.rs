//! Windows whose buckets are more than the bound of their metric: what is given up is read back, and nobody can tell.

use super::*;

const BOUND: usize = 1 << 20;

fn long(query: &str) -> MetricDefinition {
    MetricDefinition {
        window: Duration::from_secs(2_000),
        granule: Duration::from_secs(1),
        lateness: Duration::from_secs(1),
        max_bytes: BOUND,
        ..definition(query)
    }
}

/// The result, once what its window needs is read back.
fn read(live: &Live) -> Arc<LiveResult> {
    assert!(live.settle(PATIENCE));
    let _ = live.read("m").unwrap();
    count_of(live, "m")
}

#[test]
fn a_long_window_fits_into_a_small_bound() {
    let query = "groupBy([service, level], function=[count(), avg(latency), max(bytes)])";
    let store = Store::new(64);
    let past: Vec<Event> =
        (0..2_600).map(|age| event(age * 900, (age as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15))).collect();
    past.chunks(200).for_each(|events| store.append(events));
    let live = store.live(None);
    live.define("m", long(query)).unwrap();
    for step in 0..24 {
        let result = read(&live);
        assert!(result.table.warnings.is_empty() && result.dropped == 0, "{step}: {result:?}");
        assert!(result.state_bytes <= BOUND, "{step}: {}", result.state_bytes);
        let expected = rows_of(&scanned(&store, query, &result), OutputKind::Aggregate);
        assert_eq!(rows_of(&result.table, OutputKind::Aggregate), expected, "{step}");
        let by = [1, 1, 5, 40, 33][step % 5];
        let now = store.now.fetch_add(by * SECOND, Ordering::Relaxed) + by * SECOND;
        // New ones, and late ones into all of the window.
        let ages = (0..30).map(|number| (NOW - now) / 1_000_000 + number * number * 2_000);
        store.append(
            &ages.map(|age| event(age, (age as u64).wrapping_mul(77 + step as u64))).collect::<Vec<_>>(),
        );
    }
}

/// Batches of a second each: a key each event, all different but for ten that come again and again.
fn keyed(second: i64, events: i64) -> Vec<Event> {
    let key = |number: i64| match number % 4 {
        0 => format!("often-{}", number / 4 % 10),
        _ => format!("once-{second}-{number}"),
    };
    let one = |number: i64| {
        let nanos = NOW + second * SECOND + number;
        let json = format!("{{\"key\":\"{}\",\"bytes\":{}}}", key(number), number % 1_000);
        Event { nanos, json }
    };
    (0..events).map(one).collect()
}

/// The rows of a result by key, each with its other cells.
fn by_key(table: &ResultTable) -> BTreeMap<String, Vec<i64>> {
    let number = |row: usize, name: &str| table.text(row, name).and_then(|text| text.parse::<i64>().ok());
    (0..table.rows)
        .map(|row| {
            let cells = ["_count", "_sum"].iter().filter_map(|name| number(row, name)).collect();
            (table.text(row, "key").unwrap().into_owned(), cells)
        })
        .collect()
}

#[test]
fn groups_that_do_not_fit_are_in_the_row_of_the_others_exactly() {
    let query = "groupBy(key, function=[count(), sum(bytes)], limit=1000000, other=others)";
    for (name, query) in [("others", query), ("counted", &query.replace(", other=others", ""))] {
        let store = Store::new(64);
        let live = store.live(None);
        let definition = MetricDefinition { window: Duration::from_secs(30), ..long(query) };
        live.define("m", definition).unwrap();
        let mut narrowest = usize::MAX;
        for second in 0..150 {
            let _ = store.now.fetch_add(SECOND, Ordering::Relaxed);
            // Half a minute of many keys, then two of few: there is room again.
            store.append(&keyed(second, if second < 30 { 1_500 } else { 40 }));
            if second % 10 != 9 {
                continue;
            }
            let result = read(&live);
            let what = format!("{name}, second {second}");
            assert_eq!(result.dropped, 0, "{what}: nothing is lost");
            assert!(result.state_bytes <= BOUND, "{what}: {}", result.state_bytes);
            let exact = by_key(&scanned(&store, query, &result));
            let mut shown = by_key(&result.table);
            narrowest = narrowest.min(shown.len());
            let others = shown.remove("others");
            let total = |rows: &BTreeMap<String, Vec<i64>>| {
                rows.values().fold([0, 0], |sum, row| [sum[0] + row[0], sum[1] + row[1]])
            };
            for (key, cells) in &shown {
                assert_eq!(exact.get(key), Some(cells), "{what}: {key}");
            }
            let (all, there) = (total(&exact), total(&shown));
            let left_out = vec![all[0] - there[0], all[1] - there[1]];
            match name {
                "others" => assert_eq!(others.unwrap_or(vec![0, 0]), left_out, "{what}"),
                _ => assert_eq!(others, None),
            }
            assert_eq!(
                result.table.warnings.is_empty(),
                left_out == [0, 0],
                "{what}: {:?}",
                result.table.warnings
            );
            if second == 149 {
                assert_eq!(shown.len(), exact.len(), "{what}: all fit again");
            }
        }
        assert!(narrowest < 25_000, "{name}: {narrowest} groups fitted");
    }
}
