//! The rows of a table that is a JSON text: an array of objects.

use super::reader::{Reader, Scalar};

/// The objects of an array, one after the other.
pub(crate) struct Objects<'t> {
    text: &'t str,
    rest: &'t str,
    state: Reading,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Reading {
    Start,
    Inside,
    Ended,
}

/// Where in the text something is wrong, and what.
pub(crate) type JsonFault = (usize, &'static str);

/// The members of an object by path; nothing where one is null.
pub(crate) type Members = Vec<(String, Option<String>)>;

impl<'t> Objects<'t> {
    pub(crate) fn new(text: &'t str) -> Objects<'t> {
        Objects { text, rest: text, state: Reading::Start }
    }

    /// The members of the next object; `None` behind the last.
    pub(crate) fn next_object(&mut self) -> Result<Option<Members>, JsonFault> {
        let mut reader = Reader::new(self.rest);
        let at = |reader: &Reader<'_>| self.text.len() - reader.rest().len();
        reader.space();
        match self.state {
            Reading::Start if reader.take("[").is_none() => {
                return Err((at(&reader), "an array of objects is expected"));
            }
            Reading::Start => {}
            Reading::Inside if reader.take(",").is_some() => {}
            Reading::Inside | Reading::Ended => return self.end(reader),
        }
        reader.space();
        if self.state == Reading::Start && reader.rest().starts_with(']') {
            return self.end(reader);
        }
        if !reader.rest().starts_with('{') {
            return Err((at(&reader), "an object is expected, a row of the table"));
        }
        if reader.value(&mut String::new(), 0).is_none() {
            return Err((at(&reader), "this is no JSON"));
        }
        (self.rest, self.state) = (reader.rest(), Reading::Inside);
        let text = |scalar| match scalar {
            Scalar::Text(text) => Some(text),
            Scalar::Null => None,
        };
        Ok(Some(reader.fields.into_iter().map(|(name, scalar)| (name, text(scalar))).collect()))
    }

    fn end(&mut self, mut reader: Reader<'t>) -> Result<Option<Members>, JsonFault> {
        let closed = self.state == Reading::Ended || reader.take("]").is_some();
        reader.space();
        let at = self.text.len() - reader.rest().len();
        (self.rest, self.state) = (reader.rest(), Reading::Ended);
        match (closed, reader.rest().is_empty()) {
            (true, true) => Ok(None),
            (true, false) => Err((at, "the array has ended, but the text goes on")),
            (false, _) => Err((at, "`,` or `]` is expected")),
        }
    }
}
