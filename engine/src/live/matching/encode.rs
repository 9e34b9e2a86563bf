//! The columns of an arriving batch in the form that many queries read fastest.
//!
//! A batch has every value as text. Few different texts become codes into a dictionary, which tests and groups look at
//! once each. Texts that are numbers stay texts: how a value is held shows where events are handed out.

use std::cell::OnceCell;
use std::sync::Arc;

use hashbrown::HashMap;
use weir_query::record::{Column, Dictionary, TextColumn};

/// The most different texts of a dictionary.
const MAX_TEXTS: usize = 4_096;
/// After so many rows, a column with more different texts than a quarter of them is taken to have too many.
const SAMPLE_ROWS: usize = 1_024;

/// A column as it came, and as codes where it is few different texts.
#[derive(Clone, Debug)]
pub(super) struct Forms {
    plain: Column,
    /// Made when a query over many rows asks first.
    coded: OnceCell<Option<Column>>,
}

/// With so many rows for each different text, a query takes the codes: what each text costs is paid by every query,
/// over however few rows.
const ROWS_A_TEXT: usize = 4;
/// With fewer rows than one in so many, a query does not have the codes made.
const MANY_ROWS: usize = 8;

impl Forms {
    pub(super) fn new(plain: Column) -> Forms {
        Forms { plain, coded: OnceCell::new() }
    }

    /// The form that suits a query over `rows` of its rows.
    pub(super) fn for_rows(&self, rows: usize) -> &Column {
        let Column::Text(texts) = &self.plain else { return &self.plain };
        let coded = match rows >= texts.spans.len() / MANY_ROWS {
            true => self.coded.get_or_init(|| dictionary(texts)).as_ref(),
            false => self.coded.get().and_then(Option::as_ref),
        };
        let suits = |column: &&Column| match column {
            Column::Dictionary { dictionary, .. } => dictionary.len() * ROWS_A_TEXT <= rows,
            _ => false,
        };
        coded.filter(suits).unwrap_or(&self.plain)
    }
}

fn dictionary(texts: &TextColumn) -> Option<Column> {
    let mut dictionary = Dictionary::default();
    let mut known: HashMap<&str, u32, foldhash::fast::FixedState> = HashMap::default();
    let mut codes = Vec::with_capacity(texts.spans.len());
    for row in 0..texts.spans.len() {
        let Some(text) = texts.get(row) else {
            codes.push(Dictionary::MISSING);
            continue;
        };
        let code = *known.entry(text).or_insert_with(|| dictionary.push(text));
        codes.push(code);
        let is_new = code as usize + 1 == dictionary.len();
        if is_new
            && (dictionary.len() > MAX_TEXTS || (row >= SAMPLE_ROWS && dictionary.len() * ROWS_A_TEXT > row))
        {
            return None;
        }
    }
    let few = known.len() * ROWS_A_TEXT <= texts.spans.len();
    few.then(|| Column::Dictionary { codes: codes.into(), dictionary: Arc::new(dictionary) })
}

#[cfg(test)]
mod tests {
    use weir_query::record::TextSpan;

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
