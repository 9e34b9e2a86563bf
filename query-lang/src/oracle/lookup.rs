//! `match` and `matchAsArray`: every row of the table is looked at, the last first.

use super::Row;
use super::condition::glob;
use crate::functions::Arguments;
use crate::functions::filters::{Network, address};
use crate::table::Table;

/// The rows that a lookup makes of one.
pub(super) fn apply(arguments: &Arguments, row: &Row) -> Vec<Row> {
    let is_strict = arguments.is_true("strict");
    let Some(table) = arguments.table("file") else {
        return if is_strict { Vec::new() } else { vec![row.clone()] };
    };
    let met = met(arguments, table, row);
    if met.is_empty() {
        return if is_strict { Vec::new() } else { vec![row.clone()] };
    }
    let names = names(arguments, table);
    let values = |at: &usize| -> Vec<(String, String)> {
        let cell = |name: &String| Some((name.clone(), table.column(name)?.get(*at)?.text().into_owned()));
        names.iter().filter_map(cell).collect()
    };
    let Some(array) = arguments.text("asArray") else {
        let with = |at: &usize| {
            let mut made = row.clone();
            values(at).into_iter().for_each(|(name, value)| made.set(&name, value));
            made
        };
        return met.iter().map(with).collect();
    };
    let array = array.strip_suffix("[]").unwrap_or(&array);
    let mut made = row.clone();
    for (number, at) in met.iter().enumerate() {
        for (name, value) in values(at) {
            made.set(&format!("{array}[{number}].{name}"), value);
        }
    }
    vec![made]
}

/// The columns that are copied.
fn names(arguments: &Arguments, table: &Table) -> Vec<String> {
    let include: Vec<String> = arguments.texts("include").iter().map(ToString::to_string).collect();
    if arguments.get("include").is_some() && include != ["*"] {
        return include;
    }
    let keys = columns(arguments);
    table.names().map(ToString::to_string).filter(|name| !keys.contains(name)).collect()
}

fn columns(arguments: &Arguments) -> Vec<String> {
    let columns = match arguments.texts("column") {
        [] => arguments.texts("field"),
        columns => columns,
    };
    columns.iter().map(ToString::to_string).collect()
}

/// The rows of `table` that `row` meets.
fn met(arguments: &Arguments, table: &Table, row: &Row) -> Vec<usize> {
    let ignore_case = arguments.is_true("ignoreCase");
    let fold = |text: &str| if ignore_case { text.to_lowercase() } else { text.to_owned() };
    let modes = arguments.texts("mode");
    let values: Option<Vec<String>> =
        arguments.texts("field").iter().map(|field| row.get(field).map(fold)).collect();
    let Some(values) = values else { return Vec::new() };
    // How long the network is that is met, to prefer long ones.
    let meets = |at: usize| -> Option<u32> {
        let mut length = 0;
        for (number, (name, value)) in columns(arguments).iter().zip(&values).enumerate() {
            let cell = table.column(name)?.get(at)?.text().into_owned();
            let mode = modes.get(number).or(modes.first()).map_or("string", |mode| &**mode);
            let is_met = match mode {
                "glob" => glob(&fold(&cell), value),
                "cidr" => {
                    let network = Network::parse(&cell)?;
                    length += network.length();
                    address(value).is_some_and(|address| network.contains(address))
                }
                _ => fold(&cell) == *value,
            };
            is_met.then_some(())?;
        }
        Some(length)
    };
    let mut met: Vec<(u32, usize)> = (0..table.rows()).filter_map(|at| Some((meets(at)?, at))).collect();
    met.sort_by_key(|met| std::cmp::Reverse(*met));
    let limit = usize::try_from(arguments.integer("nrows").unwrap_or(1)).unwrap_or(1);
    met.into_iter().map(|(_, at)| at).take(limit).collect()
}
