//! A query that is being written: what its text, the cursor and the names of a repository say.

use weir_query::compile::Options;
use weir_query::editing::{self, Check, Completion, Hover};
use weir_query::parser::parse_strict;
use weir_query::print::print;

use super::RepositoryCatalogue;
use super::prepared::arguments;
use crate::wire::EditedQuery;

/// A text that is being written.
#[derive(Clone, Debug)]
pub struct Edited {
    asked: EditedQuery,
    catalogue: RepositoryCatalogue,
}

impl Edited {
    /// What was asked, over the names of a repository.
    #[must_use]
    pub fn new(asked: EditedQuery, catalogue: RepositoryCatalogue) -> Edited {
        Edited { asked, catalogue }
    }

    /// Where the cursor is, bytes.
    fn offset(&self) -> usize {
        let text = &self.asked.query_string;
        match (self.asked.offset, self.asked.utf16) {
            (Some(offset), _) => offset.min(text.len()),
            (None, Some(units)) => editing::offset_of_utf16(text, units),
            (None, None) => text.len(),
        }
    }

    /// What may stand at the cursor.
    #[must_use]
    pub fn complete(&self) -> Completion {
        editing::complete(&self.asked.query_string, self.offset(), &self.catalogue)
    }

    /// What stands there.
    #[must_use]
    pub fn hover(&self) -> Option<Hover> {
        editing::hover(&self.asked.query_string, self.offset(), &self.catalogue)
    }

    /// What is wrong with it.
    #[must_use]
    pub fn check(&self) -> Check {
        let known = self.catalogue.known.options(&arguments(self.asked.arguments.as_ref()));
        let options = Options { is_standing: self.asked.is_live.unwrap_or(false), ..known };
        editing::check(&self.asked.query_string, &options, &self.catalogue)
    }

    /// Its canonical form, where it was asked for and the text parses.
    #[must_use]
    pub fn formatted(&self) -> Option<String> {
        let query =
            parse_strict(&self.asked.query_string).ok().filter(|_| self.asked.format == Some(true))?;
        Some(print(&query))
    }
}
