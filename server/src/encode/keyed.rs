//! Rows of a result as JSON, each with the key it is known by, so that two results can be compared row by row.
//!
//! Rows are compared as they are written: a row is the same where its JSON is. Keys are those the query groups by, and
//! count only while no two rows of a table have the same one; so a delta is right whatever a query does to its groups.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use weir_query::program::Keys;
use weir_query::result::ResultTable;

use super::json::JsonRows;
use super::pen::Pen;

/// The rows of one table, written.
#[derive(Debug, Default)]
pub struct KeyedRows {
    rows: Written,
    keys: Option<Index>,
}

/// JSON objects one after another, with a comma between two.
#[derive(Debug, Default)]
struct Written {
    json: Vec<u8>,
    ends: Vec<usize>,
}

/// The keys of all rows.
#[derive(Debug, Default)]
struct Index {
    columns: Vec<Arc<str>>,
    keys: Written,
    /// Rows by their keys.
    sorted: Vec<usize>,
    /// The order of rows says something.
    ordered: bool,
}

/// What makes one table of another.
#[derive(Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing: they are the same.
    Same,
    /// Rows of the newer one that are new or other than they were, and rows of the older one whose keys are gone.
    Rows {
        /// Rows of the newer one, in its order.
        set: Vec<usize>,
        /// Rows of the older one, in its order.
        removed: Vec<usize>,
    },
    /// All rows: they have no keys, or their order changed and says something.
    Whole,
}

impl Written {
    fn new(table: &ResultTable) -> Written {
        let mut written = Written { json: Vec::new(), ends: Vec::with_capacity(table.rows) };
        let mut writer = JsonRows::new(table, table.rows);
        let mut pen = Pen::take(&mut written.json);
        for row in 0..table.rows {
            if row > 0 {
                pen.byte(b',');
            }
            writer.write(row, &mut pen);
            written.ends.push(pen.len());
        }
        pen.leave(&mut written.json);
        written
    }

    fn span(&self, row: usize) -> Range<usize> {
        let start = row.checked_sub(1).and_then(|before| self.ends.get(before)).map_or(0, |end| end + 1);
        start..self.ends.get(row).copied().unwrap_or(start)
    }

    fn get(&self, row: usize) -> &[u8] {
        self.json.get(self.span(row)).unwrap_or_default()
    }

    fn append(&self, rows: &[usize], out: &mut Vec<u8>) {
        for (at, row) in rows.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            out.extend_from_slice(self.get(*row));
        }
    }

    fn bytes(&self) -> usize {
        self.json.len() + self.ends.len() * size_of::<usize>()
    }
}

impl Index {
    /// `None`: there is no such column, or two rows have the same key.
    fn new(table: &ResultTable, keys: &Keys) -> Option<Index> {
        let column = |name| Some((Arc::clone(name), table.get(name)?.clone()));
        let columns = match table.rows {
            0 => Vec::new(),
            _ => keys.columns.iter().map(column).collect::<Option<Vec<_>>>()?,
        };
        let keyed = Written::new(&ResultTable { rows: table.rows, columns, ..ResultTable::default() });
        let mut sorted: Vec<usize> = (0..table.rows).collect();
        sorted.sort_unstable_by_key(|row| keyed.get(*row));
        let unique = sorted.is_sorted_by(|one, next| keyed.get(*one) < keyed.get(*next));
        let columns = keys.columns.clone();
        unique.then_some(Index { columns, keys: keyed, sorted, ordered: keys.ordered })
    }

    /// Whether this order of rows is what leaving out `removed` of `older` and adding the others at the end gives.
    fn continues(&self, older: &Index, removed: &[usize]) -> bool {
        let stays = |row: &usize| removed.binary_search(row).is_err();
        let mut before = (0..older.sorted.len()).filter(stays);
        (0..self.sorted.len()).all(|row| {
            // Those that stay are as many on both sides, so what comes after the last of them is new.
            before.next().is_none_or(|old| older.keys.get(old) == self.keys.get(row))
        })
    }
}

impl KeyedRows {
    /// Writes `table`, whose rows have the keys `keys`, if they have any.
    #[must_use]
    pub fn new(table: &ResultTable, keys: Option<&Keys>) -> KeyedRows {
        KeyedRows { rows: Written::new(table), keys: keys.and_then(|keys| Index::new(table, keys)) }
    }

