//! Finding the rows of a table by what stands in some of its columns.

use std::sync::Arc;

use hashbrown::HashMap;

use super::Table;
use crate::compile::TextMatcher;
use crate::functions::filters::{Network, address};

/// How a value meets the cell of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MatchMode {
    /// It is the same text.
    Exact,
    /// The cell is a pattern in which `*` stands for anything.
    Glob,
    /// The cell is a network that the value, an address, is in.
    Cidr,
}

/// One of the columns that rows are found by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyColumn {
    /// Its name.
    pub name: Arc<str>,
    /// How values meet its cells.
    pub mode: MatchMode,
    /// Letters match in either case.
    pub ignore_case: bool,
}

/// The rows of a table by some of its columns. Rows of which a key is missing are never found.
#[derive(Debug)]
pub struct TableIndex {
    keys: Vec<KeyColumn>,
    /// Rows by the cells of their exact keys; all under one key where there is none.
    exact: HashMap<String, Vec<u32>, foldhash::fast::FixedState>,
    /// What is found without looking at every row, where the only key is no exact one.
    only: Option<Only>,
    /// For each key that is not exact, the tests of its rows.
    tests: Vec<Vec<Option<Test>>>,
}

/// Rows by network, of networks of one length.
type ByNetwork = HashMap<Network, Vec<u32>, foldhash::fast::FixedState>;

/// Rows by their only key.
#[derive(Debug)]
enum Only {
    /// By the length of their networks, longest first, and the first address of each.
    Cidr(Vec<(u32, ByNetwork)>),
    /// By the first byte of their patterns; those that begin with `*`, or are empty, beside it.
    Glob(HashMap<u8, Vec<u32>, foldhash::fast::FixedState>, Vec<u32>),
}

#[derive(Debug)]
enum Test {
    /// The pattern, and the byte it begins with.
    Glob(TextMatcher, Option<u8>),
    Network(Network),
}

impl TableIndex {
    /// Indexes `table`; a name it has no column for is given back.
    ///
    /// # Errors
    /// The name of a column that is not there.
    pub fn new(table: &Table, keys: Vec<KeyColumn>) -> Result<TableIndex, Arc<str>> {
        let mut columns = Vec::with_capacity(keys.len());
        for key in &keys {
            columns.push(table.column(&key.name).ok_or_else(|| Arc::clone(&key.name))?);
        }
        let mut index = TableIndex {
            exact: HashMap::default(),
            only: None,
            tests: keys.iter().map(|_| Vec::new()).collect(),
            keys,
        };
        let mut cells: Vec<String> = vec![String::new(); columns.len()];
        for row in 0..table.rows() {
            let mut whole = true;
            for (cell, column) in cells.iter_mut().zip(&columns) {
                cell.clear();
                match column.get(row) {
                    Some(value) => cell.push_str(&value.text()),
                    None => whole = false,
                }
            }
            index.add(row as u32, whole.then_some(&cells));
        }
        index.only = index.by_only_key();
        Ok(index)
    }

    /// How many values [`TableIndex::find`] takes.
    #[must_use]
    pub fn keys(&self) -> &[KeyColumn] {
        &self.keys
    }

    fn add(&mut self, row: u32, cells: Option<&Vec<String>>) {
        let mut whole = cells.is_some();
        for (at, (key, tests)) in self.keys.iter().zip(&mut self.tests).enumerate() {
            let cell = cells.and_then(|cells| cells.get(at));
            let test = match (key.mode, cell) {
                (MatchMode::Exact, _) => continue,
                (_, None) => None,
                (MatchMode::Glob, Some(cell)) => Some(pattern(&folded(cell, key.ignore_case))),
                (MatchMode::Cidr, Some(cell)) => Network::parse(cell).map(Test::Network),
            };
            whole &= test.is_some();
            tests.push(test);
        }
        let Some(cells) = cells.filter(|_| whole) else { return };
        let key = self.exact_key(cells.iter().map(String::as_str));
        self.exact.entry_ref(key.as_str()).or_default().push(row);
    }

