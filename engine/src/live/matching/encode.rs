//! The columns of an arriving batch in the form that many queries read fastest.
//!
//! A batch has every value as text. Few different texts become codes into a dictionary, which tests and groups look at
//! once each. Texts that are numbers stay texts: how a value is held shows where events are handed out.

use std::cell::{Cell, OnceCell};

use weir_query::record::Column;

use crate::event::coder::{Coder, ROWS_A_TEXT};

/// With fewer rows than one in so many, a query does not have the codes made.
const MANY_ROWS: usize = 8;

/// A column as it came, and as codes where it is few different texts.
#[derive(Clone, Debug)]
pub(super) struct Forms {
    plain: Column,
    /// Made when a query over many rows asks first.
    coded: OnceCell<Option<Column>>,
    asked: Cell<Asked>,
}

/// What queries wanted of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Asked {
    Nothing,
    Plain,
    /// Over many rows.
    Codes,
}

impl Forms {
    pub(super) fn new(plain: Column) -> Forms {
        Forms { plain, coded: OnceCell::new(), asked: Cell::new(Asked::Nothing) }
    }

    /// A column whose codes were made as it was read.
    pub(super) fn coded(plain: Column, coder: Coder) -> Forms {
        let coded = match &plain {
            Column::Text(_) => coder.finish(),
            _ => None,
        };
        Forms { coded: OnceCell::from(coded), ..Forms::new(plain) }
    }

    /// What was wanted of it so far.
    pub(super) fn asked(&self) -> Asked {
        self.asked.get()
    }

    /// The form that suits a query over `rows` of its rows.
    pub(super) fn for_rows(&self, rows: usize) -> &Column {
        let is_many = rows >= self.plain.len() / MANY_ROWS;
        self.asked.set(self.asked.get().max(if is_many { Asked::Codes } else { Asked::Plain }));
        let Column::Text(texts) = &self.plain else { return &self.plain };
        let coded = match is_many {
            true => self.coded.get_or_init(|| Coder::column(texts)).as_ref(),
            false => self.coded.get().and_then(Option::as_ref),
        };
        let suits = |column: &&Column| match column {
            Column::Dictionary { dictionary, .. } => dictionary.len() * ROWS_A_TEXT <= rows,
            _ => false,
        };
        coded.filter(suits).unwrap_or(&self.plain)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use weir_query::record::{TextColumn, TextSpan};

    use super::*;

    fn column(texts: &[Option<&str>]) -> Column {
        let mut arena = String::new();
        let spans = texts.iter().map(|text| match text {
            None => TextSpan::MISSING,
            Some(text) => {
                arena.push_str(text);
                TextSpan { start: (arena.len() - text.len()) as u32, len: text.len() as u32 }
            }
        });
        let spans = spans.collect();
        Column::Text(TextColumn { arena: Arc::new(arena), spans })
    }

    #[test]
    fn values_stay_what_they_are() {
        let mixed: Vec<String> = (0..600).map(|at| format!("v{}", at % 7)).collect();
        let many: Vec<String> = (0..600).map(|at| format!("v{at}")).collect();
        let numbers: Vec<String> = (-300..300).map(|at: i64| (at * 1_000_003).to_string()).collect();
        for (name, texts, form) in
            [("mixed", &mixed, "dictionary"), ("many", &many, "text"), ("numbers", &numbers, "text")]
        {
            for gap in [usize::MAX, 0, 300] {
                let texts: Vec<Option<&str>> =
                    texts.iter().enumerate().map(|(at, text)| (at != gap).then_some(text.as_str())).collect();
                let forms = Forms::new(column(&texts));
                assert!(matches!(forms.for_rows(20), Column::Text(_)));
                let column = forms.for_rows(600);
                let got = match column {
                    Column::Dictionary { .. } => "dictionary",
                    _ => "text",
                };
                assert_eq!(got, form, "{name}");
                for (row, text) in texts.iter().enumerate() {
                    assert_eq!(column.get(row).map(|value| value.text().into_owned()).as_deref(), *text);
                }
            }
        }
    }
}
