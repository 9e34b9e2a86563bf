//! Fields of a batch that stays in memory for a while, as codes: what is asked again and again is looked at once.
//!
//! A segment has dictionaries; a batch of the head has each value as text. A field that is asked for more rows than there
//! are is asked for the second time. It is given codes, if it has few different texts, and they stay as long as the batch:
//! to count by such a field is then to count numbers.

use std::sync::Arc;

use hashbrown::HashMap;
use parking_lot::Mutex;
use weir_query::record::{Column, Selection};

use super::coder::Coder;
use super::grams::GRANULE_ROWS;

/// The most fields of a batch that are given codes, four bytes a row each.
const FIELDS_MAX: usize = 8;
/// Batches with fewer rows are read as quickly.
const ROWS_LEAST: usize = GRANULE_ROWS;

/// The fields of a batch that somebody asked for.
#[derive(Debug, Default)]
pub(super) struct BatchCodes {
    fields: Mutex<HashMap<Arc<str>, Asked, foldhash::fast::RandomState>>,
}

#[derive(Clone, Debug)]
enum Asked {
    /// For so many rows in all.
    Rows(usize),
    /// Its texts are too many.
    Plain,
    Coded(Column),
}

impl BatchCodes {
    /// The codes of field `name`, or what `plain` makes of it for the rows of `within`.
    pub(super) fn column(
        &self,
        name: &str,
        within: &Selection,
        plain: impl Fn(&Selection) -> Column,
    ) -> Column {
        let rows = within.rows();
        if rows < ROWS_LEAST {
            return plain(within);
        }
        let mut fields = self.fields.lock();
        let has_room = fields.len() < FIELDS_MAX;
        match fields.get_mut(name) {
            Some(Asked::Coded(column)) => return column.clone(),
            Some(Asked::Plain) => {}
            Some(Asked::Rows(asked)) => {
                *asked = asked.saturating_add(within.count());
                if *asked > rows {
                    // Others wait: they would make the same.
                    let all = plain(&Selection::all(rows));
                    let coded = coded(&all);
                    let column = coded.clone().unwrap_or(all);
                    fields.insert(name.into(), coded.map_or(Asked::Plain, Asked::Coded));
                    return column;
                }
            }
            None if has_room => {
                fields.insert(name.into(), Asked::Rows(within.count()));
            }
            None => {}
        }
        drop(fields);
        plain(within)
    }
}

/// The codes of the texts of `column`; `None` when too many of them differ, or they are something else.
fn coded(column: &Column) -> Option<Column> {
    match column {
        Column::Text(texts) => Coder::column(texts),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use weir_query::record::Rows;

    use super::*;
    use crate::event::{EventBatch, EventBatchBuilder, EventLimits, TagSet};

    fn batch(rows: usize, different: usize) -> EventBatch {
        let mut builder = EventBatchBuilder::new(EventLimits::default());
        for row in 0..rows {
            let id = row % different;
            let line = match row % 10 {
                9 => format!(r#"{{"other":{id}}}"#),
                _ => format!(r#"{{"id":"v{id}","other":7}}"#),
            };
            builder.push_json(line.as_bytes(), None, &TagSet::none(), None).unwrap();
        }
        builder.finish(0)
    }

    fn texts(batch: &EventBatch, name: &str) -> (bool, Vec<Option<String>>) {
        let column = batch.column(name, &Selection::all(batch.len())).unwrap();
        let text = |row| column.get(row).map(|value| value.text().into_owned());
        (matches!(column, Column::Dictionary { .. }), (0..batch.len()).map(text).collect())
    }

    #[test]
    fn what_is_asked_again_has_codes_and_says_the_same() {
        for (rows, different, expected) in [
            (ROWS_LEAST, 7, true),
            (ROWS_LEAST - 1, 7, false),
            (ROWS_LEAST, ROWS_LEAST, false),
            (4 * ROWS_LEAST, 200, true),
        ] {
            let batch = batch(rows, different);
            let first = texts(&batch, "id");
            assert!(!first.0, "once");
            for _ in 0..2 {
                let again = texts(&batch.clone(), "id");
                assert_eq!((again.0, &again.1), (expected, &first.1), "{rows} {different}");
            }
        }
    }

    #[test]
    fn few_fields_have_codes() {
        let fields: Vec<String> = (0..=FIELDS_MAX).map(|field| format!("f{field}")).collect();
        let pairs: Vec<String> = fields.iter().map(|field| format!(r#""{field}":"x""#)).collect();
        let mut builder = EventBatchBuilder::new(EventLimits::default());
        for row in 0..ROWS_LEAST {
            let line = if row == 0 { "{}".to_owned() } else { format!("{{{}}}", pairs.join(",")) };
            builder.push_json(line.as_bytes(), None, &TagSet::none(), None).unwrap();
        }
        let batch = builder.finish(0);
        let coded = |_| fields.iter().filter(|field| texts(&batch, field).0).count();
        assert_eq!((0..3).map(coded).collect::<Vec<_>>(), [0, FIELDS_MAX, FIELDS_MAX]);
    }
}