    /// The exact keys among `values` as one text: no two lists of them make the same.
    fn exact_key<'v>(&self, values: impl Iterator<Item = &'v str>) -> String {
        let mut text = String::new();
        for (key, value) in self.keys.iter().zip(values) {
            if key.mode == MatchMode::Exact {
                let value = folded(value, key.ignore_case);
                match self.keys.len() {
                    1 => text.push_str(&value),
                    _ => push_part(&mut text, &value),
                }
            }
        }
        text
    }

    fn by_only_key(&self) -> Option<Only> {
        let ([key], [tests]) = (self.keys.as_slice(), self.tests.as_slice()) else { return None };
        let rows = || (0u32..).zip(tests).filter_map(|(row, test)| Some((row, test.as_ref()?)));
        match key.mode {
            MatchMode::Exact => None,
            MatchMode::Cidr => {
                let mut lengths: Vec<(u32, ByNetwork)> = Vec::new();
                for (row, test) in rows() {
                    let Test::Network(network) = test else { continue };
                    let length = network.length();
                    let at = lengths.iter().position(|(own, _)| *own == length).unwrap_or_else(|| {
                        lengths.push((length, HashMap::default()));
                        lengths.len() - 1
                    });
                    if let Some((_, own)) = lengths.get_mut(at) {
                        own.entry(*network).or_default().push(row);
                    }
                }
                lengths.sort_by_key(|(length, _)| std::cmp::Reverse(*length));
                Some(Only::Cidr(lengths))
            }
            MatchMode::Glob => {
                let mut first: HashMap<u8, Vec<u32>, foldhash::fast::FixedState> = HashMap::default();
                let mut any = Vec::new();
                for (row, test) in rows() {
                    let Test::Glob(_, byte) = test else { continue };
                    match byte {
                        Some(byte) => first.entry(*byte).or_default().push(row),
                        None => any.push(row),
                    }
                }
                Some(Only::Glob(first, any))
            }
        }
    }

    /// The rows whose keys `values` meet, a value a key, best first: of networks the smallest, else the last row. At
    /// most `limit` are put into `out`, which is cleared.
    pub fn find(&self, values: &[&str], limit: usize, out: &mut Vec<u32>) {
        out.clear();
        match &self.only {
            Some(Only::Cidr(lengths)) => {
                let Some(address) = values.first().and_then(|value| address(value)) else { return };
                for (length, networks) in lengths {
                    let rows = Network::around(address, *length).and_then(|network| networks.get(&network));
                    out.extend(rows.into_iter().flatten().rev().take(limit - out.len()));
                    if out.len() == limit {
                        return;
                    }
                }
            }
            Some(Only::Glob(first, any)) => {
                let Some(value) = values.first() else { return };
                let own = folded(value, self.keys.iter().any(|key| key.ignore_case));
                let first = own.as_bytes().first().and_then(|byte| first.get(byte));
                let lists = [first.map(Vec::as_slice).unwrap_or_default(), any.as_slice()];
                self.last_of_two(lists, &[&own], limit, out);
            }
            None => {
                let key = self.exact_key(values.iter().copied());
                let Some(rows) = self.exact.get(key.as_str()) else { return };
                let passes = |row: &&u32| self.passes(**row, values);
                let met = rows.iter().rev().filter(passes);
                match self.keys.iter().position(|key| key.mode == MatchMode::Cidr) {
                    // The smallest network may be that of any row.
                    Some(at) => {
                        out.extend(met);
                        self.smallest_first(at, out);
                        out.truncate(limit);
                    }
                    None => out.extend(met.take(limit)),
                }
            }
        }
    }

    /// The rows of two ascending lists that pass, last first.
    fn last_of_two(&self, lists: [&[u32]; 2], values: &[&str], limit: usize, out: &mut Vec<u32>) {
        let [mut one, mut other] = lists;
        while out.len() < limit {
            let from = if one.last() >= other.last() { &mut one } else { &mut other };
            let Some((row, rest)) = from.split_last() else { return };
            *from = rest;
            if self.passes(*row, values) {
                out.push(*row);
            }
        }
    }

    fn passes(&self, row: u32, values: &[&str]) -> bool {
        self.keys.iter().zip(&self.tests).zip(values).all(|((key, tests), value)| {
            if key.mode == MatchMode::Exact {
                return true;
            }
            match tests.get(row as usize).and_then(Option::as_ref) {
                Some(Test::Glob(matcher, _)) => matcher.is_match(&folded(value, key.ignore_case)),
                Some(Test::Network(network)) => {
                    address(value).is_some_and(|address| network.contains(address))
                }
                None => false,
            }
        })
    }

    /// Rows with the smallest networks in key `at` come first; those alike stay in their order.
    fn smallest_first(&self, at: usize, rows: &mut [u32]) {
        let length = |row: &u32| match self.tests.get(at).and_then(|tests| tests.get(*row as usize)) {
            Some(Some(Test::Network(network))) => network.length(),
            _ => 0,
        };
        rows.sort_by_key(|row| std::cmp::Reverse(length(row)));
    }
}

fn pattern(cell: &str) -> Test {
    match cell.contains('*') {
        true => Test::Glob(TextMatcher::glob(cell), cell.bytes().next().filter(|byte| *byte != b'*')),
        false => Test::Glob(TextMatcher::equals_text(cell), cell.bytes().next()),
    }
}

fn folded(text: &str, ignore_case: bool) -> String {
    if ignore_case { text.to_lowercase() } else { text.to_owned() }
}