    /// What makes these rows of `older`.
    #[must_use]
    pub fn change(&self, older: &KeyedRows) -> Change {
        if self.rows.json == older.rows.json {
            return Change::Same;
        }
        let (Some(keys), Some(before)) = (&self.keys, &older.keys) else { return Change::Whole };
        if keys.columns != before.columns {
            return Change::Whole;
        }
        let (mut set, mut removed) = (Vec::new(), Vec::new());
        let mut old = before.sorted.iter().copied().peekable();
        for row in keys.sorted.iter().copied() {
            let key = keys.keys.get(row);
            while let Some(gone) = old.next_if(|old| before.keys.get(*old) < key) {
                removed.push(gone);
            }
            match old.next_if(|old| before.keys.get(*old) == key) {
                Some(same) if older.rows.get(same) == self.rows.get(row) => {}
                _ => set.push(row),
            }
        }
        removed.extend(old);
        set.sort_unstable();
        removed.sort_unstable();
        if keys.ordered && !keys.continues(before, &removed) {
            return Change::Whole;
        }
        match set.is_empty() && removed.is_empty() {
            true => Change::Same,
            false => Change::Rows { set, removed },
        }
    }

    /// The rows of `older` that are not among these, in their order: one that stood twice and stands once is told of once.
    #[must_use]
    pub fn lacks_of(&self, older: &KeyedRows) -> Vec<usize> {
        let mut still: HashMap<&[u8], usize> = HashMap::new();
        (0..self.rows.ends.len()).for_each(|row| *still.entry(self.rows.get(row)).or_default() += 1);
        let is_gone = |row: &usize| match still.get_mut(older.rows.get(*row)) {
            Some(times) if *times > 0 => {
                *times -= 1;
                false
            }
            _ => true,
        };
        (0..older.rows.ends.len()).filter(is_gone).collect()
    }

    /// How many bytes [`KeyedRows::append_rows`] of all rows writes.
    #[must_use]
    pub fn written_bytes(&self) -> usize {
        self.rows.json.len()
    }

