//! The columns of an arriving batch in the form that many queries read fastest.
//!
//! A batch has every value as text. Few different texts become codes into a dictionary, which tests and groups look at
//! once each. Texts that are numbers stay texts: how a value is held shows where events are handed out.

use std::cell::{Cell, OnceCell};
use std::sync::Arc;

use weir_query::record::{Column, Dictionary, TextColumn, TextSpan};

use super::glance::Glance;

/// The most different texts of a dictionary.
const MAX_TEXTS: usize = 4_096;
/// After so many rows, a column with more different texts than a quarter of them is taken to have too many.
const SAMPLE_ROWS: usize = 1_024;
/// With so many rows for each different text, a query takes the codes: what each text costs is paid by every query,
/// over however few rows.
const ROWS_A_TEXT: usize = 4;
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
            true => self.coded.get_or_init(|| code(texts)).as_ref(),
            false => self.coded.get().and_then(Option::as_ref),
        };
        let suits = |column: &&Column| match column {
            Column::Dictionary { dictionary, .. } => dictionary.len() * ROWS_A_TEXT <= rows,
            _ => false,
        };
        coded.filter(suits).unwrap_or(&self.plain)
    }
}

fn code(texts: &TextColumn) -> Option<Column> {
    let mut coder = Coder::new(texts.spans.len());
    coder.take(&texts.arena, &texts.spans);
    coder.finish()
}

/// The number of slots that a coder begins with.
const FIRST_SLOTS: usize = 256;

/// A text that is known, and its code.
#[derive(Clone, Copy, Debug)]
struct Slot {
    glance: Glance,
    code: u32,
}

/// Makes codes of texts, as long as few of them differ.
#[derive(Debug)]
pub(super) struct Coder {
    dictionary: Dictionary,
    codes: Vec<u32>,
    /// As many as a power of two, at most half of them taken; a free one has the code of a missing text.
    slots: Vec<Slot>,
    has_too_many: bool,
}

impl Coder {
    /// For about `rows` texts.
    pub(super) fn new(rows: usize) -> Coder {
        Coder {
            dictionary: Dictionary::default(),
            codes: Vec::with_capacity(rows),
            slots: free(FIRST_SLOTS),
            has_too_many: false,
        }
    }

    /// Takes the next texts, at `spans` of `arena`.
    pub(super) fn take(&mut self, arena: &str, spans: &[TextSpan]) {
        if self.has_too_many {
            return;
        }
        for span in spans {
            let code = if *span == TextSpan::MISSING { Dictionary::MISSING } else { self.code(arena, *span) };
            self.codes.push(code);
        }
        let (texts, rows) = (self.dictionary.len(), self.codes.len());
        self.has_too_many = texts > MAX_TEXTS || (rows >= SAMPLE_ROWS && texts * ROWS_A_TEXT > rows);
    }

    /// The column of all texts; `None`: there are too many different ones.
    pub(super) fn finish(self) -> Option<Column> {
        let few = !self.has_too_many && self.dictionary.len() * ROWS_A_TEXT <= self.codes.len();
        few.then(|| Column::Dictionary { codes: self.codes.into(), dictionary: Arc::new(self.dictionary) })
    }

    #[inline]
    fn code(&mut self, arena: &str, span: TextSpan) -> u32 {
        let glance = Glance::at(arena.as_bytes(), span.start as usize, span.len as usize);
        let mask = self.slots.len() - 1;
        let mut at = (glance.hash() >> 32) as usize & mask;
        // There is always a free slot.
        while let Some(slot) = self.slots.get(at) {
            if slot.glance == glance
                && slot.code != Dictionary::MISSING
                && (glance.is_whole() || self.dictionary.text(slot.code) == span.of(arena))
            {
                return slot.code;
            }
            if slot.code == Dictionary::MISSING {
                break;
            }
            at = (at + 1) & mask;
        }
        self.add(glance, span.of(arena).unwrap_or_default(), at)
    }

    #[cold]
    fn add(&mut self, glance: Glance, text: &str, at: usize) -> u32 {
        let code = self.dictionary.push(text);
        if let Some(slot) = self.slots.get_mut(at) {
            *slot = Slot { glance, code };
        }
        if self.dictionary.len() * 2 > self.slots.len() {
            self.grow();
        }
        code
    }

    fn grow(&mut self) {
        let mut slots = free(self.slots.len() * 2);
        let mask = slots.len() - 1;
        for slot in self.slots.iter().filter(|slot| slot.code != Dictionary::MISSING) {
            let mut at = (slot.glance.hash() >> 32) as usize & mask;
            while slots.get(at).is_some_and(|taken| taken.code != Dictionary::MISSING) {
                at = (at + 1) & mask;
            }
            if let Some(free) = slots.get_mut(at) {
                *free = *slot;
            }
        }
        self.slots = slots;
    }
}

fn free(slots: usize) -> Vec<Slot> {
    vec![Slot { glance: Glance::default(), code: Dictionary::MISSING }; slots]
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