/// Adds `part` to a list of texts as one text: its length keeps one list from reading as another.
pub(crate) fn push_part(list: &mut String, part: &str) {
    list.push_str(&part.len().to_string());
    list.push(':');
    list.push_str(part);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn table(text: &str) -> Table {
        Table::read("t.csv", text.as_bytes()).unwrap()
    }

    fn index(table: &Table, keys: &[(&str, MatchMode, bool)]) -> TableIndex {
        let key = |(name, mode, ignore_case): &(&str, MatchMode, bool)| KeyColumn {
            name: (*name).into(),
            mode: *mode,
            ignore_case: *ignore_case,
        };
        TableIndex::new(table, keys.iter().map(key).collect()).unwrap()
    }

    fn found(index: &TableIndex, values: &[&str], limit: usize) -> Vec<u32> {
        let mut rows = vec![77];
        index.find(values, limit, &mut rows);
        rows
    }

    #[test]
    fn exact_keys() {
        let table = table("a,b\nx,1\ny,1\nx,2\nX,3\nx,1\n");
        let one = index(&table, &[("a", MatchMode::Exact, false)]);
        assert_eq!(found(&one, &["x"], 9), [4, 2, 0]);
        assert_eq!(found(&one, &["x"], 1), [4]);
        assert_eq!(found(&one, &["z"], 9), [0u32; 0]);
        assert_eq!(found(&index(&table, &[("a", MatchMode::Exact, true)]), &["x"], 9), [4, 3, 2, 0]);
        let two = index(&table, &[("a", MatchMode::Exact, false), ("b", MatchMode::Exact, false)]);
        assert_eq!(found(&two, &["x", "1"], 9), [4, 0]);
        assert_eq!(found(&two, &["x1", ""], 9), [0u32; 0]);
    }

    #[test]
    fn networks_and_patterns() {
        let cidr = table("net\n10.0.0.0/8\n10.1.0.0/16\nfe80::/10\nno network\n10.1.2.3\n10.1.0.0/16\n");
        let cidr = index(&cidr, &[("net", MatchMode::Cidr, false)]);
        assert_eq!(found(&cidr, &["10.1.2.3"], 9), [4, 5, 1, 0]);
        assert_eq!(found(&cidr, &["10.2.2.3"], 9), [0]);
        assert_eq!(found(&cidr, &["fe80::7"], 9), [2]);
        assert_eq!(found(&cidr, &["x"], 9), [0u32; 0]);
        let glob = table("p\nab*\n*b\n\"\"\nab\n*\n01\n");
        let glob = index(&glob, &[("p", MatchMode::Glob, false)]);
        assert_eq!(found(&glob, &["ab"], 9), [4, 3, 1, 0]);
        assert_eq!(found(&glob, &["ab"], 2), [4, 3]);
        assert_eq!(found(&glob, &[""], 9), [4, 2]);
        assert_eq!(found(&glob, &["1"], 9), [4]);
    }

    #[test]
    fn the_smallest_network_is_found_beside_another_key() {
        let table = table("host,net\nweb,10.1.0.0/16\nweb,10.0.0.0/8\ndb,10.1.1.0/24\n");
        let both = index(&table, &[("host", MatchMode::Exact, false), ("net", MatchMode::Cidr, false)]);
        assert_eq!(found(&both, &["web", "10.1.1.1"], 1), [0]);
        assert_eq!(found(&both, &["web", "10.2.1.1"], 1), [1]);
    }

    #[test]
    fn keys_of_several_kinds() {
        let table = table("host,net,v\nweb,10.0.0.0/8,a\nweb,10.1.0.0/16,b\ndb,10.0.0.0/8,c\n");
        let both = index(&table, &[("host", MatchMode::Exact, false), ("net", MatchMode::Cidr, false)]);
        assert_eq!(found(&both, &["web", "10.1.1.1"], 9), [1, 0]);
        assert_eq!(found(&both, &["web", "11.1.1.1"], 9), [0u32; 0]);
        let missing = KeyColumn { name: "nope".into(), mode: MatchMode::Exact, ignore_case: false };
        assert_eq!(TableIndex::new(&table, vec![missing]).unwrap_err(), "nope".into());
    }

    proptest! {
        #[test]
        fn an_only_pattern_finds_what_trying_each_does(
            cells in prop::collection::vec("[ab*]{0,4}", 0..20), value in "[ab]{0,4}", limit in 1usize..5,
        ) {
            let text = format!("p,q\n{}", cells.iter().map(|cell| format!("\"{cell}\",x\n")).collect::<String>());
            let table = table(&text);
            let fast = index(&table, &[("p", MatchMode::Glob, false)]);
            // With a second key every row is tried.
            let slow = index(&table, &[("p", MatchMode::Glob, false), ("q", MatchMode::Exact, false)]);
            prop_assert_eq!(found(&fast, &[&value], limit), found(&slow, &[&value, "x"], limit));
        }

        #[test]
        fn an_only_network_finds_what_trying_each_does(
            cells in prop::collection::vec((0u8..4, 0u8..4, 0u32..33), 0..20), value in (0u8..4, 0u8..4),
        ) {
            let rows = cells.iter().map(|(a, b, length)| format!("{a}.{b}.0.0/{length},x\n"));
            let table = table(&format!("p,q\n{}", rows.collect::<String>()));
            let fast = index(&table, &[("p", MatchMode::Cidr, false)]);
            let slow = index(&table, &[("p", MatchMode::Cidr, false), ("q", MatchMode::Exact, false)]);
            let value = format!("{}.{}.0.0", value.0, value.1);
            for limit in [1, 2, 99] {
                prop_assert_eq!(found(&fast, &[&value], limit), found(&slow, &[&value, "x"], limit));
            }
        }
    }
}