    /// Appends all rows, with commas between them.
    pub fn append_all(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.rows.json);
    }

    /// Appends rows, with commas between them.
    pub fn append_rows(&self, rows: &[usize], out: &mut Vec<u8>) {
        self.rows.append(rows, out);
    }

    /// Appends the keys of rows as objects, with commas between them.
    pub fn append_keys(&self, rows: &[usize], out: &mut Vec<u8>) {
        if let Some(index) = &self.keys {
            index.keys.append(rows, out);
        }
    }

    /// Rows can be told apart by keys.
    #[must_use]
    pub fn is_keyed(&self) -> bool {
        self.keys.is_some()
    }

    /// Bytes of memory held.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let index = |index: &Index| index.keys.bytes() + index.sorted.len() * size_of::<usize>();
        size_of::<KeyedRows>() + self.rows.bytes() + self.keys.as_ref().map_or(0, index)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// Rows `service=count`, as a table.
    fn table(rows: &[(&str, u32)]) -> ResultTable {
        let field = |name: &str, value: String| (name.to_owned(), value);
        let event = |(service, count): &(&str, u32)| {
            vec![field("service", (*service).to_owned()), field("_count", count.to_string())]
        };
        ResultTable::of_events(&rows.iter().map(event).collect::<Vec<_>>())
    }

    fn keyed(rows: &[(&str, u32)], ordered: bool) -> KeyedRows {
        let keys = Keys { columns: vec![Arc::from("service")], ordered };
        KeyedRows::new(&table(rows), Some(&keys))
    }

    fn rows(set: &[usize], removed: &[usize]) -> Change {
        Change::Rows { set: set.to_vec(), removed: removed.to_vec() }
    }

    #[test]
    fn changes_by_key() {
        let old: &[(&str, u32)] = &[("b", 1), ("a", 2), ("c", 3)];
        for (new, unordered, ordered) in [
            (old, Change::Same, Change::Same),
            (&[("b", 1), ("a", 5), ("c", 3)], rows(&[1], &[]), rows(&[1], &[])),
            (&[("b", 1), ("c", 3)], rows(&[], &[1]), rows(&[], &[1])),
            (&[("b", 1), ("a", 2), ("c", 3), ("aa", 9)], rows(&[3], &[]), rows(&[3], &[])),
            (&[("aa", 9), ("b", 1), ("a", 2), ("c", 3)], rows(&[0], &[]), Change::Whole),
            (&[("a", 2), ("b", 1), ("c", 3)], Change::Same, Change::Whole),
            (&[("a", 2), ("d", 7), ("e", 1)], rows(&[1, 2], &[0, 2]), rows(&[1, 2], &[0, 2])),
            (&[], rows(&[], &[0, 1, 2]), rows(&[], &[0, 1, 2])),
            (&[("a", 2), ("a", 3)], Change::Whole, Change::Whole),
        ] {
            assert_eq!(keyed(new, false).change(&keyed(old, false)), unordered, "{new:?}");
            assert_eq!(keyed(new, true).change(&keyed(old, true)), ordered, "{new:?}, ordered");
        }
    }

    #[test]
    fn what_is_no_longer_there() {
        for (old, new, expected) in [
            (&[("b", 1), ("a", 2)][..], &[("a", 2), ("b", 1)][..], &[][..]),
            (&[("b", 1), ("a", 2)], &[("b", 1), ("a", 3)], &[1]),
            (&[("b", 1), ("a", 2)], &[], &[0, 1]),
            (&[], &[("a", 2)], &[]),
            (&[("a", 2), ("a", 2), ("a", 2)], &[("a", 2)], &[1, 2]),
        ] {
            assert_eq!(keyed(new, false).lacks_of(&keyed(old, false)), expected, "{old:?} to {new:?}");
        }
    }

    #[test]
    fn without_keys_all_rows_are_replaced() {
        let none = Keys { columns: vec![Arc::from("host")], ordered: false };
        for keys in [None, Some(&none)] {
            let (old, new) =
                (KeyedRows::new(&table(&[("a", 1)]), keys), KeyedRows::new(&table(&[("a", 2)]), keys));
            assert_eq!(new.change(&old), Change::Whole);
        }
        let by = |column: &str| Keys { columns: vec![Arc::from(column)], ordered: false };
        let of = |keys| KeyedRows::new(&table(&[("a", 1), ("b", 2)]), Some(&keys));
        assert_eq!(of(by("service")).change(&KeyedRows::new(&table(&[]), Some(&by("host")))), Change::Whole);
        let one = Keys { columns: Vec::new(), ordered: false };
        let of = |count| KeyedRows::new(&table(&[("a", count)]), Some(&one));
        assert_eq!(of(2).change(&of(1)), rows(&[0], &[]), "a table of one row needs no key");
    }

    proptest! {
        /// A reader who applies changes has what a reader of whole tables has.
        #[test]
        fn applied_changes_give_the_newer_rows(
            tables in prop::collection::vec(prop::collection::btree_map("[a-c]{1,2}", 0_u32..3, 0..8), 2..6),
        ) {
            let tables: Vec<KeyedRows> = tables
                .iter()
                .map(|rows| {
                    keyed(&rows.iter().map(|(key, count)| (key.as_str(), *count)).collect::<Vec<_>>(), false)
                })
                .collect();
            let parse = |bytes: &[u8]| serde_json::from_slice::<Vec<BTreeMap<String, String>>>(bytes).unwrap();
            let listed = |write: &dyn Fn(&mut Vec<u8>)| {
                let mut out = vec![b'['];
                write(&mut out);
                out.push(b']');
                parse(&out)
            };
            let by_key = |rows: Vec<BTreeMap<String, String>>| {
                rows.into_iter().map(|row| (row["service"].clone(), row)).collect::<BTreeMap<_, _>>()
            };
            let mut held = by_key(listed(&|out| tables[0].append_all(out)));
            for pair in tables.windows(2) {
                match pair[1].change(&pair[0]) {
                    Change::Same => {}
                    Change::Whole => prop_assert!(false, "unique keys"),
                    Change::Rows { set, removed } => {
                        for key in listed(&|out| pair[0].append_keys(&removed, out)) {
                            held.remove(&key["service"]);
                        }
                        held.extend(by_key(listed(&|out| pair[1].append_rows(&set, out))));
                    }
                }
                prop_assert_eq!(&held, &by_key(listed(&|out| pair[1].append_all(out))));
            }
        }
    }
}
