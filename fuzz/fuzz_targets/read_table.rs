//! Any file is a table or told not to be one; a table finds each of its own rows, by text and by pattern.
#![no_main]

use libfuzzer_sys::fuzz_target;
use weir_query::table::{KeyColumn, MatchMode, Table, TableIndex};

fuzz_target!(|input: (bool, &[u8])| {
    let (json, bytes) = input;
    let Ok(table) = Table::read(if json { "t.json" } else { "t.csv" }, bytes) else { return };
    let Some((name, column)) = table.data().columns.first() else { return };
    for ignore_case in [false, true] {
        let key = KeyColumn { name: name.clone(), mode: MatchMode::Exact, ignore_case };
        let index = TableIndex::new(&table, vec![key]).expect("the column is there");
        let mut found = Vec::new();
        for row in 0..table.rows().min(64) {
            let Some(value) = column.get(row) else { continue };
            index.find(&[&value.text()], usize::MAX, &mut found);
            assert!(found.contains(&(row as u32)));
            assert!(found.is_sorted_by(|one, next| one > next));
        }
    }
    for mode in [MatchMode::Glob, MatchMode::Cidr] {
        let key = KeyColumn { name: name.clone(), mode, ignore_case: false };
        let index = TableIndex::new(&table, vec![key]).expect("the column is there");
        index.find(&["10.1.2.3"], 3, &mut Vec::new());
    }
});
