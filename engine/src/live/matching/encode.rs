//! The columns of an arriving batch in the form that many queries read fastest.
//!
//! A batch has every value as text. Few different texts become codes into a dictionary, which tests and groups look at
//! once each. Texts that are numbers stay texts: how a value is held shows where events are handed out. Who looks at
//! values as numbers only gets them as such, read once for all.

use std::cell::{Cell, OnceCell};
use std::sync::Arc;

use weir_query::record::{Column, TextColumn};

use super::integers::Integers;
use super::reading::Wanted;
use crate::event::coder::{Coder, ROWS_A_TEXT};

/// With fewer rows than one in so many, a query does not have the codes made.
const MANY_ROWS: usize = 8;

/// A column as it came, and as codes where it is few different texts.
#[derive(Clone, Debug)]
pub(super) struct Forms {
    plain: Column,
    /// Made when a query over many rows asks first.
    coded: OnceCell<Option<Column>>,
    /// The integers it is, where all numbers are such; made when a query over many rows asks first.
    integers: OnceCell<Option<Column>>,
    asked: Cell<Asked>,
    /// Of how many rows its texts were wanted, those of each query counted.
    rows_asked: Cell<usize>,
    /// Its numbers were, over many rows.
    numbers_asked: Cell<bool>,
}

/// What queries wanted of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Asked {
    Nothing,
    Plain,
    /// Over many rows.
    Codes,
}

impl Forms {
    pub(super) fn new(plain: Column) -> Forms {
        Forms {
            plain,
            coded: OnceCell::new(),
            integers: OnceCell::new(),
            asked: Cell::new(Asked::Nothing),
            rows_asked: Cell::new(0),
            numbers_asked: Cell::new(false),
        }
    }

    /// A column whose codes and numbers were made as it was read, as far as they were wanted.
    pub(super) fn made(
        plain: Column,
        coded: Option<Option<Column>>,
        integers: Option<Option<Column>>,
    ) -> Forms {
        let of = |made: Option<Option<Column>>| made.map_or_else(OnceCell::new, OnceCell::from);
        match &plain {
            Column::Text(_) => Forms { coded: of(coded), integers: of(integers), ..Forms::new(plain) },
            _ => Forms::new(plain),
        }
    }

    /// What is to be read ahead of this field of the next batch; `None`: nothing was wanted of this one.
    pub(super) fn wanted(&self, name: &Arc<str>) -> Option<Wanted> {
        let (asked, is_numeric) = (self.asked.get(), self.numbers_asked.get());
        let wanted = || Wanted {
            name: Arc::clone(name),
            is_coded: asked == Asked::Codes,
            is_packed: self.rows_asked.get() >= self.plain.len() / MANY_ROWS,
            is_numeric,
        };
        (asked > Asked::Nothing || is_numeric).then(wanted)
    }

    /// Its numbers, for a query over `rows` of its rows; `None`: some are no integers, or it is not worth it for so few.
    /// Values that are no numbers are missing.
    pub(super) fn numbers_for(&self, rows: usize) -> Option<&Column> {
        let is_many = self.is_many(rows);
        self.numbers_asked.set(self.numbers_asked.get() || is_many);
        let Column::Text(texts) = &self.plain else { return None };
        match is_many {
            true => self.integers.get_or_init(|| integers(texts)).as_ref(),
            false => self.integers.get().and_then(Option::as_ref),
        }
    }

    fn is_many(&self, rows: usize) -> bool {
        rows >= self.plain.len() / MANY_ROWS
    }

    /// The form that suits a query over `rows` of its rows.
    pub(super) fn for_rows(&self, rows: usize) -> &Column {
        let is_many = self.is_many(rows);
        self.asked.set(self.asked.get().max(if is_many { Asked::Codes } else { Asked::Plain }));
        self.rows_asked.set(self.rows_asked.get() + rows);
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

fn integers(TextColumn { arena, spans }: &TextColumn) -> Option<Column> {
    let mut integers = Integers::new(spans.len());
    integers.take(arena, spans);
    integers.finish()
}

#[cfg(test)]
mod tests {
    use weir_query::record::TextSpan;
    use weir_query::value::Number;

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

    #[test]
    fn numbers_are_those_that_the_texts_say() {
        for (texts, is_integers) in [
            (&[Some("1"), Some("-20"), None, Some("007"), Some("x"), Some(""), Some("1e3")][..], true),
            (&[Some("9223372036854775807"), Some("-9223372036854775808"), Some("2.0")], true),
            (&[None, Some("x")], true),
            (&[Some("1"), Some("1.5")], false),
            (&[Some("9223372036854775808")], false),
        ] {
            let forms = Forms::new(column(texts));
            assert!(forms.numbers_for(0).is_none() || texts.len() < MANY_ROWS);
            let Some(numbers) = forms.numbers_for(texts.len()) else {
                assert!(!is_integers, "{texts:?}");
                continue;
            };
            assert!(is_integers, "{texts:?}");
            for (row, text) in texts.iter().enumerate() {
                let number = numbers.get(row).and_then(|value| value.number());
                assert_eq!(number, text.and_then(Number::parse), "{text:?}");
            }
        }
    }
}
