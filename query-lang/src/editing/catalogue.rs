//! What is known of the events and of what queries may name besides them.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::table::Table;

/// A field that events have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldFact {
    /// Its name.
    pub name: String,
    /// How many events have it, as far as that is known.
    pub events: u64,
    /// In how many of them it reads as a number.
    pub numbers: u64,
}

impl FieldFact {
    /// What its values are: `number`, `text` or `mixed`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self.numbers {
            0 => "text",
            numbers if numbers >= self.events => "number",
            _ => "mixed",
        }
    }
}

/// A value that a field has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ValueFact {
    /// Its text.
    pub value: String,
    /// How many events have it, as far as that is known.
    pub events: u64,
}

/// Where the names come from that a query may use. Each method is called only where its answer is needed, and at most
/// once for an answer.
pub trait Catalogue {
    /// The fields there are, by name.
    fn fields(&self) -> Vec<FieldFact>;
    /// Values of a field, the most frequent first; empty where they are not listed.
    fn values(&self, field: &str) -> Vec<ValueFact>;
    /// Saved queries, name to text.
    fn saved(&self) -> Arc<BTreeMap<String, String>>;
    /// Lookup tables, by name.
    fn tables(&self) -> Arc<BTreeMap<String, Arc<Table>>>;
}

/// Nothing is known but the language.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoCatalogue;

impl Catalogue for NoCatalogue {
    fn fields(&self) -> Vec<FieldFact> {
        Vec::new()
    }

    fn values(&self, _: &str) -> Vec<ValueFact> {
        Vec::new()
    }

    fn saved(&self) -> Arc<BTreeMap<String, String>> {
        Arc::default()
    }

    fn tables(&self) -> Arc<BTreeMap<String, Arc<Table>>> {
        Arc::default()
    }
}
